"""What a server takes: asked now and again, believed as it last spoke, and held to in the claim."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from campaigns.accounts.server_looks import LEASE, read_servers
from campaigns.checking.checks import run_checks
from campaigns.deliver import deliver_next
from campaigns.drafting.messages import start_message
from campaigns.models import Account, Delivery, ServerLook, ServerSaid, Voice
from campaigns.publishers import NotSentError, Parcel, Receipt
from campaigns.publishers.dry_run import DryRunPublisher
from campaigns.sending.watchdogs import concerns
from campaigns.voices import connect_account, record_consent
from campaigns.wording import server_rules
from campaigns.wording.lengths import ServerSays, mastodon_length
from campaigns.wording.server_rules import pictures_too_much, told
from sources.db import Base
from tests.campaigns import cast

TOWN = "https://town.social"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TABLES = {"server_rules", "server_looks", "reddit_sign_ins", "lockouts"}
LONG = f"{cast.CALM} {'Ask them. ' * 60}".strip()  # of more than 500 characters

Read = Callable[..., int]


class Server:
    """A server that says what it is told to say, and counts how often it was asked."""

    def __init__(self, says: ServerSays | Exception) -> None:
        self.says, self.asked = says, 0

    def __call__(self, service: str) -> ServerSays:
        assert service == TOWN
        self.asked += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


class Sent(DryRunPublisher):
    """Remembers what was sent."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def publish(self, parcel: Parcel) -> Receipt:
        self.texts.append(parcel.record["status"])
        return super().publish(parcel)


@pytest.fixture
def voice(session: Session, now: datetime) -> Voice:
    return cast.make_voice(session, now)


@pytest.fixture
def account(session: Session, voice: Voice, now: datetime) -> Account:
    """Paula's account on a Mastodon server, with her consent."""
    record_consent(
        session,
        voice,
        scope="Mastodon too",
        platforms=["mastodon"],
        evidence="Signed form",
        valid_from=now - DAY,
        valid_until=now + 30 * DAY,
        by=cast.CARL_COMMS,
        now=now,
    )
    made = connect(session, voice, now)
    session.commit()
    return made


def connect(session: Session, voice: Voice, now: datetime) -> Account:
    return connect_account(
        session,
        voice,
        platform="mastodon",
        handle="paula@town.social",
        service=TOWN,
        secret="token",
        vault=cast.VAULT,
        by=cast.CARL_COMMS,
        now=now,
    )


@pytest.fixture
def read(sessions: sessionmaker[Session]) -> Read:
    return lambda server, at: read_servers(sessions, server, lambda: at)


def test_it_is_asked_when_connected_then_daily_and_before_something_goes_there(
    session: Session, account: Account, read: Read, now: datetime
) -> None:
    town = Server(ServerSays(characters_max=5000, per_link=23))
    assert read(town, now) == 1
    assert read(town, now + DAY - HOUR) == 0
    assert read(town, now + DAY) == 1
    session.expire_all()
    (row,) = session.scalars(select(ServerSaid))
    assert (row.found_at, row.read_at) == (now, now + DAY)  # the same word is one row
    connect(session, account.voice, now + DAY + HOUR)
    session.commit()
    assert read(town, now + DAY + HOUR) == 1
    town.says = ServerSays(characters_max=400)
    message = start_message(
        session, cast.make_campaign(session, now), account.voice, by=cast.CARL_COMMS, now=now
    )
    due = now + 3 * DAY + timedelta(minutes=30)
    cast.approve_message(session, message, due, now)
    session.commit()
    assert read(town, now + 2 * DAY) == 0  # it is not due for long
    at = now + 2 * DAY + HOUR
    assert read(town, at) == 1
    assert read(town, at + HOUR) == 1  # every hour, the day before
    assert len(session.scalars(select(ServerSaid)).all()) == 2
    assert told(session, [TOWN])[TOWN].rules.characters_max == 400
    assert told(session, [TOWN])[TOWN].rules.per_link == 23  # what it no longer says is as usual
    account.closed_at = at
    session.commit()
    assert read(town, at + 9 * DAY) == 0


def test_a_server_that_fails_is_believed_as_it_last_spoke(
    session: Session, sessions: sessionmaker[Session], account: Account, read: Read, now: datetime
) -> None:
    unknown = told(session, [TOWN])[TOWN]
    assert (unknown.rules.characters_max, unknown.read_at) == (500, None)
    assert unknown.words.startswith("town.social has not said yet what it takes")
    down = Server(NotSentError("town.social cannot be asked.", retry_in=1e12))
    assert read(down, now) == 1
    assert told(session, [TOWN])[TOWN] == unknown
    assert read(down, now + HOUR) == 0  # for so long it asked
    at = now + DAY
    assert read(Server(ServerSays(characters_max=5000, per_link=0)), at) == 1
    for fault in (NotSentError("Down."), RuntimeError()):
        at += DAY
        assert read(Server(fault), at) == 1
        session.expire_all()
        known = told(session, [TOWN])[TOWN]
        assert (known.rules.characters_max, known.read_at) == (5000, now + DAY)
    assert known.words == "town.social takes up to 5,000 characters; a link counts in full."
    assert "RuntimeError" in session.scalars(select(ServerLook.fault)).one()

    def died(service: str) -> ServerSays:
        assert read_servers(sessions, Server(fault), lambda: at) == 0  # another worker, meanwhile
        raise KeyboardInterrupt

    at += DAY
    with pytest.raises(KeyboardInterrupt):
        read(died, at)
    assert read(Server(fault), at + LEASE - timedelta(minutes=1)) == 0
    assert read(Server(fault), at + LEASE) == 1


def test_checks_go_by_the_accounts_own_server_and_say_by_which_rule(
    session: Session, account: Account, read: Read, now: datetime
) -> None:
    picture = {"sha256": "0" * 64, "type": "image/png", "size": 900_000, "alt": "x" * 400}
    part = {"account": account.id, "platform": "mastodon", "handle": account.handle}
    part |= {"service": TOWN, "text": LONG, "images": [picture, picture]}
    content = {"voice": account.voice_id, "send_at": (now + HOUR).isoformat(), "parts": [part]}

    def found(name: str) -> list[str]:
        checks = run_checks(session, content, account.voice, now)
        return [one.problem or one.note for one in checks if one.name == name]

    assert "(the limit is 500)" in found("Length")[0]
    assert found("Pictures") == []
    read(Server(ServerSays(characters_max=5000, per_link=23, pictures_max=1, alt_max=300)), now)
    assert found("Length") == ["town.social takes up to 5,000 characters."]
    assert found("Pictures")[0] == "town.social takes at most 1 pictures in one post; this has 2."
    assert "The description of picture 1 is longer" in found("Pictures")[1]
    narrow = ServerSays(picture_bytes_max=500_000, picture_types=("image/webp",), pictures_max=0)
    problems = [one.problem for one in pictures_too_much(part, server_rules.Told(TOWN, narrow))]
    assert problems[0].startswith("town.social takes no pictures in one post")
    assert "larger than the 0.5 MB" in problems[1]
    assert "of the kind of picture 1" in problems[2]


def test_a_link_counts_in_full_where_the_server_keeps_no_length_for_it() -> None:
    text = "See https://town.example/a-long-way-to-go and @ana@town.social"
    assert mastodon_length(text) == len("See ") + 23 + len(" and @ana")
    assert mastodon_length(text, ServerSays(per_link=0).rules) == len(text)


def test_a_server_that_takes_less_by_now_gets_nothing_that_it_would_cut(
    session: Session, sessions: sessionmaker[Session], account: Account, read: Read, now: datetime
) -> None:
    read(Server(ServerSays(characters_max=5000)), now)
    campaign = cast.make_campaign(session, now)
    message = start_message(session, campaign, account.voice, by=cast.CARL_COMMS, now=now)
    due = now + 2 * HOUR
    cast.approve_message(session, message, due, now, LONG)
    session.commit()
    assert concerns(session, now) == []
    read(Server(ServerSays(characters_max=400)), now + HOUR)
    (soon,) = concerns(session, now + HOUR)
    assert (soon.kind, soon.word) == ("server", "too much there")
    assert soon.why.startswith("town.social takes 400 characters now, and this has 6")
    sent = Sent()

    def work(at: datetime) -> Delivery:
        deliver_next(sessions, {"mastodon": sent}, cast.VAULT, lambda: at)
        session.expire_all()
        return session.scalars(select(Delivery)).one()

    held = work(due)
    assert (held.state, held.attempts, sent.texts) == ("scheduled", [], [])
    assert "town.social takes 400 characters now" in held.detail
    assert "It was not sent" in held.detail
    (told_of_it,) = concerns(session, due + timedelta(minutes=3))
    assert told_of_it.why == held.detail
    # It takes more again: what was approved goes out as it is.
    read(Server(ServerSays(characters_max=5000)), due + HOUR)
    assert work(due + HOUR).state == "published"
    assert sent.texts == [LONG]


def test_the_models_and_the_migration_agree(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _o, name, kind, *_: kind != "table" or name in TABLES,
            },
        )
        assert compare_metadata(context, Base.metadata) == []
