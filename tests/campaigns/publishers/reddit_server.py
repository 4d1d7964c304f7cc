"""A stand-in for Reddit on loopback, for who submits: Reddit itself needs an approval.

It keeps accounts, tokens and submissions as Reddit does, and answers in Reddit's shapes.
"""

import base64
import contextlib
import itertools
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from campaigns.publishers.reddit import PAGE, SCOPES, RedditPublisher
from campaigns.publishers.reddit_keeper import RedditKeeper
from tests.campaigns.publishers.servers import served, whole_body

AGENT = "server:org.example.desk:0.1 (by /u/desk_keeper)"
TOKEN, WHO, SUBMIT = "/api/v1/access_token", "/api/v1/me", "/api/submit"
INFO, DELETE, REVOKE = "/api/info", "/api/del", "/api/v1/revoke_token"
OF_PAULA = "/user/paula_price/submitted"
REFRESH = "paula-refresh"
CLOSED = {"hidden": (403, "private"), "gone": (404, "banned")}

Answer = tuple[int, Any]


class RedditStandIn:
    """Two accounts, an open subreddit and two closed ones; ``submissions`` are newest first."""

    def __init__(self) -> None:
        self.url = ""
        self.submissions: list[dict[str, Any]] = []
        self.owners = {REFRESH: "Paula_Price", "maria-refresh": "Maria"}  # by refresh token
        self.tokens: dict[str, str] = {}  # access token: name
        self.suspended: set[str] = set()
        self.codes: dict[str, tuple[str, str]] = {}  # code: who signed in, and the way back
        self.scopes = " ".join(SCOPES)  # of every token
        self.deaf = False  # it says yes to a deletion, and does nothing
        self._numbers = itertools.count(100_000)

    def let_in(self, form: dict[str, str]) -> Answer:
        permanent = {}
        if form["grant_type"] == "authorization_code":
            owner, back = self.codes.pop(form["code"], ("", ""))
            if not owner or back != form["redirect_uri"]:
                return 200, {"error": "invalid_grant"}
            permanent = {"refresh_token": f"refresh-{next(self._numbers)}"}
            self.owners[permanent["refresh_token"]] = owner
        else:
            owner = self.owners.get(form["refresh_token"], "")
        if not owner:
            return 400, {"message": "Bad Request", "error": 400}
        token = f"access-{next(self._numbers)}"
        self.tokens[token] = owner
        return 200, {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": 86400,
            "scope": self.scopes,
            **permanent,
        }

    def submit(self, name: str, form: dict[str, str]) -> Answer:
        place = form["sr"].lower()
        if place in CLOSED:
            status, reason = CLOSED[place]
            return status, {"reason": reason, "message": "Forbidden", "error": status}
        errors = []
        if place != "springfield":
            errors.append(["SUBREDDIT_NOEXIST", "Hmm, that community doesn't exist.", "sr"])
        if len(form["title"]) > 300:
            errors.append(["TOO_LONG", "this is too long (max: 300)", "title"])
        if errors or form["kind"] != "self":
            return 200, {"json": {"errors": errors}}
        made = self.make(name, place, form["title"], form["text"])
        told = {"url": f"{self.url}{made['permalink']}", "id": made["id"], "name": made["name"]}
        return 200, {"json": {"errors": [], "data": {"drafts_count": 0, **told}}}

    def make(self, name: str, place: str, title: str, text: str) -> dict[str, Any]:
        """What stands on Reddit afterwards; by hand, its person makes it so."""
        number = f"s{next(self._numbers)}"
        made = {
            "id": number,
            "name": f"t3_{number}",
            "author": name,
            "subreddit": place.title(),
            "title": " ".join(title.split()),
            "selftext": text.strip(),
            "created_utc": time.time(),
            "permalink": f"/r/{place}/comments/{number}/title/",
            "removed_by_category": None,
            "num_comments": 0,
            "num_crossposts": 0,
            "score": 1,
        }
        self.submissions.insert(0, made)
        return made

    def told(self, name: str, ids: str) -> Answer:
        """What stands under these names, as ``name`` sees it."""
        found = [one for one in self.submissions if one["name"] in ids.split(",")]
        children = [{"kind": "t3", "data": one} for one in found]
        return 200, {"kind": "Listing", "data": {"children": children, "after": None}}

    def delete(self, name: str, number: str) -> Answer:
        """As Reddit does: whatever comes of it, it answers with nothing."""
        for one in self.submissions:
            if one["name"] == number and one["author"] == name and not self.deaf:
                one |= {"author": "[deleted]", "selftext": "[deleted]"}
                one["removed_by_category"] = "deleted"
        return 200, {}

    def answer(
        self, verb: str, path: str, form: dict[str, str], authorization: str, agent: str
    ) -> Answer:
        if agent != AGENT:
            return 429, {"message": "Too Many Requests", "error": 429}
        kind, _, proof = authorization.partition(" ")
        if (verb, path) == ("POST", TOKEN):
            known = base64.b64decode(proof) == b"id:secret"
            return self.let_in(form) if known else (401, {"message": "Unauthorized", "error": 401})
        if (verb, path) == ("POST", REVOKE):
            self.owners.pop(form["token"], None)
            return 200, {}
        name = self.tokens.get(proof)
        if kind != "bearer" or name is None:
            return 401, {"message": "Unauthorized", "error": 401}
        if path == WHO:
            return 200, {"name": name, "is_suspended": name in self.suspended}
        if (verb, path) == ("POST", SUBMIT):
            return self.submit(name, form)
        needed = {INFO: "read", DELETE: "edit"}.get(path)
        if needed is not None and needed not in self.scopes.split():
            return 403, {"message": "Forbidden", "error": 403}
        if path == INFO:
            return self.told(name, form["id"])
        if (verb, path) == ("POST", DELETE):
            return self.delete(name, form["id"])
        if path.lower() == f"/user/{name}/submitted".lower():
            theirs = [one for one in self.submissions if one["author"] == name]
            found = theirs[: min(int(form["limit"]), PAGE)]
            children = [{"kind": "t3", "data": one} for one in found]
            return 200, {"kind": "Listing", "data": {"children": children, "after": None}}
        return 404, {"message": "Not Found", "error": 404}


@contextlib.contextmanager
def reddit_standing_in() -> Iterator[RedditStandIn]:
    """Reddit on a free port of loopback, as far as we speak with it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = whole_body(self)
            address = urlsplit(self.path)
            fields = parse_qs(address.query or body, keep_blank_values=True)
            form = {name: one for name, (one,) in fields.items()}
            headers = self.headers.get("authorization", ""), self.headers.get("user-agent", "")
            status, said = stand_in.answer(self.command, address.path, form, *headers)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    stand_in = RedditStandIn()
    with served(Handler) as stand_in.url:
        yield stand_in


def keeper_at(url: str, api: str | None = None, deadline: float = 30.0) -> RedditKeeper:
    """A keeper whose Reddit is at ``url``, and its API, if given, at ``api``."""
    return RedditKeeper(
        client_id="id",
        client_secret="secret",
        user_agent=AGENT,
        login=url,
        api=api or url,
        deadline=deadline,
    )


def publisher_at(url: str, api: str | None = None, deadline: float = 30.0) -> RedditPublisher:
    """A publisher whose Reddit is at ``url``, and its API, if given, at ``api``."""
    return RedditPublisher(
        client_id="id",
        client_secret="secret",
        user_agent=AGENT,
        login=url,
        api=api or url,
        deadline=deadline,
    )
