"""What the calendar holds, what stands in the way, and another time for a message."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from campaigns.approving.approvals import decline
from campaigns.drafting.messages import (
    OvertakenError,
    check,
    latest_version,
    save_draft,
    start_message,
    state_of,
    submit,
)
from campaigns.limits import in_force, set_limits
from campaigns.models import Message, MessageVersion
from campaigns.sending import calendar
from campaigns.sending.calendar import CannotMoveError, Entry, reschedule
from campaigns.wording.content import at_another_time, send_time, send_until
from monitor import triggers
from tests.campaigns import cast

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DETROIT = ZoneInfo("America/Detroit")


@pytest.fixture
def message(session: Session, now: datetime) -> Message:
    """One approved message, due tomorrow."""
    made = cast.make_message(session, now)
    cast.approve_message(session, made, now + DAY, now)
    session.flush()
    return made


def entries(session: Session, now: datetime, **narrowed: int) -> list[Entry]:
    session.flush()
    found = calendar.sheet(session, now, now + 7 * DAY, DETROIT, **narrowed)
    return found.entries


def another(session: Session, message: Message, send_at: datetime, now: datetime) -> MessageVersion:
    """A second message of the same voice and campaign, a draft."""
    other = start_message(session, message.campaign, message.voice, by=cast.CARL_COMMS, now=now)
    words = {account.id: "Come to the market on Friday." for account in message.voice.accounts}
    return save_draft(session, other, words, send_at, by=cast.CARL_COMMS, now=now)


def test_moving_voids_the_approval_and_stops_what_was_scheduled(
    session: Session, message: Message, now: datetime
) -> None:
    old = latest_version(message)
    assert old
    assert old.approval
    moved = reschedule(
        session, message, now + 2 * DAY, base=old.number, by=cast.CORA_COMMS, now=now
    )
    assert (moved.number, moved.drafted_by) == (old.number + 1, cast.CORA_COMMS)
    assert send_time(moved.content) == now + 2 * DAY
    assert moved.content["parts"] == old.content["parts"]
    assert moved.sha256 != old.sha256
    assert state_of(message) == "draft"
    assert [one.state for one in old.approval.deliveries] == ["withdrawn"]
    assert [(one.state, one.due_at) for one in entries(session, now)] == [
        ("withdrawn", now + DAY),
        ("draft", now + 2 * DAY),
    ]


@pytest.mark.parametrize("state", ["attempting", "unconfirmed", "published"])
def test_what_is_out_or_may_be_is_not_moved(
    session: Session, message: Message, now: datetime, state: str
) -> None:
    version = latest_version(message)
    assert version
    assert version.approval
    (delivery,) = version.approval.deliveries
    delivery.state, delivery.claimed_at = state, now
    if state == "published":
        delivery.receipt_uri, delivery.settled_at = "at://here", now
    session.flush()
    with pytest.raises(CannotMoveError):
        reschedule(session, message, now + 2 * DAY, base=1, by=cast.CARL_COMMS, now=now)
    assert (delivery.state, latest_version(message)) == (state, version)
    assert calendar.why_not(message)
    assert not any(one.movable for one in entries(session, now))


def test_what_cannot_be_moved_there_changes_nothing(
    session: Session, message: Message, now: datetime
) -> None:
    def to(send_at: datetime, base: int = 1) -> None:
        reschedule(session, message, send_at, base=base, by=cast.CARL_COMMS, now=now)

    with pytest.raises(ValueError, match="has passed"):
        to(now)
    with pytest.raises(ValueError, match="is the time it has"):
        to(now + DAY)
    with pytest.raises(ValueError, match="beyond the calendar"):
        to(datetime.max.replace(tzinfo=UTC) - HOUR)
    with pytest.raises(OvertakenError):
        to(now + 2 * DAY, base=7)
    message.voice.accounts[0].handle = "somebody-else"
    with pytest.raises(ValueError, match="was connected anew"):
        to(now + 2 * DAY)
    assert state_of(message) == "scheduled"


def test_the_window_moves_with_the_time(message: Message, now: datetime) -> None:
    content = dict(message.versions[0].content) | {"send_until": "2026-11-24T15:30:00Z"}
    length = send_until(content) - send_time(content)
    moved = at_another_time(content, now + 9 * DAY)
    assert send_until(moved) - send_time(moved) == length == timedelta(minutes=30)


def test_the_newest_undecided_words_stand_there_and_older_or_declined_ones_do_not(
    session: Session, message: Message, now: datetime
) -> None:
    first = another(session, message, now + 3 * DAY, now)
    words = {part["account"]: "Ask the crew at the market." for part in first.content["parts"]}
    save_draft(session, first.message, words, now + 4 * DAY, by=cast.CARL_COMMS, now=now)
    found = entries(session, now)[1:]
    assert [(one.state, one.due_at) for one in found] == [("draft", now + 4 * DAY)]
    newest = found[0].version
    reasons = {one.key: "It reads well as it is" for one in check(session, newest, now)}
    submit(session, newest, by=cast.CORA_COMMS, now=now, reasons=reasons)
    assert entries(session, now)[1].state == "submitted"
    session.refresh(newest)
    decline(session, newest, reason="Not this week.", by=cast.PASTOR_PAULA, now=now)
    session.expire_all()
    assert len(entries(session, now)) == 1


def test_too_close_quiet_too_many_and_tense_days_are_said_even_of_what_is_not_shown(
    session: Session, message: Message, now: datetime
) -> None:
    near = another(session, message, now + DAY + timedelta(minutes=29), now)
    assert entries(session, now)[1].notes == ["29 min from Paula Price on the same story"]
    assert entries(session, now, voice=message.voice_id + 1) == []
    assert len(entries(session, now, campaign=message.campaign_id)) == 2
    minute = (now + DAY).hour * 60 + (now + DAY).minute
    set_limits(
        session,
        message.voice,
        per_day=1,
        quiet_from=minute,
        quiet_until=minute + 25,
        zone="UTC",
        credibility="",
        security_contact="",
        by=2,
        now=now,
    )
    triggers.add(
        session,
        name="Verdict <b>",
        kind="verdict",
        place="",
        starts_at=now + DAY,
        ends_at=now + DAY + HOUR,
        note="",
        by=1,
        now=now,
    )
    scheduled, draft = entries(session, now)
    quiet = f"in Paula Price’s quiet hours, until {now + DAY + timedelta(minutes=25):%H:%M} there"
    assert scheduled.notes == [quiet, "on the day of “Verdict <b>”"]
    assert draft.notes[1] == "2 posts of Paula Price that day; 1 at most"
    allows = in_force(session, [near.message.voice_id])[near.message.voice_id]
    assert calendar.notes_at(session, near, now + 3 * DAY + HOUR, allows, DETROIT) == []
    at_once = calendar.notes_at(session, near, now + DAY, allows, DETROIT)
    assert at_once[0] == "0 min from Paula Price on the same story"
    assert at_once[-1] == "on the day of “Verdict <b>”"


def test_the_distance_that_is_kept_is_that_of_the_checks(
    session: Session, message: Message, now: datetime
) -> None:
    another(session, message, now + DAY + calendar.SPACING, now)
    assert entries(session, now)[1].notes == []
