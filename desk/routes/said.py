"""Our own page and feed: what was said, for everybody, without a sign-in, cookies or scripts.

Nothing is there unless the settings say so. Each page can be kept by a cache for a minute, so that
what is taken back is gone soon.
"""

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import undefer
from starlette.exceptions import HTTPException

from campaigns.afterwards import said
from campaigns.models import Image
from desk.wiring import Wiring

router = APIRouter()

PAGES_MAX = 10_000  # nobody turns so many; a larger number would only burden the database
HEADERS = {
    "Cache-Control": "public, max-age=60",
    # Stricter than the desk's: no script, no form, and nothing of it inside another page.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}
ATOM = "application/atom+xml; charset=utf-8"
HTML = "text/html; charset=utf-8"
READING = ["GET", "HEAD"]


def _wiring(request: Request) -> Wiring:
    """The wiring, where the page is switched on; else nothing is at this address."""
    wiring: Wiring = request.app.state.wiring
    if not wiring.settings.public_page:
        raise HTTPException(404)
    return wiring


def _answer(
    request: Request, template: str, kind: str, status: int = 200, **context: Any
) -> Response:
    """A page made of what was said alone; 304 where the reader has it already."""
    wiring: Wiring = request.app.state.wiring
    environment = request.app.state.templates.env
    shown = {
        "address": wiring.settings.address,
        "feed_id": _urn(f"{wiring.settings.address}/said"),
        "urn": _urn,
        "spelled": lambda moment: f"{moment.astimezone(wiring.zone):%-d %B %Y, %H:%M %Z}",
        "never": datetime.fromtimestamp(0, UTC),
    } | context
    body = environment.get_template(template).render(shown).encode()
    return _fresh(request, body, kind, status)


def _fresh(request: Request, body: bytes, kind: str, status: int = 200) -> Response:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = HEADERS | {"ETag": etag}
    known = [
        one.strip().removeprefix("W/")
        for one in request.headers.get("if-none-match", "").split(",")
    ]
    if status == 200 and (etag in known or "*" in known):
        return Response(status_code=304, headers=headers)
    return Response(body, status, headers, media_type=kind)


def _urn(name: str) -> str:
    """An id for a feed that stays the same for the same name, wherever the desk is."""
    return uuid.uuid5(uuid.NAMESPACE_URL, name).urn


@router.api_route("/said", methods=READING)
def show_all(request: Request, page: str = "1") -> Response:
    """What was said, the newest first, said.PER_PAGE on a page."""
    wiring = _wiring(request)
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 10 else 0
    if not 0 < number <= PAGES_MAX:
        return _answer(request, "said/nothing.html", HTML, 404)
    with wiring.sessions() as session:
        messages, older = said.newest(session, number)
    if not messages and number > 1:
        return _answer(request, "said/nothing.html", HTML, 404)
    return _answer(request, "said/list.html", HTML, messages=messages, number=number, older=older)


@router.api_route("/said.atom", methods=READING)
def feed(request: Request) -> Response:
    """The same as an Atom feed (RFC 4287), by when each was said or taken back."""
    with _wiring(request).sessions() as session:
        messages = said.latest_changed(session)
    return _answer(request, "said/feed.xml", ATOM, messages=messages)


@router.api_route("/said/{key}", methods=READING)
def show(request: Request, key: str) -> Response:
    """One message, or that it was taken back."""
    with _wiring(request).sessions() as session:
        message = said.one(session, key)
    if message is None:
        return _answer(request, "said/nothing.html", HTML, 404)
    return _answer(request, "said/one.html", HTML, message=message)


@router.api_route("/said/{key}/pictures/{sha256}", methods=READING)
def picture(request: Request, key: str, sha256: str) -> Response:
    """A picture of a message, as long as that stands."""
    with _wiring(request).sessions() as session:
        message = said.one(session, key)
        if message is None or sha256 not in {one["sha256"] for one in message.pictures}:
            return _answer(request, "said/nothing.html", HTML, 404)
        query = select(Image).where(Image.sha256 == sha256).options(undefer(Image.data))
        image = session.scalars(query).one()
        return _fresh(request, image.data, image.media_type)
