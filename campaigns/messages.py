"""Messages: drafts, their versions, and the way to the leader's table.

A version is never changed, only followed by the next; following one voids whatever stood on it.
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased, joinedload, selectinload

from campaigns import deliveries
from campaigns.campaigns import HOLD
from campaigns.checks import Check, blocking, run_checks
from campaigns.content import build_content, send_time, sha256_of
from campaigns.models import (
    Approval,
    Campaign,
    Decline,
    Message,
    MessageVersion,
    Submission,
    Voice,
)

OVER = frozenset({"declined", "withdrawn", "rejected", "missed"})  # nothing stands any more


class AlreadyOutError(ValueError):
    """The message is out, or on its way this moment: its words can no longer change."""


class NotReadyError(ValueError):
    """Blocking checks failed; ``failed`` says which and how to mend them."""

    def __init__(self, failed: list[Check]) -> None:
        super().__init__(" ".join(check.problem for check in failed))
        self.failed = failed


def start_message(
    session: Session, campaign: Campaign, voice: Voice, *, by: int, now: datetime
) -> Message:
    """A message without words yet. ValueError when the campaign's strategy is to hold."""
    if campaign.strategy == HOLD:
        raise ValueError("This campaign holds: nothing is sent. Choose a strategy that speaks.")
    message = Message(campaign=campaign, voice=voice, created_by=by, created_at=now)
    session.add(message)
    session.flush()
    return message


def save_draft(
    session: Session,
    message: Message,
    texts: Mapping[int, str],
    send_at: datetime,
    *,
    by: int,
    now: datetime,
) -> MessageVersion:
    """Save the words (account id to text) and the time as the newest version, and answer it.

    Saving what already stands changes nothing. Any other version voids the older ones: their
    submission and approval no longer count and their scheduled deliveries are withdrawn here.
    Raises AlreadyOutError, or ValueError for words or accounts that cannot be.
    """
    session.refresh(message, with_for_update=True)
    content = build_content(message.voice, texts, send_at)
    latest = latest_version(message)
    if latest and latest.sha256 == sha256_of(content) and state_of(message) not in OVER:
        return latest
    queue = deliveries.locked(session, deliveries.of_message(message.id))
    if any(delivery.state in ("attempting", "published") for delivery in queue):
        raise AlreadyOutError("This message is out or on its way. Start a new message instead.")
    for delivery in queue:
        deliveries.stand_down(delivery, "The message was changed after it was approved.", now)
    version = MessageVersion(
        message=message,
        number=latest.number + 1 if latest else 1,
        content=content,
        sha256=sha256_of(content),
        drafted_by=by,
        drafted_at=now,
    )
    session.add(version)
    session.flush()
    return version


def check(session: Session, version: MessageVersion, now: datetime) -> list[Check]:
    """What the checks find in this version, passed or not, in checklist order."""
    return run_checks(session, version.content, version.message.voice, now)


def submit(session: Session, version: MessageVersion, *, by: int, now: datetime) -> Submission:
    """Lay the newest version before the leader. NotReadyError, or ValueError if it is old."""
    session.refresh(version.message, with_for_update=True)
    if version is not latest_version(version.message):
        raise ValueError("There is a newer version: submit that one.")
    if state_of(version.message) != "draft":
        raise ValueError("This version was submitted before.")
    if failed := blocking(check(session, version, now)):
        raise NotReadyError(failed)
    submission = Submission(version=version, by=by, at=now)
    session.add(submission)
    session.flush()
    return submission


def latest_version(message: Message) -> MessageVersion | None:
    """The newest version, or None before the first words."""
    return message.versions[-1] if message.versions else None


def state_of(message: Message) -> str:
    """Where the message stands, in the one word its page shows. Derived, never stored.

    draft, submitted, declined, scheduled, publishing, published, partly published, rejected,
    missed or withdrawn.
    """
    version = latest_version(message)
    if version is None:
        return "draft"
    if version.approval is not None:
        return _state_of_approved(version.approval)
    if version.decline is not None:
        return "declined"
    return "submitted" if version.submission is not None else "draft"


def _state_of_approved(approval: Approval) -> str:
    states = {delivery.state for delivery in approval.deliveries}
    if "attempting" in states:
        return "publishing"
    if "published" in states:
        return "published" if states == {"published"} else "partly published"
    for state in ("scheduled", "rejected", "missed"):
        if state in states:
            return state
    return "withdrawn"


def all_messages(session: Session) -> list[Message]:
    """Every message, newest first, with all that ``state_of`` and a list need."""
    versions = selectinload(Message.versions)
    return list(
        session.scalars(
            select(Message)
            .options(
                joinedload(Message.voice),
                joinedload(Message.campaign).joinedload(Campaign.narrative),
                versions.joinedload(MessageVersion.submission),
                versions.joinedload(MessageVersion.decline),
                versions.joinedload(MessageVersion.approval).selectinload(Approval.deliveries),
            )
            .order_by(Message.id.desc())
        )
    )


def drafts(session: Session) -> list[Message]:
    """Messages that wait for their drafter: being written, or declined. Newest first."""
    return [m for m in all_messages(session) if state_of(m) in ("draft", "declined")]


def submissions_for(session: Session, leader_id: int) -> list[MessageVersion]:
    """Versions that wait for this leader's yes or no, the soonest to be sent first."""
    newer = aliased(MessageVersion)
    waiting = session.scalars(
        select(MessageVersion)
        .join(MessageVersion.message)
        .join(Message.voice)
        .join(MessageVersion.submission)
        .outerjoin(MessageVersion.approval)
        .outerjoin(MessageVersion.decline)
        .where(
            Voice.leader_id == leader_id,
            Approval.id.is_(None),
            Decline.id.is_(None),
            ~exists().where(
                newer.message_id == MessageVersion.message_id,
                newer.number > MessageVersion.number,
            ),
        )
    )
    return sorted(waiting, key=lambda version: send_time(version.content))
