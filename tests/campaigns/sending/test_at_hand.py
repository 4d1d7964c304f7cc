"""One query tells the first page of deliveries: what needs somebody, what is by hand, what goes."""

from datetime import datetime, timedelta

from sqlalchemy import event
from sqlalchemy.orm import Session

from campaigns.models import Delivery
from campaigns.sending import kill_switch
from campaigns.sending.at_hand import AHEAD, BACK, AtHand, at_hand
from campaigns.sending.watchdogs import OVERDUE
from tests.campaigns import cast
from tests.campaigns.cast import LENA_OTHER_LEADER, PASTOR_PAULA
from tests.campaigns.sending.test_share_packs import delivery, message  # noqa: F401

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def told(session: Session, at: datetime, person: int = PASTOR_PAULA) -> AtHand:
    session.flush()
    return at_hand(session, person, kill_switch.standing(session), at)


def test_what_is_due_goes_out_around_now_and_waits_by_hand_for_its_leader(
    session: Session,
    delivery: Delivery,  # noqa: F811
    now: datetime,
) -> None:
    due = delivery.due_at
    assert told(session, now) == AtHand([], [], [delivery])
    assert told(session, due).by_hand == [delivery]
    assert told(session, due, LENA_OTHER_LEADER).by_hand == []
    assert [one.kind for one in told(session, due + OVERDUE).concerns] == ["overdue"]
    for at, shown in (
        *((due + BACK, True), (due + BACK + SECOND, False)),
        *((due - AHEAD + SECOND, True), (due - AHEAD, False)),
    ):
        assert bool(told(session, at).going_out) == shown


def test_one_query_tells_everything_however_much_it_is(
    session: Session,
    delivery: Delivery,  # noqa: F811
    now: datetime,
) -> None:
    for hours in range(3):
        another = cast.make_message(session, now)
        cast.approve_message(session, another, now + (2 + hours) * HOUR, now)
    kill_switch.press(session, None, reason="Look first", by=1, now=now)
    delivery.detail = "Held"
    stops, at = kill_switch.standing(session), delivery.due_at + 90 * timedelta(minutes=1)
    session.flush()
    session.expire_all()
    assert [stop.scope for stop in stops] == ["organisation"]
    asked: list[str] = []
    listening = (session.get_bind(), "before_cursor_execute", lambda *args: asked.append(args[2]))
    event.listen(*listening)
    found = at_hand(session, PASTOR_PAULA, stops, at)
    names = [one.account.voice.name for one in found.going_out]
    event.remove(*listening)
    assert (len(names), len(asked)) == (4, 1)
    assert {one.kind for one in found.concerns} == {"stopped"}
