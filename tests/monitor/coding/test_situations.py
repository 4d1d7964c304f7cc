"""Situations and danger levels: what a person codes, what it comes to, what is only proposed."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import event

from monitor import triggers
from monitor.coding import situation_proposals, situations
from monitor.coding.codebook import IMMINENT, MessageFields, Situation, as_stored, danger
from monitor.coding.codebook import message_level as level_of
from monitor.coding.codebook import threat_level as threat_of
from monitor.coding.situations import code, coding_of, danger_of, danger_of_many, history, week_of
from monitor.models import HourlyCount, Narrative, Reading
from monitor.narratives.narratives import hour_of

WEEK = date(2026, 11, 23)  # the Monday of the tests' now
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

M1 = MessageFields(target_kind="group", demeaning=True)
M2 = MessageFields(target_kind="group", hallmarks={"H1": 2})
M3 = MessageFields(target_kind="group", act="kill", force="wish")
M4 = MessageFields(target_kind="group", act="assault", force="urge")
SOON = MessageFields(target_kind="group", act="assault", force="urge", imminence="48h")
GRAVE = MessageFields(target_kind="individual", threat_type="direct", specifics=3)


def make(session, now, title="Depot", settled=True):
    narrative = Narrative(
        title=title,
        centroid=np.ones(3, dtype=np.float32),
        embedder="none",
        size=1,
        first_post_at=now,
        last_post_at=now,
        created_at=now,
        settled_at=now if settled else None,
    )
    session.add(narrative)
    session.flush()
    return narrative


@pytest.fixture
def tell(say, now):
    def add(session, narrative, fields, at=now, stored=None, copy_of=None, platform="example"):
        """A post in a narrative whose reading has these fields; its id."""
        post = say(session, "somebody", "words", at)
        post.platform = platform
        reading = Reading(
            post_id=post.id,
            embedding=np.zeros(3),
            embedder="none",
            level=level_of(fields),
            threat_level=threat_of(fields),
            stance="asserts",
            reasons=[],
            fields=as_stored(fields) if stored is None else stored,
            scorer="test",
            narrative_id=narrative.id,
            hour=hour_of(at),
            read_at=at,
        )
        if copy_of:
            reading.copy_of = copy_of
        session.add(reading)
        session.flush()
        return post.id

    return add


def say_so(session, narrative, situation, now, place="", week=WEEK, by=1, reason="Seen"):
    return code(session, narrative, place, week, situation, reason, by, now)


def seen(found):
    return found.low, found.high, found.provisional


def test_a_coding_is_kept_and_the_newest_holds(session, now):
    narrative = make(session, now)
    first = say_so(session, narrative, Situation(1, None, 2, 0), now, "26163", by=3)
    assert (first.speaker, first.audience, first.context, first.reach) == (1, None, 2, 0)
    assert (first.by, first.at, first.week, first.place) == (3, now, WEEK, "26163")
    second = say_so(session, narrative, Situation(speaker=0), now, "26163", by=4, reason=" a \n b ")
    elsewhere = say_so(session, narrative, Situation(speaker=3), now)
    assert second.reason == "a b"
    assert coding_of(session, narrative, "26163", WEEK) is second
    assert coding_of(session, narrative, "", WEEK) is elsewhere
    assert coding_of(session, narrative, "26163", WEEK - timedelta(7)) is None
    assert history(session, narrative) == [elsewhere, second, first]
    assert situations.codings_in(session, narrative, WEEK) == [elsewhere, second]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"week": WEEK + DAY}, "Monday"),
        ({"week": WEEK + 7 * DAY}, "not begun"),
        ({"place": "99"}, "No place"),
        ({"place": "26163/Detroit"}, "county or a state"),
        ({"place": "%"}, "No place"),
        ({"situation": Situation()}, "one factor at least"),
        ({"reason": " \n"}, "Say why"),
        ({"reason": "x" * 1001}, "1,000 characters"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(session, now, wrong, why):
    narrative = make(session, now)
    values = {"situation": Situation(speaker=1), "now": now} | wrong
    with pytest.raises(ValueError, match=why) as caught:
        say_so(session, narrative, **values)
    assert str(caught.value).endswith(".")
    assert history(session, narrative) == []


def test_a_week_begins_on_monday_utc():
    assert week_of(datetime(2026, 11, 29, 23, 59, tzinfo=UTC)) == WEEK
    late = datetime.fromisoformat("2026-11-29T20:00:00-05:00")  # Monday already, in UTC
    assert week_of(late) == WEEK + 7 * DAY


def test_a_merged_narratives_codings_are_its_own(session, now, tell):
    narrative, old = make(session, now), make(session, now, "Depot again")
    made = say_so(session, old, Situation(1, 2, 2, 1), now)
    old.merged_into = narrative.id
    session.flush()
    tell(session, narrative, M3)
    assert coding_of(session, narrative, "", WEEK) is made
    assert history(session, narrative) == [made]
    assert seen(danger_of(session, narrative, now)) == (3, 3, False)


def test_a_young_narrative_that_is_coded_stays(session, now):
    narrative = make(session, now, settled=False)
    say_so(session, narrative, Situation(speaker=1), now)
    session.refresh(narrative)
    assert narrative.settled_at == now


def test_a_narrative_that_has_dissolved_is_not_coded(session, now):
    narrative = make(session, now, settled=False)
    gone = Narrative(id=narrative.id)
    session.delete(narrative)
    session.flush()
    with pytest.raises(ValueError, match="dissolved"):
        say_so(session, gone, Situation(speaker=1), now)


@pytest.mark.parametrize(
    ("said", "unknown"),
    [
        ([], (0, 0, True)),
        ([M1], (1, 1, True)),
        ([M1, M2], (1, 2, True)),
        ([M3, M2, M1], (2, 3, True)),
        ([M4, M1], (3, 4, True)),
        ([M4, SOON], (4, 4, True)),
    ],
)
def test_with_nothing_known_it_is_a_range(session, now, tell, said, unknown):
    narrative = make(session, now)
    for fields in said:
        tell(session, narrative, fields)
    found = danger_of(session, narrative, now)
    assert seen(found) == unknown
    assert found.place == ""
    assert found.situation == Situation()
    assert found.message_level == max(map(level_of, said), default=0)
    assert found.alert_level <= 2
    # exactly what the codebook's rules give for the most dangerous message
    worst = max(said, key=lambda one: (level_of(one), one.imminence in IMMINENT), default=M1)
    if said:
        assert seen(danger(worst, Situation())) == unknown


def test_life_safety_counts_whatever_the_situation(session, now, tell):
    narrative = make(session, now)
    tell(session, narrative, SOON)
    grave = tell(session, narrative, GRAVE, now - DAY)
    say_so(session, narrative, Situation(speaker=0), now)
    found = danger_of(session, narrative, now)
    assert found.life_safety
    assert (found.low, found.alert_level, found.posts) == (4, 4, (grave,))


def test_the_situation_of_the_week_decides_in_the_place_where_it_is_worst(session, now, tell):
    narrative = make(session, now)
    tell(session, narrative, M3)
    calm, tense = Situation(0, 1, 0, 0), Situation(1, 2, 2, 1)
    say_so(session, narrative, tense, now, week=WEEK - timedelta(7))
    assert seen(danger_of(session, narrative, now)) == (2, 3, True)  # last week's does not count
    say_so(session, narrative, calm, now, "26163")
    assert seen(danger_of(session, narrative, now)) == (2, 2, False)
    say_so(session, narrative, tense, now, "26125")
    found = danger_of(session, narrative, now)
    assert (seen(found), found.place, found.situation) == ((3, 3, False), "26125", tense)
    assert found.alert_level == 3
    say_so(session, narrative, calm, now, "26125", by=2)  # a second person thinks otherwise
    assert seen(danger_of(session, narrative, now)) == (2, 2, False)
    assert seen(danger_of(session, narrative, now + 7 * DAY)) == (2, 3, True)


def test_what_it_rests_on_is_named_once_for_each_text(session, now, tell):
    narrative = make(session, now)
    tell(session, narrative, M2)
    first = tell(session, narrative, M3, now - HOUR)
    for _ in range(3):
        tell(session, narrative, M3, now - 2 * HOUR, copy_of=first)
    others = [tell(session, narrative, M3, now - n * HOUR) for n in (3, 4, 5)]
    assert danger_of(session, narrative, now).posts == (first, *others[:2])


def test_what_was_said_long_before_its_last_post_does_not_count(session, now, tell):
    narrative = make(session, now)
    tell(session, narrative, M4, now - 8 * DAY)
    tell(session, narrative, M1, now - 6 * DAY)
    # judged by the days before its last post, however long ago that is
    assert danger_of(session, narrative, now + 90 * DAY).message_level == 1


@pytest.mark.parametrize("stored", [{}, {"act": "of an older edition"}, as_stored(M1)])
def test_a_reading_whose_fields_do_not_fit_keeps_its_level(session, now, tell, stored):
    narrative = make(session, now)
    tell(session, narrative, M3, stored=stored)
    assert seen(danger_of(session, narrative, now)) == (2, 3, True)
    tell(session, narrative, GRAVE, stored=stored)
    assert danger_of(session, narrative, now).life_safety


def test_many_are_judged_by_as_many_queries_as_one(session, now, tell):
    narratives = [make(session, now, f"Story {n}") for n in range(12)]
    for n, narrative in enumerate(narratives):
        for fields in ([], [M1], [M2, M3], [GRAVE])[n % 4]:
            tell(session, narrative, fields)
        if n % 3 == 0:
            say_so(session, narrative, Situation(1, 2, 2, n % 4), now, "26")
    session.flush()
    asked = []
    listening = (session.get_bind(), "before_cursor_execute", lambda *args: asked.append(args[2]))
    event.listen(*listening)
    many = danger_of_many(session, [one.id for one in narratives], now)
    event.remove(*listening)
    assert len(asked) <= 2
    assert many == {one.id: danger_of(session, one, now) for one in narratives}
    assert len({seen(one) for one in many.values()}) > 4
    assert danger_of_many(session, [], now) == {}


def count(session, narrative, at, posts):
    session.add(
        HourlyCount(
            narrative_id=narrative.id,
            hour=hour_of(at),
            posts=posts,
            authors=1,
            dangerous_posts=0,
            dangerous_authors=0,
        )
    )
    session.flush()


@pytest.mark.parametrize(
    ("posts", "value"), [(1, 0), (75, 0), (76, 1), (95, 1), (96, 2), (99, 2), (100, 3)]
)
def test_reach_is_proposed_by_how_its_last_day_stands_among_days(session, now, posts, value):
    for n in range(1, 100):  # with its own: a hundred days
        count(session, make(session, now, f"Story {n}"), now, n)
    narrative = make(session, now)
    count(session, narrative, now, posts)
    count(session, narrative, now - 2 * DAY, 50)  # no part of its last day
    made = situation_proposals.reach(session, narrative, now)
    assert made.value == value
    assert "101 days of narratives" in made.why
    assert "accounts are not scored" in made.why


def test_too_little_to_compare_with_proposes_nothing_but_two_platforms_do(session, now, tell):
    narrative = make(session, now)
    count(session, narrative, now, 50)
    tell(session, narrative, M1, platform="web")
    made = situation_proposals.reach(session, narrative, now)
    assert made.value is None
    assert "too few days" in made.why
    tell(session, narrative, M1, platform="bluesky")
    made = situation_proposals.reach(session, narrative, now)
    assert made.value == 2
    assert "bluesky and web" in made.why


def mark(session, now, kind, days, place="", name="The day"):
    starts = now + days * DAY
    triggers.add(
        session,
        name=name,
        kind=kind,
        place=place,
        starts_at=starts,
        ends_at=starts + DAY,
        note="",
        by=1,
        now=now,
    )


@pytest.mark.parametrize(
    ("kind", "days", "where", "value", "words"),
    [
        ("rally", 13, "", 2, "The day (in 13 days)"),
        ("verdict", -14, "26163", 2, "The day (13 days ago)"),
        ("rally", -0.5, "26", 2, "The day (now)"),
        ("rally", 15, "", 0, "No day"),
        ("verdict", -16, "", 0, "No day"),
        ("rally", 3, "17", 0, "No day"),
        ("election", 3, "", 2, "The day (in 3 days)"),
        ("election", 29, "26", 1, "An election within 30 days: The day (in 29 days)"),
        ("election", -30, "", 1, "29 days ago"),
        ("election", 31, "", 0, "No day"),
        ("anniversary", -3, "", 1, "An anniversary within 14 days"),
    ],
)
def test_context_is_proposed_from_the_calendar(session, now, kind, days, where, value, words):
    mark(session, now, kind, days, where)
    made = situation_proposals.context(session, "26163", now)
    assert made.value == value
    assert words in made.why
    assert "for you to add" in made.why


def test_of_many_days_the_nearest_are_named(session, now):
    for days in (9, 2, -5, 7, 12):
        mark(session, now, "rally", days, name=f"March {days}")
    why = situation_proposals.context(session, "", now).why
    assert "March 2 (in 2 days); March -5 (4 days ago); March 7 (in 7 days), and 2 more" in why
