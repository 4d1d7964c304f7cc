"""The life-safety fast path (R6): one post that cannot wait for a narrative calls a person at once.

A high threat level, or M4 within 48 hours with two specifics: the rule is the codebook's. Copies of
one text call once. A post in a language that the scorer does not read is M0 and never calls.
"""

import logging
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload

from monitor.coding.codebook import (
    LIFE_SAFETY_SPECIFICS,
    Situation,
    danger,
    from_stored,
    threat_level,
)
from monitor.flags.flags import telling
from monitor.models import Flag, Narrative, Reading
from monitor.reading.places_named import named_places
from sources.db import among
from sources.models import Post

LEVEL = 4  # the codebook knows no life safety below M4
RECENT = timedelta(hours=48)  # older posts come of back-fill: what they name has passed
ANSWER_WITHIN = timedelta(minutes=15)  # until a person has looked (T2 of the clock at D4)
TEST = "life safety"
REASONS = 4  # of the scorer's, repeated at most

log = logging.getLogger(__name__)


def call(session: Session, posts: Collection[int], now: datetime) -> set[int]:
    """Flag those of these posts (ids) that are life-safety and whose text called nobody before.

    The narratives that were taken up by it: whoever holds them in memory must learn that they are
    settled. One that somebody is deleting at this moment is left out: never wait for a removal, it
    may wait for us. The caller holds the turn.
    """
    grave = session.scalars(
        select(Reading)
        .join(Reading.post)
        .where(
            among(Reading.post_id, posts),
            Reading.level >= LEVEL,
            Post.posted_at > now - RECENT,
            ~select(Flag.id).where(Flag.copy_of == Reading.copy_of).exists(),
        )
        .options(joinedload(Reading.post, innerjoin=True))
        .order_by(Post.posted_at, Post.id)
        .with_for_update(of=Post, key_share=True, read=True, skip_locked=True)
        .execution_options(populate_existing=True)
    ).all()
    rows = [_row(reading, now) for reading in grave if is_life_safety(reading.fields)]
    if not rows:
        return set()
    calls = insert(Flag).on_conflict_do_nothing().returning(Flag.narrative_id)
    called = {one for row in rows for one in session.scalars(calls.values(row)) if one is not None}
    session.execute(
        update(Narrative)
        .where(Narrative.id.in_(called), Narrative.settled_at.is_(None))
        .values(settled_at=now)
        .execution_options(synchronize_session="fetch")
    )
    return called


def is_life_safety(stored: Mapping[str, Any]) -> bool:
    """Whether a message so coded (Reading.fields) is looked at at once, whatever its situation."""
    try:
        return danger(from_stored(stored), Situation()).life_safety
    except ValueError:  # coded by an edition of which a value is no more
        log.warning("fields of edition %s cannot be read any more", stored.get("edition"))
        return False


def _row(reading: Reading, now: datetime) -> dict[str, Any]:
    post = reading.post
    return {
        "kind": "life_safety",
        "narrative_id": reading.narrative_id,
        "post_id": post.id,
        "copy_of": reading.copy_of,
        "level": LEVEL,
        "hour": reading.hour,
        "observed": 1,
        "expected": 0.0,
        "p_value": 0.0,
        "test": TEST,
        "reasons": _reasons(reading),
        "about": {
            "platforms": {post.platform: 1},
            "places": _places(post.text),
        },
        "detector": reading.scorer,
        "raised_at": now,
        "posted_at": post.posted_at,
        "collected_at": post.collected_at,
    }


def _reasons(reading: Reading) -> list[dict[str, str | int | None]]:
    """Why it cannot wait, in the machine's words alone: a flag outlives its post."""
    fields = from_stored(reading.fields)
    if threat_level(fields) == "high":
        why = f"A threat of the highest level: it names {fields.specifics} of target, place, time "
        why += "and means" + (", and tells of preparations." if fields.capability_cue else ".")
    else:
        why = "It urges or threatens violence within 48 hours and names "
        why += f"{fields.specifics} of target, place, time and means"
        why += f" (from {LIFE_SAFETY_SPECIFICS} on a person looks at once)."
    said = telling(reading, REASONS)
    said = said or ["A person coded the post so."] * (reading.coding_id is not None)
    return [{"text": text, "post_id": reading.post_id} for text in (why, *said)]


def _places(text: str) -> list[list[str | int]]:
    return [[fips, 1] for fips in sorted({fips for *_, fips, _ in named_places(text) if fips})]
