"""Contacts from a file: what each row would change, and doing it.

Nobody is brought back by a file. Whoever wants no more messages stays out, a consent that was ended
stays ended, and one is recorded only where the file says when, how, to what words, and where the
proof is.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, tzinfo

from sqlalchemy import Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, joinedload

from campaigns.contacts import audiences
from campaigns.contacts.contact_rows import ADDRESSES, LABELS, ContactRow, read
from campaigns.contacts.contacts import LANGUAGES, AddressBook, masked, place
from campaigns.contacts.erasing import GONE
from campaigns.contacts.imported import Row, spelled
from campaigns.models import (
    CHANNELS,
    Audience,
    AudienceMember,
    Contact,
    ContactAddress,
    ContactConsent,
    OptOut,
)
from sources.db import among
from sources.places import place_of

FORGOTTEN = "They were erased for good. Only their own new word, on a page, brings them back."


def judge(
    session: Session,
    book: AddressBook,
    rows: Sequence[Row],
    *,
    audience: Audience | None,
    zone: tzinfo,
    now: datetime,
) -> list[ContactRow]:
    """What each row would do now. ``audience``: the list they all come on; ``zone``: of its days.

    It changes nothing but the rows it was given.
    """
    counties: dict[str, str | None] = {}
    judged = [read(one, counties, zone, now) for one in rows]
    _tell_doubles(judged)
    _compare(session, book, judged, audience)
    return judged


def _tell_doubles(judged: Sequence[ContactRow]) -> None:
    """The first row of an address stands; the later ones are refused and say which it is."""
    first: dict[tuple[str, str], int] = {}
    fields = {channel: of for of, channel in ADDRESSES.items()}
    for one in judged:
        if one.row.faults:
            continue
        for address in one.addresses.items():
            if address in first:
                words = f"Line {first[address]} has the same {CHANNELS[address[0]].lower()} address"
                one.row.fault(fields[address[0]], f"{words}. Put both into one row.")
        if not one.row.faults:
            first |= dict.fromkeys(one.addresses.items(), one.row.line)


# ---- beside what the desk knows


def _compare(
    session: Session, book: AddressBook, judged: Sequence[ContactRow], audience: Audience | None
) -> None:
    good = [one for one in judged if not one.row.faults]
    hashes = {
        (channel, book.hash(channel, address)): one
        for one in good
        for channel, address in one.addresses.items()
    }
    wanted = literal([hash_ for _, hash_ in hashes], ARRAY(Text))
    found = session.scalars(
        select(ContactAddress)
        .where(ContactAddress.hash == any_(wanted))
        .options(
            joinedload(ContactAddress.contact)
            .selectinload(Contact.addresses)
            .selectinload(ContactAddress.consents)
        )
        .order_by(ContactAddress.id)
    )
    owners: dict[int, dict[str, ContactAddress]] = defaultdict(dict)  # by place in ``good``
    places = {id(one): number for number, one in enumerate(good)}
    for address in found.unique():
        if (one := hashes.get((address.channel, address.hash))) is not None:
            owners[places[id(one)]][address.channel] = address
    standing = select(OptOut).where(OptOut.hash == any_(wanted), OptOut.ended_at.is_(None))
    left: dict[int, dict[str, datetime]] = defaultdict(dict)  # by place and channel, since when
    for opt_out in session.scalars(standing):
        if (one := hashes.get((opt_out.channel, opt_out.hash))) is not None:
            left[places[id(one)]][opt_out.channel] = opt_out.at
            if opt_out.label == GONE:
                one.row.fault(opt_out.channel, FORGOTTEN)
    ids = {address.contact_id for some in owners.values() for address in some.values()}
    on_list = _members(session, audience, ids)
    named = _named(session, good)
    taken: dict[int, int] = {}  # by contact, the line that is about them
    for number, one in enumerate(good):
        own = owners.get(number, {})
        _whose(one, own, taken)
        if one.row.faults:
            continue
        if one.contact is None and named[one.row.title.casefold()]:
            one.row.wont.append("Another contact of this name stays as they are.")
        _plan(one, own)
        _plan_consent(one, own, left.get(number, {}))
        if audience is not None and (one.contact is None or one.contact.id not in on_list):
            one.joins = True
            one.row.will.append(f"comes on the list “{audience.name}”")


def _members(session: Session, audience: Audience | None, contacts: Collection[int]) -> set[int]:
    if audience is None:
        return set()
    query = select(AudienceMember.contact_id).where(
        AudienceMember.audience_id == audience.id,
        AudienceMember.removed_at.is_(None),
        among(AudienceMember.contact_id, contacts),
    )
    return set(session.scalars(query))


def _named(session: Session, judged: Sequence[ContactRow]) -> Counter[str]:
    names = literal([one.row.title.lower() for one in judged], ARRAY(Text))
    query = select(Contact.name).where(func.lower(Contact.name) == any_(names))
    return Counter(name.casefold() for name in session.scalars(query))


def _whose(one: ContactRow, own: dict[str, ContactAddress], taken: dict[int, int]) -> None:
    """Find whom the row is about; a row about two people, or about one again, is refused."""
    known = {address.contact_id: address.contact for address in own.values()}
    if len(known) > 1:
        names = " and ".join(f"{CHANNELS[c]} is {a.contact.name}’s" for c, a in own.items())
        one.row.fault("email", f"The row is about two contacts: {names}.")
        return
    for number, contact in known.items():
        if number in taken:
            words = f"Line {taken[number]} is about the same contact, {contact.name}."
            one.row.fault("name", f"{words} Put both into one row.")
            return
        taken[number] = one.row.line
        one.contact, one.row.new = contact, False


def _plan(one: ContactRow, own: dict[str, ContactAddress]) -> None:
    """What becomes of the contact themself and their addresses."""
    will = one.row.will
    if one.contact is None:
        one.known["language"] = one.known["language"] or "en"
    for of, value in one.known.items() if one.contact is not None else ():
        before = getattr(one.contact, of)
        if value is not None and value != before:
            one.changes[of] = value
            was = f" (was “{_shown(of, before)}”)" if before else ""
            will.append(f"{LABELS[of].lower()} becomes “{_shown(of, value)}”{was}")
    for channel, address in one.addresses.items():
        if channel not in own:
            one.to_add.append(channel)
            held = one.contact is not None and any(
                known.channel == channel for known in one.contact.addresses
            )
            will.append(f"{'one more ' * held}{CHANNELS[channel]} {masked(channel, address)}")


def _plan_consent(
    one: ContactRow, own: dict[str, ContactAddress], left: dict[str, datetime]
) -> None:
    """Where the consent is recorded, and where a file is not enough for it.

    ``left``: by channel, since when they want nothing more at the row's address.
    """
    for channel in one.addresses:
        if channel in left:
            day = spelled(left[channel])
            one.row.wont.append(
                f"{CHANNELS[channel]}: they wanted no more messages on {day} and stay "
                "out. Only their own new word ends that; record it on their page."
            )
            continue
        known = own[channel].consents if channel in own else []
        standing = [consent for consent in known if consent.ended_at is None]
        if one.consent is None:
            if not standing:
                one.row.wont.append(f"{CHANNELS[channel]}: no consent, so nothing is sent there.")
        elif any(one.consent.is_of(consent) for consent in standing):
            continue
        elif ended := [
            c.ended_at for c in known if c.ended_at and c.ended_at >= one.consent.given_at
        ]:
            one.row.wont.append(
                f"{CHANNELS[channel]}: their consent ended on {spelled(max(ended))}, after the one "
                "in the file was given."
            )
        else:
            one.agreed.append(channel)
            day = spelled(one.consent.given_at)
            one.row.will.append(
                f"{CHANNELS[channel]}: consent of {day}, “{one.consent.how}”, proof “"
                f"{one.consent.evidence}”, to “{one.consent.wording}”"
            )


def _shown(of: str, value: str) -> str:
    if of == "county":
        return place_of(value).name
    return LANGUAGES.get(value, value) if of == "language" else value


# ---- doing it


def take_in(
    session: Session,
    book: AddressBook,
    judged: Sequence[ContactRow],
    *,
    audience: Audience | None,
    by: int,
    now: datetime,
) -> None:
    """Do what was judged, of the rows that are not refused."""
    good = [one for one in judged if not one.row.faults]
    with session.no_autoflush:
        for one in good:
            _take_in(session, book, one, by, now)
    session.flush()
    if audience is not None:
        joining = [one.contact.id for one in good if one.joins and one.contact is not None]
        audiences.add_members(session, audience, joining, by=by, now=now)


def _take_in(session: Session, book: AddressBook, one: ContactRow, by: int, now: datetime) -> None:
    contact = one.contact
    if contact is None:
        contact = Contact(**one.known, zones=[], added_by=by, added_at=now)
        session.add(contact)
        one.contact = contact
    for of, value in one.changes.items():
        setattr(contact, of, value)
    for channel in one.to_add:
        address = one.addresses[channel]
        contact.addresses.append(
            ContactAddress(
                channel=channel,
                sealed=book.seal(address),
                hash=book.hash(channel, address),
                label=masked(channel, address),
                added_by=by,
                added_at=now,
                consents=[],
            )
        )
    if one.to_add or one.changes:
        place(contact, book)
    hashes = {channel: book.hash(channel, one.addresses[channel]) for channel in one.agreed}
    for row in contact.addresses:
        if one.consent is not None and hashes.get(row.channel) == row.hash:
            row.consents.append(
                ContactConsent(
                    given_at=one.consent.given_at,
                    how=one.consent.how,
                    evidence=one.consent.evidence,
                    wording=one.consent.wording,
                    recorded_by=by,
                    recorded_at=now,
                )
            )
