"""Asking platforms whether posts we hold are still there: streams and listings miss removals."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from sources.collect import Intake
from sources.collector import Checker, SourceFaultError
from sources.models import Post

log = logging.getLogger(__name__)


def recheck_due(
    sessions: sessionmaker[Session],
    checkers: Mapping[str, Callable[[], Checker]],
    intake: Intake,
    clock: Callable[[], datetime],
    stop: Callable[[], bool],
) -> int:
    """Ask for every post whose platform wants it asked for; how many were gone.

    The outermost caller: one question and one commit for each chunk, no session over the network.
    A platform that cannot be asked now is asked again at the next call, the others go on.
    """
    gone = 0
    for platform, make in checkers.items():
        every = intake.policies[platform].recheck
        if every is None:
            continue
        try:
            with sessions() as session:
                if not overdue(session, platform, every, clock()):
                    continue
            checker = make()
            while not stop():
                with sessions() as session:
                    uris = _due(session, platform, clock() - every, checker.size)
                if not uris:
                    break
                removals = checker.gone(uris)
                with sessions.begin() as session:
                    lock = func.pg_advisory_xact_lock(func.hashtext(f"save {platform}"))
                    session.execute(select(lock))
                    reasons = {removal.uri: removal.reason for removal in removals}
                    gone += intake.purger.posts(session, platform, reasons, clock())
                    still = update(Post).where(Post.platform == platform, Post.uri.in_(uris))
                    session.execute(still.values(checked_at=clock()))
        except SourceFaultError as fault:
            log.warning("posts of %s cannot be checked now: %s", platform, fault)
        except SQLAlchemyError:
            raise  # then no other platform can be checked either
        except Exception:
            log.exception("the checker of %s stopped unexpectedly", platform)
    return gone


def overdue(session: Session, platform: str, every: timedelta, now: datetime) -> int:
    """How many posts of a platform should have been asked for by now."""
    late = (Post.platform == platform, Post.checked_at < now - every)
    return session.scalar(select(func.count()).select_from(Post).where(*late)) or 0


def _due(session: Session, platform: str, before: datetime, limit: int) -> list[str]:
    return list(
        session.scalars(
            select(Post.uri)
            .where(Post.platform == platform, Post.checked_at < before)
            .order_by(Post.checked_at, Post.id)
            .limit(limit)
        )
    )
