"""Plans: what a campaign intends, for whom, on what grounds, and what is done afterwards.

A plan is never changed, only followed by the next. It may be left incomplete: the checks of every
message say what is missing. Verbs never commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from campaigns.campaigns import HOLD, STRATEGIES
from campaigns.models import Campaign, Plan
from monitor.alerts.cap import VERIFICATION

CHARS = 1_000  # of one field: a plan is read by people in a hurry
LIST_MAX = 20  # claims, people consulted, institutions
READERS_MAX = 1_000
DAYS_MAX = 365
PUBLIC_LEVELS = ("V3", "V4")  # what facts said in public must stand at (domain report 6.3)

# What a campaign may want, and the strategies of which research says that they serve it (domain
# report 3.3 and check 17).
OUTCOMES = {
    "support": "Less support for violence",
    "norm": "More people see that most turn violence down",
    "hostility": "Fewer hostile posts",
    "belief": "Fewer people believe a false story",
    "action": "People do one safe thing",
}
FITS = {
    "support": ("misperception", "leader_cue"),
    "norm": ("norm", "misperception", "leader_cue"),
    "hostility": ("empathy",),
    "belief": ("practical", "prebunk", "misperception"),
    "action": ("practical", "norm", "leader_cue"),
}
EXPOSURES = {
    "exposed": "This audience has met the story already",
    "silence": "It may not have, but silence would do harm",
}
ISSUES = {"local": "A local matter", "wide": "It concerns the whole area"}
YES_NO = {"no": "No", "yes": "Yes"}
CHOICES: Mapping[str, Mapping[str, str]] = {
    "outcome": OUTCOMES,
    "exposure": EXPOSURES,
    "issue": ISSUES,
    "area_wide": YES_NO,
    "may_alarm": YES_NO,
    "ai_helped": YES_NO,
}
NAMES = {
    "audience": "The audience",
    "goal": "The goal",
    "exposure_how": "How we know",
    "alongside": "Who speaks alongside",
    "sponsor": "The sponsor",
    "backlash": "What the readers said",
    "withdrawal": "The withdrawal plan",
    "measured": "What is measured",
    "control": "What it is held against",
}


class ChangedMeanwhileError(ValueError):
    """Somebody saved another plan since this one was opened."""


@dataclass(frozen=True)
class Intent:
    """All that a plan says; columns of ``models.Plan`` without who and when."""

    audience: str = ""
    goal: str = ""
    strategy: str = ""
    outcome: str = ""
    exposure: str = ""
    exposure_how: str = ""
    consulted: Sequence[Mapping[str, str]] = ()
    credibility: Mapping[str, str] = field(default_factory=dict)
    claims: Sequence[Mapping[str, str]] = ()
    no_claims: bool = False
    alongside: str = ""
    issue: str = ""
    area_wide: str = ""
    may_alarm: str = ""
    sponsor: str = ""
    ai_helped: str = ""
    known: Sequence[str] = ()
    readers: int | None = None
    targeted_readers: int | None = None
    backlash: str = ""
    expires_at: datetime | None = None
    owner: int | None = None
    withdrawal: str = ""
    measured: str = ""
    measured_days: int | None = None
    control: str = ""


def newest(campaign: Campaign) -> Plan | None:
    """The plan in force, or None before anybody wrote one."""
    return campaign.plans[-1] if campaign.plans else None


def intent_of(campaign: Campaign) -> Intent:
    """What is intended now: the newest plan's words, or what was chosen when it was opened."""
    plan = newest(campaign)
    if plan is None:
        return Intent(campaign.audience, campaign.goal, campaign.strategy)
    return told_by(plan)


def told_by(plan: Plan) -> Intent:
    """What one plan says."""
    return Intent(**{one.name: getattr(plan, one.name) for one in fields(Intent)})


def save_plan(
    session: Session,
    campaign: Campaign,
    intent: Intent,
    *,
    after: int | None = None,
    by: int,
    now: datetime,
) -> Plan:
    """Save a plan as the campaign's newest and answer it; what stands already changes nothing.

    ``after``: the number of the plan the writer saw, 0 for none; None asks nothing. Raises
    ChangedMeanwhileError, or ValueError for a campaign that holds or words that cannot be.
    """
    session.refresh(campaign, with_for_update=True)
    session.expire(campaign, ["plans"])
    if campaign.strategy == HOLD:
        raise ValueError("This campaign holds: it needs no plan. Choose an answer that speaks.")
    intent = _checked(intent)
    latest = newest(campaign)
    if after is not None and after != (latest.number if latest else 0):
        raise ChangedMeanwhileError(
            "Somebody saved this plan while you wrote. Your words stand below; compare, and save "
            "again to let yours count."
        )
    if latest is not None and _checked(told_by(latest)) == intent:
        return latest
    plan = Plan(
        campaign=campaign,
        number=latest.number + 1 if latest else 1,
        by=by,
        at=now,
        **{one.name: _stored(getattr(intent, one.name)) for one in fields(Intent)},
    )
    campaign.audience, campaign.goal = intent.audience, intent.goal
    campaign.strategy = intent.strategy
    session.add(plan)
    session.flush()
    return plan


def _checked(intent: Intent) -> Intent:
    """The same in one line a field, empty rows left out. ValueError says what cannot be."""
    if intent.strategy == HOLD:
        raise ValueError("To hold, choose it on the narrative's page: it needs a reason and a day.")
    if intent.strategy not in STRATEGIES:
        raise ValueError(f"“{intent.strategy}” is not one of our strategies.")
    for name, choices in CHOICES.items():
        if (value := getattr(intent, name)) and value not in choices:
            raise ValueError(f"“{value}” is not one of the choices.")
    texts: dict[str, Any] = {
        name: _words(getattr(intent, name), label) for name, label in NAMES.items()
    }
    consulted = _rows(intent.consulted, ("who", "when"), "People consulted")
    claims = _rows(intent.claims, ("text", "source", "level"), "Claims")
    if wrong := {one["level"] for one in claims} - {"", *VERIFICATION}:
        raise ValueError(f"“{min(wrong)}” is not a level of verification.")
    known = [words for one in intent.known if (words := _words(one, "Institutions"))]
    if len(known) > LIST_MAX:
        raise ValueError(f"Institutions: {LIST_MAX} at most.")
    credibility = {
        voice: words
        for voice, said in intent.credibility.items()
        if (words := _words(said, "Why this voice"))
    }
    for count, most in (
        (intent.readers, READERS_MAX),
        (intent.targeted_readers, READERS_MAX),
        (intent.measured_days, DAYS_MAX),
    ):
        if count is not None and not 0 <= count <= most:
            raise ValueError(f"{count} is no number from 0 to {most:,}.")
    return replace(
        intent,
        **texts,
        consulted=consulted,
        claims=claims,
        known=known,
        credibility=credibility,
        measured_days=intent.measured_days or None,
    )


def _rows(
    rows: Sequence[Mapping[str, str]], names: Sequence[str], label: str
) -> list[dict[str, str]]:
    """Rows with these names only; a row without any words but a level is left out."""
    kept = [{name: _words(row.get(name, ""), label) for name in names} for row in rows]
    kept = [row for row in kept if row[names[0]] or row[names[1]]]
    if len(kept) > LIST_MAX:
        raise ValueError(f"{label}: {LIST_MAX} at most.")
    return kept


def _words(text: str, label: str) -> str:
    words = " ".join(text.replace("\x00", "").split())
    if len(words) > CHARS:
        raise ValueError(f"{label}: {CHARS:,} characters at most; these are {len(words):,}.")
    return words


def _stored(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(value)
    return value
