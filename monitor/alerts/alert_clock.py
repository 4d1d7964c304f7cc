"""The clock of an alert, T0 to T10: what was done when, against what was to be done.

The gap between warning and response is where early warning fails; so every stage is stamped once,
by whoever brings it about, and is never set back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from monitor.models import Alert, AlertStamp, Narrative
from monitor.narratives.narratives import family

POSTED, COLLECTED, FLAGGED, TRIAGED, VERIFIED, SENT = range(6)
ACKNOWLEDGED, RESPONSE_CHOSEN, ENGAGED, CLOSED, REVIEWED = range(6, 11)
STAGES = (
    *("Posted", "Collected", "Flagged", "Triaged", "Verified", "Alert sent", "Acknowledged"),
    *("Response chosen", "Message sent or responder engaged", "Closed", "After-action review"),
)
# Default targets of the coding scheme (design, section 2.5), by danger level. Watch (D1) and what
# is below it is told in the weekly digest and has none.
TRIAGE = {
    4: timedelta(minutes=15),
    3: timedelta(hours=1),
    2: timedelta(hours=8),
}
ACKNOWLEDGEMENT = {
    4: timedelta(minutes=30),
    3: timedelta(hours=4),
    2: timedelta(hours=24),
}
# The intervals that have a target: from which stage to which, and the targets.
TARGETS = {(FLAGGED, TRIAGED): TRIAGE, (SENT, ACKNOWLEDGED): ACKNOWLEDGEMENT}


@dataclass(frozen=True)
class Interval:
    """From one stage of an alert to the next that was reached, or that is waited for."""

    start: int  # stages, 0 to 10
    end: int
    took: timedelta  # so far, while it runs
    target: timedelta | None
    running: bool

    @property
    def late(self) -> bool:
        """Whether it took, or takes, longer than its target."""
        return self.target is not None and self.took > self.target


def stamp(
    session: Session, alert: Alert, stage: int, at: datetime, by: int | None, note: str = ""
) -> bool:
    """Say that an alert came to a stage; whether it is the first time, which alone counts."""
    row = insert(AlertStamp).values(alert_id=alert.id, stage=stage, at=at, by=by, note=note)
    done = session.execute(row.on_conflict_do_nothing().returning(AlertStamp.stage)).scalar()
    session.expire(alert, ["stamps"])
    return done is not None


def stamp_narrative(
    session: Session, narrative: Narrative, stage: int, at: datetime, by: int | None, note: str
) -> None:
    """The same for all open alerts on a narrative and those merged into it, exercises apart."""
    query = select(Alert).where(
        or_(Alert.narrative_id == narrative.id, Alert.narrative_id.in_(family(narrative))),
        ~Alert.outcome.has(),
        ~Alert.exercise,
    )
    for alert in session.scalars(query):
        stamp(session, alert, stage, at, by, note)


def intervals(
    stamps: Iterable[AlertStamp], danger_level: int, now: datetime, closed: bool
) -> list[Interval]:
    """From each stage reached to the next one reached, in the order of stages.

    An interval with a target is shown whole, whatever was stamped between; one that is waited for
    runs until ``now``. A stage that came before an earlier one in time took no time.
    """
    at = {one.stage: one.at for one in stamps}
    reached = sorted(at)
    pairs = [*pairwise(reached)]
    for start, end in TARGETS:
        if start in at and (end in at or not closed) and (start, end) not in pairs:
            pairs.append((start, end))
    return [
        Interval(
            start,
            end,
            max(timedelta(0), at.get(end, now) - at[start]),
            TARGETS.get((start, end), {}).get(danger_level),
            end not in at,
        )
        for start, end in sorted(pairs)
    ]
