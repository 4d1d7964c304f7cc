"""Deliveries: what is on its way, when, how it is stopped, and what a person found out there.

Sending is in ``deliver``.
"""

from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from campaigns.models import (
    Account,
    Approval,
    Attempt,
    Delivery,
    Finding,
    MessageVersion,
    ShareStep,
)
from monitor.alerts import alert_clock

STOPPABLE = ("scheduled", "claimed", "retry_later")  # no call was made, or it certainly failed
LINK_MAX = 2_000  # characters; no platform's links are nearly as long


class NotInDoubtError(ValueError):
    """Somebody or something else has found out meanwhile."""


class OwnWordError(ValueError):
    """Whoever posted it by hand is not who finds that it is there."""


def due_between(start: datetime, end: datetime) -> ColumnElement[bool]:
    """Condition: the delivery is due from ``start`` up to ``end``, whatever became of it."""
    return and_(Delivery.due_at >= start, Delivery.due_at < end)


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


def shown_once() -> ColumnElement[bool]:
    """Condition: of each list's deliveries of one message only the first in each state.

    What else a page would show thousands of times; ``recipients.tallies`` counts them.
    """
    each = aliased(Delivery)
    # Worked out once for the whole query: asked row by row it takes seconds.
    first = (
        select(func.min(each.id))
        .where(each.recipient_id.is_not(None))
        .group_by(each.approval_id, each.account_id, each.state)
    )
    return or_(Delivery.recipient_id.is_(None), Delivery.id.in_(first))


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
    """Stop a delivery of which no call was made. One under way, in doubt or settled stays."""
    if delivery.state in STOPPABLE:
        delivery.state = "withdrawn"
        delivery.detail = why
        delivery.settled_at = now


def mark_published(
    session: Session, delivery: Delivery, uri: str, url: str | None, at: datetime
) -> None:
    """It is out there: keep where, and tell the clocks of its narrative's alerts."""
    delivery.state, delivery.detail = "published", ""
    delivery.receipt_uri, delivery.receipt_url = uri, url
    delivery.settled_at, delivery.not_before = at, None
    message = delivery.approval.version.message
    sent = f"A message of {message.voice.name} on {delivery.account.platform}"
    alert_clock.stamp_narrative(
        session, message.campaign.narrative, alert_clock.ENGAGED, at, None, sent
    )


def never_arrived(delivery: Delivery, how: str) -> None:
    """Its doubt is over: no attempt reached the platform. ``how``: a sentence on how we know."""
    for attempt in delivery.attempts:
        if attempt.kind == "send" and attempt.outcome == "unknown":
            attempt.outcome = "not_sent"
            attempt.detail = f"{attempt.detail} {how}".strip()


def found_by_person(
    session: Session,
    delivery: Delivery,
    *,
    url: str | None,
    again: bool,
    note: str,
    by: int,
    now: datetime,
    seen: bool = False,
) -> Finding:
    """A person looked at the account, because the machine cannot tell whether the post is out.

    ``url``: where it stands; None: it is not there, unless ``seen`` says that it is, on a platform
    where a post has no link. Else ``again`` says whether it may be sent (after every check, and
    only while it is fresh) or is given up. Raises NotInDoubtError, OwnWordError, or ValueError for
    a link that is none and for an empty note where no link says it.
    """
    session.refresh(delivery, with_for_update=True)
    session.expire(delivery, ["attempts"])
    if delivery.state != "unconfirmed":
        raise NotInDoubtError("It is known by now what became of it. Look at the page again.")
    url = link(url) if url is not None and url.strip() else None
    there = url is not None or seen
    if there and posted_by(session, delivery) == by:
        raise OwnWordError("You posted it yourself: somebody else looks whether it is there.")
    if not url and not note.strip():
        raise ValueError(f"Say how you know that it is {'' if there else 'not '}there.")
    finding = Finding(
        delivery=delivery,
        there=there,
        url=url,
        again=again and not there,
        note=note.strip(),
        by=by,
        at=now,
    )
    session.add(finding)
    delivery.claims += 1  # whoever is looking it up at this moment is too late
    if there:
        where = f"{delivery.account.platform}:{delivery.record_key}"
        mark_published(session, delivery, url or where, url, now)
    else:
        never_arrived(delivery, "A person looked: it is not there.")
        delivery.not_before = None
        if again:
            delivery.state, delivery.detail = "retry_later", "A person looked: it is not there."
        else:
            delivery.state, delivery.settled_at = "withdrawn", now
            delivery.detail = f"A person looked: it is not there, and is not sent. {note.strip()}"
    session.flush()
    return finding


def posted_by(session: Session, delivery: Delivery) -> int | None:
    """Who said last that they posted it by hand; None: nobody did."""
    return session.scalar(
        select(ShareStep.by)
        .join(ShareStep.attempt)
        .where(Attempt.delivery_id == delivery.id, ShareStep.kind == "posted")
        .order_by(ShareStep.id.desc())
        .limit(1)
    )


def link(url: str) -> str:
    """The link without outer space. ValueError: it is none that a browser opens."""
    try:
        address = urlsplit(url.strip())
        whole = address.scheme in ("https", "http") and bool(address.hostname)
    except ValueError:
        whole = False
    if not whole or not url.strip().isprintable() or len(url) > LINK_MAX:
        raise ValueError("Give the whole link of the post, beginning with https://.")
    return url.strip()
