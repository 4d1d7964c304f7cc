"""Two factors of a situation that can be proposed from what is stored: reach and context.

A proposal counts for nothing until a person makes it their own (situations.code). Speaker
and audience are never proposed: people are not scored here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Text, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from monitor import triggers
from monitor.models import HourlyCount, Narrative, Reading, TriggerEvent
from monitor.narratives.narratives import DAY, standing
from sources.models import Post

# Reach, by the codebook's percentiles: a narrative's last day among the days of narratives.
PERCENTILES = (0.75, 0.95, 0.99)
COMPARED = timedelta(days=30)
COMPARED_NARRATIVES = 2_000  # those told last: enough for a percentile, few enough for a page
ENOUGH_DAYS = 20  # with fewer days the 95th percentile is no more than the largest
PLATFORM_POSTS = 5_000  # so many of the last day's posts are asked where they were made

# Context: what is near before an event as well as after it.
NEAR = timedelta(days=14)  # the codebook's
ELECTION_WINDOW = timedelta(days=30)
NAMED = 3  # events that a proposal names


@dataclass(frozen=True)
class Proposal:
    """What the machine would code, None where it cannot tell, and the words that say why."""

    value: int | None
    why: str


def reach(session: Session, narrative: Narrative, now: datetime) -> Proposal:
    """A proposal for reach: posts of the narrative's last day against the days of narratives."""
    last_day = narrative.last_post_at - DAY
    posts = (
        select(func.coalesce(func.sum(HourlyCount.posts), 0))
        .where(HourlyCount.narrative_id == narrative.id, HourlyCount.hour > last_day)
        .scalar_subquery()
    )
    since = now - COMPARED
    recent = (
        select(Narrative.id)
        .where(*standing(), Narrative.last_post_at >= since)
        .order_by(Narrative.last_post_at.desc())
        .limit(COMPARED_NARRATIVES)
    )
    days = (
        select(func.sum(HourlyCount.posts).label("posts"))
        .where(HourlyCount.narrative_id.in_(recent), HourlyCount.hour >= since)
        .group_by(HourlyCount.narrative_id, func.date_trunc("day", HourlyCount.hour, "UTC"))
        .subquery()
    )
    marks = [func.percentile_disc(share).within_group(days.c.posts) for share in PERCENTILES]
    made = (
        select(Post.platform)
        .join(Reading, Reading.post_id == Post.id)
        .where(Reading.narrative_id == narrative.id, Reading.hour > last_day)
        .limit(PLATFORM_POSTS)
        .subquery()
    )
    platforms = func.array(select(made.c.platform).distinct().scalar_subquery(), type_=ARRAY(Text))
    told, carried, count, *bounds = session.execute(
        select(posts, platforms, func.count(), *marks).select_from(days)
    ).one()
    return _reach(int(told), count, bounds, sorted(carried))


def context(session: Session, place: str, now: datetime) -> Proposal:
    """A proposal for context, from the days on the calendar that are near in a place."""
    found = triggers.between(session, now - ELECTION_WINDOW, now + ELECTION_WINDOW, place)
    near = [one for one in found if triggers.touches(one, now - NEAR, now + NEAR)]
    elections = [one for one in found if one.kind == "election"]
    # The codebook counts an anniversary by itself as tension, not as a trigger.
    strong = [one for one in near if one.kind != "anniversary"]
    ground = "What happens on the ground is for you to add."
    if strong:
        return Proposal(2, f"Within 14 days: {_names(strong, now)}. {ground}")
    if elections:
        return Proposal(1, f"An election within 30 days: {_names(elections, now)}. {ground}")
    if near:
        return Proposal(1, f"An anniversary within 14 days: {_names(near, now)}. {ground}")
    return Proposal(0, f"No day on the calendar of tension is near. {ground}")


def _reach(
    posts: int, days: int, bounds: Sequence[int | None], platforms: Sequence[str]
) -> Proposal:
    yours = (
        "Whether a mainstream or elite account carries it is for you to say:"
        " accounts are not scored here."
    )
    told = f"{posts:,} post{'s' if posts != 1 else ''} in its last day"
    several = f" It is told on {' and '.join(platforms)}." if len(platforms) > 1 else ""
    if days < ENOUGH_DAYS:
        value = 2 if several else None
        why = f"{told}, and too few days of narratives to compare it with ({days})."
        return Proposal(value, f"{why}{several} {yours}")
    passed = [
        f"{share * 100:.0f}"
        for share, bound in zip(PERCENTILES, bounds, strict=True)
        if bound is not None and posts > bound
    ]
    value = max(len(passed), 2 if several else 0)
    of = f"of {days:,} days of narratives in the last 30 days"
    why = f"more than {passed[-1]} in 100 {of}" if passed else f"no more than three in four {of}"
    return Proposal(value, f"{told}: {why}.{several} {yours}")


def _names(events: Sequence[TriggerEvent], now: datetime) -> str:
    """The events nearest to now, by name and how far off they are."""
    nearest = sorted(events, key=lambda one: _distance(one, now))
    names = [f"{one.name} ({_when(one, now)})" for one in nearest[:NAMED]]
    more = f", and {len(events) - NAMED} more" if len(events) > NAMED else ""
    return f"{'; '.join(names)}{more}"


def _distance(event: TriggerEvent, now: datetime) -> timedelta:
    return max(event.starts_at - now, now - event.ends_at, timedelta(0))


def _when(event: TriggerEvent, now: datetime) -> str:
    days = round(_distance(event, now) / DAY)
    if not days:
        return "now" if event.starts_at <= now < event.ends_at else "within a day"
    length = f"{days} day{'s' if days != 1 else ''}"
    return f"in {length}" if event.starts_at > now else f"{length} ago"
