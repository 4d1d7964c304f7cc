"""One message, many deaths: a worker is killed on the way, and another finds what it left."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, sessionmaker

from campaigns.deliver import CLAIM_PATIENCE, deliver_next
from campaigns.drafting.messages import start_message
from campaigns.models import Approval, Attempt, Delivery
from campaigns.publishers import LISTED, PLATFORMS, Publisher
from campaigns.voices import connect_account, record_consent
from campaigns.wording.content import mint_record_key
from tests.campaigns import cast, listing
from tests.campaigns.killed import publisher_at
from tests.campaigns.places import HALF, Place

PASSES = 4  # of the worker that comes after; it has found out by then
NEVER = timedelta(hours=1)
RECIPIENTS = 2  # of a mail


@dataclass(frozen=True)
class Run:
    """One delivery in one run: what the dying worker said, our state, and what stands there."""

    answer: str
    state: str
    copies: int
    halves: int


@dataclass
class World:
    """An approved message at one place; several deliveries only where it goes to a list."""

    sessions: sessionmaker[Session]
    place: Place
    due: datetime
    deliveries: list[int]
    killer: subprocess.Popen[str]
    publisher: Publisher
    runs: list[Run] = field(default_factory=list)

    def measured(self) -> tuple[int, float]:
        """The boundaries of a whole delivery, and the milliseconds of its call to publish."""
        for _ in range(2):  # what is loaded and asked once is no part of it
            boundaries, spent = self.run("0").removeprefix("ended ").split()
        return int(boundaries), float(spent)

    def run(self, when: str) -> str:
        """Kill a worker at ``when`` (tests.campaigns.killed), let another go on; what was said."""
        keys = self._renew()
        self.place.clear()
        assert self.killer.stdin is not None
        assert self.killer.stdout is not None
        self.killer.stdin.write(f"{self.due.isoformat()} {when}\n")
        self.killer.stdin.flush()
        answer = self.killer.stdout.readline().strip()
        for number in range(1, PASSES + 1):
            self._deliver(self.due + number * CLAIM_PATIENCE)
        with self.sessions() as session:
            states = {key: session.get_one(Delivery, one).state for one, key in keys.items()}
        there = Counter(self.place.there(list(states)))
        strange = sum(there[key] for key in there if key.removesuffix(HALF) not in states)
        for key, state in states.items():
            copies = there[key] + strange
            self.runs.append(Run(answer, state, copies, there[key + HALF]))
            strange = 0
        return answer

    def _deliver(self, at: datetime) -> None:
        publishers = dict.fromkeys(PLATFORMS, self.publisher)
        deliver_next(self.sessions, publishers, cast.VAULT, lambda: at)

    def _renew(self) -> dict[int, str]:
        """Every delivery as it was when it was approved, under a new key."""
        fresh: dict[str, Any] = dict.fromkeys(
            ("claimed_at", "settled_at", "not_before", "receipt_uri", "receipt_url")
        )
        fresh |= {"state": "scheduled", "claims": 0, "detail": ""}
        keys = {number: mint_record_key(self.due) for number in self.deliveries}
        with self.sessions.begin() as session:
            session.execute(delete(Attempt))
            for number, key in keys.items():
                values = fresh | {"record_key": key}
                session.execute(update(Delivery).where(Delivery.id == number).values(**values))
        return keys

    def table(self) -> dict[str, object]:
        """What came of all runs, as a line of the bench; each delivery counts."""
        states = Counter(run.state for run in self.runs)
        lost = [
            run
            for run in self.runs
            if run.state != "unconfirmed" and (run.state == "published") != (run.copies > 0)
        ]
        return {
            "publisher": self.place.name,
            "runs": len(self.runs),
            "killed": sum(run.answer == "killed" for run in self.runs),
            "published": states["published"],
            "doubles": sum(max(0, run.copies - 1) for run in self.runs),
            "lost": len(lost),
            "halves": sum(run.halves for run in self.runs),
            "in doubt": states["unconfirmed"],
            "other": sum(states.values()) - states["published"] - states["unconfirmed"],
        }


@contextmanager
def world(sessions: sessionmaker[Session], place: Place, now: datetime) -> Iterator[World]:
    """A message for ``place``, approved at ``now`` and due an hour later.

    Text messages wait until it is day in Detroit, and Twilio and Reddit are asked for what they
    took since that time, by clocks of their own: see ``places.due_by_clocks``.
    """
    due = now + NEVER
    with sessions.begin() as session:
        approval = (_to_a_list if place.platform in LISTED else _from_an_account)(
            session, place, due, now
        )
        query = select(Delivery.id).where(Delivery.approval_id == approval.id)
        deliveries = list(session.scalars(query.order_by(Delivery.id)))
        url = session.get_bind().engine.url.render_as_string(hide_password=False)
    arguments = [url, cast.VAULT_KEY.decode(), place.name, place.address]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.campaigns.killed", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as killer:
        publisher = publisher_at(place.name, place.address)
        yield World(sessions, place, due, deliveries, killer, publisher)
        killer.communicate(timeout=30)


def _from_an_account(session: Session, place: Place, due: datetime, now: datetime) -> Approval:
    voice = cast.make_voice(session, now)
    record_consent(
        session,
        voice,
        scope="Everywhere",
        platforms=[place.platform],
        evidence="Signed form",
        valid_from=now - timedelta(days=1),
        valid_until=now + timedelta(days=30),
        by=cast.CARL_COMMS,
        now=now,
    )
    account = connect_account(
        session,
        voice,
        platform=place.platform,
        handle=place.handle,
        service=place.address if place.secret else "",
        secret="signed in there" if place.name == "granted" else place.secret,
        vault=cast.VAULT,
        by=cast.CARL_COMMS,
        now=now,
    )
    if place.secret:
        account.secret = cast.VAULT.encrypt(place.secret.encode())
    campaign = cast.make_campaign(session, now)
    message = start_message(session, campaign, voice, by=cast.CARL_COMMS, now=now)
    return cast.approve_message(session, message, due, now, place.text)


def _to_a_list(session: Session, place: Place, due: datetime, now: datetime) -> Approval:
    audience = listing.make_list(session, now)
    if place.platform == "email":
        for number in range(RECIPIENTS):
            listing.member(session, audience, f"N{number}", now, email=f"n{number}@town.example")
    else:
        listing.member(session, audience, "Ana", now, number="+19895550123")
    account = listing.speak(session, audience, place.platform, now)
    return listing.approved(session, account, due, now, place.text)
