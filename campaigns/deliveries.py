"""Deliveries: what is on its way, when, and how it is stopped. Sending is in ``deliver``."""

from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, joinedload

from campaigns.models import Account, Approval, Delivery, Message, MessageVersion


def deliveries_between(session: Session, start: datetime, end: datetime) -> list[Delivery]:
    """Every delivery due from ``start`` up to ``end``, in order, with all a calendar shows."""
    return list(
        session.scalars(
            select(Delivery)
            .where(Delivery.due_at >= start, Delivery.due_at < end)
            .options(
                joinedload(Delivery.account),
                joinedload(Delivery.approval)
                .joinedload(Approval.version)
                .joinedload(MessageVersion.message)
                .joinedload(Message.voice),
            )
            .order_by(Delivery.due_at, Delivery.id)
        )
    )


def of_message(message_id: int) -> ColumnElement[bool]:
    """Condition: the delivery is of any version of this message."""
    return Delivery.approval_id.in_(
        select(Approval.id)
        .join(MessageVersion, MessageVersion.id == Approval.version_id)
        .where(MessageVersion.message_id == message_id)
    )


def of_voice(voice_id: int) -> ColumnElement[bool]:
    """Condition: the delivery goes out from an account of this voice."""
    return Delivery.account_id.in_(select(Account.id).where(Account.voice_id == voice_id))


def locked(session: Session, condition: ColumnElement[bool]) -> list[Delivery]:
    """The deliveries as they stand now, locked: waits for a claim in progress, then sees it."""
    return list(
        session.scalars(
            select(Delivery)
            .where(condition)
            .order_by(Delivery.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )


def stand_down(delivery: Delivery, why: str, now: datetime) -> None:
    """Stop a delivery that is scheduled. One that is claimed or settled stays as it is."""
    if delivery.state == "scheduled":
        delivery.state = "withdrawn"
        delivery.detail = why
        delivery.settled_at = now
