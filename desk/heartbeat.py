"""Whether a worker lives: its heartbeats are procrastinate's, written every ten seconds."""

from datetime import datetime, timedelta

from sqlalchemy import ScalarSelect, column, func, select, table
from sqlalchemy.orm import Session

from sources.db import UTCDateTime

SILENT = timedelta(minutes=1)  # procrastinate takes a worker for dead after half of that


_WORKERS = table("procrastinate_workers", column("last_heartbeat", UTCDateTime()))


def newest() -> ScalarSelect[datetime | None]:
    """The newest heartbeat of any worker, as part of a query."""
    return select(func.max(_WORKERS.c.last_heartbeat)).scalar_subquery()


def last_heard(session: Session) -> datetime | None:
    """The newest heartbeat of any worker; None: none runs, and none died lately."""
    return session.scalar(select(newest()))


def is_silent(heard: datetime | None, now: datetime) -> bool:
    """Whether no worker can be at work any more."""
    return heard is None or now - heard > SILENT
