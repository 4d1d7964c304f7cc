"""Tables of samples: posts that raised nothing, and what people said of them."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from monitor.coding.codebook import LEVEL_NAMES as LEVEL_NAMES
from sources.db import Base


class Sample(Base):
    """A post drawn at random among those of one day that raised nothing, for people to look at.

    What they find tells how much is missed. Nothing of the post is kept: ``post_id`` goes with it.
    """

    __tablename__ = "samples"
    __table_args__ = (UniqueConstraint("day", "post_id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    post_id: Mapped[int | None] = mapped_column(
        ForeignKey("posts.id", ondelete="SET NULL"), index=True
    )
    day: Mapped[date] = mapped_column(Date)  # in which it was read
    machine_level: Mapped[int]  # M0 to M2, as it stood when drawn: its stratum
    stood_for: Mapped[float]  # so many unflagged posts of that day and stratum, itself included
    # Two people code it by the whole codebook, neither knowing of the other: how far they agree.
    twice: Mapped[bool]
    answers: Mapped[list["SampleAnswer"]] = relationship(
        back_populates="sample", order_by="SampleAnswer.id"
    )


class SampleAnswer(Base):
    """What one person found in a sample; each is asked once."""

    __tablename__ = "sample_answers"
    __table_args__ = (
        UniqueConstraint("sample_id", "by"),
        CheckConstraint("level BETWEEN 0 AND 4", name="level"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("samples.id"))
    level: Mapped[int | None]  # M0 to M4; empty: they could not tell
    # codebook.MessageFields and the edition; empty where only the level was asked.
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    by: Mapped[int]
    at: Mapped[datetime]
    sample: Mapped[Sample] = relationship(back_populates="answers")
