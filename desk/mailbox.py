"""The mailbox in which bounces and answers arrive, by IMAP. Nothing in it is changed or marked.

It is read in small batches, each within a deadline, and the line is closed before anything of it is
thought about: no database session is open meanwhile.
"""

import contextlib
import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from threading import Timer
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from campaigns.contacts.returned_mail import MAIL_MAX
from campaigns.publishers.exchange import LOOPBACK

PORTS = {"imap": 143, "imaps": 993}  # with STARTTLS, over TLS
TIMEOUT = 30.0  # seconds for each of: connect, one answer
DEADLINE = 120.0  # seconds for one batch, however a server drips
BATCH = 50  # mails
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
EXAMPLE = "imaps://user:password@mail.example.org/INBOX"


class MailboxError(Exception):
    """It could not be read; the message is a sentence without any secret."""


@dataclass(frozen=True)
class Place:
    """A folder of somebody's mailbox."""

    scheme: str  # a key of PORTS
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str

    @property
    def name(self) -> str:
        """By which it is known among others."""
        return f"{self.user} at {self.host}:{self.port}, {self.folder}"


@dataclass(frozen=True)
class Batch:
    """Mails in the order in which they came: (IMAP's number, the mail as far as it is read).

    Where ``validity`` is another than before, the numbers began anew.
    """

    validity: int
    mails: list[tuple[int, bytes]] = field(repr=False)

    @property
    def whole(self) -> bool:
        """Whether there may be more."""
        return len(self.mails) >= BATCH


def read_place(url: str) -> Place:
    """ValueError, the end of a sentence without the address, where it names no mailbox."""
    try:
        there = urlsplit(url)
        port = there.port or PORTS[there.scheme]
    except (ValueError, KeyError):
        there, port = None, 0
    if there is None or not there.hostname or not there.username or not there.password:
        raise ValueError(f"is no mailbox; one looks like {EXAMPLE}")
    words = (unquote(there.username), unquote(there.password), unquote(there.path.strip("/")))
    if not all(one.isascii() and one.isprintable() for one in words):
        raise ValueError("holds a sign that IMAP cannot carry there")
    user, password, folder = words
    return Place(there.scheme, there.hostname, port, user, password, folder or "INBOX")


def fetch(
    place: Place, known: tuple[int, int] | None, since: date, deadline: float = DEADLINE
) -> Batch:
    """The next mails after the one with ``known`` (validity, number), none older than ``since``.

    MailboxError, never long after ``deadline`` seconds.
    """
    try:
        with _opened(place, deadline) as box:
            validity = _number(box, "UIDVALIDITY")
            last = known[1] if known is not None and known[0] == validity else 0
            # The last mail matches n:* whatever n is (RFC 9051, 9).
            day = f"{since.day}-{MONTHS[since.month - 1]}-{since.year}"
            found = _said(box.uid("SEARCH", f"UID {last + 1}:*", "SINCE", day))
            words = b" ".join(one for one in found if isinstance(one, bytes)).split()
            numbers = sorted({int(word) for word in words if word.isdigit()})
            wanted = [one for one in numbers if one > last][:BATCH]
            return Batch(validity, [(one, _mail(box, one)) for one in wanted])
    except (imaplib.IMAP4.error, OSError, ValueError) as fault:
        raise MailboxError(_why(fault)) from fault


def _mail(box: imaplib.IMAP4, number: int) -> bytes:
    """One mail, as far as it is read; empty where it was deleted meanwhile."""
    kind, told = box.uid("FETCH", str(number), f"(BODY.PEEK[]<0.{MAIL_MAX}>)")
    if kind != "OK":  # it stands there and cannot be read: the others can
        return b""
    return next((one[1] for one in told if isinstance(one, tuple)), b"")


@contextlib.contextmanager
def _opened(place: Place, deadline: float) -> Iterator[imaplib.IMAP4]:
    """The folder, to be looked at only."""
    context = ssl.create_default_context()
    box: _Line | _Protected = (
        _Protected(place, context, deadline) if place.scheme == "imaps" else _Line(place, deadline)
    )
    try:
        if place.scheme == "imap" and place.host not in LOOPBACK:
            box.starttls(context)
        _said(box.login(_quoted(place.user), place.password))
        _said(box.select(_quoted(place.folder), readonly=True))
        yield box
    finally:
        # Whatever it would answer to our leave changes nothing.
        with contextlib.suppress(OSError):
            box.shutdown()


class _Line(imaplib.IMAP4):
    """A line that ends by its deadline: the library asks its first question while it is made."""

    def __init__(self, place: Place, deadline: float) -> None:
        self._deadline = deadline
        super().__init__(place.host, place.port, timeout=TIMEOUT)

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        super().open(host, port, timeout)
        self._end = _ending(self, self._deadline)

    def shutdown(self) -> None:
        self._end.cancel()
        super().shutdown()

    def starttls(
        self, ssl_context: ssl.SSLContext | None = None
    ) -> tuple[Literal["OK"], list[None]]:
        answer = super().starttls(ssl_context)
        if self._end.finished.is_set():  # it cut the line that this one took the place of
            raise self.abort("too late")
        return answer


class _Protected(imaplib.IMAP4_SSL):
    """The same over TLS."""

    def __init__(self, place: Place, context: ssl.SSLContext, deadline: float) -> None:
        self._deadline = deadline
        super().__init__(place.host, place.port, ssl_context=context, timeout=TIMEOUT)

    def open(self, host: str = "", port: int | None = 0, timeout: float | None = None) -> None:
        super().open(host, port, timeout)
        self._end = _ending(self, self._deadline)

    def shutdown(self) -> None:
        self._end.cancel()
        super().shutdown()


def _ending(box: imaplib.IMAP4, deadline: float) -> Timer:
    end = Timer(deadline, _cut, [box])
    end.daemon = True
    end.start()
    return end


def _said(answer: tuple[str, list[Any]]) -> list[Any]:
    kind, told = answer
    if kind != "OK":
        raise imaplib.IMAP4.error("refused")
    return told


def _number(box: imaplib.IMAP4, name: str) -> int:
    _, told = box.response(name)
    words = told[0] if told and isinstance(told[0], bytes) else b""
    if not re.fullmatch(rb"\d{1,10}", words):
        raise ValueError("it does not say how its mails are numbered")
    return int(words)


def _quoted(words: str) -> str:
    escaped = words.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _why(fault: Exception) -> str:
    """In our own words: a server's may hold what we said to it."""
    if isinstance(fault, ssl.SSLError):
        return "No protected connection to the mailbox is possible."
    if isinstance(fault, imaplib.IMAP4.abort):
        return "The mailbox’s server broke off."
    if isinstance(fault, imaplib.IMAP4.error):
        return "The mailbox’s server does not let the desk in, or knows no such folder."
    if isinstance(fault, OSError):
        return "The mailbox’s server cannot be reached."
    return "The mailbox’s server says what cannot be understood."


def _cut(box: imaplib.IMAP4) -> None:
    """End the connection under a call that hangs in it: the call fails like a broken line."""
    with contextlib.suppress(OSError):
        # Not SSLSocket's own, which would take the TLS layer away while it is in use.
        socket.socket.shutdown(box.sock, socket.SHUT_RDWR)
