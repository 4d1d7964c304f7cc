"""What is called for by flags, alerts, watchdogs and passkeys: the notices not made yet."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from campaigns.sending import watchdogs
from desk.models import Channel, Notice, Passkey
from desk.notices.obstacles import roles_told, settled_otherwise
from desk.notices.timing import RECENT, in_digest, loud, times
from desk.wording import CRITICAL, HIGH
from monitor.flags.flags import is_call
from monitor.models import Alert, AlertMessage, AlertRecipient, Flag

LATE = timedelta(minutes=15)  # design, section 2.5: critical, T2 to T3
LOOK_BACK = timedelta(days=2)  # in which an Update or a Cancel is still worth telling
SPOKEN = ("attempting", "delivered", "unknown")  # what may have reached somebody


def of_flags(
    session: Session, held: list[Channel], zone: ZoneInfo, now: datetime
) -> Iterator[Notice]:
    """For each open flag, a notice to every channel that should hear of it and has not."""
    fresh = or_(Flag.kind != "spike", Flag.raised_at > now - RECENT)
    open_ = select(Flag).where(~Flag.decision.has(), fresh)
    flags = session.scalars(open_.order_by(Flag.id)).all()
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
                level = CRITICAL if is_call(flag) else min(flag.level, CRITICAL)
                yield Notice(channel=channel, kind="flag", flag=flag, level=level, **due)


def _due_of_flag(
    flag: Flag, channel: Channel, led: bool, zone: ZoneInfo, now: datetime
) -> dict[str, object] | None:
    """When a channel hears of an open flag, and whether in the digest; None for not at all."""
    if channel.person_id == flag.raised_by:  # who reported it knows
        return None
    if is_call(flag):
        late = now - flag.raised_at >= LATE
        others = ("monitor", "admin") if late or not led else ()
        return times(now, now) if channel.person.may("duty lead", *others) else None
    if not channel.person.may("monitor"):
        return None
    # A person took the trouble to report it: no digest for that, whatever its level.
    if flag.level >= HIGH or flag.kind == "report":
        return times(now, loud(channel, zone, now))
    return in_digest(channel, zone, now) if channel.digest else None


def of_alerts(
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
        .order_by(Alert.id)
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
                        due = times(now, now)  # the first came at once: so does what follows it
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
    if settled_otherwise(message, alert, recipient) is not None:
        return False
    if message is alert.messages[0]:
        return True
    # Updates and cancellations are for those who were told. Where the first is still to come, it
    # leads to the page that says all.
    told = any(one.state in SPOKEN for one in first)
    to_come = any(one.channel_id == channel.id and one.state == "scheduled" for one in first)
    since = max(recipient.added_at, channel.added_at, now - LOOK_BACK)
    return told and not to_come and message.sent_at >= since


def _level(alert: Alert) -> int:
    return CRITICAL if alert.life_safety else alert.danger_level


def _due_of_alert(
    alert: Alert, channel: Channel, zone: ZoneInfo, now: datetime
) -> dict[str, object]:
    if _level(alert) >= CRITICAL:
        return times(now, now)
    if _level(alert) >= HIGH or not channel.digest:
        return times(now, loud(channel, zone, now))
    return in_digest(channel, zone, now)


def of_barks(
    session: Session, held: list[Channel], zone: ZoneInfo, now: datetime, kind: str = ""
) -> Iterator[Notice]:
    """For each bark that stands, a notice to every channel that should hear of it and has not.

    Those that come at once come to a channel as one. ``kind``: only barks of this watchdog.
    """
    barks = [one for one in watchdogs.standing_barks(session) if kind in ("", one.kind)]
    made = select(Notice).where(Notice.bark_id.in_([one.id for one in barks]))
    known = {(one.channel_id, one.bark_id): one for one in session.scalars(made)}
    for channel in held:
        fresh = []
        for bark in barks:
            if not channel.person.may(*roles_told(bark)):
                continue
            notice = known.get((channel.id, bark.id))
            if notice is None:
                fresh.append(bark)
            elif notice.state == "withdrawn" and not notice.tries:
                # It seemed to be over before anybody was told, and is not.
                notice.state, notice.detail, notice.settled_at = "scheduled", "", None
                notice.digest_id = None
        for bark in fresh:
            if bark.kind == "silent":  # at night too: no call about somebody's life comes now
                due, level = times(now, now), CRITICAL
            else:
                due, level = times(now, loud(channel, zone, now)), HIGH
            due["gathered"] = len(fresh) > 1
            yield Notice(channel=channel, kind="watchdog", bark=bark, level=level, **due)


def of_passkeys(session: Session, held: list[Channel], now: datetime) -> Iterator[Notice]:
    """For each passkey that was added or taken, a notice to its person by every channel: somebody
    else may have done it with a session that was left open. By night too."""
    since = now - RECENT
    lately = or_(Passkey.added_at > since, Passkey.removed_at > since)
    keys = session.scalars(select(Passkey).where(lately).order_by(Passkey.id)).all()
    made = select(Notice.channel_id, Notice.passkey_id, Notice.kind).where(
        Notice.passkey_id.in_([one.id for one in keys])
    )
    known = {(channel, key, kind) for channel, key, kind in session.execute(made)}
    for key in keys:
        for kind, at in (("passkey added", key.added_at), ("passkey taken", key.removed_at)):
            for channel in held if at is not None and at > since else ():
                theirs = channel.person_id == key.person_id
                if theirs and (channel.id, key.id, kind) not in known:
                    due = times(now, now)
                    yield Notice(channel=channel, kind=kind, passkey=key, level=HIGH, **due)
