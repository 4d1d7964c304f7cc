"""What a mail that came back, or an answer to one, means for a contact.

A mail of ours is known by the key in its Message-ID, which nobody has but who got it. Verbs never
commit.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.contacts import opt_outs, receipts
from campaigns.contacts.contacts import AddressBook
from campaigns.contacts.returned_mail import Answer, Bounce, stop_words
from campaigns.models import ContactAddress, Delivery
from campaigns.publishers.receipts import Said


def came_back(session: Session, bounce: Bounce, now: datetime) -> bool:
    """Keep what a bounce says of a mail to a contact; whether it was one of those."""
    for one in bounce.ids:
        if (key := _key(session, one)) is None:
            continue
        for told in bounce.reported:
            said = Said("mail", told.kind, told.status, told.why, gone=told.gone)
            receipts.take(session, key, said, now=now)
        return True
    return False


def answered(
    session: Session, book: AddressBook, answer: Answer, mail_id: str, now: datetime
) -> str:
    """Heed an answer: "stop" takes effect here, other words to a mail of ours wait for a person.

    "" where it is none of our business. ``mail_id``: of the answer, so that it counts once.
    """
    to = next((found for one in answer.ids if (found := _recipient(session, one))), None)
    stop = any(opt_outs.kind_of(words) == "stop" for words in stop_words(answer))
    if to is not None and to.sealed is None:
        return ""  # erased since: an opt-out of theirs stands
    if to is not None and stop:  # whoever can open what
        opt_outs.opt_out_of(session, to, how="mail", by=None, now=now)
    if to is None and not (stop and answer.sender):
        return ""
    address = answer.sender if to is None else book.open(to.sealed or b"")
    heard = opt_outs.hear_mail(
        session,
        book,
        mail_id=mail_id,
        address=address,
        words=answer.words or answer.subject,
        stop=stop,
        now=now,
    )
    return heard.kind


def _key(session: Session, message_id: str) -> str | None:
    """The key of the delivery whose mail has this Message-ID; None: it is not one of ours."""
    key, _, host = message_id.rpartition("@")
    found = session.scalar(
        select(Delivery.record["from"].astext).where(
            Delivery.record_key == key, Delivery.recipient_id.is_not(None)
        )
    )
    return key if found is not None and found.rpartition("@")[2] == host else None


def _recipient(session: Session, message_id: str) -> ContactAddress | None:
    key = _key(session, message_id)
    if key is None:
        return None
    return session.scalar(
        select(ContactAddress)
        .join(Delivery, Delivery.recipient_id == ContactAddress.id)
        .where(Delivery.record_key == key, ContactAddress.channel == "email")
    )
