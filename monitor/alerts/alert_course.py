"""The course of an alert once it is sent: acknowledged, verified, answered, escalated, closed."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from monitor.alerts import alert_clock, alert_lists
from monitor.alerts.cap import Grade
from monitor.models import Alert, AlertOutcome, AlertRecipient, Verification

# How an alert ends (design, section 2.5).
OUTCOMES = {
    "acted_tension_reduced": "Somebody acted, and tension went down",
    "acted_no_change": "Somebody acted, and nothing changed",
    "true_no_action_needed": "It was so, and needed no action",
    "false_alarm": "False alarm",
    "duplicate": "The same as another alert",
    "escalated_to_violence": "It came to violence",
    "unknown": "We do not know",
}
NOTE_CHARS = 600


class ClosedError(ValueError):
    """The alert is closed already: the message says by which code."""


def acknowledge(session: Session, alert: Alert, person: int, now: datetime) -> None:
    """A recipient says that they have it. ValueError for somebody who was not told."""
    mine = session.scalars(
        select(AlertRecipient)
        .where(AlertRecipient.alert_id == alert.id, AlertRecipient.person_id == person)
        .with_for_update()
    ).one_or_none()
    if mine is None:
        raise ValueError("This alert did not go to you.")
    if mine.acknowledged_at is None:
        mine.acknowledged_at = now
        alert_clock.stamp(session, alert, alert_clock.ACKNOWLEDGED, now, person)


def verify(session: Session, alert: Alert, grade: Grade, by: int, now: datetime) -> None:
    """Grade it anew, or for the first time; earlier grades stay in its history."""
    made = asdict(grade) | {"why": tidy(grade.why, "By whose word", NOTE_CHARS)}
    session.add(Verification(alert_id=alert.id, by=by, at=now, **made))
    session.flush()
    session.expire(alert, ["verifications"])
    if grade.level != "V0":
        alert_clock.stamp(session, alert, alert_clock.VERIFIED, now, by, grade.level)


def respond(session: Session, alert: Alert, stage: int, note: str, by: int, now: datetime) -> None:
    """Say which response was chosen (T7) or who is at it (T8). ValueError, ClosedError."""
    must_be_open(session, alert)
    if stage not in (alert_clock.RESPONSE_CHOSEN, alert_clock.ENGAGED):
        raise ValueError("Say what was chosen, or who is at it.")
    note = tidy(note, "What was done", NOTE_CHARS)
    if not alert_clock.stamp(session, alert, stage, now, by, note):
        raise ValueError(
            f"“{alert_clock.STAGES[stage]}” is stamped already; the first time counts."
        )


def close(session: Session, alert: Alert, code: str, note: str, by: int, now: datetime) -> None:
    """End an alert with what came of it. ClosedError if somebody was first; ValueError."""
    if code not in OUTCOMES:
        raise ValueError("Choose what came of it.")
    ended = AlertOutcome(
        alert_id=alert.id, code=code, note=tidy(note, "What came of it", NOTE_CHARS), by=by, at=now
    )
    try:
        with session.begin_nested():  # the unique key decides a race
            session.add(ended)
    except IntegrityError:
        session.expire(alert, ["outcome"])
        must_be_open(session, alert)
        raise
    session.expire(alert, ["outcome"])
    alert_clock.stamp(session, alert, alert_clock.CLOSED, now, by)


def review(session: Session, alert: Alert, note: str, by: int, now: datetime) -> None:
    """The after-action review: what we would do otherwise. ValueError before it is closed."""
    if alert.outcome is None:
        raise ValueError("Close it first; the review looks back.")
    note = tidy(note, "What we learned", NOTE_CHARS)
    if not alert_clock.stamp(session, alert, alert_clock.REVIEWED, now, by, note):
        raise ValueError("It was reviewed already.")


def escalate(session: Session, now: datetime) -> list[AlertRecipient]:
    """Tell the next tier of each open alert that nobody has acknowledged in time; who was added.

    Each tier has as long as the first; an alert below High is escalated too, in its own time.
    """
    waiting = session.scalars(
        select(Alert)
        .where(
            ~Alert.outcome.has(), ~Alert.recipients.any(AlertRecipient.acknowledged_at.is_not(None))
        )
        .options(selectinload(Alert.recipients), selectinload(Alert.alert_list))
        .order_by(Alert.id)
        .with_for_update(skip_locked=True)
    ).all()
    added: list[AlertRecipient] = []
    for alert in waiting:
        patience = alert_clock.ACKNOWLEDGEMENT.get(alert.danger_level)
        told = {one.person_id for one in alert.recipients}
        if patience is None or not told:
            continue
        if now - max(one.added_at for one in alert.recipients) < patience:
            continue
        reached = max(one.tier for one in alert.recipients)
        more = [
            one
            for one in alert_lists.current(alert.alert_list)
            if one.tier > reached and one.person_id not in told
        ]
        tier = min((one.tier for one in more), default=0)
        added += [
            AlertRecipient(alert=alert, person_id=one.person_id, tier=tier, added_at=now)
            for one in more
            if one.tier == tier
        ]
    session.add_all(added)
    session.flush()
    return added


def tidy(text: str, name: str, most: int) -> str:
    """Text in one line; ValueError, with its ``name``, if it is empty or longer than ``most``."""
    text = " ".join(text.split())
    if not text:
        raise ValueError(f"“{name}” is empty.")
    if len(text) > most:
        raise ValueError(f"“{name}” has {len(text)} characters; {most} fit.")
    return text


def must_be_open(session: Session, alert: Alert) -> None:
    """Go on only if the alert is open, and nobody closes it before we are done."""
    session.execute(select(Alert.id).where(Alert.id == alert.id).with_for_update())
    session.expire(alert, ["outcome"])
    if alert.outcome is not None:
        raise ClosedError(f"The alert was closed: {OUTCOMES[alert.outcome.code].lower()}.")
