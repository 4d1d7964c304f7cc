"""What watchdogs find reaches people, once; a drafter hears of a leader's no; a silent worker."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from campaigns.approving.approvals import ask_change
from campaigns.drafting.messages import save_draft, submit
from campaigns.models import Approval, Bark, Message, MessageVersion
from campaigns.sending.watchdogs import AGAIN, OVERDUE
from desk import channels, sentry
from desk.models import Notice
from desk.notices.announce import announce
from desk.telling import tell_due
from desk.wiring import Wiring
from desk.wording import wording
from tests.campaigns import cast as campaigns_cast
from tests.desk.conftest import Cast, Client
from tests.desk.told import hire, told

ZONE = ZoneInfo("America/Detroit")
ADDRESS = "https://desk.example"
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@pytest.fixture
def crew(session: Session, now: datetime) -> list[str]:
    """Who is told of anything, or not; ids as in tests.campaigns.cast."""
    roles = ("monitor", "comms", "leader", "leader", "comms", "duty lead")
    names = ("Maya", "Carl", "Paula", "Lena", "Cora", "Dana")
    return [hire(session, *one, now).name for one in zip(names, roles, strict=True)]


@pytest.fixture
def approval(session: Session, now: datetime, crew: list[str]) -> Approval:
    """Approved, and due in an hour on two accounts."""
    message = campaigns_cast.make_message(session, now)
    campaigns_cast.rehearsal_account(session, message.voice, now, "paula-too")
    session.expire(message.voice)
    return campaigns_cast.approve_message(session, message, now + HOUR, now)


def of_kind(session: Session, kind: str) -> list[tuple[str, str]]:
    return [(who, state) for who, what, state, _ in told(session) if what == kind]


def settle(session: Session, kind: str, state: str, now: datetime) -> None:
    for notice in session.scalars(select(Notice).where(Notice.kind == kind)):
        notice.state, notice.settled_at, notice.tries = state, now, 1
    session.flush()


def test_comms_and_duty_leads_hear_of_a_stuck_message_once_and_again_after_hours(
    session: Session, approval: Approval, now: datetime
) -> None:
    approval.deliveries[1].state, approval.deliveries[1].settled_at = "withdrawn", now
    late = now + HOUR + OVERDUE
    announce(session, ZONE, late - SECOND)
    assert of_kind(session, "watchdog") == []
    for seconds in (0, 5, 10):
        announce(session, ZONE, late + seconds * SECOND)
    once = [("Carl", "scheduled"), ("Cora", "scheduled"), ("Dana", "scheduled")]
    assert of_kind(session, "watchdog") == once
    notice = session.scalars(select(Notice).where(Notice.kind == "watchdog")).first()
    assert notice
    words = wording(notice, ADDRESS)
    assert words.subject == "Breakwater: a message needs somebody."
    assert words.body.endswith(f"{ADDRESS}/watchdogs")
    assert "Paula" not in words.body
    settle(session, "watchdog", "delivered", late)
    announce(session, ZONE, late + AGAIN["overdue"] - SECOND)
    assert len(of_kind(session, "watchdog")) == 3
    announce(session, ZONE, late + AGAIN["overdue"])
    assert of_kind(session, "watchdog")[3:] == once
    delivery = approval.deliveries[0]
    delivery.state, delivery.settled_at = "withdrawn", late
    announce(session, ZONE, late + AGAIN["overdue"] + SECOND)
    assert {state for _, state in of_kind(session, "watchdog")[3:]} == {"withdrawn"}


def test_what_is_found_at_once_comes_as_one(
    session: Session, approval: Approval, now: datetime
) -> None:
    announce(session, ZONE, now + HOUR + OVERDUE)
    query = select(Notice).where(Notice.kind == "digest").order_by(Notice.id)
    digests = session.scalars(query).all()
    assert [(one.channel.person.name, len(one.items)) for one in digests] == [
        ("Carl", 2),
        ("Cora", 2),
        ("Dana", 2),
    ]
    assert (
        wording(digests[0], ADDRESS).subject
        == "Breakwater: 2 messages or deliveries need somebody."
    )
    announce(session, ZONE, now + HOUR + OVERDUE + SECOND)
    assert len(of_kind(session, "digest")) == 3


def test_what_seemed_over_before_anybody_was_told_is_told_after_all(
    session: Session, approval: Approval, now: datetime
) -> None:
    late = now + HOUR + OVERDUE
    first, second = approval.deliveries
    second.state, second.settled_at = "withdrawn", now
    announce(session, ZONE, late)
    first.state, first.claimed_at, first.not_before = "unconfirmed", late, late + HOUR
    announce(session, ZONE, late + SECOND)
    assert {state for _, state in of_kind(session, "watchdog")} == {"withdrawn"}
    first.state, first.not_before = "retry_later", None
    announce(session, ZONE, late + 2 * SECOND)
    assert [state for _, state in of_kind(session, "watchdog")] == ["scheduled"] * 3


def submitted(session: Session, now: datetime) -> MessageVersion:
    message = campaigns_cast.make_message(session, now)
    words = {account.id: campaigns_cast.CALM for account in message.voice.accounts}
    version = save_draft(
        session, message, words, now + 9 * HOUR, by=campaigns_cast.CARL_COMMS, now=now
    )
    reasons = {one.key: "It reads well" for one in campaigns_cast.check(session, version, now)}
    submit(session, version, by=campaigns_cast.CORA_COMMS, now=now, reasons=reasons)
    return version


def test_who_wrote_and_who_submitted_hear_of_a_leaders_no(
    session: Session, crew: list[str], now: datetime
) -> None:
    version = submitted(session, now)
    reason = "Say Mill Street, not the east side."
    ask_change(session, version, reason=reason, by=campaigns_cast.PASTOR_PAULA, now=now)
    for _ in range(2):
        announce(session, ZONE, now)
    assert of_kind(session, "answer") == [("Carl", "scheduled"), ("Cora", "scheduled")]
    notice = session.scalars(select(Notice).where(Notice.kind == "answer")).first()
    assert notice
    words = wording(notice, ADDRESS)
    assert words.subject == "Breakwater: a leader asks for a change to a message."
    assert words.body.endswith(f"{ADDRESS}/messages/{version.message_id}")
    assert reason not in words.body
    texts = {part["account"]: "Another word." for part in version.content["parts"]}
    save_draft(
        session, version.message, texts, now + 9 * HOUR, by=campaigns_cast.CARL_COMMS, now=now
    )
    announce(session, ZONE, now)
    assert of_kind(session, "answer") == [("Carl", "withdrawn"), ("Cora", "withdrawn")]


def test_a_silent_worker_is_told_by_the_web_once_and_its_return_ends_it(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    now = datetime.now(UTC)
    here = now - sentry.PATIENCE
    assert not sentry.look(wiring, here, now)  # somebody may have begun to start one
    for _ in range(2):
        assert sentry.look(wiring, here - SECOND, now)
    with wiring.sessions() as session:
        # They have no channel but e-mail, and this desk sends none: but it was tried, once.
        found = session.scalars(select(Notice)).all()
        assert {(one.channel.person.name, one.kind, one.state, one.tries) for one in found} == {
            (name, "watchdog", "failed", 1) for name in ("Jonah", "Ada", "Dana")
        }
        assert len(found) == 3
        assert "the worker is silent" in wording(found[0], ADDRESS).subject
    page = client(cast.duty_lead).get("/watchdogs").text
    assert "3 notifications" in page
    assert "Watchdog</a>: no worker" in client(cast.admin).get("/notices").text
    with wiring.sessions.begin() as session:
        session.execute(text("INSERT INTO procrastinate_workers DEFAULT VALUES"))
    assert not sentry.look(wiring, here - SECOND, now + SECOND)
    with wiring.sessions() as session:
        (bark,) = session.scalars(select(Bark)).all()
        assert bark.ended_at == now + SECOND
    assert client(cast.monitor).get("/watchdogs").status_code == 403
    assert "The worker" in client(cast.duty_lead).get("/watchdogs").text


def test_only_what_is_meant_is_sent_while_no_worker_runs(wiring: Wiring, cast: Cast) -> None:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        announce(session, ZONE, now)
        channel = channels.live(session)[0]
        session.add(Notice(channel=channel, kind="try", level=0, made_at=now, due_at=now))
    none = Notice.bark.has(kind="silent")
    assert (
        tell_due(wiring.sessions, wiring.courier(), wiring.vault, "x", lambda: now, only=none) == 0
    )
    assert tell_due(wiring.sessions, wiring.courier(), wiring.vault, "x", lambda: now) == 1


def test_the_page_names_what_waits_for_its_leader_too_long(
    wiring: Wiring, cast: Cast, client: Client, message: int
) -> None:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        there = session.get_one(Message, message)
        words = {account.id: campaigns_cast.CALM for account in there.voice.accounts}
        version = save_draft(session, there, words, now + HOUR, by=cast.comms.id, now=now)
        reasons = {one.key: "It reads well" for one in campaigns_cast.check(session, version, now)}
        submit(session, version, by=cast.comms.id, now=now, reasons=reasons)
        announce(session, wiring.zone, now)
    page = client(cast.comms).get("/watchdogs").text
    assert "not approved yet" in page
    assert "Only Ruth can" in page
