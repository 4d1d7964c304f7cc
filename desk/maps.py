"""Maps of states and counties, drawn here as SVG paths: nothing is asked of a map server.

The shapes are us-atlas 3.0.1 (npm, counties-albers-10m.json as published, packed with gzip): the
Census Bureau's county lines of 2017, public domain, already projected (Albers, Alaska and Hawaii
drawn in) for a sheet of 975 × 610; the packing is under the ISC licence, which lies beside the
file. Territories are not on it. No Python library reads TopoJSON alone (``topojson`` writes it,
GeoPandas brings GDAL), and its arcs are twenty lines to decode.

The file is read at the first map; shapes stay in memory, some megabytes of text at most.
"""

import gzip
import json
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import accumulate
from math import hypot

from sources.places import place_of

FILE = "us-atlas-3.0.1-counties-albers-10m.json.gz"
SHEET = (975, 610)  # the size that the file is projected for
UNITS = 100  # of a path to one of the sheet: a small state, drawn large, keeps its lines
STEPS = (1, 3, 10, 30)  # least posts at M2 or above of each shade: each about three times the last
LOOK_CLOSER = 0.6  # of the sheet's width: states that fill less of it are drawn larger
MARGIN = 0.06  # of the drawn part, around it
LEAST_PART = 40.0  # of the sheet; a map of the District of Columbia alone still shows where it is
# From the whole country to one state: least distance of two points of a line, on the sheet, and to
# how many units they are rounded. On a page 700 pixels wide that is below two pixels each.
DETAIL = ((2.0, 20), (0.7, 10), (0.1, 1))
CLOSENESS = (400.0, 120.0)  # widths of the drawn part below which more detail is drawn
MOST_COUNTIES = 400  # drawn; more would weigh more than the rest of the page
PAGE = 600  # pixels that a map is wide on a page, about: patterns keep their size by it
STATE_DIGITS = 2  # of a FIPS code; a county has five

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom, on the sheet


@dataclass(frozen=True)
class Shape:
    """A county as it is drawn. ``step`` is 0 where it is not or only calmly named."""

    fips: str
    name: str
    path: str
    posts: int  # that name it
    dangerous: int  # of them at M2 or above
    step: int  # 1 to 4: the shade


@dataclass(frozen=True)
class Drawing:
    """A map: SVG path data and the part of the sheet that is shown."""

    view_box: str
    borders: str  # outlines of the other states in sight
    chosen: str  # outlines of the states concerned
    shapes: list[Shape]  # of counties, those that matter most drawn last
    states: list[str]  # FIPS of those concerned
    whole: bool  # the whole country is shown
    unit: float  # of the sheet to a pixel of a page some 600 wide, for patterns


def draw(counties: Mapping[str, tuple[int, int]], states: Collection[str] = ()) -> Drawing | None:
    """A map of counties (FIPS → posts that name it, of them at M2 or above) and of states named.

    Zoomed to the states concerned where they are few. What the file does not know, territories
    above all, is left out; None where nothing is left.
    """
    atlas = _atlas()
    there = {fips: told for fips, told in counties.items() if fips in atlas.counties}
    named = {fips for fips in states if fips in atlas.states}
    concerned = sorted(named | {fips[:STATE_DIGITS] for fips in there})
    if not concerned:
        return None
    box = _part([atlas.state_box(fips) for fips in concerned])
    whole = box == (0.0, 0.0, *map(float, SHEET))
    detail = sum(box[2] - box[0] <= width for width in CLOSENESS)
    around = [fips for fips in atlas.counties if fips[:STATE_DIGITS] in concerned]
    if len(around) > MOST_COUNTIES:  # those that are named, and of them those that matter most
        around = sorted(there, key=lambda fips: there[fips][::-1])[-MOST_COUNTIES:]
    shapes = [_shape(fips, detail, *there.get(fips, (0, 0))) for fips in around]
    left, top, right, bottom = (round(edge * UNITS) for edge in box)
    return Drawing(
        view_box=f"{left} {top} {right - left} {bottom - top}",
        borders="".join(
            _path("states", fips, detail)
            for fips in atlas.states
            if fips not in concerned and _meet(atlas.state_box(fips), box)
        ),
        chosen="".join(_path("states", fips, detail) for fips in concerned),
        shapes=sorted(shapes, key=lambda one: (one.dangerous, one.posts)),
        states=concerned,
        whole=whole,
        unit=round((right - left) / PAGE, 2),
    )


def step_of(dangerous: int) -> int:
    """The shade of a county with so many posts at M2 or above, 0 (none) to 4."""
    return bisect_right(STEPS, dangerous)


def _shape(fips: str, detail: int, posts: int, dangerous: int) -> Shape:
    path = _path("counties", fips, detail)
    return Shape(fips, _name(fips), path, posts, dangerous, step_of(dangerous))


@cache
def _name(fips: str) -> str:
    try:
        return place_of(fips).name
    except ValueError:  # the file has one county of 2017 that has been divided since
        return _atlas().counties[fips].name


def _part(boxes: Iterable[Box]) -> Box:
    """The part of the sheet to show: all of it, or around these boxes where they are few."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    left, top, right, bottom = min(lefts), min(tops), max(rights), max(bottoms)
    if right - left > LOOK_CLOSER * SHEET[0]:
        return (0.0, 0.0, float(SHEET[0]), float(SHEET[1]))
    more_x = max(MARGIN * (right - left), (LEAST_PART - (right - left)) / 2)
    more_y = max(MARGIN * (bottom - top), (LEAST_PART - (bottom - top)) / 2)
    return (left - more_x, top - more_y, right + more_x, bottom + more_y)


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


# The file


@dataclass(frozen=True)
class _Area:
    name: str
    rings: list[list[int]]  # of arcs; ~n is arc n from its end


class _Atlas:
    """The file decoded: arcs as points on the sheet, and which of them go around each area."""

    def __init__(self, topology: dict[str, object]) -> None:
        scale, move = topology["transform"]["scale"], topology["transform"]["translate"]  # type: ignore[index]
        self.arcs: list[list[Point]] = []
        for arc in topology["arcs"]:  # type: ignore[attr-defined]
            # Each point is told by its distance from the one before, in whole numbers.
            xs, ys = accumulate(x for x, _ in arc), accumulate(y for _, y in arc)
            self.arcs.append(
                [
                    (x * scale[0] + move[0], y * scale[1] + move[1])
                    for x, y in zip(xs, ys, strict=True)
                ]
            )
        self.states = self._areas(topology, "states")
        self.counties = self._areas(topology, "counties")

    @staticmethod
    def _areas(topology: dict[str, object], kind: str) -> dict[str, _Area]:
        areas = {}
        for one in topology["objects"][kind]["geometries"]:  # type: ignore[index]
            polygons = [one["arcs"]] if one["type"] == "Polygon" else one["arcs"]
            rings = [ring for polygon in polygons for ring in polygon]
            areas[one["id"]] = _Area(one["properties"]["name"], rings)
        return areas

    @cache  # noqa: B019 - there is one atlas in a process
    def state_box(self, fips: str) -> Box:
        points = [
            point
            for ring in self.states[fips].rings
            for arc in ring
            for point in self.arcs[arc if arc >= 0 else ~arc]
        ]
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return (min(xs), min(ys), max(xs), max(ys))


@cache
def _atlas() -> _Atlas:
    packed = (resources.files("desk") / "static" / "vendor" / FILE).read_bytes()
    return _Atlas(json.loads(gzip.decompress(packed)))


@cache
def _line(arc: int, detail: int) -> list[tuple[int, int]]:
    """An arc in units of a path, without points that lie close to the one kept before.

    Its ends stay, so that neighbours still meet.
    """
    apart, unit = DETAIL[detail]
    points = _atlas().arcs[arc]
    kept = [points[0]]
    for x, y in points[1:-1]:
        if hypot(x - kept[-1][0], y - kept[-1][1]) >= apart:
            kept.append((x, y))
    kept.append(points[-1])
    return [(round(x * UNITS / unit) * unit, round(y * UNITS / unit) * unit) for x, y in kept]


@cache
def _path(kind: str, fips: str, detail: int) -> str:
    """The outline of an area as SVG path data; islands too small to be seen are left out."""
    drawn = []
    for ring in getattr(_atlas(), kind)[fips].rings:
        points: list[tuple[int, int]] = []
        for arc in ring:
            line = _line(arc, detail) if arc >= 0 else _line(~arc, detail)[::-1]
            points += line[1:] if points else line
        if len(set(points)) > 2:
            drawn.append(_strokes(points) + "z")
    return "".join(drawn)


def _strokes(points: list[tuple[int, int]]) -> str:
    (x, y), *rest = points
    said = [f"M{x},{y}l"]
    for to_x, to_y in rest:
        if (to_x, to_y) != (x, y):
            said.append(f"{to_x - x},{to_y - y} ")
        x, y = to_x, to_y
    return "".join(said).rstrip()
