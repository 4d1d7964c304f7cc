"""The calendar of messages: what goes out when, what stands too close, and another time for one.

One entry is one version: every approved one, whatever became of it, and the newest words of each
message that nobody has approved yet. Queries and one verb, session first; no verb commits.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session, aliased, joinedload

from campaigns.checking.surroundings import SPACING
from campaigns.drafting.messages import (
    OvertakenError,
    follow_with,
    latest_version,
    state_from,
    state_of,
)
from campaigns.limits import in_force, is_quiet, quiet_over
from campaigns.models import (
    DELIVERY_STATES,
    Account,
    Approval,
    Campaign,
    Delivery,
    Message,
    MessageVersion,
    Voice,
    VoiceLimits,
)
from campaigns.wording.content import at_another_time, send_time
from monitor import triggers
from monitor.models import Narrative, TriggerEvent

DOUBT = DELIVERY_STATES["unconfirmed"]
OUT = frozenset({"publishing", DOUBT, "published", "partly published"})  # it is out, or may be
COMING = frozenset({"draft", "submitted", "change asked", "scheduled"})  # it may still go out
STANDS = frozenset({"submitted", "scheduled"}) | OUT  # others must keep their distance from it
MARGIN = timedelta(days=1)  # around what is shown, of which the notes on it must know
WHY_NOT = {
    "publishing": "It is being sent this moment: nobody can move it any more.",
    DOUBT: "It may be out there already. First somebody must look at the account.",
    "published": "It is published: what was said cannot be moved.",
    "partly published": "A part of it is published: what was said cannot be moved.",
}


class CannotMoveError(ValueError):
    """It is out, or may be."""


@dataclass(frozen=True)
class Entry:
    """One version on the calendar. ``notes``: short sentences on what stands in its way."""

    version: MessageVersion
    state: str  # as messages.state_of has it
    due_at: datetime
    platforms: tuple[str, ...]
    notes: list[str] = field(default_factory=list)

    @property
    def message(self) -> Message:
        """The message, with its voice, campaign and narrative loaded."""
        return self.version.message

    @property
    def movable(self) -> bool:
        """Whether it may still go out, and so be given another time."""
        return self.state in COMING

    @property
    def story(self) -> int:
        """The narrative it speaks of; of merged ones the one they went into."""
        narrative = self.message.campaign.narrative
        return narrative.merged_into or narrative.id


@dataclass(frozen=True)
class Sheet:
    """What a stretch of time holds: entries and days that may raise tension, in order."""

    entries: list[Entry]
    events: list[TriggerEvent]
    limits: dict[int, VoiceLimits]  # by voice, of those who set any


def sheet(
    session: Session,
    start: datetime,
    end: datetime,
    zone: ZoneInfo,
    *,
    campaign: int | None = None,
    voice: int | None = None,
) -> Sheet:
    """From ``start`` up to ``end``, of one campaign or voice (ids) where they are given.

    ``zone``: where the days of events are counted. The notes know of all messages, shown or not.
    """
    around = _entries(session, start - MARGIN, end + MARGIN)
    events = triggers.between(session, start, end)
    limits = in_force(session, {one.message.voice_id for one in around})
    shown = [
        one
        for one in around
        if start <= one.due_at < end
        and campaign in (None, one.message.campaign_id)
        and voice in (None, one.message.voice_id)
    ]
    dated = {event: triggers.days_of(event, zone) for event in events}
    for one in shown:
        if one.movable:
            one.notes.extend(_notes(one, around, limits.get(one.message.voice_id)))
            day = one.due_at.astimezone(zone).date()
            one.notes.extend(_on_day_of(event) for event in events if day in dated[event])
    return Sheet(shown, events, limits)


def notes_at(
    session: Session,
    version: MessageVersion,
    send_at: datetime,
    limits: VoiceLimits | None,
    zone: ZoneInfo,
) -> list[str]:
    """What would stand in the way of a version at another time, as ``Entry.notes``.

    ``limits``: those in force of its voice.
    """
    around = _entries(session, send_at - MARGIN, send_at + MARGIN)
    one = Entry(version, "draft", send_at, ())
    day = send_at.astimezone(zone).date()
    opens, closes = triggers.whole_days(day, day, zone)
    events = triggers.between(session, opens, closes)
    return [*_notes(one, around, limits), *map(_on_day_of, events)]


def choices(session: Session) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Campaigns and voices that have messages, each with a name, to narrow the calendar by."""
    campaigns = session.execute(
        select(Campaign.id, Narrative.title, Campaign.audience)
        .join(Campaign.narrative)
        .where(exists().where(Message.campaign_id == Campaign.id))
        .order_by(Narrative.title, Campaign.id)
    )
    voices = session.execute(
        select(Voice.id, Voice.name)
        .where(exists().where(Message.voice_id == Voice.id))
        .order_by(Voice.name, Voice.id)
    )
    return (
        [(number, f"{title}, for {audience}") for number, title, audience in campaigns],
        [(number, name) for number, name in voices],
    )


# ---- another time


def why_not(message: Message) -> str:
    """Why a message cannot be moved, as a sentence; "" where it can."""
    if latest_version(message) is None:
        return "It has no words yet, and so no time."
    return WHY_NOT.get(state_of(message), "")


def reschedule(
    session: Session, message: Message, send_at: datetime, *, base: int, by: int, now: datetime
) -> MessageVersion:
    """The same words for another time, as the next version.

    The time is part of what is approved: submission and approval are void, and what was scheduled
    is stopped, in this transaction. ``base``: number of the version that was to be moved; raises
    messages.OvertakenError if it is not the newest any more, CannotMoveError once it is out or may
    be, or ValueError for a time that has passed or is the one it has.
    """
    session.refresh(message, with_for_update=True)
    if why := why_not(message):
        raise CannotMoveError(why)
    version = latest_version(message)
    if version is None:
        raise CannotMoveError("It has no words yet, and so no time.")
    if send_at <= now:
        raise ValueError("That time has passed. Choose a later one.")
    if send_at == send_time(version.content) and state_of(message) in COMING:
        raise ValueError("That is the time it has. Choose another.")
    if base != version.number:
        raise OvertakenError(version)
    _same_accounts(version)
    content = at_another_time(version.content, send_at)
    return follow_with(session, message, content, by=by, now=now)


def _same_accounts(version: MessageVersion) -> None:
    """ValueError where an account is not any more what these words were written for."""
    accounts = {one.id: (one.handle, one.service) for one in version.message.voice.accounts}
    for part in version.content["parts"]:
        if accounts.get(part["account"]) != (part["handle"], part["service"]):
            raise ValueError(
                f"@{part['handle']} was connected anew since. Open the message and save it again "
                "with the time you want."
            )


# ---- what is on the calendar


def _entries(session: Session, start: datetime, end: datetime) -> list[Entry]:
    """Every entry from ``start`` up to ``end``, in order, without notes."""
    states: defaultdict[int, set[str]] = defaultdict(set)
    platforms: defaultdict[int, set[str]] = defaultdict(set)
    due: dict[int, datetime] = {}
    for version_id, due_at, state, platform in session.execute(
        select(Approval.version_id, Delivery.due_at, Delivery.state, Account.platform)
        .join(Delivery, Delivery.approval_id == Approval.id)  # to lists as well
        .join(Delivery.account)
        .where(Delivery.due_at >= start, Delivery.due_at < end)
        .distinct()
    ):
        states[version_id].add(state)
        platforms[version_id].add(platform)
        due[version_id] = due_at
    newer = aliased(MessageVersion)
    followed = exists().where(
        newer.message_id == MessageVersion.message_id, newer.number > MessageVersion.number
    )
    send_at = MessageVersion.content["send_at"].astext
    message = joinedload(MessageVersion.message)
    versions = session.scalars(
        select(MessageVersion)
        .outerjoin(MessageVersion.approval)
        .where(
            or_(
                MessageVersion.id.in_(due),
                # Both are UTC in one form, so that their order as words is that in time.
                Approval.id.is_(None)
                & ~followed
                & (send_at >= _iso(start))
                & (send_at < _iso(end)),
            )
        )
        .options(
            message.joinedload(Message.voice),
            message.joinedload(Message.campaign).joinedload(Campaign.narrative),
            joinedload(MessageVersion.submission),
            joinedload(MessageVersion.decline),
        )
    )
    found = []
    for version in versions:
        if version.id in due:
            shown = tuple(sorted(platforms[version.id]))
            state = state_from(states[version.id])
            found.append(Entry(version, state, due[version.id], shown))
        elif (state := _undecided(version)) in COMING:
            shown = tuple(dict.fromkeys(part["platform"] for part in version.content["parts"]))
            found.append(Entry(version, state, send_time(version.content), shown))
    return sorted(found, key=lambda one: (one.due_at, one.version.id))


def _undecided(version: MessageVersion) -> str:
    if version.decline is not None:
        return version.decline.kind
    return "submitted" if version.submission is not None else "draft"


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


# ---- what stands in the way


def _notes(one: Entry, around: Sequence[Entry], limits: VoiceLimits | None) -> list[str]:
    voice = one.message.voice
    others = [
        other for other in around if other.message is not one.message and other.state in STANDS
    ]
    notes = []
    for other in others:
        apart = abs(other.due_at - one.due_at)
        if apart >= SPACING:
            continue
        minutes = f"{int(apart.total_seconds() // 60)} min"
        if other.story == one.story:
            notes.append(f"{minutes} from {other.message.voice.name} on the same story")
        elif other.message.voice_id == one.message.voice_id:
            notes.append(f"{minutes} from another message of {voice.name}")
    if limits is not None:
        notes += _limited(one, others, limits)
    return notes


def _limited(one: Entry, others: Collection[Entry], limits: VoiceLimits) -> list[str]:
    voice, zone = one.message.voice, ZoneInfo(limits.zone)
    notes = []
    if is_quiet(one.due_at, limits.quiet_from, limits.quiet_until, zone):
        end = quiet_over(one.due_at, limits.quiet_from, limits.quiet_until, zone)
        notes.append(f"in {voice.name}’s quiet hours, until {end.astimezone(zone):%H:%M} there")
    if limits.per_day is not None:
        day = _day(one, zone)
        parts = sum(
            len(other.version.content["parts"])
            for other in (one, *others)
            if other.message.voice_id == voice.id and _day(other, zone) == day
        )
        if parts > limits.per_day:
            notes.append(f"{parts} posts of {voice.name} that day; {limits.per_day} at most")
    return notes


def _day(one: Entry, zone: ZoneInfo) -> date:
    return one.due_at.astimezone(zone).date()


def _on_day_of(event: TriggerEvent) -> str:
    return f"on the day of “{event.name}”"
