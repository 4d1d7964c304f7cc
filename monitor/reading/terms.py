"""The terms of the lexicon found in texts: as whole words, and where they stand.

A hit says that a term stands there, never what its author means by it.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol

from ahocorasick_rs import AhoCorasick


class _Folds(dict[int, str]):
    """By character: how it is compared, as str.translate asks for it."""

    ROOM = 20_000  # characters remembered; a text of all of Unicode shall not fill the memory

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if unicodedata.category(character) == "Cs":  # half of a pair: the automaton would stop
            folded = "\ufffd"
        else:
            form = unicodedata.normalize("NFKD", character).casefold()
            form = unicodedata.normalize("NFKD", form)
            # Accents, and what nobody sees: joiners, soft hyphens, variants of an emoji.
            folded = "".join(c for c in form if unicodedata.category(c) not in ("Mn", "Me", "Cf"))
        if len(self) < self.ROOM:
            self[code] = folded
        return folded


_FOLDS = _Folds(
    {
        **dict.fromkeys(map(ord, "‘’‚‛ʼ′´"), "'"),  # phones set these where a keyboard has '
        **dict.fromkeys(map(ord, "“”„‟″"), '"'),
        **dict.fromkeys(map(ord, "‐‑‒–—―−"), "-"),
    }
)


def fold(text: str) -> str:
    """The form in which texts and terms are compared.

    No case, no accents, no width, nothing unseen; straight quotes and dashes, single blanks.
    """
    plain = text.lower() if text.isascii() else text.translate(_FOLDS)
    return " ".join(plain.split())


class Entry(Protocol):
    """What is asked of an entry of the lexicon, wherever it is kept."""

    @property
    def term(self) -> str: ...
    @property
    def variants(self) -> Sequence[str]: ...
    @property
    def meaning(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def expires_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Hit:
    """A term that stands in a text, written as one of its variants."""

    term: str
    meaning: str
    kind: str
    start: int  # characters, into the text as it was given
    end: int


class Lexicon:
    """All terms at once, found by one Aho-Corasick automaton. Immutable.

    Give it entries that have not expired, as ``lexicon.load`` does; retired ones it leaves out by
    itself.
    """

    def __init__(self, entries: Iterable[Entry], stamp: int = 0) -> None:
        active = [entry for entry in entries if entry.state == "active"]
        self.stamp = stamp
        # From this moment on one of them counts no more.
        self.until = min((entry.expires_at for entry in active), default=None)
        owners: dict[str, tuple[str, str, str]] = {}
        for entry in active:
            for form in (entry.term, *entry.variants):
                if folded := fold(form):  # none would be found everywhere
                    owners.setdefault(folded, (entry.term, entry.meaning, entry.kind))
        self._owners = list(owners.values())
        self._automaton = AhoCorasick(list(owners)) if owners else None

    def hits(self, text: str) -> list[Hit]:
        """The terms in a text, as whole words and in its order; of two that overlap the longer."""
        if self._automaton is None:
            return []
        folded = fold(text)
        size = len(folded)
        found = [
            (start - end, start, end, number)
            for number, start, end in self._automaton.find_matches_as_indexes(
                folded, overlapping=True
            )
            if (start == 0 or not _in_word(folded[start - 1]))
            and (end == size or not _in_word(folded[end]))
        ]
        if not found:
            return []
        found.sort()  # the longest first
        origin = _Origin(text, folded)
        taken = bytearray(size)
        hits = []
        for length, start, end, number in found:
            # What was taken before is no shorter, so it cannot lie strictly within.
            if taken[start] or taken[end - 1] or (span := origin.span(start, end)) is None:
                continue
            taken[start:end] = bytes([1]) * -length
            hits.append(Hit(*self._owners[number], *span))
        return sorted(hits, key=lambda hit: hit.start)


class _Origin:
    """Where the characters of a folded text come from."""

    def __init__(self, text: str, folded: str) -> None:
        self._text = text
        # Of plain text each character became one: most posts, and nothing to look up.
        self._same = len(text) == len(folded) and text.isascii()

    @cached_property
    def _places(self) -> list[int]:
        """For each folded character, the one in the text that it came from (as in ``fold``)."""
        places: list[int] = []
        after_blank = True
        for place, character in enumerate(self._text):
            for part in _FOLDS[ord(character)]:
                blank = part.isspace()
                if not (blank and after_blank):
                    places.append(place)
                after_blank = blank
        return places

    def span(self, start: int, end: int) -> tuple[int, int] | None:
        """Offsets into the text. None when one of its characters, like …, would be cut in two."""
        if self._same:
            return start, end
        places = self._places
        first, last = places[start], places[end - 1]
        if (start and places[start - 1] == first) or (end < len(places) and places[end] == last):
            return None
        last += 1
        while last < len(self._text) and unicodedata.category(self._text[last])[0] == "M":
            last += 1  # the accent goes with its letter
        return first, last


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"
