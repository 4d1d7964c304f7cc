"""The course of a narrative: its hours as first counted, drawn together where they are many."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.narratives.narratives import DAY, HOUR, hour_of

# Up to which length a course is drawn in which steps: some 170 columns at most, two pixels each on
# a phone. Six hours keep night and day apart.
STEPS = ((7 * DAY, HOUR), (28 * DAY, 6 * HOUR), (168 * DAY, DAY))
LONGEST = STEPS[-1][0]  # of a longer course the end is drawn
DAYS = 60  # told by the day


@dataclass(frozen=True)
class Hour:
    """One hour of a narrative, as first counted."""

    hour: datetime
    posts: int = 0
    authors: int = 0
    dangerous_posts: int = 0
    dangerous_authors: int = 0


@dataclass(frozen=True)
class Step:
    """A part of the course: an hour, or several drawn together.

    People are told apart within an hour, so of several hours the one with most of them stands.
    """

    at: datetime  # its first moment
    posts: int
    authors: int
    dangerous_posts: int
    dangerous_authors: int

    @property
    def share(self) -> float:
        """Of posts at M2 or above, 0 to 1."""
        return self.dangerous_posts / self.posts if self.posts else 0.0


@dataclass(frozen=True)
class Course:
    """A narrative in steps of one length, silent ones included, oldest first."""

    length: timedelta  # of a step
    steps: list[Step]
    cut: bool  # it began earlier than what is shown

    def place(self, moment: datetime) -> float:
        """Where a moment lies between the beginning (0) and the end (1); beyond them outside."""
        return (moment - self.steps[0].at) / (len(self.steps) * self.length)


def course(hours: Sequence[Hour], first: datetime, last: datetime) -> Course:
    """The course from the hour of ``first`` to that of ``last``, or the LONGEST end of it."""
    first, last = hour_of(first), hour_of(last)
    length = next((step for most, step in STEPS if last - first < most), STEPS[-1][1])
    begin, end = _begin(first, length), _begin(last, length)
    earliest = end - LONGEST + length
    cut = begin < earliest
    begin = max(begin, earliest)
    gathered: dict[datetime, list[Hour]] = {}
    for one in hours:
        gathered.setdefault(_begin(one.hour, length), []).append(one)
    count = (end - begin) // length + 1
    moments = [begin + n * length for n in range(count)]
    return Course(length, [_step(at, gathered.get(at, [])) for at in moments], cut)


def days(hours: Sequence[Hour], most: int = DAYS) -> list[Step]:
    """The days (UTC) that had posts, the newest first."""
    gathered: dict[datetime, list[Hour]] = {}
    for one in hours:
        gathered.setdefault(_begin(one.hour, DAY), []).append(one)
    return [_step(at, gathered[at]) for at in sorted(gathered, reverse=True)[:most]]


def _begin(moment: datetime, length: timedelta) -> datetime:
    """The beginning of the step that a moment lies in, counted from midnight UTC."""
    midnight = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // length * length


def _step(at: datetime, hours: Sequence[Hour]) -> Step:
    return Step(
        at=at,
        posts=sum(one.posts for one in hours),
        authors=max((one.authors for one in hours), default=0),
        dangerous_posts=sum(one.dangerous_posts for one in hours),
        dangerous_authors=max((one.dangerous_authors for one in hours), default=0),
    )
