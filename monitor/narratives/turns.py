"""Whose turn it is to write narratives: one transaction at a time, and a stamp of the last one."""

from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from monitor.models import Turn

ONLY = 1  # the id of the one row


def take_turn(session: Session) -> None:
    """Wait until nobody else writes narratives; until this transaction ends nobody else will.

    What a post is placed in depends on what came before it: two writers at once could found the
    same narrative twice. Take it before any other lock.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("breakwater-analyse"))))


def stamp_of(session: Session) -> UUID | None:
    """Who wrote last."""
    return session.scalar(select(Turn.stamp).where(Turn.id == ONLY))


def write_stamp(session: Session) -> UUID:
    """Say that what others hold in memory is out of date; the new stamp."""
    stamp = uuid4()
    session.flush()
    row = insert(Turn).values(id=ONLY, stamp=stamp)
    session.execute(row.on_conflict_do_update(index_elements=[Turn.id], set_={"stamp": stamp}))
    return stamp
