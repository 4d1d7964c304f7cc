"""kill -9 between any two steps from claim to record: nothing twice, nothing lost, nothing guessed.

``python -m tests.bench.faults --runs 300`` does the same many times, at random, for each publisher.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from tests.campaigns.faults import NEVER, World, world
from tests.campaigns.places import Place, due_by_clocks, in_a_file, on_bluesky, place
from tests.pds.server import Pds

LEAST = 20  # boundaries; fewer would mean that something is not counted
IN_THE_CALL = ("m0", "m1", "m3", "m8", "m20")  # milliseconds after the platform was called


def die(world: World, sample: int | None = None) -> dict[str, object]:
    """At every boundary, or at a random ``sample`` of them, and in the midst of the call."""
    boundaries, _ = world.measured()
    assert boundaries > LEAST
    numbers = range(1, boundaries + 1)
    for number in random.sample(numbers, sample) if sample else numbers:
        assert world.run(str(number)) == "killed"
    for when in IN_THE_CALL[:sample]:
        world.run(when)
    return world.table()


def test_sigkill_at_every_boundary_with_a_platform_that_protects_nothing(
    sessions: sessionmaker[Session], tmp_path: Path, now: datetime
) -> None:
    with world(sessions, in_a_file(tmp_path / "account"), now) as one:
        found = die(one)
    assert (found["doubles"], found["lost"], found["other"]) == (0, 0, 0), found
    assert found["published"] == found["runs"], found


@pytest.mark.parametrize(
    ("name", "sample", "all_known"),
    [
        ("bluesky", 10, True),
        ("thread", 4, True),
        ("mastodon", 4, True),
        ("reddit", 4, False),
        ("email", 4, False),
    ],
)
def test_sigkill_at_random_boundaries_on_a_server(
    sessions: sessionmaker[Session],
    tmp_path: Path,
    pds: Pds,
    name: str,
    sample: int,
    all_known: bool,
) -> None:
    """Where the server cannot be asked with certainty, what is left is a doubt for a person."""
    with (
        _place(name, sessions, tmp_path, pds) as there,
        world(sessions, there, due_by_clocks() - NEVER) as one,
    ):
        found = die(one, sample)
    assert (found["doubles"], found["lost"], found["halves"], found["other"]) == (0, 0, 0, 0), found
    assert not (all_known and found["in doubt"]), found
    assert one.runs[0].state == "published"


@contextmanager
def _place(name: str, sessions: sessionmaker[Session], folder: Path, pds: Pds) -> Iterator[Place]:
    if name in ("bluesky", "thread"):
        yield on_bluesky(pds, name)
        return
    with place(name, sessions, folder) as there:
        yield there


def test_the_table_would_show_a_double_and_a_loss(
    sessions: sessionmaker[Session], tmp_path: Path, now: datetime
) -> None:
    """The proof above can fail."""
    with world(sessions, in_a_file(tmp_path / "account"), now) as one:
        honest = one.place.there
        one.place = replace(one.place, there=lambda keys: honest(keys) * 2)
        one.run("0")
        assert (one.table()["doubles"], one.table()["lost"]) == (1, 0)
        one.place = replace(one.place, there=lambda _: [])
        one.run("0")
        assert (one.table()["doubles"], one.table()["lost"]) == (1, 1)
        one.place = replace(one.place, there=lambda keys: [f"{key}/half" for key in keys])
        one.run("0")
        assert (one.table()["halves"], one.table()["lost"]) == (1, 2)
