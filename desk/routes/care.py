"""A person's own choices of how they are spared, and the breaks they take or put off."""

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Form
from fastapi.responses import Response

from desk import care
from desk.pages import Typed, Visiting
from desk.routes.sign_in import me_page

router = APIRouter(prefix="/me")

_OF_THE_DESK = re.compile(r"/(?![/\\])[^\s\\]*")  # a path, never another host


@router.post("/care")
def choose(visit: Visiting, form: Typed) -> Response:
    """Keep what a person chose."""
    try:
        care.choose(visit.session, visit.person, care.read_form(form), visit.now)
    except ValueError as fault:
        return me_page(visit, 422, caring={"fault": str(fault), "form": form})
    return visit.done("/me#care")


@router.post("/opened/{level}")
def opened(visit: Visiting, level: Literal["2", "3", "4"]) -> Response:
    """Count a folded post that was opened just now, by its message level alone."""
    care.count(visit.session, visit.person, [int(level)], visit.today, visit.now)
    visit.session.commit()
    return Response(status_code=204)


@router.post("/break/{verb}")
def rest(
    visit: Visiting, verb: Literal["taken", "later"], back: Annotated[str, Form()] = "/"
) -> Response:
    """Take a break or put it off, then go on where one was."""
    if verb == "taken":
        care.rested(visit.session, visit.person)
    else:
        care.rest_later(visit.session, visit.person, visit.now)
    if "hx-request" in visit.request.headers:  # the page stays as it is, with all that was typed
        visit.session.commit()
        return Response()
    return visit.done(back if _OF_THE_DESK.fullmatch(back) else "/")
