"""The standing cast of these tests, and the road to an approved message."""

from datetime import datetime, timedelta

import numpy as np
from cryptography.fernet import Fernet
from sqlalchemy.orm import Session

from campaigns.approving.approvals import approve
from campaigns.campaigns import open_campaign
from campaigns.drafting.messages import check, let_pass, save_draft, start_message, submit
from campaigns.models import Account, Approval, Campaign, Message, Plan, Voice
from campaigns.plans import Intent, intent_of, save_plan
from campaigns.voices import add_voice, connect_account, record_consent
from monitor.models import Flag, FlagDecision, Narrative

# Desk person ids: this room knows people only by number.
MONICA_MONITOR = 1
CARL_COMMS = 2
PASTOR_PAULA = 3
LENA_OTHER_LEADER = 4
CORA_COMMS = 5
DANA_DUTY_LEAD = 6

VAULT_KEY = Fernet.generate_key()
VAULT = Fernet(VAULT_KEY)
CALM = "Our town's bridge is open. Use it: the crew finished on Monday, https://town.example/b."


def make_narrative(session: Session, now: datetime, decision: str | None = None) -> Narrative:
    """A narrative with one flag, decided if ``decision`` says so."""
    narrative = Narrative(
        title="the bridge rumour",
        centroid=np.zeros(4, dtype=np.float32),
        embedder="test",
        size=1,
        first_post_at=now,
        last_post_at=now,
        created_at=now,
        settled_at=now,
    )
    session.add_all([narrative, make_flag(narrative, now, decision)])
    session.flush()
    return narrative


def make_flag(narrative: Narrative, now: datetime, decision: str | None) -> Flag:
    flag = Flag(
        narrative=narrative,
        hour=now,
        observed=9,
        expected=1.0,
        p_value=0.001,
        reasons=[],
        detector="test",
        raised_at=now,
    )
    if decision:
        flag.decision = FlagDecision(decision=decision, reason="Seen.", by=MONICA_MONITOR, at=now)
    return flag


def make_campaign(session: Session, now: datetime) -> Campaign:
    return open_campaign(
        session,
        make_narrative(session, now, "confirmed"),
        audience="Parents of Mill Street",
        goal="Use the bridge and ask the crew",
        strategy="practical",
        by=CARL_COMMS,
        now=now,
    )


def full_plan(campaign: Campaign, voice: Voice, now: datetime) -> Intent:
    """A plan in which nothing is missing, for this voice to speak with."""
    return Intent(
        audience=campaign.audience,
        goal=campaign.goal,
        strategy=campaign.strategy,
        outcome="action",
        exposure="exposed",
        exposure_how="Nine parents asked the school about it on Monday",
        consulted=[{"who": "The bridge crew's families, by Ana", "when": "22 November"}],
        credibility={str(voice.id): "She buries and marries them"},
        claims=[{"text": "The bridge is open", "source": "The crew's log, seen", "level": "V4"}],
        alongside="The mayor says so at the market",
        issue="local",
        area_wide="no",
        may_alarm="no",
        ai_helped="no",
        readers=3,
        targeted_readers=1,
        backlash="One asked who pays the crew",
        expires_at=now + timedelta(days=60),
        owner=CARL_COMMS,
        withdrawal="Take it down and say so at the school",
        measured="Share of authors at M2 or above a day",
        measured_days=7,
        control="The two stories nearest in rise and peak",
    )


def fill_plan(session: Session, campaign: Campaign, voice: Voice, now: datetime) -> Plan:
    intent = full_plan(campaign, voice, now)
    return save_plan(session, campaign, intent, by=CARL_COMMS, now=now)


def make_voice(session: Session, now: datetime) -> Voice:
    """Pastor Paula, who consented to both platforms for thirty days."""
    voice = add_voice(
        session,
        name="Paula Price",
        role="Pastor, Hope Church",
        leader_id=PASTOR_PAULA,
        by=CARL_COMMS,
        now=now,
    )
    record_consent(
        session,
        voice,
        scope="Calming messages about the bridge",
        platforms=["bluesky", "dry_run"],
        evidence="Signed form of 20 November",
        valid_from=now - timedelta(days=1),
        valid_until=now + timedelta(days=30),
        by=CARL_COMMS,
        now=now,
    )
    return voice


def rehearsal_account(
    session: Session, voice: Voice, now: datetime, handle: str = "paula"
) -> Account:
    return connect_account(
        session,
        voice,
        platform="dry_run",
        handle=handle,
        service="",
        secret=None,
        vault=VAULT,
        by=CARL_COMMS,
        now=now,
    )


def make_message(session: Session, now: datetime) -> Message:
    """An empty message of Paula's, on a confirmed narrative, with one rehearsal account."""
    voice = make_voice(session, now)
    rehearsal_account(session, voice, now)
    campaign = make_campaign(session, now)
    fill_plan(session, campaign, voice, now)
    return start_message(session, campaign, voice, by=CARL_COMMS, now=now)


def approve_message(
    session: Session, message: Message, send_at: datetime, now: datetime, text: str = CALM
) -> Approval:
    """Carl plans, drafts the same words for every account, gives reasons and submits; Dana lets
    pass what she may; Paula approves."""
    if str(message.voice.id) not in intent_of(message.campaign).credibility:
        fill_plan(session, message.campaign, message.voice, send_at)
    texts = {account.id: text for account in message.voice.accounts}
    version = save_draft(session, message, texts, send_at, by=CARL_COMMS, now=now)
    found = check(session, version, now)
    for one in found:
        if one.overridable and not one.passed:
            let_pass(session, message, one.key, reason="It was agreed", by=DANA_DUTY_LEAD, now=now)
    reasons = {one.key: "It reads well as it is" for one in found}
    submit(session, version, by=CARL_COMMS, now=now, reasons=reasons)
    return approve(session, version, sha256=version.sha256, by=PASTOR_PAULA, now=now)
