"""Areas: the voices of each watch and each county, hour by hour, over all narratives.

A county is meant where a post names it, or a city in it; nobody is located. Counts are of posts
that stand when their hour is looked at, and never lowered: what is deleted later was said.
"""

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, SQLColumnExpression, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from monitor.models import DANGEROUS_LEVEL, AreaCount, PostCounty, Reading
from monitor.narratives.counters import voices
from monitor.narratives.narratives import HOUR
from monitor.reading.incitement import ALARMING_LEVEL
from monitor.reading.places_named import known_places
from sources.models import Post, PostWatch

COUNTY_DIGITS = 5  # of its FIPS code; a state has two
COUNTS = ("authors", "dangerous_authors", "alarming_authors")
Row = tuple[str, str, datetime, int, int, int]  # the columns of AreaCount


def count(session: Session, hours: Collection[datetime]) -> dict[str, set[str]]:
    """Count these hours (full ones) anew; the keys of areas with dangerous voices, by kind."""
    rows = [
        *_counted(session, "watch", PostWatch.watch_id, PostWatch.post_id, hours),
        *_counted(session, "place", PostCounty.fips, PostCounty.post_id, hours),
    ]
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
    for kind, key, _, _, dangerous, _ in rows:
        if dangerous:
            touched[kind].add(key)
    return touched


def counties_in(text: str, card: str | None = None) -> set[str]:
    """The counties (FIPS) that a post names, by themselves or by a city in them."""
    named = known_places(f"{text}\n{card or ''}")
    return {fips for *_, fips, _ in named if len(fips) == COUNTY_DIGITS}


def _counted(
    session: Session,
    kind: str,
    key: SQLColumnExpression[int] | SQLColumnExpression[str],
    post_id: SQLColumnExpression[int],
    hours: Collection[datetime],
) -> Iterator[Row]:
    """Voices of all areas of a kind in these hours: all, at M2 or above, at M3 or above."""
    if not hours:
        return
    told = [
        func.least(*(one.filter(Reading.level >= level) for one in voices()))
        for level in (0, DANGEROUS_LEVEL, ALARMING_LEVEL)
    ]
    query = (
        select(key, Reading.hour, *told)
        .join(Reading, Reading.post_id == post_id)
        .join(Post, Post.id == Reading.post_id)
        .where(_within(hours), Reading.hour.in_(hours))
        .group_by(key, Reading.hour)
    )
    for area, hour, everyone, some, few in session.execute(query):
        yield kind, str(area), hour, everyone, some, few


def _within(hours: Collection[datetime]) -> ColumnElement[bool]:
    """By the index over the time of posts; hours between are for the caller to leave out."""
    return (Post.posted_at >= min(hours)) & (Post.posted_at < max(hours) + HOUR)
