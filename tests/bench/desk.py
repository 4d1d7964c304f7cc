"""What pages cost under load: ``python -m tests.bench.desk [--posts N] [--narratives N]``.

A PostgreSQL of its own is filled with invented posts, their vectors, narratives, hours and open
flags; then as many people as asked for open the queue, a narrative and a search, one page after the
other, on a desk in a process of its own: once with the pause in which a person looks at a page, and
once without any. One JSON line a page: milliseconds at p50, p95 and p99, and the statements that
one page sends to the database. Beside them in the same run the time of the smallest page (``/me``),
which is what the machine, Python and the session cost alone.

Filling takes longer than measuring: ``--kept FOLDER`` keeps the database there, for the next run.
Its files are read once before the load: they are in memory, as those of a desk in use are.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np
from numpy.typing import NDArray
from pgvector import Vector
from pgvector.psycopg import register_vector
from psycopg import Connection
from psycopg.types.json import Jsonb
from sqlalchemy import event, func, insert, select, text
from sqlalchemy.orm import Session, sessionmaker
from starlette.testclient import TestClient

from desk import people
from desk.app import create_app
from desk.models import ROLES
from desk.security import COOKIE
from desk.settings import Settings
from desk.wiring import wire
from monitor.coding.codebook import MessageFields, as_stored
from monitor.embedding.embed import PACKAGED_NAME
from monitor.embedding.vectors import SIGNS
from monitor.models import Flag, HourlyCount, Meaning, Narrative
from monitor.narratives.narratives import HOUR, hour_of
from sources.models import Source
from tests.bench.database import own_database
from tests.conftest import free_port

WIDTH = 384
DAYS = 30
FLAGS = 200
HOURS = 24 * 7  # of each narrative that were counted
IN_NARRATIVES = 0.3  # of the posts
BLOCK = 5_000
BLOCK_READ = 2**20  # bytes
SEED = 7
WARMING = 8  # rounds of pages before each load, for each process: a desk in use is warm
WORDS = (
    *("bridge", "river", "closed", "council", "mayor", "school", "bus"),
    *("county", "clerk", "ballot", "office", "storage", "vote", "meeting"),
    *("protest", "road", "water", "plant", "fire", "station", "market"),
    *("street", "police", "library", "church", "friday", "tonight", "rumour"),
    *("crowd", "gather", "shut", "crew", "test", "report", "board"),
    *("member", "resign", "budget", "parade", "tractor", "garden"),
)
LEVELS = {  # message level: its fields, and its share of the posts
    0: (MessageFields(), 0.9),
    1: (MessageFields(target_kind="group", demeaning=True), 0.06),
    2: (MessageFields(target_kind="group", hallmarks={"H1": 2}), 0.03),
    3: (MessageFields(target_kind="group", act="assault", force="wish"), 0.01),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--narratives", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each of the two loads")
    parser.add_argument("--pause", type=float, default=3.0, help="seconds a person looks at a page")
    parser.add_argument("--processes", type=int, default=2, help="that answer pages")
    parser.add_argument("--kept", type=Path, help="a folder for the database, used again if there")
    asked = parser.parse_args()
    with own_database(asked.kept) as sessions, TemporaryDirectory() as folder:
        with sessions() as session:
            filled = session.scalar(select(func.count()).select_from(Narrative))
        if not filled:
            began = time.monotonic()
            fill(sessions, asked.posts, asked.narratives)
            say(filled=asked.posts, narratives=asked.narratives, seconds=time.monotonic() - began)
        token = _sign_in(sessions)
        with sessions() as session:
            in_memory(Path(session.scalars(text("SHOW data_directory")).one()))
            url = session.get_bind().engine.url.render_as_string(hide_password=False)
        settings = Settings(data_dir=Path(folder), feeds=(), jetstream_url=None, time_zone="UTC")
        pages = addresses(asked.narratives)
        statements = counted(settings, url, token, pages)
        for pause in (asked.pause, 0.0):
            load = Load(asked.people, asked.seconds, pause, asked.processes)
            for page, times in loaded(folder, url, token, pages, load).items():
                low, high, highest = np.percentile(times, (50, 95, 99)) * 1000
                say(
                    page=page,
                    people=asked.people,
                    processes=asked.processes,
                    pause=pause,
                    pages=len(times),
                    p50_ms=round(float(low), 1),
                    p95_ms=round(float(high), 1),
                    p99_ms=round(float(highest), 1),
                    statements=statements[page],
                )


@dataclass(frozen=True)
class Load:
    """How many people open pages for how many seconds, each looking ``pause`` seconds at one."""

    people: int
    seconds: float
    pause: float
    processes: int  # of the desk, that answer them


def say(**what: object) -> None:
    print(json.dumps(what | {"bench": "desk"}), flush=True)


def addresses(narratives: int) -> dict[str, Callable[[random.Random], str]]:
    """By page what a person opens next."""
    return {
        "/me": lambda rng: "/me",
        "/queue": lambda rng: "/queue",
        "/narratives/N": lambda rng: f"/narratives/{rng.randint(1, narratives)}",
        "/search": lambda rng: f"/search?q={'+'.join(rng.sample(WORDS, 2))}",
    }


# Filling


def _sign_in(sessions: sessionmaker[Session]) -> str:
    """The token of a session of somebody with every role."""
    now = datetime.now(UTC)
    with sessions.begin() as session:
        email = f"ada{now.timestamp():.0f}@desk.example"
        person = people.add_person(session, "Ada", email, ROLES, None, now)
        return people.use_link(session, people.new_link(session, person, None, now), now)[1]


def fill(sessions: sessionmaker[Session], posts: int, narratives: int) -> None:
    """Everything that pages read."""
    rng = np.random.default_rng(SEED)
    now = datetime.now(UTC)
    centres = unit(rng.normal(size=(narratives, WIDTH)).astype(np.float32))
    (signs,) = (one for one in Meaning.__table__.indexes if one.name == "ix_meanings_signs")
    with sessions.begin() as session:
        session.add(Source(kind="example", address="bench", name="Bench", created_at=now))
        for start in range(0, narratives, BLOCK):
            ids = range(start, min(start + BLOCK, narratives))
            session.execute(insert(Narrative), [_narrative(n, centres, rng, now) for n in ids])
        signs.drop(session.connection())  # made at once, not post by post
        connection = session.connection().connection.driver_connection
        assert isinstance(connection, Connection)
        _copy(connection, posts, centres, rng, now)
        hours = [
            {
                "narrative_id": narrative + 1,
                "hour": hour_of(now) - int(back) * HOUR,
                "posts": 3,
                "authors": 3,
                "dangerous_posts": 1,
                "dangerous_authors": 1,
            }
            for narrative in range(narratives)
            for back in rng.choice(HOURS, 24, replace=False)
        ]
        for start in range(0, len(hours), BLOCK):
            session.execute(insert(HourlyCount), hours[start : start + BLOCK])
        session.execute(insert(Flag), [_flag(n, now) for n in range(min(FLAGS, narratives))])
    with sessions.begin() as session:
        session.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))
        signs.create(session.connection())
    with sessions() as session:
        engine = session.get_bind().engine
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))  # as autovacuum does of a desk in use


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _narrative(
    n: int, centres: NDArray[np.float32], rng: np.random.Generator, now: datetime
) -> dict[str, object]:
    return {
        "id": n + 1,
        "title": " ".join(rng.choice(WORDS, 4)),
        "centroid": centres[n],
        "embedder": PACKAGED_NAME,
        "size": 30,
        "first_post_at": now - timedelta(days=DAYS),
        "last_post_at": now - timedelta(hours=int(rng.integers(0, 48))),
        "created_at": now,
        "settled_at": now,
    }


def _flag(n: int, now: datetime) -> dict[str, object]:
    return {
        "narrative_id": n + 1,
        "hour": hour_of(now),
        "level": 2 + n % 2,
        "observed": 7,
        "expected": 0.6,
        "p_value": 1e-5,
        "reasons": [{"text": "7 different authors", "post_id": None}],
        "about": {"platforms": {"example": 7}, "places": [["26163", 3]], "crossed": False},
        "detector": "bench",
        "raised_at": now,
        "posted_at": now - timedelta(hours=n % 48),
    }


def _copy(
    connection: "Connection[object]",
    posts: int,
    centres: NDArray[np.float32],
    rng: np.random.Generator,
    now: datetime,
) -> None:
    register_vector(connection)
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY posts (id, source_id, platform, uri, author, text, labels, posted_at,"
            " collected_at, checked_at, alarming, returned) FROM STDIN WITH (FORMAT BINARY)"
        ) as copy,
    ):
        copy.set_types(
            [
                *("int8", "int4", "text", "text", "text", "text", "jsonb", "timestamptz"),
                *("timestamptz", "timestamptz", "bool", "bool"),
            ]
        )
        for n in range(posts):
            at = now - timedelta(seconds=(posts - n) * DAYS * 86_400 / posts)
            words = " ".join(rng.choice(WORDS, 14)) + f" n{n}"
            copy.write_row(
                (
                    *(n + 1, 1, "example", f"bench:{n}", f"a{n % 50_000}", words, Jsonb([])),
                    *(at, at, at, False, False),
                )
            )
    fields = {level: Jsonb(as_stored(one)) for level, (one, _) in LEVELS.items()}
    share = [part for _, part in LEVELS.values()]
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY readings (post_id, embedding, embedder, lang, level, threat_level, stance,"
            " reasons, fields, confidence, scorer, narrative_id, copy_of, hour, read_at)"
            " FROM STDIN WITH (FORMAT BINARY)"
        ) as copy,
    ):
        copy.set_types(
            [
                *("int8", "vector", "text", "text", "int4", "text", "text", "jsonb", "jsonb"),
                *("jsonb", "text", "int4", "int8", "timestamptz", "timestamptz"),
            ]
        )
        for start in range(0, posts, BLOCK):
            size = min(BLOCK, posts - start)
            told = rng.integers(0, len(centres), size)
            noise = rng.normal(size=(size, WIDTH)).astype(np.float32) / np.sqrt(WIDTH)
            vectors = unit(centres[told] + noise)
            levels = rng.choice(len(share), size, p=share)
            for k in range(size):
                n = start + k
                at = now - timedelta(seconds=(posts - n) * DAYS * 86_400 / posts)
                level = int(levels[k])
                kept = int(told[k]) + 1 if rng.random() < IN_NARRATIVES else None
                copy.write_row(
                    (
                        *(n + 1, Vector(vectors[k]), PACKAGED_NAME, "en", level, "none"),
                        *("asserts", Jsonb([]), fields[level], Jsonb({}), "bench", kept),
                        *(n + 1, hour_of(at), at),
                    )
                )
    connection.execute(
        "INSERT INTO meanings (post_id, copy_of, embedder, signs) SELECT post_id, copy_of,"
        f" embedder, binary_quantize(embedding)::bit({SIGNS}) FROM readings"
    )
    for table, column in (("posts", "id"), ("narratives", "id")):
        connection.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'),"
            f" (SELECT max({column}) FROM {table}))"
        )


# Measuring


def in_memory(database: Path) -> None:
    """Read the files of a database once, as those of a desk in use have been."""
    for path in (database / "base").rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(BLOCK_READ):
                    pass


def counted(
    settings: Settings,
    url: str,
    token: str,
    pages: dict[str, Callable[[random.Random], str]],
) -> dict[str, int]:
    """The statements that each page sends."""
    wiring = wire(settings, url)
    client = TestClient(create_app(wiring), cookies={COOKIE: token})
    found: dict[str, int] = {}
    rng = random.Random(SEED)
    sent: list[str] = []
    event.listen(wiring.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    for page, opened in pages.items():
        client.get(opened(rng)).raise_for_status()  # what is made once is made
        sent.clear()
        client.get(opened(rng)).raise_for_status()
        found[page] = len(sent)
    wiring.engine.dispose()
    return found


def loaded(
    folder: str,
    url: str,
    token: str,
    pages: dict[str, Callable[[random.Random], str]],
    load: Load,
) -> dict[str, list[float]]:
    """Seconds that each page took under a load."""
    port = free_port()
    environment = os.environ | {
        "BREAKWATER_DATABASE_URL": url,
        "BREAKWATER_SECRET_KEY": "x" * 40,
        "BREAKWATER_DATA_DIR": folder,
        "BREAKWATER_PORT": str(port),
        "BREAKWATER_WEB_PROCESSES": str(load.processes),
        "BREAKWATER_FEEDS": "",
        "BREAKWATER_JETSTREAM_URL": "",
        "BREAKWATER_TIME_ZONE": "UTC",
    }
    desk = subprocess.Popen(
        [sys.executable, "-m", "desk", "serve"], env=environment, stdout=subprocess.DEVNULL
    )
    took: dict[str, list[float]] = defaultdict(list)
    try:
        _wait(port, token)
        for number in range(WARMING * load.processes):  # each line is taken by either process
            with _line(port, token) as client:
                for page in pages.values():
                    client.get(page(random.Random(number))).raise_for_status()
        end = time.monotonic() + load.seconds

        def visit(person: int) -> None:
            rng = random.Random(person)
            with _line(port, token) as client:
                time.sleep(rng.uniform(0, load.pause))
                while time.monotonic() < end:
                    for page, opened in pages.items():
                        began = time.monotonic()
                        client.get(opened(rng)).raise_for_status()
                        took[page].append(time.monotonic() - began)
                        time.sleep(rng.uniform(0.5, 1.5) * load.pause)

        threads = [threading.Thread(target=visit, args=(n,)) for n in range(load.people)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        desk.terminate()
        desk.wait()
    return took


def _line(port: int, token: str) -> httpx.Client:
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}",
        cookies={COOKIE: token},
        timeout=60,
        limits=httpx.Limits(keepalive_expiry=1.0),  # the desk closes an idle one after 5 s
    )


def _wait(port: int, token: str) -> None:
    """Until the desk answers."""
    with _line(port, token) as client:
        for _ in range(120):
            try:
                client.get("/me")
            except httpx.ConnectError:
                time.sleep(0.5)
            else:
                return


if __name__ == "__main__":
    main()
