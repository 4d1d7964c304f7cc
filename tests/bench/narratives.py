"""How well narratives are gathered: ``python -m tests.bench.narratives --data FILE.jsonl …``.

Each line of a file holds time, text and cluster ("NOISE": unrelated). Copies are collapsed as the
desk does; a copy takes the answer of its original. One JSON line for each file and method, all on
the same vectors in the same run: the window of the desk at arrival and settled, the single-pass
leader at the threshold that is best for this very file, Leiden over everything at the end, HDBSCAN,
and BERTopic where it is installed (``pip install bertopic``). One frozen configuration of ours for
all files.

At arrival, a narrative that was merged later counts as the one it went into, as its id leads there;
a line more says how it looks without.

B-cubed F, ARI and NMI (arithmetic) over the whole stream: each noise post is a cluster of its own
in the truth, each unassigned post one in the answer. A method that assigns nothing is a line too:
much noise makes it look good.

The desk embeds no post in a language that its model does not read. Here all are embedded, like
English; ``--readable`` leaves those out that the desk would.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

import numpy as np
import psutil  # type: ignore[import-untyped, unused-ignore]
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from monitor.embedding.encoder import load_encoder
from monitor.narratives.copies import Fingerprint, bands_of, similarity
from monitor.narratives.graph import NONE, Floats, Ints, K, leiden, nearest, neighbour_graph
from monitor.narratives.window import Arrival, Change, Window
from monitor.reading.languages import language_of, reads

NOISE = "NOISE"
BATCH = 256  # posts the desk reads at once
PAIRS = 200_000  # of posts, of which it is watched whether their answer flips
LEADER_THRESHOLDS = np.arange(0.20, 0.71, 0.05)  # and around the best of them each hundredth
RESOLUTIONS = (0.1, 0.3, 1.0, 2.0, 6.0)
LEAST = 3  # posts that are a narrative in the count of them
SMALLEST = (3, 10, 30)  # posts that are a cluster for HDBSCAN and BERTopic, whose own default is 10
SEED = 7


def say(**line: object) -> None:
    print(json.dumps(line), flush=True)


@dataclass(frozen=True)
class Stream:
    """A file in the order of time. ``original`` points each post at the distinct one it copies."""

    name: str
    texts: list[str]  # of the distinct posts
    days: list[float]
    original: Ints
    truth: Ints  # of all posts; noise has a number of its own each
    noise: Ints  # 1 where a post is unrelated


def read(path: Path, languages: Collection[str] | None = None) -> Stream:
    """The posts of a file, with ``languages`` those that a model of these reads."""
    with path.open(encoding="utf-8") as lines:
        posts = sorted((json.loads(line) for line in lines), key=lambda post: str(post["time"]))
    if languages is not None:
        posts = [post for post in posts if reads(languages, language_of(post["text"], ""))]
    kept: dict[int, list[tuple[int, Fingerprint]]] = defaultdict(list)
    exact: dict[str, int] = {}
    texts: list[str] = []
    days: list[float] = []
    original = np.empty(len(posts), np.int64)
    for row, post in enumerate(posts):
        print_ = Fingerprint(post["text"])
        words = " ".join(print_.words)
        bands = bands_of(print_)
        found = exact.get(words, NONE)
        if found == NONE:
            near = (one for band in bands for one in kept[band][-16:])
            found = next((n for n, other in near if similarity(print_, other)), NONE)
        if found == NONE:
            found = len(texts)
            texts.append(post["text"])
            at = datetime.fromisoformat(str(post["time"]).replace("Z", "+00:00"))
            days.append(at.timestamp() / 86_400)
            exact[words] = found
            for band in bands:
                kept[band].append((found, print_))
        original[row] = found
    clusters = np.array([post["cluster"] for post in posts])
    noise = (clusters == NOISE).astype(np.int64)
    truth = np.unique(clusters, return_inverse=True)[1].astype(np.int64)
    truth = np.where(noise == 1, truth.max() + 1 + np.arange(len(posts)), truth)
    return Stream(path.name, texts, days, original, truth, noise)


# Scores


def b_cubed(truth: Ints, answer: Ints) -> float:
    one, two = (np.unique(labels, return_inverse=True)[1] for labels in (truth, answer))
    both, shared = np.unique(one * (two.max() + 1) + two, return_counts=True)
    in_truth = np.bincount(one)[both // (two.max() + 1)]
    in_answer = np.bincount(two)[both % (two.max() + 1)]
    precision = float((shared * shared / in_answer).sum()) / len(truth)
    recall = float((shared * shared / in_truth).sum()) / len(truth)
    return 2 * precision * recall / (precision + recall)


def scores(stream: Stream, labels: Ints) -> dict[str, object]:
    """``labels`` of the distinct posts, NONE where unassigned."""
    answer = labels[stream.original]
    alone = answer == NONE
    sizes = np.bincount(answer[~alone]) if (~alone).any() else np.zeros(0, np.int64)
    shown = ~alone & (sizes[np.where(alone, 0, answer)] >= LEAST if len(sizes) else False)
    answer = np.where(alone, answer.max() + 1 + np.arange(len(answer)), answer)
    signal = stream.noise == 0
    return {
        "b_cubed_f": round(b_cubed(stream.truth, answer), 3),
        "b_cubed_f_without_noise": round(b_cubed(stream.truth[signal], answer[signal]), 3),
        "ari": round(float(adjusted_rand_score(stream.truth, answer)), 3),
        "nmi": round(float(normalized_mutual_info_score(stream.truth, answer)), 3),
        "noise_pulled_in": round(float(shown[~signal].mean()), 3) if (~signal).any() else None,
        "narratives": int((sizes >= LEAST).sum()),
    }


# Ours


class Watching:
    """Whether answers about pairs of posts flip, and whether a settled narrative is ever lost."""

    def __init__(self, posts: int) -> None:
        pairs = np.sort(np.random.default_rng(SEED).integers(0, posts, (PAIRS, 2)), axis=1)
        self.pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        self.said = np.full(len(self.pairs), NONE)
        self.flipped = np.zeros(len(self.pairs), bool)
        self.seen: set[int] = set()

    def look(self, labels: Ints, known: int) -> None:
        one, two = labels[self.pairs[:, 0]], labels[self.pairs[:, 1]]
        now = np.where(self.pairs[:, 1] < known, ((one == two) & (one != NONE)).astype(int), NONE)
        self.flipped |= (self.said != NONE) & (now != self.said)
        self.said = now


def ours(stream: Stream, vectors: Floats) -> None:
    ids = count(1)
    window = Window(vectors.shape[1], lambda: next(ids))
    labels = np.full(len(vectors), NONE)
    first = labels.copy()
    into: dict[int, int] = {}
    watching = Watching(len(vectors))
    placing = looking = 0.0

    def follow(change: Change) -> None:
        for post, story in change.moved.items():
            labels[post] = story
        for old, keeper in change.merged.items():
            labels[labels == old] = keeper
            into[old] = keeper
        watching.seen |= change.found_again

    posts = [
        Arrival(n, f"author {n}", text, stream.days[n], vectors[n])
        for n, text in enumerate(stream.texts)
    ]
    done = 0
    while done < len(posts):
        some = posts[done : min(done + BATCH, done + window.room())]
        began = time.perf_counter()
        change = window.take(some)
        placing += time.perf_counter() - began
        follow(change)
        arrived = slice(done, done + len(some))
        first[arrived] = labels[arrived]
        done += len(some)
        if window.due() or done == len(posts):
            began = time.perf_counter()
            change = window.consider()
            looking += time.perf_counter() - began
            follow(change)
        watching.look(labels, done)

    def end(story: int) -> int:
        while story in into:
            story = into[story]
        return story

    held = set(labels.tolist())
    say(
        file=stream.name,
        method="window, settled",
        **scores(stream, labels),
        posts_per_second=round(len(posts) / (placing + looking)),
        seconds_placing=round(placing, 1),
        seconds_considering=round(looking, 1),
        flipped_pairs=round(float(watching.flipped.mean()), 4),
        narratives_seen=len(watching.seen),
        narratives_vanished=sum(end(story) not in held for story in watching.seen),
        rss_mb=round(psutil.Process().memory_info().rss / 2**20),
    )
    arrival = np.array([end(story) for story in first.tolist()])
    say(file=stream.name, method="window, at arrival", **scores(stream, arrival))
    say(file=stream.name, method="window, at arrival, merges unknown", **scores(stream, first))


# The others


def leader(vectors: Floats, threshold: float) -> Ints:
    """Each post joins the nearest running mean at ``threshold`` or above, or begins one."""
    sums = np.zeros_like(vectors)
    units = np.zeros_like(vectors)
    labels = np.empty(len(vectors), np.int64)
    known = 0
    for row, vector in enumerate(vectors):
        cosines = units[:known] @ vector
        best = int(cosines.argmax()) if known else NONE
        if best == NONE or cosines[best] < threshold:
            best, known = known, known + 1
        sums[best] += vector
        units[best] = sums[best] / max(float(np.linalg.norm(sums[best])), 1e-9)
        labels[row] = best
    return labels


def batch_leiden(vectors: Floats) -> Iterator[tuple[str, Ints]]:
    near, cosines = np.empty((len(vectors), K), np.int64), np.empty((len(vectors), K), np.float32)
    for start in range(0, len(vectors), 2_048):
        similar = vectors[start : start + 2_048] @ vectors.T
        rows = np.arange(len(similar))
        similar[rows, start + rows] = -1
        near[start : start + len(rows)], cosines[start : start + len(rows)] = nearest(similar, K)
    graph = neighbour_graph(near, cosines)
    for resolution in RESOLUTIONS:
        labels = leiden(graph, resolution)
        labels = np.where(np.bincount(labels)[labels] >= LEAST, labels, NONE)
        yield f"Leiden over everything, resolution {resolution}", labels


def hdbscan(vectors: Floats, smallest: int) -> Ints:
    found = HDBSCAN(min_cluster_size=smallest, copy=True).fit_predict(vectors)
    return np.asarray(found, np.int64)


def others(stream: Stream, vectors: Floats, slow: bool) -> None:
    def tell(method: str, make: Callable[[], Ints]) -> None:
        began = time.perf_counter()
        labels = make()
        seconds = round(time.perf_counter() - began, 1)
        say(file=stream.name, method=method, **scores(stream, labels), seconds=seconds)

    def led(threshold: float) -> tuple[float, float]:
        answer = leader(vectors, threshold)[stream.original]
        return b_cubed(stream.truth, answer), threshold

    _, near = max(map(led, LEADER_THRESHOLDS))
    _, best = max(led(near + step / 100) for step in range(-4, 5))
    tell(f"leader, best threshold {best:.2f}", lambda: leader(vectors, best))
    for method, labels in batch_leiden(vectors):
        tell(method, lambda labels=labels: labels)  # type: ignore[misc]
    tell("nothing assigned", lambda: np.full(len(vectors), NONE))
    if slow:
        for smallest in SMALLEST:
            tell(f"HDBSCAN, at least {smallest}", lambda least=smallest: hdbscan(vectors, least))  # type: ignore[misc]
        bertopic(stream, vectors, tell)


def bertopic(
    stream: Stream, vectors: Floats, tell: Callable[[str, Callable[[], Ints]], None]
) -> None:
    try:
        from bertopic import BERTopic  # type: ignore[import-not-found, unused-ignore]
        from bertopic.vectorizers import (  # type: ignore[import-not-found, unused-ignore]
            OnlineCountVectorizer,
        )
        from sklearn.cluster import MiniBatchKMeans
        from sklearn.decomposition import IncrementalPCA
    except ImportError as fault:
        say(file=stream.name, method="BERTopic", error=f"not installed: {fault}")
        return

    def batch(smallest: int) -> Ints:
        topics, _ = BERTopic(min_topic_size=smallest).fit_transform(stream.texts, vectors)
        return np.array(topics, np.int64)

    def online() -> Ints:
        model = BERTopic(
            umap_model=IncrementalPCA(n_components=5),
            hdbscan_model=MiniBatchKMeans(n_clusters=50, random_state=SEED, n_init=3),
            vectorizer_model=OnlineCountVectorizer(),  # its usual one cannot learn in parts
        )
        topics: list[int] = []
        exact = vectors.astype(np.float64)  # its parts do not agree about the type otherwise
        for start in range(0, len(vectors), 1_024):
            model.partial_fit(stream.texts[start : start + 1_024], exact[start : start + 1_024])
            topics += model.topics_
        return np.array(topics, np.int64)

    for smallest in SMALLEST:
        tell(f"BERTopic, at least {smallest}", lambda least=smallest: batch(least))  # type: ignore[misc]
    tell("BERTopic, partial_fit", online)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="lines of a stream")
    parser.add_argument("--fast", action="store_true", help="leave out HDBSCAN and BERTopic")
    parser.add_argument("--readable", action="store_true", help="in the model's languages alone")
    options = parser.parse_args(arguments)
    embedder = load_encoder(None)
    for path in options.data:
        stream = read(path, embedder.languages if options.readable else None)
        vectors = embedder.embed(stream.texts)
        say(file=stream.name, posts=len(stream.original), distinct=len(stream.texts))
        ours(stream, vectors)
        others(stream, vectors, slow=not options.fast)


if __name__ == "__main__":
    main()
