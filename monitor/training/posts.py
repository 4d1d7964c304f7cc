"""What the learned parts are trained on and tried on, from public data and our own text.

Public data comes by path: JSON lines with set, id, text, y_hate, y_violence (0, 1 or null). What a
set's authors held back stays held back; of the rest a tenth is, by the hash of its id. Our own text
(``written``) is held back by pair, so that no variant of a text tried was trained on.
"""

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path

from monitor.coding.draws import draw
from monitor.reading.careful import SIGNS, STANCES, Floats
from monitor.training.written import SLOTS, Written, written

# The share of our own pairs, and of sets without a split of their own, that is held back.
HELD_BACK = {"written": 0.2, "davidson": 0.1, "ordinary": 0.5}
NO_EVENT = "NOISE"  # as CrisisLex and PHEME, in the shape of shared files, call it
# A real hateful post in another's mouth is no hate. So many words may one in a frame have.
FRAMED_WORDS = 25
FRAMED = 2_500  # such texts an epoch
FRAMED_HELD = 400  # of the hateful posts held back, at most
AGREED = 0.5  # of them: or any frame would do to hide hate
VIOLENT_AGAIN = 4  # times each public violent post is seen; there are not five hundred
# Times each text of ours is seen in an epoch, and FILLED more for each of its slots. Seen more
# often they are learned by heart: all of them right in training, half of their kind outside.
FILLS = 1
FILLED = 1
# Davidson counts nearly all insults as "offensive, not hate", against the other sets; all its hate
# is used, and as many of the rest.
DAVIDSON_REST = 1_500
# Texts an epoch besides, for a teacher to answer: insults of Davidson's, and posts of streams.
UNSAID = 6_000
OF_STREAM = 4_000
# Sets that judged hate of every kind: what they call harmless carries no sign of it either.
OF_ALL_HATE = ("hatemoji",)
NONE = dict.fromkeys(SIGNS, 0)
NOISY = 0.1  # share of texts with a slip of the keyboard, so that a misspelt threat is one
# Share of texts, whatever they say, that are given an emoji of people: alone it tells nothing.
SHOWING = 0.05


@dataclass(frozen=True)
class Example:
    """A text and what is known of it; None: nobody has said. ``family``: the kind of case.

    ``taught``: what a teacher (``monitor.training.teacher``) says of it, for each of
    ``careful.ANSWERS``, before any calibration.
    """

    text: str
    hate: int | None = None
    violence: int | None = None
    dehumanising: int | None = None
    stance: str | None = None
    signs: Mapping[str, int] = field(default_factory=dict)  # what is known of careful.SIGNS
    set: str = ""
    family: str = ""
    taught: Floats | None = field(default=None, compare=False)

    def answer(self, question: str) -> int | None:
        """0 or 1 to one of ``careful.QUESTIONS`` or ``careful.SIGNS``; None: nobody has said."""
        if question in SIGNS:
            return self.signs.get(question)
        found: int | None = getattr(self, question)
        return found


def public(paths: Iterable[Path]) -> tuple[list[Example], list[Example]]:
    """All posts of the files: (to train on, held back), no text in both.

    Raises ValueError naming file and line for a line that cannot be read.
    """
    train: list[Example] = []
    held: list[Example] = []
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    row = json.loads(line)
                    example = _public(row)
                except (ValueError, KeyError, TypeError) as fault:
                    raise ValueError(f"{path}, line {number}: {fault!r}") from fault
                (held if _held_back(row["set"], row["id"]) else train).append(example)
    known = {example.text for example in held}
    return [example for example in train if example.text not in known], held


def ordinary(paths: Iterable[Path]) -> tuple[list[Example], list[Example]]:
    """Posts of ordinary streams, presumed neither hateful nor violent: (to train on, held back).

    Lines with a text; where a file tells the event each is about ("cluster"), those about none.
    What is said of an event (bombed, shot) would teach that such words never matter. Half of the
    texts are held back. Raises ValueError naming file and line for a line that cannot be read.
    """
    texts: dict[str, None] = {}
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    row = json.loads(line)
                    text, event = str(row["text"]), row.get("cluster", NO_EVENT)
                except (ValueError, KeyError, TypeError, AttributeError) as fault:
                    raise ValueError(f"{path}, line {number}: {fault!r}") from fault
                if event == NO_EVENT:
                    texts[text] = None
    parts: tuple[list[Example], list[Example]] = ([], [])
    for text in texts:
        parts[draw(f"ordinary:{text}") >= HELD_BACK["ordinary"]].append(
            Example(text, hate=0, violence=0, signs=NONE, set="ordinary")
        )
    held, train = parts
    chance = random.Random(len(train))
    return [_showing(one, chance) if chance.random() < SHOWING else one for one in train], held


def ours(seed: int) -> tuple[list[Written], list[Example]]:
    """Our own text: what to train on, and what is held back with its slots filled once."""
    chance = random.Random(seed)
    train, held = [], []
    for text in written():
        if draw(f"{text.lang}:{text.pair or text.text}") < HELD_BACK["written"]:
            held.append(_ours(text, chance))
        else:
            train.append(text)
    return train, held


def epoch(posts: Sequence[Example], texts: Sequence[Written], seed: int) -> list[Example]:
    """What is read once in an epoch, mixed; other words in other epochs (``seed``)."""
    chance = random.Random(seed)
    rest = [post for post in posts if post.set == "davidson" and not post.hate]
    kept = {id(post) for post in chance.sample(rest, min(DAVIDSON_REST, len(rest)))}
    read = [post for post in posts if post.set != "davidson" or post.hate or id(post) in kept]
    read += [post for post in posts if post.violence for _ in range(VIOLENT_AGAIN - 1)]
    read += [_ours(text, chance) for text in texts for _ in range(FILLS + FILLED * text.slots())]
    # Hateful ones and as many harmless ones, or the frame alone would tell the answer.
    for hate in (0, 1):
        short = [p for p in read if p.hate == hate and len(p.text.split()) <= FRAMED_WORDS]
        read += framed(chance.sample(short, min(FRAMED // 2, len(short))), chance, held_back=False)
    read = [_slip(post, chance) if chance.random() < NOISY else post for post in read]
    read = [_showing(post, chance) if chance.random() < SHOWING else post for post in read]
    chance.shuffle(read)
    return read


def unsaid(posts: Sequence[Example], stream: Sequence[Example], seed: int) -> list[Example]:
    """What is read besides in an epoch where a teacher answers, half of it with an emoji of people.

    Insults, whatever their labels say, and posts of ordinary streams.
    """
    chance = random.Random(f"unsaid {seed}")
    rest = [post for post in posts if post.set == "davidson" and not post.hate]
    some = [
        Example(post.text, set="unsaid") for post in chance.sample(rest, min(UNSAID, len(rest)))
    ]
    some += chance.sample(stream, min(OF_STREAM, len(stream)))
    return [_showing(one, chance) if chance.random() < 0.5 else one for one in some]


def framed_held(held: Sequence[Example], chance: random.Random) -> list[Example]:
    """Hateful posts that are held back, in frames that are."""
    hateful = [one for one in held if one.hate and len(one.text.split()) <= FRAMED_WORDS]
    some = chance.sample(hateful, min(FRAMED_HELD, len(hateful)))
    return list(framed(some, chance, held_back=True))


def framed(posts: Iterable[Example], chance: random.Random, held_back: bool) -> Iterator[Example]:
    """Posts in another's mouth: condemned, reported, or agreed with."""
    frames = {
        stance: [each for each in some if (draw(each) < HELD_BACK["written"]) == held_back]
        for stance, some in json.loads(
            files(__package__).joinpath("frames.json").read_text(encoding="utf-8")
        ).items()
    }
    for post in posts:
        told = [each for each in frames if each != "asserts"]
        stance = "asserts" if chance.random() < AGREED else chance.choice(told)
        text = chance.choice(frames[stance]).replace("{}", post.text.strip())
        said = stance == "asserts"
        yield replace(
            post,
            text=text,
            stance=stance,
            hate=post.hate if said else 0,
            violence=post.violence if said else 0,
            dehumanising=post.dehumanising if said else 0,
            signs=post.signs if said else NONE,
            family="framed agreement" if said else f"framed, {stance}",
            set="framed",
        )


def _public(row: dict[str, object]) -> Example:
    text, hate, violence = row["text"], row["y_hate"], row.get("y_violence")
    if not isinstance(text, str) or hate not in (0, 1) or violence not in (0, 1, None):
        raise ValueError("text, y_hate or y_violence is not what it should be")
    name = str(row["set"])
    # Who is hateful says so himself; of the rest nobody has said what they do.
    stance = "asserts" if hate else None
    signs = NONE if not hate and name.startswith(OF_ALL_HATE) else {}
    return Example(text, hate, violence, stance=stance, signs=signs, set=name)


def _ours(text: Written, chance: random.Random) -> Example:
    return Example(
        text.filled(chance),
        text.hate,
        text.violence,
        text.dehumanising,
        text.stance if text.stance in STANCES else None,
        text.carries(),
        set="ours" if text.lang == "en" else f"ours {text.lang}",
        family=text.family,
    )


def _held_back(name: str, key: str) -> bool:
    if name.endswith(("_dev", "_validation", "_test")):
        return True
    return draw(f"{name}:{key}") < HELD_BACK.get(name, 0)


def _showing(post: Example, chance: random.Random) -> Example:
    """With an emoji of people before or after it."""
    both = [post.text, chance.choice(SLOTS["emoji"])]
    return replace(post, text=" ".join(chance.sample(both, 2)))


def _slip(post: Example, chance: random.Random) -> Example:
    """One word with two letters swapped, one left out or doubled, or run into the next."""
    words = post.text.split(" ")
    at = chance.randrange(len(words))
    word = words[at]
    if len(word) < 4 or not word.isalpha():
        return post
    place = chance.randrange(1, len(word) - 1)
    kind = chance.randrange(4)
    if kind == 0:
        word = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    elif kind == 1:
        word = word[:place] + word[place + 1 :]
    elif kind == 2:
        word = word[:place] + word[place] + word[place:]
    words[at] = word
    if kind == 3 and at + 1 < len(words):
        words[at : at + 2] = [word + words[at + 1]]
    return replace(post, text=" ".join(words))
