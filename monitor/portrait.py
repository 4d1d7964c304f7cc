"""What the page of a narrative tells beside its title: a typical post, and where and when it went.

All of it comes from posts that still stand, but for the waves, which come from the hours as first
counted. A narrative may hold a hundred thousand posts: the database counts them, and only a bounded
number of texts is read.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session, joinedload

from monitor.cued import loaded
from monitor.graph import SILENCE_DAYS
from monitor.models import DANGEROUS_LEVEL, HourlyCount, Narrative, Reading
from monitor.titles import NOISE
from sources.matching import Matcher, Rule, Said, normal_form
from sources.models import Post
from sources.places import COUNTY_KIND, MARKS_WITHIN, SHORT_FOR, WORD, Place, find_places, place_of

WAVE_SILENCE = timedelta(days=SILENCE_DAYS)  # after which a story counts as ended (monitor.graph)
NEAREST = 200  # distinct texts, the most typical ones, among which a mild one is looked for
FACE_LETTERS = 30  # fewer letters ("so true", a link) tell nobody what a narrative says
# Posts in which places are looked for, spread over the whole narrative. A place that one post in
# ten names is then counted within three in a hundred (1.96 standard errors).
READ_FOR_PLACES = 500
PLACES = 5  # shown at most
PLACE_SHARE = 0.01  # of the posts read; a place that fewer name is not where a story plays
ALL_PLACES = 1_000_000  # more than there are
LAST_STATE = 78  # the largest FIPS code of a state or territory, the Virgin Islands

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LETTERS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Stop:
    """A platform on a narrative's way. Copies count as posts."""

    platform: str
    first_at: datetime
    posts: int
    accounts: int  # pseudonyms: an account counts again when its pseudonym has changed


@dataclass(frozen=True)
class Wave:
    """A time of activity before and after which there was silence; full hours, both included."""

    first: datetime
    last: datetime
    posts: int  # as first counted


@dataclass(frozen=True)
class Portrait:
    """A narrative as its page describes it."""

    typical: Reading | None  # with its post; None where no post is mild
    languages: list[tuple[str, int]]  # and posts, most first; UNKNOWN is one of them
    places: list[tuple[Place, int]]  # and posts among those read that name it, most first
    read_for_places: int  # posts: all, or a sample of them
    first: Reading | None  # the first appearance we know of, with its post; None: no post is left
    travel: list[Stop]  # in the order of first appearance
    waves: list[Wave]  # oldest first


def portrait(session: Session, narrative: Narrative) -> Portrait:
    """What there is to tell about a narrative, as of now."""
    places, read = _places(session, narrative)
    return Portrait(
        typical=_typical(session, narrative),
        languages=_languages(session, narrative),
        places=places,
        read_for_places=read,
        first=_first(session, narrative),
        travel=_travel(session, narrative),
        waves=_waves(session, narrative),
    )


def is_mild(reading: Reading) -> bool:
    """Whether a post may be shown as what others say too: not dangerous, and no loaded word in it.

    Hashtags and links are read as well, #BurnItDown as three words. Loads the post.
    """
    if reading.level >= DANGEROUS_LEVEL:
        return False
    words = _CAMEL.sub(" ", unicodedata.normalize("NFKC", reading.post.text))
    return not any(loaded(word) for word in _LETTERS.findall(normal_form(words)))


def mildest_face(nearest: Iterable[Reading]) -> Reading | None:
    """Of posts, the most typical first, the first mild one; None where none is.

    One that insults nobody (M0) goes before one that does (M1), one that says something before one
    that is hardly more than a link.
    """
    mild = [reading for reading in nearest if is_mild(reading)]
    return min(mild, key=lambda one: (_says_little(one.post.text), one.level), default=None)


def _says_little(text: str) -> bool:
    return sum(map(len, _LETTERS.findall(NOISE.sub(" ", text)))) < FACE_LETTERS


def _typical(session: Session, narrative: Narrative) -> Reading | None:
    distance = Reading.embedding.cosine_distance(narrative.centroid).label("distance")
    # Each text once: ten thousand copies of one unfit text must not hide all others.
    texts = (
        select(Reading.post_id, distance)
        .where(
            Reading.narrative_id == narrative.id,
            Reading.embedder == narrative.embedder,
            Reading.level < DANGEROUS_LEVEL,
        )
        .ext(distinct_on(Reading.copy_of))
        .order_by(Reading.copy_of, Reading.level, distance, Reading.post_id)
        .subquery()
    )
    query = (
        select(Reading)
        .join(texts, texts.c.post_id == Reading.post_id)
        .options(joinedload(Reading.post))
        .order_by(texts.c.distance, texts.c.post_id)
        .limit(NEAREST)
    )
    return mildest_face(session.scalars(query))


def _languages(session: Session, narrative: Narrative) -> list[tuple[str, int]]:
    posts = func.count().label("posts")
    rows = session.execute(
        select(Reading.lang, posts)
        .where(Reading.narrative_id == narrative.id)
        .group_by(Reading.lang)
        .order_by(posts.desc(), Reading.lang)
    )
    return [(lang, count) for lang, count in rows]


def _first(session: Session, narrative: Narrative) -> Reading | None:
    return session.scalar(
        select(Reading)
        .join(Reading.post)
        .where(Reading.narrative_id == narrative.id)
        .options(joinedload(Reading.post))
        .order_by(Post.posted_at, Post.id)
        .limit(1)
    )


def _travel(session: Session, narrative: Narrative) -> list[Stop]:
    first_at = func.min(Post.posted_at).label("first_at")
    rows = session.execute(
        select(Post.platform, first_at, func.count(), func.count(Post.author.distinct()))
        .join(Reading, Reading.post_id == Post.id)
        .where(Reading.narrative_id == narrative.id)
        .group_by(Post.platform)
        .order_by(first_at, Post.platform)
    )
    return [Stop(*row) for row in rows]


def _waves(session: Session, narrative: Narrative) -> list[Wave]:
    hours = session.execute(
        select(HourlyCount.hour, HourlyCount.posts)
        .where(HourlyCount.narrative_id == narrative.id, HourlyCount.posts > 0)
        .order_by(HourlyCount.hour)
    )
    waves: list[Wave] = []
    for hour, posts in hours:
        if waves and hour - waves[-1].last <= WAVE_SILENCE:
            before = waves.pop()
            waves.append(Wave(before.first, hour, before.posts + posts))
        else:
            waves.append(Wave(hour, hour, posts))
    return waves


def _places(session: Session, narrative: Narrative) -> tuple[list[tuple[Place, int]], int]:
    """The places most posts name, and how many posts were read for that."""
    # By a hash of the id, so that neither the first nor the last days speak for all, and a second
    # look reads the same posts.
    sample = (
        select(Reading.post_id)
        .where(Reading.narrative_id == narrative.id)
        .order_by(func.hashint8(Reading.post_id), Reading.post_id)
        .limit(READ_FOR_PLACES)
    )
    posts = session.execute(select(Post.text, Post.card).where(Post.id.in_(sample))).all()
    return places_named([(text, card) for text, card in posts])[:PLACES], len(posts)


def places_named(posts: Sequence[tuple[str, str | None]]) -> list[tuple[Place, int]]:
    """Places of the United States that posts (text, card) name, and how many do, most first.

    A place is named where a watch for it would find it (sources.matching). Where one name means
    several places of a state, the largest is told: New York and not its city, county, or York.
    """
    said = Counter(posts)
    least = PLACE_SHARE * len(posts)
    seen: Counter[str] = Counter()
    for (text, card), times in said.items():
        seen.update(dict.fromkeys(_words(f"{text} {card or ''}"), times))
    words = {word for word, times in seen.items() if times >= least}
    likely = [place for place, needed in atlas().items() if needed <= words]
    matcher = Matcher({n: Rule(places=(place.code,)) for n, place in enumerate(likely)})
    naming: dict[int, set[int]] = {}  # place → the texts that name it
    for n, (text, card) in enumerate(said):
        for place in matcher(Said(text, platform="", source_id=0, card=card)):
            naming.setdefault(place, set()).add(n)
    counts = list(said.values())
    found = [(n, sum(counts[text] for text in by)) for n, by in sorted(naming.items())]
    names = {n: _name(likely[n]) for n in naming}

    def is_another(n: int) -> bool:
        """Whether what was found is the name of another place, or a part of it."""
        return likely[n].kind != "state" and any(
            likely[n].state == likely[other].state
            and naming[n] <= by
            and (names[n] < names[other] or (names[n] == names[other] and other < n))
            for other, by in naming.items()
        )

    told = [(likely[n], posts) for n, posts in found if posts >= least and not is_another(n)]
    return sorted(told, key=lambda pair: -pair[1])


@cache
def atlas() -> Mapping[Place, frozenset[str]]:
    """Each place and the words without which no post names it, larger places of a state first.

    To ask a matcher for forty thousand places takes seconds to set up; these words leave a few. A
    state is looked for always: it has many names.
    """
    places: dict[Place, frozenset[str]] = {}
    for number in range(1, LAST_STATE + 1):
        try:
            state = place_of(f"{number:02}")
        except ValueError:  # a few numbers were never given
            continue
        for place in find_places(state.name, ALL_PLACES):
            if place.state == state.state:
                places[place] = frozenset() if place == state else frozenset(_name(place))
    return places


def _name(place: Place) -> set[str]:
    """The words of its bare name: "wayne" of "Wayne County, MI", "louis" of "St. Louis, MO"."""
    bare = COUNTY_KIND.sub("", place.name.partition(", ")[0])
    return _words(bare) - {*SHORT_FOR, *SHORT_FOR.values()}


def _words(text: str) -> set[str]:
    """The words of a text without case, accents and marks within, as sources.places sees them."""
    parted = unicodedata.normalize("NFKD", normal_form(text).translate(MARKS_WITHIN))
    return set(WORD.findall("".join(c for c in parted if not unicodedata.combining(c))))
