"""The queue of what waits for a decision, narrowed by the address; each on one desk at a time."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from desk import leases
from desk.pages import Visiting
from desk.routes.flags import DECIDING, path_of
from monitor import queue
from monitor.queue import Sought
from sources.watches import current

router = APIRouter(prefix="/queue")

KINDS = {
    "narrative": "Narratives",
    "watch": "Watches",
    "place": "Counties",
    "post": "Single posts",
}


def sought(
    kind: str = "",
    level: str = "",
    watch: str = "",
    place: str = "",
    platform: str = "",
    crossed: str = "",
) -> Sought:
    """What the address asks for; what it asks in vain narrows nothing."""
    return Sought(
        kind=kind if kind in KINDS else "",
        level=int(level) if level in ("1", "2", "3", "4") else 0,
        watch=int(watch) if watch.isdecimal() and len(watch) < 10 else 0,
        place=place.strip() if place.strip().isdecimal() else "",
        platform=platform,
        crossed=bool(crossed),
    )


Asked = Annotated[Sought, Depends(sought)]


def address(asked: Sought) -> str:
    """The queue so narrowed, as an address."""
    words = urlencode({name: value for name, value in vars(asked).items() if value})
    return f"/queue?{words}" if words else "/queue"


@router.get("")
def show(visit: Visiting, asked: Asked) -> Response:
    items = queue.queue(visit.session, visit.now, asked)
    return visit.page(
        "queue/list.html",
        items=items,
        asked=asked,
        narrowed=address(asked),
        next=address(asked).replace("/queue", "/queue/next", 1),
        paths={item.flag.id: path_of(item.flag) for item in items},
        holders=leases.holders(visit.session, [item.flag.id for item in items], visit.now),
        kinds=KINDS,
        platforms=queue.platforms_of(items),
        watches=[(one.watch_id, one.name) for one in current(visit.session)],
        places=sorted({*queue.places_of(items), *([asked.place] if asked.place else [])}),
        deciding=visit.person.may(*DECIDING),
    )


@router.post("/next")
def take_next(visit: Visiting, asked: Asked) -> Response:
    """Put the most dangerous flag that nobody has on this person's desk."""
    visit.needs(*DECIDING)
    waiting = [item.flag for item in queue.queue(visit.session, visit.now, asked)]
    flag = leases.take_next(visit.session, visit.person, waiting, visit.now)
    return visit.done(path_of(flag) if flag else address(asked))
