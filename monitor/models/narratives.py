"""Tables of narratives, their corrections, and whose turn it is to write them."""

from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from pgvector.sqlalchemy import BIT
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from monitor.coding.codebook import LEVEL_NAMES as LEVEL_NAMES
from monitor.embedding.vectors import SIGNS, Embedding
from sources.db import Base


class Narrative(Base):
    """A cluster of posts with one storyline."""

    __tablename__ = "narratives"
    __table_args__ = (
        Index("ix_narratives_words", text("to_tsvector('english', title)"), postgresql_using="gin"),
        Index(  # all that is read to find near ones: a narrative's row is thirty times as wide
            "ix_narratives_near",
            *("embedder", "id"),
            postgresql_include=["signs"],
            postgresql_where=text("settled_at IS NOT NULL AND merged_into IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    centroid: Mapped[NDArray[np.float32]] = mapped_column(Embedding)
    signs: Mapped[str] = mapped_column(  # of the centroid: see monitor.embedding.vectors
        BIT(SIGNS), Computed(f"binary_quantize(centroid)::bit({SIGNS})"), deferred=True
    )
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
