"""What comes back of what was sent to a contact: gateways' receipts, bounces, dead addresses."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from campaigns.models.contacts import ContactAddress
from campaigns.models.sending import Delivery
from sources.db import Base

REPORTS = {  # what a gateway or mail server may say afterwards, and what a page says for it
    "sent": "on its way",  # the network took it
    "delayed": "delayed",  # they are still trying
    "failed": "did not arrive",
    "delivered": "arrived",
}
REPORTERS = ("twilio", "kannel", "mail")


class DeliveryReport(Base):
    """One thing that was said of one delivery after it had left the house.

    Reports come in any order and more than once: each is kept once, none replaces another, and
    what became of the delivery is read off all of them (``receipts.fate``).
    """

    __tablename__ = "delivery_reports"
    __table_args__ = (
        CheckConstraint(f"source IN {REPORTERS}", name="source"),
        CheckConstraint(f"kind IN {tuple(REPORTS)}", name="kind"),
        UniqueConstraint("delivery_id", "source", "kind", "code"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"))
    source: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(Text)  # 30005, 5.1.1; "": none was given
    detail: Mapped[str] = mapped_column(Text)  # why, as a sentence; "": nothing is to be said
    at: Mapped[datetime]  # when we heard of it
    delivery: Mapped[Delivery] = relationship()

    @property
    def word(self) -> str:
        """What was said, as a page says it."""
        return REPORTS[self.kind]


class AddressFault(Base):
    """Nothing arrives at an address, from when we were told until somebody has put it right.

    While one stands, the address is left out of every list.
    """

    __tablename__ = "address_faults"
    __table_args__ = (
        CheckConstraint("num_nonnulls(ended_at, ended_by, ended_why) IN (0, 3)", name="ended"),
        Index(
            "uq_address_faults_standing",
            "address_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(None, "address_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    address_id: Mapped[int] = mapped_column(ForeignKey("contact_addresses.id"))
    why: Mapped[str] = mapped_column(Text)
    found_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[int | None]
    ended_why: Mapped[str | None] = mapped_column(Text)
    address: Mapped[ContactAddress] = relationship()
