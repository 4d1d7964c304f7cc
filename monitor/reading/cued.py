"""What the cues see in one text: transparent frames, each with its place and its reason.

They say who is urged to do what to whom, and by the codebook's gates when that is not meant. What
no cue says is the careful reader's part; ``monitor.reading.incitement`` brings the two together.
"""

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypedDict
from unicodedata import combining, normalize

from ahocorasick_rs import AhoCorasick

from monitor.coding.codebook import URGING_FORCES, MessageFields, message_level, threat_level
from monitor.reading.cues import (
    ACT_WORDS,
    AGREES,
    ALARM_STEMS,
    BALLOT,
    BEARING_STEMS,
    BRING,
    CALMS,
    CAPABILITY,
    CLAUSE_END,
    CONDEMNS,
    CUES,
    DOUBT,
    FIGURATIVE,
    FIREARM,
    GATHERING_PLACE,
    LOADED_WORDS,
    NAMED_PLACE,
    NAMED_TARGET,
    NARRATED,
    NEGATED,
    NEGATED_TRIP,
    NOT_FIGURATIVE,
    POLICY,
    REAL_TARGET,
    REPORTS,
    SPEAKING,
    SPORTING,
    TIME_7D,
    TIME_48H,
    TIME_NOW,
    TURN,
    VERB_END,
    VOTERS_DO,
    WEAPON,
    Cue,
)
from monitor.reading.plain import Plain

NAME = "cues 3"  # and version, stored with every reading
SCORED_CHARS = 20_000  # nobody reads further; a longer post costs no more than this
SENTENCE_CHARS = 400  # a "sentence" without an end is cut here, so that work stays linear
CLAUSE_CHARS = 60  # how far before a cue its negation, or who said it, may stand
QUOTE_CHARS = 400  # the longest quotation looked for
ATTRIBUTION_CHARS = 80  # how far from a quotation its speaker may stand
MAX_REASONS = 12  # the strongest; a person reads no more

SAME_LENGTH = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " "}
)
BLANK_OR_NOT = re.compile(r"(\s+)|\S+")
SENTENCE_END = re.compile(rf"[.!?]\s|\n|[^.!?\n]{{{SENTENCE_CHARS}}}")
# In single quotes an apostrophe inside a word ("don't", "judge's") ends nothing.
QUOTATION = re.compile(
    rf"\"[^\"\n]{{2,{QUOTE_CHARS}}}\""
    rf"|(?<!\w)'(?=\w)(?!em\b)(?:[^'\n]|(?<=\w)'(?=\w)){{2,{QUOTE_CHARS}}}'(?!\w)"
)
FORCE_WORDS = {
    "wish": "as a wish",
    "predict": "as something that will happen",
    "justify": "as right or deserved",
    "praise": "with praise",
    "urge": "as a call to others",
    "organise": "with a plan to gather",
    "announce": "as something the author will do",
}
THREAT_WORDS = {
    "direct": "a direct threat",
    "indirect": "an indirect threat",
    "veiled": "a veiled threat",
    "conditional": "a threat with a condition",
}
STANCE_WORDS = {
    "reports": "Reports or quotes another's words",
    "condemns": "Speaks against violence or hatred",
    "figurative": "Sport, games or a figure of speech",
    "policy_advocacy": "Asks government to act lawfully",
}
CIRCUMSTANCES = (
    ("target", ("target",), "Names whom"),
    ("place", ("place",), "Names a place"),
    ("time", ("now", "48h", "7d"), "Names a time"),
    ("means", ("weapon",), "Names a weapon"),
    (
        "capability",
        ("capability",),
        "Speaks of a weapon at hand, of watching or of being on the way",
    ),
)
ONE_PERSON = re.compile(r"\b(?:you|your|him|her|his)\b(?!\s+(?:all|people))", re.IGNORECASE)
ALIKE = 3  # hits of one kind that are looked at; more of the same changes nothing


_ALARM = AhoCorasick(ALARM_STEMS)
_BEARING = AhoCorasick(BEARING_STEMS)
TILDE = "\u0303"  # of ñ: a letter, no accent


class Reason(TypedDict):
    """One thing that was read, in plain words, and where: offsets into the text."""

    code: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Assessment:
    """What was read in one text.

    ``reasons`` have character offsets into that text. ``confidence``: 0 to 1, calibrated, for what
    a trained part has judged: "hate", "violence", "dehumanising", "stance" and the signs of
    ``careful.SIGNS``, or "look" (the first look alone); empty where only cues have read. Raises
    ValueError for a level without a place that shows it.
    """

    fields: MessageFields
    level: int
    threat_level: str
    stance: str
    reasons: list[Reason]
    confidence: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.level and not any(reason["end"] > reason["start"] for reason in self.reasons):
            raise ValueError(f"M{self.level} without a place in the text that shows it")


@dataclass(frozen=True)
class _Hit:
    cue: Cue
    act: str
    start: int
    end: int
    act_start: int
    act_end: int


def read(text: Plain) -> Assessment:
    """Read one text: its fields and levels, and for all that scores the span that shows it.

    Spans are of the text as it was written.
    """
    collapsed, places = _collapsed(text.text[:SCORED_CHARS].translate(SAME_LENGTH))
    page = _Page(collapsed)
    kept: dict[tuple[str, str, str, str], list[_Hit]] = {}
    gated: dict[str, tuple[int, int]] = {}
    stance = "asserts"
    for hit in page.hits():
        gate = page.gate(hit)
        if gate in (None, "unclear"):
            alike = kept.setdefault((hit.act, hit.cue.force, hit.cue.threat, hit.cue.words), [])
            if len(alike) < ALIKE:
                alike.append(hit)
                stance = gate or stance
        elif gate is not None:
            gated.setdefault(gate, (hit.start, hit.end))
    if kept:
        assessed = _assess(page, [hit for alike in kept.values() for hit in alike], stance)
    else:
        stance, span = page.standing(gated)
        reasons = [_reason(f"stance:{stance}", STANCE_WORDS[stance], span)] if span else []
        assessed = Assessment(MessageFields(stance=stance), 0, "none", stance, reasons)
    for reason in assessed.reasons:
        start, end = places[reason["start"]], places[reason["end"] - 1] + 1
        reason["start"], reason["end"] = text.span(start, end)
    return assessed


def seems_alarming(text: str) -> bool:
    """Whether a word in ``text`` alarms: a look of microseconds.

    What the cues put at ALARMING_LEVEL or above always has one, unless the word is hidden; what the
    reader alone sees may have none.
    """
    read = " ".join(text[:SCORED_CHARS].translate(SAME_LENGTH).lower().split())
    return _begins(read, _ALARM)


def bears_out(text: str) -> bool:
    """Whether a word, English or Spanish, or an emoji bears out that violence is meant."""
    if seems_alarming(text):
        return True
    apart = normalize("NFD", text[:SCORED_CHARS].lower())
    read = "".join(sign for sign in apart if sign == TILDE or not combining(sign))
    return _begins(" ".join(normalize("NFC", read).split()), _BEARING)


def _begins(read: str, stems: AhoCorasick) -> bool:
    """Whether one of the stems stands in it at the start of a word, or is no word."""
    return any(
        start == 0 or not (read[start - 1].isalnum() and read[start].isalnum())
        for _, start, _ in stems.find_matches_as_indexes(read, overlapping=True)
    )


def _collapsed(text: str) -> tuple[str, list[int]]:
    """The text with each run of white space as one space or line break, and where each stood."""
    pieces: list[str] = []
    places: list[int] = []
    for match in BLANK_OR_NOT.finditer(text):
        piece = match.group()
        if match.group(1):
            pieces.append("\n" if "\n" in piece else " ")
            places.append(match.start())
        else:
            pieces.append(piece)
            places.extend(range(*match.span()))
    return "".join(pieces), places


def loaded(word: str) -> bool:
    """Whether a word is one the cues count as violent or dehumanising: never fit for a title."""
    return LOADED_WORDS.match(word.lower()) is not None


def _assess(page: "_Page", hits: list[_Hit], stance: str) -> Assessment:
    """Fields from the hits: the act, force and threat that weigh most, the highest of the rest."""
    hallmarks: dict[str, int] = {}
    for hit in hits:
        for hallmark, degree in hit.cue.hallmarks.items():
            hallmarks[hallmark] = max(degree, hallmarks.get(hallmark, 0))
    readings = []
    for hit in hits:
        specifics, imminence, spans = page.circumstances(hit)
        fields = MessageFields(
            stance=stance,
            target_kind=_target_kind(page.text[hit.start : hit.end], hit.act),
            demeaning=any(other.cue.demeaning for other in hits),
            hallmarks=hallmarks,
            act=hit.act,
            force=hit.cue.force,
            threat_type=hit.cue.threat,
            specifics=specifics,
            capability_cue=any(reason["code"] == "capability" for reason in spans),
            imminence=imminence,
        )
        readings.append((message_level(fields), fields, [*_reasons(hit), *spans]))
    # An act says more than a hallmark of the same level; then the order of the table decides.
    readings.sort(key=lambda reading: (-reading[0], reading[1].act == "none"))
    level, fields, _ = readings[0]
    reasons: dict[tuple[object, ...], Reason] = {}
    for reason in (reason for _, _, found in readings for reason in found):
        reasons.setdefault((reason["code"], reason["start"]), reason)
    return Assessment(
        fields, level, threat_level(fields), stance, list(reasons.values())[:MAX_REASONS]
    )


def _target_kind(cue: str, act: str) -> str:
    if act == "damage_property":
        return "property_place"
    return "individual" if ONE_PERSON.search(cue) else "group"


def _reason(code: str, words: str, span: tuple[int, int]) -> Reason:
    return {"code": code, "text": words, "start": span[0], "end": span[1]}


def _reasons(hit: _Hit) -> list[Reason]:
    """One reason per thing the cue says, each with its span."""
    cue, whole = hit.cue, (hit.start, hit.end)
    words = cue.words.format(ACT_WORDS.get(hit.act, "violence"))
    found = []
    if hit.act != "none":
        found.append(_reason(f"act:{hit.act}", words, (hit.act_start, hit.act_end)))
        found.append(_reason(f"force:{cue.force}", f"Says so {FORCE_WORDS[cue.force]}", whole))
    if cue.threat != "none":
        found.append(_reason(f"threat:{cue.threat}", f"Reads as {THREAT_WORDS[cue.threat]}", whole))
    codes = [*cue.hallmarks, *(["demeaning"] if cue.demeaning else [])]
    return found + [_reason(code, words, whole) for code in codes]


class _Page:
    """One text cut into sentences, with every gate and circumstance found once."""

    def __init__(self, text: str) -> None:
        self.text = text
        cuts = [0, *(match.end() for match in SENTENCE_END.finditer(text)), len(text)]
        self._starts = [start for start, end in pairwise(cuts) if end > start] or [0]
        self._quotes = [match.span() for match in QUOTATION.finditer(text)]
        self._found = {
            name: self._sentences_with(pattern)
            for name, pattern in {
                "condemns": CONDEMNS,
                "calms": CALMS,
                "agrees": AGREES,
                "reports": REPORTS,
                "figurative": FIGURATIVE,
                "literal": NOT_FIGURATIVE,
                "policy": POLICY,
                "ballot": BALLOT,
                "doubt": DOUBT,
                "place": NAMED_PLACE,
                "gathering": GATHERING_PLACE,
                "target": NAMED_TARGET,
                "weapon": WEAPON,
                "firearm": FIREARM,
                "capability": CAPABILITY,
                "now": TIME_NOW,
                "48h": TIME_48H,
                "7d": TIME_7D,
            }.items()
        }

    def hits(self) -> list[_Hit]:
        """Every cue that matches, in the order of the table."""
        found = []
        absent: dict[re.Pattern[str], bool] = {}
        for cue in CUES:
            for part in cue.parts:
                if part not in absent:
                    absent[part] = part.search(self.text) is None
            if any(absent[part] for part in cue.parts):
                continue
            for match in cue.pattern.finditer(self.text):
                groups = match.groupdict()
                named = next((name for name in groups if groups[name] is not None), None)
                act = named if named in ACT_WORDS else cue.act
                start, end = match.span()
                start += len(match.group()) - len(match.group().lstrip())
                found.append(_Hit(cue, act, start, end, *match.span(named or 0)))
        for match in BRING.finditer(self.text):
            found.extend(self._gathering(match))
        return found

    def _gathering(self, match: re.Match[str]) -> list[_Hit]:
        """A call to bring weapons: violent when a place is named too, else only arming."""
        start, end = match.span()
        near = self._near(start)
        place = self._any("gathering", near)
        timed = any(self._any(when, near) for when in ("now", "48h", "7d"))
        if not place:
            return []
        act = "unspecified_violence" if timed else "intimidate"
        words = "Calls people to gather with weapons"
        cue = Cue(BRING, words, act=act, force="organise" if timed else "urge")
        return [_Hit(cue, act, start, end, start, end)]

    def gate(self, hit: _Hit) -> str | None:
        """The stance that takes a hit out of scope, "unclear", "negated", or None."""
        here, near = [self._sentence(hit.start)], self._near(hit.start)
        # Outrage at one deed may turn into a call for another: then a person must look.
        calling = hit.cue.force in URGING_FORCES
        if self._negated(hit):
            return "negated"
        told = CLAUSE_END.split(self.text[max(0, hit.start - CLAUSE_CHARS) : hit.start])[-1]
        if NARRATED.search(told) and not self._any("agrees", near):
            return "reports"
        condemned = self._any("condemns", near) or self._any("calms", here)
        quoted = self._quoted(hit)
        if quoted and (condemned or self._any("calms", near)):
            return "condemns"
        if quoted and (self._any("reports", near) or self._attributed(hit)):
            return "reports"
        if condemned and not self._turned(hit, near):
            return "unclear" if calling and not self._any("condemns", here) else "condemns"
        if self._any("reports", here):
            return "unclear" if calling else "reports"
        if self._any("ballot", here) and VOTERS_DO.match(self.text, hit.act_start):
            return "unclear" if self._any("weapon", here) else "policy_advocacy"
        if self._any("figurative", here) and not self._any("literal", near):
            return "figurative" if self._playful(hit, here) else "unclear"
        return "unclear" if quoted or self._any("doubt", here) else None

    def _negated(self, hit: _Hit) -> bool:
        before = self.text[max(0, hit.start - CLAUSE_CHARS) : hit.act_start]
        clause = CLAUSE_END.split(before)[-1]
        return bool(NEGATED.search(VERB_END.split(clause)[-1]) or NEGATED_TRIP.search(clause))

    def _playful(self, hit: _Hit, here: list[int]) -> bool:
        """Whether a cue beside a word of sport or stage is no more than that.

        A call is not when it names a role or a group, a weapon, or a deed that no match knows.
        """
        cue = self.text[hit.start : hit.end]
        if hit.cue.force == "organise":
            return not self._any("firearm", here)
        if hit.cue.force not in URGING_FORCES and hit.cue.threat == "none":
            return True
        serious = self._any("weapon", here) or self._any("capability", here)
        return not serious and bool(SPORTING.search(cue)) and not REAL_TARGET.search(cue)

    def standing(self, gated: dict[str, tuple[int, int]]) -> tuple[str, tuple[int, int] | None]:
        """The stance of a text with no call of its own, and the span that shows it."""
        for stance in ("condemns", "reports", "policy_advocacy", "figurative"):
            if stance in gated:
                return stance, gated[stance]
        for stance, name in (("condemns", "condemns"), ("policy_advocacy", "policy")):
            for span in self._found[name].values():
                return stance, span
        return "asserts", None

    def circumstances(self, hit: _Hit) -> tuple[int, str, list[Reason]]:
        """Specifics (0-4) and imminence named around a hit, and the spans that show them.

        A hit without act or threat has none: a time beside an insult means nothing.
        """
        if hit.act == "none" and hit.cue.threat == "none":
            return 0, "none", []
        near = self._near(hit.start)
        specifics, imminence, reasons = 0, "unspecified", []
        for code, names, words in CIRCUMSTANCES:
            named = [
                (name, self._found[name][i]) for name in names for i in near if self._has(name, i)
            ]
            if named:
                specifics += code != "capability"
                imminence = named[0][0] if code == "time" else imminence
                reasons.append(_reason(code, words, named[0][1]))
        return specifics, imminence, reasons

    def _has(self, name: str, sentence: int) -> bool:
        return sentence in self._found[name]

    def _sentences_with(self, pattern: re.Pattern[str]) -> dict[int, tuple[int, int]]:
        """The first match of a pattern in each sentence."""
        found: dict[int, tuple[int, int]] = {}
        for match in pattern.finditer(self.text):
            found.setdefault(self._sentence(match.start()), match.span())
        return found

    def _sentence(self, offset: int) -> int:
        return max(0, bisect_right(self._starts, offset) - 1)

    def _near(self, offset: int) -> list[int]:
        """The sentence at an offset and its two neighbours, the sentence itself first."""
        here = self._sentence(offset)
        return [here, here - 1, here + 1]

    def _any(self, name: str, sentences: list[int]) -> bool:
        return any(index in self._found[name] for index in sentences)

    def _quoted(self, hit: _Hit) -> bool:
        return any(start < hit.act_end and hit.act_start < end for start, end in self._around(hit))

    def _around(self, hit: _Hit) -> list[tuple[int, int]]:
        index = bisect_right(self._quotes, (hit.act_start, len(self.text)))
        return self._quotes[max(0, index - 1) : index + 1]

    def _attributed(self, hit: _Hit) -> bool:
        """Whether somebody is named as speaker of the quotation around a hit."""
        return any(
            SPEAKING.search(self.text[max(0, start - ATTRIBUTION_CHARS) : start])
            or SPEAKING.search(self.text[end : end + ATTRIBUTION_CHARS])
            for start, end in self._around(hit)
        )

    def _turned(self, hit: _Hit, near: list[int]) -> bool:
        """Whether a "but" stands between a condemnation and a hit that follows it."""
        for index in near:
            span = self._found["condemns"].get(index)
            if span and span[1] <= hit.start and TURN.search(self.text[span[1] : hit.act_start]):
                return True
        return False
