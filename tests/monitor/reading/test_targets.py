"""Of whom a text speaks: by plain words, whole, in two languages, never of its author."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.coding.codebook import ISSUES, TARGET_GROUPS
from monitor.reading.targets import GROUPS, groups_named, issue_at_stake
from monitor.reading.targets import ISSUES as WORDS


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("The Muslims on our street brought food", ["religion"]),
        ("mormons and republicans", ["religion", "political_affiliation"]),
        ("Trans women are women", ["sogi", "gender"]),
        ("Los inmigrantes y las mujeres", ["nationality_immigration", "gender"]),
        ("a manly manual for humans", []),
        ("The churches' roof", ["religion"]),
        ("Copper and a teachable moment", []),
        ("İslam mosque", ["religion"]),
    ],
)
def test_kinds_of_group(text, kinds) -> None:
    assert [named.kind for named in groups_named(text)] == kinds


@pytest.mark.parametrize(
    ("text", "issue"),
    [
        ("They threw out the ballots before the recount", "elections"),
        ("The vaccine clinic is closed", "health"),
        ("Deporten a todos en la frontera", "immigration"),
        ("What a morning", "unknown"),
    ],
)
def test_issue_at_stake(text, issue) -> None:
    assert issue_at_stake(text) == issue


def test_the_tables_use_the_codebooks_values() -> None:
    assert set(GROUPS) == TARGET_GROUPS
    assert set(WORDS) <= ISSUES


@given(st.text(max_size=200))
def test_places_lie_in_any_text(text) -> None:
    for named in groups_named(text):
        assert 0 <= named.start < named.end <= len(text)
