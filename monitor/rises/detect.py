"""Does this hour stand out? Two detectors, on how many people and on which share of all people.

*Count*: more people than the season and the past weeks explain, by a negative binomial model (of
a share: beta-binomial). *CUSUM*: each hour is no proof, but the hours together are: what each hour
deviates from the model is weighed and added up, and the sum falls back to nothing when the hours
are ordinary. An hour is called where a test is beyond ``alpha`` and stays so among all series
tested in that hour (Benjamini-Hochberg), with enough people and enough effect.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy  # its parts load when first used, stats in seconds
from numpy.typing import ArrayLike, NDArray

from monitor.rises.baseline import DAY, WEEK, Baseline, Bools, Expected, Floats, Prior
from monitor.rises.cusum import Cusum

DETECTOR = "count-cusum 3"  # name and version, stored with every flag
TESTS = ("count", "share", "count cusum", "share cusum")
COUNT, SHARE, COUNT_CUSUM, SHARE_CUSUM = range(4)
FAR = 2.0  # standard deviations
SUMMED = WEEK  # hours before the first one tested from where the CUSUMs run: they forget in days
CHUNK = 8_192  # series taken together: their sums fit a processor's cache


@dataclass(frozen=True)
class Settings:
    """What a person may set, and replay before setting it. The sources are beside the values."""

    # One hour in 3,000 by chance, per test: see expected_false_alarms for what that comes to.
    alpha: float = 3e-4
    discoveries: float = 0.1  # share of false ones among the alarms of one hour (BH), at most
    least_authors: int = 3  # one loud person, or two, are never a spike
    least_effect: float = 1.25  # issue 6; after Coop's alarms
    least_share_authors: int = 8  # of all posts, to speak of a share at all
    gap: int = 3  # hours just before the one tested that the baseline does not know yet (EARS-C2)
    least_history: int = DAY  # hours, for CUSUM and share; before, the prior speaks, of counts only
    clear_after: int = 6  # hours that end a rise when none is called and together they are ordinary
    cool_down: int = 12  # hours after the end in which the same series does not start again ...
    louder: float = 2.0  # ... unless so many times more people speak than in the loudest hour


@dataclass(frozen=True)
class Found:
    """The tests of n series in T hours. Arrays of T x n; ``p`` and ``runs`` are 4 or 2 x T x n."""

    observed: Floats
    everyone: Floats  # authors of all posts; zeros where totals were not given
    mean: Floats
    size: Floats
    share: Floats
    likeness: Floats
    p: Floats  # by TESTS; 1 where a guard forbids, or nothing stands out
    runs: Floats  # by the two CUSUMs: hours since the sum was nothing ...
    run_observed: Floats  # ... authors in them, hour by hour ...
    run_expected: Floats  # ... and authors to expect
    loud: Bools  # enough people and enough effect, whatever the chance


def examine(
    counts: ArrayLike,
    totals: ArrayLike | None = None,
    *,
    hour_of_week: int,
    known: ArrayLike | None = None,
    voices: ArrayLike | None = None,
    last: int | None = None,
    prior: Prior | None = None,
    settings: Settings | None = None,
) -> Found:
    """Test the ``last`` hours (default: all) of n series, each against the hours before it.

    ``counts``: series x hours, oldest first, different authors of dangerous posts; ``totals``: of
    all posts. ``hour_of_week`` (0 to 167, Monday's first is 0) is that of the last hour. ``known``:
    hours of history of each series, itself included; what stands before them is not read.
    ``voices``: different authors of dangerous posts in the 24 hours that end with each; where it is
    not given, the loudest of these hours is the least they can be. Raises ValueError on arrays that
    do not fit each other, and on numbers that are negative or none.
    """
    settings, prior = settings or Settings(), prior or Prior()
    y = _checked(counts, "counts")
    n, hours = y.shape
    everyone = _checked(totals, "totals", y.shape) if totals is not None else None
    day = _checked(voices, "voices", y.shape) if voices is not None else None
    born = hours - np.asarray(np.full(n, hours) if known is None else known, dtype=np.int64)
    if born.shape != (n,):
        raise ValueError("known needs one number a series")
    kept = hours if last is None else min(last, hours)
    found = _empty(kept, n)

    def take(start: int) -> None:
        some = slice(start, start + CHUNK)
        data = (
            _by_hour(y[some]),
            None if everyone is None else _by_hour(everyone[some]),
            None if day is None else _by_hour(day[some]),
        )
        _walk(found, some, data, born[some], hour_of_week, prior, settings)

    # One thread: two take longer here, for each step is short and they wait for each other.
    for start in range(0, n, CHUNK):
        take(start)
    return found


def adjusted(p: Floats, besides: int = 0) -> Floats:
    """Benjamini-Hochberg over all tests of all series in each hour; ``p`` as in Found.

    ``besides``: further series of the same hours that were not examined, for nothing stood out.
    """
    result = np.ones_like(p)
    for hour in range(p.shape[1]):
        small = p[:, hour] < 1
        # Tests at 1 count as tests but need no sorting: their number scales the others.
        if (number := int(small.sum())) > 0:
            tests = small.size + besides * len(p)
            among = scipy.stats.false_discovery_control(p[:, hour][small]) * (tests / number)
            result[:, hour][small] = np.minimum(among, 1)
    return result


def _checked(values: ArrayLike, name: str, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    array: NDArray[Any] = np.asarray(values)  # whole numbers stay small: floats are made by chunks
    if array.ndim != 2 or (shape is not None and array.shape != shape):
        raise ValueError(f"{name} must be series x hours, all of one shape")
    whole = array.dtype.kind in "biu"
    if not ((whole or np.isfinite(array).all()) and (array >= 0).all()):
        raise ValueError(f"{name} must be numbers of people, none missing, none negative")
    return array


def _by_hour(of_series: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(of_series.T)


def _empty(hours: int, n: int) -> Found:
    def of(*more: int) -> Floats:
        return np.zeros((*more, hours, n), np.float32)

    chances = np.ones((4, hours, n))  # small ones matter: in double precision
    sums = (of(2), of(2), of(2))
    return Found(of(), of(), of(), of(), of(), of(), chances, *sums, of() > 0)


def _walk(
    found: Found,
    some: slice,
    data: tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any] | None],
    born: NDArray[np.int64],
    hour_of_week: int,
    prior: Prior,
    settings: Settings,
) -> None:
    """Go through the hours of some series, learn each after the gap, and test those kept."""
    counts, totals, voices = data
    hours, n = counts.shape
    first = hours - found.mean.shape[0]
    baseline = Baseline(n, prior)
    needed = -math.log(settings.alpha)
    sums = [Cusum(n, needed)] + ([Cusum(n, needed)] if totals is not None else [])
    recent: deque[tuple[Floats, Floats | None, Expected]] = deque()
    levels: deque[Floats] = deque()
    for t in range(hours):
        week = (hour_of_week - (hours - 1 - t)) % WEEK
        if len(recent) > settings.gap:
            old = t - settings.gap - 1
            then_y, then_everyone, then_expected = recent.popleft()
            baseline.learn(
                *(then_y, then_everyone, (week - settings.gap - 1) % WEEK, then_expected),
                alive=born <= old,
                young=old - born < settings.least_history,
            )
        y = counts[t].astype(np.float32)
        everyone = None if totals is None else totals[t].astype(np.float32)
        expected = baseline.expect(week)
        recent.append((y, everyone, expected))
        known = t - born >= settings.least_history
        # The sum is told against the level of a day ago: what rises slowly, over a day, must not
        # have taught the baseline on its way.
        levels.append(expected.level)
        then = levels.popleft() if len(levels) > DAY else expected.level
        old_enough = t - born >= DAY + settings.least_history
        mean = np.where(old_enough, expected.mean * then / expected.level, expected.mean)
        if t < first - SUMMED:
            continue
        sums[0].add(y, mean, expected.size, expected, known)
        if everyone is not None:
            mean, size = _as_count(everyone, expected)
            sums[1].add(y, mean, size, expected, known)
        if t < first:
            continue
        k = t - first
        now = np.where(born <= t, y, 0)
        found.observed[k, some], found.mean[k, some] = now, expected.mean
        found.size[k, some], found.share[k, some] = expected.size, expected.share
        found.likeness[k, some] = expected.likeness
        enough = now >= settings.least_authors
        loud = enough & (now >= settings.least_effect * expected.mean)
        found.loud[k, some] = loud
        found.p[COUNT, k, some] = _count_p(now, expected, loud)
        if everyone is not None:
            found.everyone[k, some] = everyone
            found.p[SHARE, k, some] = _share_p(
                *(now, everyone, expected),
                known & enough & (everyone >= settings.least_share_authors),
                settings,
            )
        everyone_now = found.everyone[k, some]
        of_day = counts[max(0, t - DAY + 1) : t + 1].max(axis=0) if voices is None else voices[t]
        for which, one in enumerate(sums):
            found.runs[which, k, some] = one.hours
            found.run_observed[which, k, some] = one.observed
            found.run_expected[which, k, some] = one.expected
            rising = known & (of_day >= settings.least_authors) & (one.hours > 1) & (now > 0)
            usual = expected.mean if which == 0 else expected.share * everyone_now
            rising &= (now >= settings.least_effect * usual) & (now >= expected.mean)
            rising &= one.observed >= settings.least_effect * one.expected
            found.p[COUNT_CUSUM + which, k, some] = np.where(rising, np.exp(-one.value), 1)


def _as_count(everyone: Floats, expected: Expected) -> tuple[Floats, Floats]:
    """Mean and size of the count that the share leads to expect among ``everyone``."""
    mean = np.maximum(everyone * expected.share, 1e-6)
    return mean, expected.share / ((1 - expected.share) * np.maximum(expected.likeness, 1e-6))


def _count_p(y: Floats, expected: Expected, where: Bools) -> Floats:
    p = np.ones(y.shape)
    mean, size = _double(expected.mean[where]), _double(expected.size[where])
    p[where] = scipy.stats.nbinom.sf(y[where] - 1, size, size / (size + mean))
    return p


def _share_p(
    y: Floats, everyone: Floats, expected: Expected, where: Bools, settings: Settings
) -> Floats:
    p = np.ones(y.shape)
    mean = everyone * expected.share
    spread = 1 + np.maximum(everyone - 1, 0) * expected.likeness
    # Fewer people than usual are no rise, however large their share; and what is not far out by
    # standard deviations is not beyond any bound worth setting, so it need not be summed up.
    far = (y - mean) > FAR * np.sqrt(mean * (1 - expected.share) * spread)
    where = where & (y >= expected.mean) & (y >= settings.least_effect * mean) & far
    at = np.flatnonzero(where)
    for i in range(0, len(at), 256):  # scipy's betabinom.sf sums in Python, 50 times slower
        few = at[i : i + 256]
        people, least = np.floor(everyone[few]), np.ceil(np.minimum(y, everyone)[few])
        a, b = beta_shapes(_double(expected.share[few]), _double(expected.likeness[few]))
        counts = least[:, None] + np.arange(int((people - least).max()) + 1)
        tail = scipy.stats.betabinom.pmf(counts, people[:, None], a[:, None], b[:, None]).sum(
            axis=1
        )
        # Both those who are dangerous and the others spread, so that shares have a heavier tail
        # than the beta distribution's where people are many: the count's tail is the other bound.
        usual, size = _as_count(everyone, expected)
        other = scipy.stats.nbinom.sf(y[few] - 1, size[few], size[few] / (size[few] + usual[few]))
        p[few] = np.minimum(np.maximum(tail, other), 1)
    return p


def _double(few: Floats) -> Floats:
    """In double precision: tails of distributions are differences of large numbers."""
    return few.astype(np.float64)


def beta_shapes(share: Floats, likeness: Floats) -> tuple[Floats, Floats]:
    """The two shapes of the beta distribution with this mean and this likeness of authors."""
    evidence = 1 / likeness - 1
    return share * evidence, (1 - share) * evidence
