"""The standing cast of these tests, and the road to an approved message."""

from datetime import datetime, timedelta

import numpy as np
from cryptography.fernet import Fernet
from sqlalchemy.orm import Session

from campaigns.approvals import approve
from campaigns.campaigns import open_campaign
from campaigns.messages import save_draft, start_message, submit
from campaigns.models import Account, Approval, Campaign, Message, Voice
from campaigns.voices import add_voice, connect_account, record_consent
from monitor.models import Flag, FlagDecision, Narrative

# Desk person ids: this room knows people only by number.
MONICA_MONITOR = 1
CARL_COMMS = 2
PASTOR_PAULA = 3
LENA_OTHER_LEADER = 4
CORA_COMMS = 5

VAULT = Fernet(Fernet.generate_key())
CALM = "Our town's bridge is open. The crew finished its check on Monday: https://town.example/b."


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
    return start_message(session, make_campaign(session, now), voice, by=CARL_COMMS, now=now)


def approve_message(
    session: Session, message: Message, send_at: datetime, now: datetime, text: str = CALM
) -> Approval:
    """Carl drafts the same words for every account and submits; Paula approves."""
    texts = {account.id: text for account in message.voice.accounts}
    version = save_draft(session, message, texts, send_at, by=CARL_COMMS, now=now)
    submit(session, version, by=CARL_COMMS, now=now)
    return approve(session, version, sha256=version.sha256, by=PASTOR_PAULA, now=now)
