"""Tables of how people sign in: links, browsers, passkeys, and failures."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from desk.models.people import Person
from sources.db import Base


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


class Passkey(Base):
    """A key on somebody's device, with which they sign in and confirm what they approve."""

    __tablename__ = "passkeys"
    __table_args__ = (
        CheckConstraint("name <> ''", name="name"),
        Index(None, "person_id", postgresql_where=text("removed_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]  # COSE
    sign_count: Mapped[int] = mapped_column(BigInteger)  # 0: the device does not count
    transports: Mapped[list[Any]]
    name: Mapped[str] = mapped_column(Text)
    added_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    removed_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    removed_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship(foreign_keys=[person_id])


class PasskeyChallenge(Base):
    """What one answer of a passkey must repeat: good once, for minutes, for one thing."""

    __tablename__ = "passkey_challenges"
    __table_args__ = (
        CheckConstraint("purpose IN ('add', 'sign in', 'approve', 'settle')", name="purpose"),
        CheckConstraint("(purpose = 'approve') = (content_sha256 IS NOT NULL)", name="content"),
        Index(None, "expires_at"),
    )

    challenge_sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    purpose: Mapped[str] = mapped_column(Text)
    bound_to: Mapped[str] = mapped_column(Text)  # SHA-256 of the session's or the link's token
    content_sha256: Mapped[str | None] = mapped_column(Text)  # of the version that is approved
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class PasskeyChoice(Base):
    """Whether approving asks one person for a passkey: their newest choice counts."""

    __tablename__ = "passkey_choices"
    __table_args__ = (Index(None, "person_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    at_approval: Mapped[bool]
    by: Mapped[int] = mapped_column(ForeignKey("people.id"))  # an administrator ends it too
    at: Mapped[datetime]


class SignInFailure(Base):
    """A failed sign-in, so that guessing slows down."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (Index(None, "email", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    email: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
