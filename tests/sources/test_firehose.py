"""The firehose of a real AT Protocol server, and frames that no server should send."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from atproto_core.cbor import decode_dag_multi  # type: ignore[import-untyped, unused-ignore]
from libipld import encode_dag_cbor
from websockets.sync.client import connect

from sources import firehose
from sources.collector import Batch, Item, NewPost, Rejected, Removal, Return, SourceFaultError
from tests.pds.server import Account, Pds
from tests.sources.script import ScriptServer

Firehose = partial(firehose.Firehose, private=True)  # the tests' servers are on loopback


@pytest.fixture
def account(pds: Pds) -> Account:
    return pds.create_account(f"reader{time.time_ns() % 10**9}.test")


@pytest.fixture
def server() -> Iterator[ScriptServer]:
    server = ScriptServer()
    yield server
    server.close()


def until(
    batches: Iterator[Batch], account: Account, enough: Callable[[list[Item]], bool]
) -> list[Item]:
    """The account's items as they come until there are enough; fails after half a minute."""
    found: list[Item] = []
    deadline = time.monotonic() + 30
    for batch in batches:
        for item in batch.items:
            assert not isinstance(item, Rejected)
            found += [item] if account.did in item.uri else []
        if enough(found):
            return found
        assert time.monotonic() < deadline, f"only {found}"
    raise AssertionError("the stream ended")


def test_posts_made_on_a_real_server_arrive_live(pds: Pds, account: Account) -> None:
    batches = Firehose(pds.ws_url).batches(None)
    next(batches)  # connected
    made = pds.post(account, "Grüße from a real server 😀")
    post = until(batches, account, bool)[-1]
    batches.close()
    assert isinstance(post, NewPost)
    assert (post.uri, post.author, post.lang) == (made, account.did, "en")
    assert post.text == "Grüße from a real server 😀"
    assert post.posted_at is not None
    assert abs(datetime.now(UTC) - post.posted_at) < timedelta(minutes=1)
    assert post.url == f"https://bsky.app/profile/{account.did}/post/{made.rpartition('/')[2]}"


def test_all_that_happens_to_posts_and_accounts(pds: Pds, account: Account) -> None:
    first = pds.post(account, "one")
    quote = {"uri": first, "cid": pds.posts(account)[0]["cid"]}
    second = pds.post(
        account, "two", embed={"$type": "app.bsky.embed.record", "record": quote},
        reply={"root": quote, "parent": quote},
        labels={"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "graphic-media"}]},
    )  # fmt: skip
    pds.edit(account, first, "one, edited")
    pds.create(account, "app.bsky.feed.like", {"$type": "app.bsky.feed.like", "subject": quote,
                                               "createdAt": "2026-11-23T14:00:00Z"})  # fmt: skip
    pds.delete(account, first)
    pds.deactivate(account)
    pds.activate(account)
    pds.take_down(account)
    pds.take_down(account, taken=False)

    def told(item: Item) -> Any:
        return (item.text, item.edit) if isinstance(item, NewPost) else item

    batches = Firehose(pds.ws_url).batches({"seq": 0})
    found = until(batches, account, lambda found: found.count(Return(account.did)) == 3)
    pds.delete_account(account)  # now, because a replay would leave out all that was before
    found += until(batches, account, bool)
    batches.close()
    assert [told(item) for item in found] == [
        Return(account.did),
        ("one", False),
        ("two", False),
        ("one, edited", True),
        Removal("post", first, "deleted by its author"),
        Removal("account", account.did, "account deactivated", for_now=True),
        Return(account.did),
        Removal("account", account.did, "account takendown"),
        Return(account.did),
        Removal("account", account.did, "account deleted"),
    ]
    (quoting,) = (item for item in found if isinstance(item, NewPost) and item.uri == second)
    assert (quoting.quote_of, quoting.reply_to) == (first, first)
    assert quoting.labels == ("graphic-media",)


def test_it_goes_on_after_its_cursor(pds: Pds, account: Account) -> None:
    made = [pds.post(account, f"number {n}") for n in range(3)]
    batches = Firehose(pds.ws_url).batches({"seq": 0})
    cursor: dict[str, Any] = {}
    for batch in batches:
        cursor = batch.cursor
        if any(item.uri == made[-1] for item in batch.items if isinstance(item, NewPost)):
            break
    batches.close()
    later = pds.post(account, "while nobody listened")
    found = until(Firehose(pds.ws_url).batches(cursor), account, bool)
    assert [item.uri for item in found if isinstance(item, NewPost)] == [later]


def test_a_cursor_from_the_future_starts_the_firehose_anew(pds: Pds) -> None:
    batches = Firehose(pds.ws_url).batches({"seq": 10**12})
    assert next(batches).cursor == {}
    with pytest.raises(SourceFaultError, match="FutureCursor"):
        next(batches)


def frame(kind: str, body: dict[str, Any]) -> bytes:
    return bytes(encode_dag_cbor({"op": 1, "t": kind}) + encode_dag_cbor(body))


@pytest.fixture
def commit(pds: Pds, account: Account) -> dict[str, Any]:
    """The body of a commit with one post, as the real server sends it."""
    pds.post(account, "whole")
    with connect(f"{pds.ws_url}/xrpc/com.atproto.sync.subscribeRepos?cursor=0") as socket:
        while True:
            header, body = decode_dag_multi(socket.recv(timeout=10, decode=False))
            if header["t"] == "#commit" and body["repo"] == account.did and body["ops"]:
                return dict(body)


def test_what_cannot_be_read_is_set_aside(server: ScriptServer, commit: dict[str, Any]) -> None:
    (op,) = commit["ops"]
    lost = op | {"path": "app.bsky.feed.post/lost", "cid": op["cid"][:-1] + b"\x00"}
    odd = op | {"path": "app.bsky.feed.post/odd", "action": "shrug"}
    broken = [
        b"\xa2bop\x01",
        b"",
        b"\xff" * 40,
        frame("#commit", commit | {"tooBig": True, "blocks": b"", "ops": []}),
        frame("#commit", commit | {"blocks": b""}),
        frame("#commit", commit | {"blocks": commit["blocks"][:-40]}),
        frame("#commit", commit | {"ops": [{"path": 5}]}),
        frame("#account", {"did": "did:plc:x", "seq": 1, "time": "2026-11-23T14:00:00Z"}),
    ]
    partly = frame("#commit", commit | {"seq": 4711, "ops": [lost, op, odd]})
    sync = frame("#sync", {"did": "did:plc:x", "seq": 4712, "time": "2026-11-23T14:00:09Z"})
    old = frame("#info", {"name": "OutdatedCursor"})
    server.scripts.append([*broken, partly, sync, old, frame("#commit", commit | {"seq": 3})])
    batches: list[Batch] = []
    with pytest.raises(SourceFaultError, match=r"closed the stream\.$"):
        batches.extend(Firehose(server.url).batches(None))
    assert server.asked == ["/xrpc/com.atproto.sync.subscribeRepos"]
    found = [item for batch in batches for item in batch.items]
    rejected, rest = found[: len(broken)], found[len(broken) :]
    assert [item.raw for item in rejected if isinstance(item, Rejected)] == broken
    assert [
        (item.text if isinstance(item, NewPost) else getattr(item, "raw", None)) for item in rest
    ] == [partly, "whole", partly, old, "whole"]
    assert isinstance(rest[3], Rejected)
    assert rest[3].reason == "events may be missing here: OutdatedCursor"
    assert batches[-1].cursor == {"seq": 4712}  # never back
    assert batches[-1].newest is not None


def test_the_server_says_why_it_ends_the_stream(
    server: ScriptServer, commit: dict[str, Any]
) -> None:
    slow = encode_dag_cbor({"op": -1}) + encode_dag_cbor({"error": "ConsumerTooSlow"})
    server.scripts.append([frame("#commit", commit | {"seq": 9}), slow])
    batches = Firehose(server.url).batches({"seq": 8})
    batch = next(batches)
    assert (len(batch.items), batch.cursor) == (1, {"seq": 9})
    with pytest.raises(SourceFaultError, match=r"ended the stream: ConsumerTooSlow\.$"):
        next(batches)
