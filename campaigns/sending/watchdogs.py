"""Watchdogs: each way in which a message can get stuck, told to a person.

``concerns`` and ``undecided`` change nothing; what they find stands on the first page, over the
messages and on a page of their own. ``keep_barks`` keeps it in rows, so that people are told once
of each thing, and again when it lasts. One query reads the deliveries that any of them looks at.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import compress
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from campaigns.afterwards.standing import gravest_first, matter_of, needing, with_aftermath
from campaigns.approving import releases
from campaigns.deliver import CLAIM_PATIENCE
from campaigns.drafting.messages import all_submissions
from campaigns.limits import in_force_of, quiet_over
from campaigns.models import (
    WATCHDOGS,
    Account,
    Approval,
    Bark,
    Campaign,
    Delivery,
    Lockout,
    Message,
    MessageVersion,
    ReadBack,
    Retraction,
    ServerSaid,
    Stop,
    Voice,
    VoiceLimits,
)
from campaigns.plans import intent_of
from campaigns.publishers import BY_HAND, KEYLESS
from campaigns.sending import kill_switch, lockouts
from campaigns.sending.deliveries import STOPPABLE, shown_once
from campaigns.voices import standing_consent
from campaigns.wording import server_rules
from campaigns.wording.content import send_time, send_until

OVERDUE = timedelta(minutes=2)  # the worker looks every two seconds
AHEAD = timedelta(days=7)  # how far we look for what will end before its time comes
RECENTLY = timedelta(days=1)  # how long what was missed or refused is told
UNDECIDED = timedelta(hours=3)  # so shortly before its time a leader's word is still possible
# The worker looks up a doubt by itself within minutes: people are called when that did not help.
DOUBT_TOLD = timedelta(minutes=10)

CALLING = ("claimed", "attempting")
WAITING = ("scheduled", "retry_later")
OVER = ("missed", "rejected")
WATCHED, NEEDING = "watched", "needing"  # lists: not out and something may be wrong; out, and so

# After how long people are told again of what still stands; the others are told once.
AGAIN = {
    "silent": timedelta(hours=2),
    "unconfirmed": timedelta(hours=4),
    "stuck": timedelta(hours=4),
    "locked out": timedelta(hours=4),
    "stopped": timedelta(hours=4),  # longer than that, and not much longer, and it is missed
    "overdue": timedelta(hours=4),
    "consent": timedelta(days=1),
    "plan": timedelta(days=1),
    "password": timedelta(days=1),
    "quiet": timedelta(days=1),
    "server": timedelta(days=1),
    "unreviewed": timedelta(days=1),
}
ONCE = timedelta(hours=4)  # what goes and comes back sooner is the same thing, told before

Key = tuple[str, int | None, int | None]  # of a bark: kind, delivery, version


@dataclass(frozen=True)
class LookedAt:
    """A delivery, with what tells whether it needs somebody."""

    delivery: Delivery
    lists: frozenset[str]  # for which it was looked at: WATCHED, NEEDING, and those asked for
    reading: ReadBack | None
    retraction: Retraction | None  # the newest
    limits: VoiceLimits | None  # of its voice, as in force
    said: ServerSaid | None  # by its account's server of what it takes, lately
    locked_out: str | None  # why that lets nothing in


@dataclass(frozen=True)
class Concern:
    """What needs a person: ``kind`` is the watchdog's name, ``why`` a sentence.

    It speaks of a delivery, or of a version that waits for its leader.
    """

    kind: str
    why: str
    delivery: Delivery | None = None
    version: MessageVersion | None = None

    @property
    def word(self) -> str:
        """The kind, as a page says it."""
        return WATCHDOGS[self.kind]

    @property
    def key(self) -> Key:
        """What it is the same concern by, whenever one looks: a whole list is one."""
        if self.delivery is None:
            return self.kind, None, self.version.id if self.version is not None else None
        if self.delivery.recipient_id is not None:
            return self.kind, None, self.delivery.approval.version_id
        return self.kind, self.delivery.id, None


def concerns(session: Session, now: datetime, stops: Sequence[Stop] | None = None) -> list[Concern]:
    """What needs a person among the deliveries, the gravest first. Each is named once.

    ``stops``: kill_switch.standing, for who has read them.
    """
    standing = kill_switch.standing(session) if stops is None else stops
    return concerns_among(looked_at(session, now), standing, now)


def concerns_among(
    found: Sequence[LookedAt], stops: Sequence[Stop], now: datetime
) -> list[Concern]:
    """The same of deliveries that were ``looked_at``."""
    watched = [one for one in found if WATCHED in one.lists]
    some = [one.delivery for one in watched]
    afterwards = [one for one in found if NEEDING in one.lists]
    matters = [matter_of(one.delivery, one.reading, one.retraction) for one in afterwards]
    concerns = [
        *_unconfirmed(some),
        *_stuck(some, now),
        *_stopped(some, stops, now),
        *_locked_out(watched, now),
        *_overdue(some, now),
        *_ended(some),
        *(Concern(m.kind, m.why, m.delivery) for m in sorted(matters, key=gravest_first)),
        *_ending(watched, now),
    ]
    gravest: dict[Delivery | None, Concern] = {}
    for concern in concerns:
        gravest.setdefault(concern.delivery, concern)
    return list(gravest.values())


def undecided(session: Session, now: datetime) -> list[Concern]:
    """What waits for its leader and will soon be too late to be approved, the soonest first."""
    return [
        Concern("undecided", "Its time comes, and its leader has not decided.", version=version)
        for version in all_submissions(session)
        if now < send_time(version.content) <= now + UNDECIDED
    ]


def unreviewed(session: Session, now: datetime) -> list[Concern]:
    """What went out in an emergency and should have been reviewed by now, the oldest first."""
    why = "It was released in an emergency, and its leader’s review is overdue."
    return [
        Concern("unreviewed", why, version=one.version)
        for one in releases.late_reviews(session, now)
    ]


# ---- what people are told


def keep_barks(session: Session, now: datetime) -> None:
    """Keep what is found now as rows: begin, end, and begin anew what lasts. Never commits.

    Safe as often as one likes, by one process at a time; the worker's silence is ``bark_silent``.
    """
    found = [one for one in concerns(session, now) if _worth_a_call(one, now)]
    _keep(session, [*found, *undecided(session, now), *unreviewed(session, now)], now)


def bark_silent(session: Session, why: str, now: datetime) -> None:
    """Keep that no worker has been heard of; ``why`` "": one is at work (again)."""
    _keep(session, [Concern("silent", why)] if why else [], now, silent=True)


def standing_barks(session: Session) -> list[Bark]:
    """What stands, in the order in which it was found."""
    query = select(Bark).where(Bark.ended_at.is_(None)).order_by(Bark.id)
    return list(session.scalars(query))


def past_barks(session: Session, since: datetime, limit: int) -> list[Bark]:
    """What was found since then and is over, the latest first, with its deliveries' voices."""
    account = joinedload(Bark.delivery).joinedload(Delivery.account).joinedload(Account.voice)
    version = joinedload(Bark.version).joinedload(MessageVersion.message).joinedload(Message.voice)
    query = select(Bark).where(Bark.ended_at.is_not(None), Bark.found_at >= since)
    newest = query.options(account, version).order_by(Bark.ended_at.desc(), Bark.id.desc())
    return list(session.scalars(newest.limit(limit)))


def _worth_a_call(one: Concern, now: datetime) -> bool:
    if one.kind != "unconfirmed" or one.delivery is None or one.delivery.not_before is None:
        return True
    return now - one.delivery.due_at >= DOUBT_TOLD


def _keep(session: Session, found: Sequence[Concern], now: datetime, silent: bool = False) -> None:
    of_ours = Bark.kind == "silent" if silent else Bark.kind != "silent"
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("breakwater-barks"))))
    lately = or_(Bark.ended_at.is_(None), Bark.ended_at > now - ONCE)
    kept = session.scalars(
        select(Bark)
        .where(of_ours, lately)
        .options(joinedload(Bark.delivery))
        .order_by(Bark.id)
        .execution_options(populate_existing=True)
    )
    newest: dict[Key, Bark] = {(one.kind, one.delivery_id, one.version_id): one for one in kept}
    still = {one.key: one for one in found}
    for key, bark in newest.items():
        over = key not in still and not _in_hand(bark)
        if bark.ended_at is None and (over or _lasts(bark, now)):
            bark.ended_at = now
    session.flush()  # of one thing only one may stand
    for key, one in still.items():
        before = newest.get(key)
        if before is not None and not _lasts(before, now):
            before.ended_at = None  # it went, and came back: people were told of it
        else:
            kind, delivery_id, version_id = key
            about = {"delivery_id": delivery_id, "version_id": version_id}
            session.add(Bark(kind=kind, why=one.why, found_at=now, **about))
    session.flush()


def _lasts(bark: Bark, now: datetime) -> bool:
    """It was found so long ago that people are told again."""
    return now - bark.found_at >= AGAIN.get(bark.kind, timedelta.max)


def _in_hand(bark: Bark) -> bool:
    """A worker calls about it this moment: whether that mends it is not known yet."""
    return bark.delivery is not None and bark.delivery.state in CALLING


# ---- the deliveries, and each watchdog


def looked_at(
    session: Session, now: datetime, besides: Mapping[str, ColumnElement[bool]] | None = None
) -> list[LookedAt]:
    """Deliveries that any watchdog looks at, with all a line about one shows, the soonest first.

    One query. ``besides``: conditions on deliveries, accounts and voices, each with the name under
    which those that meet it are listed as well. What goes to many comes once for each state
    (``shown_once``).
    """
    lists = {WATCHED: _watched(now), NEEDING: needing(now), **(besides or {})}
    account = contains_eager(Delivery.account).contains_eager(Account.voice)
    query = with_aftermath(select(Delivery).join(Delivery.account).join(Account.voice))
    rows = session.execute(
        query.add_columns(VoiceLimits, ServerSaid, Lockout.why, *lists.values())
        .outerjoin(VoiceLimits, VoiceLimits.id == in_force_of(Account.voice_id))
        .outerjoin(ServerSaid, ServerSaid.id == server_rules.newest_of(Account.service))
        .outerjoin(Lockout, (Lockout.account_id == Account.id) & lockouts.standing(now))
        .where(or_(*lists.values()), shown_once())
        .options(
            account.joinedload(Voice.consents),
            joinedload(Delivery.approval)
            .joinedload(Approval.version)
            .joinedload(MessageVersion.message)
            .joinedload(Message.campaign)
            .joinedload(Campaign.plans),
        )
        .order_by(Delivery.due_at, Delivery.id)
    ).unique()
    return [LookedAt(row[0], frozenset(compress(lists, row[6:])), *row[1:6]) for row in rows]


def _watched(now: datetime) -> ColumnElement[bool]:
    """Condition: something may be wrong with a delivery that is not out, or go wrong."""
    calling = Delivery.state.in_(CALLING) & (Delivery.claimed_at <= now - CLAIM_PATIENCE)
    waiting = Delivery.state.in_((*STOPPABLE, *WAITING)) & (Delivery.due_at <= now + AHEAD)
    over = Delivery.state.in_(OVER) & (Delivery.settled_at >= now - RECENTLY)
    return or_(Delivery.state == "unconfirmed", calling, waiting, over)


def _unconfirmed(some: Iterable[Delivery]) -> list[Concern]:
    """A call was made and nobody saw its end; or, by hand, somebody's word waits for another's."""
    why = "Nobody knows yet whether it is out: look at the account."
    return [
        Concern("unconfirmed", (one.account.platform in BY_HAND and one.detail) or why, one)
        for one in some
        if one.state == "unconfirmed"
    ]


def _stuck(some: Iterable[Delivery], now: datetime) -> list[Concern]:
    """Claimed so long ago that its worker must have died, and no other has taken it up."""
    why = "A worker took it up and has not been heard of since."
    return [
        Concern("stuck", why, one)
        for one in some
        if one.state in CALLING
        and one.claimed_at is not None
        and one.claimed_at <= now - CLAIM_PATIENCE
    ]


def _stopped(some: Iterable[Delivery], stops: Sequence[Stop], now: datetime) -> list[Concern]:
    """Due, and held back by a press of the kill switch."""
    due = [one for one in some if one.state in STOPPABLE and one.due_at <= now]
    why = "The kill switch holds it back; it is missed if that lasts too long."
    return [
        Concern("stopped", why, one)
        for one in due
        if any(kill_switch.covers(stop, one.approval.version.message) for stop in stops)
    ]


def _locked_out(watched: Iterable[LookedAt], now: datetime) -> list[Concern]:
    """It waits because its server lets nothing of its account in: a wrong key, for example."""
    found = [
        Concern("locked out", one.locked_out, one.delivery)
        for one in watched
        if one.locked_out and one.delivery.state in WAITING and one.delivery.due_at <= now
    ]
    return list({one.key: one for one in reversed(found)}.values())[::-1]  # a whole list is one


def _overdue(some: Iterable[Delivery], now: datetime) -> list[Concern]:
    """Its time has come and it is not out, whatever the reason."""
    return [
        Concern("overdue", one.detail or "Its time has come and no worker took it up.", one)
        for one in some
        if one.state in WAITING and one.due_at <= now - OVERDUE and not _asleep(one, now)
    ]


def _asleep(one: Delivery, now: datetime) -> bool:
    """It waits for its recipient's morning, or for a full mail server: that is no fault."""
    return one.recipient_id is not None and one.not_before is not None and one.not_before > now


def _ended(some: Iterable[Delivery]) -> list[Concern]:
    """Missed or refused in the last day: somebody waits for a post that does not come."""
    return [Concern(one.state, one.detail, one) for one in some if one.state in OVER]


def _ending(watched: Iterable[LookedAt], now: datetime) -> list[Concern]:
    """Scheduled, but something it needs will have ended when its time comes.

    The consent, the plan, the account's password, the hours in which the voice allows posts, or
    room on a server that takes less than when it was approved.
    """
    found = []
    soon = {one.delivery: one for one in watched if _comes(one.delivery, now)}
    said = [one.said for one in soon.values() if one.said is not None]
    servers = server_rules.told_by(server_rules.services_of(map(_part, soon)), said)
    for one, looked in soon.items():
        account, voice, due = one.account, one.account.voice, one.due_at
        expires_at = intent_of(one.approval.version.message.campaign).expires_at
        if standing_consent(voice, account.platform, due) is None:
            why = f"{voice.name}’s consent will have ended when this is due."
            found.append(Concern("consent", why, one))
        elif expires_at is not None and expires_at <= due:
            why = "The campaign’s plan expires before this is due: it will be missed."
            found.append(Concern("plan", why, one))
        elif account.platform not in KEYLESS and account.secret is None:
            why = f"@{account.handle} has no password and is not signed in: connect it again."
            found.append(Concern("password", why, one))
        elif account.secret_until is not None and account.secret_until <= due:
            why = f"What opens @{account.handle} ends before this is due: connect it again."
            found.append(Concern("password", why, one))
        elif (loud := _loud_again(looked.limits, due)) > due:
            until = send_until(one.approval.version.content)
            late = "and will be missed" if loud > until else "and will be late"
            found.append(Concern("quiet", f"It is due in {voice.name}’s quiet hours {late}.", one))
        elif why := server_rules.too_much(_part(one), servers):
            found.append(Concern("server", f"{why} Write it shorter before it is due.", one))
    return found


def _comes(one: Delivery, now: datetime) -> bool:
    return one.state in WAITING and now < one.due_at <= now + AHEAD


def _part(one: Delivery) -> Mapping[str, Any]:
    """What the approved content says for the delivery's account."""
    parts = one.approval.version.content["parts"]
    return next((part for part in parts if part["account"] == one.account_id), {})


def _loud_again(limits: VoiceLimits | None, due: datetime) -> datetime:
    if limits is None:
        return due
    return quiet_over(due, limits.quiet_from, limits.quiet_until, ZoneInfo(limits.zone))
