"""Fine-tuning the careful reader: the packaged encoder, end to end, with heads on its tokens.

Each head is an attention over the tokens: which count, and what each says. Their products are the
evidence shown to a person, so that what is shown is what was added up. What a larger model says
of a text (``teacher``) is learned beside its labels, if it is known.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoModel

from monitor.embedding.embed import legible, packaged_folder
from monitor.reading.careful import ANSWERS, HEADS, QUESTIONS, SIGNS, STANCES
from monitor.reading.plain import plain
from monitor.training.posts import Example

TOKENS = 96  # a post has 25 on average; longer ones are cut in training only
WARM = 0.08  # of all steps, until the learning rate is at its peak; then it falls to nothing
GOING_ON = 0.7  # of the peak, for a reader that has learned before
DECAY = 0.01
# How much a head's loss counts; of threats there are few, so each counts more.
WEIGHTS = {"hate": 1.0, "violence": 1.5, "dehumanising": 0.7, "stance": 1.0, "signs": 1.0}
RARE = {"hate": 1.0, "violence": 3.0, "dehumanising": 2.0, "signs": 4.0}
DROPOUT = 0.1
SMOOTH = 0.02  # labels are people's, and people err
# Where a teacher has said something it counts for so much, the labels for the rest. Divided by
# SOFT, what it takes for unlikely is told from what it takes for impossible (Hinton et al. 2015).
TAUGHT = 0.5
SOFT = 2.0


@dataclass(frozen=True)
class Course:
    """How a model learns: ``peak`` and ``heads`` are the learning rates of its body and heads."""

    peak: float = 1.2e-4
    heads: float = 1.2e-4
    # Padded: some 20 posts. With more of them at a step fewer steps teach less.
    batch_tokens: int = 640


READING = Course()
# Whether the processor itself multiplies numbers of sixteen bits: a step takes half to two thirds.
BRIEF = bool(torch.cpu.get_capabilities().get("amx_bf16"))

log = logging.getLogger(__name__)


class Heads(nn.Module):
    """States of tokens and their mask (b, s, width), (b, s) → one value per head (b, heads)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attend = nn.Linear(width, heads, bias=False)
        self.say = nn.Linear(width, heads)
        self.drop = nn.Dropout(DROPOUT)
        nn.init.zeros_(self.attend.weight)  # all tokens alike at first: the mean

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        states = self.drop(states)
        closed = (mask == 0).unsqueeze(-1)
        attention = self.attend(states).masked_fill(closed, -1e4).softmax(dim=1)
        said: Tensor = (attention * self.say(states)).sum(dim=1)
        return said


class Reader(nn.Module):
    """Token ids and mask (b, s) → a value for each of ``careful.ANSWERS``, (b, answers)."""

    def __init__(
        self, start: Mapping[str, NDArray[np.float32]] | None = None, model: Path | None = None
    ) -> None:
        """``start``: weights of a reader (``careful.unpacked``) to go on from.

        ``model``: the folder of an encoder other than the packaged one.
        """
        super().__init__()
        self.model = model or packaged_folder()
        self.brief = False  # whether the body reckons with numbers of sixteen bits
        self.body = AutoModel.from_pretrained(self.model, local_files_only=True)
        self.words.sparse = True  # of the words only those that are met change
        self.heads = Heads(self.width, HEADS)
        self.signs = Heads(self.width, len(SIGNS))
        if start is not None:
            wanted = self.state_dict()
            named = {name: plain_name(name) for name in wanted}
            wanted |= {
                name: torch.tensor(start[key]) for name, key in named.items() if key in start
            }
            self.load_state_dict(wanted)

    @property
    def width(self) -> int:
        """Numbers in the state of a token."""
        return int(self.body.config.hidden_size)

    @property
    def words(self) -> nn.Embedding:
        table: nn.Embedding = self.body.embeddings.word_embeddings
        return table

    def states(self, ids: Tensor, mask: Tensor) -> Tensor:
        """What the body makes of each token, (b, s, width)."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.brief):
            found: Tensor = self.body(input_ids=ids, attention_mask=mask).last_hidden_state
        return found.float()

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        states = self.states(ids, mask)
        return torch.hstack([self.heads(states, mask), self.signs(states, mask)])


def plain_name(name: str) -> str:
    """Of a weight, as ``careful`` stores it."""
    return name.removeprefix("body.").removeprefix("heads.")


def tokens_of(texts: Sequence[str], model: Path | None = None) -> list[list[int]]:
    """Word pieces as the reader at the desk has them, or another model, cut at TOKENS."""
    tokenizer = Tokenizer.from_file(str((model or packaged_folder()) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS)
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(list(map(_read, texts)))]


@cache  # most texts are read again in every epoch
def _read(text: str) -> str:
    return legible(plain(text).text, knows_emoji=False)


def fit(
    epochs: Sequence[Sequence[Example]],
    seed: int,
    start: Mapping[str, NDArray[np.float32]] | None = None,
    after: Callable[[Reader], None] = lambda reader: None,
    model: Path | None = None,
    course: Course = READING,
) -> Reader:
    """A reader trained on these epochs, each read once; ``after`` each it may be looked at.

    ``start``: weights of a reader (``careful.unpacked``) to go on from. ``model``: the folder of
    an encoder other than the packaged one.
    """
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)  # numbers too small to matter cost a hundred times others
    chance = np.random.default_rng(seed)
    reader = Reader(start, model)
    reader.train()
    read = [tokens_of([one.text for one in epoch], reader.model) for epoch in epochs]
    plans = [batches(ids, chance, course.batch_tokens) for ids in read]
    steps = sum(len(plan) for plan in plans)
    words = reader.words.weight
    body = [each for each in reader.body.parameters() if each is not words]
    heads = [*reader.heads.parameters(), *reader.signs.parameters()]
    slower = 1 if start is None else GOING_ON
    optimisers = [
        torch.optim.AdamW(
            [
                {"params": body, "lr": slower * course.peak},
                {"params": heads, "lr": slower * course.heads},
            ],
            weight_decay=DECAY,
            fused=True,
        ),
        torch.optim.SparseAdam([words], lr=slower * course.peak),
    ]
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(
            one,
            lambda step: min((step + 1) / (WARM * steps), (steps - step) / ((1 - WARM) * steps)),
        )
        for one in optimisers
    ]
    begun, step, mean = time.monotonic(), 0, 0.0
    for epoch, ids, plan in zip(epochs, read, plans, strict=True):
        reader.brief = BRIEF
        for batch in plan:
            loss = _loss(reader(*padded([ids[i] for i in batch])), [epoch[i] for i in batch])
            reader.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_([*body, *heads], 1.0)
            for optimiser, schedule in zip(optimisers, schedules, strict=True):
                optimiser.step()
                schedule.step()
            step, mean = step + 1, 0.98 * mean + 0.02 * float(loss.detach())
            if step % 200 == 0:
                pace = (time.monotonic() - begun) / step
                log.info("step %d of %d, loss %.3f, %.2f s a step", step, steps, mean, pace)
        reader.brief = False
        after(reader.eval())
        reader.train()
    torch.set_flush_denormal(False)  # others in this process may mean them
    return reader.eval()


def values(reader: Reader, texts: Sequence[str]) -> NDArray[np.float32]:
    """What the reader says of each text, before any calibration: (n, ANSWERS)."""
    ids = tokens_of(texts, reader.model)
    found = np.zeros((len(ids), len(ANSWERS)), np.float32)
    with torch.inference_mode():
        for batch in batches(ids, None):
            found[batch] = reader(*padded([ids[i] for i in batch])).numpy()
    return found


def signs_of(examples: Sequence[Example]) -> Tensor:
    """Which of SIGNS each carries, (n, SIGNS); NaN where nobody has said."""
    known = [[one.signs.get(sign, torch.nan) for sign in SIGNS] for one in examples]
    return torch.tensor(known, dtype=torch.float32)


def loss_of_signs(said: Tensor, truth: Tensor) -> Tensor:
    """Of one text, all signs together of which something is known."""
    losses = nn.functional.binary_cross_entropy_with_logits(
        said, truth.nan_to_num(), pos_weight=torch.tensor(RARE["signs"]), reduction="none"
    )
    return (losses * ~truth.isnan()).sum(dim=1).mean()


def padded(ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    longest = max(len(each) for each in ids)
    whole = torch.zeros(len(ids), longest, dtype=torch.long)
    mask = torch.zeros(len(ids), longest, dtype=torch.long)
    for line, each in enumerate(ids):
        whole[line, : len(each)] = torch.tensor(each)
        mask[line, : len(each)] = 1
    return whole, mask


def batches(
    ids: Sequence[Sequence[int]],
    chance: np.random.Generator | None,
    budget: int = READING.batch_tokens,
) -> list[list[int]]:
    """Texts of about one length together, ``budget`` of tokens at most; with ``chance`` mixed."""
    lengths = np.array([len(each) for each in ids], float)
    if chance is not None:
        lengths += chance.uniform(0, 6, len(ids))  # other neighbours in each epoch
    found: list[list[int]] = []
    longest = 0
    for i in np.argsort(lengths):
        longest = max(longest, len(ids[i]))
        if not found or (len(found[-1]) + 1) * longest > budget:
            found.append([])
            longest = len(ids[i])
        found[-1].append(int(i))
    if chance is not None:
        chance.shuffle(found)
    return found


def _loss(said: Tensor, examples: Sequence[Example]) -> Tensor:
    """Of labels, and of what a teacher says where it has said something."""
    of_labels = _loss_of_labels(said, examples)
    known = [(i, one.taught) for i, one in enumerate(examples) if one.taught is not None]
    if not known:
        return of_labels
    answers = torch.tensor(np.stack([taught for _, taught in known]))
    of_teacher = _loss_of_teacher(said[[i for i, _ in known]], answers)
    return (1 - TAUGHT) * of_labels + TAUGHT * of_teacher


def _loss_of_teacher(said: Tensor, taught: Tensor) -> Tensor:
    """Of the reader's values and its teacher's, (b, answers) both."""
    unlike = nn.functional.binary_cross_entropy_with_logits
    asked = len(QUESTIONS)
    soft, ought = said[:, :HEADS] / SOFT, taught[:, :HEADS] / SOFT
    weights = torch.tensor([WEIGHTS[question] for question in QUESTIONS])
    questions = unlike(soft[:, :asked], ought[:, :asked].sigmoid(), reduction="none").mean(dim=0)
    stance = nn.functional.cross_entropy(soft[:, asked:], ought[:, asked:].softmax(dim=1))
    signs = unlike(said[:, HEADS:], taught[:, HEADS:].sigmoid(), reduction="none").sum(dim=1).mean()
    # What is softened pulls with so much less force, by SOFT on either side.
    softened = SOFT**2 * ((questions * weights).sum() + WEIGHTS["stance"] * stance)
    return softened + WEIGHTS["signs"] * signs


def _loss_of_labels(said: Tensor, examples: Sequence[Example]) -> Tensor:
    total: Any = said.sum() * 0
    for column, name in enumerate(QUESTIONS):
        known = [i for i, one in enumerate(examples) if getattr(one, name) is not None]
        if known:
            truth = torch.tensor([float(getattr(examples[i], name)) for i in known])
            total = total + WEIGHTS[name] * nn.functional.binary_cross_entropy_with_logits(
                said[known, column],
                truth * (1 - 2 * SMOOTH) + SMOOTH,
                pos_weight=torch.tensor(RARE[name]),
            )
    known = [i for i, one in enumerate(examples) if one.stance is not None]
    if known:
        truth = torch.tensor([STANCES.index(examples[i].stance or "") for i in known])
        total = total + WEIGHTS["stance"] * nn.functional.cross_entropy(
            said[known, 3:HEADS], truth, label_smoothing=SMOOTH
        )
    known = [i for i, one in enumerate(examples) if one.signs]
    if known:
        some = [examples[i] for i in known]
        total = total + WEIGHTS["signs"] * loss_of_signs(said[known, HEADS:], signs_of(some))
    loss: Tensor = total
    return loss
