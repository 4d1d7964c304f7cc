"""What waits stands in the order of danger, then of how long it has been said unseen."""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import event

from monitor import flags
from monitor.codebook import MessageFields, Situation, as_stored
from monitor.models import Flag, Narrative, Reading
from monitor.narratives import hour_of
from monitor.queue import Sought, platforms_of, queue
from monitor.situations import code, week_of
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
    flags.decide(session, settled, "confirmed", "", 1, now)
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
