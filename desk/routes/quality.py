"""How often we were right, late or blind."""

from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from desk.care import COUNTED
from desk.pages import Typed, Visit, Visiting
from desk.routes.codings import fields_of, form_context
from monitor.alerts.alert_course import OUTCOMES
from monitor.coding import quality, samples
from monitor.coding.agreement import ENOUGH, agreement
from monitor.coding.codebook import CODEBOOK, MessageFields
from monitor.coding.missed import CONFIDENCE, missed
from monitor.coding.missed import ENOUGH as ANSWERS_NEEDED
from monitor.models import Sample, SampleAnswer
from sources.places import place_of
from sources.watches import current

router = APIRouter(prefix="/quality")

LABELLING = ("monitor",)  # who looks at samples
SPANS = {30: "Last 30 days", 90: "Last 90 days", 0: "Ever"}
USUAL = 90


@router.get("")
def show(visit: Visiting, days: Annotated[int, Query(ge=0, le=90)] = USUAL) -> Response:
    """All figures. Precision stands in all of SPANS at once, the others in the one chosen."""
    session, now = visit.session, visit.now
    days = days if days in SPANS else USUAL
    starts = {span: now - timedelta(days=span) if span else None for span in SPANS}
    since = starts[days]
    told = quality.precisions(session, list(starts.values()))
    precision = dict(zip(starts, told, strict=True))
    ended = quality.endings(session, since)
    watches, places = quality.areas(session, since, ended)
    return visit.page(
        "quality/page.html",
        spans=SPANS,
        days=days,
        precision=_beside(precision),
        watches=watches,
        places=places,
        watch_names={one.watch_id: one.name for one in current(session)},
        place_names=_place_names({one.place for one in places}),
        lead=quality.lead_time(session, since),
        steps=quality.steps(session, since, now),
        outcomes=quality.outcomes(ended),
        codes=OUTCOMES,
        missed=missed(session, now),
        answers_needed=ANSWERS_NEEDED,
        confidence=CONFIDENCE,
        agreement=agreement(session, since),
        pairs_needed=ENOUGH,
        labelling=visit.person.may(*LABELLING),
        waiting=samples.waiting(session, now),
    )


@router.get("/samples")
def one(visit: Visiting, last: Annotated[int, Query(ge=0)] = 0) -> Response:
    """The next post to look at; ``last``: the one just answered, whose machine level is told."""
    visit.needs(*LABELLING)
    told = _answered(visit, last) if last else None
    # Counted only now: a number that rises would have told the machine's level.
    if told is not None and told.sample.machine_level in COUNTED:
        visit.shown[told.sample.post_id or 0] = told.sample.machine_level
    return _sample_page(visit, told=told)


@router.post("/samples/{sample_id}")
def label(visit: Visiting, sample_id: int, form: Typed) -> Response:
    """Answer a sample: with a level, with the codebook's fields, or that one cannot tell."""
    visit.needs(*LABELLING)
    sample = visit.find(Sample, sample_id)
    fields, level = None, None
    try:
        if "unsure" not in form:
            if sample.twice:
                fields = fields_of(form)
            level = _level(str(form.get("level", "")), sample.twice)
        samples.label(visit.session, sample, level, visit.person.id, visit.now, fields)
    except (samples.AnsweredMeanwhileError, samples.SampleGoneError) as fault:
        visit.session.rollback()
        gone = isinstance(fault, samples.SampleGoneError)
        return _sample_page(visit, 410 if gone else 409, error=str(fault))
    except ValueError as fault:
        visit.session.rollback()
        again = visit.find(Sample, sample_id)
        return _sample_page(visit, 422, error=str(fault), sample=again, fields=fields)
    return visit.done(f"/quality/samples?last={sample_id}")


def _level(text: str, twice: bool) -> int:
    """The level that was pressed; of what is coded in full, the fields tell."""
    if twice:
        return 0
    if text not in ("0", "1", "2", "3", "4"):
        raise ValueError("Choose one of the five levels, or say that you cannot tell.")
    return int(text)


def _sample_page(
    visit: Visit,
    status: int = 200,
    sample: Sample | None = None,
    fields: MessageFields | None = None,
    **context: Any,
) -> Response:
    session, person = visit.session, visit.person.id
    asked = sample and all(answer.by != person for answer in sample.answers)
    sample = sample if asked else samples.next_label(session, person, visit.now)
    return visit.page(
        "quality/samples.html",
        status,
        sample=sample,
        post=samples.post_of(session, sample) if sample else None,
        levels=CODEBOOK.levels,
        **form_context(fields or MessageFields()),
        **({"error": "", "told": None} | context),
    )


def _answered(visit: Visit, sample_id: int) -> SampleAnswer | None:
    """The answer that this person gave; nobody sees the machine's level, or another's, before."""
    sample = visit.session.get(Sample, sample_id)
    answers = sample.answers if sample else []
    return next((answer for answer in answers if answer.by == visit.person.id), None)


def _beside(
    precision: dict[int, dict[str, list[quality.Right]]],
) -> dict[str, list[tuple[str, dict[int, quality.Right]]]]:
    """By part and row, the figures of all spans: what there is in any of them has its row."""
    result: dict[str, list[tuple[str, dict[int, quality.Right]]]] = {}
    for part in next(iter(precision.values())):
        rows = {span: {right.what: right for right in of[part]} for span, of in precision.items()}
        names = sorted({name for row in rows.values() for name in row})
        none = quality.Right("", 0, 0, 0)
        result[part] = [
            (name, {span: row.get(name, none) for span, row in rows.items()}) for name in names
        ]
    return result


def _place_names(codes: set[str]) -> dict[str, str]:
    names = {}
    for code in codes:
        with suppress(ValueError):
            names[code] = place_of(code).name
    return names
