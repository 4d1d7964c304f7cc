"""The only reader of the environment. Every setting is BREAKWATER_<NAME>; .env is read too."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, Self, get_args
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import (
    AnyHttpUrl,
    AnyWebsocketUrl,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

PREFIX = "BREAKWATER_"
SECRET_LENGTH = 32  # characters

# Public feeds a US desk can start with; staff add local ones on the sources page.
FIRST_FEEDS = (
    "https://feeds.npr.org/1003/rss.xml",
    "https://www.pbs.org/newshour/feeds/rss/headlines",
    "https://www.theguardian.com/us-news/rss",
    "https://rss.nytimes.com/services/xml/rss/nyt/US.xml",
    "https://stateline.org/feed/",
)


class SettingsError(Exception):
    """The environment is wrong; each line names the variable and what is wrong with it."""


class Settings(BaseSettings):
    """What a person may set, with defaults on which `make run` works as it is."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore")

    organisation: str = "Breakwater"
    time_zone: str = "America/New_York"  # in which the desk shows and asks for times
    data_dir: Path = Path("data")  # embedded database and generated key
    database_url: SecretStr | None = None  # any PostgreSQL 15+ with pgvector; empty: embedded
    secret_key: SecretStr | None = (
        None  # 32+ characters; empty: made once in data_dir; newest,older
    )
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    web_processes: Annotated[int, Field(ge=1, le=16)] = 1  # each takes one core, and its memory
    public_url: str | None = None  # how people reach the desk, when a proxy stands before it
    public_page: bool = False  # /said and its feed: what was said, for everybody
    model: str | None = None  # sentence-transformers folder or hub name; empty: bundled
    contact: str = ""  # web or mail address put into the User-Agent of every request
    feeds: Annotated[tuple[str, ...], NoDecode] = FIRST_FEEDS
    # Several addresses, with spaces between: when one breaks off, the next is read.
    jetstream_url: str | None = " ".join(
        f"wss://jetstream{host}.bsky.network/subscribe"
        for host in ("2.us-east", "1.us-east", "2.us-west", "1.us-west")
    )
    jetstream_dictionary: Path | None = None  # Jetstream's zstd dictionary: a tenth of the traffic
    bluesky_api: str = "https://public.api.bsky.app"  # back-fill; the daily check; our posts
    # Sources inside the own network may be read, and people be told by servers there.
    private_addresses: bool = False
    reddit_approval: str | None = None  # reference of Reddit's written approval; empty: off
    reddit_keep_hours: Annotated[int, Field(ge=1)] = 48  # longer only if the approval says so
    reddit_client_id: str | None = None
    reddit_client_secret: SecretStr | None = None
    reddit_user_agent: str | None = None  # <platform>:<app ID>:<version> (by /u/<name>)
    # Apprise's address of a mail server, mailto:// or mailtos://; empty: no e-mail goes out.
    mail: SecretStr | None = None
    # Messages to lists: smtps://user:password@host:465 or smtp://…:587 (STARTTLS); empty: off.
    list_mail: SecretStr | None = None
    # Where mail that comes back arrives: imaps://user:password@host/INBOX; empty: nobody reads it.
    bounces: SecretStr | None = None
    sms_gateway: Literal["twilio", "kannel"] | None = None  # empty: no text messages
    sms_address: str | None = None  # of the gateway; empty: Twilio's own
    sms_access: SecretStr | None = None  # AC…:SK…:secret (Twilio), user:password (Kannel)
    sms_inbound: SecretStr | None = None  # Twilio's auth token, or Kannel's shared secret
    demo_speed: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1800.0  # times life's speed

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object, info: ValidationInfo) -> object:
        field = cls.model_fields[info.field_name or ""]
        return None if value == "" and type(None) in get_args(field.annotation) else value

    @field_validator("feeds", mode="before")
    @classmethod
    def _comma_separated(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("feeds")
    @classmethod
    def _feeds_are_web_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            TypeAdapter(AnyHttpUrl).validate_python(address)
        return value

    @field_validator("jetstream_url")
    @classmethod
    def _are_websockets(cls, value: str | None) -> str | None:
        for address in re.split(r"[\s,]+", value or ""):
            if address:
                TypeAdapter(AnyWebsocketUrl).validate_python(address)
        return value

    @field_validator("jetstream_dictionary")
    @classmethod
    def _is_file(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"names {value}, and there is no such file")
        return value

    @field_validator("public_url", "bluesky_api", "sms_address")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value is not None:
            TypeAdapter(AnyHttpUrl).validate_python(value)
        return value and value.rstrip("/")

    @field_validator("time_zone")
    @classmethod
    def _is_time_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is no IANA time zone; one looks like America/Chicago")
        return value

    @field_validator("secret_key")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        listed = [] if value is None else value.get_secret_value().split(",")
        if any(len(key.strip()) < SECRET_LENGTH for key in listed):
            each = ", each of the keys between its commas" if len(listed) > 1 else ""
            raise ValueError(f"needs at least {SECRET_LENGTH} characters{each}")
        return value

    @field_validator("mail")
    @classmethod
    def _is_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            # Imported here: apprise takes time and memory that only who sends should spend.
            from desk.mail import read_mail

            read_mail(value.get_secret_value())
        return value

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        try:
            url = make_url(value.get_secret_value())
        except (ArgumentError, ValueError):
            raise ValueError("is no database URL; one looks like postgresql://…") from None
        if url.get_backend_name() not in ("postgresql", "postgres"):
            raise ValueError(f"names {url.get_backend_name()}, but the desk needs PostgreSQL")
        plain = url.set(drivername="postgresql+psycopg")
        return SecretStr(plain.render_as_string(hide_password=False))

    @field_validator("list_mail")
    @classmethod
    def _is_smtp(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            try:
                there = urlsplit(value.get_secret_value())
                whole = there.scheme in ("smtp", "smtps") and bool(there.hostname)
                _ = there.port
            except ValueError:
                whole = False
            if not whole:
                raise ValueError(
                    "is no mail server; one looks like smtps://user:password@mail.example.org:465"
                )
        return value

    @field_validator("bounces")
    @classmethod
    def _is_mailbox(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            # Imported here: only who reads a mailbox should spend time on it.
            from desk.mailbox import read_place

            read_place(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _whole_gateway(self) -> Self:
        if self.sms_gateway is None:
            return self
        given = {"SMS_ACCESS": self.sms_access, "SMS_INBOUND": self.sms_inbound}
        missing = [f"{PREFIX}{name}" for name, value in given.items() if value is None]
        if self.sms_gateway == "kannel" and self.sms_address is None:
            missing.append(f"{PREFIX}SMS_ADDRESS")
        if missing:
            raise PydanticCustomError(
                "whole_gateway",
                "BREAKWATER_SMS_GATEWAY needs {missing} too: without it nothing is sent, or nobody "
                "who texts STOP is heard",
                {"missing": " and ".join(missing)},
            )
        return self

    @model_validator(mode="after")
    def _shared_key(self) -> Self:
        if self.database_url is not None and self.secret_key is None:
            raise PydanticCustomError(
                "shared_key",
                "BREAKWATER_SECRET_KEY is needed with BREAKWATER_DATABASE_URL: all processes of "
                "one desk share it, and accounts and pseudonyms depend on it",
            )
        return self

    @property
    def address(self) -> str:
        """Where people open the desk, without a trailing slash."""
        host = "localhost" if self.host in ("127.0.0.1", "0.0.0.0") else self.host  # noqa: S104
        return self.public_url or f"http://{host}:{self.port}"


def load_settings() -> Settings:
    """Settings from the environment, checked; SettingsError names each variable that is wrong."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    faults = [
        f"{name} is not a setting of Breakwater; is it a misspelling?"
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name not in known and not name.startswith(f"{PREFIX}TEST_")
    ]
    try:
        settings = Settings()
    except ValidationError as fault:
        faults += [
            "".join(f"{PREFIX}{str(place).upper()}: " for place in error["loc"][:1])
            + error["msg"].removeprefix("Value error, ")
            for error in fault.errors(include_input=False)
        ]
        raise SettingsError("\n".join(faults)) from None
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


def child_environment(settings: Settings, database: URL, key: str) -> dict[str, str]:
    """The environment for a child process, with what this process found out or was told."""
    return os.environ | {
        f"{PREFIX}DATABASE_URL": database.render_as_string(hide_password=False),
        f"{PREFIX}SECRET_KEY": key,
        f"{PREFIX}DATA_DIR": str(settings.data_dir.resolve()),
        f"{PREFIX}DEMO_SPEED": str(settings.demo_speed),
    }
