"""What stands behind a rise: who says it, where, in how many copies, and the posts that explain it.

Of posts that stand when it is asked; words of theirs go nowhere.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, joinedload

from monitor.flags.flags import telling
from monitor.models import LEVEL_NAMES, PostCounty, Reading
from monitor.narratives.counted import READ_FOR_PLACES
from monitor.narratives.counters import voices
from monitor.narratives.portrait import places_named
from monitor.rises.series import Subject
from sources.models import Post, PostWatch

EXPLAINING_POSTS = 5
READ_TO_EXPLAIN = 200  # authors' gravest posts, among which five of different texts are looked for
WORDS = 3  # of the machine's reasons for one post
PLACES = 5
Hours = tuple[datetime, datetime]  # the first and the last, both included


def of(
    session: Session, subject: Subject, level: int, called: Hours, rise: Hours
) -> dict[str, Any]:
    """The part of Flag.about that posts tell (monitor.rises.spikes.about).

    ``called``: the hours that were called; ``rise``: all of it so far.
    """
    authors = voices_in(session, subject, level, called)
    everyone = max(authors, voices_in(session, subject, 0, called))
    platforms = _platforms(session, subject, level, rise)
    return {
        "authors": authors,
        "everyone": everyone,
        "share": authors / everyone if everyone else None,
        "platforms": platforms,
        "crossed": len(platforms) > 1,
        "places": _places(session, subject, level, rise),
        "copies": _copies(session, subject, level, rise),
    }


def voices_in(
    session: Session, subject: Subject, level: int, hours: Hours, besides: Collection[int] = ()
) -> int:
    """Independent voices at a level or above, outside the narratives ``besides``."""
    query = (
        select(func.least(*voices()))
        .join(Reading, Reading.post_id == Post.id)
        .where(_said(session, subject, level, hours))
    )
    if besides:
        elsewhere = Reading.narrative_id.is_(None) | Reading.narrative_id.not_in(besides)
        query = query.where(elsewhere)
    return session.scalar(query) or 0


def explaining(session: Session, subject: Subject, level: int, hours: Hours) -> list[Reading]:
    """The gravest posts, the earliest first: one of each author, none said twice; at most five."""
    gravest = (Reading.level.desc(), Post.posted_at, Post.id)
    of_each = (
        select(Reading.post_id)
        .join(Reading.post)
        .where(_said(session, subject, level, hours))
        .ext(distinct_on(Post.author))
        .order_by(Post.author, *gravest)
    )
    ranked = (
        select(Reading)
        .join(Reading.post)
        .where(Reading.post_id.in_(of_each))
        .options(joinedload(Reading.post))
        .order_by(*gravest)
        .limit(READ_TO_EXPLAIN)
    )
    chosen: list[Reading] = []
    said: set[int] = set()
    for reading in session.scalars(ranked):
        if reading.copy_of in said:
            continue
        chosen.append(reading)
        said.add(reading.copy_of)
        if len(chosen) == EXPLAINING_POSTS:
            break
    return chosen


def reason(reading: Reading) -> dict[str, str | int | None]:
    """A post as a reason of a flag: its level and the machine's words on it."""
    name = f"M{reading.level} {LEVEL_NAMES[reading.level]}"
    why = "; ".join(telling(reading, WORDS))
    if not why and reading.coding_id is not None:
        why = "as a person coded it"
    return {"text": f"{name}: {why}." if why else f"{name}.", "post_id": reading.post_id}


def _said(session: Session, subject: Subject, level: int, hours: Hours) -> ColumnElement[bool]:
    """The posts of a subject at a level or above, of Reading joined with Post."""
    within = Reading.hour.between(*hours) & (Reading.level >= level)
    if subject.place is not None:
        named = PostCounty.post_id == Reading.post_id
        places = select(PostCounty.post_id).where(named, PostCounty.fips == subject.place)
        return within & places.exists()
    if subject.watch_id is not None:
        asked = PostWatch.post_id == Reading.post_id
        theirs = select(PostWatch.post_id).where(asked, PostWatch.watch_id == subject.watch_id)
        return within & theirs.exists()
    return within & (Reading.narrative_id == subject.narrative_id)


def _platforms(session: Session, subject: Subject, level: int, hours: Hours) -> dict[str, int]:
    rows = session.execute(
        select(Post.platform, func.count())
        .join(Reading, Reading.post_id == Post.id)
        .where(_said(session, subject, level, hours))
        .group_by(Post.platform)
        .order_by(func.count().desc(), Post.platform)
    )
    return dict(rows.all())


def _copies(session: Session, subject: Subject, level: int, hours: Hours) -> int:
    accounts = func.count(Post.author.distinct())
    query = (
        select(accounts)
        .join(Reading, Reading.post_id == Post.id)
        .where(_said(session, subject, level, hours))
        .group_by(Reading.copy_of)
        .order_by(accounts.desc())
        .limit(1)
    )
    return session.scalar(query) or 0


def _places(session: Session, subject: Subject, level: int, hours: Hours) -> list[list[str | int]]:
    """Counties that the posts name, a city as its county, most posts first; then states."""
    query = (
        select(Post.text, Post.card)
        .join(Reading, Reading.post_id == Post.id)
        .where(_said(session, subject, level, hours))
        .order_by(func.hashint8(Post.id))
        .limit(READ_FOR_PLACES)
    )
    posts: dict[str, int] = defaultdict(int)
    for place, naming in places_named([(text, card) for text, card in session.execute(query)]):
        posts[place.fips] = max(posts[place.fips], naming)
    ordered = sorted(posts.items(), key=lambda pair: (len(pair[0]) < 5, -pair[1], pair[0]))
    return [[fips, naming] for fips, naming in ordered[:PLACES]]
