"""Feeds read from a real HTTP server on loopback."""

import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from sources import feeds
from sources.collector import Batch, NewPost, Rejected, SourceFaultError
from sources.feeds import MAX_BYTES, MIN_INTERVAL, Feed, plain_text
from sources.models import RejectedItem, Source, SourceEvent
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
        self.asked: list[tuple[str, Message]] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.http.server_port}/feed.xml"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append((self.path, self.headers))
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
        (batch,) = Feed(server.url, contact="desk@breakwater.example").batches(cursor)
        return batch

    return read


def test_entries_become_posts_oldest_first(server: FeedServer, read: Callable[..., Batch]) -> None:
    server.answer(body=rss(ITEM.format(n=2), ITEM.format(n=1)))
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
    assert (batch.seen, batch.next_poll_in) == (2, MIN_INTERVAL)
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
    assert collect_now(source, Feed(server.url)) == 1
    assert collect_now(source, Feed(server.url)) == 0
    assert collect_now(source, Feed(server.url)) == 0
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
    assert collect_now(source, Feed(server.url)) == 2
    server.answer(body=rss(ITEM.format(n=2), ITEM.format(n=1), nameless))
    server.answers.pop(0)
    assert collect_now(source, Feed(server.url)) == 1
    assert len(posts()) == 3


@pytest.mark.parametrize(
    ("extra", "interval"),
    [
        ("", timedelta(hours=1)),
        ("<ttl>15</ttl>", timedelta(hours=1)),
        ("<ttl>180</ttl>", timedelta(hours=3)),
        ("<ttl>soon</ttl>", timedelta(hours=1)),
        ("<ttl>99999999999999</ttl>", timedelta(days=1)),
        (
            '<sy:updatePeriod xmlns:sy="http://purl.org/rss/1.0/modules/syndication/">daily'
            '</sy:updatePeriod><sy:updateFrequency xmlns:sy="http://purl.org/rss/1.0/modules/'
            'syndication/">4</sy:updateFrequency>',
            timedelta(hours=6),
        ),
    ],
)
def test_the_feed_says_how_often(
    server: FeedServer, read: Callable[..., Batch], extra: str, interval: timedelta
) -> None:
    server.answer(body=rss(extra=extra))
    batch = read()
    assert batch.next_poll_in == interval
    server.answer(304)
    server.answers.pop(0)
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
    fault = _fault(Feed(server.url))
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
    collect_now(source, Feed(server.url))
    with sessions() as session:
        assert session.get_one(Source, source.id).next_poll_at == now + timedelta(hours=2)


def test_a_feed_that_is_gone_is_asked_no_more(
    server: FeedServer,
    sessions: sessionmaker[Session],
    source_of: AddSource,
    collect_now: Collect,
    now: datetime,
) -> None:
    server.answer(410)
    collect_now(source_of(address=server.url), Feed(server.url))
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
    assert sentence in str(_fault(Feed(server.url)))


def test_circles_silence_and_dead_ends_give_a_sentence(
    server: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer(302, Location="/feed.xml")
    assert "in circles" in str(_fault(Feed(server.url)))
    assert "nothing answers" in str(_fault(Feed("http://127.0.0.1:1/feed")))
    assert "its name is not known here" in str(_fault(Feed("http://no-such-host.invalid/feed")))
    server.answers[:] = [Answer(200, rss(ITEM.format(n=1)), {"Content-Encoding": "gzip"})]
    assert "cannot be read" in str(_fault(Feed(server.url)))


def test_a_packing_we_did_not_ask_for_is_refused_unopened(server: FeedServer) -> None:
    server.answer(body=b"(\xb5/\xfd", Content_Encoding="zstd")
    assert "did not ask for" in str(_fault(Feed(server.url)))


def test_a_small_bomb_never_becomes_a_large_body(server: FeedServer) -> None:
    server.answer(body=gzip.compress(bytes(40 * MAX_BYTES)), Content_Encoding="gzip")
    tracemalloc.start()
    try:
        assert "too long for a feed" in str(_fault(Feed(server.url)))
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
    monkeypatch.setattr(feeds, "DEADLINE", 1.0)
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
        assert "in time" in str(_fault(Feed(address)))
        thread.join()
        assert time.monotonic() - began < 8  # not the ten seconds of the whole drip


def test_a_hostile_author_does_not_hold_everybody_up(
    server: FeedServer, read: Callable[..., Batch]
) -> None:
    entry = "<item><guid>1</guid><title>Words</title><author>{}</author></item>"
    server.answer(body=rss(entry.format("a" * 1_000_000)))
    began = time.monotonic()
    assert read().seen == 1
    assert time.monotonic() - began < 10  # an hour and more without the cut


def test_cookies_are_neither_kept_nor_sent(server: FeedServer, read: Callable[..., Batch]) -> None:
    server.answer(302, Location="/moved.xml", Set_Cookie="id=42; Path=/")
    server.answer(body=rss(ITEM.format(n=1)))
    assert read().seen == 1
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
    assert collect_now(source_of(address=server.url), Feed(server.url)) == 2
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
    assert collect_now(source_of(address=server.url), Feed(server.url)) == 2
    whole, cut = (post.text for post in posts())
    assert whole == words.removeprefix("<p>")
    assert len(whole) == len(cut) == 100_000


def test_an_undated_entry_is_dated_when_it_was_read(
    server: FeedServer, source_of: AddSource, collect_now: Collect, posts: Posts, now: datetime
) -> None:
    server.answer(body=rss("<item><guid>urn:1</guid><title>No date</title></item>"))
    collect_now(source_of(address=server.url), Feed(server.url))
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
    began = time.monotonic()
    plain_text(piece * (10**7 // len(piece)))
    assert time.monotonic() - began < 30  # on a busy machine; without a bound it would be days
