"""What the checks of one message must know of everything around it: a handful of small queries.

The narrative's posts, its danger and what goes on there; what other voices say on it and when; what
this voice allows; what a duty lead let pass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from campaigns import limits
from campaigns.checking import Check
from campaigns.models import (
    Account,
    Approval,
    Campaign,
    CheckOverride,
    Decline,
    Delivery,
    Message,
    MessageVersion,
    Submission,
    Voice,
    VoiceLimits,
)
from campaigns.wording.content import send_time
from monitor.coding import situations
from monitor.models import Alert, Narrative, Reading
from monitor.narratives.narratives import family
from sources.models import Post

SAMPLES = 300  # newest posts of the narrative that a draft is held against: a tenth of a second
OTHER_TEXTS = 100  # newest texts of other voices on the story
SAID_LATELY = timedelta(
    days=7
)  # as long as monitor.narratives.copies takes posts for copies of each other
SPACING = timedelta(minutes=30)  # ours: between two messages on one story; closer looks arranged
OVER = ("withdrawn", "rejected", "missed")  # deliveries that say nothing
CROWDS = 3  # context factor: ongoing violence, or opposing crowds at one place and time


@dataclass(frozen=True)
class Surroundings:
    """See look_around."""

    samples: Sequence[str]  # texts of the narrative, the newest first
    other_voices: Sequence[tuple[str, str]]  # (name, text) of what others say on it
    voices: int  # with messages in this campaign, this one included
    danger: int  # the level at which the narrative may stand, at most
    live: str  # what goes on there now, in words, or ""
    zone: ZoneInfo | None  # in which the voice's people live, as far as anybody said
    spacing: Check
    standing_limits: Check
    overrides: Mapping[tuple[int, str], str]  # (check, finding): the duty lead's reason


def look_around(
    session: Session,
    campaign: Campaign,
    voice: Voice,
    content: Mapping[str, Any],
    message: Message | None,
    now: datetime,
) -> Surroundings:
    """What surrounds a content of this voice in this campaign; ``message`` holds it, if any."""
    narrative = campaign.narrative
    send_at = send_time(content)
    allows = next(iter(limits.history(session, voice)), None)
    zone = ZoneInfo(allows.zone) if allows else None
    speaking = {one.voice_id for one in campaign.messages} | {voice.id}
    return Surroundings(
        samples=_samples(session, narrative),
        other_voices=_other_voices(session, narrative, voice, now),
        voices=len(speaking),
        danger=situations.danger_of(session, narrative, now).high,
        live=_live(session, narrative, now),
        zone=zone,
        spacing=_spacing(session, narrative, message, send_at),
        standing_limits=_standing_limits(session, voice, allows, content, message),
        overrides=_overrides(session, message),
    )


def _samples(session: Session, narrative: Narrative) -> Sequence[str]:
    return session.scalars(
        select(Post.text)
        .join(Reading, Reading.post_id == Post.id)
        .where(Reading.narrative_id.in_(family(narrative)))
        .order_by(Reading.hour.desc(), Reading.post_id.desc())
        .limit(SAMPLES)
    ).all()


def _other_voices(
    session: Session, narrative: Narrative, voice: Voice, now: datetime
) -> list[tuple[str, str]]:
    """What other voices' messages on it say that were submitted lately and not declined."""
    newer = aliased(MessageVersion)
    followed = exists().where(
        newer.message_id == MessageVersion.message_id, newer.number > MessageVersion.number
    )
    rows = session.execute(
        select(Voice.name, MessageVersion.content)
        .join(Message, Message.voice_id == Voice.id)
        .join(Message.campaign)
        .join(MessageVersion, MessageVersion.message_id == Message.id)
        .join(Submission, Submission.version_id == MessageVersion.id)
        .outerjoin(Decline, Decline.version_id == MessageVersion.id)
        .where(
            Campaign.narrative_id.in_(family(narrative)),
            Voice.id != voice.id,
            Submission.at >= now - SAID_LATELY,
            Decline.id.is_(None),
            ~followed,
        )
        .order_by(Submission.id.desc())
        .limit(OTHER_TEXTS)
    )
    return [(name, part["text"]) for name, content in rows for part in content["parts"]]


def _live(session: Session, narrative: Narrative, now: datetime) -> str:
    """What people say goes on there now; the machine alone stops nobody."""
    week = situations.codings_in(session, narrative, situations.week_of(now))
    if any(coding.context == CROWDS for coding in week):
        return "violence, or opposing crowds, as its situation is coded this week"
    alarmed = select(Alert.id).where(
        Alert.narrative_id.in_(family(narrative)),
        ~Alert.exercise,
        Alert.life_safety,
        ~Alert.outcome.has(),
    )
    if session.scalar(alarmed.limit(1)) is not None:
        return "an alert on somebody's life is open"
    return ""


def _spacing(
    session: Session, narrative: Narrative, message: Message | None, send_at: datetime
) -> Check:
    """22: no other approved message on the story goes out shortly before or after."""
    name = "Time between messages"
    minutes = int(SPACING.total_seconds() // 60)
    near = (
        select(Voice.name)
        .join(Message, Message.voice_id == Voice.id)
        .join(Message.campaign)
        .join(Message.versions)
        .join(MessageVersion.approval)
        .join(Delivery, Delivery.approval_id == Approval.id)  # to lists as well
        .where(
            Campaign.narrative_id.in_(family(narrative)),
            Message.id != (message.id if message else 0),
            Delivery.state.not_in(OVER),
            Delivery.due_at > send_at - SPACING,
            Delivery.due_at < send_at + SPACING,
        )
        .distinct()
        .order_by(Voice.name)
    )
    if not (names := session.scalars(near).all()):
        return Check(22, name, True)
    problem = f"{' and '.join(names)} speaks on this story within {minutes} minutes of it."
    mend = f"Leave {minutes} minutes between them, or ask the duty lead to let it pass."
    return Check(22, name, True, problem, mend, overridable=True)


def _standing_limits(
    session: Session,
    voice: Voice,
    allows: VoiceLimits | None,
    content: Mapping[str, Any],
    message: Message | None,
) -> Check:
    """3: at the time to send the voice wants to speak, and has not said enough that day."""
    name = "What the voice allows"
    if allows is None:
        return Check(3, name, False)
    zone, send_at = ZoneInfo(allows.zone), send_time(content)
    if limits.is_quiet(send_at, allows.quiet_from, allows.quiet_until, zone):
        end = limits.quiet_over(send_at, allows.quiet_from, allows.quiet_until, zone)
        over = f"{end.astimezone(zone):%H:%M}"
        problem = f"{voice.name} has quiet hours then: it would wait until {over}, their time."
        return Check(3, name, False, problem, "Choose a time outside these hours.")
    if allows.per_day is None:
        return Check(3, name, False)
    today = send_at.astimezone(zone).date()
    opens, closes = (
        datetime.combine(day, time(), zone).astimezone(UTC)
        for day in (today, today + timedelta(days=1))
    )
    others = session.scalar(
        select(func.count())
        .select_from(Delivery)
        .join(Delivery.account)
        .join(Delivery.approval)
        .join(Approval.version)
        .where(
            Account.voice_id == voice.id,
            MessageVersion.message_id != (message.id if message else 0),
            Delivery.state.not_in(OVER),
            Delivery.due_at >= opens,
            Delivery.due_at < closes,
        )
    )
    if (others or 0) + len(content["parts"]) <= allows.per_day:
        return Check(3, name, False)
    problem = f"{voice.name} speaks at most {allows.per_day} times a day, all accounts together."
    mend = "Choose another day or fewer accounts: what is too much would wait for the next day."
    return Check(3, name, False, problem, mend)


def _overrides(session: Session, message: Message | None) -> dict[tuple[int, str], str]:
    if message is None:
        return {}
    rows = session.scalars(select(CheckOverride).where(CheckOverride.message_id == message.id))
    return {(row.number, row.finding): row.reason for row in rows}
