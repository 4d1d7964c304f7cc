"""Signing in at Bluesky, or any other AT Protocol server, with a voice's own account (OAuth).

The server's answer comes as a GET, so it changes something: it counts once, and only in the session
that asked. While servers are asked no connection to the database is held.
"""

import contextlib
import secrets
from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from campaigns.accounts import grants
from campaigns.accounts.grants import Asked
from campaigns.models import Account, Grant, Voice
from campaigns.publishers import NotSentError, PublisherRejectedError
from campaigns.publishers.dpop import new_key
from campaigns.publishers.exchange import LOOPBACK, plain
from campaigns.publishers.oauth import CALLBACK, METADATA, OAuth, Tokens, metadata
from desk.pages import SignInNeededError, Visit, Visiting, visit
from desk.routes.voices import needs_to_connect, voice_page
from desk.security import COOKIE
from desk.wiring import Wiring

router = APIRouter()

SIGNED = 32  # random bytes of a state, and of the verifier that only we know (RFC 7636, 7.1)


def visit_if_any(request: Request) -> Iterator[Visit | None]:
    """Dependency of a route that must first find out under which name it was called."""
    if COOKIE in request.cookies:
        yield from visit(request)
    else:
        yield None


def _oauth(wiring: Wiring) -> OAuth:
    if wiring.bluesky_oauth is None:
        raise HTTPException(404)
    return wiring.bluesky_oauth


@router.get(METADATA)
def show_metadata(request: Request) -> Response:
    """Who the desk is, for the servers that are asked to let it in. Nothing of it is secret."""
    wiring: Wiring = request.app.state.wiring
    client = _oauth(wiring).client
    if client.key is None:
        raise HTTPException(404)
    return JSONResponse(metadata(client, wiring.settings.organisation))


@router.post("/voices/{voice_id}/bluesky")
def begin(visit: Visiting, voice_id: int, handle: Annotated[str, Form()] = "") -> Response:
    """The page from which the person goes to the server of their account."""
    oauth, voice = _oauth(visit.wiring), visit.find(Voice, voice_id)
    needs_to_connect(visit, voice)
    asked = Asked(secrets.token_urlsafe(SIGNED), secrets.token_urlsafe(SIGNED), new_key())
    visit.session.commit()
    try:
        home = oauth.directory.home(handle)
        issuer = oauth.directory.issuer_of(home)
        there, scope = oauth.ask(
            home, issuer, key=asked.key, state=asked.state, verifier=asked.verifier
        )
    except (PublisherRejectedError, NotSentError) as fault:
        found = visit.find(Voice, voice_id)
        return voice_page(visit, found, 422, error=str(fault), bluesky_handle=handle)
    grants.ask(
        visit.session,
        voice,
        home,
        asked,
        issuer=issuer.issuer,
        client=oauth.client,
        scope=scope,
        bound_to=visit.request.cookies[COOKIE],
        vault=visit.wiring.vault,
        by=visit.person.id,
        now=visit.now,
    )
    visit.session.commit()
    return visit.page(
        "voices/bluesky.html",
        voice=voice,
        home=home,
        there=there,
        server=urlsplit(issuer.issuer).netloc,
        may=grants.may(scope),
        life=grants.ANSWER_LIFE,
        at_most=oauth.client.life,
    )


@router.get(CALLBACK)
def come_back(
    request: Request,
    visit: Annotated[Visit | None, Depends(visit_if_any)],
    state: Annotated[str, Query()] = "",
    code: Annotated[str, Query()] = "",
    iss: Annotated[str, Query()] = "",
    error: Annotated[str, Query()] = "",
) -> Response:
    """Where a server sends the person: their account is connected, or why it is not."""
    wiring: Wiring = request.app.state.wiring
    oauth = _oauth(wiring)
    if visit is None:
        if _is_other_name(request, wiring.settings.address):
            return RedirectResponse(f"{wiring.settings.address}{CALLBACK}?{request.url.query}", 303)
        raise SignInNeededError
    session = visit.session
    grant = grants.answered(session, state, visit.request.cookies[COOKIE], visit.now)
    session.commit()  # it counts once, whatever comes of it
    if grant is None:
        return visit.page("voices/bluesky.html", 409, voice=None)
    voice = visit.find(Voice, grant.voice_id)
    needs_to_connect(visit, voice)
    session.commit()
    tokens: Tokens | None = None
    opens, issuer = grants.opened(grant, wiring.vault), grant.issuer
    try:
        if iss != issuer:
            raise ValueError("Another server answered than the one that was asked.")
        if error:
            raise ValueError(_refused(grant, error))
        tokens = oauth.take(issuer, code=code, verifier=opens.verifier, key=opens.key)
        grants.give(session, grant, tokens, oauth.client, wiring.vault, visit.now)
    except (ValueError, PublisherRejectedError, NotSentError) as fault:
        handle = grant.handle
        session.rollback()
        if tokens is not None:
            with contextlib.suppress(PublisherRejectedError, NotSentError):
                oauth.take_back(issuer, token=tokens.refresh, key=opens.key)
        found = visit.find(Voice, voice.id)
        return voice_page(visit, found, 422, error=str(fault), bluesky_handle=handle)
    return visit.done(f"/voices/{voice.id}#accounts")


@router.post("/voices/{voice_id}/accounts/{account_id}/disconnect")
def disconnect(
    visit: Visiting, voice_id: int, account_id: int, why: Annotated[str, Form()] = ""
) -> Response:
    """What opens the account is erased; its server is told by the worker."""
    account = visit.find(Account, account_id)
    if account.voice_id != voice_id:
        raise HTTPException(404)
    needs_to_connect(visit, account.voice)
    grants.replace(
        visit.session, account, why=why or "It was disconnected.", by=visit.person.id, now=visit.now
    )
    return visit.done(f"/voices/{voice_id}#accounts")


def _refused(grant: Grant, error: str) -> str:
    server = urlsplit(grant.issuer).netloc
    if error == "access_denied":
        return f"It was refused at {server}. Nothing was connected."
    return f"{server} says: {plain(error)} Nothing was connected."


def _is_other_name(request: Request, address: str) -> bool:
    """Whether this very desk was called by its number, where people open it by its name.

    Servers send people back to 127.0.0.1, and a browser signed in at localhost is not there.
    """
    here, there = urlsplit(str(request.url)), urlsplit(address)
    return (
        here.port == there.port
        and here.hostname != there.hostname
        and {here.hostname, there.hostname} <= LOOPBACK
    )
