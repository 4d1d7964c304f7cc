"""Coding the situation of a narrative, by which its danger level is reckoned."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from desk.pages import Typed, Visit, Visiting
from monitor.coding import rabat, situation_proposals, situations
from monitor.coding.codebook import CODEBOOK, HIGHEST, LOWEST, Situation
from monitor.flags import flags, second_looks
from monitor.models import FlagDecision, Narrative
from monitor.narratives.portrait import places_of
from monitor.triggers import county_or_state, place_called
from sources.places import place_of

router = APIRouter(prefix="/narratives/{narrative_id}/situation")

CODING = ("monitor", "duty lead", "admin")  # who may code
STEPS = {str(step): step for step in range(LOWEST, HIGHEST + 1)} | {"": None}  # as in the form


def section(
    visit: Visit, narrative: Narrative, confirmation: FlagDecision | None
) -> dict[str, Any]:
    """What the section on a narrative's own page needs; ``confirmation``: flags.confirmation_of."""
    session, week = visit.session, situations.week_of(visit.now)
    test, past = rabat.with_situations(session, narrative)
    if len(past) < situations.HISTORY_SHOWN:  # the newest of each place are among them
        newest = {one.place: one for one in reversed(past) if one.week == week}
        held = [newest[place] for place in sorted(newest)]
    else:
        held = situations.codings_in(session, narrative, week)
    danger = situations.danger_in(session, narrative, held)
    asked = confirmation is not None and (
        confirmation.request is not None or flags.asks_second(danger)
    )
    return _reckoned(danger) | {
        "test": test,
        "test_label": rabat.label(test) if test else "",
        "second": confirmation if asked else None,
        "second_of": second_looks,
        "needs_reason": flags.needs_reason(danger),
        "test_path": f"/narratives/{narrative.id}/threshold-test",
        "held": [
            (coding, situations.in_situation(danger, situations.situation_of(coding)))
            for coding in held
        ],
        "situations_past": past,
        "factors": CODEBOOK.situation,
        "may_code_situation": visit.person.may(*CODING),
        "told_in": told_in,
    }


def told_in(code: str) -> str:
    """A county or state by its FIPS code; "wherever it is told" for none."""
    return place_of(code).name if code else "wherever it is told"


@router.get("")
def show(
    visit: Visiting,
    narrative_id: int,
    place: Annotated[str, Query()] = "",
    sought: Annotated[str, Query()] = "",
    start: Annotated[str, Query()] = "",
) -> Response:
    """The form for one place. ``start`` "last-week": with last week's coding filled in."""
    visit.needs(*CODING)
    narrative = visit.find(Narrative, narrative_id)
    if narrative.merged_into is not None:
        path = f"/narratives/{narrative.merged_into}/situation"
        return RedirectResponse(path, status_code=303)
    error, status = "", 200
    try:
        if sought.strip():
            place = place_called(sought)
        elif place:
            county_or_state(place)
    except ValueError as fault:
        place, error, status = "", str(fault), 422
    now = visit.now - situations.WEEK if start == "last-week" else visit.now
    coding = situations.coding_of(visit.session, narrative, place, situations.week_of(now))
    chosen = situations.situation_of(coding)
    return _page(visit, narrative, place, chosen, status, error=error, sought=sought)


@router.post("")
def code(visit: Visiting, narrative_id: int, form: Typed) -> Response:
    visit.needs(*CODING)
    narrative = visit.find(Narrative, narrative_id)
    if narrative.merged_into is not None:  # meanwhile
        narrative = visit.find(Narrative, narrative.merged_into)
    key = narrative.id
    place, reason = str(form.get("place", "")), str(form.get("reason", ""))
    chosen = Situation()
    try:
        chosen = _situation(form)
        situations.code(
            visit.session,
            narrative,
            place,
            situations.week_of(visit.now),
            chosen,
            reason,
            visit.person.id,
            visit.now,
        )
        second_looks.ask(visit.session, narrative, visit.now)  # it may have come to D4 by this
    except ValueError as fault:
        visit.session.rollback()
        narrative = visit.find(Narrative, key)
        return _page(visit, narrative, place, chosen, 422, error=str(fault), reason=reason)
    return visit.done(f"/narratives/{key}#situation")


@router.post("/level")
def level(visit: Visiting, narrative_id: int, form: Typed) -> Response:
    """The fragment that says what the factors chosen so far come to; saves nothing."""
    visit.needs(*CODING)
    narrative = visit.find(Narrative, narrative_id)
    danger = situations.danger_of(visit.session, narrative, visit.now)
    try:
        chosen = _situation(form)
    except ValueError:
        chosen = Situation()
    return visit.page("situations/level.html", trial=situations.in_situation(danger, chosen))


def _situation(form: FormData) -> Situation:
    """The four factors as chosen; ValueError where one is on no step."""
    words = {factor.field: str(form.get(factor.field, "")) for factor in CODEBOOK.situation}
    if not set(words.values()) <= set(STEPS):
        raise ValueError("Each factor is 0 to 3, or not known.")
    return Situation(**{name: STEPS[word] for name, word in words.items()})


def _reckoned(danger: situations.NarrativeDanger) -> dict[str, Any]:
    """What the words about a danger level need."""
    situation = danger.situation
    return {
        "danger": danger,
        "unknown": [
            factor.name for factor in CODEBOOK.situation if getattr(situation, factor.field) is None
        ],
        "danger_levels": {one.value: one for one in CODEBOOK.danger_levels},
        "danger_terms": {one.value: one for one in CODEBOOK.danger_terms},
    }


def _places(visit: Visit, narrative: Narrative, place: str) -> dict[str, str]:
    """Places to choose from: everywhere, those that the posts name, and the one chosen."""
    named = [one.fips for one in places_of(visit.session, narrative)]
    week = situations.week_of(visit.now)
    coded = [one.place for one in situations.codings_in(visit.session, narrative, week)]
    codes = dict.fromkeys(["", *named, *coded])
    try:
        county_or_state(place or "26")
        codes.setdefault(place)
    except ValueError:  # a forged one: the page says so
        pass
    return {code: told_in(code) for code in codes}


def _page(
    visit: Visit,
    narrative: Narrative,
    place: str,
    chosen: Situation,
    status: int = 200,
    **context: Any,
) -> Response:
    """The form with ``chosen`` in it."""
    session, now = visit.session, visit.now
    places = _places(visit, narrative, place)
    place = place if place in places else ""
    danger = situations.danger_of(session, narrative, now)
    week = situations.week_of(now)
    before = situations.coding_of(session, narrative, place, week - situations.WEEK)
    return visit.page(
        "situations/edit.html",
        status,
        narrative=narrative,
        place=place,
        places=places,
        factors=CODEBOOK.situation,
        chosen=chosen,
        proposed={
            "reach": situation_proposals.reach(session, narrative, now),
            "context": situation_proposals.context(session, place, now),
        },
        week=week,
        held=situations.coding_of(session, narrative, place, week),
        before=before,
        before_situation=situations.situation_of(before),
        past=situations.history(session, narrative),
        told_in=told_in,
        trial=situations.in_situation(danger, chosen),
        **_reckoned(danger),
        **({"error": "", "reason": "", "sought": ""} | context),
    )
