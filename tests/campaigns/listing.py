"""A list of contacts who agreed, and a voice that speaks to it."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.contacts import audiences, contacts
from campaigns.contacts.contacts import AddressBook
from campaigns.drafting.messages import start_message
from campaigns.models import Account, Approval, Audience, Contact, Delivery, Message, Voice
from campaigns.voices import record_consent
from tests.campaigns import cast

BOOK = AddressBook(cast.VAULT, b"a key of thirty-two bytes, at least")
DESK = "https://desk.example"
TEXT = (
    "Paula Price: Our town's bridge is open. Use it: the crew finished on Monday. "
    "Reply STOP to end."
)
MAIL = f"Subject: The bridge\n\n{cast.CALM}"


def member(
    session: Session,
    audience: Audience,
    name: str,
    now: datetime,
    *,
    email: str = "",
    number: str = "",
    zone: str = "America/Detroit",
    book: AddressBook = BOOK,
) -> Contact:
    """A contact on the list who agreed to whatever address they have."""
    contact = contacts.add_contact(
        session,
        book,
        name=name,
        language="en",
        county="",
        zone=zone,
        email=email,
        number=number,
        by=cast.CARL_COMMS,
        now=now,
    )
    for address in contact.addresses:
        contacts.record_consent(
            session,
            address,
            given_at=now - timedelta(days=1),
            how="Signed the sheet at the market",
            evidence="Sheet 4, office safe",
            wording="Messages about our bridge, by mail and text",
            by=cast.CARL_COMMS,
            now=now,
        )
    audiences.add_members(session, audience, [contact.id], by=cast.CARL_COMMS, now=now)
    return contact


def make_list(session: Session, now: datetime, name: str = "Parents") -> Audience:
    return audiences.make(session, name, "News about the bridge", by=cast.CARL_COMMS, now=now)


def speak(
    session: Session, audience: Audience, channel: str, now: datetime, voice: Voice | None = None
) -> Account:
    """Pastor Paula, or ``voice``, speaks to the list by this channel, and agreed to that."""
    voice = voice or cast.make_voice(session, now)
    record_consent(
        session,
        voice,
        scope="Messages to lists",
        platforms=[channel],
        evidence="Signed form",
        valid_from=now - timedelta(days=1),
        valid_until=now + timedelta(days=30),
        by=cast.CARL_COMMS,
        now=now,
    )
    return audiences.connect(
        session,
        voice,
        audience,
        channel=channel,
        sender="paula@hope.example" if channel == "email" else "+19895550100",
        registration="" if channel == "email" else "CMPGN1",
        desk=DESK,
        by=cast.CARL_COMMS,
        now=now,
    )


def approved(
    session: Session, account: Account, send_at: datetime, now: datetime, text: str = MAIL
) -> Approval:
    """A message of the account's voice, approved and on its way to everybody on the list."""
    session.expire(account.voice)
    message: Message = start_message(
        session, cast.make_campaign(session, now), account.voice, by=cast.CARL_COMMS, now=now
    )
    return cast.approve_message(session, message, send_at, now, text)


def to(session: Session, contact: Contact) -> Delivery:
    """The newest delivery to a contact, as it stands now."""
    session.expire_all()
    numbers = [one.id for one in contact.addresses]
    query = select(Delivery).where(Delivery.recipient_id.in_(numbers))
    return session.scalars(query.order_by(Delivery.id.desc()).limit(1)).one()
