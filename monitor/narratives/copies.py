"""Copies of one text: wire copy and pasted text are one voice, however many accounts carry it.

Two texts are copies when they share most of their pairs of neighbouring words and do not state
different facts. A post's bands are keys that copies are very likely to have in common, so that
one query finds the few older posts worth comparing. Measured by ``python -m tests.bench.copies``:
word pairs find as many copies as runs of letters at a quarter of the cost, far more than the
embedding while they join fewer different texts, and all that a hash of equal texts finds.
"""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

import regex  # type: ignore[import-untyped, unused-ignore]
from rensa import RMinHash  # type: ignore[import-untyped, unused-ignore]
from sqlalchemy import BigInteger, Select, delete, literal, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from monitor.models import CopyBand, Meaning
from sources.db import unnested
from sources.models import Post

COPY_WINDOW = timedelta(days=7)  # a group of copies silent for longer takes no new ones
# Of the shared and unshared word pairs, how many must be shared, and how many at the least: five
# are six words in a row, and shorter texts ("love and prayers for you") are said by many on their
# own. Source: tests.bench.copies on CrisisLexT6.
SHARED_PART = 0.5
SHARED_PAIRS = 5
# Bands, of two hashes each: of texts that share half their pairs 76 in 100 meet in a band, of those
# that share 7 in 10, 97. More bands cost more than they find.
BANDS = 5
SEED = 1  # any, but the same in every process
MAX_MET = 16  # the latest posts looked at in one band: a slogan's band holds thousands
# A group is represented by this many posts a day, not by all: ten thousand copies cost no more
# than a few, and the group lives on when one of them is deleted. So many posts of COPY_WINDOW, or a
# few more, stand for it where meaning is searched, and for all posts of one short text.
KEEPERS = 4
KEEPER_TIME = timedelta(days=1)
COMPARED_CHARS = 10_000  # of a long article the beginning tells

_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_UNSEEN = regex.compile(r"[\p{Default_Ignorable_Code_Point}'’ʼ`´]+")
# What a copy is sent with, not what it says: links, names of accounts and how they are cited.
_CARRIED = regex.compile(
    r"(?:https?://|www\.)\S*|(?<!\w)(?:(?:via|rt|mt|h/t|cc)[:\s]+)?@[\w.\-]+:?", regex.I
)
# Scripts without spaces between words are compared letter by letter.
_WORD = regex.compile(
    rf"[{_SPACELESS}]\p{{M}}*+|[[\p{{L}}\p{{M}}\p{{N}}]--[{_SPACELESS}]]++", regex.V1
)
_NAME = regex.compile(r"(?<=[\p{Ll}\p{N},;]\s+[#(\"“]?)\p{Lu}[\p{L}\p{M}]++")
_CITING = frozenset({"rt", "mt", "via"})
_NUMBER_WORDS = frozenset(
    (
        *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
        *("twelve", "dozen", "dozens", "hundred", "hundreds", "thousand", "thousands"),
        *("million", "millions"),
    )
)


class Fingerprint:
    """What a text is compared by: its ``words`` in order, without case, signs, links and accounts.

    The words of ``" ".join(words)`` are the same again.
    """

    def __init__(self, text: str) -> None:
        self._text = text[:COMPARED_CHARS]
        self._stripped = _stripped(text)
        self.words = _words(self._stripped)
        self.pairs = frozenset(f"{first} {second}" for first, second in pairwise(self.words))

    @property
    def is_short(self) -> bool:
        """Whether many say this on their own: then nobody's text is a copy of another's."""
        return len(self.pairs) < SHARED_PAIRS

    @property
    def whole(self) -> str:
        """All of the text but for case and blanks, signs and links too."""
        return " ".join(unicodedata.normalize("NFKC", self._text).casefold().split())

    @cached_property
    def facts(self) -> frozenset[str]:
        """Those words that are numbers or names: needed for likely copies only, and dear."""
        numbers = {word for word in self.words if word.isdecimal() or word in _NUMBER_WORDS}
        return frozenset(self.words) & (numbers | _names(self._stripped))


def similarity(one: Fingerprint, other: Fingerprint) -> float:
    """The part of all word pairs that both have, from SHARED_PART to 1; 0 where no copy is seen.

    "3 dead in Moore" and "30 dead in Moore" are no copies: each has a number or a name the other
    lacks. A text that only lacks some, because it was cut off, still is one.
    """
    shared = len(one.pairs & other.pairs)
    union = len(one.pairs) + len(other.pairs) - shared
    if shared < SHARED_PAIRS or shared < SHARED_PART * union:
        return 0.0
    if one.facts.difference(other.words) and other.facts.difference(one.words):
        return 0.0
    return shared / union


class Copy(NamedTuple):
    """What one post is a copy of."""

    of: int  # the group of copies: the id of its first known post, its own if it is no copy
    # By meaning; not if KEEPERS others are that say the same, nor if it is unread or says nothing.
    searched: bool


def bands_of(print_: Fingerprint) -> list[int]:
    """The keys (signed, 64 bit) of a text, BANDS of them; none if it is too short to be copied."""
    if print_.is_short:
        return []
    minhash = RMinHash(num_perm=2 * BANDS, seed=SEED)
    minhash.update(list(print_.pairs))
    hashes = minhash.digest()
    pairs = zip(hashes[::2], hashes[1::2], strict=True)
    return sorted({(first << 32 | second) - 2**63 for first, second in pairs})


def key_of(whole: str) -> list[int]:
    """The key of a text that is too short to be copied; none if there is no text."""
    key = blake2b(whole.encode("utf-8", "replace"), digest_size=8, person=b"short").digest()
    return [int.from_bytes(key, signed=True)] if whole else []


def copies_of(
    session: Session,
    posts: Sequence[Post],
    now: datetime,
    embedder: str,
    unread: Collection[int] = (),
) -> dict[int, Copy]:
    """What each of these new posts is a copy of, by post id.

    A group's number is the id of its first known post and stays when that post is deleted. The
    posts must be stored; callers take turns. Looks at the posts of COPY_WINDOW and at the batch
    itself, in the order of the ids, with a fixed number of queries; keeps what later calls need.
    ``embedder``: the language model that searches by meaning. ``unread``: posts in languages it
    cannot read, which stand for no other there.
    """
    ordered = sorted(posts, key=lambda post: post.id)
    prints = {post.id: Fingerprint(post.text) for post in ordered}
    bands = {
        post.id: bands_of(prints[post.id])
        or key_of(prints[post.id].whole or Fingerprint(post.card or "").whole)
        for post in ordered
    }
    keepers = _Keepers(session, {band for some in bands.values() for band in some}, now, embedder)
    copies = {
        post_id: keepers.take(post_id, prints[post_id], of_post, post_id not in unread)
        for post_id, of_post in bands.items()
    }
    keepers.save()
    return copies


def forget_old(session: Session, now: datetime) -> int:
    """Remove what is older than COPY_WINDOW and no longer looked at; how many rows that were."""
    old = session.execute(delete(CopyBand).where(CopyBand.read_at < now - COPY_WINDOW))
    return int(old.rowcount)  # type: ignore[attr-defined, unused-ignore]


@dataclass(frozen=True)
class _Keeper:
    post_id: int
    group_id: int
    read_at: datetime
    print: Fingerprint
    searched: bool  # by meaning


class _Keepers:
    """The posts that stand for their groups, as far as they meet a batch in a band."""

    def __init__(self, session: Session, bands: set[int], now: datetime, embedder: str) -> None:
        self._session = session
        self._now = now
        self._by_band: dict[int, list[_Keeper]] = {}
        self._new: list[tuple[int, _Keeper]] = []
        met = session.execute(_met(bands, now)).all() if bands else []
        ids = {row.post_id for row in met}
        texts = session.execute(_said(ids, embedder)).all() if ids else []
        known = {post_id: (Fingerprint(text), shown) for post_id, text, shown in texts}
        for row in met:
            if row.post_id not in known:  # purged between the two queries
                continue
            keeper = _Keeper(row.post_id, row.group_id, row.read_at, *known[row.post_id])
            self._by_band.setdefault(row.band, []).append(keeper)

    def take(self, post_id: int, print_: Fingerprint, bands: Sequence[int], readable: bool) -> Copy:
        """What one more post is a copy of; it becomes a keeper if its group needs one."""
        met = {k.post_id: k for band in bands for k in self._by_band.get(band, ())}
        met.pop(post_id, None)  # read once more, perhaps with another text
        near = [(similarity(print_, k.print), -k.group_id) for k in met.values()]
        alike, group_id = max(near, default=(0.0, 0))
        group_id = -group_id if alike else post_id
        # Whom a short text meets says the same, and is nevertheless no copy.
        same = [k for k in met.values() if print_.is_short or k.group_id == group_id]
        lately = sum(k.read_at > self._now - KEEPER_TIME for k in same)
        searched = readable and bool(bands) and sum(k.searched for k in same) < KEEPERS
        needed = lately < KEEPERS and bool(bands) and not print_.is_short
        if needed or searched:
            keeper = _Keeper(post_id, group_id, self._now, print_, searched)
            for band in bands:
                self._by_band.setdefault(band, []).append(keeper)
                self._new.append((band, keeper))
        return Copy(group_id, searched)

    def save(self) -> None:
        """Write the new keepers' bands."""
        if not self._new:
            return
        rows = unnested(
            band=(BigInteger, [band for band, _ in self._new]),
            post_id=(BigInteger, [keeper.post_id for _, keeper in self._new]),
            group_id=(BigInteger, [keeper.group_id for _, keeper in self._new]),
        )
        added = insert(CopyBand).from_select(
            ["band", "post_id", "group_id", "read_at"],
            select(*rows.c, literal(self._now)),
        )
        self._session.execute(
            added.on_conflict_do_update(
                index_elements=[CopyBand.band, CopyBand.post_id],
                set_={"group_id": added.excluded.group_id, "read_at": added.excluded.read_at},
            )
        )


def _met(bands: set[int], now: datetime) -> Select[tuple[int, int, int, datetime]]:
    """(band, post id, group id, read at) of the latest MAX_MET posts in each of these bands."""
    wanted = unnested(band=(BigInteger, sorted(bands)))
    latest = (
        select(CopyBand.post_id, CopyBand.group_id, CopyBand.read_at)
        .where(CopyBand.band == wanted.c.band, CopyBand.read_at >= now - COPY_WINDOW)
        .order_by(CopyBand.post_id.desc())
        .limit(MAX_MET)
        .lateral()
    )
    return select(wanted.c.band, *latest.c).join_from(wanted, latest, true())


def _said(posts: Collection[int], embedder: str) -> Select[int, str, bool]:
    """(post id, text, whether it is searched by meaning) of these posts."""
    by_it = (Meaning.post_id == Post.id) & (Meaning.embedder == embedder)
    found = select(Post.id, Post.text, Meaning.post_id.is_not(None)).outerjoin(Meaning, by_it)
    return found.where(Post.id.in_(posts))


def _stripped(text: str) -> str:
    text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text[:COMPARED_CHARS]))
    return str(_CARRIED.sub(" ", text)).rstrip()


def _words(stripped: str) -> list[str]:
    words: list[str] = _WORD.findall(unicodedata.normalize("NFKC", stripped.casefold()))
    if stripped.endswith("..."):
        del words[-1:]  # half a word, where the text was cut off
    start = 0
    while start < len(words) and words[start] in _CITING:
        start += 1
    return words[start:]


def _names(stripped: str) -> set[str]:
    """The capitalised words within sentences, folded; none in a headline where most words are."""
    names: list[str] = _NAME.findall(stripped)
    if len(names) > len(stripped.split()) / 2:
        return set()
    return {unicodedata.normalize("NFKC", name.casefold()) for name in names}
