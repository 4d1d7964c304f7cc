"""One mail, once, through a real SMTP server (aiosmtpd) that fails where it is told to."""

import asyncio
import contextlib
import email
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from campaigns.publishers import (
    InDoubtError,
    LockedOutError,
    NotSentError,
    Parcel,
    PublisherRejectedError,
)
from campaigns.publishers.email import GREYLIST_WAIT, EmailPublisher, record, written
from tests.conftest import free_port

DUE = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
ELSEWHERE = "127.0.0.2"  # this machine too, but none of the names that count as here
WORDS = (
    ".The bridge is open.\n..\n.\nPregunten a la señora Ruiz 🌉: https://town.example/b\n\nPaula"
)
PART = {
    "text": WORDS,
    "subject": "The bridge, señora",
    "handle": "paula@hope.example",
    "name": "Paula Price",
    "list": "parents",
    "unsubscribe": "https://desk.example/leave/",
}


class Mailbox:
    """What a mail server took, and where it is told to fail.

    ``answers``: for "MAIL", "RCPT" or "DATA" an SMTP answer, or None: it hangs up without one, for
    "DATA" after it took the mail. ``slow`` seconds pass before it answers to the mail.
    """

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.answers: dict[str, str | None] = {}
        self.slow = 0.0

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self._answer(server, "MAIL")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self._answer(server, "RCPT")

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Envelope
    ) -> str:
        self.taken.append(envelope)
        await asyncio.sleep(self.slow)
        return self._answer(server, "DATA")

    def _answer(self, server: SMTP, step: str) -> str:
        answer = self.answers.get(step, "250 OK")
        if answer is None:
            assert server.transport is not None
            server.transport.abort()
        return answer or "250 OK"

    def only_mail(self) -> Any:
        (envelope,) = self.taken
        assert isinstance(envelope.original_content, bytes)
        return email.message_from_bytes(envelope.original_content, policy=default)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@contextlib.contextmanager
def serving(mailbox: Mailbox, host: str = "127.0.0.1", **more: Any) -> Iterator[str]:
    """An SMTP server on a free port, which knows one password; answers its address."""
    port = free_port()
    controller = Controller(
        mailbox,
        hostname=host,
        port=port,
        authenticator=lambda server, session, envelope, mechanism, data: AuthResult(
            success=data.password == b"right",  # type: ignore[attr-defined]
            handled=False,
        ),
        **more,
    )
    controller.start()
    try:
        yield f"smtp://{host}:{port}"
    finally:
        controller.stop()


@pytest.fixture
def service(mailbox: Mailbox) -> Iterator[str]:
    with serving(mailbox, auth_require_tls=False) as service:
        yield service


@pytest.fixture
def parcel(service: str) -> Parcel:
    fixed = record(PART, DUE)
    return Parcel("email", "marta@town.example", service, "desk:right", "3mmoojp4cd223", fixed)


def test_the_mail_arrives_word_for_word(mailbox: Mailbox, parcel: Parcel) -> None:
    receipt = EmailPublisher().publish(parcel)
    mail = mailbox.only_mail()
    assert mail.get_content().replace("\r\n", "\n").rstrip("\n") == WORDS
    assert mail["Subject"] == "The bridge, señora"
    assert mail["From"] == "Paula Price <paula@hope.example>"
    assert mail["To"] == "marta@town.example"
    assert mail["Date"].datetime == DUE
    assert mail["Message-ID"] == "<3mmoojp4cd223@hope.example>"
    assert mail["List-Unsubscribe"] == "<https://desk.example/leave/3mmoojp4cd223>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert receipt.uri == "mid:<3mmoojp4cd223@hope.example>"
    (envelope,) = mailbox.taken
    assert envelope.mail_from == "paula@hope.example"
    assert envelope.rcpt_tos == ["marta@town.example"]
    assert isinstance(envelope.original_content, bytes)
    assert envelope.original_content.isascii()


def test_every_attempt_sends_the_same_mail(parcel: Parcel) -> None:
    assert written(parcel) == written(replace(parcel, mark=""))
    assert written(parcel) != written(replace(parcel, handle="jo@town.example"))


def test_a_refused_sender_is_no_fault_of_a_recipient(mailbox: Mailbox, parcel: Parcel) -> None:
    mailbox.answers["MAIL"] = "553 5.7.1 Sender not allowed"
    with pytest.raises(LockedOutError, match="Sender not allowed"):
        EmailPublisher().publish(parcel)


@pytest.mark.parametrize("step", ["RCPT", "DATA"])
def test_a_refusal_is_final(mailbox: Mailbox, parcel: Parcel, step: str) -> None:
    mailbox.answers[step] = "550 5.1.1 No such mailbox"
    with pytest.raises(PublisherRejectedError, match=r"refuses .*550 5\.1\.1 No such mailbox\.$"):
        EmailPublisher().publish(parcel)


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA"])
def test_a_greylisted_mail_is_tried_again(mailbox: Mailbox, parcel: Parcel, step: str) -> None:
    mailbox.answers[step] = "451 4.7.1 Come back later"
    with pytest.raises(NotSentError, match="Come back later") as fault:
        EmailPublisher().publish(parcel)
    assert fault.value.retry_in == GREYLIST_WAIT
    del mailbox.answers[step]
    EmailPublisher().publish(parcel)


@pytest.mark.parametrize("step", ["MAIL", "RCPT"])
def test_a_line_that_breaks_before_the_mail_sent_nothing(
    mailbox: Mailbox, parcel: Parcel, step: str
) -> None:
    mailbox.answers[step] = None
    with pytest.raises(NotSentError, match="broke off"):
        EmailPublisher().publish(parcel)
    assert mailbox.taken == []


def test_a_line_that_breaks_after_the_final_dot_is_a_doubt(
    mailbox: Mailbox, parcel: Parcel
) -> None:
    mailbox.answers["DATA"] = None
    with pytest.raises(InDoubtError, match="fell silent at the end"):
        EmailPublisher().publish(parcel)
    assert len(mailbox.taken) == 1  # it did arrive
    with pytest.raises(InDoubtError, match=r"by <3mmoojp4cd223@hope\.example>"):
        EmailPublisher().find(parcel)


def test_a_server_that_closes_after_the_dot_is_a_doubt(mailbox: Mailbox, parcel: Parcel) -> None:
    mailbox.answers["DATA"] = "421 4.3.2 Shutting down"
    with pytest.raises(InDoubtError, match="Shutting down"):
        EmailPublisher().publish(parcel)


def test_a_server_that_takes_for_ever_is_left_at_the_deadline(
    mailbox: Mailbox, parcel: Parcel
) -> None:
    mailbox.slow = 5.0
    begun = time.monotonic()
    with pytest.raises(InDoubtError):
        EmailPublisher(deadline=0.5).publish(parcel)
    assert time.monotonic() - begun < 4


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_that_drips_is_left_at_the_deadline(parcel: Parcel, scheme: str) -> None:
    """Before its greeting is over, or within the handshake: nothing was sent."""
    begun = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=_drip, args=(listening,)).start()
        service = f"{scheme}://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(NotSentError):
            EmailPublisher(deadline=0.5).publish(replace(parcel, service=service))
    assert time.monotonic() - begun < 4


def _drip(listening: socket.socket) -> None:
    """One sign of a greeting at a time, which might begin a TLS record as well."""
    line, _ = listening.accept()
    with line, contextlib.suppress(OSError):
        line.sendall(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xf0")
        for _ in range(300):
            line.sendall(b"2")
            time.sleep(0.02)


def test_a_wrong_password_sends_nothing(mailbox: Mailbox, parcel: Parcel) -> None:
    with pytest.raises(NotSentError, match="does not let us in") as fault:
        EmailPublisher().publish(replace(parcel, secret="desk:wrong"))
    assert "wrong" not in str(fault.value)
    assert mailbox.taken == []


def test_a_server_that_is_not_there_got_nothing(parcel: Parcel) -> None:
    with pytest.raises(NotSentError, match=r"127\.0\.0\.1 cannot be reached"):
        EmailPublisher().publish(replace(parcel, service="smtp://127.0.0.1:1"))


def test_a_server_elsewhere_must_protect_the_line(mailbox: Mailbox, parcel: Parcel) -> None:
    with (
        serving(mailbox, ELSEWHERE, auth_require_tls=False) as service,
        pytest.raises(NotSentError, match="STARTTLS"),
    ):
        EmailPublisher().publish(replace(parcel, service=service))
    assert mailbox.taken == []


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_only_a_server_that_proves_its_name_is_told_anything(
    mailbox: Mailbox,
    parcel: Parcel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    trusted: bool,
) -> None:
    chain, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    starting = {"tls_context": context, "require_starttls": True}
    more = starting if scheme == "smtp" else {"ssl_context": context, "auth_require_tls": False}
    with serving(mailbox, ELSEWHERE, **more) as service:
        parcel = replace(parcel, service=service.replace("smtp", scheme))
        if trusted:
            EmailPublisher().publish(parcel)
        else:
            with pytest.raises(NotSentError, match="certificate"):
                EmailPublisher().publish(parcel)
    assert len(mailbox.taken) == trusted


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of its own making for ELSEWHERE, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(ELSEWHERE))]), False)
        .sign(key, SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, secret


@pytest.mark.parametrize(
    "service",
    ["https://mail.example", "smtp://", "mail.example", "smtp://[x", "smtp://mail.example:port"],
)
def test_an_address_that_is_no_mail_server_is_named(parcel: Parcel, service: str) -> None:
    with pytest.raises(PublisherRejectedError, match="must look like smtps://"):
        EmailPublisher().publish(replace(parcel, service=service))


@pytest.mark.parametrize(
    "handle", ["", "marta", "a@b.c>\r\nRCPT TO:<x@y.z", "marta@tówn.example", "a b@town.example"]
)
def test_what_is_no_address_is_never_said_to_a_server(
    mailbox: Mailbox, parcel: Parcel, handle: str
) -> None:
    with pytest.raises(PublisherRejectedError, match="addressed like that"):
        EmailPublisher().publish(replace(parcel, handle=handle))
    assert mailbox.taken == []


@pytest.mark.parametrize(
    "fault",
    [
        *({"subject": ""}, {"subject": "Hello\r\nBcc: x@y.z"}, {"subject": "x" * 201}),
        *({"name": "Paula\n"}, {"handle": "paula"}, {"unsubscribe": "http://desk.example/"}),
        {"unsubscribe": "https://desk.example/>, <mailto:x@y.z"},
    ],
)
def test_a_head_that_cannot_be_is_never_fixed(fault: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"line|address"):
        record(PART | fault, DUE)
