"""Tables of what was said. ``by`` columns hold a desk person id: keys point left only."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sources.db import Base

STREAMED_KINDS = frozenset({"jetstream", "firehose", "example"})
POLLED_KINDS = frozenset({"feed", "reddit"})


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


class Post(Base):
    """One public post, the same shape whatever the platform. The author is a rotating pseudonym."""

    __tablename__ = "posts"
    __table_args__ = (UniqueConstraint("platform", "uri"), Index(None, "posted_at"))

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    platform: Mapped[str] = mapped_column(Text)  # bluesky, web, reddit, example
    uri: Mapped[str] = mapped_column(Text(collation="C"))  # C: so that a prefix uses the index
    author: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    lang: Mapped[str | None] = mapped_column(Text)  # as the platform declares it
    url: Mapped[str | None] = mapped_column(Text)  # where a person can read the original
    reply_to: Mapped[str | None] = mapped_column(Text)  # uri of the parent, if any
    posted_at: Mapped[datetime]
    collected_at: Mapped[datetime]


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
    uri_sha256: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
