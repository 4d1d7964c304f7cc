"""The only place where settings become objects. Plug-ins are entries of the dicts below."""

import contextlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from campaigns.accounts.server_looks import Limits
from campaigns.contacts.contacts import AddressBook
from campaigns.publishers import Publisher
from campaigns.publishers.bluesky_keeper import BlueskyKeeper
from campaigns.publishers.dpop import Line
from campaigns.publishers.dry_run import DryRunPublisher
from campaigns.publishers.email import EmailPublisher
from campaigns.publishers.exchange import Check
from campaigns.publishers.housed import Housed
from campaigns.publishers.identities import Directory
from campaigns.publishers.kannel import KannelPublisher
from campaigns.publishers.keeping import Keeper, OwnRecordKeeper
from campaigns.publishers.mastodon_keeper import MastodonKeeper
from campaigns.publishers.oauth import OAuth, client_at
from campaigns.publishers.receipts import is_public
from campaigns.publishers.reddit_keeper import RedditKeeper
from campaigns.publishers.reddit_login import RedditLogin
from campaigns.publishers.twilio import TwilioPublisher
from campaigns.publishers.web import WebPublisher
from desk.database import start_embedded
from desk.keys import LostKeyError, Vault, derive, lasting, roots_of
from desk.mailbox import Place, read_place
from desk.settings import SECRET_LENGTH, Settings, SettingsError
from monitor.embedding.embed import Embedder
from monitor.narratives.narratives import note_departure
from monitor.reading.cued import seems_alarming
from sources import bluesky, example, feeds, reddit
from sources.addresses import check_public
from sources.collect import Intake
from sources.collector import Checker, Collector
from sources.db import make_engine, make_sessions
from sources.example import ExampleTown
from sources.jetstream import Jetstream
from sources.models import Source
from sources.policy import Policies
from sources.purge import Purger
from sources.watches import Watches

if TYPE_CHECKING:
    from desk.couriers import Courier


TWILIO = "https://api.twilio.com"


def clock() -> datetime:
    """The one clock; read by the worker and the routes, handed down to everything else."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Wiring:
    """What a process of the desk needs, made once at its start."""

    settings: Settings
    secret: str  # the roots of the keys below, newest first, with a comma between two
    engine: Engine
    sessions: sessionmaker[Session]
    vault: Vault  # encrypts the secrets of connected accounts
    book: AddressBook  # seals the addresses of contacts, and finds them again
    intake: Intake  # with which every source is read
    zone: ZoneInfo
    mailbox: Place | None  # in which bounces and answers arrive
    publishers: dict[str, Publisher]
    keepers: dict[str, Keeper]  # what was published is looked after by them
    bluesky_oauth: OAuth | None  # None: the desk has no address at which servers could ask for it
    reddit_login: RedditLogin | None  # where Reddit has approved the desk
    server_limits: Limits  # what a Mastodon server says that it takes
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
    check = _check(settings)
    bluesky_keeper = BlueskyKeeper(settings.bluesky_api, line=Line(clock, check), check=check)
    mastodon_keeper = MastodonKeeper(check=check)
    reddit_desk = _at_reddit(settings)
    on_reddit = {"reddit": reddit_desk[0]} if reddit_desk else {}
    policies = Policies(
        [
            bluesky.POLICY,
            feeds.POLICY,
            example.POLICY,
            reddit.policy(settings.reddit_approval, timedelta(hours=settings.reddit_keep_hours)),
        ]
    )
    roots = roots_of(secret)
    vault = Vault(roots)
    return Wiring(
        settings=settings,
        secret=secret,
        engine=engine,
        sessions=make_sessions(engine),
        vault=vault,
        book=AddressBook(vault, derive(roots[-1], b"contacts")),  # see desk/keys.py
        intake=Intake(
            purger=Purger(key=derive(roots[-1], b"pseudonyms"), leaving=note_departure),
            policies=policies,
            watches=Watches(),
            alarming=seems_alarming,
        ),
        zone=ZoneInfo(settings.time_zone),
        mailbox=None if settings.bounces is None else read_place(_plain(settings.bounces) or ""),
        publishers={
            "bluesky": bluesky_keeper,
            "mastodon": mastodon_keeper,
            "dry_run": DryRunPublisher(),
            **on_reddit,
            **_to_lists(settings),
            **({"web": WebPublisher(settings.address)} if settings.public_page else {}),
        },
        keepers={
            "bluesky": bluesky_keeper,
            "mastodon": mastodon_keeper,
            **on_reddit,
            "web": OwnRecordKeeper(),
            "dry_run": OwnRecordKeeper(),
        },
        bluesky_oauth=_oauth(settings, derive(roots[-1], b"oauth")),
        reddit_login=reddit_desk[1] if reddit_desk else None,
        server_limits=mastodon_keeper.limits,
        collectors=_collectors(settings, reddit_client),
        checkers={
            "bluesky": bluesky_checker,
            "reddit": lambda: reddit.RedditChecker(reddit_client()),
        },
        embedder=cache(partial(_embedder, settings.model)),
        courier=cache(partial(_courier, settings)),
    )


def with_lasting_keys(wiring: Wiring) -> Wiring:
    """The same, with the derived keys that its database has kept over changes of the secret key.

    The database must be up and migrated. SettingsError where the secret key is not its own.
    """
    try:
        with wiring.sessions() as session:
            keys = lasting(session, wiring.vault, roots_of(wiring.secret))
    except LostKeyError as fault:
        raise SettingsError(str(fault)) from None
    purger = replace(wiring.intake.purger, key=keys["pseudonyms"])
    return replace(
        wiring,
        book=AddressBook(wiring.vault, keys["contacts"]),
        bluesky_oauth=_oauth(wiring.settings, keys["oauth"]),
        intake=replace(wiring.intake, purger=purger),
    )


def _check(settings: Settings) -> Check:
    """Which servers that somebody names are asked: public ones, unless the settings say more."""
    return lambda url: check_public(url, private=settings.private_addresses)


def _oauth(settings: Settings, seed: bytes) -> OAuth | None:
    """How voices' accounts are signed in at their own servers; None where none could know us."""
    client, line = client_at(settings.address, seed), Line(clock, _check(settings))
    if client is None:
        return None
    return OAuth(client, line, Directory(line, settings.bluesky_api))


def _at_reddit(settings: Settings) -> tuple[RedditKeeper, RedditLogin] | None:
    """Who submits to Reddit and signs in there, as the client it approved; None without one."""
    client_id, agent = settings.reddit_client_id, settings.reddit_user_agent
    secret = _plain(settings.reddit_client_secret)
    if not (settings.reddit_approval and client_id and secret and agent):
        return None
    return (
        RedditKeeper(client_id=client_id, client_secret=secret, user_agent=agent),
        RedditLogin(client_id=client_id, client_secret=secret, user_agent=agent),
    )


def _to_lists(settings: Settings) -> dict[str, Publisher]:
    """The publishers of messages to lists, by the organisation's own mail server and gateway."""
    found: dict[str, Publisher] = {}
    if settings.list_mail is not None:
        there = urlsplit(settings.list_mail.get_secret_value())
        port = f":{there.port}" if there.port else ""
        user = unquote(there.username or "")
        access = f"{user}:{unquote(there.password or '')}" if user else None
        service = f"{there.scheme}://{there.hostname}{port}"
        found["email"] = Housed(EmailPublisher(), service, access)
    access = _plain(settings.sms_access)
    if settings.sms_gateway == "twilio":
        service, desk = settings.sms_address or TWILIO, settings.public_url
        called_back = desk if desk is not None and is_public(desk) else None
        found["sms"] = Housed(TwilioPublisher(desk=called_back), service, access)
    elif settings.sms_gateway == "kannel" and settings.sms_address:
        kannel = KannelPublisher(desk=settings.public_url, secret=_plain(settings.sms_inbound))
        found["sms"] = Housed(kannel, settings.sms_address, access)
    return found


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
        "firehose": lambda source, _: _firehose(source.address, contact, private),
        "bluesky-search": lambda source, _: bluesky.BlueskySearch(
            source.address, appview=settings.bluesky_api, contact=contact
        ),
        "reddit": lambda source, siblings: reddit.RedditListing(
            source.address, reddit_client(), siblings=siblings
        ),
        "example": lambda source, _: ExampleTown(speed=settings.demo_speed, clock=clock),
    }


def _firehose(address: str, contact: str, private: bool) -> Collector:
    # Imported here: atproto's models take seconds that only who reads a server should spend.
    from sources.firehose import Firehose

    return Firehose(address, contact=contact, private=private)


def _embedder(model: str | None) -> Embedder:
    # Imported here: ONNX Runtime takes memory that only those who read posts should spend.
    from monitor.embedding.encoder import load_encoder

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
    """The desk's root secrets: from the settings, or one made once and kept in data_dir."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = settings.data_dir / "secret.key"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
    secret = path.read_text().strip()
    if any(len(root) < SECRET_LENGTH for root in roots_of(secret)):
        raise SettingsError(
            f"The key in {path} is cut short. Restore it from a backup; without it the passwords "
            "of connected accounts cannot be read."
        )
    return secret


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
