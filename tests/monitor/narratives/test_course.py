"""The course of a narrative in hours, quarter days or days; people are told apart in an hour."""

from datetime import timedelta

import pytest

from monitor.narratives.course import DAYS, LONGEST, Hour, course, days

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def test_silent_hours_are_part_of_the_course(now):
    found = course([Hour(now - 3 * HOUR, 4, 4), Hour(now, 1, 1)], now - 3 * HOUR, now)
    assert found.length == HOUR
    assert [(one.posts, one.authors) for one in found.steps] == [(4, 4), (0, 0), (0, 0), (1, 1)]
    assert found.steps[0].at == now - 3 * HOUR
    assert not found.cut


@pytest.mark.parametrize(
    ("long", "length", "steps"),
    [
        (0 * HOUR, HOUR, 1),
        (7 * DAY - HOUR, HOUR, 168),
        (7 * DAY, 6 * HOUR, 29),
        (28 * DAY - HOUR, 6 * HOUR, 113),
        (28 * DAY, DAY, 29),
        (100 * DAY, DAY, 101),
        (500 * DAY, DAY, 168),
    ],
)
def test_a_longer_course_has_longer_steps(now, long, length, steps):
    found = course([], now - long, now)
    assert (found.length, len(found.steps)) == (length, steps)
    assert found.cut == (long > LONGEST)
    assert found.steps[-1].at <= now < found.steps[-1].at + length


def test_of_hours_drawn_together_posts_add_up_and_the_busiest_tells_the_people(now):
    hours = [Hour(now, 5, 4, 3, 2), Hour(now + HOUR, 7, 3, 0, 0), Hour(now + 6 * HOUR, 1, 1, 1, 1)]
    found = course(hours, now - 8 * DAY, now + 6 * HOUR)
    one, another = found.steps[-2:]
    assert (one.posts, one.authors, one.dangerous_posts, one.dangerous_authors) == (12, 4, 3, 2)
    assert one.share == 0.25
    assert (another.posts, another.share) == (1, 1.0)
    assert found.steps[0].share == 0.0


def test_where_a_moment_lies(now):
    found = course([], now - 3 * HOUR, now)
    assert found.place(now - 3 * HOUR) == 0
    assert found.place(now - HOUR) == 0.5
    assert found.place(now + 2 * HOUR) > 1
    assert found.place(now - 4 * HOUR) < 0


def test_days_are_utc_and_tell_the_loudest_hour(now):
    midnight = now.replace(hour=0)
    hours = [
        Hour(midnight - HOUR, 1, 1, 0, 0),
        Hour(midnight, 2, 2, 1, 1),
        Hour(midnight + HOUR, 2, 2, 1, 2),
    ]
    found = days(hours)
    assert [(one.at, one.posts, one.share, one.dangerous_authors) for one in found] == [
        (midnight, 4, 0.5, 2),
        (midnight - DAY, 1, 0.0, 0),
    ]
    many = [Hour(midnight - n * DAY, 1) for n in range(DAYS + 5)]
    assert len(days(many)) == DAYS
