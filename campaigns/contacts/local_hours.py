"""In which zones somebody may be, and when it is daytime in all of them.

Told by somebody, else by the county they live in, else by the area code, which says where a number
was given out. Where nothing is known it must be daytime in the whole country.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
import zipcodes  # type: ignore[import-untyped, unused-ignore]
from phonenumbers import timezone

from campaigns.publishers.sms import within_local_hours
from sources.places import place_of

# From Puerto Rico to Hawaii: 8 to 21 in all of them leaves seven hours. Guam, a day ahead, would
# leave three; whoever lives there is in its zone by county or area code.
WHOLE_COUNTRY = (
    *("America/Puerto_Rico", "America/New_York", "America/Chicago", "America/Denver"),
    *("America/Phoenix", "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu"),
)
MANY = 6  # a number given out in more zones than this (toll-free) says nothing about where
STEP = timedelta(minutes=15)  # every zone is off UTC by a multiple of it
AHEAD = timedelta(days=2)  # zones without a common hour within it have none


def zones_of(zone: str | None, county: str | None, number: str | None) -> list[str]:
    """Every IANA zone a contact may be in; empty: nothing is known.

    ``zone``: where somebody told us; ``county``: FIPS code; ``number``: E.164. ValueError for a
    zone or county that is none.
    """
    if zone is not None:
        if zone not in _all_zones():
            raise ValueError(f"“{zone}” is not a time zone, such as America/Detroit.")
        return [zone]
    if county is not None and (known := _of_county(county)):
        return list(known)
    return _of_number(number) if number is not None else []


@cache
def _all_zones() -> frozenset[str]:
    return frozenset(available_timezones())  # it reads a folder of six hundred files each time


@cache
def _of_county(county: str) -> tuple[str, ...]:
    place = place_of(county)
    name = place.name.rpartition(",")[0]
    rows = zipcodes.filter_by(state=place.state, county=name)  # type: ignore[no-untyped-call]
    return tuple(sorted({row["timezone"] for row in rows} & _all_zones()))


def _of_number(number: str) -> list[str]:
    found = timezone.time_zones_for_number(phonenumbers.parse(number))
    known = sorted(set(found) & _all_zones())
    return known if len(known) <= MANY else []


def daytime_from(zones: Sequence[str], now: datetime) -> datetime:
    """``now`` itself, or the quarter of an hour from which it is daytime in all ``zones``.

    No zones: in the whole country. Where they have no hour in common, a moment AHEAD of ``now``.
    """
    places = [ZoneInfo(zone) for zone in zones or WHOLE_COUNTRY]
    moment = now.astimezone(UTC)
    while moment < now + AHEAD:
        if all(within_local_hours(place, moment) for place in places):
            return moment
        quarter = moment.minute // 15 * 15
        moment = moment.replace(minute=quarter, second=0, microsecond=0) + STEP
    return now + AHEAD
