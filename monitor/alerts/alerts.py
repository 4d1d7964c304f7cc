"""Alerts: a warning to people who can act, said once, acknowledged, taken back, closed.

A person sends it after another has looked; the rules give its level. Its fields are those of the
Common Alerting Protocol 1.2 (OASIS), so that others' systems can take it in (monitor.alerts.cap).
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload, selectinload

from monitor.alerts import alert_clock, alert_lists
from monitor.alerts.alert_course import close, must_be_open, tidy, verify
from monitor.alerts.cap import CARD, OPTIONAL, SCOPE, Card, Codes, Grade
from monitor.coding import rabat
from monitor.coding.cases import shared_run
from monitor.flags import second_looks
from monitor.flags.flags import danger_for as danger_for
from monitor.flags.flags import words_about
from monitor.models import (
    Alert,
    AlertList,
    AlertListMember,
    AlertMessage,
    AlertOutcome,
    AlertRecipient,
    AlertThreshold,
    Flag,
    RabatAssessment,
)
from monitor.narratives.narratives import family
from sources.places import place_of

LEVELS = {4: "Critical", 3: "High", 2: "Concern"}  # below, nobody is alerted
LEAST_LEVEL = min(LEVELS)
MOST_STATED = 2  # without a local or offline signal (requirement 14)
STOP = "Stop what you began because of it, unless you know better on the spot."
AT_MOST = timedelta(days=30)  # from now until an alert expires
TRACES = re.compile(r"https?://|www\.|(?<!\w)@\w|(?<!\w)u/\w", re.IGNORECASE)  # links, handles


def send(
    session: Session,
    *,
    card: Card,
    codes: Codes,
    grade: Grade,
    alert_list: AlertList,
    exercise: bool,
    flag: Flag | None,
    place: str,
    stated_level: int,
    expires_at: datetime | None,
    by: int,
    now: datetime,
    why_no_test: str = "",
) -> Alert:
    """Alert the first tier of a list.

    ``why_no_test``: why the threshold test is not there, where the rules give D3 or more (R7).

    ``stated_level`` counts only where the rules give none: with no flag on a narrative or a post.
    ``place`` is a county's or state's code, or "". ValueError, one sentence, for what may not go
    out so; nothing is written then.
    """
    if exercise != alert_list.exercise:
        raise ValueError(
            "An exercise goes to a list for exercises alone, and a real alert to none of them."
        )
    first = _first_tier(alert_list)
    level, high, life_safety = _level(session, flag, card, stated_level, by, now)
    if grade.level == "V0" and not life_safety:
        raise ValueError("Somebody has to look at the source first: nothing goes out at V0.")
    card = _checked(session, card, flag)
    test = _tested(session, flag, life_safety or exercise, why_no_test, now)
    if expires_at is not None and not now < expires_at <= now + AT_MOST:
        raise ValueError("An alert expires after now, and within thirty days.")
    if place:
        place = place_of(place).code
    alert = Alert(
        list_id=alert_list.id,
        exercise=exercise,
        flag=flag,
        narrative_id=flag.narrative_id if flag else None,
        place=place,
        danger_level=level,
        danger_high=high,
        life_safety=life_safety,
        made_by=by,
        made_at=now,
    )
    session.add(alert)
    session.flush()
    _say(session, alert, "Alert", card, codes, by, now, expires_at)
    session.add_all(
        AlertRecipient(alert_id=alert.id, person_id=one.person_id, tier=one.tier, added_at=now)
        for one in first
    )
    if test is not None:
        session.add(AlertThreshold(alert_id=alert.id, assessment_id=test.id))
    elif why_no_test.strip():
        session.add(AlertThreshold(alert_id=alert.id, why_none=" ".join(why_no_test.split())))
    verify(session, alert, grade, by, now)
    _start_clock(session, alert, flag, by, now)
    return alert


def update(
    session: Session,
    alert: Alert,
    card: Card,
    codes: Codes,
    expires_at: datetime | None,
    by: int,
    now: datetime,
) -> AlertMessage:
    """Say what has changed to everybody who got an earlier message. ClosedError, ValueError."""
    must_be_open(session, alert)
    if expires_at is not None and not now < expires_at <= now + AT_MOST:
        raise ValueError("An alert expires after now, and within thirty days.")
    if alert.danger_level > MOST_STATED and not alert.life_safety:
        _signalled(card)
    return _say(
        *(session, alert, "Update", _checked(session, card, alert.flag), codes),
        *(by, now, expires_at),
    )


def cancel(
    session: Session, alert: Alert, why: str, code: str, by: int, now: datetime
) -> AlertMessage:
    """Take an alert back, in front of everybody who got it, and close it by ``code``.

    One that is closed already keeps its code. ValueError without a reason, or taken back before.
    """
    if not why.strip():
        raise ValueError("Say why it is taken back: those who have acted on it will read that.")
    session.execute(select(Alert.id).where(Alert.id == alert.id).with_for_update())
    session.expire(alert, ["messages", "outcome"])
    if any(one.kind == "Cancel" for one in alert.messages):
        raise ValueError("It was taken back already.")
    first, last = alert.messages[0], alert.messages[-1]
    words = {"what": why, "asked": STOP}
    card = _checked(session, Card(**last.card | words), alert.flag)
    if alert.outcome is None:
        close(session, alert, code, why, by, now)
    card = replace(card, headline=f"Taken back: {first.card['headline']}")
    return _say(session, alert, "Cancel", card, Codes("Past", last.severity, "Unlikely"), by, now)


# What pages ask


_WHOLE = (
    selectinload(Alert.messages),
    selectinload(Alert.recipients),
    selectinload(Alert.verifications),
    selectinload(Alert.stamps),
    joinedload(Alert.outcome),
    joinedload(Alert.alert_list),
    joinedload(Alert.narrative),
)


def open_alerts(session: Session, person: int | None = None) -> Sequence[Alert]:
    """Alerts that are not closed, the gravest first, then the oldest, with all that is theirs.

    ``person``: only those that went to this person of the desk.
    """
    return _alerts(session, ~Alert.outcome.has(), person, Alert.danger_level.desc(), Alert.id)


def closed_alerts(session: Session, since: datetime, person: int | None = None) -> Sequence[Alert]:
    """Alerts closed since then, the latest first."""
    return _alerts(session, Alert.outcome.has(AlertOutcome.at >= since), person, Alert.id.desc())


def open_and_closed(
    session: Session, since: datetime, person: int | None = None
) -> tuple[list[Alert], list[Alert]]:
    """``open_alerts`` and ``closed_alerts`` read together: half the queries."""
    which = ~Alert.outcome.has() | Alert.outcome.has(AlertOutcome.at >= since)
    found = _alerts(session, which, person, Alert.danger_level.desc(), Alert.id)
    closed = [one for one in found if one.outcome is not None]
    stands = [one for one in found if one.outcome is None]
    return stands, sorted(closed, key=lambda one: -one.id)


def unacknowledged(session: Session, person: int) -> Sequence[Alert]:
    """Open alerts that went to this person, who has not said that they have them, with messages."""
    mine = Alert.recipients.any(
        (AlertRecipient.person_id == person) & AlertRecipient.acknowledged_at.is_(None)
    )
    query = select(Alert).where(~Alert.outcome.has(), mine).options(joinedload(Alert.messages))
    found = session.scalars(query.order_by(Alert.danger_level.desc(), Alert.id))
    return found.unique().all()


def alerts_on(session: Session, flag: Flag) -> Sequence[Alert]:
    """The alerts that were sent on a flag, or on its narrative, newest first."""
    on = Alert.flag_id == flag.id
    if flag.narrative is not None:
        on |= Alert.narrative_id.in_(family(flag.narrative))
    return _alerts(session, on, None, Alert.id.desc())


def _alerts(
    session: Session,
    which: ColumnElement[bool],
    person: int | None,
    *order: ColumnElement[Any] | InstrumentedAttribute[Any],
) -> Sequence[Alert]:
    query = select(Alert).where(which).options(*_WHOLE).order_by(*order)
    if person is not None:
        query = query.where(Alert.recipients.any(AlertRecipient.person_id == person))
    return session.scalars(query).unique().all()


# How an alert is made


def _first_tier(alert_list: AlertList) -> list[AlertListMember]:
    members = alert_lists.current(alert_list)
    if not members:
        raise ValueError(f"Nobody is on the list “{alert_list.name}”.")
    return [one for one in members if one.tier == members[0].tier]


def _level(
    session: Session,
    flag: Flag | None,
    card: Card,
    stated: int,
    by: int,
    now: datetime,
) -> tuple[int, int, bool]:
    """Level, upper end and whether it is life-safety; ValueError where the rules forbid it."""
    if flag is not None and (flag.decision is None or flag.decision.decision != "confirmed"):
        raise ValueError("Nobody has confirmed this flag yet: look at it first, then warn.")
    danger = danger_for(session, flag, now)
    if flag is not None and flag.decision is not None:
        _agreed(second_looks.state_of(flag.decision), danger is not None and danger.life_safety)
    if danger is None:
        if stated not in LEVELS:
            raise ValueError("Choose how grave it is: Concern, High or Critical.")
        level, high, life_safety = stated, stated, False
        if level > MOST_STATED and not card.signal.strip():
            raise ValueError(
                "Without a narrative that the rules have judged, nothing above Concern goes out "
                "but on a local or offline sign: say which."
            )
    else:
        level, high, life_safety = danger.alert_level, danger.high, danger.life_safety
        if level < LEAST_LEVEL:
            wait = " Its situation is not coded in full." if danger.provisional else ""
            raise ValueError(f"The rules give D{level}: nobody is alerted below D2.{wait}")
    if level > MOST_STATED and not life_safety:
        _signalled(card)
        # Author and approver apart: the cure that followed the false alert of Hawaii in 2018.
        if flag is not None and flag.decision is not None and flag.decision.by == by:
            raise ValueError(
                f"You confirmed this flag; above D{MOST_STATED} somebody else has to send the "
                "alert. Two people look before it goes out."
            )
    return level, high, life_safety


def _agreed(state: str, life_safety: bool) -> None:
    """A warning waits for no second person, but where two differ it waits for the third."""
    if state == "overruled":
        raise ValueError("Two people do not see what was confirmed here: nobody is alerted on it.")
    if state == "disputed" and not life_safety:
        raise ValueError("Two people disagree on this flag: a third looks before anybody is told.")


def _tested(
    session: Session, flag: Flag | None, at_once: bool, why_no_test: str, now: datetime
) -> RabatAssessment | None:
    """The threshold test an alert stands on, if any. ValueError where it needs one or a reason.

    Only where the rules judged speech: a local sign alone has no words to be tested. ``at_once``:
    whoever is in danger is warned first, and a drill refers nobody.
    """
    about = rabat.about(session, flag) if flag is not None else None
    test = rabat.standing(session, about) if about is not None else None
    danger = danger_for(session, flag, now)
    if test is not None or at_once or danger is None or danger.low < rabat.FROM_LEVEL:
        return test
    if not why_no_test.strip():
        raise ValueError(
            f"At D{danger.low} a person fills in the threshold test before anybody outside is "
            "told. Do it, or write why it goes out without."
        )
    tidy(why_no_test, "Why there is no threshold test", rabat.REASON_CHARS)
    return None


def _signalled(card: Card) -> None:
    if not card.signal.strip() and not card.no_signal.strip():
        raise ValueError(
            "Above Concern an alert needs a local or offline sign, or a reason why there is none: "
            "online hate alone does not predict violence."
        )


def _checked(session: Session, card: Card, flag: Flag | None) -> Card:
    """The card with its lines tidied. ValueError for one empty, too long, or said in a post."""
    lines = {}
    for key, (name, most) in CARD.items():
        text = " ".join(str(getattr(card, key)).split())
        if text or key not in OPTIONAL:
            text = tidy(text, name, most)
        if TRACES.search(text):
            raise ValueError(f"“{name}” holds a link or a handle: say it without.")
        lines[key] = text
    said = [lines[key] for key in CARD]
    for theirs in words_about(session, flag) if flag is not None else ():
        for line in said:
            if run := shared_run(line, theirs):
                raise ValueError(
                    f"“{run}” stands in a post, and words lead back to who wrote them: say it in "
                    "your own."
                )
    return Card(**lines)


def _say(
    session: Session,
    alert: Alert,
    kind: str,
    card: Card,
    codes: Codes,
    by: int,
    now: datetime,
    expires_at: datetime | None = None,
) -> AlertMessage:
    message = AlertMessage(
        alert_id=alert.id,
        identifier=f"breakwater-{alert.id}-{uuid4()}",
        kind=kind,
        scope=SCOPE,
        urgency=codes.urgency,
        severity=codes.severity,
        certainty=codes.certainty,
        card=asdict(card),
        sent_by=by,
        sent_at=now,
        expires_at=expires_at,
    )
    session.add(message)
    session.flush()
    session.expire(alert, ["messages"])
    return message


def _start_clock(session: Session, alert: Alert, flag: Flag | None, by: int, now: datetime) -> None:
    """The stages before the alert, as far as its flag knows them."""
    if flag is not None and flag.decision is not None:
        for stage, at, who in (
            (alert_clock.POSTED, flag.posted_at, None),
            (alert_clock.COLLECTED, flag.collected_at, None),
            (alert_clock.FLAGGED, flag.raised_at, None),
            (alert_clock.TRIAGED, flag.decision.at, flag.decision.by),
        ):
            if at is not None:
                alert_clock.stamp(session, alert, stage, at, who)
    alert_clock.stamp(session, alert, alert_clock.SENT, now, by)
