"""Quiet hours and the digest: when a channel may speak, in the desk's local time."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.limits import MINUTE as MINUTE
from campaigns.limits import is_quiet as is_quiet  # a voice's quiet hours are counted alike
from campaigns.limits import quiet_over as quiet_over

DIGEST_HOUR = 8  # local; the first shift of a desk begins
DAY_MINUTES = 24 * 60


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
