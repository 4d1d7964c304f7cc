"""Situations: who speaks to whom, when and how far, coded by a person for a narrative and a place.

A coding holds for one week (from Monday, UTC) and lapses: what was so last week is shown and does
not count. With what the messages say it comes to the danger level, by the codebook's rules alone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Select,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    desc,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, aggregate_order_by, distinct_on
from sqlalchemy.orm import Session, aliased

from monitor import triggers
from monitor.coding.codebook import (
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
from monitor.narratives.narratives import RECENT, family
from monitor.narratives.turns import take_turn, write_stamp
from sources.db import UTCDateTime

REASON_CHARS = 1_000
CARRIERS = 3  # posts named as those that a danger level rests on
CARRIERS_READ = 30  # among them copies of one text, of which one is named
HISTORY_SHOWN = 50
FIELDS_KEPT = 4_096
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
class ThenAndNow:
    """The danger of a narrative at two moments."""

    narrative: int
    title: str
    was: NarrativeDanger
    stands: NarrativeDanger


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
    rows = session.scalars(
        select(SituationCoding)
        .where(SituationCoding.narrative_id.in_(family(narrative)), SituationCoding.week == week)
        .ext(distinct_on(SituationCoding.place))
        .order_by(SituationCoding.place, SituationCoding.id.desc())
    )
    return list(rows)


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
    return _reckoned(session, [narrative.id], week_of(now))[narrative.id]


def danger_in(
    session: Session, narrative: Narrative, holding: Sequence[SituationCoding]
) -> NarrativeDanger:
    """The same with the codings that hold this week (``codings_in``), for who has read them."""
    return _reckoned(session, [narrative.id], None, holding=holding)[narrative.id]


def danger_of_many(
    session: Session, narratives: Collection[int], now: datetime
) -> dict[int, NarrativeDanger]:
    """The same of many, asked and told by their ids; of the posts that carry it only the first."""
    return _reckoned(session, narratives, week_of(now), carriers=1)


def danger_at(
    session: Session, narratives: Sequence[Narrative], moment: datetime
) -> dict[int, NarrativeDanger]:
    """The same as it stood at a moment, by what had been read and coded until then.

    Of posts that were removed or coded anew since, only what stands now is known.
    """
    ids = [one.id for one in narratives]
    return _reckoned(session, ids, week_of(moment), moment, carriers=1)


def danger_then_and_now(
    session: Session, which: Select[int], then: datetime, now: datetime
) -> list[ThenAndNow]:
    """``danger_at`` a moment and ``danger_of_many`` now, of the narratives whose ids a query tells.

    One query; the narrative with the latest post first.
    """
    chosen = which.cte("chosen")
    both = (
        _of_narratives(literal(then, UTCDateTime), literal(week_of(then), Date), 1),
        _of_narratives(None, literal(week_of(now), Date), 1),
    )
    rows = session.execute(
        union_all(
            *(
                one.add_columns(
                    Narrative.title, Narrative.last_post_at, literal(n).label("half")
                ).where(Narrative.id.in_(select(chosen.c.id)))
                for n, one in enumerate(both)
            )
        ).order_by(desc("last_post_at"), "id", "turn")
    ).all()
    titles = {row.id: row.title for row in rows}
    was, stands = (_judged(titles, [row for row in rows if row.half == n]) for n in range(2))
    return [ThenAndNow(one, title, was[one], stands[one]) for one, title in titles.items()]


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


def _reckoned(
    session: Session,
    ids: Collection[int],
    week: date | None,
    moment: datetime | None = None,
    *,
    holding: Sequence[SituationCoding] = (),
    carriers: int = CARRIERS_READ,
) -> dict[int, NarrativeDanger]:
    """The danger of each narrative, in one query.

    ``week``: in which a coding holds; None: ``holding`` does. ``moment``: what had been read and
    coded until then. ``carriers``: posts that are read of each narrative.
    """
    query = _reckoning(week is not None, moment is not None, carriers)
    rows = session.execute(query, {"ids": list(ids), "week": week, "moment": moment}).all()
    stands = [(coding.place, situation_of(coding)) for coding in holding]
    return _judged(ids, rows, stands if week is None else None)


def _judged(
    ids: Collection[int],
    rows: Sequence[Any],
    stands: Sequence[tuple[str, Situation]] | None = None,
) -> dict[int, NarrativeDanger]:
    """The danger of each from the rows of ``_reckoning``; ``stands`` where that read no codings."""
    by_narrative: dict[int, list[Any]] = {}
    for row in rows:
        by_narrative.setdefault(row.id, []).append(row)
    found = {}
    for one in ids:
        mine = by_narrative.get(one, [])
        told = (mine[0].codings if mine and stands is None else None) or ()
        coded = [(place, Situation(*factors)) for place, *factors in told]
        carried = _carried([row for row in mine if row.post_id is not None])
        found[one] = _greatest(carried, coded if stands is None else stands)
    return found


@cache  # every list asks for it, and it takes longer to put together than to answer
def _reckoning(coded: bool, then: bool, carriers: int) -> Select[Any]:
    """Asks for the carriers of narratives, and where ``coded`` for what was coded of them.

    Parameters: ids, week (where ``coded``), and where ``then`` the moment of which it is asked.
    """
    moment = bindparam("moment", type_=UTCDateTime) if then else None
    week = bindparam("week", type_=Date) if coded else None
    ids = bindparam("ids", type_=ARRAY(BigInteger))
    query = _of_narratives(moment, week, carriers)
    return query.where(Narrative.id == any_(ids)).order_by(Narrative.id, "turn")


def _of_narratives(
    moment: ColumnElement[datetime] | None, week: ColumnElement[date] | None, carriers: int
) -> Select[Any]:
    """Their carriers, and what was coded of them in a week where one is given."""
    top = _carriers(moment, carriers)
    query = select(Narrative.id, top).select_from(Narrative).outerjoin(top, true())
    if week is not None:
        held = _held(week, moment)
        query = query.add_columns(held.c.codings).outerjoin(held, true())
    return query


def _held(week: ColumnElement[date], moment: ColumnElement[datetime] | None) -> Any:
    """Of each narrative the newest coding of each place; those of merged ones are its own."""
    kin, coding = aliased(Narrative), SituationCoding
    newest = (
        select(coding.place, coding.speaker, coding.audience, coding.context, coding.reach)
        .join(kin, kin.id == coding.narrative_id)
        .where(
            or_(kin.id == Narrative.id, kin.merged_into == Narrative.id),
            coding.week == week,
            true() if moment is None else coding.at <= moment,
        )
        .ext(distinct_on(coding.place))
        .order_by(coding.place, coding.id.desc())
        .correlate(Narrative)
        .subquery("newest")
    )
    factors = func.jsonb_build_array(*newest.c)
    told = func.jsonb_agg(aggregate_order_by(factors, newest.c.place), type_=JSONB)
    return select(told.label("codings")).select_from(newest).lateral("held")


def _carriers(moment: ColumnElement[datetime] | None, limit: int) -> Any:
    """Of each narrative the posts of its highest level, of M4 the most urgent; numbered as turn."""
    last_post_at: ColumnElement[datetime] = Narrative.last_post_at.expression
    read_by_then: ColumnElement[bool] = true()
    if moment is not None:
        last_post_at = func.least(Narrative.last_post_at, moment, type_=UTCDateTime)
        read_by_then = Reading.read_at <= moment
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
    return (
        select(
            *(Reading.post_id, Reading.copy_of, Reading.level, Reading.threat_level),
            *(cast(Reading.fields, Text).label("fields"), urgent.label("urgent")),
            func.row_number().over(order_by=order).label("turn"),
        )
        .where(
            Reading.narrative_id == Narrative.id,
            Reading.hour > last_post_at - RECENT,
            Reading.level > 0,
            read_by_then,
        )
        .order_by(*order)
        .limit(limit)
        .correlate(Narrative)
        .lateral("top")
    )


def _carried(rows: Sequence[Any]) -> _Carried:
    """What decides the danger of a narrative, from its ``_carriers``."""
    if not rows:
        return _Carried(MessageFields(), ())
    best = rows[0]
    texts: dict[int, int] = {}  # group of copies → its first post
    for row in rows:
        if (row.level, row.urgent) == (best.level, best.urgent):
            texts.setdefault(row.copy_of, row.post_id)
    posts = tuple(texts.values())[:CARRIERS]
    return _Carried(_fields(best.level, best.threat_level, best.fields), posts)


@lru_cache(maxsize=FIELDS_KEPT)  # a list is opened over and over, and the same posts carry it
def _fields(level: int, threat: str, stored: str) -> MessageFields:
    """A reading's fields, or others that come to the level and threat it was given.

    ``stored``: as JSON.
    """
    try:
        fields = from_stored(msgspec.json.decode(stored))
    except (TypeError, ValueError):
        fields = MessageFields()
    if message_level(fields) == level and threat_level(fields) == threat:
        return fields
    return HIGH_THREAT if threat == "high" else STAND_INS[level]


def _greatest(carried: _Carried, stands: Sequence[tuple[str, Situation]]) -> NarrativeDanger:
    """The danger in the place where it is greatest, first by what is certain."""
    known = stands or [("", Situation())]
    reckoned = [_in(carried, situation, place) for place, situation in known]
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
