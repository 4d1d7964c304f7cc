"""Days that may raise tension: near, over, added by hand or from a calendar file."""

from collections import defaultdict
from datetime import date, datetime, tzinfo
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from starlette.datastructures import FormData, UploadFile

from desk.pages import Typed, Visit, Visiting, local_time
from monitor import triggers
from monitor.calendar_files import MAX_BYTES, PAST, Skipped, are_whole_days
from monitor.models import TriggerEvent
from sources.places import place_of, states_and_counties

router = APIRouter(prefix="/triggers")

EDITING = ("monitor", "duty lead", "admin")  # who keeps the calendar
HORIZON_DAYS = 366 * triggers.ELECTION_YEARS
YEARS = 10  # farther from today nobody knows what will matter
SKIPPED_NAMED = 5  # of those skipped for one reason


@router.get("")
def show(
    visit: Visiting, kind: Annotated[str, Query()] = "", place: Annotated[str, Query()] = ""
) -> Response:
    return _page(visit, kind=kind, sought=place)


@router.post("")
def add(visit: Visiting, form: Typed) -> Response:
    visit.needs(*EDITING)
    words = _words(form)
    try:
        starts_at, ends_at = _times(words, visit.wiring.zone, visit.now)
        triggers.add(
            visit.session,
            name=words["name"],
            kind=words["kind"],
            place=triggers.place_called(words["place"]),
            starts_at=starts_at,
            ends_at=ends_at,
            note=words["note"],
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, 422, error=str(fault), form=words)
    return visit.done("/triggers")


@router.post("/import")
def take_in(visit: Visiting, form: Typed) -> Response:
    """Take a calendar file in and say what became of it; the same file again changes nothing."""
    visit.needs(*EDITING)
    words, file = _words(form), form.get("file")
    try:
        if not isinstance(file, UploadFile) or not file.filename:
            raise ValueError("Choose a calendar file.")
        with file.file as upload:
            data = upload.read(MAX_BYTES + 1)
        made = triggers.import_calendar(
            visit.session,
            data,
            words["kind"],
            triggers.place_called(words["place"]),
            visit.wiring.zone,
            visit.person.id,
            visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, 422, error=str(fault), import_form=words)
    visit.session.commit()
    return _page(visit, made=made, left_out=_left_out(made.skipped))


@router.post("/elections")
def add_elections(visit: Visiting) -> Response:
    visit.needs(*EDITING)
    triggers.add_election_days(visit.session, visit.wiring.zone, visit.person.id, visit.now)
    return visit.done("/triggers")


@router.post("/{event_id}/withdraw")
def withdraw(visit: Visiting, event_id: int) -> Response:
    visit.needs(*EDITING)
    event = visit.find(TriggerEvent, event_id)
    try:
        triggers.withdraw(visit.session, event, visit.person.id, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, 409, error=str(fault))
    return visit.done("/triggers")


@router.get("/calendar.ics")
def export(visit: Visiting) -> Response:
    """All that stands, as a file for other calendars; only for people who are signed in."""
    file = triggers.export_calendar(visit.session, visit.wiring.zone, visit.now)
    name = {"Content-Disposition": 'attachment; filename="days-of-tension.ics"'}
    return Response(file, media_type="text/calendar; charset=utf-8", headers=name)


def spelled(event: TriggerEvent, zone: tzinfo) -> str:
    """When an event is, as people write it: "Tue 3 Nov 2026", "Sat 5 Dec 2026, 18:00–20:00"."""
    starts, ends = event.starts_at.astimezone(zone), event.ends_at.astimezone(zone)
    if are_whole_days(starts, ends):
        days = triggers.days_of(event, zone)
        return _day(days[0]) if len(days) == 1 else f"{_day(days[0])} – {_day(days[-1])}"
    if starts == ends:
        return f"{_day(starts)}, {starts:%H:%M}"
    if starts.date() == ends.date():
        return f"{_day(starts)}, {starts:%H:%M}–{ends:%H:%M}"
    return f"{_day(starts)}, {starts:%H:%M} – {_day(ends)}, {ends:%H:%M}"


def area_name(code: str) -> str:
    """A county or state by its FIPS code; "nationwide" for none."""
    return place_of(code).name if code else "nationwide"


@cache
def _states() -> list[str]:
    """Names to choose from while typing; of three thousand counties nobody wants a list."""
    return [one.name for one in states_and_counties() if one.kind == "state"]


def _day(day: date) -> str:
    return f"{day:%a %-d %b %Y}"


def _words(form: FormData) -> dict[str, str]:
    """What was typed into either form."""
    names = ("name", "kind", "place", "day", "last_day", "from", "to", "note")
    return {name: str(form.get(name, "")).strip() for name in names}


def _times(words: dict[str, str], zone: Any, now: datetime) -> tuple[datetime, datetime]:
    """When an event starts and ends, as typed: whole days, or from one time of the clock on."""
    try:
        first = date.fromisoformat(words["day"])
        last = date.fromisoformat(words["last_day"]) if words["last_day"] else first
    except ValueError:
        raise ValueError("Give the day, like 2026-11-24.") from None
    if max(abs(day.year - now.year) for day in (first, last)) > YEARS:
        raise ValueError(f"Take a day within {YEARS} years.")
    if not words["from"]:
        if words["to"]:
            raise ValueError("Say when it begins as well.")
        return triggers.whole_days(first, last, zone)
    starts = local_time(f"{first}T{words['from']}", zone)
    return starts, local_time(f"{last}T{words['to']}", zone) if words["to"] else starts


def _left_out(skipped: list[Skipped]) -> list[tuple[str, list[str], int]]:
    """Why, a few names, and how many more, the most frequent reason first."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for one in skipped:
        names[one.why].append(one.name or "without a name")
    return [
        (why, some[:SKIPPED_NAMED], len(some[SKIPPED_NAMED:]))
        for why, some in sorted(names.items(), key=lambda item: -len(item[1]))
    ]


def _page(visit: Visit, status: int = 200, **context: Any) -> Response:
    """The page with what was typed, what became of a file, and the days of a kind and place."""
    asked = {"kind": "", "sought": "", "error": "", "form": {}, "import_form": {}}
    context = asked | {"made": None, "left_out": []} | context
    session, now, zone = visit.session, visit.now, visit.wiring.zone
    visit.desk_times = True
    kind = context["kind"] if context["kind"] in triggers.KINDS else ""
    place = None
    try:
        if context["sought"]:
            place = triggers.place_called(context["sought"])
    except ValueError as fault:
        context["error"], status = str(fault), 422
    elections = {one.name for one in triggers.between(session, now, None, kind="election")}
    due = triggers.election_days(now.astimezone(zone).date())
    return visit.page(
        "triggers/list.html",
        status,
        **context | {"kind": kind},
        kinds=triggers.KINDS,
        upcoming=triggers.upcoming(session, now, HORIZON_DAYS, place, kind)[: triggers.SHOWN],
        past=triggers.past(session, now, place, kind)[: triggers.SHOWN],
        withdrawn=triggers.withdrawn(session, now - PAST),
        election_days=[one for one in due if one[0] not in elections],
        states=_states(),
        editing=visit.person.may(*EDITING),
        spelled=lambda event: spelled(event, zone),
        area_name=area_name,
    )
