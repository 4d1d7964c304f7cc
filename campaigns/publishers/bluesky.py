"""Bluesky and every other AT Protocol server: a post exactly once, by putRecord.

The record key and the complete record are fixed before the first attempt, and ``swapRecord: null``
says "only where nothing stands yet". The same record again is a no-op, so a doubt may be repeated;
a different record under the key is refused, so nothing is ever silently edited. The call is made
as plain JSON because the atproto SDK drops a null ``swapRecord``.
"""

import asyncio
import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
TIMEOUT = 15.0  # seconds per step of one exchange
DEADLINE = 60.0  # seconds for one whole exchange; the longest publish has seven
ANSWER_MAX = 1_000_000  # bytes of one answer; a true one has a few thousand
RATE_LIMIT_WAIT = 300.0  # seconds when a 429 does not say: the window of createSession (30/5 min)
TOKEN_FAULTS = frozenset({"ExpiredToken", "InvalidToken"})  # said with 400: sign in again
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class _Answer:
    """A whole answer; ``said`` is its JSON object, empty when it is none."""

    status: int
    headers: httpx.Headers
    said: dict[str, Any]

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def error(self) -> str:
        return str(self.said.get("error", ""))

    @property
    def words(self) -> str:
        """What the server says went wrong, in at most one line that any table can hold."""
        words = str(self.said.get("message") or self.error or f"HTTP {self.status}")[:300]
        return "".join(sign if sign.isprintable() else " " for sign in words).rstrip(" .") + "."


class BlueskyPublisher:
    """Signs in with an app password and keeps the session: signing in is limited to 30 in 5 min.

    ``deadline``: seconds after which an exchange is given up, however busy the server keeps it.
    """

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._sessions: dict[tuple[str, str, str], tuple[str, str]] = {}  # -> (did, access token)

    def publish(self, parcel: Parcel) -> Receipt:
        """Put the record under its key; answers its address, new or already there."""
        try:
            answer = self._signed_in(parcel, "POST", "com.atproto.repo.putRecord", _put_body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as fault:
            raise NotSentError(f"{parcel.service} cannot be reached ({fault}).") from fault
        except httpx.TransportError as fault:
            raise InDoubtError(f"{parcel.service} broke off ({_why(fault)}).") from fault
        if answer.status == 400 and answer.error == "InvalidSwap":
            return self._what_stands_there(parcel)
        if answer.status >= 500:
            raise InDoubtError(f"{parcel.service} failed: {answer.words}")
        if not answer.is_success:
            raise PublisherRejectedError(f"{parcel.service} refuses the post: {answer.words}")
        return _receipt(parcel, answer.said.get("uri"))

    def find(self, parcel: Parcel) -> Receipt | None:
        """The post if it stands under its key with our text; None if it does not."""
        found = self._get(parcel)
        if found is None or found["value"].get("text") != parcel.record["text"]:
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
        """What stands under the key, with its record as ``value``; None: the server has nothing."""
        try:
            answer = self._signed_in(parcel, "GET", "com.atproto.repo.getRecord", _get_query)
        except httpx.TransportError as fault:
            raise InDoubtError(f"{parcel.service} cannot be asked ({_why(fault)}).") from fault
        if answer.status == 400 and answer.error == "RecordNotFound":
            return None
        if not answer.is_success or not isinstance(answer.said.get("value"), dict):
            raise InDoubtError(f"{parcel.service} does not say what it has: {answer.words}")
        return answer.said

    def _signed_in(self, parcel: Parcel, verb: str, method: str, build: Any) -> _Answer:
        """One call with the account's session, signing in again once when it has expired."""
        for last_try in (False, True):
            did, token = self._session(parcel)
            bearer = {"Authorization": f"Bearer {token}"}
            answer = self._exchange(parcel, verb, method, headers=bearer, **build(did, parcel))
            expired = answer.status == 401 or answer.error in TOKEN_FAULTS
            if not expired or last_try:
                break
            self._sessions.pop(_account(parcel), None)
        if answer.status == 429:
            raise _rate_limited(parcel, answer)
        return answer

    def _session(self, parcel: Parcel) -> tuple[str, str]:
        """(did, access token) of the account. Nothing was sent when this raises."""
        if _account(parcel) in self._sessions:
            return self._sessions[_account(parcel)]
        try:
            answer = self._exchange(
                parcel,
                "POST",
                "com.atproto.server.createSession",
                json={"identifier": parcel.handle, "password": parcel.secret},
            )
        except httpx.TransportError as fault:
            raise NotSentError(f"{parcel.service} cannot be reached ({_why(fault)}).") from fault
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

    def _exchange(self, parcel: Parcel, verb: str, method: str, **request: Any) -> _Answer:
        """One request and its whole answer. Raises httpx.TransportError, never after ``deadline``.

        It has a thread of its own because the caller's may be running an event loop already.
        """
        asking = _ask(self._deadline, verb, f"{parcel.service}/xrpc/{method}", request)
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, asking).result()


async def _ask(deadline: float, verb: str, url: str, request: dict[str, Any]) -> _Answer:
    """asyncio because only a cancellation ends connection, headers and body alike.

    A name lookup cannot be cancelled: it ends by the system resolver's own, shorter limits. The
    answer is asked for and read uncompressed: its size on the wire is its size in memory.
    """
    headers = {"Accept-Encoding": "identity"}
    try:
        async with (
            asyncio.timeout(deadline),
            httpx.AsyncClient(timeout=TIMEOUT, headers=headers) as client,
            client.stream(verb, url, **request) as answer,
        ):
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > ANSWER_MAX:
                    raise httpx.ReadError(f"its answer is longer than {ANSWER_MAX} bytes")
            return _Answer(answer.status_code, answer.headers, _json(body))
    except TimeoutError as fault:
        raise httpx.ReadTimeout(f"no whole answer within {deadline:g} seconds") from fault


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
    if not isinstance(uri, str) or not uri.isprintable():
        raise InDoubtError(f"{parcel.service} accepted the post but gave no address.")
    if urlsplit(parcel.service).hostname in LOOPBACK:
        place = f"repo={parcel.handle}&collection={COLLECTION}&rkey={parcel.record_key}"
        return Receipt(uri, f"{parcel.service}/xrpc/com.atproto.repo.getRecord?{place}")
    return Receipt(uri, f"https://bsky.app/profile/{parcel.handle}/post/{parcel.record_key}")


def _rate_limited(parcel: Parcel, answer: _Answer) -> NotSentError:
    """Wait until ``ratelimit-reset`` (unix seconds) by the server's own clock."""
    try:
        server_now = parsedate_to_datetime(answer.headers["date"]).timestamp()
        wait = float(answer.headers["ratelimit-reset"]) - server_now
    except (KeyError, ValueError, OverflowError):
        wait = math.nan
    if not math.isfinite(wait):
        wait = RATE_LIMIT_WAIT
    return NotSentError(f"{parcel.service} asks us to slow down.", retry_in=max(0.0, wait))


def _json(body: bytearray) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):  # the second: brackets in brackets without end
        return {}
    return said if isinstance(said, dict) else {}


def _why(fault: Exception) -> str:
    return str(fault) or type(fault).__name__  # httpx's own timeouts have no words
