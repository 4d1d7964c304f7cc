"""Flags: the machine raises them, one person settles each of them once."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload
from sqlalchemy.orm.interfaces import LoaderOption

from monitor.counters import Cell
from monitor.models import Endangered, Flag, FlagDecision, Narrative, Reading
from monitor.narratives import family
from sources.models import Watch
from sources.places import place_of

DECISIONS = ("confirmed", "dismissed")
TELLING = ("act:", "threat:", "H")  # the codes of reasons that a flag repeats
RECENT = timedelta(days=1)  # of older hours nobody can warn any more


class FlagAlreadyDecidedError(Exception):
    """Somebody else settled the flag first: ``by`` (person id) and ``at`` say who and when."""

    def __init__(self, by: int, at: datetime) -> None:
        super().__init__(f"The flag was decided by person {by} at {at:%Y-%m-%d %H:%M} UTC.")
        self.by = by
        self.at = at


def flags_on(session: Session, narrative: Narrative) -> list[Flag]:
    """All rises of a narrative and of those merged into it, oldest first, with their decisions."""
    query = select(Flag).where(Flag.narrative_id.in_(family(narrative)), Flag.kind == "spike")
    return list(session.scalars(query.options(joinedload(Flag.decision)).order_by(Flag.id)))


def open_flags(session: Session) -> list[Flag]:
    """Rises that wait for a person, the gravest and then the least likely first."""
    return list(
        session.scalars(
            select(Flag)
            .where(~Flag.decision.has(), Flag.kind == "spike")
            .options(*_subjects())
            .order_by(Flag.level.desc(), Flag.p_value, Flag.id)
        )
    )


def open_life_safety(session: Session) -> list[Flag]:
    """Single posts that call a person at once, the one that waits longest first."""
    return list(
        session.scalars(
            select(Flag)
            .where(~Flag.decision.has(), Flag.kind == "life_safety")
            .options(*_subjects())
            .order_by(Flag.raised_at, Flag.id)
        )
    )


def name_of(flag: Flag) -> str:
    """What rises, as people call it: a narrative's title, a watch's name, a county."""
    if flag.kind == "life_safety":
        return "One post"
    if flag.watch is not None:
        return f"Watch: {flag.watch.versions[-1].name}"
    if flag.place is not None:
        return f"Place: {place_of(flag.place).name}"
    return flag.narrative.title if flag.narrative else ""


def post_of(session: Session, flag: Flag) -> Reading | None:
    """The reading of a life-safety flag's post, with the post; None where it was removed."""
    if flag.post_id is None:
        return None
    return session.get(Reading, flag.post_id, options=[joinedload(Reading.post)])


def explaining(session: Session, flag: Flag) -> list[Reading]:
    """The posts that a flag names as its reasons and that still stand, in that order."""
    named = [why["post_id"] for why in flag.reasons if why["post_id"] is not None]
    ids = list(dict.fromkeys(named))
    query = select(Reading).where(Reading.post_id.in_(ids))
    query = query.options(joinedload(Reading.post), joinedload(Reading.coding))
    found = {reading.post_id: reading for reading in session.scalars(query)}
    return [found[post] for post in ids if post in found]


def telling(reading: Reading, most: int) -> list[str]:
    """The machine's words on a dangerous post, never the post's: a flag outlives it."""
    said = [why["text"] for why in reading.reasons if why["code"].startswith(TELLING)]
    return list(dict.fromkeys(said))[:most]


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


def warn(
    session: Session, cells: Iterable[Cell], now: datetime, hours: Collection[datetime] = ()
) -> None:
    """Have cells of the last day looked at that gained a dangerous voice (monitor.spikes.look).

    ``hours``: in which dangerous posts were read, whatever their narrative. The narratives stand;
    the caller holds the turn.
    """
    touched: list[tuple[int | None, datetime]] = [*cells, *((None, hour) for hour in hours)]
    rows = [
        {"narrative_id": narrative, "hour": hour}
        for narrative, hour in touched
        if hour > now - RECENT
    ]
    if rows:
        session.execute(insert(Endangered), rows)


def confirmation_of(session: Session, narrative: Narrative) -> FlagDecision | None:
    """The latest confirmation of one of the narrative's rises, if a person gave any."""
    return session.scalars(
        select(FlagDecision)
        .join(FlagDecision.flag)
        .where(
            Flag.narrative_id.in_(family(narrative)),
            Flag.kind == "spike",
            FlagDecision.decision == "confirmed",
        )
        .order_by(FlagDecision.at.desc(), FlagDecision.id.desc())
        .limit(1)
    ).first()


def _subjects() -> tuple[LoaderOption, ...]:
    return (
        joinedload(Flag.narrative),
        joinedload(Flag.watch).selectinload(Watch.versions),
        joinedload(Flag.post),
    )
