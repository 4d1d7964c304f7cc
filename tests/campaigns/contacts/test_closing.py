"""Another name for a list, and the end of one: never under a message that counts on it."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from campaigns.contacts import audiences, closing
from campaigns.deliver import obstacle_to
from campaigns.limits import End
from campaigns.models import Delivery
from campaigns.voices import connect_account
from tests.campaigns import cast, listing

HOUR = timedelta(hours=1)
WHY = {"why": "The bridge is done", "by": cast.CARL_COMMS}


def test_what_is_on_its_way_stands_in_the_way(session: Session, now: datetime) -> None:
    parents = listing.make_list(session, now)
    ana = listing.member(session, parents, "Ana", now, email="ana@town.example")
    account = listing.speak(session, parents, "email", now)
    approval = listing.approved(session, account, now + 2 * HOUR, now)
    for verb in (
        lambda: closing.close(session, parents, **WHY, now=now),
        lambda: closing.rename(session, parents, "Families", **WHY, now=now),
        lambda: closing.close_account(session, account, **WHY, now=now),
    ):
        with pytest.raises(closing.InUseError) as fault:
            verb()
        assert [one.id for one in fault.value.messages] == [approval.version.message_id]
    delivery = listing.to(session, ana)
    delivery.state, delivery.settled_at = "withdrawn", now
    session.flush()
    closing.rename(session, parents, "  Families of  Mill Street ", **WHY, now=now)
    assert (parents.name, account.handle) == ("Families of Mill Street",) * 2
    with pytest.raises(ValueError, match="its name already"):
        closing.rename(session, parents, parents.name, **WHY, now=now)
    with pytest.raises(ValueError, match="Say why"):
        closing.close(session, parents, why=" ", by=2, now=now)
    assert [(one.kind, one.was) for one in closing.history(session, parents)] == [
        ("renamed", "Parents")
    ]


def test_a_closed_list_gets_nothing_and_can_be_opened_as_it_was(
    session: Session, now: datetime
) -> None:
    parents = listing.make_list(session, now)
    listing.member(session, parents, "Ana", now, email="ana@town.example", number="9895550142")
    by_mail = listing.speak(session, parents, "email", now)
    by_text = listing.speak(session, parents, "sms", now, by_mail.voice)
    closing.close_account(session, by_text, **WHY, now=now)
    closing.close(session, parents, **WHY, now=now + HOUR)
    voice = by_mail.voice
    assert voice.accounts == []
    with pytest.raises(ValueError, match="closed"):
        listing.speak(session, parents, "email", now, voice)
    with pytest.raises(ValueError, match="closed now"):
        listing.make_list(session, now, "PARENTS")
    with pytest.raises(ValueError, match="list is closed"):
        closing.open_account(session, by_mail, by=2, now=now)
    closing.reopen(session, parents, **WHY, now=now + 2 * HOUR)
    # What had been closed before stays so.
    assert [one.id for one in voice.accounts] == [by_mail.id]
    assert {one.ended_at is None for one in closing.closings(session, voice)} == {True, False}
    closing.open_account(session, by_text, by=2, now=now)
    assert len(voice.accounts) == 2
    assert audiences.all_lists(session) == [(parents, 1)]


def test_a_post_by_hand_that_was_approved_before_the_end_is_not_made(
    session: Session, now: datetime
) -> None:
    """Whoever closes it looked before the approval: the delivery asks again."""
    message = cast.make_message(session, now)
    approval = cast.approve_message(session, message, now + HOUR, now)
    delivery: Delivery = approval.deliveries[0]
    delivery.account.closed_at = now
    found = obstacle_to(session, delivery, now + HOUR)
    assert isinstance(found, End)
    assert "closed" in found.why
    with pytest.raises(ValueError, match="by hand"):  # it opens with a secret, or sends nothing
        closing.close_account(session, delivery.account, **WHY, now=now)


def test_connecting_a_closed_account_uses_it_again(session: Session, now: datetime) -> None:
    voice = cast.make_voice(session, now)
    named = {"platform": "share_x", "handle": "paula", "service": "", "secret": None}
    said = {"vault": cast.VAULT, "by": cast.CARL_COMMS, "now": now}
    account = connect_account(session, voice, **named, **said)
    closing.close_account(session, account, **WHY, now=now)
    assert voice.accounts == []
    assert connect_account(session, voice, **named, **said) is account
    assert voice.accounts == [account]
    (told,) = closing.closings(session, voice)
    assert told.ended_by == cast.CARL_COMMS
