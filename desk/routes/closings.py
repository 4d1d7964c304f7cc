"""Accounts of a voice by which nothing more is posted by hand, and their way back."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response

from campaigns.contacts import closing
from campaigns.models import Account, Voice
from desk.pages import Visit, Visiting
from desk.routes.voices import voice_page

router = APIRouter(prefix="/voices/{voice_id}/accounts/{account_id}")


@router.post("/close")
def close(
    visit: Visiting, voice_id: int, account_id: int, why: Annotated[str, Form()] = ""
) -> Response:
    """Not while anything is on its way through it."""
    account, by, now = _account(visit, voice_id, account_id), visit.person.id, visit.now
    return _done(
        visit,
        voice_id,
        lambda: closing.close_account(visit.session, account, why=why, by=by, now=now),
        why=why,
        at=account_id,
    )


@router.post("/open")
def open_again(visit: Visiting, voice_id: int, account_id: int) -> Response:
    account, by, now = _account(visit, voice_id, account_id), visit.person.id, visit.now
    return _done(
        visit, voice_id, lambda: closing.open_account(visit.session, account, by=by, now=now)
    )


def _account(visit: Visit, voice_id: int, account_id: int) -> Account:
    visit.needs("comms", "admin")
    account = visit.find(Account, account_id)
    if account.voice_id != voice_id:
        raise HTTPException(404)
    return account


def _done(
    visit: Visit, voice_id: int, do: Callable[[], None], why: str = "", at: int = 0
) -> Response:
    try:
        do()
    except ValueError as fault:
        visit.session.rollback()
        numbers = [one.id for one in getattr(fault, "messages", ())]
        using = closing.named(visit.session, numbers)
        closed = {"why": why, "at": at, "using": using}
        found = visit.find(Voice, voice_id)
        return voice_page(visit, found, 422, error=str(fault), closed=closed)
    return visit.done(f"/voices/{voice_id}#accounts")
