"""Check 11: the message asks for one concrete thing that its readers can do.

A machine sees a verb that asks, not whether the act is wise: lawful and safe is what our own scorer
(8) and the reader of the message see to.
"""

import re

from campaigns.checking import Check
from campaigns.checking.words import word_list

BEFORE_CHARS = 30  # in which what introduces a verb is looked for
# An act is asked for where its verb begins a sentence or a clause, or follows one of these.
_BEFORE = re.compile(
    r"(?:[.!?\n:;,–—]|\b(?:please|and|or|then|to|can|could|por favor|y|puede|"
    r"pueden)\b)\s*$",
    re.IGNORECASE,
)
_TOGETHER = re.compile(r"\b(?:let us|let['’]s|vamos a)\s+\w+", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def asks_for_one_act(text: str) -> Check:
    """11: a verb such as ask, call, come or wait stands where somebody is asked to do it."""
    name = "One thing to do"
    acts = word_list("act")
    for match in _WORD.finditer(text):
        before = text[max(0, match.start() - BEFORE_CHARS) : match.start()]
        if match.group() in acts and (not before.strip() or _BEFORE.search(before)):
            return Check(11, name, False)
    if _TOGETHER.search(text):
        return Check(11, name, False)
    problem = "It asks nobody to do anything."
    mend = "Name one safe and lawful act: whom to call, where to come, what to wait for."
    return Check(11, name, False, problem, mend)
