"""How long what we hold is kept, by class (requirement 38); a proof of each that goes stays."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select, union
from sqlalchemy.orm import Session, sessionmaker

from monitor.models import AreaCount, HourlyCount, Reading
from monitor.narratives.copies import forget_old
from sources.collect import KEEP_REJECTS, Intake
from sources.models import HiddenPost, PassingPost, Post, RejectedItem, Source, SourceHour
from sources.policy import PLATFORM_OF
from sources.watches import PASSING_TIME

RAW = timedelta(days=30)  # any post, or its platform's own time where that is shorter
QUIET = timedelta(days=7)  # a post read as QUIET_LEVEL at most: nothing of concern
QUIET_LEVEL = 1
AGGREGATES = timedelta(days=730)  # counts by the hour
CHUNK = 1_000  # posts in one transaction


def retire(sessions: sessionmaker[Session], intake: Intake, clock: Callable[[], datetime]) -> int:
    """Take out every post whose time is over; how many. Commits chunk by chunk."""
    retired = 0
    # What was made of posts together, a title say, outlives them: only their own words go.
    purger = replace(intake.purger, leaving=lambda session, ids: set())
    with sessions() as session:
        platforms = _platforms(session, intake)
    for platform in platforms:
        longest = min(RAW, intake.policies[platform].keep)
        for table, over, why in _classes(clock(), longest):
            while True:
                with sessions.begin() as session:
                    lock = func.pg_advisory_xact_lock(func.hashtext(f"save {platform}"))
                    session.execute(select(lock))
                    old = select(table.uri).where(table.platform == platform, over)
                    uris = session.scalars(old.limit(CHUNK)).all()
                    purger.posts(session, platform, dict.fromkeys(uris, why), clock())
                retired += len(uris)
                if len(uris) < CHUNK:
                    break
    with sessions.begin() as session:
        _clear_aside(session, intake, clock())
        before = clock() - AGGREGATES
        session.execute(delete(HourlyCount).where(HourlyCount.hour < before))
        session.execute(delete(AreaCount).where(AreaCount.hour < before))
        session.execute(delete(SourceHour).where(SourceHour.hour < before))
        forget_old(session, clock())
    return retired


def _platforms(session: Session, intake: Intake) -> list[str]:
    """The platforms that have a policy, and those that posts are kept of without one: none may."""
    declared = [policy.platform for policy in intake.policies]
    others = [
        select(table.platform).where(table.platform.not_in(declared))
        for table in (Post, HiddenPost)
    ]
    return [*declared, *sorted(session.scalars(union(*others)))]


def _clear_aside(session: Session, intake: Intake, now: datetime) -> None:
    """Forget what is held beside the posts for a while: what passes, and what could not be read.

    Saving a batch does so too, but when nothing is read any more, their time is over all the same.
    """
    _forget(session, PassingPost, PassingPost.collected_at < now - PASSING_TIME)
    for kind in session.scalars(select(Source.kind).distinct()).all():
        longest = min(KEEP_REJECTS, intake.policies[PLATFORM_OF.get(kind, kind)].keep)
        theirs = RejectedItem.source_id.in_(select(Source.id).where(Source.kind == kind))
        _forget(session, RejectedItem, theirs & (RejectedItem.at < now - longest))


def _forget(
    session: Session, table: type[PassingPost] | type[RejectedItem], old: ColumnElement[bool]
) -> None:
    # Whoever saves a batch may be at the same rows: neither waits for the other.
    held = select(table.id).where(old).with_for_update(skip_locked=True)
    session.execute(delete(table).where(table.id.in_(held)))


def _classes(
    now: datetime, longest: timedelta
) -> Iterator[tuple[type[Post] | type[HiddenPost], ColumnElement[bool], str]]:
    """The classes of posts whose time is over, and what the proof says of each."""
    for table in (Post, HiddenPost):
        yield table, table.collected_at < now - longest, f"kept for {_words(longest)}"
    quiet = select(Reading.post_id).where(Reading.level <= QUIET_LEVEL)
    over = Post.collected_at < now - min(QUIET, longest)
    yield Post, over & Post.id.in_(quiet), f"nothing of concern, kept for {_words(QUIET)}"


def _words(length: timedelta) -> str:
    hours = round(length / timedelta(hours=1))
    return f"{hours} hours" if hours <= 48 else f"{hours // 24} days"
