"""What the tests of this room share: sources on the register and a short way to read one."""

from collections.abc import Callable, Sequence
from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from sources import bluesky, example, feeds, reddit
from sources.collect import Intake, collect
from sources.collector import Collector
from sources.matching import Rule
from sources.models import Post, Source
from sources.policy import Policies
from sources.purge import Purger
from sources.register import add_source
from sources.watches import Watches, save_watch

KEY = b"a key that only the tests know"

AddSource = Callable[..., Source]
Collect = Callable[..., int]
Watch = Callable[..., int]
Posts = Callable[[], Sequence[Post]]


@pytest.fixture
def source_of(sessions: sessionmaker[Session], now: datetime) -> AddSource:
    """Registers and commits a source of a kind."""

    def add(kind: str = "feed", address: str = "https://news.example/feed") -> Source:
        with sessions.begin() as session:
            return add_source(session, kind, address, "", now)

    return add


def make_intake() -> Intake:
    """What every source is read with; no text alarms, and nobody minds a post's leaving."""
    policies = [bluesky.POLICY, feeds.POLICY, example.POLICY, reddit.policy("an approval")]
    return Intake(
        purger=Purger(KEY, leaving=lambda session, ids: set()),
        policies=Policies(policies),
        watches=Watches(),
        alarming=lambda text: False,
    )


@pytest.fixture
def intake() -> Intake:
    return make_intake()


@pytest.fixture
def watch(sessions: sessionmaker[Session], now: datetime) -> Watch:
    """Makes and commits a watch; answers its id."""

    def make(rule: Rule, name: str = "A watch") -> int:
        with sessions.begin() as session:
            return save_watch(session, None, name, rule, None, now).id

    return make


@pytest.fixture
def everything(watch: Watch) -> int:
    """A watch that asks for everything."""
    return watch(Rule(everything=True), "Everything")


@pytest.fixture
def collect_now(
    sessions: sessionmaker[Session], intake: Intake, everything: int, now: datetime
) -> Collect:
    """Runs the driver at the tests' moment until ``stop``, or until the collector has no more."""

    def run(source: Source, collector: Collector, stop: Callable[[], bool] = lambda: False) -> int:
        return collect(sessions, source.id, collector, intake=intake, clock=lambda: now, stop=stop)

    return run


@pytest.fixture
def posts(sessions: sessionmaker[Session]) -> Posts:
    """All stored posts, in the order of their storing."""

    def read() -> Sequence[Post]:
        with sessions() as session:
            return session.scalars(select(Post).order_by(Post.id)).all()

    return read
