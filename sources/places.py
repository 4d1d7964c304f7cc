"""Places of the United States that a watch can name: states, counties and cities.

Cities come from the ZIP codes of the package zipcodes, counties and states from the Census Bureau's
list of 2020 beside this file. Connecticut therefore has its eight counties, which people still
write, and not the planning regions that took their place in federal statistics in 2022. Parishes,
boroughs, municipios and independent cities are counties here.

Nothing is read before the first call; then everything stays in memory. States and counties are read
in milliseconds; cities, and what finds places by their names, take seconds.
"""

import csv
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from heapq import nsmallest
from importlib.resources import files
from itertools import product
from typing import Literal

import zipcodes  # type: ignore[import-untyped, unused-ignore]

Kind = Literal["state", "county", "city"]

MAX_QUERY = 80  # characters; the longest name shown has 54
# A city's name alone means the city only when people leave the state out. Both numbers were set by
# reading the names they let through: with fewer ZIP codes come hamlets called Ordinary or Friend.
KNOWN_ZIPS = 3
KNOWN_TIMES = 10  # as many ZIP codes as the next state's city of that name

# What the list of 2020 has wrong or twice, after the Census Bureau's notes on changes to counties.
GONE_COUNTIES = {"02261", "51515"}  # Valdez-Cordova was divided in 2019, Bedford city joined 2013
NAMES_FIRST = {
    "02063": ("Chugach Census Area",),  # is missing: the other part of Valdez-Cordova
    "02195": ("Petersburg Borough",),
    "36061": ("New York County",),
    "36085": ("Richmond County",),
    "46102": ("Oglala Lakota County",),
}

COUNTY_KIND = re.compile(
    r" (County|Parish|Census Area|City and Borough|Borough|Municipality|Municipio|Island District"
    r"|District|city)$"
)
TOWN_KINDS = {"city", "City and Borough", "Municipality", "Municipio", "Island District"}
WORD = re.compile(r"[^\W_]+")
MARKS_WITHIN = str.maketrans("", "", "'’.")  # O'Fallon and D.C. are one word
VOWELS = frozenset("aeiouy")
SHORT_FOR = {"st": "saint", "ste": "sainte", "ft": "fort", "mt": "mount"}
LONG_FOR = {long: short for short, long in SHORT_FOR.items()}

# Postal codes that are words. The first are never read without capitals, the others need a comma.
WORD_POSTALS = {"as", "hi", "in", "me", "ok", "or"}
COMMA_POSTALS = {"al", "co", "de", "id", "la", "oh"}

# How newspapers shorten a state after a city (Associated Press style); the other states are whole.
_PRESS = """
    AL=ala AZ=ariz AR=ark CA=calif CO=colo CT=conn DE=del DC=d.c FL=fla GA=ga IL=ill IN=ind KS=kan
    KY=ky LA=la MD=md MA=mass MI=mich MN=minn MS=miss MO=mo MT=mont NE=neb NV=nev NH=n.h NJ=n.j
    NM=n.m NY=n.y NC=n.c ND=n.d OK=okla OR=ore PA=pa RI=r.i SC=s.c SD=s.d TN=tenn VT=vt VA=va
    WA=wash WV=w.va WI=wis WY=wyo
"""
PRESS_STYLE = dict(pair.split("=") for pair in _PRESS.split())

# Names that well-known cities share with words and people: alone they say nothing.
_SHARED = """
    aloha, apex, austin, barrow, beaumont, bethesda, billings, boulder, boyers, brea, buffalo,
    carmichael, casper, charlotte, cocoa, davie, denton, destin, duarte, dulles, easley, fargo,
    flint, flushing, gallup, garland, gary, herndon, holiday, hoover, humble, huntington, indio,
    irvine, irving, jupiter, katy, kenner, klein, lacey, lehi, lehman, lincoln, lutz, macon,
    madison, merriam, mesa, mobile, montgomery, moraine, newnan, nya, paterson, phoenix,
    providence, pueblo, savannah, searcy, shoreline, southeastern, spring, stockton, tok, tyler,
    vab, volo, westbury, whittier, willoughby, beach park, bedford park, bell gardens, blue ash,
    bull valley, canyon country, cherry hill, cherry hills, commerce city, cooper city,
    crystal river, el monte, el toro, elk grove, essex junction, federal way, gold canyon,
    great neck, gulf breeze, hunt valley, jersey shore, lady lake, lake la, lake los angeles,
    little canada, maple grove, new haven, north port, oakland park, ocean springs,
    olympia heights, parcel return service, park row, pigeon forge, plant city, prairie village,
    quail valley, queen creek, red hook, rural hall, saint paul, scotts valley, show low,
    south bend, south miami, state college, stone mountain, sugar creek, sugar land, the lakes,
    the villages, the woodlands, tom bean, university place, valley forge, valley village,
    west hills, westlake village, young america
"""
SHARED_NAMES = frozenset(name.strip() for name in _SHARED.split(","))
# Around such a name these make it the city's again.
CITY_CUES = (
    "city of {}",
    "downtown {}",
    "{} city council",
    "{} city hall",
    "{} mayor",
    "{} police",
)
# Names that they share with places abroad, or with a state: these cues say nothing either.
_ELSEWHERE = """
    babylon, birmingham, darmstadt, dartmouth, emmaus, greece, jamaica, mandeville, margate,
    melbourne, naples, norfolk, palatine, ponce, santurce, stamford, suffolk, syracuse, toledo,
    vancouver, washington, weymouth, worcester, york, kew gardens, new brunswick, panama city,
    port arthur, saint petersburg, san fernando, san gabriel, san jacinto, san jose, san juan,
    santa ana, virgin islands
"""
NAMES_ELSEWHERE = frozenset(name.strip() for name in _ELSEWHERE.split(","))

# Names of towns that are everyday words or common first names. Next to the name of their state
# they still mean the word more often than the town ("no hope for Arkansas").
_EVERYDAY = """
    academy accident advance agency alex alice alliance alpha andrew angeles anna anthony arab
    arena art ash atlas ball banks bass bay bear beauty bell belt bent best between bishop black
    blue bond boring boss branch brick bureau busy cable camp campus cannon carbon carl cash
    castle cave center central century challenge champion chance chapel charity chase check
    christmas circle clear coin colony comfort commerce community concrete congress convent cook
    cool core cost cotton couch council cove crown crystal cuba dale daniel david dawn day deal
    dean defeated defiance deputy diamond dinosaur distant driver eagle earl early earth eastern
    economy edward effort elizabeth emily empire energy english enterprise equality era ever
    excel exchange extension faith falls farmers fate felt field fields finger flat flower fly
    force ford forest fork fox frame freedom friend friendly friendship gap garden gas gate
    gates gay george given golden golf grace grant gray green grove gulf guy hall happy harmony
    harvest haven hazard henry highway hill hills home honor hooker hope house hunt hunter hurt
    imlay imperial independence index industrial industry institute intercourse interior iron
    island issue jack jacob jane jean jeff jet joseph joy junction junior justice justin keith
    kevin king kings lake lane large laura lead learned leon levels liberal liberty library
    light likely loco loyal luck magazine man manor many margaret marine mark martin mary
    matthew max may media mercury michael middle miles mills mineral mission mode model monument
    moon mountain nancy nice noble normal north northwest novelty oak oasis oblong ocean odd
    okay only orange ordinary organ oscar pace page palm paradise parish park parks patrick paul
    peak pearl peculiar peninsula philip pilot pine pioneer plain plains point points pool pope
    post powers pray premier price pride prince protection public purchase quality queen quick
    range raven ray reading reform register relief remote republic rescue reserve rice rich
    ridge rifle rio river robert rock roll rose royal rule rush sarah secretary section shadow
    shell shock silver simon sisters snow soldier solo southwest speed spring springs stamps
    standard star start stone stop story street strong success summit sun superior supply
    surprise sweet sydney talent tea tell temple tiger tool tower trade trail transfer trees
    triumph true tunnel turkey union united unity universal university urban utopia valentine
    valley veteran victor victory village virgin wall walls war ward warrior waters waves
    welcome west western white winner winter wolf wood woods worth yards young
"""
_EVERYDAY_PAIRS = "big rock, fair play, free union, last chance, new deal, red lion, white house"
EVERYDAY_WORDS = frozenset([*_EVERYDAY.split(), *_EVERYDAY_PAIRS.split(", ")])
AMBIGUOUS = SHARED_NAMES | NAMES_ELSEWHERE | EVERYDAY_WORDS


@dataclass(frozen=True, slots=True)
class Place:
    """One place: ``code`` is "26", "26163" or "26163/Detroit", ``fips`` its state's or county's."""

    code: str
    name: str  # as a person reads it: "Detroit, MI — Wayne County"
    kind: Kind
    fips: str
    state: str  # postal code


@dataclass(frozen=True, slots=True)
class PlacePhrases:
    """What in a post means one place. Phrases are NFKC, casefolded, with single blanks.

    All count between word boundaries, and not where they lie inside one of ``not_within``
    ("virginia" in "west virginia"). ``sure`` phrases name the place by themselves. Those of
    ``with_state`` count only when the post also says one of ``state_names``, or ``postal`` in
    capitals as a word of its own (in a post all in capitals "IN" and "OR" say nothing).
    """

    sure: frozenset[str]
    with_state: frozenset[str]
    state_names: frozenset[str]
    postal: str
    not_within: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Entry:
    place: Place
    bare: tuple[str, ...]  # names without any "county": Detroit, Baltimore, Michigan
    full: tuple[str, ...]  # names with it: Wayne County, Orleans Parish
    names: tuple[str, ...]  # plain, and for a county also without its kind
    size: int  # ZIP codes
    found_by: str  # plain words by which it is found, each with a blank before it


@dataclass(frozen=True, slots=True)
class _Atlas:
    entries: dict[str, _Entry]
    states: dict[str, tuple[str, ...]]  # names by postal code, the usual one first
    towns: dict[str, Counter[str]]  # plain name of a city: its ZIP codes in each state
    counties: dict[str, set[str]]  # plain full name of a county: the FIPS codes of all so called


def find_places(text: str, limit: int = 12) -> list[Place]:
    """At most ``limit`` places for what a person has typed so far, the best first.

    Every word typed must begin a word of the place, its state or its county. Exact names come
    before beginnings, states before the rest, larger places (by ZIP codes) before smaller ones.
    """
    entries = _atlas().entries
    code = text.strip()
    if code in entries:
        return [entries[code].place][:limit]
    words = _plain(text[:MAX_QUERY], last_word_whole=False)
    if not words or limit < 1:
        return []
    starts = [f" {word}" for word in words.split()]
    hits = list(entries.values())
    for start in sorted(starts, key=len, reverse=True):
        hits = [entry for entry in hits if start in entry.found_by]
    return [entry.place for entry in nsmallest(limit, hits, key=lambda e: _rank(e, words))]


def every_place() -> list[Place]:
    """All of them: states before the rest, larger places (by ZIP codes) before smaller ones."""
    entries = _atlas().entries.values()
    larger = sorted(entries, key=lambda e: (e.place.kind != "state", -e.size, e.place.code))
    return [entry.place for entry in larger]


def states_and_counties() -> list[Place]:
    """The states, the District of Columbia and the territories, then all counties; by name."""
    return sorted(_areas().values(), key=lambda one: (one.kind != "state", one.name))


def place_of(code: str) -> Place:
    """The place with this code; ValueError with one sentence where there is none."""
    place = _areas().get(code)
    if place is None and "/" in code and code in _atlas().entries:
        place = _atlas().entries[code].place
    if place is None:
        raise ValueError(f"No place in the United States has the code “{code[:MAX_QUERY]}”.")
    return place


@lru_cache(maxsize=4096)  # those that posts name come by again and again
def phrases_of(place: Place) -> PlacePhrases:
    """What in a post's text means ``place``; ValueError when it is no place of ours."""
    atlas = _atlas()
    entry = atlas.entries[place_of(place.code).code]
    state = atlas.entries[place.fips[:2]]
    state_names = {form for name in state.bare for form in _forms(name, hyphens=False)}
    sure: set[str] = set()
    with_state: set[str] = set()
    towns = entry.bare
    if place.kind == "state":
        with_state = {form for form in state_names if _plain(form) in NAMES_ELSEWHERE}
        sure = state_names - with_state
        sure |= {f for form in with_state for f in (f"{form} state", f"state of {form}")}
        towns = atlas.entries["11001"].bare if place.state == "DC" else ()
    for name in towns:
        forms = _forms(name)
        sure.update(f for form in forms for f in _beside_state(form, place.state, state_names))
        plain, known = _plain(name), _well_known(name, place.state)
        if known and plain not in AMBIGUOUS:
            sure |= forms
        elif plain not in EVERYDAY_WORDS | _state_words():
            with_state |= forms
        if known and plain in SHARED_NAMES:
            sure.update(cue.format(form) for form in forms for cue in CITY_CUES)
    for name in entry.full:
        forms = _forms(name, hyphens=False)
        sure.update(f for form in forms for f in _beside_state(form, place.state, state_names))
        if len(atlas.counties[_plain(name)]) == 1 and not name.endswith(" city"):
            sure |= forms
        else:
            with_state |= forms
    with_state -= sure
    # Neither "Washington" nor "Kansas City" by itself also names its state.
    state_names -= {s for s in state_names for w in with_state if f" {s} " in f" {w} "}
    longer = {name for of in (entry, state) for name in _longer_names(of)}
    return PlacePhrases(
        frozenset(sure),
        frozenset(with_state),
        frozenset(state_names),
        place.state,
        frozenset(longer - sure - with_state),
    )


def _rank(entry: _Entry, words: str) -> tuple[int, bool, int, int, str]:
    place = entry.place
    state = _atlas().entries[place.fips[:2]].names[0]
    told = [f"{name} {end}" for name in entry.names for end in (place.state.casefold(), state)]
    if words in entry.names or words in told:
        match = 0
    elif any(name.startswith(words) for name in told):
        match = 1
    else:
        match = 2
    order = ("state", "county", "city").index(place.kind)
    return match, place.kind != "state", -entry.size, order, place.code


def _well_known(name: str, state: str) -> bool:
    """Whether of all places with this bare name people mostly mean the city in ``state``."""
    plain = _plain(name)
    if plain in _state_words():
        return plain in map(_plain, _atlas().states[state])  # New York, Guam
    zips = _atlas().towns.get(plain, Counter())
    others = max((n for elsewhere, n in zips.items() if elsewhere != state), default=0)
    known = zips[state] >= max(KNOWN_ZIPS, KNOWN_TIMES * others)
    return known and not plain.endswith(" township")


def _beside_state(form: str, postal: str, state_names: Iterable[str]) -> Iterator[str]:
    """ "detroit", told apart from any other Detroit: "detroit, mi", "detroit michigan"."""
    for name in state_names:
        yield f"{form}, {name}"
        yield f"{form} {name}"
    if press := PRESS_STYLE.get(postal):
        yield f"{form}, {press}"
    code = postal.casefold()
    if code not in WORD_POSTALS:
        yield f"{form}, {code}"
        if code not in COMMA_POSTALS:
            yield f"{form} {code}"


def _longer_names(entry: _Entry) -> Iterator[str]:
    """Other places' names (for a state: mostly of other states) with one of its names inside."""
    own = {_plain(name) for name in entry.bare + entry.full}
    state = entry.place.state
    for name in own:
        named_with = min((_named_with().get(word, {}) for word in name.split()), key=len)
        for longer, sizes in named_with.items():
            inside = f" {name} " in f" {longer} " and longer not in own
            if inside and (entry.place.kind != "state" or 2 * sizes[state] < sizes.total()):
                yield from _forms(longer, hyphens=False)


@cache
def _named_with() -> dict[str, dict[str, Counter[str]]]:
    """For each word the plain names that have it, with their ZIP codes in each state."""
    names: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for entry in _atlas().entries.values():
        for name in map(_plain, entry.bare + entry.full):
            names[name][entry.place.state] += entry.size + 1
    by_word: defaultdict[str, dict[str, Counter[str]]] = defaultdict(dict)
    for name, sizes in names.items():
        for word in name.split():
            by_word[word][name] = sizes
    return dict(by_word)


@cache
def _state_words() -> frozenset[str]:
    return frozenset(_plain(name) for names in _atlas().states.values() for name in names)


@lru_cache(maxsize=4096)  # names of counties and states come by again and again
def _plain(name: str, *, last_word_whole: bool = True) -> str:
    """A name for comparing: no case, accents or punctuation, and "saint" for "St."."""
    folded = name.casefold()
    if not folded.isascii():
        folded = _without_accents(unicodedata.normalize("NFKC", folded)).casefold()
    words = WORD.findall(folded.translate(MARKS_WITHIN))
    whole = len(words) if last_word_whole else len(words) - 1
    return " ".join([SHORT_FOR.get(word, word) for word in words[:whole]] + words[whole:])


@lru_cache(maxsize=16_384)  # longer names are told of every place whose name is in them
def _forms(name: str, *, hyphens: bool = True) -> frozenset[str]:
    """How people write ``name``, in the matcher's normal form."""
    normal = " ".join(unicodedata.normalize("NFKC", name).casefold().split()).removesuffix(".")
    choices = [
        (long, short, f"{short}.") if (short := LONG_FOR.get(long := _plain(word))) else (word,)
        for word in normal.split()
    ]
    forms = {" ".join(words) for words in product(*choices)}
    forms |= {_without_accents(form) for form in forms}
    forms |= {form.replace(".", "") for form in forms if " " in form}
    forms |= {form.replace("'", mark) for form in forms for mark in ("’", "")}
    if hyphens:
        forms |= {form.replace("-", " ") for form in forms}
        forms |= {form.replace(" ", "-") for form in forms if form.count(" ") == 1}
    return frozenset(forms)


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    letters = unicodedata.normalize("NFD", text)
    return "".join(c for c in letters if not unicodedata.combining(c))


# Reading the two packages


@cache
def _areas() -> dict[str, Place]:
    """States and counties by their codes."""
    names, fips_of = _read_states()
    areas = {
        fips: Place(fips, names[postal][0], "state", fips, postal)
        for postal, fips in fips_of.items()
    }
    postal_of = {fips: postal for postal, fips in fips_of.items()}
    for fips, called in _read_counties(fips_of.values()).items():
        postal = postal_of[fips[:2]]
        areas[fips] = Place(fips, f"{called[0]}, {postal}", "county", fips, postal)
    return areas


@cache
def _atlas() -> _Atlas:
    states, fips_of = _read_states()
    counties = _read_counties(fips_of.values())
    atlas = _Atlas({}, states, defaultdict(Counter), defaultdict(set))
    for postal, state_fips in fips_of.items():
        here = {fips: names for fips, names in counties.items() if fips.startswith(state_fips)}
        sizes: Counter[str] = Counter()
        zips: Counter[tuple[str, str]] = Counter()  # of each city by county and plain name
        spelled: dict[tuple[str, str], str] = {}
        for fips, names in _zips_of(postal, here):
            sizes[fips] += 1
            for plain, name in names.items():
                zips[fips, plain] += 1
                # Saint Louis rather than St Louis
                spelled[fips, plain] = max(name, spelled.get((fips, plain), ""), key=len)
        _enter(atlas, _areas()[state_fips], states[postal], (), sizes.total())
        for fips, names_in_use in here.items():
            _enter_county(atlas, fips, names_in_use, postal, sizes[fips])
        for (fips, plain), size in zips.items():
            name, county = spelled[fips, plain], here[fips][0]
            title = f"{name}, {postal} — {county}"
            place = Place(f"{fips}/{name}", title, "city", fips, postal)
            _enter(atlas, place, (name,), (), size, found_by=_plain(county))
            atlas.towns[plain][postal] += size
    return atlas


def _enter_county(atlas: _Atlas, fips: str, names: tuple[str, ...], postal: str, size: int) -> None:
    bare = tuple(_stem(name) for name in names if _is_town_too(name, postal))
    full = tuple(name for name in names if COUNTY_KIND.search(name))
    for name in full:
        atlas.counties[_plain(name)].add(fips)
    _enter(atlas, _areas()[fips], bare, full, size)


def _enter(
    atlas: _Atlas,
    place: Place,
    bare: tuple[str, ...],
    full: tuple[str, ...],
    size: int,
    found_by: str = "",
) -> None:
    names = tuple(dict.fromkeys(map(_plain, (*bare, *full, *map(_stem, full)))))
    state = _plain(atlas.states[place.state][0])
    words = " ".join((*names, state, place.state.casefold(), found_by))
    atlas.entries[place.code] = _Entry(place, bare, full, names, size, f" {words}")


def _zips_of(
    postal: str, counties: dict[str, tuple[str, ...]]
) -> Iterator[tuple[str, dict[str, str]]]:
    """For each ZIP code of a state whose county is known: the county, and cities by plain name."""
    full = {_run_on(name): fips for fips, names in counties.items() for name in names}
    stems = {_run_on(_stem(name)): fips for fips, names in counties.items() for name in names}
    rows = zipcodes.filter_by(state=postal)  # type: ignore[no-untyped-call, unused-ignore]
    spelled = {row["city"]: _tidy(row["city"]) for row in rows}
    own = {city: _plain(name) for city, name in spelled.items()}
    firsts = set(own.values())
    keys = {county: _run_on(county) for county in {row["county"] for row in rows}}
    county_of = [full.get(key := keys[row["county"]]) or stems.get(key) for row in rows]
    seen = {r["city"]: Counter[str]() for r, f in zip(rows, county_of, strict=True) if not f}
    for row, fips in zip(rows, county_of, strict=True):
        if fips and row["city"] in seen:
            seen[row["city"]][fips] += 1
    for row, fips in zip(rows, county_of, strict=True):
        city = row["city"]
        # No county given, or one across the border: the county of the city's other ZIP codes, the
        # county named like the city, or the only one there is.
        if not fips and seen[city]:
            fips = seen[city].most_common(1)[0][0]
        fips = fips or stems.get(_run_on(city))
        if not fips and len(counties) == 1 and not row["county"]:
            (fips,) = counties
        if not fips:
            continue
        names = {own[city]: spelled[city]}
        # One firm or office has a UNIQUE code: what else it is called is its own name.
        if row["acceptable_cities"] and row["zip_code_type"] != "UNIQUE":
            names |= _other_names(row["acceptable_cities"], firsts, names)
        yield fips, names


def _other_names(cities: list[str], own: set[str], names: dict[str, str]) -> dict[str, str]:
    """Further cities of a ZIP code by plain name, without the post office's abbreviations."""
    others = {_plain(name): name for name in map(_tidy, cities)}
    known = [plain.split() for plain in (*names, *others)]
    return {
        plain: name
        for plain, name in others.items()
        if plain in own or not any(_abbreviates(plain.split(), longer) for longer in known)
    }


def _abbreviates(words: list[str], longer: list[str]) -> bool:
    """Whether ``words`` are the post office's short form of ``longer``, or of anything."""
    if any(not VOWELS.intersection(word) and word.isalpha() for word in words):
        return True
    return len(words) == len(longer) and words != longer and all(map(_shortens, words, longer))


def _shortens(short: str, word: str) -> bool:
    rest = iter(word)
    return short[0] == word[0] and all(letter in rest for letter in short)


def _tidy(city: str) -> str:
    """A city as people write it: the ZIP codes have "O Fallon", "Mc Neill" and "Mcallen"."""
    city = re.sub(r"\bMc ?([a-zA-Z])", lambda found: f"Mc{found[1].upper()}", city)
    return re.sub(r"\b([OD]) (?=[A-Z])", r"\1'", city)


def _read_states() -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """By postal code: each state's names, the usual one first, and its FIPS code."""
    names: dict[str, tuple[str, ...]] = {}
    fips_of: dict[str, str] = {}
    for row in _rows("us_states.csv"):
        names[row["postal"]] = (*names.get(row["postal"], ()), row["name"])
        fips_of[row["postal"]] = row["fips"]
    return names, fips_of


def _read_counties(states: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Names of each county by its FIPS code, the one in use first."""
    counties: dict[str, tuple[str, ...]] = dict(NAMES_FIRST)
    for row in _rows("us_counties.csv"):
        fips, name = row["statefp"] + row["countyfp"], row["name"]
        names = counties.get(fips, ())
        if row["statefp"] in states and fips not in GONE_COUNTIES and name not in names:
            counties[fips] = (*names, name)
    return counties


def _rows(file: str) -> list[dict[str, str]]:
    path = files("sources") / file
    with path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _stem(county: str) -> str:
    """What a county is called without its kind: "Wayne", "Bronx"."""
    return COUNTY_KIND.sub("", county).removeprefix("the ")


def _is_town_too(county: str, postal: str) -> bool:
    """Whether people call this county by its bare name, as they do a town or an island."""
    kind = COUNTY_KIND.search(county)
    return kind is None or kind[1] in TOWN_KINDS or (kind[1] == "Borough" and postal == "NY")


def _run_on(county: str) -> str:
    """A county's name for finding it, so that LaSalle and La Salle are one."""
    turned = re.sub(r"^(City and Borough|Municipality) of (.+)$", r"\2 \1", county)
    return _plain(turned).replace(" ", "")
