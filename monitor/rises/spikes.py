"""What rises: narratives, watches and counties with more dangerous voices than their past explains.

The analysis queues the hours that gained such a voice (flags.warn); ``look`` examines them
all at once, as two courses: people at M2 or above, and at M3 or above (detect). A rise
calls once, by the graver of the two, and waits for a person.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, joinedload

from monitor.flags.flags import RECENT
from monitor.models import Endangered, Flag, Narrative
from monitor.narratives.narratives import HOUR, hour_of
from monitor.narratives.turns import take_turn, write_stamp
from monitor.rises import areas, evidence
from monitor.rises.baseline import DAY, Prior
from monitor.rises.detect import DETECTOR, Settings
from monitor.rises.rising import Rise, rises_of
from monitor.rises.series import (
    HISTORY,
    LEVELS,
    TESTED,
    Subject,
    of_areas,
    of_narratives,
    prior_of_narratives,
)
from monitor.rises.thresholds import settings_in_force
from sources.db import among

QUIET = timedelta(hours=12)  # after a person's decision the same subject is left alone ...
LOUDER = 2.0  # ... unless this many times more people speak than in the hour that was decided
# Full hours end rises: those are looked for when one has just passed, whatever is queued.
CLEARING = timedelta(minutes=2)
# An area is told of apart if so many of its voices are in no narrative that was flagged already.
OWN_SHARE = 0.5

Told = dict[Subject, list[Flag]]


def look(session: Session, now: datetime) -> list[Flag]:
    """Examine what was queued, and flag what rises; the flags that were raised or moved on.

    Each hour is compared with those before it, whatever the clock says: late or replayed posts
    count where they belong. Looking again at the same hours changes nothing. What was merged
    meanwhile counts for what it went into. Takes the turn only when there is something to write,
    and before any row that others may wait for.
    """
    stands = func.coalesce(Narrative.merged_into, Narrative.id)
    queued = session.execute(
        select(Endangered.id, Endangered.hour, stands.label("narrative_id")).outerjoin(
            Narrative, Narrative.id == Endangered.narrative_id
        )
    ).all()
    end = hour_of(now)
    if not queued and now - end >= CLEARING:
        return []
    told = _told(session, end)
    going = {
        subject
        for subject, flags in told.items()
        if any(flag.cleared_hour is None for flag in flags)
    }
    settings = settings_in_force(session)
    ids = [*(row.narrative_id for row in queued), *(one.narrative_id for one in going)]
    narratives = {one for one in ids if one is not None}
    rises = _rises_of_narratives(session, narratives, told, settings, end, now)
    written = _answer(session, rises, told, settings, now)
    # A moment that is still to come is no hour to compare.
    touched = areas.count(session, {row.hour for row in queued if row.hour <= end})
    touched["watch"] |= {str(one.watch_id) for one in going if one.watch_id is not None}
    touched["place"] |= {one.place for one in going if one.place is not None}
    for kind, keys in touched.items():
        series = of_areas(session, kind, keys, end, settings) if keys else None
        if series is not None and series.subjects:
            priors = dict.fromkeys(LEVELS, Prior())
            rises = list(rises_of(series, priors, told, settings, now))
            written += _answer(session, rises, told, settings, now)
    mine = select(Endangered.id).where(among(Endangered.id, [row.id for row in queued]))
    mine = mine.with_for_update(skip_locked=True)  # what is locked goes with its narrative
    session.execute(delete(Endangered).where(Endangered.id.in_(mine)))
    return written


def about(session: Session, rise: Rise) -> dict[str, Any]:
    """What a flag tells beside its numbers (Flag.about), of posts that stand; no words of theirs.

    ``authors``: independent voices at the flag's level in its hours; ``everyone``: of all posts
    there, and ``share`` the part that is dangerous, 0 to 1. Of the whole rise: ``platforms``
    {name: posts}, ``crossed`` whether they are more than one, ``places`` [[FIPS of a county or
    state, posts that name it]], and ``copies`` the most accounts that carried one text. ``effect``:
    observed / expected. ``loudest``: people in the flag's hour at each level, {"2": n, "3": n}.
    ``clear``: how the rise was over, or None.
    """
    hour, event = rise.called
    first = hour - (event.hours - 1) * HOUR
    since = min(first, rise.since or first)
    told = evidence.of(session, rise.subject, rise.level, (first, hour), (since, rise.until))
    return told | {
        "effect": event.effect,
        "loudest": {str(level): people for level, people in rise.people.items()},
        "clear": rise.clear,
    }


def _told(session: Session, end: datetime, again: bool = False) -> Told:
    """What was flagged in the last weeks, by what stands now; ``again``: read it anew."""
    stands = func.coalesce(Narrative.merged_into, Narrative.id)
    rows = session.execute(
        select(Flag, stands)
        .outerjoin(Narrative, Narrative.id == Flag.narrative_id)
        .where(Flag.kind == "spike", Flag.hour > end - HISTORY * HOUR)
        .options(joinedload(Flag.decision))
        .order_by(Flag.id)
        .execution_options(populate_existing=again)
    )
    told: Told = {}
    for flag, narrative in rows:
        told.setdefault(Subject(narrative, flag.watch_id, flag.place), []).append(flag)
    return told


def _rises_of_narratives(
    session: Session,
    ids: Collection[int],
    told: Told,
    settings: Settings,
    end: datetime,
    now: datetime,
) -> list[Rise]:
    if not ids:
        return []
    hours = [
        (one.narrative_id, flag.level, flag.hour)
        for one, flags in told.items()
        if one.narrative_id is not None
        for flag in flags
    ]
    series = of_narratives(session, ids, end, settings, hours)
    # Those nobody dangerous spoke in were tested too, in a way: chance had its chance there.
    spoke = select(func.count()).select_from(Narrative)
    spoke = spoke.where(
        Narrative.merged_into.is_(None), Narrative.last_post_at > end - TESTED * HOUR
    )
    besides = max(0, (session.scalar(spoke) or 0) - len(series.subjects))
    priors = {level: prior_of_narratives(session, level, now) for level in LEVELS}
    return list(rises_of(series, priors, told, settings, now, besides))


def _answer(
    session: Session, rises: Sequence[Rise], told: Told, settings: Settings, now: datetime
) -> list[Flag]:
    """Write what rises ask for; the flags raised or moved. ``told`` holds them afterwards."""
    if not any(_changes(session, rises, {one: [*told[one]] for one in told}, settings, now)):
        return []
    take_turn(session)  # what was decided, merged or dissolved meanwhile is known from here on
    told.clear()
    told.update(_told(session, hour_of(now), again=True))
    rises = _standing(session, rises)
    changes, clears = _changes(session, rises, told, settings, now)
    for flag, rise in clears:
        flag.cleared_hour = rise.cleared
        flag.about = flag.about | {"clear": rise.clear}
    for flag, rise in changes:
        lesser = [r for r in rises if r.subject == rise.subject and r.level < rise.level]
        _write(session, flag, rise, [one for one in lesser if one.overlaps(rise)])
    raised = {rise.subject.narrative_id for _, rise in changes} - {None}
    if raised:  # it is at somebody's desk: people alone change it from now on
        session.execute(
            update(Narrative)
            .where(Narrative.id.in_(raised), Narrative.settled_at.is_(None))
            .values(settled_at=now)
            .execution_options(synchronize_session="fetch")
        )
        write_stamp(session)
    session.flush()
    return [flag for flag, _ in changes]


def _standing(session: Session, rises: Sequence[Rise]) -> list[Rise]:
    """The rises of what still stands as it was."""
    ids = {rise.subject.narrative_id for rise in rises} - {None}
    query = select(Narrative.id).where(Narrative.id.in_(ids), Narrative.merged_into.is_(None))
    stand = set(session.scalars(query))
    return [
        one for one in rises if one.subject.narrative_id in stand or not one.subject.is_narrative
    ]


def _changes(
    session: Session, rises: Sequence[Rise], told: Told, settings: Settings, now: datetime
) -> tuple[list[tuple[Flag, Rise]], list[tuple[Flag, Rise]]]:
    """Flags to be written with what rose, and flags whose rise is over, or is not after all.

    The graver level speaks first; new flags join those in ``told``.
    """
    changes: list[tuple[Flag, Rise]] = []
    clears: list[tuple[Flag, Rise]] = []
    for rise in sorted(rises, key=lambda one: -one.level):
        flags = told.setdefault(rise.subject, [])
        clears += [
            (flag, rise)
            for flag in flags
            if flag.level == rise.level and rise.holds(flag) and flag.cleared_hour != rise.cleared
        ]
        flag = _due(rise, flags, now)
        if flag is None or (flag.id is None and _is_told(session, rise, told, settings, now)):
            continue
        if flag.id is None:
            flags.append(flag)
        changes.append((flag, rise))
    return changes, clears


def _due(rise: Rise, flags: Sequence[Flag], now: datetime) -> Flag | None:
    """The flag to be written for a rise: a new one, or an open one that follows it; or none."""
    if rise.event is None or rise.hour is None:
        return None
    people = rise.people[rise.level]
    waiting = next((flag for flag in flags if flag.decision is None), None)
    if waiting is not None:
        # One question at a time: it goes where more people speak, or where they say worse.
        louder = waiting.level == rise.level and people > _people(waiting, rise.level)
        return waiting if louder or waiting.level < rise.level else None
    for flag in flags:
        decision = flag.decision
        settled = decision is not None and (rise.holds(flag) or now - decision.at < QUIET)
        # Who was asked of contempt was not asked of violence.
        if settled and flag.level >= rise.level and people < LOUDER * _people(flag, rise.level):
            return None
    return Flag(
        kind="spike",
        level=rise.level,
        hour=rise.hour,
        raised_at=now,
        about={},
        **vars(rise.subject),
    )


def _people(flag: Flag, level: int) -> int:
    """Different people at a level in the flag's loudest hour."""
    loudest = flag.about.get("loudest", {})
    return int(loudest.get(str(level), flag.observed))


def _is_told(session: Session, rise: Rise, told: Told, settings: Settings, now: datetime) -> bool:
    """Whether flags on narratives tell of an area's rise already."""
    if rise.subject.is_narrative:
        return False
    hour, event = rise.called
    flagged = [
        one.narrative_id
        for one, flags in told.items()
        if one.narrative_id is not None
        and any(flag.cleared_hour is None or flag.hour > now - RECENT for flag in flags)
    ]
    hours = hour - (event.hours - 1) * HOUR, hour
    every = evidence.voices_in(session, rise.subject, rise.level, hours)
    own = evidence.voices_in(session, rise.subject, rise.level, hours, besides=flagged)
    return own < max(settings.least_authors, OWN_SHARE * every)


def _write(session: Session, flag: Flag, rise: Rise, lesser: Sequence[Rise]) -> None:
    """Give a flag the numbers of its rise's loudest hour, and what explains it."""
    hour, event = rise.called
    flag.level, flag.hour, flag.detector, flag.test = rise.level, hour, DETECTOR, event.test
    flag.observed, flag.hours = round(event.observed), event.hours
    flag.expected, flag.low, flag.high = event.expected, event.low, event.high
    flag.p_value, flag.adjusted = event.p_value, event.adjusted
    flag.cleared_hour = rise.cleared
    flag.about = about(session, rise)
    sentences = [event.sentence]
    if rise.known <= DAY:
        sentences.append(
            f"It is young: {rise.known} hour{'s' * (rise.known != 1)} to compare with, so that a "
            f"rate of {rise.rate:.2f} an hour is assumed, with less weight from hour to hour."
        )
    if rise.level > min(LEVELS):
        sentences[0] = f"At M{rise.level} or above: {sentences[0]}"
        sentences += [
            f"At M{one.level} or above: {one.event.sentence}" for one in lesser if one.event
        ]
    posts = evidence.explaining(
        session, rise.subject, rise.level, (hour - (event.hours - 1) * HOUR, hour)
    )
    flag.reasons = [{"text": sentence, "post_id": None} for sentence in sentences]
    flag.reasons += [evidence.reason(reading) for reading in posts]
    if posts:
        first = min((reading.post for reading in posts), key=lambda post: (post.posted_at, post.id))
        if flag.posted_at is None or first.posted_at < flag.posted_at:
            flag.posted_at, flag.collected_at = first.posted_at, first.collected_at
    session.add(flag)
