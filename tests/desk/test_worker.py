"""The worker and its streams, as processes that can die."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import psutil
import pytest
from sqlalchemy import func, select, text

from desk.first_start import add_first_watches
from desk.settings import child_environment
from desk.streams import LOCK_SPACE
from desk.wiring import Wiring
from monitor.models import Reading
from sources import register
from sources.models import Post, Source

PATIENCE = 120.0  # seconds; a worker needs some to load its model


def until(what: Callable[[], bool], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


@pytest.fixture
def start(wiring: Wiring) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """``start("work")``: a command of the desk as a process of its own, ended after the test."""
    running: list[subprocess.Popen[bytes]] = []

    def command(*arguments: str) -> subprocess.Popen[bytes]:
        environment = child_environment(wiring.settings, wiring.engine.url, wiring.secret)
        process = subprocess.Popen(
            [sys.executable, "-m", "desk", *arguments], env=environment, start_new_session=True
        )
        running.append(process)
        return process

    yield command
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def add_example(wiring: Wiring) -> int:
    with wiring.sessions.begin() as session:
        now = datetime.now(UTC)
        add_first_watches(session, now)
        return register.add_source(session, "example", "marlow-ferry", "Marlow Ferry", now).id


def count(wiring: Wiring, table: type[Post] | type[Reading]) -> int:
    with wiring.sessions() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_stream_goes_on_where_a_killed_one_stopped(
    wiring: Wiring, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    source_id = add_example(wiring)
    first = start("stream", str(source_id))
    until(lambda: count(wiring, Post) > 20)
    first.kill()
    first.wait()
    stored = count(wiring, Post)
    start("stream", str(source_id))
    until(lambda: count(wiring, Post) > stored + 20)
    with wiring.sessions() as session:
        uris = session.scalars(select(Post.uri).order_by(Post.uri)).all()
        kept = session.get_one(Source, source_id).kept
    assert len(uris) == len(set(uris))
    assert uris == [f"example:t{n + 1:04}" for n in range(len(uris))]  # no gap
    assert kept == pytest.approx(len(uris), abs=30)  # another batch may have come between


def test_one_process_in_the_fleet_reads_a_stream_and_the_next_waits_its_turn(
    wiring: Wiring, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    source_id = add_example(wiring)
    lock = {"space": LOCK_SPACE, "source": source_id}
    with wiring.engine.connect() as elsewhere:
        elsewhere.execute(text("SELECT pg_advisory_lock(:space, :source)"), lock)
        start("stream", str(source_id))
        time.sleep(12)
        assert count(wiring, Post) == 0
        elsewhere.execute(text("SELECT pg_advisory_unlock(:space, :source)"), lock)
        until(lambda: count(wiring, Post) > 0)


def test_a_worker_ends_with_the_one_who_started_it(wiring: Wiring) -> None:
    """`breakwater run` killed outright must leave nothing behind that goes on publishing."""
    environment = child_environment(wiring.settings, wiring.engine.url, wiring.secret)
    parent = (
        "import subprocess, sys, time; "
        "print(subprocess.Popen([sys.executable, '-m', 'desk', 'work']).pid, flush=True); "
        "time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            worker = int(process.stdout.readline())
            add_example(wiring)
            until(lambda: count(wiring, Reading) > 0)
        finally:
            process.kill()
    until(lambda: not psutil.pid_exists(worker))


def test_a_worker_takes_over_what_a_killed_one_left(
    wiring: Wiring, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    """SIGKILL in the middle: the next worker's jobs run although the dead one held their locks."""
    first = start("work")
    add_example(wiring)
    until(lambda: count(wiring, Reading) > 10)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    with wiring.engine.begin() as connection:  # as if the kill had come within the job
        connection.execute(
            text(
                "INSERT INTO procrastinate_jobs "
                "(queue_name, task_name, lock, queueing_lock, status) "
                "VALUES ('default', 'analyse', 'analyse', 'analyse', 'doing') "
                "ON CONFLICT DO NOTHING"  # where it did
            )
        )
    stored = count(wiring, Reading)
    start("work")
    until(lambda: count(wiring, Reading) > stored + 20, patience=120)


def test_the_database_may_go_away_and_come_back(
    wiring: Wiring, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    worker = start("work")
    add_example(wiring)
    until(lambda: count(wiring, Reading) > 10)
    for _ in range(3):
        with wiring.engine.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
            )
        time.sleep(1)
    stored = count(wiring, Reading)
    until(lambda: count(wiring, Reading) > stored + 20)
    assert worker.poll() is None
