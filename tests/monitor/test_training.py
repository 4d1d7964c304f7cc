"""What the reader learns from: our text keeps the codebook, and nothing tried was trained on."""

import json
import random
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.metrics import roc_auc_score

from monitor.coding.codebook import MessageFields, as_stored, message_level
from monitor.models import Case
from monitor.reading.careful import (
    ANSWERS,
    CARD,
    EXCLUSION,
    HEAD_WEIGHTS,
    HEADS,
    OF_SIGNS,
    PACKAGED,
    SIGNS,
    WEIGHTS,
    Calibration,
    save,
    unpacked,
)
from monitor.reading.incitement import Scorer
from monitor.training.fit import Reader, values
from monitor.training.judge import NEVER, measured, signs_set
from monitor.training.make import Material, make
from monitor.training.posts import Example, epoch, framed, ordinary, ours, public
from monitor.training.retrain import _signs
from monitor.training.signs import learn
from monitor.training.written import GROUPS, SLOT, SLOTS, Written, written

TEXT = Written("threat", "{Groups} will burn on {day}.", "asserts", "group", 1, 1, 0, 4)


def test_our_text_keeps_the_codebook() -> None:
    texts = list(written())  # raises, with file and line, for one that does not
    assert len({text.text for text in texts}) == len(texts)
    assert {text.lang for text in texts} == {"en", "es"}
    # Every stance and level is said in many ways, harm as often as its harmless twin.
    assert min(Counter(text.level for text in texts).values()) >= 100
    assert 0.3 < sum(text.hate or text.violence for text in texts) / len(texts) < 0.6


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"stance": "thinks"}, "stance"),
        ({"stance": "reports"}, "cannot score"),
        ({"level": 2}, "violence is 1 exactly"),
        ({"target_kind": "institution"}, "members of a group"),
        ({"text": "{folks} will burn."}, "folks"),
        ({"lang": "fr"}, "lang"),
        ({"hate": 0, "dehumanising": 1}, "dehumanising"),
        ({"signs": ["H1"]}, "signs are of"),
        ({"level": 1, "violence": 0, "signs": ["H3"]}, "at least level 2"),
        ({"level": 2, "violence": 0}, "has a sign"),
    ],
)
def test_a_line_against_the_codebook_is_refused(wrong: dict[str, object], says: str) -> None:
    assert TEXT.fault() is None
    fault = replace(TEXT, **wrong).fault()  # type: ignore[arg-type]
    assert fault is not None
    assert says in fault


def test_what_nobody_coded_has_no_answer_and_what_is_harmless_has_no_sign() -> None:
    assert TEXT.carries() == {"threat": 1}
    threat = replace(TEXT, signs=("H7",)).carries()
    assert [sign for sign in SIGNS if threat[sign]] == ["threat", "H7"]
    harmless = replace(TEXT, family="news", hate=0, violence=0, level=0, target_kind="none")
    assert harmless.carries() == dict.fromkeys(SIGNS, 0)
    example = Example("x", hate=1, signs={"H7": 1, "H8": 0})
    assert [example.answer(of) for of in ("H7", "H8", "H9", "hate")] == [1, 0, None, 1]


def test_heads_for_signs_learn_without_changing_the_reader() -> None:
    """On the reader that ships, whose own heads stay: what is told by few words is learned."""
    carrying = [text for text in written() if text.signs and "H3" in text.signs][:60]
    harmless = [text for text in written() if not any(text.carries().values())][:180]
    chance = random.Random(1)
    some = [
        Example(text.filled(chance), signs=text.carries(), family=text.family)
        for text in (*carrying, *harmless)
    ]
    stored = unpacked(load_file(PACKAGED / WEIGHTS))
    weights = {name: each for name, each in stored.items() if not name.startswith(OF_SIGNS)}
    found = learn(weights, [*some, Example("nobody has said")], seed=1)
    assert found.keys() == {OF_SIGNS + name for name in HEAD_WEIGHTS}
    assert found[OF_SIGNS + "say.bias"].shape == (len(SIGNS),)
    reader = Reader(weights | found).eval()
    said = values(reader, [one.text for one in some])[:, ANSWERS.index("H3")]
    assert roc_auc_score([one.answer("H3") for one in some], said) > 0.95
    with pytest.raises(ValueError, match="No text"):
        learn(weights, [Example("nobody has said")], seed=1)


def test_a_sign_is_taken_where_it_is_likelier_there_than_not_or_never() -> None:
    chance = np.random.default_rng(3)
    examples = [Example(f"text {n}", signs={"H3": int(n < 200), "H8": 0}) for n in range(400)]
    values = chance.normal(size=(len(examples), len(ANSWERS))).astype(np.float32)
    values[:200, ANSWERS.index("H3")] += 6
    others = [sign for sign in SIGNS if sign not in ("H3", "H8")]
    examples[0] = replace(examples[0], signs=examples[0].signs | dict.fromkeys(others, 1))
    examples[1] = replace(examples[1], signs=examples[1].signs | dict.fromkeys(others, 0))
    raw = Calibration((1, 1, 1), (0, 0, 0), 1)
    calibration, at = signs_set(raw, values, examples)
    assert at.keys() == set(SIGNS)
    assert at["H8"] == NEVER  # no text carries it
    assert at["H3"] == 0.5  # right far more often than asked for, and still not below one half
    likely = calibration.probabilities(values)[:, HEADS + SIGNS.index("H3")]
    assert (likely[:200] >= at["H3"]).mean() > 0.95
    assert (likely[200:] >= at["H3"]).mean() < 0.05
    told = measured(calibration.probabilities(values), examples, {"hate": 0.5, "violence": 0.5}, at)
    assert told["sign H3"]["found"] > 0.95
    assert "sign H8" not in told
    assert measured(raw.probabilities(values[:, :HEADS]), examples, {"hate": 0.5}, {}).keys() == {
        "",
        "right about hate, by kind",
    }


def test_a_few_odd_texts_close_no_rare_hallmark() -> None:
    chance = np.random.default_rng(4)
    examples, values = [], chance.normal(size=(460, len(ANSWERS))).astype(np.float32)
    few = ("H4", EXCLUSION)  # eight texts carry them, three more look as if they did
    for n in range(460):
        signs = dict.fromkeys(SIGNS, 0) | {"H3": int(n < 200)}
        examples.append(Example(f"text {n}", signs=signs | dict.fromkeys(few, int(200 <= n < 208))))
        values[n, ANSWERS.index("H3")] += 20 * (n < 200)
        for sign in few:
            values[n, ANSWERS.index(sign)] += 20 * (200 <= n < 211)
    calibration, at = signs_set(Calibration((1, 1, 1), (0, 0, 0), 1), values, examples)
    likely = calibration.probabilities(values)
    assert at["H4"] == at["H3"] < at[EXCLUSION]
    assert (likely[200:208, ANSWERS.index("H4")] >= at["H4"]).all()
    assert not (likely[200:208, ANSWERS.index(EXCLUSION)] >= at[EXCLUSION]).all()


@pytest.mark.parametrize("signed", [True, False])
def test_a_desks_reader_keeps_its_signs_or_has_none_where_nothing_can_set_them(
    tmp_path, signed
) -> None:
    start, made = tmp_path / "start", tmp_path / "made"
    weights = unpacked(load_file(PACKAGED / WEIGHTS))
    card = json.loads((PACKAGED / CARD).read_text(encoding="utf-8"))
    if not signed:
        weights = {name: each for name, each in weights.items() if not name.startswith(OF_SIGNS)}
        del card["thresholds"]["signs"]
    save(start, weights, card)
    texts, held = ours(seed=1)
    material = Material([epoch([], texts[:30], 1)], held[:4])
    card = make(made, material, 1, [start], {"name": "x", "made": "y"}, keep=True)
    kept = load_file(made / WEIGHTS)
    assert any(name.startswith(OF_SIGNS) for name in kept) == signed
    assert ("signs" in card["thresholds"]) == signed
    (read,) = Scorer(made).score(["They will burn."])
    assert ("threat" in read.confidence) == signed


def test_a_case_teaches_the_signs_it_was_coded_with() -> None:
    def signs(**fields: object) -> dict[str, int]:
        coded = MessageFields(target_kind="group", **fields)  # type: ignore[arg-type]
        return _signs(Case(text="x", fields=as_stored(coded), level=message_level(coded)))

    hostile = signs(hallmarks={"H3": 2, "H8": 1})
    assert hostile["H3"] == 1
    assert "H8" not in hostile  # possible: neither yes nor no
    assert {hostile[sign] for sign in SIGNS if sign not in ("H3", "H8")} == {0}
    assert [s for s, one in signs(act="exclude", force="wish").items() if one] == ["exclusion"]
    assert [s for s, one in signs(act="kill", force="urge").items() if one] == ["threat"]
    assert signs(demeaning=True) == dict.fromkeys(SIGNS, 0)


def test_slots_are_filled_and_the_same_one_twice_alike() -> None:
    text = replace(TEXT, text="{Groups}? Yes, {groups}. On {day}, {day}.")
    for seed in range(50):
        said = text.filled(random.Random(seed))
        assert not SLOT.search(said)
        first, second = said.split("? Yes, ")
        assert second.lower().startswith(first.lower())


def test_each_group_stands_as_often_beside_hate_as_beside_none() -> None:
    groups = [many.lower() for many, _ in GROUPS["en"]]
    beside: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    slotted = [text for text in written() if text.lang == "en" and "{groups}" in text.text]
    chance = random.Random(1)
    for text in slotted * 20:
        said = text.filled(chance).lower()
        beside[bool(text.hate)].update(group for group in groups if group in said)
    for group in groups:
        hateful = beside[True][group] / beside[True].total()
        harmless = beside[False][group] / beside[False].total()
        assert 0.5 < hateful / harmless < 2, group


def test_one_text_in_twenty_shows_an_emoji_of_people_and_says_what_it_said() -> None:
    posts = [Example(f"Post number {n}", hate=n % 2, set="edos_train") for n in range(4_000)]
    shown = {0: 0, 1: 0}
    for read in epoch(posts, [], seed=3):
        if read.set == "edos_train" and any(one in read.text for one in SLOTS["emoji"]):
            odd = int(re.findall(r"\d+", read.text)[-1]) % 2
            assert read.hate == odd
            shown[odd] += 1
    for count in shown.values():  # whatever the answer is
        assert 0.03 < count / 2_000 < 0.07


def test_nothing_held_back_is_trained_on(tmp_path) -> None:
    rows = [
        {"set": name, "id": n, "text": f"{name} says {n % 40}", "y_hate": n % 2, "y_violence": None}
        for name in ("edos_train", "edos_dev", "davidson")
        for n in range(60)
    ]
    rows.append({"set": "edos_train", "id": "twin", "text": "edos_dev says 3", "y_hate": 1})
    path = tmp_path / "posts.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    train, held = public([path])
    assert not {one.text for one in train} & {one.text for one in held}
    assert {one.set for one in held} == {"edos_dev", "davidson"}
    assert 0 < sum(one.set == "davidson" for one in held) < 20
    texts, ours_held = ours(seed=1)
    pairs = {(text.lang, text.pair) for text in texts if text.pair}
    held_pairs = {
        (text.lang, text.pair)
        for text in written()
        if text.pair and (text.lang, text.pair) not in pairs
    }
    assert held_pairs
    assert len(texts) + len(ours_held) == len(list(written()))


@pytest.mark.parametrize(
    "line", ['{"set": "a", "id": 1, "text": "x", "y_hate": 2}', '{"id": 1}', "no JSON", "[]"]
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, line: str) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_text('{"set": "a", "id": 0, "text": "x", "y_hate": 0}\n' + line)
    with pytest.raises(ValueError, match=r"posts\.jsonl, line 2"):
        public([path])


def test_hate_in_anothers_mouth_is_none() -> None:
    hateful = Example("They are vermin.", hate=1, violence=None, set="edos_train")
    seen = list(framed([hateful] * 200, random.Random(2), held_back=False))
    assert {one.stance for one in seen} == {"asserts", "condemns", "reports"}
    for one in seen:
        assert "They are vermin." in one.text
        assert one.hate == (one.stance == "asserts")
    tried = {one.text for one in framed([hateful] * 200, random.Random(2), held_back=True)}
    assert tried
    assert not tried & {one.text for one in seen}


def test_an_epoch_is_repeatable_and_the_next_is_another() -> None:
    posts = [Example(f"post {n} about it", hate=n % 2, set="edos_train") for n in range(300)]
    texts = ours(seed=1)[0][:40]
    assert epoch(posts, texts, 3) == epoch(posts, texts, 3)
    assert epoch(posts, texts, 3) != epoch(posts, texts, 4)
    assert {one.text for one in posts} - {one.text for one in epoch(posts, texts, 3)}  # slips


def test_ordinary_posts_are_those_about_no_event_half_of_them_held_back(tmp_path) -> None:
    rows = [{"text": f"Nice weather on day {n}", "cluster": "NOISE"} for n in range(200)]
    rows += [{"text": "A bomb at the race", "cluster": "race"}, {"text": "No event is told here"}]
    file = tmp_path / "stream.jsonl"
    file.write_text("\n".join(map(json.dumps, [*rows, rows[0]])), encoding="utf-8")
    train, held = ordinary([file])
    told = [re.sub(r"^[^A-Z]+|\W+$", "", one.text) for one in (*train, *held)]  # some show an emoji
    assert sorted(told) == sorted({row["text"] for row in rows} - {"A bomb at the race"})
    assert {(one.hate, one.violence) for one in (*train, *held)} == {(0, 0)}
    assert 60 < len(train) < 140
    assert ordinary([file]) == (train, held)
    file.write_text('{"text": "well"}\n["text"]', encoding="utf-8")
    with pytest.raises(ValueError, match=r"stream\.jsonl, line 2"):
        ordinary([file])
