"""The kill switch: anybody who answers for words stops them at once; going on takes a second one.

The whole organisation on /stops, a voice or a campaign from its own page; all end on the same page,
which names what was on its way already.
"""

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from campaigns.deliver import FRESHNESS
from campaigns.models import Campaign, Stop, Voice
from campaigns.publishers import PLATFORMS
from campaigns.sending import kill_switch
from desk.pages import Visit, Visiting

router = APIRouter(prefix="/stops")

PRESSING = ("duty lead", "comms", "leader", "admin")  # stopping is easy
LIFTING = ("duty lead", "admin")  # and never whoever pressed it


def _all(visit: Visit, status: int = 200, error: str = "", reason: str = "") -> Response:
    return visit.page(
        "stops/list.html",
        status,
        lifted=kill_switch.history(visit.session),
        error=error,
        reason=reason,
    )


def _one(visit: Visit, stop: Stop, status: int = 200, error: str = "", why: str = "") -> Response:
    return visit.page(
        "stops/one.html",
        status,
        stop=stop,
        waiting=kill_switch.waiting_behind(visit.session, stop) if stop.lifted_at is None else [],
        platforms=PLATFORMS,
        lifting=LIFTING,
        freshness=FRESHNESS,
        error=error,
        why=why,
    )


@router.get("")
def show_all(visit: Visiting) -> Response:
    return _all(visit)


@router.get("/{stop_id}")
def show(visit: Visiting, stop_id: int) -> Response:
    return _one(visit, visit.find(Stop, stop_id))


@router.post("")
def press(
    visit: Visiting,
    reason: Annotated[str, Form()] = "",
    campaign_id: Annotated[int, Form()] = 0,
    voice_id: Annotated[int, Form()] = 0,
) -> Response:
    """Stop a campaign, a voice or, naming neither, everything."""
    visit.needs(*PRESSING)
    target: Campaign | Voice | None = None
    if campaign_id:
        target = visit.find(Campaign, campaign_id)
    elif voice_id:
        target = visit.find(Voice, voice_id)
    try:
        stop = kill_switch.press(
            visit.session, target, reason=reason, by=visit.person.id, now=visit.now
        )
    except ValueError as fault:
        visit.session.rollback()
        return _all(visit, 422, str(fault), reason)
    return visit.done(f"/stops/{stop.id}")


@router.post("/{stop_id}/lift")
def lift(visit: Visiting, stop_id: int, why: Annotated[str, Form()] = "") -> Response:
    visit.needs(*LIFTING)
    stop = visit.find(Stop, stop_id)
    try:
        kill_switch.lift(visit.session, stop, why=why, by=visit.person.id, now=visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _one(visit, visit.find(Stop, stop_id), 422, str(fault), why)
    return visit.done(f"/stops/{stop_id}")
