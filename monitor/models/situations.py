"""Tables of situations, the threshold test, days that may raise tension, and the lexicon."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from monitor.coding.codebook import LEVEL_NAMES as LEVEL_NAMES
from sources.db import Base


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
    kind: Mapped[str] = mapped_column(Text)  # one of monitor.coding.lexicon.KINDS
    sources: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)  # of this change
    by: Mapped[int | None]  # empty for the edition that comes with the house
    at: Mapped[datetime]
    reviewed_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class SituationCoding(Base):
    """Who speaks to whom, when and how far, about one narrative in one place in one week.

    The newest coding of a narrative, place and week holds; none is changed.
    """

    __tablename__ = "situation_codings"
    __table_args__ = (
        *(
            CheckConstraint(f"{factor} BETWEEN 0 AND 3", name=factor)
            for factor in ("speaker", "audience", "context", "reach")
        ),
        Index(None, "narrative_id", "week"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    narrative_id: Mapped[int] = mapped_column(ForeignKey("narratives.id"))
    place: Mapped[str] = mapped_column(Text)  # county or state FIPS; "": wherever it is told
    week: Mapped[date] = mapped_column(Date)  # its Monday
    speaker: Mapped[int | None]  # 0 to 3, empty while unknown; so the other three
    audience: Mapped[int | None]
    context: Mapped[int | None]
    reach: Mapped[int | None]
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]


class TriggerEvent(Base):
    """A day that may raise tension: an election, a verdict, an anniversary, a rally."""

    __tablename__ = "trigger_events"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('election', 'verdict', 'anniversary', 'rally', 'other')", name="kind"
        ),
        Index(None, "uid", unique=True, postgresql_where=text("withdrawn_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(Text)  # of the calendar it came from, or made here
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    place: Mapped[str] = mapped_column(Text)  # county or state FIPS; "": the whole country
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    note: Mapped[str] = mapped_column(Text, default="")
    by: Mapped[int]
    at: Mapped[datetime]
    withdrawn_by: Mapped[int | None]
    withdrawn_at: Mapped[datetime | None]


class RabatAssessment(Base):
    """The six parts of the threshold test as one person judged them. The newest stands.

    About a narrative, or about a flag that stands for no narrative. It is never a finding of law.
    """

    __tablename__ = "rabat_assessments"
    __table_args__ = (
        *(
            CheckConstraint(f"{part} BETWEEN 0 AND 2", name=part)
            for part in ("context", "speaker", "intent", "content_form", "extent", "likelihood")
        ),
        CheckConstraint("num_nonnulls(narrative_id, flag_id) = 1", name="subject"),
        Index(None, "narrative_id"),
        Index(None, "flag_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    narrative_id: Mapped[int | None] = mapped_column(ForeignKey("narratives.id"))
    flag_id: Mapped[int | None] = mapped_column(ForeignKey("flags.id"))
    context: Mapped[int]  # 0 not met, 1 partly, 2 clearly; so the other five
    speaker: Mapped[int]
    intent: Mapped[int]
    content_form: Mapped[int]
    extent: Mapped[int]
    likelihood: Mapped[int]
    reasons: Mapped[dict[str, Any]]  # by part, in the person's words
    edition: Mapped[str] = mapped_column(Text)  # of the codebook
    by: Mapped[int]
    at: Mapped[datetime]


class LegalNote(Base):
    """What a duty lead notes for those who advise them, with a reason. The newest stands.

    Without one speech is presumed to be protected.
    """

    __tablename__ = "legal_notes"
    __table_args__ = (
        CheckConstraint(
            "note IN ('presumed_protected', 'possible_true_threat', "
            "'possible_imminent_incitement')",
            name="note",
        ),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("num_nonnulls(narrative_id, flag_id) = 1", name="subject"),
        Index(None, "narrative_id"),
        Index(None, "flag_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    narrative_id: Mapped[int | None] = mapped_column(ForeignKey("narratives.id"))
    flag_id: Mapped[int | None] = mapped_column(ForeignKey("flags.id"))
    note: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
