"""Bluesky, live: from a Jetstream or straight from an AT Protocol server's firehose.

Both see every account on the network; a filter says which posts are kept. Nobody's profile is
ever fetched.
"""

import json
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from atproto_core.car import CAR  # type: ignore[import-untyped, unused-ignore]
from atproto_core.cid import CID  # type: ignore[import-untyped, unused-ignore]
from atproto_core.exceptions import AtProtocolError  # type: ignore[import-untyped, unused-ignore]
from atproto_subscription.frames import (  # type: ignore[import-untyped, unused-ignore]
    ErrorFrame,
    Frame,
)
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import connect

from sources.collector import (
    Batch,
    Item,
    NewPost,
    Rejected,
    Removal,
    SourceFaultError,
    plain_words,
    user_agent,
)

POSTS = "app.bsky.feed.post"
FLUSH_SECONDS = 1.0  # a batch is saved at least this often, so that the lag on the page is true
FLUSH_EVENTS = 200
REWIND_US = 5_000_000  # Jetstream cursors are times: go back a little, replays do no harm
MAX_EVENT_BYTES = 16 * 1024 * 1024  # an event that never fits would stop the stream for ever
OPEN_TIMEOUT = 20.0

Keep = Callable[[NewPost], bool]

# What cannot be read raises one of these while it is taken apart.
UNREADABLE = (AtProtocolError, ValueError, TypeError, KeyError, AttributeError, RecursionError)


class Jetstream:
    """A Jetstream server's ``/subscribe``: the network's posts as JSON, v1 lines.

    The cursor is {"time_us": microseconds of the last event read}.
    """

    platform = "bluesky"

    def __init__(self, address: str, *, keep: Keep, contact: str = "") -> None:
        self.address = address
        self.keep = keep
        self.contact = contact

    def batches(self, cursor: dict[str, Any] | None) -> Generator[Batch]:
        """Batches without end. A line that cannot be read is rejected and the rest goes on."""
        last: int | None = (cursor or {}).get("time_us")
        arrived: datetime | None = None
        query = {"wantedCollections": POSTS}
        if last is not None:
            query["cursor"] = str(last - REWIND_US)
        url = _endpoint(self.address, "/subscribe", query)
        for lines in _listen(url, self.address, self.contact):
            reading = _Reading(self.keep)
            for line in lines:
                try:
                    event = json.loads(line)
                    arrived = _from_us(event["time_us"])
                    last = max(last or 0, event["time_us"])
                    reading.add(_jetstream_items(event, arrived))
                except UNREADABLE as fault:
                    reading.reject(line, fault)
            yield reading.batch({} if last is None else {"time_us": last}, arrived)


def _jetstream_items(event: Mapping[str, Any], arrived: datetime) -> Iterable[Item]:
    """What one Jetstream event means for us. Other kinds and collections mean nothing."""
    did = event["did"]
    if event["kind"] == "account":
        return _account(did, event["account"])
    if event["kind"] != "commit" or event["commit"]["collection"] != POSTS:
        return ()
    commit = event["commit"]
    return _change(did, commit["rkey"], commit["operation"], commit.get("record"), arrived)


class Firehose:
    """``com.atproto.sync.subscribeRepos`` of a PDS or relay at a ws(s) address.

    The cursor is {"seq": number of the last event read}; {"seq": 0} means from the oldest event
    that the server keeps, none means from now on.
    """

    platform = "bluesky"

    def __init__(self, address: str, *, keep: Keep, contact: str = "") -> None:
        self.address = address
        self.keep = keep
        self.contact = contact

    def batches(self, cursor: dict[str, Any] | None) -> Generator[Batch]:
        """Batches without end. A frame that cannot be read is rejected and the rest goes on."""
        last = (cursor or {}).get("seq")
        query = {} if last is None else {"cursor": str(last)}
        url = _endpoint(self.address, "/xrpc/com.atproto.sync.subscribeRepos", query)
        arrived: datetime | None = None
        for frames in _listen(url, self.address, self.contact):
            reading = _Reading(self.keep)
            refusal = ""
            for raw in frames:
                try:
                    frame = Frame.from_bytes(raw)
                    if isinstance(frame, ErrorFrame):
                        refusal = frame.body.error
                        continue
                    if frame.type == "#info":
                        continue
                    last, arrived = int(frame.body["seq"]), _when(frame.body["time"])
                    reading.add(_firehose_items(frame.type, frame.body, arrived))
                except UNREADABLE as fault:
                    reading.reject(raw, fault)
            if refusal == "FutureCursor":  # the server began anew: so do we, at the next start
                last = None
            yield reading.batch({} if last is None else {"seq": last}, arrived)
            if refusal:
                raise SourceFaultError(f"{self.address} ended the stream: {refusal}.")


def _firehose_items(kind: str, body: Mapping[str, Any], arrived: datetime | None) -> list[Item]:
    """What one message of the firehose means for us. Other kinds and collections mean nothing."""
    if kind == "#account":
        return list(_account(body["did"], body))
    if kind != "#commit":
        return []
    items: list[Item] = []
    blocks: Mapping[CID, Any] | None = None
    for op in body["ops"]:
        collection, _, rkey = op["path"].partition("/")
        if collection != POSTS:
            continue
        record = None
        if op["cid"] is not None:
            if blocks is None:
                blocks = CAR.from_bytes(body["blocks"]).blocks
            record = blocks.get(CID.decode(op["cid"]))
        items += _change(body["repo"], rkey, op["action"], record, arrived)
    return items


class _Reading:
    """The items of one batch as they are read, and how many posts were seen for them."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._items: list[Item] = []
        self._seen = 0

    def add(self, items: Iterable[Item]) -> None:
        for item in items:
            if isinstance(item, NewPost):
                self._seen += 1
                if item.text and self._keep(item):
                    self._items.append(item)
                elif item.edit:  # what it said before may be stored
                    self._items.append(Removal("post", item.uri, "edited by its author"))
            else:
                self._items.append(item)

    def reject(self, raw: bytes, fault: Exception) -> None:
        self._items.append(Rejected(f"unreadable event: {fault!r}"[:500], raw))

    def batch(self, cursor: dict[str, Any], newest: datetime | None) -> Batch:
        return Batch(self._items, cursor, self._seen, newest=newest)


def _change(
    did: str, rkey: str, action: str, record: Any, arrived: datetime | None
) -> Iterable[Item]:
    """One post created, updated or deleted."""
    uri = f"at://{did}/{POSTS}/{rkey}"
    match action:
        case "create":
            return (_post(did, rkey, record, arrived),)
        case "update":
            return (replace(_post(did, rkey, record, arrived), edit=True),)
        case "delete":
            return (Removal("post", uri, "deleted by its author"),)
        case _:
            raise ValueError(f"unknown operation {action!r}")


def _account(did: str, account: Mapping[str, Any]) -> Iterable[Item]:
    """An account that is not active takes all its posts with it (Bluesky developer guidelines)."""
    if account["active"]:
        return ()
    return (Removal("account", did, f"account {account.get('status') or 'inactive'}"),)


def _post(did: str, rkey: str, record: Any, arrived: datetime | None) -> NewPost:
    """A post record (lexicon app.bsky.feed.post) in our shape; ValueError if it is none."""
    if not isinstance(record, Mapping) or not isinstance(record.get("text"), str):
        raise ValueError("the record is no post")
    langs = record.get("langs") or [None]
    parent = (record.get("reply") or {}).get("parent") or {}
    return NewPost(
        uri=f"at://{did}/{POSTS}/{rkey}",
        author=did,
        text="\n".join(filter(None, [record["text"].strip(), *_alt_texts(record.get("embed"))])),
        posted_at=_when(record.get("createdAt")) or arrived,
        url=f"https://bsky.app/profile/{did}/post/{rkey}",
        lang=_str(langs[0]),
        reply_to=_str(parent.get("uri")),
    )


def _alt_texts(embed: Any) -> list[str]:
    """What the images and the video of a post say to those who cannot see them."""
    if not isinstance(embed, Mapping):
        return []
    media = embed.get("media", embed)  # a quote with media keeps it one level down
    alts = [image.get("alt") for image in media.get("images", ())] + [media.get("alt")]
    return [alt.strip() for alt in alts if isinstance(alt, str)]


def _str(value: Any) -> str | None:
    """``value`` where it is what the lexicon says; a record may hold anything."""
    return value if isinstance(value, str) else None


def _when(written: Any) -> datetime | None:
    """The moment of an AT Protocol datetime string; None if it is none."""
    try:
        moment = datetime.fromisoformat(written)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _from_us(microseconds: int) -> datetime:
    """A Jetstream time; ValueError when it is no time at all."""
    try:
        return datetime.fromtimestamp(microseconds / 1_000_000, UTC)
    except (OverflowError, OSError) as fault:
        raise ValueError(f"{microseconds} is no time") from fault


def _endpoint(address: str, path: str, query: Mapping[str, str]) -> str:
    """The websocket URL under ``address``, which may name the path already."""
    base = urlsplit(address)._replace(query="", fragment="").geturl().rstrip("/")
    base = base.removesuffix(path) + path
    return f"{base}?{urlencode(query)}" if query else base


def _listen(url: str, address: str, contact: str) -> Generator[list[bytes]]:
    """Messages as they come, in lists, about once a second and even when none came.

    SourceFaultError when the connection cannot be made or ends; what came before is yielded.
    """
    try:
        with connect(
            url,
            user_agent_header=user_agent(contact),
            open_timeout=OPEN_TIMEOUT,
            max_size=MAX_EVENT_BYTES,
        ) as socket:
            closed: ConnectionClosed | None = None
            while closed is None:
                messages: list[bytes] = []
                flush_at = time.monotonic() + FLUSH_SECONDS
                while len(messages) < FLUSH_EVENTS:
                    try:
                        left = max(0.0, flush_at - time.monotonic())
                        messages.append(socket.recv(timeout=left, decode=False))
                    except TimeoutError:
                        break
                    except ConnectionClosed as fault:
                        closed = fault
                        break
                if messages or closed is None:
                    yield messages
            raise SourceFaultError(f"{address} closed the stream.") from closed
    except InvalidStatus as fault:
        status = fault.response.status_code
        raise SourceFaultError(f"{address} refuses us: its server answers {status}.") from fault
    except (OSError, WebSocketException) as fault:
        raise SourceFaultError(f"{address} cannot be reached: {plain_words(fault)}.") from fault
