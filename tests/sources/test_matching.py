"""What a watch finds in a post: words as a reader sees them, places, and all watches at once."""

import json
import sys
import unicodedata
from dataclasses import replace
from functools import cache
from time import perf_counter
from typing import Any

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sources.matching import Matcher, Rule, Said, normal_form
from sources.places import phrases_of, place_of


def said(text: str, **more: Any) -> Said:
    return replace(Said(text, "bluesky", 1), **more)


def finds(rule: Rule, text: str, **more: Any) -> bool:
    return Matcher({7: rule})(said(text, **more)) == {7}


# Words and phrases


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("drop box", "A DROP \n Box!"),
        ("box", "(box)"),
        ("box", "dropbox and box"),
        ("Straße", "IN DER STRASSE"),
        ("strasse", "in der Straße"),
        ("İzmir", "İZMİR'de"),
        ("istanbul", "İstanbul"),
        ("ὈΔΥΣΣΕΎΣ", "ὀδυσσεύς"),
        ("café", "cafe\u0301"),
        ("fire", "ﬁre"),
        ("box", "ＢＯＸ"),
        ("𝐛𝐨𝐱", "box"),
        ("drop box", "drop\u00a0bo\u00adx"),
        ("ballot", "bal\u200blot"),
        # Apostrophes: of two kinds, and no part of the word before them.
        ("they're coming", "They’re coming"),
        ("they’re coming", "they're coming"),
        ("trump", "Trump’s rally"),
        # What stands beside a word and is none.
        ("box", "#Box"),
        ("#box", "see #BOX."),
        ("#box", "here#box"),
        ("box", "@box, $box/box"),
        ("box", "🗳️box🗳️"),
        ("box", "1️⃣ 🗳\u20e0box"),
        ("🔥", "tonight🔥🔥"),
        ("❤", "my❤️heart"),
        ("❤️", "my❤heart"),
        ("🔫⃠", "no🔫⃠here"),
        ("c++", "C++11"),
        # Scripts without spaces.
        ("投票箱", "今日の投票箱を見る"),
        ("サーバー", "そのサーバーが落ちた"),
        ("ｻｰﾊﾞｰ", "そのサーバーが落ちた"),
        ("trump", "今日Trumpは"),
        ("box", "ดูboxที่"),
        ("กล่อง", "ดูกล่องนี้"),
        ("drop box", "drop box \ud83d cut in half"),
    ],
)
def test_a_phrase_is_found_as_a_reader_would_find_it(phrase: str, text: str) -> None:
    assert finds(Rule(any=(phrase,)), text)
    assert not finds(Rule(none=(phrase,), platforms=("bluesky",)), text)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("box", "boxes, dropbox, drop_box, box2, 2box"),
        ("drop box", "dropbox, drop, box, drop-box"),
        ("dont", "don't"),
        ("cafe", "café"),
        ("iraq", "iraq\u0323"),
        ("uiet", "q\u0323uiet"),
        ("\u0323x", "q\u0323x"),
        ("#box", "#boxes"),
        ("투표", "투표함"),
        ("投票箱", "投票の箱"),
        ("box", ""),
    ],
)
def test_a_phrase_is_not_found_within_a_word(phrase: str, text: str) -> None:
    assert not finds(Rule(any=(phrase,)), text)


def test_phrases_that_overlap_or_begin_alike_are_all_found() -> None:
    phrases = ["drop", "drop box", "drop box fire", "box fire", "box", "fire at the box"]
    matcher = Matcher({n: Rule(any=(phrase,)) for n, phrase in enumerate(phrases)})
    assert matcher(said("a drop box fire at the box")) == {0, 1, 2, 3, 4, 5}
    assert matcher(said("a drop box")) == {0, 1, 4}
    assert matcher(said("a drop boxed fire")) == {0}


def test_the_card_is_read_too_but_no_phrase_reaches_across() -> None:
    rule = Rule(any=("drop box",))
    assert finds(rule, "look", card="The Drop Box affair")
    assert not finds(rule, "wait for the drop", card="Box of wonders")
    assert finds(Rule(all=("look", "drop box")), "look", card="The Drop Box affair")


def test_every_part_of_a_rule_must_hold() -> None:
    rule = Rule(
        any=("arson", "fire"),
        all=("drop box", "tonight"),
        none=("drill",),
        langs=("en",),
        platforms=("bluesky",),
        sources=(1, 2),
    )
    text = "fire at the drop box tonight"
    assert finds(rule, text)
    for missing in (text.removeprefix("fire"), text.removesuffix("tonight"), text + " (a drill)"):
        assert not finds(rule, missing)
    assert not finds(rule, text, platform="web")
    assert not finds(rule, text, source_id=3)
    assert not finds(rule, text, lang="es")


@pytest.mark.parametrize(
    ("lang", "passes"),
    [("en", True), ("en-US", True), ("EN_gb", True), (None, True), ("", True), ("enm", False)],
)
def test_a_language_is_asked_for_whatever_its_country(lang: str | None, passes: bool) -> None:
    assert finds(Rule(any=("box",), langs=("en", "es")), "box", lang=lang) is passes


def test_each_watch_answers_for_itself() -> None:
    matcher = Matcher(
        {
            1: Rule(any=("box",)),
            2: Rule(any=("box",), none=("drop",)),
            3: Rule(platforms=("bluesky", "web")),
            4: Rule(sources=(9,)),
            5: Rule(everything=True),
            6: Rule(),
            7: Rule(none=("drop",), langs=("en",), subject="Boxes"),  # asks for nothing by itself
            8: Rule(all=("box",), places=("26163",)),
        }
    )
    assert matcher(said("a drop box")) == {1, 3, 5}
    assert matcher(said("a box", platform="reddit", source_id=9)) == {1, 2, 4, 5}
    assert matcher(said("a box in Wayne County, Michigan")) == {1, 2, 3, 5, 8}
    assert Matcher({})(said("a box")) == frozenset()


def test_letters_of_every_script_have_one_form_whatever_their_case() -> None:
    characters = set(map(chr, range(sys.maxunicode + 1)))
    cased = {c for c in characters if c.upper() != c or c.lower() != c or c.casefold() != c}
    for character in cased - {"ı"}:  # its capital is I, of which the small letter is i
        form = normal_form(character)
        for written in (character.upper(), character.title(), character.lower(), form):
            assert normal_form(written) == form


# Places


@pytest.mark.parametrize(
    ("code", "text", "named"),
    [
        ("53", "Washington lies", False),
        ("53", "Washington State patrol", True),
        ("53", "a march in Washington, D.C.", False),
        ("11", "a march in Washington, D.C.", True),
        ("11001/Washington", "a march in WASHINGTON DC", True),
        ("51", "a rally in West Virginia", False),
        ("51", "from West Virginia to Virginia", True),
        ("26163", "Wayne County, MI", True),
        ("26163", "the clerk of Wayne County", False),
        ("26163", "Michigan: the clerk of Wayne County", True),
        ("26163", "the clerk of Wayne County (MI)", True),
        ("26163", "the clerk of wayne county, mi5 said", False),
        ("26163", "WAYNE COUNTY MI", True),
        ("26163/Detroit", "détroit, DETROIT’s streets", True),
        ("41051/Portland", "Portland, OR", True),
        ("41051/Portland", "Portland or Salem", False),
        ("41051/Portland", "WE MEET IN PORTLAND OR SALEM", False),
        ("41051/Portland", "WE MEET IN PORTLAND OR SALEM @joe #now x.example/a", False),
        ("41051/Portland", "WE MEET IN PORTLAND, OREGON", True),
        ("41051/Portland", "tonight in PORTLAND OR", True),
        ("29183/O'Fallon", "O’FALLON, Missouri", True),
    ],
)
def test_a_place_is_named_or_only_a_word_like_it(code: str, text: str, named: bool) -> None:
    assert finds(Rule(places=(code,)), text) is named


def test_one_of_several_places_is_enough_and_the_card_may_name_it() -> None:
    rule = Rule(any=("shots",), places=("26163", "41051/Portland"))
    assert finds(rule, "Shots in Wayne County, MI")
    assert finds(rule, "Shots tonight", card="Police at work in Portland, OR")
    assert not finds(rule, "shots tonight", card="POLICE IN PORTLAND OR SALEM")
    assert not finds(rule, "Wayne County, MI")
    assert not finds(rule, "shots")


def test_a_place_that_is_on_the_list_no_more_stops_no_other_watch() -> None:
    gone = ("26163/Nowhere",)
    matcher = Matcher(
        {
            1: Rule(any=("box",)),
            2: Rule(places=gone),
            3: Rule(any=("box",), places=gone),
            4: Rule(any=("box",), places=(*gone, "26163")),
        }
    )
    assert matcher(said("a box")) == {1}
    assert matcher(said("a box in Wayne County, Michigan")) == {1, 4}


# The matcher and a slow reader agree on whatever is written

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
LETTER = rf"[[\p{{L}}\p{{N}}_]--[{UNSPACED}]]"
IN_WORD = rf"[[\p{{L}}\p{{N}}\p{{M}}_]--[{UNSPACED}]]"
CODES = ("26", "26163", "26163/Detroit", "41051/Portland", "53", "51", "11001/Washington")
PIECES = (
    *("box", "BOX", "drop", "drop box", "Drop  Box fire", "Straße", "STRASSE", "ﬁre", "İ", "i"),
    *("don't", "don’t", "don", "t", "#", "#box", "_", "-", ".", "'", "2", "ⅷ", "½", " ", " ", "\n"),
    *(
        "🗳️",
        "🔥",
        "\ufe0f",
        "\u20e0",
        "\u0301",
        "\u0323",
        "e",
        "é",
        "q",
        "\u00ad",
        "\u200b",
        "\ud83d",
    ),
    *("投票箱", "箱", "投", "サーバー", "ー", "が", "ก", "\u0e31", "투표", "함", "ي", "ك"),
)
GEOGRAPHY = (
    *("Detroit", "Wayne County", "Portland", "PORTLAND", "Washington", "Virginia", "West", "State"),
    *("MI", "mi", "OR", "or", "WA", "DC", "D.C.", "Michigan", "MICHIGAN", "Oregon", "ORE."),
    *("the", "THE", "x.example/a", ",", "Maine", "West Virginia", "Washington State"),
)


def fold(text: str) -> str:
    text = regex.sub(r"\p{Default_Ignorable_Code_Point}", "", text)
    text = unicodedata.normalize("NFKC", text).casefold().replace("i\u0307", "i")
    text = regex.sub("[‘’ʼ]", "'", unicodedata.normalize("NFKC", text).replace("\ud83d", "?"))
    return " ".join(text.split())


@cache
def pattern(phrase: str) -> Any:
    """Where the folded phrase stands: no letter may go on from its first or its last."""
    before = rf"(?<!{LETTER}\p{{M}}*)" if regex.match(IN_WORD, phrase, regex.V1) else ""
    after = rf"(?!{IN_WORD})" if regex.search(rf"{LETTER}\p{{M}}*$", phrase, regex.V1) else ""
    return regex.compile(before + regex.escape(phrase) + after, regex.V1)


def reads(phrase: str, post: Said) -> bool:
    parts = (post.text, post.card or "")
    return any(pattern(fold(phrase)).search(fold(part)) for part in parts)


def names(code: str, post: Said) -> bool:
    """As sources.places.PlacePhrases says."""
    phrases = phrases_of(place_of(code))

    def stand(wanted: frozenset[str]) -> bool:
        for part in map(fold, (post.text, post.card or "")):

            def spans(some: frozenset[str], part: str = part) -> set[tuple[int, int]]:
                return {
                    found.span()
                    for phrase in some
                    for found in pattern(fold(phrase)).finditer(part, overlapped=True)
                }

            shut = spans(phrases.not_within)
            if any(not any(a <= x and y <= b for a, b in shut) for x, y in spans(wanted)):
                return True
        return False

    def in_capitals(part: str) -> bool:
        return not regex.search(r"\p{Ll}", part.replace("x.example/a", ""))

    postal = any(
        regex.search(rf"\b{phrases.postal}\b", part) and not in_capitals(part)
        for part in (post.text, post.card or "")
    )
    return stand(phrases.sure) or (
        stand(phrases.with_state) and (stand(phrases.state_names) or postal)
    )


def asks(rule: Rule, post: Said) -> bool:
    """Whether a rule asks for a post, read part by part."""
    by_itself = (rule.any, rule.all, rule.places, rule.platforms, rule.sources)
    return rule.everything or (
        any(by_itself)
        and (not rule.any or any(reads(phrase, post) for phrase in rule.any))
        and all(reads(phrase, post) for phrase in rule.all)
        and not any(reads(phrase, post) for phrase in rule.none)
        and (not rule.places or any(names(code, post) for code in rule.places))
        and (not rule.platforms or post.platform in rule.platforms)
        and (not rule.sources or post.source_id in rule.sources)
        and (not rule.langs or not post.lang or post.lang[:2] in rule.langs)
    )


def some(values: Any, most: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=most).map(tuple)


TEXT = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
PHRASE = (st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map("".join)).filter(fold)
RULE = st.builds(
    Rule,
    any=some(PHRASE, 3),
    all=some(PHRASE),
    none=some(PHRASE),
    langs=some(st.sampled_from(["en", "es"])),
    platforms=some(st.sampled_from(["bluesky", "web"])),
    sources=some(st.integers(1, 2)),
    everything=st.sampled_from([False] * 9 + [True]),
)
POST = st.builds(
    Said,
    text=TEXT,
    platform=st.sampled_from(["bluesky", "web", "reddit"]),
    source_id=st.integers(1, 3),
    lang=st.sampled_from([None, "en", "es-MX", "de"]),
    card=st.none() | TEXT,
)


@given(st.lists(RULE, max_size=5), POST, st.data())
@settings(max_examples=250, deadline=None)
def test_the_matcher_agrees_with_a_slow_reader(
    rules: list[Rule], post: Said, data: st.DataObject
) -> None:
    written = [p for rule in rules for p in (*rule.any, *rule.all, *rule.none)]
    if written:  # a text put together of the rules' own phrases: something is found in it
        parts = st.lists(st.sampled_from([*written, " ", " ", "x"]), max_size=8)
        post = replace(post, text=post.text + "".join(data.draw(parts)))
    expected = {n for n, rule in enumerate(rules) if asks(rule, post)}
    assert Matcher(dict(enumerate(rules)))(post) == expected


@cache
def atlas() -> Matcher:
    return Matcher({n: Rule(places=(code,)) for n, code in enumerate(CODES)})


@given(*[st.lists(st.sampled_from(GEOGRAPHY), max_size=6).map(" ".join)] * 2)
@example("Wayne County", "PORTLAND OR SALEM, MICHIGAN")
@settings(max_examples=150, deadline=None)
def test_places_agree_with_a_slow_reader(text: str, card: str) -> None:
    post = said(text, card=card)
    assert atlas()(post) == {n for n, code in enumerate(CODES) if names(code, post)}


@given(st.lists(st.text() | st.text(st.characters(codec=None)), max_size=3), st.text())
@settings(max_examples=150, deadline=None)
def test_no_text_stops_the_matcher(phrases: list[str], text: str) -> None:
    matcher = Matcher({1: Rule(any=tuple(phrases)), 2: Rule(everything=True)})
    alone = f" {' '.join(phrases)} "
    assert matcher(said(text)) >= {2}
    assert matcher(said(alone)) == ({1, 2} if any(map(normal_form, phrases)) else {2})


def test_marks_without_end_take_no_time() -> None:
    """A second at most; to put so many in order takes ten, and a source waits for each post."""
    began = perf_counter()
    for marks in ("\u0301\u0323" * 50_000, ("\u0301\u0323" * 9 + "\u200b") * 5_000):
        assert finds(Rule(any=("box",)), f"a{marks} box")
        assert not finds(Rule(any=("box",)), f"box{marks}")
    assert perf_counter() - began < 1


# Stored


@given(st.builds(Rule, places=some(st.sampled_from(CODES)), subject=st.text(), any=some(PHRASE)))
@settings(max_examples=50)
def test_a_rule_comes_back_as_it_was_stored(rule: Rule) -> None:
    assert Rule.of(json.loads(json.dumps(rule.as_json()))) == rule


def test_a_stored_rule_may_be_older_or_newer_than_this_code() -> None:
    assert Rule.of({}) == Rule()
    assert Rule.of({"any": ["box"], "hashtags": ["x"], "near": None}) == Rule(any=("box",))
