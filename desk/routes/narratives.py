"""Narratives: the list, most dangerous first, one with all that explains it, and its correction."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from campaigns import campaigns, messages
from campaigns.voices import all_voices
from desk import leases
from desk.pages import Visit, Visiting
from desk.routes import situations as situation_routes
from monitor import flags, narratives, proposals, revisions, situations
from monitor.claims import claims_of
from monitor.embed import PACKAGED_LANGUAGES
from monitor.models import Narrative, Revision
from monitor.portrait import portrait

router = APIRouter()

TEXTS_SHOWN = 30  # a person decides on these; the rest is a count
EXAMPLES = 4  # texts shown of what the machine would split off
CORRECTING = ("monitor", "admin")  # who may correct narratives


@router.get("/narratives")
def show_all(visit: Visiting, away: bool = False) -> Response:
    # Of another model nobody here knows what it reads: it is given everything.
    known = PACKAGED_LANGUAGES if visit.wiring.settings.model is None else None
    day = visit.now - narratives.DAY
    rows = narratives.list_narratives(visit.session, dismissed=away)
    shown = [row.narrative for row in rows]
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
    narrative = visit.find(Narrative, narrative_id)
    if narrative.merged_into is not None:
        return RedirectResponse(f"/narratives/{narrative.merged_into}", status_code=303)
    return narrative_page(visit, narrative)


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
    answers = campaigns.campaigns_on(session, narrative)
    raised = flags.flags_on(session, narrative)
    open_flag = next((flag for flag in raised if flag.decision is None), None)
    history = revisions.history(session, narrative)
    asked = [one for one in proposals.proposals(session) if narrative in (one.narrative, one.other)]
    return visit.page(
        "narratives/one.html",
        status,
        narrative=narrative,
        flags=raised,
        open_flag=open_flag,
        lease=open_flag and leases.holders(session, [open_flag.id], visit.now).get(open_flag.id),
        flagged_hours={flag.hour for flag in raised},
        confirmed=flags.confirmation_of(session, narrative) is not None,
        series=narratives.hourly_series(session, narrative),
        days=narratives.daily_series(session, narrative),
        texts=narratives.texts_of(session, narrative, TEXTS_SHOWN),
        portrait=portrait(session, narrative),
        claims=claims_of(session, narrative),
        near=narratives.near(session, narrative),
        asked=[(one, proposals.examples(session, one, EXAMPLES)) for one in asked],
        history=[one for one in history if one.state != "proposed"],
        correcting=visit.person.may(*CORRECTING),
        campaigns=answers,
        strategies=campaigns.STRATEGIES,
        states={
            message.id: messages.state_of(message) for one in answers for message in one.messages
        },
        voices=all_voices(session),
        **situation_routes.section(visit, narrative),
        **context,
    )
