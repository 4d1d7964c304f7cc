"""Counts of hours are what a recount gives, whatever was moved; what was deleted stays counted."""

import contextlib
import random
from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from monitor.analyse import mend
from monitor.models import HourlyCount, Reading
from monitor.narratives import counters, revisions
from monitor.narratives.narratives import note_departure
from sources.models import Post
from tests.monitor.made import TOPICS, Town

HOUR = timedelta(hours=1)


@pytest.fixture
def town(sessions, say, now):
    return Town(sessions, say, now)


def put(town, moves):
    with town.sessions.begin() as session, town.placer.turn(session):
        return counters.move(session, moves)


def hours_of(town, narrative):
    with town.sessions() as session:
        rows = session.scalars(
            select(HourlyCount)
            .where(HourlyCount.narrative_id == narrative)
            .order_by(HourlyCount.hour)
        )
        return [
            (row.hour.hour, row.posts, row.authors, row.dangerous_posts, row.dangerous_authors)
            for row in rows
        ]


class Walk:
    """Something happens, at random; then more."""

    def __init__(self, town, seed):
        self.town, self.random = town, random.Random(seed)
        self.texts = [f"{topic} " + " ".join(f"w{n}" for n in range(9)) for topic in TOPICS]

    def step(self):
        deed = self.random.choice(
            ["read"] * 4
            + ["look"] * 2
            + ["merge", "split", "move", "move", "undo", "undo"]
            + ["restart", "answer", "one", "apart"]
        )
        getattr(self, deed)()
        return deed

    def read(self):
        town, chance = self.town, self.random
        for _ in range(chance.randint(1, 5)):
            at = town.now - HOUR * chance.randint(0, 3)
            topic = chance.choice([*list(TOPICS)[:3], f"noise {chance.random()}"])
            author = chance.choice([None, "ann", "ben"])
            danger = chance.random() < 0.15 and topic in TOPICS
            town.tell(topic, chance.randint(1, 4), at, author, danger)
        for _ in range(chance.randint(0, 2)):
            who = [chance.choice(["ann", "ben", "cid", "dot", "eve"]) for _ in range(3)]
            town.copies(chance.choice(self.texts), who, town.now - HOUR * chance.randint(0, 2))
        town.read(limit=chance.choice([3, 256]))

    def look(self):
        self.town.look()

    def restart(self):
        self.town.restart()

    def settled(self):
        return [one for one in sorted(self.town.standing()) if self.town.narrative(one).settled_at]

    def two(self):
        stories = self.settled()
        return self.random.sample(stories, 2) if len(stories) > 1 else None

    def groups(self, story):
        with self.town.sessions() as session:
            return sorted(
                session.scalars(
                    select(Reading.copy_of).where(Reading.narrative_id == story).distinct()
                )
            )

    def merge(self):
        if pair := self.two():
            self.town.act(revisions.merge, ("n", pair[0]), ("n", pair[1]))

    def split(self):
        for story in self.settled()[:1]:
            groups = self.groups(story)
            some = self.random.sample(groups, len(groups) // 2)
            if some:
                self.town.act(revisions.split, ("n", story), some)

    def move(self):
        if pair := self.two():
            groups = self.groups(pair[0])
            there = self.random.choice([None, ("n", pair[1])])
            if len(groups) > 1:
                group = self.random.choice(groups)
                self.town.act(revisions.move_out, ("n", pair[0]), group, there)

    def undo(self):
        done = self.town.revisions(state="done")
        if done:
            self.town.act(revisions.undo, ("r", self.random.choice(done).id))

    def answer(self):
        asked = self.town.revisions(state="proposed")
        if asked:
            verb = self.random.choice([revisions.accept, revisions.refuse])
            with contextlib.suppress(ValueError):
                self.town.act(verb, ("r", self.random.choice(asked).id))

    def one(self):
        """A look that sees one story in two narratives."""
        if pair := self.two():
            self.settle(lambda held: held in pair)

    def apart(self):
        """A look that sees a story of its own in a part of one."""
        stories = self.settled()[:1]
        self.settle(lambda held: held in stories and self.random.random() < 0.6)

    def settle(self, chosen):
        town = self.town
        with town.sessions.begin() as session, town.placer.turn(session) as window:
            look = window.look()
            found = look.communities()
            held = window.posts()
            found[[chosen(held[post]) for post in look.ids.tolist()]] = found.max() + 1
            town.placer.settle(session, window, look, found, town.now)


@pytest.mark.parametrize("seed", range(6))
def test_counts_are_what_a_recount_gives_whatever_happens(sessions, say, now, seed):
    town = Town(sessions, say, now, size=60 if seed % 2 else 8_000)
    walk = Walk(town, seed)
    seen = set()
    town.gather("bridge", "ferry")
    for _ in range(40):
        deed = walk.step()
        town.check(full=seed % 2 == 0)
        stories = {one for one in town.standing() if town.narrative(one).settled_at}
        for story in seen:  # an id is never lost
            known = town.narrative(story)
            assert known is not None, deed
            assert known.merged_into is None or known.merged_into in stories, deed
        seen |= stories
    assert any(one.made_by is None for one in town.revisions())


def test_deletions_do_not_lower_counts(town):
    bridge, ferry = town.gather("bridge", "ferry")
    before = hours_of(town, bridge)
    gone = sorted(town.posts_of(bridge))[:2]
    with town.sessions.begin() as session:
        note_departure(session, gone)
        session.execute(delete(Post).where(Post.id.in_(gone)))
    mend(town.sessions, town.placer)
    assert hours_of(town, bridge) == before == [(15, 6, 6, 0, 0)]
    assert town.narrative(bridge).size == 6
    (left, *_) = sorted(town.posts_of(bridge))
    town.act(revisions.move_out, ("n", bridge), left, ("n", ferry))
    assert hours_of(town, bridge) == [(15, 5, 5, 0, 0)]
    assert town.narrative(bridge).size == 5
    town.act(revisions.merge, ("n", bridge), ("n", ferry))  # takes along what it still counts
    assert hours_of(town, bridge) == []
    assert hours_of(town, ferry) == [(15, 12, 12, 0, 0)]
    assert (town.narrative(bridge).size, town.narrative(ferry).size) == (0, 12)
    town.act(revisions.undo, ("r", town.revisions(kind="merge")[0].id))
    assert hours_of(town, bridge) == [(15, 3, 3, 0, 0)]  # those that stand
    assert hours_of(town, ferry) == [(15, 9, 9, 0, 0)]
    town.check(counted=False)


def test_a_merge_of_what_is_deleted_takes_its_counts_along(town):
    bridge, ferry = town.gather("bridge", "ferry")
    with town.sessions.begin() as session:
        session.execute(delete(Post).where(Post.id.in_(town.posts_of(bridge))))
    town.act(revisions.merge, ("n", bridge), ("n", ferry))
    assert hours_of(town, ferry) == [(15, 12, 12, 0, 0)]
    assert town.narrative(ferry).size == 12
    town.check(counted=False)


def test_voices_are_recounted_where_posts_move(town):
    """One author in two narratives is one voice when they are merged; two again after the undo."""
    bridge, ferry = town.gather("bridge", "ferry")
    town.tell("bridge", 2, author="ann", danger=True)
    town.tell("ferry", 1, author="ann", danger=True)
    town.copies("ferry b c d e leaves the pier at noon", ["ben", "cid"])
    town.read()
    assert hours_of(town, bridge) == [(15, 8, 7, 2, 1)]
    assert hours_of(town, ferry) == [(15, 9, 8, 1, 1)]
    town.act(revisions.merge, ("n", ferry), ("n", bridge))
    assert hours_of(town, bridge) == [(15, 17, 15, 3, 1)]
    town.check()
    town.act(revisions.undo, ("r", town.revisions(kind="merge")[0].id))
    assert hours_of(town, bridge) == [(15, 8, 7, 2, 1)]
    assert hours_of(town, ferry) == [(15, 9, 8, 1, 1)]
    town.check()


def test_what_has_moved_is_told(town):
    bridge, ferry = town.gather("bridge", "ferry")
    early = town.tell("bridge", 1, at=town.now - HOUR, danger=True)
    calm = town.tell("bridge", 1, at=town.now - 2 * HOUR)
    town.read()
    moved = put(town, dict.fromkeys(early + calm, ferry))
    assert moved.sizes == {bridge: (8, 6), ferry: (6, 8)}
    assert moved.endangered == {(ferry, town.now - HOUR)}
    assert put(town, dict.fromkeys(early + calm, ferry)) == counters.Moved()  # already there
    assert put(town, {}) == counters.Moved()
    assert hours_of(town, ferry) == [(13, 1, 1, 0, 0), (14, 1, 1, 1, 1), (15, 6, 6, 0, 0)]
    assert hours_of(town, bridge) == [(15, 6, 6, 0, 0)]
    assert town.narrative(ferry).first_post_at == town.now - 2 * HOUR
    assert town.narrative(bridge).first_post_at == town.now
    moved = put(town, dict.fromkeys(early + calm))
    assert moved.sizes == {ferry: (8, 6)}
    assert moved.endangered == set()
    assert hours_of(town, ferry) == [(15, 6, 6, 0, 0)]
    assert town.narrative(ferry).first_post_at == town.now
    late = town.tell("bridge", 1, at=town.now + 2 * HOUR)
    town.read()
    assert town.narrative(bridge).last_post_at == town.now + 2 * HOUR
    put(town, dict.fromkeys(late, ferry))
    assert town.narrative(bridge).last_post_at == town.now
    assert town.narrative(ferry).last_post_at == town.now + 2 * HOUR


def test_the_times_of_deleted_posts_stay_when_another_leaves(town):
    bridge = town.gather("bridge")
    early = town.tell("bridge", 1, at=town.now - 5 * HOUR)
    town.tell("bridge", 1, at=town.now - 2 * HOUR)
    town.read()
    with town.sessions.begin() as session:
        session.execute(delete(Post).where(Post.id.in_(early)))
    post = min(town.posts_of(bridge))
    put(town, {post: None})
    assert town.narrative(bridge).first_post_at == town.now - 5 * HOUR  # its hour is still counted
    assert hours_of(town, bridge) == [(10, 1, 1, 0, 0), (13, 1, 1, 0, 0), (15, 5, 5, 0, 0)]


# Posts of accounts that were away


def test_a_post_that_came_back_is_not_counted_again(town):
    bridge, ferry = town.gather("bridge", "ferry")
    (gone, *_) = sorted(town.posts_of(bridge))
    with town.sessions.begin() as session:
        session.execute(delete(Post).where(Post.id == gone))
    (back,) = town.tell("bridge", 1, returned=True)
    town.read()
    assert town.narrative_of(back) == bridge
    assert hours_of(town, bridge) == [(15, 6, 6, 0, 0)]
    town.act(revisions.merge, ("n", bridge), ("n", ferry))
    assert hours_of(town, ferry) == [(15, 12, 12, 0, 0)]
    town.act(revisions.move_out, ("n", ferry), back, None)
    town.act(revisions.undo, ("r", town.revisions(kind="move")[0].id))
    assert hours_of(town, ferry) == [(15, 12, 12, 0, 0)]
    town.check(counted=False)


def test_a_post_that_came_back_elsewhere_takes_nothing_from_others(town):
    bridge, ferry = town.gather("bridge", "ferry")
    (back,) = town.tell("ferry", 1, returned=True)  # it was counted in the bridge's narrative
    town.read()
    assert town.narrative_of(back) == ferry
    assert hours_of(town, ferry) == [(15, 6, 6, 0, 0)]
    for there in (bridge, None, ferry, None):
        put(town, {back: there})
        assert hours_of(town, ferry) == [(15, 6, 6, 0, 0)]
        assert hours_of(town, bridge) == [(15, 6, 6, 0, 0)]
    put(town, {back: ferry})
    town.act(revisions.merge, ("n", ferry), ("n", bridge))
    assert hours_of(town, bridge) == [(15, 12, 12, 0, 0)]
    town.check(counted=False)


def test_a_narrative_of_posts_that_came_back_has_a_title_and_no_counts(town):
    posts = town.tell("bridge", 6, returned=True)
    town.read()
    town.look()
    (story,) = town.where(posts)
    assert town.narrative(story).settled_at is not None
    assert "ridge" in town.narrative(story).title
    assert town.narrative(story).size == 0
    assert hours_of(town, story) == []
    town.check(counted=False)
