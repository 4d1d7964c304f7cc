"""Placing posts in narratives: the window in memory and the database, kept in step.

One transaction at a time has its turn. Whoever writes leaves a stamp; a process whose stamp is not
the last reads its window anew, so a restart, another worker, a person's correction and a
transaction that failed are all the same to it.
"""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import BigInteger, delete, func, insert, select, update
from sqlalchemy.orm import Session

from monitor.embedding.embed import Embedder
from monitor.flags.flags import warn
from monitor.models import Departure, Endangered, HourlyCount, Narrative, Reading
from monitor.narratives import proposals, revisions, titles
from monitor.narratives.counters import Moved, Unsaved, absorb, follow, move
from monitor.narratives.graph import NONE, Ints
from monitor.narratives.look import STORY_POSTS, Look
from monitor.narratives.narratives import recentre
from monitor.narratives.turns import stamp_of, take_turn, write_stamp
from monitor.narratives.window import SIZE, Arrival, Change, Story, Window
from sources.db import among, unnested
from sources.models import Post

# One text carried by so many accounts is a narrative, however few other words are said about it.
FOUNDING_ACCOUNTS = 4
LOOK_EVERY = timedelta(minutes=2)  # longest wait of a new post for a considered look
SHRUNK = 0.7  # of its size: a narrative that lost more is told by other words

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Candidate(Unsaved):
    """A post that has been read and has no narrative yet."""

    author: str
    text: str


class Placer:
    """The narratives as one process holds them. Used by one thread after another.

    A post of the window is a group of copies: its id is ``Reading.copy_of``.
    """

    def __init__(self, embedder: Embedder, size: int = SIZE) -> None:
        self._embedder = embedder
        self._size = size
        self._width = 0  # of the model's vectors, when it is first needed
        self._window: Window | None = None
        self._session: Session  # of the present turn
        self._stamp: UUID | None = None
        self._shown: dict[int, int] = {}  # group of copies: the post whose vector the window has
        self._looked_at: datetime | None = None
        self._one_at_a_time = threading.Lock()

    @contextmanager
    def turn(self, session: Session, width: int = 0) -> Iterator[Window]:
        """The window as the database has it; others wait until the transaction ends.

        ``width`` of the model's vectors, where the caller knows it.
        """
        with self._one_at_a_time:
            take_turn(session)
            self._session = session
            self._width = self._width or width
            last = stamp_of(session)
            if self._window is None or last is None or last != self._stamp:
                self._window = self._restored(session)
            else:
                self._forget_removed(session, self._window)
            self._stamp = None  # until all is written, what we hold may be ahead of the database
            yield self._window
            self._stamp = write_stamp(session)

    def due(self, now: datetime) -> bool:
        """Whether it is time for a considered look."""
        if self._window is None or self._window.due():
            return True
        if not self._window.since_look:
            return False
        return self._looked_at is None or now - self._looked_at >= LOOK_EVERY

    def place(
        self, session: Session, window: Window, arrivals: Sequence[Candidate], now: datetime
    ) -> None:
        """Save the readings of posts in their places; older posts may find theirs too.

        What may rise is queued. The outermost caller commits.
        """
        posts = sorted(
            (post for post in arrivals if post.vector.any()),
            key=lambda post: (post.posted_at, post.post_id),
        )
        before = window.posts()
        unheld = {post.copy_of for post in posts} - before.keys()
        elsewhere = _narratives_of(session, unheld, self._embedder.name)
        fresh: dict[int, Arrival] = {}
        for post in posts:
            group = post.copy_of
            if group in unheld and group not in fresh:
                story = elsewhere.get(group)
                fresh[group] = Arrival(
                    group,
                    post.author,
                    post.text,
                    _days(post.posted_at),
                    post.vector,
                    story if story in window.stories else None,
                )
                self._shown[group] = post.post_id
        change = window.take(list(fresh.values()))
        held = window.posts()
        copied = {post.copy_of for post in posts if post.copy_of != post.post_id}
        alone = {group for group in copied if held.get(group) == NONE}
        for group in _carried_by_many(session, alone, arrivals):
            founded = window.found(group)
            change.moved |= founded.moved
            change.found_again |= founded.found_again
        # The oldest may have left the window while the batch was taken.
        held = before | change.moved
        change.moved = {post.copy_of: held[post.copy_of] for post in posts} | change.moved
        self._apply(session, window, change, now, arrivals)

    def settle(
        self, session: Session, window: Window, look: Look, communities: Ints, now: datetime
    ) -> None:
        """Bring narratives into line with a considered look; propose where people are asked."""
        follow(session)
        before = {post: story for post, story in window.posts().items() if story != NONE}
        change = window.settle(look, communities, lambda story: self._elsewhere(window, story))
        self._looked_at = now
        # What people are asked about they can see.
        asked = {one for pair in change.propose_merge for one in pair}
        asked |= {narrative for narrative, _ in change.propose_split}
        for story in asked & window.stories.keys():
            window.stories[story].settled = True
        change.found_again |= asked
        self._apply(session, window, change, now, before=before)
        proposals.propose(session, change.propose_merge, change.propose_split, now)
        window.drop(_dissolve(session))

    def mend(self, session: Session, window: Window) -> int:
        """Make narratives that lost posts anew from what still stands; how many there were."""
        ids = set(session.scalars(delete(Departure).returning(Departure.narrative_id)))
        gone = _dissolve(session, ids)
        window.drop(gone)
        for narrative in recentre(session, ids - gone):
            if narrative.id in window.stories:
                window.put(narrative.id, narrative.centroid)
        return len(ids)

    # Between memory and tables

    def _restored(self, session: Session) -> Window:
        if not self._width:
            self._width = self._embedder.embed(["width"]).shape[1]
        window = Window(self._width, self._next_id, self._size)
        stories = {}
        for row in session.execute(
            select(
                *(Narrative.id, Narrative.size, Narrative.first_post_at, Narrative.last_post_at),
                *(Narrative.settled_at, Narrative.centroid),
            ).where(Narrative.embedder == self._embedder.name, Narrative.merged_into.is_(None))
        ):
            story = Story(
                row.size, _days(row.first_post_at), _days(row.last_post_at), bool(row.settled_at)
            )
            stories[row.id] = (story, row.centroid)
        stands = func.coalesce(Narrative.merged_into, Narrative.id)
        latest = session.execute(
            select(
                *(Post.id, Post.author, Post.text, Post.posted_at),
                *(stands.label("story"), Reading.embedding),
            )
            .join(Reading, Reading.post_id == Post.id)
            .outerjoin(Narrative, Narrative.id == Reading.narrative_id)
            .where(
                Reading.post_id == Reading.copy_of,
                Reading.embedder == self._embedder.name,
                func.vector_norm(Reading.embedding) > 0,
            )
            .order_by(Post.id.desc())
            .limit(self._size)
        ).all()
        posts = [
            Arrival(
                row.id,
                row.author,
                row.text,
                _days(row.posted_at),
                row.embedding,
                row.story if row.story in stories else None,
            )
            for row in reversed(latest)
        ]
        window.restore(stories, posts)
        if self._looked_at is not None:  # another's write is no reason to look again at once
            window.since_look = 1
        window.rules = revisions.rules(session)
        self._shown = {post.post_id: post.post_id for post in posts}
        return window

    def _next_id(self) -> int:
        sequence = func.pg_get_serial_sequence(Narrative.__tablename__, "id")
        return int(self._session.execute(select(func.nextval(sequence))).scalar_one())

    def _forget_removed(self, session: Session, window: Window) -> None:
        shown = {self._shown.get(group, group): group for group in window.posts()}
        asked = unnested(id=(BigInteger, list(shown)))
        gone = session.scalars(
            select(asked.c.id).where(
                ~select(Reading.post_id).where(Reading.post_id == asked.c.id).exists()
            )
        ).all()
        if gone:
            window.forget([shown[post] for post in gone])
        self._shown = {group: post for post, group in shown.items() if post not in set(gone)}

    def _apply(
        self,
        session: Session,
        window: Window,
        change: Change,
        now: datetime,
        arrivals: Sequence[Candidate] = (),
        before: Mapping[int, int] | None = None,
    ) -> None:
        """Write what has changed: readings, counts, narratives, the log, what may rise.

        ``arrivals``: posts whose readings are not saved yet. ``before``: where the posts of the
        window were, for a considered look.
        """
        target = {group: None if s == NONE else s for group, s in change.moved.items()}
        moves = {post: target[group] for post, group in self._copies(session, target)}
        for old, keeper in change.merged.items():
            theirs = select(Reading.post_id).where(Reading.narrative_id == old)
            moves |= {post: keeper for post in session.scalars(theirs) if post not in moves}
        follow(session, moves)
        moves |= {post.post_id: target.get(post.copy_of) for post in arrivals}
        new = self._found(session, window, {one for one in moves.values() if one is not None}, now)
        seen = _settled(session, {*change.merged, *(before or {}).values()})
        if before is not None:
            self._log(session, change, seen, before, moves, now)
        moved = move(session, moves, arrivals)
        absorb(session, change.merged)
        for old, keeper in change.merged.items():
            proposals.lead(session, old, keeper)
        held = select(Reading.post_id).where(Reading.narrative_id == Narrative.id).exists()
        session.execute(
            update(Narrative)
            .where(Narrative.id.in_(change.found_again), Narrative.settled_at.is_(None), held)
            .values(settled_at=now)
            .execution_options(synchronize_session="fetch")
        )
        touched = {*moved.sizes, *change.merged.values()}
        outgrown = []
        for narrative in session.scalars(select(Narrative).where(Narrative.id.in_(touched))).all():
            story = window.stories.get(narrative.id)
            if story is not None:
                narrative.centroid = window.centroid(narrative.id)
                # As a restart would have it, which knows of no more than the tables.
                story.size, story.settled = narrative.size, narrative.settled_at is not None
                story.first, story.last = (
                    _days(narrative.first_post_at),
                    _days(narrative.last_post_at),
                )
            was, size = moved.sizes.get(narrative.id, (narrative.size, narrative.size))
            grown = titles.due(was, size) or size < SHRUNK * was
            if not narrative.title or (narrative.size and grown):
                outgrown.append(narrative)
        titles.retitle(session, *outgrown)
        window.drop(_dissolve(session, {*moved.sizes, *change.merged, *new}))
        self._warn(session, moved, now)

    def _elsewhere(self, window: Window, story: int) -> bool:
        """Whether a narrative has posts of which the window has no copy."""
        theirs = select(Reading.post_id).where(
            Reading.narrative_id == story, ~among(Reading.copy_of, window.posts())
        )
        return self._session.scalar(theirs.limit(1)) is not None

    def _copies(self, session: Session, groups: Collection[int]) -> list[tuple[int, int]]:
        """All posts of these groups of copies that this model has read: (post id, group)."""
        query = select(Reading.post_id, Reading.copy_of).where(
            among(Reading.copy_of, groups), Reading.embedder == self._embedder.name
        )
        return [(post, group) for post, group in session.execute(query)]

    def _found(
        self, session: Session, window: Window, stories: Collection[int], now: datetime
    ) -> list[int]:
        """Rows for the narratives that have none yet; which these were."""
        known = set(session.scalars(select(Narrative.id).where(Narrative.id.in_(stories))))
        new = sorted(set(stories) - known)
        if new:
            session.execute(
                insert(Narrative),
                [
                    {
                        "id": story,
                        "title": "",
                        "centroid": window.centroid(story),
                        "embedder": self._embedder.name,
                        "size": 0,
                        "first_post_at": _moment(window.stories[story].first),
                        "last_post_at": _moment(window.stories[story].last),
                        "created_at": now,
                    }
                    for story in new
                ],
            )
        return new

    def _log(
        self,
        session: Session,
        change: Change,
        seen: Collection[int],
        before: Mapping[int, int],
        moves: Mapping[int, int | None],
        now: datetime,
    ) -> None:
        """Remember what the machine has merged and split of what people may have seen."""
        for old, keeper in change.merged.items():
            if old in seen:
                theirs = session.scalars(select(Reading.post_id).where(Reading.narrative_id == old))
                proposals.record(session, "merge", old, keeper, theirs.all(), now)
        parts: dict[tuple[int, int], int] = {}
        for group, story in change.moved.items():
            was = before.get(group, NONE)
            if was in seen and was not in change.merged and story not in (NONE, was):
                parts[was, story] = parts.get((was, story), 0) + 1
        founded = {story for story in change.moved.values() if story not in before.values()}
        for (was, story), groups in parts.items():
            if story in founded and groups >= STORY_POSTS:
                leaving = session.scalars(
                    select(Reading.post_id).where(Reading.narrative_id == was)
                )
                posts = [post for post in leaving if moves.get(post) == story]
                proposals.record(session, "split", was, story, posts, now)

    def _warn(self, session: Session, moved: Moved, now: datetime) -> None:
        """Have the hours looked at that gained a dangerous voice, of narratives that stand."""
        standing = set(
            session.scalars(
                select(Narrative.id).where(Narrative.id.in_({one for one, _ in moved.endangered}))
            )
        )
        warn(session, {cell for cell in moved.endangered if cell[0] in standing}, now)


def _narratives_of(session: Session, groups: Collection[int], embedder: str) -> dict[int, int]:
    """The narratives that groups of copies are in, of those that this model has gathered."""
    query = (
        select(Reading.copy_of, func.max(func.coalesce(Narrative.merged_into, Narrative.id)))
        .join(Narrative, Narrative.id == Reading.narrative_id)
        .where(Reading.copy_of.in_(groups), Narrative.embedder == embedder)
        .group_by(Reading.copy_of)
    )
    return {group: narrative for group, narrative in session.execute(query) if narrative}


def _carried_by_many(
    session: Session, groups: Collection[int], arrivals: Sequence[Candidate]
) -> list[int]:
    """Those groups of copies that enough accounts carry to be a narrative; arrivals count too."""
    carried: dict[int, set[str]] = {group: set() for group in sorted(groups)}
    for post in arrivals:
        if post.copy_of in carried:
            carried[post.copy_of].add(post.author)
    query = (
        select(Reading.copy_of, Post.author)
        .join(Post, Post.id == Reading.post_id)
        .where(Reading.copy_of.in_(groups))
        .distinct()
    )
    for group, author in session.execute(query) if groups else ():
        carried[group].add(author)
    return [group for group, authors in carried.items() if len(authors) >= FOUNDING_ACCOUNTS]


def _settled(session: Session, stories: Collection[int]) -> set[int]:
    """Those narratives that people may have seen."""
    query = select(Narrative.id).where(Narrative.id.in_(stories), Narrative.settled_at.is_not(None))
    return set(session.scalars(query))


def _dissolve(session: Session, stories: Collection[int] | None = None) -> set[int]:
    """Delete young narratives that have no posts any more, of these or all; nobody has seen them.

    One that a removal at this moment speaks of is left for the next time: it may wait for us.
    """
    empty = select(Narrative.id).where(
        Narrative.settled_at.is_(None),
        ~select(Reading.post_id).where(Reading.narrative_id == Narrative.id).exists(),
    )
    if stories is not None:
        empty = empty.where(Narrative.id.in_(stories))
    gone = set(session.scalars(empty.with_for_update(skip_locked=True)))
    for table in (HourlyCount, Departure, Endangered):
        session.execute(delete(table).where(table.narrative_id.in_(gone)))
    session.execute(delete(Narrative).where(Narrative.id.in_(gone)))
    return gone


def _days(moment: datetime) -> float:
    return (moment - _EPOCH) / timedelta(days=1)


def _moment(days: float) -> datetime:
    return _EPOCH + timedelta(days=days)
