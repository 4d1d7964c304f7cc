"""Learning from the desk, really trained: a candidate, measured beside the reader in force."""

import json
import random

import pytest

from monitor.coding import cases, codings
from monitor.coding.codebook import MessageFields
from monitor.models import Reading
from monitor.reading import readers
from monitor.reading.careful import PACKAGED
from monitor.training import audit
from monitor.training import retrain as module
from monitor.training.posts import ours
from monitor.training.retrain import retrain
from tests.monitor.made import Town

HARSH = MessageFields(target_kind="group", hallmarks={"H1": 2})


PAIRS = {f"{kind}{n}" for kind in "dm" for n in range(1, 100, 7)}


@pytest.fixture
def few(monkeypatch, tmp_path):
    """A part of our own text, and of the audit's: all of it takes minutes."""
    alone = {"identity": 3, "lawful": 10, "emoji": 3}
    lines = []
    for line in audit.SET.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        if item["part"] in alone:
            alone[item["part"]] -= 1
        if item.get("pair") in PAIRS or alone.get(item["part"], -1) >= 0:
            lines.append(line)
    some_of_it = tmp_path / "audit.jsonl"
    some_of_it.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(audit, "SET", some_of_it)

    def some(seed):
        train, held = ours(seed)
        chance = random.Random(seed)
        return chance.sample(train, 60), chance.sample(held, 150)

    monkeypatch.setattr(module, "ours", some)


def test_without_a_case_there_is_nothing_to_learn(sessions, now):
    with pytest.raises(ValueError, match="no case"):
        retrain(sessions, [], 1, 1, now)


def test_a_candidate_is_made_measured_and_waits(sessions, say, now, few, tmp_path):
    with sessions.begin() as session:
        for n in range(20):
            cases.teach(session, f"Case {n}: the ferrymen are rats", HARSH, 1, now)
    town = Town(sessions, say, now)
    posts = town.tell("bridge", 12)
    town.read()
    with sessions.begin() as session:
        for post in posts:
            codings.code(session, session.get_one(Reading, post), HARSH, "A code word", 1, now)
    data = tmp_path / "more.jsonl"
    rows = [
        {"set": "more", "id": n, "text": f"Words {n} on the ferry", "y_hate": 0, "y_violence": 0}
        for n in range(30)
    ]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = retrain(sessions, [data], 1, 1, now)
    with sessions.begin() as session:
        one = readers.add(session, made, now)
        assert readers.candidates(session) == [one]
        assert readers.in_force(session) is None  # it waits for a person
    assert one.name == "reader 2026-11-23 15:00 of this desk"
    shipped = readers.shipped().card
    assert one.against == shipped["name"]
    assert one.card["steps"] == [*shipped["steps"], {"seed": 1, "epochs": 1}]
    assert one.card["cases"]["trained on"] + one.card["cases"]["held back"] == 20
    assert list(one.card["data"]) == ["more.jsonl"]
    for name in ("ours", "this desk's cases, held back", "posts people coded"):
        both = one.measured[name]
        assert both["texts"] > 0
        assert both["was"].keys() == both["is"].keys()
    assert one.measured["posts people coded"]["was"]["same_level"] == 0.0
    assert made.weights != (PACKAGED / "reader.safetensors").read_bytes()
