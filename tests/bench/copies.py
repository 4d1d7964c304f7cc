"""How well copies are told from other texts: ``python -m tests.bench.copies --file POSTS.jsonl``.

Makes copies of the file's distinct posts by the edits that real copying makes, sets against them
each post's nearest other post of the same event and the same sentence with another number or
name, and prints a JSON line per method and threshold: percent found per edit, percent wrongly
joined, microseconds a post. Real posts hold copies that people edited: of 45 joined nearest posts
read by hand (word pairs, 0.4), 40 were such, so that figure is an upper bound.
The last line is the whole step in a PostgreSQL of its own.
"""

import argparse
import html
import importlib.util
import json
import random
import re
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash  # type: ignore[import-untyped, unused-ignore]
from sqlalchemy import func, insert, select

from monitor.embedding.embed import load_embedder
from monitor.models import CopyBand
from monitor.narratives.copies import (
    SHARED_PAIRS,
    SHARED_PART,
    Copy,
    Fingerprint,
    bands_of,
    copies_of,
    similarity,
)
from sources.models import Post, Source
from tests.bench.database import own_database

SEED = 7
COPIED = 150  # posts that are copied, once by each edit
BATCH = 256  # posts the desk reads at once
HASHES = 16
NUMBER = re.compile(r"(?<![\w/.@])\d+(?!\w)")
NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}\b")
COMMENTS = ("So sad this is happening:", "Wow.", "Read this", "Please share!", "I knew it -")


Pair = tuple[str, str, str]  # what was done, a text, the text that came of it


def edits(rng: random.Random, words: Sequence[str]) -> dict[str, Callable[[str], str]]:
    """The edits of real copying; ``words`` are for those that need a word."""

    def cut(text: str) -> str:
        return text[: int(len(text) * rng.uniform(0.65, 0.9))].rstrip() + "…"

    def one_word(text: str) -> str:
        found = list(re.finditer(r"\b[a-z]{4,}\b", text))
        return swap(text, rng.choice(found), rng.choice(words)) if found else text

    def clothes(text: str) -> str:
        signs = text.replace("'", "’").replace('"', "”").replace(".", "!!!") + "!"
        return rng.choice([text.upper(), text.lower(), signs])

    def user() -> str:
        return f"@user{rng.randrange(999)}"

    return {
        "rt": lambda text: f"RT {user()}: {text}",
        "via": lambda text: f"{text} via {user()}",
        "link": lambda text: (
            re.sub(r"https?://\S+", "", text) + f" https://t.co/{rng.randrange(10**9):x}"
        ),
        "hashtag": lambda text: f"{text} #{rng.choice(words)}",
        "mention": lambda text: f".{user()} {text}",
        "clothes": clothes,
        "emoji": lambda text: f"{rng.choice('🙏😢🔥')} {text} ❤️",
        "one word": one_word,
        "comment": lambda text: f"{rng.choice(COMMENTS)} {text}",
        "cut": cut,
        "rt and cut": lambda text: f"RT {user()}: {text}"[: max(len(text) - 1, 20)] + "…",
        "comment and cut": lambda text: cut(f"{rng.choice(COMMENTS)} {text}"),
    }


def swap(text: str, found: re.Match[str], word: str) -> str:
    return text[: found.start()] + word + text[found.end() :]


def other_number(text: str, rng: random.Random) -> str:
    found = list(NUMBER.finditer(text))
    if not found:
        return text
    chosen = rng.choice(found)
    return swap(text, chosen, str(int(chosen.group()) + rng.choice([1, 7, 20])))


def other_name(text: str, rng: random.Random, names: Sequence[str]) -> str:
    found = list(NAME.finditer(text))
    return swap(text, rng.choice(found), rng.choice(names)) if found else text


def nearest(
    texts: Sequence[str], events: Sequence[str], vectors: NDArray[np.float32]
) -> list[Pair]:
    """Each text with the nearest of its event that does not have the very same words."""
    same = [frozenset(Fingerprint(text).words) for text in texts]
    of_event = np.array(events)
    pairs = []
    for row, text in enumerate(texts):
        cosines = np.where(of_event == events[row], vectors @ vectors[row], -1)
        for other in np.argsort(-cosines)[:10].tolist():
            if same[other] != same[row] and cosines[other] > -1:
                pairs.append(("nearest other", text, texts[other]))
                break
    return pairs


def timed(work: Callable[[], Any], posts: int) -> tuple[Any, float]:
    """What ``work`` answers, and the microseconds a post it took."""
    start = time.perf_counter()
    result = work()
    return result, round((time.perf_counter() - start) / posts * 1e6, 1)


def say(**line: Any) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


def report(
    method: str, pairs: Sequence[Pair], scores: Sequence[float], least: float, us: float
) -> None:
    """One line: the percentage of each kind of pair that the method takes for copies."""
    total = Counter(kind for kind, _, _ in pairs)
    hits = Counter(
        kind for (kind, _, _), score in zip(pairs, scores, strict=True) if score >= least
    )
    percent = {kind: round(100 * hits[kind] / n, 1) for kind, n in total.items()}
    say(method=method, threshold=round(least, 2), us_per_post=us, percent=percent)


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))


def shingles(words: Sequence[str], kind: str, n: int) -> frozenset[str]:
    """Runs of ``n`` words, or of ``n`` letters of the words joined by spaces."""
    units = words if kind == "words" else " ".join(words)
    glue = " " if kind == "words" else ""
    return frozenset(glue.join(units[i : i + n]) for i in range(max(1, len(units) - n + 1)))


def by_shingles(pairs: Sequence[Pair], texts: Sequence[str]) -> None:
    words, cost = timed(lambda: {text: Fingerprint(text).words for text in texts}, len(texts))
    equal = [float(words[one] == words[other]) for _, one, other in pairs]
    report("equal words", pairs, equal, 1, cost)
    for kind, n in (("words", 1), ("words", 2), ("words", 3), ("letters", 4), ("letters", 5)):
        start = time.perf_counter()
        parts = {text: shingles(words[text], kind, n) for text in texts}
        more = (time.perf_counter() - start) / len(texts) * 1e6
        scores = [jaccard(parts[one], parts[other]) for _, one, other in pairs]
        for least in (0.4, 0.5, 0.6, 0.7):
            report(f"{n} {kind}", pairs, scores, least, round(cost + more, 1))


def by_embedding(
    pairs: Sequence[Pair], vectors: dict[str, NDArray[np.float32]], cost: float
) -> None:
    scores = [float(vectors[one] @ vectors[other]) for _, one, other in pairs]
    for least in (0.8, 0.85, 0.9, 0.95):
        report("embedding", pairs, scores, least, cost)


def as_shipped(pairs: Sequence[Pair], texts: Sequence[str]) -> None:
    prints, cost = timed(lambda: {text: Fingerprint(text) for text in texts}, len(texts))
    bands, more = timed(lambda: {t: frozenset(bands_of(prints[t])) for t in texts}, len(texts))
    scores = [similarity(prints[one], prints[other]) for _, one, other in pairs]
    met = [
        score if bands[one] & bands[other] else 0.0
        for score, (_, one, other) in zip(scores, pairs, strict=True)
    ]
    report("shipped, all compared", pairs, scores, SHARED_PART, cost)
    report("shipped, those that meet in a band", pairs, met, SHARED_PART, round(cost + more, 1))


def libraries(texts: Sequence[str]) -> None:
    """The cost of HASHES MinHash values of the word pairs, without the pairs themselves."""
    some = [list(Fingerprint(text).pairs) for text in texts[:2_000]]

    def with_rensa() -> None:
        for pairs in some:
            minhash = RMinHash(num_perm=HASHES, seed=1)
            minhash.update(pairs)
            minhash.digest()

    say(method="MinHash by rensa", us_per_post=timed(with_rensa, len(some))[1])
    if importlib.util.find_spec("datasketch") is None:
        return
    from datasketch import MinHash  # type: ignore[import-untyped, unused-ignore]

    plain = MinHash(HASHES, seed=1, hashfunc=zlib.crc32)

    def with_datasketch() -> None:
        for pairs in some:
            minhash = plain.copy()
            minhash.update_batch([pair.encode() for pair in pairs])

    say(method="MinHash by datasketch", us_per_post=timed(with_datasketch, len(some))[1])


def in_database(texts: Sequence[str]) -> None:
    """The whole step, batch by batch, on a database of its own; every text once, in its order."""
    now = datetime(2026, 11, 23, 15, tzinfo=UTC)
    with own_database() as sessions:
        with sessions.begin() as session:
            source = Source(kind="example", address="bench", name="Bench", created_at=now)
            session.add(source)
            session.flush()
            common = {"source_id": source.id, "platform": "example", "author": "a", "labels": []}
            at = dict.fromkeys(("posted_at", "collected_at", "checked_at"), now)
            session.execute(
                insert(Post),
                [
                    {"id": n, "uri": str(n), "text": text, "alarming": False, **common, **at}
                    for n, text in enumerate(texts)
                ],
            )
        posts = [Post(id=n, text=text) for n, text in enumerate(texts)]
        copies: dict[int, Copy] = {}

        def run() -> None:
            for start in range(0, len(posts), BATCH):
                with sessions.begin() as session:
                    copies.update(copies_of(session, posts[start : start + BATCH], now, "bench"))

        _, cost = timed(run, len(texts))
        with sessions() as session:
            rows = session.scalar(select(func.count()).select_from(CopyBand))
        found = len({copy.of for copy in copies.values()})
        say(method="copies_of", posts=len(texts), groups=found, rows=rows, us_per_post=cost)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, required=True, help="lines with text and cluster")
    parser.add_argument("--limit", type=int, default=2_000, help="distinct posts to compare")
    arguments = parser.parse_args()
    rng = random.Random(SEED)
    with arguments.file.open(encoding="utf-8") as lines:
        posts = [json.loads(line) for line in lines]
    stream = [html.unescape(post["text"]) for post in posts]
    distinct: dict[str, tuple[str, str]] = {}
    for text, post in zip(stream, posts, strict=True):
        print_ = Fingerprint(text)
        if len(print_.pairs) >= SHARED_PAIRS:
            distinct.setdefault(" ".join(print_.words), (text, post["cluster"]))
    sample = rng.sample(list(distinct.values()), min(arguments.limit, len(distinct)))
    originals = [text for text, _ in sample]
    words = sorted({w for text in originals for w in re.findall(r"\b[a-z]{4,}\b", text)})
    names = sorted({w for text in originals for w in NAME.findall(text)})

    pairs: list[Pair] = [
        (kind, text, edit(text))
        for kind, edit in edits(rng, words).items()
        for text in originals[:COPIED]
    ]
    pairs += [("other number", text, other_number(text, rng)) for text in originals]
    pairs += [("other name", text, other_name(text, rng, names)) for text in originals]
    pairs = [pair for pair in pairs if pair[1] != pair[2]]
    texts = list(dict.fromkeys([*originals, *(text for pair in pairs for text in pair[1:])]))
    embedder = load_embedder(None)
    rows, cost = timed(lambda: embedder.embed(texts), len(texts))
    vectors = dict(zip(texts, rows, strict=True))
    pairs += nearest(originals, [cluster for _, cluster in sample], rows[: len(originals)])
    say(posts=len(originals), pairs=dict(Counter(kind for kind, _, _ in pairs)))

    by_shingles(pairs, texts)
    by_embedding(pairs, vectors, cost)
    as_shipped(pairs, texts)
    libraries(texts)
    in_database(stream[: 5 * arguments.limit])


if __name__ == "__main__":
    main()
