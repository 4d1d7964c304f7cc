"""The kill switch."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from campaigns.models.planning import Campaign
from campaigns.models.sending import Delivery
from campaigns.models.voices import Voice
from sources.db import Base


class Stop(Base):
    """A press of the kill switch: from then on nothing of its scope goes out, until lifted."""

    __tablename__ = "stops"
    __table_args__ = (
        CheckConstraint(
            "scope IN ('organisation', 'campaign', 'voice') "
            "AND (scope = 'campaign') = (campaign_id IS NOT NULL) "
            "AND (scope = 'voice') = (voice_id IS NOT NULL)",
            name="scope",
        ),
        CheckConstraint("num_nonnulls(lifted_by, lifted_at, lifted_why) IN (0, 3)", name="lifted"),
        CheckConstraint("lifted_by <> pressed_by", name="two_people"),
        Index(
            "ix_stops_standing",
            "scope",
            "campaign_id",
            "voice_id",
            unique=True,
            postgresql_where=text("lifted_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(Text)
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"))
    voice_id: Mapped[int | None] = mapped_column(ForeignKey("voices.id"))
    reason: Mapped[str] = mapped_column(Text)
    pressed_by: Mapped[int]
    pressed_at: Mapped[datetime]
    lifted_by: Mapped[int | None]
    lifted_at: Mapped[datetime | None]
    lifted_why: Mapped[str | None] = mapped_column(Text)
    campaign: Mapped[Campaign | None] = relationship()
    voice: Mapped[Voice | None] = relationship()
    under_way: Mapped[list[Delivery]] = relationship(
        secondary="stop_deliveries", order_by="Delivery.id"
    )


class StopDelivery(Base):
    """A delivery whose call was made, or whose end was not known, when the switch was pressed."""

    __tablename__ = "stop_deliveries"

    stop_id: Mapped[int] = mapped_column(ForeignKey("stops.id"), primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"), primary_key=True)
