"""The crux of sources/: collectors yield batches, and each batch is saved whole or not at all."""

import hashlib
import logging
import random
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Text, any_, bindparam, delete, func, select
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
    Return,
    SourceFaultError,
)
from sources.matching import Matcher, Said
from sources.models import (
    POLLED_KINDS,
    STREAMED_KINDS,
    PassingPost,
    Post,
    PostWatch,
    RejectedItem,
    Source,
    SourceEvent,
    SourceHour,
)
from sources.policy import Policies
from sources.pseudonyms import linked_name, pseudonym
from sources.purge import REWORDED, Purger, account_prefix
from sources.register import FAILING, is_paused, last_event, move, pause
from sources.watches import PASSING, PASSING_TIME, Watches

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
JITTER = 0.1  # of a wait, at most: what failed together must not come back together

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Intake:
    """What every source is read with.

    ``alarming`` is a quick look at a text that no watch asks for: where it says yes, the post is
    kept until it has been read with care.
    """

    purger: Purger
    policies: Policies
    watches: Watches
    alarming: Callable[[str], bool]


def collect(
    sessions: sessionmaker[Session],
    source_id: int,
    collector: Collector,
    *,
    intake: Intake,
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
                        break
                    stored += save_batch(
                        session, source, batch, collector.platform, intake, clock()
                    )
    except SourceFaultError as fault:
        with sessions.begin() as session:
            record_failure(session, session.get_one(Source, source_id), fault, clock())
        if streamed:
            raise
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
    session: Session, source: Source, batch: Batch, platform: str, intake: Intake, now: datetime
) -> int:
    """Put a whole batch and its cursor into the caller's transaction. The number of posts stored.

    Safe to repeat: a post that is there stays as it is unless an edit says something else, and a
    removal of nothing removes nothing.
    """
    # Two sources of one platform may carry the same posts: taking turns beats a deadlock.
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"save {platform}"))))
    stored, posts = 0, []
    new: set[str] = set()
    for events in _fold(batch.items):
        listed = _not_listed_before(events.posts, source)
        stored += _save_events(session, source, events, listed, platform, intake, now)
        new |= listed
        posts += events.posts
    _count(session, source, len(new), stored, now)
    event = last_event(session, source, FAILING)
    if event is not None and event.kind == "failed":
        session.add(SourceEvent(source_id=source.id, kind="recovered", at=now))
    dates = [_posted_at(post.posted_at, now) for post in posts]
    newest = [batch.newest, source.newest_post_at, max(dates, default=None)]
    source.newest_post_at = max((min(at, now) for at in newest if at is not None), default=None)
    source.last_batch_at = now
    source.cursor = batch.cursor
    source.next_poll_at = None if batch.next_poll_in is None else now + _spread(batch.next_poll_in)
    if batch.moved_to:
        move(session, source, batch.moved_to, now)
    if batch.last:
        pause(session, source, None, "It has been read to its end.", now)
    session.flush()
    return stored


def _save_events(
    session: Session,
    source: Source,
    events: "_Events",
    new: set[str],
    platform: str,
    intake: Intake,
    now: datetime,
) -> int:
    """Do what one list of events says; ``new`` are the posts not listed before. Posts stored."""
    # What is older than its platform lets us keep would only come to go again.
    oldest = now - intake.policies[platform].keep
    young = [post for post in events.posts if _posted_at(post.posted_at, now) >= oldest]
    listed = source.kind in POLLED_KINDS
    erased = intake.purger.erased(session, platform, [post.uri for post in young], listed=listed)
    wanted, passing, unwanted = _sift(
        [post for post in young if post.uri not in erased],
        intake.watches.matcher(session),
        intake.alarming,
        platform,
        source.id,
    )
    _set_aside(session, source, events.rejects, now)  # before the removals, which take some away
    _remove(session, platform, [*events.removals, *unwanted], intake, now)
    _remove(session, platform, _reworded(session, platform, wanted), intake, now)
    intake.purger.return_accounts(session, platform, events.returns, now)
    stored = _store(session, source, wanted, platform, intake.purger, now)
    edited = [post.uri for post in events.posts if post.edit]
    passing = [post for post in passing if post.uri in new]
    _let_pass(session, source, passing, edited, platform, now)
    return stored


def _not_listed_before(posts: Sequence[NewPost], source: Source) -> set[str]:
    """The uris that count as read now: a feed or a listing shows the same posts at each look.

    Not so a search that looks back: it goes through its pages once, the newest first.
    """
    listed = source.kind in POLLED_KINDS and source.kind != "bluesky-search"
    since = source.newest_post_at if listed else None
    return {
        post.uri
        for post in posts
        if since is None or (post.posted_at is not None and post.posted_at > since)
    }


@dataclass(frozen=True, slots=True)
class _Events:
    """What is left when items have happened one after the other.

    Removals, then returns, then posts may run as lists: a post that a later item removed is gone
    from ``posts``, one that stayed came after every removal that names it.
    """

    posts: list[NewPost]
    removals: list[Removal]
    returns: list[str]  # prefixes of accounts
    rejects: list[Rejected]


def _fold(items: Sequence[Item]) -> Iterator[_Events]:
    """The items of a batch as few lists of events, which must happen in their order.

    One list nearly always. A post whose account is hidden in the same batch ends a list, because
    it must be there to be hidden: it comes back when the account does.
    """
    posts: dict[str, NewPost] = {}
    removals: dict[tuple[str, str], Removal] = {}
    returns: dict[str, None] = {}
    rejects: list[Rejected] = []

    def events() -> _Events:
        return _Events(list(posts.values()), list(removals.values()), list(returns), rejects)

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
                prefix = account_prefix(_clean(item.uri))
                theirs = [uri for uri in posts if uri.startswith(prefix)]
                if theirs and item.for_now:
                    yield events()
                    posts, removals, returns, rejects = {}, {}, {}, []
                else:
                    for uri in theirs:
                        del posts[uri]
                returns.pop(prefix, None)
                known = removals.get(("account", prefix))
                if known is None or known.for_now:  # what is gone for good is not merely hidden
                    removals["account", prefix] = replace(item, uri=prefix)
            case Return():
                prefix = account_prefix(_clean(item.uri))
                returns[prefix] = None
            case Rejected():
                rejects.append(item)
    yield events()


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A post to be stored, and the watches that ask for it: none when its text alarms."""

    post: NewPost
    watches: frozenset[int]
    judged: frozenset[int]  # those of the watches that ask for a subject


def _sift(
    posts: Sequence[NewPost],
    matches: Matcher,
    alarming: Callable[[str], bool],
    platform: str,
    source_id: int,
) -> tuple[list[_Wanted], list[NewPost], list[Removal]]:
    """Posts to keep, posts to let pass, and removals of those that an edit made unwanted."""
    wanted: list[_Wanted] = []
    passing: list[NewPost] = []
    unwanted: list[Removal] = []
    for post in posts:
        if post.text or post.card:
            said = Said(post.text, platform, source_id, post.lang, post.card)
            watches = matches(said)
            if watches or alarming(post.text):
                wanted.append(_Wanted(post, watches, watches & matches.with_subject))
                continue
            passing.append(post)
        if post.edit:  # what it said before may be stored
            unwanted.append(Removal("post", post.uri, REWORDED))
    return wanted, passing, unwanted


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


def _reworded(session: Session, platform: str, wanted: Sequence[_Wanted]) -> list[Removal]:
    """A removal of each stored post whose edit is among ``wanted`` and has another text.

    Streams tell an edit again after each reconnect; a text that is there keeps its reading.
    """
    edits = {one.post.uri: one.post.text for one in wanted if one.post.edit}
    if not edits:
        return []
    uris = bindparam("uris", list(edits), ARRAY(Text))
    stored = select(Post.uri, Post.text).where(Post.platform == platform, Post.uri == any_(uris))
    return [
        Removal("post", uri, REWORDED)
        for uri, text in session.execute(stored)
        if text != edits[uri]
    ]


def _remove(
    session: Session, platform: str, removals: Sequence[Removal], intake: Intake, now: datetime
) -> None:
    """Do what ``removals`` (from _fold) say: erase, or hide where the policy lets posts return."""
    if not removals:
        return
    purger, returns = intake.purger, intake.policies[platform].returns
    posts: dict[str, str] = {}
    gone: dict[str, str] = {}
    hidden: dict[str, str] = {}
    for removal in removals:
        accounts = hidden if removal.for_now and returns else gone
        kind = posts if removal.scope == "post" else accounts
        kind[removal.uri] = _clean(removal.reason)
    purger.posts(session, platform, posts, now)
    purger.accounts(session, platform, gone, now)
    purger.hide_accounts(session, platform, hidden, now)


def _store(
    session: Session,
    source: Source,
    wanted: Sequence[_Wanted],
    platform: str,
    purger: Purger,
    now: datetime,
) -> int:
    """Insert posts that are not there yet; how many of them watches ask for.

    A post that another source brought before gains the watches that ask for it here, unless they
    ask for a subject: whether it speaks of that was judged when it was read. One that is hidden
    stays so, and learns what its author has made of it since.
    """
    hidden = purger.hidden(session, platform, [one.post.uri for one in wanted])
    for one in wanted:
        if one.post.uri in hidden and one.post.edit:
            purger.reword_hidden(session, platform, one.post.uri, one.post.text, one.post.card)
    wanted = [one for one in wanted if one.post.uri not in hidden]
    if not wanted:
        return 0
    rows = [
        _row(one.post, source, platform, purger.key, now) | {"alarming": not one.watches}
        for one in wanted
    ]
    new = insert(Post).on_conflict_do_nothing(index_elements=["platform", "uri"])
    ids = {uri: post_id for post_id, uri in session.execute(new.returning(Post.id, Post.uri), rows)}
    fresh = set(ids)
    if len(ids) < len(wanted):
        known = bindparam(
            "uris", [one.post.uri for one in wanted if one.post.uri not in ids], ARRAY(Text)
        )
        there = select(Post.id, Post.uri).where(Post.platform == platform, Post.uri == any_(known))
        ids |= {uri: post_id for post_id, uri in session.execute(there)}
    asked = [
        {"post_id": ids[one.post.uri], "watch_id": watch}
        for one in wanted
        if one.post.uri in ids
        for watch in sorted(one.watches if one.post.uri in fresh else one.watches - one.judged)
    ]
    if asked:
        session.execute(insert(PostWatch).on_conflict_do_nothing(), asked)
    return sum(one.post.uri in fresh and bool(one.watches) for one in wanted)


def _row(
    post: NewPost, source: Source, platform: str, pseudonym_key: bytes, now: datetime
) -> dict[str, Any]:
    at = _posted_at(post.posted_at, now)
    return {
        "source_id": source.id,
        "platform": platform,
        "uri": post.uri,
        "author": pseudonym(pseudonym_key, platform, post.author, at),
        "text": post.text,
        "card": post.card and _clean(post.card)[:MAX_TEXT_LENGTH],
        "lang": post.lang and _clean(post.lang),
        "url": post.url and _clean(post.url),
        "reply_to": post.reply_to and linked_name(pseudonym_key, platform, post.reply_to),
        "quote_of": post.quote_of and linked_name(pseudonym_key, platform, post.quote_of),
        "labels": [_clean(label) for label in post.labels],
        "posted_at": at,
        "collected_at": now,
        "checked_at": now,
    }


def _let_pass(
    session: Session,
    source: Source,
    passing: Sequence[NewPost],
    edited: Sequence[str],
    platform: str,
    now: datetime,
) -> None:
    """Hold the last posts that nobody asked for, so that a new watch can be tried on them.

    What the ``edited`` ones said before goes.
    """
    late = PassingPost.collected_at < now - PASSING_TIME
    newest = select(func.max(PassingPost.id)).scalar_subquery()
    session.execute(delete(PassingPost).where(late | (PassingPost.id <= newest - PASSING)))
    if edited:
        told = PassingPost.uri == any_(bindparam("uris", edited, ARRAY(Text)))
        session.execute(delete(PassingPost).where(PassingPost.platform == platform, told))
    if not passing:
        return
    rows = [
        {
            "source_id": source.id,
            "platform": platform,
            "uri": post.uri,
            "text": post.text,
            "card": post.card and _clean(post.card),
            "lang": post.lang and _clean(post.lang),
            "collected_at": now,
        }
        for post in passing[-PASSING:]
    ]
    session.execute(insert(PassingPost), rows)


def _count(session: Session, source: Source, seen: int, kept: int, now: datetime) -> None:
    """Add to the source's figures: in all, and in this hour."""
    source.seen += seen
    source.kept += kept
    hour = now.replace(minute=0, second=0, microsecond=0)
    added = insert(SourceHour).values(source_id=source.id, hour=hour, seen=seen, kept=kept)
    session.execute(
        added.on_conflict_do_update(
            index_elements=[SourceHour.source_id, SourceHour.hour],
            set_={
                "seen": SourceHour.seen + added.excluded.seen,
                "kept": SourceHour.kept + added.excluded.kept,
            },
        )
    )


def _spread(wait: timedelta) -> timedelta:
    return wait * random.uniform(1, 1 + JITTER)  # noqa: S311 (no secret hangs on it)


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
        source.next_poll_at = now + _spread(max(wait, fault.retry_in or wait))
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
