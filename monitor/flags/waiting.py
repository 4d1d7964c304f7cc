"""Which flags wait for a person, and what came of somebody's reports: one query for both."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from monitor.flags.flags import awaits_second, is_call
from monitor.flags.second_looks import OPEN, state_of
from monitor.models import Flag, FlagDecision, Reading
from sources.models import Watch

MINE = 20  # reports of one person that are shown


@dataclass(frozen=True)
class Waiting:
    """Flags that wait for a person, with what was flagged and with their decisions."""

    rises: Sequence[Flag]  # the gravest and then the least likely first
    calls: Sequence[Flag]  # for somebody at once, by rule or a person's word; longest waiting first
    reported: Sequence[Flag]  # other reports of people, the gravest and then the oldest first
    # Confirmed at D4, and two people do not agree on it yet: those about single posts first, then
    # the one that waits longest.
    seconds: Sequence[tuple[Flag, FlagDecision]]
    mine: Sequence[Flag]  # reported by whoever asks: waiting or lately decided, the newest first
    posts: dict[int, Reading]  # by id those that single flags are about, while they stand


def waiting(session: Session, person: int, since: datetime) -> Waiting:
    """All that waits, and what ``person`` reported that waits or was decided since then."""
    decision = contains_eager(Flag.decision)
    mine = (Flag.raised_by == person) & (FlagDecision.at >= since)
    query = (
        select(Flag, Reading)
        .outerjoin(Flag.decision)
        .outerjoin(Reading, Reading.post_id == Flag.post_id)
        .where(or_(FlagDecision.id.is_(None), awaits_second(), mine))
        .options(
            decision.joinedload(FlagDecision.request),
            decision.joinedload(FlagDecision.looks),
            joinedload(Flag.narrative),
            joinedload(Flag.watch).joinedload(Watch.versions),
            joinedload(Reading.post),
        )
        .order_by(Flag.id)
    )
    rows = session.execute(query).unique().all()
    flags = [flag for flag, _ in rows]
    open_ones = [one for one in flags if one.decision is None]
    theirs = [one for one in reversed(flags) if one.raised_by == person]
    return Waiting(
        rises=sorted(
            (one for one in open_ones if one.kind == "spike"),
            key=lambda one: (-one.level, one.p_value, one.id),
        ),
        calls=sorted(
            (one for one in open_ones if is_call(one)), key=lambda one: (one.raised_at, one.id)
        ),
        reported=sorted(
            (one for one in open_ones if one.kind == "report" and not is_call(one)),
            key=lambda one: (-one.level, one.id),
        ),
        seconds=sorted(
            (
                (one, one.decision)
                for one in flags
                if one.decision is not None and state_of(one.decision) in OPEN
            ),
            key=lambda pair: _single_posts_first(pair[1]),
        ),
        mine=[one for one in theirs if one.decision is None or one.decision.at >= since][:MINE],
        posts={reading.post_id: reading for _, reading in rows if reading is not None},
    )


def _single_posts_first(decision: FlagDecision) -> tuple[bool, datetime, int]:
    """The order of second looks; of a decision that asked for one."""
    request = decision.request
    if request is None:
        raise ValueError("nobody asked for a second look")
    return request.because != "life_safety", request.at, decision.id
