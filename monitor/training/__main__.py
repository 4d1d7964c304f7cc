"""Train a reader of incitement: ``python -m monitor.training --data FILE.jsonl --out FOLDER``.

Each line of a file holds set, id, text, y_hate and y_violence (0, 1 or null); ours joins it.
``--ordinary`` names files of posts as they come in a stream, lines with a text: what is learned of
first look and signs beside them takes fewer such posts for dangerous. ``--teacher`` names a folder
made by ``python -m monitor.training.teacher``, whose answers are learned beside the labels.
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

from monitor.embedding.embed import PACKAGED_NAME, PACKAGED_SHA256
from monitor.reading.careful import CARD, PACKAGED
from monitor.training.make import Material, make
from monitor.training.posts import epoch, framed_held, ordinary, ours, public, unsaid
from monitor.training.teacher import Teacher


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, default=PACKAGED)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument(
        "--start", type=Path, nargs="+", default=[], help="readers to go on from: their mean"
    )
    parser.add_argument("--ordinary", type=Path, nargs="+", default=[], help="posts of streams")
    parser.add_argument("--teacher", type=Path, help="whose answers it learns beside the labels")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--day", type=date.fromisoformat, required=True, help="its name")
    options = parser.parse_args(arguments)
    if options.teacher and options.epochs < 1:
        parser.error("--teacher: in no epochs nothing is learned")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        posts, held = public(options.data)
        texts, ours_held = ours(options.seed)
        chance = random.Random(options.seed)
        held = [*held, *ours_held, *framed_held(held, chance)]
        stream, stream_held = ordinary(options.ordinary)
        seeds = range(options.seed, options.seed + options.epochs)
        epochs = [epoch(posts, texts, seed) for seed in seeds]
        teacher = Teacher(options.teacher) if options.teacher else None
        if teacher is not None:
            more = [unsaid(posts, stream, seed) for seed in seeds]
            epochs = teacher.answered(
                [*some, *rest] for some, rest in zip(epochs, more, strict=True)
            )
        material = Material(
            epochs=epochs,
            held=held,
            look_on=epoch(posts, texts, options.seed) if options.epochs < 1 else (),
            ordinary=stream,
            ordinary_held=stream_held,
        )
        card = make(options.out, material, options.seed, options.start, _card(options, teacher))
    except (OSError, ValueError) as fault:
        sys.exit(str(fault))
    print(json.dumps(card, indent=2))


def _card(options: argparse.Namespace, teacher: Teacher | None) -> dict[str, object]:
    before = [
        json.loads((folder / CARD).read_text(encoding="utf-8"))["steps"] for folder in options.start
    ]
    steps = before[0] if len(before) == 1 else [{"mean of": before}] if before else []
    step: dict[str, object] = {"seed": options.seed, "epochs": options.epochs}
    if teacher is not None:
        step["teacher"] = {"model": teacher.name, "sha256": teacher.sha256}
    return {
        "name": f"reader {options.day.isoformat()}",
        "made": options.day.isoformat(),
        "starts_from": {"model": PACKAGED_NAME, "sha256": PACKAGED_SHA256},
        "steps": [*steps, step],
        "data": {
            path.name: _hash(path) for path in [*options.data, *options.ordinary, *_written()]
        },
    }


def _written() -> list[Path]:
    folder = Path(str(files("monitor.training")))
    return [*sorted((folder / "written").glob("*.jsonl")), folder / "frames.json"]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
