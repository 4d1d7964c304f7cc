"""Weapons and other means that a text names, in English and Spanish.

The line is drawn for precision. A firearm or a bomb counts by itself, unless an idiom holds it;
what lies in kitchen, shed or street (knife, hammer, matches, car) counts only when it is used
beside an act against somebody in the same sentence, or when people are told to bring it. A verb
alone names no means ("shoot them", "burn it down"): the act says that already.
"""

import re
from collections.abc import Iterator

from monitor.reading.cues import ACT_FORMS, WHERE, WHO, _any, _re

NEAR = 60  # characters between a tool and the act that makes it a weapon, in one sentence
MEANS = {
    "firearm": "a firearm",
    "blade": "a blade",
    "blunt": "something to strike or throw with",
    "fire": "fire",
    "explosive": "an explosive",
    "vehicle": "a vehicle",
    "chemical": "a chemical",
    "other": "another weapon",
}
Named = tuple[int, int, str, str]  # start, end, value, label

# By themselves weapons.
ARMS = {
    "firearm": r"""(?:hand|machine )?guns?, (?:sniper )?rifles?, shotguns?, pistols?, revolvers?,
        glocks?, firearms?, carbines?, ar-?15s?, ak-?47s?, (?-i:AR|AK)s, ammo, ammunition, bullets?,
        pistolas?, escopetas?, fusil(?:es)?, metralletas?, armas? de fuego, balas, a balazos,
        a tiros""",
    "blade": r"""machetes?, daggers?, switchblades?, bayonets?, navajas?, navajazos?, puñal(?:es)?,
        armas? blancas?""",
    "blunt": "brass knuckles, nightsticks?, billy clubs?",
    "fire": r"""molotov cocktails?, molotovs, (?<=\ba )molotov, (?<=\bthrow )molotov,
        firebombs?,
        c[oó]cteles molotov, c[oó]ctel molotov, bombas? molotov""",
    "explosive": r"""bombs?, pipe bombs?, grenades?, dynamite, explosives?, detonators?,
        (?-i:IED)s?, (?-i:C4), bombas?, granadas de mano, explosivos?, dinamita""",
    "chemical": "cyanide, ricin, anthrax, sarin, nerve gas, nerve agent, cianuro, [aá]ntrax",
    "other": "weapons?, crossbows?, noose, nooses, stun guns?, tasers?, armas",
}
# Of kitchen, shed and street: weapons only beside an act.
TOOLS = {
    "blade": """knife, knives, ax, axes?, hatchets?, swords?, box ?cutters?, razors?, scissors,
        screwdrivers?, chainsaws?, cuchillos?, hachas?, tijeras""",
    "blunt": r"""(?:baseball )?bats?, crowbars?, clubs?, tire irons?, bricks?, rocks?, stones?,
        pipes?, hammers?, sledgehammers?, bates?, palos?, piedras?, martillos?, ladrillos?""",
    "fire": """torch(?:es)?, gasoline, petrol, kerosene, lighter fluid, matches, lighters?,
        gasolina, antorchas?, f[oó]sforos""",
    "vehicle": """car, truck, van, pickup(?: truck)?, suv, bus, carro, coche, cami[oó]n,
        camioneta""",
    "chemical": "acid, bleach, poison, rat poison, bear spray, pepper spray, [aá]cido, veneno",
    "other": "rope, ropes, pitchforks?, arrows?, soga",
}
# Tools that nobody is told to bring in the plural but to a fight ...
BROUGHT = {
    "blunt": "bats, baseball bats, crowbars, clubs, bricks, rocks, bates, palos, piedras",
    "fire": "torches, gasoline, petrol, kerosene, antorchas, gasolina",
    "other": "pitchforks",
}
# ... and what is no weapon though it says so.
NO_ARMS = _re(
    r"""\b(?:(?:nail|glue|heat|water|squirt|spray|staple|massage|radar|toy|nerf|price|caulk(?:ing)?
    |tattoo|t-?shirt|paintball|airsoft|grease|top|smoking|young|big)[ -]guns?
    |guns? (?:control|laws?|rights?|shows?|owners?|ownership|debate|lobby|bans?|reform|safety
    |violence|policy|culture|shops?|stores?|down|n'? roses)
    |(?:jump\w{0,3}|under|spik\w{1,3}) the gun
    |son of a gun|stick(?:ing)? to (?:\w+ )guns|machine gun kelly
    |(?:call\w{0,3}|rid\w{1,3}|sit\w{0,4}) shotgun|shotgun (?:wedding|marriage|seat|a )
    |(?:silver|magic) bullets?|(?:dodg\w{1,3}|bit\w{0,3}|biting) (?:a|the|that) bullet
    |bullet(?:s of)? ?(?:points?|journal\w{0,3}|trains?|list\w{0,2}|holes?|vests?)|rifles? through
    |sex pistols|(?:f|photo|bath|seed|cherry|sex|truth|love|glitter|nuclear|atom(?:ic)?|hydrogen
    |time|stink|n)[ -]?bombs?|bombs? (?:shelters?|squads?|threats?|cyclones?|dogs?|ass)
    |(?:is|are|was|'s|be) (?:the|da) bomb|bomb (?:my|the|this|that) (?:test|exam|interview|quiz)
    |weapons? (?:bans?|charges?|of mass|of choice)|secret weapons?
    |(?:la )?bombas? de (?:agua|gasolina|aire|calor|tiempo)|es la bomba|balas de (?:paja|heno)
    |pistolas? de (?:agua|silicona|clavos|pintura|calor)|armas de destrucci[oó]n
    |(?:fruit|vampire) bats?|bats? out of hell|gasoline on the (?:fire|flames))\b"""
)
_ONES = r"(?:you|them|him|her|every(?:one|body)|'em|los|las|lo|te|les)"
_VERBO = r"(?:mat|apuñal|quem|golpe|atac|degoll|acuchill|atropell|incendi|linch|ahorc|fusil)"
# A person or place is the object: bread and garlic are not.
HARMS = ("kill", "assault", "damage_property", "forced_removal", "unspecified_violence")
ACT = _re(
    rf"""\b(?:{"|".join(ACT_FORMS[act] for act in HARMS)}
    |(?:run|mow|plow) (?:{WHO} (?:down|over)|(?:down|over) {WHO})|set {_ONES} on fire
    |cut {_ONES}\b|(?:slit|cut) (?:\w+ ){{1,2}}throats?
    |(?:throw|pour|hurl|fling) (?:\w+ ){{1,3}}(?:at|on|in|over) (?:{WHO}
    |(?:his|her|their|your) face)
    |{_VERBO}[a-záéíóú]{{1,5}}?(?:los|las|lo|la|te|les)\b
    |(?:los|las|lo|la|te|les) (?:voy a |vamos a |van a |hay que )?{_VERBO}\w{{1,6}}
    |{_VERBO}[a-záéíóú]{{1,5}} (?:a |al |la |el |esa |ese )\w+)"""
)
_DET = r"(?:an?|my|the|our|your|his|this|some|un|una|mi|mis|el|la|los|las|tus|sus|unos)"
_USED = rf"""(?:with|using|con|take|grab|get|got|use|have|throw|hurl|pour|fling|chuck|trae\w{{0,4}})
    (?: {_DET})?(?: \w+){{0,2}}? """
FIRE_SET = _re(
    rf"""\bset (?:{WHERE}|{WHO}) (?:on fire|ablaze|alight)\b|\bset fire to (?:{WHERE}|{WHO})
    |\bprend\w{{1,5}} fuego\b"""
)
INTO_PEOPLE = _re(
    rf"""\b(?:drive|ram|plow|crash|run|steer) {_DET} (?:\w+ )?(?P<vehicle>{_any(TOOLS["vehicle"])})
    [ ](?:right |straight )?(?:into|through|over) (?:{_ONES}\b|{_DET} (?:\w+ ){{0,2}}(?:crowd|march
    |protest(?:ers)?|parade|rally|people|line)\b)"""
)


def _named(table: dict[str, str]) -> str:
    return "(?:" + "|".join(rf"(?P<{kind}>{_any(words)})\b" for kind, words in table.items()) + ")"


WEAPON = _re(rf"(?<![\w-]){_named(ARMS)}(?!-)")
USED = _re(rf"\b{_USED}{_named(TOOLS)}")
BRING = _re(
    rf"""\b(?:bring|grab|pack|carry|come with|meet with|armed with|trae\w{{0,4}}|traig\w{{1,5}}
    |llev\w{{1,5}}) (?:{_DET} )?(?:own )?{_named(BROUGHT)}"""
)


def named_means(text: str) -> Iterator[Named]:
    """Weapons, and tools beside an act against somebody in the same sentence."""
    idioms = [match.span() for match in NO_ARMS.finditer(text)]
    acts = [match.span() for match in ACT.finditer(text)]
    matches = [*WEAPON.finditer(text), *BRING.finditer(text), *INTO_PEOPLE.finditer(text)]
    matches += [match for match in USED.finditer(text) if _beside(text, match.span(), acts)]
    found = {(match.span(match.lastgroup or 0), match.lastgroup or "other") for match in matches}
    found |= {(match.span(), "fire") for match in FIRE_SET.finditer(text)}
    ends = 0
    for (start, end), kind in sorted(found):
        idiom = any(start < b and a < end for a, b in idioms)
        if start >= ends and not idiom:
            ends = end
            yield start, end, kind, MEANS[kind]


def _beside(text: str, span: tuple[int, int], acts: list[tuple[int, int]]) -> bool:
    """Whether an act stands near a span, with no end of a sentence between."""
    for start, end in acts:
        if start < span[1] and span[0] < end:
            return True
        between = text[end : span[0]] if end <= span[0] else text[span[1] : start]
        if len(between) <= NEAR and not re.search(r"[.!?\n]", between):
            return True
    return False
