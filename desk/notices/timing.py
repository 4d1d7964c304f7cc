"""When a notice is due: at once, after somebody's quiet hours, or in their next digest."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from desk.models import Channel
from desk.quiet import next_digest, quiet_over

RECENT = timedelta(days=1)  # an older rise, answer, release or passkey's change is no news


def times(now: datetime, due: datetime) -> dict[str, object]:
    """The columns of a notice that is made now and due then."""
    return {"made_at": now, "due_at": due}


def loud(channel: Channel, zone: ZoneInfo, moment: datetime) -> datetime:
    """That moment, or when the channel's quiet hours are over. ``zone``: the desk's."""
    theirs = channel.person.zone(zone)
    return quiet_over(moment, channel.quiet_from, channel.quiet_until, theirs)


def in_digest(channel: Channel, zone: ZoneInfo, now: datetime) -> dict[str, object]:
    """The columns of a notice that waits for the channel's next digest."""
    theirs = channel.person.zone(zone)
    return times(now, loud(channel, zone, next_digest(now, theirs))) | {"gathered": True}
