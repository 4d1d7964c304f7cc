"""Contacts who agreed to be written to, the lists they are on, and what they answered."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from cryptography.fernet import InvalidToken
from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from campaigns import voices
from campaigns.contacts import (
    address_faults,
    audiences,
    closing,
    contacts,
    erasing,
    opt_outs,
    receipts,
)
from campaigns.contacts.local_hours import daytime_from
from campaigns.contacts.recipients import CAP, CAP_TIME
from campaigns.models import (
    CHANNELS,
    Account,
    AddressFault,
    Audience,
    Contact,
    ContactAddress,
    Delivery,
    Reply,
    Voice,
)
from desk.pages import Visit, Visiting, local_time

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


def _open(book: contacts.AddressBook, sealed: bytes, instead: str) -> str:
    """What was sealed; ``instead`` where that was under another secret key."""
    try:
        return book.open(sealed)
    except InvalidToken:
        return instead


def _all(visit: Visit, status: int = 200, **context: Any) -> Response:
    asked = visit.request.query_params
    words, page = asked.get("q", ""), _page(asked.get("page", ""))
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


def _page(text: str) -> int:
    return int(text) if text.isdecimal() and 0 < len(text) < 7 and int(text) else 1


@router.get("")
def show_all(visit: Visiting) -> Response:
    visit.needs(*ROLES)
    return _all(visit)


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
        return _all(visit, 422, error=str(fault), known=known, form=kept)
    if audience.isdecimal():
        chosen = visit.find(Audience, int(audience))
        audiences.add_members(visit.session, chosen, [contact.id], by=by, now=now)
    return visit.done(f"/contacts/{contact.id}")


# ---- replies that a person must read


@router.get("/replies")
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
        replies=[(one, _open(visit.wiring.book, one.words or b"", UNREADABLE)) for one in waiting],
        owners={one.hash: one.contact_id for one in owned},
        error=error,
    )


@router.post("/replies/{reply_id}")
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


# ---- lists


@router.post("/lists")
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
        return _all(visit, 422, error=str(fault), form=form)
    return visit.done(f"/contacts/lists/{made.id}")


def _list(visit: Visit, audience: Audience, status: int = 200, **context: Any) -> Response:
    page = _page(visit.request.query_params.get("page", ""))
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


@router.get("/lists/{audience_id}")
def show_list(visit: Visiting, audience_id: int) -> Response:
    visit.needs(*ROLES)
    return _list(visit, visit.find(Audience, audience_id))


@router.post("/lists/{audience_id}/members")
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


@router.post("/lists/{audience_id}/members/{contact_id}/remove")
def remove_member(visit: Visiting, audience_id: int, contact_id: int) -> Response:
    visit.needs(*ROLES)
    audience, contact = visit.find(Audience, audience_id), visit.find(Contact, contact_id)
    try:
        audiences.remove_member(visit.session, audience, contact, by=visit.person.id, now=visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _list(visit, visit.find(Audience, audience_id), 409, error=str(fault))
    return visit.done(f"/contacts/lists/{audience_id}")


@router.post("/lists/{audience_id}/voices")
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


@router.post("/lists/{audience_id}/voices/{account_id}/close")
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


@router.post("/lists/{audience_id}/name")
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


@router.post("/lists/{audience_id}/close")
def close_list(visit: Visiting, audience_id: int, why: Annotated[str, Form()] = "") -> Response:
    visit.needs(*ROLES)
    audience = visit.find(Audience, audience_id)
    return _cared(
        visit,
        audience_id,
        lambda by, now: closing.close(visit.session, audience, why=why, by=by, now=now),
        {"close_why": why},
    )


@router.post("/lists/{audience_id}/reopen")
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


# ---- one contact


@router.get("/erasures")
def show_erasures(visit: Visiting) -> Response:
    """That somebody was erased, by whom and why; never who it was."""
    visit.needs(*ROLES)
    return visit.page("contacts/erasures.html", erasures=erasing.log(visit.session))


def _one(visit: Visit, contact: Contact, status: int = 200, **context: Any) -> Response:
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
        opened={one.id: _open(book, one.sealed or b"", one.label) for one in contact.addresses},
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
    return _one(visit, visit.find(Contact, contact_id))


def _known(visit: Visit, contact_id: int) -> Contact:
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
    contact = _known(visit, contact_id)
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
        return _one(visit, found, 422, error=str(fault), form=form, doubt=doubt)
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
    contact = _known(visit, contact_id)
    form = {"name": name, "language": language, "county": county, "zone": zone}
    try:
        contacts.change_contact(visit.session, visit.wiring.book, contact, **form)
    except ValueError as fault:
        visit.session.rollback()
        return _one(visit, visit.find(Contact, contact_id), 422, error=str(fault), form=form)
    return visit.done(f"/contacts/{contact_id}")


@router.post("/{contact_id}/addresses")
def add_address(
    visit: Visiting,
    contact_id: int,
    channel: Annotated[str, Form()] = "",
    address: Annotated[str, Form()] = "",
) -> Response:
    visit.needs(*ROLES)
    contact = _known(visit, contact_id)
    by, now = visit.person.id, visit.now
    try:
        contacts.add_address(
            visit.session, visit.wiring.book, contact, channel, address, by=by, now=now
        )
    except ValueError as fault:
        visit.session.rollback()
        form = {"channel": channel, "address": address}
        return _one(visit, visit.find(Contact, contact_id), 422, error=str(fault), form=form)
    return visit.done(f"/contacts/{contact_id}")


def _address(visit: Visit, contact_id: int, address_id: int) -> ContactAddress:
    address = visit.find(ContactAddress, address_id)
    if address.contact_id != contact_id or address.sealed is None:
        raise HTTPException(404)
    return address


@router.post("/{contact_id}/addresses/{address_id}/arrives")
def put_right(
    visit: Visiting, contact_id: int, address_id: int, why: Annotated[str, Form()] = ""
) -> Response:
    """Somebody knows that the address is good again."""
    visit.needs(*ROLES)
    address = _address(visit, contact_id, address_id)
    standing = address_faults.standing(visit.session, [address])
    fault_there: AddressFault | None = standing.get(address.id)
    try:
        if fault_there is None:
            raise ValueError("Somebody has put this right already.")
        address_faults.put_right(
            visit.session, fault_there, why=why, by=visit.person.id, now=visit.now
        )
    except ValueError as fault:
        visit.session.rollback()
        found = visit.find(Contact, contact_id)
        return _one(visit, found, 422, error=str(fault), form={"arrives": why}, at=address_id)
    return visit.done(f"/contacts/{contact_id}")


@router.post("/{contact_id}/addresses/{address_id}/consents")
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
        return _one(visit, found, 422, error=str(fault), form=form, at=address_id)
    return visit.done(f"/contacts/{contact_id}")


def _moment(day: str, visit: Visit) -> datetime:
    """The beginning of a form's day, in the desk's zone: a "no" of that same day stands."""
    if not day:
        raise ValueError("Give the day on which they agreed.")
    return local_time(f"{day}T00:00", visit.wiring.zone)


@router.post("/{contact_id}/addresses/{address_id}/end")
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
        return _one(visit, visit.find(Contact, contact_id), 422, error=str(fault))
    return visit.done(f"/contacts/{contact_id}")


@router.post("/{contact_id}/addresses/{address_id}/opt-out")
def opt_out(visit: Visiting, contact_id: int, address_id: int) -> Response:
    """They told somebody, by whatever means, that they want nothing more at this address."""
    visit.needs(*ROLES)
    address = _address(visit, contact_id, address_id)
    by, now = visit.person.id, visit.now
    opt_outs.opt_out_of(visit.session, address, how="person", by=by, now=now)
    return visit.done(f"/contacts/{contact_id}")
