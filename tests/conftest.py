"""Real parts every test may stand on: a PostgreSQL of its own, migrated, empty each time."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

import desk.models  # noqa: F401
from desk.database import migrate, start_embedded, wait_until_up
from sources.db import Base, make_engine, make_sessions

pytest_plugins = ["tests.pds.server"]

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # a Monday afternoon


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """An embedded PostgreSQL of this test run."""
    with tempfile.TemporaryDirectory(prefix="breakwater-test-") as folder:
        Path(folder).chmod(0o755)
        yield start_embedded(Path(folder) / "pg")


@pytest.fixture(scope="session")
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    wait_until_up(engine)
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> Iterator[sessionmaker[Session]]:
    """A session factory on empty tables. Use it where several sessions or processes take part."""
    yield make_sessions(engine)
    tables = [table.name for table in Base.metadata.sorted_tables]
    with engine.begin() as connection:
        names = ", ".join([*tables, "procrastinate_jobs", "procrastinate_periodic_defers"])
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    with sessions() as session:
        yield session


@pytest.fixture
def now() -> datetime:
    return NOW
