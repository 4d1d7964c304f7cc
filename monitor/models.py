"""Tables of what it means. ``by`` columns hold a desk person id: keys point left only."""

from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from monitor.codebook import LEVEL_NAMES as LEVEL_NAMES
from monitor.vectors import Embedding
from sources.db import Base
from sources.models import Post

DANGEROUS_LEVEL = 2  # one clear hallmark or more (the coding scheme): what counters call dangerous


class Narrative(Base):
    """A cluster of posts with one storyline."""

    __tablename__ = "narratives"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    centroid: Mapped[NDArray[np.float32]] = mapped_column(Embedding)
    embedder: Mapped[str] = mapped_column(Text)  # vectors of different models never meet
    size: Mapped[int]  # posts counted for it; later deletions do not lower it
    first_post_at: Mapped[datetime]
    last_post_at: Mapped[datetime]
    created_at: Mapped[datetime]
    # When a considered look first found it, or a flag or a person took it up. Before that it may
    # dissolve, and no list shows it; after that its id is never lost.
    settled_at: Mapped[datetime | None]
    # The narrative that has its posts now: always one that stands, never one merged itself.
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("narratives.id"), index=True)
    named_by: Mapped[int | None]  # the person whose words the title is; None: the machine's
    dismissed_at: Mapped[datetime | None]  # put away by a person; it goes on gathering its posts


class Reading(Base):
    """What the machine read in one post: vector, message level, reasons, narrative.

    ``reasons`` is a list of {"code", "text", "start", "end"}: character offsets into Post.text.
    """

    __tablename__ = "readings"
    __table_args__ = (
        Index(None, "narrative_id", "post_id"),
        Index(None, "narrative_id", "hour"),
        Index(None, "copy_of"),
        Index(None, "scorer"),
    )

    post_id: Mapped[int] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True
    )
    embedding: Mapped[NDArray[np.float32]] = mapped_column(Embedding)
    embedder: Mapped[str] = mapped_column(Text)
    # As found in the text or declared, "und" where neither says. One that the model cannot read
    # has a vector of zeros: near to nothing, in no narrative.
    lang: Mapped[str] = mapped_column(Text, default="und")
    level: Mapped[int]  # M0 to M4
    threat_level: Mapped[str] = mapped_column(Text)  # none, low, medium, high
    stance: Mapped[str] = mapped_column(Text)
    reasons: Mapped[list[Any]]
    # The codebook's fields (codebook.MessageFields) and the edition they are coded by.
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    # How sure the trained parts are of each answer, 0 to 1; empty where only cues have read.
    confidence: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    # Name and version, that it reads no such language, or that a person coded it.
    scorer: Mapped[str] = mapped_column(Text)
    coding_id: Mapped[int | None] = mapped_column(ForeignKey("codings.id"), index=True)
    narrative_id: Mapped[int | None] = mapped_column(ForeignKey("narratives.id"))
    # The first known post of its group of copies, its own where it has none. A number, not a key:
    # the group outlives that post.
    copy_of: Mapped[int] = mapped_column(
        BigInteger, default=lambda insert: insert.get_current_parameters()["post_id"]
    )
    hour: Mapped[datetime]  # the full hour in which the post was made: where it is counted
    read_at: Mapped[datetime]
    post: Mapped[Post] = relationship()
    narrative: Mapped[Narrative | None] = relationship()
    coding: Mapped["Coding | None"] = relationship()


class Coding(Base):
    """A person's word on what a post says, in place of the machine's, which is kept beside it.

    It holds nothing of the post and no key to it: readings point here, and go with their posts.
    """

    __tablename__ = "codings"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    fields: Mapped[dict[str, Any]]  # codebook.MessageFields and the edition
    level: Mapped[int]
    threat_level: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    # What the machine had read: fields, level, threat_level, stance, reasons' codes, confidence.
    proposed: Mapped[dict[str, Any]]
    proposed_by: Mapped[str] = mapped_column(Text)  # name and version of the scorer
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("codings.id"))
    undone_by: Mapped[int | None]
    undone_at: Mapped[datetime | None]


class Case(Base):
    """A message in a monitor's own words, coded: what readers are trained on and tried on here.

    The sources' policies forbid training on their posts, so no case holds or names one.
    """

    __tablename__ = "cases"
    __table_args__ = (
        Index(None, "text", unique=True, postgresql_where=text("withdrawn_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    fields: Mapped[dict[str, Any]]
    level: Mapped[int]
    held_back: Mapped[bool]  # readers are measured by it; it trains none
    by: Mapped[int]
    at: Mapped[datetime]  # the day alone: the moment would lead back to a coding, and its post
    withdrawn_by: Mapped[int | None]
    withdrawn_at: Mapped[datetime | None]


class TrainedReader(Base):
    """A careful reader trained for this desk: a candidate until a Promotion names it.

    ``measured``: {set: {"texts": n, "was": figures, "is": figures}}, the reader in force at its
    making beside it on the same texts. ``refusals``: what the bias report says against it.
    """

    __tablename__ = "trained_readers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    made_at: Mapped[datetime]
    card: Mapped[dict[str, Any]]
    weights: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    against: Mapped[str] = mapped_column(Text)  # the scorer it was measured beside
    measured: Mapped[dict[str, Any]]
    refusals: Mapped[list[Any]]


class Promotion(Base):
    """A person puts a reader in force; the newest holds. None: the reader that ships."""

    __tablename__ = "promotions"

    id: Mapped[int] = mapped_column(primary_key=True)
    reader_id: Mapped[int | None] = mapped_column(ForeignKey("trained_readers.id"))
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    reader: Mapped[TrainedReader | None] = relationship()


class CopyBand(Base):
    """A part of the fingerprint of one post's text, by which copies of it are found."""

    __tablename__ = "copy_bands"
    __table_args__ = (Index(None, "post_id"),)

    band: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    post_id: Mapped[int] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    group_id: Mapped[int] = mapped_column(BigInteger)  # Reading.copy_of of the post
    read_at: Mapped[datetime]


class Departure(Base):
    """A narrative that lost posts and is to be mended: its title and its mean vector."""

    __tablename__ = "departures"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    narrative_id: Mapped[int] = mapped_column(ForeignKey("narratives.id"))


class Turn(Base):
    """Who wrote narratives last (one row): what others hold in memory is out of date."""

    __tablename__ = "turns"

    id: Mapped[int] = mapped_column(primary_key=True)
    stamp: Mapped[UUID]


class Revision(Base):
    """A change of narratives that is proposed, done, refused or undone, and by whom.

    ``merge``: ``narrative`` goes into ``other``. ``split``: the posts leave ``narrative`` for
    ``other``, which is theirs. ``move``: the posts do not belong to ``narrative`` but to ``other``,
    or to none. ``rename``: to ``text``. ``dismiss``: ``text`` says why. A merge refused or undone
    means that the two are two.
    """

    __tablename__ = "revisions"
    __table_args__ = (
        CheckConstraint("kind IN ('merge', 'split', 'move', 'rename', 'dismiss')", name="kind"),
        CheckConstraint("state IN ('proposed', 'done', 'refused', 'undone')", name="state"),
        Index(None, "narrative_id"),
        Index(None, "other_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    narrative_id: Mapped[int] = mapped_column(ForeignKey("narratives.id"))
    other_id: Mapped[int | None] = mapped_column(ForeignKey("narratives.id"))
    text: Mapped[str] = mapped_column(Text, default="")
    made_by: Mapped[int | None]  # None: the machine
    made_at: Mapped[datetime]
    settled_by: Mapped[int | None]  # who accepted, refused or undid it
    settled_at: Mapped[datetime | None]
    narrative: Mapped[Narrative] = relationship(foreign_keys=[narrative_id])
    other: Mapped[Narrative | None] = relationship(foreign_keys=[other_id])
    posts: Mapped[list["RevisionPost"]] = relationship(cascade="all, delete-orphan")


class RevisionPost(Base):
    """A post that a revision moves; it goes with the post."""

    __tablename__ = "revision_posts"
    __table_args__ = (Index(None, "post_id"),)

    revision_id: Mapped[int] = mapped_column(ForeignKey("revisions.id"), primary_key=True)
    post_id: Mapped[int] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True
    )


class HourlyCount(Base):
    """Posts of one narrative in one hour, as first counted: later deletions do not lower it."""

    __tablename__ = "hourly_counts"

    narrative_id: Mapped[int] = mapped_column(ForeignKey("narratives.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    posts: Mapped[int]
    authors: Mapped[int]
    dangerous_posts: Mapped[int]  # at DANGEROUS_LEVEL or above
    dangerous_authors: Mapped[int]


class Flag(Base):
    """The machine's proposal that a narrative needs a person. Only a FlagDecision settles it."""

    __tablename__ = "flags"
    __table_args__ = (UniqueConstraint("narrative_id", "hour"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    narrative_id: Mapped[int] = mapped_column(ForeignKey("narratives.id"))
    hour: Mapped[datetime]  # the hour that rose
    observed: Mapped[int]  # distinct authors of dangerous posts in that hour
    expected: Mapped[float]  # what the baseline explains
    p_value: Mapped[float]
    reasons: Mapped[list[Any]]  # [{"text": plain sentence, "post_id": int | null}]
    detector: Mapped[str] = mapped_column(Text)  # name and version
    raised_at: Mapped[datetime]
    narrative: Mapped[Narrative] = relationship()
    decision: Mapped["FlagDecision | None"] = relationship(back_populates="flag")


class FlagDecision(Base):
    """A monitor's answer to a flag. One flag is decided once: the second person gets a conflict."""

    __tablename__ = "flag_decisions"
    __table_args__ = (
        CheckConstraint("decision IN ('confirmed', 'dismissed')", name="decision"),
        UniqueConstraint("flag_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    flag_id: Mapped[int] = mapped_column(ForeignKey("flags.id"))
    decision: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    flag: Mapped[Flag] = relationship(back_populates="decision")


class LexiconVersion(Base):
    """What one entry of the lexicon said from one moment on. Never changed: an edit is a new one.

    The newest version of an ``entry_id`` is the entry. It counts while it is active and its
    review has not expired.
    """

    __tablename__ = "lexicon_versions"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'retired')", name="state"),
        UniqueConstraint("entry_id", "number"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[int]
    number: Mapped[int]  # 1, 2, 3 … within its entry
    term: Mapped[str] = mapped_column(Text)
    variants: Mapped[list[Any]]  # other ways to write it
    language: Mapped[str] = mapped_column(Text)  # ISO 639
    locale: Mapped[str] = mapped_column(Text)  # ISO 3166: where it means that
    meaning: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(Text)
    benign_uses: Mapped[str] = mapped_column(Text)
    alternatives: Mapped[str] = mapped_column(Text)  # how to say it without the term
    kind: Mapped[str] = mapped_column(Text)  # one of monitor.lexicon.KINDS
    sources: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)  # of this change
    by: Mapped[int | None]  # empty for the edition that comes with the house
    at: Mapped[datetime]
    reviewed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
