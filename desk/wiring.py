"""The only place where settings become objects. Plug-ins are entries of the dicts below."""

import base64
import contextlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from campaigns.publishers import Publisher
from campaigns.publishers.bluesky import BlueskyPublisher
from campaigns.publishers.dry_run import DryRunPublisher
from desk.database import start_embedded
from desk.settings import SECRET_LENGTH, Settings, SettingsError
from sources.bluesky import Firehose, Jetstream
from sources.collector import Collector
from sources.db import make_engine, make_sessions
from sources.example import ExampleTown
from sources.feeds import Feed
from sources.models import Source
from sources.reddit import Subreddit
from sources.words import watch_words


def clock() -> datetime:
    """The one clock; read by the worker and the routes, handed down to everything else."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Wiring:
    """What a process of the desk needs, made once at its start."""

    settings: Settings
    secret: str  # the root of the two keys below
    engine: Engine
    sessions: sessionmaker[Session]
    vault: Fernet  # encrypts the secrets of connected accounts
    pseudonym_key: bytes  # turns authors into rotating pseudonyms
    zone: ZoneInfo
    publishers: dict[str, Publisher]
    collectors: dict[str, Callable[[Source], Collector]]


def database_url(settings: Settings) -> str:
    """The configured database, or the embedded one, which this call starts."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return start_embedded(settings.data_dir.resolve() / "postgres")


def wire(settings: Settings, url: str) -> Wiring:
    """Build everything that settings describe. Opens no connection and loads no model."""
    engine = make_engine(url)
    secret = _secret(settings)
    keep = watch_words(settings.watch_words)
    return Wiring(
        settings=settings,
        secret=secret,
        engine=engine,
        sessions=make_sessions(engine),
        vault=Fernet(base64.urlsafe_b64encode(_derive(secret, b"accounts"))),
        pseudonym_key=_derive(secret, b"pseudonyms"),
        zone=ZoneInfo(settings.time_zone),
        publishers={"bluesky": BlueskyPublisher(), "dry_run": DryRunPublisher()},
        collectors={
            "feed": lambda source: Feed(source.address, contact=settings.contact),
            "jetstream": lambda source: Jetstream(
                source.address, keep=keep, contact=settings.contact
            ),
            "firehose": lambda source: Firehose(
                source.address, keep=keep, contact=settings.contact
            ),
            "reddit": lambda source: Subreddit(
                source.address,
                approval=settings.reddit_approval,
                client_id=settings.reddit_client_id,
                client_secret=_plain(settings.reddit_client_secret),
                user_agent=settings.reddit_user_agent,
            ),
            "example": lambda source: ExampleTown(speed=settings.demo_speed, clock=clock),
        },
    )


def _secret(settings: Settings) -> str:
    """The desk's root secret: from the settings, or made once and kept in data_dir."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = settings.data_dir / "secret.key"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
    secret = path.read_text().strip()
    if len(secret) < SECRET_LENGTH:
        raise SettingsError(
            f"The key in {path} is cut short. Restore it from a backup; without it the passwords "
            "of connected accounts cannot be read."
        )
    return secret


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _derive(secret: str, purpose: bytes) -> bytes:
    info = b"breakwater " + purpose
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())
