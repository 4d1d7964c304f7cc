"""The bell: wakes the open pages of one web process when something on them changes.

One connection listens for the whole process while any page waits, and none while no page does.
Nothing is lost when it breaks: who waits also looks by itself every few seconds, and once more when
the bell can hear again.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import URL

from desk.presence import CHANNEL

AGAIN = 3.0  # seconds before a broken connection is made anew

log = logging.getLogger(__name__)


class Bell:
    """Rings for pages, by their paths. It belongs to one event loop at a time."""

    def __init__(self, database: URL) -> None:
        plain = database.set(drivername="postgresql")
        self._database = plain.render_as_string(hide_password=False)
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._ear: asyncio.Task[None] | None = None
        self.closed = False  # the server stops: streams end

    @contextmanager
    def heard(self, page: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever something on a page changes, and when the bell closes."""
        rung = asyncio.Event()
        self._waiting[page].add(rung)
        if self._ear is None:
            self._ear = asyncio.get_running_loop().create_task(self._listen())
        try:
            yield rung
        finally:
            self._waiting[page].discard(rung)
            if not self._waiting[page]:
                del self._waiting[page]
            if not self._waiting and self._ear is not None:
                self._ear.cancel()
                self._ear = None

    def close(self) -> None:
        """Have every stream end at once. For the loop's own thread."""
        self.closed = True
        self._ring()

    def _ring(self, page: str | None = None) -> None:
        """Wake who waits for a page; None: everybody."""
        for waited, events in self._waiting.items():
            if page in (None, waited):
                for rung in events:
                    rung.set()

    async def _listen(self) -> None:
        while True:
            try:
                connected = psycopg.AsyncConnection.connect(self._database, autocommit=True)
                async with await connected as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self._ring()  # whatever happened while nobody heard
                    async for told in connection.notifies():
                        self._ring(told.payload)
            except psycopg.Error as fault:
                log.warning("The bell cannot listen: %s", fault)
            await asyncio.sleep(AGAIN)
