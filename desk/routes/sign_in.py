"""Signing in by password or one-time link, and out."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from desk import care, channels, passkeys, people
from desk.pages import Visit, Visiting
from desk.security import COOKIE
from desk.wiring import Wiring, clock

router = APIRouter()

# Where most who work here live; any other zone may be typed.
US_ZONES = (
    *("America/New_York", "America/Detroit", "America/Chicago", "America/Denver"),
    *("America/Phoenix", "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu"),
    "America/Puerto_Rico",
)
CARE_OFFERED = {"minutes": care.MINUTES, "posts": care.POSTS, "levels": care.COUNTED}


def sign_in_page(request: Request, status: int = 200, **context: object) -> Response:
    """The page to sign in on, with a link's name on it where ``context`` has a ``token``."""
    with_keys = passkeys.party_of(request.app.state.wiring.settings) is not None
    context = {"error": "", "email": "", "person": None, "with_passkeys": with_keys} | context
    templates = request.app.state.templates
    response: Response = templates.TemplateResponse(
        request, "sign_in.html", context, status_code=status
    )
    return response


def let_in(request: Request, token: str, path: str) -> Response:
    """On to ``path``, with the cookie of a new session."""
    wiring: Wiring = request.app.state.wiring
    response = RedirectResponse(path, status_code=303)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(people.SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=wiring.settings.address.startswith("https:"),
    )
    return response


@router.get("/sign-in")
def show(request: Request) -> Response:
    return sign_in_page(request)


@router.post("/sign-in")
def sign_in(
    request: Request, email: Annotated[str, Form()] = "", password: Annotated[str, Form()] = ""
) -> Response:
    with request.app.state.wiring.sessions() as session:
        try:
            token = people.sign_in(session, email, password, clock())
        except people.SignInRefusedError as fault:
            return sign_in_page(request, 422, error=str(fault), email=email)
        finally:
            session.commit()  # a failed attempt is counted too
    return let_in(request, token, "/")


@router.get("/sign-in/{token}")
def show_link(request: Request, token: str) -> Response:
    """Says whose link it is. Only the button's POST consumes it."""
    with request.app.state.wiring.sessions() as session:
        link = people.link_of(session, token, clock())
        if link is None:
            return sign_in_page(request, 410, error="This link was used already or has expired.")
        return sign_in_page(request, token=token, name=link.person.name)


@router.post("/sign-in/{token}")
def use_link(request: Request, token: str) -> Response:
    with request.app.state.wiring.sessions() as session:
        try:
            person, opened = people.use_link(session, token, clock())
        except people.SignInRefusedError as fault:
            return sign_in_page(request, 410, error=str(fault))
        session.commit()
        return let_in(request, opened, "/" if person.password_hash else "/me")


@router.post("/sign-out")
def sign_out(visit: Visiting) -> Response:
    people.sign_out(visit.session, visit.request.cookies.get(COOKIE, ""), visit.now)
    response = visit.done("/sign-in")
    response.delete_cookie(COOKIE)
    return response


@router.get("/me")
def me(visit: Visiting) -> Response:
    return me_page(visit)


@router.post("/me/password")
def set_password(visit: Visiting, password: Annotated[str, Form()] = "") -> Response:
    try:
        here = visit.request.cookies.get(COOKIE, "")
        people.set_password(visit.session, visit.person, password, visit.now, keep=here)
    except ValueError as fault:
        return me_page(visit, 422, error=str(fault))
    return visit.done("/")


@router.post("/me/zone")
def choose_zone(visit: Visiting, zone: Annotated[str, Form()] = "") -> Response:
    try:
        people.choose_zone(visit.person, zone)
    except ValueError as fault:
        return me_page(visit, 422, zoned={"fault": str(fault), "zone": zone})
    return visit.done("/me#zone")


def me_page(
    visit: Visit,
    status: int = 200,
    error: str = "",
    caring: dict[str, Any] | None = None,
    zoned: dict[str, str] | None = None,
    keyed: dict[str, str] | None = None,
    **told: Any,
) -> Response:
    """A person's own page. ``told``: of a form on how they are told, see channels.how_told.

    ``caring``: of a refused form on how they are spared, its ``fault`` and the ``form``;
    ``zoned``: of a refused time zone, its ``fault`` and the ``zone`` as typed; ``keyed``: of a
    passkey that was refused, the ``fault`` and the ``name``.
    """
    party = passkeys.party_of(visit.wiring.settings)
    links = people.links_for(visit.session, visit.person)
    telling = channels.how_told(visit.session, visit.person, visit.wiring.courier()) | told
    caring = CARE_OFFERED | {"fault": "", "form": None} | (caring or {})
    return visit.page(
        "me.html",
        status,
        error=error,
        links=links,
        telling=telling,
        caring=caring,
        passkeys=passkeys.shown(visit.session, party, visit.person) | (keyed or {}),
        zoned=zoned or {"fault": "", "zone": visit.person.time_zone or ""},
        zones=US_ZONES,
        desk_zone=visit.wiring.zone.key,
    )
