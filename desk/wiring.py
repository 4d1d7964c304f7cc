"""The only place where settings become objects. Plug-ins are entries of the dicts below."""

import base64
import contextlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING
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
from monitor.cued import seems_alarming
from monitor.embed import Embedder
from monitor.narratives import note_departure
from sources import bluesky, example, feeds, reddit
from sources.collect import Intake
from sources.collector import Checker, Collector
from sources.db import make_engine, make_sessions
from sources.example import ExampleTown
from sources.firehose import Firehose
from sources.jetstream import Jetstream
from sources.models import Source
from sources.policy import Policies
from sources.purge import Purger
from sources.watches import Watches

if TYPE_CHECKING:
    from desk.couriers import Courier


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
    intake: Intake  # with which every source is read
    zone: ZoneInfo
    publishers: dict[str, Publisher]
    collectors: dict[str, Callable[[Source, int], Collector]]
    checkers: dict[str, Callable[[], Checker]]  # by platform
    embedder: Callable[[], Embedder]  # the language model, loaded when it is first asked for
    courier: "Callable[[], Courier]"  # tells people; loaded when it is first asked for


def database_url(settings: Settings) -> str:
    """The configured database, or the embedded one, which this call starts."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return start_embedded(settings.data_dir.resolve() / "postgres")


def wire(settings: Settings, url: str) -> Wiring:
    """Build everything that settings describe. Opens no connection and loads no model."""
    engine = make_engine(url)
    secret = _secret(settings)
    # One client for all sources: it knows what is left of Reddit's allowance.
    reddit_client = cache(partial(_reddit_client, settings))
    bluesky_checker = cache(
        lambda: bluesky.BlueskyChecker(settings.bluesky_api, contact=settings.contact)
    )
    policies = Policies(
        [
            bluesky.POLICY,
            feeds.POLICY,
            example.POLICY,
            reddit.policy(settings.reddit_approval, timedelta(hours=settings.reddit_keep_hours)),
        ]
    )
    return Wiring(
        settings=settings,
        secret=secret,
        engine=engine,
        sessions=make_sessions(engine),
        vault=Fernet(base64.urlsafe_b64encode(_derive(secret, b"accounts"))),
        intake=Intake(
            purger=Purger(key=_derive(secret, b"pseudonyms"), leaving=note_departure),
            policies=policies,
            watches=Watches(),
            alarming=seems_alarming,
        ),
        zone=ZoneInfo(settings.time_zone),
        publishers={"bluesky": BlueskyPublisher(), "dry_run": DryRunPublisher()},
        collectors=_collectors(settings, reddit_client),
        checkers={
            "bluesky": bluesky_checker,
            "reddit": lambda: reddit.RedditChecker(reddit_client()),
        },
        embedder=cache(partial(_embedder, settings.model)),
        courier=cache(partial(_courier, settings)),
    )


def _collectors(
    settings: Settings, reddit_client: Callable[[], reddit.RedditClient]
) -> dict[str, Callable[[Source, int], Collector]]:
    """By kind of source: its collector, made for a source and the number of its active kind."""
    contact, private = settings.contact, settings.private_addresses
    file = settings.jetstream_dictionary
    dictionary = None if file is None else file.read_bytes()
    return {
        "feed": lambda source, _: feeds.Feed(source.address, contact=contact, private=private),
        "jetstream": lambda source, _: Jetstream(
            source.address, contact=contact, private=private, dictionary=dictionary
        ),
        "firehose": lambda source, _: Firehose(source.address, contact=contact, private=private),
        "bluesky-search": lambda source, _: bluesky.BlueskySearch(
            source.address, appview=settings.bluesky_api, contact=contact
        ),
        "reddit": lambda source, siblings: reddit.RedditListing(
            source.address, reddit_client(), siblings=siblings
        ),
        "example": lambda source, _: ExampleTown(speed=settings.demo_speed, clock=clock),
    }


def _embedder(model: str | None) -> Embedder:
    # Imported here: ONNX Runtime takes memory that only those who read posts should spend.
    from monitor.encoder import load_encoder

    return load_encoder(model)


def _courier(settings: Settings) -> "Courier":
    # Imported here: apprise takes time and memory that only who sends should spend.
    from desk.couriers import Courier

    return Courier(_plain(settings.mail), private=settings.private_addresses)


def _reddit_client(settings: Settings) -> reddit.RedditClient:
    return reddit.RedditClient(
        approval=settings.reddit_approval,
        client_id=settings.reddit_client_id,
        client_secret=_plain(settings.reddit_client_secret),
        user_agent=settings.reddit_user_agent,
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
