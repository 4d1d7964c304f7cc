"""What comes in from outside without a session: texts, receipts, and the way off a list.

Everybody gets the same answer, known to us or not. What proves nothing is turned away, and counted
by where it comes from.
"""

import hmac
from datetime import datetime
from typing import Annotated
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response

from campaigns.contacts import contacts, opt_outs, receipts
from campaigns.publishers.receipts import (
    KANNEL_PATH,
    TWILIO_PATH,
    Said,
    by_kannel,
    by_twilio,
    proof_of,
)
from campaigns.publishers.twilio import MESSAGE, is_from_twilio
from desk import people
from desk.wiring import Wiring, clock

router = APIRouter()

BODY_MAX = 65_536  # bytes: a text message and what a gateway says of it is far less
KEY_MAX = 100  # characters of the key in a mail


async def posted(request: Request) -> bytes:
    """The body, as far as it may be read before anything is known of who sends it."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_MAX:
            raise HTTPException(413)
    return bytes(body)


@router.post("/hooks/twilio")
def twilio(request: Request, body: Annotated[bytes, Depends(posted)]) -> Response:
    """A text message that Twilio passes on; what is said in answer goes back as TwiML."""
    wiring: Wiring = request.app.state.wiring
    form = _signed(request, body)
    if form is None:
        return _turned_away(request, "twilio")
    said = _heard(
        wiring,
        "twilio",
        _first(form, "MessageSid"),
        _first(form, "From"),
        _first(form, "Body"),
        clock(),
    )
    # Where Twilio itself looks out for these words it has answered already, and says so.
    message = f"<Message>{escape(said)}</Message>" if said and "OptOutType" not in form else ""
    xml = f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'
    return Response(xml, media_type="text/xml")


@router.post(TWILIO_PATH)
def twilio_receipt(request: Request, body: Annotated[bytes, Depends(posted)]) -> Response:
    """What became of a text (``for``: our own key of its delivery), as Twilio says it."""
    form = _signed(request, body)
    if form is None:
        return _turned_away(request, "twilio")
    said = by_twilio({name: values[0] for name, values in form.items()})
    sid = _first(form, "MessageSid")
    uri = f"twilio:{sid}" if MESSAGE.fullmatch(sid) else None
    return _taken(request, request.query_params.get("for", ""), said, uri)


def _signed(request: Request, body: bytes) -> dict[str, list[str]] | None:
    """The form that Twilio signed; None: somebody else sent it. 404 where it is not our gateway."""
    settings = request.app.state.wiring.settings
    token = settings.sms_inbound
    if settings.sms_gateway != "twilio" or token is None:
        raise HTTPException(404)
    form = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
    url = settings.address + request.url.path
    if request.url.query:
        url += f"?{request.url.query}"
    signature = request.headers.get("x-twilio-signature", "")
    return form if is_from_twilio(token.get_secret_value(), url, form, signature) else None


@router.get("/hooks/kannel")
def kannel(request: Request) -> Response:
    """A text message that Kannel passes on (``secret``, ``id``, ``from``, ``text``); the body of
    the answer goes back as a text."""
    wiring: Wiring = request.app.state.wiring
    secret = wiring.settings.sms_inbound
    if wiring.settings.sms_gateway != "kannel" or secret is None:
        raise HTTPException(404)
    asked = request.query_params
    ours = secret.get_secret_value().encode()
    if not hmac.compare_digest(asked.get("secret", "").encode(), ours):
        return _turned_away(request, "kannel")
    sender, words = asked.get("from", ""), asked.get("text", "")
    return PlainTextResponse(_heard(wiring, "kannel", asked.get("id", ""), sender, words, clock()))


@router.get(KANNEL_PATH)
def kannel_receipt(request: Request) -> Response:
    """What became of a text, as Kannel says it at the address that we gave it with the text."""
    wiring: Wiring = request.app.state.wiring
    secret = wiring.settings.sms_inbound
    if wiring.settings.sms_gateway != "kannel" or secret is None:
        raise HTTPException(404)
    asked = request.query_params
    key = asked.get("for", "")
    ours = proof_of(secret.get_secret_value(), key)
    if not hmac.compare_digest(asked.get("proof", "").encode(), ours.encode()):
        return _turned_away(request, "kannel")
    said = by_kannel(asked.get("type", ""), asked.get("answer", ""))
    return _taken(request, key, said, f"kannel:{key}")


def _taken(request: Request, key: str, said: Said | None, uri: str | None) -> Response:
    """The same quiet answer whether there is such a delivery or not."""
    wiring: Wiring = request.app.state.wiring
    if said is not None and 0 < len(key) <= KEY_MAX and key.isprintable():
        with wiring.sessions.begin() as session:
            receipts.take(session, key, said, uri=uri, now=clock())
    return Response(status_code=204)


@router.api_route("/leave/{key}", methods=["GET", "HEAD"])
def ask(request: Request, key: str) -> Response:
    """The page behind the link at the end of a mail. It changes nothing and looks nothing up."""
    return _page(request, key, done=False)


@router.post("/leave/{key}")
def leave(request: Request, key: str) -> Response:
    """No more e-mail to whoever got this key: from that page, or by one press (RFC 8058)."""
    wiring: Wiring = request.app.state.wiring
    now = clock()
    with wiring.sessions() as session:
        known = len(key) <= KEY_MAX and opt_outs.leave(session, key, now)
        slow = not known and people.guessed(session, f"leave {_where(request)}", now)
        session.commit()
    if slow:
        return PlainTextResponse("Too many addresses that are none of ours.", 429)
    return _page(request, key, done=True)


def _heard(
    wiring: Wiring, gateway: str, gateway_id: str, sender: str, words: str, now: datetime
) -> str:
    """Keep what came in, and answer what goes back at once; "": nothing does."""
    try:
        number = contacts.normal("sms", sender)
    except ValueError:  # a short code, another network: nobody we write to
        return ""
    if not gateway_id:
        raise HTTPException(400)
    with wiring.sessions() as session:
        heard = opt_outs.hear(
            session,
            wiring.book,
            gateway=gateway,
            gateway_id=gateway_id,
            number=number,
            words=words.replace("\x00", ""),
            now=now,
        )
        session.commit()
    if heard.again:
        return ""
    settings = wiring.settings
    return opt_outs.answer(heard.kind, settings.organisation, settings.contact)


def _turned_away(request: Request, what: str) -> Response:
    wiring: Wiring = request.app.state.wiring
    with wiring.sessions() as session:
        slow = people.guessed(session, f"{what} {_where(request)}", clock())
        session.commit()
    if slow:
        return PlainTextResponse("Too many requests that prove nothing.", 429)
    return PlainTextResponse("Refused: this does not prove where it comes from.", 403)


def _where(request: Request) -> str:
    return request.client.host if request.client else ""


def _first(form: dict[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]


def _page(request: Request, key: str, *, done: bool) -> Response:
    response: Response = request.app.state.templates.TemplateResponse(
        request, "contacts/leave.html", {"person": None, "key": key, "done": done}
    )
    # The address is a key: no request made from this page says where it came from.
    response.headers["Referrer-Policy"] = "strict-origin"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
