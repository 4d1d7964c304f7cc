"""The texts of a narrative, each once with its copies counted: what its page tells stands on them.

One query reads them together, for the claims, the typical post, the first one and those that
explain most. Of a narrative of more than READ posts (narratives) the newest so many are
looked at, the gravest and the first: copies and accounts are then told among these.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, func, select, true, union
from sqlalchemy import Text as Words
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by, array
from sqlalchemy.orm import Session, contains_eager, joinedload
from sqlalchemy.sql.elements import Grouping

from monitor.models import Narrative, Reading
from monitor.narratives.narratives import NARRATIVE, first_of, latest_of
from sources.models import Post

LATEST = 500  # texts that are read, by when they were last carried
GRAVEST = 100  # more, of any time: what is most dangerous explains whenever it was said
GRAVE_POSTS = 500  # among which these are looked for, copies among them
COORDINATED = 3  # accounts that carry one text: fewer is a person and a friend


@dataclass(frozen=True)
class Text:
    """One text of a narrative and the posts that may stand for it; most have only one post."""

    reading: Reading  # the gravest of its copies: a person must see the worst that is said
    mildest: Reading | None  # of those that the narrative's model has read
    placed: Reading | None  # the first of those with a vector of that model
    earliest: Reading
    posts: int  # all copies
    authors: frozenset[str]  # pseudonyms: an account is another when its pseudonym has changed
    first_at: datetime
    last_at: datetime
    lately: bool  # one of the LATEST

    @property
    def copy_of(self) -> int:
        """The number of its group of copies."""
        return self.reading.copy_of

    @property
    def accounts(self) -> int:
        """How many carried it."""
        return len(self.authors)

    @property
    def coordinated(self) -> bool:
        """Whether so many carry it that somebody should ask who began: possible, never proven."""
        return self.accounts >= COORDINATED and self.reading.post.platform != "web"


def texts_in(session: Session, narrative: Narrative) -> list[Text]:
    """A narrative's LATEST texts, its GRAVEST and its first; the one carried last comes first.

    All posts are standing ones. Readings come with their posts and codings.
    """
    asked = {"narrative": narrative.id, "embedder": narrative.embedder}
    rows = session.execute(_told(), asked).all()
    readings = {row.Reading.post_id: row.Reading for row in rows}
    return [_text(row, readings) for row in {row.copy_of: row for row in rows}.values()]


@cache  # it takes long to put together
def _told() -> Select[Any]:
    """Asks for the texts with their readings. Parameters: narrative, embedder."""
    grave = (
        select(Reading.post_id)
        .where(Reading.narrative_id == NARRATIVE, Reading.level > 0)
        .order_by(Reading.level.desc(), Reading.hour.desc(), Reading.post_id.desc())
        .limit(GRAVE_POSTS)
    )
    # A union takes only bare queries: each limit stands in a table of its own.
    parts = [latest_of(NARRATIVE), grave, first_of(NARRATIVE)]
    ids = union(*(select(part.subquery().c.post_id) for part in parts)).cte("ids")
    mine = (
        select(
            *(Reading.post_id, Reading.copy_of, Reading.level, Reading.embedder),
            *(Post.author, Post.posted_at),
        )
        .join(ids, ids.c.post_id == Reading.post_id)
        .join(Reading.post)
        .cte("mine")
    )
    groups = (
        select(
            mine.c.copy_of,
            func.max(mine.c.level).label("level"),
            func.min(mine.c.posted_at).label("first_at"),
            func.max(mine.c.posted_at).label("last_at"),
        )
        .group_by(mine.c.copy_of)
        .cte("groups")
    )
    group, newest = groups.c.copy_of, (groups.c.last_at.desc(), groups.c.copy_of.desc())
    latest = select(group).order_by(*newest).limit(LATEST).cte("latest")
    gravest = select(group).order_by(groups.c.level.desc(), *newest).limit(GRAVEST).cte("gravest")
    first = select(group).order_by(groups.c.first_at, group).limit(1).cte("first")
    chosen = union(
        select(latest.c.copy_of),
        select(gravest.c.copy_of),
        select(first.c.copy_of),
    ).cte("chosen")
    in_time = (mine.c.posted_at, mine.c.post_id)
    its_model = mine.c.embedder == bindparam("embedder", type_=Words)
    with_vector = its_model & (func.vector_norm(Reading.embedding) > 0)
    first_id = partial(_first, mine.c.post_id)
    told = (
        select(
            chosen.c.copy_of,
            chosen.c.copy_of.in_(select(latest.c.copy_of)).label("lately"),
            func.count().label("posts"),
            func.array_agg(mine.c.author.distinct(), type_=ARRAY(Words)).label("authors"),
            func.min(mine.c.posted_at).label("first_at"),
            func.max(mine.c.posted_at).label("last_at"),
            first_id(mine.c.level.desc(), *in_time).label("gravest"),
            first_id(mine.c.level, *in_time, of=its_model).label("mildest"),
            first_id(*in_time, of=with_vector).label("placed"),
            first_id(*in_time).label("earliest"),
        )
        .join(mine, mine.c.copy_of == chosen.c.copy_of)
        .join(Reading, Reading.post_id == mine.c.post_id)
        .group_by(chosen.c.copy_of)
        .cte("told")
    )
    standing = array([told.c.gravest, told.c.mildest, told.c.placed, told.c.earliest])
    each = select(func.unnest(standing).label("post_id")).correlate(told).distinct().lateral("each")
    return (
        select(Reading, told)
        .select_from(told)
        .join(each, true())
        .join(Reading, Reading.post_id == each.c.post_id)
        .join(Reading.post)
        .options(contains_eager(Reading.post), joinedload(Reading.coding))
        .order_by(told.c.last_at.desc(), told.c.copy_of.desc())
    )


def _text(row: Any, readings: dict[int, Reading]) -> Text:
    return Text(
        reading=readings[row.gravest],
        mildest=readings.get(row.mildest),
        placed=readings.get(row.placed),
        earliest=readings[row.earliest],
        posts=row.posts,
        authors=frozenset(row.authors),
        first_at=row.first_at,
        last_at=row.last_at,
        lately=row.lately,
    )


def _first(
    post_id: ColumnElement[int], *order: Any, of: ColumnElement[bool] | None = None
) -> ColumnElement[int]:
    """Of a group of posts the id of the first in this order, among those ``of`` a kind."""
    ids = func.array_agg(aggregate_order_by(post_id, *order), type_=ARRAY(BigInteger))
    return Grouping(ids if of is None else ids.filter(of))[1]
