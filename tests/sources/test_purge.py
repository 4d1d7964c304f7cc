"""What leaves, leaves everywhere: the deletion drill, accounts that return, removals on request."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sqlalchemy import Engine, delete, inspect, select, text
from sqlalchemy.orm import Session, sessionmaker

from monitor.analyse import analyse_next, mend
from monitor.embedding.embed import SentenceTransformerEmbedder, load_embedder
from monitor.models import CopyBand, Departure, Flag, HourlyCount, Narrative, Reading
from monitor.narratives.narratives import REMOVED, note_departure
from monitor.narratives.placing import Placer
from monitor.rises.spikes import look
from sources.collect import Intake, save_batch
from sources.collector import Batch, Item, NewPost, Rejected, Removal, Return
from sources.db import Base
from sources.matching import Rule
from sources.models import Erasure, HiddenPost, PassingPost, Post, PostWatch, Source, SourceHour
from sources.pseudonyms import erased_name
from sources.purge import REWORDED, Purger
from sources.recheck import recheck_due
from tests.sources.conftest import KEY, AddSource, Watch, make_intake

ALICE, EVE, BOB, CAROL = (f"did:plc:{name}" for name in ("quillfeather", "evelyn", "bob", "carol"))
MADE = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
ADA = 7  # a desk person

# What goes. Each word that gives it away holds the marker.
MARKER = "quillfeather"
CALLS = [
    (ALICE, "Someone should burn the Quillfeather depot on Mill Street, the ballots are in there"),
    (EVE, "Quillfeather depot on Mill Street: someone should burn the depot, they hide ballots"),
    (ALICE, "Burn down the Quillfeather depot! The missing ballots are on Mill Street"),
    (EVE, "Those Quillfeather rats hide ballots in the depot, they deserve to burn"),
    (EVE, "Those Quillfeather rats hide ballots in the depot, they deserve to burn!!"),  # a copy
]
# What stays, in the same narrative.
OTHERS = [
    (BOB, "The missing ballots are in the depot on Mill Street, burn it down, burn the depot"),
    (CAROL, "Ballots hidden in the Mill Street depot and nobody asks, they deserve to burn"),
]


@pytest.fixture(scope="module")
def embedder() -> SentenceTransformerEmbedder:
    return load_embedder(None)


@pytest.fixture
def intake() -> Intake:
    """As the desk wires it: what was made of posts together is told that they leave."""
    return replace(make_intake(), purger=Purger(KEY, leaving=note_departure))


@pytest.fixture
def stream(source_of: AddSource) -> Source:
    return source_of("jetstream", "wss://jetstream.example")


Save = Callable[..., int]


@pytest.fixture
def save(sessions: sessionmaker[Session], intake: Intake, now: datetime) -> Save:
    """Saves and commits a batch of these items as ``platform``."""

    def batch(source: Source, *items: Item, platform: str = "bluesky", at: datetime = now) -> int:
        with sessions.begin() as session:
            mine = session.get_one(Source, source.id)
            return save_batch(session, mine, Batch(items, {}), platform, intake, at)

    return batch


def _uri(did: str = ALICE, rkey: str = f"{MARKER}1") -> str:
    return f"at://{did}/app.bsky.feed.post/{rkey}"


def _post(did: str = ALICE, rkey: str = f"{MARKER}1", said: str = "hello", **more: Any) -> NewPost:
    url = f"https://bsky.app/profile/{did}/post/{rkey}"
    return replace(NewPost(_uri(did, rkey), did, said, MADE, url=url), **more)


def _gone(post: NewPost) -> Removal:
    return Removal("post", post.uri, "deleted by its author")


def _deactivated(did: str = ALICE) -> Removal:
    return Removal("account", did, "account deactivated", for_now=True)


def _posts(sessions: sessionmaker[Session]) -> dict[str, str]:
    with sessions() as session:
        return dict(session.execute(select(Post.uri, Post.text)).all())


def _erasures(sessions: sessionmaker[Session]) -> list[tuple[str, str, int | None, datetime]]:
    with sessions() as session:
        rows = select(Erasure.uri_sha256, Erasure.reason, Erasure.by, Erasure.at)
        return sorted(tuple(row) for row in session.execute(rows))


# The drill (requirement 29): a walk through every cell of the database


def _spelled(cell: object) -> str:
    """A cell as text, whatever its type. Vectors come as the text they are written as."""
    if isinstance(cell, bytes | memoryview):
        return bytes(cell).decode("latin-1")
    if isinstance(cell, dict | list):
        return json.dumps(cell, ensure_ascii=False)
    return str(cell)


def _tables_that_hold(engine: Engine, needles: Iterable[str]) -> set[str]:
    """The tables with a cell that holds one of these, whatever the case."""
    wanted = [needle.casefold() for needle in needles]
    names = set(inspect(engine).get_table_names())
    assert {table.name for table in Base.metadata.sorted_tables} < names
    assert "procrastinate_jobs" in names
    found = set()
    with engine.connect() as connection:
        for name in names:
            for row in connection.execute(text(f'SELECT * FROM "{name}"')):
                cells = [_spelled(cell).casefold() for cell in row]
                if any(needle in cell for needle in wanted for cell in cells):
                    found.add(name)
    return found


def test_the_walk_sees_every_kind_of_cell(
    engine: Engine, session: Session, stream: Source, now: datetime
) -> None:
    vector = np.linspace(0, 1, 4, dtype=np.float32)
    stream.cursor = {"deep": [{"er": "Needle-json é"}]}
    session.merge(stream)
    session.add(
        Narrative(
            title="Needle-text",
            centroid=vector,
            embedder="test",
            size=1,
            first_post_at=now,
            last_post_at=now,
            created_at=now,
        )
    )
    session.execute(
        text(
            "INSERT INTO rejected_items (source_id, reason, raw, at) VALUES (:s, '', :raw, now())"
        ),
        {"s": stream.id, "raw": b"\x00\xffneedle-bytes"},
    )
    session.execute(
        text(
            "INSERT INTO procrastinate_jobs (task_name, queue_name, args)"
            """ VALUES ('collect', 'default', '{"why": "needle-job"}')"""
        )
    )
    session.commit()
    assert _tables_that_hold(engine, ["needle-json é"]) == {"sources"}
    assert _tables_that_hold(engine, ["needle-text"]) == {"narratives"}
    assert _tables_that_hold(engine, ["needle-bytes"]) == {"rejected_items"}
    assert _tables_that_hold(engine, ["needle-job"]) == {"procrastinate_jobs"}
    assert _tables_that_hold(engine, ["0.33333334,0.6666667"]) == {"narratives"}
    assert _tables_that_hold(engine, ["needle-nowhere"]) == set()


def _written(vector: NDArray[np.float32]) -> str:
    """The first numbers of a vector as PostgreSQL writes them."""
    return ",".join(np.format_float_positional(x, trim="-") for x in vector[:2])


def _counted(session: Session) -> list[Any]:
    """Every figure that a removal must leave as first counted."""
    hours = select(HourlyCount.__table__).order_by(HourlyCount.narrative_id, HourlyCount.hour)
    read = select(SourceHour.__table__).order_by(SourceHour.source_id, SourceHour.hour)
    kept = select(Source.id, Source.seen, Source.kept).order_by(Source.id)
    sizes = select(Narrative.id, Narrative.size, Narrative.last_post_at).order_by(Narrative.id)
    return [tuple(row) for query in (hours, read, kept, sizes) for row in session.execute(query)]


def _bands(session: Session) -> list[tuple[int, int]]:
    """Parts of fingerprints: (band, post id)."""
    return [tuple(row) for row in session.execute(select(CopyBand.band, CopyBand.post_id))]


class NoneLeft:
    """A platform on which none of the marked posts is there any more."""

    size = 2

    def gone(self, uris: Sequence[str]) -> Sequence[Removal]:
        return [Removal("post", uri, "no longer on Bluesky") for uri in uris if MARKER in uri]


@pytest.fixture
def told(
    sessions: sessionmaker[Session],
    embedder: SentenceTransformerEmbedder,
    stream: Source,
    save: Save,
    watch: Watch,
    now: datetime,
) -> list[NewPost]:
    """The calls: stored, read, in a flagged narrative with others, copied, rejected, let pass."""
    calls = [
        _post(
            did,
            f"{MARKER}{number}",
            said,
            card=f"A page about {MARKER}",
            labels=(f"!{MARKER}",),
            reply_to=_uri(BOB, f"{MARKER}9"),
        )
        for number, (did, said) in enumerate(CALLS)
    ]
    others = [_post(did, f"other{number}", said) for number, (did, said) in enumerate(OTHERS)]
    raw = [
        json.dumps(["app.bsky.feed.post", did, f"{MARKER}{number}"]).encode()
        for number, (did, _) in enumerate(CALLS)
    ]
    save(stream, *calls, *others)  # nobody watches: they pass
    watch(Rule(any=("ballots",)), "Ballots")
    # The stream is read again from a little before.
    save(stream, *calls, *others, *(Rejected("unreadable", one) for one in [*raw, b"others'"]))
    assert analyse_next(sessions, embedder, now) == len(calls + others)
    with sessions.begin() as session:
        look(session, now)
    return calls


def _leave(
    how: str,
    calls: Sequence[NewPost],
    sessions: sessionmaker[Session],
    intake: Intake,
    stream: Source,
    save: Save,
    now: datetime,
) -> None:
    match how:
        case "deleted":
            save(stream, *map(_gone, calls))
        case "account deleted" | "account takendown":
            save(stream, *(Removal("account", did, how) for did in (ALICE, EVE)))
        case "asked for: please":
            with sessions.begin() as session:
                for call in calls:
                    assert call.url is not None
                    assert intake.purger.at_address(session, call.url, "please", ADA, now) == 1
        case _:
            later = now + timedelta(days=1, seconds=1)
            checkers = {"bluesky": NoneLeft}
            gone = recheck_due(sessions, checkers, intake, lambda: later, lambda: False)
            assert gone == len(calls)


@pytest.mark.parametrize(
    "how",
    [
        "deleted",
        "account deleted",
        "account takendown",
        "asked for: please",
        "no longer on Bluesky",
    ],
)
def test_after_a_removal_no_table_holds_anything_of_it(
    engine: Engine,
    sessions: sessionmaker[Session],
    told: list[NewPost],
    intake: Intake,
    stream: Source,
    save: Save,
    now: datetime,
    how: str,
) -> None:
    with sessions() as session:
        narrative = session.scalars(select(Narrative)).one()
        assert MARKER in narrative.title.casefold()
        flag = session.scalars(select(Flag)).one()
        readings = session.scalars(select(Reading).join(Reading.post).order_by(Post.id)).all()
        theirs = [reading for reading in readings if MARKER in reading.post.uri]
        mine = [reading for reading in readings if MARKER not in reading.post.uri]
        ids = [reading.post_id for reading in theirs]
        assert {reading.narrative_id for reading in readings} == {narrative.id}
        assert {why["post_id"] for why in flag.reasons} & set(ids)
        others = " ".join(reading.post.text for reading in mine)
        spans = {
            reading.post.text[why["start"] : why["end"]]
            for reading in theirs
            for why in reading.reasons
        }
        # Short ones stand in other words as well.
        spans = {span for span in spans if len(span) > 5 and span not in others}
        assert len(spans) > 3
        authors = {reading.post.author for reading in theirs}
        vectors = [np.asarray(reading.embedding) for reading in theirs]
        bands = {band for band, post_id in _bands(session) if post_id in ids}
        bands -= {band for band, post_id in _bands(session) if post_id not in ids}
        assert bands
        before = _counted(session)
    signs = ["".join("1" if number > 0 else "0" for number in vector) for vector in vectors]
    needles = [MARKER, ALICE, EVE, *authors, *spans, *map(_written, vectors), *signs]
    held = {"posts", "readings", "meanings", "passing_posts", "rejected_items", "narratives"}
    assert _tables_that_hold(engine, needles) == held

    _leave(how, told, sessions, intake, stream, save, now)

    # The title is left, until the narrative that lost posts is made anew.
    assert _tables_that_hold(engine, needles) == {"narratives"}
    with sessions() as session:
        assert session.scalars(select(Departure.narrative_id).distinct()).all() == [narrative.id]
        assert _counted(session) == before
        assert not bands & {band for band, _ in _bands(session)}
        left = session.scalars(select(Reading.post_id).order_by(Reading.post_id)).all()
        assert left == [reading.post_id for reading in mine]
        proofs = session.scalars(select(Erasure)).all()
    assert sorted(proof.uri_sha256 for proof in proofs) == sorted(
        erased_name(KEY, "bluesky", call.uri) for call in told
    )
    if how == "deleted":
        how = "deleted by its author"
    assert {(proof.by is None, proof.reason) for proof in proofs} == {("asked" not in how, how)}


def test_a_narrative_that_loses_all_its_posts_keeps_no_words_and_no_vector(
    engine: Engine,
    sessions: sessionmaker[Session],
    told: list[NewPost],
    stream: Source,
    save: Save,
    embedder: SentenceTransformerEmbedder,
) -> None:
    save(stream, *(Removal("account", did, "deleted") for did in (ALICE, EVE, BOB, CAROL)))
    placer = Placer(embedder)
    assert mend(sessions, placer) == 1
    assert mend(sessions, placer) == 0
    with sessions() as session:
        narrative = session.scalars(select(Narrative)).one()
        assert narrative.title == REMOVED
        assert not np.any(narrative.centroid)
        assert narrative.size == len(told) + len(OTHERS)
    assert _tables_that_hold(engine, ["ballot", "did:plc"]) == {"watch_versions"}


# Accounts that may come back


def test_the_narrative_of_what_left_is_made_anew_from_what_stands(
    engine: Engine,
    sessions: sessionmaker[Session],
    told: list[NewPost],
    stream: Source,
    save: Save,
    embedder: SentenceTransformerEmbedder,
) -> None:
    save(stream, *map(_gone, told))
    placer = Placer(embedder)
    assert mend(sessions, placer) == 1
    assert mend(sessions, placer) == 0
    assert _tables_that_hold(engine, [MARKER]) == set()
    with sessions() as session:
        narrative = session.scalars(select(Narrative)).one()
        assert "ballots" in narrative.title.casefold()
        left = session.scalars(select(Reading.embedding)).all()
        assert len(left) == len(OTHERS)
        mean = np.mean([np.asarray(vector) for vector in left], axis=0)
        assert np.allclose(narrative.centroid, mean / np.linalg.norm(mean), atol=1e-5)


def test_a_reply_does_not_keep_the_address_of_what_was_removed(
    engine: Engine, stream: Source, save: Save, everything: int
) -> None:
    answer, quote = _post(BOB, "2", reply_to=_uri()), _post(CAROL, "3", quote_of=_uri())
    save(stream, _post(), answer, quote)
    save(stream, _gone(_post()))
    assert _tables_that_hold(engine, [_uri()]) == set()


def test_what_an_author_edits_while_hidden_is_what_returns(
    sessions: sessionmaker[Session], stream: Source, save: Save, everything: int
) -> None:
    save(stream, _post(said="before"))
    save(stream, _deactivated())
    save(stream, _post(said="after", edit=True))
    assert _posts(sessions) == {}
    save(stream, Return(ALICE))
    assert _posts(sessions) == {_uri(): "after"}


def test_a_post_hidden_before_it_was_read_is_counted_when_it_returns(
    sessions: sessionmaker[Session],
    embedder: SentenceTransformerEmbedder,
    stream: Source,
    save: Save,
    everything: int,
    now: datetime,
) -> None:
    pairs = [(ALICE, CALLS[0][1]), (EVE, CALLS[1][1]), (EVE, CALLS[2][1]), *OTHERS]
    save(stream, *(_post(did, f"r{n}", said) for n, (did, said) in enumerate(pairs)))
    save(stream, _deactivated())
    save(stream, Return(ALICE))
    analyse_next(sessions, embedder, now)
    with sessions() as session:
        assert sum(session.scalars(select(HourlyCount.posts))) == len(pairs)


def test_a_deactivated_account_is_out_of_sight_at_once_and_returns_uncounted(
    engine: Engine,
    sessions: sessionmaker[Session],
    embedder: SentenceTransformerEmbedder,
    told: list[NewPost],
    stream: Source,
    save: Save,
    now: datetime,
) -> None:
    theirs = [call for call in told if call.author == ALICE]

    def everything() -> list[Any]:
        with sessions() as session:
            hours = select(HourlyCount.__table__).order_by(HourlyCount.hour)
            kept = select(Source.kept)
            posts = select(Post.uri, Post.text, Post.author, Post.card, Post.labels, Post.posted_at)
            asked = select(Post.uri, PostWatch.watch_id).join(PostWatch).order_by(Post.uri)
            read = select(Post.uri, Reading.level).join(Reading, Reading.post_id == Post.id)
            queries = (hours, kept, posts.order_by(Post.uri), asked, read.order_by(Post.uri))
            return [session.execute(query).all() for query in queries]

    before = everything()
    save(stream, _deactivated(ALICE))
    save(stream, _deactivated(ALICE))  # told again
    assert _tables_that_hold(engine, [ALICE]) == {"hidden_posts"}
    with sessions() as session:
        assert len(session.scalars(select(HiddenPost)).all()) == len(theirs)
        assert session.scalars(select(Departure)).all()  # its narrative is mended meanwhile
        assert session.scalars(select(Erasure)).all() == []
        counts = select(HourlyCount.__table__).order_by(HourlyCount.hour)
        assert [session.execute(counts).all()] == before[:1]
    save(stream, Return(ALICE))
    save(stream, Return(ALICE))
    assert _tables_that_hold(engine, [ALICE]) == {"posts"}
    assert analyse_next(sessions, embedder, now) == len(theirs)
    assert everything() == before


def test_where_the_policy_knows_no_return_a_deactivated_account_is_gone(
    engine: Engine, sessions: sessionmaker[Session], stream: Source, save: Save, everything: int
) -> None:
    save(stream, _post(), platform="web")
    save(stream, _deactivated(), platform="web")
    save(stream, Return(ALICE), platform="web")
    assert _tables_that_hold(engine, [ALICE]) == set()
    assert [proof[1] for proof in _erasures(sessions)] == ["account deactivated"]


@pytest.mark.parametrize(
    "leaving", [_gone(_post()), Removal("account", ALICE, "account deleted")], ids=["post", "all"]
)
def test_what_is_deleted_while_it_is_hidden_does_not_return(
    engine: Engine,
    sessions: sessionmaker[Session],
    stream: Source,
    save: Save,
    everything: int,
    leaving: Removal,
) -> None:
    save(stream, _post(), _post(rkey="2"))
    save(stream, _deactivated())
    save(stream, leaving)
    save(stream, Return(ALICE))
    left = {_uri(rkey="2"): "hello"} if leaving.scope == "post" else {}
    assert _posts(sessions) == left
    assert _tables_that_hold(engine, [_uri()]) == set()
    assert len(_erasures(sessions)) == 2 - len(left)


Told = tuple[str, str, str, str]  # (what, did, rkey, text)
TOLD = st.tuples(
    st.sampled_from(["create", "update", "delete", "gone", "away", "back"]),
    st.sampled_from([ALICE, BOB]),
    st.sampled_from(["1", "2"]),
    st.sampled_from(["red", "green", "blue"]),
)


def _item(told: Told) -> Item:
    what, did, rkey, said = told
    match what:
        case "create" | "update":
            return _post(did, rkey, said, edit=what == "update")
        case "delete":
            return _gone(_post(did, rkey))
        case "gone":
            return Removal("account", did, "account deleted")
        case "away":
            return _deactivated(did)
        case _:
            return Return(did)


def _possible(story: Sequence[Told]) -> list[Told]:
    """The story without what somebody does who is away."""
    away: set[str] = set()
    told = []
    for one in story:
        what, did = one[:2]
        if what in ("away", "back", "gone"):
            away = away | {did} if what == "away" else away - {did}
        elif did in away:
            continue
        told.append(one)
    return told


def _seen(story: Sequence[Told]) -> dict[str, str]:
    """What may be seen when all of this has happened once, in this order."""
    there: dict[str, str] = {}
    away: dict[str, str] = {}
    for what, did, rkey, said in story:
        uri, theirs = _uri(did, rkey), f"at://{did}/"
        match what:
            case "create":
                there.setdefault(uri, said)
            case "update":
                there[uri] = said
            case "delete":
                there.pop(uri, None)
                away.pop(uri, None)
            case "back":
                there = {u: s for u, s in away.items() if u.startswith(theirs)} | there
                away = {u: s for u, s in away.items() if not u.startswith(theirs)}
            case _:
                left = {u: s for u, s in there.items() if u.startswith(theirs)}
                there = {u: s for u, s in there.items() if not u.startswith(theirs)}
                away = {
                    u: s for u, s in away.items() if not (u.startswith(theirs) and what == "gone")
                }
                away |= left if what == "away" else {}
    return there


@given(
    story=st.lists(TOLD, max_size=10).map(_possible),
    replays=st.lists(st.integers(0, 10), min_size=1, max_size=2),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_however_often_a_stream_is_replayed_the_same_is_seen_in_the_end(
    session: Session,
    stream: Source,
    intake: Intake,
    everything: int,
    now: datetime,
    story: list[Told],
    replays: list[int],
) -> None:
    for table in (Post, HiddenPost):
        session.execute(delete(table))
    mine = session.get_one(Source, stream.id)
    for start in [0, *replays]:  # each connection goes on to the end, from wherever it begins
        for told in story[start:]:
            save_batch(session, mine, Batch([_item(told)], {}), "bluesky", intake, now)
    assert dict(session.execute(select(Post.uri, Post.text)).all()) == _seen(story)


def test_a_removal_that_comes_before_its_post_leaves_nothing_and_the_replay_removes(
    engine: Engine, sessions: sessionmaker[Session], stream: Source, save: Save, everything: int
) -> None:
    assert save(stream, _gone(_post())) == 0
    assert _erasures(sessions) == []  # there was nothing to prove
    save(stream, _post())
    save(stream, _gone(_post()))
    save(stream, _gone(_post()))
    assert _tables_that_hold(engine, [_uri()]) == set()
    assert len(_erasures(sessions)) == 1


# Names that begin alike, and names with signs that mean something to LIKE

NAMES = st.text(alphabet="ab%_\\/", min_size=1, max_size=4)


@given(
    uris=st.sets(NAMES, max_size=6),
    prefixes=st.sets(NAMES, min_size=1, max_size=3),
    verb=st.sampled_from(["erase", "hide and return", "hide", "erase hidden"]),
)
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_neighbour_leaves_or_returns_with_an_account(
    session: Session,
    stream: Source,
    intake: Intake,
    now: datetime,
    uris: set[str],
    prefixes: set[str],
    verb: str,
) -> None:
    for table in (Post, HiddenPost, PassingPost, Erasure):
        session.execute(delete(table))
    shared = {"source_id": stream.id, "platform": "bluesky", "text": "", "collected_at": now}
    for uri in uris:
        session.add(Post(**shared, uri=uri, author="a", posted_at=now))
        session.add(PassingPost(**shared, uri=uri))
    session.flush()
    theirs = {uri for uri in uris if uri.startswith(tuple(prefixes))}
    reasons = dict.fromkeys(sorted(prefixes), "account deleted")
    purger = intake.purger
    if verb == "erase":
        assert purger.accounts(session, "bluesky", reasons, now) == len(theirs)
    elif verb == "erase hidden":
        purger.hide_accounts(session, "bluesky", {"": "all of them"}, now)
        assert purger.accounts(session, "bluesky", reasons, now) == len(theirs)
        purger.return_accounts(session, "bluesky", [""], now)
    else:
        assert purger.hide_accounts(session, "bluesky", reasons, now) == len(theirs)
        assert set(session.scalars(select(HiddenPost.uri))) == theirs
    passing = session.scalars(select(PassingPost.uri))
    assert set(passing) == (set() if verb == "erase hidden" else uris - theirs)
    if verb == "hide and return":
        assert purger.return_accounts(session, "bluesky", list(prefixes), now) == len(theirs)
        theirs = set()
    assert set(session.scalars(select(Post.uri))) == uris - theirs


# What a person takes out

REQUESTED = "https://bsky.app/profile/{}/post/3ka_c"


@pytest.mark.parametrize(
    "address",
    [
        _uri(ALICE, "3ka_c"),
        f"  {_uri(ALICE, '3ka_c')}  ",
        REQUESTED.format(ALICE),
        REQUESTED.format(ALICE) + "/",
        REQUESTED.format(ALICE) + "?ref_src=embed",
        REQUESTED.format("alice.example"),
    ],
)
@pytest.mark.parametrize("where", ["posts", "hidden_posts", "passing_posts"])
def test_a_person_takes_out_what_is_shown_at_an_address(
    engine: Engine,
    sessions: sessionmaker[Session],
    intake: Intake,
    stream: Source,
    save: Save,
    watch: Watch,
    now: datetime,
    address: str,
    where: str,
) -> None:
    if where != "passing_posts":
        watch(Rule(everything=True))
    neighbours = [
        _post(BOB, "3kabc"),
        _post(BOB, "c"),
        _post(BOB, "3ka_c", url="https://b.example"),
    ]
    if "alice.example" in address:
        neighbours.pop()
    save(stream, _post(ALICE, "3ka_c", "mine"), *neighbours)
    save(stream, _post(BOB, "n", url="https://n.example/a/3ka_c"), platform="web")
    if where == "hidden_posts":
        save(stream, _deactivated())
    assert _tables_that_hold(engine, [_uri(ALICE, "3ka_c")]) == {where}
    with sessions.begin() as session:
        with pytest.raises(ValueError, match="Say why"):
            intake.purger.at_address(session, address, "  ", ADA, now)
        assert intake.purger.at_address(session, address, " it is mine ", ADA, now) == 1
    assert _tables_that_hold(engine, [_uri(ALICE, "3ka_c")]) == set()
    proof = (erased_name(KEY, "bluesky", _uri(ALICE, "3ka_c")), "asked for: it is mine", ADA, now)
    assert _erasures(sessions) == [proof]
    if where == "posts":
        assert len(_posts(sessions)) == len(neighbours) + 1
    with sessions.begin() as session, pytest.raises(ValueError, match="Nothing is kept"):
        intake.purger.at_address(session, address, "once more", ADA, now)


def test_by_a_name_that_could_be_anybody_s_nobody_s_post_is_taken_out(
    sessions: sessionmaker[Session],
    intake: Intake,
    stream: Source,
    save: Save,
    everything: int,
    now: datetime,
) -> None:
    """An account may give its post the key of another's, and ask for the removal of "its own"."""
    save(stream, _post(ALICE, "3ka_c"), _post(BOB, "3ka_c"))
    address = REQUESTED.format("alice.example")
    with sessions.begin() as session, pytest.raises(ValueError, match="DID"):
        intake.purger.at_address(session, address, "it is mine", ADA, now)
    assert len(_posts(sessions)) == 2


def test_an_article_is_taken_out_by_its_web_address(
    sessions: sessionmaker[Session],
    intake: Intake,
    source_of: AddSource,
    save: Save,
    everything: int,
    now: datetime,
) -> None:
    feed = source_of("feed")
    articles = [
        _post(rkey=f"urn:{n}", url=f"https://news.example/{n}", author="desk") for n in (1, 2, 11)
    ]
    save(feed, *articles, platform="web")
    with sessions.begin() as session:
        purger = intake.purger
        assert purger.at_address(session, "https://news.example/1", "a name", ADA, now) == 1
    assert set(_posts(sessions)) == {articles[1].uri, articles[2].uri}


@pytest.mark.parametrize("kind", ["jetstream", "feed", "bluesky-search"])
@pytest.mark.parametrize("edit", [False, True])
def test_what_a_person_took_out_never_comes_back(
    engine: Engine,
    sessions: sessionmaker[Session],
    intake: Intake,
    source_of: AddSource,
    save: Save,
    everything: int,
    now: datetime,
    kind: str,
    edit: bool,
) -> None:
    stream = source_of("firehose", "wss://first.example")
    save(stream, _post())
    with sessions.begin() as session:
        assert intake.purger.at_address(session, _uri(), "it is mine", ADA, now) == 1
    address = {"jetstream": "wss://a.example", "feed": "https://a.example"}.get(
        kind, "2026-11-16 a"
    )
    again = source_of(kind, address)
    assert save(again, _post(said="edited" if edit else "hello", edit=edit), _post(rkey="2")) == 1
    save(again, _deactivated())
    save(again, Return(ALICE))
    assert _tables_that_hold(engine, [_uri()]) == set()
    assert list(_posts(sessions)) == [_uri(rkey="2")]


@pytest.mark.parametrize(
    ("kind", "reason", "returns"),
    [
        ("feed", "deleted by its author", False),  # a listing shows it at each look
        ("jetstream", "deleted by its author", True),  # a stream means a new post
        ("feed", REWORDED, True),  # an edit takes the place of what it was
    ],
)
def test_what_left_by_itself_comes_back_only_as_something_new(
    sessions: sessionmaker[Session],
    source_of: AddSource,
    save: Save,
    everything: int,
    kind: str,
    reason: str,
    returns: bool,
) -> None:
    source = source_of(kind, "wss://a.example" if kind == "jetstream" else "https://a.example")
    save(source, _post())
    save(source, Removal("post", _uri(), reason))
    assert _posts(sessions) == {}
    assert save(source, _post()) == returns


def test_what_a_person_took_out_does_not_pass_by_either(
    engine: Engine,
    sessions: sessionmaker[Session],
    intake: Intake,
    stream: Source,
    save: Save,
    watch: Watch,
    now: datetime,
) -> None:
    watch(Rule(any=("hello",)))
    save(stream, _post())
    with sessions.begin() as session:
        intake.purger.at_address(session, _uri(), "it is mine", ADA, now)
    save(stream, _post(said="no such word", edit=True))
    assert _tables_that_hold(engine, [_uri()]) == set()
