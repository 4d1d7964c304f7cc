"""The places that the publishers of ``tests.campaigns.faults`` speak to: real servers where one can
run on loopback, else stand-ins that keep state; and what really stands there.
"""

import contextlib
import email
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from mastodon_mock.config import DatabaseConfig, MastodonMockConfig, SeedAccount, SeedConfig
from mastodon_mock.testing.server import MockServer
from sqlalchemy.orm import Session, sessionmaker

from campaigns.afterwards import said
from campaigns.wording.threads import keys_of, posts_in
from tests.campaigns import cast, listing
from tests.campaigns.killed import FilePublisher
from tests.campaigns.publishers.kannel_gateway import running_kannel
from tests.campaigns.publishers.reddit_server import REFRESH, reddit_standing_in
from tests.campaigns.publishers.test_email import Mailbox, serving
from tests.campaigns.publishers.test_twilio import standing_in
from tests.pds.consent import opened_by_its_owner
from tests.pds.server import Account, Pds, running

PUBLISHERS = (
    *("file", "web", "bluesky", "granted", "thread", "mastodon", "reddit", "email", "twilio"),
    "kannel",
)
HALF = "/half"  # behind the key of a thread of which only some posts stand
DAY = 15  # o'clock in UTC: morning in Detroit
THREAD = (
    "Our town's bridge is open.\n---\nUse it: the crew finished on Monday.\n---\n"
    "See https://town.example/b."
)
SETTLED = 0.05  # seconds until what a gateway has taken is on its network


@dataclass(frozen=True)
class Place:
    """``name``: of the publisher; ``platform``: the key under which a voice speaks there.

    ``there`` answers, for the record keys of a run, the key of every whole copy that stands there
    since ``clear``; where a copy does not bear its key, the first one's.
    """

    name: str
    platform: str
    address: str
    there: Callable[[Sequence[str]], list[str]]
    clear: Callable[[], None] = lambda: None
    handle: str = "paula"
    secret: str | None = None
    text: str = cast.CALM


def due_by_clocks() -> datetime:
    """A time of day in the past, at which places with clocks of their own may be written to."""
    today = datetime.now(UTC).replace(hour=DAY, minute=0, second=0, microsecond=0)
    return today if today <= datetime.now(UTC) else today - timedelta(days=1)


@contextlib.contextmanager
def place(name: str, sessions: sessionmaker[Session], folder: Path) -> Iterator[Place]:
    """The place of the publisher called ``name``, one of PUBLISHERS, until the end of the block."""
    with contextlib.ExitStack() as open_:
        if name in ("bluesky", "granted", "thread"):
            pds = open_.enter_context(running())
            yield on_bluesky(pds, name)
        elif name == "mastodon":
            yield open_.enter_context(_mastodon())
        elif name == "reddit":
            yield open_.enter_context(_reddit())
        elif name == "email":
            yield open_.enter_context(_email())
        elif name == "twilio":
            yield open_.enter_context(_twilio())
        elif name == "kannel":
            yield open_.enter_context(_kannel(folder))
        elif name == "web":
            yield on_our_page(sessions)
        else:
            yield in_a_file(folder / "account")


def in_a_file(path: Path) -> Place:
    """A platform that protects from nothing; a rehearsal for the desk."""
    return Place(
        "file",
        "dry_run",
        str(path),
        there=lambda _: FilePublisher(path).posts(),
        clear=lambda: path.unlink(missing_ok=True),
    )


def on_our_page(sessions: sessionmaker[Session]) -> Place:
    """Our own page: what is published is what it shows."""

    def there(_: Sequence[str]) -> list[str]:
        with sessions() as session:
            return [one.key for one in said.newest(session, 1)[0]]

    return Place("web", "web", "https://desk.example", there)


def on_bluesky(pds: Pds, name: str) -> Place:
    """A new account on a real server, for one post ("bluesky") or three in a "thread".

    "granted": its owner has signed in there (OAuth), instead of giving an app password.
    """
    account = pds.create_account(f"f{time.time_ns() % 10**9}.test")
    text = THREAD if name == "thread" else cast.CALM
    size = len(posts_in(text))

    def there(keys: Sequence[str]) -> list[str]:
        stand = [post["uri"].rpartition("/")[2] for post in pds.posts(account)]
        found = []
        for key in keys:
            ours = [one for one in keys_of(key, size) if one in stand]
            found += [key if len(ours) == size else key + HALF] if ours else []
            stand = [one for one in stand if one not in ours]
        return found + stand

    return Place(
        name,
        "bluesky",
        pds.url,
        there,
        clear=lambda: _delete_all(pds, account),
        handle=account.handle,
        secret=opened_by_its_owner(pds, account) if name == "granted" else account.password,
        text=text,
    )


def _delete_all(pds: Pds, account: Account) -> None:
    for post in pds.posts(account):
        pds.delete(account, post["uri"])


@contextlib.contextmanager
def _mastodon() -> Iterator[Place]:
    """mastodon-mock, whose keys are remembered as Mastodon remembers them."""
    seed = SeedConfig(accounts=[SeedAccount(username="paula", access_token="paula-token")])
    config = MastodonMockConfig(database=DatabaseConfig(path=":memory:"), seed=seed)
    with MockServer(config=config) as server, httpx.Client(timeout=30) as person:
        address = server.base_url.rstrip("/")
        person.headers["Authorization"] = "Bearer paula-token"

        def statuses() -> list[str]:
            who = person.get(f"{address}/api/v1/accounts/verify_credentials").json()["id"]
            page = person.get(f"{address}/api/v1/accounts/{who}/statuses", params={"limit": 40})
            return [one["id"] for one in page.raise_for_status().json()]

        def clear() -> None:
            for number in statuses():
                person.delete(f"{address}/api/v1/statuses/{number}").raise_for_status()

        yield Place(
            "mastodon",
            "mastodon",
            address,
            there=lambda keys: [keys[0] for _ in statuses()],
            clear=clear,
            secret="paula-token",
        )


@contextlib.contextmanager
def _reddit() -> Iterator[Place]:
    with reddit_standing_in() as reddit:
        yield Place(
            "reddit",
            "reddit",
            reddit.url,
            there=lambda keys: [keys[0] for _ in reddit.submissions],
            clear=reddit.submissions.clear,
            handle="paula_price in r/springfield",
            secret=REFRESH,
            text=f"The bridge is open\n{cast.CALM}",
        )


@contextlib.contextmanager
def _email() -> Iterator[Place]:
    """aiosmtpd; each mail bears the key of its recipient in its Message-ID."""
    mailbox = Mailbox()

    def there(_: Sequence[str]) -> list[str]:
        mails = [email.message_from_bytes(bytes(one.original_content)) for one in mailbox.taken]
        return [str(one["Message-ID"]).strip("<>").partition("@")[0] for one in mails]

    with serving(mailbox, auth_require_tls=False) as address:
        yield Place("email", "email", address, there, mailbox.taken.clear, text=listing.MAIL)


@contextlib.contextmanager
def _twilio() -> Iterator[Place]:
    with standing_in() as twilio:
        yield Place(
            "twilio",
            "sms",
            twilio.url,
            there=lambda keys: [keys[0] for _ in twilio.messages],
            clear=twilio.messages.clear,
            text=listing.TEXT,
        )


@contextlib.contextmanager
def _kannel(folder: Path) -> Iterator[Place]:
    """Debian's own gateway, and a network behind it that counts what arrives."""
    with running_kannel(folder) as gateway:

        def there(keys: Sequence[str]) -> list[str]:
            time.sleep(SETTLED)
            return [keys[0] for _ in gateway.arrived]

        yield Place("kannel", "sms", gateway.url, there, gateway.arrived.clear, text=listing.TEXT)
