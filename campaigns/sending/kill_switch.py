"""The kill switch: one press, and nothing of an organisation, a campaign or a voice goes out.

Pressing and sending wait for one another: from the moment a press is committed no call begins.
What was on its way in that moment is named with the press. Verbs never commit.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from campaigns.models import (
    Account,
    Approval,
    Campaign,
    Delivery,
    Message,
    MessageVersion,
    Stop,
    Voice,
)
from campaigns.sending import deliveries

SCOPES = ("organisation", "campaign", "voice")
ON_ITS_WAY = ("attempting", "unconfirmed")  # a call is under way, or its end is not known
# Holds a press back while a worker goes from its last look to its call, and the other way round.
GATE = func.hashtext("breakwater-stops")


class SecondPersonNeededError(ValueError):
    """Whoever pressed a switch cannot lift it."""


def press(
    session: Session, target: Campaign | Voice | None, *, reason: str, by: int, now: datetime
) -> Stop:
    """Stop a campaign, a voice or (None) everything. What is stopped already stays as it is.

    ValueError without a reason: whoever lifts it must know what to look at.
    """
    if not reason.strip():
        raise ValueError("Say in a word why: whoever lifts the stop must know what to look at.")
    session.execute(select(func.pg_advisory_xact_lock(GATE)))
    same = (
        Stop.scope == scope_of(target),
        Stop.campaign_id.is_not_distinct_from(target.id if isinstance(target, Campaign) else None),
        Stop.voice_id.is_not_distinct_from(target.id if isinstance(target, Voice) else None),
    )
    standing = session.scalar(select(Stop).where(*same, Stop.lifted_at.is_(None)))
    if standing is not None:
        return standing
    stop = Stop(
        scope=scope_of(target),
        campaign=target if isinstance(target, Campaign) else None,
        voice=target if isinstance(target, Voice) else None,
        reason=reason.strip(),
        pressed_by=by,
        pressed_at=now,
        under_way=_within(session, target, ON_ITS_WAY),
    )
    session.add(stop)
    session.flush()
    return stop


def lift(session: Session, stop: Stop, *, why: str, by: int, now: datetime) -> None:
    """End a stop: what waited and is still fresh goes out, each after its own checks once more.

    Raises SecondPersonNeededError, or ValueError without words or when it was lifted before.
    """
    session.refresh(stop, with_for_update=True)
    if stop.lifted_at is not None:
        raise ValueError("This stop was lifted before.")
    if not why.strip():
        raise ValueError("Say why it may go on.")
    if by == stop.pressed_by:
        raise SecondPersonNeededError("You pressed it: another person must lift it.")
    stop.lifted_by, stop.lifted_at, stop.lifted_why = by, now, why.strip()
    session.flush()


def close_gate(session: Session) -> None:
    """For whoever is about to call: no press is committed before this transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock_shared(GATE)))


def standing(session: Session) -> list[Stop]:
    """Every stop that holds now, those of the whole organisation first, then the newest."""
    return list(
        session.scalars(
            select(Stop)
            .where(Stop.lifted_at.is_(None))
            .options(joinedload(Stop.voice), joinedload(Stop.campaign))
            .order_by(Stop.scope != "organisation", Stop.id.desc())
        )
    )


def widest_first(stop: Stop) -> tuple[bool, int]:
    """The order of ``standing``, for who has read the stops along with something else."""
    return stop.scope != "organisation", -stop.id


def standing_on(
    session: Session, *, campaigns: Collection[int] = (), voices: Collection[int] = ()
) -> list[Stop]:
    """The stops that hold for these campaigns or voices, or for everything, the widest first."""
    return list(
        session.scalars(
            select(Stop)
            .where(
                Stop.lifted_at.is_(None),
                or_(
                    Stop.scope == "organisation",
                    and_(Stop.scope == "campaign", Stop.campaign_id.in_(campaigns)),
                    and_(Stop.scope == "voice", Stop.voice_id.in_(voices)),
                ),
            )
            .order_by(Stop.scope != "organisation", Stop.id)
        )
    )


def covers(stop: Stop, message: Message) -> bool:
    """Whether a stop holds for a message."""
    if stop.scope == "campaign":
        return stop.campaign_id == message.campaign_id
    return stop.scope == "organisation" or stop.voice_id == message.voice_id


def history(session: Session, limit: int = 50) -> list[Stop]:
    """Stops that were lifted, the newest first."""
    return list(
        session.scalars(
            select(Stop)
            .where(Stop.lifted_at.is_not(None))
            .options(joinedload(Stop.voice), joinedload(Stop.campaign))
            .order_by(Stop.lifted_at.desc(), Stop.id.desc())
            .limit(limit)
        )
    )


def waiting_behind(session: Session, stop: Stop) -> list[Delivery]:
    """What a stop holds back: scheduled, taken up or to be tried again, the soonest due first."""
    target, once = stop.campaign or stop.voice, deliveries.shown_once()
    return _within(session, target, deliveries.STOPPABLE, once)


def scope_of(target: Campaign | Voice | None) -> str:
    """The scope of a stop of this target."""
    if target is None:
        return "organisation"
    return "campaign" if isinstance(target, Campaign) else "voice"


def _within(
    session: Session,
    target: Campaign | Voice | None,
    states: Collection[str],
    *narrower: ColumnElement[bool],
) -> list[Delivery]:
    """The deliveries of a scope in these states, with all a page shows of them."""
    whole = joinedload(Delivery.approval).joinedload(Approval.version)
    query = (
        select(Delivery)
        .join(Delivery.account)
        .where(Delivery.state.in_(states), *narrower)
        .options(
            joinedload(Delivery.account).joinedload(Account.voice),
            whole.joinedload(MessageVersion.message).joinedload(Message.campaign),
            selectinload(Delivery.attempts),
        )
        .order_by(Delivery.due_at, Delivery.id)
    )
    if isinstance(target, Voice):
        query = query.where(Account.voice_id == target.id)
    if isinstance(target, Campaign):
        query = query.where(
            Delivery.approval.has(
                Approval.version.has(MessageVersion.message.has(Message.campaign_id == target.id))
            )
        )
    return list(session.scalars(query))
