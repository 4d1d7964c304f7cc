"""What waits stands in the order of danger, then of how long it has been said unseen."""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import event

from monitor.coding.codebook import MessageFields, Situation, as_stored
from monitor.coding.situations import code, week_of
from monitor.flags import flags
from monitor.flags.queue import Sought, languages_of, platforms_of, queue, survey
from monitor.flags.second_looks import look
from monitor.models import Flag, Narrative, Reading
from monitor.narratives.narratives import hour_of
from sources.matching import Rule
from sources.models import PostWatch
from sources.watches import save_watch

WISH = MessageFields(target_kind="institution", act="kill", force="wish")  # M3
VERMIN = MessageFields(target_kind="group", hallmarks={"H1": 2})  # M2


@pytest.fixture
def story(session, now, say):
    """A narrative with one post of these fields."""

    def make(title, fields, level):
        row = Narrative(
            title=title,
            centroid=np.ones(3, dtype=np.float32),
            embedder="none",
            size=1,
            first_post_at=now,
            last_post_at=now,
            created_at=now,
            settled_at=now,
        )
        session.add(row)
        session.flush()
        post = say(session, title, title, now)
        session.add(
            Reading(
                post_id=post.id,
                embedding=np.ones(3, dtype=np.float32),
                embedder="none",
                level=level,
                threat_level="none",
                stance="asserts",
                reasons=[],
                fields=as_stored(fields),
                scorer="none",
                narrative_id=row.id,
                hour=hour_of(now),
                read_at=now,
            )
        )
        session.flush()
        return row

    return make


@pytest.fixture
def flag(session, now):
    def make(said=0, **what):
        asked = {
            "hour": hour_of(now),
            "observed": 5,
            "expected": 0.5,
            "p_value": 0.001,
            "reasons": [],
            "detector": "test",
            "raised_at": now,
            "posted_at": now - timedelta(hours=said),
        }
        row = Flag(**asked | what)
        session.add(row)
        session.flush()
        return row

    return make


def order(session, now, sought=None):
    return [item.flag.id for item in queue(session, now, sought)]


def test_the_most_dangerous_first_then_the_longest_unseen(session, now, story, flag):
    vermin, burning = story("vermin", VERMIN, 2), story("burning", WISH, 3)
    coded = story("coded", WISH, 3)
    code(session, coded, "", week_of(now), Situation(2, 2, 1, 1), "we know them", 1, now)
    mild = flag(said=9, narrative_id=vermin.id)
    young = flag(said=1, narrative_id=burning.id, level=3)
    area = flag(said=5, place="26163", level=3)
    sure = flag(narrative_id=coded.id, level=3)
    alone = flag(kind="life_safety", level=4)
    settled = flag(kind="life_safety", level=4, copy_of=77)
    flags.decide(session, settled, "confirmed", "seen", 1, now)
    assert order(session, now) == [alone.id, sure.id, area.id, young.id, mild.id]
    found = {item.flag.id: (item.low, item.high, item.provisional) for item in queue(session, now)}
    assert found == {
        alone.id: (4, 4, False),
        sure.id: (3, 3, False),
        young.id: (2, 3, True),
        area.id: (2, 3, True),
        mild.id: (1, 2, True),
    }


def test_a_merged_narrative_is_judged_by_what_it_went_into(session, now, story, flag):
    old, keeper = story("old", VERMIN, 2), story("keeper", WISH, 3)
    old.merged_into = keeper.id
    flag(narrative_id=old.id)
    (item,) = queue(session, now)
    assert (item.low, item.high) == (2, 3)


def test_the_queue_is_narrowed(session, now, story, flag):
    told = story("told", WISH, 3)
    save_watch(session, None, "Clerks", Rule(any=("clerk",)), None, now)
    session.flush()
    session.add(PostWatch(post_id=1, watch_id=1))
    one = flag(
        narrative_id=told.id,
        level=3,
        about={"platforms": {"web": 2, "bluesky": 1}, "crossed": True, "places": [["26163", 2]]},
    )
    two = flag(watch_id=1, about={"platforms": {"reddit": 3}, "crossed": False, "places": []})
    three = flag(place="26125")
    four = flag(kind="life_safety", level=4)
    every = {one.id, two.id, three.id, four.id}
    for sought, wanted in (
        (Sought(), every),
        (Sought(kind="narrative"), {one.id}),
        (Sought(kind="watch"), {two.id}),
        (Sought(kind="place"), {three.id}),
        (Sought(kind="post"), {four.id}),
        (Sought(level=3), {one.id, four.id}),
        (Sought(level=4), {four.id}),
        (Sought(watch=1), {one.id, two.id}),
        (Sought(watch=9), set()),
        (Sought(place="26163"), {one.id}),
        (Sought(place="26"), {one.id, three.id}),
        (Sought(platform="bluesky"), {one.id}),
        (Sought(crossed=True), {one.id}),
        (Sought(kind="narrative", platform="reddit"), set()),
    ):
        assert set(order(session, now, sought)) == wanted, sought
    assert platforms_of(queue(session, now)) == ["bluesky", "reddit", "web"]


def test_a_longer_queue_asks_no_more_of_the_database(session, now, story, flag):
    def asked():
        session.flush()
        session.expire_all()
        statements = []
        engine = session.get_bind()
        listen = lambda *args: statements.append(args[2])  # noqa: E731
        event.listen(engine, "before_cursor_execute", listen)
        queue(session, now)
        event.remove(engine, "before_cursor_execute", listen)
        return len(statements)

    flag(narrative_id=story("one", WISH, 3).id)
    few = asked()
    for n in range(8):
        flag(narrative_id=story(f"more {n}", WISH, 3).id)
    assert asked() == few <= 8


def test_a_report_is_told_apart_and_counts_at_least_like_a_rise(session, now, story, flag):
    calm = story("calm", MessageFields(), 0)
    by_person = flag(kind="report", raised_by=3, narrative_id=calm.id)
    by_rule = flag(narrative_id=story("vermin", VERMIN, 2).id)
    urgent = flag(kind="report", raised_by=3, level=4)
    call = flag(kind="life_safety", level=4)
    assert order(session, now, Sought(source="people")) == [urgent.id, by_person.id]
    assert set(order(session, now, Sought(source="machine"))) == {by_rule.id, call.id}
    assert set(order(session, now, Sought(rises=True))) == {by_rule.id}
    assert set(order(session, now, Sought(kind="narrative"))) == {by_person.id, by_rule.id}
    assert set(order(session, now, Sought(kind="post"))) == {urgent.id, call.id}
    assert set(order(session, now)[:2]) == {urgent.id, call.id}
    (item,) = (one for one in queue(session, now) if one.flag is by_person)
    assert (item.low, item.high) == (1, 2)


def test_languages_are_those_of_a_narratives_posts_and_of_posts_named(session, now, story, flag):
    told = story("told", WISH, 3)
    other = story("other", WISH, 3)
    for reading in session.query(Reading).where(Reading.narrative_id.in_([told.id, other.id])):
        reading.lang = "es" if reading.narrative_id == told.id else "en"
    spanish = session.query(Reading).where(Reading.lang == "es").one()
    one = flag(narrative_id=told.id)
    two = flag(narrative_id=other.id)
    area = flag(place="26125", reasons=[{"text": "M3", "post_id": spanish.post_id}])
    bare = flag(place="26127", reasons=[{"text": "5 different authors", "post_id": None}])
    assert set(order(session, now, Sought(language="es"))) == {one.id, area.id}
    assert set(order(session, now, Sought(language="en"))) == {two.id}
    assert languages_of(queue(session, now, Sought(place="26125"))) == ["es"]
    other.merged_into = told.id  # what a narrative has become counts
    assert set(order(session, now, Sought(language="es"))) == {one.id, two.id, area.id}
    assert bare.id in order(session, now)


def test_states_tell_what_waits_for_whom(session, now, story, flag):
    day = timedelta(days=1)
    waits = flag(place="26125")
    today, before = flag(place="26127"), flag(place="26129")
    flags.decide(session, today, "dismissed", "a film", 7, now - day / 2)
    flags.decide(session, before, "confirmed", "seen", 7, now - 2 * day)
    alone = flag(kind="life_safety", level=4)
    flags.decide(session, alone, "confirmed", "seen", 8, now - 2 * day)
    assert order(session, now) == [waits.id]
    assert order(session, now, Sought(state="decided")) == [today.id]
    assert order(session, now, Sought(state="second")) == [alone.id]
    assert order(session, now, Sought(state="all")) == [waits.id, today.id, alone.id]
    look(session, alone.decision, "agrees", "I saw it too", 9, now)
    assert order(session, now, Sought(state="second")) == []


def test_desks_narrow_what_is_open_and_people_what_was_decided(session, now, flag):
    one, two = flag(place="26125"), flag(place="26127")
    mine = Sought(only=frozenset({one.id}), by=7)
    assert order(session, now, mine) == [one.id]
    assert order(session, now, Sought(without=frozenset({one.id}))) == [two.id]
    assert order(session, now, Sought(only=frozenset())) == []
    flags.decide(session, two, "dismissed", "a film", 7, now)
    assert order(session, now, mine) == [one.id]
    assert order(session, now, Sought(only=frozenset({one.id}), by=7, state="all")) == [
        one.id,
        two.id,
    ]


def test_views_are_counted_with_the_page_in_one_go(session, now, story, flag):
    burning = story("burning", WISH, 3)
    flag(narrative_id=burning.id, about={"crossed": True})
    flag(place="26125")
    flag(kind="report", raised_by=2, level=4)
    views = [
        Sought(level=4),
        Sought(crossed=True),
        Sought(source="people"),
        Sought(state="decided"),
        Sought(),
    ]
    asked = []
    listen = lambda *args: asked.append(args[2])  # noqa: E731
    event.listen(session.get_bind(), "before_cursor_execute", listen)
    found = survey(session, now, Sought(kind="place"), views)
    with_views = len(asked)
    survey(session, now, Sought(kind="place"), views * 6)
    event.remove(session.get_bind(), "before_cursor_execute", listen)
    assert len(asked) == 2 * with_views
    assert found.counts == [1, 1, 1, 0, 3]
    assert len(found.items) == 1


def test_beyond_what_is_judged_narrowing_still_sees_everything(session, now, flag, monkeypatch):
    monkeypatch.setattr("monitor.flags.queue.JUDGED", 5)
    for number in range(8):
        flag(place=f"26{2 * number + 1:03}", level=3)
    mild = flag(place="01001", level=2)
    found = survey(session, now, Sought())
    assert (len(found.items), found.unjudged) == (5, 4)
    assert mild.id not in {one.flag.id for one in found.items}
    found = survey(session, now, Sought(place="01"))
    assert [one.flag.id for one in found.items] == [mild.id]
    assert found.unjudged == 0
