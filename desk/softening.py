"""Slurs with their middle as dots, for a reader who asked to be spared. The post stays as it is.

What counts: slurs, the desk's lexicon entries of the kind "dehumanising" as they stand now, and
words for vermin or filth where the evidence says that people are meant. Softening spares eyes; it
is no filter, decides nothing, and a word it misses is only read as it stands.
"""

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from monitor.coding import lexicon
from monitor.reading.slurs import SLURS, found, word_list
from monitor.reading.terms import Lexicon

DOT = "•"
PARTING = "-/_"  # between the words of one term
RENEWED = timedelta(minutes=5)  # a changed lexicon softens after this; asking costs a query
DEMEANING = ("H1", "demeaning")  # codes of reasons: people called less than human, or insulted

# Of people only where the evidence says so; rats in an alley stay rats.
OF_PEOPLE = """
    animal, ape, cancer, cockroach, cockroaches, disease, dog, filth, garbage, infestation, leech,
    leeches, lice, locust, maggot, monkey, parasite, pest, pig, plague, rat, roach, roaches, savage,
    scum, snake, subhuman, swine, trash, vermin, virus, worm
"""

_OF_PEOPLE = word_list(OF_PEOPLE)


class Softener:
    """What is softened now. One for the whole desk; threads may share it."""

    def __init__(self) -> None:
        self._terms: Lexicon | None = None
        self._renew_at: datetime | None = None
        self._turn = threading.Lock()

    def renew(self, session: Session, now: datetime) -> None:
        """Read the lexicon again if that was RENEWED ago: a query then, and none between."""
        with self._turn:
            if self._renew_at is not None and now < self._renew_at:
                return
            self._renew_at = now + RENEWED
        known = lexicon.up_to_date(session, self._terms, now)
        self._terms = known

    def softened(self, text: str, reasons: Sequence[dict[str, Any]]) -> str:
        """``text`` with what counts masked, as long as it was: every offset still holds.

        ``reasons`` are those of the reading, with ``code``, ``start`` and ``end``.
        """
        spans = self._spans(text, reasons)
        masked = list(text) if spans else []
        for start, end in spans:
            told = False  # the first letter of each word stays
            for at in range(start, end):
                if text[at].isspace() or text[at] in PARTING:
                    told = False
                elif told:
                    masked[at] = DOT
                else:
                    told = text[at].isalnum()
        return "".join(masked) or text

    def _spans(self, text: str, reasons: Sequence[dict[str, Any]]) -> list[tuple[int, int]]:
        slurs, people = found(text, SLURS, _OF_PEOPLE)
        demeaned = [(why["start"], why["end"]) for why in reasons if why.get("code") in DEMEANING]
        spans = slurs + [
            (start, end)
            for start, end in people
            if any(first <= start and end <= last for first, last in demeaned)
        ]
        if self._terms is not None:
            hits = self._terms.hits(text)
            spans += [(hit.start, hit.end) for hit in hits if hit.kind == lexicon.DEHUMANISING]
        return spans
