"""Why a notice must not go out any more, and taking it back."""

from datetime import datetime

from sqlalchemy.orm import object_session

from campaigns.drafting.messages import latest_version
from campaigns.models import Bark, Delivery, MessageVersion
from campaigns.sending import share_packs
from campaigns.sending.deliveries import STOPPABLE
from campaigns.wording.content import send_time, send_until
from desk.models import Notice, Person
from monitor.models import Alert, AlertMessage, AlertRecipient

WATCHING = ("comms", "duty lead")  # who is told what a watchdog found


def obstacle(notice: Notice, now: datetime) -> str | None:
    """Why a notice must not go out (any more), as a sentence; None when it still holds."""
    person = notice.channel.person
    if notice.channel.removed_at is not None:
        return "The channel was removed."
    if person.left_at is not None:
        return "This person has left."
    if notice.flag is not None:
        if notice.flag.decision is not None:
            return "The flag was decided before this went out."
        if not person.may("monitor", "duty lead", "admin"):
            return "This person's role is another one now."
    if notice.message is not None:
        alert = notice.message.alert
        mine = [one for one in alert.recipients if one.person_id == person.id]
        return settled_otherwise(notice.message, alert, mine[0] if mine else None)
    if notice.version is not None:
        return _decided_otherwise(notice.version, person, now)
    if notice.bark is not None:
        if notice.bark.ended_at is not None:
            return "It was over before this went out."
        if not person.may(*roles_told(notice.bark)):
            return "This person's role is another one now."
    if notice.decline is not None:
        version = notice.decline.version
        if version is not latest_version(version.message):
            return "The message was changed before this went out."
    if notice.release is not None and notice.release.review is not None:
        return "It was reviewed before this went out."
    if notice.delivery is not None:
        return _posted_otherwise(notice, notice.delivery, now)
    if notice.kind == "digest" and all(obstacle(one, now) for one in notice.standing):
        return "Nothing of this digest waits any more."
    return None


def _decided_otherwise(version: MessageVersion, person: Person, now: datetime) -> str | None:
    if version.approval is not None or version.decline is not None:
        return "The leader decided before this went out."
    if version is not latest_version(version.message):
        return "The message was changed before this went out."
    if person.id != version.message.voice.leader_id or not person.may("leader"):
        return "Another leader answers for this voice now."
    if send_time(version.content) <= now:
        return "The message's time to be sent has passed."
    return None


def _posted_otherwise(notice: Notice, delivery: Delivery, now: datetime) -> str | None:
    if delivery.state not in STOPPABLE:
        return "It was taken up, or stopped, before this went out."
    if now > send_until(delivery.approval.version.content):
        return "The time to post it has passed."
    if notice.kind == "share" and now >= share_packs.last_call(delivery):
        return "The last call comes instead."
    session = object_session(notice)
    voice, person_id = delivery.account.voice, notice.channel.person_id
    if session is not None and not share_packs.may_post(session, voice, person_id):
        return "Somebody else posts it now."
    return None


def settled_otherwise(
    message: AlertMessage, alert: Alert, recipient: AlertRecipient | None
) -> str | None:
    """Why a recipient need not be told of an alert's message any more; None where they must."""
    acknowledged = recipient.acknowledged_at if recipient is not None else None
    if acknowledged is not None and acknowledged >= message.sent_at:
        return "Acknowledged before this went out."
    if message.kind != "Cancel":
        if any(one.kind == "Cancel" for one in alert.messages):
            return "The alert was cancelled before this went out."
        if alert.outcome is not None:
            return "The alert was closed before this went out."
    return None


def roles_told(bark: Bark) -> tuple[str, ...]:
    """The roles that are told of a bark."""
    return (*WATCHING, "admin") if bark.kind == "silent" else WATCHING


def withdraw(notice: Notice, why: str, now: datetime) -> None:
    """Take back what is not out yet."""
    notice.state, notice.detail, notice.settled_at = "withdrawn", why, now
