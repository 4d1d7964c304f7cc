"""One press, and nothing goes out; what was on its way is named; going on takes a second person."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from campaigns.deliver import CLAIM_PATIENCE, FRESHNESS, STOP_REST, deliver_next
from campaigns.models import Attempt, Campaign, Delivery, Stop, Voice
from campaigns.publishers import InDoubtError, Parcel, Receipt
from campaigns.publishers.dry_run import DryRunPublisher
from campaigns.sending import kill_switch
from campaigns.sending.kill_switch import SecondPersonNeededError, lift, press
from campaigns.voices import withdraw_consent
from tests.campaigns import cast

HOUR = timedelta(hours=1)
LEAD, ADMIN = 8, 9

Target = Campaign | Voice | None


class Interrupted(DryRunPublisher):
    """Rehearses; something happens while the account is marked, or in the middle of a call."""

    repeatable = False

    def __init__(
        self, before: Callable[[], None] = lambda: None, during: Callable[[], None] = lambda: None
    ) -> None:
        self.before, self.during, self.sent = before, during, 0

    def mark(self, parcel: Parcel) -> str:
        self.before()
        return ""

    def publish(self, parcel: Parcel) -> Receipt:
        self.during()
        self.sent += 1
        return super().publish(parcel)


@pytest.fixture
def scheduled(session: Session, now: datetime) -> Delivery:
    approval = cast.approve_message(session, cast.make_message(session, now), now + HOUR, now)
    session.commit()
    return approval.deliveries[0]


def target_of(delivery: Delivery, scope: str) -> Target:
    message = delivery.approval.version.message
    return {"organisation": None, "campaign": message.campaign, "voice": message.voice}[scope]


def state(session: Session, delivery: Delivery) -> str:
    session.rollback()
    session.expire_all()
    return session.get_one(Delivery, delivery.id).state


def run(
    sessions: sessionmaker[Session], at: datetime, publisher: DryRunPublisher | None = None
) -> int:
    publishers = {"dry_run": publisher or DryRunPublisher()}
    return deliver_next(sessions, publishers, cast.VAULT, lambda: at)


@pytest.mark.parametrize("scope", kill_switch.SCOPES)
def test_what_is_stopped_waits_and_goes_out_after_the_lift(
    session: Session,
    sessions: sessionmaker[Session],
    scheduled: Delivery,
    now: datetime,
    scope: str,
) -> None:
    due = now + HOUR
    stop = press(session, target_of(scheduled, scope), reason=" Wait. ", by=LEAD, now=now)
    session.commit()
    assert (stop.scope, stop.reason, stop.under_way) == (scope, "Wait.", [])
    assert run(sessions, due) == 0
    assert state(session, scheduled) == "scheduled"
    held = session.get_one(Delivery, scheduled.id)
    assert held.detail == "The kill switch is pressed: Wait."
    assert held.settled_at is None
    assert kill_switch.waiting_behind(session, stop) == [held]
    lift(session, stop, why="A false alarm", by=ADMIN, now=due)
    session.commit()
    assert run(sessions, due + STOP_REST) == 1
    assert state(session, scheduled) == "published"
    assert kill_switch.history(session) == [stop]
    assert kill_switch.standing(session) == []


@pytest.mark.parametrize("scope", ["campaign", "voice"])
def test_a_stop_of_another_voice_or_campaign_holds_nothing_here(
    session: Session,
    sessions: sessionmaker[Session],
    scheduled: Delivery,
    now: datetime,
    scope: str,
) -> None:
    other = cast.make_voice(session, now) if scope == "voice" else cast.make_campaign(session, now)
    press(session, other, reason="Wait.", by=LEAD, now=now)
    session.commit()
    assert run(sessions, now + HOUR) == 1
    assert state(session, scheduled) == "published"


def test_what_is_held_too_long_is_missed_and_never_sent_late(
    session: Session, sessions: sessionmaker[Session], scheduled: Delivery, now: datetime
) -> None:
    stop = press(session, None, reason="Wait.", by=LEAD, now=now)
    session.commit()
    run(sessions, now + HOUR)
    assert run(sessions, now + HOUR + FRESHNESS + STOP_REST) == 0
    assert state(session, scheduled) == "missed"
    assert "kill switch" in session.get_one(Delivery, scheduled.id).detail
    lift(session, stop, why="Over", by=ADMIN, now=now + 8 * HOUR)
    session.commit()
    assert run(sessions, now + 8 * HOUR) == 0


def test_a_press_between_claim_and_call_stops_the_call(
    session: Session, sessions: sessionmaker[Session], scheduled: Delivery, now: datetime
) -> None:
    def pressed() -> None:
        with sessions.begin() as other:
            stop = press(other, None, reason="Now!", by=LEAD, now=now)
            assert stop.under_way == []  # nothing was sent yet, so nothing is on its way
            assert [one.state for one in kill_switch.waiting_behind(other, stop)] == ["claimed"]

    publisher = Interrupted(before=pressed)
    run(sessions, now + HOUR, publisher)
    assert publisher.sent == 0
    assert state(session, scheduled) == "scheduled"
    assert session.scalars(select(Attempt)).all() == []


def test_what_was_on_its_way_is_named(
    session: Session, sessions: sessionmaker[Session], scheduled: Delivery, now: datetime
) -> None:
    def pressed() -> None:
        with sessions.begin() as other:
            press(other, None, reason="Now!", by=LEAD, now=now)

    publisher = Interrupted(during=pressed)
    run(sessions, now + HOUR, publisher)
    assert publisher.sent == 1
    assert state(session, scheduled) == "published"
    (stop,) = kill_switch.standing(session)
    assert [one.id for one in stop.under_way] == [scheduled.id]


def test_under_a_stop_a_doubt_is_looked_up_and_not_sent(
    session: Session, sessions: sessionmaker[Session], scheduled: Delivery, now: datetime
) -> None:
    def broken() -> None:
        raise InDoubtError("It broke off.")

    run(sessions, now + HOUR, Interrupted(during=broken))
    stop = press(session, None, reason="Wait.", by=LEAD, now=now)
    session.commit()
    assert [one.id for one in stop.under_way] == [scheduled.id]
    publisher = Interrupted()  # whose look says that it never arrived
    assert run(sessions, now + HOUR + CLAIM_PATIENCE, publisher) == 1
    assert (state(session, scheduled), publisher.sent) == ("retry_later", 0)
    lift(session, stop, why="Over", by=ADMIN, now=now)
    session.commit()
    assert run(sessions, now + 2 * HOUR, publisher) == 1
    assert publisher.sent == 1


def test_a_press_waits_for_a_call_that_is_just_beginning(
    session: Session, sessions: sessionmaker[Session], scheduled: Delivery, now: datetime
) -> None:
    """Or it would neither be stopped nor be named."""
    gone_through = Event()

    def pressed() -> list[int]:
        with sessions.begin() as other:
            stop = press(other, None, reason="Now!", by=LEAD, now=now)
            gone_through.set()
            return [one.id for one in stop.under_way]

    with ThreadPoolExecutor(1) as pool:
        with sessions.begin() as worker:
            kill_switch.close_gate(worker)
            press_under_way = pool.submit(pressed)
            assert not gone_through.wait(0.5)
            delivery = worker.get_one(Delivery, scheduled.id)
            delivery.state, delivery.claimed_at = "attempting", now
        assert press_under_way.result(30) == [scheduled.id]


def test_pressing_again_changes_nothing_and_two_presses_at_once_make_one_stop(
    session: Session, sessions: sessionmaker[Session], scheduled: Delivery, now: datetime
) -> None:
    def pressed(by: int) -> int:
        with sessions.begin() as other:
            return press(other, None, reason=f"By {by}", by=by, now=now).id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(pressed, range(1, 9)))) == 1
    assert len(session.scalars(select(Stop)).all()) == 1


def test_lifting_takes_words_and_a_second_person(session: Session, now: datetime) -> None:
    with pytest.raises(ValueError, match="why"):
        press(session, None, reason=" \n", by=LEAD, now=now)
    stop = press(session, None, reason="Wait.", by=LEAD, now=now)
    with pytest.raises(ValueError, match="why it may go on"):
        lift(session, stop, why=" ", by=ADMIN, now=now)
    with pytest.raises(SecondPersonNeededError):
        lift(session, stop, why="Fine", by=LEAD, now=now)
    lift(session, stop, why="Fine", by=ADMIN, now=now)
    with pytest.raises(ValueError, match="lifted before"):
        lift(session, stop, why="Again", by=ADMIN, now=now)
    again = press(session, None, reason="Once more", by=ADMIN, now=now)
    assert again is not stop
    session.commit()
    again.lifted_by, again.lifted_at, again.lifted_why = ADMIN, now, "By hand"
    with pytest.raises(IntegrityError, match="two_people"):
        session.flush()


def test_consent_withdrawn_between_claim_and_call_stops_the_call(
    session: Session, sessions: sessionmaker[Session], scheduled: Delivery, now: datetime
) -> None:
    def withdrawn() -> None:
        with sessions.begin() as other:
            delivery = other.get_one(Delivery, scheduled.id)
            assert delivery.state == "claimed"
            (consent,) = delivery.account.voice.consents
            withdraw_consent(other, consent, why="Ill.", by=cast.CARL_COMMS, now=now)
            assert delivery.state == "withdrawn"

    publisher = Interrupted(before=withdrawn)
    run(sessions, now + HOUR, publisher)
    assert (state(session, scheduled), publisher.sent) == ("withdrawn", 0)
    assert "Ill." in session.get_one(Delivery, scheduled.id).detail


@pytest.mark.parametrize("round_", range(6))
def test_consent_withdrawn_while_workers_race_is_sent_before_or_not_at_all(
    session: Session,
    sessions: sessionmaker[Session],
    scheduled: Delivery,
    now: datetime,
    round_: int,
) -> None:
    publisher = Interrupted()
    begun = Event()
    publisher.before = begun.set

    def work() -> None:
        run(sessions, now + HOUR, publisher)

    def withdraw() -> str:
        if round_ % 2:
            begun.wait(10)
        with sessions.begin() as other:
            delivery = other.get_one(Delivery, scheduled.id)
            (consent,) = delivery.account.voice.consents
            withdraw_consent(other, consent, why="Ill.", by=cast.CARL_COMMS, now=now)
            return delivery.state

    with ThreadPoolExecutor(3) as pool:
        ends = [pool.submit(work), pool.submit(work)]
        left_as = pool.submit(withdraw).result(30)
        for end in ends:
            end.result(30)
    # Whoever withdraws is told the truth: stopped means that it is not out.
    assert publisher.sent == (left_as != "withdrawn")
    assert state(session, scheduled) == ("published" if publisher.sent else "withdrawn")
