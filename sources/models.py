"""Tables of what was said, and of what we want to see.

``by`` columns hold a desk person id: keys point left only.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Computed,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sources.db import Base

STREAMED_KINDS = frozenset({"jetstream", "firehose", "example"})
POLLED_KINDS = frozenset({"feed", "reddit", "bluesky-search"})


class Source(Base):
    """One place we read: a feed, a stream, a subreddit. Pauses and faults are its events."""

    __tablename__ = "sources"
    __table_args__ = (UniqueConstraint("kind", "address"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)  # one of STREAMED_KINDS or POLLED_KINDS
    address: Mapped[str] = mapped_column(Text)  # feed URL, websocket URL, subreddit name
    name: Mapped[str] = mapped_column(Text)
    cursor: Mapped[dict[str, Any] | None]  # what the collector needs to go on; never ahead of data
    next_poll_at: Mapped[datetime | None]  # polled kinds only; empty means at once
    last_batch_at: Mapped[datetime | None]  # when the last batch was saved, even an empty one
    newest_post_at: Mapped[datetime | None]  # posted_at of the newest post read: lag is now - this
    seen: Mapped[int] = mapped_column(BigInteger, default=0)  # posts read, kept or not
    kept: Mapped[int] = mapped_column(BigInteger, default=0)  # posts stored
    created_at: Mapped[datetime]
    events: Mapped[list["SourceEvent"]] = relationship(
        back_populates="source", order_by="SourceEvent.id"
    )


class SourceEvent(Base):
    """A change of a source's state: paused, resumed, failed, recovered."""

    __tablename__ = "source_events"
    __table_args__ = (Index(None, "source_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    kind: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text, default="")  # plain words: why, or what went wrong
    by: Mapped[int | None]  # empty when the machine did it
    at: Mapped[datetime]
    source: Mapped[Source] = relationship(back_populates="events")


class SourceHour(Base):
    """What one source brought in one hour, as first counted: removals do not lower it."""

    __tablename__ = "source_hours"

    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)  # in which the posts were read
    seen: Mapped[int]
    kept: Mapped[int]


class Watch(Base):
    """Something staff want to see. What it asks for is its newest version."""

    __tablename__ = "watches"

    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    versions: Mapped[list["WatchVersion"]] = relationship(
        back_populates="watch", order_by="WatchVersion.id"
    )


class WatchVersion(Base):
    """What a watch asked for from one moment on, or that it was put away (``active``)."""

    __tablename__ = "watch_versions"
    __table_args__ = (Index(None, "watch_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    watch_id: Mapped[int] = mapped_column(ForeignKey("watches.id"))
    name: Mapped[str] = mapped_column(Text)
    rule: Mapped[dict[str, Any]]  # sources.matching.Rule
    active: Mapped[bool]
    by: Mapped[int | None]  # empty when the machine made it at the first start
    at: Mapped[datetime]
    watch: Mapped[Watch] = relationship(back_populates="versions")


class _Content:
    """What we hold of a public post. The author is a rotating pseudonym."""

    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    platform: Mapped[str] = mapped_column(Text)  # bluesky, web, reddit, example
    uri: Mapped[str] = mapped_column(Text(collation="C"))  # C: so that a prefix uses the index
    author: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    card: Mapped[str | None] = mapped_column(Text)  # title and description of a linked page
    lang: Mapped[str | None] = mapped_column(Text)  # as the platform declares it
    url: Mapped[str | None] = mapped_column(Text)  # where a person can read the original
    # The parent and the quoted post, if any, by the keyed hash of their addresses (linked_name):
    # the address itself would outlive a removal of that post.
    reply_to: Mapped[str | None] = mapped_column(Text)
    quote_of: Mapped[str | None] = mapped_column(Text)
    labels: Mapped[list[Any]] = mapped_column(
        default=list
    )  # what the author says of it, like "!no-unauthenticated"
    posted_at: Mapped[datetime]
    collected_at: Mapped[datetime]
    # No watch asked for it: it stays only if it is read as M3 or above.
    alarming: Mapped[bool] = mapped_column(default=False)


class Post(_Content, Base):
    """One public post, the same shape whatever the platform."""

    __tablename__ = "posts"
    __table_args__ = (
        UniqueConstraint("platform", "uri"),
        Index(None, "posted_at"),
        Index(None, "collected_at"),
        Index(None, "platform", "checked_at"),
        Index("ix_posts_md5", text("md5(text)")),  # posts in exactly the same words
        Index("ix_posts_words", "words", postgresql_using="gin"),
        Index("ix_posts_url", "url", postgresql_using="hash"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    # When it was last known to be there still.
    checked_at: Mapped[datetime] = mapped_column(
        default=lambda insert: insert.get_current_parameters()["collected_at"]
    )
    returned: Mapped[bool] = mapped_column(default=False)  # was hidden, and counted before that
    # Its stems, for full text search. Stored, because words that are common are looked for in one
    # post after the other, and to take a text apart is most of the work.
    words: Mapped[str] = mapped_column(
        TSVECTOR, Computed("to_tsvector('english', text)", persisted=True), deferred=True
    )


class PostWatch(Base):
    """A watch that asked for a post."""

    __tablename__ = "post_watches"
    __table_args__ = (Index(None, "watch_id", "post_id"),)

    post_id: Mapped[int] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True
    )
    watch_id: Mapped[int] = mapped_column(ForeignKey("watches.id"), primary_key=True)


class HiddenPost(_Content, Base):
    """A post of an account that is deactivated or suspended: out of sight, until it returns."""

    __tablename__ = "hidden_posts"
    __table_args__ = (UniqueConstraint("platform", "uri"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    watches: Mapped[list[Any]]  # ids of the watches that asked for it
    reason: Mapped[str] = mapped_column(Text)
    hidden_at: Mapped[datetime]
    counted: Mapped[bool] = mapped_column(default=False)  # in a narrative's hour, before it went


class PassingPost(Base):
    """A post that no watch asked for, held for a moment so that a new watch can be tried on it.

    The newest PASSING of all, for PASSING_TIME at most (sources/watches.py), without its author.
    """

    __tablename__ = "passing_posts"
    __table_args__ = (Index(None, "platform", "uri"), {"prefixes": ["UNLOGGED"]})

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    platform: Mapped[str] = mapped_column(Text)
    uri: Mapped[str] = mapped_column(Text(collation="C"))
    text: Mapped[str] = mapped_column(Text)
    card: Mapped[str | None] = mapped_column(Text)
    lang: Mapped[str | None] = mapped_column(Text)
    collected_at: Mapped[datetime] = mapped_column(index=True)


class RejectedItem(Base):
    """A broken item, set aside with its bytes and the reason so that its batch could go on."""

    __tablename__ = "rejected_items"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), index=True)
    reason: Mapped[str] = mapped_column(Text)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime]


class Erasure(Base):
    """Proof that a post was removed: only a hash of its address stays."""

    __tablename__ = "erasures"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    uri_sha256: Mapped[str] = mapped_column(Text, index=True)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int | None]  # empty when a platform, a retention time or an author's deed asked
    at: Mapped[datetime]
