"""A voice, what it agreed to, its accounts and what it allows at most."""

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sources.db import Base

if TYPE_CHECKING:
    from campaigns.models.contacts import Outlet
    from campaigns.models.releases import ReleasePermission


class Voice(Base):
    """A named, consenting person or institution in whose name messages go out."""

    __tablename__ = "voices"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)  # "Pastor, Hope Church"
    leader_id: Mapped[int]  # the only person who may approve for this voice
    created_by: Mapped[int]
    created_at: Mapped[datetime]
    consents: Mapped[list["Consent"]] = relationship(
        back_populates="voice", order_by="Consent.id.desc()"
    )
    # Those that are not closed: what a closed one sent stays with its deliveries.
    accounts: Mapped[list["Account"]] = relationship(
        back_populates="voice",
        order_by="Account.id",
        primaryjoin="and_(Voice.id == Account.voice_id, Account.closed_at.is_(None))",
    )


class Consent(Base):
    """What a voice agreed to, how we know, and until when. Withdrawal stops what is queued."""

    __tablename__ = "consents"

    id: Mapped[int] = mapped_column(primary_key=True)
    voice_id: Mapped[int] = mapped_column(ForeignKey("voices.id"))
    scope: Mapped[str] = mapped_column(Text)
    platforms: Mapped[list[str]] = mapped_column(ARRAY(Text))
    evidence: Mapped[str] = mapped_column(Text)  # how it was obtained
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime]
    recorded_by: Mapped[int]
    recorded_at: Mapped[datetime]
    withdrawn_by: Mapped[int | None]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_why: Mapped[str | None] = mapped_column(Text)
    voice: Mapped[Voice] = relationship(back_populates="consents")
    release_permission: Mapped["ReleasePermission | None"] = relationship(back_populates="consent")


class Account(Base):
    """A voice's own account on a platform. The secret is encrypted and never shown again."""

    __tablename__ = "accounts"
    __table_args__ = (UniqueConstraint("voice_id", "platform", "handle"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    voice_id: Mapped[int] = mapped_column(ForeignKey("voices.id"))
    platform: Mapped[str] = mapped_column(Text)  # a key of the publishers dict: bluesky, dry_run
    handle: Mapped[str] = mapped_column(Text)
    service: Mapped[str] = mapped_column(Text)  # base URL of the account's server
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)  # Fernet token
    secret_until: Mapped[datetime | None]  # the platform takes it no longer, as far as we know
    connected_by: Mapped[int]
    connected_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]  # nothing more goes out by it; its closing says who and why
    voice: Mapped[Voice] = relationship(back_populates="accounts")
    outlet: Mapped["Outlet | None"] = relationship(back_populates="account")
    closing: Mapped["AccountClosing | None"] = relationship(  # the one that stands
        primaryjoin="and_(Account.id == AccountClosing.account_id, "
        "AccountClosing.ended_at.is_(None))",
        viewonly=True,
    )


class AccountClosing(Base):
    """An account by which nothing more goes out: who closed it and why, until it is used again."""

    __tablename__ = "account_closings"
    __table_args__ = (
        CheckConstraint("num_nonnulls(ended_at, ended_by) IN (0, 2)", name="ended"),
        Index(
            "uq_account_closings_standing",
            "account_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(None, "account_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    why: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    ended_by: Mapped[int | None]
    ended_at: Mapped[datetime | None]
    account: Mapped[Account] = relationship(foreign_keys=[account_id])


class VoiceLimits(Base):
    """What a voice allows at most: the newest row counts, the older ones are its history."""

    __tablename__ = "voice_limits"
    __table_args__ = (
        CheckConstraint("per_day > 0", name="per_day"),
        CheckConstraint(
            "num_nonnulls(quiet_from, quiet_until) <> 1 AND quiet_from <> quiet_until "
            "AND quiet_from BETWEEN 0 AND 1439 AND quiet_until BETWEEN 0 AND 1439",
            name="quiet",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    voice_id: Mapped[int] = mapped_column(ForeignKey("voices.id"), index=True)
    per_day: Mapped[int | None]  # posts in one day of its zone, all accounts together
    quiet_from: Mapped[int | None]  # minutes after local midnight; both or neither
    quiet_until: Mapped[int | None]
    zone: Mapped[str] = mapped_column(Text)  # IANA: the days and hours above are counted there
    credibility: Mapped[str] = mapped_column(Text)  # by whom it is heard, and by whom not
    security_contact: Mapped[str] = mapped_column(Text)  # whom to call when the voice is threatened
    by: Mapped[int]
    at: Mapped[datetime]
