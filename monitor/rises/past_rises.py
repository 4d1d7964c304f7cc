"""Rises in hours past: the product's detectors over many series at once, under given settings.

They are taken CHUNK series at a time; the control of false discoveries goes over all of them
together, as it does when an hour is tested live. Several settings are tried on hours that are read
once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from monitor.narratives.narratives import HOUR
from monitor.rises.baseline import DAY, Floats, Prior
from monitor.rises.detect import COUNT_CUSUM, TESTS, Found, Settings, examine
from monitor.rises.past_hours import BEFORE, WARMING, Counts, Hours, Part, Past, read_past
from monitor.rises.rises import Event, events
from monitor.rises.series import prior_of_narratives, voices_of_day

# Series examined at once: 20 arrays of 8 bytes for each of them and each hour of four weeks come to
# 220 MB, and the course of the rises as much again.
CHUNK = 2_000
# Of so few nothing is examined twice: what was found is kept (50 MB of each kind and settings), and
# a desk of usual size waits half as long.
KEPT = 400

People = Mapping[tuple[int, datetime], int]  # different people in the day to an hour, by narrative


@dataclass(frozen=True)
class Span:
    """A rise of one series, in hours from the first that is judged; before it they are negative."""

    kind: str  # of series, one of past_hours.KINDS
    key: Any  # narrative id, watch id as text, county FIPS
    start: int
    end: int | None  # None: it still goes on
    event: Event
    # Only hours together reach the least number of people, and no post stands to tell whether they
    # are so many different ones.
    few: bool


@dataclass(frozen=True)
class Looked:
    """What was found."""

    watched: int  # series tested together in the fullest hour of each kind
    tried: int  # those that had enough voices, over a day, to be called at all
    spans: list[Span]


@dataclass(frozen=True)
class _Outstanding:
    """The tests of one kind of series under some settings that may call an hour: as many of each.

    ``doubts``: of these series and hours the day's voices were added up, and reach the least number
    of people only so.
    """

    past: Past
    settings: Settings
    prior: Prior
    tried: int  # series that were examined
    series: NDArray[np.int32]  # the place of each in ``past``
    hour: NDArray[np.int16]  # of those tested
    test: NDArray[np.int8]  # of TESTS
    p: Floats
    doubts: dict[tuple[int, int], tuple[int, datetime]]  # (series, hour): narrative and hour
    kept: Found | None  # of all that were examined, where these are few


def look_again(
    session: Session, level: int, several: Sequence[Settings], since: datetime, until: datetime
) -> list[Looked]:
    """For each settings the rises of all series in full hours, of voices at ``level`` (2 or 3).

    Only series with ``least_authors`` voices in some 24 hours are examined. The others have no hour
    with so many people and no day either, without which neither detector calls them; they count as
    tested all the same, so that the control of false discoveries is as strict. Reads only.
    """
    hours = Hours(since - (BEFORE + WARMING) * HOUR, since, until)
    past = read_past(session, level, min(one.least_authors for one in several), hours)
    # Of areas nobody knows what young ones are like.
    prior = {one.kind: Prior() for one in past}
    if any(one.keys for one in past if one.kind == "narrative"):
        prior["narrative"] = prior_of_narratives(session, level, until)
    found = [
        [_standing_out(one, settings, prior[one.kind]) for one in past] for settings in several
    ]
    doubts = {cell for each in found for one in each for cell in one.doubts.values()}
    people = voices_of_day(session, sorted(doubts), level) if doubts else {}
    watched = sum(int(one.tested[-hours.tested :].max()) for one in past)
    return [
        Looked(
            watched,
            sum(one.tried for one in each),
            [span for one in each for span in _called(one, people)],
        )
        for each in found
    ]


def _standing_out(past: Past, settings: Settings, prior: Prior) -> _Outstanding:
    """Examine all series that can be called, for what stands out alone."""
    places = past.callable(settings.least_authors)
    # What is beyond the share that may be false passes no control; without one alpha alone counts.
    controlled = settings.discoveries if settings.discoveries < 1 else 0
    most = max(settings.alpha, controlled)
    tests: list[tuple[NDArray[Any], ...]] = []
    doubts: dict[tuple[int, int], tuple[int, datetime]] = {}
    kept = None
    for some in _parts(places):
        part, found = _examined(past, some, settings, prior)
        kept = found if len(places) <= KEPT else None
        test, hour, row = np.nonzero((found.p < 1) & (found.p <= most))
        p = found.p[test, hour, row]
        tests.append((some[row], hour, test, p))
        if past.kind == "narrative":
            together = (test >= COUNT_CUSUM) & (p <= settings.alpha)
            for n, t in set(zip(row[together].tolist(), hour[together].tolist(), strict=True)):
                at = past.hours.all - past.hours.tested + t
                if _loudest(part.counts[n], at) < settings.least_authors:
                    doubts[int(some[n]), t] = (part.keys[n], past.hours.begin + at * HOUR)
    each: list[NDArray[Any]] = [
        np.concatenate([one[n] for one in tests]) if tests else np.empty(0) for n in range(4)
    ]
    return _Outstanding(
        *(past, settings, prior, len(places)),
        series=each[0].astype(np.int32),
        hour=each[1].astype(np.int16),
        test=each[2].astype(np.int8),
        p=each[3],
        doubts=doubts,
        kept=kept,
    )


def _examined(
    past: Past, places: NDArray[np.intp], settings: Settings, prior: Prior
) -> tuple[Part, Found]:
    part, hours = past.part(places), past.hours
    found = examine(
        part.counts,
        part.totals,
        hour_of_week=_hour_of_week(hours.until - HOUR),
        known=part.known,
        voices=_of_day(part.counts) if past.kind == "narrative" else None,
        last=hours.tested,
        prior=prior,
        settings=settings,
    )
    if past.kind != "narrative":  # an area is not tested before it has a history
        age = np.arange(-hours.tested, 0)[:, None] + part.known
        found.p[:, age < settings.least_history] = 1
    return part, found


def _called(one: _Outstanding, people: People) -> list[Span]:
    """The rises among what stands out, once it is known how many ``people`` were in doubt.

    The voices of a day were its hours' added up. Where no hour alone has enough, those whose posts
    stand are counted: so few people are soon told apart. Where no post stands nobody knows.
    """
    settings, past = one.settings, one.past
    known = {cell: people.get(asked) for cell, asked in one.doubts.items()}
    untold = {cell for cell, number in known.items() if number is None}
    few = {
        cell
        for cell, number in known.items()
        if number is not None and number < settings.least_authors
    }
    width = past.hours.tested
    cells = one.series.astype(np.int64) * width + one.hour
    taken_back = np.isin(cells, [n * width + t for n, t in few]) & (one.test >= COUNT_CUSUM)
    hour, p = one.hour[~taken_back], one.p[~taken_back]
    bounds = _bounds(hour, p, past.tested[-width:], settings)
    passing = (p <= settings.alpha) & (p <= bounds[hour])
    spans: list[Span] = []
    for some in _parts(np.unique(one.series[~taken_back][passing])):
        if one.kept is None:
            _, found = _examined(past, some, settings, one.prior)
        else:
            found = _only(one.kept, np.searchsorted(past.callable(settings.least_authors), some))
        row = {place: n for n, place in enumerate(some.tolist())}
        for place, t in few:
            if place in row:
                found.p[COUNT_CUSUM:, t, row[place]] = 1
        found.p[found.p > bounds[:, None]] = 1
        unsure = {(row[place], t) for place, t in untold if place in row}
        keys = [past.keys[place] for place in some]
        spans += _spans_of(past.kind, keys, found, unsure, settings)
    return spans


def _only(found: Found, rows: NDArray[np.intp]) -> Found:
    """What was found of some of the series."""
    return Found(*(getattr(found, one.name)[..., rows] for one in fields(found)))


def _parts(places: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    for at in range(0, len(places), CHUNK):
        yield places[at : at + CHUNK]


def _hour_of_week(hour: datetime) -> int:
    return hour.weekday() * DAY + hour.hour


def _of_day(counts: Counts) -> NDArray[np.int64]:
    """Voices in the 24 hours that end with each hour, added up."""
    summed: NDArray[np.int64] = counts.cumsum(axis=1, dtype=np.int64)
    of_day = summed.copy()
    of_day[:, DAY:] -= summed[:, :-DAY]
    return of_day


def _loudest(counts: Counts, at: int) -> int:
    """People in the loudest of the 24 hours that end with one: the least there were in a day."""
    return int(counts[max(0, at - DAY + 1) : at + 1].max())


def _bounds(
    hour: NDArray[np.int16], chances: Floats, tests: NDArray[np.int64], settings: Settings
) -> Floats:
    """For each hour the largest chance that Benjamini and Hochberg let pass among all series.

    ``tests``: series in each hour, each tested in the ways of TESTS; -1 where none may pass.
    """
    if settings.discoveries >= 1:
        return np.full(len(tests), np.inf)
    bounds = np.full(len(tests), -1.0)
    order = np.lexsort((chances, hour))
    for one in np.split(order, np.flatnonzero(np.diff(hour[order])) + 1):
        p = chances[one]
        if not len(p):
            continue
        at = hour[one[0]]
        number = max(len(TESTS) * int(tests[at]), len(p))
        passing = np.flatnonzero(p <= settings.discoveries * np.arange(1, len(p) + 1) / number)
        if len(passing):
            bounds[at] = p[passing[-1]]
    return bounds


def _spans_of(
    kind: str,
    keys: Sequence[Any],
    found: Found,
    unsure: set[tuple[int, int]],
    settings: Settings,
) -> list[Span]:
    spans: list[Span] = []
    running: dict[int, int] = {}  # of a series, where its rise stands in spans
    # What the bounds let pass is controlled already, among more series than are here.
    for event in events(found, replace(settings, discoveries=1.0)):
        at = event.hour - WARMING
        if event.kind == "clear":
            begun = running.pop(event.series)
            spans[begun] = replace(spans[begun], end=at)
            continue
        running[event.series] = len(spans)
        few = (event.series, event.hour) in unsure
        spans.append(Span(kind, keys[event.series], at, None, event, few))
    return spans
