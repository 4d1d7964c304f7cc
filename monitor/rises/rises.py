"""From hours that stand out to rises that start and clear, each said in a plain sentence."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import scipy  # its parts load when first used, stats in seconds
from numpy.typing import ArrayLike

from monitor.rises.baseline import DAY, WEEK, Bools, Floats
from monitor.rises.detect import (
    COUNT,
    COUNT_CUSUM,
    SHARE,
    SHARE_CUSUM,
    TESTS,
    Found,
    Settings,
    adjusted,
    beta_shapes,
    examine,
)

INTERVAL = 0.95  # of what the baseline lets us expect
# Steady series for expected_false_alarms: dangerous authors an hour, the shape of a negative
# binomial (None: Poisson) and how far the hours of the day swing about the mean.
STEADY_RATES = (0.25, 1.0, 5.0, 20.0)
STEADY_SHAPES = (None, 5.0)
STEADY_SWING = 0.5
STEADY_SERIES, STEADY_WEEKS, LEARNING_WEEKS = 24, 6, 1
SEED = 20_261_128


@dataclass(frozen=True)
class Event:
    """A rise starts or clears. ``hour`` counts from the first of the hours that were tested."""

    series: int
    hour: int
    kind: Literal["start", "clear"]
    test: str  # one of TESTS; of a clear, the one that started it where that is known
    observed: float  # different authors of dangerous posts; of a CUSUM, summed hour by hour
    expected: float
    low: float  # the interval of INTERVAL around what was expected
    high: float
    effect: float  # observed / expected
    p_value: float  # of a clear: 1
    adjusted: float  # the same among all tests of that hour
    hours: int  # that were taken together: 1, or those of the CUSUM's run; of a clear, quiet ones
    everyone: float  # authors of all posts in this hour; 0 if not given
    sentence: str


@dataclass(frozen=True)
class Course:
    """When rises start, are open and clear: T x n each, and which test called the hour (or -1)."""

    start: Bools
    clear: Bools
    open: Bools
    test: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    adjusted: Floats  # 4 x T x n


def course(
    found: Found,
    settings: Settings | None = None,
    *,
    opened: ArrayLike | None = None,
    complete: bool = True,
    besides: int = 0,
) -> Course:
    """Follow each series through the hours that were tested.

    ``opened``: which of the n series had a rise that was open before the first of these hours.
    ``complete`` is False while the last hour is running: it may start a rise, but not clear one.
    ``besides``: as of ``adjusted``.
    """
    settings = settings or Settings()
    hours, n = found.mean.shape
    fair = adjusted(found.p, besides)
    called = np.where((found.p <= settings.alpha) & (fair <= settings.discoveries), found.p, 2.0)
    test = np.where(called.min(axis=0) <= 1, called.argmin(axis=0), -1)
    is_open = np.zeros(n, bool) if opened is None else np.array(opened, bool)
    cool, loudest = np.zeros((2, n))
    since = np.zeros(n)  # hours since one was called
    start, clear, during = np.zeros((3, hours, n), bool)
    summed = np.cumsum(
        np.stack([found.observed, settings.least_effect * found.mean, found.loud]), axis=1
    )
    for t in range(hours):
        y, calls = found.observed[t], test[t] >= 0
        start[t] = calls & ~is_open & ((cool <= 0) | (y >= settings.louder * loudest))
        loudest = np.where(start[t], y, np.where(is_open, np.maximum(loudest, y), loudest))
        is_open |= start[t]
        since = np.where(calls, 0, since + 1)
        if t >= settings.clear_after and (complete or t < hours - 1):
            seen, usual, loud = summed[:, t] - summed[:, t - settings.clear_after]
            calm = (seen < usual) | (loud == 0)
            clear[t] = is_open & (since >= settings.clear_after) & calm
        is_open &= ~clear[t]
        cool = np.where(clear[t], settings.cool_down, cool - 1)
        during[t] = is_open
    return Course(start, clear, during, test, fair)


def events(
    found: Found,
    settings: Settings | None = None,
    *,
    opened: ArrayLike | None = None,
    complete: bool = True,
) -> list[Event]:
    """The starts and clears of rises, by hour and series; arguments as of ``course``."""
    settings = settings or Settings()
    followed = course(found, settings, opened=opened, complete=complete)
    begun: dict[int, str] = {}
    result = []
    for t, i in np.argwhere(followed.start | followed.clear).tolist():
        if followed.clear[t, i]:
            event = cleared_at(found, t, i, begun.pop(i, TESTS[COUNT]), settings.clear_after)
        else:
            event = called_at(found, followed, t, i)
            begun[i] = event.test
        result.append(event)
    return result


def called_at(found: Found, followed: Course, t: int, i: int) -> Event:
    """What called hour ``t`` of series ``i``, as if the rise started there; it must be called."""
    test = int(followed.test[t, i])
    observed, everyone = float(found.observed[t, i]), float(found.everyone[t, i])
    expected, size = float(found.mean[t, i]), float(found.size[t, i])
    hours = 1
    if test == SHARE:
        expected = everyone * float(found.share[t, i])
        a, b = beta_shapes(found.share[t, i], found.likeness[t, i])
        low, high = scipy.stats.betabinom.interval(INTERVAL, int(everyone), a, b)
    else:
        if test in (COUNT_CUSUM, SHARE_CUSUM):
            which = test - COUNT_CUSUM
            hours = int(found.runs[which, t, i])
            observed = float(found.run_observed[which, t, i])
            expected = float(found.run_expected[which, t, i])
            # Hours that were wholly alike would spread by ``size``, independent ones by as many
            # times more: the run lies between.
            size *= hours**0.5
        low, high = scipy.stats.nbinom.interval(INTERVAL, size, size / (size + expected))
    return Event(
        *(i, t, "start", TESTS[test], observed, expected, float(low), float(high)),
        effect=observed / max(expected, 1e-9),
        p_value=float(found.p[test, t, i]),
        adjusted=float(followed.adjusted[test, t, i]),
        hours=hours,
        everyone=everyone,
        sentence=_sentence(test, observed, expected, (float(low), float(high)), hours, everyone),
    )


def _sentence(
    test: int,
    observed: float,
    expected: float,
    interval: tuple[float, float],
    hours: int,
    everyone: float,
) -> str:
    usual = f"{expected:.1f} ({interval[0]:.0f} to {interval[1]:.0f})"
    if test == COUNT:
        return (
            f"{observed:.0f} different authors of dangerous posts in one hour, where the weeks "
            f"before and the time of the week lead to expect {usual}."
        )
    if test == SHARE:
        return (
            f"{observed:.0f} of the {everyone:.0f} authors of one hour wrote dangerous posts, "
            f"where the share of the weeks before leads to expect {usual}."
        )
    what = "the time of the week leads" if test == COUNT_CUSUM else "the usual share leads"
    return (
        f"For {hours} hours the authors of dangerous posts, counted hour by hour, add up to "
        f"{observed:.0f}, where {what} to expect {usual}: together more than chance."
    )


def cleared_at(found: Found, t: int, i: int, test: str, quiet: int) -> Event:
    """How a rise that ``test`` called was over in hour ``t``, after ``quiet`` ordinary hours."""
    observed, expected = float(found.observed[t, i]), float(found.mean[t, i])
    size = float(found.size[t, i])
    low, high = scipy.stats.nbinom.interval(INTERVAL, size, size / (size + expected))
    return Event(
        *(i, t, "clear", test, observed, expected, float(low), float(high)),
        effect=observed / max(expected, 1e-9),
        p_value=1.0,
        adjusted=1.0,
        hours=quiet,
        everyone=float(found.everyone[t, i]),
        sentence=f"For {quiet} hours hardly more authors of dangerous posts than the weeks before "
        f"lead to expect, {expected:.1f} in this hour: the rise is over.",
    )


@lru_cache(maxsize=32)
def expected_false_alarms(settings: Settings | None = None) -> float:
    """Rises that would start by chance alone, a week, in one steady series; by simulation.

    The mean over rates and spreads of STEADY_*, with a rhythm of the day, counts and shares, once a
    week of history is there. The control of false discoveries is off, so that this is the most it
    can be: with many series tested together fewer of them start. Takes seconds, once a process.
    """
    settings = replace(settings or Settings(), discoveries=1.0)
    learning = LEARNING_WEEKS * WEEK
    starts = 0
    series = 0
    for counts, totals in _steady():
        found = examine(counts, totals, hour_of_week=WEEK - 1, settings=settings)
        starts += int(course(found, settings).start[learning:].sum())
        series += len(counts)
    return starts / (series * (STEADY_WEEKS - LEARNING_WEEKS))


def _steady() -> Iterator[tuple[Floats, Floats]]:
    """Counts and totals (series x hours) that only ever follow the clock."""
    rng = np.random.default_rng(SEED)
    hours = np.arange(STEADY_WEEKS * WEEK)
    rhythm = 1 + STEADY_SWING * np.sin(2 * np.pi * hours / DAY)
    for rate in STEADY_RATES:
        for shape in STEADY_SHAPES:
            mean = np.broadcast_to(rate * rhythm, (STEADY_SERIES, len(hours)))
            if shape is not None:
                mean = mean * rng.gamma(shape, 1 / shape, mean.shape)
            counts = rng.poisson(mean).astype(np.float64)
            yield counts, counts + rng.poisson(4 * mean)
