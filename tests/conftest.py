"""Real parts every test may stand on: a PostgreSQL of its own, migrated, empty each time."""

import itertools
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

import desk.models  # noqa: F401
from desk.database import migrate, start_embedded, wait_until_up
from sources.db import Base, make_engine, make_sessions

pytest_plugins = ["tests.pds.server", "tests.pds.jetstream"]

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # a Monday afternoon

PATIENCE = 30_000  # ms for what a page is expected to show: three browsers share two cores

_emptied = itertools.count(1)

BROWSER_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


# Files that take minutes, however few their tests, most by waiting for processes: first, so
# that no process is left alone with them at the end.
SLOW_FILES = (
    *("test_journey", "test_worker", "test_faults", "test_streams", "test_retrain"),
    *("test_pages", "test_outgoing"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in SLOW_FILES)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("BREAKWATER_TEST_NO_SKIPS") and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("Tests were skipped, and here none may be.", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where every part must be there (.ci/run), a skipped test is a failed run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped") if reporter else None
    if os.environ.get("BREAKWATER_TEST_NO_SKIPS") and skipped and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the system's Chromium; the tests of pages are skipped without one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    for path in (*map(shutil.which, names), os.environ.get("BREAKWATER_TEST_CHROMIUM")):
        if path:
            return path
    pytest.skip(
        "Chromium is missing. Debian: sudo apt-get install chromium; macOS: brew install "
        "--cask chromium, then set BREAKWATER_TEST_CHROMIUM to its path."
    )


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(BROWSER_FLAGS))
        yield browser
        browser.close()


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
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # No test cuts the power: what a process writes survives its own end, and the server's.
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        # Who vacuums an emptied table notes that its pages hold no rows. Later plans are then made
        # for one row, and a test that tells 700 posts takes five minutes.
        connection.execute(text("ALTER SYSTEM SET autovacuum = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    migrate(engine)
    tables = [table.name for table in reversed(Base.metadata.sorted_tables)]
    tables = ["procrastinate_periodic_defers", "procrastinate_jobs", *tables]
    deletes = "; ".join(f"DELETE FROM {name}" for name in tables)
    with engine.begin() as connection:
        connection.execute(text(EMPTY.format("empty_tables", deletes)))
        connection.execute(
            text(EMPTY.format("renew_tables", f"TRUNCATE {', '.join(tables)} CASCADE"))
        )
    yield engine
    engine.dispose()


# A function's statements are planned once, where a hundred DELETEs would be planned after each
# test. TRUNCATE takes seven times as long: it makes new files for each small table. What is deleted
# stays in the way, though, so every so many tests the tables are made anew.
RENEWED = 40
EMPTY = """
CREATE FUNCTION {}() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  {};
  PERFORM setval(format('%I.%I', schemaname, sequencename)\\:\\:regclass, start_value, false)
  FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""


@pytest.fixture
def sessions(engine: Engine) -> Iterator[sessionmaker[Session]]:
    """A session factory on empty tables. Use it where several sessions or processes take part."""
    yield make_sessions(engine)
    verb = "empty_tables" if next(_emptied) % RENEWED else "renew_tables"
    with engine.begin() as connection:
        connection.execute(text(f"SELECT {verb}()"))


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    with sessions() as session:
        yield session


@pytest.fixture
def fresh_index(engine: Engine) -> None:
    """For tests of search by meaning: an index of vectors without what earlier tests deleted.

    Theirs differ in a single sign where true ones differ in half: no way leads out of a thousand.
    """
    with engine.begin() as connection:
        connection.execute(text("REINDEX INDEX ix_meanings_signs"))


@pytest.fixture
def now() -> datetime:
    return NOW
