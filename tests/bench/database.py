"""A PostgreSQL of a benchmark's own, migrated and empty."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.orm import Session, sessionmaker

import desk.models  # noqa: F401
from desk.database import migrate, start_embedded, wait_until_up
from monitor.reading.cued import seems_alarming
from sources import bluesky, feeds
from sources.collect import Intake
from sources.db import make_engine, make_sessions
from sources.policy import Policies
from sources.purge import Purger
from sources.watches import Watches


@contextmanager
def own_database(kept: Path | None = None) -> Iterator[sessionmaker[Session]]:
    """Sessions on a server that is thrown away afterwards, or stays in the folder ``kept``."""
    with tempfile.TemporaryDirectory(prefix="breakwater-bench-") as passing:
        folder = kept or Path(passing)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        engine = make_engine(start_embedded(folder / "pg"))
        wait_until_up(engine)
        migrate(engine)
        yield make_sessions(engine)
        engine.dispose()


def intake() -> Intake:
    """What the desk reads every source with, but for narratives that lose posts."""
    return Intake(
        purger=Purger(b"a key of the bench", leaving=lambda session, ids: set()),
        policies=Policies([bluesky.POLICY, feeds.POLICY]),
        watches=Watches(),
        alarming=seems_alarming,
    )
