"""Check 19: can it be read by all whom it is for, and heard by those who cannot see the picture?

English by the Flesch-Kincaid grade (Kincaid 1975), syllables by syllapy. Spanish by the
Szigriszt-Pazos index on the INFLESZ scale (Barrio-Cantalejo 2008), where 55 is "normal" for most
adults; its syllables follow from the spelling. No index reads other languages; those pass.
"""

import re
from collections.abc import Sequence

import syllapy  # type: ignore[import-untyped, unused-ignore]

from campaigns.checking import Check
from monitor.reading.languages import language_of

GRADE_MAX = 8.0  # checklist number 19
INFLESZ_MIN = 55.0  # "normal": from 55 to 65
WORDS_MIN = 8  # of fewer an index tells nothing
LONG_SENTENCE = 20  # words
LONG_WORD = 3  # syllables
SHOWN = 5  # long words named
ALT_MAX = 1_000  # characters: what a screen reader can be asked to say; platforms allow 1,500 up
_LETTERS = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_ASIDE = re.compile(r"https?://\S+|(?<!\w)[#＃@]\S+|\b\w+\.\w{2,}(?:/\S*)?")
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$|[\"”’)])|\n+")
_FILE_NAME = re.compile(
    r"^\S+\.(?:jpe?g|png|gif|webp|heic)$|^(?:IMG|DSC|PXL|image|photo)[_-]?\d*$", re.I
)
# A strong vowel, or a stressed weak one, is the heart of a syllable; a weak one beside it leans on
# it, and alone it is one itself. The u of que, qui, gue and gui is mute.
_MUTE_U = re.compile(r"(?<=q)u(?=[eiéí])|(?<=g)u(?=[eiéí])")
_SPANISH_HEART = re.compile(
    r"[iuüy]?[aeoáéó](?:[iuüy](?![aeoáéóíú]))?|[íú]|[iuü]+y?|y(?![aeoáéóiu])"
)


def easy_to_read(text: str) -> Check:
    """19: a grade of eight at most, or "normal" in Spanish. The text's own language decides."""
    name = "Easy to read"
    words = _LETTERS.findall(_ASIDE.sub(" ", text))
    sentences = max(1, sum(bool(_LETTERS.search(one)) for one in _SENTENCE_END.split(text)))
    language = language_of(text)
    if len(words) < WORDS_MIN or language not in ("en", "es"):
        return Check(19, name, False)
    if language == "es":
        index = inflesz(words, sentences)
        hard = index < INFLESZ_MIN
        problem = f"Hard to read: {index:.0f} on the INFLESZ scale (at least {INFLESZ_MIN:.0f})."
    else:
        grade = school_grade(words, sentences)
        hard = grade > GRADE_MAX
        problem = f"Hard to read: school grade {grade:.0f} (at most {GRADE_MAX:.0f})."
    if not hard:
        return Check(19, name, False)
    return Check(19, name, False, problem, _simpler(words, sentences, language))


def school_grade(words: Sequence[str], sentences: int) -> float:
    """Flesch-Kincaid: years of school in the US."""
    syllables = sum(_english(word) for word in words)
    return 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59


def inflesz(words: Sequence[str], sentences: int) -> float:
    """Szigriszt-Pazos: 0 very hard, 100 very easy."""
    syllables = sum(spanish_syllables(word) for word in words)
    return 206.835 - 62.3 * syllables / len(words) - len(words) / sentences


def spanish_syllables(word: str) -> int:
    """Syllables of a Spanish word, from its spelling; at least one."""
    return max(1, len(_SPANISH_HEART.findall(_MUTE_U.sub("", word.lower()))))


def alt_texts(alts: Sequence[str]) -> Check:
    """19: every picture has words for those who cannot see it. One string for each picture."""
    name = "Pictures have words"
    for number, alt in enumerate((alt.strip() for alt in alts), 1):
        which = f"Picture {number}" if len(alts) > 1 else "The picture"
        if not alt:
            problem = f"{which} has no description."
        elif _FILE_NAME.match(alt):
            problem = f"{which} is described by a file name."
        elif len(alt) > ALT_MAX:
            problem = f"The description of {which.lower()} is longer than {ALT_MAX} characters."
        else:
            continue
        mend = "Say in one or two sentences what it shows, with the words that stand in it."
        return Check(19, name, True, problem, mend)
    return Check(19, name, True)


def _english(word: str) -> int:
    return max(1, int(syllapy.count(word.replace("’", "'"))))


def _simpler(words: Sequence[str], sentences: int, language: str) -> str:
    count = spanish_syllables if language == "es" else _english
    long = [word for word in dict.fromkeys(words) if count(word) > LONG_WORD][:SHOWN]
    advice = []
    if len(words) / sentences > LONG_SENTENCE:
        advice.append(f"Its sentences have {len(words) / sentences:.0f} words: cut them in two.")
    if long:
        advice.append(f"Find shorter words for {', '.join(long)}.")
    return " ".join(advice) or "Use shorter sentences and everyday words."
