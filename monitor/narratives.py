"""What the desk asks of narratives: the list, one narrative's posts, its hours."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import ColumnElement, Float, Select, and_, cast, func, insert, or_, select, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased, joinedload

from monitor.graph import unit
from monitor.languages import UNKNOWN
from monitor.models import (
    LEVEL_NAMES,
    Departure,
    Flag,
    FlagDecision,
    HourlyCount,
    Narrative,
    Reading,
)
from monitor.titles import retitle
from sources.db import UTCDateTime
from sources.models import Post

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RECENT = timedelta(days=7)  # how far before its last post a narrative is judged
REMOVED = "All its posts were removed"  # the title of a narrative that has none left
SHOWN = 100  # narratives on one page
SERIES_HOURS = 24 * 7  # the longest timeline
SERIES_DAYS = 60  # shown by the day
NEAR = 0.5  # cosine of two centroids: the subject may be the same
NEAR_SHOWN = 8
COORDINATED = 3  # accounts that carry one text: fewer is a person and a friend


@dataclass(frozen=True)
class NarrativeRow:
    """One narrative as the list shows it, judged by the days before its last post."""

    narrative: Narrative
    flag: Flag | None  # the latest; open while it has no decision
    posts_today: int  # in its last 24 hours
    level: int  # the highest message level of its recent posts
    dangerous_share: float  # of its recent posts, 0 to 1


@dataclass(frozen=True)
class Said:
    """One text of a narrative: a reading that stands for it, and how often it was carried."""

    reading: Reading
    posts: int  # this one included
    accounts: int  # pseudonyms: an account counts again when its pseudonym has changed
    first_at: datetime
    last_at: datetime

    @property
    def coordinated(self) -> bool:
        """Whether so many carry it that somebody should ask who began: possible, never proven."""
        return self.accounts >= COORDINATED and self.reading.post.platform != "web"


@dataclass(frozen=True)
class Hour:
    """One hour of a narrative, as first counted."""

    hour: datetime
    posts: int = 0
    authors: int = 0
    dangerous_posts: int = 0
    dangerous_authors: int = 0


@dataclass(frozen=True)
class Day:
    """One day of a narrative. People are told apart within an hour, so the loudest one stands."""

    day: datetime  # its first moment, UTC
    posts: int
    dangerous_posts: int
    loudest: int  # authors at M2 or above in the hour that had most of them

    @property
    def share(self) -> float:
        """Of dangerous posts, 0 to 1."""
        return self.dangerous_posts / self.posts if self.posts else 0.0


def family(narrative: Narrative) -> Select[int]:
    """The ids of a narrative and of those merged into it: their flags and campaigns are its own."""
    return select(Narrative.id).where(
        or_(Narrative.id == narrative.id, Narrative.merged_into == narrative.id)
    )


def standing() -> tuple[ColumnElement[bool], ...]:
    """What lists show: narratives that a look, a flag or a person has held up, not merged ones."""
    return Narrative.settled_at.is_not(None), Narrative.merged_into.is_(None)


def count_narratives(session: Session) -> int:
    """How many narratives there are to be seen."""
    return session.scalar(select(func.count()).select_from(Narrative).where(*standing())) or 0


def unread_languages(
    session: Session, known: Collection[str] | None, since: datetime
) -> list[tuple[str, int]]:
    """Languages of posts read since then that the model does not know, and how many, most first.

    Such posts are scored by their words and counted here, and stand in no narrative.
    """
    if known is None:
        return []
    posts = func.count().label("posts")
    rows = session.execute(
        select(Reading.lang, posts)
        .where(Reading.read_at >= since, Reading.lang.not_in({*known, UNKNOWN}))
        .group_by(Reading.lang)
        .order_by(posts.desc(), Reading.lang)
    )
    return [(lang, count) for lang, count in rows]


def list_narratives(
    session: Session, limit: int = SHOWN, dismissed: bool = False
) -> list[NarrativeRow]:
    """Narratives by danger (open flag, then level, then share), then by recency.

    Those put away are left out, or alone shown if ``dismissed``; an open flag brings one back.
    """
    since = Narrative.last_post_at - RECENT
    level = (
        select(func.max(Reading.level))
        .join(Post, Post.id == Reading.post_id)
        .where(Reading.narrative_id == Narrative.id, Post.posted_at >= since)
        .correlate(Narrative)
        .scalar_subquery()
    )
    counted = (
        select(
            func.coalesce(
                func.sum(HourlyCount.posts).filter(HourlyCount.hour > Narrative.last_post_at - DAY),
                0,
            ).label("today"),
            (
                cast(func.sum(HourlyCount.dangerous_posts), Float)
                / func.nullif(func.sum(HourlyCount.posts), 0)
            ).label("share"),
        )
        .where(HourlyCount.narrative_id == Narrative.id, HourlyCount.hour >= since)
        .correlate(Narrative)
        .lateral("counted")
    )
    member = aliased(Narrative)
    latest = (
        select(func.max(Flag.id))
        .join(member, Flag.narrative_id == member.id)
        .where(
            Flag.kind == "spike",
            or_(member.id == Narrative.id, member.merged_into == Narrative.id),
        )
        .correlate(Narrative)
        .scalar_subquery()
    )
    is_open = and_(Flag.id.is_not(None), ~Flag.decision.has())
    put_away = and_(Narrative.dismissed_at.is_not(None), ~is_open)
    highest = func.coalesce(level, 0)
    share = func.coalesce(counted.c.share, 0.0)
    rows = session.execute(
        select(Narrative, Flag, counted.c.today, highest, share)
        .select_from(Narrative)
        .join(counted, true())
        .outerjoin(Flag, Flag.id == latest)
        .where(*standing(), put_away if dismissed else ~put_away)
        .options(joinedload(Flag.decision))
        .order_by(is_open.desc(), highest.desc(), share.desc(), Narrative.last_post_at.desc())
        .limit(limit)
    )
    return [NarrativeRow(*row) for row in rows]


def count_dismissed(session: Session) -> int:
    """How many narratives are put away."""
    query = select(func.count()).select_from(Narrative)
    return session.scalar(query.where(*standing(), Narrative.dismissed_at.is_not(None))) or 0


def near(session: Session, narrative: Narrative, limit: int = NEAR_SHOWN) -> list[Narrative]:
    """Other narratives that may be about the same, the nearest first, sleeping ones too."""
    distance = Narrative.centroid.cosine_distance(narrative.centroid)
    return list(
        session.scalars(
            select(Narrative)
            .where(
                *standing(),
                Narrative.id != narrative.id,
                Narrative.embedder == narrative.embedder,
                distance < 1 - NEAR,
            )
            .order_by(distance)
            .limit(limit)
        )
    )


def texts_of(session: Session, narrative: Narrative, limit: int) -> list[Said]:
    """What is said in a narrative, each text once: the most dangerous first, then the most typical.

    Copies of one text stand behind the one of them that comes first in that order.
    """
    distance = Reading.embedding.cosine_distance(narrative.centroid)
    order = (Reading.level.desc(), distance, Post.posted_at.desc(), Post.id)
    place = func.row_number().over(partition_by=Reading.copy_of, order_by=order)
    ranked = (
        select(
            Reading.post_id,
            place.label("place"),
            *(Reading.level, distance.label("distance"), Post.posted_at),
            *(Reading.copy_of, Post.author),
        )
        .join(Reading.post)
        .where(Reading.narrative_id == narrative.id)
        .cte("ranked")
    )
    carried = (
        select(
            ranked.c.copy_of,
            func.count().label("posts"),
            func.count(ranked.c.author.distinct()).label("accounts"),
            func.min(ranked.c.posted_at).label("first_at"),
            func.max(ranked.c.posted_at).label("last_at"),
        )
        .group_by(ranked.c.copy_of)
        .subquery()
    )
    rows = session.execute(
        select(Reading, carried.c.posts, carried.c.accounts, carried.c.first_at, carried.c.last_at)
        .join(ranked, ranked.c.post_id == Reading.post_id)
        .join(carried, carried.c.copy_of == ranked.c.copy_of)
        .where(ranked.c.place == 1)
        .options(joinedload(Reading.post), joinedload(Reading.coding))
        .order_by(ranked.c.level.desc(), ranked.c.distance, ranked.c.posted_at.desc())
        .limit(limit)
    )
    return [Said(*row) for row in rows]


def unattended_threats(session: Session, since: datetime, limit: int = 10) -> list[Reading]:
    """Posts read since then that urge violence or threaten gravely, newest first.

    Alone, without waiting for a narrative to rise; those on whose narrative somebody decided
    after they were read are left out, what called a person at once (monitor.life_safety), and of
    copies all but the newest.
    """
    called = select(Flag.id).where(Flag.copy_of == Reading.copy_of)
    decided = (
        select(FlagDecision.id)
        .join(FlagDecision.flag)
        .join(Flag.narrative)
        .where(
            func.coalesce(Narrative.merged_into, Narrative.id) == Reading.narrative_id,
            Flag.kind == "spike",
            FlagDecision.at > Reading.read_at,
        )
    )
    grave = (
        select(Reading.post_id)
        .where(Reading.read_at >= since, ~decided.exists(), ~called.exists())
        .where(or_(Reading.level == max(LEVEL_NAMES), Reading.threat_level == "high"))
        .ext(distinct_on(Reading.copy_of))
        .order_by(Reading.copy_of, Reading.read_at.desc(), Reading.post_id.desc())
    )
    query = (
        select(Reading)
        .where(Reading.post_id.in_(grave))
        .options(joinedload(Reading.post), joinedload(Reading.narrative))
        .order_by(Reading.read_at.desc(), Reading.post_id.desc())
        .limit(limit)
    )
    return list(session.scalars(query))


def note_departure(session: Session, post_ids: Sequence[int]) -> set[int]:
    """Remember which narratives are about to lose posts; which of the posts had been counted.

    The analysis mends them (monitor.placing).
    """
    theirs = select(Reading.post_id, Reading.narrative_id).where(
        Reading.post_id.in_(post_ids), Reading.narrative_id.is_not(None)
    )
    counted = session.execute(theirs).all()
    losing = {narrative_id for _, narrative_id in counted}
    if losing:
        # Held while they are noted: a young one may be dissolving at this moment.
        held = select(Narrative.id).where(Narrative.id.in_(losing))
        ids = session.scalars(held.with_for_update(read=True, key_share=True)).all()
        if ids:
            session.execute(insert(Departure), [{"narrative_id": one} for one in ids])
    return {post_id for post_id, _ in counted}


def recentre(session: Session, ids: Collection[int]) -> list[Narrative]:
    """Titles and mean vectors of narratives made anew from the posts that stand; those narratives.

    Where none is left, words and vector go; the counts stay. The caller has the turn.
    """
    found = list(session.scalars(select(Narrative).where(Narrative.id.in_(ids))))
    for narrative in found:
        standing = select(func.avg(Reading.embedding, type_=Reading.embedding.type)).where(
            Reading.narrative_id == narrative.id, Reading.embedder == narrative.embedder
        )
        mean = session.scalar(standing)
        if mean is None:
            narrative.title, narrative.named_by = REMOVED, None
            narrative.centroid = np.zeros(len(narrative.centroid), dtype=np.float32)
        else:
            narrative.centroid = unit(np.asarray(mean, dtype=np.float32))
            retitle(session, narrative)
    return found


def hourly_series(session: Session, narrative: Narrative, hours: int = SERIES_HOURS) -> list[Hour]:
    """The narrative's hours up to its last post, silent ones included, oldest first."""
    last = hour_of(narrative.last_post_at)
    first = max(hour_of(narrative.first_post_at), last - (hours - 1) * HOUR)
    counted = {
        row.hour: Hour(row.hour, row.posts, row.authors, row.dangerous_posts, row.dangerous_authors)
        for row in session.scalars(
            select(HourlyCount).where(
                HourlyCount.narrative_id == narrative.id, HourlyCount.hour.between(first, last)
            )
        )
    }
    length = (last - first) // HOUR + 1
    moments = [first + step * HOUR for step in range(length)]
    return [counted.get(moment, Hour(moment)) for moment in moments]


def daily_series(session: Session, narrative: Narrative, days: int = SERIES_DAYS) -> list[Day]:
    """The narrative by the day (UTC), as first counted: the days that had posts, newest first."""
    day = func.date_trunc("day", HourlyCount.hour, "UTC", type_=UTCDateTime)
    since = narrative.last_post_at - timedelta(days=days)
    rows = session.execute(
        select(
            day,
            func.sum(HourlyCount.posts),
            func.sum(HourlyCount.dangerous_posts),
            func.max(HourlyCount.dangerous_authors),
        )
        .where(HourlyCount.narrative_id == narrative.id, HourlyCount.hour > since)
        .group_by(day)
        .order_by(day.desc())
    )
    return [Day(*row) for row in rows]


def hour_of(moment: datetime) -> datetime:
    """The full hour a moment lies in."""
    return moment.replace(minute=0, second=0, microsecond=0)
