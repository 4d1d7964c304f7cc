"""The rises of narratives, watches and counties, as their last hours tell them, at both levels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from monitor.flags.flags import RECENT
from monitor.models import Flag
from monitor.narratives.narratives import HOUR
from monitor.rises.baseline import DAY, Prior
from monitor.rises.detect import Found, Settings, examine
from monitor.rises.rises import Course, Event, called_at, cleared_at, course
from monitor.rises.series import LEVELS, TESTED, Series, Subject


@dataclass(frozen=True)
class Rise:
    """A rise of one subject at one level, as the last hours tell it."""

    subject: Subject
    level: int
    since: datetime | None  # its first hour; None: before the hours that were tested
    until: datetime  # its last hour so far, or the one in which it was over
    cleared: datetime | None
    clear: str | None  # the sentence of that
    hour: datetime | None  # its loudest hour of the last day, if any was called
    event: Event | None  # what called that hour
    people: dict[int, int]  # different people in that hour, by LEVELS
    known: int  # hours of history
    rate: float  # dangerous authors an hour that are assumed of what is young

    def holds(self, flag: Flag) -> bool:
        """Whether a flag tells of this rise."""
        return (self.since is None or self.since <= flag.hour) and flag.hour <= self.until

    @property
    def called(self) -> tuple[datetime, Event]:
        """Its loudest hour and what called it; ValueError where none was called."""
        if self.hour is None or self.event is None:
            raise ValueError("no hour of this rise was called")
        return self.hour, self.event

    def overlaps(self, other: "Rise") -> bool:
        """Whether two rises go on at the same time."""
        return (self.since is None or self.since <= other.until) and (
            other.since is None or other.since <= self.until
        )


def rises_of(
    series: Series,
    priors: dict[int, Prior],
    told: Mapping[Subject, Sequence[Flag]],
    settings: Settings,
    now: datetime,
    besides: int = 0,
) -> Iterator[Rise]:
    """The rises of a series of subjects in its last hours.

    ``told``: the flags of each subject; a rise that was open before these hours is not started
    again. ``besides``: as of ``detect.adjusted``. Nothing is called that is older than a day.
    """
    start = series.end - (TESTED - 1) * HOUR
    founds: dict[int, Found] = {}
    courses: dict[int, Course] = {}
    opened: dict[int, list[bool]] = {}
    for level in LEVELS:
        opened[level] = [
            any(_open_at(flag, level, start) for flag in told.get(subject, ()))
            for subject in series.subjects
        ]
        founds[level] = examine(
            *(series.people[level], series.everyone),
            hour_of_week=series.end.weekday() * DAY + series.end.hour,
            known=series.known,
            voices=series.day.get(level),
            last=TESTED,
            prior=priors[level],
            settings=settings,
        )
        courses[level] = course(
            founds[level], settings, opened=opened[level], complete=False, besides=besides
        )
    for level in LEVELS:
        found, followed = founds[level], courses[level]
        stirred = (followed.start | followed.open | followed.clear).any(axis=0)
        for i in np.flatnonzero(stirred).tolist():
            for first, last, over in _spans(followed, i, opened[level][i]):
                since = max(first, 0)
                called = [
                    t
                    for t in range(since, last + 1)
                    if followed.test[t, i] >= 0 and start + t * HOUR > now - RECENT
                ]
                at = max(called, key=lambda t: (found.observed[t, i], -t), default=None)
                quiet = settings.clear_after
                yield Rise(
                    series.subjects[i],
                    level,
                    since=None if first < 0 else start + first * HOUR,
                    until=start + last * HOUR,
                    cleared=start + last * HOUR if over else None,
                    clear=cleared_at(found, last, i, "", quiet).sentence if over else None,
                    hour=None if at is None else start + at * HOUR,
                    event=None if at is None else called_at(found, followed, at, i),
                    people={}
                    if at is None
                    else {one: int(founds[one].observed[at, i]) for one in LEVELS},
                    known=int(series.known[i]),
                    rate=priors[level].rate,
                )


def _open_at(flag: Flag, level: int, hour: datetime) -> bool:
    """Whether a flagged rise was open before ``hour``."""
    return (
        flag.level >= level
        and flag.hour < hour
        and (flag.cleared_hour is None or flag.cleared_hour >= hour)
    )


def _spans(followed: Course, i: int, is_open: bool) -> Iterator[tuple[int, int, bool]]:
    """First and last hour of each rise of a series, and whether it is over; -1: from before."""
    first = -1
    last = len(followed.start) - 1
    for t in range(last + 1):
        if followed.start[t, i]:
            first, is_open = t, True
        if followed.clear[t, i]:
            yield first, t, True
            is_open = False
    if is_open:
        yield first, last, False
