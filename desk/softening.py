"""Slurs with their middle as dots, for a reader who asked to be spared. The post stays as it is.

What counts: slurs, the desk's lexicon entries of the kind "dehumanising" as they stand now, and
words for vermin or filth where the evidence says that people are meant. Softening spares eyes; it
is no filter, decides nothing, and a word it misses is only read as it stands.
"""

import re
import threading
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from ahocorasick_rs import AhoCorasick
from sqlalchemy.orm import Session

from monitor.coding import lexicon
from monitor.reading.plain import plain
from monitor.reading.spelling import LOOKS, TWINS
from monitor.reading.terms import Lexicon

DOT = "•"
PARTING = "-/_"  # between the words of one term
KIND = "dehumanising"  # of lexicon entries
RENEWED = timedelta(minutes=5)  # a changed lexicon softens after this; asking costs a query
DEMEANING = ("H1", "demeaning")  # codes of reasons: people called less than human, or insulted

# Against people for what they are, of whatever side; plurals in s are found too. By hand, from what
# Wiktionary marks "ethnic slur" or "offensive, slur". Words with an everyday sense ("cracker",
# "spook") and names that people give themselves ("queer") are left out.
SLURS = """
    beaner, camel jockey, chinaman, chinamen, ching chong, chink, coon, cunt, dago, darkie, darky,
    dindu, fag, faggot, faggy, feminazi, golliwog, gook, gypo, half-breed, heeb, hymie, injun, jap,
    jewboy, jigaboo, jungle bunny, kaffir, kike, libtard, magat, maricon, maricones, mayate,
    mongoloid, mudshark, mudslime, muzzie, muzzy, nigga, nigger, niglet, nignog, nig-nog, paki,
    pickaninny, pikey, polack, porch monkey, raghead, redskin, republitard, retard, retarded,
    sand nigger, sheboon, shemale, shitskin, shylock, slant-eye, slut, spic, spick, squaw, sudaca,
    tarbaby, towelhead, trannies, tranny, troon, wetback, whore, wigger, wog, wop, yid, zipperhead
"""
# Of people only where the evidence says so; rats in an alley stay rats.
OF_PEOPLE = """
    animal, ape, cancer, cockroach, cockroaches, disease, dog, filth, garbage, infestation, leech,
    leeches, lice, locust, maggot, monkey, parasite, pest, pig, plague, rat, roach, roaches, savage,
    scum, snake, subhuman, swine, trash, vermin, virus, worm
"""

_SIGN = re.compile(r"[0-9@$!|](?=[A-Za-z@$])")  # a sign set for a letter has one after it
_TWINS = TWINS | {ord("ı"): "i"}
_LETTERS = {sign: alike[0] for sign, alike in LOOKS.items()}


def _automaton(words: str) -> AhoCorasick:
    """Finds each of the comma-separated ``words`` and its plural in s."""
    plain_forms = [" ".join(word.split()) for word in words.split(",")]
    return AhoCorasick([form for word in plain_forms for form in (word, f"{word}s")])


_SLURS = _automaton(SLURS)
_OF_PEOPLE = _automaton(OF_PEOPLE)


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
        # In ASCII only signs hide a word, and those are undone here; the rest takes a page's time.
        read = None if text.isascii() else plain(text)
        low = _lowered(read.text if read else text)
        found, people = _words(_SLURS, low), _words(_OF_PEOPLE, low)
        if read:
            found, people = [read.span(*one) for one in found], [read.span(*one) for one in people]
        demeaned = [(why["start"], why["end"]) for why in reasons if why.get("code") in DEMEANING]
        spans = found + [
            (start, end)
            for start, end in people
            if any(first <= start and end <= last for first, last in demeaned)
        ]
        if self._terms is not None:
            hits = self._terms.hits(text)
            spans += [(hit.start, hit.end) for hit in hits if hit.kind == KIND]
        return spans


def _lowered(text: str) -> str:
    """Small plain letters, sign for sign as long as ``text``."""
    low = text.lower() if text.isascii() else "".join(map(_base, text.translate(_TWINS)))
    return _SIGN.sub(lambda sign: _LETTERS[sign[0]], low)


def _base(character: str) -> str:
    """The letter under its accents, small; one character always, and one that can be searched."""
    if unicodedata.category(character) == "Cs":  # half of a pair: the automaton would stop
        return "\ufffd"
    first = unicodedata.normalize("NFKD", character)[0].lower()
    return first if len(first) == 1 else character


def _words(automaton: AhoCorasick, low: str) -> list[tuple[int, int]]:
    """Where these stand in ``low`` as whole words; they may overlap."""
    return [
        (start, end)
        for _, start, end in automaton.find_matches_as_indexes(low, overlapping=True)
        if not (start and low[start - 1].isalnum()) and not (end < len(low) and low[end].isalnum())
    ]
