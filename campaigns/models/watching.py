"""What a watchdog found, kept so that people are told of it once, and again if it lasts."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from campaigns.models.drafting import MessageVersion
from campaigns.models.sending import Delivery
from sources.db import Base

WATCHDOGS = {  # and what a page says for what each of them found
    "silent": "no worker",
    "unconfirmed": "not known if out",
    "stuck": "stuck",
    "stopped": "stopped",
    "overdue": "overdue",
    "missed": "missed",
    "rejected": "rejected",
    "undecided": "not approved yet",
    "unreviewed": "not reviewed",
    "consent": "consent ends",
    "plan": "plan expires",
    "password": "password ends",
    "quiet": "quiet hours",
    "server": "too much there",
    "locked out": "not let in",
    "failed take-down": "not taken down",
    "removed": "removed there",
    "take-down asked": "to take down",
    "to review": "to review",
}


class Bark(Base):
    """One thing that needs a person, from when it was found until it was so no longer.

    ``kind`` is a key of WATCHDOGS. It speaks of a delivery, of a version (one that waits for its
    leader, or goes to a whole list), or (``silent``) of the worker. One that lasts is followed by
    another.
    """

    __tablename__ = "barks"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(delivery_id, version_id) = CASE kind WHEN 'silent' THEN 0 ELSE 1 END",
            name="about",
        ),
        CheckConstraint("ended_at >= found_at", name="ended"),
        Index(
            "ix_barks_standing",
            "kind",
            "delivery_id",
            "version_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
        Index(None, "found_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id"))
    version_id: Mapped[int | None] = mapped_column(ForeignKey("message_versions.id"))
    why: Mapped[str] = mapped_column(Text)  # as it was said when it was found
    found_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    delivery: Mapped[Delivery | None] = relationship()
    version: Mapped[MessageVersion | None] = relationship()

    @property
    def word(self) -> str:
        """What was found, as a page says it."""
        return WATCHDOGS[self.kind]
