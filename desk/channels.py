"""Channels: the ways in which each person is told. Verbs never commit."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet
from sqlalchemy import func, literal, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, contains_eager, joinedload

from desk.models import Channel, ChannelFault, Notice, Person, RoleGrant
from desk.quiet import DIGEST_HOUR, minutes_of, time_of
from monitor.models import AlertListMember

if TYPE_CHECKING:
    from desk.couriers import Courier

CHANNELS = 8  # live ones of one person
TRIES = 5  # of one channel in TRY_WINDOW: somebody else may own the address
TRY_WINDOW = timedelta(hours=1)


@dataclass(frozen=True)
class Way:
    """One of a person's channels as their page shows it."""

    channel: Channel
    quiet_from: str
    quiet_until: str
    digest: bool
    tried: Notice | None
    fault: ChannelFault | None  # mail there comes back


def give_first(session: Session, now: datetime) -> None:
    """Where a person has no channel for the address they sign in with, and never had, make it.

    Who came first has the lower number: notices are made in this order.
    """
    local, host = func.left(Person.email, 1), func.split_part(Person.email, "@", 2)
    owned = select(Channel.id).where(Channel.person_id == Person.id, Channel.address.is_(None))
    missing = select(
        *(Person.id, literal("mail"), local.concat("…@").concat(host), literal(True), literal(now)),
    ).where(Person.left_at.is_(None), ~owned.exists())
    missing = missing.order_by(Person.id)
    columns = ["person_id", "service", "label", "digest", "added_at"]
    session.execute(insert(Channel).from_select(columns, missing).on_conflict_do_nothing())


def live(session: Session) -> list[Channel]:
    """Every channel of those who are here, with its person and their roles."""
    return list(
        session.scalars(
            select(Channel)
            .join(Channel.person)
            .where(Channel.removed_at.is_(None), Person.left_at.is_(None))
            .options(joinedload(Channel.person).selectinload(Person.grants))
            .order_by(Channel.id)
        )
    )


def of_person(session: Session, person: Person) -> list[Channel]:
    """A person's channels that are not removed, in the order in which they came."""
    mine = select(Channel).where(Channel.person_id == person.id, Channel.removed_at.is_(None))
    return list(session.scalars(mine.order_by(Channel.id)))


def how_told(session: Session, person: Person, courier: "Courier") -> dict[str, Any]:
    """What a person's page needs to show their channels; without a fault or words of a form.

    ``at`` is the channel whose form failed, 0 for the one that adds.
    """
    tries, mine = _last_tries(session, person), of_person(session, person)
    faults = {one.channel_id: one for one in broken(session, person)}
    ways = [
        Way(
            channel=one,
            quiet_from=time_of(one.quiet_from),
            quiet_until=time_of(one.quiet_until),
            digest=one.digest,
            tried=tries.get(one.id),
            fault=faults.get(one.id),
        )
        for one in mine
    ]
    return {
        "ways": ways,
        "mails": courier.mails,
        "services": courier.services,
        "digest_hour": DIGEST_HOUR,
        "fault": "",
        "at": 0,
        "form": {},
    }


def _last_tries(session: Session, person: Person) -> dict[int, Notice]:
    """By channel id the newest try that this person sent to themselves."""
    tries = (
        select(Notice)
        .join(Notice.channel)
        .where(Channel.person_id == person.id, Notice.kind == "try")
        .order_by(Notice.id)
    )
    return {notice.channel_id: notice for notice in session.scalars(tries)}


def add(
    session: Session,
    person: Person,
    service: str,
    address: str,
    label: str,
    vault: Fernet,
    now: datetime,
) -> Channel:
    """A new channel to an ``address`` that ``Courier.read`` has read, without quiet hours.

    ValueError where the person has CHANNELS of them, or this one already.
    """
    known = of_person(session, person)
    if len(known) >= CHANNELS:
        raise ValueError(f"{CHANNELS} channels are enough; remove one first.")
    held = {_address(one, vault) for one in known}
    if (service, address) in held:
        raise ValueError("You are told there already.")
    channel = Channel(
        person=person,
        service=service,
        address=vault.encrypt(address.encode()),
        label=label,
        digest=True,
        added_at=now,
    )
    session.add(channel)
    session.flush()
    return channel


def _address(channel: Channel, vault: Fernet) -> tuple[str, str]:
    if channel.address is None:
        return channel.service, channel.person.email
    return channel.service, vault.decrypt(channel.address).decode()


def set_times(channel: Channel, quiet_from: str, quiet_until: str, digest: bool) -> None:
    """Quiet hours, as a form's local times (both empty: none), and whether low levels gather.

    ValueError, one sentence, for times that say nothing.
    """
    start, end = minutes_of(quiet_from), minutes_of(quiet_until)
    if (start is None) != (end is None):
        raise ValueError("Quiet hours need both a beginning and an end.")
    if start is not None and start == end:
        raise ValueError("Quiet hours that begin when they end would never end. Change one.")
    channel.quiet_from, channel.quiet_until, channel.digest = start, end, digest


def remove(channel: Channel, now: datetime) -> None:
    """Nothing is sent there any more; what was sent stays on record."""
    channel.removed_at = channel.removed_at or now


def try_out(session: Session, channel: Channel, now: datetime) -> Notice:
    """Queue a harmless message to this channel, whatever its quiet hours.

    ValueError while one is on its way, or after TRIES of them within TRY_WINDOW.
    """
    if channel.removed_at is not None:
        raise ValueError("This channel was removed.")
    # Two presses at once must not both count themselves as the first.
    session.execute(select(Channel.id).where(Channel.id == channel.id).with_for_update())
    tries = select(Notice).where(Notice.channel_id == channel.id, Notice.kind == "try")
    recent = session.scalars(tries.where(Notice.made_at > now - TRY_WINDOW)).all()
    if any(one.settled_at is None for one in recent):
        raise ValueError("A try is on its way already.")
    if len(recent) >= TRIES:
        raise ValueError(f"{TRIES} tries in an hour are enough. Wait a little.")
    notice = Notice(channel=channel, kind="try", level=0, made_at=now, due_at=now)
    session.add(notice)
    session.flush()
    return notice


def came_back(
    session: Session, notice: Notice, why: str, *, permanent: bool, now: datetime
) -> None:
    """A mail that had been taken came back: the notice failed. ``permanent``: the next will too.

    What goes there still goes: to be told nothing is worse than to be told in vain.
    """
    if notice.state in ("delivered", "unknown"):
        notice.state, notice.detail = "failed", f"It came back. {why}"
        notice.settled_at = notice.settled_at or now
        for item in notice.items:
            if item.state in ("delivered", "unknown"):
                item.state, item.detail = "failed", notice.detail
                item.settled_at = item.settled_at or now
    if permanent:
        session.execute(
            insert(ChannelFault)
            .values(channel_id=notice.channel_id, notice_id=notice.id, why=why, found_at=now)
            .on_conflict_do_nothing()
        )
    session.flush()


def broken(session: Session, person: Person | None = None) -> list[ChannelFault]:
    """Channels, of a person or of anybody here, whose mail comes back; the longest first."""
    standing = (
        select(ChannelFault)
        .join(ChannelFault.channel)
        .join(Channel.person)
        .where(
            ChannelFault.ended_at.is_(None), Channel.removed_at.is_(None), Person.left_at.is_(None)
        )
        .options(contains_eager(ChannelFault.channel).contains_eager(Channel.person))
        .order_by(ChannelFault.id)
    )
    if person is not None:
        standing = standing.where(Channel.person_id == person.id)
    return list(session.scalars(standing))


def put_right(session: Session, channel: Channel, *, by: Person, now: datetime) -> None:
    """Its person says that mail arrives there (again)."""
    standing = select(ChannelFault).where(
        ChannelFault.channel_id == channel.id, ChannelFault.ended_at.is_(None)
    )
    for fault in session.scalars(standing.with_for_update()):
        fault.ended_at, fault.ended_by = now, by.id
    session.flush()


def unreachable(session: Session, mails: bool) -> list[Person]:
    """Who ought to be told and cannot be: no channel, only e-mail where the desk sends none, or
    only such as comes back.

    Monitors, duty leads, and everybody on a live list of alerts. ``mails``: it sends e-mail.
    """
    listed = select(AlertListMember.person_id).where(AlertListMember.removed_at.is_(None))
    returned = select(ChannelFault.channel_id).where(ChannelFault.ended_at.is_(None))
    reached = select(Channel.person_id).where(
        Channel.removed_at.is_(None), Channel.id.not_in(returned)
    )
    if not mails:
        reached = reached.where(Channel.service != "mail")
    roles = select(RoleGrant.person_id).where(
        RoleGrant.role.in_(("monitor", "duty lead")), RoleGrant.revoked_at.is_(None)
    )
    return list(
        session.scalars(
            select(Person)
            .where(
                Person.left_at.is_(None),
                or_(Person.id.in_(roles), Person.id.in_(listed)),
                Person.id.not_in(reached),
            )
            .order_by(Person.name, Person.id)
        )
    )
