"""The recipients of a message to a list: frozen at approval, each asked for anew before each call.

Whoever joins the list after the approval does not get the message; whoever left it, or withdrew
consent, between approval and call does not either, and nobody else is kept waiting by that.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, literal, select
from sqlalchemy.orm import Session, joinedload
from sqlalchemy.sql.functions import coalesce

from campaigns.checking import Check
from campaigns.contacts.address_faults import DEAD, broken
from campaigns.contacts.audiences import LIVE, Reach, reach
from campaigns.contacts.contacts import agreed, left
from campaigns.contacts.local_hours import daytime_from
from campaigns.limits import MAY_HAVE_LEFT, End, Hold
from campaigns.models import (
    DELIVERY_STATES,
    Account,
    Approval,
    Audience,
    AudienceMember,
    Contact,
    ContactAddress,
    Delivery,
    Outlet,
    Reply,
)
from campaigns.publishers import LISTED
from campaigns.wording.mails import FOOTER, record_of, subject_and_body

CAP = 2  # messages that one person gets from us in CAP_TIME, by whatever channel (R47; ours)
CAP_TIME = timedelta(days=7)
REPLY_REST = timedelta(minutes=5)  # how soon a reply that a person has read is noticed
KEY_BYTES = 16  # of the key by which a recipient leaves: not to be guessed
NAMED = 200  # deliveries named on one page; beyond that only counted


@dataclass(frozen=True)
class Tally:
    """What became of one message to one list: how many deliveries stand where."""

    account: Account
    counts: Mapping[str, int]  # by state, in the order of DELIVERY_STATES

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def words(self) -> list[tuple[str, int]]:
        """(state as a page says it, how many)."""
        return [(DELIVERY_STATES[state], count) for state, count in self.counts.items()]


@dataclass(frozen=True)
class Shown:
    """A part for a list as each of its recipients gets it, and how many these are now."""

    audience: str
    sender: str
    subject: str  # empty for a text message
    body: str
    footer: str
    reach: Reach


def freeze(
    session: Session, approval: Approval, part: Mapping[str, Any], due_at: datetime, now: datetime
) -> int:
    """One delivery for everybody on the part's list who agreed and did not leave; how many.

    One of several addresses of a person, the newest.
    """
    to = session.scalars(
        select(func.max(ContactAddress.id))
        .join(AudienceMember, AudienceMember.contact_id == ContactAddress.contact_id)
        .where(
            AudienceMember.audience_id == part["audience"],
            LIVE,
            ContactAddress.channel == part["platform"],
            agreed(now),
            ~left(),
            ~broken(),
        )
        .group_by(ContactAddress.contact_id)
    ).all()
    record = record_of(part, due_at)
    rows = [
        {
            "approval_id": approval.id,
            "sha256": approval.sha256,
            "account_id": part["account"],
            "recipient_id": number,
            "due_at": due_at,
            "state": "scheduled",
            "record_key": secrets.token_urlsafe(KEY_BYTES),
            "record": record,
        }
        for number in sorted(to)
    ]
    if rows:
        session.execute(insert(Delivery), rows)
    return len(rows)


def checks(
    session: Session, parts: Sequence[Mapping[str, Any]], now: datetime
) -> list[tuple[Check, int]]:
    """Check 21 for each part that goes to a list, with the part's place: somebody gets it."""
    found = []
    for place, part in enumerate(parts):
        if part["platform"] not in LISTED:
            continue
        name, problem, mend, note = "Recipients who agreed", "", "", ""
        try:
            record_of(part, now)
        except ValueError as fault:
            problem, mend = str(fault), "Mend it, or leave this list out."
        if not problem:
            there = reach(session, part["audience"], part["platform"], now)
            if there.reached:
                people = "person" if there.reached == 1 else "people"
                note = f"{there.reached} {people} of {there.members} on the list get it."
            else:
                problem = "Nobody on this list agreed to get messages this way."
                mend = "Record their consent first, or leave this list out."
        found.append((Check(21, name, True, problem, mend, note=note), place))
    return found


def obstacle(
    session: Session,
    delivery: Delivery,
    part: Mapping[str, Any],
    until: datetime,
    now: datetime,
) -> End | Hold | None:
    """Why this recipient must not get it (now); None where nothing stands against it.

    ``until``: the end of the window that was approved. What would have to wait longer is missed.
    """
    to = delivery.recipient
    if (to is not None) != (part["platform"] in LISTED):
        return End("withdrawn", "What was approved has no such recipient.")
    if to is None:
        return None
    outlet = session.get(Outlet, delivery.account_id)
    said = (part["audience"], part["sender"], part["registration"])
    if outlet is None or said != (outlet.audience_id, outlet.sender, outlet.registration):
        return End("withdrawn", "The account was changed after the message was approved.")
    # Locked, so that of two messages at once to one person each counts the other.
    session.execute(
        select(Contact.id).where(Contact.id == to.contact_id).with_for_update(key_share=True)
    ).one()
    consents, gone, dead = session.execute(
        select(agreed(now), left(), broken()).where(ContactAddress.id == to.id)
    ).one()
    if gone:
        return End("withdrawn", "The recipient wants no more messages.")
    if not consents:
        return End("withdrawn", "The recipient’s consent ended.")
    if dead:
        return End("withdrawn", DEAD)
    hold = _reply(session, to, now) or _hours(delivery, to, now) or _cap(session, delivery, to, now)
    if hold is not None and hold.until > until:
        return End("missed", f"{hold.why} By then its time has passed.")
    return hold


def _reply(session: Session, to: ContactAddress, now: datetime) -> Hold | None:
    """They wrote something that may mean stop, and nobody has read it."""
    unread = select(Reply.id).where(
        Reply.channel == to.channel,
        Reply.hash == to.hash,
        Reply.kind == literal("words"),
        Reply.settled_at.is_(None),
    )
    if session.scalar(unread.limit(1)) is None:
        return None
    return Hold("The recipient wrote back, and nobody has read it yet.", now + REPLY_REST)


def _hours(delivery: Delivery, to: ContactAddress, now: datetime) -> Hold | None:
    """A text wakes people: none before 8 or after 21 where they are. A mail waits by itself."""
    if to.channel != "sms":
        return None
    opens = daytime_from(to.contact.zones, now)
    return Hold("It is not daytime where the recipient is.", opens) if opens > now else None


def _cap(session: Session, delivery: Delivery, to: ContactAddress, now: datetime) -> Hold | None:
    """They got as many other messages as one person gets in that time."""
    left_at = coalesce(Delivery.settled_at, Delivery.claimed_at)
    times = session.scalars(
        select(func.max(left_at))
        .join(ContactAddress, ContactAddress.id == Delivery.recipient_id)
        .where(
            ContactAddress.contact_id == to.contact_id,
            Delivery.approval_id != delivery.approval_id,
            Delivery.state.in_(MAY_HAVE_LEFT),
            left_at > now - CAP_TIME,
        )
        .group_by(Delivery.approval_id)  # by mail and by text it is one message
        .order_by(func.max(left_at).desc())
    ).all()
    if len(times) < CAP:
        return None
    frees = times[CAP - 1] + CAP_TIME
    return Hold(f"A recipient gets at most {CAP} messages in {CAP_TIME.days} days.", frees)


# ---- what pages show


def shown(session: Session, part: Mapping[str, Any], now: datetime) -> Shown:
    """A part for a list, for the page of whoever decides."""
    texting = part["platform"] == "sms"
    subject, body = ("", part["text"])
    if not texting:
        subject, body = subject_and_body(part["text"], part["name"])
    audience = session.get_one(Audience, part["audience"])
    return Shown(
        audience=audience.name,
        sender=part["sender"],
        subject=subject,
        body=body,
        footer="" if texting else f"{FOOTER.format(name=part['name'])}…",
        reach=reach(session, part["audience"], part["platform"], now),
    )


def tallies(session: Session, approval: Approval) -> list[Tally]:
    """For each list that an approval goes to: how many deliveries stand where."""
    rows = session.execute(
        select(Delivery.account_id, Delivery.state, func.count())
        .where(Delivery.approval_id == approval.id, Delivery.recipient_id.is_not(None))
        .group_by(Delivery.account_id, Delivery.state)
    ).all()
    by_account: dict[int, dict[str, int]] = {}
    for account_id, state, count in rows:
        by_account.setdefault(account_id, {})[state] = count
    return [
        Tally(
            session.get_one(Account, number),
            {state: counts[state] for state in DELIVERY_STATES if state in counts},
        )
        for number, counts in sorted(by_account.items())
    ]


def reasons(session: Session, approval: Approval, account_id: int) -> list[tuple[str, str, int]]:
    """(state as a page says it, why, how many) of what did not go out, the most frequent first."""
    rows = session.execute(
        select(Delivery.state, Delivery.detail, func.count())
        .where(
            Delivery.approval_id == approval.id,
            Delivery.account_id == account_id,
            Delivery.recipient_id.is_not(None),
            Delivery.detail != "",
            Delivery.state.not_in(("published", "unconfirmed")),
        )
        .group_by(Delivery.state, Delivery.detail)
        .order_by(func.count().desc(), Delivery.detail)
        .limit(NAMED)
    )
    return [(DELIVERY_STATES[state], why, count) for state, why, count in rows]


def unconfirmed(session: Session, approval: Approval, account_id: int) -> list[Delivery]:
    """Deliveries to a list of which nobody knows whether they arrived, up to NAMED of them."""
    return list(
        session.scalars(
            select(Delivery)
            .where(
                Delivery.approval_id == approval.id,
                Delivery.account_id == account_id,
                Delivery.recipient_id.is_not(None),
                Delivery.state == "unconfirmed",
            )
            .options(joinedload(Delivery.recipient))
            .order_by(Delivery.id)
            .limit(NAMED)
        )
    )
