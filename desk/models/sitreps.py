"""Tables of situation reports."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sources.db import Base


class Sitrep(Base):
    """The situation report on one week in one place. What it says is its newest version."""

    __tablename__ = "sitreps"
    __table_args__ = (UniqueConstraint("week", "place"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    week: Mapped[date]  # its Monday; weeks begin at midnight UTC
    place: Mapped[str] = mapped_column(Text)  # county or state FIPS; "": everywhere
    by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    at: Mapped[datetime]
    versions: Mapped[list["SitrepVersion"]] = relationship(
        back_populates="sitrep", order_by="SitrepVersion.number"
    )


class SitrepVersion(Base):
    """What a situation report said from one moment on. Never changed, only followed.

    ``kept``: [{"section", "line", "kind"}], what was warned of and kept for ``kept_why``. It holds
    no words: those of a post would outlive it there.
    """

    __tablename__ = "sitrep_versions"
    __table_args__ = (UniqueConstraint("sitrep_id", "number"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    sitrep_id: Mapped[int] = mapped_column(ForeignKey("sitreps.id"))
    number: Mapped[int]
    sections: Mapped[dict[str, Any]]  # by key of monitor.reports.sitrep.SECTIONS: its lines
    kept: Mapped[list[Any]]
    kept_why: Mapped[str] = mapped_column(Text)
    by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))  # empty: drafted from the data
    at: Mapped[datetime]
    sitrep: Mapped[Sitrep] = relationship(back_populates="versions")
    final: Mapped["SitrepFinal | None"] = relationship(back_populates="version")


class SitrepFinal(Base):
    """A duty lead says that a version is the report. A later version is a draft again."""

    __tablename__ = "sitrep_finals"
    __table_args__ = (UniqueConstraint("version_id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("sitrep_versions.id"))
    by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    at: Mapped[datetime]
    version: Mapped[SitrepVersion] = relationship(back_populates="final")
