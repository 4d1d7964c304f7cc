"""The window places every post, keeps to what people have said, and forgets without a trace."""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.narratives.graph import NONE, Floats, K, communities, vote, words_of
from monitor.narratives.window import LEAST_NEW, Arrival, Change, Rules, Story, Window

WIDTH = 32
TOPICS = ("bridge closed river", "ballots depot street", "ferry timetable boat", "school bus route")


def told(posts: int, seed: int, noise: float = 0.3) -> tuple[list[Arrival], list[int]]:
    """Posts around four topics and posts about nothing, with the topic of each (NONE: noise)."""
    rng = np.random.default_rng(seed)
    centres = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0][: len(TOPICS)]
    arrivals, truth = [], []
    for n in range(posts):
        topic = NONE if rng.random() < noise else int(rng.integers(len(TOPICS)))
        vector = rng.normal(size=WIDTH) / np.sqrt(WIDTH)
        if topic != NONE:
            vector = centres[topic] + 0.55 * vector
        text = f"word{n} alone" if topic == NONE else f"{TOPICS[topic]} number{n}"
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        arrivals.append(Arrival(n + 1, f"a{rng.integers(40)}", text, n / 500, unit))
        truth.append(topic)
    return arrivals, truth


@pytest.mark.parametrize(
    ("labels", "nearest", "expected"),
    [
        ([1] * 8, [0.7, 0.5, 0.5, 0.4], 1),  # half of them, the nearest near enough in the mean
        ([1] * 8, [0.6, 0.5, 0.5, 0.3], NONE),
        ([1] * 7, [0.9] * 4, NONE),  # too few
        ([2] * 4 + [1] * 8, [0.9] * 4, NONE),  # those that are near say something else
        ([1] * 8 + [2] * 7, [0.9] * 4, 1),
        ([], [0.9] * 4, NONE),
    ],
)
def test_a_post_goes_where_half_its_neighbours_are_if_some_are_near(labels, nearest, expected):
    everybody = np.array(labels + [NONE] * (K - len(labels)))
    cosines = np.array(nearest + [0.1] * (K - len(nearest)))
    assert vote(everybody, cosines) == expected
    assert vote(everybody, cosines, sleeping={expected}) == NONE


class Desk:
    """What the posts are in, as the database would keep it."""

    def __init__(self, size: int = 8_000) -> None:
        ids = count(1)
        self.window = Window(WIDTH, lambda: next(ids), size)
        self.labels: dict[int, int] = {}
        self.merged: dict[int, int] = {}
        self.proposals: list[object] = []

    def read(self, arrivals: list[Arrival], batch: int) -> None:
        done = 0
        while done < len(arrivals):
            some = arrivals[done : done + min(batch, self.window.room())]
            self.follow(self.window.take(some))
            done += len(some)
            if self.window.due() or done == len(arrivals):
                self.look()

    def look(self) -> None:
        self.follow(self.window.consider())

    def follow(self, change: Change) -> None:
        self.labels |= change.moved
        for old, keeper in change.merged.items():
            self.merged[old] = keeper
            self.labels = {p: keeper if s == old else s for p, s in self.labels.items()}
        self.proposals += [*change.propose_merge, *change.propose_split]

    def members(self, story: int) -> set[int]:
        return {post for post, label in self.labels.items() if label == story}

    def end(self, story: int) -> int:
        """The narrative that a merged one leads to."""
        while story in self.merged:
            story = self.merged[story]
        return story

    def at_their_means(self, vectors: dict[int, Floats]) -> bool:
        """Whether each narrative of the window has its centroid where its posts' mean is."""
        held = list(self.window.posts().items())[-self.window.size :]
        for story in {story for _, story in held} - {NONE}:
            mean = np.sum([vectors[post] for post, label in held if label == story], axis=0)
            mean /= np.linalg.norm(mean)
            if not np.allclose(self.window.centroid(story), mean, atol=1e-4):
                return False
        return True


def alike(one: dict[int, int], other: dict[int, int]) -> float:
    """The share of pairs about which two answers agree."""
    posts = sorted(one)
    a, b = (np.array([labels[post] for post in posts]) for labels in (one, other))
    same_a = (a[:, None] == a) & (a != NONE)
    same_b = (b[:, None] == b) & (b != NONE)
    return float((same_a == same_b).mean())


def test_topics_become_narratives_and_noise_stays_out() -> None:
    arrivals, truth = told(600, seed=1)
    desk = Desk()
    desk.read(arrivals, batch=256)
    for topic in range(len(TOPICS)):
        mine = [
            desk.labels[post.post_id] for post, t in zip(arrivals, truth, strict=True) if t == topic
        ]
        most = max(set(mine), key=mine.count)
        assert most != NONE
        assert mine.count(most) / len(mine) > 0.8
    noise = [
        desk.labels[post.post_id] for post, t in zip(arrivals, truth, strict=True) if t == NONE
    ]
    assert noise.count(NONE) / len(noise) > 0.8
    assert desk.window.posts() == desk.labels  # nobody thinks otherwise than what was told


def test_one_author_alone_is_no_narrative() -> None:
    arrivals, _ = told(60, seed=2, noise=0)
    desk = Desk()
    desk.read([replace(post, author="ann") for post in arrivals], batch=60)
    assert set(desk.labels.values()) == {NONE}


@given(seed=st.integers(0, 10_000), batches=st.tuples(st.integers(1, 64), st.integers(65, 400)))
@settings(max_examples=12, deadline=None)
def test_other_batch_sizes_end_alike(seed: int, batches: tuple[int, int]) -> None:
    """Settled answers about pairs agree in at least 95 of 100, whatever was read at once."""
    arrivals, _ = told(300, seed)
    ends = []
    for batch in batches:
        desk = Desk()
        desk.read(arrivals, batch)
        ends.append(desk.labels)
    assert alike(*ends) > 0.95


@given(seed=st.integers(0, 10_000), batch=st.integers(1, 200), data=st.data())
@settings(max_examples=15, deadline=None)
def test_what_people_have_said_holds(seed: int, batch: int, data: st.DataObject) -> None:
    arrivals, _ = told(400, seed)
    desk = Desk()
    desk.read(arrivals[:200], batch)
    stories = sorted(set(desk.labels.values()) - {NONE})
    touched = data.draw(st.sets(st.sampled_from(stories))) if stories else set()
    mine = {story: desk.members(story) for story in touched}
    placed = [post for post, story in desk.labels.items() if story != NONE and story not in touched]
    not_here = {(post, desk.labels[post]) for post in placed[:3]}
    desk.window.rules = Rules(touched, not_here=not_here)
    desk.look()
    desk.read(arrivals[200:], batch)
    for story in touched:
        assert mine[story] <= desk.members(story)  # nothing leaves by itself
        assert story not in desk.merged
    for post, story in not_here:
        assert desk.labels[post] != story


@given(seed=st.integers(0, 10_000), batch=st.integers(1, 200))
@settings(max_examples=10, deadline=None)
def test_what_people_have_split_is_neither_joined_nor_asked_about(seed: int, batch: int) -> None:
    arrivals, truth = told(400, seed)
    half = np.random.default_rng(seed).integers(2, size=400)
    story = [
        None if t == NONE else 1_001 + 2 * t + int(h) for t, h in zip(truth, half, strict=True)
    ]
    split = [replace(post, story=s) for post, s in zip(arrivals, story, strict=True)][:200]
    known = {
        s: (Story(story[:200].count(s), 0.0, 1.0, True), np.zeros(WIDTH, np.float32))
        for s in set(story[:200]) - {None}
    }
    desk = Desk()
    desk.window.restore(known, split)
    desk.follow(Change(moved=desk.window.posts()))
    apart = {frozenset((first, first + 1)) for first in range(1_001, 1_001 + 2 * len(TOPICS), 2)}
    desk.window.rules = Rules(known, apart)
    desk.look()
    desk.read(arrivals[200:], batch)
    assert not desk.merged.keys() & known.keys()
    assert not apart & {frozenset(one) for one in desk.proposals if isinstance(one[1], int)}


@given(seed=st.integers(0, 10_000), batch=st.integers(1, 200))
@settings(max_examples=15, deadline=None)
def test_a_narrative_that_a_look_has_found_is_never_lost(seed: int, batch: int) -> None:
    arrivals, _ = told(400, seed)
    desk = Desk(size=200)  # narratives outlive the window
    seen: set[int] = set()
    for start in range(0, 400, 100):
        desk.read(arrivals[start : start + 100], batch)
        seen |= {s for s, story in desk.window.stories.items() if story.settled}
        held = set(desk.labels.values())
        assert {desk.end(story) for story in seen} <= held


@given(seed=st.integers(0, 10_000), batch=st.integers(1, 200), data=st.data())
@settings(max_examples=15, deadline=None)
def test_what_is_removed_leaves_no_trace(seed: int, batch: int, data: st.DataObject) -> None:
    arrivals, _ = told(300, seed)
    vectors = {post.post_id: post.vector for post in arrivals}
    desk = Desk()
    desk.read(arrivals, batch)
    gone = data.draw(st.sets(st.sampled_from(sorted(vectors)), max_size=200))
    desk.window.forget(gone)
    assert not gone & set(desk.window.posts())
    assert desk.at_their_means(vectors)
    desk.look()
    assert not gone & set(desk.window.posts())
    assert desk.at_their_means(vectors)


@given(seed=st.integers(0, 10_000), batch=st.integers(1, 200))
@settings(max_examples=10, deadline=None)
def test_no_centroid_drifts_from_what_the_window_has_of_it(seed: int, batch: int) -> None:
    arrivals, _ = told(400, seed)
    vectors = {post.post_id: post.vector for post in arrivals}
    desk = Desk(size=200)
    for start in range(0, 400, 100):
        desk.read(arrivals[start : start + 100], batch)
        desk.look()
        assert desk.at_their_means(vectors)


@pytest.mark.parametrize(
    ("bridges", "before", "one"),
    [
        (14, (NONE, NONE), False),  # too little leads from one to the other
        (14, (1, 1), True),  # but enough where they were one
        (14, (1, 2), False),
        (14, (1, NONE), False),
        (4, (1, 1), False),
        (0, (1, 1), False),
        (32, (1, 2), True),
    ],
)
def test_what_was_one_story_stays_one_more_easily(
    bridges: int, before: tuple[int, int], one: bool
) -> None:
    cliques, size = 8, K + 1
    others = [np.delete(np.arange(size), row) for row in range(size)]
    near = np.array([some + size * clique for clique in range(cliques) for some in others])
    for row in range(bridges):  # of the first two, each to one of the other
        near[row, -1] = (row + size + row // size) % (2 * size)
    was = np.repeat([*before, *[NONE] * (cliques - 2)], size)
    found = communities(
        *(near, np.full(near.shape, 0.8, np.float32), np.zeros(len(near))),
        *([words_of("")] * len(near), was),
    )
    assert len(set(found.tolist())) == cliques - one
    assert (found[0] == found[size]) == one


def test_a_silent_narrative_takes_no_more_posts() -> None:
    arrivals, _ = told(120, seed=6, noise=0)
    desk = Desk()
    desk.read(arrivals, batch=60)
    late = replace(arrivals[0], post_id=999, days=arrivals[-1].days + 60)
    desk.follow(desk.window.take([late]))
    assert desk.labels[999] == NONE


@pytest.mark.parametrize("posts", [LEAST_NEW - 1, LEAST_NEW])
def test_a_considered_look_is_due_after_enough_new_posts(posts: int) -> None:
    desk = Desk()
    desk.window.take(told(posts, seed=7)[0])
    assert desk.window.due() == (posts >= LEAST_NEW)


def test_what_is_removed_is_nowhere_in_the_arrays() -> None:
    """Rows are moved forward as the window fills: none may stay behind where they were."""
    arrivals, _ = told(700, seed=8)
    desk = Desk(size=50)
    desk.read(arrivals, batch=100)
    gone = [post for post in arrivals[-40:] if post.post_id in desk.window.posts()]
    desk.window.forget([post.post_id for post in gone])
    for story in set(desk.window.stories):
        desk.window.put(story, np.zeros(WIDTH, np.float32))
    centroids = desk.window._centroids
    for array in (desk.window._vectors, centroids._sums, centroids._new):
        lengths = np.maximum(np.linalg.norm(array, axis=1), 1e-9)
        for post in gone:
            assert (array @ post.vector / lengths).max() < 0.999


def test_a_dropped_narrative_leaves_nothing() -> None:
    arrivals, _ = told(200, seed=9)
    desk = Desk()
    desk.read(arrivals, batch=50)
    gone, *others = sorted(desk.window.stories)
    kept = {story: desk.window.centroid(story) for story in others}
    desk.window.drop([gone])
    assert set(desk.window.stories) == set(others) == set(desk.window.posts().values()) - {NONE}
    assert not desk.window.centroid(gone).any()
    for story, centroid in kept.items():
        assert np.allclose(desk.window.centroid(story), centroid)
    assert not desk.window._centroids._sums[len(others) :].any()


Parts = list[tuple[int | None, float, int]]  # story, day, community of two posts each


def settled(parts: Parts, known: dict[int, tuple[float, float]], rules: Rules) -> Desk:
    """A desk after a look that found these communities in posts that all say nearly the same."""
    desk = Desk()
    vectors = [np.eye(WIDTH, dtype=np.float32)[0] for _ in range(2 * len(parts))]
    stories = {
        story: (Story(story, first, last, settled=True), vectors[0])
        for story, (first, last) in known.items()
    }
    posts = [
        Arrival(2 * n + one, f"author{one}", f"word{n}{one}", day, vectors[0], story)
        for n, (story, day, _) in enumerate(parts)
        for one in (1, 2)
    ]
    desk.window.restore(stories, posts)
    desk.window.rules = rules
    desk.labels = desk.window.posts()
    groups = np.repeat(np.array([group for _, _, group in parts], np.int64), 2)
    ids = count(max(known) + 1)
    desk.window._new_id = lambda: next(ids)
    desk.follow(desk.window.settle(desk.window.look(), groups))
    assert desk.window.posts() == desk.labels
    assert set(desk.labels.values()) - {NONE} <= set(desk.window.stories)
    return desk


def test_a_wave_of_what_is_merged_in_the_same_look_follows_it() -> None:
    # 7 slept, and goes into 8 as a whole; the new posts would have woken it.
    parts: Parts = [(7, 0, 0), (8, 60, 0), (8, 60, 0), (None, 61, 1), (None, 61, 1)]
    desk = settled(parts, {7: (0, 0.5), 8: (59, 61)}, Rules())
    assert desk.merged == {7: 8}
    assert set(desk.labels.values()) == {8}


def test_a_chain_of_waves_ends_in_one_narrative() -> None:
    # 7 wakes 8's subject, 8 that of the new posts, which are the first community.
    parts: Parts = [(8, 60, 1), (8, 60, 1), (None, 120, 0), (None, 120, 0)]
    desk = settled(parts, {7: (0, 0.5), 8: (60, 60.5)}, Rules())
    assert desk.merged == {8: 7}
    assert set(desk.labels.values()) == {7}


def test_the_rest_of_what_people_hold_belongs_to_them() -> None:
    """A part of a touched narrative founds nothing with the few posts beside it."""
    parts: Parts = [(7, 0, 0), (7, 0, 0), (7, 0, 1), (7, 0, 1), (None, 0, 1)]
    desk = settled(parts, {7: (0, 0)}, Rules(touched={7}))
    assert set(desk.labels.values()) == {7}
    assert desk.proposals == [(7, [5, 6, 7, 8])]
    parts = [(7, 0, 0), (7, 0, 0), (7, 0, 1), (None, 0, 1), (None, 0, 1)]
    desk = settled(parts, {7: (0, 0)}, Rules(touched={7}))
    assert [desk.labels[post] for post in (5, 6, 7, 8, 9, 10)] == [7, 7, 8, 8, 8, 8]


def test_what_was_placed_after_a_look_was_taken_keeps_its_place() -> None:
    arrivals, _ = told(100, seed=10)
    desk = Desk()
    desk.read(arrivals, batch=50)
    look = desk.window.look()
    lone = next(post for post, story in desk.labels.items() if story == NONE)
    desk.follow(desk.window.found(lone))
    story = desk.labels[lone]
    assert story != NONE
    desk.window.stories[story].settled = False
    desk.follow(desk.window.settle(look, np.full(len(look.ids), NONE)))
    assert desk.labels[lone] == story
    assert desk.window.since_look == 1
