"""Checks 5 and 6: a correction says the fact, warns, tells the myth once, and explains it.

The form is the Debunking Handbook's (2020). A machine sees words, not truth: it finds the sentence
that tells the story by its phrases ("some say", "a false rumor claims"), and where it stands.
"""

import re

from campaigns.checking import Check
from campaigns.checking.words import word_list

NAME = "Form of a correction"
SENTENCES_MIN = 3  # fact, myth and why it is wrong, fact
QUOTED_WORDS = 4  # of the myth between quotation marks: that repeats it, word for word
_SENTENCE = re.compile(r"\S.*?(?:[.!?…]+[\"”’)]*(?=\s|$)|$)", re.MULTILINE)
_QUOTED = re.compile(r"[\"“«]([^\"”»]+)[\"”»]")


def is_correction(text: str) -> bool:
    """Whether the words speak of a false story: then they owe the form of a correction."""
    return text in word_list("warns")


def alternative(text: str) -> Check:
    """6: a correction says how the story came about; without that a hole stays in its place."""
    name = "Another explanation"
    if not is_correction(text):
        return Check(6, name, False, note="Nothing is corrected.")
    if text in word_list("explains"):
        return Check(6, name, False)
    problem = "It takes a story away and puts no explanation in its place."
    mend = "Say in one sentence, no longer than the story, what happened instead or how it arose."
    return Check(6, name, False, problem, mend)


def correction_form(text: str) -> Check:
    """5: every fault of the form at once, so that one rewriting mends them all."""
    sentences = _SENTENCE.findall(text)
    warned = [place for place, one in enumerate(sentences) if one in word_list("warns")]
    told = [place for place, one in enumerate(sentences) if one in word_list("tells")]
    myth = sorted({*warned, *told})
    faults = []
    if len(sentences) < SENTENCES_MIN:
        faults.append(("It is too short for a correction.", "Use at least three sentences."))
    if not myth:
        faults.append(
            ("It does not say what it corrects.", "Name the rumour once, in your own words.")
        )
    else:
        if myth[0] == 0:
            faults.append(("It begins with the rumour.", "Begin with what is true."))
        if myth[-1] == len(sentences) - 1:
            faults.append(("It ends with the rumour.", "Say what is true once more at the end."))
        if not warned or (told and min(warned) > min(told)):
            faults.append(
                (
                    "Nothing warns before the rumour is told.",
                    "Say first that a false story is going around.",
                )
            )
        if len(told) > 1 or len(myth) > 2:
            faults.append(("It tells the rumour more than once.", "Tell it once, and briefly."))
        if not any(one in word_list("explains") for one in sentences[myth[0] :]):
            faults.append(
                ("It does not say why the rumour is wrong.", "Add how it came about or what is so.")
            )
    if any(len(quoted.split()) >= QUOTED_WORDS for quoted in _QUOTED.findall(text)):
        faults.append(("It quotes at length.", "Put the rumour into your own, duller words."))
    problem, mend = (" ".join(words) for words in zip(*faults, strict=True)) if faults else ("", "")
    return Check(5, NAME, False, problem, mend)
