"""A narrative's course as a drawing: what stands where, in the numbers that its SVG is made of.

Columns are drawn on a sheet that is stretched to the width of the page; marks stand above them at
a percentage of that width, so that their numbers keep their shape.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from campaigns.models import Campaign
from monitor.models import Flag
from monitor.narratives.counted import Sent
from monitor.narratives.course import Course, Step
from monitor.narratives.narratives import HOUR

PITCH = 10  # width of a column with its gap, in units of the sheet
HEIGHT = 100  # of the tallest column
LEAST_TOP = 4  # a single post does not fill the sheet
MARKS = 20  # at most, the latest: each has a line below the drawing
CLOSE = 4.0  # hundredths of the width: marks nearer than that stand in two rows
ROW = 22  # pixels, of the marks above the columns

Kind = Literal["message", "alert"]


@dataclass(frozen=True)
class Column:
    """One step of a course. Heights are parts of HEIGHT."""

    step: Step
    x: int
    posts: float
    authors: float
    dangerous: float  # authors at M2 or above
    share: float  # of posts at M2 or above
    flagged: bool


@dataclass(frozen=True)
class Mark:
    """Something that we did, numbered as in the list below the drawing."""

    number: int
    kind: Kind
    what: str
    path: str
    at: datetime
    left: str  # where it stands: hundredths of the width
    row: int  # 0 or 1


@dataclass(frozen=True)
class Plot:
    """All that the drawing of a course needs."""

    columns: list[Column]
    marks: list[Mark]
    width: int
    top: int  # posts that the highest column stands for
    highest_share: float  # of posts at M2 or above, 0 to 1: what the second drawing's height is
    length: timedelta  # of a step
    until: datetime  # the end of the last step
    cut: bool

    @property
    def rows(self) -> int:
        """Rows of marks above the columns."""
        return max((mark.row for mark in self.marks), default=-1) + 1


def plot(course: Course, flags: Iterable[Flag], marks: Iterable[Mark]) -> Plot:
    """The drawing of a course, with the flags raised in it and what we did (numbered here)."""
    steps, length = course.steps, course.length
    top = max(LEAST_TOP, *(step.posts for step in steps))
    highest = max(step.share for step in steps)
    hours = {flag.hour - n * HOUR for flag in flags for n in range(flag.hours)}
    begin = steps[0].at
    flagged = {(hour - begin) // length for hour in hours}
    return Plot(
        columns=[
            Column(
                step=step,
                x=n * PITCH,
                posts=_part(step.posts, top),
                authors=_part(step.authors, top),
                dangerous=_part(step.dangerous_authors, top),
                share=_part(step.share, highest),
                flagged=n in flagged,
            )
            for n, step in enumerate(steps)
        ],
        marks=_placed(course, marks),
        width=len(steps) * PITCH,
        top=top,
        highest_share=highest,
        length=length,
        until=steps[-1].at + length,
        cut=course.cut,
    )


def our_messages(campaigns: Iterable[Campaign]) -> list[Mark]:
    """A mark for each message of ours that went out, by whose voice; not yet placed."""
    found = []
    for message in (message for campaign in campaigns for message in campaign.messages):
        approvals = [one.approval for one in message.versions if one.approval is not None]
        times = [
            delivery.settled_at
            for approval in approvals
            for delivery in approval.deliveries
            if delivery.state == "published" and delivery.settled_at is not None
        ]
        times += [one.listed_out_at for one in approvals if one.listed_out_at is not None]
        if times:  # on several platforms it is one message still
            what = f"{message.voice.name} spoke"
            found.append(_mark("message", what, f"/messages/{message.id}", min(times)))
    return found


def our_alerts(sent: Iterable[Sent]) -> list[Mark]:
    """A mark for each message of an alert; not yet placed."""
    return [_mark("alert", one.headline, f"/alerts/{one.alert_id}", one.at) for one in sent]


def _mark(kind: Kind, what: str, path: str, at: datetime) -> Mark:
    return Mark(0, kind, what, path, at, "", 0)


def _placed(course: Course, marks: Iterable[Mark]) -> list[Mark]:
    """The latest marks within the course, in order, each beside the one before it."""
    inside = [one for one in marks if 0 <= course.place(one.at) <= 1]
    placed: list[Mark] = []
    before = -CLOSE
    for number, one in enumerate(sorted(inside, key=lambda one: one.at)[-MARKS:], 1):
        left = 100 * course.place(one.at)
        row = 1 - placed[-1].row if placed and left - before < CLOSE else 0
        placed.append(Mark(number, one.kind, one.what, one.path, one.at, f"{left:.2f}%", row))
        before = left
    return placed


def _part(number: float, whole: float) -> float:
    return round(HEIGHT * number / whole, 1) if whole else 0.0
