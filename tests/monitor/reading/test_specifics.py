"""What a text names of place, time and means: pairs that differ in one thing, clocks, any text."""

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.coding.codebook import IMMINENCES
from monitor.reading.means_named import MEANS
from monitor.reading.specifics import Specific, imminence, specifics

WEDNESDAY = datetime(2026, 11, 25, 15, 30, tzinfo=UTC)
CHICAGO = ZoneInfo("America/Chicago")


def named(kind: str, text: str, posted_at: datetime | None = WEDNESDAY) -> list[tuple[str, str]]:
    """(words, value) of one kind."""
    found = [one for one in specifics(text, posted_at) if one.kind == kind]
    return [(text[one.start : one.end], one.value) for one in found]


def moments(text: str, posted_at: datetime) -> list[datetime]:
    return [datetime.fromisoformat(value) for _, value in named("time", text, posted_at) if value]


def soon(text: str, posted_at: datetime | None = WEDNESDAY) -> str:
    return imminence(specifics(text, posted_at), posted_at)


def test_everything_named_in_the_order_of_the_text():
    text = "Clerk Lund, I’ll shoot you at the courthouse in Detroit tomorrow at 9 pm with my rifle"
    found = specifics(text, WEDNESDAY)
    assert [(one.kind, text[one.start : one.end], one.value) for one in found] == [
        ("place", "the courthouse", ""),
        ("place", "Detroit", "26163"),
        ("time", "tomorrow at 9 pm", "2026-11-26T21:00:00+00:00"),
        ("means", "rifle", "firearm"),
    ]
    assert [one.label for one in found][1:] == [
        "Detroit, MI — Wayne County",
        "Thursday 26 November 2026, 21:00 UTC",
        "a firearm",
    ]


# Means

WEAPONS = [  # (class, named, the same without)
    ("firearm", "Bring a gun", "Bring a nail gun"),
    ("firearm", "He took the shotgun", "It was a shotgun wedding"),
    ("firearm", "bring guns to the rally", "bring gun control to the rally"),
    ("firearm", "I have a bullet for you", "here is a bullet point for you"),
    ("firearm", "shoot them with a pistol", "shoot them a text"),
    ("blade", "Stab them with a kitchen knife", "Cut the bread with a kitchen knife"),
    ("blade", "Grab a knife and stab them all", "Grab a knife and slice the bread"),
    ("blade", "Te voy a matar con un cuchillo", "Voy a cortar pan con un cuchillo"),
    ("blade", "Traigan machetes", "Traigan tortillas"),
    ("blunt", "Bring bats to the barn", "Bats live in the barn"),
    ("blunt", "beat them up with hammers", "beat the eggs up with hammers"),
    ("blunt", "Traigan palos", "Traigan pan"),
    ("fire", "Throw a Molotov", "Fly to Molotov, the city"),
    ("fire", "burn down the church with matches", "light the candles with matches"),
    ("fire", "Set the clinic on fire", "Set the table on time"),
    ("explosive", "Leave a bomb there", "Leave a bath bomb there"),
    ("explosive", "Pongan una bomba", "Pongan una bomba de agua"),
    ("vehicle", "Drive my truck into the crowd", "Drive my truck into the garage"),
    ("vehicle", "run them over with a truck", "pick them up with a truck"),
    ("chemical", "throw acid in her face", "throw acid in the drain"),
    ("other", "Bring weapons", "Weapons ban now"),
]


@pytest.mark.parametrize(("kind", "text", "harmless"), WEAPONS)
def test_a_weapon_and_what_is_none(kind, text, harmless):
    assert [value for _, value in named("means", text)] == [kind]
    assert named("means", harmless) == []
    assert kind in MEANS


# Places

PLACES = [
    ("burn Detroit", "burn Detroiters", "26163"),
    ("Detroit’s bridges", "Detroiters’ bridges", "26163"),
    ("in Wayne County, Michigan", "in Wayne County", "26163"),
    ("Springfield, IL tonight", "Springfield, the show", "17167"),
    ("off to West Virginia", "off to west wing", "54"),
    ("at the clinic on 5th", "a clinic is a clinic", ""),
    ("burn that church", "burn that bridge", ""),
    ("go to his house", "go to a house", ""),
    ("1420 Maple Street", "1420 maple leaves", ""),
    ("meet at Lincoln School", "meet in high school", ""),
    ("quemen la iglesia", "amo la iglesia", ""),
    ("nos vemos en la calle Juárez", "nos vemos en la red", ""),
]


@pytest.mark.parametrize(("text", "without", "value"), PLACES)
def test_a_place_and_what_is_none(text, without, value):
    assert [code for _, code in named("place", text)] == [value]
    assert named("place", without) == []


def test_a_building_takes_the_place_in_its_name():
    assert named("place", "be at Detroit City Hall") == [("Detroit City Hall", "26163")]


def test_a_building_is_named_with_its_street():
    assert named("place", "we are at the clinic on 5th")[0][0] == "the clinic on 5th"


# Times

TIMES = [  # (text, the same without a time, how soon, how soon by the words alone)
    ("right now", "right", "now", "now"),
    ("we are on our way", "we are on our way home", "now", "now"),
    ("in 20 minutes", "20 minutes", "now", "48h"),
    ("tonight", "night", "48h", "48h"),
    ("tomorrow", "someday", "48h", "48h"),
    ("at 9 pm", "at 9 people", "48h", "7d"),
    ("be there by noon", "the noon bell", "48h", "7d"),
    ("on Friday", "on Black Friday", "48h", "7d"),
    ("on Sunday", "in the sun", "7d", "7d"),
    ("this weekend", "a weekend", "7d", "7d"),
    ("Saturday at 9", "Leviticus 20:13", "7d", "7d"),
    ("in three days", "three days", "7d", "7d"),
    ("March 3rd", "we march 3 miles", "unspecified", "unspecified"),
    ("May 5", "I may 5", "unspecified", "unspecified"),
    ("on 11/27", "9/11 and 24/7", "48h", "unspecified"),
    ("mañana", "por la mañana", "48h", "48h"),
    ("esta noche", "la noche", "48h", "48h"),
    ("hoy", "hoy en día", "48h", "48h"),
    ("el sábado a las 9", "a las 9 personas", "7d", "7d"),
    ("el 27 de noviembre", "27 de ellos", "48h", "unspecified"),
    ("ahora mismo", "ahora no", "now", "now"),
]


@pytest.mark.parametrize(("text", "without", "how_soon", "by_words"), TIMES)
def test_a_time_and_how_soon(text, without, how_soon, by_words):
    assert len(named("time", text)) == 1
    assert named("time", without) == []
    assert soon(text) == how_soon
    assert soon(text, None) == by_words
    assert {how_soon, by_words} <= set(IMMINENCES)


def test_the_soonest_that_is_to_come_counts():
    assert soon("On Sunday we plan, tomorrow we act") == "48h"
    assert soon("Yesterday they came; on Sunday it is our turn") == "7d"
    assert soon("It was on May 5, 2019") == "unspecified"
    assert soon("It was on Friday", WEDNESDAY) == "48h"
    assert soon("yesterday", None) == "unspecified"
    assert imminence([], WEDNESDAY) == "unspecified"


def test_a_past_moment_does_not_count_when_asked_later():
    found = specifics("tomorrow at noon", WEDNESDAY)
    assert imminence(found, WEDNESDAY) == "48h"
    assert imminence(found, WEDNESDAY + timedelta(days=2)) == "unspecified"


def test_hours_in_spanish():
    assert moments("el sábado a las 9 de la noche", WEDNESDAY) == [
        datetime(2026, 11, 28, 21, tzinfo=UTC)
    ]
    assert moments("pasado mañana al mediodía", WEDNESDAY) == [
        datetime(2026, 11, 27, 12, tzinfo=UTC)
    ]


def test_the_hours_of_a_night():
    evening = datetime(2026, 11, 25, 18, 30, tzinfo=CHICAGO)
    assert moments("tonight at 9", evening) == [datetime(2026, 11, 25, 21, tzinfo=CHICAGO)]
    for text in ("tonight at midnight", "tonight at 12", "tonight at 12 am"):
        assert moments(text, evening) == [datetime(2026, 11, 26, 0, tzinfo=CHICAGO)], text
    assert moments("tonight at 1 am", evening) == [datetime(2026, 11, 26, 1, tzinfo=CHICAGO)]


def test_just_before_midnight():
    late = datetime(2026, 11, 25, 23, 50, tzinfo=CHICAGO)
    assert moments("tomorrow", late)[0].astimezone(CHICAGO).date() == datetime(2026, 11, 26).date()  # noqa: DTZ001
    assert soon("tomorrow", late) == "48h"  # in ten minutes it is tomorrow, but not yet now
    assert soon("tonight", late) == "now"
    assert soon("today", late) == "now"
    assert soon("this morning", late) == "unspecified"
    assert moments("9 pm", late) == [datetime(2026, 11, 26, 21, tzinfo=CHICAGO)]


def test_an_hour_of_today_that_has_passed_counts_where_the_zone_is_unknown():
    # UTC is what platforms give: 23:30 there is an afternoon in America.
    assert soon("tonight at 9 pm", datetime(2026, 11, 25, 23, 30, tzinfo=UTC)) in ("now", "48h")
    assert soon("tonight at 9 pm", datetime(2026, 11, 25, 23, 30, tzinfo=CHICAGO)) == "unspecified"


def test_over_a_change_of_the_clock():
    # In 2026 clocks in Chicago go from 2 to 3 on 8 March and back from 2 to 1 on 1 November.
    spring = datetime(2026, 3, 7, 21, tzinfo=CHICAGO)
    assert moments("tomorrow at 9 pm", spring) == [datetime(2026, 3, 9, 2, tzinfo=UTC)]
    assert moments("in 24 hours", spring) == [datetime(2026, 3, 9, 3, tzinfo=UTC)]
    assert moments("tomorrow at 2:30 am", spring) == [datetime(2026, 3, 8, 8, 30, tzinfo=UTC)]
    autumn = datetime(2026, 10, 31, 21, tzinfo=CHICAGO)
    assert moments("tomorrow at 9 pm", autumn) == [datetime(2026, 11, 2, 3, tzinfo=UTC)]


def test_a_zone_that_is_named_wins():
    assert moments("Friday at 6 pm EST", WEDNESDAY) == [datetime(2026, 11, 27, 23, tzinfo=UTC)]
    assert moments("Friday at 6 pm", WEDNESDAY) == [datetime(2026, 11, 27, 18, tzinfo=UTC)]
    july = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert moments("Friday at 6 pm ET", july) == [datetime(2026, 7, 3, 22, tzinfo=UTC)]


def test_a_weekday_said_on_that_day_is_today():
    assert soon("Wednesday at 9 pm") == "48h"
    assert soon("Wednesday") == "48h"


# Any text

PIECES = st.sampled_from(
    """tonight at 9 : 25 pm Saturday 31 february 99 am mañana a las el sábado in 2 weeks today 12/3
    the clinic on 5th Main Street Wayne County , IL Detroit bring a gun with my knife stab them
    set fire to kill every ardan ago hace dos días 2026-13-45 ² İ noon next week EST""".split()  # noqa: SIM905
)
TEXTS = st.text(max_size=5_000) | st.lists(PIECES, max_size=200).map(" ".join)
WHEN = st.none() | st.datetimes() | st.datetimes(timezones=st.just(UTC) | st.just(CHICAGO))


@settings(deadline=None, max_examples=120)
@given(TEXTS, WHEN)
def test_any_text_is_read_in_order_and_within(text, posted_at):
    found = specifics(text, posted_at)
    assert all(0 <= one.start < one.end <= len(text) for one in found)
    assert [one.start for one in found] == sorted(one.start for one in found)
    assert all(one.kind in ("place", "time", "means") and one.label for one in found)
    assert imminence(found, posted_at) in {"now", "48h", "7d", "unspecified"}
    for kind in ("place", "time", "means"):
        spans = [(one.start, one.end) for one in found if one.kind == kind]
        assert all(a[1] <= b[0] for a, b in pairwise(spans))


@pytest.mark.parametrize(
    "piece",
    ["the ", "kill them with ", "at the a-b ", "Ab ", "1", "9 ", "in ", "corner of Aa and ", "\n "],
)
def test_work_grows_with_the_length_and_not_its_square(piece):
    def took(length: int) -> float:
        text = (piece * length)[:length]
        best = 9.0
        for _ in range(3):
            begun = time.perf_counter()
            specifics(text, WEDNESDAY)
            best = min(best, time.perf_counter() - begun)
        return best

    specifics("Detroit", WEDNESDAY)  # the list of places is read once
    assert took(8_000) < 12 * took(2_000) + 0.1


def test_a_specific_is_a_value():
    assert Specific("time", 0, 5, "", "right now") == Specific("time", 0, 5, "", "right now")
