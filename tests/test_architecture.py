"""The house keeps its shape: imports and foreign keys point left, names say something."""

import ast
import re
import subprocess
from itertools import chain
from pathlib import Path

import pytest

import desk.models  # noqa: F401
from desk.app import ROUTERS
from sources.db import Base

HOUSE = Path(__file__).parent.parent
ROOMS = ("sources", "monitor", "campaigns", "desk")  # left to right
TOP_LEVEL = {
    *ROOMS,
    *("tests", "docs", ".ci", "pyproject.toml", "Dockerfile", "compose.yaml", "Makefile"),
    *("README.md", "CHANGELOG.md", "requirements.lock", "requirements-dev.lock"),
    *(".gitignore", ".dockerignore"),
}
SAYS_NOTHING = re.compile(r"^(utils?|helpers?|common|misc|managers?|services?)$")


def modules(room: str) -> list[Path]:
    return sorted((HOUSE / room).rglob("*.py"))


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found & {*ROOMS, "tests"}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_left(room: str) -> None:
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    wrong = {str(path): imported_rooms(path) - allowed for path in modules(room)}
    assert not {path: rooms for path, rooms in wrong.items() if rooms}


def test_foreign_keys_point_left() -> None:
    room_of = {
        mapper.local_table.name: mapper.class_.__module__.split(".")[0]
        for mapper in Base.registry.mappers
    }
    assert set(room_of.values()) == set(ROOMS)
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_keys:
            here, there = room_of[table.name], room_of[key.column.table.name]
            assert ROOMS.index(there) <= ROOMS.index(here), f"{table.name} → {key.target_fullname}"


def test_names_say_something() -> None:
    stems = {path.stem for room in ROOMS for path in modules(room)}
    assert not [stem for stem in stems if SAYS_NOTHING.match(stem)]


def test_top_level_is_the_plan() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=HOUSE, capture_output=True, text=True, check=True
    )
    assert {line.split("/")[0] for line in listed.stdout.splitlines()} <= TOP_LEVEL


def test_settings_alone_read_the_environment() -> None:
    readers = {
        str(path.relative_to(HOUSE))
        for room in ROOMS
        for path in modules(room)
        if re.search(r"os\.environ|getenv", path.read_text())
    }
    assert readers == {"desk/settings.py"}


def test_no_clock_below_worker_and_routes() -> None:
    asking = re.compile(r"datetime\.(now|utcnow|today)\(|time\.time\(|date\.today\(")
    for path in chain.from_iterable(modules(room) for room in ROOMS[:3]):
        assert not asking.search(path.read_text()), path


def test_verbs_do_not_commit() -> None:
    cruxes = {
        *("sources/collect.py", "sources/recheck.py"),
        *("monitor/analyse.py", "monitor/reading/rescoring.py", "monitor/retention.py"),
        *(
            "campaigns/deliver.py",
            "campaigns/accounts/renewing.py",
            "campaigns/accounts/server_looks.py",
            "campaigns/afterwards/afterwards.py",
            "campaigns/afterwards/taking_down.py",
        ),
    }
    for path in chain.from_iterable(modules(room) for room in ROOMS[:3]):
        if str(path.relative_to(HOUSE)) not in cruxes:
            assert not re.search(r"\.commit\(|sessions\.begin\(", path.read_text()), path


def test_templates_escape_everything_and_hold_no_inline_code() -> None:
    for path in (HOUSE / "desk" / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"\|\s*safe\b|autoescape false|\sstyle=|\son[a-z]+=|<style", text), (
            path
        )
        assert not re.search(r"<script(?![^>]*\bsrc=)|\bhx-on|javascript:", text), path


def test_nobody_is_scored_and_nobody_has_a_page() -> None:
    """R36: no author pages, no per-person scores, no list of people who are watched."""
    for table in Base.metadata.sorted_tables:
        names = {column.name for column in table.columns}
        assert not ("author" in names and names & {"score", "level", "risk"}), table.name
        assert not names & {"display_name", "avatar"}, table.name
    paths = [route.path for router in ROUTERS for route in router.routes]
    assert paths
    assert not [path for path in paths if "author" in path or "profile" in path]
