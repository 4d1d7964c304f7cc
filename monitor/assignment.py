"""Which narrative a post belongs to, decided as posts arrive.

A post joins the nearest live narrative if it is near enough; else it stays unassigned, which is a
full answer: most posts tell no shared story. When several unassigned posts of different authors
agree with each other, they become a narrative together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.models import Narrative, Reading
from sources.models import Post

# Cosines of all-MiniLM-L6-v2. Measured on published sets: 0.50 gathers headlines, 0.60 claims.
# What founds a narrative must agree more than what joins it: a centroid is the calmer judge.
ASSIGN = 0.50
SEED = 0.55
SEED_POSTS = 3  # posts that agree before anything is called a narrative
SEED_AUTHORS = 2  # one person's repetition is no narrative
SEED_WINDOW = timedelta(hours=24)  # founders must be this close in time
LIVE = timedelta(days=7)  # a narrative silent for longer takes no new posts
MAX_LIVE = 3_000  # the latest live narratives looked at: 30 µs a post
MAX_POOL = 2_000  # the latest unassigned posts looked at
MAX_NEIGHBOURS = 50  # nearest unassigned posts tried as founders


@dataclass(frozen=True)
class Candidate:
    """A post that has been read: what assignment and counting need of it."""

    post_id: int
    author: str
    text: str
    posted_at: datetime
    level: int
    copy_of: int  # Reading.copy_of: copies of one text are one voice
    returned: bool  # was hidden for a while: it has been counted
    vector: NDArray[np.float32]  # (d,), of unit length, or zero if it could not be read


@dataclass(frozen=True)
class Placement:
    """One post in its narrative, which is persisted."""

    post: Candidate
    narrative: Narrative


def assign(
    session: Session, arrivals: Sequence[Candidate], embedder: str, now: datetime
) -> list[Placement]:
    """Place new posts, and older unassigned ones that now found or join a narrative.

    Narratives are created and moved here; readings are the caller's. Only narratives and posts
    whose vectors are of ``embedder`` are compared. The caller holds the lock of the analysis.
    """
    if not arrivals:
        return []
    arrivals = sorted(arrivals, key=lambda post: (post.posted_at, post.post_id))
    live = _Live(session, embedder, arrivals)
    pool = _Pool(session, embedder, arrivals)
    placed = []
    for post in arrivals:
        narrative = live.nearest(post)
        if narrative is not None:
            live.move(narrative, post)
            placed.append(Placement(post, narrative))
            continue
        founders = pool.founders(post)
        if not founders:
            pool.add(post)
            continue
        founded = live.found(founders, embedder, now)
        joining = pool.near(founded, post.posted_at)
        for follower in joining:
            live.move(founded, follower)
        placed += [Placement(member, founded) for member in [*founders, *joining]]
    return placed


class _Live:
    """The live narratives and their centroids, as rows of one matrix."""

    def __init__(self, session: Session, embedder: str, arrivals: Sequence[Candidate]) -> None:
        self._session = session
        self._narratives: list[Narrative] = list(
            session.scalars(
                select(Narrative)
                .where(
                    Narrative.embedder == embedder,
                    Narrative.last_post_at >= arrivals[0].posted_at - LIVE,
                )
                .order_by(Narrative.last_post_at.desc())
                .limit(MAX_LIVE)
            )
        )
        d = arrivals[0].vector.size
        rows = [np.asarray(n.centroid, dtype=np.float32) for n in self._narratives]
        self._centroids = np.array(rows, dtype=np.float32).reshape(-1, d)
        self._rows = {narrative.id: row for row, narrative in enumerate(self._narratives)}

    def nearest(self, post: Candidate) -> Narrative | None:
        """The nearest narrative at ASSIGN or above that was alive when the post was made."""
        cosines = self._centroids @ post.vector
        for row in np.argsort(-cosines).tolist():
            if cosines[row] < ASSIGN:
                return None
            narrative: Narrative = self._narratives[row]
            if abs(post.posted_at - narrative.last_post_at) <= LIVE:
                return narrative
        return None

    def move(self, narrative: Narrative, post: Candidate) -> None:
        """Take one more post in: the centroid is the running mean, renormalised."""
        row = self._rows[narrative.id]
        narrative.centroid = _unit(self._centroids[row] * narrative.size + post.vector)
        self._centroids[row] = narrative.centroid
        narrative.size += 1
        narrative.first_post_at = min(narrative.first_post_at, post.posted_at)
        narrative.last_post_at = max(narrative.last_post_at, post.posted_at)

    def found(self, posts: Sequence[Candidate], embedder: str, now: datetime) -> Narrative:
        """A new narrative of these posts; its title follows once its readings are saved."""
        centroid = _unit(np.sum([post.vector for post in posts], axis=0))
        narrative = Narrative(
            title="",
            centroid=centroid,
            embedder=embedder,
            size=len(posts),
            first_post_at=min(post.posted_at for post in posts),
            last_post_at=max(post.posted_at for post in posts),
            created_at=now,
        )
        self._session.add(narrative)
        self._session.flush()
        self._rows[narrative.id] = len(self._narratives)
        self._narratives.append(narrative)
        self._centroids = np.vstack([self._centroids, centroid])
        return narrative


class _Pool:
    """The latest unassigned posts, from the database and from this batch."""

    def __init__(self, session: Session, embedder: str, arrivals: Sequence[Candidate]) -> None:
        self._session = session
        known = session.execute(
            select(
                *(Post.id, Post.author, Post.text, Post.posted_at),
                *(Reading.level, Reading.copy_of, Post.returned, Reading.embedding),
            )
            .join(Reading, Reading.post_id == Post.id)
            .where(
                Reading.narrative_id.is_(None),
                Reading.embedder == embedder,
                Post.id.not_in([post.post_id for post in arrivals]),
                Post.posted_at >= arrivals[0].posted_at - SEED_WINDOW,
                Post.posted_at <= arrivals[-1].posted_at + SEED_WINDOW,
            )
            .order_by(Post.posted_at.desc())
            .limit(MAX_POOL)
        )
        self._posts = [
            Candidate(*row[:7], vector=np.asarray(row[7], dtype=np.float32)) for row in known
        ]
        self._stored = {post.post_id for post in self._posts}
        room = len(self._posts) + len(arrivals)
        self._vectors = np.zeros((room, arrivals[0].vector.size), dtype=np.float32)
        self._free = np.zeros(room, dtype=bool)
        for row, post in enumerate(self._posts):
            self._vectors[row], self._free[row] = post.vector, True

    def add(self, post: Candidate) -> None:
        """Keep a new post for those that come after it."""
        self._vectors[len(self._posts)], self._free[len(self._posts)] = post.vector, True
        self._posts.append(post)

    def founders(self, post: Candidate) -> list[Candidate]:
        """The post and unassigned ones that all agree with each other, if they are enough."""
        rows = self._within(self._vectors @ post.vector, SEED, post.posted_at)[:MAX_NEIGHBOURS]
        clique: list[int] = []
        for row in rows:
            if np.all(self._vectors[clique] @ self._vectors[row] >= SEED):
                clique.append(row)
        if not self._enough([post, *(self._posts[row] for row in clique)]):
            return []
        members = [post, *self._take(clique)]
        return members if self._enough(members) else []

    def near(self, narrative: Narrative, moment: datetime) -> list[Candidate]:
        """The unassigned posts that a narrative just founded draws in."""
        cosines = self._vectors @ np.asarray(narrative.centroid)
        return self._take(self._within(cosines, ASSIGN, moment))

    def _within(self, cosines: NDArray[np.float32], least: float, moment: datetime) -> list[int]:
        """Rows still unassigned, near enough in meaning and in time, nearest first."""
        rows = np.flatnonzero(self._free & (cosines >= least))
        rows = rows[np.argsort(-cosines[rows])]
        return [int(row) for row in rows if abs(self._posts[row].posted_at - moment) <= SEED_WINDOW]

    def _take(self, rows: Sequence[int]) -> list[Candidate]:
        """Those of the rows that nobody is deleting at this moment; they leave the pool."""
        posts = [self._posts[row] for row in rows]
        stored = [post.post_id for post in posts if post.post_id in self._stored]
        # Never wait for a removal: it may be waiting for us.
        held = set(
            self._session.scalars(
                select(Reading.post_id)
                .where(Reading.post_id.in_(stored), Reading.narrative_id.is_(None))
                .with_for_update(skip_locked=True)
            )
            if stored
            else []
        )
        self._free[list(rows)] = False
        return [post for post in posts if post.post_id in held or post.post_id not in self._stored]

    @staticmethod
    def _enough(posts: Sequence[Candidate]) -> bool:
        """Enough different posts by different authors: one author's copies count once."""
        different = {(post.author, " ".join(post.text.lower().split())) for post in posts}
        return len(different) >= SEED_POSTS and len({post.author for post in posts}) >= SEED_AUTHORS


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)
