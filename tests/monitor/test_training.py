"""What the reader learns from: our text keeps the codebook, and nothing tried was trained on."""

import json
import random
from collections import Counter
from dataclasses import replace

import pytest

from monitor.training.posts import Example, epoch, framed, ours, public
from monitor.training.written import GROUPS, SLOT, Written, written

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
    ],
)
def test_a_line_against_the_codebook_is_refused(wrong: dict[str, object], says: str) -> None:
    assert TEXT.fault() is None
    fault = replace(TEXT, **wrong).fault()  # type: ignore[arg-type]
    assert fault is not None
    assert says in fault


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
