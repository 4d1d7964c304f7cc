"""Hours of many series as they were first counted, read for the detectors to be run once more.

Memory is bounded whatever the number of series: only those that could be called at all are read,
some at a time, in whole numbers of 16 bits.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Integer, cast, extract, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from monitor.baseline import DAY, WEEK
from monitor.models import DANGEROUS_LEVEL, AreaCount, HourlyCount, Narrative
from monitor.narratives import HOUR
from monitor.series import TESTED
from sources.db import among
from sources.models import Watch

# Hours before the weeks that are judged, for the baseline: its level follows the last four days and
# its rhythm has seen each hour of the week twice.
BEFORE = 2 * WEEK
WARMING = 2 * DAY  # hours tested before them, so that a rise that goes on does not start anew
MOST_COUNTED = 65_535  # of 16 bits: no hour of one narrative has as many authors
KINDS = ("narrative", "watch", "place")

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
    level: int
    tested_for: timedelta  # after a voice; as ``spikes.look`` counts tests


@dataclass(frozen=True)
class Past:
    """Some series of a table in hours: series x hours, oldest first."""

    keys: list[Any]
    counts: Counts
    totals: Counts  # authors of all posts
    known: NDArray[np.int64]  # hours of history, up to the last one
    untold: set[tuple[int, int]] = field(default_factory=set)  # series and hours: see ``Span.few``


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


def counted_of(kind: str, level: int) -> Counted:
    """Where series of one of KINDS count their voices at a level, 2 or 3."""
    if kind == "narrative":
        of = HourlyCount
        at_level = of.dangerous_authors if level == DANGEROUS_LEVEL else of.alarming_authors
        columns = (of.narrative_id, of.hour, of.authors, at_level)
        return Counted(*columns, true(), kind, level, TESTED * HOUR)
    area = AreaCount
    at_level = area.dangerous_authors if level == DANGEROUS_LEVEL else area.alarming_authors
    return Counted(
        area.key, area.hour, area.authors, at_level, area.kind == kind, kind, level, HOUR
    )


def tested(session: Session, counted: Counted, hours: Hours) -> NDArray[np.int64]:
    """How many series there are to be tested in each hour: those with a voice shortly before."""
    lasting = counted.tested_for
    before = func.lag(counted.hour).over(partition_by=counted.key, order_by=counted.hour)
    after = func.lead(counted.hour).over(partition_by=counted.key, order_by=counted.hour)
    spoke = (
        select(counted.hour.label("hour"), before.label("before"), after.label("after"))
        .where(counted.where, counted.hour >= hours.begin, counted.hour < hours.until)
        .subquery()
    )
    begins = or_(spoke.c.before.is_(None), spoke.c.hour - spoke.c.before >= lasting)
    ends = or_(spoke.c.after.is_(None), spoke.c.after - spoke.c.hour >= lasting)
    rows = session.execute(
        select(spoke.c.hour, func.count().filter(begins), func.count().filter(ends)).group_by(
            spoke.c.hour
        )
    )
    change = np.zeros(hours.all + lasting // HOUR, dtype=np.int64)
    for hour, begun, ended in rows:
        change[hours.at(hour)] += begun
        change[hours.at(hour) + lasting // HOUR] -= ended
    return change.cumsum()[: hours.all]


def candidates(session: Session, counted: Counted, least: int, hours: Hours) -> list[Any]:
    """The series whose voices, added up, reach ``least`` in some 24 hours."""
    number = cast(extract("epoch", counted.hour) / 3600, Integer)
    day = func.sum(counted.voices).over(
        partition_by=counted.key, order_by=number, range_=(1 - DAY, 0)
    )
    of_day = (
        select(counted.key.label("key"), day.label("voices"))
        .where(counted.where, counted.voices > 0)
        .where(counted.hour >= hours.begin, counted.hour < hours.until)
        .subquery()
    )
    query = select(of_day.c.key).where(of_day.c.voices >= least).distinct().order_by(of_day.c.key)
    return list(session.scalars(query))


def load(session: Session, counted: Counted, keys: list[Any], hours: Hours) -> Past:
    """The hours of these series; those without a row are 0."""
    at = {key: row for row, key in enumerate(keys)}
    counts, totals = (np.zeros((len(keys), hours.all), np.uint16) for _ in range(2))
    rows = session.execute(
        select(counted.key, counted.hour, counted.voices, counted.authors)
        .where(counted.where, counted.hour < hours.until, counted.hour >= hours.begin)
        .where(_any_of(counted.key, keys))
        .execution_options(yield_per=10_000)
    )
    for key, hour, people, authors in rows:
        counts[at[key], hours.at(hour)] = min(people, MOST_COUNTED)
        totals[at[key], hours.at(hour)] = min(authors, MOST_COUNTED)
    known = np.full(len(keys), hours.all)
    for key, born in _births(session, counted, keys).items():
        known[at[key]] = hours.all - min(hours.all, max(0, hours.at(born)))
    return Past(keys, counts, totals, known)


def _births(session: Session, counted: Counted, keys: list[Any]) -> dict[Any, datetime]:
    """Since when series are known: narratives from their first post, areas as they are counted."""
    if counted.kind == "narrative":
        query = select(Narrative.id, Narrative.first_post_at).where(among(Narrative.id, keys))
        return dict(session.execute(query).all())
    began = session.scalar(select(func.min(counted.hour)).where(counted.where))
    born = dict.fromkeys(keys, began) if began else {}
    if began and counted.kind == "watch":
        made = select(Watch.id, Watch.created_at)
        born |= {
            str(watch): max(began, at) for watch, at in session.execute(made) if str(watch) in born
        }
    return born


def _any_of(key: InstrumentedAttribute[Any], keys: list[Any]) -> ColumnElement[bool]:
    return among(key, keys) if isinstance(keys[0], int) else key.in_(keys)
