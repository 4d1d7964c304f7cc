from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, sessionmaker

from monitor.models import Reading
from monitor.narratives.narratives import hour_of
from sources import register, watches
from sources.collect import (
    JITTER,
    KEEP_REJECTS,
    MAX_FEED_REJECT_BYTES,
    MAX_REJECT_BYTES,
    MAX_REJECTS,
    MIN_BACK_OFF,
    record_failure,
    save_batch,
)
from sources.collector import (
    Batch,
    Item,
    NewPost,
    Rejected,
    Removal,
    SourceFaultError,
    plain_words,
)
from sources.matching import Rule
from sources.models import Erasure, Post, RejectedItem, Source, SourceEvent
from sources.pseudonyms import erased_name, linked_name
from tests.sources.conftest import KEY, AddSource, Collect, Posts, make_intake

ALICE, BOB = "did:plc:alice", "did:plc:bob"
MADE = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)


def _uri(did: str = ALICE, rkey: str = "1") -> str:
    return f"at://{did}/app.bsky.feed.post/{rkey}"


def _post(did: str = ALICE, rkey: str = "1", text: str = "hello", **fields: Any) -> NewPost:
    return replace(NewPost(_uri(did, rkey), did, text, posted_at=MADE), **fields)


def _gone(did: str = ALICE, rkey: str = "1") -> Removal:
    return Removal("post", _uri(did, rkey), "deleted by its author")


def _account_gone(did: str = ALICE) -> Removal:
    return Removal("account", did, "account deactivated")


def _save(session: Session, source: Source, *items: Item, now: datetime, **fields: Any) -> int:
    batch = replace(Batch(items, cursor={"at": 1}), **fields)
    return _save_batch(session, source, batch, "bluesky", now)


def _save_batch(
    session: Session, source: Source, batch: Batch, platform: str, now: datetime
) -> int:
    """Save with one watch that asks for everything."""
    if not watches.current(session):
        watches.save_watch(session, None, "All", Rule(everything=True), None, now)
    return save_batch(session, source, batch, platform, make_intake(), now)


def _texts(session: Session) -> dict[str, str]:
    return dict(session.execute(select(Post.uri, Post.text)).all())


@pytest.fixture
def stream(session: Session, now: datetime) -> Source:
    return register.add_source(session, "jetstream", "wss://jetstream.example", "", now)


@pytest.fixture
def feed(session: Session, now: datetime) -> Source:
    return register.add_source(session, "feed", "https://news.example/rss", "", now)


class Script:
    """A collector that plays prepared batches, then fails if it has a fault to give."""

    platform = "bluesky"

    def __init__(self, *batches: Batch, fault: Exception | None = None) -> None:
        self.script = batches
        self.fault = fault
        self.asked_from: list[dict[str, Any] | None] = []

    def batches(self, cursor: dict[str, Any] | None) -> Generator[Batch]:
        self.asked_from.append(cursor)
        yield from self.script
        if self.fault is not None:
            raise self.fault


# Saving one batch


def test_a_batch_is_saved_with_its_cursor_and_counters(
    session: Session, stream: Source, now: datetime
) -> None:
    post = _post(url="https://bsky.app/x", lang="en", reply_to=_uri(BOB, "9"))
    assert _save(session, stream, post, Rejected("cut in half", b'{"did":'), now=now) == 1
    row = session.scalars(select(Post)).one()
    assert (row.platform, row.uri, row.text, row.lang) == ("bluesky", _uri(), "hello", "en")
    assert row.url == "https://bsky.app/x"
    # The parent's own address would outlive its removal.
    assert row.reply_to == linked_name(KEY, "bluesky", _uri(BOB, "9"))
    assert (row.posted_at, row.collected_at) == (MADE, now)
    assert ALICE not in row.author
    assert len(row.author) == 16
    assert (stream.seen, stream.kept, stream.cursor) == (1, 1, {"at": 1})
    assert (stream.last_batch_at, stream.newest_post_at) == (now, MADE)
    assert stream.next_poll_at is None
    reject = session.scalars(select(RejectedItem)).one()
    assert (reject.reason, reject.raw, reject.at) == ("cut in half", b'{"did":', now)


def test_a_known_post_stays_as_it_is(session: Session, stream: Source, now: datetime) -> None:
    assert _save(session, stream, _post(text="first"), now=now) == 1
    assert _save(session, stream, _post(text="second"), _post(rkey="2"), now=now) == 1
    assert _texts(session) == {_uri(): "first", _uri(rkey="2"): "hello"}
    assert stream.kept == 2


@pytest.mark.parametrize(
    ("items", "left"),
    [
        ([_post(), _gone()], {}),
        ([_gone(), _post(text="back")], {_uri(): "back"}),
        ([_gone(), _post(text="edited")], {_uri(): "edited"}),
        ([_post(), _post(BOB), _account_gone()], {_uri(BOB): "hello"}),
        ([_account_gone(), _post(text="after")], {_uri(): "after"}),
        ([_post(text="a"), _gone(), _post(text="b"), _gone(), _post(text="c")], {_uri(): "c"}),
    ],
)
@pytest.mark.parametrize("there_before", [False, True])
def test_items_take_effect_in_order(
    session: Session,
    stream: Source,
    now: datetime,
    items: list[Item],
    left: dict[str, str],
    there_before: bool,
) -> None:
    if there_before:
        _save(session, stream, _post(text="before"), now=now)
    _save(session, stream, *items, now=now)
    assert _texts(session) == left


def test_a_removal_takes_the_reading_along_and_leaves_only_a_hash(
    session: Session, stream: Source, now: datetime
) -> None:
    _save(session, stream, _post(), _post(rkey="2"), _post(BOB), now=now)
    for post in session.scalars(select(Post)):
        session.add(
            Reading(
                post_id=post.id,
                embedding=np.ones(3, np.float32),
                embedder="test",
                level=0,
                threat_level="none",
                stance="none",
                reasons=[],
                scorer="test",
                copy_of=post.id,
                hour=hour_of(now),
                read_at=now,
            )
        )
    session.flush()
    _save(session, stream, _account_gone(ALICE), _gone(BOB, "never stored"), now=now)
    assert list(_texts(session)) == [_uri(BOB)]
    assert len(session.scalars(select(Reading)).all()) == 1
    erasures = session.scalars(select(Erasure)).all()
    assert {erasure.uri_sha256 for erasure in erasures} == {
        erased_name(KEY, "bluesky", _uri(rkey=rkey)) for rkey in "12"
    }
    assert {(erasure.reason, erasure.at) for erasure in erasures} == {("account deactivated", now)}


def test_an_edit_replaces_a_post_only_if_it_says_something_else(
    session: Session, stream: Source, now: datetime
) -> None:
    def ids() -> list[int]:
        return list(session.scalars(select(Post.id)))

    _save(session, stream, _post(text="nul\x00"), now=now)
    (first,) = ids()
    assert _save(session, stream, _post(text="nul", edit=True), now=now) == 0
    assert ids() == [first]
    assert session.scalars(select(Erasure)).all() == []
    again = [_post(text="a"), _post(text="b", edit=True), _post(text="a")]
    assert _save(session, stream, *again, now=now) == 1
    assert _texts(session) == {_uri(): "b"}
    assert session.scalars(select(Erasure.reason)).all() == ["edited by its author"]
    (second,) = ids()
    assert _save(session, stream, *again, now=now) == 0
    assert (ids(), first == second, stream.kept) == ([second], False, 2)


# What could not be read


def _set_aside(session: Session) -> list[tuple[str, bytes]]:
    kept = select(RejectedItem.reason, RejectedItem.raw).order_by(RejectedItem.id)
    return [(reason, raw) for reason, raw in session.execute(kept)]


def test_a_broken_item_is_kept_once_cut_to_size_and_for_a_week(
    session: Session, stream: Source, feed: Source, now: datetime
) -> None:
    long = b"x" * 10**6
    for source, longest in ((stream, MAX_REJECT_BYTES), (feed, MAX_FEED_REJECT_BYTES)):
        for _ in range(2):
            broken = [Rejected("no text", b"a"), Rejected("no text", long), Rejected("b", b"a")]
            _save(session, source, *broken, *broken, now=now)
        mine = [("no text", b"a"), ("no text", b"x" * longest), ("b", b"a")]
        assert _set_aside(session)[-3:] == mine
    assert len(_set_aside(session)) == 6
    _save(session, stream, now=now + KEEP_REJECTS)
    assert len(_set_aside(session)) == 6
    _save(session, stream, now=now + KEEP_REJECTS + timedelta(seconds=1))
    assert _set_aside(session) == []  # the feed's too, though nobody reads it any more


def test_a_source_that_is_broken_throughout_does_not_fill_the_disk(
    session: Session, stream: Source, now: datetime
) -> None:
    broken = [Rejected("no text", str(n).encode()) for n in range(MAX_REJECTS + 50)]
    _save(session, stream, *broken, now=now)
    _save(session, stream, *broken[::-1], now=now)
    assert len(_set_aside(session)) == MAX_REJECTS


@pytest.mark.parametrize(
    ("platform", "removal", "raw"),
    [
        ("bluesky", _account_gone(), b'{"did":"did:plc:alice","commit":'),
        (
            "bluesky",
            _gone(),
            b'{"did":"did:plc:alice","app.bsky.feed.post","rkey":"1"',
        ),
        ("reddit", Removal("post", "reddit:t3_s1", "removed on Reddit"), b'{"name": "t3_s1"}'),
    ],
)
def test_a_removal_takes_along_what_could_not_be_read(
    session: Session, now: datetime, platform: str, removal: Removal, raw: bytes
) -> None:
    kind, address = ("reddit", "news") if platform == "reddit" else ("firehose", "wss://a.example")
    source = register.add_source(session, kind, address, "", now)
    for items in ([Rejected("broken", raw), Rejected("broken", b"other")], [removal]):
        batch = Batch(items, {})
        _save_batch(session, source, batch, platform, now)
    assert _set_aside(session) == [("broken", b"other")]


def test_an_account_s_removal_spares_names_that_begin_alike(
    session: Session, stream: Source, now: datetime
) -> None:
    names = ["did:web:a_b", "did:web:axb", "did:web:a_b.example", "did:web:a_"]
    _save(session, stream, *(_post(did) for did in names), now=now)
    _save(session, stream, _account_gone("did:web:a_b"), now=now)
    assert list(_texts(session)) == [_uri(did) for did in names[1:]]


def test_a_removal_on_one_platform_does_not_touch_another(
    session: Session, stream: Source, feed: Source, now: datetime
) -> None:
    batch = Batch([_post()], {})
    _save_batch(session, feed, batch, "web", now)
    _save(session, stream, _gone(), _account_gone(), now=now)
    assert list(_texts(session)) == [_uri()]


def test_text_that_postgresql_cannot_hold_is_mended(
    session: Session, stream: Source, now: datetime
) -> None:
    post = _post(text="nul\x00 lone \ud83d half, whole \ud83d\ude00", lang="e\x00n")
    _save(session, stream, post, Rejected("bad \x00 \udc00", b"\x00"), now=now)
    row = session.scalars(select(Post)).one()
    assert (row.text, row.lang) == ("nul lone \ufffd half, whole 😀", "en")
    _save(session, stream, _gone(), now=now)
    assert _texts(session) == {}


def test_a_very_long_post_is_stored_whole_and_a_very_long_address_is_set_aside(
    session: Session, stream: Source, now: datetime
) -> None:
    long = "ä" * 100_000
    longer = _post(rkey="2", text=long + "and more")
    _save(session, stream, _post(text=long), longer, _post(rkey="x" * 3000), now=now)
    assert _texts(session) == {_uri(): long, _uri(rkey="2"): long}
    assert "too long" in session.scalars(select(RejectedItem)).one().reason


@pytest.mark.parametrize(
    ("claimed", "stored"),
    [
        (timedelta(days=400), timedelta(0)),
        (timedelta(minutes=3), timedelta(minutes=3)),
        (timedelta(days=-2), timedelta(days=-2)),
        (timedelta(days=-365 * 50), timedelta(0)),
        (None, timedelta(0)),
    ],
)
def test_impossible_dates_become_now(
    session: Session,
    stream: Source,
    now: datetime,
    claimed: timedelta | None,
    stored: timedelta,
) -> None:
    at = None if claimed is None else now + claimed
    _save(session, stream, _post(posted_at=at), now=now)
    assert session.scalars(select(Post.posted_at)).one() == now + stored
    assert stream.newest_post_at == min(now, now + stored)


def test_the_newest_post_read_counts_even_when_it_was_not_kept(
    session: Session, stream: Source, now: datetime
) -> None:
    _save(session, stream, now=now, newest=now - timedelta(seconds=2))
    assert stream.newest_post_at == now - timedelta(seconds=2)
    _save(session, stream, _post(posted_at=now - timedelta(days=3)), now=now)
    assert stream.newest_post_at == now - timedelta(seconds=2)


def test_the_cursor_is_never_ahead_of_the_data(
    sessions: sessionmaker[Session], source_of: AddSource, now: datetime
) -> None:
    source = source_of("jetstream", "wss://jetstream.example")
    with sessions() as session:
        mine = session.get_one(Source, source.id)
        broken = _post(rkey="2", lang=3)  # a type that no column takes
        with pytest.raises(AttributeError):
            _save(session, mine, _post(), broken, now=now, cursor={"at": 99})
        session.rollback()
    with sessions() as session:
        assert session.get_one(Source, source.id).cursor is None
        assert _texts(session) == {}


def test_two_streams_with_the_same_posts_do_not_lock_each_other_out(
    sessions: sessionmaker[Session],
    source_of: AddSource,
    posts: Posts,
    everything: int,
    now: datetime,
) -> None:
    mine = source_of("jetstream", "wss://jetstream.example")
    yours = source_of("firehose", "wss://relay.example")
    news = [_post(rkey=str(n)) for n in range(100)]

    def save(source: Source, items: list[NewPost]) -> int:
        stored = 0
        for start in range(0, len(items), 10):
            with sessions.begin() as session:
                row = session.get_one(Source, source.id)
                stored += _save(session, row, *items[start : start + 10], now=now)
        return stored

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(save, mine, news), pool.submit(save, yours, news[::-1])]
    assert sum(one.result() for one in both) == len(posts()) == 100


# Order, by property: whatever happened and however often it is told, the end is the same.

Told = tuple[str, str, str, str]  # (what, did, rkey, text)
TOLD = st.tuples(
    st.sampled_from(["create", "update", "delete", "account"]),
    st.sampled_from([ALICE, BOB]),
    st.sampled_from(["1", "2"]),
    st.sampled_from(["red", "green", "blue"]),
)


def _items(told: Told) -> list[Item]:
    what, did, rkey, text = told
    match what:
        case "create":
            return [_post(did, rkey, text)]
        case "update":
            return [_post(did, rkey, text, edit=True)]
        case "delete":
            return [_gone(did, rkey)]
        case _:
            return [_account_gone(did)]


def _model(story: list[Told]) -> dict[str, str]:
    there: dict[str, str] = {}
    for what, did, rkey, text in story:
        match what:
            case "create":
                there.setdefault(_uri(did, rkey), text)
            case "update":
                there[_uri(did, rkey)] = text
            case "delete":
                there.pop(_uri(did, rkey), None)
            case _:
                there = {uri: text for uri, text in there.items() if f"/{did}/" not in uri}
    return there


@given(
    story=st.lists(TOLD, max_size=12),
    restarts=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=3),
    size=st.integers(1, 20),
)
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_with_replays_ends_like_the_model(
    session: Session,
    stream: Source,
    now: datetime,
    story: list[Told],
    restarts: list[tuple[int, int]],
    size: int,
) -> None:
    session.execute(delete(Post))
    # A connection that breaks is taken up again at an earlier place; the last one reaches the end.
    runs = [story[min(a, b) : max(a, b)] for a, b in sorted(restarts, key=max)]
    reached = max((max(pair) for pair in restarts), default=0)
    runs = [story[:reached], *runs, story[min(reached, *(min(p) for p in restarts), 12) :]]
    for run in runs:
        items = [item for told in run for item in _items(told)]
        for start in range(0, len(items), size):
            _save(session, stream, *items[start : start + size], now=now)
    assert _texts(session) == _model(story)


# Failures


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (OSError(113, "No route to host"), "No route to host"),
        (OSError("[SSL: WRONG_VERSION_NUMBER] wrong version (_ssl.c:1006)"), "wrong version"),
        (TimeoutError("timed out"), "it does not answer in time"),
        (ValueError(), "ValueError"),
    ],
)
def test_what_went_wrong_is_said_in_plain_words(fault: Exception, words: str) -> None:
    assert plain_words(fault) == words


def test_an_outage_is_one_event_and_its_end_another(
    session: Session, feed: Source, now: datetime
) -> None:
    for minutes in (0, 20, 60):
        fault = SourceFaultError("It does not answer.")
        record_failure(session, feed, fault, now + timedelta(minutes=minutes))
    record_failure(session, feed, SourceFaultError("It answers 500."), now + timedelta(hours=3))
    _save(session, feed, now=now + timedelta(hours=9))
    _save(session, feed, now=now + timedelta(hours=10))
    events = session.scalars(select(SourceEvent).order_by(SourceEvent.id)).all()
    assert [(event.kind, event.detail) for event in events] == [
        ("failed", "It does not answer."),
        ("failed", "It answers 500."),
        ("recovered", ""),
    ]


def test_the_wait_grows_with_the_outage_up_to_a_day(
    session: Session, feed: Source, now: datetime
) -> None:
    waits: list[timedelta] = []
    for after in (timedelta(0), timedelta(hours=1), timedelta(hours=7), timedelta(days=9)):
        record_failure(session, feed, SourceFaultError("It does not answer."), now + after)
        assert feed.next_poll_at is not None
        waits.append(feed.next_poll_at - now - after)
    least = [MIN_BACK_OFF, timedelta(hours=1), timedelta(hours=7), timedelta(days=1)]
    for wait, expected in zip(waits, least, strict=True):  # never earlier; spread by JITTER
        assert expected <= wait <= expected * (1 + JITTER)
    asked = SourceFaultError("Later, please.", retry_in=timedelta(days=3))
    record_failure(session, feed, asked, now)
    assert now + timedelta(days=3) <= feed.next_poll_at <= now + timedelta(days=3) * (1 + JITTER)


def test_a_final_fault_switches_the_source_off_until_a_person_resumes_it(
    session: Session, feed: Source, now: datetime
) -> None:
    record_failure(session, feed, SourceFaultError("Gone for good.", final=True), now)
    assert register.due_sources(session, now + timedelta(days=30)) == []
    register.resume(session, feed, 7, "it has come back", now)
    assert register.due_sources(session, now) == [feed]


# The driver


def test_the_driver_commits_batch_by_batch_and_goes_on_from_the_cursor(
    source_of: AddSource, collect_now: Collect, posts: Posts
) -> None:
    source = source_of()
    script = Script(
        Batch([_post()], {"at": 1}, timedelta(hours=1)),
        Batch([_post(rkey="2")], {"at": 2}, timedelta(hours=1)),
    )
    assert collect_now(source, script) == 2
    assert collect_now(source, script) == 0
    assert script.asked_from == [None, {"at": 2}]
    assert len(posts()) == 2


def test_a_fault_after_some_batches_loses_none_of_them(
    sessions: sessionmaker[Session], source_of: AddSource, collect_now: Collect, posts: Posts
) -> None:
    source = source_of()
    fault = SourceFaultError("The line broke.")
    assert collect_now(source, Script(Batch([_post()], {"at": 1}), fault=fault)) == 1
    assert len(posts()) == 1
    with sessions() as session:
        assert session.get_one(Source, source.id).cursor == {"at": 1}
        assert session.scalars(select(SourceEvent.detail)).one() == "The line broke."


def test_a_stream_s_fault_is_recorded_and_raised(
    sessions: sessionmaker[Session], source_of: AddSource, collect_now: Collect
) -> None:
    source = source_of("jetstream", "wss://jetstream.example")
    with pytest.raises(SourceFaultError, match="The line broke"):
        collect_now(source, Script(fault=SourceFaultError("The line broke.")))
    with sessions() as session:
        assert session.scalars(select(SourceEvent.kind)).one() == "failed"


def test_a_surprise_becomes_a_sentence_too(
    sessions: sessionmaker[Session], source_of: AddSource, collect_now: Collect
) -> None:
    collect_now(source_of(), Script(fault=KeyError("did")))
    with sessions() as session:
        event = session.scalars(select(SourceEvent)).one()
    assert event.detail == "Reading stopped unexpectedly (KeyError); the log has the details."


def test_a_pause_stops_a_running_collector_within_one_batch(
    sessions: sessionmaker[Session], source_of: AddSource, collect_now: Collect, now: datetime
) -> None:
    source = source_of("jetstream", "wss://jetstream.example")

    class PausedMeanwhile(Script):
        def batches(self, cursor: dict[str, Any] | None) -> Generator[Batch]:
            yield Batch([_post()], {"at": 1})
            with sessions.begin() as session:
                register.pause(session, session.get_one(Source, source.id), 7, "enough", now)
            yield Batch([_post(rkey="2")], {"at": 2})
            raise AssertionError("read on after the pause")

    assert collect_now(source, PausedMeanwhile()) == 1
    with sessions() as session:
        assert session.get_one(Source, source.id).cursor == {"at": 1}
    assert collect_now(source, Script(Batch([_post(rkey="3")], {"at": 3}))) == 0


def test_the_driver_stops_when_told(source_of: AddSource, collect_now: Collect) -> None:
    source = source_of("jetstream", "wss://jetstream.example")
    answers = iter([False, True])
    endless = Script(*[Batch([_post(rkey=str(n))], {"at": n}) for n in range(100)])
    assert collect_now(source, endless, stop=lambda: next(answers)) == 1


def test_a_source_that_is_read_to_its_end_is_switched_off(
    sessions: sessionmaker[Session], source_of: AddSource, collect_now: Collect
) -> None:
    source = source_of("example", "town")
    collect_now(source, Script(Batch([_post()], {"at": 1}, last=True)))
    with sessions() as session:
        assert register.streamed_sources(session) == []
