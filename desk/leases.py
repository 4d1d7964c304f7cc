"""Leases: what lies on whose desk. A flag lies on one at a time, and comes back by itself."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from desk.models import Lease, Person
from monitor.models import Flag

# Long enough to read a narrative and code its posts, short enough that a closed laptop blocks none.
LIFE = timedelta(minutes=20)


class TakenError(Exception):
    """Somebody else has it: ``by`` (a person's id), until ``until`` if they do nothing more."""

    def __init__(self, by: int, until: datetime) -> None:
        super().__init__(f"Person {by} has it until {until:%H:%M} UTC.")
        self.by = by
        self.until = until


def take(session: Session, flag: Flag, person: Person, now: datetime) -> Lease:
    """Put a flag on a person's desk, or leave it there for another while. TakenError."""
    _end_expired(session, now)
    held = _held(session, flag.id)
    if held is None:
        held = Lease(flag_id=flag.id, person_id=person.id, taken_at=now, until=now + LIFE)
        try:
            with session.begin_nested():  # the unique key decides a race
                session.add(held)
        except IntegrityError:
            held = _held(session, flag.id)
            if held is None:  # given back in this very moment: ask again
                return take(session, flag, person, now)
    if held.person_id != person.id:
        raise TakenError(held.person_id, held.until)
    held.until = max(held.until, now + LIFE)
    return held


def take_next(
    session: Session, person: Person, flags: Iterable[Flag], now: datetime
) -> Flag | None:
    """The first of ``flags`` that nobody else has, put on this person's desk; None: none is left.

    What they have already comes first.
    """
    waiting = list(flags)
    mine = {
        flag_id
        for flag_id, lease in holders(session, [one.id for one in waiting], now).items()
        if lease.person_id == person.id
    }
    for flag in sorted(waiting, key=lambda one: one.id not in mine):
        try:
            take(session, flag, person, now)
        except TakenError:
            continue
        return flag
    return None


def give_back(session: Session, flag: Flag, person: Person, now: datetime) -> None:
    """End a person's lease on a flag, if they have one."""
    session.execute(
        update(Lease)
        .where(Lease.flag_id == flag.id, Lease.person_id == person.id, Lease.ended_at.is_(None))
        .values(ended_at=func.least(Lease.until, now))
    )


def end(session: Session, flag: Flag, now: datetime) -> None:
    """End whoever's lease on a flag: it was decided, or somebody takes it over."""
    session.execute(
        update(Lease)
        .where(Lease.flag_id == flag.id, Lease.ended_at.is_(None))
        .values(ended_at=func.least(Lease.until, now))
    )


def holders(session: Session, flags: Collection[int], now: datetime) -> dict[int, Lease]:
    """By flag the lease that holds now, with its person; flags that nobody has are left out."""
    query = (
        select(Lease)
        .where(Lease.flag_id.in_(flags), Lease.ended_at.is_(None), Lease.until > now)
        .options(joinedload(Lease.person))
    )
    return {lease.flag_id: lease for lease in session.scalars(query)}


def _held(session: Session, flag_id: int) -> Lease | None:
    return session.scalars(
        select(Lease).where(Lease.flag_id == flag_id, Lease.ended_at.is_(None))
    ).one_or_none()


def _end_expired(session: Session, now: datetime) -> None:
    session.execute(
        update(Lease)
        .where(Lease.ended_at.is_(None), Lease.until <= now)
        .values(ended_at=func.least(Lease.until, now))
    )
