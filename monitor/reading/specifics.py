"""What a text names of place, time and means: read of the few posts that alarm.

Precision before recall: where each finder draws the line its own file says. All matching is bounded
and so linear in the length of the text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.reading.means_named import named_means
from monitor.reading.places_named import named_places
from monitor.reading.times_named import REACH, WORDS_ALONE, named_times

SAME_LENGTH = str.maketrans({"\u2018": "'", "\u2019": "'", "\u00a0": " "})


@dataclass(frozen=True)
class Specific:
    """One thing named: ``start`` and ``end`` are offsets into the text given.

    ``value``: of a place the FIPS code of its county or state, empty for a building or street
    that is definite and in no place named; of a time the moment, ISO 8601 in UTC, empty where
    the words give none; of means one of MEANS.
    """

    kind: str  # "place", "time" or "means"
    start: int
    end: int
    value: str
    label: str


def specifics(text: str, posted_at: datetime | None = None) -> list[Specific]:
    """What ``text`` names, in order. Times are read from ``posted_at``, in its zone (else UTC).

    Without ``posted_at`` no time has a moment; its label still says how soon.
    """
    text = text.translate(SAME_LENGTH)
    if posted_at is not None and posted_at.tzinfo is None:
        posted_at = posted_at.replace(tzinfo=UTC)
    finders = {
        "place": named_places(text),
        "time": named_times(text, posted_at),
        "means": named_means(text),
    }
    found = [Specific(kind, *named) for kind, names in finders.items() for named in names]
    return sorted(found, key=lambda one: (one.start, one.end, one.kind))


def imminence(found: Sequence[Specific], posted_at: datetime | None) -> str:
    """The codebook's value for the soonest time in ``found`` that is to come.

    "now", "48h" or "7d"; "unspecified" when none is named, or none so soon.
    """
    if posted_at is not None and posted_at.tzinfo is None:
        posted_at = posted_at.replace(tzinfo=UTC)
    soon = set()
    for one in found:
        if one.kind == "time" and not one.value:
            soon.add(WORDS_ALONE.get(one.label, "unspecified"))
        elif one.kind == "time" and posted_at is not None:
            ahead = datetime.fromisoformat(one.value) - posted_at
            if ahead >= timedelta(0):
                soon.add(next((name for name, most in REACH.items() if ahead <= most), ""))
    return next((name for name in REACH if name in soon), "unspecified")
