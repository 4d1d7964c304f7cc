"""Tables of counts by the hour: of narratives, watches and counties."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from monitor.coding.codebook import LEVEL_NAMES as LEVEL_NAMES
from sources.db import Base


class HourlyCount(Base):
    """Posts of one narrative in one hour, as first counted: later deletions do not lower it."""

    __tablename__ = "hourly_counts"

    narrative_id: Mapped[int] = mapped_column(ForeignKey("narratives.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    posts: Mapped[int]
    authors: Mapped[int]
    dangerous_posts: Mapped[int]  # at DANGEROUS_LEVEL or above
    dangerous_authors: Mapped[int]
    alarming_authors: Mapped[int] = mapped_column(default=0, server_default="0")  # at M3 or above


class PostCounty(Base):
    """A county that a post names, by itself or by a city in it. Nobody is located by it."""

    __tablename__ = "post_counties"
    __table_args__ = (Index(None, "fips", "post_id"),)

    post_id: Mapped[int] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True
    )
    fips: Mapped[str] = mapped_column(Text, primary_key=True)


class AreaCount(Base):
    """Voices of one watch or one county in one hour, over all narratives: never lowered."""

    __tablename__ = "area_counts"
    __table_args__ = (CheckConstraint("kind IN ('watch', 'place')", name="kind"),)

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)  # the watch's id, the county's FIPS
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    authors: Mapped[int]
    dangerous_authors: Mapped[int]
    alarming_authors: Mapped[int]


class Endangered(Base):
    """An hour of a narrative that gained a dangerous voice: to be looked at for a rise."""

    __tablename__ = "endangered"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    narrative_id: Mapped[int | None] = mapped_column(ForeignKey("narratives.id"))
    hour: Mapped[datetime]
