"""The centroids of all narratives as one matrix, compared with a batch of posts at once."""

from collections.abc import Mapping, Sequence

import numpy as np

from monitor.narratives.graph import LEAST_NORM, Floats, nearest

TOP = 8  # centroids told of as nearest
BLOCK = 8_192  # centroids compared at once


class Centroids:
    """Sums of the vectors of narratives' posts, by narrative; compared by their direction."""

    def __init__(self, width: int) -> None:
        self._sums = np.zeros((64, width), np.float32)
        self._norms = np.ones(64, np.float32)
        self._stories: list[int] = []
        self._rows: dict[int, int] = {}
        self._new: Floats = np.zeros((0, width), np.float32)
        self._found: list[list[tuple[int, float]]] = []  # of each post: rows and cosines
        self._moved: dict[int, None] = {}  # rows that changed since the batch was compared

    @classmethod
    def of(cls, width: int, sums: Mapping[int, Floats]) -> "Centroids":
        """Those of these narratives; (width,) each."""
        made = cls(width)
        made._stories = list(sums)
        made._rows = {story: row for row, story in enumerate(sums)}
        room = max(64, len(sums))
        made._sums = np.zeros((room, width), np.float32)
        for row, total in enumerate(sums.values()):
            made._sums[row] = total
        made._norms = np.maximum(np.linalg.norm(made._sums, axis=1), LEAST_NORM).astype(np.float32)
        return made

    def add(self, story: int, vector: Floats) -> None:
        """One more post of a narrative, or, with the opposite of its vector, one less."""
        row = self._row(story)
        self._set(row, self._sums[row] + vector)

    def put(self, story: int, total: Floats) -> None:
        """The sum of a narrative's posts, whatever was known before."""
        self._set(self._row(story), total)

    def drop(self, story: int) -> None:
        """Forget a narrative."""
        row = self._rows.pop(story, None)
        if row is None:
            return
        last = self._stories.pop()
        if last != story:  # the last row takes the free place
            self._stories[row] = last
            self._rows[last] = row
            self._set(row, self._sums[len(self._stories)])
        self._sums[len(self._stories)] = 0  # nothing of its posts stays
        self._moved.pop(len(self._stories), None)

    def unit(self, story: int) -> Floats:
        """A narrative's centroid, (width,), of unit length; zero where nothing is known of it."""
        row = self._rows.get(story)
        if row is None:
            return np.zeros(self._sums.shape[1], np.float32)
        return np.asarray(self._sums[row] / self._norms[row], np.float32)

    def look(self, new: Floats, least: float) -> None:
        """Compare a batch of posts with all centroids as they are now; ``near`` tells of them."""
        self._new, self._moved = new, {}
        lines, rows, values = [], [], []
        for start in range(0, len(self._stories), BLOCK):
            end = min(start + BLOCK, len(self._stories))
            norms = self._norms[start:end]
            products = new @ self._sums[start:end].T
            line, row = np.nonzero(products >= least * norms)  # few: divide only those
            lines.append(line)
            rows.append(row + start)
            values.append(products[line, row] / norms[row])
        self._found = [[] for _ in new]
        if lines:
            pairs = (np.concatenate(part).tolist() for part in (lines, rows, values))
            for line, row, cosine in zip(*pairs, strict=True):
                self._found[line].append((row, cosine))

    def near(self, line: int) -> list[tuple[int, float]]:
        """Narratives near a post of the batch, the nearest first, with their cosines.

        Those at the ``least`` of the look, and besides all that have changed since.
        """
        found = [
            (self._stories[row], cosine)
            for row, cosine in self._found[line]
            if row not in self._moved and row < len(self._stories)
        ]
        moved = list(self._moved)
        found += self._compared(moved, self._new[line]) if moved else []
        return sorted(found, key=lambda pair: -pair[1])

    def nearest_to(self, vector: Floats) -> list[tuple[int, float]]:
        """The narratives nearest to any vector of unit length, with their cosines."""
        count = len(self._stories)
        if not count:
            return []
        rows, cosines = nearest((self._sums[:count] @ vector / self._norms[:count])[None], TOP)
        return [
            (self._stories[row], cosine)
            for row, cosine in zip(rows[0].tolist(), cosines[0].tolist(), strict=True)
        ]

    def _row(self, story: int) -> int:
        """The row of a narrative, a new one of zeros if it has none."""
        row = self._rows.get(story)
        if row is None:
            row = self._rows[story] = len(self._stories)
            self._stories.append(story)
            if row == len(self._sums):
                self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
                self._norms = np.concatenate([self._norms, np.ones_like(self._norms)])
            self._sums[row] = 0
        return row

    def _compared(self, rows: Sequence[int], vector: Floats) -> list[tuple[int, float]]:
        cosines = (self._sums[rows] @ vector / self._norms[rows]).tolist()
        return [(self._stories[row], cosine) for row, cosine in zip(rows, cosines, strict=True)]

    def _set(self, row: int, total: Floats) -> None:
        self._sums[row] = total
        self._norms[row] = max(float(np.linalg.norm(total)), LEAST_NORM)
        self._moved[row] = None
