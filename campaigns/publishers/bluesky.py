"""Bluesky and every other AT Protocol server: a post exactly once, by putRecord.

The record key and the complete record are fixed before the first attempt, and ``swapRecord: null``
says "only where nothing stands yet": two calls make one post, and a different record under the key
is refused, so nothing is ever silently edited. The call is made as plain JSON because the atproto
SDK drops a null ``swapRecord``.

Still a doubt is looked up and not repeated: if the post arrived and its voice deleted it, a second
putRecord would bring it back. The mark is the revision of the account's repository, which changes
with every write: if nothing is there and the revision is still the one of before, nothing came.

A thread is one applyWrites, which makes all its posts or none; the server refuses a key that is
taken. So what is true of its first post is true of all, and the first is what is looked up.
"""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx

from campaigns.publishers import (
    InDoubtError,
    NotSentError,
    Parcel,
    PublisherRejectedError,
    Receipt,
)
from campaigns.publishers.dpop import Line, Pass, pass_of
from campaigns.publishers.exchange import (
    DEADLINE,
    LOOPBACK,
    NEVER_LEFT,
    Answer,
    Check,
    exchange,
    why,
)
from campaigns.wording.threads import COLLECTION as COLLECTION
from campaigns.wording.threads import chained, keys_of, records_in

EXCHANGES_MAX = 7  # of the longest publish: two sign-ins, put, get, and each of them once more
# One picture, or signing in for it; of four and a card's at most eight: two sign-ins, the five, one
# again.
UPLOAD = 20.0  # seconds
UPLOADS_MAX = 8
RATE_LIMIT_WAIT = 300.0  # seconds when a 429 does not say: the window of createSession (30/5 min)
TOKEN_FAULTS = frozenset({"ExpiredToken", "InvalidToken"})  # said with 400: sign in again
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class BlueskyPublisher:
    """Publishes posts of accounts on any AT Protocol server.

    Signs in with an app password and keeps the session: signing in is limited to 30 in 5 min. Or
    the account was signed in at its own server, and its secret is a Pass (dpop).

    ``deadline``: seconds after which an exchange is given up, however busy the server keeps it.
    ``line``: by which accounts with a Pass are asked; without one they cannot be.
    """

    repeatable = False  # after a deletion it would bring the post back

    def __init__(
        self,
        deadline: float = DEADLINE,
        line: Line | None = None,
        check: Check | None = None,
    ) -> None:
        self._deadline = deadline
        self._line = line
        self._exchange = partial(exchange, check=check)  # with servers that somebody names
        self._sessions: dict[tuple[str, str, str], tuple[str, str]] = {}  # -> (did, access token)

    def mark(self, parcel: Parcel) -> str:
        """The revision of the account's repository, which every write of anybody changes."""
        try:
            return self._revision(parcel)
        except httpx.TransportError as fault:
            raise NotSentError(f"{parcel.service} cannot be asked ({why(fault)}).") from fault
        except InDoubtError as fault:
            raise NotSentError(str(fault)) from fault

    def publish(self, parcel: Parcel) -> Receipt:
        """Put the record under its key, or all of a thread; answers its address, new or there."""
        self._upload(parcel)
        thread = len(records_in(parcel.record)) > 1
        method = "com.atproto.repo.applyWrites" if thread else "com.atproto.repo.putRecord"
        try:
            answer = self._signed_in(parcel, "POST", method, _thread_body if thread else _put_body)
        except NEVER_LEFT as fault:
            raise NotSentError(f"{parcel.service} cannot be reached ({fault}).") from fault
        except httpx.TransportError as fault:
            raise InDoubtError(f"{parcel.service} broke off ({why(fault)}).") from fault
        if answer.status == 400 and answer.error == "InvalidSwap":
            return self._what_stands_there(parcel)
        if answer.is_unclear:
            raise InDoubtError(f"{parcel.service} failed: {answer.words}")
        if not answer.is_success:
            # Some servers say in this way that a thread's key is taken.
            if thread and (found := self._get(parcel)) is not None:
                return _if_ours(parcel, found)
            raise PublisherRejectedError(f"{parcel.service} refuses the post: {answer.words}")
        return _receipt(parcel, _first_uri(answer) if thread else answer.said.get("uri"))

    def _upload(self, parcel: Parcel) -> None:
        """Bring the pictures, which nobody sees before a record names them.

        The record names each by the hash of its bytes, so that a server that would change them is
        found out here. Raises NotSentError or PublisherRejectedError.
        """
        for place, (data, named) in enumerate(zip(parcel.images, _blobs(parcel), strict=True)):
            try:
                answer = self._signed_in(
                    parcel,
                    "POST",
                    "com.atproto.repo.uploadBlob",
                    lambda _did, _parcel, data=data: {"content": data},
                    headers={"Content-Type": named["mimeType"]},
                    deadline=min(UPLOAD, self._deadline),
                    tries=2 if place == 0 else 1,
                )
            except httpx.TransportError as fault:
                raise NotSentError(f"{parcel.service} took no picture ({why(fault)}).") from fault
            if answer.is_unclear or answer.status == 401 or answer.error in TOKEN_FAULTS:
                raise NotSentError(f"{parcel.service} took no picture: {answer.words}")
            if not answer.is_success:
                raise PublisherRejectedError(
                    f"{parcel.service} refuses the picture: {answer.words}"
                )
            blob = answer.said.get("blob")
            if not isinstance(blob, dict) or blob.get("ref") != named["ref"]:
                raise PublisherRejectedError(f"{parcel.service} changed the picture on its way.")

    def find(self, parcel: Parcel) -> Receipt | None:
        """The post under its key with our text; None if nothing was written since the mark.

        InDoubtError: it is not there, but something was written: it may have been deleted.
        """
        found = self._get(parcel)
        if found is not None:
            if found["value"].get("text") != records_in(parcel.record)[0]["text"]:
                raise InDoubtError(
                    f"Other words than ours stand at this place in @{parcel.handle}'s account."
                )
            return _receipt(parcel, found.get("uri"))
        try:
            # Asked after the post: a write between the two questions makes it a doubt, never a no.
            untouched = self._revision(parcel) == parcel.mark
        except httpx.TransportError as fault:
            raise InDoubtError(f"{parcel.service} cannot be asked ({why(fault)}).") from fault
        if not untouched:
            raise InDoubtError(
                f"The post is not in @{parcel.handle}'s account, but the account has changed since "
                "it was sent: it may have arrived and been deleted."
            )
        return None

    def _what_stands_there(self, parcel: Parcel) -> Receipt:
        try:
            found = self._get(parcel)
        except NotSentError as fault:  # something stands there, and it may be ours
            raise InDoubtError(str(fault)) from fault
        if found is None:
            raise InDoubtError(f"The post stood in @{parcel.handle}'s account and is gone.")
        return _if_ours(parcel, found)

    def _revision(self, parcel: Parcel) -> str:
        """Raises httpx.TransportError, InDoubtError, or what signing in raises."""
        method = "com.atproto.sync.getLatestCommit"
        answer = self._signed_in(parcel, "GET", method, lambda did, _: {"params": {"did": did}})
        revision = answer.said.get("rev")
        if not answer.is_success or not isinstance(revision, str):
            raise InDoubtError(f"{parcel.service} does not say where it stands: {answer.words}")
        return revision

    def _get(self, parcel: Parcel) -> dict[str, Any] | None:
        """What stands under the key, with its record as ``value``; None: the server has nothing."""
        try:
            answer = self._signed_in(parcel, "GET", "com.atproto.repo.getRecord", _get_query)
        except httpx.TransportError as fault:
            raise InDoubtError(f"{parcel.service} cannot be asked ({why(fault)}).") from fault
        if answer.status == 400 and answer.error == "RecordNotFound":
            return None
        if not answer.is_success or not isinstance(answer.said.get("value"), dict):
            raise InDoubtError(f"{parcel.service} does not say what it has: {answer.words}")
        return answer.said

    def _signed_in(
        self,
        parcel: Parcel,
        verb: str,
        method: str,
        build: Any,
        headers: Mapping[str, str] = NO_HEADERS,
        deadline: float | None = None,
        tries: int = 2,
    ) -> Answer:
        """One call with the account's session, signing in again once when it has expired."""
        within = deadline or self._deadline
        if parcel.secret is None:
            raise NotSentError(
                f"@{parcel.handle} is not signed in: connect it on its voice’s page."
            )
        if (opens := pass_of(parcel.secret)) is not None:
            return self._by_pass(parcel, opens, verb, method, build, headers, within)
        for again in range(tries):
            did, token = self._session(parcel, within)
            bearer = {"Authorization": f"Bearer {token}", **headers}
            answer = self._exchange(
                within,
                verb,
                f"{parcel.service}/xrpc/{method}",
                headers=bearer,
                **build(did, parcel),
            )
            expired = answer.status == 401 or answer.error in TOKEN_FAULTS
            if not expired or again == tries - 1:
                break
            self._sessions.pop(_account(parcel), None)
        if answer.status == 429:
            raise _rate_limited(parcel, answer)
        return answer

    def _by_pass(
        self,
        parcel: Parcel,
        opens: Pass,
        verb: str,
        method: str,
        build: Any,
        headers: Mapping[str, str],
        within: float,
    ) -> Answer:
        """One call for an account that was signed in at its own server, which is asked itself.

        It is read like everybody reads it, so that a doubt can be settled when the Pass is over.
        """
        if self._line is None:
            raise NotSentError("Accounts that were signed in at their server cannot be asked here.")
        url, request = f"{opens.service}/xrpc/{method}", build(opens.did, parcel)
        if verb == "GET":
            answer = self._line.get(within, url, **request)
        else:
            answer = self._line.ask(
                within, verb, url, opens.key, token=opens.token, headers=headers, **request
            )
            if answer.status == 401:  # nothing was done; it is being renewed, or asked for anew
                raise NotSentError(
                    f"{opens.service} does not know this sign-in of @{parcel.handle} any more: "
                    f"{answer.words}"
                )
        if answer.status == 429:
            raise _rate_limited(parcel, answer)
        return answer

    def _session(self, parcel: Parcel, deadline: float) -> tuple[str, str]:
        """(did, access token) of the account. Nothing was sent when this raises."""
        if _account(parcel) in self._sessions:
            return self._sessions[_account(parcel)]
        try:
            answer = self._exchange(
                deadline,
                "POST",
                f"{parcel.service}/xrpc/com.atproto.server.createSession",
                json={"identifier": parcel.handle, "password": parcel.secret},
            )
        except httpx.TransportError as fault:
            raise NotSentError(f"{parcel.service} cannot be reached ({why(fault)}).") from fault
        if answer.status == 429:
            raise _rate_limited(parcel, answer)
        if answer.status >= 500:
            raise NotSentError(f"{parcel.service} failed at sign-in: {answer.words}")
        if not answer.is_success:
            raise PublisherRejectedError(
                f"{parcel.service} does not let @{parcel.handle} in: {answer.words} "
                "Connect the account again with a new app password."
            )
        said = answer.said
        if not isinstance(said.get("did"), str) or not isinstance(said.get("accessJwt"), str):
            raise PublisherRejectedError(f"{parcel.service} is not an AT Protocol server.")
        self._sessions[_account(parcel)] = said["did"], said["accessJwt"]
        return self._sessions[_account(parcel)]


def _if_ours(parcel: Parcel, found: Mapping[str, Any]) -> Receipt:
    """What stands under the key, where that is our post; PublisherRejectedError where not."""
    if found["value"].get("text") != records_in(parcel.record)[0]["text"]:
        raise PublisherRejectedError(
            f"Another post already stands at this place in @{parcel.handle}'s account; "
            "it was left alone."
        )
    return _receipt(parcel, found.get("uri"))


def _account(parcel: Parcel) -> tuple[str, str, str]:
    return parcel.service, parcel.handle, parcel.secret or ""


def _put_body(did: str, parcel: Parcel) -> dict[str, Any]:
    return {
        "json": {
            "repo": did,
            "collection": COLLECTION,
            "rkey": parcel.record_key,
            "record": parcel.record,
            "swapRecord": None,
        }
    }


def _thread_body(did: str, parcel: Parcel) -> dict[str, Any]:
    records = records_in(parcel.record)
    keys = keys_of(parcel.record_key, len(records))
    writes = [
        {
            "$type": "com.atproto.repo.applyWrites#create",
            "collection": COLLECTION,
            "rkey": key,
            "value": value,
        }
        for key, value in zip(keys, chained(did, keys, records), strict=True)
    ]
    return {"json": {"repo": did, "writes": writes}}


def _first_uri(answer: Answer) -> Any:
    results = answer.said.get("results")
    first = results[0] if isinstance(results, list) and results else {}
    return first.get("uri") if isinstance(first, dict) else None


def _blobs(parcel: Parcel) -> list[dict[str, Any]]:
    """What the records say of each picture: of all posts in order, then that of the link card."""
    embeds = [record.get("embed", {}) for record in records_in(parcel.record)]
    pictures = [image["image"] for embed in embeds for image in embed.get("images", [])]
    cards = [embed.get("external", {}) for embed in embeds]
    return pictures + [card["thumb"] for card in cards if "thumb" in card]


def _get_query(did: str, parcel: Parcel) -> dict[str, Any]:
    return {"params": {"repo": did, "collection": COLLECTION, "rkey": parcel.record_key}}


def _receipt(parcel: Parcel, uri: Any) -> Receipt:
    """The receipt; a server on this machine is in no public app, so its own answer is the page."""
    if not isinstance(uri, str) or not uri.isprintable():
        raise InDoubtError(f"{parcel.service} accepted the post but gave no address.")
    if urlsplit(parcel.service).hostname in LOOPBACK:
        place = f"repo={parcel.handle}&collection={COLLECTION}&rkey={parcel.record_key}"
        return Receipt(uri, f"{parcel.service}/xrpc/com.atproto.repo.getRecord?{place}")
    return Receipt(uri, f"https://bsky.app/profile/{parcel.handle}/post/{parcel.record_key}")


def _rate_limited(parcel: Parcel, answer: Answer) -> NotSentError:
    wait = answer.wait("ratelimit-reset", RATE_LIMIT_WAIT)
    return NotSentError(f"{parcel.service} asks us to slow down.", retry_in=wait)
