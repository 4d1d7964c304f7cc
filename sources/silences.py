"""When sources brought nothing, and why: what is not known because nobody could read it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Subquery, literal, null, select, union_all
from sqlalchemy.orm import Session

from sources.models import STREAMED_KINDS, Source, SourceEvent, SourceHour
from sources.register import FAILING, PAUSING

HOUR = timedelta(hours=1)
STARTS = {"failed": "failing", "paused": "paused"}
ENDS = {"recovered": "failing", "resumed": "paused"}
# Of a stream, which brings something every second: fewer hours without a post are the edges of a
# pause, a restart, a full hour not yet over.
MUTE_HOURS = 2
HEARD = "heard"  # of an hour, where the others are kinds of events
STREAMS = STREAMED_KINDS - {"example"}  # it plays once and ends


@dataclass(frozen=True)
class Silence:
    """A time in which one source brought nothing."""

    source: Source
    kind: str  # failing, paused, or mute: it ran and nothing came
    began_at: datetime
    ended_at: datetime | None  # None: it goes on
    why: str  # the collector's or a person's words; they may hold an address
    by: int | None  # who paused it


def silences(session: Session, since: datetime, until: datetime) -> list[Silence]:
    """Every silence that touches this time, by when it began; whole, not cut to it. One query."""
    event = _events_and_hours(since, until)
    rows = session.execute(
        select(Source, *event.c)
        .outerjoin(event, event.c.source_id == Source.id)
        .order_by(Source.id, event.c.id)
    ).all()
    sources = {row.Source.id: row.Source for row in rows}
    heard = {(row.source_id, row.at) for row in rows if row.kind == HEARD}
    found = [
        one
        for one in _told(sources, [row for row in rows if row.kind not in (HEARD, None)])
        if one.began_at < until and (one.ended_at is None or one.ended_at > since)
    ]
    found += _mute(sources, heard, found, since, until)
    return sorted(found, key=lambda one: (one.began_at, one.source.id))


def _events_and_hours(since: datetime, until: datetime) -> Subquery:
    """What happened to sources until then, and the hours in which a stream brought a post."""
    event, hour = SourceEvent, SourceHour
    return union_all(
        select(
            *(event.id.label("id"), event.source_id.label("source_id"), event.kind.label("kind")),
            *(event.at.label("at"), event.detail.label("detail"), event.by.label("by")),
        ).where(event.kind.in_((*FAILING, *PAUSING)), event.at < until),
        select(null(), hour.source_id, literal(HEARD), hour.hour, literal(""), null())
        .join(Source, Source.id == hour.source_id)
        .where(
            Source.kind.in_(STREAMS),
            *(hour.hour >= since - HOUR, hour.hour < until, hour.seen > 0),
        ),
    ).subquery()


def never_read(session: Session, until: datetime) -> list[Source]:
    """Sources on the register by then that have not brought a single batch to this day."""
    query = select(Source).where(Source.created_at < until, Source.last_batch_at.is_(None))
    return list(session.scalars(query.order_by(Source.id)))


def _told(sources: dict[int, Source], events: Iterable[Any]) -> list[Silence]:
    """From each failure or pause to the recovery or resumption that follows it."""
    found: list[Silence] = []
    running: dict[tuple[int, str], Any] = {}
    for event in events:
        if kind := STARTS.get(event.kind):
            running.setdefault((event.source_id, kind), event)  # a second failure changes nothing
        elif (kind := ENDS[event.kind]) and (first := running.pop((event.source_id, kind), None)):
            found.append(_silence(sources, first, kind, event.at))
    found += [_silence(sources, first, kind, None) for (_, kind), first in running.items()]
    return found


def _silence(
    sources: dict[int, Source], first: Any, kind: str, ended_at: datetime | None
) -> Silence:
    source = sources[first.source_id]
    return Silence(source, kind, first.at, ended_at, first.detail, first.by)


def _mute(
    sources: dict[int, Source],
    heard: Collection[tuple[int, datetime]],
    told: Iterable[Silence],
    since: datetime,
    until: datetime,
) -> list[Silence]:
    """Runs of full hours in which a stream that was not stopped brought no post at all."""
    found: list[Silence] = []
    for source in sources.values():
        if source.kind not in STREAMS or source.last_batch_at is None:
            continue
        stopped = [one for one in told if one.source.id == source.id]
        hour = max(since, source.created_at).replace(minute=0, second=0, microsecond=0) + HOUR
        run: list[datetime] = []
        while hour + HOUR <= until:
            mute = (source.id, hour) not in heard and not any(
                one.began_at < hour + HOUR and (one.ended_at is None or one.ended_at > hour)
                for one in stopped
            )
            if mute:
                run.append(hour)
            if run and (not mute or hour + 2 * HOUR > until):
                if len(run) >= MUTE_HOURS:
                    end = None if mute else hour
                    found.append(Silence(source, "mute", run[0], end, "", None))
                run = []
            hour += HOUR
    return found
