"""The situation report of a week: its sections, its lines, how it counts.

Made of titles, reasons and counts alone, never of a post's words; counts are ranges. Each line
says how sure we are, on the ladder V0 to V4: what rests on the machine alone is V0. What the data
say is written by monitor.reports.sitrep_draft; a person then reads and edits it.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from monitor import triggers
from monitor.models import Narrative
from sources.places import place_of

SECTIONS = {
    "summary": "In short",
    "situations": "Situations by place",
    "movement": "What rose and what fell",
    "alerts": "Alerts and what came of them",
    "acts": "What we and responders did",
    "ahead": "Days ahead that may raise tension",
    "gaps": "Gaps in the data",
    "unknown": "What is not known",
}
UNGRADED = frozenset({"unknown"})  # what nobody knows has no level
WEEK = timedelta(days=7)
WEEKS_BEFORE = 4  # that a week is compared with
# Counts are told as ranges: an exact number of voices in a small county leads to people, and
# counts of posts are not that exact.
RANGES = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000)
OWN_RECORD = "V4"  # our own deeds, of which we have the record
UNSEEN = "V0"
SEEN = "V1"  # somebody here looked at the posts


@dataclass(frozen=True)
class Line:
    """One statement, and how sure we are of it. ``plain`` is the same without borrowed words."""

    level: str
    text: str
    plain: str = ""

    def __str__(self) -> str:
        return f"[{self.level}] {self.text}" if self.level else self.text


@dataclass(frozen=True)
class Week:
    """The time and the place of a report."""

    since: datetime
    until: datetime  # its end, or now where it runs
    place: str = ""  # FIPS of a county or state; "": everywhere

    def holds(self, place: str) -> bool:
        """Whether a place lies in that of the report."""
        return place.startswith(self.place)


@dataclass
class Draft:
    """Lines by section, and what the other rooms need to add their own."""

    week: Week
    lines: dict[str, list[Line]] = field(default_factory=lambda: {key: [] for key in SECTIONS})
    narratives: dict[int, Narrative] = field(default_factory=dict)  # those told of, by id

    def add(self, section: str, level: str, text: str, plain: str = "") -> None:
        """Add a line to a section, whatever breaks there are in the words it borrows."""
        self.lines[section].append(Line(level, " ".join(text.split()), " ".join(plain.split())))


def week_at(monday: date, place: str, now: datetime) -> Week:
    """The week from a Monday on. ValueError, one sentence, for another day, or one to come."""
    if monday.weekday() != 0:
        raise ValueError("A week begins on a Monday.")
    since = datetime.combine(monday, time(), UTC)
    if since >= now:
        raise ValueError("That week has not begun.")
    if place:
        triggers.county_or_state(place)
    return Week(since, min(since + WEEK, now), place)


def in_range(count: int) -> str:
    """A count as a range: "fewer than 5", "25 to 49", "100,000 or more"."""
    if count < RANGES[0]:
        return f"fewer than {RANGES[0]}"
    for low, high in pairwise(RANGES):
        if count < high:
            return f"{low:,} to {high - 1:,}"
    return f"{RANGES[-1]:,} or more"


def times(ratio: float) -> str:
    """How much more or less than an ordinary week, in words."""
    steps = (
        *((0.15, "hardly any of"), (0.4, "about a third of"), (0.58, "about half of")),
        *(
            (0.8, "about two thirds of"),
            (1.25, "about as many as in"),
            (1.75, "half as many again as in"),
        ),
        *((2.5, "about twice as many as in"), (3.5, "about three times as many as in")),
        *((7.0, "about five times as many as in"), (15.0, "about ten times as many as in")),
    )
    words = next(
        (words for most, words in steps if ratio < most), "far more than ten times those of"
    )
    return f"{words} an ordinary week before"


def name_of_place(code: str) -> str:
    """A county or state as a line begins with it."""
    return place_of(code).name if code else "No one place"
