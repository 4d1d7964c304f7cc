"""Making a reader: trained, calibrated on text held back as the desk runs it, and measured."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import nn

from monitor.embedding.encoder import load_fast
from monitor.reading.careful import (
    CARD,
    LOOK,
    OF_SIGNS,
    WEIGHTS,
    CarefulReader,
    Floats,
    first_look,
    save,
    unpacked,
)
from monitor.reading.cued import seems_alarming
from monitor.reading.incitement import Scorer
from monitor.training.fit import Reader, fit, plain_name, values
from monitor.training.judge import (
    calibrate,
    first_half,
    measured,
    reliability,
    signs_set,
    thresholds,
    tried,
)
from monitor.training.posts import Example
from monitor.training.signs import learn

UNUSUAL = {"framed", "davidson"}
LOOK_WIDTH = 64
LOOK_DROPOUT, LOOK_DECAY, LOOK_RATE = 0.3, 0.01, 1e-3
LOOK_EPOCHS, LOOK_BATCH = 12, 256
RAREST = 20.0  # no answer weighs more than so many of its opposite
UNCALIBRATED = {"slopes": (1.0, 1.0, 1.0), "offsets": (0.0, 0.0, 0.0), "temperature": 1.0}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Material:
    """What a reader is made of.

    ``epochs``: what is read in each; without any the body stays as it is. ``held``: what is held
    back, to set calibration and thresholds and to measure. ``look_on``: without epochs, what the
    small parts (first look, heads for signs) learn from. ``ordinary``: posts of streams that these
    learn from as well, and ``ordinary_held``: such posts held back.
    """

    epochs: Sequence[Sequence[Example]]
    held: Sequence[Example]
    look_on: Sequence[Example] = ()
    ordinary: Sequence[Example] = ()
    ordinary_held: Sequence[Example] = ()

    @property
    def for_small_parts(self) -> list[Example]:
        """What the first look and the heads for signs learn from."""
        return [*(self.epochs[-1] if self.epochs else self.look_on), *self.ordinary]


def make(
    folder: Path,
    material: Material,
    seed: int,
    start: Sequence[Path],
    card: Mapping[str, Any],
    keep: bool = False,
) -> dict[str, Any]:
    """Train a reader and write it to ``folder``; its whole card.

    ``start``: folders with a reader to go on from, or several, whose mean it is. Heads for
    signs are trained on and it is calibrated
    anew. The first look is trained anew where there are ordinary posts, or none to keep; without
    them half of a stream passes. ``card``: what is known of it beforehand: name, day, data.
    ``keep``: calibration and thresholds of ``start`` stay: there is no text here like that of a
    stream to set them by. ValueError where there is nothing to train on nor to start from.
    """
    held = material.held
    weights = _mean([unpacked(load_file(folder / WEIGHTS)) for folder in start])
    if material.epochs:

        def after(reader: Reader) -> None:
            for name, figures in tried(values(reader, [one.text for one in held]), held).items():
                log.info("%s: %s", name, figures)
            save(folder, _weights(reader), {"name": f"half trained {card['made']}"})

        weights = _weights(fit(material.epochs, seed, weights or None, after))
    elif not weights:
        raise ValueError("No epochs and no reader to start from: there is nothing to do.")
    if start and not material.ordinary:
        weights |= {name: load_file(start[0] / WEIGHTS)[name] for name in LOOK}
    else:
        weights |= _first_look(material.for_small_parts, seed)
    if keep:
        before = json.loads((start[0] / CARD).read_text(encoding="utf-8"))
        kept = {name: before[name] for name in ("calibration", "thresholds")}
        if "signs" not in kept["thresholds"]:  # trained before there were any: nothing sets them
            weights = {k: each for k, each in weights.items() if not k.startswith(OF_SIGNS)}
        whole = dict(card) | kept | {"held_back": len(held)}
        save(folder, weights, whole)
        return whole
    weights |= learn(weights, material.for_small_parts, seed)
    whole = dict(card) | {"held_back": len(held), "calibration": UNCALIBRATED}
    save(folder, weights, whole)
    # From here on as the desk runs it: bytes for weights, ONNX Runtime.
    reader = CarefulReader(folder)
    answers = reader.values([one.text for one in held])
    half = first_half(held)
    # Frames held back are few, and Davidson's annotators drew another line: they set nothing but
    # the signs, of which frames that only tell have none.
    usual = np.array([one.set not in UNUSUAL for one in held])
    setting = [one for one, mine in zip(held, half & usual, strict=True) if mine]
    others = [one for one, mine in zip(held, half, strict=True) if not mine]
    calibration = calibrate(answers[half & usual], setting)
    ordinary_half = [one for one in material.ordinary_held if first_half([one])[0]]
    calibration, signs = signs_set(
        calibration,
        np.vstack([answers[half], reader.values([one.text for one in ordinary_half])]),
        [*(one for one, mine in zip(held, half, strict=True) if mine), *ordinary_half],
    )
    probabilities = calibration.probabilities(answers)
    vectors = load_fast().embed([one.text for one in setting])
    looks = first_look(weights, vectors)
    alarmed = [seems_alarming(one.text) for one in setting]
    whole["calibration"] = calibration.__dict__
    whole["thresholds"] = thresholds(probabilities[half & usual], looks, alarmed, setting)
    whole["measured"] = measured(probabilities[~half], others, whole["thresholds"], signs)
    whole["thresholds"]["signs"] = signs
    whole["reliability"] = reliability(
        probabilities[~half & usual],
        [one for one, mine in zip(held, ~half & usual, strict=True) if mine],
    )
    save(folder, weights, whole)
    if material.ordinary_held:
        share = _passing(folder, [one.text for one in material.ordinary_held])
        whole["stream"] = {"texts": len(material.ordinary_held), "passed": round(share, 3)}
        save(folder, weights, whole)
    return whole


def _passing(folder: Path, texts: Sequence[str]) -> float:
    """The share of texts that the first look of the reader in a folder lets through."""
    scorer = Scorer(folder)
    looks = scorer.look(load_fast().embed(texts))
    return float(np.mean([scorer.could_matter(*one) for one in zip(looks, texts, strict=True)]))


def _mean(readers: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Of each weight that all have in the same shape, but for the first look's.

    Heads for signs that only some have are left out, and fitted anew.
    """
    names = set.intersection(*(set(one) for one in readers)) if readers else set()
    return {
        name: np.mean([one[name] for one in readers], axis=0, dtype=np.float32)
        for name in sorted(names - set(LOOK))
    }


def _weights(reader: Reader) -> dict[str, Floats]:
    found = reader.state_dict().items()
    return {plain_name(name): each.numpy() for name, each in found}


def _first_look(examples: Sequence[Example], seed: int) -> dict[str, Floats]:
    """A small net from the vectors that every post has anyway to hate and violence."""
    torch.manual_seed(seed)
    vectors = torch.tensor(load_fast().embed([one.text for one in examples]))
    labels = [[one.hate, one.violence] for one in examples]
    known = torch.tensor([[label is not None for label in both] for both in labels])
    truth = torch.tensor([[float(label or 0) for label in both] for both in labels])
    # Each answer weighs as much as its opposite, however rare it is.
    rare = ((known * (1 - truth)).sum(0) / truth.sum(0)).clamp(max=RAREST)
    net = nn.Sequential(
        nn.Linear(vectors.shape[1], LOOK_WIDTH),
        nn.ReLU(),
        nn.Dropout(LOOK_DROPOUT),
        nn.Linear(LOOK_WIDTH, truth.shape[1]),
    )
    optimiser = torch.optim.AdamW(net.parameters(), lr=LOOK_RATE, weight_decay=LOOK_DECAY)
    for _ in range(LOOK_EPOCHS):
        for rows in torch.split(torch.randperm(len(vectors)), LOOK_BATCH):
            losses = nn.functional.binary_cross_entropy_with_logits(
                net(vectors[rows]), truth[rows], pos_weight=rare, reduction="none"
            )
            optimiser.zero_grad()
            (losses * known[rows]).mean().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    names = ("first.weight", "first.bias", "second.weight", "second.bias")
    found = [each.detach().numpy() for each in net.parameters()]
    return dict(zip(names, found, strict=True))
