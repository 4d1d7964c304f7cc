"""A campaign, its plans, and why one holds."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from monitor.models import FlagDecision, Narrative
from sources.db import Base

if TYPE_CHECKING:
    from campaigns.models.drafting import Message


class Campaign(Base):
    """Our answer to one narrative: for whom, to what end, by which strategy.

    Whatever is said stands on a person's confirmation; only holding needs none.
    """

    __tablename__ = "campaigns"
    __table_args__ = (
        CheckConstraint("strategy = 'hold' OR confirmation_id IS NOT NULL", name="stands_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    narrative_id: Mapped[int] = mapped_column(ForeignKey("narratives.id"))
    confirmation_id: Mapped[int | None] = mapped_column(ForeignKey("flag_decisions.id"))
    audience: Mapped[str] = mapped_column(Text)
    goal: Mapped[str] = mapped_column(Text)
    strategy: Mapped[str] = mapped_column(Text)  # a key of campaigns.STRATEGIES
    opened_by: Mapped[int]
    opened_at: Mapped[datetime]
    narrative: Mapped[Narrative] = relationship()
    confirmation: Mapped[FlagDecision | None] = relationship()
    hold: Mapped["Hold | None"] = relationship(back_populates="campaign")
    messages: Mapped[list["Message"]] = relationship(
        back_populates="campaign", order_by="Message.id"
    )
    plans: Mapped[list["Plan"]] = relationship(back_populates="campaign", order_by="Plan.number")


class Plan(Base):
    """What a campaign intends, from one moment on. Never changed: an edit is the next one.

    Anything may be left open, "" or empty: the checks say what is missing. The campaign's own
    audience, goal and strategy are those of its newest plan.
    """

    __tablename__ = "plans"
    __table_args__ = (
        UniqueConstraint("campaign_id", "number"),
        CheckConstraint("readers >= 0 AND targeted_readers >= 0", name="readers"),
        CheckConstraint("measured_days > 0", name="measured_days"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    number: Mapped[int]
    audience: Mapped[str] = mapped_column(Text)
    goal: Mapped[str] = mapped_column(Text)
    strategy: Mapped[str] = mapped_column(Text)  # a key of campaigns.STRATEGIES
    outcome: Mapped[str] = mapped_column(Text)  # a key of plans.OUTCOMES
    exposure: Mapped[str] = mapped_column(Text)  # a key of plans.EXPOSURES
    exposure_how: Mapped[str] = mapped_column(Text)  # how we know, or what silence would do
    consulted: Mapped[list[Any]]  # of the targeted community: [{"who", "when"}, ...]
    credibility: Mapped[dict[str, Any]]  # voice id, as a string: why this audience listens to it
    claims: Mapped[list[Any]]  # facts the words rest on: [{"text", "source", "level"}, ...]
    no_claims: Mapped[bool]  # a person says that the words state no facts
    alongside: Mapped[str] = mapped_column(Text)  # leaders who speak too, in their own ways
    issue: Mapped[str] = mapped_column(Text)  # "local" or "wide"
    area_wide: Mapped[str] = mapped_column(Text)  # "yes", "no": does it reach a whole area
    may_alarm: Mapped[str] = mapped_column(Text)  # "yes", "no": people who had not heard of it
    sponsor: Mapped[str] = mapped_column(Text)  # in whose behalf the voice speaks, if anybody's
    ai_helped: Mapped[str] = mapped_column(Text)  # "yes", "no"
    known: Mapped[list[Any]]  # handles, addresses and numbers of institutions, which may be named
    readers: Mapped[int | None]  # from the audience, who read it before anybody else
    targeted_readers: Mapped[int | None]  # from the targeted community
    backlash: Mapped[str] = mapped_column(Text)  # what they thought could go wrong
    expires_at: Mapped[datetime | None]  # nothing goes out afterwards
    owner: Mapped[int | None]  # who sees to the replies
    withdrawal: Mapped[str] = mapped_column(Text)  # what is done if it makes things worse
    measured: Mapped[str] = mapped_column(Text)  # by what the outcome is measured
    measured_days: Mapped[int | None]
    control: Mapped[str] = mapped_column(Text)  # what it is held against
    by: Mapped[int]
    at: Mapped[datetime]
    campaign: Mapped[Campaign] = relationship(back_populates="plans")


class Hold(Base):
    """Why a campaign says nothing, and when somebody looks again whether that still is right."""

    __tablename__ = "holds"
    __table_args__ = (CheckConstraint("why <> ''", name="why"),)

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    why: Mapped[str] = mapped_column(Text)
    until: Mapped[datetime] = mapped_column(index=True)
    campaign: Mapped[Campaign] = relationship(back_populates="hold")
