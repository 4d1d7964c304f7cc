"""Weekly situation reports: started, read, edited, made final, taken along."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response

from desk import people, printed, sitreps
from desk.models import Sitrep, SitrepVersion
from desk.pages import Typed, Visit, Visiting
from monitor import triggers
from monitor.alerts.cap import VERIFICATION
from monitor.coding import situations
from monitor.embedding.embed import PACKAGED_LANGUAGES
from monitor.reports import sitrep
from monitor.reports.paraphrase import KINDS, Finding
from sources.places import states_and_counties

router = APIRouter(prefix="/sitreps")

EDITING = ("monitor", "duty lead", "admin")  # who drafts and edits
FINISHING = ("duty lead", "admin")  # who answers for it
WEEKS_OFFERED = 12


@router.get("")
def show(visit: Visiting) -> Response:
    return _list(visit)


@router.post("")
def start(visit: Visiting, form: Typed) -> Response:
    """Draft the report of a week and a place, or go to the one that is there."""
    visit.needs(*EDITING)
    words = {key: str(form.get(key, "")) for key in ("week", "place")}
    try:
        report = sitreps.start(
            visit.session,
            _monday(words["week"]),
            triggers.place_called(words["place"]),
            _languages(visit),
            visit.person.id,
            visit.now,
        )
    except ValueError as fault:
        visit.session.rollback()
        return _list(visit, 422, error=str(fault), words=words)
    return visit.done(f"/sitreps/{report.id}")


@router.get("/{sitrep_id}")
def read(
    visit: Visiting, sitrep_id: int, version: Annotated[int | None, Query()] = None
) -> Response:
    """A report as it is read; ``version``: an earlier one."""
    return _read(visit, visit.find(Sitrep, sitrep_id), version)


@router.get("/{sitrep_id}/edit")
def edit(visit: Visiting, sitrep_id: int) -> Response:
    visit.needs(*EDITING)
    report = visit.find(Sitrep, sitrep_id)
    newest = report.versions[-1]
    found = sitreps.warnings(visit.session, report, newest.sections, visit.now)
    return _edit(
        visit, report, newest.sections, newest.number, found=found, kept_why=newest.kept_why
    )


@router.post("/{sitrep_id}/versions")
def save(visit: Visiting, sitrep_id: int, form: Typed) -> Response:
    visit.needs(*EDITING)
    report = visit.find(Sitrep, sitrep_id)
    sections = {key: str(form.get(key, "")) for key in sitrep.SECTIONS}
    kept_why = str(form.get("kept_why", ""))
    try:
        after = int(str(form.get("after", "")))
    except ValueError:
        after = 0
    try:
        sitreps.save(
            *(visit.session, report, sections, after, kept_why),
            *(visit.person.id, visit.now),
        )
    except ValueError as fault:
        visit.session.rollback()
        return _edit(
            *(visit, visit.find(Sitrep, sitrep_id), sections, after),
            status=409 if isinstance(fault, sitreps.BehindError) else 422,
            error=str(fault),
            found=getattr(fault, "findings", []),
            kept_why=kept_why,
        )
    return visit.done(f"/sitreps/{sitrep_id}")


@router.post("/{sitrep_id}/draft")
def draft_again(visit: Visiting, sitrep_id: int) -> Response:
    """A new version from the data as they are now."""
    visit.needs(*EDITING)
    report = visit.find(Sitrep, sitrep_id)
    sitreps.draft_again(visit.session, report, _languages(visit), visit.now)
    return visit.done(f"/sitreps/{sitrep_id}")


@router.post("/{sitrep_id}/final")
def finish(visit: Visiting, sitrep_id: int, form: Typed) -> Response:
    visit.needs(*FINISHING)
    report = visit.find(Sitrep, sitrep_id)
    number = str(form.get("version", ""))
    try:
        wanted = int(number) if number.isdecimal() else 0
        sitreps.finish(visit.session, report, wanted, visit.person.id, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _read(visit, visit.find(Sitrep, sitrep_id), None, 409, error=str(fault))
    return visit.done(f"/sitreps/{sitrep_id}")


@router.get("/{sitrep_id}/report.md")
def markdown(
    visit: Visiting, sitrep_id: int, version: Annotated[int | None, Query()] = None
) -> Response:
    report, page = _printed(visit, sitrep_id, version)
    body = printed.markdown(page).encode()
    return _file(body, "text/markdown; charset=utf-8", printed.name_of_file(report, "md"))


@router.get("/{sitrep_id}/report.pdf")
def pdf(
    visit: Visiting, sitrep_id: int, version: Annotated[int | None, Query()] = None
) -> Response:
    report, page = _printed(visit, sitrep_id, version)
    body = printed.pdf(page, visit.now)
    return _file(body, "application/pdf", printed.name_of_file(report, "pdf"))


def _printed(visit: Visit, sitrep_id: int, number: int | None) -> tuple[Sitrep, printed.Printed]:
    report = visit.find(Sitrep, sitrep_id)
    version = _version(visit, report, number)
    by = people.names(visit.session).get(version.final.by, "?") if version.final else ""
    organisation = visit.wiring.settings.organisation
    return report, printed.printed(report, version, organisation, by)


def _version(visit: Visit, report: Sitrep, number: int | None) -> SitrepVersion:
    """The version of that number, or the newest."""
    wanted = report.versions[-1].number if number is None else number
    version = sitreps.version_of(visit.session, report, wanted) if 0 < wanted < 2**31 else None
    if version is None:
        raise HTTPException(404)
    return version


def _file(body: bytes, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=kind, headers=headers)


def _monday(words: str) -> date:
    """The first day of the week a form means; any day of it will do."""
    try:
        day = date.fromisoformat(words)
    except ValueError:
        raise ValueError("Choose a week.") from None
    return day - timedelta(days=day.weekday())


def _languages(visit: Visit) -> frozenset[str] | None:
    """Those the model reads; of another model than ours nobody here knows."""
    return PACKAGED_LANGUAGES if visit.wiring.settings.model is None else None


def _list(visit: Visit, status: int = 200, **context: Any) -> Response:
    context = {"error": "", "words": {}} | context
    this_week = situations.week_of(visit.now)
    weeks = [this_week - n * sitrep.WEEK for n in range(WEEKS_OFFERED)]
    return visit.page(
        "sitreps/list.html",
        status,
        **context,
        reports=sitreps.reports(visit.session),
        weeks=weeks,
        this_week=this_week,
        editing=visit.person.may(*EDITING),
        states=_states(),
        **_spelling(),
    )


def _read(
    visit: Visit, report: Sitrep, number: int | None, status: int = 200, error: str = ""
) -> Response:
    version = _version(visit, report, number)
    return visit.page(
        "sitreps/one.html",
        status,
        error=error,
        report=report,
        version=version,
        newest=report.versions[-1],
        parts=[
            (key, title, sitreps.statements(str(version.sections.get(key, ""))))
            for key, title in sitrep.SECTIONS.items()
        ],
        running=datetime.combine(report.week, time(), UTC) + sitrep.WEEK > visit.now,
        editing=visit.person.may(*EDITING),
        finishing=visit.person.may(*FINISHING),
        section_names=sitrep.SECTIONS,
        kinds=KINDS,
        verification=VERIFICATION,
        notice=sitreps.NOTICE,
        **_spelling(),
    )


def _edit(
    visit: Visit,
    report: Sitrep,
    sections: dict[str, Any],
    after: int,
    *,
    found: list[Finding],
    kept_why: str,
    status: int = 200,
    error: str = "",
) -> Response:
    """The form with these words in it, and what is warned of in them."""
    return visit.page(
        "sitreps/edit.html",
        status,
        error=error,
        report=report,
        sections=sections,
        after=after,
        found=found,
        kept_why=kept_why,
        section_names=sitrep.SECTIONS,
        ungraded=sitrep.UNGRADED,
        most=sitreps.SECTION_CHARS,
        kinds=KINDS,
        verification=VERIFICATION,
        **_spelling(),
    )


def _spelling() -> dict[str, Any]:
    return {
        "area_of": sitreps.area_of,
        "days_of": sitreps.days_of,
        "state_of": sitreps.state_of,
    }


@cache
def _states() -> list[str]:
    return [one.name for one in states_and_counties() if one.kind == "state"]
