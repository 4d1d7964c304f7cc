"""The latest posts and the live narratives, held in memory: every post is placed from here.

``take`` answers at once: a post joins the narrative of at least half of its nearest posts, or the
nearest centroid, or founds a young narrative with close posts that had none, or stays unassigned.
``look`` and ``settle`` cluster the whole window again (look) and say what has changed.

Measured by ``python -m tests.bench.narratives``. Nothing here knows the database: ids of narratives
come from ``new_id``. What people have decided comes in as ``Rules``; a narrative that they have
touched changes by their word alone.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from monitor.narratives.centroids import Centroids
from monitor.narratives.graph import (
    CORE,
    CORE_DEGREE,
    NONE,
    Floats,
    Ints,
    K,
    nearest,
    patience,
    unit,
    vote,
    words_of,
)
from monitor.narratives.look import STORY_AUTHORS, STORY_POSTS, WAKE, Look

SIZE = 8_000  # distinct posts looked back on; 4,000 lose 0.01, 16,000 gain nothing
# A considered look is due when this share of the window is new, within these numbers of posts.
NEW_SHARE = 1 / 16
LEAST_NEW, MOST_NEW = 32, 512
NEAR_CENTROID = 0.50  # least cosine to a narrative that no vote found
NEAR_YOUNG = 0.60  # a young narrative so near another one is part of it
# Of a touched narrative, the share of its posts in the window that must form a story of their own
# before people are asked whether it is two.
SPLIT_SHARE = 0.25


@dataclass(frozen=True)
class Arrival:
    """A post to be placed: the first of its copies."""

    post_id: int
    author: str
    text: str
    days: float  # when it was made, in days
    vector: Floats  # (d,), of unit length
    story: int | None = None  # the narrative it is known to be in; None: it is to be found


@dataclass
class Story:
    """A narrative as far as placing needs it."""

    size: int
    first: float  # days
    last: float
    settled: bool = False  # a considered look has found it: a young one may still dissolve

    def asleep(self, now: float) -> bool:
        """Whether it was so silent at that time that a post near it may be another story."""
        silence = max(now - self.last, self.first - now)
        return bool(silence > patience(self.last - self.first, self.size))


@dataclass(frozen=True)
class Rules:
    """What people have said about narratives; every placing keeps to it."""

    touched: Collection[int] = frozenset()  # narratives that only people change
    apart: Collection[frozenset[int]] = frozenset()  # pairs that are two, both of them touched
    not_here: Collection[tuple[int, int]] = frozenset()  # (post id, narrative): it does not belong


@dataclass
class Change:
    """What a look has decided. Posts and narratives by their ids."""

    moved: dict[int, int] = field(default_factory=dict)  # post: its narrative now, or NONE
    merged: dict[int, int] = field(default_factory=dict)  # narrative: the one it went into
    found_again: set[int] = field(default_factory=set)  # narratives that a considered look holds up
    propose_merge: list[tuple[int, int]] = field(default_factory=list)
    propose_split: list[tuple[int, list[int]]] = field(default_factory=list)


class Window:
    """The last ``size`` distinct posts and all narratives that are alive."""

    def __init__(self, width: int, new_id: Callable[[], int], size: int = SIZE) -> None:
        self.size = size
        self.rules = Rules()
        self.stories: dict[int, Story] = {}
        self.since_look = 0  # posts taken since the last considered look
        self._new_id = new_id
        room = 2 * size + MOST_NEW
        self._n = 0
        self._ids = np.zeros(room, np.int64)
        self._days = np.zeros(room)
        self._vectors = np.zeros((room, width), np.float32)
        self._label = np.full(room, NONE)
        self._near = np.full((room, K), NONE)
        self._cosines = np.full((room, K), -1.0, np.float32)
        self._authors: list[str] = []
        self._words: list[Ints] = []
        self._centroids = Centroids(width)

    def posts(self) -> dict[int, int]:
        """The narrative of each post in the window, or NONE."""
        held = self._ids[: self._n] != NONE
        return dict(
            zip(
                self._ids[: self._n][held].tolist(),
                self._label[: self._n][held].tolist(),
                strict=True,
            )
        )

    def centroid(self, story: int) -> Floats:
        """A narrative's centroid, (d,), of unit length."""
        return self._centroids.unit(story)

    def restore(
        self, stories: Mapping[int, tuple[Story, Floats]], posts: Sequence[Arrival]
    ) -> None:
        """Fill an empty window with narratives, their centroids, and the latest posts, placed."""
        self.stories = {story: known for story, (known, _) in stories.items()}
        width = self._vectors.shape[1]
        self._centroids = Centroids.of(width, {s: centroid for s, (_, centroid) in stories.items()})
        for start in range(0, len(posts), MOST_NEW):
            some = posts[start : start + MOST_NEW]
            low, begin, end, similar = self._append(some)
            self._label[begin:end] = [NONE if p.story is None else p.story for p in some]
            self._meet(similar, low, begin, end)
        for story in set(self._label[: self._n].tolist()) - {NONE}:
            mine = self._vectors[: self._n][self._label[: self._n] == story]
            self._centroids.put(story, mine.sum(axis=0))
        self.since_look = MOST_NEW  # nobody has looked at it like this

    def forget(self, posts: Collection[int]) -> None:
        """Take posts out: neither a centroid nor a neighbour keeps anything of them.

        Of a narrative that has no other post in the window, ``put`` the centroid of its older ones.
        """
        gone = np.isin(self._ids[: self._n], list(posts))
        rows = np.flatnonzero(gone)
        left = set(self._label[: self._n][~gone].tolist())
        for row in rows.tolist():
            if int(self._label[row]) in left - {NONE}:
                self._centroids.add(int(self._label[row]), -self._vectors[row])
            self._words[row] = words_of("")
            self._authors[row] = ""
        self._vectors[rows], self._label[rows], self._ids[rows] = 0, NONE, NONE
        lost = np.isin(self._near[: self._n], rows)
        self._near[: self._n][lost], self._cosines[: self._n][lost] = NONE, -1.0
        self._near[rows], self._cosines[rows] = NONE, -1.0

    def put(self, story: int, centroid: Floats) -> None:
        """Set a narrative's centroid right, (d,), after posts of it were removed."""
        mine = self._vectors[: self._n][self._label[: self._n] == story]
        self._centroids.put(story, mine.sum(axis=0) if len(mine) else centroid)

    def drop(self, stories: Collection[int]) -> None:
        """Forget narratives that have no posts any more, anywhere."""
        for story in stories:
            self.stories.pop(story, None)
            self._centroids.drop(story)
        labels = self._label[: self._n]
        labels[np.isin(labels, list(stories))] = NONE

    def found(self, post: int) -> Change:
        """Make an unassigned post of the window a narrative by itself, to which looks hold."""
        change = Change()
        (row,) = np.flatnonzero(self._ids[: self._n] == post).tolist()
        story = self._new_id()
        self._join(row, story, change)
        self.stories[story].settled = True
        change.found_again = {story}
        return change

    # At once

    def take(self, arrivals: Sequence[Arrival]) -> Change:
        """Place new posts in their order; older unassigned posts may find their place with them."""
        change = Change()
        for start in range(0, len(arrivals), MOST_NEW):
            self._take(arrivals[start : start + MOST_NEW], change)
        return change

    def _take(self, arrivals: Sequence[Arrival], change: Change) -> None:
        low, begin, end, similar = self._append(arrivals)
        self._centroids.look(self._vectors[begin:end], NEAR_CENTROID)
        for line, row in enumerate(range(begin, end)):
            known = arrivals[line].story
            if known is None:
                known = self._place(line, row, similar[line, : row - low], low, change)
            self._join(row, known, change)
        self._meet(similar, low, begin, end)
        self.since_look += len(arrivals)

    def _append(self, arrivals: Sequence[Arrival]) -> tuple[int, int, int, Floats]:
        """The rows of the posts compared with and of the new ones, and their cosines.

        Cosines are (new, compared with and new).
        """
        self._make_room(len(arrivals))
        begin, end = self._n, self._n + len(arrivals)
        new = self._vectors[begin:end]
        new[:] = [post.vector for post in arrivals]
        self._ids[begin:end] = [post.post_id for post in arrivals]
        self._days[begin:end] = [post.days for post in arrivals]
        self._authors += [post.author for post in arrivals]
        self._words += [words_of(post.text) for post in arrivals]
        low = max(0, begin - self.size)
        self._n = end
        return low, begin, end, new @ self._vectors[low:end].T

    def _place(self, line: int, row: int, similar: Floats, low: int, change: Change) -> int:
        now, post = self._days[row], int(self._ids[row])
        if not self._vectors[row].any():
            return NONE
        labels, rows, cosines = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        found = NONE
        if len(similar):
            columns, values = nearest(similar[None], K)
            rows, cosines = columns[0] + low, values[0]
            labels = self._label[rows]
            away = {
                int(s) for s in np.unique(labels[labels != NONE]) if self._closed(int(s), post, now)
            }
            found = vote(labels, values[0], away)
        if found == NONE:
            found = self._by_centroid(self._centroids.near(line), post, now, NEAR_CENTROID)
        if found == NONE:
            close = [int(r) for r in rows[(cosines >= CORE) & (labels == NONE)]]
            authors = {self._authors[r] for r in (*close, row)}
            if len(close) >= CORE_DEGREE and len(authors) >= STORY_AUTHORS:
                young = unit(self._vectors[[*close, row]].sum(axis=0))
                found = self._by_centroid(self._centroids.nearest_to(young), post, now, NEAR_YOUNG)
                if found == NONE:
                    found = self._new_id()
                for other in sorted(close):
                    if (int(self._ids[other]), found) not in self.rules.not_here:
                        self._join(other, found, change)
        return found

    def _by_centroid(
        self, candidates: Iterable[tuple[int, float]], post: int, now: float, least: float
    ) -> int:
        for story, cosine in candidates:
            if cosine < least:
                return NONE
            if not self._closed(story, post, now):
                return story
        return NONE

    def _closed(self, story: int, post: int, now: float) -> bool:
        """Whether a narrative takes this post not at all."""
        return self.stories[story].asleep(now) or (post, story) in self.rules.not_here

    def _join(self, row: int, story: int, change: Change) -> None:
        self._label[row] = story
        change.moved[int(self._ids[row])] = story
        if story == NONE:
            return
        days = float(self._days[row])
        known = self.stories.get(story)
        if known is None:
            self.stories[story] = Story(1, days, days)
        else:
            known.size += 1
            known.first, known.last = min(known.first, days), max(known.last, days)
        self._centroids.add(story, self._vectors[row])

    def _meet(self, similar: Floats, low: int, begin: int, end: int) -> None:
        """Remember who is near whom: the new posts' neighbours, and the old posts' nearer ones."""
        similar[np.arange(end - begin), np.arange(begin - low, end - low)] = -1
        columns, cosines = nearest(similar, K)
        self._near[begin:end, : columns.shape[1]] = columns + low
        self._cosines[begin:end, : columns.shape[1]] = cosines
        old = similar[:, : begin - low].T
        hit = np.flatnonzero((old > self._cosines[low:begin, -1:]).any(axis=1))
        if not len(hit):
            return
        ids = np.broadcast_to(np.arange(begin, end), (len(hit), end - begin))
        both = np.concatenate([self._cosines[low + hit], old[hit]], axis=1)
        who = np.concatenate([self._near[low + hit], ids], axis=1)
        best, values = nearest(both, K)
        self._near[low + hit] = np.take_along_axis(who, best, 1)
        self._cosines[low + hit] = values

    def _make_room(self, more: int) -> None:
        """Drop the oldest beyond ``size`` when the arrays are full."""
        if self._n + more <= len(self._ids):
            return
        drop = self._n - self.size
        for array in (self._ids, self._days, self._vectors, self._label, self._cosines):
            array[: self.size] = array[drop : self._n].copy()
        # What is removed later must not stay behind in the rows that are free now.
        self._vectors[self.size :], self._label[self.size :], self._ids[self.size :] = 0, NONE, NONE
        near = self._near[drop : self._n].copy()
        self._near[: self.size] = np.where(near >= drop, near - drop, NONE)
        self._cosines[: self.size][self._near[: self.size] == NONE] = -1.0
        self._near[self.size :], self._cosines[self.size :] = NONE, -1.0
        self._authors, self._words = self._authors[drop:], self._words[drop:]
        self._n = self.size

    # Considered

    def due(self) -> bool:
        """Whether enough is new for a considered look."""
        return self._left() <= 0

    def room(self) -> int:
        """How many posts may be taken before a considered look is due; at least one."""
        return max(1, self._left())

    def _left(self) -> int:
        enough = min(MOST_NEW, max(LEAST_NEW, NEW_SHARE * min(self._n, self.size)))
        return int(enough) - self.since_look

    def consider(self) -> Change:
        """Cluster the window again; what changes by itself, and what people should be asked."""
        look = self.look()
        return self.settle(look, look.communities())

    def look(self) -> Look:
        """The window as it is now, to be clustered while posts go on being placed."""
        low = max(0, self._n - self.size)
        rows = slice(low, self._n)
        near = np.where(self._near[rows] >= low, self._near[rows] - low, NONE)
        return Look(
            ids=self._ids[rows].copy(),
            labels=self._label[rows].copy(),
            near=near,
            cosines=np.where(near == NONE, -1.0, self._cosines[rows]).astype(np.float32),
            days=self._days[rows].copy(),
            vectors=self._vectors[rows].copy(),
            authors=self._authors[low:],
            words=self._words[low:],
        )

    def settle(
        self, look: Look, communities: Ints, elsewhere: Callable[[int], bool] | None = None
    ) -> Change:
        """Bring the narratives into line with the communities found in a look at the window.

        Communities take the ids of the narratives that most of their posts were in. Posts that
        came or were placed meanwhile keep what they were given. ``elsewhere`` says whether a
        narrative has posts that the window has not; without it the sizes are asked.
        """
        low = max(0, self._n - self.size)
        before = self._label[low : self._n].copy()
        given = zip(communities.tolist(), look.labels.tolist(), strict=True)
        seen = dict(zip(look.ids.tolist(), given, strict=True))
        ids = self._ids[low : self._n].tolist()
        held = [seen.get(post, (NONE, None)) for post in ids]
        known = np.array([was == now for (_, was), now in zip(held, before, strict=True)], bool)
        stands = self._ids[low : self._n] != NONE
        known &= stands
        found = np.where(known, [group for group, _ in held], NONE).astype(np.int64)
        self.since_look = int((stands & ~known).sum())
        change = Change()
        shared = _shared(before, found)
        home = {old: max(sorted(groups), key=groups.__getitem__) for old, groups in shared.items()}
        in_window = _sizes(before)
        names: dict[int, int] = {}
        for group in sorted(set(home.values())):
            olds = [old for old in home if home[old] == group]
            keeper = max(olds, key=lambda old: (self._touched(old), self.stories[old].size, -old))
            names[group] = keeper
            for old in olds:
                # Only a narrative that moved as a whole is merged; a remnant keeps its own id.
                if old != keeper and 2 * shared[old][group] > in_window[old]:
                    self._merge(old, keeper, change)
        groups_found = np.unique(found[found != NONE]).tolist()
        rows_of = {group: np.flatnonzero(found == group) + low for group in groups_found}
        waves = [unit(self._vectors[rows].sum(axis=0)) for rows in rows_of.values()]
        if waves:  # one product for all: at 100,000 narratives nearly all the time goes here
            self._centroids.look(np.array(waves), WAKE)
        for line, (group, rows) in enumerate(rows_of.items()):
            keeper = names.get(group, self._holder(shared, group, len(rows)))
            sleeper = self._sleeper(line, rows, keeper)
            if keeper == NONE:
                names[group] = self._new_id() if sleeper == NONE else sleeper
                continue
            names[group] = keeper
            if sleeper != NONE:
                self._merge(keeper, sleeper, change)
        # The name of one community may have been merged for the sake of another.
        names = {group: change.merged.get(name, name) for group, name in names.items()}
        change.found_again = set(names.values())
        for old, groups in shared.items():
            if self._touched(old):
                enough = max(STORY_POSTS, SPLIT_SHARE * in_window[old])
                for group, count in sorted(groups.items()):
                    if group != home[old] and count >= enough:
                        rows = np.flatnonzero((before == old) & (found == group)) + low
                        change.propose_split.append((old, self._ids[rows].tolist()))
        after = self._after(low, before, found, known, names, change)
        for row in np.flatnonzero(after != self._label[low : self._n]).tolist():
            change.moved[int(self._ids[low + row])] = int(after[row])
        emptied = set(before[before != NONE].tolist()) - set(after.tolist()) - set(change.merged)
        outside = {
            old
            for old in emptied
            if (self._label[:low] == old).any()
            or (elsewhere(old) if elsewhere else self.stories[old].size > in_window[old])
        }
        for old in sorted(emptied - outside):  # an id is never lost: it leads to its heir
            if old in home and not self._touched(old):
                self._merge(old, names[home[old]], change)
        self._label[low : self._n] = after
        for old, keeper in change.merged.items():  # of the posts before those looked at, too
            self._label[: self._n][self._label[: self._n] == old] = keeper
        self._resum(low, (set(before.tolist()) | set(after.tolist())) - outside, change)
        return change

    def _holder(self, shared: Mapping[int, Mapping[int, int]], group: int, size: int) -> int:
        """The narrative of people that keeps at least half of a community's posts, or NONE.

        Until they say that it is two, the rest of them belongs there.
        """
        for old, groups in shared.items():
            if self._touched(old) and 2 * groups.get(group, 0) >= size:
                return old
        return NONE

    def _sleeper(self, line: int, rows: Ints, keeper: int) -> int:
        """The sleeping narrative whose next wave these posts are, or NONE.

        ``line``: theirs among the waves that the centroids were last compared with.
        """
        begun = float(self._days[rows].min())
        for story, cosine in self._centroids.near(line):
            if cosine < WAKE:
                break
            known = self.stories[story]
            if story != keeper and known.settled and known.last < begun and known.asleep(begun):
                return story
        return NONE

    def _after(
        self,
        low: int,
        before: Ints,
        found: Ints,
        known: NDArray[np.bool_],
        names: Mapping[int, int],
        change: Change,
    ) -> Ints:
        """The narrative of each post after the look; ``known``: the look has seen it."""
        after = np.array([names.get(group, NONE) for group in found.tolist()], np.int64)
        kept = np.array([change.merged.get(old, old) for old in before.tolist()], np.int64)
        after[~known] = kept[~known]
        lost = {
            old
            for old in set(kept.tolist()) - change.found_again - {NONE}
            if self.stories[old].settled
        }
        for row in range(len(after)):
            was, post = int(kept[row]), int(self._ids[low + row])
            target = int(after[row])
            if was != NONE and (
                self._touched(was)  # people's: nothing leaves it by itself
                or (target == NONE and was in lost)
                or (target != NONE and self._touched(target) and was != target)
            ):
                after[row] = was
            elif (post, target) in self.rules.not_here:
                after[row] = NONE
        return after

    def _merge(self, old: int, keeper: int, change: Change) -> None:
        keeper = change.merged.get(keeper, keeper)
        if old == keeper or frozenset((old, keeper)) in self.rules.apart:
            return
        # A wave that nobody has seen yet is one that a sleeping narrative goes on gathering.
        wave = not self.stories[old].settled and self._asleep(keeper, self.stories[old].first)
        if self._touched(old) or (self._touched(keeper) and not wave):
            change.propose_merge.append((old, keeper))
            return
        change.merged[old] = keeper
        for other, into in change.merged.items():
            if into == old:
                change.merged[other] = keeper
        one, two = self.stories[old], self.stories.get(keeper)
        self._centroids.add(keeper, self._centroids.unit(old) * one.size)
        if two is None:
            self.stories[keeper] = one
        else:
            two.size += one.size
            two.first, two.last = min(one.first, two.first), max(one.last, two.last)

    def _asleep(self, story: int, days: float) -> bool:
        return story in self.stories and self.stories[story].asleep(days)

    def _touched(self, story: int) -> bool:
        return story in self.rules.touched

    def _resum(self, low: int, stories: set[int], change: Change) -> None:
        """Set right the sums of the narratives that gained or lost posts by the look."""
        rows = np.arange(low, self._n)
        for story in sorted(stories - {NONE}):
            if story in change.merged:
                self.stories.pop(story, None)
                self._centroids.drop(story)
                continue
            mine = rows[self._label[low : self._n] == story]
            if not len(mine):  # a young one that was no story after all
                if story in self.stories and not self.stories[story].settled:
                    del self.stories[story]
                    self._centroids.drop(story)
                continue
            first, last = float(self._days[mine].min()), float(self._days[mine].max())
            known = self.stories.get(story)
            if known is None:
                self.stories[story] = Story(len(mine), first, last)
            else:
                known.size = max(known.size, len(mine))
                known.first, known.last = min(known.first, first), max(known.last, last)
            self.stories[story].settled |= story in change.found_again
            # The window speaks for it: that bounds how far a centroid can drift.
            self._centroids.put(story, self._vectors[mine].sum(axis=0))


def _sizes(labels: Ints) -> dict[int, int]:
    """How often each label stands there."""
    names, counts = np.unique(labels, return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _shared(before: Ints, found: Ints) -> dict[int, dict[int, int]]:
    """For each narrative the communities its posts are in now, and how many posts each has."""
    both = (before != NONE) & (found != NONE)
    pairs, counts = np.unique(np.stack([before[both], found[both]]), axis=1, return_counts=True)
    shared: dict[int, dict[int, int]] = {}
    for (old, group), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
        shared.setdefault(old, {})[group] = count
    return shared
