"""Passkeys: made, used to sign in and to approve; forged, late, replayed and borrowed answers."""

import hashlib
import json
import re
import socket
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cbor2
import httpx
import pytest
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from playwright.sync_api import Browser, expect
from sqlalchemy import select, update

from campaigns.approving.approval_links import make_link
from campaigns.drafting.messages import check, latest_version, save_draft, state_of, submit
from campaigns.models import Approval, Message
from desk.app import create_app
from desk.models import Passkey, PasskeyChallenge, PasskeyChoice, Person
from desk.passkeys import party_of
from desk.security import COOKIE
from desk.serving import Server
from desk.settings import Settings
from desk.wiring import Wiring, wire
from tests.desk.conftest import Cast, Client, token_for

ORIGIN = "http://localhost:8000"  # the desk's address by default
CALM = "Our water was tested this morning and it is clean. Neighbours, let us talk tomorrow."


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Device:
    """An authenticator that does what it is told, the forbidden too."""

    origin: str = ORIGIN
    host: str = "localhost"
    flags: int = 0x05  # user present and verified
    count: int = 0
    user: str = ""
    identity: bytes = b"device one"
    secret: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def _said(self, kind: str, challenge: str) -> bytes:
        return json.dumps(
            {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        ).encode()

    def _data(self, more: int = 0) -> bytes:
        self.count += 1
        host = hashlib.sha256(self.host.encode()).digest()
        return host + bytes([self.flags | more]) + self.count.to_bytes(4, "big")

    def make(self, options: dict[str, object]) -> str:
        point = self.secret.public_key().public_numbers()
        cose = {
            1: 2,
            3: -7,
            -1: 1,
            -2: point.x.to_bytes(32, "big"),
            -3: point.y.to_bytes(32, "big"),
        }
        attested = bytes(16) + len(self.identity).to_bytes(2, "big") + self.identity
        data = self._data(0x40) + attested + cbor2.dumps(cose)
        self.user = options["user"]["id"]  # type: ignore[index]
        return self._answer(
            clientDataJSON=encoded(self._said("webauthn.create", str(options["challenge"]))),
            attestationObject=encoded(
                cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
            ),
            transports=["internal", "<b>"],
        )

    def answer(self, options: dict[str, object], **changed: str) -> str:
        said = self._said("webauthn.get", str(options["challenge"]))
        data = self._data()
        signed = data + hashlib.sha256(said).digest()
        signature = self.secret.sign(signed, ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": encoded(said),
            "authenticatorData": encoded(data),
            "signature": encoded(signature),
            "userHandle": self.user,
        }
        return self._answer(**response | changed)

    def _answer(self, **response: object) -> str:
        named = encoded(self.identity)
        return json.dumps({"id": named, "rawId": named, "type": "public-key", "response": response})


def add(person: httpx.Client, device: Device, name: str = "My phone") -> httpx.Response:
    options = person.post("/me/passkeys/options").json()
    return person.post("/me/passkeys", data={"name": name, "answer": device.make(options)})


def sign_in(stranger: httpx.Client, answer: str) -> httpx.Response:
    return stranger.post("/passkeys/sign-in", data={"answer": answer})


def asked(stranger: httpx.Client) -> dict[str, object]:
    told: dict[str, object] = stranger.post("/passkeys/sign-in/options").json()
    return told


def lay_before(wiring: Wiring, message_id: int, cast: Cast) -> tuple[int, str]:
    """Jonah's words before Ruth: (version, SHA-256)."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        message = session.get_one(Message, message_id)
        texts = {account.id: CALM for account in message.voice.accounts}
        due = now + timedelta(hours=2)
        version = save_draft(session, message, texts, due, by=cast.comms.id, now=now)
        reasons = {one.key: "It reads well as it is" for one in check(session, version, now)}
        submit(session, version, by=cast.comms.id, now=now, reasons=reasons)
        return version.id, version.sha256


def test_only_a_desk_with_a_name_and_https_offers_passkeys(tmp_path: Path) -> None:
    def at(address: str) -> object:
        return party_of(Settings(data_dir=tmp_path, public_url=address, organisation="Bay"))

    assert at("https://desk.example:8443") == party_of(
        Settings(data_dir=tmp_path, public_url="https://desk.example:8443", organisation="Bay")
    )
    named = at("https://Desk.example:8443")
    assert (named.host, named.origin) == (  # type: ignore[attr-defined]
        "desk.example",
        "https://desk.example:8443",
    )
    assert at("http://localhost:9") is not None
    for none in ("http://desk.example", "https://10.0.0.7", "https://[::1]:8000"):
        assert at(none) is None


def test_a_passkey_signs_in_once_for_each_challenge(cast: Cast, client: Client) -> None:
    ruth, device, stranger = client(cast.leader), Device(), client(None)
    assert add(ruth, device, "Ruth's <phone>").status_code == 303
    assert "Ruth&#39;s &lt;phone&gt;" in ruth.get("/me").text
    told = asked(stranger)
    assert "allowCredentials" not in told or told["allowCredentials"] == []  # names nobody
    answer = device.answer(told)
    assert sign_in(client(None), answer).status_code == 422  # another browser was asked
    told = asked(stranger)
    answer = device.answer(told)
    done = sign_in(stranger, answer)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert stranger.get("/me").status_code == 200
    again = sign_in(stranger, answer)
    assert (again.status_code, "sent before" in again.text) == (422, True)


def test_what_is_forged_late_or_borrowed_signs_nobody_in(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    device, other = Device(), Device(identity=b"device two")
    add(client(cast.leader), device)
    add(client(cast.comms), other)
    stranger = client(None)

    def refused(answer: str) -> None:
        said = sign_in(stranger, answer)
        assert said.status_code == 422
        assert COOKIE not in stranger.cookies

    for wrong in (
        {"origin": "https://evil.example"},
        {"host": "evil.example"},
        {"flags": 0x01},  # present, and not verified
        {"count": -1},  # a copy of the device that was left behind
        {"secret": other.secret},  # another's signature
        {"user": encoded(b"somebody else")},
        {"identity": b"nobody's"},
    ):
        bent = Device(**{"secret": device.secret, "user": device.user, "count": 9} | wrong)
        refused(bent.answer(asked(stranger)))
    device.count = 9
    told = asked(stranger)
    refused(device.answer(told, signature=encoded(b"no signature")))
    refused(device.answer(told))  # the challenge was used up by the forged answer
    refused(device.answer({"challenge": encoded(b"of our own making" * 2)}))
    refused(device.answer(client(cast.leader).post("/me/passkeys/settling").json()))
    for broken in ("", "{}", "[1]", "null", '{"response": {"clientDataJSON": 7}}', "[" * 30_000):
        refused(broken)
    told = asked(stranger)
    with wiring.sessions.begin() as session:
        past = datetime.now(UTC) - timedelta(seconds=1)
        session.execute(update(PasskeyChallenge).values(expires_at=past))
    refused(device.answer(told))
    assert sign_in(stranger, device.answer(asked(stranger))).status_code == 303


def test_a_removed_passkey_and_one_of_who_left_open_nothing(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    ruth, device = client(cast.leader), Device()
    add(ruth, device)
    again = add(client(cast.comms), device)  # it is Ruth's
    assert again.status_code in (409, 422)
    assert client(cast.comms).post("/me/passkeys/1/remove").status_code == 404
    with wiring.sessions.begin() as session:
        session.execute(update(Person).values(left_at=datetime.now(UTC)))
    stranger = client(None)
    assert sign_in(stranger, device.answer(asked(stranger))).status_code == 422
    with wiring.sessions.begin() as session:
        session.execute(update(Person).values(left_at=None))
    assert ruth.post("/me/passkeys/1/remove").status_code == 303
    assert sign_in(stranger, device.answer(asked(stranger))).status_code == 422
    with wiring.sessions() as session:
        key = session.get_one(Passkey, 1)
        assert (key.removed_by, key.transports) == (cast.leader.id, ["internal"])


def test_approving_asks_for_the_passkey_of_who_chose_so_and_keeps_that_it_answered(
    wiring: Wiring, cast: Cast, client: Client, message: int
) -> None:
    version, sha256 = lay_before(wiring, message, cast)
    ruth, device = client(cast.leader), Device()
    add(ruth, device)
    assert ruth.post("/me/passkeys/choice", data={"at_approval": "yes"}).status_code == 303
    page = ruth.get(f"/messages/{message}").text
    assert f'data-options="/messages/{message}/passkey"' in page
    form = {"version_id": version, "sha256": sha256}

    def approve(answer: str) -> httpx.Response:
        return ruth.post(f"/messages/{message}/approve", data=form | {"answer": answer})

    without = approve("")
    assert (without.status_code, "none answered" in without.text) == (409, True)
    settling = ruth.post("/me/passkeys/settling").json()
    assert approve(device.answer(settling)).status_code == 409  # asked for something else
    options = ruth.post(f"/messages/{message}/passkey", data=form).json()
    assert decoded(options["challenge"])[32:] == bytes.fromhex(sha256)  # the device signs it
    with wiring.sessions.begin() as session:
        bound = update(PasskeyChallenge).where(PasskeyChallenge.purpose == "approve")
        session.execute(bound.values(content_sha256="0" * 64))
    assert approve(device.answer(options)).status_code == 409  # given for other words
    options = ruth.post(f"/messages/{message}/passkey", data=form).json()
    luis = client(cast.other_leader)
    borrowed = luis.post(
        f"/messages/{message}/approve", data=form | {"answer": device.answer(options)}
    )
    assert borrowed.status_code == 409
    with wiring.sessions() as session:
        assert session.scalars(select(Approval)).all() == []
    options = ruth.post(f"/messages/{message}/passkey", data=form).json()
    assert approve(device.answer(options)).status_code == 303
    with wiring.sessions() as session:
        (approval,) = session.scalars(select(Approval))
        assert approval.passkey == encoded(device.identity)
    assert "confirmed with a passkey" in ruth.get(f"/messages/{message}").text


def test_a_link_from_a_mail_asks_for_it_too(
    wiring: Wiring, cast: Cast, client: Client, message: int
) -> None:
    version, sha256 = lay_before(wiring, message, cast)
    ruth, device, anywhere = client(cast.leader), Device(), client(None)
    add(ruth, device)
    ruth.post("/me/passkeys/choice", data={"at_approval": "yes"})
    with wiring.sessions.begin() as session:
        found = latest_version(session.get_one(Message, message))
        assert found is not None
        token = make_link(session, found, wiring.vault, datetime.now(UTC))
    page = anywhere.get(f"/approve/{token}").text
    assert f'data-options="/approve/{token}/passkey"' in page
    form = {"version_id": version, "sha256": sha256}
    assert anywhere.post(f"/approve/{token}/approve", data=form).status_code == 409
    mine = ruth.post(f"/messages/{message}/passkey", data=form).json()
    stolen = form | {"answer": device.answer(mine)}  # of her session, not of this link
    assert anywhere.post(f"/approve/{token}/approve", data=stolen).status_code == 409
    options = anywhere.post(f"/approve/{token}/passkey").json()
    done = anywhere.post(
        f"/approve/{token}/approve", data=form | {"answer": device.answer(options)}
    )
    assert done.status_code == 303
    assert anywhere.post("/approve/no-such-link/passkey").status_code == 404


def test_the_choice_ends_with_a_passkey_or_by_an_administrator_only(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    ruth, device = client(cast.leader), Device()
    without = ruth.post("/me/passkeys/choice", data={"at_approval": "yes"})
    assert (without.status_code, "Add a passkey first" in without.text) == (422, True)
    add(ruth, device)
    ruth.post("/me/passkeys/choice", data={"at_approval": "yes"})
    for path in ("/me/passkeys/choice", "/me/passkeys/1/remove"):
        assert ruth.post(path, data={"answer": ""}).status_code == 422
    options = ruth.post("/me/passkeys/settling").json()
    ended = ruth.post("/me/passkeys/choice", data={"answer": device.answer(options)})
    assert ended.status_code == 303
    ruth.post("/me/passkeys/choice", data={"at_approval": "yes"})
    assert ruth.post(f"/people/{cast.leader.id}/passkeys/forget").status_code == 403
    ada = client(cast.admin)
    assert "Forget the passkeys of Ruth" in ada.get("/people").text
    assert ada.post(f"/people/{cast.leader.id}/passkeys/forget").status_code == 303
    with wiring.sessions() as session:
        kept = session.scalars(select(PasskeyChoice).order_by(PasskeyChoice.id)).all()
        assert [(one.at_approval, one.by) for one in kept][-1] == (False, cast.admin.id)
    assert "Passkeys" in ruth.get("/me").text


# ---- in a browser


@pytest.fixture
def at_localhost(wiring: Wiring, database_url: str, tmp_path: Path) -> Iterator[tuple[Wiring, str]]:
    """A desk whose address is the one the browser opens: a passkey belongs to it."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://localhost:{listener.getsockname()[1]}"
    settings = wiring.settings.model_copy(update={"public_url": address})
    own = wire(settings, database_url)
    server = Server(uvicorn.Config(create_app(own), log_level="warning"), lambda: None)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield own, address
    server.should_exit = True
    thread.join()
    own.engine.dispose()


def test_in_a_browser_a_passkey_is_made_signs_in_and_approves(
    at_localhost: tuple[Wiring, str], cast: Cast, browser: Browser, message: int
) -> None:
    wiring, address = at_localhost
    lay_before(wiring, message, cast)
    context = browser.new_context(base_url=address, viewport={"width": 390, "height": 800})
    context.add_cookies([{"name": COOKIE, "value": token_for(wiring, cast.leader), "url": address}])
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda fault: complaints.append(str(fault)))
    device = context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    made = device.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    page.goto("/me")
    page.get_by_label("Name of a new one").fill("My phone")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("#passkeys")).to_contain_text("not used yet")
    page.get_by_role("button", name="Ask for it when I approve").click()
    expect(page.locator("#passkeys")).to_contain_text("is confirmed with a passkey")

    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(f"{address}/")

    page.goto(f"/messages/{message}")
    known = {"authenticatorId": made["authenticatorId"], "isUserVerified": False}
    device.send("WebAuthn.setUserVerified", known)
    page.get_by_role("button", name=re.compile("Approve exactly this")).click()
    expect(page.locator(".decision [role=alert]")).to_contain_text("No passkey answered")
    device.send("WebAuthn.setUserVerified", known | {"isUserVerified": True})
    page.get_by_role("button", name=re.compile("Approve exactly this")).click()
    expect(page.locator("#message")).to_contain_text("confirmed with a passkey")
    with wiring.sessions() as session:
        assert state_of(session.get_one(Message, message)) == "scheduled"
    assert complaints == []
    context.close()
