"""What the desk asks of narratives: the list, what is near to one, what became of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from sqlalchemy import (
    ColumnElement,
    Float,
    Integer,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    cast,
    func,
    insert,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, aliased, defer, joinedload

from monitor.models import (
    LEVEL_NAMES,
    Departure,
    Flag,
    FlagDecision,
    HourlyCount,
    Narrative,
    Reading,
)
from monitor.narratives.graph import unit
from monitor.narratives.titles import retitle
from monitor.reading.languages import UNKNOWN
from sources.models import Post

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RECENT = timedelta(days=7)  # how far before its last post a narrative is judged
REMOVED = "All its posts were removed"  # the title of a narrative that has none left
SHOWN = 100  # narratives on one page
POSTS_SHOWN = 50  # posts on one page
NEAR = 0.5  # cosine of two centroids: the subject may be the same
NEAR_SHOWN = 8
NEAR_COMPARED = 200  # with the signs nearest to its own: a bit each, where a centroid has bytes
# Posts that the page of a narrative is told from: its newest, and where it began. So one of 50,000
# posts answers nearly as fast as one of 3,000, and few narratives are larger.
READ = 3_000
FIRST = 500

Key = int | ColumnElement[int]  # the id of a narrative
NARRATIVE = bindparam("narrative", type_=Integer)  # it, in a statement that is built once


@dataclass(frozen=True)
class NarrativeRow:
    """One narrative as the list shows it, judged by the days before its last post."""

    narrative: Narrative
    flag: Flag | None  # the latest; open while it has no decision
    posts_today: int  # in its last 24 hours
    level: int  # the highest message level of its recent posts
    dangerous_share: float  # of its recent posts, 0 to 1


def latest_of(narrative: Key, limit: int = READ) -> Select[int]:
    """The ids of the newest posts of a narrative: what its page is told from, however large it is.

    By the hour in which they were made, in the order of the index over (narrative, hour).
    """
    return (
        select(Reading.post_id)
        .where(Reading.narrative_id == narrative)
        .order_by(Reading.hour.desc(), Reading.post_id.desc())
        .limit(limit)
    )


def first_of(narrative: Key, limit: int = FIRST) -> Select[int]:
    """The ids of its first posts: where it began, and how it came from there."""
    return (
        select(Reading.post_id)
        .where(Reading.narrative_id == narrative)
        .order_by(Reading.hour, Reading.post_id)
        .limit(limit)
    )


def family(narrative: Narrative) -> Select[int]:
    """The ids of a narrative and of those merged into it: their flags and campaigns are its own."""
    return family_of(narrative.id)


def family_of(narrative: Key) -> Select[int]:
    """The same by its id."""
    return select(Narrative.id).where(
        or_(Narrative.id == narrative, Narrative.merged_into == narrative)
    )


def standing() -> tuple[ColumnElement[bool], ...]:
    """What lists show: narratives that a look, a flag or a person has held up, not merged ones."""
    return Narrative.settled_at.is_not(None), Narrative.merged_into.is_(None)


def standing_number() -> ScalarSelect[int]:
    """How many narratives there are to be seen, as part of a query."""
    return select(func.count()).select_from(Narrative).where(*standing()).scalar_subquery()


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
        .order_by(
            *(is_open.desc(), highest.desc(), share.desc()),
            *(Narrative.last_post_at.desc(), Narrative.id.desc()),
        )
        .limit(limit)
    )
    return [NarrativeRow(*row) for row in rows]


def count_dismissed(session: Session) -> int:
    """How many narratives are put away."""
    query = select(func.count()).select_from(Narrative)
    return session.scalar(query.where(*standing(), Narrative.dismissed_at.is_not(None))) or 0


def with_near(
    session: Session, narrative_id: int, limit: int = NEAR_SHOWN
) -> tuple[Narrative, list[Narrative]] | None:
    """A narrative and those ``near`` to it in one query; None where there is no such narrative."""
    rows = session.execute(_with_near(limit), {"narrative": narrative_id}).all()
    if not rows:
        return None
    return rows[0][0], [row[1] for row in rows if row[1] is not None]


@cache  # it takes long to put together
def _with_near(limit: int) -> Select[Any, Any]:
    """Asks for a narrative and those near to it. Parameter: narrative."""
    other, found = aliased(Narrative), aliased(Narrative)
    few = (  # an index holds all of this (Narrative)
        select(other.id)
        .where(
            other.settled_at.is_not(None),
            other.merged_into.is_(None),
            other.id != Narrative.id,
            other.embedder == Narrative.embedder,
        )
        .order_by(other.signs.op("<~>")(Narrative.signs))
        .limit(NEAR_COMPARED)
        .correlate(Narrative)
        .lateral("few")
    )
    compared = aliased(Narrative)
    distance = compared.centroid.cosine_distance(Narrative.centroid)
    nearest = (
        select(compared.id, distance.label("distance"))
        .join_from(few, compared, compared.id == few.c.id)
        .where(distance < 1 - NEAR)
        .order_by(distance, compared.id)
        .limit(limit)
        .correlate(Narrative)
        .lateral("nearest")
    )
    return (
        select(Narrative, found)
        .select_from(Narrative)
        .outerjoin(nearest, true())
        .outerjoin(found, found.id == nearest.c.id)
        .where(Narrative.id == NARRATIVE)
        .options(defer(found.centroid))
        .order_by(nearest.c.distance, found.id)
    )


def near(session: Session, narrative: Narrative, limit: int = NEAR_SHOWN) -> list[Narrative]:
    """Other narratives that may be about the same, the nearest first, sleeping ones too."""
    found = with_near(session, narrative.id, limit)
    return found[1] if found else []


def posts_of(session: Session, narrative: Narrative, page: int) -> tuple[list[Reading], bool]:
    """A page of a narrative's standing posts (1 is the first), latest first; whether more follow.

    In the order of the index over (narrative, hour), so that early pages read no more than theirs.
    """
    query = (
        select(Reading)
        .where(Reading.narrative_id == narrative.id)
        .options(joinedload(Reading.post), joinedload(Reading.coding))
        .order_by(Reading.hour.desc(), Reading.post_id.desc())
        .offset((page - 1) * POSTS_SHOWN)
        .limit(POSTS_SHOWN + 1)
    )
    found = list(session.scalars(query))
    return found[:POSTS_SHOWN], len(found) > POSTS_SHOWN


def unattended_threats(session: Session, since: datetime, limit: int = 10) -> list[Reading]:
    """Posts read since then that urge violence or threaten gravely, newest first.

    Alone, without waiting for a narrative to rise; those on whose narrative somebody decided
    after they were read are left out, what called a person at once (life_safety), and of
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

    The analysis mends them (monitor.narratives.placing).
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
    left = []
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
            left.append(narrative)
    retitle(session, *left)
    return found


def hour_of(moment: datetime) -> datetime:
    """The full hour a moment lies in."""
    return moment.replace(minute=0, second=0, microsecond=0)
