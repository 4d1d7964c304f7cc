"""Reddit through praw, against a stand-in on loopback (Reddit itself needs an approval)."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy.orm import Session, sessionmaker

from sources.collector import Batch, NewPost, Removal, SourceFaultError
from sources.models import Source
from sources.reddit import OVERLAP, POLL_EVERY, Subreddit
from tests.sources.conftest import AddSource, Collect, Posts

NOON = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp())
AGENT = "server:org.example.desk:0.1 (by /u/desk_keeper)"


def submission(number: int, at: int, **fields: Any) -> dict[str, Any]:
    return {
        "name": f"t3_s{number}",
        "id": f"s{number}",
        "title": f"Title {number}",
        "selftext": f"Text {number}",
        "author": f"user{number}",
        "author_fullname": f"t2_u{number}",
        "created_utc": float(at),
        "permalink": f"/r/Springfield/comments/s{number}/title/",
        "subreddit": "Springfield",
    } | fields


def comment(number: int, at: int, **fields: Any) -> dict[str, Any]:
    return {
        "name": f"t1_c{number}",
        "id": f"c{number}",
        "body": f"Comment {number}",
        "author": f"user{number}",
        "author_fullname": f"t2_u{number}",
        "created_utc": float(at),
        "permalink": f"/r/Springfield/comments/s1/title/c{number}/",
        "parent_id": "t3_s1",
        "subreddit": "Springfield",
    } | fields


class RedditServer:
    """The four addresses that the collector calls. Listings are newest first, 100 to a page."""

    def __init__(self) -> None:
        self.submissions: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.status: dict[str, int] = {}  # of an address, if not 200
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []
        self.agents: set[str] = set()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def _handler(server) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(
                    {"access_token": "t", "token_type": "bearer", "expires_in": 86400, "scope": "*"}
                )

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                if url.path == "/r/Springfield/new":
                    self.page("t3", server.submissions, url.query)
                elif url.path == "/r/Springfield/comments/":
                    self.page("t1", server.comments, url.query)
                else:
                    self.answer({"message": "Not Found", "error": 404}, 404)

            def page(self, kind: str, things: list[dict[str, Any]], query: str) -> None:
                after = parse_qs(query).get("after", [""])[0]
                names = [thing["name"] for thing in things]
                start = names.index(after) + 1 if after else 0
                shown = things[start : start + 100]
                more = shown[-1]["name"] if start + 100 < len(things) else None
                children = [{"kind": kind, "data": thing} for thing in shown]
                self.answer({"kind": "Listing", "data": {"children": children, "after": more}})

            def answer(self, body: object, status: int = 200) -> None:
                path = urlsplit(self.path).path
                server.asked.append(path)
                server.agents.add(self.headers["User-Agent"])
                payload = json.dumps(body).encode()
                self.send_response(server.status.get(path, status))
                for key, value in server.headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *args: object) -> None:
                pass

        return Handler

    def subreddit(self, name: str = "Springfield", approval: str | None = "RBP-1") -> Subreddit:
        return Subreddit(
            name,
            approval=approval,
            client_id="id",
            client_secret="secret",
            user_agent=AGENT,
            reddit_url=self.url,
            oauth_url=self.url,
        )

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server() -> Iterator[RedditServer]:
    server = RedditServer()
    yield server
    server.close()


def _read(subreddit: Subreddit, cursor: dict[str, Any] | None = None) -> Batch:
    (batch,) = subreddit.batches(cursor)
    return batch


def test_without_an_approval_nothing_is_asked(server: RedditServer) -> None:
    for approval in (None, ""):
        with pytest.raises(SourceFaultError, match="Responsible Builder Policy"):
            server.subreddit(approval=approval)
    with pytest.raises(SourceFaultError, match="client id"):
        Subreddit("news", approval="RBP-1", client_id="", client_secret=None, user_agent=AGENT)
    assert server.asked == []


def test_submissions_and_comments_become_posts_oldest_first(server: RedditServer) -> None:
    server.submissions = [submission(2, NOON + 300, selftext=""), submission(1, NOON)]
    server.comments = [comment(1, NOON + 60)]
    batch = _read(server.subreddit())
    assert batch.items[0] == NewPost(
        uri="reddit:t3_s1",
        author="t2_u1",
        text="Title 1\n\nText 1",
        posted_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
        url="https://www.reddit.com/r/Springfield/comments/s1/title/",
    )
    assert batch.items[1] == NewPost(
        uri="reddit:t1_c1",
        author="t2_u1",
        text="Comment 1",
        posted_at=datetime(2026, 11, 23, 12, 1, tzinfo=UTC),
        url="https://www.reddit.com/r/Springfield/comments/s1/title/c1/",
        reply_to="reddit:t3_s1",
    )
    assert isinstance(batch.items[2], NewPost)
    assert batch.items[2].text == "Title 2"
    assert (batch.seen, batch.next_poll_in, batch.cursor) == (3, POLL_EVERY, {"newest": NOON + 300})
    assert server.asked == [
        "/api/v1/access_token",
        "/r/Springfield/new",
        "/r/Springfield/comments/",
    ]
    assert all(agent.startswith(AGENT) for agent in server.agents)


def test_reads_on_until_what_it_knows_and_not_further(server: RedditServer) -> None:
    server.submissions = [submission(n, NOON - 60 * n) for n in range(1000)]
    known = {"newest": float(NOON - 60 * 150)}
    batch = _read(server.subreddit(), known)
    assert batch.seen == 150 + OVERLAP // timedelta(minutes=1) + 1
    assert server.asked.count("/r/Springfield/new") == 2


def test_what_was_removed_since_is_erased(
    server: RedditServer, source_of: AddSource, collect_now: Collect, posts: Posts
) -> None:
    server.submissions = [submission(n, NOON + n) for n in (4, 3, 2, 1)]
    server.comments = [comment(n, NOON + n) for n in (2, 1)]
    source = source_of("reddit", "Springfield")
    assert collect_now(source, server.subreddit()) == 6
    server.submissions = [
        submission(4, NOON + 4),
        submission(3, NOON + 3, removed_by_category="moderator"),
        submission(2, NOON + 2, selftext="[removed]"),
        submission(1, NOON + 1, author="[deleted]"),
    ]
    server.comments = [
        comment(2, NOON + 2, body="[deleted]", author="[deleted]"),
        comment(1, NOON + 1),
    ]
    assert collect_now(source, server.subreddit()) == 0
    assert {post.uri for post in posts()} == {"reddit:t3_s4", "reddit:t1_c1"}


def test_an_empty_shell_is_a_removal(server: RedditServer) -> None:
    server.comments = [comment(1, NOON, body="[removed]")]
    assert _read(server.subreddit()).items == [Removal("post", "reddit:t1_c1", "removed on Reddit")]


def test_an_item_without_its_parts_is_set_aside(server: RedditServer) -> None:
    broken = submission(1, NOON, score=1)
    del broken["permalink"]
    server.submissions = [submission(2, NOON), broken]
    items = _read(server.subreddit()).items
    assert sorted(type(item).__name__ for item in items) == ["NewPost", "Rejected"]
    broken["score"] = 2  # at the next look the same item is the same, whatever the votes
    assert _read(server.subreddit()).items == items
    assert server.asked.count("/r/Springfield/new") == 2  # praw did not go and fetch the part


@pytest.mark.parametrize(
    ("address", "status", "sentence"),
    [
        ("/r/Springfield/new", 403, "private or closed"),
        ("/r/Springfield/new", 404, "does not exist"),
        ("/r/Springfield/new", 502, "Reddit answers 502"),
        ("/r/Springfield/comments/", 500, "Reddit answers 500"),
        ("/api/v1/access_token", 401, "does not accept our client id"),
    ],
)
def test_each_trouble_gives_one_sentence_and_one_request(
    server: RedditServer, address: str, status: int, sentence: str
) -> None:
    server.status[address] = status
    with pytest.raises(SourceFaultError, match=sentence):
        _read(server.subreddit())
    assert server.asked.count(address) == 1


def test_a_reddit_that_is_not_there_gives_a_sentence(server: RedditServer) -> None:
    subreddit = server.subreddit()
    server.close()
    with pytest.raises(SourceFaultError, match="Reddit cannot be reached"):
        _read(subreddit)


def test_too_many_requests_put_off_the_next_poll(
    server: RedditServer,
    sessions: sessionmaker[Session],
    source_of: AddSource,
    collect_now: Collect,
    now: datetime,
) -> None:
    server.status["/r/Springfield/new"] = 429
    server.headers = {"Retry-After": "3600"}
    source = source_of("reddit", "Springfield")
    collect_now(source, server.subreddit())
    with sessions() as session:
        assert session.get_one(Source, source.id).next_poll_at == now + timedelta(hours=1)


def test_nobody_sleeps_when_the_allowance_is_used_up(server: RedditServer) -> None:
    server.headers = {
        "x-ratelimit-remaining": "0",
        "x-ratelimit-used": "1000",
        "x-ratelimit-reset": "500",
    }
    with pytest.raises(SourceFaultError, match="come back later"):
        _read(server.subreddit())
    assert server.asked.count("/r/Springfield/comments/") == 0
