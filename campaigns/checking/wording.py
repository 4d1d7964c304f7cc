"""Checks 9, 10, 12, 15 and 16: how things are said, and of whom."""

import re

from campaigns.checking import Check, listed
from campaigns.checking.words import word_list
from monitor.reading.targets import groups_named

# Kinds of groups that people are born into, believe in or side with; not what they do for a living.
PRIMING = frozenset(
    ("religion", "race_ethnicity", "nationality_immigration", "political_affiliation")
)
INSTITUTIONS = frozenset(  # a house or an office of faith, named, sets nobody apart
    (
        *("church", "mosque", "synagogue", "temple", "gurdwara", "imam", "rabbi", "pastor"),
        *("priest", "iglesia", "mezquita", "sinagoga"),
    )
)
BOTH_SIDES = ({"republican", "democrat"}, {"liberal", "conservative"})
PLURAL = re.compile(r"e?s\b")
SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")


def calm_words(text: str) -> Check:
    """9: no war words, nothing that makes violence sound settled. "Fight hunger" may stay."""
    words = word_list("war").found(text)
    doom = word_list("doom").found(text)
    problems = []
    if words:
        problems.append(f"War words: {listed(words)}.")
    if doom:
        problems.append(f"Words that make it sound settled: {listed(doom)}.")
    mend = "Say what is being done, not what is feared." if problems else ""
    return Check(9, "Calm words", False, " ".join(problems), mend)


def positive_norm(text: str) -> Check:
    """10: no sentence says that many people do the very thing we want nobody to do."""
    found = [
        sentence.strip()
        for sentence in SENTENCE.findall(text)
        if sentence in word_list("crowd")
        and sentence in word_list("bad_act")
        and sentence not in word_list("turned_down")
    ]
    if not found:
        return Check(10, "Positive norm", False)
    return Check(
        10,
        "Positive norm",
        False,
        f"It says that many people do it: {listed(found)}. That makes it look normal.",
        "Say how many people turn it down, or how many help, and where you know it from.",
    )


def acts_not_persons(text: str) -> Check:
    """12: what people did may be condemned; people are neither labelled, shamed nor mocked."""
    labels, mockery = word_list("labels").found(text), word_list("sarcasm").found(text)
    if text.rstrip().endswith(" /s"):
        mockery.append("/s")
    problems, mends = [], []
    if labels:
        problems.append(f"Labels or shaming: {listed(labels)}.")
        mends.append("Name what was done, not what somebody is.")
    if mockery:
        problems.append(f"This may read as mockery: {listed(mockery)}.")
        mends.append("Say it plainly, or as an honest question.")
    return Check(12, "Acts, not persons", False, " ".join(problems), " ".join(mends))


def non_partisan(text: str) -> Check:
    """15: nothing for or against a candidate, party or ballot question. How to vote may stay."""
    words = word_list("advocacy").found(text)
    if not words:
        return Check(15, "Non-partisan", True)
    return Check(
        15,
        "Non-partisan",
        True,
        f"This reads as taking sides in an election: {listed(words)}.",
        "Leave it out. Ask yourself whether you would send the same words with the sides swapped.",
    )


def identity_labels(text: str) -> Check:
    """16: names of groups only where needed. Both parties named together prime neither side."""
    named = [
        text[one.start : one.end].lower() + (PLURAL.match(text, one.end) or [""])[0]
        for one in groups_named(text)
        if one.kind in PRIMING and text[one.start : one.end].lower() not in INSTITUTIONS
    ]
    labels = list(dict.fromkeys([*named, *word_list("party").found(text)]))
    for pair in BOTH_SIDES:
        sides = {label for label in labels if label.rstrip("s") in pair}
        if {side.rstrip("s") for side in sides} == pair:
            labels = [label for label in labels if label not in sides]
    if not labels:
        return Check(16, "Identity labels", False)
    return Check(
        16,
        "Identity labels",
        False,
        f"It names groups: {listed(labels)}. Being reminded of one's side can harden people.",
        "Say “neighbors” or name the town, unless the message makes no sense without the label.",
    )
