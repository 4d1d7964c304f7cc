"""Rises in hours past: the product's detectors over many series at once, under given settings.

They are taken CHUNK series at a time; the control of false discoveries goes over all of them
together, as it does when an hour is tested live.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from monitor.baseline import DAY, Floats, Prior
from monitor.detect import COUNT_CUSUM, TESTS, Found, Settings, examine
from monitor.narratives import HOUR
from monitor.past_hours import (
    BEFORE,
    WARMING,
    Counted,
    Counts,
    Hours,
    Past,
    candidates,
    counted_of,
    load,
    tested,
)
from monitor.rises import Event, events
from monitor.series import prior_of_narratives, voices_of_day

# Series examined at once: 20 arrays of 8 bytes for each of them and each hour of four weeks come to
# 220 MB, and the course of the rises as much again.
CHUNK = 2_000


@dataclass(frozen=True)
class Span:
    """A rise of one series, in hours from the first that is judged; before it they are negative."""

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

    watched: int  # series tested together in the fullest hour
    tried: int  # those that had enough voices, over a day, to be called at all
    spans: list[Span]


def look_again(
    session: Session,
    kind: str,
    level: int,
    settings: Settings,
    since: datetime,
    until: datetime,
) -> Looked:
    """Rises of all series of one of KINDS in full hours, of voices at ``level`` (2 or 3) or above.

    Only series with ``least_authors`` voices in some 24 hours are examined. The others have no hour
    with so many people and no day either, without which neither detector calls them; they count as
    tested all the same, so that the control of false discoveries is as strict. Reads only.
    """
    hours = Hours(since - (BEFORE + WARMING) * HOUR, since, until)
    counted = counted_of(kind, level)
    tests = tested(session, counted, hours)
    keys = candidates(session, counted, settings.least_authors, hours)
    spans = _run(session, counted, keys, tests, hours, settings) if keys else []
    return Looked(int(tests[-hours.tested :].max()), len(keys), spans)


def _run(
    session: Session,
    counted: Counted,
    keys: list[Any],
    tests: NDArray[np.int64],
    hours: Hours,
    settings: Settings,
) -> list[Span]:
    """The rises of these series. Once over all for the control, once over what may be called."""
    prior = Prior()  # of areas: what young ones are like nobody knows
    if counted.kind == "narrative":
        prior = prior_of_narratives(session, counted.level, hours.until)

    def examined(chunk: list[Any]) -> tuple[Past, Found]:
        series = load(session, counted, chunk, hours)
        found = examine(
            series.counts,
            series.totals,
            hour_of_week=_hour_of_week(hours.until - HOUR),
            known=series.known,
            voices=_of_day(series.counts) if counted.kind == "narrative" else None,
            last=hours.tested,
            prior=prior,
            settings=settings,
        )
        if counted.kind == "narrative":
            _tell_apart(session, counted.level, series, found, hours, settings)
        else:  # an area is not tested before it has a history
            age = np.arange(hours.all - hours.tested, hours.all)[:, None] + series.known - hours.all
            found.p[:, age < settings.least_history] = 1
        return series, found

    outstanding, called = [], []
    for chunk in _parts(keys):
        found = examined(chunk)[1]
        outstanding.append(_standing_out(found, settings))
        called += [chunk[n] for n in np.flatnonzero(found.p.min(axis=(0, 1)) <= settings.alpha)]
    bounds = _bounds(outstanding, tests[-hours.tested :], settings)
    spans: list[Span] = []
    for chunk in _parts(called):
        spans += _spans_of(*examined(chunk), bounds, settings)
    return spans


def _parts(keys: list[Any]) -> Iterator[list[Any]]:
    for at in range(0, len(keys), CHUNK):
        yield keys[at : at + CHUNK]


def _hour_of_week(hour: datetime) -> int:
    return hour.weekday() * DAY + hour.hour


def _of_day(counts: Counts) -> NDArray[np.int64]:
    """Voices in the 24 hours that end with each hour, added up."""
    summed: NDArray[np.int64] = counts.cumsum(axis=1, dtype=np.int64)
    of_day = summed.copy()
    of_day[:, DAY:] -= summed[:, :-DAY]
    return of_day


def _tell_apart(
    session: Session,
    level: int,
    series: Past,
    found: Found,
    hours: Hours,
    settings: Settings,
) -> None:
    """Take back what hours together called where it was too few people who came back.

    The voices of a day were its hours' added up. Where no hour alone has enough, those whose posts
    stand are counted: so few people are soon told apart. Where no post stands nobody knows.
    """
    cusums = found.p[COUNT_CUSUM:]
    called = cusums.min(axis=0) <= settings.alpha
    first = hours.all - hours.tested
    unsure = [
        (int(n), int(t))
        for t, n in np.argwhere(called)
        if _loudest(series, n, first + t) < settings.least_authors
    ]
    if not unsure:
        return
    at = [hours.begin + (first + t) * HOUR for _, t in unsure]
    cells = [(series.keys[n], hour) for (n, _), hour in zip(unsure, at, strict=True)]
    people = voices_of_day(session, cells, level)
    for (n, t), hour in zip(unsure, at, strict=True):
        number = people.get((series.keys[n], hour))
        if number is None:
            series.untold.add((n, t))
        elif number < settings.least_authors:
            cusums[:, t, n] = 1


def _loudest(series: Past, n: int, at: int) -> int:
    """People in the loudest of the 24 hours that end with one: the least there were in a day."""
    return int(series.counts[n, max(0, at - DAY + 1) : at + 1].max())


def _standing_out(found: Found, settings: Settings) -> tuple[NDArray[np.intp], Floats]:
    """The hours and the chances of all tests that the control of false discoveries may let pass."""
    some = (found.p < 1) & (found.p <= settings.discoveries)
    return np.nonzero(some)[1], found.p[some]


def _bounds(
    outstanding: Sequence[tuple[NDArray[np.intp], Floats]],
    tests: NDArray[np.int64],
    settings: Settings,
) -> Floats:
    """For each hour the largest chance that Benjamini and Hochberg let pass among all series.

    ``tests``: series in each hour, each tested in the ways of TESTS; -1 where none may pass.
    """
    if settings.discoveries >= 1:
        return np.full(len(tests), np.inf)
    hours = np.concatenate([one for one, _ in outstanding])
    chances = np.concatenate([one for _, one in outstanding])
    bounds = np.full(len(tests), -1.0)
    for hour in np.unique(hours):
        p = np.sort(chances[hours == hour])
        number = max(len(TESTS) * int(tests[hour]), len(p))
        passing = np.flatnonzero(p <= settings.discoveries * np.arange(1, len(p) + 1) / number)
        if len(passing):
            bounds[hour] = p[passing[-1]]
    return bounds


def _spans_of(series: Past, found: Found, bounds: Floats, settings: Settings) -> list[Span]:
    found.p[found.p > bounds[:, None]] = 1
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
        few = (event.series, event.hour) in series.untold
        spans.append(Span(series.keys[event.series], at, None, event, few))
    return spans
