"""One request to a platform and its whole answer, however the server behaves.

A server may be slow, endless or broken on purpose. Whatever it does, an exchange ends by its
deadline, an answer has a size, and what it says can be stored and shown. One that somebody named
may stand where it must not be asked: a ``Check`` says so, and which numbers to connect to.
"""

import asyncio
import json
import math
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

TIMEOUT = 15.0  # seconds per step of one exchange
CONNECTING = 10.0  # seconds to connect to a server that is checked, all its numbers together
DEADLINE = 60.0  # seconds for one whole exchange
ANSWER_MAX = 1_000_000  # bytes of one answer; a true one has a few thousand
WORDS_MAX = 300  # characters of a server's words that are worth showing
ADDRESS_MAX = 2000  # characters of an address that a server gives
TRIES_MAX = 4  # of a name's addresses: the first may be one that this network has no way to
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# What httpx raises before the first byte of a request is out.
NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)

Check = Callable[[str], Sequence[str]]  # the IP numbers that an address leads to; raises if barred


@dataclass(frozen=True)
class Answer:
    """A whole answer: ``body`` as it came, ``json`` what it means (None when it is no JSON)."""

    status: int
    headers: httpx.Headers
    body: bytes
    json: Any

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_unclear(self) -> bool:
        """The server, or one on the way to it, gave up: it may have acted or not."""
        return self.status >= 500 or self.status == httpx.codes.REQUEST_TIMEOUT

    @property
    def said(self) -> dict[str, Any]:
        """The JSON object; empty when it is none."""
        return self.json if isinstance(self.json, dict) else {}

    @property
    def error(self) -> str:
        return str(self.said.get("error", ""))

    @property
    def words(self) -> str:
        """What the server says went wrong, in at most one line that any table can hold."""
        return plain(str(self.said.get("message") or self.error or f"HTTP {self.status}"))

    def wait(self, reset: str, otherwise: float) -> float:
        """Seconds until the moment in the header ``reset``, by the server's own clock.

        The header may hold unix seconds or a time in ISO 8601; ``otherwise`` when it holds neither.
        """
        try:
            server_now = parsedate_to_datetime(self.headers["date"]).timestamp()
            wait = _moment(self.headers[reset]) - server_now
        except (KeyError, ValueError, OverflowError):
            return otherwise
        return max(0.0, wait) if math.isfinite(wait) else otherwise


def exchange(
    deadline: float,
    verb: str,
    url: str,
    *,
    check: Check | None = None,
    **request: Any,
) -> Answer:
    """One request, by httpx's keywords, and its whole answer; nothing is sent where ``check`` bars.

    Raises httpx.TransportError, never after ``deadline`` seconds; one of NEVER_LEFT when nothing
    was sent. It has a thread of its own because the caller's may be running an event loop already.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, _ask(deadline, verb, url, check, request)).result()


def plain(words: str) -> str:
    """A server's words as one sentence on one line, without signs that no table can hold."""
    line = "".join(sign if sign.isprintable() else " " for sign in words[:WORDS_MAX])
    return line.rstrip(" .") + "."


def why(fault: Exception) -> str:
    return str(fault) or type(fault).__name__  # httpx's own timeouts have no words


def page_address(said: Any) -> str | None:
    """What a server names as a page, if it is one that a link may lead to."""
    if not isinstance(said, str) or len(said) > ADDRESS_MAX or not said.isprintable():
        return None
    try:
        address = urlsplit(said)
    except ValueError:
        return None
    return said if address.scheme in ("http", "https") and address.hostname else None


async def _ask(
    deadline: float,
    verb: str,
    url: str,
    check: Check | None,
    request: dict[str, Any],
) -> Answer:
    """asyncio because only a cancellation ends connection, headers and body alike.

    A name lookup cannot be cancelled: it ends by the system resolver's own, shorter limits. The
    answer is asked for and read uncompressed: its size on the wire is its size in memory.
    """
    headers = {"Accept-Encoding": "identity"}
    transport = None if check is None else _Checked(check)
    try:
        async with (
            asyncio.timeout(deadline),
            httpx.AsyncClient(
                timeout=TIMEOUT, headers=headers, verify=trusted(), transport=transport
            ) as client,
            client.stream(verb, url, **request) as answer,
        ):
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > ANSWER_MAX:
                    raise httpx.ReadError(f"its answer is longer than {ANSWER_MAX} bytes")
            return Answer(answer.status_code, answer.headers, bytes(body), _json(body))
    except TimeoutError as fault:
        raise httpx.ReadTimeout(f"no whole answer within {deadline:g} seconds") from fault


@cache
def trusted() -> ssl.SSLContext:
    """The certificates that count. Read once: reading takes longer than many an exchange."""
    return httpx.create_ssl_context()


class _Checked(httpx.AsyncBaseTransport):
    """Connects to the very number that was looked up and checked: a name may change its meaning.

    Proxies that the environment names are not used, because the lookup would be theirs.
    """

    def __init__(self, check: Check) -> None:
        self._check = check
        self._http = httpx.AsyncHTTPTransport(verify=trusted())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """httpx.ConnectError, before anything is sent, for an address that is barred."""
        server = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
        try:
            numbers = (await asyncio.to_thread(self._check, server))[:TRIES_MAX]
        except Exception as fault:  # whatever the check raises, in its words
            raise httpx.ConnectError(str(fault).rstrip("."), request=request) from fault
        refused: httpx.TransportError | None = None
        for number in numbers:
            try:
                there = _to(number, request, CONNECTING / len(numbers))
                return await self._http.handle_async_request(there)
            except (httpx.ConnectError, httpx.ConnectTimeout) as fault:
                refused = refused or fault
        raise refused or httpx.ConnectError("its name has no address", request=request)

    async def aclose(self) -> None:
        await self._http.aclose()


def _to(number: str, request: httpx.Request, patience: float) -> httpx.Request:
    """The same request (its Host header too) to ``number``; ``patience``: seconds to connect."""
    name = request.url.raw_host.decode("ascii")
    timeout = {**request.extensions.get("timeout", {}), "connect": patience}
    return httpx.Request(
        request.method,
        request.url.copy_with(host=number),
        headers=request.headers,
        stream=request.stream,
        # The name is the certificate's.
        extensions={**request.extensions, "sni_hostname": name, "timeout": timeout},
    )


def _json(body: bytearray) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # the second: brackets in brackets without end
        return None


def _moment(words: str) -> float:
    """Unix seconds. ValueError when the words are no time."""
    try:
        return float(words)
    except ValueError:
        moment = datetime.fromisoformat(words)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
