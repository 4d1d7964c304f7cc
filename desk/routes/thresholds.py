"""What the detectors call a rise: tried on the past before it holds."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from desk.pages import Typed, Visit, Visiting
from monitor.rises import thresholds
from monitor.rises.detect import Settings
from monitor.rises.replay import WEEKS, Replay, replays
from monitor.rises.rises import expected_false_alarms
from monitor.rises.series import LEVELS
from monitor.rises.thresholds import FIELDS, OutOfBoundsError
from sources.places import place_of
from sources.watches import current

router = APIRouter(prefix="/thresholds")

SETTING = ("admin", "duty lead")  # who may change what is in force; everybody may try
SHOWN = 50  # rises and flags listed; all of them are counted
NAMES = frozenset(field.name for field in FIELDS)


@router.get("")
def show(visit: Visiting) -> Response:
    """The settings in force; with settings in the address also what they would have called."""
    typed = {name: value for name, value in visit.request.query_params.items() if name in NAMES}
    level = _level(visit.request.query_params.get("level", ""))
    if not typed:
        return _page(visit, {}, level)
    try:
        tried = thresholds.read(typed)
    except OutOfBoundsError as refused:
        return _page(visit, typed, level, 422, faults=refused.faults)
    return _page(visit, typed, level, tried=tried, trying=True)


@router.get("/chance")
def chance(visit: Visiting, series: Annotated[int, Query(ge=0, le=10_000_000)] = 0) -> Response:
    """How many rises a week chance alone would start, for the settings in the address.

    The simulation takes seconds, so pages fetch it when they stand.
    """
    params = visit.request.query_params
    try:
        settings = thresholds.read({name: params[name] for name in NAMES if name in params})
    except OutOfBoundsError as refused:
        return visit.page("thresholds/chance.html", 422, error=str(refused), each=0, series=series)
    each = expected_false_alarms(settings)
    return visit.page("thresholds/chance.html", error="", each=each, series=series)


@router.post("")
def change(visit: Visiting, form: Typed) -> Response:
    """Let settings hold from now on."""
    visit.needs(*SETTING)
    typed = {name: str(form.get(name, "")) for name in NAMES}
    reason, level = str(form.get("reason", "")), _level(str(form.get("level", "")))
    newest = thresholds.history(visit.session)
    seen = str(newest[0].threshold.id) if newest else ""
    faults: dict[str, str] = {}
    tried, error, status = None, "", 422
    try:
        tried = thresholds.read(typed)
        if form.get("seen", seen) != seen:
            status, error = 409, "Somebody else changed the settings meanwhile. Look at them again."
        else:
            thresholds.change(visit.session, tried, reason, visit.person.id, visit.now)
            return visit.done("/thresholds#history")
    except OutOfBoundsError as refused:
        faults = refused.faults
    except ValueError as fault:
        error = str(fault)
    visit.session.rollback()
    return _page(
        visit, typed, level, status, tried=tried, faults=faults, error=error, reason=reason
    )


def _level(text: str) -> int:
    """Whose voices are counted; the lower level for what is none."""
    with suppress(ValueError):
        if int(text) in LEVELS:
            return int(text)
    return LEVELS[0]


def _page(
    visit: Visit,
    typed: Mapping[str, str],
    level: int,
    status: int = 200,
    tried: Settings | None = None,
    trying: bool = False,
    **context: Any,
) -> Response:
    """``trying``: with what the settings ``tried`` would have called, beside those in force."""
    session = visit.session
    past = thresholds.history(session)
    in_force = thresholds.settings_of(past)
    found = beside = None
    if tried is not None and trying:
        several = [tried] if tried == in_force else [tried, in_force]
        found, *others = replays(session, several, visit.now, level=level)
        beside = others[0] if others else found
    shown_values = {field.name: thresholds.said(in_force, field) for field in FIELDS}
    return visit.page(
        "thresholds/page.html",
        status,
        fields=FIELDS,
        whole=thresholds.WHOLE,
        in_force=shown_values,
        typed=shown_values | dict(typed),
        level=level,
        weeks=WEEKS,
        tried=tried,
        changed=thresholds.differences(in_force, tried) if tried else [],
        found=found,
        beside=beside,
        shown=SHOWN,
        past=past,
        seen=past[0].threshold.id if past else "",
        setting=visit.person.may(*SETTING),
        query=visit.request.url.query,
        watch_names={one.watch_id: one.name for one in current(session)} if found else {},
        place_names=_place_names(found) if found else {},
        **({"faults": {}, "error": "", "reason": ""} | context),
    )


def _place_names(found: Replay) -> dict[str, str]:
    codes = {rise.subject.place for rise in found.rises} | {one.place for one in found.missed}
    names = {}
    for code in codes:
        with suppress(ValueError):
            if code:
                names[code] = place_of(code).name
    return names
