"""Tables of what one shift leaves to the next."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from monitor.models import Alert, Flag, Narrative
from sources.db import Base


class ShiftNote(Base):
    """What the next shift must know, in the words of whoever was there. Never changed."""

    __tablename__ = "shift_notes"
    __table_args__ = (
        CheckConstraint("stays IN ('open', 'information')", name="stays"),
        CheckConstraint("num_nonnulls(narrative_id, flag_id, alert_id) <= 1", name="about"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    stays: Mapped[str] = mapped_column(Text)  # open: until somebody ticks it off
    narrative_id: Mapped[int | None] = mapped_column(ForeignKey("narratives.id"))
    flag_id: Mapped[int | None] = mapped_column(ForeignKey("flags.id"))
    alert_id: Mapped[int | None] = mapped_column(ForeignKey("alerts.id"))
    by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    at: Mapped[datetime] = mapped_column(index=True)
    narrative: Mapped[Narrative | None] = relationship()
    flag: Mapped[Flag | None] = relationship()
    alert: Mapped[Alert | None] = relationship()
    ticks: Mapped[list["ShiftNoteTick"]] = relationship(order_by="ShiftNoteTick.id")

    @property
    def done(self) -> "ShiftNoteTick | None":
        """The tick that stands, if somebody has ticked it off."""
        return next((one for one in self.ticks if one.undone_at is None), None)


class ShiftNoteTick(Base):
    """An open note is done with: who says so, and how it ended. Undone, the note is open again."""

    __tablename__ = "shift_note_ticks"
    __table_args__ = (
        Index(None, "note_id", unique=True, postgresql_where=text("undone_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    note_id: Mapped[int] = mapped_column(ForeignKey("shift_notes.id"))
    word: Mapped[str] = mapped_column(Text)
    by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    at: Mapped[datetime]
    undone_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    undone_at: Mapped[datetime | None]


class ShiftNoteDraft(Base):
    """A note that somebody is writing, so that a reload or the end of a session loses nothing."""

    __tablename__ = "shift_note_drafts"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    words: Mapped[dict[str, Any]]  # the fields of its form, as typed
    at: Mapped[datetime]


class HandoverRead(Base):
    """Somebody says that they have read what changed, up to the moment their page was made."""

    __tablename__ = "handover_reads"
    __table_args__ = (Index(None, "person_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    until: Mapped[datetime]
    at: Mapped[datetime]
