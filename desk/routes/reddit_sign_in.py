"""Signing in at Reddit with a voice's own account, instead of pasting a token.

Reddit's answer comes as a GET, so it changes something: it counts once, and only in the session
that began it. While Reddit is asked no connection to the database is held.
"""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Query
from fastapi.responses import Response

from campaigns.accounts import reddit_sign_ins
from campaigns.models import Voice
from campaigns.publishers.exchange import plain
from campaigns.publishers.reddit_login import Granted, RedditLogin
from desk.pages import Visit, Visiting
from desk.routes.voices import needs_to_connect, voice_page
from desk.security import COOKIE

router = APIRouter()

BACK = "/reddit/signed-in"  # under the desk's address: as it is registered at Reddit


def _login(visit: Visit) -> RedditLogin:
    """Reddit's door, where Reddit has approved the desk; else nothing is at this address."""
    login = visit.wiring.reddit_login
    if login is None:
        raise HTTPException(404)
    return login


def _back(visit: Visit) -> str:
    return f"{visit.wiring.settings.address}{BACK}"


def _session_token(visit: Visit) -> str:
    return visit.request.cookies.get(COOKIE, "")


@router.post("/voices/{voice_id}/reddit")
def begin(visit: Visiting, voice_id: int, handle: Annotated[str, Form()] = "") -> Response:
    """The page from which the person goes to Reddit."""
    login, voice = _login(visit), visit.find(Voice, voice_id)
    needs_to_connect(visit, voice)
    try:
        place, state = reddit_sign_ins.begin(
            visit.session,
            voice,
            handle,
            bound_to=_session_token(visit),
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        found = visit.find(Voice, voice_id)
        return voice_page(visit, found, 422, error=str(fault), reddit_handle=handle)
    visit.session.commit()
    return visit.page(
        "voices/reddit.html",
        voice=voice,
        place=place,
        there=login.address(state, _back(visit)),
        back=_back(visit),
        life=reddit_sign_ins.LIFE,
    )


@router.get(BACK)
def come_back(
    visit: Visiting,
    state: Annotated[str, Query()] = "",
    code: Annotated[str, Query()] = "",
    error: Annotated[str, Query()] = "",
) -> Response:
    """Where Reddit sends the person: their account is connected, or why it is not."""
    login, session = _login(visit), visit.session
    try:
        begun = reddit_sign_ins.answered(
            session, state, bound_to=_session_token(visit), now=visit.now
        )
    except ValueError as fault:
        session.rollback()
        return visit.page("voices/reddit.html", 409, voice=None, error=str(fault))
    voice_id = begun.voice_id
    session.commit()  # it counts once, whatever comes of it
    needs_to_connect(visit, visit.find(Voice, voice_id))
    granted: Granted | None = None
    try:
        if error:
            raise ValueError(f"Reddit says: {plain(error)} Nothing was connected.")
        session.rollback()  # the network may be slow, and others want the connection
        granted = login.granted(code, _back(visit))
        reddit_sign_ins.connect(
            *(session, begun, granted),
            vault=visit.wiring.vault,
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        handle = begun.handle
        session.rollback()
        if granted is not None:
            login.give_back(granted.token)
        found = visit.find(Voice, voice_id)
        return voice_page(visit, found, 422, error=str(fault), reddit_handle=handle)
    return visit.done(f"/voices/{voice_id}")
