"""What the machine does to narratives, remembered as revisions, and what it asks people about.

Where nobody has touched a narrative it merges and splits by itself; else it proposes, and people
answer (monitor.narratives.revisions).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import func, insert, or_, select, update
from sqlalchemy.orm import Session, joinedload

from monitor.models import Narrative, Reading, Revision, RevisionPost
from sources.db import among
from sources.models import Post

SAME_SPLIT = 0.5  # share of posts: a split like one that people have refused is not asked again


def record(
    session: Session, kind: str, narrative: int, other: int, posts: Sequence[int], now: datetime
) -> None:
    """Remember a merge or split that the machine makes by itself; the caller has the turn."""
    revision = Revision(
        kind=kind, state="done", narrative_id=narrative, other_id=other, text="", made_at=now
    )
    session.add(revision)
    put_posts(session, revision, posts)


def propose(
    session: Session,
    merges: Iterable[tuple[int, int]],
    splits: Iterable[tuple[int, Sequence[int]]],
    now: datetime,
) -> None:
    """Ask people about narratives that are theirs; never twice, nor what they have refused.

    ``splits`` are of narratives and groups of copies. The caller has the turn.
    """
    for narrative, other in merges:
        if not _asked(session, "merge", narrative, other):
            session.add(
                Revision(
                    kind="merge",
                    state="proposed",
                    narrative_id=narrative,
                    other_id=other,
                    text="",
                    made_at=now,
                )
            )
            session.flush()
    for narrative, groups in splits:
        posts = session.scalars(
            select(Reading.post_id).where(
                Reading.narrative_id == narrative, among(Reading.copy_of, groups)
            )
        ).all()
        if not posts or any(_alike(old, posts) for old in _splits(session, narrative)):
            continue
        revision = Revision(
            kind="split", state="proposed", narrative_id=narrative, text="", made_at=now
        )
        session.add(revision)
        put_posts(session, revision, posts)


def lead(session: Session, old: int, keeper: int) -> None:
    """Let a merged narrative's id, and those that led to it, lead to the one that has its posts."""
    session.execute(
        update(Narrative)
        .where(or_(Narrative.id == old, Narrative.merged_into == old))
        .values(merged_into=keeper)
    )


def put_posts(session: Session, revision: Revision, posts: Sequence[int]) -> None:
    """Remember which posts a revision moves."""
    session.flush()
    # One that somebody is deleting at this moment goes with it: never wait for a removal.
    free = select(Post.id).where(among(Post.id, posts))
    free = free.with_for_update(key_share=True, read=True, skip_locked=True)
    held = session.scalars(free).all()
    if held:
        session.execute(
            insert(RevisionPost),
            [{"revision_id": revision.id, "post_id": post} for post in held],
        )


def proposals(session: Session) -> list[Revision]:
    """What the machine asks people and nobody has answered, of narratives that still stand."""
    other = select(Narrative.id).where(Narrative.merged_into.is_(None))
    return list(
        session.scalars(
            select(Revision)
            .where(
                Revision.state == "proposed",
                Revision.narrative_id.in_(other),
                or_(Revision.other_id.is_(None), Revision.other_id.in_(other)),
            )
            .options(joinedload(Revision.narrative), joinedload(Revision.other))
            .order_by(Revision.id)
        )
    )


def examples(
    session: Session, revisions: Sequence[Revision], limit: int
) -> dict[int, list[Reading]]:
    """By revision some posts that it is about, of different texts, as they stand now."""
    first = (
        select(
            RevisionPost.revision_id,
            func.min(Reading.post_id).label("post_id"),
            func.row_number()
            .over(partition_by=RevisionPost.revision_id, order_by=func.min(Reading.post_id))
            .label("place"),
        )
        .join(Reading, Reading.post_id == RevisionPost.post_id)
        .where(RevisionPost.revision_id.in_([one.id for one in revisions]))
        .group_by(RevisionPost.revision_id, Reading.copy_of)
        .subquery()
    )
    query = (
        select(first.c.revision_id, Reading)
        .join(first, first.c.post_id == Reading.post_id)
        .where(first.c.place <= limit)
        .options(joinedload(Reading.post))
        .order_by(first.c.revision_id, Reading.post_id)
    )
    found: dict[int, list[Reading]] = {}
    for revision, reading in session.execute(query):
        found.setdefault(revision, []).append(reading)
    return found


def still_asked(revisions: Sequence[Revision]) -> list[Revision]:
    """Of a narrative's revisions those that wait for an answer, of narratives that still stand."""
    return [
        one
        for one in reversed(revisions)
        if one.state == "proposed"
        and one.narrative.merged_into is None
        and (one.other is None or one.other.merged_into is None)
    ]


def _asked(session: Session, kind: str, one: int, other: int) -> bool:
    pair = (one, other)
    query = select(Revision.id).where(
        Revision.kind == kind,
        or_(Revision.state == "proposed", Revision.settled_by.is_not(None)),
        Revision.narrative_id.in_(pair),
        Revision.other_id.in_(pair),
    )
    return session.scalars(query.limit(1)).first() is not None


def _splits(session: Session, narrative: int) -> list[set[int]]:
    """The posts of the splits of a narrative that wait for an answer or had a no."""
    rows = session.execute(
        select(Revision.id, RevisionPost.post_id)
        .join(RevisionPost, RevisionPost.revision_id == Revision.id)
        .where(
            Revision.kind == "split",
            Revision.state != "done",
            Revision.narrative_id == narrative,
        )
    )
    found: dict[int, set[int]] = {}
    for revision, post in rows:
        found.setdefault(revision, set()).add(post)
    return list(found.values())


def _alike(one: set[int], other: Sequence[int]) -> bool:
    shared = len(one.intersection(other))
    return shared > SAME_SPLIT * min(len(one), len(other))
