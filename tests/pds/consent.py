"""A person at the test server's own sign-in page, by the calls which that page makes."""

import json
import secrets
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from campaigns.publishers.dpop import Line, Pass, new_key
from campaigns.publishers.identities import Directory
from campaigns.publishers.oauth import OAuth, client_at
from sources.addresses import check_public
from tests.pds.server import Account, Pds

SEED = b"s" * 32
CALLS = "/@atproto/oauth-provider/~api"
PAGE = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
CALL = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "same-origin", "sec-fetch-dest": "empty"}


def loopback_line() -> Line:
    """How servers on this machine are asked."""
    return Line(lambda: datetime.now(UTC), partial(check_public, private=True))


def loopback_desk(pds: Pds) -> OAuth:
    """A desk on this machine, as servers know it; nobody need answer at its address."""
    client, line = client_at("http://localhost:8000", SEED), loopback_line()
    assert client is not None
    return OAuth(client, line, Directory(line, pds.url, pds.plc_url))


def opened_by_its_owner(pds: Pds, account: Account) -> str:
    """What opens the account for an hour, because its owner said yes at the server: packed."""
    oauth, key, verifier = loopback_desk(pds), new_key(), secrets.token_urlsafe(32)
    home = oauth.directory.home(account.handle)
    issuer = oauth.directory.issuer_of(home)
    there, _ = oauth.ask(home, issuer, key=key, state="state", verifier=verifier)
    owner = Person(pds, account)
    back = urlsplit(owner.decides(there))
    owner.close()
    code = dict(parse_qsl(back.query))["code"]
    tokens = oauth.take(issuer.issuer, code=code, verifier=verifier, key=key)
    return Pass(home.did, home.service, tokens.access, key).packed()


class Person:
    """Somebody who owns ``account`` on the server, with a browser of their own."""

    def __init__(self, pds: Pds, account: Account) -> None:
        self._account = account
        self._http = httpx.Client(base_url=pds.url, timeout=30)
        self._origin = pds.url

    def decides(self, there: str, yes: bool = True) -> str:
        """Opens the page that the desk led to and says yes or no; answers the address back."""
        self._open(there, "cross-site")
        token = self._sign_in(there)
        if yes:
            said = self._call("/consent", there, {"sub": self._account.did}, token)
        else:
            said = self._call("/reject", there, {}, token)
        back = dict(parse_qsl(urlsplit(said["url"]).query))
        address = back.pop("redirect_uri")
        del back["redirect_mode"]
        return f"{address}?{urlencode(back)}"

    def sessions(self) -> list[dict[str, Any]]:
        """The apps that were let in, as the page of the account lists them."""
        page, token = self._at_home()
        return list(self._call("/oauth-sessions", page, {"sub": self._account.did}, token, "GET"))

    def takes_back(self) -> None:
        """Shuts out every app that was let in, on the page of the account."""
        for one in self.sessions():
            page, token = self._at_home()
            names = {"sub": self._account.did, "tokenId": one["tokenId"]}
            self._call("/revoke-oauth-session", page, names, token)

    def close(self) -> None:
        self._http.close()

    def _at_home(self) -> tuple[str, str | None]:
        page = f"{self._origin}/account"
        self._open(page, "none")
        return page, self._sign_in(page)

    def _open(self, page: str, coming_from: str) -> None:
        headers = PAGE | {"sec-fetch-site": coming_from, "cookie": self._cookies()}
        self._http.get(page, headers=headers).raise_for_status()

    def _cookies(self) -> str:
        """They are for https alone, but a browser takes this machine's own name for safe too."""
        return "; ".join(f"{one.name}={one.value}" for one in self._http.cookies.jar)

    def _sign_in(self, page: str) -> str | None:
        who = {"username": self._account.handle, "password": self._account.password}
        token: str | None = self._call("/sign-in", page, {"locale": "en", **who}).get(
            "ephemeralToken"
        )
        return token

    def _call(
        self,
        name: str,
        page: str,
        words: dict[str, Any],
        token: str | None = None,
        verb: str = "POST",
    ) -> Any:
        headers = {
            **CALL,
            "origin": self._origin,
            "referer": page,
            "cookie": self._cookies(),
            "x-csrf-token": self._http.cookies["csrf-token"],
        }
        if token:
            headers["authorization"] = f"Bearer {token}"
        sent: dict[str, Any] = {"params": words} if verb == "GET" else {"json": words}
        answer = self._http.request(verb, f"{CALLS}{name}", headers=headers, **sent)
        assert answer.is_success, f"{name}: {answer.status_code} {answer.text}"
        return json.loads(answer.content)
