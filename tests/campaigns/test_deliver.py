"""Exactly what was approved, exactly once, or not at all: on a real AT Protocol server."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker

from campaigns.approving.approvals import withdraw_approval
from campaigns.deliver import (
    ASK_A_PERSON,
    BACK_OFF,
    CLAIM_PATIENCE,
    DOUBT_PATIENCE,
    DOUBT_REST,
    FRESHNESS,
    RETRY_IN_MAX,
    deliver_next,
)
from campaigns.drafting.messages import AlreadyOutError, save_draft, start_message, state_of
from campaigns.models import Attempt, Delivery, Message
from campaigns.plans import intent_of, save_plan
from campaigns.publishers import (
    InDoubtError,
    NotSentError,
    Parcel,
    Publisher,
    PublisherRejectedError,
    Receipt,
)
from campaigns.publishers.bluesky import BlueskyPublisher
from campaigns.publishers.dry_run import DryRunPublisher
from campaigns.sending.deliveries import NotInDoubtError, found_by_person
from campaigns.voices import connect_account, withdraw_consent
from tests.campaigns import cast
from tests.pds.server import Account as PdsAccount
from tests.pds.server import Pds

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)

Deliver = Callable[..., int]


class WorkerDiedError(BaseException):
    """The process ends here, as by a power cut: nothing below may catch it."""


class Dying:
    """A real publisher in a process that dies before or after its call."""

    def __init__(self, real: Publisher, *, sends: bool) -> None:
        self.real, self.sends, self.repeatable = real, sends, real.repeatable

    def mark(self, parcel: Parcel) -> str:
        return self.real.mark(parcel)

    def publish(self, parcel: Parcel) -> Receipt:
        if self.sends:
            self.real.publish(parcel)
        raise WorkerDiedError

    def find(self, parcel: Parcel) -> Receipt | None:
        return self.real.find(parcel)


class Failing:
    """A platform that answers with one fault, and counts how often it was asked to send."""

    def __init__(
        self, fault: Exception, found: Receipt | None = None, repeatable: bool = False
    ) -> None:
        self.fault, self.found, self.asked, self.repeatable = fault, found, 0, repeatable

    def mark(self, parcel: Parcel) -> str:
        return "as it was"

    def publish(self, parcel: Parcel) -> Receipt:
        self.asked += 1
        raise self.fault

    def find(self, parcel: Parcel) -> Receipt | None:
        return self.found


class Vanished(Failing):
    """A platform that cannot even be asked any more."""

    looked = 0

    def find(self, parcel: Parcel) -> Receipt | None:
        self.looked += 1
        raise self.fault


@pytest.fixture
def deliver(sessions: sessionmaker[Session]) -> Deliver:
    """One pass of a worker at a given moment; rehearses unless told of a publisher."""

    def run(at: datetime, publisher: Publisher | None = None, vault: Fernet = cast.VAULT) -> int:
        chosen = publisher or DryRunPublisher()
        return deliver_next(
            sessions, {"dry_run": chosen, "bluesky": chosen}, vault, now_fn=lambda: at
        )

    return run


@pytest.fixture
def scheduled(session: Session, now: datetime) -> Delivery:
    """One approved rehearsal, due in an hour."""
    approval = cast.approve_message(session, cast.make_message(session, now), now + HOUR, now)
    session.commit()
    return approval.deliveries[0]


@pytest.fixture
def paula(pds: Pds, request: pytest.FixtureRequest) -> PdsAccount:
    """A fresh account on the real server for each test."""
    return pds.create_account(f"p{abs(hash(request.node.name)) % 10**9}.test")


@pytest.fixture
def real(session: Session, now: datetime, pds: Pds, paula: PdsAccount) -> Delivery:
    """One approved post for the real server, due in an hour."""
    voice = cast.make_voice(session, now)
    connect_account(
        session,
        voice,
        platform="bluesky",
        handle=paula.handle,
        service=pds.url,
        secret=paula.password,
        vault=cast.VAULT,
        by=cast.CARL_COMMS,
        now=now,
    )
    campaign = cast.make_campaign(session, now)
    message = start_message(session, campaign, voice, by=cast.CARL_COMMS, now=now)
    approval = cast.approve_message(session, message, now + HOUR, now)
    session.commit()
    return approval.deliveries[0]


def fresh(session: Session, delivery: Delivery) -> Delivery:
    """The delivery as the database has it now."""
    session.rollback()
    session.expire_all()
    return session.get_one(Delivery, delivery.id)


def outcomes(session: Session) -> list[str | None]:
    return list(session.scalars(select(Attempt.outcome).order_by(Attempt.id)))


def message_of(delivery: Delivery) -> Message:
    return delivery.approval.version.message


# ---- the way it should go


def test_nothing_goes_out_before_its_time(
    session: Session, scheduled: Delivery, now: datetime, deliver: Deliver
) -> None:
    assert deliver(now + HOUR - SECOND) == 0
    assert fresh(session, scheduled).state == "scheduled"
    assert deliver(now + HOUR) == 1
    delivery = fresh(session, scheduled)
    assert (delivery.state, delivery.settled_at) == ("published", now + HOUR)
    assert delivery.receipt_uri == f"dry-run:{delivery.record_key}"
    assert delivery.receipt_url is None
    assert state_of(message_of(delivery)) == "published"
    assert deliver(now + 2 * HOUR) == 0


def test_a_post_is_published_from_the_voices_own_account(
    session: Session, real: Delivery, pds: Pds, paula: PdsAccount, now: datetime, deliver: Deliver
) -> None:
    assert deliver(now + HOUR, BlueskyPublisher()) == 1
    delivery = fresh(session, real)
    (post,) = pds.posts(paula)
    assert delivery.state == "published"
    assert post["uri"] == delivery.receipt_uri
    assert post["uri"].startswith(f"at://{paula.did}/app.bsky.feed.post/")
    assert post["value"] == delivery.record
    assert post["value"]["text"] == cast.CALM
    assert outcomes(session) == ["published"]


# ---- exactly once


def test_two_workers_publish_once(
    session: Session,
    sessions: sessionmaker[Session],
    real: Delivery,
    pds: Pds,
    paula: PdsAccount,
    now: datetime,
) -> None:
    together = Barrier(2)

    def work() -> int:
        publisher = BlueskyPublisher()
        together.wait()
        return deliver_next(sessions, {"bluesky": publisher}, cast.VAULT, lambda: now + HOUR)

    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(work), pool.submit(work)]
    assert sorted(call.result() for call in calls) == [0, 1]
    assert len(pds.posts(paula)) == 1
    assert fresh(session, real).state == "published"
    assert outcomes(session) == ["published"]


def test_many_workers_share_many_deliveries_without_a_double(
    session: Session, sessions: sessionmaker[Session], now: datetime
) -> None:
    message = cast.make_message(session, now)
    for number in range(19):
        cast.rehearsal_account(session, message.voice, now, handle=f"church-{number}")
    cast.approve_message(session, message, now + HOUR, now)
    session.commit()
    together = Barrier(4)

    def work() -> int:
        together.wait()
        publishers = {"dry_run": DryRunPublisher()}
        return deliver_next(sessions, publishers, cast.VAULT, lambda: now + HOUR)

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(work) for _ in range(4)]
    assert sum(call.result() for call in calls) == 20
    assert outcomes(session) == ["published"] * 20
    session.expire_all()
    assert state_of(message) == "published"


def test_a_worker_that_died_after_sending_makes_no_double(
    session: Session, real: Delivery, pds: Pds, paula: PdsAccount, now: datetime, deliver: Deliver
) -> None:
    with pytest.raises(WorkerDiedError):
        deliver(now + HOUR, Dying(BlueskyPublisher(), sends=True))
    assert fresh(session, real).state == "attempting"
    (sent,) = pds.posts(paula)
    assert deliver(now + HOUR + CLAIM_PATIENCE - SECOND, BlueskyPublisher()) == 0
    assert deliver(now + HOUR + CLAIM_PATIENCE, BlueskyPublisher()) == 1
    assert pds.posts(paula) == [sent]
    delivery = fresh(session, real)
    assert (delivery.state, delivery.receipt_uri) == ("published", sent["uri"])
    assert outcomes(session) == ["unknown", "published"]


def test_a_worker_that_died_before_sending_loses_nothing(
    session: Session, real: Delivery, pds: Pds, paula: PdsAccount, now: datetime, deliver: Deliver
) -> None:
    with pytest.raises(WorkerDiedError):
        deliver(now + HOUR, Dying(BlueskyPublisher(), sends=False))
    assert pds.posts(paula) == []
    assert deliver(now + HOUR + CLAIM_PATIENCE, BlueskyPublisher()) == 1
    assert len(pds.posts(paula)) == 1


@pytest.mark.parametrize(("was_sent", "state"), [(True, "published"), (False, "missed")])
def test_what_may_be_out_is_looked_up_when_it_may_no_longer_be_sent(
    session: Session,
    real: Delivery,
    pds: Pds,
    paula: PdsAccount,
    now: datetime,
    deliver: Deliver,
    was_sent: bool,
    state: str,
) -> None:
    with pytest.raises(WorkerDiedError):
        deliver(now + HOUR, Dying(BlueskyPublisher(), sends=was_sent))
    assert deliver(now + HOUR + FRESHNESS + SECOND, BlueskyPublisher()) == 1
    assert fresh(session, real).state == state
    assert len(pds.posts(paula)) == was_sent


def test_a_post_its_voice_deleted_does_not_come_back(
    session: Session, real: Delivery, pds: Pds, paula: PdsAccount, now: datetime, deliver: Deliver
) -> None:
    deliver(now + HOUR, BlueskyPublisher())
    pds.delete(paula, pds.posts(paula)[0]["uri"])
    assert deliver(now + 2 * HOUR, BlueskyPublisher()) == 0
    assert pds.posts(paula) == []


def test_not_even_after_a_crash_does_a_deleted_post_come_back(
    session: Session, real: Delivery, pds: Pds, paula: PdsAccount, now: datetime, deliver: Deliver
) -> None:
    """It went out, our worker died, its voice deleted it: nobody but a person can know that."""
    with pytest.raises(WorkerDiedError):
        deliver(now + HOUR, Dying(BlueskyPublisher(), sends=True))
    pds.delete(paula, pds.posts(paula)[0]["uri"])
    for hours in (1.5, 3, 6, 12, 30):
        deliver(now + hours * HOUR, BlueskyPublisher())
        assert pds.posts(paula) == []
    delivery = fresh(session, real)
    assert (delivery.state, delivery.not_before) == ("unconfirmed", None)
    assert "deleted" in delivery.detail


def test_a_database_restored_from_a_backup_sends_nothing_old_and_nothing_twice(
    session: Session, real: Delivery, pds: Pds, paula: PdsAccount, now: datetime, deliver: Deliver
) -> None:
    before = {key: getattr(real, key) for key in ("state", "claims", "claimed_at", "settled_at")}
    deliver(now + HOUR, BlueskyPublisher())
    (post,) = pds.posts(paula)
    session.execute(text("DELETE FROM attempts"))
    for key, value in before.items():
        setattr(fresh(session, real), key, value)
    fresh_again = session.get_one(Delivery, real.id)
    for key, value in (before | {"receipt_uri": None}).items():
        setattr(fresh_again, key, value)
    session.commit()
    backup = fresh(session, real)
    assert backup.state == "scheduled"
    deliver(now + 2 * HOUR, BlueskyPublisher())  # within its freshness: it is looked up
    assert pds.posts(paula) == [post]
    assert fresh(session, real).state == "published"
    session.execute(text("DELETE FROM attempts"))
    for key, value in (before | {"receipt_uri": None}).items():
        setattr(session.get_one(Delivery, real.id), key, value)
    session.commit()
    pds.delete(paula, post["uri"])
    assert deliver(now + 7 * 24 * HOUR, BlueskyPublisher()) == 0
    assert pds.posts(paula) == []
    assert fresh(session, real).state == "missed"


# ---- not at all


def test_a_message_edited_after_approval_is_not_published(
    session: Session, real: Delivery, pds: Pds, paula: PdsAccount, now: datetime, deliver: Deliver
) -> None:
    texts = {real.account_id: "Something nobody approved."}
    save_draft(session, message_of(real), texts, now + HOUR, by=cast.CARL_COMMS, now=now)
    session.commit()
    assert deliver(now + HOUR, BlueskyPublisher()) == 0
    assert pds.posts(paula) == []
    assert fresh(session, real).state == "withdrawn"


def test_even_a_newer_version_slipped_in_by_hand_stops_the_old_one(
    session: Session, scheduled: Delivery, now: datetime, deliver: Deliver
) -> None:
    session.execute(
        text(
            "INSERT INTO message_versions"
            " (message_id, number, content, sha256, drafted_by, drafted_at)"
            " SELECT message_id, 2, content, sha256, drafted_by, drafted_at FROM message_versions"
        )
    )
    session.commit()
    assert deliver(now + HOUR) == 0
    assert fresh(session, scheduled).state == "withdrawn"


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE message_versions SET content = jsonb_set(content, '{parts,0,text}', '\"Other\"')",
        "UPDATE message_versions SET content = jsonb_set(content, '{voice}', '7')",
        "UPDATE message_versions SET content = jsonb_set(content, '{parts}', '[]')",
        "UPDATE deliveries SET record = jsonb_set(record, '{text}', '\"Other\"')",
        # both alike, so that only the approved hash can tell
        "WITH words AS (UPDATE message_versions"
        " SET content = jsonb_set(content, '{parts,0,text}', '\"Other\"'))"
        " UPDATE deliveries SET record = jsonb_set(record, '{text}', '\"Other\"') - 'facets'",
        "UPDATE deliveries SET record = jsonb_set(record,"
        " '{facets,0,features,0,uri}', '\"https://elsewhere.example\"')",
        "UPDATE deliveries SET record = record || '{\"reply\": {}}'",
        "UPDATE deliveries SET due_at = due_at - interval '10 minutes'",
        "UPDATE accounts SET handle = 'somebody-else'",
        "UPDATE accounts SET service = 'https://elsewhere.example'",
        "UPDATE consents SET valid_until = now() - interval '10 years'",
        "UPDATE consents SET platforms = '{bluesky}'",
        "UPDATE approvals SET withdrawn_at = now(), withdrawn_why = 'by hand'",
    ],
)
def test_what_differs_from_the_approval_is_not_published(
    session: Session, scheduled: Delivery, now: datetime, deliver: Deliver, tampering: str
) -> None:
    session.execute(text(tampering))
    session.commit()
    assert deliver(now + HOUR) == 0
    delivery = fresh(session, scheduled)
    assert delivery.state == "withdrawn"
    assert delivery.detail
    assert outcomes(session) == []


def test_consent_withdrawn_while_queued_stops_the_post(
    session: Session, real: Delivery, pds: Pds, paula: PdsAccount, now: datetime, deliver: Deliver
) -> None:
    (consent,) = message_of(real).voice.consents
    withdraw_consent(session, consent, why="Ill.", by=cast.CARL_COMMS, now=now)
    session.commit()
    assert deliver(now + HOUR, BlueskyPublisher()) == 0
    assert fresh(session, real).state == "withdrawn"
    assert pds.posts(paula) == []


def test_an_approval_withdrawn_while_queued_stops_the_post(
    session: Session, scheduled: Delivery, now: datetime, deliver: Deliver
) -> None:
    withdraw_approval(session, scheduled.approval, why="Wait.", by=cast.PASTOR_PAULA, now=now)
    session.commit()
    assert deliver(now + HOUR) == 0
    assert fresh(session, scheduled).state == "withdrawn"


def test_an_overdue_message_is_missed_and_not_sent_late(
    session: Session, scheduled: Delivery, now: datetime, deliver: Deliver
) -> None:
    assert deliver(now + HOUR + FRESHNESS + SECOND) == 0
    delivery = fresh(session, scheduled)
    assert delivery.state == "missed"
    assert state_of(message_of(delivery)) == "missed"


def test_nothing_goes_out_once_the_campaigns_plan_has_expired(
    session: Session, deliver: Deliver, scheduled: Delivery, now: datetime
) -> None:
    campaign = scheduled.approval.version.message.campaign
    due = scheduled.due_at
    for expires_at, sent in ((due, 0), (due + SECOND, 1)):
        intent = replace(intent_of(campaign), expires_at=expires_at)
        save_plan(session, campaign, intent, by=cast.CARL_COMMS, now=now)
        session.commit()
        assert deliver(due) == sent
        session.refresh(scheduled)
        if not sent:
            assert (scheduled.state, scheduled.attempts) == ("missed", [])
            assert "plan has expired" in scheduled.detail
            scheduled.state, scheduled.settled_at = "scheduled", None
    assert scheduled.state == "published"


def test_a_message_on_its_way_can_no_longer_be_edited(
    session: Session, scheduled: Delivery, now: datetime, deliver: Deliver
) -> None:
    with pytest.raises(WorkerDiedError):
        deliver(now + HOUR, Dying(DryRunPublisher(), sends=True))
    message = message_of(fresh(session, scheduled))
    assert state_of(message) == "publishing"
    with pytest.raises(AlreadyOutError):
        save_draft(session, message, {}, now + 2 * HOUR, by=cast.CARL_COMMS, now=now)


# ---- when the platform fails


def test_what_was_certainly_not_sent_is_tried_again_later_and_later(
    session: Session, scheduled: Delivery, now: datetime, deliver: Deliver
) -> None:
    at, busy = now + HOUR, Failing(NotSentError("The server is down."))
    for tries in range(1, 4):
        assert deliver(at, busy) == 1
        delivery = fresh(session, scheduled)
        assert (delivery.state, delivery.detail) == ("retry_later", "The server is down.")
        assert state_of(message_of(delivery)) == "scheduled"
        assert delivery.not_before == at + BACK_OFF * 2 ** (tries - 1)
        assert deliver(delivery.not_before - SECOND, busy) == 0
        at = delivery.not_before
    assert deliver(at) == 1
    assert fresh(session, scheduled).state == "published"
    assert outcomes(session) == ["not_sent", "not_sent", "not_sent", "published"]


def test_a_platform_that_names_a_time_is_obeyed(
    session: Session, scheduled: Delivery, now: datetime, deliver: Deliver
) -> None:
    deliver(now + HOUR, Failing(NotSentError("Slow down.", retry_in=3600)))
    assert fresh(session, scheduled).not_before == now + 2 * HOUR


@pytest.mark.parametrize(
    ("retry_in", "wait"),
    [
        (1.8e12, RETRY_IN_MAX),  # milliseconds for seconds
        (float("inf"), BACK_OFF),
        (float("nan"), BACK_OFF),
        (-1e300, BACK_OFF),
    ],
)
def test_a_platform_that_names_an_impossible_time_is_not_believed(
    session: Session,
    scheduled: Delivery,
    now: datetime,
    deliver: Deliver,
    retry_in: float,
    wait: timedelta,
) -> None:
    deliver(now + HOUR, Failing(NotSentError("Slow down.", retry_in=retry_in)))
    delivery = fresh(session, scheduled)
    assert (delivery.state, delivery.not_before) == ("retry_later", now + HOUR + wait)


def test_a_refusal_is_final(
    session: Session, scheduled: Delivery, now: datetime, deliver: Deliver
) -> None:
    refusing = Failing(PublisherRejectedError("Not here."))
    assert deliver(now + HOUR, refusing) == 1
    assert deliver(now + 2 * HOUR, refusing) == 0
    delivery = fresh(session, scheduled)
    assert (delivery.state, delivery.detail) == ("rejected", "Not here.")


@pytest.mark.parametrize("fault", [InDoubtError("It broke off."), RuntimeError("a mistake")])
def test_a_doubt_is_looked_up_and_never_sent_again_blindly(
    session: Session, scheduled: Delivery, now: datetime, deliver: Deliver, fault: Exception
) -> None:
    deliver(now + HOUR, Failing(fault))
    delivery = fresh(session, scheduled)
    assert (delivery.state, outcomes(session)) == ("unconfirmed", ["unknown"])
    assert state_of(message_of(delivery)) == "not known if out"
    at = now + HOUR + DOUBT_REST
    assert deliver(at - SECOND, Failing(fault)) == 0  # the server may still be at it
    # A platform that cannot be asked leaves the doubt; nothing is sent.
    silent = Vanished(NotSentError("Down."))
    assert deliver(at, silent) == 1
    delivery = fresh(session, scheduled)
    assert (delivery.state, delivery.not_before) == ("unconfirmed", at + DOUBT_REST)
    assert (silent.asked, silent.looked) == (0, 1)
    # When the approval is gone we still look before we say that it was stopped.
    withdraw_approval(session, delivery.approval, why="Wait.", by=cast.PASTOR_PAULA, now=at)
    session.commit()
    assert fresh(session, scheduled).state == "unconfirmed"
    out_there = Failing(fault, found=Receipt("at://somewhere", None))
    assert deliver(at + DOUBT_REST, out_there) == 1
    assert out_there.asked == 0
    assert fresh(session, scheduled).state == "published"


def test_what_never_arrived_is_sent_in_the_same_breath(
    session: Session, scheduled: Delivery, now: datetime, deliver: Deliver
) -> None:
    deliver(now + HOUR, Failing(InDoubtError("It broke off.")))
    at = now + HOUR + DOUBT_REST
    assert deliver(at, Failing(NotSentError("Still down."))) == 1
    delivery = fresh(session, scheduled)
    assert (delivery.state, delivery.in_doubt) == ("retry_later", False)
    assert outcomes(session) == ["not_sent", "not_sent", "not_sent"]
    assert [one.kind for one in delivery.attempts] == ["send", "look", "send"]


def test_a_publisher_that_may_be_repeated_is_simply_asked_again(
    session: Session, scheduled: Delivery, now: datetime, deliver: Deliver
) -> None:
    deliver(now + HOUR, Failing(InDoubtError("It broke off."), repeatable=True))
    at = now + HOUR + DOUBT_REST
    # Even when the next try certainly fails, the first may be out there.
    busy = Failing(NotSentError("Down."), repeatable=True)
    assert deliver(at, busy) == 1
    assert (busy.asked, fresh(session, scheduled).state) == (1, "unconfirmed")
    refusing = Failing(PublisherRejectedError("No."), repeatable=True)
    assert deliver(at + DOUBT_REST, refusing) == 1
    assert fresh(session, scheduled).state == "unconfirmed"
    assert deliver(at + HOUR) == 1  # the dry run
    assert fresh(session, scheduled).state == "published"


def test_a_doubt_that_ends_in_nothing_found_is_settled(
    session: Session, scheduled: Delivery, now: datetime, deliver: Deliver
) -> None:
    deliver(now + HOUR, Failing(InDoubtError("It broke off.")))
    late = Failing(InDoubtError(""))
    assert deliver(now + HOUR + FRESHNESS + SECOND, late) == 1
    assert (fresh(session, scheduled).state, late.asked) == ("missed", 0)


@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("later", [InDoubtError("No answer."), NotSentError("No sign-in.")])
def test_a_doubt_that_nobody_can_resolve_waits_for_a_person(
    session: Session,
    scheduled: Delivery,
    now: datetime,
    deliver: Deliver,
    stopped: bool,
    later: Exception,
) -> None:
    due = now + HOUR
    deliver(due, Failing(InDoubtError("It broke off.")))
    if stopped:
        approval = fresh(session, scheduled).approval
        withdraw_approval(session, approval, why="Wait.", by=cast.PASTOR_PAULA, now=due)
        session.commit()
    gone, at = Vanished(later), due
    while (moment := fresh(session, scheduled).not_before) is not None:
        assert at < due + DOUBT_PATIENCE
        at = moment
        assert deliver(at, gone) == 1
    delivery = fresh(session, scheduled)
    assert at >= due + DOUBT_PATIENCE
    assert (delivery.state, delivery.settled_at) == ("unconfirmed", None)
    assert delivery.detail.endswith(ASK_A_PERSON)
    looked = gone.looked
    assert deliver(at + 40 * 24 * HOUR, gone) == 0
    assert (gone.asked, gone.looked) == (0, looked)


# ---- a person looks


@pytest.fixture
def doubtful(session: Session, scheduled: Delivery, now: datetime, deliver: Deliver) -> Delivery:
    deliver(now + HOUR, Failing(InDoubtError("It broke off.")))
    return fresh(session, scheduled)


def test_a_person_who_found_it_says_where(
    session: Session, doubtful: Delivery, now: datetime, deliver: Deliver
) -> None:
    finding: dict[str, Any] = {"again": False, "note": "", "by": cast.CARL_COMMS, "now": now + HOUR}
    for wrong in ("javascript:alert(1)", "https://", "here", "https://x.example/\nx"):
        with pytest.raises(ValueError, match="whole link"):
            found_by_person(session, doubtful, url=wrong, **finding)
    found_by_person(session, doubtful, url=" https://hope.example/7 ", **finding)
    session.commit()
    delivery = fresh(session, doubtful)
    assert (delivery.state, delivery.receipt_url) == ("published", "https://hope.example/7")
    assert [(one.there, one.by) for one in delivery.findings] == [(True, cast.CARL_COMMS)]
    with pytest.raises(NotInDoubtError):
        found_by_person(session, delivery, url=None, **finding)
    assert deliver(now + 3 * HOUR) == 0


@pytest.mark.parametrize(("hours", "state"), [(1.5, "published"), (8, "missed")])
def test_what_a_person_did_not_find_may_be_sent_while_it_is_fresh(
    session: Session, doubtful: Delivery, now: datetime, deliver: Deliver, hours: float, state: str
) -> None:
    at = now + hours * HOUR
    with pytest.raises(ValueError, match="how you know"):
        found_by_person(session, doubtful, url=None, again=True, note=" ", by=2, now=at)
    found_by_person(session, doubtful, url=None, again=True, note="Looked", by=2, now=at)
    session.commit()
    assert fresh(session, doubtful).state == "retry_later"
    deliver(at)
    assert fresh(session, doubtful).state == state


def test_what_a_person_gave_up_is_over(
    session: Session, doubtful: Delivery, now: datetime, deliver: Deliver
) -> None:
    found_by_person(session, doubtful, url=None, again=False, note="Gone", by=2, now=now + HOUR)
    session.commit()
    assert deliver(now + 2 * HOUR) == 0
    assert fresh(session, doubtful).state == "withdrawn"


def test_a_look_that_ends_after_a_persons_word_changes_nothing(
    session: Session, sessions: sessionmaker[Session], doubtful: Delivery, now: datetime
) -> None:
    at = now + HOUR + DOUBT_REST

    class Slow(Failing):
        def find(self, parcel: Parcel) -> Receipt | None:
            with sessions.begin() as other:
                delivery = other.get_one(Delivery, doubtful.id)
                found_by_person(other, delivery, url=None, again=False, note="No", by=2, now=at)
            return None

    slow = Slow(InDoubtError(""))
    deliver_next(sessions, {"dry_run": slow}, cast.VAULT, lambda: at)
    assert (fresh(session, doubtful).state, slow.asked) == ("withdrawn", 0)


# ---- when recording fails


@pytest.mark.parametrize(
    "fault", [InDoubtError("\x00"), NotSentError("\x00"), PublisherRejectedError("\x00")]
)
def test_an_end_that_cannot_be_recorded_does_not_stop_the_next_delivery(
    session: Session,
    sessions: sessionmaker[Session],
    real: Delivery,
    now: datetime,
    fault: Exception,
) -> None:
    voice = message_of(real).voice
    cast.rehearsal_account(session, voice, now)
    campaign = message_of(real).campaign
    due = now + HOUR
    for after in (1, 2):  # one before and one after the delivery in trouble
        message = start_message(session, campaign, voice, by=cast.CARL_COMMS, now=now)
        cast.approve_message(session, message, due + after * SECOND, now)
    session.commit()
    publishers: dict[str, Any] = {"bluesky": Failing(fault), "dry_run": DryRunPublisher()}
    at = due + 2 * SECOND
    assert deliver_next(sessions, publishers, cast.VAULT, lambda: at) == 5
    session.expire_all()
    by_platform = {
        (delivery.account.platform, delivery.state)
        for delivery in session.scalars(select(Delivery))
    }
    assert by_platform == {("bluesky", "attempting"), ("dry_run", "published")}
    # Nothing is known of those calls, so they are doubts; this publisher may be asked again.
    publishers["bluesky"] = DryRunPublisher()
    assert deliver_next(sessions, publishers, cast.VAULT, lambda: at + CLAIM_PATIENCE) == 3
    session.expire_all()
    assert {delivery.state for delivery in session.scalars(select(Delivery))} == {"published"}
    assert outcomes(session).count("unknown") == 3


def test_one_failure_does_not_stop_the_next_delivery(
    session: Session, sessions: sessionmaker[Session], real: Delivery, now: datetime
) -> None:
    voice = message_of(real).voice
    cast.rehearsal_account(session, voice, now)
    texts = {account.id: cast.CALM for account in voice.accounts}
    assert len(texts) == 2
    approval = cast.approve_message(session, message_of(real), now + 2 * HOUR, now)
    session.commit()
    publishers: dict[str, Any] = {
        "bluesky": Failing(RuntimeError("a mistake")),
        "dry_run": DryRunPublisher(),
    }
    assert deliver_next(sessions, publishers, cast.VAULT, lambda: now + 2 * HOUR) == 2
    states = {fresh(session, delivery).state for delivery in approval.deliveries}
    assert states == {"unconfirmed", "published"}


def test_a_changed_key_or_a_missing_publisher_says_so_and_loses_nothing(
    session: Session,
    sessions: sessionmaker[Session],
    real: Delivery,
    pds: Pds,
    paula: PdsAccount,
    now: datetime,
    deliver: Deliver,
) -> None:
    assert deliver(now + HOUR, BlueskyPublisher(), Fernet(Fernet.generate_key())) == 1
    delivery = fresh(session, real)
    assert delivery.state == "retry_later"
    assert "another secret key" in delivery.detail
    assert delivery.not_before is not None
    assert deliver_next(sessions, {}, cast.VAULT, lambda: now + 2 * HOUR) == 1
    assert "not switched on" in fresh(session, real).detail
    assert deliver(now + 3 * HOUR, BlueskyPublisher()) == 1
    assert len(pds.posts(paula)) == 1
