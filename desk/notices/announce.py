"""The crux of notices: what is called for is made, what nobody needs any more is taken back."""

from collections import defaultdict
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload, selectinload

from campaigns.models import Account, Approval, Decline, Delivery, MessageVersion, Release
from campaigns.sending import watchdogs
from desk import channels
from desk.models import Channel, Notice, Person
from desk.notices.obstacles import obstacle, withdraw
from desk.notices.of_messages import of_answers, of_approvals, of_releases, of_shares
from desk.notices.of_warnings import of_alerts, of_barks, of_flags, of_passkeys
from desk.notices.timing import times
from monitor.models import Alert, AlertMessage, Flag


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
    session.add_all([*of_flags(session, held, zone, now), *of_alerts(session, held, zone, now)])
    session.add_all(of_approvals(session, held, zone, now))
    session.add_all(of_barks(session, held, zone, now))
    session.add_all(of_answers(session, held, zone, now))
    session.add_all(of_releases(session, held, now))
    session.add_all(of_shares(session, held, zone, now))
    session.add_all(of_passkeys(session, held, now))
    session.flush()
    _hurry(session, now)
    _gather(session, now)


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


def _gather(session: Session, now: datetime) -> None:
    """Bind what is due for a digest together, one for each channel."""
    items: dict[Channel, list[Notice]] = defaultdict(list)
    due = (Notice.gathered, Notice.state == "scheduled", Notice.due_at <= now)
    waiting = select(Notice).where(*due, Notice.digest_id.is_(None)).order_by(Notice.id)
    for item in session.scalars(waiting.options(joinedload(Notice.channel))):
        items[item.channel].append(item)
    for channel, some in items.items():
        level = max(item.level for item in some)
        digest = Notice(channel=channel, kind="digest", level=level, **times(now, now))
        digest.items = some
        session.add(digest)
