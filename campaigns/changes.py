"""What changed between two moments in what we do: answers, messages and their fate, stops."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session, aliased, joinedload

from campaigns.campaigns import STRATEGIES, answered_since
from campaigns.models import (
    Account,
    Approval,
    Campaign,
    Decline,
    Delivery,
    Hold,
    Message,
    MessageVersion,
    ReadBack,
    Retraction,
    Stop,
    Submission,
    Voice,
)
from campaigns.publishers import PLATFORMS
from campaigns.sending.deliveries import shown_once
from monitor.models import Narrative
from monitor.reports.changes import READ, Change, Step, newest, row_of
from sources.db import UTCDateTime

# How a delivery ended, in the words of a list, and how grave that is.
FATES = {
    "published": ("published", 0),
    "rejected": ("refused by the platform", 2),
    "missed": ("missed its time, and was not sent", 2),
    "withdrawn": ("stopped", 1),
}
DECIDED = {  # how a retraction was decided
    "approved": "to be taken down, says its leader",
    "declined": "stays up, says its leader",
    "own wish": "to be taken down, as its leader wishes",
    "emergency": "to be taken down at once",
}


def changes(session: Session, since: datetime, now: datetime) -> list[Change]:
    """Messages, answers and stops to which something happened after ``since``, up to ``now``.

    A message by its latest step, what failed first.
    """
    told: dict[str, list[Any]] = {}
    for row in session.execute(_told(since, now)):
        told.setdefault(row.kind, []).append(row)
    found = [
        *_messages(told.get("message", []), _steps_of_deliveries(session, since, now), now),
        *_answers(told.get("strategy", [])),
        *_stops(told.get("stop", [])),
    ]
    return sorted(found, key=lambda one: (-one.grave, -(one.last_at or now).timestamp()))


def published(session: Session, since: datetime, until: datetime) -> list[Delivery]:
    """What went out in this time (``since`` included), with voice, account and narrative."""
    return list(
        session.scalars(
            select(Delivery)
            .where(
                Delivery.state == "published",
                Delivery.settled_at >= since,
                Delivery.settled_at < until,
                shown_once(),
            )
            .options(
                joinedload(Delivery.account).joinedload(Account.voice),
                joinedload(Delivery.approval)
                .joinedload(Approval.version)
                .joinedload(MessageVersion.message)
                .joinedload(Message.campaign)
                .joinedload(Campaign.narrative),
            )
            .order_by(Delivery.settled_at, Delivery.id)
        )
    )


def chosen(session: Session, since: datetime, until: datetime) -> list[Campaign]:
    """Strategies chosen in this time (``since`` included), holding among them, oldest first."""
    query = select(Campaign).where(Campaign.opened_at >= since, Campaign.opened_at < until)
    return list(
        session.scalars(query.options(joinedload(Campaign.narrative)).order_by(Campaign.id))
    )


# What rows tell by themselves, in one query


def _told(since: datetime, now: datetime) -> CompoundSelect[Any]:
    """Steps of versions, answers and stops, as rows of changes: the oldest first."""
    kinds = (_steps_of_versions, _answers_chosen, _holds_due, _presses, _lifts)
    steps = union_all(*(newest(kind(since, now)) for kind in kinds))
    return steps.order_by("at", "turn")


def _within(column: Any, since: datetime, now: datetime) -> ColumnElement[bool]:
    return and_(column > since, column <= now)


def _steps_of_versions(since: datetime, now: datetime) -> Select[Any]:
    """What happened to versions of messages: submitted, approved, taken back, declined."""

    def steps(table: Any, at: Any, by: Any, what: Any, grave: Any, said: Any = "") -> Any:
        return select(
            table.version_id.label("version_id"),
            *(cast(at, UTCDateTime).label("at"), cast(by, Integer).label("by")),
            *(cast(what, Text).label("what"), cast(said, Text).label("said")),
            cast(grave, Integer).label("grave"),
        ).where(_within(at, since, now))

    yes, released = Approval, Approval.release_id.is_not(None)
    how = case((released, "released in an emergency"), else_="approved")
    one = union_all(
        steps(Submission, Submission.at, Submission.by, "submitted", 0),
        steps(yes, yes.approved_at, yes.approved_by, how, case((released, 1), else_=0)),
        steps(yes, yes.withdrawn_at, yes.withdrawn_by, "approval withdrawn", 1, yes.withdrawn_why),
        steps(Decline, Decline.at, Decline.by, "declined", 1, Decline.reason),
    ).subquery()
    name = Voice.name + ", on " + Narrative.title
    row = row_of(
        *("message", Message.id, name, one.c.what, one.c.at),
        turn=one.c.version_id,
        by=one.c.by,
        said=func.coalesce(one.c.said, ""),
        grave=one.c.grave,
    )
    return (
        row.join_from(one, MessageVersion, MessageVersion.id == one.c.version_id)
        .join(MessageVersion.message)
        .join(Message.voice)
        .join(Message.campaign)
        .join(Campaign.narrative)
    )


def _answers_chosen(since: datetime, now: datetime) -> Select[Any]:
    """Answers that were chosen, holding among them."""
    row = row_of(
        *("strategy", func.coalesce(Narrative.merged_into, Narrative.id), Narrative.title),
        *(Campaign.strategy, Campaign.opened_at),
        how="chosen",
        turn=Campaign.id,
        by=Campaign.opened_by,
        said=func.coalesce(Hold.why, ""),
    )
    row = row.join_from(Campaign, Narrative, Campaign.narrative).outerjoin(Campaign.hold)
    return row.where(_within(Campaign.opened_at, since, now))


def _holds_due(since: datetime, now: datetime) -> Select[Any]:
    """Holds whose day has come, and that nobody has answered since."""
    own = aliased(Narrative)
    row = row_of(
        *("strategy", func.coalesce(own.merged_into, own.id), own.title),
        *("its day has come: look again", Hold.until),
        how="due",
        turn=Campaign.id,
        grave=2,
    )
    row = row.join_from(Campaign, own, own.id == Campaign.narrative_id).join(Campaign.hold)
    return row.where(_within(Hold.until, since, now), ~answered_since(own))


def _presses(since: datetime, now: datetime) -> Select[Any]:
    return _of_stops("stopped", Stop.pressed_at, Stop.pressed_by, Stop.reason, since, now)


def _lifts(since: datetime, now: datetime) -> Select[Any]:
    return _of_stops("lifted", Stop.lifted_at, Stop.lifted_by, Stop.lifted_why, since, now)


def _of_stops(
    what: str, at: Any, by: Any, said: Any, since: datetime, now: datetime
) -> Select[Any]:
    """Presses of the kill switch, or those lifted. What still stands is the gravest, by scope."""
    name = case(
        (Stop.voice_id.is_not(None), "Everything of " + Voice.name),
        (Stop.campaign_id.is_not(None), "The campaign on " + Narrative.title),
        else_="Everything",
    )
    grave = case((Stop.lifted_at.is_not(None), 0), (Stop.scope == "organisation", 4), else_=3)
    row = row_of("stop", Stop.id, name, what, at, turn=Stop.id, by=by, said=said, grave=grave)
    row = row.select_from(Stop).outerjoin(Stop.voice).outerjoin(Stop.campaign)
    return row.outerjoin(Campaign.narrative).where(_within(at, since, now))


def _answers(rows: Iterable[Any]) -> Iterator[Change]:
    """One change for each campaign."""
    by_campaign: dict[int, list[Any]] = {}
    for row in rows:
        by_campaign.setdefault(row.turn, []).append(row)
    for some in by_campaign.values():
        steps = [
            Step(f"answer chosen: {STRATEGIES[row.what].name.lower()}", row.at, row.by, row.said)
            if row.how == "chosen"
            else Step(row.what, row.at)
            for row in some
        ]
        grave = max(row.grave for row in some)
        yield Change("strategy", some[0].key, some[0].name, steps, grave)


def _stops(rows: Iterable[Any]) -> Iterator[Change]:
    by_stop: dict[int, list[Any]] = {}
    for row in rows:
        by_stop.setdefault(row.key, []).append(row)
    for stop, some in by_stop.items():
        steps = [Step(row.what, row.at, row.by, row.said) for row in some]
        if some[0].grave:
            steps.append(Step("still stopped", None))
        yield Change("stop", stop, some[0].name, steps, some[0].grave)


# Messages


def _messages(
    rows: Iterable[Any], sent: Iterable[tuple[Message, Step, int]], now: datetime
) -> Iterator[Change]:
    """By message what happened to its versions, and to what was ``sent`` of it."""
    names: dict[int, str] = {}
    steps: dict[int, list[tuple[Step, int]]] = {}
    for row in rows:
        names[row.key] = row.name
        step = Step(row.what, row.at, row.by, row.said)
        steps.setdefault(row.key, []).append((step, row.grave))
    for message, step, grave in sent:
        names[message.id] = f"{message.voice.name}, on {message.campaign.narrative.title}"
        steps.setdefault(message.id, []).append((step, grave))
    for key, some in steps.items():
        yield Change(
            *("message", key, names[key]),
            sorted((step for step, _ in some), key=lambda one: one.at or now),
            grave=max(grave for _, grave in some),
        )


def _steps_of_deliveries(
    session: Session, since: datetime, now: datetime
) -> Iterator[tuple[Message, Step, int]]:
    """The same of its deliveries: how each ended, and what became of it out there."""
    asked = aliased(Retraction)
    touched = (
        select(asked.id)
        .where(
            asked.delivery_id == Delivery.id,
            or_(
                *(
                    (at > since) & (at <= now)
                    for at in (
                        *(asked.proposed_at, asked.decided_at),
                        *(asked.settled_at, asked.reviewed_at),
                    )
                )
            ),
        )
        .exists()
    )
    message = (
        joinedload(Delivery.approval)
        .joinedload(Approval.version)
        .joinedload(MessageVersion.message)
    )
    query = (
        select(Delivery, ReadBack.removed_at, Retraction)
        .outerjoin(ReadBack, ReadBack.delivery_id == Delivery.id)
        .outerjoin(Retraction, Retraction.delivery_id == Delivery.id)
        .where(
            or_(
                (Delivery.settled_at > since) & (Delivery.settled_at <= now) & shown_once(),
                (ReadBack.removed_at > since) & (ReadBack.removed_at <= now),
                touched,
            )
        )
        .options(
            joinedload(Delivery.account),
            message.joinedload(Message.voice),
            message.joinedload(Message.campaign).joinedload(Campaign.narrative),
        )
        .order_by(Delivery.id.desc(), Retraction.id)
        .limit(READ)
    )
    ended: set[int] = set()
    for delivery, removed_at, retraction in session.execute(query):
        told: list[tuple[Step, int]] = []
        if delivery.id not in ended:  # it comes once for each time somebody wanted it down
            ended.add(delivery.id)
            what, grave = FATES.get(delivery.state, (delivery.state, 1))
            said = "" if delivery.state == "published" else delivery.detail
            told.append((Step(what, delivery.settled_at, None, said), grave))
            told.append((Step("removed there, not by us", removed_at), 3))
        if retraction is not None:
            told += _steps_of_retraction(retraction)
        where = PLATFORMS.get(delivery.account.platform, delivery.account.platform)
        for step, grave in told:
            if step.at is not None and since < step.at <= now:
                named = replace(step, what=f"{step.what}: {where}")
                yield delivery.approval.version.message, named, grave


def _steps_of_retraction(one: Retraction) -> Iterator[tuple[Step, int]]:
    if one.decided_how in ("own wish", "emergency"):
        yield Step(DECIDED[one.decided_how], one.decided_at, one.decided_by, one.reason), 2
    else:
        yield Step("to be taken down?", one.proposed_at, one.proposed_by, one.reason), 2
        if one.decided_how is not None:
            said = DECIDED[one.decided_how]
            yield Step(said, one.decided_at, one.decided_by, one.decided_why), 1
    if one.state in ("carried_out", "failed"):
        down = one.state == "carried_out"
        yield Step(one.word, one.settled_at, None, one.outcome), 1 if down else 3
    if one.review is not None:
        said = f"its leader {one.review}"
        yield Step(said, one.reviewed_at, one.reviewed_by, one.review_note), 1
