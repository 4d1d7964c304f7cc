"""From an approved text to a published post: claim, commit, call, record.

The crux of the room. For every delivery that is due:

1. ``_claim``: a conditional UPDATE is the lock, whether two workers look or twenty. What was
   approved is proved once more in the same transaction, with consent, stops, limits and freshness.
2. ``mark``: the publisher notes what the account looks like. Nothing was sent so far: a worker that
   dies here leaves a claim and no doubt.
3. ``_begin``: everything is proved again, and the attempt is committed. From here on only the
   platform knows the end, until it is recorded.
4. ``publish``, with no database session open, and 5. ``_record``.

An end that nobody saw is looked up on the platform, never guessed and never simply repeated, unless
the publisher says that repeating is harmless. What cannot be found out waits for a person.
"""

import logging
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import ColumnElement, and_, case, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from campaigns.approving.release_permissions import lapsed
from campaigns.contacts import address_faults, opt_outs, recipients
from campaigns.drafting.messages import latest_version
from campaigns.limits import End, Hold, hold
from campaigns.models import Attempt, ContactAddress, Delivery
from campaigns.plans import intent_of
from campaigns.publishers import (
    BY_HAND,
    InDoubtError,
    LockedOutError,
    NobodyThereError,
    NotSentError,
    Parcel,
    Publisher,
    PublisherRejectedError,
    Receipt,
    RecipientLeftError,
)
from campaigns.sending import kill_switch, lockouts
from campaigns.sending.deliveries import STOPPABLE, mark_published, never_arrived
from campaigns.voices import standing_consent
from campaigns.wording import media, server_rules
from campaigns.wording.content import FRESHNESS as FRESHNESS
from campaigns.wording.content import record_for, send_time, send_until, sha256_of

# No call lasts as long (bluesky: seven exchanges of a minute): the worker of an older claim died.
CLAIM_PATIENCE = timedelta(minutes=10)
DOUBT_REST = timedelta(minutes=2)  # a server that broke off may still be working on it
DOUBT_PATIENCE = timedelta(hours=24)  # after due_at we stop asking the platform: a person must look
STOP_REST = timedelta(seconds=15)  # how soon a lifted stop is noticed
LIMITS_REST = timedelta(minutes=5)  # how soon a server that takes more again is noticed
HAND_REST = timedelta(minutes=1)  # how soon a post by hand that nobody made is noticed as missed
# So late for a first attempt means that nobody was here, or that the database is an older one
# (restored): then we look first whether it went out already.
LATE = timedelta(minutes=10)
BACK_OFF = timedelta(seconds=30)  # after the first failure; doubles with each
BACK_OFF_MAX = timedelta(minutes=30)
RETRY_IN_MAX = timedelta(hours=6)  # what a platform may ask for: beyond FRESHNESS nothing is sent
OF_LISTS = 200  # deliveries to single recipients that one pass takes up: the next comes at once
PUT_OFF_MAX = 3  # in one pass a server that takes nothing is not tried for the rest of a list
STEPS = 2  # at once for one delivery: a look, and the send or the end that follows from it

DIED = "The worker ended before it could say what happened."
NOBODY_SAID = "It was opened to be posted by hand, and nobody has said yet whether it was."
ASK_A_PERSON = "We cannot find out whether it is out there: please look at the account."

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """A delivery that is ours to call about: to send it, or only to ``look`` whether it is out."""

    delivery: Delivery  # with its account; detached
    number: int  # of this claim; a later one has taken it from us
    look: bool
    late: bool  # for its first attempt
    mark: str | None  # of the earliest attempt whose end nobody saw
    images: tuple[bytes, ...] = field(default=(), repr=False)
    to: bytes | None = field(default=None, repr=False)  # the recipient's address, sealed


@dataclass(frozen=True)
class Outcome:
    """How a call ended: published, rejected, not_sent or unknown, as in models.Attempt."""

    kind: str
    detail: str = ""
    receipt: Receipt | None = None
    retry_in: float = 0.0  # seconds the platform asks for
    locked_out: bool = False  # nothing else of this account would get in either
    left: bool = False  # the recipient told the gateway that they want no more
    gone: bool = False  # nothing will ever arrive at their address


def deliver_next(
    sessions: sessionmaker[Session],
    publishers: Mapping[str, Publisher],
    vault: Fernet,
    now_fn: Callable[[], datetime],
) -> int:
    """Take every delivery that is due, one after the other; answers how many were called about.

    ``publishers`` maps a platform to its publisher; ``vault`` opens the accounts' secrets. Safe to
    call at any moment from any number of processes; one delivery's failure does not stop the next.
    """
    calls = 0
    with sessions() as session:
        due = select(Delivery.id, Delivery.account_id).where(_is_due(now_fn()))
        due = due.order_by(Delivery.due_at, Delivery.id)
        # A post does not wait behind a list of thousands.
        waiting = [
            *session.execute(due.where(Delivery.recipient_id.is_(None))),
            *session.execute(due.where(Delivery.recipient_id.is_not(None)).limit(OF_LISTS)),
        ]
    put_off: Counter[int] = Counter()  # by account: how often its server took nothing
    for delivery_id, account_id in waiting:
        if put_off[account_id] >= PUT_OFF_MAX:
            continue
        try:
            for step in range(STEPS):
                with sessions.begin() as session:
                    claim = _claim(session, delivery_id, publishers, now_fn())
                if claim is None:
                    break
                calls += step == 0
                outcome = _deliver(sessions, publishers, vault, claim, now_fn)
                put_off[account_id] += claim.to is not None and outcome == "not_sent"
        except Exception:  # it stays as committed: an unrecorded call is a doubt, looked up later
            logger.exception("Delivery %s: could not be claimed or recorded", delivery_id)
    return calls


def _deliver(
    sessions: sessionmaker[Session],
    publishers: Mapping[str, Publisher],
    vault: Fernet,
    claim: Claim,
    now_fn: Callable[[], datetime],
) -> str | None:
    """From a claim to the record of what came of it: the kind of outcome, if a call was made."""
    attempt_id = None
    outcome, mark = _prepare(publishers, vault, claim)
    if outcome is None:
        with sessions.begin() as session:
            attempt_id = _begin(session, claim, mark, now_fn())
        if attempt_id is None:
            return None
        outcome = _call(publishers, vault, claim)
    if claim.to is not None and outcome.detail:
        outcome = replace(outcome, detail=_unnamed(outcome.detail, vault, claim.to))
    with sessions.begin() as session:
        _record(session, claim, attempt_id, outcome, now_fn())
    return outcome.kind


# ---- what is due, and whether it may be sent


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Its time has come; or its claim is so old, or its doubt, that somebody must look again."""
    rested = or_(Delivery.not_before.is_(None), Delivery.not_before <= now)
    return or_(
        and_(Delivery.state.in_(("scheduled", "retry_later")), Delivery.due_at <= now, rested),
        and_(
            Delivery.state.in_(("claimed", "attempting")),
            Delivery.claimed_at <= now - CLAIM_PATIENCE,
        ),
        # Without a time it waits for a person.
        and_(Delivery.state == "unconfirmed", Delivery.not_before <= now),
    )


def _claim(
    session: Session, delivery_id: int, publishers: Mapping[str, Publisher], now: datetime
) -> Claim | None:
    """Make the delivery ours; None when it is somebody else's or must not be sent (now).

    Only one of many workers gets past the UPDATE: the others wait for it and find it changed.
    Whoever edits, withdraws or ends a consent locks the same row first (``deliveries.locked``).
    """
    doubtful = Delivery.state.in_(("attempting", "unconfirmed"))
    delivery = session.scalar(
        update(Delivery)
        .where(Delivery.id == delivery_id, _is_due(now))
        .values(
            # A doubt stays one, and lies still for as long as a call about it may take.
            state=case((doubtful, "unconfirmed"), else_="claimed"),
            not_before=case((doubtful, now + CLAIM_PATIENCE), else_=None),
            claims=Delivery.claims + 1,
            claimed_at=now,
        )
        .returning(Delivery)
        .execution_options(synchronize_session=False)
    )
    if delivery is None:
        return None
    for unfinished in delivery.attempts:
        if unfinished.outcome is None:
            unfinished.outcome, unfinished.ended_at = "unknown", now
            by_hand = delivery.account.platform in BY_HAND
            unfinished.detail = NOBODY_SAID if by_hand else DIED
    if delivery.state == "unconfirmed" and delivery.account.platform in BY_HAND:
        delivery.not_before, delivery.detail = None, NOBODY_SAID
        return None
    obstacle = obstacle_to(session, delivery, now) or _by_hand(delivery, now)
    doubts = [one for one in delivery.attempts if one.kind == "send" and one.outcome == "unknown"]
    if delivery.state == "claimed" and obstacle is not None:
        _turn_away(delivery, obstacle, now)
        return None
    publisher, to = publishers.get(delivery.account.platform), delivery.recipient
    repeatable = publisher is not None and publisher.repeatable
    return Claim(
        delivery=delivery,
        number=delivery.claims,
        look=delivery.state == "unconfirmed" and (obstacle is not None or not repeatable),
        late=not delivery.attempts and now - delivery.due_at > LATE,
        mark=doubts[0].mark if doubts else None,
        images=() if obstacle is not None else media.bytes_of(session, _part(delivery)),
        to=to.sealed if to is not None else None,
    )


def _begin(session: Session, claim: Claim, mark: str | None, now: datetime) -> int | None:
    """The last look before a call, and the attempt on record; None: it must not be made any more.

    From its claim to here a delivery can still be stopped, and nothing was sent.
    """
    kill_switch.close_gate(session)
    delivery = session.scalar(
        update(Delivery)
        .where(
            Delivery.id == claim.delivery.id,
            Delivery.claims == claim.number,
            Delivery.state.in_(("claimed", "unconfirmed")),
        )
        .values(claimed_at=now)
        .returning(Delivery)
        .execution_options(synchronize_session=False)
    )
    if delivery is None:
        return None
    if not claim.look:
        obstacle = obstacle_to(session, delivery, now)
        if obstacle is not None:
            _turn_away(delivery, obstacle, now)
            return None
        delivery.state, delivery.not_before = "attempting", None
    attempt = Attempt(
        delivery=delivery, kind="look" if claim.look else "send", mark=mark, started_at=now
    )
    session.add(attempt)
    session.flush()
    return attempt.id


def _turn_away(delivery: Delivery, obstacle: End | Hold, now: datetime) -> None:
    """It is ours and may not be sent: to its end, or back to wait. A doubt is looked up first."""
    if delivery.state == "unconfirmed":
        delivery.not_before = now
    elif isinstance(obstacle, End):
        delivery.state, delivery.detail, delivery.settled_at = obstacle.state, obstacle.why, now
    else:
        tried = any(attempt.kind == "send" for attempt in delivery.attempts)
        delivery.state = "retry_later" if tried else "scheduled"
        delivery.detail, delivery.not_before = obstacle.why, obstacle.until


def obstacle_to(session: Session, delivery: Delivery, now: datetime) -> End | Hold | None:
    """Why this must not be sent (now); None when everything still holds."""
    approval, account = delivery.approval, delivery.account
    version = approval.version
    message, content = version.message, version.content
    if approval.withdrawn_at is not None:
        return End("withdrawn", f"The approval was withdrawn: {approval.withdrawn_why}")
    if version is not latest_version(message):
        return End("withdrawn", "The message was changed after it was approved.")
    hashes = {delivery.sha256, approval.sha256, version.sha256, sha256_of(content)}
    if len(hashes) != 1 or content["voice"] != message.voice_id:
        return End("withdrawn", "The stored text is not the text that was approved.")
    part = _part(delivery)
    if not part or account.voice_id != message.voice_id:
        return End("withdrawn", "This account was not part of what was approved.")
    if account.closed_at is not None:
        return End("withdrawn", "The account was closed after the message was approved.")
    if [part[field] for field in ("platform", "handle", "service")] != [
        account.platform,
        account.handle,
        account.service,
    ]:
        return End("withdrawn", "The account was changed after the message was approved.")
    send_at = send_time(content)
    if delivery.due_at != send_at or delivery.record != record_for(part, send_at):
        return End("withdrawn", "The stored post is not the post that was approved.")
    try:
        media.bytes_of(session, part)
    except ValueError as fault:
        return End("withdrawn", str(fault))
    if standing_consent(message.voice, account.platform, now) is None:
        return End("withdrawn", f"{message.voice.name} has no standing consent for this any more.")
    if why := lapsed(approval, now):
        return End("withdrawn", why)
    expires_at = intent_of(message.campaign).expires_at
    if expires_at is not None and expires_at <= now:
        return End("missed", "The campaign’s plan has expired: nothing goes out afterwards.")
    if now > send_until(content):
        why = f"Its time has passed, and late is worse. {delivery.detail}"
        return End("missed", why.strip())
    stops = kill_switch.standing_on(
        session, campaigns=[message.campaign_id], voices=[message.voice_id]
    )
    if stops:
        return Hold(f"The kill switch is pressed: {stops[0].reason}", now + STOP_REST)
    if why := server_rules.too_much(part, server_rules.told_of(session, [part])):
        return Hold(f"{why} It was not sent: it would be refused or cut off.", now + LIMITS_REST)
    if locked_out := lockouts.hold(session, delivery.account_id, now):
        return locked_out
    to_one = recipients.obstacle(session, delivery, part, send_until(content), now)
    return to_one or hold(session, delivery, now)


def _by_hand(delivery: Delivery, now: datetime) -> Hold | None:
    """Nothing but a person stands in its way: on a closed platform no machine posts."""
    if delivery.account.platform not in BY_HAND:
        return None
    why = f"Nobody has posted it on {BY_HAND[delivery.account.platform]} yet."
    return Hold(why, now + HAND_REST)


def _part(delivery: Delivery) -> Mapping[str, Any]:
    """What the approved content says for the delivery's account; empty when it says nothing."""
    parts = delivery.approval.version.content["parts"]
    return next((part for part in parts if part["account"] == delivery.account_id), {})


# ---- the calls


def _prepare(
    publishers: Mapping[str, Publisher], vault: Fernet, claim: Claim
) -> tuple[Outcome | None, str | None]:
    """What is read before a send: (an outcome that makes it needless, or None; the mark).

    Never raises. A look needs no preparation.
    """
    if claim.look:
        return None, None
    try:
        publisher, parcel = _parcel(publishers, vault, claim)
        if claim.late and (receipt := _already_out(publisher, parcel)):
            return Outcome("published", receipt=receipt), None
        return None, publisher.mark(parcel)
    except PublisherRejectedError as fault:
        return Outcome("rejected", str(fault)), None
    except NotSentError as fault:
        return _not_sent("not_sent", fault), None
    except Exception as fault:  # a publisher's own mistake must not stop the other deliveries
        logger.exception("Delivery %s: the publisher failed", claim.delivery.id)
        return Outcome("not_sent", f"The publisher failed ({type(fault).__name__})."), None


def _already_out(publisher: Publisher, parcel: Parcel) -> Receipt | None:
    try:
        return publisher.find(parcel)
    except InDoubtError:  # it is not there now; by our own rows no call was ever made
        return None


def _call(publishers: Mapping[str, Publisher], vault: Fernet, claim: Claim) -> Outcome:
    """Send it or, if that is all we may, see whether it is out. Never raises."""
    not_sent = "unknown" if claim.look else "not_sent"
    try:
        publisher, parcel = _parcel(publishers, vault, claim)
        if not claim.look:
            return Outcome("published", receipt=publisher.publish(parcel))
        found = publisher.find(parcel)
        return Outcome("published", receipt=found) if found else Outcome("not_sent")
    except PublisherRejectedError as fault:
        left, gone = isinstance(fault, RecipientLeftError), isinstance(fault, NobodyThereError)
        kind = "unknown" if claim.look else "rejected"
        return Outcome(kind, str(fault), left=left, gone=gone)
    except NotSentError as fault:
        return _not_sent(not_sent, fault)
    except InDoubtError as fault:
        return Outcome("unknown", str(fault))
    except Exception as fault:  # a publisher's own mistake must not stop the other deliveries
        logger.exception("Delivery %s: the publisher failed", claim.delivery.id)
        return Outcome("unknown", f"The publisher failed ({type(fault).__name__}).")


def _unnamed(detail: str, vault: Fernet, sealed: bytes) -> str:
    """A server's words without the recipient's address, which few may see and which is erased."""
    try:
        to = vault.decrypt(sealed).decode()
    except InvalidToken:  # then nobody was called
        return detail
    sign = r"[\s().-]*"
    national = to.removeprefix("+1").removeprefix("+")
    pattern = sign.join(national) if national.isdigit() else re.escape(to)
    before = rf"(?:\+?1{sign})?" if national.isdigit() else ""
    return re.sub(before + pattern, "the recipient", detail, flags=re.IGNORECASE)


def _not_sent(kind: str, fault: NotSentError) -> Outcome:
    locked_out = isinstance(fault, LockedOutError)
    return Outcome(kind, str(fault), retry_in=fault.retry_in, locked_out=locked_out)


def _parcel(
    publishers: Mapping[str, Publisher], vault: Fernet, claim: Claim
) -> tuple[Publisher, Parcel]:
    """Who carries it, and what. Raises NotSentError."""
    delivery, account = claim.delivery, claim.delivery.account
    if account.platform not in publishers:
        raise NotSentError(f"Publishing to {account.platform} is not switched on.")
    parcel = Parcel(
        platform=account.platform,
        handle=_open(vault, claim.to) or account.handle,
        service=account.service,
        secret=_open(vault, account.secret),
        record_key=delivery.record_key,
        record=delivery.record,
        images=claim.images,
        mark=claim.mark,
    )
    return publishers[account.platform], parcel


def _open(vault: Fernet, token: bytes | None) -> str | None:
    try:
        return vault.decrypt(token).decode() if token else None
    except InvalidToken as fault:
        raise NotSentError(
            "The account's password, or the recipient's address, was stored under another secret "
            "key than the settings hold."
        ) from fault


# ---- what came of it


def _record(
    session: Session, claim: Claim, attempt_id: int | None, outcome: Outcome, now: datetime
) -> None:
    """Write down how the call ended. A success always counts; else only the newest claim does."""
    _heed(session, claim, outcome, now)
    delivery = session.get_one(Delivery, claim.delivery.id, with_for_update=True)
    if attempt_id is None:  # it ended before anything was sent; the history shall show it still
        attempt = Attempt(delivery=delivery, kind="look", started_at=now)
        session.add(attempt)
    else:
        attempt = session.get_one(Attempt, attempt_id)
    attempt.ended_at, attempt.outcome, attempt.detail = now, outcome.kind, outcome.detail
    session.flush()
    if outcome.locked_out:
        lockouts.found(session, delivery.account_id, outcome.detail, now)
    elif outcome.kind == "published":
        lockouts.over(session, delivery.account_id, now)
    if delivery.state == "published":
        return
    if outcome.receipt is not None:
        mark_published(session, delivery, outcome.receipt.uri, outcome.receipt.url, now)
    elif delivery.claims != claim.number or delivery.settled_at is not None:
        return
    elif claim.look and outcome.kind == "not_sent":
        never_arrived(delivery, "Looked up: it never arrived.")
        delivery.state, delivery.detail = "retry_later", "An attempt broke off and never arrived."
        delivery.not_before = None
    elif delivery.state in STOPPABLE or not (claim.look or delivery.in_doubt):
        _settle_or_retry(delivery, outcome, now)
    else:
        _stay_in_doubt(delivery, outcome, now)


def _heed(session: Session, claim: Claim, outcome: Outcome, now: datetime) -> None:
    """What the server knows of the recipient holds for every other message to them too."""
    if claim.delivery.recipient_id is None or not (outcome.left or outcome.gone):
        return
    to = session.get_one(ContactAddress, claim.delivery.recipient_id)
    if outcome.left:
        opt_outs.opt_out_of(session, to, how="gateway", by=None, now=now)
    if outcome.gone:
        address_faults.note(session, to, outcome.detail, now)


def _settle_or_retry(delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    """It is certainly not out there: refused for good, or to be tried again."""
    delivery.detail = outcome.detail
    if outcome.kind == "rejected":
        delivery.state, delivery.settled_at = "rejected", now
    else:
        delivery.state = "retry_later"
        delivery.not_before = now + _wait(len(delivery.attempts), outcome.retry_in)


def _stay_in_doubt(delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    """It may be out there: look again later or, if that is of no use, leave it to a person."""
    delivery.state, delivery.detail = "unconfirmed", outcome.detail
    if now - delivery.due_at >= DOUBT_PATIENCE:
        delivery.not_before = None
        delivery.detail = f"{outcome.detail} {ASK_A_PERSON}".strip()
    else:
        wait = _wait(len(delivery.attempts), outcome.retry_in)
        delivery.not_before = now + max(wait, DOUBT_REST)


def _wait(tries: int, retry_in: float) -> timedelta:
    """How long until the next try: doubling up to BACK_OFF_MAX, or what we are told if longer.

    What we are told (``retry_in`` seconds) counts up to RETRY_IN_MAX, and not if it is no number.
    """
    doubled = BACK_OFF * (1 << min(tries - 1, 10))
    told = max(0.0, min(retry_in, RETRY_IN_MAX.total_seconds())) if math.isfinite(retry_in) else 0.0
    return max(min(doubled, BACK_OFF_MAX), timedelta(seconds=told))
