"""Tables of alerts: to whom, what was said, verified, answered, and what came of it."""

from datetime import datetime
from typing import Any

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

from monitor.coding.codebook import LEVEL_NAMES as LEVEL_NAMES
from monitor.models.flags import Flag
from monitor.models.narratives import Narrative
from sources.db import Base


class AlertList(Base):
    """Who is told of alerts: a live list of real people, or one for exercises alone."""

    __tablename__ = "alert_lists"
    __table_args__ = (UniqueConstraint("id", "exercise"),)  # what an alert must match

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    exercise: Mapped[bool]  # for good: a list never changes sides
    made_by: Mapped[int]
    made_at: Mapped[datetime]
    members: Mapped[list["AlertListMember"]] = relationship(
        back_populates="alert_list", order_by="AlertListMember.tier, AlertListMember.id"
    )


class AlertListMember(Base):
    """A person of the desk on a list. Tier 1 is told first, the next when nobody acknowledges."""

    __tablename__ = "alert_list_members"
    __table_args__ = (
        CheckConstraint("tier BETWEEN 1 AND 5", name="tier"),
        Index(
            None,
            *("list_id", "person_id"),
            unique=True,
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey("alert_lists.id"))
    person_id: Mapped[int]
    tier: Mapped[int]
    added_by: Mapped[int]
    added_at: Mapped[datetime]
    removed_by: Mapped[int | None]
    removed_at: Mapped[datetime | None]
    alert_list: Mapped[AlertList] = relationship(back_populates="members")


class Alert(Base):
    """A warning to people who can act, from its sending to its closing. What it says is messages.

    That an exercise reaches no live list stands in the schema: list and side must match.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["list_id", "exercise"], ["alert_lists.id", "alert_lists.exercise"], name="side"
        ),
        CheckConstraint("danger_level BETWEEN 0 AND 4", name="danger_level"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    list_id: Mapped[int]
    exercise: Mapped[bool]
    flag_id: Mapped[int | None] = mapped_column(ForeignKey("flags.id"), index=True)
    narrative_id: Mapped[int | None] = mapped_column(ForeignKey("narratives.id"), index=True)
    place: Mapped[str] = mapped_column(Text)  # county or state FIPS; "": not known
    danger_level: Mapped[int]  # as the rules gave it when it was sent; what its clock runs by
    danger_high: Mapped[int]  # the upper end while the situation is not known in full
    life_safety: Mapped[bool]
    made_by: Mapped[int]
    made_at: Mapped[datetime]
    alert_list: Mapped[AlertList] = relationship()
    flag: Mapped[Flag | None] = relationship()
    narrative: Mapped[Narrative | None] = relationship()
    messages: Mapped[list["AlertMessage"]] = relationship(
        back_populates="alert", order_by="AlertMessage.id"
    )
    recipients: Mapped[list["AlertRecipient"]] = relationship(
        back_populates="alert", order_by="AlertRecipient.id"
    )
    verifications: Mapped[list["Verification"]] = relationship(
        back_populates="alert", order_by="Verification.id"
    )
    stamps: Mapped[list["AlertStamp"]] = relationship(
        back_populates="alert", order_by="AlertStamp.stage"
    )
    outcome: Mapped["AlertOutcome | None"] = relationship(back_populates="alert")


class AlertMessage(Base):
    """What went out, in the terms of the Common Alerting Protocol 1.2. Never changed."""

    __tablename__ = "alert_messages"
    __table_args__ = (CheckConstraint("kind IN ('Alert', 'Update', 'Cancel')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), index=True)
    identifier: Mapped[str] = mapped_column(Text, unique=True)
    kind: Mapped[str] = mapped_column(Text)  # msgType
    scope: Mapped[str] = mapped_column(Text)
    urgency: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(Text)
    certainty: Mapped[str] = mapped_column(Text)
    # The card: headline, what, where, when, how_sure, who, asked, not_to_do.
    card: Mapped[dict[str, Any]]
    sent_by: Mapped[int]
    sent_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    alert: Mapped[Alert] = relationship(back_populates="messages")


class AlertRecipient(Base):
    """Somebody who is told, and when they said that they have it."""

    __tablename__ = "alert_recipients"
    __table_args__ = (UniqueConstraint("alert_id", "person_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"))
    person_id: Mapped[int]
    tier: Mapped[int]
    added_at: Mapped[datetime]  # at once, or by escalation
    acknowledged_at: Mapped[datetime | None]
    alert: Mapped[Alert] = relationship(back_populates="recipients")


class Verification(Base):
    """How sure we are, on the ladder V0 to V4 or beside it, and by whose word; with its history."""

    __tablename__ = "verifications"
    __table_args__ = (
        CheckConstraint(
            "level IN ('V0', 'V1', 'V2', 'V3', 'V4', 'refuted', 'outdated', 'unverifiable')",
            name="level",
        ),
        CheckConstraint("reliability IN ('A', 'B', 'C', 'D', 'E', 'F')", name="reliability"),
        CheckConstraint("credibility BETWEEN 1 AND 6", name="credibility"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), index=True)
    level: Mapped[str] = mapped_column(Text)
    reliability: Mapped[str] = mapped_column(Text)  # of the source, A to F (Admiralty)
    credibility: Mapped[int]  # of the information, 1 to 6
    why: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    alert: Mapped[Alert] = relationship(back_populates="verifications")


class AlertStamp(Base):
    """When an alert came to a stage of its clock, T0 to T10. The first time counts."""

    __tablename__ = "alert_stamps"
    __table_args__ = (CheckConstraint("stage BETWEEN 0 AND 10", name="stage"),)

    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), primary_key=True)
    stage: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    by: Mapped[int | None]
    note: Mapped[str] = mapped_column(Text, default="")
    alert: Mapped[Alert] = relationship(back_populates="stamps")


class AlertOutcome(Base):
    """How an alert ended. It is closed once."""

    __tablename__ = "alert_outcomes"
    __table_args__ = (UniqueConstraint("alert_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"))
    code: Mapped[str] = mapped_column(Text)  # one of monitor.alerts.alerts.OUTCOMES
    note: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    alert: Mapped[Alert] = relationship(back_populates="outcome")
