"""What was checked, laid before a leader, and answered."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from campaigns.models.drafting import Message, MessageVersion
from sources.db import Base

if TYPE_CHECKING:
    from campaigns.models.releases import Release
    from campaigns.models.sending import Delivery


class Submission(Base):
    """A version laid before the leader by somebody who checked it, usually whoever wrote it."""

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("version_id"),
        UniqueConstraint("version_id", "by"),  # what an approval of a leader's own words must match
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("message_versions.id"))
    by: Mapped[int]
    at: Mapped[datetime]
    # What the checks found then: [{"number", "name", "state", "words"}, ...], see checks.stored.
    checks: Mapped[list[Any]] = mapped_column(default=list)
    version: Mapped[MessageVersion] = relationship(back_populates="submission")


class CheckReason(Base):
    """Why a drafter goes on in spite of a warning. It holds for these words of the finding only."""

    __tablename__ = "check_reasons"
    __table_args__ = (CheckConstraint("reason <> ''", name="reason"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("message_versions.id"), index=True)
    number: Mapped[int]  # of the check
    finding: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    version: Mapped[MessageVersion] = relationship()


class CheckOverride(Base):
    """A duty lead lets a message pass a check that stops it. It holds for that finding only."""

    __tablename__ = "check_overrides"
    __table_args__ = (CheckConstraint("reason <> ''", name="reason"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), index=True)
    number: Mapped[int]  # of the check
    finding: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    message: Mapped[Message] = relationship()


class Approval(Base):
    """A leader's yes to one version, bound to the SHA-256 of exactly what will be sent.

    Two people took part: whoever approves did not write these words; or, where the leader wrote
    them, somebody else checked exactly these words and laid them before the leader. With a release
    it is no leader's: a second person's, in an emergency, and a third wrote the words.
    """

    __tablename__ = "approvals"
    __table_args__ = (
        ForeignKeyConstraint(
            ["version_id", "sha256", "drafted_by"],
            ["message_versions.id", "message_versions.sha256", "message_versions.drafted_by"],
        ),
        ForeignKeyConstraint(
            ["version_id", "checked_by"], ["submissions.version_id", "submissions.by"]
        ),
        ForeignKeyConstraint(
            ["release_id", "version_id", "sha256", "approved_by"],
            ["releases.id", "releases.version_id", "releases.sha256", "releases.released_by"],
        ),
        CheckConstraint(
            "approved_by <> drafted_by OR (checked_by IS NOT NULL AND checked_by <> approved_by)",
            name="two_people",
        ),
        UniqueConstraint("version_id"),
        UniqueConstraint("id", "sha256"),  # what a delivery must match
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int]
    sha256: Mapped[str] = mapped_column(Text)
    drafted_by: Mapped[int]
    checked_by: Mapped[int | None]  # who submitted it
    approved_by: Mapped[int]
    approved_at: Mapped[datetime]
    release_id: Mapped[int | None]
    passkey: Mapped[str | None] = mapped_column(Text)  # id of the one it was confirmed with
    withdrawn_by: Mapped[int | None]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_why: Mapped[str | None] = mapped_column(Text)
    version: Mapped[MessageVersion] = relationship(back_populates="approval")
    release: Mapped["Release | None"] = relationship(
        primaryjoin="foreign(Approval.release_id) == Release.id",
        viewonly=True,
        back_populates="approval",
    )
    # Those to accounts. Of a list there are thousands: what became of them is counted below.
    deliveries: Mapped[list["Delivery"]] = relationship(
        back_populates="approval",
        order_by="Delivery.id",
        primaryjoin="and_(Approval.id == foreign(Delivery.approval_id), "
        "Approval.sha256 == foreign(Delivery.sha256), Delivery.recipient_id.is_(None))",
    )
    if TYPE_CHECKING:  # added in campaigns.models.sending, where deliveries are
        listed_states: Mapped[list[str]]
        listed_out_at: Mapped[datetime | None]


class Decline(Base):
    """A leader's no to one version, with the reason the drafter needs.

    ``kind``: "declined" is a no to the message, "change asked" a no to these words only.
    """

    __tablename__ = "declines"
    __table_args__ = (
        UniqueConstraint("version_id"),
        CheckConstraint("kind IN ('declined', 'change asked')", name="kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("message_versions.id"))
    kind: Mapped[str] = mapped_column(Text, default="declined")
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    version: Mapped[MessageVersion] = relationship(back_populates="decline")


class ApprovalLink(Base):
    """A link by which one leader decides on one version, once, without signing in.

    Only a hash of its token is kept. What it was used for is what became of the version by it.
    """

    __tablename__ = "approval_links"
    __table_args__ = (
        CheckConstraint("(used_at IS NULL) = (used_for IS NULL)", name="used"),
        CheckConstraint(
            "used_for IN ('approved', 'declined', 'change asked', 'edited')", name="used_for"
        ),
        Index(None, "version_id"),
    )

    token_sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("message_versions.id"))
    leader_id: Mapped[int]
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    used_for: Mapped[str | None] = mapped_column(Text)
    version: Mapped[MessageVersion] = relationship()
