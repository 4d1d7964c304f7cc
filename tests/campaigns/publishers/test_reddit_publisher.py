"""A submission at most once, on a stand-in that keeps state as Reddit does; and its words there.

What that will not do on request comes from a scripted server that speaks the same HTTP.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy.orm import Session, sessionmaker

from campaigns.afterwards.afterwards import read_back
from campaigns.afterwards.retracting import propose
from campaigns.afterwards.standing import standing
from campaigns.afterwards.taking_down import carry_out
from campaigns.deliver import CLAIM_PATIENCE, deliver_next
from campaigns.drafting.messages import start_message
from campaigns.publishers import InDoubtError, NotSentError, Parcel, PublisherRejectedError
from campaigns.publishers import reddit as module
from campaigns.voices import connect_account, record_consent
from campaigns.wording.content import record_for
from campaigns.wording.previews import posts
from campaigns.wording.submissions import markdown, place_of, title_and_text
from tests.campaigns import cast
from tests.campaigns.publishers.reddit_server import (
    OF_PAULA,
    REFRESH,
    SUBMIT,
    TOKEN,
    WHO,
    RedditStandIn,
    keeper_at,
    publisher_at,
    reddit_standing_in,
)
from tests.campaigns.publishers.servers import Script, scripted, severing

WORDS = "The bridge is open\n\nUse it: https://town.example/b_c\n*Ask* the crew. ñ 🌉\n# 9 of them"
SENT = (
    "Use it: https://town.example/b_c  \n\\*Ask\\* the crew. ñ 🌉  \n\\# 9 of them"  # as Markdown
)
PAULA = (200, {"name": "Paula_Price", "is_suspended": False})
LET_IN = (200, {"access_token": "a-token", "token_type": "bearer", "expires_in": 86400})
NOTHING = (200, {"kind": "Listing", "data": {"children": [], "after": None}})


@pytest.fixture
def reddit() -> Iterator[RedditStandIn]:
    with reddit_standing_in() as stand_in:
        yield stand_in


def parcel_for(words: str = WORDS, place: str = "springfield", **more: Any) -> Parcel:
    part = {"platform": "reddit", "handle": f"paula_price in r/{place}", "text": words}
    fixed = record_for(part, datetime.now(UTC))
    fields = {"secret": REFRESH, "mark": "0.0"} | more
    return Parcel(
        "reddit", part["handle"], module.LOGIN, fields.pop("secret"), "k", fixed, **fields
    )


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as script:
        script.answers |= {TOKEN: [LET_IN] * 3, WHO: [PAULA] * 3}
        yield script


# ---- on the stand-in


def test_title_and_text_are_taken_word_for_word(reddit: RedditStandIn) -> None:
    publisher = publisher_at(reddit.url)
    parcel = replace(parcel_for(), mark=publisher.mark(parcel_for()))
    receipt = publisher.publish(parcel)
    (made,) = reddit.submissions
    assert (made["title"], made["selftext"]) == ("The bridge is open", SENT)
    assert (made["author"], made["subreddit"]) == ("Paula_Price", "Springfield")
    assert receipt.uri == f"reddit:{made['name']}"
    assert receipt.url == f"{reddit.url}/comments/{made['id']}/"
    assert publisher.find(parcel) == receipt
    assert REFRESH not in repr(parcel)


def test_what_was_there_before_the_mark_is_not_ours(reddit: RedditStandIn) -> None:
    """The same words by her own hand, a year ago, do not make ours published."""
    title, text = "The bridge is open", SENT
    reddit.make("Paula_Price", "springfield", title, text)
    reddit.make("Paula_Price", "elsewhere", title, text)
    publisher = publisher_at(reddit.url)
    marked = replace(parcel_for(), mark=publisher.mark(parcel_for()))
    with pytest.raises(InDoubtError, match="may have arrived and been deleted"):
        publisher.find(marked)
    made = reddit.make("Paula_Price", "springfield", title, text)
    made["selftext"] = "[removed]"  # by moderators: it is out all the same
    assert publisher.find(marked) is not None


def test_a_submission_whose_answer_was_lost_is_found(reddit: RedditStandIn) -> None:
    """PRAW would have sent it three times."""
    with severing(reddit.url, "POST") as line:
        publisher = publisher_at(reddit.url, api=line)
        with pytest.raises(InDoubtError, match="broke off"):
            publisher.publish(parcel_for())
    (made,) = reddit.submissions
    receipt = publisher_at(reddit.url).find(parcel_for())
    assert receipt is not None
    assert receipt.uri == f"reddit:{made['name']}"


def test_what_its_voice_deleted_is_never_a_certain_no(reddit: RedditStandIn) -> None:
    publisher = publisher_at(reddit.url)
    publisher.publish(parcel_for())
    reddit.submissions.clear()
    with pytest.raises(InDoubtError, match="may have arrived and been deleted"):
        publisher.find(parcel_for())
    assert not publisher.repeatable


def test_an_expired_token_is_renewed_without_a_second_submission(reddit: RedditStandIn) -> None:
    publisher = publisher_at(reddit.url)
    publisher.mark(parcel_for())
    reddit.tokens.clear()
    publisher.publish(parcel_for())
    assert len(reddit.submissions) == 1


@pytest.mark.parametrize(
    ("parcel", "words"),
    [
        (parcel_for(place="nowhere"), "r/nowhere refuses.*doesn't exist"),
        (parcel_for(place="hidden"), "r/hidden is private"),
        (parcel_for(place="gone"), "r/gone was closed by Reddit"),
        (parcel_for("x" * 301), r"too long \(max: 300\)"),
        (parcel_for(secret="unknown"), "does not let u/paula_price in.*new refresh token"),
        (parcel_for(secret="maria-refresh"), "belongs to another account"),
    ],
)
def test_a_refusal_is_final_and_says_why(reddit: RedditStandIn, parcel: Parcel, words: str) -> None:
    with pytest.raises(PublisherRejectedError, match=words):
        publisher_at(reddit.url).publish(parcel)
    assert reddit.submissions == []


def test_a_suspended_account_sends_nothing(reddit: RedditStandIn) -> None:
    reddit.suspended.add("Paula_Price")
    with pytest.raises(PublisherRejectedError, match="suspended"):
        publisher_at(reddit.url).mark(parcel_for())


# ---- on a server that fails as told


@pytest.mark.parametrize(
    "answer",
    [
        *(None, (500, b""), (502, b"<html>"), (503, b""), (408, b""), (200, b"<html>"), (200, {})),
        (200, {"json": {"errors": [], "data": {"name": "t3_<b>"}}}),
        (200, {"json": {"errors": {"odd": 1}}}),
        (200, {"json": {"errors": [], "data": ["t3_x"]}}),
    ],
)
def test_a_call_whose_end_is_unknown_is_one_call_and_a_doubt(script: Script, answer: Any) -> None:
    """502, 503, 408 and a broken line are what PRAW repeats."""
    script.answers[SUBMIT] = [answer]
    with pytest.raises(InDoubtError):
        publisher_at(script.url).publish(parcel_for())
    assert script.calls.count(SUBMIT) == 1


def test_a_server_that_drips_is_given_up(script: Script) -> None:
    script.answers[SUBMIT] = [5.0]
    with pytest.raises(InDoubtError, match="within"):
        publisher_at(script.url, deadline=0.5).publish(parcel_for())


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ((429, {}, {"x-ratelimit-reset": "42"}), 42.0),
        ((429, {}, {"retry-after": "nan"}), module.RATE_LIMIT_WAIT),
        ((200, {"json": {"ratelimit": 540.5, "errors": [["RATELIMIT", "Wait.", "x"]]}}), 540.5),
        (
            (200, {"json": {"errors": [["RATELIMIT", "you are doing that too much. try again in "
                                        "9 minutes.", "ratelimit"]]}}),
            540.0,
        ),
        ((200, {"json": {"errors": [["RATELIMIT", "Later.", "x"]]}}), module.RATE_LIMIT_WAIT),
    ],
)  # fmt: skip
def test_asked_to_slow_down_it_waits_as_long_as_told(
    script: Script, answer: Any, seconds: float
) -> None:
    script.answers[SUBMIT] = [answer]
    with pytest.raises(NotSentError, match="slow down") as fault:
        publisher_at(script.url).publish(parcel_for())
    assert fault.value.retry_in == seconds
    assert script.calls.count(SUBMIT) == 1


@pytest.mark.parametrize(
    ("path", "answer"),
    [(TOKEN, None), (TOKEN, (401, {})), (TOKEN, (503, b"")), (WHO, None), (WHO, (429, {}))],
)
def test_what_fails_before_the_first_word_was_not_sent(
    script: Script, path: str, answer: Any
) -> None:
    script.answers[path] = [answer]
    with pytest.raises(NotSentError):
        publisher_at(script.url).publish(parcel_for())
    assert script.calls.count(SUBMIT) == 0


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"error": "invalid_grant"}),
        (200, {"access_token": "a\r\nX: b"}),
        (200, {"access_token": "schlüssel"}),
    ],
)
def test_a_token_that_none_can_be_is_not_used(script: Script, answer: Any) -> None:
    script.answers[TOKEN] = [answer]
    with pytest.raises(PublisherRejectedError, match="Connect the account again"):
        publisher_at(script.url).publish(parcel_for())


@pytest.mark.parametrize(
    "answer", [None, (500, b""), (200, {}), (200, {"data": {"children": [1]}})]
)
def test_a_list_that_cannot_be_read_is_a_doubt_and_before_a_call_no_harm(
    script: Script, answer: Any
) -> None:
    script.answers[OF_PAULA] = [answer, answer]
    publisher = publisher_at(script.url)
    with pytest.raises(NotSentError):
        publisher.mark(parcel_for())
    with pytest.raises(InDoubtError):
        publisher.find(parcel_for())


def test_every_call_ends_before_its_claim_is_taken_for_dead() -> None:
    assert timedelta(seconds=module.DEADLINE) * module.EXCHANGES_MAX < CLAIM_PATIENCE


# ---- the words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("snake_case and *stars* ~~", r"snake\_case and \*stars\* \~\~"),
        ("# no heading\n> no quote\n- no list\n12. no list", "\\# no heading  \n\\> no quote  \n"
         "\\- no list  \n12\\. no list"),
        ("A\n---\nB\n===\nC", "A  \n\\---  \nB  \n\\===  \nC"),
        ("[text](https://town.example/a_b)", r"\[text\](https://town.example/a_b)"),
        ("One\n\n    four blanks", "One\n\n\u00a0\u00a0\u00a0\u00a0four blanks"),
        ("u/maria and r/news, and/or", r"u\/maria and r\/news, and/or"),
        ("a | b >!spoiler!< &amp; & ^up `code`", r"a \| b \>!spoiler!\< \&amp; & \^up \`code\`"),
        ("town.example/a_b", r"town.example/a\_b"),
    ],
)  # fmt: skip
def test_nothing_is_read_as_markdown(text: str, shown: str) -> None:
    assert markdown(text) == shown
    unescaped = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", shown)
    unescaped = unescaped.replace("  \n", "\n").replace("\u00a0", " ")
    assert unescaped == text


def test_the_preview_shows_the_title_and_what_becomes_clickable() -> None:
    part = {"platform": "reddit", "text": WORDS, "handle": "paula_price in r/springfield"}
    (post,) = posts(part)
    assert (post.title, post.text) == title_and_text(WORDS)
    assert [one.text for one in post.pieces if one.kind] == ["https://town.example/b_c"]


@pytest.mark.parametrize(
    "handle", ["paula", "paula_price in springfield!", "p in r/springfield", "in r/x", "a b in c d"]
)
def test_a_handle_names_who_and_where(handle: str) -> None:
    with pytest.raises(ValueError, match="paula_price in r/springfield"):
        place_of(handle)
    assert str(place_of("/u/Paula_Price in /r/Springfield")) == "paula_price in r/springfield"


# ---- from the voices' page to Reddit


def test_a_message_goes_from_its_voice_to_its_subreddit_once(
    session: Session, sessions: sessionmaker[Session], now: datetime, reddit: RedditStandIn
) -> None:
    voice = cast.make_voice(session, now)
    record_consent(
        session,
        voice,
        scope="Reddit too",
        platforms=["reddit"],
        evidence="Signed form",
        valid_from=now - timedelta(days=1),
        valid_until=now + timedelta(days=30),
        by=cast.CARL_COMMS,
        now=now,
    )
    account = connect_account(
        session,
        voice,
        platform="reddit",
        handle="u/Paula_Price in r/Springfield",
        service="https://elsewhere.example",
        secret=REFRESH,
        vault=cast.VAULT,
        by=cast.CARL_COMMS,
        now=now,
    )
    assert (account.handle, account.service) == ("paula_price in r/springfield", module.LOGIN)
    assert Fernet(cast.VAULT_KEY).decrypt(account.secret or b"").decode() == REFRESH
    campaign = cast.make_campaign(session, now)
    message = start_message(session, campaign, voice, by=cast.CARL_COMMS, now=now)
    due = now + timedelta(hours=1)
    text = f"The bridge is open\n{cast.CALM}"
    approval = cast.approve_message(session, message, due, now, text)
    session.commit()
    publishers = {"reddit": publisher_at(reddit.url)}
    assert deliver_next(sessions, publishers, cast.VAULT, lambda: due) == 1
    assert deliver_next(sessions, publishers, cast.VAULT, lambda: due + CLAIM_PATIENCE) == 0
    (made,) = reddit.submissions
    assert (made["title"], made["selftext"]) == ("The bridge is open", cast.CALM)
    (delivery,) = approval.deliveries
    session.refresh(delivery)
    assert (delivery.state, delivery.receipt_uri) == ("published", f"reddit:{made['name']}")
    # It is looked after by the same tokens, and taken down as its leader wishes.
    keepers, at = {"reddit": keeper_at(reddit.url)}, due + timedelta(minutes=10)
    made["num_comments"] = 2
    assert read_back(sessions, keepers, cast.VAULT, lambda: at) == 1
    (known,) = standing(session, [delivery], at)
    assert (known.stands, known.unread) == (True, 2)
    propose(session, delivery, reason="Another hall", by=cast.PASTOR_PAULA, now=at)
    session.commit()
    assert carry_out(sessions, keepers, cast.VAULT, lambda: at) == 1
    assert (made["author"], made["selftext"]) == ("[deleted]", "[deleted]")
