"""After publication on Mastodon: one status at a time, by the number at the end of its address.

A status that is not found may be hidden, or its server be mending itself: "gone" is believed when
it is said twice (``afterwards``). Before one is deleted its address is compared, so that no other
status is ever touched; one that is not there is down already.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx

from campaigns.publishers import InDoubtError, NotSentError, Parcel, PublisherRejectedError
from campaigns.publishers.exchange import NEVER_LEFT, Answer, why
from campaigns.publishers.keeping import Posted, Sight, count
from campaigns.publishers.mastodon import MastodonPublisher

STATUSES_MAX = 20  # of one look: each takes one exchange
READING = 15.0  # seconds for one exchange that only reads
DELETING = 45.0  # seconds for one deletion
GONE = (404, 410)
NUMBER = re.compile(r"[A-Za-z0-9]{1,64}")  # at the end of ".../@paula/110" and ".../statuses/110"


class MastodonKeeper(MastodonPublisher):
    """A publisher that also looks after what it published, with the same token.

    Reading needs no more than the token has; deleting is part of ``write:statuses``.
    """

    size = STATUSES_MAX

    def look(self, posts: Sequence[Posted]) -> list[Sight]:
        """What each server shows; one that did not answer is not asked again in this round."""
        silent: dict[str, Sight] = {}
        seen = []
        for post in posts:
            sight = silent.get(post.service)
            if sight is None:
                sight, answered = self._seen(post)
                if not answered:
                    silent[post.service] = sight
            seen.append(sight)
        return seen

    def _seen(self, post: Posted) -> tuple[Sight, bool]:
        """What the server shows, and whether it answers us at all just now."""
        try:
            answer = self._status(post, "GET", READING)
        except NotSentError as fault:
            return Sight("unreadable", str(fault), retry_in=fault.retry_in), False
        except PublisherRejectedError as fault:
            return Sight("unreadable", str(fault)), True
        except httpx.TransportError as fault:
            return Sight("unreadable", f"{post.service} cannot be asked ({why(fault)})."), False
        return self._read(post, answer), True

    def _read(self, post: Posted, answer: Answer) -> Sight:
        if _is_gone(answer):
            return Sight("not_found")
        if not answer.is_success or "id" not in answer.said:
            return Sight("unreadable", f"{post.service} does not say: {answer.words}")
        if not _is_ours(post, answer):
            return Sight("unreadable", "Another post stands at this address.")
        said = answer.said
        return Sight(
            "stands",
            likes=count(said.get("favourites_count")),
            reposts=count(said.get("reblogs_count")),
            quotes=count(said.get("quotes_count")),  # told since Mastodon 4.5
            replies=count(said.get("replies_count")),
        )

    def take_down(self, post: Posted) -> str:
        """Delete the status after comparing its address; what is not there is down already."""
        try:
            found = self._status(post, "GET", DELETING)
            _made_clear(post, found)
            if _is_gone(found):
                return "It was not there any more."
            if not found.is_success or not _is_ours(post, found):
                raise PublisherRejectedError(
                    f"Another post than ours stands at {post.uri}: it was left alone."
                )
        except httpx.TransportError as fault:
            raise NotSentError(f"{post.service} cannot be reached ({why(fault)}).") from fault
        try:
            answer = self._status(post, "DELETE", DELETING)
        except NEVER_LEFT as fault:
            raise NotSentError(f"{post.service} cannot be reached ({why(fault)}).") from fault
        except httpx.TransportError as fault:
            raise InDoubtError(f"{post.service} broke off ({why(fault)}).") from fault
        if answer.is_unclear:
            raise InDoubtError(f"{post.service} failed: {answer.words}")
        if _is_gone(answer):
            return "It was not there any more."
        _made_clear(post, answer)
        if not answer.is_success:
            raise PublisherRejectedError(f"{post.service} does not take it down: {answer.words}")
        return "Deleted there."

    def _status(self, post: Posted, verb: str, deadline: float) -> Answer:
        """One call about the status. Raises as ``_ask``; PublisherRejectedError without its number.

        Where the two differ, the address of its page has the number: its uri may be another name.
        """
        parcel = Parcel(
            "mastodon", post.handle, post.service, post.secret, post.record_key, post.record
        )
        for address in (post.url, post.uri):
            number = urlsplit(address or "").path.rstrip("/").rpartition("/")[2]
            if NUMBER.fullmatch(number):
                path = f"/api/v1/statuses/{number}"
                return self._ask(parcel, verb, path, deadline=deadline)
        raise PublisherRejectedError(f"{post.uri} does not say which status it is.")


def _is_gone(answer: Answer) -> bool:
    """Said by the server itself, and not by a page that somebody put before it."""
    return answer.status in GONE and bool(answer.error)


def _is_ours(post: Posted, answer: Answer) -> bool:
    return bool({answer.said.get("uri"), answer.said.get("url")} & {post.uri, post.url} - {None})


def _made_clear(post: Posted, answer: Answer) -> None:
    """Raises what a failing server or a token that is not let in means before anything is done."""
    if answer.is_unclear:
        raise NotSentError(f"{post.service} failed: {answer.words}")
    if answer.status in (401, 403):
        raise PublisherRejectedError(
            f"{post.service} does not let @{post.handle} in: {answer.words} "
            "Connect the account again with a new access token."
        )
