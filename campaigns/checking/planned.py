"""The checks on what a campaign's plan says: who, why, on what grounds, and what follows.

Numbers 1, 2, 3, 7, 13, 17, 18, 20, 22, 23 and 24 of the checklist. A plan may be incomplete: each
check names what it misses. Each mend leads to the plan's page.
"""

from collections.abc import Mapping
from datetime import datetime

from campaigns.campaigns import STRATEGIES
from campaigns.checking import Check, listed
from campaigns.plans import FITS, OUTCOMES, PUBLIC_LEVELS, Intent

CONSULT_AT = 3  # danger level from which the targeted community must have been asked
READERS_MIN = 3  # from the audience
TARGETED_MIN = 1  # from the targeted community
REACH = "What the plan says of its reach"
HIGH_RISK = "High-risk sending"
INSTEAD = "Alert responders on the spot instead, or ask the duty lead to let it pass."
LATE_FROM, LATE_UNTIL = 21, 8  # hours of the recipients between which phones stay quiet (R47)


def gate(plan: Intent) -> Check:
    """1: they have met it already, or silence would do harm, and how we know."""
    name = "They have met it, or silence harms"
    mend = "Say it on the plan. If neither is so, hold, speak to those concerned, or prebunk."
    if not plan.exposure:
        problem = "The plan does not say whether this audience has met the story."
        return Check(1, name, True, problem, mend)
    if not plan.exposure_how:
        missing = "how we know that they met it" if plan.exposure == "exposed" else "what harm"
        return Check(1, name, True, f"The plan does not say {missing}.", mend)
    return Check(1, name, True)


def one_aim(plan: Intent) -> Check:
    """2: one audience, one behaviour goal, one outcome."""
    name = "One audience, one goal, one outcome"
    named = (("audience", plan.audience), ("goal", plan.goal), ("outcome", plan.outcome))
    missing = [what for what, words in named if not words]
    if missing:
        problem = f"The plan names no {' and no '.join(missing)}."
        return Check(2, name, True, problem, "Name one of each on the plan.")
    return Check(2, name, True)


def credible(plan: Intent, voice: int, who: str) -> Check:
    """3: why this audience listens to this voice. ``voice`` is its id."""
    name = "Why this voice"
    if plan.credibility.get(str(voice)):
        return Check(3, name, True)
    problem = f"The plan does not say why this audience listens to {who}."
    return Check(3, name, True, problem, "Write it on the plan, beside the voice.")


def evidenced(plan: Intent) -> Check:
    """7: each fact has a source and stands at V3 or better."""
    name = "Facts with evidence"
    if not plan.claims:
        if plan.no_claims:
            return Check(7, name, True)
        problem = "The plan names no fact on which the words rest."
        mend = "List each fact with its source, or say on the plan that the words state none."
        return Check(7, name, True, problem, mend)
    weak = [
        row["text"] or row["source"]
        for row in plan.claims
        if row["level"] not in PUBLIC_LEVELS or not row["source"] or not row["text"]
    ]
    if weak:
        problem = f"Not shown at V3 or better, with its source: {listed(weak)}."
        mend = "Have somebody on the spot confirm it, or leave it out of the message and the plan."
        return Check(7, name, True, problem, mend)
    return Check(7, name, True)


def asked_the_targeted(plan: Intent, danger: int) -> Check:
    """13: the targeted community was consulted; it must be where danger may stand at D3 or more."""
    name = "Targeted community consulted"
    blocks = danger >= CONSULT_AT
    if any(row["who"] and row["when"] for row in plan.consulted):
        return Check(13, name, blocks)
    problem = "Nobody of the targeted community was asked, or the plan lacks who and when."
    if blocks:
        problem += f" The story may stand at D{danger}."
    mend = "Show it to one person they trust, and write on the plan who that was and when."
    return Check(13, name, blocks, problem, mend)


def strategy_fits(plan: Intent) -> Check:
    """17: research says that this strategy serves this outcome."""
    name = "Strategy fits outcome"
    fitting = FITS.get(plan.outcome, ())
    if not fitting or plan.strategy in fitting:
        return Check(17, name, False)  # without an outcome check 2 speaks
    better = " or ".join(STRATEGIES[one].name.lower() for one in fitting)
    problem = (
        f"Nothing shows that “{STRATEGIES[plan.strategy].name}” leads to "
        f"“{OUTCOMES[plan.outcome].lower()}”."
    )
    return Check(17, name, False, problem, f"Consider {better}, or another outcome.")


def joined(plan: Intent, voices: int) -> Check:
    """18: more than one leader. ``voices`` is how many have messages in the campaign."""
    name = "More than one leader"
    if voices > 1 or plan.alongside:
        return Check(18, name, False)
    problem = "One leader speaks alone. One voice moves less than several from different sides."
    mend = "Ask a second leader, or write on the plan who speaks alongside, in their own way."
    return Check(18, name, False, problem, mend)


def help_told(plan: Intent) -> Check:
    """20: whether AI helped is known; what it means for the words is checked with them."""
    name = "Whether AI helped"
    if plan.ai_helped:
        return Check(20, name, True)
    problem = "The plan does not say whether AI helped with text, picture or sound."
    return Check(20, name, True, problem, "Answer it on the plan.")


def reach_told(plan: Intent) -> Check:
    """22: the plan answers what makes a sending risky."""
    open_ = [
        what
        for what, answer in (
            ("whether the matter is local", plan.issue),
            ("whether it reaches a whole area", plan.area_wide),
            ("whether it could alarm", plan.may_alarm),
        )
        if not answer
    ]
    if open_:
        problem = f"The plan does not say {' nor '.join(open_)}."
        return Check(22, REACH, True, problem, "Answer it on the plan.")
    return Check(22, REACH, True)


def high_risk(
    plan: Intent, live: str = "", texting: bool = False, local: datetime | None = None
) -> list[Check]:
    """22: one finding for each risk, so that the duty lead lets each pass by itself; never empty.

    ``live``: what is going on there, in words. ``local``: when a text message arrives, in the
    recipients' time. A post waits to be read; only text messages ring.
    """
    problems = []
    if plan.issue == "local" and plan.area_wide == "yes":
        problems.append("The matter is local, and the message reaches a whole area.")
    if plan.may_alarm == "yes":
        problems.append("It could alarm people who had not heard of it.")
    if live:
        problems.append(f"Something is going on there: {live}.")
    if texting and local is None:
        problems.append("Nobody has said in which time zone the recipients live.")
    elif texting and local and not LATE_UNTIL <= local.hour < LATE_FROM:
        problems.append(f"Phones would ring at {local:%H:%M}, their time.")
    if not problems:
        return [Check(22, HIGH_RISK, True)]
    return [Check(22, HIGH_RISK, True, one, INSTEAD, overridable=True) for one in problems]


def pretested(plan: Intent) -> Check:
    """23: people read it first. It must be so where it reaches a whole area."""
    name = "Read by others first"
    missing = []
    if (plan.readers or 0) < READERS_MIN:
        missing.append(f"{READERS_MIN} readers from the audience")
    if (plan.targeted_readers or 0) < TARGETED_MIN:
        missing.append(f"{TARGETED_MIN} from the targeted community")
    if not plan.backlash:
        missing.append("what could go wrong in their eyes")
    blocks = plan.area_wide == "yes"
    if not missing:
        return Check(23, name, blocks)
    problem = f"The plan lacks {', '.join(missing)}."
    mend = "Show it to them by telephone or at the door, and note on the plan what they said."
    return Check(23, name, blocks, problem, mend)


def aftermath(plan: Intent, send_at: datetime) -> Check:
    """24: when it expires, who sees to replies, how it is withdrawn, how it is measured."""
    name = "What happens afterwards"
    parts: Mapping[str, object] = {
        "when it expires": plan.expires_at,
        "who sees to the replies": plan.owner,
        "what is done if it makes things worse": plan.withdrawal,
        "what is measured, for how long and against what": plan.measured
        and plan.measured_days
        and plan.control,
    }
    missing = [what for what, there in parts.items() if not there]
    if missing:
        problem = f"The plan does not say {'; nor '.join(missing)}."
        return Check(24, name, True, problem, "Complete it on the plan.")
    if plan.expires_at is not None and plan.expires_at <= send_at:
        problem = "The plan expires before the time to send."
        return Check(24, name, True, problem, "Choose an earlier time, or plan anew.")
    return Check(24, name, True)
