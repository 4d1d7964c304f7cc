"""The lexicon: every version is kept, what is not reviewed stops counting, hits are whole words."""

import re
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.coding import lexicon
from monitor.coding.lexicon import (
    KEEPS,
    KINDS,
    SOON,
    ChangedMeanwhileError,
    UnfitError,
    Wording,
)
from monitor.models import LexiconVersion
from monitor.reading.terms import Lexicon, fold
from sources.db import Base

MAYA, ADA = 1, 2
LATER = timedelta(days=10)
BOATS = Wording(
    term="boat people",
    variants=("#boatpeople", "boat-people"),
    language="en",
    locale="US",
    meaning="Says that newcomers are a flood.",
    origin="Invented for this test.",
    benign_uses="Sailors, and history.",
    alternatives="newcomers",
    kind="dehumanising",
    sources="none",
)


def entry(*forms, **said):
    """A version that no database knows."""
    now = datetime(2026, 11, 1, tzinfo=UTC)
    words = {"meaning": "means", "kind": "threat_code", "state": "active", "expires_at": now}
    return LexiconVersion(term=forms[0], variants=list(forms[1:]), **words | said)


def found(lexicon, text):
    return [(hit.term, text[hit.start : hit.end]) for hit in lexicon.hits(text)]


# Versions


def test_the_model_and_the_migration_agree(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _o, name, kind, *_: (
                    kind != "table" or name == "lexicon_versions"
                ),
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_the_first_edition_is_loaded_once_and_fits_our_own_rules(session, now):
    lexicon.seed(session, now)
    first = lexicon.current(session)
    assert len(first) > 100
    assert {one.by for one in first} == {None}
    assert {one.expires_at - one.reviewed_at for one in first} == {KEEPS}
    assert {one.kind for one in first} == set(KINDS)
    lexicon.retire(session, 1, "Gone", MAYA, now)
    lexicon.seed(session, now)
    assert len(lexicon.current(session)) == len(first)
    assert lexicon.history(session, 1)[-1].state == "retired"
    for version in first:  # saving an entry as it is would be taken
        newest = lexicon.history(session, version.entry_id)[-1]
        again = lexicon.revise(session, newest, Wording.of(version), "x", MAYA, now)
        assert lexicon.changes(version, again) == []


def test_an_edit_is_a_new_version_and_the_old_one_stays(session, now):
    first = lexicon.add(session, BOATS, MAYA, now)
    other = replace(BOATS, meaning="Means something else.", variants=("#boatpeople",))
    second = lexicon.revise(session, first, other, " Typing\nerror ", ADA, now + LATER)
    session.commit()
    session.expire_all()
    past = lexicon.history(session, first.entry_id)
    assert [(v.number, v.by, v.at, v.reason) for v in past] == [
        (1, MAYA, now, "Added"),
        (2, ADA, now + LATER, "Typing error"),
    ]
    assert Wording.of(past[0]) == BOATS
    assert Wording.of(past[1]) == other
    assert second.expires_at == now + KEEPS  # a mended comma is no review
    assert lexicon.changes(*past) == [
        ("Variants", "#boatpeople, boat-people"),
        ("Meaning", BOATS.meaning),
    ]
    third = lexicon.revise(session, second, other, "Read again", ADA, now + LATER, reviewed=True)
    assert third.expires_at == now + LATER + KEEPS
    assert lexicon.history(session, 404) == []


def test_renewing_moves_the_review_and_the_expiry(session, now):
    made = lexicon.add(session, BOATS, MAYA, now)
    later = now + KEEPS + LATER
    renewed = lexicon.renew(session, made.entry_id, ADA, later)
    assert (renewed.reviewed_at, renewed.expires_at) == (later, later + KEEPS)
    assert Wording.of(renewed) == BOATS
    assert renewed.by == ADA


def test_retiring_needs_a_reason_and_can_be_taken_back(session, now):
    made = lexicon.add(session, BOATS, MAYA, now)
    with pytest.raises(UnfitError, match="Say why"):
        lexicon.retire(session, made.entry_id, " ", MAYA, now)
    lexicon.retire(session, made.entry_id, "Nobody says it any more", MAYA, now)
    for verb in (lexicon.renew, lambda *a: lexicon.retire(a[0], a[1], "x", *a[2:])):
        with pytest.raises(ChangedMeanwhileError):
            verb(session, made.entry_id, MAYA, now)
    back = lexicon.restore(session, made.entry_id, ADA, now + LATER)
    assert (back.state, back.expires_at) == ("active", made.expires_at)
    with pytest.raises(ChangedMeanwhileError):
        lexicon.restore(session, made.entry_id, ADA, now + LATER)
    states = [version.state for version in lexicon.history(session, made.entry_id)]
    assert states == ["active", "retired", "active"]


def test_whoever_edits_an_older_version_is_told(session, now):
    first = lexicon.add(session, BOATS, MAYA, now)
    lexicon.renew(session, first.entry_id, ADA, now)
    with pytest.raises(ChangedMeanwhileError, match="version 2"):
        lexicon.revise(session, first, BOATS, "Mine", MAYA, now)


def test_two_who_edit_at_once_do_so_one_after_the_other(sessions, now):
    with sessions.begin() as session:
        first = lexicon.add(session, BOATS, MAYA, now)
    told, ready = [], threading.Barrier(2)

    def edit(by):
        ready.wait()
        try:
            with sessions.begin() as session:
                lexicon.revise(session, first, BOATS, f"By {by}", by, now)
        except ChangedMeanwhileError as fault:
            told.append(fault)

    both = [threading.Thread(target=edit, args=(by,)) for by in (MAYA, ADA)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(told) == 1
    with sessions() as session:
        assert len(lexicon.history(session, first.entry_id)) == 2


def test_each_field_that_cannot_be_kept_gets_one_sentence(session, now):
    lexicon.add(session, BOATS, MAYA, now)
    broken = Wording("ab", ("x" * 81,), "english", "usa", "", "y" * 1001, " ", "", "rude", "")
    with pytest.raises(UnfitError) as told:
        lexicon.add(session, broken, MAYA, now)
    assert set(told.value.faults) == {
        *("term", "variants", "language", "locale"),
        *("meaning", "benign_uses", "kind", "origin"),
    }
    assert all(re.fullmatch(r"[A-Z“].*\.", text) for text in told.value.faults.values())
    first = lexicon.current(session)[0]
    with pytest.raises(UnfitError) as told:
        lexicon.revise(session, first, replace(BOATS, term=""), "", MAYA, now)
    assert set(told.value.faults) == {"term", "reason"}
    with pytest.raises(UnfitError, match=r"1,001 characters"):
        lexicon.revise(session, first, BOATS, "z" * 1001, MAYA, now)
    for unseen in ("\u0301\u0301\u0301", "a\u200b\u200bb"):
        with pytest.raises(UnfitError, match="too short"):
            lexicon.add(session, replace(BOATS, term=unseen, variants=()), MAYA, now)
    assert len(lexicon.current(session)) == 1


def test_no_form_stands_twice_in_one_language(session, now):
    made = lexicon.add(session, BOATS, MAYA, now)
    twin = replace(BOATS, term="other words", variants=("Boat\u2010Péople",))
    with pytest.raises(UnfitError, match="stands in the entry “boat people” already") as told:
        lexicon.add(session, twin, MAYA, now)
    assert set(told.value.faults) == {"variants"}
    lexicon.retire(session, made.entry_id, "Gone", MAYA, now)
    with pytest.raises(UnfitError, match="the retired entry “boat people”"):
        lexicon.add(session, replace(twin, term="BOAT PEOPLE", variants=()), MAYA, now)
    spanish = lexicon.add(session, replace(BOATS, language="es"), MAYA, now)
    assert spanish.entry_id == made.entry_id + 1
    own = replace(BOATS, term=" the  fleet ", variants=("Fleet", "fleet", "The fleet", " "))
    kept = lexicon.add(session, own, MAYA, now)
    assert (kept.term, kept.variants) == ("the fleet", ["Fleet"])


def test_what_is_due_comes_before_it_expires(session, now):
    boats = lexicon.add(session, BOATS, MAYA, now)
    fleet = lexicon.add(session, replace(BOATS, term="fleet", variants=()), MAYA, now + LATER)
    expiry = now + KEEPS

    def at(moment):
        named = {v.entry_id: v.term for v in lexicon.due(session, moment)}
        return [named[key] for key in named], lexicon.standing(boats, moment)

    second = timedelta(seconds=1)
    assert at(expiry - SOON - second) == ([], "in use")
    assert at(expiry - SOON) == (["boat people"], "due")
    assert at(expiry) == (["boat people", "fleet"], "expired")
    gone = lexicon.retire(session, fleet.entry_id, "Gone", MAYA, now)
    assert at(expiry)[0] == ["boat people"]
    assert lexicon.standing(gone, now) == "retired"


# Which entries count


def test_expired_and_retired_entries_never_match(session, now):
    boats = lexicon.add(session, BOATS, MAYA, now)
    lexicon.add(session, replace(BOATS, term="fleet", variants=()), MAYA, now + LATER)
    text = "The fleet of the Boat People"
    assert len(lexicon.load(session, now).hits(text)) == 2
    late = lexicon.load(session, now + KEEPS)
    assert found(late, text) == [("fleet", "fleet")]
    assert not lexicon.load(session, now + KEEPS + LATER).hits(text)
    lexicon.retire(session, boats.entry_id, "Gone", MAYA, now)
    assert found(lexicon.load(session, now), text) == [("fleet", "fleet")]
    assert not Lexicon([entry("fleet", state="retired")]).hits(text)
    assert not Lexicon([]).hits(text)


def test_a_worker_knows_when_to_load_again(session, now):
    assert lexicon.stamp(session) == 0
    empty = lexicon.up_to_date(session, None, now)
    assert lexicon.up_to_date(session, empty, now) is empty
    made = lexicon.add(session, BOATS, MAYA, now)
    known = lexicon.up_to_date(session, empty, now)
    assert known is not empty
    assert known.stamp == lexicon.stamp(session) == made.id
    assert lexicon.up_to_date(session, known, now + KEEPS - LATER) is known
    assert not lexicon.up_to_date(session, known, now + KEEPS).hits("boat people")
    lexicon.renew(session, made.entry_id, ADA, now)
    assert lexicon.up_to_date(session, known, now) is not known


# Hits

CODES = Lexicon(
    [
        entry("echo", "(((they)))", "(((who)))"),
        entry("join the 41%"),
        entry("1488", "14/88", "#1488"),
        entry("get the rope", "traitors get the rope"),
        entry("al paredón"),
        entry("it's okay"),
        entry("Straße frei"),
    ]
)


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("So (((They))) say", ["(((They)))"]),
        ("just join the 41%, they say", ["join the 41%"]),
        ("join the 41%x", []),
        ("price 1488", ["1488"]),
        ("price 21488 or 1488x or x_1488", []),
        ("#1488!", ["#1488"]),
        ("14/88.", ["14/88"]),
        ("TRAITORS GET THE ROPE", ["TRAITORS GET THE ROPE"]),
        ("we get the\n\n  rope now", ["get the\n\n  rope"]),
        ("AL PAREDON y al paredo\u0301n", ["AL PAREDON", "al paredo\u0301n"]),
        ("It’s okay", ["It’s okay"]),
        ("STRASSE FREI, straße frei", ["STRASSE FREI", "straße frei"]),
        ("İİİ ﬁne 1488", ["1488"]),
        ("get the r\u200bo\u00adpe", ["get the r\u200bo\u00adpe"]),
        ("𝟏𝟒𝟖𝟖 and １４８８", ["𝟏𝟒𝟖𝟖", "１４８８"]),
        ("al paredon\u0301 x", ["al paredon\u0301"]),
        ("a lone \ud800 half 1488", ["1488"]),
        ("🙂🙂 1488 🙂", ["1488"]),
        ("", []),
    ],
)
def test_terms_are_found_as_whole_words_where_they_stand(text, hits):
    assert [text[hit.start : hit.end] for hit in CODES.hits(text)] == hits


def test_a_hit_says_what_it_means():
    (hit,) = CODES.hits("They get the rope")
    assert (hit.term, hit.meaning, hit.kind) == ("get the rope", "means", "threat_code")
    assert (hit.start, hit.end) == (5, 17)


def test_of_two_that_overlap_the_longer_wins():
    words = Lexicon([entry("red blue"), entry("blue green sky"), entry("sky"), entry("red")])
    assert found(words, "red blue green sky") == [
        ("red", "red"),
        ("blue green sky", "blue green sky"),
    ]
    assert found(words, "red blue, red") == [("red blue", "red blue"), ("red", "red")]


def test_a_character_is_never_cut_in_two():
    dots = Lexicon([entry(". so", "so .")])
    assert found(dots, "well … so … what") == []
    assert found(dots, "well . so") == [(". so", ". so")]


FORMS = ["abc", "#abc", "abc def", "def abc!", "(((abc)))", "ñandú", "straße", "it's", "41%", "a-b"]
MANY = Lexicon([entry(form) for form in FORMS])
PIECES = st.sampled_from(
    [
        *FORMS,
        *(form.upper() for form in FORMS),
        *(
            "“",
            "’",
            "it’s",
            "…",
            "ﬁ",
            "İ",
            "ß",
            "\u0301",
            "\u200d",
            "\ufe0f",
            "\ud83d",
            "\U0001f642",
        ),
        *(" ", "\n", "_", "-", "٣", "한", "ि", "ａｂｃ", "¨"),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=12).map("".join))
def test_offsets_always_point_at_a_form_that_stands_as_a_whole_word(text):
    hits = MANY.hits(text)
    for hit in hits:
        assert 0 <= hit.start < hit.end <= len(text)
        assert fold(text[hit.start : hit.end]) == fold(hit.term)
        before = fold(text[: hit.start] + "|")[:-1]  # the strokes keep blanks from being stripped
        after = fold("|" + text[hit.end :])[1:]
        assert not re.search(r"\w$", before)
        assert not re.search(r"^\w", after)
    assert all(one.end <= other.start for one, other in pairwise(hits))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FORMS), st.text(max_size=20), st.text(max_size=20))
def test_a_form_between_blanks_is_always_found(form, before, after):
    text = f"{before} {form} {after}"
    at = len(before) + 1
    covered = [hit for hit in MANY.hits(text) if hit.start <= at and hit.end >= at + len(form)]
    crossing = [hit for hit in MANY.hits(text) if hit.start < at + len(form) and at < hit.end]
    assert covered or len(fold(crossing[0].term)) >= len(fold(form))


def test_a_long_text_full_of_hits_is_no_trouble():
    text = "abc def " * 20_000
    assert len(MANY.hits(text)) == 20_000
