"""Hourly series of what can rise, as the detectors want them: narratives, watches and counties.

The past is read as it was first counted: deletions never lower it. In the hours that are tested no
more people are told than those whose posts still stand: one person who posts and deletes, again
and again, was counted again and again, and stays one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Integer,
    SQLColumnExpression,
    and_,
    any_,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from monitor.models import DANGEROUS_LEVEL, AreaCount, HourlyCount, Narrative, Reading
from monitor.narratives.counters import voices
from monitor.narratives.narratives import HOUR, hour_of
from monitor.reading.incitement import ALARMING_LEVEL
from monitor.rises.baseline import DAY, WEEK, Prior
from monitor.rises.detect import Settings
from sources.db import UTCDateTime, among, unnested
from sources.models import Post, Watch

LEVELS = (DANGEROUS_LEVEL, ALARMING_LEVEL)  # voices at M2 or above, and at M3 or above
HISTORY = 4 * WEEK  # hours looked back at
TESTED = 2 * DAY  # the last of them
YOUNG_HOURS, YOUNG_READ = DAY, 500  # first hours of so many past narratives make the prior
# Of fewer the spread between narratives tells nothing: one loud one among them would be the rule.
YOUNG_NEEDED = 30

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Subject:
    """What rises: one of the three."""

    narrative_id: int | None = None
    watch_id: int | None = None
    place: str | None = None  # county FIPS

    @property
    def is_narrative(self) -> bool:
        return self.narrative_id is not None


@dataclass(frozen=True)
class Series:
    """Different people of n subjects, by the hour: n x hours, the hour of ``end`` last."""

    subjects: Sequence[Subject]
    end: datetime
    people: Mapping[int, Ints]  # by LEVELS
    everyone: Ints  # authors of all posts
    known: Ints  # hours since the first post, or since the area is counted
    day: Mapping[int, Ints] = field(default_factory=dict)  # different people in the day to each


def of_narratives(
    session: Session,
    ids: Collection[int],
    end: datetime,
    settings: Settings,
    told: Collection[tuple[int, int, datetime]] = (),
) -> Series:
    """The series of narratives that stand.

    ``told``: narrative, level and hour of what was flagged; who was counted there stays counted.
    """
    born = session.execute(
        select(Narrative.id, Narrative.first_post_at)
        .where(among(Narrative.id, ids), Narrative.merged_into.is_(None))
        .order_by(Narrative.id)
    ).all()
    place = {row.id: n for n, row in enumerate(born)}
    start = end - (HISTORY - 1) * HOUR
    rows: Sequence[Sequence[Any]] = session.execute(
        select(
            *(HourlyCount.narrative_id, _number(HourlyCount.hour), HourlyCount.authors),
            *(HourlyCount.dangerous_authors, HourlyCount.alarming_authors),
        ).where(among(HourlyCount.narrative_id, place), HourlyCount.hour.between(start, end))
    ).all()
    everyone, *people = _filled(place, rows, start, 3)
    standing = _standing(session, place, end - (TESTED + DAY - 1) * HOUR, end)
    first = HISTORY - TESTED - DAY
    stand = _filled(place, standing, start, 2)
    for level, at_level, now in zip(LEVELS, people, stand, strict=True):
        for narrative, flagged, hour in told:
            at = (hour - start) // HOUR
            if flagged >= level and narrative in place and first <= at < HISTORY:
                n = place[narrative]
                now[n, at] = max(now[n, at], at_level[n, at])
        at_level[:, first:] = np.minimum(at_level[:, first:], now[:, first:])
    ages = [(end - hour_of(row.first_post_at)) // HOUR + 1 for row in born]
    least = settings.least_authors
    return Series(
        [Subject(narrative_id=row.id) for row in born],
        end,
        dict(zip(LEVELS, people, strict=True)),
        everyone,
        np.clip(np.array(ages, dtype=np.int64), 1, HISTORY),
        {
            level: _of_day(session, place, at_level, level, start, least)
            for level, at_level in zip(LEVELS, people, strict=True)
        },
    )


def of_areas(
    session: Session, kind: str, keys: Collection[str], end: datetime, settings: Settings
) -> Series:
    """The series of watches (by id) or counties (by FIPS): ``kind`` and ``keys`` of AreaCount.

    Hours in which no dangerous post was read anywhere were not counted. Areas
    known for less than ``least_history`` are left out: no past ones tell what young ones are like.
    """
    start = end - (HISTORY - 1) * HOUR
    # Areas are counted from one moment on, whichever of them was first: silence before is unknown.
    began = session.scalar(select(func.min(AreaCount.hour)).where(AreaCount.kind == kind)) or end
    since = dict.fromkeys(keys, began)
    if kind == "watch":
        made = select(Watch.id, Watch.created_at).where(Watch.id.in_([int(key) for key in keys]))
        since |= {str(watch): max(began, at) for watch, at in session.execute(made)}
    known = {key: min((end - hour_of(at)) // HOUR + 1, HISTORY) for key, at in since.items()}
    ordered = sorted(key for key in keys if known[key] > settings.least_history)
    place = {key: n for n, key in enumerate(ordered)}
    columns = (AreaCount.key, _number(AreaCount.hour), AreaCount.authors)
    rows = session.execute(
        select(*columns, AreaCount.dangerous_authors, AreaCount.alarming_authors).where(
            AreaCount.kind == kind, AreaCount.key.in_(ordered), AreaCount.hour.between(start, end)
        )
    ).all()
    everyone, *people = _filled(place, rows, start, 3)
    return Series(
        [Subject(watch_id=int(key)) if kind == "watch" else Subject(place=key) for key in ordered],
        end,
        dict(zip(LEVELS, people, strict=True)),
        everyone,
        np.array([known[key] for key in ordered], dtype=np.int64),
    )


def prior_of_narratives(session: Session, level: int, now: datetime) -> Prior:
    """What a narrative without a past is taken for: as past ones were in their first day.

    Prior() while there are fewer than YOUNG_NEEDED of them, or none had a voice at ``level``.
    """
    past = session.execute(
        select(Narrative.id, Narrative.first_post_at)
        .where(Narrative.merged_into.is_(None), Narrative.first_post_at < now - YOUNG_HOURS * HOUR)
        .order_by(Narrative.id.desc())
        .limit(YOUNG_READ)
    ).all()
    if len(past) < YOUNG_NEEDED:
        return Prior()
    born = [hour_of(row.first_post_at) for row in past]
    wanted = unnested(
        narrative=(Integer, [row.id for row in past]),
        born=(UTCDateTime, born),
        grown=(UTCDateTime, [hour + YOUNG_HOURS * HOUR for hour in born]),
    )
    counted = HourlyCount.dangerous_authors
    if level == ALARMING_LEVEL:
        counted = HourlyCount.alarming_authors
    rows = session.execute(
        select(
            wanted.c.narrative, _number(HourlyCount.hour) - _number(wanted.c.born), counted
        ).join(
            HourlyCount,
            and_(
                HourlyCount.narrative_id == wanted.c.narrative,
                HourlyCount.hour >= wanted.c.born,
                HourlyCount.hour < wanted.c.grown,
            ),
        )
    ).all()
    first = np.zeros((len(past), YOUNG_HOURS))
    place = {row.id: n for n, row in enumerate(past)}
    for narrative, hour, people in rows:
        first[place[narrative], hour] = people
    try:
        return Prior.of(first)
    except ValueError:
        return Prior()


def _number(hour: SQLColumnExpression[datetime]) -> ColumnElement[int]:
    """Hours since 1970, to count with."""
    return cast(func.extract("epoch", hour) / 3600, Integer)


def _filled(
    place: Mapping[Any, int], rows: Sequence[Sequence[Any]], start: datetime, columns: int
) -> list[Ints]:
    """Rows of (key, hour number, count, ...) as arrays of keys x HISTORY, one a count."""
    filled = [np.zeros((len(place), HISTORY), dtype=np.int64) for _ in range(columns)]
    if rows:
        first = int(start.timestamp()) // 3600
        at = np.array([place[row[0]] for row in rows]), np.array([row[1] - first for row in rows])
        for n, one in enumerate(filled):
            one[at] = [row[2 + n] for row in rows]
    return filled


def _standing(
    session: Session, narratives: Collection[int], since: datetime, end: datetime
) -> Sequence[Sequence[Any]]:
    """Narrative, hour number, and voices by LEVELS of the posts that stand."""
    told = [
        func.least(*(one.filter(Reading.level >= level) for one in voices())) for level in LEVELS
    ]
    return session.execute(
        select(Reading.narrative_id, _number(Reading.hour), *told)
        .join(Post, Post.id == Reading.post_id)
        .where(
            Reading.narrative_id == any_(literal(list(narratives), ARRAY(Integer))),
            Reading.level >= DANGEROUS_LEVEL,
            Reading.hour.between(since, end),
        )
        .group_by(Reading.narrative_id, Reading.hour)
    ).all()


def _of_day(
    session: Session,
    place: Mapping[int, int],
    people: Ints,
    level: int,
    start: datetime,
    least: int,
) -> Ints:
    """Different people in the 24 hours to each tested hour: at least as many, never more.

    The loudest of these hours is the least they can be. Where that is fewer than ``least``, and all
    hours together are not, they are counted: so few people are soon told apart.
    """
    loudest, summed = np.zeros_like(people), np.zeros_like(people)
    for back in range(DAY):
        earlier = people[:, HISTORY - TESTED - back : HISTORY - back]
        loudest[:, -TESTED:] = np.maximum(loudest[:, -TESTED:], earlier)
        summed[:, -TESTED:] += earlier
    unsure = np.argwhere((people > 0) & (loudest < least) & (summed >= least))
    if not len(unsure):
        return loudest
    ids = list(place)
    cells = [(ids[n], start + int(at) * HOUR) for n, at in unsure]
    for (narrative, hour), number in voices_of_day(session, cells, level).items():
        n, at = place[narrative], (hour - start) // HOUR
        loudest[n, at] = max(loudest[n, at], number)
    return loudest


def voices_of_day(
    session: Session, cells: Sequence[tuple[int, datetime]], level: int
) -> dict[tuple[int, datetime], int]:
    """By narrative and hour: different people at a level or above in the 24 hours that end with it.

    Of posts that still stand; a cell that has none is left out.
    """
    asked = unnested(
        narrative=(Integer, [narrative for narrative, _ in cells]),
        hour=(UTCDateTime, [hour for _, hour in cells]),
        day=(UTCDateTime, [hour - DAY * HOUR for _, hour in cells]),
    )
    rows = session.execute(
        select(asked.c.narrative, asked.c.hour, func.least(*voices()))
        .join(
            Reading,
            and_(
                Reading.narrative_id == asked.c.narrative,
                Reading.hour <= asked.c.hour,
                Reading.hour > asked.c.day,
                Reading.level >= level,
            ),
        )
        .join(Post, Post.id == Reading.post_id)
        .group_by(asked.c.narrative, asked.c.hour)
    )
    return {(narrative, hour): number for narrative, hour, number in rows}
