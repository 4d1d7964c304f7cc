"""What changed from one version of a message to the next, word by word."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from campaigns.publishers import PLATFORMS
from campaigns.wording.content import send_time, send_until

WORD = re.compile(r"\s+|\w+(?:['’\-]\w+)*|[^\w\s]")
RELATED = 0.5  # share of equal words, blanks among them: below, one text took the other's place
WORDS_MAX = 4_000  # of both texts together; the comparison takes the square of it in time


class Piece(NamedTuple):
    """A stretch of the newer text (new, same) or of the older one (gone)."""

    kind: str  # same, gone or new
    text: str


@dataclass(frozen=True)
class Difference:
    """What became of one text: for which accounts, and its pieces in reading order."""

    where: str  # "Bluesky @ruth, Mastodon @ruth"
    pieces: list[Piece]


@dataclass(frozen=True)
class Differences:
    """All that changed. ``times`` are ISO 8601 (before, after), or None where they are one."""

    texts: list[Difference]
    times: tuple[str, str] | None
    pictures: bool
    besides: tuple[str, ...] = ()  # what else differs, a sentence each

    @property
    def none(self) -> bool:
        return not (self.texts or self.times or self.pictures or self.besides)


def between(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> Differences:
    """What changed from one content to another; from None all is new."""
    before = {part["account"]: part for part in old["parts"]} if old else {}
    after = {part["account"]: part for part in new["parts"]}
    changed: dict[tuple[str, str], list[str]] = {}
    for account in sorted(before.keys() | after.keys()):
        texts = tuple(side.get(account, {}).get("text", "") for side in (before, after))
        if texts[0] != texts[1]:
            part = after.get(account) or before[account]
            where = f"{PLATFORMS.get(part['platform'], part['platform'])} @{part['handle']}"
            changed.setdefault((texts[0], texts[1]), []).append(where)
    return Differences(
        texts=[
            Difference(", ".join(places), word_by_word(*texts)) for texts, places in changed.items()
        ],
        times=(old["send_at"], new["send_at"])
        if old and old["send_at"] != new["send_at"]
        else None,
        pictures=_pictures(before) != _pictures(after),
        besides=_besides(old, new) if old else (),
    )


def word_by_word(old: str, new: str) -> list[Piece]:
    """The newer text with what went and what came. Signs and blanks count as words."""
    left, right = WORD.findall(old), WORD.findall(new)
    if len(left) + len(right) > WORDS_MAX:
        return [Piece("gone", old), Piece("new", new)]
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    if matcher.ratio() < RELATED:
        return [piece for piece in (Piece("gone", old), Piece("new", new)) if piece.text]
    pieces = []
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            pieces.append(Piece("same", "".join(right[c:d])))
            continue
        if b > a:
            pieces.append(Piece("gone", "".join(left[a:b])))
        if d > c:
            pieces.append(Piece("new", "".join(right[c:d])))
    return pieces


def _besides(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """What else of two contents differs."""

    def told(content: Mapping[str, Any]) -> dict[str, Any]:
        parts = content["parts"]
        return {
            "The link card differs.": [one["card"] for one in parts if "card" in one][:1],
            "Who gets which language differs.": {
                one["account"]: one["lang"] for one in parts if "lang" in one
            },
            "The texts in two languages differ.": content.get("translation"),
            "How long it may still go out differs.": send_until(content) - send_time(content),
        }

    before, after = told(old), told(new)
    return tuple(sentence for sentence in before if before[sentence] != after[sentence])


def _pictures(parts: Mapping[int, Mapping[str, Any]]) -> list[list[tuple[str, str, int]]]:
    shown = [
        [(one["sha256"], one["alt"], one.get("post", 1)) for one in part.get("images", [])]
        for part in parts.values()
    ]
    return [one for one in shown if one][:1]
