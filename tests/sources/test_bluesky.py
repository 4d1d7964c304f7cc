"""Bluesky's records in our shape, and what its policy allows."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sources.bluesky import POLICY, account_change, change, post
from sources.collector import NewPost, Removal, Return
from sources.policy import USES, Policies

ALICE, BOB = "did:plc:alice", "did:plc:bob"
ARRIVED = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
CREATED = "2026-11-23T13:59:58.500Z"
QUOTED = f"at://{BOB}/app.bsky.feed.post/0"


def read(**record: Any) -> NewPost:
    return post(ALICE, "1", {"text": "words", "createdAt": CREATED} | record, ARRIVED)


def test_a_post_in_our_shape() -> None:
    assert read(
        text=" See this 😀 ",
        langs=["en", "es"],
        reply={"parent": {"cid": "b", "uri": QUOTED}, "root": {"cid": "b", "uri": "at://root"}},
        labels={"values": [{"val": "!no-unauthenticated"}, {"val": "graphic-media"}]},
    ) == NewPost(
        uri=f"at://{ALICE}/app.bsky.feed.post/1",
        author=ALICE,
        text="See this 😀",
        posted_at=datetime(2026, 11, 23, 13, 59, 58, 500_000, UTC),
        url=f"https://bsky.app/profile/{ALICE}/post/1",
        lang="en",
        reply_to=QUOTED,
        labels=("!no-unauthenticated", "graphic-media"),
    )


IMAGES = {"$type": "app.bsky.embed.images", "images": [{"alt": " A poster "}, {"alt": ""}, {}]}
VIDEO = {"$type": "app.bsky.embed.video", "alt": "A crowd"}
LINK = {"external": {"uri": "https://x", "title": " Polls\nopen ", "description": "Until  nine"}}
QUOTE = {"$type": "app.bsky.embed.record", "record": {"cid": "b", "uri": QUOTED}}
A_LIST = {"record": {"cid": "b", "uri": f"at://{BOB}/app.bsky.graph.list/0"}}


@pytest.mark.parametrize(
    ("embed", "text", "card", "quote_of"),
    [
        (IMAGES, "words\nA poster", None, None),
        (VIDEO, "words\nA crowd", None, None),
        (LINK, "words", "Polls open\nUntil nine", None),
        ({"external": {"title": "Polls", "description": ""}}, "words", "Polls", None),
        ({"external": {"title": " ", "description": ""}}, "words", None, None),
        (QUOTE, "words", None, QUOTED),
        (A_LIST, "words", None, None),
        ({"record": QUOTE, "media": IMAGES}, "words\nA poster", None, QUOTED),
        ({"record": QUOTE, "media": LINK}, "words", "Polls open\nUntil nine", QUOTED),
        ({"record": A_LIST, "media": VIDEO}, "words\nA crowd", None, None),
        ("none", "words", None, None),
        ({"images": "none", "external": [], "record": 7, "media": []}, "words", None, None),
        ({"images": [7, {"alt": 7}], "alt": {}, "external": {"title": 7}}, "words", None, None),
        ({"record": {"uri": 7, "record": {"uri": []}}}, "words", None, None),
    ],
)
def test_what_a_post_carries(embed: Any, text: str, card: str | None, quote_of: str | None) -> None:
    found = read(embed=embed)
    assert (found.text, found.card, found.quote_of) == (text, card, quote_of)


def test_pictures_without_words_speak_by_their_descriptions() -> None:
    assert read(text="", embed=VIDEO).text == "A crowd"
    assert read(text="   ").text == ""


@pytest.mark.parametrize(
    "record",
    [
        {"langs": [3]},
        {"langs": {"0": "en"}},
        {"reply": {"parent": {"uri": 7}}},
        {"reply": "none"},
        {"labels": {"values": [{"val": 7}, "none", None]}},
        {"labels": [{"val": "mine"}]},
    ],
)
def test_what_is_not_as_the_lexicon_says_is_left_out(record: dict[str, Any]) -> None:
    assert read(**record) == read()


@pytest.mark.parametrize("date", ["soon", None, "0001-01-01T00:00:00+09:00", 5, {}])
def test_a_post_without_a_date_is_dated_by_its_arrival(date: Any) -> None:
    assert read(createdAt=date).posted_at == ARRIVED


@pytest.mark.parametrize("record", [None, [], "text", 7, {}, {"text": None}, {"text": ["a"]}])
def test_another_record_is_no_post(record: Any) -> None:
    with pytest.raises(ValueError, match="the record is no post"):
        post(ALICE, "1", record, ARRIVED)


def test_changes() -> None:
    record = {"text": "words", "createdAt": CREATED}
    uri = f"at://{ALICE}/app.bsky.feed.post/1"
    assert change(ALICE, "1", "create", record, ARRIVED) == read()
    edited = change(ALICE, "1", "update", record, ARRIVED)
    assert isinstance(edited, NewPost)
    assert edited.edit
    gone = change(ALICE, "1", "delete", None, ARRIVED)
    assert gone == Removal("post", uri, "deleted by its author")
    with pytest.raises(ValueError, match="unknown operation 'shrug'"):
        change(ALICE, "1", "shrug", record, ARRIVED)


@pytest.mark.parametrize(
    ("status", "for_now"),
    [
        ("deleted", False),
        ("takendown", False),
        ("deactivated", True),
        ("suspended", True),
        ("desynchronized", True),
        ("throttled", True),
        ("something new", True),
        (None, True),
    ],
)
def test_a_closed_account_goes_for_good_only_where_that_is_said(
    status: str | None, for_now: bool
) -> None:
    reason = f"account {status or 'inactive'}"
    assert account_change(ALICE, False, status) == Removal("account", ALICE, reason, for_now)
    assert account_change(ALICE, True, status) == Return(ALICE)


def test_its_policy_lets_posts_out_to_the_police_only() -> None:
    policies = Policies([POLICY])
    assert {use for use in USES if policies.permits("bluesky", use)} == {"police"}
    assert POLICY.recheck is not None
    assert POLICY.recheck.days == 1
