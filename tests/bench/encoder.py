"""The fast encoder beside its reference: ``python -m tests.bench.encoder [--data POSTS.jsonl]``.

One JSON line per method: posts a second by the clock and by the processor (the latter is the one
to trust on a busy machine), seconds to load, peak memory, and fidelity to the reference: mean
and least cosine, percent of texts whose nearest neighbour is the same one. ``alone`` is the least
cosine between a text's vector in its batch and the same text embedded alone.

Each method has a process of its own; batches alternate between them, so that what else the
machine does falls on both. The texts are distinct: the fast path embeds equal ones once.
"""

import argparse
import json
import multiprocessing
import random
import resource
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SEED = 7
BATCH = 256  # posts the desk reads at once
ALONE = 100  # texts embedded alone too
METHODS = ("sentence-transformers", "onnxruntime int8")  # the first is the reference

PLACES = (
    "Maple Street",
    "the north bridge",
    "Harlow",
    "the county hall",
    "Saint Anne's",
    "Route 9",
)
SUBJECTS = {
    "bus": ("the night bus", "line 12", "the school bus", "every second bus", "the bus drivers"),
    "flood": ("the river", "flood water", "the new dam", "the storm drain", "rain since Monday"),
    "vote": ("the ballot count", "the polling place", "a drop box", "the county clerk", "turnout"),
    "fire": ("the warehouse fire", "smoke", "the fire brigade", "a burned car", "the old mill"),
    "clinic": ("the free clinic", "the vaccine van", "our only doctor", "the emergency room"),
    "rumour": ("that video", "the so-called leak", "a screenshot", "the rumour", "one account"),
}
VERBS = {
    "bus": (
        "is late again",
        "was cancelled without a word",
        "now costs three dollars",
        "broke down",
    ),
    "flood": ("has reached the first houses", "is rising by an inch an hour", "took the footpath"),
    "vote": ("was moved at the last minute", "goes on past midnight", "is open until eight"),
    "fire": ("can be seen for miles", "is under control they say", "closed both lanes"),
    "clinic": ("turns people away", "will close in spring", "has a line around the block"),
    "rumour": ("is from another country", "was cut in the middle", "has no source at all"),
}
ENDS = (
    "near {place}", "and nobody from {place} picks up the phone", "while the mayor looks away",
    "says my neighbour in {place}", "for the third time this week", "so please stay home tonight",
    "and I have the pictures to prove it", "which is not what they told us in {place}",
)  # fmt: skip
SIGNS = (
    "",
    "",
    "",
    "",
    " #{topic}",
    " https://example.org/{number}",
    " @{topic}{number}",
    " 🔥",
    " 😡😡",
)


def invented(count: int, seed: int = SEED) -> list[str]:
    """Distinct posts of about 25 word pieces in the mean: many short ones, a few very long."""
    rng = random.Random(seed)
    made: dict[str, None] = {}
    while len(made) < count:
        topic = rng.choice(tuple(SUBJECTS))
        sentences = rng.choices((1, 2, 3, 5, 16), weights=(80, 15, 3, 1, 1))[0]
        said = []
        for _ in range(sentences):
            parts = [rng.choice(SUBJECTS[topic]), rng.choice(VERBS[topic])]
            parts += rng.sample(ENDS, rng.choice((0, 1, 1, 2)))
            said.append(" ".join(parts).capitalize() + rng.choice((".", "!", "?!", " …")))
        text = " ".join(said) + rng.choice(SIGNS)
        place, number = rng.choice(PLACES), rng.randrange(10_000)
        made[text.format(place=place, topic=topic, number=number)] = None
    return list(made)


def serve(method: str, texts: Sequence[str], wire: Connection) -> None:
    """A method's process: load, then embed what it is told to, as often as it is told to."""
    start = time.perf_counter()
    if method == METHODS[0]:
        from monitor.embedding.embed import load_embedder

        embed = load_embedder(None).embed
    else:
        from monitor.embedding.encoder import load_fast

        embed = load_fast().embed
    embed(["warm"])
    wire.send(time.perf_counter() - start)
    while (rows := wire.recv()) is not None:
        clock, processor = time.perf_counter(), time.process_time()
        vectors = embed([texts[row] for row in rows])
        used = time.perf_counter() - clock, time.process_time() - processor
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        wire.send((vectors, *used, peak * (1 if sys.platform == "darwin" else 1024)))


class Method:
    """One method's process, and what it was measured to do."""

    def __init__(self, name: str, texts: Sequence[str]) -> None:
        self.name = name
        context = multiprocessing.get_context("spawn")
        self.wire, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(name, texts, theirs), daemon=True)
        self.process.start()
        self.load = self.wire.recv()
        self.posts, self.clock, self.processor, self.peak = 0, 0.0, 0.0, 0

    def embed(self, rows: list[int], count: bool = True) -> NDArray[np.float32]:
        self.wire.send(rows)
        vectors, clock, processor, self.peak = self.wire.recv()
        if count:
            self.posts += len(rows)
            self.clock += clock
            self.processor += processor
        return np.asarray(vectors)


def nearest(vectors: NDArray[np.float32]) -> NDArray[np.intp]:
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    return cosines.argmax(axis=1)


def word_pieces(texts: Sequence[str]) -> float:
    from tokenizers import Tokenizer

    from monitor.embedding.embed import packaged_folder

    tokenizer = Tokenizer.from_file(str(packaged_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    return float(np.mean([len(one.ids) for one in tokenizer.encode_batch(list(texts))]))


def say(**line: Any) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="lines with a text; default: invented posts")
    parser.add_argument("--limit", type=int, default=2_048, help="distinct posts to embed")
    parser.add_argument("--rounds", type=int, default=2, help="times each post is embedded")
    arguments = parser.parse_args()
    if arguments.data is None:
        texts = invented(arguments.limit)
    else:
        with arguments.data.open(encoding="utf-8") as lines:
            texts = list(dict.fromkeys(json.loads(line)["text"] for line in lines))
        texts = random.Random(SEED).sample(texts, min(arguments.limit, len(texts)))
    say(posts=len(texts), word_pieces=round(word_pieces(texts), 1), batch=BATCH)

    methods = [Method(name, texts) for name in METHODS]
    found = {method.name: np.empty((0, 0), np.float32) for method in methods}
    for _ in range(arguments.rounds):
        parts: dict[str, list[NDArray[np.float32]]] = {method.name: [] for method in methods}
        for start in range(0, len(texts), BATCH):
            rows = list(range(start, min(start + BATCH, len(texts))))
            for method in methods:
                parts[method.name].append(method.embed(rows))
        found = {name: np.concatenate(vectors) for name, vectors in parts.items()}
    reference = found[METHODS[0]]
    neighbours = nearest(reference)
    for method in methods:
        vectors = found[method.name]
        lone = [method.embed([row], count=False)[0] for row in range(min(ALONE, len(texts)))]
        method.wire.send(None)
        cosines = (vectors * reference).sum(axis=1)
        say(
            method=method.name,
            posts_per_second=round(method.posts / method.clock),
            posts_per_cpu_second=round(method.posts / method.processor),
            load_s=round(method.load, 2),
            peak_mb=round(method.peak / 2**20),
            cosine_mean=round(float(cosines.mean()), 4),
            cosine_least=round(float(cosines.min()), 4),
            nearest_same_percent=round(100 * float((nearest(vectors) == neighbours).mean()), 1),
            alone=round(float((np.array(lone) * vectors[: len(lone)]).sum(axis=1).min()), 6),
        )
    one, other = methods
    say(
        faster=round(one.clock / other.clock, 2),
        faster_by_processor=round(one.processor / other.processor, 2),
    )


if __name__ == "__main__":
    main()
