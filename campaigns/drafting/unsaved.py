"""Words in the form of a message that nobody has saved: kept for whoever types them, no version."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from campaigns.models import Message, UnsavedWords

FIELD_CHARS = 45_000  # of one field: more than the longest text any platform takes
STILL_WRITING = timedelta(minutes=10)  # since their last key, somebody counts as writing


def keep(
    session: Session,
    message: Message,
    fields: Mapping[str, str],
    *,
    base: int,
    by: int,
    now: datetime,
) -> UnsavedWords:
    """Keep the fields of a form as they stand; ``base`` as in messages.save_draft."""
    kept = {name: words.replace("\x00", "")[:FIELD_CHARS] for name, words in fields.items()}
    row = session.get(UnsavedWords, (message.id, by), with_for_update=True)
    if row is None:
        row = UnsavedWords(message_id=message.id, by=by)
        session.add(row)
    row.fields, row.base, row.at = kept, base, now
    session.flush()
    return row


def of(session: Session, message: Message, by: int) -> UnsavedWords | None:
    """What this person has not saved of this message."""
    return session.get(UnsavedWords, (message.id, by))


def drop(session: Session, message: Message, by: int) -> None:
    """Forget it: it was saved, or thrown away by its writer."""
    session.execute(
        delete(UnsavedWords).where(UnsavedWords.message_id == message.id, UnsavedWords.by == by)
    )


def also_writing(session: Session, message: Message, by: int, now: datetime) -> list[UnsavedWords]:
    """Others who are writing this message at the moment, the last to press a key first."""
    return list(
        session.scalars(
            select(UnsavedWords)
            .where(
                UnsavedWords.message_id == message.id,
                UnsavedWords.by != by,
                UnsavedWords.at > now - STILL_WRITING,
            )
            .order_by(UnsavedWords.at.desc(), UnsavedWords.by)
        )
    )
