"""Standing limits of a voice: how many posts a day, at which hours none, and whom to call.

Every saving is a new row; the newest counts. Verbs never commit.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ScalarSelect, SQLColumnExpression, func, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from campaigns.models import Account, Delivery, Voice, VoiceLimits

MAY_HAVE_LEFT = ("attempting", "unconfirmed", "published")  # what counts as one of the day's posts
PER_DAY_MAX = 100
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class End:
    """Why a delivery must not be sent at all: the state it comes to, and why in plain words."""

    state: str
    why: str


@dataclass(frozen=True)
class Hold:
    """Why a delivery must wait, as a sentence, and until when to leave it alone."""

    why: str
    until: datetime


def history(session: Session, voice: Voice) -> list[VoiceLimits]:
    """The limits of a voice, the ones in force first; empty: it never set any."""
    return list(
        session.scalars(
            select(VoiceLimits)
            .where(VoiceLimits.voice_id == voice.id)
            .order_by(VoiceLimits.id.desc())
        )
    )


def in_force(session: Session, voices: Collection[int]) -> dict[int, VoiceLimits]:
    """By voice the limits in force; those that never set any are left out."""
    rows = session.scalars(
        select(VoiceLimits)
        .where(VoiceLimits.voice_id.in_(voices))
        .ext(distinct_on(VoiceLimits.voice_id))
        .order_by(VoiceLimits.voice_id, VoiceLimits.id.desc())
    )
    return {one.voice_id: one for one in rows}


def in_force_of(voice: SQLColumnExpression[int]) -> ScalarSelect[int]:
    """The id of the limits in force of a voice (its id, of an account), as part of a query."""
    newest = select(func.max(VoiceLimits.id)).where(VoiceLimits.voice_id == voice)
    return newest.correlate(Account).scalar_subquery()


def set_limits(
    session: Session,
    voice: Voice,
    *,
    per_day: int | None,
    quiet_from: int | None,
    quiet_until: int | None,
    zone: str,
    credibility: str,
    security_contact: str,
    by: int,
    now: datetime,
) -> VoiceLimits:
    """New limits, which hold from now on, for what is scheduled already as well.

    ``quiet_from`` and ``quiet_until`` are minutes after midnight in ``zone`` (an IANA name).
    ValueError says what cannot be.
    """
    if per_day is not None and not 0 < per_day <= PER_DAY_MAX:
        raise ValueError(f"Posts a day: a number from 1 to {PER_DAY_MAX}, or nothing.")
    if (quiet_from is None) != (quiet_until is None):
        raise ValueError("Quiet hours need both a beginning and an end.")
    if quiet_from is not None and quiet_from == quiet_until:
        raise ValueError("Quiet hours that begin and end at the same time would say nothing.")
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):  # unknown, not a name at all, a folder
        raise ValueError(f"“{zone}” is not a time zone, such as America/Detroit.") from None
    limits = VoiceLimits(
        voice_id=voice.id,
        per_day=per_day,
        quiet_from=quiet_from,
        quiet_until=quiet_until,
        zone=zone,
        credibility=credibility.strip(),
        security_contact=security_contact.strip(),
        by=by,
        at=now,
    )
    session.add(limits)
    session.flush()
    return limits


def hold(session: Session, delivery: Delivery, now: datetime) -> Hold | None:
    """What in its voice's limits makes this delivery wait now; None: it may go.

    Locks the voice, so that of two deliveries at once each counts the other.
    """
    voice = delivery.approval.version.message.voice
    session.execute(
        select(Voice.id).where(Voice.id == voice.id).with_for_update(key_share=True)
    ).one()
    limits = next(iter(history(session, voice)), None)
    if limits is None:
        return None
    zone = ZoneInfo(limits.zone)
    loud = quiet_over(now, limits.quiet_from, limits.quiet_until, zone)
    if loud > now:
        return Hold(f"It waits for the end of {voice.name}’s quiet hours.", loud)
    today = now.astimezone(zone).date()
    opens, closes = (
        datetime.combine(day, time(), zone).astimezone(UTC)
        for day in (today, today + timedelta(days=1))
    )
    if limits.per_day is None or _left_between(session, delivery, opens, closes) < limits.per_day:
        return None
    return Hold(f"{voice.name} speaks at most {limits.per_day} times a day.", closes)


def _left_between(session: Session, delivery: Delivery, start: datetime, end: datetime) -> int:
    """How many other posts of the same voice left the desk, or may have, in that time.

    A message to a list is one, however many recipients it has.
    """
    own = (Delivery.approval_id == delivery.approval_id) & (
        Delivery.account_id == delivery.account_id
    )
    left_at = func.coalesce(Delivery.settled_at, Delivery.claimed_at)
    return (
        session.scalar(
            select(func.count(tuple_(Delivery.approval_id, Delivery.account_id).distinct()))
            .select_from(Delivery)
            .join(Delivery.account)
            .where(
                Account.voice_id == delivery.account.voice_id,
                ~own,
                Delivery.state.in_(MAY_HAVE_LEFT),
                left_at >= start,
                left_at < end,
            )
        )
        or 0
    )


def is_quiet(moment: datetime, start: int | None, end: int | None, zone: ZoneInfo) -> bool:
    """Whether ``moment`` lies in the quiet hours.

    ``start`` (first quiet minute) and ``end`` (first minute after) count from local midnight, 0 to
    1439; an end before the start is on the next day. Without them nothing is quiet.
    """
    if start is None or end is None or start == end:
        return False
    local = moment.astimezone(zone)
    minute = local.hour * 60 + local.minute
    if start < end:
        return start <= minute < end
    return minute >= start or minute < end


def quiet_over(moment: datetime, start: int | None, end: int | None, zone: ZoneInfo) -> datetime:
    """``moment`` itself, or the full minute in which the quiet hours around it are over."""
    # A walk by the minute is right on the days on which clocks change as well, and short. In UTC:
    # Python adds to local times as if their clocks never changed.
    moment = moment.astimezone(UTC)
    while is_quiet(moment, start, end, zone):
        moment = moment.replace(second=0, microsecond=0) + MINUTE
    return moment
