import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from sources.collector import Batch, NewPost, SourceFaultError
from sources.example import STORY, ExampleTown
from sources.register import health, streamed_sources
from tests.sources.conftest import AddSource, Collect, Posts

FIRST_PLAY = datetime(2026, 11, 23, 15, tzinfo=UTC)


class Time:
    """A clock that only sleeping moves, so that days pass in no time."""

    def __init__(self) -> None:
        self.now = FIRST_PLAY

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def story(tmp_path: Path) -> Path:
    lines = [
        {"minute": 0, "author": "ana", "text": "Good morning", "reply_to": None, "id": "t1"},
        {"minute": 0, "author": "ben", "text": "Morning!", "reply_to": "t1", "id": "t2"},
        {
            "minute": 60,
            "author": "ana",
            "text": "The bridge is closed",
            "reply_to": None,
            "id": "t3",
        },
        {"minute": 120, "author": "cem", "text": "Open again", "reply_to": "t3", "id": "t4"},
    ]
    path = tmp_path / "story.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


def _new(batches: Iterator[Batch]) -> list[str]:
    return [item.uri for batch in batches for item in batch.items if isinstance(item, NewPost)]


def test_the_story_comes_out_as_its_time_passes_and_ends_at_the_first_play(
    story: Path, time: Time
) -> None:
    batches = ExampleTown(speed=60, clock=time, sleep=time.sleep, story=story).batches(None)
    first = next(batches)
    assert first.items == [
        NewPost("example:t1", "ana", "Good morning", FIRST_PLAY - timedelta(hours=2), lang="en"),
        NewPost(
            "example:t2",
            "ben",
            "Morning!",
            FIRST_PLAY - timedelta(hours=2),
            lang="en",
            reply_to="example:t1",
        ),
    ]
    rest = list(batches)
    assert _new(iter(rest)) == ["example:t3", "example:t4"]
    (last,) = rest[-1].items
    assert isinstance(last, NewPost)
    assert last.posted_at == FIRST_PLAY
    took = (time.now - FIRST_PLAY).total_seconds()
    assert took == pytest.approx(120, abs=2)  # two hours at sixty times the speed
    assert len(rest) > 100  # about one batch a second, most of them empty


def test_a_restart_goes_on_where_it_stopped(story: Path, time: Time) -> None:
    town = ExampleTown(speed=60, clock=time, sleep=time.sleep, story=story)
    batches = town.batches(None)
    before = [next(batches) for _ in range(90)]
    cursor = json.loads(json.dumps(before[-1].cursor))
    batches.close()
    time.now += timedelta(days=3)  # nobody played it meanwhile, and the story waited
    after = list(town.batches(cursor))
    assert _new(iter(before)) + _new(iter(after)) == [f"example:t{n}" for n in (1, 2, 3, 4)]
    assert 25 < len(after) < 40
    again = list(town.batches(after[-1].cursor))
    assert [(batch.items, batch.last) for batch in again] == [([], True)]


def test_the_played_town_is_switched_off_at_its_end(
    story: Path,
    time: Time,
    sessions: sessionmaker[Session],
    source_of: AddSource,
    collect_now: Collect,
    posts: Posts,
    now: datetime,
) -> None:
    source = source_of("example", "town")
    town = ExampleTown(speed=6000, clock=time, sleep=time.sleep, story=story)
    assert collect_now(source, town) == 4
    assert {post.platform for post in posts()} == {"example"}
    assert all(post.posted_at <= now for post in posts())
    assert len({post.author for post in posts()}) == 3
    with sessions() as session:
        assert streamed_sources(session) == []
        (line,) = health(session, now)
        assert (line.state, line.lag) == ("off", None)


@pytest.mark.parametrize("text", [None, "", "not json", '{"minute": 1}'])
def test_a_story_that_cannot_be_read_gives_a_sentence(
    tmp_path: Path, time: Time, text: str | None
) -> None:
    path = tmp_path / "story.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SourceFaultError, match=r"^The example story .*\.$"):
        list(ExampleTown(speed=1, clock=time, sleep=time.sleep, story=path).batches(None))


def test_standing_still_is_no_speed(time: Time) -> None:
    with pytest.raises(ValueError, match="speed above 0"):
        ExampleTown(speed=0, clock=time)


def test_the_built_in_story_is_in_order_and_whole() -> None:
    lines = [json.loads(line) for line in STORY.read_text(encoding="utf-8").splitlines()]
    assert all(a["minute"] <= b["minute"] for a, b in pairwise(lines))
    ids = [line["id"] for line in lines]
    assert len(set(ids)) == len(ids)
    told: set[str] = set()
    for line in lines:
        assert line["text"].strip()
        assert line["reply_to"] is None or line["reply_to"] in told
        told.add(line["id"])
