"""The mailbox of bounces, on a real IMAP server (pymap): read once, in order, and left as it is."""

import contextlib
import imaplib
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy import select

from campaigns.models import Delivery, DeliveryReport, OptOut, Reply
from desk import bounces, channels, mailbox
from desk.mailbox import MailboxError, Place, fetch, read_place
from desk.models import Channel, ChannelFault, Mailbox, Notice
from desk.wiring import Wiring
from tests.campaigns import listing
from tests.campaigns.contacts.test_returned_mail import answer, bounced
from tests.conftest import free_port
from tests.desk.conftest import Cast, Client

USER, PASSWORD, FOLDER = "desk", 'p w"\\d', "INBOX/Returned mail"
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def box() -> Iterator[imaplib.IMAP4]:
    """A line to a server of our own, on which there is an empty FOLDER."""
    port = free_port()
    pymap = str(Path(sys.executable).with_name("pymap"))
    command = [pymap, "--no-tls", "--host", "127.0.0.1", "--port", str(port)]
    account = ["dict", "--demo-data", "--demo-user", USER, "--demo-password", PASSWORD]
    server = subprocess.Popen(
        [*command, *account], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                line = imaplib.IMAP4("127.0.0.1", port, timeout=60)
                break
            except OSError:
                assert server.poll() is None, "pymap ended at once"
                assert time.monotonic() < deadline
                time.sleep(0.1)
        line.login(f'"{USER}"', PASSWORD)  # costs the server a second: once is enough
        line.create(f'"{FOLDER}"')
        yield line
        line.shutdown()
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def place(box: imaplib.IMAP4) -> Place:
    """Where the desk finds the folder."""
    return Place("imap", *box.sock.getpeername(), USER, PASSWORD, FOLDER)


def put(box: imaplib.IMAP4, *mails: bytes, at: datetime = NOW) -> None:
    """Mails arrive."""
    for mail in mails:
        box.append(f'"{FOLDER}"', "", imaplib.Time2Internaldate(at), mail)


def look(wiring: Wiring, place: Place) -> int:
    clock = lambda: datetime.now(UTC)  # noqa: E731
    return bounces.look(wiring.sessions, place, wiring.book, wiring.vault, clock)


def test_what_comes_back_reaches_whom_it_concerns_once(
    wiring: Wiring,
    cast: Cast,
    box: imaplib.IMAP4,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mailbox, "BATCH", 4)  # so that one look takes two
    with wiring.sessions.begin() as session:
        audience = listing.make_list(session, NOW)
        for name in ("ana", "ben"):
            mail = f"{name}@town.example"
            listing.member(session, audience, name, NOW, email=mail, book=wiring.book)
        account = listing.speak(session, audience, "email", NOW)
        listing.approved(session, account, NOW + timedelta(hours=2), NOW)
        first, second = session.scalars(select(Delivery.record_key).order_by(Delivery.id))
        channels.give_first(session, NOW)
        channel = session.scalars(select(Channel).where(Channel.person_id == cast.monitor.id)).one()
        told = Notice(channel=channel, kind="try", level=0, made_at=NOW, due_at=NOW)
        told.state, told.settled_at = "delivered", NOW
        session.add(told)
        session.flush()
        notice = f"notice-{told.id}-{NOW:%Y%m%d%H%M%S}@desk.example"
    put(box, bounced(message_id="old@hope.example"), at=NOW - timedelta(days=90))
    put(
        box,
        b"\x00\xff not a mail at all",
        bounced(message_id=f"{first}@hope.example"),
        bounced(message_id=notice, to="somebody.else@desk.example"),  # guessed
        bounced(message_id=notice, to="Maya@desk.example"),
        answer("Stop", In_Reply_To=f"<{second}@hope.example>"),
    )
    assert look(wiring, place) == 5
    assert look(wiring, place) == 0
    put(box, answer("Who pays?", In_Reply_To=f"<{second}@hope.example>"))
    assert look(wiring, place) == 1
    with wiring.sessions() as session:
        assert session.scalars(select(DeliveryReport.code)).all() == ["5.1.1"]
        assert session.scalars(select(OptOut.how)).all() == ["mail"]
        assert session.scalars(select(Reply.kind).order_by(Reply.id)).all() == ["stop", "words"]
        (fault,) = session.scalars(select(ChannelFault)).all()
        assert (fault.channel_id, fault.why) == (channel.id, "There is no such mailbox.")
        assert session.get_one(Notice, told.id).state == "failed"
        assert [one.id for one in channels.unreachable(session, mails=True)] == [cast.monitor.id]
        # Another numbering: all is read anew, and nothing counts twice.
        session.scalars(select(Mailbox)).one().validity += 1
        session.commit()
    assert look(wiring, place) == 6
    with wiring.sessions() as session:
        assert len(session.scalars(select(DeliveryReport)).all()) == 1
        assert len(session.scalars(select(Reply)).all()) == 2
    box.select(f'"{FOLDER}"', readonly=True)
    assert len(box.search(None, "UNSEEN")[1][0].split()) == 7  # nobody sees that we were there


def test_a_closed_door_is_told_and_forgotten_when_it_opens(
    wiring: Wiring, cast: Cast, client: Client, place: Place
) -> None:
    object.__setattr__(wiring, "mailbox", place)
    assert look(wiring, replace(place, password="guessed")) == 0
    page = client(cast.admin).get("/notices").text
    assert "Mail that comes back is not read" in page
    assert "guessed" not in page
    look(wiring, place)
    assert "Mail that comes back is not read" not in client(cast.admin).get("/notices").text


def test_a_channel_that_does_not_arrive_is_shown_until_its_person_puts_it_right(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    with wiring.sessions.begin() as session:
        channels.give_first(session, NOW)
        channel = session.scalars(select(Channel).where(Channel.person_id == cast.monitor.id)).one()
        told = Notice(channel=channel, kind="try", level=0, made_at=NOW, due_at=NOW)
        session.add(told)
        session.flush()
        channels.came_back(session, told, "There is no such mailbox.", permanent=True, now=NOW)
        number = channel.id
    maya = client(cast.monitor)
    assert "Mail there comes back" in maya.get("/me").text
    assert "m…@desk.example: mail there comes back" in client(cast.admin).get("/notices").text
    form = {"channel": str(number)}
    assert client(cast.admin).post("/me/channels/arrives", data=form).status_code == 404
    assert maya.post("/me/channels/arrives", data=form).status_code == 303
    assert "Mail there comes back" not in maya.get("/me").text


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b"* OK I am here\r\n" + b"* " * 40, "broke off|cannot be reached"),  # and never ends it
        (b"* OK I am here\r\n* BYE\r\n", "broke off|cannot be reached"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "broke off"),
    ],
)
def test_a_server_that_drips_or_lies_ends_the_look_in_time(said: bytes, fault: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = Place("imap", *listener.getsockname(), USER, PASSWORD, "INBOX")
        threading.Thread(target=_drip, args=(listener, said), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(MailboxError, match=fault) as told:
            fetch(nobody, None, NOW.date(), deadline=1.0)
        assert time.monotonic() - began < 20
    assert PASSWORD not in str(told.value)
    with pytest.raises(MailboxError, match="cannot be reached"):
        fetch(nobody, None, NOW.date())


def test_the_deadline_holds_on_a_line_that_became_protected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = "127.0.0.2"  # of loopback, and not one that needs no protection
    pair = _certificate(tmp_path, elsewhere)
    monkeypatch.setenv("SSL_CERT_FILE", str(pair))
    with socket.create_server((elsewhere, 0)) as listener:
        nobody = Place("imap", *listener.getsockname(), USER, PASSWORD, "INBOX")
        protected = threading.Event()
        threading.Thread(target=_protect, args=(listener, pair, protected), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(MailboxError, match=r"broke off|cannot be reached"):
            fetch(nobody, None, NOW.date(), deadline=3.0)
        assert time.monotonic() - began < 20
    assert protected.is_set()


def _certificate(folder: Path, address: str) -> Path:
    """A key and a certificate that signs itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), False)
        .sign(key, hashes.SHA256())
    )
    pair = folder / "pair.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pair.write_bytes(secret + made.public_bytes(Encoding.PEM))
    return pair


def _protect(listener: socket.socket, pair: Path, protected: threading.Event) -> None:
    """A server that takes STARTTLS, and then says a sign now and then."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair)
    with contextlib.suppress(OSError):
        line, _ = listener.accept()
        line.sendall(b"* OK I am here\r\n")
        for said in (b"* CAPABILITY IMAP4rev1 STARTTLS\r\n", b""):
            tag = line.recv(1000).split()[0]
            line.sendall(said + tag + b" OK done\r\n")
        with context.wrap_socket(line, server_side=True) as wrapped:
            protected.set()
            for _ in range(300):  # longer than the test has patience
                time.sleep(0.1)
                wrapped.sendall(b"x")


def _drip(listener: socket.socket, said: bytes) -> None:
    """A server that says this much at once, and then a sign now and then."""
    with contextlib.suppress(OSError):
        line, _ = listener.accept()
        with line:
            line.sendall(said)
            while "400" not in str(said) and "BYE" not in str(said):
                time.sleep(0.1)
                line.sendall(b"x")


@pytest.mark.parametrize(
    "url",
    [
        *("", "imaps://mail.example.org", "https://user:pw@mail.example.org", "imaps://u@h/INBOX"),
        *("imaps://user:pw@mail.example.org:x/", "imaps://u:p%0d%0aA1 LOGOUT@h/INBOX"),
    ],
)
def test_what_is_no_mailbox_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"no mailbox|cannot carry") as fault:
        read_place(url)
    assert "pw" not in str(fault.value)
    assert "user:password" in str(fault.value) or "sign" in str(fault.value)


def test_where_a_mailbox_is() -> None:
    found = read_place("imaps://desk%40town.example:p%2Fw@mail.example.org/Returned%20mail")
    assert found == Place(
        "imaps", "mail.example.org", 993, "desk@town.example", "p/w", "Returned mail"
    )
    assert "p/w" not in repr(found) + found.name
    assert read_place("imap://u:p@localhost:1143").folder == "INBOX"
