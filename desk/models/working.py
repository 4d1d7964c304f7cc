"""Tables of a day at the desk: who has what, who is where, how one looks at it."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from desk.models.people import Person
from sources.db import Base


class Lease(Base):
    """A flag on one person's desk, for a while: the others see it there and take another."""

    __tablename__ = "leases"
    __table_args__ = (
        Index(None, "flag_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_leases_running", "until", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    flag_id: Mapped[int] = mapped_column(ForeignKey("flags.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    taken_at: Mapped[datetime]
    until: Mapped[datetime]
    ended_at: Mapped[datetime | None]  # decided, given back, or run out
    person: Mapped[Person] = relationship()


class SavedView(Base):
    """The queue, or a search, narrowed in one way, under a name. Never changed: an edit is new."""

    __tablename__ = "saved_views"
    __table_args__ = (Index(None, "person_id", postgresql_where=text("removed_at IS NULL")),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)  # a path of the desk and what it asks for
    shared: Mapped[bool]  # with everybody at the desk; else only who saved it has it
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    saved_at: Mapped[datetime]
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("saved_views.id"))
    removed_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    removed_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship(foreign_keys=[person_id])


class Presence(Base):
    """One open page of one person, while it is open. It says who is there, and nothing later."""

    __tablename__ = "presences"
    __table_args__ = (Index(None, "page"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    page: Mapped[str] = mapped_column(Text)  # the path of a page that presence.SHARED names
    came_at: Mapped[datetime]
    seen_at: Mapped[datetime]  # the last sign of life of its stream
    person: Mapped[Person] = relationship()
