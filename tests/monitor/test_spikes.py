"""Rises are flagged, in people; the ordinary, the loud few and the already decided are not."""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from monitor.flags import decide
from monitor.models import Flag, HourlyCount, Narrative, Reading
from monitor.narratives import hour_of
from monitor.spikes import (
    GAP,
    LOUDER,
    PRIOR_RATE,
    QUIET,
    WINDOWS,
    evaluate,
    expected_authors,
    rises,
)


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


def read(session, narrative, post, level=2):
    """The post as the analysis would leave it: dangerous, in this narrative."""
    session.add(
        Reading(
            post_id=post.id,
            embedding=np.ones(3, dtype=np.float32),
            embedder="none",
            level=level,
            threat_level="none",
            stance="asserts",
            reasons=[],
            scorer="none",
            narrative_id=narrative.id,
            hour=hour_of(post.posted_at),
            read_at=post.posted_at,
        )
    )


@pytest.fixture
def hours(session, narrative, now, say):
    """Write the narrative's dangerous authors, hour by hour, the last of them in ``now``'s."""

    def write(*counts):
        for back, authors in enumerate(reversed(counts)):
            for number in range(authors):
                at = now - timedelta(hours=back) + timedelta(minutes=5)
                read(session, narrative, say(session, f"a{back}-{number}", "They are rats.", at))
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
    assert flag.expected == PRIOR_RATE
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


def test_an_open_flag_follows_the_rise_to_its_loudest_hour(session, hours, narrative, now, say):
    (cell,) = hours(*[0] * 50, 5, 9)
    (flag,) = evaluate(session, {(cell[0], now - timedelta(hours=1))}, now)
    assert flag.observed == 5
    assert evaluate(session, {cell}, now) == []
    assert flag.hour == now
    assert flag.observed > 9
    for number in range(20):
        read(session, narrative, say(session, f"more-{number}", "They are rats.", now))
    assert evaluate(session, {cell}, now) == []
    assert flag.reasons[0]["text"].startswith(f"{flag.observed} different authors")
    assert flag.observed >= 29


def test_a_decided_narrative_is_left_alone_for_a_while(session, hours, now):
    (cell,) = hours(*[0] * 50, 5, 0, 0, 0, 5)
    before = (cell[0], now - timedelta(hours=4))
    (flag,) = evaluate(session, {before}, now)
    decide(session, flag, "dismissed", "a film title", by=1, now=now)
    assert evaluate(session, {cell}, now + QUIET / 2) == []
    assert len(evaluate(session, {cell}, now + QUIET)) == 1
    assert evaluate(session, {before}, now + 3 * QUIET) == []  # this hour was decided for good
    assert len(session.scalars(select(Flag)).all()) == 2


def test_a_decision_does_not_blind_to_what_is_louder(session, hours, now):
    (cell,) = hours(*[0] * 50, 4, 0, 0, 0, int(4 * LOUDER))
    (flag,) = evaluate(session, {(cell[0], now - timedelta(hours=4))}, now)
    decide(session, flag, "dismissed", "a film title", by=1, now=now)
    (louder,) = evaluate(session, {cell}, now + timedelta(minutes=5))
    assert louder.observed == 4 * LOUDER


def test_a_rise_that_spreads_over_hours_is_seen(session, hours, now):
    (flag,) = evaluate(session, hours(*[0] * 50, 2, 2, 2), now)
    assert flag.observed == 6
    assert "in 3 hours" in flag.reasons[0]["text"]


def test_one_person_who_posts_and_deletes_is_one(session, narrative, now, say):
    for authors in (1, 2, 3):  # counted thrice, because the earlier posts were gone by then
        session.merge(
            HourlyCount(
                narrative_id=narrative.id,
                hour=now,
                posts=authors,
                authors=authors,
                dangerous_posts=authors,
                dangerous_authors=authors,
            )
        )
    read(session, narrative, say(session, "loud", "They are rats.", now))
    session.flush()
    assert evaluate(session, {(narrative.id, now)}, now) == []


@pytest.mark.parametrize("mean", [0.1, 0.25, 1, 3, 10])
def test_a_steady_narrative_is_rarely_flagged(mean):
    """False alarms over forty simulated weeks, counted as hours in which a window would flag."""
    counts = np.random.default_rng(7).poisson(mean, 24 * 7 * 40)
    alarms = 0
    for hour in range(48, len(counts)):
        rate = expected_authors(counts[max(0, hour - 24 * 14) : hour - GAP].tolist())
        alarms += any(rises(counts[hour - n + 1 : hour + 1].sum(), rate * n) for n in WINDOWS)
    assert alarms / 40 <= 0.25  # a week; two windows, 168 hours, ALPHA


def test_an_hour_of_the_past_is_compared_with_what_was_before_it(session, hours, now):
    (cell,) = hours(*[0] * 50, 5, *[9] * 10)
    (flag,) = evaluate(session, {(cell[0], now - timedelta(hours=10))}, now)
    assert flag.hour == now - timedelta(hours=10)
    assert flag.expected < 0.2
