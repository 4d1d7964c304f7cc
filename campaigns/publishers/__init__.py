"""The port through which approved words leave the house. One module per platform.

A publisher is told everything in a ``Parcel``, holds no database session, reads no settings and
no clock. What every one of them must promise, because ``deliver`` builds on it:

1. ``publish`` ends in one of four ways and never guesses: a ``Receipt`` (it is out),
   ``PublisherRejectedError`` (refused for good, not out), ``NotSentError`` (certainly not out, as
   when no connection came about or the platform said 429; ``LockedOutError`` where a wrong key
   keeps all others out too), and ``InDoubtError`` for all the rest:
   time-outs after the first byte, answers cut off, 5xx. Any other exception counts as a doubt.
   No client library may repeat the call by itself.
2. Every call ends within ``deliver.CLAIM_PATIENCE`` (10 minutes), whatever the server does.
   Whoever holds a claim longer is taken for dead.
3. ``repeatable`` is True only if calling ``publish`` again with the same parcel can neither double
   a post nor bring back one that was deleted meanwhile. An idempotency key that the platform
   forgets after an hour is not that. When in doubt: False.
4. ``find`` sends nothing. It answers ``None`` only if the parcel certainly never arrived. "It is
   not there now" is not enough, for its voice may have deleted it, and what a leader deleted is
   never put back: raise ``InDoubtError`` then, and a person looks.
5. ``mark`` reads, before the first byte is sent, what ``find`` will need to tell these two apart
   (the account's revision, the id of its newest post), or answers "" where nothing helps. It is
   kept with the attempt and comes back in ``Parcel.mark``. It raises ``NotSentError`` when the
   platform cannot be asked: nothing was sent then.

Words of the server in an error must be one printable line: they go into tables and pages.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

# Closed platforms: no machine posts there. A person does, with the approved words (share_packs).
BY_HAND = {
    "share_x": "X",
    "share_whatsapp": "WhatsApp",
    "share_facebook": "Facebook",
    "share_nextdoor": "Nextdoor",
}
PLATFORMS = {
    "bluesky": "Bluesky",
    "mastodon": "Mastodon",
    "reddit": "Reddit",
    "web": "Our page",
    "email": "E-mail to a list",
    "sms": "Text to a list",
    **{key: f"{name}, by hand" for key, name in BY_HAND.items()},
    "dry_run": "Dry run (sends nothing)",
}

# Platforms that go to each contact on a list, by the organisation’s own server (audiences).
LISTED = frozenset({"email", "sms"})
LOCKED_OUT_WAIT = 900.0  # seconds until one parcel tries whether we are let in again
KEYLESS = frozenset({"dry_run", "web", *BY_HAND, *LISTED})  # no account of ours there to open


@dataclass(frozen=True)
class Parcel:
    """One approved part, ready to go.

    ``record_key`` and ``record`` were fixed at approval and are the same on every attempt.
    """

    platform: str  # a key of PLATFORMS
    handle: str
    service: str  # base URL of the account's server
    secret: str | None = field(repr=False)  # app password or access token, in the clear
    record_key: str
    record: dict[str, Any]
    images: tuple[bytes, ...] = field(default=(), repr=False)  # in the order the record names them
    # What ``mark`` said before the earliest attempt whose end nobody saw; None: there is none.
    mark: str | None = None


@dataclass(frozen=True)
class Receipt:
    """Where the platform put it: its own address, and a page a person can read (if any)."""

    uri: str
    url: str | None


class PublisherRejectedError(Exception):
    """The platform refuses this for good. The message is a sentence for the drafter."""


class RecipientLeftError(PublisherRejectedError):
    """The recipient told the gateway itself that they want no more."""


class NobodyThereError(PublisherRejectedError):
    """Nothing will ever arrive at this recipient's address."""


class NotSentError(Exception):
    """Certainly not sent: may be tried again, not before ``retry_in`` seconds."""

    def __init__(self, why: str, retry_in: float = 0.0) -> None:
        super().__init__(why)
        self.retry_in = retry_in


class LockedOutError(NotSentError):
    """Certainly not sent, and no other parcel of this account would be: we are not let in."""

    def __init__(self, why: str, retry_in: float = LOCKED_OUT_WAIT) -> None:
        super().__init__(why, retry_in)


class InDoubtError(Exception):
    """The call was made and its end is unknown: it may or may not be out there."""


class Publisher(Protocol):
    """What every platform must be able to do; the promises are in this module's docstring."""

    @property
    def repeatable(self) -> bool:
        """Whether ``publish`` may simply be called again after a doubt."""
        ...

    def mark(self, parcel: Parcel) -> str:
        """What to remember before sending. Raises PublisherRejectedError or NotSentError."""
        ...

    def publish(self, parcel: Parcel) -> Receipt:
        """Send it. Raises PublisherRejectedError, NotSentError or InDoubtError."""
        ...

    def find(self, parcel: Parcel) -> Receipt | None:
        """Where it is; None: it certainly never arrived. Sends nothing.

        Raises InDoubtError when it cannot tell; NotSentError when it could not even ask.
        """
        ...
