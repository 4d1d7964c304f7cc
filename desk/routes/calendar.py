"""The calendar: what goes out when, a month at a time, in the desk's time zone.

Days that may raise tension stand beside it, so that nothing goes out into a day unawares.
"""

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from campaigns.deliveries import deliveries_between
from campaigns.models import Delivery
from campaigns.publishers import PLATFORMS
from desk.pages import Visiting
from desk.routes.triggers import area_name
from monitor import triggers
from monitor.models import TriggerEvent

router = APIRouter(prefix="/calendar")

YEARS = 100  # farther from today nothing is scheduled, and the calendar itself ends


@router.get("")
def show(visit: Visiting, month: Annotated[str, Query()] = "") -> Response:
    zone = visit.wiring.zone
    today = visit.now.astimezone(zone).date()
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:  # no month, or a mistyped one: this month
        first = today.replace(day=1)
    if abs(first.year - today.year) > YEARS:
        first = today.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    start = first - timedelta(days=first.weekday())
    weeks = -(-(following - start).days // 7)
    days = [start + timedelta(days=n) for n in range(weeks * 7)]
    opens = datetime.combine(days[0], time(), zone)
    closes = datetime.combine(days[-1] + timedelta(days=1), time(), zone)
    due = deliveries_between(visit.session, opens, closes)
    by_day: defaultdict[date, list[Delivery]] = defaultdict(list)
    for delivery in due:
        by_day[delivery.due_at.astimezone(zone).date()].append(delivery)
    tense: defaultdict[date, list[TriggerEvent]] = defaultdict(list)
    for event in triggers.between(visit.session, opens, closes):
        for day in triggers.days_of(event, zone):
            tense[day].append(event)
    return visit.page(
        "calendar.html",
        days=days,
        by_day=by_day,
        tense=tense,
        area_name=area_name,
        first=first,
        following=following,
        before=(first - timedelta(days=1)).replace(day=1),
        today=today,
        platforms=PLATFORMS,
    )
