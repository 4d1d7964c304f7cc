"""How an address that somebody typed in is read: only public ones, in bounds of size and time.

A feed's address, and each redirect on the way, may point into the network this desk runs in: to
the database, or to a cloud's door to its machine's keys. Therefore every name is looked up once,
all that the lookup gives must be public, and the connection goes to the very address that was
checked: a name that means something else a moment later (DNS rebinding) gains nothing. Proxies
that the environment names are not used, because the lookup would be theirs.
"""

import ipaddress
import socket
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from sources.collector import SourceFaultError, plain_words, user_agent

MAX_BYTES = 10 * 1024 * 1024
TIMEOUT = httpx.Timeout(20)  # seconds for each of: connect, one read, one write
DEADLINE = 120.0  # seconds from the name's lookup to the last byte: a server may drip for ever
MAX_REDIRECTS = 5
MAX_TRIES = 4  # of a name's addresses: the first may be one that this network has no way to
MAX_RETRY_AFTER = timedelta(days=7)
PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

# Only this part of IPv6 is given out to the public (RFC 4291, IANA), and these are exceptions.
PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
NOT_PUBLIC = [
    ipaddress.ip_network(network)
    for network in (
        *("2001::/23", "2001:db8::/32", "3fff::/20"),  # Teredo and others; examples
        "2002::/16",  # 6to4: an IPv4 address in disguise, and long out of use
        "192.0.0.0/24",  # protocols' own; a cloud's door to its machines
        "192.88.99.0/24",  # 6to4's relays
        "168.63.129.16/32",  # a cloud's door, though its number looks public
    )
]
# What a network without IPv4 writes for an IPv4 address (RFC 6052).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class PrivateAddressError(SourceFaultError):
    """An address leads into a private network."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} leads to an address inside a private network; "
            "only public addresses are asked."
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server gave: 200 and a body, or 304 and none."""

    status: int
    headers: httpx.Headers
    url: str  # where it came from, after all redirects
    body: bytes
    moved_to: str | None = None  # the address from now on, where permanent redirects say so


def is_public(number: str) -> bool:
    """Whether an IP address is one that anybody on the internet may reach. False if it is none."""
    try:
        ip = ipaddress.ip_address(number)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip in NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
        elif ip not in PUBLIC_IPV6:
            return False
    if any(ip in network for network in NOT_PUBLIC if network.version == ip.version):
        return False
    return ip.is_global and not ip.is_multicast


def check_public(url: str, *, private: bool = False) -> list[str]:
    """The IP addresses that a web or websocket address leads to, all of them public.

    ``private`` lets loopback and private ones pass. SourceFaultError for any other kind of
    address, a name that is not known, and one that leads into a private network. To be safe from
    names that change, connect to what this returns (``connect_public`` does).
    """
    try:
        return _lookup(_parsed(url), private)
    except PrivateAddressError:
        raise PrivateAddressError(url) from None
    except OSError as fault:
        raise SourceFaultError(f"{url} cannot be read: {plain_words(fault)}.") from fault


def connect_public(url: str, *, private: bool = False, timeout: float = 20) -> socket.socket:
    """A TCP connection to where ``url`` leads (``check_public``), for a client that takes one.

    The caller closes it, and does TLS on it for the name in ``url``. SourceFaultError if nothing
    answers within ``timeout`` seconds.
    """
    fault: OSError | None = None
    for number in check_public(url, private=private)[:MAX_TRIES]:
        try:
            return socket.create_connection((number, _port(_parsed(url))), timeout)
        except OSError as refused:
            fault = fault or refused
    raise SourceFaultError(f"{url} cannot be read: {plain_words(fault or OSError())}.") from fault


def fetch(
    address: str,
    *,
    contact: str = "",
    private: bool = False,
    headers: Mapping[str, str] | None = None,
    deadline: float | None = None,
) -> Answer:
    """What the server at ``address`` gives, or SourceFaultError after ``deadline`` seconds.

    Every fault, and every status but 200 and 304, becomes one sentence that begins with
    ``address``.
    """
    sent = {
        "User-Agent": user_agent(contact),
        "Accept-Encoding": "gzip",
        **(headers or {}),
    }
    line, asker = _Line(), ThreadPoolExecutor(1, "fetch")
    answer = asker.submit(_ask, address, sent, private, line)
    try:
        return answer.result(DEADLINE if deadline is None else deadline)
    except TimeoutError:
        raise SourceFaultError(f"{address} does not answer in time.") from None
    except PrivateAddressError:
        raise PrivateAddressError(address) from None
    finally:
        line.hang_up()
        asker.shutdown(wait=False)


class PublicTransport(httpx.BaseTransport):
    """Sends each request to an address that was looked up and checked here."""

    def __init__(self, *, private: bool = False) -> None:
        self.private = private
        # No connection is used twice: two names may share an address, but not a certificate.
        # Certificates of one's own (SSL_CERT_FILE) count; they open no way around the check.
        self._http = httpx.HTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """PrivateAddressError before anything is sent."""
        if request.url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol("only web addresses (http or https) are read")
        try:
            numbers = _lookup(request.url, self.private)
        except OSError as fault:
            raise httpx.ConnectError(str(fault), request=request) from fault
        refused: httpx.TransportError | None = None
        for number in numbers[:MAX_TRIES]:
            try:
                return self._http.handle_request(self._to(number, request))
            except (httpx.ConnectError, httpx.ConnectTimeout) as fault:
                refused = refused or fault
        raise refused or httpx.ConnectError("its name has no address", request=request)

    def close(self) -> None:
        self._http.close()

    def _to(self, number: str, request: httpx.Request) -> httpx.Request:
        """The same request (its Host header too), addressed to ``number``."""
        name = request.url.raw_host.decode("ascii")
        return httpx.Request(
            request.method,
            request.url.copy_with(host=number),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": name},  # the certificate's name
        )


class _Line:
    """The connection of one request (told by httpcore's trace), to be hung up by another thread."""

    def __init__(self) -> None:
        self._over = False
        self._socket: socket.socket | None = None

    def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
        if self._over and event.endswith((".connect_tcp.started", ".send_request_headers.started")):
            raise httpx.ReadTimeout("hung up")

    def hang_up(self) -> None:
        """End what is being read, and let nothing new begin."""
        self._over = True
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                self._socket.shutdown(socket.SHUT_RDWR)


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in PORTS or not parsed.host:
        raise SourceFaultError(f"{url} is not an address on the web.")
    return parsed


def _port(url: httpx.URL) -> int:
    return url.port or PORTS[url.scheme]


def _lookup(url: httpx.URL, private: bool) -> list[str]:
    """The IP addresses of a URL's host. PrivateAddressError if any is not public, or OSError.

    Any, because a name that means a public and a private address at once is up to no good.
    """
    try:
        found = socket.getaddrinfo(url.raw_host, _port(url), type=socket.SOCK_STREAM)
    except ValueError as fault:  # no name at all: too long, or with a zero in it
        raise socket.gaierror(str(fault)) from fault
    numbers = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if not private and not all(is_public(number) for number in numbers):
        raise PrivateAddressError(str(url))
    return numbers


def _ask(address: str, headers: dict[str, str], private: bool, line: _Line) -> Answer:
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    try:
        with httpx.Client(
            transport=PublicTransport(private=private),
            timeout=TIMEOUT,
            cookies=no_cookies,
            trust_env=False,
        ) as client:
            request = client.build_request(
                "GET", address, headers=headers, extensions={"trace": line}
            )
            moved_to, permanent = None, True
            # Step by step, because httpx would read the body of each redirect to its end.
            for _ in range(MAX_REDIRECTS + 1):
                response = client.send(request, stream=True)
                if response.next_request is None:
                    _check(address, response)
                    body = _body(address, response)
                    url = str(response.url)
                    return Answer(response.status_code, response.headers, url, body, moved_to)
                response.close()
                request = response.next_request
                # What follows a temporary redirect is no more than temporary itself.
                permanent = permanent and response.status_code in (301, 308)
                if permanent and not request.url.userinfo:
                    moved_to = str(request.url.copy_with(fragment=None))
    except (httpx.HTTPError, httpx.InvalidURL, zlib.error) as fault:
        sentence = f"{address} cannot be read: {plain_words(fault)}."
        raise SourceFaultError(sentence) from fault
    raise SourceFaultError(f"{address} sends us in circles.")


def _check(address: str, response: httpx.Response) -> None:
    status = response.status_code
    match status:
        case 200 | 304:
            return
        case 410:
            raise SourceFaultError(
                f"{address} is gone for good: its server answers 410.", final=True
            )
        case 429 | 503:
            raise SourceFaultError(
                f"{address} asks us to come back later: its server answers {status}.",
                retry_in=_retry_after(response),
            )
        case 401 | 403:
            raise SourceFaultError(f"{address} does not let us in: its server answers {status}.")
        case _:
            raise SourceFaultError(f"{address} cannot be read: its server answers {status}.")


def _body(address: str, response: httpx.Response) -> bytes:
    """The unpacked body. Unpacked here, so that a small bomb never becomes a large body."""
    if response.status_code == httpx.codes.NOT_MODIFIED:
        return b""
    packing = response.headers.get("content-encoding", "").strip().lower()
    if packing not in ("", "identity", "gzip"):
        raise SourceFaultError(f"{address} is packed in a way that we did not ask for.")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16) if packing == "gzip" else None
    body = bytearray()
    for chunk in response.iter_raw():
        body += unpacker.decompress(chunk, MAX_BYTES + 1 - len(body)) if unpacker else chunk
        if len(body) > MAX_BYTES:
            raise SourceFaultError(
                f"{address} is larger than {MAX_BYTES // 1024**2} MB: too long for a feed."
            )
        if unpacker and unpacker.eof:
            break
    return bytes(body)


def _retry_after(response: httpx.Response) -> timedelta | None:
    """The wait that the server asks for, if it says so in a way we understand."""
    asked = response.headers.get("retry-after", "").strip()
    try:
        if asked.isdecimal():
            wait = timedelta(seconds=min(int(asked), MAX_RETRY_AFTER.total_seconds()))
        else:  # a date: measured by the server's own clock
            wait = parsedate_to_datetime(asked) - parsedate_to_datetime(response.headers["date"])
    except (ValueError, TypeError, KeyError):
        return None
    return min(max(wait, timedelta(0)), MAX_RETRY_AFTER)
