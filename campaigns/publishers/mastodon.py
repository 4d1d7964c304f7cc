"""Mastodon and servers that speak like it: a status exactly once, though the server forgets.

Every attempt carries the same Idempotency-Key. Mastodon remembers it for an hour
(app/services/post_status_service.rb): a repeat within it answers the status that stands, or 404
when its voice has deleted it meanwhile. After that hour, and on servers that never heard of the
key, only reading the account helps, and what is not there may have been deleted: a person looks.
"""

import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from difflib import SequenceMatcher
from email.utils import parsedate_to_datetime
from functools import partial
from html.parser import HTMLParser
from typing import Any

import httpx

from campaigns.publishers import (
    InDoubtError,
    NotSentError,
    Parcel,
    PublisherRejectedError,
    Receipt,
)
from campaigns.publishers.exchange import NEVER_LEFT, Answer, Check, exchange, page_address, why
from campaigns.wording.lengths import SAYS_NOTHING, ServerSays

DEADLINE = 45.0  # seconds for one whole exchange
PAGE = 40  # statuses at once: Mastodon gives no more
PAGES_MAX = 2  # more than these since the first attempt, and a person looks
SOURCES_MAX = 2  # statuses whose own words are asked for, where the server's HTML is not ours
EXCHANGES_MAX = 9  # of one delivery: who, two pages, two sources, which server; mark; who, post
UPLOAD = 25.0  # seconds for the upload of one picture, of at most four
# Seconds for one look at a picture in the making, seconds between, looks for all of them together.
POLL, POLL_REST, POLLS_MAX = 5.0, 1.0, 6
KEY_TRUST = timedelta(minutes=20)  # of the hour; the rest is for the wait until the next try
CLOCK_SKEW = timedelta(minutes=5)  # between their clock and ours, where no mark helps
HTML_MAX = 50_000  # characters of one status that are read
ALIKE = 0.6  # share of equal words and signs from which two texts may be one, in other markup
READING = 15.0  # seconds for one question about the server itself
# What a server may say of itself: more is not believed.
CHARACTERS_MAX, LINK_MAX, PICTURES_MAX, NUMBER_MAX = 1_000_000, 2_000, 100, 2**31 - 1
RATE_LIMIT_WAIT = 300.0  # seconds when a 429 does not say: the window of 300 requests per account

ITSELF = re.compile(r"[3-9]\.\d+\.\d+[-+.\w]*")  # "4.5.2+glitch"; "2.7 (compatible; Pleroma)" not


def record(part: Mapping[str, Any], send_at: datetime) -> dict[str, Any]:
    """The complete status of one part: the same for the same part and time, always.

    ``part`` holds ``text`` and may hold ``language`` (ISO 639-1) and ``images`` as in
    models.MessageVersion. ``send_at`` (UTC) is not sent: it bounds the search for a status that
    may be out.
    """
    status = {
        "status": part["text"],
        "visibility": "public",
        "language": part.get("language", "en"),
        "send_at": send_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
    if part.get("images"):
        status["images"] = [
            {key: image[key] for key in ("sha256", "type", "alt")} for image in part["images"]
        ]
    return status


class MastodonPublisher:
    """Publishes statuses with an access token of the account (``Parcel.secret``).

    The token needs the scopes ``profile`` (or ``read:accounts``), ``read:statuses``,
    ``write:statuses`` and, for pictures, ``write:media``. ``deadline``: seconds after which an
    exchange is given up.
    """

    repeatable = False  # the server forgets the key after an hour, and some never heard of it

    def __init__(self, deadline: float = DEADLINE, check: Check | None = None) -> None:
        self._deadline = deadline
        self._exchange = partial(exchange, check=check)  # with servers that somebody names

    def limits(self, service: str) -> ServerSays:
        """What the server at ``service`` says it takes. Sends nothing of ours, and no token.

        Pleroma and servers like it say some of it beside the configuration. NotSentError where it
        cannot be asked, or says nothing of the kind.
        """
        found, wait = SAYS_NOTHING, 0.0
        fault = f"{service} does not say what it takes."
        for version in ("v2", "v1"):  # the first since Mastodon 4.0
            try:
                answer = self._exchange(READING, "GET", f"{service}/api/{version}/instance")
            except httpx.TransportError as broken:
                raise NotSentError(f"{service} cannot be asked ({why(broken)}).") from broken
            if answer.status == 429:
                wait = answer.wait("x-ratelimit-reset", RATE_LIMIT_WAIT)
                fault = f"{service} asks us to slow down."
            if answer.is_success:
                newer, older = vars(found), vars(_says(answer.said))
                found = ServerSays(
                    **{name: older[name] if newer[name] is None else newer[name] for name in newer}
                )
            if found.characters_max is not None:
                break
        if found == SAYS_NOTHING:
            raise NotSentError(fault, retry_in=wait)
        return found

    def mark(self, parcel: Parcel) -> str:
        """The time on the server's own clock, once it has let us in; "" when it tells none."""
        try:
            answer = self._who(parcel)
        except httpx.TransportError as fault:
            raise NotSentError(f"{parcel.service} cannot be asked ({why(fault)}).") from fault
        told = _told_at(answer)
        return "" if told is None else told.isoformat()

    def publish(self, parcel: Parcel) -> Receipt:
        """Post it under its key; answers its address, new or already there."""
        try:
            self._who(parcel)
        except httpx.TransportError as fault:
            raise NotSentError(f"{parcel.service} cannot be reached ({why(fault)}).") from fault
        headers = {"Idempotency-Key": parcel.record_key}
        body = _body(parcel)
        if parcel.images:
            body["media_ids"] = self._uploaded(parcel)
        try:
            answer = self._ask(parcel, "POST", "/api/v1/statuses", headers, json=body)
        except NEVER_LEFT as fault:
            raise NotSentError(f"{parcel.service} cannot be reached ({why(fault)}).") from fault
        except httpx.TransportError as fault:
            raise InDoubtError(f"{parcel.service} broke off ({why(fault)}).") from fault
        if answer.is_unclear:
            raise InDoubtError(f"{parcel.service} failed: {answer.words}")
        if answer.status == 404:  # the key is known, and what it stood for is not there any more
            raise PublisherRejectedError(
                f"The post was in @{parcel.handle}'s account and is gone: it stays deleted."
            )
        if not answer.is_success:
            raise PublisherRejectedError(f"{parcel.service} refuses the post: {answer.words}")
        return _receipt(parcel, answer.said)

    def _uploaded(self, parcel: Parcel) -> list[str]:
        """The server's ids of the pictures, each with its alt text. Nobody sees them yet.

        Raises NotSentError or PublisherRejectedError: without them nothing is posted.
        """
        ids = []
        waits = POLLS_MAX
        for data, image in zip(parcel.images, parcel.record["images"], strict=True):
            file = {"file": (f"picture.{image['type'].partition('/')[2]}", data, image["type"])}
            upload = {"files": file, "data": {"description": image["alt"]}}
            try:
                answer = self._ask(parcel, "POST", "/api/v2/media", deadline=UPLOAD, **upload)
                number = answer.said.get("id")
                while answer.is_success and answer.said.get("url") is None and waits:
                    waits -= 1
                    time.sleep(POLL_REST)
                    answer = self._ask(parcel, "GET", f"/api/v1/media/{number}", deadline=POLL)
            except httpx.TransportError as fault:
                raise NotSentError(f"{parcel.service} took no picture ({why(fault)}).") from fault
            if answer.is_unclear or (answer.is_success and answer.said.get("url") is None):
                raise NotSentError(f"{parcel.service} is not done with the picture yet.")
            if not answer.is_success or not _is_id(number):
                raise PublisherRejectedError(
                    f"{parcel.service} refuses the picture: {answer.words}"
                )
            ids.append(str(number))
        return ids

    def find(self, parcel: Parcel) -> Receipt | None:
        """Our words among the account's statuses since the mark; None: a repeat is harmless.

        That is so while the server remembers the key. InDoubtError says why nobody can tell.
        """
        try:
            who = self._who(parcel)
            found = self._found(parcel, str(who.said["id"]))
            if found is not None:
                return found
            knows_keys = _is_fresh(parcel, who) and self._is_mastodon(parcel)
        except httpx.TransportError as fault:
            raise InDoubtError(f"{parcel.service} cannot be asked ({why(fault)}).") from fault
        if not knows_keys:
            raise InDoubtError(
                f"The post is not in @{parcel.handle}'s account now; it may have arrived and been "
                "deleted."
            )
        return None

    def _who(self, parcel: Parcel) -> Answer:
        """The account behind the token, which must be the parcel's own. Nothing is sent.

        Raises httpx.TransportError, PublisherRejectedError or NotSentError.
        """
        answer = self._ask(parcel, "GET", "/api/v1/accounts/verify_credentials")
        if answer.status in (401, 403):
            raise PublisherRejectedError(
                f"{parcel.service} does not let @{parcel.handle} in: {answer.words} "
                "Connect the account again with a new access token."
            )
        if answer.is_unclear:
            raise NotSentError(f"{parcel.service} failed at sign-in: {answer.words}")
        name = answer.said.get("username")
        if not answer.is_success or not isinstance(name, str) or not _is_id(answer.said.get("id")):
            raise PublisherRejectedError(f"{parcel.service} is not a Mastodon server.")
        if name.lower() != parcel.handle.lower().partition("@")[0]:
            raise PublisherRejectedError(
                f"The access token belongs to another account than @{parcel.handle}: nothing was "
                "sent. Connect the account again with its own token."
            )
        return answer

    def _found(self, parcel: Parcel, account: str) -> Receipt | None:
        """Our status, if it stands there. InDoubtError when there is too much to look through."""
        ours = _body(parcel)["status"]
        others = []
        for status in self._since(parcel, account):
            theirs = _words(str(status.get("content", ""))[:HTML_MAX])
            if _squeezed(theirs) == _squeezed(ours):
                return _receipt(parcel, status)
            alike = SequenceMatcher(None, theirs, ours)
            if alike.real_quick_ratio() >= ALIKE and alike.ratio() >= ALIKE:
                others.append(status)
        for status in others[:SOURCES_MAX]:
            answer = self._ask(parcel, "GET", f"/api/v1/statuses/{status['id']}/source")
            if answer.is_success and answer.said.get("text") == ours:
                return _receipt(parcel, status)
        if len(others) > SOURCES_MAX:
            raise InDoubtError(f"@{parcel.handle} has posted much that resembles this post.")
        return None

    def _since(self, parcel: Parcel, account: str) -> Iterator[dict[str, Any]]:
        """The account's statuses since the first attempt, newest first."""
        since = _since(parcel)
        before: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            params = {"limit": str(PAGE), "exclude_reblogs": "true"} | before
            answer = self._ask(parcel, "GET", f"/api/v1/accounts/{account}/statuses", params=params)
            page = answer.json
            if not answer.is_success or not isinstance(page, list):
                raise InDoubtError(f"{parcel.service} does not say what it has: {answer.words}")
            recent = []
            for status in page:
                moment = _moment(status.get("created_at")) if isinstance(status, dict) else None
                if moment is None or not _is_id(status.get("id")):
                    raise InDoubtError(f"{parcel.service} does not say what it has.")
                recent += [status] if moment >= since else []
            yield from recent
            if not recent:  # not at the first older one: an imported status may stand anywhere
                return
            before = {"max_id": recent[-1]["id"]}
        raise InDoubtError(f"@{parcel.handle} has posted too much since to find it.")

    def _is_mastodon(self, parcel: Parcel) -> bool:
        """Whether the server is Mastodon itself, which keeps the promise of the key."""
        version = self._exchange(self._deadline, "GET", f"{parcel.service}/api/v1/instance").said
        return ITSELF.fullmatch(str(version.get("version", ""))) is not None

    def _ask(
        self,
        parcel: Parcel,
        verb: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        deadline: float = DEADLINE,
        **more: Any,
    ) -> Answer:
        """One call as the account. Raises httpx.TransportError, or NotSentError at a 429."""
        bearer = {"Authorization": f"Bearer {parcel.secret}", **(headers or {})}
        try:
            within = min(deadline, self._deadline)
            answer = self._exchange(within, verb, parcel.service + path, headers=bearer, **more)
        except UnicodeEncodeError:
            raise PublisherRejectedError(
                "The access token holds a sign that none has. Connect the account again."
            ) from None
        if answer.status == 429:
            raise NotSentError(
                f"{parcel.service} asks us to slow down.",
                retry_in=answer.wait("x-ratelimit-reset", RATE_LIMIT_WAIT),
            )
        return answer


class _Text(HTMLParser):
    """The words of a status: tags away, line breaks kept."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag in ("br", "p"):
            self.words += "\n"

    def handle_data(self, data: str) -> None:
        self.words += data


def _words(html: str) -> str:
    text = _Text()
    text.feed(html)
    text.close()
    return text.words.strip()


def _squeezed(words: str) -> str:
    return "".join(words.split())  # HTML keeps no count of blanks and lines


def _body(parcel: Parcel) -> dict[str, Any]:
    """What is posted, of what ``record`` made."""
    return {key: parcel.record[key] for key in ("status", "visibility", "language")}


def _since(parcel: Parcel) -> datetime:
    """From when on ours can be there: the server's own clock at the mark, else the due time."""
    marked = _moment(parcel.mark)
    if marked is not None:
        return marked
    due = _moment(parcel.record.get("send_at"))
    if due is None:
        raise InDoubtError("The stored post does not say when it was due.")
    return due - CLOCK_SKEW


def _is_fresh(parcel: Parcel, answer: Answer) -> bool:
    """Whether the mark is so young, by the server's own clock, that the key is remembered."""
    marked, told = _moment(parcel.mark), _told_at(answer)
    return marked is not None and told is not None and timedelta(0) <= told - marked < KEY_TRUST


def _told_at(answer: Answer) -> datetime | None:
    try:
        told = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return None
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _moment(said: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _receipt(parcel: Parcel, status: Mapping[str, Any]) -> Receipt:
    uri = status.get("uri")
    if not isinstance(uri, str) or not uri.isprintable() or not _is_id(status.get("id")):
        raise InDoubtError(f"{parcel.service} accepted the post but gave no address.")
    return Receipt(uri, page_address(status.get("url")))


def _is_id(said: Any) -> bool:
    return isinstance(said, str) and re.fullmatch(r"[\w-]{1,64}", said) is not None


def _says(said: Mapping[str, Any]) -> ServerSays:
    """What an answer of the instance API says that a server takes.

    Beside the configuration as Pleroma has it: docs "Differences in Mastodon API responses".
    """
    statuses = _inner(said, "configuration", "statuses")
    media = _inner(said, "configuration", "media_attachments")

    def number(
        place: Mapping[str, Any], name: str, beside: str, most: int, least: int = 1
    ) -> int | None:
        for one in (place.get(name), said.get(beside)):
            if type(one) is int and least <= one <= most:
                return one
        return None

    characters = number(statuses, "max_characters", "max_toot_chars", CHARACTERS_MAX)
    link = number(statuses, "characters_reserved_per_url", "", LINK_MAX, 0)
    if characters and "characters_reserved_per_url" not in statuses:
        link = 0  # it keeps no length for links
    types = media.get("supported_mime_types")
    pictures = sorted(
        {
            one
            for one in (types if isinstance(types, list) else [])
            if isinstance(one, str) and re.fullmatch(r"image/[\w.+-]{1,60}", one, re.ASCII)
        }
    )
    return ServerSays(
        characters_max=characters,
        per_link=link,
        pictures_max=number(
            statuses, "max_media_attachments", "max_media_attachments", PICTURES_MAX, 0
        ),
        picture_bytes_max=number(media, "image_size_limit", "upload_limit", NUMBER_MAX),
        picture_types=tuple(pictures) or None,
        alt_max=number(media, "description_limit", "description_limit", CHARACTERS_MAX),
    )


def _inner(said: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for name in path:
        inner = said.get(name)
        said = inner if isinstance(inner, dict) else {}
    return said
