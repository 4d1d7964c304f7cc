"""Passkeys: adding, choosing and removing them, and signing in with one.

The script of a form (static/passkeys.js) asks for options, lets the browser answer, and sends the
form with that answer. Confirming an approval is in the routes of approvals and releases.
"""

import secrets
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from desk import passkeys
from desk.models import Passkey, Person
from desk.pages import Visit, Visiting
from desk.routes.sign_in import let_in, me_page, sign_in_page
from desk.security import COOKIE
from desk.wiring import Wiring, clock

router = APIRouter()

ASKED = "breakwater_passkey"  # cookie: which browser was asked to sign in with a passkey
HERE = "/me#passkeys"


def session_token(visit: Visit) -> str:
    """What a challenge of somebody who is signed in is bound to."""
    return visit.request.cookies.get(COOKIE, "")


def options_to_approve(
    wiring: Wiring, session: Session, person: Person, sha256: str, bound_to: str, now: datetime
) -> Response:
    """Options for a form that approves what has this SHA-256."""
    party = passkeys.party_of(wiring.settings)
    if party is None:
        return _refused(passkeys.NO_PASSKEYS)
    said = passkeys.options_to_use(
        session, party, "approve", bound_to, now, person=person, sha256=sha256
    )
    session.commit()
    return Response(said, media_type="application/json")


def confirmed(
    wiring: Wiring,
    session: Session,
    person: Person,
    answer: str,
    sha256: str,
    bound_to: str,
    now: datetime,
) -> str | None:
    """The id of the passkey with which this approval is confirmed; None: this person asks for none.

    PasskeyRefusedError. Commits either way: an answer counts once.
    """
    party = passkeys.party_of(wiring.settings)
    if party is None or not passkeys.asks(session, party, person):
        return None
    if not answer:
        raise passkeys.PasskeyRefusedError(
            "You chose that approving asks for your passkey, and none answered. That needs a "
            "browser with scripting, on a device that has the passkey."
        )
    try:
        return passkeys.confirm(
            session, party, person, answer, "approve", bound_to=bound_to, now=now, sha256=sha256
        )
    finally:
        session.commit()


def _refused(why: str) -> Response:
    return JSONResponse({"fault": why}, status_code=409)


def _party(visit: Visit) -> passkeys.Party:
    party = passkeys.party_of(visit.wiring.settings)
    if party is None:
        raise HTTPException(404)
    return party


# ---- one's own


@router.post("/me/passkeys/options")
def to_add(visit: Visiting) -> Response:
    """What a browser needs to make a passkey."""
    try:
        said = passkeys.options_to_add(
            visit.session, _party(visit), visit.person, session_token(visit), visit.now
        )
    except passkeys.PasskeyRefusedError as fault:
        return _refused(str(fault))
    visit.session.commit()
    return Response(said, media_type="application/json")


@router.post("/me/passkeys")
def add(
    visit: Visiting, name: Annotated[str, Form()] = "", answer: Annotated[str, Form()] = ""
) -> Response:
    try:
        passkeys.add(
            visit.session,
            _party(visit),
            visit.person,
            answer,
            name=name,
            bound_to=session_token(visit),
            now=visit.now,
        )
    except passkeys.PasskeyRefusedError as fault:
        visit.session.commit()  # what was answered is used up
        return me_page(visit, 422, keyed={"fault": str(fault), "name": name})
    return visit.done(HERE)


@router.post("/me/passkeys/settling")
def to_settle(visit: Visiting) -> Response:
    """What a browser needs to confirm that a choice or a passkey shall go."""
    said = passkeys.options_to_use(
        *(visit.session, _party(visit), "settle", session_token(visit), visit.now),
        person=visit.person,
    )
    visit.session.commit()
    return Response(said, media_type="application/json")


def _settled(visit: Visit, answer: str) -> None:
    """Whoever has only the open session of somebody cannot take their protection away."""
    party = passkeys.party_of(visit.wiring.settings)
    if party is not None and passkeys.asks(visit.session, party, visit.person):
        try:
            bound_to, now = session_token(visit), visit.now
            passkeys.confirm(
                visit.session, party, visit.person, answer, "settle", bound_to=bound_to, now=now
            )
        finally:
            visit.session.commit()


@router.post("/me/passkeys/choice")
def choose(
    visit: Visiting, at_approval: Annotated[str, Form()] = "", answer: Annotated[str, Form()] = ""
) -> Response:
    try:
        if at_approval != "yes":
            _settled(visit, answer)
        passkeys.choose(
            visit.session, visit.person, at_approval == "yes", by=visit.person, now=visit.now
        )
    except passkeys.PasskeyRefusedError as fault:
        return me_page(visit, 422, keyed={"fault": str(fault)})
    return visit.done(HERE)


@router.post("/me/passkeys/{passkey_id}/remove")
def remove(visit: Visiting, passkey_id: int, answer: Annotated[str, Form()] = "") -> Response:
    key = visit.find(Passkey, passkey_id)
    if key.person_id != visit.person.id:
        raise HTTPException(404)
    try:
        _settled(visit, answer)
        passkeys.remove(visit.session, key, by=visit.person, now=visit.now)
    except passkeys.PasskeyRefusedError as fault:
        return me_page(visit, 422, keyed={"fault": str(fault)})
    return visit.done(HERE)


@router.post("/people/{person_id}/passkeys/forget")
def forget(visit: Visiting, person_id: int) -> Response:
    """An administrator, for somebody who has lost their device."""
    visit.needs("admin")
    person = visit.find(Person, person_id)
    passkeys.forget(visit.session, person, by=visit.person, now=visit.now)
    return visit.done("/people")


# ---- signing in


@router.post("/passkeys/sign-in/options")
def to_sign_in(request: Request) -> Response:
    """What a browser needs to sign in with a passkey; it alone may answer."""
    wiring: Wiring = request.app.state.wiring
    party = passkeys.party_of(wiring.settings)
    if party is None:
        return _refused(passkeys.NO_PASSKEYS)
    token = secrets.token_urlsafe(32)
    with wiring.sessions.begin() as session:
        said = passkeys.options_to_use(session, party, "sign in", token, clock())
    response = Response(said, media_type="application/json")
    response.set_cookie(
        ASKED,
        token,
        max_age=int(passkeys.CHALLENGE_LIFE.total_seconds()),
        path="/passkeys",
        httponly=True,
        samesite="strict",
        secure=party.origin.startswith("https:"),
    )
    return response


@router.post("/passkeys/sign-in")
def sign_in(request: Request, answer: Annotated[str, Form()] = "") -> Response:
    wiring: Wiring = request.app.state.wiring
    party, asked = passkeys.party_of(wiring.settings), request.cookies.get(ASKED, "")
    if party is None:
        raise HTTPException(404)
    with wiring.sessions() as session:
        try:
            token = passkeys.sign_in(session, party, answer, bound_to=asked, now=clock())
        except passkeys.PasskeyRefusedError as fault:
            return sign_in_page(request, 422, error=str(fault))
        finally:
            session.commit()
    response = let_in(request, token, "/")
    response.delete_cookie(ASKED, path="/passkeys")
    return response
