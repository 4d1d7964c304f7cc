"""A Jetstream in front of the real AT Protocol test server, with the faults of a bad day.

It reads the server's firehose and serves its events as version 1 lines at ``/subscribe``, with
``cursor`` (inclusive, from memory) and ``wantedCollections``. Use the fixture ``jetstream``.
"""

import base64
import json
import random
import socket
import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from atproto_core.car import CAR  # type: ignore[import-untyped, unused-ignore]
from atproto_core.cid import CID  # type: ignore[import-untyped, unused-ignore]
from atproto_subscription.frames import Frame  # type: ignore[import-untyped, unused-ignore]
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame as WebsocketFrame
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from tests.pds.server import Pds

MARKS = "org.example.mark"  # what a test waits for, to know that all before it has arrived
CID_STARTS = (b"\x01\x55\x12\x20", b"\x01\x71\x12\x20")  # CID version 1, raw or CBOR, SHA-256

Manner = Literal["goodbye", "cut", "half"]


@dataclass(frozen=True)
class _Event:
    time_us: int
    account: str
    collection: str  # empty for events that are no commits
    line: bytes


class JetstreamServer:
    """The running server; tests turn its faults on by setting the attributes.

    ``drop_every``: the connection ends after so many new lines on average (never sent before to
    anybody, so that readers get on even if each replay is longer than that), in one of the
    ``manners``: with a goodbye, cut without one, or cut half-way through a frame. ``drops`` counts
    them, and ``max_drops`` ends them. ``repeats`` is the share of lines that are sent twice, the
    second time after later ones. ``shuffled`` is the number of replayed lines that are mixed
    among each other; each account's own order stays as it was, as on real servers, unless
    ``any_order`` is set.
    """

    def __init__(self, pds: Pds, seed: int = 0) -> None:
        self.drop_every = 0
        self.max_drops: int | None = None
        self.manners: tuple[Manner, ...] = ("goodbye", "cut", "half")
        self.drops = 0
        self.repeats = 0.0
        self.shuffled = 0
        self.any_order = False
        self.asked: list[str] = []  # path and query of each connection
        self._pds = pds
        self._marker = pds.create_account("jetstream-marks.test")
        self._random = random.Random(seed)
        self._log: list[_Event] = []
        self._sent = 0  # lines of the log that have been on their way to somebody
        self._until_drop = 0
        self._marks = 0
        self._more = Condition()
        self._closed = False
        self._server = serve(self._talk, "127.0.0.1", 0, close_timeout=1)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._threads = [Thread(target=self._follow), Thread(target=self._server.serve_forever)]
        for thread in self._threads:
            thread.daemon = True
            thread.start()
        self.settle()
        with self._more:
            self._log.clear()  # what earlier tests did
        self.start: dict[str, Any] = {"time_us": self._now()}

    def settle(self) -> None:
        """Wait until all that was done on the AT Protocol server so far can be served here."""
        self._marks += 1
        name = f"{id(self)}-{self._marks}"
        self._pds.create(self._marker, MARKS, {"$type": MARKS, "name": name})
        wanted = f'"{name}"'.encode()
        with self._more:
            arrived = self._more.wait_for(
                lambda: any(e.collection == MARKS and wanted in e.line for e in self._log), 30
            )
        assert arrived, "the firehose does not tell of what was done"

    def add(self, line: bytes) -> None:
        """Put a line of any bytes after the last event; it is served like one, again and again."""
        self._append("", "", line)

    def lines(self) -> list[bytes]:
        """All lines so far, as they are served to someone who wants posts."""
        with self._more:
            return [event.line for event in self._log if event.collection != MARKS]

    def close(self) -> None:
        self._closed = True
        with self._more:
            self._more.notify_all()
        self._source.close()
        self._server.shutdown()
        for thread in self._threads:
            thread.join(5)

    # From the firehose

    def _follow(self) -> None:
        firehose = f"{self._pds.ws_url}/xrpc/com.atproto.sync.subscribeRepos?cursor=0"
        with connect(firehose, max_size=None) as self._source:
            for message in self._source:
                assert isinstance(message, bytes)
                frame = Frame.from_bytes(message)
                for account, collection, event in _events(frame.type, frame.body):
                    self._append(account, collection, event)

    def _append(self, account: str, collection: str, event: dict[str, Any] | bytes) -> None:
        with self._more:
            last = self._log[-1].time_us if self._log else 0
            time_us = max(self._now(), last + 1)
            if isinstance(event, dict):
                whole = {"did": account, "time_us": time_us, **event}
                event = json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
            self._log.append(_Event(time_us, account, collection, event))
            self._more.notify_all()

    @staticmethod
    def _now() -> int:
        return time.time_ns() // 1000

    # To the readers

    def _talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.asked.append(connection.request.path)
        url = urlsplit(connection.request.path)
        query = parse_qs(url.query)
        if url.path != "/subscribe":
            return
        wanted = set(query.get("wantedCollections", []))
        with self._more:
            position = len(self._log)
            replay_until = position
            if "cursor" in query:
                times = [event.time_us for event in self._log]
                position = bisect_left(times, int(query["cursor"][0]))
        try:
            while events := self._wait(connection, position):
                numbered = list(enumerate(events, position))
                if position < replay_until and self.shuffled:
                    numbered = self._mixed(numbered)
                position += len(events)
                for number, event in self._repeated(numbered):
                    if not wanted or not event.collection or event.collection in wanted:
                        self._send(connection, number, event.line)
        except (ConnectionClosed, OSError):
            return

    def _wait(self, connection: ServerConnection, position: int) -> list[_Event]:
        """What follows ``position``, as soon as there is any; nothing when it is time to go."""
        with self._more:
            while not self._closed and connection.state is State.OPEN:
                if len(self._log) > position:
                    return self._log[position : position + 200]
                self._more.wait(0.2)
        return []

    def _mixed(self, numbered: list[tuple[int, _Event]]) -> list[tuple[int, _Event]]:
        mixed: list[tuple[int, _Event]] = []
        for begin in range(0, len(numbered), self.shuffled):
            window = numbered[begin : begin + self.shuffled]
            places = self._random.sample(window, len(window))
            if not self.any_order:
                own: dict[str, list[tuple[int, _Event]]] = {}
                for one in window:
                    own.setdefault(one[1].account, []).append(one)
                places = [own[event.account].pop(0) for _, event in places]
            mixed += places
        return mixed

    def _repeated(self, numbered: list[tuple[int, _Event]]) -> Iterator[tuple[int, _Event]]:
        for place, one in enumerate(numbered):
            yield one
            if self._random.random() < self.repeats:
                yield from numbered[max(0, place - self._random.randint(0, 9)) : place + 1]

    def _send(self, connection: ServerConnection, number: int, line: bytes) -> None:
        with self._more:
            drop = number >= self._sent and self._is_time_to_drop()
            self._sent = max(self._sent, number + 1)
        if not drop:
            connection.send(line, text=True)
            return
        manner = self._random.choice(self.manners)
        if manner == "goodbye":
            connection.close(1001)
        else:
            if manner == "half":
                frame = WebsocketFrame(Opcode.TEXT, line).serialize(mask=False)
                connection.socket.sendall(frame[: self._random.randrange(1, len(frame))])
            connection.socket.shutdown(socket.SHUT_RDWR)
        raise ConnectionResetError

    def _is_time_to_drop(self) -> bool:
        if not self.drop_every or self.drops == self.max_drops:
            return False
        self._until_drop -= 1
        if self._until_drop > 0:
            return False
        self._until_drop = self._random.randint(1, 2 * self.drop_every - 1)
        self.drops += 1
        return True


def _events(kind: str, body: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The account, the collection and the inside of each event that a firehose message makes."""
    if kind == "#commit":
        blocks = CAR.from_bytes(body["blocks"]).blocks
        for op in body["ops"]:
            collection, _, rkey = op["path"].partition("/")
            commit = {
                "rev": body["rev"],
                "operation": op["action"],
                "collection": collection,
                "rkey": rkey,
            }
            if op["action"] != "delete":
                cid = CID.decode(op["cid"])
                commit |= {"record": _plain(blocks[cid]), "cid": str(cid)}
            yield body["repo"], collection, {"kind": "commit", "commit": commit}
    elif kind in ("#account", "#identity"):
        names = ("active", "did", "handle", "seq", "status", "time")
        inside = {name: body[name] for name in names if body.get(name) is not None}
        yield body["did"], "", {"kind": kind[1:], kind[1:]: inside}


def _plain(value: Any) -> Any:
    """A record as JSON writes it: links to other records and bytes in words."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes) and len(value) == 36 and value.startswith(CID_STARTS):
        return {"$link": "b" + base64.b32encode(value).decode().lower().rstrip("=")}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode().rstrip("=")}
    return value


@pytest.fixture
def jetstream(pds: Pds) -> Iterator[JetstreamServer]:
    """A Jetstream that knows what happens on the real server from now on."""
    server = JetstreamServer(pds)
    yield server
    server.close()
