"""After publication on Bluesky: numbers from an AppView, the last word from the account's server.

An AppView (app.bsky.feed.getPosts, 25 at once, without a sign-in) counts likes, reposts, quotes and
replies, but leaves out what it hides, indexes late or does not know. So what it does not show is
looked for where it is kept: only com.atproto.repo.getRecord says that a post is gone.

deleteRecord changes nothing where nothing stands, so it may be repeated; a thread goes from its
last post to its first, so that what is left of it for a moment is its beginning.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx

from campaigns.publishers import InDoubtError, NotSentError, Parcel, PublisherRejectedError
from campaigns.publishers.bluesky import COLLECTION, BlueskyPublisher
from campaigns.publishers.dpop import Line
from campaigns.publishers.exchange import LOOPBACK, NEVER_LEFT, Answer, Check, exchange, why
from campaigns.publishers.keeping import SLOW_DOWN, Posted, Sight, count
from campaigns.wording.threads import keys_of, records_in

APPVIEW = "https://public.api.bsky.app"
POSTS_MAX = 25  # that one app.bsky.feed.getPosts may name (its lexicon)
READING = 15.0  # seconds for one exchange that only reads
DELETING = 25.0  # seconds for the deletion of one post of a thread
URI = re.compile(rf"at://(did:[a-z]+:[\w.:%-]{{1,2000}})/{COLLECTION}/([\w.:~-]{{1,512}})", re.A)

TID = re.compile(r"[2-7a-z]{13}")  # a key of ours (atproto.com/specs/tid)


class BlueskyKeeper(BlueskyPublisher):
    """A publisher that also looks after what it published.

    ``appview``: base URL of the AppView that counts; servers on this machine are in no public one.
    """

    size = POSTS_MAX

    def __init__(
        self,
        appview: str = APPVIEW,
        deadline: float = DELETING,
        line: Line | None = None,
        check: Check | None = None,
    ) -> None:
        super().__init__(line=line, check=check)
        self._appview = appview.rstrip("/")
        self._reading = min(READING, deadline)
        self._deleting = deadline

    # ---- reading

    def look(self, posts: Sequence[Posted]) -> list[Sight]:
        """Numbers from the AppView; what it does not show is looked for on its server."""
        shown, wait = self._counted([post for post in posts if self._is_public(post)])
        silent: set[str] = set()  # servers that did not answer just now
        seen = []
        for post in posts:
            sight = shown.get(post.uri)
            if sight is None and post.service in silent:
                sight = Sight("unreadable", f"{post.service} did not answer just now.")
            elif sight is None:
                sight, answered = self._kept(post)
                if not answered:
                    silent.add(post.service)
            seen.append(replace(sight, retry_in=max(sight.retry_in, wait)))
        return seen

    def _is_public(self, post: Posted) -> bool:
        local = urlsplit(post.service).hostname in LOOPBACK
        return URI.fullmatch(post.uri) is not None and (
            not local or urlsplit(self._appview).hostname in LOOPBACK
        )

    def _counted(self, posts: Sequence[Posted]) -> tuple[dict[str, Sight], float]:
        """By uri, what the AppView shows; and how long it asks us to wait. Nothing when it fails.

        Then the posts are looked for on their own servers, which tell no numbers.
        """
        if not posts:
            return {}, 0.0
        try:
            answer = exchange(
                self._reading,
                "GET",
                f"{self._appview}/xrpc/app.bsky.feed.getPosts",
                params=[("uris", post.uri) for post in posts],
            )
        except httpx.TransportError:
            return {}, 0.0
        if answer.status == 429:
            return {}, answer.wait("ratelimit-reset", SLOW_DOWN)
        views = answer.said.get("posts") if answer.is_success else None
        asked = {post.uri for post in posts}
        return {
            view["uri"]: Sight(
                "stands",
                likes=count(view.get("likeCount")),
                reposts=count(view.get("repostCount")),
                quotes=count(view.get("quoteCount")),
                replies=count(view.get("replyCount")),
            )
            for view in (views if isinstance(views, list) else [])
            if isinstance(view, dict) and isinstance(view.get("uri"), str) and view["uri"] in asked
        }, 0.0

    def _kept(self, post: Posted) -> tuple[Sight, bool]:
        """Whether its own server has it, without numbers; and whether the server answered."""
        repo, key = _place(post)
        if not key:
            return Sight("unreadable", f"{post.uri} does not say which post it is."), True
        try:
            answer = self._exchange(
                self._reading,
                "GET",
                f"{post.service}/xrpc/com.atproto.repo.getRecord",
                params={"repo": repo, "collection": COLLECTION, "rkey": key},
            )
        except httpx.TransportError as fault:
            return Sight("unreadable", f"{post.service} cannot be asked ({why(fault)})."), False
        if answer.status == 429:
            wait = answer.wait("ratelimit-reset", SLOW_DOWN)
            slow = Sight("unreadable", f"{post.service} asks us to slow down.", retry_in=wait)
            return slow, False
        if answer.is_success and isinstance(answer.said.get("value"), dict):
            return Sight("stands"), True
        if answer.status == 400 and answer.error == "RecordNotFound":
            return Sight("not_found", sure=True), True
        return Sight("unreadable", f"{post.service} does not say: {answer.words}"), True

    # ---- taking down

    def take_down(self, post: Posted) -> str:
        """Delete its record, of a thread each; what is not there is down already."""
        if _place(post)[1] != post.record_key:
            raise PublisherRejectedError(
                f"What stands at {post.uri} was not sent by us: it was left alone."
            )
        deleted = 0
        for key in reversed(keys_of(post.record_key, len(records_in(post.record)))):
            answer = self._deleted(post, key)
            if answer.is_unclear:
                raise InDoubtError(f"{post.service} failed: {answer.words}")
            if not answer.is_success:
                raise PublisherRejectedError(
                    f"{post.service} does not take it down: {answer.words}"
                )
            deleted += "commit" in answer.said  # told only where something was deleted
        return "Deleted there." if deleted else "It was not there any more."

    def _deleted(self, post: Posted, key: str) -> Answer:
        parcel = Parcel("bluesky", post.handle, post.service, post.secret, key, post.record)
        try:
            return self._signed_in(
                parcel,
                "POST",
                "com.atproto.repo.deleteRecord",
                _delete_body,
                deadline=self._deleting,
            )
        except NEVER_LEFT as fault:
            raise NotSentError(f"{post.service} cannot be reached ({why(fault)}).") from fault
        except httpx.TransportError as fault:
            raise InDoubtError(f"{post.service} broke off ({why(fault)}).") from fault


def _place(post: Posted) -> tuple[str, str]:
    """(repository, key) of its uri, or of the link a person found; the key "" where it is none."""
    named = URI.fullmatch(post.uri)
    if named:
        return named[1], named[2]
    key = urlsplit(post.uri).path.rstrip("/").rpartition("/")[2]
    return post.handle, key if TID.fullmatch(key) else ""


def _delete_body(did: str, parcel: Parcel) -> Mapping[str, Any]:
    return {"json": {"repo": did, "collection": COLLECTION, "rkey": parcel.record_key}}
