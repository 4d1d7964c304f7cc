"""The threshold test: six judged parts, a high bar, and a presumption only a reason can move."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from monitor.coding import rabat
from monitor.coding.codebook import CODEBOOK
from monitor.coding.rabat import CONCERN, MEETS, PARTS, PartsError
from monitor.models import LegalNote, RabatAssessment
from tests.monitor.flagged import add_flag, say_in

MAYA, DANA = 1, 2
WHY = dict.fromkeys(PARTS, "Three of them name the depot")


def judged(*values):
    return dict(zip(PARTS, values, strict=True))


def test_the_parts_are_the_codebooks():
    assert tuple(part.value for part in CODEBOOK.rabat.parts) == PARTS
    assert len(PARTS) == 6


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ((2, 2, 2, 2, 2, 2), MEETS),
        ((2, 2, 2, 2, 1, 1), MEETS),
        ((1, 1, 2, 2, 2, 2), MEETS),
        ((2, 2, 2, 1, 1, 1), CONCERN),  # three are clear: it takes four
        ((2, 2, 2, 2, 2, 0), CONCERN),  # one is not met
        ((0, 0, 0, 0, 0, 0), CONCERN),
    ],
)
def test_the_bar_is_high(session, now, values, label):
    narrative = add_flag(session, now).narrative
    assert rabat.label(rabat.assess(session, narrative, judged(*values), WHY, MAYA, now)) == label


@given(st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_the_label_is_the_rule(values):
    made = RabatAssessment(**judged(*values))
    assert rabat.meets(made) == (min(values) >= 1 and values.count(2) >= 4)


def test_the_newest_stands_and_the_earlier_remain(session, now):
    narrative = add_flag(session, now).narrative
    assert rabat.standing(session, narrative) is None
    first = rabat.assess(session, narrative, judged(2, 2, 2, 2, 1, 1), WHY, MAYA, now)
    later = now + timedelta(hours=1)
    second = rabat.assess(session, narrative, judged(1, 1, 1, 1, 1, 0), WHY, DANA, later)
    session.commit()
    session.expire_all()
    assert rabat.standing(session, narrative) == second
    assert [(one.by, rabat.label(one)) for one in rabat.history(session, narrative)] == [
        (DANA, CONCERN),
        (MAYA, MEETS),
    ]
    assert first.reasons == WHY
    assert first.edition == CODEBOOK.edition


def test_a_merged_narratives_tests_go_with_it(session, now):
    old, kept = add_flag(session, now).narrative, add_flag(session, now, hour=1).narrative
    made = rabat.assess(session, old, judged(1, 1, 1, 1, 1, 1), WHY, MAYA, now)
    old.merged_into = kept.id
    session.flush()
    assert rabat.standing(session, kept) == made


@pytest.mark.parametrize(
    ("parts", "reasons", "faulty"),
    [
        ({"intent": None}, {}, ("intent",)),
        ({"intent": 3}, {}, ("intent",)),
        ({"context": -1, "extent": None}, {}, ("context", "extent")),
        ({}, {"speaker": " \n "}, ("speaker",)),
        ({}, {"likelihood": "x" * (rabat.REASON_CHARS + 1)}, ("likelihood",)),
        ({}, {"intent": "They burn the depot down tonight, it says"}, ("intent",)),
    ],
)
def test_what_is_not_judged_in_full_is_refused(session, now, parts, reasons, faulty):
    narrative = add_flag(session, now).narrative
    say_in(session, narrative, now, "we burn the depot down tonight friends")
    with pytest.raises(PartsError) as caught:
        rabat.assess(session, narrative, judged(1, 1, 1, 1, 1, 1) | parts, WHY | reasons, 1, now)
    assert caught.value.parts == faulty
    assert rabat.history(session, narrative) == []


def test_a_flag_without_a_narrative_is_tested_by_itself(session, now):
    flag = add_flag(session, now)
    assert rabat.about(session, flag) == flag.narrative
    flag.kind, flag.copy_of = "life_safety", 7
    assert rabat.about(session, flag) is flag  # one post, whatever else its narrative tells
    made = rabat.assess(session, flag, judged(1, 1, 1, 1, 1, 1), WHY, MAYA, now)
    assert rabat.standing(session, flag) == made
    assert rabat.standing(session, flag.narrative) is None


def test_speech_is_presumed_protected_until_somebody_notes_a_doubt_with_a_reason(session, now):
    narrative = add_flag(session, now).narrative
    assert rabat.notes(session, narrative) == []
    for what, reason in (("illegal", "So"), ("possible_true_threat", "  "), ("", "So")):
        with pytest.raises(ValueError, match=r"note|reason"):
            rabat.note(session, narrative, what, reason, DANA, now)
    say_in(session, narrative, now, "we burn the depot down tonight friends")
    words = "It says: burn the depot down tonight"
    with pytest.raises(ValueError, match="stands in a post"):
        rabat.note(session, narrative, "possible_true_threat", words, DANA, now)
    rabat.note(session, narrative, "possible_true_threat", "It names a person", DANA, now)
    rabat.note(session, narrative, "presumed_protected", "A song, we learnt", DANA, now)
    assert [one.note for one in rabat.notes(session, narrative)] == [
        "presumed_protected",
        "possible_true_threat",
    ]


def test_the_schema_knows_no_other_note_and_no_test_of_nothing(session, now):
    narrative = add_flag(session, now).narrative
    about = {"by": DANA, "at": now, "narrative_id": narrative.id}
    for row in ({"note": "unlawful", "reason": "x"}, {"note": "presumed_protected", "reason": ""}):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(insert(LegalNote).values(**about, **row))
    test = {"reasons": WHY, "edition": "1", "by": MAYA, "at": now}
    for wrong in ({"narrative_id": None}, {"narrative_id": narrative.id, "intent": 3}):
        row = test | judged(1, 1, 1, 1, 1, 1) | wrong
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(insert(RabatAssessment).values(**row))


def test_our_words_make_no_finding():
    words = " ".join([*rabat.NOTES.values(), MEETS, CONCERN, CODEBOOK.rabat.definition]).lower()
    for word in ("illegal", "unlawful", "criminal", "offender", "suspect"):
        assert word not in words
