"""Voices: who speaks, what they agreed to, and the accounts they speak from."""

from collections.abc import Collection
from datetime import datetime
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from campaigns import deliveries
from campaigns.models import Account, Consent, Voice
from campaigns.publishers import PLATFORMS

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})  # where a password may travel unencrypted


def all_voices(session: Session) -> list[Voice]:
    """Every voice by name, with consents and accounts."""
    return list(
        session.scalars(
            select(Voice)
            .options(selectinload(Voice.consents), selectinload(Voice.accounts))
            .order_by(Voice.name, Voice.id)
        )
    )


def add_voice(
    session: Session, *, name: str, role: str, leader_id: int, by: int, now: datetime
) -> Voice:
    """A new voice, for whom only the person ``leader_id`` may approve. ValueError: no name."""
    voice = Voice(
        name=_words(name, "The voice needs a name."),
        role=_words(role, "Say who this voice is, such as “Pastor, Hope Church”."),
        leader_id=leader_id,
        created_by=by,
        created_at=now,
    )
    session.add(voice)
    session.flush()
    return voice


def record_consent(
    session: Session,
    voice: Voice,
    *,
    scope: str,
    platforms: Collection[str],
    evidence: str,
    valid_from: datetime,
    valid_until: datetime,
    by: int,
    now: datetime,
) -> Consent:
    """What the voice agreed to and how we know. ValueError says what is missing or impossible."""
    if not platforms:
        raise ValueError("Name at least one platform the voice agreed to.")
    for platform in platforms:
        _known(platform)
    if valid_until <= valid_from:
        raise ValueError("The consent must end after it begins.")
    consent = Consent(
        voice=voice,
        scope=_words(scope, "Say what the voice agreed to."),
        platforms=sorted(set(platforms)),
        evidence=_words(evidence, "Say how the consent was given, such as a signed form."),
        valid_from=valid_from,
        valid_until=valid_until,
        recorded_by=by,
        recorded_at=now,
    )
    session.add(consent)
    session.flush()
    return consent


def standing_consent(voice: Voice, platform: str, at: datetime) -> Consent | None:
    """The consent that covers this platform at this moment, if one does."""
    for consent in voice.consents:
        if (
            consent.withdrawn_at is None
            and platform in consent.platforms
            and consent.valid_from <= at < consent.valid_until
        ):
            return consent
    return None


def withdraw_consent(
    session: Session, consent: Consent, *, why: str, by: int, now: datetime
) -> None:
    """End a consent. Whatever waits in the queue and is no longer covered stops with it.

    A call that is under way is past stopping; it is not made again.
    """
    if consent.withdrawn_at is not None:
        raise ValueError("This consent was withdrawn before.")
    consent.withdrawn_why = _words(why, "Say why the consent ends.")
    consent.withdrawn_by = by
    consent.withdrawn_at = now
    session.flush()
    voice = consent.voice
    for delivery in deliveries.locked(session, deliveries.of_voice(voice.id)):
        sent_at = max(delivery.due_at, now)
        if standing_consent(voice, delivery.account.platform, sent_at) is None:
            deliveries.stand_down(delivery, f"{voice.name} withdrew consent: {why.strip()}", now)
    session.flush()


def connect_account(
    session: Session,
    voice: Voice,
    *,
    platform: str,
    handle: str,
    service: str,
    secret: str | None,
    vault: Fernet,
    by: int,
    now: datetime,
) -> Account:
    """Connect a voice's own account, or renew the secret of one connected before.

    ``secret`` is the app password; only its Fernet token is stored. ValueError says what is wrong.
    """
    _known(platform)
    handle = _words(handle, "The account needs a handle.").removeprefix("@").lower()
    service = service.strip().rstrip("/")
    if platform != "dry_run":
        _check_service(service)
        secret = _words(secret or "", "The account needs an app password.")
    account = session.scalar(
        select(Account).where(
            Account.voice_id == voice.id, Account.platform == platform, Account.handle == handle
        )
    )
    if account is None:
        account = Account(voice=voice, platform=platform, handle=handle)
        session.add(account)
    account.service = service
    account.secret = vault.encrypt(secret.encode()) if secret else None
    account.connected_by = by
    account.connected_at = now
    session.flush()
    return account


def _known(platform: str) -> None:
    if platform not in PLATFORMS:
        raise ValueError(f"“{platform}” is not a platform we can publish to.")


def _check_service(service: str) -> None:
    try:
        address = urlsplit(service)
        host = address.hostname
    except ValueError:
        host = None
    if not host or address.scheme not in ("http", "https"):
        raise ValueError("The server's address must start with https://.")
    if address.scheme == "http" and host not in LOOPBACK:
        raise ValueError("Without https:// the app password would travel in the clear.")
    if address.path or address.query or address.fragment or address.username:
        raise ValueError("The server's address is only its name, such as https://bsky.social.")


def _words(text: str, complaint: str) -> str:
    if not text.strip():
        raise ValueError(complaint)
    return text.strip()
