"""The web desk: FastAPI with plain functions as routes, one router per noun."""

from importlib import resources

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import DataError, IntegrityError
from starlette.exceptions import HTTPException

from campaigns.wording.media import UPLOAD_MAX
from desk.bell import Bell
from desk.pages import (
    SignInNeededError,
    TurnedAwayError,
    failure,
    make_templates,
    written_but_signed_out,
)
from desk.routes import (
    afterwards,
    alerts,
    approvals,
    besides,
    calendar,
    campaigns,
    care,
    closings,
    codebook,
    codings,
    contact_addresses,
    contact_lists,
    contacts,
    deliveries,
    drafts,
    flags,
    handover,
    hooks,
    imports,
    jump,
    lexicon,
    messages,
    narratives,
    notices,
    oauth,
    overview,
    passkeys,
    people,
    presence,
    quality,
    queue,
    rabat,
    reddit_sign_in,
    releases,
    replies,
    reports,
    said,
    scorer,
    search,
    share_packs,
    sign_in,
    sitreps,
    situations,
    sources,
    stops,
    thresholds,
    triggers,
    views,
    voices,
    watchdogs,
    watches,
)
from desk.security import guard
from desk.softening import Softener
from desk.wiring import Wiring

ROUTERS = (
    *(sign_in.router, overview.router, narratives.router, flags.router, campaigns.router),
    *(messages.router, calendar.router, voices.router, sources.router, watches.router),
    *(people.router, codebook.router, lexicon.router, codings.router, scorer.router),
    *(alerts.router, notices.router, situations.router, triggers.router, quality.router),
    *(thresholds.router, search.router, queue.router, care.router),
    *(rabat.router, reddit_sign_in.router, oauth.router),
    *(handover.router, sitreps.router),
    *(views.router, reports.router, presence.router, jump.router),
    # Replies and lists come before a contact's page, whose address is any word after /contacts/.
    *(replies.router, contact_lists.router, contacts.router, contact_addresses.router),
    *(hooks.router, imports.router, closings.router),
    *(stops.router, approvals.router, deliveries.router, drafts.router, watchdogs.router),
    *(said.router, share_packs.router, afterwards.router),
    *(besides.router,),
    *(releases.router, passkeys.router),
)

# Bytes: more than four pictures as they come from a camera. A form is read before anybody is known.
BODY_MAX = 4 * UPLOAD_MAX + 5_000_000
NOTHING_HERE = "There is nothing at this address."


def create_app(wiring: Wiring) -> FastAPI:
    """The desk as an ASGI application on an already migrated database."""
    app = FastAPI(
        title="Breakwater",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        max_body_size=BODY_MAX,
    )
    furnish(app, wiring)
    app.middleware("http")(guard)
    static = resources.files("desk") / "static"
    app.mount("/static", StaticFiles(directory=str(static)), name="static")
    for router in ROUTERS:
        app.include_router(router)

    @app.exception_handler(SignInNeededError)
    async def to_sign_in(request: Request, _fault: Exception) -> Response:
        if request.method == "GET":
            # A polling fragment must move the whole page, not put a sign-in form inside itself.
            if "hx-request" in request.headers:
                return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
            return RedirectResponse("/sign-in", status_code=303)
        # The session ended while somebody was writing: their words come back to be sent again.
        return written_but_signed_out(request, await request.form())

    @app.exception_handler(TurnedAwayError)
    def turned_away(request: Request, fault: Exception) -> Response:
        return failure(request, 403, str(fault))

    @app.exception_handler(RequestValidationError)
    def unreadable(request: Request, fault: Exception) -> Response:
        places = [error["loc"][0] for error in getattr(fault, "errors", list)()]
        if "path" in places:
            return failure(request, 404, NOTHING_HERE)
        return failure(request, 422, "The form was not filled in as it should be.")

    @app.exception_handler(DataError)
    def impossible(request: Request, _fault: Exception) -> Response:
        return failure(request, 422, "The form holds a character or number that cannot be kept.")

    @app.exception_handler(IntegrityError)
    def at_once(request: Request, _fault: Exception) -> Response:
        what = "Somebody else did the same at this moment. Go back and look again."
        return failure(request, 409, what)

    @app.exception_handler(HTTPException)
    def not_found(request: Request, fault: Exception) -> Response:
        status = getattr(fault, "status_code", 500)
        what = NOTHING_HERE if status == 404 else "This cannot be asked here."
        return failure(request, status, what)

    @app.exception_handler(Exception)
    def broken(request: Request, _fault: Exception) -> Response:
        # The traceback goes to the log; a page in the same style goes to the person.
        return failure(request, 500, "Something broke on our side. Your last step was not saved.")

    return app


def furnish(app: FastAPI, wiring: Wiring) -> None:
    """Give an application all that its pages ask it for."""
    app.state.wiring = wiring
    app.state.bell = Bell(wiring.engine.url)
    app.state.templates = make_templates(wiring)
    app.state.softener = Softener()
