"""The situations of a week by place, for its report: how grave, and how sure we are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, joinedload, selectinload

from monitor.coding import situations
from monitor.coding.codebook import CODEBOOK
from monitor.coding.situations import NarrativeDanger, in_situation, situation_of
from monitor.models import Alert, Flag, Narrative, PostCounty, Reading, SituationCoding
from monitor.reports.sitrep import SEEN, UNSEEN, WEEK, Draft, Week, name_of_place


@dataclass(frozen=True)
class Situation:
    narrative: Narrative
    danger: NarrativeDanger
    place: str
    level: str


def situations_told(session: Session, week: Week) -> list[Situation]:
    """Each narrative that somebody or something took up in the week, in each of its places."""
    ids = _taken_up(session, week)
    narratives = session.scalars(select(Narrative).where(Narrative.id.in_(ids))).all()
    moment = week.until - timedelta(microseconds=1)
    dangers = situations.danger_at(session, narratives, moment)
    named = _most_named(session, ids, week)
    seen = verified(session, narratives, week)
    found = []
    for one in narratives:
        danger = dangers[one.id]
        codings = situations.codings_in(session, one, week.since.date())
        places = {
            coding.place: in_situation(danger, situation_of(coding), coding.place)
            for coding in codings
        }
        for place, there in (places or {named.get(one.id, ""): danger}).items():
            # What is told everywhere is told here too, if posts of the week name this place.
            if week.holds(place) or (place == "" and one.id in named):
                found.append(Situation(one, there, place, seen[one.id]))
    return sorted(
        found,
        key=lambda one: (
            -one.danger.low,
            -one.danger.high,
            name_of_place(one.place),
            one.narrative.id,
        ),
    )


def _taken_up(session: Session, week: Week) -> set[int]:
    """Narratives flagged, coded or warned of in the week; of a place, those told there."""
    home = func.coalesce(Narrative.merged_into, Narrative.id)
    flagged = (
        select(home)
        .join(Flag, Flag.narrative_id == Narrative.id)
        .where(Flag.raised_at >= week.since, Flag.raised_at < week.until)
    )
    coded = (
        select(home)
        .join(SituationCoding, SituationCoding.narrative_id == Narrative.id)
        .where(SituationCoding.week == week.since.date())
    )
    warned = (
        select(home)
        .join(Alert, Alert.narrative_id == Narrative.id)
        .where(Alert.made_at >= week.since, Alert.made_at < week.until, ~Alert.exercise)
    )
    if week.place:
        here = told_in(session, week)
        flagged = flagged.where(home.in_(here))
        coded = coded.where(or_(SituationCoding.place.startswith(week.place), home.in_(here)))
        warned = warned.where(or_(Alert.place.startswith(week.place), home.in_(here)))
    return {one for query in (flagged, coded, warned) for one in session.scalars(query)}


def told_in(session: Session, week: Week) -> set[int]:
    """Narratives whose posts of the week name the place, or a county in it."""
    query = (
        select(Reading.narrative_id)
        .join(PostCounty, PostCounty.post_id == Reading.post_id)
        .where(
            PostCounty.fips.startswith(week.place, autoescape=True),
            *(Reading.hour >= week.since, Reading.hour < week.until),
            Reading.narrative_id.is_not(None),
        )
        .distinct()
    )
    return {one for one in session.scalars(query) if one is not None}


def _most_named(session: Session, ids: Collection[int], week: Week) -> dict[int, str]:
    """By narrative the county that most of its posts of the week name, within the place."""
    posts = func.count().label("posts")
    rows = session.execute(
        select(Reading.narrative_id, PostCounty.fips)
        .join(PostCounty, PostCounty.post_id == Reading.post_id)
        .where(
            *(Reading.narrative_id.in_(ids), PostCounty.fips.startswith(week.place)),
            *(Reading.hour >= week.since, Reading.hour < week.until),
        )
        .group_by(Reading.narrative_id, PostCounty.fips)
        .ext(distinct_on(Reading.narrative_id))
        .order_by(Reading.narrative_id, posts.desc(), PostCounty.fips)
    )
    return {narrative: fips for narrative, fips in rows if narrative is not None}


def verified(session: Session, narratives: Sequence[Narrative], week: Week) -> dict[int, str]:
    """How sure we are of each by the end of the week: the last grade of an alert on it; V1 where
    somebody decided a flag or coded its situation, and so looked at its posts; V0 otherwise.
    """
    found = {one.id: UNSEEN for one in narratives}
    if not found:
        return found
    home = func.coalesce(Narrative.merged_into, Narrative.id)
    coded = (
        select(home)
        .join(SituationCoding, SituationCoding.narrative_id == Narrative.id)
        .where(SituationCoding.week == week.since.date(), home.in_(found))
    )
    flagged = (
        select(home)
        .join(Flag, Flag.narrative_id == Narrative.id)
        .where(Flag.decision.has(), Flag.raised_at < week.until, home.in_(found))
        .where(Flag.raised_at >= week.since - WEEK)
    )
    for query in (coded, flagged):
        found |= dict.fromkeys(session.scalars(query), SEEN)
    rows = session.execute(
        select(home, Alert)
        .join(Alert, Alert.narrative_id == Narrative.id)
        .where(home.in_(found), ~Alert.exercise, Alert.made_at < week.until)
        .options(selectinload(Alert.verifications))
        .order_by(Alert.id)
    )
    for narrative, alert in rows:
        found[narrative] = grade(alert, week) or found[narrative]
    return found


def grade(alert: Alert, week: Week) -> str:
    grades = [one.level for one in alert.verifications if one.at < week.until]
    return grades[-1] if grades else ""


def words(one: Situation) -> tuple[str, str]:
    """A situation in one line, and the same without the narrative's title."""
    danger = one.danger
    names = {level.value: level.name for level in CODEBOOK.danger_levels}
    if danger.low == danger.high:
        said = f"D{danger.low} ({names[danger.low]})"
    else:
        said = (
            f"Between D{danger.low} ({names[danger.low]}) and D{danger.high} ({names[danger.high]})"
        )
    unknown = [
        factor.name.lower()
        for factor in CODEBOOK.situation
        if getattr(danger.situation, factor.field) is None
    ]
    if danger.provisional and unknown:
        said += f", provisional: not known yet: {', '.join(unknown)}"
    place = name_of_place(one.place)
    rest = f"{said}. The gravest that is said: M{danger.message_level}."
    return (
        f"{place}: {one.narrative.title}. {rest}",
        f"{place}: narrative {one.narrative.id}. {rest}",
    )


def rising_areas(session: Session, made: Draft) -> None:
    """Counties that rose as a whole, over all that is told there."""
    week = made.week
    query = select(Flag).where(
        Flag.place.startswith(week.place), Flag.raised_at >= week.since, Flag.raised_at < week.until
    )
    rows = session.scalars(query.options(joinedload(Flag.decision)).order_by(Flag.place, Flag.id))
    by_place: dict[str, list[Flag]] = {}
    for flag in rows:
        by_place.setdefault(flag.place or "", []).append(flag)
    for place, raised in by_place.items():
        decided = [one.decision.decision for one in raised if one.decision is not None]
        level = SEEN if decided else UNSEEN
        said = (
            "a monitor confirmed it"
            if "confirmed" in decided
            else ("a monitor put it away" if decided else "nobody has decided on it")
        )
        text = (
            f"{name_of_place(place)}: more voices than usual at M{max(one.level for one in raised)}"
            f" or above, over all that is said there; {said}."
        )
        made.add("situations", level, text)
