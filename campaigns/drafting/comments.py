"""Comments on a message, between those who write it and its leader."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.drafting.messages import latest_version
from campaigns.models import Message, MessageComment

CHARS = 2_000


def comment(
    session: Session, message: Message, text: str, *, by: int, now: datetime
) -> MessageComment:
    """Say something about a message as it stands. ValueError for no words, or too many."""
    words = text.replace("\r\n", "\n").strip()
    if not words:
        raise ValueError("A comment needs words.")
    if len(words) > CHARS:
        raise ValueError(f"Say it in {CHARS} characters; these are {len(words)}.")
    version = latest_version(message)
    row = MessageComment(
        message_id=message.id,
        version=version.number if version else 0,
        text=words,
        by=by,
        at=now,
    )
    session.add(row)
    session.flush()
    return row


def comments_on(session: Session, message: Message) -> list[MessageComment]:
    """What was said about it, oldest first."""
    query = select(MessageComment).where(MessageComment.message_id == message.id)
    return list(session.scalars(query.order_by(MessageComment.id)))
