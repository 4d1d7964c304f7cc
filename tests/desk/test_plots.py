"""The drawing of a narrative's course: our messages and alerts stand where they belong."""

from datetime import timedelta

import pytest

from campaigns.models import Approval, Campaign, Delivery, Message, MessageVersion, Voice
from desk.plots import CLOSE, HEIGHT, MARKS, our_alerts, our_messages, plot
from monitor.models import Flag
from monitor.narratives.counted import Sent
from monitor.narratives.course import Hour, course

HOUR = timedelta(hours=1)


@pytest.fixture
def told(now):
    """Ten hours, the last of them the loudest."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    hours = [Hour(hour - n * HOUR, 10 - n, 5, 2, 1) for n in range(10)]
    return course(hours, hour - 9 * HOUR, hour)


def campaign(*deliveries):
    """A campaign with one message that was approved and went to these: (state, when settled)."""
    approval = Approval()
    approval.deliveries = [Delivery(state=state, settled_at=at) for state, at in deliveries]
    message = Message(id=4, voice=Voice(name="Ruth <b>"))
    message.versions = [MessageVersion(), MessageVersion(approval=approval)]
    found = Campaign()
    found.messages = [message]
    return found


def test_a_published_message_is_marked_once_with_its_voice_and_its_page(told, now):
    answer = campaign(("published", now - 3 * HOUR), ("published", now - 2 * HOUR))
    (mark,) = plot(told, [], our_messages([answer])).marks
    assert (mark.number, mark.kind, mark.what) == (1, "message", "Ruth <b> spoke")
    assert mark.path == "/messages/4"
    assert mark.at == now - 3 * HOUR  # on several platforms it is one message still


@pytest.mark.parametrize("state", ["scheduled", "attempting", "rejected", "missed", "withdrawn"])
def test_what_did_not_go_out_is_not_marked(told, now, state):
    assert our_messages([campaign((state, now))]) == []
    assert our_messages([Campaign(messages=[Message(voice=Voice(name="Ruth"))])]) == []


def test_alerts_and_messages_are_numbered_together_in_time(told, now):
    sent = our_alerts([Sent(9, "A crowd may come", now - 5 * HOUR)])
    marks = plot(told, [], [*our_messages([campaign(("published", now - HOUR))]), *sent]).marks
    assert [(one.number, one.kind, one.path) for one in marks] == [
        (1, "alert", "/alerts/9"),
        (2, "message", "/messages/4"),
    ]
    assert marks[0].what == "A crowd may come"
    places = [float(one.left.rstrip("%")) for one in marks]
    assert 0 <= places[0] < places[1] <= 100


def test_marks_close_together_stand_in_two_rows_and_those_outside_in_none(told, now):
    at = now - 5 * HOUR
    sent = [Sent(1, "a", at), Sent(2, "b", at + timedelta(minutes=1)), Sent(3, "c", now - HOUR)]
    drawn = plot(told, [], our_alerts([*sent, Sent(4, "long ago", now - 99 * HOUR)]))
    assert [(one.number, one.row) for one in drawn.marks] == [(1, 0), (2, 1), (3, 0)]
    assert drawn.rows == 2
    apart = [float(one.left.rstrip("%")) for one in drawn.marks]
    assert apart[1] - apart[0] < CLOSE < apart[2] - apart[1]


def test_of_very_many_marks_the_latest_are_drawn(told, now):
    sent = [Sent(n, str(n), now - timedelta(minutes=n)) for n in range(MARKS + 5)]
    marks = plot(told, [], our_alerts(sent)).marks
    assert len(marks) == MARKS
    assert marks[-1].path == "/alerts/0"


def test_columns_are_parts_of_the_loudest_and_flagged_hours_are_told(told):
    hour = told.steps[-1].at
    drawn = plot(told, [Flag(hour=hour, hours=3)], [])
    assert [one.posts for one in drawn.columns][-1] == HEIGHT
    assert [one.flagged for one in drawn.columns] == [False] * 7 + [True] * 3
    assert drawn.rows == 0
    assert drawn.until == hour + HOUR


def test_a_single_post_does_not_fill_the_sheet(now):
    drawn = plot(course([Hour(now, 1, 1, 0, 0)], now, now), [], [])
    assert drawn.columns[0].posts < HEIGHT / 2
    assert drawn.columns[0].share == 0
