"""Coding one post: the codebook's fields with the machine's proposal, and a person's word."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import FormData

from desk.pages import Typed, Visit, Visiting
from desk.routes.situations import told_in
from monitor.coding import cases, codings, situations
from monitor.coding.codebook import (
    CODEBOOK,
    EDITION,
    HALLMARKS,
    MessageFields,
    Situation,
    danger,
    from_stored,
    message_level,
    threat_level,
)
from monitor.models import Reading

router = APIRouter(prefix="/posts")

CODING = ("monitor", "admin")  # who may code


def fields_of(form: FormData) -> MessageFields:
    """The codebook's fields as chosen in a form. ValueError where a value is none of its."""

    def word(name: str, default: str = "none") -> str:
        value = form.get(name, default)
        return value if isinstance(value, str) else default

    degrees = {key: word(key, "0") for key in HALLMARKS}
    if not set(degrees.values()) <= {"0", "1", "2"}:
        raise ValueError("A hallmark is 0, 1 or 2.")
    return MessageFields(
        stance=word("stance", "asserts"),
        target_kind=word("target_kind"),
        target_groups=frozenset(str(value) for value in form.getlist("target_groups")),
        demeaning="demeaning" in form,
        hallmarks={key: int(degree) for key, degree in degrees.items() if degree != "0"},
        act=word("act"),
        force=word("force"),
        threat_type=word("threat_type"),
        specifics=int(word("specifics", "0")),
        capability_cue="capability_cue" in form,
        imminence=word("imminence"),
        issue=word("issue_at_stake", "unknown"),
    )


def form_context(fields: MessageFields) -> dict[str, Any]:
    """What the fields' template needs."""
    return {
        "book": {coded.key: coded for coded in CODEBOOK.fields},
        "edition": EDITION,
        "coded": fields,
        "level_now": message_level(fields),
        "threat_now": threat_level(fields),
        "misfit": "",  # why they come to no level
    }


@router.get("/{post_id}/coding")
def show(visit: Visiting, post_id: int) -> Response:
    visit.needs(*CODING)
    return _page(visit, visit.find(Reading, post_id))


@router.post("/level")
def level(visit: Visiting, form: Typed) -> Response:
    """The fragment that says which level the fields chosen so far come to; saves nothing."""
    visit.needs(*CODING)
    try:
        fields, misfit = fields_of(form), ""
    except ValueError as fault:
        fields, misfit = MessageFields(), str(fault)
    return visit.page("codings/level.html", **form_context(fields) | {"misfit": misfit})


@router.post("/{post_id}/coding/level")
def comes_to(visit: Visiting, post_id: int, form: Typed) -> Response:
    """The same of one post: its danger where it is told, and where the person departs; no save."""
    visit.needs(*CODING)
    reading = visit.find(Reading, post_id)
    try:
        fields, misfit = fields_of(form), ""
    except ValueError as fault:
        fields, misfit = MessageFields(), str(fault)
    context = form_context(fields) | _beside(visit, reading, fields) | {"misfit": misfit}
    return visit.page("codings/level.html", **context)


@router.post("/{post_id}/coding")
def code(visit: Visiting, post_id: int, form: Typed) -> Response:
    """Save a person's coding and, where they wrote one, the case in their own words."""
    visit.needs(*CODING)
    reading = visit.find(Reading, post_id)
    reason, case = (str(form.get(name, "")) for name in ("reason", "case"))
    fields, status, error = MessageFields(), 422, ""
    session, by, now = visit.session, visit.person.id, visit.now
    try:
        fields = fields_of(form)
        coding = codings.code(session, reading, fields, reason, by, now, _seen(form))
        if case.strip():
            held_back = codings.measures(coding)
            cases.teach(session, case, fields, by, now, reading.post.text, held_back)
        return visit.done(_back(reading))
    except codings.GoneError as fault:
        session.rollback()
        typed = [("reason", reason), ("case", case)]
        return visit.page("codings/gone.html", 410, what=str(fault), words=typed)
    except codings.CodedMeanwhileError as fault:
        status, error = 409, str(fault)
    except ValueError as fault:
        error = str(fault)
    session.rollback()
    reading = visit.find(Reading, post_id)
    return _page(visit, reading, fields, status, error=error, reason=reason, case=case)


@router.post("/{post_id}/coding/undo")
def undo(visit: Visiting, post_id: int, form: Typed) -> Response:
    visit.needs(*CODING)
    reading = visit.find(Reading, post_id)
    try:
        codings.undo(visit.session, reading, _seen(form), visit.person.id, visit.now)
    except (ValueError, codings.CodedMeanwhileError) as fault:
        visit.session.rollback()
        status = 422 if isinstance(fault, ValueError) else 409
        return _page(visit, visit.find(Reading, post_id), None, status, error=str(fault))
    except codings.GoneError as fault:
        visit.session.rollback()
        return visit.page("codings/gone.html", 410, what=str(fault), words=[])
    return visit.done(f"/posts/{post_id}/coding")


def _seen(form: FormData) -> int | None:
    """The coding that stood on the page the form came from."""
    seen = str(form.get("seen", ""))
    return int(seen) if seen.isdigit() else None


def _back(reading: Reading) -> str:
    if reading.narrative_id is None:
        return "/"
    return f"/narratives/{reading.narrative_id}#post-{reading.post_id}"


def _proposed(reading: Reading) -> MessageFields:
    """What stands now; nothing where another edition of the codebook knew other values."""
    try:
        return from_stored(reading.fields)
    except ValueError:
        return MessageFields()


def _beside(visit: Visit, reading: Reading, fields: MessageFields) -> dict[str, Any]:
    """What stands beside the level: the danger of these words in this week's situation of their
    narrative, and in what they depart from the machine."""
    machine = codings.proposed_fields(reading)
    told = reading.narrative if reading.narrative and reading.narrative.settled_at else None
    held = situations.danger_of(visit.session, told, visit.now) if told else None
    found = danger(fields, held.situation if held else Situation())
    return {
        "beside": True,
        "machine": machine,
        "machine_level": message_level(machine) if machine else 0,
        "departs": codings.departs(machine, fields) if machine else [],
        "danger": found,
        "told_where": told_in(held.place) if held and held.place else "",
        "in_narrative": told is not None,
    }


def _page(
    visit: Visit,
    reading: Reading,
    fields: MessageFields | None = None,
    status: int = 200,
    **context: Any,
) -> Response:
    """The form with ``fields`` in it, or what stands."""
    past = codings.history(visit.session, reading)
    shown = _proposed(reading) if fields is None else fields
    visit.shows([reading], asked=True)
    return visit.page(
        "codings/edit.html",
        status,
        reading=reading,
        past=past,
        back=_back(reading),
        case_chars=cases.CHARS,
        **form_context(shown),
        **_beside(visit, reading, shown),
        **({"error": "", "reason": "", "case": ""} | context),
    )
