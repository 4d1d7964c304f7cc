"""Emergency releases: what a voice allows, who asked, who released, what its leader says."""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from campaigns.models.approving import Approval
from campaigns.models.drafting import MessageVersion
from campaigns.models.voices import Consent
from sources.db import Base


class ReleasePermission(Base):
    """What a voice allows to go out in an emergency without its leader's word, and until when.

    It is given with a consent and ends with it; it can be taken back alone.
    """

    __tablename__ = "release_permissions"
    __table_args__ = (
        UniqueConstraint("consent_id"),
        CheckConstraint("covers <> ''", name="covers"),
        CheckConstraint(
            "num_nonnulls(withdrawn_by, withdrawn_at, withdrawn_why) IN (0, 3)", name="withdrawn"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    consent_id: Mapped[int] = mapped_column(ForeignKey("consents.id"))
    covers: Mapped[str] = mapped_column(Text)  # which practical safety information
    valid_until: Mapped[datetime]
    recorded_by: Mapped[int]
    recorded_at: Mapped[datetime]
    withdrawn_by: Mapped[int | None]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_why: Mapped[str | None] = mapped_column(Text)
    consent: Mapped[Consent] = relationship(back_populates="release_permission")


class Release(Base):
    """One version to go out in an emergency, before its leader can say yes.

    Three different people: who wrote it, who asks, who releases. The leader reviews it afterwards.
    """

    __tablename__ = "releases"
    __table_args__ = (
        ForeignKeyConstraint(
            ["version_id", "sha256", "drafted_by"],
            ["message_versions.id", "message_versions.sha256", "message_versions.drafted_by"],
        ),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint(
            "asked_by <> drafted_by AND (released_by IS NULL OR "
            "(released_by <> drafted_by AND released_by <> asked_by))",
            name="two_people",
        ),
        CheckConstraint("num_nonnulls(released_by, released_at) IN (0, 2)", name="released"),
        CheckConstraint(
            "num_nonnulls(refused_by, refused_at, refused_why) IN (0, 3)", name="refused"
        ),
        CheckConstraint("released_by IS NULL OR refused_by IS NULL", name="one_end"),
        CheckConstraint(
            "num_nonnulls(reviewed_by, reviewed_at, review) IN (0, 3) "
            "AND review IN ('agreed', 'objected') "
            "AND (review IS NULL OR (released_by IS NOT NULL AND reviewed_by <> released_by "
            "AND reviewed_by <> asked_by))",
            name="review",
        ),
        UniqueConstraint("id", "version_id", "sha256", "released_by"),  # what an approval matches
        # One at a time; a refused one may be followed by the next.
        Index(
            "ix_releases_one",
            "version_id",
            unique=True,
            postgresql_where=text("refused_by IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int]
    sha256: Mapped[str] = mapped_column(Text)
    drafted_by: Mapped[int]
    permission_id: Mapped[int] = mapped_column(ForeignKey("release_permissions.id"))
    reason: Mapped[str] = mapped_column(Text)  # why it cannot wait, and how the leader was called
    asked_by: Mapped[int]
    asked_at: Mapped[datetime]
    released_by: Mapped[int | None]
    released_at: Mapped[datetime | None] = mapped_column(index=True)
    refused_by: Mapped[int | None]
    refused_at: Mapped[datetime | None]
    refused_why: Mapped[str | None] = mapped_column(Text)
    reviewed_by: Mapped[int | None]
    reviewed_at: Mapped[datetime | None]
    review: Mapped[str | None] = mapped_column(Text)
    review_note: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[MessageVersion] = relationship(back_populates="releases")
    permission: Mapped[ReleasePermission] = relationship()
    approval: Mapped[Approval | None] = relationship(
        primaryjoin="foreign(Approval.release_id) == Release.id",
        uselist=False,
        viewonly=True,
        back_populates="release",
    )
