"""The threshold test: six parts, each judged by a person with a reason. Never a finding of law."""

from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from desk.pages import Typed, Visit, Visiting
from monitor.coding import rabat
from monitor.coding.codebook import CODEBOOK, Danger
from monitor.coding.situations import NarrativeDanger, danger_of
from monitor.flags import flags
from monitor.models import Flag, Narrative, Reading

router = APIRouter()

Noun = Literal["narratives", "flags"]

ASSESSING = ("monitor", "duty lead", "admin")  # who may fill it in
NOTING = ("duty lead",)  # who may note a doubt of the presumption that speech is protected


def path_of(subject: Narrative | Flag) -> str:
    """The page of the test of a narrative, or of a flag that stands for none."""
    noun = "narratives" if isinstance(subject, Narrative) else "flags"
    return f"/{noun}/{subject.id}/threshold-test"


@router.post("/threshold-test/comes-to")
def comes_to(visit: Visiting, form: Typed) -> Response:
    """The fragment that says what the parts judged so far come to; saves nothing."""
    visit.needs(*ASSESSING)
    return visit.page("rabat/comes_to.html", **_reckoned(_parts(form)))


@router.get("/narratives/{narrative_id}/threshold-test")
def show(visit: Visiting, narrative_id: int) -> Response:
    narrative = visit.find(Narrative, narrative_id)
    if narrative.merged_into is not None:
        path = f"/narratives/{narrative.merged_into}/threshold-test"
        return RedirectResponse(path, status_code=303)
    return _page(visit, narrative)


@router.get("/flags/{flag_id}/threshold-test")
def show_of_flag(visit: Visiting, flag_id: int) -> Response:
    flag = visit.find(Flag, flag_id)
    subject = rabat.about(visit.session, flag)
    if subject is not flag:
        return RedirectResponse(path_of(subject), status_code=303)
    return _page(visit, flag)


@router.post("/{noun}/{number}/threshold-test")
def assess(visit: Visiting, noun: Noun, number: int, form: Typed) -> Response:
    visit.needs(*ASSESSING)
    subject = _subject(visit, noun, number)
    said = {part: _word(form, f"why_{part}") for part in rabat.PARTS}
    session = visit.session
    try:
        rabat.assess(session, subject, _parts(form), said, visit.person.id, visit.now)
    except rabat.PartsError as fault:
        session.rollback()
        again = _subject(visit, noun, number)
        return _page(visit, again, 422, error=str(fault), form=form, faulty=fault.parts)
    return visit.done(path_of(subject))


@router.post("/{noun}/{number}/threshold-test/note")
def note(visit: Visiting, noun: Noun, number: int, form: Typed) -> Response:
    visit.needs(*NOTING)
    subject = _subject(visit, noun, number)
    what, reason = _word(form, "note"), _word(form, "reason")
    try:
        rabat.note(visit.session, subject, what, reason, visit.person.id, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        noted = {"note": what, "reason": reason}
        return _page(visit, _subject(visit, noun, number), 422, error=str(fault), noted=noted)
    return visit.done(f"{path_of(subject)}#note")


def _subject(visit: Visit, noun: Noun, number: int) -> Narrative | Flag:
    """What a form is about, or the narrative that it belongs to by now."""
    if noun == "flags":
        return rabat.about(visit.session, visit.find(Flag, number))
    narrative = visit.find(Narrative, number)
    if narrative.merged_into is not None:
        return visit.find(Narrative, narrative.merged_into)
    return narrative


def _word(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _parts(form: FormData) -> dict[str, int]:
    """The parts that are judged, on the scale or not; the others are missing."""
    words = {part: _word(form, part) for part in rabat.PARTS}
    return {part: int(word) for part, word in words.items() if word in ("0", "1", "2")}


def _reckoned(parts: dict[str, int]) -> dict[str, Any]:
    values = list(parts.values())
    return {
        "judged": len(parts),
        "of": len(rabat.PARTS),
        "clear": values.count(2),
        "not_met": values.count(0),
        "meets": rabat.MEETS,
        "concern": rabat.CONCERN,
    }


def _danger(visit: Visit, subject: Narrative | Flag) -> tuple[Any, tuple[int, ...]]:
    """The danger of what is tested, None where the rules give none, and the posts that carry it."""
    danger: NarrativeDanger | Danger | None
    if isinstance(subject, Narrative):
        danger = danger_of(visit.session, subject, visit.now)
        return danger, danger.posts
    danger = flags.danger_for(visit.session, subject, visit.now)
    return danger, (subject.post_id,) if subject.post_id is not None else ()


def _page(visit: Visit, subject: Narrative | Flag, status: int = 200, **context: Any) -> Response:
    """The form, empty so that nobody leans on who was first, and what was judged before."""
    danger, carriers = _danger(visit, subject)
    found = [visit.session.get(Reading, post) for post in carriers]
    readings = [one for one in found if one is not None]
    visit.shows(readings)
    form = context.get("form")
    past = rabat.history(visit.session, subject)
    return visit.page(
        "rabat/edit.html",
        status,
        name=subject.title if isinstance(subject, Narrative) else flags.name_of(subject),
        back=path_of(subject).removesuffix("/threshold-test"),
        path=path_of(subject),
        danger=danger,
        asked=danger is not None and danger.low >= rabat.FROM_LEVEL,
        readings=readings,
        panel=CODEBOOK.rabat,
        past=[(one, rabat.label(one)) for one in past],
        notes=rabat.notes(visit.session, subject),
        note_names=rabat.NOTES,
        presumed=rabat.PRESUMED,
        chars=rabat.REASON_CHARS,
        assessing=visit.person.may(*ASSESSING),
        noting="duty lead" in visit.person.roles,
        **_reckoned(_parts(form) if form is not None else {}),
        **({"error": "", "form": {}, "faulty": (), "noted": {}} | context),
    )
