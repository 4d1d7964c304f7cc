"""The sources page: what is read and how it fares, in words; adding, pausing, lists, removals."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from desk.wiring import Wiring
from sources import register
from sources.collect import record_failure, save_batch
from sources.collector import Batch, NewPost, Rejected, SourceFaultError
from sources.matching import Rule
from sources.models import Erasure, Post, Source
from sources.watches import save_watch
from tests.desk.conftest import Cast, Client
from tests.sources.test_feeds import Answer, FeedServer, server  # noqa: F401

POISON = b'{"did": "cut in ha<script>alert(1)</script>'
POST = NewPost(
    uri="at://did:plc:ann/app.bsky.feed.post/3mabc",
    author="did:plc:ann",
    text="The bridge is closed.",
    posted_at=None,
    url="https://bsky.app/profile/did:plc:ann/post/3mabc",
)


@pytest.fixture
def stream(wiring: Wiring) -> int:
    """A stream that has brought a post, a poison message and a fault."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        save_watch(session, None, "Everything", Rule(everything=True), None, now)
        source = register.add_source(session, "jetstream", "wss://jetstream.example", "Sky", now)
        items = [POST, Rejected("unreadable event: it ends too early", POISON)]
        posted = now - timedelta(seconds=42)
        batch = Batch([replace(items[0], posted_at=posted), items[1]], {"time_us": 1})
        save_batch(session, source, batch, "bluesky", wiring.intake, now)
        return source.id


def test_a_poison_message_is_shown_with_its_bytes_and_its_reason(
    cast: Cast, client: Client, stream: int
) -> None:
    monitor = client(cast.monitor)
    page = monitor.get("/sources").text
    assert "1 broken" in page
    assert "Reading as it comes." in page  # the stream goes on
    one = monitor.get(f"/sources/{stream}").text
    assert "it ends too early" in one
    assert "cut in ha&lt;script&gt;" in one
    assert "<script>alert" not in one


def test_lag_rate_and_the_last_fault_are_in_words(
    wiring: Wiring, cast: Cast, client: Client, stream: int
) -> None:
    page = client(cast.monitor).get("/sources").text
    assert any(f"<dd>{seconds} s</dd>" in page for seconds in range(42, 60))
    assert "1 of 1" in page
    with wiring.sessions.begin() as session:
        fault = SourceFaultError("wss://jetstream.example closed the stream.")
        record_failure(session, session.get_one(Source, stream), fault, datetime.now(UTC))
    page = client(cast.monitor).get("/sources").text
    assert "wss://jetstream.example closed the stream." in page
    assert "failing" in page


def test_the_policy_of_a_platform_stands_on_the_page_of_its_source(
    cast: Cast, client: Client, stream: int
) -> None:
    page = client(cast.monitor).get(f"/sources/{stream}").text
    assert "May not</strong> be used to train a model" in page
    assert "Their posts come back with them." in page
    assert "Looked up every 24 h" in page


def test_a_source_is_added_paused_and_resumed(
    wiring: Wiring, cast: Cast, client: Client, stream: int
) -> None:
    monitor = client(cast.monitor)
    answer = monitor.post("/sources", data={"kind": "feed", "address": "gazette", "name": "Mine"})
    assert answer.status_code == 422
    assert "must begin with http:// or https://" in answer.text
    assert "Mine" in answer.text
    assert monitor.post(f"/sources/{stream}/pause", data={"why": "Too loud"}).status_code == 303
    assert "Too loud" in monitor.get("/sources").text
    assert monitor.post(f"/sources/{stream}/resume", data={"why": "Quiet"}).status_code == 303
    assert "paused" not in monitor.get("/sources").text
    events = monitor.get(f"/sources/{stream}").text
    assert "Too loud" in events
    assert "by Maya" in events
    assert client(cast.leader).post(f"/sources/{stream}/pause").status_code == 403


def test_lists_of_feeds_come_and_go(wiring: Wiring, cast: Cast, client: Client) -> None:
    monitor = client(cast.monitor)
    outline = '<outline type="rss" text="{0} &amp; Co" xmlUrl="https://{0}.example/rss"/>'
    body = "".join(outline.format(name) for name in ("gazette", "herald"))
    opml = f'<opml version="2.0"><head/><body>{body}</body></opml>'.encode()
    answer = monitor.post("/sources/opml", files={"file": ("feeds.opml", opml)})
    assert "2 feeds were added." in answer.text
    again = monitor.post("/sources/opml", files={"file": ("feeds.opml", opml)})
    assert "0 feeds were added." in again.text
    assert "https://herald.example/rss is on the list already" in again.text
    out = monitor.get("/sources/feeds.opml")
    assert "attachment" in out.headers["content-disposition"]
    assert b'xmlUrl="https://gazette.example/rss"' in out.content
    broken = monitor.post("/sources/opml", files={"file": ("feeds.opml", b"no list")})
    assert broken.status_code == 422


@pytest.fixture
def private(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The setting under which addresses of this machine may be read."""
    monkeypatch.setenv("BREAKWATER_PRIVATE_ADDRESSES", "true")
    return


def test_a_page_s_feeds_are_found_and_offered(
    private: None,
    server: FeedServer,  # noqa: F811
    cast: Cast,
    client: Client,
) -> None:
    head = '<link rel="alternate" type="application/rss+xml" title="Town" href="/rss">'
    page = f"<!DOCTYPE html><html><head>{head}</head></html>".encode()
    server.pages = {"/news": Answer(200, page, {"Content-Type": "text/html"})}
    address = server.url.removesuffix("/feed.xml") + "/news"
    found = client(cast.monitor).post("/sources/find", data={"kind": "feed", "address": address})
    assert "Feeds found there" in found.text
    assert address.replace("/news", "/rss") in found.text


def test_addresses_of_this_network_are_not_read(cast: Cast, client: Client) -> None:
    asked = {"kind": "feed", "address": "http://127.0.0.1:5432/", "name": "In here"}
    answer = client(cast.monitor).post("/sources/find", data=asked)
    assert answer.status_code == 422
    assert "only public addresses are asked" in answer.text
    assert "In here" in answer.text


def test_a_post_is_taken_out_because_somebody_asked(
    wiring: Wiring, cast: Cast, client: Client, stream: int
) -> None:
    monitor = client(cast.monitor)
    refused = monitor.post("/sources/removals", data={"post": POST.url, "why": " "})
    assert refused.status_code == 422
    assert str(POST.url) in refused.text
    done = monitor.post("/sources/removals", data={"post": POST.url, "why": "She asked"})
    assert "The post was removed" in done.text
    with wiring.sessions() as session:
        assert session.scalars(select(Post)).all() == []
        (line,) = session.scalars(select(Erasure)).all()
        assert line.reason == "asked for: She asked"
        assert line.by == cast.monitor.id
