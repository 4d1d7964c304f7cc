"""The register of sources: what we read, what is due, and how each one fares."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased

from sources.models import (
    POLLED_KINDS,
    STREAMED_KINDS,
    RejectedItem,
    Source,
    SourceEvent,
    SourceHour,
)
from sources.reddit import parse_address

PAUSING = ("paused", "resumed")
FAILING = ("failed", "recovered")
# Streams report every second and polls run within a minute of being due: beyond this the worker
# that should do it is not there.
SILENCE = timedelta(minutes=5)
HOUR = timedelta(hours=1)
HOURS = 24  # shown of each source

SCHEMES = {
    "feed": ("http", "https"),
    "jetstream": ("ws", "wss"),
    "firehose": ("ws", "wss"),
}

State = Literal["waiting", "running", "failing", "paused", "off"]


@dataclass(frozen=True, slots=True)
class HourOfSource:
    """Posts read and kept in one hour."""

    hour: datetime
    seen: int = 0
    kept: int = 0


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One line of the sources page."""

    source: Source
    state: State
    detail: str  # plain words
    lag: float | None  # seconds between now and the newest post read; empty if nothing to measure
    minutes: float  # since the last full hour began: at least 60
    hours: Sequence[HourOfSource]  # the last HOURS, the oldest first, silent ones included
    rejected: int

    @property
    def rate(self) -> float:
        """Posts read a minute, over the last full hour and what has passed of this one."""
        return sum(hour.seen for hour in self.hours[-2:]) / self.minutes

    @property
    def day(self) -> int:
        """Posts kept in the last day."""
        return sum(hour.kept for hour in self.hours)


def add_source(session: Session, kind: str, address: str, name: str, now: datetime) -> Source:
    """Put a source on the register. ValueError: one sentence that says what is wrong with it."""
    address = _checked(kind, address.strip())
    twin = session.scalar(select(Source).where(Source.kind == kind, Source.address == address))
    if twin is not None:
        raise ValueError(f"{address} is on the list already, as “{twin.name}”.")
    source = Source(
        kind=kind,
        address=address,
        name=" ".join(name.split()) or address,
        seen=0,
        kept=0,
        created_at=now,
    )
    session.add(source)
    session.flush()
    return source


def _checked(kind: str, address: str) -> str:
    """The address in the form we keep. ValueError when this kind cannot be read from it."""
    if kind not in STREAMED_KINDS | POLLED_KINDS:
        raise ValueError(f"“{kind}” is no kind of source we can read.")
    if not address:
        raise ValueError("A source needs an address.")
    if kind == "reddit":
        return str(parse_address(address))
    if kind == "jetstream":  # several hosts of one stream
        return " ".join(_checked_url(kind, host) for host in re.split(r"[\s,]+", address) if host)
    if kind in SCHEMES:
        return _checked_url(kind, address)
    return address


def _checked_url(kind: str, address: str) -> str:
    schemes = SCHEMES[kind]
    try:
        url = urlsplit(address)
        usable = url.scheme in schemes and bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f]", address):
        raise ValueError(
            f"“{address}” is no address we can read; it must begin with "
            f"{schemes[0]}:// or {schemes[1]}://."
        )
    if url.username or url.password:
        raise ValueError("The address holds a password; everybody here would see it.")
    return address


def pause(session: Session, source: Source, by: int | None, why: str, now: datetime) -> None:
    """Stop reading ``source``; the collector that runs stops within one batch.

    ``by`` is empty when the machine stops it for good, and then the page says "off".
    """
    if not is_paused(session, source):
        _record(session, source, "paused", why, by, now)


def resume(session: Session, source: Source, by: int | None, why: str, now: datetime) -> None:
    """Read ``source`` again, at once and from where it stopped."""
    if is_paused(session, source):
        _record(session, source, "resumed", why, by, now)
        source.next_poll_at = None


def move(session: Session, source: Source, address: str, now: datetime) -> None:
    """Read ``source`` at another address from now on, because its keeper moved it there.

    Where another source reads that address already, this one stops.
    """
    if address == source.address:
        return
    same = select(Source).where(Source.kind == source.kind, Source.address == address)
    twin = session.scalar(same)
    if twin is None:
        _record(session, source, "moved", f"From {source.address} to {address}", None, now)
        source.address = address
    else:
        why = f"It has moved to {address}, which is read already as “{twin.name}”."
        pause(session, source, None, why, now)


def _record(
    session: Session, source: Source, kind: str, why: str, by: int | None, now: datetime
) -> None:
    session.add(SourceEvent(source_id=source.id, kind=kind, detail=why.strip(), by=by, at=now))
    session.flush()


def last_event(session: Session, source: Source, kinds: Sequence[str]) -> SourceEvent | None:
    """The newest event of ``source`` among ``kinds``, if there is one."""
    return session.scalar(
        select(SourceEvent)
        .where(SourceEvent.source_id == source.id, SourceEvent.kind.in_(kinds))
        .order_by(SourceEvent.id.desc())
        .limit(1)
    )


def is_paused(session: Session, source: Source) -> bool:
    """Whether the last word on ``source`` was to stop."""
    event = last_event(session, source, PAUSING)
    return event is not None and event.kind == "paused"


def due_sources(session: Session, now: datetime) -> list[Source]:
    """Polled sources whose time has come, the longest waiting first."""
    due = session.scalars(
        select(Source)
        .where(Source.kind.in_(POLLED_KINDS))
        .where(func.coalesce(Source.next_poll_at, now) <= now)
        .order_by(Source.next_poll_at.nulls_first(), Source.id)
    )
    paused = _latest(session, PAUSING)
    return [source for source in due if not _is(paused.get(source.id), "paused")]


def streamed_sources(session: Session) -> list[Source]:
    """Sources that should be read all the time."""
    streamed = session.scalars(
        select(Source).where(Source.kind.in_(STREAMED_KINDS)).order_by(Source.id)
    )
    paused = _latest(session, PAUSING)
    return [source for source in streamed if not _is(paused.get(source.id), "paused")]


def sources_by_name(session: Session) -> list[Source]:
    """Every source, by its name."""
    return list(session.scalars(select(Source).order_by(func.lower(Source.name), Source.id)))


def count_active(session: Session, kind: str) -> int:
    """How many sources of a kind are not paused."""
    ids = session.scalars(select(Source.id).where(Source.kind == kind)).all()
    paused = _latest(session, PAUSING)
    return sum(not _is(paused.get(source_id), "paused") for source_id in ids)


def _latest(session: Session, kinds: Sequence[str]) -> dict[int, SourceEvent]:
    """The newest event among ``kinds`` of every source, by source id."""
    events = session.scalars(
        select(SourceEvent)
        .where(SourceEvent.kind.in_(kinds))
        .ext(distinct_on(SourceEvent.source_id))
        .order_by(SourceEvent.source_id, SourceEvent.id.desc())
    )
    return {event.source_id: event for event in events}


def _is(event: SourceEvent | None, kind: str) -> bool:
    return event is not None and event.kind == kind


def states(session: Session, now: datetime) -> list[tuple[Source, State, str]]:
    """Every source with its state and what that means in plain words, as added. One query."""
    paused, failing = aliased(SourceEvent), aliased(SourceEvent)
    rows = session.execute(
        select(Source, paused, failing)
        .outerjoin_from(Source, paused, paused.id == _newest(PAUSING))
        .outerjoin(failing, failing.id == _newest(FAILING))
        .order_by(Source.id)
    )
    return [(source, *_state(source, pause, fault, now)) for source, pause, fault in rows]


def _newest(kinds: Sequence[str]) -> ScalarSelect[int]:
    """The id of a source's newest event among these kinds."""
    newest = select(func.max(SourceEvent.id))
    newest = newest.where(SourceEvent.source_id == Source.id, SourceEvent.kind.in_(kinds))
    return newest.correlate(Source).scalar_subquery()


def health(session: Session, now: datetime) -> list[SourceHealth]:
    """How every source fares, in the order in which they were added."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    moments = [this_hour - step * HOUR for step in reversed(range(HOURS))]
    counted: dict[int, dict[datetime, HourOfSource]] = {}
    for row in session.scalars(select(SourceHour).where(SourceHour.hour >= moments[0])):
        hour = HourOfSource(row.hour, row.seen, row.kept)
        counted.setdefault(row.source_id, {})[row.hour] = hour
    rejections = select(RejectedItem.source_id, func.count()).group_by(RejectedItem.source_id)
    rejected = dict(session.execute(rejections).all())
    lines = []
    for source, state, detail in states(session, now):
        hours = counted.get(source.id, {})
        lines.append(
            SourceHealth(
                source=source,
                state=state,
                detail=detail,
                lag=_lag(source, now),
                minutes=60 + (now - this_hour).total_seconds() / 60,
                hours=[hours.get(moment, HourOfSource(moment)) for moment in moments],
                rejected=rejected.get(source.id, 0),
            )
        )
    return lines


def rejects(session: Session, source: Source, limit: int = 20) -> list[RejectedItem]:
    """The newest items of a source that could not be read."""
    return list(
        session.scalars(
            select(RejectedItem)
            .where(RejectedItem.source_id == source.id)
            .order_by(RejectedItem.id.desc())
            .limit(limit)
        )
    )


def events(session: Session, source: Source, limit: int = 20) -> list[SourceEvent]:
    """The newest changes of a source's state."""
    return list(
        session.scalars(
            select(SourceEvent)
            .where(SourceEvent.source_id == source.id)
            .order_by(SourceEvent.id.desc())
            .limit(limit)
        )
    )


def _lag(source: Source, now: datetime) -> float | None:
    # The example tells of past days: its distance from now is no lag.
    if source.newest_post_at is None or source.kind == "example":
        return None
    return max(0.0, (now - source.newest_post_at).total_seconds())


def _state(
    source: Source, paused: SourceEvent | None, failing: SourceEvent | None, now: datetime
) -> tuple[State, str]:
    if paused is not None and paused.kind == "paused":
        if paused.by is None:
            return "off", paused.detail
        return "paused", paused.detail or "Paused by hand."
    if failing is not None and failing.kind == "failed":
        return "failing", failing.detail
    if source.last_batch_at is None:
        return "waiting", "Nothing read yet."
    expected = source.next_poll_at if source.kind in POLLED_KINDS else source.last_batch_at
    if expected is not None and now - expected > SILENCE:
        return "waiting", "Overdue: the worker that reads it may not be running."
    if source.kind in STREAMED_KINDS:
        return "running", "Reading as it comes."
    minutes = 0 if expected is None else max(0, round((expected - now).total_seconds() / 60))
    return "running", f"Next look in {minutes} min." if minutes else "Next look now."
