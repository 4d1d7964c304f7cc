"""What the tests of this room share: the real model, and posts that say something."""

import itertools
from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.embedding.embed import SentenceTransformerEmbedder, load_embedder
from sources.models import Post, Source


@pytest.fixture(scope="session")
def embedder() -> SentenceTransformerEmbedder:
    return load_embedder(None)


@pytest.fixture
def say() -> Callable[[Session, str, str, datetime], Post]:
    """Add one post: ``say(session, author, text, posted_at)``. The caller commits.

    With ``flush=False`` the post has no id yet: many are written at once.
    """
    numbers = itertools.count(1)
    told: list[Source] = []  # a session forgets what nobody holds

    def add(session: Session, author: str, text: str, at: datetime, flush: bool = True) -> Post:
        source = session.get(Source, told[0].id) if told else session.scalar(select(Source))
        if source is None:
            source = Source(kind="example", address="town", name="Town", created_at=at)
            session.add(source)
            session.flush()
        told[:] = [source]
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
        if flush:
            session.flush()
        return post

    return add
