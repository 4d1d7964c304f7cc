"""The queue of what waits for a decision, narrowed by the address; each on one desk at a time."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from campaigns.campaigns import due_holds
from desk import leases, people, views
from desk.models import SavedView
from desk.pages import Visiting
from desk.routes.flags import DECIDING, path_of
from desk.views import Asked
from monitor.flags import queue
from sources.watches import current

router = APIRouter(prefix=views.QUEUE)


@dataclass(frozen=True)
class Tab:
    """A view in the bar above the queue."""

    name: str
    address: str
    count: int | None  # of what fits it now; a search is not counted
    view: SavedView | None = None  # none: ready-made


def asked(request: Request) -> Asked:
    """What the address asks for."""
    return views.asked_of(request.query_params)


Narrowed = Annotated[Asked, Depends(asked)]


@router.get("")
def show(visit: Visiting, asked: Narrowed, first: str = "") -> Response:
    session, person = visit.session, visit.person
    held = leases.running(session, visit.now)
    saved = views.views_for(session, person)
    told: list[tuple[str, str, SavedView | None]] = [
        *((name, address, None) for name, address in views.READY),
        *((view.name, view.address, view) for view in saved),
    ]
    counted = [views.asked_in(address) or Asked() for _, address, _ in told]
    found = queue.survey(
        session,
        visit.now,
        asked.sought(person, held),
        [one.sought(person, held) for one in counted],
        _begin(first),
    )
    names, waiting = people.names(session), found.waiting
    return visit.page(
        "queue/list.html",
        items=found.items,
        total=len(waiting),
        begin=found.begin,
        unjudged=found.unjudged,
        judged=queue.JUDGED,
        step=queue.SHOWN,
        asked=asked,
        narrowed=asked.address,
        tabs=[
            Tab(name, address, count if views.asked_in(address) else None, view)
            for (name, address, view), count in zip(told, found.counts, strict=True)
        ],
        paths={item.flag.id: path_of(item.flag) for item in found.items},
        holders=held,
        kinds=views.KINDS,
        sources=views.SOURCES,
        states=queue.STATES,
        platforms=queue.platforms_of(waiting),
        languages=queue.languages_of(waiting),
        watches=[(one.watch_id, one.name) for one in current(session)],
        places=sorted({*queue.places_of(waiting), *([asked.place] if asked.place else [])}),
        holding={lease.person_id: lease.person.name for lease in held.values()},
        deciding=person.may(*DECIDING),
        due=due_holds(session, visit.now),
        names=names,
    )


@router.post("/next")
def take_next(visit: Visiting, asked: Narrowed) -> Response:
    """Put the most dangerous flag that nobody has on this person's desk."""
    visit.needs(*DECIDING)
    held = leases.running(visit.session, visit.now)
    fitting = queue.queue(visit.session, visit.now, asked.sought(visit.person, held))
    waiting = [item.flag for item in fitting if item.flag.decision is None]
    flag = leases.take_next(visit.session, visit.person, waiting, visit.now)
    return visit.done(path_of(flag) if flag else asked.address)


def _begin(first: str) -> int:
    """The place in the list at which a page begins; its beginning where it is none."""
    return int(first) if first.isascii() and first.isdecimal() and len(first) < 7 else 0
