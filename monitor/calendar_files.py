"""iCalendar files (RFC 5545), read and written: days with a name, whoever keeps the calendar.

What comes in is hostile until it is read: one broken event costs itself and no other, and the days
of a repeating one are worked out by dateutil as far as the desk looks ahead, no farther.
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rruleset, rrulestr  # type: ignore[import-untyped, unused-ignore]
from icalendar import Calendar, Event, vRecur

MAX_BYTES = 2 * 1024 * 1024  # the calendar of a busy county for ten years has a tenth of it
MAX_EVENTS = 5_000  # in one file, each day of a repeating event counted
PAST = timedelta(days=30)  # what has been over for longer is not shown
AHEAD = timedelta(days=731)  # two years, one of them a leap year
LONGEST = timedelta(days=60)  # early voting takes 46 days; what lasts longer is no event
NAME_CHARS = 200
NOTE_CHARS = 500
# dateutil looks for days that never come up to the year 9999, and with INTERVAL=0 for ever. Of
# these rules each takes half a second at most.
RARE = {"MONTHLY", "YEARLY"}
SIMPLE = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"}
FOR_RARE = {"BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"}
WORKING_SECONDS = 10.0  # for all repeating events of a file together
# What stands behind a repeating event's own UID says which of its days it is.
OCCURRENCE = re.compile(r"#\d{8}(T\d{6}Z)?$")
PRODUCT = "-//Breakwater//Days that may raise tension//EN"

NO_CALENDAR = "This is no iCalendar file. Such a file ends in .ics and holds events."


@dataclass(frozen=True)
class Dated:
    """Something at a time. ``ends_at`` is the first moment after it."""

    uid: str
    name: str
    starts_at: datetime
    ends_at: datetime
    note: str = ""


@dataclass(frozen=True)
class Skipped:
    """What of a file was not taken, and why in one sentence."""

    name: str
    why: str


@dataclass
class Contents:
    """What a file says: events by UID, and the UIDs in it that could be read.

    A day of one of ``uids`` that stands nowhere in ``events`` is called off or over.
    """

    events: dict[str, Dated] = field(default_factory=dict)
    uids: set[str] = field(default_factory=set)
    skipped: list[Skipped] = field(default_factory=list)


class UnreadError(Exception):
    """One event cannot be taken; the message says why."""


def read(data: bytes, zone: tzinfo, now: datetime) -> Contents:
    """The events of a file that are not over for long and not too far ahead.

    ``zone``: where whole days, and times without a zone, are meant. ValueError, one sentence, for
    a file that is too large or no calendar.
    """
    if len(data) > MAX_BYTES:
        raise ValueError("The file is larger than 2 MB. Export fewer years of it.")
    if data.upper().count(b"BEGIN:VEVENT") > MAX_EVENTS:
        raise ValueError(f"The file has more than {MAX_EVENTS:,} events. Export fewer years of it.")
    try:
        found = Calendar.from_ical(data, multiple=True)
        calendars = [one for one in found if isinstance(one, Calendar)]
        zone = _floating(calendars, zone)
        series = _series(calendars)
    except Exception:  # whatever a parser says of what is no calendar
        raise ValueError(NO_CALENDAR) from None
    if not calendars:
        raise ValueError(NO_CALENDAR)
    contents, stop = Contents(), time.monotonic() + WORKING_SECONDS
    for uid, events in series:
        try:
            _take(contents, _Series(uid, events, zone, now, stop).days(), uid, now)
        except UnreadError as fault:
            contents.skipped.append(Skipped(_name(events[0]), str(fault)))
        except Exception:  # a broken property is found out when it is used
            contents.skipped.append(Skipped(_name(events[0]), "It cannot be read."))
        if len(contents.events) > MAX_EVENTS:
            raise ValueError(f"Its repeating events come to more than {MAX_EVENTS:,} days.")
    return contents


def write(events: Iterable[Dated], zone: tzinfo, now: datetime) -> bytes:
    """A file of them. What goes from midnight to midnight in ``zone`` is written as whole days."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    for one in events:
        event = Event()
        event.add("uid", one.uid)
        event.add("dtstamp", now.astimezone(UTC))
        event.add("summary", one.name)
        starts, ends = one.starts_at.astimezone(zone), one.ends_at.astimezone(zone)
        whole = are_whole_days(starts, ends)
        event.add("dtstart", starts.date() if whole else starts.astimezone(UTC))
        event.add("dtend", ends.date() if whole else ends.astimezone(UTC))
        if one.note:
            event.add("location", one.note)
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def are_whole_days(starts: datetime, ends: datetime) -> bool:
    """Whether two local times are midnights, the second after the first."""
    return starts < ends and starts.time() == ends.time() == time_of_day()


def series_of(uid: str) -> str:
    """The UID in a file that an event's own is made of."""
    return OCCURRENCE.sub("", uid)


def plain(text: object, limit: int) -> str:
    """Words on one line without control characters, cut to ``limit`` characters."""
    first = text[0] if isinstance(text, list) and text else text
    kept = "".join(c if c.isprintable() else " " for c in str(first or ""))
    words = " ".join(kept.split())
    return words if len(words) <= limit else f"{words[: limit - 1]}…"


def _name(event: Event) -> str:
    return plain(event.get("SUMMARY"), NAME_CHARS)


def _floating(calendars: list[Calendar], zone: tzinfo) -> tzinfo:
    """Where times without a zone are meant: what the calendar says of itself, else ``zone``."""
    for one in calendars:
        try:
            return ZoneInfo(str(one["X-WR-TIMEZONE"]))
        except (KeyError, ValueError, OSError):  # not said, or no zone that anybody knows
            continue
    return zone


def _series(calendars: list[Calendar]) -> list[tuple[str, list[Event]]]:
    """The events of one UID together; those without any each for itself."""
    named: dict[str, list[Event]] = {}
    nameless: list[tuple[str, list[Event]]] = []
    for calendar in calendars:
        for event in calendar.walk("VEVENT"):
            if not isinstance(event, Event):
                continue
            if str(calendar.get("METHOD", "")).upper() == "CANCEL":
                event["STATUS"] = "CANCELLED"
            if uid := plain(event.get("UID"), NOTE_CHARS):
                named.setdefault(uid, []).append(event)
            else:
                nameless.append(("", [event]))
    return [*named.items(), *nameless]


def _take(contents: Contents, days: list[Dated], uid: str, now: datetime) -> None:
    """Add what lies in the time that the desk looks at; say of the rest that it does not."""
    contents.uids.add(uid)
    for one in days:
        if one.ends_at < now - PAST:
            contents.skipped.append(Skipped(one.name, "It was over more than 30 days ago."))
        elif one.starts_at > now + AHEAD:
            contents.skipped.append(Skipped(one.name, "It is more than two years ahead."))
        else:
            contents.events[one.uid] = one


@dataclass
class _Series:
    """The events of one UID: one, or one that repeats and those of its days that were moved."""

    uid: str
    events: list[Event]
    zone: tzinfo
    now: datetime
    stop: float  # of time.monotonic

    def days(self) -> list[Dated]:
        """Each day it takes place; none if it is called off. UnreadError where it is unclear."""
        if not self.uid:
            raise UnreadError("It has no UID, by which it would be known again.")
        moved: dict[str, Event] = {}
        main: Event | None = None
        for event in sorted(self.events, key=lambda one: one.sequence):
            again: Any = event.get("RECURRENCE-ID")
            if again is None:
                main = event  # the highest sequence holds
            elif "RANGE" in again.params:
                raise UnreadError("It moves all of its later days at once, which is not read here.")
            else:
                moved[self._stamp(again.dt)] = event
        found = {f"{self.uid}#{key}": self._once(key, one) for key, one in moved.items()}
        if main is not None and not _called_off(main):
            if not main.rrules and not main.rdates:
                found[self.uid] = self._once("", main)
            else:
                found = self._repeated(main) | found
        return [one for one in found.values() if one is not None]

    def _once(self, key: str, event: Event) -> Dated | None:
        """An event as it stands; None if it is called off."""
        if _called_off(event):
            return None
        uid = f"{self.uid}#{key}" if key else self.uid
        starts, ends = self._ends_of(event)
        return self._dated(uid, event, starts, ends)

    def _repeated(self, event: Event) -> dict[str, Dated | None]:
        """The days of a repeating event that lie in the time the desk looks at."""
        if time.monotonic() > self.stop:
            raise UnreadError("The repeating events of this file take too long to work out.")
        starts, ends = self._ends_of(event)
        home = event.start.tzinfo if isinstance(event.start, datetime) else None
        home = home or self.zone
        first = starts.astimezone(home).replace(tzinfo=None)
        last = (self.now + AHEAD).astimezone(home).replace(tzinfo=None)
        since = (self.now - PAST - LONGEST).astimezone(home).replace(tzinfo=None)
        days = rruleset()
        days.rdate(first)
        for rule in event.rrules:
            days.rrule(rrulestr(_checked(rule, home), dtstart=first))
        for again, _ in event.rdates:
            days.rdate(_local(again, first, home))
        for never in event.exdates:
            days.exdate(_local(never, first, home))
        length = ends.astimezone(home).replace(tzinfo=None) - first
        whole = not isinstance(event.start, datetime)
        found: dict[str, Dated | None] = {}
        for day in days.between(since, last, inc=True):
            begins = day.replace(tzinfo=home)
            uid = f"{self.uid}#{self._stamp(day.date() if whole else begins)}"
            one = self._dated(uid, event, begins, (day + length).replace(tzinfo=home))
            if one.ends_at >= self.now - PAST:
                found[uid] = one
        return found

    def _ends_of(self, event: Event) -> tuple[datetime, datetime]:
        """When it starts and when it is over."""
        if "DTSTART" not in event:
            raise UnreadError("It does not say when it is.")
        starts, ends = event.start, event.end
        for key in ("DTSTART", "DTEND"):
            said: Any = event.get(key)
            zoned = said is not None and "TZID" in said.params
            if zoned and isinstance(said.dt, datetime) and not said.dt.tzinfo:
                raise UnreadError("It names a time zone that is not known here.")
        if not isinstance(starts, datetime) and ends <= starts:
            ends = starts + timedelta(days=1)
        return self._moment(starts), self._moment(ends)

    def _dated(self, uid: str, event: Event, starts: datetime, ends: datetime) -> Dated:
        name = _name(event)
        if not name:
            raise UnreadError("It has no name.")
        if ends < starts:
            raise UnreadError("It ends before it starts.")
        if ends - starts > LONGEST:
            raise UnreadError(f"It lasts longer than {LONGEST.days} days.")
        note = plain(event.get("LOCATION"), NOTE_CHARS)
        return Dated(uid, name, starts.astimezone(UTC), ends.astimezone(UTC), note)

    def _moment(self, day: date) -> datetime:
        """A day's first moment, or a time; in the desk's zone where none is given."""
        if not isinstance(day, datetime):
            return datetime(day.year, day.month, day.day, tzinfo=self.zone)
        return day if day.tzinfo else day.replace(tzinfo=self.zone)

    def _stamp(self, day: date) -> str:
        if not isinstance(day, datetime):
            return f"{day:%Y%m%d}"
        return f"{self._moment(day).astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _called_off(event: Event) -> bool:
    return str(event.get("STATUS", "")).upper() == "CANCELLED"


def _checked(rule: vRecur, home: tzinfo) -> str:
    """A rule for dateutil, in local time. UnreadError for one that would take for ever."""
    parts: dict[str, Any] = {str(key).upper(): value for key, value in rule.items()}
    every = str(parts["FREQ"][0]).upper()
    if every not in RARE | {"DAILY", "WEEKLY"}:
        raise UnreadError("It repeats more than once a day.")
    if parts.keys() - SIMPLE - (FOR_RARE if every in RARE else set()):
        raise UnreadError("It repeats by a rule that is not read here.")
    if any(int(number) < 1 for number in parts.get("INTERVAL", ())):
        raise UnreadError("It repeats by a rule that is not read here.")
    if "UNTIL" in parts:
        until = parts["UNTIL"][0]
        if isinstance(until, datetime):
            until = until.astimezone(home).replace(tzinfo=None) if until.tzinfo else until
        else:
            until = datetime.combine(until, time_of_day.max.replace(microsecond=0))
        parts["UNTIL"] = [until]
    return bytes(vRecur(parts).to_ical()).decode()  # type: ignore[no-untyped-call]


def _local(day: date, first: datetime, home: tzinfo) -> datetime:
    """One more day, or one less, as local time without a zone; a bare date at the usual hour."""
    if not isinstance(day, datetime):
        return datetime.combine(day, first.time())
    return day.astimezone(home).replace(tzinfo=None) if day.tzinfo else day
