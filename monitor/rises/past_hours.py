"""Hours of many series as they were first counted, read for the detectors to be run once more.

All kinds of series are read at once, in two queries. Memory stays bounded whatever their number:
only those that could be called at all are read, a few bytes for each hour that was counted; they
are spread out over all hours some at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    Text,
    and_,
    cast,
    extract,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from monitor.models import DANGEROUS_LEVEL, AreaCount, HourlyCount, Narrative
from monitor.narratives.narratives import HOUR
from monitor.rises.baseline import DAY, WEEK
from monitor.rises.series import TESTED
from sources.db import UTCDateTime
from sources.models import Watch

# Hours before the weeks that are judged, for the baseline: its level follows the last four days and
# its rhythm has seen each hour of the week twice.
BEFORE = 2 * WEEK
WARMING = 2 * DAY  # hours tested before them, so that a rise that goes on does not start anew
MOST_COUNTED = 65_535  # of 16 bits: no hour of one narrative has as many authors
KINDS = ("narrative", "watch", "place")
READ_AT_ONCE = 500  # series, from the database

Counts = NDArray[np.uint16]


@dataclass(frozen=True)
class Counted:
    """Where the hours of one kind of series are counted."""

    key: InstrumentedAttribute[Any]
    hour: InstrumentedAttribute[datetime]
    authors: InstrumentedAttribute[int]
    voices: InstrumentedAttribute[int]  # authors at the level
    where: ColumnElement[bool]
    kind: str
    tested_for: timedelta  # after a voice; as ``spikes.look`` counts tests


@dataclass(frozen=True)
class Hours:
    """The hours that are read, from ``begin``, and those that are judged, from ``since``."""

    begin: datetime
    since: datetime
    until: datetime

    @property
    def all(self) -> int:
        return (self.until - self.begin) // HOUR

    @property
    def tested(self) -> int:
        return (self.until - self.since) // HOUR + WARMING

    def at(self, hour: datetime) -> int:
        return (hour - self.begin) // HOUR


@dataclass(frozen=True)
class Part:
    """Some series in hours: series x hours, oldest first; those without a row are 0."""

    keys: list[Any]
    counts: Counts
    totals: Counts  # authors of all posts
    known: NDArray[np.int64]  # hours of history, up to the last one


@dataclass
class Past:
    """The series of one kind that may be called, with the hours in which they were counted."""

    kind: str
    level: int
    hours: Hours
    tested: NDArray[np.int64]  # series to be tested in each hour: those with a voice shortly before
    keys: list[Any] = field(default_factory=list)  # narrative ids, watch ids as text, county FIPS
    loudest: list[int] = field(default_factory=list)  # voices of some 24 hours, added up, at most
    known: list[int] = field(default_factory=list)  # hours of history, up to the last one
    told: list[Counts] = field(default_factory=list)  # of each: hour, voices, authors; 3 x n

    def callable(self, least: int) -> NDArray[np.intp]:
        """The places of the series whose voices, added up, reach ``least`` in some 24 hours."""
        return np.flatnonzero(np.array(self.loudest, dtype=np.int64) >= least)

    def part(self, places: Sequence[int] | NDArray[np.intp]) -> Part:
        """The series at these places, spread out over all hours."""
        counts, totals = (np.zeros((len(places), self.hours.all), np.uint16) for _ in range(2))
        for row, place in enumerate(places):
            at, voices, authors = self.told[place]
            counts[row, at], totals[row, at] = voices, authors
        known = np.array([self.known[place] for place in places], dtype=np.int64)
        return Part([self.keys[place] for place in places], counts, totals, known)


def read_past(session: Session, level: int, least: int, hours: Hours) -> list[Past]:
    """Of each of KINDS the series whose voices at ``level`` reach ``least`` in some 24 hours."""
    counted = [_counted_of(kind, level) for kind in KINDS]
    tested = _tested(session, counted, hours)
    past = {kind: Past(kind, level, hours, tested[kind]) for kind in KINDS}
    rows = session.execute(
        _series(counted, least, hours), execution_options={"yield_per": READ_AT_ONCE}
    )
    for row in rows:
        one = past[row.kind]
        one.keys.append(int(row.key) if row.kind == "narrative" else row.key)
        one.loudest.append(row.loudest)
        one.known.append(hours.all - min(hours.all, max(0, hours.at(row.born))))
        told = np.array([row.at, row.voices, row.authors])
        one.told.append(np.minimum(told, MOST_COUNTED).astype(np.uint16))
    return list(past.values())


def _counted_of(kind: str, level: int) -> Counted:
    """Where series of one of KINDS count their voices at a level, 2 or 3."""
    if kind == "narrative":
        of = HourlyCount
        at_level = of.dangerous_authors if level == DANGEROUS_LEVEL else of.alarming_authors
        return Counted(of.narrative_id, of.hour, of.authors, at_level, true(), kind, TESTED * HOUR)
    area = AreaCount
    at_level = area.dangerous_authors if level == DANGEROUS_LEVEL else area.alarming_authors
    return Counted(area.key, area.hour, area.authors, at_level, area.kind == kind, kind, HOUR)


def _tested(
    session: Session, counted: Sequence[Counted], hours: Hours
) -> dict[str, NDArray[np.int64]]:
    """By kind how many series there are to be tested in each hour."""
    lasting = {one.kind: one.tested_for // HOUR for one in counted}
    change = {kind: np.zeros(hours.all + more, dtype=np.int64) for kind, more in lasting.items()}
    for row in session.execute(union_all(*(_voices_begun(one, hours) for one in counted))):
        at = hours.at(row.hour)
        change[row.kind][at] += row.begun
        change[row.kind][at + lasting[row.kind]] -= row.ended
    return {kind: one.cumsum()[: hours.all] for kind, one in change.items()}


def _voices_begun(counted: Counted, hours: Hours) -> Select[Any]:
    """By hour how many series were silent for as long before it, or are after it."""
    before = func.lag(counted.hour).over(partition_by=counted.key, order_by=counted.hour)
    after = func.lead(counted.hour).over(partition_by=counted.key, order_by=counted.hour)
    spoke = (
        select(counted.hour.label("hour"), before.label("before"), after.label("after"))
        .where(counted.where, counted.hour >= hours.begin, counted.hour < hours.until)
        .subquery()
    )
    lasting = counted.tested_for
    begins = or_(spoke.c.before.is_(None), spoke.c.hour - spoke.c.before >= lasting)
    ends = or_(spoke.c.after.is_(None), spoke.c.after - spoke.c.hour >= lasting)
    return select(
        literal(counted.kind, Text).label("kind"),
        spoke.c.hour.label("hour"),
        func.count().filter(begins).label("begun"),
        func.count().filter(ends).label("ended"),
    ).group_by(spoke.c.hour)


def _series(counted: Sequence[Counted], least: int, hours: Hours) -> CompoundSelect[Any]:
    """Each series that reaches ``least``, in a row: since when it is known, and its hours."""
    return union_all(*(_of_kind(one, least, hours) for one in counted)).order_by("kind", "key")


def _of_kind(counted: Counted, least: int, hours: Hours) -> Select[Any]:
    number = cast(extract("epoch", counted.hour) / 3600, Integer)
    day = func.sum(counted.voices).over(
        partition_by=counted.key, order_by=number, range_=(1 - DAY, 0)
    )
    each = (
        select(
            counted.key.label("key"),
            (number - int(hours.begin.timestamp()) // 3600).label("at"),
            counted.voices.label("voices"),
            counted.authors.label("authors"),
            day.label("day"),
        )
        .where(counted.where, counted.hour >= hours.begin, counted.hour < hours.until)
        .subquery()
    )
    series = (
        select(
            each.c.key,
            func.max(each.c.day).label("loudest"),
            *(func.array_agg(each.c[name]).label(name) for name in ("at", "voices", "authors")),
        )
        .group_by(each.c.key)
        .having(func.max(each.c.day) >= least)
        .subquery()
    )
    # Narratives are known from their first post, areas as they are counted.
    born: ColumnElement[datetime] = Narrative.first_post_at.expression
    if counted.kind != "narrative":
        began = select(func.min(counted.hour)).where(counted.where).scalar_subquery()
        born = func.greatest(began, Watch.created_at, type_=UTCDateTime)
    row = select(
        literal(counted.kind, Text).label("kind"),
        cast(series.c.key, Text).label("key"),
        cast(series.c.loudest, Integer).label("loudest"),
        born.label("born"),
        *(series.c.at, series.c.voices, series.c.authors),
    )
    if counted.kind == "narrative":
        return row.join_from(series, Narrative, Narrative.id == series.c.key)
    its_watch = and_(literal(counted.kind) == "watch", cast(Watch.id, Text) == series.c.key)
    return row.join_from(series, Watch, its_watch, isouter=True)
