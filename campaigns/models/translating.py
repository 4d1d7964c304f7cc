"""Who read both languages of a message and says that they say the same."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from campaigns.models.drafting import MessageVersion
from sources.db import Base


class TranslationCheck(Base):
    """Somebody who reads both languages found that two texts say the same. Never changed.

    It holds for exactly these two texts of this message, in whatever version: a letter more in
    either is another pair.
    """

    __tablename__ = "translation_checks"
    __table_args__ = (
        UniqueConstraint("version_id", "sha256", "by"),
        CheckConstraint("length(sha256) = 64", name="sha256"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("message_versions.id"), index=True)
    sha256: Mapped[str] = mapped_column(Text)  # hex, of both texts with their languages
    by: Mapped[int]
    at: Mapped[datetime]
    version: Mapped[MessageVersion] = relationship()
