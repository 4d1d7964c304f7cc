"""Texts by Twilio, of which no server of its own exists: a stand-in on loopback that keeps state.

It answers as twilio.com/docs/messaging/api/message-resource says, and is asked over real HTTP.
"""

import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from campaigns.publishers import (
    InDoubtError,
    LockedOutError,
    NotSentError,
    Parcel,
    PublisherRejectedError,
)
from campaigns.publishers import twilio as module
from campaigns.publishers.receipts import is_public
from campaigns.publishers.sms import record
from campaigns.publishers.twilio import TwilioPublisher, is_from_twilio
from tests.campaigns.publishers.servers import Script, scripted, served, severing, whole_body

ACCOUNT = "AC" + "0123456789abcdef" * 2
KEY = "SK" + "fedcba9876543210" * 2
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
US, MARTA, STOPPER = "+15550001111", "+15551234567", "+15557654321"
WORDS = "The bridge is open. Reply STOP to opt out. ñ 🌉"


class StandIn:
    """What Twilio took, newest first; ``url`` is its API."""

    def __init__(self) -> None:
        self.url = ""
        self.messages: list[dict[str, Any]] = []
        self.stopped = {STOPPER}

    def take(self, form: dict[str, str], made: datetime | None = None) -> tuple[int, Any]:
        if form["To"] in self.stopped:
            return 400, {
                "code": 21610,
                "message": "Attempt to send to unsubscribed recipient",
                "more_info": "https://www.twilio.com/docs/errors/21610",
                "status": 400,
            }
        service = form.get("MessagingServiceSid")
        message = {
            "sid": f"SM{len(self.messages):032x}",
            "to": form["To"],
            "from": form.get("From"),
            "messaging_service_sid": service,
            "body": form["Body"],
            "status_callback": form.get("StatusCallback"),
            "status": "accepted" if service else "queued",
            "date_created": format_datetime(made or datetime.now(UTC)),
            "date_sent": None,
            "error_code": None,
        }
        self.messages.insert(0, message)
        return 201, message

    def listed(self, query: dict[str, str]) -> tuple[int, Any]:
        found = [one for one in self.messages if one["to"] == query["To"]]
        size = int(query["PageSize"])
        more = f"{MESSAGES}?Page=1" if len(found) > size else None
        return 200, {"messages": found[:size], "page": 0, "next_page_uri": more}


@contextlib.contextmanager
def standing_in() -> Iterator[StandIn]:
    """Twilio on loopback, as far as we speak with it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = whole_body(self)
            address = urlsplit(self.path)
            form = {name: one for name, (one,) in parse_qs(address.query or body).items()}
            access = self.headers["authorization"].removeprefix("Basic ")
            known = base64.b64decode(access) in (
                f"{ACCOUNT}:right".encode(),
                f"{KEY}:right".encode(),
            )
            if not known or address.path != MESSAGES:
                status, said = 401, {"code": 20003, "message": "Authenticate", "status": 401}
            elif self.command == "POST":
                status, said = stand_in.take(form)
            else:
                status, said = stand_in.listed(form)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    stand_in = StandIn()
    with served(Handler) as stand_in.url:
        yield stand_in


@pytest.fixture
def twilio() -> Iterator[StandIn]:
    with standing_in() as stand_in:
        yield stand_in


@pytest.fixture
def parcel(twilio: StandIn) -> Parcel:
    part = {"text": WORDS, "handle": US, "campaign": "CABC1", "list": "7"}
    fixed = record(part, datetime.now(UTC))
    return Parcel("sms", MARTA, twilio.url, f"{ACCOUNT}:{KEY}:right", "3mmoojp4cd223", fixed)


# ---- on the stand-in


@pytest.mark.parametrize("secret", [f"{ACCOUNT}:{KEY}:right", f"{ACCOUNT}:right"])
def test_a_text_is_taken_word_for_word(twilio: StandIn, parcel: Parcel, secret: str) -> None:
    parcel = replace(parcel, secret=secret)
    assert TwilioPublisher().find(parcel) is None
    receipt = TwilioPublisher().publish(parcel)
    (message,) = twilio.messages
    assert (message["to"], message["from"], message["body"]) == (MARTA, US, WORDS)
    assert receipt.uri == f"twilio:{message['sid']}"
    assert TwilioPublisher().find(parcel) == receipt


def test_only_a_desk_that_can_be_called_asks_to_be_called_back(
    twilio: StandIn, parcel: Parcel
) -> None:
    for desk in (None, "https://desk.example"):
        TwilioPublisher(desk=desk).publish(parcel)
    called, uncalled = (one["status_callback"] for one in twilio.messages)
    assert called == f"https://desk.example/hooks/twilio/receipts?for={parcel.record_key}"
    assert uncalled is None
    # Nothing of what identifies the call changed: the text is found as before.
    assert TwilioPublisher().find(parcel) is not None
    public = {"https://desk.example": True, "http://desk.example": False, "https://[::": False}
    for address in ("https://localhost", "https://127.0.0.1", "https://desk", "nonsense"):
        public[address] = False
    assert {one: is_public(one) for one in public} == public


def test_a_text_whose_answer_was_lost_is_found(twilio: StandIn, parcel: Parcel) -> None:
    with severing(twilio.url, "POST") as line, pytest.raises(InDoubtError, match="broke off"):
        TwilioPublisher().publish(replace(parcel, service=line))
    (message,) = twilio.messages
    receipt = TwilioPublisher().find(parcel)
    assert receipt is not None
    assert receipt.uri == f"twilio:{message['sid']}"


def test_a_messaging_service_chooses_the_number(twilio: StandIn, parcel: Parcel) -> None:
    service = "MG" + "0a" * 16
    parcel = replace(parcel, record=parcel.record | {"from": service})
    receipt = TwilioPublisher().publish(parcel)
    assert twilio.messages[0]["messaging_service_sid"] == service
    twilio.messages[0]["from"] = "+15559990000"
    assert TwilioPublisher().find(parcel) == receipt


@pytest.mark.parametrize(
    "other",
    [
        {"To": STOPPER},
        {"From": "+15550002222"},
        {"Body": WORDS + "!"},
        {"made": timedelta(hours=1)},
    ],
)
def test_another_text_is_not_ours(twilio: StandIn, parcel: Parcel, other: dict[str, Any]) -> None:
    twilio.stopped = set()
    ago = other.pop("made", timedelta())
    twilio.take({"To": MARTA, "From": US, "Body": WORDS} | other, datetime.now(UTC) - ago)
    assert TwilioPublisher().find(parcel) is None


def test_what_a_trial_account_puts_before_our_words_does_not_hide_them(
    twilio: StandIn, parcel: Parcel
) -> None:
    twilio.take({"To": MARTA, "From": US, "Body": module.TRIAL + WORDS})
    assert TwilioPublisher().find(parcel) is not None


def test_more_texts_than_anybody_should_get_are_for_a_person(
    twilio: StandIn, parcel: Parcel
) -> None:
    for _ in range(module.PAGE + 1):
        twilio.take({"To": MARTA, "From": US, "Body": "Other words"})
    with pytest.raises(InDoubtError, match="too many texts"):
        TwilioPublisher().find(parcel)
    for message in twilio.messages[5:]:
        message["date_created"] = format_datetime(datetime.now(UTC) - timedelta(days=1))
    assert TwilioPublisher().find(parcel) is None


def test_whoever_said_stop_gets_nothing(twilio: StandIn, parcel: Parcel) -> None:
    with pytest.raises(PublisherRejectedError, match="answered STOP"):
        TwilioPublisher().publish(replace(parcel, handle=STOPPER))
    assert twilio.messages == []


def test_a_wrong_key_is_no_recipients_fault(twilio: StandIn, parcel: Parcel) -> None:
    for secret in (f"{ACCOUNT}:{KEY}:wrong", f"{ACCOUNT}:wrong"):
        with pytest.raises(LockedOutError, match=r"does not let us in: Authenticate\. Whoever"):
            TwilioPublisher().publish(replace(parcel, secret=secret))
    assert twilio.messages == []


@pytest.mark.parametrize(
    "secret",
    [None, "", "token", ACCOUNT, f"{ACCOUNT}:", f"{ACCOUNT}/../x:y", f"{ACCOUNT}:schlüssel"],
)
def test_what_is_no_access_is_named(parcel: Parcel, secret: str | None) -> None:
    with pytest.raises(LockedOutError, match="must look like AC"):
        TwilioPublisher().publish(replace(parcel, secret=secret))


@pytest.mark.parametrize("number", ["", "5551234567", "+0123456789", "+1555123456\n", "MARTA"])
def test_what_is_no_number_is_never_asked_for(twilio: StandIn, parcel: Parcel, number: str) -> None:
    with pytest.raises(PublisherRejectedError, match="addressed like that"):
        TwilioPublisher().publish(replace(parcel, handle=number))
    assert twilio.messages == []


# ---- on a server that fails as told


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as script:
        yield script


@pytest.fixture
def told(script: Script, parcel: Parcel) -> Parcel:
    return replace(parcel, service=script.url)


def test_only_what_was_approved_is_sent(script: Script, told: Parcel) -> None:
    script.answers[MESSAGES] = [(201, {"sid": "SM" + "0" * 32})]
    TwilioPublisher().publish(told)
    ((verb, _, form, _),) = script.asked
    assert (verb, form) == (
        "POST",
        {"To": MARTA, "From": US, "Body": WORDS, "ValidityPeriod": "3600", "SmartEncoded": "false"},
    )


@pytest.mark.parametrize(
    "answer",
    [
        None,
        (408, {}),
        (500, {}),
        (503, {"code": 20503}),
        (201, {}),
        (201, b"<"),
        (201, {"sid": "x"}),
    ],
)
def test_a_call_whose_end_is_unknown_is_a_doubt(script: Script, told: Parcel, answer: Any) -> None:
    script.answers[MESSAGES] = [answer]
    with pytest.raises(InDoubtError):
        TwilioPublisher().publish(told)
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        (429, {"code": 20429, "message": "Too Many Requests"}),
        (400, {"code": 21611, "message": "SMS queue is full"}),
    ],
)
def test_a_full_line_is_tried_again(script: Script, told: Parcel, answer: Any) -> None:
    script.answers[MESSAGES] = [answer]
    with pytest.raises(NotSentError) as fault:
        TwilioPublisher().publish(told)
    assert fault.value.retry_in == module.RATE_LIMIT_WAIT


def test_a_sender_that_may_not_send_is_no_recipients_fault(script: Script, told: Parcel) -> None:
    script.answers[MESSAGES] = [(400, {"code": 21606, "message": "The From number sends no SMS"})]
    with pytest.raises(LockedOutError, match=r"sends no SMS\. Whoever runs the desk"):
        TwilioPublisher().publish(told)


def test_a_server_that_is_not_there_got_nothing(parcel: Parcel) -> None:
    nowhere = replace(parcel, service="http://127.0.0.1:1")
    with pytest.raises(NotSentError, match="cannot be reached"):
        TwilioPublisher().publish(nowhere)
    with pytest.raises(InDoubtError, match="cannot be asked"):
        TwilioPublisher().find(nowhere)


@pytest.mark.parametrize(
    "answer",
    [
        *((200, {}), (200, b"<"), (500, {}), (200, {"messages": ["x"]})),
        (200, {"messages": [{"date_created": "soon"}]}),
    ],
)
def test_an_unreadable_list_does_not_mean_that_nothing_is_there(
    script: Script, told: Parcel, answer: Any
) -> None:
    script.answers[MESSAGES] = [answer]
    with pytest.raises(InDoubtError, match="does not say what it has"):
        TwilioPublisher().find(told)


# ---- what comes in

TOKEN = "12345"
PAGE = "https://mycompany.com/myapp.php?foo=1&bar=2"
FORM = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}


def test_twilios_own_example_is_believed() -> None:
    """The vector of Twilio's helper libraries (twilio-python, test_request_validator.py)."""
    assert is_from_twilio(TOKEN, PAGE, FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")


@pytest.mark.parametrize(
    ("token", "url", "form", "signature"),
    [
        ("12346", PAGE, FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (TOKEN, PAGE + "3", FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (TOKEN, PAGE, FORM | {"Digits": "1235"}, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (TOKEN, PAGE, FORM | {"Body": "STOP"}, "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        (TOKEN, PAGE, FORM, "RSOYDt4T1cUTdK1PDd93/VVr8B9="),
        (TOKEN, PAGE, FORM, ""),
        (TOKEN, PAGE, FORM, "ñ"),
    ],
)
def test_anything_else_is_not_believed(
    token: str, url: str, form: dict[str, str], signature: str
) -> None:
    assert not is_from_twilio(token, url, form, signature)


def test_a_field_that_comes_twice_counts_twice() -> None:
    several = {"MediaUrl": ["b", "a", "b"]}
    once = {"MediaUrl": "aMediaUrlb"}  # the bytes that are signed are the same
    signature = "XgMw2TI7xrDCyLcXpmhhZYAEDQQ="
    assert is_from_twilio(TOKEN, PAGE, several, signature) == is_from_twilio(
        TOKEN, PAGE, once, signature
    )
