"""Second looks: at D4 two people of the same word settle what one confirmed.

Whoever confirms never gives the second word; the schema holds it. Warning people need not wait for
it (monitor.alerts.alerts); choosing what to say does (campaigns.campaigns).
"""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from monitor.flags.flags import OVERRULED, asks_second, confirmation_of, danger_for
from monitor.models import FlagDecision, Narrative, SecondLook, SecondRequest

SAYS = ("agrees", "disagrees")
REASON_CHARS = 600
WITHIN = timedelta(hours=24)  # a warning may have gone out meanwhile; then it is late

STATES = {
    "dismissed": "dismissed",
    "confirmed": "confirmed",
    "waits": "waits for a second person",
    "disputed": "two disagree",
    "overruled": "taken back",
}
OPEN = ("waits", "disputed")  # of these: somebody else still has to look


class LookedAlreadyError(ValueError):
    """This person has given their word, or enough others have: the message says which."""


def state_of(decision: FlagDecision) -> str:
    """Where a decision stands, one of STATES."""
    if decision.decision != "confirmed":
        return "dismissed"
    if decision.request is None:
        return "confirmed"
    said = [look.says for look in decision.looks]
    if "agrees" in said:
        return "confirmed"
    if said.count("disagrees") >= OVERRULED:
        return "overruled"
    return "disputed" if said else "waits"


def may_look(decision: FlagDecision, person: int) -> bool:
    """Whether a person can still give the second or third word."""
    gave = {decision.by, *(look.by for look in decision.looks)}
    return person not in gave and state_of(decision) not in ("confirmed", "overruled", "dismissed")


def late(decision: FlagDecision, now: datetime) -> bool:
    """Whether the second person is missing for longer than a day."""
    return (
        state_of(decision) in OPEN
        and decision.request is not None
        and now - decision.request.at > WITHIN
    )


def ask(session: Session, narrative: Narrative, now: datetime) -> None:
    """Have a second person look where a confirmed narrative has come to D4 since."""
    confirmation = confirmation_of(session, narrative)
    if confirmation is not None:
        _ask(session, confirmation, now)


def asked(session: Session, decision: FlagDecision, now: datetime) -> bool:
    """Whether a second person looks at it: it came to D4 when it was confirmed, or has since."""
    if decision.decision != "confirmed":
        return False
    return decision.request is not None or asks_second(danger_for(session, decision.flag, now))


def look(
    session: Session, decision: FlagDecision, says: str, reason: str, by: int, now: datetime
) -> SecondLook:
    """Another person's word on a confirmation: ``says`` "agrees" or "disagrees", with a reason.

    ValueError, one sentence: no such word, no reason, the same person, or nothing that asks for
    it; LookedAlreadyError where this person or enough others were first.
    """
    reason = " ".join(reason.split())
    if says not in SAYS:
        raise ValueError("A second person agrees or disagrees.")
    if not reason:
        raise ValueError("Say in one sentence what you saw: two people stand by it.")
    if len(reason) > REASON_CHARS:
        raise ValueError(f"Say it in {REASON_CHARS} characters; these are {len(reason)}.")
    # Of several who look at the same moment each sees what those before have said.
    session.execute(select(FlagDecision.id).where(FlagDecision.id == decision.id).with_for_update())
    session.expire(decision, ["looks", "request"])
    if decision.by == by:
        raise ValueError("You confirmed it yourself: somebody else gives the second word.")
    _ask(session, decision, now)
    if decision.request is None:
        raise ValueError("This flag asks for no second person.")
    if any(one.by == by for one in decision.looks):
        raise LookedAlreadyError("You have given your word on this flag already.")
    if state_of(decision) not in ("waits", "disputed"):
        raise LookedAlreadyError("Two people agree on this flag already. Nothing was changed.")
    made = SecondLook(
        decision_id=decision.id, first_by=decision.by, says=says, reason=reason, by=by, at=now
    )
    session.add(made)
    session.flush()
    session.expire(decision, ["looks"])
    return made


def _ask(session: Session, decision: FlagDecision, now: datetime) -> None:
    """Write down that a confirmation asks for a second person, if its danger does now."""
    if decision.decision != "confirmed" or decision.request is not None:
        return
    danger = danger_for(session, decision.flag, now)
    if danger is None or not asks_second(danger):
        return
    because = "life_safety" if danger.life_safety else "danger"
    try:
        with session.begin_nested():  # somebody else may write it at this moment
            session.add(SecondRequest(decision_id=decision.id, because=because, at=now))
    except IntegrityError:
        pass
    session.expire(decision, ["request"])
