"""Flags: the machine raises them, one person settles each of them once.

At D4 a second person looks at what the first confirmed (monitor.flags.second_looks).
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, func, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from monitor.coding.codebook import Danger
from monitor.coding.situations import NarrativeDanger, danger_of
from monitor.models import (
    Endangered,
    Flag,
    FlagDecision,
    Narrative,
    Reading,
    SecondLook,
    SecondRequest,
)
from monitor.narratives.counters import Cell
from monitor.narratives.narratives import family
from sources.models import Post
from sources.places import place_of

DECISIONS = ("confirmed", "dismissed")
TELLING = ("act:", "threat:", "H")  # the codes of reasons that a flag repeats
RECENT = timedelta(days=1)  # of older hours nobody can warn any more
REASON_FROM = 3  # confirming from D3 on needs a sentence: others act on it
SECOND_FROM = 4  # from D4 on a second person looks
OVERRULED = 2  # so many who disagree take a confirmation back
RECENT_TEXTS = 200  # texts of a narrative against which a person's words are held
URGENT = 4  # the level of what calls a person at once
ON_NARRATIVES = ("spike", "report")  # kinds whose confirmation speaks for the narrative they name


class FlagAlreadyDecidedError(Exception):
    """Somebody else settled the flag first: ``by`` (person id) and ``at`` say who and when."""

    def __init__(self, by: int, at: datetime) -> None:
        super().__init__(f"The flag was decided by person {by} at {at:%Y-%m-%d %H:%M} UTC.")
        self.by = by
        self.at = at


def raised_on(narrative: Narrative) -> Select[Flag]:
    """The query for all rises of and reports on a narrative and those merged into it.

    The oldest first, with their decisions and what second people said of them: unique rows of it.
    """
    decision = joinedload(Flag.decision)
    return (
        select(Flag)
        .where(Flag.narrative_id.in_(family(narrative)), Flag.kind.in_(ON_NARRATIVES))
        .options(decision.joinedload(FlagDecision.request), decision.joinedload(FlagDecision.looks))
        .order_by(Flag.id)
    )


def calls() -> ColumnElement[bool]:
    """Of flags: whether one calls a person at once, and waits for no lease."""
    urged = and_(Flag.kind == "report", Flag.level >= URGENT)
    return or_(Flag.kind == "life_safety", urged)


def is_call(flag: Flag) -> bool:
    """The same of one flag."""
    return flag.kind == "life_safety" or (flag.kind == "report" and flag.level >= URGENT)


def name_of(flag: Flag) -> str:
    """What was flagged, as people call it: a narrative's title, a watch's name, a county."""
    if flag.kind == "life_safety" or (flag.kind == "report" and flag.narrative is None):
        return "One post"
    if flag.watch is not None:
        return f"Watch: {flag.watch.versions[-1].name}"
    if flag.place is not None:
        return f"Place: {place_of(flag.place).name}"
    return flag.narrative.title if flag.narrative else ""


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


def narrative_of(session: Session, flag: Flag) -> Narrative | None:
    """The narrative that was flagged, or the one it has been merged into since."""
    narrative = flag.narrative
    if narrative is None or narrative.merged_into is None:
        return narrative
    return session.get_one(Narrative, narrative.merged_into)


def danger_for(session: Session, flag: Flag | None, now: datetime) -> Danger | None:
    """The danger the rules give to what was flagged; None where they cannot: no narrative."""
    if flag is None:
        return None
    if flag.kind == "life_safety":
        return Danger(4, 4, provisional=False, life_safety=True)
    narrative = narrative_of(session, flag)
    if narrative is None:
        return None
    found = danger_of(session, narrative, now)
    return Danger(found.low, found.high, found.provisional, found.life_safety)


def words_about(session: Session, about: Narrative | Flag) -> list[str]:
    """What was said: the newest distinct texts of a narrative (a flag's own), or its one post's.

    Words that people write about it are held against them, for those outlive the posts.
    """
    narrative = about if isinstance(about, Narrative) else narrative_of(session, about)
    query = select(Post.text).join(Reading, Reading.post_id == Post.id)
    if narrative is not None:
        query = query.where(
            Reading.narrative_id == narrative.id, Reading.post_id == Reading.copy_of
        )
    elif isinstance(about, Flag):
        query = query.where(Reading.post_id == about.post_id)
    return list(session.scalars(query.order_by(Reading.post_id.desc()).limit(RECENT_TEXTS)))


def needs_reason(danger: Danger | NarrativeDanger | None) -> bool:
    """Whether a confirmation at this danger says in words what was seen."""
    return danger is not None and danger.low >= REASON_FROM


def asks_second(danger: Danger | NarrativeDanger | None) -> bool:
    """Whether a confirmation at this danger waits for a second person. What is certain counts."""
    return danger is not None and (danger.life_safety or danger.low >= SECOND_FROM)


def decide(
    session: Session, flag: Flag, decision: str, reason: str, by: int, now: datetime
) -> FlagDecision:
    """Confirm or dismiss a flag as person ``by``; at D4 a confirmation asks for a second person.

    ValueError, one sentence, when the decision is unknown, or a dismissal, or a confirmation from
    D3 on, has no reason; FlagAlreadyDecidedError when somebody was first, even at the same moment.
    """
    reason = reason.strip()
    if decision not in DECISIONS:
        raise ValueError("A flag is either confirmed or dismissed.")
    if decision == "dismissed" and not reason:
        raise ValueError("A dismissal needs a reason, so that the next person can learn from it.")
    danger = danger_for(session, flag, now) if decision == "confirmed" else None
    if danger is not None and needs_reason(danger) and not reason:
        raise ValueError(
            f"It stands at D{danger.low}: say in one sentence what you saw. Others act on it."
        )
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
    if danger is not None and asks_second(danger):
        because = "life_safety" if danger.life_safety else "danger"
        session.add(SecondRequest(decision_id=settled.id, because=because, at=now))
        session.flush()
    session.refresh(flag, ["decision"])
    return settled


def awaits_second() -> ColumnElement[bool]:
    """Of decisions: whether one waits for a second person, or for a third."""
    request = select(SecondRequest.decision_id).where(SecondRequest.decision_id == FlagDecision.id)
    return and_(request.exists(), _looks("agrees") == 0, _looks("disagrees") < OVERRULED)


def warn(
    session: Session, cells: Iterable[Cell], now: datetime, hours: Collection[datetime] = ()
) -> None:
    """Have cells of the last day looked at that gained a dangerous voice (spikes.look).

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
    """The latest confirmation of a rise of the narrative or a report on it, if there is any.

    One that two others took back is none. Whether it waits for a second person: second_looks.
    """
    return session.scalars(
        select(FlagDecision)
        .join(FlagDecision.flag)
        .where(
            Flag.narrative_id.in_(family(narrative)),
            Flag.kind.in_(ON_NARRATIVES),
            FlagDecision.decision == "confirmed",
            _looks("disagrees") < OVERRULED,
        )
        .order_by(FlagDecision.at.desc(), FlagDecision.id.desc())
        .limit(1)
    ).first()


def confirmation_among(flags: Iterable[Flag]) -> FlagDecision | None:
    """The same of ``raised_on`` a narrative, for who has read that."""
    confirmed = [
        one.decision
        for one in flags
        if one.decision is not None
        and one.decision.decision == "confirmed"
        and [look.says for look in one.decision.looks].count("disagrees") < OVERRULED
    ]
    return max(confirmed, key=lambda one: (one.at, one.id), default=None)


def _looks(says: str) -> ScalarSelect[int]:
    """How many second looks at a decision say this."""
    count = select(func.count()).select_from(SecondLook)
    return (
        count.where(SecondLook.decision_id == FlagDecision.id, SecondLook.says == says)
        .correlate(FlagDecision)
        .scalar_subquery()
    )
