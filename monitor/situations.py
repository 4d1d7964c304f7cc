"""Situations: who speaks to whom, when and how far, coded by a person for a narrative and a place.

A coding holds for one week (from Monday, UTC) and lapses: what was so last week is shown and does
not count. With what the messages say it comes to the danger level, by the codebook's rules alone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import and_, case, func, or_, select, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from monitor import triggers
from monitor.codebook import (
    IMMINENT,
    LIFE_SAFETY_SPECIFICS,
    MessageFields,
    Situation,
    danger,
    from_stored,
    message_level,
    threat_level,
)
from monitor.models import LEVEL_NAMES, Narrative, Reading, SituationCoding
from monitor.narratives import RECENT, family
from monitor.turns import take_turn, write_stamp

REASON_CHARS = 1_000
CARRIERS = 3  # posts named as those that a danger level rests on
CARRIERS_READ = 30  # among them copies of one text, of which one is named
HISTORY_SHOWN = 50
WEEK = timedelta(days=7)

# Fields that come to a level, for a reading whose own do not: one of an older edition.
STAND_INS = {
    0: MessageFields(),
    1: MessageFields(target_kind="group", demeaning=True),
    2: MessageFields(target_kind="group", hallmarks={"H1": 2}),
    3: MessageFields(target_kind="group", act="assault", force="wish"),
    4: MessageFields(target_kind="group", act="assault", force="urge"),
}
HIGH_THREAT = MessageFields(target_kind="individual", threat_type="direct", specifics=3)


@dataclass(frozen=True)
class NarrativeDanger:
    """The danger of a narrative in the place where it is greatest, and what it rests on."""

    low: int
    high: int
    provisional: bool
    life_safety: bool
    alert_level: int  # see codebook.Danger
    message_level: int
    situation: Situation
    place: str  # FIPS of a county or state; "": wherever it is told
    posts: tuple[int, ...]  # ids of those that carry it, the most urgent first, few
    fields: MessageFields  # what these say, for reckoning another situation


@dataclass(frozen=True)
class _Carried:
    """The most dangerous that a narrative says, and the posts that say it."""

    fields: MessageFields
    posts: tuple[int, ...]


def week_of(moment: datetime) -> date:
    """The Monday of the week in which a moment lies, UTC."""
    day = moment.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())


def code(
    session: Session,
    narrative: Narrative,
    place: str,
    week: date,
    situation: Situation,
    reason: str,
    by: int,
    now: datetime,
) -> SituationCoding:
    """Say how things stand with a narrative in a place in a week. The newest word holds.

    ``place``: FIPS of a county or state, "" for wherever it is told. ``week``: its Monday.
    ValueError, one sentence: no Monday or one to come, no such place, nothing known, no reason, or
    a narrative that is no more.
    """
    reason = " ".join(reason.split())
    if week.weekday() != 0:
        raise ValueError("A week begins on a Monday.")
    if week > week_of(now):
        raise ValueError("That week has not begun.")
    if place:
        triggers.county_or_state(place)
    if situation == Situation():
        raise ValueError("Say what is known of one factor at least.")
    if not reason:
        raise ValueError("Say why in a few words: the next person will read it.")
    if len(reason) > REASON_CHARS:
        raise ValueError(f"Say why in {REASON_CHARS:,} characters; these are {len(reason):,}.")
    if narrative.settled_at is None:
        _settle(session, narrative, now)
    coding = SituationCoding(
        narrative_id=narrative.id,
        place=place,
        week=week,
        speaker=situation.speaker,
        audience=situation.audience,
        context=situation.context,
        reach=situation.reach,
        reason=reason,
        by=by,
        at=now,
    )
    session.add(coding)
    session.flush()
    return coding


def coding_of(
    session: Session, narrative: Narrative, place: str, week: date
) -> SituationCoding | None:
    """The coding that holds for a narrative in a place in a week, if anybody made one."""
    query = select(SituationCoding).where(
        SituationCoding.narrative_id.in_(family(narrative)),
        SituationCoding.place == place,
        SituationCoding.week == week,
    )
    return session.scalars(query.order_by(SituationCoding.id.desc()).limit(1)).first()


def codings_in(session: Session, narrative: Narrative, week: date) -> list[SituationCoding]:
    """The codings that hold for a narrative in a week, one for each place."""
    return _holding(session, [narrative], week).get(narrative.id, [])


def history(
    session: Session, narrative: Narrative, limit: int = HISTORY_SHOWN
) -> list[SituationCoding]:
    """All codings of a narrative and of those merged into it, the newest first."""
    query = select(SituationCoding).where(SituationCoding.narrative_id.in_(family(narrative)))
    return list(session.scalars(query.order_by(SituationCoding.id.desc()).limit(limit)))


def situation_of(coding: SituationCoding | None) -> Situation:
    """What a coding says; nothing known without one."""
    if coding is None:
        return Situation()
    return Situation(coding.speaker, coding.audience, coding.context, coding.reach)


def danger_of(session: Session, narrative: Narrative, now: datetime) -> NarrativeDanger:
    """The danger level of a narrative: what its last 7 days say, in this week's situation."""
    return danger_of_many(session, [narrative], now)[narrative.id]


def danger_of_many(
    session: Session, narratives: Sequence[Narrative], now: datetime
) -> dict[int, NarrativeDanger]:
    """The same of many by their ids, with as many queries as for one."""
    carried = _carried(session, [one.id for one in narratives])
    holding = _holding(session, narratives, week_of(now))
    return {
        one.id: _greatest(carried.get(one.id, _Carried(MessageFields(), ())), holding.get(one.id))
        for one in narratives
    }


def in_situation(found: NarrativeDanger, situation: Situation, place: str = "") -> NarrativeDanger:
    """What the same messages come to in another situation."""
    return _in(_Carried(found.fields, found.posts), situation, place)


def _settle(session: Session, narrative: Narrative, now: datetime) -> None:
    """Somebody has taken it up, so it may not dissolve."""
    take_turn(session)
    found = session.get(Narrative, narrative.id, populate_existing=True)
    if found is None:
        raise ValueError("This narrative has dissolved meanwhile. Nothing was saved.")
    if found.settled_at is None:
        found.settled_at = now
        write_stamp(session)


def _holding(
    session: Session, narratives: Sequence[Narrative], week: date
) -> dict[int, list[SituationCoding]]:
    """By narrative the newest coding of each place; those of merged ones are its own."""
    home = func.coalesce(Narrative.merged_into, Narrative.id)
    rows = session.execute(
        select(home, SituationCoding)
        .join(Narrative, Narrative.id == SituationCoding.narrative_id)
        .where(
            or_(
                Narrative.id.in_([one.id for one in narratives]),
                Narrative.merged_into.in_([one.id for one in narratives]),
            ),
            SituationCoding.week == week,
        )
        .ext(distinct_on(home, SituationCoding.place))
        .order_by(home, SituationCoding.place, SituationCoding.id.desc())
    )
    found: dict[int, list[SituationCoding]] = {}
    for narrative, coding in rows:
        found.setdefault(narrative, []).append(coding)
    return found


def _carried(session: Session, ids: Collection[int]) -> dict[int, _Carried]:
    """What decides the danger of each narrative: its highest level, of M4 the most urgent."""
    imminent = func.coalesce(Reading.fields["imminence"].as_string().in_(IMMINENT), False)
    specifics = func.coalesce(Reading.fields["specifics"].as_integer(), 0)
    urgent = case(
        (Reading.level < max(LEVEL_NAMES), 0),
        (
            or_(
                Reading.threat_level == "high",
                and_(imminent, specifics >= LIFE_SAFETY_SPECIFICS),
            ),
            2,
        ),
        (imminent, 1),
        else_=0,
    )
    order = (Reading.level.desc(), urgent.desc(), Reading.hour.desc(), Reading.post_id.desc())
    place = func.row_number().over(order_by=order)
    top = (
        select(
            *(Reading.post_id, Reading.copy_of, Reading.level, Reading.threat_level),
            *(Reading.fields, urgent.label("urgent"), place.label("place")),
        )
        .where(
            Reading.narrative_id == Narrative.id,
            Reading.hour > Narrative.last_post_at - RECENT,
            Reading.level > 0,
        )
        .order_by(*order)
        .limit(CARRIERS_READ)
        .correlate(Narrative)
        .lateral("top")
    )
    rows = session.execute(
        select(Narrative.id, top)
        .join(top, true())
        .where(Narrative.id.in_(ids))
        .order_by(Narrative.id, top.c.place)
    )
    found: dict[int, _Carried] = {}
    first: dict[int, Any] = {}
    texts: dict[int, dict[int, int]] = {}  # narrative → group of copies → its first post
    for row in rows:
        best = first.setdefault(row.id, row)
        if (row.level, row.urgent) == (best.level, best.urgent):
            texts.setdefault(row.id, {}).setdefault(row.copy_of, row.post_id)
    for narrative, row in first.items():
        posts = tuple(texts[narrative].values())[:CARRIERS]
        found[narrative] = _Carried(_fields(row.level, row.threat_level, row.fields), posts)
    return found


def _fields(level: int, threat: str, stored: dict[str, Any]) -> MessageFields:
    """A reading's fields, or others that come to the level and threat it was given."""
    try:
        fields = from_stored(stored)
    except (TypeError, ValueError):
        fields = MessageFields()
    if message_level(fields) == level and threat_level(fields) == threat:
        return fields
    return HIGH_THREAT if threat == "high" else STAND_INS[level]


def _greatest(carried: _Carried, codings: Sequence[SituationCoding] | None) -> NarrativeDanger:
    """The danger in the place where it is greatest, first by what is certain."""
    stands = [(one.place, situation_of(one)) for one in codings or ()] or [("", Situation())]
    reckoned = [_in(carried, situation, place) for place, situation in stands]
    return max(reckoned, key=lambda one: (one.low, one.high))


def _in(carried: _Carried, situation: Situation, place: str) -> NarrativeDanger:
    found = danger(carried.fields, situation)
    return NarrativeDanger(
        low=found.low,
        high=found.high,
        provisional=found.provisional,
        life_safety=found.life_safety,
        alert_level=found.alert_level,
        message_level=message_level(carried.fields),
        situation=situation,
        place=place,
        posts=carried.posts,
        fields=carried.fields,
    )
