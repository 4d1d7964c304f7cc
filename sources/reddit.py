"""A subreddit's new submissions and comments, through Reddit's API.

Off until Reddit has approved the use in writing (Responsible Builder Policy, November 2025).
What is removed on Reddit is erased here only while it is still among the newest, see OVERLAP: a
removal that comes later goes unnoticed, and nothing is purged after a time.
"""

import json
from collections.abc import Generator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import praw
import prawcore
from praw.exceptions import PRAWException

from sources.collector import (
    Batch,
    Item,
    NewPost,
    Rejected,
    Removal,
    SourceFaultError,
)

POLL_EVERY = timedelta(minutes=2)  # two requests each: far below 100 a minute per client
OVERLAP = timedelta(minutes=30)  # before the newest item read: looked at again for removals
MAX_ITEMS = 1000  # Reddit's listings end here
WINDOW = timedelta(minutes=10)  # over which Reddit counts requests
GONE = ("[deleted]", "[removed]")
# All that is kept of an item that cannot be read: what we would have read.
FIELDS = (
    *("name", "title", "selftext", "body", "author", "author_fullname"),
    *("created_utc", "permalink", "parent_id", "removed_by_category"),
)


class _NoRetry(prawcore.sessions.FiniteRetryStrategy):
    """One request is one request: the worker's own back-off decides when to ask again."""

    def should_retry_on_failure(self) -> bool:
        return False


class Subreddit:
    """The new submissions and comments of one subreddit.

    The cursor is {"newest": unix time of the newest item read}. SourceFaultError when something
    that Reddit demands is missing.
    """

    platform = "reddit"

    def __init__(
        self,
        name: str,
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
        self.name = name
        self._reddit = praw.Reddit(
            client_id=client_id,
            client_secret=client_secret,
            user_agent=user_agent,
            reddit_url=reddit_url,
            oauth_url=oauth_url,
            check_for_updates=False,
            ratelimit_seconds=0,
        )
        core = self._reddit._core
        if core is None:  # praw makes it in its constructor; this tells the type checker
            raise AssertionError
        core._retry_strategy_class = _NoRetry

    def batches(self, cursor: dict[str, Any] | None) -> Generator[Batch]:
        """One batch: what is new, the oldest first, and what within OVERLAP is now but a shell.

        An item that has left the listing altogether tells us nothing, and stays.
        """
        newest = (cursor or {}).get("newest", 0.0)
        since = newest - OVERLAP.total_seconds() if newest else None
        try:
            subreddit = self._reddit.subreddit(self.name)
            found = self._recent(subreddit.new(limit=_limit(since)), since)
            found += self._recent(subreddit.comments(limit=_limit(since)), since)
        except prawcore.TooManyRequests as fault:
            raise _slow_down(fault.retry_after) from fault
        except prawcore.PrawcoreException as fault:
            raise SourceFaultError(f"r/{self.name} {_reason(fault)}.") from fault
        except PRAWException as fault:
            raise SourceFaultError(f"r/{self.name} cannot be read: {fault}.") from fault
        found.sort(key=lambda thing: float(thing.get("created_utc", 0)))
        newest = max([newest, *(float(thing.get("created_utc", 0)) for thing in found)])
        items = [_item(thing) for thing in found]
        seen = sum(isinstance(item, NewPost) for item in items)
        yield Batch(items, {"newest": newest}, seen=seen, next_poll_in=POLL_EVERY)

    def _recent(self, listing: Iterable[Any], since: float | None) -> list[dict[str, Any]]:
        """The fields of a newest-first listing's items down to ``since`` (unix time).

        vars() because praw fetches a missing attribute over the network without a word.
        """
        if self._reddit.auth.limits["remaining"] == 0:  # praw would sleep here
            raise _slow_down(None)
        found = []
        for thing in listing:
            fields = vars(thing)
            if since is not None and float(fields.get("created_utc", 0)) < since:
                break
            found.append(fields)
        return found


def _limit(since: float | None) -> int:
    return 100 if since is None else MAX_ITEMS


def _slow_down(retry_after: str | None) -> SourceFaultError:
    asked = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
    return SourceFaultError(
        "Reddit asks us to come back later: too many requests.",
        retry_in=max(timedelta(seconds=asked), WINDOW),
    )


def _reason(fault: prawcore.PrawcoreException) -> str:
    match fault:
        case prawcore.NotFound() | prawcore.Redirect():
            return "does not exist"
        case prawcore.Forbidden():
            return "is private or closed to us"
        case prawcore.OAuthException() | prawcore.InvalidToken():
            return "cannot be read: Reddit does not accept our client id and secret"
        case prawcore.ResponseException():
            if fault.response.status_code == 401:
                return "cannot be read: Reddit does not accept our client id and secret"
            return f"cannot be read: Reddit answers {fault.response.status_code}"
        case _:
            return "cannot be read: Reddit cannot be reached"


def _item(fields: dict[str, Any]) -> Item:
    """A submission's or comment's fields as a post, or as a removal when only a shell is left."""
    try:
        uri = f"reddit:{fields['name']}"
        body = fields.get("selftext", fields.get("body")) or ""
        if body in GONE or fields.get("author") is None or fields.get("removed_by_category"):
            return Removal("post", uri, "removed on Reddit")
        text = f"{fields.get('title', '')}\n\n{body}".strip()
        parent = fields.get("parent_id")
        return NewPost(
            uri=uri,
            author=str(fields.get("author_fullname") or fields["author"]),
            text=text,
            posted_at=datetime.fromtimestamp(float(fields["created_utc"]), UTC),
            url=f"https://www.reddit.com{fields['permalink']}",
            reply_to=parent and f"reddit:{parent}",
        )
    except (KeyError, ValueError, TypeError, OverflowError) as fault:
        raw = {key: str(fields[key]) for key in FIELDS if key in fields}
        return Rejected(f"unreadable item: {fault!r}", json.dumps(raw).encode())
