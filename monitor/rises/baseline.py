"""What an hour should bring, told from the hours before it: level, season, spread and share.

Many series at once, hour after hour. Only hours that are older than the gap are learned, and what
stands out is learned as no more than what just stands out: an outbreak does not teach the baseline.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

DAY, WEEK = 24, 168  # hours
# Half-lives, in hours. The level follows the week before, as in EARS (7 days, Hutwagner 2003); what
# changes slowly (rhythm, spread) is learned over as many weeks as the history holds.
LEVEL_HALF_LIFE = 96.0
RHYTHM_HALF_LIFE = 4.0 * WEEK
# Factors of the hour of the day, of the day of the week, and of this hour of this day beside them:
# before anything is known they may be by a half, a fifth and a fifth more or less than 1. These are
# the shapes of gamma priors, 1 / 0.5² and 1 / 0.2²: flat until counts speak.
RHYTHMS = ((DAY, 4.0), (7, 25.0), (WEEK, 25.0))  # slots, shape
PRIOR_HALF_LIFE = 8.0  # hours of history: a narrative that is loud from birth is soon known as loud
NOTHING_SEEN = 0.5  # authors: where nobody was seen for weeks a rate is still not 0 (Jeffreys)
# Spread beyond Poisson (variance = mean + spread · mean²): 0.1 is usual in counts of reports
# (Noufaily 2013). It has the weight of two days with one author an hour, less where there are more:
# few people tell little of their spread, and the first hours of a rise must not pass for spread.
SPREAD, SPREAD_WEIGHT = 0.1, 48.0
LIKENESS, LIKENESS_WEIGHT = 0.02, 200.0  # the same of shares: how much authors of an hour are alike
ECHO_WEIGHT = 48.0  # hours for which the likeness of an hour to the one before it is held to be 0
MOST_ECHO = 0.8
# An hour that is more than so many standard deviations (and one person) above its mean teaches no
# more than that, and weighs the less the further out it is, by the square: so Farrington (1996) and
# Noufaily (2013) keep past outbreaks out of the baseline.
MOST_TAUGHT, MOST_SPREAD = 2.5, 4.0


@dataclass(frozen=True)
class Prior:
    """What a series without a past is taken for: the distribution of past young narratives.

    Its hourly rate has a gamma distribution of mean ``rate`` (dangerous authors an hour) and of
    shape ``rate * hours``: the fewer ``hours`` of evidence, the wider. ``share`` of all authors are
    dangerous, with the evidence of ``authors``. The prior's weight halves every PRIOR_HALF_LIFE.
    """

    rate: float = 0.15  # one dangerous author in seven hours: the floor since poisson-ewma 1
    hours: float = 24.0
    share: float = 0.15
    authors: float = 20.0

    @classmethod
    def of(cls, counts: Sequence[Sequence[float]] | Floats) -> "Prior":
        """The prior that the first hours (series x hours) of past young narratives teach.

        By moments: the variance between narratives that counting alone does not explain.
        Raises ValueError if there are fewer than two narratives, or none had a dangerous author.
        """
        first = np.asarray(counts, dtype=np.float64)
        if first.ndim != 2 or len(first) < 2 or not first.sum() > 0:
            raise ValueError("needs the first hours of two narratives or more, not all empty")
        rates = first.mean(axis=1)
        rate = float(rates.mean())
        between = max(float(rates.var(ddof=1)) - rate / first.shape[1], 1e-3 * rate**2)
        return cls(rate=rate, hours=max(1.0, rate / between))


@dataclass(frozen=True)
class Expected:
    """What one hour should bring to each of n series; arrays of n."""

    mean: Floats  # different authors of dangerous posts
    size: Floats  # of the negative binomial: variance = mean + mean² / size
    spread: Floats  # the part of 1 / size that is not doubt about the mean
    level: Floats  # the mean without the season
    factors: list[Floats]  # of the season, by RHYTHMS
    doubt: Floats  # relative standard error of the mean's level
    share: Floats  # of dangerous among all authors, 0 to 1
    likeness: Floats  # of authors of an hour: 0 binomial, towards 1 all or none
    calm: Floats  # what a sum over hours is worth, 1 where hours do not echo the hours before


class Baseline:
    """What n series have taught so far. ``expect`` an hour, and ``learn`` it after the gap."""

    def __init__(self, series: int, prior: Prior) -> None:
        def zeros(*rows: int) -> Floats:
            return np.zeros((*rows, series), np.float32)  # half the memory to go through

        self.prior = prior
        self.faith = np.ones(series, np.float32)  # in the prior
        self.authors, self.hours = zeros(), zeros()  # seen, and hours in which, season taken out
        self.rhythm = [zeros(2, slots) for slots, _ in RHYTHMS]  # seen, and expected without it
        self.excess, self.squares = zeros(), zeros()
        self.echo, self.energy, self.before = zeros(), zeros(), zeros()
        self.dangerous, self.all = zeros(), zeros()
        self.share_excess, self.pairs = zeros(), zeros()

    def expect(self, hour_of_week: int) -> Expected:
        """``hour_of_week`` counts from Monday's first hour, 0 to 167."""
        known, level, factors, doubts = self._parts(hour_of_week)
        mean = level * math.prod(factors)
        spread = (SPREAD * SPREAD_WEIGHT + self.excess) / (SPREAD_WEIGHT + self.squares)
        spread = np.maximum(spread, 1e-6)
        doubt = (1 + spread * mean) / known
        seen = self.prior.authors * self.faith + self.all
        share = (self.prior.share * self.prior.authors * self.faith + self.dangerous) / seen
        likeness = LIKENESS * LIKENESS_WEIGHT + self.share_excess
        likeness = np.maximum(likeness / (LIKENESS_WEIGHT + self.pairs), 0) + 1 / (1 + seen)
        echo = np.clip(self.echo / (ECHO_WEIGHT + self.energy), 0, MOST_ECHO)
        return Expected(
            mean=mean,
            size=1 / (spread + doubt + doubts),
            spread=spread,
            level=level,
            factors=factors,
            doubt=np.sqrt(doubt),
            share=np.minimum(share, 1 - 1e-6),
            likeness=np.minimum(likeness, 0.99),
            calm=(1 - echo) / (1 + echo),
        )

    def learn(
        self,
        authors: Floats,
        everyone: Floats | None,
        hour_of_week: int,
        expected: Expected,
        alive: Bools,
        young: Bools,
    ) -> None:
        """Take in one hour, of the series that are ``alive``; what a ``young`` one did, in full.

        ``authors`` of dangerous posts and of all posts, and what was ``expected`` of that hour.
        """
        mean = expected.mean
        variance = mean + mean**2 / expected.size
        deviation = np.sqrt(variance)
        off = authors - mean
        most = MOST_TAUGHT * deviation
        weight = 1 / np.square(np.maximum(1, (off - 1) / most))
        taught = np.minimum(authors, mean + 1 + most)
        grown = bool(alive.all()) and not young.any()  # as it is in most hours: no more to do
        if grown:
            self.faith *= _kept(PRIOR_HALF_LIFE)
        else:
            # A young series may stand anywhere: until it has a day, its own hours are all there is.
            weight = np.where(young, 1, weight) * alive
            taught = np.where(young, authors, taught)
            self.faith *= np.where(alive, np.float32(_kept(PRIOR_HALF_LIFE)), np.float32(1))
        season = math.prod(expected.factors)
        _fade(_kept(LEVEL_HALF_LIFE), self.authors, self.hours, self.dangerous, self.all)
        self.authors += weight * taught
        self.hours += weight * season
        if everyone is not None:
            self._learn_share(authors, everyone, expected, weight, None if grown else young)

        # A rhythm and a spread are told from a level, and a young series has none yet.
        if not grown:
            weight = weight * ~young
        # Where hours spread more than counts do, an hour tells as little as fewer people would.
        worth = weight / (1 + expected.spread * mean)
        usual = worth * expected.level * season
        worth *= taught
        for sums, (slots, _), slot, factor in zip(
            self.rhythm, RHYTHMS, _slots(hour_of_week), expected.factors, strict=True
        ):
            sums[:, slot] *= _kept(RHYTHM_HALF_LIFE / slots)  # each slot in 1 / slots of the hours
            sums[0, slot] += worth
            sums[1, slot] += usual / factor
        _fade(_kept(RHYTHM_HALF_LIFE), self.excess, self.squares, self.echo, self.energy)
        self.excess += weight * (np.minimum(off**2, MOST_SPREAD**2 * variance) - mean)
        self.squares += weight * mean**2
        score = weight * np.clip(off / deviation, -MOST_TAUGHT, MOST_TAUGHT)
        self.echo += score * self.before
        self.energy += score**2
        self.before = score

    def _parts(self, hour_of_week: int) -> tuple[Floats, Floats, list[Floats], Floats]:
        """Authors known, level, the factors of RHYTHMS and the sum of their relative variances."""
        known = self.prior.rate * self.prior.hours * self.faith + self.authors
        known = known + NOTHING_SEEN * (1 - self.faith)
        level = known / (self.prior.hours * self.faith + self.hours)
        factors, doubts = [], np.zeros_like(level)
        for sums, (_, shape), slot in zip(self.rhythm, RHYTHMS, _slots(hour_of_week), strict=True):
            seen = shape + sums[0, slot]
            factors.append(seen / (shape + sums[1, slot]))
            doubts += 1 / seen
        return known, level, factors, doubts

    def _learn_share(
        self,
        dangerous: Floats,
        everyone: Floats,
        expected: Expected,
        weight: Floats,
        young: Bools | None,
    ) -> None:
        share = expected.share
        single = share * (1 - share)
        others = np.maximum(everyone - 1, 0)
        once = everyone * single
        variance = once * (1 + others * expected.likeness)
        mean = everyone * share
        most = mean + 1 + MOST_TAUGHT * np.sqrt(variance)
        pairs = weight * others
        if young is not None:
            most = np.where(young, everyone, most)
            pairs = pairs * ~young
        _fade(_kept(RHYTHM_HALF_LIFE), self.share_excess, self.pairs)
        self.dangerous += weight * np.minimum(np.minimum(dangerous, most), everyone)
        self.all += weight * everyone
        off = np.minimum(np.square(dangerous - mean), MOST_SPREAD**2 * variance)
        self.share_excess += (pairs > 0) * weight * (off - once)
        self.pairs += once * pairs


def _slots(hour_of_week: int) -> tuple[int, int, int]:
    return hour_of_week % DAY, hour_of_week // DAY, hour_of_week


def _kept(half_life: float) -> float:
    return float(0.5 ** (1 / half_life))


def _fade(kept: float, *sums: Floats) -> None:
    for one in sums:
        one *= kept
