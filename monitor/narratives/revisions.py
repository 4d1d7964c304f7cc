"""Correcting narratives: what people say about them, their answers to the machine, and undoing.

Each verb takes the turn, so that nobody places posts meanwhile, and leaves a stamp, so that every
later placing keeps to it. The caller commits.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session, joinedload

from monitor.models import Flag, Narrative, Reading, Revision, RevisionPost
from monitor.narratives import counters, titles
from monitor.narratives.narratives import family, recentre
from monitor.narratives.proposals import lead, put_posts
from monitor.narratives.turns import take_turn, write_stamp
from monitor.narratives.window import Rules
from monitor.reading.cued import loaded
from sources.db import among

TITLE_CHARS = 120


class RevisionSettledError(ValueError):
    """Somebody else was first, or what it was about has gone; one sentence says so."""


# What people do


def merge(session: Session, narrative: Narrative, other: Narrative, by: int, now: datetime) -> None:
    """Say that ``narrative`` and ``other`` are one: its posts go to ``other``, its id leads there.

    ValueError when they already are, or when their posts were read by different models.
    """
    _take_turn(session, narrative, other)
    _two_that_stand(narrative, other)
    _merge(session, _new(session, "merge", narrative, other, by, now), other)
    write_stamp(session)


def split(
    session: Session, narrative: Narrative, groups: Collection[int], by: int, now: datetime
) -> Narrative:
    """Say that these groups of copies (Reading.copy_of) tell a story of their own; the new one.

    ValueError when none of them is in the narrative, or all are.
    """
    _take_turn(session, narrative)
    _stands(narrative)
    posts = _posts_in(session, narrative, groups)
    revision = _new(session, "split", narrative, None, by, now)
    put_posts(session, revision, posts)
    other = _split(session, revision, now)
    write_stamp(session)
    return other


def move_out(
    session: Session,
    narrative: Narrative,
    group: int,
    other: Narrative | None,
    by: int,
    now: datetime,
) -> None:
    """Say that a text, with its copies, does not belong to a narrative but to ``other``, or none.

    ValueError when it is not there any more, or was the last one.
    """
    _take_turn(session, narrative, other)
    _stands(narrative)
    if other is not None:
        _two_that_stand(narrative, other)
    posts = _posts_in(session, narrative, [group])
    revision = _new(session, "move", narrative, other, by, now)
    put_posts(session, revision, posts)
    _relocate(session, revision, posts, other)
    write_stamp(session)


def rename(session: Session, narrative: Narrative, title: str, by: int, now: datetime) -> None:
    """Give a narrative a person's title, which stays. ValueError for an unfit one."""
    title = " ".join(title.split())
    if not title:
        raise ValueError("Give it a title.")
    if len(title) > TITLE_CHARS:
        raise ValueError(f"Say it in {TITLE_CHARS} characters; these are {len(title)}.")
    bad = next((word for word in titles.WORD.findall(title) if loaded(word)), None)
    if bad is not None:
        raise ValueError(
            f"“{bad}” is a loaded word, and titles are read aloud, quoted and sent. Say it plainly."
        )
    if titles.has_slur(session, title):
        raise ValueError("There is a slur in it, and titles are read aloud, quoted and sent.")
    _take_turn(session, narrative)
    _stands(narrative)
    _new(session, "rename", narrative, None, by, now).text = title
    narrative.title, narrative.named_by, narrative.settled_at = title, by, _settled(narrative, now)
    write_stamp(session)


def dismiss(session: Session, narrative: Narrative, reason: str, by: int, now: datetime) -> None:
    """Put a narrative away: it goes on gathering its posts, and comes back with a flag alone.

    ValueError when no reason is given.
    """
    reason = reason.strip()
    if not reason:
        raise ValueError("Say why, so that the next person who meets it knows.")
    _take_turn(session, narrative)
    _stands(narrative)
    if narrative.dismissed_at is not None:
        raise RevisionSettledError("Somebody else has put it away already.")
    _new(session, "dismiss", narrative, None, by, now).text = reason
    narrative.dismissed_at, narrative.settled_at = now, _settled(narrative, now)
    write_stamp(session)


def accept(session: Session, revision: Revision, by: int, now: datetime) -> None:
    """Do what the machine proposes. RevisionSettledError when that is settled or moot."""
    _take_turn(session, revision, revision.narrative, revision.other)
    _settle(session, revision, "proposed", "done", by, now)
    narrative, other = revision.narrative, revision.other
    if narrative.merged_into is not None or (other is not None and other.merged_into is not None):
        raise RevisionSettledError("One of the two has been merged meanwhile: look at it again.")
    if other is not None:
        _merge(session, revision, other)
    else:
        _split(session, revision, now)
    write_stamp(session)


def refuse(session: Session, revision: Revision, by: int, now: datetime) -> None:
    """Leave things as they are; it is not proposed again. RevisionSettledError as in ``accept``."""
    _take_turn(session, revision)
    _settle(session, revision, "proposed", "refused", by, now)
    write_stamp(session)


def undo(session: Session, revision: Revision, by: int, now: datetime) -> None:
    """Take a revision back, a person's or the machine's: posts that still stand return.

    A merge that is undone keeps the two apart from now on. RevisionSettledError when somebody
    was first.
    """
    _take_turn(session, revision, revision.narrative, revision.other)
    _settle(session, revision, "done", "undone", by, now)
    narrative = revision.narrative
    if revision.kind == "rename":
        _title_again(session, narrative)
    elif revision.kind == "dismiss":
        narrative.dismissed_at = None
    else:
        _return_posts(session, revision)
    write_stamp(session)


# What is said


def rules(session: Session) -> Rules:
    """What people have said, as the window keeps to it."""
    stands = dict(
        session.execute(
            select(Narrative.id, Narrative.merged_into).where(Narrative.merged_into.is_not(None))
        ).all()
    )

    def now_in(narrative: int) -> int:
        return stands.get(narrative) or narrative

    rises = select(Flag.narrative_id).where(Flag.kind == "spike").distinct()
    touched = {now_in(one) for one in session.scalars(rises) if one is not None}
    apart: set[frozenset[int]] = set()
    theirs = or_(Revision.made_by.is_not(None), Revision.settled_by.is_not(None))
    moves: list[Revision] = []
    for revision in session.scalars(select(Revision).where(theirs)):
        if revision.state == "undone" and revision.kind not in ("merge", "split"):
            continue
        pair = {now_in(one) for one in (revision.narrative_id, revision.other_id) if one}
        touched |= pair
        two = revision.kind == "merge" and revision.state in ("refused", "undone")
        if (two or (revision.kind == "split" and revision.state == "done")) and len(pair) == 2:
            apart.add(frozenset(pair))
        if revision.kind == "move":
            moves.append(revision)
    groups = (
        select(RevisionPost.revision_id, Reading.copy_of)
        .join(Reading, Reading.post_id == RevisionPost.post_id)
        .where(RevisionPost.revision_id.in_([move.id for move in moves]))
        .distinct()
    )
    left = {move.id: now_in(move.narrative_id) for move in moves}
    not_here = {(group, left[revision]) for revision, group in session.execute(groups)}
    return Rules(touched, apart, not_here)


def history(session: Session, narrative: Narrative) -> list[Revision]:
    """What was done to a narrative or asked about it, newest first.

    With what was done to those merged into it: that one of them was put away, and why, stays known.
    """
    ours = family(narrative)
    return list(
        session.scalars(
            select(Revision)
            .where(or_(Revision.narrative_id.in_(ours), Revision.other_id.in_(ours)))
            .options(joinedload(Revision.narrative), joinedload(Revision.other))
            .order_by(Revision.id.desc())
        )
    )


# Steps of the verbs


def _take_turn(session: Session, *about: Narrative | Revision | None) -> None:
    """Take the turn; what the verb is about is then as the one before left it."""
    take_turn(session)
    for one in about:
        if one is not None and session.get(type(one), one.id, populate_existing=True) is None:
            raise RevisionSettledError("It is not there any more.")


def _merge(session: Session, revision: Revision, keeper: Narrative) -> None:
    old = revision.narrative
    posts = _posts_of(session, old)
    put_posts(session, revision, posts)
    counters.move(session, dict.fromkeys(posts, keeper.id))
    counters.absorb(session, {old.id: keeper.id})
    lead(session, old.id, keeper.id)
    session.expire_all()
    keeper.settled_at = _settled(keeper, revision.made_at)
    _recentre(session, {keeper.id} if posts else set())


def _split(session: Session, revision: Revision, now: datetime) -> Narrative:
    narrative = revision.narrative
    posts = _posts_of(session, narrative, revision)
    if not posts:
        raise RevisionSettledError("None of its posts are there any more.")
    if len(posts) == len(_posts_of(session, narrative)):
        raise ValueError("These are all of its posts: nothing would be left. Rename it instead.")
    other = Narrative(
        title="",
        centroid=narrative.centroid,
        embedder=narrative.embedder,
        size=0,
        first_post_at=narrative.last_post_at,
        last_post_at=narrative.first_post_at,
        created_at=now,
        settled_at=now,
    )
    session.add(other)
    session.flush()
    revision.other_id = other.id
    _relocate(session, revision, posts, other)
    return other


def _relocate(
    session: Session, revision: Revision, posts: Sequence[int], other: Narrative | None
) -> None:
    """Move posts out of a revision's narrative."""
    narrative = revision.narrative
    if len(posts) == len(_posts_of(session, narrative)):
        raise ValueError("It is the last text of this narrative. Put the narrative away instead.")
    counters.move(session, dict.fromkeys(posts, None if other is None else other.id))
    session.expire_all()
    narrative.settled_at = _settled(narrative, revision.made_at)
    if other is not None:
        other.settled_at = _settled(other, revision.made_at)
    _recentre(session, {narrative.id} | ({other.id} if other is not None else set()))


def _return_posts(session: Session, revision: Revision) -> None:
    """Bring the posts of a merge, split or move back, as far as they are where it put them."""
    narrative, other = revision.narrative, revision.other
    where = None if other is None else other.merged_into or other.id
    home = narrative.merged_into or narrative.id
    if revision.kind == "merge":
        _free(session, narrative)
        home = narrative.id
    groups = (  # copies that came later go with their text
        select(Reading.copy_of)
        .join(RevisionPost, RevisionPost.post_id == Reading.post_id)
        .where(RevisionPost.revision_id == revision.id)
    )
    here = Reading.narrative_id.is_(None) if where is None else Reading.narrative_id == where
    posts = session.scalars(select(Reading.post_id).where(Reading.copy_of.in_(groups), here)).all()
    counters.move(session, dict.fromkeys(posts, home))
    session.expire_all()
    if revision.kind == "split" and other is not None and _is_empty_part(session, revision, other):
        counters.absorb(session, {other.id: home})
        lead(session, other.id, home)
    if revision.kind == "merge" and other is not None and where is not None:
        _answer(session, {home, where, other.id}, revision)
    _recentre(session, {home} | ({where} if where is not None else set()) if posts else set())


def _is_empty_part(session: Session, revision: Revision, other: Narrative) -> bool:
    """Whether a split made the other narrative, and nothing is left of it."""
    stands = other.merged_into is None and other.created_at >= revision.made_at
    return stands and not _posts_of(session, other)


def _answer(session: Session, pair: Collection[int], undone: Revision) -> None:
    """Who takes a merge back has answered what the machine asks about the two."""
    session.execute(
        update(Revision)
        .where(
            Revision.kind == "merge",
            Revision.state == "proposed",
            Revision.narrative_id.in_(pair),
            Revision.other_id.in_(pair),
        )
        .values(state="refused", settled_by=undone.settled_by, settled_at=undone.settled_at)
    )


def _recentre(session: Session, ids: Collection[int]) -> None:
    """``recentre`` those that have posts: words outlive the posts whose time is over."""
    held = select(Reading.narrative_id).where(Reading.narrative_id.in_(ids)).distinct()
    recentre(session, {one for one in session.scalars(held) if one is not None})


def _free(session: Session, narrative: Narrative) -> None:
    """Let a merged narrative stand again, and those lead to it that were merged into it."""
    into: dict[int | None, int | None] = {}
    for revision in session.scalars(select(Revision).order_by(Revision.id)):
        if revision.kind == "merge" and revision.state == "done":
            into[revision.narrative_id] = revision.other_id
        if revision.kind == "split" and revision.state == "undone":
            into.setdefault(revision.other_id, revision.narrative_id)
    narrative.merged_into = None
    session.flush()
    for old in session.scalars(select(Narrative).where(Narrative.merged_into.is_not(None))).all():
        at: int | None = old.id
        while at is not None and at != narrative.id:
            at = into.get(at)
        if at == narrative.id and old.id != narrative.id:
            old.merged_into = narrative.id
    session.flush()


def _title_again(session: Session, narrative: Narrative) -> None:
    """The title before the last one: an earlier person's, or else the machine's."""
    earlier = session.scalars(
        select(Revision)
        .where(
            Revision.kind == "rename",
            Revision.state == "done",
            Revision.narrative_id == narrative.id,
        )
        .order_by(Revision.id.desc())
        .limit(1)
    ).first()
    narrative.named_by = None if earlier is None else earlier.made_by
    if earlier is None:
        titles.retitle(session, narrative)
    else:
        narrative.title = earlier.text


def _new(
    session: Session,
    kind: str,
    narrative: Narrative,
    other: Narrative | None,
    by: int,
    now: datetime,
) -> Revision:
    revision = Revision(
        kind=kind,
        state="done",
        narrative=narrative,
        other=other,
        text="",
        made_by=by,
        made_at=now,
    )
    session.add(revision)
    session.flush()
    return revision


def _settle(
    session: Session, revision: Revision, state: str, into: str, by: int, now: datetime
) -> None:
    if revision.state != state:
        raise RevisionSettledError("Somebody else has settled that already. Nothing was changed.")
    revision.state, revision.settled_by, revision.settled_at = into, by, now
    session.flush()


def _settled(narrative: Narrative, now: datetime) -> datetime:
    return narrative.settled_at or now


def _stands(narrative: Narrative) -> None:
    if narrative.merged_into is not None:
        raise RevisionSettledError("It has been merged into another one meanwhile.")


def _two_that_stand(narrative: Narrative, other: Narrative) -> None:
    _stands(narrative)
    _stands(other)
    if narrative.id == other.id:
        raise ValueError("That is this narrative itself.")
    if narrative.embedder != other.embedder:
        raise ValueError("Their posts were read by different language models.")


def _posts_in(session: Session, narrative: Narrative, groups: Collection[int]) -> Sequence[int]:
    posts = session.scalars(
        select(Reading.post_id).where(
            Reading.narrative_id == narrative.id, among(Reading.copy_of, groups)
        )
    ).all()
    if not posts:
        raise RevisionSettledError("That is not in this narrative any more.")
    return posts


def _posts_of(
    session: Session, narrative: Narrative, revision: Revision | None = None
) -> Sequence[int]:
    """The posts of a narrative that stand; of these the ones that a revision is about."""
    query = select(Reading.post_id).where(Reading.narrative_id == narrative.id)
    if revision is not None:
        theirs = select(RevisionPost.post_id).where(RevisionPost.revision_id == revision.id)
        query = query.where(Reading.post_id.in_(theirs))
    return session.scalars(query).all()
