"""However much waits, and whoever asks: a page asks the database a dozen times at most."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from campaigns import campaigns, voices
from campaigns.drafting.messages import save_draft, start_message
from campaigns.models import Approval, Campaign, Delivery, Release, Submission, Voice
from desk import care, handover, people
from desk.app import create_app
from desk.models import ROLES, Person
from desk.security import COOKIE
from desk.wiring import Wiring
from monitor.flags import flags
from monitor.models import Flag, Reading, Revision, SecondRequest
from monitor.narratives.narratives import hour_of
from sources.models import Post
from tests.campaigns.cast import make_narrative
from tests.desk.conftest import Cast, token_for
from tests.desk.test_pages import MOST_QUERIES, furnished  # noqa: F401

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SENT = (  # state, and due in so many minutes
    *(("scheduled", -60), ("retry_later", -50), ("claimed", -40), ("attempting", -30)),
    *(("missed", -20), ("rejected", -10), ("scheduled", 60), ("scheduled", 120)),
)
EVERYTHING = (  # heads of the first page, each with what stands under it
    *("Look at this now", "Alerts for you", "Deliveries that need somebody"),
    *("Asked for in an emergency", "Released in an emergency", "Waits for you", "To post by hand"),
    *("D4: two people look", "What people reported", "Flags to decide"),
    *("Single posts that urge violence", "The machine asks", "Held: look again"),
    *("Confirmed, and no answer chosen yet", "Drafts", "Your reports", "Going out", "Sources"),
)


@pytest.fixture
def crowded(furnished: Wiring, cast: Cast) -> Wiring:  # noqa: F811
    """A desk on which everything that the first page can tell waits at once."""
    now = datetime.now(UTC)
    with furnished.sessions.begin() as session:
        _flag_everything(session, now)
        for _ in range(2):  # what waits for an answer, and what is to be looked at again
            make_narrative(session, now, "confirmed")
            early = now - 3 * DAY
            held = make_narrative(session, early, "confirmed")
            campaigns.hold(session, held, why="Few", until=now - HOUR, by=2, now=early)
        _send_everywhere(session, furnished, now)
        person = session.get_one(Person, cast.leader.id)
        for role in ROLES:
            people.grant(session, person, role, None, now)
        # Posts that weigh on a reader are counted for them where they are not folded.
        care.choose(session, person, care.Choice(fold_from=None), now)
    return furnished


def _flag_everything(session: Session, now: datetime) -> None:
    """Calls, reports, rises, second looks, notes on them, threats, a question of the machine."""
    why = [{"text": "Why", "post_id": 2}]
    hour = {"hour": hour_of(now), "raised_at": now, "detector": "test", "reasons": why}
    raised: dict[str, Any] = hour | {"observed": 7, "expected": 1.0, "p_value": 0.001}
    session.add_all(
        [
            Flag(kind="life_safety", post_id=2, copy_of=2, narrative_id=1, level=4, **raised),
            Flag(place="26163", **raised),
            Flag(watch_id=1, **raised),
        ]
    )
    for by in range(1, 7):
        session.add(Flag(kind="report", post_id=1, raised_by=by, **raised))
        session.add(Flag(kind="report", narrative_id=1, level=4, raised_by=by, **raised))
    for subject in ({"watch_id": 1}, {"place": "26161"}, {"narrative_id": 1}):
        seen = Flag(**subject, **raised | {"observed": 9})
        session.add(seen)
        session.flush()
        decision = flags.decide(session, seen, "confirmed", "Seen", 1, now)
        session.add(SecondRequest(decision_id=decision.id, because="danger", at=now - 2 * DAY))
        writer, about = session.get_one(Person, 1), f"/flags/{seen.id}"
        handover.write(session, writer, "Look", "open", about, now)
    for number in range(3):
        grave = Post(source_id=1, platform="web", uri=f"grave-{number}", author="a2")
        grave.text, grave.posted_at, grave.collected_at = "Somebody must act", now, now
        session.add(grave)
        session.flush()
        read = Reading(post_id=grave.id, embedding=np.zeros(4), embedder="test", level=4)
        read.threat_level, read.stance, read.reasons, read.scorer = "high", "asserts", [], "test"
        read.hour, read.read_at, read.narrative_id = hour_of(now), now, 1 if number else None
        session.add(read)
    other = make_narrative(session, now).id
    asked = Revision(kind="merge", state="proposed", narrative_id=1, other_id=other, text="")
    done = Revision(kind="rename", state="done", narrative_id=other, text="So", made_by=1)
    asked.made_at = done.made_at = now
    session.add_all([asked, done])


def _send_everywhere(session: Session, wiring: Wiring, now: datetime) -> None:
    """Deliveries in many states on three platforms, a draft, submissions, an emergency."""
    voice, campaign = session.get_one(Voice, 1), session.get_one(Campaign, 1)
    voices.record_consent(
        session,
        voice,
        scope="Calm",
        platforms=["share_x", "mastodon", "dry_run"],
        evidence="A form",
        valid_from=now - DAY,
        valid_until=now + 9 * DAY,
        by=1,
        now=now,
    )
    for platform, service, secret in (
        ("share_x", "", None),
        ("mastodon", "https://town.example", "a-token"),
    ):
        vault = wiring.vault
        own = {"platform": platform, "handle": "@ruth", "service": service, "secret": secret}
        voices.connect_account(session, voice, vault=vault, by=1, now=now, **own)
    session.refresh(voice, ["accounts"])

    def say(text: str, due: datetime, only: int | None = None) -> Any:
        told = start_message(session, campaign, voice, by=2, now=now)
        texts = {one.id: text for one in voice.accounts[:only]}
        return save_draft(session, told, texts, due, by=2, now=now)

    for number, (state, minutes) in enumerate(SENT):
        due = now + timedelta(minutes=minutes)
        version = say(f"Calm, {number}.", due)
        approval = Approval(version=version, sha256=version.sha256, drafted_by=2, approved_by=3)
        approval.approved_at = now
        for account in voice.accounts:
            one = Delivery(account_id=account.id, due_at=due, state=state, record={})
            one.record_key = f"{number}-{account.id}"
            one.claimed_at = due - HOUR if state in ("claimed", "attempting") else None
            one.settled_at = now if state in ("missed", "rejected") else None
            approval.deliveries.append(one)
        session.add(approval)
    say("A draft.", now + HOUR, only=1)
    for number in range(2):
        version = say(f"Stay home, {number}.", now + HOUR, only=1)
        session.add(Submission(version=version, by=1, at=now, checks=[]))
    allowed = session.scalars(select(Release)).one().permission
    asked = Release(version=version, sha256=version.sha256, drafted_by=2, permission=allowed)
    asked.reason, asked.asked_by, asked.asked_at = "It cannot wait", 1, now
    session.add(asked)


def asked_for(desk: TestClient, sent: list[str], path: str, **form: str) -> int:
    """How many statements a page, or the page that answers a form, sends."""
    sent.clear()
    answer = desk.post(path, data=form) if form else desk.get(path)
    assert answer.status_code == (422 if form else 200), answer.text[:2000]
    return len(sent)


def test_no_role_asks_too_often_however_much_waits(crowded: Wiring, cast: Cast) -> None:
    everybody = (cast.leader, cast.monitor, cast.comms, cast.admin, cast.duty_lead, _jo(crowded))
    app = create_app(crowded)
    desks = [TestClient(app, cookies={COOKIE: token_for(crowded, one)}) for one in everybody]
    page = desks[0].get("/").text
    assert [head for head in EVERYTHING if f"<h2>{head}</h2>" not in page] == []
    assert "None.</li>" not in page
    sent: list[str] = []
    event.listen(crowded.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    asked = {
        (person.name, path): asked_for(desk, sent, path)
        for person, desk in zip(everybody, desks, strict=True)
        for path in ("/", "/handover?since=3d")
    }
    assert asked["Jo", "/"] >= 2, "nothing was counted"
    assert {where: n for where, n in asked.items() if n > MOST_QUERIES} == {}


def _jo(wiring: Wiring) -> Person:
    """A responder: the role that the standing cast lacks."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        return people.add_person(session, "Jo", "jo@desk.example", ["responder"], None, now)


def test_no_confirming_or_refusing_asks_too_often(crowded: Wiring, cast: Cast) -> None:
    desk = TestClient(
        create_app(crowded),
        cookies={COOKIE: token_for(crowded, cast.leader)},
        headers={"sec-fetch-site": "same-origin"},
    )
    desk.get("/")  # what is read once in a process is read
    sent: list[str] = []
    event.listen(crowded.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    day = (datetime.now(UTC) + DAY).date()
    asked = {
        "move": asked_for(desk, sent, f"/calendar/move/3?day={day}"),
        "trial": asked_for(desk, sent, "/thresholds?least_authors=4"),
        "note": asked_for(desk, sent, "/handover/notes", text=" ", stays="open"),
        "threshold": asked_for(desk, sent, "/thresholds", least_authors="4", reason=" "),
        "moved": asked_for(
            desk, sent, "/calendar/move/3", at="2020-01-01T00:00:00+00:00", base="1"
        ),
    }
    assert {where: n for where, n in asked.items() if n > MOST_QUERIES} == {}
