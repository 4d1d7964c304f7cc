"""Rises are flagged, in people; the ordinary, the loud few and the already decided are not."""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from monitor.flags import decide
from monitor.models import Flag, HourlyCount, Narrative
from monitor.spikes import GAP, QUIET, evaluate, expected_authors, rises


@pytest.fixture
def narrative(session, now):
    row = Narrative(
        title="Depot",
        centroid=np.ones(3, dtype=np.float32),
        embedder="none",
        size=9,
        first_post_at=now - timedelta(days=10),
        last_post_at=now,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


@pytest.fixture
def hours(session, narrative, now):
    """Write the narrative's dangerous authors, hour by hour, the last of them in ``now``'s."""

    def write(*counts):
        for back, authors in enumerate(reversed(counts)):
            session.add(
                HourlyCount(
                    narrative_id=narrative.id,
                    hour=now - timedelta(hours=back),
                    posts=authors * 4,
                    authors=authors * 2,
                    dangerous_posts=authors * 3,
                    dangerous_authors=authors,
                )
            )
        narrative.first_post_at = now - timedelta(hours=len(counts) - 1)
        session.flush()
        return {(narrative.id, now)}

    return write


def test_a_steady_baseline_is_quiet(session, hours, now):
    assert evaluate(session, hours(*[3, 4, 2, 3] * 30, 4), now) == []


def test_a_rise_is_flagged_with_numbers(session, hours, now):
    (flag,) = evaluate(session, hours(*[0, 1, 0, 0] * 30, 7), now)
    assert (flag.observed, flag.hour) == (7, now)
    assert flag.expected == pytest.approx(0.25, abs=0.05)
    assert flag.p_value < 1e-6
    assert flag.reasons[0]["text"].startswith(
        "7 different authors of dangerous posts in one hour; the hours before explain 0."
    )


def test_two_people_are_never_a_spike(session, hours, now):
    assert evaluate(session, hours(*[0] * 200, 2), now) == []


def test_a_young_narrative_has_an_honest_floor(session, hours, now):
    (flag,) = evaluate(session, hours(3), now)
    assert flag.expected == 0.25
    assert any("young" in reason["text"] for reason in flag.reasons)


def test_the_hours_just_before_are_no_baseline():
    assert GAP >= 2  # a rise that took two hours to build must not explain itself
    assert rises(6, expected_authors([0] * 48))
    assert not rises(6, expected_authors([6] * 48))


def test_a_small_effect_is_no_spike_however_certain():
    assert not rises(1_100, 1_000)
    assert rises(1_400, 1_000)


def test_an_open_flag_is_enough(session, hours, now):
    touched = hours(*[0] * 50, 5)
    assert len(evaluate(session, touched, now)) == 1
    assert evaluate(session, touched, now) == []
    assert evaluate(session, {(cell[0], now - timedelta(hours=1)) for cell in touched}, now) == []


def test_an_open_flag_keeps_up_with_its_hour(session, hours, now):
    touched = hours(*[0] * 50, 5)
    (flag,) = evaluate(session, touched, now)
    (cell,) = touched
    session.get_one(HourlyCount, cell).dangerous_authors = 9
    session.flush()
    assert evaluate(session, touched, now) == []
    assert flag.observed == 9
    assert flag.reasons[0]["text"].startswith("9 different authors")


def test_a_decided_narrative_is_left_alone_for_a_while(session, hours, now):
    (cell,) = hours(*[0] * 50, 5, 5)
    before = (cell[0], now - timedelta(hours=1))
    (flag,) = evaluate(session, {before}, now)
    decide(session, flag, "dismissed", "a film title", by=1, now=now)
    assert evaluate(session, {cell}, now + QUIET / 2) == []
    assert len(evaluate(session, {cell}, now + QUIET)) == 1
    assert evaluate(session, {before}, now + 3 * QUIET) == []  # this hour was decided for good
    assert len(session.scalars(select(Flag)).all()) == 2


def test_an_hour_of_the_past_is_compared_with_what_was_before_it(session, hours, now):
    (cell,) = hours(*[0] * 50, 5, *[9] * 10)
    (flag,) = evaluate(session, {(cell[0], now - timedelta(hours=10))}, now)
    assert flag.hour == now - timedelta(hours=10)
    assert flag.expected < 0.2
