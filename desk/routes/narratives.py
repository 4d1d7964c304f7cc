"""Narratives: the list, most dangerous first, one with all that explains it, and its correction."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, HTTPException, Query
from fastapi.responses import RedirectResponse, Response

from campaigns import campaigns
from campaigns.drafting import messages
from campaigns.models import Campaign
from campaigns.voices import all_voices
from desk import leases, maps, plots
from desk.pages import KEYS, Visit, Visiting
from desk.routes import choosing
from desk.routes import situations as situation_routes
from monitor.coding import situations
from monitor.embedding.embed import PACKAGED_LANGUAGES
from monitor.flags import flags
from monitor.models import Flag, Narrative, Revision
from monitor.narratives import narratives, proposals, revisions
from monitor.narratives.claims import claims_among
from monitor.narratives.counted import Counted, counted
from monitor.narratives.course import course, days
from monitor.narratives.explaining import explaining
from monitor.narratives.portrait import Portrait, portray
from monitor.narratives.texts import texts_in

router = APIRouter()

TEXTS_SHOWN = 15  # a person decides on these; the rest is a page of its own
COUNTIES_SHOWN = 50  # in words, beside the map
LAST_PAGE = 1_000  # of all posts of a narrative: nobody reads so far, and a search is at hand
EXAMPLES = 4  # texts shown of what the machine would split off
CORRECTING = ("monitor", "admin")  # who may correct narratives


@router.get("/narratives")
def show_all(visit: Visiting, away: bool = False) -> Response:
    # Of another model nobody here knows what it reads: it is given everything.
    known = PACKAGED_LANGUAGES if visit.wiring.settings.model is None else None
    day = visit.now - narratives.DAY
    rows = narratives.list_narratives(visit.session, dismissed=away)
    shown = [row.narrative.id for row in rows]
    return visit.page(
        "narratives/list.html",
        rows=rows,
        dangers=situations.danger_of_many(visit.session, shown, visit.now),
        away=away,
        dismissed=narratives.count_dismissed(visit.session),
        proposals=proposals.proposals(visit.session),
        unread=narratives.unread_languages(visit.session, known, day),
        english_only=known is not None,
    )


@router.get("/narratives/{narrative_id}")
def show(visit: Visiting, narrative_id: int) -> Response:
    known = 0 < narrative_id < KEYS
    found = narratives.with_near(visit.session, narrative_id) if known else None
    if found is None:
        raise HTTPException(404)
    narrative, near = found
    if narrative.merged_into is not None:
        return RedirectResponse(f"/narratives/{narrative.merged_into}", status_code=303)
    return narrative_page(visit, narrative, near=near)


@router.get("/narratives/{narrative_id}/posts")
def posts(visit: Visiting, narrative_id: int, page: Annotated[int, Query(ge=1)] = 1) -> Response:
    """All posts of a narrative, the latest first, in pages."""
    narrative = visit.find(Narrative, narrative_id)
    if narrative.merged_into is not None:
        path = f"/narratives/{narrative.merged_into}/posts"
        return RedirectResponse(path, status_code=303)
    page = min(page, LAST_PAGE)
    readings, more = narratives.posts_of(visit.session, narrative, page)
    visit.shows(readings)
    return visit.page(
        "narratives/posts.html",
        narrative=narrative,
        near=narratives.near(visit.session, narrative),
        correcting=visit.person.may(*CORRECTING),
        readings=readings,
        number=page,
        more=more and page < LAST_PAGE,
    )


@router.post("/narratives/{narrative_id}/title")
def rename(visit: Visiting, narrative_id: int, title: Annotated[str, Form()] = "") -> Response:
    return _correct(
        visit,
        narrative_id,
        lambda one: revisions.rename(visit.session, one, title, visit.person.id, visit.now),
        {"title": title},
    )


@router.post("/narratives/{narrative_id}/dismissal")
def dismiss(visit: Visiting, narrative_id: int, why: Annotated[str, Form()] = "") -> Response:
    return _correct(
        visit,
        narrative_id,
        lambda one: revisions.dismiss(visit.session, one, why, visit.person.id, visit.now),
        {"why": why},
    )


@router.post("/narratives/{narrative_id}/merge")
def merge(visit: Visiting, narrative_id: int, into: Annotated[int, Form()] = 0) -> Response:
    def act(one: Narrative) -> None:
        other = visit.find(Narrative, into)
        revisions.merge(visit.session, one, other, visit.person.id, visit.now)

    return _correct(visit, narrative_id, act, {})


@router.post("/narratives/{narrative_id}/split")
def split(visit: Visiting, narrative_id: int, texts: Annotated[str, Form()] = "") -> Response:
    def act(one: Narrative) -> None:
        groups = _numbers(texts)
        revisions.split(visit.session, one, groups, visit.person.id, visit.now)

    return _correct(visit, narrative_id, act, {})


@router.post("/narratives/{narrative_id}/move")
def move_out(
    visit: Visiting,
    narrative_id: int,
    text: Annotated[int, Form()] = 0,
    into: Annotated[int, Form()] = 0,
) -> Response:
    """``text`` is a group of copies. ``into`` 0: the text belongs to no narrative."""

    def act(one: Narrative) -> None:
        other = visit.find(Narrative, into) if into else None
        revisions.move_out(visit.session, one, text, other, visit.person.id, visit.now)

    return _correct(visit, narrative_id, act, {})


@router.post("/revisions/{revision_id}/{verb}")
def settle(
    visit: Visiting, revision_id: int, verb: Literal["accept", "refuse", "undo"]
) -> Response:
    visit.needs(*CORRECTING)
    verbs = {"accept": revisions.accept, "refuse": revisions.refuse, "undo": revisions.undo}
    revision = visit.find(Revision, revision_id)
    return _correct(
        visit,
        revision.narrative_id,
        lambda _: verbs[verb](visit.session, revision, visit.person.id, visit.now),
        {},
    )


def _correct(
    visit: Visit, narrative_id: int, act: Callable[[Narrative], object], form: dict[str, str]
) -> Response:
    """Let a person correct a narrative; a refusal comes back on its page with the words kept."""
    visit.needs(*CORRECTING)
    narrative = visit.find(Narrative, narrative_id)
    try:
        act(narrative)
    except ValueError as fault:
        visit.session.rollback()
        status = 409 if isinstance(fault, revisions.RevisionSettledError) else 422
        stands = visit.find(Narrative, narrative_id)
        if stands.merged_into is not None:
            stands = visit.find(Narrative, stands.merged_into)
        return narrative_page(visit, stands, status, error=str(fault), correction=form)
    return visit.done(f"/narratives/{narrative_id}")


def _plot(
    narrative: Narrative, told: Counted, raised: list[Flag], answers: list[Campaign]
) -> plots.Plot:
    """The course of a narrative with its flags, and with what we did up to now."""
    ours = [*plots.our_messages(answers), *plots.our_alerts(told.alerts)]
    last = max([narrative.last_post_at, *(one.at for one in ours)])
    return plots.plot(course(told.hours, narrative.first_post_at, last), raised, ours)


def _where(told: Counted, face: Portrait) -> dict[str, Any]:
    """The map of the counties that posts name, and what it cannot show."""
    counties = {one.fips: (one.posts, one.dangerous) for one in told.counties}
    states = {place.code: posts for place, posts in face.places if place.kind == "state"}
    return {
        "drawing": maps.draw(counties, states),
        "steps": maps.STEPS,
        "counties": told.counties[:COUNTIES_SHOWN],
        "more": max(0, len(told.counties) - COUNTIES_SHOWN),
        "states": states,
        "placeless": told.placeless,
    }


def _numbers(text: str) -> list[int]:
    """Ids as a form carries them, "12 15 19". ValueError where they are something else."""
    try:
        return [int(word) for word in text.split()]
    except ValueError:
        raise ValueError("These are no texts of this narrative.") from None


def narrative_page(
    visit: Visit, narrative: Narrative, status: int = 200, **context: Any
) -> Response:
    """The page of one narrative; a refused form comes back on it with its words kept."""
    context = {"error": "", "reason": "", "form": {}, "correction": {}} | context
    session = visit.session
    if "near" not in context:
        context["near"] = narratives.near(session, narrative)
    answers = campaigns.campaigns_on(session, narrative)
    told, texts = counted(session, narrative), texts_in(session, narrative)
    face, claims = portray(narrative, texts, told), claims_among(visit.session, texts)
    asking, held = leases.with_holders(session, flags.raised_on(narrative), visit.now)
    raised = [flag for flag in asking if flag.kind == "spike"]
    shown = explaining(texts, narrative, raised, TEXTS_SHOWN)
    open_flag = next((flag for flag in raised if flag.decision is None), None)
    confirmation = flags.confirmation_among(asking)
    situation = situation_routes.section(visit, narrative, confirmation)
    speaking = visit.person.may("comms") and any(one.strategy != campaigns.HOLD for one in answers)
    history = revisions.history(session, narrative)
    asked = proposals.still_asked(history)
    splits = [one for one in asked if one.kind == "split"]
    examples = proposals.examples(session, splits, EXAMPLES) if splits else {}
    visit.shows(reading for some in examples.values() for reading in some)
    visit.shows([one.text.reading for one in shown] + [claim.example for claim in claims])
    visit.shows([face.typical] if face.typical else [])
    return visit.page(
        "narratives/one.html",
        status,
        narrative=narrative,
        flags=raised,
        reports=[flag for flag in asking if flag.kind == "report"],
        open_flag=open_flag,
        lease=open_flag and held.get(open_flag.id),
        plot=_plot(narrative, told, raised, answers),
        days=days(told.hours),
        shown=shown,
        portrait=face,
        claims=claims,
        where=_where(told, face),
        whole=told.whole,
        most_read=narratives.READ,
        asked=[(one, examples.get(one.id, [])) for one in asked],
        history=[one for one in history if one.state != "proposed"],
        correcting=visit.person.may(*CORRECTING),
        campaigns=answers,
        strategies=campaigns.STRATEGIES,
        states={
            message.id: messages.state_of(message) for one in answers for message in one.messages
        },
        voices=all_voices(session) if speaking else [],
        **situation,
        **choosing.section(
            visit, narrative, face, answers, told, confirmation, situation["second"] is not None
        ),
        **context,
    )
