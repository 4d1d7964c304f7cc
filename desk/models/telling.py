"""Tables of how people are told, of what, and what came of it."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from campaigns.models import Bark, Decline, Delivery, MessageVersion, Release
from desk.models.people import Person
from desk.models.signing_in import Passkey
from monitor.models import AlertMessage, Flag
from sources.db import Base


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
