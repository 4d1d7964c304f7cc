"""The faults of bad days, with real parts: what is stored in the end is what was made, less what
was deleted, whatever broke on the way."""

import json
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, sessionmaker

from sources.bluesky import POSTS
from sources.collect import Intake, collect, save_batch
from sources.collector import Batch, Collector, SourceFaultError
from sources.firehose import Firehose
from sources.jetstream import Jetstream, items_of
from sources.models import (
    Erasure,
    HiddenPost,
    PassingPost,
    Post,
    PostWatch,
    RejectedItem,
    Source,
    SourceHour,
)
from sources.register import add_source
from tests.pds.jetstream import JetstreamServer
from tests.pds.server import Account, Pds
from tests.sources.conftest import make_intake
from tests.sources.script import ScriptServer

DISCONNECTS = 100
PATIENCE = 90.0  # seconds
HALF = b'{"did": "did:plc:cut", "time_us": 17'  # a poison message


@dataclass
class Reader:
    """Reads one source again and again, as the worker does, until what it waits for is there."""

    sessions: sessionmaker[Session]
    source_id: int
    intake: Intake
    faults: int = 0

    def read(self, collector: Collector, last: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.has(last):
            assert time.monotonic() < deadline, f"{last} never came"
            with suppress(SourceFaultError):
                collect(
                    self.sessions,
                    self.source_id,
                    collector,
                    intake=self.intake,
                    clock=lambda: datetime.now(UTC),
                    stop=lambda: self.has(last) or time.monotonic() > deadline,
                )
            self.faults += 1

    def has(self, uri: str) -> bool:
        with self.sessions() as session:
            return session.scalar(select(Post.id).where(Post.uri == uri)) is not None


@pytest.fixture
def reader(sessions: sessionmaker[Session], everything: int) -> Reader:
    with sessions.begin() as session:
        source = add_source(session, "jetstream", "wss://test.example", "", datetime.now(UTC))
    return Reader(sessions, source.id, make_intake())


@dataclass
class Story:
    """What two accounts of a real server did, and what must be left of it."""

    accounts: tuple[Account, Account]
    last: str

    def left(self, pds: Pds) -> dict[str, str]:
        posts = [post for account in self.accounts for post in pds.posts(account)]
        return {post["uri"]: post["value"]["text"] for post in posts}


def tell(pds: Pds, name: str, posts: int) -> Story:
    """Posts, edits, deletions, and an account that goes and comes back."""
    ann, ben = (pds.create_account(f"{who}-{name}.test") for who in ("ann", "ben"))
    made = [(who, pds.post(who, f"{name} {n}")) for n in range(posts // 2) for who in (ann, ben)]
    for who, uri in made[::9]:
        pds.delete(who, uri)
    for who, uri in made[4::15]:
        pds.edit(who, uri, "Said in other words")
    pds.deactivate(ben)
    pds.activate(ben)
    last = pds.post(ann, f"{name}: the last")
    return Story((ann, ben), last)


def stored(sessions: sessionmaker[Session], story: Story) -> dict[str, str]:
    dids = tuple(f"at://{account.did}/" for account in story.accounts)
    with sessions() as session:
        assert not session.scalars(select(HiddenPost.uri)).all()
        rows = session.execute(select(Post.uri, Post.text)).all()
        return {uri: said for uri, said in rows if uri.startswith(dids)}


def test_jetstream_with_a_hundred_disconnects(
    pds: Pds, jetstream: JetstreamServer, reader: Reader
) -> None:
    """In every manner (goodbye, cut, half a frame), with replays doubled and out of order."""
    story = tell(pds, "badday", 120)
    jetstream.add(HALF)
    story.last = pds.post(story.accounts[0], "after the poison")
    jetstream.settle()
    jetstream.drop_every, jetstream.max_drops = 1, DISCONNECTS
    jetstream.repeats, jetstream.shuffled = 0.1, 7
    with reader.sessions.begin() as session:
        session.get_one(Source, reader.source_id).cursor = jetstream.start
    reader.read(Jetstream(jetstream.url, private=True), story.last)
    assert jetstream.drops == DISCONNECTS
    assert stored(reader.sessions, story) == story.left(pds)
    with reader.sessions() as session:
        (poison,) = session.scalars(select(RejectedItem)).all()
        assert poison.raw == HALF
        assert poison.reason.startswith("unreadable")
        source = session.get_one(Source, reader.source_id)
        assert source.cursor["time_us"] > jetstream.start["time_us"]


class CuttingProxy:
    """Stands before a server and cuts each connection after some bytes, frames in half or not.

    After ``cuts`` of them it lets everything through.
    """

    def __init__(self, port: int, cuts: int) -> None:
        self.left = cuts
        self._port = port
        self._random = random.Random(3)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        limit = self._random.randrange(1_500, 6_000) if self.left > 0 else None
        with client, socket.create_connection(("localhost", self._port)) as server:
            if limit is not None:
                server.settimeout(0.3)  # and a silent one is cut as well
            asking = threading.Thread(target=self._pump, args=(client, server, None))
            asking.start()
            self._pump(server, client, limit)
            asking.join()
        if limit is not None:
            self.left -= 1

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket, limit: int | None) -> None:
        with suppress(OSError):
            while limit is None or limit > 0:
                data = one.recv(65536 if limit is None else min(limit, 1024))
                if not data:
                    break
                other.sendall(data)
                limit = None if limit is None else limit - len(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()


def test_the_firehose_with_a_hundred_disconnects(pds: Pds, reader: Reader) -> None:
    story = tell(pds, "badwire", 120)
    with closing(CuttingProxy(int(pds.ws_url.rpartition(":")[2]), DISCONNECTS)) as proxy:
        with reader.sessions.begin() as session:
            session.get_one(Source, reader.source_id).cursor = {"seq": 0}
        reader.read(Firehose(proxy.url, private=True), story.last)
        # If it was faster than the proxy, it goes on until it was cut often enough.
        while proxy.left > 0:
            more = pds.post(story.accounts[0], f"still {proxy.left}")
            reader.read(Firehose(proxy.url, private=True), more)
        assert reader.faults > DISCONNECTS / 2
    assert stored(reader.sessions, story) == story.left(pds)
    with reader.sessions() as session:
        assert not session.scalars(select(RejectedItem.reason)).all()


# SIGKILL between any two statements of the save

BEGIN_US = 1_795_000_000_000_000
ALICE, BOB, CARA = "did:plc:alice", "did:plc:bob", "did:plc:cara"


def line(second: int, did: str, kind: str, **event: Any) -> str:
    at = BEGIN_US + second * 1_000_000
    return json.dumps({"did": did, "time_us": at, "kind": kind, kind: event})


def post_line(second: int, did: str, operation: str, rkey: str, said: str = "") -> str:
    event: dict[str, Any] = {"operation": operation, "collection": POSTS}
    event |= {"rkey": rkey, "rev": "3m"}
    if said:
        event["record"] = {"$type": POSTS, "text": said, "createdAt": ""}
    return line(second, did, "commit", **event)


# Saved beforehand; then, while the killer counts, all there is to do: new posts, edits, removals of
# posts and accounts, hiding and return, poison.
FIRST: list[str | bytes] = [
    post_line(1, ALICE, "create", "a1", "one"),
    post_line(2, ALICE, "create", "a2", "two"),
    post_line(3, BOB, "create", "b1", "Bob's"),
    post_line(4, CARA, "create", "c1", "Cara's"),
    post_line(5, ALICE, "create", "a3", "three"),
]
SECOND: list[str | bytes] = [
    post_line(6, ALICE, "delete", "a2"),
    post_line(7, ALICE, "update", "a3", "three, in other words"),
    line(8, BOB, "account", active=False, status="deactivated"),
    line(9, CARA, "account", active=False, status="deleted"),
    b'{"did": "cut in ha',
    line(10, BOB, "account", active=True),
    post_line(11, ALICE, "create", "a4", "four"),
]
LEFT = {"a1": "one", "a3": "three, in other words", "a4": "four", "b1": "Bob's"}


@pytest.fixture
def killed_reader(database_url: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.sources.killed", database_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.communicate(timeout=10)


def test_sigkill_between_any_two_statements_of_the_save(
    sessions: sessionmaker[Session],
    killed_reader: subprocess.Popen[str],
    reader: Reader,
    everything: int,
) -> None:
    assert killed_reader.stdin is not None
    assert killed_reader.stdout is not None
    tables = (PostWatch, Post, HiddenPost, PassingPost, RejectedItem, Erasure, SourceHour)
    number, answer = 0, "killed"
    with closing(ScriptServer()) as server:
        while answer == "killed":
            number += 1
            with sessions.begin() as session:
                for table in tables:
                    session.execute(delete(table))
                source = session.get_one(Source, reader.source_id)
                items = [item for line in FIRST for item in items_of(line)[0]]
                batch = Batch(items, {"time_us": BEGIN_US, "host": server.url})
                save_batch(session, source, batch, "bluesky", reader.intake, datetime.now(UTC))
            server.scripts = [FIRST + SECOND]
            killed_reader.stdin.write(f"{reader.source_id} {server.url} {number}\n")
            killed_reader.stdin.flush()
            answer = killed_reader.stdout.readline().strip()
            server.scripts = [FIRST + SECOND]  # again, from wherever its cursor is
            reader.read(Jetstream(server.url, private=True), f"at://{ALICE}/{POSTS}/a4")
            with sessions() as session:
                rows = session.execute(select(Post.uri, Post.text)).all()
                found = {uri.rpartition("/")[2]: said for uri, said in rows}
                assert found == LEFT, f"killed before statement {number}"
                assert not session.scalars(select(HiddenPost.uri)).all()
                assert len(session.scalars(select(RejectedItem.id)).all()) == 1
    assert answer == "ended 0"
    assert number > 20, "the save has more statements than that"
