"""Emergency releases: practical safety information that goes out before its leader can say yes.

Only where the voice allowed it beforehand, and only with two people besides whoever wrote the
words: one asks, with a reason, and another releases exactly what was asked for. What blocks a
message blocks a release; consent, kill switch and limits hold in the claim as for any message. The
leader is told at once and reviews it: approves it afterwards, or objects, which takes it back.

Which roles may ask and release is for the routes. Verbs never commit.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import Session, joinedload

from campaigns.afterwards import retracting
from campaigns.approving.approvals import (
    StaleApprovalError,
    as_shown,
    schedule,
    still_waits,
    withdraw_approval,
)
from campaigns.approving.release_permissions import permission_for, sentence
from campaigns.checking.checks import blocking
from campaigns.drafting.messages import NotReadyError, check, latest_version
from campaigns.models import (
    Approval,
    Decline,
    Delivery,
    Message,
    MessageVersion,
    Release,
    ReleasePermission,
)
from campaigns.wording.content import send_time

REVIEW_WITHIN = timedelta(hours=24)  # domain.md, requirement 49
PRACTICAL = "practical"  # the strategy of a campaign: what to do to be safe, and nothing else
REASON_CHARS_MIN = 20  # "Urgent" is no reason
PAST_SHOWN = 100
OF_RELEASE = {"of": Release}  # to lock, whatever the row was loaded with


class NotAllowedError(ValueError):
    """The voice did not allow this beforehand, or its leader said no."""


class AnotherPersonNeededError(ValueError):
    """Whoever wrote, asked or leads cannot do this part as well."""


# ---- asking, and releasing


def why_not(session: Session, version: MessageVersion, now: datetime) -> str:
    """Why this version cannot go out in an emergency, as a sentence; "" where it may be asked."""
    try:
        _allowing(session, version, now)
    except NotAllowedError as fault:
        return str(fault)
    return ""


def ask(
    session: Session,
    version: MessageVersion,
    *,
    sha256: str,
    practical: bool,
    reason: str,
    by: int,
    now: datetime,
) -> Release:
    """Ask that exactly this go out without waiting for the leader. Nothing is scheduled by it.

    ``practical``: this person says that it holds only what people need to be safe. StaleApproval-,
    AnotherPersonNeeded-, NotAllowed- or NotReadyError; ValueError for a reason that says nothing.
    """
    session.refresh(version.message, with_for_update=True)
    session.refresh(version)
    permission = _holds(session, version, sha256, practical, by, now)
    if open_of(session, version) is not None:
        raise StaleApprovalError("Somebody has asked for this already. Look at it there.")
    asked = Release(
        version=version,
        sha256=version.sha256,
        drafted_by=version.drafted_by,
        permission=permission,
        reason=sentence(
            reason,
            "Say why it cannot wait, and how you tried to reach the leader: they will read it.",
            REASON_CHARS_MIN,
        ),
        asked_by=by,
        asked_at=now,
    )
    session.add(asked)
    session.flush()
    return asked


def release(
    session: Session,
    asked: Release,
    *,
    sha256: str,
    practical: bool,
    by: int,
    now: datetime,
    passkey: str | None = None,
) -> Approval:
    """A second person releases exactly what was asked for: it is approved, and scheduled.

    Everything is proved once more; errors as in ``ask``. ``passkey``: with which they confirmed it.
    """
    version = asked.version
    session.refresh(version.message, with_for_update=True)
    session.refresh(version)
    session.refresh(asked, with_for_update=OF_RELEASE)
    if asked.released_by is not None or asked.refused_by is not None:
        raise StaleApprovalError("Somebody has answered this already. Look at the page again.")
    if by == asked.asked_by:
        raise AnotherPersonNeededError("You asked for it: another person must release it.")
    asked.permission = _holds(session, version, sha256, practical, by, now)
    asked.released_by, asked.released_at = by, now
    session.flush()  # the approval leans on it
    approval = Approval(
        version=version,
        sha256=version.sha256,
        drafted_by=version.drafted_by,
        checked_by=version.submission.by if version.submission is not None else None,
        approved_by=by,
        approved_at=now,
        release_id=asked.id,
        passkey=passkey,
    )
    return schedule(session, approval, now)


def refuse(session: Session, asked: Release, *, why: str, by: int, now: datetime) -> None:
    """It shall wait for the leader after all; whoever asked may take it back so. Needs a word."""
    session.refresh(asked, with_for_update=OF_RELEASE)
    if asked.released_by is not None or asked.refused_by is not None:
        raise StaleApprovalError("Somebody has answered this already. Look at the page again.")
    asked.refused_why = sentence(why, "Say why it waits: whoever asked must know.")
    asked.refused_by, asked.refused_at = by, now
    session.flush()


def open_of(session: Session, version: MessageVersion) -> Release | None:
    """The release of a version that was asked for and not refused."""
    query = select(Release).where(Release.version_id == version.id, Release.refused_by.is_(None))
    return session.scalar(query)


def _holds(
    session: Session, version: MessageVersion, sha256: str, practical: bool, by: int, now: datetime
) -> ReleasePermission:
    """All that must be so when it is asked for and when it is released, the same both times."""
    still_waits(version)
    as_shown(version, sha256)
    if by == version.drafted_by:
        raise AnotherPersonNeededError("You wrote these words: two others must release them.")
    if by == version.message.voice.leader_id:
        raise AnotherPersonNeededError("You answer for this voice: approve it, nobody else need.")
    if not practical:
        raise NotAllowedError("Say that it holds only what people need to be safe, or leave it.")
    permission = _allowing(session, version, now)
    if failed := blocking(check(session, version, now)):
        raise NotReadyError(failed)
    return permission


def _allowing(session: Session, version: MessageVersion, now: datetime) -> ReleasePermission:
    """What the voice gave beforehand, for this. NotAllowedError says what is in the way."""
    message = version.message
    if message.campaign.strategy != PRACTICAL:
        raise NotAllowedError(
            "Only practical safety information goes out in an emergency; this campaign’s strategy "
            "is another one."
        )
    if _leader_said_no(session, message):
        raise NotAllowedError(
            f"The leader said no to this message: without {message.voice.name}’s own word it stays."
        )
    permission = permission_for(session, version, now)
    if permission is None:
        raise NotAllowedError(
            f"{message.voice.name} has not allowed this beforehand: no standing consent says what "
            "may go out there in an emergency."
        )
    return permission


def _leader_said_no(session: Session, message: Message) -> bool:
    """Declined, a change asked for, or an approval taken back, in any version: they were there."""
    taken_back = Approval.withdrawn_by == message.voice.leader_id
    query = (
        select(MessageVersion.id)
        .outerjoin(MessageVersion.decline)
        .outerjoin(MessageVersion.approval)
        .where(MessageVersion.message_id == message.id, Decline.id.is_not(None) | taken_back)
    )
    return session.scalar(query.limit(1)) is not None


# ---- the leader's review


def review(
    session: Session, released: Release, *, agreed: bool, note: str, by: int, now: datetime
) -> int:
    """The leader approves a release afterwards, or objects; answers how many posts are taken back.

    To object withdraws what is not out yet, and has what is out taken down as their own wish; what
    went to lists cannot be. ValueError for an objection without a word; StaleApprovalError.
    """
    session.refresh(released, with_for_update=OF_RELEASE)
    if by != released.version.message.voice.leader_id:
        raise AnotherPersonNeededError("Only the leader who answers for this voice reviews it.")
    if released.released_by is None or released.review is not None:
        raise StaleApprovalError("There is nothing to review here any more.")
    if note.strip() or not agreed:
        complaint = "Say in a word what was wrong: those who released it must know."
        released.review_note = sentence(note, complaint)
    released.review = "agreed" if agreed else "objected"
    released.reviewed_by, released.reviewed_at = by, now
    session.flush()
    return 0 if agreed else _undo(session, released, by, now)


def _undo(session: Session, released: Release, by: int, now: datetime) -> int:
    approval, taken = released.version.approval, 0
    if approval is None:
        return 0
    if approval.withdrawn_at is None:
        withdraw_approval(session, approval, why=released.review_note, by=by, now=now)
    for delivery in approval.deliveries:
        if retracting.why_not(delivery):
            continue
        asked = retracting.standing_on(session, delivery)
        try:
            if asked is None:
                retracting.propose(session, delivery, reason=released.review_note, by=by, now=now)
            else:
                retracting.approve(session, asked, by=by, now=now)
        except retracting.OvertakenError:  # it is down already, or on its way down
            continue
        taken += 1
    return taken


def review_late(released: Release, now: datetime) -> bool:
    """Whether the leader's word on a release is overdue."""
    return (
        released.released_at is not None
        and released.review is None
        and now > released.released_at + REVIEW_WITHIN
    )


# ---- what is open


def open_among(
    some: Iterable[Message], now: datetime
) -> tuple[list[tuple[Release, MessageVersion]], list[tuple[Release, MessageVersion]]]:
    """(those that wait for a second person, those released that their leader has not reviewed).

    Each with its version, of messages as ``unapproved`` loads them. The soonest to be sent first,
    and the oldest first. Not asked for any more is what the leader decided meanwhile, whose words
    changed, or whose time has passed.
    """
    found = [
        (one, version) for told in some for version in told.versions for one in version.releases
    ]
    waiting = [
        (one, version)
        for one, version in found
        if one.released_by is None
        and one.refused_by is None
        and version is latest_version(version.message)
        and version.approval is None
        and version.decline is None
        and send_time(version.content) > now
    ]
    done = [pair for pair in found if pair[0].released_by is not None and pair[0].review is None]
    return (
        sorted(waiting, key=lambda pair: send_time(pair[1].content)),
        sorted(done, key=lambda pair: pair[0].id),
    )


def late_reviews(session: Session, now: datetime) -> list[Release]:
    """Releases whose leader should have reviewed them by now, the oldest first."""
    late = and_(_UNREVIEWED, Release.released_at < now - REVIEW_WITHIN)
    return list(session.scalars(_whole(late).order_by(Release.released_at, Release.id)))


def with_all(session: Session, one: Release) -> None:
    """Load all that its own page shows, by one query."""
    version = joinedload(Release.version)
    approval = version.joinedload(MessageVersion.approval)
    message = version.joinedload(MessageVersion.message)
    query = (
        select(Release)
        .where(Release.id == one.id)
        .options(
            joinedload(Release.permission),
            version.joinedload(MessageVersion.submission),
            version.joinedload(MessageVersion.decline),
            approval.joinedload(Approval.deliveries).joinedload(Delivery.account),
            message.joinedload(Message.voice),
            message.joinedload(Message.versions),
        )
        .execution_options(populate_existing=True)
    )
    session.scalars(query).unique().one()


def all_releases(session: Session) -> list[Release]:
    """The latest releases and requests, the newest first."""
    return list(session.scalars(_whole().order_by(Release.id.desc()).limit(PAST_SHOWN)))


_UNREVIEWED = and_(Release.released_by.is_not(None), Release.review.is_(None))


def _whole(*where: ColumnElement[bool]) -> Select[Release]:
    """Releases with all that a line about one shows."""
    message = joinedload(Release.version).joinedload(MessageVersion.message)
    return select(Release).where(*where).options(message.joinedload(Message.voice))
