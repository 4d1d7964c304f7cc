"""Presence: who has which page open now. Rows of the database, for two web processes may run.

Each open page has a row, kept fresh by its stream (desk.routes.presence). What changes is told by
PostgreSQL's NOTIFY when the transaction commits; desk.bell hears it in every web process.
"""

import re
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload

from desk.models import Person, Presence

CHANNEL = "breakwater_desk"
QUEUE = "/queue"  # is told of every lease; who reads it is of no use to anybody
# Pages on which one sees who else is there. No other words of an address are kept or told on.
SHARED = re.compile(r"/(?:narratives|flags)/[1-9][0-9]{0,8}")
BEAT = 15.0  # seconds between the signs of life of a stream
GONE = timedelta(seconds=40)  # without one: two were missed, its process died


def shared(page: str) -> bool:
    """Whether a path is one of the pages on which one sees who else is there."""
    return SHARED.fullmatch(page) is not None


def tell(session: Session, *pages: str) -> None:
    """Wake whoever has one of these pages open, once this transaction is committed."""
    session.execute(select(*(func.pg_notify(CHANNEL, page) for page in pages)))


def stay(session: Session, key: int, person: Person, page: str, now: datetime) -> None:
    """A sign of life of one open page; the first one is its arrival, which the others are told.

    ``key``: the stream's own number, never used again.
    """
    row = insert(Presence).values(id=key, person_id=person.id, page=page, came_at=now, seen_at=now)
    arrived = session.scalar(
        row.on_conflict_do_update(index_elements=[Presence.id], set_={"seen_at": now}).returning(
            Presence.came_at == now
        )
    )
    if arrived:
        session.execute(delete(Presence).where(Presence.seen_at < now - GONE))
        tell(session, page)


def leave(session: Session, key: int) -> None:
    """A page was closed: its row goes, and the others are told."""
    page = session.scalar(delete(Presence).where(Presence.id == key).returning(Presence.page))
    if page is not None:
        tell(session, page)


def others_at(session: Session, page: str, person: Person, now: datetime) -> list[Presence]:
    """Who else has a page open, each once, who came first first."""
    query = (
        select(Presence)
        .where(
            Presence.page == page,
            Presence.person_id != person.id,
            Presence.seen_at >= now - GONE,
        )
        .options(joinedload(Presence.person))
        .order_by(Presence.came_at, Presence.id)
    )
    found: dict[int, Presence] = {}
    for one in session.scalars(query):
        found.setdefault(one.person_id, one)
    return list(found.values())
