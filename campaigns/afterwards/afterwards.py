"""After publication: what stands, what the platform counts, and what was removed there.

Every published delivery is looked at again, soon at first and ever more slowly: claim, commit,
look, record, as in ``deliver``. Only numbers are kept, never who. Nothing is ever answered.

What is gone was taken down by whoever may, and is never put back by us. That it is gone is believed
when the server that holds it says so, or when it was not found twice with an hour between; a server
that fails is told as such and proves nothing.
"""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload, sessionmaker

from campaigns.models import (
    Account,
    Delivery,
    Observation,
    ReadBack,
    Retraction,
)
from campaigns.publishers import NotSentError
from campaigns.publishers.keeping import Keeper, Posted, Sight

# When a post is looked at after its publication; then daily. Most of what a post ever gets comes
# in its first hours, and so do replies that somebody should read.
LOOKS = (
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=6),
    timedelta(hours=24),
)
DAILY = timedelta(hours=24)
OVER_AFTER = timedelta(days=14)
QUIET_LOOKS = 2  # so many in a row may find the same before the next waits twice as long
SLOWEST = timedelta(days=3)
RISING = timedelta(minutes=15)  # the next look, when there are more replies than before
AGAIN_AFTER = timedelta(hours=1)  # a post that was not found is looked for again
UNREAD_AGAIN = timedelta(minutes=15)  # after a look that failed, and four times that, and so on
WAIT_MAX = timedelta(hours=24)  # of what a platform may ask for
LEASE = timedelta(minutes=10)  # no look lasts as long: the worker of an older one died
FIRST = {"looks": 1, "unchanged": 0, "gone_why": ""}  # of a reading that begins
ROUNDS_MAX = 8  # looks at ``size`` posts each, of one call and platform: the next comes soon

logger = logging.getLogger(__name__)


# ---- the look


@dataclass(frozen=True)
class _Look:
    """One delivery to be looked at now; ``number`` tells this look from a later one."""

    delivery: Delivery  # with its account; detached
    number: int


def read_back(
    sessions: sessionmaker[Session],
    keepers: Mapping[str, Keeper],
    vault: Fernet,
    now_fn: Callable[[], datetime],
) -> int:
    """Look at every published delivery whose time has come; answers how many were looked at.

    ``keepers`` maps a platform to its keeper; one without is not read. Safe to call at any moment
    from any number of processes.
    """
    count = 0
    for platform, keeper in keepers.items():
        for _ in range(ROUNDS_MAX if keeper.size else 0):
            with sessions.begin() as session:
                looks = _claim(session, platform, keeper.size, now_fn())
            if not looks:
                break
            seen = _sights(keeper, [look.delivery for look in looks], vault)
            with sessions.begin() as session:
                for look, sight in zip(looks, seen, strict=True):
                    _record(session, look, sight, now_fn())
            count += len(looks)
    return count


def is_due(now: datetime) -> ColumnElement[bool]:
    """Condition on Delivery outer-joined to ReadBack: published lately, and its look is due."""
    return and_(
        Delivery.state == "published",
        Delivery.settled_at > now - OVER_AFTER,
        or_(
            and_(ReadBack.delivery_id.is_(None), Delivery.settled_at <= now - LOOKS[0]),
            ReadBack.next_at <= now,
        ),
        ~_taken_down(),
    )


def _taken_down() -> ColumnElement[bool]:
    """Condition on Delivery: we took it down ourselves."""
    return (
        select(Retraction.id)
        .where(Retraction.delivery_id == Delivery.id, Retraction.state == "carried_out")
        .exists()
    )


def _claim(session: Session, platform: str, size: int, now: datetime) -> list[_Look]:
    """Up to ``size`` that are due on a platform, the longest due first, leased to this worker."""
    due = session.scalars(
        select(Delivery)
        .join(Delivery.account)
        .outerjoin(ReadBack, ReadBack.delivery_id == Delivery.id)
        .where(Account.platform == platform, is_due(now))
        .order_by(func.coalesce(ReadBack.next_at, Delivery.settled_at), Delivery.id)
        .limit(size)
        .options(joinedload(Delivery.account))
    ).all()
    if not due:
        return []
    lease = insert(ReadBack).values(
        [{"delivery_id": one.id, "next_at": now + LEASE, **FIRST} for one in due]
    )
    taken = session.execute(
        lease.on_conflict_do_update(
            index_elements=[ReadBack.delivery_id],
            set_={"next_at": now + LEASE, "looks": ReadBack.looks + 1},
            where=ReadBack.next_at <= now,  # another worker was there first: it is theirs
        ).returning(ReadBack.delivery_id, ReadBack.looks)
    )
    numbers = dict(taken.all())
    return [_Look(one, numbers[one.id]) for one in due if one.id in numbers]


def _sights(keeper: Keeper, some: Sequence[Delivery], vault: Fernet) -> list[Sight]:
    posts: list[Posted | Sight] = []
    for delivery in some:
        try:
            posts.append(posted(delivery, vault))
        except NotSentError as fault:
            posts.append(Sight("unreadable", str(fault)))
    asked = [one for one in posts if isinstance(one, Posted)]
    try:
        seen = iter(keeper.look(asked))
    except (
        Exception
    ) as fault:  # a keeper's own mistake must not stop the others, and proves nothing
        logger.exception("The keeper failed")
        failed = Sight("unreadable", f"The look failed ({type(fault).__name__}).")
        seen = iter([failed] * len(asked))
    return [next(seen) if isinstance(one, Posted) else one for one in posts]


def posted(delivery: Delivery, vault: Fernet) -> Posted:
    """What its keeper is told of a published delivery. NotSentError: its secret does not open."""
    account = delivery.account
    try:
        secret = vault.decrypt(account.secret).decode() if account.secret else None
    except InvalidToken as fault:
        raise NotSentError(
            "The account's password was stored under another secret key than the settings hold."
        ) from fault
    return Posted(
        handle=account.handle,
        service=account.service,
        secret=secret,
        record_key=delivery.record_key,
        record=delivery.record,
        uri=delivery.receipt_uri or "",
        url=delivery.receipt_url,
    )


# ---- what came of it


def _record(session: Session, look: _Look, sight: Sight, now: datetime) -> None:
    """Keep what was seen, and when to look again. What was overtaken meanwhile is left out."""
    reading = session.get_one(ReadBack, look.delivery.id, with_for_update=True)
    delivery = session.get_one(Delivery, look.delivery.id)
    ours = session.scalar(select(_taken_down()).where(Delivery.id == delivery.id))
    if reading.looks != look.number or ours or delivery.settled_at is None:
        return
    before = latest_seen(session, delivery)
    session.add(
        Observation(
            delivery_id=delivery.id,
            at=now,
            state=sight.state,
            likes=sight.likes,
            reposts=sight.reposts,
            quotes=sight.quotes,
            replies=sight.replies,
            detail=sight.detail,
        )
    )
    session.flush()
    published, asked = delivery.settled_at, _seconds(sight.retry_in)
    if sight.state == "unreadable":
        gap = max(asked, UNREAD_AGAIN * 4 ** min(_failed(session, delivery.id) - 1, 4))
        reading.next_at = _within(now + min(gap, DAILY), published)
    elif sight.state == "not_found":
        since = reading.missing_since or now
        reading.missing_since, reading.gone_why = since, sight.detail
        if sight.sure or now - since >= AGAIN_AFTER:
            reading.removed_at, reading.next_at = now, None
        else:
            reading.next_at = max(since + AGAIN_AFTER, now + asked)
    else:
        reading.missing_since, reading.gone_why = None, ""
        told = any(number is not None for number in _counts(sight))
        same = not told or (before is not None and _counts(before) == _counts(sight))
        reading.unchanged = reading.unchanged + 1 if same else 0
        rising = (sight.replies or 0) > ((before.replies if before else 0) or 0)
        following = next_look(published, now, reading.unchanged, rising)
        reading.next_at = following and max(following, now + asked)
    session.flush()


def next_look(published: datetime, now: datetime, unchanged: int, rising: bool) -> datetime | None:
    """When to look again after a look at ``now`` that found the post; None: never.

    ``unchanged`` counts the looks in a row that found the same numbers; ``rising``: there are more
    replies than before.
    """
    following = next((published + after for after in LOOKS if published + after > now), None)
    if following is None or following - now < timedelta(minutes=1):  # a look that came late
        later = (published + after for after in LOOKS if published + after > (following or now))
        following = next(later, now + DAILY)
    if rising:
        following = min(following, now + RISING)
    elif unchanged > QUIET_LOOKS:
        doubled = (following - now) * 2 ** min(unchanged - QUIET_LOOKS, 4)
        following = now + min(doubled, max(SLOWEST, following - now))
    return _within(following, published)


def _within(moment: datetime, published: datetime) -> datetime | None:
    return moment if moment < published + OVER_AFTER else None


def _seconds(said: float) -> timedelta:
    """What a platform asks for, up to WAIT_MAX; nothing where it is no number."""
    told = max(0.0, min(said, WAIT_MAX.total_seconds())) if math.isfinite(said) else 0.0
    return timedelta(seconds=told)


def _failed(session: Session, delivery_id: int) -> int:
    """How many looks in a row have failed, this one among them."""
    last_read = select(func.max(Observation.id)).where(
        Observation.delivery_id == delivery_id, Observation.state != "unreadable"
    )
    query = select(func.count()).where(
        Observation.delivery_id == delivery_id,
        Observation.id > func.coalesce(last_read.scalar_subquery(), 0),
    )
    return session.scalar(query) or 0


def _counts(one: Observation | Sight) -> tuple[int | None, ...]:
    return one.likes, one.reposts, one.quotes, one.replies


def latest_seen(session: Session, delivery: Delivery) -> Observation | None:
    """The newest observation that has numbers."""
    query = select(Observation).where(Observation.delivery_id == delivery.id, has_numbers())
    return session.scalar(query.order_by(Observation.id.desc()).limit(1))


def has_numbers() -> ColumnElement[bool]:
    """Condition on Observation: the platform told at least one number."""
    numbers = (Observation.likes, Observation.reposts, Observation.quotes, Observation.replies)
    return func.num_nonnulls(*numbers) > 0
