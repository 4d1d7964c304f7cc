"""The words and frames the first scorer knows: one table of patterns, each with its reason.

A cue is a frame (who says it should happen) around an act (what should happen) and an object (to
whom): the act alone proves nothing. Groups are generic: roles, places, pronouns, and any
capitalised plural after an article ("the Ardans"); no real group and no slur is named. Every
repetition is bounded, so that matching is linear in the length of the text.
"""

import re
from dataclasses import dataclass, field


def _any(words: str) -> str:
    """An alternation of the comma-separated ``words``; a space is any white space."""
    return "(?:" + "|".join(re.sub(r"\s+", r"\\s+", w.strip()) for w in words.split(",")) + ")"


# --- who and what ---------------------------------------------------------------------------
NAME = r"(?-i:[A-Z][\w'’-]+)"
DEMONYM = r"(?-i:[A-Z]\w{2,}(?:s|ese|ish)\b)"
MEMBER = r"(?-i:[A-Z]\w{2,}\b)"
PEOPLE = _any(
    "people, folks, families, newcomers, outsiders, strangers, settlers, immigrants, migrants, "
    "refugees, foreigners, residents, locals, neighbou?rs, tenants, workers, officials, clerks, "
    "volunteers, judges, cops, police, officers, deputies, reporters, journalists, teachers, "
    "librarians, doctors, nurses, councill?ors, council, politicians, lawmakers, lawyers, voters, "
    "supporters, activists, protesters, marchers, counters, inspectors, crowd, lot, bunch, kind, "
    "men, women, guys, boys, kids, children, ones, bastards, traitors, sellouts, collaborators, "
    "invaders, criminals, liars, poisoners, scum, rats, vermin, roaches, cockroaches, parasites"
)
PERSON = _any(
    "person, man, woman, guy, clerk, mayor, governor, senator, judge, sheriff, chief, officer, "
    "deputy, councilman, councilwoman, councill?or, official, reporter, journalist, editor, "
    "teacher, principal, librarian, doctor, nurse, pastor, priest, rabbi, imam, president, "
    "candidate, neighbou?r, worker, politician, traitor, liar, bastard, rat"
)
PLACE = _any(
    "place, building, buildings, warehouse, house, houses, home, homes, office, offices, clinic, "
    "hospital, church, mosque, temple, synagogue, gurdwara, chapel, parish, house of worship, "
    "shelter, station, store, shop, market, school, library, town hall, city hall, courthouse, "
    "polling place, polling site, polls, precinct, camp, center, centre, hotel, motel, hall, "
    "headquarters, depot, farm, barn, apartment, apartments, newsroom, capitol, gate, car, cars, "
    "truck, trucks, van, vans, bus, tents, windows?, doors?, neighbou?rhood"
)
_MODIFIERS = r"(?:[\w'’-]+\s+){0,3}?"
THE_PEOPLE = (
    rf"(?:(?:the|those|these|them|all|every|most|you|such)\s+(?:of\s+)?{_MODIFIERS}"
    rf"(?:{PEOPLE}|{DEMONYM})\b|(?:every|any|each|no)\s+(?:single\s+)?(?:{PERSON}\b|{MEMBER}))"
)
GROUP = rf"(?:\bthey\b|\byou\s+people\b|{THE_PEOPLE}|{DEMONYM}|\b{PEOPLE}\b)"
WHO = (
    rf"(?:(?:all|any|every\s+(?:last\s+)?(?:one|single\s+one)|each)\s+of\s+(?:them|you|these|those)"
    rf"|them\s+all|them|him|her|you|ya|{THE_PEOPLE}"
    rf"|(?:the|that|this|our|your|a|any)\s+{_MODIFIERS}{PERSON}\b"
    rf"|(?:the\s+)?{PERSON}\s+{NAME}|{DEMONYM})"
)
WHERE = (
    rf"(?:(?:the|that|this|their|his|her|your|every|those|these|any|each|a)\s+{_MODIFIERS}{PLACE}\b"
    rf"|{NAME}\s+{PLACE}\b)"
)

# --- acts: base form with object, past participle, and past tense -----------------------------
_HARMLESS = (  # "shoot him a text", "hang them on the wall", "take them out to dinner"
    r"(?!\s+(?:a|an|the|some|your|my)\s+(?:quick\s+)?(?:text|email|message|note|line|look|call|"
    r"hug|hand|favou?r|question|smile))(?!\s+(?:on|in|by|over|from)\s+(?:the|my|your|a)\s+(?:wall|"
    r"fridge|tree|door|hook|window|rack|line|porch))(?!\s+with\s+(?:love|kindness))(?!\s+\(with)"
)
ACT_FORMS: dict[str, str] = {
    "kill": (
        rf"(?:(?:kill|murder|shoot|hang|lynch|behead|slaughter|massacre|exterminate|eradicate|"
        rf"drown|gun\s+down|wipe\s+out|string\s+up|mow\s+down|finish\s+off)\s+{WHO}{_HARMLESS}"
        r"|(?:wipe|gun|mow|string)\s+(?:them|him|her|you)\s+(?:all\s+)?(?:out|down|up)"
        rf"|put\s+{WHO}\s+(?:down\s+like|against\s+(?:the|a)\s+wall|in\s+the\s+ground)"
        rf"|put\s+a\s+bullet\s+in\s+{WHO})"
    ),
    "assault": (
        rf"(?:(?:attack|stab|punch|stomp|whip|hurt|maim|beat\s+up|bash|jump)\s+{WHO}{_HARMLESS}"
        rf"|beat\s+{WHO}\s+(?:up|down|bloody|senseless|to\s+death|with)"
        rf"|beat\s+the\s+(?:\w+\s+){{1,2}}out\s+of\s+{WHO}"
        r"|(?:smash|crack|bash|break|kick)\s+(?:their|his|her|your|some)\s+(?:\w+\s+)?"
        r"(?:heads?|skulls?|faces?|teeth|bones|legs|knees)(?:\s+in)?"
        rf"|drag\s+{WHO}\s+(?:out|into|through|behind)|make\s+{WHO}\s+bleed"
        rf"|throw\s+{WHO}\s+(?:in|into|off|under)\s+the)"
    ),
    "damage_property": (
        rf"(?:(?:burn(?:\s+down)?|torch|firebomb|bomb|blow\s+up|set\s+fire\s+to|trash|"
        rf"smash(?:\s+up)?"
        rf"|wreck|ransack|loot|vandali[sz]e|shoot\s+up)\s+{WHERE}"
        r"|(?:burn|torch|blow|smash|tear)\s+(?:it|them|that\s+thing)\s+(?:all\s+)?"
        rf"(?:down|up|to\s+the\s+ground)|set\s+{WHERE}\s+(?:on\s+fire|ablaze|alight)|set\s+it\s+(?:on\s+fire|ablaze))"
    ),
    "forced_removal": (
        rf"(?:(?:run|drive|chase|force|throw|burn|smoke|hunt|sweep|clear)\s+{WHO}\s+(?:all\s+)?"
        rf"(?:out|off|from|across)\b|purge\s+{WHO}|cleanse\s+(?:the|our|this)\s+\w+\s+of\s+{WHO})"
    ),
    "unspecified_violence": (
        rf"(?:hit\s+{WHO}\s+where\s+it\s+hurts|take\s+{WHO}\s+out(?!\s+(?:to|for|of|on))|"
        rf"get\s+rid\s+of\s+{WHO}|take\s+up\s+arms"
        rf"|spill\s+(?:\w+\s+)?blood|go\s+to\s+war\s+(?:with|against|on)\s+{WHO}"
        rf"|make\s+(?:an\s+example\s+of\s+{WHO}|{WHO}\s+(?:suffer|pay\s+in\s+blood))"
        rf"|destroy\s+(?:them\s+all|every\s+(?:last\s+)?one\s+of\s+them)|"
        rf"fight\s+{WHO}\s+to\s+the\s+death"
        rf"|teach\s+{WHO}\s+a\s+lesson\s+they)"
    ),
    "dox": (
        r"(?:(?:post|share|publish|spread|find\s+out|get|leak|"
        r"drop)\s+(?:\w+\s+){0,1}?(?:\w+['’]s?\s+"
        r"|their\s+|his\s+|her\s+|the\s+)(?:\w+\s+){0,2}?(?:home\s+address(?:es)?|address(?:es)?|"
        r"license\s+plates?|plates|phone\s+numbers?|names\s+and\s+(?:addresses|\w+\s+plates))"
        rf"|find\s+out\s+where\s+{WHO}\s+lives?|find\s+out\s+where\s+(?:they|he|she)\s+lives?)"
    ),
    "arm_prepare": (
        r"(?:arm\s+yoursel(?:f|ves)|lock\s+and\s+load|load\s+(?:up\s+)?(?:your\s+)?(?:guns?|"
        r"rifles?)"
        r"|(?:get|grab|clean)\s+your\s+(?:guns?|rifles?|shotguns?|ammo)|stock\s+up\s+on\s+ammo)"
    ),
    "intimidate": (
        rf"(?:make\s+{WHO}\s+(?:afraid|scared|too\s+scared|terrified)|follow\s+{WHO}\s+home"
        rf"|(?:show\s+up|go|march|turn\s+up|come)\s+armed\b[^.!?\n]{{0,30}}?(?:\bat|\bto|\bin)\s+"
        rf"{WHERE}|(?:show\s+up|turn\s+up|march|go|come|be)\s+(?:at|to|on|outside)\s+{WHERE}"
        r"[^.!?\n]{0,30}?(?:\barmed\b|\bwith\s+(?:your\s+|our\s+)?(?:guns|rifles|weapons|bats|"
        r"torches))"
        r"|(?:show\s+up|turn\s+up|go|come)\s+(?:at|to|outside)\s+(?:his|her|their)\s+"
        r"(?:\w+\s+)?(?:house|home|homes|houses|front\s+door)"
        rf"|let\s+{WHO}\s+know\s+we(?:['’]re|\s+are)\s+watching)"
    ),
    "obstruct": (
        rf"(?:(?:block|barricade|blockade|chain)\s+(?:off\s+)?(?:{WHERE}|the\s+(?:entrance|exits?|"
        r"gates?|doors?|road\s+out))[^.!?\n]{0,12}?(?:so|until|to\s+(?:keep|stop)|"
        r"and\s+(?:don['’]?t|do\s+not)\s+let)"
        rf"|(?:stop|keep|prevent)\s+{WHO}\s+from\s+(?:voting|leaving|entering|getting\s+(?:in|out))"
        rf"|don['’]?t\s+let\s+{WHO}\s+(?:vote|leave|through|in|out)\b)"
    ),
    "exclude": (
        rf"(?:kick\s+{WHO}\s+out|(?:keep|get)\s+{WHO}\s+out\s+of\s+(?:our|this|the)\s+(?:town|"
        rf"country|schools?|neighbou?rhood|state|streets?|church(?:es)?)|(?:refuse\s+to\s+serve|"
        rf"don['’]?t\s+(?:serve|hire|rent\s+to|sell\s+to))\s+{WHO})"
    ),
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
    "kill": "killed, shot, hanged, hung, lynched, executed, put down, exterminated, eradicated, "
    "wiped out, murdered, slaughtered, put against a wall, strung up, drowned",
    "assault": "beaten, stabbed, punched, hurt, whipped, dragged out, attacked, dragged through "
    "the streets, thrown in the river",
    "damage_property": "burned, burnt, burned down, burnt down, torched, firebombed, bombed, blown "
    "up, burned to the ground, smashed",
    "forced_removal": "run out of town, driven out, chased out, cleared out, purged, smoked out",
}
PASTS = {
    "kill": "shot, killed, murdered, hanged, lynched, stabbed",
    "assault": "beat up, beat, attacked, punched, hurt",
    "damage_property": "burned, burnt, burns, torched, torches, firebombed, bombed, set fire to, "
    "smashed, blew up",
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


def _re(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_GAP = r"(?:(?!(?:not|never|nobody|no|don['’]?t|nothing|without)\b)[\w'’-]+,?\s+)"
_START = r"(?:^|(?<=[.!?,;:\n–—()\"“”*-])|(?<=\band\b)|(?<=\bthen\b)|(?<=\bso\b))\s*"
_WILL = (
    r"(?:\s+will|['’]ll|(?:\s+am|['’]m|\s+are|['’]re)\s+(?:going\s+to|gonna|coming\s+to|about\s+to)"
    r"|\s+gonna|\s+shall)"
)
_MUST = r"(?:must|should|have\s+to|has\s+to|needs?\s+to|got\s+to|gotta|ought\s+to|better)"
_FRAMES: list[tuple[str, str, str, str]] = [  # force, threat, what stands before the act, words
    ("announce", "direct", rf"\b(?:i|we){_WILL}\s+{_GAP}{{0,2}}?", "Announces {}"),
    ("urge", "none", rf"\b(?:let['’]?s|let\s+us|time\s+to)\s+{_GAP}{{0,2}}?", "Calls for {}"),
    ("urge", "none", rf"\b(?:we|you|everyone|everybody|"
                     rf"y['’]?all)\s+(?:all\s+)?{_MUST}\s+{_GAP}{{0,2}}?",
     "Calls for {}"),
    ("urge", "none", rf"{_START}(?:(?:just|now|go|please|everyone|everybody|and|then|"
                     rf"so)\s+){{0,2}}",
     "Calls for {}"),
    ("wish", "none", r"\b(?:some(?:one|body)|any(?:one|body)|people|they|the\s+(?:boys|cops|"
                     r"army))\s+"
     rf"{_MUST}\s+(?:have\s+)?{_GAP}{{0,3}}?", "Wishes for {}"),
    ("wish", "none", r"(?:\bhope|\bwish|\bpray|(?:would|['’]d)\s+love\s+to|"
                     r"\bcan['’]?t\s+wait\s+(?:to|until|"
     rf"till)|\bif\s+only)\s+{_GAP}{{0,4}}?", "Wishes for {}"),
]  # fmt: skip


# "The bill should be killed" speaks of paper.
_NO_BILL = "".join(rf"(?<!\b{w})" for w in ("bill", "plan", "deal", "idea", "proposal", "project"))


def _one_of(forms: dict[str, str]) -> str:
    """One alternative per act, each in a group named after the act."""
    return "(?:" + "|".join(rf"(?P<{act}>\b{form})" for act, form in forms.items()) + ")"


_PARTICIPLE = _one_of({act: _any(words) + r"\b" for act, words in PARTICIPLES.items()})
_PAST = _one_of({act: _any(words) + rf"\s+(?:{WHO}|{WHERE})" for act, words in PASTS.items()})


def _act_cues() -> list[Cue]:
    """Cues whose act is named by the group that matched."""
    return [
        *(
            Cue(_re(before + _one_of(ACT_FORMS)), words, force=force, threat=threat)
            for force, threat, before, words in _FRAMES
        ),
        Cue(_re(rf"{_NO_BILL}\s(?:{_MUST}\s+(?:all\s+)?(?:be|get)|deserves?\s+to\s+be|"
                rf"(?:should|could)(?:['’]?ve|"
                rf"\s+have)(?:\s+all)?(?:\s+been)?)\s+{_GAP}{{0,1}}?{_PARTICIPLE}"),
            "Says {} would be right", force="justify"),
        Cue(_re(rf"\b(?:hope|wish|want|love\s+to\s+see)\s+{_GAP}{{0,6}}?{_PARTICIPLE}"),
            "Wishes for {}", force="wish"),
        Cue(_re(rf"(?:\bwho(?:ever)?|\bthat)\s+{_GAP}{{0,2}}?{_PAST}[^.!?\n]{{0,40}}?\b(?:is|"
                rf"are|was|were)\s+(?:a\s+"
                r"|an\s+)?(?:real\s+|true\s+)?(?:hero(?:es)?|legends?|patriots?|saints?|"
                r"martyrs?)\b"),
            "Praises {}", force="praise", hallmarks={"H9": 2}),
        Cue(_re(rf"\b(?:glad|happy|proud|good|thank\s+god|"
                rf"about\s+time)\s+(?:that\s+)?(?:some(?:one|body)|they|he|she"
                rf"|those\s+\w+|the\s+\w+)\s+{_GAP}{{0,2}}?{_PAST}"),
            "Praises {}", force="praise"),
    ]  # fmt: skip


_VERMIN = _any(
    "rats, vermin, cockroach(?:es)?, roach(?:es)?, lice, maggots, parasites?, leech(?:es)?, "
    "pests?, "
    "locusts, plague, disease, virus, cancer, tumou?r, infestation, infection, subhumans?, "
    "not (?:even )?(?:human|people)\\b, less than human, not human like us"
)
_INSULT = _any(
    "idiots?, morons?, imbeciles?, fools?, clowns?, losers?, scum, trash, filth, garbage, "
    "stupid, dumb, "
    "lazy, dirty, disgusting, pathetic, worthless, useless, rude, rudest, liars?, "
    "crooks?, "
    "freeloaders?, bums?, animals, pigs, snakes, monkeys, freaks?, thugs?, ungrateful, whiny, worst"
)
_LIKE = (
    r"(?:(?:all|just|really|literally|nothing\s+but|nothing\s+more\s+than|like|a\s+bunch\s+of|"
    r"such|the|"
    r"a|an|no\s+better\s+than|basically|worse\s+than|total|are)\s+){0,4}"
)
_COMING = (
    r"(?:will|['’]ll|are\s+going\s+to|['’]re\s+going\s+to|are\s+coming|['’]re\s+coming|"
    r"want\s+to|plan\s+"
    r"to|are\s+planning|are\s+about|came\s+here|came|won['’]?t\s+stop\s+till)"
)
_HARM_US = (
    r"(?:come\s+for|attack|kill|murder|slaughter|destroy|replace|hurt|burn|poison|wipe\s+out|"
    r"hit|rape|"
    r"enslave|finish|get|take\s+over|wipe)"
)

CUES: list[Cue] = [
    *_act_cues(),
    # threats without a plain announcement
    Cue(_re(rf"\b(?:if|unless)\s+(?:you|they|he|she|{THE_PEOPLE})\b[^.!?\n]{{1,80}}?\b(?:i|"
            rf"we){_WILL}\s+"
            rf"(?:\w+\s+){{0,2}}?(?P<what>\b(?:{ACT_FORMS['kill']}|{ACT_FORMS['assault']}|"
            rf"{ACT_FORMS['damage_property']}))"),
        "Threatens violence on a condition", act="unspecified_violence", force="announce",
        threat="conditional"),
    Cue(_re(r"\b(?:(?:they|you|he|she|traitors?|"
            r"" + DEMONYM + "|" + THE_PEOPLE + r")(?:['’]ll|\s+will|\s+are"
            r"\s+going\s+to|\s+always|\s+all)?\s+)?(?:gets?|get\s+all)\s+what(?:['’]?s|"
            r"\s+is)\s+coming\b"),
        "Hints that harm is on its "
        "way", act="unspecified_violence", force="predict", threat="veiled"),
    Cue(_re(r"\bwatch\s+your\s+backs?\b|\bsleep\s+with\s+one\s+eye\s+open|\b(?:i|"
            r"we)\s+know\s+where\s+(?:you|"
            r"they|he|she)\s+(?:all\s+)?(?:lives?|works?|sleeps?)|\b(?:your|"
            r"their)\s+days\s+are\s+numbered|"
            r"\b(?:leaving|going|out)\s+one\s+way\s+or\s+(?:the\s+|an)other|\b(?:shame|"
            r"pity)\s+if\s+something\s+happened\s+to\s+(?:you|them|him|her|that|your|their)|"
            r"\b(?:you|they)\s+won['’]?t\s+be\s+safe"),
        "Hints that harm is on its way", threat="veiled"),
    # condoning without one of the act forms
    Cue(_re(r"\b(?:they|he|she|you|" + DEMONYM + "|" + THE_PEOPLE + r")\s+(?:all\s+|really\s+|"
            r"just\s+)?deserves?"
            r"\s+(?:to\s+(?:die|burn|bleed|suffer|hang|rot|be\s+afraid)|it\b|"
            r"whatever\s+(?:happens|comes|"
            r"they|he|she)|what(?:['’]s|\s+is)\s+coming|(?:a|the)\s+(?:good\s+)?(?:beating|"
            r"bullet|rope))"),
        "Says harm would be deserved", act="unspecified_violence", force="justify",
        hallmarks={"H7": 1}),
    Cue(_re(r"\b(?:they|he|she|you|those\s+\w+)?(?:['’]?ve\s+got|\s+had|\s+have|\s+has|"
            r"\s+got)\s+(?:it|that|this)"
            r"\s+coming\b|\bthe\s+beating\s+they(?:['’]ve|\s+have)\s+got\s+coming"),
        "Says harm was deserved", act="unspecified_violence", force="justify", hallmarks={"H7": 1}),
    Cue(_re(r"\b(?:give|deserves?|needs?|gets?|earned)\s+(?:(?:those|these|the|them|him|"
            r"her)\s+)?(?:\w+\s+)?(?:a|the)"
            r"\s+(?:good\s+)?beating\b"),
        "Speaks for a beating", act="assault", force="wish"),
    Cue(_re(rf"\bhope\s+(?:(?:i|we)\s+\w+\s+)?(?:it|they|he|she|you|{WHERE}|{THE_PEOPLE}|"
            rf"{DEMONYM})\s+(?:all\s+)?"
            r"(?P<what>dies?|burns?|bleeds?|chokes?|rots?|suffers?|drowns?|catch(?:es)?\s+fire|"
            r"go(?:es)?\s+up\s+in"
            r"\s+(?:flames|smoke)|gets?\s+(?:shot|hurt|killed|beaten))\b"),
        "Wishes harm", act="unspecified_violence", force="wish"),
    Cue(_re(r"\blove\s+to\s+see\s+" + _GAP + r"{1,7}?(?P<what>thrown|dragged|burned|hanged|shot|"
                                             r"beaten|drowned|"
            r"bleed|burn|hang)\b"),
        "Wishes harm", act="unspecified_violence", force="wish"),
    Cue(_re(rf"\bif\s+(?:{WHERE}|{WHO}|it|they)\s+(?P<what>burns?(?:\s+down)?|"
            rf"burned(?:\s+down)?|dies?|gets?\s+hurt)"
            r"\b[^.!?\n]{0,30}?\b(?:cheer|celebrate|deserve|laugh|dance|won['’]?t\s+cry|"
            r"good\s+riddance)"),
        "Welcomes harm", act="unspecified_violence", force="praise"),
    Cue(_re(rf"\b(?:wouldn['’]?t|won['’]?t|not\s+going\s+to)\s+(?:lose\s+(?:any\s+)?sleep|cry|"
            rf"shed\s+a\s+tear)\s+if\s+"
            rf"(?:{WHERE}|{WHO}|it|they)\s+(?:\w+\s+){{0,2}}?(?P<what>burn(?:ed|t|s)?|died?|"
            rf"got\s+(?:shot|hurt)|"
            r"disappeared)"),
        "Would welcome harm", act="unspecified_violence", force="wish"),
    Cue(_re(r"\bthere\s+will\s+be\s+blood\b|\bblood\s+(?:will|is\s+going\s+to)\s+(?:run|flow|"
            r"be\s+(?:spilled|shed))"
            r"|\bif\s+it\s+takes\s+blood\b|\bpay\s+(?:for\s+\w+\s+)?(?:in\s+blood|"
            r"with\s+(?:your|their|his|her)\s+li"
            rf"(?:fe|ves))|\b(?:{WHERE}|{GROUP})\s+(?:will|['’]ll|is\s+going\s+to|"
            rf"are\s+going\s+to)\s+(?:burn|bleed|hang)\b"),
        "Foretells bloodshed", act="unspecified_violence", force="predict"),
    Cue(_re(r"\b(?:strike|hit\s+(?:them|back))\s+(?:first|before\s+(?:they|you))\b|"
            r"\bkill\s+or\s+be\s+killed\b|\bhit\s+them"
            r"\s+before\s+they\s+hit\s+us"),
        "Argues for striking first", act="unspecified_violence", force="justify",
        hallmarks={"H7": 2}),
    # hallmarks
    Cue(_re(rf"(?:{GROUP}|\bare)(?:\s+(?:are|is|were)|['’]re)?\s+{_LIKE}(?P<what>{_VERMIN})\b"),
        "Calls people vermin, a disease or not human", hallmarks={"H1": 2}),
    Cue(_re(r"(?:\b(?:these|those|the|you)\s+(?:\w+\s+)?(?:rats|vermin|cockroaches|roaches|"
            r"parasites|maggots)\b"
            r"[^.!?\n]{0,40}?\b(?:overr[au]n|infest|got\s+(?:to|in)|took\s+over|went\s+for|"
            r"came\s+for)\b)"
            r"|\bbreed(?:ing)?\s+like\s+\w+|\b(?:the|this|an)\s+infestation\s+(?:is|has|"
            r"in)\s+(?:\w+\s+){0,4}?our\b"
            r"|\blike\s+rats\s+(?:in|from|on)\b"),
        "Speaks of people as vermin or a disease", hallmarks={"H1": 2}),
    Cue(_re(rf"(?:{GROUP})(?:['’]ll)?\s*(?:{_COMING}\s+)(?:\w+\s+){{0,2}}?"
            rf"(?P<what>{_HARM_US})\s+(?:\w+\s+){{0,1}}?(?:us\b|you\b|"
            r"everyone|our\b|your\s+(?:family|families|kids|children|home|homes))(?:\s+out)?"),
        "Says the others are about to attack us", hallmarks={"H2": 2}),
    Cue(_re(rf"(?:{GROUP})\s+(?:attacked|poisoned|invaded)\s+us\s+first\b|"
            rf"\battack\s+again\b[^.!?\n]{{0,20}}?\bwe\b"),
        "Says the others attacked first", hallmarks={"H2": 2}),
    Cue(_re(r"\b(?:overrunning|overran|invading|infesting|replacing|erasing)\s+(?:us|our|"
            r"this)\b|\bwiping?\s+us\s+out|"
            rf"\b(?:{DEMONYM}|{PEOPLE})\s+(?:are\s+)?(?:invaders|an\s+invasion)\b|"
            rf"\bpoison(?:ing)?\s+our\s+(?:blood|race|"
            rf"people|children)|\btill\s+no\s+{MEMBER}\s+is\s+left"),
        "Says our group is being overrun or replaced", hallmarks={"H3": 2}),
    Cue(_re(r"\b(?:destroying|ruining|flooding|taking\s+over)\s+(?:our|this)\s+(?:country|town|"
            r"nation|city|way\s+of\s+life|"
            r"culture|neighbou?rhood)"),
        "Says our group is under threat", hallmarks={"H3": 1}),
    Cue(_re(rf"(?:{GROUP})\s+(?:are\s+|will\s+|['’]ll\s+|want\s+to\s+|"
            rf"come\s+to\s+)?(?:\w+ing\s+)?(?:rap(?:e|ing)|molest(?:ing)?|"
            r"snatch(?:ing)?|grab(?:bing)?|kidnap(?:ping)?|traffic(?:king)?|prey(?:ing)?\s+on|"
            r"attack(?:ing)?|touch(?:ing)?|"
            r"steal(?:ing)?|poison(?:ing)?)\s+(?:our|your|the)\s+(?:\w+\s+)?(?:women|girls|"
            r"wives|daughters|children|kids|"
            r"babies)"),
        "Says the others attack women, girls or children", hallmarks={"H4": 2}),
    Cue(_re(rf"\b(?:is|are|was)\s+(?:all\s+|just\s+|nothing\s+but\s+)?(?:a\s+)?(?:traitors?|"
            rf"sellouts?|collaborators?|"
            rf"turncoats?)\b|\b(?:you|these|those|the|our|fucking)\s+traitors?\b|"
            rf"\btraitors?\s+(?:to|every|among|in|get|will|"
            r"should|must|deserve|who|like|all)\b|\benem(?:y\s+within|ies\s+of\s+the\s+people)|"
            r"\bsold\s+(?:us|our\s+\w+|"
            rf"{DEMONYM})\s+out\b"),
        "Calls people traitors to their own side", hallmarks={"H5": 2}),
    Cue(_re(r"\b(?:it['’]?s\s+)?(?:us\s+or\s+them|them\s+or\s+us)\b|\bonly\s+(?:language|thing|"
            r"way)\s+(?:that\s+)?(?:the\s+)?"
            rf"(?:they|these\s+people|those\s+people|{DEMONYM})\s+(?:\w+\s+){{0,1}}?understand|"
            rf"\bby\s+any\s+means\s+necessary|"
            r"\bno\s+(?:other\s+)?(?:choice|option|way|"
            r"alternative)\s+(?:left\s+)?but\s+to\s+(?:fight|strike|attack|kill|"
            r"defend\s+ourselves|use\s+force|take\s+up)|\bforce\s+is\s+the\s+only\b"),
        "Says there is no way but force", hallmarks={"H7": 2}),
    Cue(_re(rf"(?:\b(?:they|you)(?:\s+are|['’]re)\s+all\s+(?:guilty|in\s+on|to\s+blame|"
            rf"responsible|criminals|murderers|"
            rf"terrorists|poisoners|rapists)|\b(?:all|every)\s+(?:of\s+them|(?:single\s+|"
            rf"last\s+)?(?:one\s+of\s+them|{MEMBER}|"
            rf"{DEMONYM}))\s+(?:is|are|was|were)\s+(?:all\s+)?(?:guilty|in\s+on|to\s+blame|"
            rf"responsible|criminals?|murderers?|"
            r"terrorists?|poisoners?|rapists?)|\ball\s+of\s+them\s+were\s+in\s+on\b)"),
        "Blames everyone in a group", hallmarks={"H8": 2}),
    Cue(_re(rf"(?:\b(?:they|you|these|those)|{THE_PEOPLE}|{DEMONYM}|{PEOPLE}|\b(?:council|"
            rf"county|board|department))(?:\s+(?:are|is)|"
            rf"['’]re)\s+(?:run\s+by\s+)?{_LIKE}(?:\w+,?\s+){{0,2}}?(?P<what>{_INSULT})\b|"
            rf"\b(?:liars|bums|idiots|morons|fools|"
            rf"clowns|scum|trash|filth)\s+and\s+(?:\w+\s+)?{_INSULT}|"
            rf"\bcan['’]?t\s+stand\s+(?:the\s+sight\s+of\s+)?"
            rf"(?:them|those|these|{THE_PEOPLE})|\b(?:i\s+)?hate\s+(?:{THE_PEOPLE}|"
            rf"(?-i:[A-Z]\w+s)\b)|\b(?:bunch|load|pack)\s+of"
            rf"\s+(?:\w+\s+){{0,3}}?{_INSULT}|\beveryone\s+(?:\w+\s+){{1,4}}is\s+(?:a\s+|"
            rf"an\s+)?{_INSULT}|\b{_INSULT}\s+"
            rf"(?:{PEOPLE}|every\s+one\s+of\s+(?:them|you))\b"),
        "Insults a group", demeaning=True),
]  # fmt: skip

# --- calls to gather armed ------------------------------------------------------------------
WEAPON = _re(
    r"\b(?:(?:baseball\s+)?bats|crowbars?|bricks|torches|gasoline|petrol|molotovs?|machetes?|"
    r"pitchforks|guns?|rifles?|"
    r"shotguns?|pistols?|ar-?15s?|ammo|knives|knife|bombs?|matches|weapons?|hammers|bullets?)\b"
)
BRING = _re(
    r"\b(?:bring|grab|pack|carry|come\s+with|meet\s+with)\s+(?:your\s+|some\s+|a\s+|"
    r"the\s+)?(?:own\s+)?(?:[\w-]+\s+){0,2}?" + WEAPON.pattern.removeprefix(r"\b")
)

# --- specifics -------------------------------------------------------------------------------
TIME_NOW = _re(r"\bright\s+now\b|\bon\s+my\s+way\b|\bon\s+our\s+way\b|\bthis\s+minute\b")
TIME_48H = _re(r"\b(?:tonight|today|tomorrow|this\s+(?:morning|afternoon|evening))\b")
TIME_7D = _re(
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\bthis\s+week(?:end)?\b|"
    r"\b\d{1,2}(?::\d\d)?\s*(?:am|pm|a\.m\.|p\.m\."
    r"|o['’]?clock)(?!\w)|\bat\s+(?:noon|midnight|dawn|\d{1,2}(?::\d\d)?)(?![\w:])|"
    r"\b\d{1,2}\s+tonight"
)
NAMED_PLACE = _re(
    rf"\b(?:at|in|to|outside|front\s+of|near|on|behind)\s+(?:{WHERE}|{NAME}(?:\s+{NAME})?)|"
    rf"\b{NAME}\s+{PLACE}\b|"
    r"\bhouse\s+of\s+worship\b"
)
GATHERING_PLACE = _re(rf"\b{PLACE}\b")
NAMED_TARGET = _re(
    rf"\b(?:{PERSON}\s+{NAME}|(?:the|that|this|our|your)\s+(?:\w+\s+)?{PERSON}|{DEMONYM}|"
    rf"traitors?)\b|{THE_PEOPLE}|"
    r"\b(?:you|them|him|her)\b"
)
CAPABILITY = _re(
    r"\b(?:i|we)(?:['’]ve|\s+have)?\s+(?:got\s+|have\s+|own\s+)(?:a|my|the|our|two|three|"
    r"plenty\s+of)\s+(?:loaded\s+)?(?:gun|guns|"
    r"rifle|rifles|shotgun|pistol|bomb|ammo|gasoline)|\b(?:been|we['’]?re)\s+watching\s+(?:you|"
    r"them|him|her|the)|\b(?:i|we)\s+"
    r"know\s+where\s+(?:you|they|he|she)\s+(?:live|work|park|lives|works|parks)|"
    r"\bdriving\s+(?:there|over|to)\b|\bwith\s+my\s+"
    r"(?:gun|rifle|shotgun|pistol|knife|bat)\b"
)

# --- gates: why a cue may not be the author's own words ---------------------------------------
CONDEMNS = _re(
    r"\bcondemn(?:s|ed|ing)?\s+(?:\w+\s+){0,3}?(?:violence|violent|attacks?|threats?|hate|"
    r"hatred|calls?|remarks?|comments?|"
    r"words?|rhetoric|language|slurs?|posts?|this|it|that)\b|\bdenounc(?:e|es|ed|ing)\b|"
    r"\bviolence\s+is\s+(?:never|not)\b|"
    r"\bno\s+(?:place|excuse|room)\s+for\s+(?:\w+\s+){0,3}?(?:violence|hate|hatred|threats?|"
    r"talk|words?)|\bnobody\s+(?:deserves|"
    r"has)\s+(?:that|this|it|to)|\bno\s+one\s+deserves\b|\bshame\s+on\s+(?:any|who|those|"
    r"everyone|you\s+for)|\b(?:is|isn['’]?t|"
    r"are|not)\s+(?:not\s+)?who\s+we\s+are\b|\b(?:saying|calling|talk|threats?|words?|posts?|"
    r"burning|hurting|killing|attacking|"
    r"violence)\b[^.!?\n]{0,60}?\b(?:is|are)\s+(?:so\s+|just\s+|plain\s+|always\s+)?(?:wrong|"
    r"unacceptable|shameful|disgusting|"
    r"evil|poison)|\bashamed\s+for\b"
)
# Weaker: a request that only counts in the cue's own sentence, or beside a quotation.
CALMS = _re(
    r"\b(?:don['’]?t|stop|quit|please)\s+(?:talk(?:ing)?\s+like|say(?:ing)?|call(?:ing)?|"
    r"spread(?:ing)?|shar(?:e|ing)|threaten(?:ing)?|"
    r"hurt(?:ing)?|repeat(?:ing)?|be\s+(?:decent|kind|calm)|think\s+about|calm|breathe)\b|"
    r"\breport(?:ed)?\s+(?:a|the|that|this|it)\b|"
    r"\btake\s+it\s+down\b|\bdelete\s+(?:it|this|that)\b|\bstay\s+(?:home|peaceful|calm)\b|"
    r"\bthat\s+word\s+is\b|\bwas\s+wrong\s+to\b"
)
REPORTS = _re(
    r"\b(?:police|officers?|officials?|deputies|prosecutors?|authorities|"
    r"sheriff(?:['’]s\s+office)?|investigators|witnesses|mayor|"
    r"chief|judge|court|indictment|complaint|affidavit|documents|"
    r"records)\b[^.!?\n]{0,40}?\b(?:said|says|told|reported?|alleged?s?|"
    r"wrote|charged|stated)\b(?!\s+(?:nothing|no\b))|\b(?:was|is|were)\s+quoted\b|\bquot(?:es?|"
    r"ed|ing)\b|\baccording\s+to\b|"
    r"\ballegedly\b|\b(?:was|were)\s+(?:charged|arrested|convicted|sentenced)\b|"
    r"\baware\s+of\s+(?:a|the)\s+posts?\b|\bposts?\s+that\s+says?\b|\b(?:posts?|man|"
    r"men|group|suspects?)\s+(?:urging|calling\s+for|threatening|accused)|"
    r"\bthe\s+post\s+(?:said|read|says)"
)
# "a post that says to bring bats", "posts urging people to burn": told of, not called for.
NARRATED = _re(
    r"\b(?:says?|said|urg(?:es?|ed|ing)|tells?|told|telling|ask(?:s|ed|ing)?|call(?:s|ed|"
    r"ing)\s+(?:on|for)"
    r"|threaten(?:s|ed|ing)?|plann(?:ed|ing)|accused)\s+(?:[\w'’-]+\s+){0,3}?(?:to|"
    r"of)\s+(?:[\w'’-]+\s+){0,3}?$"
)
SPEAKING = _re(
    r"(?<!\bi\s)\b(?:said|says|saying|say|wrote|writes|posted|tweeted|yelled|shouted|chanted|told|"
    r"commented|texted|screamed|claimed|repeated|called|calling|call|writing|urging)\b"
    r"|\b(?:reads?|heard|saw|post|sign|banner|graffiti|quote[sd]?|word)\b"
)
# "a post that says to bring bats", "posts urging people to burn": told of, not called for.
NARRATED = _re(
    r"\b(?:says?|said|urg(?:es?|ed|ing)|tells?|told|telling|ask(?:s|ed|ing)?|call(?:s|ed|"
    r"ing)\s+(?:on|for)"
    r"|threaten(?:s|ed|ing)?|plann(?:ed|ing)|accused)\s+(?:[\w'’-]+\s+){0,3}?(?:to|"
    r"of)\s+(?:[\w'’-]+\s+){0,3}?$"
)
SPEAKING = _re(
    r"(?<!\bi\s)\b(?:said|says|saying|say|wrote|writes|posted|tweeted|yelled|shouted|chanted|"
    r"told|commented|texted|screamed|claimed|reads?|"
    r"repeated|called|calling|call|heard|post|sign|banner|graffiti|quote[sd]?|word|writing|"
    r"urging)\b"
)
FIGURATIVE = _re(
    r"\b(?:game|games|gameday|gg|match|lobby|ranked|raid|boss\s+fight|controller|xbox|"
    r"playstation|nintendo|minecraft|mario\s+kart|"
    r"chess|scrabble|trivia|karaoke|league|season|playoffs?|tournament|quarterback|qb|"
    r"linebacker|coach|team|teams|offense|(?<!self[ -])defense|"
    r"halftime|quarter|inning|innings|touchdown|goalie|football|baseball|softball|basketball|"
    r"soccer|hockey|practice|tryouts|"
    r"scrimmage|varsity|on\s+stage|gig|setlist|set\s+list|stand-?up|comedy|band|solo|album|"
    r"movie|novel|episode|recipe|oven|grill|"
    r"spin\s+class|workout|gym|leg\s+day|paintball|laser\s+tag|nerf|(?-i:#Go)\w+|range\s+day|"
    r"hunting|weeds?|ants|wasps?|mosquitoe?s?|"
    r"mold|germs|termites|fleas|spiders|bears|lions|tigers|eagles|hawks|wildcats|bulldogs|"
    r"panthers|cougars|mustangs|"
    r"\d{1,3}\s*[-–]\s*\d{1,3})\b"
)
NOT_FIGURATIVE = _re(r"\b(?:not|isn['’]?t|no)\s+(?:a\s+|just\s+a\s+)?game\b")
POLICY = _re(
    r"\b(?:congress|senate|house|lawmakers|legislature|parliament|government|governor|president|"
    r"council|county|city|state|board|"
    r"courts?|prosecutors?|da|voters|feds|department|sheriff)\s+(?:\w+\s+)?(?:should|must|"
    r"needs?\s+to|has\s+to|ought\s+to|better)\s+"
    r"(?:\w+\s+){0,2}?(?:deport|prosecute|ban|arrest|jail|evict|defund|fund|tax|vote|pass|"
    r"repeal|impeach|close|expel|remove|inspect|"
    r"test|indict|sue|fire|cut|raise|stop|end|put|hold|pay|build|regulate)\b|\b(?:vote|"
    r"voting)\s+(?:no|yes|against|for|out)\b|"
    r"\bprosecute\b|\bpetition\b"
)
DOUBT = _re(r"\b(?:lol|lmao|jk|haha+|just\s+kidding|/s)\b|[😂🤣]|\?\s*$")
NEGATED = _re(
    r"\b(?:don['’]?t|do\s+not|doesn['’]?t|didn['’]?t|never|not|no\s+one|nobody|without|stop|"
    r"refuse\s+to|nor|neither|shouldn['’]?t|"
    r"mustn['’]?t|can['’]?t|won['’]?t|wouldn['’]?t|isn['’]?t|aren['’]?t|against|instead\s+of|"
    r"rather\s+than|before\s+anyone)\b"
    r"(?:\s+[\w'’-]+){0,3}\s*$"
)
TURN = _re(r"\b(?:but|however|except|still,|so\s+let['’]?s)\b")
# Words that never stand in a title: what the cues call violent or dehumanising.
LOADED_WORDS = _re(
    r"^(?:kill\w*|murder\w*|shoot\w*|shot|hang(?:ed|ing)?|lynch\w*|slaughter\w*|behead\w*|"
    r"massacre\w*|extermina\w*|eradicat\w*|attack\w*|"
    r"stab\w*|punch\w*|beat(?:en|ing)?|bash\w*|burn\w*|torch\w*|bomb\w*|firebomb\w*|blow|"
    r"smash\w*|loot\w*|purge\w*|strike|blood\w*|rape\w*|"
    r"die|dies|dead|death|rats?|vermin|cockroach\w*|roach\w*|lice|maggots?|parasit\w*|leech\w*|"
    r"pests?|plague|disease|virus|cancer|"
    r"infest\w*|infection|subhuman\w*|traitors?|treason|sellouts?|invad\w*|invasion|scum|trash|"
    r"filth\w*|garbage|idiots?|morons?|liars?|"
    r"animals?|pigs?|thugs?|poison\w*|weapons?|guns?|rifles?|bats|crowbars?|arm|armed|"
    r"deserve\w*|hate\w*|hurt\w*|violen\w*|threat\w*)$"
)
