"""Contacts: who agreed to be written to, at which address, how we know, and until when."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import phonenumbers
from cryptography.fernet import Fernet
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, selectinload

from campaigns.contacts.local_hours import zones_of
from campaigns.models import (
    CHANNELS,
    Contact,
    ContactAddress,
    ContactConsent,
    Delivery,
    OptOut,
)
from campaigns.publishers.email import ADDRESS
from campaigns.sending import deliveries
from sources.places import find_places, place_of

REGION = "US"  # where a number without a country is
LANGUAGES = {"en": "English", "es": "Spanish"}  # those the desk writes in
NAME_CHARS = 120
WORDS_CHARS = 1_000  # of a consent: how, evidence, wording
PAGE = 50  # contacts on one page


@dataclass(frozen=True)
class AddressBook:
    """What opens addresses and finds them again: the vault, and the key of their hashes."""

    vault: Fernet = field(repr=False)
    key: bytes = field(repr=False)

    def seal(self, words: str) -> bytes:
        """Encrypted, another token each time."""
        return self.vault.encrypt(words.encode())

    def open(self, sealed: bytes) -> str:
        """What was sealed. Raises InvalidToken under another key."""
        return self.vault.decrypt(sealed).decode()

    def hash(self, channel: str, address: str) -> str:
        """Hex HMAC-SHA256 of a normal address: the same for the same, useless without the key."""
        said = f"{channel}:{address}".encode()
        return hmac.new(self.key, said, hashlib.sha256).hexdigest()


class KnownAddressError(ValueError):
    """The address belongs to ``contact`` already."""

    def __init__(self, contact: Contact) -> None:
        super().__init__(f"This address is {contact.name}’s, who is among the contacts already.")
        self.contact = contact


# ---- addresses


def normal(channel: str, typed: str) -> str:
    """An address in the one form in which it is kept: E.164, or a mail address in small letters.

    ValueError, a sentence, for what is none.
    """
    if channel == "email":
        address = typed.strip().lower()
        if not ADDRESS.fullmatch(address):
            raise ValueError("This is not an e-mail address, such as ana@example.org.")
        return address
    try:
        number = phonenumbers.parse(typed, REGION)
        valid = phonenumbers.is_valid_number(number) and number.extension is None
    except phonenumbers.NumberParseException:
        valid = False
    if not valid:
        raise ValueError("This is not a mobile number, such as (989) 555-0142.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def masked(channel: str, address: str) -> str:
    """An address as lists show it: enough to tell two apart, too little to write to."""
    if channel == "email":
        local, _, host = address.partition("@")
        return f"{local[0]}…@{host}"
    return f"…{address[-4:]}"


def find_address(
    session: Session, book: AddressBook, channel: str, address: str
) -> ContactAddress | None:
    """The row of a normal address, if it is somebody's."""
    return session.scalar(
        select(ContactAddress).where(
            ContactAddress.channel == channel, ContactAddress.hash == book.hash(channel, address)
        )
    )


# ---- contacts


def add_contact(
    session: Session,
    book: AddressBook,
    *,
    name: str,
    language: str,
    county: str,
    zone: str,
    email: str,
    number: str,
    by: int,
    now: datetime,
) -> Contact:
    """A contact with at least one address, all as typed; ``county`` by name or FIPS code.

    They are not written to before a consent is recorded. KnownAddressError, or ValueError.
    """
    contact = Contact(
        name=_line(name, "The contact needs a name.", NAME_CHARS),
        language=_language(language),
        county=county_of(county),
        zone=zone.strip().replace(" ", "_") or None,
        zones=[],
        added_by=by,
        added_at=now,
    )
    typed = {"email": email, "sms": number}
    if not any(one.strip() for one in typed.values()):
        raise ValueError("Give an e-mail address or a mobile number.")
    session.add(contact)
    for channel, address in typed.items():
        if address.strip():
            add_address(session, book, contact, channel, address, by=by, now=now)
    place(contact, book)
    session.flush()
    return contact


def add_address(
    session: Session,
    book: AddressBook,
    contact: Contact,
    channel: str,
    typed: str,
    *,
    by: int,
    now: datetime,
) -> ContactAddress:
    """One more address of a contact. KnownAddressError if it is somebody's already; ValueError."""
    if channel not in CHANNELS:
        raise ValueError("Choose e-mail or text message.")
    address = normal(channel, typed)
    with session.no_autoflush:
        known = find_address(session, book, channel, address)
    if known is not None:
        raise KnownAddressError(known.contact)
    row = ContactAddress(
        contact=contact,
        channel=channel,
        sealed=book.seal(address),
        hash=book.hash(channel, address),
        label=masked(channel, address),
        added_by=by,
        added_at=now,
    )
    session.add(row)
    place(contact, book)
    session.flush()
    return row


def place(contact: Contact, book: AddressBook) -> None:
    """Work out in which zones a contact may be, from what is known of them now. ValueError."""
    numbers = [book.open(one.sealed or b"") for one in contact.addresses if one.channel == "sms"]
    asked: list[str | None] = [*numbers] or [None]
    found = [zones_of(contact.zone, contact.county, number) for number in asked]
    # Two area codes: daytime in both.
    known = all(found)
    contact.zones = sorted({zone for zones in found for zone in zones}) if known else []


def county_of(typed: str) -> str | None:
    """The FIPS code of a county by its name or code; None for nothing. ValueError: no such."""
    words = typed.strip()
    if not words:
        return None
    if words.isdecimal():
        return place_of(words).fips
    for found in find_places(words):
        if found.kind == "county":
            return found.fips
    raise ValueError(f"“{words}” is no county we know, such as Midland County, MI.")


def change_contact(
    session: Session,
    book: AddressBook,
    contact: Contact,
    *,
    name: str,
    language: str,
    county: str,
    zone: str,
) -> None:
    """What a person knows better now: all as typed in ``add_contact``. ValueError."""
    contact.name = _line(name, "The contact needs a name.", NAME_CHARS)
    contact.language = _language(language)
    contact.county = county_of(county)
    contact.zone = zone.strip().replace(" ", "_") or None
    place(contact, book)
    session.flush()


def search(
    session: Session, book: AddressBook, words: str = "", page: int = 1
) -> tuple[list[Contact], int]:
    """(contacts of one page by name, how many there are) whose name holds ``words``.

    A whole address or number finds whose it is; part of one finds nothing, for it is encrypted.
    """
    words = " ".join(words.split())
    where: list[ColumnElement[bool]] = []
    if words:
        hashes = [book.hash(channel, address) for channel, address in _read(words)]
        owned = select(ContactAddress.contact_id).where(ContactAddress.hash.in_(hashes))
        where.append(or_(Contact.name.icontains(words, autoescape=True), Contact.id.in_(owned)))
    where.append(Contact.erased_at.is_(None))
    total = session.scalar(select(func.count()).select_from(Contact).where(*where)) or 0
    rows = session.scalars(
        select(Contact)
        .where(*where)
        .options(selectinload(Contact.addresses).selectinload(ContactAddress.consents))
        .order_by(func.lower(Contact.name), Contact.id)
        .limit(PAGE)
        .offset((max(1, page) - 1) * PAGE)
    )
    return list(rows), total


def _read(words: str) -> list[tuple[str, str]]:
    """(channel, normal address) of whatever the words may be as a whole."""
    found = []
    for channel in CHANNELS:
        try:
            found.append((channel, normal(channel, words)))
        except ValueError:
            continue
    return found


# ---- consent


def record_consent(
    session: Session,
    address: ContactAddress,
    *,
    given_at: datetime,
    how: str,
    evidence: str,
    wording: str,
    by: int,
    now: datetime,
) -> ContactConsent:
    """That somebody agreed, with the proof. ValueError says what is missing.

    Given after they had left, it ends that: nothing but their own later word does.
    """
    if given_at > now:
        raise ValueError("Nobody can have agreed at a time to come.")
    consent = ContactConsent(
        address=address,
        given_at=given_at,
        how=_line(how, "Say how they agreed, such as “Signed the sheet at the market”.", None),
        evidence=_line(evidence, "Say where the proof is, such as “Sheet 4, office safe”.", None),
        wording=_line(wording, "Give the words they agreed to.", None),
        recorded_by=by,
        recorded_at=now,
    )
    session.add(consent)
    left = select(OptOut).where(
        OptOut.channel == address.channel,
        OptOut.hash == address.hash,
        OptOut.ended_at.is_(None),
        OptOut.at < given_at,
    )
    for opt_out in session.scalars(left):
        opt_out.ended_at, opt_out.ended_how = now, f"Agreed again: {consent.how}"
    session.flush()
    return consent


def end_consent(
    session: Session, address: ContactAddress, *, why: str, by: int, now: datetime
) -> None:
    """End every consent for an address. What waits for it stops here; a call under way does not."""
    said = _line(why, "Say why the consent ends.", None)
    standing = [one for one in address.consents if one.ended_at is None]
    if not standing:
        raise ValueError("There is no consent to end.")
    for consent in standing:
        consent.ended_at, consent.ended_by, consent.ended_why = now, by, said
    session.flush()
    stop_waiting(session, address.channel, address.hash, "The recipient’s consent ended.", now)


def stop_waiting(session: Session, channel: str, hash_: str, why: str, now: datetime) -> int:
    """Withdraw whatever waits for this address; answers how many deliveries."""
    owned = select(ContactAddress.id).where(
        ContactAddress.channel == channel, ContactAddress.hash == hash_
    )
    waiting = deliveries.locked(
        session,
        and_(Delivery.recipient_id.in_(owned), Delivery.state.in_(deliveries.STOPPABLE)),
    )
    for delivery in waiting:
        deliveries.stand_down(delivery, why, now)
    session.flush()
    return len(waiting)


def agreed(now: datetime) -> ColumnElement[bool]:
    """Condition on a ContactAddress: a consent for it stands."""
    return (
        select(ContactConsent.id)
        .where(
            ContactConsent.address_id == ContactAddress.id,
            ContactConsent.ended_at.is_(None),
            ContactConsent.given_at <= now,
        )
        .exists()
    )


def left() -> ColumnElement[bool]:
    """Condition on a ContactAddress: its owner wants nothing more there."""
    return (
        select(OptOut.id)
        .where(
            OptOut.channel == ContactAddress.channel,
            OptOut.hash == ContactAddress.hash,
            OptOut.ended_at.is_(None),
        )
        .exists()
    )


def opted_out(session: Session, addresses: Sequence[ContactAddress]) -> dict[int, OptOut]:
    """By address id, the opt-out that stands for it."""
    rows = session.scalars(
        select(OptOut).where(
            OptOut.hash.in_([one.hash for one in addresses]), OptOut.ended_at.is_(None)
        )
    )
    by_hash = {(row.channel, row.hash): row for row in rows}
    found = {one.id: by_hash.get((one.channel, one.hash)) for one in addresses}
    return {number: row for number, row in found.items() if row is not None}


def _language(code: str) -> str:
    if code not in LANGUAGES:
        raise ValueError("Choose the language they want to be written to in.")
    return code


def _line(words: str, complaint: str, most: int | None) -> str:
    said = re.sub(r"\s+", " ", words).strip()
    if not said:
        raise ValueError(complaint)
    if len(said) > (most or WORDS_CHARS):
        raise ValueError(f"At most {most or WORDS_CHARS} characters, please.")
    return said
