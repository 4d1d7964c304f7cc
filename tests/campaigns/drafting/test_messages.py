"""A draft becomes a submission, and any change afterwards starts again."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from campaigns.approving.approvals import decline, withdraw_approval
from campaigns.drafting.messages import (
    AlreadyOutError,
    NotReadyError,
    OvertakenError,
    all_messages,
    check,
    drafts,
    save_draft,
    state_of,
    submissions_among,
    submit,
    unapproved,
)
from campaigns.models import SETTLED, Message
from tests.campaigns import cast

HOUR = timedelta(hours=1)


@pytest.fixture
def message(session: Session, now: datetime) -> Message:
    """Two accounts, so that one can be edited while the other stays."""
    message = cast.make_message(session, now)
    cast.rehearsal_account(session, message.voice, now, handle="hope-church")
    return message


def texts_of(message: Message) -> dict[int, str]:
    return {account.id: cast.CALM for account in message.voice.accounts}


def test_saving_the_same_words_makes_no_new_version(
    session: Session, message: Message, now: datetime
) -> None:
    first = save_draft(session, message, texts_of(message), now + HOUR, by=2, now=now)
    padded = {number: f" {text}\r\n" for number, text in texts_of(message).items()}
    assert save_draft(session, message, padded, now + HOUR, by=5, now=now) is first
    assert [version.number for version in message.versions] == [1]


def test_saving_an_approved_message_unchanged_leaves_its_approval(
    session: Session, message: Message, now: datetime
) -> None:
    approval = cast.approve_message(session, message, now + HOUR, now)
    save_draft(session, message, texts_of(message), now + HOUR, by=2, now=now)
    assert state_of(message) == "scheduled"
    assert {delivery.state for delivery in approval.deliveries} == {"scheduled"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda texts, at: (texts | {min(texts): "Other words"}, at),
        lambda texts, at: (texts | {max(texts): "Other words"}, at),
        lambda texts, at: ({min(texts): texts[min(texts)]}, at),
        lambda texts, at: (texts, at + timedelta(seconds=1)),
    ],
    ids=["first text", "second text", "an account left out", "the time"],
)
def test_any_edit_voids_what_was_approved(
    session: Session,
    message: Message,
    now: datetime,
    edit: Callable[[dict[int, str], datetime], tuple[dict[int, str], datetime]],
) -> None:
    approval = cast.approve_message(session, message, now + HOUR, now)
    save_draft(session, message, *edit(texts_of(message), now + HOUR), by=cast.CORA_COMMS, now=now)
    session.commit()
    assert [delivery.state for delivery in approval.deliveries] == ["withdrawn", "withdrawn"]
    assert "changed after it was approved" in approval.deliveries[0].detail
    assert state_of(message) == "draft"
    assert submissions_among(unapproved(session), cast.PASTOR_PAULA) == []


def test_only_the_newest_version_is_submitted_and_only_once(
    session: Session, message: Message, now: datetime
) -> None:
    first = save_draft(session, message, texts_of(message), now + HOUR, by=2, now=now)
    second = save_draft(session, message, texts_of(message), now + 2 * HOUR, by=2, now=now)
    with pytest.raises(ValueError, match="newer version"):
        submit(session, first, by=2, now=now)
    submit(session, second, by=2, now=now)
    with pytest.raises(ValueError, match="submitted before"):
        submit(session, second, by=2, now=now)
    assert state_of(message) == "submitted"


def test_a_draft_that_fails_a_blocking_check_is_not_submitted(
    session: Session, message: Message, now: datetime
) -> None:
    version = save_draft(session, message, {}, now, by=2, now=now)
    with pytest.raises(NotReadyError) as refused:
        submit(session, version, by=2, now=now)
    assert [fault.number for fault in refused.value.failed] == [19, 24]
    assert [fault.number for fault in check(session, version, now) if not fault.passed] == [19, 24]
    assert state_of(message) == "draft"


def test_a_published_message_can_no_longer_change(
    session: Session, message: Message, now: datetime
) -> None:
    approval = cast.approve_message(session, message, now + HOUR, now)
    delivery = approval.deliveries[0]
    for state in ("attempting", "unconfirmed", "published"):
        delivery.state, delivery.claimed_at = state, now
        if state == "published":
            delivery.settled_at, delivery.receipt_uri = now, "at://here"
        with pytest.raises(AlreadyOutError):
            save_draft(session, message, {}, now + 2 * HOUR, by=2, now=now)


@pytest.mark.parametrize(
    ("states", "word"),
    [
        (("scheduled", "scheduled"), "scheduled"),
        (("scheduled", "attempting"), "publishing"),
        (("published", "attempting"), "publishing"),
        (("published", "unconfirmed"), "not known if out"),
        (("scheduled", "claimed"), "scheduled"),
        (("retry_later", "rejected"), "scheduled"),
        (("published", "published"), "published"),
        (("published", "rejected"), "partly published"),
        (("published", "scheduled"), "partly published"),
        (("scheduled", "rejected"), "scheduled"),
        (("missed", "rejected"), "rejected"),
        (("missed", "withdrawn"), "missed"),
        (("withdrawn", "withdrawn"), "withdrawn"),
    ],
)
def test_the_state_follows_from_the_deliveries(
    session: Session, message: Message, now: datetime, states: tuple[str, str], word: str
) -> None:
    approval = cast.approve_message(session, message, now + HOUR, now)
    for delivery, state in zip(approval.deliveries, states, strict=True):
        delivery.state, delivery.claimed_at, delivery.receipt_uri = state, now, "at://here"
        delivery.settled_at = now if state in SETTLED else None
    assert state_of(message) == word


def test_who_is_waited_for(session: Session, message: Message, now: datetime) -> None:
    assert state_of(message) == "draft"
    assert drafts(session) == [message]
    version = save_draft(session, message, texts_of(message), now + HOUR, by=2, now=now)
    submit(session, version, by=2, now=now)
    session.commit()
    assert drafts(session) == []
    assert submissions_among(unapproved(session), cast.PASTOR_PAULA) == [version]
    assert submissions_among(unapproved(session), cast.LENA_OTHER_LEADER) == []
    decline(session, version, reason="Shorter, please.", by=cast.PASTOR_PAULA, now=now)
    assert state_of(message) == "declined"
    assert drafts(session) == all_messages(session) == [message]
    assert submissions_among(unapproved(session), cast.PASTOR_PAULA) == []


def test_words_that_lost_their_approval_can_be_submitted_again(
    session: Session, message: Message, now: datetime
) -> None:
    approval = cast.approve_message(session, message, now + HOUR, now)
    withdraw_approval(session, approval, why="Wait for the mayor.", by=3, now=now)
    assert state_of(message) == "withdrawn"
    again = cast.approve_message(session, message, now + HOUR, now)
    assert again.version.number == 2
    assert state_of(message) == "scheduled"


def test_whoever_saves_second_overwrites_nobody(
    session: Session, message: Message, now: datetime
) -> None:
    words = {account.id: "First." for account in message.voice.accounts}
    first = save_draft(session, message, words, now + HOUR, by=2, now=now, base=0)
    later = {account.id: "Second." for account in message.voice.accounts}
    with pytest.raises(OvertakenError, match="Version 1 was saved") as caught:
        save_draft(session, message, later, now + HOUR, by=5, now=now, base=0)
    assert caught.value.newer is first
    assert message.versions == [first]
    assert save_draft(session, message, words, now + HOUR, by=5, now=now, base=0) is first
    second = save_draft(session, message, later, now + HOUR, by=5, now=now, base=1)
    assert second.number == 2
