"""From a notice that is due to somebody who was told: claim, commit, call, record.

A conditional UPDATE is the lock, whether two workers look or twenty; no database session is open
while the network is used. Unlike a post, a notice whose end nobody saw is sent once more: to be
told twice that an alert waits is less bad than not to be told at all.
"""

import logging
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import ColumnElement, and_, or_, select, true, update
from sqlalchemy.orm import Session, sessionmaker

from campaigns.approving.approval_links import life_of, make_link
from desk.couriers import Courier
from desk.mail import Outcome
from desk.models import Notice
from desk.notices.obstacles import obstacle, withdraw
from desk.wording import Deciding, Words, wording

SENDERS = 8  # calls at once: one server that is silent must not hold up the others
LOOK_AGAIN = 1.0  # seconds, while calls are under way: something urgent may have come
# No call lasts as long (mail.PATIENCE): the worker of an older claim died.
CLAIM_PATIENCE = timedelta(minutes=3)
# A server that greylists wants to be asked again after five minutes; these come to a quarter hour.
TRIES = 7
BACK_OFF = timedelta(seconds=15)  # after the first failure; doubles with each
DOUBTS = 1  # ends that nobody saw, after which we try once more

# Who holds a link decides: it goes where one person reads. The others carry the page's address.
PRIVATE = frozenset({"mail", "signal"})

MAY_HAVE_COME = "An earlier try may have arrived."

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """A notice that is ours to send, with all that is needed without a database."""

    notice_id: int
    tries: int  # this one counted; tells it from a later claim of the same notice
    service: str
    address: bytes | str  # encrypted, or where the person signs in
    words: Words
    key: str  # the same in every try, and never again: a mail program drops what it knows


def tell_due(
    sessions: sessionmaker[Session],
    courier: Courier,
    vault: Fernet,
    address: str,
    now_fn: Callable[[], datetime],
    stop: Callable[[], bool] = lambda: False,
    only: ColumnElement[bool] | None = None,
) -> int:
    """Send every notice that is due, the gravest first, until none is; answers how many calls.

    ``vault`` opens the channels' addresses, ``address`` is the desk's own, ``stop`` says when to
    begin no more, ``only`` which notices are meant (None: all). Safe to call at any moment from any
    number of processes.
    """
    calls, broken = 0, set[int]()
    under_way: dict[Future[bool], int] = {}

    def tell(notice_id: int) -> bool:
        with sessions.begin() as session:
            claim = _claim(session, notice_id, vault, address, now_fn())
        if claim is None:
            return False
        outcome = _call(courier, vault, claim)
        with sessions.begin() as session:
            _record(session, claim, outcome, now_fn())
        return True

    with ThreadPoolExecutor(SENDERS, "tell") as pool:
        while True:
            if not stop():
                with sessions.begin() as session:
                    _mark_abandoned(session, now_fn())
                    due = select(Notice.id).where(
                        _is_due(now_fn()), true() if only is None else only
                    )
                    waiting = session.scalars(
                        due.order_by(Notice.level.desc(), Notice.due_at, Notice.id)
                    ).all()
                for notice_id in waiting:
                    # No more than can start: what comes meanwhile may be graver.
                    if len(under_way) == SENDERS:
                        break
                    if notice_id not in broken and notice_id not in under_way.values():
                        under_way[pool.submit(tell, notice_id)] = notice_id
            if not under_way:
                return calls
            for ended in wait(under_way, LOOK_AGAIN, FIRST_COMPLETED).done:
                notice_id = under_way.pop(ended)
                try:
                    calls += ended.result()
                except Exception:  # it stays as committed; a call without a record is a doubt
                    broken.add(notice_id)
                    logger.exception("Notice %s: could not be claimed or recorded", notice_id)


def _is_due(now: datetime) -> ColumnElement[bool]:
    rested = or_(Notice.not_before.is_(None), Notice.not_before <= now)
    return and_(
        Notice.gathered.is_(False),
        or_(
            and_(Notice.state == "scheduled", Notice.due_at <= now, rested),
            and_(Notice.state == "unknown", Notice.not_before <= now),
        ),
    )


def _mark_abandoned(session: Session, now: datetime) -> None:
    """Claims so old that their worker must have died: nobody knows how far it came."""
    old = select(Notice).where(
        Notice.state == "attempting",
        Notice.gathered.is_(False),
        Notice.claimed_at <= now - CLAIM_PATIENCE,
    )
    for notice in session.scalars(old.with_for_update(skip_locked=True)):
        _doubt(notice, "The worker ended before it could say what happened.", now, now)


def _claim(
    session: Session, notice_id: int, vault: Fernet, address: str, now: datetime
) -> Claim | None:
    """Make the notice ours; None when it is somebody else's, or not to be sent any more."""
    notice = session.scalar(
        update(Notice)
        .where(Notice.id == notice_id, _is_due(now))
        .values(state="attempting", claimed_at=now, not_before=None, tries=Notice.tries + 1)
        .returning(Notice)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    if notice is None:
        return None
    for item in notice.standing:
        why = obstacle(item, now)
        if why is not None:
            withdraw(item, why, now)
    why = obstacle(notice, now)
    if why is not None and notice.doubts:
        _settle(notice, "unknown", f"{MAY_HAVE_COME} {why}", now)
        return None
    if why is not None:
        withdraw(notice, why, now)
        return None
    _follow(notice)
    channel = notice.channel
    return Claim(
        notice_id=notice.id,
        tries=notice.tries,
        service=channel.service,
        address=channel.person.email if channel.address is None else channel.address,
        words=_said(session, notice, vault, address, now),
        key=f"notice-{notice.id}-{notice.made_at:%Y%m%d%H%M%S}",
    )


def _said(session: Session, notice: Notice, vault: Fernet, address: str, now: datetime) -> Words:
    """The words of a notice; each try of one that waits for a leader has a link of its own."""
    if notice.version is None or notice.channel.service not in PRIVATE:
        return wording(notice, address)
    token = make_link(session, notice.version, vault, now)
    lasts = life_of(notice.version, now)
    return wording(notice, address, Deciding(f"{address}/approve/{token}", lasts))


def _call(courier: Courier, vault: Fernet, claim: Claim) -> Outcome:
    """Send it. Never raises."""
    try:
        address = claim.address
        opened = address if isinstance(address, str) else vault.decrypt(address).decode()
    except InvalidToken:
        return Outcome(
            "refused", "The address was stored under another secret key than the settings hold."
        )
    said = claim.words
    return courier.send(claim.service, opened, said.subject, said.body, claim.key)


def _record(session: Session, claim: Claim, outcome: Outcome, now: datetime) -> None:
    """Write down how the call ended. A success always counts; else only the newest claim does."""
    notice = session.get_one(Notice, claim.notice_id, with_for_update=True)
    if outcome.kind == "delivered":
        if notice.state != "delivered":
            _settle(notice, "delivered", "", now)
        return
    if notice.state != "attempting" or notice.tries != claim.tries:
        return
    waits = now + BACK_OFF * (1 << (notice.tries - 1))
    if outcome.kind == "in_doubt":
        _doubt(notice, outcome.detail, waits, now)
    elif outcome.kind == "refused" or notice.tries >= TRIES:
        doubt = f" {MAY_HAVE_COME}" if notice.doubts else ""
        _settle(notice, "unknown" if doubt else "failed", outcome.detail + doubt, now)
    else:
        # Once in doubt it stays so: only what is certainly not out there may be withdrawn.
        notice.state = "unknown" if notice.doubts else "scheduled"
        notice.detail, notice.not_before = outcome.detail, waits
        _follow(notice)


def _doubt(notice: Notice, detail: str, again: datetime, now: datetime) -> None:
    """Nobody knows whether it arrived: once more at ``again``, but not for ever."""
    notice.doubts += 1
    if notice.doubts > DOUBTS or notice.tries >= TRIES:
        _settle(notice, "unknown", detail, now)
        return
    notice.state, notice.detail, notice.not_before = "unknown", detail, again
    _follow(notice)


def _settle(notice: Notice, state: str, detail: str, now: datetime) -> None:
    notice.state, notice.detail, notice.settled_at = state, detail, now
    notice.not_before = None
    _follow(notice)


def _follow(digest: Notice) -> None:
    """What is in a digest fares as the digest does."""
    for item in digest.standing:
        item.state, item.detail = digest.state, digest.detail
        item.tries, item.claimed_at = digest.tries, digest.claimed_at
        item.settled_at = digest.settled_at
