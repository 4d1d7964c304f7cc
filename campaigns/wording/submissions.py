"""How the words of a draft become a submission to Reddit: the first line its title, the rest its
text.

Reddit reads a text as Markdown, in which a star or a single line break is not what it looks like.
Whatever would mean something else is escaped, so that readers see the words that were approved;
only links with https:// or www. become clickable.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from campaigns.wording.richtext import spans

TITLE_MAX = 300  # reddit-archive/reddit, VTitle
TEXT_MAX = 40_000  # reddit-archive/reddit, SELFTEXT_MAX_LENGTH: of the Markdown, in code points
CLICKABLE = re.compile(rb"https?://|www\.", re.IGNORECASE)  # Reddit finds no other links
NO_BREAK = "\u00a0"  # four plain blanks before a line would make it program code

_HANDLE = re.compile(
    r"@?(?:/?u/)?(?P<user>[a-z0-9_-]{3,20})\s+in\s+/?(?:r/)?(?P<subreddit>[a-z0-9]\w{1,20})",
    re.IGNORECASE | re.ASCII,
)
_SIGNS = re.compile(r"[\\`*_~^\[\]<>|]|&(?=#?\w+;)")
_NAMES = re.compile(r"(?<![\w/])(/?[ur])/(?=\w)", re.IGNORECASE)  # it would call that person
_BLOCK = re.compile(
    r"^([ \t]*)(?:([#+=-])|(\d{1,9})([.)]))", re.MULTILINE
)  # headings, lists, rules
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_BREAK = re.compile(r"(?<=[^\n])\n(?=[^\n])")


class Place(NamedTuple):
    """Who submits, and where: names as Reddit has them, without u/ and r/, in small letters."""

    user: str
    subreddit: str

    def __str__(self) -> str:
        return f"{self.user} in r/{self.subreddit}"


def place_of(handle: str) -> Place:
    """What an account's handle says, such as "paula_price in r/springfield". ValueError: nothing.

    The subreddit stands in it because an account speaks in one place: somebody agreed to that one.
    """
    found = _HANDLE.fullmatch(handle.strip())
    if found is None:
        raise ValueError("Reddit: name the account and its place, “paula_price in r/springfield”.")
    return Place(found["user"].lower(), found["subreddit"].lower())


def title_and_text(words: str) -> tuple[str, str]:
    """(title, text) of the words of a draft, as written; the text may be empty."""
    title, _, text = words.strip().partition("\n")
    return title.strip(), text.strip()


def markdown(text: str) -> str:
    """A text in such Markdown that Reddit shows it as it is written, line by line."""
    data = text.encode()
    pieces, at = [], 0
    for span in spans(text):
        if span.kind != "link" or not CLICKABLE.match(data, span.start):
            continue
        pieces += [_plain(data[at : span.start].decode()), data[span.start : span.end].decode()]
        at = span.end
    escaped = "".join([*pieces, _plain(data[at:].decode())])
    escaped = _BLOCK.sub(_not_a_block, escaped)
    escaped = _INDENT.sub(lambda found: NO_BREAK * len(found[0]), escaped)
    return _BREAK.sub("  \n", escaped)


def record_of(part: Mapping[str, Any], send_at: datetime) -> dict[str, Any]:
    """The complete submission of one part: the same for the same part and time, always.

    ``send_at`` (UTC) is not sent: it bounds the search for a submission that may be out.
    """
    place = place_of(part["handle"])
    title, text = title_and_text(part["text"])
    return {
        "user": place.user,
        "subreddit": place.subreddit,
        "title": title,
        "text": markdown(text),
        "send_at": send_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _plain(text: str) -> str:
    return _NAMES.sub(r"\1\/", _SIGNS.sub(r"\\\g<0>", text))


def _not_a_block(found: re.Match[str]) -> str:
    blank, sign, number, after = found.groups()
    return f"{blank}\\{sign}" if sign else f"{blank}{number}\\{after}"
