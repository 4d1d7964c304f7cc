"""The rules alone: fields in, levels out."""

import pytest

from monitor.codebook import MessageFields, message_level, threat_level

GROUP = {"target_kind": "group"}
# The level column of the field's own test vectors (design, section 6.2).
VECTORS = [
    ("a reporter quotes a slur", {"stance": "reports", "hallmarks": {"H1": 2}, **GROUP}, 0),
    ("a plain insult at a group", {"demeaning": True, **GROUP}, 1),
    ("a group called rats", {"hallmarks": {"H1": 2, "H3": 2}, **GROUP}, 2),
    ("the same after an incident", {"hallmarks": {"H1": 2, "H3": 2}, **GROUP}, 2),
    ("Congress should deport", {"stance": "policy_advocacy", "act": "exclude", **GROUP}, 0),
    (
        "we must strike first",
        {
            "hallmarks": {"H2": 2, "H7": 2},
            "act": "unspecified_violence",
            "force": "justify",
            **GROUP,
        },
        3,
    ),
    (
        "someone should burn that place",
        {"act": "damage_property", "force": "wish", "target_kind": "property_place"},
        3,
    ),
    (
        "traitors get what is coming",
        {"hallmarks": {"H5": 2}, "threat_type": "veiled", "specifics": 1, **GROUP},
        3,
    ),
    (
        "show up armed at their office",
        {"act": "intimidate", "force": "urge", "specifics": 2, "target_kind": "institution"},
        3,
    ),
    (
        "Saturday 9 pm, bring bats",
        {
            "act": "unspecified_violence",
            "force": "organise",
            "specifics": 3,
            "imminence": "48h",
            "target_kind": "property_place",
        },
        4,
    ),
    (
        "a direct threat with person, place, time, weapon",
        {"threat_type": "direct", "specifics": 4, "target_kind": "individual"},
        4,
    ),
    (
        "a direct threat, target only",
        {"threat_type": "direct", "specifics": 1, "target_kind": "individual"},
        4,
    ),
    (
        "game talk",
        {"stance": "figurative", "threat_type": "direct", "target_kind": "individual"},
        0,
    ),
    ("a possible dog whistle only", {"hallmarks": {"H6": 1}, **GROUP}, 0),
]


@pytest.mark.parametrize(("fields", "level"), [v[1:] for v in VECTORS], ids=[v[0] for v in VECTORS])
def test_vectors(fields, level):
    assert message_level(MessageFields(**fields)) == level


@pytest.mark.parametrize(
    ("kind", "specifics", "capability", "level"),
    [
        ("none", 4, True, "none"),
        ("direct", 0, False, "low"),
        ("direct", 1, False, "medium"),
        ("direct", 2, False, "medium"),
        ("direct", 2, True, "high"),
        ("direct", 3, False, "high"),
        ("conditional", 1, True, "low"),
        ("conditional", 2, False, "medium"),
        ("conditional", 2, True, "high"),
        ("conditional", 3, False, "high"),
        ("veiled", 1, True, "low"),
        ("veiled", 4, True, "medium"),
        ("indirect", 2, False, "medium"),
    ],
)
def test_threat_levels(kind, specifics, capability, level):
    fields = MessageFields(threat_type=kind, specifics=specifics, capability_cue=capability)
    assert threat_level(fields) == level


@pytest.mark.parametrize("act", ["exclude", "discriminate", "dox", "obstruct"])
def test_exclusion_and_coercion_with_any_force_are_hostile(act):
    assert message_level(MessageFields(act=act, force="wish", target_kind="group")) == 2
    assert message_level(MessageFields(act=act, force="none", target_kind="group")) == 0


def test_without_a_target_nothing_scores():
    assert message_level(MessageFields(act="kill", force="urge", target_kind="none")) == 0


@pytest.mark.parametrize(
    "wrong", [{"act": "shout"}, {"specifics": 5}, {"hallmarks": {"H10": 1}}, {"stance": "angry"}]
)
def test_a_value_outside_the_codebook_is_refused(wrong):
    with pytest.raises(ValueError, match="not in the codebook"):
        MessageFields(**wrong)
