"""The port through which approved words leave the house. One module per platform.

A publisher is told everything in a ``Parcel``, holds no database session and reads no settings.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

PLATFORMS = {"bluesky": "Bluesky", "dry_run": "Dry run (sends nothing)"}


@dataclass(frozen=True)
class Parcel:
    """One approved part, ready to go.

    ``record_key`` and ``record`` were fixed at approval and are the same on every attempt.
    """

    platform: str  # a key of PLATFORMS
    handle: str
    service: str  # base URL of the account's server
    secret: str | None = field(repr=False)  # app password, in the clear
    record_key: str
    record: dict[str, Any]


@dataclass(frozen=True)
class Receipt:
    """Where the platform put it: its own address, and a page a person can read (if any)."""

    uri: str
    url: str | None


class PublisherRejectedError(Exception):
    """The platform refuses this for good. The message is a sentence for the drafter."""


class NotSentError(Exception):
    """Certainly not sent: may be tried again, not before ``retry_in`` seconds."""

    def __init__(self, why: str, retry_in: float = 0.0) -> None:
        super().__init__(why)
        self.retry_in = retry_in


class InDoubtError(Exception):
    """The call was made and its end is unknown: it may or may not be out there."""


class Publisher(Protocol):
    """What every platform must be able to do. Both verbs may be repeated without harm."""

    def publish(self, parcel: Parcel) -> Receipt:
        """Send it, exactly once however often this is called.

        Raises PublisherRejectedError, NotSentError or InDoubtError.
        """
        ...

    def find(self, parcel: Parcel) -> Receipt | None:
        """Say whether it is already out there, sending nothing. Raises the same errors."""
        ...
