"""What a draft must pass, by each platform's own rule."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from campaigns.checks import BYTES_MAX, GRAPHEMES_MAX, Check, graphemes, run_checks
from campaigns.content import build_content
from tests.campaigns import cast

FAMILY = "👨‍👩‍👧‍👦"


def found(session: Session, now: datetime, text: str) -> list[Check]:
    """The checks that this text does not pass."""
    voice = cast.make_voice(session, now)
    account = cast.rehearsal_account(session, voice, now)
    content = build_content(voice, {account.id: text}, now + timedelta(hours=1))
    return [check for check in run_checks(session, content, voice, now) if not check.passed]


def test_a_calm_text_passes_every_check(session: Session, now: datetime) -> None:
    assert found(session, now, cast.CALM) == []


@pytest.mark.parametrize(
    ("text", "number", "blocks"),
    [
        ("", 19, True),
        (" \n ", 19, True),
        ("x" * (GRAPHEMES_MAX + 1), 19, True),
        (FAMILY * (BYTES_MAX // len(FAMILY.encode()) + 1), 19, True),
        ("Ask @neighbour.bsky.social about it.", 14, True),
        ("(@neighbour knows)", 14, True),
        ("Someone should burn that place down.", 8, True),
        ("Some say the newcomers are flooding our town.", 8, True),  # M0 with a hallmark
        ("The chaos will not last.", 9, False),
    ],
)
def test_each_fault_is_named(
    session: Session, now: datetime, text: str, number: int, blocks: bool
) -> None:
    faults = [check for check in found(session, now, text) if check.number == number]
    assert len(faults) == 1
    assert faults[0].blocks is blocks
    assert faults[0].mend


@pytest.mark.parametrize(
    "text",
    [
        "x" * GRAPHEMES_MAX,
        FAMILY * (BYTES_MAX // len(FAMILY.encode())),
        "Write to help@town.example.",
        "See https://town.example/@crew for the plan.",
    ],
)
def test_what_looks_like_a_fault_and_is_none(session: Session, now: datetime, text: str) -> None:
    assert found(session, now, text) == []


def test_time_and_consent_are_checked_against_the_send_time(
    session: Session, now: datetime
) -> None:
    voice = cast.make_voice(session, now)
    account = cast.rehearsal_account(session, voice, now)

    def numbers(send_at: datetime) -> list[int]:
        content = build_content(voice, {account.id: "Hello"}, send_at)
        return [
            check.number for check in run_checks(session, content, voice, now) if not check.passed
        ]

    assert numbers(now) == [24]
    assert numbers(now + timedelta(minutes=1)) == []
    assert numbers(now + timedelta(days=31)) == [3]


@given(st.lists(st.sampled_from(["a", "é", "e\u0301", FAMILY, "🇺🇸", "👍🏽", " "])))
def test_graphemes_are_what_a_reader_counts(signs: list[str]) -> None:
    text = "|".join(signs)  # so that no two signs can join
    assert graphemes(text) == len(signs) + max(0, len(signs) - 1)
