"""A considered look at the window: which posts are stories, hardly swayed by the last look."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.narratives.graph import NONE, Floats, Ints, communities, patience, unit, vote

STORY_POSTS = 3  # dense posts of a new narrative: the fewest, since 3 to 10 do the same
STORY_AUTHORS = 2  # one person's repetition is no narrative
# Stories with such a silence between them are waves of one when their centroids are so near. On
# T26, 0.80 takes different disasters of one kind for each other.
WAKE = 0.90
ROUNDS = 2  # those beside a story join it, then those beside these


@dataclass(frozen=True)
class Look:
    """The window at one moment, as arrays of its posts in their order."""

    ids: Ints  # post ids
    labels: Ints  # the narrative each was in, or NONE
    near: Ints  # (n, K) the rows of each post's neighbours, NONE where it has fewer
    cosines: Floats  # (n, K)
    days: NDArray[np.float64]
    vectors: Floats  # (n, d)
    authors: Sequence[str]
    words: Sequence[Ints]

    def communities(self) -> Ints:
        """The story of each post, numbered from 0, or NONE. Takes a while; changes nothing."""
        found = communities(self.near, self.cosines, self.days, self.words, self.labels)
        for group in np.unique(found[found != NONE]):
            members = np.flatnonzero(found == group)
            authors = {self.authors[row] for row in members.tolist()}
            if len(members) < STORY_POSTS or len(authors) < STORY_AUTHORS:
                found[members] = NONE
        self._join_waves(found)
        for _ in range(ROUNDS):
            rest = np.flatnonzero(found == NONE)
            labels = np.where(self.near[rest] != NONE, found[self.near[rest]], NONE)
            joined = [vote(one, two) for one, two in zip(labels, self.cosines[rest], strict=True)]
            found[rest] = joined
        return found

    def _join_waves(self, found: Ints) -> None:
        """Give the waves of one story, with silence between them, one number."""
        members = {int(g): np.flatnonzero(found == g) for g in np.unique(found[found != NONE])}
        groups = sorted(members, key=lambda group: float(self.days[members[group]].min()))
        units = np.array([unit(self.vectors[members[group]].sum(axis=0)) for group in groups])
        for n, late in enumerate(groups):
            for m in np.argsort(-(units[:n] @ units[n])).tolist() if n else []:
                if units[m] @ units[n] < WAKE:
                    break
                early = members[groups[m]]
                first, last = float(self.days[early].min()), float(self.days[early].max())
                begun = float(self.days[members[late]].min())
                if begun - last > patience(last - first, len(early)):
                    found[members[late]] = found[early[0]]
                    break
