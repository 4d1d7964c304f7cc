"""Days that may raise tension: elections, verdicts, anniversaries, rallies (R21).

What is wrong or moved is withdrawn and added again: no row is changed, so what was known on a day
can be told later. They feed the context of a situation (situations) and the calendar.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, or_, select, true
from sqlalchemy.orm import Session

from monitor import calendar_files
from monitor.calendar_files import LONGEST, NAME_CHARS, NOTE_CHARS, PAST, Dated, Skipped
from monitor.models import TriggerEvent
from sources.places import Place, find_places, place_of

KINDS = {
    "election": "Election",
    "verdict": "Verdict or ruling",
    "anniversary": "Anniversary",
    "rally": "Rally or march",
    "other": "Other",
}
ELECTION_YEARS = 4
SHOWN = 300  # at most, at once
ALIKE_SHOWN = 5  # places told to somebody whose words fit several
MONDAY, TUESDAY, WEDNESDAY = range(3)


@dataclass(frozen=True)
class Imported:
    """What became of a calendar file."""

    added: int
    changed: int  # under the same UID: the old one is withdrawn
    unchanged: int
    withdrawn: int  # called off, or gone from a repeating event
    skipped: list[Skipped]


def place_called(words: str) -> str:
    """The FIPS code of the county or state that somebody means; "" for no words.

    A code is taken as it is. ValueError, one sentence, where it is none or may be several.
    """
    words = " ".join(words.split())
    if not words:
        return ""
    found = [one for one in find_places(words, limit=100) if one.kind != "city"]
    if not found:
        raise ValueError(f"No county or state is called “{words[:NAME_CHARS]}”.")
    exact = [one for one in found if words.casefold() in (one.name.casefold(), one.fips)]
    if len(found) > 1 and len(exact) != 1:
        names = "; ".join(one.name for one in found[:ALIKE_SHOWN])
        raise ValueError(f"Which place do you mean: {names}?")
    return (exact or found)[0].fips


def county_or_state(code: str) -> Place:
    """The county or state of a FIPS code; ValueError, one sentence, where it is neither."""
    place = place_of(code)
    if place.kind == "city":
        raise ValueError("Name a county or a state: no event or situation is kept for a city.")
    return place


def add(
    session: Session,
    *,
    name: str,
    kind: str,
    place: str,
    starts_at: datetime,
    ends_at: datetime,
    note: str,
    by: int,
    now: datetime,
    uid: str = "",
) -> TriggerEvent:
    """Put an event on the calendar. ``place``: FIPS of a county or state, "" for all the country.

    ValueError, one sentence: no name, no such kind or place, or times that cannot be.
    """
    name = calendar_files.plain(name, NAME_CHARS)
    _check(kind, place)
    if not name:
        raise ValueError("Say what it is, so that everybody knows it again.")
    if ends_at < starts_at:
        raise ValueError("It cannot end before it starts.")
    if ends_at - starts_at > LONGEST:
        raise ValueError(f"An event lasts {LONGEST.days} days at most. Name the days that matter.")
    event = TriggerEvent(
        uid=uid or f"{uuid4()}@breakwater",
        name=name,
        kind=kind,
        place=place,
        starts_at=starts_at,
        ends_at=ends_at,
        note=calendar_files.plain(note, NOTE_CHARS),
        by=by,
        at=now,
    )
    session.add(event)
    session.flush()
    return event


def withdraw(session: Session, event: TriggerEvent, by: int, now: datetime) -> None:
    """Take an event off the calendar; it stays known. ValueError if somebody did already."""
    session.refresh(event, with_for_update=True)
    if event.withdrawn_at is not None:
        raise ValueError("Somebody has withdrawn this event already.")
    event.withdrawn_by, event.withdrawn_at = by, now
    session.flush()


def between(
    session: Session,
    since: datetime,
    until: datetime | None,
    place: str | None = None,
    kind: str = "",
) -> list[TriggerEvent]:
    """Events that touch this time, the earliest first.

    ``until`` None: however far ahead. ``place``: those that matter there, nationwide ones among
    them; None for all.
    """
    matters = true() if place is None else _matters_in(place)
    query = select(TriggerEvent).where(touching(since, until), matters)
    if kind:
        query = query.where(TriggerEvent.kind == kind)
    return list(session.scalars(query.order_by(TriggerEvent.starts_at, TriggerEvent.id)))


def touching(since: datetime, until: datetime | None) -> ColumnElement[bool]:
    """Condition: an event is on the calendar and in this time, as ``between`` has it."""
    return and_(
        TriggerEvent.withdrawn_at.is_(None),
        # The end is the first moment after it, but what has no length is there too.
        or_(TriggerEvent.ends_at > since, TriggerEvent.starts_at >= since),
        true() if until is None else TriggerEvent.starts_at < until,
    )


def touches(event: TriggerEvent, since: datetime, until: datetime) -> bool:
    """Whether an event is in this time, as ``between`` has it."""
    return (event.ends_at > since or event.starts_at >= since) and event.starts_at < until


def upcoming(
    session: Session, now: datetime, days: int, place: str | None = None, kind: str = ""
) -> list[TriggerEvent]:
    """Events that go on now or begin within so many days, the next first; places as ``between``."""
    return between(session, now, now + timedelta(days=days), place, kind)


def past(
    session: Session, now: datetime, place: str | None = None, kind: str = ""
) -> list[TriggerEvent]:
    """Events that were over in the last 30 days, the latest first."""
    found = between(session, now - PAST, now, place, kind)
    return [one for one in reversed(found) if one.ends_at <= now]


def withdrawn(session: Session, since: datetime) -> list[TriggerEvent]:
    """Events taken off the calendar since then, the latest first."""
    query = select(TriggerEvent).where(TriggerEvent.withdrawn_at >= since)
    return list(
        session.scalars(
            query.order_by(TriggerEvent.withdrawn_at.desc(), TriggerEvent.id.desc()).limit(SHOWN)
        )
    )


def import_calendar(
    session: Session,
    data: bytes,
    kind: str,
    place: str,
    zone: tzinfo,
    by: int,
    now: datetime,
) -> Imported:
    """Take in an iCalendar file, all of it as one kind and for one place.

    An event is known by its UID: with other words or times it replaces the one that stands, called
    off it is withdrawn. ``zone``: where whole days are meant. ValueError, one sentence, for a file
    that cannot be read at all; nothing is changed then.
    """
    _check(kind, place)
    contents = calendar_files.read(data, zone, now)
    stands = {
        one.uid: one
        for one in session.scalars(
            select(TriggerEvent).where(TriggerEvent.withdrawn_at.is_(None)).with_for_update()
        )
    }
    fresh, old, unchanged = [], [], 0
    for uid, event in contents.events.items():
        before = stands.get(uid)
        if before is None:
            fresh.append(event)
        elif (before.kind, before.place) != (kind, place) or dated(before) != event:
            fresh.append(event)
            old.append(before)
        else:
            unchanged += 1
    gone = [
        one
        for uid, one in stands.items()
        if uid not in contents.events
        and calendar_files.series_of(uid) in contents.uids
        and one.ends_at >= now - PAST
    ]
    for one in (*old, *gone):
        one.withdrawn_by, one.withdrawn_at = by, now
    session.flush()  # of one UID only one may stand
    session.add_all(
        TriggerEvent(
            uid=one.uid,
            name=one.name,
            kind=kind,
            place=place,
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            note=one.note,
            by=by,
            at=now,
        )
        for one in fresh
    )
    session.flush()
    return Imported(len(fresh) - len(old), len(old), unchanged, len(gone), contents.skipped)


def export_calendar(session: Session, zone: tzinfo, now: datetime) -> bytes:
    """All that stands and is not over for long, as an iCalendar file."""
    events = between(session, now - PAST, None)
    return calendar_files.write(map(dated, events), zone, now)


def dated(event: TriggerEvent) -> Dated:
    """An event as a calendar file holds it."""
    return Dated(event.uid, event.name, event.starts_at, event.ends_at, event.note)


def election_days(first: date) -> list[tuple[str, date, str]]:
    """The federal election days of the next four years: name, day, and by which law.

    By rule alone: 2 U.S.C. 7 and 3 U.S.C. 1, and after a presidential election 3 U.S.C. 7 and 15.
    """
    found = []
    for year in range(first.year - 1, first.year + ELECTION_YEARS + 1):
        if year % 2:
            continue
        day = _next(TUESDAY, _next(MONDAY, date(year, 11, 1)))
        found.append((f"Federal election {year}", day, "2 U.S.C. 7"))
        if year % 4 == 0:
            second = _next(WEDNESDAY, date(year, 12, 1)) + timedelta(days=7)
            meet = _next(TUESDAY, second)
            found.append((f"Electors of {year} meet in their states", meet, "3 U.S.C. 7"))
            note = "3 U.S.C. 15; Congress can set another day by law"
            count = date(year + 1, 1, 6)
            found.append((f"Congress counts the electoral votes of {year}", count, note))
    last = first + timedelta(days=365 * ELECTION_YEARS + 1)
    return [one for one in found if first <= one[1] <= last]


def add_election_days(session: Session, zone: tzinfo, by: int, now: datetime) -> int:
    """Add those of the election days that do not stand yet, as whole days; how many."""
    wanted = {
        f"{name.lower().replace(' ', '-')}@breakwater": (name, day, note)
        for name, day, note in election_days(now.astimezone(zone).date())
    }
    stands = select(TriggerEvent.uid).where(
        TriggerEvent.withdrawn_at.is_(None), TriggerEvent.uid.in_(wanted)
    )
    missing = wanted.keys() - set(session.scalars(stands))
    for uid in sorted(missing):
        name, day, note = wanted[uid]
        starts, ends = whole_days(day, day, zone)
        add(
            session,
            name=name,
            kind="election",
            place="",
            starts_at=starts,
            ends_at=ends,
            note=note,
            by=by,
            now=now,
            uid=uid,
        )
    return len(missing)


def whole_days(first: date, last: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """From the first moment of one day to the first after another, in ``zone``."""
    return (
        datetime.combine(first, time(), zone),
        datetime.combine(last + timedelta(days=1), time(), zone),
    )


def days_of(event: TriggerEvent, zone: tzinfo) -> list[date]:
    """The days in ``zone`` on which an event is, the first one at least."""
    first = event.starts_at.astimezone(zone).date()
    # Its end is the first moment after it: a day that has no more of it than midnight has none.
    last = (event.ends_at - timedelta(microseconds=1)).astimezone(zone).date()
    return [first + timedelta(days=n) for n in range(max(0, (last - first).days) + 1)]


def _matters_in(place: str) -> ColumnElement[bool]:
    """There, over all of it, in a part of it, or nationwide; in "" only what is nationwide."""
    wide = TriggerEvent.place.in_(["", place, place[:2]])
    if len(place) == len("26"):
        return or_(wide, TriggerEvent.place.startswith(place, autoescape=True))
    return wide


def _check(kind: str, place: str) -> None:
    if kind not in KINDS:
        raise ValueError("Say what kind of event it is.")
    if place:
        county_or_state(place)


def _next(weekday: int, after: date) -> date:
    """The first such weekday from ``after`` on; for a Tuesday after a Monday, the day after it."""
    return after + timedelta(days=(weekday - after.weekday()) % 7)
