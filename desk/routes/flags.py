"""Flags: what the machine found and how; only a person confirms, and only once."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form
from fastapi.responses import Response

from desk import leases, people
from desk.models import Lease
from desk.pages import Visit, Visiting
from desk.routes.narratives import narrative_page
from desk.routes.rabat import path_of as rabat_path
from monitor.coding import rabat
from monitor.flags import flags, life_safety, queue, reports, second_looks
from monitor.models import Flag, Narrative, Reading

router = APIRouter(prefix="/flags")

DECIDING = ("monitor", "duty lead")  # who may decide a flag

# The detectors in one sentence each (R13), by Flag.test.
DETECTORS = {
    "count": "Count: in one hour more different people wrote so than the past weeks and the time "
    "of the day and week explain; the past is modelled by a negative binomial distribution.",
    "share": "Share: in one hour a larger part of all people wrote so than in the past weeks; the "
    "past is modelled by a beta-binomial distribution.",
    "count cusum": "Sum of counts (CUSUM): no hour is proof, but what each has above the usual "
    "number adds up to more than chance brings; ordinary hours take the sum back to nothing.",
    "share cusum": "Sum of shares (CUSUM): no hour is proof, but what each has above the usual "
    "share adds up to more than chance brings; ordinary hours take the sum back to nothing.",
    reports.TEST: "A person at the desk saw something and asks for a decision. No rule and no "
    "detector took part, and no measure of theirs counts it.",
    life_safety.TEST: "The codebook's rule alone: a threat of the highest level, or a message that "
    "urges violence within 48 hours and names two specifics. One post is enough; copies call once.",
}
RARELY = 1e-6  # below that nobody counts in ones out of so many


def path_of(flag: Flag) -> str:
    """The page on which a flag is decided: its narrative's, or its own."""
    if flag.kind == "spike" and flag.narrative_id is not None:
        return f"/narratives/{flag.narrative_id}"
    return f"/flags/{flag.id}"


@router.get("/{flag_id}")
def show(visit: Visiting, flag_id: int) -> Response:
    return flag_page(visit, visit.find(Flag, flag_id))


@router.post("/{flag_id}/decision")
def decide(
    visit: Visiting,
    flag_id: int,
    decision: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    then: Annotated[str, Form()] = "",
) -> Response:
    """Decide a flag; ``then`` "next": go on to what is most dangerous of the rest."""
    visit.needs(*DECIDING)
    flag = visit.find(Flag, flag_id)
    path = path_of(flag)
    lease = _lease(visit, flag)
    if lease and lease.person_id != visit.person.id and not flags.is_call(flag):
        error = (
            f"{lease.person.name} has this until {_at(visit, lease.until)}. Nothing was changed."
        )
        return _again(visit, flag_id, 409, error=error, reason=reason)
    try:
        flags.decide(visit.session, flag, decision, reason, by=visit.person.id, now=visit.now)
    except flags.FlagAlreadyDecidedError as fault:
        visit.session.rollback()
        who = people.names(visit.session).get(fault.by, "somebody")
        error = f"{who} decided this flag already, {_at(visit, fault.at)}. Nothing was changed."
        return _again(visit, flag_id, 409, error=error, reason=reason)
    except ValueError as fault:
        visit.session.rollback()
        return _again(visit, flag_id, 422, error=str(fault), reason=reason)
    leases.end(visit.session, flag, visit.now)
    if then == "next":
        rest = [item.flag for item in queue.queue(visit.session, visit.now)]
        following = leases.take_next(visit.session, visit.person, rest, visit.now)
        path = path_of(following) if following else "/queue"
    return visit.done(path)


@router.post("/{flag_id}/second-look")
def look_again(
    visit: Visiting,
    flag_id: int,
    says: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Another person's word on what somebody confirmed at D4."""
    visit.needs(*DECIDING)
    flag = visit.find(Flag, flag_id)
    path = path_of(flag)
    try:
        if flag.decision is None:
            raise ValueError("Nobody has confirmed this flag yet.")
        second_looks.look(
            visit.session, flag.decision, says, reason, by=visit.person.id, now=visit.now
        )
    except ValueError as fault:
        visit.session.rollback()
        status = 409 if isinstance(fault, second_looks.LookedAlreadyError) else 422
        return _again(visit, flag_id, status, error=str(fault), second_reason=reason)
    return visit.done(path)


@router.post("/{flag_id}/lease")
def take(visit: Visiting, flag_id: int, over: Annotated[str, Form()] = "") -> Response:
    """Put a flag on one's desk; ``over``: from somebody else's, for who leads."""
    visit.needs(*DECIDING)
    flag = visit.find(Flag, flag_id)
    if over and visit.person.may("duty lead"):
        leases.end(visit.session, flag, visit.now)
    try:
        leases.take(visit.session, flag, visit.person, visit.now)
    except leases.TakenError as fault:
        visit.session.rollback()
        who = people.names(visit.session).get(fault.by, "somebody")
        error = f"{who} has this until {_at(visit, fault.until)}."
        return _again(visit, flag_id, 409, error=error, reason="")
    return visit.done(path_of(flag))


@router.post("/{flag_id}/return")
def give_back(visit: Visiting, flag_id: int) -> Response:
    visit.needs(*DECIDING)
    leases.give_back(visit.session, visit.find(Flag, flag_id), visit.person, visit.now)
    return visit.done("/queue")


def _lease(visit: Visit, flag: Flag) -> Lease | None:
    return leases.holders(visit.session, [flag.id], visit.now).get(flag.id)


def _again(visit: Visit, flag_id: int, status: int, **context: Any) -> Response:
    """The page on which the flag is decided, with the person's words kept."""
    flag = visit.find(Flag, flag_id)
    if flag.kind != "spike" or flag.narrative is None:
        return flag_page(visit, flag, status, **context)
    narrative = flag.narrative
    if narrative.merged_into is not None:
        narrative = visit.find(Narrative, narrative.merged_into)
    return narrative_page(visit, narrative, status, **context)


def flag_page(visit: Visit, flag: Flag, status: int = 200, **context: Any) -> Response:
    """The page of one flag; a refused decision comes back on it with its words kept."""
    posts = flags.explaining(visit.session, flag)
    alone = flag.kind == "life_safety" or (flag.kind == "report" and not flag.narrative_id)
    visit.shows(posts, asked=alone)
    visit.undisturbed = flags.is_call(flag) and flag.decision is None
    told = {why["post_id"] for why in flag.reasons if why["post_id"] is not None}
    return visit.page(
        "flags/one.html",
        status,
        flag=flag,
        name=flags.name_of(flag),
        posts=posts,
        narrative=_narrative(flag, posts),
        gone=len(told) - len(posts),
        how=DETECTORS.get(flag.test, flag.test),
        chance=_one_in(flag.p_value),
        answer_within=life_safety.ANSWER_WITHIN,
        deciding=visit.person.may(*DECIDING),
        lease=_lease(visit, flag),
        **_judged(visit, flag),
        **({"error": "", "reason": ""} | context),
    )


def _at(visit: Visit, moment: datetime) -> str:
    """A time of these hours as the clocks of whoever asks show it."""
    return f"{moment.astimezone(visit.zone):%H:%M %Z}"


def _judged(visit: Visit, flag: Flag) -> dict[str, Any]:
    """What people have judged beside the decision, and what they are asked for."""
    session, danger = visit.session, flags.danger_for(visit.session, flag, visit.now)
    subject = rabat.about(session, flag)
    test = rabat.standing(session, subject)
    decision = flag.decision
    return {
        "danger": danger,
        "needs_reason": flags.needs_reason(danger),
        "test": test,
        "test_label": rabat.label(test) if test else "",
        "test_path": rabat_path(subject),
        "second": decision if decision and decision.request else None,
        "state": second_looks.state_of(decision) if decision else "open",
        "second_of": second_looks,
    }


def _narrative(flag: Flag, posts: list[Reading]) -> Narrative | None:
    """Where the one post of a call is told now, or was then, if people may see it yet."""
    found = posts[0].narrative if posts else flag.narrative
    return found if found is not None and found.settled_at is not None else None


def _one_in(chance: float) -> str:
    """A chance as people say it."""
    if chance >= RARELY:
        return f"once in about {round(1 / chance):,}"
    return f"less than once in {round(1 / RARELY):,}"
