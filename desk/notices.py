"""Notices: who is told of what, when and by which channel; what is due is a query over our rows.

Verbs never commit. What a notice says is in ``wording``, sending it in ``telling``.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from desk import channels
from desk.models import Channel, Notice, Person
from desk.quiet import next_digest, quiet_over
from desk.wording import CRITICAL
from monitor.models import Alert, AlertMessage, AlertRecipient, Flag
from sources.db import among

LATE = timedelta(minutes=15)  # design, section 2.5: critical, T2 to T3
RECENT = timedelta(days=1)  # of an older rise nobody is told who did not hear of it then
LOOK_BACK = timedelta(days=2)  # in which an Update or a Cancel is still worth telling
LOG_LINES = 100

HIGH = 3
# What may have reached somebody.
SPOKEN = ("attempting", "delivered", "unknown")


@dataclass
class Log:
    """A page of the log: notices, newest first, and who acknowledged by (alert id, person id)."""

    notices: Sequence[Notice]
    acknowledged: dict[tuple[int, int], datetime] = field(default_factory=dict)
    older: int | None = None  # the id before which the next page begins


# ---- what is due ----


def announce(session: Session, zone: ZoneInfo, now: datetime) -> None:
    """Make the notices that are called for and not there yet; withdraw those nobody needs now.

    Safe to call at any moment, as often as one likes, from any number of processes.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("breakwater-announce"))))
    channels.give_first(session, now)
    _withdraw(session, now)
    held = channels.live(session)
    session.add_all([*_of_flags(session, held, zone, now), *_of_alerts(session, held, zone, now)])
    session.flush()
    _gather(session, now)


def _of_flags(
    session: Session, held: list[Channel], zone: ZoneInfo, now: datetime
) -> Iterator[Notice]:
    """For each open flag, a notice to every channel that should hear of it and has not."""
    fresh = or_(Flag.kind == "life_safety", Flag.raised_at > now - RECENT)
    flags = session.scalars(select(Flag).where(~Flag.decision.has(), fresh)).all()
    ids = [flag.id for flag in flags]
    made = select(Notice.channel_id, Notice.flag_id).where(Notice.flag_id.in_(ids))
    known = {(channel_id, flag_id) for channel_id, flag_id in session.execute(made)}
    # A lead who cannot be told is as good as none.
    led = any(channel.person.may("duty lead") for channel in held)
    for flag in flags:
        for channel in held:
            if (channel.id, flag.id) in known:
                continue
            due = _due_of_flag(flag, channel, led, zone, now)
            if due is not None:
                level = CRITICAL if flag.kind == "life_safety" else min(flag.level, CRITICAL)
                yield Notice(channel=channel, kind="flag", flag=flag, level=level, **due)


def _due_of_flag(
    flag: Flag, channel: Channel, led: bool, zone: ZoneInfo, now: datetime
) -> dict[str, object] | None:
    """When a channel hears of an open flag, and whether in the digest; None for not at all."""
    if flag.kind == "life_safety":
        late = now - flag.raised_at >= LATE
        others = ("monitor", "admin") if late or not led else ()
        return _at(now, now) if channel.person.may("duty lead", *others) else None
    if not channel.person.may("monitor"):
        return None
    if flag.level >= HIGH:
        return _at(now, _loud(channel, zone, now))
    return _in_digest(channel, zone, now) if channel.digest else None


def _of_alerts(
    session: Session, held: list[Channel], zone: ZoneInfo, now: datetime
) -> Iterator[Notice]:
    """For each message of an alert, a notice to every channel of its recipients that lacks it."""
    lately = Alert.messages.any(AlertMessage.sent_at > now - LOOK_BACK)
    alerts = session.scalars(
        select(Alert)
        .where(or_(~Alert.outcome.has(), lately))
        .options(
            selectinload(Alert.messages),
            selectinload(Alert.recipients),
            joinedload(Alert.outcome),
        )
    ).all()
    ids = [message.id for alert in alerts for message in alert.messages]
    made: dict[tuple[int, int], list[Notice]] = defaultdict(list)  # by person and message
    for notice in session.scalars(
        select(Notice)
        .join(Notice.channel)
        .where(Notice.alert_message_id.in_(ids))
        .options(contains_eager(Notice.channel))
        # Somebody may have claimed one since this session saw it.
        .execution_options(populate_existing=True)
    ):
        made[notice.channel.person_id, notice.alert_message_id or 0].append(notice)
    mine: dict[int, list[Channel]] = defaultdict(list)
    for channel in held:
        mine[channel.person_id].append(channel)
    for alert in alerts:
        for recipient in alert.recipients:
            for message in alert.messages:
                first = made[recipient.person_id, alert.messages[0].id]
                known = {one.channel_id for one in made[recipient.person_id, message.id]}
                for channel in mine[recipient.person_id]:
                    if channel.id in known or not _concerns(
                        message, alert, recipient, first, channel, now
                    ):
                        continue
                    due = _due_of_alert(alert, channel, zone, now)
                    if any(one.due_at <= one.made_at for one in first):
                        due = _at(now, now)  # the first came at once: so does what follows it
                    yield Notice(
                        channel=channel, kind="alert", message=message, level=_level(alert), **due
                    )


def _concerns(
    message: AlertMessage,
    alert: Alert,
    recipient: AlertRecipient,
    first: list[Notice],
    channel: Channel,
    now: datetime,
) -> bool:
    """Whether a recipient is to be told of a message there, ``first`` being their first notices."""
    if _settled_otherwise(message, alert, recipient) is not None:
        return False
    if message is alert.messages[0]:
        return True
    # Updates and cancellations are for those who were told. Where the first is still to come, it
    # leads to the page that says all.
    told = any(one.state in SPOKEN for one in first)
    to_come = any(one.channel_id == channel.id and one.state == "scheduled" for one in first)
    since = max(recipient.added_at, channel.added_at, now - LOOK_BACK)
    return told and not to_come and message.sent_at >= since


def _settled_otherwise(
    message: AlertMessage, alert: Alert, recipient: AlertRecipient | None
) -> str | None:
    """Why nobody needs to be told of a message any more; None where they do."""
    acknowledged = recipient.acknowledged_at if recipient is not None else None
    if acknowledged is not None and acknowledged >= message.sent_at:
        return "Acknowledged before this went out."
    if message.kind != "Cancel":
        if any(one.kind == "Cancel" for one in alert.messages):
            return "The alert was cancelled before this went out."
        if alert.outcome is not None:
            return "The alert was closed before this went out."
    return None


def _level(alert: Alert) -> int:
    return CRITICAL if alert.life_safety else alert.danger_level


def _due_of_alert(
    alert: Alert, channel: Channel, zone: ZoneInfo, now: datetime
) -> dict[str, object]:
    if _level(alert) >= CRITICAL:
        return _at(now, now)
    if _level(alert) >= HIGH or not channel.digest:
        return _at(now, _loud(channel, zone, now))
    return _in_digest(channel, zone, now)


def _at(now: datetime, due: datetime) -> dict[str, object]:
    return {"made_at": now, "due_at": due}


def _in_digest(channel: Channel, zone: ZoneInfo, now: datetime) -> dict[str, object]:
    return _at(now, _loud(channel, zone, next_digest(now, zone))) | {"gathered": True}


def _loud(channel: Channel, zone: ZoneInfo, moment: datetime) -> datetime:
    return quiet_over(moment, channel.quiet_from, channel.quiet_until, zone)


# ---- what nobody needs any more, and what comes together ----


def obstacle(notice: Notice) -> str | None:
    """Why a notice must not go out (any more), as a sentence; None when it still holds."""
    person = notice.channel.person
    if notice.channel.removed_at is not None:
        return "The channel was removed."
    if person.left_at is not None:
        return "This person has left."
    if notice.flag is not None:
        if notice.flag.decision is not None:
            return "The flag was decided before this went out."
        if not person.may("monitor", "duty lead", "admin"):
            return "This person's role is another one now."
    if notice.message is not None:
        alert = notice.message.alert
        mine = [one for one in alert.recipients if one.person_id == person.id]
        return _settled_otherwise(notice.message, alert, mine[0] if mine else None)
    if notice.kind == "digest" and all(obstacle(one) for one in notice.standing):
        return "Nothing of this digest waits any more."
    return None


def withdraw(notice: Notice, why: str, now: datetime) -> None:
    """Take back what is not out yet."""
    notice.state, notice.detail, notice.settled_at = "withdrawn", why, now


def _withdraw(session: Session, now: datetime) -> None:
    waiting = (
        select(Notice)
        .where(Notice.state == "scheduled")
        .options(
            joinedload(Notice.channel).joinedload(Channel.person).selectinload(Person.grants),
            selectinload(Notice.flag).joinedload(Flag.decision),
            selectinload(Notice.message).joinedload(AlertMessage.alert).joinedload(Alert.outcome),
        )
        # What a worker has in hand at this moment is left to it: it asks the same question.
        .with_for_update(of=Notice, skip_locked=True)
    )
    for notice in session.scalars(waiting.order_by(Notice.kind == "digest", Notice.id)):
        why = obstacle(notice)
        if why is not None:
            withdraw(notice, why, now)
    session.flush()


def _gather(session: Session, now: datetime) -> None:
    """Bind what is due for a digest together, one for each channel."""
    items: dict[Channel, list[Notice]] = defaultdict(list)
    due = (Notice.gathered, Notice.state == "scheduled", Notice.due_at <= now)
    for item in session.scalars(
        select(Notice).where(*due, Notice.digest_id.is_(None)).options(joinedload(Notice.channel))
    ):
        items[item.channel].append(item)
    for channel, some in items.items():
        level = max(item.level for item in some)
        digest = Notice(channel=channel, kind="digest", level=level, **_at(now, now))
        digest.items = some
        session.add(digest)


# ---- the log ----

_WHOLE = (joinedload(Notice.channel).joinedload(Channel.person), joinedload(Notice.message))


def of_alert(session: Session, alert_id: int) -> list[Notice]:
    """Who was told of an alert, in order, with channel and person loaded."""
    return list(
        session.scalars(
            select(Notice)
            .options(*_WHOLE)
            .join(Notice.message)
            .where(AlertMessage.alert_id == alert_id)
            .order_by(Notice.id)
        )
    )


def log(session: Session, states: Collection[str], before: int | None = None) -> Log:
    """What was and will be told, newest first: notices in these states (empty: all).

    A digest stands there as what was in it. ``before``: only notices with smaller ids.
    """
    query = select(Notice).options(*_WHOLE).where(Notice.kind != "digest")
    if states:
        query = query.where(Notice.state.in_(states))
    if before is not None:
        query = query.where(Notice.id < before)
    found = session.scalars(query.order_by(Notice.id.desc()).limit(LOG_LINES + 1)).all()
    shown = found[:LOG_LINES]
    alerts = {one.message.alert_id for one in shown if one.message is not None}
    said = select(AlertRecipient.alert_id, AlertRecipient.person_id, AlertRecipient.acknowledged_at)
    acknowledged = {
        (alert_id, person_id): at
        for alert_id, person_id, at in session.execute(
            said.where(among(AlertRecipient.alert_id, alerts))
        )
        if at is not None
    }
    return Log(shown, acknowledged, shown[-1].id if len(found) > LOG_LINES else None)


def counts(session: Session, since: datetime) -> dict[str, int]:
    """How many notices made since then are in which state; digests count as what is in them."""
    rows = session.execute(
        select(Notice.state, func.count())
        .where(Notice.kind != "digest", Notice.made_at >= since)
        .group_by(Notice.state)
    )
    return dict(rows.all())
