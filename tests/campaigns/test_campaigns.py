"""Nobody answers a narrative that no person has confirmed, and holding comes first."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from campaigns import plans
from campaigns.campaigns import (
    HOLD,
    LONGEST_HOLD,
    STRATEGIES,
    NotConfirmedError,
    campaigns_on,
    due_holds,
    hold,
    holding,
    open_campaign,
    unanswered,
)
from campaigns.drafting.messages import start_message
from campaigns.models import Campaign
from monitor.flags.flags import confirmation_of
from monitor.flags.second_looks import ask, look
from tests.campaigns import cast
from tests.monitor.flagged import AT_ONCE, say_in

DAY = timedelta(days=1)


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
    with pytest.raises(ValueError, match="says why"):  # with a day, and by no other door
        open_campaign(session, narrative, audience="A", goal="G", strategy=HOLD, by=1, now=now)
    campaign = hold(session, narrative, why="Few", until=now + DAY, by=1, now=now).campaign
    with pytest.raises(ValueError, match="nothing is sent"):
        start_message(session, campaign, cast.make_voice(session, now), by=1, now=now)


def test_a_confirmed_narrative_waits_until_a_campaign_takes_it_up(
    session: Session, now: datetime
) -> None:
    cast.make_narrative(session, now, "dismissed")
    narrative = cast.make_narrative(session, now, "confirmed")
    assert unanswered(session, now)[0] == [narrative]
    hold(session, narrative, why="Few", until=now + DAY, by=1, now=now)
    assert unanswered(session, now)[0] == []
    later = now + timedelta(days=2)
    session.add(cast.make_flag(narrative, later, "confirmed"))
    session.flush()
    assert unanswered(session, now)[0] == [narrative]


# Holding


def test_a_hold_keeps_who_why_and_until(session: Session, now: datetime) -> None:
    narrative = cast.make_narrative(session, now)  # nobody has confirmed it: holding needs nobody
    held = hold(session, narrative, why=" Eight \n accounts ", until=now + DAY, by=2, now=now)
    session.commit()
    campaign = campaigns_on(session, narrative)[0]
    assert (campaign.hold, campaign.opened_by, campaign.strategy) == (held, 2, HOLD)
    assert (held.why, held.until, campaign.confirmation) == ("Eight accounts", now + DAY, None)
    assert holding([campaign]) is held


@pytest.mark.parametrize(
    ("why", "days"),
    [(" \n ", 1), ("x" * 601, 1), ("Few", 0), ("Few", -1), ("Few", LONGEST_HOLD.days + 1)],
)
def test_a_hold_needs_a_reason_and_a_day_to_look_again(
    session: Session, now: datetime, why: str, days: int
) -> None:
    narrative = cast.make_narrative(session, now)
    with pytest.raises(ValueError, match=r"[Ss]ay|Look again"):
        hold(session, narrative, why=why, until=now + days * DAY, by=1, now=now)
    assert campaigns_on(session, narrative) == []


def test_a_hold_is_due_on_its_day_until_somebody_answers_again(
    session: Session, now: datetime
) -> None:
    narrative = cast.make_narrative(session, now, "confirmed")
    first = hold(session, narrative, why="Few", until=now + DAY, by=1, now=now)
    assert due_holds(session, now + DAY - timedelta(seconds=1)) == []
    assert due_holds(session, now + DAY) == [first]
    assert unanswered(session, now + DAY)[1] == [first.campaign]
    later = now + DAY
    second = hold(session, narrative, why="Still few", until=later + DAY, by=1, now=later)
    assert due_holds(session, later) == []
    assert due_holds(session, later + DAY) == [second]
    kept = cast.make_narrative(session, now, "confirmed")
    narrative.merged_into = kept.id
    session.flush()
    assert due_holds(session, later + DAY) == [second]  # a merged one is looked at where it went
    open_campaign(session, kept, audience="A", goal="G", strategy="norm", by=1, now=later + DAY)
    assert due_holds(session, later + 9 * DAY) == []
    assert holding(campaigns_on(session, kept)) is None


def test_without_a_confirmation_nothing_but_holding_can_be_stored(
    session: Session, now: datetime
) -> None:
    row = {"narrative_id": cast.make_narrative(session, now).id, "audience": "A", "goal": "G"}
    row |= {"opened_by": 1, "opened_at": now}
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(insert(Campaign).values(**row, strategy="norm"))


# At D4 two people agree before anything is said


def test_nothing_is_said_at_d4_before_two_people_agree(session: Session, now: datetime) -> None:
    narrative = cast.make_narrative(session, now, "confirmed")
    say_in(session, narrative, now, fields=AT_ONCE)
    answer = {"audience": "A", "goal": "G", "strategy": "norm", "by": 1, "now": now}
    with pytest.raises(NotConfirmedError, match="second person"):
        open_campaign(session, narrative, **answer)
    ask(session, narrative, now)
    assert unanswered(session, now)[0] == []  # it waits for a second person first
    with pytest.raises(NotConfirmedError, match="second person"):
        open_campaign(session, narrative, **answer)
    assert hold(session, narrative, why="Wait", until=now + DAY, by=1, now=now).why == "Wait"
    confirmation = confirmation_of(session, narrative)
    assert confirmation is not None
    look(session, confirmation, "disagrees", "A song", by=8, now=now)
    with pytest.raises(NotConfirmedError, match="third"):
        open_campaign(session, narrative, **answer)
    look(session, confirmation, "agrees", "It is not", by=9, now=now)
    assert open_campaign(session, narrative, **answer).confirmation == confirmation


def test_what_two_people_took_back_is_not_confirmed(session: Session, now: datetime) -> None:
    narrative = cast.make_narrative(session, now, "confirmed")
    say_in(session, narrative, now, fields=AT_ONCE)
    confirmation = confirmation_of(session, narrative)
    assert confirmation is not None
    for person in (8, 9):
        look(session, confirmation, "disagrees", "A song", by=person, now=now)
    with pytest.raises(NotConfirmedError, match="Nobody has confirmed"):
        open_campaign(session, narrative, audience="A", goal="G", strategy="norm", by=1, now=now)
    assert unanswered(session, now)[0] == []


# The plan


def test_a_plan_is_followed_and_never_changed(session: Session, now: datetime) -> None:
    campaign = cast.make_campaign(session, now)
    assert plans.intent_of(campaign).goal == campaign.goal
    voice = cast.make_voice(session, now)
    first = cast.fill_plan(session, campaign, voice, now)
    assert cast.fill_plan(session, campaign, voice, now) is first
    intent = replace(plans.told_by(first), goal="  Wait\n at home ", known=["@town.example", " "])
    second = plans.save_plan(session, campaign, intent, after=1, by=5, now=now + DAY)
    assert (first.number, first.goal) == (1, "Use the bridge and ask the crew")
    assert (second.number, second.goal, second.known) == (2, "Wait at home", ["@town.example"])
    assert (campaign.goal, plans.newest(campaign)) == ("Wait at home", second)
    with pytest.raises(plans.ChangedMeanwhileError):
        plans.save_plan(session, campaign, intent, after=1, by=2, now=now)


@pytest.mark.parametrize(
    "changed",
    [
        {"strategy": "hold"},
        {"strategy": "shout"},
        {"outcome": "x"},
        {"area_wide": "maybe"},
        {"goal": "x" * (plans.CHARS + 1)},
        {"claims": [{"text": "A", "source": "B", "level": "V9"}]},
        {"claims": [{"text": f"{n}", "source": "", "level": ""} for n in range(21)]},
        {"readers": -1},
        {"measured_days": 10**6},
        {"known": ["x"] * 21},
    ],
)
def test_a_plan_that_cannot_be_is_refused(
    session: Session, now: datetime, changed: dict[str, Any]
) -> None:
    campaign = cast.make_campaign(session, now)
    intent = replace(plans.intent_of(campaign), **changed)
    with pytest.raises(ValueError, match=r"\w"):
        plans.save_plan(session, campaign, intent, by=2, now=now)
    assert plans.newest(campaign) is None


def test_what_holds_is_not_planned(session: Session, now: datetime) -> None:
    narrative = cast.make_narrative(session, now)
    campaign = hold(session, narrative, why="Few", until=now + DAY, by=1, now=now).campaign
    with pytest.raises(ValueError, match="holds"):
        plans.save_plan(session, campaign, plans.Intent(strategy="norm"), by=1, now=now)


def test_every_outcome_has_a_strategy_and_every_strategy_its_limits() -> None:
    assert plans.FITS.keys() == plans.OUTCOMES.keys()
    speaking = {key for key in STRATEGIES if key != HOLD}
    assert {one for fitting in plans.FITS.values() for one in fitting} == speaking
    assert all(STRATEGIES[key].risk for key in speaking)
