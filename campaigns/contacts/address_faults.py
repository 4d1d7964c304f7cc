"""Addresses at which nothing arrives: left out of every list, until somebody puts them right.

Verbs never commit.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from campaigns.contacts.contacts import stop_waiting
from campaigns.models import AddressFault, ContactAddress

WHY_CHARS = 400
DEAD = "Nothing arrives at this address."


def note(session: Session, address: ContactAddress, why: str, now: datetime) -> None:
    """Nothing arrives there, as we were told; what waits for it stops here. Once more: nothing."""
    session.execute(
        insert(AddressFault)
        .values(address_id=address.id, why=why[:WHY_CHARS] or DEAD, found_at=now)
        .on_conflict_do_nothing()
    )
    stop_waiting(session, address.channel, address.hash, DEAD, now)


def put_right(session: Session, fault: AddressFault, *, why: str, by: int, now: datetime) -> None:
    """A person knows that the address is good (again). ValueError without how they know."""
    said = " ".join(why.split())[:WHY_CHARS]
    if not said:
        raise ValueError("Say how you know that it arrives.")
    session.refresh(fault, with_for_update=True)
    if fault.ended_at is not None:
        raise ValueError("Somebody has put this right already.")
    fault.ended_at, fault.ended_by, fault.ended_why = now, by, said
    session.flush()


def broken() -> ColumnElement[bool]:
    """Condition on a ContactAddress: nothing arrives there."""
    return (
        select(AddressFault.id)
        .where(AddressFault.address_id == ContactAddress.id, AddressFault.ended_at.is_(None))
        .exists()
    )


def standing(session: Session, addresses: Sequence[ContactAddress]) -> dict[int, AddressFault]:
    """By address id, the fault that stands."""
    rows = session.scalars(
        select(AddressFault).where(
            AddressFault.address_id.in_([one.id for one in addresses]),
            AddressFault.ended_at.is_(None),
        )
    )
    return {one.address_id: one for one in rows}


def put_right_before(session: Session, addresses: Sequence[ContactAddress]) -> list[AddressFault]:
    """The faults of these addresses that are over, the latest first."""
    query = select(AddressFault).where(
        AddressFault.address_id.in_([one.id for one in addresses]),
        AddressFault.ended_at.is_not(None),
    )
    return list(session.scalars(query.order_by(AddressFault.id.desc())))
