"""Replies in which somebody may have said that they want no more: a person reads them."""

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response
from sqlalchemy import select

from campaigns.contacts import opt_outs
from campaigns.models import ContactAddress, Reply
from desk.pages import Visit, Visiting
from desk.routes.contacts import ROLES, UNREADABLE, unsealed

router = APIRouter(prefix="/contacts/replies")


@router.get("")
def show_replies(visit: Visiting) -> Response:
    visit.needs(*ROLES)
    return _replies(visit)


def _replies(visit: Visit, status: int = 200, error: str = "") -> Response:
    waiting = opt_outs.waiting_replies(visit.session)
    hashes = [one.hash for one in waiting]
    owned = visit.session.scalars(
        select(ContactAddress).where(ContactAddress.hash.in_(hashes))
    ).all()
    return visit.page(
        "contacts/replies.html",
        status,
        replies=[
            (one, unsealed(visit.wiring.book, one.words or b"", UNREADABLE)) for one in waiting
        ],
        owners={one.hash: one.contact_id for one in owned},
        error=error,
    )


@router.post("/{reply_id}")
def settle(visit: Visiting, reply_id: int, leaves: Annotated[str, Form()] = "") -> Response:
    """What somebody meant, by a person's reading: ``leaves`` yes or no."""
    visit.needs(*ROLES)
    reply = visit.find(Reply, reply_id)
    try:
        if leaves not in ("yes", "no"):
            raise ValueError("Say whether they want no more messages.")
        opt_outs.settle(
            visit.session, reply, leaves=leaves == "yes", by=visit.person.id, now=visit.now
        )
    except ValueError as fault:
        visit.session.rollback()
        return _replies(visit, 409, str(fault))
    return visit.done("/contacts/replies")
