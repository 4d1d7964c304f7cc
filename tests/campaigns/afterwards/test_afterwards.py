"""Reading back: numbers only, ever more slowly, and a removal is believed only when it is sure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from mastodon_mock.config import DatabaseConfig, MastodonMockConfig, SeedAccount, SeedConfig
from mastodon_mock.testing.server import MockServer
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from campaigns.afterwards.afterwards import AGAIN_AFTER, LEASE, OVER_AFTER, next_look, read_back
from campaigns.afterwards.standing import Standing, acknowledge, matters, standing
from campaigns.models import Account, Approval, Delivery, Observation, ReadBack
from campaigns.publishers import NotSentError, Parcel, PublisherRejectedError
from campaigns.publishers.bluesky_keeper import BlueskyKeeper
from campaigns.publishers.keeping import COUNT_MAX, Keeper, Posted, Sight
from campaigns.publishers.mastodon import record
from campaigns.publishers.mastodon_keeper import MastodonKeeper
from sources.db import Base
from tests.campaigns import cast
from tests.campaigns.publishers.servers import Script, scripted
from tests.pds.server import Account as PdsAccount
from tests.pds.server import Pds

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TABLES = frozenset(
    ("read_backs", "observations", "acknowledgements", "retractions", "retraction_attempts")
) | {"corrections"}
GET_POSTS = "/xrpc/app.bsky.feed.getPosts"
GET_RECORD = "/xrpc/com.atproto.repo.getRecord"
RKEY = "3mgafter22222"
URI = f"at://did:plc:paula/app.bsky.feed.post/{RKEY}"


class Seen:
    """A platform that shows what it is told to, one sight after the other."""

    size = 25

    def __init__(self, *sights: Sight) -> None:
        self.sights = list(sights)
        self.asked: list[int] = []

    def look(self, posts: Sequence[Posted]) -> list[Sight]:
        self.asked.append(len(posts))
        return [self.sights.pop(0) for _ in posts]

    def take_down(self, post: Posted) -> str:
        raise AssertionError("Reading takes nothing down.")


@pytest.fixture
def out(session: Session, now: datetime) -> Delivery:
    """A delivery that was published at ``now``."""
    return published(
        session,
        cast.approve_message(session, cast.make_message(session, now), now + HOUR, now),
        now,
    )


def published(session: Session, approval: Approval, now: datetime) -> Delivery:
    (delivery,) = approval.deliveries
    delivery.state, delivery.settled_at = "published", now
    delivery.receipt_uri, delivery.receipt_url = URI, "https://bsky.app/profile/paula/post/1"
    session.commit()
    return delivery


def look(sessions: sessionmaker[Session], keeper: Keeper, at: datetime) -> int:
    return read_back(sessions, {"dry_run": keeper}, cast.VAULT, lambda: at)


def known(session: Session, delivery: Delivery, at: datetime) -> Standing:
    session.expire_all()
    (one,) = standing(session, [delivery], at)
    return one


def stands(replies: int, **more: Any) -> Sight:
    return Sight("stands", likes=3, reposts=1, quotes=0, replies=replies, **more)


# ---- when


def test_it_is_read_ever_more_slowly_and_ends(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    keeper = Seen(*[stands(number) for number in range(1000, 0, -1)])  # other numbers each time
    assert look(sessions, keeper, now + 5 * MINUTE - timedelta(seconds=1)) == 0
    times, at = [], now + 5 * MINUTE
    while at is not None:
        assert look(sessions, keeper, at) == 1
        assert look(sessions, keeper, at) == 0
        times.append(at - now)
        at = known(session, out, at).reading.next_at  # type: ignore[union-attr,assignment]
    assert times[:6] == [5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 2 * DAY]
    assert times[-1] == 13 * DAY
    assert look(sessions, keeper, now + 13.5 * DAY) == 0


def test_when_nothing_changes_it_is_slower_and_when_replies_rise_faster(now: datetime) -> None:
    at = now + 2 * DAY
    assert next_look(now, at, 0, rising=False) == at + DAY
    assert next_look(now, at, 3, rising=False) == at + 2 * DAY
    assert next_look(now, at, 9, rising=False) == at + 3 * DAY
    assert next_look(now, at, 0, rising=True) == at + 15 * MINUTE
    assert next_look(now, now + OVER_AFTER - MINUTE, 0, rising=True) is None
    assert next_look(now, now + 15 * MINUTE - MINUTE / 9, 0, rising=False) == now + HOUR  # late


def test_one_worker_looks_and_one_that_died_is_followed(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    at = now + 5 * MINUTE

    class Died(Seen):
        def look(self, posts: Sequence[Posted]) -> list[Sight]:
            assert look(sessions, Seen(), at) == 0  # another worker, in this moment
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look(sessions, Died(), at)
    assert look(sessions, Seen(), at + LEASE - MINUTE) == 0
    assert look(sessions, Seen(stands(0)), at + LEASE) == 1
    assert [one.state for one in session.scalars(select(Observation))] == ["stands"]


def test_they_are_asked_for_together(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    voice = out.account.voice
    for number in range(26):
        cast.rehearsal_account(session, voice, now, f"paula{number}")
    session.flush()
    for account in session.scalars(select(Account).where(Account.handle != "paula")):
        session.add(
            Delivery(
                approval_id=out.approval_id,
                sha256=out.sha256,
                account_id=account.id,
                due_at=now,
                state="published",
                record_key=RKEY,
                record={},
                settled_at=now,
                receipt_uri=URI,
            )
        )
    session.commit()
    keeper = Seen(*[stands(0)] * 27)
    assert look(sessions, keeper, now + HOUR) == 27
    assert keeper.asked == [25, 2]


# ---- removals


def test_not_found_is_believed_when_it_is_said_twice_an_hour_apart(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    at = now + 5 * MINUTE
    look(sessions, Seen(Sight("not_found")), at)
    first = known(session, out, at)
    assert first.stands  # nobody is told yet
    assert first.reading is not None
    assert first.reading.next_at == at + AGAIN_AFTER
    look(sessions, Seen(Sight("unreadable", "It fails.")), at + AGAIN_AFTER)
    assert known(session, out, at).removed_at is None
    assert matters(session, at) == []
    later = at + AGAIN_AFTER + 15 * MINUTE
    assert look(sessions, Seen(Sight("not_found")), later) == 1
    gone = known(session, out, later)
    assert (gone.removed_at, gone.stands, gone.unread) == (later, False, 0)
    assert [one.kind for one in matters(session, later)] == ["removed"]
    assert look(sessions, Seen(), later + 9 * DAY) == 0  # it is not looked for any more
    assert out.state == "published"  # and nothing is sent again
    acknowledge(session, out, "removal", by=cast.CARL_COMMS, now=later)
    assert matters(session, later) == []


def test_who_removed_it_is_told_where_the_platform_tells(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    held, why = "A filter holds it.", "The moderators of r/springfield removed it."
    look(sessions, Seen(Sight("not_found", held)), now + 5 * MINUTE)
    assert known(session, out, now).gone_why == held
    look(sessions, Seen(stands(0)), now + 2 * HOUR)
    assert known(session, out, now).gone_why == ""
    at = now + 6 * HOUR
    look(sessions, Seen(Sight("not_found", why, sure=True)), at)
    one = known(session, out, at)
    assert (one.removed_at, one.gone_why) == (at, why)
    (matter,) = matters(session, at)
    assert matter.why == f"It was removed there, not by us. {why} We never put it back."


def test_a_post_that_is_seen_again_was_not_removed(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    at = now + 5 * MINUTE
    look(sessions, Seen(Sight("not_found")), at)
    look(sessions, Seen(stands(0)), at + HOUR)
    assert known(session, out, at).reading.missing_since is None  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="Nothing was removed"):
        acknowledge(session, out, "removal", by=cast.CARL_COMMS, now=at)


def test_a_server_that_fails_for_days_proves_nothing_and_is_asked_ever_less(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    at, gaps = now + 5 * MINUTE, []
    for _ in range(5):
        assert look(sessions, Seen(Sight("unreadable", "It fails.")), at) == 1
        one = known(session, out, at)
        assert one.reading is not None
        assert one.reading.next_at is not None
        gaps.append(one.reading.next_at - at)
        at = one.reading.next_at
    assert gaps == [15 * MINUTE, HOUR, 4 * HOUR, 16 * HOUR, DAY]
    assert one.stands
    assert one.fault is not None
    assert one.fault.detail == "It fails."

    class Broken(Seen):
        def look(self, posts: Sequence[Posted]) -> list[Sight]:
            raise RuntimeError

    assert look(sessions, Broken(), at) == 1
    broken = known(session, out, at)
    assert broken.fault is not None
    assert "RuntimeError" in broken.fault.detail
    at += DAY
    slow = Sight("unreadable", "Slow down.", retry_in=float("inf"))
    assert look(sessions, Seen(slow), at) == 1
    assert known(session, out, at).stands


# ---- numbers


def test_replies_that_nobody_has_read_are_counted_and_how_many_came_since_yesterday(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    look(sessions, Seen(stands(7)), now + 15 * MINUTE)
    assert known(session, out, now + HOUR).risen is None  # there is no yesterday yet
    at = now + 30 * HOUR
    look(sessions, Seen(stands(12)), at)
    one = known(session, out, at)
    assert (one.unread, one.risen) == (12, 5)
    with pytest.raises(ValueError, match="other numbers"):
        acknowledge(session, out, "replies", replies=13, by=cast.CARL_COMMS, now=at)
    acknowledge(session, out, "replies", replies=10, by=cast.CARL_COMMS, now=at)
    session.commit()
    assert known(session, out, at).unread == 2  # two came while the page was open
    look(sessions, Seen(stands(4)), at + DAY)  # some were deleted
    assert known(session, out, at + DAY).unread == 0


def test_a_look_that_tells_no_numbers_hides_none(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    look(sessions, Seen(stands(7)), now + 15 * MINUTE)
    assert look(sessions, Seen(Sight("stands")), now + HOUR) == 1  # its AppView was silent
    one = known(session, out, now + HOUR)
    assert one.unread == 7
    assert one.latest is not None
    assert one.latest.at == now + 15 * MINUTE


# ---- the platforms


@pytest.fixture
def script() -> Iterator[Script]:
    with scripted() as script:
        yield script


def bluesky(script: Script, uri: str = URI, service: str = "") -> Posted:
    return Posted("paula.test", service or script.url, None, RKEY, {"text": "x"}, uri, None)


def test_bluesky_counts_by_the_app_view_and_asks_the_server_for_the_rest(script: Script) -> None:
    """The AppView's answer as app.bsky.feed.defs#postView has it, with what nobody needs."""
    view = {
        "uri": URI,
        "cid": "bafyreib2",
        "author": {"did": "did:plc:paula", "handle": "paula.test"},
        "record": {"$type": "app.bsky.feed.post", "text": "x"},
        "bookmarkCount": 0,
        "replyCount": 12,
        "repostCount": 2,
        "likeCount": 41,
        "quoteCount": 1,
        "indexedAt": "2026-11-23T15:00:02.000Z",
        "labels": [],
    }
    hidden, gone, odd = (URI.replace(RKEY, f"3mgafter2222{sign}") for sign in "345")
    script.answers[GET_POSTS] = [(200, {"posts": [view, {"uri": odd, "likeCount": "many"}, 7]})]
    script.answers[GET_RECORD] = [
        (200, {"uri": hidden, "value": {"text": "x"}}),
        (400, {"error": "RecordNotFound", "message": "Could not locate record"}),
    ]
    keeper = BlueskyKeeper(script.url)
    seen = keeper.look([bluesky(script, uri) for uri in (URI, hidden, gone, odd)])
    assert seen == [
        Sight("stands", likes=41, reposts=2, quotes=1, replies=12),
        Sight("stands"),
        Sight("not_found", sure=True),
        Sight("stands"),
    ]
    assert script.asked[0][:2] == ("GET", GET_POSTS)
    assert "authorization" not in script.asked[0][3]


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}),
        (502, b"<html>"),
        (404, b"<html>not found</html>"),
        (400, {"error": "RepoDeactivated", "message": "Repo has been deactivated"}),
        (429, {"error": "RateLimitExceeded"}),
        (200, b"[" * 9999),
        None,
    ],
)
def test_nothing_but_the_servers_own_word_is_a_removal(script: Script, answer: Any) -> None:
    script.answers[GET_POSTS] = [(200, {"posts": []})]
    script.answers[GET_RECORD] = [answer]
    (seen,) = BlueskyKeeper(script.url).look([bluesky(script)])
    assert seen.state == "unreadable"
    assert seen.detail
    number = "/api/v1/statuses/7"
    script.answers[number] = [answer]
    status = Posted("paula", script.url, "t", "k", {}, "https://s.example/@p/7", None)
    (seen,) = MastodonKeeper().look([status])
    assert seen.state == "unreadable"
    assert seen.retry_in == (300.0 if answer and answer[0] == 429 else 0.0)


def test_a_server_that_is_down_is_asked_once_in_a_round(script: Script) -> None:
    script.answers[GET_POSTS] = [(503, {})]
    script.answers[GET_RECORD] = [None]
    seen = BlueskyKeeper(script.url).look([bluesky(script)] * 9)
    assert {one.state for one in seen} == {"unreadable"}
    assert len(script.asked) == 2


def test_on_the_real_server_a_deletion_is_seen_and_a_closed_account_is_none(
    pds: Pds, script: Script
) -> None:
    account: PdsAccount = pds.create_account("afterwards.test")
    uri = pds.post(account, "Here.")
    keeper = BlueskyKeeper(script.url)
    script.answers[GET_POSTS] = [(200, {"posts": []})] * 4
    post = bluesky(script, uri, pds.url)
    link = f"https://bsky.app/profile/{account.handle}/post/{uri.rpartition('/')[2]}"
    found = Posted(account.handle, pds.url, None, RKEY, {"text": "x"}, link, link)
    assert [one.state for one in keeper.look([post, found])] == ["stands", "stands"]
    pds.deactivate(account)
    assert keeper.look([post])[0].state == "unreadable"
    pds.activate(account)
    pds.delete(account, uri)
    assert keeper.look([post, found]) == [Sight("not_found", sure=True)] * 2


def test_mastodon_is_read_and_taken_down_and_no_other_post_is_touched(now: datetime) -> None:
    seed = SeedConfig(
        accounts=[
            SeedAccount(username="paula", access_token="paula-token"),
            SeedAccount(username="maria", access_token="maria-token"),
        ]
    )
    config = MastodonMockConfig(database=DatabaseConfig(path=":memory:"), seed=seed)
    with MockServer(config=config) as server:
        url, keeper = server.base_url.rstrip("/"), MastodonKeeper()
        fixed = record({"text": "Here."}, now)
        receipt = keeper.publish(Parcel("mastodon", "paula", url, "paula-token", "key", fixed))
        post = Posted("paula", url, "paula-token", "key", fixed, receipt.uri, receipt.url)
        (seen,) = keeper.look([post])
        assert (seen.state, seen.likes, seen.replies) == ("stands", 0, 0)
        other = Posted("paula", url, "paula-token", "key", fixed, f"{receipt.uri}", None)
        other = Posted(**{**vars(other), "uri": other.uri.replace("paula", "somebody")})
        assert keeper.look([other])[0].state == "unreadable"
        with pytest.raises(PublisherRejectedError, match="left alone"):
            keeper.take_down(other)
        with pytest.raises((PublisherRejectedError, NotSentError)):
            keeper.take_down(Posted(**{**vars(post), "secret": "maria-token"}))
        assert keeper.look([post])[0].state == "stands"
        assert keeper.take_down(post) == "Deleted there."
        assert keeper.take_down(post) == "It was not there any more."
        assert keeper.look([post]) == [Sight("not_found")]


def test_a_number_is_a_number_that_a_table_can_hold(
    script: Script, session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    said = {"id": "7", "uri": URI, "replies_count": COUNT_MAX, "favourites_count": -1}
    said |= {"reblogs_count": 2**63, "quotes_count": True}
    script.answers["/api/v1/statuses/1"] = [(200, said)]
    out.account.service = script.url
    session.commit()
    assert look(sessions, MastodonKeeper(), now + HOUR) == 1
    (row,) = session.scalars(select(Observation))
    assert (row.likes, row.reposts, row.quotes, row.replies) == (None, None, None, COUNT_MAX)
    assert session.scalars(select(ReadBack)).one().unchanged == 0


def test_the_models_and_the_migration_agree(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _o, name, kind, *_: kind != "table" or name in TABLES,
            },
        )
        assert compare_metadata(context, Base.metadata) == []
