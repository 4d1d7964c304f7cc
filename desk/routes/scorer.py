"""The scorer: which reader is in force, what it learns from, and the candidates beside it."""

from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import Response

from desk.pages import Typed, Visit, Visiting
from desk.routes.codings import fields_of, form_context
from monitor.coding import cases, codings
from monitor.coding.codebook import MessageFields
from monitor.models import Case, TrainedReader
from monitor.reading import readers

router = APIRouter(prefix="/scorer")

TEACHING = ("monitor", "admin")  # who may write cases
PROMOTING = ("admin",)


@router.get("")
def show(visit: Visiting) -> Response:
    return _page(visit)


@router.get("/cases/new")
def new_case(visit: Visiting) -> Response:
    visit.needs(*TEACHING)
    return _case_page(visit, MessageFields(), "")


@router.post("/cases")
def teach(visit: Visiting, form: Typed) -> Response:
    visit.needs(*TEACHING)
    text, fields = str(form.get("case", "")), MessageFields()
    try:
        fields = fields_of(form)
        cases.teach(visit.session, text, fields, visit.person.id, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _case_page(visit, fields, text, 422, str(fault))
    return visit.done("/scorer#cases")


@router.post("/cases/{case_id}/withdraw")
def withdraw(visit: Visiting, case_id: int) -> Response:
    visit.needs(*TEACHING)
    cases.withdraw(visit.session, visit.find(Case, case_id), visit.person.id, visit.now)
    return visit.done("/scorer#cases")


@router.post("/promotion")
def promote(
    visit: Visiting,
    reader: Annotated[int, Form()],
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Put a candidate in force, or with ``reader`` 0 the one that ships."""
    visit.needs(*PROMOTING)
    chosen = visit.find(TrainedReader, reader) if reader else None
    try:
        readers.promote(visit.session, chosen, reason, visit.person.id, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, 422, error=str(fault), refused=reader, reason=reason)
    return visit.done("/scorer")


def _page(visit: Visit, status: int = 200, **context: Any) -> Response:
    session, standing = visit.session, cases.standing(visit.session)
    promotions, shipped = readers.promotions(session), readers.shipped()
    in_force = promotions[0].reader if promotions else None
    return visit.page(
        "scorer/one.html",
        status,
        in_force=in_force,
        shipped=shipped.card,
        refusals=shipped.refusals,
        reliability=(in_force.card if in_force else shipped.card).get("reliability", {}),
        promotions=promotions,
        candidates=readers.candidates(session),
        agreement=codings.agreement(session),
        waiting=readers.waiting(session),
        stand_in=readers.stands_in(session, readers.scorer_in_force(session, visit.now)),
        cases=standing,
        held_back=sum(case.held_back for case in standing),
        teaching=visit.person.may(*TEACHING),
        promoting=visit.person.may(*PROMOTING),
        **({"error": "", "refused": None, "reason": ""} | context),
    )


def _case_page(
    visit: Visit, fields: MessageFields, text: str, status: int = 200, error: str = ""
) -> Response:
    return visit.page(
        "scorer/case.html",
        status,
        error=error,
        case=text,
        case_chars=cases.CHARS,
        **form_context(fields),
    )
