"""Bluesky: what its records mean for us, its policy, its search, and its word on what is gone.

The live streams are in jetstream.py and firehose.py. Nobody's profile is ever fetched.
"""

import json
import re
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from sources.collector import (
    Batch,
    Item,
    NewPost,
    Rejected,
    Removal,
    Return,
    SourceFaultError,
    plain_words,
    user_agent,
)
from sources.policy import SourcePolicy

POSTS = "app.bsky.feed.post"
APPVIEW = "https://public.api.bsky.app"  # answers without a sign-in
MAX_URIS = 25  # that one app.bsky.feed.getPosts may name (its lexicon)
PAGE = 100  # posts of one app.bsky.feed.searchPosts (its lexicon)
TIMEOUT = 30.0
NO_UNAUTHENTICATED = "!no-unauthenticated"  # asks to be shown to signed-in people only

POLICY = SourcePolicy(
    platform="bluesky",
    basis="Bluesky developer guidelines: content of accounts that are not active is not shown on, "
    "and every service can delete",
    keep=timedelta(days=30),  # our own longest for raw posts (R38); Bluesky names none
    deletions="The stream tells of deleted posts and closed accounts at once; stored posts are "
    "looked up daily for what it missed.",
    recheck=timedelta(days=1),
    returns=True,
    share=False,  # what was handed out cannot follow a deletion, and see public_display
    police=True,
    llm=False,  # an account may refuse it (user intents), and we do not read that yet
    training=False,  # likewise
    public_display=False,  # some accounts ask to be shown to signed-in people only
)

GONE_FOR_GOOD = {"deleted", "takendown"}  # any other status of an account may end

POST_URI = re.compile(
    rf"at://(did:[a-z]+:[\w.:%-]{{1,2000}})/{POSTS}/([\w.:~-]{{1,512}})", re.ASCII
)

# What is of another shape than the lexicons say raises one of these while it is taken apart.
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


def change(did: str, rkey: str, action: str, record: Any, arrived: datetime | None) -> Item:
    """One post created, updated or deleted; one of UNREADABLE if it cannot be read."""
    match action:
        case "create":
            return post(did, rkey, record, arrived)
        case "update":
            return replace(post(did, rkey, record, arrived), edit=True)
        case "delete":
            return Removal("post", post_uri(did, rkey), "deleted by its author")
        case _:
            raise ValueError(f"unknown operation {action!r}")


def account_change(did: str, active: bool, status: str | None) -> Item:
    """An account that is not active takes all its posts with it (Bluesky developer guidelines)."""
    if active:
        return Return(did)
    return Removal("account", did, f"account {status or 'inactive'}", status not in GONE_FOR_GOOD)


def post(did: str, rkey: str, record: Any, arrived: datetime | None) -> NewPost:
    """A post record (lexicon app.bsky.feed.post) in our shape; ValueError if it is none.

    What it holds beside its text may be anything: what is not as the lexicon says is left out.
    """
    text = _map(record).get("text")
    if not isinstance(text, str):
        raise ValueError("the record is no post")
    langs, embed = _list(record.get("langs")), _map(record.get("embed"))
    media = _map(embed.get("media")) or embed  # a quote with media keeps it one level down
    return NewPost(
        uri=post_uri(did, rkey),
        author=did,
        text="\n".join(filter(None, [text.strip(), *_alt_texts(media)])) if embed else text.strip(),
        posted_at=when(record.get("createdAt")) or arrived,
        url=f"https://bsky.app/profile/{did}/post/{rkey}",
        lang=_str(langs[0]) if langs else None,
        reply_to=_str(_map(_map(record.get("reply")).get("parent")).get("uri")),
        card=_card(_map(media.get("external"))) if embed else None,
        quote_of=_quoted(_map(embed.get("record"))) if embed else None,
        labels=_self_labels(_map(record.get("labels"))),
    )


def post_uri(did: str, rkey: str) -> str:
    return f"at://{did}/{POSTS}/{rkey}"


def rejected(raw: bytes, fault: Exception) -> Rejected:
    """What could not be read, with its bytes and why."""
    return Rejected(f"unreadable event: {fault!r}"[:500], raw)


def when(written: Any) -> datetime | None:
    """The moment of an AT Protocol datetime string; None if it is none."""
    try:
        moment = datetime.fromisoformat(written)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _alt_texts(media: Mapping[str, Any]) -> list[str]:
    """What the images and the video of a post say to those who cannot see them."""
    alts = [_map(image).get("alt") for image in _list(media.get("images"))] + [media.get("alt")]
    return [alt.strip() for alt in alts if isinstance(alt, str)]


def _card(external: Mapping[str, Any]) -> str | None:
    """Title and description of the page that a post links to, one line each."""
    lines = (_str(external.get(part)) or "" for part in ("title", "description"))
    return "\n".join(filter(None, (" ".join(line.split()) for line in lines))) or None


def _quoted(record: Mapping[str, Any]) -> str | None:
    """The uri of the quoted post; lists and feeds can be embedded the same way."""
    uri = _str((_map(record.get("record")) or record).get("uri"))
    return uri if uri and f"/{POSTS}/" in uri else None


def _self_labels(labels: Mapping[str, Any]) -> tuple[str, ...]:
    values = (_map(label).get("val") for label in _list(labels.get("values")))
    return tuple(value for value in values if isinstance(value, str))


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


class BlueskySearch:
    """Posts from before a watch was made: what an AppView's search finds, newest first.

    Bluesky decides how much its search tells. Where it ends its pages early, or gives us only
    the first, the search goes on with what is older than the oldest post found; and at times it is
    closed to all who are not signed in. So this fills a gap as well as it can, not for certain.

    ``address`` is the first day of what is looked for, a space, and the words as people type them:
    ``2026-11-16 "ballot box"``. The cursor is {"page": the AppView's own, "until": the end of the
    time asked for, "oldest": the time of the oldest post found}, each empty where there is none.
    """

    platform = "bluesky"

    def __init__(self, address: str, *, appview: str = APPVIEW, contact: str = "") -> None:
        day, _, self.query = address.partition(" ")
        self.since = when(day)
        self._appview = _AppView(appview, contact)

    def batches(self, cursor: dict[str, Any] | None) -> Generator[Batch]:
        """A batch per page; ``last`` is set on the final one."""
        if self.since is None or not self.query:
            raise SourceFaultError("The search has no first day or no words.", final=True)
        state = {"page": None, "until": None, "oldest": None} | (cursor or {})
        while True:
            found, page = self._page(state["page"], state["until"])
            times = [at for view in found if (at := _sorted_at(view)) and at >= self.since]
            before = when(state["oldest"])
            # The last one, because pages are in order and a post may carry any date.
            oldest = min(filter(None, [*times[-1:], before]), default=None)
            got_on = oldest is not None and (before is None or oldest < before)
            first = state["page"] is None
            # A page may be empty and lead on: what its reader should not see is left out.
            if page is not None and (not found or (times and (got_on or not first))):
                state = state | {"page": page, "oldest": _iso(oldest)}
                last = False
            else:  # the end of these pages: go on below them, if they led anywhere
                last = oldest is None or (first and not got_on)
                below = None if oldest is None else oldest + timedelta(milliseconds=1)
                state = {"page": None, "until": _iso(below), "oldest": _iso(oldest)}
            yield Batch([self._item(view) for view in found], state, last=last)
            if last:
                return

    def _page(self, page: str | None, until: str | None) -> tuple[list[Any], str | None]:
        """The posts of a page and the name of the next; none of a page that is closed to us."""
        asked = {"q": self.query, "sort": "latest", "limit": str(PAGE), "since": _iso(self.since)}
        asked |= {"until": until, "cursor": page}
        params = {name: value for name, value in asked.items() if value is not None}
        try:
            answer = self._appview.ask("app.bsky.feed.searchPosts", params)
        except _ClosedError as refusal:
            if page is not None:
                return [], None
            raise SourceFaultError(f"Bluesky's search is closed to us: {refusal}.") from refusal
        following = _str(answer.get("cursor"))
        return answer["posts"], None if following == page else following

    @staticmethod
    def _item(view: Any) -> Item:
        """A post as the AppView shows it, read from its record like a stream's."""
        try:
            named = POST_URI.fullmatch(view["uri"])
            if named is None:
                raise ValueError("not the address of a post")
            found = post(named[1], named[2], view.get("record"), when(view.get("indexedAt")))
            labels = (
                *_list(view.get("labels")),
                *_list(_map(view.get("author")).get("labels")),
            )
            own = (_map(label) for label in labels if _map(label).get("src") == found.author)
            asks = (label["val"] for label in own if label.get("val") == NO_UNAUTHENTICATED)
            return replace(found, labels=tuple(dict.fromkeys((*found.labels, *asks))))
        except UNREADABLE as fault:
            return rejected(json.dumps(view).encode(), fault)


class BlueskyChecker:
    """Whether posts are still on Bluesky, by ``app.bsky.feed.getPosts`` of an AppView.

    It leaves out deleted posts and those of accounts that are not active, and does not say which.
    So posts that are hidden for now must not be asked about: they would be gone for good.

    An AppView whose index is broken may answer with nothing, and must not empty the desk. When
    none of several posts is there, others that were there lately are asked for: if one is, the
    answer is believed. If none is known, the question is repeated and the answer is believed once,
    and not again before any post was seen.
    """

    size = MAX_URIS

    def __init__(self, appview: str = APPVIEW, contact: str = "") -> None:
        self._appview = _AppView(appview, contact)
        self._witnesses: deque[str] = deque(maxlen=MAX_URIS)
        self._believed = False

    def gone(self, uris: Sequence[str]) -> Sequence[Removal]:
        """A removal for each of ``uris`` that is no longer there.

        What is no address of a post would spoil the question for the others: it is not asked for.
        """
        asked = [uri for uri in uris if POST_URI.fullmatch(uri)]
        there = self._there(asked)
        if not there and len(asked) > 1:
            there = self._ask_again(asked)
        if there:
            self._believed = False
            self._witnesses.extend(there - set(self._witnesses))
        return [Removal("post", uri, "no longer on Bluesky") for uri in asked if uri not in there]

    def _ask_again(self, asked: Sequence[str]) -> set[str]:
        """What is there of ``asked`` after all; SourceFaultError if no answer can be believed."""
        witnesses = [uri for uri in self._witnesses if uri not in asked]
        if not witnesses and not self._believed:
            self._believed = True
            return self._there(asked)
        if witnesses and self._there(witnesses):
            return set()
        raise SourceFaultError(
            f"{self._appview.address} says that none of {len(asked)} posts is there, nor any other "
            "we asked for: that is hard to believe, and nothing was removed."
        )

    def _there(self, uris: Sequence[str]) -> set[str]:
        if not uris:
            return set()
        try:
            answer = self._appview.ask("app.bsky.feed.getPosts", {"uris": list(uris)})
            return {view["uri"] for view in answer["posts"]} & set(uris)
        except _ClosedError as refusal:
            raise SourceFaultError(f"Bluesky is closed to us: {refusal}.") from refusal
        except (KeyError, TypeError) as fault:
            raise SourceFaultError(f"{self._appview.address} answers with no posts.") from fault


class _ClosedError(Exception):
    """The AppView answers, but not to us; the message is the end of a sentence."""


class _AppView:
    """An AppView at an http(s) address, asked without a sign-in."""

    def __init__(self, address: str, contact: str) -> None:
        self.address = address.rstrip("/")
        self._http = httpx.Client(timeout=TIMEOUT, headers={"User-Agent": user_agent(contact)})

    def ask(self, method: str, params: Mapping[str, str | Sequence[str]]) -> dict[str, Any]:
        """The answer, which holds a list of ``posts``; _ClosedError or SourceFaultError."""
        try:
            answer = self._http.get(f"{self.address}/xrpc/{method}", params=params)
        except (httpx.HTTPError, httpx.InvalidURL) as fault:
            why = plain_words(fault)
            raise SourceFaultError(f"{self.address} cannot be reached: {why}.") from fault
        if answer.status_code in (401, 403):
            raise _ClosedError(f"{self.address} answers {answer.status_code}")
        if answer.status_code == 429:
            raise SourceFaultError(
                f"{self.address} asks us to slow down.", retry_in=_until_reset(answer.headers)
            )
        if answer.status_code != 200:
            raise SourceFaultError(f"{self.address} answers {answer.status_code}.")
        try:
            said = answer.json()
            if not isinstance(said["posts"], list):
                raise TypeError("posts is no list")
        except UNREADABLE as fault:
            raise SourceFaultError(f"{self.address} answers with no posts.") from fault
        return dict(said)


def _until_reset(headers: httpx.Headers) -> timedelta | None:
    """How long until we may ask again, by the server's own clock."""
    try:
        reset = datetime.fromtimestamp(int(headers["ratelimit-reset"]), UTC)
        return max(reset - parsedate_to_datetime(headers["date"]), timedelta(0))
    except (KeyError, ValueError, TypeError, OverflowError, OSError):
        return None


def _sorted_at(view: Any) -> datetime | None:
    """When a post was made as the search sees it: nobody dates a post after its arrival."""
    made = when(_map(_map(view).get("record")).get("createdAt"))
    indexed = when(_map(view).get("indexedAt"))
    return min(filter(None, [made, indexed]), default=None)


def _iso(at: datetime | None) -> str | None:
    """In the one form that Bluesky's search takes: with milliseconds and Z."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
