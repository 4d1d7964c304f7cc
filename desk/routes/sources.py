"""The sources page: what is read, how it fares, and how to add, pause, resume and take out."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, UploadFile
from fastapi.responses import Response

from desk.pages import Visit, Visiting
from sources import opml, register
from sources.collector import SourceFaultError
from sources.discovery import FoundFeed, find_feeds
from sources.models import Source
from sources.policy import PLATFORM_OF, USES
from sources.recheck import overdue

router = APIRouter(prefix="/sources")

# What a person may add by hand; the built-in example is started by the command line alone, and
# look-backs by the watches.
ADDABLE = {
    "feed": "RSS, Atom or JSON feed",
    "jetstream": "Bluesky stream (Jetstream)",
    "firehose": "AT Protocol server (firehose)",
    "reddit": "Subreddit or search on Reddit",
}
KINDS = ADDABLE | {"bluesky-search": "Look-back on Bluesky", "example": "Built-in example"}
MAX_OPML = 1_000_000  # bytes

VERBS = {"pause": register.pause, "resume": register.resume}


def _page(visit: Visit, status: int = 200, **context: object) -> Response:
    health = register.health(visit.session, visit.now)
    done = [one for one in health if one.source.kind == "bluesky-search" and one.state == "off"]
    return visit.page(
        "sources/list.html",
        status,
        health=[one for one in health if one not in done],
        looked_back=done,
        reddit_off=visit.wiring.settings.reddit_approval is None,
        kinds=KINDS,
        addable=ADDABLE,
        **({"error": "", "form": {}, "found": None, "told": []} | context),
    )


@router.get("")
def show(visit: Visiting) -> Response:
    return _page(visit)


@router.get("/feeds.opml")
def export(visit: Visiting) -> Response:
    feeds = [
        (source.address, source.name)
        for source in register.sources_by_name(visit.session)
        if source.kind == "feed"
    ]
    body = opml.write_opml(feeds, f"Feeds of {visit.wiring.settings.organisation}")
    name = {"Content-Disposition": 'attachment; filename="feeds.opml"'}
    return Response(body, media_type="text/x-opml", headers=name)


@router.get("/{source_id}")
def one(visit: Visiting, source_id: int) -> Response:
    source = visit.find(Source, source_id)
    health = register.health(visit.session, visit.now)
    policy = visit.wiring.intake.policies[PLATFORM_OF[source.kind]]
    return visit.page(
        "sources/one.html",
        one=next(line for line in health if line.source.id == source.id),
        kinds=KINDS,
        events=register.events(visit.session, source),
        rejects=register.rejects(visit.session, source),
        policy=policy,
        uses={use: (words, getattr(policy, use)) for use, words in USES.items()},
        overdue=policy.recheck
        and overdue(visit.session, policy.platform, policy.recheck, visit.now),
    )


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


@router.post("/find")
def find(
    visit: Visiting,
    kind: Annotated[str, Form()] = "",
    address: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
) -> Response:
    """The feeds that a web page declares, to choose from."""
    visit.needs("monitor", "admin")
    form = {"kind": kind, "address": address, "name": name}
    settings = visit.wiring.settings
    visit.session.rollback()  # the network may be slow, and others want the connection
    found: list[FoundFeed] = []
    error = ""
    try:
        found = find_feeds(
            address.strip(), contact=settings.contact, private=settings.private_addresses
        )
    except SourceFaultError as fault:
        error = str(fault)
    return _page(visit, 422 if error else 200, error=error, form=form, found=found)


@router.post("/opml")
def read_list(visit: Visiting, file: UploadFile) -> Response:
    """Add every feed of an OPML file; what could not be added is said line by line."""
    visit.needs("monitor", "admin")
    try:
        feeds, told = opml.read_opml(file.file.read(MAX_OPML + 1))
    except SourceFaultError as fault:
        return _page(visit, 422, error=str(fault))
    added = 0
    for address, title in feeds:
        try:
            register.add_source(visit.session, "feed", address, title, visit.now)
            added += 1
        except ValueError as fault:
            told.append(str(fault))
    visit.session.commit()
    return _page(visit, told=[f"{added} feeds were added.", *told])


@router.post("/removals")
def remove(
    visit: Visiting,
    post: Annotated[str, Form()] = "",
    why: Annotated[str, Form()] = "",
) -> Response:
    """Take a post out of everything, because somebody asked for it."""
    visit.needs("monitor", "admin")
    purger = visit.wiring.intake.purger
    try:
        removed = purger.at_address(visit.session, post, why, visit.person.id, visit.now)
    except ValueError as fault:
        visit.session.rollback()
        return _page(visit, 422, error=str(fault), form={"post": post, "why": why})
    visit.session.commit()
    told = "The post was removed" if removed == 1 else f"{removed} posts were removed"
    return _page(visit, told=[f"{told}, with all that was read from it."])


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
