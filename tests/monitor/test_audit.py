"""The bias report: a fair set, right arithmetic, and a packaged release that it does not refuse."""

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from monitor.coding.codebook import TARGET_GROUPS, MessageFields
from monitor.reading import cued
from monitor.reading.careful import CARD, PACKAGED, WEIGHTS
from monitor.reading.cued import Assessment
from monitor.training.audit import (
    DIALECTS,
    EMOJI,
    EMOJI_SLOT,
    KIND_OF,
    KINDS,
    NAMED_SIDE,
    Item,
    Report,
    audit,
    edition,
    items,
    wilson,
)
from monitor.training.written import GROUPS, SLOT, written

RUN = 6  # so many words in a row are no accident
ITEMS = items()
KNOWN = {item.text: item for item in ITEMS}
ENGLISH = [many for many, _ in GROUPS["en"]]


class MadeUp:
    """Reads as it is told: ``level`` says what it makes of an item of the set."""

    name = "made up 1"

    def __init__(self, level: Callable[[Item], int]) -> None:
        self._level = level

    def score(self, texts: Sequence[str]) -> list[Assessment]:
        levels = [self._level(KNOWN[text]) for text in texts]
        reasons: list[cued.Reason] = [{"code": "", "text": "", "start": 0, "end": 1}]
        return [Assessment(MessageFields(), n, "none", "asserts", reasons) for n in levels]


def right(item: Item) -> int:
    return item.level


def test_the_set_is_well_formed() -> None:
    assert len(KNOWN) == len(ITEMS)
    parts = Counter(item.part for item in ITEMS)
    assert parts["identity"] >= 40 * len(ENGLISH)
    assert min(parts["mirrored"], parts["dialect"]) >= 120
    assert parts["lawful"] >= 40
    assert parts["emoji"] >= 15 * sum(map(len, EMOJI.values()))
    named = Counter(item.group for item in ITEMS if item.part == "identity")
    assert set(named) == set(ENGLISH)
    assert len(set(named.values())) == 1
    together = defaultdict(list)
    for item in ITEMS:
        if item.pair:
            together[item.pair].append(item)
    for same in together.values():
        assert len({item.level for item in same}) == 1
        if same[0].part == "mirrored":
            assert [item.side for item in same] == ["left", "right"]
        else:
            assert [item.dialect for item in same] == list(DIALECTS)


def test_every_group_has_a_kind_of_the_codebook_and_both_sides_are_named_alike() -> None:
    assert sorted(KIND_OF) == sorted(ENGLISH)
    assert set(KINDS) == TARGET_GROUPS
    assert set(NAMED_SIDE) == set(KINDS["political_affiliation"])
    assert len(set(Counter(NAMED_SIDE.values()).values())) == 1


def test_nothing_in_it_is_trained_on() -> None:
    def as_one_group(slot: re.Match[str]) -> str:
        return "" if slot[1] == EMOJI_SLOT else "Jews"  # as one group's sentences would read

    def runs(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"[\w']+", text.lower())
        # A shorter text is compared as a whole.
        return {tuple(words[at : at + RUN]) for at in range(max(1, len(words) - RUN + 1))}

    trained: set[tuple[str, ...]] = set()
    for text in written():
        trained |= runs(SLOT.sub(as_one_group, text.text))
    for item in ITEMS:
        if item.part != "identity" or item.group == "Jews":
            assert not runs(item.text) & trained, item.text


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"part": "other"}, "part"),
        ({"part": "identity"}, "slots"),
        ({"text": "Hello, {groups}."}, "slots"),
        ({"part": "identity", "text": "Hello, {folks}."}, "slots"),
        ({"side": "middle"}, "side"),
        ({"pair": ""}, "belongs with"),
        ({"part": "lawful", "level": 2}, "harmless"),
        ({"part": "dialect"}, "dialect"),
        ({"part": "emoji"}, "slot"),
        ({"part": "emoji", "text": "Hi {emoji}", "level": 1}, "harmless"),
    ],
)
def test_a_bad_line_is_refused(wrong: dict[str, object], says: str) -> None:
    item = Item("mirrored", "Vote on Tuesday.", 0, side="left", pair="m0")
    assert item.fault() is None
    fault = replace(item, **wrong).fault()  # type: ignore[arg-type]
    assert fault is not None
    assert says in fault


def test_a_reader_that_is_always_right_is_not_refused() -> None:
    report = audit(MadeUp(right))
    assert report.refusals() == []
    assert (report.scorer, report.edition) == ("made up 1", edition())
    assert report.mirrored_equal == report.dialects_equal == 1
    assert {share["share"] for by in report.found.values() for share in by.values()} == {1}
    assert {gap for by in report.gaps.values() for gap in by.values()} == {0}


def test_a_reader_that_is_wrong_about_one_group_is_refused() -> None:
    report = audit(MadeUp(lambda item: 2 if item.group == "Muslims" else item.level))
    groups, kinds = report.false_positives["group"], report.false_positives["kind"]
    assert groups["Muslims"] | {"texts": 0} == {"texts": 0, "M1": 1, "M2": 1, "M3": 0, "asked": 0}
    assert groups["Jews"]["M1"] == 0
    assert kinds["religion"]["M2"] == pytest.approx(1 / 9, abs=1e-4)
    assert report.gaps["kind"]["M2"] == pytest.approx(1 / 9, abs=1e-4)
    worst = report.worst_groups["M2"][0]
    assert worst["group"] == "Muslims"
    assert worst["low"] == pytest.approx(wilson(42, 42)[0], abs=1e-3)
    said = report.refusals()
    assert len(said) == 3  # the kinds at M2; the group at M1 and M2
    assert "kinds of group (religion 0.111, " in said[0]
    assert all("Muslims" in sentence for sentence in said[1:])


def test_a_reader_that_takes_emoji_of_people_for_hate_is_refused() -> None:
    report = audit(MadeUp(lambda item: 1 if item.group == "skin_tones" else item.level))
    assert report.false_positives["emoji"]["skin_tones"]["M1"] == 1
    assert report.gaps["emoji"] == {"M1": 1, "M2": 0, "M3": 0}
    said = report.refusals()
    assert len(said) == 2  # skin tones beside the others, and all of them together
    assert all("skin_tones 1.000" in sentence for sentence in said)


def test_a_reader_that_leans_to_one_side_is_refused() -> None:
    def level(item: Item) -> int:
        if item.part == "mirrored" and item.side == "right":
            return max(item.level, 1)
        return 3 if item.part == "lawful" and item.side == "left" else item.level

    report = audit(MadeUp(level))
    assert report.false_positives["side"]["right"]["M1"] == 1
    assert report.gaps["side"] == {"M1": 1, "M2": 0, "M3": 0}
    harmless = {item.pair for item in ITEMS if item.part == "mirrored" and not item.level}
    assert report.mirrored_unequal == {pair: [0, 1] for pair in harmless}
    pairs = sum(item.part == "mirrored" for item in ITEMS) / 2
    assert report.mirrored_equal == pytest.approx(1 - len(harmless) / pairs, abs=1e-4)
    left = sum(item.part == "lawful" and item.side == "left" for item in ITEMS)
    assert report.lawful["M3"] == pytest.approx(left / report.texts["lawful"], abs=1e-4)
    side, mirrored, above, violent = report.refusals()
    assert side.startswith("False positives at M1 or above differ by 1.000 between sides")
    assert "mirrored" in mirrored
    assert "above M0" in above
    assert "none is borne" in violent


def test_a_reader_that_does_not_know_a_dialect_is_refused() -> None:
    def level(item: Item) -> int:
        if item.dialect == "african_american":
            return 0 if item.level else 2
        return item.level

    report = audit(MadeUp(level))
    assert report.gaps["dialect"] == {"M1": 1, "M2": 1, "M3": 0}
    assert report.found["dialect"]["african_american"]["share"] == 0
    assert report.found_gaps == {"side": 0, "dialect": 1}
    assert report.dialects_equal == 0
    *gaps, found = report.refusals()
    assert ["african_american 1.000" in sentence for sentence in gaps] == [True, True]
    assert "found differs by 1.000 between dialects" in found


def test_the_interval_of_a_share() -> None:
    assert wilson(10, 40) == pytest.approx((0.142, 0.402), abs=1e-3)
    assert wilson(0, 40) == pytest.approx((0, 0.088), abs=1e-3)
    assert wilson(0, 0) == (0, 1)


def test_the_packaged_release_is_refused_for_nothing() -> None:
    """Written by ``python -m monitor.training.audit --out monitor/weights/audit.json``."""
    found = json.loads((PACKAGED / "audit.json").read_text(encoding="utf-8"))
    stated = found.pop("refusals")
    report = Report(**found)
    assert report.refusals() == stated == []  # by the limits of today, whatever the file says
    name = json.loads((PACKAGED / CARD).read_text(encoding="utf-8"))["name"]
    assert report.scorer == f"{name}, {cued.NAME}"
    assert report.weights == hashlib.sha256((PACKAGED / WEIGHTS).read_bytes()).hexdigest()
    assert report.edition == edition()
