"""Link cards: what stands under a post about the page it links to, chosen and seen by people.

Bluesky shows no card that is not in the post. A person presses a button, the page is read once,
and what it says of itself is only a proposal: its words are edited, its picture is kept as bytes,
and all of it is hashed with the message. The page may change afterwards; the card does not.

The page is a stranger's. It is read as any address that somebody typed in is (sources.addresses):
public addresses alone, on every redirect, in bounds of size and time.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urljoin

from sqlalchemy.orm import Session

from campaigns.models import Image
from campaigns.wording.media import keep_image
from campaigns.wording.richtext import spans
from sources.addresses import fetch
from sources.collector import SourceFaultError
from sources.feeds import decoded

CARRY = frozenset({"bluesky", "dry_run"})  # platforms whose posts hold a card
THUMB_MAX = 1_000_000  # bytes: app.bsky.embed.external, thumb, maxSize
TITLE_MAX = 200  # characters; the lexicon has no limit, apps show about two lines
ABOUT_MAX = 300
LINK_MAX = 2_000
PAGE_DEADLINE = 12.0  # seconds; somebody waits before the form
PICTURE_DEADLINE = 8.0
HEAD_MAX = 300_000  # characters of a page that are looked through: all it says of itself is on top
TAGS_MAX = 300  # of one page
ATTRIBUTES_MAX = 20  # of one tag
MARKUP = ("text/html", "application/xhtml+xml")

TITLE = re.compile(r"<title(?:\s[^<>]{0,200})?>([^<]{0,2000})", re.IGNORECASE)
META = re.compile(r"<meta(?=\s)", re.IGNORECASE)
ATTRIBUTE = re.compile(
    r"""[\s/]{1,20}([a-z:_-]{1,30})\s{0,9}=\s{0,9}(?:"([^"]{0,3000})"|'([^']{0,3000})'|([^\s"'<>]{1,3000}))""",
    re.IGNORECASE,
)
JOINERS = "\u200c\u200d"  # belong to words and emoji, though they show nothing


@dataclass(frozen=True)
class Card:
    """A card as it will be seen; ``image`` is the small picture on it, if any."""

    url: str
    title: str
    about: str
    image: Image | None = None


@dataclass(frozen=True)
class Said:
    """What a page says of itself, each "" where it says nothing; ``picture`` is an address."""

    title: str
    about: str
    picture: str


def first_link(text: str) -> str | None:
    """The first address that will be clickable in a post."""
    return next((span.value for span in spans(text) if span.kind == "link"), None)


def tidied(card: Card) -> Card:
    """The card in the form in which it is approved. ValueError for words that cannot be sent."""
    title, about = words(card.title), words(card.about)
    if not title:
        raise ValueError("The link card needs a title: look the page up, or write one.")
    if len(title) > TITLE_MAX:
        raise ValueError(f"The title of the card has {TITLE_MAX} characters at most.")
    if len(about) > ABOUT_MAX:
        raise ValueError(f"The words under the card's title have {ABOUT_MAX} characters at most.")
    if card.image is not None and card.image.size > THUMB_MAX:
        raise ValueError("The picture of the card is too large. Look the page up again.")
    return Card(card.url, title, about, card.image)


def look_up(
    session: Session,
    url: str,
    *,
    by: int,
    now: datetime,
    contact: str = "",
    private: bool = False,
) -> tuple[Card, str]:
    """The card that the page at ``url`` proposes, and why it has no picture ("" where it has one).

    Its picture is kept (media.keep_image). The network may take PAGE_DEADLINE and PICTURE_DEADLINE
    seconds: hold no transaction meanwhile. ``contact`` and ``private`` as in sources.addresses.
    ValueError, in a sentence, for a page that cannot be read or says nothing.
    """
    said, picture, why = _read(url, contact, private)
    image = None
    if picture:
        try:
            image = keep_image(session, picture, by=by, now=now, most=THUMB_MAX)
        except ValueError as fault:
            why = str(fault)
    return Card(url, said.title, said.about, image), why


def _read(url: str, contact: str, private: bool) -> tuple[Said, bytes, str]:
    """What the page says, the bytes of its picture, and why there are none."""
    if len(url) > LINK_MAX:
        raise ValueError("This link is too long for a card.")
    try:
        answer = fetch(url, contact=contact, private=private, deadline=PAGE_DEADLINE)
    except SourceFaultError as fault:
        raise ValueError(f"{fault} You can write the card yourself.") from fault
    kind = answer.headers.get("content-type", "")
    if kind and kind.split(";")[0].strip().lower() not in MARKUP:
        raise ValueError("This link leads to no web page. You can write the card yourself.")
    said = said_by(decoded(answer.body, kind), answer.url)
    if not said.title:
        raise ValueError("The page has no title. You can write the card yourself.")
    if not said.picture:
        return said, b"", "The page names no picture."
    try:
        shown = fetch(said.picture, contact=contact, private=private, deadline=PICTURE_DEADLINE)
    except SourceFaultError as fault:
        return said, b"", f"Its picture could not be had: {fault}"
    return said, shown.body, "" if shown.body else "Its picture is empty."


def said_by(page: str, address: str) -> Said:
    """What a page (its HTML, read from ``address``) says of itself. Takes any text whatever."""
    page = page[:HEAD_MAX]
    named: dict[str, str] = {}
    for name, value in _metas(page):
        named.setdefault(name, value)
    found = TITLE.search(page)
    title = named.get("og:title") or named.get("twitter:title") or (found[1] if found else "")
    about = named.get("og:description") or named.get("description") or ""
    return Said(
        title=shortened(words(html.unescape(title)), TITLE_MAX),
        about=shortened(words(html.unescape(about)), ABOUT_MAX),
        picture=_address(address, html.unescape(named.get("og:image", "")).strip()),
    )


def words(said: str) -> str:
    """One line that any table and platform can hold: nothing that hides or turns words around."""
    plain = (
        sign if sign in JOINERS or unicodedata.category(sign)[0] != "C" else " " for sign in said
    )
    return " ".join(unicodedata.normalize("NFC", "".join(plain)).split())


def shortened(said: str, most: int) -> str:
    """At most ``most`` characters, cut at a word where one ends."""
    if len(said) <= most:
        return said
    kept = said[: most - 1]
    return f"{kept.rsplit(' ', 1)[0] if ' ' in kept[most // 2 :] else kept}…"


def _metas(page: str) -> Iterator[tuple[str, str]]:
    """(name or property in small letters, content) of the page's meta tags, still escaped."""
    for count, tag in enumerate(META.finditer(page)):
        if count == TAGS_MAX:
            return
        values: dict[str, str] = {}
        at = tag.end()
        for _ in range(ATTRIBUTES_MAX):
            found = ATTRIBUTE.match(page, at)
            if found is None:
                break
            at = found.end()
            value = next((one for one in found.groups()[1:] if one is not None), "")
            values.setdefault(found[1].lower(), value)
        name = (values.get("property") or values.get("name") or "").strip().lower()
        if name and values.get("content", "").strip():
            yield name, values["content"]


def _address(base: str, picture: str) -> str:
    """The whole address of a picture, or "" for what is no address on the web."""
    if not picture or len(picture) > LINK_MAX or not picture.isprintable():
        return ""
    try:
        whole = urljoin(base, picture)
    except ValueError:
        return ""
    return whole if whole.lower().startswith(("http://", "https://")) else ""
