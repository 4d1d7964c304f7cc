"""Tables of who decides: people, their roles, and how they sign in."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from campaigns.models import Bark, Decline, Delivery, MessageVersion, Release
from monitor.models import Alert, AlertMessage, Flag, Narrative
from sources.db import Base

ROLES = ("monitor", "duty lead", "responder", "comms", "leader", "admin")


class Person(Base):
    """Somebody who works at the desk. Never somebody who is watched."""

    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text, unique=True)  # lower case
    password_hash: Mapped[str | None] = mapped_column(Text)  # Argon2id
    created_at: Mapped[datetime]
    left_at: Mapped[datetime | None]
    time_zone: Mapped[str | None] = mapped_column(Text)  # an IANA name; empty: the desk's
    grants: Mapped[list["RoleGrant"]] = relationship(
        back_populates="person", order_by="RoleGrant.id", foreign_keys="RoleGrant.person_id"
    )
    # What follows is the person's own; it comes with them in people.person_of and costs no query.
    care: Mapped["CareChoice | None"] = relationship(
        primaryjoin="and_(CareChoice.person_id == Person.id, CareChoice.replaced_at.is_(None))",
        viewonly=True,
    )
    exposures: Mapped[list["Exposure"]] = relationship(viewonly=True, order_by="Exposure.day")
    spell: Mapped["ReadingSpell | None"] = relationship(viewonly=True)

    @property
    def roles(self) -> frozenset[str]:
        """The roles this person holds now."""
        return frozenset(grant.role for grant in self.grants if grant.revoked_at is None)

    def zone(self, desk: ZoneInfo) -> ZoneInfo:
        """Where this person's clock goes: in the zone they chose, or in the desk's."""
        return ZoneInfo(self.time_zone) if self.time_zone else desk

    def may(self, *roles: str) -> bool:
        """Whether this person holds one of these roles."""
        return not self.roles.isdisjoint(roles)


class RoleGrant(Base):
    """A role given to a person, by whom and when, until it is taken back."""

    __tablename__ = "role_grants"
    __table_args__ = (CheckConstraint(f"role IN {ROLES}", name="role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    role: Mapped[str] = mapped_column(Text)
    granted_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))  # empty: command line
    granted_at: Mapped[datetime]
    revoked_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    revoked_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship(back_populates="grants", foreign_keys=[person_id])


class CareChoice(Base):
    """How one person wants to be spared, as they chose it; the row never replaced counts."""

    __tablename__ = "care_choices"
    __table_args__ = (
        CheckConstraint("fold_from BETWEEN 2 AND 4", name="fold_from"),
        CheckConstraint("break_minutes > 0 AND break_posts > 0", name="breaks"),
        Index(None, "person_id", unique=True, postgresql_where=text("replaced_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))  # nobody chooses for another
    soften: Mapped[bool]  # slurs are shown with their middle as dots
    fold_from: Mapped[int | None]  # posts from this message level on are folded; empty: none is
    break_minutes: Mapped[int | None]  # of reading, then a break is offered; empty: never
    break_posts: Mapped[int | None]  # at M2 or above, likewise
    chosen_at: Mapped[datetime]
    replaced_at: Mapped[datetime | None]


class Exposure(Base):
    """How many posts one person was shown on one day, by message level: never which ones."""

    __tablename__ = "exposures"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)  # in the desk's zone
    m2: Mapped[int]
    m3: Mapped[int]
    m4: Mapped[int]

    @property
    def posts(self) -> int:
        """Posts at M2 or above."""
        return self.m2 + self.m3 + self.m4


class ReadingSpell(Base):
    """For how long one person has been reading without a break. One row, always overwritten.

    Here a history would be a record of when somebody works, so none is kept.
    """

    __tablename__ = "reading_spells"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    began_at: Mapped[datetime]
    last_at: Mapped[datetime]  # of the last page that showed a post at M2 or above
    posts: Mapped[int]  # such posts since it began
    later_until: Mapped[datetime | None]  # a break was put off until then


class SignInLink(Base):
    """A link that signs one person in once. Only a hash of its token is kept."""

    __tablename__ = "sign_in_links"

    token_sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    made_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))  # empty: command line
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship(foreign_keys=[person_id])


class WebSession(Base):
    """A browser that is signed in. Only a hash of its token is kept."""

    __tablename__ = "web_sessions"

    token_sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship()


class Passkey(Base):
    """A key on somebody's device, with which they sign in and confirm what they approve."""

    __tablename__ = "passkeys"
    __table_args__ = (
        CheckConstraint("name <> ''", name="name"),
        Index(None, "person_id", postgresql_where=text("removed_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]  # COSE
    sign_count: Mapped[int] = mapped_column(BigInteger)  # 0: the device does not count
    transports: Mapped[list[Any]]
    name: Mapped[str] = mapped_column(Text)
    added_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    removed_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    removed_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship(foreign_keys=[person_id])


class PasskeyChallenge(Base):
    """What one answer of a passkey must repeat: good once, for minutes, for one thing."""

    __tablename__ = "passkey_challenges"
    __table_args__ = (
        CheckConstraint("purpose IN ('add', 'sign in', 'approve', 'settle')", name="purpose"),
        CheckConstraint("(purpose = 'approve') = (content_sha256 IS NOT NULL)", name="content"),
        Index(None, "expires_at"),
    )

    challenge_sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    purpose: Mapped[str] = mapped_column(Text)
    bound_to: Mapped[str] = mapped_column(Text)  # SHA-256 of the session's or the link's token
    content_sha256: Mapped[str | None] = mapped_column(Text)  # of the version that is approved
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class PasskeyChoice(Base):
    """Whether approving asks one person for a passkey: their newest choice counts."""

    __tablename__ = "passkey_choices"
    __table_args__ = (Index(None, "person_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    at_approval: Mapped[bool]
    by: Mapped[int] = mapped_column(ForeignKey("people.id"))  # an administrator ends it too
    at: Mapped[datetime]


class SignInFailure(Base):
    """A failed sign-in, so that guessing slows down."""

    __tablename__ = "sign_in_failures"
    __table_args__ = (Index(None, "email", "at"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    email: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class KeptKey(Base):
    """A derived key that must stay what it is when the secret key changes, encrypted by that."""

    __tablename__ = "kept_keys"

    purpose: Mapped[str] = mapped_column(Text, primary_key=True)
    sealed: Mapped[bytes]  # Fernet token
    made_at: Mapped[datetime]


class Channel(Base):
    """A way in which one person is told: their sign-in address, or one they added."""

    __tablename__ = "channels"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(quiet_from, quiet_until) <> 1 AND quiet_from <> quiet_until "
            "AND quiet_from BETWEEN 0 AND 1439 AND quiet_until BETWEEN 0 AND 1439",
            name="quiet",
        ),
        # One for each person, made once: who removes it does not get it back.
        Index(
            "uq_channels_sign_in",
            "person_id",
            unique=True,
            postgresql_where=text("address IS NULL"),
        ),
        Index(None, "person_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    service: Mapped[str] = mapped_column(Text)  # a key of couriers.SERVICES
    # An e-mail address or an address of apprise, encrypted; empty: where the person signs in.
    address: Mapped[bytes | None]
    label: Mapped[str] = mapped_column(Text)  # the address, masked: all that others see
    quiet_from: Mapped[int | None]  # minutes after local midnight; both or neither
    quiet_until: Mapped[int | None]
    digest: Mapped[bool]  # what is of low level comes together, once a day
    added_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship()


class Notice(Base):
    """One thing that one channel is told, and what came of it. It holds no words of anybody."""

    __tablename__ = "notices"
    __table_args__ = (
        CheckConstraint(
            "(kind = 'flag') = (flag_id IS NOT NULL) "
            "AND (kind = 'alert') = (alert_message_id IS NOT NULL) "
            "AND (kind = 'approval') = (version_id IS NOT NULL) "
            "AND (kind = 'watchdog') = (bark_id IS NOT NULL) "
            "AND (kind = 'answer') = (decline_id IS NOT NULL) "
            "AND (kind = 'release') = (release_id IS NOT NULL) "
            "AND (kind IN ('share', 'share again')) = (delivery_id IS NOT NULL) "
            "AND (kind IN ('passkey added', 'passkey taken')) = (passkey_id IS NOT NULL) "
            "AND kind IN ('flag', 'alert', 'approval', 'watchdog', 'answer', 'release', 'share', "
            "'share again', 'passkey added', 'passkey taken', 'digest', 'try')",
            name="kind",
        ),
        CheckConstraint(
            "state IN ('scheduled', 'attempting', 'delivered', 'failed', 'unknown', 'withdrawn')",
            name="state",
        ),
        CheckConstraint("level BETWEEN 0 AND 4", name="level"),
        UniqueConstraint("channel_id", "flag_id"),
        UniqueConstraint("channel_id", "alert_message_id"),
        UniqueConstraint("channel_id", "version_id"),
        UniqueConstraint("channel_id", "bark_id"),
        UniqueConstraint("channel_id", "decline_id"),
        UniqueConstraint("channel_id", "release_id"),
        UniqueConstraint("channel_id", "delivery_id", "kind"),
        UniqueConstraint("channel_id", "passkey_id", "kind"),
        Index(None, "flag_id"),
        Index(None, "alert_message_id"),
        Index(None, "version_id"),
        Index(None, "bark_id"),
        Index(None, "decline_id"),
        Index(None, "release_id"),
        Index(None, "delivery_id"),
        Index(None, "passkey_id"),
        Index(None, "digest_id"),
        Index("ix_notices_waiting", "due_at", postgresql_where=text("settled_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id"))
    kind: Mapped[str] = mapped_column(Text)
    flag_id: Mapped[int | None] = mapped_column(ForeignKey("flags.id"))
    alert_message_id: Mapped[int | None] = mapped_column(ForeignKey("alert_messages.id"))
    version_id: Mapped[int | None] = mapped_column(ForeignKey("message_versions.id"))
    bark_id: Mapped[int | None] = mapped_column(ForeignKey("barks.id"))  # what a watchdog found
    decline_id: Mapped[int | None] = mapped_column(ForeignKey("declines.id"))  # a leader's no
    release_id: Mapped[int | None] = mapped_column(ForeignKey("releases.id"))  # in an emergency
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id"))  # to post by hand
    passkey_id: Mapped[int | None] = mapped_column(ForeignKey("passkeys.id"))  # the person's own
    level: Mapped[int]  # how grave, 0 to 4, as it stood when this was made
    gathered: Mapped[bool] = mapped_column(default=False)  # not sent alone: waits for a digest
    digest_id: Mapped[int | None] = mapped_column(ForeignKey("notices.id"))  # in which it went
    made_at: Mapped[datetime]
    due_at: Mapped[datetime]
    not_before: Mapped[datetime | None]  # a try that failed is repeated then
    claimed_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    doubts: Mapped[int] = mapped_column(default=0)  # tries of which nobody knows the end
    # ``unknown`` without ``settled_at`` is tried once more.
    state: Mapped[str] = mapped_column(Text, default="scheduled")
    settled_at: Mapped[datetime | None]
    detail: Mapped[str] = mapped_column(Text, default="")  # plain words without any address
    channel: Mapped[Channel] = relationship()
    flag: Mapped[Flag | None] = relationship()
    message: Mapped[AlertMessage | None] = relationship()
    version: Mapped[MessageVersion | None] = relationship()
    bark: Mapped[Bark | None] = relationship()
    decline: Mapped[Decline | None] = relationship()
    release: Mapped[Release | None] = relationship()
    delivery: Mapped[Delivery | None] = relationship()
    passkey: Mapped[Passkey | None] = relationship()
    items: Mapped[list["Notice"]] = relationship(
        order_by="Notice.level.desc(), Notice.id", foreign_keys=[digest_id]
    )

    @property
    def standing(self) -> list["Notice"]:
        """What a digest still holds, the gravest first."""
        return [item for item in self.items if item.state != "withdrawn"]


class ChannelFault(Base):
    """Mail to a channel came back for good, until its person says that it is put right."""

    __tablename__ = "channel_faults"
    __table_args__ = (
        CheckConstraint("num_nonnulls(ended_at, ended_by) IN (0, 2)", name="ended"),
        Index(
            "uq_channel_faults_standing",
            "channel_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(None, "channel_id"),
        Index(None, "notice_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id"))
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id"))  # that came back
    why: Mapped[str] = mapped_column(Text)  # a sentence without any address
    found_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    channel: Mapped[Channel] = relationship()


class Mailbox(Base):
    """How far a mailbox has been read in which bounces and answers arrive. Nothing in it changes.

    ``validity`` and ``uid`` are IMAP's: when the first changes, the numbers begin anew (RFC 9051,
    2.3.1.1). What was read is in the same transaction as the number of the last that was.
    """

    __tablename__ = "mailboxes"

    place: Mapped[str] = mapped_column(Text, primary_key=True)  # user, host and folder
    validity: Mapped[int] = mapped_column(BigInteger)
    uid: Mapped[int] = mapped_column(BigInteger)
    looked_at: Mapped[datetime]  # and got in
    fault: Mapped[str] = mapped_column(Text)  # why the last try did not get in; "": it did


class Lease(Base):
    """A flag on one person's desk, for a while: the others see it there and take another."""

    __tablename__ = "leases"
    __table_args__ = (
        Index(None, "flag_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_leases_running", "until", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    flag_id: Mapped[int] = mapped_column(ForeignKey("flags.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    taken_at: Mapped[datetime]
    until: Mapped[datetime]
    ended_at: Mapped[datetime | None]  # decided, given back, or run out
    person: Mapped[Person] = relationship()


class SavedView(Base):
    """The queue, or a search, narrowed in one way, under a name. Never changed: an edit is new."""

    __tablename__ = "saved_views"
    __table_args__ = (Index(None, "person_id", postgresql_where=text("removed_at IS NULL")),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)  # a path of the desk and what it asks for
    shared: Mapped[bool]  # with everybody at the desk; else only who saved it has it
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    saved_at: Mapped[datetime]
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("saved_views.id"))
    removed_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    removed_at: Mapped[datetime | None]
    person: Mapped[Person] = relationship(foreign_keys=[person_id])


class Presence(Base):
    """One open page of one person, while it is open. It says who is there, and nothing later."""

    __tablename__ = "presences"
    __table_args__ = (Index(None, "page"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    page: Mapped[str] = mapped_column(Text)  # the path of a page that presence.SHARED names
    came_at: Mapped[datetime]
    seen_at: Mapped[datetime]  # the last sign of life of its stream
    person: Mapped[Person] = relationship()


class ShiftNote(Base):
    """What the next shift must know, in the words of whoever was there. Never changed."""

    __tablename__ = "shift_notes"
    __table_args__ = (
        CheckConstraint("stays IN ('open', 'information')", name="stays"),
        CheckConstraint("num_nonnulls(narrative_id, flag_id, alert_id) <= 1", name="about"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    stays: Mapped[str] = mapped_column(Text)  # open: until somebody ticks it off
    narrative_id: Mapped[int | None] = mapped_column(ForeignKey("narratives.id"))
    flag_id: Mapped[int | None] = mapped_column(ForeignKey("flags.id"))
    alert_id: Mapped[int | None] = mapped_column(ForeignKey("alerts.id"))
    by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    at: Mapped[datetime] = mapped_column(index=True)
    narrative: Mapped[Narrative | None] = relationship()
    flag: Mapped[Flag | None] = relationship()
    alert: Mapped[Alert | None] = relationship()
    ticks: Mapped[list["ShiftNoteTick"]] = relationship(order_by="ShiftNoteTick.id")

    @property
    def done(self) -> "ShiftNoteTick | None":
        """The tick that stands, if somebody has ticked it off."""
        return next((one for one in self.ticks if one.undone_at is None), None)


class ShiftNoteTick(Base):
    """An open note is done with: who says so, and how it ended. Undone, the note is open again."""

    __tablename__ = "shift_note_ticks"
    __table_args__ = (
        Index(None, "note_id", unique=True, postgresql_where=text("undone_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    note_id: Mapped[int] = mapped_column(ForeignKey("shift_notes.id"))
    word: Mapped[str] = mapped_column(Text)
    by: Mapped[int] = mapped_column(ForeignKey("people.id"))
    at: Mapped[datetime]
    undone_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    undone_at: Mapped[datetime | None]


class ShiftNoteDraft(Base):
    """A note that somebody is writing, so that a reload or the end of a session loses nothing."""

    __tablename__ = "shift_note_drafts"

    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    words: Mapped[dict[str, Any]]  # the fields of its form, as typed
    at: Mapped[datetime]


class HandoverRead(Base):
    """Somebody says that they have read what changed, up to the moment their page was made."""

    __tablename__ = "handover_reads"
    __table_args__ = (Index(None, "person_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    until: Mapped[datetime]
    at: Mapped[datetime]


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
