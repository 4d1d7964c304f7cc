"""What exactly would be sent: canonical content, its SHA-256, and the record made from it.

Approval, schedule and delivery all speak of the same bytes; this is the one place that makes them.
"""

import hashlib
import json
import re
import secrets
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from campaigns.models import Voice

TID_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"  # base32-sortable (atproto.com/specs/tid)
TID_LENGTH = 13
LINK = re.compile(r"https?://\w[^\s<>\"]*")
AFTER_LINK = ".,;:!?'’”)]}"  # punctuation of the sentence, not of the address; but see BRACKETS
BRACKETS = {")": "(", "]": "[", "}": "{"}  # one that closes what the link opened belongs to it


def build_content(voice: Voice, texts: Mapping[int, str], send_at: datetime) -> dict[str, Any]:
    """The content of a version: {"voice", "send_at", "parts"} as in models.MessageVersion.

    ``texts`` maps the ids of the voice's own accounts to words; an account without words gets no
    part. Raises ValueError for an account that is not this voice's or words that cannot be sent.
    """
    accounts = {account.id: account for account in voice.accounts}
    if strangers := texts.keys() - accounts.keys():
        raise ValueError(f"Account {min(strangers)} does not belong to {voice.name}.")
    if send_at.tzinfo is None:
        raise ValueError("The time to send needs a time zone.")
    cleaned = {number: clean(text) for number, text in texts.items()}
    return {
        "voice": voice.id,
        "send_at": _iso(send_at, "seconds"),
        "parts": [
            {
                "account": number,
                "platform": accounts[number].platform,
                "handle": accounts[number].handle,
                "service": accounts[number].service,
                "text": text,
            }
            for number, text in sorted(cleaned.items())
            if text
        ],
    }


def clean(text: str) -> str:
    """The words as they will be sent: one form per character, plain line ends, no outer space."""
    if "\x00" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("The text holds a character that no platform can show.")
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", lines).strip()


def canonical(content: Mapping[str, Any]) -> bytes:
    """The one byte form of a content, whatever the order of its keys. Raises ValueError on NaN."""
    return json.dumps(
        content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def sha256_of(content: Mapping[str, Any]) -> str:
    """Hex SHA-256 of the canonical bytes."""
    return hashlib.sha256(canonical(content)).hexdigest()


def send_time(content: Mapping[str, Any]) -> datetime:
    """When it is to be sent, in UTC."""
    return datetime.fromisoformat(content["send_at"]).astimezone(UTC)


def record_for(part: Mapping[str, Any], send_at: datetime) -> dict[str, Any]:
    """The app.bsky.feed.post record of one part: the same for the same part and time, always."""
    record: dict[str, Any] = {
        "$type": "app.bsky.feed.post",
        "text": part["text"],
        "langs": ["en"],
        "createdAt": _iso(send_at, "milliseconds"),
    }
    if facets := _link_facets(part["text"]):
        record["facets"] = facets
    return record


def mint_record_key(now: datetime) -> str:
    """A fresh record key (TID): the second of ``now``, and 30 random bits below it."""
    micros = int(now.timestamp()) * 1_000_000 + secrets.randbelow(1_000_000)
    number = micros << 10 | secrets.randbelow(1024)
    return "".join(TID_ALPHABET[number >> 5 * place & 31] for place in reversed(range(TID_LENGTH)))


def _link_facets(text: str) -> list[dict[str, Any]]:
    """Links by offsets in UTF-8 bytes, end exclusive (app.bsky.richtext.facet)."""
    facets = []
    for match in LINK.finditer(text):
        link = _address(match.group())
        start = len(text[: match.start()].encode())
        facets.append(
            {
                "index": {"byteStart": start, "byteEnd": start + len(link.encode())},
                "features": [{"$type": "app.bsky.richtext.facet#link", "uri": link}],
            }
        )
    return facets


def _address(link: str) -> str:
    """The link without the end of the sentence around it."""
    while link[-1] in AFTER_LINK:
        opening = BRACKETS.get(link[-1])
        if opening and link.count(opening) >= link.count(link[-1]):
            break
        link = link[:-1]
    return link


def _iso(moment: datetime, precision: str) -> str:
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
