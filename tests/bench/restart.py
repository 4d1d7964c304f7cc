"""What a worker's start costs: ``python -m tests.bench.restart [--narratives 100000]``.

A worker that starts, or whose memory another has overtaken, reads its window of 8,000 posts and
all centroids from the tables. Filled here with invented posts and narratives (tests.bench.placing
makes them) on a PostgreSQL of its own; one JSON line each for ours (centroids as bytes) and, beside
it in the same run, for the same rows as SQLAlchemy gives them (pgvector's text). Both read once
before the clock runs, so that the server has the tables in memory; ``peak_mb`` is the process's.
"""

import argparse
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert, select
from sqlalchemy.orm import Session, sessionmaker

from monitor.embedding.embed import PACKAGED_NAME
from monitor.models import Narrative, Reading
from monitor.narratives.narratives import hour_of
from monitor.narratives.placing import Placer
from monitor.narratives.window import SIZE
from sources.models import Post, Source
from tests.bench.database import own_database
from tests.bench.narratives import say
from tests.bench.placing import FAR, WIDTH, World, peak, rss

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ROWS = 2_000  # inserted at once
IN_NARRATIVES = 0.3  # of the window's posts


class Known:
    """Stands for the encoder: a restart embeds nothing, it only asks which model and how wide."""

    name, languages = PACKAGED_NAME, None

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.zeros((len(texts), WIDTH), np.float32)


def fill(sessions: sessionmaker[Session], narratives: int) -> None:
    world = World(narratives, new=300, aside=FAR)
    posts = world.posts(SIZE, of_live=IN_NARRATIVES, of_new=0.15)
    centroids = world.stories[:narratives]
    told = np.random.default_rng(1).integers(0, narratives, SIZE)
    in_one = np.random.default_rng(2).random(SIZE) < IN_NARRATIVES
    with sessions.begin() as session:
        source = Source(kind="example", address="bench", name="Bench", created_at=NOW)
        session.add(source)
        session.flush()
        for start in range(0, narratives, ROWS):
            session.execute(
                insert(Narrative),
                [
                    {
                        "id": n + 1,
                        "title": f"Story {n}",
                        "centroid": centroids[n],
                        "embedder": PACKAGED_NAME,
                        "size": 20,
                        "first_post_at": NOW - timedelta(days=20),
                        "last_post_at": NOW - timedelta(days=1),
                        "created_at": NOW - timedelta(days=20),
                        "settled_at": NOW - timedelta(days=19),
                    }
                    for n in range(start, min(start + ROWS, narratives))
                ],
            )
        for start in range(0, SIZE, ROWS):
            some = range(start, min(start + ROWS, SIZE))
            session.execute(
                insert(Post),
                [
                    {
                        "id": n + 1,
                        "source_id": source.id,
                        "platform": "example",
                        "uri": f"bench:{n}",
                        "author": posts.arrivals[n].author,
                        "text": posts.arrivals[n].text,
                        "posted_at": NOW - timedelta(seconds=SIZE - n),
                        "collected_at": NOW,
                        "checked_at": NOW,
                    }
                    for n in some
                ],
            )
            session.execute(
                insert(Reading),
                [
                    {
                        "post_id": n + 1,
                        "embedding": posts.vectors[n],
                        "embedder": PACKAGED_NAME,
                        "lang": "en",
                        "level": 0,
                        "threat_level": "none",
                        "stance": "asserts",
                        "reasons": [],
                        "scorer": "none",
                        "narrative_id": int(told[n]) + 1 if in_one[n] else None,
                        "copy_of": n + 1,
                        "hour": hour_of(NOW - timedelta(seconds=SIZE - n)),
                        "read_at": NOW,
                    }
                    for n in some
                ],
            )


def restart(sessions: sessionmaker[Session]) -> dict[str, Any]:
    before, begun = rss(), time.perf_counter()
    placer = Placer(Known())
    with sessions.begin() as session, placer.turn(session) as window:
        held = len(window.stories)
        posts = len(window.posts())
    seconds = time.perf_counter() - begun
    return {"seconds": round(seconds, 2), "narratives": held, "posts": posts, "mb": rss() - before}


def as_rows(sessions: sessionmaker[Session]) -> dict[str, Any]:
    """The same rows, as SQLAlchemy and pgvector read them by themselves; no window is made."""
    before, begun = rss(), time.perf_counter()
    with sessions() as session:
        stories = session.execute(select(Narrative.id, Narrative.size, Narrative.centroid)).all()
        posts = session.execute(
            select(Post.id, Post.author, Post.text, Reading.embedding)
            .join(Reading, Reading.post_id == Post.id)
            .order_by(Post.id.desc())
            .limit(SIZE)
        ).all()
    seconds = time.perf_counter() - begun
    return {
        "seconds": round(seconds, 2),
        "narratives": len(stories),
        "posts": len(posts),
        "mb": rss() - before,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--narratives", type=int, default=100_000)
    options = parser.parse_args(arguments)
    methods = {"window, centroids as bytes": restart, "rows by SQLAlchemy, as text": as_rows}
    with own_database() as sessions:
        fill(sessions, options.narratives)
        for _ in range(2):  # the second time the tables are in the server's memory
            found = {name: method(sessions) for name, method in methods.items()}
    for name, figures in found.items():
        say(what="restart", method=name, **figures, peak_mb=peak())


if __name__ == "__main__":
    main()
