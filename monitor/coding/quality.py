"""Quality: how often we were right, how late we were, how far people agree. The desk, not persons.

Every figure comes with the number it is told from, and shares with an exact (Clopper-Pearson)
interval. All of it is told from flags, alerts and samples: rows that people made, never from posts.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, case, extract, func, or_, select, true
from sqlalchemy.orm import Session

from monitor.alerts.alert_clock import STAGES, TARGETS
from monitor.coding.missed import clopper_pearson
from monitor.models import Alert, AlertOutcome, AlertStamp, Flag, FlagDecision

MOST_ALERTS = 20_000  # the newest; a desk sends a few a day
MOST_AREAS = 50  # on the page, those with most flags decided
LATE = 0.9  # the share that the second figure of a length of time is beyond: p90


@dataclass(frozen=True)
class Right:
    """Of some flags, how many people confirmed. ``share`` and interval are of those decided."""

    what: str
    confirmed: int
    dismissed: int
    waiting: int

    @property
    def decided(self) -> int:
        return self.confirmed + self.dismissed

    @property
    def share(self) -> float | None:
        return self.confirmed / self.decided if self.decided else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return clopper_pearson(self.confirmed, self.decided) if self.decided else None


@dataclass(frozen=True)
class Area:
    """Flags and alerts about one watch or place. Both kinds of false alarm, each of its own."""

    watch_id: int | None
    place: str  # county or state FIPS; "" for a watch
    flags: Right
    closed: int = 0  # alerts with an outcome that tells whether it was so
    false_alarms: int = 0
    violence: int = 0  # alerts that ended as escalated to violence

    @property
    def false_flags(self) -> float | None:
        """The share of decided flags that were dismissed."""
        return None if self.flags.share is None else 1 - self.flags.share


@dataclass(frozen=True)
class Lengths:
    """How long something took, over n cases; None without one."""

    n: int
    median: timedelta | None
    p90: timedelta | None


@dataclass(frozen=True)
class Step:
    """One interval of the alerts' clock, at one danger level or (None) at all of them."""

    start: int
    end: int
    danger_level: int | None
    lengths: Lengths  # of those that came to its end
    running: int  # alerts still between the two
    target: timedelta | None
    within: int  # ended within the target ...
    judged: int  # ... of those that ended, or have run longer than it already

    @property
    def name(self) -> str:
        return f"T{self.start} {STAGES[self.start]} → T{self.end} {STAGES[self.end]}"


@dataclass(frozen=True)
class LeadTime:
    """From the earliest post to the flag, and from the flag to the first alert about it."""

    to_flag: Lengths
    to_alert: Lengths
    alerted: int  # confirmed flags about which an alert went out
    confirmed: int


def lengths(seconds: Iterable[float]) -> Lengths:
    """Median and p90; what is negative, as of clocks that differ, took no time."""
    known = np.maximum(np.array(list(seconds), dtype=float), 0)
    if not len(known):
        return Lengths(0, None, None)
    median, late = np.quantile(known, [0.5, LATE])
    return Lengths(len(known), timedelta(seconds=float(median)), timedelta(seconds=float(late)))


def precision(session: Session, since: datetime | None) -> dict[str, list[Right]]:
    """``precisions`` of one time."""
    return precisions(session, [since])[0]


def precisions(session: Session, starts: Sequence[datetime | None]) -> list[dict[str, list[Right]]]:
    """Flags raised since each of these moments (None: ever), as people settled them. One query.

    Under "all": spikes together; under "tests", "levels" and "kinds" (narratives, watches, places)
    the same in parts; under "life safety" the flags on single posts, which are no spikes. Under
    "reports" what people reported: it says nothing of the machine and counts in none of the others.
    """
    subject = _subject()
    numbers = [func.count().filter(_since(start)) for start in starts]
    rows = session.execute(
        select(Flag.kind, Flag.test, Flag.level, subject, FlagDecision.decision, *numbers)
        .outerjoin(FlagDecision, FlagDecision.flag_id == Flag.id)
        .where(or_(*map(_since, starts)))
        .group_by(Flag.kind, Flag.test, Flag.level, subject, FlagDecision.decision)
    ).all()
    return [
        _parts([(*row[:5], row[5 + place]) for row in rows if row[5 + place]])
        for place in range(len(starts))
    ]


def _parts(rows: Iterable[Sequence[Any]]) -> dict[str, list[Right]]:
    """(kind, test, level, subject, decision, number) of flags, in the parts of ``precisions``."""
    parts: dict[str, dict[str, Counter[str]]] = {
        part: defaultdict(Counter)
        for part in ("all", "tests", "levels", "kinds", "life safety", "reports")
    }
    for kind, test, level, about, decision, number in rows:
        said = decision or "waiting"
        if kind == "life_safety":
            parts["life safety"]["Single posts"][said] += number
            continue
        if kind == "report":
            parts["reports"]["Reports"][said] += number
            continue
        for part, what in (
            ("all", "All rises"),
            ("tests", test),
            ("levels", f"Voices at M{level} or above"),
            ("kinds", about),
        ):
            parts[part][what][said] += number
    return {part: [_right(*one) for one in sorted(of.items())] for part, of in parts.items()}


def endings(session: Session, since: datetime | None) -> dict[str, Counter[str]]:
    """By place ("" for none) how the alerts made since then ended, exercises apart.

    By the code of the outcome; "open" for those that have none.
    """
    rows = session.execute(
        select(Alert.place, AlertOutcome.code, func.count())
        .outerjoin(AlertOutcome, AlertOutcome.alert_id == Alert.id)
        .where(~Alert.exercise, Alert.made_at >= since if since else true())
        .group_by(Alert.place, AlertOutcome.code)
    )
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for place, code, number in rows:
        found[place][code or "open"] += number
    return found


def areas(
    session: Session, since: datetime | None, ended: Mapping[str, Counter[str]]
) -> tuple[list[Area], list[Area]]:
    """Watches and places by the flags on them and the alerts about them, most decided first.

    ``ended``: ``endings`` of the same time. A narrative's flag names no watch and no
    place, so it counts in none. Exercises never count.
    """
    rows = session.execute(
        select(Flag.watch_id, Flag.place, FlagDecision.decision, func.count())
        .outerjoin(FlagDecision, FlagDecision.flag_id == Flag.id)
        .where(_since(since), Flag.narrative_id.is_(None), Flag.kind == "spike")
        .group_by(Flag.watch_id, Flag.place, FlagDecision.decision)
    )
    flags: dict[tuple[int | None, str], Counter[str]] = defaultdict(Counter)
    for watch_id, place, decision, number in rows:
        flags[watch_id, place or ""][decision or "waiting"] += number
    outcomes = {
        place: Counter({code: number for code, number in codes.items() if code != "open"})
        for place, codes in ended.items()
        if place and set(codes) != {"open"}
    }
    for place in outcomes:
        flags[None, place]  # a place with alerts and no flag has a row all the same
    found = [
        Area(
            watch_id,
            place,
            _right("", settled),
            closed=_telling(outcomes.get(place, Counter())),
            false_alarms=outcomes.get(place, Counter())["false_alarm"],
            violence=outcomes.get(place, Counter())["escalated_to_violence"],
        )
        for (watch_id, place), settled in flags.items()
    ]
    found.sort(key=lambda one: (-one.flags.decided - one.closed, one.watch_id or 0, one.place))
    watches = [one for one in found if one.watch_id is not None]
    places = [one for one in found if one.watch_id is None]
    return watches[:MOST_AREAS], places[:MOST_AREAS]


def lead_time(session: Session, since: datetime | None) -> LeadTime:
    """Of the machine's flags raised since then. Of alerts the first that is no exercise."""
    first = (
        select(Alert.flag_id, func.min(Alert.made_at).label("at"))
        .where(~Alert.exercise, Alert.flag_id.is_not(None))
        .group_by(Alert.flag_id)
        .subquery()
    )
    confirmed = func.coalesce(FlagDecision.decision == "confirmed", False)
    rows = session.execute(
        select(
            extract("epoch", Flag.raised_at - Flag.posted_at),
            extract("epoch", first.c.at - Flag.raised_at),
            confirmed,
        )
        .select_from(Flag)
        .outerjoin(FlagDecision, FlagDecision.flag_id == Flag.id)
        .outerjoin(first, first.c.flag_id == Flag.id)
        .where(_since(since), Flag.kind != "report")
    ).all()
    return LeadTime(
        lengths(float(to_flag) for to_flag, _, _ in rows if to_flag is not None),
        lengths(float(to_alert) for _, to_alert, _ in rows if to_alert is not None),
        alerted=sum(sure and to_alert is not None for _, to_alert, sure in rows),
        confirmed=sum(sure for _, _, sure in rows),
    )


def steps(session: Session, since: datetime | None, now: datetime) -> list[Step]:
    """The clock of alerts made since then, exercises apart, stage by stage.

    An interval is told of alerts that were stamped at both of its ends. One with a target stands
    once for each danger level that has one; there an alert that is open, and has run for longer
    than the target, is judged as late though it has no end yet.
    """
    newest = (
        select(Alert.id, Alert.danger_level, AlertOutcome.id.label("outcome"))
        .outerjoin(AlertOutcome, AlertOutcome.alert_id == Alert.id)
        .where(~Alert.exercise, Alert.made_at >= since if since else true())
        .order_by(Alert.id.desc())
        .limit(MOST_ALERTS)
        .subquery()
    )
    stamp = AlertStamp.alert_id == newest.c.id
    rows = session.execute(
        select(newest, AlertStamp.stage, AlertStamp.at).outerjoin_from(newest, AlertStamp, stamp)
    ).all()
    alerts = {(one.id, one.danger_level, one.outcome) for one in rows}
    stamps: dict[int, dict[int, datetime]] = {alert_id: {} for alert_id, _, _ in alerts}
    for row in rows:
        if row.stage is not None:
            stamps[row.id][row.stage] = row.at
    found = []
    for start, end in pairwise(range(len(STAGES))):
        targets = TARGETS.get((start, end), {})
        levels: list[int | None] = [*sorted(targets, reverse=True)] or [None]
        for level in levels:
            theirs = [
                (stamps[alert_id], outcome is not None)
                for alert_id, danger_level, outcome in alerts
                if level in (None, danger_level)
            ]
            target = None if level is None else targets[level]
            found.append(_step(start, end, level, theirs, target, now))
    return found


def outcomes(ended: Mapping[str, Counter[str]]) -> dict[str, int]:
    """Alerts by how they ended, wherever: ``ended`` as from ``endings``."""
    return dict(sum(ended.values(), Counter()))


def _step(
    start: int,
    end: int,
    level: int | None,
    alerts: list[tuple[dict[int, datetime], bool]],
    target: timedelta | None,
    now: datetime,
) -> Step:
    took = [at[end] - at[start] for at, _ in alerts if start in at and end in at]
    waited = [
        now - at[start] for at, closed in alerts if start in at and end not in at and not closed
    ]
    within = judged = 0
    if target is not None:
        within = sum(one <= target for one in took)
        judged = len(took) + sum(one > target for one in waited)
    told = lengths(one.total_seconds() for one in took)
    return Step(start, end, level, told, len(waited), target, within, judged)


def _since(since: datetime | None) -> ColumnElement[bool]:
    return Flag.raised_at >= since if since else true()


def _subject() -> ColumnElement[str]:
    return case(
        (Flag.narrative_id.is_not(None), "Narratives"),
        (Flag.watch_id.is_not(None), "Watches"),
        else_="Counties",
    )


def _right(what: str, settled: Mapping[str, int]) -> Right:
    return Right(
        what,
        settled.get("confirmed", 0),
        settled.get("dismissed", 0),
        settled.get("waiting", 0),
    )


def _telling(codes: Mapping[str, int]) -> int:
    """Closed alerts of which is known whether it was so; a duplicate is told of once."""
    return sum(number for code, number in codes.items() if code not in ("duplicate", "unknown"))
