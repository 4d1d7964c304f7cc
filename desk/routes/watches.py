"""Watches: what staff want to see, tried on the last posts before it is saved."""

import re
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import FormData

from desk.pages import Typed, Visit, Visiting
from monitor.embedding.embed import ModelUnavailableError
from monitor.reading.subjects import about
from sources import places, watches
from sources.backfill import look_back
from sources.matching import Rule
from sources.models import Watch
from sources.register import sources_by_name

router = APIRouter(prefix="/watches")

PLATFORMS = {
    "bluesky": "Bluesky",
    "reddit": "Reddit",
    "web": "Feeds",
    "example": "The invented town",
}
VERBS = {"put-away": watches.put_away, "bring-back": watches.bring_back}
FOUND = 8  # places offered while one types
JUDGED = 100  # matching posts that the language model reads in a trial: half a second
NUMBER = re.compile(r"[0-9]{1,9}")


def rule_of(form: FormData) -> Rule:
    """The rule as typed; what is no number of a source nobody has typed."""
    return Rule(
        any=_lines(form, "any"),
        all=_lines(form, "all"),
        none=_lines(form, "none"),
        places=_ticked(form, "places"),
        langs=tuple(part for part in re.split(r"[\s,]+", _word(form, "langs")) if part),
        platforms=_ticked(form, "platforms"),
        sources=tuple(map(int, filter(NUMBER.fullmatch, _ticked(form, "sources")))),
        subject=_word(form, "subject"),
        everything="everything" in form,
    )


def _lines(form: FormData, name: str) -> tuple[str, ...]:
    """Words and phrases, one on each line or with commas between."""
    return tuple(part.strip() for part in re.split(r"[\n,]", _word(form, name)) if part.strip())


def _word(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _ticked(form: FormData, name: str) -> tuple[str, ...]:
    return tuple(value for value in form.getlist(name) if isinstance(value, str))


def _known_places(codes: tuple[str, ...]) -> list[places.Place]:
    known = []
    for code in codes:
        try:
            known.append(places.place_of(code))
        except ValueError:
            continue
    return known


def _editor(
    visit: Visit,
    watch: Watch | None,
    name: str,
    rule: Rule,
    status: int = 200,
    form: FormData | None = None,
    **context: Any,
) -> Response:
    """The form with its trial. ``form`` holds what the rule cannot, as it was typed."""
    form = form or FormData()
    sought = _word(form, "place")
    chosen = _known_places(rule.places)
    codes = {place.code for place in chosen}
    found = [place for place in places.find_places(sought, FOUND) if place not in chosen]
    return visit.page(
        "watches/edit.html",
        status,
        watch=watch,
        name=name,
        rule=rule,
        chosen=chosen,
        gone=[code for code in rule.places if code not in codes],
        found=found,
        sought=sought,
        platforms=PLATFORMS,
        sources=sources_by_name(visit.session),
        looking_back="look-back" in form,
        **({"error": "", "trial": None, "why_no_trial": ""} | context),
    )


def _trial(visit: Visit, rule: Rule) -> dict[str, Any]:
    """What the page shows of a trial. The language model judges the newest that match."""
    found = watches.try_out(visit.session, rule, JUDGED if rule.subject else watches.EXAMPLES)
    kept, judged = found.examples, 0
    if rule.subject:
        texts = [text for _, text in found.examples]
        # Without a model the words can be tried all the same; the worker says what is wrong.
        with suppress(ModelUnavailableError):
            speak = about(visit.wiring.embedder(), rule.subject, texts)
            kept = [one for one, fits in zip(found.examples, speak, strict=True) if fits]
            judged = len(texts)
    shown = replace(found, examples=kept[: watches.EXAMPLES])
    return {"found": shown, "judged": judged, "about": len(kept)}


@router.get("")
def show(visit: Visiting) -> Response:
    versions = watches.current(visit.session)
    return visit.page(
        "watches/list.html",
        versions=[(version, Rule.of(version.rule)) for version in versions],
        harvest=watches.harvest(visit.session, visit.now - timedelta(days=1)),
        place_names={
            code: place.name
            for version in versions
            for code in Rule.of(version.rule).places
            for place in _known_places((code,))
        },
        source_names={source.id: source.name for source in sources_by_name(visit.session)},
        platforms=PLATFORMS,
    )


@router.get("/new")
def new(visit: Visiting) -> Response:
    visit.needs("monitor", "admin")
    return _editor(visit, None, "", Rule())


@router.post("/try")
def try_out(visit: Visiting, form: Typed) -> Response:
    """The editor as typed, with what the rule would have matched. Saves nothing."""
    visit.needs("monitor", "admin")
    key = _word(form, "watch")
    watch = visit.find(Watch, int(key)) if NUMBER.fullmatch(key) else None
    rule, trial, why = rule_of(form), None, ""
    try:
        trial = _trial(visit, watches.checked(visit.session, rule))
    except ValueError as fault:
        why = str(fault)
    name = _word(form, "name")
    return _editor(visit, watch, name, rule, form=form, trial=trial, why_no_trial=why)


@router.get("/{watch_id}")
def edit(visit: Visiting, watch_id: int) -> Response:
    visit.needs("monitor", "admin")
    watch = visit.find(Watch, watch_id)
    rule = Rule.of(watch.versions[-1].rule)
    return _editor(visit, watch, watch.versions[-1].name, rule, trial=_trial(visit, rule))


@router.post("")
def add(visit: Visiting, form: Typed) -> Response:
    visit.needs("monitor", "admin")
    return _save(visit, None, form)


@router.post("/{watch_id}")
def change(visit: Visiting, watch_id: int, form: Typed) -> Response:
    visit.needs("monitor", "admin")
    return _save(visit, visit.find(Watch, watch_id), form)


def _save(visit: Visit, watch: Watch | None, form: FormData) -> Response:
    rule, name = rule_of(form), _word(form, "name")
    try:
        saved = watches.save_watch(visit.session, watch, name, rule, visit.person.id, visit.now)
        if "look-back" in form:
            look_back(visit.session, saved, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _editor(visit, watch, name, rule, 422, form=form, error=str(fault))
    return visit.done("/watches")


@router.post("/{watch_id}/{verb}")
def switch(visit: Visiting, watch_id: int, verb: str) -> Response:
    visit.needs("monitor", "admin")
    watch = visit.find(Watch, watch_id)
    if verb in VERBS:
        VERBS[verb](visit.session, watch, visit.person.id, visit.now)
    return visit.done("/watches")
