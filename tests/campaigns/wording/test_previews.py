"""What looks the same is shown once, and only what looks the same."""

from typing import Any

import pytest

from campaigns.wording.previews import alike

WORDS = "Our town's bridge is open. Use it."
PICTURE = {"sha256": "a", "alt": "The bridge", "width": 3, "height": 2, "type": "image/png"}


def part(platform: str, text: str = WORDS, **more: Any) -> dict[str, Any]:
    return {"platform": platform, "account": platform, "handle": "paula", "text": text} | more


def grouped(*parts: dict[str, Any]) -> list[list[str]]:
    return [[one["platform"] for one in group] for group in alike(parts)]


def test_the_same_words_stand_once_in_the_order_of_their_first_account() -> None:
    own = part("web", "Other words.")
    assert grouped(part("bluesky"), own, part("share_x"), part("mastodon")) == [
        ["bluesky", "share_x", "mastodon"],
        ["web"],
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (part("bluesky", "Use it. #bridge"), part("web", "Use it. #bridge")),  # a tag is a link
        (part("bluesky", "One\n---\nTwo"), part("mastodon", "One\n---\nTwo")),  # a thread
        (part("bluesky", images=[PICTURE]), part("web", images=[PICTURE | {"alt": "A bridge"}])),
        (part("bluesky", images=[PICTURE]), part("web")),
        (part("bluesky"), part("web", lang=["es"])),
        (part("bluesky"), part("email")),  # comes with a subject and a way to leave
        (part("email"), part("email")),
    ],
)
def test_whatever_differs_for_a_reader_is_shown_by_itself(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert len(alike([one, other])) == 2
