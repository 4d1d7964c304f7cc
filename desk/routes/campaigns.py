"""Campaigns: choosing an answer, of which holding is the first; its plan; a message in it.

The plan's page shows the evidence beside the form. A duty lead lets pass there what may be.
"""

from datetime import time
from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import Response

from campaigns import campaigns, plans
from campaigns.checking import checks
from campaigns.drafting import messages
from campaigns.models import Campaign, Message, Voice
from campaigns.publishers import PLATFORMS
from campaigns.voices import all_voices
from desk import afterwards, people, planning
from desk.pages import Typed, Visit, Visiting, local_time
from desk.routes.choosing import CHOOSING
from desk.routes.narratives import narrative_page
from monitor.alerts.alerts import alerts_on
from monitor.alerts.cap import VERIFICATION
from monitor.coding import situations
from monitor.models import Narrative, Verification
from monitor.narratives.counted import counted
from monitor.narratives.tipping import tipping

router = APIRouter()

MORNING = time(8)  # when somebody looks again on the day that is set
SPARE_ROWS = 2  # empty ones at the end of claims and of people consulted


@router.post("/narratives/{narrative_id}/campaigns")
def open_campaign(
    visit: Visiting,
    narrative_id: int,
    audience: Annotated[str, Form()] = "",
    goal: Annotated[str, Form()] = "",
    strategy: Annotated[str, Form()] = campaigns.HOLD,
    why: Annotated[str, Form()] = "",
    until: Annotated[str, Form()] = "",
) -> Response:
    """Hold until a day (``until``, like 2026-12-01) or open a campaign that speaks."""
    visit.needs(*CHOOSING)
    narrative = visit.find(Narrative, narrative_id)
    session, by, now = visit.session, visit.person.id, visit.now
    try:
        if strategy == campaigns.HOLD:
            if not until:
                raise ValueError("Set the day on which somebody looks again.")
            again = local_time(f"{until}T{MORNING:%H:%M}", visit.wiring.zone)
            campaigns.hold(session, narrative, why=why, until=again, by=by, now=now)
        else:
            campaigns.open_campaign(
                session,
                narrative,
                audience=audience,
                goal=goal,
                strategy=strategy,
                by=by,
                now=now,
            )
    except ValueError as fault:
        visit.session.rollback()
        form = {"audience": audience, "goal": goal, "strategy": strategy}
        form |= {"why": why, "until": until}
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


@router.get("/campaigns/{campaign_id}")
def show(visit: Visiting, campaign_id: int) -> Response:
    return _page(visit, visit.find(Campaign, campaign_id, *campaigns.whole()))


@router.post("/campaigns/{campaign_id}/plan")
def save_plan(visit: Visiting, campaign_id: int, form: Typed) -> Response:
    """Save the plan as the campaign's next; it may be incomplete."""
    visit.needs(*CHOOSING)
    campaign = visit.find(Campaign, campaign_id)
    words = planning.typed(form)
    after = words.get("after", "")
    try:
        plans.save_plan(
            visit.session,
            campaign,
            planning.read(words, visit.zone),
            after=int(after) if after.isdecimal() else None,
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        status = 409 if isinstance(fault, plans.ChangedMeanwhileError) else 422
        found = visit.find(Campaign, campaign_id)
        return _page(visit, found, status, error=str(fault), form=words)
    return visit.done(f"/campaigns/{campaign_id}")


@router.post("/messages/{message_id}/let-pass")
def let_pass(
    visit: Visiting,
    message_id: int,
    key: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    """A duty lead lets one message pass one finding, with a reason."""
    visit.needs("duty lead")
    message = visit.find(Message, message_id)
    campaign_id = message.campaign_id
    by, now = visit.person.id, visit.now
    try:
        messages.let_pass(visit.session, message, key, reason=reason, by=by, now=now)
    except ValueError as fault:
        visit.session.rollback()
        found = visit.find(Campaign, campaign_id)
        return _page(visit, found, 422, error=str(fault), said={(message_id, key): reason})
    return visit.done(f"/campaigns/{campaign_id}#let-pass")


def _page(visit: Visit, campaign: Campaign, status: int = 200, **context: Any) -> Response:
    session, narrative, now = visit.session, campaign.narrative, visit.now
    intent, plan = plans.intent_of(campaign), plans.newest(campaign)
    form = context.pop("form", None) or planning.as_form(intent, visit.zone)
    speaks = campaign.strategy != campaigns.HOLD
    danger = situations.danger_of(session, narrative, now)
    lacking = checks.plan_checks(campaign, danger.high, now) if speaks else []
    return visit.page(
        "campaigns/one.html",
        status,
        campaign=campaign,
        narrative=narrative,
        danger=danger,
        tipping=tipping(narrative, counted(session, narrative), 0),
        grade=_grade(visit, campaign),
        levels=VERIFICATION,
        intent=intent,
        plan=plan,
        form=form,
        claim_rows=planning.rows_shown(form, "claim_text", SPARE_ROWS),
        asked_rows=planning.rows_shown(form, "who", SPARE_ROWS),
        lacking=[one for one in lacking if not one.passed],
        risks=_risks(visit, campaign),
        editing=speaks and visit.person.may(*CHOOSING),
        people=people.everyone(session),
        voices=all_voices(session),
        states={message.id: messages.state_of(message) for message in campaign.messages},
        platforms=PLATFORMS,
        after=afterwards.of_messages(visit, campaign.messages),
        strategies=campaigns.STRATEGIES,
        outcomes=plans.OUTCOMES,
        exposures=plans.EXPOSURES,
        issues=plans.ISSUES,
        yes_no=plans.YES_NO,
        **({"error": "", "said": {}} | context),
    )


def _grade(visit: Visit, campaign: Campaign) -> Verification | None:
    """How sure people are of what it stands on: the newest word on an alert about it."""
    if campaign.confirmation is None:
        return None
    alerts = alerts_on(visit.session, campaign.confirmation.flag)
    grades = [one for alert in alerts if not alert.exercise for one in alert.verifications]
    return max(grades, key=lambda one: one.id, default=None)


def _risks(visit: Visit, campaign: Campaign) -> list[tuple[Message, list[checks.Check]]]:
    """The drafts that a check stops which the duty lead may let pass, with these findings."""
    rows = []
    for message in campaign.messages:
        version = messages.latest_version(message)
        if version is None or messages.state_of(message) != "draft":
            continue
        found = checks.blocking(messages.check(visit.session, version, visit.now))
        if open_ := [one for one in found if one.overridable]:
            rows.append((message, open_))
    return rows
