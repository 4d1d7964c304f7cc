"""One delivery: all that happened to it, and a person's word where the machine cannot tell."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response

from campaigns.contacts import receipts, recipients
from campaigns.models import REPORTS, Approval, Delivery
from campaigns.publishers import BY_HAND, LISTED, PLATFORMS
from campaigns.sending import deliveries, share_packs, watchdogs
from desk import afterwards, heartbeat
from desk.pages import Visit, Visiting

router = APIRouter(prefix="/deliveries")

LOOKING = ("comms", "duty lead", "leader", "admin")  # whose word on a doubt counts


def concerns(visit: Visit) -> dict[str, Any]:
    """What deliveries/concerns.html shows, to those who can do something about it."""
    looking = visit.person.may(*LOOKING)
    return {
        "concerns": watchdogs.concerns(visit.session, visit.now, visit.stops) if looking else [],
        **worker(heartbeat.last_heard(visit.session), visit.now),
    }


def worker(heard: datetime | None, now: datetime) -> dict[str, Any]:
    """What the same page shows of the worker that was last heard of then."""
    return {"worker_heard": heard, "worker_silent": heartbeat.is_silent(heard, now)}


def delivery_page(
    visit: Visit, delivery: Delivery, status: int = 200, **context: object
) -> Response:
    """A delivery's page; ``context`` takes the place of what it would show."""
    said = receipts.of_delivery(visit.session, delivery.id) if delivery.recipient_id else []
    context = {
        "error": "",
        "reports": said,
        "fate": receipts.fate(said),
        "form": {"url": share_packs.link_said(visit.session, delivery)},
        **afterwards.of_delivery(visit, delivery),
    } | context
    return visit.page(
        "deliveries/one.html",
        status,
        delivery=delivery,
        message=delivery.approval.version.message,
        part=next(
            part
            for part in delivery.approval.version.content["parts"]
            if part["account"] == delivery.account_id
        ),
        platforms=PLATFORMS,
        looking=visit.person.may(*LOOKING),
        by_hand=BY_HAND.get(delivery.account.platform, ""),
        **context,
    )


@router.get("/lists/{approval_id}/{account_id}")
def show_list(visit: Visiting, approval_id: int, account_id: int) -> Response:
    """What became of one message to one list: counted, and by name only what is in doubt."""
    approval = visit.find(Approval, approval_id)
    tally = next(
        (
            one
            for one in recipients.tallies(visit.session, approval)
            if one.account.id == account_id
        ),
        None,
    )
    if tally is None:
        raise HTTPException(404)
    heard = receipts.counted(visit.session, approval, account_id)
    return visit.page(
        "deliveries/list.html",
        approval=approval,
        message=approval.version.message,
        tally=tally,
        reasons=recipients.reasons(visit.session, approval, account_id),
        fates=heard,
        failures=receipts.failures(visit.session, approval, account_id) if heard else [],
        said=REPORTS,
        unconfirmed=recipients.unconfirmed(visit.session, approval, account_id),
        named=recipients.NAMED,
        platforms=PLATFORMS,
    )


@router.get("/{delivery_id}")
def show(visit: Visiting, delivery_id: int) -> Response:
    return delivery_page(visit, visit.find(Delivery, delivery_id))


@router.post("/{delivery_id}/finding")
def find(
    visit: Visiting,
    delivery_id: int,
    seen: Annotated[str, Form()] = "",
    url: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
) -> Response:
    """A person looked at the account: there (with its link), again or over (both: not there)."""
    visit.needs(*LOOKING)
    delivery = visit.find(Delivery, delivery_id)
    try:
        if seen not in ("there", "again", "over"):
            raise ValueError("Choose what you saw.")
        linkless = delivery.account.platform in {*share_packs.LINKLESS, *LISTED}
        if seen == "there" and not url.strip() and not linkless:
            raise ValueError("Give the link under which it stands.")
        deliveries.found_by_person(
            visit.session,
            delivery,
            url=url if seen == "there" else None,
            seen=seen == "there",
            again=seen == "again",
            note=note,
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        form = {"seen": seen, "url": url, "note": note}
        found = visit.find(Delivery, delivery_id)
        return delivery_page(visit, found, 422, error=str(fault), form=form)
    return visit.done(f"/deliveries/{delivery_id}")
