"""Nobody answers a narrative that no person has confirmed, and holding comes first."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from campaigns.campaigns import (
    STRATEGIES,
    NotConfirmedError,
    campaigns_on,
    open_campaign,
    unanswered,
)
from campaigns.messages import start_message
from tests.campaigns import cast


@pytest.mark.parametrize("decision", [None, "dismissed"])
def test_a_campaign_needs_a_confirmed_flag(
    session: Session, now: datetime, decision: str | None
) -> None:
    narrative = cast.make_narrative(session, now, decision)
    with pytest.raises(NotConfirmedError):
        open_campaign(session, narrative, audience="A", goal="G", strategy="norm", by=1, now=now)


def test_a_campaign_keeps_the_confirmation_it_stands_on(session: Session, now: datetime) -> None:
    campaign = cast.make_campaign(session, now)
    assert campaign.confirmation.decision == "confirmed"
    assert campaign.confirmation.flag.narrative is campaign.narrative
    assert campaigns_on(session, campaign.narrative) == [campaign]


@pytest.mark.parametrize(
    ("field", "value"), [("audience", " "), ("goal", ""), ("strategy", "shout")]
)
def test_a_campaign_needs_all_its_fields(
    session: Session, now: datetime, field: str, value: str
) -> None:
    fields = {"audience": "A", "goal": "G", "strategy": "norm"} | {field: value}
    with pytest.raises(ValueError, match=r"audience|goal|strategies"):
        open_campaign(
            session, cast.make_narrative(session, now, "confirmed"), **fields, by=1, now=now
        )


def test_holding_is_the_first_strategy_and_sends_nothing(session: Session, now: datetime) -> None:
    assert next(iter(STRATEGIES)) == "hold"
    narrative = cast.make_narrative(session, now, "confirmed")
    campaign = open_campaign(
        session, narrative, audience="A", goal="G", strategy="hold", by=1, now=now
    )
    with pytest.raises(ValueError, match="nothing is sent"):
        start_message(session, campaign, cast.make_voice(session, now), by=1, now=now)


def test_a_confirmed_narrative_waits_until_a_campaign_takes_it_up(
    session: Session, now: datetime
) -> None:
    cast.make_narrative(session, now, "dismissed")
    narrative = cast.make_narrative(session, now, "confirmed")
    assert unanswered(session) == [narrative]
    open_campaign(session, narrative, audience="A", goal="G", strategy="hold", by=1, now=now)
    assert unanswered(session) == []
    later = now + timedelta(days=2)
    session.add(cast.make_flag(narrative, later, "confirmed"))
    session.flush()
    assert unanswered(session) == [narrative]
