"""Requests that prove who sends them: DPoP (RFC 9449), and only to addresses that were checked.

An access token alone opens nothing. Every request bears a proof, signed with the key to which the
token was given, over its verb, its address and a number (nonce) that the server gave last. A server
that wants a newer one refuses the request before it acts on it: only then is it sent once more.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from campaigns.publishers.exchange import Answer, Check, exchange

ALGORITHM = "ES256"  # the one that every server must know (atproto.com/specs/oauth)
CURVE = "P-256"
MARK = "oauth:"  # before a Pass, where an account's secret would be a password
NONCE_CHARS = 1000  # of what a server may have us repeat to it
SERVERS_MAX = 1000  # whose nonces are remembered

Key = dict[str, str]  # a private key as a JWK (RFC 7517)


@dataclass(frozen=True)
class Pass:
    """What opens an account that was signed in at its own server, for about an hour."""

    did: str
    service: str  # base URL of the server that holds the account
    token: str = field(repr=False)
    key: Key = field(repr=False)

    def packed(self) -> str:
        """The whole of it, as it is kept (encrypted) where a password would be."""
        return MARK + json.dumps(asdict(self))


def pass_of(secret: str | None) -> Pass | None:
    """The Pass that an account's secret is; None where it is a password."""
    if secret is None or not secret.startswith(MARK):
        return None
    return Pass(**json.loads(secret.removeprefix(MARK)))


def new_key() -> Key:
    """A key for one account, never used for another."""
    return private_jwk(ECKey.generate_key(CURVE))


def private_jwk(key: ECKey) -> Key:
    """The whole of a private key, to be encrypted and kept."""
    return {name: str(value) for name, value in key.as_dict(private=True).items()}


def read_key(key: Key) -> ECKey:
    """The key that a JWK describes."""
    return ECKey.import_key({**key})


def signed(key: Key, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """A JWT over ``claims``, with a number of its own so that it counts once."""
    whole = {"jti": secrets.token_urlsafe(16), **claims}
    return jwt.encode({"alg": ALGORITHM, **header}, whole, read_key(key))


class Line:
    """Asks servers, with proofs where it is given a key.

    ``clock`` dates the proofs: servers take none that is minutes old. ``check`` says to which IP
    numbers an address leads, or raises an exception whose words say why it must not be followed.
    """

    def __init__(self, clock: Callable[[], datetime], check: Check) -> None:
        self._clock = clock
        self._check = check
        self._nonces: dict[str, str] = {}  # by server: the newest that it gave

    @property
    def now(self) -> int:
        """Unix seconds."""
        return int(self._clock().timestamp())

    def get(self, deadline: float, url: str, **request: Any) -> Answer:
        """A plain GET. Raises as ``exchange`` does."""
        return exchange(deadline, "GET", url, check=self._check, **request)

    def ask(
        self,
        deadline: float,
        verb: str,
        url: str,
        key: Key,
        *,
        token: str = "",
        form: Callable[[], Mapping[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        **request: Any,
    ) -> Answer:
        """One request with its proof; two exchanges where the server wants a newer nonce.

        ``form`` makes the fields anew for each of them, for what may be said only once. Raises as
        ``exchange`` does.
        """
        there = urlsplit(url)
        server = f"{there.scheme}://{there.netloc}"
        bearer = {"Authorization": f"DPoP {token}"} if token else {}
        for again in (False, True):
            proof = self._proof(key, verb, url, self._nonces.get(server, ""), token)
            if form is not None:
                request["data"] = form()
            answer = exchange(
                deadline,
                verb,
                url,
                check=self._check,
                headers={**(headers or {}), **bearer, "DPoP": proof},
                **request,
            )
            newer = self._keep_nonce(server, answer)
            if again or not newer or not _wants_nonce(answer):
                break
        return answer

    def _proof(self, key: Key, verb: str, url: str, nonce: str, token: str) -> str:
        public = read_key(key).as_dict(private=False)
        claims: dict[str, Any] = {"htm": verb, "htu": url.partition("?")[0], "iat": self.now}
        if nonce:
            claims["nonce"] = nonce
        if token:
            claims["ath"] = sha256_text(token)
        return signed(key, {"typ": "dpop+jwt", "jwk": public}, claims)

    def _keep_nonce(self, server: str, answer: Answer) -> bool:
        nonce = answer.headers.get("dpop-nonce", "")
        if not (nonce.isascii() and nonce.isprintable() and 0 < len(nonce) <= NONCE_CHARS):
            return False
        if len(self._nonces) >= SERVERS_MAX:
            self._nonces.clear()  # each of them will say its own again
        self._nonces[server] = nonce
        return True


def sha256_text(text: str) -> str:
    """The SHA-256 of ASCII text as base64url, the way OAuth writes hashes."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _wants_nonce(answer: Answer) -> bool:
    """Said by a server that signs in with 400, and by one that holds accounts with 401."""
    said = answer.headers.get("www-authenticate", "")
    return answer.status in (400, 401) and (
        answer.error == "use_dpop_nonce" or 'error="use_dpop_nonce"' in said
    )
