"""Erasing a contact: the right to be forgotten.

Name, addresses and place go, and with them whatever a server or a person wrote about them. Their
deliveries keep their number and how they ended. Of each address one thing stays, the keyed hash of
an opt-out: without it the next file would bring them back. It cannot be undone. Verbs never commit.
"""

import contextlib
from datetime import datetime

from cryptography.fernet import InvalidToken
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, aliased

from campaigns.contacts.contacts import AddressBook
from campaigns.contacts.opt_outs import opt_out_of
from campaigns.models import (
    AddressFault,
    Attempt,
    AudienceMember,
    Bark,
    Contact,
    ContactAddress,
    ContactErasure,
    Delivery,
    DeliveryReport,
    Finding,
    OptOut,
    Reply,
)
from campaigns.sending.deliveries import locked

NAME = "Erased contact"
GONE = "erased"  # in place of what is no more
SINCE = "The recipient was erased since."
WHY_CHARS = 400
SHOWN = 200  # erasures on their page


class UnderWayError(ValueError):
    """A message to them is on its way, or nobody knows if it is out: ``delivery``."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__(
            "A message to them is being sent this moment. Try again in a few minutes."
            if delivery.state == "attempting"
            else "Of one message to them nobody knows yet if it is out. Say first what became of "
            "it: afterwards nobody could find out any more."
        )
        self.delivery = delivery


def erase(
    session: Session, book: AddressBook, contact: Contact, *, why: str, by: int, now: datetime
) -> None:
    """Forget who they were. ``why`` must not say it. UnderWayError, or ValueError without a why."""
    said = " ".join(why.split())[:WHY_CHARS]
    if not said:
        raise ValueError("Say why they are erased, without their name.")
    numbers = [one.id for one in contact.addresses]
    theirs = Delivery.recipient_id.in_(numbers)
    locked(session, theirs & Delivery.settled_at.is_(None))  # first, as a claim does
    session.refresh(contact, with_for_update=True)
    if contact.erased_at is not None:
        raise ValueError("Somebody has erased them already.")
    for address in contact.addresses:  # what waits for them stops here
        opt_out_of(session, address, how="erased", by=by, now=now)
    doubts = locked(session, theirs & Delivery.state.in_(("attempting", "unconfirmed")))
    if doubts:
        raise UnderWayError(doubts[0])
    _forget_words(session, book, contact, numbers)
    for address in contact.addresses:
        _forget_address(session, address, by, now)
    session.execute(
        update(AudienceMember)
        .where(AudienceMember.contact_id == contact.id, AudienceMember.removed_at.is_(None))
        .values(removed_at=now, removed_by=by)
    )
    contact.name, contact.erased_at = NAME, now
    contact.county, contact.zone, contact.zones = None, None, []
    session.add(ContactErasure(contact_id=contact.id, why=said, by=by, at=now))
    session.flush()
    session.expire_all()


def _forget_words(
    session: Session, book: AddressBook, contact: Contact, numbers: list[int]
) -> None:
    """What servers and people wrote of their deliveries: it may name them."""
    theirs = select(Delivery.id).where(Delivery.recipient_id.in_(numbers)).scalar_subquery()
    for table, words in (
        (Attempt, Attempt.detail),
        (DeliveryReport, DeliveryReport.detail),
        (Finding, Finding.note),
    ):
        session.execute(
            update(table).where(table.delivery_id.in_(theirs), words != "").values({words: SINCE})
        )
    session.execute(
        update(Delivery)
        .where(Delivery.recipient_id.in_(numbers), Delivery.detail != "")
        .values(detail=SINCE)
    )
    session.execute(  # a gateway's own id leads to the number there
        update(Delivery)
        .where(Delivery.recipient_id.in_(numbers), Delivery.receipt_uri.is_not(None))
        .values(receipt_uri=GONE, receipt_url=None)
    )
    session.execute(update(Finding).where(Finding.delivery_id.in_(theirs)).values(url=None))
    for address in contact.addresses:
        with contextlib.suppress(InvalidToken):  # nobody can read what it was
            told = book.open(address.sealed or b"")
            session.execute(
                update(Bark)
                .where(Bark.why.contains(told, autoescape=True))
                .values(why=func.replace(Bark.why, told, GONE))
            )


def _forget_address(session: Session, address: ContactAddress, by: int, now: datetime) -> None:
    same = {"channel": address.channel, "hash": address.hash}
    session.execute(update(OptOut).filter_by(**same).values(sealed=None, label=GONE))
    again = update(OptOut).filter_by(**same).where(OptOut.ended_how.is_not(None))
    session.execute(again.values(ended_how=GONE))
    session.execute(
        update(Reply)
        .filter_by(**same, kind="words")
        .where(Reply.settled_at.is_(None))
        .values(settled_at=now, settled_by=by, outcome="opt-out")
    )
    session.execute(update(Reply).filter_by(**same).values(sealed=None, label=GONE, words=None))
    faults = update(AddressFault).where(AddressFault.address_id == address.id)
    session.execute(faults.values(why=SINCE))
    session.execute(faults.where(AddressFault.ended_at.is_not(None)).values(ended_why=SINCE))
    session.execute(
        faults.where(AddressFault.ended_at.is_(None)).values(
            ended_at=now, ended_by=by, ended_why=SINCE
        )
    )
    for consent in address.consents:
        consent.how = consent.evidence = consent.wording = GONE
        if consent.ended_at is None:
            consent.ended_at, consent.ended_by = now, by
        consent.ended_why = SINCE
    address.sealed, address.hash, address.label = None, f"{GONE}-{address.id}", GONE


def log(session: Session) -> list[tuple[ContactErasure, int]]:
    """(each erasure, how many deliveries had gone to them), the latest first."""
    to = aliased(ContactAddress)
    sent = (
        select(func.count(Delivery.id))
        .join(to, to.id == Delivery.recipient_id)
        .where(to.contact_id == ContactErasure.contact_id, Delivery.state == "published")
        .correlate(ContactErasure)
        .scalar_subquery()
    )
    query = select(ContactErasure, sent).order_by(
        ContactErasure.at.desc(), ContactErasure.contact_id.desc()
    )
    return [(row[0], row[1]) for row in session.execute(query.limit(SHOWN))]


def of_contact(session: Session, contact: Contact) -> ContactErasure:
    """Who erased them, when and why."""
    return session.get_one(ContactErasure, contact.id)
