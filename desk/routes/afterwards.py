"""After publication: what stands, what was removed there; taking back, and putting right.

What is shown of one delivery stands on its own page, /deliveries/N.
"""

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from campaigns.afterwards import afterwards, retracting, standing
from campaigns.drafting.library import text_of
from campaigns.models import Delivery, Message, Retraction
from campaigns.models.watching import WATCHDOGS
from campaigns.publishers import PLATFORMS
from desk.pages import Visit, Visiting
from desk.routes.deliveries import delivery_page
from desk.routes.messages import message_page

router = APIRouter()

SEEING_TO_IT = ("comms", "duty lead", "leader", "admin")


@router.get("/afterwards")
def show_all(visit: Visiting) -> Response:
    since = visit.now - afterwards.OVER_AFTER
    sent = standing.published_since(visit.session, since)
    return visit.page(
        "afterwards/list.html",
        rows=standing.standing(visit.session, sent, visit.now),
        texts={one.id: text_of(one) for one in sent},
        matters=standing.matters(visit.session, visit.now),
        words=WATCHDOGS,
        platforms=PLATFORMS,
    )


@router.post("/deliveries/{delivery_id}/retraction")
def take_back(
    visit: Visiting,
    delivery_id: int,
    reason: Annotated[str, Form()] = "",
    how: Annotated[str, Form()] = "ask",
) -> Response:
    """Ask the leader (comms), decide (the leader of the voice), or take it down at once."""
    delivery = visit.find(Delivery, delivery_id)
    leads = visit.person.id == delivery.account.voice.leader_id
    if how == "now":
        visit.needs("duty lead")
    elif not leads:
        visit.needs("comms")
    verb = retracting.take_down_at_once if how == "now" else retracting.propose
    try:
        verb(visit.session, delivery, reason=reason, by=visit.person.id, now=visit.now)
    except ValueError as fault:
        return _refused(visit, delivery_id, fault, reason=reason)
    return visit.done(f"/deliveries/{delivery_id}#afterwards")


@router.post("/retractions/{retraction_id}/decision")
def decide(
    visit: Visiting,
    retraction_id: int,
    answer: Annotated[str, Form()] = "",
    why: Annotated[str, Form()] = "",
) -> Response:
    """The leader's yes or no to what somebody asked for."""
    visit.needs("leader")
    retraction = visit.find(Retraction, retraction_id)
    delivery_id, by, now = retraction.delivery_id, visit.person.id, visit.now
    try:
        if answer == "yes":
            retracting.approve(visit.session, retraction, by=by, now=now)
        elif answer == "no":
            retracting.decline(visit.session, retraction, why=why, by=by, now=now)
        else:
            raise ValueError("Say yes or no.")
    except ValueError as fault:
        return _refused(visit, delivery_id, fault, why=why)
    return visit.done(f"/deliveries/{delivery_id}#afterwards")


@router.post("/retractions/{retraction_id}/withdrawal")
def withdraw(visit: Visiting, retraction_id: int, why: Annotated[str, Form()] = "") -> Response:
    """Who asked for it no longer does."""
    visit.needs(*SEEING_TO_IT)
    retraction = visit.find(Retraction, retraction_id)
    delivery_id, by, now = retraction.delivery_id, visit.person.id, visit.now
    try:
        retracting.withdraw(visit.session, retraction, why=why, by=by, now=now)
    except ValueError as fault:
        return _refused(visit, delivery_id, fault, withdrawal=why)
    return visit.done(f"/deliveries/{delivery_id}#afterwards")


@router.post("/retractions/{retraction_id}/review")
def review(
    visit: Visiting,
    retraction_id: int,
    answer: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
) -> Response:
    """The leader's word on what a duty lead took down at once."""
    visit.needs("leader")
    retraction = visit.find(Retraction, retraction_id)
    delivery_id = retraction.delivery_id
    try:
        if answer not in ("agreed", "objected"):
            raise ValueError("Say whether it was right.")
        retracting.review(
            visit.session,
            retraction,
            agreed=answer == "agreed",
            note=note,
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        return _refused(visit, delivery_id, fault, note=note)
    return visit.done(f"/deliveries/{delivery_id}#afterwards")


@router.post("/retractions/{retraction_id}/by-hand")
def done_by_hand(
    visit: Visiting, retraction_id: int, note: Annotated[str, Form()] = ""
) -> Response:
    """Somebody took it down there, because we could not."""
    visit.needs(*SEEING_TO_IT)
    retraction = visit.find(Retraction, retraction_id)
    delivery_id = retraction.delivery_id
    try:
        retracting.done_by_hand(
            visit.session, retraction, note=note, by=visit.person.id, now=visit.now
        )
    except ValueError as fault:
        return _refused(visit, delivery_id, fault, by_hand=note)
    return visit.done(f"/deliveries/{delivery_id}#afterwards")


@router.post("/deliveries/{delivery_id}/acknowledged")
def acknowledge(
    visit: Visiting,
    delivery_id: int,
    kind: Annotated[str, Form()] = "",
    replies: Annotated[int, Form()] = 0,
) -> Response:
    """This person has read the replies there, or knows that it was removed."""
    visit.needs(*SEEING_TO_IT)
    delivery = visit.find(Delivery, delivery_id)
    try:
        standing.acknowledge(
            visit.session, delivery, kind, replies=replies, by=visit.person.id, now=visit.now
        )
    except ValueError as fault:
        return _refused(visit, delivery_id, fault)
    return visit.done(f"/deliveries/{delivery_id}#afterwards")


@router.post("/messages/{message_id}/corrections")
def correct(visit: Visiting, message_id: int) -> Response:
    """Begin a message that puts this one right."""
    visit.needs("comms")
    try:
        message = retracting.start_correction(
            visit.session, visit.find(Message, message_id), by=visit.person.id, now=visit.now
        )
    except ValueError as fault:
        visit.session.rollback()
        return message_page(visit, visit.find(Message, message_id), 422, error=str(fault))
    return visit.done(f"/messages/{message.id}")


def _refused(visit: Visit, delivery_id: int, fault: ValueError, **typed: str) -> Response:
    """The delivery's page again, with why not and every word still in its field."""
    visit.session.rollback()
    status = 409 if isinstance(fault, retracting.OvertakenError) else 422
    delivery = visit.find(Delivery, delivery_id)
    return delivery_page(visit, delivery, status, error=str(fault), after_form=typed)
