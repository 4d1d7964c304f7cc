"""Train a reader of incitement: ``python -m monitor.training --data FILE.jsonl --out FOLDER``.

Each line of a file holds set, id, text, y_hate and y_violence (0, 1 or null); ours joins it.
Beside the weights stand the base model, seed, hashes of the data, thresholds, figures and date.
"""

import argparse
import hashlib
import json
import logging
import random
import sys
from collections.abc import Sequence
from datetime import date
from importlib.resources import files
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from sklearn.linear_model import LogisticRegression

from monitor.careful import CARD, PACKAGED, WEIGHTS, CarefulReader, Floats, save, unpacked
from monitor.cued import seems_alarming
from monitor.embed import PACKAGED_NAME, PACKAGED_SHA256
from monitor.encoder import load_fast
from monitor.training.fit import Reader, fit, values
from monitor.training.judge import calibrate, first_half, measured, thresholds, tried
from monitor.training.posts import FRAMED_WORDS, Example, epoch, framed, ours, public

FRAMED_HELD = 400  # hateful posts held back, in another's mouth
UNUSUAL = {"framed", "davidson"}
UNCALIBRATED = {"slopes": (1.0, 1.0, 1.0), "offsets": (0.0, 0.0, 0.0), "temperature": 1.0}

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, default=PACKAGED)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--start", type=Path, help="a folder with a reader to go on from")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--day", type=date.fromisoformat, required=True, help="its name")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        posts, held = public(options.data)
        texts, ours_held = ours(options.seed)
    except (OSError, ValueError) as fault:
        sys.exit(str(fault))
    chance = random.Random(options.seed)
    hateful = [one for one in held if one.hate and len(one.text.split()) <= FRAMED_WORDS]
    held += ours_held
    held += framed(chance.sample(hateful, min(FRAMED_HELD, len(hateful))), chance, held_back=True)
    start, before = None, []
    if options.start:
        start = unpacked(load_file(options.start / WEIGHTS))
        before = json.loads((options.start / CARD).read_text(encoding="utf-8"))["steps"]

    def after(reader: Reader) -> None:
        for name, figures in tried(values(reader, [one.text for one in held]), held).items():
            log.info("%s: %s", name, figures)
        save(options.out, _weights(reader), {"name": f"half trained {options.day}"})

    read = [epoch(posts, texts, options.seed + n) for n in range(options.epochs)]
    if read:
        weights = _weights(fit(read, options.seed, start, after)) | _first_look(read[-1])
    elif start:
        weights = dict(start)  # only calibrated anew
    else:
        sys.exit("No epochs and no reader to start from: there is nothing to do.")
    day = options.day.isoformat()
    card = {
        "name": f"reader {day}",
        "made": day,
        "starts_from": {"model": PACKAGED_NAME, "sha256": PACKAGED_SHA256},
        "steps": [*before, {"seed": options.seed, "epochs": options.epochs}],
        "data": {path.name: _hash(path) for path in [*options.data, *_written()]},
        "held_back": len(held),
        "calibration": UNCALIBRATED,
    }
    save(options.out, weights, card)
    # From here on as the desk runs it: bytes for weights, ONNX Runtime.
    answers = CarefulReader(options.out).values([one.text for one in held])
    half = first_half(held)
    # Frames held back are few, and Davidson's annotators drew another line: measured, not set by.
    usual = np.array([one.set not in UNUSUAL for one in held])
    setting = [one for one, mine in zip(held, half & usual, strict=True) if mine]
    others = [one for one, mine in zip(held, half, strict=True) if not mine]
    calibration = calibrate(answers[half & usual], setting)
    probabilities = calibration.probabilities(answers)
    vectors = load_fast().embed([one.text for one in setting])
    looks = 1 / (1 + np.exp(-(vectors @ weights["first.weight"].T + weights["first.bias"])))
    alarmed = [seems_alarming(one.text) for one in setting]
    at = thresholds(probabilities[half & usual], looks, alarmed, setting)
    card["calibration"] = calibration.__dict__
    card["thresholds"] = at
    card["measured"] = measured(probabilities[~half], others, at)
    save(options.out, weights, card)
    print(json.dumps(card, indent=2))


def _weights(reader: Reader) -> dict[str, Floats]:
    found = reader.state_dict().items()
    return {name.removeprefix("body."): each.numpy() for name, each in found}


def _first_look(examples: Sequence[Example]) -> dict[str, Floats]:
    """A line for hate and one for violence through the vectors that every post has anyway."""
    vectors = load_fast().embed([one.text for one in examples])
    lines = []
    for question in ("hate", "violence"):
        rows = [n for n, one in enumerate(examples) if getattr(one, question) is not None]
        truth = [getattr(examples[n], question) for n in rows]
        model = LogisticRegression(C=10, max_iter=500, class_weight="balanced")
        lines.append(model.fit(vectors[rows], truth))
    return {
        "first.weight": np.vstack([line.coef_ for line in lines]).astype(np.float32),
        "first.bias": np.hstack([line.intercept_ for line in lines]).astype(np.float32),
    }


def _written() -> list[Path]:
    folder = Path(str(files("monitor.training")))
    return [*sorted((folder / "written").glob("*.jsonl")), folder / "frames.json"]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
