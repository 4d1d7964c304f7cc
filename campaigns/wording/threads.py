"""Threads: one text in several posts, which go out all together or not at all.

A line of ``---`` in a text ends a post. On AT Protocol the posts are written in one step
(com.atproto.repo.applyWrites), so there is never half a thread. For that every post must be known
whole before the first is sent: its key follows from the delivery's own, and the CID by which each
post answers the one before is worked out here. Where a platform takes one post at a time, a worker
that dies leaves half a thread; there a text is one post.
"""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import libipld

POSTS_MAX = 10  # ours: a reader is lost long before; the server takes 200 writes at once
TOGETHER = frozenset({"bluesky", "dry_run"})  # platforms on which a thread is one step
COLLECTION = "app.bsky.feed.post"
TID_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"  # base32-sortable (atproto.com/specs/tid)
TID_LENGTH = 13
TID_CLOCK_BITS = 10  # below the microseconds
CID_V1_DAG_CBOR_SHA256 = b"\x01\x71\x12\x20"  # multiformats: version, codec, hash, its 32 bytes

SEPARATOR = re.compile(r"^[ \t]*---[ \t]*$", re.MULTILINE)


def posts_in(text: str) -> list[str]:
    """The posts of a text in order, without the lines between them; never empty.

    Nothing between two lines is no post. A text of such lines alone is a post as it stands.
    """
    posts = [post.strip() for post in SEPARATOR.split(text)]
    return [post for post in posts if post] or [text]


def posts_for(platform: str, text: str) -> list[str]:
    """The posts of a text on a platform: one, where it cannot take several in one step."""
    return posts_in(text) if platform in TOGETHER else [text]


def joined(posts: Sequence[str]) -> str:
    """The one text that ``posts_in`` takes apart into these posts."""
    return "\n---\n".join(posts)


def records_in(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The posts of what a delivery sends, in order: several of a thread, else the record itself."""
    return list(record["posts"]) if "posts" in record else [dict(record)]


def keys_of(record_key: str, count: int) -> list[str]:
    """The record keys (TIDs) of a thread's posts: the delivery's own, and those just after it."""
    first = 0
    for sign in record_key:
        first = first << 5 | TID_ALPHABET.index(sign)
    return [tid(first + (place << TID_CLOCK_BITS)) for place in range(count)]


def tid(number: int) -> str:
    """A number of 64 bits as AT Protocol writes it in a key: such keys sort as their numbers do."""
    return "".join(TID_ALPHABET[number >> 5 * place & 31] for place in reversed(range(TID_LENGTH)))


def chained(did: str, keys: Sequence[str], records: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The records of a thread as they are written to the repository ``did``, each under its key.

    Every post but the first says which it answers, and which one began the thread.
    """
    written: list[dict[str, Any]] = []
    references: list[dict[str, str]] = []
    for key, record in zip(keys, records, strict=True):
        whole = dict(record)
        if references:
            whole["reply"] = {"root": references[0], "parent": references[-1]}
        written.append(whole)
        references.append({"uri": f"at://{did}/{COLLECTION}/{key}", "cid": cid_of_record(whole)})
    return written


def cid_of_record(record: Mapping[str, Any]) -> str:
    """The CID that AT Protocol gives to a record: of its DAG-CBOR form, by SHA-256, in base32."""
    digest = sha256(libipld.encode_dag_cbor(_linked(record))).digest()
    return libipld.encode_multibase("b", CID_V1_DAG_CBOR_SHA256 + digest)


def _linked(data: Any) -> Any:
    """The same with each {"$link": CID} as the link it stands for in JSON."""
    if isinstance(data, Mapping):
        if data.keys() == {"$link"}:
            return libipld.decode_multibase(data["$link"])[1]
        return {key: _linked(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_linked(value) for value in data]
    return data
