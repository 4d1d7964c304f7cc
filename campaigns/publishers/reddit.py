"""Reddit: a text under a title, in the one subreddit its voice speaks in, never sent twice.

Reddit knows no idempotency key. After a doubt the account's own newest submissions are read: what
stands there since the mark is out. What does not may have been deleted by its voice, so that it is
left to a person and never sent again by itself.

PRAW is not used here: it repeats every call of which it saw no good end (prawcore's
FiniteRetryStrategy), sleeps when it is told to slow down, and a server that drips holds it for
ever. One call here is one request with an end.
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx

from campaigns.publishers import (
    InDoubtError,
    NotSentError,
    Parcel,
    PublisherRejectedError,
    Receipt,
)
from campaigns.publishers.exchange import NEVER_LEFT, Answer, exchange, plain, why

LOGIN = "https://www.reddit.com"  # where tokens are made, and submissions are read by people
API = "https://oauth.reddit.com"
DEADLINE = 30.0  # seconds for one whole exchange
# Of one claim: to find (a token, who, a list), to mark (a list), each with a new token once more.
EXCHANGES_MAX = 12
SCOPES = ("identity", "submit", "read", "history", "edit")  # that a voice's token should have
PAGE = 100  # submissions at once: Reddit gives no more
CLOCK_SKEW = timedelta(minutes=5)  # between Reddit's clock and ours, where no mark helps
RATE_LIMIT_WAIT = 600.0  # seconds when a 429 does not say: the window of Reddit's allowance
TAKEN_AWAY = "[removed]"  # what stands in the place of a text that moderators removed

CLOSED = {  # "reason" of a 403 or 404
    "private": "is private, and this account is no member",
    "banned": "was closed by Reddit",
    "quarantined": "is quarantined by Reddit",
    "gold_only": "is open to paying members only",
}
UNITS = {"millisecond": 0.001, "second": 1.0, "minute": 60.0, "hour": 3600.0}
_WAIT = re.compile(r"(\d{1,4}) (millisecond|second|minute|hour)s?")
NAME = re.compile(r"t3_([0-9a-z]{1,13})")


class RedditPublisher:
    """Submits for accounts by the desk's own client, with a refresh token of each account.

    ``client_id``, ``client_secret`` and ``user_agent`` are those of the client that Reddit has
    approved. ``Parcel.secret``: a permanent refresh token with the scopes identity, history and
    submit; to look after what is out it has read and edit besides (SCOPES). ``login`` and ``api``:
    Reddit's two servers. ``deadline``: seconds after which an exchange is given up.
    """

    repeatable = False  # Reddit knows no key: a second call is a second submission

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
        self._tokens: dict[tuple[str, str], str] = {}  # by user and refresh token

    def mark(self, parcel: Parcel) -> str:
        """When the account's newest submission was made, in unix seconds of Reddit's own clock."""
        try:
            newest = max((_made(one) for one in self._newest(parcel)), default=0.0)
        except httpx.TransportError as fault:
            raise NotSentError(f"Reddit cannot be asked ({why(fault)}).") from fault
        except InDoubtError as fault:
            raise NotSentError(str(fault)) from fault
        return repr(newest)

    def publish(self, parcel: Parcel) -> Receipt:
        """Submit it, once; answers where it stands. It may wait there for the moderators."""
        place = f"r/{parcel.record['subreddit']}"
        form = {
            "sr": parcel.record["subreddit"],
            "kind": "self",
            "title": parcel.record["title"],
            "text": parcel.record["text"],
            "sendreplies": "true",  # the voice shall see who answers
            "validate_on_submit": "true",  # the rules of the place are told as errors
            "api_type": "json",
        }
        try:
            answer = self._ask(parcel, "POST", "/api/submit", data=form)
        except NEVER_LEFT as fault:
            raise NotSentError(f"Reddit cannot be reached ({why(fault)}).") from fault
        except httpx.TransportError as fault:
            raise InDoubtError(f"Reddit broke off ({why(fault)}).") from fault
        if answer.is_unclear:
            raise InDoubtError(f"Reddit failed: {answer.words}")
        if not answer.is_success:
            raise PublisherRejectedError(_closed(place, answer))
        said = answer.said.get("json")
        said = said if isinstance(said, dict) else {}
        if said.get("errors"):
            _refused(place, said)
        return self._receipt(said.get("data"))

    def find(self, parcel: Parcel) -> Receipt | None:
        """Ours among the account's submissions since the mark. It never says a certain no."""
        try:
            page = self._newest(parcel)
        except httpx.TransportError as fault:
            raise InDoubtError(f"Reddit cannot be asked ({why(fault)}).") from fault
        since = _since(parcel)
        recent = [one for one in page if _made(one) > since]
        for one in recent:
            if _is_ours(parcel, one):
                return self._receipt(one)
        if len(recent) == PAGE:
            raise InDoubtError(
                f"u/{parcel.record['user']} has submitted too much since to find it."
            )
        raise InDoubtError(
            f"The submission is not among those of u/{parcel.record['user']} now; it may have "
            "arrived and been deleted."
        )

    def _newest(self, parcel: Parcel) -> Sequence[Mapping[str, Any]]:
        """The account's newest submissions anywhere on Reddit.

        Raises httpx.TransportError, InDoubtError, or what ``_ask`` raises.
        """
        path = f"/user/{parcel.record['user']}/submitted"
        query = {"sort": "new", "limit": str(PAGE), "raw_json": "1"}
        answer = self._ask(parcel, "GET", path, params=query)
        listing = answer.said.get("data")
        children = listing.get("children") if isinstance(listing, dict) else None
        if not answer.is_success or not isinstance(children, list):
            raise InDoubtError(f"Reddit does not say what it has: {answer.words}")
        found = [child.get("data") if isinstance(child, dict) else None for child in children]
        told = [one for one in found if isinstance(one, dict)]
        if len(told) < len(found):
            raise InDoubtError("Reddit does not say what it has.")
        return told

    def _ask(self, parcel: Parcel, verb: str, path: str, **more: Any) -> Answer:
        """One call as the account; with a new token once more where the old one was not let in.

        Raises httpx.TransportError, NotSentError, also at a 429, or PublisherRejectedError.
        """
        for again in (False, True):
            bearer = {"Authorization": f"bearer {self._token(parcel)}", **self._agent}
            answer = exchange(self._deadline, verb, self._api + path, headers=bearer, **more)
            if answer.status != 401:
                break
            self._tokens.pop(_account(parcel), None)
            if again:
                raise _connect_again(parcel, answer)
        if answer.status == 429:
            raise _slow_down(answer)
        return answer

    def _token(self, parcel: Parcel) -> str:
        """An access token of the account, once Reddit has said that it is this account's.

        Nothing was sent when this raises NotSentError or PublisherRejectedError.
        """
        if _account(parcel) in self._tokens:
            return self._tokens[_account(parcel)]
        form = {"grant_type": "refresh_token", "refresh_token": parcel.secret or ""}
        address = f"{self._login}/api/v1/access_token"
        answer = self._signing_in("POST", address, self._agent, auth=self._client, data=form)
        if answer.status == 401:  # the desk's own access, and no fault of this account's
            raise NotSentError(f"Reddit does not accept the desk's own client: {answer.words}")
        token = answer.said.get("access_token")
        if (
            not answer.is_success
            or not isinstance(token, str)
            or not re.fullmatch(r"[!-~]+", token)
        ):
            raise _connect_again(parcel, answer)
        bearer = {"Authorization": f"bearer {token}", **self._agent}
        who = self._signing_in("GET", f"{self._api}/api/v1/me", bearer)
        name = who.said.get("name")
        if not who.is_success or not isinstance(name, str):
            raise _connect_again(parcel, who)
        if name.lower() != parcel.record["user"]:
            raise PublisherRejectedError(
                f"The refresh token belongs to another account than u/{parcel.record['user']}: "
                "nothing was sent. Connect the account again with its own token."
            )
        if who.said.get("is_suspended"):
            raise PublisherRejectedError(f"Reddit has suspended u/{parcel.record['user']}.")
        self._tokens[_account(parcel)] = token
        return token

    def _signing_in(
        self, verb: str, address: str, headers: Mapping[str, str], **more: Any
    ) -> Answer:
        """One exchange before anything is sent: whatever fails here, nothing was."""
        try:
            answer = exchange(self._deadline, verb, address, headers=dict(headers), **more)
        except httpx.TransportError as fault:
            raise NotSentError(f"Reddit cannot be reached ({why(fault)}).") from fault
        if answer.status == 429:
            raise _slow_down(answer)
        if answer.is_unclear:
            raise NotSentError(f"Reddit failed at sign-in: {answer.words}")
        return answer

    def _receipt(self, submission: Any) -> Receipt:
        """Under the name that the collectors have for it too."""
        name = submission.get("name") if isinstance(submission, dict) else None
        found = NAME.fullmatch(name) if isinstance(name, str) else None
        if found is None:
            raise InDoubtError("Reddit took the submission but gave no name.")
        return Receipt(f"reddit:{name}", f"{self._login}/comments/{found[1]}/")


def _account(parcel: Parcel) -> tuple[str, str]:
    return parcel.record["user"], parcel.secret or ""


def _since(parcel: Parcel) -> float:
    """After when ours can have been made, in unix seconds: the mark, else the due time."""
    if parcel.mark:
        return float(parcel.mark)
    return (datetime.fromisoformat(parcel.record["send_at"]) - CLOCK_SKEW).timestamp()


def _made(submission: Mapping[str, Any]) -> float:
    made = submission.get("created_utc")
    if isinstance(made, bool) or not isinstance(made, int | float) or not math.isfinite(made):
        raise InDoubtError("Reddit does not say what it has.")
    return float(made)


def _is_ours(parcel: Parcel, submission: Mapping[str, Any]) -> bool:
    """The same words in the same place, though moderators may have taken the text away."""
    text = submission.get("selftext")
    return (
        str(submission.get("subreddit", "")).lower() == parcel.record["subreddit"]
        and squeezed(submission.get("title")) == squeezed(parcel.record["title"])
        and (text == TAKEN_AWAY or squeezed(text) == squeezed(parcel.record["text"]))
    )


def squeezed(words: Any) -> str:
    return "".join(str(words).split())  # Reddit takes blanks at the ends away


def _closed(place: str, answer: Answer) -> str:
    """Why a place takes nothing from this account, as a sentence."""
    reason = answer.said.get("reason")
    if isinstance(reason, str) and reason in CLOSED:
        return f"{place} {CLOSED[reason]}."
    if answer.status == 403:
        return f"{place} does not let this account submit: {answer.words}"
    if answer.status in (301, 302, 404):
        return f"{place} does not exist."
    return f"{place} refuses the submission: {answer.words}"


def _refused(place: str, said: Mapping[str, Any]) -> None:
    """Raises what the errors in an answer mean: ([code, words, field], ...); nothing was made."""
    errors = said["errors"]
    first = errors[0] if isinstance(errors, list) else None
    if not isinstance(first, list) or len(first) < 2:
        raise InDoubtError("Reddit answers something that we do not understand.")
    words = plain(str(first[1]))
    if first[0] == "RATELIMIT":
        raise NotSentError(f"Reddit asks us to slow down: {words}", _told_to_wait(said, words))
    raise PublisherRejectedError(f"{place} refuses the submission: {words}")


def _told_to_wait(said: Mapping[str, Any], words: str) -> float:
    """Seconds, as a number beside the errors or in the words of one ("... for 9 minutes ...")."""
    told = said.get("ratelimit")
    if isinstance(told, int | float) and math.isfinite(told) and told > 0:
        return float(told)
    found = _WAIT.search(words)
    return int(found[1]) * UNITS[found[2]] if found else RATE_LIMIT_WAIT


def _slow_down(answer: Answer) -> NotSentError:
    """Of a 429: its headers say seconds, and no moment as elsewhere."""
    for header in ("retry-after", "x-ratelimit-reset"):
        told = answer.headers.get(header, "")
        if re.fullmatch(r"\d{1,6}(\.\d+)?", told):
            return NotSentError("Reddit asks us to slow down.", retry_in=float(told))
    return NotSentError("Reddit asks us to slow down.", retry_in=RATE_LIMIT_WAIT)


def _connect_again(parcel: Parcel, answer: Answer) -> PublisherRejectedError:
    return PublisherRejectedError(
        f"Reddit does not let u/{parcel.record['user']} in: {answer.words} "
        "Connect the account again with a new refresh token."
    )
