"""Search in one box: by words and by meaning, over posts and narratives, fused by rank.

By words is PostgreSQL's full text (English stems, "quoted phrases", OR, -not); quotes ask for these
words alone. By meaning is the cosine of vectors of the language model in use: an index over their
signs finds candidates, their cosines put them in order. The two orders are fused by reciprocal rank
(Cormack and others, 2009): 1 / (RANK + place) from each list in which something stands, added up. A
narrative stands where its title, its centre or its best post stands.
"""

import re
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    Boolean,
    Select,
    cast,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Session, aliased, defer, joinedload

from monitor.embedding.embed import Embedder
from monitor.embedding.vectors import SIGNS, Embedding, signs
from monitor.models import Meaning, Narrative, Reading
from monitor.narratives.narratives import standing
from sources.db import among
from sources.models import Post

Key = TypeVar("Key", bound=Hashable)

RANK = 60  # as in the paper; what stands first in one list outweighs what stands low in both
LOOKED_AT = 200  # of each list
SCANNED = 20_000  # vectors gone past at most, where copies or deleted posts are in the way
MEANS_THE_SAME = 0.3  # cosine of all-MiniLM-L6-v2; below, two texts have hardly a subject in common
DIMENSIONS = SIGNS  # of vectors that are searched by the index; others one by one, the newest
UNINDEXED = 20_000
MOST_WORDS = 400  # characters; what is longer is cut
CONFIG = text("'english'")  # spelled out: an index is used only for the same expression
BLUESKY_PAGE = re.compile(r"https?://(?:www\.)?bsky\.app/profile/(did:[^/?#]+)/post/([^/?#]+)")


@dataclass(frozen=True)
class Hit:
    """A post that was found, and whether it or a copy was by words, by meaning, or both."""

    reading: Reading  # with post and narrative
    by_words: bool
    by_meaning: bool


@dataclass(frozen=True)
class Found:
    """Narratives and posts, the best first."""

    narratives: list[Narrative]
    hits: list[Hit]


def search(session: Session, embedder: Embedder, words: str, limit: int = 20) -> Found:
    """What fits ``words``: at most ``limit`` narratives and as many posts (each text once)."""
    words = " ".join(words.split())[:MOST_WORDS]
    if not words:
        return Found([], [])
    vector = None if '"' in words else embedder.embed([words])[0]  # who quotes wants these words
    worded = _posts_by_words(session, words)
    meant = [] if vector is None else _posts_by_meaning(session, embedder.name, vector)
    groups = _groups(session, {*worded, *meant})
    first: dict[int, int] = {}  # group of copies → the post that stands for it
    for post in (*worded, *meant):
        if post in groups:  # else it was erased in this very moment
            first.setdefault(groups[post].copy_of, post)
    by_words, by_meaning = (
        list(dict.fromkeys(groups[post].copy_of for post in posts if post in groups))
        for posts in (worded, meant)
    )
    order = fuse(by_words, by_meaning)
    readings = _readings(session, [first[group] for group in order[:limit]])
    hits = [
        Hit(readings[first[group]], group in by_words, group in by_meaning)
        for group in order[:limit]
        if first[group] in readings
    ]
    told = (groups[first[group]].narrative_id for group in order)
    of_posts = [narrative for narrative in told if narrative]
    narratives = fuse(
        _narratives_by_words(session, words),
        [] if vector is None else _narratives_by_meaning(session, embedder.name, vector),
        list(dict.fromkeys(of_posts)),
    )
    return Found(_narratives(session, narratives, limit), hits)


def fuse(*lists: Sequence[Key]) -> list[Key]:
    """Orders fused into one by reciprocal rank; what ties keeps the order of the first list."""
    scores: dict[Key, float] = {}
    for one in lists:
        for place, key in enumerate(one, 1):
            scores[key] = scores.get(key, 0.0) + 1 / (RANK + place)
    return sorted(scores, key=lambda key: -scores[key])


def post_at(session: Session, address: str) -> Post | None:
    """The post we hold that stands at this address on its platform, if any."""
    address = address.strip()
    names = [Post.url == address, (Post.platform == "web") & (Post.uri == address)]
    uri = address if address.startswith("at://") else ""
    if page := BLUESKY_PAGE.match(address):
        uri = f"at://{page[1]}/app.bsky.feed.post/{page[2]}"
    if uri:
        names.append((Post.platform == "bluesky") & (Post.uri == uri))
    found = session.scalars(select(Post).where(or_(*names)))
    return min(found, key=lambda post: post.id, default=None)


def _posts_by_words(session: Session, words: str) -> list[int]:
    """The newest posts with these words, the fittest of them first."""
    asked = func.websearch_to_tsquery(CONFIG, words)
    newest = (
        select(Post.id, Post.words)
        .where(Post.words.op("@@")(asked))
        .order_by(Post.id.desc())
        .limit(LOOKED_AT)
        .subquery()
    )
    rank = func.ts_rank_cd(newest.c.words, asked)
    return list(session.scalars(select(newest.c.id).order_by(rank.desc(), newest.c.id.desc())))


def _posts_by_meaning(session: Session, model: str, vector: NDArray[np.float32]) -> list[int]:
    """The posts whose vectors of this model are nearest, the nearest first; no copies of others."""
    distance = Reading.embedding.cosine_distance(vector)
    if len(vector) == DIMENSIONS:
        # The index of signs goes on past what was deleted; cosines of what it finds are exact.
        session.execute(
            text(
                f"SELECT set_config('hnsw.ef_search', '{LOOKED_AT}', true),"
                " set_config('hnsw.iterative_scan', 'relaxed_order', true),"
                f" set_config('hnsw.max_scan_tuples', '{SCANNED}', true)"
            )
        )
        near = by_signs(model, vector).limit(LOOKED_AT)
    else:
        near = _once(model).order_by(Meaning.post_id.desc()).limit(UNINDEXED)
    found = near.subquery()
    query = (
        select(Reading.post_id)
        .join(found, found.c.post_id == Reading.post_id)
        .where(distance < 1 - MEANS_THE_SAME)
        .order_by(distance, Reading.post_id)
    )
    return list(session.scalars(query.limit(LOOKED_AT)))


def by_signs(model: str, vector: NDArray[np.float32]) -> Select[int]:
    """Ids of posts by the signs of this model's vectors, the most alike first."""
    alike = Meaning.signs.op("<~>")(signs(cast(vector, Embedding)))
    return _once(model).order_by(alike)


def _once(model: str) -> Select[int]:
    """Ids of posts; of copies the first alone where it can be found: they leave others room."""
    first = aliased(Meaning)
    # No EXISTS: for that, all might be gathered first.
    stands = select(first.post_id).where(
        first.post_id == Meaning.copy_of, first.embedder == Meaning.embedder
    )
    alone = (Meaning.post_id == Meaning.copy_of) | stands.scalar_subquery().is_(None)
    return select(Meaning.post_id).where(Meaning.embedder == model, alone)


def _narratives_by_words(session: Session, words: str) -> list[int]:
    title = func.to_tsvector(CONFIG, Narrative.title)
    asked = func.websearch_to_tsquery(CONFIG, words)
    query = (
        select(Narrative.id)
        .where(*standing(), title.op("@@", return_type=Boolean)(asked))
        .order_by(func.ts_rank_cd(title, asked).desc(), Narrative.last_post_at.desc())
    )
    return list(session.scalars(query.limit(LOOKED_AT)))


def _narratives_by_meaning(session: Session, model: str, vector: NDArray[np.float32]) -> list[int]:
    """The narratives whose centres are nearest, as for posts: by their signs, then compared."""
    few = (  # an index holds all of this (Narrative)
        select(Narrative.id)
        .where(*standing(), Narrative.embedder == model)
        .order_by(Narrative.signs.op("<~>")(signs(cast(vector, Embedding))))
        .limit(LOOKED_AT)
        .subquery()
    )
    distance = Narrative.centroid.cosine_distance(vector)
    query = (
        select(Narrative.id)
        .join(few, few.c.id == Narrative.id)
        .where(Narrative.size > 0, distance < 1 - MEANS_THE_SAME)
        .order_by(distance, Narrative.id)
    )
    return list(session.scalars(query))


def _groups(session: Session, posts: Collection[int]) -> dict[int, Any]:
    """By post the group of copies it is of, and its narrative."""
    columns = (Reading.post_id, Reading.copy_of, Reading.narrative_id)
    rows = session.execute(select(*columns).where(among(Reading.post_id, posts)))
    return {row.post_id: row for row in rows}


def _readings(session: Session, posts: Sequence[int]) -> dict[int, Reading]:
    query = select(Reading).where(among(Reading.post_id, posts))
    # Vectors of hundreds take long to read, and nothing of a hit asks for them.
    query = query.options(
        joinedload(Reading.post),
        joinedload(Reading.narrative).defer(Narrative.centroid),
        defer(Reading.embedding),
    )
    return {one.post_id: one for one in session.scalars(query)}


def _narratives(session: Session, ids: Sequence[int], limit: int) -> list[Narrative]:
    """Those that stand, in this order; a merged one by what it has become is found by its posts."""
    query = select(Narrative).where(Narrative.id.in_(ids[: 2 * limit]), *standing())
    query = query.options(defer(Narrative.centroid))
    by_id = {one.id: one for one in session.scalars(query)}
    return [by_id[one] for one in ids if one in by_id][:limit]
