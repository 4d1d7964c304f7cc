"""After publication: what the platform shows, what was taken down, what a message corrects."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from campaigns.models.drafting import Message
from campaigns.models.sending import OPEN, Delivery
from sources.db import Base

RETRACTION_ENDS = ("declined", "carried_out", "failed", "withdrawn")
RETRACTION_STATES = {  # and what a page says for each
    "proposed": "waits for the leader",
    "declined": "stays up",  # the leader said no
    "approved": "to be taken down",  # decided; no call was made, or it certainly failed
    "attempting": "being taken down",  # a call may be under way
    "unconfirmed": "not known if down",  # a call was made and nobody saw its end
    "carried_out": "taken down",
    "failed": "not taken down",  # the platform refused for good: by hand, then
    "withdrawn": "no longer asked for",  # by who had asked, before it was decided
}


class ReadBack(Base):
    """Where the reading of one published delivery stands: when next, and whether it is gone.

    What was read is in its observations.
    """

    __tablename__ = "read_backs"
    __table_args__ = (
        CheckConstraint("removed_at IS NULL OR next_at IS NULL", name="over"),
        Index("ix_read_backs_due", "next_at", postgresql_where=text("next_at IS NOT NULL")),
    )

    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"), primary_key=True)
    next_at: Mapped[datetime | None]  # None: it is not read any more
    looks: Mapped[int] = mapped_column(default=0)  # tells one look from a later one
    unchanged: Mapped[int] = mapped_column(default=0)  # looks in a row that found the same
    missing_since: Mapped[datetime | None]  # first not found then, and not seen since
    removed_at: Mapped[datetime | None]  # taken down there, by whoever may: we noticed it then
    gone_why: Mapped[str] = mapped_column(Text, default="")  # who removed it, where that is told
    delivery: Mapped[Delivery] = relationship()


class Observation(Base):
    """What the platform showed of one delivery at one moment: numbers only, never who.

    A number is None where the platform does not tell it.
    """

    __tablename__ = "observations"
    __table_args__ = (
        CheckConstraint("state IN ('stands', 'not_found', 'unreadable')", name="state"),
        CheckConstraint(
            "least(likes, reposts, quotes, replies) >= 0 AND (state = 'stands' OR "
            "num_nonnulls(likes, reposts, quotes, replies) = 0)",
            name="counts",
        ),
        Index("ix_observations_delivery_id", "delivery_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"))
    at: Mapped[datetime]
    state: Mapped[str] = mapped_column(Text)
    likes: Mapped[int | None]
    reposts: Mapped[int | None]
    quotes: Mapped[int | None]
    replies: Mapped[int | None]
    detail: Mapped[str] = mapped_column(Text, default="")  # why it was not read, or not there
    delivery: Mapped[Delivery] = relationship()


class Acknowledgement(Base):
    """Somebody has seen to it: has read the replies there, or knows that the post was removed."""

    __tablename__ = "acknowledgements"
    __table_args__ = (
        CheckConstraint("kind IN ('replies', 'removal')", name="kind"),
        CheckConstraint("(kind = 'replies') = (replies IS NOT NULL)", name="replies"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    replies: Mapped[int | None]  # how many there were on the page they came from
    by: Mapped[int]
    at: Mapped[datetime]
    delivery: Mapped[Delivery] = relationship()


class Retraction(Base):
    """One published delivery to be taken down again: who asked and why, who decided, how it ended.

    ``decided_how``: "approved" or "declined" by the leader what somebody else proposed, "own wish"
    of the leader, whose name it is, or "emergency": a duty lead at once, and the leader reviews.
    "withdrawn": who had proposed it took that back, while it was undecided.
    """

    __tablename__ = "retractions"
    __table_args__ = (
        CheckConstraint(f"state IN {tuple(RETRACTION_STATES)}", name="state"),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint(
            "decided_how IN ('approved', 'declined', 'own wish', 'emergency', 'withdrawn')",
            name="decided_how",
        ),
        CheckConstraint(
            "num_nonnulls(decided_by, decided_at, decided_how) IN (0, 3)", name="whole"
        ),
        CheckConstraint("(state = 'proposed') = (decided_how IS NULL)", name="decided"),
        CheckConstraint(
            "(state = 'declined') = (decided_how IS NOT DISTINCT FROM 'declined')", name="declined"
        ),
        CheckConstraint(
            "decided_how NOT IN ('approved', 'declined') OR decided_by <> proposed_by",
            name="two_people",
        ),
        CheckConstraint(
            "(state = 'withdrawn') = (decided_how IS NOT DISTINCT FROM 'withdrawn') "
            "AND (state <> 'withdrawn' OR decided_by = proposed_by)",
            name="withdrawn",
        ),
        CheckConstraint("(state = 'carried_out') = (carried_out_at IS NOT NULL)", name="done"),
        CheckConstraint(f"(state IN {RETRACTION_ENDS}) = (settled_at IS NOT NULL)", name="settled"),
        CheckConstraint(
            "num_nonnulls(reviewed_by, reviewed_at, review) IN (0, 3) "
            "AND review IN ('agreed', 'objected') "
            "AND (review IS NULL OR decided_how = 'emergency')",
            name="review",
        ),
        # One at a time; a refused or failed one may be followed by the next.
        Index(
            "ix_retractions_one",
            "delivery_id",
            unique=True,
            postgresql_where=text("state NOT IN ('declined', 'failed', 'withdrawn')"),
        ),
        Index("ix_retractions_delivery_id", "delivery_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"))
    reason: Mapped[str] = mapped_column(Text)
    proposed_by: Mapped[int]
    proposed_at: Mapped[datetime]
    decided_by: Mapped[int | None]
    decided_at: Mapped[datetime | None]
    decided_how: Mapped[str | None] = mapped_column(Text)
    decided_why: Mapped[str] = mapped_column(Text, default="")  # of a no, or of an emergency
    reviewed_by: Mapped[int | None]
    reviewed_at: Mapped[datetime | None]
    review: Mapped[str | None] = mapped_column(Text)
    review_note: Mapped[str] = mapped_column(Text, default="")
    state: Mapped[str] = mapped_column(Text)
    claims: Mapped[int] = mapped_column(default=0)  # tells one claim from a later one
    claimed_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]  # do nothing until then: a failed attempt
    carried_out_at: Mapped[datetime | None]  # it is down since then at the latest
    settled_at: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(Text, default="")  # how it ended, as a sentence
    delivery: Mapped[Delivery] = relationship()
    attempts: Mapped[list["RetractionAttempt"]] = relationship(
        back_populates="retraction", order_by="RetractionAttempt.id"
    )

    @property
    def word(self) -> str:
        """Where it stands, as a page says it."""
        return RETRACTION_STATES[self.state]


class RetractionAttempt(Base):
    """One call to take a post down, committed before it is made."""

    __tablename__ = "retraction_attempts"
    __table_args__ = (
        CheckConstraint("outcome IN ('down', 'refused', 'not_sent', 'unknown')", name="outcome"),
        CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended"),
        Index("ix_retraction_attempts_open", "retraction_id", unique=True, postgresql_where=OPEN),
        Index("ix_retraction_attempts_retraction_id", "retraction_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    retraction_id: Mapped[int] = mapped_column(ForeignKey("retractions.id"))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text, default="")
    retraction: Mapped[Retraction] = relationship(back_populates="attempts")


class Correction(Base):
    """A message that puts an earlier one right. Which, and since when, is never changed."""

    __tablename__ = "corrections"
    __table_args__ = (CheckConstraint("message_id <> corrects_id", name="another"),)

    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    corrects_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), index=True)
    by: Mapped[int]
    at: Mapped[datetime]
    message: Mapped[Message] = relationship(foreign_keys=[message_id])
    corrects: Mapped[Message] = relationship(foreign_keys=[corrects_id])
