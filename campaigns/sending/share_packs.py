"""Share packs: approved words that a person posts by hand where no machine does.

At its time such a delivery waits for the voice's leader, or whom they named. Opening it is the try:
after every check of ``deliver`` an attempt is committed before anybody sees the words to copy, so
that no two people post them, and a try of which nobody says how it ended stays a doubt for a
person. "I posted it" is a doubt too, until somebody else has looked. Verbs never commit.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session, joinedload

from campaigns.deliver import CLAIM_PATIENCE, obstacle_to
from campaigns.limits import End
from campaigns.models import (
    Account,
    Approval,
    Attempt,
    Campaign,
    Delivery,
    Message,
    MessageVersion,
    ShareHelper,
    ShareStep,
    Voice,
)
from campaigns.publishers import BY_HAND
from campaigns.sending import kill_switch
from campaigns.sending.deliveries import STOPPABLE, link, locked, never_arrived
from campaigns.wording.content import send_until

OPEN_FOR = CLAIM_PATIENCE  # to post it and say so; then the worker makes it a doubt
LAST_CALL = timedelta(minutes=30)  # so long before it is too late; half its time, if that is less
TRYING = ("attempting", "unconfirmed")  # somebody may have posted it
SAYS_POSTED = "Somebody says that they posted it; another person looks whether it is there."
NOT_YET = "Its time has not come yet."
# Where the words go. X and WhatsApp take them along; the others take none (platform policies).
STARTS = {
    "share_x": "https://twitter.com/intent/tweet?text=",
    "share_whatsapp": "https://wa.me/?text=",
    "share_facebook": "https://www.facebook.com/",
    "share_nextdoor": "https://nextdoor.com/news_feed/",
}
TAKES_WORDS = frozenset({"share_x", "share_whatsapp"})
HAS_LINK = frozenset({"share_x", "share_facebook"})  # each post of these has one
LINKLESS = BY_HAND.keys() - HAS_LINK


class NotNowError(ValueError):
    """It cannot be posted now; the message is a sentence that says why."""


class NotYoursError(ValueError):
    """Somebody else posts in this name."""


@dataclass(frozen=True)
class Pack:
    """One post to be made by hand, as it stands now."""

    delivery: Delivery
    until: datetime  # later than that it is not posted any more
    steps: list[ShareStep]  # of all tries, the oldest first
    obstacle: str  # why nobody may post it now; "": nothing stands in the way
    over: bool  # and nobody ever may

    @property
    def part(self) -> Mapping[str, Any]:
        """The approved words, pictures and account."""
        return part_of(self.delivery)

    @property
    def last(self) -> ShareStep | None:
        """The latest step of the latest try."""
        return self.steps[-1] if self.steps else None

    @property
    def tried(self) -> bool:
        """Somebody opened it and has not said how that ended."""
        return self.last is not None and self.last.kind == "opened"

    @property
    def early(self) -> bool:
        """Only its time stands in the way."""
        return self.obstacle == NOT_YET

    @property
    def start(self) -> str:
        """The address at which its platform begins a post, with the words where it takes them."""
        platform = self.delivery.account.platform
        words = quote(self.part["text"], safe="") if platform in TAKES_WORDS else ""
        return f"{STARTS[platform]}{words}"


def part_of(delivery: Delivery) -> Mapping[str, Any]:
    """What was approved for the delivery's account; empty where it says nothing."""
    parts = delivery.approval.version.content["parts"]
    return next((part for part in parts if part["account"] == delivery.account_id), {})


def by_hand(session: Session, delivery_id: int) -> Delivery | None:
    """A delivery to be made by hand, with all that its checks read; None: it is none."""
    message = joinedload(Delivery.approval).joinedload(Approval.version)
    message = message.joinedload(MessageVersion.message)
    query = (
        select(Delivery)
        .join(Delivery.account)
        .where(Delivery.id == delivery_id, Account.platform.in_(BY_HAND))
        .options(  # of consents and plans there are a few
            joinedload(Delivery.account).joinedload(Account.voice).joinedload(Voice.consents),
            message.joinedload(Message.campaign).joinedload(Campaign.plans),
            message.selectinload(Message.versions),
        )
    )
    return session.scalars(query).unique().one_or_none()


def pack_of(session: Session, delivery: Delivery, now: datetime) -> Pack:
    """How a delivery by hand stands, with every check that a sending would have to pass."""
    steps = session.scalars(
        select(ShareStep)
        .join(ShareStep.attempt)
        .where(Attempt.delivery_id == delivery.id)
        .order_by(ShareStep.id)
    )
    why, over = _why_not(session, delivery, now)
    return Pack(delivery, send_until(delivery.approval.version.content), list(steps), why, over)


def link_said(session: Session, delivery: Delivery) -> str:
    """The link that whoever posted it by hand gave last; "": none."""
    query = (
        select(ShareStep.url)
        .join(ShareStep.attempt)
        .where(Attempt.delivery_id == delivery.id, ShareStep.url.is_not(None))
        .order_by(ShareStep.id.desc())
        .limit(1)
    )
    return session.scalar(query) or ""


def _why_not(session: Session, delivery: Delivery, now: datetime) -> tuple[str, bool]:
    """(why nobody may post it now, whether that stays so)."""
    if delivery.settled_at is not None:
        return delivery.detail or f"It is {delivery.word}.", True
    obstacle = obstacle_to(session, delivery, now)
    if obstacle is not None:
        return obstacle.why.strip(), isinstance(obstacle, End)
    if now < delivery.due_at:
        return NOT_YET, False
    return "", False


def open_for(session: Session, person: int) -> list[Delivery]:
    """Every open post by hand that this person may make, what is to come too, the soonest first."""
    return list(
        session.scalars(
            select(Delivery)
            .join(Delivery.account)
            .join(Account.voice)
            .where(open_to(person))
            .options(
                joinedload(Delivery.account).joinedload(Account.voice),
                joinedload(Delivery.approval)
                .joinedload(Approval.version)
                .joinedload(MessageVersion.message),
            )
            .order_by(Delivery.due_at, Delivery.id)
        )
    )


def open_to(person: int) -> ColumnElement[bool]:
    """Condition on deliveries, accounts and voices: it is open, and theirs to post by hand."""
    return and_(
        Account.platform.in_(BY_HAND),
        Delivery.settled_at.is_(None),
        or_(Voice.leader_id == person, Voice.id.in_(_named(person))),
    )


def due(session: Session, now: datetime) -> list[Delivery]:
    """Posts by hand whose time has come and that somebody may make now, the soonest first."""
    version = joinedload(Delivery.approval).joinedload(Approval.version)
    waiting = session.scalars(
        select(Delivery)
        .join(Delivery.account)
        .where(
            Account.platform.in_(BY_HAND),
            Delivery.state.in_(STOPPABLE),
            Delivery.due_at <= now,
        )
        .options(joinedload(Delivery.account).joinedload(Account.voice), version)
        .order_by(Delivery.due_at, Delivery.id)
    )
    return [one for one in waiting.all() if not _why_not(session, one, now)[0]]


def posting(session: Session, voices: Collection[Voice]) -> dict[int, set[int]]:
    """By voice id, the persons who post in its name: its leader and whom the leader named."""
    found = {one.id: {one.leader_id} for one in voices}
    for helper in helpers(session, found):
        found[helper.voice_id].add(helper.person_id)
    return found


def last_call(delivery: Delivery) -> datetime:
    """When those who may post it are told once more, before it is too late."""
    until = send_until(delivery.approval.version.content)
    return until - min(LAST_CALL, (until - delivery.due_at) / 2)


def waits(delivery: Delivery, now: datetime) -> bool:
    """Whether it is time for somebody to post it, or to say whether they did."""
    return delivery.state == "attempting" or (
        delivery.state in STOPPABLE and delivery.due_at <= now
    )


def _named(person: int) -> Select[int]:
    return select(ShareHelper.voice_id).where(
        ShareHelper.person_id == person, ShareHelper.ended_at.is_(None)
    )


# ---- who may


def helpers(session: Session, voices: Collection[int]) -> list[ShareHelper]:
    """Whom the leaders of these voices named, and since when, in that order."""
    return list(
        session.scalars(
            select(ShareHelper)
            .where(ShareHelper.voice_id.in_(voices), ShareHelper.ended_at.is_(None))
            .order_by(ShareHelper.id)
        )
    )


def may_post(session: Session, voice: Voice, person: int) -> bool:
    """Whether this person posts in this name: its leader, and whom the leader named."""
    return person == voice.leader_id or voice.id in session.scalars(_named(person)).all()


def name_helper(
    session: Session, voice: Voice, person: int, *, by: int, now: datetime
) -> ShareHelper:
    """The leader lets somebody post in the voice's name. NotYoursError, or ValueError."""
    session.execute(select(Voice.id).where(Voice.id == voice.id).with_for_update())
    if by != voice.leader_id:
        raise NotYoursError("Only the leader who answers for this voice names who posts for it.")
    if person == voice.leader_id:
        raise ValueError("You may post it anyway.")
    for one in helpers(session, [voice.id]):
        if one.person_id == person:
            return one
    helper = ShareHelper(voice=voice, person_id=person, named_by=by, named_at=now)
    session.add(helper)
    session.flush()
    return helper


def end_helper(session: Session, helper: ShareHelper, *, by: int, now: datetime) -> None:
    """The leader takes that back, or the helper does. They still answer for what they opened."""
    session.refresh(helper, with_for_update=True)
    if by not in (helper.voice.leader_id, helper.person_id):
        raise NotYoursError("Only the leader who answers for this voice takes that back.")
    if helper.ended_at is None:
        helper.ended_by, helper.ended_at = by, now
    session.flush()


# ---- the three steps


def open_pack(session: Session, delivery: Delivery, *, by: int, now: datetime) -> ShareStep:
    """Take it up to post it now: nobody else can, until it is said how that ended.

    Raises NotYoursError or NotNowError.
    """
    kill_switch.close_gate(session)
    locked(session, Delivery.id == delivery.id)
    session.expire(delivery, ["attempts"])
    if not may_post(session, delivery.account.voice, by):
        raise NotYoursError("Only the leader of this voice, or whom they named, posts it.")
    if delivery.account.platform not in BY_HAND:
        raise NotNowError("This is not posted by hand.")
    if delivery.state in TRYING:
        raise NotNowError("Somebody has opened it already: first it must be known what came of it.")
    why, _ = _why_not(session, delivery, now)
    if why:
        raise NotNowError(why)
    attempt = Attempt(delivery=delivery, kind="send", started_at=now)
    delivery.claims += 1
    delivery.state, delivery.claimed_at, delivery.not_before = "attempting", now, None
    delivery.detail = ""
    return _step(session, attempt, "opened", by, now)


def say_posted(
    session: Session, delivery: Delivery, *, url: str, by: int, now: datetime
) -> ShareStep:
    """Whoever opened it says that it is out. It is not published yet: somebody else looks first.

    It counts even where somebody has looked and found nothing: what is out is out. ``url`` may be
    "". Raises NotYoursError, NotNowError, or ValueError for a link that is none.
    """
    where = link(url) if url.strip() else None
    attempt = _their_try(session, delivery, by)
    attempt.ended_at, attempt.outcome = attempt.ended_at or now, "unknown"
    attempt.detail = SAYS_POSTED
    stopped = f"Before that: {delivery.detail}" if delivery.settled_at is not None else ""
    delivery.state, delivery.settled_at, delivery.not_before = "unconfirmed", None, None
    delivery.detail = f"{SAYS_POSTED} {stopped}".strip()
    step = _step(session, attempt, "posted", by, now)
    step.url = where
    session.flush()
    return step


def say_not_posted(session: Session, delivery: Delivery, *, by: int, now: datetime) -> ShareStep:
    """Whoever opened it says that they did not post it: it waits again. Errors: ``say_posted``."""
    attempt = _their_try(session, delivery, by)
    if delivery.state in TRYING:
        attempt.ended_at, attempt.outcome = attempt.ended_at or now, "unknown"
        never_arrived(delivery, "Whoever opened it did not post it.")
        delivery.state, delivery.not_before = "retry_later", None
        delivery.detail = "It was opened and not posted."
    return _step(session, attempt, "not posted", by, now)


def _their_try(session: Session, delivery: Delivery, by: int) -> Attempt:
    """The try that this person opened last and has not answered for, its delivery locked."""
    locked(session, Delivery.id == delivery.id)
    session.expire(delivery, ["attempts"])
    steps = session.scalars(
        select(ShareStep)
        .join(ShareStep.attempt)
        .where(Attempt.delivery_id == delivery.id)
        .order_by(ShareStep.id)
    ).all()
    if not steps or steps[-1].kind != "opened" or delivery.state == "published":
        raise NotNowError("It is known by now what came of it. Look at the page again.")
    if steps[-1].by != by:
        raise NotYoursError("Only who opened it says whether it was posted.")
    return steps[-1].attempt


def _step(session: Session, attempt: Attempt, kind: str, by: int, now: datetime) -> ShareStep:
    step = ShareStep(attempt=attempt, kind=kind, by=by, at=now)
    session.add(step)
    session.flush()
    return step
