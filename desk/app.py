"""The web desk: FastAPI with plain functions as routes, one router per noun."""

from importlib import resources

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from desk.pages import SignInNeededError, TurnedAwayError, failure, make_templates
from desk.routes import (
    calendar,
    campaigns,
    flags,
    messages,
    narratives,
    overview,
    people,
    sign_in,
    sources,
    voices,
)
from desk.security import guard
from desk.wiring import Wiring

ROUTERS = (
    *(sign_in.router, overview.router, narratives.router, flags.router, campaigns.router),
    *(messages.router, calendar.router, voices.router, sources.router, people.router),
)


def create_app(wiring: Wiring) -> FastAPI:
    """The desk as an ASGI application on an already migrated database."""
    app = FastAPI(title="Breakwater", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.wiring = wiring
    app.state.templates = make_templates(wiring)
    app.middleware("http")(guard)
    static = resources.files("desk") / "static"
    app.mount("/static", StaticFiles(directory=str(static)), name="static")
    for router in ROUTERS:
        app.include_router(router)

    @app.exception_handler(SignInNeededError)
    def to_sign_in(request: Request, _fault: Exception) -> Response:
        # A polling fragment must move the whole page, not put a sign-in form inside itself.
        if "hx-request" in request.headers:
            return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
        return RedirectResponse("/sign-in", status_code=303)

    @app.exception_handler(TurnedAwayError)
    def turned_away(request: Request, fault: Exception) -> Response:
        return failure(request, 403, str(fault))

    @app.exception_handler(HTTPException)
    def not_found(request: Request, fault: Exception) -> Response:
        status = getattr(fault, "status_code", 500)
        what = "There is nothing at this address." if status == 404 else str(fault)
        return failure(request, status, what)

    @app.exception_handler(Exception)
    def broken(request: Request, _fault: Exception) -> Response:
        # The traceback goes to the log; a page in the same style goes to the person.
        return failure(request, 500, "Something broke on our side. Your last step was not saved.")

    return app
