"""How words are spelled to hide them: signs that stand for letters, and the words there are.

Tables and their look-up; by what rules a post is made plain with them says ``plain``.
"""

import unicodedata
from functools import cache
from importlib.util import find_spec
from pathlib import Path

WORD_PACKAGE = "symspellpy"  # PyPI, MIT; its word list is Google Books counts of SCOWL's words
WORD_LIST = "frequency_dictionary_en_82_765.txt"  # one word a line, the most frequent first

# Letters and signs

# A sign set for a letter, and the letters it is drawn like.
LOOKS = {"0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "6": "g", "7": "t", "8": "b"} | {
    "9": "g", "@": "a", "$": "s", "!": "il", "|": "il"
}  # fmt: skip
INNER = set("01345@$!|7")  # what stands for one letter only, enough to find any common word
ANY = "*•"  # masks any letter
SIGNS = "0-9@$!|*•"  # both kinds, as in a character class
# Letters of other alphabets that are drawn like a Latin one. By hand: Unicode's own table lacks к,
# т, м (no look-alike of the same height) and takes the capital І for a small l.
_DRAWN_ALIKE = (
    "аеорсхуіјѕһԁԛԝӏкмтнвгпАВЕЅІЈКМНОРСТУХԌԚԜαοερτικνυηωχγβσμςΑΒΕΖΗΙΚΜΝΟΡΤΥΧօոսհցոքг",
    "aeopcxyijshdqwlkmthbrnABESIJKMHOPCTYXGQWaoeptikvunwxybomsABEZHIKMNOPTYXonuhgnpr",
)
TWINS = str.maketrans(*_DRAWN_ALIKE)
_STYLED_RANGES = (
    *((0x1D400, 0x1D800), (0xFF21, 0xFF5B), (0xFF10, 0xFF1A), (0x210A, 0x2139), (0x24B6, 0x24EA)),
    *((0x1F130, 0x1F14A), (0x1D2C, 0x1D6B), (0x02B0, 0x02B9), (0x02E1, 0x02E4), (0x2071, 0x2072)),
    (0x207F, 0x2080),
)
_SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True))


def _styled() -> dict[str, str]:
    """Each styled letter or digit (mathematical, full width, circled, raised) as a plain one."""
    found = dict(_SMALL_CAPITALS)
    for first, end in _STYLED_RANGES:
        for sign in map(chr, range(first, end)):
            meant = unicodedata.normalize("NFKC", sign)
            if len(meant) == 1 and meant.isascii() and meant.isalnum():
                found[sign] = meant
    for block in (0x1F150, 0x1F170):  # white letters on black, which NFKC leaves
        found |= {chr(block + i): chr(ord("A") + i) for i in range(26)}
    return found


_STYLED = _styled()
STYLED = str.maketrans(_STYLED)
STYLED_SIGNS = "".join(_STYLED)
ALIKE = _DRAWN_ALIKE[0] + STYLED_SIGNS  # all that stand for a Latin letter or a digit
ON_BLACK = "\U0001f130"  # letters on black, from here on
EMOJI_LETTERS = "🅰🅱🅾🅿"
AS_EMOJI = "\ufe0f"  # follows them when they are set as emoji
# Signs that nobody sees, and strokes through letters.
INVISIBLE = (
    r"\u00AD\u034F\u061C\u115F\u1160\u180B-\u180F\u200B-\u200F\u202A-\u202E\u2060-\u206F\u3164"
    r"\uFEFF\uFFA0\uFE00-\uFE0F\U000E0000-\U000E01EF\u0332\u0333\u0335-\u0338\u20D2\u20D3\u20E5"
)
# Emoji, Arabic and Indic writing need the joiners among them, keycaps the selector.
NEEDY = (
    r"[\p{Extended_Pictographic}\p{EMod}\p{RI}\u20E3"
    r"[[\p{L}\p{M}]--[\p{Latin}\p{Cyrillic}\p{Greek}\p{Inherited}]]]"
)
BETWEEN = r".\-_*~|^·•"  # signs set between the letters of a word, or once inside it


def fits(low: str, word: str) -> bool:
    """Whether ``low`` can be this word, each sign in it a letter."""
    return len(low) == len(word) and all(
        sign == letter or sign in ANY or letter in LOOKS.get(sign, "")
        for sign, letter in zip(low, word, strict=True)
    )


# Words

UNKNOWN = 10**6  # a rank no word has
# What is hidden most, a stem and its endings: only this is found behind asterisks and full stops.
_DEEDS = """
kill||s|ed|ing|er|ers shoot||s|ing|er|ers|ings murder||s|ed|ing|er|ers
bomb||s|ed|ing|er|ers|ings attack||s|ed|ing|er|ers assault||s|ed|ing assassin||s|ate|ated|ation
behead||s|ed|ing slaughter||ed|ing massacre||s|d lynch||ed|ing|es execut|e|ed|ing|ion
exterminat|e|ed|ing|ion eradicat|e|ed annihilat|e|ed hang||s|ed|ing hung burn||s|ed|ing|t
stab||s|bed|bing rape||s|d rapi|ng|st|sts tortur|e|ed|ing strangl|e|ed|ing throat||s
punch||ed|es|ing die||s|d dead death||s deadly blood||y|shed weapon||s gun||s|ned rifle||s
bullet||s ammo knif|e|ed knives explo|de|ded|sion|sive|sives torch||ed|ing destroy||s|ed|ing
terror||ist|ists|ism riot||s|ing|ers violen|ce|t genocide purge||d hunt||ed|ing hurt
beat||en|ing smash||ed|ing poison||ed drown||ed chok|e|ed crush||ed grenade||s molotov||s
arson||ist gallows noose||s guillotine suicide threat||s|en traitor||s treason revolution vermin
cockroach|es|| invad|e|ed|er|ers hate||s|d nazi||s war police cop||s jew||s|ish muslim||s
immigrant||s migrant||s president trump biden white||s black||s women democrat||s republican||s
christian||s people
"""
# Masked as often, or lawful words that a mask may mean: a mask that also fits one of these stays.
MASKED_TOO = """ass butt boob boobs shit shits spit damn dick dicks cock cunt fuck fucks fucked
fucking bitch pussy piss slut sluts whore whores gay gays hell crap sex tits jerk turd hoes"""
# The words of two letters that a longer run may be cut into; the list knows too many ("la", "re").
_TWO_LETTERS = "of to in is on by it or be at as an we us if my do no he up so am me go oh ah hi"
SHORT_WORDS = frozenset(_TWO_LETTERS.split())


@cache
def _ranks() -> dict[str, int]:
    """English words and their place by frequency, from 1; read once, when first needed."""
    package = find_spec(WORD_PACKAGE)
    if package is None or package.origin is None:
        raise RuntimeError(f"the package {WORD_PACKAGE} is not installed")
    lines = (Path(package.origin).parent / WORD_LIST).read_text(encoding="utf-8-sig").splitlines()
    return {line.partition(" ")[0]: rank for rank, line in enumerate(lines, 1)}


def rank_of(word: str) -> int:
    """Its place among English words, the most frequent first; UNKNOWN for what is none."""
    return _ranks().get(word.lower(), UNKNOWN)


@cache
def deeds() -> frozenset[str]:
    """The words of violence, and for people, that are hidden most."""
    stems = (entry.split("|") for entry in _DEEDS.split())
    return frozenset(stem + ending for stem, *endings in stems for ending in endings or [""])


@cache
def deeds_of(length: int) -> tuple[str, ...]:
    return tuple(sorted(word for word in deeds() if len(word) == length))
