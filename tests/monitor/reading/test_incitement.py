"""Cues and reader together: who decides what, and what a person is asked to look at."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.coding.codebook import HALLMARKS, MessageFields, message_level
from monitor.reading import cued
from monitor.reading.careful import QUESTIONS, SIGNS, STANCES, Said, _Read
from monitor.reading.cued import Assessment
from monitor.reading.incitement import (
    Scorer,
    Thresholds,
    fused,
    packaged_scorer,
    score,
    with_codes,
    with_specifics,
    with_targets,
)
from monitor.reading.plain import plain
from monitor.reading.terms import Hit

AT = Thresholds(
    look_hate=0.3, look_violence=0.2, look_alarmed=0.05,
    violence=0.8, sure=0.97, unclear=0.4, hate=0.6, dehumanising=0.7, outside=0.9,
    signs=dict.fromkeys(SIGNS, 0.6),
)  # fmt: skip


def said(text: str, stance: str = "asserts", sure: float = 0.95, **answers: float) -> Said:
    """What a reader might say of a text, every word of it evidence."""
    rest = "reports" if stance == "asserts" else "asserts"
    stances = dict.fromkeys(STANCES, 0.0) | {stance: sure, rest: 1 - sure}
    probabilities = [answers.get(name, 0.02) for name in QUESTIONS] + list(stances.values())
    probabilities += [answers.get(name, 0.02) for name in SIGNS]
    read, offsets, at = _Read(plain(text)), [], 0
    for word in read.text.split():
        at = read.text.index(word, at)
        offsets.append((at, at + len(word)))
        at += len(word)
    evidence = np.ones((len(offsets), len(probabilities)), np.float32)
    return Said(np.array(probabilities, np.float32), evidence, offsets, read)


def read(text: str, **answers: object) -> Assessment:
    return fused(cued.read(plain(text)), said(text, **answers), AT)  # type: ignore[arg-type]


QUIET = "These folk will see what happens to folk like that."
ALARMING = "These folk will see what burns next."
NAMING = "These immigrants will see what happens next."
CALL = "Someone should burn that place"


def test_what_no_cue_knows_the_reader_sees() -> None:
    assert cued.read(plain(QUIET)).level == 0
    assert read(QUIET).level == 0
    violent = read(ALARMING, violence=0.9, hate=0.9)
    assert cued.read(plain(ALARMING)).level == 0
    assert (violent.level, violent.fields.act, violent.fields.force) == (
        3, "unspecified_violence", "wish",
    )  # fmt: skip
    assert violent.confidence["violence"] == pytest.approx(0.9, abs=1e-3)
    assert read(QUIET, hate=0.9).level == 1
    assert read(QUIET, hate=0.9, dehumanising=0.9).level == 2


@pytest.mark.parametrize("sign", [sign for sign in SIGNS if sign in HALLMARKS])
def test_a_hallmark_that_the_reader_sees_is_level_two_and_shows_its_place(sign: str) -> None:
    seen = read(QUIET, **{sign: 0.7})
    assert (seen.level, seen.fields.hallmarks) == (2, {sign: 2})
    assert [reason["code"] for reason in seen.reasons] == [sign]
    assert QUIET[seen.reasons[0]["start"] : seen.reasons[0]["end"]]
    assert seen.confidence[sign] == pytest.approx(0.7, abs=1e-3)
    assert read(QUIET, **{sign: 0.5}).level == 0
    assert read(QUIET, stance="condemns", sure=0.97, **{sign: 0.9}).level == 0


def test_a_threat_to_somebody_who_is_no_group_needs_no_hate() -> None:
    assert read(ALARMING, violence=0.9).level == 0
    threatening = read(ALARMING, violence=0.9, threat=0.7)
    assert (threatening.level, threatening.fields.act) == (3, "unspecified_violence")
    assert threatening.fields.target_kind == "individual"
    told = read(ALARMING, stance="reports", sure=0.8, violence=0.9, threat=0.9)
    assert (told.level, told.stance) == (0, "unclear")
    # By itself it says nothing: only that violence is meant.
    assert (read(ALARMING, threat=0.99).level, read(ALARMING, threat=0.99).reasons) == (0, [])


@pytest.mark.parametrize(
    ("text", "threatening", "hateful"),
    [
        (QUIET, 0, 1),  # no word bears it out: a person looks
        (NAMING, 0, 3),  # a group's name bears out what is hateful
        (ALARMING, 3, 3),
        ("These folk will see what b.u.r.n.s next.", 3, 3),
        ("Esta gente va a ver lo que pasa, hay que colgarlos.", 3, 3),
        ("Esta gente va a ver lo que pasa: FUSÍLENLOS.", 3, 3),
        ("These folk will see what happens next🔪", 3, 3),
        ("These folk 👀 will see what happens next.", 0, 1),
    ],
)
def test_a_word_must_bear_out_what_the_reader_alone_is_not_sure_of(
    text: str, threatening: int, hateful: int
) -> None:
    threat, hate = read(text, violence=0.9, threat=0.9), read(text, violence=0.9, hate=0.9)
    assert (threat.level, hate.level) == (threatening, hateful)
    assert (threat.stance == "unclear") == (threatening == 0)
    assert (hate.stance == "unclear") == (hateful == 1)


def test_what_is_read_in_many_words_still_asks_a_person_to_look() -> None:
    many = read(
        "They and those and these folk, who came, who saw, who took, will see what happens.",
        hate=0.9, dehumanising=0.9, violence=0.5, H3=0.9, H4=0.9, H8=0.9, exclusion=0.9,
    )  # fmt: skip
    assert many.stance == "unclear"
    assert many.reasons[0]["code"] == "unclear"


def test_what_is_less_sure_never_looks_surer() -> None:
    at = replace(AT, signs=dict.fromkeys(SIGNS, 0.2))
    for likely, word in ((0.3, "(not sure)"), (0.6, "(not sure)"), (0.8, "(fairly sure)")):
        seen = fused(cued.read(plain(QUIET)), said(QUIET, H5=likely), at)
        assert seen.reasons[0]["text"].endswith(word)


def test_exclusion_is_an_act_and_hides_no_graver_one() -> None:
    seen = read(QUIET, exclusion=0.7)
    assert (seen.level, seen.fields.act, seen.fields.force) == (2, "exclude", "wish")
    assert [reason["code"] for reason in seen.reasons] == ["act:exclude"]
    assert seen.fields.target_kind == "group"
    violent = read(ALARMING, exclusion=0.9, hate=0.9, violence=0.9)
    assert (violent.level, violent.fields.act) == (3, "unspecified_violence")
    assert "act:exclude" not in {reason["code"] for reason in violent.reasons}
    called = read(CALL, exclusion=0.9, violence=0.9)
    assert called.fields.act == cued.read(plain(CALL)).fields.act == "damage_property"


def test_what_the_cues_have_shown_is_not_told_twice() -> None:
    text = "They are going to kill us all unless we get them first."
    clear = next(
        sign for sign, degree in cued.read(plain(text)).fields.hallmarks.items() if degree == 2
    )
    codes = [reason["code"] for reason in read(text, **{clear: 0.9}).reasons]
    assert codes.count(clear) == 1


def test_the_reader_alone_never_says_that_violence_is_urged() -> None:
    assert read(QUIET, violence=0.999, hate=0.999, dehumanising=0.999).level == 3


def test_where_the_two_disagree_a_person_looks() -> None:
    assert (read(CALL, violence=0.9).level, read(CALL, violence=0.9).stance) == (3, "asserts")
    doubted = read(CALL, violence=0.1)
    assert (doubted.level, doubted.stance) == (3, "unclear")
    assert "doubted" in {reason["code"] for reason in doubted.reasons}


def test_what_may_be_a_call_is_unclear_and_no_more() -> None:
    for likely in (0.5, 0.95):  # of violence, but of hate against nobody: a person looks
        perhaps = read(ALARMING, violence=likely)
        assert (perhaps.level, perhaps.stance) == (0, "unclear")
        assert "unclear" in {reason["code"] for reason in perhaps.reasons}


def test_violence_alone_is_enough_where_the_reader_is_sure_and_the_author_means_it() -> None:
    assert (read(QUIET, violence=0.98).level, read(QUIET, violence=0.98).stance) == (3, "asserts")
    for stance in ("reports", "condemns", "figurative"):
        told = read(QUIET, violence=0.98, stance=stance, sure=0.7)
        assert (told.level, told.stance) == (0, "unclear")


@pytest.mark.parametrize("stance", [stance for stance in STANCES if stance != "asserts"])
def test_out_of_scope_is_level_nought_whatever_is_hateful_in_it(stance: str) -> None:
    outside = read(QUIET, stance=stance, sure=0.97, hate=0.9, dehumanising=0.9)
    assert (outside.level, outside.stance) == (0, stance)
    assert outside.reasons[0]["code"] == f"stance:{stance}"


def test_a_stance_that_is_not_sure_hides_nothing() -> None:
    assert read(QUIET, stance="figurative", sure=0.7, hate=0.9).level == 1
    # A call that cues can point at stands, however sure the reader is that it is play.
    assert read(CALL, stance="figurative", sure=0.99, violence=0.1).level == 3


def test_a_gate_of_the_cues_holds() -> None:
    quoted = 'The indictment says he wrote "we should burn that place" to police.'
    assert cued.read(plain(quoted)).stance == "reports"
    assert read(quoted, violence=0.99, hate=0.99).level == 0


def test_a_level_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match="M1"):
        Assessment(MessageFields(), 1, "none", "asserts", [])


PROBABILITY = st.floats(0, 1, width=32)


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(min_size=1, max_size=200) | st.sampled_from([QUIET, CALL]),
    hate=PROBABILITY, violence=PROBABILITY, dehumanising=PROBABILITY,
    threat=PROBABILITY, exclusion=PROBABILITY, H3=PROBABILITY, H7=PROBABILITY,
    stance=st.sampled_from(STANCES), sure=PROBABILITY,
)  # fmt: skip
def test_the_rules_alone_make_the_level_and_every_reason_has_its_place(
    text: str, stance: str, sure: float, **answers: float
) -> None:
    if not text.split():
        return
    assessed = fused(cued.read(plain(text)), said(text, stance, sure, **answers), AT)
    assert assessed.level == message_level(assessed.fields)
    assert assessed.stance == assessed.fields.stance
    for reason in assessed.reasons:
        assert 0 <= reason["start"] < reason["end"] <= len(text)


# The reader that ships.


def test_it_is_the_trained_one_and_says_so() -> None:
    assert packaged_scorer().name.startswith("reader ")
    assert packaged_scorer().name.endswith(cued.NAME)


def test_without_a_reader_cues_read() -> None:
    alone = Scorer(None)
    assert alone.name == cued.NAME
    assert alone.score([CALL])[0] == cued.read(plain(CALL))


def test_a_text_is_read_alike_alone_and_among_others() -> None:
    texts = [QUIET, CALL, "Lovely morning at the lake.", "x" * 5_000, "", "🔥", "\ud800"]
    together = packaged_scorer().score(texts)
    assert [one.level for one in together] == [score(text).level for text in texts]


def test_the_first_look_lets_harmless_posts_go_and_keeps_a_threat(embedder) -> None:
    harmless = [f"The library has new books on gardens, shelf {hour}." for hour in range(1, 9)]
    threat = "I am going to kill every one of you at the courthouse tomorrow"
    found = packaged_scorer().score([*harmless, threat], embedder.embed([*harmless, threat]))
    assert [one.level for one in found[:-1]] == [0] * len(harmless)
    let_go = ["look" in one.confidence for one in found]
    assert sum(let_go) >= len(harmless) / 2
    assert not let_go[-1]
    assert found[-1].level == 4


# What is added to what both have read.


def test_a_coded_term_is_possible_and_never_more() -> None:
    """R8: a hit alone gives H6 = 1 and no level; what was read beside it stays."""
    hit = Hit("the fleet", "Says that newcomers are a flood.", "dehumanising", 0, 5)
    for assessed in (read(QUIET), read(QUIET, hate=0.9), read(CALL, violence=0.9)):
        coded = with_codes(assessed, [hit])
        assert coded.fields.hallmarks["H6"] == 1
        assert coded.level == assessed.level == message_level(coded.fields)
        assert coded.reasons[-1]["code"] == "H6"


def test_what_is_named_near_a_threat_weighs_and_what_is_past_does_not() -> None:
    at = datetime(2026, 11, 25, 15, tzinfo=UTC)
    bare = Assessment(
        MessageFields(
            target_kind="individual", act="kill", force="announce", threat_type="direct",
            imminence="unspecified",
        ),
        4, "low", "asserts",
        [{"code": "act:kill", "text": "", "start": 0, "end": 4}],
    )  # fmt: skip
    named = with_specifics(bare, "kill you at the courthouse tomorrow with my rifle", at)
    assert (named.fields.specifics, named.fields.imminence) == (3, "48h")
    assert named.threat_level == "high"
    past = with_specifics(bare, "kill, he wrote yesterday", at)
    assert past.fields.specifics == 0
    calm = read(QUIET)
    assert with_specifics(calm, "at the courthouse tomorrow with my rifle", at) == calm


def test_whom_and_what_it_is_about_is_told_of_what_has_a_level() -> None:
    text = "The election workers and their ballots, someone should burn that place"
    told = with_targets(read(text, violence=0.9), text)
    assert (told.fields.target_groups, told.fields.issue) == ({"role"}, "elections")
    assert with_targets(read(QUIET), QUIET).fields.target_groups == frozenset()
