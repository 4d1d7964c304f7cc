"""The tipping point: whether a story has left its niche, told from what is stored (R40).

Whoever answers a story that has not adds reach to it. Nothing here decides: these are the inputs
that stand beside the choice. Accounts are counted and never named or scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.models import Narrative
from monitor.narratives.counted import Counted, Stop

OUTLETS_NAMED = 3


@dataclass(frozen=True)
class Tipping:
    """What is known of a narrative's spread. Copies count as posts, an account once."""

    platforms: Sequence[Stop]  # in the order of first appearance
    waves: int  # times of activity with silence between them
    voices: int  # accounts in its last day, up to its last post
    voices_before: int | None  # in the day before that; None: too many to tell
    posts: int
    posts_before: int | None
    outlets: Sequence[str]  # names of feeds that carried it, those with most posts first, few
    outlet_count: int
    until: datetime  # its last post, where its last day ends

    @property
    def growth(self) -> float | None:
        """Voices of the last day by those of the day before; None where there were none."""
        return self.voices / self.voices_before if self.voices_before else None

    @property
    def outside(self) -> tuple[str, ...]:
        """The signs that it is told outside its origin, in words; empty: none that we read."""
        signs = []
        if len(self.platforms) > 1:
            signs.append(f"it is told on {len(self.platforms)} platforms")
        if self.outlet_count and self.platforms and self.platforms[0].platform != "web":
            signs.append("outlets carry what began elsewhere")
        elif self.outlet_count > 1:
            signs.append(f"{self.outlet_count} outlets carry it")
        return tuple(signs)


def tipping(narrative: Narrative, told: Counted, waves: int) -> Tipping:
    """The inputs for a narrative, from what was counted of it; ``waves`` as its portrait tells."""
    last, before = told.last_day, told.day_before
    return Tipping(
        platforms=told.travel,
        waves=waves,
        voices=last.accounts if last else 0,
        voices_before=before.accounts if before else None,
        posts=last.posts if last else 0,
        posts_before=before.posts if before else None,
        outlets=told.outlets[:OUTLETS_NAMED],
        outlet_count=len(told.outlets),
        until=narrative.last_post_at,
    )
