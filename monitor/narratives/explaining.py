"""Which texts of a narrative explain it best: the rule by which its page puts them in order.

A text is worth, in points:

====================  ========================================================================
its message level     2 for each step, M0 to M4: what is most dangerous decides most
evidence              2 if a decisive cue stands in it (an act, a threat, a hallmark), or a
                      person has coded it; 1 for any other reason
independent voices    log2 of the accounts that carried it, 3 at most: eight are many
the rise              2 if it was carried in an hour that was flagged
typical               0 to 1, the cosine to the narrative's mean
recent                1 at the narrative's last post, half of that for each day before
====================  ========================================================================

So one step of level outweighs being typical and recent together, and a text of M2 that eight
people carried in the flagged hour stands beside one of M4 that somebody said alone. Of texts that
say nearly the same one is shown; a more dangerous one is never hidden behind a milder one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import log2

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor.flags.flags import TELLING
from monitor.models import Flag, Narrative
from monitor.narratives.narratives import DAY, HOUR
from monitor.narratives.texts import Text

LEVEL_POINTS = 2.0
DECISIVE_POINTS, OTHER_POINTS = 2.0, 1.0
MOST_VOICES = 3.0
RISE_POINTS = 2.0
HALF_LIFE = DAY
# Cosine from which two texts say nearly the same. Far above what gathers a claim (0.60,
# claims): rewordings of one sentence lie there, other sentences on the same thing do not.
TOO_LIKE = 0.90


@dataclass(frozen=True)
class Explaining:
    """A text that is shown, and how many others that say nearly the same are not."""

    text: Text
    points: float
    like: list[Text] = field(default_factory=list)


def explaining(
    texts: Sequence[Text], narrative: Narrative, flags: Collection[Flag], limit: int
) -> list[Explaining]:
    """At most ``limit`` of the texts, those that explain most first, no two nearly the same."""
    vectors = _vectors(texts, narrative)
    typical = vectors @ _unit(narrative.centroid) if len(texts) else np.zeros(0)
    hours = {flag.hour - n * HOUR for flag in flags for n in range(flag.hours)}
    worth = [
        _points(text, float(near), hours, narrative.last_post_at)
        for text, near in zip(texts, typical, strict=True)
    ]
    order = sorted(range(len(texts)), key=lambda n: (-worth[n], n))
    shown: list[Explaining] = []
    rows: list[int] = []
    for n in order:
        cosines = vectors[rows] @ vectors[n]
        twin = int(cosines.argmax()) if rows else -1
        if (
            twin >= 0
            and cosines[twin] >= TOO_LIKE
            and texts[n].reading.level <= shown[twin].text.reading.level
        ):
            shown[twin].like.append(texts[n])
        elif len(shown) < limit:
            shown.append(Explaining(texts[n], worth[n]))
            rows.append(n)
    return shown


def _points(text: Text, typical: float, flagged: Collection[datetime], last: datetime) -> float:
    reading = text.reading
    points = LEVEL_POINTS * reading.level
    if reading.coding_id is not None or any(
        why["code"].startswith(TELLING) for why in reading.reasons
    ):
        points += DECISIVE_POINTS
    elif reading.reasons:
        points += OTHER_POINTS
    points += min(MOST_VOICES, log2(max(1, text.accounts)))
    if any(text.first_at < hour + HOUR and hour <= text.last_at for hour in flagged):
        points += RISE_POINTS
    age: timedelta = max(timedelta(0), last - text.last_at)
    return points + max(0.0, typical) + float(0.5 ** (age / HALF_LIFE))


def _vectors(texts: Sequence[Text], narrative: Narrative) -> NDArray[np.float32]:
    """A row of length one for each text; zeros where the narrative's model has not read it."""
    rows = np.zeros((len(texts), len(narrative.centroid)), np.float32)
    for n, text in enumerate(texts):
        if text.reading.embedder == narrative.embedder:
            rows[n] = _unit(text.reading.embedding)
    return rows


def _unit(vector: ArrayLike) -> NDArray[np.float32]:
    exact = np.asarray(vector, np.float32)
    length = float(np.linalg.norm(exact))
    return exact / np.float32(length) if length else exact
