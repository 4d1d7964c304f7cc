"""The crux of monitor/: posts nobody has read yet become readings, narratives and counts.

A single post that cannot wait calls a person at once; what may rise is queued (spikes).
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session, sessionmaker

from monitor.coding import codings
from monitor.coding.codebook import MessageFields, as_stored
from monitor.embedding.embed import PACKAGED_NAME, Embedder
from monitor.flags import life_safety
from monitor.flags.flags import warn
from monitor.models import DANGEROUS_LEVEL, Departure, PostCounty, Reading
from monitor.narratives.copies import copies_of
from monitor.narratives.graph import Floats
from monitor.narratives.narratives import hour_of
from monitor.narratives.placing import Candidate, Placer
from monitor.reading.cued import Assessment, Reason
from monitor.reading.incitement import ALARMING_LEVEL, LANGUAGES, NOT_SCORED, Scorer
from monitor.reading.languages import language_of, reads
from monitor.reading.readers import scorer_in_force
from monitor.reading.subjects import asking, let_go, misses
from monitor.rises.areas import counties_in
from sources.db import among
from sources.models import Post

# Posts are read in the order of their ids. One that became visible late, behind a transaction
# slower than this many others, would be missed; looking at the whole table each time costs more.
LATE_POSTS = 50_000

log = logging.getLogger(__name__)

_UNREAD = ~select(Reading.post_id).where(Reading.post_id == Post.id).exists()


@dataclass(frozen=True)
class _Thought:
    """What was thought of some posts, without any lock: nothing of it is saved yet."""

    posts: list[Post]
    langs: dict[int, str]  # by post id, as all below
    scorer: Scorer
    vectors: Floats  # a row for each post
    assessments: dict[int, Assessment]
    counties: dict[int, set[str]]  # FIPS of those that a post names
    missed: set[tuple[int, int]]  # (post, watch): the post does not speak of the watch's subject
    unasked: set[int]  # no watch asks for them, or one whose subject they may miss; none is grave


def analyse_next(
    sessions: sessionmaker[Session],
    embedder: Embedder,
    now: datetime,
    limit: int = 256,
    placer: Placer | None = None,
    scorer: Scorer | None = None,
) -> int:
    """Read the oldest unread posts, at most ``limit``; how many were taken up, 0 when none wait.

    The outermost caller of its steps: reads in one transaction, thinks without any, writes all or
    nothing in a second one. Any number may run at once. ``placer``: what this process remembers of
    narratives from call to call; without one it is read from the database. ``scorer``: what reads
    messages; without one it is the one in force.
    """
    placer = placer or Placer(embedder)
    thought = _think(sessions, embedder, scorer, limit, now)
    if thought is None:
        return 0
    _write(sessions, embedder, placer, thought, now)
    return len(thought.posts)


def analyse_waiting(
    sessions: sessionmaker[Session],
    embedder: Embedder,
    placer: Placer,
    clock: Callable[[], datetime],
    stop: Callable[[], bool] = lambda: False,
    limit: int = 256,
) -> int:
    """As ``analyse_next``, until none wait or ``stop``: how many posts were taken up.

    While some are saved, the next are thought of.
    """
    taken = 0
    with ThreadPoolExecutor(1, thread_name_prefix="think") as ahead:
        thought = _think(sessions, embedder, None, limit, clock())
        while thought is not None:
            # A short batch is the last: what came meanwhile, or could not be held, is next time's.
            last = len(thought.posts) < limit or stop()
            following = (
                None
                if last
                else ahead.submit(_think, sessions, embedder, None, limit, clock(), thought.posts)
            )
            _write(sessions, embedder, placer, thought, clock())
            taken += len(thought.posts)
            thought = following.result() if following else None
    return taken


def _think(
    sessions: sessionmaker[Session],
    embedder: Embedder,
    scorer: Scorer | None,
    limit: int,
    now: datetime,
    besides: Sequence[Post] = (),
) -> _Thought | None:
    """Read and judge the oldest unread posts but for those ``besides``; None when none wait."""
    with sessions() as session:
        scorer = scorer or scorer_in_force(session, now)
        posts = _unread(session, limit, besides)
        asked = asking(session, posts)
    if not posts:
        return None
    langs = {post.id: language_of(post.text or post.card or "", post.lang) for post in posts}
    vectors = _embed(embedder, posts, langs)
    known = vectors if embedder.name == PACKAGED_NAME else None  # the first look knows no other
    assessments = assess(scorer, posts, known, langs)
    grave = {post.id for post in posts if assessments[post.id].level >= ALARMING_LEVEL}
    missed = misses(embedder, posts, vectors, asked)
    unasked = {post.id for post in posts if asked[post.id] or post.alarming} - grave
    counties = {post.id: counties_in(post.text, post.card) for post in posts}
    return _Thought(posts, langs, scorer, vectors, assessments, counties, missed, unasked)


def _write(
    sessions: sessionmaker[Session],
    embedder: Embedder,
    placer: Placer,
    thought: _Thought,
    now: datetime,
) -> None:
    """Save what was thought, all or nothing: readings, narratives, counts, calls to a person."""
    vectors = thought.vectors
    with sessions.begin() as session, placer.turn(session, vectors.shape[1]) as window:
        held = _still_unread(session, thought.posts)
        missed = {pair for pair in thought.missed if pair[0] in held}
        held -= let_go(session, missed, thought.unasked & held)
        posts = [post for post in thought.posts if post.id in held]
        texts = {post.id: post.text for post in posts}
        blank = {post.id for post, row in zip(thought.posts, vectors, strict=True) if not row.any()}
        copies = copies_of(session, posts, now, embedder.name, blank)
        coded = codings.standing(session, texts)
        arrivals = [
            Candidate(
                post_id=post.id,
                posted_at=post.posted_at,
                hour=hour_of(post.posted_at),
                copy_of=copies[post.id].of,
                searched=copies[post.id].searched,
                vector=vector,
                judged=_reading(post.id, thought, embedder, now)
                | (codings.said(coded[post.id]) if post.id in coded else {}),
                author=post.author,
                text=post.text,
            )
            for post, vector in zip(thought.posts, vectors, strict=True)
            if post.id in held
        ]
        named = [
            {"post_id": post, "fips": fips}
            for post in texts
            for fips in sorted(thought.counties[post])
        ]
        if named:
            session.execute(insert(PostCounty), named)
        placer.place(session, window, arrivals, now)
        for story in life_safety.call(session, list(texts), now):
            if story in window.stories:
                window.stories[story].settled = True
        warn(session, (), now, _dangerous_hours(session, texts))


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


def _unread(session: Session, limit: int, besides: Sequence[Post]) -> list[Post]:
    newest_read = select(func.coalesce(func.max(Reading.post_id), 0)).scalar_subquery()
    return list(
        session.scalars(
            select(Post)
            .where(
                _UNREAD,
                Post.id > newest_read - LATE_POSTS,
                Post.id.not_in([post.id for post in besides]),
            )
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


def assess(
    scorer: Scorer, posts: Sequence[Post], vectors: Floats | None, langs: Mapping[int, str]
) -> dict[int, Assessment]:
    """By post id. What is in no language the scorer reads is M0, and so is what breaks it."""
    every = {post.id: Assessment(MessageFields(), 0, "none", "unclear", []) for post in posts}
    rows = [n for n, post in enumerate(posts) if langs[post.id] in LANGUAGES]
    texts = [posts[n].text for n in rows]
    theirs = None if vectors is None else vectors[rows]
    try:
        found = scorer.score(texts, theirs, [posts[n].posted_at for n in rows])
    except Exception:
        log.exception("a batch of %d posts could not be scored; trying each alone", len(rows))
        found = [_assess_alone(scorer, posts[n]) for n in rows]
    return every | {posts[n].id: one for n, one in zip(rows, found, strict=True)}


def _assess_alone(scorer: Scorer, post: Post) -> Assessment:
    """A post's assessment; one that breaks the scorer is read as M0, and its reason says so."""
    try:
        return scorer.score([post.text], posted_at=[post.posted_at])[0]
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


def _reading(post: int, thought: _Thought, embedder: Embedder, now: datetime) -> dict[str, object]:
    """What a post is read as: the columns of its reading that its place has no part in."""
    assessed, lang = thought.assessments[post], thought.langs[post]
    return {
        "embedder": embedder.name,
        "lang": lang,
        "read_at": now,
        "coding_id": None,
        **judged(assessed, lang, thought.scorer),
    }


def judged(assessed: Assessment, lang: str, scorer: Scorer) -> dict[str, object]:
    """What a reading holds of an assessment."""
    return {
        "level": assessed.level,
        "threat_level": assessed.threat_level,
        "stance": assessed.stance,
        "reasons": assessed.reasons,
        "fields": as_stored(assessed.fields),
        "confidence": dict(assessed.confidence),
        "scorer": scorer.name if lang in LANGUAGES else NOT_SCORED,
    }


def _dangerous_hours(session: Session, posts: Collection[int]) -> set[datetime]:
    """The hours of those read as dangerous: their areas are looked at, whatever their narrative."""
    query = select(Reading.hour).where(
        among(Reading.post_id, posts), Reading.level >= DANGEROUS_LEVEL
    )
    return set(session.scalars(query))
