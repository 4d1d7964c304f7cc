"""The coding scheme of one message, and the rules that turn its fields into levels.

The same fields serve a person and a scorer; only the rules here know what they add up to.
Fields judge the message alone: speaker, audience and context are for a person to judge.
"""

from dataclasses import dataclass, field

# stance: only these two can score above M0; "unclear" is kept as such, scored like an assertion.
SCORING_STANCES = frozenset({"asserts", "unclear"})
STANCES = SCORING_STANCES | {
    "reports",  # quotes or reports another's words
    "condemns",  # speaks against violence or hatred
    "reclaimed",  # a group's own use of a word once turned against it
    "figurative",  # sport, games, stage, hyperbole
    "policy_advocacy",  # asks government to act lawfully, whatever the politics
}
TARGET_KINDS = frozenset(
    {"group", "individual_as_member", "individual", "institution", "property_place", "none"}
)
HALLMARKS = {
    "H1": "dehumanization",
    "H2": "accusation in a mirror",
    "H3": "threat to the group's integrity, purity or survival",
    "H4": "assertion of attack on women, girls or children",
    "H5": "questioning in-group loyalty",
    "H6": "coded language, read in context",
    "H7": "no alternative: violence necessary or deserved",
    "H8": "collective guilt",
    "H9": "valorisation of attackers",
}
ABSENT, POSSIBLE, CLEAR = 0, 1, 2  # the three values of a hallmark

EXCLUSIONARY_ACTS = frozenset({"discriminate", "exclude"})
COERCIVE_ACTS = frozenset({"intimidate", "dox", "arm_prepare", "obstruct"})
VIOLENT_ACTS = frozenset(
    {"damage_property", "forced_removal", "assault", "kill", "unspecified_violence"}
)
ACTS = EXCLUSIONARY_ACTS | COERCIVE_ACTS | VIOLENT_ACTS | {"none"}  # lawful protest is none

CONDONING_FORCES = frozenset({"wish", "predict", "justify", "praise"})
URGING_FORCES = frozenset({"urge", "organise", "announce"})
FORCES = CONDONING_FORCES | URGING_FORCES | {"none"}

THREAT_TYPES = frozenset({"none", "direct", "indirect", "veiled", "conditional"})
IMMINENCES = frozenset({"none", "unspecified", "7d", "48h", "now"})


@dataclass(frozen=True)
class MessageFields:
    """What one message says. Every field's values are listed above."""

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

    def __post_init__(self) -> None:
        for value, allowed in (
            (self.stance, STANCES),
            (self.target_kind, TARGET_KINDS),
            (self.act, ACTS),
            (self.force, FORCES),
            (self.threat_type, THREAT_TYPES),
            (self.imminence, IMMINENCES),
            (self.specifics, range(5)),
        ):
            if value not in allowed:
                raise ValueError(f"{value!r} is not in the codebook")
        for hallmark, degree in self.hallmarks.items():
            if hallmark not in HALLMARKS or degree not in (ABSENT, POSSIBLE, CLEAR):
                raise ValueError(f"{hallmark}={degree} is not in the codebook")


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
