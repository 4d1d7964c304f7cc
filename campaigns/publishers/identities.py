"""Whose handle it is, which server holds the account, and where it is signed in (AT Protocol).

A handle leads to an identity (DID), its document to the account's server, that server to the one
that signs in, and that one to its addresses. Each of them is somebody else's word, so each is
checked against the one before: the document must name the handle, and the server that signs in
must be the one that was named (atproto.com/specs/oauth, "Identity Authentication").
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from campaigns.publishers import NotSentError, PublisherRejectedError
from campaigns.publishers.dpop import ALGORITHM, Line
from campaigns.publishers.exchange import ADDRESS_MAX, LOOPBACK, Answer, exchange, why

PLC_DIRECTORY = "https://plc.directory"  # web.plc.directory: the one directory of did:plc there is
READING = 10.0  # seconds for one exchange: a person waits for all of them
HANDLE_CHARS = 253  # atproto.com/specs/handle
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
HANDLE = re.compile(rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?", re.A)
# The two kinds of DID that accounts may have (atproto.com/specs/did); did:web is a host name here.
DID = re.compile(rf"did:plc:[a-z2-7]{{24}}|did:web:(?:{_LABEL}\.)+{_LABEL}", re.A)
SERVICE_ID = "#atproto_pds"


@dataclass(frozen=True)
class Home:
    """An account as it was found: who it is, and the server that holds it."""

    handle: str
    did: str
    service: str  # base URL


@dataclass(frozen=True)
class Issuer:
    """The server where an account is signed in, and its addresses."""

    issuer: str  # base URL, and its name in all it says
    pushed: str
    authorize: str
    token: str
    revoke: str | None


class Directory:
    """Looks handles up.

    ``resolver``: base URL of the server that knows handles; ``plc``: of the directory of did:plc.
    These two are ours to choose; every other server is asked only through ``line``'s check.
    """

    def __init__(self, line: Line, resolver: str, plc: str = PLC_DIRECTORY) -> None:
        self._line = line
        self._resolver = resolver.rstrip("/")
        self._plc = plc.rstrip("/")

    def home(self, handle: str) -> Home:
        """Whose handle it is and where. PublisherRejectedError: what is wrong; NotSentError."""
        handle = normal(handle)
        method = f"{self._resolver}/xrpc/com.atproto.identity.resolveHandle"
        answer = self._asked(method, trusted=True, params={"handle": handle})
        if answer.status == 400:
            raise PublisherRejectedError(f"Nobody is known as @{handle}. Is it spelt right?")
        did = _did(_told(answer, self._resolver).get("did"), self._resolver)
        if did.startswith("did:plc:"):
            document = _told(self._asked(f"{self._plc}/{did}", trusted=True), self._plc)
        else:
            host = f"https://{did.removeprefix('did:web:')}"
            document = _told(self._asked(f"{host}/.well-known/did.json"), host)
        return Home(handle, did, service_in(document, did, handle))

    def issuer_of(self, home: Home) -> Issuer:
        """Where the account is signed in. Raises as ``home`` does."""
        address = f"{home.service}/.well-known/oauth-protected-resource"
        return self.issuer(issuer_in(_told(self._asked(address), home.service), home.service))

    def issuer(self, name: str) -> Issuer:
        """The addresses of a server by its name. Raises as ``home`` does."""
        address = f"{name}/.well-known/oauth-authorization-server"
        return endpoints_in(_told(self._asked(address), name), name)

    def _asked(self, url: str, trusted: bool = False, **request: Any) -> Answer:
        try:
            if trusted:
                return exchange(READING, "GET", url, **request)
            return self._line.get(READING, url, **request)
        except httpx.TransportError as fault:
            raise NotSentError(f"{_host(url)} cannot be asked ({why(fault)}).") from fault


# ---- what each of them says


def normal(handle: str) -> str:
    """A handle as it is written once and for all. PublisherRejectedError where it is none."""
    handle = handle.strip().removeprefix("@").lower()
    if len(handle) > HANDLE_CHARS or HANDLE.fullmatch(handle) is None:
        raise PublisherRejectedError("Give the whole handle, such as ruth.bsky.social.")
    return handle


def service_in(document: dict[str, Any], did: str, handle: str) -> str:
    """The base URL of the account's server, from its document, which must name the handle."""
    if document.get("id") != did:
        raise PublisherRejectedError(f"The document of @{handle} is somebody else's.")
    names = document.get("alsoKnownAs")
    if not isinstance(names, list) or f"at://{handle}" not in [str(n).lower() for n in names]:
        raise PublisherRejectedError(f"The account behind @{handle} does not bear this handle.")
    services = document.get("service")
    for one in services if isinstance(services, list) else []:
        if isinstance(one, dict) and str(one.get("id")).removeprefix(did) == SERVICE_ID:
            return base(one.get("serviceEndpoint"), f"The server of @{handle}")
    raise PublisherRejectedError(f"@{handle} names no server.")


def issuer_in(said: dict[str, Any], service: str) -> str:
    """The base URL of the one server where accounts of ``service`` are signed in."""
    named = said.get("authorization_servers")
    if said.get("resource", service) != service or not isinstance(named, list) or len(named) != 1:
        raise PublisherRejectedError(f"{service} does not say where its accounts are signed in.")
    return base(named[0], f"Where accounts of {service} are signed in")


def endpoints_in(said: dict[str, Any], issuer: str) -> Issuer:
    """The addresses of ``issuer``, if it is the one and can all that the protocol asks for."""
    if said.get("issuer") != issuer:
        raise PublisherRejectedError(f"{issuer} goes by another name.")
    lists = {
        "scopes_supported": "atproto",
        "code_challenge_methods_supported": "S256",
        "dpop_signing_alg_values_supported": ALGORITHM,
        "response_types_supported": "code",
        "grant_types_supported": "refresh_token",
    }
    flags = (
        "authorization_response_iss_parameter_supported",
        "client_id_metadata_document_supported",
    )
    if any(said.get(flag) is not True for flag in flags) or any(
        not isinstance(said.get(name), list) or value not in said[name]
        for name, value in lists.items()
    ):
        raise PublisherRejectedError(f"{issuer} does not sign in the way that Bluesky does.")
    revoke = said.get("revocation_endpoint")
    return Issuer(
        issuer,
        pushed=_web(said.get("pushed_authorization_request_endpoint"), issuer),
        authorize=_web(said.get("authorization_endpoint"), issuer),
        token=_web(said.get("token_endpoint"), issuer),
        revoke=None if revoke is None else _web(revoke, issuer),
    )


def base(said: Any, what: str) -> str:
    """What a server names as another's base URL, without a slash at its end."""
    address = _web(said, what).removesuffix("/")
    there = urlsplit(address)
    if there.path or there.query:
        raise PublisherRejectedError(f"{what} has no plain address.")
    return address


def _web(said: Any, what: str) -> str:
    """An https address (http on this machine alone) of plain signs; no user, no fragment."""
    wrong = PublisherRejectedError(f"{what} has no address on the web.")
    if not isinstance(said, str) or len(said) > ADDRESS_MAX or not said.isascii():
        raise wrong
    if not said.isprintable() or set(said) & set(" \\\"'<>#@"):
        raise wrong
    try:
        there = urlsplit(said)
        _ = there.port
        httpx.URL(said)
    except (ValueError, httpx.InvalidURL):
        raise wrong from None
    local = there.scheme == "http" and there.hostname in LOOPBACK
    if not there.hostname or not (there.scheme == "https" or local):
        raise wrong
    return said


def _did(said: Any, whose: str) -> str:
    if not isinstance(said, str) or DID.fullmatch(said) is None:
        raise PublisherRejectedError(f"{_host(whose)} names nobody that can be asked about.")
    return said


def _told(answer: Answer, whose: str) -> dict[str, Any]:
    """The JSON object of a whole answer: of nothing else may anything be concluded."""
    if answer.is_unclear or answer.status == 429:
        raise NotSentError(f"{_host(whose)} does not answer just now: {answer.words}")
    if answer.status != 200 or not answer.said:
        raise PublisherRejectedError(f"{_host(whose)} does not say what we need: {answer.words}")
    return answer.said


def _host(address: str) -> str:
    return urlsplit(address).netloc
