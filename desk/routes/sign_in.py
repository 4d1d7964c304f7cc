"""Signing in by password or one-time link, and out."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from desk import channels, people
from desk.pages import Visit, Visiting
from desk.security import COOKIE
from desk.wiring import Wiring, clock

router = APIRouter()


def _page(request: Request, status: int = 200, **context: object) -> Response:
    context = {"error": "", "email": "", "person": None} | context
    templates = request.app.state.templates
    response: Response = templates.TemplateResponse(
        request, "sign_in.html", context, status_code=status
    )
    return response


def _let_in(request: Request, token: str, path: str) -> Response:
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
    return _page(request)


@router.post("/sign-in")
def sign_in(
    request: Request, email: Annotated[str, Form()] = "", password: Annotated[str, Form()] = ""
) -> Response:
    with request.app.state.wiring.sessions() as session:
        try:
            token = people.sign_in(session, email, password, clock())
        except people.SignInRefusedError as fault:
            return _page(request, 422, error=str(fault), email=email)
        finally:
            session.commit()  # a failed attempt is counted too
    return _let_in(request, token, "/")


@router.get("/sign-in/{token}")
def show_link(request: Request, token: str) -> Response:
    """Says whose link it is. Only the button's POST consumes it."""
    with request.app.state.wiring.sessions() as session:
        link = people.link_of(session, token, clock())
        if link is None:
            return _page(request, 410, error="This link was used already or has expired.")
        return _page(request, token=token, name=link.person.name)


@router.post("/sign-in/{token}")
def use_link(request: Request, token: str) -> Response:
    with request.app.state.wiring.sessions() as session:
        try:
            person, opened = people.use_link(session, token, clock())
        except people.SignInRefusedError as fault:
            return _page(request, 410, error=str(fault))
        session.commit()
        return _let_in(request, opened, "/" if person.password_hash else "/me")


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


def me_page(visit: Visit, status: int = 200, error: str = "", **told: Any) -> Response:
    """A person's own page. ``told``: of a form on how they are told, see channels.how_told."""
    links = people.links_for(visit.session, visit.person)
    telling = channels.how_told(visit.session, visit.person, visit.wiring.courier()) | told
    return visit.page("me.html", status, error=error, links=links, telling=telling)
