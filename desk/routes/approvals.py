"""The leader's word on a message: yes, no, a change, by a link or after signing in."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from campaigns.approving import approval_links, approvals
from campaigns.approving.sheets import sheet_of
from campaigns.drafting import messages
from campaigns.models import ApprovalLink, Image, Message, MessageVersion
from campaigns.publishers import PLATFORMS
from campaigns.sending import kill_switch
from campaigns.wording.media import pictures_on
from desk import passkeys, people
from desk.models import Person
from desk.pages import Typed, Visit, Visiting
from desk.routes.messages import message_page, texts_of
from desk.routes.passkeys import confirmed, options_to_approve, session_token
from desk.wiring import Wiring, clock

router = APIRouter()

# The address of the page is a key: no request made from it says where it came from. Not
# "no-referrer": with it some browsers would hide from us as well that a form is our own.
SECRET_ADDRESS = {"Referrer-Policy": "strict-origin"}
DONE = {  # a path's last word, and what a link was used for by it
    "approve": "approved",
    "decline": "declined",
    "ask": "change asked",
    "edit": "edited",
}


def _version(visit: Visit, message_id: int, version_id: int) -> MessageVersion:
    version = visit.find(MessageVersion, version_id)
    if version.message_id != message_id:
        raise HTTPException(404)
    return version


def _decide(
    session: Session,
    version: MessageVersion,
    what: str,
    form: FormData,
    by: int,
    now: datetime,
    passkey: str | None = None,
) -> None:
    """One of DONE, by the words of its form. ValueError says what is wrong."""
    reason = str(form.get("reason", ""))
    if what == "approve":
        sha256 = str(form.get("sha256", ""))
        approvals.approve(session, version, sha256=sha256, by=by, now=now, passkey=passkey)
    elif what == "decline":
        approvals.decline(session, version, reason=reason, by=by, now=now)
    elif what == "ask":
        approvals.ask_change(session, version, reason=reason, by=by, now=now)
    else:
        approvals.edit(session, version, texts_of(form), by=by, now=now)


def _key(
    wiring: Wiring,
    session: Session,
    by: Person,
    version: MessageVersion,
    what: str,
    form: FormData,
    token: str,
    now: datetime,
) -> str | None:
    """With which passkey this is confirmed: to approve asks for one where its leader chose so."""
    if what != "approve":
        return None
    answer = str(form.get("answer", ""))
    return confirmed(wiring, session, by, answer, version.sha256, token, now)


def _kept(what: str, form: FormData) -> dict[str, Any]:
    """What was typed, for the page that comes back."""
    return {"tried": what, "reason": str(form.get("reason", "")), "typed": texts_of(form)}


# ---- signed in


@router.post("/messages/{message_id}/withdraw")
def withdraw(visit: Visiting, message_id: int, why: Annotated[str, Form()] = "") -> Response:
    """Stop what is approved but not yet out. Comms and leaders may; it needs a reason."""
    visit.needs("comms", "leader")
    message = visit.find(Message, message_id)
    version = messages.latest_version(message)
    try:
        if version is None or version.approval is None:
            raise ValueError("There is nothing to withdraw: this message is not approved.")
        approvals.withdraw_approval(
            visit.session, version.approval, why=why, by=visit.person.id, now=visit.now
        )
    except ValueError as fault:
        visit.session.rollback()
        return message_page(
            visit, visit.find(Message, message_id), 409, error=str(fault), reason=why
        )
    return visit.done(f"/messages/{message_id}")


def _signed_in(what: str) -> Callable[..., Response]:
    def decide(
        visit: Visiting, message_id: int, version_id: Annotated[int, Form()], form: Typed
    ) -> Response:
        visit.needs("leader")
        version = _version(visit, message_id, version_id)
        by, token = visit.person, session_token(visit)
        try:
            key = _key(visit.wiring, visit.session, by, version, what, form, token, visit.now)
            _decide(visit.session, version, what, form, by.id, visit.now, key)
        except ValueError as fault:
            visit.session.rollback()
            found = visit.find(Message, message_id)
            return message_page(visit, found, 409, error=str(fault), **_kept(what, form))
        return visit.done(f"/messages/{message_id}")

    return decide


@router.post("/messages/{message_id}/passkey")
def to_approve(
    visit: Visiting, message_id: int, version_id: Annotated[int, Form()] = 0
) -> Response:
    """What a browser needs to confirm an approval with a passkey."""
    visit.needs("leader")
    sha256 = _version(visit, message_id, version_id).sha256
    wiring, token = visit.wiring, session_token(visit)
    return options_to_approve(wiring, visit.session, visit.person, sha256, token, visit.now)


for _what in DONE:
    router.post(f"/messages/{{message_id}}/{_what}")(_signed_in(_what))


# ---- by a link


@router.api_route("/approve/{token}", methods=["GET", "HEAD"])
def show(request: Request, token: str) -> Response:
    """The page of a link. It changes nothing and sets no cookie, whoever or whatever asks."""
    with request.app.state.wiring.sessions() as session:
        link = _link(request, session, token)
        if link is None:
            return _unknown(request, session)
        return _link_page(request, session, link, token)


@router.get("/approve/{token}/pictures/{sha256}")
def picture(request: Request, token: str, sha256: str) -> Response:
    """A picture of the message, for the page of its link, for as long as that shows it."""
    with request.app.state.wiring.sessions() as session:
        link = _link(request, session, token)
        open_ = link is not None and approval_links.standing(link, clock()) == "open"
        parts = link.version.content["parts"] if link is not None and open_ else []
        if not any(one["sha256"] == sha256 for part in parts for one in pictures_on(part)):
            raise HTTPException(404)
        found = session.get_one(Image, sha256)
        return Response(found.data, media_type=found.media_type, headers=SECRET_ADDRESS)


@router.post("/approve/{token}/passkey")
def to_approve_by_link(request: Request, token: str) -> Response:
    """The same on the page of a link, which shows one version only."""
    now = clock()
    with request.app.state.wiring.sessions() as session:
        link = _link(request, session, token)
        leader = _leader(session, link) if link is not None else None
        if link is None or leader is None or approval_links.standing(link, now) != "open":
            raise HTTPException(404)
        sha256 = link.version.sha256
        return options_to_approve(request.app.state.wiring, session, leader, sha256, token, now)


# After the one above: it takes every word.
@router.post("/approve/{token}/{what}")
def decide(request: Request, token: str, what: str, form: Typed) -> Response:
    """What the link's leader says, once."""
    if what not in DONE:
        raise HTTPException(404)
    now = clock()
    with request.app.state.wiring.sessions() as session:
        link = _link(request, session, token)
        if link is None:
            return _unknown(request, session)
        leader = _leader(session, link)
        if approval_links.standing(link, now) != "open" or leader is None:
            return _link_page(request, session, link, token, 409)
        wiring: Wiring = request.app.state.wiring
        try:
            key = _key(wiring, session, leader, link.version, what, form, token, now)
            approval_links.use_link(session, link, DONE[what], now)
            _decide(session, link.version, what, form, link.leader_id, now, key)
        except ValueError as fault:
            session.rollback()
            kept = _kept(what, form)
            return _link_page(request, session, link, token, 409, error=str(fault), **kept)
        session.commit()
    return RedirectResponse(f"/approve/{token}", status_code=303, headers=SECRET_ADDRESS)


def _link(request: Request, session: Session, token: str) -> ApprovalLink | None:
    wiring: Wiring = request.app.state.wiring
    return approval_links.link_of(session, token, wiring.vault)


def _leader(session: Session, link: ApprovalLink) -> Person | None:
    """Whose link it is, if they still may decide."""
    person = session.get(Person, link.leader_id)
    return person if person and person.left_at is None and person.may("leader") else None


def _unknown(request: Request, session: Session) -> Response:
    """No link of ours: a guess, or an address cut short on its way. Guesses are counted.

    A true link is never slowed down: whoever guesses must not shut out a leader on the same proxy.
    """
    where = request.client.host if request.client else ""
    slow = people.guessed(session, f"link {where}", clock())
    session.commit()
    said = (
        "Too many addresses that are none of ours. Wait a quarter of an hour, or sign in."
        if slow
        else "This is no link of ours. Perhaps it was cut short: copy it whole, or sign in."
    )
    return _render(request, "approvals/closed.html", 429 if slow else 404, said=said)


def _link_page(
    request: Request,
    session: Session,
    link: ApprovalLink,
    token: str,
    status: int = 200,
    **context: Any,
) -> Response:
    """What the link is good for now: the sheet and its forms, or what has become of it."""
    wiring: Wiring = request.app.state.wiring
    now = clock()
    version, leader = link.version, _leader(session, link)
    message = version.message
    standing = approval_links.standing(link, now) if leader is not None else "passed on"
    shown = {
        "message": message,
        "version": version,
        "newest": messages.latest_version(message),
        "state": messages.state_of(message),
        "standing": standing,
        "link": link,
        "leader": leader,
        "names": people.names(session),
        "platforms": PLATFORMS,
        "now": now,
        "stops": kill_switch.standing(session),
        "sheet": sheet_of(session, version, wiring.zone),
        "with_passkey": standing == "open"
        and leader is not None
        and passkeys.asks(session, passkeys.party_of(wiring.settings), leader),
        "deciding_at": f"/approve/{token}",
        "pictures_at": f"/approve/{token}/pictures",
        "error": "",
        "tried": "",
        "reason": "",
        "typed": {},
    } | context
    return _render(request, "approvals/link.html", status, **shown)


def _render(request: Request, template: str, status: int, **context: Any) -> Response:
    templates = request.app.state.templates
    response: Response = templates.TemplateResponse(
        request,
        template,
        {"person": None} | context,
        status_code=status,
        headers=SECRET_ADDRESS,
    )
    return response
