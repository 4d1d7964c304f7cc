"""Who speaks, and what a text message must carry."""

import pytest

from campaigns.checking.sending import SEGMENTS_MAX, disclosure, sms_carries, sms_price

PAULA = ["Paula Price", "Hope Church"]


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("The bridge is open.", "who speaks (Paula Price or Hope Church)"),
        ("The bridge is open. Paula Priceless", "who speaks"),
        ("Paula Price: it is open.", "for whom (City of Mill)"),
        ("Paula Price for the City of Mill: said again.", "that AI helped"),
    ],
)
def test_what_is_not_disclosed_stops_the_message(text: str, missing: str) -> None:
    check = disclosure(text, PAULA, own_account=False, sponsor="City of Mill", ai_helped=True)
    assert missing in check.problem
    assert check.blocks
    assert check.mend


def test_disclosed_in_words_or_by_the_account() -> None:
    said = "paula  price, for the City of Mill. AI helped with the wording."
    assert disclosure(said, PAULA, own_account=False, sponsor="city of mill", ai_helped=True).passed
    assert disclosure("The bridge is open.", PAULA, own_account=True).passed
    assert not disclosure("We said so.", PAULA, own_account=True, ai_helped=True).passed


@pytest.mark.parametrize(
    "text",
    [
        "Hope Church: the bridge is open. Reply STOP to end.",
        "Hope Church: the bridge is open. Text “STOP” to end",
        "Hope Church: el puente está abierto. Responda STOP para salir.",
        "HOPE CHURCH: open. STOP to quit",
        "Paula Price. Open. STOP=end",
    ],
)
def test_a_text_message_with_all_it_needs(text: str) -> None:
    assert sms_carries(text, PAULA).problem == ""


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("The bridge is open. Reply STOP to end.", "who sends it"),
        ("Hope Church: the bridge is open.", "how to end"),
        ("Hope Church: please stop the rumor.", "how to end"),
        ("Hope Church: STOP the rumor.", "how to end"),
        ("Hope Churches: Reply STOP to end.", "who sends it"),
    ],
)
def test_a_text_message_that_lacks_something(text: str, missing: str) -> None:
    check = sms_carries(text, PAULA)
    assert missing in check.problem
    assert check.blocks
    assert check.mend


def test_the_price_of_typography_is_named_with_what_would_do() -> None:
    check = sms_price("It’s open. " * 8)
    assert "“’” make it 2 segments instead of 1" in check.problem
    assert "Write ' for ’." in check.mend
    assert not check.blocks


@pytest.mark.parametrize("text", ["It’s open.", "It's open. " * 14, "Está abierto; papá lo sabe."])
def test_what_costs_no_more_is_not_named(text: str) -> None:
    assert sms_price(text).passed


def test_many_segments_are_named() -> None:
    assert sms_price("a" * 153 * SEGMENTS_MAX).passed
    assert f"{SEGMENTS_MAX + 1} segments" in sms_price("a" * (153 * SEGMENTS_MAX + 1)).problem
