"""What every page shares: who is asking, how templates render, how times and spans read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import jinja2
from fastapi import Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from desk import people
from desk.models import Person
from desk.security import COOKIE, HEADERS
from desk.wiring import Wiring, clock
from monitor.codebook import CODEBOOK
from monitor.models import LEVEL_NAMES
from sources.places import place_of

Row = TypeVar("Row")
KEYS = 2**31  # PostgreSQL's integer; a larger number in a path names nothing


class SignInNeededError(Exception):
    """Nobody is signed in."""


class TurnedAwayError(Exception):
    """Somebody is signed in who may not do this; the message says who may."""


@dataclass
class Visit:
    """One request: who asks, when, on which database session. Routes commit; verbs never do."""

    request: Request
    session: Session
    person: Person
    now: datetime
    wiring: Wiring

    def page(self, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        """A whole page of the desk. Fragments are selected from it by the client."""
        context |= {"person": self.person, "now": self.now}
        context.setdefault("names", people.names(self.session))
        templates: Jinja2Templates = self.request.app.state.templates
        return templates.TemplateResponse(self.request, template, context, status_code=status)

    def needs(self, *roles: str) -> None:
        """Go on only for people with one of these roles."""
        if not self.person.may(*roles):
            raise TurnedAwayError(f"This is for people with the role {' or '.join(roles)}.")

    def find(self, kind: type[Row], key: int) -> Row:
        """The row, or a page that says there is nothing here."""
        row = self.session.get(kind, key) if 0 < key < KEYS else None
        if row is None:
            raise HTTPException(404)
        return row

    def done(self, path: str) -> Response:
        """Commit and go on to ``path``: a reload repeats nothing."""
        self.session.commit()
        return RedirectResponse(path, status_code=303)


def visit(request: Request) -> Iterator[Visit]:
    """Dependency of every route behind the sign-in."""
    wiring: Wiring = request.app.state.wiring
    now = clock()
    with wiring.sessions() as session:
        person = people.person_of(session, request.cookies.get(COOKIE, ""), now)
        if person is None:
            raise SignInNeededError
        yield Visit(request, session, person, now, wiring)


Visiting = Annotated[Visit, Depends(visit)]


async def typed(request: Request) -> FormData:
    """The form as typed, for pages whose field names depend on the data."""
    return await request.form()


Typed = Annotated[FormData, Depends(typed)]


def failure(request: Request, status: int, what: str) -> Response:
    """A page that says in one sentence what went wrong."""
    templates: Jinja2Templates = request.app.state.templates
    context = {"what": what, "status": status, "person": None}
    # Set here too: the page for a broken server is made outside the middleware.
    return templates.TemplateResponse(
        request, "failure.html", context, status_code=status, headers=HEADERS
    )


def written_but_signed_out(request: Request, form: FormData) -> Response:
    """What was posted without a session, to be sent again after signing in; secrets left out."""
    words = [
        (name, value)
        for name, value in form.multi_items()
        if isinstance(value, str) and name not in ("password", "secret")
    ]
    templates: Jinja2Templates = request.app.state.templates
    context = {"words": words, "path": request.url.path, "person": None}
    return templates.TemplateResponse(request, "signed_out.html", context, status_code=401)


def make_templates(wiring: Wiring) -> Jinja2Templates:
    """Templates that escape everything and stop at an unknown name."""
    folder = resources.files("desk") / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(folder)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "when": _speller(wiring.zone),
        "day": lambda moment: f"{moment.astimezone(wiring.zone):%A %-d %B}",
        "hour": lambda moment: f"{moment.astimezone(wiring.zone):%H:%M}",
        "utc": lambda moment: f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        "for_input": lambda moment: f"{moment.astimezone(wiring.zone):%Y-%m-%dT%H:%M}",
        "span": span,
        "segments": segments,
        "place_name": place_name,
    }
    environment.globals |= {
        "organisation": wiring.settings.organisation,
        "zone_name": wiring.settings.time_zone,
        "level_names": LEVEL_NAMES,
        "danger_names": {level.value: level.name for level in CODEBOOK.danger_levels},
    }
    return Jinja2Templates(env=environment)


def _speller(zone: ZoneInfo) -> Callable[[datetime], str]:
    def spell(moment: datetime) -> str:
        return f"{moment.astimezone(zone):%a %-d %b, %H:%M %Z}"

    return spell


def local_time(text: str, zone: ZoneInfo) -> datetime:
    """The moment a person means by a form's local time; ValueError for one that does not exist."""
    try:
        plain = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("Give the day and time, like 2026-11-24 18:30.") from None
    moment = plain.replace(tzinfo=zone)
    try:
        there_and_back = moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        raise ValueError("That is beyond the calendar. Take an earlier day.") from None
    if there_and_back != plain:
        raise ValueError(
            f"{plain:%H:%M} does not exist on that day: the clocks change. Take another."
        )
    return moment


def span(length: timedelta | float) -> str:
    """A length of time (timedelta or seconds) in one unit: 40 s, 12 min, 5 h, 3 days."""
    exact = length.total_seconds() if isinstance(length, timedelta) else length
    seconds = max(0, round(exact))
    if seconds < 90:
        return f"{seconds} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    if seconds < 36 * 3600:
        return f"{round(seconds / 3600)} h"
    return f"{round(seconds / 86400)} days"


def place_name(fips: str) -> str:
    """A county or state by its FIPS code as a person reads it; the code where there is none."""
    try:
        return place_of(fips).name
    except ValueError:
        return fips


def segments(text: str, reasons: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Cut ``text`` at its evidence spans: (piece, why), with an empty why outside any span.

    Spans may overlap; the earlier and longer one wins. Offsets beyond the text are ignored.
    """
    pieces, at = [], 0
    for reason in sorted(reasons, key=lambda r: (r["start"], -r["end"])):
        start, end = max(reason["start"], at), min(reason["end"], len(text))
        if start >= end:
            continue
        if start > at:
            pieces.append((text[at:start], ""))
        pieces.append((text[start:end], reason["text"]))
        at = end
    if at < len(text):
        pieces.append((text[at:], ""))
    return pieces
