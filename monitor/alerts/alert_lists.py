"""Lists of people who are told of alerts: live ones, and those for exercises alone."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from monitor.models import AlertList, AlertListMember

TIERS = range(1, 6)
NAME_CHARS = 80


def lists(session: Session) -> Sequence[AlertList]:
    """All lists with all who are or were on them: live ones first, by name."""
    query = select(AlertList).options(joinedload(AlertList.members))
    return session.scalars(query.order_by(AlertList.exercise, AlertList.name)).unique().all()


def current(alert_list: AlertList) -> list[AlertListMember]:
    """Who is on the list now, the first tier first."""
    return [one for one in alert_list.members if one.removed_at is None]


def make(session: Session, name: str, exercise: bool, by: int, now: datetime) -> AlertList:
    """An empty list; ValueError, one sentence, for a name that is empty, too long or taken."""
    name = " ".join(name.split())
    if not name or len(name) > NAME_CHARS:
        raise ValueError(f"Name the list, in {NAME_CHARS} characters at most.")
    made = AlertList(name=name, exercise=exercise, made_by=by, made_at=now)
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError:
        raise ValueError(f"There is a list called “{name}” already.") from None
    return made


def add(
    session: Session, alert_list: AlertList, person_id: int, tier: int, by: int, now: datetime
) -> AlertListMember:
    """Put a person of the desk on a list; ValueError where they are on it, or for a wrong tier."""
    if tier not in TIERS:
        raise ValueError("A tier is 1 to 5: the first is told first.")
    added = AlertListMember(
        list_id=alert_list.id, person_id=person_id, tier=tier, added_by=by, added_at=now
    )
    try:
        with session.begin_nested():
            session.add(added)
    except IntegrityError:
        raise ValueError("They are on this list already. Remove them first to move them.") from None
    session.expire(alert_list, ["members"])
    return added


def remove(session: Session, member: AlertListMember, by: int, now: datetime) -> None:
    """Take a person off a list. Who was told before that goes on being told of those alerts."""
    if member.removed_at is None:
        member.removed_by, member.removed_at = by, now
