"""Tables of what it means. ``by`` columns hold a desk person id: keys point left only."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
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
from sources.models import Post, Watch

DANGEROUS_LEVEL = 2  # one clear hallmark or more (the coding scheme): what counters call dangerous


class Narrative(Base):
    """A cluster of posts with one storyline."""

    __tablename__ = "narratives"
    __table_args__ = (
        Index("ix_narratives_words", text("to_tsvector('english', title)"), postgresql_using="gin"),
    )

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
        Index(  # by the signs of the vectors, a bit each: what means the same (monitor.search)
            "ix_readings_signs",
            text("(binary_quantize(embedding)::bit(384)) bit_hamming_ops"),
            postgresql_using="hnsw",
            postgresql_where=text("vector_dims(embedding) = 384 AND vector_norm(embedding) > 0"),
        ),
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
    alarming_authors: Mapped[int] = mapped_column(default=0, server_default="0")  # at M3 or above


class PostCounty(Base):
    """A county that a post names, by itself or by a city in it. Nobody is located by it."""

    __tablename__ = "post_counties"
    __table_args__ = (Index(None, "fips", "post_id"),)

    post_id: Mapped[int] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True
    )
    fips: Mapped[str] = mapped_column(Text, primary_key=True)


class AreaCount(Base):
    """Voices of one watch or one county in one hour, over all narratives: never lowered."""

    __tablename__ = "area_counts"
    __table_args__ = (CheckConstraint("kind IN ('watch', 'place')", name="kind"),)

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)  # the watch's id, the county's FIPS
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    authors: Mapped[int]
    dangerous_authors: Mapped[int]
    alarming_authors: Mapped[int]


class Endangered(Base):
    """An hour of a narrative that gained a dangerous voice: to be looked at for a rise."""

    __tablename__ = "endangered"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    narrative_id: Mapped[int | None] = mapped_column(ForeignKey("narratives.id"))
    hour: Mapped[datetime]


class Threshold(Base):
    """The settings of the spike detectors from one moment on, and why; the newest hold."""

    __tablename__ = "thresholds"

    id: Mapped[int] = mapped_column(primary_key=True)
    settings: Mapped[dict[str, Any]]  # detect.Settings
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]


class Flag(Base):
    """The machine's proposal that something needs a person. Only a FlagDecision settles it.

    ``spike``: a narrative, a watch or a county rises. ``life_safety``: one post alone, whatever
    its narrative does. ``about``: what was known when it was raised or last followed, see
    ``monitor.spikes.about``; it holds no words of a post.
    """

    __tablename__ = "flags"
    __table_args__ = (
        CheckConstraint("kind IN ('spike', 'life_safety')", name="kind"),
        CheckConstraint(
            "kind = 'life_safety' OR num_nonnulls(narrative_id, watch_id, place) = 1",
            name="subject",
        ),
        Index(
            "uq_flags_rise",
            *("narrative_id", "watch_id", "place", "level", "hour", "observed"),
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("kind = 'spike'"),
        ),
        # Of copies of one text only the first calls somebody.
        Index(
            "uq_flags_copy_of", "copy_of", unique=True, postgresql_where=text("copy_of IS NOT NULL")
        ),
        Index(None, "narrative_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text, default="spike", server_default="spike")
    narrative_id: Mapped[int | None] = mapped_column(ForeignKey("narratives.id"))
    watch_id: Mapped[int | None] = mapped_column(ForeignKey("watches.id"))
    place: Mapped[str | None] = mapped_column(Text)  # county FIPS
    # Of a life-safety flag: the post while it stands, and its group of copies, a number.
    post_id: Mapped[int | None] = mapped_column(
        ForeignKey("posts.id", ondelete="SET NULL"), index=True
    )
    copy_of: Mapped[int | None] = mapped_column(BigInteger)
    level: Mapped[int] = mapped_column(default=2, server_default="2")  # authors at M2+, or at M3+
    hour: Mapped[datetime]  # the hour that rose
    observed: Mapped[int]  # distinct authors of posts at that level in that hour, or that run
    expected: Mapped[float]  # what the baseline explains
    low: Mapped[float | None]  # the interval of rises.INTERVAL around it
    high: Mapped[float | None]
    p_value: Mapped[float]
    adjusted: Mapped[float | None]  # the same among all tests of that hour
    test: Mapped[str] = mapped_column(Text, default="count", server_default="count")
    hours: Mapped[int] = mapped_column(default=1, server_default="1")  # taken together
    reasons: Mapped[list[Any]]  # [{"text": plain sentence, "post_id": int | null}]
    about: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    detector: Mapped[str] = mapped_column(Text)  # name and version
    raised_at: Mapped[datetime]
    # When the earliest post that explains it was made and read (T0, T1 of the clock).
    posted_at: Mapped[datetime | None]
    collected_at: Mapped[datetime | None]
    cleared_hour: Mapped[datetime | None]  # the hour in which the rise was over
    narrative: Mapped[Narrative | None] = relationship()
    post: Mapped[Post | None] = relationship()
    watch: Mapped[Watch | None] = relationship()
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


class AlertList(Base):
    """Who is told of alerts: a live list of real people, or one for exercises alone."""

    __tablename__ = "alert_lists"
    __table_args__ = (UniqueConstraint("id", "exercise"),)  # what an alert must match

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    exercise: Mapped[bool]  # for good: a list never changes sides
    made_by: Mapped[int]
    made_at: Mapped[datetime]
    members: Mapped[list["AlertListMember"]] = relationship(
        back_populates="alert_list", order_by="AlertListMember.tier, AlertListMember.id"
    )


class AlertListMember(Base):
    """A person of the desk on a list. Tier 1 is told first, the next when nobody acknowledges."""

    __tablename__ = "alert_list_members"
    __table_args__ = (
        CheckConstraint("tier BETWEEN 1 AND 5", name="tier"),
        Index(
            None,
            *("list_id", "person_id"),
            unique=True,
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey("alert_lists.id"))
    person_id: Mapped[int]
    tier: Mapped[int]
    added_by: Mapped[int]
    added_at: Mapped[datetime]
    removed_by: Mapped[int | None]
    removed_at: Mapped[datetime | None]
    alert_list: Mapped[AlertList] = relationship(back_populates="members")


class Alert(Base):
    """A warning to people who can act, from its sending to its closing. What it says is messages.

    That an exercise reaches no live list stands in the schema: list and side must match.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["list_id", "exercise"], ["alert_lists.id", "alert_lists.exercise"], name="side"
        ),
        CheckConstraint("danger_level BETWEEN 0 AND 4", name="danger_level"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    list_id: Mapped[int]
    exercise: Mapped[bool]
    flag_id: Mapped[int | None] = mapped_column(ForeignKey("flags.id"), index=True)
    narrative_id: Mapped[int | None] = mapped_column(ForeignKey("narratives.id"), index=True)
    place: Mapped[str] = mapped_column(Text)  # county or state FIPS; "": not known
    danger_level: Mapped[int]  # as the rules gave it when it was sent; what its clock runs by
    danger_high: Mapped[int]  # the upper end while the situation is not known in full
    life_safety: Mapped[bool]
    made_by: Mapped[int]
    made_at: Mapped[datetime]
    alert_list: Mapped[AlertList] = relationship()
    flag: Mapped[Flag | None] = relationship()
    narrative: Mapped[Narrative | None] = relationship()
    messages: Mapped[list["AlertMessage"]] = relationship(
        back_populates="alert", order_by="AlertMessage.id"
    )
    recipients: Mapped[list["AlertRecipient"]] = relationship(
        back_populates="alert", order_by="AlertRecipient.id"
    )
    verifications: Mapped[list["Verification"]] = relationship(
        back_populates="alert", order_by="Verification.id"
    )
    stamps: Mapped[list["AlertStamp"]] = relationship(
        back_populates="alert", order_by="AlertStamp.stage"
    )
    outcome: Mapped["AlertOutcome | None"] = relationship(back_populates="alert")


class AlertMessage(Base):
    """What went out, in the terms of the Common Alerting Protocol 1.2. Never changed."""

    __tablename__ = "alert_messages"
    __table_args__ = (CheckConstraint("kind IN ('Alert', 'Update', 'Cancel')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), index=True)
    identifier: Mapped[str] = mapped_column(Text, unique=True)
    kind: Mapped[str] = mapped_column(Text)  # msgType
    scope: Mapped[str] = mapped_column(Text)
    urgency: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(Text)
    certainty: Mapped[str] = mapped_column(Text)
    # The card: headline, what, where, when, how_sure, who, asked, not_to_do.
    card: Mapped[dict[str, Any]]
    sent_by: Mapped[int]
    sent_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    alert: Mapped[Alert] = relationship(back_populates="messages")


class AlertRecipient(Base):
    """Somebody who is told, and when they said that they have it."""

    __tablename__ = "alert_recipients"
    __table_args__ = (UniqueConstraint("alert_id", "person_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"))
    person_id: Mapped[int]
    tier: Mapped[int]
    added_at: Mapped[datetime]  # at once, or by escalation
    acknowledged_at: Mapped[datetime | None]
    alert: Mapped[Alert] = relationship(back_populates="recipients")


class Verification(Base):
    """How sure we are, on the ladder V0 to V4 or beside it, and by whose word; with its history."""

    __tablename__ = "verifications"
    __table_args__ = (
        CheckConstraint(
            "level IN ('V0', 'V1', 'V2', 'V3', 'V4', 'refuted', 'outdated', 'unverifiable')",
            name="level",
        ),
        CheckConstraint("reliability IN ('A', 'B', 'C', 'D', 'E', 'F')", name="reliability"),
        CheckConstraint("credibility BETWEEN 1 AND 6", name="credibility"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), index=True)
    level: Mapped[str] = mapped_column(Text)
    reliability: Mapped[str] = mapped_column(Text)  # of the source, A to F (Admiralty)
    credibility: Mapped[int]  # of the information, 1 to 6
    why: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    alert: Mapped[Alert] = relationship(back_populates="verifications")


class AlertStamp(Base):
    """When an alert came to a stage of its clock, T0 to T10. The first time counts."""

    __tablename__ = "alert_stamps"
    __table_args__ = (CheckConstraint("stage BETWEEN 0 AND 10", name="stage"),)

    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"), primary_key=True)
    stage: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    by: Mapped[int | None]
    note: Mapped[str] = mapped_column(Text, default="")
    alert: Mapped[Alert] = relationship(back_populates="stamps")


class AlertOutcome(Base):
    """How an alert ended. It is closed once."""

    __tablename__ = "alert_outcomes"
    __table_args__ = (UniqueConstraint("alert_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id"))
    code: Mapped[str] = mapped_column(Text)  # one of monitor.alerts.OUTCOMES
    note: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    alert: Mapped[Alert] = relationship(back_populates="outcome")


class Sample(Base):
    """A post drawn at random among those of one day that raised nothing, for people to look at.

    What they find tells how much is missed. Nothing of the post is kept: ``post_id`` goes with it.
    """

    __tablename__ = "samples"
    __table_args__ = (UniqueConstraint("day", "post_id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    post_id: Mapped[int | None] = mapped_column(
        ForeignKey("posts.id", ondelete="SET NULL"), index=True
    )
    day: Mapped[date] = mapped_column(Date)  # in which it was read
    machine_level: Mapped[int]  # M0 to M2, as it stood when drawn: its stratum
    stood_for: Mapped[float]  # so many unflagged posts of that day and stratum, itself included
    # Two people code it by the whole codebook, neither knowing of the other: how far they agree.
    twice: Mapped[bool]
    answers: Mapped[list["SampleAnswer"]] = relationship(
        back_populates="sample", order_by="SampleAnswer.id"
    )


class SampleAnswer(Base):
    """What one person found in a sample; each is asked once."""

    __tablename__ = "sample_answers"
    __table_args__ = (
        UniqueConstraint("sample_id", "by"),
        CheckConstraint("level BETWEEN 0 AND 4", name="level"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    sample_id: Mapped[int] = mapped_column(ForeignKey("samples.id"))
    level: Mapped[int | None]  # M0 to M4; empty: they could not tell
    # codebook.MessageFields and the edition; empty where only the level was asked.
    fields: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    by: Mapped[int]
    at: Mapped[datetime]
    sample: Mapped[Sample] = relationship(back_populates="answers")
