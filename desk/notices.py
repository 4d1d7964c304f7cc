"""Notices: who is told of what, when and by which channel; what is due is a query over our rows.

Verbs never commit. What a notice says is in ``wording``, sending it in ``telling``.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.orm import (
    Session,
    aliased,
    contains_eager,
    joinedload,
    object_session,
    selectinload,
)

from campaigns.drafting.messages import all_submissions, latest_version
from campaigns.models import (
    Account,
    Approval,
    Bark,
    Decline,
    Delivery,
    Message,
    MessageVersion,
    Release,
)
from campaigns.sending import share_packs, watchdogs
from campaigns.sending.deliveries import STOPPABLE
from campaigns.wording.content import send_time, send_until
from desk import channels
from desk.models import Channel, Notice, Passkey, Person
from desk.quiet import next_digest, quiet_over
from desk.wording import CRITICAL
from monitor.flags.flags import is_call
from monitor.models import Alert, AlertMessage, AlertRecipient, Flag
from sources.db import among

LATE = timedelta(minutes=15)  # design, section 2.5: critical, T2 to T3
RECENT = timedelta(days=1)  # of an older rise nobody is told who did not hear of it then
LOOK_BACK = timedelta(days=2)  # in which an Update or a Cancel is still worth telling
LOG_LINES = 100

HIGH = 3
WATCHING = ("comms", "duty lead")  # who is told what a watchdog found
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
    watchdogs.keep_barks(session, now)
    watchdogs.bark_silent(session, "", now)  # whoever runs this is the worker
    _withdraw(session, now)
    held = channels.live(session)
    session.add_all([*_of_flags(session, held, zone, now), *_of_alerts(session, held, zone, now)])
    session.add_all(_of_approvals(session, held, zone, now))
    session.add_all(of_barks(session, held, zone, now))
    session.add_all(_of_answers(session, held, zone, now))
    session.add_all(_of_releases(session, held, now))
    session.add_all(_of_shares(session, held, zone, now))
    session.add_all(_of_passkeys(session, held, now))
    session.flush()
    _hurry(session, now)
    _gather(session, now)


def _of_flags(
    session: Session, held: list[Channel], zone: ZoneInfo, now: datetime
) -> Iterator[Notice]:
    """For each open flag, a notice to every channel that should hear of it and has not."""
    fresh = or_(Flag.kind != "spike", Flag.raised_at > now - RECENT)
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
        return _at(now, now) if channel.person.may("duty lead", *others) else None
    if not channel.person.may("monitor"):
        return None
    # A person took the trouble to report it: no digest for that, whatever its level.
    if flag.level >= HIGH or flag.kind == "report":
        return _at(now, _loud(channel, zone, now))
    return _in_digest(channel, zone, now) if channel.digest else None


def _of_approvals(
    session: Session, held: list[Channel], zone: ZoneInfo, now: datetime
) -> Iterator[Notice]:
    """For each message that waits for its leader, a notice to every channel of theirs."""
    versions = [one for one in all_submissions(session) if send_time(one.content) > now]
    made = select(Notice.channel_id, Notice.version_id).where(
        Notice.version_id.in_([one.id for one in versions])
    )
    known = {(channel_id, version_id) for channel_id, version_id in session.execute(made)}
    for version in versions:
        for channel in held:
            leads = channel.person_id == version.message.voice.leader_id
            if not leads or not channel.person.may("leader"):
                continue
            if (channel.id, version.id) not in known:
                # Only one person can answer, and before a certain time: no digest for that.
                due = _at(now, _loud(channel, zone, now))
                yield Notice(channel=channel, kind="approval", version=version, level=HIGH, **due)


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
            if not channel.person.may(*_called_by(bark)):
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
                due, level = _at(now, now), CRITICAL
            else:
                due, level = _at(now, _loud(channel, zone, now)), HIGH
            due["gathered"] = len(fresh) > 1
            yield Notice(channel=channel, kind="watchdog", bark=bark, level=level, **due)


def _called_by(bark: Bark) -> tuple[str, ...]:
    """The roles that are told of a bark."""
    return (*WATCHING, "admin") if bark.kind == "silent" else WATCHING


def _of_answers(
    session: Session, held: list[Channel], zone: ZoneInfo, now: datetime
) -> Iterator[Notice]:
    """For each no of a leader, a notice to every channel of who wrote the words or submitted them.

    Not where somebody wrote the next version already: the answer was read.
    """
    newer = aliased(MessageVersion)
    followed = exists().where(
        newer.message_id == MessageVersion.message_id, newer.number > MessageVersion.number
    )
    declines = session.scalars(
        select(Decline)
        .join(Decline.version)
        .where(Decline.at > now - RECENT, ~followed)
        .options(contains_eager(Decline.version).joinedload(MessageVersion.submission))
        .order_by(Decline.id)
    ).all()
    made = select(Notice.channel_id, Notice.decline_id).where(
        Notice.decline_id.in_([one.id for one in declines])
    )
    known = {(channel_id, decline_id) for channel_id, decline_id in session.execute(made)}
    for decline in declines:
        for channel in held:
            if channel.person_id in _answered(decline) and (channel.id, decline.id) not in known:
                due = _at(now, _loud(channel, zone, now))
                yield Notice(channel=channel, kind="answer", decline=decline, level=HIGH, **due)


def _of_releases(session: Session, held: list[Channel], now: datetime) -> Iterator[Notice]:
    """For each release in an emergency, a notice to every channel of its leader, by night too."""
    lately = (Release.released_at > now - RECENT, Release.review.is_(None))
    version = joinedload(Release.version).joinedload(MessageVersion.message)
    released = session.scalars(
        select(Release).where(*lately).options(version.joinedload(Message.voice))
    ).all()
    made = select(Notice.channel_id, Notice.release_id).where(
        Notice.release_id.in_([one.id for one in released])
    )
    known = {(channel_id, release_id) for channel_id, release_id in session.execute(made)}
    for one in released:
        for channel in held:
            leads = channel.person_id == one.version.message.voice.leader_id
            if leads and (channel.id, one.id) not in known:
                due = _at(now, now)
                yield Notice(channel=channel, kind="release", release=one, level=CRITICAL, **due)


def _of_shares(
    session: Session, held: list[Channel], zone: ZoneInfo, now: datetime
) -> Iterator[Notice]:
    """For each post by hand whose time has come, a notice to every channel of those who may make
    it, and another before it is too late."""
    packs = share_packs.due(session, now)
    posting = share_packs.posting(session, {one.account.voice for one in packs})
    made = select(Notice.channel_id, Notice.delivery_id, Notice.kind).where(
        Notice.delivery_id.in_([one.id for one in packs])
    )
    known = {(channel, pack, kind) for channel, pack, kind in session.execute(made)}
    for pack in packs:
        kind = "share again" if now >= share_packs.last_call(pack) else "share"
        for channel in held:
            posts = channel.person_id in posting[pack.account.voice_id]
            if posts and (channel.id, pack.id, kind) not in known:
                due = _at(now, _loud(channel, zone, now))
                yield Notice(channel=channel, kind=kind, delivery=pack, level=HIGH, **due)


def _of_passkeys(session: Session, held: list[Channel], now: datetime) -> Iterator[Notice]:
    """For each passkey that was added or taken, a notice to its person by every channel: somebody
    else may have done it with a session that was left open. By night too."""
    since = now - RECENT
    keys = session.scalars(
        select(Passkey).where(or_(Passkey.added_at > since, Passkey.removed_at > since))
    ).all()
    made = select(Notice.channel_id, Notice.passkey_id, Notice.kind).where(
        Notice.passkey_id.in_([one.id for one in keys])
    )
    known = {(channel, key, kind) for channel, key, kind in session.execute(made)}
    for key in keys:
        for kind, at in (("passkey added", key.added_at), ("passkey taken", key.removed_at)):
            for channel in held if at is not None and at > since else ():
                theirs = channel.person_id == key.person_id
                if theirs and (channel.id, key.id, kind) not in known:
                    due = _at(now, now)
                    yield Notice(channel=channel, kind=kind, passkey=key, level=HIGH, **due)


def _hurry(session: Session, now: datetime) -> None:
    """While somebody asks to release a message without its leader, no quiet hours hold up theirs.

    They may still decide on it themselves.
    """
    asked = select(Release.version_id).where(
        Release.released_by.is_(None), Release.refused_by.is_(None)
    )
    session.execute(
        update(Notice)
        .where(
            Notice.version_id.in_(asked),
            Notice.state == "scheduled",
            Notice.due_at > now,
        )
        .values(due_at=now)
    )


def _answered(decline: Decline) -> set[int]:
    """Who waits for a leader's word: the drafter, and who laid the words before the leader."""
    submission = decline.version.submission
    waiting = {decline.version.drafted_by} | ({submission.by} if submission else set())
    return waiting - {decline.by}


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
    theirs = channel.person.zone(zone)
    return _at(now, _loud(channel, zone, next_digest(now, theirs))) | {"gathered": True}


def _loud(channel: Channel, zone: ZoneInfo, moment: datetime) -> datetime:
    theirs = channel.person.zone(zone)
    return quiet_over(moment, channel.quiet_from, channel.quiet_until, theirs)


# ---- what nobody needs any more, and what comes together ----


def obstacle(notice: Notice, now: datetime) -> str | None:
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
    if notice.version is not None:
        return _decided_otherwise(notice.version, person, now)
    if notice.bark is not None:
        if notice.bark.ended_at is not None:
            return "It was over before this went out."
        if not person.may(*_called_by(notice.bark)):
            return "This person's role is another one now."
    if notice.decline is not None:
        version = notice.decline.version
        if version is not latest_version(version.message):
            return "The message was changed before this went out."
    if notice.release is not None and notice.release.review is not None:
        return "It was reviewed before this went out."
    if notice.delivery is not None:
        return _posted_otherwise(notice, notice.delivery, now)
    if notice.kind == "digest" and all(obstacle(one, now) for one in notice.standing):
        return "Nothing of this digest waits any more."
    return None


def _decided_otherwise(version: MessageVersion, person: Person, now: datetime) -> str | None:
    if version.approval is not None or version.decline is not None:
        return "The leader decided before this went out."
    if version is not latest_version(version.message):
        return "The message was changed before this went out."
    if person.id != version.message.voice.leader_id or not person.may("leader"):
        return "Another leader answers for this voice now."
    if send_time(version.content) <= now:
        return "The message's time to be sent has passed."
    return None


def _posted_otherwise(notice: Notice, delivery: Delivery, now: datetime) -> str | None:
    if delivery.state not in STOPPABLE:
        return "It was taken up, or stopped, before this went out."
    if now > send_until(delivery.approval.version.content):
        return "The time to post it has passed."
    if notice.kind == "share" and now >= share_packs.last_call(delivery):
        return "The last call comes instead."
    session = object_session(notice)
    voice, person_id = delivery.account.voice, notice.channel.person_id
    if session is not None and not share_packs.may_post(session, voice, person_id):
        return "Somebody else posts it now."
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
            selectinload(Notice.version).joinedload(MessageVersion.message),
            selectinload(Notice.bark),
            selectinload(Notice.release),
            selectinload(Notice.delivery).options(
                joinedload(Delivery.account).joinedload(Account.voice),
                joinedload(Delivery.approval).joinedload(Approval.version),
            ),
            selectinload(Notice.decline)
            .joinedload(Decline.version)
            .joinedload(MessageVersion.message),
        )
        # What a worker has in hand at this moment is left to it: it asks the same question.
        .with_for_update(of=Notice, skip_locked=True)
    )
    for notice in session.scalars(waiting.order_by(Notice.kind == "digest", Notice.id)):
        why = obstacle(notice, now)
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

_WHOLE = (
    joinedload(Notice.channel).joinedload(Channel.person),
    joinedload(Notice.message),
    joinedload(Notice.bark),
    joinedload(Notice.decline).joinedload(Decline.version),
)


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


def of_version(session: Session, version_id: int) -> list[Notice]:
    """How a leader was asked to decide on a version, in order, with channel and person loaded."""
    query = select(Notice).options(*_WHOLE).where(Notice.version_id == version_id)
    return list(session.scalars(query.order_by(Notice.id)))


def of_watchdogs(session: Session, barks: Collection[Bark]) -> dict[int, list[Notice]]:
    """Who was told of these barks, by bark id, in order, with channel and person loaded."""
    query = select(Notice).options(*_WHOLE).where(Notice.bark_id.in_({one.id for one in barks}))
    told: dict[int, list[Notice]] = defaultdict(list)
    for notice in session.scalars(query.order_by(Notice.id)):
        told[notice.bark_id or 0].append(notice)
    return told


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
