"""Tables of who decides, in which roles, how each wants to be spared, and how much they saw."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sources.db import Base

ROLES = ("monitor", "duty lead", "responder", "comms", "leader", "admin")


class Person(Base):
    """Somebody who works at the desk. Never somebody who is watched."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text, unique=True)  # lower case
    password_hash: Mapped[str | None] = mapped_column(Text)  # Argon2id
    created_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    time_zone: Mapped[str | None] = mapped_column(Text)  # an IANA name; empty: the desk's
    grants: Mapped[list["RoleGrant"]] = relationship(
        back_populates="person", order_by="RoleGrant.id", foreign_keys="RoleGrant.person_id"
    )
    # What follows is the person's own; it comes with them in people.person_of and costs no query.
    care: Mapped["CareChoice | None"] = relationship(
        primaryjoin="and_(CareChoice.person_id == Person.id, CareChoice.replaced_at.is_(None))",
        viewonly=True,
    )
    exposures: Mapped[list["Exposure"]] = relationship(viewonly=True, order_by="Exposure.day")
    spell: Mapped["ReadingSpell | None"] = relationship(viewonly=True)

    @property
    def roles(self) -> frozenset[str]:
        """The roles this person holds now."""
        return frozenset(grant.role for grant in self.grants if grant.revoked_at is None)

    def zone(self, desk: ZoneInfo) -> ZoneInfo:
        """Where this person's clock goes: in the zone they chose, or in the desk's."""
        return ZoneInfo(self.time_zone) if self.time_zone else desk

    def may(self, *roles: str) -> bool:
        """Whether this person holds one of these roles."""
        return not self.roles.isdisjoint(roles)


class RoleGrant(Base):
    """A role given to a person, by whom and when, until it is taken back."""

    __tablename__ = "role_grants"
    __table_args__ = (CheckConstraint(f"role IN {ROLES}", name="role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    role: Mapped[str] = mapped_column(Text)
    granted_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))  # empty: command line
    granted_at: Mapped[datetime]
    revoked_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    revoked_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship(back_populates="grants", foreign_keys=[person_id])


class CareChoice(Base):
    """How one person wants to be spared, as they chose it; the row never replaced counts."""

    __tablename__ = "care_choices"
    __table_args__ = (
        CheckConstraint("fold_from BETWEEN 2 AND 4", name="fold_from"),
        CheckConstraint("break_minutes > 0 AND break_posts > 0", name="breaks"),
        Index(None, "person_id", unique=True, postgresql_where=text("replaced_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))  # nobody chooses for another
    soften: Mapped[bool]  # slurs are shown with their middle as dots
    fold_from: Mapped[int | None]  # posts from this message level on are folded; empty: none is
    break_minutes: Mapped[int | None]  # of reading, then a break is offered; empty: never
    break_posts: Mapped[int | None]  # at M2 or above, likewise
    chosen_at: Mapped[datetime]
    replaced_at: Mapped[datetime | None]


class Exposure(Base):
    """How many posts one person was shown on one day, by message level: never which ones."""

    __tablename__ = "exposures"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)  # in the desk's zone
    m2: Mapped[int]
    m3: Mapped[int]
    m4: Mapped[int]

    @property
    def posts(self) -> int:
        """Posts at M2 or above."""
        return self.m2 + self.m3 + self.m4


class ReadingSpell(Base):
    """For how long one person has been reading without a break. One row, always overwritten.

    Here a history would be a record of when somebody works, so none is kept.
    """

    __tablename__ = "reading_spells"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    began_at: Mapped[datetime]
    last_at: Mapped[datetime]  # of the last page that showed a post at M2 or above
    posts: Mapped[int]  # such posts since it began
    later_until: Mapped[datetime | None]  # a break was put off until then
