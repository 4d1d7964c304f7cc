"""Asking each Mastodon server what it takes: claim, commit, call, record, as in ``deliver``.

What came of it is in ``campaigns.wording.server_rules``.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, sessionmaker

from campaigns.models import Account, Delivery, ServerLook, ServerSaid
from campaigns.publishers import NotSentError
from campaigns.wording.lengths import ServerSays
from campaigns.wording.server_rules import PLATFORM, says_of

DAILY = timedelta(days=1)
AHEAD = timedelta(days=1)  # before something goes to a server it is asked more often
SOON = timedelta(hours=1)
AGAIN = timedelta(hours=1)  # after a look that failed
WAIT_MAX = timedelta(days=1)  # of what a server may ask for
LEASE = timedelta(minutes=10)  # no look lasts as long: the worker of an older one died
WAITING = ("scheduled", "retry_later")

Limits = Callable[[str], ServerSays]  # of a base URL; raises NotSentError

logger = logging.getLogger(__name__)


def read_servers(
    sessions: sessionmaker[Session], limits: Limits, now_fn: Callable[[], datetime]
) -> int:
    """Ask every server that is due what it takes; answers how many were asked.

    Due are those of accounts just connected, then each once a day, and each hour before something
    goes there. Safe to call at any moment from any number of processes.
    """
    asked = 0
    with sessions() as session:
        due = _due(session, now_fn())
    for service, seen in due:
        with sessions.begin() as session:
            if not _claim(session, service, seen, now_fn()):
                continue
        asked += 1
        says, fault, wait = None, "", 0.0
        try:
            says = limits(service)
        except NotSentError as failed:
            fault, wait = str(failed), failed.retry_in
        except Exception as failed:  # one server's oddity must not keep us from asking the next
            logger.exception("%s could not be asked what it takes", service)
            fault = f"The look failed ({type(failed).__name__})."
        with sessions.begin() as session:
            _record(session, service, says, fault, wait, now_fn())
    return asked


def _due(session: Session, now: datetime) -> list[tuple[str, datetime | None]]:
    """(base URL, when it was last asked) of each server to be asked now."""
    soon = (
        select(Delivery.id)
        .where(
            Delivery.account_id == Account.id,
            Delivery.state.in_(WAITING),
            Delivery.due_at <= now + AHEAD,
        )
        .exists()
    )
    rows = session.execute(
        select(
            Account.service,
            func.max(Account.connected_at),
            func.bool_or(soon),
            func.max(ServerLook.asked_at),
            func.max(ServerLook.next_at),
        )
        .outerjoin(ServerLook, ServerLook.service == Account.service)
        .where(Account.platform == PLATFORM, Account.closed_at.is_(None))
        .group_by(Account.service)
        .order_by(Account.service)
    )
    return [
        (service, asked_at)
        for service, connected_at, is_soon, asked_at, next_at in rows
        if asked_at is None
        or next_at <= now
        or asked_at < connected_at
        or (is_soon and asked_at <= now - SOON)
    ]


def _claim(session: Session, service: str, seen: datetime | None, now: datetime) -> bool:
    """Whether nobody has asked it since we looked: then it is ours."""
    if seen is None:
        row = insert(ServerLook).values(
            service=service, asked_at=now, next_at=now + LEASE, fault=""
        )
        made = row.on_conflict_do_nothing().returning(ServerLook.service)
        return session.scalar(made) is not None
    ours = (
        update(ServerLook)
        .where(ServerLook.service == service, ServerLook.asked_at == seen)
        .values(asked_at=now, next_at=now + LEASE)
        .returning(ServerLook.service)
    )
    return session.scalar(ours) is not None


def _record(
    session: Session,
    service: str,
    says: ServerSays | None,
    fault: str,
    wait: float,
    now: datetime,
) -> None:
    look = session.get_one(ServerLook, service, with_for_update=True)
    look.fault = fault
    if says is None:
        asked_for = timedelta(seconds=min(max(wait, 0.0), WAIT_MAX.total_seconds()))
        look.next_at = now + max(AGAIN, asked_for)
        return
    look.next_at = now + DAILY
    newest = session.scalar(
        select(ServerSaid)
        .where(ServerSaid.service == service)
        .order_by(ServerSaid.id.desc())
        .limit(1)
    )
    if newest is not None and says_of(newest) == says:
        newest.read_at = now
    else:
        said = vars(says) | {"picture_types": says.picture_types and list(says.picture_types)}
        session.add(ServerSaid(service=service, found_at=now, read_at=now, **said))
