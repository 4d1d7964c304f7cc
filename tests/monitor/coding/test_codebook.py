"""The rules alone: fields and situation in, levels out; and the data that the rules stand on."""

from dataclasses import fields as fields_of
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.coding import codebook
from monitor.coding.codebook import (
    CODEBOOK,
    HALLMARKS,
    RABAT_PARTS,
    SCORING_STANCES,
    STANCES,
    TARGET_GROUPS,
    Danger,
    MessageFields,
    Situation,
    danger,
    for_lexicon_review,
    meets_high_threshold,
    message_level,
    threat_level,
)

UNKNOWN = Situation()
GROUP = {"target_kind": "group"}
# The field's own test vectors (design, section 6.2): case, fields, M, (S, A, X, R), D.
VECTORS = [
    (
        "a reporter quotes a slur",
        {"stance": "reports", "hallmarks": {"H1": 2}, **GROUP},
        0,
        None,
        0,
    ),
    ("a plain insult at a group", {"demeaning": True, **GROUP}, 1, (0, 1, 0, 0), 1),
    ("a group called rats", {"hallmarks": {"H1": 2, "H3": 2}, **GROUP}, 2, (0, 1, 0, 0), 1),
    ("the same after an incident", {"hallmarks": {"H1": 2, "H3": 2}, **GROUP}, 2, (0, 2, 2, 0), 2),
    (
        "Congress should deport",
        {"stance": "policy_advocacy", "act": "exclude", **GROUP},
        0,
        (0, 1, 0, 0),
        0,
    ),
    (
        "we must strike first",
        {
            "hallmarks": {"H2": 2, "H7": 2},
            "act": "unspecified_violence",
            "force": "justify",
            **GROUP,
        },
        3,
        (1, 2, 2, 1),
        3,
    ),
    (
        "someone should burn that place",
        {"act": "damage_property", "force": "wish", "target_kind": "property_place"},
        3,
        (0, 0, 0, 0),
        2,
    ),
    (
        "traitors get what is coming",
        {"hallmarks": {"H5": 2}, "threat_type": "veiled", "specifics": 1, **GROUP},
        3,
        (2, 2, 1, 1),
        3,
    ),
    (
        "show up armed at their office",
        {"act": "intimidate", "force": "urge", "specifics": 2, "target_kind": "institution"},
        3,
        (1, 2, 1, 1),
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
        (0, 1, 1, 0),
        4,
    ),
    (
        "a direct threat with person, place, time, weapon",
        {"threat_type": "direct", "specifics": 4, "target_kind": "individual"},
        4,
        (0, 0, 0, 0),
        4,
    ),
    (
        "a direct threat, target only",
        {"threat_type": "direct", "specifics": 1, "target_kind": "individual"},
        4,
        (0, 0, 0, 0),
        3,
    ),
    (
        "game talk",
        {"stance": "figurative", "threat_type": "direct", "target_kind": "individual"},
        0,
        None,
        0,
    ),
    ("a possible dog whistle only", {"hallmarks": {"H6": 1}, **GROUP}, 0, (0, 1, 0, 0), 0),
]
LIFE_SAFETY = {"Saturday 9 pm, bring bats", "a direct threat with person, place, time, weapon"}


@pytest.mark.parametrize(
    ("case", "fields", "level", "factors", "expected"), VECTORS, ids=[v[0] for v in VECTORS]
)
def test_vectors(case, fields, level, factors, expected):
    coded = MessageFields(**fields)
    assert message_level(coded) == level
    situation = UNKNOWN if factors is None else Situation(*factors)
    safety = case in LIFE_SAFETY
    assert danger(coded, situation) == Danger(expected, expected, factors is None, safety)
    assert for_lexicon_review(coded) == (case == "a possible dog whistle only")


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
    "wrong",
    [
        *({"act": "shout"}, {"specifics": 5}, {"hallmarks": {"H10": 1}}, {"stance": "angry"}),
        *({"target_groups": frozenset({"religion", "tall"})}, {"issue": "weather"}),
        *({"imminence": "soon"}, {"hallmarks": {"H1": 3}}),
    ],
)
def test_a_value_outside_the_codebook_is_refused(wrong):
    with pytest.raises(ValueError, match="not in the codebook"):
        MessageFields(**wrong)


@pytest.mark.parametrize("wrong", [{"speaker": 4}, {"audience": -1}, {"reach": 9}])
def test_a_factor_outside_the_codebook_is_refused(wrong):
    with pytest.raises(ValueError, match="not in the codebook"):
        Situation(**wrong)


def test_target_groups_and_issue_describe_and_never_score():
    plain = MessageFields(demeaning=True, **GROUP)
    assert (plain.target_groups, plain.issue) == (frozenset(), "unknown")
    told = replace(plain, target_groups=TARGET_GROUPS, issue="elections")
    assert message_level(told) == message_level(plain)


# ---- danger ----

CLEAR_HALLMARK = MessageFields(hallmarks={"H1": 2}, **GROUP)  # M2
CONDONED = MessageFields(act="kill", force="praise", **GROUP)  # M3
URGED = MessageFields(act="kill", force="urge", **GROUP)  # M4


@pytest.mark.parametrize(
    ("fields", "factors", "expected"),
    [
        (CLEAR_HALLMARK, (1, 1, 1, 1), 1),  # Z of 4, n of 0
        (CLEAR_HALLMARK, (2, 1, 0, 0), 1),  # Z of 3, n of 1
        (CLEAR_HALLMARK, (2, 1, 1, 0), 2),
        (CLEAR_HALLMARK, (3, 3, 3, 3), 2),
        (CONDONED, (1, 1, 1, 1), 2),  # n of 1: the message itself
        (CONDONED, (3, 0, 0, 0), 2),  # Z of 3
        (CONDONED, (0, 3, 1, 0), 3),
        (CONDONED, (3, 3, 3, 3), 3),
        (URGED, (1, 1, 1, 1), 3),
        (URGED, (0, 0, 3, 0), 3),
        (URGED, (0, 0, 2, 2), 4),
        (replace(URGED, imminence="7d"), (0, 0, 0, 0), 3),
        (replace(URGED, imminence="48h"), (0, 0, 0, 0), 4),
        (replace(URGED, imminence="now"), (0, 0, 0, 0), 4),
        (replace(CONDONED, imminence="now"), (0, 0, 0, 0), 2),  # imminence lifts M4 alone
        (MessageFields(demeaning=True, **GROUP), (3, 3, 3, 3), 1),
    ],
)
def test_the_edges_of_the_danger_rules(fields, factors, expected):
    assert danger(fields, Situation(*factors)) == Danger(expected, expected, False, False)


def test_an_unknown_situation_gives_a_range_and_raises_no_high_alert():
    assert danger(CLEAR_HALLMARK, UNKNOWN) == Danger(1, 2, True, False)
    assert danger(CONDONED, UNKNOWN) == Danger(2, 3, True, False)
    assert danger(CONDONED, Situation(2, None, 2, 0)) == Danger(3, 3, True, False)
    assert danger(CONDONED, Situation(2, None, 2, 0)).alert_level == 2
    assert danger(CONDONED, Situation(2, 0, 2, 0)).alert_level == 3
    assert danger(CLEAR_HALLMARK, UNKNOWN).alert_level == 1
    assert danger(URGED, UNKNOWN) == Danger(3, 4, True, False)
    assert danger(URGED, UNKNOWN).alert_level == 2


def test_life_safety_waits_for_no_situation():
    assert not danger(replace(URGED, imminence="now", specifics=1), UNKNOWN).life_safety
    soon = danger(replace(URGED, imminence="now", specifics=2), UNKNOWN)
    assert soon == Danger(4, 4, True, True)
    assert soon.alert_level == 4
    high = MessageFields(threat_type="conditional", specifics=3, target_kind="individual")
    assert danger(high, UNKNOWN) == Danger(4, 4, True, True)


any_of = {key: st.sampled_from(sorted(values)) for key, values in codebook.VALUES.items()}
messages = st.builds(
    MessageFields,
    stance=any_of["stance"],
    target_kind=any_of["target_kind"],
    demeaning=st.booleans(),
    hallmarks=st.dictionaries(st.sampled_from(sorted(HALLMARKS)), st.integers(0, 2)),
    act=any_of["act"],
    force=any_of["force"],
    threat_type=any_of["threat_type"],
    specifics=st.integers(0, 4),
    capability_cue=st.booleans(),
    imminence=any_of["imminence"],
    target_groups=st.frozensets(any_of["target_groups"]),
    issue=any_of["issue_at_stake"],
)
degrees = st.integers(0, 3)
situations = st.builds(Situation, *[st.none() | degrees] * 4)
known_situations = st.builds(Situation, *[degrees] * 4)
factors = st.sampled_from([factor.field for factor in CODEBOOK.situation])


@given(messages, known_situations, factors)
def test_danger_never_falls_when_a_factor_rises(fields, situation, factor):
    lower = danger(fields, situation)
    raised = replace(situation, **{factor: min(3, getattr(situation, factor) + 1)})
    assert danger(fields, raised).low >= lower.low


@given(messages, situations)
def test_a_range_holds_every_way_the_unknown_can_turn_out(fields, situation):
    told = danger(fields, situation)
    choices = [[v] if v is not None else [0, 1, 2, 3] for v in vars(situation).values()]
    levels = {danger(fields, Situation(*one)).low for one in product(*choices)}
    assert (told.low, told.high) == (min(levels), max(levels))
    assert told.alert_level <= (4 if told.life_safety or not told.provisional else 2)


@given(messages, known_situations)
def test_a_known_situation_gives_one_level(fields, situation):
    told = danger(fields, situation)
    assert told.low == told.high == told.alert_level
    assert not told.provisional


@given(messages, situations, st.sampled_from(sorted(STANCES - SCORING_STANCES)))
def test_a_stance_out_of_scope_is_no_danger_whatever_else(fields, situation, stance):
    coded = replace(fields, stance=stance)
    told = danger(coded, situation)
    assert message_level(coded) == told.low == told.high == told.alert_level == 0
    assert not told.life_safety


@given(messages, situations)
def test_asking_government_to_act_lawfully_is_never_a_danger(fields, situation):
    """R4: whatever the politics, and whoever is the target."""
    assert danger(replace(fields, stance="policy_advocacy"), situation).high == 0


# ---- the Rabat panel ----


@pytest.mark.parametrize(
    ("values", "meets"),
    [
        ((2, 2, 2, 2, 2, 2), True),
        ((2, 2, 2, 2, 1, 1), True),
        ((1, 1, 2, 2, 2, 2), True),
        ((2, 2, 2, 1, 1, 1), False),
        ((2, 2, 2, 2, 2, 0), False),
        ((0, 0, 0, 0, 0, 0), False),
    ],
)
def test_the_high_threshold_needs_all_six_and_four_clearly(values, meets):
    assert meets_high_threshold(dict(zip(sorted(RABAT_PARTS), values, strict=True))) is meets


def test_a_panel_is_whole_or_refused():
    whole = dict.fromkeys(RABAT_PARTS, 2)
    with pytest.raises(ValueError, match="six parts"):
        meets_high_threshold({part: 2 for part in RABAT_PARTS if part != "intent"})
    with pytest.raises(ValueError, match="six parts"):
        meets_high_threshold(whole | {"mood": 2})
    with pytest.raises(ValueError, match="0, 1 or 2"):
        meets_high_threshold(whole | {"intent": 3})


# ---- the data ----


def test_the_data_says_what_the_rules_count_with():
    assert codebook.EDITION == "2026-11"
    assert {"asserts", "unclear"} == SCORING_STANCES
    assert {"discriminate", "exclude"} == codebook.EXCLUSIONARY_ACTS
    assert {"intimidate", "dox", "arm_prepare", "obstruct"} == codebook.COERCIVE_ACTS
    violent = {"damage_property", "forced_removal", "assault", "kill", "unspecified_violence"}
    assert violent == codebook.VIOLENT_ACTS
    parts = [codebook.EXCLUSIONARY_ACTS, codebook.COERCIVE_ACTS, codebook.VIOLENT_ACTS, {"none"}]
    assert sorted(codebook.ACTS) == sorted(act for part in parts for act in part)
    assert {"wish", "predict", "justify", "praise"} == codebook.CONDONING_FORCES
    assert {"urge", "organise", "announce"} == codebook.URGING_FORCES
    assert codebook.CONDONING_FORCES | codebook.URGING_FORCES | {"none"} == codebook.FORCES
    assert {"48h", "now"} == codebook.IMMINENT
    assert {"target", "place", "time", "means"} == codebook.SPECIFICS
    assert list(HALLMARKS) == [f"H{number}" for number in range(1, 10)]
    assert (codebook.ABSENT, codebook.POSSIBLE, codebook.CLEAR) == (0, 1, 2)
    assert [level.value for level in CODEBOOK.levels] == list(range(5))
    assert [level.value for level in CODEBOOK.danger_levels] == list(range(5))


def test_every_field_of_a_message_and_its_situation_is_defined():
    coded = {field.name for field in fields_of(MessageFields)} - {"issue"} | {"issue_at_stake"}
    assert set(codebook.FIELDS) == coded
    # The order is what ``Situation(1, 2, 2, 1)`` and the sum rely on.
    assert [one.field for one in CODEBOOK.situation] == [one.name for one in fields_of(Situation)]
    assert "".join(one.key for one in CODEBOOK.situation) == "SAXR"
    for factor in CODEBOOK.situation:
        assert [step.value for step in factor.steps] == [0, 1, 2, 3]


def test_every_threat_level_is_defined():
    reached = {
        threat_level(MessageFields(threat_type=kind, specifics=count, capability_cue=cue))
        for kind in codebook.THREAT_TYPES
        for count in range(5)
        for cue in (False, True)
    }
    assert {one.value for one in CODEBOOK.threat_levels} == reached


def test_definitions_are_whole_sentences_and_no_value_stands_twice():
    for coded in CODEBOOK.fields:
        assert len(codebook.VALUES[coded.key]) == len(coded.values), coded.key
        for one in coded.values:
            assert one.definition.endswith("."), (coded.key, one.value)
            assert one.name, (coded.key, one.value)
            assert not one.not_this or one.not_this.rstrip("”").endswith((".", "!")), one.value
