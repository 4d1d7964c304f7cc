"""What the page of a narrative tells beside its title: a typical post, and where and when it went.

All of it comes from posts that still stand, but for the waves, which come from the hours as first
counted. A narrative may hold a hundred thousand posts: the database counts them (counted),
and only a bounded number of texts is read (monitor.narratives.texts).
"""

import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from math import inf

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.models import DANGEROUS_LEVEL, Narrative, Reading
from monitor.narratives.counted import Counted, Stop, counted, sampled
from monitor.narratives.course import Hour
from monitor.narratives.graph import SILENCE_DAYS
from monitor.narratives.texts import Text, texts_in
from monitor.narratives.titles import NOISE
from monitor.reading.cued import loaded
from monitor.reading.slurs import slurs_in
from sources.matching import Matcher, Rule, Said, normal_form
from sources.models import Post
from sources.places import COUNTY_KIND, MARKS_WITHIN, SHORT_FOR, WORD, Place, find_places, place_of

WAVE_SILENCE = timedelta(
    days=SILENCE_DAYS
)  # after which a story counts as ended (monitor.narratives.graph)
NEAREST = 200  # distinct texts, the most typical ones, among which a mild one is looked for
FACE_LETTERS = 30  # fewer letters ("so true", a link) tell nobody what a narrative says
PLACES = 5  # shown at most
PLACE_SHARE = 0.01  # of the posts read; a place that fewer name is not where a story plays
ALL_PLACES = 1_000_000  # more than there are
LAST_STATE = 78  # the largest FIPS code of a state or territory, the Virgin Islands

_reading = threading.Lock()  # the places, once in a process
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LETTERS = re.compile(r"[^\W\d_]+")


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
    return portray(narrative, texts_in(session, narrative), counted(session, narrative))


def portray(narrative: Narrative, texts: Sequence[Text], told: Counted) -> Portrait:
    """The same from its texts and counts, which a page has for other things as well."""
    earliest = (text.earliest for text in texts)
    return Portrait(
        typical=_typical(narrative, texts),
        languages=told.languages,
        places=places_named(told.read)[:PLACES],
        read_for_places=len(told.read),
        first=min(earliest, key=lambda one: (one.post.posted_at, one.post_id), default=None),
        travel=told.travel,
        waves=_waves(told.hours),
    )


def places_of(session: Session, narrative: Narrative) -> list[Place]:
    """The places that most of a narrative's posts name, most named first."""
    query = select(Post.text, Post.card).where(Post.id.in_(sampled(narrative.id)))
    posts = [(text, card) for text, card in session.execute(query)]
    return [place for place, _ in places_named(posts)[:PLACES]]


def is_mild(reading: Reading) -> bool:
    """Whether a post may be shown as what others say too: not dangerous, no loaded word, no slur.

    Hashtags and links are read as well, #BurnItDown as three words. Loads the post.
    """
    if reading.level >= DANGEROUS_LEVEL:
        return False
    text = unicodedata.normalize("NFKC", reading.post.text)
    words = _CAMEL.sub(" ", text)
    if any(loaded(word) for word in _LETTERS.findall(normal_form(words))):
        return False
    return not (slurs_in(text) or slurs_in(words))


def mildest_face(nearest: Iterable[Reading]) -> Reading | None:
    """Of posts, the most typical first, the first mild one; None where none is.

    One that insults nobody (M0) goes before one that does (M1), one that says something before one
    that is hardly more than a link.
    """
    mild = [reading for reading in nearest if is_mild(reading)]
    return min(mild, key=lambda one: (_says_little(one.post.text), one.level), default=None)


def _says_little(text: str) -> bool:
    return sum(map(len, _LETTERS.findall(NOISE.sub(" ", text)))) < FACE_LETTERS


def _typical(narrative: Narrative, texts: Sequence[Text]) -> Reading | None:
    """The mild face among the texts nearest to the mean; each text counts once."""
    mild = [
        text.mildest
        for text in texts
        if text.mildest is not None and text.mildest.level < DANGEROUS_LEVEL
    ]
    return mildest_face(
        sorted(mild, key=lambda one: (_distance(one, narrative), one.post_id))[:NEAREST]
    )


def _distance(reading: Reading, narrative: Narrative) -> float:
    """The cosine distance to the mean; further than any where there is no vector."""
    one, mean = np.asarray(reading.embedding), np.asarray(narrative.centroid)
    lengths = float(np.linalg.norm(one) * np.linalg.norm(mean))
    return 1 - float(one @ mean) / lengths if lengths else inf


def _waves(hours: Sequence[Hour]) -> list[Wave]:
    waves: list[Wave] = []
    for one in hours:
        if not one.posts:
            continue
        if waves and one.hour - waves[-1].last <= WAVE_SILENCE:
            before = waves.pop()
            waves.append(Wave(before.first, one.hour, before.posts + one.posts))
        else:
            waves.append(Wave(one.hour, one.hour, one.posts))
    return waves


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
    likely = _likely(words)
    matcher = _matcher(tuple(place.code for place in likely))
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


@lru_cache(maxsize=256)  # many narratives name no place but their state
def _matcher(codes: tuple[str, ...]) -> Matcher:
    """Finds which of these places a post names, by their number here."""
    return Matcher({n: Rule(places=(code,)) for n, code in enumerate(codes)})


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


def _likely(words: set[str]) -> list[Place]:
    """The places all of whose words are among these, in the atlas's order."""
    with _reading:  # whoever comes while another reads waits, and does not read it too
        places, by_word = _by_word()
    found = set(by_word[""]).union(*(by_word[word] for word in words & by_word.keys()))
    return [place for n in sorted(found) if (place := places[n]) and atlas()[place] <= words]


@cache
def _by_word() -> tuple[list[Place], dict[str, list[int]]]:
    """The atlas's places, and for each word those that need it and no rarer one; "": no word."""
    places = list(atlas())
    common = Counter(word for needed in atlas().values() for word in needed)
    by_word: dict[str, list[int]] = {"": []}
    for n, place in enumerate(places):
        rarest = min(atlas()[place], key=lambda word: (common[word], word), default="")
        by_word.setdefault(rarest, []).append(n)
    return places, by_word


def _name(place: Place) -> set[str]:
    """The words of its bare name: "wayne" of "Wayne County, MI", "louis" of "St. Louis, MO"."""
    bare = COUNTY_KIND.sub("", place.name.partition(", ")[0])
    return _words(bare) - {*SHORT_FOR, *SHORT_FOR.values()}


def _words(text: str) -> set[str]:
    """The words of a text without case, accents and marks within, as sources.places sees them."""
    parted = unicodedata.normalize("NFKD", normal_form(text).translate(MARKS_WITHIN))
    return set(WORD.findall("".join(c for c in parted if not unicodedata.combining(c))))
