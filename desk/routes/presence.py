"""Who else is looking at a page: asked once, or as a stream of server-sent events.

The stream is the house's one async route. While nothing happens it holds neither a database session
nor a thread; each look is a short transaction of its own. It asks anew each time whether the person
is still signed in.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from desk import leases, people, presence
from desk.bell import Bell
from desk.pages import SignInNeededError
from desk.security import COOKIE
from desk.wiring import Wiring, clock
from monitor.models import Flag

router = APIRouter()

STREAM = "text/event-stream"
TICK = ": still here\n\n"  # a comment: it shows whether anybody is at the other end
# Events of their own name: htmx makes them events of the page.
CHANGED = "event: changed\ndata:\n\n"
SIGNED_OUT = "event: signed-out\ndata:\n\n"


@dataclass(frozen=True)
class Looker:
    """One open page."""

    wiring: Wiring
    templates: Any
    token: str
    page: str
    flag: int  # that waits on it for a decision; 0: none
    key: int  # of its stream; 0: asked once

    def look(self) -> str | None:
        """What stands on the page now, as HTML; None when the person is not signed in."""
        now = clock()
        with self.wiring.sessions.begin() as session:
            person = people.person_of(session, self.token, now)
            if person is None:
                return None
            if self.key and presence.shared(self.page):
                presence.stay(session, self.key, person, self.page, now)
            flag = session.get(Flag, self.flag) if self.flag else None
            return str(
                self.templates.get_template("presence/now.html").render(
                    person=person,
                    others=presence.others_at(session, self.page, person, now),
                    page=self.page,
                    flag=flag,
                    decision=flag and flag.decision,
                    lease=flag and leases.holders(session, [flag.id], now).get(flag.id),
                    names=people.names(session) if flag and flag.decision else {},
                )
            )

    def leave(self) -> None:
        """The page is closed."""
        with self.wiring.sessions.begin() as session:
            presence.leave(session, self.key)


@router.get("/presence")
async def show(request: Request, page: str = presence.QUEUE, flag: str = "") -> Response:
    """Who else has ``page`` open, and who has ``flag``, as a piece of HTML or a stream of such."""
    if page != presence.QUEUE and not presence.shared(page):
        raise HTTPException(404)
    looker = Looker(
        wiring=request.app.state.wiring,
        templates=request.app.state.templates,
        token=request.cookies.get(COOKIE, ""),
        page=page,
        flag=int(flag) if flag.isascii() and flag.isdecimal() and len(flag) < 10 else 0,
        key=0,
    )
    shown = await run_in_threadpool(looker.look)
    if shown is None:
        raise SignInNeededError
    if STREAM not in request.headers.get("accept", ""):
        return HTMLResponse(shown)
    staying = Looker(**vars(looker) | {"key": 1 + secrets.randbelow(2**62)})
    return Stream(_stream(staying, request.app.state.bell))


class Stream(StreamingResponse):
    """Closes its generator with the page, also where it stands at a yield: it is told nothing."""

    def __init__(self, said: AsyncGenerator[str, None]) -> None:
        super().__init__(said, media_type=STREAM)
        self._said = said

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._said):
            await super().__call__(scope, receive, send)


async def _stream(looker: Looker, bell: Bell) -> AsyncGenerator[str, None]:
    """What stands on the page whenever it changes, until the page closes or the server stops."""
    said: str | None = None
    try:
        with bell.heard(looker.page) as rung:
            while not bell.closed:
                woken = rung.is_set()
                rung.clear()
                shown = await run_in_threadpool(looker.look)
                if shown is None:
                    yield SIGNED_OUT
                    return
                yield _message(shown) if shown != said else TICK
                if woken:
                    yield CHANGED
                said = shown
                try:
                    async with asyncio.timeout(presence.BEAT):
                        await rung.wait()
                except TimeoutError:
                    pass
    finally:
        # Not awaited: when the page was closed its task is being cancelled, and so would be this.
        asyncio.get_running_loop().run_in_executor(None, looker.leave)


def _message(html: str) -> str:
    return "".join(f"data: {line}\n" for line in html.splitlines() or [""]) + "\n"
