"""Where posts belong, written with what is counted of them in each hour: for the spikes.

Counted are posts, voices, dangerous and alarming voices of each narrative.

Copies of one text are one voice, whoever posts them, and so are all posts of one author: an hour
has no more voices than authors, and no more than texts.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Integer, and_, delete, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import count

from monitor.embedding.vectors import signs
from monitor.models import DANGEROUS_LEVEL, HourlyCount, Meaning, Narrative, Reading
from monitor.narratives.graph import Floats
from monitor.reading.incitement import ALARMING_LEVEL
from sources.db import UTCDateTime, among, unnested
from sources.models import Post

Cell = tuple[int, datetime]  # narrative id, hour
COUNTS = ("posts", "authors", "dangerous_posts", "dangerous_authors", "alarming_authors")


@dataclass
class Moved:
    """What moving posts has changed."""

    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)  # narrative: before and after
    endangered: set[Cell] = field(default_factory=set)  # cells that gained a dangerous voice
    hours: set[datetime] = field(default_factory=set)  # of posts that are read as dangerous now


class _Move(NamedTuple):
    post_id: int
    was: int | None  # the narrative it was in
    hour: datetime
    posted_at: datetime
    to: int | None


@dataclass(frozen=True)
class Unsaved:
    """A post that has been read, and whose reading is saved when its place is known.

    Saved before, it would be written twice, with its vector and in every index.
    """

    post_id: int
    posted_at: datetime
    hour: datetime
    copy_of: int  # Reading.copy_of: copies of one text are placed as one
    searched: bool  # by meaning: it has a Meaning, too
    vector: Floats  # (d,), of unit length, or zero if it could not be read
    judged: Mapping[str, object]  # the columns of its reading beside these, but for the narrative


def move(
    session: Session, moves: Mapping[int, int | None], arrivals: Sequence[Unsaved] = ()
) -> Moved:
    """Put posts (by id) into narratives, or out of them (None), and set counts right.

    ``arrivals``: those of ``moves`` whose readings are saved by this, in their places. The
    narratives exist; sizes and times of theirs follow. What was counted and has been deleted
    since stays counted, and a post that came back from hiding was counted before, wherever that
    was: it adds nothing and takes nothing away. One that somebody is deleting at this moment stays
    where it is: never wait for a removal, it may wait for us. The caller holds the turn.
    """
    fresh = {one.post_id for one in arrivals}
    held = session.execute(
        select(
            *(Reading.post_id, Reading.narrative_id, Reading.hour, Post.posted_at),
        )
        .join(Post, Post.id == Reading.post_id)
        .where(among(Reading.post_id, moves.keys() - fresh))
        .with_for_update(of=Reading, skip_locked=True)
    ).all()
    rows = [_Move(*row, moves[row.post_id]) for row in held]
    rows += [
        _Move(one.post_id, None, one.hour, one.posted_at, moves[one.post_id]) for one in arrivals
    ]
    rows = [row for row in rows if row.was != row.to]
    cells = {
        (narrative, row.hour)
        for row in rows
        for narrative in (row.was, row.to)
        if narrative is not None
    }
    before = _counted(session, cells) if cells else {}
    _write(session, {row.post_id: row.to for row in rows if row.post_id not in fresh})
    _save(session, arrivals, moves)
    if not cells:
        return Moved()
    after = _counted(session, cells)
    gains = _gained(cells, before, after)
    _add(session, gains)
    came: dict[int, list[datetime]] = {}
    left: dict[int, list[datetime]] = {}
    for row in rows:
        for narrative, times in ((row.to, came), (row.was, left)):
            if narrative is not None:
                times.setdefault(narrative, []).append(row.posted_at)
    return Moved(_resize(session, gains, came, left), _endangered(gains))


def rejudge(session: Session, read: Mapping[int, Mapping[str, object]]) -> Moved:
    """Write what posts (by id) are read as, columns of Reading with ``level``; set counts right.

    The caller holds the turn. One that somebody is deleting at this moment is skipped.
    """
    held = session.execute(
        select(Reading.post_id, Reading.narrative_id, Reading.hour)
        .where(among(Reading.post_id, read))
        .with_for_update(of=Reading, skip_locked=True)
    ).all()
    cells = {(row.narrative_id, row.hour) for row in held if row.narrative_id is not None}
    before = _counted(session, cells)
    alike: dict[int, list[int]] = {}  # what many are read as is often one and the same
    for row in held:
        alike.setdefault(id(read[row.post_id]), []).append(row.post_id)
    for posts in alike.values():
        session.execute(
            update(Reading)
            .where(among(Reading.post_id, posts))
            .values(read[posts[0]])
            .execution_options(synchronize_session=False)
        )
    gains = _gained(cells, before, _counted(session, cells))
    _add(session, gains)
    return Moved(
        endangered=_endangered(gains),
        hours={row.hour for row in held if _is_dangerous(read[row.post_id])},
    )


def absorb(session: Session, merged: Mapping[int, int]) -> None:
    """Give what merged narratives still count, of posts deleted since, to those they went into."""
    for old, keeper in merged.items():
        left = session.execute(
            delete(HourlyCount)
            .where(HourlyCount.narrative_id == old)
            .returning(HourlyCount.hour, *(getattr(HourlyCount, name) for name in COUNTS))
        ).all()
        _add(session, {(keeper, hour): tuple(counts) for hour, *counts in left})
        size = select(Narrative.size).where(Narrative.id == old).scalar_subquery()
        session.execute(
            update(Narrative).where(Narrative.id == keeper).values(size=Narrative.size + size)
        )
        session.execute(update(Narrative).where(Narrative.id == old).values(size=0))


def follow(session: Session, posts: Collection[int] | None = None) -> None:
    """Bring posts that a merge left behind to where it led; their counts have gone before them.

    Somebody was deleting them then, and did not. Of these posts, or of all. The caller holds the
    turn.
    """
    left = select(Reading.post_id, Narrative.merged_into).join(
        Narrative, Narrative.id == Reading.narrative_id
    )
    if posts is None:  # hardly ever one: look once into each merged narrative, not at all readings
        theirs = select(Reading.post_id).where(Reading.narrative_id == Narrative.id)
        one = theirs.correlate(Narrative).limit(1).lateral()
        merged = select(Narrative.id).join(one, true()).where(Narrative.merged_into.is_not(None))
        left = left.where(Narrative.id.in_(session.scalars(merged).all()))
    else:
        left = left.where(among(Reading.post_id, posts), Narrative.merged_into.is_not(None))
    held = session.execute(left.with_for_update(of=Reading, skip_locked=True)).all()
    _write(session, dict(held))


def _save(session: Session, arrivals: Sequence[Unsaved], moves: Mapping[int, int | None]) -> None:
    rows = [
        {
            **one.judged,
            "post_id": one.post_id,
            "embedding": one.vector,
            "copy_of": one.copy_of,
            "hour": one.hour,
            "narrative_id": moves[one.post_id],
        }
        for one in arrivals
    ]
    if rows:
        # All columns in all rows, or it were a statement wherever one without a narrative follows.
        session.execute(insert(Reading).execution_options(render_nulls=True), rows)
    if searched := [one.post_id for one in arrivals if one.searched]:
        find_by_meaning(session, searched)


def find_by_meaning(session: Session, posts: Collection[int]) -> None:
    """Have these posts found by what they mean (monitor.search): they were read, and not so yet."""
    columns = (Reading.post_id, Reading.copy_of, Reading.embedder, signs(Reading.embedding))
    theirs = select(*columns).where(among(Reading.post_id, posts))
    session.execute(
        insert(Meaning).from_select(["post_id", "copy_of", "embedder", "signs"], theirs)
    )


def _write(session: Session, moves: Mapping[int, int | None]) -> None:
    by_narrative: dict[int | None, list[int]] = {}
    for post, narrative in moves.items():
        by_narrative.setdefault(narrative, []).append(post)
    for narrative, posts in by_narrative.items():
        session.execute(
            update(Reading)
            .where(among(Reading.post_id, posts))
            .values(narrative_id=narrative)
            .execution_options(synchronize_session=False)
        )


def _counted(session: Session, cells: Collection[Cell]) -> dict[Cell, tuple[int, ...]]:
    """COUNTS of these cells, of the posts that stand and never were away."""
    wanted = unnested(
        narrative=(Integer, [narrative for narrative, _ in cells]),
        hour=(UTCDateTime, [hour for _, hour in cells]),
    )
    dangerous, alarming = Reading.level >= DANGEROUS_LEVEL, Reading.level >= ALARMING_LEVEL
    rows = session.execute(
        select(
            Reading.narrative_id,
            Reading.hour,
            func.count(),
            func.least(*voices()),
            func.count().filter(dangerous),
            func.least(*(one.filter(dangerous) for one in voices())),
            func.least(*(one.filter(alarming) for one in voices())),
        )
        .join(Post, Post.id == Reading.post_id)
        .join(
            wanted, and_(Reading.narrative_id == wanted.c.narrative, Reading.hour == wanted.c.hour)
        )
        .where(~Post.returned)
        .group_by(Reading.narrative_id, Reading.hour)
    )
    return {(narrative, hour): tuple(counts) for narrative, hour, *counts in rows}


def _gained(
    cells: Collection[Cell],
    before: Mapping[Cell, tuple[int, ...]],
    after: Mapping[Cell, tuple[int, ...]],
) -> dict[Cell, tuple[int, ...]]:
    none = (0,) * len(COUNTS)
    return {
        cell: tuple(
            new - old
            for new, old in zip(after.get(cell, none), before.get(cell, none), strict=True)
        )
        for cell in cells
    }


def _endangered(gains: Mapping[Cell, tuple[int, ...]]) -> set[Cell]:
    told = [COUNTS.index(name) for name in ("dangerous_authors", "alarming_authors")]
    return {cell for cell, gain in gains.items() if any(gain[n] > 0 for n in told)}


def _is_dangerous(read: Mapping[str, object]) -> bool:
    level = read["level"]
    return isinstance(level, int) and level >= DANGEROUS_LEVEL


def voices() -> list[count]:
    """Authors, and texts that are no copies: the fewer of the two are independent voices."""
    return [func.count(Post.author.distinct()), func.count(Reading.copy_of.distinct())]


def _add(session: Session, gains: Mapping[Cell, tuple[int, ...]]) -> None:
    """Add to the counts of hours; what comes to nothing goes."""
    gains = {cell: gain for cell, gain in gains.items() if any(gain)}
    if not gains:
        return
    zeros = dict.fromkeys(COUNTS, 0)
    session.execute(
        insert(HourlyCount)
        .values([{"narrative_id": one, "hour": hour} | zeros for one, hour in gains])
        .on_conflict_do_nothing()
    )
    more = unnested(
        narrative=(Integer, [narrative for narrative, _ in gains]),
        hour=(UTCDateTime, [hour for _, hour in gains]),
        **{name: (Integer, [gain[n] for gain in gains.values()]) for n, name in enumerate(COUNTS)},
    )
    here: ColumnElement[bool] = and_(
        HourlyCount.narrative_id == more.c.narrative, HourlyCount.hour == more.c.hour
    )
    added = {name: func.greatest(0, getattr(HourlyCount, name) + more.c[name]) for name in COUNTS}
    options = {"synchronize_session": False}
    session.execute(update(HourlyCount).where(here).values(added), execution_options=options)
    session.execute(
        delete(HourlyCount).where(here, HourlyCount.posts == 0), execution_options=options
    )


def _resize(
    session: Session,
    gains: Mapping[Cell, tuple[int, ...]],
    came: Mapping[int, list[datetime]],
    left: Mapping[int, list[datetime]],
) -> dict[int, tuple[int, int]]:
    """Sizes and times of the narratives that gained or lost posts; sizes before and after."""
    more: dict[int, int] = dict.fromkeys([*came, *left], 0)
    for (narrative_id, _), gain in gains.items():
        more[narrative_id] += gain[0]
    stand = {
        narrative_id: (first, last)
        for narrative_id, first, last in session.execute(
            select(Reading.narrative_id, func.min(Post.posted_at), func.max(Post.posted_at))
            .join(Post, Post.id == Reading.post_id)
            .where(Reading.narrative_id.in_(left))
            .group_by(Reading.narrative_id)
        )
    }
    sizes = {}
    theirs = session.scalars(select(Narrative).where(Narrative.id.in_(more))).all()
    for narrative in theirs:
        before = narrative.size
        narrative.size = max(0, before + more[narrative.id])
        sizes[narrative.id] = (before, narrative.size)
        if narrative.id in stand:  # its ends move only where posts left there
            first, last = stand[narrative.id]
            if min(left[narrative.id]) <= narrative.first_post_at:
                narrative.first_post_at = first
            if max(left[narrative.id]) >= narrative.last_post_at:
                narrative.last_post_at = last
        if narrative.id in came:
            narrative.first_post_at = min(narrative.first_post_at, *came[narrative.id])
            narrative.last_post_at = max(narrative.last_post_at, *came[narrative.id])
    session.flush()
    return sizes
