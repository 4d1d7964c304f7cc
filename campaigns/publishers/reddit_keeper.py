"""After publication on Reddit: what stands, who removed what does not, and deleting one's own.

Reddit counts comments: these are the replies. Crossposts carry the same post elsewhere, as reposts
do. Its score is votes for less votes against, and blurred on purpose: no number of likes, so none
is told.

A submission that moderators or Reddit itself removed still answers to its author, and names in
``removed_by_category`` who removed it. One that a filter holds may be let through: that is believed
when it is said twice (``afterwards``), and so is one that Reddit does not show at all.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

import httpx

from campaigns.publishers import InDoubtError, NotSentError, Parcel, PublisherRejectedError
from campaigns.publishers.exchange import NEVER_LEFT, Answer, plain, why
from campaigns.publishers.keeping import Posted, Sight, count
from campaigns.publishers.reddit import API, DEADLINE, LOGIN, NAME, RedditPublisher, squeezed

SIZE = 10  # submissions of one look: each may be of an account of its own
READING = 9.0  # seconds for one exchange that only reads
# To read: a token, who it is, the list, each with a new token once more.
EXCHANGES_TO_READ = 6
NOBODY = "[deleted]"  # in the place of an author who deleted the submission, or their account
REMOVED = {  # "removed_by_category", and what a page says of it; more of them may come
    "moderator": "The moderators of {place} removed it.",
    "deleted": "It was deleted from {user}’s own account.",
    "author": "It was deleted from {user}’s own account.",
    "reddit": "Reddit’s own filter removed it.",
    "anti_evil_ops": "Reddit’s staff removed it.",
    "community_ops": "Reddit’s staff removed it.",
    "legal_operations": "Reddit removed it for legal reasons.",
    "content_takedown": "Reddit removed it for its content.",
    "copyright_takedown": "Reddit removed it for a copyright claim.",
}
HELD = {  # nobody else sees it, and somebody may let it through
    "automod_filtered": "A filter of {place} holds it until its moderators let it through.",
}


class RedditKeeper(RedditPublisher):
    """A publisher that also looks after what it published, with the same refresh tokens.

    Reading needs their scope read, deleting edit.
    """

    size = SIZE

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        user_agent: str,
        login: str = LOGIN,
        api: str = API,
        deadline: float = DEADLINE,
    ) -> None:
        client = {
            "client_id": client_id,
            "client_secret": client_secret,
            "user_agent": user_agent,
            "login": login,
            "api": api,
        }
        super().__init__(**client, deadline=deadline)
        self._reader = RedditPublisher(**client, deadline=min(READING, deadline))

    # ---- reading

    def look(self, posts: Sequence[Posted]) -> list[Sight]:
        """What Reddit shows each author of their own; one that fails us is not asked on."""
        seen: list[Sight] = []
        fault: Sight | None = None
        for _, group in groupby(posts, key=lambda one: (one.record.get("user"), one.secret)):
            of_one = list(group)
            if fault is None:
                sights, fault = self._seen(of_one)
            else:
                sights = [fault] * len(of_one)
            seen += sights
        return seen

    def _seen(self, posts: Sequence[Posted]) -> tuple[list[Sight], Sight | None]:
        """What is seen of one account's; and the fault by which the others need not be asked."""
        try:
            shown = self._shown(self._reader, posts)
        except NotSentError as fault:
            failed = Sight("unreadable", str(fault), retry_in=fault.retry_in)
            return [failed] * len(posts), failed
        except (InDoubtError, PublisherRejectedError) as fault:
            return [Sight("unreadable", str(fault))] * len(posts), None
        except httpx.TransportError as fault:
            failed = Sight("unreadable", f"Reddit cannot be asked ({why(fault)}).")
            return [failed] * len(posts), failed
        return [_read(post, shown) for post in posts], None

    def _shown(
        self, reader: RedditPublisher, posts: Sequence[Posted]
    ) -> dict[str, Mapping[str, Any]]:
        """By name what Reddit tells of these submissions of one account.

        Raises httpx.TransportError, InDoubtError, or what ``_ask`` raises.
        """
        names = [name for name in map(_name, posts) if name]
        if not names:
            return {}
        query = {"id": ",".join(names), "raw_json": "1"}
        answer = reader._ask(_parcel(posts[0]), "GET", "/api/info", params=query)
        if answer.status == 403:
            raise PublisherRejectedError(_lacks(posts[0], answer, "read"))
        listing = answer.said.get("data")
        children = listing.get("children") if isinstance(listing, dict) else None
        if not answer.is_success or not isinstance(children, list):
            raise InDoubtError(f"Reddit does not say what it has: {answer.words}")
        found = [child.get("data") if isinstance(child, dict) else None for child in children]
        return {
            one["name"]: one
            for one in found
            if isinstance(one, dict) and isinstance(one.get("name"), str) and one["name"] in names
        }

    # ---- taking down

    def take_down(self, post: Posted) -> str:
        """Delete it after comparing whose and what it is; what its author deleted is down already.

        Reddit says yes to every deletion, so it is asked afterwards whether it did it.
        """
        if not _name(post):
            raise PublisherRejectedError(f"{post.uri} does not say which submission it is.")
        try:
            before = self._standing(post)
        except httpx.TransportError as fault:
            raise NotSentError(f"Reddit cannot be reached ({why(fault)}).") from fault
        except InDoubtError as fault:
            raise NotSentError(str(fault)) from fault
        if before is None:
            return "It was not there any more."
        if not _is_ours(post, before):
            raise PublisherRejectedError(
                f"Another submission than ours stands at {post.uri}: it was left alone."
            )
        try:
            answer = self._ask(_parcel(post), "POST", "/api/del", data={"id": _name(post)})
        except NEVER_LEFT as fault:
            raise NotSentError(f"Reddit cannot be reached ({why(fault)}).") from fault
        except httpx.TransportError as fault:
            raise InDoubtError(f"Reddit broke off ({why(fault)}).") from fault
        if answer.status == 403:
            raise PublisherRejectedError(_lacks(post, answer, "edit"))
        if answer.is_unclear:
            raise InDoubtError(f"Reddit failed: {answer.words}")
        if not answer.is_success:
            raise PublisherRejectedError(f"Reddit does not take it down: {answer.words}")
        try:
            still = self._standing(post)
        except (httpx.TransportError, NotSentError, PublisherRejectedError) as fault:
            raise InDoubtError(f"Reddit does not say whether it did ({why(fault)}).") from fault
        if still is not None:
            raise InDoubtError("Reddit said that it is deleted, and still shows it.")
        return "Deleted there."

    def _standing(self, post: Posted) -> Mapping[str, Any] | None:
        """The submission, removed by others or not; None: its author has deleted it."""
        shown = self._shown(self, [post]).get(_name(post))
        if shown is None:
            raise InDoubtError("Reddit does not show it just now.")
        return None if _is_deleted(shown) else shown


def _parcel(post: Posted) -> Parcel:
    return Parcel("reddit", post.handle, post.service, post.secret, post.record_key, post.record)


def _name(post: Posted) -> str:
    """The submission's name on Reddit, of its receipt or the link that a person found; or ""."""
    kind, _, name = post.uri.partition(":")
    if kind == "reddit" and NAME.fullmatch(name):
        return name
    for address in (post.uri, post.url or ""):
        after = urlsplit(address).path.partition("/comments/")[2]
        name = f"t3_{after.partition('/')[0].lower()}"
        if NAME.fullmatch(name):
            return name
    return ""


def _read(post: Posted, shown: Mapping[str, Mapping[str, Any]]) -> Sight:
    if not _name(post):
        return Sight("unreadable", f"{post.uri} does not say which submission it is.")
    said = shown.get(_name(post))
    if said is None:
        return Sight("not_found", "Reddit does not show it.")
    words = {"place": f"r/{post.record.get('subreddit')}", "user": f"u/{post.record.get('user')}"}
    category = said.get("removed_by_category")
    if isinstance(category, str) and category:
        if category in HELD:
            return Sight("not_found", HELD[category].format(**words))
        told = REMOVED.get(category, "")
        return Sight(
            "not_found",
            told.format(**words) if told else plain(f"Removed there: {category}"),
            sure=True,
        )
    if _is_deleted(said):
        return Sight("not_found", REMOVED["deleted"].format(**words), sure=True)
    if not _is_ours(post, said):
        return Sight("unreadable", "Another submission stands at this address.")
    return Sight(
        "stands",
        reposts=count(said.get("num_crossposts")),
        replies=count(said.get("num_comments")),
    )


def _is_deleted(said: Mapping[str, Any]) -> bool:
    """Taken away by its author, so that nothing of theirs is left to delete."""
    return said.get("author") in (None, NOBODY) or said.get("removed_by_category") in (
        "deleted",
        "author",
    )


def _is_ours(post: Posted, said: Mapping[str, Any]) -> bool:
    """The same author, place and title; moderators may have taken the text away."""
    return (
        str(said.get("author")).lower() == post.record.get("user")
        and str(said.get("subreddit")).lower() == post.record.get("subreddit")
        and squeezed(said.get("title")) == squeezed(post.record.get("title"))
    )


def _lacks(post: Posted, answer: Answer, scope: str) -> str:
    return (
        f"Reddit does not let u/{post.record.get('user')} do this: {answer.words} Sign in again "
        f"there, so that the desk may: it needs the scope {scope}."
    )
