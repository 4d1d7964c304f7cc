"""Files of contacts or voices: sent, previewed row by row, then taken in or thrown away."""

from collections import defaultdict
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, UploadFile
from fastapi.responses import Response

from campaigns.contacts import audiences, csv_files, imports
from campaigns.contacts.contacts import LANGUAGES
from campaigns.contacts.imported import STATES
from campaigns.models import IMPORTED, Audience, Import
from desk import people
from desk.pages import Typed, Visit, Visiting, page_number

router = APIRouter(prefix="/imports")

ROLES = ("comms", "admin")
PAGE = 100  # rows of a preview on one page


def _all(visit: Visit, status: int = 200, error: str = "", kind: str = "contacts") -> Response:
    return visit.page(
        "imports/all.html",
        status,
        error=error,
        kind=kind if kind in IMPORTED else "contacts",
        kinds=IMPORTED,
        labels=imports.LABELS,
        latest=imports.latest(visit.session),
        megabytes=csv_files.MAX_BYTES // 1_000_000,
        rows=csv_files.MAX_ROWS,
        waits=visit.now - imports.KEPT_FOR,
    )


@router.get("")
def show_all(visit: Visiting, of: str = "contacts") -> Response:
    visit.needs(*ROLES)
    return _all(visit, kind=of)


@router.post("")
def upload(
    visit: Visiting, kind: Annotated[str, Form()] = "", file: UploadFile | str = ""
) -> Response:
    """Keep a file for its preview; nothing of it is taken in before somebody says so."""
    visit.needs(*ROLES)
    try:
        if isinstance(file, str) or not file.filename:
            raise ValueError("Choose a CSV file.")
        with file.file as sent:
            data = sent.read(csv_files.MAX_BYTES + 1)
        made = imports.keep(
            visit.session,
            visit.wiring.book,
            kind,
            file.filename,
            data,
            by=visit.person.id,
            now=visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        return _all(visit, 422, str(fault), kind)
    return visit.done(f"/imports/{made.id}")


def _known(visit: Visit) -> imports.Known:
    leaders: dict[str, set[int]] = defaultdict(set)
    for leader in people.leaders(visit.session):
        for said in (leader.name, leader.email):
            leaders[said.casefold()].add(leader.id)
    return imports.Known(visit.wiring.book, leaders, visit.wiring.zone)


def _one(
    visit: Visit,
    row: Import,
    status: int = 200,
    error: str = "",
    form: dict[str, str] | None = None,
) -> Response:
    visit.desk_times = True  # the days in a file are the desk's
    sheet = imports.opened(visit.wiring.book, row, visit.now)
    if sheet is None:
        keeping = imports.KEPT_FOR
        context = {"row": row, "error": error, "kinds": IMPORTED, "keeping": keeping}
        return visit.page("imports/done.html", status, **context)
    made = imports.preview(visit.session, _known(visit), row, sheet, visit.now)
    asked = visit.request.query_params
    # What went wrong is what needs a person; else what will be done.
    usual = "refused" if made.counts["refused"] else "new" if made.counts["new"] else "changed"
    state = asked.get("show", "")
    state = state if state in STATES else usual
    shown = [one for one in made.rows if one.state == state]
    number = min(page_number(asked.get("page", "")), max(1, -(-len(shown) // PAGE)))
    return visit.page(
        "imports/one.html",
        status,
        row=row,
        sheet=sheet,
        made=made,
        state=state,
        shown=shown[(number - 1) * PAGE : number * PAGE],
        number=number,
        more=number * PAGE < len(shown),
        until=row.made_at + imports.KEPT_FOR,
        labels=imports.LABELS[row.kind],
        fallback=imports.FALLBACK[row.kind],
        needed=[of for of in imports.NEEDED[row.kind] if of in sheet.columns],
        form=form,
        lists=audiences.all_lists(visit.session) if row.kind == "contacts" else [],
        languages=LANGUAGES,
        encoding=csv_files.ENCODINGS[sheet.file.encoding],
        separator=csv_files.SEPARATORS[sheet.file.separator],
        kinds=IMPORTED,
        error=error,
    )


@router.get("/{import_id}")
def show(visit: Visiting, import_id: int) -> Response:
    visit.needs(*ROLES)
    return _one(visit, visit.find(Import, import_id))


@router.post("/{import_id}/columns")
def choose(visit: Visiting, import_id: int, form: Typed) -> Response:
    """Which column is which, what stands in for empty cells, and on which list they come."""
    visit.needs(*ROLES)
    row = visit.find(Import, import_id)
    sheet = imports.opened(visit.wiring.book, row, visit.now)
    if sheet is None:
        return _one(visit, row, 409, "This file is not kept any more.")
    typed = {name: value for name, value in form.items() if isinstance(value, str)}
    try:
        chosen = typed.get("audience", "")
        imports.choose(
            visit.session,
            visit.wiring.book,
            row,
            sheet,
            columns={of: _place(typed.get(f"column-{of}", "")) for of in imports.LABELS[row.kind]},
            fallback={of: typed.get(f"else-{of}", "") for of in imports.FALLBACK[row.kind]},
            audience=visit.find(Audience, int(chosen)) if chosen.isdecimal() else None,
        )
    except ValueError as fault:
        visit.session.rollback()
        return _one(visit, visit.find(Import, import_id), 422, str(fault), typed)
    return visit.done(f"/imports/{import_id}")


def _place(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 7 else None


@router.post("/{import_id}/take")
def take(visit: Visiting, import_id: int, mark: Annotated[str, Form()] = "") -> Response:
    """Do what the preview with this mark showed, and nothing else."""
    visit.needs(*ROLES)
    row = visit.find(Import, import_id)
    by, now = visit.person.id, visit.now
    try:
        imports.take_in(visit.session, _known(visit), row, mark, by=by, now=now)
    except ValueError as fault:
        visit.session.rollback()
        return _one(visit, visit.find(Import, import_id), 409, str(fault))
    return visit.done(f"/imports/{import_id}")


@router.post("/{import_id}/drop")
def drop(visit: Visiting, import_id: int) -> Response:
    visit.needs(*ROLES)
    row = visit.find(Import, import_id)
    by, now = visit.person.id, visit.now
    try:
        imports.throw_away(visit.session, visit.wiring.book, row, by=by, now=now)
    except ValueError as fault:
        visit.session.rollback()
        return _one(visit, visit.find(Import, import_id), 409, str(fault))
    return visit.done(f"/imports?of={row.kind}")


@router.get("/{import_id}/refused.csv")
def refused(visit: Visiting, import_id: int) -> Response:
    """The refused rows, to be mended and sent again."""
    visit.needs(*ROLES)
    row = visit.find(Import, import_id)
    sheet = imports.opened(visit.wiring.book, row, visit.now)
    if sheet is None:
        raise HTTPException(404)
    made = imports.preview(visit.session, _known(visit), row, sheet, visit.now)
    name = {"Content-Disposition": f'attachment; filename="refused-rows-{row.id}.csv"'}
    return Response(
        imports.refused(sheet, made), media_type="text/csv; charset=utf-8", headers=name
    )
