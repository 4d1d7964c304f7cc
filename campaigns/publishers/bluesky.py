"""Bluesky and every other AT Protocol server: a post exactly once, by putRecord.

The record key and the complete record are fixed before the first attempt, and ``swapRecord: null``
says "only where nothing stands yet". The same record again is a no-op, so a doubt may be repeated;
a different record under the key is refused, so nothing is ever silently edited. The call is made
as plain JSON because the atproto SDK drops a null ``swapRecord``.
"""

from email.utils import parsedate_to_datetime
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

COLLECTION = "app.bsky.feed.post"
TIMEOUT = 15.0  # seconds per step of one call
RATE_LIMIT_WAIT = 300.0  # seconds when a 429 does not say: the window of createSession (30/5 min)
TOKEN_FAULTS = frozenset({"ExpiredToken", "InvalidToken"})  # said with 400: sign in again
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class BlueskyPublisher:
    """Signs in with an app password and keeps the session: signing in is limited to 30 in 5 min."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[str, str, str], tuple[str, str]] = {}  # -> (did, access token)

    def publish(self, parcel: Parcel) -> Receipt:
        """Put the record under its key; answers its address, new or already there."""
        try:
            answer = self._signed_in(parcel, "POST", "com.atproto.repo.putRecord", _put_body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as fault:
            raise NotSentError(f"{parcel.service} cannot be reached ({fault}).") from fault
        except httpx.TransportError as fault:
            raise InDoubtError(f"{parcel.service} broke off ({type(fault).__name__}).") from fault
        if answer.status_code == 400 and _error(answer) == "InvalidSwap":
            return self._what_stands_there(parcel)
        if answer.status_code >= 500:
            raise InDoubtError(f"{parcel.service} failed: {_words(answer)}")
        if not answer.is_success:
            raise PublisherRejectedError(f"{parcel.service} refuses the post: {_words(answer)}")
        return _receipt(parcel, _json(answer).get("uri"))

    def find(self, parcel: Parcel) -> Receipt | None:
        """The post if it stands under its key with our text; None if it does not."""
        found = self._get(parcel)
        if found is None or found.get("value", {}).get("text") != parcel.record["text"]:
            return None
        return _receipt(parcel, found.get("uri"))

    def _what_stands_there(self, parcel: Parcel) -> Receipt:
        found = self.find(parcel)
        if found is None:
            raise PublisherRejectedError(
                f"Another post already stands at this place in @{parcel.handle}'s account; "
                "it was left alone."
            )
        return found

    def _get(self, parcel: Parcel) -> dict[str, Any] | None:
        try:
            answer = self._signed_in(parcel, "GET", "com.atproto.repo.getRecord", _get_query)
        except httpx.TransportError as fault:
            raise InDoubtError(f"{parcel.service} cannot be asked ({fault}).") from fault
        if answer.status_code == 400 and _error(answer) == "RecordNotFound":
            return None
        if not answer.is_success:
            raise InDoubtError(f"{parcel.service} does not say what it has: {_words(answer)}")
        return _json(answer)

    def _signed_in(self, parcel: Parcel, verb: str, method: str, build: Any) -> httpx.Response:
        """One call with the account's session, signing in again once when it has expired."""
        for last_try in (False, True):
            did, token = self._session(parcel)
            answer = httpx.request(
                verb,
                f"{parcel.service}/xrpc/{method}",
                headers={"Authorization": f"Bearer {token}"},
                timeout=TIMEOUT,
                **build(did, parcel),
            )
            expired = answer.status_code == 401 or _error(answer) in TOKEN_FAULTS
            if not expired or last_try:
                break
            self._sessions.pop(_account(parcel), None)
        if answer.status_code == 429:
            raise _rate_limited(parcel, answer)
        return answer

    def _session(self, parcel: Parcel) -> tuple[str, str]:
        """(did, access token) of the account. Nothing was sent when this raises."""
        if _account(parcel) in self._sessions:
            return self._sessions[_account(parcel)]
        try:
            answer = httpx.post(
                f"{parcel.service}/xrpc/com.atproto.server.createSession",
                json={"identifier": parcel.handle, "password": parcel.secret},
                timeout=TIMEOUT,
            )
        except httpx.TransportError as fault:
            raise NotSentError(f"{parcel.service} cannot be reached ({fault}).") from fault
        if answer.status_code == 429:
            raise _rate_limited(parcel, answer)
        if answer.status_code >= 500:
            raise NotSentError(f"{parcel.service} failed at sign-in: {_words(answer)}")
        if not answer.is_success:
            raise PublisherRejectedError(
                f"{parcel.service} does not let @{parcel.handle} in: {_words(answer)} "
                "Connect the account again with a new app password."
            )
        said = _json(answer)
        if not isinstance(said.get("did"), str) or not isinstance(said.get("accessJwt"), str):
            raise PublisherRejectedError(f"{parcel.service} is not an AT Protocol server.")
        self._sessions[_account(parcel)] = said["did"], said["accessJwt"]
        return self._sessions[_account(parcel)]


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


def _get_query(did: str, parcel: Parcel) -> dict[str, Any]:
    return {"params": {"repo": did, "collection": COLLECTION, "rkey": parcel.record_key}}


def _receipt(parcel: Parcel, uri: Any) -> Receipt:
    """The receipt; a server on this machine is in no public app, so its own answer is the page."""
    if not isinstance(uri, str):
        raise InDoubtError(f"{parcel.service} accepted the post but gave no address.")
    if urlsplit(parcel.service).hostname in LOOPBACK:
        place = f"repo={parcel.handle}&collection={COLLECTION}&rkey={parcel.record_key}"
        return Receipt(uri, f"{parcel.service}/xrpc/com.atproto.repo.getRecord?{place}")
    return Receipt(uri, f"https://bsky.app/profile/{parcel.handle}/post/{parcel.record_key}")


def _rate_limited(parcel: Parcel, answer: httpx.Response) -> NotSentError:
    """Wait until ``ratelimit-reset`` (unix seconds) by the server's own clock."""
    try:
        server_now = parsedate_to_datetime(answer.headers["date"]).timestamp()
        wait = max(0.0, float(answer.headers["ratelimit-reset"]) - server_now)
    except (KeyError, ValueError):
        wait = RATE_LIMIT_WAIT
    return NotSentError(f"{parcel.service} asks us to slow down.", retry_in=wait)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _error(answer: httpx.Response) -> str:
    return str(_json(answer).get("error", ""))


def _words(answer: httpx.Response) -> str:
    """What the server says went wrong, in at most one line."""
    said = _json(answer)
    words = str(said.get("message") or said.get("error") or f"HTTP {answer.status_code}")
    return words[:300].rstrip(".") + "."
