"""Tables of what was read in each post, by the machine and by people, and of trained readers."""

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import BIT
from sqlalchemy.orm import Mapped, mapped_column, relationship

from monitor.coding.codebook import LEVEL_NAMES as LEVEL_NAMES
from monitor.embedding.vectors import SIGNS, Embedding
from monitor.models.narratives import Narrative
from sources.db import Base
from sources.models import Post

DANGEROUS_LEVEL = 2  # one clear hallmark or more (the coding scheme): what counters call dangerous


class Reading(Base):
    """What the machine read in one post: vector, message level, reasons, narrative.

    ``reasons`` is a list of {"code", "text", "start", "end"}: character offsets into Post.text.
    """

    __tablename__ = "readings"
    __table_args__ = (
        Index(None, "narrative_id", "post_id"),
        Index(None, "narrative_id", "hour"),
        Index(  # what is gravest in a narrative (situations, texts)
            "ix_readings_gravest",
            *("narrative_id", "level", "hour", "post_id"),
            postgresql_where=text("level > 0"),
        ),
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


class Meaning(Base):
    """A post that is found by meaning (monitor.search), by the signs of its vector, a bit each.

    Apart from its reading: each move to another narrative writes that anew, and an index there
    would take it in again, which made moving fifteen times as slow. Of thousands that are alike
    each would lead to the others and none of them further: a few stand for all
    (monitor.narratives.copies).
    """

    __tablename__ = "meanings"
    __table_args__ = (
        Index(
            "ix_meanings_signs",
            "signs",
            postgresql_using="hnsw",
            postgresql_ops={"signs": "bit_hamming_ops"},
            # Half the work of pgvector's own m = 16; of the 20 nearest it finds 0.926, not 0.934.
            postgresql_with={"m": 8, "ef_construction": 64},
        ),
    )

    post_id: Mapped[int] = mapped_column(
        ForeignKey("readings.post_id", ondelete="CASCADE"), primary_key=True
    )
    # Both as in the reading, which a search need not ask for each post it goes past.
    copy_of: Mapped[int] = mapped_column(BigInteger)
    embedder: Mapped[str] = mapped_column(Text)
    signs: Mapped[str] = mapped_column(BIT(SIGNS))  # see monitor.embedding.vectors


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
