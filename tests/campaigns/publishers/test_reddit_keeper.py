"""What became of a submission, who removed it, and taking it down, on a stand-in that keeps state.

What that will not do on request comes from a scripted server.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from campaigns.afterwards import afterwards, taking_down
from campaigns.publishers import InDoubtError, NotSentError, PublisherRejectedError
from campaigns.publishers import reddit_keeper as module
from campaigns.publishers.keeping import COUNT_MAX, Posted, Sight
from campaigns.publishers.reddit import DEADLINE
from tests.campaigns.publishers.reddit_server import (
    DELETE,
    INFO,
    REFRESH,
    TOKEN,
    WHO,
    RedditStandIn,
    keeper_at,
    reddit_standing_in,
)
from tests.campaigns.publishers.servers import Script, scripted, severing

RECORD = {"user": "paula_price", "subreddit": "springfield", "title": "The bridge is open"}
SAID = {"name": "t3_s1", "author": "Paula_Price", "subreddit": "Springfield"} | {
    "title": RECORD["title"]
}
POST = Posted("paula_price in r/springfield", "", REFRESH, "k", RECORD, "reddit:t3_s1", None)


@pytest.fixture
def reddit() -> Iterator[RedditStandIn]:
    with reddit_standing_in() as stand_in:
        yield stand_in


@pytest.fixture
def made(reddit: RedditStandIn) -> dict[str, Any]:
    return reddit.make("Paula_Price", "springfield", RECORD["title"], "Use it.")


@pytest.fixture
def post(made: dict[str, Any]) -> Posted:
    return replace(POST, uri=f"reddit:{made['name']}")


@pytest.fixture
def script() -> Iterator[Script]:
    """Paula is let in; what the list says is up to the test."""
    with scripted() as script:
        script.answers[TOKEN] = [(200, {"access_token": "t"})] * 9
        script.answers[WHO] = [(200, {"name": "Paula_Price"})] * 9
        yield script


def listing(*children: Any) -> tuple[int, Any]:
    return 200, {"data": {"children": [{"data": one} for one in children]}}


# ---- reading


def test_comments_are_replies_and_the_score_is_no_number_of_likes(
    reddit: RedditStandIn, made: dict[str, Any], post: Posted
) -> None:
    made |= {"num_comments": 7, "num_crossposts": 2, "score": 41}
    (sight,) = keeper_at(reddit.url).look([post])
    assert sight == Sight("stands", replies=7, reposts=2)
    # A link that a person found names it too; another account's look is by its own token.
    linked = replace(post, uri=f"https://www.reddit.com{made['permalink']}")
    maria = replace(post, secret="maria-refresh", record=RECORD | {"user": "maria"})
    seen = keeper_at(reddit.url).look([linked, maria, post])
    assert [one.state for one in seen] == ["stands", "unreadable", "stands"]


@pytest.mark.parametrize(
    ("category", "sure", "words"),
    [
        ("moderator", True, "The moderators of r/springfield removed it."),
        ("deleted", True, "It was deleted from u/paula_price’s own account."),
        ("anti_evil_ops", True, "Reddit’s staff removed it."),
        ("some\nnew way", True, "Removed there: some new way."),
        ("automod_filtered", False, "A filter of r/springfield holds it until its moderators let"),
    ],
)
def test_who_removed_it_is_told(
    reddit: RedditStandIn,
    made: dict[str, Any],
    post: Posted,
    category: str,
    sure: bool,
    words: str,
) -> None:
    made["removed_by_category"] = category
    (sight,) = keeper_at(reddit.url).look([post])
    assert (sight.state, sight.sure, sight.replies) == ("not_found", sure, None)
    assert sight.detail.startswith(words)


def test_what_reddit_does_not_show_is_asked_for_again(reddit: RedditStandIn) -> None:
    (sight,) = keeper_at(reddit.url).look([POST])
    assert (sight.state, sight.sure) == ("not_found", False)


def test_without_the_scope_it_says_so_and_proves_nothing(
    reddit: RedditStandIn, post: Posted
) -> None:
    reddit.scopes = "identity history submit"  # as tokens were before
    (sight,) = keeper_at(reddit.url).look([post])
    assert sight.state == "unreadable"
    assert "needs the scope read" in sight.detail
    with pytest.raises(PublisherRejectedError, match="scope read"):
        keeper_at(reddit.url).take_down(post)


@pytest.mark.parametrize(
    "answer",
    [
        *(None, (500, b""), (200, b"<html>"), (200, {}), (200, {"data": {"children": {}}})),
        *((404, {}), listing(SAID | {"title": "Another"}), listing(SAID | {"author": 7})),
    ],
)
def test_an_answer_that_is_none_is_no_removal(script: Script, answer: Any) -> None:
    script.answers[INFO] = [answer]
    (sight,) = keeper_at(script.url).look([POST])
    assert sight.state == "unreadable"
    assert sight.detail


def test_numbers_that_cannot_be_are_left_out_and_strangers_are_not_ours(script: Script) -> None:
    odd = SAID | {"num_comments": -1, "num_crossposts": COUNT_MAX + 1}
    script.answers[INFO] = [listing("x", SAID | {"name": "t3_other"}, odd)]
    assert keeper_at(script.url).look([POST]) == [Sight("stands")]
    assert keeper_at(script.url).look([replace(POST, uri="reddit:<b>")])[0].state == "unreadable"


def test_a_reddit_that_is_silent_is_asked_once_in_a_round(script: Script) -> None:
    script.answers[INFO] = [(429, {}, {"retry-after": "42"})]
    others = [replace(POST, secret=f"token-{number}") for number in range(3)]
    seen = keeper_at(script.url).look([POST, *others])
    assert [(one.state, one.retry_in) for one in seen] == [("unreadable", 42.0)] * 4
    assert script.calls.count(INFO) == 1


def test_every_look_and_every_deletion_ends_in_time() -> None:
    """Each account of a round may need a new token, and be refused once."""
    longest = module.SIZE * module.EXCHANGES_TO_READ * module.READING
    assert timedelta(seconds=longest) < afterwards.LEASE
    assert timedelta(seconds=3 * module.EXCHANGES_TO_READ * DEADLINE) < taking_down.CLAIM_PATIENCE


# ---- taking down


def test_it_is_deleted_and_may_be_deleted_again(
    reddit: RedditStandIn, made: dict[str, Any], post: Posted
) -> None:
    other = reddit.make("Paula_Price", "springfield", "Another of hers", "Left alone.")
    keeper = keeper_at(reddit.url)
    assert keeper.take_down(post) == "Deleted there."
    assert keeper.take_down(post) == "It was not there any more."
    assert (made["author"], other["author"]) == ("[deleted]", "Paula_Price")
    (sight,) = keeper.look([post])
    assert (sight.state, sight.sure) == ("not_found", True)


def test_what_moderators_removed_is_deleted_all_the_same(
    reddit: RedditStandIn, made: dict[str, Any], post: Posted
) -> None:
    made |= {"removed_by_category": "moderator", "selftext": "[removed]"}
    assert keeper_at(reddit.url).take_down(post) == "Deleted there."
    assert made["selftext"] == "[deleted]"


def test_no_other_submission_is_touched(reddit: RedditStandIn, post: Posted) -> None:
    hers = reddit.make("Paula_Price", "springfield", "Another of hers", "Left alone.")
    for strange in (f"reddit:{hers['name']}", "https://elsewhere.example/x"):
        with pytest.raises(PublisherRejectedError, match=r"left alone|which submission"):
            keeper_at(reddit.url).take_down(replace(post, uri=strange))
    assert hers["author"] == "Paula_Price"


def test_a_yes_that_was_none_and_an_answer_that_was_lost_are_doubts(
    reddit: RedditStandIn, made: dict[str, Any], post: Posted
) -> None:
    reddit.deaf = True
    with pytest.raises(InDoubtError, match="still shows it"):
        keeper_at(reddit.url).take_down(post)
    reddit.deaf = False
    with severing(reddit.url, "POST") as line, pytest.raises(InDoubtError, match="broke off"):
        keeper_at(reddit.url, api=line).take_down(post)
    assert keeper_at(reddit.url).take_down(post) == "It was not there any more."


def test_what_fails_before_the_deletion_deleted_nothing(script: Script) -> None:
    for answer in (None, (503, b""), (200, {}), (429, {}), listing()):
        script.answers[INFO] = [answer]
        with pytest.raises(NotSentError):
            keeper_at(script.url).take_down(POST)
    assert DELETE not in script.calls
    # After it, what cannot be read back is a doubt, and is never taken for done.
    for answer in (None, (503, b""), (429, {}), (403, {})):
        script.answers[INFO] = [listing(SAID), answer]
        script.answers[DELETE] = [(200, {})]
        with pytest.raises(InDoubtError):
            keeper_at(script.url).take_down(POST)
