"""A narrative's face is mild and typical; where, when and in which languages it went is counted."""

from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import event

from monitor.models import DANGEROUS_LEVEL, HourlyCount, Narrative, Reading
from monitor.narratives.counted import READ_FOR_PLACES
from monitor.narratives.graph import SILENCE_DAYS
from monitor.narratives.portrait import NEAREST, PLACES, is_mild, places_named, places_of, portrait
from monitor.reading.languages import UNKNOWN
from sources.models import Post

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
CALM = "Does anybody know where the ballots of our precinct are kept"


@pytest.fixture
def queries(engine):
    """``with queries() as list``: the statements that reach the database meanwhile."""

    @contextmanager
    def watch():
        seen = []

        def note(connection, cursor, statement, *rest):
            seen.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        yield seen
        event.remove(engine, "before_cursor_execute", note)

    return watch


def at_cosine(cosine):
    """A vector so near to the centroid of ``story``."""
    return np.array([cosine, np.sqrt(1 - cosine**2), 0.0], np.float32)


def found(session, now, title="Ballots"):
    narrative = Narrative(
        title=title,
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
def story(session, now):
    return found(session, now)


@pytest.fixture
def tell(session, say, story, now):
    """Add one post that was read: ``tell(text, cosine, author, at, platform, …)``."""

    def add(
        text=CALM,
        cosine=0.5,
        author="ann",
        at=now,
        platform="example",
        vector=None,
        narrative=story,
        **more,
    ):
        post = say(session, author, text, at)
        post.platform = platform
        fields = {
            "embedding": at_cosine(cosine) if vector is None else vector,
            "embedder": "small",
            "lang": "en",
            "level": 0,
            "threat_level": "none",
            "stance": "asserts",
            "reasons": [],
            "scorer": "test 1",
            "copy_of": post.id,
        }
        reading = Reading(
            post_id=post.id,
            narrative_id=narrative.id,
            hour=at.replace(minute=0, second=0, microsecond=0),
            read_at=now,
            **fields | more,
        )
        session.add(reading)
        session.flush()
        return reading

    return add


def typical_text(session, story):
    session.expire_all()
    chosen = portrait(session, story).typical
    assert chosen is None or "post" in chosen.__dict__  # loaded: a page asks no more
    return chosen and chosen.post.text


def test_the_typical_post_is_the_mild_one_nearest_to_the_centroid(session, story, tell, now):
    tell(CALM + " asked in another story", cosine=0.9, narrative=found(session, now, "Other"))
    tell(CALM + " asked by somebody far off", cosine=0.3)
    tell(CALM, cosine=0.8)
    tell(CALM + " asked by somebody half as near", cosine=0.6)
    for level in range(DANGEROUS_LEVEL, 5):
        tell(CALM + " said in a way that is read as dangerous", cosine=0.9, level=level)
    tell("The rats who keep our ballots must all be thrown out of town", cosine=0.95)
    assert typical_text(session, story) == CALM


def test_a_narrative_without_a_mild_post_has_no_face(session, story, tell):
    tell(CALM, level=DANGEROUS_LEVEL)
    tell("The vermin at the depot keep the ballots of our precinct")
    assert typical_text(session, story) is None


@pytest.mark.parametrize(
    "text",
    [
        "KILL the count of the ballots in our precinct",
        "Let us #HangThemAll before the ballots of our precinct are gone",
        "Let us #𝗛𝗮𝗻𝗴𝗧𝗵𝗲𝗺𝗔𝗹𝗹 before the ballots of our precinct are gone",
        "The depot is run by k\u200billing machines and nobody is counting",
        "The depot is run by ｖｅｒｍｉｎ and nobody is counting ballots",
        "The depot is run by 𝗿𝗮𝘁𝘀 and nobody is counting the ballots",
        "The vermin’s depot has all the ballots of our precinct in it",
        "cold-blooded is what I call the keepers of our ballots",
        "our ballots: https://example.org/shoot_them and nothing else here",
        "The wetbacks at the depot have all the ballots of our precinct",
        "The ballots of our precinct are with the #PorchMonkeys at the depot",
        "The ballots of our precinct are with the #WetBacks at the depot",
    ],
)
def test_no_loaded_word_hides_from_the_choice_of_a_face(session, story, tell, text):
    tell(text, cosine=0.99)
    assert typical_text(session, story) is None
    tell(CALM, cosine=0.2)
    assert typical_text(session, story) == CALM


def test_what_is_read_as_dangerous_is_not_mild_however_calm_its_words(tell):
    assert is_mild(tell(CALM, level=DANGEROUS_LEVEL - 1))
    assert not is_mild(tell(CALM, level=DANGEROUS_LEVEL))


def test_a_face_says_something_where_any_does(session, story, tell):
    tell("so true!! 2026 @clerk https://example.org/a/very/long/address/of/a/page", cosine=0.99)
    assert typical_text(session, story).startswith("so true")
    tell(CALM, cosine=0.2)
    assert typical_text(session, story) == CALM


def test_who_insults_nobody_comes_first(session, story, tell):
    tell("I can't stand those people who keep the ballots of our precinct", cosine=0.9, level=1)
    assert typical_text(session, story).startswith("I can't stand")
    tell(CALM, cosine=0.2)
    assert typical_text(session, story) == CALM


def test_many_copies_of_an_unfit_text_hide_no_other(session, story, tell):
    unfit = tell("The rats keep our ballots in the depot", cosine=0.9)
    for _ in range(NEAREST):
        tell("The rats keep our ballots in the depot", cosine=0.9, copy_of=unfit.copy_of)
        tell(CALM + " or else", cosine=0.9, level=DANGEROUS_LEVEL)  # nor do dangerous texts
    tell(CALM, cosine=0.4)
    assert typical_text(session, story) == CALM


def test_of_copies_the_mildest_stands_for_the_text(session, story, tell):
    first = tell(CALM + ", rats!", cosine=0.9, level=1)
    tell(CALM, cosine=0.8, copy_of=first.copy_of)
    assert typical_text(session, story) == CALM


def test_vectors_of_another_model_are_not_compared(session, story, tell):
    tell(CALM + " as another model reads it", vector=np.ones(2, np.float32), embedder="other")
    assert typical_text(session, story) is None
    tell(CALM)
    assert typical_text(session, story) == CALM


def test_a_post_without_vector_is_the_face_only_where_nothing_else_is(session, story, tell):
    tell(CALM + " no vector", vector=np.zeros(3, np.float32))
    assert typical_text(session, story) == CALM + " no vector"
    tell(CALM, cosine=-0.9)
    assert typical_text(session, story) == CALM


def test_languages_are_counted_most_first(session, story, tell, now):
    for lang, posts in (("es", 1), (UNKNOWN, 2), ("en", 3), ("de", 1)):
        for _ in range(posts):
            tell(lang=lang)
    tell(lang="fr", narrative=found(session, now, "Other"))
    assert portrait(session, story).languages == [("en", 3), (UNKNOWN, 2), ("de", 1), ("es", 1)]


def test_the_way_from_platform_to_platform(session, story, tell, now):
    # Read in another order than posted, as a feed that is polled late.
    tell(platform="web", author="gazette", at=now - 2 * HOUR)
    carried = tell(platform="bluesky", author="ann", at=now - 3 * HOUR)
    origin = tell(platform="bluesky", author="ben", at=now - 5 * HOUR, level=4)
    tell(platform="bluesky", author="ann", at=now - HOUR, copy_of=carried.copy_of)
    tell(platform="reddit", author="cid", at=now - 4 * HOUR)
    tell(platform="reddit", author="dot", at=now - 9 * HOUR, narrative=found(session, now, "Other"))
    session.expire_all()
    told = portrait(session, story)
    assert told.first is origin
    assert "post" in told.first.__dict__
    assert [(s.platform, s.first_at, s.posts, s.accounts) for s in told.travel] == [
        ("bluesky", now - 5 * HOUR, 3, 2),
        ("reddit", now - 4 * HOUR, 1, 1),
        ("web", now - 2 * HOUR, 1, 1),
    ]


def test_what_was_removed_is_told_no_more_but_its_waves_are(session, story, tell, now):
    first = tell(platform="web", at=now - HOUR, lang="es", text="Ballots of Ohio in the depot")
    tell(platform="bluesky", at=now)
    session.add(hour(story, now, 2))
    session.delete(session.get(Post, first.post_id))
    session.flush()
    session.expire_all()
    told = portrait(session, story)
    assert told.first.post.platform == "bluesky"
    assert [stop.platform for stop in told.travel] == ["bluesky"]
    assert told.languages == [("en", 1)]
    assert told.places == []
    session.delete(session.get(Post, told.first.post_id))
    session.flush()
    session.expire_all()
    nothing = portrait(session, story)
    assert (nothing.typical, nothing.first) == (None, None)
    assert nothing.languages == nothing.places == nothing.travel == []
    assert nothing.read_for_places == 0
    assert [wave.posts for wave in nothing.waves] == [2]


def hour(narrative, at, posts):
    return HourlyCount(
        narrative_id=narrative.id,
        hour=at,
        posts=posts,
        authors=posts,
        dangerous_posts=0,
        dangerous_authors=0,
    )


def test_silence_parts_waves(session, story, now):
    week = SILENCE_DAYS * DAY
    second = now + 3 * HOUR + week  # not yet longer than the silence that ends a story
    third = second + week + HOUR
    counts = {now: 1, now + 3 * HOUR: 4, second: 2, second + 3 * DAY: 0, third: 8}
    session.add_all([hour(story, at, posts) for at, posts in sorted(counts.items(), reverse=True)])
    session.add(hour(found(session, now, "Other"), second + 4 * DAY, 5))
    session.flush()
    waves = portrait(session, story).waves
    assert [(wave.first, wave.last, wave.posts) for wave in waves] == [
        (now, second, 7),
        (third, third, 8),
    ]


def named(*texts):
    return [(place.name, posts) for place, posts in places_named([(text, None) for text in texts])]


def test_places_are_found_as_a_watch_would_find_them():
    assert named("the ballots are in detroit, michigan", "Lansing, MI has none. Michigan!") == [
        ("Michigan", 2),
        ("Detroit, MI — Wayne County", 1),
        ("Lansing, MI — Ingham County", 1),
    ]
    assert named("I hope for a friend in need, may justice reign") == []
    assert named("St. Louis, MO counts its ballots") == [("St. Louis city, MO", 1)]
    assert named("Ft. Wayne, IN counts") == [("Fort Wayne, IN — Allen County", 1)]
    assert named("D.C. counts")[0] == ("District of Columbia", 1)
    assert named("OFallon, IL counts, Dona Ana County too") == [
        ("O'Fallon, IL — St. Clair County", 1),
        ("Doña Ana County, NM", 1),
    ]
    (state, city) = places_named([("Look at this", "They count in Akron, Ohio")])  # its card
    assert (state[0].code, city[0].code) == ("39", "39153/Akron")
    assert named("Anything at all?", "") == named() == []


def test_one_name_of_several_places_is_told_once():
    assert named("New York counts", "New York, NY counts") == [("New York", 2)]
    assert named("West Chester, PA counts") == [("West Chester, PA — Chester County", 1)]
    assert named("Oregon City, Oregon counts") == [
        ("Oregon", 1),
        ("Oregon City, OR — Clackamas County", 1),
    ]
    assert len(named("Portland, OR and Portland, ME count")) == 2
    # Houston reaches into three counties: the one with the most of it stands for it.
    assert named("Houston counts its ballots") == [("Houston, TX — Harris County", 1)]
    # A county and a town of the same name are two where posts tell them apart.
    assert sorted(named("Wayne County, MI counts", "so does Wayne, MI tonight")) == [
        ("Wayne County, MI", 1),
        ("Wayne, MI — Wayne County", 1),
    ]


def test_a_place_hardly_anybody_names_is_not_where_a_story_plays():
    talk = [f"ballots {number}" for number in range(298)]
    assert named(*talk, "Ohio", "Ohio and its ballots") == []
    assert named(*talk[1:], "Ohio", "Ohio", "Ohio and its ballots") == [("Ohio", 3)]
    assert named(*talk[2:], "Akron", "Akron", "Akron", "Ohio") == [("Akron, OH — Summit County", 3)]


def test_places_of_the_posts_that_stand_most_named_first(session, story, tell, now):
    states = ("Ohio", "Utah", "Iowa", "Maine", "Idaho", "Texas")
    for times, state in enumerate(states, start=1):
        text = f"Ballots of {state}"
        group = tell(text).copy_of
        for _ in range(times - 1):  # copies count as posts
            tell(text, copy_of=group)
    session.get(Post, tell("Look at this").post_id).card = "The count in Utah"
    tell("Ballots of Nevada", narrative=found(session, now, "Other"))
    told = portrait(session, story)
    assert len(told.places) == PLACES < len(states)
    assert [(place.name, posts) for place, posts in told.places] == [
        ("Texas", 6),
        ("Idaho", 5),
        ("Maine", 4),
        ("Iowa", 3),
        ("Utah", 3),
    ]
    assert told.read_for_places == 22
    assert places_of(session, story) == [place for place, _ in told.places]


def test_of_very_many_posts_a_spread_sample_is_read(session, story, tell):
    extra = 100
    for number in range(READ_FOR_PLACES + 2 * extra):
        tell("Ballots of Utah" if number % 700 < 350 else "Ballots of Ohio")
    told = portrait(session, story)
    assert told.read_for_places == READ_FOR_PLACES
    counts = {place.name: posts for place, posts in told.places}
    assert counts["Utah"] + counts["Ohio"] == READ_FOR_PLACES
    assert abs(counts["Utah"] - counts["Ohio"]) < extra  # first or last posts: twice that apart
    assert portrait(session, story).places == told.places


def test_a_larger_narrative_takes_no_more_queries(session, story, tell, queries):
    tell()
    session.expire_all()
    with queries() as few:
        portrait(session, story)
    for number in range(20):
        tell(f"{CALM} in Ohio, {number}", lang=f"x{number}", platform=f"place {number}")
    session.expire_all()
    with queries() as more:
        portrait(session, story)
    assert len(few) == len(more) <= 3  # with the narrative itself, which the test let go of
