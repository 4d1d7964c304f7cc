"""Copies are one voice: what counts as a copy, and the groups they form in the database."""

import itertools
import random
import subprocess
import sys
import time
import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, event, func, select

from monitor.models import CopyBand, Meaning, Reading
from monitor.narratives.copies import (
    COPY_WINDOW,
    KEEPER_TIME,
    KEEPERS,
    MAX_MET,
    SHARED_PAIRS,
    Fingerprint,
    bands_of,
    copies_of,
    forget_old,
    similarity,
)
from monitor.narratives.counters import find_by_meaning
from sources.models import Post, Source

FEW = [True] * KEEPERS + [False, False]
WIRE = (
    "Officials in Marlow county say the ferry landing will stay closed on Friday "
    "after two boats were damaged in the storm"
)
CALL = "They are moving the ballots tonight, everybody come to the depot and bring what you have"
OTHER = "The school orchestra gave a lovely concert by the river and nobody minded the rain at all"

CARRIED = [
    f"RT @harbour_news: {WIRE}",
    f"{WIRE} via @harbour_news",
    f"{WIRE} https://news.example/a?utm_source=feed",
    f"{WIRE} #marlow",
    f".@mayor {WIRE}",
    WIRE.upper(),
    WIRE.replace("Officials in Marlow county", "“Officials” in Marlow county —"),
    f"🙏 {WIRE} ⛴️",
    f"So it begins: {WIRE}",
    WIRE.replace("damaged", "wrecked"),
    f"RT @harbour_news: {WIRE[:100]}…",
    "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in WIRE),  # fullwidth letters
    "\u200b".join(WIRE),  # invisible signs between the letters
]
DIFFERENT = [
    (
        "3 dead in Moore after the storm, officials say",
        "30 dead in Moore after the storm, officials say",
    ),
    (
        "At least three people are dead after the storm in the county, officials say",
        "At least four people are dead after the storm in the county, officials say",
    ),
    (
        "Please keep the people of Moore in your prayers tonight, they need all of us",
        "Please keep the people of Calgary in your prayers tonight, they need all of us",
    ),
    (
        "Polling place 12 is closed, go to the town hall",
        "Polling place 14 is closed, go to the town hall",
    ),
    (WIRE, CALL),
    (CALL, OTHER),
]

texts = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("aAbß ŉΐİıſﬁ@.:/'’…#\u0301\u0345\u034f\u200d\u202e\ufdfa漢字ไทยกำ①２"),
    ),
    max_size=60,
)
sentences = st.lists(
    st.sampled_from(["they", "say", "all", "of", "the", "boats", "at", "harbour", "wall", "sank"]),
    min_size=1,
    max_size=14,
).map(" ".join)


def alike(one: str, other: str) -> float:
    return similarity(Fingerprint(one), Fingerprint(other))


@pytest.fixture
def say():
    numbers = itertools.count(1)

    def add(session, author, text, at):
        source = session.scalar(select(Source))
        if source is None:
            source = Source(kind="example", address="town", name="Town", created_at=at)
            session.add(source)
            session.flush()
        post = Post(
            source_id=source.id,
            platform="example",
            uri=f"example:{next(numbers)}",
            author=author,
            text=text,
            labels=[],
            posted_at=at,
            collected_at=at,
            checked_at=at,
            alarming=False,
        )
        session.add(post)
        session.flush()
        return post

    return add


@pytest.fixture
def said(say, now):
    """Store texts and read them as one batch: ``said(session, *texts)`` answers their groups.

    Or which of them are searched: ``said(session, *texts, of="searched")``. ``model``: what reads
    them; None: nothing can.
    """

    def read(session, *batch, at=now, of="of", model="test", card=None):
        posts = [say(session, "ann", text, at) for text in batch]
        for post in posts:
            post.card = card
        unread = {post.id for post in posts} if model is None else ()
        copies = copies_of(session, posts, at, model or "test", unread)
        for post in posts:
            session.add(
                Reading(
                    post_id=post.id,
                    embedding=[float(model is not None), 0.0],
                    embedder=model or "test",
                    level=0,
                    threat_level="none",
                    stance="asserts",
                    reasons=[],
                    scorer="test",
                    copy_of=copies[post.id].of,
                    hour=at,
                    read_at=at,
                )
            )
        session.flush()
        find_by_meaning(session, [one for one, copy in copies.items() if copy.searched])
        return [getattr(copies[post.id], of) for post in posts]

    return read


@pytest.mark.parametrize("copy", CARRIED)
def test_what_copying_changes_makes_no_new_text(copy):
    assert alike(WIRE, copy)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_facts_and_other_texts_are_no_copies(one, other):
    assert not alike(one, other)


def test_the_same_fact_in_other_clothes_is_a_copy():
    assert alike(
        "At least 1,200 homes in Moore are without power tonight, the county says",
        "RT @county: at least 1200 homes in moore are without power tonight the county says",
    ) == alike(
        "At least 1,200 homes in Moore are without power tonight, the county says",
        "at least 1200 homes in Moore are without power tonight, the county says",
    )


@pytest.mark.parametrize(
    "text",
    ["amen", "Amen! 🙏", "love and prayers for you", "", "@a @b https://x.example", "ha " * 50],
)
def test_what_everybody_says_is_no_copy(text):
    assert not alike(text, text)
    assert bands_of(Fingerprint(text)) == []


def test_scripts_without_spaces_are_compared():
    text = "市政府表示由于暴风雨渡口将于星期五关闭请大家留在家中等待通知"
    assert alike(text, f"转发：{text} https://news.example/b")
    assert not alike(text, "学校管弦乐队昨天在河边举行了一场精彩的音乐会没有人介意下雨")


@given(texts)
def test_words_are_normal_once_and_for_all(text):
    words = Fingerprint(text).words
    assert Fingerprint(" ".join(words)).words == words


@given(texts, texts)
def test_likeness_is_mutual_and_bounded(one, other):
    assert alike(one, other) == alike(other, one)
    assert 0 <= alike(one, other) <= 1


@given(sentences, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_a_text_is_its_own_copy_in_every_form(text, form):
    long_enough = len(Fingerprint(text).pairs) >= SHARED_PAIRS
    assert alike(text, unicodedata.normalize(form, text.upper())) == (1 if long_enough else 0)
    assert bool(bands_of(Fingerprint(text))) == long_enough


@given(sentences)
def test_bands_fit_the_column_and_equal_texts_share_all(text):
    bands = bands_of(Fingerprint(text))
    assert all(-(2**63) <= band < 2**63 for band in bands)
    assert set(bands) == set(bands_of(Fingerprint(f"RT @x: {text.upper()}!!! https://y.example")))


def test_enormous_texts_cost_little():
    hostile = ["a" * 10**6, "a\u0301" * 10**6, "rt " * 10**6, "@" * 10**6, "A  " * 10**6]
    start = time.perf_counter()
    for text in hostile:
        bands_of(Fingerprint(text))
    assert time.perf_counter() - start < 2  # seconds; 0.2 on an idle machine


def test_every_process_finds_the_same_bands():
    code = f"from monitor.narratives.copies import *; print(bands_of(Fingerprint({WIRE!r})))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(bands_of(Fingerprint(WIRE)))


def test_copies_in_one_batch_are_one_group(session, said):
    wire, other, call, *copies = said(session, WIRE, OTHER, CALL, *CARRIED)
    assert len({wire, other, call}) == 3
    assert set(copies) == {wire}


def test_copies_find_their_group_in_later_batches(sessions, said, now):
    with sessions.begin() as session:
        (first,) = said(session, WIRE)
    with sessions.begin() as session:  # another session: nothing is kept in memory
        assert said(session, CARRIED[0], OTHER, at=now + timedelta(days=6))[0] == first


def test_a_group_is_named_by_its_first_post_whatever_the_order(session, say, now):
    posts = [say(session, "ann", text, now) for text in (WIRE, OTHER, *CARRIED)]
    wire, other = posts[0].id, posts[1].id
    results = []
    for seed in range(3):
        random.Random(seed).shuffle(posts)
        results.append(copies_of(session, posts, now, "test"))
        session.execute(delete(CopyBand))
    assert results[0] == results[1] == results[2]
    assert {copy.of for copy in results[0].values()} == {wire, other}


@pytest.mark.parametrize("short", ["amen", "Love and  prayers", "👏👏", "https://news.example/1"])
def test_short_texts_stay_alone_and_a_few_stand_for_all(session, said, now, short):
    everybody = [short, short.upper()] * KEEPERS
    assert len(set(said(session, *everybody[:3], f"{short} to that"))) == 4
    found = said(session, *everybody, f"{short} to this", of="searched")
    assert found == [True] + [False] * (len(everybody) - 1) + [True]
    kept = select(func.count()).select_from(CopyBand)
    assert session.scalar(kept) == KEEPERS + 2
    again = said(session, *everybody, at=now + COPY_WINDOW + KEEPER_TIME, of="searched")
    assert again == [True] * KEEPERS + [False] * (len(everybody) - KEEPERS)


@pytest.mark.parametrize("text", ["amen", WIRE])
def test_what_cannot_be_searched_stands_for_nothing(session, said, text):
    """A text that is declared to be in a language that the model cannot read, or of another one."""
    for model in (None, "another"):
        said(session, *[text] * KEEPERS, model=model)
    assert said(session, *[text] * (KEEPERS + 2), of="searched") == FEW
    assert said(session, text, of="searched") == [False]


def test_without_words_the_card_is_what_is_said(session, said):
    cards = ["The ferry is closed", "The bridge is open"]
    found = [said(session, *[""] * (KEEPERS + 2), card=card, of="searched") for card in cards]
    assert found == [FEW, FEW]
    assert said(session, "", of="searched") == [False]


def test_of_a_group_a_few_stand_for_all(session, said, now):
    copies = [WIRE, *CARRIED[: KEEPERS + 1]]
    assert said(session, *copies, of="searched") == FEW
    assert said(session, WIRE, at=now + KEEPER_TIME, of="searched") == [False]
    session.execute(delete(Post).where(Post.id.in_(select(Meaning.post_id))))
    assert said(session, *copies, of="searched") == FEW


def test_no_post_no_query(session, now):
    assert copies_of(session, [], now, "test") == {}


def test_a_group_outlives_its_first_post(session, said):
    (first,) = said(session, WIRE)
    assert said(session, CARRIED[0]) == [first]
    session.execute(delete(Post).where(Post.id == first))
    assert said(session, CARRIED[1]) == [first]


def test_nothing_of_a_deleted_post_is_left(session, said):
    (first,) = said(session, WIRE)
    session.execute(delete(Post).where(Post.id == first))
    assert session.scalar(select(func.count()).select_from(CopyBand)) == 0


def test_a_silent_group_ends_and_a_living_one_goes_on(session, said, now):
    first = said(session, WIRE, *CARRIED[:KEEPERS])[0]  # those that stand for it age together
    assert said(session, CARRIED[0], at=now + COPY_WINDOW - KEEPER_TIME) == [first]
    later = now + COPY_WINDOW + timedelta(hours=1)
    assert said(session, CARRIED[1], at=later) == [first]
    (new,) = said(session, CARRIED[2], at=later + COPY_WINDOW + timedelta(hours=1))
    assert new != first


def test_a_post_read_again_keeps_its_group(session, say, now):
    posts = [say(session, "ann", text, now) for text in (WIRE, CARRIED[0], OTHER)]
    copies = copies_of(session, posts, now, "test")
    assert copies_of(session, posts, now, "test") == copies
    again = copies_of(session, posts[:1], now, "test")
    assert again == {posts[0].id: (posts[0].id, True)}


def test_ten_times_the_copies_are_no_more_rows(session, said):
    (first,) = said(session, WIRE)
    for _ in range(3):
        assert set(said(session, *CARRIED[:8], *CARRIED[:8])) == {first}
    kept = select(func.count(CopyBand.post_id.distinct()))
    assert session.scalar(kept) == KEEPERS


def test_a_crowded_band_hides_no_copy(session, say, said, now):
    (first,) = said(session, WIRE)
    crowded = bands_of(Fingerprint(WIRE))[0]
    for n in range(MAX_MET + 1):
        post = say(session, "ann", f"{n} {OTHER}", now)
        session.add(CopyBand(band=crowded, post_id=post.id, group_id=post.id, read_at=now))
    session.flush()
    assert said(session, CARRIED[0]) == [first]


def test_a_post_purged_while_it_is_compared_is_no_fault(sessions, say, now):
    with sessions.begin() as session:
        first, copy = (say(session, "ann", text, now) for text in (WIRE, CARRIED[0]))
        copies_of(session, [first], now, "test")
        engine = session.get_bind()

    def purge(connection, cursor, statement, *rest):
        if "LATERAL" in statement:
            with sessions.begin() as other:
                other.execute(delete(Post).where(Post.id == first.id))

    event.listen(engine, "after_cursor_execute", purge)
    try:
        with sessions.begin() as session:
            alone = {copy.id: (copy.id, True)}
            assert copies_of(session, [copy], now, "test") == alone
            assert session.get(Post, first.id) is None
    finally:
        event.remove(engine, "after_cursor_execute", purge)


def test_old_bands_are_forgotten(session, said, now):
    said(session, WIRE, at=now - COPY_WINDOW - timedelta(hours=1))
    said(session, OTHER)
    assert forget_old(session, now) == len(set(bands_of(Fingerprint(WIRE))))
    assert forget_old(session, now) == 0
