"""Replay: what would have been called, beside what was, over hours as they were counted."""

import tracemalloc
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import event, func, insert, select

from monitor.flags.flags import decide
from monitor.models import AreaCount, Flag, HourlyCount, Narrative, Reading, Threshold
from monitor.rises import past_rises
from monitor.rises.detect import Settings
from monitor.rises.past_hours import Past, read_past
from monitor.rises.replay import replays
from monitor.rises.series import Subject

HOUR = timedelta(hours=1)
WEEK = 168


def replay(session, settings, now, **asked):
    (found,) = replays(session, [settings], now, **asked)
    return found


def tell(session, now, title="Depot", merged_into=None):
    narrative = Narrative(
        title=title,
        centroid=np.ones(3, dtype=np.float32),
        embedder="none",
        size=3,
        first_post_at=now - 5 * WEEK * HOUR,
        last_post_at=now,
        created_at=now,
        merged_into=merged_into,
    )
    session.add(narrative)
    session.flush()
    return narrative


def count(session, narrative, now, by_age, alarming=0):
    """Hours of a narrative: {hours before now: (all authors, dangerous authors)}."""
    rows = [
        {
            "narrative_id": narrative.id,
            "hour": now - age * HOUR,
            "posts": authors,
            "authors": authors,
            "dangerous_posts": dangerous,
            "dangerous_authors": dangerous,
            "alarming_authors": alarming and dangerous,
        }
        for age, (authors, dangerous) in by_age.items()
    ]
    session.execute(insert(HourlyCount), rows)


def steady(hours=5 * WEEK, seed=1, rate=1.0):
    rng = np.random.default_rng(seed)
    return {age: (4 + int(n), int(n)) for age, n in enumerate(rng.poisson(rate, hours), start=1)}


def flag(session, now, age, **subject):
    one = Flag(
        hour=now - age * HOUR,
        observed=20,
        expected=1.0,
        p_value=1e-6,
        reasons=[],
        detector="test",
        raised_at=now - age * HOUR,
        **subject,
    )
    session.add(one)
    session.flush()
    return one


def test_a_rise_stands_beside_the_flag_and_what_people_said_of_it(session, now):
    loud, new, calm = (tell(session, now, title) for title in ("Loud", "New", "Calm"))
    count(session, loud, now, steady() | {100: (25, 20)})
    count(session, new, now, steady(seed=2) | {50: (25, 20)})
    count(session, calm, now, steady(seed=3))
    right = flag(session, now, 99, narrative=loud)
    decide(session, right, "confirmed", "", 1, now)
    overlooked = flag(session, now, 200, narrative=calm)
    found = replay(session, Settings(), now)
    assert [rise.narrative.title for rise in found.rises] == ["New", "Loud"]
    second, first = found.rises
    assert first.start == now - 100 * HOUR
    assert first.flags == (right,)
    assert (first.settled, second.settled) == ("confirmed", "none")
    assert first.event.observed == 20
    assert "20 different authors" in first.event.sentence
    assert first.end is not None
    assert first.end > first.start
    assert found.missed == [overlooked]
    assert (found.count("confirmed"), found.count("none"), found.count("dismissed")) == (1, 1, 0)
    assert found.missed_as(None) == 1
    assert found.per_week == 0.5
    assert (found.watched, found.tried) == (3, 3)


def test_nothing_is_written(session, now):
    narrative = tell(session, now)
    count(session, narrative, now, steady() | {100: (25, 20)})
    session.commit()
    replay(session, replace(Settings(), least_authors=2), now)
    assert not session.dirty
    assert not session.new
    assert session.scalar(select(func.count()).select_from(Flag)) == 0
    assert session.scalar(select(func.count()).select_from(Threshold)) == 0


def test_stricter_settings_call_less_and_show_what_they_would_miss(session, now):
    narrative = tell(session, now)
    count(session, narrative, now, steady() | {100: (25, 20)})
    real = flag(session, now, 100, narrative=narrative)
    decide(session, real, "confirmed", "", 1, now)
    strict = replay(session, replace(Settings(), least_authors=40), now)
    assert strict.rises == []
    assert strict.missed == [real]
    assert strict.missed_as("confirmed") == 1
    assert strict.tried == 1  # 24 authors an hour over a day reach 40


def test_settings_side_by_side_call_what_each_calls_alone_and_read_no_more(session, now):
    for n in range(4):
        narrative = tell(session, now, f"N{n}")
        count(session, narrative, now, steady(seed=30 + n) | {100 + 7 * n: (16, 7 + n)})
    several = [Settings(), replace(Settings(), least_authors=9, gap=5)]
    alone = [replay(session, one, now, weeks=1) for one in several]
    asked = []
    listening = (session.get_bind(), "before_cursor_execute", lambda *args: asked.append(args[2]))
    event.listen(*listening)
    together = replays(session, several, now, weeks=1)
    event.remove(*listening)
    assert together == alone
    assert told(together[0]) != told(together[1])
    assert len(asked) <= 7


def test_only_these_weeks_are_judged_and_the_running_hour_is_not(session, now):
    narrative = tell(session, now)
    count(session, narrative, now, steady(6 * WEEK) | {4 * WEEK + 5: (25, 20), 0: (30, 30)})
    assert replay(session, Settings(), now).rises == []
    assert len(replay(session, Settings(), now, weeks=5).rises) == 1
    assert len(replay(session, Settings(), now + HOUR).rises) == 1  # now that hour is full


def test_a_rise_that_goes_on_when_the_weeks_begin_does_not_start_in_them(session, now):
    narrative = tell(session, now)
    ages = range(4 * WEEK - 3, 4 * WEEK + 4)
    count(session, narrative, now, steady(6 * WEEK) | dict.fromkeys(ages, (25, 20)))
    real = flag(session, now, 4 * WEEK - 1, narrative=narrative)
    found = replay(session, Settings(), now)
    assert found.rises == []
    assert found.missed == []  # the flag is that rise's
    assert real.narrative == narrative


def test_flags_of_merged_narratives_are_the_keepers(session, now):
    keeper = tell(session, now)
    old = tell(session, now, "Old", merged_into=keeper.id)
    count(session, keeper, now, steady() | {100: (25, 20)})
    theirs = flag(session, now, 100, narrative=old)
    (rise,) = replay(session, Settings(), now).rises
    assert rise.flags == (theirs,)


def test_of_several_flags_a_confirmation_tells(session, now):
    narrative = tell(session, now)
    count(session, narrative, now, steady() | {100: (25, 20)})
    for age, decision in ((100, "dismissed"), (99, "confirmed")):
        decide(session, flag(session, now, age, narrative=narrative), decision, "So", 1, now)
    flag(session, now, 98, narrative=narrative)
    (rise,) = replay(session, Settings(), now).rises
    assert rise.settled == "confirmed"


def test_levels_are_told_apart(session, now):
    narrative = tell(session, now)
    count(session, narrative, now, steady() | {100: (25, 20)})
    at_three = flag(session, now, 100, narrative=narrative, level=3)
    (rise,) = replay(session, Settings(), now).rises
    assert rise.flags == (at_three,)
    higher = replay(session, Settings(), now, level=3)
    assert higher.rises == []
    assert higher.missed == [at_three]
    with pytest.raises(ValueError, match="M2 or above"):
        replay(session, Settings(), now, level=1)


def test_watches_and_counties_are_replayed_too(session, now):
    for kind, key, age in (("watch", "7", 60), ("place", "26163", 90)):
        rows = [
            {
                "kind": kind,
                "key": key,
                "hour": now - at * HOUR,
                "authors": authors,
                "dangerous_authors": dangerous,
                "alarming_authors": 0,
            }
            for at, (authors, dangerous) in (steady(seed=len(key)) | {age: (25, 20)}).items()
        ]
        session.execute(insert(AreaCount), rows)
    found = replay(session, Settings(), now)
    assert [rise.subject for rise in found.rises] == [Subject(watch_id=7), Subject(place="26163")]


def test_a_lone_voice_that_comes_back_is_marked(session, now):
    narrative = tell(session, now)
    quiet = {age: (9, int(age % 24 == 0)) for age in range(1, 5 * WEEK)}
    count(session, narrative, now, quiet | dict.fromkeys(range(80, 104), (9, 2)))
    found = replay(session, Settings(), now)
    assert found.rises
    assert all(rise.few for rise in found.rises)
    assert all("cusum" in rise.event.test for rise in found.rises)


@pytest.mark.parametrize(("people", "called"), [(1, False), (3, True)])
def test_who_comes_back_is_one_voice_while_the_posts_stand(session, now, say, people, called):
    narrative = tell(session, now)
    quiet = {age: (9, int(age % 24 == 0)) for age in range(1, 5 * WEEK)}
    count(session, narrative, now, quiet | dict.fromkeys(range(80, 104), (9, 2)))
    for age in range(60, 130):
        at = now - age * HOUR
        post = say(session, f"a{age % people}", f"Words {age}", at)
        session.add(
            Reading(
                post_id=post.id,
                embedding=np.zeros(4),
                embedder="test",
                level=2,
                threat_level="none",
                stance="asserts",
                reasons=[],
                scorer="test",
                narrative_id=narrative.id,
                hour=at,
                read_at=at,
            )
        )
    session.flush()
    assert bool(replay(session, Settings(), now).rises) == called


def test_an_area_is_not_called_before_it_has_a_history(session, now):
    for key, first in (("26163", 500), ("26161", 102)):
        ages = range(1, first)
        rows = [
            {
                "kind": "place" if key == "26163" else "watch",
                "key": key,
                "hour": now - age * HOUR,
                "authors": 20 if age == 100 else 5,
                "dangerous_authors": 20 if age == 100 else 1,
                "alarming_authors": 0,
            }
            for age in ages
        ]
        session.execute(insert(AreaCount), rows)
    found = replay(session, Settings(), now)
    assert [rise.subject for rise in found.rises] == [Subject(place="26163")]


def test_a_flag_of_a_graver_level_tells_of_the_rise_too(session, now):
    narrative = tell(session, now)
    count(session, narrative, now, steady() | {100: (25, 20)})
    graver = flag(session, now, 100, narrative=narrative, level=3)
    flag(session, now, 300, narrative=narrative, level=3)
    found = replay(session, Settings(), now)
    assert found.rises[0].flags == (graver,)
    assert found.missed == []  # a rise at M3 need be none at M2


def test_too_few_voices_are_not_examined_and_that_loses_nothing(session, now, monkeypatch):
    rng = np.random.default_rng(5)
    for n in range(12):
        narrative = tell(session, now, f"N{n}")
        hours = steady(seed=10 + n, rate=0.02 if n % 2 else 0.7)
        loud = {int(rng.integers(60, 600)): (14, 2 if n % 2 else 5 + n)}
        count(session, narrative, now, hours | loud)
    few = replay(session, Settings(), now)
    assert few.watched == 12
    assert 0 < few.tried < 12
    monkeypatch.setattr(
        past_rises,
        "read_past",
        lambda session, level, _, hours: read_past(session, level, 0, hours),
    )
    monkeypatch.setattr(Past, "callable", lambda past, _: np.arange(len(past.keys)))
    everyone = replay(session, Settings(), now)
    assert everyone.tried == 12
    assert told(everyone) == told(few)
    assert told(few)


def test_taken_in_parts_it_is_the_same(session, now, monkeypatch):
    for n in range(9):
        narrative = tell(session, now, f"N{n}")
        count(session, narrative, now, steady(seed=30 + n) | {200 + 7 * n: (16, 7 + n)})
    at_once = replay(session, Settings(), now)
    monkeypatch.setattr(past_rises, "CHUNK", 2)
    monkeypatch.setattr(past_rises, "KEPT", 0)
    assert told(replay(session, Settings(), now)) == told(at_once)
    assert told(at_once)


def test_false_discoveries_are_controlled_among_all_series(session, now):
    """One that is barely out passes alone, and not among two thousand that are quiet."""
    narrative = tell(session, now)
    count(session, narrative, now, steady() | {100: (30, 8)})
    (rise,) = replay(session, Settings(), now).rises
    assert 1e-5 < rise.event.p_value < Settings().alpha
    quiet = [tell(session, now, f"Q{n}") for n in range(2_000)]
    session.execute(
        insert(HourlyCount),
        [
            {
                "narrative_id": one.id,
                "hour": now - 110 * HOUR,
                "posts": 1,
                "authors": 1,
                "dangerous_posts": 0,
                "dangerous_authors": 0,
            }
            for one in quiet
        ],
    )
    assert replay(session, Settings(), now).rises == []
    assert len(replay(session, replace(Settings(), discoveries=1.0), now).rises) == 1


def test_memory_stays_bounded(session, now):
    """Many narratives that cannot rise cost next to nothing."""
    narratives = [tell(session, now, f"N{n}") for n in range(300)]
    session.execute(
        insert(HourlyCount),
        [
            {
                "narrative_id": one.id,
                "hour": now - age * HOUR,
                "posts": 5,
                "authors": 5,
                "dangerous_posts": 1,
                "dangerous_authors": 1,
            }
            for one in narratives
            for age in range(30, 700, 40)
        ],
    )
    session.commit()
    session.expunge_all()
    tracemalloc.start()
    found = replay(session, Settings(), now)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.watched, found.tried) == (300, 0)
    assert peak < 2e6


def told(found):
    return [
        (rise.subject, rise.start, rise.end, rise.event.test, rise.event.sentence)
        for rise in found.rises
    ]
