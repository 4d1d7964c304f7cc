"""The coding scheme of one message and its situation, and the rules that turn them into levels.

The same fields serve a person and a scorer; only the rules here know what they add up to.
Fields judge the message alone. Speaker, audience, context and reach are the situation, which a
person codes; the two meet nowhere but in ``danger``.

Values and definitions are data, ``codebook.json`` beside this file. The rules below are code and
belong to the same edition: whoever changes a rule changes its sentence there and the edition.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One value that can be chosen, or one term, with what it means."""

    value: str
    name: str
    definition: str
    kind: str = ""  # what the rules group it by, for example the class of an act
    example: str = ""  # invented words that fit
    not_this: str = ""  # what looks like it and is something else


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One degree of a scale that is counted in numbers."""

    value: int
    name: str
    definition: str


class CodedField(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A field of a message. With a ``scale``, each of the values is judged on it."""

    key: str
    name: str
    question: str
    rule: str
    values: tuple[Entry, ...]
    scale: tuple[Step, ...] = ()

    def of_kind(self, kind: str) -> frozenset[str]:
        """The values that the rules count as ``kind``."""
        return frozenset(one.value for one in self.values if one.kind == kind)


class Level(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message level, M0 to M4, and what neighbouring scales call it."""

    value: int
    name: str
    rule: str
    neighbours: str
    example: str


class DangerLevel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A danger level, D0 to D4, and what is done at it unless a person decides otherwise."""

    value: int
    name: str
    rule: str
    response: str


class Factor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A factor of the situation: its letter, and its name in ``Situation``."""

    key: str
    field: str
    name: str
    definition: str
    steps: tuple[Step, ...]


class Panel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The six parts of the Rabat Plan of Action, each judged on one scale."""

    definition: str
    scale: tuple[Step, ...]
    parts: tuple[Entry, ...]


class Codebook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. A missing or misspelt part is a ``msgspec.ValidationError`` at import."""

    edition: str
    levels: tuple[Level, ...]
    threat_levels: tuple[Entry, ...]
    danger_levels: tuple[DangerLevel, ...]
    danger_terms: tuple[Entry, ...]
    situation: tuple[Factor, ...]
    rabat: Panel
    fields: tuple[CodedField, ...]


CODEBOOK = msgspec.json.decode(
    (files(__package__) / "codebook.json").read_bytes(), type=Codebook, strict=True
)
EDITION = CODEBOOK.edition  # stored with what was judged by it
FIELDS = {one.key: one for one in CODEBOOK.fields}
VALUES = {key: frozenset(one.value for one in coded.values) for key, coded in FIELDS.items()}

LEVEL_NAMES = {level.value: level.name for level in CODEBOOK.levels}
STANCES = VALUES["stance"]
# Only these can score above M0; "unclear" is kept as such, scored like an assertion.
SCORING_STANCES = FIELDS["stance"].of_kind("in scope")
TARGET_KINDS = VALUES["target_kind"]
TARGET_GROUPS = VALUES["target_groups"]
HALLMARKS = {one.value: one.name for one in FIELDS["hallmarks"].values}
ABSENT, POSSIBLE, CLEAR = (step.value for step in FIELDS["hallmarks"].scale)

ACTS = VALUES["act"]
EXCLUSIONARY_ACTS = FIELDS["act"].of_kind("exclusionary")
COERCIVE_ACTS = FIELDS["act"].of_kind("coercive")
VIOLENT_ACTS = FIELDS["act"].of_kind("violent")

FORCES = VALUES["force"]
CONDONING_FORCES = FIELDS["force"].of_kind("condoning")
URGING_FORCES = FIELDS["force"].of_kind("urging")

THREAT_TYPES = VALUES["threat_type"]
SPECIFICS = VALUES["specifics"]  # what can be named; a message is coded by how many of them are
IMMINENCES = VALUES["imminence"]
IMMINENT = FIELDS["imminence"].of_kind("imminent")
ISSUES = VALUES["issue_at_stake"]
RABAT_PARTS = frozenset(part.value for part in CODEBOOK.rabat.parts)

# The danger rules of the coding scheme (design, section 6.2), as their sentences in the data say.
LOWEST, HIGHEST = 0, 3  # of every factor
DANGERS_KEPT = 4_096
STRONG = 2  # a factor from here on counts towards n
STRONG_LEVEL = 3  # so does a message from M3 on
ENOUGH_SUM = 4  # Z: the factors added up
STRONG_FOR_CONCERN = 1  # n that lifts M2 to D2
STRONG_FOR_MORE = 2  # n that lifts M3 to D3, and M4 to D4
LIFE_SAFETY_SPECIFICS = 2
PROVISIONAL_CEILING = 2  # no alert above D2 while a factor is unknown


@dataclass(frozen=True)
class MessageFields:
    """What one message says. Every field's values are in the codebook; others: ValueError."""

    stance: str = "asserts"
    target_kind: str = "none"
    demeaning: bool = False  # an insult that carries none of the hallmarks
    hallmarks: dict[str, int] = field(default_factory=dict)  # H1 to H9; what is missing is absent
    act: str = "none"
    force: str = "none"  # the strongest one present
    threat_type: str = "none"
    specifics: int = 0  # how many of target, place, time and means are named
    capability_cue: bool = False  # a weapon at hand, travel, watching, rehearsal
    imminence: str = "none"
    target_groups: frozenset[str] = frozenset()  # for what they are targeted; never the author
    issue: str = "unknown"  # what the quarrel is about: "issue_at_stake" in the codebook

    def __post_init__(self) -> None:
        for value, allowed in (
            (self.stance, STANCES),
            (self.target_kind, TARGET_KINDS),
            (self.act, ACTS),
            (self.force, FORCES),
            (self.threat_type, THREAT_TYPES),
            (self.imminence, IMMINENCES),
            (self.issue, ISSUES),
            (self.specifics, range(len(SPECIFICS) + 1)),
            *((group, TARGET_GROUPS) for group in self.target_groups),
        ):
            if value not in allowed:
                raise ValueError(f"{value!r} is not in the codebook")
        for hallmark, degree in self.hallmarks.items():
            if hallmark not in HALLMARKS or degree not in (ABSENT, POSSIBLE, CLEAR):
                raise ValueError(f"{hallmark}={degree} is not in the codebook")

    def __hash__(self) -> int:
        hallmarks = frozenset(self.hallmarks.items())
        return hash((self.stance, self.act, self.force, self.threat_type, hallmarks))


def as_stored(fields: MessageFields) -> dict[str, object]:
    """Fields as JSON, with the edition of the codebook they are coded by."""
    hallmarks, groups = dict(fields.hallmarks), sorted(fields.target_groups)
    return vars(fields) | {"hallmarks": hallmarks, "target_groups": groups, "edition": EDITION}


def from_stored(stored: Mapping[str, Any]) -> MessageFields:
    """The fields as they were given to ``as_stored``; ValueError for values that are no more."""
    known = {name: stored[name] for name in MessageFields.__dataclass_fields__ if name in stored}
    return MessageFields(**known | {"target_groups": frozenset(stored.get("target_groups", ()))})


@dataclass(frozen=True)
class Situation:
    """Who speaks to whom, when and how far: each 0 to 3, None while unknown; others: ValueError."""

    speaker: int | None = None
    audience: int | None = None
    context: int | None = None
    reach: int | None = None

    def __post_init__(self) -> None:
        for factor in CODEBOOK.situation:
            value = getattr(self, factor.field)
            if value is not None and value not in range(LOWEST, HIGHEST + 1):
                raise ValueError(f"{factor.field}={value!r} is not in the codebook")

    @property
    def provisional(self) -> bool:
        """Whether a factor is unknown."""
        return None in (self.speaker, self.audience, self.context, self.reach)

    def factors(self, unknown: int) -> list[int]:
        """The four factors, with ``unknown`` in the place of each that is not known."""
        four = (self.speaker, self.audience, self.context, self.reach)
        return [unknown if value is None else value for value in four]


@dataclass(frozen=True)
class Danger:
    """A danger level, 0 (D0) to 4 (D4): a range while a factor of the situation is unknown."""

    low: int
    high: int
    provisional: bool
    life_safety: bool  # a person looks at once, whatever the situation

    @property
    def alert_level(self) -> int:
        """The level at which it may raise an alert: what is certain, and while provisional no
        more than D2, except by the life-safety fast path."""
        if self.provisional and not self.life_safety:
            return min(self.low, PROVISIONAL_CEILING)
        return self.low


def threat_level(fields: MessageFields) -> str:
    """The threat in a message: "none", "low", "medium" or "high"."""
    kind, specifics = fields.threat_type, fields.specifics
    if kind == "none":
        return "none"
    if kind in ("direct", "conditional") and (
        specifics >= 3 or (specifics >= 2 and fields.capability_cue)
    ):
        return "high"
    if specifics >= (1 if kind == "direct" else 2):
        return "medium"
    return "low"


def message_level(fields: MessageFields) -> int:
    """The message level, 0 (M0) to 4 (M4): the first rule that fits, top down."""
    if fields.stance not in SCORING_STANCES or fields.target_kind == "none":
        return 0
    act, force, threat = fields.act, fields.force, threat_level(fields)
    if threat in ("medium", "high") or (act in VIOLENT_ACTS and force in URGING_FORCES):
        return 4
    if (
        threat == "low"
        or (act in VIOLENT_ACTS and force in CONDONING_FORCES)
        or (act in COERCIVE_ACTS and force in URGING_FORCES)
    ):
        return 3
    if CLEAR in fields.hallmarks.values() or (
        act in EXCLUSIONARY_ACTS | COERCIVE_ACTS and force != "none"
    ):
        return 2
    return 1 if fields.demeaning else 0


def for_lexicon_review(fields: MessageFields) -> bool:
    """Whether a possible code word waits for those who keep the lexicon, whatever its level."""
    return fields.hallmarks.get("H6", ABSENT) == POSSIBLE


@lru_cache(maxsize=DANGERS_KEPT)  # every list judges the same few fields over and over
def danger(fields: MessageFields, situation: Situation) -> Danger:
    """The danger of a message in its situation; unknown factors are taken as lowest and highest."""
    level = message_level(fields)
    imminent = fields.imminence in IMMINENT
    life_safety = level == 4 and (
        threat_level(fields) == "high" or (imminent and fields.specifics >= LIFE_SAFETY_SPECIFICS)
    )
    low, high = (
        _danger_level(level, imminent or life_safety, situation.factors(unknown))
        for unknown in (LOWEST, HIGHEST)
    )
    return Danger(low, high, situation.provisional, life_safety)


def _danger_level(level: int, urgent: bool, factors: list[int]) -> int:
    """The danger level of a message level among known factors. ``urgent``: M4 need not wait."""
    strong = (level >= STRONG_LEVEL) + sum(value >= STRONG for value in factors)
    enough = sum(factors) >= ENOUGH_SUM
    if level == 4:
        return 4 if urgent or (enough and strong >= STRONG_FOR_MORE) else 3
    if level == 3:
        return 3 if enough and strong >= STRONG_FOR_MORE else 2
    if level == 2:
        return 2 if enough and strong >= STRONG_FOR_CONCERN else 1
    return level


def meets_high_threshold(parts: Mapping[str, int]) -> bool:
    """Whether a panel's six parts, each 0 to 2, meet the Rabat threshold: all at least partly, and
    four clearly. Otherwise it is lawful speech of concern. ValueError: not exactly the six parts,
    or a value off the scale."""
    if parts.keys() != RABAT_PARTS:
        raise ValueError("The Rabat panel has exactly six parts.")
    not_met, _, clearly = (step.value for step in CODEBOOK.rabat.scale)
    if any(value not in [step.value for step in CODEBOOK.rabat.scale] for value in parts.values()):
        raise ValueError("A part of the Rabat panel is 0, 1 or 2.")
    values = list(parts.values())
    return not_met not in values and values.count(clearly) >= 4
