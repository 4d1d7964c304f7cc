"""Leases: what lies on whose desk. A flag lies on one at a time, and comes back by itself."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from desk.models import Lease, Person
from desk.presence import tell
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
    tell(session, *pages_of(flag))
    return held


def take_next(
    session: Session, person: Person, flags: Iterable[Flag], now: datetime
) -> Flag | None:
    """The first of ``flags`` that nobody else has, put on this person's desk; None: none is left.

    What they have already comes first.
    """
    held = running(session, now)
    mine = {flag_id for flag_id, lease in held.items() if lease.person_id == person.id}
    free = [one for one in flags if one.id not in held or one.id in mine]
    for flag in sorted(free, key=lambda one: one.id not in mine):
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
    tell(session, *pages_of(flag))


def end(session: Session, flag: Flag, now: datetime) -> None:
    """End whoever's lease on a flag: it was decided, or somebody takes it over."""
    session.execute(
        update(Lease)
        .where(Lease.flag_id == flag.id, Lease.ended_at.is_(None))
        .values(ended_at=func.least(Lease.until, now))
    )
    tell(session, *pages_of(flag))


def holders(session: Session, flags: Collection[int], now: datetime) -> dict[int, Lease]:
    """By flag the lease that holds now, with its person; flags that nobody has are left out."""
    wanted = set(flags)
    return {one: lease for one, lease in running(session, now).items() if one in wanted}


def with_holders(
    session: Session, query: Select[Flag], now: datetime
) -> tuple[list[Flag], dict[int, Lease]]:
    """The flags of a query, and by flag the leases that hold now: all in one query."""
    rows = session.execute(
        query.add_columns(Lease)
        .outerjoin(
            Lease, (Lease.flag_id == Flag.id) & Lease.ended_at.is_(None) & (Lease.until > now)
        )
        .options(joinedload(Lease.person))
    ).unique()
    found = [(row[0], row[1]) for row in rows]
    return [flag for flag, _ in found], {flag.id: lease for flag, lease in found if lease}


def running(session: Session, now: datetime) -> dict[int, Lease]:
    """All leases that hold now, by flag, with their people: a few for each person at work."""
    query = (
        select(Lease)
        .where(Lease.ended_at.is_(None), Lease.until > now)
        .options(joinedload(Lease.person))
    )
    return {lease.flag_id: lease for lease in session.scalars(query)}


def pages_of(flag: Flag) -> list[str]:
    """The pages on which one sees who has a flag."""
    of_narrative = [] if flag.narrative_id is None else [f"/narratives/{flag.narrative_id}"]
    return ["/queue", f"/flags/{flag.id}", *of_narrative]


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
