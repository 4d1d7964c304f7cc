"""Messages: drafts, their versions, and the way to the leader's table.

A version is never changed, only followed by the next; following one voids whatever stood on it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select, true
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from campaigns.campaigns import HOLD
from campaigns.checking import key_of
from campaigns.checking.checks import (
    REASON_CHARS,
    REASON_CHARS_MIN,
    Check,
    blocking,
    reasons_for,
    reasons_so_far,
    run_checks,
    stored,
    warnings,
)
from campaigns.models import (
    DELIVERY_STATES,
    Approval,
    Campaign,
    CheckOverride,
    CheckReason,
    Decline,
    Image,
    Message,
    MessageVersion,
    Release,
    Submission,
    Voice,
)
from campaigns.sending import deliveries
from campaigns.wording.cards import Card
from campaigns.wording.content import (
    NOTHING_BESIDES,
    Besides,
    Translation,
    build_content,
    pictures_in,
    send_time,
    send_until,
    sha256_of,
)
from campaigns.wording.languages import ENGLISH
from campaigns.wording.media import images_of

REFUSED = frozenset({"declined", "change asked"})  # by the leader: the drafter has the next word
OVER = REFUSED | {"withdrawn", "rejected", "missed"}  # nothing stands any more
UNDER_WAY = frozenset({"attempting", "unconfirmed", "published"})  # it is out, or may be


class AlreadyOutError(ValueError):
    """The message is out, or on its way this moment: its words can no longer change."""


class OvertakenError(ValueError):
    """Somebody saved ``newer`` after these words were begun; nothing was overwritten."""

    def __init__(self, newer: MessageVersion) -> None:
        super().__init__(
            f"Version {newer.number} was saved while you wrote. Nothing of either is lost: look at "
            "what differs, and save again if yours should follow it."
        )
        self.newer = newer


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
    pictures: Sequence[tuple[Image, str]] | None = None,
    base: int | None = None,
    besides: Besides | None = None,
) -> MessageVersion:
    """Save the words (account id to text) and the time as the newest version, and answer it.

    ``pictures`` come with their alt text; None leaves them as they are, and so does ``besides``
    with the link card, the languages and how long it may still go out. ``base`` is the number of
    the version the words were begun on (0: there was none): OvertakenError if it is not the newest
    any more. None overwrites whatever stands.

    Saving what already stands changes nothing. Any other version voids the older ones: their
    submission and approval no longer count and their scheduled deliveries are withdrawn here.
    Raises AlreadyOutError, or ValueError for words or accounts that cannot be.
    """
    session.refresh(message, with_for_update=True)
    latest = latest_version(message)
    if pictures is None:
        pictures = pictures_of(session, latest)
    if besides is None:
        besides = besides_of(session, latest)
    content = build_content(message.voice, texts, send_at, pictures, besides)
    if latest and latest.sha256 == sha256_of(content) and state_of(message) not in OVER:
        return latest
    if latest and base is not None and base != latest.number:
        raise OvertakenError(latest)
    return follow_with(session, message, content, by=by, now=now)


def follow_with(
    session: Session, message: Message, content: dict[str, Any], *, by: int, now: datetime
) -> MessageVersion:
    """This content as the next version of a message that is locked; the older ones are void.

    What was scheduled of them is withdrawn here. AlreadyOutError.
    """
    latest = latest_version(message)
    queue = deliveries.locked(session, deliveries.of_message(message.id))
    if any(delivery.state in UNDER_WAY for delivery in queue):
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


def pictures_of(session: Session, version: MessageVersion | None) -> list[tuple[Image, str]]:
    """The pictures of a version with their alt text, in order."""
    named = pictures_in(version.content if version else None)
    kept = images_of(session, [one["sha256"] for one in named])
    return [(kept[one["sha256"]], one["alt"]) for one in named if one["sha256"] in kept]


def besides_of(session: Session, version: MessageVersion | None) -> Besides:
    """What goes with the words and pictures of a version."""
    if version is None:
        return NOTHING_BESIDES
    content = version.content
    told = next((part["card"] for part in content["parts"] if part.get("card")), None)
    both = content.get("translation")
    return Besides(
        card=card_of(session, told) if told else None,
        places=[one.get("post", 1) for one in pictures_in(content)],
        languages={part["account"]: part.get("lang", ENGLISH) for part in content["parts"]},
        translation=Translation(**both) if both else None,
        fresh=send_until(content) - send_time(content),
    )


def card_of(session: Session, told: Mapping[str, Any]) -> Card:
    """A link card as a part of a content tells it, with its picture."""
    sha256 = told["image"]["sha256"] if "image" in told else ""
    image = images_of(session, [sha256]).get(sha256) if sha256 else None
    return Card(told["url"], told["title"], told["about"], image)


def check(session: Session, version: MessageVersion, now: datetime) -> list[Check]:
    """What the checks find in this version, passed or not, in checklist order."""
    message = version.message
    return run_checks(session, version.content, message.voice, now, message.campaign, message)


def submit(
    session: Session,
    version: MessageVersion,
    *,
    by: int,
    now: datetime,
    reasons: Mapping[str, str] | None = None,
) -> Submission:
    """Lay the newest version before the leader, with what the checks found.

    ``reasons``: by Check.key, why the drafter goes on in spite of each warning; they are kept. One
    that was given for the same finding in an earlier version need not be given again.
    NotReadyError, checks.ReasonsNeededError, or ValueError if it is old or a reason is too long.
    """
    session.refresh(version.message, with_for_update=True)
    if version is not latest_version(version.message):
        raise ValueError("There is a newer version: submit that one.")
    if state_of(version.message) != "draft":
        raise ValueError("This version was submitted before.")
    if by == version.drafted_by == version.message.voice.leader_id:
        raise ValueError(
            "These are your own words: somebody else must check them and submit them to you."
        )
    found = check(session, version, now)
    if failed := blocking(found):
        raise NotReadyError(failed)
    given = reasons_for(found, earlier_reasons(session, version.message) | dict(reasons or {}))
    submission = Submission(version=version, by=by, at=now, checks=stored(found))
    session.add(submission)
    _keep(session, version, found, given, by, now)
    session.flush()
    return submission


def keep_reasons(
    session: Session, version: MessageVersion, reasons: Mapping[str, str], *, by: int, now: datetime
) -> None:
    """Keep with a draft the reasons given so far; those of findings that do not stand are left."""
    if any(said.strip() for said in reasons.values()):
        found = check(session, version, now)
        _keep(session, version, found, reasons_so_far(found, reasons), by, now)


def _keep(
    session: Session,
    version: MessageVersion,
    found: list[Check],
    given: Mapping[str, str],
    by: int,
    now: datetime,
) -> None:
    kept = {key_of(one.number, one.finding): one for one in reasons_given(session, version)}
    for one in warnings(found):
        reason = given.get(one.key)
        if not reason:
            continue
        row = kept.get(one.key) or CheckReason(
            version=version, number=one.number, finding=one.problem
        )
        if row.reason != reason:
            row.reason, row.by, row.at = reason, by, now
        session.add(row)
    session.flush()


def earlier_reasons(session: Session, message: Message) -> dict[str, str]:
    """By Check.key: the reasons given in any version of a message, the newest word of each."""
    query = (
        select(CheckReason)
        .join(CheckReason.version)
        .where(MessageVersion.message_id == message.id)
        .order_by(CheckReason.id)
    )
    return {key_of(one.number, one.finding): one.reason for one in session.scalars(query)}


def reasons_given(session: Session, version: MessageVersion) -> list[CheckReason]:
    """Why the drafter went on in spite of each warning, in checklist order."""
    query = select(CheckReason).where(CheckReason.version_id == version.id)
    return list(session.scalars(query.order_by(CheckReason.number, CheckReason.id)))


def let_pass(
    session: Session,
    message: Message,
    key: str,
    *,
    reason: str,
    by: int,
    now: datetime,
) -> CheckOverride:
    """A duty lead lets the newest version pass one check that allows it (``key``: Check.key).

    It holds for this finding of this message only. ValueError: no reason, or no such finding.
    """
    reason = " ".join(reason.split())
    if len(reason) < REASON_CHARS_MIN:
        raise ValueError("Say in a sentence why it may go out: the leader will read it.")
    if len(reason) > REASON_CHARS:
        raise ValueError(f"A reason has {REASON_CHARS} characters at most; this has {len(reason)}.")
    version = latest_version(message)
    found = check(session, version, now) if version else []
    finding = next((one for one in blocking(found) if one.overridable and one.key == key), None)
    if finding is None:
        raise ValueError("This no longer stands in its way. Look at the checks again.")
    override = CheckOverride(
        message=message,
        number=finding.number,
        finding=finding.problem,
        reason=reason,
        by=by,
        at=now,
    )
    session.add(override)
    session.flush()
    return override


def latest_version(message: Message) -> MessageVersion | None:
    """The newest version, or None before the first words."""
    return message.versions[-1] if message.versions else None


def state_of(message: Message) -> str:
    """Where the message stands, in the one word its page shows. Derived, never stored.

    draft, submitted, declined, change asked, scheduled, publishing, not known if out, published,
    partly published, rejected, missed or withdrawn.
    """
    version = latest_version(message)
    if version is None:
        return "draft"
    if version.approval is not None:
        approval = version.approval
        to_accounts = {delivery.state for delivery in approval.deliveries}
        return state_from(to_accounts | set(approval.listed_states))
    if version.decline is not None:
        return version.decline.kind
    return "submitted" if version.submission is not None else "draft"


def state_from(states: Collection[str]) -> str:
    """The same for an approved version, from the states of its deliveries."""
    states = set(states)
    if "attempting" in states:
        return "publishing"
    if "unconfirmed" in states:
        return DELIVERY_STATES["unconfirmed"]
    if "published" in states:
        return "published" if states == {"published"} else "partly published"
    if states & {"scheduled", "claimed", "retry_later"}:
        return "scheduled"
    for state in ("rejected", "missed"):
        if state in states:
            return state
    return "withdrawn"


def all_messages(session: Session) -> list[Message]:
    """Every message, newest first, with all that ``state_of`` and a list need."""
    return _listed(session)


def unapproved(session: Session) -> list[Message]:
    """The same of messages in which words wait for a leader's yes, or for somebody to write them.

    Those released in an emergency wait for it as well. With the releases of each version.
    """
    newest = select(func.max(MessageVersion.id)).where(MessageVersion.message_id == Message.id)
    approved = exists().where(Approval.version_id == newest.correlate(Message).scalar_subquery())
    released = Message.versions.any(
        MessageVersion.releases.any(Release.released_by.is_not(None) & Release.review.is_(None))
    )
    releases = joinedload(Message.versions).joinedload(MessageVersion.releases)
    return _listed(session, or_(~approved, released), releases)


def _listed(
    session: Session, of: ColumnElement[bool] | None = None, *more: ORMOption
) -> list[Message]:
    versions = joinedload(Message.versions)  # a few of each, and of these a delivery or two
    return list(
        session.scalars(
            select(Message)
            .options(
                joinedload(Message.voice),
                joinedload(Message.campaign).joinedload(Campaign.narrative),
                versions.joinedload(MessageVersion.submission),
                versions.joinedload(MessageVersion.decline),
                versions.joinedload(MessageVersion.approval).joinedload(Approval.deliveries),
                *more,
            )
            .where(true() if of is None else of)
            .order_by(Message.id.desc())
        ).unique()
    )


def whole() -> tuple[ORMOption, ...]:
    """How to load one message with all that its page shows of it: by two queries, to read only.

    What is loaded so cannot be locked afterwards: the row would be locked with all that it joins.
    """
    versions = selectinload(Message.versions)
    return (
        joinedload(Message.voice).joinedload(Voice.accounts),
        joinedload(Message.campaign).joinedload(Campaign.narrative),
        versions.joinedload(MessageVersion.submission),
        versions.joinedload(MessageVersion.decline),
        versions.joinedload(MessageVersion.approval).joinedload(Approval.deliveries),
    )


def drafts(session: Session) -> list[Message]:
    """Messages that wait for their drafter: being written, declined, or to be changed."""
    return drafts_among(unapproved(session))


def drafts_among(some: Iterable[Message]) -> list[Message]:
    """The same of messages that are at hand."""
    return [m for m in some if state_of(m) in REFUSED | {"draft"}]


def submissions_among(some: Iterable[Message], leader_id: int) -> list[MessageVersion]:
    """Versions that wait for this leader's yes or no, the soonest to be sent first."""
    theirs = [m for m in some if m.voice.leader_id == leader_id and state_of(m) == "submitted"]
    return sorted((m.versions[-1] for m in theirs), key=lambda one: send_time(one.content))


def all_submissions(session: Session) -> list[MessageVersion]:
    """The same for every leader."""
    newer = aliased(MessageVersion)
    waiting = session.scalars(
        select(MessageVersion)
        .join(MessageVersion.message)
        .join(Message.voice)
        .join(MessageVersion.submission)
        .outerjoin(MessageVersion.approval)
        .outerjoin(MessageVersion.decline)
        .options(contains_eager(MessageVersion.message).contains_eager(Message.voice))
        .where(
            Approval.id.is_(None),
            Decline.id.is_(None),
            ~exists().where(
                newer.message_id == MessageVersion.message_id,
                newer.number > MessageVersion.number,
            ),
        )
    )
    return sorted(waiting, key=lambda version: (send_time(version.content), version.id))
