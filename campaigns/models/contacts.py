"""Contacts who agreed to hear from us, the lists they are on, and what they answered.

Addresses are encrypted at rest; beside each stands a keyed hash, by which it is found again and
kept unique, and a masked form, which is all that lists show.
"""

from datetime import datetime

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from campaigns.models.voices import Account
from sources.db import Base

CHANNELS = {"email": "E-mail", "sms": "Text message"}
# Stop word, one click, their words, told to a person; answered a mail, known to the gateway, and
# erased, so that no file brings them back.
OPT_OUT_WAYS = ("stop", "unsubscribe", "words", "person", "mail", "gateway", "erased")
LIVE = text("removed_at IS NULL")


class Contact(Base):
    """A person who may be written to, once they agreed to it."""

    __tablename__ = "contacts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)  # ISO 639-1, in which they want to be written to
    county: Mapped[str | None] = mapped_column(Text)  # FIPS code, five digits
    zone: Mapped[str | None] = mapped_column(Text)  # IANA, where somebody told us
    # Every zone they may be in: it must be daytime in all. Empty: nothing is known but the country.
    zones: Mapped[list[str]] = mapped_column(ARRAY(Text))
    added_by: Mapped[int]
    added_at: Mapped[datetime]
    # Their wish to be forgotten: no name, no address and no place of theirs is left.
    erased_at: Mapped[datetime | None]
    addresses: Mapped[list["ContactAddress"]] = relationship(
        back_populates="contact", order_by="ContactAddress.id"
    )


class ContactAddress(Base):
    """One address of a contact: where a delivery goes. A changed address is another row."""

    __tablename__ = "contact_addresses"
    __table_args__ = (
        CheckConstraint(f"channel IN {tuple(CHANNELS)}", name="channel"),
        UniqueConstraint("channel", "hash"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id"), index=True)
    channel: Mapped[str] = mapped_column(Text)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # Fernet token; None: erased
    hash: Mapped[str] = mapped_column(Text)  # hex HMAC-SHA256 of channel and address
    label: Mapped[str] = mapped_column(Text)  # the address, masked
    added_by: Mapped[int]
    added_at: Mapped[datetime]
    contact: Mapped[Contact] = relationship(back_populates="addresses")
    consents: Mapped[list["ContactConsent"]] = relationship(
        back_populates="address", order_by="ContactConsent.id.desc()"
    )


class ContactConsent(Base):
    """Proof that a contact agreed to be written to at one address. Ended, never deleted."""

    __tablename__ = "contact_consents"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(ended_at, ended_by, ended_why) IN (0, 3)",
            name="ended",
        ),
        Index(
            "ix_contact_consents_standing", "address_id", postgresql_where=text("ended_at IS NULL")
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    address_id: Mapped[int] = mapped_column(ForeignKey("contact_addresses.id"), index=True)
    given_at: Mapped[datetime]
    how: Mapped[str] = mapped_column(Text)  # "Signed the sheet at the market"
    evidence: Mapped[str] = mapped_column(Text)  # where the proof lies
    wording: Mapped[str] = mapped_column(Text)  # what they agreed to, in the words they read
    recorded_by: Mapped[int]
    recorded_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[int | None]
    ended_why: Mapped[str | None] = mapped_column(Text)
    address: Mapped[ContactAddress] = relationship(back_populates="consents")


class OptOut(Base):
    """Somebody wants nothing more at an address, whether we know whose it is or not.

    It belongs to the address and outlives the contact: nobody who left is added again unseen.
    """

    __tablename__ = "opt_outs"
    __table_args__ = (
        CheckConstraint(f"channel IN {tuple(CHANNELS)}", name="channel"),
        CheckConstraint(f"how IN {OPT_OUT_WAYS}", name="how"),
        CheckConstraint("(ended_at IS NULL) = (ended_how IS NULL)", name="ended"),
        Index(
            "uq_opt_outs_standing",
            *("channel", "hash"),
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(Text)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # None: erased, the hash is all
    label: Mapped[str] = mapped_column(Text)
    how: Mapped[str] = mapped_column(Text)  # one of OPT_OUT_WAYS
    at: Mapped[datetime]
    by: Mapped[int | None]  # who recorded it, where it was a person
    ended_at: Mapped[datetime | None]
    ended_how: Mapped[str | None] = mapped_column(Text)  # only they themselves can: START


class Reply(Base):
    """A text message or an answer to a mail. Its words are encrypted; once settled, forgotten."""

    __tablename__ = "replies"
    __table_args__ = (
        CheckConstraint("kind IN ('stop', 'help', 'start', 'words')", name="kind"),
        CheckConstraint("outcome IN ('opt-out', 'no opt-out')", name="outcome"),
        CheckConstraint(
            "num_nonnulls(settled_at, settled_by, outcome) IN (0, 3)",
            name="settled",
        ),
        UniqueConstraint("gateway", "gateway_id"),
        Index(
            "ix_replies_waiting",
            *("channel", "hash"),
            postgresql_where=text("kind = 'words' AND settled_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(Text)  # twilio, kannel, mail
    gateway_id: Mapped[str] = mapped_column(Text)  # its own id: the same text may come twice
    channel: Mapped[str] = mapped_column(Text)
    hash: Mapped[str] = mapped_column(Text)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # where it came from; None: erased
    label: Mapped[str] = mapped_column(Text)
    words: Mapped[bytes | None] = mapped_column(LargeBinary)  # Fernet token
    kind: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[int | None]
    outcome: Mapped[str | None] = mapped_column(Text)


class Audience(Base):
    """A named list of contacts that a voice can speak to."""

    __tablename__ = "audiences"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)  # the handle of the accounts that use it
    purpose: Mapped[str] = mapped_column(Text)
    made_by: Mapped[int]
    made_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]  # nothing more goes to it; its changes say who and why


class AudienceChange(Base):
    """A list got another name, was closed, or was opened again: who did it, and why."""

    __tablename__ = "audience_changes"
    __table_args__ = (
        CheckConstraint("kind IN ('renamed', 'closed', 'reopened')", name="kind"),
        CheckConstraint("(kind = 'renamed') = (was IS NOT NULL)", name="was"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    audience_id: Mapped[int] = mapped_column(ForeignKey("audiences.id"), index=True)
    kind: Mapped[str] = mapped_column(Text)
    was: Mapped[str | None] = mapped_column(Text)  # its name before
    why: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]


class ContactErasure(Base):
    """A contact was erased: who did it, when and why. Nothing here says who they were."""

    __tablename__ = "contact_erasures"

    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id"), primary_key=True)
    why: Mapped[str] = mapped_column(Text)
    by: Mapped[int]
    at: Mapped[datetime]


class AudienceMember(Base):
    """A contact on a list, from when and until when."""

    __tablename__ = "audience_members"
    __table_args__ = (
        CheckConstraint("(removed_at IS NULL) = (removed_by IS NULL)", name="removed"),
        Index(
            "uq_audience_members_live",
            *("audience_id", "contact_id"),
            unique=True,
            postgresql_where=LIVE,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    audience_id: Mapped[int] = mapped_column(ForeignKey("audiences.id"))
    contact_id: Mapped[int] = mapped_column(ForeignKey("contacts.id"), index=True)
    added_by: Mapped[int]
    added_at: Mapped[datetime]
    removed_by: Mapped[int | None]
    removed_at: Mapped[datetime | None]
    audience: Mapped[Audience] = relationship()
    contact: Mapped[Contact] = relationship()


class Outlet(Base):
    """What an account that speaks to a list needs besides its handle, which is the list's name."""

    __tablename__ = "outlets"

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    audience_id: Mapped[int] = mapped_column(ForeignKey("audiences.id"))
    sender: Mapped[str] = mapped_column(Text)  # the address or number it comes from
    registration: Mapped[str | None] = mapped_column(Text)  # with the carriers (10DLC campaign id)
    account: Mapped[Account] = relationship(back_populates="outlet")
    audience: Mapped[Audience] = relationship()
