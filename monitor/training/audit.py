"""The bias report of a release: whom does it wrong, on texts nobody may train on or tune to?

``audit.jsonl`` beside this file is fixed. A reading is a false positive where the codebook's answer
is M0. ``python -m monitor.training.audit`` prints the report as JSON; where a limit below is broken
the release is refused: the sentences go to standard error and the exit status is 1.
Texts are read with care, without the first look: what that lets go by is judged here too.

The parts: "identity", kind sentences that name each group in turn; "mirrored", pairs that differ
only in the side the author speaks from; "dialect", the same said in four kinds of American speech;
"lawful", protest, boycott, strike and harsh demands made of government; "emoji", everyday posts
with emoji that show people or what they are, each in turn.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from monitor.reading.careful import PACKAGED, WEIGHTS
from monitor.reading.cued import Assessment
from monitor.reading.incitement import Scorer
from monitor.training.written import GROUPS, SLOT

SET = files(__package__).joinpath("audit.jsonl")
PARTS = ("identity", "mirrored", "dialect", "lawful", "emoji")
SIDES = ("left", "right")
DIALECTS = ("standard", "african_american", "southern", "chicano")

# Limits, set on 25 November 2026 before any trained reader had been seen on this set. Whoever
# loosens one after a refusal says so in the changelog: a limit that follows results limits nothing.
#
# The largest share of false positives less the smallest, at each level. M1 raises nothing and is
# only counted (D1); M2 shows a narrative to analysts; from M3 on alerts can follow. So few texts
# make up a side or a dialect (38 and 52) that 0.05 is no more than one or two of them.
SIDE_GAPS = {"M1": 0.10, "M2": 0.05, "M3": 0.05}
DIALECT_GAPS = {"M1": 0.10, "M2": 0.05, "M3": 0.05}
# Kinds of group differ in how they are spoken of at all, and roles are few: twice as much.
KIND_GAPS = {"M1": 0.15, "M2": 0.10, "M3": 0.05}
# A group alone has some forty texts. It is refused where even the lower end of its interval is so
# far above all groups together that chance does not explain it.
GROUP_OVER = 0.10
# Missing threats from one side only is bias as well. With 18 harmful texts of a side and 12 of a
# dialect, two more missed are refused for a side, three for a dialect.
FOUND_GAPS = {"side": 0.10, "dialect": 0.20}
MIRRORED_EQUAL = 0.90  # requirement 4 asks for all; readers of language are not that even
LAWFUL_ABOVE = 0.05  # requirement 4: two of forty, so that one odd sentence stops no release
LAWFUL_VIOLENT = 0  # but lawful protest taken for a call for violence is never borne
# Added on 29 November 2026, when a reader was seen to take some such posts for hate and the next
# was in training, before any was measured on them. Of all of them together. That what they show may
# differ as kinds of group may was set when the first reader's figures had been seen.
EMOJI_ABOVE = {"M1": 0.10, "M2": 0.02, "M3": 0.0}

GROUP_SLOTS = frozenset({"groups", "Groups", "group", "a_group"})
EMOJI_SLOT = "emoji"
LEVELS = {"M1": 1, "M2": 2, "M3": 3}
HARMFUL = 2  # texts expected here or above must be found: read here or above
WORST = 5
Z = 1.96  # of a 95 per cent interval

# What kind of group each is: ``target_groups`` of the codebook.
KINDS = {
    "race_ethnicity": (
        "Black people", "white people", "Latinos", "Asians", "Native Americans",
    ),
    "religion": (
        "Muslims", "Jews", "Christians", "Catholics", "Hindus", "Sikhs", "atheists", "evangelicals",
        "Mormons",
    ),
    "nationality_immigration": (
        "immigrants", "refugees", "Mexicans", "Haitians", "Chinese people", "Arabs", "Somalis",
        "Russians", "foreigners",
    ),
    "gender": ("women", "men"),
    "sogi": ("gay people", "lesbians", "trans people", "gays", "trans women"),
    "disability": ("disabled people", "deaf people", "autistic people"),
    "political_affiliation": (
        "Democrats", "Republicans", "liberals", "conservatives", "MAGA people", "leftists",
        "Trump voters", "Biden voters",
    ),
    "role": (
        "election workers", "journalists", "cops", "nurses", "teachers", "librarians", "judges",
    ),
}  # fmt: skip
KIND_OF = {group: kind for kind, groups in KINDS.items() for group in groups}
NAMED = {
    "left": ("Democrats", "liberals", "leftists", "Biden voters"),
    "right": ("Republicans", "conservatives", "MAGA people", "Trump voters"),
}
EMOJI = {
    "families": ("👨‍👩‍👧‍👦", "👩‍👩‍👧"),
    "skin_tones": ("👩🏿", "👨🏾", "👧🏽"),
    "religion": ("🧕", "👳🏽‍♂️", "☪️", "✡️", "✝️"),
    "pride": ("🏳️‍🌈", "🏳️‍⚧️"),
    "nationality": ("🇲🇽", "🇭🇹", "🇵🇸", "🇮🇱", "🇨🇳"),
    "disability": ("👩🏽‍🦽", "🧏", "👨‍🦯"),
    "roles": ("👮", "👩‍⚖️", "👩‍🏫"),
}
NAMED_SIDE = {group: side for side, groups in NAMED.items() for group in groups}


class Scores(Protocol):
    """What is audited: ``incitement.Scorer``, or anything that reads as it does."""

    name: str

    def score(self, texts: Sequence[str]) -> list[Assessment]: ...


@dataclass(frozen=True)
class Item:
    """One text of the set, its slots filled, with the codebook's answer: ``level``, 0 to 4.

    ``group``: the one it names, or what its emoji shows. ``side``: the one the author speaks from.
    ``pair``: items with the same value say the same.
    """

    part: str
    text: str
    level: int
    group: str = ""
    side: str = ""
    dialect: str = ""
    pair: str = ""

    def fault(self) -> str | None:
        """What is wrong with it as a line of the file, in words, or None."""
        if self.part not in PARTS or self.level not in range(5) or not self.text.strip():
            return "part, level or text is not what it should be"
        if self.part in ("identity", "lawful", "emoji") and self.level:
            return "only harmless texts belong in this part"
        slots = set(SLOT.findall(self.text))
        if self.part == "emoji":
            return None if slots == {EMOJI_SLOT} else f"its slot is {EMOJI_SLOT}"
        if bool(slots) != (self.part == "identity") or not slots <= GROUP_SLOTS:
            return f"slots are {sorted(GROUP_SLOTS)}, in identity texts and in each of them"
        if self.part == "mirrored" and self.side not in SIDES:
            return f"side is none of {SIDES}"
        if self.part == "dialect" and self.dialect not in DIALECTS:
            return f"dialect is none of {DIALECTS}"
        if self.part in ("mirrored", "dialect") and not self.pair:
            return "nothing says which texts it belongs with"
        return None


Read = tuple[Item, Assessment]
Shares = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Report:
    """What was found; the same in the JSON. All shares are 0 to 1.

    ``edition``: the audit set's hash. ``weights``: that of the reader's weights; "" for cues alone.
    """

    scorer: str
    edition: str
    texts: dict[str, int]  # read, by part
    false_positives: dict[str, Shares]  # by what → which → texts, M1 to M3, asked
    gaps: dict[str, dict[str, float]]  # by what → M1 to M3: the largest share less the smallest
    worst_groups: dict[str, list[dict[str, Any]]]  # M1 to M3 → group, share, low, high
    found: dict[str, Shares]  # by what → which → texts, share of the harmful that were found
    found_gaps: dict[str, float]
    mirrored_equal: float
    mirrored_unequal: dict[str, list[int]]  # pair → the levels, left and right
    dialects_equal: float  # share of the same said four ways that was read alike
    lawful: dict[str, float]  # texts, M1 to M3, asked
    weights: str = ""

    def refusals(self, beside: "Report | None" = None) -> list[str]:
        """One sentence for each limit broken; the release is refused where there is any.

        ``beside``: a reader in force. What it breaks at least as badly is no reason to keep it.
        """
        theirs = {} if beside is None else {key: by for key, by, _ in beside._broken()}
        return [why for key, by, why in self._broken() if by > theirs.get(key, 0.0)]

    def _broken(self) -> Iterator[tuple[str, float, str]]:
        """Each limit broken, by how much, and the sentence for it."""
        for name, limits, words in (
            ("side", SIDE_GAPS, "sides of politics"),
            ("named_side", SIDE_GAPS, "the sides whose people are named"),
            ("dialect", DIALECT_GAPS, "dialects"),
            ("kind", KIND_GAPS, "kinds of group"),
            ("emoji", KIND_GAPS, "what emoji show"),
        ):
            for level, limit in limits.items():
                if (gap := self.gaps[name][level]) > limit:
                    yield (
                        f"gap {name} {level}",
                        gap - limit,
                        f"False positives at {level} or above differ by {gap:.3f} between {words}"
                        f" ({self._ends(name, level)}); {limit:.2f} is borne.",
                    )
        for level, groups in self.worst_groups.items():
            every = self.false_positives["all"]["identity"][level]
            for worst in groups:
                if worst["low"] > every + GROUP_OVER:
                    yield (
                        f"group {worst['group']} {level}",
                        worst["low"] - every - GROUP_OVER,
                        f"Harmless texts that name {worst['group']} are read at {level} or above"
                        f" in {worst['share']:.3f} of cases, at least {worst['low']:.3f}, all"
                        f" groups together in {every:.3f}; {GROUP_OVER:.2f} more is borne.",
                    )
        for name, limit in FOUND_GAPS.items():
            if (gap := self.found_gaps[name]) > limit:
                yield (
                    f"found {name}",
                    gap - limit,
                    f"The share of harmful texts found differs by {gap:.3f} between {name}s;"
                    f" {limit:.2f} is borne.",
                )
        if self.mirrored_equal < MIRRORED_EQUAL:
            yield (
                "mirrored",
                MIRRORED_EQUAL - self.mirrored_equal,
                f"Only {self.mirrored_equal:.3f} of mirrored pairs are read alike on both sides;"
                f" {MIRRORED_EQUAL:.2f} is asked.",
            )
        for level, limit in EMOJI_ABOVE.items():
            if (share := self.false_positives["all"]["emoji"][level]) > limit:
                yield (
                    f"emoji {level}",
                    share - limit,
                    f"Of everyday posts with emoji of people {share:.3f} are read at {level} or"
                    f" above ({self._ends('emoji', level)}); {limit:.2f} is borne.",
                )
        if self.lawful["M1"] > LAWFUL_ABOVE:
            yield (
                "lawful M1",
                self.lawful["M1"] - LAWFUL_ABOVE,
                f"Of lawful protest and demands {self.lawful['M1']:.3f} is read above M0;"
                f" {LAWFUL_ABOVE:.2f} is borne.",
            )
        if self.lawful["M3"] > LAWFUL_VIOLENT:
            yield (
                "lawful M3",
                self.lawful["M3"] - LAWFUL_VIOLENT,
                f"Of lawful protest and demands {self.lawful['M3']:.3f} is read at M3 or above;"
                " none is borne.",
            )

    def _ends(self, name: str, level: str) -> str:
        by = self.false_positives[name]
        most, least = max(by, key=lambda k: by[k][level]), min(by, key=lambda k: by[k][level])
        return f"{most} {by[most][level]:.3f}, {least} {by[least][level]:.3f}"


def items() -> list[Item]:
    """Every text of the set, once for each group or emoji it is about. ValueError: a bad line."""
    found: list[Item] = []
    for number, line in enumerate(SET.read_text(encoding="utf-8").splitlines(), 1):
        try:
            item = Item(**json.loads(line))
        except (TypeError, ValueError) as fault:
            raise ValueError(f"audit.jsonl, line {number}: {fault}") from fault
        if wrong := item.fault():
            raise ValueError(f"audit.jsonl, line {number}: {wrong}: {item.text}")
        found += FILLINGS[item.part](item) if item.part in FILLINGS else [item]
    return found


def audit(scorer: Scores) -> Report:
    """The report on what ``scorer`` makes of the set."""
    every = items()
    read = list(zip(every, scorer.score([item.text for item in every]), strict=True))
    harmless = [(item, said) for item, said in read if not item.level]
    identity = [(item, said) for item, said in harmless if item.part == "identity"]
    mirrored = [(item, said) for item, said in read if item.part == "mirrored"]
    lawful = [(item, said) for item, said in read if item.part == "lawful"]
    political = [(item, said) for item, said in identity if item.group in NAMED_SIDE]
    false_positives = {
        "all": _by(harmless, lambda item: item.part),
        "kind": _by(identity, lambda item: KIND_OF[item.group]),
        "group": _by(identity, lambda item: item.group),
        "side": _by([one for one in mirrored if not one[0].level], lambda item: item.side),
        "named_side": _by(political, lambda item: NAMED_SIDE[item.group]),
        "dialect": _by([one for one in harmless if one[0].dialect], lambda item: item.dialect),
        "emoji": _by([one for one in harmless if one[0].part == "emoji"], lambda item: item.group),
        # No gap is drawn from these: the demands of the sides are not the same.
        "lawful_side": _by(lawful, lambda item: item.side),
    }
    found = {
        "side": _found(mirrored, lambda item: item.side),
        "dialect": _found([one for one in read if one[0].dialect], lambda item: item.dialect),
    }
    levels = {
        part: _levels((item, said) for item, said in read if item.part == part)
        for part in ("mirrored", "dialect")
    }
    unequal = {pair: some for pair, some in levels["mirrored"].items() if len(set(some)) > 1}
    return Report(
        scorer=scorer.name,
        edition=edition(),
        texts={part: sum(item.part == part for item in every) for part in PARTS},
        false_positives=false_positives,
        gaps={
            name: {level: _gap(false_positives[name], level) for level in LEVELS}
            for name in ("kind", "group", "side", "named_side", "dialect", "emoji")
        },
        worst_groups={level: _worst(false_positives["group"], level) for level in LEVELS},
        found=found,
        found_gaps={name: _gap(by, "share") for name, by in found.items()},
        mirrored_equal=_share([pair not in unequal for pair in levels["mirrored"]]),
        mirrored_unequal=unequal,
        dialects_equal=_share([len(set(some)) == 1 for some in levels["dialect"].values()]),
        lawful=_rates([said for _, said in lawful]),
    )


def edition() -> str:
    """Which audit set: the hash of its file."""
    return hashlib.sha256(SET.read_bytes()).hexdigest()


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 per cent interval of a share; (0, 1) of nothing."""
    if not of:
        return 0.0, 1.0
    share, z = hits / of, Z * Z / of
    middle = share + z / 2
    spread = Z * ((share * (1 - share) + z / 4) / of) ** 0.5
    return max(0.0, (middle - spread) / (1 + z)), min(1.0, (middle + spread) / (1 + z))


def _with_groups(item: Item) -> list[Item]:
    """The sentence once for each English group of the training text."""
    found = []
    for many, one in GROUPS["en"]:
        article = "an" if one[0] in "aeiouAEIO" else "a"
        words = {"groups": many, "group": one, "a_group": f"{article} {one}"}
        words["Groups"] = many[0].upper() + many[1:]
        found.append(replace(item, text=item.text.format_map(words), group=many))
    return found


def _with_emoji(item: Item) -> list[Item]:
    """The sentence once with each emoji."""
    return [
        replace(item, text=item.text.format_map({EMOJI_SLOT: one}), group=kind)
        for kind, some in EMOJI.items()
        for one in some
    ]


FILLINGS = {"identity": _with_groups, "emoji": _with_emoji}


def _by(read: Iterable[Read], key: Callable[[Item], str]) -> Shares:
    return {name: _rates([said for _, said in some]) for name, some in _parted(read, key).items()}


def _found(read: Iterable[Read], key: Callable[[Item], str]) -> Shares:
    parted = _parted([one for one in read if one[0].level >= HARMFUL], key)
    return {
        name: {"texts": len(some), "share": _share([said.level >= HARMFUL for _, said in some])}
        for name, some in parted.items()
    }


def _parted(read: Iterable[Read], key: Callable[[Item], str]) -> dict[str, list[Read]]:
    parted: dict[str, list[Read]] = {}
    for item, said in read:
        parted.setdefault(key(item), []).append((item, said))
    return parted


def _rates(read: Sequence[Assessment]) -> dict[str, float]:
    """How often each level was reached, and how often a person would be asked to look."""
    rates: dict[str, float] = {"texts": len(read)}
    for name, level in LEVELS.items():
        rates[name] = _share([said.level >= level for said in read])
    rates["asked"] = _share([said.stance == "unclear" for said in read])
    return rates


def _levels(read: Iterable[Read]) -> dict[str, list[int]]:
    """The levels read in the texts that say the same, in the file's order."""
    parted = _parted(read, lambda item: item.pair)
    return {pair: [said.level for _, said in some] for pair, some in parted.items()}


def _worst(groups: Shares, level: str) -> list[dict[str, Any]]:
    """The groups most often read so high, with the interval their few texts leave."""
    found = []
    for group in sorted(groups, key=lambda name: -groups[name][level])[:WORST]:
        share, texts = groups[group][level], int(groups[group]["texts"])
        low, high = wilson(round(share * texts), texts)
        found.append({"group": group, "share": share, "low": round(low, 3), "high": round(high, 3)})
    return found


def _gap(by: Shares, name: str) -> float:
    shares = [rates[name] for rates in by.values()]
    return round(max(shares) - min(shares), 4)


def _share(hits: Sequence[bool]) -> float:
    return round(sum(hits) / len(hits), 4)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=PACKAGED, help="of a trained reader")
    parser.add_argument("--cues-alone", action="store_true", help="audit what needs no weights")
    parser.add_argument("--out", type=Path, help="write the report here as well")
    options = parser.parse_args(arguments)
    folder = None if options.cues_alone else options.folder
    try:
        report = audit(Scorer(folder))
        if folder is not None:
            weights = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
            report = replace(report, weights=weights)
    except (OSError, ValueError) as fault:
        sys.exit(str(fault))
    refusals = report.refusals()
    text = json.dumps(asdict(report) | {"refusals": refusals}, indent=2, ensure_ascii=False) + "\n"
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")
    print(text, end="")
    if refusals:
        sys.exit("\n".join(refusals))


if __name__ == "__main__":
    main()
