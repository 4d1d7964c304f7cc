"""RSS and Atom feeds, read with the manners that feed keepers ask for.

Remembers nothing beyond the cursor (ETag and Last-Modified); that an entry is known already is
for the database to see.
"""

import calendar
import hashlib
import html
import io
import json
import re
import socket
import time
import zlib
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import feedparser
import httpx
import nh3

from sources.collector import (
    MAX_TEXT_LENGTH,
    Batch,
    Item,
    NewPost,
    Rejected,
    SourceFaultError,
    plain_words,
    user_agent,
)

# Etiquette: conditional requests, at most hourly (requirement 34).
MIN_INTERVAL = timedelta(hours=1)
MAX_INTERVAL = timedelta(days=1)  # a feed that asks for longer is still looked at daily
MAX_RETRY_AFTER = timedelta(days=7)
MAX_BYTES = 10 * 1024 * 1024
TIMEOUT = httpx.Timeout(20)  # seconds for each of: connect, one read, one write
DEADLINE = 120.0  # seconds from the name's lookup to the last byte: a server may drip for ever
MAX_REDIRECTS = 5
MAX_URI_LENGTH = 1000  # characters; longer ids are hashed
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
PERIODS = {
    "hourly": 1,
    "daily": 24,
    "weekly": 168,
    "monthly": 720,
    "yearly": 8760,
}  # hours, RSS 1.0


class Feed:
    """One RSS or Atom feed at an http(s) address."""

    platform = "web"

    def __init__(self, address: str, *, contact: str = "") -> None:
        self.address = address
        self.contact = contact

    def batches(self, cursor: dict[str, Any] | None) -> Generator[Batch]:
        """One batch with all that the feed shows now; nothing new gives an empty one."""
        cursor = cursor or {}
        response, body = self._fetch(cursor)
        if response.status_code == httpx.codes.NOT_MODIFIED:
            interval = timedelta(hours=cursor.get("interval_hours", 1))
            yield Batch((), cursor, seen=0, next_poll_in=max(interval, MIN_INTERVAL))
            return
        feed = self._parse(response, body)
        # Feeds show the newest first.
        items = [_item(entry, feed.feed, str(response.url)) for entry in reversed(feed.entries)]
        interval = _interval(feed.feed)
        cursor = {"interval_hours": interval / timedelta(hours=1)}
        for key, header in (("etag", "etag"), ("modified", "last-modified")):
            validator = response.headers.get(header)
            # Any other character could not be sent back.
            if validator and validator.isascii() and validator.isprintable():
                cursor[key] = validator
        yield Batch(items, cursor, seen=len(items), next_poll_in=interval)

    def _fetch(self, cursor: dict[str, Any]) -> tuple[httpx.Response, bytes]:
        """The feed's answer (200 or 304) and its body, or SourceFaultError at the DEADLINE."""
        headers = {"User-Agent": user_agent(self.contact), "Accept-Encoding": "gzip"}
        if "etag" in cursor:
            headers["If-None-Match"] = cursor["etag"]
        if "modified" in cursor:
            headers["If-Modified-Since"] = cursor["modified"]
        line, asker = _Line(), ThreadPoolExecutor(1, "feed")
        answer = asker.submit(self._ask, headers, line)
        try:
            return answer.result(DEADLINE)
        except TimeoutError:
            raise SourceFaultError(f"{self.address} does not answer in time.") from None
        finally:
            line.hang_up()
            asker.shutdown(wait=False)

    def _ask(self, headers: dict[str, str], line: "_Line") -> tuple[httpx.Response, bytes]:
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        try:
            with httpx.Client(timeout=TIMEOUT, cookies=no_cookies) as client:
                request = client.build_request(
                    "GET", self.address, headers=headers, extensions={"trace": line}
                )
                # Step by step, because httpx would read the body of each redirect to its end.
                for _ in range(MAX_REDIRECTS + 1):
                    response = client.send(request, stream=True)
                    if response.next_request is None:
                        self._check(response)
                        return response, self._body(response)
                    response.close()
                    request = response.next_request
        except (httpx.HTTPError, httpx.InvalidURL, zlib.error) as fault:
            sentence = f"{self.address} cannot be read: {plain_words(fault)}."
            raise SourceFaultError(sentence) from fault
        raise SourceFaultError(f"{self.address} sends us in circles.")

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        match status:
            case 200 | 304:
                return
            case 410:
                raise SourceFaultError(
                    f"{self.address} is gone for good: its server answers 410.", final=True
                )
            case 429 | 503:
                raise SourceFaultError(
                    f"{self.address} asks us to come back later: its server answers {status}.",
                    retry_in=_retry_after(response),
                )
            case 401 | 403:
                raise SourceFaultError(
                    f"{self.address} does not let us in: its server answers {status}."
                )
            case _:
                raise SourceFaultError(
                    f"{self.address} cannot be read: its server answers {status}."
                )

    def _body(self, response: httpx.Response) -> bytes:
        """The unpacked body. Unpacked here, so that a small bomb never becomes a large body."""
        if response.status_code == httpx.codes.NOT_MODIFIED:
            return b""
        packing = response.headers.get("content-encoding", "").strip().lower()
        if packing not in ("", "identity", "gzip"):
            raise SourceFaultError(f"{self.address} is packed in a way that we did not ask for.")
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16) if packing == "gzip" else None
        body = bytearray()
        for chunk in response.iter_raw():
            body += unpacker.decompress(chunk, MAX_BYTES + 1 - len(body)) if unpacker else chunk
            if len(body) > MAX_BYTES:
                raise SourceFaultError(
                    f"{self.address} is larger than {MAX_BYTES // 1024**2} MB: too long for a feed."
                )
            if unpacker and unpacker.eof:
                break
        return bytes(body)

    def _parse(self, response: httpx.Response, body: bytes) -> Any:
        """The feedparser result. SourceFaultError if this is no feed at all."""
        # The charset matters; the address does not go in: it would be glued to short ids.
        headers = {
            key: response.headers[key] for key in ("content-type",) if key in response.headers
        }
        feed = feedparser.parse(
            io.BytesIO(LONG_AUTHOR.sub(rb"\1", body)),
            response_headers=headers,
            resolve_relative_uris=False,
            sanitize_html=False,  # nh3 does it, and leaves no tag at all
        )
        if not feed.get("version") and not feed.entries:
            raise SourceFaultError(f"{self.address} is not a feed: it is neither RSS nor Atom.")
        return feed


class _Line:
    """The connection of one request (told by httpcore's trace), to be hung up by another thread."""

    def __init__(self) -> None:
        self._over = False
        self._socket: socket.socket | None = None

    def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
        if self._over and event.endswith((".connect_tcp.started", ".send_request_headers.started")):
            raise httpx.ReadTimeout("hung up")

    def hang_up(self) -> None:
        """End what is being read, and let nothing new begin."""
        self._over = True
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                self._socket.shutdown(socket.SHUT_RDWR)


def _retry_after(response: httpx.Response) -> timedelta | None:
    """The wait that the server asks for, if it says so in a way we understand."""
    asked = response.headers.get("retry-after", "").strip()
    try:
        if asked.isdecimal():
            wait = timedelta(seconds=min(int(asked), MAX_RETRY_AFTER.total_seconds()))
        else:  # a date: measured by the server's own clock
            wait = parsedate_to_datetime(asked) - parsedate_to_datetime(response.headers["date"])
    except (ValueError, TypeError, KeyError):
        return None
    return min(max(wait, timedelta(0)), MAX_RETRY_AFTER)


def _interval(feed: Any) -> timedelta:
    """How long the feed wants to be left alone: its ttl or update period, an hour at least."""
    try:
        minutes = float(feed.get("ttl") or 0)
        if period := PERIODS.get(str(feed.get("sy_updateperiod", "")).strip().lower()):
            minutes = max(minutes, period * 60 / max(1.0, float(feed.get("sy_updatefrequency", 1))))
    except ValueError:
        return MIN_INTERVAL
    least, most = (limit / timedelta(minutes=1) for limit in (MIN_INTERVAL, MAX_INTERVAL))
    return timedelta(minutes=min(max(least, minutes), most))


def _item(entry: Any, feed: Any, address: str) -> Item:
    """A post for one entry, or the entry set aside when it cannot be read."""
    try:
        return _post(entry, feed, address)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as fault:
        raw = json.dumps(entry, default=str).encode()
        return Rejected(f"unreadable entry: {fault}", raw)


def _post(entry: Any, feed: Any, address: str) -> NewPost:
    """ValueError for an entry that says nothing."""
    title = _text(entry.get("title_detail"))
    contents = [*entry.get("content", ()), entry.get("summary_detail")]
    body = max((_text(content) for content in contents), key=len)
    text = body if body.startswith(title) else f"{title}\n\n{body}".strip()
    if not text:
        raise ValueError("it has neither a title nor a text")
    host = urlsplit(address).hostname or address
    link = urljoin(address, entry.get("link", ""))
    return NewPost(
        uri=_uri(entry, text, link, address),
        author=f"{host}/{entry.get('author', '')}",
        text=text,
        posted_at=_date(entry.get("published_parsed") or entry.get("updated_parsed")),
        url=link if entry.get("link") and urlsplit(link).scheme in ("http", "https") else None,
        lang=feed.get("language") or None,
    )


def _uri(entry: Any, text: str, link: str, address: str) -> str:
    """What names this entry for ever: its id, else its link, else a hash of what it says."""
    guid: str = entry.get("id", "")
    if not guid:
        guid = link if entry.get("link") else "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    elif not urlsplit(guid).scheme:
        guid = f"{address}#{guid}"  # "17" is an id in this feed only
    if len(guid) > MAX_URI_LENGTH:
        guid = f"{address}#sha256:" + hashlib.sha256(guid.encode()).hexdigest()
    return guid


def _date(parsed: time.struct_time | None) -> datetime | None:
    return None if parsed is None else datetime.fromtimestamp(calendar.timegm(parsed), UTC)


def _text(detail: Any) -> str:
    """Plain text of a feedparser text construct, which may be HTML, plain or missing."""
    if not detail:
        return ""
    value = detail.get("value") or ""
    if detail.get("type") == "text/plain":
        return value.strip()
    return plain_text(value)


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
