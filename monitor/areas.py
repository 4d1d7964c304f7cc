"""Areas: the voices of each watch and each county, hour by hour, over all narratives.

A county is meant where a dangerous post names it, or a city in it; nobody is located. Counts are of
posts that stand when their hour is looked at, and never lowered: what is deleted later was said.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from monitor.counters import voices
from monitor.incitement import ALARMING_LEVEL
from monitor.models import DANGEROUS_LEVEL, AreaCount, Reading
from monitor.narratives import HOUR
from monitor.places_named import named_places
from sources.models import Post, PostWatch

COUNTY_DIGITS = 5  # of its FIPS code; a state has two
COUNTS = ("authors", "dangerous_authors", "alarming_authors")
Row = tuple[str, str, datetime, int, int, int]  # the columns of AreaCount


def count(session: Session, hours: Collection[datetime]) -> dict[str, set[str]]:
    """Count these hours (full ones) anew; the keys of areas with dangerous voices, by kind.

    Of counties only dangerous and alarming voices are counted: ``authors`` stays 0.
    """
    rows = [*_watches(session, hours), *_counties(session, hours)]
    if rows:
        names = [column.name for column in AreaCount.__table__.columns]
        fresh = insert(AreaCount).values([dict(zip(names, row, strict=True)) for row in rows])
        session.execute(
            fresh.on_conflict_do_update(
                index_elements=[AreaCount.kind, AreaCount.key, AreaCount.hour],
                set_={
                    name: func.greatest(getattr(AreaCount, name), fresh.excluded[name])
                    for name in COUNTS
                },
            )
        )
    touched: dict[str, set[str]] = {"watch": set(), "place": set()}
    for kind, key, *_ in rows:
        touched[kind].add(key)
    return touched


def counties_in(text: str, card: str | None = None) -> set[str]:
    """The counties (FIPS) that a post names, by themselves or by a city in them."""
    named = named_places(f"{text}\n{card or ''}")
    return {fips for *_, fips, _ in named if len(fips) == COUNTY_DIGITS}


def posts_naming(
    session: Session, county: str, first: datetime, last: datetime, level: int
) -> list[int]:
    """The posts (ids) at ``level`` or above of these hours, both included, that name a county."""
    posts = _dangerous(session, _within({first, last}) & (Reading.level >= level))
    return [post_id for post_id, *_, counties in posts if county in counties]


def _watches(session: Session, hours: Collection[datetime]) -> Iterator[Row]:
    if not hours:
        return
    told = [
        func.least(*(one.filter(Reading.level >= level) for one in voices()))
        for level in (0, DANGEROUS_LEVEL, ALARMING_LEVEL)
    ]
    dangerous = func.count().filter(Reading.level >= DANGEROUS_LEVEL)
    query = (
        select(PostWatch.watch_id, Reading.hour, *told)
        .join(Reading, Reading.post_id == PostWatch.post_id)
        .join(Post, Post.id == Reading.post_id)
        .where(_within(hours), Reading.hour.in_(hours))
        .group_by(PostWatch.watch_id, Reading.hour)
        .having(dangerous > 0)
    )
    for watch_id, hour, *counts in session.execute(query):
        everyone, some, few = counts
        yield "watch", str(watch_id), hour, everyone, some, few


def _counties(session: Session, hours: Collection[datetime]) -> Iterator[Row]:
    if not hours:
        return
    cells: dict[tuple[str, datetime], list[tuple[str, int, int]]] = defaultdict(list)
    of_hours = _within(hours) & Reading.hour.in_(hours) & (Reading.level >= DANGEROUS_LEVEL)
    for _, author, copy_of, level, hour, counties in _dangerous(session, of_hours):
        for county in counties:
            cells[county, hour].append((author, copy_of, level))
    for (county, hour), posts in cells.items():
        grave = [post for post in posts if post[-1] >= ALARMING_LEVEL]
        yield "place", county, hour, 0, _voices_of(posts), _voices_of(grave)


def _dangerous(
    session: Session, where: ColumnElement[bool]
) -> Iterator[tuple[int, str, int, int, datetime, set[str]]]:
    """Id, author, copies, level, hour and counties of the dangerous posts that name any."""
    query = (
        select(
            *(Post.id, Post.author, Reading.copy_of, Reading.level, Reading.hour),
            *(Post.text, Post.card),
        )
        .join(Reading, Reading.post_id == Post.id)
        .where(where, Reading.level >= DANGEROUS_LEVEL)
    )
    for post_id, author, copy_of, level, hour, text, card in session.execute(query):
        if counties := counties_in(text, card):
            yield post_id, author, copy_of, level, hour, counties


def _within(hours: Collection[datetime]) -> ColumnElement[bool]:
    """By the index over the time of posts; hours between are for the caller to leave out."""
    return (Post.posted_at >= min(hours)) & (Post.posted_at < max(hours) + HOUR)


def _voices_of(posts: Collection[tuple[str, int, int]]) -> int:
    return min(len({author for author, *_ in posts}), len({copy for _, copy, _ in posts}))
