"""The calendar: what goes out when, in its reader's time zone, and another time for a message.

Days that may raise tension stand beside it, so that nothing goes out into a day unawares. Nothing
moves without a page that says first what it does: dragging leads to that page too.
"""

import re
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response

from campaigns import limits
from campaigns.drafting import messages
from campaigns.models import Message, VoiceLimits
from campaigns.publishers import PLATFORMS
from campaigns.sending import calendar
from campaigns.sending.calendar import Entry
from campaigns.wording.content import send_time
from desk.clock_changes import both, named, sending_time, which_of
from desk.pages import KEYS, Visit, Visiting
from desk.routes.messages import message_page
from desk.routes.triggers import area_name
from desk.writing import MINUTE
from monitor import triggers
from monitor.models import TriggerEvent

router = APIRouter(prefix="/calendar")

YEARS = 100  # farther from today nothing is scheduled, and the calendar itself ends
VIEWS = {"month": "Month", "week": "Week", "list": "List"}
WEEK = 7
LISTED = 28  # days of a list


@router.get("")
def show(
    visit: Visiting,
    view: Annotated[str, Query()] = "month",
    on: Annotated[str, Query(alias="date")] = "",
    month: Annotated[str, Query()] = "",
    campaign: Annotated[str, Query()] = "",
    voice: Annotated[str, Query()] = "",
) -> Response:
    """``date`` is any day of what is shown; ``month`` (2026-11) is short for its first."""
    view = view if view in VIEWS else "month"
    zone, today = visit.zone, visit.now.astimezone(visit.zone).date()
    day = _day(on or (f"{month}-01" if month else ""), today)
    days, before, after = _stretch(view, day)
    opens, closes = triggers.whole_days(days[0], days[-1], zone)
    narrowed: dict[str, Any] = {"campaign": _number(campaign), "voice": _number(voice)}
    sheet = calendar.sheet(
        visit.session,
        opens.astimezone(UTC),
        closes.astimezone(UTC),
        visit.wiring.zone,
        **narrowed,
    )
    by_day: defaultdict[date, list[Entry]] = defaultdict(list)
    for one in sheet.entries:
        by_day[one.due_at.astimezone(zone).date()].append(one)
    tense: defaultdict[date, list[TriggerEvent]] = defaultdict(list)
    for event in sheet.events:
        for its_day in triggers.days_of(event, visit.wiring.zone):
            tense[its_day].append(event)
    campaigns, voices = calendar.choices(visit.session)

    def link(**changed: object) -> str:
        """The address of this page with something changed."""
        asked = {"view": view, "date": day.isoformat()} | narrowed | changed
        return "/calendar?" + urlencode({name: value for name, value in asked.items() if value})

    return visit.page(
        "calendar/sheet.html",
        view=view,
        views=VIEWS,
        day=day,
        days=days,
        title=_title(view, days, day),
        before=before,
        after=after,
        today=today,
        link=link,
        by_day=by_day,
        tense=tense,
        any_movable=any(one.movable for one in sheet.entries),
        any_noted=any(one.notes for one in sheet.entries),
        there={
            one.version.id: _there(one.due_at, sheet.limits.get(one.message.voice_id), zone)
            for one in sheet.entries
        },
        area_name=area_name,
        platforms=PLATFORMS,
        campaigns=campaigns,
        voices=voices,
        moving="comms" in visit.person.roles,
        **narrowed,
    )


def _day(text: str, today: date) -> date:
    """The day an address names; today where it names none, or one out of all reach."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return today
    return today if abs(day.year - today.year) > YEARS else day


def _stretch(view: str, day: date) -> tuple[list[date], date, date]:
    """The days that a view shows, weeks from Sunday on; a day of what comes before and after."""
    if view == "list":
        first, long = day, LISTED
        before, after = day - timedelta(days=LISTED), day + timedelta(days=LISTED)
    elif view == "week":
        first, long = day - timedelta(days=day.isoweekday() % WEEK), WEEK
        before, after = first - timedelta(days=WEEK), first + timedelta(days=WEEK)
    else:
        begins = day.replace(day=1)
        before, after = begins - timedelta(days=1), (begins + timedelta(days=32)).replace(day=1)
        before = before.replace(day=1)
        first = begins - timedelta(days=begins.isoweekday() % WEEK)
        long = -(-(after - first).days // WEEK) * WEEK
    return [first + timedelta(days=n) for n in range(long)], before, after


def _title(view: str, days: list[date], day: date) -> str:
    if view == "month":
        return f"{day:%B %Y}"
    return f"{days[0].day} {days[0]:%B} to {days[-1].day} {days[-1]:%B %Y}"


def _number(text: str) -> int | None:
    """The id that an address narrows the calendar to; None for all."""
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text[:12]) < KEYS else None


def _there(moment: datetime, allows: VoiceLimits | None, zone: ZoneInfo) -> str:
    """The time where the voice's people live, where that is another than the reader's; or ""."""
    if allows is None:
        return ""
    theirs, ours = moment.astimezone(ZoneInfo(allows.zone)), moment.astimezone(zone)
    if theirs.utcoffset() == ours.utcoffset():
        return ""
    day = "" if theirs.date() == ours.date() else f"{theirs:%a} {theirs.day}, "
    return f"{day}{theirs:%H:%M %Z}"


# ---- another time


@router.get("/move/{message_id}")
def choose(
    visit: Visiting,
    message_id: int,
    send_at: Annotated[str, Query()] = "",
    which: Annotated[str, Query()] = "",
    day: Annotated[str, Query()] = "",
) -> Response:
    """The form, and for a time that is clear what moving to it would do. Changes nothing.

    ``day``: where it was dragged to, at the time of day it has.
    """
    visit.needs("comms")
    message = visit.find(Message, message_id, *messages.whole())
    version = messages.latest_version(message)
    if day and version is not None:
        local = send_time(version.content).astimezone(visit.zone)
        to = _day(day, local.date())
        send_at = f"{datetime.combine(to, local.time()):{MINUTE}}"
    error, moment = "", None
    if send_at:
        try:
            moment = sending_time(send_at, visit.zone, which)
        except ValueError as fault:
            error = str(fault)
    status = 422 if error and not both(send_at, visit.zone) else 200
    return _moving(visit, message, status, error=error, moment=moment, send_at=send_at, which=which)


@router.post("/move/{message_id}")
def move(
    visit: Visiting,
    message_id: int,
    at: Annotated[str, Form()],
    base: Annotated[int, Form()],
    then: Annotated[str, Form()] = "",
) -> Response:
    """Move it to the moment ``at`` (ISO 8601 in UTC), as its page showed; ``then``: submit."""
    visit.needs("comms")
    message = visit.find(Message, message_id)
    by, now, moment = visit.person.id, visit.now, None
    try:
        moment = _exact(at)
        version = calendar.reschedule(visit.session, message, moment, base=base, by=by, now=now)
    except messages.OvertakenError as fault:
        visit.session.rollback()
        error = f"Version {fault.newer.number} was saved meanwhile: look at it before you move it."
        return _refused(visit, message_id, error, moment, again=moment)
    except ValueError as fault:
        visit.session.rollback()
        return _refused(visit, message_id, str(fault), moment)
    if then != "submit":
        return visit.done(f"/messages/{message_id}")
    visit.session.commit()  # it is moved, whatever the checks say of submitting it
    try:
        messages.submit(visit.session, version, by=by, now=now)
    except ValueError as fault:
        visit.session.rollback()
        said = f"It is moved, and not submitted yet. {fault}"
        return message_page(visit, visit.find(Message, message_id), 422, error=said)
    shown = moment.astimezone(visit.zone).date()
    return visit.done(f"/calendar?view=week&date={shown.isoformat()}")


def _refused(
    visit: Visit,
    message_id: int,
    error: str,
    chosen: datetime | None,
    again: datetime | None = None,
) -> Response:
    """The page with the time that was chosen; ``again``: with what moving it there does now."""
    send_at = f"{chosen.astimezone(visit.zone):{MINUTE}}" if chosen is not None else ""
    which = which_of(chosen, visit.zone) if chosen is not None else ""
    message = visit.find(Message, message_id, *messages.whole())
    return _moving(visit, message, 422, error=error, moment=again, send_at=send_at, which=which)


def _exact(at: str) -> datetime:
    """A moment as the page of a move wrote it."""
    if not re.fullmatch(r"[0-9T:-]{19}[+]00:00", at):
        raise ValueError("Choose the time again, please.")
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        raise ValueError("Choose the time again, please.") from None


def _moving(
    visit: Visit,
    message: Message,
    status: int,
    *,
    moment: datetime | None,
    error: str,
    send_at: str = "",
    which: str = "",
) -> Response:
    version = messages.latest_version(message)
    zone = visit.zone
    allows = limits.in_force(visit.session, [message.voice_id]).get(message.voice_id)
    was = send_time(version.content) if version is not None else None
    if moment is not None and not error and moment <= visit.now:
        error, moment, status = "That time has passed. Choose a later one.", None, 422
    if moment is not None and moment == was and messages.state_of(message) in calendar.COMING:
        error, moment = "That is the time it has. Choose another.", None
    shown = moment or was
    context: dict[str, Any] = {
        "message": message,
        "version": version,
        "state": messages.state_of(message),
        "why_not": calendar.why_not(message),
        "was": was and _told(was, allows, zone),
        "to": moment and _told(moment, allows, zone),
        "moment": moment,
        "at": moment.astimezone(UTC).isoformat() if moment is not None else "",
        "notes": calendar.notes_at(visit.session, version, moment, allows, visit.wiring.zone)
        if version is not None and moment is not None
        else [],
        "send_at": send_at or (f"{shown.astimezone(zone):{MINUTE}}" if shown else ""),
        "which": which,
        "twice": both(send_at, zone),
        "error": error,
        "platforms": PLATFORMS,
    }
    return visit.page("calendar/move.html", status, **context)


def _told(moment: datetime, allows: VoiceLimits | None, zone: ZoneInfo) -> tuple[str, str]:
    """A moment as its reader's clocks show it, and as those of the voice's people do, or ""."""

    def spelled(local: datetime) -> str:
        return f"{local:%A} {local.day} {local:%B %Y}, {named(local)}"

    ours = moment.astimezone(zone)
    theirs = moment.astimezone(ZoneInfo(allows.zone)) if allows is not None else ours
    return spelled(ours), spelled(theirs) if theirs.utcoffset() != ours.utcoffset() else ""
