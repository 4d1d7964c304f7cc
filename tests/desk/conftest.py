"""A real desk on loopback, its standing cast, and a browser."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from argon2 import PasswordHasher
from playwright.sync_api import Browser, BrowserContext
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from campaigns import voices
from campaigns.campaigns import open_campaign
from campaigns.messages import start_message
from desk import people
from desk.app import create_app
from desk.models import Person
from desk.security import COOKIE
from desk.settings import Settings
from desk.wiring import Wiring, wire
from tests.campaigns.cast import make_narrative

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


@pytest.fixture
def desk_url(wiring: Wiring) -> Iterator[str]:
    """The desk served by uvicorn on a free port of loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(wiring), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()


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
