"""Nothing of theirs in ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.checking.echoes import no_echo

THEIRS = (
    "They will come for our bridge on Monday night! #SaveOurBridge @bridgewatch.example "
    "https://www.bridge.org/video?id=7",
    "at the end of the day we will see",
)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Stay calm. #saveourbridge", "the hashtag saveourbridge"),
        ("Stay calm. ＃SaveOurBridge", "the hashtag saveourbridge"),
        ("See bridge.org/video for more", "the link bridge.org/video"),
        ("See https://bridge.org/video/?from=us", "the link bridge.org/video"),
        ("Ask @BridgeWatch.example", "the handle bridgewatch.example"),
        ("Nobody will COME for our bridge, on Monday.", "“will come for our bridge”"),
        ("It is a wolf whistle.", "the coded term “Wolf Whistle”"),
    ],
)
def test_each_echo_is_named(text: str, named: str) -> None:
    check = no_echo(text, THEIRS, ["Wolf Whistle"])
    assert named in check.problem
    assert check.blocks
    assert check.mend


@pytest.mark.parametrize(
    "text",
    [
        "Our bridge is open on Monday.",
        "Four of theirs: for our bridge on.",
        "#BridgeIsOpen https://bridge.org/plan @bridge.example",
        "We know that at the end of the day.",  # nobody's phrase
        "A wolf whistler",
        "",
    ],
)
def test_near_misses_pass(text: str) -> None:
    assert no_echo(text, THEIRS, ["wolf whistle"]).problem == ""


def test_a_long_phrase_is_named_once() -> None:
    problem = no_echo("They will come for our bridge on Monday night", THEIRS).problem
    assert problem.count("“") == 1


WORDS = st.lists(st.sampled_from(["bridge", "river", "town", "monday", "crew", "closed"]))


@given(WORDS, WORDS)
def test_a_run_is_found_exactly_when_five_words_are_shared(ours: list[str], own: list[str]) -> None:
    def runs(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[start : start + 5]) for start in range(len(words) - 4)}

    check = no_echo(" ".join(ours), [" ".join(own)])
    assert check.passed == (not runs(ours) & runs(own))
