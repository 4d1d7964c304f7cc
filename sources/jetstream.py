"""Bluesky, live: a Jetstream, which tells every post of the network as a line of JSON."""

from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec
import zstandard
from websockets.exceptions import InvalidStatus

from sources.bluesky import POSTS, UNREADABLE, account_change, change, rejected, when
from sources.collector import Batch, Item, Rejected, SourceFaultError
from sources.websocket import MAX_EVENT_BYTES, endpoint, listen

LINES = "/subscribe"  # version 1, which newer servers speak too
EVENTS = "/xrpc/network.bsky.jetstream.subscribeEvents"  # version 2
EVENTS_SUBPROTOCOL = "xrpc.v1.json"
# Cursors are times: go back a little, replays do no harm. Each server has its own clock and its
# own order, so further back when another one goes on.
REWIND_US = 5_000_000
SWITCH_REWIND_US = 60_000_000
# Servers take a smaller cursor for a number of their own, and a later one for "from now on".
EARLIEST_US = 10**15  # September 2001
LATEST_US = 4_102_444_800 * 10**6  # the year 2100
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

_decode_record = msgspec.json.Decoder().decode


class _Commit(msgspec.Struct, gc=False):
    operation: str
    collection: str
    rkey: str
    record: msgspec.Raw = msgspec.Raw(b"null")  # read for posts only


class _Account(msgspec.Struct, gc=False):
    active: bool
    status: str | None = None


class _Line(msgspec.Struct, gc=False):
    """A line of version 1. Newer servers add a ``cursor``, which means nothing elsewhere."""

    did: str
    time_us: int
    kind: str
    commit: _Commit | None = None
    account: _Account | None = None


class _Payload(msgspec.Struct, gc=False, rename={"kind": "$type", "witnessed": "witnessedAt"}):
    """What a frame of version 2 holds; the fields of a commit stand among the others."""

    kind: str
    did: str = ""
    time: str = ""
    witnessed: str = ""
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: msgspec.Raw = msgspec.Raw(b"null")
    account: _Account | None = None
    name: str = ""  # of an #info


class _Frame(msgspec.Struct, gc=False):
    payload: _Payload | None = None
    error: str = ""


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_frame = msgspec.json.Decoder(_Frame).decode


class _EndedError(Exception):
    """The server says why it ends the stream."""


class Jetstream:
    """A Jetstream at a ws(s) address, or several of them, of which one is read at a time.

    ``address`` holds one or more addresses between white space or commas. One that names EVENTS
    is read in version 2, any other at LINES. When a connection fails the next server goes on;
    after each has failed once, the fault is raised. ``dictionary`` is the zstd dictionary of the
    servers: with it the stream comes compressed.

    The cursor is {"time_us": microseconds of the last event read, "host": whose time that is}.
    """

    platform = "bluesky"

    def __init__(
        self,
        address: str,
        *,
        contact: str = "",
        private: bool = False,
        dictionary: bytes | None = None,
    ) -> None:
        self.hosts = address.replace(",", " ").split()
        self.contact = contact
        self.private = private
        self.dictionary = zstandard.ZstdCompressionDict(dictionary) if dictionary else None
        self._zstd = zstandard.ZstdDecompressor(dict_data=self.dictionary)

    def batches(self, cursor: dict[str, Any] | None) -> Generator[Batch]:
        """Batches until every server has failed. What cannot be read is rejected.

        A server of version 1 that no longer keeps what followed the cursor starts at the oldest
        event it has and does not say so; one of version 2 says so, and that is rejected too.
        """
        cursor = cursor or {}
        last = cursor.get("host")
        first = self.hosts.index(last) if last in self.hosts else 0
        faults: list[SourceFaultError] = []
        for host in self.hosts[first:] + self.hosts[:first]:
            try:
                for batch in self._read(host, cursor):
                    cursor = batch.cursor
                    yield batch
            except SourceFaultError as fault:
                faults.append(fault)
        if len(faults) == 1:
            raise faults[0]
        raise SourceFaultError(" ".join(map(str, faults)) or "The source has no address.")

    def _read(self, host: str, cursor: dict[str, Any]) -> Generator[Batch]:
        """Batches of one server, until its connection ends with SourceFaultError."""
        events = urlsplit(host).path.rstrip("/") == EVENTS
        start: int | None = cursor.get("time_us")
        latest = start
        same = cursor.get("host", host) == host
        query: dict[str, str | list[str]] = {"wantedCollections": POSTS}
        if events:
            query = {"kinds": ["commit", "account"], "collections": POSTS}
        if start is not None:
            rewind = REWIND_US if same else SWITCH_REWIND_US
            query["cursor"] = str(max(start - rewind, EARLIEST_US))
        if self.dictionary is not None and events:
            query["zstdDictionary"] = str(self.dictionary.dict_id())
        elif self.dictionary is not None:
            query["compress"] = "true"
        url = endpoint(host, EVENTS if events else LINES, query)
        speaks = [EVENTS_SUBPROTOCOL] if events else []
        read = items_of_frame if events else items_of
        try:
            for messages in listen(url, host, self.contact, speaks, private=self.private):
                items: list[Item] = []
                ended = ""
                for message in messages:
                    try:
                        found, at = read(self._plain(message))
                    except _EndedError as end:
                        ended = str(end)
                        break
                    except (zstandard.ZstdError, ValueError) as fault:
                        items.append(rejected(message, fault))
                        continue
                    items += found
                    if at is not None:
                        latest = max(latest or 0, at)
                # Another server's cursor stays until this one has told all that came before it:
                # if it breaks off while it catches up, it would go on from too late.
                if latest is not None and (same or latest != start):
                    cursor = {"time_us": latest, "host": host}
                yield Batch(items, cursor, newest=None if latest is None else _moment(latest))
                if ended:
                    raise SourceFaultError(f"{host} ended the stream: {ended}.")
        except SourceFaultError as fault:
            if not _is_too_old(fault):
                raise
            yield Batch([], {})
            raise SourceFaultError(
                f"{host} no longer has what happened since we last read it: those posts are "
                "missing, and it is read from now on."
            ) from fault

    def _plain(self, message: bytes) -> bytes:
        """A message as it was before it was compressed; ZstdError or ValueError if it is broken."""
        if not message.startswith(ZSTD_MAGIC):
            return message
        size = zstandard.frame_content_size(message)  # -1 where it is not said
        if size > MAX_EVENT_BYTES:
            raise ValueError(f"{size} bytes are more than an event may have")
        return self._zstd.decompress(message, max_output_size=MAX_EVENT_BYTES)


def items_of(line: bytes) -> tuple[Sequence[Item], int | None]:
    """What a line of version 1 means for us, and its time in microseconds.

    Events of other collections mean nothing. What cannot be read is Rejected, and has no time if
    that cannot be read either.
    """
    time_us: int | None = None
    try:
        event = _decode_line(line)
        time_us = _checked(event.time_us)
        if event.kind == "commit":
            return _items(event.did, event.commit, time_us), time_us
        if event.kind == "account":
            return _account_items(event.did, event.account), time_us
    except UNREADABLE as fault:
        return (rejected(line, fault),), time_us
    return (), time_us


def items_of_frame(frame: bytes) -> tuple[Sequence[Item], int | None]:
    """The same for a frame of version 2; _EndedError for the one that ends the stream."""
    time_us: int | None = None
    try:
        message = _decode_frame(frame)
        if message.error:
            raise _EndedError(message.error)
        payload = message.payload
        if payload is None:
            raise ValueError("a message without a payload")
        kind = payload.kind.rpartition("#")[2]
        if kind == "info":
            return (Rejected(f"events may be missing here: {payload.name}", frame),), None
        at = when(payload.witnessed or payload.time)
        if at is None:
            raise ValueError("an event without a time")
        time_us = _checked((at - EPOCH) // timedelta(microseconds=1))
        if kind == "commit":
            return _items(payload.did, payload, time_us), time_us
        if kind == "account":
            return _account_items(payload.did, payload.account), time_us
    except UNREADABLE as fault:
        return (rejected(frame, fault),), time_us
    return (), time_us


def _items(did: str, commit: _Commit | _Payload | None, time_us: int) -> Sequence[Item]:
    if commit is None:
        raise ValueError("a commit that says nothing")
    if commit.collection != POSTS:
        return ()
    record = _decode_record(commit.record)
    return (change(did, commit.rkey, commit.operation, record, _moment(time_us)),)


def _account_items(did: str, account: _Account | None) -> Sequence[Item]:
    if account is None:
        raise ValueError("an account event that says nothing")
    return (account_change(did, account.active, account.status),)


def _checked(time_us: int) -> int:
    if not EARLIEST_US <= time_us < LATEST_US:
        raise ValueError(f"{time_us} is no time")
    return time_us


def _moment(time_us: int) -> datetime:
    return datetime.fromtimestamp(time_us / 1_000_000, UTC)


def _is_too_old(fault: SourceFaultError) -> bool:
    """Whether a server of version 2 refused us because it no longer keeps what we ask for."""
    refusal = fault.__cause__
    return isinstance(refusal, InvalidStatus) and b"CursorTooOld" in (refusal.response.body or b"")
