"""Tables of flags, what settles them, and the thresholds that raise them."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from monitor.coding.codebook import LEVEL_NAMES as LEVEL_NAMES
from monitor.models.narratives import Narrative
from sources.db import Base
from sources.models import Post, Watch


class Threshold(Base):
    """The settings of the spike detectors from one moment on, and why; the newest hold."""

    __tablename__ = "thresholds"

    id: Mapped[int] = mapped_column(primary_key=True)
    settings: Mapped[dict[str, Any]]  # detect.Settings
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]


class Flag(Base):
    """That something needs a person's decision. Only a FlagDecision settles it.

    The machine raises ``spike``: a narrative, a watch or a county rises, and ``life_safety``: one
    post alone, whatever its narrative does. A person raises ``report``, on a narrative or on one
    post; its one reason is theirs (reports). ``about``: what was known when it was raised
    or last followed, see ``monitor.rises.spikes.about``; it holds no words of a post.
    """

    __tablename__ = "flags"
    __table_args__ = (
        CheckConstraint("kind IN ('spike', 'life_safety', 'report')", name="kind"),
        CheckConstraint("(kind = 'report') = (raised_by IS NOT NULL)", name="raised_by"),
        CheckConstraint(
            "kind <> 'spike' OR num_nonnulls(narrative_id, watch_id, place) = 1", name="subject"
        ),
        Index(
            "uq_flags_rise",
            *("narrative_id", "watch_id", "place", "level", "hour", "observed"),
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("kind = 'spike'"),
        ),
        # Of copies of one text only the first calls somebody.
        Index(
            "uq_flags_copy_of", "copy_of", unique=True, postgresql_where=text("copy_of IS NOT NULL")
        ),
        Index(None, "narrative_id"),
        Index(None, "raised_by", postgresql_where=text("raised_by IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text, default="spike", server_default="spike")
    narrative_id: Mapped[int | None] = mapped_column(ForeignKey("narratives.id"))
    watch_id: Mapped[int | None] = mapped_column(ForeignKey("watches.id"))
    place: Mapped[str | None] = mapped_column(Text)  # county FIPS
    # Of a life-safety flag or a report on one post: the post while it stands; of the former its
    # group of copies, a number.
    post_id: Mapped[int | None] = mapped_column(
        ForeignKey("posts.id", ondelete="SET NULL"), index=True
    )
    copy_of: Mapped[int | None] = mapped_column(BigInteger)
    level: Mapped[int] = mapped_column(default=2, server_default="2")  # authors at M2+, or at M3+
    hour: Mapped[datetime]  # the hour that rose
    observed: Mapped[int]  # distinct authors of posts at that level in that hour, or that run
    expected: Mapped[float]  # what the baseline explains
    low: Mapped[float | None]  # the interval of rises.INTERVAL around it
    high: Mapped[float | None]
    p_value: Mapped[float]
    adjusted: Mapped[float | None]  # the same among all tests of that hour
    test: Mapped[str] = mapped_column(Text, default="count", server_default="count")
    hours: Mapped[int] = mapped_column(default=1, server_default="1")  # taken together
    reasons: Mapped[list[Any]]  # [{"text": plain sentence, "post_id": int | null}]
    about: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    detector: Mapped[str] = mapped_column(Text)  # name and version
    raised_at: Mapped[datetime]
    raised_by: Mapped[int | None]  # who reported it; empty: the machine
    # When the earliest post that explains it was made and read (T0, T1 of the clock).
    posted_at: Mapped[datetime | None]
    collected_at: Mapped[datetime | None]
    cleared_hour: Mapped[datetime | None]  # the hour in which the rise was over
    narrative: Mapped[Narrative | None] = relationship()
    post: Mapped[Post | None] = relationship()
    watch: Mapped[Watch | None] = relationship()
    decision: Mapped["FlagDecision | None"] = relationship(back_populates="flag")


class FlagDecision(Base):
    """A monitor's answer to a flag. One flag is decided once: the second person gets a conflict."""

    __tablename__ = "flag_decisions"
    __table_args__ = (
        CheckConstraint("decision IN ('confirmed', 'dismissed')", name="decision"),
        UniqueConstraint("flag_id"),
        UniqueConstraint("id", "by"),  # what a second look must match
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    flag_id: Mapped[int] = mapped_column(ForeignKey("flags.id"))
    decision: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    flag: Mapped[Flag] = relationship(back_populates="decision")
    request: Mapped["SecondRequest | None"] = relationship(back_populates="decision")
    looks: Mapped[list["SecondLook"]] = relationship(
        back_populates="decision", order_by="SecondLook.id"
    )


class SecondRequest(Base):
    """A confirmed flag that came to D4 and asks for a second person, since when and why."""

    __tablename__ = "second_requests"
    __table_args__ = (CheckConstraint("because IN ('life_safety', 'danger')", name="because"),)

    decision_id: Mapped[int] = mapped_column(ForeignKey("flag_decisions.id"), primary_key=True)
    because: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    decision: Mapped[FlagDecision] = relationship(back_populates="request")


class SecondLook(Base):
    """Another person's word on a confirmation. That they are two people stands in the schema."""

    __tablename__ = "second_looks"
    __table_args__ = (
        ForeignKeyConstraint(
            ["decision_id", "first_by"], ["flag_decisions.id", "flag_decisions.by"], name="first"
        ),
        CheckConstraint('"by" <> first_by', name="two_people"),
        CheckConstraint("says IN ('agrees', 'disagrees')", name="says"),
        CheckConstraint("reason <> ''", name="reason"),
        UniqueConstraint("decision_id", "by"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    decision_id: Mapped[int] = mapped_column(ForeignKey("second_requests.decision_id"))
    first_by: Mapped[int]  # who confirmed
    says: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    decision: Mapped[FlagDecision] = relationship(back_populates="looks")


class AlertThreshold(Base):
    """The threshold test that an alert at D3 or above stands on, or why it went out without."""

    __tablename__ = "alert_thresholds"
    __table_args__ = (
        CheckConstraint("(assessment_id IS NULL) = (why_none <> '')", name="test_or_reason"),
    )

    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), primary_key=True)
    assessment_id: Mapped[int | None] = mapped_column(ForeignKey("rabat_assessments.id"))
    why_none: Mapped[str] = mapped_column(Text, default="")
