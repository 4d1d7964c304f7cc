"""How each person is told, and what has been told to whom."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response

from desk import channels
from desk.models import Channel, Mailbox
from desk.notices import log
from desk.pages import KEYS, Visit, Visiting
from desk.routes.sign_in import me_page

router = APIRouter()

SEEING = ("monitor", "duty lead", "admin")  # who may read the log
COUNTED = timedelta(days=7)
STATES = {  # of a filter: the states of notices behind it
    "waiting": ("scheduled", "attempting"),
    "delivered": ("delivered",),
    "failed": ("failed",),
    "not known": ("unknown",),
    "withdrawn": ("withdrawn",),
}
HERE = "/me#told"


@router.get("/notices")
def show(visit: Visiting, state: str = "", before: int | None = None) -> Response:
    visit.needs(*SEEING)
    if before is not None and not 0 < before < KEYS:
        raise HTTPException(404)
    if state and state not in STATES:
        raise HTTPException(404)
    counted = log.counts(visit.session, visit.now - COUNTED)
    mails = visit.wiring.courier().mails
    return visit.page(
        "notices/list.html",
        log=log.log(visit.session, STATES.get(state, ()), before),
        state=state,
        counts={name: sum(counted.get(one, 0) for one in of) for name, of in STATES.items()},
        days=COUNTED.days,
        mails=mails,
        unreachable=channels.unreachable(visit.session, mails),
        broken=channels.broken(visit.session),
        mailbox=mailbox_of(visit),
    )


@router.post("/me/channels")
def add(
    visit: Visiting, service: Annotated[str, Form()] = "", address: Annotated[str, Form()] = ""
) -> Response:
    try:
        read, label = visit.wiring.courier().read(service, address)
        channels.add(
            visit.session, visit.person, service, read, label, visit.wiring.vault, visit.now
        )
    except ValueError as fault:
        visit.session.rollback()
        form = {"service": service, "address": address}
        return me_page(visit, 422, fault=str(fault), form=form)
    return visit.done(HERE)


@router.post("/me/channels/times")
def set_times(
    visit: Visiting,
    channel: Annotated[int, Form()],
    quiet_from: Annotated[str, Form()] = "",
    quiet_until: Annotated[str, Form()] = "",
    digest: Annotated[bool, Form()] = False,
) -> Response:
    try:
        channels.set_times(_mine(visit, channel), quiet_from, quiet_until, digest)
    except ValueError as fault:
        visit.session.rollback()
        form = {"quiet_from": quiet_from, "quiet_until": quiet_until, "digest": digest}
        return me_page(visit, 422, fault=str(fault), at=channel, form=form)
    return visit.done(HERE)


@router.post("/me/channels/try")
def try_out(visit: Visiting, channel: Annotated[int, Form()]) -> Response:
    try:
        channels.try_out(visit.session, _mine(visit, channel), visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return me_page(visit, 422, fault=str(fault), at=channel)
    return visit.done(HERE)


@router.post("/me/channels/arrives")
def put_right(visit: Visiting, channel: Annotated[int, Form()]) -> Response:
    """Mail there came back, and does so no more."""
    channels.put_right(visit.session, _mine(visit, channel), by=visit.person, now=visit.now)
    return visit.done(HERE)


@router.post("/me/channels/remove")
def remove(visit: Visiting, channel: Annotated[int, Form()]) -> Response:
    channels.remove(_mine(visit, channel), visit.now)
    return visit.done(HERE)


def mailbox_of(visit: Visit) -> Mailbox | None:
    """How far the mailbox of bounces is read; None: there is none, or it was not looked at yet."""
    place = visit.wiring.mailbox
    return visit.session.get(Mailbox, place.name) if place is not None else None


def _mine(visit: Visit, channel_id: int) -> Channel:
    """A channel of the person who asks; of anybody else's there is nothing here."""
    channel = visit.find(Channel, channel_id)
    if channel.person_id != visit.person.id or channel.removed_at is not None:
        raise HTTPException(404)
    return channel
