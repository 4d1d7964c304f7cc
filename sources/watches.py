"""Watches: what staff want to see, made and edited by people, tried before they are saved."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Select, func, select, union_all
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from sources import places
from sources.matching import Matcher, Rule, Said, normal_form
from sources.models import PassingPost, Post, PostWatch, Source, Watch, WatchVersion

PASSING = 10_000  # posts that a new watch can be tried on
PASSING_TIME = timedelta(hours=1)  # and how long a post that nobody asked for is held for that
MAX_PHRASES = 500  # in one watch
MAX_PHRASE_LENGTH = 100  # characters
MIN_PHRASE_LENGTH = 2  # a single letter is in every second post
EXAMPLES = 8


@dataclass(frozen=True, slots=True)
class Trial:
    """What a rule would have matched of the last posts read, kept or not."""

    matched: int
    of: int
    since: datetime | None  # when the oldest of them was read
    examples: Sequence[tuple[str, str]]  # (platform, text), the newest first


class Watches:
    """The matcher of all active watches, renewed when one of them changes."""

    def __init__(self) -> None:
        # Together, so that no thread takes one of them for another's.
        self._known: tuple[int, Matcher] = (-1, Matcher({}))

    def matcher(self, session: Session) -> Matcher:
        """The matcher as of now."""
        newest = session.scalar(select(func.coalesce(func.max(WatchVersion.id), 0))) or 0
        known, matcher = self._known
        if newest != known:
            matcher = Matcher(
                {version.watch_id: Rule.of(version.rule) for version in active(session)}
            )
            self._known = (newest, matcher)
        return matcher


def save_watch(
    session: Session,
    watch: Watch | None,
    name: str,
    rule: Rule,
    by: int | None,
    now: datetime,
) -> Watch:
    """Make a watch, or give ``watch`` a new version. ValueError: one sentence on what is wrong."""
    name = " ".join(name.split())
    if not name:
        raise ValueError("Give the watch a name.")
    if len(name) > MAX_PHRASE_LENGTH:
        raise ValueError(f"A name of more than {MAX_PHRASE_LENGTH} letters fits nowhere.")
    rule = checked(session, rule)
    _take_turns(session)
    twin = next((v for v in current(session) if v.name.casefold() == name.casefold()), None)
    if twin is not None and (watch is None or twin.watch_id != watch.id):
        raise ValueError(f"Another watch is called “{twin.name}”.")
    if watch is None:
        watch = Watch(created_at=now)
        session.add(watch)
        session.flush()
    _add_version(session, watch, name, rule, True, by, now)
    return watch


def put_away(session: Session, watch: Watch, by: int, now: datetime) -> None:
    """Ask for nothing more with this watch. What it has brought stays until its time is over."""
    newest = _newest(session, watch)
    if newest.active:
        _add_version(session, watch, newest.name, Rule.of(newest.rule), False, by, now)


def bring_back(session: Session, watch: Watch, by: int, now: datetime) -> None:
    """Let a watch that was put away ask again, as it did."""
    newest = _newest(session, watch)
    if not newest.active:
        _add_version(session, watch, newest.name, Rule.of(newest.rule), True, by, now)


def _take_turns(session: Session) -> None:
    """Until this transaction ends nobody else makes a version.

    So they are seen in the order of their ids: Watches knows by the last one that it is new.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("breakwater-watches"))))


def _newest(session: Session, watch: Watch) -> WatchVersion:
    """The newest version of a watch, another person's of a moment ago included."""
    _take_turns(session)
    session.refresh(watch, ["versions"])
    return watch.versions[-1]


def _add_version(
    session: Session,
    watch: Watch,
    name: str,
    rule: Rule,
    active: bool,
    by: int | None,
    now: datetime,
) -> None:
    watch.versions.append(
        WatchVersion(name=name, rule=rule.as_json(), active=active, by=by, at=now)
    )
    session.flush()


def checked(session: Session, rule: Rule) -> Rule:
    """The rule with each part in order. ValueError: one sentence on what cannot be asked for."""
    rule = replace(
        rule,
        any=_phrases(rule.any),
        all=_phrases(rule.all),
        none=_phrases(rule.none),
        places=tuple(dict.fromkeys(rule.places)),
        langs=tuple(dict.fromkeys(lang.strip().lower() for lang in rule.langs if lang.strip())),
        platforms=tuple(dict.fromkeys(rule.platforms)),
        sources=tuple(dict.fromkeys(rule.sources)),
        subject=" ".join(rule.subject.split()),
    )
    for code in rule.places:
        places.place_of(code)
    for lang in rule.langs:
        if not re.fullmatch(r"[a-z]{2,3}", lang):
            raise ValueError(f"“{lang}” is no language code; English is en, Spanish is es.")
    known = set(session.scalars(select(Source.id).where(Source.id.in_(rule.sources))))
    if not known.issuperset(rule.sources):
        raise ValueError("One of the sources is not on the register any more.")
    if len(rule.any) + len(rule.all) + len(rule.none) > MAX_PHRASES:
        raise ValueError(f"A watch holds at most {MAX_PHRASES} words and phrases.")
    if rule.everything:
        return Rule(everything=True)
    if not (rule.any or rule.all or rule.places or rule.platforms or rule.sources):
        if rule.subject:
            raise ValueError(
                "A subject alone would have the language model read every post there is. Give "
                "words, places, platforms or sources as well."
            )
        raise ValueError("Say what the watch should find: words, places, platforms or sources.")
    return rule


def _phrases(phrases: Sequence[str]) -> tuple[str, ...]:
    """Each phrase once, whatever its case. ValueError for one that no post can hold sensibly."""
    kept: dict[str, str] = {}
    for phrase in phrases:
        plain = " ".join(phrase.split())
        form = normal_form(plain)
        if not form:
            continue
        if len(form) > MAX_PHRASE_LENGTH:
            raise ValueError(f"“{plain[:40]}…” is too long for a phrase; take its telling part.")
        if len(form) < MIN_PHRASE_LENGTH and form.isascii():
            raise ValueError(f"“{plain}” is too short: it would be found nearly everywhere.")
        kept.setdefault(form, plain)
    return tuple(kept.values())


def current(session: Session) -> list[WatchVersion]:
    """The newest version of every watch, those put away included, in the order of making."""
    return list(
        session.scalars(
            select(WatchVersion)
            .ext(distinct_on(WatchVersion.watch_id))
            .order_by(WatchVersion.watch_id, WatchVersion.id.desc())
        )
    )


def active(session: Session) -> list[WatchVersion]:
    """The newest version of each watch that asks for something."""
    return [version for version in current(session) if version.active]


def harvest(session: Session, since: datetime) -> dict[int, int]:
    """By watch: the posts it asked for that were collected since then and are still here."""
    counted = (
        select(PostWatch.watch_id, func.count())
        .join(Post, Post.id == PostWatch.post_id)
        .where(Post.collected_at >= since)
        .group_by(PostWatch.watch_id)
    )
    return dict(session.execute(counted).all())


def try_out(session: Session, rule: Rule, examples: int = EXAMPLES) -> Trial:
    """What ``rule`` would have matched of the last PASSING posts read, whoever kept them.

    The subject is not judged here, that needs the language model: as many ``examples`` as it shall
    read are for the caller to judge.
    """
    matches = Matcher({0: rule})
    matched, of, since = 0, 0, None
    shown: list[tuple[str, str]] = []
    for said, at in _last_read(session):
        of, since = of + 1, at
        if matches(said):
            matched += 1
            if len(shown) < examples:
                shown.append((said.platform, said.text or said.card or ""))
    return Trial(matched, of, since, shown)


def _last_read(session: Session) -> Iterator[tuple[Said, datetime]]:
    """The last PASSING posts read and the moment of reading, the newest first.

    Each once, as it was last read: two streams tell of the same post, and one that passed may
    have been kept since.
    """
    # No older than what passed is held: else the share of what was kept would seem larger.
    since = select(func.min(PassingPost.collected_at)).scalar_subquery()
    both = union_all(_read_of(PassingPost), _read_of(Post)).subquery()
    newest_first = (both.c.collected_at.desc(), both.c.id.desc(), both.c.uri)
    told: set[tuple[str, str]] = set()
    for _, uri, platform, source_id, lang, card, text, at in session.execute(
        select(both)
        .where(both.c.collected_at >= func.coalesce(since, both.c.collected_at))
        .order_by(*newest_first)
    ):
        if len(told) == PASSING:
            return
        if (platform, uri) not in told:
            told.add((platform, uri))
            yield Said(text, platform, source_id, lang, card), at


def _read_of(
    table: type[PassingPost] | type[Post],
) -> Select[int, str, str, int, str | None, str | None, str, datetime]:
    """The last PASSING posts of one table."""
    return (
        select(
            *(table.id, table.uri, table.platform, table.source_id),
            *(table.lang, table.card, table.text, table.collected_at),
        )
        .order_by(table.collected_at.desc(), table.id.desc())
        .limit(PASSING)
    )
