"""Flags: the machine raises them, one person settles each of them once."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from monitor.counters import Cell
from monitor.models import Flag, FlagDecision, Narrative, Reading
from monitor.narratives import HOUR, family
from monitor.spikes import evaluate
from monitor.turns import write_stamp
from sources.models import Post

DECISIONS = ("confirmed", "dismissed")
RECENT = timedelta(days=1)


class FlagAlreadyDecidedError(Exception):
    """Somebody else settled the flag first: ``by`` (person id) and ``at`` say who and when."""

    def __init__(self, by: int, at: datetime) -> None:
        super().__init__(f"The flag was decided by person {by} at {at:%Y-%m-%d %H:%M} UTC.")
        self.by = by
        self.at = at


def flags_on(session: Session, narrative: Narrative) -> list[Flag]:
    """All flags on a narrative and on those merged into it, oldest first, with their decisions."""
    query = select(Flag).where(Flag.narrative_id.in_(family(narrative)))
    return list(session.scalars(query.options(joinedload(Flag.decision)).order_by(Flag.id)))


def open_flags(session: Session) -> list[Flag]:
    """Flags that wait for a person, the most dangerous first, with their narratives."""
    level = (
        select(func.max(Reading.level))
        .join(Post, Post.id == Reading.post_id)
        .where(
            Reading.narrative_id == Flag.narrative_id,
            Post.posted_at >= Flag.hour,
            Post.posted_at < Flag.hour + HOUR,
        )
        .correlate(Flag)
        .scalar_subquery()
    )
    return list(
        session.scalars(
            select(Flag)
            .where(~Flag.decision.has())
            .options(joinedload(Flag.narrative))
            .order_by(func.coalesce(level, 0).desc(), Flag.p_value, Flag.id)
        )
    )


def decide(
    session: Session, flag: Flag, decision: str, reason: str, by: int, now: datetime
) -> FlagDecision:
    """Confirm or dismiss a flag as person ``by``.

    ValueError, one sentence, when the decision is unknown or a dismissal has no reason;
    FlagAlreadyDecidedError when somebody was first, even at the same moment.
    """
    reason = reason.strip()
    if decision not in DECISIONS:
        raise ValueError("A flag is either confirmed or dismissed.")
    if decision == "dismissed" and not reason:
        raise ValueError("A dismissal needs a reason, so that the next person can learn from it.")
    settled = FlagDecision(flag_id=flag.id, decision=decision, reason=reason, by=by, at=now)
    try:
        with session.begin_nested():  # the unique key decides a race; a savepoint survives it
            session.add(settled)
    except IntegrityError:
        first = session.scalars(
            select(FlagDecision).where(FlagDecision.flag_id == flag.id)
        ).one_or_none()
        if first is None:  # some other constraint failed
            raise
        raise FlagAlreadyDecidedError(first.by, first.at) from None
    session.refresh(flag, ["decision"])
    return settled


def warn(session: Session, cells: Iterable[Cell], now: datetime) -> None:
    """Flag narratives that rise in these hours of the last day, after levels were changed.

    Of older hours nobody can warn any more. The caller holds the turn.
    """
    raised = evaluate(session, {cell for cell in cells if cell[1] > now - RECENT}, now)
    for flag in raised:
        narrative = session.get_one(Narrative, flag.narrative_id)
        narrative.settled_at = narrative.settled_at or now  # it is at somebody's desk
    if raised:
        write_stamp(session)


def confirmation_of(session: Session, narrative: Narrative) -> FlagDecision | None:
    """The latest confirmation of one of the narrative's flags, if a person gave any."""
    return session.scalars(
        select(FlagDecision)
        .join(FlagDecision.flag)
        .where(Flag.narrative_id.in_(family(narrative)), FlagDecision.decision == "confirmed")
        .order_by(FlagDecision.at.desc(), FlagDecision.id.desc())
        .limit(1)
    ).first()
