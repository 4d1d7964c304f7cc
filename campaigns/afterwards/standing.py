"""What is known of published deliveries afterwards, for pages and for the people it concerns."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, func, or_, select
from sqlalchemy.orm import Session, aliased, joinedload

from campaigns.afterwards.afterwards import OVER_AFTER, has_numbers, latest_seen
from campaigns.models import (
    Account,
    Acknowledgement,
    Approval,
    Delivery,
    Message,
    MessageVersion,
    Observation,
    ReadBack,
    Retraction,
    Voice,
)

SINCE = timedelta(days=1)  # "up 5 since yesterday"
LISTED = 200  # deliveries on one page
MEANT = Retraction.state != "withdrawn"  # one that was withdrawn hides none before it


@dataclass(frozen=True)
class Standing:
    """What is known of one published delivery after its publication."""

    delivery: Delivery
    reading: ReadBack | None
    latest: Observation | None  # the newest with numbers, else the newest in which it stood
    fault: Observation | None  # the newest look, where that failed
    replies_before: int | None  # a day before the newest one
    read_replies: int | None  # how many there were when somebody last read them
    removal_known: bool  # somebody has said that they know of the removal
    retraction: Retraction | None  # the newest one

    @property
    def removed_at(self) -> datetime | None:
        """When we noticed that it was removed there, and not by us."""
        return self.reading.removed_at if self.reading else None

    @property
    def gone_why(self) -> str:
        """What the platform says of a post that is not there, such as who removed it; or ""."""
        return self.reading.gone_why if self.reading else ""

    @property
    def stands(self) -> bool:
        """Whether it is out there as far as we know."""
        down = self.retraction is not None and self.retraction.state == "carried_out"
        return self.delivery.state == "published" and self.removed_at is None and not down

    @property
    def unread(self) -> int:
        """Replies that came since somebody last read them; 0 when it stands no more."""
        replies = self.latest.replies if self.latest else None
        return max(0, (replies or 0) - (self.read_replies or 0)) if self.stands else 0

    @property
    def risen(self) -> int | None:
        """By how much the replies rose in the last day; None where nobody can tell."""
        if self.latest is None or self.latest.replies is None or self.replies_before is None:
            return None
        return self.latest.replies - self.replies_before


def standing(session: Session, deliveries: Iterable[Delivery], now: datetime) -> list[Standing]:
    """What is known of each of these that was published, in the given order, by one query.

    None where nothing was published.
    """
    some = [one for one in deliveries if one.state == "published"]
    if not some:
        return []
    latest, last, before = aliased(Observation), aliased(Observation), aliased(Observation)
    read, known = aliased(Acknowledgement), aliased(Acknowledgement)
    stood = Observation.state == "stands"
    rows = session.execute(
        select(Delivery.id, ReadBack, latest, last, before, read, known.id, Retraction)
        .outerjoin(ReadBack, ReadBack.delivery_id == Delivery.id)
        .outerjoin(
            latest,
            latest.id
            == func.coalesce(_newest(Observation, has_numbers()), _newest(Observation, stood)),
        )
        .outerjoin(last, last.id == _newest(Observation))
        .outerjoin(
            before, before.id == _newest(Observation, has_numbers(), Observation.at <= now - SINCE)
        )
        .outerjoin(read, read.id == _newest(Acknowledgement, Acknowledgement.kind == "replies"))
        .outerjoin(known, known.id == _newest(Acknowledgement, Acknowledgement.kind == "removal"))
        .outerjoin(
            Retraction, Retraction.id == _newest(Retraction, Retraction.state != "withdrawn")
        )
        .where(Delivery.id.in_([one.id for one in some]))
    )
    by_id = {row[0]: row for row in rows}
    found = []
    for one in some:
        _, reading, seen, newest, earlier, replies, removal, retraction = by_id[one.id]
        found.append(
            Standing(
                delivery=one,
                reading=reading,
                latest=seen,
                fault=newest if newest is not None and newest.state == "unreadable" else None,
                replies_before=earlier.replies if earlier is not None else None,
                read_replies=replies.replies if replies is not None else None,
                removal_known=removal is not None,
                retraction=retraction,
            )
        )
    return found


def _newest(
    rows: type[Observation | Acknowledgement | Retraction], *conditions: ColumnElement[bool]
) -> ScalarSelect[int]:
    """The id of a delivery's newest row of the kind; ids grow with time."""
    newest = select(func.max(rows.id)).where(rows.delivery_id == Delivery.id, *conditions)
    return newest.correlate(Delivery).scalar_subquery()


def history(session: Session, delivery: Delivery) -> list[Observation]:
    """Everything that was seen of a delivery, the oldest first."""
    query = select(Observation).where(Observation.delivery_id == delivery.id)
    return list(session.scalars(query.order_by(Observation.id)))


# ---- a person's word on it


def acknowledge(
    session: Session,
    delivery: Delivery,
    kind: str,
    *,
    by: int,
    now: datetime,
    replies: int | None = None,
) -> Acknowledgement:
    """Somebody has read the ``replies`` there ("replies"), or knows that it is gone ("removal").

    ValueError when there is nothing of the kind: a page that is out of date.
    """
    if kind == "removal":
        reading = session.get(ReadBack, delivery.id)
        if reading is None or reading.removed_at is None:
            raise ValueError("Nothing was removed there, as far as we know.")
        replies = None
    else:
        latest = latest_seen(session, delivery)
        known = (latest.replies if latest else None) or 0
        if replies is None or not 0 < replies <= known:
            raise ValueError("There are other numbers now. Look at the page again.")
    row = Acknowledgement(delivery=delivery, kind=kind, replies=replies, by=by, at=now)
    session.add(row)
    session.flush()
    return row


# ---- what needs a person


@dataclass(frozen=True)
class Matter:
    """One published delivery that needs somebody: ``kind`` as in models.WATCHDOGS, why so."""

    kind: str
    why: str
    delivery: Delivery


def matters(session: Session, now: datetime) -> list[Matter]:
    """What needs a person after publication, the gravest first, by one query.

    A removal that nobody knows of, a retraction that failed or waits for its leader, and an
    emergency that the leader has not reviewed.
    """
    rows = session.execute(
        with_aftermath(_with_message()).where(needing(now)).order_by(Delivery.id)
    ).unique()
    return sorted(itertools.starmap(matter_of, rows), key=gravest_first)


def with_aftermath(query: Select[Any]) -> Select[Any]:
    """Deliveries with how the reading of each stands and with its newest retraction, or None."""
    return (
        query.add_columns(ReadBack, Retraction)
        .outerjoin(ReadBack, ReadBack.delivery_id == Delivery.id)
        .outerjoin(
            Retraction, Retraction.id == _newest(Retraction, Retraction.state != "withdrawn")
        )
    )


def needing(now: datetime) -> ColumnElement[bool]:
    """Condition on deliveries ``with_aftermath``: it is published, and that needs a person."""
    known = (
        select(Acknowledgement.id)
        .where(Acknowledgement.delivery_id == Delivery.id, Acknowledgement.kind == "removal")
        .exists()
    )
    removed = and_(ReadBack.removed_at > now - OVER_AFTER, ~known)
    waits = and_(Retraction.state == "proposed", ReadBack.removed_at.is_(None))
    failed = and_(Retraction.state == "failed", ReadBack.removed_at.is_(None))
    open_ = and_(Retraction.decided_how == "emergency", Retraction.review.is_(None))
    return and_(Delivery.state == "published", or_(removed, waits, failed, open_))


def matter_of(
    delivery: Delivery, reading: ReadBack | None, retraction: Retraction | None
) -> Matter:
    """Why a delivery is ``needing`` a person."""
    gone = reading is not None and reading.removed_at is not None
    if retraction is not None and retraction.state == "failed" and not gone:
        return Matter("failed take-down", retraction.outcome, delivery)
    if retraction is not None and retraction.state == "proposed" and not gone:
        return Matter("take-down asked", f"Its leader decides: {retraction.reason}", delivery)
    if retraction is not None and retraction.decided_how == "emergency" and not retraction.review:
        why = f"It was taken down at once, and its leader reviews that: {retraction.reason}"
        return Matter("to review", why, delivery)
    said = reading.gone_why if reading is not None else ""
    why = " ".join(
        filter(None, ("It was removed there, not by us.", said, "We never put it back."))
    )
    return Matter("removed", why, delivery)


def gravest_first(one: Matter) -> tuple[int, int]:
    """The order of matters."""
    order = ("failed take-down", "removed", "take-down asked", "to review")
    return order.index(one.kind), one.delivery.id


def published_since(session: Session, since: datetime) -> list[Delivery]:
    """Posts published since then, the latest first, with all a line about one shows.

    What went to the single recipients of a list is left out: it stands nowhere.
    """
    query = _published().where(Delivery.settled_at >= since, Delivery.recipient_id.is_(None))
    latest = query.order_by(Delivery.settled_at.desc(), Delivery.id.desc()).limit(LISTED)
    return list(session.scalars(latest).unique())


def with_all(session: Session, delivery: Delivery) -> None:
    """Load by one query what its page shows of a delivery: account and voice, and the message."""
    session.scalars(_with_message().where(Delivery.id == delivery.id)).unique().one()


def _published() -> Select[Delivery]:
    return _with_message().where(Delivery.state == "published")


def _with_message() -> Select[Delivery]:
    return select(Delivery).options(
        joinedload(Delivery.account).joinedload(Account.voice).joinedload(Voice.consents),
        joinedload(Delivery.approval)
        .joinedload(Approval.version)
        .joinedload(MessageVersion.message)
        .joinedload(Message.campaign),
    )
