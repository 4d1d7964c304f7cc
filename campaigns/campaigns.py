"""Campaigns: our answer to a confirmed narrative, and the strategies it may take."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import ColumnElement, Select, Subquery, bindparam, func, or_, select
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from campaigns.models import Approval, Campaign, Hold, Message, MessageVersion
from monitor.alerts import alert_clock
from monitor.flags import second_looks
from monitor.flags.flags import ON_NARRATIVES, confirmation_of
from monitor.models import Flag, FlagDecision, Narrative, SecondLook, SecondRequest
from monitor.narratives.narratives import NARRATIVE, family_of
from sources.db import UTCDateTime


@dataclass(frozen=True)
class Strategy:
    """One way to answer, and what is known about it (a sentence each, with its study)."""

    name: str
    evidence: str
    risk: str = ""  # what it cannot do, and how it may backfire


HOLD = "hold"
WHY_CHARS = 600
LONGEST_HOLD = timedelta(days=90)  # beyond that nobody remembers what was held, and why
USUAL_HOLD = timedelta(days=2)  # proposed

# Hold stands first: speaking is the exception that needs a reason.
STRATEGIES = {
    HOLD: Strategy(
        "Hold, do not amplify",
        "If the story has not left its niche, any answer adds reach; manipulators count a debunk "
        "as a win (First Draft; The Oxygen of Amplification).",
    ),
    "norm": Strategy(
        "Norm statement",
        "A religious leader's radio message raised acceptance by 8–10 points in Nigeria (Blair "
        "2021), but a religious appeal in Burkina Faso raised intolerance (Grossman 2022).",
        "Reminding people of their faith or side can harden them. One voice did not change what "
        "bystanders thought, many together did (Zapata 2024).",
    ),
    "empathy": Strategy(
        "Empathy or perspective-taking",
        "Empathy led to more deletions and fewer new hostile posts, a small effect; humour and "
        "warnings had none (Hangartner 2021; Gennaro 2025).",
        "It reaches those who post, one by one. Replies tailored by a language model did nothing "
        "or backfired (Bär 2024): write it yourself.",
    ),
    "misperception": Strategy(
        "Misperception correction",
        "People overestimate the other side's support for violence several times over; correcting "
        "it cut their own by about a third (Mernyk 2022; Voelkel 2024).",
        "It needs a true number about the audience's own opponents; a weak one is found out. The "
        "effect was seen for about a month.",
    ),
    "leader_cue": Strategy(
        "Leader cue",
        "Cues from the audience's own leaders, best jointly across lines, lowered support for "
        "violence; an outsider's rebuke may worsen things (Voelkel 2024; Munger 2017).",
        "Lowering dislike alone did not lower support for violence (Voelkel 2024). It depends on "
        "who speaks: a stranger of low standing may make it worse.",
    ),
    "prebunk": Strategy(
        "Prebunk",
        "Showing the technique before it is met improves its recognition by about five percent "
        "(Roozenbeek 2022; twelve-country study 2026).",
        "A small effect, and only before the story is met: afterwards it comes too late.",
    ),
    "practical": Strategy(
        "Practical information",
        "Facts people can act on, returned through the channel the rumour came by, are field "
        "practice rather than a measured effect (Sentinel Project, Una Hakika).",
        "Sent too widely or late at night it alarms those who had not heard (Sisi Ni Amani). "
        "Nothing shows that facts alone lower support for violence.",
    ),
}


class NotConfirmedError(ValueError):
    """No flag of the narrative is confirmed by as many people as it takes: look first."""


def open_campaign(
    session: Session,
    narrative: Narrative,
    *,
    audience: str,
    goal: str,
    strategy: str,
    by: int,
    now: datetime,
) -> Campaign:
    """A campaign on a narrative whose flag people confirmed; it keeps that confirmation.

    Raises NotConfirmedError, or ValueError for an empty field or a strategy by which nothing is
    said (``hold``) or that is unknown.
    """
    if strategy == HOLD:
        raise ValueError("Whoever holds says why, and when to look again.")
    confirmation = confirmation_of(session, narrative)
    if refusal := why_not(session, confirmation, now):
        raise NotConfirmedError(refusal)
    if not audience.strip():
        raise ValueError("Name one audience.")
    if not goal.strip():
        raise ValueError("Name one goal: what this audience should do or believe.")
    if strategy not in STRATEGIES:
        raise ValueError(f"“{strategy}” is not one of our strategies.")
    campaign = Campaign(
        narrative=narrative,
        confirmation=confirmation,
        audience=audience.strip(),
        goal=goal.strip(),
        strategy=strategy,
        opened_by=by,
        opened_at=now,
    )
    session.add(campaign)
    session.flush()
    chosen = f"{STRATEGIES[strategy].name}, for {campaign.audience}"
    alert_clock.stamp_narrative(session, narrative, alert_clock.RESPONSE_CHOSEN, now, by, chosen)
    return campaign


def why_not(
    session: Session,
    confirmation: FlagDecision | None,
    now: datetime,
    asked: bool | None = None,
) -> str:
    """Why nothing may be said about a narrative so confirmed, in one sentence; "" where it may.

    ``asked``: second_looks.asked of the confirmation, for who knows it already.
    """
    if confirmation is None:
        return "Nobody has confirmed a flag on this narrative yet."
    if asked is None:
        asked = second_looks.asked(session, confirmation, now)
    if not asked:
        return ""
    if confirmation.request is None or second_looks.state_of(confirmation) == "waits":
        return "It stands at D4: nothing is said before a second person has confirmed it."
    if second_looks.state_of(confirmation) != "confirmed":
        return "Two people disagree on it: nothing is said before a third has looked."
    return ""


def hold(
    session: Session, narrative: Narrative, *, why: str, until: datetime, by: int, now: datetime
) -> Hold:
    """Say nothing about a narrative, confirmed or not, and look again at ``until``.

    Watching goes on, and flags are raised as before. ValueError without a reason, for a long one,
    or a day that is past or far off.
    """
    why = " ".join(why.split())
    if not why:
        raise ValueError("Say why you hold: whoever looks again will read it.")
    if len(why) > WHY_CHARS:
        raise ValueError(f"Say why in {WHY_CHARS} characters; these are {len(why)}.")
    if not now < until <= now + LONGEST_HOLD:
        raise ValueError(f"Look again after now, and within {LONGEST_HOLD.days} days.")
    campaign = Campaign(
        narrative=narrative,
        confirmation=confirmation_of(session, narrative),
        audience="",
        goal="",
        strategy=HOLD,
        opened_by=by,
        opened_at=now,
        hold=(held := Hold(why=why, until=until)),
    )
    session.add(campaign)
    session.flush()
    chosen = f"{STRATEGIES[HOLD].name}: {why}"
    alert_clock.stamp_narrative(session, narrative, alert_clock.RESPONSE_CHOSEN, now, by, chosen)
    return held


def holding(answers: Sequence[Campaign]) -> Hold | None:
    """The hold that stands among a narrative's campaigns, newest first; None once one speaks."""
    return answers[0].hold if answers else None


def due_holds(session: Session, now: datetime) -> list[Hold]:
    """Holds that still stand and whose day has come, the longest due first, with narratives."""
    return list(session.scalars(_due_holds(), {"now": now}))


@cache  # every queue asks for it, and it takes longer to put together than to answer
def _due_holds() -> Select[Hold]:
    """Asks for them. Parameter: now."""
    due = _due(bindparam("now", type_=UTCDateTime))
    query = select(Hold).join(Hold.campaign).where(Campaign.id.in_(due))
    query = query.options(contains_eager(Hold.campaign).joinedload(Campaign.narrative))
    return query.order_by(Hold.until, Hold.campaign_id)


def _due(now: datetime | ColumnElement[datetime]) -> Select[int]:
    """The ids of campaigns whose hold still stands and whose day has come."""
    own = aliased(Narrative)
    return (
        select(Campaign.id)
        .join(Campaign.hold)
        .join(own, Campaign.narrative_id == own.id)
        .where(Hold.until <= now, ~answered_since(own))
    )


def answered_since(own: type[Narrative]) -> ColumnElement[bool]:
    """Of campaigns, with the narrative of each as ``own``: whether a later answer followed it."""
    later, other = aliased(Campaign), aliased(Narrative)
    return (
        select(later.id)
        .join(other, later.narrative_id == other.id)
        .where(
            func.coalesce(other.merged_into, other.id) == func.coalesce(own.merged_into, own.id),
            later.id > Campaign.id,
        )
        .exists()
    )


def unanswered(session: Session, now: datetime) -> tuple[list[Narrative], list[Campaign]]:
    """What nobody has answered, and what is to be looked at again, in one query.

    Narratives confirmed by as many as it takes that no campaign took up since, the newest first;
    and the campaigns of ``due_holds``, with narrative and hold.
    """
    confirmed = _unanswered()
    held = aliased(Campaign, select(Campaign).where(Campaign.id.in_(_due(now))).subquery())
    rows = session.execute(
        select(Narrative, confirmed.c.at, held)
        .select_from(confirmed)
        .join(held, held.narrative_id == confirmed.c.id, full=True)
        .join(Narrative, Narrative.id == func.coalesce(confirmed.c.id, held.narrative_id))
        .options(joinedload(held.hold), contains_eager(held.narrative))
    ).all()
    waiting = {narrative: at for narrative, at, _ in rows if at is not None}
    due = {campaign: campaign.hold for _, _, campaign in rows if campaign is not None}
    return (
        sorted(waiting, key=lambda one: (waiting[one], one.id), reverse=True),
        sorted(due, key=lambda one: (due[one].until, one.id)),
    )


def _unanswered() -> Subquery:
    """The ids of narratives confirmed so that no campaign took up since, and when (``at``)."""
    stands = func.coalesce(Narrative.merged_into, Narrative.id)
    confirmed = (
        select(stands.label("id"), func.max(FlagDecision.at).label("at"))
        .join(FlagDecision.flag)
        .join(Flag.narrative)
        .where(FlagDecision.decision == "confirmed", Flag.kind.in_(ON_NARRATIVES), _agreed())
        .group_by(stands)
        .subquery()
    )
    merged = aliased(Narrative)
    taken_up = (
        select(Campaign.id)
        .join(merged, Campaign.narrative_id == merged.id)
        .where(
            func.coalesce(merged.merged_into, merged.id) == confirmed.c.id,
            Campaign.opened_at >= confirmed.c.at,
        )
    )
    return select(confirmed).where(~taken_up.exists()).subquery()


def _agreed() -> ColumnElement[bool]:
    """Whether a confirmation asked for no second person, or one agreed."""
    agreed = select(SecondLook.id).where(
        SecondLook.decision_id == FlagDecision.id, SecondLook.says == "agrees"
    )
    asked = select(SecondRequest.decision_id).where(SecondRequest.decision_id == FlagDecision.id)
    return or_(~asked.exists(), agreed.exists())


def whole() -> tuple[ORMOption, ...]:
    """How to load one campaign with all that its page shows of it: by two queries, to read only.

    What is loaded so cannot be locked afterwards: the row would be locked with all that it joins.
    """
    messages = selectinload(Campaign.messages)
    versions = messages.joinedload(Message.versions)
    return (
        joinedload(Campaign.narrative),
        joinedload(Campaign.confirmation).joinedload(FlagDecision.flag),
        joinedload(Campaign.hold),
        joinedload(Campaign.plans),
        messages.joinedload(Message.voice),
        versions.joinedload(MessageVersion.submission),
        versions.joinedload(MessageVersion.decline),
        versions.joinedload(MessageVersion.approval).joinedload(Approval.deliveries),
    )


def campaigns_on(session: Session, narrative: Narrative) -> list[Campaign]:
    """The campaigns that answer this narrative, or one merged into it, newest first.

    With their holds, and with all that tells where their messages stand: few rows, one query.
    """
    return list(session.scalars(_on_narrative(), {"narrative": narrative.id}).unique())


@cache  # it takes longer to put together than to answer
def _on_narrative() -> Select[Campaign]:
    """Asks for them. Parameter: narrative."""
    messages = joinedload(Campaign.messages)
    versions = messages.joinedload(Message.versions)
    return (
        select(Campaign)
        .where(Campaign.narrative_id.in_(family_of(NARRATIVE)))
        .options(
            joinedload(Campaign.hold),
            messages.joinedload(Message.voice),
            versions.joinedload(MessageVersion.submission),
            versions.joinedload(MessageVersion.decline),
            versions.joinedload(MessageVersion.approval).joinedload(Approval.deliveries),
        )
        .order_by(Campaign.id.desc())
    )
