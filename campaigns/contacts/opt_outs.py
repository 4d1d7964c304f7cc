"""Opt-outs and replies: whoever says stop is heard at once, and whoever is unclear by a person.

Nothing here tells a known address from an unknown one: both are kept and answered alike.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from campaigns.contacts.contacts import AddressBook, masked, stop_waiting
from campaigns.models import ContactAddress, Delivery, OptOut, Reply

# Twilio's own list (Advanced Opt-Out), what people write besides, and the same in Spanish. A word
# that could be an answer to something else ("no", "fin") is not here: a person reads it.
STOP = frozenset(
    (
        *("stop", "stopall", "unsubscribe", "end", "quit", "revoke", "optout", "cancel"),
        *("stopp", "stoptexting", "stoptextingme", "pleasestop", "stopplease", "removeme"),
        *("alto", "parar", "pare", "baja", "cancelar", "detener", "basta"),
    )
)
HELP = frozenset({"help", "info", "ayuda"})
START = frozenset({"start", "unstop", "comenzar", "empezar"})
WORDS_CHARS = 1_600  # what a gateway passes on at most

STOPPED = "{name}: you get no more texts from us. Text START to get them again."
STARTED = "{name}: you get our texts again, if you agreed to them. Text STOP to end."
HELPED = "{name}: messages from local people, sent to those who agreed. {contact}Text STOP to end."


@dataclass(frozen=True)
class Heard:
    """What came in was understood as ``kind`` (stop, help, start, words); ``again``: once more."""

    kind: str
    again: bool = False


def kind_of(words: str) -> str:
    """stop, help, start, or words: whatever a person must read. Case and signs do not matter."""
    said = re.sub(r"[\W_]+", "", words).casefold()
    for kind, known in (("stop", STOP), ("help", HELP), ("start", START)):
        if said in known:
            return kind
    return "words"


def hear(
    session: Session,
    book: AddressBook,
    *,
    gateway: str,
    gateway_id: str,
    number: str,
    words: str,
    now: datetime,
) -> Heard:
    """A text message from a normal ``number``. STOP and START take effect here.

    The same text a second time, by ``gateway_id``, changes nothing.
    """
    kind = kind_of(words)
    if not _keep(session, book, (gateway, gateway_id), "sms", number, kind, words, now):
        return Heard(kind, again=True)
    if kind == "stop":
        opt_out(session, book, "sms", number, how="stop", by=None, now=now)
    if kind == "start":
        for standing in _standing(session, "sms", book.hash("sms", number)):
            standing.ended_at, standing.ended_how = now, "They texted START."
        session.flush()
    return Heard(kind)


def hear_mail(
    session: Session,
    book: AddressBook,
    *,
    mail_id: str,
    address: str,
    words: str,
    stop: bool,
    now: datetime,
) -> Heard:
    """An answer by mail from a normal ``address``. A stop takes effect here; anything else waits
    for a person. The same mail a second time, by ``mail_id``, changes nothing."""
    kind = "stop" if stop else "words"
    if not _keep(session, book, ("mail", mail_id), "email", address, kind, words, now):
        return Heard(kind, again=True)
    if stop:
        opt_out(session, book, "email", address, how="mail", by=None, now=now)
    return Heard(kind)


def _keep(
    session: Session,
    book: AddressBook,
    came: tuple[str, str],
    channel: str,
    address: str,
    kind: str,
    words: str,
    now: datetime,
) -> bool:
    """Put on record what came in, by (gateway, its id); False: it was there before."""
    row = session.execute(
        insert(Reply)
        .values(
            gateway=came[0],
            gateway_id=came[1],
            channel=channel,
            hash=book.hash(channel, address),
            sealed=book.seal(address),
            label=masked(channel, address),
            words=book.seal(words[:WORDS_CHARS]) if kind == "words" else None,
            kind=kind,
            at=now,
        )
        .on_conflict_do_nothing(index_elements=["gateway", "gateway_id"])
        .returning(Reply.id)
    ).scalar()
    return row is not None


def answer(kind: str, name: str, contact: str) -> str:
    """The one text that goes back at once, required by law and no message of a campaign.

    Empty for words that a person reads. ``name``: the organisation; ``contact``: where it is found.
    """
    said = {"stop": STOPPED, "start": STARTED, "help": HELPED}.get(kind, "")
    return said.format(name=name, contact=f"Questions: {contact}. " if contact else "")


def opt_out(
    session: Session,
    book: AddressBook,
    channel: str,
    address: str,
    *,
    how: str,
    by: int | None,
    now: datetime,
) -> None:
    """Nothing more goes to a normal address, whoever's it is; what waits for it stops here."""
    whose = OptOut(
        channel=channel,
        hash=book.hash(channel, address),
        sealed=book.seal(address),
        label=masked(channel, address),
    )
    opt_out_of(session, whose, how=how, by=by, now=now)


def opt_out_of(
    session: Session,
    whose: ContactAddress | Reply | OptOut,
    *,
    how: str,
    by: int | None,
    now: datetime,
) -> None:
    """The same for an address that is in a row already: it need not be opened for that."""
    session.execute(
        insert(OptOut)
        .values(
            channel=whose.channel,
            hash=whose.hash,
            sealed=whose.sealed,
            label=whose.label,
            how=how,
            at=now,
            by=by,
        )
        .on_conflict_do_nothing()
    )
    why = "The recipient wants no more messages."
    stop_waiting(session, whose.channel, whose.hash, why, now)


def leave(session: Session, key: str, now: datetime) -> bool:
    """By the address in a mail: whoever got the delivery with this key gets no more e-mail.

    Whether there is such a delivery; a second time changes nothing.
    """
    to = session.scalar(
        select(ContactAddress)
        .join(Delivery, Delivery.recipient_id == ContactAddress.id)
        .where(Delivery.record_key == key, Delivery.recipient_id.is_not(None))
    )
    if to is None:
        return False
    if to.sealed is None:  # erased since: an opt-out of theirs stands
        return True
    opt_out_of(session, to, how="unsubscribe", by=None, now=now)
    return True


def waiting_replies(session: Session) -> list[Reply]:
    """Words that a person must read, the oldest first."""
    return list(
        session.scalars(
            select(Reply)
            .where(Reply.kind == "words", Reply.settled_at.is_(None))
            .order_by(Reply.at, Reply.id)
        )
    )


def waiting() -> tuple[ScalarSelect[Any], ScalarSelect[Any]]:
    """How many replies a person must read, and since when the oldest waits: as parts of a query.

    Their words stay sealed.
    """
    waits = (Reply.kind == "words", Reply.settled_at.is_(None))
    return (
        select(func.count(Reply.id)).where(*waits).scalar_subquery(),
        select(func.min(Reply.at)).where(*waits).scalar_subquery(),
    )


def settle(session: Session, reply: Reply, *, leaves: bool, by: int, now: datetime) -> None:
    """A person read it: they want no more, or they do not say so. Its words are forgotten.

    ValueError if somebody else did before.
    """
    session.refresh(reply, with_for_update=True)
    if reply.kind != "words" or reply.settled_at is not None:
        raise ValueError("Somebody has dealt with this reply already.")
    reply.settled_at, reply.settled_by = now, by
    reply.outcome, reply.words = ("opt-out" if leaves else "no opt-out"), None
    session.flush()
    if leaves:
        opt_out_of(session, reply, how="words", by=by, now=now)


def _standing(session: Session, channel: str, hash_: str) -> list[OptOut]:
    return list(
        session.scalars(
            select(OptOut).where(
                OptOut.channel == channel, OptOut.hash == hash_, OptOut.ended_at.is_(None)
            )
        )
    )
