"""What exactly would be sent: canonical content, its SHA-256, and the record made from it.

Approval, schedule and delivery all speak of the same bytes; this is the one place that makes them.
"""

import base64
import hashlib
import json
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from campaigns.models import Account, Image, Voice
from campaigns.publishers import BY_HAND, LISTED, mastodon
from campaigns.wording import mails, submissions
from campaigns.wording.cards import CARRY, Card, first_link, tidied
from campaigns.wording.languages import ENGLISH, known
from campaigns.wording.media import ALT_MAX, CARRIES, IMAGES_MAX, described
from campaigns.wording.richtext import facets
from campaigns.wording.threads import POSTS_MAX, TOGETHER, posts_for, posts_in, tid

FRESHNESS = timedelta(hours=6)  # later than this it meets another situation: better never
FRESHNESSES = tuple(timedelta(minutes=minutes) for minutes in (30, 120, 360, 1440))  # to choose
ALL_IN_ONE = "\n\n"  # between the posts of a thread where a text is one post
PLAIN = frozenset({"web", *BY_HAND})  # platforms whose record has no form of its own
CID_V1_RAW_SHA256 = b"\x01\x55\x12\x20"  # multiformats: version, codec, hash, its 32 bytes


@dataclass(frozen=True)
class Translation:
    """One text in two languages, by their tags: ``text`` in ``lang``, ``into`` in ``to``."""

    lang: str
    text: str
    to: str
    into: str


@dataclass(frozen=True)
class Besides:
    """What goes with the words and the pictures, and is approved with them."""

    card: Card | None = None
    places: Sequence[int] = ()  # of each picture: in which post of a thread, from 1; else the first
    languages: Mapping[int, Sequence[str]] = field(default_factory=dict)  # account to tags
    translation: Translation | None = None
    fresh: timedelta = FRESHNESS  # how long after its time it may still go out


NOTHING_BESIDES = Besides()


def build_content(
    voice: Voice,
    texts: Mapping[int, str],
    send_at: datetime,
    pictures: Sequence[tuple[Image, str]] = (),
    besides: Besides = NOTHING_BESIDES,
) -> dict[str, Any]:
    """The content of a version: {"voice", "send_at", "send_until", "parts"}, as in MessageVersion.

    ``texts`` maps the ids of the voice's own accounts to words; an account without words gets no
    part. ``pictures`` come with their alt text, in order, for every account whose platform takes
    them from us. ``besides``: a link card, languages, freshness. A text with lines of ``---`` is a
    thread where the platform takes one (threads.TOGETHER), elsewhere one text without them. Raises
    ValueError for an account that is not this voice's, for words that cannot be sent, for too many
    pictures, and for a card that no post can show.
    """
    accounts = {account.id: account for account in voice.accounts}
    if strangers := texts.keys() - accounts.keys():
        raise ValueError(f"Account {min(strangers)} does not belong to {voice.name}.")
    if send_at.tzinfo is None:
        raise ValueError("The time to send needs a time zone.")
    try:
        send_until = send_at + besides.fresh
    except OverflowError:
        raise ValueError("That is beyond the calendar. Take an earlier day.") from None
    if besides.fresh not in FRESHNESSES:
        raise ValueError("Choose from the list how long it may still go out.")
    if len(pictures) > IMAGES_MAX:
        raise ValueError(f"A message carries at most {IMAGES_MAX} pictures.")
    shown = [described(image, _alt(alt)) for image, alt in pictures]
    parts = [
        _part(accounts[number], text, shown, besides)
        for number, text in sorted((number, clean(text)) for number, text in texts.items())
        if text
    ]
    if besides.card is not None and parts and not any("card" in part for part in parts):
        if not besides.card.url:
            raise ValueError("The link card needs a link: write one into the words for Bluesky.")
        raise ValueError(
            f"The link card leads to {besides.card.url}, which is not the first link of any post "
            "on Bluesky. Put it there, or take the card off."
        )
    content = {
        "voice": voice.id,
        "send_at": _iso(send_at, "seconds"),
        "send_until": _iso(send_until, "seconds"),
        "parts": parts,
    }
    both = besides.translation
    speaking = {tag for part in parts for tag in part.get("lang", ENGLISH)}
    if both is not None and (clean(both.into) or both.to in speaking):
        if known([both.lang]) == known([both.to]):
            raise ValueError("Both texts are said to be in the same language. Choose another.")
        content["translation"] = {
            "lang": both.lang,
            "text": clean(both.text),
            "to": both.to,
            "into": clean(both.into),
        }
    return content


def _part(
    account: Account, text: str, shown: Sequence[Mapping[str, Any]], besides: Besides
) -> dict[str, Any]:
    """What one account gets."""
    text = as_sent(account.platform, text)
    posts = posts_for(account.platform, text)
    if len(posts) > POSTS_MAX:
        raise ValueError(f"A thread has {POSTS_MAX} posts at most; this one has {len(posts)}.")
    part: dict[str, Any] = {
        "account": account.id,
        "platform": account.platform,
        "handle": account.handle,
        "service": account.service,
        "text": text,
        **_listed(account),
    }
    tags = known(besides.languages.get(account.id, ENGLISH))
    if tags != list(ENGLISH):
        part["lang"] = tags
    pictured: set[int] = set()
    if shown and account.platform in CARRIES:
        placed = [
            (min(max(place, 1), len(posts)), picture)
            for place, picture in zip(
                [*besides.places, *[1] * len(shown)][: len(shown)], shown, strict=True
            )
        ]
        pictured = {place for place, _ in placed}
        part["images"] = [
            {**picture, "post": place} if place > 1 else dict(picture)
            for place, picture in sorted(placed, key=lambda one: one[0])
        ]
    if besides.card is not None and account.platform in CARRY:
        place = _linking(posts, besides.card.url)
        if place in pictured:
            which = f"post {place}" if len(posts) > 1 else "it"
            raise ValueError(
                f"Bluesky shows pictures or a link card, not both, and {which} has both. "
                "Take the pictures out of it, or the card off."
            )
        if place:
            part["card"] = _carded(tidied(besides.card))
    return part


def _listed(account: Account) -> dict[str, Any]:
    """What a part for a list says besides: to which list, from whom, and under which permit."""
    if account.platform not in LISTED:
        return {}
    if account.outlet is None:
        raise ValueError(f"@{account.handle} names no list any more. Connect it again.")
    return {
        "audience": account.outlet.audience_id,
        "sender": account.outlet.sender,
        "registration": account.outlet.registration,
        "name": account.voice.name,
    }


def as_sent(platform: str, text: str) -> str:
    """A text as its platform gets it: where no thread is possible, without the lines in it."""
    return text if platform in TOGETHER else flat(text)


def flat(text: str) -> str:
    """A thread as one text."""
    return ALL_IN_ONE.join(posts_in(text))


def _linking(posts: Sequence[str], url: str) -> int:
    """The first post whose first link this is, from 1; 0 for none."""
    return next((place for place, post in enumerate(posts, 1) if first_link(post) == url), 0)


def _carded(card: Card) -> dict[str, Any]:
    """What a part says of its card."""
    told: dict[str, Any] = {"url": card.url, "title": card.title, "about": card.about}
    if card.image is not None:
        told["image"] = described(card.image, "")
    return told


def at_another_time(content: Mapping[str, Any], send_at: datetime) -> dict[str, Any]:
    """The same content for another time, fresh as long as before. ValueError: no such day."""
    try:
        until = send_at + (send_until(content) - send_time(content))
    except OverflowError:
        raise ValueError("That is beyond the calendar. Take an earlier day.") from None
    window = {"send_at": _iso(send_at, "seconds"), "send_until": _iso(until, "seconds")}
    return dict(content) | window


def _alt(words: str) -> str:
    alt = clean(words)
    if len(alt) > ALT_MAX:
        raise ValueError(f"Describe a picture in at most {ALT_MAX} characters.")
    return alt


def clean(text: str) -> str:
    """The words as they will be sent: one form per character, plain line ends, no outer space."""
    if "\x00" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        raise ValueError("The text holds a character that no platform can show.")
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", lines).strip()


def pictures_in(content: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """What a content says of its pictures, from the part that spreads them over most posts."""
    lists = [part.get("images", []) for part in content["parts"]] if content else []
    return max(lists, key=lambda one: max((p.get("post", 1) for p in one), default=0), default=[])


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


def send_until(content: Mapping[str, Any]) -> datetime:
    """After when it is not sent any more, in UTC: the end of the window that was approved."""
    if "send_until" not in content:  # written before the window was part of what is approved
        return send_time(content) + FRESHNESS
    return datetime.fromisoformat(content["send_until"]).astimezone(UTC)


def record_for(part: Mapping[str, Any], send_at: datetime) -> dict[str, Any]:
    """What one part's platform is told: the same for the same part and time, always.

    For Mastodon and Reddit forms of their own, for our own page and what is posted by hand only the
    words and pictures, else an app.bsky.feed.post record; of a thread {"posts": [record, ...]}.
    """
    if part.get("platform") in LISTED:
        return mails.record_of(part, send_at)
    if part.get("platform") in PLAIN:
        return {"text": part["text"], "images": list(part.get("images", []))}
    if part.get("platform") == "mastodon":
        return mastodon.record({**part, "language": _langs(part)[0]}, send_at)
    if part.get("platform") == "reddit":
        return submissions.record_of(part, send_at)
    posts = posts_for(str(part.get("platform", "bluesky")), part["text"])
    carded = _linking(posts, part["card"]["url"]) if part.get("card") else 0
    records = []
    for place, text in enumerate(posts, 1):
        pictures = [
            one for one in part.get("images", []) if min(one.get("post", 1), len(posts)) == place
        ]
        card = part["card"] if place == carded else None
        # A thread's posts stand in their order wherever an app sorts by this.
        made_at = send_at + timedelta(milliseconds=place - 1)
        records.append(_post(text, _langs(part), made_at, pictures, card))
    return records[0] if len(records) == 1 else {"posts": records}


def in_languages(content: Mapping[str, Any], part: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The text of a part of a content as (tag, text), of two languages one after the other.

    The tag is "" where nobody can tell which words are in which.
    """
    text, tags, both = part["text"], _langs(part), content.get("translation")
    if len(tags) == 1:
        return [(tags[0], text)]
    if both and [both["lang"], both["to"]] == tags:
        first, second = flat(both["text"]), flat(both["into"])
        if first and second and text == f"{first}{ALL_IN_ONE}{second}":
            return [(tags[0], first), (tags[1], second)]
    return [("", text)]


def _langs(part: Mapping[str, Any]) -> list[str]:
    return list(part.get("lang", ENGLISH))


def _post(
    text: str,
    langs: list[str],
    made_at: datetime,
    pictures: Sequence[Mapping[str, Any]],
    card: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """One app.bsky.feed.post record."""
    record: dict[str, Any] = {
        "$type": "app.bsky.feed.post",
        "text": text,
        "langs": langs,
        "createdAt": _iso(made_at, "milliseconds"),
    }
    if clickable := facets(text):
        record["facets"] = clickable
    if pictures:
        record["embed"] = {
            "$type": "app.bsky.embed.images",
            "images": [_embedded(image) for image in pictures],
        }
    elif card is not None:
        external = {"uri": card["url"], "title": card["title"], "description": card["about"]}
        if "image" in card:
            external["thumb"] = _blob(card["image"])
        record["embed"] = {"$type": "app.bsky.embed.external", "external": external}
    return record


def _embedded(image: Mapping[str, Any]) -> dict[str, Any]:
    """One picture of app.bsky.embed.images. Its blob is named by the hash of its bytes."""
    return {
        "alt": image["alt"],
        "image": _blob(image),
        "aspectRatio": {"width": image["width"], "height": image["height"]},
    }


def _blob(image: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "$type": "blob",
        "ref": {"$link": cid_of(image["sha256"])},
        "mimeType": image["type"],
        "size": image["size"],
    }


def cid_of(sha256: str) -> str:
    """The CID that AT Protocol gives to bytes with this SHA-256 (hex): version 1, raw, base32."""
    digest = base64.b32encode(CID_V1_RAW_SHA256 + bytes.fromhex(sha256))
    return "b" + digest.decode().lower().rstrip("=")


def mint_record_key(now: datetime) -> str:
    """A fresh record key (TID): the second of ``now``, and 30 random bits below it."""
    micros = int(now.timestamp()) * 1_000_000 + secrets.randbelow(1_000_000)
    return tid(micros << 10 | secrets.randbelow(1024))


def _iso(moment: datetime, precision: str) -> str:
    return moment.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
