"""What platforms say of themselves, who signs in at one, and where none of our messages gets in."""

from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from campaigns.models.voices import Account, Voice
from sources.db import Base


class ServerSaid(Base):
    """What a Mastodon server says it takes: the newest row of a server counts, the others were so.

    None where it does not say, or says something that cannot be.
    """

    __tablename__ = "server_rules"
    __table_args__ = (
        CheckConstraint(
            "characters_max > 0 AND per_link >= 0 AND pictures_max >= 0 AND picture_bytes_max > 0 "
            "AND alt_max > 0",
            name="sane",
        ),
        CheckConstraint("read_at >= found_at", name="read"),
        Index(None, "service", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    service: Mapped[str] = mapped_column(Text)  # base URL, as in Account
    characters_max: Mapped[int | None]
    per_link: Mapped[int | None]  # 0: a link counts with all its characters
    pictures_max: Mapped[int | None]
    picture_bytes_max: Mapped[int | None]
    picture_types: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    alt_max: Mapped[int | None]
    found_at: Mapped[datetime]  # it said so for the first time
    read_at: Mapped[datetime]  # and for the last


class ServerLook(Base):
    """When a server was last asked what it takes, and when it is asked again."""

    __tablename__ = "server_looks"

    service: Mapped[str] = mapped_column(Text, primary_key=True)
    asked_at: Mapped[datetime]
    next_at: Mapped[datetime]
    fault: Mapped[str] = mapped_column(Text, default="")  # why it could not be read then


class RedditSignIn(Base):
    """Somebody was sent to Reddit to sign in with a voice's account: good once, for minutes."""

    __tablename__ = "reddit_sign_ins"

    state_sha256: Mapped[str] = mapped_column(Text, primary_key=True)  # of what Reddit sends back
    bound_to: Mapped[str] = mapped_column(Text)  # SHA-256 of the session that began it
    voice_id: Mapped[int] = mapped_column(ForeignKey("voices.id"))
    handle: Mapped[str] = mapped_column(Text)  # who must sign in, and where they speak
    by: Mapped[int]
    begun_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
    voice: Mapped[Voice] = relationship()


class Lockout(Base):
    """The server of an account lets none of our messages in: from when, and until when."""

    __tablename__ = "lockouts"
    __table_args__ = (
        CheckConstraint("ended_at >= found_at", name="ended"),
        Index(
            "ix_lockouts_standing",
            "account_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    why: Mapped[str] = mapped_column(Text)
    found_at: Mapped[datetime]
    next_at: Mapped[datetime]  # one message is tried then
    ended_at: Mapped[datetime | None]
    account: Mapped[Account] = relationship()
