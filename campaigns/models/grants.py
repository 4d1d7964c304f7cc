"""What a leader granted at their account's own server instead of giving a password (OAuth)."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from campaigns.models.voices import Account, Voice
from sources.db import Base

STANDING = text("given_at IS NOT NULL AND ended_at IS NULL")


class Grant(Base):
    """One sign-in at an account's server: asked for, given, renewed again and again, ended.

    ``sealed`` is a Fernet token over all that opens anything: the DPoP key, and what proves the
    request or, once given, the refresh token. It is erased when the server has taken it back. The
    access token of the hour stands in ``Account.secret``, where publishers look for what opens it.
    """

    __tablename__ = "grants"
    __table_args__ = (
        CheckConstraint("(given_at IS NULL) = (account_id IS NULL)", name="given"),
        CheckConstraint("given_at IS NULL OR answered_at IS NOT NULL", name="answered"),
        CheckConstraint("(ended_at IS NULL) = (ended_why IS NULL)", name="ended"),
        CheckConstraint("ended_by IS NULL OR ended_at IS NOT NULL", name="by"),
        CheckConstraint("ended_at IS NOT NULL OR sealed IS NOT NULL", name="sealed"),
        CheckConstraint("renew_at IS NULL OR sealed IS NOT NULL", name="renewed"),
        Index("ix_grants_standing", "account_id", unique=True, postgresql_where=STANDING),
        Index("ix_grants_account_id", "account_id", "id"),
        Index("ix_grants_due", "renew_at", postgresql_where=text("renew_at IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    voice_id: Mapped[int] = mapped_column(ForeignKey("voices.id"), index=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    handle: Mapped[str] = mapped_column(Text)  # as it was asked for, and found at its server
    did: Mapped[str] = mapped_column(Text)  # who the handle is; the same for the account's life
    service: Mapped[str] = mapped_column(Text)  # base URL of the account's server
    issuer: Mapped[str] = mapped_column(Text)  # base URL of the server where it is signed in
    client_id: Mapped[str] = mapped_column(Text)  # as whom the desk asked
    scope: Mapped[str] = mapped_column(Text)  # asked for; once given, what was granted
    state_sha256: Mapped[str] = mapped_column(Text, unique=True)
    bound_to: Mapped[str] = mapped_column(Text)  # SHA-256 of the desk session that asked
    asked_by: Mapped[int]
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]  # an answer that comes later counts no more
    answered_at: Mapped[datetime | None]  # one answer counts, whatever it says
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    given_at: Mapped[datetime | None]
    renewed_at: Mapped[datetime | None]
    access_until: Mapped[datetime | None]  # the access token of the hour opens nothing after it
    # When it is to be renewed or, once it has ended, taken back at its server. A claim lies here
    # too: it moves this on, so that nobody else takes it up and a worker that died is followed.
    renew_at: Mapped[datetime | None]
    claims: Mapped[int] = mapped_column(default=0)  # tells one claim from a later one
    detail: Mapped[str] = mapped_column(Text, default="")  # what went wrong last; "": nothing
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[int | None]  # None: the server's word
    ended_why: Mapped[str | None] = mapped_column(Text)
    voice: Mapped[Voice] = relationship()
    account: Mapped[Account | None] = relationship()
