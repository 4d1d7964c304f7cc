"""Real parts every test may stand on: a PostgreSQL of its own, migrated, empty each time."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

import desk.models  # noqa: F401
from desk.database import migrate, start_embedded, wait_until_up
from sources.db import Base, make_engine, make_sessions

pytest_plugins = ["tests.pds.server", "tests.pds.jetstream"]

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # a Monday afternoon

BROWSER_FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


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
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine: Engine) -> Iterator[sessionmaker[Session]]:
    """A session factory on empty tables. Use it where several sessions or processes take part."""
    yield make_sessions(engine)
    # Seven times faster than TRUNCATE, which makes new files for each of sixty small tables.
    tables = [table.name for table in reversed(Base.metadata.sorted_tables)]
    tables = ["procrastinate_periodic_defers", "procrastinate_jobs", *tables]
    with engine.begin() as connection:
        connection.execute(text("; ".join(f"DELETE FROM {name}" for name in tables)))
        connection.execute(
            text(
                "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value,"
                " false) FROM pg_sequences WHERE last_value IS NOT NULL"
            )
        )


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Iterator[Session]:
    with sessions() as session:
        yield session


@pytest.fixture
def now() -> datetime:
    return NOW
