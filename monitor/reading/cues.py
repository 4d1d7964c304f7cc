"""The words and frames the first scorer knows: one table of patterns, each with its reason.

A cue is a frame (who says it should happen) around an act (what should happen) and an object (to
whom): the act alone proves nothing. Groups are roles, places, pronouns, any capitalised plural
("the Ardans"), and the plain names of religions, parties and nations, named evenly; no slur is.

How a pattern is written: it meets text whose white space is collapsed and whose quotes are
straight (see ``incitement``). A space is any one white space, ``\\w+`` a word of at most 30
letters, and a line break with its indent is nothing. No repetition is without a bound, so that
matching is linear in the length of the text; a test watches this.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast


def _any(words: str) -> str:
    """An alternation of the comma-separated ``words``."""
    return "(?:" + "|".join(word.strip() for word in words.split(",")) + ")"


class _Later:
    """A pattern that is compiled when it is first used.

    All of them together take five seconds, most texts need few, and most processes none.
    """

    VERBS = ("search", "match", "fullmatch", "finditer", "findall", "split", "sub", "pattern")

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __getattr__(self, name: str) -> Any:
        if name not in self.VERBS:
            raise AttributeError(name)
        compiled = re.compile(self._pattern, re.IGNORECASE)
        for verb in self.VERBS:
            setattr(self, verb, getattr(compiled, verb))
        return getattr(compiled, name)


def _listed(words: str) -> list[str]:
    return [" ".join(word.split()) for word in words.split(",")]


def _re(pattern: str) -> re.Pattern[str]:
    """A pattern in the notation above, compiled; case counts only inside ``(?-i:...)``."""
    pattern = re.sub(r"\n\s*", "", pattern).replace(" ", r"\s")
    return cast(re.Pattern[str], _Later(re.sub(r"(\\w|\])\+", r"\1{1,30}", pattern)))


# --- who and what ---------------------------------------------------------------------------
NAME = r"(?-i:\b[A-Z][\w'-]+)"
DEMONYM = r"(?-i:\b[A-Z]\w{2,30}(?:s|ese|ish)\b)"
MEMBER = r"(?-i:\b[A-Z]\w{2,30}\b)"
_ROLE = """newcomer, outsider, stranger, settler, immigrant, migrant, refugee, foreigner, resident,
    local, neighbou?r, tenant, worker, official, clerk, volunteer, judge, cop, officer, reporter,
    journalist, teacher, librarian, doctor, nurse, councill?or, politician, lawmaker, lawyer, voter,
    supporter, activist, protest[eo]r, marcher, counter, inspector, traitor, sellout, collaborator,
    invader, criminal, liar, poisoner, bastard, rat"""
_IDENTITY = """christian, catholic, protestant, evangelical, mormon, jew, muslim, hindu, sikh,
    buddhist, atheist, democrat, republican, liberal, conservative, progressive, leftist, rightist,
    socialist, libertarian, american, mexican, canadian, cuban, haitian, somali, nigerian, indian,
    pakistani, african, asian, european, arab, israeli, palestinian, russian, ukrainian, iranian"""
_GROUPS = rf"(?:(?:{_any(_ROLE)}|{_any(_IDENTITY)})s|police|deputies|chinese|japanese)"
PEOPLE = _any(
    f"""{_GROUPS}, people, folks, families, council, crowd, lot, bunch, kind, men, women, guys,
    boys, kids, children, ones, scum, vermin, roaches, cockroaches, parasites"""
)
PERSON = _any(
    f"""{_ROLE}, person, man, woman, guy, mayor, governor, senator, sheriff, chief, deputy,
    councilman, councilwoman, editor, principal, pastor, priest, rabbi, imam, president,
    candidate"""
)
PLACE = _any(
    """place, buildings?, warehouse, houses?, homes?, offices?, clinic, hospital, church, mosque,
    temple, synagogue, gurdwara, chapel, parish, house of worship, shelter, station, store, shop,
    market, school, library, town hall, city hall, courthouse, polling place, polling site, polls,
    precinct, camp, center, centre, hotel, motel, hall, headquarters, depot, farm, barn,
    apartments?, newsroom, capitol, gate, cars?, trucks?, vans?, bus, tents, windows?, doors?,
    neighbou?rhood"""
)
# Words that end a noun phrase: none of them stands between an article and its noun ...
_SMALL = r"""(?:a|an|the|of|in|on|at|to|for|with|from|by|and|or|but|that|who|is|are|was|were|if|so|
    as|when|before|after|until|like|their|his|her|its|my|our|your)"""
# ... and only these follow the last noun of an object ("the judge's desk" is a desk).
_AFTER = r"""(?:all|both|now|right|to(?:night|day|morrow)|\w+days?|this|next|last|on|at|in|inside|
    near|here|there|before|after|and|or|but|who|that|until|till|for|with|from|out|off|down|up|to|by|
    like|where|when|while|if|because|cuz|so|then|first|as|back|again|already|too|dead|bad|instead|
    is|are|was|were|will|must|should|lol|please|over|under|through|every|each|one|once|outside|
    soon|not|i|we|they|it|you|he|she|\w+ly)"""
# Boycotts hit where it hurts, too: "most, in the wallet", ": their pocketbooks", "- sales".
_NO_PURSE = r"""(?!(?: the)?(?: most| right)?[\s,:\-–—(]{1,4}(?:right )?(?:(?:in|at|on|with) )?
    (?:(?:the|their|his|her|your|our|its) )?(?:\w+ )?(?:wallets?|pockets?|pocketbooks?|purses?
    |bank accounts?|bottom lines?|cash registers?|profits?|revenues?|sales|stock price)\b
    (?![,\s]{1,2}(?:and|or|with|then)\b))"""
_END = rf"(?![\w-]|'s\b|' \w)(?![^\S\n](?!{_AFTER}\b)\w)"
_WORDS = rf"(?:(?!{_SMALL}\b)[\w'-]+ ){{0,3}}?"
_SOME = r"\b(?:all|most|every|you|such|the|those|these|them)(?: of)?(?: the| those| these)? "
THE_PEOPLE = rf"""(?:{_SOME}{_WORDS}(?:{PEOPLE}\b|{DEMONYM})
    |\b(?:every|any|each|no) (?:single |last )?(?:(?:{PERSON}|{_any(_IDENTITY)})\b|{MEMBER}))"""
GROUP = rf"(?:\bthey\b|\byou people\b|{THE_PEOPLE}|{DEMONYM}|\b{PEOPLE}\b)"
WHO = rf"""(?:\b(?:all|any|each|every (?:last |single )?one) of (?:them|you
    |(?:the|these|those) {_WORDS}(?:{PEOPLE}\b|{DEMONYM}))|{THE_PEOPLE}|\b(?:them|him|her|you|ya
    |every(?:one|body))\b
    |\b(?:the|that|this|our|your|a|any) {_WORDS}{PERSON}\b|\b(?:the )?{PERSON} {NAME}
    |\b{_GROUPS}\b|{DEMONYM})"""
WHOM = WHO + _END  # where nothing of the act follows
WHERE = rf"""(?:\b(?:the|that|this|their|his|her|your|every|those|these|any|each
    |a) {_WORDS}{PLACE}\b
    |{NAME} {PLACE}\b|\b(?:city|town) hall\b)"""
# What people kill, shoot or attack every day and nobody minds.
_THINGS = _any(
    """bug, light, headlight, weed, ant, wasp, bee, fly, flies, mosquitoe?, roache?, spider, snake,
    tick, flea, termite, slug, mouse, mice, rat, deer, duck, chicken, pig, hog, germ, bacteria,
    engine, motor, brake, speaker, power, process, processe, server, script, job, task, vibe, mood,
    time, day, night, week, hour, minute, shot, scene, photo, picture, portrait, video, movie, film,
    hoop, basket, rapid, breeze, moon, star, clay, can, bottle, target, arrow, goal, odd, problem,
    issue, question, plan, bill, law, rule, cut, tax, taxe, record, idea, claim, argument, policy,
    policie, budget, cause, root, dishe, ad, leftover, chore, potatoe?, tomatoe?, egg, plant,
    vegetable,
    balloon, tire, drum, note, point, stain, thing"""
)
# After a verb that takes people, any plural will do: "kill the ardans", "kill every last ardan".
_ANY_GROUP = rf"""(?:\b(?:all|all of the|all the|all those|the|those|these) (?:(?!{_SMALL}\b)\w+ )?
    (?!{_THINGS}s?\b)\w{{2,30}}(?<![asiu])s\b|\bevery (?:last |single 
    |damn )?(?!{_THINGS}\b)\w{{3,30}}\b
    ){_END}"""
# "Run them out of town" is removal; out of the pool or to the airport is not.
_OUT = r"""(?:all )?(?:out(?: (?:now|tonight|today|for good|by force))?(?=[.!?\n)"]|$| and| before)|
    (?:out of|off|from|across) (?:here|our|this|the (?:town|county|state|country|river|border)|town
    |\w+ county))\b"""

# --- acts: base form with object, past participle, and past tense -----------------------------
_FIREARMS = r"guns?|rifles?|shotguns?|pistols?|(?-i:AR|AK)s?|ar-?15s?|ak-?47s?|ammo|bullets?|bombs?"
ARMS = rf"""(?:{_FIREARMS}|weapons?|machetes?|molotovs?|(?:baseball )?bats|crowbars?|bricks|torches|
    gasoline|petrol|pitchforks)\b"""
_NOT_WITH_FACTS = rf"(?! with (?!(?:\w+ )?{ARMS}))"
_ARMED = rf"armed\b{_NOT_WITH_FACTS}"
_KINDLY = r"(?! (?:with (?:love|kindness)|into shape|\(with))"
_ON_POLICY = (
    r"(?! (?:on|over) (?:their|his|her|its|taxes|immigration|the (?:issue|economy|budget)))"
)
ACT_FORMS: dict[str, str] = {
    "kill": rf"""(?:(?:kill|murder|shoot|lynch|behead|slaughter|massacre|exterminate|eradicate|
        gun down|wipe out|mow down|finish off) (?:{WHOM}|{_ANY_GROUP}){_KINDLY}
        |(?:hang|drown|string up) {WHOM}(?! (?:up )?(?:on|in|by|over) (?:the|my|your|a) (?:wall|
        fridge|door|hook|window|rack|line|porch))
        |(?:wipe|gun|mow|string) (?:them|him|her|you) (?:all )?(?:out|down|up)\b
        |put {WHO} (?:down like|against (?:the|a) wall|in the ground)|put a bullet in {WHOM})""",
    "assault": rf"""(?:(?:attack|stab|punch|stomp|whip|hurt|maim|beat up|bash|jump)
        [ ](?:{WHOM}|{_ANY_GROUP}){_KINDLY}{_ON_POLICY}
        |beat {WHO} (?:up|down|bloody|senseless|to death|with)\b
        |beat the (?:\w+ ){{1,2}}out of {WHOM}
        |(?:smash|crack|bash|break|kick) (?:their|his|her|your|some) (?:\w+ )?
        (?:heads?|skulls?|faces?|teeth|bones|legs|knees)\b|drag {WHO} (?:out|into|through|behind)\b
        |make {WHO} bleed|throw {WHO} (?:in|into|off|under) the\b)""",
    "damage_property": rf"""(?:(?:burn(?: down)?|torch|firebomb|bomb|blow up|set fire to|trash|
        smash(?: up)?|wreck|ransack|loot|vandali[sz]e|shoot up) {WHERE}{_END}
        |(?:burn|torch|blow|smash|tear) (?:it|them|that thing) (?:all )?(?:down|up|to the ground)\b
        |set (?:{WHERE}|it) (?:on fire|ablaze|alight))""",
    "forced_removal": rf"""(?:(?:run|drive|chase|force|throw|burn|smoke|hunt|sweep|clear)
        [ ]{WHO} {_OUT}|purge {WHOM}|cleanse (?:the|our|this) \w+ of {WHOM}
        |round (?:{WHO} up|up {WHO}) and (?:ship|lock|send|put)\b)""",
    "unspecified_violence": rf"""(?:hit {WHO} where it hurts{_NO_PURSE}
        |take {WHO} out(?! (?:to|for|of|on)\b)
        |hunt (?:{WHO} down|down {WHOM})|take up arms|spill (?:\w+ )?blood
        |go to war (?:with|against|on) {WHOM}|fight {WHO} to the death
        |make (?:an example of {WHOM}|{WHO} (?:suffer|pay in blood))|teach {WHO} a lesson they
        |destroy (?:them all|every (?:last )?one of them))""",
    "dox": rf"""(?:(?:post|share|publish|spread|find out|get|leak|drop) (?:\w+ )?
        (?:(?:their|his|her|{NAME}(?:'s?)?|{THE_PEOPLE}'s?) (?:home )?(?:address(?:es)?
        |license plates?|
        plates|phone numbers?|names and (?:addresses|\w+ plates))|(?:names|home addresses) of {WHO})
        |find out where (?:{WHO}|they|he|she) lives?\b)""",
    "arm_prepare": rf"""(?:arm (?:your|our)sel(?:f|ves){_NOT_WITH_FACTS}|lock and load
        |load (?:up )?(?:your )?(?:guns?|rifles?)|stock up on ammo
        |(?:get|grab|clean) your (?:guns?|rifles?|shotguns?|ammo)\b)""",
    "intimidate": rf"""(?:make {WHO} (?:afraid|scared|too scared|terrified)|follow {WHO} home{_END}
        |(?:show up|go|march|turn up|come) {_ARMED}[^.!?\n]{{0,30}}?\b(?:at|to|in) {WHERE}
        |(?:show up|turn up|march|go|come|be) (?:at|to|on|outside) {WHERE}[^.!?\n]{{0,30}}?
        \b(?:{_ARMED}|with (?:your |our )?(?:guns|rifles|weapons|bats|torches))
        |(?:show up|turn up|go|come) (?:at|to|outside) (?:his|her|their) (?:\w+ )?
        (?:homes?|houses?|front door)\b|let {WHO} know we(?:'re| are) watching)""",
    "obstruct": rf"""(?:(?:block|barricade|blockade|chain) (?:off )?
        (?:{WHERE}|the (?:entrance|exits?|gates?|doors?|road out))
        [^.!?\n]{{0,12}}?(?:so|until|to (?:keep|stop)|and (?:don't|do not) let)\b
        |(?:stop|keep|prevent) {WHO} from (?:voting|leaving|entering|getting (?:in|out))
        |don't let (?:{WHO} vote|{THE_PEOPLE} (?:leave|through|in|out){_END}))""",
    "exclude": rf"""(?:kick {WHO} out\b|get rid of {WHOM}|(?:keep|get) {WHO} out of (?:our|this|the)
        [ ](?:town|country|schools?|neighbou?rhood|state|streets?|church(?:es)?)
        |(?:refuse to serve|don't (?:serve|hire|rent to|sell to)) {WHOM})""",
}
ACT_WORDS = {
    "kill": "killing",
    "assault": "hurting people",
    "damage_property": "destroying a place",
    "forced_removal": "driving people out by force",
    "unspecified_violence": "violence",
    "dox": "exposing where people live",
    "arm_prepare": "arming",
    "intimidate": "frightening people",
    "obstruct": "blocking people by force",
    "exclude": "shutting people out",
}
PARTICIPLES = {
    "kill": """killed, shot, hanged, hung, lynched, executed, put down, exterminated, eradicated,
        wiped out, murdered, slaughtered, put against a wall, strung up, drowned""",
    "assault": """beaten, stabbed, punched, hurt, whipped, dragged out, attacked, dragged through
        the streets, thrown in the river""",
    "damage_property": """burned, burnt, burned down, burnt down, torched, firebombed, bombed, blown
        up, burned to the ground, smashed""",
    "forced_removal": """run out of town, driven out, chased out, cleared out, purged, smoked out,
        rounded up(?! to)""",
}
PASTS = {
    "kill": "shot, killed, murdered, hanged, lynched, stabbed",
    "assault": "beat up, beat, attacked, punched, hurt",
    "damage_property": """burn(?:ed|t|s), torche[ds], firebombed, bombed, set fire to, smashed,
        blew up""",
}


# --- the table ------------------------------------------------------------------------------
@dataclass(frozen=True)
class Cue:
    """One frame and what it says about a message when it matches.

    A group named after an act gives the act; a group ``what`` only narrows the span.
    """

    pattern: re.Pattern[str]
    words: str  # why this matters, for a tired monitor
    act: str = "none"
    force: str = "none"
    threat: str = "none"
    hallmarks: dict[str, int] = field(default_factory=dict)
    demeaning: bool = False
    # Its parts: where one is nowhere in a text, the whole is not, and need not be looked for.
    parts: tuple[re.Pattern[str], ...] = ()


def _one_of(forms: dict[str, str]) -> str:
    """One alternative per act, each in a group named after the act."""
    return "(?:" + "|".join(rf"(?P<{act}>\b{form})" for act, form in forms.items()) + ")"


_ACT = _one_of(ACT_FORMS)
_PARTICIPLE = _one_of({act: _any(words) + r"\b" for act, words in PARTICIPLES.items()})
_PAST = _one_of({act: _any(words) + rf" (?:{WHOM}|{WHERE})" for act, words in PASTS.items()})
# "The bill should be killed" speaks of paper.
_NO_BILL = "".join(rf"(?<!\b{w})" for w in ("bill", "plan", "deal", "idea", "proposal", "project"))
_GAP = r"(?:(?!(?:not|never|nobody|no|don't|nothing|without)\b)[\w'-]+,? )"
_START = r'(?:^|(?<=[.!?,;:\n–—()"*-])|(?<=\band\b)|(?<=\bthen\b)|(?<=\bso\b))(?: |\n)?'
_WILL = r"(?: will|'ll|(?: am|'m| are|'re) (?:going to|gonna|coming to|about to)| gonna| shall)"
_MUST = r"(?:must|should|have to|has to|needs? to|got to|gotta|ought to|better)"
_DAY = r"(?:\w+day|to(?:night|morrow)|then|now)"
_LIKE = r"""(?:(?:all|just|really|literally|nothing but|nothing more than|like|a bunch of|such|the|
    a|an|no better than|basically|worse than|total|are) ){0,4}"""
_VERMIN = _any(
    """rats, vermin, cockroach(?:es)?, roach(?:es)?, lice, maggots, parasites?, leech(?:es)?,
    pests?, locusts, plague, disease, virus, cancer, tumou?r, infestation, infection, subhumans?,
    not (?:even )?(?:human|people)\\b, less than human, not human like us"""
)
_INSULT = _any(
    """idiots?, morons?, imbeciles?, fools?, clowns?, losers?, scum, trash, filth, garbage, stupid,
    dumb, lazy, dirty, disgusting, pathetic, worthless, useless, rude, rudest, liars?, crooks?,
    freeloaders?, bums?, animals, pigs, snakes, monkeys, freaks?, thugs?, ungrateful, whiny,
    worst"""
)
_COMING = r"""(?:will|'ll|(?: are|'re) going to|(?: are|'re) coming to|(?: are|'re) coming|want to|
    plan to|are planning to|are about to|came here to|came to|came|won't stop till)"""
_HARM_US = r"""(?:come for|attack|kill|murder|slaughter|destroy|replace|hurt|burn|poison|wipe out|
    hit|rape|enslave|finish|take over|wipe)"""


def _acting(before: str, words: str, force: str, act: str = _ACT, **more: Any) -> Cue:
    """A cue whose act is named by the group that matches after the words ``before``."""
    parts = (_part(act), _part(before))
    return Cue(_re(before + act), words, force=force, parts=parts, **more)


@cache
def _part(pattern: str) -> re.Pattern[str]:
    """What several cues have in common is looked for once."""
    return _re(pattern)


CUES: list[Cue] = [
    # the frames around an act
    _acting(rf"(?:\b(?:i|we){_WILL}|{_START}(?:gonna|going to)) {_GAP}{{0,2}}?",
        "Announces {}", "announce", threat="direct"),
    _acting(rf"(?:\b(?:until|till) (?:i|we)|{_START}(?:{_DAY},? )?we) ",
        "Announces {}", "announce", threat="direct"),
    _acting(rf"\b(?:let'?s|let us|time to|why not) {_GAP}{{0,2}}?", "Calls for {}", "urge"),
    _acting(rf"\b(?:we|you|everyone|everybody|y'?all) (?:all )?{_MUST} {_GAP}{{0,2}}?",
        "Calls for {}", "urge"),
    _acting(rf"{_START}(?:(?:just|now|go|please|everyone|everybody|and|then|so) ){{0,2}}",
        "Calls for {}", "urge"),
    _acting(rf"""\b(?:some(?:one|body)|any(?:one|body)|people|they|the (?:boys|cops|army))
        [ ]{_MUST} (?:have )?{_GAP}{{0,3}}?""",
        "Wishes for {}", "wish"),
    _acting(rf"""(?:\bhope|\bwish|\bpray|(?:\bwould|'d) love to|\bcan't wait (?:to|until|till)
        |\bif only|\b(?:i|we) want to) {_GAP}{{0,4}}?""",
        "Wishes for {}", "wish"),
    _acting(rf"""{_NO_BILL} (?:{_MUST} (?:all )?(?:be|get)|deserves? to be
        |(?:should|could)(?:'?ve| have)(?: all)?(?: been)?) {_GAP}?""",
        "Says {} would be right", "justify",
        _PARTICIPLE,
    ),
    _acting(rf"\b(?:hope|wish|want(?! to)|love to see) {_GAP}{{0,6}}?",
        "Wishes for {}", "wish",
        _PARTICIPLE,
    ),
    _acting(rf"\b(?:who(?:ever)?|that) {_GAP}{{0,2}}?",
        "Praises {}", "praise",
        rf"""{_PAST}[^.!?\n]{{0,40}}?\b(?:is|are|was|were) (?:an? )?(?:real |true )?
        (?:hero(?:es)?|legends?|patriots?|saints?|martyrs?)\b""",
        hallmarks={"H9": 2}),
    _acting(rf"""\b(?:glad|happy|proud|good|thank god|about time) (?:that )?
        (?:some(?:one|body)|they|he|she|those \w+|the \w+) {_GAP}{{0,2}}?""",
        "Praises {}", "praise",
        _PAST,
    ),
    # threats without a plain announcement
    Cue(_re(rf"""\b(?:if|unless) (?:you|they|he|she|{THE_PEOPLE})\b[^.!?\n]{{1,80}}?\b(?:i
        |we){_WILL}
        [ ](?:\w+ ){{0,2}}?(?P<what>\b(?:{ACT_FORMS["kill"]}|{ACT_FORMS["assault"]}
        |{ACT_FORMS["damage_property"]}))"""),
        "Threatens violence on a condition", act="unspecified_violence", force="announce",
        threat="conditional", parts=(_part(r"\b(?:if|unless) (?:you|they|he|she|\w)"),)),
    Cue(_re(r"""\byou(?:'ll| will|'re going to| are going to|'re gonna) (?:all )?be (?P<what>killed
        |shot|hanged|lynched|executed|beaten|strung up)\b"""),
        "Foretells violence to the reader", act="kill", force="predict", threat="indirect"),
    Cue(_re(rf"""(?:(?:\b(?:they|you|he|she|traitors?)|{DEMONYM}|{THE_PEOPLE})(?:'ll| will
        | are going to| always| all)? )?\b(?:gets?|get all) what(?:'?s| is) coming\b"""),
        "Hints that harm is on its way", act="unspecified_violence", force="predict",
        threat="veiled"),
    Cue(_re(r"""\bwatch your backs?\b|\bsleep with one eye open|\b(?:i|we) know where
        [ ](?:you|they|he|she|(?:your|their|his|her) \w+) (?:all )?
        (?:lives?|works?|sleeps?|go(?:es)? to (?:school|church))\b
        |\b(?:we|i)(?:'re|'m| are| am) coming for (?:you|them|him|her)(?: all| next)?(?=[,.!\n]|$)
        |\b(?:your|their) days are numbered|\b(?:leaving|going|out) one way or (?:the |an)other
        |\b(?:shame|pity) if something happened to (?:you|them|him|her|that|your|their)
        |\b(?:you|they) won't be safe"""),
        "Hints that harm is on its way", threat="veiled"),
    # condoning without one of the act forms
    Cue(_re(rf"""(?:\b(?:they|he|she|you)|{DEMONYM}|{THE_PEOPLE}) (?:all |really |just )?deserves?
        [ ](?:to (?:die|burn|bleed|suffer|hang|rot|be afraid)|it\b
        |whatever (?:happens|comes|they|he|she)|what(?:'s| is) coming
        |(?:a|the) (?:good )?(?:beating|bullet|rope))"""),
        "Says harm would be deserved", act="unspecified_violence", force="justify",
        hallmarks={"H7": 1}),
    Cue(_re(r"""(?:\b(?:they|he|she|you|those \w+))?(?:'?ve got| had| have| has| got)
        [ ](?:it|that|this) coming\b|\bthe beating they(?:'ve| have) got coming"""),
        "Says harm was deserved", act="unspecified_violence", force="justify",
        hallmarks={"H7": 1}),
    Cue(_re(r"""\b(?:give|deserves?|needs?|gets?|earned) (?:(?:those|these|the|them|him|her) )?
        (?:\w+ )?(?:a|the) (?:good )?beating\b"""),
        "Speaks for a beating", act="assault", force="wish"),
    Cue(_re(rf"""\bhope (?:(?:i|we) \w+ )?(?:it|they|he|she|you|{WHERE}|{THE_PEOPLE}|{DEMONYM})
        [ ](?:all )?(?P<what>dies?|burns?|bleeds?|chokes?|rots?|suffers?|drowns?|catch(?:es)? fire
        |go(?:es)? up in (?:flames|smoke)|gets? (?:shot|hurt|killed|beaten))\b"""),
        "Wishes harm", act="unspecified_violence", force="wish"),
    Cue(_re(rf"""\blove to see {_GAP}{{1,7}}?(?P<what>thrown|dragged|burned|hanged|shot|beaten
        |drowned|bleed|burn|hang)\b"""),
        "Wishes harm", act="unspecified_violence", force="wish"),
    Cue(_re(rf"""\bif (?:{WHERE}|{WHO}|it|they) (?P<what>burns?(?: down)?|burned(?: down)?|dies?
        |gets? hurt)\b[^.!?\n]{{0,30}}?\b(?:cheer|celebrate|deserve|laugh|dance|won't cry
        |good riddance)"""),
        "Welcomes harm", act="unspecified_violence", force="praise"),
    Cue(_re(rf"""\b(?:wouldn't|won't|not going to) (?:lose (?:any )?sleep|cry|shed a tear) if
        [ ](?:{WHERE}|{WHO}|it|they) (?:\w+ ){{0,2}}?(?P<what>burn(?:ed|t|s)?|died?|got (?:shot
        |hurt)
        |disappeared)"""),
        "Would welcome harm", act="unspecified_violence", force="wish"),
    Cue(_re(rf"""\bthere will be blood\b|\bblood (?:will|is going to) (?:run|flow|be (?:spilled
        |shed))
        |\bif it takes blood\b|\bpay (?:for \w+ )?(?:in blood|with (?:your|their|his
        |her) li(?:fe|ves))
        |(?:{WHERE}|{GROUP})(?: will|'ll| is going to| are going to) (?:burn|bleed
        |hang)\b{_END}"""),
        "Foretells bloodshed", act="unspecified_violence", force="predict"),
    Cue(_re(r"""\b(?:strike|hit (?:them|back)) (?:first|before (?:they|you))\b
        |\bkill or be killed\b|\bhit them before they hit us"""),
        "Argues for striking first", act="unspecified_violence", force="justify",
        hallmarks={"H7": 2}),
    # hallmarks
    Cue(_re(rf"(?:{GROUP}|\bare)(?: (?:are|is|were)|'re)? {_LIKE}(?P<what>{_VERMIN})\b"),
        "Calls people vermin, a disease or not human", hallmarks={"H1": 2}),
    Cue(_re(r"""\b(?:these|those|the|you) (?:\w+ )?(?:rats|vermin|cockroaches|roaches|parasites
        |maggots)\b[^.!?\n]{0,40}?\b(?:overr[au]n|infest|got (?:to|in)|took over|went for
        |came for)\b|\bbreed(?:ing)? like \w+|\b(?:the|this|an) infestation (?:is|has|in)
        [ ](?:\w+ ){0,4}?our\b|\blike rats (?:in|from|on)\b"""),
        "Speaks of people as vermin or a disease", hallmarks={"H1": 2}),
    Cue(_re(rf"""{GROUP} ?{_COMING} (?:\w+ ){{0,2}}?(?P<what>{_HARM_US}) (?:\w+ )?
        (?:us\b|you\b|everyone|our\b|your (?:family|families|kids|children|homes?))(?: out)?"""),
        "Says the others are about to attack us", hallmarks={"H2": 2}),
    Cue(_re(
            rf"{GROUP} (?:attacked|poisoned|invaded) us first\b"
            rf"|\battack again\b[^.!?\n]{{0,20}}?\bwe\b"
        ),
        "Says the others attacked first", hallmarks={"H2": 2}),
    Cue(_re(rf"""(?:{GROUP}(?: are|'re) )?(?:\b(?:overrunning|overran|invading|infesting|replacing
        |erasing) (?:us|our|this)\b|\bwiping? us out|\bpoison(?:ing)? our (?:blood|race|people
        |children))|(?:{DEMONYM}|\b{PEOPLE}) (?:are )?(?:invaders|an invasion)\b
        |\btill no {MEMBER} is left"""),
        "Says our group is being overrun or replaced", hallmarks={"H3": 2}),
    Cue(_re(r"""\b(?:destroying|ruining|flooding|taking over) (?:our|this)
        [ ](?:country|town|nation|city|way of life|culture|neighbou?rhood)"""),
        "Says our group is under threat", hallmarks={"H3": 1}),
    Cue(_re(rf"""{GROUP}(?: are| will|'ll|'re| want to| come to)? (?:\w+ing )?(?:rap(?:e|ing)
        |molest(?:ing)?|snatch(?:ing)?|grab(?:bing)?|kidnap(?:ping)?|traffic(?:king)?
        |prey(?:ing)? on|attack(?:ing)?|touch(?:ing)?|steal(?:ing)?|poison(?:ing)?)
        [ ](?:our|your|the) (?:\w+ )?(?:women|girls|wives|daughters|children|kids|babies)"""),
        "Says the others attack women, girls or children", hallmarks={"H4": 2}),
    Cue(_re(rf"""\b(?:is|are|was) (?:all |just |nothing but )?(?:a )?
        (?:traitors?|sellouts?|collaborators?|turncoats?)\b
        |\b(?:you|these|those|the|our|fucking) traitors?\b
        |\btraitors? (?:to|every|among|in|get|will|should|must|deserve|who|like|all)\b
        |\benem(?:y within|ies of the people)|\bsold (?:us|our \w+|{DEMONYM}) out\b"""),
        "Calls people traitors to their own side", hallmarks={"H5": 2}),
    Cue(_re(rf"""\b(?:it'?s )?(?:us or them|them or us)\b|\bonly (?:language|thing|way) (?:that )?
        (?:the )?(?:they|these people|those people|{DEMONYM}) (?:\w+ )?understand
        |\bby any means necessary|\bno (?:other )?(?:choice|option|way|alternative) (?:left )?but to
        [ ](?:fight|strike|attack|kill|defend ourselves|use force|take up)
        |\bforce is the only\b"""),
        "Says there is no way but force", hallmarks={"H7": 2}),
    Cue(_re(rf"""\b(?:they|you)(?: are|'re) all (?:guilty|in on|to blame|responsible|criminals
        |murderers|terrorists|poisoners|rapists)|\b(?:all|every)
        [ ](?:of them|(?:single |last )?(?:one of them|{MEMBER}|{DEMONYM})) (?:is|are|was|were)
        [ ](?:all )?(?:guilty|in on|to blame|responsible|criminals?|murderers?|terrorists?
        |poisoners?|rapists?)|\ball of them were in on\b"""),
        "Blames everyone in a group", hallmarks={"H8": 2}),
    Cue(_re(rf"""(?:\b(?:they|you|these|those|council|county|board|department)|{THE_PEOPLE}|{DEMONYM}
        |\b{PEOPLE})(?: (?:are|is)|'re) (?:run by )?{_LIKE}(?:\w+,? ){{0,2}}?(?P<what>{_INSULT})\b
        |\b(?:liars|bums|idiots|morons|fools|clowns|scum|trash|filth) and (?:\w+ )?{_INSULT}
        |\bcan't stand (?:the sight of )?(?:them|those|these|{THE_PEOPLE})
        |\bhate (?:{THE_PEOPLE}|(?-i:[A-Z]\w+s)\b)|\b(?:bunch|load
        |pack) of (?:\w+ ){{0,3}}?{_INSULT}
        |\beveryone (?:\w+ ){{1,4}}is (?:an? )?{_INSULT}
        |\b{_INSULT} (?:{PEOPLE}|every one of (?:them|you))\b"""),
        "Insults a group", demeaning=True),
]  # fmt: skip

# --- calls to gather armed ------------------------------------------------------------------
# A knife, matches or a hammer are for supper, candles and sheds; only in a threat are they means.
WEAPON = _re(rf"\b(?:{ARMS}|with (?:an?|my|the|our) (?:knife|hammer|axe))")
FIREARM = _re(rf"\b(?:{_FIREARMS})\b")
BRING = _re(
    rf"""\b(?:bring|grab|pack|carry|come with|meet with) (?:your |some |a |the )?(?:own )?
    (?:[\w-]+ ){{0,2}}?{ARMS}"""
)

# --- specifics -------------------------------------------------------------------------------
TIME_NOW = _re(r"\bright now\b|\bon (?:my|our) way\b|\bthis minute\b")
TIME_48H = _re(r"\b(?:tonight|today|tomorrow|this (?:morning|afternoon|evening))\b")
TIME_7D = _re(
    r"""\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\bthis week(?:end)?\b
    |\b\d{1,2}(?::\d\d)? ?(?:am|pm|a\.m\.|p\.m\.|o'?clock)(?!\w)
    |\bat (?:noon|midnight|dawn|\d{1,2}(?::\d\d)?)(?![\w:])|\b\d{1,2} tonight"""
)
NAMED_PLACE = _re(
    rf"""\b(?:at|in|to|outside|front of|near|on|behind) (?:{WHERE}|{NAME}(?: {NAME})?)
    |{NAME} {PLACE}\b|\bhouse of worship\b"""
)
GATHERING_PLACE = _re(rf"\b{PLACE}\b")
NAMED_TARGET = _re(
    rf"""\b{PERSON} {NAME}|\b(?:the|that|this|our|your) (?:\w+ )?{PERSON}\b|{DEMONYM}|\btraitors?\b
    |{THE_PEOPLE}|\b(?:you|them|him|her)\b"""
)
CAPABILITY = _re(
    r"""\b(?:i|we)(?:'ve| have)? (?:got |have |own )(?:a|my|the|our|two|three
    |plenty of) (?:loaded )?
    (?:guns?|rifles?|shotgun|pistol|bomb|ammo|gasoline)
    |\b(?:been|we'?re) watching (?:you|them|him|her|the)
    |\b(?:i|we) know where (?:you|they|he|she) (?:lives?|works?|parks?)
    |\bdriving (?:there|over|to)\b|\bwith my (?:gun|rifle|shotgun|pistol|knife|bat)\b"""
)

# --- gates: why a cue may not be the author's own words ---------------------------------------
CONDEMNS = _re(
    r"""\bcondemn(?:s|ed|ing)? (?:\w+ ){0,3}?(?:violence|violent|attacks?|threats?|hate|hatred
    |calls?
    |remarks?|comments?|words?|rhetoric|language|slurs?|posts?|this|it|that)\b
    |\bdenounc(?:e|es|ed|ing)\b|\bviolence is (?:never|not)\b
    |\bno (?:place|excuse|room) for (?:\w+ ){0,3}?(?:violence|hate|hatred|threats?|talk|words?)
    |\bnobody (?:deserves|has) (?:that|this|it|to)|\bno one deserves\b
    |\bshame on (?:any|who|those|everyone|you for)|\b(?:is|isn't|are|not) (?:not )?who we are\b
    |\b(?:saying|calling|talk|threats?|words?|posts?|burning|hurting|killing|attacking|violence)\b
    [^.!?\n]{0,60}?\b(?:is|are) (?:so |just |plain |always )?(?:wrong|unacceptable|shameful
    |disgusting|evil|poison)|\bashamed for\b"""
)
# Weaker: a request that only counts in the cue's own sentence, or beside a quotation.
CALMS = _re(
    r"""\b(?:don't|stop|quit|please) (?:talk(?:ing)? like|say(?:ing)?|call(?:ing)?|spread(?:ing)?
    |shar(?:e|ing)|threaten(?:ing)?|hurt(?:ing)?|repeat(?:ing)?|be (?:decent|kind|calm)|think about
    |calm|breathe)\b|\breport(?:ed)? (?:a|the|that|this|it)\b|\btake it down\b
    |\bdelete (?:it|this|that)\b|\bstay (?:home|peaceful|calm)\b|\bthat word is\b
    |\bwas wrong to\b"""
)
REPORTS = _re(
    r"""\b(?:police|officers?|officials?|deputies|prosecutors?|authorities|sheriff(?:'s office)?
    |investigators|witnesses|mayor|chief|judge|court|indictment|complaint|affidavit|documents
    |records)\b[^.!?\n]{0,40}?\b(?:said|says|told|reported?|alleged?s?|wrote|charged|stated)\b
    (?! (?:nothing|no\b))|\b(?:was|is|were) quoted\b|\bquot(?:es?|ed|ing)\b
    |\baccording to\b(?! (?:the|our|my) plan)|\ballegedly\b
    |\b(?:was|were) (?:charged|arrested|convicted|sentenced)\b|\baware of (?:a|the) posts?\b
    |\bposts? that says?\b|\b(?:posts?|man|men|group|suspects?)
    [ ](?:urging|calling for|threatening|accused)|\bthe post (?:said|read|says)"""
)
# What stands right before words that are told of, not called for: "a post that says to",
# "posts urging people to", "they say", "it is false that".
NARRATED = _re(
    r"""(?:\b(?:says?|said|urg(?:es?|ed|ing)|tells?|told|telling|ask(?:s|ed|ing)?|call(?:s|ed|ing)
    [ ](?:on|for)|threaten(?:s|ed|ing)?|plann(?:ed|ing)|accused) (?:[\w'-]+ ){0,3}?(?:to|of)
    [ ](?:[\w'-]+ ){0,3}?|(?<!\bi )(?<!\bwe )(?<!\blet me )\b(?:says?|said|saying|claim(?:s|ed|ing)?
    |insist(?:s|ed)?|believe[sd]?|thinks|wrote|posted|shouted|yelled|chanted) (?:that )?
    |\b(?:false|untrue|not true|a lie|a myth|nonsense|rumou?r|claim|idea|lie|myth) that )$"""
)
AGREES = _re(r"\bi agree\b|\b(?:they|he|she)(?: are|'re| is|'s) right\b|\bgood idea\b|\bamen\b")
SPEAKING = _re(
    r"""(?<!\bi )\b(?:said|says|saying|say|wrote|writes|posted|tweeted|yelled|shouted|chanted|told
    |commented|texted|screamed|claimed|reads?|repeated|called|calling|call|heard|post|sign|banner
    |graffiti|quote[sd]?|word|writing|urging|painted|written)\b"""
)
# Sport, games and stage. A word that is also a place or a date ("practice", "season") is none.
FIGURATIVE = _re(
    r"""\b(?:(?<!\bat the )(?<!after the )(?<!before the )games?|gameday|gg|rematch|lobby|ranked
    |boss fight|controller|xbox|playstation|nintendo|minecraft|mario kart|chess|scrabble|trivia
    |karaoke|playoffs?|tournament|quarterback|qb|linebacker|offense|halftime|innings?|touchdown
    |goalie|football|baseball|softball|basketball|soccer|hockey|scrimmage|varsity|on stage|gig
    |setlist|stand-?up|comedy|solo|album|spin class|workout|leg day|paintball|laser tag|nerf
    |(?-i:#Go)\w+|bears|lions|tigers|eagles|hawks|wildcats|bulldogs|panthers|cougars|mustangs
    |yankees|red sox|dodgers|mets|lakers|celtics|packers|steelers|broncos|seahawks)\b"""
)
NOT_FIGURATIVE = _re(r"\b(?:not|isn't|no) (?:a |just a )?game\b")
# What sport says of an opponent; nobody is shot, hanged or burned in a match report.
SPORTING = _re(
    r"""\b(?:kill|murder|slaughter|massacre|destroy|beat|whip|attack|hurt|hit|wipe|finish|die|
    bleed|suffer|coming for)"""
)
REAL_TARGET = _re(rf"\b(?:{PEOPLE}|{_any(_ROLE)}|mayor|governor|sheriff|pastor|rabbi|imam)\b")
BALLOT = _re(
    r"\bat the (?:polls|ballot box)\b|\bby voting\b|\bvote (?:them|him|her)\b|\bnext election\b"
)
VOTERS_DO = _re(r"(?:get rid|hit \w+ (?:\w+ ){0,3}where|kick|sweep|drive|force)\b")
POLICY = _re(
    r"""\b(?:congress|senate|house|lawmakers|legislature|parliament|government|governor|president
    |council|county|city|state|board|courts?|prosecutors?|da|voters|feds|department|sheriff)
    [ ](?:\w+ )?(?:should|must|needs? to|has to|ought to|better) (?:\w+ ){0,2}?(?:deport|prosecute
    |ban|arrest|jail|evict|defund|fund|tax|vote|pass|repeal|impeach|close|expel|remove|inspect|test
    |indict|sue|fire|cut|raise|stop|end|put|hold|pay|build|regulate)\b
    |\b(?:vote|voting) (?:no|yes|against|for|out)\b|\bprosecute\b|\bpetition\b"""
)
DOUBT = _re(r"\b(?:lol|lmao|jk|(?:ha){2,9}|just kidding|/s)\b|[😂🤣]|\? ?$")
CLAUSE_END = _re(r"[.!?;:,\n]|\b(?:so|but|until|till|because)\b")
# Negation reaches no further than its own verb: "stop waiting and shoot" is a call to shoot ...
VERB_END = _re(r"\b(?:and|we|they)\b")
NEGATED = _re(
    r"""\b(?:(?<!why )don't|do not|doesn't|didn't|never|(?<!why )not|no one|nobody|without|stop
    |refuse to|nor|neither|shouldn't|mustn't|can't(?! wait)|won't|wouldn't|isn't|aren't|against
    |instead of|rather than|before anyone)\b(?: [\w'-]+){0,3} ?$"""
)
# ... but "don't go there and shoot" is none.
NEGATED_TRIP = _re(
    r"""(?:(?<!why )don't|do not|never|must not|shouldn't|should not)
    [ ](?:go|come|drive|run|march|show up|head)\b(?: [\w'-]+){0,4} and(?: \w+)? $"""
)
TURN = _re(r"\b(?:but|however|except|still,|so)\b")
# Words that never stand in a title: what the cues call violent or dehumanising.
LOADED_WORDS = _re(
    r"""^(?:kill\w*|murder\w*|shoot\w*|shot|hang(?:ed|ing)?|lynch\w*|slaughter\w*|behead\w*|
    massacre\w*|extermina\w*|eradicat\w*|attack\w*|stab\w*|punch\w*|beat(?:en|ing)?|bash\w*|burn\w*|
    torch\w*|bomb\w*|firebomb\w*|blow|smash\w*|loot\w*|purge\w*|strike|blood\w*|rape\w*|
    die|dies|dead|death|rats?|vermin|cockroach\w*|roach\w*|lice|maggots?|parasit\w*|leech\w*|
    pests?|plague|disease|virus|cancer|infest\w*|infection|subhuman\w*|traitors?|treason|sellouts?|
    invad\w*|invasion|scum|trash|filth\w*|garbage|idiots?|morons?|liars?|animals?|pigs?|thugs?|
    poison\w*|weapons?|guns?|rifles?|bats|crowbars?|arm|armed|deserve\w*|hate\w*|hurt\w*|violen\w*|
    threat\w*)$"""
)

# Every act and threat above has one of these, each at the start of a word: for the cues a text
# without any is M2 at most, and one quick look says so. A test holds the cues to it.
ALARM_STEMS = _listed(
    """ablaze, address, afraid, alight, ammo, arm, attack, axe, barricad, bash, bat, beat,
        behead, blee, blew, block, blood, blow, bomb, break, brick, bring, bullet, burn,
        chain, chas, chok, cleans, clear, crack, crowbar, deserv, destroy, die, disappear,
        drag, driv, drove, drown, eradicat, execut, exterminat, fight, finish, firebomb,
        follow, forc, gallows, gun, hammer, hang, hung, hunt, hurt, jump, kick, kill, knife,
        knives, lesson, load, loot, lynch, machete, maim, march, massacr, molotov, mow,
        murder, noose, numbered, pitchfork, plates, punch, purg, ransack, rifle, rope, rot,
        round, run, scared, shoot, shot, slaughter, smash, smok, spill, stab, stomp, string,
        strung, suffer, sweep, take, tear, terrified, thrash, threw, throw, torch, trash,
        uprising, vandal, violence, wage, weapon, whip, wip, wreck, catch fire, catches
        fire, on fire, set fire, go up in, goes up in, to war, coming for, it coming, that
        coming, this coming, what's coming, whats coming, what is coming, one way or,
        something happened to, won't be safe, sleep with, watch your, know where, out where,
        are watching, 're watching, one eye open, license plate, phone number, names and,
        names of, home addr, his ho, her ho, their ho, front door, show up, turn up, in the
        ground, from vot, from leav, from enter, from getting, don't let, stop until, put
        down, down like, against the wall, against a wall, example of, pay with, pay for,
        hit first, hit back, hit them, hit before, strike first, strike before"""
)
# No cue is Spanish, or an emoji, so these only bear out what the reader sees. They are without
# accents, which move with the stress and are often left out.
BEARING_STEMS = _listed(
    """matar, matal, maten, matem, mata a, asesin, muert, muera, muere, morir, quema, queme,
        arder, ardiendo, ceniza, incendi, fuego, ahorca, ahorqu, horca, colgar, cuelg,
        colguem, lincha, linche, fusila, fusile, dispara, dispare, disparo, tiros, un tiro,
        balas, balazo, balace, balea, tirote, plomo, pistol, escopet, cuchill, acuchill,
        navaja, puñal, apuñal, degoll, deguell, decapit, bomba, explosiv, golpe, golpiz,
        paliz, a palos, garrot, patad, patear, pedrad, a piedras, pegar, pegal, pegue,
        elimin, aniquil, acabar con, acaben con, acabemos con, arras, destru, destroz,
        revent, revient, aplast, machacar, machaquen, ahoga, ahogue, sangre, sangrient,
        violen, venganz, vengar, enterrar, entierr, bajo tierra, paredon, cazar, cacemos,
        caceria, castiga, castigu, ejecutar, ejecuten, ejecutem, ejecucion, secuestr,
        escarm, a la guerra, guerra contra, van a pagar, va a pagar, lo pagar, ataca, ataqu,
        rompe, donde viv, cuida tu espalda, cuidate la espalda, 🔪, 🔫, 💣, 🗡, ⚔, 🪓, 🧨"""
)
