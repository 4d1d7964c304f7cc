"""Approvals: a leader's yes or no to exactly one text, and the schedule that follows a yes."""

from datetime import datetime

from sqlalchemy.orm import Session

from campaigns import deliveries
from campaigns.checks import blocking
from campaigns.content import mint_record_key, record_for, send_time, sha256_of
from campaigns.messages import NotReadyError, check, latest_version
from campaigns.models import Approval, Decline, Delivery, MessageVersion


class StaleApprovalError(ValueError):
    """What the leader's page showed is not what stands now."""


class NotYoursToApproveError(ValueError):
    """Somebody else answers for this voice."""


class TwoPeopleNeededError(ValueError):
    """Whoever wrote a message cannot approve it."""


def approve(
    session: Session, version: MessageVersion, *, sha256: str, by: int, now: datetime
) -> Approval:
    """Approve exactly the text whose ``sha256`` the leader's page showed, and schedule it.

    Raises StaleApprovalError, NotYoursToApproveError, TwoPeopleNeededError, or NotReadyError when
    a check that passed at submission no longer does.
    """
    _open_for_decision(session, version, by)
    if not sha256 == version.sha256 == sha256_of(version.content):
        raise StaleApprovalError("This is not the text you were shown. Please read it again.")
    if any(written.drafted_by == by for written in version.message.versions):
        raise TwoPeopleNeededError("You wrote part of this message: another person must approve.")
    if failed := blocking(check(session, version, now)):
        raise NotReadyError(failed)
    approval = Approval(
        version=version,
        sha256=version.sha256,
        drafted_by=version.drafted_by,
        approved_by=by,
        approved_at=now,
    )
    session.add(approval)
    session.flush()
    send_at = send_time(version.content)
    for part in version.content["parts"]:
        approval.deliveries.append(
            Delivery(
                account_id=part["account"],
                due_at=send_at,
                state="scheduled",
                record_key=mint_record_key(now),
                record=record_for(part, send_at),
            )
        )
    session.flush()
    return approval


def decline(
    session: Session, version: MessageVersion, *, reason: str, by: int, now: datetime
) -> Decline:
    """Say no to a version, with the reason its drafter needs. Same errors as ``approve``."""
    _open_for_decision(session, version, by)
    if not reason.strip():
        raise ValueError("Say what should change: the drafter needs your reason.")
    no = Decline(version=version, reason=reason.strip(), by=by, at=now)
    session.add(no)
    session.flush()
    return no


def withdraw_approval(
    session: Session, approval: Approval, *, why: str, by: int, now: datetime
) -> None:
    """Take an approval back: stops every delivery of it that no worker has claimed yet."""
    if not why.strip():
        raise ValueError("Say why the message is withdrawn.")
    session.refresh(approval, with_for_update=True)
    if approval.withdrawn_at is not None:
        raise StaleApprovalError("This approval was withdrawn before.")
    approval.withdrawn_by = by
    approval.withdrawn_at = now
    approval.withdrawn_why = why.strip()
    for delivery in deliveries.locked(session, Delivery.approval_id == approval.id):
        deliveries.stand_down(delivery, f"The approval was withdrawn: {why.strip()}", now)
    session.flush()


def _open_for_decision(session: Session, version: MessageVersion, by: int) -> None:
    """Lock the message and make sure that this version waits for this person's word."""
    session.refresh(version.message, with_for_update=True)
    session.refresh(version)
    if by != version.message.voice.leader_id:
        raise NotYoursToApproveError("Only the leader who answers for this voice can decide.")
    if version is not latest_version(version.message):
        raise StaleApprovalError("The message was changed after you opened it. Read it again.")
    if version.approval is not None or version.decline is not None:
        raise StaleApprovalError("This version was decided before.")
    if version.submission is None:
        raise StaleApprovalError("This version was not submitted for approval.")
