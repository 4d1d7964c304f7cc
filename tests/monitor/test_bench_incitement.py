"""The benchmark of scoring runs, and its lines say what they should. Invented sentences only."""

import json

import numpy as np
import pytest

from monitor.training.posts import ours
from tests.bench import incitement as bench
from tests.bench.incitement import Answer, calibration_error, main, of_question, recall_at

# (text, y_hate, y_violence, class)
POSTS = [
    ("The Ardans are rats overrunning us", 1, 0, "dehumanising"),
    ("These Ardans are vermin, every one of them", 1, 0, "dehumanising"),
    ("I am going to kill every Ardan on this street", 1, 1, "threat"),
    ("Ardans should be shot at the bridge tomorrow", 1, 1, "threat"),
    ("The bus to the bridge is late again", 0, 0, "everyday"),
    ("The library on this street opens at nine", 0, 0, "everyday"),
    ("Nobody should call the Ardans vermin, it is wrong", 0, 0, "counter-speech"),
    ("We bake bread with the Ardans every Sunday", 0, 0, "counter-speech"),
]
FIGURES = ("average_precision", "recall_at_1_percent_false", "macro_f1", "calibration_error")


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def labelled(name, posts=POSTS):
    return [
        {"set": name, "id": str(n), "text": text, "y_hate": hate, "y_violence": violence}
        for n, (text, hate, violence, _) in enumerate(posts)
    ]


@pytest.fixture
def said(tmp_path, capsys):
    """What a run over two files says, and the scores it writes."""
    tried = labelled("tried_dev")
    for row, (_, _, _, kind) in zip(tried, POSTS, strict=True):
        row["class"] = kind
    train = labelled("made_train", [(f"{text}!", *rest) for text, *rest in POSTS * 2])
    train += labelled("made_dev", [(f"{text}?", *rest) for text, *rest in POSTS])
    train.append({**train[-1], "set": "made_train"})  # held back there, so not trained on here
    plain = [{"text": "Snow fell on the hills."}, {"text": "The hills are white, it says."}]
    scores = tmp_path / "scores.jsonl"
    data = [
        write(tmp_path / name, rows)
        for name, rows in (("tried.jsonl", tried), ("both.jsonl", train), ("plain.jsonl", plain))
    ]
    main(["--data", *data, "--train", data[1], "--scores", str(scores)])
    return lines(capsys), [json.loads(line) for line in scores.read_text().splitlines()]


def test_a_line_for_each_set_and_the_scores(said):
    printed, scores = said
    files = {line["file"]: line for line in printed if "sets" in line}
    assert files["both.jsonl"]["left_out_as_trained_on"] == 17  # never a row trained on
    found = {(line["set"], line["method"]): line for line in printed if "set" in line}
    methods = dict.fromkeys(method for _, method in found)
    scorer = next(line["scorer"] for line in printed if "scorer" in line)
    assert len(methods) == 3
    assert next(iter(methods)) == scorer
    assert {name for name, _ in found} == {"tried_dev", "made_dev", "plain"}

    ours = found["tried_dev", scorer]
    assert ours["texts"] == 8
    for question in ("hate", "violence"):
        assert {f"{question}_{figure}" for figure in FIGURES} <= set(ours)
        assert 0 <= ours[f"{question}_average_precision"] <= 1
    assert {"hate_macro_f1_at_threshold", "read_with_care", "peak_mb"} <= set(ours)
    assert ours["violence_recall"] is not None
    assert set(ours["classes"]) == {"dehumanising", "threat", "everyday", "counter-speech"}
    assert ours["worst_class"]["class"] in ours["classes"]
    assert ours["classes"]["threat"]["texts"] == 2
    assert {"cascade", "embedding", "cues"} <= set(ours["speeds"]["posts_per_second"])
    for method in methods:
        assert found["tried_dev", method]["hate_macro_f1"] is not None
        unlabelled = found["plain", method]
        assert all(unlabelled[f"violence_{figure}"] is None for figure in FIGURES)

    assert [one["id"] for one in scores[:8]] == [str(n) for n in range(8)]
    assert len(scores) == 8 + 8 + 2
    keys = {"set", "threat_level", "stance", "confidence", "hate", "violence", "read_with_care"}
    for one in scores:
        assert keys <= set(one)
        assert one["fields"]["target_groups"] == []
        assert one["level"] == 0 or one["reasons"][0]["end"] > one["reasons"][0]["start"]


def test_our_own_text_has_a_line_for_each_family(tmp_path, capsys, monkeypatch):
    train, held = ours(0)
    monkeypatch.setattr(bench, "ours", lambda seed: (train, held[::20]))
    monkeypatch.setattr(bench, "FRAMED", 40)
    monkeypatch.setattr(bench, "TIMED", 8)
    main(["--data", write(tmp_path / "a.jsonl", labelled("a_dev")), "--written"])
    found = [line for line in lines(capsys) if line.get("file") == "written"]
    assert {"ours", "framed"} <= {line["set"] for line in found}
    families = [line for line in found if "family" in line]
    assert all(line["texts"] and "hate_accuracy" in line for line in families)


def test_a_line_that_cannot_be_read_is_named(tmp_path):
    path = write(tmp_path / "bad.jsonl", [*labelled("a")[:1], {"text": "Snow.", "y_hate": 2}])
    with pytest.raises(SystemExit, match="line 2"):
        main(["--data", path])


def test_figures():
    truth = np.array([0.0] * 100 + [1.0] * 4)
    rank = np.arange(104) / 104
    rank[100] = 0.5  # one that 49 others rank above
    assert recall_at(truth, rank) == 0.75
    half = np.repeat([0.0, 1.0], 50)
    assert calibration_error(half, half) == 0
    assert calibration_error(half, 1 - half) == 1
    found = of_question("hate", [1, 0, float("nan")], Answer(rank[:3], rank[:3], rank[:3] < 0))
    assert found["hate_known"] == 2
    assert found["hate_recall"] == 0
    assert found["hate_precision"] is None
    assert found["hate_average_precision"] == 0.5
