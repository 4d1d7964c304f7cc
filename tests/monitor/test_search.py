"""One box finds by words and by meaning, and says which; a pasted address finds its post."""

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, event, select, text

from monitor import search as searching
from monitor.embedding.encoder import load_encoder
from monitor.models import Narrative, Reading
from monitor.narratives.copies import KEEPERS, copies_of
from monitor.narratives.counters import find_by_meaning
from monitor.narratives.narratives import hour_of
from monitor.search import DIMENSIONS, RANK, fuse, post_at, search
from sources.models import Post

BRIDGE = "The bridge over the river is closed until the crew has looked at its piers"
SEMANTIC = "They shut the crossing down and nobody can drive over the water"
OTHERS = (
    "The county fair opens on Friday with a parade of tractors",
    "Ballots were found in a storage room, the clerk says all were counted",
    "Our school needs more bus drivers for the winter",
    "Best soup in town, and the bread is free",
)


pytestmark = pytest.mark.usefixtures("fresh_index")


@pytest.fixture(scope="module")
def encoder():
    return load_encoder(None)


@pytest.fixture
def told(session, now, say, encoder):
    """Posts told, read and put where ``told`` says: {text: post id}."""

    def tell(*texts, narrative=None, embedder=None):
        model = embedder or encoder
        posts = [say(session, f"a{n}", words, now) for n, words in enumerate(texts)]
        copies = copies_of(session, posts, now, model.name)
        for post, vector in zip(posts, model.embed(list(texts)), strict=True):
            session.add(
                Reading(
                    post_id=post.id,
                    embedding=vector,
                    embedder=model.name,
                    level=0,
                    threat_level="none",
                    stance="asserts",
                    reasons=[],
                    scorer="test",
                    narrative_id=narrative and narrative.id,
                    copy_of=copies[post.id].of,
                    hour=hour_of(now),
                    read_at=now,
                )
            )
        session.flush()
        find_by_meaning(session, [one for one, copy in copies.items() if copy.searched])
        return {words: post.id for words, post in zip(texts, posts, strict=True)}

    return tell


@pytest.fixture
def story(session, now, encoder):
    def make(title, about, **more):
        row = Narrative(
            title=title,
            centroid=encoder.embed([about])[0],
            embedder=encoder.name,
            size=3,
            first_post_at=now,
            last_post_at=now,
            created_at=now,
            **{"settled_at": now} | more,
        )
        session.add(row)
        session.flush()
        return row

    return make


def found(session, encoder, words):
    return [hit.reading.post_id for hit in search(session, encoder, words).hits]


def test_words_are_found_by_their_stems_and_phrases(session, told, encoder):
    posts = told(BRIDGE, *OTHERS)
    hit = search(session, encoder, "bridges closing").hits[0]
    assert (hit.reading.post_id, hit.by_words, hit.by_meaning) == (posts[BRIDGE], True, True)
    assert found(session, encoder, '"counted storage"') == []
    assert found(session, encoder, '"all were counted"') == [posts[OTHERS[1]]]
    assert found(session, encoder, "tractors OR ballots")[:2]
    assert found(session, encoder, '"parade"') == [posts[OTHERS[0]]]
    assert found(session, encoder, '"parade" -tractors') == []


def test_meaning_finds_what_words_miss(session, told, encoder):
    posts = told(SEMANTIC, *OTHERS)
    (hit,) = [one for one in search(session, encoder, "bridge closed").hits if not one.by_words][:1]
    assert hit.reading.post_id == posts[SEMANTIC]
    assert hit.by_meaning


def test_what_was_deleted_a_moment_ago_takes_nobodys_place(session, told, encoder):
    """The index holds it until the database tidies up."""
    nearer = told(*(f"bridge closed {n}" for n in range(2 * searching.LOOKED_AT)))
    posts = told(SEMANTIC)
    session.execute(delete(Post).where(Post.id.in_(nearer.values())))
    session.execute(text("SET LOCAL enable_seqscan = off"))
    session.execute(text("SET LOCAL enable_sort = off"))
    assert found(session, encoder, "bridge closed") == [posts[SEMANTIC]]


def test_both_ways_together_go_before_one(session, told, encoder):
    posts = told(BRIDGE, SEMANTIC, *OTHERS)
    assert found(session, encoder, "bridge closed")[:2] == [posts[BRIDGE], posts[SEMANTIC]]


def test_the_index_of_signs_finds_what_the_cosines_say(session, told, encoder):
    """Exact neighbours of all, and the plan that finds them goes by the index."""
    heads = [" ".join(one.split()[:4]) for one in OTHERS]  # too short to be copies
    texts = [f"{head} {word}" for head in heads for word in ("bell", "mayor", "rain", "dog")]
    told(BRIDGE, *texts)
    vector = encoder.embed(["heavy rain at the fair"])[0]
    distance = Reading.embedding.cosine_distance(vector)
    exact = select(Reading.post_id).where(distance < 1 - searching.MEANS_THE_SAME)
    near = searching._posts_by_meaning(session, encoder.name, vector)
    assert near == session.scalars(exact.order_by(distance, Reading.post_id)).all()
    assert near
    session.execute(text("SET LOCAL enable_seqscan = off"))
    query = searching.by_signs(encoder.name, vector).limit(5)
    connection = session.connection()

    @event.listens_for(connection, "before_cursor_execute", retval=True)
    def explain(connection, cursor, statement, parameters, context, many):
        return f"EXPLAIN {statement}", parameters

    plan = connection.execute(query)
    event.remove(connection, "before_cursor_execute", explain)
    assert "ix_meanings_signs" in "\n".join(plan.scalars())


def test_narratives_are_found_by_title_centre_and_posts(session, story, told, encoder):
    titled = story("bridge rumour", "ice hockey results of the youth team")
    central = story("river crossing", SEMANTIC)
    by_post = story("other talk", "sourdough and butter")
    told(BRIDGE, narrative=by_post)
    put_away = story("bridge", BRIDGE, settled_at=None)
    gone = story("bridge", BRIDGE, merged_into=titled.id)
    names = search(session, encoder, "bridge closed").narratives
    assert {titled, central, by_post} <= {*names, titled}
    assert central in names
    assert by_post in names
    assert not {put_away, gone} & set(names)
    assert search(session, encoder, "bridge").narratives[0] in (titled, central)


def test_copies_are_shown_once(session, told, encoder):
    posts = told(BRIDGE, BRIDGE.upper())
    for table in ("readings", "meanings"):
        session.execute(text(f"UPDATE {table} SET copy_of = :one"), {"one": posts[BRIDGE]})
    session.expire_all()
    assert len(found(session, encoder, "bridge closed")) == 1


def test_many_copies_leave_room_for_other_texts(session, told, encoder):
    told(*(f"bridge closed {n}" for n in range(2 * searching.LOOKED_AT)))
    for table in ("readings", "meanings"):
        session.execute(text(f"UPDATE {table} SET copy_of = (SELECT min(post_id) FROM readings)"))
    posts = told(SEMANTIC, *OTHERS)
    copy, other = search(session, encoder, "bridge closed").hits
    assert (copy.by_words, copy.by_meaning) == (True, True)
    assert other.reading.post_id == posts[SEMANTIC]
    session.execute(delete(Post).where(Post.id == copy.reading.copy_of))
    again = search(session, encoder, "viaduct shut").hits  # by meaning alone
    assert copy.reading.copy_of in {hit.reading.copy_of for hit in again}


@pytest.mark.parametrize("said", ["The bridge is closed", BRIDGE])
def test_thousands_of_equal_texts_leave_a_way_to_others(session, told, encoder, said):
    """In an index that held them all they would lead to one another alone."""
    posts = told(SEMANTIC, *OTHERS)
    told(*[said] * 1_500)
    posts |= told("Nobody gets across the river by car now")
    session.execute(text("SET LOCAL enable_seqscan = off"))
    meant = searching._posts_by_meaning(session, encoder.name, encoder.embed([said])[0])
    others = {posts[SEMANTIC], posts["Nobody gets across the river by car now"]}
    assert others < set(meant)
    assert len(meant) <= KEEPERS + len(others)


@pytest.mark.parametrize("unread", ["UPDATE meanings SET embedder = 'x'", "DELETE FROM meanings"])
def test_a_copy_is_found_where_the_first_cannot_be(session, told, encoder, unread):
    posts = told(SEMANTIC, SEMANTIC.upper(), *OTHERS)
    first = posts[SEMANTIC]
    for table in ("readings", "meanings"):
        session.execute(
            text(f"UPDATE {table} SET copy_of = :one WHERE post_id <= :one + 1"), {"one": first}
        )
    (hit,) = search(session, encoder, "bridge closed").hits
    assert hit.reading.post_id == first
    session.execute(text(f"{unread} WHERE post_id = :one"), {"one": first})
    session.expire_all()
    (hit,) = search(session, encoder, "bridge closed").hits
    assert hit.reading.post_id == posts[SEMANTIC.upper()]


def test_another_model_of_other_width_is_searched_without_the_index(session, told, now):
    class Narrow:
        name, languages = "narrow", None

        def embed(self, texts):
            # By their signs the others are nearer to what is asked, by their cosines they are not.
            known = {"viaduct": [0.9, 0.1, 0.1], BRIDGE: [0.9, -0.1, -0.1]}
            return np.array([known.get(one, [0.1, 0.9, 0.1]) for one in texts])

    far = (f"some other talk {n}" for n in range(2 * searching.LOOKED_AT))
    posts = told(*far, BRIDGE, embedder=Narrow())
    assert Narrow().embed(["x"]).shape[1] != DIMENSIONS
    assert found(session, Narrow(), "viaduct") == [posts[BRIDGE]]


@pytest.mark.parametrize("words", ["", "   ", "\n"])
def test_nothing_asked_is_nothing_found(session, told, encoder, words):
    told(BRIDGE)
    assert search(session, encoder, words) == searching.Found([], [])


@pytest.mark.parametrize(
    "words", ["' OR 1=1 --", "((((", '"""', "!!!", "a:*|&", "x" * 5_000, "⛔️ 🌉", "\\", "-", "%"]
)
def test_hostile_words_are_words(session, told, encoder, words):
    told(BRIDGE)
    search(session, encoder, words)


def test_a_post_is_found_by_its_address(session, now, say):
    ours = say(session, "a1", BRIDGE, now)
    ours.platform, ours.uri = "bluesky", "at://did:plc:abc/app.bsky.feed.post/3k"
    ours.url = "https://bsky.app/profile/did:plc:abc/post/3k"
    feed = say(session, "a2", "News", now - timedelta(hours=1))
    feed.platform, feed.uri = "web", "https://gazette.example/1?a=b"
    session.flush()
    for address in (f" {ours.url}\n", ours.uri, f"{ours.url}?ref=x"):
        assert post_at(session, address) == ours
    assert post_at(session, feed.uri) == feed
    for unknown in ("", "https://gazette.example/2", "at://did:plc:abc", "bridge"):
        assert post_at(session, unknown) is None
    assert session.scalars(select(Post)).all()


@given(st.lists(st.lists(st.integers(0, 30), unique=True), min_size=1, max_size=3))
def test_fusing_keeps_everything_once_and_prefers_what_stands_higher(lists):
    order = fuse(*lists)
    assert sorted(order) == sorted({key for one in lists for key in one})
    score = {
        key: sum(1 / (RANK + one.index(key) + 1) for one in lists if key in one) for key in order
    }
    assert all(score[a] >= score[b] for a, b in pairwise(order))
    if len(lists) == 1:
        assert order == lists[0]
