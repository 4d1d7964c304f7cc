"""Each way of getting stuck has a watchdog, and each watchdog stays quiet otherwise."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from campaigns.deliver import CLAIM_PATIENCE
from campaigns.drafting.messages import submit
from campaigns.limits import set_limits
from campaigns.models import Bark, Delivery
from campaigns.plans import intent_of, save_plan
from campaigns.sending.kill_switch import press
from campaigns.sending.watchdogs import (
    AGAIN,
    DOUBT_TOLD,
    ONCE,
    OVERDUE,
    RECENTLY,
    UNDECIDED,
    Concern,
    bark_silent,
    concerns,
    keep_barks,
    undecided,
)
from campaigns.voices import withdraw_consent
from sources.db import Base
from tests.campaigns import cast

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def delivery(session: Session, now: datetime) -> Delivery:
    """One approved rehearsal, due in an hour."""
    approval = cast.approve_message(session, cast.make_message(session, now), now + HOUR, now)
    session.flush()
    return approval.deliveries[0]


def kinds(session: Session, at: datetime) -> list[str]:
    session.flush()
    return [one.kind for one in concerns(session, at)]


def put(delivery: Delivery, **values: Any) -> None:
    for name, value in values.items():
        setattr(delivery, name, value)


def test_all_is_well(session: Session, delivery: Delivery, now: datetime) -> None:
    due = now + HOUR
    assert kinds(session, now) == []
    assert kinds(session, due + OVERDUE - SECOND) == []
    put(delivery, state="attempting", claimed_at=due)
    assert kinds(session, due + CLAIM_PATIENCE - SECOND) == []
    put(delivery, state="published", settled_at=due, receipt_uri="at://here")
    assert kinds(session, due + 3 * HOUR) == []


@pytest.mark.parametrize("state", ["scheduled", "retry_later"])
def test_what_is_overdue_barks(
    session: Session, delivery: Delivery, now: datetime, state: str
) -> None:
    put(delivery, state=state, detail="The server is down.")
    (one,) = concerns(session, now + HOUR + OVERDUE)
    assert (one.kind, one.word, one.why) == ("overdue", "overdue", "The server is down.")
    assert one.delivery is delivery


@pytest.mark.parametrize("state", ["claimed", "attempting"])
def test_a_claim_whose_worker_died_barks(
    session: Session, delivery: Delivery, now: datetime, state: str
) -> None:
    put(delivery, state=state, claimed_at=now + HOUR)
    assert kinds(session, now + HOUR + CLAIM_PATIENCE) == ["stuck"]


def test_a_doubt_barks_from_its_first_moment(
    session: Session, delivery: Delivery, now: datetime
) -> None:
    put(delivery, state="unconfirmed", claimed_at=now + HOUR)
    assert kinds(session, now + HOUR) == ["unconfirmed"]
    assert kinds(session, now + 90 * 24 * HOUR) == ["unconfirmed"]  # until somebody looked


@pytest.mark.parametrize("state", ["missed", "rejected"])
def test_what_will_not_come_is_told_for_a_day(
    session: Session, delivery: Delivery, now: datetime, state: str
) -> None:
    put(delivery, state=state, settled_at=now, detail="Too late.")
    assert kinds(session, now + RECENTLY) == [state]
    assert kinds(session, now + RECENTLY + SECOND) == []


def test_what_a_person_stopped_is_no_concern(
    session: Session, delivery: Delivery, now: datetime
) -> None:
    (consent,) = delivery.account.voice.consents
    withdraw_consent(session, consent, why="Ill.", by=2, now=now)
    assert kinds(session, now + 2 * HOUR) == []


def test_a_due_message_under_the_kill_switch_is_named_once(
    session: Session, delivery: Delivery, now: datetime
) -> None:
    press(session, delivery.approval.version.message.voice, reason="Wait.", by=8, now=now)
    assert kinds(session, now) == []
    assert kinds(session, now + HOUR + OVERDUE) == ["stopped"]


def test_consent_that_ends_before_the_time_comes_barks_early(
    session: Session, delivery: Delivery, now: datetime
) -> None:
    (consent,) = delivery.account.voice.consents
    consent.valid_until = delivery.due_at + SECOND
    assert kinds(session, now) == []
    consent.valid_until = delivery.due_at
    (one,) = concerns(session, now)
    assert (one.kind, one.word) == ("consent", "consent ends")
    assert "consent will have ended" in one.why


@pytest.mark.parametrize(("minutes", "says"), [(60, "will be late"), (480, "will be missed")])
def test_a_time_in_quiet_hours_barks_early(
    session: Session, delivery: Delivery, now: datetime, minutes: int, says: str
) -> None:
    begins = delivery.due_at.hour * 60 + delivery.due_at.minute
    set_limits(
        session,
        delivery.account.voice,
        per_day=None,
        quiet_from=begins,
        quiet_until=(begins + minutes) % 1440,
        zone="UTC",
        credibility="",
        security_contact="",
        by=2,
        now=now,
    )
    (one,) = concerns(session, now)
    assert says in one.why


def test_an_account_without_its_password_barks_early(
    session: Session, delivery: Delivery, now: datetime
) -> None:
    delivery.account.platform = "bluesky"
    delivery.account.secret = None
    (one,) = concerns(session, now)
    assert "no password" in one.why


def test_a_password_that_ends_before_the_time_comes_barks_early(
    session: Session, delivery: Delivery, now: datetime
) -> None:
    delivery.account.secret_until = delivery.due_at + SECOND
    assert kinds(session, now) == []
    delivery.account.secret_until = delivery.due_at
    assert kinds(session, now) == ["password"]


def test_a_plan_that_expires_before_the_time_comes_barks_early(
    session: Session, delivery: Delivery, now: datetime
) -> None:
    campaign = delivery.approval.version.message.campaign
    for expires_at, barks in ((delivery.due_at + SECOND, []), (delivery.due_at, ["plan"])):
        intent = replace(intent_of(campaign), expires_at=expires_at)
        save_plan(session, campaign, intent, by=cast.CARL_COMMS, now=now)
        assert kinds(session, now) == barks


def test_what_its_leader_has_not_decided_barks_before_it_is_too_late(
    session: Session, delivery: Delivery, now: datetime
) -> None:
    due = now + UNDECIDED + HOUR
    made = delivery.approval.version.message
    other = cast.start_message(session, made.campaign, made.voice, by=cast.CARL_COMMS, now=now)
    words = {delivery.account_id: "Ask the crew at the market."}
    version = cast.save_draft(session, other, words, due, by=cast.CARL_COMMS, now=now)
    assert undecided(session, due - SECOND) == []  # it was not submitted
    reasons = {one.key: "It reads well" for one in cast.check(session, version, now)}
    submit(session, version, by=cast.CARL_COMMS, now=now, reasons=reasons)
    assert undecided(session, now) == []
    (one,) = undecided(session, due - UNDECIDED)
    assert (one.kind, one.version, one.delivery) == ("undecided", version, None)
    assert undecided(session, due) == []


def test_a_whole_list_is_one_concern(session: Session, delivery: Delivery) -> None:
    assert Concern("overdue", "", delivery).key == ("overdue", delivery.id, None)
    version = delivery.approval.version_id
    with session.no_autoflush:
        delivery.recipient_id = 7
        assert Concern("overdue", "", delivery).key == ("overdue", None, version)
        session.expunge(delivery)


# ---- what is kept, so that people are told


def barks(session: Session, at: datetime) -> list[tuple[str, timedelta | None]]:
    """Every bark after a look: what it is about, and how long it lasted, if it is over."""
    keep_barks(session, at)
    rows = session.scalars(select(Bark).order_by(Bark.id))
    return [(one.kind, one.ended_at and one.ended_at - one.found_at) for one in rows]


def test_a_bark_begins_once_lasts_and_begins_anew_after_hours(
    session: Session, delivery: Delivery, now: datetime
) -> None:
    late = delivery.due_at + OVERDUE
    assert barks(session, now) == []
    for minutes in (0, 1, 60):
        assert barks(session, late + minutes * timedelta(minutes=1)) == [("overdue", None)]
    again = AGAIN["overdue"]
    assert barks(session, late + again - SECOND) == [("overdue", None)]
    assert barks(session, late + again) == [("overdue", again), ("overdue", None)]
    put(delivery, state="published", settled_at=late + again, receipt_uri="at://here")
    assert barks(session, late + again + HOUR)[1] == ("overdue", HOUR)


def test_what_goes_and_comes_back_is_no_second_bark(
    session: Session, delivery: Delivery, now: datetime
) -> None:
    late = delivery.due_at + OVERDUE
    put(delivery, state="retry_later")
    assert barks(session, late) == [("overdue", None)]
    put(delivery, state="claimed", claimed_at=late)  # a worker tries it again
    assert barks(session, late + SECOND) == [("overdue", None)]
    put(delivery, state="unconfirmed", not_before=None)
    assert barks(session, late + 2 * SECOND) == [("overdue", 2 * SECOND), ("unconfirmed", None)]
    put(delivery, state="retry_later")
    found = barks(session, late + 3 * SECOND)
    assert found == [("overdue", None), ("unconfirmed", SECOND)]
    put(delivery, state="missed", settled_at=late)
    assert barks(session, late + ONCE - SECOND)[2:] == [("missed", None)]
    assert barks(session, late + RECENTLY)[2:] == [("missed", None)]  # told once
    assert barks(session, late + RECENTLY + SECOND)[2][1] is not None


def test_a_doubt_that_the_worker_still_looks_up_calls_nobody_at_first(
    session: Session, delivery: Delivery, now: datetime
) -> None:
    due = delivery.due_at
    put(delivery, state="unconfirmed", claimed_at=due, not_before=due + HOUR)
    assert barks(session, due + DOUBT_TOLD - SECOND) == []
    assert barks(session, due + DOUBT_TOLD) == [("unconfirmed", None)]


def test_the_silence_of_the_worker_is_kept_apart(session: Session, now: datetime) -> None:
    bark_silent(session, "Nobody is there.", now)
    assert barks(session, now + SECOND) == [("silent", None)]
    bark_silent(session, "Nobody is there.", now + SECOND)
    bark_silent(session, "", now + HOUR)
    assert barks(session, now + HOUR) == [("silent", HOUR)]


def test_the_models_and_the_migration_agree(engine: Engine) -> None:
    tables = {"barks", "accounts"}
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _o, name, kind, *_: kind != "table" or name in tables,
            },
        )
        assert compare_metadata(context, Base.metadata) == []
