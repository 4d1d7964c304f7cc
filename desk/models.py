"""Tables of who decides: people, their roles, and how they sign in."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from monitor.models import AlertMessage, Flag
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


class Channel(Base):
    """A way in which one person is told: their sign-in address, or one they added."""

    __tablename__ = "channels"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(quiet_from, quiet_until) <> 1 AND quiet_from <> quiet_until "
            "AND quiet_from BETWEEN 0 AND 1439 AND quiet_until BETWEEN 0 AND 1439",
            name="quiet",
        ),
        # One for each person, made once: who removes it does not get it back.
        Index(
            "uq_channels_sign_in",
            "person_id",
            unique=True,
            postgresql_where=text("address IS NULL"),
        ),
        Index(None, "person_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    service: Mapped[str] = mapped_column(Text)  # a key of couriers.SERVICES
    # An e-mail address or an address of apprise, encrypted; empty: where the person signs in.
    address: Mapped[bytes | None]
    label: Mapped[str] = mapped_column(Text)  # the address, masked: all that others see
    quiet_from: Mapped[int | None]  # minutes after local midnight; both or neither
    quiet_until: Mapped[int | None]
    digest: Mapped[bool]  # what is of low level comes together, once a day
    added_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship()


class Notice(Base):
    """One thing that one channel is told, and what came of it. It holds no words of anybody."""

    __tablename__ = "notices"
    __table_args__ = (
        CheckConstraint(
            "(kind = 'flag') = (flag_id IS NOT NULL) "
            "AND (kind = 'alert') = (alert_message_id IS NOT NULL) "
            "AND kind IN ('flag', 'alert', 'digest', 'try')",
            name="kind",
        ),
        CheckConstraint(
            "state IN ('scheduled', 'attempting', 'delivered', 'failed', 'unknown', 'withdrawn')",
            name="state",
        ),
        CheckConstraint("level BETWEEN 0 AND 4", name="level"),
        UniqueConstraint("channel_id", "flag_id"),
        UniqueConstraint("channel_id", "alert_message_id"),
        Index(None, "flag_id"),
        Index(None, "alert_message_id"),
        Index(None, "digest_id"),
        Index("ix_notices_waiting", "due_at", postgresql_where=text("settled_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id"))
    kind: Mapped[str] = mapped_column(Text)
    flag_id: Mapped[int | None] = mapped_column(ForeignKey("flags.id"))
    alert_message_id: Mapped[int | None] = mapped_column(ForeignKey("alert_messages.id"))
    level: Mapped[int]  # how grave, 0 to 4, as it stood when this was made
    gathered: Mapped[bool] = mapped_column(default=False)  # not sent alone: waits for a digest
    digest_id: Mapped[int | None] = mapped_column(ForeignKey("notices.id"))  # in which it went
    made_at: Mapped[datetime]
    due_at: Mapped[datetime]
    not_before: Mapped[datetime | None]  # a try that failed is repeated then
    claimed_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    doubts: Mapped[int] = mapped_column(default=0)  # tries of which nobody knows the end
    # ``unknown`` without ``settled_at`` is tried once more.
    state: Mapped[str] = mapped_column(Text, default="scheduled")
    settled_at: Mapped[datetime | None]
    detail: Mapped[str] = mapped_column(Text, default="")  # plain words without any address
    channel: Mapped[Channel] = relationship()
    flag: Mapped[Flag | None] = relationship()
    message: Mapped[AlertMessage | None] = relationship()
    items: Mapped[list["Notice"]] = relationship(
        order_by="Notice.level.desc(), Notice.id", foreign_keys=[digest_id]
    )

    @property
    def standing(self) -> list["Notice"]:
        """What a digest still holds, the gravest first."""
        return [item for item in self.items if item.state != "withdrawn"]


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
