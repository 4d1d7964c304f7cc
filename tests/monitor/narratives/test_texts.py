"""What is read and counted of a narrative: each text once with its copies, and never too many."""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import event

from monitor.models import HourlyCount, Narrative, PostCounty, Reading
from monitor.narratives import counted as counting
from monitor.narratives import narratives, texts
from monitor.narratives.counted import County, Day, counted
from monitor.narratives.texts import texts_in
from sources.models import Source

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def story(session, now):
    narrative = Narrative(
        title="Ballots",
        centroid=np.array([1, 0, 0], np.float32),
        embedder="small",
        size=0,
        first_post_at=now,
        last_post_at=now,
        created_at=now,
    )
    session.add(narrative)
    session.flush()
    return narrative


@pytest.fixture
def tell(session, say, story, now):
    """One post of the story that was read: ``tell("words", author="ann", hours=3, level=2, …)``."""

    def add(words, author="ann", hours=0, platform="example", source=None, **fields):
        at = now - hours * HOUR
        post = say(session, author, words, at)
        post.platform = platform
        if source is not None:
            post.source_id = source.id
        told = {"embedding": np.array([1, 0, 0], np.float32), "embedder": "small", "lang": "en"}
        told |= {"level": 0, "threat_level": "none", "stance": "asserts", "reasons": []}
        told |= {"scorer": "test 1", "copy_of": post.id}
        reading = Reading(
            post_id=post.id,
            narrative_id=story.id,
            hour=at.replace(minute=0, second=0, microsecond=0),
            read_at=now,
            **told | fields,
        )
        session.add(reading)
        session.flush()
        return reading

    return add


@pytest.fixture(autouse=True)
def asked_anew():
    """Limits stand in statements that a process builds once: here they may be others."""
    for built in (statements := (texts._told, counting._counting)):
        built.cache_clear()
    yield
    for built in statements:
        built.cache_clear()


@pytest.fixture
def few(monkeypatch):
    """``few(5)``: no more than so many of the newest posts are read of a narrative, and one first.

    The limits are defaults of the functions that ask for the newest and the first posts.
    """

    def limit(most):
        monkeypatch.setattr(narratives.latest_of, "__defaults__", (most,))
        monkeypatch.setattr(narratives.first_of, "__defaults__", (1,))
        monkeypatch.setattr(counting, "READ", most)

    return limit


# Texts


def test_copies_are_one_text_and_the_gravest_reading_stands_for_it(session, story, tell):
    first = tell("same", "ann", hours=5)
    tell("same", "bob", hours=3, copy_of=first.post_id)
    graver = tell("same", "cem", hours=1, copy_of=first.post_id, level=3)
    tell("another", "dee", hours=2)
    found = texts_in(session, story)
    assert [one.copy_of for one in found] == [first.post_id, found[1].reading.post_id]
    same = found[0]
    assert same.reading is graver
    assert same.mildest is same.placed is same.earliest is first
    assert (same.posts, same.accounts) == (3, 3)
    assert (same.first_at, same.last_at) == (first.post.posted_at, graver.post.posted_at)
    assert same.coordinated
    assert not found[1].coordinated


@pytest.mark.parametrize(("people", "platform"), [(2, "example"), (5, "web")])
def test_two_people_or_a_press_report_coordinate_nothing(session, story, tell, people, platform):
    first = tell("same", platform=platform)
    for number in range(1, people):
        tell("same", f"p{number}", platform=platform, copy_of=first.post_id)
    assert not texts_in(session, story)[0].coordinated


def test_an_account_that_repeats_itself_is_one(session, story, tell):
    first = tell("same")
    tell("same", copy_of=first.post_id)
    (text,) = texts_in(session, story)
    assert (text.posts, text.accounts) == (2, 1)


def test_what_another_model_read_is_neither_the_mildest_nor_placed(session, story, tell):
    old = tell("same", hours=2, embedder="old")
    blank = tell("same", hours=1, copy_of=old.post_id, embedding=np.zeros(3, np.float32), level=1)
    (text,) = texts_in(session, story)
    assert text.earliest is old
    assert text.mildest is blank
    assert text.placed is None


def test_of_a_large_narrative_the_newest_the_gravest_and_the_first_are_read(
    session, story, tell, few
):
    few(3)
    first = tell("first", hours=90)
    grave = tell("grave", hours=60, level=4)
    tell("in between", hours=50)
    newest = [tell(f"new {n}", hours=3 - n) for n in range(3)]
    read = {one.reading.post_id for one in texts_in(session, story)}
    assert read == {first.post_id, grave.post_id, *(one.post_id for one in newest)}


def test_only_the_latest_texts_are_said_lately(session, story, tell, monkeypatch):
    monkeypatch.setattr(texts, "LATEST", 2)
    monkeypatch.setattr(texts, "GRAVEST", 0)
    for hours in range(4):
        tell(f"told {hours}", hours=hours)
    assert [one.lately for one in texts_in(session, story)] == [True, True, False]  # and the first


def test_a_narrative_without_posts_has_no_texts(session, story):
    assert texts_in(session, story) == []


# Counts


def test_platforms_languages_and_counties_are_counted(session, story, tell):
    web = tell("a", "ann", hours=5, platform="web", level=2)
    tell("b", "bob", hours=4, platform="bluesky", lang="es")
    dangerous = tell("c", "bob", hours=3, platform="bluesky", level=3)
    session.add_all([PostCounty(post_id=web.post_id, fips="26163")])
    session.add_all([PostCounty(post_id=dangerous.post_id, fips=one) for one in ("26163", "26065")])
    session.flush()
    told = counted(session, story)
    assert [(one.platform, one.posts, one.accounts) for one in told.travel] == [
        ("web", 1, 1),
        ("bluesky", 2, 1),
    ]
    assert told.languages == [("en", 2), ("es", 1)]
    assert told.counties == [County("26163", 2, 2), County("26065", 1, 1)]
    assert told.placeless == 1
    assert told.whole


def test_hours_are_as_first_counted_and_oldest_first(session, story, tell, now):
    hour = now.replace(minute=0, second=0, microsecond=0)
    for back in (1, 3):
        count = HourlyCount(narrative_id=story.id, hour=hour - back * HOUR, posts=back, authors=1)
        count.dangerous_posts = count.dangerous_authors = 0
        session.add(count)
    session.flush()
    hours = counted(session, story).hours  # no post stands: they were deleted
    assert [(one.hour, one.posts) for one in hours] == [(hour - 3 * HOUR, 3), (hour - HOUR, 1)]


def test_two_days_are_told_apart_and_outlets_named(session, story, tell, now):
    for author, hours in (("ann", 0), ("ann", 2), ("bob", 23.9), ("cem", 24), ("cem", 47)):
        tell(f"{author} {hours}", author, hours)  # by a source that is no outlet
    feeds = [
        Source(kind="feed", address=name, name=name, created_at=now)
        for name in ("Courier", "Gazette")
    ]
    session.add_all(feeds)
    session.flush()
    tell("long ago", "dee", hours=49, source=feeds[0])
    for number in range(2):
        tell(f"report {number}", f"g{number}", hours=60, source=feeds[1])
    told = counted(session, story)
    assert told.last_day == Day(3, 2)
    assert told.day_before == Day(2, 1)
    assert told.outlets == ("Gazette", "Courier")


def test_where_two_days_are_too_many_the_day_before_is_not_known(session, story, tell, monkeypatch):
    monkeypatch.setattr(counting, "LATELY", 3)
    for hours in range(5):
        tell(f"told {hours}", f"p{hours}", hours)
    told = counted(session, story)
    assert told.last_day == Day(3, 3)
    assert told.day_before is None


def test_of_a_large_narrative_the_newest_posts_are_counted_and_it_says_so(
    session, story, tell, few
):
    few(4)
    begun = tell("first", hours=90)
    for hours in range(9):
        tell(f"told {hours}", f"p{hours}", hours, lang="es")
    told = counted(session, story)
    assert not told.whole
    assert told.languages == [("es", 4)]
    (stop,) = told.travel
    assert (stop.posts, stop.first_at) == (4, begun.post.posted_at)  # where it began is known


def test_two_statements_read_all_of_it(session, engine, story, tell):
    tell("a")
    session.expunge_all()
    found = session.get_one(Narrative, story.id)
    seen = []
    event.listen(engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    counted(session, found)
    assert all(one.reading.post.text for one in texts_in(session, found))
    assert len(seen) == 2
