"""Two people, one text: in code, and in the schema for whoever gets past the code."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from campaigns.approvals import (
    NotYoursToApproveError,
    StaleApprovalError,
    TwoPeopleNeededError,
    approve,
    decline,
    withdraw_approval,
)
from campaigns.content import record_for
from campaigns.messages import NotReadyError, save_draft, state_of, submit
from campaigns.models import Delivery, MessageVersion
from campaigns.voices import withdraw_consent
from tests.campaigns import cast

HOUR = timedelta(hours=1)


def submitted(session: Session, now: datetime, by: int = cast.CARL_COMMS) -> MessageVersion:
    message = cast.make_message(session, now)
    texts = {account.id: cast.CALM for account in message.voice.accounts}
    version = save_draft(session, message, texts, now + HOUR, by=by, now=now)
    submit(session, version, by=cast.CARL_COMMS, now=now)
    return version


def next_version(
    session: Session, version: MessageVersion, now: datetime, words: str, by: int
) -> MessageVersion:
    texts = {account.id: words for account in version.message.voice.accounts}
    return save_draft(session, version.message, texts, now + HOUR, by=by, now=now)


def test_approval_fixes_text_time_record_and_key(session: Session, now: datetime) -> None:
    version = submitted(session, now)
    approval = approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now)
    session.commit()
    (delivery,) = approval.deliveries
    assert (delivery.state, delivery.due_at) == ("scheduled", now + HOUR)
    assert delivery.sha256 == approval.sha256 == version.sha256
    assert delivery.record == record_for(version.content["parts"][0], now + HOUR)
    assert len(delivery.record_key) == 13


def test_only_the_leader_of_the_voice_decides(session: Session, now: datetime) -> None:
    version = submitted(session, now)
    for stranger in (cast.CARL_COMMS, cast.LENA_OTHER_LEADER):
        with pytest.raises(NotYoursToApproveError):
            approve(session, version, sha256=version.sha256, by=stranger, now=now)
        with pytest.raises(NotYoursToApproveError):
            decline(session, version, reason="No.", by=stranger, now=now)


def test_a_leader_who_wrote_any_version_cannot_approve(session: Session, now: datetime) -> None:
    hers = submitted(session, now, by=cast.PASTOR_PAULA)
    with pytest.raises(TwoPeopleNeededError):
        approve(session, hers, sha256=hers.sha256, by=cast.PASTOR_PAULA, now=now)
    his = next_version(session, hers, now, "Reworded.", by=cast.CARL_COMMS)
    submit(session, his, by=cast.CARL_COMMS, now=now)
    with pytest.raises(TwoPeopleNeededError):
        approve(session, his, sha256=his.sha256, by=cast.PASTOR_PAULA, now=now)


def test_the_schema_itself_refuses_one_person(session: Session, now: datetime) -> None:
    version = submitted(session, now)
    values = {"version": version.id, "sha": version.sha256, "now": now}
    session.commit()
    with pytest.raises(IntegrityError, match="two_people"):
        session.execute(
            text(
                "INSERT INTO approvals (version_id, sha256, drafted_by, approved_by, approved_at)"
                " VALUES (:version, :sha, 2, 2, :now)"
            ),
            values,
        )
    session.rollback()
    # Nor does naming another drafter help: an approval must match its version.
    with pytest.raises(IntegrityError, match="fk_approvals"):
        session.execute(
            text(
                "INSERT INTO approvals (version_id, sha256, drafted_by, approved_by, approved_at)"
                " VALUES (:version, :sha, 9, 2, :now)"
            ),
            values,
        )


@pytest.mark.parametrize("wrong", ["approval", "sha256"])
def test_the_schema_refuses_a_delivery_without_its_approval(
    session: Session, now: datetime, wrong: str
) -> None:
    version = submitted(session, now)
    approval = approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now)
    session.commit()
    session.add(
        Delivery(
            approval_id=approval.id + (wrong == "approval"),
            sha256="0" * 64 if wrong == "sha256" else approval.sha256,
            account_id=cast.rehearsal_account(session, version.message.voice, now, "new").id,
            due_at=now,
            state="scheduled",
            record_key="3mmoojp4cd223",
            record={},
        )
    )
    with pytest.raises(IntegrityError, match="fk_deliveries_approval_id"):
        session.flush()


def test_an_approved_hash_cannot_be_replaced(session: Session, now: datetime) -> None:
    version = submitted(session, now)
    approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now)
    session.commit()
    with pytest.raises(IntegrityError, match="fk_approvals"):
        session.execute(text("UPDATE message_versions SET sha256 = repeat('0', 64)"))


def test_the_page_must_have_shown_what_stands_now(session: Session, now: datetime) -> None:
    shown = submitted(session, now)
    newer = next_version(session, shown, now, "Reworded.", by=cast.CARL_COMMS)
    with pytest.raises(StaleApprovalError, match="changed after you opened it"):
        approve(session, shown, sha256=shown.sha256, by=cast.PASTOR_PAULA, now=now)
    with pytest.raises(StaleApprovalError, match="not submitted"):
        approve(session, newer, sha256=newer.sha256, by=cast.PASTOR_PAULA, now=now)
    submit(session, newer, by=cast.CARL_COMMS, now=now)
    with pytest.raises(StaleApprovalError, match="not the text you were shown"):
        approve(session, newer, sha256=shown.sha256, by=cast.PASTOR_PAULA, now=now)
    approve(session, newer, sha256=newer.sha256, by=cast.PASTOR_PAULA, now=now)


def test_text_changed_behind_our_back_is_not_approved(session: Session, now: datetime) -> None:
    version = submitted(session, now)
    session.execute(
        text("UPDATE message_versions SET content = jsonb_set(content, '{parts,0,text}', '\"X\"')")
    )
    with pytest.raises(StaleApprovalError):
        approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now)


def test_a_version_is_decided_once(session: Session, now: datetime) -> None:
    version = submitted(session, now)
    with pytest.raises(ValueError, match="your reason"):
        decline(session, version, reason=" ", by=cast.PASTOR_PAULA, now=now)
    decline(session, version, reason="Too long.", by=cast.PASTOR_PAULA, now=now)
    with pytest.raises(StaleApprovalError, match="decided before"):
        approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now)


def test_checks_hold_at_approval_too(session: Session, now: datetime) -> None:
    version = submitted(session, now)
    with pytest.raises(NotReadyError, match="time to send has passed"):
        approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now + 2 * HOUR)
    (consent,) = version.message.voice.consents
    withdraw_consent(session, consent, why="Ill.", by=cast.CARL_COMMS, now=now)
    with pytest.raises(NotReadyError, match="no standing consent"):
        approve(session, version, sha256=version.sha256, by=cast.PASTOR_PAULA, now=now)


def test_withdrawing_an_approval_stops_what_is_not_claimed(session: Session, now: datetime) -> None:
    message = cast.make_message(session, now)
    cast.rehearsal_account(session, message.voice, now, handle="hope-church")
    approval = cast.approve_message(session, message, now + HOUR, now)
    approval.deliveries[0].state = "published"
    session.flush()
    with pytest.raises(ValueError, match="Say why"):
        withdraw_approval(session, approval, why="", by=cast.PASTOR_PAULA, now=now)
    withdraw_approval(session, approval, why="The bridge closed.", by=cast.PASTOR_PAULA, now=now)
    session.commit()
    assert [delivery.state for delivery in approval.deliveries] == ["published", "withdrawn"]
    assert "The bridge closed." in approval.deliveries[1].detail
    assert state_of(message) == "partly published"
    with pytest.raises(StaleApprovalError, match="withdrawn before"):
        withdraw_approval(session, approval, why="Again.", by=cast.PASTOR_PAULA, now=now)
