"""Voices: who speaks, what they agreed to, and the accounts they speak from."""

from collections.abc import Collection
from datetime import datetime
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from campaigns.accounts import grants
from campaigns.models import Account, AccountClosing, Consent, Voice
from campaigns.publishers import KEYLESS, LISTED, PLATFORMS
from campaigns.publishers.dpop import MARK
from campaigns.sending import deliveries
from campaigns.wording.submissions import place_of

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})  # where a password may travel unencrypted
SECRETS = {  # what opens an account there
    "bluesky": "app password",
    "mastodon": "access token",
    "reddit": "refresh token",
}
REDDIT_SERVER = "https://www.reddit.com"  # the only one there is: whatever a form says
BLUESKY_SERVER = "bsky.social"  # the form's default; no account of another platform is there


def all_voices(session: Session) -> list[Voice]:
    """Every voice by name, with consents and accounts."""
    return list(
        session.scalars(
            select(Voice)
            .options(joinedload(Voice.consents), joinedload(Voice.accounts))  # a few of each
            .order_by(Voice.name, Voice.id)
        ).unique()
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

    A call that is under way is past stopping; it is not made again. What the leader granted at
    their accounts' own servers, and is no longer covered, ends too and is taken back there.
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
    for account in voice.accounts:
        if standing_consent(voice, account.platform, now) is None:
            grants.replace(session, account, why=f"Consent was withdrawn: {why}", by=by, now=now)
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
    secret_until: datetime | None = None,
) -> Account:
    """Connect a voice's own account, or renew the secret of one connected before.

    ``secret`` is what SECRETS names; only its Fernet token is stored. ``secret_until``: when the
    platform takes it no longer, where that is known. ValueError: what is wrong.
    """
    handle, service = _placed(platform, handle, service)
    if platform not in KEYLESS:
        secret = _words(secret or "", f"The account needs its {_secret_of(platform)}.")
        if secret.startswith(MARK):
            raise ValueError(f"This is no {_secret_of(platform)}.")
    if secret_until is not None and secret_until <= now:
        raise ValueError(f"This {_secret_of(platform)} would have ended already.")
    account = _connected(session, voice, platform, handle)
    if account is None:
        account = Account(voice=voice, platform=platform, handle=handle)
        session.add(account)
    elif account.closed_at is not None:
        use_again(session, account, by=by, now=now)
    else:
        grants.replace(session, account, why=grants.INSTEAD, by=by, now=now)
    account.service = service
    account.secret = vault.encrypt(secret.encode()) if secret else None
    account.secret_until = secret_until if secret else None
    account.connected_by = by
    account.connected_at = now
    session.flush()
    return account


def use_again(session: Session, account: Account, *, by: int, now: datetime) -> None:
    """An account that was closed is one of its voice's accounts again; its closing stays."""
    standing = select(AccountClosing).where(
        AccountClosing.account_id == account.id, AccountClosing.ended_at.is_(None)
    )
    for closing in session.scalars(standing):
        closing.ended_at, closing.ended_by = now, by
    account.closed_at = None
    session.flush()
    session.expire(account.voice, ["accounts"])


def name_account(
    session: Session,
    voice: Voice,
    *,
    platform: str,
    handle: str,
    service: str,
    by: int,
    now: datetime,
) -> Account:
    """Note which account a voice has, without what opens it: nothing goes out until it is known.

    One that stands is left as it is. ValueError: what is wrong.
    """
    handle, service = _placed(platform, handle, service)
    account = _connected(session, voice, platform, handle)
    if account is None:
        account = Account(voice=voice, platform=platform, handle=handle, service=service)
        account.connected_by, account.connected_at = by, now
        session.add(account)
        session.flush()
    return account


def is_open(account: Account) -> bool:
    """Whether we have what opens the account, or need nothing."""
    return account.platform in KEYLESS or account.secret is not None


def _placed(platform: str, handle: str, service: str) -> tuple[str, str]:
    """Handle and server as they are kept. ValueError."""
    _known(platform)
    if platform in LISTED:
        raise ValueError("A list is connected on its own page, under Contacts.")
    handle = _words(handle, "The account needs a handle.").removeprefix("@").lower()
    service = service.strip().rstrip("/")
    if platform == "reddit":
        handle, service = str(place_of(handle)), REDDIT_SERVER
    if platform in KEYLESS:
        return handle, ""  # there is no server to sign in at, whatever a form proposes
    _check_service(platform, service)
    return handle, service


def _connected(session: Session, voice: Voice, platform: str, handle: str) -> Account | None:
    return session.scalar(
        select(Account).where(
            Account.voice_id == voice.id, Account.platform == platform, Account.handle == handle
        )
    )


def _known(platform: str) -> None:
    if platform not in PLATFORMS:
        raise ValueError(f"“{platform}” is not a platform we can publish to.")


def _secret_of(platform: str) -> str:
    return SECRETS.get(platform, "password")


def _check_service(platform: str, service: str) -> None:
    try:
        address = urlsplit(service)
        host = address.hostname
    except ValueError:
        host = None
    if not host or address.scheme not in ("http", "https"):
        raise ValueError("The server's address must start with https://.")
    if address.scheme == "http" and host not in LOOPBACK:
        raise ValueError(f"Without https:// the {_secret_of(platform)} would travel in the clear.")
    if address.path or address.query or address.fragment or address.username:
        raise ValueError("The server's address is only its name, such as https://bsky.social.")
    if platform != "bluesky" and host == BLUESKY_SERVER:
        raise ValueError(f"{service} is Bluesky's. Name the server this account is on.")


def _words(text: str, complaint: str) -> str:
    if not text.strip():
        raise ValueError(complaint)
    return text.strip()
