"""What a desk that has nothing yet is given: sources, a lexicon, an administrator, or a cast."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import httpx
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from campaigns import voices
from desk import people
from desk.models import Person, RoleGrant
from desk.settings import Settings
from desk.wiring import Wiring
from monitor.alerts import alert_lists
from monitor.coding import lexicon
from sources import register, watches
from sources.collector import user_agent
from sources.matching import Rule
from sources.models import Source

PROBE_PATIENCE = 5.0  # seconds

# What a desk watches until its staff say better: of the networks, posts with one of these words
# (the whole Bluesky stream is 45 posts a second); of feeds and the example, all.
FIRST_WORDS = (
    *("election", "ballot", "ballots", "polling place", "poll worker", "county clerk", "recount"),
    *("city council", "school board", "town hall", "sheriff", "mayor", "governor", "militia"),
    *("protest", "riot", "riots", "civil war", "traitor", "traitors", "political violence"),
    *("mosque", "synagogue", "church shooting", "immigrants", "migrants", "lynch", "vigilante"),
)
FIRST_WATCHES = {
    "Public life and political violence": Rule(any=FIRST_WORDS, platforms=("bluesky", "reddit")),
    "All that our feeds carry": Rule(platforms=("web",)),
    "The invented town": Rule(platforms=("example",)),
}

CAST = (
    ("Maya Ortiz", "maya@demo.example", ["monitor"]),
    ("Dana Whitfield", "dana@demo.example", ["duty lead", "responder"]),
    ("Jonah Reed", "jonah@demo.example", ["comms"]),
    ("Rev. Ruth Amsel", "ruth@demo.example", ["leader"]),
    ("Ada Lind", "ada@demo.example", ["admin"]),
)


def add_first_sources(session: Session, settings: Settings, reachable: bool, now: datetime) -> bool:
    """Where nothing is read yet, add the configured feeds and the Bluesky stream.

    Where none of the feeds is ``reachable``, the built-in example plays beside them; answers
    whether it was added.
    """
    # Two processes that start together must not both do this.
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('breakwater-first-start'))"))
    add_first_watches(session, now)
    lexicon.seed(session, now)
    if session.scalar(select(Source.id).limit(1)) is not None:
        return False
    for address in settings.feeds:
        register.add_source(session, "feed", address, httpx.URL(address).host, now)
    if settings.jetstream_url:
        register.add_source(session, "jetstream", settings.jetstream_url, "Bluesky", now)
    if reachable:
        return False
    add_example(session, now)
    return True


def add_first_watches(session: Session, now: datetime) -> None:
    """Where nothing has ever been watched, watch FIRST_WATCHES."""
    if not watches.current(session):
        for name, rule in FIRST_WATCHES.items():
            watches.save_watch(session, None, name, rule, None, now)


def add_example(session: Session, now: datetime) -> None:
    """The synthetic town, written for this project: invented people, groups and places."""
    register.add_source(session, "example", "marlow-ferry", "Marlow Ferry, an invented town", now)


def any_reachable(settings: Settings) -> bool:
    """Whether at least one of the configured feeds answers at all, or there are none to ask."""
    if not settings.feeds:
        return True
    headers = {"User-Agent": user_agent(settings.contact)}
    with (
        httpx.Client(timeout=PROBE_PATIENCE, headers=headers) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        return any(pool.map(lambda address: _answers(client, address), settings.feeds))


def _answers(client: httpx.Client, address: str) -> bool:
    try:
        client.head(address)
    except httpx.HTTPError:
        return False
    return True


def first_administrator(session: Session, now: datetime) -> str | None:
    """A sign-in token for the administrator who has never set a password, if there is one."""
    admins = select(Person).join(RoleGrant, RoleGrant.person_id == Person.id)
    admins = admins.where(RoleGrant.role == "admin", RoleGrant.revoked_at.is_(None))
    known = list(session.scalars(admins.order_by(Person.id)).unique())
    if any(person.password_hash for person in known):
        return None
    person = known[0] if known else _make_administrator(session, now)
    return people.new_link(session, person, None, now)


def _make_administrator(session: Session, now: datetime) -> Person:
    roles = ["admin", "monitor", "duty lead"]
    return people.add_person(session, "First administrator", "admin@desk.local", roles, None, now)


def start_demo(wiring: Wiring, now: datetime) -> list[tuple[Person, str]]:
    """Fill an empty database with the cast, a consenting voice and the example; sign-in tokens."""
    with wiring.sessions.begin() as session:
        cast = [people.add_person(session, *who, None, now) for who in CAST]
        duty_lead, comms, leader = cast[1], cast[2], cast[3]
        for name, exercise in (("Marlow Ferry responders", False), ("Drill", True)):
            told = alert_lists.make(session, name, exercise, duty_lead.id, now)
            alert_lists.add(session, told, leader.id, 1, duty_lead.id, now)
            alert_lists.add(session, told, duty_lead.id, 2, duty_lead.id, now)
        voice = voices.add_voice(
            session,
            name=leader.name,
            role="Pastor, Hope Church, Marlow Ferry",
            leader_id=leader.id,
            by=comms.id,
            now=now,
        )
        voices.record_consent(
            session,
            voice,
            scope="Calming messages to neighbours in Marlow Ferry",
            platforms=["dry_run"],
            evidence="Part of the built-in example; nobody real",
            valid_from=now - timedelta(days=1),
            valid_until=now + timedelta(days=90),
            by=comms.id,
            now=now,
        )
        voices.connect_account(
            session,
            voice,
            platform="dry_run",
            handle="ruth.hope-church.example",
            service="",
            secret=None,
            vault=wiring.vault,
            by=comms.id,
            now=now,
        )
        add_first_watches(session, now)
        lexicon.seed(session, now)
        add_example(session, now)
        return [(person, people.new_link(session, person, None, now)) for person in cast]


def empty_database(wiring: Wiring) -> None:
    """Forget an earlier demonstration. Only ever called on the demonstration's own database."""
    with wiring.engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE; CREATE SCHEMA public"))
