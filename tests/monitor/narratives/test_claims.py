"""One story, several claims: told apart by their words, counted in full, shown so that all see."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, insert

from monitor.coding import lexicon
from monitor.models import DANGEROUS_LEVEL, Narrative, Reading
from monitor.narratives.claims import CLAIM, CLAIM_TEXTS, SAMPLED, claims_of, partition
from monitor.narratives.graph import NONE
from sources.models import Post

HOUR = timedelta(hours=1)
WIDTH = 8
BALLOTS, POLICE, NOTHING = np.eye(3, WIDTH, dtype=np.float32)


def unit(*numbers):
    vector = np.zeros(WIDTH)
    vector[: len(numbers)] = numbers
    return vector / np.linalg.norm(vector)


def rows(*vectors):
    return np.array(vectors, np.float32)


def flat(degrees):
    return unit(np.cos(np.radians(degrees)), np.sin(np.radians(degrees)))


def around(axis, cosine, other=3):
    """A vector at this cosine to an axis, away from it towards another axis."""
    return (cosine * axis + np.sqrt(1 - cosine**2) * np.eye(WIDTH)[other]).astype(np.float32)


# The partition


def test_texts_join_at_the_threshold_and_not_below():
    assert partition(rows(BALLOTS, around(BALLOTS, 0.61))).tolist() == [0, 0]
    assert partition(rows(BALLOTS, around(BALLOTS, 0.59))).tolist() == [NONE, NONE]


def test_the_mean_of_a_claim_decides_whatever_its_first_text_was():
    half = np.degrees(np.arccos(CLAIM + 0.01)) / 2
    pair = (flat(half), flat(-half))  # their mean points along the first axis
    near, far = around(BALLOTS, CLAIM + 0.03), around(BALLOTS, CLAIM - 0.02)
    assert max(near @ one for one in pair) < CLAIM
    assert partition(rows(*pair, near)).tolist() == [0, 0, 0]
    assert partition(rows(*pair, far)).tolist() == [0, 0, NONE]


def test_a_text_joins_the_nearest_claim_it_fits():
    # At 0 and 73 degrees two claims; 45 degrees is near enough to both, and 28 also.
    assert partition(rows(flat(0), flat(73), flat(45), flat(0))).tolist() == [0, 1, 1, 0]
    assert partition(rows(flat(0), flat(73), flat(28), flat(73))).tolist() == [0, 1, 0, 1]


def test_claims_are_numbered_by_their_first_text_and_remarks_not_at_all():
    lone = np.eye(WIDTH)[5]
    order = rows(lone, POLICE, BALLOTS, np.zeros(WIDTH), BALLOTS, POLICE)
    assert partition(order).tolist() == [NONE, 0, 1, NONE, 1, 0]
    assert partition(rows(np.zeros(WIDTH), lone)).tolist() == [NONE, NONE]
    assert partition(np.zeros((0, WIDTH), np.float32)).tolist() == []
    assert partition(order).dtype == np.int64


@st.composite
def texts(draw):
    """Vectors around a few claims, with remarks of nobody else, repetitions and zeros."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, claims = draw(st.integers(0, 60)), draw(st.integers(1, 6))
    centres = rng.normal(size=(claims, 24))
    spread = draw(st.sampled_from((0.3, 0.8, 1.5)))
    vectors = centres[rng.integers(claims, size=n)] + spread * rng.normal(size=(n, 24))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for row in draw(st.lists(st.integers(0, n - 1), max_size=5)) if n else ():
        vectors[row] = draw(st.sampled_from((np.zeros(24), vectors[0])))
    return vectors.astype(np.float32)


@given(vectors=texts(), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_only_the_angles_between_texts_count(vectors, seed):
    rng = np.random.default_rng(seed)
    labels = partition(vectors).tolist()
    assert partition(vectors[:, rng.permutation(24)]).tolist() == labels
    rotation = np.linalg.qr(rng.normal(size=(24, 24)))[0]
    assert partition((vectors @ rotation).astype(np.float32)).tolist() == labels
    assert partition(vectors).tolist() == labels


@given(vectors=texts())
@settings(deadline=None)
def test_every_claim_has_its_texts_and_zeros_have_none(vectors):
    labels = partition(vectors)
    assert labels.shape == (len(vectors),)
    assert (labels[~vectors.any(axis=1)] == NONE).all()
    names, sizes = np.unique(labels[labels != NONE], return_counts=True)
    assert names.tolist() == list(range(len(names)))
    assert (sizes >= CLAIM_TEXTS).all()
    firsts = [labels.tolist().index(name) for name in names]
    assert firsts == sorted(firsts)


@given(vectors=texts(), later=texts())
@settings(deadline=None)
def test_later_texts_part_no_claim(vectors, later):
    """What was one claim stays one, whatever is said afterwards; more may join or become one."""
    before = partition(vectors)
    after = partition(np.concatenate([vectors, later]))[: len(vectors)]
    kept = before != NONE
    pairs = set(zip(before[kept].tolist(), after[kept].tolist(), strict=True))
    earlier, later_on = (sorted(names) for names in (set(before[kept]), {b for _, b in pairs}))
    assert len(pairs) == len(earlier) == len(later_on)
    assert NONE not in later_on


# The claims of a narrative


@pytest.fixture
def found(session, now):
    def add(title="Ballots and police"):
        narrative = Narrative(
            title=title,
            centroid=unit(1, 1).astype(np.float32),
            embedder="small",
            size=0,
            first_post_at=now,
            last_post_at=now,
            created_at=now,
        )
        session.add(narrative)
        session.flush()
        return narrative

    return add


@pytest.fixture
def story(found):
    return found()


def reading_of(post_id, vector, narrative, at, **more):
    return {
        "post_id": post_id,
        "embedding": np.asarray(vector, np.float32),
        "embedder": "small",
        "lang": "en",
        "level": 0,
        "threat_level": "none",
        "stance": "asserts",
        "reasons": [],
        "scorer": "test 1",
        "narrative_id": narrative.id,
        "copy_of": post_id,
        "hour": at.replace(minute=0, second=0, microsecond=0),
        "read_at": at,
    } | more


@pytest.fixture
def tell(session, say, story, now):
    """Add one post that was read: ``tell(text, vector, hours_ago, author, narrative, …)``."""

    def add(text, vector, hours_ago=1.0, author="ann", narrative=story, **more):
        at = now - hours_ago * HOUR
        post = say(session, author, text, at)
        reading = Reading(**reading_of(post.id, vector, narrative, at, **more))
        session.add(reading)
        session.flush()
        return reading

    return add


def two_claims(tell):
    """Texts enough for two claims: those of the ballots and of the police."""
    return (
        [tell(f"The ballots are hidden in the depot {n}", BALLOTS, 9 - n) for n in range(3)],
        [tell(f"No police will come to the square {n}", POLICE, 9 - n) for n in range(2)],
    )


def test_two_claims_and_a_remark(session, story, found, tell, now):
    ballots = [
        tell("The ballots are hidden in the depot", BALLOTS, 2, "ann", level=1),
        tell("Depot on Mill Street is where ballots are hidden", BALLOTS, 7, "ben"),  # read late
        tell("Who hides our ballots in that depot", around(BALLOTS, 0.9), 5, "ann"),
    ]
    copy = tell(
        "The ballots are hidden in the depot!", BALLOTS, 1, "cid", copy_of=ballots[0].copy_of
    )
    police = [
        tell("The police will not come on Tuesday", POLICE, 4, "dot"),
        tell("On Tuesday no police, says the sheriff", POLICE, 3, "dot", level=3),
    ]
    tell("The police will not come on Tuesday!", POLICE, 2, "dot", copy_of=police[0].copy_of)
    tell("My tomatoes turned red", NOTHING)
    elsewhere = found("Other")
    tell("The ballots again", BALLOTS, 99, "eve", elsewhere, level=4, copy_of=ballots[0].copy_of)
    tell("A third claim of another story", NOTHING, narrative=elsewhere)
    session.expire_all()
    first, second = claims_of(session, story)
    assert first.groups == [reading.copy_of for reading in police]
    assert (first.level, first.texts, first.posts, first.accounts) == (3, 2, 3, 1)
    assert (first.first_at, first.last_at) == (now - 4 * HOUR, now - 2 * HOUR)
    assert first.example is police[0]
    assert {"police", "tuesday"} & set(first.title.lower().split())
    assert "depot" not in first.title.lower()
    assert second.groups == [ballots[1].copy_of, ballots[2].copy_of, ballots[0].copy_of]
    assert (second.level, second.texts, second.posts, second.accounts) == (1, 3, 4, 3)
    assert (second.first_at, second.last_at) == (now - 7 * HOUR, now - HOUR)
    assert second.example is ballots[1]
    assert copy.post_id not in second.groups
    assert {"depot", "ballots"} <= set(second.title.lower().split())
    assert "post" in second.example.__dict__  # loaded: a page asks no more


def test_what_the_desks_lexicon_bars_names_no_claim(session, story, tell, now):
    for number in range(3):
        tell(f"The quibberdash has the county ballots {number}", BALLOTS)
        tell(f"No police on Tuesday says the sheriff {number}", POLICE)
    assert any("quibberdash" in claim.title.lower() for claim in claims_of(session, story))
    wording = lexicon.Wording(
        term="quibberdash", meaning="A code", benign_uses="None", kind="threat_code"
    )
    lexicon.add(session, wording, 1, now)
    claims = claims_of(session, story)
    assert len(claims) == 2
    assert not any("quibberdash" in claim.title.lower() for claim in claims)


def test_a_claim_is_named_by_what_the_rest_of_the_story_does_not_say(session, story, tell):
    for number in range(6):
        tell(f"Warehouse county ballots {'truck' * (number > 0)} {number}", BALLOTS)
        tell(f"Warehouse county police {'sheriff' * (number > 0)} {number}", POLICE)
    tell("Truck and sheriff are both in the photo", NOTHING)
    ballots, police = sorted(claims_of(session, story), key=lambda claim: claim.groups)
    for claim, telling in ((ballots, {"ballots", "truck"}), (police, {"police", "sheriff"})):
        first_two = {word for term in claim.title.lower().split(" · ")[:2] for word in term.split()}
        assert telling <= first_two
        assert "warehouse" not in first_two


def test_a_single_claim_needs_no_second_level(session, story, tell):
    assert claims_of(session, story) == []
    for number in range(4):
        tell(f"The ballots are in the depot {number}", BALLOTS)
    tell("The police will not come", POLICE)  # said once: a remark
    tell("The police will not come", POLICE, author="ben", copy_of=5)  # and carried, not reworded
    assert claims_of(session, story) == []
    tell("No police anywhere", POLICE)
    assert len(claims_of(session, story)) == 2
    assert len(claims_of(session, story, limit=1)) == 1  # two are there, one is asked for


def test_the_most_dangerous_come_first_then_the_most_told(session, story, tell):
    for axis, level, carried in ((0, 0, 1), (1, 0, 3), (2, 4, 1), (3, 2, 9)):
        vector = np.eye(WIDTH)[axis]
        tell(f"Claim {axis} in one way", vector)
        group = tell(f"Claim {axis} in another way", vector, level=level).copy_of
        for _ in range(carried):
            tell(f"Claim {axis} in another way", vector, copy_of=group)
    claims = claims_of(session, story)
    assert [(claim.level, claim.posts) for claim in claims] == [(4, 3), (2, 11), (0, 5), (0, 3)]
    assert claims_of(session, story, limit=3) == claims[:3]


def example_of(session, story, text):
    session.expire_all()
    (claim,) = (c for c in claims_of(session, story) if text in c.example.post.text)
    return claim.example.post.text


def test_the_example_is_typical_and_mild_where_that_is_possible(session, story, tell):
    two_claims(tell)
    danger = "Everybody to the bridge now with all that you have"
    tell(f"{danger} (far)", around(NOTHING, 0.8, 3), level=4)
    tell(f"{danger} (near)", around(NOTHING, 0.99, 4), level=DANGEROUS_LEVEL)
    tell(f"{danger} (near too)", around(NOTHING, 0.9, 5), level=4)
    assert example_of(session, story, "bridge") == f"{danger} (near)"  # a monitor must see it
    unfit = "The rats on the bridge must be looked at by everybody"
    tell(unfit, around(NOTHING, 0.95, 4), level=1)
    assert example_of(session, story, "bridge") == unfit
    rude = "The bridge is open to all those people, I can't stand them"
    tell(rude, around(NOTHING, 0.85, 7), level=1)
    assert example_of(session, story, "bridge") == rude
    tell("The bridge is open to everybody who walks there", around(NOTHING, 0.7, 7), level=0)
    tell("The bridge is open to all walkers all day long", around(NOTHING, 0.8, 6), level=0)
    assert example_of(session, story, "bridge") == "The bridge is open to all walkers all day long"


def test_texts_without_a_vector_or_of_another_model_are_in_no_claim(session, story, tell):
    two_claims(tell)
    for number in range(3):
        tell(f"Un texte que personne ne lit {number}", np.zeros(WIDTH))
        tell(f"The water is bad {number}", np.ones(3), embedder="other")
    claims = claims_of(session, story)
    assert [claim.texts for claim in claims] == [3, 2]


def test_a_text_whose_first_copy_has_no_vector_is_still_read(session, story, tell):
    two_claims(tell)
    first = tell("The water is bad", np.zeros(WIDTH), 8)
    tell("The water is bad", NOTHING, 6, copy_of=first.copy_of)
    tell("Do not drink that water", NOTHING, 7)
    (claim,) = (c for c in claims_of(session, story) if "water" in c.example.post.text)
    assert (claim.texts, claim.posts) == (2, 3)
    assert claim.groups == [first.copy_of + 2, first.copy_of]


def test_the_latest_texts_are_looked_at_by_when_they_were_last_carried(
    session, story, found, tell, now
):
    old = [tell(f"The water is bad {number}", NOTHING, 500) for number in range(3)]
    posts = [
        {
            "source_id": old[0].post.source_id,
            "platform": "example",
            "uri": f"many:{number}",
            "author": "ann",
            "text": f"Ballots or police, number {number}",
            "posted_at": now - HOUR * (400 - number / 10),
            "collected_at": now,
        }
        for number in range(2 * SAMPLED - 2)
    ]
    ids = session.scalars(insert(Post).returning(Post.id, sort_by_parameter_order=True), posts)
    where = [story] * (SAMPLED - 2) + [found("Other")] * SAMPLED  # all of it later
    many = [
        reading_of(post_id, (BALLOTS, POLICE)[n % 2], where[n], posts[n]["posted_at"])
        for n, post_id in enumerate(ids)
    ]
    session.execute(insert(Reading), many)
    texts = sorted(claim.texts for claim in claims_of(session, story))
    assert texts == [2, SAMPLED // 2 - 1, SAMPLED // 2 - 1]  # the last two of the old ones
    for vector in (BALLOTS, POLICE):
        tell("What nobody has said before", vector)
    assert sorted(claim.texts for claim in claims_of(session, story)) == [SAMPLED // 2] * 2
    for reading in old[:2]:
        tell("The water is bad again", NOTHING, copy_of=reading.copy_of)
    water = min(claims_of(session, story), key=lambda claim: claim.texts)
    assert water.groups == [reading.copy_of for reading in old[:2]]
    assert (water.posts, water.first_at, water.last_at) == (4, now - 500 * HOUR, now - HOUR)


def test_more_texts_take_no_more_queries(session, story, tell, engine):
    seen = []

    def note(connection, cursor, statement, *rest):
        seen.append(statement)

    two_claims(tell)
    counts = []
    for _ in range(2):
        session.expire_all()
        event.listen(engine, "before_cursor_execute", note)
        assert len(claims_of(session, story)) == 2
        event.remove(engine, "before_cursor_execute", note)
        counts.append(len(seen))
        seen.clear()
        two_claims(tell)
    assert counts[0] == counts[1] <= 3
