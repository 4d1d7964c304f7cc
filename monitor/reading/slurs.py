"""Slurs and words for vermin, as they stand in a text however they are written.

Softening spares a reader's eyes with them; titles, and posts shown as what others say, have none. A
list misses what is not on it, and nothing is scored by it.
"""

import re
import unicodedata

from ahocorasick_rs import AhoCorasick

from monitor.reading.plain import plain
from monitor.reading.spelling import LOOKS, TWINS

_SIGN = re.compile(r"[0-9@$!|](?=[A-Za-z@$])")  # a sign set for a letter has one after it
_TWINS = TWINS | {ord("ı"): "i"}
_LETTERS = {sign: alike[0] for sign, alike in LOOKS.items()}

# Against people for what they are, of whatever side; plurals in s are found too. By hand, from what
# Wiktionary marks "ethnic slur" or "offensive, slur". Words with an everyday sense ("cracker",
# "spook") and names that people give themselves ("queer") are left out.
_SLURS = """
    beaner, camel jockey, chinaman, chinamen, ching chong, chink, coon, cunt, dago, darkie, darky,
    dindu, fag, faggot, faggy, feminazi, golliwog, gook, gypo, half-breed, heeb, hymie, injun, jap,
    jewboy, jigaboo, jungle bunny, kaffir, kike, libtard, magat, maricon, maricones, mayate,
    mongoloid, mudshark, mudslime, muzzie, muzzy, nigga, nigger, niglet, nignog, nig-nog, paki,
    pickaninny, pikey, polack, porch monkey, raghead, redskin, republitard, retard, retarded,
    sand nigger, sheboon, shemale, shitskin, shylock, slant-eye, slut, spic, spick, squaw, sudaca,
    tarbaby, towelhead, trannies, tranny, troon, wetback, whore, wigger, wog, wop, yid, zipperhead
"""


def word_list(words: str) -> AhoCorasick:
    """Finds each of the comma-separated ``words`` and its plural in s."""
    plain_forms = [" ".join(word.split()) for word in words.split(",")]
    return AhoCorasick([form for word in plain_forms for form in (word, f"{word}s")])


SLURS = word_list(_SLURS)


def found(text: str, *lists: AhoCorasick) -> list[list[tuple[int, int]]]:
    """Where words of each of ``lists`` stand in ``text``, as (start, end); they may overlap."""
    # In ASCII only signs hide a word, and those are undone here; the rest takes a page's time.
    read = None if text.isascii() else plain(text)
    low = _lowered(read.text if read else text)
    spans = [_words(one, low) for one in lists]
    return spans if read is None else [[read.span(*span) for span in some] for some in spans]


def slurs_in(text: str) -> list[tuple[int, int]]:
    """Where slurs stand in it."""
    return found(text, SLURS)[0]


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
