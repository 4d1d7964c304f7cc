"""Narratives: the list, most dangerous first, and one with all that explains it."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from campaigns import campaigns, messages
from campaigns.voices import all_voices
from desk.pages import Visit, Visiting
from monitor import flags, narratives
from monitor.embed import PACKAGED_LANGUAGES
from monitor.models import Narrative

router = APIRouter(prefix="/narratives")

TEXTS_SHOWN = 30  # a person decides on these; the rest is a count


@router.get("")
def show_all(visit: Visiting) -> Response:
    # Of another model nobody here knows what it reads: it is given everything.
    known = PACKAGED_LANGUAGES if visit.wiring.settings.model is None else None
    day = visit.now - narratives.DAY
    return visit.page(
        "narratives/list.html",
        rows=narratives.list_narratives(visit.session),
        unread=narratives.unread_languages(visit.session, known, day),
        english_only=known is not None,
    )


@router.get("/{narrative_id}")
def show(visit: Visiting, narrative_id: int) -> Response:
    return narrative_page(visit, visit.find(Narrative, narrative_id))


def narrative_page(
    visit: Visit, narrative: Narrative, status: int = 200, **context: Any
) -> Response:
    """The page of one narrative; a refused form comes back on it with its words kept."""
    context = {"error": "", "reason": "", "form": {}} | context
    answers = campaigns.campaigns_on(visit.session, narrative)
    raised = flags.flags_on(visit.session, narrative)
    return visit.page(
        "narratives/one.html",
        status,
        narrative=narrative,
        flags=raised,
        open_flag=next((flag for flag in raised if flag.decision is None), None),
        flagged_hours={flag.hour for flag in raised},
        confirmed=flags.confirmation_of(visit.session, narrative) is not None,
        series=narratives.hourly_series(visit.session, narrative),
        texts=narratives.texts_of(visit.session, narrative, TEXTS_SHOWN),
        campaigns=answers,
        strategies=campaigns.STRATEGIES,
        states={
            message.id: messages.state_of(message) for one in answers for message in one.messages
        },
        voices=all_voices(visit.session),
        **context,
    )
