"""A difference tells both texts whole, and is readable."""

from hypothesis import given
from hypothesis import strategies as st

from campaigns.wording.differences import WORDS_MAX, between, word_by_word

TEXT = st.text("ab -,.\n", max_size=40)


@given(TEXT, TEXT)
def test_nothing_of_either_text_is_lost(old: str, new: str) -> None:
    pieces = word_by_word(old, new)
    assert "".join(one.text for one in pieces if one.kind != "new") == old
    assert "".join(one.text for one in pieces if one.kind != "gone") == new


def test_one_changed_word_is_one_changed_word() -> None:
    pieces = word_by_word("It opens on Monday at nine.", "It opens on Tuesday at nine.")
    assert [tuple(one) for one in pieces] == [
        ("same", "It opens on "),
        ("gone", "Monday"),
        ("new", "Tuesday"),
        ("same", " at nine."),
    ]


def test_texts_that_share_little_stand_whole() -> None:
    pieces = word_by_word("The bridge is open again.", "On Sunday we all meet at Hope Church!")
    assert [one.kind for one in pieces] == ["gone", "new"]


def test_endless_texts_take_no_endless_time() -> None:
    pieces = word_by_word("a " * WORDS_MAX, "b a " * WORDS_MAX)
    assert [one.kind for one in pieces] == ["gone", "new"]


def test_accounts_with_the_same_change_are_named_together() -> None:
    def content(
        first: str, second: str, send_at: str = "2026-11-23T15:00:00Z"
    ) -> dict[str, object]:
        parts = [
            {"account": number, "platform": platform, "handle": "ruth", "text": text}
            for number, platform, text in ((1, "bluesky", first), (2, "mastodon", second))
            if text
        ]
        return {"send_at": send_at, "parts": parts}

    changed = between(content("One.", "One."), content("One two.", "One two."))
    assert [one.where for one in changed.texts] == ["Bluesky @ruth, Mastodon @ruth"]
    left_out = between(content("One.", "One."), content("One.", ""))
    assert [one.where for one in left_out.texts] == ["Mastodon @ruth"]
    later = between(content("One.", ""), content("One.", "", "2026-11-23T16:00:00Z"))
    assert later.times == ("2026-11-23T15:00:00Z", "2026-11-23T16:00:00Z")
    assert between(content("One.", ""), content("One.", "")).none
