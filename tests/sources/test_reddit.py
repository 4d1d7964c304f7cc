"""Reddit through praw, against a stand-in on loopback (reddit_server.py)."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sources.collector import Batch, NewPost, Rejected, Removal, SourceFaultError
from sources.policy import USES, Policies
from sources.reddit import (
    FIELDS,
    KEEP,
    LONGEST_WAIT,
    OVERLAP,
    POLL_EVERY,
    RESERVE,
    SHARE,
    WINDOW,
    Address,
    RedditChecker,
    RedditClient,
    RedditListing,
    parse_address,
    policy,
)
from tests.sources.reddit_server import (
    AGENT,
    COMMENTS,
    INFO,
    NEW,
    NOON,
    TOKEN,
    RedditServer,
    comment,
    submission,
)

AT_ONCE = 2.0  # seconds; praw's shortest sleeps that these tests provoke last ten


@pytest.fixture
def server() -> Iterator[RedditServer]:
    server = RedditServer()
    yield server
    server.close()


@pytest.fixture
def client(server: RedditServer) -> RedditClient:
    return server.client()


def _read(
    client: RedditClient, cursor: dict[str, Any] | None = None, address: str = "Springfield"
) -> Batch:
    (batch,) = RedditListing(address, client).batches(cursor)
    return batch


def _known(at: float) -> dict[str, Any]:
    """The cursor with which whatever was made or edited before ``at`` is old."""
    return {"newest": at + OVERLAP.total_seconds()}


# What Reddit demands


def test_without_an_approval_nothing_is_asked(server: RedditServer) -> None:
    for approval in (None, ""):
        with pytest.raises(SourceFaultError, match="Responsible Builder Policy"):
            server.client(approval=approval)
    with pytest.raises(SourceFaultError, match="client id"):
        server.client(user_agent=None)
    assert server.asked == []


@pytest.mark.parametrize(
    "agent",
    [
        *("Mozilla/5.0 (X11; Linux x86_64)", "Breakwater/0.1", "desk:0.1 (by /u/desk_keeper)"),
        *("server:desk:0.1", "server:desk:0.1 (by desk_keeper)", "server:desk:0.1 (by /u/x)"),
        *(f"{AGENT}\r\nX-More: 1", f"{AGENT} Chrome/1"),
    ],
)
def test_a_user_agent_that_does_not_say_who_we_are_is_refused(
    server: RedditServer, agent: str
) -> None:
    with pytest.raises(SourceFaultError, match="must say who we are"):
        server.client(user_agent=agent)


def test_without_an_approval_no_use_is_allowed_and_nothing_is_kept_longer() -> None:
    month = timedelta(days=30)
    assert policy(None).keep == policy("RBP-1").keep == policy(None, month).keep == KEEP
    assert policy("RBP-1", month).keep == month
    assert policy(None, timedelta(hours=1)).keep == timedelta(hours=1)
    assert policy("RBP-1").recheck == timedelta(hours=24)
    for approval in (None, "RBP-1"):
        policies = Policies([policy(approval)])
        assert not any(policies.permits("reddit", use) for use in USES)
        assert policies["reddit"].approval_needed
        assert not policies["reddit"].returns


# Addresses


@pytest.mark.parametrize(
    ("typed", "address", "kept"),
    [
        ("news", Address("news", None), "news"),
        (" /r/Springfield/ ", Address("Springfield", None), "Springfield"),
        ("search: city  council", Address(None, "city council"), "search: city council"),
        ("Search:council", Address(None, "council"), "search: council"),
        ("r/news search: a:b search: c", Address("news", "a:b search: c"), None),
        ("/r/news/ search : “café”", Address("news", "“café”"), "r/news search: “café”"),
        ("r/all search: council", Address(None, "council"), "search: council"),
    ],
)
def test_an_address_is_a_subreddit_or_a_search(
    typed: str, address: Address, kept: str | None
) -> None:
    assert parse_address(typed) == address
    assert str(address) == (kept or f"r/{typed.removeprefix('r/')}")


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("r/x", "no name of a subreddit"),
        ("https://reddit.com/r/news", "no name of a subreddit"),
        ("news+politics", "no name of a subreddit"),
        ("research: council", "no name of a subreddit"),
        ("no such thing search: council", "no name of a subreddit"),
        ("search:  ", "needs words"),
        ("r/news search:", "needs words"),
        (f"search: {'x' * 513}", "512 characters"),
        ("search: a\x00b", "cannot be typed"),
    ],
)
def test_an_address_that_is_neither_gets_a_sentence(
    client: RedditClient, typed: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_address(typed)
    with pytest.raises(SourceFaultError, match=sentence):
        RedditListing(typed, client)


@given(st.text() | st.from_regex(r"(/?r/)?\w{2,21} ?[sS]earch ?: ?.*", fullmatch=True))
def test_what_is_kept_of_an_address_means_the_same(typed: str) -> None:
    try:
        address = parse_address(typed)
    except ValueError:
        return
    assert parse_address(str(address)) == address
    str(address).encode()


# Reading


def test_submissions_and_comments_become_posts_oldest_first(
    server: RedditServer, client: RedditClient
) -> None:
    server.submissions = [
        submission(2, NOON + 300, selftext="", crosspost_parent="t3_s9"),
        submission(1, NOON),
    ]
    server.comments = [comment(1, NOON + 60)]
    batch = _read(client)
    assert batch.items == [
        NewPost(
            uri="reddit:t3_s1",
            author="t2_u1",
            text="Title 1\n\nText 1",
            posted_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
            url="https://www.reddit.com/r/Springfield/comments/s1/title/",
        ),
        NewPost(
            uri="reddit:t1_c1",
            author="t2_u1",
            text="Comment 1",
            posted_at=datetime(2026, 11, 23, 12, 1, tzinfo=UTC),
            url="https://www.reddit.com/r/Springfield/comments/s1/title/c1/",
            reply_to="reddit:t3_s1",
        ),
        NewPost(
            uri="reddit:t3_s2",
            author="t2_u2",
            text="Title 2",
            posted_at=datetime(2026, 11, 23, 12, 5, tzinfo=UTC),
            url="https://www.reddit.com/r/Springfield/comments/s2/title/",
            quote_of="reddit:t3_s9",
        ),
    ]
    assert (batch.next_poll_in, batch.cursor) == (POLL_EVERY, {"newest": NOON + 300})
    assert server.asked == [TOKEN, NEW, COMMENTS]
    assert all(agent.startswith(AGENT) for agent in server.agents)
    _read(client, batch.cursor)
    assert server.asked.count(TOKEN) == 1  # all sources share it, for as long as it lasts


def test_reads_on_until_what_it_knows_and_not_further(
    server: RedditServer, client: RedditClient
) -> None:
    server.submissions = [submission(n, NOON - 60 * n) for n in range(1000)]
    batch = _read(client, {"newest": float(NOON - 60 * 150)})
    assert len(batch.items) == 150 + OVERLAP // timedelta(minutes=1) + 1
    assert server.asked.count(NEW) == 2


def test_an_old_item_out_of_its_place_does_not_end_the_reading(
    server: RedditServer, client: RedditClient
) -> None:
    server.submissions = [submission(n, NOON - n) for n in range(150)]
    server.submissions.insert(0, submission(999, NOON - 10**6))
    assert len(_read(client, _known(NOON - 149)).items) == 150


def test_an_item_that_was_edited_is_an_edit_also_when_it_is_older(
    server: RedditServer, client: RedditClient
) -> None:
    server.comments = [
        comment(1, NOON),
        comment(2, NOON - 5000, edited=float(NOON + 3000)),
        comment(3, NOON - 6000, edited=float(NOON - 5000)),  # old news
        comment(4, NOON - 7000, edited=True),  # on very old ones Reddit does not say when
    ]
    batch = _read(client, _known(NOON))
    assert [(item.uri, item.edit) for item in batch.items if isinstance(item, NewPost)] == [
        ("reddit:t1_c2", True),
        ("reddit:t1_c1", False),
    ]
    assert batch.cursor == {"newest": NOON + 3000}


@pytest.mark.parametrize("at", [NOON, NOON - 10**6])
@pytest.mark.parametrize(
    "changed",
    [
        {"removed_by_category": "moderator"},
        {"author": None},
        {"author": "[deleted]"},
        {"selftext": "[removed]", "permalink": None},
        {"selftext": "[deleted]"},
        {"title": "[deleted by user]"},
        {"selftext": "[ Removed by Reddit on account of violating the [policy](/help/policy). ]"},
    ],
)
def test_what_is_but_a_shell_is_a_removal_however_old(
    server: RedditServer, client: RedditClient, changed: dict[str, Any], at: int
) -> None:
    server.submissions = [submission(2, NOON), submission(1, at, **changed)]
    removals = [item for item in _read(client, _known(NOON)).items if isinstance(item, Removal)]
    assert removals == [Removal("post", "reddit:t3_s1", "removed on Reddit")]


def test_somebody_who_writes_of_removals_is_not_removed(
    server: RedditServer, client: RedditClient
) -> None:
    texts = ["[removed] again?", "They wrote [deleted]", "[removed by user" + " " * 40_000 + "x"]
    server.comments = [comment(n, NOON, body=text) for n, text in enumerate(texts)]
    began = time.monotonic()
    assert [type(item) for item in _read(client).items] == [NewPost] * 3
    assert time.monotonic() - began < AT_ONCE


@pytest.mark.parametrize(
    ("link_id", "url"),
    [("t3_s1", "https://www.reddit.com/comments/s1/_/c1/"), (None, None)],
)
def test_an_item_without_a_permalink_gets_the_short_one(
    server: RedditServer, client: RedditClient, link_id: str | None, url: str | None
) -> None:
    server.comments = [comment(1, NOON, link_id=link_id)]
    server.submissions = [submission(1, NOON)]
    for item in (server.comments[0], server.submissions[0]):
        del item["permalink"]
    urls = {item.uri: item.url for item in _read(client).items if isinstance(item, NewPost)}
    assert urls == {
        "reddit:t3_s1": "https://www.reddit.com/comments/s1/",
        "reddit:t1_c1": url,
    }


def test_a_search_asks_for_the_newest_that_hold_the_words(
    server: RedditServer, client: RedditClient
) -> None:
    server.submissions = [submission(1, NOON)]
    within = _read(client, address="r/Springfield search: city council")
    assert len(within.items) == 1
    assert (within.next_poll_in, server.asked[1:]) == (POLL_EVERY, ["/r/Springfield/search/"])
    query = server.queries[-1]
    assert query.items() >= {"q": "city council", "sort": "new", "restrict_sr": "1"}.items()
    _read(client, address="search: city council")
    assert server.asked[-1] == "/r/all/search/"
    assert "restrict_sr" not in server.queries[-1]


# Items that cannot be read


@pytest.mark.parametrize(
    "changed",
    [
        {"permalink": "@elsewhere.example/"},  # www.reddit.com would be but a user's name
        {"name": "t3_s1,t3_s2"},
        {"name": "t5_s1"},
        {"name": "t3_s1", "title": None},
        {"title": 5},
        {"author": {"name": "user1"}},
        {"created_utc": "yesterday"},
        {"created_utc": 1e300},
        {"parent_id": "elsewhere"},
    ],
)
def test_a_broken_item_is_set_aside_with_what_we_would_have_read(
    server: RedditServer, client: RedditClient, changed: dict[str, Any]
) -> None:
    broken = submission(1, NOON, score=1, author_flair_text="a nurse") | changed
    server.submissions = [submission(2, NOON), broken]
    items = _read(client).items
    assert {type(item) for item in items} == {NewPost, Rejected}
    (rejected,) = [item for item in items if isinstance(item, Rejected)]
    assert set(json.loads(rejected.raw)) <= set(FIELDS)
    assert b"nurse" not in rejected.raw
    assert "Title" not in rejected.reason
    broken["score"] = 2  # at the next look the same item is the same, whatever the votes
    assert rejected in _read(client).items
    assert server.asked.count(NEW) == 2  # nobody went and fetched the part


def test_a_date_that_is_none_does_not_move_the_cursor(
    server: RedditServer, client: RedditClient
) -> None:
    server.submissions = [submission(1, NOON), submission(2, 1e300), submission(3, float("inf"))]
    assert _read(client).cursor == {"newest": NOON}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*FIELDS, "data", "x"]), inner, max_size=5)
    ),
    max_leaves=10,
)
_HOSTILE = _JSON | st.builds(
    lambda fields: submission(1, NOON) | fields,
    st.dictionaries(st.sampled_from(FIELDS), _JSON, min_size=1, max_size=3),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(_HOSTILE, max_size=5))
def test_whatever_is_among_them_the_good_items_are_read(
    server: RedditServer, client: RedditClient, hostile: list[Any]
) -> None:
    server.submissions = [*hostile, submission(77, NOON)]
    server.comments = [comment(77, NOON)]
    for cursor in (None, _known(NOON - 60)):
        batch = _read(client, cursor)
        uris = {item.uri for item in batch.items if isinstance(item, NewPost)}
        assert {"reddit:t3_s77", "reddit:t1_c77"} <= uris
        assert all(uri.startswith(("reddit:t1_", "reddit:t3_")) for uri in uris)
        json.dumps(batch.cursor, allow_nan=False)


# Troubles


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        (NEW, 403, "r/Springfield is private or closed"),
        (NEW, 404, "does not exist"),
        (NEW, 400, "Reddit answers 400"),
        (NEW, 401, "something that we do not understand"),  # prawcore looks for another header
        (NEW, 502, "Reddit answers 502"),
        (COMMENTS, 500, "Reddit answers 500"),
        (TOKEN, 401, "does not accept our client id"),
        (TOKEN, 503, "Reddit answers 503"),
    ],
)
def test_each_trouble_gives_one_sentence_and_one_request(
    server: RedditServer, client: RedditClient, path: str, status: int, sentence: str
) -> None:
    server.status[path] = status
    server.reply[path] = {"message": "Trouble", "error": status}
    began = time.monotonic()
    with pytest.raises(SourceFaultError, match=sentence):
        _read(client)
    assert server.asked.count(path) == 1
    assert time.monotonic() - began < AT_ONCE


@pytest.mark.parametrize(
    ("path", "status", "reply"),
    [
        (NEW, 200, []),
        (NEW, 200, "busy"),
        (NEW, 200, {"kind": "Listing", "data": {}}),
        (NEW, 200, {"kind": "Listing", "data": {"children": {}}}),
        (NEW, 400, {"fields": ["q", "t"]}),
        (NEW, 302, None),  # without a Location
        (NEW, 415, []),
        (TOKEN, 200, {}),
        (TOKEN, 200, {"access_token": "t", "expires_in": "soon", "scope": "*"}),
    ],
)
def test_an_answer_of_another_shape_gives_a_sentence(
    server: RedditServer, client: RedditClient, path: str, status: int, reply: object
) -> None:
    server.status[path], server.reply[path] = status, reply
    with pytest.raises(SourceFaultError, match="something that we do not understand"):
        _read(client)


def test_a_token_that_is_revoked_is_replaced_at_the_next_look(
    server: RedditServer, client: RedditClient
) -> None:
    _read(client)
    server.status[NEW] = 401
    server.headers = {"WWW-Authenticate": 'Bearer realm="reddit", error="invalid_token"'}
    with pytest.raises(SourceFaultError, match="does not accept"):
        _read(client)
    del server.status[NEW]
    _read(client)
    assert server.asked.count(TOKEN) == 2


def test_a_reddit_that_is_not_there_gives_a_sentence(server: RedditServer) -> None:
    client = server.client()
    server.close()
    with pytest.raises(SourceFaultError, match="Reddit cannot be reached"):
        _read(client)


# The rate


@pytest.mark.parametrize("remaining", ["0", "0.0", "-3", "1", str(RESERVE - 1)])
def test_nobody_sleeps_when_the_allowance_is_low(
    server: RedditServer, client: RedditClient, remaining: str
) -> None:
    server.allowance(remaining, 500)
    began = time.monotonic()
    with pytest.raises(SourceFaultError, match="come back later") as fault:
        _read(client)
    assert time.monotonic() - began < AT_ONCE
    assert fault.value.retry_in is not None
    assert timedelta(seconds=495) < fault.value.retry_in <= timedelta(seconds=500)
    assert server.asked == [TOKEN, NEW]
    for ask in (
        lambda: _read(client, address="search: council"),
        lambda: RedditChecker(client).gone(["reddit:t3_s1"]),
    ):
        with pytest.raises(SourceFaultError, match="come back later"):
            ask()
    assert server.asked == [TOKEN, NEW]  # what one source learnt holds for all


def test_nobody_sleeps_to_keep_an_even_pace(server: RedditServer, client: RedditClient) -> None:
    server.allowance(RESERVE + 10, 590)  # praw alone: ten seconds before each further request
    server.submissions = [submission(n, NOON - n) for n in range(450)]
    began = time.monotonic()
    assert len(_read(client, _known(NOON - 450)).items) == 450
    assert time.monotonic() - began < AT_ONCE
    assert server.asked.count(NEW) == 5


def test_after_the_reset_it_goes_on(server: RedditServer, client: RedditClient) -> None:
    server.allowance(0, 1)
    with pytest.raises(SourceFaultError):
        _read(client)
    server.allowance(999, 599)
    time.sleep(1.1)
    server.comments = [comment(1, NOON)]
    assert len(_read(client).items) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"x-ratelimit-remaining": "many", "x-ratelimit-reset": "soon"},
        {"x-ratelimit-remaining": "nan", "x-ratelimit-used": "", "x-ratelimit-reset": "inf"},
        {"x-ratelimit-remaining": "900.0"},
    ],
)
def test_headers_of_another_shape_do_not_matter(
    server: RedditServer, client: RedditClient, headers: dict[str, str]
) -> None:
    server.headers = headers
    server.comments = [comment(1, NOON)]
    assert len(_read(client).items) == 1


def test_the_token_has_an_allowance_of_its_own(server: RedditServer, client: RedditClient) -> None:
    server.token_headers = {"x-ratelimit-remaining": "3", "x-ratelimit-reset": "500"}
    server.comments = [comment(1, NOON)]
    assert len(_read(client).items) == 1


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "3600"}, timedelta(hours=1)),
        ({"Retry-After": "0"}, timedelta(seconds=1)),
        ({"Retry-After": "Mon, 23 Nov 2026 12:00:00 GMT"}, WINDOW),
        ({"Retry-After": "1e300"}, LONGEST_WAIT),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "77"}, timedelta(seconds=77)),
        ({}, WINDOW),
    ],
)
def test_too_many_requests_say_when_to_come_back(
    server: RedditServer, client: RedditClient, headers: dict[str, str], wait: timedelta
) -> None:
    server.status[INFO] = 429
    server.headers = headers
    with pytest.raises(SourceFaultError, match="come back later") as fault:
        RedditChecker(client).gone(["reddit:t3_s1"])
    assert fault.value.retry_in == wait
    asked = len(server.asked)
    with pytest.raises(SourceFaultError, match="come back later"):
        _read(client)
    assert len(server.asked) == asked


@pytest.mark.parametrize("siblings", [1, 300])
def test_the_more_sources_the_longer_each_waits(
    server: RedditServer, client: RedditClient, siblings: int
) -> None:
    for address, requests in (("Springfield", 2), ("search: council", 1)):
        (batch,) = RedditListing(address, client, siblings=siblings).batches(None)
        fair = timedelta(minutes=siblings * requests / SHARE)
        assert batch.next_poll_in == max(POLL_EVERY, fair)


def test_several_threads_share_a_client(server: RedditServer, client: RedditClient) -> None:
    server.comments = [comment(1, NOON)]
    read: list[int] = []
    threads = [
        threading.Thread(target=lambda: read.append(len(_read(client).items))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [1] * 8


# Whether stored posts are still there


def test_the_checker_finds_what_is_gone_in_one_request(
    server: RedditServer, client: RedditClient
) -> None:
    server.submissions = [
        submission(1, NOON),
        submission(2, NOON, removed_by_category="moderator"),
        submission(3, NOON, title=None),  # unreadable, but there
    ]
    server.comments = [
        comment(1, NOON),
        comment(2, NOON, body="[deleted]", author="[deleted]"),
    ]
    names = ["t3_s1", "t3_s2", "t3_s3", "t3_s9", "t1_c1", "t1_c2"]
    assert RedditChecker(client).gone([f"reddit:{name}" for name in names]) == [
        Removal("post", "reddit:t3_s2", "removed on Reddit"),
        Removal("post", "reddit:t3_s9", "no longer on Reddit"),
        Removal("post", "reddit:t1_c2", "removed on Reddit"),
    ]
    assert server.asked == [TOKEN, INFO]
    assert server.queries[-1]["id"] == ",".join(names)


def test_the_checker_asks_for_a_hundred_at_a_time(
    server: RedditServer, client: RedditClient
) -> None:
    checker = RedditChecker(client)
    server.submissions = [submission(n, NOON) for n in range(100)]
    uris = [f"reddit:t3_s{n}" for n in range(101)]
    assert checker.size == 100
    assert checker.gone(uris[:100]) == []
    with pytest.raises(ValueError, match="at most 100"):
        checker.gone(uris)
    assert checker.gone([]) == []
    assert server.asked.count(INFO) == 1


@pytest.mark.parametrize(
    ("status", "reply"),
    [
        (500, {}),
        (403, {}),
        (200, {}),
        (200, {"data": {"children": {}}}),
        (200, {"data": {"children": [None]}}),
        (200, {"data": {"children": [{"kind": "t3", "data": {"author": None}}]}}),
    ],
)
def test_nothing_is_gone_when_reddit_cannot_be_asked(
    server: RedditServer, client: RedditClient, status: int, reply: object
) -> None:
    server.status[INFO], server.reply[INFO] = status, reply
    with pytest.raises(SourceFaultError):
        RedditChecker(client).gone(["reddit:t3_s1"])
