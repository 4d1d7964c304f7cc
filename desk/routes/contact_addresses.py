"""A contact's addresses: consent there and its end, a wish for no more, mail that arrives again."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response

from campaigns.contacts import address_faults, contacts, opt_outs
from campaigns.models import Contact, ContactAddress
from desk.pages import Visit, Visiting, local_time
from desk.routes.contacts import ROLES, not_erased, one_page

router = APIRouter(prefix="/contacts/{contact_id}/addresses")


@router.post("")
def add_address(
    visit: Visiting,
    contact_id: int,
    channel: Annotated[str, Form()] = "",
    address: Annotated[str, Form()] = "",
) -> Response:
    visit.needs(*ROLES)
    contact = not_erased(visit, contact_id)
    by, now = visit.person.id, visit.now
    try:
        contacts.add_address(
            visit.session, visit.wiring.book, contact, channel, address, by=by, now=now
        )
    except ValueError as fault:
        visit.session.rollback()
        form = {"channel": channel, "address": address}
        return one_page(visit, visit.find(Contact, contact_id), 422, error=str(fault), form=form)
    return visit.done(f"/contacts/{contact_id}")


def _address(visit: Visit, contact_id: int, address_id: int) -> ContactAddress:
    address = visit.find(ContactAddress, address_id)
    if address.contact_id != contact_id or address.sealed is None:
        raise HTTPException(404)
    return address


@router.post("/{address_id}/arrives")
def put_right(
    visit: Visiting, contact_id: int, address_id: int, why: Annotated[str, Form()] = ""
) -> Response:
    """Somebody knows that the address is good again."""
    visit.needs(*ROLES)
    address = _address(visit, contact_id, address_id)
    standing = address_faults.standing(visit.session, [address]).get(address.id)
    try:
        if standing is None:
            raise ValueError("Somebody has put this right already.")
        address_faults.put_right(
            visit.session, standing, why=why, by=visit.person.id, now=visit.now
        )
    except ValueError as fault:
        visit.session.rollback()
        found = visit.find(Contact, contact_id)
        return one_page(visit, found, 422, error=str(fault), form={"arrives": why}, at=address_id)
    return visit.done(f"/contacts/{contact_id}")


@router.post("/{address_id}/consents")
def record_consent(
    visit: Visiting,
    contact_id: int,
    address_id: int,
    given: Annotated[str, Form()] = "",
    how: Annotated[str, Form()] = "",
    evidence: Annotated[str, Form()] = "",
    wording: Annotated[str, Form()] = "",
) -> Response:
    """That they agreed on a day, with the proof."""
    visit.needs(*ROLES)
    address = _address(visit, contact_id, address_id)
    form = {"given": given, "how": how, "evidence": evidence, "wording": wording}
    try:
        contacts.record_consent(
            visit.session,
            address,
            given_at=_moment(given, visit),
            how=how,
            evidence=evidence,
            wording=wording,
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        found = visit.find(Contact, contact_id)
        return one_page(visit, found, 422, error=str(fault), form=form, at=address_id)
    return visit.done(f"/contacts/{contact_id}")


def _moment(day: str, visit: Visit) -> datetime:
    """The beginning of a form's day, in the desk's zone: a "no" of that same day stands."""
    if not day:
        raise ValueError("Give the day on which they agreed.")
    return local_time(f"{day}T00:00", visit.wiring.zone)


@router.post("/{address_id}/end")
def end_consent(
    visit: Visiting, contact_id: int, address_id: int, why: Annotated[str, Form()] = ""
) -> Response:
    """They agree no longer: what waits for this address stops at once."""
    visit.needs(*ROLES)
    address = _address(visit, contact_id, address_id)
    by, now = visit.person.id, visit.now
    try:
        contacts.end_consent(visit.session, address, why=why, by=by, now=now)
    except ValueError as fault:
        visit.session.rollback()
        return one_page(visit, visit.find(Contact, contact_id), 422, error=str(fault))
    return visit.done(f"/contacts/{contact_id}")


@router.post("/{address_id}/opt-out")
def opt_out(visit: Visiting, contact_id: int, address_id: int) -> Response:
    """They told somebody, by whatever means, that they want nothing more at this address."""
    visit.needs(*ROLES)
    address = _address(visit, contact_id, address_id)
    by, now = visit.person.id, visit.now
    opt_outs.opt_out_of(visit.session, address, how="person", by=by, now=now)
    return visit.done(f"/contacts/{contact_id}")
