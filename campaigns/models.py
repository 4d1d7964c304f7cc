"""Tables of what we do. ``by`` columns hold a desk person id: keys point left only.

Two rules stand in the schema itself: nobody approves their own draft, and no delivery exists
without an approval of the same content hash.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    LargeBinary,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from monitor.models import FlagDecision, Narrative
from sources.db import Base


class Voice(Base):
    """A named, consenting person or institution in whose name messages go out."""

    __tablename__ = "voices"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)  # "Pastor, Hope Church"
    leader_id: Mapped[int]  # the only person who may approve for this voice
    created_by: Mapped[int]
    created_at: Mapped[datetime]
    consents: Mapped[list["Consent"]] = relationship(
        back_populates="voice", order_by="Consent.id.desc()"
    )
    accounts: Mapped[list["Account"]] = relationship(back_populates="voice", order_by="Account.id")


class Consent(Base):
    """What a voice agreed to, how we know, and until when. Withdrawal stops what is queued."""

    __tablename__ = "consents"

    id: Mapped[int] = mapped_column(primary_key=True)
    voice_id: Mapped[int] = mapped_column(ForeignKey("voices.id"))
    scope: Mapped[str] = mapped_column(Text)
    platforms: Mapped[list[str]] = mapped_column(ARRAY(Text))
    evidence: Mapped[str] = mapped_column(Text)  # how it was obtained
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime]
    recorded_by: Mapped[int]
    recorded_at: Mapped[datetime]
    withdrawn_by: Mapped[int | None]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_why: Mapped[str | None] = mapped_column(Text)
    voice: Mapped[Voice] = relationship(back_populates="consents")


class Account(Base):
    """A voice's own account on a platform. The secret is encrypted and never shown again."""

    __tablename__ = "accounts"
    __table_args__ = (UniqueConstraint("voice_id", "platform", "handle"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    voice_id: Mapped[int] = mapped_column(ForeignKey("voices.id"))
    platform: Mapped[str] = mapped_column(Text)  # a key of the publishers dict: bluesky, dry_run
    handle: Mapped[str] = mapped_column(Text)
    service: Mapped[str] = mapped_column(Text)  # base URL of the account's server
    secret: Mapped[bytes | None] = mapped_column(LargeBinary)  # Fernet token
    connected_by: Mapped[int]
    connected_at: Mapped[datetime]
    voice: Mapped[Voice] = relationship(back_populates="accounts")


class Campaign(Base):
    """Our answer to one confirmed narrative: for whom, to what end, by which strategy."""

    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(primary_key=True)
    narrative_id: Mapped[int] = mapped_column(ForeignKey("narratives.id"))
    confirmation_id: Mapped[int] = mapped_column(ForeignKey("flag_decisions.id"))
    audience: Mapped[str] = mapped_column(Text)
    goal: Mapped[str] = mapped_column(Text)
    strategy: Mapped[str] = mapped_column(Text)  # a key of campaigns.STRATEGIES
    opened_by: Mapped[int]
    opened_at: Mapped[datetime]
    narrative: Mapped[Narrative] = relationship()
    confirmation: Mapped[FlagDecision] = relationship()
    messages: Mapped[list["Message"]] = relationship(
        back_populates="campaign", order_by="Message.id"
    )


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

    ``content``: {"voice": id, "send_at": ISO 8601 UTC,
    "parts": [{"account": id, "platform", "handle", "service", "text"}, ...]}
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


class Submission(Base):
    """A version laid before the leader."""

    __tablename__ = "submissions"
    __table_args__ = (UniqueConstraint("version_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("message_versions.id"))
    by: Mapped[int]
    at: Mapped[datetime]
    version: Mapped[MessageVersion] = relationship(back_populates="submission")


class Approval(Base):
    """A leader's yes to one version, bound to the SHA-256 of exactly what will be sent."""

    __tablename__ = "approvals"
    __table_args__ = (
        ForeignKeyConstraint(
            ["version_id", "sha256", "drafted_by"],
            ["message_versions.id", "message_versions.sha256", "message_versions.drafted_by"],
        ),
        CheckConstraint("approved_by <> drafted_by", name="two_people"),
        UniqueConstraint("version_id"),
        UniqueConstraint("id", "sha256"),  # what a delivery must match
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int]
    sha256: Mapped[str] = mapped_column(Text)
    drafted_by: Mapped[int]
    approved_by: Mapped[int]
    approved_at: Mapped[datetime]
    withdrawn_by: Mapped[int | None]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_why: Mapped[str | None] = mapped_column(Text)
    version: Mapped[MessageVersion] = relationship(back_populates="approval")
    deliveries: Mapped[list["Delivery"]] = relationship(
        back_populates="approval", order_by="Delivery.id"
    )


class Decline(Base):
    """A leader's no to one version, with the reason the drafter needs."""

    __tablename__ = "declines"
    __table_args__ = (UniqueConstraint("version_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("message_versions.id"))
    reason: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]
    version: Mapped[MessageVersion] = relationship(back_populates="decline")


DELIVERY_STATES = (
    "scheduled",  # waiting for due_at, or certainly not sent and to be tried again
    "attempting",  # claimed; a network call may be under way
    "published",
    "rejected",  # the platform refused it for good
    "missed",  # overdue beyond its freshness: never published late
    "withdrawn",  # stopped by a person, a changed draft, or an ended consent
)


class Delivery(Base):
    """One approved part on its way to one account.

    ``record`` and ``record_key`` are fixed before the first attempt, so that a retry sends the
    same bytes to the same place and the platform can recognise it.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        ForeignKeyConstraint(["approval_id", "sha256"], ["approvals.id", "approvals.sha256"]),
        CheckConstraint(f"state IN {DELIVERY_STATES}", name="state"),
        UniqueConstraint("approval_id", "account_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    approval_id: Mapped[int]
    sha256: Mapped[str] = mapped_column(Text)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    due_at: Mapped[datetime] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(Text)
    record_key: Mapped[str] = mapped_column(Text)
    record: Mapped[dict[str, Any]]
    claimed_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]  # after a failed attempt: wait until then
    settled_at: Mapped[datetime | None]
    detail: Mapped[str] = mapped_column(Text, default="")  # why it stands where it stands
    receipt_uri: Mapped[str | None] = mapped_column(Text)
    receipt_url: Mapped[str | None] = mapped_column(Text)  # where a person can read it
    approval: Mapped[Approval] = relationship(back_populates="deliveries")
    account: Mapped[Account] = relationship()
    attempts: Mapped[list["Attempt"]] = relationship(
        back_populates="delivery", order_by="Attempt.id"
    )


class Attempt(Base):
    """One call to a platform, committed before it is made."""

    __tablename__ = "attempts"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    delivery_id: Mapped[int] = mapped_column(ForeignKey("deliveries.id"), index=True)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(Text)  # published, rejected, not_sent, unknown
    detail: Mapped[str] = mapped_column(Text, default="")
    delivery: Mapped[Delivery] = relationship(back_populates="attempts")
