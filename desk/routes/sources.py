"""The sources page: what is read, how it fares, and how to add, pause and resume."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form
from fastapi.responses import Response

from desk.pages import Visit, Visiting
from sources import register
from sources.models import Source

router = APIRouter(prefix="/sources")

# What a person may add by hand; the built-in example is started by the command line alone.
ADDABLE = {
    "feed": "RSS or Atom feed",
    "jetstream": "Bluesky stream (Jetstream)",
    "firehose": "AT Protocol server (firehose)",
    "reddit": "Subreddit",
}

VERBS = {"pause": register.pause, "resume": register.resume}


def _page(visit: Visit, status: int = 200, **context: object) -> Response:
    context = {"error": "", "form": {}} | context
    return visit.page(
        "sources.html",
        status,
        health=register.health(visit.session, visit.now),
        words=visit.wiring.settings.watch_words,
        reddit_off=visit.wiring.settings.reddit_approval is None,
        addable=ADDABLE,
        **context,
    )


@router.get("")
def show(visit: Visiting) -> Response:
    return _page(visit)


@router.post("")
def add(
    visit: Visiting,
    kind: Annotated[str, Form()] = "",
    address: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
) -> Response:
    visit.needs("monitor", "admin")
    form = {"kind": kind, "address": address, "name": name}
    try:
        if kind not in ADDABLE:
            raise ValueError("Choose what kind of source this is.")
        register.add_source(visit.session, kind, address, name, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, 422, error=str(fault), form=form)
    return visit.done("/sources")


@router.post("/{source_id}/{verb}")
def change(
    visit: Visiting,
    source_id: int,
    verb: Literal["pause", "resume"],
    why: Annotated[str, Form()] = "",
) -> Response:
    visit.needs("monitor", "admin")
    source = visit.find(Source, source_id)
    VERBS[verb](visit.session, source, visit.person.id, why, visit.now)
    return visit.done("/sources")
