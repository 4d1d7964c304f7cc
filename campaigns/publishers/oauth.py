"""Signing in to an account at its own server, by OAuth as the AT Protocol has it.

The server shows the person its own page, and the desk never sees a password. What is asked for is
the least that publishing needs. A request is pushed to the server first (PAR), its answer can only
be used by who asked (PKCE), and the tokens only with the account's key (DPoP).

A desk that the public reaches by https is known by the address of its metadata, and proves itself
with a key of its own. A desk on this machine alone is a client for development, without a key: its
sign-ins last two weeks at most (atproto.com/specs/oauth, "Clients").
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc.jwk import ECKey

from campaigns.publishers import NotSentError, PublisherRejectedError
from campaigns.publishers.dpop import (
    ALGORITHM,
    Key,
    Line,
    private_jwk,
    read_key,
    sha256_text,
    signed,
)
from campaigns.publishers.exchange import LOOPBACK, Answer, plain, why
from campaigns.publishers.identities import Directory, Home, Issuer

METADATA = "/oauth/client-metadata.json"
CALLBACK = "/oauth/callback"
# To write and delete posts, and to bring pictures. Servers from before such narrow scopes know only
# the wide one, which is asked for where the narrow one is refused.
SCOPES = ("atproto repo:app.bsky.feed.post blob:image/*", "atproto transition:generic")
ASKING = 15.0  # seconds for one exchange
ASSERTION_LIFE = 60  # seconds; the protocol's servers take none that is older
LOCAL_LIFE = timedelta(days=14)  # of all a client without a key is given (atproto.com/specs/oauth)
TOKEN = range(1, 20_000)  # characters of one
SECONDS_MAX = 24 * 3600  # that an access token is believed to last
SECONDS_UNSAID = 300  # what is believed of one whose server does not say
BY_JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523


class SpentError(PublisherRejectedError):
    """The server says that a code or a refresh token counts no more."""


@dataclass(frozen=True)
class Client:
    """As whom the desk asks; ``key`` is None on this machine alone."""

    client_id: str
    redirect_uri: str
    key: Key | None = field(repr=False)

    @property
    def life(self) -> timedelta | None:
        """How long a sign-in lasts at most; None: as long as it is used."""
        return LOCAL_LIFE if self.key is None else None


@dataclass(frozen=True)
class Tokens:
    """What a server gives: for whom, for what, and for how many seconds."""

    sub: str
    scope: str
    lasts: int
    access: str = field(repr=False)
    refresh: str = field(repr=False)


def client_at(address: str, seed: bytes) -> Client | None:
    """The client that a desk at ``address`` is; None where no server could ask it who it is.

    ``seed``: 32 secret bytes, of which the desk's own key is made; the same ones for ever.
    """
    there = urlsplit(address)
    host = there.hostname or ""
    if there.scheme == "http" and host in LOOPBACK:
        # A name may mean another machine; the protocol wants the number.
        number = "[::1]" if host == "::1" else "127.0.0.1"
        back = f"http://{number}:{there.port or 80}{CALLBACK}"
        named = urlencode({"redirect_uri": back, "scope": _every_scope()})
        return Client(f"http://localhost?{named}", back, None)
    if there.scheme != "https" or "." not in host or _is_number(host):
        return None
    return Client(f"{address}{METADATA}", f"{address}{CALLBACK}", _key_of(seed))


def metadata(client: Client, organisation: str) -> dict[str, Any]:
    """What the desk says of itself under its ``client_id``, for servers to read."""
    if client.key is None:
        raise ValueError("A client for development has no metadata.")
    public = read_key(client.key).as_dict(private=False)
    return {
        "client_id": client.client_id,
        "client_name": organisation,
        "client_uri": client.client_id.removesuffix(METADATA),
        "application_type": "web",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "redirect_uris": [client.redirect_uri],
        "scope": _every_scope(),
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": ALGORITHM,
        "dpop_bound_access_tokens": True,
        "jwks": {"keys": [{**public, "kid": _name_of(client.key), "use": "sig", "alg": ALGORITHM}]},
    }


class OAuth:
    """Speaks with the servers where accounts are signed in.

    What goes wrong is a PublisherRejectedError (for good) or a NotSentError (for now); the message
    is a sentence for a person.
    """

    def __init__(self, client: Client, line: Line, directory: Directory) -> None:
        self.client = client
        self.directory = directory
        self.line = line

    def ask(
        self, home: Home, issuer: Issuer, *, key: Key, state: str, verifier: str
    ) -> tuple[str, str]:
        """Push a request; answers the address where the person decides, and the scope asked for."""
        for scope in SCOPES:
            fields = {
                "response_type": "code",
                "code_challenge": sha256_text(verifier),
                "code_challenge_method": "S256",
                "redirect_uri": self.client.redirect_uri,
                "login_hint": home.handle,
                "state": state,
                "scope": scope,
            }
            answer = self._post(issuer, issuer.pushed, key, fields)
            if answer.error != "invalid_scope":
                break
        pushed = answer.said.get("request_uri")
        if not answer.is_success or not isinstance(pushed, str):
            raise PublisherRejectedError(f"{issuer.issuer} refuses to ask: {_words(answer)}")
        where = urlencode({"client_id": self.client.client_id, "request_uri": pushed})
        return f"{issuer.authorize}{'&' if '?' in issuer.authorize else '?'}{where}", scope

    def take(self, issuer_name: str, *, code: str, verifier: str, key: Key) -> Tokens:
        """The tokens for a code, which counts once."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": self.client.redirect_uri,
        }
        return self._tokens(issuer_name, key, fields)

    def renew(self, issuer_name: str, *, refresh: str, key: Key) -> Tokens:
        """New tokens for a refresh token, which counts once.

        Only a SpentError is a reason to throw the old one away: a server says many things while it
        is being mended.
        """
        return self._tokens(
            issuer_name, key, {"grant_type": "refresh_token", "refresh_token": refresh}
        )

    def take_back(self, issuer_name: str, *, token: str, key: Key) -> None:
        """Tell the server that a token shall count no more, and with it the whole sign-in."""
        issuer = self.directory.issuer(issuer_name)
        if issuer.revoke is None:
            raise PublisherRejectedError(f"{issuer_name} has no way to take a sign-in back.")
        answer = self._post(issuer, issuer.revoke, key, {"token": token})
        if not answer.is_success:
            raise PublisherRejectedError(f"{issuer_name} does not take it back: {_words(answer)}")

    def _tokens(self, issuer_name: str, key: Key, fields: Mapping[str, str]) -> Tokens:
        issuer = self.directory.issuer(issuer_name)
        answer = self._post(issuer, issuer.token, key, fields)
        if answer.error == "invalid_grant":
            raise SpentError(f"{issuer_name} says: {_words(answer)}")
        if not answer.is_success:
            raise NotSentError(f"{issuer_name} gives nothing: {_words(answer)}")
        return tokens_in(answer.said, issuer_name)

    def _post(self, issuer: Issuer, url: str, key: Key, fields: Mapping[str, str]) -> Answer:
        def form() -> dict[str, str]:
            return {**fields, "client_id": self.client.client_id, **self._proved(issuer)}

        try:
            answer = self.line.ask(ASKING, "POST", url, key, form=form)
        except httpx.TransportError as fault:
            raise NotSentError(f"{issuer.issuer} cannot be asked ({why(fault)}).") from fault
        if answer.is_unclear or answer.status == 429:
            raise NotSentError(f"{issuer.issuer} does not answer just now: {answer.words}")
        return answer

    def _proved(self, issuer: Issuer) -> dict[str, str]:
        """What shows that it is this desk that asks, made anew for each request."""
        if self.client.key is None:
            return {}
        now = self.line.now
        claims = {
            "iss": self.client.client_id,
            "sub": self.client.client_id,
            "aud": issuer.issuer,
            "iat": now,
            "exp": now + ASSERTION_LIFE,
        }
        proof = signed(self.client.key, {"kid": _name_of(self.client.key)}, claims)
        return {"client_assertion_type": BY_JWT, "client_assertion": proof}


def tokens_in(said: Mapping[str, Any], issuer_name: str) -> Tokens:
    """The tokens that a server's answer holds; PublisherRejectedError where any is missing."""
    texts = [said.get(name) for name in ("sub", "scope", "access_token", "refresh_token")]
    lasts = said.get("expires_in")
    if str(said.get("token_type")).lower() != "dpop" or not all(map(_is_token, texts)):
        raise PublisherRejectedError(f"{issuer_name} gives no tokens that are bound to a key.")
    sub, scope, access, refresh = map(str, texts)
    known = lasts if type(lasts) is int and lasts > 0 else SECONDS_UNSAID
    return Tokens(sub, scope, min(known, SECONDS_MAX), access, refresh)


def covers(granted: str, asked: str) -> bool:
    """Whether all that was asked for is among what was granted."""
    return set(asked.split()) <= set(granted.split())


def _every_scope() -> str:
    """Of all SCOPES, each once and in their order."""
    return " ".join(dict.fromkeys(part for scope in SCOPES for part in scope.split()))


def _words(answer: Answer) -> str:
    told = answer.said.get("error_description")
    return plain(told) if isinstance(told, str) else answer.words


def _is_token(said: Any) -> bool:
    return isinstance(said, str) and said.isascii() and said.isprintable() and len(said) in TOKEN


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _key_of(seed: bytes) -> Key:
    """A P-256 key from a seed, by more bits than it has: each is as likely (FIPS 186-5, A.2)."""
    wide = HKDF(algorithm=SHA256(), length=48, salt=None, info=b"P-256").derive(seed)
    curve = ec.SECP256R1()
    number = int.from_bytes(wide, "big") % (curve.group_order - 1) + 1
    return private_jwk(ECKey.import_key(ec.derive_private_key(number, curve)))


def _name_of(key: Key) -> str:
    """The key's fingerprint (RFC 7638): another key has another name."""
    return read_key(key).thumbprint()
