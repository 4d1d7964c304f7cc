"""Is this hour more than the hours before explain? Counted in people, not in posts."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import numpy as np
from scipy.stats import poisson
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from monitor.counters import Cell
from monitor.models import DANGEROUS_LEVEL, LEVEL_NAMES, Flag, HourlyCount, Narrative, Reading
from monitor.narratives import HOUR, hour_of
from sources.models import Post

DETECTOR = "poisson-ewma 1"  # name and version, stored with every flag
# After Coop's alarms: a slow baseline, so that the anomaly is not learned as normal; distinct
# people; a minimum count; an effect of at least a quarter; then an exact one-sided test.
HALF_LIFE = 48.0  # hours in which the weight of the past halves
BASELINE = 14 * 24  # hours looked back at
GAP = 3  # hours just before the one tested, kept out of its baseline
LEAST_AUTHORS = 3
LEAST_EFFECT = 1.25
ALPHA = 0.01  # an hour is tested only when a dangerous author is added to it
# Without a past we assume one dangerous author in four hours, with the weight of one day's
# evidence, instead of zero: three people in a narrative's first hour are news, two are not.
PRIOR_RATE = 0.25
PRIOR_HOURS = 24.0
QUIET = timedelta(hours=12)  # after a person's decision the same narrative is left alone
EXPLAINING_POSTS = 5
TELLING = ("act:", "threat:", "H")  # the codes of reasons that a flag repeats


def expected_authors(history: Sequence[int]) -> float:
    """Dangerous authors to expect in one hour, from those of the hours before it.

    ``history`` is oldest first and without the gap; it may be empty.
    """
    counts = np.asarray(history, dtype=float)
    weights = 0.5 ** (np.arange(len(counts), 0, -1) / HALF_LIFE)
    return float((weights @ counts + PRIOR_RATE * PRIOR_HOURS) / (weights.sum() + PRIOR_HOURS))


def p_value(observed: int, expected: float) -> float:
    """The chance of ``observed`` or more when ``expected`` is the mean (Poisson, exact)."""
    return float(poisson.sf(observed - 1, expected))


def rises(observed: int, expected: float) -> bool:
    """Whether an hour stands out: enough people, enough effect, and hardly by chance."""
    return (
        observed >= LEAST_AUTHORS
        and observed >= LEAST_EFFECT * expected
        and p_value(observed, expected) <= ALPHA
    )


def evaluate(session: Session, cells: Iterable[Cell], now: datetime) -> list[Flag]:
    """New flags on the narratives whose touched hours rise, unless a person has it or just had it.

    Each hour is compared with those before it, whatever the clock says: late or replayed posts
    count where they belong. A flag nobody has decided yet keeps up with its hour. The caller holds
    the lock of the analysis.
    """
    raised = []
    for narrative_id, hour in sorted(cells):
        narrative = session.get_one(Narrative, narrative_id)
        flags = _flags(session, narrative)
        flag = next((one for one in flags if one.hour == hour and one.decision is None), None)
        if flag is None and _attended(flags, hour, now):
            continue
        observed, history = _counts(session, narrative, hour)
        expected = expected_authors(history)
        if not rises(observed, expected):
            continue
        if flag is None:
            flag = Flag(narrative_id=narrative.id, hour=hour, detector=DETECTOR, raised_at=now)
            raised.append(flag)
        flag.observed, flag.expected = observed, expected
        flag.p_value = p_value(observed, expected)
        flag.reasons = _reasons(session, narrative, hour, observed, expected, len(history))
        session.add(flag)
        session.flush()
    return raised


def _flags(session: Session, narrative: Narrative) -> Sequence[Flag]:
    query = select(Flag).where(Flag.narrative_id == narrative.id)
    return session.scalars(query.options(joinedload(Flag.decision))).all()


def _attended(flags: Sequence[Flag], hour: datetime, now: datetime) -> bool:
    """Whether a flag waits for a person, was decided a short while ago, or is this very hour's."""
    return any(
        flag.decision is None or flag.hour == hour or now - flag.decision.at < QUIET
        for flag in flags
    )


def _counts(session: Session, narrative: Narrative, hour: datetime) -> tuple[int, list[int]]:
    """Dangerous authors in this hour, and in the baseline hours before it."""
    first = max(hour_of(narrative.first_post_at), hour - BASELINE * HOUR)
    counted = dict(
        session.execute(
            select(HourlyCount.hour, HourlyCount.dangerous_authors).where(
                HourlyCount.narrative_id == narrative.id, HourlyCount.hour.between(first, hour)
            )
        ).all()
    )
    length = max(0, (hour - first) // HOUR - GAP)
    return counted.get(hour, 0), [counted.get(first + step * HOUR, 0) for step in range(length)]


def _reasons(
    session: Session,
    narrative: Narrative,
    hour: datetime,
    observed: int,
    expected: float,
    hours_known: int,
) -> list[dict[str, str | int | None]]:
    """Sentences with numbers, then the posts that explain the hour best."""
    sentences = [
        f"{observed} different authors of dangerous posts in one hour; "
        f"the hours before explain {expected:.1f}.",
        f"Chance alone would bring as many in about one of {_one_in(observed, expected)} hours.",
    ]
    if hours_known < PRIOR_HOURS:
        sentences.append(
            f"The narrative is young: {hours_known} hours to compare with, so a rate of "
            f"{PRIOR_RATE} an hour is assumed with them."
        )
    reasons: list[dict[str, str | int | None]] = [
        {"text": sentence, "post_id": None} for sentence in sentences
    ]
    for reading in _explaining(session, narrative, hour):
        # The machine's words, never the post's: a flag outlives a deleted post.
        said = [r["text"] for r in reading.reasons if r["code"].startswith(TELLING)]
        why = "; ".join(list(dict.fromkeys(said))[:3])
        text = f"M{reading.level} {LEVEL_NAMES[reading.level]}: {why}."
        reasons.append({"text": text, "post_id": reading.post_id})
    return reasons


def _explaining(session: Session, narrative: Narrative, hour: datetime) -> list[Reading]:
    """The most dangerous readings of the hour: one of each author, none said twice."""
    readings = session.scalars(
        select(Reading)
        .join(Reading.post)
        .where(
            Reading.narrative_id == narrative.id,
            Reading.level >= DANGEROUS_LEVEL,
            Post.posted_at >= hour,
            Post.posted_at < hour + HOUR,
        )
        .options(joinedload(Reading.post))
        .order_by(Reading.level.desc(), Post.posted_at, Post.id)
    )
    chosen: list[Reading] = []
    for reading in readings:
        said = {(other.post.author, other.post.text) for other in chosen}
        if reading.post.author in {author for author, _ in said} or reading.post.text in {
            text for _, text in said
        }:
            continue
        chosen.append(reading)
        if len(chosen) == EXPLAINING_POSTS:
            break
    return chosen


def _one_in(observed: int, expected: float) -> str:
    hours = 1 / max(p_value(observed, expected), 1e-12)
    return f"{hours:,.0f}" if hours < 10_000 else "many thousand"
