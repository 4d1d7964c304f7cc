"""Quiet hours and the digest: when a channel may speak, in the desk's local time."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DIGEST_HOUR = 8  # local; the first shift of a desk begins
DAY_MINUTES = 24 * 60
MINUTE = timedelta(minutes=1)


def is_quiet(moment: datetime, start: int | None, end: int | None, zone: ZoneInfo) -> bool:
    """Whether ``moment`` lies in the quiet hours.

    ``start`` (first quiet minute) and ``end`` (first minute after) count from local midnight, 0 to
    1439; an end before the start is on the next day. Without them nothing is quiet.
    """
    if start is None or end is None or start == end:
        return False
    local = moment.astimezone(zone)
    minute = local.hour * 60 + local.minute
    if start < end:
        return start <= minute < end
    return minute >= start or minute < end


def quiet_over(moment: datetime, start: int | None, end: int | None, zone: ZoneInfo) -> datetime:
    """``moment`` itself, or the full minute in which the quiet hours around it are over."""
    # A walk by the minute is right on the days on which clocks change as well, and short. In UTC:
    # Python adds to local times as if their clocks never changed.
    moment = moment.astimezone(UTC)
    while is_quiet(moment, start, end, zone):
        moment = moment.replace(second=0, microsecond=0) + MINUTE
    return moment


def next_digest(now: datetime, zone: ZoneInfo) -> datetime:
    """The next time, after ``now``, at which the day's digest goes out."""
    today = now.astimezone(zone).date()
    days = (today, today + timedelta(days=1))
    times = (datetime.combine(day, time(DIGEST_HOUR), zone).astimezone(UTC) for day in days)
    return next(moment for moment in times if moment > now)


def minutes_of(text: str) -> int | None:
    """Minutes after midnight of a form's time (``22:00``); None where it is empty.

    ValueError for anything else.
    """
    if not text.strip():
        return None
    try:
        at = time.fromisoformat(text.strip())
    except ValueError:
        raise ValueError("Give quiet hours as times, like 22:00 and 07:00.") from None
    return at.hour * 60 + at.minute


def time_of(minutes: int | None) -> str:
    """The same the other way round, for a form."""
    return "" if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}"
