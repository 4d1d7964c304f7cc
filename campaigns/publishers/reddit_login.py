"""Signing in at Reddit: somebody says there that the desk may speak from their account.

By Reddit's authorization code (github.com/reddit-archive/reddit/wiki/OAuth2): the person goes to
Reddit and comes back with a code, which buys a permanent refresh token. Whose it is, Reddit says,
not the person.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

from campaigns.publishers.exchange import Answer, exchange, why
from campaigns.publishers.reddit import API, LOGIN, SCOPES

DEADLINE = 15.0  # seconds for one exchange: somebody waits for the page
CODE = re.compile(r"[!-~]{1,500}")
TOKEN = re.compile(r"[!-~]{1,2000}")


class LoginFailedError(ValueError):
    """Nobody was signed in; the message says why and what to do."""


@dataclass(frozen=True)
class Granted:
    """Who signed in, by Reddit's word, and what opens their account for what."""

    user: str  # in small letters
    token: str = field(repr=False)  # the refresh token
    scopes: frozenset[str] = frozenset()


class RedditLogin:
    """Sends people to Reddit and takes what they bring back, as the client that it approved.

    ``login`` and ``api``: Reddit's two servers. ``deadline``: seconds for one exchange.
    """

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
        self._client = client_id, client_secret
        self._agent = {"User-Agent": user_agent}
        self._login, self._api = login, api
        self._deadline = deadline

    def address(self, state: str, back: str) -> str:
        """Where the person goes; Reddit sends them to ``back`` with ``state`` and a code."""
        asked = {
            "client_id": self._client[0],
            "response_type": "code",
            "state": state,
            "redirect_uri": back,
            "duration": "permanent",
            "scope": " ".join(SCOPES),
        }
        return f"{self._login}/api/v1/authorize?{urlencode(asked)}"

    def granted(self, code: str, back: str) -> Granted:
        """What the ``code`` buys, and whose it is. LoginFailedError."""
        if not CODE.fullmatch(code):
            raise LoginFailedError("Reddit sent no code. Please try once more.")
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
        said = self._asked("POST", f"{self._login}/api/v1/access_token", self._client, form).said
        access, refresh = said.get("access_token"), said.get("refresh_token")
        if not _is_token(access) or not _is_token(refresh):
            raise LoginFailedError("Reddit gave no permanent token. Please try once more.")
        who = self._asked("GET", f"{self._api}/api/v1/me", bearer=str(access)).said
        name, scope = who.get("name"), said.get("scope")
        if not isinstance(name, str) or not re.fullmatch(r"[\w-]{3,20}", name, re.ASCII):
            raise LoginFailedError("Reddit does not say who signed in. Please try once more.")
        scopes = re.split(r"[\s,]+", scope) if isinstance(scope, str) else []
        return Granted(name.lower(), str(refresh), frozenset(scopes))

    def give_back(self, token: str) -> bool:
        """End a refresh token that is not kept. Whether Reddit did; it never raises."""
        form = {"token": token, "token_type_hint": "refresh_token"}
        try:
            self._asked("POST", f"{self._login}/api/v1/revoke_token", self._client, form)
        except LoginFailedError:
            return False
        return True

    def _asked(
        self,
        verb: str,
        address: str,
        client: tuple[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        bearer: str = "",
    ) -> Answer:
        """One exchange that must succeed. LoginFailedError."""
        more: dict[str, Any] = {} if client is None else {"auth": client, "data": form}
        headers = self._agent | ({"Authorization": f"bearer {bearer}"} if bearer else {})
        try:
            answer = exchange(self._deadline, verb, address, headers=headers, **more)
        except httpx.TransportError as fault:
            raise LoginFailedError(f"Reddit cannot be reached ({why(fault)}).") from fault
        if answer.status == 401 and client is not None:
            raise LoginFailedError(f"Reddit does not accept the desk's own client: {answer.words}")
        if not answer.is_success or answer.error:
            raise LoginFailedError(f"Reddit did not sign anybody in: {answer.words}")
        return answer


def _is_token(said: Any) -> bool:
    return isinstance(said, str) and TOKEN.fullmatch(said) is not None
