"""A leader signs in at their own server, on a phone, and the desk never sees a password."""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from jinja2 import FileSystemBytecodeCache
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from campaigns import voices
from campaigns.accounts.renewing import renew_due
from campaigns.models import Account, Grant, Voice
from campaigns.publishers.identities import Directory
from campaigns.publishers.oauth import OAuth
from desk.settings import Settings
from desk.wiring import Wiring, wire
from tests.conftest import free_port
from tests.desk.conftest import Cast, Client, served
from tests.pds.consent import Person
from tests.pds.server import Account as PdsAccount
from tests.pds.server import Pds

HANDLE = "leader.test"


@pytest.fixture
def public() -> bool:
    """Whether the desk is known by an https name, as the test's server knows it."""
    return False


@pytest.fixture
def wiring(
    database_url: str,
    engine: Engine,
    sessions: sessionmaker[Session],
    tmp_path: Path,
    pds: Pds,
    public: bool,
) -> Iterator[Wiring]:
    """A desk that may read this machine, on a port that it knows."""
    port = free_port()
    settings = Settings(
        data_dir=tmp_path,
        feeds=(),
        jetstream_url=None,
        time_zone="UTC",
        port=port,
        public_url=f"https://desk-{port}.town-desk.org" if public else None,
        bluesky_api=pds.url,
        private_addresses=True,
    )
    wiring = wire(settings, database_url)
    there = wiring.bluesky_oauth
    assert there is not None
    directory = Directory(there.line, pds.url, pds.plc_url)
    yield replace(wiring, bluesky_oauth=OAuth(there.client, there.line, directory))
    wiring.engine.dispose()


@pytest.fixture
def desk_url(wiring: Wiring, compiled: FileSystemBytecodeCache) -> Iterator[str]:
    with served(wiring, compiled, wiring.settings.port) as address:
        yield address


@pytest.fixture
def owner(pds: Pds) -> PdsAccount:
    return pds.create_account(HANDLE)


@pytest.fixture
def person(pds: Pds, owner: PdsAccount) -> Iterator[Person]:
    person = Person(pds, owner)
    yield person
    person.close()


@pytest.fixture
def voice(wiring: Wiring, cast: Cast) -> Voice:
    """Ruth's voice, which consented to Bluesky for a month."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        voice = voices.add_voice(
            session, name="Ruth", role="Pastor", leader_id=cast.leader.id, by=1, now=now
        )
        voices.record_consent(
            session,
            voice,
            scope="Calming messages",
            platforms=["bluesky"],
            evidence="Signed form",
            valid_from=now - timedelta(days=1),
            valid_until=now + timedelta(days=30),
            by=1,
            now=now,
        )
    return voice


def begin(one: httpx.Client, voice: Voice, handle: str = HANDLE) -> str:
    """Asks for it on the desk's page; answers where the person is sent."""
    answer = one.post(f"/voices/{voice.id}/bluesky", data={"handle": handle})
    assert answer.status_code == 200, answer.text
    (there,) = re.findall(r'href="(http[^"]*/oauth/authorize[?][^"]*)"', answer.text)
    return html.unescape(there)


def query(back: str) -> str:
    return f"/oauth/callback?{urlsplit(back).query}"


def test_a_leader_signs_in_on_a_phone(
    browsing: Callable[..., BrowserContext],
    wiring: Wiring,
    cast: Cast,
    voice: Voice,
    pds: Pds,
    owner: PdsAccount,
) -> None:
    """The whole way in a real browser, over the server's own pages."""
    page = browsing(cast.leader, width=390).new_page()
    page.goto(f"/voices/{voice.id}")
    page.get_by_label("Handle").first.fill(f"@{HANDLE}")
    page.get_by_role("button", name="Sign in at Bluesky").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Sign in at localhost")
    expect(page.get_by_text("write and delete posts")).to_be_visible()
    page.get_by_role("button", name="Go on to").click()
    page.wait_for_url(f"{pds.url}/oauth/authorize**")
    page.locator("input[type=password]").fill(owner.password)
    page.locator("button[type=submit]").click()
    page.get_by_role("button", name="Authorize").click()
    page.wait_for_url("**/voices/*")
    told = page.locator("#accounts + ul")
    expect(told).to_contain_text("signed in At localhost")
    expect(told).to_contain_text("write and delete posts")
    expect(page.get_by_text(f"Known there as {owner.did}")).to_be_visible()
    with wiring.sessions() as session:
        account = session.scalars(select(Account)).one()
    assert (account.handle, account.service, account.connected_by) == (
        HANDLE,
        pds.url,
        cast.leader.id,
    )
    page.get_by_text("Disconnect", exact=True).click()
    page.get_by_role("button", name="Disconnect @").click()
    expect(page.get_by_text("Not signed in any more")).to_be_visible()
    assert wiring.bluesky_oauth is not None
    renew_due(wiring.sessions, wiring.bluesky_oauth, wiring.vault, lambda: datetime.now(UTC))
    page.reload()
    expect(page.get_by_text("It was taken back at")).to_be_visible()


def test_the_answer_counts_once_and_in_the_session_that_asked(
    client: Client, wiring: Wiring, cast: Cast, voice: Voice, person: Person
) -> None:
    leader = client(cast.leader)
    back = query(person.decides(begin(leader, voice)))
    assert client(None).get(back).status_code == 303  # to where people sign in
    for other in (client(cast.leader), client(cast.admin)):  # not the session that asked
        assert other.get(back).status_code == 409
    with wiring.sessions() as session:
        assert session.scalars(select(Account)).all() == []
    assert leader.get(back).headers["location"] == f"/voices/{voice.id}#accounts"
    with wiring.sessions() as session:
        secret = session.scalars(select(Account.secret)).one()
    assert leader.get(back).status_code == 409
    with wiring.sessions() as session:
        assert session.scalars(select(Account.secret)).one() == secret
    page = leader.get(f"/voices/{voice.id}").text
    assert "Disconnect @leader.test" in page
    opened = wiring.vault.decrypt(secret or b"").decode()
    assert "access_token" not in page
    assert not any(part in page for part in opened.split('"') if len(part) > 40)


def test_what_is_refused_or_comes_from_elsewhere_connects_nothing(
    client: Client, wiring: Wiring, cast: Cast, voice: Voice, person: Person
) -> None:
    leader = client(cast.leader)
    answer = leader.get(query(person.decides(begin(leader, voice), yes=False)))
    assert answer.status_code == 422
    assert "It was refused at" in answer.text
    back = urlsplit(person.decides(begin(leader, voice)))
    said = {name: values[0] for name, values in parse_qs(back.query).items()}
    answer = leader.get("/oauth/callback", params=said | {"iss": "https://mallory.example"})
    assert answer.status_code == 422
    assert "Another server answered" in answer.text
    with wiring.sessions() as session:
        assert session.scalars(select(Account)).all() == []


def test_who_may_ask_and_for_whom(client: Client, cast: Cast, voice: Voice) -> None:
    for other in (cast.monitor, cast.other_leader):
        answer = client(other).post(f"/voices/{voice.id}/bluesky", data={"handle": HANDLE})
        assert answer.status_code == 403
        assert "Sign in at Bluesky" not in client(other).get(f"/voices/{voice.id}").text
    for typed, told in (("nobody-here.test", "Nobody is known"), ("ruth", "the whole handle")):
        answer = client(cast.comms).post(f"/voices/{voice.id}/bluesky", data={"handle": typed})
        assert answer.status_code == 422
        assert told in answer.text
        assert f'value="{typed}"' in answer.text
    answer = client(cast.leader).post(f"/voices/{voice.id}/accounts/1/disconnect")
    assert answer.status_code == 404


def test_on_this_machine_one_comes_back_by_the_name_one_left_by(
    client: Client, wiring: Wiring
) -> None:
    """Servers send people back to 127.0.0.1; they are signed in at localhost."""
    answer = client(None).get("/oauth/callback?state=a&code=b")
    assert answer.headers["location"] == f"{wiring.settings.address}/oauth/callback?state=a&code=b"
    assert answer.headers["location"].startswith("http://localhost:")
    assert client(None).get("/oauth/client-metadata.json").status_code == 404


@pytest.mark.parametrize("public", [True])
def test_a_desk_with_a_name_proves_who_it_is(
    client: Client, wiring: Wiring, cast: Cast, voice: Voice, person: Person
) -> None:
    """The server reads the desk's metadata and checks its key, at each of the calls."""
    metadata = client(None).get("/oauth/client-metadata.json")
    assert metadata.json()["token_endpoint_auth_method"] == "private_key_jwt"
    leader = client(cast.leader)
    back = person.decides(begin(leader, voice))
    assert back.startswith(f"{wiring.settings.address}/oauth/callback?")
    assert leader.get(query(back)).status_code == 303
    known_as = metadata.json()["client_id"]
    (listed,) = [one for one in person.sessions() if one["clientId"] == known_as]
    assert listed["clientMetadata"]["client_name"] == wiring.settings.organisation
    with wiring.sessions() as session:
        grant = session.scalars(select(Grant)).one()
        account = session.scalars(select(Account)).one()
    assert account.secret_until is None  # as long as it is used
    assert wiring.bluesky_oauth is not None
    later = datetime.now(UTC) + timedelta(minutes=55)
    assert renew_due(wiring.sessions, wiring.bluesky_oauth, wiring.vault, lambda: later) == 1
    with wiring.sessions() as session:
        renewed = session.get_one(Grant, grant.id)
        assert (renewed.renewed_at, renewed.detail) == (later, "")
