"""Feeds read from a real HTTP server on loopback."""

import gzip
import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from sources import addresses
from sources.addresses import MAX_BYTES
from sources.collector import Batch, Item, NewPost, Rejected, SourceFaultError
from sources.feeds import (
    MIN_INTERVAL,
    POLICY,
    UNCONDITIONAL_INTERVAL,
    Feed,
    decoded,
    parse_feed,
    plain_text,
)
from sources.models import RejectedItem, Source, SourceEvent
from sources.policy import USES, Policies
from sources.register import due_sources, health
from tests.sources.conftest import AddSource, Collect, Posts

RSS = """<?xml version="1.0"?>
<rss version="2.0"><channel><title>Our town</title><link>https://town.example/</link>
<description>News</description><language>en-us</language>{extra}{items}</channel></rss>"""
ITEM = """<item><title>Bridge &amp; road</title><guid isPermaLink="false">tag:town,{n}</guid>
<link>https://town.example/{n}</link><author>desk@town.example (Desk)</author>
<pubDate>Mon, 23 Nov 2026 1{n}:30:00 GMT</pubDate>
<description>&lt;p&gt;It is &lt;b&gt;closed&lt;/b&gt;.&lt;/p&gt;
&lt;p&gt;Until noon.&lt;/p&gt;</description></item>"""


def rss(*items: str, extra: str = "") -> bytes:
    return RSS.format(items="".join(items), extra=extra).encode()


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class FeedServer:
    """Serves prepared answers in turn (the last one for ever) and remembers what was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.pages: dict[str, Answer] | None = None  # by path, instead of in turn
        self.asked: list[tuple[str, Message]] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.http.server_port}/feed.xml"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append((self.path, self.headers))
                if server.pages is not None:
                    answer = server.pages.get(self.path, Answer(404))
                else:
                    answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
                self.send_response_only(answer.status)
                for key, value in answer.headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                with suppress(ConnectionError):  # the reader has had enough
                    self.wfile.write(answer.body)

            def log_message(self, *args: object) -> None:
                pass

        return Handler

    def answer(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        self.answers.append(Answer(status, body, named))

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server() -> Iterator[FeedServer]:
    server = FeedServer()
    yield server
    server.close()


@pytest.fixture
def read(server: FeedServer) -> Callable[..., Batch]:
    """What the feed gives now: its one batch."""

    def read(cursor: dict[str, object] | None = None) -> Batch:
        (batch,) = Feed(server.url, contact="desk@breakwater.example", private=True).batches(cursor)
        return batch

    return read


def test_entries_become_posts_oldest_first(server: FeedServer, read: Callable[..., Batch]) -> None:
    server.answer(body=rss(ITEM.format(n=2), ITEM.format(n=1)), ETag='"1"')
    batch = read()
    assert [item.uri for item in batch.items if isinstance(item, NewPost)] == [
        "tag:town,1",
        "tag:town,2",
    ]
    assert batch.items[0] == NewPost(
        uri="tag:town,1",
        author="127.0.0.1/desk@town.example (Desk)",
        text="Bridge & road\n\nIt is closed.\nUntil noon.",
        posted_at=datetime(2026, 11, 23, 11, 30, tzinfo=UTC),
        url="https://town.example/1",
        lang="en-us",
    )
    assert (len(batch.items), batch.next_poll_in) == (2, MIN_INTERVAL)
    (_, headers) = server.asked[0]
    assert headers["User-Agent"] == "Breakwater/0.1 (+desk@breakwater.example)"
    assert headers["Accept-Encoding"] == "gzip"
    assert headers["If-None-Match"] is None


def test_atom_and_gzip_and_other_encodings(server: FeedServer, read: Callable[..., Batch]) -> None:
    atom = """<?xml version="1.0" encoding="iso-8859-1"?>
    <feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title>Stadt</title>
    <entry><id>urn:1</id><title type="text">Brücke &lt; Straße</title>
    <link href="/artikel/1"/><updated>2026-11-23T10:00:00+01:00</updated>
    <content type="html">Heute &lt;i&gt;gesperrt&lt;/i&gt;.</content></entry></feed>"""
    server.answer(body=gzip.compress(atom.encode("latin-1")), Content_Encoding="gzip")
    (post,) = read().items
    assert isinstance(post, NewPost)
    assert post.text == "Brücke < Straße\n\nHeute gesperrt."
    assert post.posted_at == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert post.url == server.url.replace("/feed.xml", "/artikel/1")


def test_an_unchanged_feed_is_asked_with_its_own_validators(
    server: FeedServer, source_of: AddSource, collect_now: Collect, posts: Posts
) -> None:
    server.answer(
        body=rss(ITEM.format(n=1)), ETag='W/"odd, etag"', Last_Modified="Mon, 23 Nov 2026 10:00 GMT"
    )
    server.answer(304)
    source = source_of(address=server.url)
    assert collect_now(source, Feed(server.url, private=True)) == 1
    assert collect_now(source, Feed(server.url, private=True)) == 0
    assert collect_now(source, Feed(server.url, private=True)) == 0
    for _, headers in server.asked[1:]:
        assert headers["If-None-Match"] == 'W/"odd, etag"'
        assert headers["If-Modified-Since"] == "Mon, 23 Nov 2026 10:00 GMT"  # as received
    assert len(posts()) == 1


def test_a_feed_without_validators_gives_no_post_twice(
    server: FeedServer, source_of: AddSource, collect_now: Collect, posts: Posts
) -> None:
    nameless = "<item><description>No id, no link, no date</description></item>"
    server.answer(body=rss(ITEM.format(n=1), nameless))
    source = source_of(address=server.url)
    assert collect_now(source, Feed(server.url, private=True)) == 2
    server.answer(body=rss(ITEM.format(n=2), ITEM.format(n=1), nameless))
    server.answers.pop(0)
    assert collect_now(source, Feed(server.url, private=True)) == 1
    assert len(posts()) == 3


SYNDICATION = """<sy:updatePeriod xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">daily
</sy:updatePeriod><sy:updateFrequency xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">4
</sy:updateFrequency>"""
ETAG = {"ETag": '"1"'}


@pytest.mark.parametrize(
    ("extra", "headers", "interval"),
    [
        ("", ETAG, timedelta(hours=1)),
        ("", {"Last-Modified": "Mon, 23 Nov 2026 10:00:00 GMT"}, timedelta(hours=1)),
        ("", {}, UNCONDITIONAL_INTERVAL),
        ("<ttl>15</ttl>", {}, timedelta(hours=1)),
        ("<ttl>180</ttl>", {}, timedelta(hours=3)),
        ("<ttl>180</ttl>", ETAG, timedelta(hours=3)),
        ("<ttl>soon</ttl>", ETAG, timedelta(hours=1)),
        ("<ttl>soon</ttl>", {}, UNCONDITIONAL_INTERVAL),
        ("<ttl>nan</ttl>", ETAG, timedelta(hours=1)),
        ("<ttl>-7</ttl>", ETAG, timedelta(hours=1)),
        ("<ttl>99999999999999</ttl>", {}, timedelta(days=1)),
        (SYNDICATION, {}, timedelta(hours=6)),
        ("", {"Cache-Control": "public, max-age=7200"}, timedelta(hours=2)),
        ("", {"Cache-Control": "max-age=60"}, timedelta(hours=1)),
        ("", {"Cache-Control": "no-cache, max-age=0"}, UNCONDITIONAL_INTERVAL),
        ("", {"Cache-Control": "max-age=31536000"}, timedelta(days=1)),
        ("<ttl>180</ttl>", {"Cache-Control": "max-age=7200", **ETAG}, timedelta(hours=3)),
    ],
)
def test_feed_and_server_say_how_often(
    server: FeedServer,
    read: Callable[..., Batch],
    extra: str,
    headers: dict[str, str],
    interval: timedelta,
) -> None:
    server.answers = [Answer(200, rss(extra=extra), headers)]
    batch = read()
    assert batch.next_poll_in == interval
    server.answers = [Answer(304)]
    assert read(batch.cursor).next_poll_in == interval


def _fault(feed: Feed) -> SourceFaultError:
    with pytest.raises(SourceFaultError) as caught:
        list(feed.batches(None))
    assert str(caught.value).startswith(feed.address)
    assert str(caught.value).endswith(".")
    return caught.value


SERVER_TIME = datetime(2026, 11, 23, 15, tzinfo=UTC)


def _http_date(at: datetime) -> str:
    return format_datetime(at, usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        ("7200", timedelta(hours=2)),
        (_http_date(SERVER_TIME + timedelta(minutes=90)), timedelta(minutes=90)),
        (_http_date(SERVER_TIME - timedelta(days=1)), timedelta(0)),
        ("99999999999999999999", timedelta(days=7)),
        ("soon", None),
        (None, None),
    ],
)
def test_a_busy_server_s_wish_is_honoured(
    server: FeedServer, status: int, asked: str | None, wait: timedelta | None
) -> None:
    headers = {"Date": _http_date(SERVER_TIME)}
    if asked is not None:
        headers["Retry-After"] = asked
    server.answers.append(Answer(status, b"", headers))
    fault = _fault(Feed(server.url, private=True))
    assert "come back later" in str(fault)
    assert fault.retry_in == wait


def test_retry_after_puts_off_the_next_poll(
    server: FeedServer,
    sessions: sessionmaker[Session],
    source_of: AddSource,
    collect_now: Collect,
    now: datetime,
) -> None:
    server.answer(429, Retry_After="7200")
    source = source_of(address=server.url)
    collect_now(source, Feed(server.url, private=True))
    with sessions() as session:
        again = session.get_one(Source, source.id).next_poll_at
        assert again is not None
        assert timedelta(hours=2) <= again - now <= timedelta(hours=2, minutes=15)


def test_a_feed_that_is_gone_is_asked_no_more(
    server: FeedServer,
    sessions: sessionmaker[Session],
    source_of: AddSource,
    collect_now: Collect,
    now: datetime,
) -> None:
    server.answer(410)
    collect_now(source_of(address=server.url), Feed(server.url, private=True))
    with sessions() as session:
        assert due_sources(session, now + timedelta(days=365)) == []
        (line,) = health(session, now)
        assert (line.state, "gone for good" in line.detail) == ("off", True)


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (200, b"<!doctype html><html><body><p>Welcome!</p></body></html>", "is not a feed"),
        (200, b"\x00\x01\x02 not XML at all", "is not a feed"),
        (200, b'{"posts": []}', "is not a feed"),
        (200, b"", "is not a feed"),
        (200, b" " * (MAX_BYTES + 1), "larger than 10 MB"),
        (403, b"", "does not let us in"),
        (404, b"", "answers 404"),
        (500, b"", "answers 500"),
    ],
)
def test_each_trouble_gives_one_clear_sentence(
    server: FeedServer, status: int, body: bytes, sentence: str
) -> None:
    server.answer(status, body)
    assert sentence in str(_fault(Feed(server.url, private=True)))


def test_circles_silence_and_dead_ends_give_a_sentence(
    server: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer(302, Location="/feed.xml")
    assert "in circles" in str(_fault(Feed(server.url, private=True)))
    assert "nothing answers" in str(_fault(Feed("http://127.0.0.1:1/feed", private=True)))
    assert "its name is not known here" in str(_fault(Feed("http://no-such-host.invalid/feed")))
    server.answers[:] = [Answer(200, rss(ITEM.format(n=1)), {"Content-Encoding": "gzip"})]
    assert "cannot be read" in str(_fault(Feed(server.url, private=True)))


def test_a_packing_we_did_not_ask_for_is_refused_unopened(server: FeedServer) -> None:
    server.answer(body=b"(\xb5/\xfd", Content_Encoding="zstd")
    assert "did not ask for" in str(_fault(Feed(server.url, private=True)))


def test_a_small_bomb_never_becomes_a_large_body(server: FeedServer) -> None:
    server.answer(body=gzip.compress(bytes(40 * MAX_BYTES)), Content_Encoding="gzip")
    tracemalloc.start()
    try:
        assert "too long for a feed" in str(_fault(Feed(server.url, private=True)))
        assert tracemalloc.get_traced_memory()[1] < 6 * MAX_BYTES
    finally:
        tracemalloc.stop()


def test_a_validator_that_cannot_be_sent_back_is_not_kept(
    server: FeedServer, read: Callable[..., Batch]
) -> None:
    server.answer(body=rss(ITEM.format(n=1)), ETag="caf\xe9")
    assert "etag" not in read().cursor


@pytest.mark.parametrize("drip", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n<rss>"])
def test_a_server_that_drips_is_left_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, drip: bytes
) -> None:
    """Headers or body, one byte at a time: each read is in time, the whole is not."""
    monkeypatch.setattr(addresses, "DEADLINE", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def dripping() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.sendall(drip)
                for _ in range(100):
                    connection.sendall(b"x")
                    time.sleep(0.1)

        thread = threading.Thread(target=dripping)
        thread.start()
        began = time.monotonic()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/feed"
        assert "in time" in str(_fault(Feed(address, private=True)))
        thread.join()
        assert time.monotonic() - began < 8  # not the ten seconds of the whole drip


def test_a_hostile_author_does_not_hold_everybody_up(
    server: FeedServer, read: Callable[..., Batch]
) -> None:
    entry = "<item><guid>1</guid><title>Words</title><author>{}</author></item>"
    server.answer(body=rss(entry.format("a" * 1_000_000)))
    began = time.monotonic()
    assert len(read().items) == 1
    assert time.monotonic() - began < 10  # an hour and more without the cut


@pytest.mark.parametrize(
    ("statuses", "moved_to"),
    [
        ([301], "/1.xml"),
        ([308], "/1.xml"),
        ([301, 308], "/2.xml"),
        ([302], None),
        ([307], None),
        ([301, 302], "/1.xml"),
        ([302, 301], None),
        ([308, 303, 301], "/1.xml"),
    ],
)
@pytest.mark.parametrize("last", [200, 304])
def test_only_permanent_redirects_are_remembered(
    server: FeedServer,
    read: Callable[..., Batch],
    statuses: list[int],
    moved_to: str | None,
    last: int,
) -> None:
    for hop, status in enumerate(statuses, 1):
        server.answer(status, Location=f"/{hop}.xml#top")
    short = '<item><guid isPermaLink="false">17</guid><title>Short id</title></item>'
    server.answer(last, rss(short) if last == 200 else b"")
    batch = read()
    lasting = server.url.replace("/feed.xml", moved_to) if moved_to else None
    assert batch.moved_to == lasting
    assert server.asked[-1][0] == f"/{len(statuses)}.xml"
    # An id holds the lasting address: the next look finds the same one.
    for item in batch.items:
        assert isinstance(item, NewPost)
        assert item.uri == f"{lasting or server.url}#17"


def test_a_redirect_to_no_feed_moves_nothing(server: FeedServer) -> None:
    server.answer(301, Location="/sign-in")
    server.answer(200, b"<!doctype html><title>The hotel's network</title>")
    with pytest.raises(SourceFaultError, match="/sign-in is not a feed"):
        list(Feed(server.url, private=True).batches(None))


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://["])
def test_a_redirect_off_the_web_is_not_followed(server: FeedServer, place: str) -> None:
    server.answer(302, Location=place)
    assert "cannot be read" in str(_fault(Feed(server.url, private=True)))


def test_cookies_are_neither_kept_nor_sent(server: FeedServer, read: Callable[..., Batch]) -> None:
    server.answer(302, Location="/moved.xml", Set_Cookie="id=42; Path=/")
    server.answer(body=rss(ITEM.format(n=1)))
    assert len(read().items) == 1
    assert [path for path, _ in server.asked] == ["/feed.xml", "/moved.xml"]
    assert server.asked[1][1]["Cookie"] is None


def test_a_broken_entry_is_set_aside_and_the_others_go_on(
    server: FeedServer,
    sessions: sessionmaker[Session],
    source_of: AddSource,
    collect_now: Collect,
) -> None:
    empty = "<item><guid>tag:town,empty</guid></item>"
    server.answer(body=rss(ITEM.format(n=1), empty, ITEM.format(n=2)))
    assert collect_now(source_of(address=server.url), Feed(server.url, private=True)) == 2
    with sessions() as session:
        reject = session.scalars(select(RejectedItem)).one()
        assert "neither a title nor a text" in reject.reason
        assert b"tag:town,empty" in reject.raw
        assert session.scalars(select(SourceEvent)).all() == []


def test_a_feed_cut_in_half_gives_its_first_half(
    server: FeedServer, read: Callable[..., Batch]
) -> None:
    whole = rss(ITEM.format(n=1), ITEM.format(n=2))
    server.answer(body=whole[: whole.index(b"tag:town,2")])
    items = read().items
    assert any(isinstance(item, NewPost) and item.uri == "tag:town,1" for item in items)


def test_a_post_of_100_000_characters_is_stored_whole(
    server: FeedServer, source_of: AddSource, collect_now: Collect, posts: Posts
) -> None:
    words = "<p>" + "word " * 19_999 + "words"
    longer = words + " and more" * 10_000
    server.answer(
        body=rss(
            *(
                f"<item><guid>urn:{len(text)}</guid><description><![CDATA[{text}]]></description></item>"
                for text in (longer, words)
            )
        )
    )
    assert collect_now(source_of(address=server.url), Feed(server.url, private=True)) == 2
    whole, cut = (post.text for post in posts())
    assert whole == words.removeprefix("<p>")
    assert len(whole) == len(cut) == 100_000


def test_an_undated_entry_is_dated_when_it_was_read(
    server: FeedServer, source_of: AddSource, collect_now: Collect, posts: Posts, now: datetime
) -> None:
    server.answer(body=rss("<item><guid>urn:1</guid><title>No date</title></item>"))
    collect_now(source_of(address=server.url), Feed(server.url, private=True))
    assert posts()[0].posted_at == now


def test_ids_that_mean_nothing_elsewhere_get_the_feed_s_address(
    server: FeedServer, read: Callable[..., Batch]
) -> None:
    server.answer(
        body=rss(
            '<item><guid isPermaLink="false">17</guid><title>a</title></item>',
            "<item><link>https://town.example/9</link><title>b</title></item>",
            f"<item><guid>urn:{'x' * 5000}</guid><title>c</title></item>",
            "<item><guid>urn:1</guid><title>d</title><link>javascript:alert(1)</link></item>",
        )
    )
    hostile, long, linked, short = (item for item in read().items if not isinstance(item, Rejected))
    assert isinstance(short, NewPost)
    assert isinstance(linked, NewPost)
    assert isinstance(long, NewPost)
    assert isinstance(hostile, NewPost)
    assert short.uri == f"{server.url}#17"
    assert linked.uri == "https://town.example/9"
    assert long.uri.startswith(f"{server.url}#sha256:")
    assert hostile.url is None


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One</p>\n<p>two<br/>three</p>", "One\ntwo\nthree"),
        ("a <b>bold</b>\n  word", "a bold word"),
        ("5 &lt; 6 &amp;amp; 7", "5 < 6 &amp; 7"),
        ("<script>alert(1)</script><style>p{}</style>safe<!-- no -->", "safe"),
        ("Tom &amp; Jerry&#8217;s&nbsp;day", "Tom & Jerry’s day"),
        ("<img src=x onerror=alert(1)>unclosed <a href='", "unclosed"),
    ],
)
def test_markup_becomes_plain_text(markup: str, text: str) -> None:
    assert plain_text(markup) == text


@pytest.mark.parametrize("piece", ["<br ", "<div>", "</p ", "<b c=", "&", "<!--"])
def test_hostile_markup_takes_no_hours(piece: str) -> None:
    began = time.thread_time()  # of the processor, however busy the machine is
    plain_text(piece * (10**7 // len(piece)))
    assert time.thread_time() - began < 30  # without a bound it would be days


JSON = """{"version": "https://jsonfeed.org/version/1.1", "title": "Our town", "language": "en",
"home_page_url": "https://town.example/", "items": [
 {"id": "https://town.example/2", "url": "/2", "title": "Bridge & road",
  "content_html": "<p>It is <b>closed</b>.</p><p>Until noon.</p>",
  "date_published": "2026-11-23T13:30:00+01:00", "authors": [{"name": "Desk"}]},
 {"id": 1, "content_text": "5 < 6", "language": "es", "author": {"name": "Ana"},
  "date_modified": "2026-11-22T10:00:00Z", "external_url": "https://other.example/x"},
 {"id": "empty"}, "no item", 7, {"title": null, "summary": ["?"]}
]}"""


@pytest.mark.parametrize("content_type", ["application/feed+json", "application/json", "text/xml"])
def test_a_json_feed_gives_the_same_posts(
    server: FeedServer, read: Callable[..., Batch], content_type: str
) -> None:
    server.answer(body=JSON.encode("utf-8-sig"), Content_Type=content_type)
    batch = read()
    assert [item for item in batch.items if isinstance(item, NewPost)] == [
        NewPost(
            uri=f"{server.url}#1",
            author="127.0.0.1/Ana",
            text="5 < 6",
            posted_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
            url="https://other.example/x",
            lang="es",
        ),
        NewPost(
            uri="https://town.example/2",
            author="127.0.0.1/Desk",
            text="Bridge & road\n\nIt is closed.\nUntil noon.",
            posted_at=datetime(2026, 11, 23, 12, 30, tzinfo=UTC),
            url="https://town.example/2",
            lang="en",
        ),
    ]
    assert sum(isinstance(item, Rejected) for item in batch.items) == 4
    assert not batch.last


def test_a_json_feed_may_say_that_it_is_finished(
    server: FeedServer, read: Callable[..., Batch]
) -> None:
    body = b'{"version": "https://jsonfeed.org/version/1", "items": [], "expired": true}'
    server.answer(body=body)
    assert read().last


ADDRESS = "https://feeds.example/town/feed.xml"


def _posts(body: bytes, **how: str) -> list[NewPost]:
    parsed = parse_feed(body, ADDRESS, **how)
    assert all(isinstance(item, NewPost) for item in parsed.items)
    return [item for item in parsed.items if isinstance(item, NewPost)]


def _atom(entry: str, base: str = "") -> bytes:
    return f"""<feed xmlns="http://www.w3.org/2005/Atom" {base}><title>Town</title>
    <link href="https://town.example/"/><entry><title>Words</title>{entry}</entry></feed>""".encode()


@pytest.mark.parametrize(
    ("body", "url"),
    [
        # RSS does not say where relative links start: at the site that the feed belongs to.
        (rss("<item><title>a</title><link>/9</link></item>"), "https://town.example/9"),
        (_atom('<link href="9"/>'), "https://feeds.example/town/9"),
        (
            _atom('<link href="9"/>', 'xml:base="https://base.example/a/"'),
            "https://base.example/a/9",
        ),
        (_atom('<link href="9"/>', 'xml:base="b/"'), "https://feeds.example/town/b/9"),
        (rss("<item><title>a</title><link>http://[odd</link></item>"), None),
        (rss("<item><title>a</title><link>mailto:a@town.example</link></item>"), None),
        (rss("<item><title>a</title></item>"), None),
    ],
)
def test_relative_links_become_whole(body: bytes, url: str | None) -> None:
    (post,) = _posts(body)
    assert post.url == url


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("Mon, 23 Nov 2026 11:30:00 -0500", datetime(2026, 11, 23, 16, 30, tzinfo=UTC)),
        ("2026-11-23T11:30:00Z", datetime(2026, 11, 23, 11, 30, tzinfo=UTC)),
        ("Seg, 24 Set 2018 19:42:40 -0300", datetime(2018, 9, 24, 22, 42, 40, tzinfo=UTC)),
        ("lun., 24 dic. 2018 19:42:40 +0100", datetime(2018, 12, 24, 18, 42, 40, tzinfo=UTC)),
        ("24 de agosto de 2018, 19:42", datetime(2018, 8, 24, 19, 42, tzinfo=UTC)),
        ("mer. 24 août 2018 19:42:40 GMT", datetime(2018, 8, 24, 19, 42, 40, tzinfo=UTC)),
        ("Mi, 24 Okt 2018 19:42:40 GMT", datetime(2018, 10, 24, 19, 42, 40, tzinfo=UTC)),
        ("99 dic 2018", None),
        ("24 foo 2018", None),
        ("soon", None),
        ("", None),
    ],
)
def test_dates_are_read_and_bad_ones_left(written: str, at: datetime | None) -> None:
    (post,) = _posts(rss(f"<item><title>a</title><pubDate>{written}</pubDate></item>"))
    assert post.posted_at == at


@pytest.mark.parametrize(
    ("declared", "charset", "content_type"),
    [
        ("", "utf-8", "text/xml; charset=iso-8859-1"),  # a server's default, and wrong
        ("", "utf-8", "text/html"),
        ('encoding="iso-8859-1"', "iso-8859-1", "text/xml"),
        ("", "windows-1252", ""),
        ("", "koi8-r", "application/rss+xml; charset=koi8-r"),
        ('encoding="gb2312"', "gb18030", ""),
        ('encoding="utf-16"', "utf-16", ""),
    ],
)
def test_encodings_are_understood(declared: str, charset: str, content_type: str) -> None:
    word = {"koi8-r": "Мост", "gb18030": "橋樑"}.get(charset, "Brücke")
    text = f'<?xml version="1.0" {declared}?>' + rss(f"<item><title>{word}</title></item>").decode()
    (post,) = _posts(text.encode(charset), content_type=content_type)
    assert post.text == word


@pytest.mark.parametrize(
    ("tag", "language"), [("pt_BR", "pt-BR"), ("", None), ("x" * 500, None), ("EN", "EN")]
)
def test_languages_are_tags_or_nothing(tag: str, language: str | None) -> None:
    body = f"<rss version='2.0'><channel><language>{tag}</language><item><title>a</title></item>"
    (post,) = _posts(f"{body}</channel></rss>".encode())
    assert post.lang == language


def test_an_atom_entry_has_its_own_language() -> None:
    (post,) = _posts(_atom('<summary xml:lang="fr">mots</summary>', 'xml:lang="de"'))
    assert post.lang == "de"
    other = b'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><entry xml:lang="fr">'
    (post,) = _posts(other + b"<title>Mots</title></entry></feed>")
    assert post.lang == "fr"


def test_a_feed_s_author_wrote_what_no_other_did() -> None:
    atom = b'<feed xmlns="http://www.w3.org/2005/Atom"><author><name>Desk</name></author><entry>'
    (post,) = _posts(atom + b"<title>Words</title></entry></feed>")
    assert post.author == "feeds.example/Desk"
    both = atom + b"<author><name>Ana</name></author><title>Words</title></entry></feed>"
    assert _posts(both)[0].author == "feeds.example/Ana"
    answers = "<managingEditor>chief@town.example</managingEditor>"
    (post,) = _posts(rss("<item><title>Words</title></item>", extra=answers))
    assert post.author == "feeds.example/"
    empty = "<item><title>Words</title><author>Ana</author><author/></item>"
    assert _posts(rss(empty))[0].author == "feeds.example/Ana"
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "authors": [{"name": "Desk"}],
        "items": [{"id": "a:1", "title": "Words"}],
    }
    assert _posts(json.dumps(feed).encode())[0].author == "feeds.example/Desk"


def test_a_page_with_entries_in_it_is_no_feed() -> None:
    page = b"<!-- old --><!DOCTYPE html><html><body><item><title>Words</title></item></body></html>"
    with pytest.raises(SourceFaultError, match="is not a feed"):
        parse_feed(page, ADDRESS)


@pytest.mark.parametrize(
    ("body", "content_type", "sentence"),
    [
        (rss("<item/>" * 20_001), "", "more than 20,000 entries"),
        (b"<rss>" + b"<a>" * 1_000_001, "", "more than 1,000,000 tags"),
        (rss(), "text/xml; charset=punycode", "encoding that no feed uses"),
        (b'<?xml version="1.0" encoding="IDNA"?>' + rss(), "", "encoding that no feed uses"),
        (b'<?xml version="1.0" encoding="undefined"?>' + rss(), "", "is broken"),
        (b'{"version": "https://jsonfeed.org/version/1", "items": {}}', "", "is not a feed"),
        (b"{" * 100_000, "", "is not a feed"),
        (b'{"version": 1, "items": ' + b"[" * 100_000, "", "is not a feed"),
    ],
)
def test_hostile_feeds_are_refused_soon(body: bytes, content_type: str, sentence: str) -> None:
    began = time.monotonic()
    with pytest.raises(SourceFaultError, match=sentence):
        parse_feed(body, ADDRESS, content_type=content_type)
    assert time.monotonic() - began < 10


def test_entities_neither_multiply_nor_reach_for_files() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    for doctype in (
        f'<!DOCTYPE rss [<!ENTITY l0 "ha">{laughs}]>',
        '<!DOCTYPE rss [<!ENTITY l8 SYSTEM "file:///etc/passwd">]>',
    ):
        body = doctype.encode() + rss("<item><title>Words &l8;</title></item>")
        for item in parse_feed(body, ADDRESS).items:
            assert isinstance(item, NewPost)
            assert len(item.text) < 100
            assert "root:" not in item.text


BROKEN = """<rss> <channel> <item> </item> <title> </title> <link> <guid> <entry> </entry> <content
    type= <feed~xmlns="http://www.w3.org/2005/Atom"> <![CDATA[ ]]> <!-- --> &#xD800; &#0; &nosuch;
    &lt;p&gt; http://[ <pubDate> 99~dic~2018 2026-99-99 \x00 é 💥 \ud800 " xhtml"><b>
    <?xml~version='1.0'~encoding=' utf-7 utf-16 hz '?> { [ }"""
PIECES = st.sampled_from(BROKEN.split())


@given(st.lists(PIECES | st.text(max_size=5), max_size=40), st.sampled_from(["", "text/xml"]))
@settings(deadline=None, max_examples=300)
def test_no_feed_however_broken_is_a_surprise(pieces: list[str], content_type: str) -> None:
    body = "".join(pieces).replace("~", " ").encode("utf-8", "surrogatepass")
    with suppress(SourceFaultError):
        _whole(parse_feed(body, ADDRESS, content_type=content_type).items)


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
KEYS = ["id", "url", "title", "content_html", "content_text", "date_published", "authors", "author"]


@given(st.lists(st.dictionaries(st.sampled_from([*KEYS, "language"]), VALUES) | VALUES, max_size=4))
@settings(deadline=None)
def test_no_json_feed_however_odd_is_a_surprise(entries: list[object]) -> None:
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "\ud800", "items": entries}
    parsed = parse_feed(json.dumps(feed).encode(), ADDRESS)
    parsed.title.encode()
    assert len(parsed.items) == len(entries)
    _whole(parsed.items)


def _whole(items: Sequence[Item]) -> None:
    """What is handed on is text and addresses, fit for the database."""
    for item in items:
        if isinstance(item, NewPost):
            assert item.text
            assert item.uri
            item.author.encode()
            assert item.url is None or item.url.startswith(("http://", "https://"))
            assert item.posted_at is None or item.posted_at.tzinfo is UTC
        else:
            assert isinstance(item, Rejected)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("Brücke".encode(), "text/html; charset=iso-8859-1"),
        ("Brücke".encode("latin-1"), "text/html; charset=iso-8859-1"),
        ("Brücke".encode("latin-1"), "text/html; charset=punycode"),
        ("Brücke".encode("latin-1"), "text/html; charset=hex"),
        ("Brücke".encode("utf-16"), ""),
        ("Brücke".encode("utf-8-sig"), ""),
    ],
)
def test_bytes_become_text(body: bytes, content_type: str) -> None:
    assert decoded(body, content_type) == "Brücke"


def test_an_article_s_headline_may_be_shared_and_no_more() -> None:
    policies = Policies([POLICY])
    assert {use for use in USES if policies.permits("web", use)} == {"share"}
    assert POLICY.keep == timedelta(days=30)
