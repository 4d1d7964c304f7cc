"""Tables of who decides: people, their roles, and how they sign in."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text
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
    grants: Mapped[list["RoleGrant"]] = relationship(
        back_populates="person", order_by="RoleGrant.id", foreign_keys="RoleGrant.person_id"
    )

    @property
    def roles(self) -> frozenset[str]:
        """The roles this person holds now."""
        return frozenset(grant.role for grant in self.grants if grant.revoked_at is None)

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


class SignInLink(Base):
    """A link that signs one person in once. Only a hash of its token is kept."""

    __tablename__ = "sign_in_links"

    token_sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    made_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))  # empty: command line
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship(foreign_keys=[person_id])


class WebSession(Base):
    """A browser that is signed in. Only a hash of its token is kept."""

    __tablename__ = "web_sessions"

    token_sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship()


class SignInFailure(Base):
    """A failed sign-in, so that guessing slows down."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (Index(None, "email", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    email: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
