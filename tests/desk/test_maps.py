"""Maps of counties: where a county lies, what is shaded how, and how much a page may weigh."""

import re
from xml.etree import ElementTree

import pytest

from desk import maps

WAYNE, INGHAM = "26163", "26065"  # Michigan: Detroit, and Lansing west of it
DENVER, BANGOR, ANCHORAGE = "08031", "23019", "02020"
WEIGHT = 150_000  # bytes of a page's map


def points(path):
    """The corners of path data as drawn here: absolute once for each line, then relative."""
    found = []
    for line in re.findall(r"M(-?\d+),(-?\d+)l?([^Mz]*)", path):
        x, y = int(line[0]), int(line[1])
        found.append((x, y))
        for step in line[2].split():
            dx, dy = map(int, step.split(","))
            x, y = x + dx, y + dy
            found.append((x, y))
    return found


def middle(path):
    xs, ys = zip(*points(path), strict=True)
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def shape(drawing, fips):
    return next(one for one in drawing.shapes if one.fips == fips)


def test_counties_lie_where_they_are():
    drawing = maps.draw({WAYNE: (1, 1), INGHAM: (1, 0)})
    (wayne_x, wayne_y), (ingham_x, ingham_y) = (
        middle(shape(drawing, one).path) for one in (WAYNE, INGHAM)
    )
    assert ingham_x < wayne_x  # Lansing is west of Detroit
    assert ingham_y < wayne_y  # and a little north of it
    left, top, width, height = map(float, drawing.view_box.split())
    assert left < wayne_x < left + width
    assert top < wayne_y < top + height
    coasts = maps.draw({"06075": (1, 0), "36061": (1, 0)})  # San Francisco and New York
    west, east = (middle(shape(coasts, one).path)[0] for one in ("06075", "36061"))
    assert east - west > 0.6 * maps.SHEET[0] * maps.UNITS
    xs, ys = zip(*points(shape(drawing, WAYNE).path), strict=True)
    assert max(xs) - min(xs) > 300  # an area, not a line: some six of 975 wide and high
    assert max(ys) - min(ys) > 300


@pytest.mark.parametrize(
    ("dangerous", "step"), [(0, 0), (1, 1), (2, 1), (3, 2), (9, 2), (10, 3), (29, 3), (30, 4)]
)
def test_four_shades_by_posts_at_m2(dangerous, step):
    drawing = maps.draw({DENVER: (40, dangerous)})
    assert shape(drawing, DENVER).step == step
    assert shape(drawing, DENVER).name == "Denver County, CO"
    others = [one for one in drawing.shapes if one.fips != DENVER]
    assert len(others) > 60  # the state's other counties are there to find one's way
    assert {(one.step, one.posts) for one in others} == {(0, 0)}


def test_few_states_are_drawn_large_and_many_on_the_whole_country():
    alone, country = maps.draw({DENVER: (1, 1)}), maps.draw({DENVER: (1, 1), BANGOR: (1, 1)})
    assert not alone.whole
    assert country.whole
    assert country.view_box == "0 0 97500 61000"
    assert country.states == ["08", "23"]
    assert len(alone.borders) < len(country.borders)  # only states in sight


def test_a_state_that_is_only_named_is_outlined():
    drawing = maps.draw({}, ["44"])  # Rhode Island
    assert drawing.states == ["44"]
    assert drawing.chosen
    assert all(not one.posts for one in drawing.shapes)
    width = float(drawing.view_box.split()[2])
    assert width == maps.LEAST_PART * maps.UNITS  # not drawn as large as Texas


def test_what_is_not_on_the_map_is_left_out():
    assert maps.draw({}) is None
    assert maps.draw({"72127": (3, 3)}, ["78"]) is None  # Puerto Rico, the Virgin Islands
    assert maps.draw({"02063": (1, 1)}) is None  # a county of 2019, younger than the file
    assert maps.draw({'"><script>': (1, 1)}, ["<b>"]) is None
    drawing = maps.draw({"72127": (3, 3), ANCHORAGE: (1, 0)})
    assert drawing.states == ["02"]


def test_paths_are_well_formed_and_light_however_many_are_named():
    for states in (["48"], ["48", "13", "51", "21"], list(maps._atlas().states)):
        every = {one: (50, 40) for one in maps._atlas().counties if one[:2] in states}
        drawing = maps.draw(every, states)
        assert len(drawing.shapes) <= maps.MOST_COUNTIES
        drawn = "".join(f'<path d="{one.path}"/>' for one in drawing.shapes)
        svg = f'<svg><path d="{drawing.borders}{drawing.chosen}"/>{drawn}</svg>'
        ElementTree.fromstring(svg)
        assert re.fullmatch(r"[-Mlz0-9, ]*", drawing.borders + drawing.chosen)
        assert len(svg) + 120 * len(drawing.shapes) < WEIGHT


def test_of_too_many_counties_those_that_matter_most_are_drawn():
    every = sorted(maps._atlas().counties)
    told = dict.fromkeys(every, (9, 0)) | {DENVER: (9, 2), WAYNE: (10, 0)}
    drawing = maps.draw(told)
    assert len(drawing.shapes) == maps.MOST_COUNTIES
    assert [one.fips for one in drawing.shapes[-2:]] == [WAYNE, DENVER]
