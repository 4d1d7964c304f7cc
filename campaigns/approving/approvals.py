"""Approvals: a leader's word on exactly one text, and the schedule that follows a yes.

Besides yes and no a leader may ask for a change, or change the words: then somebody else must check
them and lay them before the leader, so that two people took part in whatever goes out.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from campaigns.checking.checks import blocking
from campaigns.contacts import recipients
from campaigns.drafting.messages import NotReadyError, check, latest_version, save_draft
from campaigns.models import Approval, Decline, Delivery, MessageVersion
from campaigns.publishers import LISTED
from campaigns.sending import deliveries
from campaigns.wording.content import mint_record_key, record_for, send_time, sha256_of

REASON_CHARS = 2_000  # what a drafter can be asked to read


class StaleApprovalError(ValueError):
    """What the leader's page showed is not what stands now."""


class NotYoursToApproveError(ValueError):
    """Somebody else answers for this voice."""


class TwoPeopleNeededError(ValueError):
    """A leader alone is not enough: somebody else must have written or checked the words."""


def approve(
    session: Session,
    version: MessageVersion,
    *,
    sha256: str,
    by: int,
    now: datetime,
    passkey: str | None = None,
) -> Approval:
    """Approve exactly the text whose ``sha256`` the leader's page showed, and schedule it.

    ``passkey``: id of the one with which they confirmed it, if any. Raises StaleApprovalError,
    NotYoursToApproveError, TwoPeopleNeededError, or NotReadyError when a check that passed at
    submission no longer does.
    """
    _open_for_decision(session, version, by)
    as_shown(version, sha256)
    checked_by = version.submission.by if version.submission is not None else None
    if by == version.drafted_by and checked_by in (None, by):
        raise TwoPeopleNeededError(
            "You wrote these words and submitted them yourself: somebody else must check them."
        )
    if failed := blocking(check(session, version, now)):
        raise NotReadyError(failed)
    approval = Approval(
        version=version,
        sha256=version.sha256,
        drafted_by=version.drafted_by,
        checked_by=checked_by,
        approved_by=by,
        approved_at=now,
        passkey=passkey,
    )
    return schedule(session, approval, now)


def as_shown(version: MessageVersion, sha256: str) -> None:
    """StaleApprovalError unless the version is what the page with this hash showed."""
    if not sha256 == version.sha256 == sha256_of(version.content):
        raise StaleApprovalError("This is not the text you were shown. Please read it again.")


def schedule(session: Session, approval: Approval, now: datetime) -> Approval:
    """Keep a new approval, and make the deliveries that follow from it."""
    session.add(approval)
    session.flush()
    version = approval.version
    send_at = send_time(version.content)
    for part in version.content["parts"]:
        if part["platform"] in LISTED:
            recipients.freeze(session, approval, part, send_at, now)
            continue
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
    """Say no to a message, with the reason its drafter needs. Same errors as ``approve``."""
    return _refuse(session, version, "declined", reason, by, now)


def ask_change(
    session: Session, version: MessageVersion, *, reason: str, by: int, now: datetime
) -> Decline:
    """Say no to these words only, with what should change. Same errors as ``approve``.

    The version is decided with it: only the next one, submitted again, can be approved.
    """
    return _refuse(session, version, "change asked", reason, by, now)


def _refuse(
    session: Session, version: MessageVersion, kind: str, reason: str, by: int, now: datetime
) -> Decline:
    _open_for_decision(session, version, by)
    if not reason.strip():
        raise ValueError("Say what should change: the drafter needs your reason.")
    if len(reason.strip()) > REASON_CHARS:
        raise ValueError(f"At most {REASON_CHARS} characters, please: the drafter reads it.")
    no = Decline(version=version, kind=kind, reason=reason.strip(), by=by, at=now)
    session.add(no)
    session.flush()
    return no


def edit(
    session: Session, version: MessageVersion, texts: Mapping[int, str], *, by: int, now: datetime
) -> MessageVersion:
    """The leader's own words (account id to text) as the next version, with time as it was.

    It is a draft until somebody else checks and submits it. Same errors as ``approve``, and
    ValueError where nothing was changed or an account would be added or silenced.
    """
    _open_for_decision(session, version, by)
    shown = {part["account"]: part["text"] for part in version.content["parts"]}
    if texts.keys() != shown.keys() or not all(text.strip() for text in texts.values()):
        raise ValueError("Every text needs its words. To leave one out, ask for a change.")
    send_at = send_time(version.content)
    written = save_draft(session, version.message, texts, send_at, by=by, now=now)
    if written is version:
        raise ValueError("You changed nothing. Approve it as it is, or change a word.")
    return written


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
    still_waits(version)


def still_waits(version: MessageVersion) -> None:
    """StaleApprovalError unless the version, with its message locked, waits for a leader's word."""
    if version is not latest_version(version.message):
        raise StaleApprovalError("The message was changed after you opened it. Read it again.")
    if version.approval is not None or version.decline is not None:
        raise StaleApprovalError("This version was decided before.")
    if version.submission is None:
        raise StaleApprovalError("This version was not submitted for approval.")
