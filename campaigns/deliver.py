"""From an approved text to a published post: claim, commit, call, record.

The crux of the room. A conditional UPDATE is the lock, whether two workers look or twenty. What
was approved is proved once more in the claiming transaction. No database session is open while
the network is used, and an end that nobody saw is looked up, never guessed.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from campaigns.content import record_for, send_time, sha256_of
from campaigns.messages import latest_version
from campaigns.models import Attempt, Delivery
from campaigns.publishers import (
    InDoubtError,
    NotSentError,
    Parcel,
    Publisher,
    PublisherRejectedError,
    Receipt,
)
from campaigns.voices import standing_consent
from monitor import alert_clock

FRESHNESS = timedelta(hours=6)  # later than this it meets another situation: better never
# No call lasts as long (bluesky: seven exchanges of a minute): the worker of an older claim died.
CLAIM_PATIENCE = timedelta(minutes=10)
DOUBT_PATIENCE = timedelta(hours=24)  # after due_at: then a person must look, we cannot find out
BACK_OFF = timedelta(seconds=30)  # after the first failure; doubles with each
BACK_OFF_MAX = timedelta(minutes=30)
RETRY_IN_MAX = timedelta(hours=6)  # what a platform may ask for: beyond FRESHNESS nothing is sent

MAY_BE_OUT = "An earlier attempt may have gone out: please look at the account."

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """A delivery that is ours to call about. With an ``obstacle`` we may look but not send."""

    delivery: Delivery  # with its account; detached
    attempt_id: int
    obstacle: tuple[str, str] | None  # (state, why) it comes to unless it is found out there


@dataclass(frozen=True)
class Outcome:
    """How a call ended: published, rejected, not_sent or unknown, as in models.Attempt."""

    kind: str
    detail: str = ""
    receipt: Receipt | None = None
    retry_in: float = 0.0  # seconds the platform asks for


def deliver_next(
    sessions: sessionmaker[Session],
    publishers: Mapping[str, Publisher],
    vault: Fernet,
    now_fn: Callable[[], datetime],
) -> int:
    """Take every delivery that is due, one after the other; answers how many calls were made.

    ``publishers`` maps a platform to its publisher; ``vault`` opens the accounts' secrets. Safe to
    call at any moment from any number of processes; one delivery's failure does not stop the next.
    """
    calls = 0
    with sessions() as session:
        due = session.scalars(
            select(Delivery.id).where(_is_due(now_fn())).order_by(Delivery.due_at)
        )
        waiting = due.all()
    for delivery_id in waiting:
        try:
            with sessions.begin() as session:
                claim = _claim(session, delivery_id, now_fn())
            if claim is None:
                continue
            calls += 1
            outcome = _call(publishers, vault, claim)
            with sessions.begin() as session:
                _record(session, claim, outcome, now_fn())
        except Exception:  # it stays as committed: an unrecorded call is a doubt, looked up later
            logger.exception("Delivery %s: could not be claimed or recorded", delivery_id)
    return calls


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Its time has come; or its claim is so old, or its doubt, that somebody must look again."""
    rested = or_(Delivery.not_before.is_(None), Delivery.not_before <= now)
    abandoned = and_(Delivery.not_before.is_(None), Delivery.claimed_at <= now - CLAIM_PATIENCE)
    return or_(
        and_(Delivery.state == "scheduled", Delivery.due_at <= now, rested),
        and_(Delivery.state == "attempting", or_(Delivery.not_before <= now, abandoned)),
    )


def _claim(session: Session, delivery_id: int, now: datetime) -> Claim | None:
    """Make the delivery ours, with an attempt on record; None when there is nothing to call for.

    Only one of many workers gets past the UPDATE: the others wait for it and find it changed.
    Whoever edits, withdraws or ends a consent locks the same row first (``deliveries.locked``).
    """
    delivery = session.scalar(
        update(Delivery)
        .where(Delivery.id == delivery_id, _is_due(now))
        .values(state="attempting", claimed_at=now, not_before=None)
        .returning(Delivery)
        .execution_options(synchronize_session=False)
    )
    if delivery is None:
        return None
    for unfinished in delivery.attempts:
        if unfinished.outcome is None:
            unfinished.outcome = "unknown"
            unfinished.ended_at = now
            unfinished.detail = "The worker ended before it could say what happened."
    obstacle = _obstacle(delivery, now)
    if obstacle and not _in_doubt(delivery):
        delivery.state, delivery.detail = obstacle
        delivery.settled_at = now
        return None
    attempt = Attempt(delivery=delivery, started_at=now)
    session.add(attempt)
    session.flush()
    return Claim(delivery, attempt.id, obstacle)


def _obstacle(delivery: Delivery, now: datetime) -> tuple[str, str] | None:
    """Why this must not be sent now, as (state, plain words); None when everything still holds."""
    approval, account = delivery.approval, delivery.account
    version = approval.version
    message, content = version.message, version.content
    if approval.withdrawn_at is not None:
        return "withdrawn", f"The approval was withdrawn: {approval.withdrawn_why}"
    if version is not latest_version(message):
        return "withdrawn", "The message was changed after it was approved."
    hashes = {delivery.sha256, approval.sha256, version.sha256, sha256_of(content)}
    if len(hashes) != 1 or content["voice"] != message.voice_id:
        return "withdrawn", "The stored text is not the text that was approved."
    part = next((part for part in content["parts"] if part["account"] == account.id), None)
    if part is None or account.voice_id != message.voice_id:
        return "withdrawn", "This account was not part of what was approved."
    if [part[field] for field in ("platform", "handle", "service")] != [
        account.platform,
        account.handle,
        account.service,
    ]:
        return "withdrawn", "The account was changed after the message was approved."
    send_at = send_time(content)
    if delivery.due_at != send_at or delivery.record != record_for(part, send_at):
        return "withdrawn", "The stored post is not the post that was approved."
    if standing_consent(message.voice, account.platform, now) is None:
        return "withdrawn", f"{message.voice.name} has no standing consent for this any more."
    if now - delivery.due_at > FRESHNESS:
        return (
            "missed",
            f"Its time has passed, and late is worse. {delivery.detail}".strip(),
        )
    return None


def _in_doubt(delivery: Delivery) -> bool:
    """Whether an earlier attempt may have reached the platform."""
    return any(attempt.outcome == "unknown" for attempt in delivery.attempts)


def _call(publishers: Mapping[str, Publisher], vault: Fernet, claim: Claim) -> Outcome:
    """Send it or, when it may no longer be sent, see whether it is out. Never raises."""
    delivery, account = claim.delivery, claim.delivery.account
    try:
        if account.platform not in publishers:
            raise NotSentError(f"Publishing to {account.platform} is not switched on.")
        publisher = publishers[account.platform]
        secret = _open(vault, account.secret)
        parcel = Parcel(
            platform=account.platform,
            handle=account.handle,
            service=account.service,
            secret=secret,
            record_key=delivery.record_key,
            record=delivery.record,
        )
        if claim.obstacle is None:
            return Outcome("published", receipt=publisher.publish(parcel))
        found = publisher.find(parcel)
        return Outcome("published", receipt=found) if found else Outcome("not_sent")
    except PublisherRejectedError as fault:
        return Outcome("rejected", str(fault))
    except NotSentError as fault:
        kind = "not_sent" if claim.obstacle is None else "unknown"
        return Outcome(kind, str(fault), retry_in=fault.retry_in)
    except InDoubtError as fault:
        return Outcome("unknown", str(fault))
    except Exception as fault:  # a publisher's own mistake must not stop the other deliveries
        logger.exception("Delivery %s: the publisher failed", delivery.id)
        return Outcome("unknown", f"The publisher failed ({type(fault).__name__}).")


def _open(vault: Fernet, token: bytes | None) -> str | None:
    try:
        return vault.decrypt(token).decode() if token else None
    except InvalidToken as fault:
        raise NotSentError(
            "The account's password was stored under another secret key than the settings hold."
        ) from fault


def _record(session: Session, claim: Claim, outcome: Outcome, now: datetime) -> None:
    """Write down how the call ended. A success always counts; else only the newest attempt does."""
    delivery = session.get_one(Delivery, claim.delivery.id, with_for_update=True)
    earlier_doubt = _in_doubt(delivery)
    attempt = session.get_one(Attempt, claim.attempt_id)
    attempt.ended_at = now
    attempt.outcome = outcome.kind
    attempt.detail = outcome.detail
    if delivery.state == "published":
        return
    if outcome.receipt is not None:
        delivery.state, delivery.detail = "published", ""
        delivery.receipt_uri, delivery.receipt_url = outcome.receipt.uri, outcome.receipt.url
        delivery.settled_at = now
        delivery.not_before = None
        message = delivery.approval.version.message
        sent = f"A message of {message.voice.name} on {delivery.account.platform}"
        alert_clock.stamp_narrative(
            session, message.campaign.narrative, alert_clock.ENGAGED, now, None, sent
        )
    elif delivery.attempts[-1] is not attempt:
        return
    elif claim.obstacle is not None and (
        outcome.kind != "unknown" or now - delivery.due_at >= DOUBT_PATIENCE
    ):
        delivery.state, delivery.detail = claim.obstacle
        delivery.settled_at = now
        if outcome.kind != "not_sent":  # the platform did not say that it is not there
            delivery.detail += f" {MAY_BE_OUT}"
    elif outcome.kind == "rejected":
        delivery.state, delivery.detail = "rejected", outcome.detail
        delivery.settled_at = now
        if earlier_doubt:
            delivery.detail += f" {MAY_BE_OUT}"
    else:
        # Only what is certainly not out there may be stopped or edited as if nothing happened.
        certain = outcome.kind == "not_sent" and not earlier_doubt
        delivery.state = "scheduled" if certain else "attempting"
        delivery.detail = outcome.detail
        delivery.not_before = now + _wait(len(delivery.attempts), outcome.retry_in)


def _wait(tries: int, retry_in: float) -> timedelta:
    """How long until the next try: doubling up to BACK_OFF_MAX, or what we are told if longer.

    What we are told (``retry_in`` seconds) counts up to RETRY_IN_MAX, and not if it is no number.
    """
    doubled = BACK_OFF * (1 << min(tries - 1, 10))
    told = max(0.0, min(retry_in, RETRY_IN_MAX.total_seconds())) if math.isfinite(retry_in) else 0.0
    return max(min(doubled, BACK_OFF_MAX), timedelta(seconds=told))
