"""The lexicon: coded terms with what they mean, found, reviewed, edited, retired."""

from dataclasses import fields
from typing import Any, Literal

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response
from starlette.datastructures import FormData

from desk.pages import KEYS, Typed, Visit, Visiting
from monitor.coding import lexicon
from monitor.coding.lexicon import Wording
from monitor.models import LexiconVersion
from monitor.reading.terms import fold

router = APIRouter(prefix="/lexicon")

EDITING = ("monitor", "admin")  # who may change what counts
# What the list can be narrowed to; by itself it shows what is not retired.
STANDINGS = {
    "": "Not retired",
    "in use": "In use",
    "due": "Due for review",
    "expired": "Expired",
    "retired": "Retired",
    "all": "All",
}
LANGUAGES = {"en": "English", "es": "Spanish"}  # others are shown by their code


def _word(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def wording_of(form: FormData) -> Wording:
    """The entry as typed; variants stand one on each line."""
    typed: dict[str, Any] = {field.name: _word(form, field.name) for field in fields(Wording)}
    lines = typed["variants"].splitlines()
    return Wording(**typed | {"variants": tuple(line for line in lines if line.strip())})


@router.get("")
def show(
    visit: Visiting, words: str = "", language: str = "", kind: str = "", state: str = ""
) -> Response:
    entries = lexicon.histories(visit.session)
    standing = {key: lexicon.standing(past[-1], visit.now) for key, past in entries.items()}
    kept = [
        past
        for key, past in entries.items()
        if (state == "all" or standing[key] == state or (not state and standing[key] != "retired"))
        and language in ("", past[-1].language)
        and kind in ("", past[-1].kind)
        and lexicon.speaks_of(past[-1], words)
    ]
    kept.sort(key=lambda past: fold(past[-1].term))
    urgent = [past for past in kept if standing[past[-1].entry_id] in ("due", "expired")]
    urgent.sort(key=lambda past: past[-1].expires_at)
    return visit.page(
        "lexicon/list.html",
        urgent=urgent,
        others=[past for past in kept if past not in urgent],
        standing=standing,
        sought={"words": words, "language": language, "kind": kind, "state": state},
        kinds=lexicon.KINDS,
        languages={
            code: LANGUAGES.get(code, code)
            for code in sorted({past[-1].language for past in entries.values()})
        },
        standings=STANDINGS,
        changes=lexicon.changes,
        may=visit.person.may(*EDITING),
    )


def _editor(
    visit: Visit, entry_id: int | None, wording: Wording, status: int = 200, **context: Any
) -> Response:
    """The form with ``wording`` in it, and below it what else can be done with an entry."""
    past = [] if entry_id is None else _history(visit, entry_id)
    return visit.page(
        "lexicon/edit.html",
        status,
        past=past,
        standing={entry_id: lexicon.standing(past[-1], visit.now)} if past else {},
        wording=wording,
        kinds=lexicon.KINDS,
        languages=LANGUAGES,
        changes=lexicon.changes,
        labels=lexicon.LABELS,
        **({"error": "", "faults": {}, "why": "", "retiring": "", "reviewed": False} | context),
    )


def _history(visit: Visit, entry_id: int) -> list[LexiconVersion]:
    past = lexicon.history(visit.session, entry_id) if 0 < entry_id < KEYS else []
    if not past:
        raise HTTPException(404)
    return past


@router.get("/new")
def new(visit: Visiting) -> Response:
    visit.needs(*EDITING)
    return _editor(visit, None, Wording())


@router.post("")
def add(visit: Visiting, form: Typed) -> Response:
    visit.needs(*EDITING)
    wording = wording_of(form)
    try:
        made = lexicon.add(visit.session, wording, visit.person.id, visit.now)
    except lexicon.UnfitError as unfit:
        visit.session.rollback()
        return _editor(visit, None, wording, 422, faults=unfit.faults)
    return visit.done(f"/lexicon#entry-{made.entry_id}")


@router.get("/{entry_id}")
def edit(visit: Visiting, entry_id: int) -> Response:
    visit.needs(*EDITING)
    return _editor(visit, entry_id, Wording.of(_history(visit, entry_id)[-1]))


@router.post("/{entry_id}")
def revise(visit: Visiting, entry_id: int, form: Typed) -> Response:
    visit.needs(*EDITING)
    past = _history(visit, entry_id)
    number = _word(form, "number")
    seen = next((one for one in past if str(one.number) == number), past[-1])
    wording, why, reviewed = wording_of(form), _word(form, "why"), "reviewed" in form
    status, faults, error = 422, {}, ""
    try:
        lexicon.revise(visit.session, seen, wording, why, visit.person.id, visit.now, reviewed)
        return visit.done(f"/lexicon#entry-{entry_id}")
    except lexicon.UnfitError as unfit:
        faults = unfit.faults
    except lexicon.ChangedMeanwhileError as fault:
        status, error = 409, str(fault)
    visit.session.rollback()
    typed = {"why": why, "reviewed": reviewed}
    return _editor(visit, entry_id, wording, status, faults=faults, error=error, **typed)


@router.post("/{entry_id}/{verb}")
def switch(
    visit: Visiting, entry_id: int, verb: Literal["renew", "retire", "restore"], form: Typed
) -> Response:
    """``back`` in the form is the list's query, so that a review goes on where it was."""
    visit.needs(*EDITING)
    _history(visit, entry_id)
    by, why = visit.person.id, _word(form, "why")
    try:
        if verb == "renew":
            lexicon.renew(visit.session, entry_id, by, visit.now)
        elif verb == "retire":
            lexicon.retire(visit.session, entry_id, why, by, visit.now)
        else:
            lexicon.restore(visit.session, entry_id, by, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        status = 409 if isinstance(fault, lexicon.ChangedMeanwhileError) else 422
        wording = Wording.of(_history(visit, entry_id)[-1])
        return _editor(visit, entry_id, wording, status, error=str(fault), retiring=why)
    back = _word(form, "back")
    return visit.done(f"/lexicon?{back}" if back else "/lexicon")
