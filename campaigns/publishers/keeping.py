"""The second port: what was published is looked at again, and taken down where that was decided.

A keeper, like a publisher, is told everything, holds no database session and reads no clock. What
each of them must promise, because ``afterwards`` and ``retracting`` build on it:

1. ``look`` sends nothing and never raises. It answers one ``Sight`` for each post, in order. A
   server that cannot be read, or does not let us in, is "unreadable" and never "not_found".
2. ``not_found`` with ``sure`` is the word of the server that holds the post itself, and means that
   the post is gone. Without it, it may be hidden for a moment: it is asked for again.
3. Numbers are numbers. Who liked or answered is neither asked for nor answered.
4. ``take_down`` may be repeated: a post that is not there is down already. It touches no other post
   and can put nothing back. It raises what ``publish`` raises, and ends within
   ``taking_down.CLAIM_PATIENCE``; ``look`` at ``size`` posts ends within ``afterwards.LEASE``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

COUNT_MAX = 2**31 - 1  # a number that a table can hold
SLOW_DOWN = 300.0  # seconds, when a server that asks us to slow down does not say for how long


@dataclass(frozen=True)
class Posted:
    """One delivery that is out: where, and with which record under which key."""

    handle: str
    service: str  # base URL of the account's server
    secret: str | None = field(repr=False)
    record_key: str
    record: dict[str, Any]
    uri: str  # of its receipt
    url: str | None


@dataclass(frozen=True)
class Sight:
    """What was seen of one post; numbers are None where the platform does not tell them."""

    state: str  # stands, not_found or unreadable, as in models.Observation
    detail: str = ""  # why it could not be read or, of one that is gone, who removed it
    sure: bool = False
    likes: int | None = None
    reposts: int | None = None
    quotes: int | None = None
    replies: int | None = None
    retry_in: float = 0.0  # seconds the platform asks for


class Keeper(Protocol):
    """What a platform can do after publication; the promises are in this module's docstring."""

    @property
    def size(self) -> int:
        """Posts of one ``look`` at most; 0: there is nothing to read there."""
        ...

    def look(self, posts: Sequence[Posted]) -> list[Sight]:
        """What the platform shows of each post now."""
        ...

    def take_down(self, post: Posted) -> str:
        """Take it down; answers how it ended, as a sentence.

        Raises PublisherRejectedError, NotSentError or InDoubtError.
        """
        ...


class OwnRecordKeeper:
    """Where our own rows are all there is: a rehearsal, and the page that we make from them."""

    size = 0

    def look(self, posts: Sequence[Posted]) -> list[Sight]:
        """There is nothing to read that we would not know."""
        return [Sight("unreadable", "Our own record is all there is.") for _ in posts]

    def take_down(self, post: Posted) -> str:
        """The record of the decision takes it down."""
        return "It is taken back by this record."


def count(said: Any) -> int | None:
    """A number as a server gives it; None when it is none that can be."""
    return said if type(said) is int and 0 <= said <= COUNT_MAX else None
