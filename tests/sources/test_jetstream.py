"""Jetstream lines from real websocket servers: a scripted one, and one before a real PDS."""

import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

import sources.jetstream
from sources.collector import Batch, Item, NewPost, Rejected, Removal, Return, SourceFaultError
from sources.jetstream import (
    EVENTS,
    REWIND_US,
    SWITCH_REWIND_US,
    items_of,
    items_of_frame,
)
from sources.models import RejectedItem, Source, SourceEvent
from sources.websocket import FLUSH_EVENTS, MAX_EVENT_BYTES
from tests.pds.jetstream import JetstreamServer
from tests.pds.server import Pds
from tests.sources.conftest import AddSource, Collect, Posts
from tests.sources.script import ScriptServer

ALICE, BOB = "did:plc:alice", "did:plc:bob"
START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
Jetstream = partial(sources.jetstream.Jetstream, private=True)  # the tests' servers are on loopback
DEAD = "ws://127.0.0.1:1"


def line(kind: str, second: int, did: str = ALICE, **event: Any) -> str:
    time_us = START_US + second * 1_000_000
    return json.dumps({"did": did, "time_us": time_us, "kind": kind, kind: event})


def commit(
    second: int, operation: str, rkey: str, text: object = None, did: str = ALICE, **more: Any
) -> str:
    event: dict[str, Any] = {
        "rev": "3mmoojp7vgo2g",
        "operation": operation,
        "collection": "app.bsky.feed.post",
        "rkey": rkey,
    }
    if text is not None:
        created = (START + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")
        event["record"] = {"$type": "app.bsky.feed.post", "text": text, "createdAt": created}
        event["record"] |= more
    return line("commit", second, did, **event)


def uri(rkey: str, did: str = ALICE) -> str:
    return f"at://{did}/app.bsky.feed.post/{rkey}"


@pytest.fixture
def server() -> Iterator[ScriptServer]:
    server = ScriptServer()
    yield server
    server.close()


@pytest.fixture
def second() -> Iterator[ScriptServer]:
    server = ScriptServer()
    yield server
    server.close()


def read(
    stream: sources.jetstream.Jetstream, cursor: dict[str, Any] | None = None
) -> tuple[list[Batch], str]:
    """Batches until the streams ends, and the sentence with which it does."""
    batches: list[Batch] = []
    with pytest.raises(SourceFaultError) as end:
        batches.extend(stream.batches(cursor))  # what came before the fault is in the list
    return batches, str(end.value)


Listen = Callable[..., list[Batch]]


@pytest.fixture
def listen(server: ScriptServer) -> Listen:
    """All batches of one connection, which the server closes after its script."""

    def listen(*lines: str | bytes) -> list[Batch]:
        server.scripts.append(lines)
        batches, end = read(Jetstream(server.url, contact="me@desk.example"))
        assert end == f"{server.url} closed the stream."
        return batches

    return listen


def items(batches: list[Batch]) -> list[Item]:
    return [item for batch in batches for item in batch.items]


def test_asks_for_posts_only_and_says_who_it_is(server: ScriptServer, listen: Listen) -> None:
    listen()
    assert server.asked == ["/subscribe?wantedCollections=app.bsky.feed.post"]
    assert server.agents == ["Breakwater/0.1 (+me@desk.example)"]


@pytest.mark.parametrize("path", ["", "/", "/subscribe", "/subscribe/"])
def test_the_address_may_or_may_not_name_the_endpoint(server: ScriptServer, path: str) -> None:
    read(Jetstream(server.url + path))
    assert server.asked == ["/subscribe?wantedCollections=app.bsky.feed.post"]


def test_updates_deletes_and_accounts_come_in_order(listen: Listen) -> None:
    found = items(
        listen(
            commit(1, "create", "1", "first"),
            commit(2, "update", "1", ""),
            commit(3, "delete", "1"),
            line("identity", 4, did=BOB, handle="bob.test"),
            line("account", 5, active=True, did=ALICE),
            line("account", 6, did=BOB, active=False, status="takendown"),
        )
    )
    created, edited, *others = found
    assert isinstance(created, NewPost)
    assert isinstance(edited, NewPost)
    assert (created.text, created.edit, created.author) == ("first", False, ALICE)
    assert (edited.text, edited.edit, edited.uri) == ("", True, uri("1"))
    assert others == [
        Removal("post", uri("1"), "deleted by its author"),
        Return(ALICE),
        Removal("account", BOB, "account takendown"),
    ]


def test_other_collections_are_passed_over(listen: Listen) -> None:
    like = json.loads(commit(4, "create", "1", "x"))
    like["commit"]["collection"] = "app.bsky.feed.like"
    batches = listen(json.dumps(like))
    assert items(batches) == []
    assert batches[-1].cursor["time_us"] == START_US + 4_000_000
    assert batches[-1].newest == START + timedelta(seconds=4)


HALF = commit(2, "create", "2", "cut in half — here", did=BOB)[:180].encode()
BROKEN = [
    HALF,
    commit(2, "create", "2", "half a letter: ä").encode().replace(b"\\u00e4", b"\xc3"),
    commit(2, "create", "2", "half a pair: ä").encode().replace(b"\\u00e4", b"\\ud83d"),
    b"[]",
    b"null",
    b"",
    b"\xef\xbb\xbf" + commit(2, "create", "2", "x").encode(),
    b"[" * 100_000,
    commit(2, "create", "2", "deep").encode().replace(b'"deep"', b"[" * 100_000),
    json.dumps({"did": ALICE, "time_us": 10**30, "kind": "identity"}).encode(),
    json.dumps({"did": ALICE, "time_us": 4711, "kind": "identity"}).encode(),
    json.dumps({"did": ALICE, "time_us": "now", "kind": "identity"}).encode(),
    json.dumps({"did": ALICE, "time_us": 1.5, "kind": "identity"}).encode(),
    json.dumps({"did": ALICE, "time_us": START_US, "kind": "commit"}).encode(),
    json.dumps({"did": ALICE, "time_us": START_US, "kind": "account"}).encode(),
    line("account", 3, status="deleted").encode(),
    commit(3, "create", "3").encode(),  # no record
    commit(3, "create", "3", ["not", "text"]).encode(),
    commit(3, "shrug", "3", "x").encode(),
]


def test_what_cannot_be_read_is_set_aside_and_the_stream_goes_on(
    server: ScriptServer, listen: Listen
) -> None:
    *rejected, post = items(listen(*BROKEN, commit(9, "create", "9", "good")))
    assert all(isinstance(item, Rejected) for item in rejected)
    assert [item.raw for item in rejected if isinstance(item, Rejected)] == BROKEN
    assert isinstance(post, NewPost)
    assert post.text == "good"


def test_what_cannot_be_read_moves_the_cursor_only_by_its_own_time() -> None:
    times = [items_of(raw)[1] for raw in BROKEN]
    assert times[-3:] == [START_US + 3_000_000] * 3
    assert set(times[:-6]) == {None, START_US + 2_000_000}


def test_the_cursor_is_never_behind_when_lines_come_out_of_order(listen: Listen) -> None:
    batches = listen(commit(9, "create", "9", "later"), commit(3, "create", "3", "earlier"))
    assert len(items(batches)) == 2
    assert batches[-1].cursor["time_us"] == START_US + 9_000_000


@given(st.binary() | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_line_is_read_or_set_aside(raw: bytes) -> None:
    for read_one in (items_of, items_of_frame):
        found, _ = read_one(raw)
        assert all(isinstance(item, Rejected) and item.raw == raw for item in found)


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["uri", "record", "media", "images", "alt", "values", "val", "external"]
            )
            | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(["text", "embed", "reply", "langs", "labels", "createdAt"]), ANY
    )
)
def test_any_record_is_read_or_set_aside(record: dict[str, Any]) -> None:
    event = json.loads(commit(1, "create", "1", "x"))
    event["commit"]["record"] = record
    (item,), time_us = items_of(json.dumps(event).encode())
    assert time_us == START_US + 1_000_000
    assert isinstance(item, NewPost if isinstance(record.get("text"), str) else Rejected)


def test_version_2_lines_with_their_extra_cursor_are_read(
    server: ScriptServer, listen: Listen
) -> None:
    event = json.loads(commit(1, "create", "1", "new"))
    (batch,) = [batch for batch in listen(json.dumps(event | {"cursor": 4711})) if batch.items]
    assert batch.cursor == {"time_us": START_US + 1_000_000, "host": server.url}


def test_a_backlog_comes_in_batches(listen: Listen) -> None:
    lines = [commit(n, "create", str(n), "text") for n in range(FLUSH_EVENTS + 5)]
    sizes = [len(batch.items) for batch in listen(*lines)]
    assert max(sizes) == FLUSH_EVENTS
    assert sum(sizes) == len(lines)


def test_a_silent_stream_still_reports(server: ScriptServer) -> None:
    server.stay = True
    server.scripts.append([line("identity", 3, handle="a.test")])
    batches = Jetstream(server.url).batches(None)
    began = time.monotonic()
    first, another = next(batches), next(batches)
    batches.close()
    assert list(first.items) == []
    assert first.cursor == another.cursor == {"time_us": START_US + 3_000_000, "host": server.url}
    assert time.monotonic() - began < 10


# In the database


def test_a_reconnect_rewinds_and_nothing_is_doubled_or_lost(
    server: ScriptServer,
    sessions: sessionmaker[Session],
    source_of: AddSource,
    collect_now: Collect,
    posts: Posts,
) -> None:
    story = [commit(n, "create", str(n), f"post {n}") for n in range(20)]
    story.append(commit(20, "delete", "18"))
    source = source_of("jetstream", server.url)
    server.scripts = [story[:13], story]
    for _ in range(2):
        with pytest.raises(SourceFaultError):
            collect_now(source, Jetstream(server.url))
    assert server.query()["cursor"] == [str(START_US + 12_000_000 - REWIND_US)]
    assert [post.text for post in posts()] == [f"post {n}" for n in range(20) if n != 18]
    with sessions() as session:
        row = session.get_one(Source, source.id)
        assert row.kept == 19  # number 18 came and went in one batch
        assert row.cursor == {"time_us": START_US + 20_000_000, "host": server.url}
        kinds = session.scalars(select(SourceEvent.kind).order_by(SourceEvent.id)).all()
        assert kinds == ["failed", "recovered", "failed"]


def test_an_edit_told_again_after_a_reconnect_leaves_the_post_as_it_is(
    server: ScriptServer, source_of: AddSource, collect_now: Collect, posts: Posts
) -> None:
    story = [commit(1, "create", "1", "first"), commit(2, "update", "1", "edited")]
    source = source_of("jetstream", server.url)
    scripts: list[list[Sequence[str | bytes]]] = [[story[:1]], [story], [story], [story[1:]]]
    stored = []
    for server.scripts in scripts:
        with pytest.raises(SourceFaultError):
            collect_now(source, Jetstream(server.url))
        stored.append([(post.id, post.text) for post in posts()])
    assert [texts for ((_, texts),) in stored] == ["first", "edited", "edited", "edited"]
    assert stored[1] == stored[2] == stored[3]


def test_nothing_of_a_post_that_could_not_be_read_outlives_its_deletion(
    server: ScriptServer,
    sessions: sessionmaker[Session],
    source_of: AddSource,
    collect_now: Collect,
) -> None:
    broken = [commit(2, "shrug", rkey, "private words") for rkey in ("3kone", "3ktwo")]
    source = source_of("jetstream", server.url)

    def kept_after(*lines: str) -> list[bytes]:
        server.scripts = [lines]
        with pytest.raises(SourceFaultError):
            collect_now(source, Jetstream(server.url))
        with sessions() as session:
            return list(session.scalars(select(RejectedItem.raw).order_by(RejectedItem.id)))

    one, two = (text.encode() for text in broken)
    others = commit(3, "shrug", "3kone", "hers", did=BOB).encode()
    assert kept_after(*broken, others.decode()) == [one, two, others]
    assert kept_after(commit(6, "delete", "3kone")) == [two, others]
    assert kept_after(line("account", 7, active=False, status="deleted")) == [others]
    assert kept_after(broken[0], line("account", 8, active=False)) == [others]


def test_a_line_cut_in_half_and_a_closed_account_end_right_in_the_database(
    server: ScriptServer,
    sessions: sessionmaker[Session],
    source_of: AddSource,
    collect_now: Collect,
    posts: Posts,
) -> None:
    long = "long " * 20_000
    server.scripts = [
        [
            commit(1, "create", "1", "from alice"),
            HALF,
            commit(3, "create", "3", "from bob", did=BOB),
            line("account", 4, active=False, status="takendown"),
            commit(5, "create", "5", long, did=BOB),
        ]
    ]
    with pytest.raises(SourceFaultError):
        collect_now(source_of("jetstream", server.url), Jetstream(server.url))
    assert [post.text for post in posts()] == ["from bob", long.strip()]
    with sessions() as session:
        reject = session.scalars(select(RejectedItem)).one()
        assert (reject.raw, "unreadable event" in reject.reason) == (HALF, True)


# Several servers


def test_the_same_server_is_asked_again_from_a_little_earlier(server: ScriptServer) -> None:
    for cursor in ({"time_us": START_US, "host": server.url}, {"time_us": START_US}):
        read(Jetstream(server.url), cursor)
        assert server.query()["cursor"] == [str(START_US - REWIND_US)]


def test_the_next_server_goes_on_from_well_before_and_is_kept(
    server: ScriptServer, second: ScriptServer
) -> None:
    server.scripts = [[commit(100, "create", "1", "from the first")]]
    second.scripts = [[commit(90, "create", "2", "missed"), commit(101, "create", "3", "after")]]
    stream = Jetstream(f"{server.url},\n {second.url}")
    batches, end = read(stream)
    assert [item.text for item in items(batches) if isinstance(item, NewPost)] == [
        "from the first",
        "missed",
        "after",
    ]
    last = START_US + 101_000_000
    assert second.query()["cursor"] == [str(START_US + 100_000_000 - SWITCH_REWIND_US)]
    assert batches[-1].cursor == {"time_us": last, "host": second.url}
    assert end == f"{server.url} closed the stream. {second.url} closed the stream."

    read(stream, batches[-1].cursor)  # the next start
    assert second.query()["cursor"] == [str(last - REWIND_US)]
    assert server.query()["cursor"] == [str(last - SWITCH_REWIND_US)]


def test_a_server_that_breaks_off_while_it_catches_up_leaves_the_cursor_where_it_was(
    server: ScriptServer, second: ScriptServer
) -> None:
    server.scripts = [[commit(100, "create", "1", "from the first")]]
    second.scripts = [[commit(50, "create", "2", "catching up")]]
    batches, _ = read(Jetstream(f"{server.url} {second.url}"))
    assert len(items(batches)) == 2
    assert batches[-1].cursor == {"time_us": START_US + 100_000_000, "host": server.url}


def test_a_server_that_is_not_there_is_passed_over(server: ScriptServer) -> None:
    server.scripts = [[commit(1, "create", "1", "here")]]
    batches, end = read(Jetstream(f"{DEAD} {server.url}"), {"time_us": START_US, "host": DEAD})
    assert len(items(batches)) == 1
    assert batches[-1].cursor["host"] == server.url
    assert end.startswith(f"{DEAD} cannot be read: nothing answers at that address")


def test_a_server_that_left_the_list_counts_as_another(server: ScriptServer) -> None:
    read(Jetstream(server.url), {"time_us": START_US, "host": DEAD})
    assert server.query()["cursor"] == [str(START_US - SWITCH_REWIND_US)]


def test_a_server_that_is_not_there_or_refuses_gives_a_sentence(server: ScriptServer) -> None:
    assert read(Jetstream(DEAD))[1] == (
        f"{DEAD} cannot be read: nothing answers at that address (connection refused)."
    )
    assert "its name is not known here" in read(Jetstream("ws://no-such-host.invalid"))[1]
    server.refusal = (503, "closed\n")
    assert read(Jetstream(server.url))[1] == f"{server.url} refuses us: its server answers 503."
    assert read(Jetstream(" "))[1] == "The source has no address."


# Compressed


@pytest.fixture(scope="module")
def dictionary() -> zstandard.ZstdCompressionDict:
    samples: list[bytes | bytearray | memoryview] = [
        commit(n, "create", f"3k{n}", f"number {n} " * 3).encode() for n in range(2000)
    ]
    return zstandard.train_dictionary(4096, samples)


def test_compressed_events_are_read_and_bombs_are_not(
    server: ScriptServer, dictionary: zstandard.ZstdCompressionDict
) -> None:
    pack = zstandard.ZstdCompressor(dict_data=dictionary).compress
    stream = zstandard.ZstdCompressor(dict_data=dictionary, write_content_size=False).compress
    zeros = b"0" * (MAX_EVENT_BYTES + 1)
    good = commit(1, "create", "1", "small").encode()
    foreign = zstandard.ZstdCompressor().compress(zeros[:10_000])[:-3]
    server.scripts = [
        [pack(good), pack(zeros), stream(zeros), foreign, stream(good), good, pack(b"null")]
    ]
    assert len(pack(good)) < len(good) / 2
    batches, _ = read(Jetstream(server.url, dictionary=dictionary.as_bytes()))
    found = items(batches)
    assert server.query()["compress"] == ["true"]
    assert [type(item).__name__ for item in found] == [
        *("NewPost", "Rejected", "Rejected", "Rejected", "NewPost", "NewPost", "Rejected")
    ]
    assert isinstance(found[-1], Rejected)
    assert found[-1].raw == b"null"  # as the line was, so that what it names can be found in it


# Version 2


def frame(kind: str, second: int, did: str = ALICE, **more: Any) -> bytes:
    at = (START + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")
    payload = {"$type": f"network.bsky.jetstream.subscribeEvents#{kind}", "seq": second}
    payload |= {"did": did, "time": at} | more
    return json.dumps({"$type": "message", "payload": payload}).encode()


def post_frame(second: int, operation: str, rkey: str, text: str | None = None) -> bytes:
    event = json.loads(commit(second, operation, rkey, text))["commit"]
    return frame("commit", second, **event)


def test_version_2_says_the_same(server: ScriptServer) -> None:
    server.scripts = [
        [
            post_frame(1, "create", "1", "first"),
            post_frame(2, "update", "1", "second"),
            post_frame(3, "delete", "1"),
            frame("account", 4, account={"active": False, "status": "suspended", "seq": 1}),
            frame("identity", 5, identity={"did": ALICE}),
            frame("commit", 6, operation="create", collection="app.bsky.feed.like", rkey="1"),
            b'{"$type":"message"}',
            post_frame(7, "create", "7", "last"),
            frame("account", 9, witnessedAt="2026-11-23T14:00:08.000001Z"),
        ]
    ]
    batches, _ = read(Jetstream(server.url + EVENTS), {"time_us": START_US + 60_000_000})
    assert server.query() == {
        "kinds": ["commit", "account"],
        "collections": ["app.bsky.feed.post"],
        "cursor": [str(START_US + 55_000_000)],
    }
    assert server.spoken == ["xrpc.v1.json"]
    first, edit, gone, hidden, broken, last, half = items(batches)
    assert isinstance(first, NewPost)
    assert (first.uri, first.text) == (uri("1"), "first")
    assert isinstance(edit, NewPost)
    assert edit.edit
    assert gone == Removal("post", uri("1"), "deleted by its author")
    assert hidden == Removal("account", ALICE, "account suspended", for_now=True)
    assert isinstance(last, NewPost)
    assert isinstance(broken, Rejected)
    assert isinstance(half, Rejected)
    assert batches[-1].cursor["time_us"] == START_US + 60_000_000  # never back
    assert items_of_frame(frame("sync", 9, witnessedAt="2026-11-23T14:00:08.000001Z")) == (
        (),
        START_US + 8_000_001,
    )


def test_version_2_says_why_it_ends_the_stream(server: ScriptServer) -> None:
    slow = b'{"$type":"error","error":"ConsumerTooSlow","message":"too far behind"}'
    server.scripts = [[post_frame(1, "create", "1", "before"), slow]]
    batches, end = read(Jetstream(server.url + EVENTS))
    assert len(items(batches)) == 1
    assert end == f"{server.url}{EVENTS} ended the stream: ConsumerTooSlow."


def test_a_gap_that_version_2_tells_of_is_seen(server: ScriptServer) -> None:
    server.scripts = [[frame("info", 0, name="OutdatedCursor"), post_frame(1, "create", "1", "x")]]
    gap, post = items(read(Jetstream(server.url + EVENTS))[0])
    assert isinstance(gap, Rejected)
    assert gap.reason == "events may be missing here: OutdatedCursor"
    assert isinstance(post, NewPost)

    server.refusal = (400, '{"error":"CursorTooOld","message":"the floor is 9"}')
    batches, end = read(Jetstream(server.url + EVENTS), {"time_us": START_US})
    assert [batch.cursor for batch in batches] == [{}]  # the next start is from now
    assert end.endswith("those posts are missing, and it is read from now on.")
    server.refusal = (400, '{"error":"InvalidRequest"}')
    batches, end = read(Jetstream(server.url + EVENTS), {"time_us": START_US})
    assert (batches, end) == ([], f"{server.url}{EVENTS} refuses us: its server answers 400.")


# A reader that is slower than the server


def test_a_slow_reader_slows_the_server_down() -> None:
    text = os.urandom(24_000).hex()  # cannot be compressed to nothing on its way
    sent = 0
    done = threading.Event()

    def talk(connection: ServerConnection) -> None:
        nonlocal sent
        try:
            while not done.is_set():
                connection.send(commit(1, "create", str(sent), text))
                sent += 1
        except ConnectionClosed:
            pass

    with serve(talk, "127.0.0.1", 0, compression=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        batches = Jetstream(f"ws://127.0.0.1:{server.socket.getsockname()[1]}").batches(None)
        taken = len(next(batches).items)
        waits = []
        for _ in range(3):
            time.sleep(0.7)
            waits.append(sent - taken)
        assert waits[1] == waits[2]  # nothing more is taken from the network
        # Ours is a few megabytes; at both ends a kernel holds some, on some machines 36.
        assert waits[2] * len(text) < 64 * 1024 * 1024
        stopped = sent
        for batch in itertools.islice(batches, 200):  # it goes on where it stopped
            taken += len(batch.items)
            if taken > stopped:
                break
        assert taken > stopped
        began = time.monotonic()
        batches.close()
        assert time.monotonic() - began < 5
        done.set()
        server.shutdown()


# A real AT Protocol server behind it


def follow(
    stream: sources.jetstream.Jetstream, cursor: dict[str, Any], until: str
) -> tuple[set[str], list[Batch]]:
    """Read as the desk does, starting again after each fault: the posts there are in the end."""
    there: set[str] = set()
    batches: list[Batch] = []
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            for batch in stream.batches(cursor):
                cursor = batch.cursor
                batches.append(batch)
                for item in batch.items:
                    if isinstance(item, NewPost):
                        there.add(item.uri)
                    elif isinstance(item, Removal):
                        there = {one for one in there if item.uri not in one}
                if until in there:
                    return there, batches
        except SourceFaultError:
            pass
    raise AssertionError(f"{until} never came")


def test_a_closed_account_and_its_return(pds: Pds, jetstream: JetstreamServer) -> None:
    someone = pds.create_account("ann-closed.test")
    pds.deactivate(someone)
    pds.activate(someone)
    pds.take_down(someone)
    pds.take_down(someone, taken=False)
    last = pds.post(someone, "back again")
    _, batches = follow(Jetstream(jetstream.url), jetstream.start, last)
    assert [item for item in items(batches) if not isinstance(item, NewPost)] == [
        Return(someone.did),
        Removal("account", someone.did, "account deactivated", for_now=True),
        Return(someone.did),
        Removal("account", someone.did, "account takendown"),
        Return(someone.did),
    ]
