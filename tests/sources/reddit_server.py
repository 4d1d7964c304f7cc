"""A stand-in for Reddit on loopback: Reddit itself needs an approval.

Its addresses, headers and shapes are those of recorded sessions; the posts are invented.
"""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sources.reddit import RedditClient

NOON = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp())
AGENT = "server:org.example.desk:0.1 (by /u/desk_keeper)"
TOKEN = "/api/v1/access_token"
NEW = "/r/Springfield/new"
COMMENTS = "/r/Springfield/comments/"
INFO = "/api/info/"


def submission(number: int, at: float, **fields: Any) -> dict[str, Any]:
    return {
        "name": f"t3_s{number}",
        "id": f"s{number}",
        "title": f"Title {number}",
        "selftext": f"Text {number}",
        "author": f"user{number}",
        "author_fullname": f"t2_u{number}",
        "created_utc": float(at),
        "edited": False,
        "removed_by_category": None,
        "permalink": f"/r/Springfield/comments/s{number}/title/",
        "subreddit": "Springfield",
    } | fields


def comment(number: int, at: float, **fields: Any) -> dict[str, Any]:
    return {
        "name": f"t1_c{number}",
        "id": f"c{number}",
        "body": f"Comment {number}",
        "author": f"user{number}",
        "author_fullname": f"t2_u{number}",
        "created_utc": float(at),
        "edited": False,
        "permalink": f"/r/Springfield/comments/s1/title/c{number}/",
        "parent_id": "t3_s1",
        "subreddit": "Springfield",
    } | fields


class RedditServer:
    """The addresses that we call. Listings are newest first, 100 to a page."""

    def __init__(self) -> None:
        self.submissions: list[Any] = []
        self.comments: list[Any] = []
        self.status: dict[str, int] = {}  # of an address, if not 200
        self.reply: dict[str, object] = {}  # of an address, in the place of the usual one
        self.headers: dict[str, str] = {}  # of every answer but the token's
        self.token_headers: dict[str, str] = {}
        self.asked: list[str] = []
        self.queries: list[dict[str, str]] = []  # of each of ``asked``
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
                if url.path in (NEW, "/r/Springfield/search/", "/r/all/search/"):
                    self.page("t3", server.submissions)
                elif url.path == COMMENTS:
                    self.page("t1", server.comments)
                elif url.path == INFO:
                    names = self.query()["id"].split(",")
                    things = [*server.submissions, *server.comments]
                    self.listing("t3", [thing for thing in things if thing["name"] in names], None)
                else:
                    self.answer({"message": "Not Found", "error": 404}, 404)

            def query(self) -> dict[str, str]:
                return {key: one for key, (one,) in parse_qs(urlsplit(self.path).query).items()}

            def page(self, kind: str, things: list[Any]) -> None:
                after = self.query().get("after")
                names = [thing.get("name") if isinstance(thing, dict) else None for thing in things]
                start = names.index(after) + 1 if after else 0
                end = start + min(100, int(self.query()["limit"]))
                self.listing(kind, things[start:end], names[end - 1] if end < len(things) else None)

            def listing(self, kind: str, things: list[Any], after: str | None) -> None:
                children = [{"kind": kind, "data": thing} for thing in things]
                self.answer({"kind": "Listing", "data": {"children": children, "after": after}})

            def answer(self, body: object, status: int = 200) -> None:
                path = urlsplit(self.path).path
                server.asked.append(path)
                server.queries.append(self.query())
                server.agents.add(self.headers["User-Agent"])
                payload = json.dumps(server.reply.get(path, body)).encode()
                self.send_response(server.status.get(path, status))
                headers = server.token_headers if path == TOKEN else server.headers
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *args: object) -> None:
                pass

        return Handler

    def client(
        self, approval: str | None = "RBP-1", user_agent: str | None = AGENT
    ) -> RedditClient:
        return RedditClient(
            approval=approval,
            client_id="id",
            client_secret="secret",
            user_agent=user_agent,
            reddit_url=self.url,
            oauth_url=self.url,
        )

    def allowance(self, remaining: object, reset: object, used: object = 940) -> None:
        """What the server says of it from now on."""
        self.headers = {
            "x-ratelimit-remaining": str(remaining),
            "x-ratelimit-used": str(used),
            "x-ratelimit-reset": str(reset),
        }

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()
