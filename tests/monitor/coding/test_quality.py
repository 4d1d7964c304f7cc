"""Quality: every figure from rows that people made, with its number, and honest where it is few."""

from datetime import timedelta

import numpy as np
import pytest

from monitor.coding.agreement import ENOUGH, agreement
from monitor.coding.codebook import MessageFields, as_stored, message_level
from monitor.coding.quality import areas, endings, lead_time, lengths, outcomes, precision, steps
from monitor.flags.flags import decide
from monitor.models import (
    Alert,
    AlertList,
    AlertOutcome,
    AlertStamp,
    Flag,
    Sample,
    SampleAnswer,
)
from sources.models import Watch
from tests.monitor.rises.test_replay import tell

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def flag(session, now):
    """``flag(decision=None, days=0, **columns)``: a flag raised so long ago, decided at once."""
    numbers = iter(range(1, 1000))

    def add(decision=None, days=1.0, **columns):
        raised = now - timedelta(days=days)
        if not columns.keys() & {"watch_id", "place", "narrative", "kind"}:
            columns["narrative"] = tell(session, now)
        one = Flag(
            hour=raised - next(numbers) * HOUR,
            observed=9,
            expected=1.0,
            p_value=1e-6,
            reasons=[],
            detector="test",
            raised_at=raised,
            **columns,
        )
        session.add(one)
        session.flush()
        if decision:
            decide(session, one, decision, "Seen", 1, now)
        return one

    return add


@pytest.fixture
def alert(session, now):
    """``alert(stamps={stage: minutes}, level=3, code=None, ...)`` made a day ago."""
    lists = {}

    def add(stamps=(), level=3, code=None, exercise=False, made=None, **columns):
        if exercise not in lists:
            lists[exercise] = AlertList(
                name=f"List {exercise}", exercise=exercise, made_by=1, made_at=now
            )
            session.add(lists[exercise])
            session.flush()
        made = made or now - DAY
        one = Alert(
            list_id=lists[exercise].id,
            exercise=exercise,
            danger_level=level,
            danger_high=level,
            life_safety=False,
            made_by=1,
            made_at=made,
            **{"place": ""} | columns,
        )
        session.add(one)
        session.flush()
        for stage, minutes in dict(stamps).items():
            session.add(AlertStamp(alert_id=one.id, stage=stage, at=made + minutes * MINUTE, by=1))
        if code:
            session.add(AlertOutcome(alert_id=one.id, code=code, note="", by=1, at=now))
        session.flush()
        return one

    return add


def row(rows, what):
    return next(one for one in rows if one.what == what)


def test_precision_is_told_from_decided_flags_only(session, now, flag):
    for decision in ("confirmed", "confirmed", "dismissed", None):
        flag(decision)
    (one,) = precision(session, None)["all"]
    assert (one.confirmed, one.dismissed, one.waiting, one.decided) == (2, 1, 1, 3)
    assert one.share == pytest.approx(2 / 3)
    low, high = one.interval
    assert (round(low, 3), round(high, 3)) == (0.094, 0.992)  # Clopper and Pearson of 2 in 3


def test_precision_without_a_decision_is_no_number(session, now, flag):
    assert precision(session, None)["all"] == []
    flag(None)
    (one,) = precision(session, None)["all"]
    assert (one.share, one.interval, one.waiting) == (None, None, 1)


def test_precision_in_parts_and_life_safety_apart(session, now, flag):
    watch = Watch(created_at=now)
    session.add(watch)
    session.flush()
    flag("confirmed", test="count", level=2)
    flag("dismissed", test="share cusum", level=3, watch_id=watch.id)
    flag("dismissed", test="count", level=2, place="26163")
    flag("confirmed", kind="life_safety", copy_of=7)
    found = precision(session, None)
    assert row(found["all"], "All rises").decided == 3
    assert row(found["tests"], "count").decided == 2
    assert row(found["tests"], "share cusum").share == 0
    assert row(found["levels"], "Voices at M3 or above").dismissed == 1
    assert {one.what: one.decided for one in found["kinds"]} == {
        "Narratives": 1,
        "Watches": 1,
        "Counties": 1,
    }
    (alone,) = found["life safety"]
    assert (alone.confirmed, alone.decided) == (1, 1)


def test_precision_of_a_span_counts_what_was_raised_in_it(session, now, flag):
    flag("confirmed", days=29)
    flag("dismissed", days=31)
    flag("dismissed", days=400)
    for days, decided in ((30, 1), (90, 2)):
        assert precision(session, now - days * DAY)["all"][0].decided == decided
    assert precision(session, None)["all"][0].decided == 3


def test_false_alarms_by_watch_and_place(session, now, flag, alert):
    watch = Watch(created_at=now)
    session.add(watch)
    session.flush()
    for decision in ("dismissed", "dismissed", "confirmed"):
        flag(decision, place="26163")
    flag(None, watch_id=watch.id)
    flag("dismissed")  # of a narrative: it names neither
    flag("dismissed", kind="life_safety", copy_of=3, place="26163")
    alert(place="26163", code="false_alarm")
    alert(place="26163", code="acted_no_change")
    alert(place="26163", code="duplicate")  # it is told of once
    alert(place="26163", code="false_alarm", exercise=True)
    alert(place="48", code="escalated_to_violence")
    watches, places = areas(session, None, endings(session, None))
    assert [(one.watch_id, one.false_flags, one.flags.waiting) for one in watches] == [
        (watch.id, None, 1)
    ]
    wayne, texas = places
    assert (wayne.place, wayne.flags.decided) == ("26163", 3)
    assert wayne.false_flags == pytest.approx(2 / 3)
    assert (wayne.closed, wayne.false_alarms, wayne.violence) == (2, 1, 0)
    assert (texas.place, texas.flags.decided, texas.closed, texas.violence) == ("48", 0, 1, 1)


def test_lead_time_from_the_post_to_the_flag_and_on_to_the_first_alert(session, now, flag, alert):
    for minutes in (10, 20, 90):
        flag("confirmed", posted_at=now - DAY - minutes * MINUTE)
    told = flag("confirmed")
    alert(flag_id=told.id, made=told.raised_at + 3 * HOUR)
    alert(flag_id=told.id, made=told.raised_at + HOUR)
    alert(flag_id=told.id, made=told.raised_at + MINUTE, exercise=True)
    found = lead_time(session, None)
    assert (found.to_flag.n, found.to_flag.median) == (3, 20 * MINUTE)
    assert found.to_flag.p90 == timedelta(minutes=76)
    assert (found.to_alert.n, found.to_alert.median) == (1, HOUR)
    assert (found.alerted, found.confirmed) == (1, 4)
    assert lead_time(session, now).confirmed == 0


def test_lengths_of_nothing_and_of_clocks_that_differ():
    assert lengths([]).median is None
    assert lengths([-5.0]).median == timedelta(0)


def step(found, start, level=None):
    return next(one for one in found if (one.start, one.danger_level) == (start, level))


def test_the_clock_stands_against_its_targets_by_danger_level(session, now, alert):
    alert({2: 0, 3: 10}, level=4)
    alert({2: 0, 3: 16}, level=4)
    alert({2: 0, 3: 59}, level=3)
    alert({2: 0, 3: 1}, level=4, exercise=True)
    found = steps(session, None, now)
    critical, high = step(found, 2, 4), step(found, 2, 3)
    assert (critical.target, critical.lengths.n) == (15 * MINUTE, 2)
    assert (critical.within, critical.judged) == (1, 2)
    assert critical.lengths.median == 13 * MINUTE
    assert critical.lengths.p90 == timedelta(minutes=15.4)
    assert (high.target, high.within, high.judged) == (HOUR, 1, 1)
    assert step(found, 2, 2).lengths.n == 0
    assert step(found, 5, 2).target == 24 * HOUR
    assert step(found, 5, 4).target == 30 * MINUTE
    assert (step(found, 0).target, step(found, 0).judged) == (None, 0)
    assert {one.end for one in found} == set(range(1, 11))


def test_who_waits_too_long_is_late_already_and_who_just_waits_is_not(session, now, alert):
    alert({5: 0}, level=4, made=now - 31 * MINUTE)
    alert({5: 0}, level=4, made=now - 29 * MINUTE)
    alert({5: 0}, level=4, code="unknown")  # closed: it waits for nothing
    late = step(steps(session, None, now), 5, 4)
    assert (late.lengths.n, late.running, late.within, late.judged) == (0, 2, 0, 1)


def test_a_stage_before_an_earlier_one_took_no_time(session, now, alert):
    alert({3: 10, 4: 4})
    assert step(steps(session, None, now), 3).lengths.median == timedelta(0)
    assert step(steps(session, now, now), 3).lengths.n == 0  # alerts made since then


def test_outcomes_are_counted_without_exercises(session, now, alert):
    for code in ("false_alarm", "false_alarm", "unknown", None):
        alert(code=code)
    alert(code="false_alarm", exercise=True)
    assert outcomes(endings(session, None)) == {"false_alarm": 2, "unknown": 1, "open": 1}


def pair(session, now, first, second, people=(1, 2), edition=None):
    sample = Sample(day=now.date(), machine_level=0, stood_for=1, twice=True)
    session.add(sample)
    session.flush()
    for by, fields in zip(people, (first, second), strict=True):
        stored = as_stored(fields) | ({"edition": edition} if edition else {})
        level = message_level(fields)
        session.add(SampleAnswer(sample_id=sample.id, level=level, fields=stored, by=by, at=now))
        session.flush()


def alpha(session, field="Message level"):
    return next(one for one in agreement(session) if one.field == field)


NOTHING = MessageFields()
SCORN = MessageFields(target_kind="group", demeaning=True)
VERMIN = MessageFields(target_kind="group", hallmarks={"H1": 2})


def test_agreement_needs_enough_pairs(session, now):
    for _ in range(ENOUGH - 1):
        pair(session, now, NOTHING, VERMIN)
    assert (alpha(session).pairs, alpha(session).alpha) == (29, None)
    assert "too few" in alpha(session).means
    pair(session, now, NOTHING, VERMIN)
    assert alpha(session).alpha < 0  # worse than chance: they always differ
    assert "too low" in alpha(session).means


def test_agreement_is_one_where_all_agree_and_open_where_nothing_varies(session, now):
    for one in (NOTHING, SCORN, VERMIN) * 10:
        pair(session, now, one, one)
    assert alpha(session).alpha == 1
    assert "reliable" in alpha(session).means
    same = alpha(session, "Stance")
    assert (same.alpha, same.pairs) == (None, 30)
    assert "no telling" in same.means


def test_a_near_miss_weighs_less_where_values_have_an_order(session, now):
    for one in (NOTHING, SCORN, VERMIN) * 10:
        pair(session, now, one, one)
    for _ in range(6):
        pair(session, now, NOTHING, SCORN)
    near = alpha(session).alpha
    for answer in session.query(SampleAnswer).order_by(SampleAnswer.id.desc()).limit(12):
        if answer.by == 2:
            answer.level, answer.fields = message_level(VERMIN), as_stored(VERMIN)
    session.flush()
    assert 0 < alpha(session).alpha < near < 1


def test_agreement_of_each_hallmark_and_field_is_its_own(session, now):
    rng = np.random.default_rng(3)
    for one in (NOTHING, VERMIN) * 15:
        other = MessageFields(
            target_kind=one.target_kind, hallmarks=one.hallmarks, specifics=int(rng.integers(0, 3))
        )
        pair(session, now, one, other)
    assert alpha(session, "H1 dehumanization").alpha == 1
    assert alpha(session, "Specifics").alpha < 0.667
    assert alpha(session, "Specifics").scale == "ordinal"
    assert alpha(session, "Stance").scale == "nominal"


def test_what_is_no_independent_pair_is_left_out(session, now):
    for _ in range(5):
        pair(session, now, NOTHING, VERMIN, edition="of another time")
    sample = Sample(day=now.date(), machine_level=0, stood_for=1, twice=False)
    session.add(sample)
    session.flush()
    session.add(SampleAnswer(sample_id=sample.id, level=1, by=1, at=now))
    session.add(SampleAnswer(sample_id=sample.id, level=None, by=2, at=now))
    session.flush()
    assert alpha(session).pairs == 0
    pair(session, now, NOTHING, VERMIN)
    assert alpha(session).pairs == 1
    assert agreement(session, now + MINUTE)[0].pairs == 0
