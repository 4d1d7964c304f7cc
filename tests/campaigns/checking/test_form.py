"""The form of a correction: a fixture for each fault."""

import pytest

from campaigns.checking.form import correction_form, is_correction

FACT = "The bridge is open and safe."
WARN = "A false story is going around."
MYTH = "Some say the crew closed it."
WHY = "The picture shows a bridge in Ohio."
GOOD = f"{FACT} {WARN} {MYTH} {WHY} {FACT}"


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"{FACT}\nA false rumor says it was closed.\nThat picture was taken in Ohio.\n{FACT}",
        "El puente está abierto. Corre un rumor falso. Dicen que cerró. "
        "En realidad la foto es de Ohio. El puente está abierto.",
    ],
)
def test_a_good_correction_passes(text: str) -> None:
    assert is_correction(text)
    assert correction_form(text).problem == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{WARN} {MYTH} {WHY} {FACT}", "It begins with the rumour."),
        (f"{FACT} {WHY} {WARN} {MYTH}", "It ends with the rumour."),
        (f"{FACT} {MYTH} {WHY} {FACT}", "Nothing warns before the rumour is told."),
        (f"{FACT} {MYTH} {WARN} {WHY} {FACT}", "Nothing warns before the rumour is told."),
        (f"{FACT} {WARN} {MYTH} They say it fell. {WHY} {FACT}", "more than once"),
        (f"{FACT} {WARN} {MYTH} {FACT}", "It does not say why"),
        (f"{FACT} {WARN}", "It is too short"),
        (f"{FACT} {WHY} {FACT}", "It does not say what it corrects."),
        (f"{FACT} {WARN} It says “they shut the whole bridge”. {WHY} {FACT}", "quotes at length"),
    ],
)
def test_each_fault_is_named_with_its_mending(text: str, problem: str) -> None:
    check = correction_form(text)
    assert problem in check.problem
    assert check.mend
    assert not check.blocks


def test_only_a_text_about_a_false_story_owes_the_form() -> None:
    assert not is_correction("The bridge is open. The fire bell was a false alarm.")
    assert not is_correction("Come to the park.")


@pytest.mark.parametrize("text", ["", " ", "…", "?!\n\n", "“”", "." * 10_000])
def test_no_text_breaks_it(text: str) -> None:
    assert correction_form(text).problem
