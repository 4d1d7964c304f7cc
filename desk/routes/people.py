"""The people page: who works here and with which roles. For administrators."""

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from desk import passkeys, people
from desk.models import ROLES, Person
from desk.pages import Visit, Visiting

router = APIRouter(prefix="/people")


def _page(visit: Visit, status: int = 200, **context: object) -> Response:
    context = {"error": "", "form": {}, "link": "", "linked": None} | context
    return visit.page(
        "people.html",
        status,
        everyone=people.everyone(visit.session),
        roles=ROLES,
        with_passkeys=passkeys.holders(visit.session),
        **context,
    )


@router.get("")
def show(visit: Visiting) -> Response:
    visit.needs("admin")
    return _page(visit)


@router.post("")
def add(
    visit: Visiting,
    name: Annotated[str, Form()] = "",
    email: Annotated[str, Form()] = "",
    roles: Annotated[list[str] | None, Form()] = None,
) -> Response:
    visit.needs("admin")
    chosen = roles or []
    try:
        added = people.add_person(visit.session, name, email, chosen, visit.person, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        form = {"name": name, "email": email, "roles": chosen}
        return _page(visit, 422, error=str(fault), form=form)
    return _with_link(visit, added)


@router.post("/{person_id}/link")
def link(visit: Visiting, person_id: int) -> Response:
    visit.needs("admin")
    return _with_link(visit, visit.find(Person, person_id))


def _with_link(visit: Visit, person: Person) -> Response:
    """Shows the link once, to be handed over in person or by a channel that is trusted."""
    token = people.new_link(visit.session, person, visit.person, visit.now)
    visit.session.commit()
    address = visit.wiring.settings.address
    return _page(visit, link=f"{address}/sign-in/{token}", linked=person)


@router.post("/{person_id}/leave")
def leave(visit: Visiting, person_id: int) -> Response:
    visit.needs("admin")
    try:
        people.leave(visit.session, visit.find(Person, person_id), visit.person, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, 422, error=str(fault))
    return visit.done("/people")


@router.post("/{person_id}/roles")
def change_roles(
    visit: Visiting, person_id: int, roles: Annotated[list[str] | None, Form()] = None
) -> Response:
    visit.needs("admin")
    person, wanted = visit.find(Person, person_id), set(roles or [])
    try:
        for role in person.roles - wanted:
            people.revoke(visit.session, person, role, visit.person, visit.now)
        for role in sorted(wanted - person.roles):
            people.grant(visit.session, person, role, visit.person, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, 422, error=str(fault))
    return visit.done("/people")
