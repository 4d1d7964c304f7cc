"""What every page shares: who is asking, how templates render, how times and spans read."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from importlib import resources
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import jinja2
from fastapi import Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased, joinedload
from sqlalchemy.orm.interfaces import ORMOption
from starlette.datastructures import FormData

from campaigns.models import Stop
from campaigns.sending import kill_switch
from campaigns.wording import previews
from campaigns.wording.languages import LANGUAGES
from campaigns.wording.previews import cuts
from desk import care, people
from desk.clock_changes import existing, named, read
from desk.models import Person
from desk.security import COOKIE, HEADERS
from desk.softening import Softener
from desk.wiring import Wiring, clock
from monitor.coding.codebook import CODEBOOK
from monitor.models import LEVEL_NAMES, Reading
from sources.places import place_of

Row = TypeVar("Row")
_WORD_OR_BLANK = re.compile(r"\s+|\S+")
_zone: ContextVar[ZoneInfo] = ContextVar("zone")  # of whom the page being made is for
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
    shown: dict[int, int] = field(default_factory=dict)  # post: level, of what weighs on the page
    undisturbed: bool = False  # somebody's life may hang on this page: no break is offered on it
    desk_times: bool = False  # the page speaks of whole days, which are the desk's

    @property
    def zone(self) -> ZoneInfo:
        """In which times are shown and typed: this person's, or the desk's."""
        return self.wiring.zone if self.desk_times else self.person.zone(self.wiring.zone)

    def shows(self, readings: Iterable[Reading], asked: bool = False) -> None:
        """These posts will stand on the page: they are counted for its reader, by level.

        What is folded counts once it is opened. ``asked``: they came for it, so it is not folded.
        """
        choice = care.choice_of(self.person)
        for reading in readings:
            if reading.level in care.COUNTED and (asked or not choice.folds(reading.level)):
                self.shown[reading.post_id] = reading.level

    @cached_property
    def _names_and_stops(self) -> tuple[dict[int, str], list[Stop]]:
        return _names_and_stops(self.session)

    @property
    def stops(self) -> list[Stop]:
        """What the kill switch holds back now, as the banner of every page tells it."""
        return self._names_and_stops[1]

    @property
    def today(self) -> date:
        """The day it is where the desk is."""
        return self.now.astimezone(self.wiring.zone).date()

    def page(self, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        """A whole page of the desk. Fragments are selected from it by the client."""
        context |= {"person": self.person, "now": self.now, "care": self._care()}
        context.setdefault("zone_name", self.zone.key)
        if "names" in context:
            context["stops"] = kill_switch.standing(self.session)  # the banner of every page
        else:
            context["names"], context["stops"] = self._names_and_stops
        templates: Jinja2Templates = self.request.app.state.templates
        shown_in = _zone.set(self.zone)
        try:
            return templates.TemplateResponse(self.request, template, context, status_code=status)
        finally:
            _zone.reset(shown_in)

    def _care(self) -> care.Care:
        """How this person wants to be spared, with what this page shows them counted."""
        counted = None
        # A part of a page that renews itself has been counted with its page.
        renewed = self.request.method != "GET" or "hx-request" in self.request.headers
        if self.shown and not renewed:
            levels: Collection[int] = () if self._read_again() else self.shown.values()
            counted = care.count(self.session, self.person, levels, self.today, self.now)
            self.session.commit()
        softener: Softener = self.request.app.state.softener

        def soften(text: str, reasons: Sequence[dict[str, Any]]) -> str:
            softener.renew(self.session, self.now)
            return softener.softened(text, reasons)

        reader = care.care_for(self.person, counted, soften, self.today, self.now)
        return replace(reader, rest=None) if self.undisturbed else reader

    def _read_again(self) -> bool:
        """Whether they come from this same page, as after each form on it."""
        before = urlsplit(self.request.headers.get("referer", ""))
        url = self.request.url
        same_host = before.netloc == self.request.headers.get("host")
        return same_host and (before.path, before.query) == (url.path, url.query)

    def needs(self, *roles: str) -> None:
        """Go on only for people with one of these roles."""
        if not self.person.may(*roles):
            raise TurnedAwayError(f"This is for people with the role {' or '.join(roles)}.")

    def find(self, kind: type[Row], key: int, *loading: ORMOption) -> Row:
        """The row, or a page that says there is nothing here. ``loading``: what comes with it.

        It comes so after a refusal too, when what the session had loaded counts no more.
        """
        row = None
        if 0 < key < KEYS:
            anew = bool(loading)
            row = self.session.get(kind, key, options=loading, populate_existing=anew)
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


def _names_and_stops(session: Session) -> tuple[dict[int, str], list[Stop]]:
    """people.names and kill_switch.standing in one query: every page asks for both."""
    rows = session.execute(_asking_names_and_stops()).all()
    names = {row[0]: row[1] for row in rows if row[0] is not None}
    stops = [row[2] for row in rows if row[2] is not None]
    return names, sorted(stops, key=kill_switch.widest_first)


@cache  # it takes longer to put together than to answer
def _asking_names_and_stops() -> Select[Any, Any, Any]:
    pressed = aliased(Stop, select(Stop).where(Stop.lifted_at.is_(None)).subquery())
    return (
        select(Person.id, Person.name, pressed)
        .join_from(Person, pressed, pressed.pressed_by == Person.id, full=True)
        .options(joinedload(pressed.voice), joinedload(pressed.campaign))
    )


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
        "when": _speller(wiring.zone, "%a %-d %b, %H:%M %Z"),
        "day": _speller(wiring.zone, "%A %-d %B"),
        "hour": _speller(wiring.zone, "%H:%M"),
        "utc": lambda moment: f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        "clock": named,
        "for_input": _speller(wiring.zone, "%Y-%m-%dT%H:%M"),
        "span": span,
        "segments": segments,
        "numbered": numbered,
        "pieces": pieces,
        "cuts": cuts,
        "posts": previews.posts,
        "alike": previews.alike,
        "languages": previews.languages,
        "language_tag": previews.tag,
        "texted": previews.texted,
        "moment_of": datetime.fromisoformat,
        "place_name": place_name,
    }
    environment.globals |= {
        "organisation": wiring.settings.organisation,
        "zone_name": wiring.settings.time_zone,
        "level_names": LEVEL_NAMES,
        "language_names": LANGUAGES,
        "danger_names": {level.value: level.name for level in CODEBOOK.danger_levels},
    }
    return Jinja2Templates(env=environment)


def _speller(zone: ZoneInfo, form: str) -> Callable[[datetime], str]:
    """Moments in the zone of whom the page is for; in ``zone`` where it is for nobody signed in."""

    def spell(moment: datetime) -> str:
        return moment.astimezone(_zone.get(zone)).strftime(form)

    return spell


def page_number(text: str) -> int:
    """The page that is asked for of a long list; 1 where the text is no such number."""
    return int(text) if text.isdecimal() and 0 < len(text) < 7 and int(text) else 1


def local_time(text: str, zone: ZoneInfo) -> datetime:
    """The moment a person means by a form's local time; ValueError for one that does not exist.

    Of one that comes twice the first; where that must not be guessed: clock_changes.sending_time.
    """
    return existing(read(text), zone)


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


def numbered(text: str, reasons: list[dict[str, Any]]) -> list[tuple[list[int], str]]:
    """Each reason once, with the numbers of the marks that show it, as ``segments`` cuts ``text``.

    Those that share words share a number; one whose words are not shown has none and comes last.
    """
    ends, at = [], 0
    for piece, why in segments(text, reasons):
        at += len(piece)
        if why:
            ends.append((at - len(piece), at))
    told: dict[str, set[int]] = {}
    for reason in reasons:
        told.setdefault(reason["text"], set()).update(
            n for n, (a, b) in enumerate(ends, 1) if reason["start"] < b and a < reason["end"]
        )
    found = [(sorted(marks), why) for why, marks in told.items()]
    return sorted(found, key=lambda one: (not one[0], one[0]))


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


def pieces(
    text: str, masked: str, reasons: list[dict[str, Any]]
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Cut ``text`` at its evidence and at what is softened: (why, [(piece, softened)]).

    ``masked`` is as long as ``text`` (Care.masked); softened is empty where nothing is.
    """
    cut, at = [], 0
    for piece, why in segments(text, reasons):
        cut.append((why, _softened(piece, masked[at : at + len(piece)])))
        at += len(piece)
    return cut


def _softened(text: str, masked: str) -> list[tuple[str, str]]:
    """Word by word where something is masked, so that a whole word is read either way."""
    if text == masked:
        return [(text, "")]
    parts: list[tuple[str, str]] = []
    for word in _WORD_OR_BLANK.finditer(text):
        soft = masked[word.start() : word.end()]
        if soft != word[0]:
            parts.append((word[0], soft))
        elif parts and not parts[-1][1]:
            parts[-1] = (parts[-1][0] + soft, "")
        else:
            parts.append((soft, ""))
    return parts
