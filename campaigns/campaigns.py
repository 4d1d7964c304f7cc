"""Campaigns: our answer to a confirmed narrative, and the strategies it may take."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from campaigns.models import Campaign
from monitor import alert_clock
from monitor.models import Flag, FlagDecision, Narrative
from monitor.narratives import family


@dataclass(frozen=True)
class Strategy:
    """One way to answer, and what is known about it (one sentence, with its study)."""

    name: str
    evidence: str


HOLD = "hold"

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
    ),
    "empathy": Strategy(
        "Empathy or perspective-taking",
        "Empathy led to more deletions and fewer new hostile posts, a small effect; humour and "
        "warnings had none (Hangartner 2021; Gennaro 2025).",
    ),
    "misperception": Strategy(
        "Misperception correction",
        "People overestimate the other side's support for violence several times over; correcting "
        "it cut their own by about a third (Mernyk 2022; Voelkel 2024).",
    ),
    "leader_cue": Strategy(
        "Leader cue",
        "Cues from the audience's own leaders, best jointly across lines, lowered support for "
        "violence; an outsider's rebuke may worsen things (Voelkel 2024; Munger 2017).",
    ),
    "prebunk": Strategy(
        "Prebunk",
        "Showing the technique before it is met improves its recognition by about five percent "
        "(Roozenbeek 2022; twelve-country study 2026).",
    ),
    "practical": Strategy(
        "Practical information",
        "Facts people can act on, returned through the channel the rumour came by, are field "
        "practice rather than a measured effect (Sentinel Project, Una Hakika).",
    ),
}


class NotConfirmedError(ValueError):
    """The narrative has no confirmed flag: a person must look first."""


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
    """A campaign on a narrative whose flag a person confirmed; it keeps that confirmation.

    Raises NotConfirmedError, or ValueError for an empty field or an unknown strategy.
    """
    confirmation = session.scalar(
        select(FlagDecision)
        .join(Flag)
        .where(
            Flag.narrative_id.in_(family(narrative)),
            Flag.kind == "spike",  # a single post that called somebody is no narrative
            FlagDecision.decision == "confirmed",
        )
        .order_by(FlagDecision.id.desc())
        .limit(1)
    )
    if confirmation is None:
        raise NotConfirmedError("Nobody has confirmed a flag on this narrative yet.")
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


def unanswered(session: Session) -> list[Narrative]:
    """Narratives confirmed by a person that no campaign has taken up since, newest first."""
    stands = func.coalesce(Narrative.merged_into, Narrative.id)
    confirmed = (
        select(stands.label("id"), func.max(FlagDecision.at).label("at"))
        .join(FlagDecision.flag)
        .join(Flag.narrative)
        .where(FlagDecision.decision == "confirmed", Flag.kind == "spike")
        .group_by(stands)
        .subquery()
    )
    merged = aliased(Narrative)
    taken_up = (
        select(Campaign.id)
        .join(merged, Campaign.narrative_id == merged.id)
        .where(
            func.coalesce(merged.merged_into, merged.id) == Narrative.id,
            Campaign.opened_at >= confirmed.c.at,
        )
    )
    return list(
        session.scalars(
            select(Narrative)
            .join(confirmed, confirmed.c.id == Narrative.id)
            .where(~taken_up.exists())
            .order_by(confirmed.c.at.desc(), Narrative.id.desc())
        )
    )


def campaigns_on(session: Session, narrative: Narrative) -> list[Campaign]:
    """The campaigns that answer this narrative, or one merged into it, newest first."""
    return list(
        session.scalars(
            select(Campaign)
            .where(Campaign.narrative_id.in_(family(narrative)))
            .order_by(Campaign.id.desc())
        )
    )
