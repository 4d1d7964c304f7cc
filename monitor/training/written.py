"""Training text written for this project: pairs that differ in what is said, not in their words.

Each line of ``written/*.jsonl`` is one text with the codebook's answer. A text may hold slots in
braces, filled anew at every use, so that no group stands more often beside hate than another::

    {"family": "counter_speech", "pair": "c1", "text": "Nobody may call {groups} animals.",
     "stance": "condemns", "target_kind": "group", "hate": 0, "violence": 0, "dehumanising": 0,
     "level": 0, "lang": "en"}

``family``: the kind of case, for accuracies by kind. ``pair``: texts with the same value are
variants of one another; they are trained on or held back together. ``violence``: the author
threatens, calls for, wishes, praises or justifies violence (M3 and M4). ``hate``: the author
demeans, dehumanises, excludes or threatens people as members of a group. ``signs``: what makes it
M2 beside that: hallmarks H2 to H9, exclusion, coercion. A text below M2 has none; one above may be
left without an answer.

``python -m monitor.training.written`` reads every file and prints the counts, or what is wrong.
"""

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from monitor.coding.codebook import HALLMARKS, SCORING_STANCES, STANCES, TARGET_KINDS
from monitor.reading.careful import EXCLUSION, SIGNS, THREAT

# Plural and singular, evenly over the codebook's kinds of group and both sides of politics.
GROUPS = {
    "en": [
        *[("Black people", "Black person"), ("white people", "white person")],
        *[("Latinos", "Latino"), ("Asians", "Asian"), ("Native Americans", "Native American")],
        *[("Muslims", "Muslim"), ("Jews", "Jew"), ("Christians", "Christian")],
        *[("Catholics", "Catholic"), ("Hindus", "Hindu"), ("Sikhs", "Sikh")],
        *[("atheists", "atheist"), ("evangelicals", "evangelical"), ("Mormons", "Mormon")],
        *[("immigrants", "immigrant"), ("refugees", "refugee"), ("Mexicans", "Mexican")],
        *[("Haitians", "Haitian"), ("Chinese people", "Chinese person"), ("Arabs", "Arab")],
        *[("Somalis", "Somali"), ("Russians", "Russian"), ("foreigners", "foreigner")],
        *[("women", "woman"), ("men", "man"), ("gay people", "gay person")],
        *[("lesbians", "lesbian"), ("trans people", "trans person"), ("gays", "gay guy")],
        *[("trans women", "trans woman"), ("disabled people", "disabled person")],
        *[("deaf people", "deaf person"), ("autistic people", "autistic person")],
        *[("Democrats", "Democrat"), ("Republicans", "Republican"), ("liberals", "liberal")],
        *[("conservatives", "conservative"), ("MAGA people", "MAGA guy")],
        *[("leftists", "leftist"), ("Trump voters", "Trump voter")],
        *[("Biden voters", "Biden voter"), ("election workers", "election worker")],
        *[("journalists", "journalist"), ("cops", "cop"), ("nurses", "nurse")],
        *[("teachers", "teacher"), ("librarians", "librarian"), ("judges", "judge")],
    ],
    "es": [
        *[("los negros", "un negro"), ("los blancos", "un blanco"), ("los latinos", "un latino")],
        *[("los asiáticos", "un asiático"), ("los indígenas", "un indígena")],
        *[("los musulmanes", "un musulmán"), ("los judíos", "un judío")],
        *[("los cristianos", "un cristiano"), ("los católicos", "un católico")],
        *[("los evangélicos", "un evangélico"), ("los ateos", "un ateo")],
        *[("los inmigrantes", "un inmigrante"), ("los refugiados", "un refugiado")],
        *[("los mexicanos", "un mexicano"), ("los haitianos", "un haitiano")],
        *[("los venezolanos", "un venezolano"), ("los árabes", "un árabe")],
        *[("las mujeres", "una mujer"), ("los hombres", "un hombre")],
        *[("los gays", "un gay"), ("las lesbianas", "una lesbiana")],
        *[("las personas trans", "una persona trans"), ("los discapacitados", "un discapacitado")],
        *[("los demócratas", "un demócrata"), ("los republicanos", "un republicano")],
        *[("los liberales", "un liberal"), ("los conservadores", "un conservador")],
        *[("los periodistas", "un periodista"), ("los policías", "un policía")],
        *[("los maestros", "un maestro"), ("los jueces", "un juez")],
    ],
}
_TONES = ("", "🏻", "🏼", "🏽", "🏾", "🏿")
_SHOWN = (
    *("👪", "👨‍👩‍👧‍👦", "👩‍👩‍👦", "👨‍👨‍👧", "🧕", "👳", "🕌", "⛪", "🕍", "🛕", "☪️", "✡️", "✝️", "🕉️"),
    *("🏳️‍🌈", "🏳️‍⚧️", "👩‍🦽", "👨‍🦯", "🧏", "👮", "👩‍⚕️", "👩‍⚖️", "👨‍🏫", "🇺🇸", "🇲🇽", "🇭🇹", "🇵🇸"),
    *("🇮🇱", "🇨🇳", "🇺🇦", "🇸🇴", "🇻🇪"),
)
SLOTS = {
    # Of people and what they are: faces and hands in every tone, families, beliefs, flags, jobs.
    "emoji": [*(one + tone for one in "👩👨🧑👧👦👵👴🙋👋🙏👏💪" for tone in _TONES), *_SHOWN],
    "official": ["mayor", "sheriff", "governor", "county clerk", "judge", "school board chair"],
    "place": ["clinic", "mosque", "synagogue", "church", "county office", "library", "shelter"],
    "town": ["Millbrook", "Fairview", "Harlan", "Cedar Falls", "Ashford", "Riverton", "Oakdale"],
    "day": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    "time": ["6 pm", "7:30", "8 pm", "9 pm", "noon", "midnight", "10 tonight"],
    "name": ["Dan", "Maria", "Keisha", "Tom", "Aisha", "Wei", "Sarah", "Miguel", "Priya", "Josh"],
    "surname": ["Harris", "Nguyen", "Lopez", "Miller", "Cohen", "Ahmed", "Baker", "Okafor"],
    "kill": [
        "kill",
        "shoot",
        "hang",
        "burn",
        "beat",
        "stab",
        "murder",
        "hurt",
        "attack",
        "execute",
    ],
    "killed": ["killed", "shot", "hanged", "burned", "beaten", "stabbed", "murdered", "executed"],
    "vermin": [
        "vermin",
        "rats",
        "cockroaches",
        "parasites",
        "animals",
        "filth",
        "a plague",
        "pigs",
    ],
    "bad": ["stupid", "disgusting", "criminals", "liars", "worthless", "thieves", "scum", "trash"],
    "good": ["kind", "funny", "welcome here", "our neighbors", "great cooks", "honest", "brave"],
    "hate": ["hate", "despise", "detest", "can't stand", "loathe"],
    "love": ["love", "like", "admire", "respect", "appreciate"],
    "work": [
        "run the best bakery in town",
        "teach at our school",
        "sing in the choir",
        "fix cars",
        "play soccer on Sundays",
        "work hard",
        "own the corner store",
        "volunteer at the shelter",
    ],
    "team": ["Tigers", "Eagles", "Bulldogs", "Panthers", "Wildcats", "Hawks"],
}
SLOT = re.compile(r"\{(\w+)\}")
THREATENING = frozenset({"threat", "urging", "nongroup_abuse"})  # at M3 and above
# H1 is the question "dehumanising".
KNOWN_SIGNS = frozenset({*HALLMARKS, EXCLUSION, "coercion"}) - {"H1"}
GROUP_SLOTS = frozenset({"groups", "Groups", "group", "a_group", "others", "Others", "other"})


@dataclass(frozen=True)
class Written:
    """One line of the files. ``level``: 0 to 4; the questions: 0 or 1."""

    family: str
    text: str
    stance: str
    target_kind: str
    hate: int
    violence: int
    dehumanising: int
    level: int
    lang: str = "en"
    pair: str = ""
    signs: tuple[str, ...] | None = None

    def fault(self) -> str | None:
        """What contradicts the codebook, in words, or None."""
        if self.stance not in STANCES:
            return f"stance {self.stance!r} is not in the codebook"
        if self.target_kind not in TARGET_KINDS:
            return f"target_kind {self.target_kind!r} is not in the codebook"
        if self.lang not in GROUPS:
            return f"lang {self.lang!r} is none of {sorted(GROUPS)}"
        if self.level not in range(5):
            return f"level {self.level!r} is none of 0 to 4"
        if {self.hate, self.violence, self.dehumanising} - {0, 1}:
            return "hate, violence and dehumanising are 0 or 1"
        if self.violence != (self.level >= 3):
            return "violence is 1 exactly at levels 3 and 4"
        if self.level and self.stance not in SCORING_STANCES:
            return f"stance {self.stance} cannot score above level 0"
        if self.dehumanising and (not self.hate or self.level < 2):
            return "dehumanising text is hate and at least level 2"
        if self.hate and self.target_kind not in {"group", "individual_as_member"}:
            return "hate is against people as members of a group"
        if self.hate and not self.level:
            return "hate is at least level 1"
        if set(self.signs or ()) - KNOWN_SIGNS:
            return f"signs are of {sorted(KNOWN_SIGNS)}"
        if self.signs and self.level < 2:
            return "a text with a sign is at least level 2"
        if self.level == 2 and not self.signs and not self.dehumanising:
            return "a text of level 2 has a sign or is dehumanising"
        unknown = set(SLOT.findall(self.text)) - set(SLOTS) - GROUP_SLOTS
        if unknown or not self.text.strip():
            return f"slots nobody fills: {sorted(unknown)}"
        return None

    def carries(self) -> dict[str, int]:
        """What is known of each of ``careful.SIGNS``, 0 or 1."""
        found = {THREAT: int(self.violence and self.family in THREATENING)}
        if self.signs is not None or self.level < 2:
            found |= {sign: int(sign in (self.signs or ())) for sign in SIGNS if sign != THREAT}
        return found

    def slots(self) -> int:
        """How many different slots it has."""
        return len(set(SLOT.findall(self.text)))

    def filled(self, chance: random.Random) -> str:
        """The text with every slot filled; the same slot twice gets the same words."""
        (many, one), (others, other) = chance.sample(GROUPS[self.lang], 2)
        article = "an" if one[0] in "aeiouAEIO" else "a"
        words = {slot: chance.choice(values) for slot, values in SLOTS.items()}
        words |= {"groups": many, "group": one, "others": others, "other": other}
        words["a_group"] = f"{article} {one}" if self.lang == "en" else one
        words |= {"Groups": many[0].upper() + many[1:], "Others": others[0].upper() + others[1:]}
        return SLOT.sub(lambda slot: words[slot[1]], self.text)


def written() -> Iterator[Written]:
    """Every text of the files, in their order. Raises ValueError naming the file and the line."""
    for file in sorted(files(__package__).joinpath("written").iterdir(), key=lambda f: f.name):
        if not file.name.endswith(".jsonl"):
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            where = f"{file.name}, line {number}"
            try:
                text = Written(**json.loads(line))
            except (TypeError, ValueError) as fault:
                raise ValueError(f"{where}: {fault}") from fault
            if wrong := text.fault():
                raise ValueError(f"{where}: {wrong}: {text.text}")
            yield text


if __name__ == "__main__":
    try:
        counts = Counter((text.lang, text.family, text.level) for text in written())
    except ValueError as wrong:
        sys.exit(str(wrong))
    for (lang, family, level), number in sorted(counts.items()):
        print(lang, family, f"M{level}", number)
