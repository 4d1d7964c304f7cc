"""Which posts a watch asks for: its rule, and a matcher that asks all watches at once."""

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import regex  # type: ignore[import-untyped, unused-ignore]
from ahocorasick_rs import AhoCorasick

from sources import places

# Scripts that set no spaces between words: a phrase in them may stand anywhere, and one in Latin
# letters beside them. The long vowel's sign belongs to both kana and is counted to neither.
UNSPACED = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]"
)
# Joiners, soft hyphens, variants of an emoji: nobody sees them, and a hidden one parts no word.
# Nor more marks on a letter than 30, as in Unicode's stream-safe text (UAX #15): to put them in
# order takes a time that grows with their square.
UNSEEN = regex.compile(r"\p{DI}+|(?<=[\p{M}\p{DI}]{30})\p{M}+")
CURLY = "‘’ʼ"  # phones set these where a keyboard has '
DOTTED_I = "i\u0307"  # what İ is in small letters; nobody looks for it but as an i
LINK = regex.compile(r"[/@#]|\w\.\w")  # a word with it keeps its letters in a post in capitals


@dataclass(frozen=True, slots=True)
class Rule:
    """What a watch asks for. Every part that is set must hold; a part left empty asks nothing.

    A rule without any part keeps nothing, unless ``everything`` says so.
    """

    any: tuple[str, ...] = ()  # words and phrases: one of them at least
    all: tuple[str, ...] = ()  # each of them
    none: tuple[str, ...] = ()  # not one of them
    places: tuple[str, ...] = ()  # codes of sources.places: one at least is named
    langs: tuple[str, ...] = ()  # ISO 639 codes; a post that declares none passes
    platforms: tuple[str, ...] = ()  # as in Post.platform
    sources: tuple[int, ...] = ()  # ids of feeds, subreddits and other sources
    subject: str = ""  # a sentence; the language model judges what passes all the rest
    everything: bool = False

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """The rule that ``as_json`` wrote; parts it does not know are left empty."""
        parts: dict[str, Any] = {
            field.name: stored[field.name] for field in fields(cls) if field.name in stored
        }
        parts = {name: tuple(v) if isinstance(v, list) else v for name, v in parts.items()}
        return cls(**parts)

    def as_json(self) -> dict[str, Any]:
        """For WatchVersion.rule."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class Said:
    """Of a post, what a rule looks at."""

    text: str
    platform: str
    source_id: int
    lang: str | None = None
    card: str | None = None


def normal_form(text: str) -> str:
    """The form in which texts and phrases are compared.

    Unicode's NFKC_Casefold (no case, no width, nothing unseen), straight apostrophes, single
    blanks, and no lone half of a surrogate pair, at which the automaton would stop.
    """
    if not text.isascii():
        text = UNSEEN.sub("", text.encode("utf-8", "replace").decode())
        text = unicodedata.normalize("NFKD", text).casefold().replace(DOTTED_I, "i")
        text = unicodedata.normalize("NFKC", text)
        for mark in CURLY:
            text = text.replace(mark, "'")
        return " ".join(text.split())
    return " ".join(text.lower().split())


Spans = Mapping[int, Sequence[tuple[int, int]]]  # by number of a phrase: where it stands


class Matcher:
    """All active watches at once. Immutable: build a new one when a watch changes.

    Words are found by one Aho-Corasick automaton, in a time that does not grow with their number.
    """

    def __init__(self, rules: Mapping[int, Rule]) -> None:
        self.with_subject = frozenset(watch for watch, rule in rules.items() if rule.subject)
        self._phrases: dict[str, int] = {}
        self._asks = {watch: self._asking(rule) for watch, rule in rules.items()}
        texts = list(self._phrases)
        self._automaton = AhoCorasick(texts) if texts else None
        # Whether a phrase begins and ends within a word: only there does it need a bound.
        self._bounds = [(_in_word(text[0]), _word_ends(text, len(text))) for text in texts]
        # A watch that needs a phrase is looked at only when one of its phrases is found.
        self._always: list[int] = []
        self._asked: dict[int, list[int]] = {}
        for watch, asks in self._asks.items():
            needs = asks.needs()
            if needs is None:
                self._always.append(watch)
            for number in needs or ():
                self._asked.setdefault(number, []).append(watch)

    def __call__(self, said: Said) -> frozenset[int]:
        """The watches that ask for a post, those whose subject is still to be judged included."""
        found = self._found(said)
        watches = {*self._always}
        for number in found:
            watches.update(self._asked.get(number, ()))
        return frozenset(watch for watch in watches if self._asks[watch].holds(said, found))

    def _asking(self, rule: Rule) -> "_Asking":
        named = [phrases for code in rule.places if (phrases := _phrases_of(code))]
        return _Asking(
            rule,
            any=self._numbers(rule.any),
            all=self._numbers(rule.all),
            none=self._numbers(rule.none),
            places=[
                _Place(
                    sure=self._numbers(phrases.sure),
                    with_state=self._numbers(phrases.with_state),
                    state=self._numbers(phrases.state_names),
                    not_within=self._numbers(phrases.not_within),
                    postal=regex.compile(rf"\b{phrases.postal}\b"),
                )
                for phrases in named
            ],
        )

    def _numbers(self, phrases: Iterable[str]) -> frozenset[int]:
        forms = (normal_form(phrase) for phrase in phrases)
        return frozenset(
            self._phrases.setdefault(form, len(self._phrases)) for form in forms if form
        )

    def _found(self, said: Said) -> Spans:
        """Every phrase that stands in the text between bounds of words, and where."""
        found: dict[int, list[tuple[int, int]]] = {}
        if self._automaton is None:
            return found
        text = normal_form(said.text)
        if said.card:  # no normal form has a line break: no phrase reaches across
            text += f"\n{normal_form(said.card)}"
        end_of_text = len(text)
        for number, start, end in self._automaton.find_matches_as_indexes(text, overlapping=True):
            bound_start, bound_end = self._bounds[number]
            if not (bound_start and _word_ends(text, start)) and (
                end == end_of_text or not bound_end or not _in_word(text[end])
            ):
                found.setdefault(number, []).append((start, end))
        return found


@dataclass(frozen=True, slots=True)
class _Place:
    """The numbers of a place's phrases (sources.places.PlacePhrases)."""

    sure: frozenset[int]
    with_state: frozenset[int]
    state: frozenset[int]
    not_within: frozenset[int]
    postal: Any  # a pattern

    def named(self, said: Said, found: Spans) -> bool:
        longer = [span for number in self.not_within for span in found.get(number, ())]

        def stands(numbers: frozenset[int]) -> bool:
            return any(
                not any(a <= start and end <= b for a, b in longer)
                for number in numbers
                for start, end in found.get(number, ())
            )

        if stands(self.sure):
            return True
        if not stands(self.with_state):
            return False
        # In a post all in capitals "IN" and "OR" name no state.
        return stands(self.state) or any(
            self.postal.search(part) and not _in_capitals(part)
            for part in (said.text, said.card or "")
        )


@dataclass(frozen=True, slots=True)
class _Asking:
    """A rule with the numbers of its phrases."""

    rule: Rule
    any: frozenset[int]
    all: frozenset[int]
    none: frozenset[int]
    places: list[_Place]

    def needs(self) -> Collection[int] | None:
        """Phrases of which a match holds at least one; None when it may hold none at all."""
        if self.rule.everything:
            return None
        if self.all:
            return [min(self.all)]
        if self.any:
            return self.any
        if self.rule.places:
            return {number for place in self.places for number in place.sure | place.with_state}
        return None if self._asks_anything() else ()

    def holds(self, said: Said, found: Spans) -> bool:
        rule = self.rule
        if rule.everything:
            return True
        return (
            (not rule.platforms or said.platform in rule.platforms)
            and (not rule.sources or said.source_id in rule.sources)
            and (not rule.langs or not said.lang or _primary(said.lang) in rule.langs)
            and (not self.any or not self.any.isdisjoint(found))
            and all(number in found for number in self.all)
            and self.none.isdisjoint(found)
            and (not rule.places or any(place.named(said, found) for place in self.places))
        )

    def _asks_anything(self) -> bool:
        return bool(self.rule.platforms or self.rule.sources)


def _primary(lang: str) -> str:
    """ "en" of "en-US"."""
    return lang.replace("_", "-").partition("-")[0].lower()


def _phrases_of(code: str) -> places.PlacePhrases | None:
    """None for a place that a later list of places has no more: no other watch may suffer by it."""
    try:
        return places.phrases_of(places.place_of(code))
    except ValueError:
        return None


def _in_capitals(text: str) -> bool:
    return " ".join(word for word in text.split() if not LINK.search(word)).isupper()


def _in_word(character: str) -> bool:
    """Whether a word goes on at this character; marks go with the letter they stand on."""
    return (character.isalnum() or character == "_" or _is_mark(character)) and not UNSPACED.match(
        character
    )


def _word_ends(text: str, at: int) -> bool:
    """Whether what ends at ``at`` is a word; a mark alone or on an emoji is none."""
    at -= 1
    while at > 0 and _is_mark(text[at]):
        at -= 1
    return at >= 0 and _in_word(text[at]) and not _is_mark(text[at])


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")
