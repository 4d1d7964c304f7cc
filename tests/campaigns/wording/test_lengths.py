"""Each platform's own count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.wording.lengths import IN_THE_TITLE, Measure, ServerRules, mastodon_length, measures

FAMILY = "👨‍👩‍👧‍👦"


@pytest.mark.parametrize("platform", ["bluesky", "dry_run"])
def test_bluesky_counts_characters_and_bytes(platform: str) -> None:
    assert measures(platform, FAMILY * 120) == [
        Measure("characters", 120, 300),
        Measure("bytes", 3000, 3000),
    ]
    assert [measure.over for measure in measures(platform, FAMILY * 121)] == [0, 25]
    assert [measure.over for measure in measures(platform, "x" * 301)] == [1, 0]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("Calm", 4),
        (FAMILY, 1),
        ("https://town.example/" + "x" * 400, 23),
        ("https://t.co", 23),  # a short one grows
        ("See https://town.example/plan.", 4 + 23 + 1),
        ("(https://town.example/a_(b))", 25),
        ("https://town.example https://town.example", 47),
        ("town.example/" + "x" * 20, 33),  # no protocol, no concession
        ("https://nodots/" + "x" * 20, 35),
        ("Hi @crew@town.example!", 9),
        ("Hi @crew!", 9),
        ("help@town.example", 17),  # an e-mail address is no mention
        ("https://town.example/@crew@town.example", 23),
        ("“https://town.example”", 25),
    ],
)
def test_mastodon_counts_links_as_one_size_and_no_servers(text: str, count: int) -> None:
    assert mastodon_length(text) == count


def test_a_mastodon_server_says_its_own_limits() -> None:
    own = ServerRules(characters_max=5000, per_link=30)
    assert measures("mastodon", "https://town.example", own) == [Measure("characters", 30, 5000)]
    assert measures("mastodon", "x" * 501)[0].over == 1


def test_reddit_counts_code_points_of_title_and_body_apart() -> None:
    below = "characters below it"
    words = f"{FAMILY}{'x' * 300}\n\n{'x' * 40_000}*"
    assert measures("reddit", words) == [
        Measure(IN_THE_TITLE, len(FAMILY) + 300, 300),
        Measure(below, 40_002, 40_000),  # the star goes out as two signs
    ]
    fits = f"{'x' * 300}\n{'x' * 40_000}"
    assert [one.over for one in measures("reddit", fits)] == [0, 0]
    assert measures("reddit", "No more than this")[1] == Measure(below, 0, 40_000)


def test_sms_counts_segments() -> None:
    assert measures("sms", "á" * 71)[0] == Measure("segments", 2)
    assert measures("sms", "a" * 1_601)[1].over == 1


@pytest.mark.parametrize("platform", ["email", "feed", "share", "web"])
def test_no_limit_is_no_limit(platform: str) -> None:
    assert [measure.over for measure in measures(platform, "x" * 100_000)] == [0]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.integers(1, 80))
def test_a_link_counts_the_same_however_long(words: str, longer: int) -> None:
    short = f"{words} https://town.example/a {words}"
    long = f"{words} https://town.example/a{'b' * longer} {words}"
    assert mastodon_length(short) == mastodon_length(long)
