"""What the tests of notifications share: people, flags and alerts that somebody must hear of."""

from datetime import datetime, timedelta
from itertools import count

from sqlalchemy import select
from sqlalchemy.orm import Session

from desk import people
from desk.models import Channel, Notice, Person
from monitor.models import (
    Alert,
    AlertList,
    AlertMessage,
    AlertOutcome,
    AlertRecipient,
    Flag,
    FlagDecision,
)

numbers = count(1)
HOSTILE = "Burn 12 Mill Street\r\nBcc: all@desk.example <b>Jane Roe</b>"


def hire(session: Session, name: str, role: str, now: datetime) -> Person:
    return people.add_person(session, name, f"{name.lower()}@desk.example", [role], None, now)


def raise_flag(session: Session, at: datetime, level: int = 2, kind: str = "spike") -> Flag:
    flag = Flag(
        kind=kind,
        place=None if kind == "life_safety" else f"{next(numbers):05}",
        level=level,
        hour=at.replace(minute=0, second=0, microsecond=0),
        observed=9,
        expected=1.0,
        p_value=0.001,
        reasons=[{"text": HOSTILE, "post_id": None}],
        detector="test",
        raised_at=at,
    )
    session.add(flag)
    session.flush()
    return flag


def decide(session: Session, flag: Flag, at: datetime) -> None:
    session.add(FlagDecision(flag=flag, decision="dismissed", reason="Seen.", by=1, at=at))
    session.flush()


def send_alert(
    session: Session, to: list[Person], at: datetime, level: int = 3, exercise: bool = False
) -> Alert:
    alert_list = AlertList(name=f"list {next(numbers)}", exercise=exercise, made_by=1, made_at=at)
    alert = Alert(
        alert_list=alert_list,
        exercise=exercise,
        place="",
        danger_level=level,
        danger_high=4,
        life_safety=False,
        made_by=1,
        made_at=at,
        recipients=[AlertRecipient(person_id=one.id, tier=1, added_at=at) for one in to],
    )
    session.add(alert)
    session.flush()
    say(session, alert, "Alert", at)
    return alert


def say(session: Session, alert: Alert, kind: str, at: datetime) -> AlertMessage:
    message = AlertMessage(
        alert=alert,
        identifier=f"test-{next(numbers)}",
        kind=kind,
        scope="Restricted",
        urgency="Expected",
        severity="Severe",
        certainty="Likely",
        card={"headline": HOSTILE, "what": HOSTILE, "where": HOSTILE},
        sent_by=1,
        sent_at=at,
    )
    session.add(message)
    session.flush()
    return message


def close(session: Session, alert: Alert, at: datetime) -> None:
    session.add(AlertOutcome(alert=alert, code="false_alarm", note="", by=1, at=at))
    session.flush()


def channel_of(session: Session, person: Person) -> Channel:
    return session.scalars(select(Channel).where(Channel.person_id == person.id)).one()


def told(session: Session) -> list[tuple[str, str, str, timedelta]]:
    """(who, kind, state, time from making to being due) of every notice, in order."""
    session.expire_all()
    return [
        (one.channel.person.name, one.kind, one.state, one.due_at - one.made_at)
        for one in session.scalars(select(Notice).order_by(Notice.id))
    ]
