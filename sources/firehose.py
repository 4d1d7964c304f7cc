"""Bluesky, live: the firehose of any AT Protocol server, straight from where posts are kept."""

from collections.abc import Generator, Mapping
from datetime import datetime
from typing import Any

from atproto_core.car import CAR  # type: ignore[import-untyped, unused-ignore]
from atproto_core.cid import CID  # type: ignore[import-untyped, unused-ignore]
from atproto_core.exceptions import AtProtocolError  # type: ignore[import-untyped, unused-ignore]
from atproto_subscription.frames import (  # type: ignore[import-untyped, unused-ignore]
    ErrorFrame,
    Frame,
)

from sources.bluesky import POSTS, UNREADABLE, account_change, change, rejected, when
from sources.collector import Batch, Item, Rejected, SourceFaultError
from sources.websocket import endpoint, listen

PATH = "/xrpc/com.atproto.sync.subscribeRepos"
BROKEN = (*UNREADABLE, AtProtocolError)


class Firehose:
    """``com.atproto.sync.subscribeRepos`` of a PDS or relay at a ws(s) address.

    The cursor is {"seq": number of the last event read}; {"seq": 0} means from the oldest event
    that the server keeps, none means from now on.
    """

    platform = "bluesky"

    def __init__(self, address: str, *, contact: str = "", private: bool = False) -> None:
        self.address = address
        self.contact = contact
        self.private = private

    def batches(self, cursor: dict[str, Any] | None) -> Generator[Batch]:
        """Batches without end. What cannot be read is rejected and the rest goes on."""
        last: int | None = (cursor or {}).get("seq")
        url = endpoint(self.address, PATH, {} if last is None else {"cursor": str(last)})
        arrived: datetime | None = None
        for frames in listen(url, self.address, self.contact, private=self.private):
            items: list[Item] = []
            refusal = ""
            for raw in frames:
                try:
                    frame = Frame.from_bytes(raw)
                    if isinstance(frame, ErrorFrame):
                        refusal = frame.body.error
                    elif frame.type == "#info":  # OutdatedCursor: it starts at the oldest it has
                        name = frame.body.get("name")
                        items.append(Rejected(f"events may be missing here: {name}", raw))
                    else:
                        last = max(last or 0, int(frame.body["seq"]))
                        arrived = when(frame.body["time"]) or arrived
                        items += _items(frame.type, frame.body, arrived, raw)
                except BROKEN as fault:
                    items.append(rejected(raw, fault))
            if refusal == "FutureCursor":  # the server began anew: so do we, at the next start
                last = None
            yield Batch(items, {} if last is None else {"seq": last}, newest=arrived)
            if refusal:
                raise SourceFaultError(f"{self.address} ended the stream: {refusal}.")


def _items(kind: str, body: Mapping[str, Any], arrived: datetime | None, raw: bytes) -> list[Item]:
    """What one message means for us. Other kinds and collections mean nothing."""
    if kind == "#account":
        return [account_change(body["did"], body["active"], body.get("status"))]
    if kind != "#commit":
        return []
    if body.get("tooBig"):
        raise ValueError("the server left out what was too much for it")
    items: list[Item] = []
    blocks: Mapping[CID, Any] | None = None
    for op in body["ops"]:
        collection, _, rkey = op["path"].partition("/")
        if collection != POSTS:
            continue
        try:
            record = None
            if op["cid"] is not None:
                if blocks is None:
                    blocks = CAR.from_bytes(body["blocks"]).blocks
                record = blocks.get(CID.decode(op["cid"]))
            items.append(change(body["repo"], rkey, op["action"], record, arrived))
        except BROKEN as fault:
            items.append(rejected(raw, fault))
    return items
