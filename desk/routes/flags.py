"""Deciding a flag: only a person confirms, and only once."""

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from desk import people
from desk.pages import Visiting
from desk.routes.narratives import narrative_page
from monitor import flags
from monitor.models import Flag

router = APIRouter(prefix="/flags")


@router.post("/{flag_id}/decision")
def decide(
    visit: Visiting,
    flag_id: int,
    decision: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    visit.needs("monitor")
    flag = visit.find(Flag, flag_id)
    narrative_id = flag.narrative_id
    try:
        flags.decide(visit.session, flag, decision, reason, by=visit.person.id, now=visit.now)
    except flags.FlagAlreadyDecidedError as fault:
        visit.session.rollback()
        who = people.names(visit.session).get(fault.by, "somebody")
        error = f"{who} decided this flag already, {fault.at:%H:%M} UTC. Nothing was changed."
        narrative = visit.find(Flag, flag_id).narrative
        return narrative_page(visit, narrative, 409, error=error, reason=reason)
    except ValueError as fault:
        visit.session.rollback()
        narrative = visit.find(Flag, flag_id).narrative
        return narrative_page(visit, narrative, 422, error=str(fault), reason=reason)
    return visit.done(f"/narratives/{narrative_id}")
