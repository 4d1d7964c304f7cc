"""Posts by hand: one person at a time, exactly what was approved, and never published on a word."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from campaigns.approving.approvals import withdraw_approval
from campaigns.deliver import CLAIM_PATIENCE, FRESHNESS, deliver_next
from campaigns.drafting.messages import AlreadyOutError, check, save_draft, start_message
from campaigns.models import Delivery, Message
from campaigns.sending import kill_switch, share_packs
from campaigns.sending.deliveries import OwnWordError, found_by_person, posted_by
from campaigns.sending.share_packs import (
    NotNowError,
    NotYoursError,
    name_helper,
    open_pack,
    pack_of,
    say_not_posted,
    say_posted,
)
from campaigns.voices import connect_account, record_consent, withdraw_consent
from campaigns.wording.lengths import measures, x_length
from campaigns.wording.previews import cuts
from sources.db import Base
from tests.campaigns.cast import (
    CARL_COMMS,
    CORA_COMMS,
    LENA_OTHER_LEADER,
    PASTOR_PAULA,
    VAULT,
    approve_message,
    fill_plan,
    make_campaign,
    make_voice,
)

HOUR = timedelta(hours=1)


@pytest.fixture
def message(session: Session, now: datetime) -> Message:
    """Paula's message, to be posted by hand on X in an hour."""
    voice = make_voice(session, now)
    record_consent(
        session,
        voice,
        scope="What she posts herself",
        platforms=["share_x", "share_whatsapp"],
        evidence="Signed form",
        valid_from=now - HOUR,
        valid_until=now + timedelta(days=30),
        by=CARL_COMMS,
        now=now,
    )
    connect_account(
        session,
        voice,
        platform="share_x",
        handle="@PaulaPrice",
        service="",
        secret=None,
        vault=VAULT,
        by=CARL_COMMS,
        now=now,
    )
    campaign = make_campaign(session, now)
    fill_plan(session, campaign, voice, now)
    return start_message(session, campaign, voice, by=CARL_COMMS, now=now)


@pytest.fixture
def delivery(session: Session, message: Message, now: datetime) -> Delivery:
    (one,) = approve_message(session, message, now + HOUR, now).deliveries
    session.commit()
    return one


@pytest.fixture
def work(session: Session, sessions: sessionmaker[Session]) -> Callable[[datetime], int]:
    """``work(at)``: what the worker does at that moment, on its own connection."""

    def at(moment: datetime) -> int:
        session.commit()
        calls = deliver_next(sessions, {}, VAULT, lambda: moment)
        session.expire_all()
        return calls

    return at


def test_the_models_and_the_migration_agree(engine: Engine) -> None:
    tables = {"share_steps", "share_helpers", "findings"}
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _o, name, kind, *_: kind != "table" or name in tables,
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_no_machine_posts_it_and_it_waits_for_a_person(
    session: Session, delivery: Delivery, now: datetime, work: Callable[[datetime], int]
) -> None:
    assert pack_of(session, delivery, now).obstacle == "Its time has not come yet."
    with pytest.raises(NotNowError, match="not come"):
        open_pack(session, delivery, by=PASTOR_PAULA, now=now)
    session.rollback()
    assert work(now + HOUR) == 0
    assert (delivery.state, delivery.attempts) == ("scheduled", [])
    assert delivery.detail == "Nobody has posted it on X yet."
    assert [one.id for one in share_packs.open_for(session, PASTOR_PAULA)] == [delivery.id]
    assert share_packs.waits(delivery, now + HOUR)
    assert not share_packs.waits(delivery, now)
    assert share_packs.open_for(session, LENA_OTHER_LEADER) == []


def test_it_is_published_when_another_person_has_seen_it(
    session: Session, delivery: Delivery, now: datetime, work: Callable[[datetime], int]
) -> None:
    due = now + HOUR
    open_pack(session, delivery, by=PASTOR_PAULA, now=due)
    assert delivery.state == "attempting"
    assert delivery.attempts[0].started_at == due  # on record before she sees the words
    with pytest.raises(ValueError, match="whole link"):
        say_posted(session, delivery, url="javascript:alert(1)", by=PASTOR_PAULA, now=due)
    say_posted(session, delivery, url="https://x.com/p/1", by=PASTOR_PAULA, now=due)
    for moment in (due + CLAIM_PATIENCE, due + 2 * FRESHNESS):  # no clock makes it published
        work(moment)
        assert delivery.state == "unconfirmed"
    seen = {"again": False, "note": "", "now": due}
    with pytest.raises(OwnWordError):
        found_by_person(session, delivery, url="https://x.com/p/1", by=PASTOR_PAULA, **seen)
    session.rollback()
    assert share_packs.link_said(session, delivery) == "https://x.com/p/1"
    found_by_person(session, delivery, url="https://x.com/p/1", by=CORA_COMMS, **seen)
    assert (delivery.state, delivery.receipt_url) == ("published", "https://x.com/p/1")
    with pytest.raises(NotNowError):
        say_not_posted(session, delivery, by=PASTOR_PAULA, now=due)


def test_two_people_never_have_it_open(
    session: Session, delivery: Delivery, now: datetime, work: Callable[[datetime], int]
) -> None:
    due, voice = now + HOUR, delivery.account.voice
    with pytest.raises(NotYoursError):
        open_pack(session, delivery, by=CORA_COMMS, now=due)
    with pytest.raises(NotYoursError):
        name_helper(session, voice, CORA_COMMS, by=CARL_COMMS, now=due)
    helper = name_helper(session, voice, CORA_COMMS, by=PASTOR_PAULA, now=due)
    assert name_helper(session, voice, CORA_COMMS, by=PASTOR_PAULA, now=due) is helper
    open_pack(session, delivery, by=CORA_COMMS, now=due)
    with pytest.raises(NotNowError, match="already"):
        open_pack(session, delivery, by=PASTOR_PAULA, now=due)
    for say in (say_not_posted, lambda *a, **k: say_posted(*a, url="", **k)):
        with pytest.raises(NotYoursError):
            say(session, delivery, by=PASTOR_PAULA, now=due)
    say_not_posted(session, delivery, by=CORA_COMMS, now=due)
    assert delivery.state == "retry_later"
    assert not delivery.in_doubt
    share_packs.end_helper(session, helper, by=PASTOR_PAULA, now=due)
    with pytest.raises(NotYoursError):
        open_pack(session, delivery, by=CORA_COMMS, now=due)
    open_pack(session, delivery, by=PASTOR_PAULA, now=due)
    assert len(delivery.attempts) == 2


def test_of_two_who_press_at_once_one_has_it(
    session: Session, sessions: sessionmaker[Session], delivery: Delivery, now: datetime
) -> None:
    due, pressed = now + HOUR, threading.Barrier(2)

    def press() -> str:
        with sessions.begin() as own:
            mine = share_packs.by_hand(own, delivery.id)
            assert mine is not None
            pressed.wait(10)
            open_pack(own, mine, by=PASTOR_PAULA, now=due)
        return "opened"

    def outcome(_: int) -> str:
        try:
            return press()
        except NotNowError:
            return "refused"

    with ThreadPoolExecutor(2) as two:
        assert sorted(two.map(outcome, range(2))) == ["opened", "refused"]
    session.expire_all()
    assert len(delivery.attempts) == 1


def test_one_of_which_nobody_says_how_it_ended_is_a_doubt_and_not_missed(
    session: Session, delivery: Delivery, now: datetime, work: Callable[[datetime], int]
) -> None:
    due = now + HOUR
    open_pack(session, delivery, by=PASTOR_PAULA, now=due)
    work(due + CLAIM_PATIENCE)
    assert delivery.state == "unconfirmed"
    assert "nobody has said" in delivery.detail
    assert delivery.not_before is None  # nobody else can find out
    work(due + 2 * FRESHNESS)
    assert delivery.state == "unconfirmed"
    with pytest.raises(AlreadyOutError):
        save_draft(
            session,
            delivery.approval.version.message,
            {delivery.account_id: "Other words, come and ask us."},
            due,
            by=CARL_COMMS,
            now=now,
        )
    session.rollback()
    say_posted(session, delivery, url="", by=PASTOR_PAULA, now=due + FRESHNESS)
    assert posted_by(session, delivery) == PASTOR_PAULA
    # Where a post has no link of its own, whoever saw it says how they know.
    with pytest.raises(ValueError, match="how you know"):
        found_by_person(
            session, delivery, url=None, seen=True, again=False, note="", by=CORA_COMMS, now=due
        )
    found_by_person(
        session, delivery, url="", seen=True, again=False, note="Saw it", by=CORA_COMMS, now=due
    )
    assert (delivery.state, delivery.receipt_url) == ("published", None)


def test_past_its_window_it_is_missed_and_stays_so(
    session: Session, delivery: Delivery, now: datetime, work: Callable[[datetime], int]
) -> None:
    late = now + HOUR + FRESHNESS + timedelta(seconds=1)
    pack = pack_of(session, delivery, late)  # before any worker has noticed
    assert pack.over
    assert "late is worse" in pack.obstacle
    with pytest.raises(NotNowError):
        open_pack(session, delivery, by=PASTOR_PAULA, now=late)
    work(late)
    assert delivery.state == "missed"
    with pytest.raises(NotNowError):
        open_pack(session, delivery, by=PASTOR_PAULA, now=now + HOUR)


@pytest.mark.parametrize("what", ["stop", "approval", "consent", "words"])
@pytest.mark.parametrize("opened", [False, True])
def test_what_stops_a_sending_stops_a_post_by_hand(
    session: Session, delivery: Delivery, now: datetime, what: str, opened: bool
) -> None:
    due = now + HOUR
    message, voice = delivery.approval.version.message, delivery.account.voice
    if opened:
        open_pack(session, delivery, by=PASTOR_PAULA, now=due)
        assert not pack_of(session, delivery, due).obstacle
    if what == "stop":
        kill_switch.press(session, voice, reason="A threat", by=CARL_COMMS, now=due)
    elif what == "approval":
        withdraw_approval(session, delivery.approval, why="A threat", by=CARL_COMMS, now=due)
    elif what == "consent":
        withdraw_consent(session, voice.consents[0], why="A threat", by=CARL_COMMS, now=due)
    elif opened:
        delivery.record = delivery.record | {"text": "Words nobody approved."}
    else:
        texts = {delivery.account_id: "Other words: come and ask us."}
        save_draft(session, message, texts, due, by=CARL_COMMS, now=now)
    session.flush()
    pack = pack_of(session, delivery, due)
    assert pack.obstacle
    assert pack.over is (what != "stop")
    if opened:  # what she may have posted meanwhile she can still say
        say_posted(session, delivery, url="", by=PASTOR_PAULA, now=due)
        assert delivery.state == "unconfirmed"
    else:
        with pytest.raises(NotNowError):
            open_pack(session, delivery, by=PASTOR_PAULA, now=due)


def test_who_looked_too_early_does_not_silence_who_posted(
    session: Session, delivery: Delivery, now: datetime, work: Callable[[datetime], int]
) -> None:
    due = now + HOUR
    open_pack(session, delivery, by=PASTOR_PAULA, now=due)
    work(due + CLAIM_PATIENCE)
    found_by_person(
        session, delivery, url=None, again=False, note="Nothing", by=CORA_COMMS, now=due
    )
    assert delivery.state == "withdrawn"
    say_posted(session, delivery, url="https://x.com/p/1", by=PASTOR_PAULA, now=due + HOUR)
    assert (delivery.state, delivery.settled_at) == ("unconfirmed", None)
    assert "Nothing" in delivery.detail


def test_the_words_go_along_in_the_address_whole(
    session: Session, message: Message, now: datetime
) -> None:
    words = "Use the bridge & ask us: 100% open? #calm\nCome+see “it”."
    (delivery,) = approve_message(session, message, now + HOUR, now, words).deliveries
    start = pack_of(session, delivery, now).start
    assert start == (
        "https://twitter.com/intent/tweet?text=Use%20the%20bridge%20%26%20ask%20us%3A%20100%25%20"
        "open%3F%20%23calm%0ACome%2Bsee%20%E2%80%9Cit%E2%80%9D."
    )


def test_checks_hold_a_post_by_hand_to_its_platforms_length_and_to_other_voices(
    session: Session, delivery: Delivery, now: datetime
) -> None:
    text = delivery.approval.version.content["parts"][0]["text"]
    other = make_voice(session, now)
    other.name = "Another voice"
    account = connect_account(
        session,
        other,
        platform="share_whatsapp",
        handle="Mill Street",
        service="",
        secret=None,
        vault=VAULT,
        by=CARL_COMMS,
        now=now,
    )
    campaign = delivery.approval.version.message.campaign
    second = start_message(session, campaign, other, by=CARL_COMMS, now=now)
    version = save_draft(session, second, {account.id: text}, now + HOUR, by=CARL_COMMS, now=now)
    problems = {one.name: one.problem for one in check(session, version, now) if one.problem}
    assert problems["The voice's own words"] == "Paula Price says nearly the same."
    assert "within 30 minutes" in problems["Time between messages"]
    assert "Consent of the voice for WhatsApp, by hand" in problems
    assert measures("share_whatsapp", "x" * 9000)[0].limit is None
    assert measures("share_facebook", "x" * 63_207)[0].over == 1
    assert measures("share_x", "x" * 281)[0].over == 1
    kinds = [cut.kind for cut in cuts({"platform": "share_whatsapp", "text": "#calm at a.com"})]
    assert kinds == ["", "link"]


# twitter/twitter-text, conformance/validate.yml and its config v3.
@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("This is a test.", 15),
        ("Test https://test.com test https://test.com test.com test", 86),
        ("https://test.com/" + "x" * 300, 23),
        ("저찀쯿쿿", 8),
        ("H🐱☺", 5),
        ("👨‍👩‍👧‍👦🇺🇸", 4),
        ("cafe\u0301 “ok” – é", 13),
        ("の" * 140, 280),
    ],
)
def test_x_weighs_signs_as_twitter_text_does(text: str, weight: int) -> None:
    assert x_length(text) == weight
