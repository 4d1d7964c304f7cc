"""Reports: a person of the desk says that a narrative or one post needs a decision.

A report is a flag like the machine's, told apart from them everywhere: it counts in no measure of
the machine. What came of it goes back to who made it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from monitor.flags.flags import URGENT
from monitor.models import Flag, Narrative, Reading
from monitor.narratives.narratives import REMOVED, hour_of
from monitor.narratives.turns import take_turn, write_stamp

REASON_CHARS = 500
# A report counts as a rise of this level at least, and below what calls a person at once.
LEAST, MOST = 2, 3
TEST = "report"  # Flag.test
BY_HAND = "a person"  # Flag.detector


class AlreadyReportedError(Exception):
    """The same waits for a decision already, by ``flag``."""

    def __init__(self, flag: Flag) -> None:
        super().__init__(f"Flag {flag.id} on the same waits for a decision.")
        self.flag = flag


def report_narrative(
    session: Session, narrative: Narrative, reason: str, urgent: bool, by: int, now: datetime
) -> Flag:
    """Ask for a decision on a narrative that stands. ``urgent``: somebody may be in danger now.

    ValueError, one sentence, without a reason or a narrative; AlreadyReportedError.
    """
    reason = _checked(reason)
    take_turn(session)
    stands = session.get(Narrative, narrative.id, populate_existing=True)
    if stands is None or stands.merged_into is not None or stands.title == REMOVED:
        raise ValueError("This narrative is no more. Nothing was reported.")
    _waits_already(session, Flag.narrative_id == stands.id)
    if stands.settled_at is None:  # somebody has taken it up, so it may not dissolve
        stands.settled_at = now
        write_stamp(session)
    return _raise(
        session,
        by,
        now,
        narrative_id=stands.id,
        level=URGENT if urgent else LEAST,
        hour=hour_of(stands.last_post_at),
        posted_at=stands.last_post_at,
        reasons=[{"text": reason, "post_id": None}],
    )


def report_post(
    session: Session, reading: Reading, reason: str, urgent: bool, by: int, now: datetime
) -> Flag:
    """The same about one post that the desk holds."""
    reason = _checked(reason)
    _waits_already(session, Flag.post_id == reading.post_id)
    post = reading.post
    return _raise(
        session,
        by,
        now,
        post_id=post.id,
        level=URGENT if urgent else min(MOST, max(LEAST, reading.level)),
        hour=reading.hour,
        posted_at=post.posted_at,
        collected_at=post.collected_at,
        reasons=[{"text": reason, "post_id": post.id}],
        about={"platforms": {post.platform: 1}},
    )


def _checked(reason: str) -> str:
    reason = " ".join(reason.split())
    if not reason:
        raise ValueError("Say what you saw: who decides reads it first.")
    if len(reason) > REASON_CHARS:
        raise ValueError(f"Say it in {REASON_CHARS} characters; these are {len(reason):,}.")
    return reason


def _waits_already(session: Session, same: ColumnElement[bool]) -> None:
    """Two people report the same at the same moment: the second is told of the first."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("breakwater-report"))))
    waits = select(Flag).where(Flag.kind == "report", same, ~Flag.decision.has()).limit(1)
    if (flag := session.scalars(waits).first()) is not None:
        raise AlreadyReportedError(flag)


def _raise(session: Session, by: int, now: datetime, **what: Any) -> Flag:
    flag = Flag(
        kind="report",
        observed=1,
        expected=0.0,
        p_value=1.0,
        test=TEST,
        detector=BY_HAND,
        raised_by=by,
        raised_at=now,
        **what,
    )
    session.add(flag)
    session.flush()
    return flag
