"""How a text will look on its platform: what is clickable there, and what a text message costs."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from campaigns.wording.languages import ENGLISH, named
from campaigns.wording.lengths import TEXTING
from campaigns.wording.richtext import Span, spans
from campaigns.wording.sms import Sms, as_sms, made_plain, replacements
from campaigns.wording.submissions import CLICKABLE, title_and_text
from campaigns.wording.threads import posts_for

LINKS_ONLY = frozenset({"web", "share_whatsapp", "share_nextdoor"})  # no tags there
ALONE = frozenset({*TEXTING, "email", "reddit"})  # shown with more than the words as they stand
ASKED_FOR = re.compile(rb"https?://", re.IGNORECASE)  # Mastodon links nothing without it


class Cut(NamedTuple):
    """A piece of a text, and what it is there: "" (plain), link, tag or mention."""

    text: str
    kind: str


@dataclass(frozen=True)
class Post:
    """One post of a part as it will look, the ``place``-th of ``of``."""

    place: int
    of: int
    pieces: Sequence[Cut]
    images: Sequence[Mapping[str, Any]]
    card: Mapping[str, Any] | None  # the link card under it
    title: str = ""  # over it, where the platform has titles

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True)
class Texted:
    """What a text message costs, and what makes it dear."""

    sms: Sms
    dear: Sequence[tuple[str, str | None]]  # (the sign, what may stand instead; None: nothing)
    plain: Sms | None  # the same with those instead, where they make a difference


def posts(part: Mapping[str, Any]) -> list[Post]:
    """A part post by post: several where it is a thread, with what is shown under each."""
    if part["platform"] == "reddit":
        title, text = title_and_text(part["text"])
        return [Post(1, 1, cuts({**part, "text": text}), [], None, title)]
    texts = posts_for(part["platform"], part["text"])
    card = part.get("card")
    shown = []
    for place, text in enumerate(texts, 1):
        links = [span.value for span in spans(text) if span.kind == "link"][:1]
        under = card if card and [card["url"]] == links else None
        images = [
            one for one in part.get("images", []) if min(one.get("post", 1), len(texts)) == place
        ]
        shown.append(Post(place, len(texts), cuts({**part, "text": text}), images, under))
        card = None if under else card
    return shown


def alike(parts: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The parts of a content in their order, gathered where they look the same to the last sign.

    Pictures, their descriptions, cards and languages count. What goes to lists, and where a title
    is made of the words, stands alone.
    """
    groups: list[tuple[Any, list[Mapping[str, Any]]]] = []
    for part in parts:
        look = None if part["platform"] in ALONE else (posts(part), part.get("lang", ENGLISH))
        same = next((one for other, one in groups if look is not None and look == other), None)
        if same is None:
            groups.append((look, [part]))
        else:
            same.append(part)
    return [group for _, group in groups]


def languages(part: Mapping[str, Any]) -> str:
    """The languages of a part in words, "" where it is English alone."""
    tags = part.get("lang", ENGLISH)
    return "" if tuple(tags) == ENGLISH else named(tags)


def tag(part: Mapping[str, Any]) -> str:
    """The language of a part as a page marks it: of two the first."""
    return str(part.get("lang", ENGLISH)[0])


def texted(part: Mapping[str, Any]) -> Texted | None:
    """How a part travels as a text message; None where it does not."""
    if part["platform"] not in TEXTING:
        return None
    sms, instead = as_sms(part["text"]), replacements(part["text"])
    dear = [(_seen(sign), instead.get(sign)) for sign in sms.forcing]
    return Texted(sms, dear, as_sms(made_plain(part["text"])) if instead else None)


def _seen(sign: str) -> str:
    """A sign as a reader can tell it: by its name where it shows nothing."""
    shows = sign.isprintable() and not sign.isspace() and unicodedata.category(sign[0])[0] != "C"
    return sign if shows else unicodedata.name(sign[0], "a sign that shows nothing").lower()


def cuts(part: Mapping[str, Any]) -> list[Cut]:
    """The text of a part in pieces, by the very facets or rules that will make it clickable.

    A mention is plain on Bluesky, where nobody looked its handle up; nothing is clickable in SMS.
    """
    data = part["text"].encode()
    pieces, at = [], 0
    for span in spans(part["text"]):
        if not _clickable(part["platform"], data, span):
            continue
        pieces += [Cut(data[at : span.start].decode(), ""), Cut(_words(data, span), span.kind)]
        at = span.end
    pieces.append(Cut(data[at:].decode(), ""))
    return [piece for piece in pieces if piece.text]


def _clickable(platform: str, data: bytes, span: Span) -> bool:
    if platform in TEXTING or platform == "email":
        return False
    if platform in LINKS_ONLY:
        return span.kind == "link"
    if platform == "reddit":
        return span.kind == "link" and CLICKABLE.match(data, span.start) is not None
    if platform == "mastodon":
        return span.kind != "link" or ASKED_FOR.match(data, span.start) is not None
    return span.kind != "mention"


def _words(data: bytes, span: Span) -> str:
    return data[span.start : span.end].decode()
