"""What comes in from outside: signed or refused, alike for everybody, and heard at once."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from campaigns.models import ContactAddress, Delivery, DeliveryReport, OptOut, Reply
from campaigns.publishers.receipts import kannel_address, twilio_address
from desk.app import create_app
from desk.wiring import Wiring
from tests.campaigns import listing

TOKEN = "the auth token of the account"
DESK = "https://desk.example"
KNOWN, UNKNOWN = "+19895550142", "+19895550199"

Texts = Callable[..., httpx.Response]


@pytest.fixture
def by_twilio(wiring: Wiring) -> Wiring:
    return _with(wiring, sms_gateway="twilio")


def _with(wiring: Wiring, **more: object) -> Wiring:
    given = {"public_url": DESK, "organisation": "Town & Co", "contact": "town.example"}
    secrets = {"sms_access": "AC:SK:x", "sms_inbound": TOKEN, "sms_address": "http://localhost:1"}
    settings = wiring.settings.model_validate(wiring.settings.model_dump() | given | secrets | more)
    return replace(wiring, settings=settings)


@pytest.fixture
def texts(by_twilio: Wiring) -> Iterator[Texts]:
    """``texts(number, words)``: Twilio passes a text on, signed as it signs."""
    with TestClient(create_app(by_twilio)) as client:
        numbers = iter(range(1000))

        def send(
            number: str, words: str, *, sid: str = "", token: str = TOKEN, **more: str
        ) -> httpx.Response:
            sid = sid or f"SM{next(numbers):032x}"
            form = {"MessageSid": sid, "From": number, "To": "+19895550100", "Body": words} | more
            said = f"{DESK}/hooks/twilio" + "".join(name + form[name] for name in sorted(form))
            digest = hmac.new(token.encode(), said.encode(), hashlib.sha1).digest()
            signature = base64.b64encode(digest).decode()
            return client.post(
                "/hooks/twilio", data=form, headers={"X-Twilio-Signature": signature}
            )

        yield send


@pytest.fixture
def ana(wiring: Wiring) -> int:
    """Id of the number of a contact of ours."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        audience = listing.make_list(session, now)
        one = listing.member(session, audience, "Ana", now, number=KNOWN, book=wiring.book)
        return one.addresses[0].id


def _standing(wiring: Wiring) -> list[OptOut]:
    with wiring.sessions() as session:
        return list(session.scalars(select(OptOut).where(OptOut.ended_at.is_(None))))


def test_stop_help_and_start_are_answered_alike_for_everybody(
    wiring: Wiring, texts: Texts, ana: int
) -> None:
    for word in ("STOP", "help", " ¡Alto! ", "Start"):
        known, unknown = texts(KNOWN, word), texts(UNKNOWN, word)
        assert known.status_code == unknown.status_code == 200
        assert known.text == unknown.text
        assert known.headers == unknown.headers
        assert known.text.count("<Message>Town &amp; Co: ") == 1
    assert _standing(wiring) == []  # START ended what STOP began
    texts(KNOWN, "StopAll")
    (out,) = _standing(wiring)
    assert (out.how, out.label) == ("stop", "…0142")
    # Where Twilio itself answers stop words, it says so: two answers would be one too many.
    assert "<Message>" not in texts(UNKNOWN, "STOP", OptOutType="STOP").text
    assert len(_standing(wiring)) == 2


def test_a_text_that_comes_twice_counts_once(wiring: Wiring, texts: Texts) -> None:
    sid = "SM" + "a" * 32
    assert "<Message>" in texts(KNOWN, "START", sid=sid).text
    texts(KNOWN, "STOP")
    assert "<Message>" not in texts(KNOWN, "START", sid=sid).text
    assert len(_standing(wiring)) == 1


def test_unclear_words_wait_for_a_person_and_are_not_kept_in_the_clear(
    wiring: Wiring, texts: Texts
) -> None:
    words = "please leave me alone"
    assert "<Message>" not in texts(KNOWN, words).text
    with wiring.sessions() as session:
        (reply,) = session.scalars(select(Reply)).all()
        assert reply.words is not None
        assert words.encode() not in reply.words
        assert wiring.book.open(reply.words) == words
        assert KNOWN[2:].encode() not in reply.sealed


def test_what_twilio_did_not_sign_is_refused_and_counted(wiring: Wiring, texts: Texts) -> None:
    answers = [texts(KNOWN, "STOP", token="guessed").status_code for _ in range(40)]
    assert answers[0] == 403
    assert answers[-1] == 429
    assert _standing(wiring) == []
    assert texts(KNOWN, "STOP").status_code == 200  # a true one is never slowed down


def test_a_flood_of_bytes_is_not_read(by_twilio: Wiring) -> None:
    with TestClient(create_app(by_twilio)) as client:
        assert client.post("/hooks/twilio", content=b"x" * 70_000).status_code == 413
        assert client.get("/hooks/kannel").status_code == 404  # the other gateway is not in use


def test_kannel_passes_texts_on_with_a_secret(wiring: Wiring) -> None:
    app = create_app(_with(wiring, sms_gateway="kannel"))
    asked = {"secret": TOKEN, "from": "19895550142", "id": "u1", "text": "Stop"}
    with TestClient(app) as client:
        answer = client.get("/hooks/kannel", params=asked)
        assert (
            answer.text == "Town & Co: you get no more texts from us. Text START to get them again."
        )
        wrong = client.get("/hooks/kannel", params=asked | {"secret": "x"})
        assert (wrong.status_code, "STOP" in wrong.text) == (403, False)
    assert len(_standing(wiring)) == 1


def test_one_press_leaves_and_opening_the_page_does_not(wiring: Wiring) -> None:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        audience = listing.make_list(session, now)
        listing.member(session, audience, "Ana", now, email="ana@town.example", book=wiring.book)
        account = listing.speak(session, audience, "email", now)
        listing.approved(session, account, now + timedelta(hours=2), now)
        key = session.scalars(select(Delivery.record_key)).one()
    with TestClient(create_app(wiring)) as client:
        pages = [client.get(f"/leave/{one}") for one in (key, "no-such-key")]
        assert client.head(f"/leave/{key}").status_code == 200
        assert pages[0].text.replace(key, "K") == pages[1].text.replace("no-such-key", "K")
        assert "ana" not in pages[0].text.lower().replace("organ", "")
        assert _standing(wiring) == []
        # As a mail program does it: no cookie, no origin.
        press = {"data": {"List-Unsubscribe": "One-Click"}}
        done, unknown = (client.post(f"/leave/{one}", **press) for one in (key, "no-such-key"))
        assert done.status_code == unknown.status_code == 200
        assert done.text == unknown.text
        assert client.post(f"/leave/{key}", **press).status_code == 200
        codes = {client.post(f"/leave/guess{n}").status_code for n in range(40)}
        assert codes == {200, 429}
    (out,) = _standing(wiring)
    assert (out.channel, out.how) == ("email", "unsubscribe")
    with wiring.sessions() as session:
        assert session.scalars(select(Delivery.state)).one() == "withdrawn"
        assert session.scalar(select(func.count()).select_from(ContactAddress)) == 1
    assert re.fullmatch(r"[\w-]{22}", key)


# ---- receipts


@pytest.fixture
def texted(wiring: Wiring) -> str:
    """The key of a text to a contact of which nobody knows yet whether it is out."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        audience = listing.make_list(session, now)
        listing.member(session, audience, "Ana", now, number=KNOWN, book=wiring.book)
        account = listing.speak(session, audience, "sms", now)
        listing.approved(session, account, now + timedelta(hours=2), now, listing.TEXT)
        delivery = session.scalars(select(Delivery)).one()
        delivery.state, delivery.detail = "unconfirmed", "Twilio broke off."
        return delivery.record_key


def _receipt(client: TestClient, key: str, token: str = TOKEN, **form: str) -> httpx.Response:
    """Twilio says what became of a text, signed as it signs, at the address we gave it."""
    address = twilio_address(DESK, key)
    form = {"MessageSid": "SM" + "b" * 32, "To": KNOWN, "From": "+19895550100"} | form
    said = address + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(token.encode(), said.encode(), hashlib.sha1).digest()
    signed = {"X-Twilio-Signature": base64.b64encode(digest).decode()}
    return client.post(address.removeprefix(DESK), data=form, headers=signed)


def _heard(wiring: Wiring) -> tuple[str, list[tuple[str, str]]]:
    with wiring.sessions() as session:
        told = session.execute(
            select(DeliveryReport.kind, DeliveryReport.code).order_by(DeliveryReport.id)
        )
        return session.scalars(select(Delivery.state)).one(), [(*row,) for row in told]


def test_twilios_receipts_come_in_any_order_and_unknown_ones_are_taken_quietly(
    by_twilio: Wiring, texted: str
) -> None:
    with TestClient(create_app(by_twilio)) as client:
        assert _receipt(client, texted, token="guessed", MessageStatus="sent").status_code == 403
        # A true receipt of another text does not do for this one.
        other = _receipt(client, "another", MessageStatus="delivered")
        assert _heard(by_twilio) == ("unconfirmed", [])
        for status in ("queued", "delivered", "sent", "delivered"):
            answer = _receipt(client, texted, MessageStatus=status)
            assert (answer.status_code, answer.content) == (other.status_code, other.content)
        assert _heard(by_twilio) == ("published", [("delivered", ""), ("sent", "")])
        assert _standing(by_twilio) == []
        stop = {"MessageStatus": "failed", "ErrorCode": "21610"}
        assert _receipt(client, texted, **stop).status_code == 204
        assert _receipt(client, "\x00" * 9, **stop).status_code == 204
    assert [one.how for one in _standing(by_twilio)] == ["gateway"]


def test_kannel_proves_for_each_text_that_it_was_told_of_it(wiring: Wiring, texted: str) -> None:
    by_kannel = _with(wiring, sms_gateway="kannel")
    told = kannel_address(DESK, TOKEN, texted).removeprefix(DESK)
    assert TOKEN not in told
    other = kannel_address(DESK, TOKEN, "another").removeprefix(DESK)
    with TestClient(create_app(by_kannel)) as client:
        forged = other.replace("another", texted)
        assert client.get(forged.replace("%d", "1")).status_code == 403
        assert client.get(other.replace("%d", "1")).status_code == 204
        assert _heard(wiring) == ("unconfirmed", [])
        refused = told.replace("%d", "16").replace("%A", "NACK%2F11%2FInvalid")
        for _ in range(2):
            assert client.get(refused).status_code == 204
    assert _heard(wiring) == ("published", [("failed", "NACK 11")])
