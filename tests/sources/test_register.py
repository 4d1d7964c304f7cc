import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sources import register
from sources.collect import record_failure, save_batch
from sources.collector import (
    Batch,
    Item,
    NewPost,
    Rejected,
    SourceFaultError,
)
from sources.matching import Rule
from sources.models import Source, SourceEvent
from sources.watches import save_watch
from tests.sources.conftest import make_intake


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("feed", " https://news.example/rss ", "https://news.example/rss"),
        ("jetstream", "wss://jetstream.example/subscribe", "wss://jetstream.example/subscribe"),
        ("firehose", "ws://localhost:2583", "ws://localhost:2583"),
        ("reddit", "/r/Springfield/", "Springfield"),
    ],
)
def test_adds_a_source(session: Session, now: datetime, kind: str, given: str, kept: str) -> None:
    source = register.add_source(session, kind, given, "  Our   town ", now)
    assert (source.address, source.name, source.created_at) == (kept, "Our town", now)


@pytest.mark.parametrize(
    ("kind", "address", "sentence"),
    [
        ("fax", "123", "no kind of source"),
        ("feed", "", "needs an address"),
        ("feed", "ftp://news.example/rss", "must begin with http:// or https://"),
        ("feed", "https://", "must begin with"),
        ("feed", "https://[news", "must begin with"),
        ("feed", "https://news.example:99999/", "must begin with"),
        ("feed", "https://news.example/a b", "must begin with"),
        ("feed", "https://me:secret@news.example/", "holds a password"),
        ("jetstream", "https://jetstream.example", "must begin with ws:// or wss://"),
        ("reddit", "https://reddit.com/r/news", "no name of a subreddit"),
    ],
)
def test_refuses_what_it_could_not_read(
    session: Session, now: datetime, kind: str, address: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        register.add_source(session, kind, address, "name", now)


def test_refuses_a_source_twice(session: Session, now: datetime) -> None:
    register.add_source(session, "reddit", "r/news", "News", now)
    with pytest.raises(ValueError, match="on the list already, as “News”"):
        register.add_source(session, "reddit", "news", "Other", now)


def test_a_paused_source_is_neither_due_nor_streamed(session: Session, now: datetime) -> None:
    feed = register.add_source(session, "feed", "https://news.example/rss", "", now)
    later = register.add_source(session, "feed", "https://later.example/rss", "", now)
    later.next_poll_at = now + timedelta(minutes=1)
    stream = register.add_source(session, "jetstream", "wss://jetstream.example", "", now)
    assert register.due_sources(session, now) == [feed]
    assert register.due_sources(session, now + timedelta(hours=1)) == [feed, later]
    assert register.streamed_sources(session) == [stream]

    for source in (feed, stream):
        register.pause(session, source, 7, "too noisy", now)
        register.pause(session, source, 8, "a second click changes nothing", now)
    assert register.due_sources(session, now) == []
    assert register.streamed_sources(session) == []
    event = session.scalars(select(SourceEvent).where(SourceEvent.source_id == feed.id)).one()
    assert (event.kind, event.by, event.detail, event.at) == ("paused", 7, "too noisy", now)

    feed.next_poll_at = now + timedelta(days=1)
    register.resume(session, feed, 7, "", now)
    register.resume(session, stream, 7, "", now)
    assert register.due_sources(session, now) == [feed]
    assert register.streamed_sources(session) == [stream]


def _health(session: Session, source: Source, at: datetime) -> register.SourceHealth:
    return next(line for line in register.health(session, at) if line.source.id == source.id)


def test_health_follows_a_feed_through_its_states(session: Session, now: datetime) -> None:
    feed = register.add_source(session, "feed", "https://news.example/rss", "", now)
    assert _health(session, feed, now).state == "waiting"
    assert _health(session, feed, now).lag is None

    items: list[Item] = [
        NewPost("a", "x", "new", now - timedelta(minutes=10)),
        NewPost("b", "x", "old", now - timedelta(hours=3)),
        Rejected("broken", b"<"),
    ]
    batch = Batch(items, {}, next_poll_in=timedelta(hours=1))
    intake = make_intake()
    save_watch(session, None, "All", Rule(everything=True), None, now)
    save_batch(session, feed, batch, "web", intake, now)
    line = _health(session, feed, now)
    assert line.state == "running"
    assert re.fullmatch(r"Next look in 6\d min\.", line.detail)
    assert (line.lag, line.day, line.rejected) == (600, 2, 1)
    assert (line.source.seen, line.source.kept) == (2, 2)
    assert [(hour.seen, hour.kept) for hour in line.hours] == [(0, 0)] * 23 + [(2, 2)]
    assert line.rate == pytest.approx(2 / 60)

    overdue = _health(session, feed, now + timedelta(hours=2))
    assert (overdue.state, "worker" in overdue.detail) == ("waiting", True)

    record_failure(session, feed, SourceFaultError("It does not answer."), now)
    line = _health(session, feed, now)
    assert (line.state, line.detail) == ("failing", "It does not answer.")

    register.pause(session, feed, 7, "holiday", now)
    assert _health(session, feed, now).state == "paused"
    register.resume(session, feed, 7, "", now)
    save_batch(session, feed, batch, "web", intake, now)
    assert _health(session, feed, now).state == "running"

    record_failure(session, feed, SourceFaultError("Gone for good.", final=True), now)
    line = _health(session, feed, now)
    assert (line.state, line.detail) == ("off", "Gone for good.")


def test_a_silent_stream_is_waiting(session: Session, now: datetime) -> None:
    stream = register.add_source(session, "jetstream", "wss://jetstream.example", "", now)
    save_batch(session, stream, Batch((), {}), "bluesky", make_intake(), now)
    assert _health(session, stream, now).state == "running"
    assert _health(session, stream, now + timedelta(minutes=10)).state == "waiting"


def test_nothing_is_counted_for_an_empty_register(session: Session, now: datetime) -> None:
    assert register.health(session, now) == []
    assert session.scalar(select(func.count()).select_from(SourceEvent)) == 0
