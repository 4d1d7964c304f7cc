"""Lists of contacts, who is on them, and whose voice may speak to them."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response

from campaigns import voices
from campaigns.contacts import address_faults, audiences, closing, contacts
from campaigns.contacts.recipients import CAP, CAP_TIME
from campaigns.models import CHANNELS, Account, Audience, Contact, Voice
from desk.pages import Visit, Visiting, page_number
from desk.routes.contacts import BLANK, ROLES, all_page

router = APIRouter(prefix="/contacts/lists")


@router.post("")
def make_list(
    visit: Visiting,
    name: Annotated[str, Form()] = "",
    purpose: Annotated[str, Form()] = "",
) -> Response:
    visit.needs(*ROLES)
    try:
        made = audiences.make(visit.session, name, purpose, by=visit.person.id, now=visit.now)
    except ValueError as fault:
        visit.session.rollback()
        form = BLANK | {"list_name": name, "purpose": purpose}
        return all_page(visit, 422, error=str(fault), form=form)
    return visit.done(f"/contacts/lists/{made.id}")


def _list(visit: Visit, audience: Audience, status: int = 200, **context: Any) -> Response:
    page = page_number(visit.request.query_params.get("page", ""))
    found, _ = audiences.members(visit.session, audience, page)
    addresses = [address for one in found for address in one.addresses]
    context = {"error": "", "form": {}, "using": ()} | context
    outlets = audiences.outlets(visit.session, audience)
    reaches = audiences.reaches(visit.session, audience.id, list(CHANNELS), visit.now)
    total = reaches["email"].members
    return visit.page(
        "contacts/list.html",
        status,
        audience=audience,
        members=found,
        total=total,
        number=page,
        more=page * contacts.PAGE < total,
        left=contacts.opted_out(visit.session, addresses),
        faults=address_faults.standing(visit.session, addresses),
        reaches=reaches,
        outlets=[one for one in outlets if one.account.closed_at is None],
        closings=[one.account.closing for one in outlets if one.account.closing],
        changes=closing.history(visit.session, audience),
        voices=voices.all_voices(visit.session),
        channels=CHANNELS,
        cap=CAP,
        cap_days=CAP_TIME.days,
        **context,
    )


@router.get("/{audience_id}")
def show_list(visit: Visiting, audience_id: int) -> Response:
    visit.needs(*ROLES)
    return _list(visit, visit.find(Audience, audience_id))


@router.post("/{audience_id}/members")
def add_member(visit: Visiting, audience_id: int, who: Annotated[str, Form()] = "") -> Response:
    """Put one contact on the list, by whole name, address or number."""
    visit.needs(*ROLES)
    audience = visit.find(Audience, audience_id)
    found, total = contacts.search(visit.session, visit.wiring.book, who)
    if total != 1 or not who.strip():
        several = f"{total} contacts are called like that: give the address or number."
        none = "No contact has this name, address or number. Add them first."
        error = several if total > 1 else none
        return _list(visit, audience, 422, error=error, form={"who": who})
    audiences.add_members(visit.session, audience, [found[0].id], by=visit.person.id, now=visit.now)
    return visit.done(f"/contacts/lists/{audience_id}")


@router.post("/{audience_id}/members/{contact_id}/remove")
def remove_member(visit: Visiting, audience_id: int, contact_id: int) -> Response:
    visit.needs(*ROLES)
    audience, contact = visit.find(Audience, audience_id), visit.find(Contact, contact_id)
    try:
        audiences.remove_member(visit.session, audience, contact, by=visit.person.id, now=visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _list(visit, visit.find(Audience, audience_id), 409, error=str(fault))
    return visit.done(f"/contacts/lists/{audience_id}")


@router.post("/{audience_id}/voices")
def connect(
    visit: Visiting,
    audience_id: int,
    voice: Annotated[str, Form()] = "",
    channel: Annotated[str, Form()] = "",
    sender: Annotated[str, Form()] = "",
    registration: Annotated[str, Form()] = "",
) -> Response:
    """Let a voice speak to this list."""
    visit.needs(*ROLES)
    audience = visit.find(Audience, audience_id)
    form = {"voice": voice, "channel": channel, "sender": sender, "registration": registration}
    try:
        if not voice.isdecimal():
            raise ValueError("Choose whose voice speaks.")
        audiences.connect(
            visit.session,
            visit.find(Voice, int(voice)),
            audience,
            channel=channel,
            sender=sender,
            registration=registration,
            desk=visit.wiring.settings.address,
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        found = visit.find(Audience, audience_id)
        return _list(visit, found, 422, error=str(fault), form=form)
    return visit.done(f"/contacts/lists/{audience_id}")


@router.post("/{audience_id}/voices/{account_id}/close")
def close_outlet(
    visit: Visiting, audience_id: int, account_id: int, why: Annotated[str, Form()] = ""
) -> Response:
    """No longer let a voice speak to this list."""
    visit.needs(*ROLES)
    account = visit.find(Account, account_id)
    if account.outlet is None or account.outlet.audience_id != audience_id:
        raise HTTPException(404)
    return _cared(
        visit,
        audience_id,
        lambda by, now: closing.close_account(visit.session, account, why=why, by=by, now=now),
        {"outlet": account_id, "outlet_why": why},
    )


@router.post("/{audience_id}/name")
def rename_list(
    visit: Visiting,
    audience_id: int,
    name: Annotated[str, Form()] = "",
    why: Annotated[str, Form()] = "",
) -> Response:
    visit.needs(*ROLES)
    audience = visit.find(Audience, audience_id)
    return _cared(
        visit,
        audience_id,
        lambda by, now: closing.rename(visit.session, audience, name, why=why, by=by, now=now),
        {"new_name": name, "name_why": why},
    )


@router.post("/{audience_id}/close")
def close_list(visit: Visiting, audience_id: int, why: Annotated[str, Form()] = "") -> Response:
    visit.needs(*ROLES)
    audience = visit.find(Audience, audience_id)
    return _cared(
        visit,
        audience_id,
        lambda by, now: closing.close(visit.session, audience, why=why, by=by, now=now),
        {"close_why": why},
    )


@router.post("/{audience_id}/reopen")
def reopen_list(visit: Visiting, audience_id: int, why: Annotated[str, Form()] = "") -> Response:
    visit.needs(*ROLES)
    audience = visit.find(Audience, audience_id)
    return _cared(
        visit,
        audience_id,
        lambda by, now: closing.reopen(visit.session, audience, why=why, by=by, now=now),
        {"reopen_why": why},
    )


def _cared(
    visit: Visit,
    audience_id: int,
    do: Callable[[int, datetime], None],
    form: dict[str, Any],
) -> Response:
    """One verb on a list; the page again with what is wrong, and with the messages that stop it."""
    try:
        do(visit.person.id, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        using = fault.messages if isinstance(fault, closing.InUseError) else ()
        numbers = [one.id for one in using]
        found = visit.find(Audience, audience_id)
        messages = closing.named(visit.session, numbers)
        return _list(visit, found, 422, error=str(fault), using=messages, form=form)
    return visit.done(f"/contacts/lists/{audience_id}")
