"""Readable, in English and Spanish, and pictures with words."""

import pytest

from campaigns.checking.reading import (
    ALT_MAX,
    alt_texts,
    easy_to_read,
    inflesz,
    school_grade,
    spanish_syllables,
)

HARD = (
    "The committee's deliberations necessitated an extraordinary reconsideration of "
    "infrastructural responsibilities before implementation could commence."
)
HARD_ES = (
    "La implementación de las responsabilidades infraestructurales requiere una consideración "
    "extraordinariamente pormenorizada por parte de las autoridades correspondientes."
)


@pytest.mark.parametrize(("text", "scale"), [(HARD, "school grade"), (HARD_ES, "INFLESZ")])
def test_hard_words_are_named(text: str, scale: str) -> None:
    check = easy_to_read(text)
    assert scale in check.problem
    assert "infra" in check.mend
    assert not check.blocks


def test_long_sentences_are_named() -> None:
    check = easy_to_read("We came to the park and then we sat by the river " * 4)
    assert "48 words" in check.mend


@pytest.mark.parametrize(
    "text",
    [
        "Our town's bridge is open. The crew finished its check on Monday: https://town.example/b.",
        "El puente está abierto. La cuadrilla terminó su revisión el lunes y todo está bien.",
        "Unquestionably extraordinary responsibilities.",  # too few words to judge
        "",
        "💧" * 40,
        "1 2 3 4 5 6 7 8 9 10",
        "https://town.example/infrastructural-responsibilities-reconsideration " * 9,
    ],
)
def test_what_can_be_read_or_not_be_judged_passes(text: str) -> None:
    assert easy_to_read(text).problem == ""


def test_the_indices_are_those_of_the_formulas() -> None:
    # Ten words of one syllable in two sentences.
    assert school_grade(["cat"] * 10, 2) == pytest.approx(0.39 * 5 + 11.8 - 15.59)
    assert inflesz(["casa"] * 10, 2) == pytest.approx(206.835 - 62.3 * 2 - 5)


@pytest.mark.parametrize(
    ("word", "count"),
    [
        *(("casa", 2), ("río", 2), ("ciudad", 2), ("país", 2), ("guitarra", 3), ("pingüino", 3)),
        *(("quien", 1), ("buey", 1), ("averiguáis", 4), ("aéreo", 4), ("muy", 1), ("y", 1)),
        *(("yo", 1), ("construir", 2), ("leer", 2), ("ahora", 3), ("mayo", 2), ("rey", 1)),
        *(("María", 3), ("Mario", 2), ("agua", 2), ("guía", 2), ("traería", 4), ("pst", 1)),
    ],
)
def test_spanish_syllables_follow_from_the_spelling(word: str, count: int) -> None:
    assert spanish_syllables(word) == count


@pytest.mark.parametrize(
    ("alts", "problem"),
    [
        ([""], "The picture has no description."),
        (["A bridge", "  "], "Picture 2 has no description."),
        (["IMG_2041"], "file name"),
        (["bridge-final.JPG"], "file name"),
        (["x" * (ALT_MAX + 1)], "longer than"),
    ],
)
def test_a_picture_without_words_stops_the_message(alts: list[str], problem: str) -> None:
    check = alt_texts(alts)
    assert problem in check.problem
    assert check.blocks
    assert check.mend


@pytest.mark.parametrize(
    "alts", [[], ["A crew on the bridge"], ["x" * ALT_MAX], ["Image of a dam"]]
)
def test_pictures_with_words_pass(alts: list[str]) -> None:
    assert alt_texts(alts).passed
