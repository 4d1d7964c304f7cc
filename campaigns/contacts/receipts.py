"""Receipts: what gateways and mail servers say of a delivery after it has left the house.

They come late, twice, and in any order. Each is kept once and none replaces another; what became of
a delivery is read off all of them. A receipt never sends anything, and never makes anything to be
sent again. Where it names the delivery by our own key, the gateway had it: that ends a doubt.
Verbs never commit.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from campaigns.contacts import address_faults, opt_outs
from campaigns.contacts.erasing import GONE
from campaigns.models import Approval, ContactAddress, Delivery, DeliveryReport
from campaigns.publishers.receipts import Said
from campaigns.sending.deliveries import mark_published

ORDER = ("delivered", "failed", "delayed", "sent")  # which of them counts: whoever got it has it
CODE_CHARS = 40
DETAIL_CHARS = 400
SHOWN = 50  # of one delivery, and recipients named on the page of a list


def take(
    session: Session, key: str, said: Said, *, uri: str | None = None, now: datetime
) -> Delivery | None:
    """Keep a receipt for the delivery to one recipient that has this key; None: there is none.

    The same once more changes nothing. ``uri``: what the gateway calls it, where the receipt proves
    that it has it.
    """
    found = select(Delivery.id, Delivery.recipient_id).where(
        Delivery.record_key == key, Delivery.recipient_id.is_not(None)
    )
    row = session.execute(found).first()
    if row is None:
        return None
    to = session.get_one(ContactAddress, row.recipient_id)
    fresh = session.execute(
        insert(DeliveryReport)
        .values(
            delivery_id=row.id,
            source=said.source,
            kind=said.kind,
            code=said.code[:CODE_CHARS],
            detail=said.detail[:DETAIL_CHARS],
            at=now,
        )
        .on_conflict_do_nothing()
        .returning(DeliveryReport.id)
    ).scalar()
    if fresh is not None and to.sealed is not None:
        if said.left:
            opt_outs.opt_out_of(session, to, how="gateway", by=None, now=now)
        if said.gone:
            address_faults.note(session, to, said.detail, now)
    # After what locks other deliveries: in one order always, so that no two wait for each other.
    delivery = session.get_one(Delivery, row.id, with_for_update=True)
    if uri is not None:
        _is_there(session, delivery, said, uri, now)
    session.flush()
    return delivery


def _is_there(session: Session, delivery: Delivery, said: Said, uri: str, now: datetime) -> None:
    """The gateway had it. What we gave up is out all the same, unless it says that it failed."""
    if delivery.state == "published":
        return
    if delivery.settled_at is not None and said.kind == "failed":
        return
    for attempt in delivery.attempts:
        if attempt.kind == "send" and attempt.outcome in (None, "unknown"):
            attempt.outcome, attempt.ended_at = "published", attempt.ended_at or now
            attempt.detail = f"{attempt.detail} The gateway’s receipt says that it had it.".strip()
    to = session.get(ContactAddress, delivery.recipient_id) if delivery.recipient_id else None
    if to is not None and to.sealed is None:
        uri = GONE  # the gateway's own id leads to the number there
    delivery.claims += 1  # whoever is looking it up at this moment is too late
    mark_published(session, delivery, uri, None, now)


# ---- what pages show


def of_delivery(session: Session, delivery_id: int) -> list[DeliveryReport]:
    """What was said of one delivery, in the order in which we heard it."""
    query = select(DeliveryReport).where(DeliveryReport.delivery_id == delivery_id)
    return list(session.scalars(query.order_by(DeliveryReport.id).limit(SHOWN)))


def fate(reports: Sequence[DeliveryReport]) -> DeliveryReport | None:
    """The one that counts, whatever the order in which they came; None: nothing was said."""
    return min(reports, key=lambda one: ORDER.index(one.kind), default=None)


def fates(session: Session, deliveries: Collection[int]) -> dict[int, DeliveryReport]:
    """By delivery, the one that counts; those of which nothing was said are left out."""
    found: dict[int, DeliveryReport] = {}
    query = select(DeliveryReport).where(DeliveryReport.delivery_id.in_(deliveries))
    for one in session.scalars(query.order_by(DeliveryReport.id)):
        before = found.get(one.delivery_id)
        found[one.delivery_id] = one if before is None else fate([before, one]) or one
    return found


def counted(session: Session, approval: Approval, account_id: int) -> dict[str, int]:
    """Of one message to one list, how many fared how; each delivery once."""
    rank = case({kind: place for place, kind in enumerate(ORDER)}, value=DeliveryReport.kind)
    best = (
        select(func.min(rank).label("rank"))
        .join(Delivery, Delivery.id == DeliveryReport.delivery_id)
        .where(Delivery.approval_id == approval.id, Delivery.account_id == account_id)
        .group_by(DeliveryReport.delivery_id)
        .subquery()
    )
    rows = session.execute(select(best.c.rank, func.count()).group_by(best.c.rank))
    counts: dict[int, int] = dict(rows.all())
    return {kind: counts[place] for place, kind in enumerate(ORDER) if place in counts}


def failures(session: Session, approval: Approval, account_id: int) -> list[tuple[str, int]]:
    """(why, how many) of what did not arrive, the most frequent first."""
    arrived = select(DeliveryReport.delivery_id).where(DeliveryReport.kind == "delivered")
    rows = session.execute(
        select(DeliveryReport.detail, func.count(DeliveryReport.delivery_id.distinct()))
        .join(Delivery, Delivery.id == DeliveryReport.delivery_id)
        .where(
            Delivery.approval_id == approval.id,
            Delivery.account_id == account_id,
            DeliveryReport.kind == "failed",
            Delivery.id.not_in(arrived),
        )
        .group_by(DeliveryReport.detail)
        .order_by(func.count(DeliveryReport.delivery_id.distinct()).desc(), DeliveryReport.detail)
        .limit(SHOWN)
    )
    return [(why, count) for why, count in rows]
