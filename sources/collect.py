"""The crux of sources/: collectors yield batches, and each batch is saved whole or not at all."""

import hashlib
import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Text, any_, bindparam, delete, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session, sessionmaker

from sources.collector import (
    MAX_TEXT_LENGTH,
    Batch,
    Collector,
    Item,
    NewPost,
    Rejected,
    Removal,
    SourceFaultError,
)
from sources.models import STREAMED_KINDS, Erasure, Post, RejectedItem, Source, SourceEvent
from sources.pseudonyms import erased_name, pseudonym
from sources.register import FAILING, is_paused, last_event, pause

CLOCK_SKEW = timedelta(minutes=5)  # a post from further in the future than this is dated now
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # a date before the platforms existed is no date
MAX_URI_BYTES = 2000  # a PostgreSQL index entry holds 2,704 bytes, the platform's name included
# Rejected items: enough to see what was wrong, and no more of people's words than that.
MAX_REJECT_BYTES = 4 * 1024
MAX_FEED_REJECT_BYTES = 64 * 1024  # a feed's entry is a whole article
MAX_REJECTS = 200  # per source: each removal is searched for in all of them
KEEP_REJECTS = timedelta(days=7)  # broken for longer means that nobody is looking into it
MIN_BACK_OFF = timedelta(minutes=15)  # first wait after a failed poll; then as long again
MAX_BACK_OFF = timedelta(days=1)

log = logging.getLogger(__name__)


def collect(
    sessions: sessionmaker[Session],
    source_id: int,
    collector: Collector,
    *,
    pseudonym_key: bytes,
    clock: Callable[[], datetime],
    stop: Callable[[], bool],
) -> int:
    """Read a source until it has no more, is paused, fails, or ``stop`` says so. Posts stored.

    One commit per batch, and no session is open while the network is read. A fault is recorded
    as an event; for streams it is then raised, so that the caller decides when to start again.
    """
    with sessions() as session:
        source = session.get_one(Source, source_id)
        if is_paused(session, source):
            return 0
        cursor, streamed = source.cursor, source.kind in STREAMED_KINDS
    stored = 0
    try:
        with closing(collector.batches(cursor)) as batches:
            while not stop():
                batch = _next(batches)
                if batch is None:
                    break
                with sessions.begin() as session:
                    source = session.get_one(Source, source_id, with_for_update=True)
                    if is_paused(session, source):
                        return stored
                    stored += save_batch(
                        session,
                        source,
                        batch,
                        platform=collector.platform,
                        pseudonym_key=pseudonym_key,
                        now=clock(),
                    )
            else:  # told to stop: there may be more
                return stored
    except SourceFaultError as fault:
        with sessions.begin() as session:
            record_failure(session, session.get_one(Source, source_id), fault, clock())
        if streamed:
            raise
        return stored
    if streamed:
        with sessions.begin() as session:
            source = session.get_one(Source, source_id)
            pause(session, source, None, "It has been read to its end.", clock())
    return stored


def _next(batches: Generator[Batch]) -> Batch | None:
    """The next batch, or None at the end. Whatever goes wrong comes out as SourceFaultError."""
    try:
        return next(batches, None)
    except SourceFaultError:
        raise
    except Exception as surprise:
        log.exception("a collector stopped unexpectedly")
        raise SourceFaultError(
            f"Reading stopped unexpectedly ({type(surprise).__name__}); the log has the details."
        ) from surprise


def save_batch(
    session: Session,
    source: Source,
    batch: Batch,
    *,
    platform: str,
    pseudonym_key: bytes,
    now: datetime,
) -> int:
    """Put a whole batch and its cursor into the caller's transaction. The number of posts stored.

    Safe to repeat: a post that is there stays as it is unless an edit says something else, and a
    removal of nothing removes nothing.
    """
    posts, removals, rejects = _fold(batch.items)
    # Two sources of one platform may carry the same posts: taking turns beats a deadlock.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"save {platform}"))))
    _set_aside(session, source, rejects, now)  # before the removals, which take some away again
    _erase(session, platform, removals, pseudonym_key, now)
    _erase(session, platform, _reworded(session, platform, posts), pseudonym_key, now)
    stored = _store(session, source, posts, platform, pseudonym_key, now)
    event = last_event(session, source, FAILING)
    if event is not None and event.kind == "failed":
        session.add(SourceEvent(source_id=source.id, kind="recovered", at=now))
    dates = [_posted_at(post.posted_at, now) for post in posts]
    newest = [batch.newest, source.newest_post_at, max(dates, default=None)]
    source.newest_post_at = max((min(at, now) for at in newest if at is not None), default=None)
    source.seen += batch.seen
    source.kept += stored
    source.last_batch_at = now
    source.cursor = batch.cursor
    source.next_poll_at = None if batch.next_poll_in is None else now + batch.next_poll_in
    session.flush()
    return stored


def _fold(items: Sequence[Item]) -> tuple[list[NewPost], list[Removal], list[Rejected]]:
    """What is left when the items have happened one after the other.

    All removals may then run before all posts: a post that a later item removed is gone from the
    list, and one that stayed came after every removal that names it.
    """
    posts: dict[str, NewPost] = {}
    removals: dict[tuple[str, str], Removal] = {}
    rejects: list[Rejected] = []
    for item in items:
        match item:
            case NewPost():
                text = _clean(item.text)[:MAX_TEXT_LENGTH]
                post = replace(item, uri=_clean(item.uri), text=text)
                if len(post.uri.encode()) > MAX_URI_BYTES:
                    raw = post.uri.encode()
                    rejects.append(Rejected("the post's address is too long to keep", raw))
                elif post.edit or post.uri not in posts:
                    posts[post.uri] = post
            case Removal(scope="post"):
                uri = _clean(item.uri)
                posts.pop(uri, None)
                removals["post", uri] = replace(item, uri=uri)
            case Removal():
                prefix = _account_prefix(_clean(item.uri))
                for uri in [uri for uri in posts if uri.startswith(prefix)]:
                    del posts[uri]
                removals["account", prefix] = replace(item, uri=prefix)
            case Rejected():
                rejects.append(item)
    return list(posts.values()), list(removals.values()), rejects


def _account_prefix(did: str) -> str:
    """What the address of every record of an AT Protocol account begins with."""
    return f"at://{did}/"


def _set_aside(
    session: Session, source: Source, rejects: Sequence[Rejected], now: datetime
) -> None:
    """Keep what could not be read, each thing once; forget what has been kept long enough."""
    # Whoever saves a batch does it for all sources, some of which are read no more. Two that do
    # it at the same time pass each other by.
    old = select(RejectedItem.id).where(RejectedItem.at < now - KEEP_REJECTS)
    old = old.with_for_update(skip_locked=True)
    session.execute(delete(RejectedItem).where(RejectedItem.id.in_(old)))
    if not rejects:
        return
    theirs = select(RejectedItem.reason, func.sha256(RejectedItem.raw))
    kept = {
        tuple(row) for row in session.execute(theirs.where(RejectedItem.source_id == source.id))
    }
    longest = MAX_FEED_REJECT_BYTES if source.kind == "feed" else MAX_REJECT_BYTES
    for reject in rejects:
        reason, raw = _clean(reject.reason), reject.raw[:longest]
        known = (reason, hashlib.sha256(raw).digest())
        if known not in kept and len(kept) < MAX_REJECTS:
            kept.add(known)
            session.add(RejectedItem(source_id=source.id, reason=reason, raw=raw, at=now))
    session.flush()


def _forget_rejects(session: Session, removals: Sequence[Removal]) -> None:
    """Delete the rejected items that hold every part of an address that ``removals`` name.

    Its parts, because an event tells the account and the post's key apart. One too many does no
    harm. Feeds tell of no removals, and their items are large: they are not searched.
    """
    names = [
        removal.uri.removeprefix("at://").removeprefix("reddit:").rstrip("/").encode().split(b"/")
        for removal in removals
    ]
    kept = select(RejectedItem.id, RejectedItem.raw).join(Source).where(Source.kind != "feed")
    doomed = [
        reject_id
        for reject_id, raw in session.execute(kept)
        if any(all(part in raw for part in parts) for parts in names)
    ]
    if doomed:
        session.execute(delete(RejectedItem).where(RejectedItem.id.in_(doomed)))


def _reworded(session: Session, platform: str, posts: Sequence[NewPost]) -> list[Removal]:
    """A removal of each stored post whose edit is among ``posts`` and has another text.

    Streams tell an edit again after each reconnect; a text that is there keeps its reading.
    """
    edits = {post.uri: post.text for post in posts if post.edit}
    if not edits:
        return []
    uris = bindparam("uris", list(edits), ARRAY(Text))
    stored = select(Post.uri, Post.text).where(Post.platform == platform, Post.uri == any_(uris))
    return [
        Removal("post", uri, "edited by its author")
        for uri, text in session.execute(stored)
        if text != edits[uri]
    ]


def _erase(
    session: Session,
    platform: str,
    removals: Sequence[Removal],
    pseudonym_key: bytes,
    now: datetime,
) -> None:
    """Delete what ``removals`` (from _fold) name, readings and rejected items with it.

    Of each post a proof stays, which names it to nobody without the key.
    """
    if not removals:
        return
    posts = {removal.uri: removal.reason for removal in removals if removal.scope == "post"}
    accounts = {removal.uri: removal.reason for removal in removals if removal.scope == "account"}
    erased: list[tuple[str, str]] = []
    gone = delete(Post).where(Post.platform == platform).returning(Post.uri)
    if posts:
        uris = bindparam("uris", list(posts), ARRAY(Text))
        erased += [(uri, posts[uri]) for uri in session.scalars(gone.where(Post.uri == any_(uris)))]
    if accounts:
        theirs = or_(*(Post.uri.startswith(prefix, autoescape=True) for prefix in accounts))
        for uri in session.scalars(gone.where(theirs)):
            prefix = next(prefix for prefix in accounts if uri.startswith(prefix))
            erased.append((uri, accounts[prefix]))
    session.add_all(
        Erasure(uri_sha256=erased_name(pseudonym_key, platform, uri), reason=_clean(reason), at=now)
        for uri, reason in erased
    )
    _forget_rejects(session, removals)


def _store(
    session: Session,
    source: Source,
    posts: Sequence[NewPost],
    platform: str,
    pseudonym_key: bytes,
    now: datetime,
) -> int:
    """Insert posts that are not there yet; how many that were."""
    if not posts:
        return 0
    rows = []
    for post in posts:
        at = _posted_at(post.posted_at, now)
        rows.append(
            {
                "source_id": source.id,
                "platform": platform,
                "uri": post.uri,
                "author": pseudonym(pseudonym_key, platform, post.author, at),
                "text": post.text,
                "lang": post.lang and _clean(post.lang),
                "url": post.url and _clean(post.url),
                "reply_to": post.reply_to and _clean(post.reply_to),
                "posted_at": at,
                "collected_at": now,
            }
        )
    new = insert(Post).on_conflict_do_nothing(index_elements=["platform", "uri"])
    return len(session.scalars(new.returning(Post.id), rows).all())


def _posted_at(at: datetime | None, now: datetime) -> datetime:
    """When a post was made; now, where the platform gives no date or an impossible one."""
    if at is None or not EARLIEST <= at <= now + CLOCK_SKEW:
        return now
    return at


def _clean(text: str) -> str:
    """Text that PostgreSQL can hold: no NUL, and lone halves of surrogate pairs replaced."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\x00", "")


def record_failure(
    session: Session, source: Source, fault: SourceFaultError, now: datetime
) -> None:
    """Note that ``source`` cannot be read, once per outage and sentence, and put off its next poll.

    The wait is as long as the outage has lasted (so it doubles), or as the source asked.
    """
    sentence = _clean(str(fault))
    event = last_event(session, source, FAILING)
    if event is None or (event.kind, event.detail) != ("failed", sentence):
        session.add(SourceEvent(source_id=source.id, kind="failed", detail=sentence, at=now))
        session.flush()
    if fault.final:
        pause(session, source, None, sentence, now)
    if source.kind not in STREAMED_KINDS:
        lasted = now - _failing_since(session, source, now)
        wait = min(max(lasted, MIN_BACK_OFF), MAX_BACK_OFF)
        source.next_poll_at = now + max(wait, fault.retry_in or wait)
        session.flush()


def _failing_since(session: Session, source: Source, now: datetime) -> datetime:
    recovered = select(func.max(SourceEvent.id)).where(
        SourceEvent.source_id == source.id, SourceEvent.kind == "recovered"
    )
    since = session.scalar(
        select(func.min(SourceEvent.at)).where(
            SourceEvent.source_id == source.id,
            SourceEvent.kind == "failed",
            SourceEvent.id > func.coalesce(recovered.scalar_subquery(), 0),
        )
    )
    return since or now
