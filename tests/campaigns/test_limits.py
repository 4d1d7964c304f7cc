"""Standing limits of a voice: so many a day, at no quiet hour, counted where the voice lives."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from campaigns.deliver import FRESHNESS, deliver_next
from campaigns.drafting.messages import start_message
from campaigns.limits import history, set_limits
from campaigns.models import Delivery, Message, VoiceLimits
from campaigns.publishers.dry_run import DryRunPublisher
from tests.campaigns import cast

HOUR = timedelta(hours=1)
NONE: dict[str, Any] = {
    "per_day": None,
    "quiet_from": None,
    "quiet_until": None,
    "zone": "America/Detroit",
    "credibility": "",
    "security_contact": "",
    "by": cast.CARL_COMMS,
}


@pytest.fixture
def message(session: Session, now: datetime) -> Message:
    return cast.make_message(session, now)


def limit(session: Session, message: Message, now: datetime, **limits: Any) -> VoiceLimits:
    return set_limits(session, message.voice, **NONE | limits, now=now)


def run(sessions: sessionmaker[Session], at: datetime) -> int:
    return deliver_next(sessions, {"dry_run": DryRunPublisher()}, cast.VAULT, lambda: at)


def states(session: Session) -> list[str]:
    session.expire_all()
    return list(session.scalars(select(Delivery.state).order_by(Delivery.id)))


def test_quiet_hours_hold_a_message_until_they_are_over(
    session: Session, sessions: sessionmaker[Session], message: Message, now: datetime
) -> None:
    due = now + HOUR
    local = due.astimezone(UTC)
    minute = local.hour * 60 + local.minute
    limit(session, message, now, quiet_from=minute, quiet_until=(minute + 90) % 1440, zone="UTC")
    cast.approve_message(session, message, due, now)
    session.commit()
    assert run(sessions, due) == 0
    assert states(session) == ["scheduled"]
    (delivery,) = session.scalars(select(Delivery))
    assert delivery.not_before == due.replace(second=0, microsecond=0) + timedelta(minutes=90)
    assert "quiet hours" in delivery.detail
    assert run(sessions, delivery.not_before - timedelta(seconds=1)) == 0
    assert run(sessions, delivery.not_before) == 1
    assert states(session) == ["published"]


def test_quiet_hours_longer_than_a_message_is_fresh_end_it(
    session: Session, sessions: sessionmaker[Session], message: Message, now: datetime
) -> None:
    minute = (now + HOUR).hour * 60 + (now + HOUR).minute
    limit(session, message, now, quiet_from=minute, quiet_until=(minute + 480) % 1440, zone="UTC")
    cast.approve_message(session, message, now + HOUR, now)
    session.commit()
    run(sessions, now + HOUR)
    run(sessions, now + HOUR + FRESHNESS + 3 * HOUR)
    assert states(session) == ["missed"]


def test_a_day_has_so_many_posts_even_with_many_workers(
    session: Session, sessions: sessionmaker[Session], message: Message, now: datetime
) -> None:
    for number in range(7):
        cast.rehearsal_account(session, message.voice, now, handle=f"church-{number}")
    limit(session, message, now, per_day=2, zone="UTC")
    at = now.replace(hour=12) + timedelta(days=1)
    cast.approve_message(session, message, at, now)
    session.commit()
    together = Barrier(4)

    def work() -> None:
        together.wait()
        run(sessions, at)

    with ThreadPoolExecutor(4) as pool:
        for end in [pool.submit(work) for _ in range(4)]:
            end.result(60)
    assert sorted(states(session)) == ["published"] * 2 + ["scheduled"] * 6
    waiting = session.scalars(select(Delivery).where(Delivery.state == "scheduled")).all()
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    assert {one.not_before for one in waiting} == {midnight}


def test_the_day_is_the_voices_own(
    session: Session, sessions: sessionmaker[Session], message: Message, now: datetime
) -> None:
    """01:00 UTC is still yesterday evening in Detroit."""
    voice, campaign = message.voice, message.campaign
    limit(session, message, now, per_day=1)
    evening = (now + timedelta(days=2)).replace(hour=23, minute=30)
    after_midnight = evening + 2 * HOUR
    cast.approve_message(session, message, evening, now)
    other = start_message(session, campaign, voice, by=cast.CARL_COMMS, now=now)
    cast.approve_message(session, other, after_midnight, now, text="Another calm word for tonight.")
    session.commit()
    run(sessions, evening)
    run(sessions, after_midnight)
    assert states(session) == ["published", "scheduled"]
    run(sessions, evening.replace(hour=5, minute=30) + timedelta(days=1))
    assert states(session) == ["published", "published"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"per_day": 0}, "1 to 100"),
        ({"per_day": 10**12}, "1 to 100"),
        ({"quiet_from": 60}, "both"),
        ({"quiet_from": 60, "quiet_until": 60}, "same time"),
        ({"zone": "Mars/Olympus"}, "time zone"),
        ({"zone": "../../etc/passwd"}, "time zone"),
        ({"zone": "America"}, "time zone"),
        ({"zone": ""}, "time zone"),
        ({"zone": "\x00"}, "time zone"),
    ],
)
def test_limits_that_cannot_be_are_refused(
    session: Session, message: Message, now: datetime, wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        limit(session, message, now, **wrong)
    assert history(session, message.voice) == []


def test_every_saving_is_kept(session: Session, message: Message, now: datetime) -> None:
    limit(session, message, now, per_day=3, credibility=" Young fathers ")
    limit(session, message, now + HOUR, per_day=None, security_contact="Sgt. Alvarez")
    newest, first = history(session, message.voice)
    assert (newest.per_day, newest.security_contact) == (None, "Sgt. Alvarez")
    assert (first.per_day, first.credibility, first.at) == (3, "Young fathers", now)
