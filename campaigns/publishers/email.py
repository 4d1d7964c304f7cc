"""One mail to one recipient by SMTP. A list of contacts is as many parcels.

SMTP cannot be asked what it took, and knows no key: only the server's answer after the final dot
decides. Until that dot is on its way a broken line means that nothing was sent, because a server
must not deliver half a mail (RFC 5321, 4.1.1.4); from then on it is a doubt for a person. The
Message-ID is the same in every attempt, so that whoever looks can find it in the server's log,
and many mail programs show a double once.
"""

import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

from campaigns.publishers import (
    InDoubtError,
    LockedOutError,
    NobodyThereError,
    NotSentError,
    Parcel,
    PublisherRejectedError,
    Receipt,
)
from campaigns.publishers.exchange import LOOPBACK, plain, why

TIMEOUT = 30.0  # seconds for each of: connect, one answer
DEADLINE = 120.0  # seconds for the whole transaction, however a server drips
PORTS = {"smtp": 587, "smtps": 465}  # submission with STARTTLS (RFC 6409), over TLS (RFC 8314)
GREYLIST_WAIT = 300.0  # seconds until a 4xx is worth another try (RFC 6647: minutes)
SUBJECT_MAX = 200  # characters
CLOSING = 421  # "I close now": after the dot nobody knows what became of the mail

# RFC 3463: the address itself is wrong (5.1.1 to 5.1.3, 5.1.6, 5.1.10), or its mailbox is off.
NOBODY = re.compile(rb"5\.(?:1\.(?:1|2|3|6|10)|2\.1)\b")

ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]+\.)+[A-Za-z0-9-]+")


def record(part: Mapping[str, Any], send_at: datetime) -> dict[str, Any]:
    """The complete mail of one part, alike for every recipient and on every attempt.

    ``part`` holds ``text``, ``subject``, ``handle`` (the address it comes from), ``name`` (the
    voice, as shown), ``list`` (id of the list of contacts) and ``unsubscribe`` (an https address
    before the recipient's own token). ``footer``, if given, ends the body, with that address after
    it. Raises ValueError for a head that cannot be.
    """
    for words in (part["subject"], part["name"]):
        if not words.strip() or not words.isprintable() or len(words) > SUBJECT_MAX:
            raise ValueError(f"Subject and sender need one line of up to {SUBJECT_MAX} characters.")
    if not ADDRESS.fullmatch(part["handle"]):
        raise ValueError(f"“{part['handle']}” is no address that mail can come from.")
    if not re.fullmatch(r"https://[\x21-\x7e]+", part["unsubscribe"]):
        raise ValueError("The address to leave the list by must start with https://.")
    return {
        "subject": part["subject"],
        "body": part["text"],
        "from": part["handle"],
        "name": part["name"],
        "list": part["list"],
        "unsubscribe": part["unsubscribe"],
        **({"footer": part["footer"]} if part.get("footer") else {}),
        "date": send_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


class EmailPublisher:
    """Sends to ``Parcel.handle``, the recipient's address.

    ``Parcel.service`` names the mail server, ``smtp://host:587`` (STARTTLS) or ``smtps://host:465``
    (TLS); without TLS it sends to loopback alone. ``secret`` is ``user:password``, or None.
    ``record_key`` belongs to one recipient: it is in the Message-ID and ends the address by which
    they leave the list.
    """

    repeatable = False

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline

    def mark(self, parcel: Parcel) -> str:
        """Nothing helps: SMTP cannot be asked."""
        return ""

    def publish(self, parcel: Parcel) -> Receipt:
        """Hand the mail to the server; published when it says 250 after the final dot."""
        if not ADDRESS.fullmatch(parcel.handle):
            raise PublisherRejectedError("No mail can be addressed like that.")
        mail = _dotted(written(parcel))
        _, name, _ = _place(parcel)
        try:
            with self._server(parcel) as server:
                sender = server.docmd(f"MAIL FROM:<{parcel.record['from']}>")
                _demand(sender, "the sender", 250, of_one=False)
                known = server.docmd(f"RCPT TO:<{parcel.handle}>")
                if NOBODY.match(known[1]):
                    raise NobodyThereError(f"The mail server refuses the recipient: {_told(known)}")
                _demand(known, "the recipient", 250, 251)
                _demand(server.docmd("DATA"), "the mail", 354)
                server.send(mail)
                answer = self._after_the_dot(server)
        except smtplib.SMTPAuthenticationError as fault:
            raise LockedOutError(
                f"{name} does not let us in: {_said(fault)}. Whoever runs the desk mends "
                "BREAKWATER_LIST_MAIL."
            ) from fault
        except (OSError, smtplib.SMTPException) as fault:
            raise NotSentError(
                f"{name} cannot be reached or broke off ({_said(fault)})."
            ) from fault
        _demand(answer, "the mail", *range(200, 300))
        return Receipt(uri=f"mid:{message_id(parcel)}", url=None)

    def find(self, parcel: Parcel) -> Receipt | None:
        """Always a doubt: no mail server says what it has taken."""
        raise InDoubtError(
            f"A mail server cannot be asked. Whoever runs {urlsplit(parcel.service).hostname} "
            f"finds the mail in its log by {message_id(parcel)}, if it was taken."
        )

    def _after_the_dot(self, server: smtplib.SMTP) -> tuple[int, bytes]:
        try:
            server.send(b".\r\n")
            answer = server.getreply()
        except (OSError, smtplib.SMTPException) as fault:
            raise InDoubtError(
                f"The mail server fell silent at the end ({_said(fault)})."
            ) from fault
        if answer[0] == CLOSING or not 200 <= answer[0] < 600:
            raise InDoubtError(f"The mail server broke off at the end: {_told(answer)}")
        return answer

    @contextlib.contextmanager
    def _server(self, parcel: Parcel) -> Iterator[smtplib.SMTP]:
        """The mail server, greeted, protected and signed in to."""
        scheme, host, port = _place(parcel)
        context = ssl.create_default_context()
        server = smtplib.SMTP(timeout=TIMEOUT)  # not connected by itself: the deadline comes first
        server.sock = socket.create_connection((host, port), TIMEOUT)
        end = Timer(self._deadline, _cut, [server])
        end.start()
        try:
            if scheme == "smtps":
                _protect(server, context, host)
            _demand(server.getreply(), "us", 220, of_one=False)
            server.ehlo_or_helo_if_needed()
            if scheme == "smtp" and (server.has_extn("starttls") or host not in LOOPBACK):
                protected = server.docmd("STARTTLS")
                _demand(protected, "a protected line (STARTTLS)", 220, of_one=False)
                _protect(server, context, host)
                server.ehlo()
            user, _, password = (parcel.secret or "").partition(":")
            if user:
                server.login(user, password)
            yield server
        finally:
            end.cancel()
            # Whatever it answers to our leave changes nothing: not waited for.
            with contextlib.suppress(OSError, smtplib.SMTPException):
                server.putcmd("quit")
            server.close()


def written(parcel: Parcel) -> bytes:
    """The mail as it is sent, with lines ending in CRLF. The same parcel gives the same words."""
    record = parcel.record
    mail = EmailMessage(policy=SMTP.clone(cte_type="7bit"))  # for servers that know no 8BITMIME
    mail["From"] = Address(display_name=record["name"], addr_spec=record["from"])
    mail["To"] = Address(addr_spec=parcel.handle)
    mail["Subject"] = record["subject"]
    mail["Date"] = format_datetime(datetime.fromisoformat(record["date"]))
    mail["Message-ID"] = message_id(parcel)
    # RFC 8058: one press in the mail program, one POST to us. DKIM must cover both lines.
    mail["List-Unsubscribe"] = f"<{record['unsubscribe']}{parcel.record_key}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    body = record["body"]
    if "footer" in record:
        leave = f"{record['unsubscribe']}{parcel.record_key}"
        body = f"{body}\n\n-- \n{record['footer']}{leave}\n"
    mail.set_content(body)
    return mail.as_bytes()


def message_id(parcel: Parcel) -> str:
    """Unique for a delivery, the same on every attempt."""
    return f"<{parcel.record_key}@{parcel.record['from'].partition('@')[2]}>"


def _dotted(mail: bytes) -> bytes:
    """A line that begins with a dot gets another one (RFC 5321, 4.5.2)."""
    return re.sub(rb"(?m)^\.", b"..", mail)


def _demand(answer: tuple[int, bytes], what: str, *good: int, of_one: bool = True) -> None:
    """Nothing if the server agrees; else NotSentError for a 4xx, PublisherRejectedError.

    ``of_one`` False: what is refused is not this mail alone (LockedOutError).
    """
    if answer[0] in good:
        return
    if 500 <= answer[0] < 600 and not of_one:
        raise LockedOutError(f"The mail server refuses {what}: {_told(answer)}")
    if 500 <= answer[0] < 600:
        raise PublisherRejectedError(f"The mail server refuses {what}: {_told(answer)}")
    raise NotSentError(f"The mail server puts off {what}: {_told(answer)}", GREYLIST_WAIT)


def _told(answer: tuple[int, bytes]) -> str:
    return plain(f"{answer[0]} {answer[1].decode(errors='replace')}")


def _said(fault: Exception) -> str:
    if isinstance(fault, smtplib.SMTPResponseException):
        words = fault.smtp_error
        said = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        return plain(said).rstrip(".")
    return plain(why(fault)).rstrip(".")


def _place(parcel: Parcel) -> tuple[str, str, int]:
    """(scheme, host, port) of the mail server."""
    try:
        address = urlsplit(parcel.service)
        port = address.port or PORTS[address.scheme]
    except (ValueError, KeyError):
        address = None
    if address is None or not address.hostname:
        raise PublisherRejectedError(
            "The mail server's address must look like smtps://mail.example.org:465."
        )
    return address.scheme, address.hostname, port


def _protect(server: smtplib.SMTP, context: ssl.SSLContext, host: str) -> None:
    """TLS from here on, with a server that proves its name. What it said before is forgotten."""
    if server.sock is None:
        raise smtplib.SMTPServerDisconnected("the line is gone")
    # In two steps, so that the deadline can end the handshake too.
    server.sock = context.wrap_socket(
        server.sock, server_hostname=host, do_handshake_on_connect=False
    )
    server.sock.do_handshake()
    server.file = None
    server.ehlo_resp = server.helo_resp = None
    server.esmtp_features = {}
    server.does_esmtp = False


def _cut(server: smtplib.SMTP) -> None:
    """End the connection under a call that hangs in it: the call fails like a broken line."""
    if server.sock is not None:
        with contextlib.suppress(OSError):
            # Not SSLSocket's own, which would take the TLS layer away while it is in use.
            socket.socket.shutdown(server.sock, socket.SHUT_RDWR)
