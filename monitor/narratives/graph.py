"""Posts as a graph of nearness, and the communities in it: what a considered look clusters by.

Posts are neighbours where their vectors are near; an edge weighs more when they share telling
words. Leiden (graspologic-native, MIT) finds communities, which are cut where nothing was said for
long and joined where one sends much of its weight to the other. All arrays are of one window of
posts, in the order of time. Nothing here knows a database.

The constants are one setting for every stream. They were chosen on three (CrisisLexT6, CrisisLexT26
of 2012, PHEME) and on mixes of these with many small stories. Figures are B-cubed F of the
prototype that compared settings; what the desk reaches, ``python -m tests.bench.narratives`` tells.
"""

import heapq
import re
import zlib
from collections.abc import Collection, Sequence
from typing import Any

import graspologic_native
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

NONE = -1  # no narrative: noise is a full answer
K = 15  # neighbours kept of a post; 8 splits more, 30 is no better, mutual edges lose 0.1 or more
FLOOR = 0.50  # least cosine of an edge; 0.45 and 0.55 do the same
# Dense posts make stories, others only join them. T6 pulls in 0.48 of its noise at 0.55, 0.2
# to 0.3 at 0.60; at 0.65 diffuse stories fall apart.
CORE = 0.60
CORE_DEGREE = 3  # neighbours at CORE that make a post dense
# Of modularity; CPM fits no two streams at once. Fine pieces, because joining is the better judge:
# 2 is better where few stories are large (T26 0.765 against 0.713), and glues many small ones.
RESOLUTION = 6.0
JOIN_SHARE = 0.05  # of the smaller community's weight that leads to the other; 0.02 to 0.08 alike
# Of the weight that chance would lead to the larger one. Where both were one story before, it is
# not taken off: what everybody talks about does not fall apart over a phase of it. T26 settled
# 0.735 so and 0.712 without, with fewer changes of mind; mixes of many small stories lose 0.004.
EXPECTED_SHARE = 0.2
VOTE_SHARE = 0.5  # of the K neighbours that must agree; plain "nearest" pulls in twice the noise
# Of those that agree the VOTERS nearest have at least this mean cosine. 0.52 leaves out too much
# of PHEME (0.974 against 0.977); a least cosine for each that agrees does worse on all three.
VOTE = 0.50
VOTERS = 4
SILENCE_DAYS = 7.0  # a story that says nothing for so long has ended: T26 0.66 without, 0.74 with
SILENCE_TIMES = 20.0  # but never before this many times its usual gap
WORDLESS = 0.3  # an edge weighs cosine × (this + shared words): T26 0.735 without words, 0.765 with
COMMON = 0.1  # a word in more than this share of the posts tells nothing
WORD_BITS = 20  # words are hashed
SEED = 7
LEAST_NORM = 1e-9  # shorter sums are those of no posts

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Graph = Any  # scipy.sparse.csr_matrix, symmetric: scipy has no types

_CARRIED = re.compile(r"https?://\S+|@\w+")
_WORD = re.compile(r"#?\w\w+")


def nearest(similar: Floats, k: int) -> tuple[Ints, Floats]:
    """Of each row the columns of its ``k`` largest entries and those entries, the largest first."""
    k = min(k, similar.shape[1])
    columns = np.argpartition(similar, -k, axis=1)[:, -k:]
    values = np.take_along_axis(similar, columns, 1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(columns, order, 1), np.take_along_axis(values, order, 1)


def unit(total: Floats) -> Floats:
    """A sum of vectors, (d,), brought to length one; zeros stay."""
    return np.asarray(total / max(float(np.linalg.norm(total)), LEAST_NORM), np.float32)


def words_of(text: str) -> Ints:
    """Hashes of the distinct words and hashtags of a text, without links and accounts."""
    found = set(_WORD.findall(_CARRIED.sub(" ", text).lower()))
    return np.array(sorted(zlib.crc32(w.encode()) >> (32 - WORD_BITS) for w in found), np.int64)


def communities(
    neighbours: Ints,
    cosines: Floats,
    days: NDArray[np.float64],
    words: Sequence[Ints],
    before: Ints,
) -> Ints:
    """The community of each post, numbered from 0, or NONE for one that is not dense.

    ``neighbours`` and ``cosines`` are (n, K), NONE where a post has fewer. ``before``: the story
    each post was in, or NONE. It has a small say where communities are joined, and none before:
    early mistakes would lock themselves in. The same input gives the same answer.
    """
    found = np.full(len(days), NONE)
    graph = neighbour_graph(neighbours, cosines)
    dense = np.flatnonzero(np.asarray((graph >= CORE).sum(axis=1)).ravel() >= CORE_DEGREE)
    if not len(dense):
        return found
    graph = _with_words(graph[dense][:, dense].tocsr(), [words[row] for row in dense.tolist()])
    labels = _cut_at_silence(leiden(graph), days[dense])
    found[dense] = _joined(graph, labels, days[dense], before[dense])
    return found


def vote(labels: Ints, cosines: Floats, sleeping: Collection[int] = ()) -> int:
    """The label that VOTE_SHARE of the K nearest posts or more have, some of them near; or NONE.

    ``cosines``: of these posts, the nearest first.
    """
    held = labels != NONE
    if np.count_nonzero(held) < VOTE_SHARE * K:
        return NONE
    ids, counts = np.unique(labels[held], return_counts=True)
    best = int(ids[counts.argmax()])
    if best in sleeping or counts.max() < VOTE_SHARE * K:
        return NONE
    return best if cosines[labels == best][:VOTERS].mean() >= VOTE else NONE


def patience(span: NDArray[np.float64] | float, posts: Ints | int) -> NDArray[np.float64]:
    """Days of silence after which a story of so many posts over ``span`` days has ended."""
    usual = span / np.maximum(1, np.asarray(posts) - 1)
    return np.asarray(np.maximum(SILENCE_DAYS, SILENCE_TIMES * usual))


def neighbour_graph(neighbours: Ints, cosines: Floats) -> Graph:
    """Symmetric weights of the pairs of which one is among the other's neighbours."""
    n, k = neighbours.shape
    kept = (cosines >= FLOOR) & (neighbours != NONE)
    rows = np.repeat(np.arange(n), k).reshape(n, k)[kept]
    one_way = sp.csr_matrix((cosines[kept].astype(float), (rows, neighbours[kept])), (n, n))
    return one_way.maximum(one_way.T).tocsr()


def _with_words(graph: Graph, words: Sequence[Ints]) -> Graph:
    """The weights times (WORDLESS + the TF-IDF cosine of the two posts' words)."""
    n = len(words)
    bounds = np.cumsum([0, *map(len, words)])
    ids, flat = np.unique(np.concatenate(words), return_inverse=True)
    seen = np.bincount(flat, minlength=len(ids))
    telling = (seen >= 2) & (seen <= max(2, COMMON * n))
    weight = np.where(telling, np.log(max(n, 2) / np.maximum(seen, 1)) + 1, 0.0)
    table = sp.csr_matrix((weight[flat], flat, bounds), (n, len(ids)))
    norm = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel())
    table = (sp.diags(1 / np.maximum(norm, 1e-9)) @ table).tocsr()
    pairs = graph.tocoo()
    alike = np.asarray(table[pairs.row].multiply(table[pairs.col]).sum(axis=1)).ravel()
    return sp.csr_matrix((pairs.data * (WORDLESS + alike), (pairs.row, pairs.col)), graph.shape)


def leiden(graph: Graph, resolution: float = RESOLUTION) -> Ints:
    """The community of each post by Leiden's modularity; one without an edge is alone."""
    n = graph.shape[0]
    labels = n + np.arange(n)  # posts without an edge stay alone
    if graph.nnz:
        _, found = graspologic_native.leiden_csr(
            *(graph.indptr.astype(np.int64), graph.indices.astype(np.int32)),
            *(graph.data.astype(np.float64), n),
            resolution=resolution,
            seed=SEED,
        )
        labels[list(found.keys())] = list(found.values())
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _cut_at_silence(labels: Ints, days: NDArray[np.float64]) -> Ints:
    """Communities split where nothing came for far longer than is usual for them."""
    out, fresh = labels.copy(), int(labels.max(initial=-1)) + 1
    order = np.lexsort((days, labels))
    for members in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        gaps = np.diff(days[members])
        if not len(gaps) or gaps.max() <= SILENCE_DAYS:
            continue
        cuts = np.flatnonzero(gaps > patience(gaps.sum() - gaps.max(), len(gaps)))
        parts = np.searchsorted(cuts, np.arange(len(members)), side="left")
        for part in range(1, len(cuts) + 1):
            out[members[parts == part]] = fresh
            fresh += 1
    return out


def _joined(graph: Graph, labels: Ints, days: NDArray[np.float64], before: Ints) -> Ints:
    """Communities joined, the pair with the largest share of edges first, until none has enough."""
    count = int(labels.max()) + 1
    was = _held(labels, before, count)  # of a joined one: that of its larger part
    first, last = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(first, labels, days)
    np.maximum.at(last, labels, days)
    waits = patience(last - first, np.bincount(labels, minlength=count))
    member = sp.csr_matrix((np.ones(len(labels)), (np.arange(len(labels)), labels)))
    between = (member.T @ graph @ member).tocoo()
    degree = np.asarray(between.sum(axis=1)).ravel()
    total = max(float(degree.sum()), 1e-12)
    links: list[dict[int, float]] = [{} for _ in range(count)]
    for a, b, weight in zip(between.row, between.col, between.data, strict=True):
        silence = max(first[a], first[b]) - min(last[a], last[b])
        if a != b and silence <= max(waits[a], waits[b]):
            links[a][int(b)] = weight
    parent = np.arange(count)

    def share(a: int, b: int) -> float:
        small, large = sorted((degree[a], degree[b]))
        expected = 0.0 if was[a] == was[b] != NONE else EXPECTED_SHARE * large / total
        return float(links[a][b] / max(small, 1e-12) - expected)

    queue = [(-share(a, b), a, b) for a in range(count) for b in links[a] if a < b]
    heapq.heapify(queue)
    while queue and -queue[0][0] >= JOIN_SHARE:
        value, a, b = heapq.heappop(queue)
        if b not in links[a] or abs(share(a, b) + value) > 1e-12:
            continue  # what the pair was before one of them grew
        if degree[a] < degree[b]:
            a, b = b, a
        parent[b] = a
        degree[a] += degree[b]
        for other, weight in links[b].items():
            del links[other][b]
            if other != a:
                links[a][other] = links[other][a] = links[a].get(other, 0.0) + weight
        links[b] = {}
        for other in links[a]:
            heapq.heappush(queue, (-share(a, other), min(a, other), max(a, other)))
    while (parent[parent] != parent).any():
        parent = parent[parent]
    return np.unique(parent[labels], return_inverse=True)[1].astype(np.int64)


def _held(labels: Ints, before: Ints, count: int) -> Ints:
    """For each of so many communities the story that most of its posts were in, or NONE."""
    placed = before != NONE
    stories, story_of = np.unique(before[placed], return_inverse=True)
    if not len(stories):
        return np.full(count, NONE)
    shared = sp.csr_matrix(
        (np.ones(len(story_of)), (labels[placed], story_of)), (count, len(stories))
    )
    best = np.asarray(shared.argmax(axis=1)).ravel()
    most = 2 * shared.max(axis=1).toarray().ravel() > np.bincount(labels, minlength=count)
    return np.where(most, stories[best], NONE)
