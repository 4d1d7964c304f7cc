"""Posts by hand: a page for the phone of whoever makes one, and who else may."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException
from fastapi.responses import Response
from sqlalchemy import select

from campaigns.models import Account, Delivery, ShareHelper, Voice
from campaigns.publishers import BY_HAND, PLATFORMS
from campaigns.sending import share_packs
from desk import people
from desk.pages import KEYS, Visit, Visiting
from desk.routes.deliveries import LOOKING

router = APIRouter(prefix="/share")


def _all(visit: Visit, status: int = 200, error: str = "") -> Response:
    """What this person posts by hand, and for a leader who else may in their voices' names."""
    session = visit.session
    mine = _voices_of(visit)
    return visit.page(
        "share_packs/list.html",
        status,
        deliveries=share_packs.open_for(session, visit.person.id),
        waits=share_packs.waits,
        platforms=PLATFORMS,
        voices=mine,
        helpers=share_packs.helpers(session, [voice.id for voice in mine]),
        nameable=people.communicators(session) if mine else [],
        error=error,
    )


def _voices_of(visit: Visit) -> list[Voice]:
    """The voices this person answers for that have an account on which a person posts."""
    by_hand = select(Account.voice_id).where(Account.platform.in_(BY_HAND))
    return list(
        visit.session.scalars(
            select(Voice)
            .where(Voice.leader_id == visit.person.id, Voice.id.in_(by_hand))
            .order_by(Voice.name, Voice.id)
        )
    )


def _one(visit: Visit, delivery: Delivery, status: int = 200, **context: object) -> Response:
    """Where one post by hand stands. Its words are there to copy for whoever opened it alone."""
    pack = share_packs.pack_of(visit.session, delivery, visit.now)
    me, voice = visit.person.id, delivery.account.voice
    context = {"error": "", "url": ""} | context
    return visit.page(
        "share_packs/one.html",
        status,
        pack=pack,
        delivery=delivery,
        voice=voice,
        message=delivery.approval.version.message,
        where=BY_HAND[delivery.account.platform],
        platforms=PLATFORMS,
        takes_words=delivery.account.platform in share_packs.TAKES_WORDS,
        has_link=delivery.account.platform in share_packs.HAS_LINK,
        may=share_packs.may_post(visit.session, voice, me),
        mine=pack.tried and pack.steps[-1].by == me,
        open_for=share_packs.OPEN_FOR,
        looking=visit.person.may(*LOOKING),
        others=[
            one
            for one in share_packs.open_for(visit.session, me)
            if one.id != delivery.id and one.approval_id == delivery.approval_id
        ],
        **context,
    )


def _by_hand(visit: Visit, delivery_id: int) -> Delivery:
    delivery = share_packs.by_hand(visit.session, delivery_id) if 0 < delivery_id < KEYS else None
    if delivery is None:
        raise HTTPException(404)
    return delivery


@router.get("")
def show_all(visit: Visiting) -> Response:
    return _all(visit)


@router.get("/{delivery_id}")
def show(visit: Visiting, delivery_id: int) -> Response:
    return _one(visit, _by_hand(visit, delivery_id))


def _step(
    visit: Visit, delivery_id: int, do: Callable[[Delivery], object], url: str = ""
) -> Response:
    """One verb on a delivery; the page again with what is wrong."""
    try:
        do(_by_hand(visit, delivery_id))
    except ValueError as fault:
        visit.session.rollback()
        status = 409 if isinstance(fault, share_packs.NotNowError) else 422
        found = _by_hand(visit, delivery_id)
        return _one(visit, found, status, error=str(fault), url=url)
    return visit.done(f"/share/{delivery_id}")


@router.post("/{delivery_id}/open")
def open_one(visit: Visiting, delivery_id: int) -> Response:
    """Take it up, to post it now."""
    by, now = visit.person.id, visit.now
    return _step(
        visit, delivery_id, lambda one: share_packs.open_pack(visit.session, one, by=by, now=now)
    )


@router.post("/{delivery_id}/posted")
def posted(visit: Visiting, delivery_id: int, url: Annotated[str, Form()] = "") -> Response:
    """Whoever opened it says that they posted it."""
    by, now = visit.person.id, visit.now
    return _step(
        visit,
        delivery_id,
        lambda one: share_packs.say_posted(visit.session, one, url=url, by=by, now=now),
        url,
    )


@router.post("/{delivery_id}/not-posted")
def not_posted(visit: Visiting, delivery_id: int) -> Response:
    """Whoever opened it says that they did not: it waits again."""
    by, now = visit.person.id, visit.now
    return _step(
        visit,
        delivery_id,
        lambda one: share_packs.say_not_posted(visit.session, one, by=by, now=now),
    )


@router.post("/helpers")
def name_helper(
    visit: Visiting,
    voice_id: Annotated[int, Form()] = 0,
    person_id: Annotated[int, Form()] = 0,
) -> Response:
    """A leader lets somebody of comms post in the name of one of their voices."""
    visit.needs("leader")
    try:
        if person_id not in {one.id for one in people.communicators(visit.session)}:
            raise ValueError("Choose somebody of comms.")
        voice = visit.find(Voice, voice_id)
        share_packs.name_helper(visit.session, voice, person_id, by=visit.person.id, now=visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _all(visit, 422, str(fault))
    return visit.done("/share")


@router.post("/helpers/end")
def end_helper(visit: Visiting, helper_id: Annotated[int, Form()] = 0) -> Response:
    """The leader takes it back, or the helper does."""
    try:
        helper = visit.find(ShareHelper, helper_id)
        share_packs.end_helper(visit.session, helper, by=visit.person.id, now=visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _all(visit, 422, str(fault))
    return visit.done("/share")
