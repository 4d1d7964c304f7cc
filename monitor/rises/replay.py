"""Replay: what the detectors would have called in the last weeks, under settings of one's choice.

The product's own detectors run over the hours as they were first counted, and what they would have
raised stands beside what was raised and how people settled it. Nothing is changed by it.

Two things it cannot do again: posts that were deleted since stay counted, and what a person's
answer kept quiet, or another flag told already, is called all the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from monitor.models import Flag, Narrative
from monitor.narratives.narratives import HOUR, hour_of
from monitor.rises.baseline import WEEK
from monitor.rises.detect import Settings
from monitor.rises.past_rises import Span, look_again
from monitor.rises.rises import Event
from monitor.rises.series import LEVELS, Subject
from sources.db import among

WEEKS = 4
# A rise and a flag of the same series within so many hours tell of the same thing: a series rests
# that long after its end (detect.Settings.cool_down).
NEAR = timedelta(hours=12)


@dataclass(frozen=True)
class Rise:
    """A rise that would have started."""

    subject: Subject
    narrative: Narrative | None
    start: datetime
    end: datetime | None  # the hour in which it would have been over; None: it still goes on
    event: Event
    few: bool  # as of past_rises.Span
    flags: tuple[Flag, ...]  # those really raised about it, with their decisions

    @property
    def settled(self) -> str:
        """What people said: confirmed, dismissed, undecided, or none where nothing was raised."""
        said = {flag.decision.decision if flag.decision else "undecided" for flag in self.flags}
        return next((one for one in ("confirmed", "dismissed", "undecided") if one in said), "none")


@dataclass(frozen=True)
class Replay:
    """What settings would have called in so many weeks, and what they would have missed."""

    settings: Settings
    weeks: int
    level: int
    since: datetime
    until: datetime  # the end of the last full hour
    watched: int  # as of past_rises.Looked; so the next
    tried: int
    rises: list[Rise] = field(default_factory=list)  # newest first
    missed: list[Flag] = field(default_factory=list)  # real flags that nothing here matches

    def count(self, settled: str) -> int:
        """How many of the rises people have settled so; ``none``: nobody was told of them."""
        return sum(rise.settled == settled for rise in self.rises)

    def missed_as(self, decision: str | None) -> int:
        """How many of the missed flags were decided so; None: not yet."""
        decisions = [flag.decision.decision if flag.decision else None for flag in self.missed]
        return decisions.count(decision)

    @property
    def per_week(self) -> float:
        return len(self.rises) / self.weeks


def replays(
    session: Session,
    several: Sequence[Settings],
    now: datetime,
    weeks: int = WEEKS,
    level: int = 2,
) -> list[Replay]:
    """Run the detectors over the last full ``weeks`` of all narratives, watches and counties.

    Once for each settings, over hours that are read once. ``level``: 2 or 3, whose voices are
    counted. Reads only. ValueError for other levels.
    """
    if level not in LEVELS:
        raise ValueError("Replay counts voices at M2 or above, or at M3 or above.")
    until = hour_of(now)
    since = until - weeks * WEEK * HOUR
    looked = look_again(session, level, several, since, until)
    ids = {span.key for one in looked for span in one.spans if span.kind == "narrative"}
    query = select(Narrative).where(among(Narrative.id, ids))
    narratives = {one.id: one for one in session.scalars(query)} if ids else {}
    flags = _flags(session, level, since, until)
    found = []
    for settings, seen in zip(several, looked, strict=True):
        rises, missed = _beside_flags(seen.spans, flags, narratives, since, until)
        missed = [one for one in missed if one.level == level]
        found.append(
            Replay(settings, weeks, level, since, until, seen.watched, seen.tried, rises, missed)
        )
    return found


def _beside_flags(
    spans: Sequence[Span],
    flags: Mapping[Subject, Sequence[Flag]],
    narratives: Mapping[int, Narrative],
    since: datetime,
    until: datetime,
) -> tuple[list[Rise], list[Flag]]:
    """The rises with the flags that were raised about them, and the flags that match none."""
    rises: list[Rise] = []
    matched: set[int] = set()
    for span in spans:
        subject = _subject(span.kind, span.key)
        start = since + span.start * HOUR
        end = None if span.end is None else since + span.end * HOUR
        theirs = flags.get(subject, [])
        last = (end or until) + NEAR
        near = tuple(one for one in theirs if start - NEAR <= one.hour <= last)
        matched |= {one.id for one in near}
        if span.start >= 0:  # what began before these weeks is not theirs
            narrative = narratives.get(subject.narrative_id or 0)
            rises.append(Rise(subject, narrative, start, end, span.event, span.few, near))
    rises.sort(key=lambda rise: (rise.start, rise.event.effect), reverse=True)
    missed = [one for theirs in flags.values() for one in theirs if one.id not in matched]
    return rises, sorted(missed, key=lambda one: (one.hour, one.id), reverse=True)


def _subject(kind: str, key: int | str) -> Subject:
    if kind == "narrative":
        return Subject(narrative_id=int(key))
    return Subject(watch_id=int(key)) if kind == "watch" else Subject(place=str(key))


def _flags(
    session: Session, level: int, since: datetime, until: datetime
) -> dict[Subject, list[Flag]]:
    """Flags really raised in these hours by their subject; those of what was merged, together.

    Of the level or a graver one: a rise calls once, by the graver.
    """
    query = (
        select(Flag)
        .where(Flag.kind == "spike", Flag.level >= level, Flag.hour >= since, Flag.hour < until)
        .options(joinedload(Flag.decision), joinedload(Flag.narrative))
        .order_by(Flag.hour, Flag.id)
    )
    result: dict[Subject, list[Flag]] = {}
    for flag in session.scalars(query):
        merged_into = flag.narrative.merged_into if flag.narrative else None
        subject = Subject(merged_into or flag.narrative_id, flag.watch_id, flag.place)
        result.setdefault(subject, []).append(flag)
    return result
