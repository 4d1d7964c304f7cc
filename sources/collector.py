"""The port every platform stands behind: what a collector is, and what it hands over.

Past this module nobody can tell Bluesky from a feed.
"""

import re
import ssl
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from socket import gaierror
from typing import Any, Literal, Protocol

MAX_TEXT_LENGTH = 100_000  # characters; a longer text is an archive, not a post


@dataclass(frozen=True, slots=True)
class NewPost:
    """A post as a platform shows it.

    ``author`` is stored as a pseudonym only, ``reply_to`` and ``quote_of`` as keyed hashes. The
    post's own addresses (``uri``, ``url``) are stored as they are, and on Bluesky they name the
    account: its removal is found by them.
    """

    uri: str
    author: str
    text: str
    posted_at: datetime | None  # aware; empty where the platform gives no date: when it was read
    url: str | None = None
    lang: str | None = None
    reply_to: str | None = None  # uri of the post it answers
    edit: bool = False  # takes the place of the post with this uri, if that says something else
    card: str | None = None  # title and description of the page it links to: not the author's words
    quote_of: str | None = None  # uri of the post it quotes
    labels: tuple[str, ...] = ()  # what the author says of it, like "!no-unauthenticated"


@dataclass(frozen=True, slots=True)
class Removal:
    """Something its author or the platform took away: one post, or all of an account's."""

    scope: Literal["post", "account"]
    uri: str  # the post's uri, or the account's DID
    reason: str
    for_now: bool = False  # a deactivated or suspended account: it may come back (Return)


@dataclass(frozen=True, slots=True)
class Return:
    """An account is active again: what was hidden of it may be seen again."""

    uri: str  # the account's DID


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item that could not be read. It is set aside, and its batch goes on.

    Its bytes may hold names and words of people: they go with the first removal that names the
    post or the account, and after KEEP_REJECTS in any case.
    """

    reason: str
    raw: bytes


Item = NewPost | Removal | Return | Rejected


@dataclass(frozen=True, slots=True)
class Batch:
    """Items in the order in which they happened, and the cursor that follows the last of them."""

    items: Sequence[Item]
    cursor: dict[str, Any]
    next_poll_in: timedelta | None = None  # polled kinds: the least time until the next look
    newest: datetime | None = None  # when the newest event read happened, if not among the items
    moved_to: str | None = None  # the source's address from now on, where its keeper says so
    last: bool = False  # there will never be more: the source is read to its end


class SourceFaultError(Exception):
    """A source cannot be read now; the message is one clear sentence for the sources page.

    ``retry_in`` is how long the source asked us to wait. ``final`` means that it will not come
    back by itself: it is read no more until a person resumes it.
    """

    def __init__(
        self, sentence: str, *, retry_in: timedelta | None = None, final: bool = False
    ) -> None:
        super().__init__(sentence)
        self.retry_in = retry_in
        self.final = final


class Collector(Protocol):
    """The port of every platform. Opens no database session; raises only SourceFaultError."""

    @property
    def platform(self) -> str:
        """bluesky, web, reddit or example: goes into Post.platform."""
        ...

    def batches(self, cursor: dict[str, Any] | None) -> Generator[Batch]:
        """What happened since ``cursor`` (of an earlier batch; empty on the first look).

        Every post that was read is among the items: which are kept is for the watches to say.
        Polled kinds end after what is there; streams yield a batch about once a second, an empty
        one if need be.
        """
        ...


class Checker(Protocol):
    """Asks a platform whether posts we hold are still there: streams and listings miss some."""

    size: int  # posts that one question may name

    def gone(self, uris: Sequence[str]) -> Sequence[Removal]:
        """A removal for each of ``uris`` (at most ``size``) that is there no more.

        SourceFaultError when the platform cannot be asked: then nothing is known of any of them.
        """
        ...


def user_agent(contact: str = "") -> str:
    """Who we say we are, with an address where a source's keeper reaches us."""
    return f"Breakwater/0.1 (+{contact})" if contact else "Breakwater/0.1"


def plain_words(fault: BaseException) -> str:
    """Why a connection failed, in a person's words where we know them; the end of a sentence."""
    cause: BaseException | None = fault
    while cause is not None:
        match cause:
            case gaierror():
                return "its name is not known here; is the network closed?"
            case ConnectionRefusedError():
                return "nothing answers at that address (connection refused)"
            case TimeoutError():
                return "it does not answer in time"
            case ssl.SSLCertVerificationError():
                return "its certificate is not valid"
        cause = cause.__cause__ or cause.__context__
    said = re.sub(r"\[(?:Errno|SSL)[^][]*\] ?| ?\(_ssl\.c:\d+\)", "", str(fault))
    return said.strip().rstrip(".") or type(fault).__name__
