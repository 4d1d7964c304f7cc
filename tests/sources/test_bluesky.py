"""Jetstream lines from a real websocket server, and the firehose of a real AT Protocol server."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker
from websockets.sync.server import ServerConnection, serve

from sources.bluesky import FLUSH_EVENTS, REWIND_US, Firehose, Jetstream
from sources.collector import (
    Batch,
    Item,
    NewPost,
    Rejected,
    Removal,
    SourceFaultError,
)
from sources.models import RejectedItem, Source, SourceEvent
from tests.pds.server import Account, Pds
from tests.sources.conftest import AddSource, Collect, Posts

ALICE, BOB = "did:plc:alice", "did:plc:bob"
START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000


def everything(post: NewPost) -> bool:
    return True


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


class JetstreamServer:
    """Sends a script of lines to each connection in turn, then closes; remembers the requests.

    Like the real one it starts at the cursor of the request, inclusively, if there is one.
    """

    def __init__(self) -> None:
        self.scripts: list[Sequence[str | bytes]] = []
        self.asked: list[str] = []
        self.agents: list[str | None] = []
        self.stay = False  # keep the connection open after the script
        self.server = serve(self._talk, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}"
        self.thread = Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def _talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.asked.append(connection.request.path)
        self.agents.append(connection.request.headers.get("User-Agent"))
        query = parse_qs(urlsplit(connection.request.path).query)
        since = int(query["cursor"][0]) if "cursor" in query else 0
        for text in self.scripts.pop(0) if self.scripts else ():
            if since and isinstance(text, str) and json.loads(text)["time_us"] < since:
                continue
            connection.send(text, text=True)
        if self.stay:
            connection.recv()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()


@pytest.fixture
def server() -> Iterator[JetstreamServer]:
    server = JetstreamServer()
    yield server
    server.close()


Listen = Callable[..., list[Batch]]


@pytest.fixture
def listen(server: JetstreamServer) -> Listen:
    """All batches of one connection, which the server closes after its script."""

    def listen(*lines: str | bytes, keep: Callable[[NewPost], bool] = everything) -> list[Batch]:
        server.scripts.append(lines)
        batches: list[Batch] = []
        stream = Jetstream(server.url, keep=keep, contact="me@desk.example").batches(None)
        with pytest.raises(SourceFaultError, match=r"closed the stream\.$"):
            batches.extend(stream)  # what came before the fault is in the list
        return batches

    return listen


def items(batches: list[Batch]) -> list[Item]:
    return [item for batch in batches for item in batch.items]


def test_asks_for_posts_only_and_says_who_it_is(server: JetstreamServer, listen: Listen) -> None:
    listen()
    assert server.asked == ["/subscribe?wantedCollections=app.bsky.feed.post"]
    assert server.agents == ["Breakwater/0.1 (+me@desk.example)"]


@pytest.mark.parametrize("path", ["", "/", "/subscribe", "/subscribe/"])
def test_the_address_may_or_may_not_name_the_endpoint(server: JetstreamServer, path: str) -> None:
    with pytest.raises(SourceFaultError):
        list(Jetstream(server.url + path, keep=everything).batches(None))
    assert server.asked == ["/subscribe?wantedCollections=app.bsky.feed.post"]


def test_a_post_in_our_shape(listen: Listen) -> None:
    reply = {"parent": {"cid": "b", "uri": uri("0", BOB)}, "root": {"cid": "b", "uri": uri("9")}}
    images = {"$type": "app.bsky.embed.images", "images": [{"alt": " A poster "}, {"alt": ""}]}
    text = "See this 😀"
    (post,) = items(
        listen(commit(1, "create", "1", text, langs=["en", "es"], reply=reply, embed=images))
    )
    assert post == NewPost(
        uri=uri("1"),
        author=ALICE,
        text="See this 😀\nA poster",
        posted_at=START + timedelta(seconds=1),
        url=f"https://bsky.app/profile/{ALICE}/post/1",
        lang="en",
        reply_to=uri("0", BOB),
    )


def test_alt_texts_of_quotes_with_media_and_of_videos(listen: Listen) -> None:
    quote = {"record": {"uri": "at://x"}, "media": {"images": [{"alt": "A map"}]}}
    video = {"$type": "app.bsky.embed.video", "alt": "A crowd"}
    link = {"external": {"uri": "https://x", "title": "t", "description": "d"}}
    found = items(
        listen(
            commit(1, "create", "1", "quote", embed=quote),
            commit(2, "create", "2", "", embed=video),
            commit(3, "create", "3", "link", embed=link),
            commit(4, "create", "4", "   "),
        )
    )
    texts = [post.text for post in found if isinstance(post, NewPost)]
    assert texts == ["quote\nA map", "A crowd", "link"]  # the wordless one is only counted


def test_updates_deletes_and_accounts_come_in_order(listen: Listen) -> None:
    found = items(
        listen(
            commit(1, "create", "1", "first"),
            commit(2, "update", "1", "edited"),
            commit(3, "delete", "1"),
            line("identity", 4, did=BOB, handle="bob.test"),
            line("account", 5, active=True, did=ALICE),
            line("account", 6, did=BOB, active=False, status="takendown"),
        )
    )
    assert [
        (item.scope, item.uri, item.reason) if isinstance(item, Removal) else item.text
        for item in found
        if not isinstance(item, Rejected)
    ] == [
        "first",
        "edited",
        ("post", uri("1"), "deleted by its author"),
        ("account", BOB, "account takendown"),
    ]


def test_only_what_is_kept_is_handed_on_but_all_posts_are_counted(listen: Listen) -> None:
    batches = listen(
        commit(1, "create", "1", "about the ballot"),
        commit(2, "create", "2", "about lunch"),
        commit(3, "update", "1", "about dinner"),
        keep=lambda post: "ballot" in post.text,
    )
    assert sum(batch.seen for batch in batches) == 3
    kept, edited = items(batches)
    assert isinstance(kept, NewPost)
    assert edited == Removal("post", uri("1"), "edited by its author")  # it says "ballot" no more
    assert batches[-1].newest == START + timedelta(seconds=3)


HALF = commit(2, "create", "2", "cut in half — here", did=BOB)[:180].encode()


def test_what_cannot_be_read_is_set_aside_and_the_stream_goes_on(listen: Listen) -> None:
    whole = commit(9, "create", "9", "good")
    broken: list[str | bytes] = [
        HALF,
        commit(2, "create", "2", "half a letter: ä", langs=["ä"])
        .encode()
        .replace(b"\\u00e4", b"\xc3"),
        b"[]",
        b"null",
        b"",
        b"[" * 100_000,
        json.dumps({"did": ALICE, "time_us": 10**30, "kind": "identity"}).encode(),
        json.dumps({"did": ALICE, "time_us": "now", "kind": "identity"}).encode(),
        json.dumps({"did": ALICE, "time_us": START_US, "kind": "commit"}).encode(),
        commit(3, "create", "3").encode(),  # no record
        commit(3, "create", "3", ["not", "text"]).encode(),
        commit(3, "shrug", "3", "x").encode(),
    ]
    batches = listen(*broken, whole)
    *rejected, post = items(batches)
    assert all(isinstance(item, Rejected) for item in rejected)
    assert [item.raw for item in rejected if isinstance(item, Rejected)] == broken
    assert isinstance(post, NewPost)
    assert batches[-1].cursor == {"time_us": START_US + 9_000_000}


def test_odd_but_whole_records_are_read(listen: Listen) -> None:
    odd = commit(1, "create", "1", "odd", langs=[3], reply={"parent": {"uri": 7}}, embed="none")
    dated = [
        commit(2, "create", str(rkey), "dated", createdAt=date)
        for rkey, date in enumerate(("soon", None, "0001-01-01T00:00:00+09:00", 5))
    ]
    first, *others = items(listen(odd, *dated))
    assert isinstance(first, NewPost)
    assert (first.lang, first.reply_to) == (None, None)
    for post in others:
        assert isinstance(post, NewPost)
        assert post.posted_at == START + timedelta(seconds=2)  # when the line was sent


def test_version_2_lines_with_their_extra_cursor_are_read(listen: Listen) -> None:
    event = json.loads(commit(1, "create", "1", "new"))
    (batch,) = [batch for batch in listen(json.dumps(event | {"cursor": 4711})) if batch.items]
    assert batch.cursor == {"time_us": START_US + 1_000_000}


def test_a_backlog_comes_in_batches(listen: Listen) -> None:
    lines = [commit(n, "create", str(n), "text") for n in range(FLUSH_EVENTS + 5)]
    sizes = [len(batch.items) for batch in listen(*lines)]
    assert max(sizes) == FLUSH_EVENTS
    assert sum(sizes) == len(lines)


def test_a_silent_stream_still_reports(server: JetstreamServer) -> None:
    server.stay = True
    server.scripts.append([line("identity", 3, handle="a.test")])
    batches = Jetstream(server.url, keep=everything).batches(None)
    began = time.monotonic()
    first, second = next(batches), next(batches)
    batches.close()
    assert (list(first.items), first.seen) == ([], 0)
    assert first.cursor == second.cursor == {"time_us": START_US + 3_000_000}
    assert time.monotonic() - began < 10


def test_a_reconnect_rewinds_and_nothing_is_doubled_or_lost(
    server: JetstreamServer,
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
            collect_now(source, Jetstream(server.url, keep=everything))
    query = parse_qs(urlsplit(server.asked[1]).query)
    assert query["cursor"] == [str(START_US + 12_000_000 - REWIND_US)]
    assert [post.text for post in posts()] == [f"post {n}" for n in range(20) if n != 18]
    with sessions() as session:
        row = session.get_one(Source, source.id)
        assert row.kept == 19  # number 18 came and went in one batch
        assert row.cursor == {"time_us": START_US + 20_000_000}
        kinds = session.scalars(select(SourceEvent.kind).order_by(SourceEvent.id)).all()
        assert kinds == ["failed", "recovered", "failed"]


def test_an_edit_told_again_after_a_reconnect_leaves_the_post_as_it_is(
    server: JetstreamServer, source_of: AddSource, collect_now: Collect, posts: Posts
) -> None:
    story = [commit(1, "create", "1", "first"), commit(2, "update", "1", "edited")]
    source = source_of("jetstream", server.url)
    stored = []
    for server.scripts in ([story[:1]], [story], [story], [story[1:]]):
        with pytest.raises(SourceFaultError):
            collect_now(source, Jetstream(server.url, keep=everything))
        stored.append([(post.id, post.text) for post in posts()])
    assert [texts for ((_, texts),) in stored] == ["first", "edited", "edited", "edited"]
    assert stored[1] == stored[2] == stored[3]


def test_nothing_of_a_post_that_could_not_be_read_outlives_its_deletion(
    server: JetstreamServer,
    sessions: sessionmaker[Session],
    source_of: AddSource,
    collect_now: Collect,
) -> None:
    broken = [commit(2, "shrug", rkey, "private words") for rkey in ("3kone", "3ktwo")]
    source = source_of("jetstream", server.url)

    def kept_after(*lines: str) -> list[bytes]:
        server.scripts = [lines]
        with pytest.raises(SourceFaultError):
            collect_now(source, Jetstream(server.url, keep=everything))
        with sessions() as session:
            return list(session.scalars(select(RejectedItem.raw).order_by(RejectedItem.id)))

    one, two = (text.encode() for text in broken)
    others = commit(3, "shrug", "3kone", "hers", did=BOB).encode()
    assert kept_after(*broken, others.decode()) == [one, two, others]
    assert kept_after(commit(6, "delete", "3kone")) == [two, others]
    assert kept_after(line("account", 7, active=False, status="deleted")) == [others]
    assert kept_after(broken[0], line("account", 8, active=False)) == [others]


def test_a_line_cut_in_half_and_a_deactivated_account_end_right_in_the_database(
    server: JetstreamServer,
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
            line("account", 4, active=False, status="deactivated"),
            commit(5, "create", "5", long, did=BOB),
        ]
    ]
    with pytest.raises(SourceFaultError):
        collect_now(source_of("jetstream", server.url), Jetstream(server.url, keep=everything))
    assert [post.text for post in posts()] == ["from bob", long.strip()]
    with sessions() as session:
        reject = session.scalars(select(RejectedItem)).one()
        assert (reject.raw, "unreadable event" in reject.reason) == (HALF, True)


def test_a_server_that_is_not_there_or_refuses_gives_a_sentence() -> None:
    with pytest.raises(
        SourceFaultError,
        match=r"^ws://127\.0\.0\.1:1 cannot.* \(connection refused\)\.$",
    ):
        list(Jetstream("ws://127.0.0.1:1", keep=everything).batches(None))
    with pytest.raises(SourceFaultError, match="its name is not known here"):
        list(Jetstream("ws://no-such-host.invalid", keep=everything).batches(None))

    def refuse(connection: ServerConnection, request: object) -> Any:
        return connection.respond(503, "closed\n")

    with serve(lambda connection: None, "127.0.0.1", 0, process_request=refuse) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        with pytest.raises(SourceFaultError, match=r"refuses us: its server answers 503\.$"):
            list(Jetstream(address, keep=everything).batches(None))
        server.shutdown()


# The firehose of a real AT Protocol server


@pytest.fixture
def account(pds: Pds) -> Account:
    return pds.create_account(f"reader{time.time_ns() % 10**9}.test")


def _until(batches: Iterator[Batch], enough: Callable[[list[Item]], bool]) -> list[Item]:
    """Items as they come until there are enough of them; fails after half a minute."""
    found: list[Item] = []
    deadline = time.monotonic() + 30
    for batch in batches:
        found += batch.items
        if enough(found):
            return found
        assert time.monotonic() < deadline, f"only {found}"
    raise AssertionError("the stream ended")


def _of(account: Account) -> Callable[[NewPost], bool]:
    return lambda post: post.author == account.did


def test_posts_made_on_a_real_server_arrive_live(pds: Pds, account: Account) -> None:
    batches = Firehose(pds.ws_url, keep=_of(account)).batches(None)
    next(batches)  # connected
    made = pds.post(account, "Grüße from a real server 😀")
    (post,) = _until(batches, lambda found: any(isinstance(item, NewPost) for item in found))
    batches.close()
    assert isinstance(post, NewPost)
    assert (post.uri, post.author, post.lang) == (made, account.did, "en")
    assert post.text == "Grüße from a real server 😀"
    assert post.posted_at is not None
    assert abs(datetime.now(UTC) - post.posted_at) < timedelta(minutes=1)
    assert post.url == f"https://bsky.app/profile/{account.did}/post/{made.rpartition('/')[2]}"


def test_the_firehose_from_its_start_and_from_a_cursor(
    pds: Pds,
    account: Account,
    sessions: sessionmaker[Session],
    source_of: AddSource,
    collect_now: Collect,
    posts: Posts,
) -> None:
    first, second = pds.post(account, "to be deleted"), pds.post(account, "to stay")
    pds.delete(account, first)
    source = source_of("firehose", pds.ws_url)
    with sessions.begin() as session:
        session.get_one(Source, source.id).cursor = {"seq": 0}
    deadline = time.monotonic() + 30
    firehose = Firehose(pds.ws_url, keep=_of(account))

    def stored(*uris: str) -> Callable[[], bool]:
        def done() -> bool:
            assert time.monotonic() < deadline
            return [post.uri for post in posts()] == list(uris)

        return done

    collect_now(source, firehose, stop=stored(second))
    third = pds.post(account, "while nobody listened")
    collect_now(source, firehose, stop=stored(second, third))

    _deactivate(pds, account)
    collect_now(source, firehose, stop=stored())
    with sessions() as session:
        row = session.get_one(Source, source.id)
        assert row.cursor is not None
        assert row.cursor["seq"] > 0
        assert row.newest_post_at is not None
        assert session.scalars(select(RejectedItem)).all() == []


def _deactivate(pds: Pds, account: Account) -> None:
    """Close the account the way its owner would."""
    with httpx.Client(base_url=f"{pds.url}/xrpc/") as http:
        signed_in = http.post(
            "com.atproto.server.createSession",
            json={"identifier": account.handle, "password": account.password},
        ).json()
        http.post(
            "com.atproto.server.deactivateAccount",
            json={},
            headers={"Authorization": f"Bearer {signed_in['accessJwt']}"},
        ).raise_for_status()


def test_a_cursor_from_the_future_starts_the_firehose_anew(pds: Pds) -> None:
    batches = Firehose(pds.ws_url, keep=everything).batches({"seq": 10**12})
    assert next(batches).cursor == {}
    with pytest.raises(SourceFaultError, match="FutureCursor"):
        next(batches)


def test_a_broken_frame_is_set_aside(server: JetstreamServer) -> None:
    server.scripts.append([b"\xa2bop\x01"])
    batches = Firehose(server.url, keep=everything).batches(None)
    (reject,) = next(batches).items
    assert isinstance(reject, Rejected)
    assert reject.raw == b"\xa2bop\x01"
    assert server.asked == ["/xrpc/com.atproto.sync.subscribeRepos"]
    batches.close()
