"""The heads for signs of dangerous speech, fitted anew to a finished reader, which stays as it is.

A mean of readers has another body than the one that its heads for signs were trained with, or none:
readers trained before there were any.
"""

import logging
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from monitor.reading.careful import HEAD_WEIGHTS, OF_SIGNS, Floats
from monitor.training.fit import (
    Reader,
    batches,
    loss_of_signs,
    padded,
    signs_of,
    tokens_of,
)
from monitor.training.posts import Example

EPOCHS, RATE, DECAY = 12, 2e-3, 0.01

log = logging.getLogger(__name__)


def learn(
    weights: Mapping[str, Floats], examples: Sequence[Example], seed: int
) -> dict[str, Floats]:
    """The weights of a head for each of SIGNS, on the states of the reader with ``weights``.

    It goes on from the heads that these weights hold, if any. Texts of whose signs nobody has said
    anything are left out. ValueError where none is left.
    """
    some = [one for one in examples if one.signs]
    if not some:
        raise ValueError("No text says which signs it carries.")
    torch.manual_seed(seed)
    reader = Reader(weights).eval()
    ids = tokens_of([one.text for one in some])
    read: list[tuple[Tensor, Tensor, Tensor]] = []
    for batch in batches(ids, None):
        tokens, mask = padded([ids[i] for i in batch])
        truth = signs_of([some[i] for i in batch])
        with torch.inference_mode():
            read.append((reader.states(tokens, mask).half(), mask, truth))
    heads = reader.signs.train()
    optimiser = torch.optim.AdamW(heads.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * len(read)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / steps)
    for epoch in range(EPOCHS):
        total = 0.0
        for n in torch.randperm(len(read)).tolist():
            states, mask, truth = read[n]
            loss = loss_of_signs(heads(states.float(), mask), truth)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        log.info("signs, epoch %d of %d, loss %.4f", epoch + 1, EPOCHS, total / len(read))
    found = {name: each.detach().numpy() for name, each in heads.state_dict().items()}
    return {OF_SIGNS + name: found[name] for name in HEAD_WEIGHTS}
