"""Taking a published post down again, and putting right what a message said.

Two people take part, as in an approval: comms asks with a reason and the leader of the voice says
yes. The leader's own wish needs nobody else: it is their name. Where waiting may hurt somebody, a
duty lead decides at once, and the leader reviews that afterwards.

What was decided is carried out in ``taking_down``. Consent and the kill switch stop words from
going out; neither stops them from being taken back.

Nothing here puts anything back. A correction is a message like any other, linked to the one that it
puts right.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, joinedload

from campaigns.drafting.messages import start_message
from campaigns.models import (
    Correction,
    Delivery,
    Message,
    ReadBack,
    Retraction,
)
from campaigns.publishers import (
    BY_HAND,
    PLATFORMS,
)

# Where we can take something back. What went to somebody's own letter box stays there.
TAKES_BACK = frozenset({"bluesky", "mastodon", "reddit", "web", "dry_run", *BY_HAND})
REASON_CHARS = 2_000
REVIEW_WITHIN = timedelta(hours=24)  # of an emergency, by the leader

OPEN = ("proposed", "approved", "attempting", "unconfirmed")


class OvertakenError(ValueError):
    """Somebody has decided or done it meanwhile."""


class NotYoursToDecideError(ValueError):
    """Somebody else answers for this voice."""


# ---- who asks, and who decides


def why_not(delivery: Delivery) -> str:
    """Why a delivery cannot be taken back at all, as a sentence; "" when it can be."""
    if delivery.state != "published":
        return "Only what is out can be taken back. What waits can be withdrawn on its message."
    if delivery.account.platform not in TAKES_BACK:
        name = PLATFORMS.get(delivery.account.platform, delivery.account.platform)
        return f"{name}: what was sent stays with those who have it. Send them a correction."
    return ""


def propose(
    session: Session, delivery: Delivery, *, reason: str, by: int, now: datetime
) -> Retraction:
    """Ask that a post be taken down. Asked by the leader of its voice, it is decided.

    ValueError without a reason, and where it cannot be taken back; OvertakenError when it is asked
    for already, or gone.
    """
    asked = _asked(session, delivery, reason, by, now)
    if by == delivery.account.voice.leader_id:
        _decide(asked, "own wish", by, now)
    session.flush()
    return asked


def take_down_at_once(
    session: Session, delivery: Delivery, *, reason: str, by: int, now: datetime
) -> Retraction:
    """A duty lead takes a post down without waiting, whether somebody asked for it or not.

    The leader reviews it within REVIEW_WITHIN. Errors as in ``propose``.
    """
    session.refresh(delivery, with_for_update=True)
    if by == delivery.account.voice.leader_id:
        return propose(session, delivery, reason=reason, by=by, now=now)
    standing = standing_on(session, delivery)
    if standing is not None:
        session.refresh(standing, with_for_update=True)  # its leader may be deciding just now
    if standing is not None and standing.state == "proposed":
        standing.decided_why = _sentence(reason)
    else:
        standing = _asked(session, delivery, reason, by, now)
    _decide(standing, "emergency", by, now)
    session.flush()
    return standing


def approve(session: Session, retraction: Retraction, *, by: int, now: datetime) -> None:
    """The leader of the voice says yes. OvertakenError, NotYoursToDecideError."""
    _open_for(session, retraction, by)
    _decide(retraction, "approved", by, now)
    session.flush()


def decline(session: Session, retraction: Retraction, *, why: str, by: int, now: datetime) -> None:
    """The leader says no: it stays up. Errors as in ``approve``, ValueError without a reason."""
    _open_for(session, retraction, by)
    retraction.decided_why = _sentence(why)
    _decide(retraction, "declined", by, now)
    retraction.settled_at = now
    session.flush()


def withdraw(session: Session, retraction: Retraction, *, why: str, by: int, now: datetime) -> None:
    """Who asked for it takes that back, while nobody has decided. ``why`` may be "".

    OvertakenError, NotYoursToDecideError.
    """
    session.refresh(retraction, with_for_update=True)
    if by != retraction.proposed_by:
        raise NotYoursToDecideError("Only who asked for it takes that back.")
    if retraction.state != "proposed":
        raise OvertakenError("This was decided before. Look at the page again.")
    retraction.decided_why = _sentence(why) if why.strip() else ""
    _decide(retraction, "withdrawn", by, now)
    retraction.settled_at = now
    session.flush()


def review(
    session: Session, retraction: Retraction, *, agreed: bool, note: str, by: int, now: datetime
) -> None:
    """The leader's word on what a duty lead did at once. A no puts nothing back; it is kept.

    ValueError for a no without a word. OvertakenError, NotYoursToDecideError.
    """
    session.refresh(retraction, with_for_update=True)
    _is_leader(retraction, by)
    if retraction.decided_how != "emergency" or retraction.review is not None:
        raise OvertakenError("There is nothing to review here any more.")
    retraction.review_note = _sentence(note) if note.strip() or not agreed else ""
    retraction.review = "agreed" if agreed else "objected"
    retraction.reviewed_by, retraction.reviewed_at = by, now
    session.flush()


def done_by_hand(
    session: Session, retraction: Retraction, *, note: str, by: int, now: datetime
) -> None:
    """Somebody took the post down there, as was decided. ValueError without how they know.

    OvertakenError: it was not decided, or is down already.
    """
    session.refresh(retraction, with_for_update=True)
    if retraction.state not in ("approved", "unconfirmed", "failed"):
        raise OvertakenError("It is down already, or nobody has decided it.")
    standing = standing_on(session, retraction.delivery)
    if standing is not None and standing is not retraction:
        raise OvertakenError("Somebody has asked for it again since: say it there.")
    retraction.claims += 1  # whoever is about to call is too late
    mark_down(session, retraction, f"Taken down by hand: {_sentence(note)}", now)
    session.flush()


def standing_on(session: Session, delivery: Delivery) -> Retraction | None:
    """The retraction of a delivery that was not declined or withdrawn, and has not failed."""
    query = select(Retraction).where(
        Retraction.delivery_id == delivery.id, Retraction.state.in_((*OPEN, "carried_out"))
    )
    return session.scalar(query)


def history(session: Session, delivery: Delivery) -> list[Retraction]:
    """Every retraction of a delivery with its attempts, the newest first."""
    query = select(Retraction).where(Retraction.delivery_id == delivery.id)
    with_attempts = query.options(joinedload(Retraction.attempts))
    return list(session.scalars(with_attempts.order_by(Retraction.id.desc())).unique())


def review_late(retraction: Retraction, now: datetime) -> bool:
    """Whether the leader's word on an emergency is overdue."""
    return (
        retraction.decided_how == "emergency"
        and retraction.review is None
        and retraction.decided_at is not None
        and now > retraction.decided_at + REVIEW_WITHIN
    )


def _asked(session: Session, delivery: Delivery, reason: str, by: int, now: datetime) -> Retraction:
    session.refresh(delivery, with_for_update=True)  # so that two cannot ask at once
    if why := why_not(delivery):
        raise ValueError(why)
    reading = session.get(ReadBack, delivery.id, populate_existing=True)
    if reading is not None and reading.removed_at is not None:
        raise OvertakenError("It was removed there already. We never put it back.")
    if standing_on(session, delivery) is not None:
        raise OvertakenError("Somebody has asked for this already. Look at the page again.")
    asked = Retraction(
        delivery=delivery,
        reason=_sentence(reason),
        proposed_by=by,
        proposed_at=now,
        state="proposed",
    )
    session.add(asked)
    return asked


def _open_for(session: Session, retraction: Retraction, by: int) -> None:
    session.refresh(retraction, with_for_update=True)
    _is_leader(retraction, by)
    if retraction.state != "proposed":
        raise OvertakenError("This was decided before. Look at the page again.")


def _is_leader(retraction: Retraction, by: int) -> None:
    if by != retraction.delivery.account.voice.leader_id:
        raise NotYoursToDecideError("Only the leader who answers for this voice can decide.")


def _decide(retraction: Retraction, how: str, by: int, now: datetime) -> None:
    retraction.decided_how, retraction.decided_by, retraction.decided_at = how, by, now
    retraction.state = how if how in ("declined", "withdrawn") else "approved"


def _sentence(words: str) -> str:
    said = " ".join(words.split())
    if not said:
        raise ValueError("Say why, in a sentence.")
    if len(said) > REASON_CHARS:
        raise ValueError(f"A reason has {REASON_CHARS} characters at most.")
    return said


def mark_down(session: Session, retraction: Retraction, how: str, now: datetime) -> None:
    """It is down, by our doing: it is not read any more, and its end is no surprise."""
    retraction.state, retraction.outcome = "carried_out", how
    retraction.carried_out_at = retraction.settled_at = now
    retraction.not_before = None
    reading = session.get(ReadBack, retraction.delivery_id, with_for_update=True)
    if reading is not None:
        reading.next_at = None


# ---- corrections


def start_correction(session: Session, wrong: Message, *, by: int, now: datetime) -> Message:
    """An empty message of the same voice and campaign that puts ``wrong`` right.

    It is written, checked and approved like any. ValueError when nothing of ``wrong`` went out.
    """
    if not is_out(wrong):
        raise ValueError("Nothing of this message is out: there is nothing to put right.")
    message = start_message(session, wrong.campaign, wrong.voice, by=by, now=now)
    session.add(Correction(message=message, corrects=wrong, by=by, at=now))
    session.flush()
    return message


def is_out(message: Message) -> bool:
    """Whether anything of it was published, be it to one account or to a list."""
    approvals = [one.approval for one in message.versions if one.approval is not None]
    return any(
        approval.listed_out_at is not None
        or any(one.state == "published" for one in approval.deliveries)
        for approval in approvals
    )


def corrected_by(message: Message) -> ColumnElement[bool]:
    """Condition on Correction: it links this message to another, in either direction."""
    return or_(Correction.message_id == message.id, Correction.corrects_id == message.id)


def corrections_of(
    session: Session, message: Message
) -> tuple[Correction | None, list[Correction]]:
    """(what the message corrects, if anything; what corrects it, the oldest first)."""
    rows = session.scalars(
        select(Correction).where(corrected_by(message)).order_by(Correction.message_id)
    ).all()
    corrects = next((one for one in rows if one.message_id == message.id), None)
    return corrects, [one for one in rows if one.corrects_id == message.id]
