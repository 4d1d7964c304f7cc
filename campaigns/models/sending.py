"""Approved parts on their way, and everything that was tried."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    ScalarSelect,
    Text,
    UniqueConstraint,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from campaigns.models.approving import Approval
from campaigns.models.contacts import ContactAddress
from campaigns.models.voices import Account
from sources.db import Base

OPEN = text("ended_at IS NULL")
TO_ONE = text("recipient_id IS NOT NULL")
LISTED = ("approval_id", "account_id", "state", "id")


SETTLED = ("published", "rejected", "missed", "withdrawn")
DELIVERY_STATES = {  # and what a page says for each
    "scheduled": "scheduled",  # waiting for due_at; no call was made
    "claimed": "taken up",  # a worker has it and has not called yet: may still be stopped
    "attempting": "being sent",  # a call may be under way
    "retry_later": "to be tried again",  # certainly not sent
    "unconfirmed": "not known if out",  # a call was made and nobody saw its end
    "published": "published",
    "rejected": "rejected",  # the platform refused it for good
    "missed": "missed",  # overdue beyond its freshness: never published late
    "withdrawn": "withdrawn",  # stopped by a person, a changed draft, or an ended consent
}


class Delivery(Base):
    """One approved part on its way to one account, or through it to one recipient of its list.

    ``record`` and ``record_key`` are fixed before the first attempt, so that a retry sends the
    same bytes to the same place and the platform can recognise it.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        ForeignKeyConstraint(["approval_id", "sha256"], ["approvals.id", "approvals.sha256"]),
        CheckConstraint(f"state IN {tuple(DELIVERY_STATES)}", name="state"),
        CheckConstraint(f"(state IN {SETTLED}) = (settled_at IS NOT NULL)", name="settled"),
        CheckConstraint(
            "state NOT IN ('claimed', 'attempting') OR claimed_at IS NOT NULL", name="claimed"
        ),
        CheckConstraint("state <> 'published' OR receipt_uri IS NOT NULL", name="receipt"),
        UniqueConstraint(
            *("approval_id", "account_id", "recipient_id"), postgresql_nulls_not_distinct=True
        ),
        Index("ix_deliveries_lists", *LISTED, postgresql_where=TO_ONE),
        Index("ix_deliveries_leave", "record_key", postgresql_where=TO_ONE),
        Index("ix_deliveries_open", "due_at", postgresql_where=text("settled_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    approval_id: Mapped[int]
    sha256: Mapped[str] = mapped_column(Text)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    # To whom, where the account speaks to a list: fixed at approval.
    recipient_id: Mapped[int | None] = mapped_column(ForeignKey("contact_addresses.id"), index=True)
    due_at: Mapped[datetime] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(Text)
    record_key: Mapped[str] = mapped_column(Text)
    record: Mapped[dict[str, Any]]
    claims: Mapped[int] = mapped_column(default=0)  # tells one claim from a later one
    claimed_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]  # do nothing until then: a failed attempt, or a hold
    settled_at: Mapped[datetime | None]
    detail: Mapped[str] = mapped_column(Text, default="")  # why it stands where it stands
    receipt_uri: Mapped[str | None] = mapped_column(Text)
    receipt_url: Mapped[str | None] = mapped_column(Text)  # where a person can read it
    approval: Mapped[Approval] = relationship(
        back_populates="deliveries",
        primaryjoin="and_(Approval.id == foreign(Delivery.approval_id), "
        "Approval.sha256 == foreign(Delivery.sha256))",
    )
    account: Mapped[Account] = relationship()
    recipient: Mapped[ContactAddress | None] = relationship()
    attempts: Mapped[list["Attempt"]] = relationship(
        back_populates="delivery", order_by="Attempt.id"
    )
    findings: Mapped[list["Finding"]] = relationship(
        back_populates="delivery", order_by="Finding.id"
    )

    @property
    def word(self) -> str:
        """Where it stands, as a page says it."""
        return DELIVERY_STATES[self.state]

    @property
    def in_doubt(self) -> bool:
        """Whether an attempt may have reached the platform and nobody knows."""
        return any(one.kind == "send" and one.outcome == "unknown" for one in self.attempts)


class Attempt(Base):
    """One call to a platform, committed before it is made."""

    __tablename__ = "attempts"
    __table_args__ = (
        CheckConstraint("kind IN ('send', 'look')", name="kind"),
        CheckConstraint(
            "outcome IN ('published', 'rejected', 'not_sent', 'unknown')", name="outcome"
        ),
        CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended"),
        Index("ix_attempts_open", "delivery_id", unique=True, postgresql_where=OPEN),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"), index=True)
    kind: Mapped[str] = mapped_column(Text, default="send")  # or "look": read, sending nothing
    mark: Mapped[str | None] = mapped_column(Text)  # Publisher.mark: the account just before
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(Text)  # published, rejected, not_sent, unknown
    detail: Mapped[str] = mapped_column(Text, default="")
    delivery: Mapped[Delivery] = relationship(back_populates="attempts")


class Finding(Base):
    """What a person saw on the platform where the machine could not tell. Never changed."""

    __tablename__ = "findings"
    __table_args__ = (
        CheckConstraint("there OR url IS NULL", name="link"),
        CheckConstraint("NOT (there AND again)", name="again"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"), index=True)
    there: Mapped[bool]
    url: Mapped[str | None] = mapped_column(Text)  # None: not there, or in a group without links
    again: Mapped[bool]  # it is not there: may it be sent, as long as it is fresh
    note: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    delivery: Mapped[Delivery] = relationship(back_populates="findings")


def _of_lists(what: ColumnElement[Any]) -> ScalarSelect[Any]:
    """Something counted of an approval's deliveries to single recipients."""
    return (
        select(what)
        .where(Delivery.approval_id == Approval.id, Delivery.recipient_id.is_not(None))
        .correlate(Approval)
        .scalar_subquery()
    )


# The states in which an approval's deliveries to lists are, each once; and the first one out.
Approval.listed_states = column_property(
    _of_lists(func.coalesce(func.array_agg(Delivery.state.distinct()), literal([], ARRAY(Text))))
)
Approval.listed_out_at = column_property(
    _of_lists(func.min(Delivery.settled_at).filter(Delivery.state == "published"))
)
