"""What may be done with the content of each platform (requirement 27). A missing value means no.

Each adapter declares its policy beside its code; ``Policies`` is the one place that enforces it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Use = Literal["share", "police", "llm", "training", "public_display"]
USES: dict[Use, str] = {
    "share": "shown to partners outside this desk",
    "police": "put into a packet for the police",
    "llm": "sent to an outside language model",
    "training": "used to train a model",
    "public_display": "shown without a sign-in",
}


# By kind of source: the platform of what it brings, whose policy counts.
PLATFORM_OF = {
    "feed": "web",
    "jetstream": "bluesky",
    "firehose": "bluesky",
    "bluesky-search": "bluesky",
    "reddit": "reddit",
    "example": "example",
}


class NotAllowedError(Exception):
    """A platform's policy forbids this use; the message says which, for the person who tried."""


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """What one platform allows. ``None`` means that nobody has said so: it is refused."""

    platform: str  # as in Post.platform
    basis: str  # the rule this stands on, for the sources page
    keep: timedelta  # the longest that a post is kept, whatever our own classes say
    deletions: str  # how removals reach us, in one sentence
    recheck: timedelta | None = None  # how often stored posts are checked for silent removals
    returns: bool = False  # whether hidden posts may come back with a reactivated account
    approval: str | None = None  # reference of the platform's written approval
    approval_needed: bool = False
    share: bool | None = None
    police: bool | None = None
    llm: bool | None = None
    training: bool | None = None
    public_display: bool | None = None


class Policies:
    """The policies of every platform, asked before anything is done with a post."""

    def __init__(self, policies: Iterable[SourcePolicy]) -> None:
        self._by_platform = {policy.platform: policy for policy in policies}

    def __getitem__(self, platform: str) -> SourcePolicy:
        """The platform's policy; one that allows nothing where none was declared."""
        nothing = SourcePolicy(platform, "none was declared", timedelta(0), "not at all")
        return self._by_platform.get(platform, nothing)

    def __iter__(self) -> Iterator[SourcePolicy]:
        return iter(self._by_platform.values())

    def permits(self, platform: str, use: Use) -> bool:
        """Whether posts of ``platform`` may be used so."""
        policy = self[platform]
        if policy.approval_needed and not (policy.approval or "").strip():
            return False
        return getattr(policy, use) is True

    def demand(self, platform: str, use: Use) -> None:
        """NotAllowedError unless posts of ``platform`` may be used so."""
        if not self.permits(platform, use):
            raise NotAllowedError(f"Posts from {platform} may not be {USES[use]}.")
