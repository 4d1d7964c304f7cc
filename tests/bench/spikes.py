"""How early and how rarely rises are called: ``python -m tests.bench.spikes``.

One JSON line a measurement; all methods get the same series in the same run; the seed is fixed.

*Simulated* hourly series of dangerous authors among all authors: Poisson and negative binomial, a
rhythm of day and week, 0.5 to 50 an hour, and in the last of five weeks one day in which 1.5 to 8
times as many are dangerous. ``detected``: of these days, in percent, those in which a method first
called a rise; ``delay_hours``: the median, where 1 is the end of the rise's first hour. False
alarms are starts in the steady hours from the third week on, per 1,000 series-hours: a method that
calls an hour after hour is counted once. Ours is `detect`, as the desk runs it: all series
together, and with each series alone (no control of false discoveries), which is the fair
comparison: the others know nothing of other series. They follow once more with the first bound
that brings as few false alarms as ours, each series alone. *Speed*: 100,000 series, four weeks,
one hour.

``--nab DIR`` scores it, with its frozen settings, by the rules of NAB
(tests.bench.nab) and writes its results below ``--out``. Rows are summed into hours of the clock;
an hour is called at the row at which its sum so far is enough, as the desk does while an hour runs.
Only the start of a rise scores: 0.5 is a chance at the bound, 1 no chance at all, all else is 0.
Values that are not whole numbers are no counts: they are put into units in which the hours of the
learning part spread like counts of their size. ``--crisis VOLUMES EVENTS`` reads counts of ten
minutes and gives the delay from the crisis's start and the false alarms before it.

Methods beside ours: EARS C2 (Hutwagner 2003) over the hours, seven days behind a gap of two, above
3 standard deviations; and a plain z-score over the seven days before, above 3 (both begin as soon
as they have one day). Kleinberg's bursts
are left out: PyPI has two libraries, and neither runs any more. burst_detection 0.1.3 (2018) calls
np.float, which NumPy removed in 1.24; pybursts 0.1.1 (2014) indexes arrays by floats and takes no
two posts of one moment. We do not write our own to compare with.
"""

import argparse
import csv
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nbinom

from monitor.rises.baseline import DAY, WEEK
from monitor.rises.detect import COUNT, Found, Settings, examine
from monitor.rises.rises import course, expected_false_alarms
from tests.bench import nab

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
SEED = 20_261_128
RATES = (0.5, 2.0, 5.0, 15.0, 50.0)  # dangerous authors an hour
RISES = (1.5, 2.0, 3.0, 5.0, 8.0)
SHAPES = (None, 5.0)  # of the negative binomial; None is Poisson
OTHERS = 4.0  # authors of other posts to one of dangerous ones
SWING, WEEKEND = 0.5, 0.7  # the day's rhythm about the mean; a weekend's part of a weekday
WEEKS, WARM = 5, 2 * WEEK
RISING = 24  # hours
QUIET = 12  # hours without a call after which a method starts anew
SIGMAS = 3.0
LEAST_DEVIATION = 0.2  # of a standard deviation, as implementations of EARS have it
C2_GAP = 48
HISTORY = 4 * WEEK
MANY, TARGET = 100_000, 10.0  # series; seconds on two cores
# When the ground shook or the refinery blew up, by USGS and Wikipedia: the file has only the day
# its collection starts, up to two days before. The others came by and by.
SUDDEN = {
    "2012_Costa_Rica_earthquake": "2012-09-05T14:42:00+00:00",
    "2012_Guatemala_earthquake": "2012-11-07T16:35:00+00:00",
    "2012_Italy_earthquakes": "2012-05-20T02:03:00+00:00",
    "2012_Venezuela_refinery": "2012-08-25T05:41:00+00:00",
}


def say(**line: object) -> None:
    print(json.dumps(line), flush=True)


# Methods: which hours start a rise, how sure that is (0.5 at the bound, towards 1), and how many
# people the hour needed for it while it ran (none: it had to end). All are series x hours.


@dataclass(frozen=True)
class Calls:
    start: Bools
    sure: Floats
    needed: Floats


Method = Callable[[Floats, Floats | None, int], Calls]


def ours(settings: Settings) -> Method:
    def run(counts: Floats, totals: Floats | None, hour_of_week: int) -> Calls:
        found = examine(counts, totals, hour_of_week=hour_of_week, settings=settings)
        followed = course(found, settings)
        p = np.clip(found.p.min(axis=0), 1e-300, settings.alpha)
        sure = 1 - 0.5 * math.log(settings.alpha) / np.log(p)
        at_once = followed.start & (followed.test == COUNT)
        needed = np.full(p.shape, np.inf)
        needed[at_once] = people_needed(found, at_once, settings)
        return Calls(followed.start.T, np.asarray(sure.T), needed.T)

    return run


def people_needed(found: Found, where: Bools, settings: Settings) -> Floats:
    """Authors from which the count alone calls the hour."""
    mean, size = found.mean[where], found.size[where]
    by_chance = nbinom.isf(settings.alpha, size, size / (size + mean)) + 1
    least = np.maximum(settings.least_authors, settings.least_effect * mean)
    return np.asarray(np.maximum(by_chance, least))


def by_sigmas(gap: int, sigmas: float = SIGMAS) -> Method:
    """Standard deviations above the mean of the seven days before the gap, or of one at least."""

    def run(counts: Floats, _totals: Floats | None, _hour_of_week: int) -> Calls:
        n, hours = counts.shape
        mean, deviation = np.full((2, n, hours), np.inf)
        for t in range(gap + DAY, hours):
            past = counts[:, max(0, t - gap - WEEK) : t - gap]
            mean[:, t] = past.mean(axis=1)
            deviation[:, t] = np.maximum(past.std(axis=1, ddof=1), LEAST_DEVIATION)
        needed = mean + sigmas * deviation
        with np.errstate(invalid="ignore"):
            score = np.nan_to_num((counts - mean) / deviation)
        sure = 1 - 0.5 * sigmas / np.maximum(score, sigmas)
        return Calls(starts(counts > needed), sure, needed)

    return run


def starts(called: Bools) -> Bools:
    """The first of calls that follow one another within QUIET hours."""
    since = np.full(len(called), QUIET + 1)
    start = np.zeros_like(called)
    for t in range(called.shape[1]):
        start[:, t] = called[:, t] & (since >= QUIET)
        since = np.where(called[:, t], 0, since + 1)
    return start


FALSE = "false_alarms_per_1000_series_hours"
FROZEN = Settings()
OTHER_METHODS = {"EARS C2": by_sigmas(C2_GAP), "z-score": by_sigmas(0)}
ALONE = {"ours": ours(FROZEN), **OTHER_METHODS}  # one series at a time: there are no others


# Simulated series


@dataclass(frozen=True)
class Simulated:
    counts: Floats  # series x hours
    totals: Floats
    onset: NDArray[np.int64]  # hour of the rise's start
    rate: Floats
    rise: Floats


def simulated(shape: float | None, copies: int) -> Simulated:
    """``copies`` series for each rate and each rise, and as many without one (rise 1)."""
    rng = np.random.default_rng([SEED, 0 if shape is None else 1])
    hours = np.arange(WEEKS * WEEK)
    rhythm = 1 + SWING * np.sin(2 * np.pi * (hours % DAY - 9) / DAY)
    rhythm = rhythm * np.where(hours % WEEK >= 5 * DAY, WEEKEND, 1.0)
    rhythm = rhythm / rhythm.mean()
    rates, rises = np.meshgrid(RATES, RISES)
    rate, rise = np.tile(rates.ravel(), copies), np.tile(rises.ravel(), copies)
    onset = rng.integers((WEEKS - 1) * WEEK, WEEKS * WEEK - RISING, len(rate))
    during = (hours >= onset[:, None]) & (hours < onset[:, None] + RISING)
    mean = rate[:, None] * rhythm * np.where(during, rise[:, None], 1.0)
    others = OTHERS * rate[:, None] * rhythm
    if shape is not None:
        mean = mean * rng.gamma(shape, 1 / shape, mean.shape)
        others = others * rng.gamma(shape, 1 / shape, mean.shape)
    counts = rng.poisson(mean).astype(np.float64)
    return Simulated(counts, counts + rng.poisson(others), onset, rate, rise)


def simulation(copies: int) -> None:
    methods = {
        "ours": ours(FROZEN),
        "ours, each series alone": ours(replace(FROZEN, discoveries=1)),
    }
    for shape in SHAPES:
        made = simulated(shape, copies)
        series = "Poisson" if shape is None else f"negative binomial, shape {shape:g}"
        few = 0.0
        for name, method in (methods | OTHER_METHODS).items():
            began = time.perf_counter()
            result = figures(made, method(made.counts, made.totals, WEEK - 1).start)
            seconds = round(time.perf_counter() - began, 1)
            say(what="simulated", series=series, method=name, **result, seconds=seconds)
            if name in methods:
                few = float(result[FALSE])
        for name, gap in (("EARS C2", C2_GAP), ("z-score", 0)):  # held to as few false alarms
            for sigmas in (4, 5, 6, 7, 8, 10, 12):
                method = by_sigmas(gap, sigmas)
                result = figures(made, method(made.counts, None, WEEK - 1).start)
                if float(result[FALSE]) <= few:
                    break
            say(what="simulated", series=series, method=f"{name}, above {sigmas}", **result)


def figures(made: Simulated, start: Bools) -> dict[str, Any]:
    hours = np.arange(start.shape[1])
    onset = made.onset[:, None]
    during = (hours >= onset) & (hours < onset + RISING)
    hit: Bools = np.asarray((start & during).any(axis=1))
    delay = (start & during).argmax(axis=1) - made.onset + 1
    # The day after is neither steady nor rising.
    steady = (hours >= WARM) & ((hours < onset) | (hours >= onset + RISING + DAY))

    def by(of: Floats) -> dict[str, float]:
        return {f"{one:g}": percent(hit[of == one]) for one in np.unique(of)}

    return {
        "detected": percent(hit),
        "by_rise": by(made.rise),
        "by_rate": by(made.rate),
        "detected_of_rises_from_3_at_rates_from_2": percent(
            hit[(made.rise >= 3) & (made.rate >= 2)]
        ),
        "delay_hours": float(np.median(delay[hit])) if hit.any() else None,
        "delay_by_rise": {
            f"{one:g}": float(np.median(delay[some]))
            for one in RISES
            if (some := hit & (made.rise == one)).any()
        },
        FALSE: round(1_000 * (start & steady).sum() / steady.sum(), 3),
        "rises": len(hit),
        "steady_series_hours": int(steady.sum()),
    }


def percent(flags: Bools) -> float:
    return round(100 * float(flags.mean()), 1)


def speed() -> None:
    """Most narratives say nothing in most hours, a few are loud: rates of a long tail."""
    rng = np.random.default_rng(SEED)
    rate = np.minimum(0.05 * (1 + rng.pareto(1.1, MANY)), 50).astype(np.float32)
    counts = np.stack([rng.poisson(rate) for _ in range(HISTORY)], axis=1).astype(np.int16)
    totals = counts + np.stack([rng.poisson(4 * rate) for _ in range(HISTORY)], axis=1).astype("i2")
    began = time.perf_counter()
    found = examine(counts, totals, hour_of_week=WEEK - 1, last=DAY)
    followed = course(found)
    seconds = time.perf_counter() - began
    say(
        what="speed",
        series=MANY,
        hours_of_history=HISTORY,
        seconds=round(seconds, 2),
        target=f"under {TARGET:g} s",
        met=seconds < TARGET,
        starts_in_the_last_hour=int(followed.start[-1].sum()),
    )


# Real series


@dataclass(frozen=True)
class Hours:
    """Rows summed into hours of the clock, those between without rows at 0."""

    sums: Floats
    of_row: NDArray[np.int64]
    hour_of_week: int  # of the last

    @classmethod
    def of(cls, times: Sequence[datetime], values: Floats) -> "Hours":
        first = times[0].replace(minute=0, second=0, microsecond=0)
        of_row = np.array([(at - first) // timedelta(hours=1) for at in times])
        last = first + timedelta(hours=int(of_row[-1]))
        sums = np.bincount(of_row, weights=values).astype(np.float64)
        return cls(sums, of_row, last.weekday() * DAY + last.hour)

    def rows_of_starts(self, calls: Calls, values: Floats) -> Iterator[tuple[int, float]]:
        """The row at which each rise is called, and how sure that is."""
        for hour in np.flatnonzero(calls.start[0]).tolist():
            rows = np.flatnonzero(self.of_row == hour)
            enough = np.cumsum(values[rows]) >= calls.needed[0, hour]
            yield int(rows[enough.argmax()] if enough.any() else rows[-1]), calls.sure[0, hour]


def in_people(series: nab.Series) -> Floats:
    """The values as counts: as they are if whole, else in units that spread like counts."""
    values = np.clip(series.values, 0, None)
    if np.array_equal(values, np.round(values)):
        return values
    learning = slice(0, max(series.learning, 2))
    sums = Hours.of(series.times[learning], values[learning]).sums
    sums = sums[1:-1] if len(sums) > 4 else sums  # whole hours
    return values * (sums.mean() / sums.var() if sums.var() > 0 else 1.0)


def score_nab(folder: Path, out: Path) -> None:
    all_series = nab.read(folder)
    for name, method in ALONE.items():
        scores: dict[str, Floats] = {}
        for one in all_series:
            values = in_people(one)
            hours = Hours.of(one.times, values)
            calls = method(hours.sums[None], None, hours.hour_of_week)
            scores[one.name] = np.zeros(len(values))
            for row, sure in hours.rows_of_starts(calls, values):
                scores[one.name][row] = sure
        best = nab.best_threshold(all_series, scores)
        say(
            what="NAB, standard profile",
            method=name,
            threshold=0.5,
            **nab.total(all_series, scores, 0.5),
            best_threshold=round(best, 4),
            score_at_best_threshold=nab.total(all_series, scores, best)["score"],
        )
        nab.write(out, name.replace(" ", "_"), all_series, scores)
    say(what="NAB, results", folder=str(out))


def crisis(volumes: Path, events: Path) -> None:
    rows: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
    with volumes.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            rows[row["event"]].append((datetime.fromisoformat(row["time"]), float(row["count"])))
    with events.open(encoding="utf-8", newline="") as lines:
        days = {row["event"]: row["start_day"] for row in csv.DictReader(lines)}
    step = timedelta(minutes=10)
    for name, method in ALONE.items():
        delays = []
        for event, pairs in rows.items():
            times, values = [at for at, _ in pairs], np.array([count for _, count in pairs])
            hours = Hours.of(times, values)
            calls = method(hours.sums[None], None, hours.hour_of_week)
            called = [times[row] + step for row, _ in hours.rows_of_starts(calls, values)]
            day = datetime.fromisoformat(days[event]).replace(tzinfo=UTC)
            line: dict[str, object] = {"hours_from_start_day": delay(called, day)}
            line["false_alarms_before_start_day"] = sum(at < day for at in called)
            if event in SUDDEN:
                onset = datetime.fromisoformat(SUDDEN[event])
                delays.append(delay(called, onset))
                line["onset"] = SUDDEN[event]
                line["hours_from_onset"] = delays[-1]
                line["false_alarms_before_onset"] = sum(at < onset for at in called)
                line["first_post_after_onset_hours"] = delay(
                    [at for at, count in pairs if count > 0], onset
                )
            say(what="crisis", method=name, event=event, **line, starts=len(called))
        known = [one for one in delays if one is not None]
        say(
            what="crisis, sudden ones",
            method=name,
            found=f"{len(known)} of {len(delays)}",
            median_hours_from_onset=round(float(np.median(known)), 2) if known else None,
        )


def delay(called: Sequence[datetime], start: datetime) -> float | None:
    """Hours from ``start`` to the first call after it."""
    after = [at for at in called if at >= start]
    return round((min(after) - start) / timedelta(hours=1), 2) if after else None


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--copies", type=int, default=12, help="simulated series of each kind")
    parser.add_argument("--only", choices=("simulation", "speed"), help="one of the two parts")
    parser.add_argument("--nab", type=Path, metavar="DIR", help="a folder in NAB's layout")
    parser.add_argument(
        "--out", type=Path, default=Path("data/nab"), help="where NAB's results go (data/nab)"
    )
    parser.add_argument("--crisis", type=Path, nargs=2, metavar=("VOLUMES", "EVENTS"))
    options = parser.parse_args(arguments)
    if options.nab:
        score_nab(options.nab, options.out)
    if options.crisis:
        crisis(*options.crisis)
    if options.nab or options.crisis:
        return
    if options.only != "speed":
        simulation(options.copies)
        say(what="expected false alarms a week and series", value=round(expected_false_alarms(), 4))
    if options.only != "simulation":
        speed()


if __name__ == "__main__":
    main()
