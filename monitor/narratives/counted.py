"""What is counted of a narrative, in one query: platforms, languages, counties, hours, alerts.

Platforms, languages and counties are of the posts that stand; hours stay as first counted. Of a
narrative of more than READ posts (narratives) the newest so many are counted, and ``whole``
says so: its page takes as long as that of a smaller one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Select,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal,
    null,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from monitor.models import (
    DANGEROUS_LEVEL,
    Alert,
    AlertMessage,
    HourlyCount,
    Narrative,
    PostCounty,
    Reading,
)
from monitor.narratives.course import Hour
from monitor.narratives.narratives import (
    DAY,
    HOUR,
    NARRATIVE,
    READ,
    Key,
    family_of,
    first_of,
    latest_of,
)
from sources.db import UTCDateTime
from sources.models import Post, Source

# Posts in which places are looked for, spread over the whole narrative. A place that one post in
# ten names is then counted within three in a hundred (1.96 standard errors).
READ_FOR_PLACES = 500
ALERTS = 50  # the latest messages of alerts that are told
# Of two days, in which voices are told apart to say whether they grow. Beyond so many the day
# before is not known, and the page says nothing of growth.
LATELY = 20_000
OUTLET = "feed"  # the kind of source that is somebody's publication: a newspaper, a station, a blog


@dataclass(frozen=True)
class Stop:
    """A platform on a narrative's way. Copies count as posts."""

    platform: str
    first_at: datetime
    posts: int
    accounts: int  # pseudonyms: an account counts again when its pseudonym has changed


@dataclass(frozen=True)
class County:
    """A county that posts of a narrative name, by itself or by a city in it."""

    fips: str
    posts: int
    dangerous: int  # of them at M2 or above


@dataclass(frozen=True)
class Sent:
    """A message of an alert on a narrative: the alert itself, its update or its end."""

    alert_id: int
    headline: str
    at: datetime


@dataclass(frozen=True)
class Day:
    """Posts of one day and the accounts that made them."""

    posts: int
    accounts: int


@dataclass(frozen=True)
class Counted:
    """A narrative in numbers."""

    travel: list[Stop]  # in the order of first appearance
    languages: list[tuple[str, int]]  # and posts, most first
    counties: list[County]  # most at M2 or above first, then most named
    placeless: int  # posts that name no county
    hours: list[Hour]  # those that were counted, oldest first
    alerts: list[Sent]  # oldest first
    read: list[tuple[str, str | None]]  # text and card of a sample of its posts
    whole: bool = True  # every post was counted; else the newest READ
    last_day: Day | None = None  # up to its last post; None: no post is left
    day_before: Day | None = None
    outlets: tuple[str, ...] = ()  # names of feeds that carried it, those with most posts first


def counted(session: Session, narrative: Narrative) -> Counted:
    """What there is to count of a narrative, as of now."""
    end = narrative.last_post_at
    asked = {
        "narrative": narrative.id,
        "day_before": end - DAY,
        "two_before": end - 2 * DAY,
        "from_hour": end - 2 * DAY - HOUR,
    }
    return _sorted(session.execute(_counting(), asked).all())


@cache  # its hundred columns take longer to put together than to compile
def _counting() -> CompoundSelect[Any]:
    """Asks for all of it. Parameters: narrative, day_before, two_before, from_hour."""
    mine = _posts(latest_of(NARRATIVE)).cte("mine")
    first = _posts(first_of(NARRATIVE)).cte("first")
    day_before, two_before = (
        bindparam(name, type_=UTCDateTime) for name in ("day_before", "two_before")
    )
    two_days = (
        select(Reading.post_id)
        .where(
            Reading.narrative_id == NARRATIVE,
            Reading.hour > bindparam("from_hour", type_=UTCDateTime),
        )
        .order_by(Reading.hour.desc(), Reading.post_id.desc())
        .limit(LATELY)
    )
    lately = _posts(two_days).cte("lately")
    which = case((lately.c.posted_at > day_before, "last"), else_="before")
    # By a hash of the id, so that neither the first nor the last days speak for all, and a second
    # look reads the same posts.
    sample = sampled(NARRATIVE).cte("sample")
    sent = (
        select(AlertMessage.alert_id, AlertMessage.card, AlertMessage.sent_at)
        .join(AlertMessage.alert)
        .where(Alert.narrative_id.in_(family_of(NARRATIVE)))
        .order_by(AlertMessage.id.desc())
        .limit(ALERTS)
        .cte("sent")
    )
    dangerous = func.count().filter(mine.c.level >= DANGEROUS_LEVEL)
    hour = HourlyCount
    return union_all(
        _row(
            "platform",
            mine.c.platform,
            at=func.min(mine.c.posted_at),
            posts=func.count(),
            authors=func.count(mine.c.author.distinct()),
        ).group_by(mine.c.platform),
        _row("began", first.c.platform, at=func.min(first.c.posted_at)).group_by(first.c.platform),
        _row("day", which, posts=func.count(), authors=func.count(lately.c.author.distinct()))
        .where(lately.c.posted_at > two_before)
        .group_by(which),
        _row("outlet", Source.name, posts=func.count())
        .select_from(mine.join(Source, Source.id == mine.c.source_id))
        .where(Source.kind == OUTLET)
        .group_by(Source.id, Source.name),
        _row("language", mine.c.lang, posts=func.count()).group_by(mine.c.lang),
        _row("county", PostCounty.fips, posts=func.count(), dangerous_posts=dangerous)
        .select_from(mine.outerjoin(PostCounty, PostCounty.post_id == mine.c.post_id))
        .group_by(PostCounty.fips),
        _row(
            "hour",
            at=hour.hour,
            posts=hour.posts,
            authors=hour.authors,
            dangerous_posts=hour.dangerous_posts,
            dangerous_authors=hour.dangerous_authors,
        ).where(hour.narrative_id == NARRATIVE),
        _row(
            "alert",
            sent.c.card["headline"].as_string(),
            at=sent.c.sent_at,
            posts=sent.c.alert_id,
        ),
        _row("read", Post.text, Post.card).where(Post.id.in_(select(sample.c.post_id))),
    )


def _posts(ids: Select[int]) -> Any:
    """What is counted of some posts."""
    chosen = ids.subquery()
    return (
        select(
            *(Reading.post_id, Reading.lang, Reading.level),
            *(Post.platform, Post.author, Post.posted_at, Post.source_id),
        )
        .join(chosen, chosen.c.post_id == Reading.post_id)
        .join(Reading.post)
    )


def sampled(narrative: Key) -> Any:
    """The ids of the posts in which places are looked for, at most READ_FOR_PLACES."""
    return (
        select(Reading.post_id)
        .where(Reading.narrative_id == narrative)
        .order_by(func.hashint8(Reading.post_id), Reading.post_id)
        .limit(READ_FOR_PLACES)
    )


def _row(
    kind: str,
    key: ColumnElement[Any] | Any = None,
    more: Any = None,
    at: Any = None,
    **counts: Any,
) -> Any:
    """One kind of rows, in the columns that all kinds share."""
    names = ("posts", "authors", "dangerous_posts", "dangerous_authors")
    return select(
        literal(kind, Text).label("kind"),
        cast(null() if key is None else key, Text).label("key"),
        cast(null() if more is None else more, Text).label("more"),
        cast(null() if at is None else at, UTCDateTime).label("at"),
        *(cast(counts.get(name, 0), BigInteger).label(name) for name in names),
    )


def _sorted(rows: Sequence[Any]) -> Counted:
    kinds: dict[str, list[Any]] = {}
    for row in rows:
        kinds.setdefault(row.kind, []).append(row)
    began = {r.key: r.at for r in kinds.get("began", [])}
    stops = [
        Stop(r.key, min(r.at, began.get(r.key, r.at)), r.posts, r.authors)
        for r in kinds.get("platform", [])
    ]
    counted_posts = sum(one.posts for one in stops)
    days = {r.key: Day(r.posts, r.authors) for r in kinds.get("day", [])}
    known = sum(day.posts for day in days.values()) < LATELY
    outlets = sorted(kinds.get("outlet", []), key=lambda r: (-r.posts, r.key))
    languages = [(r.key, r.posts) for r in kinds.get("language", [])]
    counties = kinds.get("county", [])
    named = [County(r.key, r.posts, r.dangerous_posts) for r in counties if r.key is not None]
    hours = [
        Hour(r.at, r.posts, r.authors, r.dangerous_posts, r.dangerous_authors)
        for r in kinds.get("hour", [])
    ]
    alerts = [Sent(r.posts, r.key or "", r.at) for r in kinds.get("alert", [])]
    return Counted(
        travel=sorted(stops, key=lambda one: (one.first_at, one.platform)),
        languages=sorted(languages, key=lambda one: (-one[1], one[0])),
        counties=sorted(named, key=lambda one: (-one.dangerous, -one.posts, one.fips)),
        placeless=sum(r.posts for r in counties if r.key is None),
        hours=sorted(hours, key=lambda one: one.hour),
        alerts=sorted(alerts, key=lambda one: one.at),
        read=[(r.key, r.more) for r in kinds.get("read", [])],
        whole=counted_posts < READ,
        last_day=days.get("last"),
        day_before=days.get("before", Day(0, 0)) if known else None,
        outlets=tuple(r.key for r in outlets),
    )
