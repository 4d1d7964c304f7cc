"""What we hold goes when its time is over, class by class, and a proof of each post stays."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from monitor import retention
from monitor.models import (
    AreaCount,
    CopyBand,
    Departure,
    HourlyCount,
    Meaning,
    Narrative,
    Reading,
)
from monitor.narratives.counters import find_by_meaning
from monitor.narratives.narratives import hour_of, note_departure
from monitor.retention import retire
from sources import bluesky, example, feeds, reddit
from sources.collect import Intake
from sources.models import (
    Erasure,
    HiddenPost,
    PassingPost,
    Post,
    RejectedItem,
    Source,
    SourceHour,
)
from sources.policy import Policies
from sources.pseudonyms import erased_name
from sources.purge import Purger
from tests.sources.conftest import KEY, make_intake

DAY, HOUR, MOMENT = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)


def _intake(reddit_keep: timedelta = reddit.KEEP) -> Intake:
    policies = [bluesky.POLICY, feeds.POLICY, example.POLICY, reddit.policy("RBP-1", reddit_keep)]
    return replace(make_intake(), purger=Purger(KEY, note_departure), policies=Policies(policies))


@pytest.fixture
def source(sessions: sessionmaker[Session], now: datetime) -> Source:
    with sessions.begin() as session:
        source = Source(kind="feed", address="a", name="A", created_at=now)
        session.add(source)
    return source


Keep = Callable[..., None]


@pytest.fixture
def keep(sessions: sessionmaker[Session], source: Source, now: datetime) -> Keep:
    """A post collected so long ago, read as ``level`` if at all, or hidden."""

    def add(
        uri: str,
        age: timedelta,
        level: int | None = None,
        platform: str = "web",
        hidden: bool = False,
        narrative: Narrative | None = None,
    ) -> None:
        shared = {"source_id": source.id, "platform": platform, "uri": uri, "author": "a"}
        shared |= {"text": f"words of {uri}", "posted_at": now - age, "collected_at": now - age}
        with sessions.begin() as session:
            if hidden:
                session.add(HiddenPost(**shared, watches=[], reason="away", hidden_at=now - age))
                return
            post = Post(**shared)
            session.add(post)
            session.flush()
            if level is None:
                return
            session.add(
                Reading(
                    post_id=post.id,
                    embedding=np.ones(4, np.float32),
                    embedder="test",
                    level=level,
                    threat_level="none",
                    stance="asserts",
                    reasons=[],
                    scorer="test",
                    narrative_id=narrative and narrative.id,
                    hour=hour_of(now - age),
                    read_at=now - age,
                )
            )

    return add


def _left(sessions: sessionmaker[Session]) -> set[str]:
    with sessions() as session:
        return {*session.scalars(select(Post.uri)), *session.scalars(select(HiddenPost.uri))}


def _reasons(sessions: sessionmaker[Session]) -> dict[str, str]:
    with sessions() as session:
        return dict(session.execute(select(Erasure.uri_sha256, Erasure.reason)).all())


@pytest.mark.parametrize(
    ("post", "longest", "why"),
    [
        ({"level": 4}, 30 * DAY, "kept for 30 days"),
        ({"level": 2}, 30 * DAY, "kept for 30 days"),  # D2 for all that the machine knows
        ({"level": None}, 30 * DAY, "kept for 30 days"),  # not read yet: of no class
        ({"hidden": True}, 30 * DAY, "kept for 30 days"),
        ({"level": 1}, 7 * DAY, "nothing of concern, kept for 7 days"),
        ({"level": 0}, 7 * DAY, "nothing of concern, kept for 7 days"),
        ({"level": 0, "platform": "bluesky"}, 7 * DAY, "nothing of concern, kept for 7 days"),
        ({"level": 4, "platform": "bluesky"}, 30 * DAY, "kept for 30 days"),
        ({"level": 4, "platform": "reddit"}, 48 * HOUR, "kept for 48 hours"),
        ({"level": 0, "platform": "reddit"}, 48 * HOUR, "kept for 48 hours"),
        ({"level": None, "platform": "reddit"}, 48 * HOUR, "kept for 48 hours"),
        ({"hidden": True, "platform": "reddit"}, 48 * HOUR, "kept for 48 hours"),
    ],
)
def test_each_class_has_its_time(
    sessions: sessionmaker[Session],
    keep: Keep,
    now: datetime,
    post: dict[str, object],
    longest: timedelta,
    why: str,
) -> None:
    keep("young", longest, **post)
    keep("old", longest + MOMENT, **post)
    assert retire(sessions, _intake(), lambda: now) == 1
    assert _left(sessions) == {"young"}
    platform = str(post.get("platform", "web"))
    with sessions() as session:
        (proof,) = session.scalars(select(Erasure)).all()
        assert proof.uri_sha256 == erased_name(KEY, platform, "old")
        assert (proof.reason, proof.by, proof.at) == (why, None, now)
    assert retire(sessions, _intake(), lambda: now) == 0


@pytest.mark.parametrize(
    ("allowed", "longest"), [(10 * DAY, 10 * DAY), (400 * DAY, 30 * DAY), (5 * HOUR, 5 * HOUR)]
)
def test_a_platform_s_own_time_counts_where_it_is_shorter_than_ours(
    sessions: sessionmaker[Session],
    keep: Keep,
    now: datetime,
    allowed: timedelta,
    longest: timedelta,
) -> None:
    for level in (0, 4):
        keep(f"young {level}", longest, level, "reddit")
        keep(f"old {level}", longest + MOMENT, level, "reddit")
    retire(sessions, _intake(allowed), lambda: now)
    quiet = set() if longest > retention.QUIET else {"young 0"}
    assert _left(sessions) == {"young 4"} | quiet


def test_of_a_platform_without_a_policy_nothing_is_kept(
    sessions: sessionmaker[Session], keep: Keep, now: datetime
) -> None:
    """An adapter that was taken out must not leave its posts behind for good."""
    keep("a", MOMENT, 4, "friendster")
    keep("b", HOUR, platform="orkut", hidden=True)
    keep("c", HOUR, 4)
    assert retire(sessions, _intake(), lambda: now) == 2
    assert _left(sessions) == {"c"}
    assert set(_reasons(sessions).values()) == {"kept for 0 hours"}


def test_a_post_goes_with_its_reading_and_what_was_made_of_many_stays(
    sessions: sessionmaker[Session], keep: Keep, now: datetime
) -> None:
    """A title is a few words that several posts share: retiring one takes nothing back."""
    with sessions.begin() as session:
        narrative = Narrative(
            title="Ferry · timetable",
            centroid=np.ones(4, np.float32),
            embedder="test",
            size=1,
            first_post_at=now,
            last_post_at=now,
            created_at=now,
        )
        session.add(narrative)
        session.flush()
        counts = dict.fromkeys(("posts", "authors", "dangerous_posts", "dangerous_authors"), 1)
        session.add(HourlyCount(narrative_id=narrative.id, hour=now - 31 * DAY, **counts))
    keep("old", 31 * DAY, 4, narrative=narrative)
    with sessions.begin() as session:
        post_id = session.scalars(select(Post.id)).one()
        band = CopyBand(band=1, post_id=post_id, group_id=post_id, read_at=now)
        session.add(band)
        find_by_meaning(session, [post_id])
    assert retire(sessions, _intake(), lambda: now) == 1
    with sessions() as session:
        assert session.scalars(select(Reading)).all() == []
        assert session.scalars(select(CopyBand)).all() == []
        assert session.scalars(select(Meaning)).all() == []
        assert session.scalars(select(Departure)).all() == []
        kept = session.scalars(select(Narrative)).one()
        assert (kept.title, kept.size) == ("Ferry · timetable", 1)
        assert session.scalars(select(HourlyCount.posts)).one() == 1


def test_counts_by_the_hour_are_kept_for_24_months(
    sessions: sessionmaker[Session], source: Source, now: datetime
) -> None:
    hour = now.replace(minute=0)
    ages = (730 * DAY, 730 * DAY + HOUR, 3 * HOUR)
    with sessions.begin() as session:
        narrative = Narrative(
            title="A",
            centroid=np.ones(4, np.float32),
            embedder="test",
            size=1,
            first_post_at=now,
            last_post_at=now,
            created_at=now,
        )
        session.add(narrative)
        session.flush()
        counts = dict.fromkeys(("posts", "authors", "dangerous_posts", "dangerous_authors"), 1)
        for age in ages:
            session.add(HourlyCount(narrative_id=narrative.id, hour=hour - age, **counts))
            session.add(SourceHour(source_id=source.id, hour=hour - age, seen=1, kept=1))
            county = AreaCount(kind="place", key="26163", hour=hour - age, authors=1)
            county.dangerous_authors = county.alarming_authors = 1
            session.add(county)
    assert retire(sessions, _intake(), lambda: now) == 0
    with sessions() as session:
        for table in (HourlyCount, SourceHour, AreaCount):
            left = sorted(hour - at for at in session.scalars(select(table.hour)))
            assert left == [3 * HOUR, 730 * DAY]


def test_what_lies_beside_the_posts_goes_too_when_nothing_is_read_any_more(
    sessions: sessionmaker[Session], source: Source, now: datetime
) -> None:
    """What passes for an hour, what could not be read for a week, and of Reddit for 48 hours."""
    with sessions.begin() as session:
        subreddit = Source(kind="reddit", address="news", name="r/news", created_at=now)
        session.add(subreddit)
        session.flush()
        for age in (HOUR, HOUR + MOMENT):
            said = {"text": "hello", "collected_at": now - age}
            session.add(PassingPost(source_id=source.id, platform="web", uri=f"{age}", **said))
        for where, ages in ((source, (7 * DAY, 7 * DAY + MOMENT)), (subreddit, (2 * DAY, 3 * DAY))):
            for age in ages:
                broken = {"reason": "", "raw": b"?", "at": now - age}
                session.add(RejectedItem(source_id=where.id, **broken))
    retire(sessions, _intake(), lambda: now)
    with sessions() as session:
        assert session.scalars(select(PassingPost.uri)).all() == [f"{HOUR}"]
        left = select(Source.kind, RejectedItem.at).join(RejectedItem)
        assert {kind: now - at for kind, at in session.execute(left)} == {
            "feed": 7 * DAY,
            "reddit": 2 * DAY,
        }


def test_it_goes_chunk_by_chunk_and_one_that_broke_off_is_taken_up_again(
    sessions: sessionmaker[Session], keep: Keep, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)
    for number in range(5):
        keep(f"old {number}", 31 * DAY, 4)
    keep("young", DAY, 4)
    left: list[int] = []

    def clock() -> datetime:
        left.append(len(_left(sessions)))
        if len(left) > 1 and left[-1] == 2:
            raise KeyboardInterrupt
        return now

    with pytest.raises(KeyboardInterrupt):
        retire(sessions, _intake(), clock)
    assert len(_left(sessions)) == 2
    assert retire(sessions, _intake(), lambda: now) == 1
    assert _left(sessions) == {"young"}
    assert len(_reasons(sessions)) == 5


def test_two_that_retire_at_once_leave_one_proof_each(
    sessions: sessionmaker[Session], keep: Keep, now: datetime
) -> None:
    for number in range(20):
        keep(f"old {number}", 31 * DAY, 0)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: retire(sessions, _intake(), lambda: now), range(2)))
    assert sorted(both) == [0, 20]
    with sessions() as session:
        assert len(session.scalars(select(Erasure)).all()) == 20
