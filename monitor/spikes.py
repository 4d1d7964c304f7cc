"""Is this hour more than the hours before explain? Counted in people, not in posts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from scipy.stats import poisson
from sqlalchemy import ColumnElement, distinct, func, select
from sqlalchemy.orm import Session, joinedload

from monitor.counters import Cell
from monitor.models import DANGEROUS_LEVEL, LEVEL_NAMES, Flag, HourlyCount, Narrative, Reading
from monitor.narratives import HOUR, family, hour_of
from sources.models import Post

DETECTOR = "poisson-ewma 2"  # name and version, stored with every flag
# After Coop's alarms: a slow baseline, so that the anomaly is not learned as normal; distinct
# people; a minimum count; an effect of at least a quarter; then an exact one-sided test.
HALF_LIFE = 48.0  # hours in which the weight of the past halves
BASELINE = 14 * 24  # hours looked back at
GAP = 3  # hours just before the one tested, kept out of its baseline
WINDOWS = (1, 3)  # hours tested as one: a sudden rise, and one that spreads
LEAST_AUTHORS = 3
LEAST_EFFECT = 1.25
ALPHA = 0.001  # at most one false flag in four weeks on steady simulated narratives (tests)
# Without a past we assume one dangerous author in seven hours, with the weight of one day's
# evidence that fades as evidence comes: three people in a narrative's first hour are news.
PRIOR_RATE = 0.15
PRIOR_HOURS = 24.0
QUIET = timedelta(hours=12)  # after a person's decision the same narrative is left alone ...
LOUDER = 2.0  # ... unless this many times more people speak than in what was decided
EXPLAINING_POSTS = 5
TELLING = ("act:", "threat:", "H")  # the codes of reasons that a flag repeats


def expected_authors(history: Sequence[int]) -> float:
    """Dangerous authors to expect in one hour, from those of the hours before it.

    ``history`` is oldest first and without the gap; it may be empty.
    """
    counts = np.asarray(history, dtype=float)
    weights = 0.5 ** (np.arange(len(counts), 0, -1) / HALF_LIFE)
    prior = PRIOR_HOURS * 0.5 ** (len(counts) / PRIOR_HOURS)
    return float((weights @ counts + PRIOR_RATE * prior) / (weights.sum() + prior))


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


@dataclass(frozen=True)
class Rise:
    """A window of hours that stands out: different authors against those to expect."""

    hours: int
    observed: int
    expected: float
    known: int  # hours of baseline

    @property
    def p_value(self) -> float:
        return p_value(self.observed, self.expected)


def evaluate(session: Session, cells: Iterable[Cell], now: datetime) -> list[Flag]:
    """New flags on the narratives whose touched hours rise, unless a person has it or just had it.

    Each hour is compared with those before it, whatever the clock says: late or replayed posts
    count where they belong. A flag nobody has decided yet follows the rise to its loudest hour.
    The caller holds the lock of the analysis.
    """
    raised = []
    for narrative_id, hour in sorted(cells):
        narrative = session.get_one(Narrative, narrative_id)
        rise = _rise(session, narrative, hour)
        if rise is None:
            continue
        flags = _flags(session, narrative)
        flag = next((one for one in flags if one.decision is None), None)
        if flag is None:
            if _settled(flags, hour, rise, now):
                continue
            flag = Flag(narrative_id=narrative.id, raised_at=now)
            raised.append(flag)
        elif flag.hour != hour and (
            rise.observed <= flag.observed or hour in {one.hour for one in flags}
        ):
            continue
        flag.hour, flag.detector = hour, DETECTOR
        flag.observed, flag.expected, flag.p_value = rise.observed, rise.expected, rise.p_value
        flag.reasons = _reasons(session, narrative, hour, rise)
        session.add(flag)
        session.flush()
    return raised


def _flags(session: Session, narrative: Narrative) -> Sequence[Flag]:
    query = select(Flag).where(Flag.narrative_id.in_(family(narrative)))
    return session.scalars(query.options(joinedload(Flag.decision))).all()


def _settled(flags: Sequence[Flag], hour: datetime, rise: Rise, now: datetime) -> bool:
    """Whether a person has answered this: this very hour, or lately something as loud."""
    return any(
        flag.hour == hour
        or (
            flag.decision is not None
            and now - flag.decision.at < QUIET
            and rise.observed < LOUDER * flag.observed
        )
        for flag in flags
    )


def _rise(session: Session, narrative: Narrative, hour: datetime) -> Rise | None:
    """The least likely of the windows that end with ``hour``, if one of them rises."""
    history = _history(session, narrative, hour)
    rate = expected_authors(history)
    windows = [
        Rise(hours, _authors(session, narrative, hour, hours), rate * hours, len(history))
        for hours in WINDOWS
    ]
    rising = [window for window in windows if rises(window.observed, window.expected)]
    return min(rising, key=lambda window: window.p_value, default=None)


def _authors(session: Session, narrative: Narrative, hour: datetime, hours: int) -> int:
    """Independent voices in dangerous posts that still stand, in ``hours`` ending with ``hour``.

    No more than there are authors, and no more than there are texts that are not copies.
    """
    voices = func.least(func.count(distinct(Post.author)), func.count(distinct(Reading.copy_of)))
    query = (
        select(voices)
        .join(Reading, Reading.post_id == Post.id)
        .where(*_dangerous_in(narrative, hour, hours))
    )
    return session.scalar(query) or 0


def _dangerous_in(
    narrative: Narrative, hour: datetime, hours: int
) -> tuple[ColumnElement[bool], ...]:
    return (
        Reading.narrative_id == narrative.id,
        Reading.level >= DANGEROUS_LEVEL,
        Post.posted_at >= hour - (hours - 1) * HOUR,
        Post.posted_at < hour + HOUR,
    )


def _history(session: Session, narrative: Narrative, hour: datetime) -> list[int]:
    """Dangerous authors of the baseline hours before ``hour``, as first counted, oldest first."""
    first = max(hour_of(narrative.first_post_at), hour - BASELINE * HOUR)
    counted = dict(
        session.execute(
            select(HourlyCount.hour, HourlyCount.dangerous_authors).where(
                HourlyCount.narrative_id == narrative.id, HourlyCount.hour.between(first, hour)
            )
        ).all()
    )
    length = max(0, (hour - first) // HOUR - GAP)
    return [counted.get(first + step * HOUR, 0) for step in range(length)]


def _reasons(
    session: Session, narrative: Narrative, hour: datetime, rise: Rise
) -> list[dict[str, str | int | None]]:
    """Sentences with numbers, then the posts that explain the hours best."""
    stretch = "one hour" if rise.hours == 1 else f"{rise.hours} hours"
    sentences = [
        f"{rise.observed} different authors of dangerous posts in {stretch}; "
        f"the hours before explain {rise.expected:.1f}.",
        f"Chance alone would bring as many in about one of {_one_in(rise.p_value)} such stretches.",
    ]
    if rise.known < PRIOR_HOURS:
        sentences.append(
            f"The narrative is young: {rise.known} hours to compare with, so a rate of "
            f"{PRIOR_RATE} an hour is assumed with them."
        )
    reasons: list[dict[str, str | int | None]] = [
        {"text": sentence, "post_id": None} for sentence in sentences
    ]
    for reading in _explaining(session, narrative, hour, rise.hours):
        # The machine's words, never the post's: a flag outlives a deleted post.
        said = [r["text"] for r in reading.reasons if r["code"].startswith(TELLING)]
        why = "; ".join(list(dict.fromkeys(said))[:3])
        text = f"M{reading.level} {LEVEL_NAMES[reading.level]}: {why}."
        reasons.append({"text": text, "post_id": reading.post_id})
    return reasons


def _explaining(
    session: Session, narrative: Narrative, hour: datetime, hours: int
) -> list[Reading]:
    """The most dangerous readings of these hours: one of each author, none said twice."""
    readings = session.scalars(
        select(Reading)
        .join(Reading.post)
        .where(*_dangerous_in(narrative, hour, hours))
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


def _one_in(chance: float) -> str:
    times = 1 / max(chance, 1e-12)
    return f"{times:,.0f}" if times < 10_000 else "many thousand"
