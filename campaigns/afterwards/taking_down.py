"""From a decided retraction to a post that is down: claim, commit, call, record, as in ``deliver``.

The attempt is committed with the claim, before the call. A deletion may be repeated, so an end that
nobody saw is looked up and, where the post still stands, tried again. What the platform refuses, or
what does not succeed in a day, is told to a person, who takes it down by hand.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.fernet import Fernet
from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from campaigns.afterwards.afterwards import posted
from campaigns.afterwards.retracting import mark_down
from campaigns.models import Account, Delivery, Retraction, RetractionAttempt
from campaigns.publishers import InDoubtError, NotSentError, PublisherRejectedError
from campaigns.publishers.keeping import Keeper

# No call lasts as long (bluesky: ten posts, 25 seconds each, and a sign-in).
CLAIM_PATIENCE = timedelta(minutes=10)
DOUBT_REST = timedelta(minutes=1)  # a server that broke off may still be working on it
BACK_OFF = timedelta(seconds=30)  # after the first failure; doubles with each
BACK_OFF_MAX = timedelta(minutes=30)
RETRY_IN_MAX = timedelta(hours=1)  # what a platform may ask for: it is wanted down
GIVE_UP = timedelta(hours=24)  # after the decision a person must take it down

DUE = ("approved", "unconfirmed")
DIED = "The worker ended before it could say what happened."
BY_A_PERSON = "Please take it down there by hand, and say so here."

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Claim:
    """A retraction that is ours to call about, its attempt committed."""

    retraction: Retraction  # with its delivery and account; detached
    attempt_id: int
    number: int  # of this claim; a later one has taken it from us
    doubt: bool  # an earlier attempt may have done it


@dataclass(frozen=True)
class _Outcome:
    kind: str  # down, refused, not_sent or unknown, as in models.RetractionAttempt
    detail: str
    retry_in: float = 0.0


def carry_out(
    sessions: sessionmaker[Session],
    keepers: Mapping[str, Keeper],
    vault: Fernet,
    now_fn: Callable[[], datetime],
) -> int:
    """Take down everything that was decided, one after the other; answers how many were tried.

    Safe to call at any moment from any number of processes; one failure does not stop the next.
    What is to be done by hand waits for a person.
    """
    calls = 0
    with sessions() as session:
        due = session.scalars(
            select(Retraction.id)
            .join(Retraction.delivery)
            .join(Delivery.account)
            .where(_is_due(now_fn()), Account.platform.in_(keepers))
            .order_by(Retraction.id)
        ).all()
    for retraction_id in due:
        try:
            with sessions.begin() as session:
                claim = _claim(session, retraction_id, now_fn())
            if claim is None:
                continue
            calls += 1
            outcome = _call(keepers, vault, claim)
            with sessions.begin() as session:
                _record(session, claim, outcome, now_fn())
        except Exception:  # it stays as committed: an unrecorded call is a doubt, looked up later
            logger.exception("Retraction %s: could not be claimed or recorded", retraction_id)
    return calls


def _is_due(now: datetime) -> ColumnElement[bool]:
    rested = or_(Retraction.not_before.is_(None), Retraction.not_before <= now)
    return or_(
        and_(Retraction.state.in_(DUE), rested),
        and_(Retraction.state == "attempting", Retraction.claimed_at <= now - CLAIM_PATIENCE),
    )


def _claim(session: Session, retraction_id: int, now: datetime) -> _Claim | None:
    """Make it ours and put the attempt on record; None when it is somebody else's (now)."""
    retraction = session.scalar(
        update(Retraction)
        .where(Retraction.id == retraction_id, _is_due(now))
        .values(state="attempting", claims=Retraction.claims + 1, claimed_at=now, not_before=None)
        .returning(Retraction)
        .execution_options(synchronize_session=False)
    )
    if retraction is None:
        return None
    for unfinished in retraction.attempts:
        if unfinished.outcome is None:
            unfinished.outcome, unfinished.ended_at, unfinished.detail = "unknown", now, DIED
    session.flush()  # of open attempts there is only one
    doubt = any(one.outcome == "unknown" for one in retraction.attempts)
    attempt = RetractionAttempt(retraction=retraction, started_at=now)
    session.add(attempt)
    session.flush()
    _ = retraction.delivery.account  # loaded: the call is made without a session
    return _Claim(retraction, attempt.id, retraction.claims, doubt)


def _call(keepers: Mapping[str, Keeper], vault: Fernet, claim: _Claim) -> _Outcome:
    """Take it down, after a doubt only if it still stands. Never raises."""
    delivery = claim.retraction.delivery
    keeper = keepers[delivery.account.platform]
    try:
        post = posted(delivery, vault)
        if claim.doubt and keeper.size:
            (sight,) = keeper.look([post])
            if sight.state == "not_found" and sight.sure:
                return _Outcome("down", "Looked up: it is not there any more.")
        return _Outcome("down", keeper.take_down(post))
    except PublisherRejectedError as fault:
        return _Outcome("refused", str(fault))
    except NotSentError as fault:
        return _Outcome("not_sent", str(fault), fault.retry_in)
    except InDoubtError as fault:
        return _Outcome("unknown", str(fault))
    except Exception as fault:  # a keeper's own mistake must not stop the others
        logger.exception("Retraction %s: the keeper failed", claim.retraction.id)
        return _Outcome("unknown", f"The call failed ({type(fault).__name__}).")


def _record(session: Session, claim: _Claim, outcome: _Outcome, now: datetime) -> None:
    """Write down how the call ended. That it is down always counts; else the newest claim does."""
    retraction = session.get_one(Retraction, claim.retraction.id, with_for_update=True)
    attempt = session.get_one(RetractionAttempt, claim.attempt_id)
    attempt.ended_at, attempt.outcome, attempt.detail = now, outcome.kind, outcome.detail
    session.flush()
    if retraction.state == "carried_out":
        return
    if outcome.kind == "down":
        mark_down(session, retraction, outcome.detail, now)
    elif retraction.claims != claim.number:
        return
    elif outcome.kind == "refused" or _for_too_long(retraction, now):
        retraction.state, retraction.settled_at = "failed", now
        retraction.outcome = f"{outcome.detail} {BY_A_PERSON}"
    else:
        doubt = outcome.kind == "unknown" or claim.doubt
        retraction.state = "unconfirmed" if doubt else "approved"
        wait = _wait(len(retraction.attempts), outcome.retry_in)
        retraction.not_before = now + (max(wait, DOUBT_REST) if doubt else wait)
        retraction.outcome = outcome.detail


def _for_too_long(retraction: Retraction, now: datetime) -> bool:
    return retraction.decided_at is not None and now - retraction.decided_at >= GIVE_UP


def _wait(tries: int, retry_in: float) -> timedelta:
    """Doubling up to BACK_OFF_MAX, or what we are told if longer (seconds, up to RETRY_IN_MAX)."""
    doubled = BACK_OFF * (1 << min(tries - 1, 10))
    told = max(0.0, min(retry_in, RETRY_IN_MAX.total_seconds())) if math.isfinite(retry_in) else 0.0
    return max(min(doubled, BACK_OFF_MAX), timedelta(seconds=told))
