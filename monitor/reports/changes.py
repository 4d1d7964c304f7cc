"""What changed between two moments: flags, alerts, danger levels, narratives, situations.

All of it is read from the rows that the deeds themselves left; nothing is kept for this.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    ScalarSelect,
    Select,
    Text,
    case,
    cast,
    desc,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased, joinedload

from monitor import triggers
from monitor.alerts import alert_clock
from monitor.alerts.alert_course import OUTCOMES
from monitor.coding.situations import NarrativeDanger, danger_then_and_now, week_of
from monitor.flags import second_looks
from monitor.flags.flags import is_call, name_of
from monitor.models import (
    Alert,
    AlertMessage,
    AlertOutcome,
    AlertRecipient,
    AlertStamp,
    Flag,
    FlagDecision,
    HourlyCount,
    Narrative,
    Revision,
    SecondLook,
    SecondRequest,
    SituationCoding,
    TriggerEvent,
    Verification,
)
from monitor.narratives.narratives import HOUR, standing
from sources.db import UTCDateTime
from sources.models import Watch

JUDGED = 200  # narratives whose danger is reckoned at both moments, the newest dangerous ones
READ = 300  # rows of one kind: who was away longer reads the report of the week
TELLING_STAGES = (alert_clock.RESPONSE_CHOSEN, alert_clock.ENGAGED, alert_clock.REVIEWED)
SAYS = {"Alert": "sent", "Update": "updated", "Cancel": "taken back"}
DID = {  # a revision that is done, and one that is undone
    "merge": ("merged into another", "merging undone"),
    "split": ("split", "splitting undone"),
    "rename": ("named", "naming undone"),
    "dismiss": ("put away", "brought back"),
}


@dataclass(frozen=True)
class Step:
    """One thing that happened, and whose deed it was."""

    what: str
    at: datetime | None  # empty where only before and after are known
    by: int | None = None  # empty: the machine
    said: str = ""  # their reason, in their words


@dataclass(frozen=True)
class Change:
    """All that happened to one thing, the oldest first."""

    kind: str  # alert, danger, call (one post that called somebody), flag, report, narrative …
    key: int  # its id
    name: str
    steps: list[Step]
    grave: int = 0  # 0 to 4; those of one kind are told by it
    place: str = ""  # FIPS
    also: list[tuple[int, str]] = field(default_factory=list)  # narratives it leads to

    @property
    def last_at(self) -> datetime | None:
        """When the last of it happened."""
        return max((one.at for one in self.steps if one.at is not None), default=None)


def changes(session: Session, since: datetime, now: datetime, ahead: datetime) -> list[Change]:
    """What happened after ``since`` and up to ``now``; each kind by gravity, then the newest.

    After it the events that touch the time up to ``ahead``, the soonest first.
    """
    told: dict[str, list[Any]] = {}
    for row in session.execute(_told(since, now, ahead)):
        told.setdefault(row.kind, []).append(row)
    found = [
        *_alerts(told.get("alert", [])),
        *_dangers(session, since, now),
        *_flags(session, since, now),
        *_narratives(told.get("narrative", [])),
        *_alone(told.get("situation", [])),
    ]
    found.sort(key=lambda one: (-one.grave, -(one.last_at or now).timestamp()))
    return [*found, *_alone(told.get("trigger", []))]


def lapsed(since: datetime, now: datetime) -> ScalarSelect[int]:
    """How many situations were coded for a week that has ended in this time, and not anew since.

    As part of a query.
    """
    week, was = week_of(now), week_of(since)
    pair = (SituationCoding.narrative_id, SituationCoding.place)
    ended = select(*pair).where(SituationCoding.week == was, literal(was) != week).distinct()
    again = select(*pair).where(SituationCoding.week == week)
    number = select(func.count()).select_from(ended.except_(again).subquery())
    return number.scalar_subquery()


def _within(
    column: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None],
    since: datetime,
    now: datetime,
) -> ColumnElement[bool]:
    return (column > since) & (column <= now)


# What rows tell by themselves, in one query


def _told(since: datetime, now: datetime, ahead: datetime) -> CompoundSelect[Any]:
    """Steps of alerts, situations, revisions of narratives, and events: the oldest first."""
    event = TriggerEvent
    begins = case((event.starts_at <= now, "goes on since"), else_="begins")
    events = row_of("trigger", event.id, event.name, begins, event.starts_at, place=event.place)
    return union_all(
        _steps_of_alerts(since, now),
        newest(_situations(since, now)),
        newest(_revisions(since, now)),
        events.where(triggers.touching(now, ahead)),
    ).order_by("at", "turn", "key")


def row_of(kind: str, key: Any, name: Any, what: Any, at: Any, **more: Any) -> Select[Any]:
    """One kind of steps, in the columns that all kinds share."""
    shared: tuple[ColumnElement[Any], ...] = (
        literal(kind, Text).label("kind"),
        cast(key, Integer).label("key"),
        cast(name, Text).label("name"),
        cast(more.get("how", ""), Text).label("how"),  # of what kind the step is
        cast(what, Text).label("what"),
        cast(at, UTCDateTime).label("at"),
        cast(more.get("turn", 0), Integer).label("turn"),  # among those of one moment
        cast(more.get("by", null()), Integer).label("by"),
        cast(more.get("said", ""), Text).label("said"),
        cast(more.get("grave", 0), Integer).label("grave"),
        cast(more.get("place", ""), Text).label("place"),
        cast(more.get("other", null()), Integer).label("other"),
        cast(more.get("other_title", ""), Text).label("other_title"),
    )
    return select(*shared)


def newest(steps: Select[Any]) -> Select[Any]:
    """The newest READ steps of one kind."""
    found = steps.order_by(desc("at"), desc("turn")).limit(READ).subquery()
    return select(*found.c)


def _alone(rows: Iterable[Any]) -> Iterator[Change]:
    """Rows of which each is a change of its own."""
    for row in rows:
        steps = [Step(row.what, row.at, row.by, row.said)]
        yield Change(row.kind, row.key, row.name, steps, place=row.place)


def _steps_of_alerts(since: datetime, now: datetime) -> Select[Any]:
    """Everything that happened to alerts in this time, of the newest READ alerts."""

    def steps(
        turn: int, how: str, table: Any, at: Any, by: Any, what: Any, said: Any = "", *more: Any
    ) -> Any:
        return select(
            literal(turn).label("turn"),
            literal(how, Text).label("how"),
            table.alert_id.label("alert_id"),
            cast(what, Text).label("what"),
            cast(at, UTCDateTime).label("at"),
            cast(by, Integer).label("by"),
            cast(said, Text).label("said"),
        ).where(_within(at, since, now), *more)

    message, recipient, stamp = AlertMessage, AlertRecipient, AlertStamp
    happened = union_all(
        steps(1, "message", message, message.sent_at, message.sent_by, message.kind),
        steps(
            *(2, "acknowledged", recipient, recipient.acknowledged_at),
            *(recipient.person_id, literal("")),
        ),
        steps(
            *(3, "grade", Verification, Verification.at),
            *(Verification.by, Verification.level, Verification.why),
        ),
        steps(
            *(4, "stamp", stamp, stamp.at, stamp.by, stamp.stage, stamp.note),
            stamp.stage.in_(TELLING_STAGES),
        ),
        steps(
            *(5, "outcome", AlertOutcome, AlertOutcome.at),
            *(AlertOutcome.by, AlertOutcome.code, AlertOutcome.note),
        ),
    ).cte("happened")
    latest = (
        select(happened.c.alert_id)
        .distinct()
        .order_by(happened.c.alert_id.desc())
        .limit(READ)
        .subquery()
    )
    headline = (
        select(message.card["headline"].as_string())
        .where(message.alert_id == Alert.id)
        .order_by(message.id)
        .limit(1)
        .correlate(Alert)
        .scalar_subquery()
    )
    one = happened.c
    return (
        row_of(
            *("alert", Alert.id),
            case((Alert.exercise, "Exercise: "), else_="") + func.coalesce(headline, "An alert"),
            *(one.what, one.at),
            how=one.how,
            turn=one.turn,
            by=one.by,
            said=one.said,
            grave=case((Alert.exercise, 0), else_=Alert.danger_level),
            place=Alert.place,
        )
        .join(happened, one.alert_id == Alert.id)
        .join(latest, latest.c.alert_id == Alert.id)
    )


def _alerts(rows: Iterable[Any]) -> Iterator[Change]:
    changes: dict[int, Change] = {}
    for row in rows:
        alert = Change(row.kind, row.key, row.name, [], row.grave, row.place)
        step = Step(_did(row), row.at, row.by, row.said)
        changes.setdefault(row.key, alert).steps.append(step)
    yield from changes.values()


def _did(row: Any) -> str:
    """What a row of ``_steps_of_alerts`` says in words."""
    if row.how == "stamp":
        return alert_clock.STAGES[int(row.what)].lower()
    if row.how == "outcome":
        return f"closed: {OUTCOMES[row.what].lower()}"
    if row.how == "message":
        return SAYS[row.what]
    return f"graded {row.what}" if row.how == "grade" else "acknowledged"


def _situations(since: datetime, now: datetime) -> Select[Any]:
    one = SituationCoding
    row = row_of(
        *("situation", Narrative.id, Narrative.title, "coded", one.at),
        turn=one.id,
        by=one.by,
        said=one.reason,
        place=one.place,
    )
    row = row.join_from(one, Narrative, Narrative.id == one.narrative_id)
    return row.where(_within(one.at, since, now))


def _revisions(since: datetime, now: datetime) -> Select[Any]:
    """Each with who settled it: accepted what the machine proposed, or made it themselves."""
    one, other = Revision, aliased(Narrative)
    row = row_of(
        *("narrative", Narrative.id, Narrative.title, one.kind),
        func.coalesce(one.settled_at, one.made_at),
        by=func.coalesce(one.settled_by, one.made_by),
        how=one.state,
        turn=one.id,
        said=one.text,
        other=other.id,
        other_title=other.title,
    )
    row = row.join_from(one, Narrative, Narrative.id == one.narrative_id)
    return row.outerjoin(other, other.id == one.other_id).where(
        one.kind.in_(DID),
        one.state.in_(("done", "undone")),
        _within(one.made_at, since, now) | _within(one.settled_at, since, now),
    )


def _narratives(rows: Iterable[Any]) -> Iterator[Change]:
    changes: dict[int, Change] = {}
    for row in rows:
        done, undone = DID[row.what]
        if row.how == "undone":
            step = Step(undone, row.at, row.by)
        else:
            step = Step(done, row.at, row.by, row.said)
        change = changes.setdefault(row.key, Change(row.kind, row.key, row.name, []))
        change.steps.append(step)
        if row.other is not None and (row.other, row.other_title) not in change.also:
            change.also.append((row.other, row.other_title))
    yield from changes.values()


def _dangers(session: Session, since: datetime, now: datetime) -> Iterator[Change]:
    """Narratives whose level is not what it was, but for the end of a week alone."""
    spoke = exists().where(
        HourlyCount.narrative_id == Narrative.id,
        HourlyCount.hour > since - HOUR,
        HourlyCount.dangerous_posts > 0,
    )
    coded = exists().where(
        SituationCoding.narrative_id == Narrative.id, _within(SituationCoding.at, since, now)
    )
    candidates = (
        select(Narrative.id)
        .where(*standing(), Narrative.dismissed_at.is_(None))
        .where(or_((Narrative.last_post_at > since) & spoke, coded))
        .order_by(Narrative.last_post_at.desc())
        .limit(JUDGED)
    )
    for one in danger_then_and_now(session, candidates, since, now):
        was, stands = one.was, one.stands
        if (was.low, was.high) != (stands.low, stands.high):
            steps = [Step(f"{_range(was)} to {_range(stands)}", None)]
            grave = max(was.low, stands.low)
            yield Change("danger", one.narrative, one.title, steps, grave, stands.place)


def _range(danger: NarrativeDanger) -> str:
    if danger.low == danger.high:
        return f"D{danger.low}"
    return f"D{danger.low}–D{danger.high}"


def _flags(session: Session, since: datetime, now: datetime) -> Iterator[Change]:
    """Flags of the machine and reports of people: raised, decided, looked at by a second person."""
    decision = joinedload(Flag.decision)
    query = (
        select(Flag)
        .where(
            or_(
                _within(Flag.raised_at, since, now),
                Flag.decision.has(
                    or_(
                        _within(FlagDecision.at, since, now),
                        FlagDecision.request.has(_within(SecondRequest.at, since, now)),
                        FlagDecision.looks.any(_within(SecondLook.at, since, now)),
                    )
                ),
            )
        )
        .options(
            decision.joinedload(FlagDecision.request),
            decision.joinedload(FlagDecision.looks),
            joinedload(Flag.narrative),
            joinedload(Flag.watch).joinedload(Watch.versions),
        )
        .order_by(Flag.id.desc())
        .limit(READ)
    )
    for flag in session.scalars(query).unique():
        steps = [one for one in _steps_of_flag(flag) if one.at and since < one.at <= now]
        if flag.decision is None:
            steps.append(Step("still open", None))
        elif (state := second_looks.state_of(flag.decision)) in second_looks.OPEN:
            steps.append(Step(second_looks.STATES[state], None))
        yield Change(
            *(_kind_of(flag), flag.id, name_of(flag), steps),
            grave=4 if is_call(flag) else flag.level,
            place=flag.place or "",
        )


def _kind_of(flag: Flag) -> str:
    if is_call(flag):
        return "call"
    return "report" if flag.kind == "report" else "flag"


def _steps_of_flag(flag: Flag) -> Iterator[Step]:
    if flag.kind == "report":
        yield Step("reported", flag.raised_at, flag.raised_by, flag.reasons[0]["text"])
    else:
        yield Step("raised", flag.raised_at)
    decision = flag.decision
    if decision is None:
        return
    yield Step(decision.decision, decision.at, decision.by, decision.reason)
    if decision.request is not None:
        yield Step("a second person asked for", decision.request.at)
    for look in sorted(decision.looks, key=lambda one: one.id):
        yield Step(f"a second person {look.says}", look.at, look.by, look.reason)
