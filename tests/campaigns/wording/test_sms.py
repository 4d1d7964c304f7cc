"""Alphabets, segments and what makes a text dear, against a slow reading of the standard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.wording.graphemes import clusters
from campaigns.wording.sms import ALPHABET, ESCAPED, INSTEAD, as_sms, made_plain, replacements

FAMILY = "👨‍👩‍👧‍👦"  # eleven UTF-16 units
TEXTS = st.text(st.sampled_from("ab {€é\u0301ñ”…😀🇺👍🏽\u200d\r\n漢")) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=200
)
LONG = st.tuples(TEXTS, st.integers(0, 200), st.sampled_from("a€é😀漢"), TEXTS).map(
    lambda made: made[0] + made[1] * made[2] + made[3]
)


def test_the_alphabets_are_those_of_the_standard() -> None:
    assert len(ALPHABET) == 127  # 128 places, one of them the escape
    assert len(ESCAPED) == 10
    assert not ALPHABET & ESCAPED
    assert not {"\x1b", "ç", "á", "í", "ó", "ú", "`", "\t", "’"} & (ALPHABET | ESCAPED)


@pytest.mark.parametrize(
    ("text", "encoding", "used", "left"),
    [
        ("", "GSM-7", (0,), 160),
        ("a" * 160, "GSM-7", (160,), 0),
        ("a" * 161, "GSM-7", (153, 8), 145),
        ("a" * 306, "GSM-7", (153, 153), 0),
        ("a" * 307, "GSM-7", (153, 153, 1), 152),
        ("a" * 158 + "€", "GSM-7", (160,), 0),
        ("a" * 152 + "€" + "a" * 8, "GSM-7", (152, 10), 143),  # an escape is not torn apart
        ("ñ" * 160, "GSM-7", (160,), 0),
        ("á" * 70, "UCS-2", (70,), 0),
        ("á" * 71, "UCS-2", (67, 4), 63),
        ("€" + "á" * 69, "UCS-2", (70,), 0),  # in UCS-2 a euro sign costs one
        ("😀" * 35, "UCS-2", (70,), 0),
        ("😀" * 36, "UCS-2", (66, 6), 61),  # half an emoji is not sent
        ("á" * 60 + FAMILY, "UCS-2", (60, 11), 56),
        ("á" * 65 + "🇺🇸" + "á", "UCS-2", (70,), 0),
        ("\r\n" * 80, "GSM-7", (160,), 0),
        ("a" + "\u0301" * 99, "UCS-2", (67, 33), 34),  # torn, for it is larger than a segment
    ],
)
def test_segments(text: str, encoding: str, used: tuple[int, ...], left: int) -> None:
    sms = as_sms(text)
    assert (sms.encoding, sms.used, sms.left) == (encoding, used, left)
    assert sms.segments == len(used)


@given(LONG)
def test_it_agrees_with_a_slow_count(text: str) -> None:
    sms = as_sms(text)
    plain = all(sign in ALPHABET | ESCAPED for sign in text)
    assert (sms.encoding == "GSM-7") == plain
    units = (
        sum(2 if sign in ESCAPED else 1 for sign in text)
        if plain
        else sum(2 if ord(sign) > 0xFFFF else 1 for sign in text)
    )
    assert sum(sms.used) == units
    one, each = (160, 153) if plain else (70, 67)
    assert (sms.segments == 1) == (units <= one)
    assert all(used <= (one if sms.segments == 1 else each) for used in sms.used)
    assert "".join(sms.forcing) == "" if plain else set(sms.forcing) <= {*clusters(text), *text}


@given(LONG, TEXTS)
def test_more_text_never_takes_fewer_segments(text: str, more: str) -> None:
    assert as_sms(text + more).segments >= as_sms(text).segments


def test_what_forces_the_dear_alphabet_is_named_once_and_in_order() -> None:
    sms = as_sms(f"It’s “calm” … it’s 5 km {FAMILY}")
    assert sms.forcing == ("’", "“", "”", "…", FAMILY)


def test_typography_has_plain_signs_and_letters_have_none() -> None:
    text = "“It’s calm” – wait…\u00a0mañana, papá"
    assert replacements(text) == {"“": '"', "’": "'", "”": '"', "–": "-", "…": "...", "\u00a0": " "}
    assert made_plain(text) == '"It\'s calm" - wait... mañana, papá'
    assert as_sms(made_plain("“It’s calm” – wait…")).encoding == "GSM-7"


@given(TEXTS)
def test_plain_signs_never_need_more_of_the_dear_alphabet(text: str) -> None:
    assert not set(made_plain(text)) & set(INSTEAD)
    assert set("".join(INSTEAD.values())) <= ALPHABET
