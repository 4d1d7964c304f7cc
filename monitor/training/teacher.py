"""A teacher: ``python -m monitor.training.teacher --model FOLDER --data FILE.jsonl --out FOLDER``.

A larger encoder, too slow for the desk, learns the same texts with the same heads. What it says of
each text is learned by the reader beside the labels (``python -m monitor.training --teacher``): it
tells likely from less likely where a label is 0 or 1, and has an answer where there is no label
(Hinton et al. 2015, "Distilling the Knowledge in a Neural Network").

``--model`` is the folder of any encoder that transformers reads; ours was all-mpnet-base-v2. The
teacher's own folder is one as well, with its heads and a card (``reader.json``) beside.
"""

import argparse
import hashlib
import json
import logging
import random
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from safetensors.torch import load_file, save_file

from monitor.reading.careful import CARD, Floats
from monitor.training.fit import BRIEF, Course, Reader, fit, values
from monitor.training.judge import tried
from monitor.training.posts import Example, epoch, ordinary, ours, public

TEACHING = Course(peak=4e-5, heads=5e-4, batch_tokens=1280)
EPOCHS = 2
ORDINARY = 1_500  # posts of streams an epoch
WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
HEADS_FILE = "heads.safetensors"

log = logging.getLogger(__name__)


class Teacher:
    """A finished teacher; ``name``: of the encoder it began as, ``sha256``: of whose weights."""

    def __init__(self, folder: Path) -> None:
        """OSError or ValueError where the folder holds none."""
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        self.name, self.sha256 = str(card["model"]), str(card["sha256"])
        self.reader = Reader(model=folder)
        self.reader.load_state_dict(self.reader.state_dict() | load_file(folder / HEADS_FILE))
        self.reader.eval()
        self.reader.brief = BRIEF

    def answered(self, epochs: Iterable[Sequence[Example]]) -> list[list[Example]]:
        """The same examples, each with what the teacher says of it."""
        read = [list(each) for each in epochs]
        texts = list({one.text: None for each in read for one in each})
        log.info("%s answers %d texts", self.name, len(texts))
        said: dict[str, Floats] = dict(zip(texts, values(self.reader, texts), strict=True))
        return [[replace(one, taught=said[one.text]) for one in each] for each in read]


def save(reader: Reader, folder: Path, card: dict[str, object]) -> None:
    """``card``: at least its ``model`` and ``sha256``, as ``Teacher`` has them."""
    folder.mkdir(parents=True, exist_ok=True)
    reader.body.save_pretrained(folder)
    shutil.copyfile(reader.model / TOKENIZER, folder / TOKENIZER)
    heads = {
        name: weights
        for name, weights in reader.state_dict().items()
        if not name.startswith("body.")
    }
    save_file(heads, folder / HEADS_FILE)
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--ordinary", type=Path, nargs="+", default=[], help="posts of streams")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--day", type=date.fromisoformat, required=True)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        posts, held = public(options.data)
        texts, ours_held = ours(options.seed)
        stream, _ = ordinary(options.ordinary)
        sha256 = hashlib.sha256((options.model / WEIGHTS).read_bytes()).hexdigest()
    except (OSError, ValueError) as fault:
        sys.exit(str(fault))
    held += ours_held
    epochs = [
        [
            *epoch(posts, texts, seed),
            *random.Random(seed).sample(stream, min(ORDINARY, len(stream))),
        ]
        for seed in range(options.seed, options.seed + EPOCHS)
    ]
    reader = fit(epochs, options.seed, model=options.model, course=TEACHING)
    card = {
        "model": options.model.name,
        "sha256": sha256,
        "made": options.day.isoformat(),
        "seed": options.seed,
        "held_back": tried(values(reader, [one.text for one in held]), held),
    }
    save(reader, options.out, card)
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()
