"""Rises are called early and rarely, whoever stands beside them; the ordinary is left alone."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from monitor.rises.baseline import DAY, WEEK, Prior
from monitor.rises.detect import TESTS, Found, Settings, adjusted, examine
from monitor.rises.rises import course, events, expected_false_alarms

SUNDAY_LAST = WEEK - 1
HISTORY = 2 * WEEK


def steady(rate, hours=HISTORY, series=1, seed=5):
    return np.random.default_rng(seed).poisson(rate, (series, hours)).astype(float)


def called(counts, totals=None, **options):
    """The events of these series, with what came to their tests."""
    more = {"hour_of_week": SUNDAY_LAST} | options
    return events(examine(counts, totals, **more))


def test_a_rise_is_called_in_its_first_hour_and_said_in_numbers():
    counts = steady(2)
    counts[0, -5:] = 14
    (event,) = [one for one in called(counts) if one.hour >= HISTORY - 5]
    assert (event.kind, event.test, event.hour, event.hours) == ("start", "count", HISTORY - 5, 1)
    assert event.observed == 14
    assert event.low <= event.expected <= event.high < 14
    assert event.effect == pytest.approx(14 / event.expected)
    assert event.p_value <= event.adjusted < 1e-3
    assert event.sentence.startswith("14 different authors of dangerous posts in one hour")


def test_a_clear_follows_when_the_hours_are_ordinary_again():
    counts = steady(2, HISTORY + 36)
    counts[0, HISTORY : HISTORY + 4] = 20
    found = examine(counts, hour_of_week=SUNDAY_LAST, last=37)
    start, clear = events(found)
    assert (start.kind, start.hour, clear.kind) == ("start", 1, "clear")
    assert 4 + Settings().clear_after <= clear.hour <= 4 + DAY
    assert "is over" in clear.sentence
    followed = course(found)
    assert followed.open[start.hour : clear.hour].all()
    assert not followed.open[clear.hour :].any()


def test_what_was_open_before_is_not_started_again_and_still_clears():
    counts = steady(2, HISTORY + 30)
    counts[0, HISTORY : HISTORY + 4] = 20
    found = examine(counts, hour_of_week=SUNDAY_LAST, last=28)
    assert [one.kind for one in events(found, opened=[True])] == ["clear"]


def test_a_running_hour_may_start_but_not_clear():
    quiet = Settings().clear_after
    found = examine(np.full((1, HISTORY), 2), hour_of_week=SUNDAY_LAST, last=quiet + 1)
    assert [one.hour for one in events(found, opened=[True])] == [quiet]
    assert events(found, opened=[True], complete=False) == []


def test_after_the_end_only_what_is_louder_starts_again():
    settings = Settings(cool_down=48)
    counts = np.zeros((2, HISTORY + 24))
    counts[:, HISTORY : HISTORY + 2] = 8
    counts[:, HISTORY + 16] = [8, 17]
    found = examine(counts, hour_of_week=0, last=24, settings=settings)
    again = [one.series for one in events(found, settings) if one.kind == "start" and one.hour > 4]
    assert again == [1]


def test_slow_rises_add_up():
    """No hour is beyond the bound, but together they are."""
    counts = steady(6, series=12, seed=9)
    counts[:, -DAY:] = steady(11, DAY, series=12, seed=10)
    by_sum = [one for one in called(counts) if one.test == "count cusum"]
    by_sum = [one for one in by_sum if one.kind == "start"]
    assert len({one.series for one in by_sum if one.hour >= HISTORY - DAY}) >= 3
    assert all("add up to" in one.sentence and one.observed > one.expected for one in by_sum)


def test_a_share_that_turns_is_called_though_people_are_no_more_than_some_day():
    totals = steady(40, seed=2) + 20
    counts = np.random.default_rng(3).binomial(totals.astype(int), 0.1).astype(float)
    totals[0, -1], counts[0, -1] = 22, 13
    found = examine(counts, totals, hour_of_week=SUNDAY_LAST, last=1)
    share, count = (found.p[TESTS.index(name), 0, 0] for name in ("share", "count"))
    assert share < 1e-4
    assert share < count
    (event,) = events(found)
    assert event.test == "share"
    assert "of the 22 authors" in event.sentence


def test_a_growing_conversation_is_no_growing_share():
    totals = steady(40, seed=2) + 20
    counts = np.random.default_rng(3).binomial(totals.astype(int), 0.1).astype(float)
    totals[0, -1], counts[0, -1] = 240, 24
    found = examine(counts, totals, hour_of_week=SUNDAY_LAST, last=1)
    assert found.p[TESTS.index("share"), 0, 0] == 1
    assert found.p[TESTS.index("count"), 0, 0] < 1e-4


def test_the_same_hours_of_every_day_are_expected():
    hours = np.arange(3 * WEEK)
    noon = hours % DAY == 12
    counts = np.random.default_rng(1).poisson(np.where(noon, 12, 1), (8, len(hours))).astype(float)
    found = examine(counts, hour_of_week=SUNDAY_LAST)
    late = hours >= 2 * WEEK
    assert found.mean[late & noon].mean() > 3 * found.mean[late & ~noon].mean()
    assert not course(found).start[late].any()
    flat = examine(counts[:, 12:13], hour_of_week=12)  # nothing is known of any rhythm
    assert flat.mean == pytest.approx(Prior().rate)  # in single precision


def test_an_outbreak_does_not_teach_the_baseline():
    counts = steady(2, HISTORY + DAY)
    before = examine(counts, hour_of_week=0)
    counts[0, HISTORY:] = 30
    after = examine(counts, hour_of_week=0)
    assert after.mean[HISTORY + 3, 0] == before.mean[HISTORY + 3, 0]
    assert after.mean[-1, 0] < 2.5 * before.mean[-1, 0]


def test_one_or_two_people_are_never_a_rise():
    counts = np.zeros((2, HISTORY))
    counts[:, -12:] = [[1], [2]]
    totals = np.maximum(counts, 9)
    assert called(counts, totals) == []
    # Three people, two at a time: told by who they are over the day, not by the hours.
    assert called(counts, totals, voices=np.where(counts > 0, 4, 0))[0].series == 1


def test_a_small_effect_is_none_however_certain():
    counts = np.full((1, HISTORY), 4_000.0)
    counts[0, -6:] = 4_800
    assert [one for one in called(counts) if one.kind == "start" and one.hour > 0] == []


def test_a_young_series_is_taken_for_what_young_ones_were():
    first = np.array([[5.0]])
    assert called(first)[0].expected == pytest.approx(Prior().rate)
    loud = Prior.of(np.random.default_rng(1).gamma(1, 4, (200, 24)).round())
    assert loud.rate == pytest.approx(4, abs=0.5)
    assert called(first, prior=loud) == []


def test_a_prior_is_the_distribution_of_the_past():
    rng = np.random.default_rng(4)
    rates = rng.gamma(0.5, 0.6, 4_000)
    prior = Prior.of(rng.poisson(rates[:, None], (4_000, 24)))
    assert prior.rate == pytest.approx(0.3, rel=0.1)
    assert prior.rate * prior.hours == pytest.approx(0.5, rel=0.2)  # the shape
    for nothing in ([[0, 0], [0, 0]], [[1, 2]], [1, 2]):
        with pytest.raises(ValueError, match="first hours"):
            Prior.of(nothing)


def test_what_stands_before_a_series_began_is_not_read():
    counts = steady(1, 60)
    counts[0, -40:] = 2
    early = counts.copy()
    early[0, :20] = 99
    some = (examine(one, hour_of_week=3, known=[40], last=40) for one in (counts, early))
    first, second = some
    assert (first.p == second.p).all()
    assert (first.mean == second.mean).all()


def test_more_series_ask_for_more_proof():
    p = np.ones((4, 1, 1_000))
    p[0, 0, 0] = 1e-4
    assert adjusted(p)[0, 0, 0] == pytest.approx(0.4)
    p[0, 0, :100] = 1e-4
    assert adjusted(p)[0, 0, 0] == pytest.approx(4e-3)
    assert (adjusted(p)[1:] == 1).all()


@pytest.mark.parametrize("shape", [(0, 30), (3, 0), (0, 0)])
def test_nothing_comes_of_nothing(shape):
    assert called(np.zeros(shape), np.zeros(shape)) == []


@pytest.mark.parametrize(
    ("counts", "totals"),
    [
        ([1, 2], None),
        ([[1, float("nan")]], None),
        ([[1, -1]], None),
        ([[1, 2]], [[1, 2, 3]]),
    ],
)
def test_what_is_no_number_of_people_is_refused(counts, totals):
    with pytest.raises(ValueError, match=r"counts|totals"):
        examine(counts, totals, hour_of_week=0)


def test_false_alarms_are_as_rare_as_stated():
    stated = expected_false_alarms()
    assert stated < 0.25  # a week and series: no more than poisson-ewma 2 had
    assert expected_false_alarms(Settings(alpha=0.01)) > stated
    hours = 6 * WEEK
    counts = steady(3, hours, series=16, seed=77)
    alone = replace(Settings(), discoveries=1.0)
    found = examine(counts, counts + steady(12, hours, 16, 78), hour_of_week=0, settings=alone)
    starts = course(found, alone).start[WEEK:].sum()
    expected = stated * 16 * 5
    assert starts <= expected + 4 * np.sqrt(expected) + 1


SMALL = arrays(
    np.int64,
    st.tuples(st.integers(1, 4), st.integers(1, 60)),
    elements=st.one_of(st.integers(0, 4), st.integers(0, 400)),
)


def all_numbers(found: Found):
    return all(np.isfinite(one).all() for one in vars(found).values())


@settings(max_examples=40, deadline=None)
@given(SMALL, st.integers(0, 400), st.integers(0, WEEK - 1))
def test_whatever_the_counts_the_answers_are_numbers(counts, others, hour):
    found = examine(counts, counts + others, hour_of_week=hour)
    assert all_numbers(found)
    assert ((found.p >= 0) & (found.p <= 1)).all()
    assert (found.mean > 0).all()
    for event in events(found):
        assert event.low <= event.high
        assert event.kind == "clear" or event.p_value <= Settings().alpha


@settings(max_examples=25, deadline=None)
@given(SMALL, st.randoms(use_true_random=False))
def test_the_order_of_series_changes_nothing(counts, random):
    order = list(range(len(counts)))
    random.shuffle(order)
    found, other = (examine(some, some + 9, hour_of_week=0) for some in (counts, counts[order]))
    assert np.allclose(found.p[:, :, order], other.p, rtol=1e-9)
    assert (course(found).start[:, order] == course(other).start).all()


@settings(max_examples=25, deadline=None)
@given(arrays(np.int64, (3, 80), elements=st.integers(0, 2)))
def test_hours_with_fewer_than_three_people_are_never_called(counts):
    """Copies and one loud author are one voice an hour before they come here."""
    assert called(counts, counts + 7) == []


@settings(max_examples=25, deadline=None)
@given(SMALL)
def test_starts_and_clears_take_turns(counts):
    last = {}
    for event in called(counts):
        assert (
            event.kind
            == {None: "start", "start": "clear", "clear": "start"}[last.get(event.series)]
        )
        last[event.series] = event.kind


@settings(max_examples=20, deadline=None)
@given(st.sampled_from([0.2, 1.0, 5.0, 20.0]), st.integers(0, 1_000), st.sampled_from([6, 8, 10]))
def test_a_large_rise_is_found_within_a_day_wherever_it_is(rate, seed, times):
    counts = steady(rate, WEEK + DAY, seed=seed)
    counts[0, -DAY:] = steady(times * rate + 2, DAY, seed=seed + 1)
    found = examine(counts, hour_of_week=0, last=DAY)
    assert course(found).start.any() or course(found).open.any()
