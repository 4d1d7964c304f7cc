"""The crux of scoring: how dangerous a message is, why, and how sure the machine can be.

A cascade. A first look at the vector every post has anyway says whether it could matter at all;
those that could, one in five of an ordinary stream, the careful reader and the cues read. They
fill the codebook's fields, and its rules alone turn fields into levels. The message is judged,
never the author.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from monitor.coding.codebook import (
    CLEAR,
    CODEBOOK,
    HALLMARKS,
    POSSIBLE,
    SCORING_STANCES,
    MessageFields,
    message_level,
    threat_level,
)
from monitor.reading import cued
from monitor.reading.careful import (
    EXCLUSION,
    LOOK,
    PACKAGED,
    QUESTIONS,
    THREAT,
    WEIGHTS,
    CarefulReader,
    Said,
    first_look,
)
from monitor.reading.cued import MAX_REASONS, Assessment, Reason, bears_out, seems_alarming
from monitor.reading.plain import plain
from monitor.reading.specifics import Specific, imminence, specifics
from monitor.reading.targets import groups_named, issue_at_stake
from monitor.reading.terms import Hit, Lexicon
from monitor.reading.times_named import PAST

ALARMING_LEVEL = 3  # a post read so high is kept though no watch asks for it
# Languages the reader was tried on; what no identifier can tell ("und") is read as well.
LANGUAGES = frozenset({"en", "es", "und"})
NOT_SCORED = "not scored"  # stored in place of the scorer's name with a post in any other
WORDS_FOR = {
    "violence": "Reads as a call for violence, or as approval of it",
    "hate": "Reads as demeaning people for what they are",
    "dehumanising": "Reads as denying that people are human",
    "exclusion": "Reads as wanting people kept out, sent away or treated worse",
    "H2": "Reads as saying that the others are about to attack us",
    "H3": "Reads as saying that the others replace, overrun or destroy us",
    "H4": "Reads as saying that the others prey on women, girls or children",
    "H5": "Reads as calling people traitors to their own side",
    "H7": "Reads as saying that violence is the only way, or deserved",
    "H8": "Reads as blaming all for what some have done",
    "H9": "Reads as holding up an attacker as a hero",
    "reports": "Reads as quoting or reporting another's words",
    "condemns": "Reads as speaking against violence or hatred",
    "reclaimed": "Reads as a group's own use of a hard word",
    "figurative": "Reads as sport, games or a figure of speech",
    "policy_advocacy": "Reads as asking government to act lawfully",
    "unclear": "Could be a call for violence: a person should look",
    "doubted": "The words are alarming, the whole may not be: a person should look",
}

GROUP_NAMES = {
    group.value: group.name.lower()
    for coded in CODEBOOK.fields
    if coded.key == "target_groups"
    for group in coded.values
}
NEAR = 200  # characters from what alarms, in which a place, a time or a means belongs to it
NAMED = {"place": "a place", "time": "a time", "means": "a weapon or means"}
# Calibrated on text held back; how far off it is, docs/scorer.md says. No page shows a bare number.
SURENESS = ((0.9, " (sure)"), (0.75, " (fairly sure)"), (0.0, " (not sure)"))
HEDGED = frozenset({"unclear", "doubted"})  # these say so in their own words

log = logging.getLogger(__name__)
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Thresholds:
    """From which probability on an answer is taken, chosen on text held back (``reader.json``)."""

    look_hate: float  # of the first look: below both, nothing is read further
    look_violence: float
    look_alarmed: float  # of either, for a text with an alarming word
    violence: float  # from here on violence is called or approved of, if more bears it out
    sure: float  # and from here on whatever else there is
    unclear: float  # from here on a person should look
    hate: float
    dehumanising: float
    outside: float  # that it is quoted, condemned, playful ...: then it is no more than that
    signs: Mapping[str, float] = field(default_factory=dict)  # of SIGNS; none: never said


class Scorer:
    """What reads messages: the trained parts and the cues, or the cues alone where those fail."""

    def __init__(self, folder: Path | None = PACKAGED, threads: int | None = None) -> None:
        """``folder`` holds a trained reader; None: cues alone. Anything may be raised."""
        self.lexicon: Lexicon | None = None  # of coded terms; whoever has a database sets it
        self._reader = None if folder is None else CarefulReader(folder, threads)
        self.name = cued.NAME
        if folder is not None and self._reader is not None:
            self.name = f"{self._reader.name}, {cued.NAME}"
            weights = load_file(folder / WEIGHTS)
            self._net = {name: weights[name] for name in LOOK}
            self._at = Thresholds(**self._reader.card["thresholds"])

    def score(
        self,
        texts: Sequence[str],
        vectors: Floats | None = None,
        posted_at: Sequence[datetime] | None = None,
    ) -> list[Assessment]:
        """The assessment of each text.

        ``vectors``: what the packaged encoder makes of the same texts, (n, 384); without them
        every text is read with care. ``posted_at``: from when on "tomorrow" is told.
        """
        coded = [self.lexicon.hits(text) if self.lexicon else [] for text in texts]
        if self._reader is None:
            read = {row: cued.read(plain(text)) for row, text in enumerate(texts)}
        else:
            looks = None if vectors is None else self.look(vectors)
            careful = [
                row
                for row, text in enumerate(texts)
                if text.strip()
                and (looks is None or coded[row] or self.could_matter(looks[row], text))
            ]
            some = [plain(texts[row]) for row in careful]
            with ThreadPoolExecutor(1, thread_name_prefix="reader") as aside:
                reading = aside.submit(self._reader.read, some)  # mostly without Python's lock
                cues = [cued.read(text) for text in some]
                said = reading.result()
            read = {
                row: _nothing(None if looks is None else looks[row]) for row in range(len(texts))
            }
            read |= {
                row: fused(by_cues, one, self._at)
                for row, by_cues, one in zip(careful, cues, said, strict=True)
            }
        whole = []
        for row, hits in enumerate(coded):
            text, said_at = texts[row], posted_at[row] if posted_at else None
            assessed = with_specifics(with_codes(read[row], hits), text, said_at)
            whole.append(with_targets(assessed, text))
        return whole

    def look(self, vectors: Floats) -> Floats:
        """The first look: how likely each is hateful, and violent; (n, 384) → (n, 2).

        A row of zeros, a text in a language the encoder does not know, may always be.
        """
        found = first_look(self._net, vectors)
        found[~vectors.any(axis=1)] = 1
        return found

    def could_matter(self, look: Floats, text: str) -> bool:
        """Whether a text passes the first look: ``look`` is its row of what that says."""
        hate, violence = look
        if hate >= self._at.look_hate or violence >= self._at.look_violence:
            return True
        return bool(max(hate, violence) >= self._at.look_alarmed) and seems_alarming(text)


def fused(cues: Assessment, said: Said, at: Thresholds) -> Assessment:
    """What cues and reader say together: fields from both, the level from the fields."""
    confidence = {name: round(said.likely(name), 3) for name in (*QUESTIONS, *said.signs)}
    outside = 1 - said.stances["asserts"]
    confidence["stance"] = round(max(said.stances.values()), 3)
    if cues.stance not in SCORING_STANCES:  # what a gate has shown, it has shown
        return replace(cues, confidence=confidence)
    if outside >= at.outside and said.violence < at.violence and cues.level < ALARMING_LEVEL:
        stance = max((s for s in said.stances if s != "asserts"), key=said.stances.__getitem__)
        reasons = _reasons(f"stance:{stance}", stance, said)
        fields = MessageFields(stance=stance)
        return Assessment(fields, 0, "none", stance, reasons, confidence)
    signs = {sign for sign, least in at.signs.items() if said.signs[sign] >= least}
    fields, reasons = _marked(cues, said, signs, at)
    violent = cues.level >= ALARMING_LEVEL
    seen = not violent and _sees_violence(said, signs, at)
    if EXCLUSION in signs and fields.act == "none" and not seen:
        fields = replace(fields, act="exclude", force="wish")  # the weakest force, as for violence
        reasons += _reasons("act:exclude", EXCLUSION, said)
    if seen:
        # The weakest force there is: who urges, announces or threatens, cues must show.
        fields = replace(fields, act="unspecified_violence", force="wish")
        reasons = _reasons("act:unspecified_violence", "violence", said) + reasons
    elif not violent and said.violence >= at.unclear:
        fields = replace(fields, stance="unclear")
        reasons = _reasons("unclear", "unclear", said, "violence") + reasons
    elif violent and said.violence < at.unclear:
        fields = replace(fields, stance="unclear")
        reasons = _reasons("doubted", "doubted", said, "violence") + reasons
    harmful = fields.demeaning or fields.hallmarks or fields.act != "none"
    if fields.target_kind == "none" and harmful:
        of_group = said.hate >= at.hate or signs - {THREAT}
        fields = replace(fields, target_kind="group" if of_group else "individual")
    return Assessment(
        fields,
        message_level(fields),
        threat_level(fields),
        fields.stance,
        reasons[:MAX_REASONS],
        confidence,
    )


def _marked(
    cues: Assessment, said: Said, signs: Collection[str], at: Thresholds
) -> tuple[MessageFields, list[Reason]]:
    """The cues' fields with demeaning words and hallmarks that the reader finds, and why."""
    fields, reasons = cues.fields, list(cues.reasons)
    hallmarks = dict(fields.hallmarks)
    if said.hate >= at.hate:
        fields = replace(fields, demeaning=True)
        reasons += _reasons("demeaning", "hate", said)
    if said.dehumanising >= at.dehumanising:
        hallmarks["H1"] = max(CLEAR, hallmarks.get("H1", 0))
        reasons += _reasons("H1", "dehumanising", said)
    for sign in at.signs:
        if sign in signs and sign in HALLMARKS and hallmarks.get(sign) != CLEAR:
            hallmarks[sign] = CLEAR
            reasons += _reasons(sign, sign, said)
    return replace(fields, hallmarks=hallmarks), reasons


def _sees_violence(said: Said, signs: Collection[str], at: Thresholds) -> bool:
    """Whether the reader sees violence called for or approved of, whatever the cues do.

    Only where it is very sure that the author means it, or where two of its answers agree and a
    word bears them out: beside a threat that is meant one that alarms, beside hate such a one or a
    group's name. Harsh but lawful words are read as violent too often otherwise.
    """
    meant = said.stance == "asserts"
    if meant and said.violence >= at.sure:
        return True
    hateful, threatening = said.hate >= at.hate, meant and THREAT in signs
    if said.violence < at.violence or not (hateful or threatening):
        return False
    return bears_out(said.plain) or (hateful and bool(groups_named(said.plain)))


def with_codes(assessed: Assessment, hits: Sequence[Hit]) -> Assessment:
    """The same with what may be coded in it: possible (H6 = 1), and by itself no more (R8)."""
    if not hits:
        return assessed
    coded = {"H6": max(POSSIBLE, assessed.fields.hallmarks.get("H6", 0))}
    fields = replace(assessed.fields, hallmarks={**assessed.fields.hallmarks, **coded})
    reasons = [_reason("H6", f"May be code: {hit.meaning}", hit.start, hit.end) for hit in hits]
    return replace(assessed, fields=fields, reasons=(assessed.reasons + reasons)[:MAX_REASONS])


def with_specifics(assessed: Assessment, text: str, posted_at: datetime | None) -> Assessment:
    """The same with the places, times and means named near what alarms; more of them weigh more.

    A time that is past is none. What the cues have found stands; what they missed is added.
    """
    alarming = [r for r in assessed.reasons if r["code"].startswith(("act:", "threat:"))]
    if assessed.level < ALARMING_LEVEL or not alarming:
        return assessed
    first = min(reason["start"] for reason in alarming) - NEAR
    last = max(reason["end"] for reason in alarming) + NEAR
    near = [
        one
        for one in specifics(text, posted_at)
        if first <= one.start <= last and not _is_past(one, posted_at)
    ]
    named = {reason["code"] for reason in assessed.reasons}
    more = {one.kind: one for one in reversed(near) if one.kind not in named}
    soon = imminence(near, posted_at)
    fields = replace(
        assessed.fields,
        specifics=min(4, assessed.fields.specifics + len(more)),
        imminence=assessed.fields.imminence if soon == "unspecified" else soon,
    )
    reasons = [
        _reason(one.kind, f"Names {NAMED[one.kind]}: {one.label}", one.start, one.end)
        for one in more.values()
    ]
    return replace(
        assessed,
        fields=fields,
        level=message_level(fields),
        threat_level=threat_level(fields),
        reasons=(assessed.reasons + reasons)[:MAX_REASONS],
    )


def _is_past(one: Specific, posted_at: datetime | None) -> bool:
    if one.kind != "time":
        return False
    if one.value and posted_at is not None:
        return datetime.fromisoformat(one.value) < posted_at
    return one.label == PAST


def with_targets(assessed: Assessment, text: str) -> Assessment:
    """The same with the kinds of group and the issue it speaks of, where it has a level."""
    if not assessed.level:
        return assessed
    named = {each.kind: each for each in reversed(groups_named(text))}
    fields = replace(assessed.fields, target_groups=frozenset(named), issue=issue_at_stake(text))
    reasons = [
        _reason(f"group:{each.kind}", f"Speaks of: {GROUP_NAMES[each.kind]}", each.start, each.end)
        for each in named.values()
    ]
    return replace(assessed, fields=fields, reasons=(assessed.reasons + reasons)[:MAX_REASONS])


def _nothing(look: Floats | None) -> Assessment:
    """A text without words, or one that the first look let go."""
    confidence = {} if look is None else {"look": round(float(max(look)), 3)}
    return Assessment(MessageFields(), 0, "none", "asserts", [], confidence)


def _reasons(code: str, words: str, said: Said, question: str | None = None) -> list[Reason]:
    """One reason for each place that carries an answer, and how sure the reader is of it."""
    question = question or words
    sure = next(word for least, word in SURENESS if said.likely(question) >= least)
    text = WORDS_FOR[words] + ("" if words in HEDGED else sure)
    return [_reason(code, text, start, end) for start, end in said.evidence(question)]


def _reason(code: str, text: str, start: int, end: int) -> Reason:
    return {"code": code, "text": text, "start": start, "end": end}


@cache
def packaged_scorer() -> Scorer:
    """What ships, loaded once; where it cannot be used, cues alone, and the log says so."""
    try:
        return Scorer()
    except Exception as fault:  # ONNX Runtime and files raise their own kinds
        log.warning(
            "The careful reader cannot be used (%s): messages are scored by cues alone, which miss "
            "most of what is said in other words.",
            str(fault).strip().partition("\n")[0] or type(fault).__name__,
        )
        return Scorer(None)


def score(text: str) -> Assessment:
    """One text, read with care by the reader that ships."""
    return packaged_scorer().score([text])[0]
