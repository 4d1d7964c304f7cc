"""Places that a text names: of the list of the United States, and definite buildings and streets.

"The clinic" counts after "at" or "burn", or with its street; "a clinic" and "that place" do not.
The first call reads the gazetteer, for half a second; from then on it stays in memory.
"""

import re
from collections.abc import Iterator

from monitor.reading.cues import NAME, PLACE, _any, _re
from monitor.reading.gazetteer import WORD, gazetteer
from sources.places import WORD_POSTALS

Named = tuple[int, int, str, str]  # start, end, value, label

_THE = r"(?:the|that|this|their|his|her|your|our|its)"
_FEW = r"(?:(?!(?:of|in|on|at|to|for|with|and|or|but|that|is|are|was)\b)[\w'-]+ ){0,2}?"
# Of the cues' places those that stand still and can be found.
_LOOSE = r"(?:place|cars?|trucks?|vans?|bus|tents|windows?|doors?|neigh\w+)"
_BUILDING = rf"(?:house of worship|(?!{_LOOSE}\b){PLACE})\b"
_EVENT = _any("rally, march, parade, vigil, protest, demonstration, festival, concert")
_AT = _any(
    """at, in, into, inside, outside, near, by, behind, to, around, front of, burn, burn down,
    torch, bomb, firebomb, blow up, shoot up, set fire to, storm, raid, attack, hit, trash, smash,
    wreck, loot, surround, block, blockade, barricade, occupy"""
)
_STREET = r"(?:street|st|avenue|ave|road|rd|boulevard|blvd|drive|lane|ln|highway|hwy|parkway)\b"
_NUMBERED = r"\d{1,3}(?:st|nd|rd|th)"
_TAIL = rf"(?: (?:on|at|near) (?:the corner of )?(?:{_NUMBERED}|{NAME})(?: {_STREET})?)"
_EDIFICIO = _any(
    """iglesia, mezquita, sinagoga, templo, cl[ií]nica, hospital, escuela, biblioteca, oficina,
    tienda, mercado, estaci[oó]n, ayuntamiento, alcald[ií]a, juzgado, tribunal, comisar[ií]a,
    capitolio, casa, edificio, hotel, plaza, albergue, refugio, consulado, embajada, marcha,
    manifestaci[oó]n"""
)
# In a name of its own every word has small letters after a capital: not so in a text all capitals.
_PROPER = r"(?-i:[A-Z][a-z][\w'-]{1,30})"
DEFINITE = _re(
    rf"""(?<!\w)(?:
    (?:{_AT} )(?P<at>{_THE} {_FEW}(?:{_BUILDING}|{_EVENT}\b){_TAIL}?)
    |(?P<tail>{_THE} {_FEW}{_BUILDING}{_TAIL})
    |(?P<named>(?:(?!(?:{_THE}|an?|my|every|any|some|no|each|in|at|on|to|and|but|or|go|if|what|
    catholic|christian|high|middle|sunday|old|full)\b){_PROPER} ){{1,3}}
    (?=(?-i:[A-Z][a-z])){_BUILDING})
    |(?:en|a|al|contra|hacia|frente a|afuera de|fuera de|cerca de|quem\w{{1,4}}|incendi\w{{1,4}}|
    atac\w{{1,4}}|atentar contra) (?P<es>(?:(?:el|la|ese|esa|este|esta|su|nuestr[oa]) 
    )?(?<=[ aeo]){_EDIFICIO}\b(?: de la calle {NAME})?)
    |(?P<address>\d{{1,5}} (?:{_PROPER} |{_NUMBERED} ){{1,3}}{_STREET})
    |(?P<corner>corner of (?:{NAME}|{_NUMBERED})(?: {_STREET})? and (?:{NAME}|{_NUMBERED}))
    |(?:on|at|down) (?P<street>(?:{_PROPER}|{_NUMBERED}) {_STREET})
    |(?:en|por) (?:la )?(?P<calle>(?:calle|avenida) {_PROPER}(?: \d{{1,5}})?))"""
)
STREETS = ("address", "corner", "street", "calle")
POSTAL = re.compile(r"(, ?)?\b([A-Z]{2})\b")


def named_places(text: str) -> list[Named]:
    """Places of the list, and buildings and streets; a building takes the place in its name.

    The value is the FIPS code of a county or state, empty where the text tells none.
    """
    known = list(known_places(text))
    found = []
    for match in DEFINITE.finditer(text):
        kind = match.lastgroup or "at"
        start, end = match.span(kind)
        within = next((one for one in known if start <= one[0] and one[1] <= end), None)
        known = [one for one in known if one[1] <= start or end <= one[0]]
        label = "a street or address" if kind in STREETS else "a definite building or gathering"
        if within:
            label += f" ({within[3]})"
        found.append((start, end, within[2] if within else "", label))
    return [*known, *found]


def known_places(text: str) -> Iterator[Named]:
    """States, counties and cities named, the longest name first at each word."""
    sure, beside, longest = gazetteer()
    if text.isascii():
        low = text.lower()
    else:  # letter by letter, for "İ" in small letters is two
        low = "".join(one if len(one := c.lower()) == 1 else c for c in text)
    words = [match.span() for match in WORD.finditer(low)]
    hits: list[tuple[int, int, str]] = []
    at = 0
    while at < len(words):
        start, end = words[at]
        first = low[start:end]
        most = longest.get(first) or longest.get(_bare(first), 0)
        for last in range(min(at + most, len(words)) - 1, at - 1, -1):
            phrase = _bare(low[start : words[last][1]])
            if phrase in sure or phrase in beside:
                hits.append((start, start + len(phrase), phrase))
                at = last
                break
        at += 1
    states = {sure[name].state for *_, name in hits if name in sure and sure[name].kind == "state"}
    if not text.isupper():
        for match in POSTAL.finditer(text):
            if match.group(1) or match.group(2).casefold() not in WORD_POSTALS:
                states.add(match.group(2))
    for start, end, phrase in hits:
        near = [place for place in beside.get(phrase, ()) if place.state in states]
        place = sure.get(phrase) or (near[0] if near else None)
        if place:
            yield start, end, place.fips, place.name


def _bare(name: str) -> str:
    """Without the mark of whose something is."""
    return name.removesuffix("'s").removesuffix("’s")
