"""Hourly counts per narrative: by independent voices, in the hour of the post, never falling.

Copies of one text are one voice, whoever posts them, and so are all posts of one author.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from monitor.assignment import Placement
from monitor.models import DANGEROUS_LEVEL, HourlyCount, Reading
from monitor.narratives import HOUR, hour_of
from sources.models import Post

Cell = tuple[int, datetime]  # narrative id, hour


def count(session: Session, placed: Sequence[Placement]) -> set[Cell]:
    """Add newly placed posts to their hours; the cells that gained a dangerous voice.

    A voice is new in a cell when no other reading there is the author's or says the same. An
    author whose earlier post was deleted meanwhile counts again: no name is kept to prevent it.
    """
    placed = [placement for placement in placed if not placement.post.returned]
    if not placed:
        return set()
    levels = _known_levels(session, placed)
    gains: dict[Cell, list[int]] = {}
    for placement in placed:
        post = placement.post
        cell = (placement.narrative.id, hour_of(post.posted_at))
        before = max(
            (levels[key] for key in _voices(cell, post.author, post.copy_of) if key in levels),
            default=None,
        )
        dangerous = post.level >= DANGEROUS_LEVEL
        gain = gains.setdefault(cell, [0, 0, 0, 0])
        gain[0] += 1
        gain[1] += before is None
        gain[2] += dangerous
        gain[3] += dangerous and (before is None or before < DANGEROUS_LEVEL)
        for key in _voices(cell, post.author, post.copy_of):
            levels[key] = max(post.level, before or 0)
    added = insert(HourlyCount).values(
        [
            {
                "narrative_id": narrative_id,
                "hour": hour,
                "posts": posts,
                "authors": authors,
                "dangerous_posts": dangerous_posts,
                "dangerous_authors": dangerous_authors,
            }
            for (narrative_id, hour), (
                posts,
                authors,
                dangerous_posts,
                dangerous_authors,
            ) in gains.items()
        ]
    )
    session.execute(
        added.on_conflict_do_update(
            index_elements=[HourlyCount.narrative_id, HourlyCount.hour],
            set_={
                name: getattr(HourlyCount, name) + added.excluded[name]
                for name in ("posts", "authors", "dangerous_posts", "dangerous_authors")
            },
        )
    )
    return {cell for cell, gain in gains.items() if gain[3]}


Voice = tuple[int | None, datetime, str | int]  # narrative id, hour, author or group of copies


def _voices(cell: tuple[int | None, datetime], author: str, copy_of: int) -> tuple[Voice, Voice]:
    return (*cell, author), (*cell, copy_of)


def _known_levels(session: Session, placed: Sequence[Placement]) -> dict[Voice, int]:
    """The highest level these authors and texts already have, by narrative and hour."""
    hours = [hour_of(placement.post.posted_at) for placement in placed]
    theirs = Post.author.in_({placement.post.author for placement in placed})
    same = Reading.copy_of.in_({placement.post.copy_of for placement in placed})
    known = session.execute(
        select(Reading.narrative_id, Post.posted_at, Post.author, Reading.copy_of, Reading.level)
        .join(Post, Post.id == Reading.post_id)
        .where(
            Reading.narrative_id.in_({placement.narrative.id for placement in placed}),
            or_(theirs, same),
            Post.posted_at >= min(hours),
            Post.posted_at < max(hours) + HOUR,
            Post.id.not_in([placement.post.post_id for placement in placed]),
        )
    )
    levels: dict[Voice, int] = {}
    for narrative_id, posted_at, author, copy_of, level in known:
        for key in _voices((narrative_id, hour_of(posted_at)), author, copy_of):
            levels[key] = max(level, levels.get(key, 0))
    return levels
