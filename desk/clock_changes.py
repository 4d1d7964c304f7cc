"""Local times on the days on which clocks change: one that does not exist, one that comes twice.

A time to send is never guessed: in the gap the nearest times are named, in the overlap a person
says which of the two is meant.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
FIRST, SECOND = "first", "second"  # of the two times that have the same name
NOT_A_TIME = "Give the day and time, like 2026-11-24 18:30."


class TwiceError(ValueError):
    """A local time that comes twice, at ``first`` and, after clocks went back, at ``second``."""

    def __init__(self, first: datetime, second: datetime) -> None:
        super().__init__(
            f"{first:%H:%M} comes twice on {first:%A} {first.day} {first:%B}: the clocks go back. "
            f"Choose {named(first)} or {named(second)}."
        )
        self.first, self.second = first, second


def sending_time(text: str, zone: ZoneInfo, which: str = "") -> datetime:
    """The moment, in UTC, a form's local time means. ``which``: FIRST or SECOND of two.

    ValueError, one sentence, for a time that is none or does not exist; TwiceError.
    """
    plain = read(text)
    moment = existing(plain, zone)
    later = plain.replace(tzinfo=zone, fold=1)
    if moment.utcoffset() != later.utcoffset():
        if which not in (FIRST, SECOND):
            raise TwiceError(moment, later)
        moment = later if which == SECOND else moment
    # Local times of this hour are equal to none of another zone, and to each other (PEP 495).
    return moment.astimezone(UTC)


def both(text: str, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The two moments of a local time that comes twice, in order; none for any other words."""
    try:
        sending_time(text, zone)
    except TwiceError as twice:
        return twice.first, twice.second
    except ValueError:
        pass
    return ()


def existing(plain: datetime, zone: ZoneInfo) -> datetime:
    """A local time, which names no zone, in ``zone``; the first one where it comes twice.

    ValueError, one sentence, where it does not exist: it names the nearest times that do.
    """
    moment = plain.replace(tzinfo=zone, fold=0)
    try:
        there_and_back = moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
        if there_and_back == plain:
            return moment
        before, after = around_gap(plain, zone)
    except OverflowError:
        raise ValueError("That is beyond the calendar. Take an earlier day.") from None
    raise ValueError(
        f"{plain:%H:%M} does not exist on {plain:%A} {plain.day} {plain:%B}: the clocks go "
        f"forward. The nearest times are {named(before)} and {named(after)}."
    )


def around_gap(plain: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The last minute before the gap that a local time lies in, and the first after it."""
    # As if clocks had changed already: this is before the change, and the change is near.
    at = plain.replace(tzinfo=zone, fold=1, second=0, microsecond=0).astimezone(UTC)
    offset = at.astimezone(zone).utcoffset()
    while (at + MINUTE).astimezone(zone).utcoffset() == offset:
        at += MINUTE
    return at.astimezone(zone), (at + MINUTE).astimezone(zone)


def read(text: str) -> datetime:
    """A form's local time as it stands there; ValueError, one sentence, where it is none."""
    try:
        plain = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(NOT_A_TIME) from None
    if plain.tzinfo is not None:
        raise ValueError(NOT_A_TIME)
    return plain


def which_of(moment: datetime, zone: ZoneInfo) -> str:
    """FIRST or SECOND for a moment whose local time comes twice; "" for every other."""
    local = moment.astimezone(zone)
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        return ""
    return SECOND if local.fold else FIRST


def named(moment: datetime) -> str:
    """A local time so that the two of one name differ: 01:30 EST (UTC\N{MINUS SIGN}5)."""
    offset = moment.utcoffset() or timedelta(0)
    hours, minutes = divmod(abs(int(offset.total_seconds())) // 60, 60)
    sign = "\N{MINUS SIGN}" if offset < timedelta(0) else "+"
    utc = f"UTC{sign}{hours}" + (f":{minutes:02}" if minutes else "")
    return f"{moment:%H:%M %Z} ({utc})"
