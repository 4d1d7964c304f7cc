"""The queue: what waits for a monitor's decision, the most dangerous first.

Ordered by danger level, what is certain before what may be; within a level by the age of the oldest
dangerous post that nobody has judged. What calls somebody at once goes before all else. What was
decided stands in the order in which it was, the newest first.

One query reads what waits and tells, for the page and for each saved view, whether it fits; the
danger of all of it is judged once.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Text,
    and_,
    cast,
    exists,
    false,
    func,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, joinedload

from monitor.coding.situations import danger_of_many
from monitor.flags.flags import awaits_second, calls, name_of
from monitor.models import Flag, FlagDecision, Narrative, Reading
from sources.db import among
from sources.models import PostWatch, Watch

# What a rise of a watch or a county comes to, whose situation nobody codes: the least and the most
# that the rules can give to messages of its level. A report comes to that much at least: the
# person who made it saw something that no rule did.
OF_LEVEL = {2: (1, 2), 3: (2, 3), 4: (3, 4)}
# Put in order at once. A desk with more open flags has another problem than their order; then the
# gravest by the machine's level alone are taken, and the page says so.
JUDGED = 1_000
SHOWN = 50  # on one page
LATELY = timedelta(days=1)  # of what was decided: a shift and the one before it

STATES = {
    "": "Open",
    "second": "Waits for a second look",
    "decided": "Decided in the last 24 hours",
    "all": "All of these",
}
SUBJECTS = {"narrative": Flag.narrative_id, "watch": Flag.watch_id, "place": Flag.place}


@dataclass(frozen=True)
class Sought:
    """What the queue is narrowed to; an empty field narrows nothing."""

    kind: str = ""  # narrative, watch, place or post
    level: int = 0  # the least danger level that it may come to, 1 to 4
    watch: int = 0
    place: str = ""  # FIPS of a county; of a state, all its counties
    platform: str = ""
    language: str = ""  # ISO 639-1
    source: str = ""  # machine or people
    state: str = ""  # a key of STATES
    crossed: bool = False  # told on more than one platform
    rises: bool = False  # no single posts, no reports
    # Ids of the flags that are on somebody's desk, with the person who decided others; and of
    # those that are left out.
    only: frozenset[int] | None = None
    by: int = 0
    without: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Waiting:
    """One flag in its place: how dangerous it is (a range while its situation is unknown), and by
    what the queue can be narrowed."""

    id: int
    low: int
    high: int
    provisional: bool
    since: datetime  # the oldest dangerous post that nobody has judged
    order: tuple[float, bool, int, int, datetime, int] = field(repr=False)
    platforms: tuple[str, ...]
    places: tuple[str, ...]  # FIPS codes of counties
    languages: tuple[str, ...]  # of the posts it names


@dataclass(frozen=True)
class Item(Waiting):
    """The same with the flag itself."""

    flag: Flag
    name: str


@dataclass(frozen=True)
class Survey:
    """What fits, in order, and how many fit each view."""

    waiting: list[Waiting]
    items: list[Item]  # those on the page
    begin: int = 0  # the place of the first of them
    counts: list[int] = field(default_factory=list)
    unjudged: int = 0  # more of it than JUDGED: so many were left out


def queue(session: Session, now: datetime, sought: Sought | None = None) -> list[Item]:
    """What fits, the most dangerous first; as many queries however long it is."""
    return survey(session, now, sought or Sought(), most=JUDGED).items


def survey(
    session: Session,
    now: datetime,
    sought: Sought,
    views: Sequence[Sought] = (),
    first: int = 0,
    most: int = SHOWN,
) -> Survey:
    """The queue as ``sought``, and how many of all flags fit each of ``views``.

    ``first`` and ``most``: from which place on and how many flags are read whole; a place beyond
    the end is the beginning.
    """
    asked = [sought, *views]
    either = or_(*({one.state: _in_state(one.state, now) for one in asked}.values()))
    found, unjudged = _read(session, now, asked, either)
    counts = [sum(fits[number] for _, fits in found) for number in range(1, len(asked))]
    if unjudged:  # what fits may be among those left out: only that, then
        found, unjudged = _read(session, now, [sought], and_(*_asked(sought, now)))
    fitting = (one for one, fits in found if fits[0])
    waiting = sorted(fitting, key=lambda one: one.order)
    begin = first if first < len(waiting) else 0
    items = _whole(session, waiting[begin : begin + most])
    return Survey(waiting, items, begin, counts, unjudged)


def platforms_of(waiting: Collection[Waiting]) -> list[str]:
    """The platforms on which what waits is told."""
    return sorted({name for one in waiting for name in one.platforms})


def languages_of(waiting: Collection[Waiting]) -> list[str]:
    """The languages of the posts that what waits names."""
    return sorted({name for one in waiting for name in one.languages})


def places_of(waiting: Collection[Waiting]) -> list[str]:
    """FIPS codes of the places that what waits names, and of their states."""
    named = {place for one in waiting for place in one.places}
    return sorted(named | {place[:2] for place in named})


def _read(
    session: Session, now: datetime, asked: Sequence[Sought], which: ColumnElement[bool]
) -> tuple[list[tuple[Waiting, list[bool]]], int]:
    """Flags with their danger, each with whether it fits what is asked; how many were left out.

    No flag is read whole: hundreds may wait, and a page shows few.
    """
    fits = [and_(true(), *_asked(one, now)).label(f"fits_{n}") for n, one in enumerate(asked)]
    rows = session.execute(
        select(
            *(Flag.id, Flag.kind, Flag.level, Flag.place, Flag.raised_at, Flag.posted_at),
            func.coalesce(Narrative.merged_into, Narrative.id).label("narrative"),
            FlagDecision.at.label("decided_at"),
            calls().label("calls"),
            Flag.about["platforms"].label("platforms"),
            Flag.about["places"].label("places"),
            _languages().label("languages"),
            func.count().over().label("of"),
            *fits,
        )
        .outerjoin(Flag.decision)
        .outerjoin(Flag.narrative)
        .where(which)
        .order_by(calls().desc(), Flag.level.desc(), Flag.id)
        .limit(JUDGED)
    ).all()
    told = {row.narrative for row in rows if row.narrative and row.kind != "life_safety"}
    dangers = danger_of_many(session, told, now)
    found = []
    for row in rows:
        low, high = OF_LEVEL[row.level]
        provisional = row.kind != "life_safety"
        if row.kind == "life_safety":
            low = high = 4
        elif row.narrative is not None:
            danger = dangers[row.narrative]
            least = (low, high) if row.kind == "report" else (0, 0)
            low, high = max(danger.low, least[0]), max(danger.high, least[1])
            provisional = danger.provisional
        since = row.posted_at or row.raised_at
        decided = -row.decided_at.timestamp() if row.decided_at else float("-inf")
        one = Waiting(
            id=row.id,
            low=low,
            high=high,
            provisional=provisional,
            since=since,
            order=(decided, not row.calls, -low, -high, since, row.id),
            platforms=tuple(row.platforms or ()),
            places=tuple(place for place, _ in row.places or ())
            + ((row.place,) if row.place else ()),
            languages=tuple(sorted(row.languages or ())),
        )
        fitting = row[-len(fits) :]
        found.append(
            (one, [bool(fit) and high >= of.level for fit, of in zip(fitting, asked, strict=True)])
        )
    return found, rows[0].of - len(rows) if rows else 0


def _whole(session: Session, waiting: Sequence[Waiting]) -> list[Item]:
    """The same with their flags, and what a page says of them."""
    few = (Narrative.title, Narrative.merged_into)  # the vectors of hundreds take long to read
    query = (
        select(Flag)
        .where(among(Flag.id, [one.id for one in waiting]))
        .options(
            joinedload(Flag.decision),
            joinedload(Flag.narrative).load_only(*few),
            joinedload(Flag.watch).selectinload(Watch.versions),
        )
    )
    flags = {flag.id: flag for flag in session.scalars(query)} if waiting else {}
    return [
        Item(**vars(one), flag=flags[one.id], name=name_of(flags[one.id]))
        for one in waiting
        if one.id in flags  # erased in this very moment
    ]


def _in_state(state: str, now: datetime) -> ColumnElement[bool]:
    """The columns of a flag's decision, outer joined, say that it is in a state of STATES."""
    if state == "all":
        return or_(*(_in_state(one, now) for one in STATES if one != "all"))
    if state == "second":
        return awaits_second()
    return FlagDecision.at > now - LATELY if state == "decided" else FlagDecision.id.is_(None)


def _asked(sought: Sought, now: datetime) -> list[ColumnElement[bool]]:
    """Everything but the danger level, of flags joined with their decision and narrative."""
    asked = [_in_state(sought.state, now)]
    if sought.kind == "post":
        asked += [Flag.kind != "spike", Flag.narrative_id.is_(None) | (Flag.kind == "life_safety")]
    elif sought.kind:
        column = SUBJECTS.get(sought.kind)
        asked.append(false() if column is None else column.is_not(None))
        asked.append(Flag.kind != "life_safety")
    if sought.source:
        by_people = Flag.kind == "report"
        asked.append(by_people if sought.source == "people" else ~by_people)
    if sought.rises:
        asked.append(Flag.kind == "spike")
    if sought.platform:
        asked.append(Flag.about["platforms"].has_key(sought.platform))
    if sought.crossed:
        asked.append(func.coalesce(Flag.about["crossed"].as_boolean(), False))
    if sought.place:
        begins = func.jsonb_build_object("fips", sought.place)
        named = func.jsonb_path_exists(
            Flag.about, text("'$.places[*] ? (@[0] starts with $fips)'"), begins, type_=Boolean
        )
        asked.append(or_(Flag.place.startswith(sought.place, autoescape=True), named))
    if sought.watch:
        seen = select(PostWatch.post_id).where(PostWatch.watch_id == sought.watch)
        asked.append(or_(Flag.watch_id == sought.watch, _some_post(Reading.post_id.in_(seen))))
    if sought.language:
        asked.append(_some_post(Reading.lang == sought.language))
    if sought.only is not None:
        asked.append(or_(among(Flag.id, sought.only), FlagDecision.by == sought.by))
    if sought.without:
        asked.append(~among(Flag.id, sought.without))
    return asked


def _some_post(fits: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether any post of a flag's narrative as it is now, or any that the flag names, fits."""
    stands = func.coalesce(Narrative.merged_into, Narrative.id)
    return or_(
        exists().where(Reading.narrative_id == stands, fits).correlate(Narrative),
        exists().where(Reading.post_id == _named(), fits).correlate(Flag),
    )


def _named() -> ColumnElement[int]:
    """The ids of the posts that a flag names as its reasons, as an array."""
    told = func.jsonb_path_query(Flag.reasons, text("'$[*].post_id ? (@ != null)'")).column_valued(
        "told"
    )
    return func.any(func.array(select(cast(told, BigInteger)).correlate(Flag).scalar_subquery()))


def _languages() -> ColumnElement[list[str]]:
    """The languages of the posts that a flag names."""
    langs = select(Reading.lang).where(Reading.post_id == _named()).distinct()
    return func.array(langs.correlate(Flag).scalar_subquery(), type_=ARRAY(Text))
