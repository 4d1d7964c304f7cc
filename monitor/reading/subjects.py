"""Whether posts speak of what a watch is about: its sentence and the post, by their vectors."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, select, tuple_
from sqlalchemy.orm import Session

from monitor.embedding.embed import Embedder
from sources.matching import Rule
from sources.models import Post, PostWatch
from sources.watches import current

# Cosine of all-MiniLM-L6-v2. Topic sets are gathered best at 0.35 to 0.40 (measured): the lower
# end, because what is not kept can never be seen.
NEAR = 0.35

Asked = Mapping[int, Mapping[int, str]]  # by post: its watches, and the subject of each or ""


def asking(session: Session, posts: Sequence[Post]) -> Asked:
    """The watches that ask for each of ``posts``."""
    asked: dict[int, dict[int, str]] = {post.id: {} for post in posts}
    pairs = select(PostWatch.post_id, PostWatch.watch_id).where(PostWatch.post_id.in_(asked))
    subjects = {version.watch_id: Rule.of(version.rule).subject for version in current(session)}
    for post_id, watch_id in session.execute(pairs):
        asked[post_id][watch_id] = subjects.get(watch_id, "")
    return asked


def misses(
    embedder: Embedder, posts: Sequence[Post], vectors: NDArray[np.float32], asked: Asked
) -> set[tuple[int, int]]:
    """The pairs (post id, watch id) where the post does not speak of the watch's subject.

    ``vectors`` has one row per post; a row of zeros, a post that could not be read, misses nothing.
    """
    sentences = sorted({sentence for post in posts for sentence in asked[post.id].values()} - {""})
    if not sentences:
        return set()
    cosines = vectors @ embedder.embed(sentences).T
    column = {sentence: number for number, sentence in enumerate(sentences)}
    return {
        (post.id, watch)
        for row, post in enumerate(posts)
        for watch, sentence in asked[post.id].items()
        if sentence and vectors[row].any() and cosines[row, column[sentence]] < NEAR
    }


def about(embedder: Embedder, sentence: str, texts: Sequence[str]) -> list[bool]:
    """Which of ``texts`` speak of what the sentence says."""
    if not texts:
        return []
    return [bool(near) for near in embedder.embed(texts) @ embedder.embed([sentence])[0] >= NEAR]


def let_go(session: Session, missed: set[tuple[int, int]], unasked: Collection[int]) -> set[int]:
    """Take off the watches whose subject was missed, and those of the ``unasked`` posts that no
    watch asks for any more. The ids of the posts that went: counted, and forgotten without a trace.
    """
    if missed:
        pair = tuple_(PostWatch.post_id, PostWatch.watch_id)
        session.execute(delete(PostWatch).where(pair.in_(missed)))
    if not unasked:
        return set()
    none_left = ~select(PostWatch.post_id).where(PostWatch.post_id == Post.id).exists()
    gone = delete(Post).where(Post.id.in_(unasked), none_left).returning(Post.id)
    return set(session.scalars(gone))
