"""Missed: how many posts that raised nothing should have, told from the answers about samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import scipy  # its parts load when first used, stats in seconds
from sqlalchemy import Row, exists, func, select
from sqlalchemy.orm import Session

from monitor.models import Sample, SampleAnswer

MISSED_LEVEL = 3  # what a person finds at or above this was missed
ESTIMATED = timedelta(days=90)  # how far back the estimate looks
ENOUGH = 100  # answers: below, even none missed leaves 36 in 1,000 possible
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Stratum:
    """The answers about posts of one machine level. Rates are shares, 0 to 1."""

    machine_level: int
    stood_for: float  # unflagged posts of the days drawn from
    answers: int
    missed: int  # of these a person found at MISSED_LEVEL or above
    rate: float | None  # weighted; None without an answer
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Estimate:
    """How many unflagged posts are at M3 or above, in 1,000, with an interval of CONFIDENCE."""

    strata: list[Stratum]
    drawn: int
    gone: int  # removed before anybody answered
    unsure: int  # nobody could tell
    answers: int
    missed: int
    per_thousand: float | None  # None where it cannot be told yet
    low: float | None
    high: float | None

    @property
    def known(self) -> bool:
        return self.per_thousand is not None


def missed(session: Session, now: datetime) -> Estimate:
    """Estimate from the days of ESTIMATED how many unflagged posts were at M3 or above.

    The first answer to each sample counts. Within a machine level each answer weighs as many posts
    as its sample stood for, and the rate has an exact (Clopper-Pearson) interval at the effective
    number of answers, (sum of weights)² / sum of squared weights (Kish 1965, as Korn and Graubard
    1998 use it). The rates of the levels are added up by their numbers of posts, and so are the
    intervals, by recovering each rate's variance from its limits (MOVER, Zou and Donner 2008). A
    post that was removed before somebody looked, or that nobody could tell, is held to be like the
    others of its level.
    """
    since = (now - ESTIMATED).date()
    first = (
        select(func.min(SampleAnswer.id).label("id"))
        .where(SampleAnswer.level.is_not(None))
        .group_by(SampleAnswer.sample_id)
        .subquery()
    )
    rows = session.execute(
        select(Sample.machine_level, Sample.stood_for, SampleAnswer.level)
        .join(SampleAnswer, SampleAnswer.sample_id == Sample.id)
        .join(first, first.c.id == SampleAnswer.id)
        .where(Sample.day >= since)
    ).all()
    course = _course(session, since)
    posts = {one.machine_level: float(one.posts) for one in course}
    told: dict[int, list[tuple[float, int]]] = {level: [] for level in sorted(posts)}
    for machine_level, stood_for, level in rows:
        if level is not None:
            told[machine_level].append((stood_for, level))
    strata = [_stratum(level, posts[level], answers) for level, answers in told.items()]
    number, answered, gone, unsure = (
        sum(getattr(one, what) for one in course) for what in ("drawn", "told", "gone", "unsure")
    )
    found = sum(stratum.missed for stratum in strata)
    rate, low, high = _together(strata) if answered >= ENOUGH else (None, None, None)
    return Estimate(strata, number, gone, unsure, answered, found, rate, low, high)


def _stratum(machine_level: int, stood_for: float, answers: Sequence[tuple[float, int]]) -> Stratum:
    weights = np.array([weight for weight, _ in answers])
    wrong = np.array([level >= MISSED_LEVEL for _, level in answers], dtype=bool)
    if not answers:
        return Stratum(machine_level, stood_for, 0, 0, None, None, None)
    rate = float(weights[wrong].sum() / weights.sum())
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    # The exact interval wants whole numbers: fewer answers, and no fewer that were missed.
    number = max(1, int(effective + 1e-9))
    low = clopper_pearson(int(rate * number + 1e-9), number)[0]
    high = clopper_pearson(min(number, int(np.ceil(rate * number - 1e-9))), number)[1]
    return Stratum(machine_level, stood_for, len(answers), int(wrong.sum()), rate, low, high)


def clopper_pearson(count: int, number: int) -> tuple[float, float]:
    """The exact interval of CONFIDENCE around ``count`` of ``number``, as shares."""
    interval = scipy.stats.binomtest(count, number).proportion_ci(CONFIDENCE, method="exact")
    return float(interval.low), float(interval.high)


def _together(strata: Sequence[Stratum]) -> tuple[float | None, float | None, float | None]:
    """Per 1,000. None where a level has posts and no answer: it may be anything there."""
    posts = sum(stratum.stood_for for stratum in strata)
    rate = below = above = 0.0
    for one in strata:
        if one.rate is None or one.low is None or one.high is None:
            return None, None, None
        share = one.stood_for / posts
        rate += share * one.rate
        below += (share * (one.rate - one.low)) ** 2
        above += (share * (one.high - one.rate)) ** 2
    low, high = max(0.0, rate - below**0.5), min(1.0, rate + above**0.5)
    return 1000 * rate, 1000 * low, 1000 * high


def _course(session: Session, since: date) -> Sequence[Row[int, float, int, int, int, int]]:
    """By machine level the posts stood for; samples drawn, answered, removed before, given up."""
    told = exists().where(SampleAnswer.sample_id == Sample.id, SampleAnswer.level.is_not(None))
    asked = exists().where(SampleAnswer.sample_id == Sample.id)
    return session.execute(
        select(
            Sample.machine_level,
            func.sum(Sample.stood_for).label("posts"),
            func.count().label("drawn"),
            func.count().filter(told).label("told"),
            func.count().filter(~told, Sample.post_id.is_(None)).label("gone"),
            func.count().filter(~told, Sample.post_id.is_not(None), asked).label("unsure"),
        )
        .where(Sample.day >= since)
        .group_by(Sample.machine_level)
    ).all()
