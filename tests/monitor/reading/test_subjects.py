"""A watch's subject, a sentence, judged by the real model; what no watch asks for is let go."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from monitor.analyse import analyse_next
from monitor.embedding.embed import Embedder, SentenceTransformerEmbedder
from monitor.models import HourlyCount, Narrative, Reading
from monitor.narratives.narratives import note_departure
from monitor.reading.cued import seems_alarming
from sources import watches
from sources.collect import Intake, save_batch
from sources.collector import Batch, NewPost
from sources.matching import Rule
from sources.models import Erasure, Post, PostWatch, Source, Watch
from sources.purge import Purger
from tests.sources.conftest import KEY, make_intake

SUBJECT = "People are told to gather with weapons at a ballot drop box"
ABOUT_IT = "A group with guns was told to gather at the ballot box behind the library"
BESIDE_IT = "New record of the ballot box jazz trio, such lovely music"
FAR_BUT_GRAVE = "Best ballot box cake in town. Someone should burn that depot down tonight"
SEEMS_GRAVE = "We must shoot a film about the bake sale"  # alarming at a glance, read as M0
GRAVE = "Someone should burn that depot down tonight"


@pytest.fixture
def intake() -> Intake:
    purger = Purger(KEY, leaving=note_departure)
    return replace(make_intake(), purger=purger, alarming=seems_alarming)


@pytest.fixture
def source(sessions: sessionmaker[Session], now: datetime) -> Source:
    with sessions.begin() as session:
        source = Source(kind="jetstream", address="wss://a", name="A", created_at=now)
        session.add(source)
    return source


MakeWatch = Callable[..., int]


@pytest.fixture
def watch(sessions: sessionmaker[Session], now: datetime) -> MakeWatch:
    def make(name: str, rule: Rule) -> int:
        with sessions.begin() as session:
            return watches.save_watch(session, None, name, rule, None, now).id

    return make


Bring = Callable[..., int]


@pytest.fixture
def bring(sessions: sessionmaker[Session], intake: Intake, source: Source, now: datetime) -> Bring:
    """The stream brings these texts; answers how many posts the watches kept of them."""

    def save(*texts: str) -> int:
        posts = [NewPost(f"at://did:plc:a/x/{text}", "a", text, now) for text in texts]
        with sessions.begin() as session:
            mine = session.get_one(Source, source.id)
            return save_batch(session, mine, Batch(posts, {}), "bluesky", intake, now)

    return save


def _kept(sessions: sessionmaker[Session]) -> dict[str, set[int]]:
    """Texts of the posts that are there, and which watches ask for each."""
    with sessions() as session:
        kept: dict[str, set[int]] = {text: set() for text in session.scalars(select(Post.text))}
        pairs = select(Post.text, PostWatch.watch_id).join(PostWatch)
        for text, watch_id in session.execute(pairs):
            kept[text].add(watch_id)
        return kept


class Listening:
    """The real model, which also remembers what it was given and does something meanwhile."""

    def __init__(self, real: Embedder, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.name, self.real, self.meanwhile = real.name, real, meanwhile
        self.languages = real.languages
        self.heard: list[str] = []

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.heard += texts
        self.meanwhile()
        return self.real.embed(texts)


def test_what_is_not_about_the_subject_is_let_go_without_a_trace(
    sessions: sessionmaker[Session],
    embedder: SentenceTransformerEmbedder,
    watch: MakeWatch,
    bring: Bring,
    source: Source,
    now: datetime,
) -> None:
    boxes = watch("Boxes", Rule(any=("ballot box",), subject=SUBJECT))
    assert bring(ABOUT_IT, BESIDE_IT) == 2
    assert _kept(sessions) == {ABOUT_IT: {boxes}, BESIDE_IT: {boxes}}
    assert analyse_next(sessions, embedder, now) == 2
    assert _kept(sessions) == {ABOUT_IT: {boxes}}
    with sessions() as session:
        assert len(session.scalars(select(Reading)).all()) == 1
        assert session.scalars(select(Erasure)).all() == []
        assert session.get_one(Source, source.id).seen == 2  # counted all the same
    assert analyse_next(sessions, embedder, now) == 0


def test_a_post_stays_for_the_watches_that_still_ask_for_it(
    sessions: sessionmaker[Session],
    embedder: SentenceTransformerEmbedder,
    watch: MakeWatch,
    bring: Bring,
    now: datetime,
) -> None:
    watch("Boxes", Rule(any=("ballot box",), subject=SUBJECT))
    music = watch("Music", Rule(any=("music", "opera")))
    jazz = watch("Jazz", Rule(any=("ballot box",), subject="A jazz trio and its new record"))
    bring(BESIDE_IT)
    analyse_next(sessions, embedder, now)
    assert _kept(sessions) == {BESIDE_IT: {music, jazz}}


def test_what_urges_violence_stays_though_it_is_not_about_the_subject(
    sessions: sessionmaker[Session],
    embedder: SentenceTransformerEmbedder,
    watch: MakeWatch,
    bring: Bring,
    now: datetime,
) -> None:
    watch("Boxes", Rule(any=("ballot box",), subject="How many votes the county clerk counted"))
    bring(FAR_BUT_GRAVE, BESIDE_IT)
    analyse_next(sessions, embedder, now)
    assert _kept(sessions) == {FAR_BUT_GRAVE: set()}
    with sessions() as session:
        assert session.scalars(select(Reading.level)).one() >= 3


def test_what_only_seems_alarming_goes_when_it_has_been_read(
    sessions: sessionmaker[Session],
    embedder: SentenceTransformerEmbedder,
    bring: Bring,
    source: Source,
    now: datetime,
) -> None:
    assert bring(SEEMS_GRAVE, GRAVE, BESIDE_IT) == 0  # no watch kept any
    assert _kept(sessions) == {SEEMS_GRAVE: set(), GRAVE: set()}
    assert analyse_next(sessions, embedder, now) == 2
    assert _kept(sessions) == {GRAVE: set()}
    with sessions() as session:
        reading = session.scalars(select(Reading)).one()
        assert reading.level >= 3
        assert session.scalars(select(Erasure)).all() == []
        mine = session.get_one(Source, source.id)
        assert (mine.seen, mine.kept) == (3, 0)


def test_a_watch_that_comes_to_ask_meanwhile_keeps_the_post(
    sessions: sessionmaker[Session],
    embedder: SentenceTransformerEmbedder,
    watch: MakeWatch,
    bring: Bring,
    now: datetime,
) -> None:
    """Another stream may bring a post again while the model thinks about it."""
    boxes = watch("Boxes", Rule(any=("ballot box",), subject=SUBJECT))
    films = watch("Films", Rule(any=("something else",)))
    bring(BESIDE_IT, SEEMS_GRAVE)

    def asked_for() -> None:
        with sessions.begin() as session:
            for post in session.scalars(select(Post)):
                session.merge(PostWatch(post_id=post.id, watch_id=films))

    analyse_next(sessions, Listening(embedder, asked_for), now)
    assert boxes not in _kept(sessions)[BESIDE_IT]
    assert _kept(sessions) == {BESIDE_IT: {films}, SEEMS_GRAVE: {films}}
    while analyse_next(sessions, embedder, now):
        pass
    with sessions() as session:
        assert len(session.scalars(select(Reading)).all()) == 2


def test_what_the_model_cannot_read_misses_no_subject(
    sessions: sessionmaker[Session],
    embedder: SentenceTransformerEmbedder,
    watch: MakeWatch,
    bring: Bring,
    now: datetime,
) -> None:
    boxes = watch("Boxes", Rule(any=("ballot box",), subject=SUBJECT))

    class Choking(Listening):
        def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
            if BESIDE_IT in texts:
                raise ValueError("indigestible")
            return super().embed(texts)

    bring(ABOUT_IT, BESIDE_IT)
    analyse_next(sessions, Choking(embedder), now)
    assert _kept(sessions) == {ABOUT_IT: {boxes}, BESIDE_IT: {boxes}}


def test_the_subject_counts_as_it_is_when_the_post_is_read(
    sessions: sessionmaker[Session],
    embedder: SentenceTransformerEmbedder,
    watch: MakeWatch,
    bring: Bring,
    now: datetime,
) -> None:
    one = watch("Boxes", Rule(any=("ballot box",), subject="A jazz trio and its new record"))
    two = watch("Put away", Rule(any=("ballot box",), subject=SUBJECT))
    bring(ABOUT_IT, BESIDE_IT)
    with sessions.begin() as session:
        rule = Rule(any=("ballot box",), subject=SUBJECT)
        watches.save_watch(session, session.get_one(Watch, one), "Boxes", rule, 7, now)
        watches.put_away(session, session.get_one(Watch, two), 7, now)
    analyse_next(sessions, embedder, now)
    assert _kept(sessions) == {ABOUT_IT: {one, two}}


def test_what_is_let_go_is_in_no_narrative_and_no_count(
    sessions: sessionmaker[Session],
    embedder: SentenceTransformerEmbedder,
    watch: MakeWatch,
    intake: Intake,
    source: Source,
    now: datetime,
) -> None:
    watch("Boxes", Rule(any=("ballot box",), subject=SUBJECT))
    texts = [
        BESIDE_IT,
        "Lovely music: the ballot box jazz trio has a new record out",
        "Ballot box is the best name for a jazz trio, their new record is lovely",
    ]
    posts = [
        NewPost(f"at://did:plc:{n}/x/1", f"did:plc:{n}", text, now - timedelta(minutes=n))
        for n, text in enumerate(texts)
    ]
    with sessions.begin() as session:
        mine = session.get_one(Source, source.id)
        assert save_batch(session, mine, Batch(posts, {}), "bluesky", intake, now) == 3
    analyse_next(sessions, embedder, now)
    with sessions() as session:
        for table in (Post, Reading, Narrative, HourlyCount):
            assert session.scalars(select(table)).all() == []


def test_what_a_subject_let_go_is_not_asked_for_again_at_the_next_look(
    sessions: sessionmaker[Session],
    embedder: SentenceTransformerEmbedder,
    watch: MakeWatch,
    bring: Bring,
    now: datetime,
) -> None:
    """A feed shows the same post at each look; what another watch keeps was judged before."""
    watch("Boxes", Rule(any=("ballot box",), subject=SUBJECT))
    music = watch("Music", Rule(any=("music",)))
    for _ in range(2):
        bring(BESIDE_IT)
        analyse_next(sessions, embedder, now)
    assert _kept(sessions) == {BESIDE_IT: {music}}
