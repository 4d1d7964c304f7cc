"""Silent removals: what a platform no longer has is found, whatever else goes wrong meanwhile."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from sources.collect import Intake
from sources.collector import Checker, Removal, SourceFaultError
from sources.models import Erasure, HiddenPost, Post
from sources.policy import Policies
from sources.pseudonyms import erased_name
from sources.recheck import overdue, recheck_due
from tests.sources.conftest import KEY, AddSource, make_intake

DAY = timedelta(days=1)  # after which Bluesky and Reddit want to be asked again


class Shelf:
    """A platform's word on its own posts: it knows those named, until it breaks."""

    size = 2

    def __init__(self, *there: str, breaks: Exception | None = None, after: int = 0) -> None:
        self.there = set(there)
        self.breaks = breaks
        self.after = after
        self.asked: list[list[str]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def gone(self, uris: Sequence[str]) -> Sequence[Removal]:
        assert len(uris) <= self.size
        if self.breaks is not None and len(self.asked) == self.after:
            raise self.breaks
        self.asked.append(list(uris))
        self.meanwhile()
        return [Removal("post", uri, "no longer there") for uri in uris if uri not in self.there]


Store = Callable[..., None]


@pytest.fixture
def store(sessions: sessionmaker[Session], source_of: AddSource, now: datetime) -> Store:
    """Posts of a platform that were last known to be there so many hours ago."""
    source = source_of("example", "town")

    def add(platform: str = "bluesky", **hours_ago: float) -> None:
        with sessions.begin() as session:
            for uri, hours in hours_ago.items():
                post = Post(source_id=source.id, platform=platform, uri=uri, author="a", text="")
                post.posted_at = post.collected_at = now - 3 * DAY
                post.checked_at = now - timedelta(hours=hours)
                session.add(post)

    return add


Recheck = Callable[..., int]


@pytest.fixture
def recheck(sessions: sessionmaker[Session], intake: Intake, now: datetime) -> Recheck:
    """Asks at the tests' moment, of all that is due, until ``stop``."""

    def run(stop: Callable[[], bool] = lambda: False, **checkers: Checker) -> int:
        makers = {name: lambda checker=checker: checker for name, checker in checkers.items()}
        return recheck_due(sessions, makers, intake, lambda: now, stop)

    return run


def _left(sessions: sessionmaker[Session], now: datetime) -> dict[str, float]:
    """Uris of the posts that are left, and how many hours ago they were known to be there."""
    with sessions() as session:
        posts = session.scalars(select(Post))
        return {post.uri: (now - post.checked_at) / timedelta(hours=1) for post in posts}


def test_silent_deletions_are_found_the_longest_unchecked_first(
    sessions: sessionmaker[Session], store: Store, recheck: Recheck, now: datetime
) -> None:
    store(a=25, b=90, c=48, d=24.5, e=30, fresh=24, new=1)
    shelf = Shelf("a", "c", "d")
    assert recheck(bluesky=shelf) == 2
    assert shelf.asked == [["b", "c"], ["e", "a"], ["d"]]
    assert _left(sessions, now) == {"a": 0, "c": 0, "d": 0, "fresh": 24, "new": 1}
    with sessions() as session:
        proofs = session.scalars(select(Erasure)).all()
        assert {proof.uri_sha256 for proof in proofs} == {
            erased_name(KEY, "bluesky", uri) for uri in "be"
        }
        assert {(proof.reason, proof.by, proof.at) for proof in proofs} == {
            ("no longer there", None, now)
        }
    assert recheck(bluesky=shelf) == 0  # nothing is due: nobody is asked
    assert len(shelf.asked) == 3


def test_each_answer_is_committed_and_no_session_is_open_while_we_ask(
    engine: Engine,
    sessions: sessionmaker[Session],
    store: Store,
    recheck: Recheck,
    now: datetime,
) -> None:
    store(a=96, b=90, c=84, d=72, e=60)
    shelf = Shelf("a", "c", "e", breaks=SourceFaultError("It does not answer."), after=2)
    seen: list[int] = []

    def look() -> None:
        seen.append(len(_left(sessions, now)))
        assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]

    shelf.meanwhile = look
    assert recheck(bluesky=shelf) == 2
    assert seen == [5, 4]
    assert _left(sessions, now) == {"a": 0, "c": 0, "e": 60}


@pytest.mark.parametrize(
    "fault", [SourceFaultError("It does not answer."), KeyError("posts")], ids=["fault", "surprise"]
)
@pytest.mark.parametrize("when", ["asked", "made"])
def test_a_platform_that_cannot_be_asked_loses_nothing_and_the_others_are_asked(
    sessions: sessionmaker[Session],
    intake: Intake,
    store: Store,
    now: datetime,
    fault: Exception,
    when: str,
) -> None:
    store("bluesky", a=25, b=25)
    store("reddit", c=25, d=25)
    broken, whole = Shelf(breaks=fault), Shelf("c")

    def make() -> Checker:
        if when == "made":  # Reddit without an approval, say
            raise fault
        return broken

    def run() -> int:
        makers = {"bluesky": make, "reddit": lambda: whole}
        return recheck_due(sessions, makers, intake, lambda: now, lambda: False)

    assert run() == 1
    assert _left(sessions, now) == {"a": 25, "b": 25, "c": 0}
    when, broken.breaks = "asked", None
    assert run() == 2  # asked again at the next call
    assert broken.asked == [["a", "b"]]


def test_only_platforms_that_want_it_are_asked(
    sessions: sessionmaker[Session], store: Store, recheck: Recheck, now: datetime
) -> None:
    for platform in ("web", "example", "unheard of"):
        store(platform, **{platform: 500})
    shelf = Shelf()
    assert recheck(web=shelf, example=shelf, **{"unheard of": shelf}, reddit=shelf) == 0
    assert shelf.asked == []
    assert len(_left(sessions, now)) == 3


def test_no_checker_is_made_where_nothing_is_due(
    sessions: sessionmaker[Session], intake: Intake, store: Store, now: datetime
) -> None:
    """On a desk without Reddit there is no client to make, and no warning each minute."""
    store("bluesky", a=24)

    def make() -> Checker:
        raise AssertionError("made in vain")

    assert recheck_due(sessions, {"bluesky": make}, intake, lambda: now, lambda: False) == 0


def test_posts_of_one_platform_answer_for_no_other(
    sessions: sessionmaker[Session], store: Store, recheck: Recheck, now: datetime
) -> None:
    store("bluesky", same=25)
    store("reddit", same=30)
    assert recheck(bluesky=Shelf()) == 1
    assert _left(sessions, now) == {"same": 30}


def test_it_stops_between_two_questions(
    sessions: sessionmaker[Session], store: Store, recheck: Recheck, now: datetime
) -> None:
    store(a=90, b=80, c=70, d=60, e=50)
    answers = iter([False, True])
    assert recheck(bluesky=Shelf(), stop=lambda: next(answers)) == 2
    assert set(_left(sessions, now)) == {"c", "d", "e"}
    assert recheck(bluesky=Shelf(), stop=lambda: True) == 0


def test_what_is_removed_while_we_ask_is_removed_once(
    sessions: sessionmaker[Session], intake: Intake, store: Store, recheck: Recheck, now: datetime
) -> None:
    store(a=25, b=25)
    shelf = Shelf()

    def stream_tells() -> None:
        with sessions.begin() as session:
            intake.purger.posts(session, "bluesky", {"a": "deleted by its author"}, now)

    shelf.meanwhile = stream_tells
    assert recheck(bluesky=shelf) == 1
    with sessions() as session:
        reasons = session.scalars(select(Erasure.reason).order_by(Erasure.reason)).all()
    assert reasons == ["deleted by its author", "no longer there"]


def test_hidden_posts_are_not_asked_for(
    sessions: sessionmaker[Session], intake: Intake, store: Store, recheck: Recheck, now: datetime
) -> None:
    """The platform would say that they are gone, and they could not come back."""
    store(a=25, b=25)
    with sessions.begin() as session:
        intake.purger.hide_accounts(session, "bluesky", {"a": "account deactivated"}, now)
    shelf = Shelf()
    assert recheck(bluesky=shelf) == 1
    assert shelf.asked == [["b"]]
    with sessions() as session:
        assert session.scalars(select(HiddenPost.uri)).all() == ["a"]


def test_what_is_overdue_is_counted(session: Session, store: Store, now: datetime) -> None:
    store(a=25, b=24.01, c=24, d=1)
    store("reddit", e=99)
    assert overdue(session, "bluesky", DAY, now) == 2
    assert overdue(session, "bluesky", DAY, now + timedelta(hours=1)) == 3
    assert overdue(session, "reddit", DAY, now) == 1
    assert overdue(session, "web", DAY, now) == 0


def test_how_often_is_the_policy_s_to_say(
    sessions: sessionmaker[Session], store: Store, now: datetime
) -> None:
    intake = make_intake()
    hourly = replace(intake.policies["bluesky"], recheck=timedelta(hours=1))
    intake = replace(intake, policies=Policies([hourly]))
    store(a=1.5, b=0.5)
    shelf = Shelf()
    makers = {"bluesky": lambda: shelf}
    assert recheck_due(sessions, makers, intake, lambda: now, lambda: False) == 1
    assert shelf.asked == [["a"]]
