"""Opening a campaign on a confirmed narrative, and starting a message in it."""

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from campaigns import campaigns, messages
from campaigns.models import Campaign, Voice
from desk.pages import Visiting
from desk.routes.narratives import narrative_page
from monitor.models import Narrative

router = APIRouter()


@router.post("/narratives/{narrative_id}/campaigns")
def open_campaign(
    visit: Visiting,
    narrative_id: int,
    audience: Annotated[str, Form()] = "",
    goal: Annotated[str, Form()] = "",
    strategy: Annotated[str, Form()] = campaigns.HOLD,
) -> Response:
    visit.needs("comms", "admin")
    narrative = visit.find(Narrative, narrative_id)
    try:
        campaigns.open_campaign(
            visit.session,
            narrative,
            audience=audience,
            goal=goal,
            strategy=strategy,
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        form = {"audience": audience, "goal": goal, "strategy": strategy}
        found = visit.find(Narrative, narrative_id)
        return narrative_page(visit, found, 422, error=str(fault), form=form)
    return visit.done(f"/narratives/{narrative_id}#campaigns")


@router.post("/campaigns/{campaign_id}/messages")
def start_message(
    visit: Visiting, campaign_id: int, voice_id: Annotated[int, Form()] = 0
) -> Response:
    visit.needs("comms")
    campaign, voice = visit.find(Campaign, campaign_id), visit.find(Voice, voice_id)
    try:
        message = messages.start_message(
            visit.session, campaign, voice, by=visit.person.id, now=visit.now
        )
    except ValueError as fault:  # a campaign that holds, asked by a page that is out of date
        visit.session.rollback()
        return narrative_page(visit, campaign.narrative, 422, error=str(fault))
    return visit.done(f"/messages/{message.id}")
