"""A message in the making: its versions and pictures, what is said about it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from campaigns.models.planning import Campaign
from campaigns.models.voices import Voice
from sources.db import Base

if TYPE_CHECKING:
    from campaigns.models.approving import Approval, Decline, Submission
    from campaigns.models.releases import Release


class Message(Base):
    """One counter-message of one voice; its words are its versions."""

    __tablename__ = "messages"

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"))
    voice_id: Mapped[int] = mapped_column(ForeignKey("voices.id"))
    created_by: Mapped[int]
    created_at: Mapped[datetime]
    campaign: Mapped[Campaign] = relationship(back_populates="messages")
    voice: Mapped[Voice] = relationship()
    versions: Mapped[list["MessageVersion"]] = relationship(
        back_populates="message", order_by="MessageVersion.number"
    )


class MessageVersion(Base):
    """What would be sent, as canonical content and its SHA-256. Never changed, only followed.

    ``content``: {"voice": id, "send_at": ISO 8601 UTC, "send_until": the same,
    "parts": [{"account": id, "platform", "handle", "service", "text"}, ...]}; a part with pictures
    has "images" besides: [{"sha256", "type", "size", "width", "height", "alt"}, ...] in order, with
    "post" where that is not the first of a thread (a text is one by its lines of ---). A part may
    have "lang" (tags, where not English alone) and "card" ({"url", "title", "about", "image"}), and
    the content "translation": {"lang", "text", "to", "into"}, both texts side by side.
    """

    __tablename__ = "message_versions"
    __table_args__ = (
        UniqueConstraint("message_id", "number"),
        UniqueConstraint("id", "sha256", "drafted_by"),  # what an approval must match
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"))
    number: Mapped[int]
    content: Mapped[dict[str, Any]]
    sha256: Mapped[str] = mapped_column(Text)
    drafted_by: Mapped[int]
    drafted_at: Mapped[datetime]
    message: Mapped[Message] = relationship(back_populates="versions")
    submission: Mapped["Submission | None"] = relationship(back_populates="version")
    approval: Mapped["Approval | None"] = relationship(back_populates="version")
    decline: Mapped["Decline | None"] = relationship(back_populates="version")
    releases: Mapped[list["Release"]] = relationship(
        back_populates="version", order_by="Release.id"
    )


class Image(Base):
    """A picture as it will be sent: its bytes never change, and their SHA-256 is its name."""

    __tablename__ = "images"

    sha256: Mapped[str] = mapped_column(Text, primary_key=True)  # hex
    media_type: Mapped[str] = mapped_column(Text)  # image/jpeg or image/png
    size: Mapped[int]  # bytes
    width: Mapped[int]
    height: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    by: Mapped[int]
    at: Mapped[datetime]


class UnsavedWords(Base):
    """What somebody has in the form of a message and has not saved: no version, only kept."""

    __tablename__ = "unsaved_words"

    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    by: Mapped[int] = mapped_column(primary_key=True)
    fields: Mapped[dict[str, Any]]  # of the form, as typed
    base: Mapped[int]  # number of the version it was begun on; 0: there was none
    at: Mapped[datetime]


class MessageComment(Base):
    """What somebody says about a message, to those who write it and to its leader."""

    __tablename__ = "message_comments"
    __table_args__ = (CheckConstraint("text <> ''", name="text"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), index=True)
    version: Mapped[int]  # number of the version that stood; 0: none did
    text: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]


class Template(Base):
    """Words to start from, under a name: its newest row counts, the older ones are its history."""

    __tablename__ = "message_templates"
    __table_args__ = (CheckConstraint("name <> ''", name="name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, index=True)
    text: Mapped[str] = mapped_column(Text)  # "": it was put away
    by: Mapped[int]
    at: Mapped[datetime]


class Origin(Base):
    """The earlier words a message was started from."""

    __tablename__ = "message_origins"
    __table_args__ = (CheckConstraint("num_nonnulls(version_id, template_id) = 1", name="one"),)

    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    version_id: Mapped[int | None] = mapped_column(ForeignKey("message_versions.id"))
    template_id: Mapped[int | None] = mapped_column(ForeignKey("message_templates.id"))
    by: Mapped[int]
    at: Mapped[datetime]
    version: Mapped[MessageVersion | None] = relationship()
    template: Mapped[Template | None] = relationship()
