"""The crux: every post is read once, counted once, and one broken post stops nobody."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select

from monitor.analyse import analyse_next, analyse_waiting
from monitor.coding import lexicon
from monitor.coding.codebook import EDITION
from monitor.models import Flag, HourlyCount, Meaning, Narrative, Reading
from monitor.narratives.copies import KEEPERS
from monitor.narratives.narratives import unread_languages
from monitor.narratives.placing import Placer
from monitor.reading.incitement import NOT_SCORED, packaged_scorer
from monitor.rises.spikes import look
from sources.models import Post

DEPOT = [
    ("ann", "They hide the missing ballots in the depot on Mill Street"),
    ("ben", "The missing ballots are in the depot on Mill Street, my cousin saw it"),
    ("cid", "Ballots hidden in the Mill Street depot and nobody asks"),
    ("hal", "My neighbour says the missing ballots are hidden in the depot on Mill Street"),
]
CALLS = [
    ("dan", "Someone should burn that depot on Mill Street with the missing ballots"),
    ("eve", "Somebody ought to torch the depot where the ballots lie, Mill Street"),
    ("fay", "Mill Street depot, missing ballots: someone should set fire to the place"),
    ("gus", "People should burn the depot down. Missing ballots, on Mill Street!"),
]


def everything(sessions):
    """What the analysis left behind, in comparable form."""
    with sessions() as session:
        return (
            session.scalar(select(func.count()).select_from(Reading)),
            sorted(session.execute(select(Narrative.id, Narrative.size)).all()),
            sorted(
                session.execute(
                    select(
                        HourlyCount.hour,
                        HourlyCount.posts,
                        HourlyCount.authors,
                        HourlyCount.dangerous_posts,
                        HourlyCount.dangerous_authors,
                    )
                ).all()
            ),
            len(session.scalars(select(Flag)).all()),
        )


def test_a_rumour_becomes_a_flag(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author, text in DEPOT:
            say(session, author, text, now - timedelta(hours=30))
        for author, text in CALLS:
            say(session, author, text, now - timedelta(minutes=90))
    assert analyse_next(sessions, embedder, now) == 8
    assert analyse_next(sessions, embedder, now) == 0
    with sessions.begin() as session:
        look(session, now)
    with sessions() as session:
        narrative = session.scalars(select(Narrative)).one()
        assert narrative.size == 8
        flag = session.scalars(select(Flag)).one()
        assert (flag.narrative_id, flag.observed) == (narrative.id, 4)
        assert flag.hour == (now - timedelta(minutes=90)).replace(minute=0)
        explaining = [reason["post_id"] for reason in flag.reasons if reason["post_id"]]
        assert len(explaining) == 4
        assert "burn that depot" not in str(flag.reasons)  # a flag outlives its posts
        reading = session.get_one(Reading, explaining[0])
        assert (reading.level, reading.stance, reading.scorer) == (
            3,
            "asserts",
            packaged_scorer().name,
        )
        assert reading.embedder == embedder.name
        coded = reading.fields
        assert (coded["act"], coded["force"]) == ("damage_property", "wish")
        assert (coded["issue"], coded["edition"]) == ("elections", EDITION)
        assert {reason["code"] for reason in reading.reasons} >= {"act:damage_property"}


def test_reading_again_changes_nothing(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author, text in DEPOT + CALLS:
            say(session, author, text, now)
    assert analyse_next(sessions, embedder, now, limit=5) == 5
    assert analyse_next(sessions, embedder, now, limit=5) == 3
    before = everything(sessions)
    assert analyse_next(sessions, embedder, now) == 0
    assert everything(sessions) == before
    assert before[2] == [(now, 8, 8, 4, 4)]


def test_many_posts_of_few_people_are_few_people(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author, text in DEPOT:
            say(session, author, text, now)
        for number in range(12):
            say(session, "dan", f"{CALLS[0][1]} {'!' * number}", now + timedelta(minutes=number))
    for _ in range(8):  # several batches: the same author must not count again in the next one
        analyse_next(sessions, embedder, now, limit=2)
    posts, authors, dangerous_posts, dangerous_authors = everything(sessions)[2][0][1:]
    assert (posts, authors, dangerous_posts, dangerous_authors) == (16, 5, 12, 1)
    assert everything(sessions)[3] == 0


def test_of_posts_that_say_the_same_a_few_are_searched_by_meaning(sessions, embedder, say, now):
    with sessions.begin() as session:
        for number in range(KEEPERS + 2):
            say(session, f"a{number}", "Amen!", now)
    analyse_next(sessions, embedder, now)
    with sessions() as session:
        readings = session.scalars(select(Reading).order_by(Reading.post_id)).all()
        found = session.scalars(select(Meaning.post_id).order_by(Meaning.post_id)).all()
        assert found == [one.post_id for one in readings[:KEEPERS]]
        assert len({one.copy_of for one in readings}) == KEEPERS + 2


def test_two_runners_count_once(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author, text in DEPOT + CALLS:
            say(session, author, text, now)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: analyse_next(sessions, embedder, now), range(4)))
    with sessions.begin() as session:
        look(session, now)
    readings, narratives, hours, flags = everything(sessions)
    assert readings == 8
    assert [size for _, size in narratives] == [8]
    assert hours == [(now, 8, 8, 4, 4)]
    assert flags == 1


def test_a_deleted_post_leaves_no_reading_and_counts_stay(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author, text in DEPOT + CALLS:
            say(session, author, text, now)
    analyse_next(sessions, embedder, now)
    before = everything(sessions)
    with sessions.begin() as session:
        session.execute(delete(Post))
    after = everything(sessions)
    assert after[0] == 0
    assert after[1:] == before[1:]
    assert analyse_next(sessions, embedder, now) == 0


class Deleting:
    """The real model; meanwhile, as it works, somebody deletes a post."""

    languages = None

    def __init__(self, embedder, sessions, author):
        self.name, self.real, self.sessions, self.author = embedder.name, embedder, sessions, author

    def embed(self, texts):
        with self.sessions.begin() as session:
            session.execute(delete(Post).where(Post.author == self.author))
        return self.real.embed(texts)


def test_a_post_deleted_meanwhile_is_skipped(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author, text in DEPOT + CALLS:
            say(session, author, text, now)
    analyse_next(sessions, Deleting(embedder, sessions, "dan"), now)
    readings, narratives, hours, _ = everything(sessions)
    assert readings == 7
    assert [size for _, size in narratives] == [7]
    assert hours == [(now, 7, 7, 3, 3)]


def test_a_post_being_deleted_is_not_waited_for(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author, text in DEPOT + CALLS:
            say(session, author, text, now)
    with sessions() as removal:
        removal.execute(delete(Post).where(Post.author == "dan"))
        analyse_next(sessions, embedder, now)
        assert everything(sessions)[0] == 7
        removal.rollback()
    assert analyse_next(sessions, embedder, now) == 1  # it stayed after all, and is read next
    assert everything(sessions)[2] == [(now, 8, 8, 4, 4)]


class Choking:
    """The real model, but it cannot digest one word."""

    languages = None

    def __init__(self, embedder, word):
        self.name, self.real, self.word = embedder.name, embedder, word

    def embed(self, texts):
        if any(self.word in text for text in texts):
            raise ValueError("indigestible")
        return self.real.embed(texts)


def test_one_broken_post_does_not_stop_the_batch(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author, text in DEPOT:
            say(session, author, text, now)
        broken = say(session, "ian", "indigestible ballots in the depot", now).id
    assert analyse_next(sessions, Choking(embedder, "indigestible"), now) == 5
    with sessions() as session:
        assert session.scalars(select(Narrative)).one().size == 4
        assert session.get_one(Reading, broken).narrative_id is None


def test_a_broken_model_leaves_the_posts_for_later(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author, text in DEPOT:
            say(session, author, text, now)
    with pytest.raises(RuntimeError, match="embeds nothing"):
        analyse_next(sessions, Choking(embedder, "allots"), now)
    assert everything(sessions)[0] == 0
    assert analyse_next(sessions, embedder, now) == 4


def test_vectors_of_different_models_never_meet(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author, text in DEPOT:
            say(session, author, text, now)
    analyse_next(sessions, embedder, now)
    other = Choking(embedder, "no such word")
    other.name = "another model"
    with sessions.begin() as session:
        say(session, "dan", DEPOT[0][1], now)
    analyse_next(sessions, other, now)
    assert [size for _, size in everything(sessions)[1]] == [4]


def test_late_posts_count_in_their_own_hour(sessions, embedder, say, now):
    early = now - timedelta(hours=20)
    with sessions.begin() as session:
        for author, text in DEPOT:
            say(session, author, text, now)
    analyse_next(sessions, embedder, now)
    with sessions.begin() as session:
        for author, text in CALLS:
            say(session, author, text, early)
    analyse_next(sessions, embedder, now)
    with sessions.begin() as session:
        look(session, now)
        assert session.scalars(select(Flag)).one().hour == early
        assert session.scalars(select(Narrative)).one().first_post_at == early


def test_what_the_model_cannot_read_is_scored_and_marked_and_stands_in_no_narrative(
    sessions, embedder, say, now
):
    spanish = [
        (
            "ana",
            "Esconden las papeletas que faltan en el depósito de la calle Mill, todos lo saben",
        ),
        ("bea", "Las papeletas que faltan están en el depósito de la calle Mill, lo vio mi primo"),
        ("cam", "Papeletas escondidas en el depósito de la calle Mill y nadie pregunta por qué"),
    ]
    with sessions.begin() as session:
        for author, text in spanish:
            say(session, author, text, now)
        say(session, "dan", "lol ok", now).lang = "en"
    assert analyse_next(sessions, embedder, now) == 4
    with sessions() as session:
        readings = session.scalars(select(Reading).order_by(Reading.post_id)).all()
        assert [reading.lang for reading in readings] == ["es", "es", "es", "en"]
        assert [any(reading.embedding) for reading in readings] == [False] * 3 + [True]
        assert session.scalars(select(Narrative)).all() == []
        assert unread_languages(session, {"en"}, now) == [("es", 3)]
        assert unread_languages(session, None, now) == []


def test_a_model_of_any_language_is_given_everything(sessions, embedder, say, now):
    class Polyglot:
        name, languages = "polyglot", None

        def embed(self, texts):
            return embedder.embed(texts)

    with sessions.begin() as session:
        say(session, "ana", "Esconden las papeletas en el depósito de la calle Mill", now)
    analyse_next(sessions, Polyglot(), now)
    with sessions() as session:
        (reading,) = session.scalars(select(Reading)).all()
        assert (reading.lang, reading.embedder) == ("es", "polyglot")
        assert any(reading.embedding)


@pytest.mark.parametrize("limit", [2, 3, 256])
def test_all_that_waits_is_read_once_while_the_next_are_thought_of(
    sessions, embedder, say, now, limit
):
    with sessions.begin() as session:
        for author, text in DEPOT + CALLS:
            say(session, author, text, now)
    placer = Placer(embedder)
    assert analyse_waiting(sessions, embedder, placer, lambda: now, limit=limit) == 8
    assert analyse_waiting(sessions, embedder, placer, lambda: now, limit=limit) == 0
    readings, narratives, counts, _ = everything(sessions)
    assert readings == 8
    assert sum(size for _, size in narratives) == counts[0][1] == 8


def test_it_stops_after_the_batch_at_hand(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author, text in DEPOT + CALLS:
            say(session, author, text, now)
    placer = Placer(embedder)
    taken = analyse_waiting(sessions, embedder, placer, lambda: now, lambda: True, 3)
    assert taken == everything(sessions)[0] == 3


def test_a_language_the_scorer_does_not_know_is_not_guessed_at(sessions, embedder, say, now):
    with sessions.begin() as session:
        say(session, "ann", CALLS[0][1], now).lang = "en"
        say(session, "bea", "Il faut brûler cette mairie avec tous ceux qui sont dedans", now)
    analyse_next(sessions, embedder, now)
    with sessions() as session:
        english, french = session.scalars(select(Reading).order_by(Reading.post_id))
        assert english.scorer == packaged_scorer().name
        assert (french.lang, french.scorer, french.level) == ("fr", NOT_SCORED, 0)


def test_a_coded_term_is_marked_in_what_is_read(sessions, embedder, say, now):
    with sessions.begin() as session:
        lexicon.seed(session, now)
        say(session, "ann", "They say it is time for the day of the rope again", now)
    analyse_next(sessions, embedder, now)
    with sessions() as session:
        reading = session.scalars(select(Reading)).one()
        assert "H6" in {reason["code"] for reason in reading.reasons}
