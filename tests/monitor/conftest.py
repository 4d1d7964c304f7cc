"""What the tests of this room share: the real model, and posts that say something."""

import itertools
from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.embed import SentenceTransformerEmbedder, load_embedder
from sources.models import Post, Source


@pytest.fixture(scope="session")
def embedder() -> SentenceTransformerEmbedder:
    return load_embedder(None)


@pytest.fixture
def say() -> Callable[[Session, str, str, datetime], Post]:
    """Add one post: ``say(session, author, text, posted_at)``. The caller commits."""
    numbers = itertools.count(1)

    def add(session: Session, author: str, text: str, at: datetime) -> Post:
        source = session.scalar(select(Source))
        if source is None:
            source = Source(kind="example", address="town", name="Town", created_at=at)
            session.add(source)
            session.flush()
        post = Post(
            source_id=source.id,
            platform="example",
            uri=f"example:{next(numbers)}",
            author=author,
            text=text,
            posted_at=at,
            collected_at=at,
        )
        session.add(post)
        session.flush()
        return post

    return add
