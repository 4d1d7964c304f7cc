"""What placing posts in memory costs: ``python -m tests.bench.placing``.

Invented unit vectors and words, no language model. One JSON line per measurement; ``target`` is
what we hold ourselves to, ``met`` whether this run did.

*Placing*: milliseconds of processor per post in ``Window.take``, with a full window of 8,000 posts
and 10,000 or 100,000 live narratives in memory; beside it the plain single-pass leader, which
compares each post with all centroids by one product of a matrix and a vector. Considered looks
fall due in between as they do at the desk, and have a figure of their own.

*Considering*: seconds of ``Window.consider`` alone over a full window of 8,000 and of 50,000 posts:
the first look, which finds everything new, and the next one, 512 posts later. Then a third one in a
thread, while batches of 256 posts are placed: how many meanwhile, and the longest that one took,
beside the median of others that had the window for themselves. Beside it MiniBatchKMeans over the
same vectors (HDBSCAN and BERTopic are measured by tests.bench.narratives: they are too slow for so
many).

The mixture is as dense as the streams in tests.bench.narratives. A post has a cosine of 0.60 to
0.88 to the story it tells, stories of one subject are alike, a few large ones have most of the
posts. While placing, 15 % of the posts tell a live narrative, 15 % a story that is new, and 70 %
are near none; while considering, 70 % tell a story. Each measurement has a process of its own, so
that memory is its own too; the seed is fixed, so that all methods get the same posts.
"""

import argparse
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped, unused-ignore]
from sklearn.cluster import MiniBatchKMeans

from monitor.narratives.graph import NONE, Floats, Ints
from monitor.narratives.window import MOST_NEW, NEAR_CENTROID, SIZE, Arrival, Story, Window
from tests.bench.narratives import BATCH, SEED, say

WIDTH = 384
LIVE = {10_000: 1.0, 100_000: 3.0}  # narratives held: milliseconds of processor a post may take
WINDOWS: dict[int, float | None] = {SIZE: None, 50_000: 60.0}  # posts: seconds a look may take
CLUSTERS = 500  # of MiniBatchKMeans
ALONE, MEANWHILE = 5, 60  # batches placed before a look, and ready to be placed during it
SUBJECTS = 40  # that posts without a story are about
STORIES_A_SUBJECT = 50  # of many live narratives
SUBJECT_SHARE = 0.45  # cosine of two stories of one subject
CLOSENESS = (0.60, 0.88)  # cosines of posts to their story
# Cosines of posts that tell no story to their subject: near no narrative; near one another.
FAR, NEARER = (0.20, 0.50), (0.35, 0.70)
AUTHORS = 4_000
POSTS_A_DAY = 4_000
LIVE_POSTS = 20  # that a live narrative has when the measuring starts
OF_STORIES = 0.7  # share of posts that tell a story, in a window that is considered
POSTS_A_STORY = 25  # of those in a window that is considered, in the mean


# Posts


@dataclass(frozen=True)
class Posts:
    vectors: Floats  # (n, WIDTH), of unit length
    arrivals: list[Arrival]


class World:
    """Subjects, and the stories in them; the first ``live`` stories are narratives already."""

    def __init__(self, live: int, new: int, aside: tuple[float, float]) -> None:
        self.rng = np.random.default_rng(SEED)
        self.live, self.new, self.aside = live, new, aside
        self.subjects = self._units(max(SUBJECTS, live // STORIES_A_SUBJECT))
        self.subject_of = self.rng.integers(0, len(self.subjects), live + new)
        self.stories = self._units(live + new)
        self.stories *= np.float32(np.sqrt(1 - SUBJECT_SHARE))
        self.stories += np.float32(np.sqrt(SUBJECT_SHARE)) * self.subjects[self.subject_of]
        self.stories /= np.linalg.norm(self.stories, axis=1, keepdims=True)

    def posts(self, number: int, of_live: float, of_new: float) -> Posts:
        """Posts in the order of time; the shares say how many of them tell a story."""
        rng = self.rng
        weights = 1 / (np.arange(self.new) + 10.0)  # a few stories are large, most are small
        kind = rng.random(number)
        story = self.live + rng.choice(self.new, number, p=weights / weights.sum())
        if self.live:
            story = np.where(kind < of_live, rng.integers(0, self.live, number), story)
        story = np.where(kind < of_live + of_new, story, -1)
        aside = story < 0
        subject = np.where(aside, rng.integers(0, SUBJECTS, number), self.subject_of[story])
        towards = np.where(aside[:, None], self.subjects[subject], self.stories[story])
        cosines = np.where(aside, *(rng.uniform(*b, number) for b in (self.aside, CLOSENESS)))
        vectors = self._beside(towards, cosines.astype(np.float32)[:, None])
        arrivals = [
            Arrival(
                n,
                f"author {rng.integers(AUTHORS)}",
                self._text(int(story[n]), int(subject[n])),
                n / POSTS_A_DAY,
                vectors[n],
            )
            for n in range(number)
        ]
        return Posts(vectors, arrivals)

    def _units(self, number: int) -> Floats:
        found = self.rng.standard_normal((number, WIDTH), np.float32)
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)

    def _beside(self, towards: Floats, cosines: Floats) -> Floats:
        """A unit vector at this cosine to each direction, else by chance."""
        away = self._units(len(towards))
        away -= (away * towards).sum(axis=1, keepdims=True) * towards
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        return np.asarray(cosines * towards + np.sqrt(1 - cosines**2) * away, np.float32)

    def _text(self, story: int, subject: int) -> str:
        """Thirteen words, as many as the real posts have in the mean."""
        common = np.minimum(self.rng.zipf(1.3, 8), 50_000)
        words = [f"word{n}" for n in common] + [
            f"subject{subject}x{n}" for n in self.rng.integers(0, 60, 2 if story >= 0 else 5)
        ]
        if story >= 0:
            words += [f"story{story}x{n}" for n in self.rng.integers(0, 10, 3)]
        return " ".join(words)


def holding(world: World, ids: Iterator[int]) -> Window:
    """A window with the live narratives; their posts are older than what it looks back on."""
    window = Window(WIDTH, lambda: next(ids))
    told = world.stories[: world.live] * np.float32(LIVE_POSTS * sum(CLOSENESS) / 2)
    window.restore({n: (Story(LIVE_POSTS, -3.0, 0.0, True), v) for n, v in enumerate(told)}, [])
    return window


# Measuring


class Clock:
    """Processor and wall time, added up over the pieces that it is held around."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0

    def __enter__(self) -> "Clock":
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu += time.process_time() - self._cpu
        self.wall += time.perf_counter() - self._wall

    def per(self, posts: int) -> dict[str, float]:
        return {
            "cpu_ms_per_post": round(1_000 * self.cpu / posts, 3),
            "wall_ms_per_post": round(1_000 * self.wall / posts, 3),
        }


def rss() -> int:
    return int(psutil.Process().memory_info().rss / 2**20)


def peak() -> int:
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(used * (1 if sys.platform == "darwin" else 1024) / 2**20)


def placing(live: int, number: int) -> None:
    world = World(live, new=300, aside=FAR)
    arrivals = world.posts(SIZE + number, of_live=0.15, of_new=0.15).arrivals
    before = rss()
    window = holding(world, count(live))
    held = rss() - before
    del world
    taking, considering, done, joined = Clock(), Clock(), 0, 0
    batches: list[float] = []
    while done < len(arrivals):
        if done == SIZE:  # the window is full
            taking, considering, batches, joined = Clock(), Clock(), [], 0
        end = min(done + BATCH, done + window.room(), len(arrivals))
        some = arrivals[done : end if done >= SIZE else min(end, SIZE)]
        start = taking.cpu
        with taking:
            change = window.take(some)
        batches.append(1_000 * (taking.cpu - start) / len(some))
        joined += sum(change.moved.get(post.post_id, NONE) != NONE for post in some)
        done += len(some)
        if window.due():
            with considering:
                window.consider()
    figures = taking.per(number)
    say(
        what="placing",
        method="window",
        live_narratives=live,
        window=SIZE,
        posts=number,
        **figures,
        slowest_batch_cpu_ms_per_post=round(max(batches), 3),
        target=f"under {LIVE[live]} ms",
        met=figures["cpu_ms_per_post"] < LIVE[live],
        considering_cpu_ms_per_post=considering.per(number)["cpu_ms_per_post"],
        joined_at_once=round(joined / number, 3),
        narratives_at_the_end=len(window.stories),
        mb_of_live_narratives_and_window=held,
        rss_mb=rss(),
        peak_mb=peak(),
    )


def placing_by_leader(live: int, number: int) -> None:
    world = World(live, new=300, aside=FAR)
    vectors = world.posts(SIZE + number, of_live=0.15, of_new=0.15).vectors[SIZE:]
    before = rss()
    sums = np.zeros((live + number, WIDTH), np.float32)
    sums[:live] = world.stories[:live] * np.float32(LIVE_POSTS * sum(CLOSENESS) / 2)
    units = np.zeros_like(sums)
    units[:live] = world.stories[:live]
    held = rss() - before
    del world
    taking, joined, known = Clock(), 0, live
    with taking:
        for vector in vectors:
            cosines = units[:known] @ vector
            best = int(cosines.argmax())
            if cosines[best] < NEAR_CENTROID:
                best, known = known, known + 1
            else:
                joined += 1
            sums[best] += vector
            units[best] = sums[best] / max(float(np.linalg.norm(sums[best])), 1e-9)
    say(
        what="placing",
        method="single-pass leader",
        live_narratives=live,
        posts=number,
        **taking.per(number),
        joined_at_once=round(joined / number, 3),
        narratives_at_the_end=known,
        mb_of_live_narratives=held,
        rss_mb=rss(),
        peak_mb=peak(),
    )


def a_window(size: int) -> Posts:
    """Posts for a window of this size to consider, for the next look, and for batches beside it."""
    new = round(OF_STORIES * size / POSTS_A_STORY)
    number = size + MOST_NEW + (ALONE + MEANWHILE) * BATCH
    return World(0, new, NEARER).posts(number, of_live=0, of_new=OF_STORIES)


def considering(size: int) -> None:
    arrivals = a_window(size).arrivals
    ids = count()
    window = Window(WIDTH, lambda: next(ids), size=size)
    filling = Clock()
    with filling:
        window.take(arrivals[:size])
    next_ones = arrivals[size : size + MOST_NEW]
    for look, more in (("the first look", []), ("the next look", next_ones)):
        if more:
            window.take(more)
        held = rss()
        considered = Clock()
        with considered:
            change = window.consider()
        target = WINDOWS[size]
        say(
            what="considering",
            method=f"window, {look}",
            window=size,
            seconds=round(considered.wall, 2),
            cpu_seconds=round(considered.cpu, 2),
            **({"target": f"under {target} s", "met": considered.wall < target} if target else {}),
            taking_cpu_ms_per_post=filling.per(size)["cpu_ms_per_post"],
            moved=len(change.moved),
            merged=len(change.merged),
            narratives=len(change.found_again),
            in_narratives=round(float(np.mean([s != NONE for s in window.posts().values()])), 3),
            rss_mb_before=held,
            peak_mb=peak(),
        )
    considering_beside(window, arrivals[size + MOST_NEW :])


def considering_beside(window: Window, arrivals: Sequence[Arrival]) -> None:
    """A look in a thread, as at the desk, while ``arrivals`` are placed batch by batch."""
    batches = [arrivals[start : start + BATCH] for start in range(0, len(arrivals), BATCH)]
    alone = [_seconds(window.take, batch) for batch in batches[:ALONE]]
    look = window.look()
    beside: list[float] = []
    with ThreadPoolExecutor(1) as aside:
        began = time.perf_counter()
        found = aside.submit(look.communities)
        for batch in batches[ALONE:]:
            if found.done():
                break
            beside.append(_seconds(window.take, batch))
        communities = found.result()
        seconds = time.perf_counter() - began
    settling = _seconds(window.settle, look, communities)
    say(
        what="considering",
        method="window, while batches are placed",
        window=window.size,
        seconds=round(seconds, 2),
        batches_placed_meanwhile=len(beside),
        longest_batch_ms=round(1_000 * max(beside, default=0.0)),
        median_batch_alone_ms=round(1_000 * float(np.median(alone))),
        placing_waits_ms=round(1_000 * settling),
    )


def _seconds(what: Callable[..., object], *arguments: object) -> float:
    began = time.perf_counter()
    what(*arguments)
    return time.perf_counter() - began


def considering_by_means(size: int) -> None:
    vectors = a_window(size).vectors[:size]
    held = rss()
    considered = Clock()
    with considered:
        labels: Ints = MiniBatchKMeans(CLUSTERS, random_state=SEED).fit_predict(vectors)
    say(
        what="considering",
        method=f"MiniBatchKMeans, {CLUSTERS} clusters",
        window=size,
        seconds=round(considered.wall, 2),
        cpu_seconds=round(considered.cpu, 2),
        narratives=len(np.unique(labels)),
        in_narratives=1.0,
        rss_mb_before=held,
        peak_mb=peak(),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--posts", type=int, default=4_000, help="posts placed in a full window")
    parser.add_argument("--only", choices=("placing", "considering"), help="one of the two parts")
    options = parser.parse_args(arguments)
    steps: list[tuple[Any, ...]] = []
    if options.only != "considering":
        steps += [(make, n, options.posts) for n in LIVE for make in (placing, placing_by_leader)]
    if options.only != "placing":
        steps += [(make, n) for n in WINDOWS for make in (considering, considering_by_means)]
    for step, *rest in steps:
        process = multiprocessing.get_context("spawn").Process(target=step, args=rest)
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(process.exitcode)


if __name__ == "__main__":
    main()
