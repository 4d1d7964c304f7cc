"""Who is called to make a post by hand, and who is asked whether a passkey was theirs."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns import voices
from campaigns.approving.approvals import approve
from campaigns.drafting.messages import check, save_draft, start_message, submit
from campaigns.models import Delivery
from campaigns.sending import kill_switch, share_packs
from campaigns.wording.content import Besides
from desk import passkeys
from desk.models import Notice, Passkey, Person
from desk.notices.announce import announce
from desk.notices.obstacles import obstacle
from desk.wording import wording
from tests.campaigns.cast import CALM, VAULT, fill_plan, make_campaign
from tests.desk.told import HOSTILE, hire

ZONE = ZoneInfo("America/New_York")


def _told(session: Session, kind: str) -> list[Notice]:
    session.expire_all()
    query = select(Notice).where(Notice.kind == kind).order_by(Notice.id)
    return list(session.scalars(query))


def _by_hand(session: Session, leader: Person, now: datetime) -> Delivery:
    """A post on X by hand of this leader's voice, due in an hour and good for two hours."""
    voice = voices.add_voice(
        session, name="Ruth", role="Pastor", leader_id=leader.id, by=1, now=now
    )
    voices.record_consent(
        session,
        voice,
        scope="What she posts herself",
        platforms=["share_x"],
        evidence="Signed form",
        valid_from=now - timedelta(hours=1),
        valid_until=now + timedelta(days=9),
        by=1,
        now=now,
    )
    named = {"platform": "share_x", "handle": "ruth", "service": "", "secret": None}
    account = voices.connect_account(session, voice, **named, vault=VAULT, by=1, now=now)
    campaign = make_campaign(session, now)
    fill_plan(session, campaign, voice, now)
    told = start_message(session, campaign, voice, by=2, now=now)
    due, fresh = now + timedelta(hours=1), Besides(fresh=timedelta(hours=2))
    words = {account.id: CALM}
    version = save_draft(session, told, words, due, by=2, now=now, besides=fresh)
    reasons = {one.key: "It reads well as it is" for one in check(session, version, now)}
    submit(session, version, by=2, now=now, reasons=reasons)
    approval = approve(session, version, sha256=version.sha256, by=leader.id, now=now)
    return approval.deliveries[0]


def test_who_posts_by_hand_is_told_when_it_is_time_and_once_more_before_it_is_too_late(
    session: Session, now: datetime
) -> None:
    ruth, helper = hire(session, "Ruth", "leader", now), hire(session, "Hal", "comms", now)
    hire(session, "Olga", "leader", now)
    delivery = _by_hand(session, ruth, now)
    due, voice = delivery.due_at, delivery.account.voice
    share_packs.name_helper(session, voice, helper.id, by=ruth.id, now=now)
    announce(session, ZONE, due - timedelta(minutes=1))
    assert _told(session, "share") == []
    for minutes in (0, 5, 60):
        announce(session, ZONE, due + timedelta(minutes=minutes))
    first = _told(session, "share")
    assert {one.channel.person.name for one in first} == {"Ruth", "Hal"}
    said = wording(first[0], "https://desk.example")
    assert said.body.endswith(f"https://desk.example/share/{delivery.id}")
    assert "Ruth" not in said.body + said.subject
    # Half an hour before the end of its window.
    assert share_packs.last_call(delivery) == due + timedelta(minutes=90)
    for minutes in (91, 100):
        announce(session, ZONE, due + timedelta(minutes=minutes))
    last = _told(session, "share again")
    assert len(last) == 2
    assert {one.state for one in _told(session, "share")} == {"withdrawn"}  # the call replaces it
    # One of them takes it up: the other is called no more.
    at = due + timedelta(minutes=101)
    share_packs.open_pack(session, delivery, by=helper.id, now=at)
    assert obstacle(last[0], at) == "It was taken up, or stopped, before this went out."


def test_nobody_is_called_to_post_what_is_stopped_and_a_helper_no_more_once_that_ended(
    session: Session, now: datetime
) -> None:
    ruth, helper = hire(session, "Ruth", "leader", now), hire(session, "Hal", "comms", now)
    delivery = _by_hand(session, ruth, now)
    voice = delivery.account.voice
    named = share_packs.name_helper(session, voice, helper.id, by=ruth.id, now=now)
    stop = kill_switch.press(session, voice, reason="Wait", by=ruth.id, now=now)
    announce(session, ZONE, delivery.due_at)
    assert _told(session, "share") == []
    kill_switch.lift(session, stop, why="Go on", by=helper.id, now=delivery.due_at)
    announce(session, ZONE, delivery.due_at)
    share_packs.end_helper(session, named, by=ruth.id, now=delivery.due_at)
    announce(session, ZONE, delivery.due_at)
    states = {one.channel.person.name: one.state for one in _told(session, "share")}
    assert states == {"Ruth": "scheduled", "Hal": "withdrawn"}


def test_who_gets_a_passkey_or_loses_one_is_asked_if_it_was_them(
    session: Session, now: datetime
) -> None:
    ruth = hire(session, "Ruth", "leader", now)
    hire(session, "Ada", "admin", now)
    key = Passkey(person=ruth, credential_id=b"1", public_key=b"1", sign_count=0, transports=[])
    key.name, key.added_at = HOSTILE, now
    session.add(key)
    session.flush()
    for minutes in (0, 1):
        announce(session, ZONE, now + timedelta(minutes=minutes))
    (told,) = _told(session, "passkey added")
    assert (told.channel.person_id, told.due_at) == (ruth.id, now)  # by night too
    said = wording(told, "https://desk.example")
    assert "Was it you?" in said.body
    assert HOSTILE not in said.body + said.subject
    later = now + timedelta(days=3)
    passkeys.remove(session, key, by=ruth, now=later)
    announce(session, ZONE, later)
    assert len(_told(session, "passkey added")) == len(_told(session, "passkey taken")) == 1
