import re
from collections import Counter

import pytest
import zipcodes  # type: ignore[import-untyped, unused-ignore]
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.places import Place, find_places, phrases_of, place_of

COUNTY_KINDS = {"County", "Parish", "Borough", "Municipality", "Municipio", "Area", "District"}
TOWNS = {"city", "Carson City", "Guam", "District of Columbia"}


def codes(text: str, limit: int = 12) -> list[str]:
    return [place.code for place in find_places(text, limit)]


@pytest.fixture(scope="module")
def states() -> list[Place]:
    found = [place_of(f"{n:02}") for n in range(1, 79) if f"{n:02}" in codes(f"{n:02}")]
    assert len(found) == 56  # fifty, the District, Puerto Rico and four island areas
    return found


@pytest.fixture(scope="module")
def counties(states: list[Place]) -> list[Place]:
    """All of them, as a person would find them: by the state's name."""
    return [
        place
        for state in states
        for place in find_places(state.name, 5000)
        if place.kind == "county" and place.state == state.state
    ]


def means(code: str, text: str) -> bool:
    """Whether ``text`` means the place, read as PlacePhrases says."""
    phrases = phrases_of(place_of(code))
    folded = text.casefold()

    def spans(words: frozenset[str]) -> list[tuple[int, int]]:
        found = (re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", folded) for word in words)
        return [match.span() for matches in found for match in matches]

    shut = spans(phrases.not_within)

    def said(words: frozenset[str]) -> bool:
        return any(not any(a <= start and end <= b for a, b in shut) for start, end in spans(words))

    state = said(phrases.state_names) or re.search(rf"\b{phrases.postal}\b", text) is not None
    return said(phrases.sure) or (state and said(phrases.with_state))


# Finding a place while typing


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("detroit", "26163/Detroit"),
        ("Detroit, MI", "26163/Detroit"),
        ("Detroit, MI — Wayne County", "26163/Detroit"),
        ("26163", "26163"),
        ("wayne", "26163"),
        ("wayne county mi", "26163"),
        ("Wayne County, Michigan", "26163"),
        ("mich", "26"),
        ("new york", "36"),
        ("washington", "53"),
        ("washington, dc", "11001"),
        ("orleans", "22071"),
        ("Orleans Parish", "22071"),
        ("anchorage", "02020"),
        ("chugach", "02063"),
        ("oglala lakota", "46102"),
        ("dona ana", "35013"),
        ("Doña Ana", "35013"),
        ("baltimore city", "24510"),
        ("baltimore county", "24005"),
        ("richmond city", "51760"),
        ("hartford county", "09003"),
        ("bayam", "72021"),
        ("prince georges", "24033"),
        ("prince george's", "24033"),
        ("brooklyn", "36047"),
        ("o'fallon, mo", "29183/O'Fallon"),
        ("mcallen", "48215/McAllen"),
        ("ft worth", "48439/Fort Worth"),
        ("dearborn, mi", "26163/Dearborn"),
    ],
)
def test_the_first_place_is_the_one_meant(typed: str, code: str) -> None:
    assert codes(typed)[0] == code


def test_the_name_shown_says_state_and_county() -> None:
    assert place_of("26163/Detroit") == Place(
        "26163/Detroit", "Detroit, MI — Wayne County", "city", "26163", "MI"
    )
    assert place_of("26163") == Place("26163", "Wayne County, MI", "county", "26163", "MI")
    assert place_of("26") == Place("26", "Michigan", "state", "26", "MI")


def test_saint_is_found_however_it_is_written() -> None:
    found = codes("Saint Louis")
    assert codes("St. Louis") == codes("st louis") == found
    assert {"29510", "29189", "29510/Saint Louis"} <= set(found)


def test_an_ambiguous_city_shows_the_largest_of_several_states_first() -> None:
    found = find_places("springfield", 40)
    assert {place.state for place in found[:3]} == {"IL", "MA", "MO"}
    assert len({place.state for place in found}) > 15


def test_what_is_found_goes_from_exact_to_beginnings() -> None:
    names = [place.name for place in find_places("kansas", 40)]
    assert names[0] == "Kansas"
    exact = [i for i, name in enumerate(names) if name.startswith("Kansas,")]
    longer = [i for i, name in enumerate(names) if name.startswith("Kansas City")]
    assert exact
    assert longer
    assert max(exact) < min(longer)


@pytest.mark.parametrize("nothing", ["", "   ", "—,.", "xyzzyx", "detroit xyzzyx", "\x00", "🏙️"])
def test_nothing_is_found_for_no_name(nothing: str) -> None:
    assert find_places(nothing) == []


@settings(deadline=None)  # the first call reads all places
@given(
    st.text(max_size=200)
    | st.text("abdeimnorst .,'’’-ñÑﬁ/0126", max_size=40)
    | st.sampled_from(["detroit", "st", "a b c", "new york, ny"]).map(lambda word: word * 500),
    st.integers(-1, 30),
)
def test_whatever_is_typed_every_place_found_can_be_read_back(text: str, limit: int) -> None:
    found = find_places(text, limit)
    assert len(found) <= max(limit, 0)
    assert len(set(found)) == len(found)
    assert all(place_of(place.code) == place for place in found)


@settings(deadline=None)
@given(st.text(max_size=2000))
def test_an_unknown_code_is_refused_in_one_sentence(code: str) -> None:
    if codes(code, 1) != [code]:
        with pytest.raises(ValueError, match=r"^No place .* has the code “(?s:.{0,80})”\.$"):
            place_of(code)


# What there is


def test_every_state_has_counties_with_one_fips_code_each(
    states: list[Place], counties: list[Place]
) -> None:
    assert {county.state for county in counties} == {state.state for state in states}
    assert all(re.fullmatch(r"\d{5}", county.code) for county in counties)
    assert all(county.fips == county.code for county in counties)
    assert len({county.code for county in counties}) == len(counties)
    of_state = Counter(county.code[:2] for county in counties)
    # As the Census Bureau counts them after 2019; Connecticut before its planning regions.
    assert [of_state[fips] for fips in ("02", "09", "22", "48", "51", "72")] == [
        *(30, 8, 64, 254, 133, 78)
    ]
    assert sum(n for fips, n in of_state.items() if fips < "57") == 3143
    names = [county.name.split(",")[0] for county in counties]
    assert all(name in TOWNS or name.split()[-1] in COUNTY_KINDS | TOWNS for name in names)


def _post_office(postal: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = zipcodes.filter_by(  # type: ignore[no-untyped-call, unused-ignore]
        state=postal
    )
    return rows


def test_every_city_of_the_post_office_is_found_in_its_state() -> None:
    rows = [row for postal in ("MI", "VA", "AK") for row in _post_office(postal)]
    missing = {
        (row["city"], row["state"])
        for row in rows[::60]
        if not any(
            place.kind == "city" and place.state == row["state"]
            for place in find_places(f"{row['city'].replace('Mc ', 'Mc')}, {row['state']}", 60)
        )
    }
    assert len(rows[::60]) > 40
    assert not missing


def test_abbreviations_of_the_post_office_are_no_cities() -> None:
    assert codes("fort lauderdale")
    assert codes("ft lauderdale") == codes("fort lauderdale")
    assert not codes("colo spgs")
    assert not codes("dsrt hot spgs")


# What a post says


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("26163/Detroit", "Shots fired in DETROIT tonight"),
        ("26163/Detroit", "a crowd in Detroit, Mich."),
        ("26163", "The clerk of Wayne County, MI, was threatened"),
        ("26163", "Michigan: the clerk of Wayne County was threatened"),
        ("26163", "wayne county michigan canvassers"),
        ("04013", "maricopa county again"),
        ("22071", "Orleans Parish sheriff"),
        ("26", "all over Michigan"),
        ("36", "in New York today"),
        ("36061/New York", "in New York today"),
        ("53", "Washington state patrol"),
        ("53", "Washington, WA"),
        ("11", "a march in Washington, D.C."),
        ("11001/Washington", "a march in Washington DC"),
        ("29510", "st. louis protest"),
        ("29510/Saint Louis", "Saint Louis protest"),
        ("35013", "Dona Ana County clerk"),
        ("35013", "Doña Ana County clerk"),
        ("24033", "Prince George’s County"),
        ("24510", "Baltimore mayor"),
        ("24005", "Baltimore County police"),
        ("02020", "Anchorage school board"),
        ("36047", "a mosque in Brooklyn"),
        ("12095/Orlando", "Orlando after the vote"),
        ("41051/Portland", "They meet in Portland, OR tonight"),
        ("01097/Mobile", "mobile, alabama"),
        ("01097/Mobile", "Shots in Mobile, Alabama officials say"),
        ("04013/Phoenix", "Phoenix police ask for help"),
        ("42011/Reading", "city hall of Reading, PA"),
        ("17113/Normal", "normal, illinois"),
        ("37067/Winston Salem", "Winston-Salem council"),
        ("20209/Kansas City", "Kansas City, Kansas"),
        ("78030", "St. Thomas, US Virgin Islands"),
    ],
)
def test_a_post_that_means_the_place(code: str, text: str) -> None:
    assert means(code, text)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("26163", "Wayne County, Ohio"),
        ("26163", "Lil Wayne in Michigan"),
        ("26163/Detroit", "the Detroit Lakes of Minnesota"),
        ("01097/Mobile", "my mobile is dead"),
        ("04013/Phoenix", "like a phoenix"),
        ("05057/Hope", "I have no hope for Arkansas"),
        ("17113/Normal", "Illinois, this is not normal"),
        ("42011/Reading", "Reading this poll of Pennsylvania"),
        ("53", "Washington lies"),
        ("51", "a rally in West Virginia"),
        ("51760", "Richmond, West Virginia"),
        ("20", "a rally in Kansas City"),
        ("20209/Kansas City", "a rally in Kansas City"),
        ("41051/Portland", "in portland or seattle"),
        ("41051/Portland", "Portland, Maine"),
        ("18177", "the clerks of Wayne County in Michigan"),
        ("24510", "Baltimore County police"),
        ("17167/Springfield", "Springfield elects a mayor"),
        ("53011/Vancouver", "Vancouver police"),
        ("36", "in West New York"),
        ("39085", "From Ohio to Salt Lake County"),
    ],
)
def test_a_post_that_means_something_else(code: str, text: str) -> None:
    assert not means(code, text)


def test_phrases_are_in_the_normal_form_of_the_matcher(counties: list[Place]) -> None:
    places = [*counties[::40], *find_places("saint", 40), *find_places("new", 40)]
    assert len(places) > 100
    for place in places:
        phrases = phrases_of(place)
        assert phrases.sure
        assert not phrases.sure & phrases.with_state
        assert not phrases.not_within & (phrases.sure | phrases.with_state)
        for phrase in phrases.sure | phrases.with_state | phrases.state_names | phrases.not_within:
            assert phrase == " ".join(phrase.casefold().split())
            assert re.match(r"\w", phrase)
            assert re.search(r"\w$", phrase)


def test_every_city_is_known_by_its_name_with_its_state() -> None:
    for place in find_places("a", 3000)[::50]:
        assert means(place.code, f"Trouble in {place.name.split(' —')[0]}")


def test_a_place_that_is_none_of_ours_has_no_phrases() -> None:
    with pytest.raises(ValueError, match="No place"):
        phrases_of(Place("99999", "Nowhere", "county", "99999", "XX"))
