"""Contacts who agreed to be written to: all of them, and each one's page."""

from typing import Annotated, Any

from cryptography.fernet import InvalidToken
from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from campaigns.contacts import (
    address_faults,
    audiences,
    contacts,
    erasing,
    opt_outs,
    receipts,
)
from campaigns.contacts.local_hours import daytime_from
from campaigns.models import (
    CHANNELS,
    Audience,
    Contact,
    Delivery,
)
from desk.pages import Visit, Visiting, page_number

router = APIRouter(prefix="/contacts")

ROLES = ("comms", "admin")
SENT_SHOWN = 20  # deliveries on a contact's page
HOW = {
    "stop": "texted STOP",
    "unsubscribe": "left by the link in a mail",
    "words": "wrote that they want no more",
    "person": "told somebody of the desk",
    "mail": "answered a mail that they want no more",
    "gateway": "told the gateway that they want no more",
    "erased": "were erased at this address, and are not brought back by a file",
}
UNREADABLE = "(It was stored under another secret key than the settings hold.)"
BLANK = dict.fromkeys(("name", "county", "zone", "email", "number", "audience"), "") | {
    "language": "en"
}


def unsealed(book: contacts.AddressBook, sealed: bytes, instead: str) -> str:
    """What was sealed; ``instead`` where that was under another secret key."""
    try:
        return book.open(sealed)
    except InvalidToken:
        return instead


def all_page(visit: Visit, status: int = 200, **context: Any) -> Response:
    """The page of all contacts; ``context`` has what was typed and what is wrong with it."""
    asked = visit.request.query_params
    words, page = asked.get("q", ""), page_number(asked.get("page", ""))
    found, total = contacts.search(visit.session, visit.wiring.book, words, page)
    addresses = [address for one in found for address in one.addresses]
    context = {"error": "", "known": None, "form": BLANK} | context
    return visit.page(
        "contacts/all.html",
        status,
        contacts=found,
        total=total,
        words=words,
        number=page,
        more=page * contacts.PAGE < total,
        left=contacts.opted_out(visit.session, addresses),
        faults=address_faults.standing(visit.session, addresses),
        lists=audiences.all_lists(visit.session),
        waiting=len(opt_outs.waiting_replies(visit.session)),
        languages=contacts.LANGUAGES,
        channels=CHANNELS,
        **context,
    )


@router.get("")
def show_all(visit: Visiting) -> Response:
    visit.needs(*ROLES)
    return all_page(visit)


@router.post("")
def add(
    visit: Visiting,
    name: Annotated[str, Form()] = "",
    language: Annotated[str, Form()] = "",
    county: Annotated[str, Form()] = "",
    zone: Annotated[str, Form()] = "",
    email: Annotated[str, Form()] = "",
    number: Annotated[str, Form()] = "",
    audience: Annotated[str, Form()] = "",
) -> Response:
    """A new contact, on a list if one is chosen. They are not written to before they agreed."""
    visit.needs(*ROLES)
    form = {"name": name, "language": language, "county": county, "zone": zone}
    typed = form | {"email": email, "number": number}
    by, now = visit.person.id, visit.now
    try:
        contact = contacts.add_contact(visit.session, visit.wiring.book, **typed, by=by, now=now)
    except ValueError as fault:
        visit.session.rollback()
        known = fault.contact if isinstance(fault, contacts.KnownAddressError) else None
        kept = typed | {"audience": audience}
        return all_page(visit, 422, error=str(fault), known=known, form=kept)
    if audience.isdecimal():
        chosen = visit.find(Audience, int(audience))
        audiences.add_members(visit.session, chosen, [contact.id], by=by, now=now)
    return visit.done(f"/contacts/{contact.id}")


@router.get("/erasures")
def show_erasures(visit: Visiting) -> Response:
    """That somebody was erased, by whom and why; never who it was."""
    visit.needs(*ROLES)
    return visit.page("contacts/erasures.html", erasures=erasing.log(visit.session))


def one_page(visit: Visit, contact: Contact, status: int = 200, **context: Any) -> Response:
    """A contact's page; ``context`` has what was typed and what is wrong with it."""
    book, session = visit.wiring.book, visit.session
    numbers = [one.id for one in contact.addresses]
    sent = (
        select(Delivery)
        .where(Delivery.recipient_id.in_(numbers))
        .order_by(Delivery.id.desc())
        .limit(SENT_SHOWN)
    )
    context = {"error": "", "form": {}, "at": 0, "doubt": 0} | context
    deliveries = session.scalars(sent.options(joinedload(Delivery.account))).all()
    if contact.erased_at is not None:
        erasure = erasing.of_contact(session, contact)
        return visit.page(
            "contacts/erased.html", erasure=erasure, sent=deliveries, channels=CHANNELS
        )
    return visit.page(
        "contacts/one.html",
        status,
        contact=contact,
        faults=address_faults.standing(session, contact.addresses),
        mended=address_faults.put_right_before(session, contact.addresses),
        fates=receipts.fates(session, [one.id for one in deliveries]),
        opened={one.id: unsealed(book, one.sealed or b"", one.label) for one in contact.addresses},
        left=contacts.opted_out(session, contact.addresses),
        lists=audiences.lists_of(session, contact),
        sent=deliveries,
        daytime=daytime_from(contact.zones, visit.now),
        languages=contacts.LANGUAGES,
        channels=CHANNELS,
        how=HOW,
        **context,
    )


@router.get("/{contact_id}")
def show(visit: Visiting, contact_id: int) -> Response:
    visit.needs(*ROLES)
    return one_page(visit, visit.find(Contact, contact_id))


def not_erased(visit: Visit, contact_id: int) -> Contact:
    """A contact who may be changed. 404 for one that was erased."""
    contact = visit.find(Contact, contact_id)
    if contact.erased_at is not None:
        raise HTTPException(404)
    return contact


@router.post("/{contact_id}/erase")
def erase(
    visit: Visiting,
    contact_id: int,
    why: Annotated[str, Form()] = "",
    sure: Annotated[str, Form()] = "",
) -> Response:
    """Forget who they were, for good."""
    visit.needs(*ROLES)
    contact = not_erased(visit, contact_id)
    try:
        if sure != "yes":
            raise ValueError("Say that you know that nobody can undo this.")
        erasing.erase(
            visit.session, visit.wiring.book, contact, why=why, by=visit.person.id, now=visit.now
        )
    except ValueError as fault:
        doubt = fault.delivery.id if isinstance(fault, erasing.UnderWayError) else 0
        visit.session.rollback()
        form = {"erase_why": why}
        found = visit.find(Contact, contact_id)
        return one_page(visit, found, 422, error=str(fault), form=form, doubt=doubt)
    return visit.done(f"/contacts/{contact_id}")


@router.post("/{contact_id}")
def change(
    visit: Visiting,
    contact_id: int,
    name: Annotated[str, Form()] = "",
    language: Annotated[str, Form()] = "",
    county: Annotated[str, Form()] = "",
    zone: Annotated[str, Form()] = "",
) -> Response:
    visit.needs(*ROLES)
    contact = not_erased(visit, contact_id)
    form = {"name": name, "language": language, "county": county, "zone": zone}
    try:
        contacts.change_contact(visit.session, visit.wiring.book, contact, **form)
    except ValueError as fault:
        visit.session.rollback()
        return one_page(visit, visit.find(Contact, contact_id), 422, error=str(fault), form=form)
    return visit.done(f"/contacts/{contact_id}")
