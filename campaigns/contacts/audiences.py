"""Lists of contacts, and the accounts by which a voice speaks to one."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import Select, func, literal, select, union_all
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload, selectinload

from campaigns.contacts.address_faults import broken
from campaigns.contacts.contacts import PAGE, agreed, left
from campaigns.models import (
    Account,
    Audience,
    AudienceMember,
    Contact,
    ContactAddress,
    Outlet,
    Voice,
)
from campaigns.publishers import LISTED
from campaigns.publishers.email import ADDRESS
from campaigns.publishers.sms import SENDER
from campaigns.voices import use_again

NAME_CHARS = 60
LIVE = AudienceMember.removed_at.is_(None)


@dataclass(frozen=True)
class Reach:
    """How many of a list's members a message by one channel goes to, and why not to the others."""

    members: int
    reached: int  # agreed, and did not leave
    without_address: int
    not_agreed: int
    left: int
    broken: int  # agreed, and nothing arrives there


def make(session: Session, name: str, purpose: str, *, by: int, now: datetime) -> Audience:
    """An empty list. ValueError where it has no name, or one that another has."""
    words = free_name(session, name)
    if not purpose.strip():
        raise ValueError("Say what its members agreed to get.")
    audience = Audience(name=words, purpose=purpose.strip(), made_by=by, made_at=now)
    session.add(audience)
    session.flush()
    return audience


def free_name(session: Session, name: str, of: Audience | None = None) -> str:
    """A name as it is kept. ValueError where it is none, or that of a list other than ``of``."""
    words = " ".join(name.split())
    if not words or len(words) > NAME_CHARS:
        raise ValueError(f"The list needs a name of up to {NAME_CHARS} characters.")
    known = session.scalar(select(Audience).where(func.lower(Audience.name) == words.lower()))
    if known is not None and known is not of:
        closed = ", closed now" if known.closed_at is not None else ""
        raise ValueError(f"There is a list “{known.name}” already{closed}.")
    return words


def all_lists(session: Session) -> list[tuple[Audience, int]]:
    """Every list by name, the closed ones last, with how many are on it."""
    members = (
        select(func.count())
        .where(AudienceMember.audience_id == Audience.id, LIVE)
        .scalar_subquery()
    )
    closed = Audience.closed_at.is_not(None)
    query = select(Audience, members).order_by(closed, func.lower(Audience.name))
    return [(row[0], row[1]) for row in session.execute(query)]


def add_members(
    session: Session, audience: Audience, contacts: Collection[int], *, by: int, now: datetime
) -> int:
    """Put contacts, by id, on a list; whoever is on it stays. How many came new."""
    if not contacts:
        return 0
    rows = [
        {"audience_id": audience.id, "contact_id": one, "added_by": by, "added_at": now}
        for one in sorted(set(contacts))
    ]
    added = session.execute(
        insert(AudienceMember).on_conflict_do_nothing().returning(AudienceMember.id), rows
    )
    return len(added.all())


def remove_member(
    session: Session, audience: Audience, contact: Contact, *, by: int, now: datetime
) -> None:
    """Take a contact off a list. What is approved already still goes to them; ended consent stops
    that. ValueError: they are not on it."""
    row = session.scalar(
        select(AudienceMember)
        .where(
            AudienceMember.audience_id == audience.id, AudienceMember.contact_id == contact.id, LIVE
        )
        .with_for_update()
    )
    if row is None:
        raise ValueError(f"{contact.name} is not on this list any more.")
    row.removed_at, row.removed_by = now, by
    session.flush()


def members(session: Session, audience: Audience, page: int = 1) -> tuple[list[Contact], int]:
    """(the members of one page by name, with addresses and consents; how many there are)."""
    on_it = (
        select(AudienceMember.contact_id)
        .where(AudienceMember.audience_id == audience.id, LIVE)
        .scalar_subquery()
    )
    number = func.count(AudienceMember.contact_id)
    total = select(number).where(AudienceMember.audience_id == audience.id, LIVE).scalar_subquery()
    rows = session.execute(
        select(Contact, total)
        .where(Contact.id.in_(on_it))
        .options(selectinload(Contact.addresses).selectinload(ContactAddress.consents))
        .order_by(func.lower(Contact.name), Contact.id)
        .limit(PAGE)
        .offset((max(1, page) - 1) * PAGE)
    ).all()
    return [row[0] for row in rows], rows[0][1] if rows else 0


def lists_of(session: Session, contact: Contact) -> list[Audience]:
    """The lists a contact is on."""
    query = select(Audience).join(AudienceMember, AudienceMember.audience_id == Audience.id)
    return list(
        session.scalars(
            query.where(AudienceMember.contact_id == contact.id, LIVE).order_by(Audience.name)
        )
    )


def reach(session: Session, audience_id: int, channel: str, now: datetime) -> Reach:
    """To how many of a list a message by this channel would go now."""
    return reaches(session, audience_id, [channel], now)[channel]


def reaches(
    session: Session, audience_id: int, channels: Collection[str], now: datetime
) -> dict[str, Reach]:
    """The same by each of several channels, in their order."""
    asked = union_all(*[_reach(audience_id, channel, now) for channel in channels])
    found = {row[0]: Reach(*row[1:]) for row in session.execute(asked)}
    return {channel: found[channel] for channel in channels}


def _reach(
    audience_id: int, channel: str, now: datetime
) -> Select[str, int, int, int, int, int, int]:
    """One row: the channel, and the fields of Reach."""
    has = ContactAddress.id.is_not(None)
    each = func.count(AudienceMember.contact_id.distinct())
    return (
        select(
            literal(channel),
            each,
            each.filter(has, ~left(), agreed(now), ~broken()),
            each.filter(~has),
            each.filter(has, ~left(), ~agreed(now)),
            each.filter(has, left()),
            each.filter(has, ~left(), agreed(now), broken()),
        )
        .select_from(AudienceMember)
        .outerjoin(
            ContactAddress,
            (ContactAddress.contact_id == AudienceMember.contact_id)
            & (ContactAddress.channel == channel),
        )
        .where(AudienceMember.audience_id == audience_id, LIVE)
    )


# ---- accounts that speak to a list


def outlets(session: Session, audience: Audience) -> list[Outlet]:
    """The accounts that speak to a list, also those that are closed, with their voices."""
    return list(
        session.scalars(
            select(Outlet)
            .where(Outlet.audience_id == audience.id)
            .options(
                joinedload(Outlet.account).joinedload(Account.voice),
                joinedload(Outlet.account).joinedload(Account.closing),
            )
            .order_by(Outlet.account_id)
        )
    )


def connect(
    session: Session,
    voice: Voice,
    audience: Audience,
    *,
    channel: str,
    sender: str,
    registration: str,
    desk: str,
    by: int,
    now: datetime,
) -> Account:
    """Let a voice speak to a list, or change the sender it speaks from. ValueError.

    ``sender``: the mail address or number it comes from. ``registration``: the id under which the
    carriers know what we text. ``desk``: where recipients of a mail leave, the desk's own https
    address.
    """
    if channel not in LISTED:
        raise ValueError("Choose e-mail or text message.")
    if audience.closed_at is not None:
        raise ValueError("This list is closed: nothing goes to it.")
    sender, registration = sender.strip(), registration.strip()
    if channel == "email":
        if not ADDRESS.fullmatch(sender):
            raise ValueError("Give the address that the mail comes from.")
        if urlsplit(desk).scheme != "https":
            raise ValueError(
                "Mail to a list needs a page to leave it: whoever runs this desk sets "
                "BREAKWATER_PUBLIC_URL to its https address first."
            )
    else:
        if not SENDER.fullmatch(sender):
            raise ValueError("Give the number (+1…), short code or name that the text comes from.")
        if not registration:
            raise ValueError("Give the campaign id under which the carriers registered our texts.")
    account = session.scalar(
        select(Account).where(
            Account.voice_id == voice.id,
            Account.platform == channel,
            Account.handle == audience.name,
        )
    )
    if account is None:
        account = Account(voice=voice, platform=channel, handle=audience.name, secret=None)
        session.add(account)
    if account.closed_at is not None:
        use_again(session, account, by=by, now=now)
    account.service = desk if channel == "email" else ""
    account.connected_by, account.connected_at = by, now
    session.flush()
    outlet = session.get(Outlet, account.id)
    if outlet is None:
        outlet = Outlet(account=account, audience=audience)
        session.add(outlet)
    outlet.sender, outlet.registration = sender, registration or None
    session.flush()
    return account
