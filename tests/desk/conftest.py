"""A real desk on loopback, its standing cast, and a browser."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI
from jinja2 import FileSystemBytecodeCache
from playwright.sync_api import Browser, BrowserContext
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from campaigns import voices
from campaigns.campaigns import open_campaign
from campaigns.drafting.messages import start_message
from desk import people
from desk.app import create_app, furnish
from desk.models import Person
from desk.security import COOKIE
from desk.serving import Server
from desk.settings import Settings
from desk.wiring import Wiring, wire
from tests.campaigns.cast import fill_plan, make_narrative

PASSWORD = "the tide comes in and goes out again"


@pytest.fixture
def wiring(
    database_url: str, engine: Engine, sessions: sessionmaker[Session], tmp_path: Path
) -> Iterator[Wiring]:
    settings = Settings(data_dir=tmp_path, feeds=(), jetstream_url=None, time_zone="UTC")
    wiring = wire(settings, database_url)
    yield wiring
    wiring.engine.dispose()


@dataclass
class Cast:
    """The standing cast: one person of each role, all with the same password."""

    monitor: Person
    comms: Person
    leader: Person
    admin: Person
    other_leader: Person
    duty_lead: Person


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Argon2 is slow on purpose: once is enough."""
    return PasswordHasher().hash(PASSWORD)


@pytest.fixture
def cast(wiring: Wiring, password_hash: str) -> Cast:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        rows = [
            people.add_person(session, name, f"{name.lower()}@desk.example", [role], None, now)
            for name, role in (
                ("Maya", "monitor"),
                ("Jonah", "comms"),
                ("Ruth", "leader"),
                ("Ada", "admin"),
                ("Luis", "leader"),
                ("Dana", "duty lead"),
            )
        ]
        for person in rows:
            person.password_hash = password_hash
    return Cast(*rows)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Where templates that one test has compiled wait for the next."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("compiled")))


@contextmanager
def served(wiring: Wiring, compiled: FileSystemBytecodeCache, port: int = 0) -> Iterator[str]:
    """The address of the desk, served by uvicorn on loopback; ``port`` 0: any that is free."""
    app = create_app(wiring)
    app.state.templates.env.bytecode_cache = compiled
    with Serving(app, port) as serving:
        yield serving.address


class Serving:
    """An application, served in a thread of this process from beginning to end of the context."""

    def __init__(self, app: FastAPI, port: int = 0) -> None:
        self.app = app
        self._listener = socket.create_server(("127.0.0.1", port))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._server = Server(uvicorn.Config(app, log_level="warning"), self._listening)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._listener]}
        )
        self._loop: asyncio.AbstractEventLoop | None = None

    def _listening(self) -> None:
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> "Serving":
        self._thread.start()
        while self._loop is None:
            time.sleep(0.02)
        return self

    def __exit__(self, *fault: object) -> None:
        self._server.should_exit = True
        self._thread.join()

    def end_streams(self) -> None:
        """Return when nothing of what was asked for is being answered any more."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self.app.state.bell.close)
        while self._server.server_state.tasks:
            time.sleep(0.005)


@pytest.fixture(scope="session")
def standing(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One desk for all tests of a process: to set one up takes half a second."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("desk"), feeds=(), jetstream_url=None)
    with Serving(create_app(wire(settings, database_url))) as serving:
        yield serving


@pytest.fixture
def desk_url(standing: Serving, wiring: Wiring, compiled: FileSystemBytecodeCache) -> Iterator[str]:
    """The address of the desk, with this test's own wiring."""
    furnish(standing.app, wiring)
    standing.app.state.templates.env.bytecode_cache = compiled
    yield standing.address
    standing.end_streams()


@pytest.fixture
def message(wiring: Wiring, cast: Cast) -> int:
    """A message without words: a confirmed narrative, a voice that consented, a dry-run account."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        narrative = make_narrative(session, now, "confirmed")
        campaign = open_campaign(
            session,
            narrative,
            audience="Parents",
            goal="Stay home tonight",
            strategy="norm",
            by=cast.comms.id,
            now=now,
        )
        voice = voices.add_voice(
            session, name="Ruth", role="Pastor", leader_id=cast.leader.id, by=1, now=now
        )
        voices.record_consent(
            session,
            voice,
            scope="Calming messages",
            platforms=["dry_run"],
            evidence="Signed form",
            valid_from=now - timedelta(days=1),
            valid_until=now + timedelta(days=30),
            by=1,
            now=now,
        )
        voices.connect_account(
            session,
            voice,
            platform="dry_run",
            handle="ruth",
            service="",
            secret=None,
            vault=wiring.vault,
            by=1,
            now=now,
        )
        fill_plan(session, campaign, voice, now)
        return start_message(session, campaign, voice, by=cast.comms.id, now=now).id


Client = Callable[[Person | None], httpx.Client]


@pytest.fixture
def client(desk_url: str, wiring: Wiring) -> Iterator[Client]:
    """``client(person)``: an HTTP client signed in as that person, as a same-origin page would."""
    opened: list[httpx.Client] = []

    def signed_in(person: Person | None) -> httpx.Client:
        one = httpx.Client(
            base_url=desk_url,
            headers={"sec-fetch-site": "same-origin"},
            timeout=30,  # the first page that names a place reads all places
        )
        opened.append(one)
        if person is not None:
            one.cookies.set(COOKIE, token_for(wiring, person))
        return one

    yield signed_in
    for one in opened:
        one.close()


@pytest.fixture
def browsing(
    browser: Browser, desk_url: str, wiring: Wiring
) -> Iterator[Callable[..., BrowserContext]]:
    """``browsing(person, width=1280)``: a browser of one's own, signed in as that person."""
    contexts: list[BrowserContext] = []

    def signed_in(person: Person, width: int = 1280, height: int = 900) -> BrowserContext:
        context = browser.new_context(
            base_url=desk_url, viewport={"width": width, "height": height}
        )
        context.add_cookies([{"name": COOKIE, "value": token_for(wiring, person), "url": desk_url}])
        contexts.append(context)
        return context

    yield signed_in
    for context in contexts:
        context.close()


def token_for(wiring: Wiring, person: Person) -> str:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        return people.use_link(session, people.new_link(session, person, None, now), now)[1]
