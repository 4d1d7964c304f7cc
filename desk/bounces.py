"""Reading the mailbox of bounces: from a mail that came in to whom it concerns.

Mail of ours is a message to a contact, or a notice to one of our own people: each is known by its
Message-ID. How far the mailbox was read is committed with what was read; a mail that breaks the
reading is put on the log and passed over.
"""

import hashlib
import logging
import re
from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from campaigns.contacts import bounces
from campaigns.contacts.contacts import AddressBook
from campaigns.contacts.returned_mail import Answer, Bounce, read
from desk import channels
from desk.mailbox import MailboxError, Place, fetch
from desk.models import Channel, Mailbox, Notice

BACK = timedelta(days=30)  # an older mail is no news: a bounce comes within five days (RFC 5321)
ROUNDS = 10  # batches in one look: the next look comes in minutes
# desk/telling.py: what a notice's mail is called.
NOTICE = re.compile(r"notice-(\d{1,18})-(\d{14})@")

log = logging.getLogger(__name__)


def look(
    sessions: sessionmaker[Session],
    place: Place,
    book: AddressBook,
    vault: Fernet,
    clock: Callable[[], datetime],
) -> int:
    """Read what came since the last look; answers how many mails. Never raises for the mailbox."""
    seen = 0
    for _ in range(ROUNDS):
        now = clock()
        with sessions() as session:
            row = session.get(Mailbox, place.name)
            known = None if row is None else (row.validity, row.uid)
        try:
            batch = fetch(place, known, (now - BACK).date())
        except MailboxError as fault:
            with sessions.begin() as session:
                _reached(session, place, known or (0, 0), now, str(fault))
            return seen
        last = known[1] if known is not None and known[0] == batch.validity else 0
        for number, raw in batch.mails:
            try:
                with sessions.begin() as session:
                    heed(session, book, vault, raw, now)
                    _reached(session, place, (batch.validity, number), now)
            except (OperationalError, InterfaceError):  # the database: the same mail once more
                log.exception("The mailbox of bounces waits for the database")
                return seen
            except Exception:
                log.exception("A mail in the mailbox of bounces could not be dealt with")
            last, seen = number, seen + 1
        with sessions.begin() as session:
            _reached(session, place, (batch.validity, last), now)
        if not batch.whole:
            break
    return seen


def heed(session: Session, book: AddressBook, vault: Fernet, raw: bytes, now: datetime) -> str:
    """One mail: bounce of a message, bounce of a notice, answer; "" where it is none of these."""
    found = read(raw)
    if isinstance(found, Bounce):
        if bounces.came_back(session, found, now):
            return "bounce of a message"
        return "bounce of a notice" if _notice_came_back(session, vault, found, now) else ""
    if isinstance(found, Answer):
        mail_id = hashlib.sha256(raw).hexdigest()
        return "answer" if bounces.answered(session, book, found, mail_id, now) else ""
    return ""


def _notice_came_back(session: Session, vault: Fernet, bounce: Bounce, now: datetime) -> bool:
    """A number can be guessed: the bounce must name the address too that the notice went to."""
    for one in bounce.ids:
        named = NOTICE.match(one)
        notice = session.get(Notice, int(named[1])) if named else None
        if notice is None or named is None or f"{notice.made_at:%Y%m%d%H%M%S}" != named[2]:
            continue
        address = _address(notice.channel, vault)
        for told in bounce.reported:
            if told.kind == "failed" and address in told.addresses:
                permanent = told.status.startswith("5")
                channels.came_back(session, notice, told.why, permanent=permanent, now=now)
                return True
    return False


def _address(channel: Channel, vault: Fernet) -> str:
    """Where mail of this channel goes, in small letters; "" where it is none, or unreadable."""
    if channel.service != "mail":
        return ""
    if channel.address is None:
        return channel.person.email.lower()
    try:
        return vault.decrypt(channel.address).decode().lower()
    except InvalidToken:
        return ""


def _reached(
    session: Session, place: Place, at: tuple[int, int], now: datetime, fault: str = ""
) -> None:
    row = session.get(Mailbox, place.name, with_for_update=True)
    if row is None:
        row = Mailbox(place=place.name, validity=at[0], uid=at[1], looked_at=now, fault=fault)
        session.add(row)
    if not fault:
        row.validity, row.uid, row.looked_at = at[0], at[1], now
    row.fault = fault
    session.flush()
