"""Emergency releases: three people, one text, a permission given beforehand, and a review."""

from datetime import datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

import desk.models  # noqa: F401
from campaigns.approving import release_permissions, releases
from campaigns.approving.approvals import StaleApprovalError, approve, ask_change, withdraw_approval
from campaigns.approving.releases import AnotherPersonNeededError, NotAllowedError
from campaigns.deliver import deliver_next
from campaigns.drafting.messages import NotReadyError, save_draft, state_of, submit, unapproved
from campaigns.models import Approval, Bark, Delivery, MessageVersion, Release, Retraction
from campaigns.publishers.dry_run import DryRunPublisher
from campaigns.sending import kill_switch, watchdogs
from campaigns.voices import withdraw_consent
from sources.db import Base
from tests.campaigns import cast

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WHY = "The water must be boiled from tonight on; Paula is in the air until nine, called twice."


def laid(session: Session, now: datetime) -> MessageVersion:
    """Carl's words, submitted; Paula allowed safety information for ten days."""
    message = cast.make_message(session, now)
    (consent,) = message.voice.consents
    release_permissions.allow(
        *(session, consent),
        covers="Where water and shelter are",
        until=now + 10 * DAY,
        by=cast.CORA_COMMS,
        now=now,
    )
    texts = {account.id: cast.CALM for account in message.voice.accounts}
    version = save_draft(session, message, texts, now + HOUR, by=cast.CARL_COMMS, now=now)
    submit(session, version, by=cast.CARL_COMMS, now=now)
    session.commit()
    return version


def ask(session: Session, version: MessageVersion, now: datetime, **other: object) -> Release:
    said = {"sha256": version.sha256, "practical": True, "reason": WHY, "by": cast.CORA_COMMS}
    return releases.ask(session, version, now=now, **said | other)


def release(session: Session, asked: Release, now: datetime, **other: object) -> Approval:
    said = {"sha256": asked.version.sha256, "practical": True, "by": cast.DANA_DUTY_LEAD}
    return releases.release(session, asked, now=now, **said | other)


def deliver(sessions: sessionmaker[Session], at: datetime) -> int:
    return deliver_next(sessions, {"dry_run": DryRunPublisher()}, cast.VAULT, lambda: at)


def test_two_others_release_what_one_wrote_and_the_leader_approves_it_afterwards(
    sessions: sessionmaker[Session], session: Session, now: datetime
) -> None:
    version = laid(session, now)
    asked = ask(session, version, now)
    assert releases.open_among(unapproved(session), now) == ([(asked, version)], [])
    assert state_of(version.message) == "submitted"  # nothing is scheduled by asking
    approval = release(session, asked, now, passkey="key")
    session.commit()
    assert (approval.approved_by, approval.drafted_by) == (cast.DANA_DUTY_LEAD, cast.CARL_COMMS)
    assert (approval.release, approval.passkey) == (asked, "key")
    assert releases.open_among(unapproved(session), now) == ([], [(asked, version)])
    assert deliver(sessions, now + HOUR) == 1
    session.expire_all()
    assert state_of(version.message) == "published"
    with pytest.raises(AnotherPersonNeededError, match="leader"):
        releases.review(session, asked, agreed=True, note="", by=cast.DANA_DUTY_LEAD, now=now)
    done = {"agreed": True, "note": "", "by": cast.PASTOR_PAULA, "now": now + 2 * HOUR}
    assert releases.review(session, asked, **done) == 0
    assert releases.open_among(unapproved(session), now) == ([], [])
    with pytest.raises(StaleApprovalError):
        releases.review(session, asked, **done)
    session.commit()
    assert state_of(version.message) == "published"


def test_each_part_needs_another_person(session: Session, now: datetime) -> None:
    version = laid(session, now)
    for by, what in ((cast.CARL_COMMS, "You wrote"), (cast.PASTOR_PAULA, "approve it")):
        with pytest.raises(AnotherPersonNeededError, match=what):
            ask(session, version, now, by=by)
    asked = ask(session, version, now)
    with pytest.raises(StaleApprovalError, match="asked for this already"):
        ask(session, version, now, by=cast.DANA_DUTY_LEAD)
    for by, what in (
        (cast.CARL_COMMS, "You wrote"),
        (cast.CORA_COMMS, "You asked"),
        (cast.PASTOR_PAULA, "approve it"),
    ):
        with pytest.raises(AnotherPersonNeededError, match=what):
            release(session, asked, now, by=by)
    assert version.approval is None
    release(session, asked, now)
    with pytest.raises(StaleApprovalError, match="answered"):
        release(session, asked, now, by=cast.LENA_OTHER_LEADER)


def _other_strategy(session: Session, version: MessageVersion, now: datetime) -> None:
    version.message.campaign.strategy = "norm"


def _ended(session: Session, version: MessageVersion, now: datetime) -> None:
    (consent,) = version.message.voice.consents
    assert consent.release_permission is not None
    consent.release_permission.valid_until = now + timedelta(minutes=30)  # before it is due


def _taken_back(session: Session, version: MessageVersion, now: datetime) -> None:
    (consent,) = version.message.voice.consents
    assert consent.release_permission is not None
    release_permissions.take_back(
        session, consent.release_permission, why="Not any more", by=1, now=now
    )


def _consent_gone(session: Session, version: MessageVersion, now: datetime) -> None:
    (consent,) = version.message.voice.consents
    withdraw_consent(session, consent, why="Not any more", by=1, now=now)


def _elsewhere(session: Session, version: MessageVersion, now: datetime) -> None:
    (consent,) = version.message.voice.consents
    consent.platforms = ["bluesky"]


def test_what_the_voice_did_not_allow_beforehand_cannot_be_asked_nor_released(
    session: Session, now: datetime
) -> None:
    version = laid(session, now)
    assert releases.why_not(session, version, now) == ""
    asked = ask(session, version, now)
    session.commit()
    for spoil in (_other_strategy, _ended, _taken_back, _consent_gone, _elsewhere):
        spoil(session, version, now)
        session.flush()
        assert releases.why_not(session, version, now), spoil
        with pytest.raises(NotAllowedError):
            release(session, asked, now)
        releases.refuse(session, asked, why="It waits", by=cast.DANA_DUTY_LEAD, now=now)
        with pytest.raises(NotAllowedError):
            ask(session, version, now)
        assert version.approval is None
        session.rollback()


def test_it_is_for_practical_words_with_a_reason_as_they_were_shown_and_checked(
    session: Session, now: datetime
) -> None:
    version = laid(session, now)
    for other, what in (
        ({"practical": False}, "need to be safe"),
        ({"reason": "Urgent!"}, "why it cannot wait"),
        ({"sha256": "0" * 64}, "not the text"),
    ):
        with pytest.raises(ValueError, match=what):
            ask(session, version, now, **other)
    asked = ask(session, version, now)
    for other, what in (({"practical": False}, "safe"), ({"sha256": "0" * 64}, "not the text")):
        with pytest.raises(ValueError, match=what):
            release(session, asked, now, **other)
    with pytest.raises(NotReadyError, match="time to send has passed"):
        release(session, asked, now + 2 * HOUR)
    assert releases.open_among(unapproved(session), now + 2 * HOUR) == ([], [])
    texts = {part["account"]: "Other words." for part in version.content["parts"]}
    save_draft(session, version.message, texts, now + HOUR, by=cast.CARL_COMMS, now=now)
    with pytest.raises(StaleApprovalError, match="changed"):
        release(session, asked, now)
    assert releases.open_among(unapproved(session), now) == ([], [])


def test_after_the_leaders_no_nobody_goes_round_them(session: Session, now: datetime) -> None:
    version = laid(session, now)
    ask_change(session, version, reason="Name the crew.", by=cast.PASTOR_PAULA, now=now)
    texts = {part["account"]: "Use the bridge." for part in version.content["parts"]}
    again = save_draft(session, version.message, texts, now + HOUR, by=cast.CARL_COMMS, now=now)
    submit(session, again, by=cast.CARL_COMMS, now=now)
    with pytest.raises(NotAllowedError, match="said no"):
        ask(session, again, now)
    approval = approve(session, again, sha256=again.sha256, by=cast.PASTOR_PAULA, now=now)
    withdraw_approval(session, approval, why="Not now", by=cast.PASTOR_PAULA, now=now)
    assert "said no" in releases.why_not(session, again, now)


def test_the_schema_knows_that_three_people_took_part(session: Session, now: datetime) -> None:
    version = laid(session, now)
    asked = ask(session, version, now)
    session.commit()
    for person in (cast.CARL_COMMS, cast.CORA_COMMS):
        change = "UPDATE releases SET released_by = :by, released_at = :now WHERE id = :id"
        with pytest.raises(IntegrityError, match="two_people"):
            session.execute(text(change), {"by": person, "now": now, "id": asked.id})
        session.rollback()
    release(session, asked, now)
    session.commit()
    (delivery,) = version.approval.deliveries if version.approval else []
    for change in (
        "UPDATE approvals SET approved_by = 4",  # not who released it
        "UPDATE approvals SET sha256 = repeat('0', 64)",
        "UPDATE releases SET released_by = 4",
    ):
        with pytest.raises(IntegrityError):
            session.execute(text(change))
        session.rollback()
    assert delivery.state == "scheduled"


def test_the_claim_still_holds_all_it_holds(
    sessions: sessionmaker[Session], session: Session, now: datetime
) -> None:
    """Kill switch, permission taken back, permission ended, words changed: nothing goes out."""
    version = laid(session, now)
    approval = release(session, ask(session, version, now), now)
    session.commit()
    stop = kill_switch.press(session, None, reason="Wait", by=1, now=now)
    session.commit()
    due = now + HOUR
    deliver(sessions, due)
    (delivery,) = approval.deliveries
    session.refresh(delivery)
    assert delivery.state == "scheduled"
    assert "kill switch" in delivery.detail
    kill_switch.lift(session, stop, why="Go on", by=2, now=due)
    (consent,) = version.message.voice.consents
    permission = consent.release_permission
    assert permission is not None
    permission.withdrawn_by, permission.withdrawn_at, permission.withdrawn_why = 1, due, "No more"
    session.commit()  # as if it was taken back in the moment of the claim
    deliver(sessions, due + timedelta(minutes=1))
    session.refresh(delivery)
    assert (delivery.state, delivery.attempts) == ("withdrawn", [])
    assert "No more" in delivery.detail


def test_taking_the_permission_back_stops_what_waits(session: Session, now: datetime) -> None:
    version = laid(session, now)
    approval = release(session, ask(session, version, now), now)
    (consent,) = version.message.voice.consents
    permission = consent.release_permission
    assert permission is not None
    release_permissions.take_back(session, permission, why="Ask me first", by=1, now=now)
    assert [one.state for one in approval.deliveries] == ["withdrawn"]
    with pytest.raises(ValueError, match="before"):
        release_permissions.take_back(session, permission, why="Again", by=1, now=now)


def test_a_permission_names_what_it_is_for_and_ends_with_its_consent(
    session: Session, now: datetime
) -> None:
    voice = cast.make_voice(session, now)
    (consent,) = voice.consents
    for covers, until in ((" ", now + DAY), ("Water", now), ("Water", now + 31 * DAY)):
        with pytest.raises(ValueError, match="emergency"):
            release_permissions.allow(session, consent, covers=covers, until=until, by=1, now=now)


def test_an_objection_stops_what_waits_and_takes_back_what_is_out(
    sessions: sessionmaker[Session], session: Session, now: datetime
) -> None:
    version = laid(session, now)
    asked = ask(session, version, now)
    release(session, asked, now)
    session.commit()
    deliver(sessions, now + HOUR)
    session.expire_all()
    said = {"agreed": False, "by": cast.PASTOR_PAULA, "now": now + 2 * HOUR}
    with pytest.raises(ValueError, match="what was wrong"):
        releases.review(session, asked, note=" ", **said)
    assert releases.review(session, asked, note="The well is dry", **said) == 1
    session.commit()
    (retraction,) = session.query(Retraction).all()
    assert (retraction.decided_how, retraction.state) == ("own wish", "approved")
    assert retraction.reason == "The well is dry"
    assert asked.review == "objected"
    assert version.approval is not None
    assert version.approval.withdrawn_by == cast.PASTOR_PAULA


def test_an_objection_before_it_is_out_withdraws_it(session: Session, now: datetime) -> None:
    version = laid(session, now)
    asked = ask(session, version, now)
    release(session, asked, now)
    said = {"agreed": False, "note": "No", "by": cast.PASTOR_PAULA, "now": now}
    assert releases.review(session, asked, **said) == 0
    assert {one.state for one in session.query(Delivery)} == {"withdrawn"}


def test_an_overdue_review_is_a_watchdogs_finding_until_it_is_given(
    session: Session, now: datetime
) -> None:
    version = laid(session, now)
    asked = ask(session, version, now)
    approval = release(session, asked, now)
    for delivery in approval.deliveries:
        delivery.state, delivery.settled_at, delivery.receipt_uri = "published", now, "x"
    session.commit()
    at = now + DAY
    assert not releases.review_late(asked, at)
    assert watchdogs.unreviewed(session, at) == []
    at += timedelta(minutes=1)
    assert releases.review_late(asked, at)
    (concern,) = watchdogs.unreviewed(session, at)
    assert (concern.word, concern.version) == ("not reviewed", version)
    watchdogs.keep_barks(session, at)
    (bark,) = session.query(Bark).where(Bark.kind == "unreviewed").all()
    assert (bark.version, bark.ended_at) == (version, None)
    releases.review(session, asked, agreed=True, note="", by=cast.PASTOR_PAULA, now=at)
    watchdogs.keep_barks(session, at)
    assert bark.ended_at == at


def test_the_models_and_the_migration_agree(engine: Engine) -> None:
    tables = {"approvals", "notices", "releases", "release_permissions", "passkeys"}
    tables |= {"passkey_challenges", "passkey_choices"}
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _o, name, kind, *_: kind != "table" or name in tables,
            },
        )
        assert compare_metadata(context, Base.metadata) == []
