"""New submissions and comments of a subreddit, or what a search finds, through Reddit's API.

Off until Reddit has approved the use in writing (Responsible Builder Policy, November 2025).
Removals come from two sides: a poll sees them on the pages it reads anyway, and RedditChecker
asks for every stored post. Edits are seen on those pages only.
"""

import json
import math
import re
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
import praw
import prawcore
import requests
from praw.exceptions import PRAWException

from sources.collector import Batch, Item, NewPost, Rejected, Removal, SourceFaultError
from sources.policy import SourcePolicy

POLL_EVERY = timedelta(minutes=2)
OVERLAP = timedelta(minutes=30)  # before the newest item read: Reddit shows some items late
PAGE = 100  # items; Reddit's largest page, and the most names that /api/info takes
MAX_PAGES = 10  # Reddit's listings end after 1000 items
# Reddit allows a client 100 requests a minute, averaged over ten minutes (Data API wiki).
WINDOW = timedelta(minutes=10)
SHARE = 60  # requests a minute for polls; the rest is for the checker and for catching up
RESERVE = 50  # of the 1000 in a window: room for what other processes have on its way
LONGEST_WAIT = timedelta(days=1)  # whatever Reddit's headers say
MAX_WORDS = 512  # characters of a search
KEEP = timedelta(hours=48)  # the routine purge that Reddit strongly recommends
RECHECK = timedelta(hours=24)

USER_AGENT = re.compile(r"[\w.-]+:[\w.-]+:[\w.-]+ \(by /u/[A-Za-z0-9_-]{3,20}\)", re.ASCII)
# What Reddit puts in the place of a title or text that was taken away.
SHELL = re.compile(r"\[ ?(?:deleted|removed)(?: by (?:user|reddit)\b.{0,200})? ?\]", re.I | re.S)


def policy(approval: str | None, keep: timedelta = KEEP) -> SourcePolicy:
    """What Reddit allows. ``keep`` beyond KEEP counts only with an ``approval`` (its reference)."""
    return SourcePolicy(
        platform="reddit",
        basis="Reddit's Data API Terms and Responsible Builder Policy",
        keep=keep if approval else min(keep, KEEP),
        deletions="Seen at each poll on the pages it reads; every post is asked for once a day.",
        recheck=RECHECK,
        approval=approval,
        approval_needed=True,
        share=False,
        police=False,
        llm=False,
        training=False,
        public_display=False,
    )


@dataclass(frozen=True, slots=True)
class Address:
    """What a Reddit source reads; str() is the form in which it is kept."""

    subreddit: str | None  # empty: all of Reddit
    words: str | None  # of a search; empty: everything new

    def __str__(self) -> str:
        if self.words is None:
            return self.subreddit or "all"
        within = f"r/{self.subreddit} " if self.subreddit else ""
        return f"{within}search: {self.words}"


def parse_address(address: str) -> Address:
    """ "news", "r/news", "search: some words" or "r/news search: some words".

    ValueError: one sentence that says what is wrong with it.
    """
    place, *words = re.split(r"(?:^|\s)search\s*:", address.strip(), maxsplit=1, flags=re.I)
    name = re.sub(r"^/?r/", "", place.strip()).rstrip("/")
    if not re.fullmatch(r"[A-Za-z0-9_]{2,21}", name) and not (words and not name):
        raise ValueError(f"“{place}” is no name of a subreddit; one looks like r/news.")
    if not words:
        return Address(name, None)
    sought = " ".join(words[0].split())
    if not sought:
        raise ValueError("A search needs words to look for, like “search: city council”.")
    if len(sought) > MAX_WORDS:
        raise ValueError(f"Reddit takes searches of {MAX_WORDS} characters at most.")
    if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", sought):
        raise ValueError("The search holds characters that cannot be typed.")
    return Address(None if name.lower() in ("", "all") else name, sought)


class RedditClient:
    """Our approved client of Reddit's API: one token and one allowance for all that a process asks.

    Nothing here sleeps or asks twice: the worker's own back-off decides when to ask again. Threads
    may share it. SourceFaultError when something that Reddit demands is missing.
    """

    def __init__(
        self,
        *,
        approval: str | None,
        client_id: str | None,
        client_secret: str | None,
        user_agent: str | None,
        reddit_url: str = "https://www.reddit.com",
        oauth_url: str = "https://oauth.reddit.com",
    ) -> None:
        if not approval:
            raise SourceFaultError(
                "Reddit is off: its Responsible Builder Policy asks for Reddit's approval before "
                "any use of its API, and no approval reference is set."
            )
        if not (client_id and client_secret and user_agent):
            raise SourceFaultError(
                "Reddit is off: besides the approval reference it needs a client id, a client "
                "secret and a user agent."
            )
        if not USER_AGENT.fullmatch(user_agent):
            raise SourceFaultError(
                "Reddit is off: the user agent must say who we are, like "
                "“server:org.example.desk:1.0 (by /u/name)”."
            )
        # Everything praw would otherwise look for in praw.ini or the environment is said here.
        self._reddit = praw.Reddit(
            "DEFAULT",
            client_id=client_id,
            client_secret=client_secret,
            user_agent=user_agent,
            username=None,
            password=None,
            refresh_token=None,
            reddit_url=reddit_url,
            oauth_url=oauth_url,
            check_for_updates=False,
            ratelimit_seconds=0,
            requestor_class=_Gate,
        )
        core = self._reddit._core
        if core is None:  # praw makes it in its constructor; this tells the type checker
            raise AssertionError
        core._retry_strategy_class = _NoRetry

    def page(
        self, path: str, params: dict[str, str | int], who: str
    ) -> tuple[list[Any], str | None]:
        """One page of a listing, in one request: its items' fields, and where the next begins.

        The fields are as Reddit gives them: praw's own objects fetch a missing part over the
        network, and one item without an id breaks their whole page. SourceFaultError is about
        ``who``.
        """
        try:
            reply = self._reddit.request(method="GET", path=path, params=params | {"limit": PAGE})
            children, after = reply["data"]["children"], reply["data"].get("after")
            if not isinstance(children, list):
                raise TypeError("no listing")
        except prawcore.PrawcoreException as fault:
            raise SourceFaultError(f"{who} {_reason(fault)}.") from fault
        # praw and prawcore stumble in these ways over an error reply of another shape.
        except (
            *(PRAWException, AssertionError, AttributeError, LookupError),
            *(RecursionError, TypeError, ValueError),
        ) as fault:
            raise SourceFaultError(
                f"{who} cannot be read: Reddit answers something that we do not understand."
            ) from fault
        things = [child.get("data") if isinstance(child, dict) else None for child in children]
        return things, after if isinstance(after, str) and after else None


class _Gate(prawcore.Requestor):
    """Every request passes here, and none while the allowance is low: then it says when.

    prawcore sleeps before a request, in RateLimiter.delay, for what it computes from the
    x-ratelimit headers: until the reset when nothing remains, and up to ten seconds whenever more
    of the allowance than of the window is used up. So it is not shown how much remains; without
    that header it computes nothing.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._closed_until = 0.0  # of time.monotonic
        # Polls are minutes apart: a kept connection may be dead, and we do not ask twice.
        self._http.headers["Connection"] = "close"

    def request(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> requests.Response:
        wait = self._closed_until - time.monotonic()
        if wait > 0:
            raise _slow_down(wait)
        response = super().request(*args, timeout=timeout, **kwargs)
        remaining = _number(response.headers.pop("x-ratelimit-remaining", None))
        reset = _number(response.headers.get("x-ratelimit-reset"), WINDOW.total_seconds())
        refused = response.status_code == 429
        if refused:
            wait = max(1.0, _number(response.headers.get("retry-after"), reset))
        elif response.request.method == "GET" and remaining < RESERVE:
            wait = max(1.0, reset)  # the token (POST) has an allowance of its own
        if wait > 0:
            wait = min(wait, LONGEST_WAIT.total_seconds())
            self._closed_until = time.monotonic() + wait
        if refused:
            raise _slow_down(wait)
        return response


class _NoRetry(prawcore.sessions.FiniteRetryStrategy):
    """One request is one request, and so nothing to sleep for in between."""

    def should_retry_on_failure(self) -> bool:
        return False


def _slow_down(seconds: float) -> SourceFaultError:
    return SourceFaultError(
        "Reddit asks us to come back later: our share of requests is used up for now.",
        retry_in=timedelta(seconds=seconds),
    )


def _number(header: str | None, otherwise: float = math.inf) -> float:
    try:
        value = float(header or "")
    except ValueError:
        return otherwise
    return value if math.isfinite(value) else otherwise


def _reason(fault: prawcore.PrawcoreException) -> str:
    match fault:
        case prawcore.NotFound() | prawcore.Redirect():
            return "does not exist"
        case prawcore.Forbidden():
            return "is private or closed to us"
        case prawcore.OAuthException() | prawcore.InvalidToken():
            return "cannot be read: Reddit does not accept our client id and secret"
        case prawcore.BadJSON():
            return "cannot be read: Reddit answers something that we do not understand"
        case prawcore.ResponseException():
            if fault.response.status_code == 401:
                return "cannot be read: Reddit does not accept our client id and secret"
            return f"cannot be read: Reddit answers {fault.response.status_code}"
        case _:
            return "cannot be read: Reddit cannot be reached"


class RedditListing:
    """The new submissions and comments of a subreddit, or the new submissions of a search.

    ``siblings`` is the number of Reddit sources that are read, this one included: the more there
    are, the longer each waits, so that together they stay within SHARE. The cursor is
    {"newest": unix time of the newest item or edit read}.
    """

    platform = "reddit"

    def __init__(self, address: str, client: RedditClient, *, siblings: int = 1) -> None:
        try:
            place = parse_address(address)
        except ValueError as fault:
            raise SourceFaultError(str(fault)) from fault
        self._client = client
        self._siblings = siblings
        self._listings: list[tuple[str, dict[str, str | int]]]
        if place.words is None:
            self._who = f"r/{place.subreddit}"
            self._listings = [
                (f"r/{place.subreddit}/new", {}),
                (f"r/{place.subreddit}/comments/", {}),
            ]
            return
        self._who = f"The search “{place.words}”"
        # The newest come first and are read down to what is known: "week" only bounds the first
        # look and the longest outage. Reddit's search knows no comments.
        params: dict[str, str | int] = {"q": place.words, "sort": "new", "t": "week"}
        params |= {"type": "link", "syntax": "lucene", "include_over_18": 1}
        if place.subreddit:
            params["restrict_sr"] = 1
        self._listings = [(f"r/{place.subreddit or 'all'}/search/", params)]

    def batches(self, cursor: dict[str, Any] | None) -> Generator[Batch]:
        """One batch: what is new, edited or removed on the pages read, the oldest first.

        An item that has left the listing altogether tells us nothing: that is for the checker.
        """
        newest = (cursor or {}).get("newest", 0.0)
        since = newest - OVERLAP.total_seconds() if newest else -math.inf
        found: list[Any] = []
        asked = 0
        for path, params in self._listings:
            after, last = None, 1 if since == -math.inf else MAX_PAGES
            for _ in range(last):
                page, following = self._client.page(
                    path, params | ({"after": after} if after else {}), self._who
                )
                found += page
                asked += 1
                if following in (None, after) or not page or _made_at(page[-1]) < since:
                    break
                after = following
        found.sort(key=_made_at)
        items = [(_touched_at(thing), _item(thing)) for thing in found]
        times = [at for at, _ in items if at < math.inf]
        fair = timedelta(minutes=self._siblings * asked / SHARE)
        yield Batch(
            # Of what is older than we look for, removals alone: they come with the page.
            [item for at, item in items if at >= since or isinstance(item, Removal)],
            {"newest": max([newest, *times])},
            next_poll_in=max(POLL_EVERY, fair),
        )


class RedditChecker:
    """Asks whether stored posts are still on Reddit: the Checker of this platform."""

    size = PAGE

    def __init__(self, client: RedditClient) -> None:
        self._client = client

    def gone(self, uris: Sequence[str]) -> Sequence[Removal]:
        """A removal for each of ``uris`` that is absent or but a shell; one request.

        Reddit leaves out what it does not know, without a word.
        """
        if len(uris) > self.size:
            raise ValueError(f"at most {self.size} posts at a time")  # the rest would seem gone
        if not uris:
            return []
        names = ",".join(uri.removeprefix("reddit:") for uri in uris)
        things, _ = self._client.page("api/info/", {"id": names}, "Reddit")
        there = {}
        for thing in things:
            if not isinstance(thing, dict) or not isinstance(thing.get("name"), str):
                raise SourceFaultError("Reddit answers something that we do not understand.")
            there[f"reddit:{thing['name']}"] = thing
        removals = []
        for uri in uris:
            if uri not in there:
                removals.append(Removal("post", uri, "no longer on Reddit"))
            elif _is_shell(there[uri]):
                removals.append(Removal("post", uri, "removed on Reddit"))
        return removals


_Name = Annotated[str, msgspec.Meta(pattern=r"^t[13]_[0-9a-z]+\Z")]


class _Thing(msgspec.Struct):
    """What we read of a submission (t3) or comment (t1), and all that is kept of a broken one."""

    name: _Name
    author: str
    created_utc: float
    permalink: Annotated[str, msgspec.Meta(pattern="^/")] | None = None
    link_id: _Name | None = None  # the submission under which a comment stands
    author_fullname: str | None = None
    title: str | None = None  # submissions
    selftext: str | None = None
    body: str | None = None  # comments
    parent_id: _Name | None = None
    crosspost_parent: _Name | None = None
    edited: bool | float | None = False  # unix time of the last edit; True on very old ones
    removed_by_category: Any = None


FIELDS = _Thing.__struct_fields__


def _item(fields: Any) -> Item:
    """A submission's or comment's fields as a post, or as a removal when only a shell is left."""
    try:
        if isinstance(fields, dict) and _is_shell(fields):
            name = msgspec.convert(fields.get("name"), _Name)
            return Removal("post", f"reddit:{name}", "removed on Reddit")
        thing = msgspec.convert(fields, _Thing)
        said = thing.title if thing.name.startswith("t3_") else thing.body
        if said is None:
            raise ValueError("there is no text")
        return NewPost(
            uri=f"reddit:{thing.name}",
            author=thing.author_fullname or thing.author,
            text=f"{said}\n\n{thing.selftext or ''}".strip(),
            posted_at=datetime.fromtimestamp(thing.created_utc, UTC),
            url=_url(thing),
            reply_to=thing.parent_id and f"reddit:{thing.parent_id}",
            edit=bool(thing.edited),
            quote_of=thing.crosspost_parent and f"reddit:{thing.crosspost_parent}",
        )
    except (msgspec.ValidationError, ValueError, OverflowError, OSError) as fault:
        known = fields if isinstance(fields, dict) else {}
        raw = {key: str(known[key]) for key in FIELDS if key in known}
        return Rejected(f"unreadable item: {fault}", json.dumps(raw).encode())


def _url(thing: _Thing) -> str | None:
    """Where a person reads the original. Reddit does not give the permalink of every comment."""
    own = thing.name[3:]
    if thing.permalink:
        path = thing.permalink
    elif thing.name.startswith("t3_"):
        path = f"/comments/{own}/"
    elif thing.link_id:
        path = f"/comments/{thing.link_id[3:]}/_/{own}/"
    else:
        return None
    return f"https://www.reddit.com{path}"


def _is_shell(fields: dict[str, Any]) -> bool:
    """Whether the words or the author of an item were taken away, by whomever."""
    texts = [fields.get(key) for key in ("title", "selftext", "body")]
    return (
        fields.get("author", "") in (None, "[deleted]")
        or bool(fields.get("removed_by_category"))
        or any(isinstance(text, str) and SHELL.fullmatch(text.strip()) for text in texts)
    )


def _made_at(fields: Any) -> float:
    """When an item was made, in unix time; infinity where that cannot be read."""
    return _time(fields, "created_utc", math.inf)


def _touched_at(fields: Any) -> float:
    """When an item was made or last edited."""
    return max(_made_at(fields), _time(fields, "edited", 0.0))


def _time(fields: Any, key: str, otherwise: float) -> float:
    value = fields.get(key) if isinstance(fields, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return otherwise
    return float(value) if 0 <= value < datetime.max.replace(tzinfo=UTC).timestamp() else otherwise
