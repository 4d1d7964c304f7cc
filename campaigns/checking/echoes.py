"""Checks 3 and 4: the words are the voice's own: no echo of the narrative, nor of another voice.

Many accounts that say one text look like a campaign of invented ones, whoever they are.
"""

import re
from collections.abc import Collection, Iterable, Iterator

from campaigns.checking import Check, listed
from campaigns.checking.persons import MENTION
from campaigns.wording.richtext import spans
from monitor.narratives.copies import Fingerprint, similarity

NAME = "No echo of the narrative's posts"
RUN = 5  # words in a row
TELLING_LETTERS = 4  # a run with fewer than two words of this length is nobody's phrase
TELLING_WORDS = 2
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_ADDRESS = re.compile(r"https?://\S+|(?<!\w)[#＃@]\S+")
_KINDS = {"tag": "hashtag", "link": "link", "mention": "handle"}


def no_echo(text: str, samples: Iterable[str], coded_terms: Collection[str] = ()) -> Check:
    """4: ``samples`` are texts of the narrative, ``coded_terms`` its terms from the lexicon."""
    samples = list(samples)
    marks = {mark for sample in samples for mark in _marks(sample)}
    found = [
        f"the {_KINDS[kind]} {value}"
        for kind, value in dict.fromkeys(_marks(text))
        if (kind, value) in marks
    ]
    read = text.casefold()
    terms = [term for term in coded_terms if _stands_in(term.casefold(), read)]
    found += [f"the coded term {listed([term])}" for term in terms]
    theirs = {run for sample in samples for run in _runs(sample)}
    ours = list(_runs(text))
    for place, run in enumerate(ours):
        # Of a longer shared phrase only the first five words are named.
        if run in theirs and (place == 0 or ours[place - 1] not in theirs):
            found.append(f"the words {listed([' '.join(run)])}")
    if not found:
        return Check(4, NAME, True)
    return Check(
        4,
        NAME,
        True,
        f"Posts of the narrative hold this too: {', '.join(found)}.",
        "Say it in your own words: a hashtag, a link or a phrase of theirs carries them further.",
    )


def own_words(text: str, others: Iterable[tuple[str, str]]) -> Check:
    """3: not what another voice says already. ``others``: (name of the voice, its text).

    Near-copies by ``copies``: at least SHARED_PART (half) of all pairs of neighbouring
    words in common, or all words of a text too short for that.
    """
    name = "The voice's own words"
    mine = Fingerprint(text)
    alike = [
        who
        for who, said in others
        if similarity(mine, theirs := Fingerprint(said)) or mine.words == theirs.words != []
    ]
    if not alike:
        return Check(3, name, True)
    return Check(
        3,
        name,
        True,
        f"{' and '.join(dict.fromkeys(alike))} says nearly the same.",
        "Let each voice say it in its own words: one text under many names looks arranged.",
    )


def _marks(text: str) -> Iterator[tuple[str, str]]:
    """(kind, value) of every hashtag, link and handle, however they are written."""
    for span in spans(text):
        value = span.value.casefold()
        if span.kind == "tag":
            yield span.kind, value
        elif span.kind == "link":
            address = value.partition("://")[2].removeprefix("www.")
            yield span.kind, address.split("?")[0].rstrip("/")
    for match in MENTION.finditer(text):  # on whatever platform
        yield "mention", match.group().casefold().removeprefix("@")


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    """Every run of five words that says something, in lower case."""
    words = [word.casefold().replace("’", "'") for word in _WORD.findall(_ADDRESS.sub(" ", text))]
    for start in range(len(words) - RUN + 1):
        run = tuple(words[start : start + RUN])
        if sum(len(word) >= TELLING_LETTERS for word in run) >= TELLING_WORDS:
            yield run


def _stands_in(term: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(term)}(?!\w)", text) is not None
