"""The crux of monitor/: posts nobody has read yet become readings, narratives, counts and flags."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from monitor.codebook import MessageFields
from monitor.copies import group_of
from monitor.embed import Embedder
from monitor.incitement import ALARMING_LEVEL, SCORER, Assessment, Reason, score
from monitor.languages import language_of, reads
from monitor.models import Departure, Reading
from monitor.narratives import hour_of
from monitor.placing import Candidate, Placer
from monitor.subjects import asking, let_go, misses
from sources.models import Post

# Posts are read in the order of their ids. One that became visible late, behind a transaction
# slower than this many others, would be missed; looking at the whole table each time costs more.
LATE_POSTS = 50_000

log = logging.getLogger(__name__)

_UNREAD = ~select(Reading.post_id).where(Reading.post_id == Post.id).exists()


def analyse_next(
    sessions: sessionmaker[Session],
    embedder: Embedder,
    now: datetime,
    limit: int = 256,
    placer: Placer | None = None,
) -> int:
    """Read the oldest unread posts, at most ``limit``; how many were taken up, 0 when none wait.

    The outermost caller of its steps: reads in one transaction, thinks without any, writes all or
    nothing in a second one. Any number may run at once. ``placer``: what this process remembers of
    narratives from call to call; without one it is read from the database.
    """
    placer = placer or Placer(embedder)
    with sessions() as session:
        unread = _unread(session, limit)
        asked = asking(session, unread)
    if not unread:
        return 0
    assessments = {post.id: _assess(post) for post in unread}
    grave = {post.id for post in unread if assessments[post.id].level >= ALARMING_LEVEL}
    # What only seemed alarming goes before it costs an embedding.
    posts = [p for p in unread if asked[p.id] or p.id in grave or not p.alarming]
    langs = {post.id: language_of(post.text or post.card or "", post.lang) for post in posts}
    vectors = _embed(embedder, posts, langs)
    missed = misses(embedder, posts, vectors, asked)
    unasked = {p.id for p in unread if asked[p.id] or p.alarming} - grave
    # Thinking, nearly all of the time, needs no turn.
    with sessions.begin() as session, placer.turn(session, vectors.shape[1]) as window:
        held = _still_unread(session, unread)
        held -= let_go(session, {pair for pair in missed if pair[0] in held}, unasked & held)
        arrivals = [
            _candidate(post, vector)
            for post, vector in zip(posts, vectors, strict=True)
            if post.id in held
        ]
        groups = group_of(session, arrivals, now)
        arrivals = [replace(post, copy_of=groups[post.post_id]) for post in arrivals]
        session.add_all(
            _reading(post, assessments[post.post_id], langs[post.post_id], embedder.name, now)
            for post in arrivals
        )
        session.flush()
        placer.place(session, window, arrivals, now)
    return len(unread)


def consider_next(sessions: sessionmaker[Session], placer: Placer, now: datetime) -> bool:
    """Look at the latest posts as a whole again, if it is time; whether it was.

    The outermost caller, as ``analyse_next``: while it thinks, posts go on being placed.
    """
    if not placer.due(now):
        return False
    with sessions.begin() as session, placer.turn(session) as window:
        look = window.look()
    communities = look.communities()
    with sessions.begin() as session, placer.turn(session) as window:
        placer.settle(session, window, look, communities, now)
    return True


def mend(sessions: sessionmaker[Session], placer: Placer) -> int:
    """Make narratives that lost posts anew from what still stands; how many there were."""
    with sessions() as session:
        if session.scalar(select(Departure.id).limit(1)) is None:
            return 0
    with sessions.begin() as session, placer.turn(session) as window:
        return placer.mend(session, window)


def _unread(session: Session, limit: int) -> list[Post]:
    newest_read = select(func.coalesce(func.max(Reading.post_id), 0)).scalar_subquery()
    return list(
        session.scalars(
            select(Post)
            .where(_UNREAD, Post.id > newest_read - LATE_POSTS)
            .order_by(Post.id)
            .limit(limit)
        )
    )


def _still_unread(session: Session, posts: Sequence[Post]) -> set[int]:
    """The posts that were neither deleted nor read by another runner meanwhile.

    They are kept from deletion until the end of the transaction; one that is being deleted at
    this moment is skipped, not waited for.
    """
    held = select(Post.id).where(Post.id.in_([post.id for post in posts]), _UNREAD)
    return set(session.scalars(held.with_for_update(key_share=True, read=True, skip_locked=True)))


def _assess(post: Post) -> Assessment:
    """A post's assessment; one that breaks the scorer is read as M0, and its reason says so."""
    try:
        return score(post.text)
    except Exception:
        log.exception("post %d could not be scored", post.id)
        fields = MessageFields(stance="unclear")
        why = "The scorer could not read this post"
        reason: Reason = {"code": "unread", "text": why, "start": 0, "end": 0}
        return Assessment(fields, 0, "none", fields.stance, [reason])


def _embed(
    embedder: Embedder, posts: Sequence[Post], langs: Mapping[int, str]
) -> NDArray[np.float32]:
    """One row per post; what the model cannot read gets a row of zeros, near to nothing."""
    known = embedder.languages
    rows = [n for n, post in enumerate(posts) if reads(known, langs[post.id])]
    some = _embed_all(embedder, [posts[n] for n in rows])
    vectors = np.zeros((len(posts), some.shape[1]), np.float32)
    vectors[rows] = some
    return vectors


def _embed_all(embedder: Embedder, posts: Sequence[Post]) -> NDArray[np.float32]:
    texts = [post.text or post.card or "" for post in posts]
    try:
        return embedder.embed(texts)
    except Exception:
        log.exception("a batch of %d posts could not be embedded; trying each alone", len(posts))
    rows: list[NDArray[np.float32] | None] = []
    for post, text in zip(posts, texts, strict=True):
        try:
            rows.append(embedder.embed([text])[0])
        except Exception:
            log.exception("post %d could not be embedded", post.id)
            rows.append(None)
    d = next((row.size for row in rows if row is not None), 0)
    if not d:  # not one post but the model is broken: leave them unread for the next try
        raise RuntimeError(f"The model {embedder.name} embeds nothing: see the log.")
    return np.array([np.zeros(d, np.float32) if row is None else row for row in rows])


def _reading(
    post: Candidate, assessed: Assessment, lang: str, embedder: str, now: datetime
) -> Reading:
    return Reading(
        post_id=post.post_id,
        embedding=post.vector,
        embedder=embedder,
        lang=lang,
        level=assessed.level,
        threat_level=assessed.threat_level,
        stance=assessed.stance,
        reasons=assessed.reasons,
        scorer=SCORER,
        narrative_id=None,
        copy_of=post.copy_of,
        hour=hour_of(post.posted_at),
        read_at=now,
    )


def _candidate(post: Post, vector: NDArray[np.float32]) -> Candidate:
    return Candidate(
        post_id=post.id,
        author=post.author,
        text=post.text,
        posted_at=post.posted_at,
        copy_of=post.id,
        vector=vector,
    )
