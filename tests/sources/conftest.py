"""What the tests of this room share: sources on the register and a short way to read one."""

from collections.abc import Callable, Sequence
from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from sources.collect import collect
from sources.collector import Collector
from sources.models import Post, Source
from sources.register import add_source

KEY = b"a key that only the tests know"

AddSource = Callable[..., Source]
Collect = Callable[..., int]
Posts = Callable[[], Sequence[Post]]


@pytest.fixture
def source_of(sessions: sessionmaker[Session], now: datetime) -> AddSource:
    """Registers and commits a source of a kind."""

    def add(kind: str = "feed", address: str = "https://news.example/feed") -> Source:
        with sessions.begin() as session:
            return add_source(session, kind, address, "", now)

    return add


@pytest.fixture
def collect_now(sessions: sessionmaker[Session], now: datetime) -> Collect:
    """Runs the driver at the tests' moment until ``stop``, or until the collector has no more."""

    def run(source: Source, collector: Collector, stop: Callable[[], bool] = lambda: False) -> int:
        return collect(
            sessions, source.id, collector, pseudonym_key=KEY, clock=lambda: now, stop=stop
        )

    return run


@pytest.fixture
def posts(sessions: sessionmaker[Session]) -> Posts:
    """All stored posts, in the order of their storing."""

    def read() -> Sequence[Post]:
        with sessions() as session:
            return session.scalars(select(Post).order_by(Post.id)).all()

    return read
