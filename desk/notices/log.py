"""Who was and will be told of what, as pages show it."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from campaigns.models import Bark, Decline
from desk.models import Channel, Notice
from monitor.models import AlertMessage, AlertRecipient
from sources.db import among

LOG_LINES = 100


@dataclass
class Log:
    """A page of the log: notices, newest first, and who acknowledged by (alert id, person id)."""

    notices: Sequence[Notice]
    acknowledged: dict[tuple[int, int], datetime] = field(default_factory=dict)
    older: int | None = None  # the id before which the next page begins


_WHOLE = (
    joinedload(Notice.channel).joinedload(Channel.person),
    joinedload(Notice.message),
    joinedload(Notice.bark),
    joinedload(Notice.decline).joinedload(Decline.version),
)


def told_of_alert(session: Session, alert_id: int) -> list[Notice]:
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


def told_of_version(session: Session, version_id: int) -> list[Notice]:
    """How a leader was asked to decide on a version, in order, with channel and person loaded."""
    query = select(Notice).options(*_WHOLE).where(Notice.version_id == version_id)
    return list(session.scalars(query.order_by(Notice.id)))


def told_of_barks(session: Session, barks: Collection[Bark]) -> dict[int, list[Notice]]:
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
