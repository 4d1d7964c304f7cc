"""A wrong key at the gateway: nobody on the list is refused for it, and a person is told once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from campaigns.deliver import deliver_next
from campaigns.models import Attempt, Bark, Delivery, Lockout
from campaigns.publishers.housed import Housed
from campaigns.publishers.twilio import TwilioPublisher
from campaigns.sending.lockouts import TRIED_AGAIN
from campaigns.sending.watchdogs import concerns, keep_barks
from tests.campaigns import cast, listing
from tests.campaigns.publishers.test_twilio import ACCOUNT, KEY, StandIn, standing_in

DUE = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)  # eleven in Detroit
PEOPLE = 5


@pytest.fixture
def twilio() -> Iterator[StandIn]:
    with standing_in() as stand_in:
        yield stand_in


def test_a_wrong_key_keeps_every_recipient_and_is_told_once(
    session: Session, sessions: sessionmaker[Session], twilio: StandIn
) -> None:
    now = DUE - timedelta(hours=2)
    parents = listing.make_list(session, now)
    for number in range(PEOPLE):
        listing.member(session, parents, f"Ana {number}", now, number=f"(989) 555-010{number}")
    account = listing.speak(session, parents, "sms", now)
    listing.approved(session, account, DUE, now, listing.TEXT)
    session.commit()

    def work(at: datetime, key: str = "wrong") -> int:
        access = f"{ACCOUNT}:{KEY}:{key}"
        publishers = {"sms": Housed(TwilioPublisher(), twilio.url, access)}
        calls = deliver_next(sessions, publishers, cast.VAULT, lambda: at)
        with sessions.begin() as own:
            keep_barks(own, at)
        session.expire_all()
        return calls

    def states() -> list[str]:
        query = select(Delivery.state).order_by(Delivery.id)
        return list(session.scalars(query))

    assert work(DUE) == 1  # one asked, and the others were not
    assert work(DUE + timedelta(minutes=5)) == 0
    assert states() == ["retry_later"] + ["scheduled"] * (PEOPLE - 1)
    assert len(session.scalars(select(Attempt)).all()) == 1
    (shut,) = concerns(session, DUE + timedelta(minutes=5))
    assert (shut.kind, shut.word) == ("locked out", "not let in")
    assert "Twilio does not let us in: Authenticate." in shut.why
    assert "BREAKWATER_SMS_ACCESS" in shut.why
    assert work(DUE + TRIED_AGAIN) == 1  # another try, by one
    assert [one.kind for one in session.scalars(select(Bark))] == ["locked out"]
    at = DUE + 2 * TRIED_AGAIN
    assert work(at, "right") == PEOPLE
    assert states() == ["published"] * PEOPLE
    assert len(twilio.messages) == PEOPLE
    assert concerns(session, at) == []
    (over,) = session.scalars(select(Lockout))
    assert (over.found_at, over.ended_at) == (DUE, at)
