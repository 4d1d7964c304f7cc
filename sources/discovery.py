"""Which feeds a page has: what staff paste is a newspaper's address, seldom that of its feed."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from sources.addresses import Answer, PrivateAddressError, fetch
from sources.collector import SourceFaultError
from sources.feeds import NotAFeedError, decoded, parse_answer

DEADLINE = 45.0  # seconds for all of it: somebody waits before a page
MAX_FEEDS = 50  # of one page
MAX_TITLE_LENGTH = 200
KINDS = {
    "application/rss+xml": "RSS",
    "application/rdf+xml": "RSS",
    "application/atom+xml": "Atom",
    "application/feed+json": "JSON Feed",
}
USUAL_PATHS = ("/feed", "/rss", "/feed.xml", "/atom.xml", "/index.xml")
# Only these tags are given to the HTML parser, each by itself: a hostile page makes it take time
# at the square of its length.
TAG = re.compile(
    r"""<(?:link|base)\s(?:[^<>"']|"[^"<]{0,1000}"|'[^'<]{0,1000}'){1,1000}>""", re.IGNORECASE
)
MAX_TAG_LENGTH = 4000  # characters


@dataclass(frozen=True, slots=True)
class FoundFeed:
    """A feed that may be collected: its address, the title its page gives it, and its format."""

    url: str
    title: str
    kind: str  # RSS, Atom or JSON Feed


def find_feeds(url: str, *, contact: str = "", private: bool = False) -> list[FoundFeed]:
    """The feeds of the page at ``url``, in its own order: at least one, and at most MAX_FEEDS.

    If ``url`` is a feed, that. Else those that the page declares, which are not looked into. Else
    those at the places where feeds usually lie. SourceFaultError when the page cannot be read,
    and when no feed is found.
    """
    url = url.strip()
    if "://" not in url:
        url = f"https://{url}"
    ends = time.monotonic() + DEADLINE
    answer = fetch(url, contact=contact, private=private, deadline=DEADLINE)
    try:
        return [_feed(answer, answer.moved_to or url)]
    except NotAFeedError:
        pass
    if declared := list(_declared(answer)):
        return declared[:MAX_FEEDS]
    found: dict[str, FoundFeed] = {}
    for path in USUAL_PATHS:
        left = ends - time.monotonic()
        if left <= 0:
            break
        guess = urljoin(answer.url, path)
        try:
            there = fetch(guess, contact=contact, private=private, deadline=left)
            feed = _feed(there, there.moved_to or guess)
        except PrivateAddressError:
            raise
        except SourceFaultError:
            continue
        found.setdefault(there.url, feed)  # /rss is often the same as /feed
    if not found:
        raise SourceFaultError(
            f"{url} names no feed, and none is in the usual places; "
            "look for the word RSS on the page and enter that link."
        )
    return list(found.values())


def _feed(answer: Answer, address: str) -> FoundFeed:
    """NotAFeedError if the answer is none."""
    feed = parse_answer(answer, address)
    return FoundFeed(address, feed.title[:MAX_TITLE_LENGTH], feed.kind)


def _declared(answer: Answer) -> Iterator[FoundFeed]:
    """What a page's link tags name as its feeds, each address once."""
    # Cut at each comment's beginning and go on after its end.
    shown, *rest = decoded(answer.body, answer.headers.get("content-type", "")).split("<!--")
    shown += "".join(part.partition("-->")[2] for part in rest)
    base = answer.url
    known = set()
    for tag in TAG.finditer(shown):
        if len(tag[0]) > MAX_TAG_LENGTH:
            continue
        name, attributes = _attributes(tag[0])
        if name == "base":
            base = _joined(answer.url, attributes.get("href", "")) or base
            continue
        kind = KINDS.get(attributes.get("type", "").partition(";")[0].strip().lower())
        url = _joined(base, attributes.get("href", ""))
        if kind and url and url not in known and _is_alternate(attributes.get("rel", "")):
            known.add(url)
            title = " ".join(attributes.get("title", "").split())
            yield FoundFeed(url, title[:MAX_TITLE_LENGTH], kind)


def _is_alternate(rel: str) -> bool:
    words = rel.lower().split()
    return ("alternate" in words or "feed" in words) and "stylesheet" not in words


def _joined(base: str, link: str) -> str:
    """The whole address of a link on the web, or nothing."""
    try:
        url = urljoin(base, link.strip())
        return url if link.strip() and urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


class _Tag(HTMLParser):
    """Reads one tag."""

    def __init__(self) -> None:
        super().__init__()
        self.found: tuple[str, dict[str, str]] = ("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found = tag, {name: value or "" for name, value in reversed(attrs)}


def _attributes(tag: str) -> tuple[str, dict[str, str]]:
    """A tag's name and attributes, in small letters; of two with one name, the first counts."""
    parser = _Tag()
    parser.feed(tag)
    return parser.found
