"""Taking posts out of everything: their words, readings and samples go; counts and a proof stay.

What hangs on a post in other rooms goes by ON DELETE CASCADE; what was made of several posts
together (a title, a mean vector) is mended by whoever made it, who is told beforehand.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.orm import Session

from sources.models import (
    Erasure,
    HiddenPost,
    PassingPost,
    Post,
    PostWatch,
    RejectedItem,
    Source,
)
from sources.pseudonyms import erased_name

REWORDED = "edited by its author"  # the one reason after which the same address comes back

# A post as Bluesky shows it: its account by DID, or by a handle, which we do not keep; its key.
BLUESKY_PAGE = re.compile(r"https://bsky\.app/profile/([^/?#]+)/post/([\w.~:-]+)/?(?:[?#].*)?")

# The columns that a post and a hidden post share.
CONTENT = tuple(
    column.key
    for column in HiddenPost.__table__.columns
    if column.key in Post.__table__.columns and column.key != "id"
)


@dataclass(frozen=True)
class Purger:
    """How posts leave. ``key`` makes the proofs; ``leaving`` is told their ids while they stand
    and answers which of them have been counted."""

    key: bytes
    leaving: Callable[[Session, Sequence[int]], Collection[int]]

    def posts(
        self,
        session: Session,
        platform: str,
        reasons: Mapping[str, str],
        now: datetime,
        by: int | None = None,
    ) -> int:
        """Take the posts named by the uris in ``reasons`` out of everything; how many there were.

        Each leaves an Erasure with its reason, and with ``by`` where a person did it. What is not
        there leaves nothing.
        """
        if not reasons:
            return 0
        uris = bindparam("uris", list(reasons), ARRAY(Text))
        return self._purge(
            session,
            platform,
            lambda table: table.uri == any_(uris),
            lambda uri: reasons[uri],
            list(reasons),
            now,
            by,
        )

    def accounts(
        self, session: Session, platform: str, reasons: Mapping[str, str], now: datetime
    ) -> int:
        """The same for all posts whose uri begins with a prefix in ``reasons``."""
        if not reasons:
            return 0
        return self._purge(
            session,
            platform,
            lambda table: _begins(table, reasons),
            lambda uri: next(why for prefix, why in reasons.items() if uri.startswith(prefix)),
            list(reasons),
            now,
        )

    def _purge(
        self,
        session: Session,
        platform: str,
        which: Callable[[type[Post] | type[HiddenPost] | type[PassingPost]], ColumnElement[bool]],
        reason: Callable[[str], str],
        names: Sequence[str],
        now: datetime,
        by: int | None = None,
    ) -> int:
        doomed = session.execute(
            select(Post.id, Post.uri)
            .where(Post.platform == platform, which(Post))
            .with_for_update()
        ).all()
        if doomed:
            ids = [post_id for post_id, _ in doomed]
            self.leaving(session, ids)
            session.execute(delete(Post).where(Post.id.in_(ids)))
        hidden = delete(HiddenPost).where(HiddenPost.platform == platform, which(HiddenPost))
        uris = {uri for _, uri in doomed} | set(session.scalars(hidden.returning(HiddenPost.uri)))
        passing = delete(PassingPost).where(PassingPost.platform == platform, which(PassingPost))
        passed = session.scalars(passing.returning(PassingPost.uri)).all()
        if by is not None:  # a post that nobody watched must not come back either
            uris |= set(passed)
        session.add_all(
            Erasure(
                uri_sha256=erased_name(self.key, platform, uri), reason=reason(uri), by=by, at=now
            )
            for uri in uris
        )
        session.flush()
        _forget_rejects(session, names)
        return len(uris)

    def hide_accounts(
        self, session: Session, platform: str, reasons: Mapping[str, str], now: datetime
    ) -> int:
        """Put all posts of accounts (uri prefixes) out of sight, so that they can come back."""
        if not reasons:
            return 0
        theirs = (Post.platform == platform, _begins(Post, reasons))
        held = session.execute(select(Post.id, Post.uri).where(*theirs).with_for_update()).all()
        if held:
            ids = [post_id for post_id, _ in held]
            counted = bindparam("counted", list(self.leaving(session, ids)), ARRAY(BigInteger))
            asked = (
                select(
                    func.coalesce(func.jsonb_agg(PostWatch.watch_id), cast(literal("[]"), JSONB))
                )
                .where(PostWatch.post_id == Post.id)
                .scalar_subquery()
            )
            for prefix, why in reasons.items():
                moved = select(
                    *(getattr(Post, name) for name in CONTENT),
                    *(asked, literal(why), literal(now), Post.id == any_(counted)),
                ).where(Post.id.in_(ids), Post.uri.startswith(prefix, autoescape=True))
                moved = moved.order_by(Post.id)  # as they come back
                session.execute(
                    insert(HiddenPost)
                    .from_select([*CONTENT, "watches", "reason", "hidden_at", "counted"], moved)
                    .on_conflict_do_nothing()
                )
            session.execute(delete(Post).where(Post.id.in_(ids)))
        session.execute(
            delete(PassingPost).where(
                PassingPost.platform == platform, _begins(PassingPost, reasons)
            )
        )
        _forget_rejects(session, list(reasons))
        return len(held)

    def return_accounts(
        self, session: Session, platform: str, prefixes: Sequence[str], now: datetime
    ) -> int:
        """Bring hidden posts of accounts back. They are read anew, and not counted again."""
        if not prefixes:
            return 0
        theirs = delete(HiddenPost).where(
            HiddenPost.platform == platform, _begins(HiddenPost, prefixes)
        )
        back = session.scalars(theirs.returning(HiddenPost)).all()
        for hidden in sorted(back, key=lambda one: one.id):
            values = {name: getattr(hidden, name) for name in CONTENT}
            post_id = session.scalar(
                insert(Post)
                .values(**values, checked_at=now, returned=hidden.counted)
                .on_conflict_do_nothing()
                .returning(Post.id)
            )
            if post_id is not None and hidden.watches:
                session.execute(
                    insert(PostWatch),
                    [{"post_id": post_id, "watch_id": watch} for watch in hidden.watches],
                )
        return len(back)

    def at_address(self, session: Session, address: str, why: str, by: int, now: datetime) -> int:
        """Take out what is kept of the post at a uri or a web address, as a person asked.

        How many posts that were. ValueError when the reason is missing or nothing is kept of it.
        """
        address, why = address.strip(), why.strip()
        if not why:
            raise ValueError("Say why it is removed, so that the log can.")
        found = {
            (platform, uri)
            for table in (Post, HiddenPost, PassingPost)
            for platform, uri in session.execute(
                select(table.platform, table.uri).where(_shown_at(table, address))
            )
        }
        accounts = {uri.split("/")[2] for _, uri in found if uri.startswith("at://")}
        if len(accounts) > 1:  # a handle and a key that several of them use
            raise ValueError(
                "Posts of several accounts end like that. Give the address that has the account's "
                "DID (did:…) in the place of its name."
            )
        removed = 0
        for platform, uri in sorted(found):
            removed += self.posts(session, platform, {uri: f"asked for: {why}"}, now, by)
        if not removed:
            raise ValueError("Nothing is kept of a post at that address.")
        return removed

    def erased(
        self, session: Session, platform: str, uris: Iterable[str], listed: bool
    ) -> set[str]:
        """Those of ``uris`` that were taken out and must not come back.

        What a person took out never does. What went for another reason does not either where it
        was ``listed``: a feed shows it at each look. A stream that tells of it means a new post.
        """
        proofs = {erased_name(self.key, platform, uri): uri for uri in uris}
        if not proofs:
            return set()
        names = bindparam("names", list(proofs), ARRAY(Text))
        found = select(Erasure.uri_sha256).where(
            Erasure.uri_sha256 == any_(names),
            or_(Erasure.by.is_not(None), and_(literal(listed), Erasure.reason != REWORDED)),
        )
        return {proofs[name] for name in session.scalars(found)}

    @staticmethod
    def reword_hidden(
        session: Session, platform: str, uri: str, text: str, card: str | None
    ) -> None:
        """Put what an author says now in the place of what a hidden post said."""
        theirs = update(HiddenPost).where(HiddenPost.platform == platform, HiddenPost.uri == uri)
        session.execute(theirs.values(text=text, card=card))

    @staticmethod
    def hidden(session: Session, platform: str, uris: Sequence[str]) -> set[str]:
        """Those of ``uris`` that are out of sight: told of again, they wait for their account."""
        told = bindparam("uris", list(uris), ARRAY(Text))
        held = select(HiddenPost.uri).where(HiddenPost.platform == platform)
        return set(session.scalars(held.where(HiddenPost.uri == any_(told)))) if uris else set()


def account_prefix(did: str) -> str:
    """What the address of every record of an AT Protocol account begins with."""
    return f"at://{did}/"


def _shown_at(
    table: type[Post] | type[HiddenPost] | type[PassingPost], address: str
) -> ColumnElement[bool]:
    """Whether a post has this uri, or is shown at this web address."""
    same = [table.uri == address]
    if not issubclass(table, PassingPost):  # which keeps no web address
        same.append(table.url == address)
    page = BLUESKY_PAGE.fullmatch(address)
    if page:
        # Anybody may give a post the key of another's: where we are told whose it is, it counts.
        account, key = page.groups()
        end = f"/app.bsky.feed.post/{key}"
        if account.startswith("did:"):
            theirs = table.uri == f"at://{account}{end}"
        else:
            theirs = table.uri.endswith(end, autoescape=True)
        same.append(and_(table.platform == "bluesky", theirs))
    return or_(*same)


def _begins(
    table: type[Post] | type[HiddenPost] | type[PassingPost], prefixes: Iterable[str]
) -> ColumnElement[bool]:
    return or_(*(table.uri.startswith(prefix, autoescape=True) for prefix in prefixes))


def _forget_rejects(session: Session, names: Sequence[str]) -> None:
    """Delete the rejected items that hold every part of an address (or its prefix) in ``names``.

    Its parts, because an event tells the account and the post's key apart. One too many does no
    harm. Feeds tell of no removals, and their items are large: they are not searched.
    """
    parts = [
        name.removeprefix("at://").removeprefix("reddit:").rstrip("/").encode().split(b"/")
        for name in names
    ]
    kept = select(RejectedItem.id, RejectedItem.raw).join(Source).where(Source.kind != "feed")
    doomed = [
        reject_id
        for reject_id, raw in session.execute(kept)
        if any(all(part in raw for part in address) for address in parts)
    ]
    if doomed:
        session.execute(delete(RejectedItem).where(RejectedItem.id.in_(doomed)))
