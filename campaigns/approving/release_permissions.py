"""What a voice allows to go out in an emergency before its leader can say yes: given beforehand.

It is part of a consent, names what it is for and until when, and can be taken back alone. What is
done with it is in ``releases``. Verbs never commit.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from campaigns.models import (
    Approval,
    Consent,
    Delivery,
    MessageVersion,
    Release,
    ReleasePermission,
    Voice,
)
from campaigns.sending import deliveries
from campaigns.wording.content import send_time

WORDS_CHARS = 2_000  # of one sentence that somebody must read
NO_MORE = "It was released in an emergency, and that is not allowed any more:"


def allow(
    session: Session, consent: Consent, *, covers: str, until: datetime, by: int, now: datetime
) -> ReleasePermission:
    """Record with a consent what may go out in an emergency. It ends with the consent at latest.

    ``covers``: which practical safety information. ValueError says what is missing.
    """
    covers = sentence(covers, "Say what may go out in an emergency.")
    if not now < until <= consent.valid_until:
        raise ValueError("What may go out in an emergency ends with the consent, or before it.")
    permission = ReleasePermission(
        consent=consent, covers=covers, valid_until=until, recorded_by=by, recorded_at=now
    )
    session.add(permission)
    session.flush()
    return permission


def take_back(
    session: Session, permission: ReleasePermission, *, why: str, by: int, now: datetime
) -> None:
    """End what a voice allowed. What was released by it and is not out yet stops with it."""
    session.refresh(permission, with_for_update={"of": ReleasePermission})
    if permission.withdrawn_at is not None:
        raise ValueError("This was taken back before.")
    permission.withdrawn_why = sentence(why, "Say why it is not allowed any more.")
    permission.withdrawn_by, permission.withdrawn_at = by, now
    session.flush()
    released = select(Approval.id).join(Approval.release)
    released = released.where(Release.permission_id == permission.id)
    for delivery in deliveries.locked(session, Delivery.approval_id.in_(released)):
        deliveries.stand_down(delivery, f"{NO_MORE} {permission.withdrawn_why}", now)
    session.flush()


def stands(permission: ReleasePermission, at: datetime) -> bool:
    """Whether it holds at this moment, and the consent with which it was given does."""
    consent = permission.consent
    return (
        permission.withdrawn_at is None
        and at < permission.valid_until
        and consent.withdrawn_at is None
        and consent.valid_from <= at < consent.valid_until
    )


def permission_for(
    session: Session, version: MessageVersion, now: datetime
) -> ReleasePermission | None:
    """What allows this version to go out in an emergency, now and when it is due; None: nothing.

    It was given with one consent that names every platform of the version.
    """
    platforms = {part["platform"] for part in version.content["parts"]}
    query = (
        select(ReleasePermission)
        .join(ReleasePermission.consent)
        .where(Consent.voice_id == version.message.voice_id)
        .options(joinedload(ReleasePermission.consent))
        .order_by(ReleasePermission.id.desc())
        .execution_options(populate_existing=True)
    )
    due = max(now, send_time(version.content))
    return next(
        (
            one
            for one in session.scalars(query)
            if stands(one, now) and stands(one, due) and platforms <= set(one.consent.platforms)
        ),
        None,
    )


def of_voice(session: Session, voice: Voice) -> dict[int, ReleasePermission]:
    """By consent, what a voice allowed with it."""
    query = select(ReleasePermission).join(ReleasePermission.consent)
    rows = session.scalars(query.where(Consent.voice_id == voice.id))
    return {one.consent_id: one for one in rows}


def lapsed(approval: Approval, now: datetime) -> str:
    """Why what was released in an emergency must not go out any more; "" when it may.

    An approval of the leader's own is none of this.
    """
    if approval.release is None or stands(approval.release.permission, now):
        return ""
    permission = approval.release.permission
    return f"{NO_MORE} {permission.withdrawn_why or 'what the voice allowed has ended.'}"


def sentence(words: str, complaint: str, least: int = 1) -> str:
    """The words in one line. ValueError: the complaint, for fewer signs than ``least``."""
    said = " ".join(words.split())
    if len(said) < least:
        raise ValueError(complaint)
    if len(said) > WORDS_CHARS:
        raise ValueError(f"At most {WORDS_CHARS} characters, please: somebody reads it.")
    return said
