"""Saved views of the queue and of searches: kept, renamed, shared and put away."""

from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import Response

from desk import views
from desk.models import SavedView
from desk.pages import Visit, Visiting

router = APIRouter(prefix="/views")


@router.get("")
def show(visit: Visiting) -> Response:
    return _page(visit)


@router.post("")
def save(
    visit: Visiting,
    name: Annotated[str, Form()] = "",
    address: Annotated[str, Form()] = "",
    shared: Annotated[str, Form()] = "",
) -> Response:
    """Keep an address of the queue or of a search under a name, and go on there."""
    try:
        view = views.save(visit.session, visit.person, name, address, bool(shared), visit.now)
    except ValueError as fault:
        form = {"name": name, "address": address, "shared": bool(shared)}
        return _page(visit, 422, error=str(fault), form=form)
    return visit.done(view.address)


@router.post("/{view_id}")
def change(
    visit: Visiting,
    view_id: int,
    name: Annotated[str, Form()] = "",
    shared: Annotated[str, Form()] = "",
) -> Response:
    view = visit.find(SavedView, view_id)
    try:
        views.change(visit.session, view, visit.person, name, bool(shared), visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, 422, error=str(fault), changing={view_id: (name, bool(shared))})
    return visit.done("/views")


@router.post("/{view_id}/removal")
def remove(visit: Visiting, view_id: int) -> Response:
    try:
        views.remove(visit.session, visit.find(SavedView, view_id), visit.person, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, 422, error=str(fault))
    return visit.done("/views")


def _page(visit: Visit, status: int = 200, **told: Any) -> Response:
    """All views that this person has. ``told``: of a refused form, its words and why."""
    saved = views.views_for(visit.session, visit.person)
    return visit.page(
        "views/list.html",
        status,
        saved=saved,
        mine={one.id for one in saved if views.may_change(one, visit.person)},
        removable={one.id for one in saved if views.may_remove(one, visit.person)},
        ready=views.READY,
        name_chars=views.NAME_CHARS,
        **({"error": "", "form": {}, "changing": {}} | told),
    )
