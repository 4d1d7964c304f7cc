"""RSS, Atom and JSON feeds, read with the manners that feed keepers ask for.

Remembers nothing beyond the cursor (ETag and Last-Modified); that an entry is known already is
for the database to see.
"""

import calendar
import codecs
import hashlib
import html
import io
import json
import re
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import feedparser
import httpx
import nh3

from sources.addresses import Answer, fetch
from sources.collector import (
    MAX_TEXT_LENGTH,
    Batch,
    Item,
    NewPost,
    Rejected,
    SourceFaultError,
)
from sources.policy import SourcePolicy

POLICY = SourcePolicy(
    platform="web",
    basis=(
        "The terms that feed keepers publish differ from one to the next, and most say nothing "
        "but that the feed may be read: what goes out is a headline and its link."
    ),
    keep=timedelta(days=30),
    deletions="Feeds tell of no removals: an article is kept for 30 days and no longer.",
    share=True,
    llm=False,
    training=False,
    public_display=False,
)

# Etiquette (requirement 34): conditional requests, at most hourly.
MIN_INTERVAL = timedelta(hours=1)
MAX_INTERVAL = timedelta(days=1)  # a feed that asks for longer is still looked at daily
# Where a server gives nothing to ask a conditional question with, each look costs it the whole
# feed. Etiquette says daily then, but a day is too late for a warning: four looks a day, unless
# the feed or its server states its own interval.
UNCONDITIONAL_INTERVAL = timedelta(hours=6)
MAX_URI_LENGTH = 1000  # characters; longer ids are hashed
MAX_ENTRIES = 20_000  # in one feed: all of it is held in memory, and saved as one batch
# feedparser takes about 30 microseconds for each tag: half a minute for this many.
MAX_TAGS = 1_000_000
# Characters of one text's HTML: twice what is stored of it. The sanitizer's time grows with the
# square of the depth of nested tags: 4 s for this many characters of "<div>", hours for 10 MB.
MAX_MARKUP_LENGTH = 2 * MAX_TEXT_LENGTH
# feedparser looks for an e-mail address in each author by a pattern whose time is the square
# of the name's length: 12 s for 50,000 letters. Authors become pseudonyms: 300 bytes do.
LONG_AUTHOR = re.compile(
    rb"(<(?:\w+:)?(?:author|contributor|creator|managingEditor|name|owner|publisher|webMaster)\b"
    rb"[^<>]{0,200}>\s{0,20}(?:<!\[CDATA\[)?[^<]{300})[^<]+",
    re.IGNORECASE,
)
# Python decodes these too, at the square of the length; no feed is written in them.
NO_CHARSET = re.compile(rb"punycode|idna|unicode.?escape", re.IGNORECASE)
CHARSET = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
# A page begins like this; feedparser would look for entries in it all the same.
HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?[^<>]{0,300}>\s*)?(?:<!--[^<>]{0,1000}-->\s*)?"
    rb"<(?:!doctype\s+html|html)\b",
    re.IGNORECASE,
)
JSON_FEED = ("https://jsonfeed.org/version/1", "http://jsonfeed.org/version/1")
PERIODS = {
    "hourly": 1,
    "daily": 24,
    "weekly": 168,
    "monthly": 720,
    "yearly": 8760,
}  # hours, RSS 1.0
MAX_AGE = re.compile(r"\bmax-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")
# Dates should be in English, and in Spanish, Portuguese, French and German papers often are not.
LOCAL_DATE = re.compile(
    r"(\d{1,2})[.º]?[ -](?:de )?([^\W\d_]{3,10})\.?[ -](?:de )?(\d{4}),?\s*"
    r"(\d\d?:\d\d\S*)?(.{0,40})"
)
MONTHS = {
    local: month
    for month, locals_ in {
        "Jan": "ene jan",
        "Feb": "feb fev fév",
        "Mar": "mar mär mrz",
        "Apr": "abr avr apr",
        "May": "may mai",
        "Jun": "jun juin",
        "Jul": "jul juil",
        "Aug": "ago aoû aou aug",
        "Sep": "sep set",
        "Oct": "oct out okt",
        "Nov": "nov",
        "Dec": "dic dez déc dec",
    }.items()
    for local in locals_.split()
}


class NotAFeedError(SourceFaultError):
    """What lies at an address is something else than a feed, a page perhaps."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} is not a feed: it is neither RSS nor Atom nor JSON Feed.")


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """What a feed's text says."""

    kind: str  # RSS, Atom or JSON Feed
    title: str
    items: Sequence[Item]  # oldest first
    interval: timedelta | None = None  # how long it wants to be left alone, if it says so
    finished: bool = False  # it says that nothing will be added any more


class Feed:
    """One RSS, Atom or JSON feed at an http(s) address.

    ``private`` lets it lie on this machine or in a private network.
    """

    platform = "web"

    def __init__(self, address: str, *, contact: str = "", private: bool = False) -> None:
        self.address = address
        self.contact = contact
        self.private = private

    def batches(self, cursor: dict[str, Any] | None) -> Generator[Batch]:
        """One batch with all that the feed shows now; nothing new gives an empty one."""
        cursor = cursor or {}
        headers = {}
        if "etag" in cursor:
            headers["If-None-Match"] = cursor["etag"]
        if "modified" in cursor:
            headers["If-Modified-Since"] = cursor["modified"]
        answer = fetch(self.address, contact=self.contact, private=self.private, headers=headers)
        if answer.status == httpx.codes.NOT_MODIFIED:
            interval = timedelta(hours=cursor.get("interval_hours", 1))
            yield Batch(
                (),
                cursor,
                next_poll_in=max(interval, MIN_INTERVAL),
                moved_to=answer.moved_to,
            )
            return
        # Ids that mean something in this feed only get its lasting address, the same each time.
        feed = parse_answer(answer, answer.moved_to or self.address)
        cursor = {}
        for key, header in (("etag", "etag"), ("modified", "last-modified")):
            validator = answer.headers.get(header)
            # Any other character could not be sent back.
            if validator and validator.isascii() and validator.isprintable():
                cursor[key] = validator
        interval = _interval(feed.interval, answer.headers, conditional=bool(cursor))
        cursor["interval_hours"] = interval / timedelta(hours=1)
        yield Batch(
            feed.items,
            cursor,
            next_poll_in=interval,
            moved_to=answer.moved_to,
            last=feed.finished,
        )


def parse_answer(answer: Answer, address: str) -> ParsedFeed:
    """``parse_feed`` of what was fetched."""
    content_type = answer.headers.get("content-type", "")
    return parse_feed(answer.body, address, url=answer.url, content_type=content_type)


def parse_feed(
    body: bytes, address: str, *, url: str | None = None, content_type: str = ""
) -> ParsedFeed:
    """What the bytes of a feed say. NotAFeedError if they are none.

    SourceFaultError for a feed that is too long or too broken.

    ``address`` becomes part of ids that are not unique elsewhere. Relative links start from
    ``url``, where the bytes came from, if that is another address. ``content_type`` is the
    header's text, for the charset in it.
    """
    if body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        return _parse_json(body, address, url or address)
    return _parse_xml(body, address, url or address, content_type)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an entry stands."""

    address: str  # the feed's own
    host: str
    base: str  # where relative links start
    lang: str  # the feed's language
    author: str  # of each entry that names none

    @classmethod
    def of(cls, address: str, url: str, *, site: str, lang: str, author: str) -> "_Place":
        host = urlsplit(address).hostname or address
        return cls(address, host, _joined(url, site) or url, lang, author)


def _parse_xml(body: bytes, address: str, url: str, content_type: str) -> ParsedFeed:
    if HTML.match(body):
        raise NotAFeedError(address)
    if body.count(b"<") > MAX_TAGS:
        raise SourceFaultError(f"{address} holds more than {MAX_TAGS:,} tags: too long for a feed.")
    if NO_CHARSET.search(content_type.encode() + body[:500].replace(b"\0", b"")[:200]):
        raise SourceFaultError(f"{address} is written in an encoding that no feed uses.")
    # Only the charset matters, and only where the bytes do not speak for themselves: servers
    # announce latin-1 by default. The address does not go in: it would be glued to short ids.
    if not body.isascii() and _is_utf8(body):
        content_type = "application/xml; charset=utf-8"
    try:
        feed = feedparser.parse(
            io.BytesIO(LONG_AUTHOR.sub(rb"\1", body)),
            response_headers={"content-type": content_type} if content_type else {},
            resolve_relative_uris=False,
            sanitize_html=False,  # nh3 does it, and leaves no tag at all
        )
    except Exception as fault:  # whatever a hostile text makes of a parser
        raise SourceFaultError(f"{address} cannot be read as a feed: it is broken.") from fault
    version = feed.get("version") or ""
    if not version and not feed.entries:
        raise NotAFeedError(address)
    if len(feed.entries) > MAX_ENTRIES:
        raise _too_many(address)
    # Atom says that links start from the feed's own place, and that its author wrote what no
    # other did. RSS says neither: its links start from its site, its author answers for the feed.
    atom = version.startswith("atom")
    place = _Place.of(
        address,
        url,
        site="" if atom else feed.feed.get("link", ""),
        lang=feed.feed.get("language") or "",
        author=feed.feed.get("author", "") if atom else "",
    )
    return ParsedFeed(
        kind="Atom" if atom else "RSS",
        title=_text(feed.feed.get("title_detail")),
        items=[_item(_xml_post, entry, place) for entry in reversed(feed.entries)],
        interval=_stated_interval(feed.feed),
    )


def _parse_json(body: bytes, address: str, url: str) -> ParsedFeed:
    try:
        feed = json.loads(body)
    except (ValueError, RecursionError):
        raise NotAFeedError(address) from None
    entries = feed.get("items")
    if not _word(feed, "version").startswith(JSON_FEED) or not isinstance(entries, list):
        raise NotAFeedError(address)
    if len(entries) > MAX_ENTRIES:
        raise _too_many(address)
    place = _Place.of(
        address,
        url,
        site=_word(feed, "home_page_url"),
        lang=_word(feed, "language"),
        author=_json_author(feed),
    )
    return ParsedFeed(
        kind="JSON Feed",
        title=_whole(_word(feed, "title").strip()),
        items=[_item(_json_post, entry, place) for entry in reversed(entries)],
        finished=feed.get("expired") is True,
    )


def _too_many(address: str) -> SourceFaultError:
    return SourceFaultError(
        f"{address} holds more than {MAX_ENTRIES:,} entries: too many for a feed."
    )


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _interval(
    stated: timedelta | None, headers: Mapping[str, str], *, conditional: bool
) -> timedelta:
    """The wait until the next look: what feed and server say, within our bounds."""
    fresh = MAX_AGE.search(headers.get("cache-control", ""))
    asked = [wait for wait in (stated, fresh and timedelta(seconds=int(fresh[1]))) if wait]
    if not asked:
        return MIN_INTERVAL if conditional else UNCONDITIONAL_INTERVAL
    return min(max(MIN_INTERVAL, *asked), MAX_INTERVAL)


def _stated_interval(feed: Any) -> timedelta | None:
    """How long an RSS feed wants to be left alone (its ttl or update period); a day at most."""
    try:
        minutes = float(feed.get("ttl") or 0)
        if period := PERIODS.get(str(feed.get("sy_updateperiod", "")).strip().lower()):
            minutes = max(minutes, period * 60 / max(1.0, float(feed.get("sy_updatefrequency", 1))))
    except ValueError:
        return None
    if not minutes > 0:  # "nan" is a number to Python
        return None
    return timedelta(minutes=min(minutes, MAX_INTERVAL / timedelta(minutes=1)))


def _item(read: Callable[[Any, _Place], NewPost], entry: Any, place: _Place) -> Item:
    """A post for one entry, or the entry set aside when it cannot be read."""
    try:
        return read(entry, place)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as fault:
        raw = json.dumps(entry, default=str).encode()
        return Rejected(f"unreadable entry: {fault}", raw)


def _xml_post(entry: Any, place: _Place) -> NewPost:
    title = entry.get("title_detail") or {}
    contents = [*entry.get("content", ()), entry.get("summary_detail")]
    language = title.get("language") or entry.get("language")
    # The last author counts for feedparser, and it may be an empty tag.
    named = (author.get("name") for author in entry.get("authors", ()))
    author = entry.get("author") or next(filter(None, named), "")
    return _post(
        place,
        guid=entry.get("id", ""),
        link=entry.get("link", ""),
        title=_text(title),
        body=max((_text(content) for content in contents), key=len),
        author=author,
        posted_at=_xml_date(entry),
        lang=language or "",
    )


def _json_post(entry: Any, place: _Place) -> NewPost:
    texts = [plain_text(_word(entry, "content_html")), _word(entry, "content_text").strip()]
    return _post(
        place,
        guid=_word(entry, "id"),
        link=_word(entry, "url") or _word(entry, "external_url"),
        title=_word(entry, "title").strip(),
        body=max(*texts, _word(entry, "summary").strip(), key=len),
        author=_json_author(entry),
        posted_at=_json_date(_word(entry, "date_published") or _word(entry, "date_modified")),
        lang=_word(entry, "language"),
    )


def _json_author(thing: Any) -> str:
    """The first author of a feed or an entry; version 1.0 knew but one."""
    authors = thing.get("authors")
    first = authors[0] if isinstance(authors, list) and authors else thing.get("author")
    return _word(first, "name") or _word(first, "url") if isinstance(first, dict) else ""


def _word(thing: Any, key: str) -> str:
    """The text under ``key``; numbers become text, anything else is none."""
    value = thing.get(key)
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _post(
    place: _Place,
    *,
    guid: str,
    link: str,
    title: str,
    body: str,
    author: str,
    posted_at: datetime | None,
    lang: str,
) -> NewPost:
    """ValueError for an entry that says nothing."""
    text = body if body.startswith(title) else f"{title}\n\n{body}".strip()
    if not text:
        raise ValueError("it has neither a title nor a text")
    url = _joined(place.base, link) if link else ""
    name = f"{place.host}/{(author or place.author)[:MAX_URI_LENGTH]}"
    return NewPost(
        uri=_uri(guid, text, url or link, place.address),
        author=_whole(name),
        text=text,
        posted_at=posted_at,
        url=url or None,
        lang=_language(lang) or _language(place.lang),
    )


def _whole(text: str) -> str:
    """Text that can be encoded: JSON may hold half of a character."""
    return text.encode(errors="replace").decode()


def _joined(base: str, link: str) -> str:
    """``link`` as a whole address on the web, or nothing if it leads elsewhere."""
    try:
        url = urljoin(base, link.strip())
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _uri(guid: str, text: str, link: str, address: str) -> str:
    """What names this entry for ever: its id, else its link, else a hash of what it says."""
    if not guid:
        guid = link or "sha256:" + hashlib.sha256(text.encode(errors="replace")).hexdigest()
    elif not SCHEME.match(guid):
        guid = f"{address}#{guid}"  # "17" is an id in this feed only
    if len(guid) > MAX_URI_LENGTH:
        guid = f"{address}#sha256:" + hashlib.sha256(guid.encode(errors="replace")).hexdigest()
    return guid


def _language(tag: str) -> str | None:
    tag = tag.strip().replace("_", "-")
    return tag if LANGUAGE.fullmatch(tag) else None


def _xml_date(entry: Any) -> datetime | None:
    """When an entry was published, else changed. None for no date and for one nobody can read."""
    # Looked up as in any dict: feedparser's own would give the first for the second.
    published, updated = (dict.get(entry, key) for key in ("published_parsed", "updated_parsed"))
    parsed: time.struct_time | None = published or updated
    try:
        if parsed is not None:
            return datetime.fromtimestamp(calendar.timegm(parsed), UTC)
        return _local_date(dict.get(entry, "published") or dict.get(entry, "updated") or "")
    except (ValueError, OverflowError, OSError):
        return None


def _local_date(written: str) -> datetime | None:
    """A date whose month is named in another language than English."""
    found = LOCAL_DATE.search(written[:200])
    if found is None:
        return None
    day, name, year, hours, zone = found.groups()
    name = name.casefold()
    month = MONTHS.get(name[:4]) or MONTHS.get(name[:3])
    if month is None:
        return None
    return _aware(parsedate_to_datetime(f"{day} {month} {year} {hours or '00:00'} {zone}"))


def _json_date(written: str) -> datetime | None:
    try:
        return _aware(datetime.fromisoformat(written.strip()))
    except (ValueError, OverflowError):
        return None


def _aware(at: datetime) -> datetime:
    """In UTC; a time without a zone is taken for UTC."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _text(detail: Any) -> str:
    """Plain text of a feedparser text construct, which may be HTML, plain or missing."""
    if not detail:
        return ""
    value = detail.get("value") or ""
    if detail.get("type") == "text/plain":
        return value.strip()
    return plain_text(value)


def decoded(body: bytes, content_type: str = "") -> str:
    """Bytes of the web as text: UTF-8 if they are that, else by the charset that they name."""
    named = CHARSET.search(content_type.encode()) or CHARSET.search(body[:2048])
    charsets = ["utf-16"] if body[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else []
    charsets.append("utf-8-sig")
    if named and not NO_CHARSET.search(named[1]):
        charsets.append(named[1].decode())
    for charset in charsets:
        with suppress(UnicodeError, LookupError):
            return body.decode(charset)
    return body.decode("windows-1252", "replace")


BREAKS = re.compile(
    r"<(?:br|hr|/p|/div|/li|/tr|/h[1-6]|/blockquote|/figure|/pre)\b[^<>]{0,200}>", re.I
)


def plain_text(markup: str) -> str:
    """What a reader sees of ``markup``: no tags, entities resolved, a line for each paragraph.

    Only the first MAX_MARKUP_LENGTH characters are looked at.
    """
    markup = markup[:MAX_MARKUP_LENGTH]
    flat = BREAKS.sub("\n", re.sub(r"\s+", " ", markup))
    text = html.unescape(nh3.clean(flat, tags=set()))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
