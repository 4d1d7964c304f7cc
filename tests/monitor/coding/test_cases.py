"""Cases are a monitor's own words, never a post's."""

import pytest

from monitor.coding import cases
from monitor.coding.codebook import MessageFields

POST = "They are coming over the bridge on Friday and nobody will stop them but us"
HARSH = MessageFields(target_kind="group", hallmarks={"H1": 2})


def teach(session, now, text, fields=HARSH, unlike=""):
    return cases.teach(session, text, fields, 1, now, unlike)


@pytest.mark.parametrize(
    "text",
    [
        POST,
        "A note said: THEY are coming — over the bridge!",
        "nobody   will stop\nthem but you",
        "ＴＨＥＹ are çoming over thé bridge",
    ],
)
def test_five_words_in_a_row_of_the_post_are_refused(session, now, text):
    with pytest.raises(ValueError, match="stands in the post"):
        teach(session, now, text, unlike=POST)
    assert cases.standing(session) == []


def test_own_words_are_kept_with_what_the_codebook_makes_of_them(session, now):
    case = teach(session, now, "  They are rats,\n all of them ", unlike=POST)
    assert (case.text, case.level) == ("They are rats, all of them", 2)
    assert cases.answers(case) == {"hate": 1, "violence": 0, "dehumanising": 1}
    assert cases.standing(session) == [case]


@pytest.mark.parametrize(
    ("fields", "answers"),
    [
        (MessageFields(), (0, 0, 0)),
        (MessageFields(target_kind="individual", demeaning=True), (0, 0, 0)),
        (MessageFields(target_kind="group", demeaning=True), (1, 0, 0)),
        (MessageFields(target_kind="individual", act="kill", force="wish"), (0, 1, 0)),
        (MessageFields(target_kind="group", stance="reports", hallmarks={"H1": 2}), (0, 0, 0)),
        (MessageFields(target_kind="group", hallmarks={"H1": 1}, demeaning=True), (1, 0, 0)),
    ],
)
def test_what_the_reader_is_asked_follows_from_the_fields(session, now, fields, answers):
    case = teach(session, now, "Some words of my own", fields)
    assert tuple(cases.answers(case).values()) == answers


@pytest.mark.parametrize(
    ("text", "why"), [(" \n ", "own words"), ("word " * 200, "characters"), ("Twice", "there")]
)
def test_what_is_no_case_is_refused(session, now, text, why):
    teach(session, now, "Twice")
    with pytest.raises(ValueError, match=why):
        teach(session, now, text)
    assert len(cases.standing(session)) == 1


def test_a_withdrawn_case_teaches_nothing(session, now):
    case = teach(session, now, "They are rats")
    cases.withdraw(session, case, 2, now)
    assert cases.standing(session) == []
    assert case.withdrawn_by == 2
    again = teach(session, now, "They are rats", MessageFields())  # so it can be put right
    assert cases.standing(session) == [again]


@pytest.mark.parametrize(
    ("text", "post", "refused"),
    [
        ("Well, hang them all now I say", "Hang them ALL now!", True),
        ("They should all be hanged", "Hang them all now", False),
        ("Traitors!", "traitors", True),
        ("They call us traitors here", "traitors", False),
        ("Anything", "", False),
    ],
)
def test_of_a_short_post_all_its_words(session, now, text, post, refused):
    assert bool(cases.shared_run(text, post)) is refused


def test_some_cases_are_held_back_and_always_the_same(session, now):
    many = [teach(session, now, f"Case number {n} of many") for n in range(200)]
    held = {case.text for case in many if case.held_back}
    assert 0.15 < len(held) / len(many) < 0.45
    for case in many:
        cases.withdraw(session, case, 1, now)
        assert teach(session, now, case.text).held_back is (case.text in held)
    assert teach(session, now, "Mine", unlike="").held_back is not None
    assert cases.teach(session, "Another", HARSH, 1, now, held_back=True).held_back
