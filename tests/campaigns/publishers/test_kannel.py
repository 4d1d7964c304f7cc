"""Texts through a real gateway: Debian's Kannel, whose network is an HTTP server of this test."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from campaigns.publishers import (
    InDoubtError,
    LockedOutError,
    NotSentError,
    Parcel,
    PublisherRejectedError,
)
from campaigns.publishers.kannel import LATER_WAIT, PATH, KannelPublisher
from campaigns.publishers.receipts import KANNEL_PATH, by_kannel, proof_of
from campaigns.publishers.sms import record
from tests.campaigns.publishers.kannel_gateway import Gateway, running_kannel
from tests.campaigns.publishers.servers import Script, scripted

DUE = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
US, MARTA = "24365", "+15551234567"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_kannel(tmp_path_factory.mktemp("kannel")) as gateway:
        yield gateway


@pytest.fixture
def gateway(running: Gateway) -> Gateway:
    running.arrived.clear()
    return running


def parcel_for(service: str, text: str = "The bridge is open.") -> Parcel:
    part = {"text": text, "handle": US, "campaign": "CABC1", "list": "7"}
    return Parcel("sms", MARTA, service, "desk:right", "3mmoojp4cd223", record(part, DUE))


# ---- through the real gateway


@pytest.mark.parametrize(
    "text",
    [
        "The bridge is open. Reply STOP to opt out.",
        "@£$¥ {[€]} ~^\\| ñ Ñ ¿Qué? àéù",
        "“Calm”, dice la señora Muñoz: el puente está abierto 🌉",
        "two lines\nand a + and a % and a &",
    ],
)
def test_a_text_arrives_sign_for_sign(gateway: Gateway, text: str) -> None:
    receipt = KannelPublisher().publish(parcel_for(gateway.url, text))
    assert receipt.uri == "kannel:3mmoojp4cd223"
    assert gateway.wait_for(1) == [(MARTA, US, text)]


def test_the_gateway_itself_calls_back_with_what_the_network_said(
    gateway: Gateway, script: Script
) -> None:
    """The real one, at the address that stands with the text; its network takes it."""
    script.answers[KANNEL_PATH] = [(204, b"")] * 3
    parcel = parcel_for(gateway.url)
    KannelPublisher(desk=script.url, secret="what we share").publish(parcel)
    deadline = time.monotonic() + 20
    while not script.asked and time.monotonic() < deadline:
        time.sleep(0.05)
    verb, _, asked, _ = script.asked[0]
    assert verb == "GET"
    assert asked["for"] == parcel.record_key
    assert asked["proof"] == proof_of("what we share", parcel.record_key)
    said = by_kannel(asked["type"], asked.get("answer", ""))
    assert said is not None
    assert said.kind == "sent"


def test_a_wrong_password_is_no_recipients_fault(gateway: Gateway) -> None:
    parcel = replace(parcel_for(gateway.url), secret="desk:wrong")
    with pytest.raises(LockedOutError, match=r"does not let us in: Authorization failed"):
        KannelPublisher().publish(parcel)
    assert gateway.arrived == []


# ---- on a gateway that fails as told


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as script:
        yield script


def test_neither_password_nor_number_is_in_an_address(script: Script) -> None:
    script.answers[PATH] = [(202, b"0: Accepted for delivery")]
    KannelPublisher().publish(parcel_for(script.url))
    ((verb, path, body, headers),) = script.asked
    assert (verb, path) == ("POST", PATH)
    assert body == {"": "The bridge is open."}
    sent = {name: value for name, value in headers.items() if re.match("x-kannel|content-t", name)}
    assert sent == {
        "x-kannel-username": "desk",
        "x-kannel-password": "right",
        "x-kannel-from": US,
        "x-kannel-to": MARTA,
        "x-kannel-coding": "0",
        "x-kannel-validity": "60",
        "content-type": "text/plain; charset=UTF-8",
    }


def test_a_text_that_waits_in_the_gateway_is_out_of_the_house(script: Script) -> None:
    script.answers[PATH] = [(202, b"3: Queued for later delivery")]
    assert KannelPublisher().publish(parcel_for(script.url)).url is None


@pytest.mark.parametrize(
    "answer", [None, (408, b""), (500, b""), (502, b"<html>"), (200, b"OK"), (202, b"")]
)
def test_a_call_whose_end_is_unknown_is_a_doubt(script: Script, answer: Any) -> None:
    script.answers[PATH] = [answer]
    parcel = parcel_for(script.url)
    with pytest.raises(InDoubtError):
        KannelPublisher().publish(parcel)
    assert len(script.asked) == 1
    with pytest.raises(InDoubtError, match="not sent again by itself"):
        KannelPublisher().find(parcel)


@pytest.mark.parametrize("answer", [(503, b"Temporal failure, try again later."), (429, b"")])
def test_what_the_gateway_puts_off_is_tried_again(script: Script, answer: Any) -> None:
    script.answers[PATH] = [answer]
    with pytest.raises(NotSentError) as fault:
        KannelPublisher().publish(parcel_for(script.url))
    assert fault.value.retry_in == LATER_WAIT


def test_what_cannot_be_routed_is_final(script: Script) -> None:
    script.answers[PATH] = [(403, b"Not routable. Do not try again.")]
    with pytest.raises(PublisherRejectedError, match=r"Not routable\. Do not try again\.$"):
        KannelPublisher().publish(parcel_for(script.url))


def test_a_gateway_that_is_not_there_got_nothing() -> None:
    with pytest.raises(NotSentError, match="cannot be reached"):
        KannelPublisher().publish(parcel_for("http://127.0.0.1:1"))


@pytest.mark.parametrize(
    "fault",
    [
        *({"secret": None}, {"secret": "desk"}, {"secret": ":x"}, {"secret": "desk:x\r\nX-A: b"}),
        *({"handle": "5551234567"}, {"handle": "+15551234567\n"}, {"secret": "desk:schlüssel"}),
    ],
)
def test_what_cannot_be_said_in_a_header_is_never_asked(
    script: Script, fault: dict[str, Any]
) -> None:
    with pytest.raises(
        (LockedOutError, PublisherRejectedError), match=r"must look like|addressed like"
    ):
        KannelPublisher().publish(replace(parcel_for(script.url), **fault))
    assert script.asked == []
