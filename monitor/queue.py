"""The queue: what waits for a monitor's decision, the most dangerous first.

Ordered by danger level, what is certain before what may be; within a level by the age of the oldest
dangerous post that nobody has judged. A post that calls somebody at once goes before all else.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from monitor.flags import name_of
from monitor.models import Flag, Narrative, Reading
from monitor.situations import danger_of_many
from sources.models import PostWatch, Watch

# What a rise of a watch or a county comes to, whose situation nobody codes: the least and the most
# that the rules can give to messages of its level.
OF_LEVEL = {2: (1, 2), 3: (2, 3), 4: (3, 4)}
LONGEST = 200  # items; beyond that the question is another one


@dataclass(frozen=True)
class Sought:
    """What the queue is narrowed to; an empty field narrows nothing."""

    kind: str = ""  # narrative, watch, place or post
    level: int = 0  # the least danger level that it may come to, 1 to 4
    watch: int = 0
    place: str = ""  # FIPS of a county; of a state, all its counties
    platform: str = ""
    crossed: bool = False  # told on more than one platform


@dataclass(frozen=True)
class Item:
    """One flag that waits, and how dangerous it is: a range while its situation is unknown."""

    flag: Flag
    name: str
    low: int
    high: int
    provisional: bool
    since: datetime  # the oldest dangerous post that nobody has judged


def queue(session: Session, now: datetime, sought: Sought | None = None) -> list[Item]:
    """Open flags, the most dangerous first; the same number of queries however many there are."""
    sought = sought or Sought()
    flags = session.scalars(
        select(Flag)
        .where(~Flag.decision.has(), *_asked(sought))
        .options(
            joinedload(Flag.narrative),
            joinedload(Flag.watch).selectinload(Watch.versions),
            selectinload(Flag.post),
        )
        .order_by(Flag.kind, Flag.level.desc(), Flag.id)
        .limit(LONGEST)
    ).all()
    standing = _standing(session, flags)
    dangers = danger_of_many(
        session, list({one.id: one for one in standing.values()}.values()), now
    )
    items = []
    for flag in flags:
        low, high = OF_LEVEL[flag.level]
        provisional = flag.kind == "spike"
        if flag.kind == "life_safety":
            low = high = 4
        elif flag.id in standing:
            found = dangers[standing[flag.id].id]
            low, high, provisional = found.low, found.high, found.provisional
        if high >= sought.level and _fits(flag, sought):
            since = flag.posted_at or flag.raised_at
            items.append(Item(flag, name_of(flag), low, high, provisional, since))
    return sorted(items, key=_place)


def platforms_of(items: Collection[Item]) -> list[str]:
    """The platforms on which what waits is told."""
    return sorted({name for item in items for name in item.flag.about.get("platforms", ())})


def places_of(items: Collection[Item]) -> list[str]:
    """FIPS codes of the places that what waits names, and of their states."""
    named = {item.flag.place for item in items if item.flag.place}
    named |= {place for item in items for place, _ in item.flag.about.get("places", ())}
    return sorted(named | {place[:2] for place in named})


def _place(item: Item) -> tuple[bool, int, int, datetime, int]:
    flag = item.flag
    return flag.kind != "life_safety", -item.low, -item.high, item.since, flag.id


def _asked(sought: Sought) -> list[ColumnElement[bool]]:
    asked: list[ColumnElement[bool]] = []
    if sought.kind == "post":
        asked.append(Flag.kind == "life_safety")
    elif sought.kind:
        column = {
            "narrative": Flag.narrative_id,
            "watch": Flag.watch_id,
            "place": Flag.place,
        }.get(sought.kind, Flag.narrative_id)
        asked += [Flag.kind == "spike", column.is_not(None)]
    if sought.watch:
        theirs = exists().where(
            Reading.narrative_id == Flag.narrative_id,
            PostWatch.post_id == Reading.post_id,
            PostWatch.watch_id == sought.watch,
        )
        alone = exists().where(
            PostWatch.post_id == Flag.post_id, PostWatch.watch_id == sought.watch
        )
        asked.append(or_(Flag.watch_id == sought.watch, theirs, alone))
    return asked


def _fits(flag: Flag, sought: Sought) -> bool:
    """Whether what was known of a flag when it was raised fits what is sought."""
    about = flag.about
    if sought.platform and sought.platform not in about.get("platforms", ()):
        return False
    if sought.crossed and not about.get("crossed"):
        return False
    if sought.place:
        named = [place for place, _ in about.get("places", ())]
        named += [flag.place] if flag.place else []
        return any(place.startswith(sought.place) for place in named)
    return True


def _standing(session: Session, flags: Sequence[Flag]) -> dict[int, Narrative]:
    """By flag: the narrative that has what was flagged now."""
    keepers = {
        flag.narrative.merged_into
        for flag in flags
        if flag.narrative is not None and flag.narrative.merged_into is not None
    }
    found = {
        one.id: one for one in session.scalars(select(Narrative).where(Narrative.id.in_(keepers)))
    }
    return {
        flag.id: found.get(flag.narrative.merged_into or 0, flag.narrative)
        for flag in flags
        if flag.kind == "spike" and flag.narrative is not None
    }
