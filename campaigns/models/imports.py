"""CSV files that somebody wants to take in, as they were previewed and decided on."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from sources.db import Base

IMPORTED = {"contacts": "Contacts", "voices": "Voices"}  # what a file can hold


class Import(Base):
    """One file. Its content is encrypted, and forgotten once it is decided on or a day old."""

    __tablename__ = "imports"
    __table_args__ = (
        CheckConstraint(f"kind IN {tuple(IMPORTED)}", name="kind"),
        CheckConstraint("outcome IN ('taken in', 'thrown away', 'expired')", name="outcome"),
        CheckConstraint(
            "num_nonnulls(decided_at, outcome) IN (0, 2) "
            "AND (outcome IS NULL) = (sealed IS NOT NULL)",
            name="decided",
        ),
        CheckConstraint(
            "num_nonnulls(added, changed, refused) = "
            "CASE WHEN outcome = 'taken in' THEN 3 ELSE 0 END",
            name="counted",
        ),
        Index("ix_imports_waiting", "made_at", postgresql_where=text("sealed IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)  # of the file, as its owner calls it
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # Fernet token of a kept sheet
    rows: Mapped[int]
    made_by: Mapped[int]
    made_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None]  # nobody, where it expired
    outcome: Mapped[str | None] = mapped_column(Text)
    added: Mapped[int | None]
    changed: Mapped[int | None]
    refused: Mapped[int | None]
