"""What a person says of a post that they make by hand, and whom a leader lets do it."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from campaigns.models.sending import Attempt
from campaigns.models.voices import Voice
from sources.db import Base

SHARE_STEPS = ("opened", "posted", "not posted")


class ShareStep(Base):
    """One step of a person on the way to a post by hand; the try itself is an attempt like others.

    ``posted`` is what they say: the post counts as published when another person has seen it.
    """

    __tablename__ = "share_steps"
    __table_args__ = (
        CheckConstraint(f"kind IN {SHARE_STEPS}", name="kind"),
        CheckConstraint("url IS NULL OR kind = 'posted'", name="link"),
        UniqueConstraint("attempt_id", "kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    attempt_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("attempts.id"))
    kind: Mapped[str] = mapped_column(Text)
    url: Mapped[str | None] = mapped_column(Text)  # of the post, where it has one
    by: Mapped[int]
    at: Mapped[datetime]
    attempt: Mapped[Attempt] = relationship()


class ShareHelper(Base):
    """Somebody whom a voice's leader lets post by hand in its name, until that ends."""

    __tablename__ = "share_helpers"
    __table_args__ = (
        CheckConstraint("num_nonnulls(ended_by, ended_at) IN (0, 2)", name="ended"),
        Index(
            "ix_share_helpers_standing",
            "voice_id",
            "person_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    voice_id: Mapped[int] = mapped_column(ForeignKey("voices.id"))
    person_id: Mapped[int]
    named_by: Mapped[int]
    named_at: Mapped[datetime]
    ended_by: Mapped[int | None]
    ended_at: Mapped[datetime | None]
    voice: Mapped[Voice] = relationship()
