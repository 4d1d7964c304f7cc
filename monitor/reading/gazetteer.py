"""The phrases that name places, drawn up once: ``python -m monitor.reading.gazetteer`` writes them.

They follow from the list of places (sources.places) alone, but drawing them up takes seconds that
each process would spend again; reading the file takes half of one.
"""

import re
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import msgspec
import zstandard

from sources.places import Place, every_place, phrases_of

SHIPPED = Path(__file__).with_name("gazetteer.json.zst")
LEVEL = 19  # of compression: made once, read at every start
WORD = re.compile(r"\w+(?:['’]s\b)?")  # of texts and of phrases


class Gazetteer(NamedTuple):
    """Phrases that name a place, in small letters."""

    sure: dict[str, Place]  # these by themselves
    beside: dict[str, list[Place]]  # these with their state beside them
    longest: dict[str, int]  # by first word: how many words the longest such phrase has


class _File(msgspec.Struct, array_like=True):
    places: list[tuple[str, str, str, str, str]]  # as the fields of Place
    sure: dict[str, int]  # phrase → which of them
    beside: dict[str, list[int]]
    longest: dict[str, int]


@cache
def gazetteer() -> Gazetteer:
    """As it ships."""
    packed = zstandard.decompress(SHIPPED.read_bytes())
    read = msgspec.json.decode(packed, type=_File)
    places = [Place(*one) for one in read.places]  # type: ignore[arg-type]
    return Gazetteer(
        {phrase: places[number] for phrase, number in read.sure.items()},
        {phrase: [places[n] for n in numbers] for phrase, numbers in read.beside.items()},
        read.longest,
    )


def drawn_up() -> Gazetteer:
    """The same from the list of places."""
    sure: dict[str, Place] = {}
    beside: dict[str, list[Place]] = {}
    longer: set[str] = set()
    for place in every_place():
        phrases = phrases_of(place)
        for phrase in phrases.sure:
            # A state before its city of the same name: less may be said, nothing wrong is.
            sure.setdefault(phrase, place)
        for phrase in phrases.with_state:
            beside.setdefault(phrase, []).append(place)
        longer |= phrases.not_within
    for phrase in longer:
        beside.setdefault(phrase, [])
    counts: dict[str, int] = {}
    for phrase in chain(sure, beside):
        first, *more = WORD.findall(phrase)
        counts[first] = max(counts.get(first, 1), 1 + len(more))
    return Gazetteer(sure, beside, counts)


def packed(drawn: Gazetteer) -> bytes:
    """As the file holds it."""
    numbers: dict[Place, int] = {}
    sure, beside = dict(sorted(drawn.sure.items())), dict(sorted(drawn.beside.items()))
    file = _File(
        places=[],
        sure={phrase: numbers.setdefault(one, len(numbers)) for phrase, one in sure.items()},
        beside={
            phrase: [numbers.setdefault(one, len(numbers)) for one in places]
            for phrase, places in beside.items()
        },
        longest=dict(sorted(drawn.longest.items())),
    )
    file.places = [(one.code, one.name, one.kind, one.fips, one.state) for one in numbers]
    return zstandard.compress(msgspec.json.encode(file), LEVEL)


def main() -> None:
    """Write the file anew, after a change of the list of places or of how they are written."""
    SHIPPED.write_bytes(packed(drawn_up()))


if __name__ == "__main__":
    main()
