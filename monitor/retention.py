"""How long what we hold is kept, by class (requirement 38); a proof of each that goes stays."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session, sessionmaker

from monitor.copies import forget_old
from monitor.models import HourlyCount, Reading
from sources.collect import Intake
from sources.models import HiddenPost, Post, SourceHour

RAW = timedelta(days=30)  # any post, or its platform's own time where that is shorter
QUIET = timedelta(days=7)  # a post read as QUIET_LEVEL at most: nothing of concern
QUIET_LEVEL = 1
AGGREGATES = timedelta(days=730)  # counts by the hour
CHUNK = 1_000  # posts in one transaction


def retire(sessions: sessionmaker[Session], intake: Intake, clock: Callable[[], datetime]) -> int:
    """Take out every post whose time is over; how many. Commits chunk by chunk."""
    retired = 0
    # What was made of posts together, a title say, outlives them: only their own words go.
    purger = replace(intake.purger, leaving=lambda session, ids: None)
    for policy in intake.policies:
        longest = min(RAW, policy.keep)
        for table, over, why in _classes(clock(), longest):
            while True:
                with sessions.begin() as session:
                    lock = func.pg_advisory_xact_lock(func.hashtext(f"save {policy.platform}"))
                    session.execute(select(lock))
                    old = select(table.uri).where(table.platform == policy.platform, over)
                    uris = session.scalars(old.limit(CHUNK)).all()
                    purger.posts(session, policy.platform, dict.fromkeys(uris, why), clock())
                retired += len(uris)
                if len(uris) < CHUNK:
                    break
    with sessions.begin() as session:
        before = clock() - AGGREGATES
        session.execute(delete(HourlyCount).where(HourlyCount.hour < before))
        session.execute(delete(SourceHour).where(SourceHour.hour < before))
        forget_old(session, clock())
    return retired


def _classes(
    now: datetime, longest: timedelta
) -> Iterator[tuple[type[Post] | type[HiddenPost], ColumnElement[bool], str]]:
    """The classes of posts whose time is over, and what the proof says of each."""
    for table in (Post, HiddenPost):
        yield table, table.collected_at < now - longest, f"kept for {_words(longest)}"
    quiet = select(Reading.post_id).where(Reading.level <= QUIET_LEVEL)
    over = Post.collected_at < now - min(QUIET, longest)
    yield Post, or_(over & Post.id.in_(quiet)), f"nothing of concern, kept for {_words(QUIET)}"


def _words(length: timedelta) -> str:
    hours = round(length / timedelta(hours=1))
    return f"{hours} hours" if hours <= 48 else f"{hours // 24} days"
