"""NAB's layout, scoring and results: the Numenta Anomaly Benchmark, profile "standard".

A folder holds ``data/GROUP/NAME.csv`` (timestamp, value) and ``windows.json``, or NAB's own
``labels/combined_windows.json``. Scored as Lavin and Ahmad (2015) say and as NAB 1.1 does: the
first 15 % (of 5,000 rows at most) are for learning; in a window the earliest row at or above the
threshold counts, by a sigmoid of its place; each such row outside is a false alarm that costs the
more the further it is behind a window; what a window lacks costs 1. The sum is set between that of
a detector that says nothing (0) and of a perfect one (100).
"""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Profile "standard": what a detection is worth, and what a false alarm and a missed window cost.
DETECTED, FALSE_ALARM, MISSED = 1.0, 0.11, 1.0
LEARNING, MOST_LEARNING = 0.15, 750  # rows: a share, and 15 % of 5,000 at most
FAR_BEHIND = 3.0  # windows' widths behind one, from where a false alarm costs all it can


@dataclass(frozen=True)
class Series:
    name: str  # GROUP/NAME.csv
    stamps: list[str]
    values: Floats
    windows: list[tuple[int, int]]  # first and last row

    @property
    def group(self) -> str:
        return self.name.split("/")[0]

    @property
    def times(self) -> list[datetime]:
        return [datetime.fromisoformat(stamp) for stamp in self.stamps]

    @property
    def learning(self) -> int:
        """Rows at the start that are not scored."""
        return min(math.floor(LEARNING * len(self.stamps)), MOST_LEARNING)


def read(folder: Path) -> list[Series]:
    """All series of the folder that have an entry among the windows, by name."""
    places = ("windows.json", "labels/combined_windows.json", "combined_windows.json")
    found = next((folder / place for place in places if (folder / place).exists()), None)
    if found is None:
        raise FileNotFoundError(f"no windows.json in {folder}")
    windows: Mapping[str, list[list[str]]] = json.loads(found.read_text(encoding="utf-8"))
    return [
        _series(folder / "data" / name, name, ends)
        for name, ends in sorted(windows.items())
        if (folder / "data" / name).exists()
    ]


def _series(path: Path, name: str, ends: Iterable[Sequence[str]]) -> Series:
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    stamps = [row["timestamp"] for row in rows]
    times = [datetime.fromisoformat(stamp) for stamp in stamps]
    windows = []
    for first, last in ends:
        start, end = datetime.fromisoformat(first), datetime.fromisoformat(last)
        inside = [n for n, time in enumerate(times) if start <= time <= end]
        if inside:
            windows.append((inside[0], inside[-1]))
    return Series(name, stamps, np.array([float(row["value"]) for row in rows]), windows)


def score(series: Series, scores: Floats, threshold: float) -> tuple[float, int, int]:
    """The raw score of one series, the windows found and the false alarms at this threshold."""
    best: dict[int, float] = {}
    cost, false = 0.0, 0
    for row in np.flatnonzero(scores >= threshold).tolist():
        if row < series.learning:
            continue
        place = next((n for n, (a, b) in enumerate(series.windows) if a <= row <= b), None)
        if place is not None:
            a, b = series.windows[place]
            worth = DETECTED * _sigmoid(-(b - row + 1) / (b - a + 1)) / _sigmoid(-1.0)
            best[place] = max(worth, best.get(place, -math.inf))
            continue
        false += 1
        behind = [(a, b) for a, b in series.windows if b < row]
        if behind:
            a, b = behind[-1]
            away = (row - b) / max(b - a, 1)
            cost += FALSE_ALARM * (-1 if away > FAR_BEHIND else _sigmoid(away))
        else:
            cost -= FALSE_ALARM
    missed = len(series.windows) - len(best)
    return sum(best.values()) - MISSED * missed + cost, len(best), false


def normalised(raw: float, windows: int) -> float:
    """0 is a detector that says nothing, 100 a perfect one."""
    return 100 * (raw + MISSED * windows) / (windows * (DETECTED + MISSED)) if windows else math.nan


def total(
    all_series: Sequence[Series], scores: Mapping[str, Floats], threshold: float
) -> dict[str, float]:
    """The score of all series together, and by group."""
    parts = {one.name: score(one, scores[one.name], threshold) for one in all_series}
    windows = sum(len(one.windows) for one in all_series)
    result = {
        "score": round(normalised(sum(part[0] for part in parts.values()), windows), 2),
        "windows": windows,
        "found": sum(part[1] for part in parts.values()),
        "false_alarms": sum(part[2] for part in parts.values()),
    }
    for group in sorted({one.group for one in all_series}):
        of_group = [one for one in all_series if one.group == group]
        number = sum(len(one.windows) for one in of_group)
        if number:
            raw = sum(parts[one.name][0] for one in of_group)
            result[group] = round(normalised(raw, number), 2)
    return result


def best_threshold(all_series: Sequence[Series], scores: Mapping[str, Floats]) -> float:
    """The threshold of the highest score over all series, as NAB's own optimiser looks for."""
    marks = np.unique(np.concatenate([scores[one.name] for one in all_series]))
    marks = np.append(marks[marks > 0], 1.1)
    if len(marks) > 200:  # alarms are few; this is for detectors that score each row
        marks = np.quantile(marks, np.linspace(0, 1, 200))
    return float(max(marks, key=lambda mark: total(all_series, scores, mark)["score"]))


def write(
    out: Path, detector: str, all_series: Iterable[Series], scores: Mapping[str, Floats]
) -> None:
    """``OUT/DETECTOR/GROUP/DETECTOR_NAME.csv``, as NAB's own results: anomaly_score, label."""
    for one in all_series:
        group, name = one.name.rsplit("/", 1)
        path = out / detector / group / f"{detector}_{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        inside = np.zeros(len(one.stamps), dtype=int)
        for a, b in one.windows:
            inside[a : b + 1] = 1
        with path.open("w", encoding="utf-8", newline="") as lines:
            writer = csv.writer(lines)
            writer.writerow(["timestamp", "value", "anomaly_score", "label"])
            rows = zip(one.stamps, one.values, scores[one.name], inside, strict=True)
            writer.writerows((s, repr(float(v)), f"{a:.6f}", i) for s, v, a, i in rows)


def _sigmoid(x: float) -> float:
    return 2 / (1 + math.exp(5 * x)) - 1
