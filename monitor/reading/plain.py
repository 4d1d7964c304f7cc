"""What the incitement scorer reads: a post without the tricks that hide its words from machines.

Every step changes only what it can name: a hidden sign, another alphabet's letter inside a word, or
signs that leave one English word open. What fits nothing stays; ordinary text comes back as it was.
Here are the rules, and the way back to the original; their tables are in ``spelling``.
"""

import html
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html.entities import html5
from itertools import product
from math import log
from operator import itemgetter
from typing import NamedTuple, TypeAlias

import regex  # type: ignore[import-untyped, unused-ignore]

from monitor.reading.spelling import (
    ALIKE,
    ANY,
    AS_EMOJI,
    BETWEEN,
    EMOJI_LETTERS,
    INNER,
    INVISIBLE,
    LOOKS,
    MASKED_TOO,
    NEEDY,
    ON_BLACK,
    SHORT_WORDS,
    SIGNS,
    STYLED,
    STYLED_SIGNS,
    TWINS,
    UNKNOWN,
    deeds,
    deeds_of,
    fits,
    rank_of,
)

KNOWN_WORDS = 30_000  # beyond stand rarities that any slip of a finger spells
COMMON_WORDS = 12_000  # what a hashtag may be made of: rarer pieces cut names apart
FREQUENT_WORDS = 3_000  # a drawn-out word is such a one with a double (good), else the likelier
EVERYDAY_WORDS = 1_000  # of three letters only these are told from codes such as H1B or M1A
LONGEST_PIECE = 20  # letters; keeps the splitting linear
SHORTEST_SPLIT = 7  # letters of a hashtag without capitals; shorter ones are mostly names
MANY_SIGNS = 4  # signs or runs in one word that are tried both ways: 16 candidates at most
LONG_ACRONYM = 4  # letters: fewer are initials, codes or a list more often than a hidden word
LAYERS = 8  # tricks inside tricks that are undone; more is nobody's text, and work stays linear
STYLED_RUN = 3  # styled letters in a row that are writing; fewer are mathematics or an ordinal

# Stays as it is: an address of the web or of e-mail.
_KEPT = re.compile(r"(?<!\w)(?:https?://|www\.)\S+|(?<![\w.+-])[\w.+-]++@[\w-]+\.[\w.-]+")
_HIDDEN = regex.compile(rf"(?V1)(?<![{INVISIBLE}])(?<!{NEEDY})[{INVISIBLE}]++(?!\u20E3)(?!{NEEDY})")
_LATIN = regex.compile(r"[\p{Latin}\d]+")
_ENTITY = re.compile(
    r"&(?:amp;)*+(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});|&(?:amp;)++"
)
_WRITING = re.compile(rf"[{STYLED_SIGNS}]{{{STYLED_RUN},}}")
_MIXED = re.compile(rf"[{ALIKE}]{AS_EMOJI}?\d*+[A-Za-z]|[A-Za-z]\d*+[{ALIKE}]")
_WORD = re.compile(rf"(?:[^\W_]|[{STYLED_SIGNS}]|(?<=[{EMOJI_LETTERS}]){AS_EMOJI})+")
# The beginning of a word that no sign set between joins to what stands before.
_FRESH = rf"(?<![^\W_])(?<![&'’@#])(?<![^\W_][{BETWEEN}])"
_SINGLE = r"[A-Za-z0134$@!](?![^\W_])"
_SPACED = re.compile(rf"{_FRESH}[A-Za-z](?=([ /+{BETWEEN}]))(?:\1{_SINGLE}){{2,}}")
_SPACED_SIGN = re.compile(
    rf"[ /+{BETWEEN}](?=[A-Za-z0134$@!][ /+{BETWEEN}]{_SINGLE})(?<=[A-Za-z].)"
)
_CUT_SIGN = re.compile(rf"[{BETWEEN}](?=[A-Za-z])(?<=[A-Za-z].)")
_CUT = re.compile(
    rf"{_FRESH}(?<!/)[A-Za-z]++(?:[{BETWEEN}][A-Za-z]++){{1,3}}(?![^\W_]|[@/{BETWEEN}][^\W_])"
)
_NO_LETTER = re.compile(r"[^A-Za-z]")
_THRICE = re.compile(r"([A-Za-z])\1\1+")
_TOKEN_SIGN = re.compile(r"[0-9@$!|*•](?=[A-Za-z])|(?<=[A-Za-z])[0-9@$|*•]|([A-Za-z])\1\1")
_TOKEN = re.compile(
    rf"(?<![\w@$!|*•])(?=[A-Za-z]*+[{SIGNS}]|[A-Za-z]*?([A-Za-z])\1\1)"
    rf"[A-Za-z{SIGNS}]++(?!\w|\.\w)"
)
_NUMERAL = re.compile(r"(?:WW|[XVLCDM]*)III", re.IGNORECASE)
_HASHTAG = re.compile(r"#(?<![\w&/#]#)([A-Za-z][A-Za-z0-9_]*+)(?!\w)")
_CAMEL = re.compile(
    r"(?<=\w[a-z])(?<!\bMc)(?<!\bMac)(?=[A-Z])|(?<=[A-Z])(?=[A-Z](?!s\b)[a-z])"
    r"|(?<=[A-Za-z]{3})(?=\d)|(?<=\d)(?=[A-Z][a-z])|_+"
)
_BLANK = re.compile(r"\s(?:\s+|(?<![ \n]))")


class Change(NamedTuple):
    """What stands for the characters from ``start`` to ``end``, and where each of it stood."""

    start: int
    end: int
    text: str
    places: Sequence[int]


Match: TypeAlias = re.Match[str]
Meaning: TypeAlias = Callable[[Match], Change | None]


class Step(NamedTuple):
    """One trick: a sign of it that is cheap to look for, where it is, and what it means there."""

    sign: Callable[[str], object]
    pattern: re.Pattern[str]
    meant: Meaning
    spares: bool = True  # addresses


@dataclass(frozen=True)
class Plain:
    """What is read of a text.

    ``places`` has for each character of ``text`` the offset in the original that it stands for;
    what was taken out belongs to the character before it. ``whole`` is the original's length.
    """

    text: str
    places: list[int]
    whole: int

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where ``text[start:end]`` stands in the original, end exclusive; empty only if it is."""
        first = self.places[start] if start < len(self.places) else self.whole
        if end <= start or start >= len(self.places):
            return first, first
        after = self.places[end] if end < len(self.places) else self.whole
        return first, max(after, self.places[min(end, len(self.places)) - 1] + 1)


def plain(text: str) -> Plain:
    """The text as a person reads it; any string is taken, and ordinary text comes back as it is."""
    read, places = text, list(range(len(text)))
    for _ in range(LAYERS):
        before = read
        if not read.isascii():
            if _WRITING.search(read):
                read = read.translate(STYLED)
            for step in _FOREIGN_STEPS:
                read, places = _changed(read, places, step)
        for step in _STEPS:
            read, places = _changed(read, places, step)
        if read == before:
            break
    return Plain(read, places, len(text))


def _changed(text: str, places: list[int], step: Step) -> tuple[str, list[int]]:
    """The text and places after one step."""
    if not step.sign(text):
        return text, places
    pieces: list[str] = []
    moved: list[int] = []
    kept: deque[tuple[int, int]] | None = None
    done = 0
    for match in step.pattern.finditer(text):
        change = step.meant(match)
        if change is None:
            continue
        if kept is None:
            kept = deque(found.span() for found in _KEPT.finditer(text) if step.spares)
        while kept and kept[0][1] <= change.start:
            kept.popleft()
        if kept and kept[0][0] < change.end:
            continue
        pieces += (text[done : change.start], change.text)
        moved += places[done : change.start]
        moved += [places[at] for at in change.places]
        done = change.end
    if not pieces:
        return text, places
    return "".join([*pieces, text[done:]]), moved + places[done:]


def _hidden(match: Match) -> Change:
    """Signs that nobody sees, and strokes through letters, as nothing."""
    return Change(*match.span(), "", ())


def _entity(match: Match) -> Change | None:
    """An HTML entity, escaped once or more often, as its sign; one that HTML lacks stays."""
    start, name = match.start(), match[1]
    if name and (name[0] == "#" or f"{name};" in html5):
        sign = html.unescape(f"&{name};")
        return Change(start, match.end(), sign, [start] * len(sign))
    end = match.start(1) if name else match.end()
    return Change(start, end, "&", [start]) if end > start + 1 else None


def _letters(match: Match) -> Change | None:
    """A word that mixes alphabets, with the look-alikes as the Latin letters they are drawn like.

    All of them must be look-alikes, and the word English or mostly Latin: Greek letters are
    common in science (TGFβ), and Russian words end in Latin ones by a slip of the keyboard.
    """
    if match[0].isascii():
        return None
    at = [match.start() + place for place, sign in enumerate(match[0]) if sign != AS_EMOJI]
    word = match[0].replace(AS_EMOJI, "")
    meant = word.translate(STYLED).translate(TWINS)
    pairs = list(zip(word, meant, strict=True))
    if not word.isupper():  # letters on black are capitals only by their make
        meant = "".join(now.lower() if sign >= ON_BLACK else now for sign, now in pairs)
    foreign = [sign for sign, now in pairs if sign != now]
    latin = sum(sign.isascii() and sign.isalpha() for sign in word)
    if not (latin and foreign and len(word) >= STYLED_RUN and _LATIN.fullmatch(meant)):
        return None
    greek = any("\u0370" <= sign <= "\u03ff" for sign in foreign)
    if rank_of(meant) == UNKNOWN and (greek or latin < len(foreign)):
        return None
    return Change(*match.span(), meant, at)


def _spaced(match: Match) -> Change | None:
    """Letters with a sign between each two, as words; initials and lists stay."""
    letters, sign = match[0][::2], match[1]
    at = range(match.start(), match.end(), 2)
    dotted = sign == "." and letters.isupper()
    long = len(letters) >= LONG_ACRONYM
    if (word := _deed(letters)) and (long or not dotted):
        return Change(*match.span(), word, at)
    if not long or not letters.isalpha() or (sign == "." and not letters.islower()):
        return None
    pieces = _pieces(letters) if sign == " " else [letters] * _common(letters)
    if not pieces or max(map(len, pieces)) < LONG_ACRONYM:
        return None
    return _joined(match, pieces, at)


def _cut(match: Match) -> Change | None:
    """A violent word with signs set into it, unless it is made of words (be-head stays)."""
    at = [match.start() + place for place, sign in enumerate(match[0]) if sign.isalpha()]
    pieces = _NO_LETTER.split(match[0])
    word = "".join(pieces)
    if word.lower() not in deeds() or all(map(_common, pieces)):
        return None
    if any(piece[0].isupper() for piece in pieces[1:]) and not word.isupper():
        return None  # the end of a sentence without a space
    return Change(*match.span(), word, at)


def _token(match: Match) -> Change | None:
    """A word with signs for letters, with letters masked or drawn out, where one word fits."""
    core = match[0].rstrip("!|*•@").lstrip("!|*•")
    start = match.start() + match[0].index(core)
    found: tuple[str, Sequence[int]] | None
    if core.startswith("@"):  # a mention, unless only a violent word can be meant: "@ttack"
        word = _deed(core) if core[1:].isalpha() and rank_of(core[1:]) == UNKNOWN else None
        found = (word, range(len(core))) if word else None
    elif _THRICE.search(core.lower()):
        found = _undrawn(core)
    else:
        word = _unsigned(core)
        found = (word, range(len(core))) if word else None
    if found is None:
        return None
    return Change(start, start + len(core), found[0], [start + at for at in found[1]])


def _unsigned(core: str) -> str | None:
    """The one word that ``core`` with its signs can be: a violent one, else a common one."""
    low = core.lower()
    signs = {sign for sign in low if not sign.isalpha()}
    letters = sum(map(str.isalpha, low))
    many = len(low) - letters
    if not signs or letters < max(2, many) or len(low) > LONGEST_PIECE:
        return None
    if signs & set(ANY) and any(fits(low, word) for word in MASKED_TOO.split()):
        return None
    if rank_of(low.rstrip("0123456789")) != UNKNOWN:
        return None  # a word with a number, as in "win10" or a footnote
    if word := _deed(core):
        return word
    if not (low[0].isalpha() and low[-1].isalpha() and signs <= INNER):
        return None
    if letters == many or many > MANY_SIGNS or (core.isupper() and len(core) <= LONG_ACRONYM):
        return None  # a code, or a name as A$AP
    ways = product(*(LOOKS.get(sign, sign) if sign != "!" else "i" for sign in low))
    rank, word = min((rank_of(word), word) for word in map("".join, ways))
    everyday = rank < EVERYDAY_WORDS and core.islower()
    if rank > KNOWN_WORDS or (len(word) < LONG_ACRONYM and not everyday):
        return None
    return _cased(word, core)


def _undrawn(core: str) -> tuple[str, Sequence[int]] | None:
    """A word with letters drawn out ("killlll") as the likeliest word, and what of it is kept."""
    low = core.lower()
    runs = [match.span() for match in _THRICE.finditer(low)]
    if len(set(low)) == 1 or len(runs) > MANY_SIGNS or _NUMERAL.fullmatch(core):
        return None
    found: list[tuple[int, str, list[int]]] = []
    for lengths in product((2, 1), repeat=len(runs)):
        ends = [start + kept for (start, _), kept in zip(runs, lengths, strict=True)]
        gone = {at for end, (_, last) in zip(ends, runs, strict=True) for at in range(end, last)}
        at = [place for place in range(len(core)) if place not in gone]
        word = "".join(core[place] for place in at)
        if word.lower() in deeds():
            return word, at
        if not word.isalpha():
            if unsigned := _unsigned(word):
                return unsigned, at
        elif len(word) > 2 or word.lower() in SHORT_WORDS:
            found.append((max(rank_of(word), FREQUENT_WORDS), word, at))
    if not found or (core.isupper() and all(end - start == 3 for start, end in runs)):
        return None  # the latter: IEEE, CCCP
    rank, word, at = min(found, key=itemgetter(0))  # of equals the first, with the most doubles
    return (word, at) if rank < KNOWN_WORDS else None


def _hashtag(match: Match) -> Change | None:
    """A hashtag of several words as these words; one that is a single word, or a name, stays."""
    tag, first = match[1], match.start(1)
    if min(rank_of(tag), rank_of(tag.lower().removesuffix("s"))) != UNKNOWN:
        return None
    cuts = [found.span() for found in _CAMEL.finditer(tag)]
    if cuts:
        starts, ends = [0, *(end for _, end in cuts)], [*(start for start, _ in cuts), len(tag)]
        spans = [span for span in zip(starts, ends, strict=True) if span[0] < span[1]]
        pieces = [tag[start:end] for start, end in spans]
        at = [first + place for span in spans for place in range(*span)]
        words = [piece for piece in pieces if piece.isalpha()]
        if 2 * sum(rank_of(word) != UNKNOWN for word in words) < max(1, len(words)):
            return None  # AfD, UTcoach, a person's name
    else:
        alike = tag.isalpha() and (tag[1:].islower() or tag.isupper())
        pieces = _pieces(tag) if alike and len(tag) >= SHORTEST_SPLIT else []
        at = list(range(*match.span(1)))
        if len(tag) < 3 * len(pieces):
            return None
    return _joined(match, pieces, at) if len(pieces) > 1 else None


def _joined(match: Match, pieces: Sequence[str], at: Sequence[int]) -> Change:
    """The pieces with a space between; a space stands where the letter after it does."""
    places: list[int] = []
    done = 0
    for piece in pieces:
        places += [*([at[done]] if done else []), *at[done : done + len(piece)]]
        done += len(piece)
    return Change(*match.span(), " ".join(pieces), places)


def _blank(match: Match) -> Change | None:
    """White space as one space, or as one line break if it has any."""
    return Change(*match.span(), "\n" if "\n" in match[0] else " ", [match.start()])


def _pieces(letters: str) -> list[str]:
    """``letters`` cut into common words so that the most frequent are used; none if it cannot."""
    low = letters.lower()
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(low) + 1):
        ways = [(UNKNOWN * 1.0 * len(low), end - 1)]
        for start in range(max(0, end - LONGEST_PIECE), end):
            word = low[start:end]
            if word in ("a", "i") or _common(word):
                ways.append((best[start][0] + log(2 + rank_of(word)) + 1, start))
        best.append(min(ways))
    if best[-1][0] >= UNKNOWN:
        return []
    pieces, end = [], len(low)
    while end:
        start = best[end][1]
        pieces.append(letters[start:end])
        end = start
    return pieces[::-1]


def _deed(core: str) -> str | None:
    """The one violent word, or word for people, that ``core`` with its signs can be."""
    low = core.lower()
    if low in deeds():
        return core
    if low.isalpha():
        return None
    found = [word for word in deeds_of(len(low)) if fits(low, word)]
    return _cased(found[0], core) if len(found) == 1 else None


def _cased(word: str, core: str) -> str:
    """``word`` with the letters of ``core`` as they are, and capitals among capitals."""
    upper = core.isupper() and sum(map(str.isalpha, core)) > 1
    return "".join(
        sign if sign.isalpha() else letter.upper() if upper else letter
        for letter, sign in zip(word, core, strict=True)
    )


def _common(word: str) -> bool:
    """Whether a word is one that others may be made of."""
    low = word.lower()
    if len(low) < 3:
        return low in SHORT_WORDS
    limit = COMMON_WORDS if len(low) > 3 else FREQUENT_WORDS
    return low in deeds() or rank_of(low) < limit


# ASCII text has none of what these look for.
_FOREIGN_STEPS = (
    Step(re.compile(f"[{INVISIBLE}]").search, _HIDDEN, _hidden, spares=False),
    Step(_MIXED.search, _WORD, _letters),
)
_STEPS = (
    Step(_ENTITY.search, _ENTITY, _entity, spares=False),
    Step(_SPACED_SIGN.search, _SPACED, _spaced),
    Step(_CUT_SIGN.search, _CUT, _cut),
    Step(_TOKEN_SIGN.search, _TOKEN, _token),
    Step(_HASHTAG.search, _HASHTAG, _hashtag),
    Step(_BLANK.search, _BLANK, _blank),
)
