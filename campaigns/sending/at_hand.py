"""What of the deliveries the first page tells, in one query.

What needs somebody, what this person posts by hand, and what goes out around now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from campaigns.models import Delivery, Stop
from campaigns.sending import share_packs, watchdogs
from campaigns.sending.deliveries import due_between
from campaigns.sending.watchdogs import Concern

BACK = timedelta(days=1)  # how long what was due is told
AHEAD = timedelta(days=7)
BY_HAND, GOING_OUT = "by hand", "going out"


@dataclass(frozen=True)
class AtHand:
    """Deliveries with their voice, account and message, the soonest due first."""

    concerns: Sequence[Concern]  # as watchdogs.concerns
    by_hand: Sequence[Delivery]  # open ones that this person may post, or say how that went
    going_out: Sequence[Delivery]  # due from BACK to AHEAD, whatever became of them


def at_hand(session: Session, person: int, stops: Sequence[Stop], now: datetime) -> AtHand:
    """All three as of now. ``stops``: those of the kill switch that stand."""
    lists = {
        BY_HAND: share_packs.open_to(person),
        GOING_OUT: due_between(now - BACK, now + AHEAD),
    }
    found = watchdogs.looked_at(session, now, lists)
    return AtHand(
        concerns=watchdogs.concerns_among(found, stops, now),
        by_hand=[
            one.delivery
            for one in found
            if BY_HAND in one.lists and share_packs.waits(one.delivery, now)
        ],
        going_out=[one.delivery for one in found if GOING_OUT in one.lists],
    )
