"""Long-lived streams: one child process of the worker for each source that never ends.

A PostgreSQL advisory lock lets one process in the whole fleet read a source; the others wait.
"""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from desk.settings import child_environment
from desk.wiring import Wiring, clock
from sources import register
from sources.collect import collect, record_failure
from sources.collector import SourceFaultError
from sources.models import Source

TEND_EVERY = 3.0  # seconds between looks at which streams should run
LOCK_EVERY = 15.0  # seconds between tries for a stream that another process reads
# Seconds before a broken stream is tried again; they double while it breaks off sooner than that.
BACK_OFF = 5.0
BACK_OFF_MAX = 300.0
LOCK_SPACE = 0x42524B57  # "BRKW": our half of the two-number advisory lock

log = logging.getLogger(__name__)


@dataclass
class Streams:
    """Keeps one child process per stream that is on the register and not paused."""

    wiring: Wiring
    children: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def tend(self, stopping: threading.Event) -> None:
        """Start and reap children until ``stopping`` is set, then stop them all."""
        try:
            while not stopping.wait(TEND_EVERY):
                try:
                    self._start_and_reap()
                except (SQLAlchemyError, OSError):  # the database is away, or no process: again
                    log.exception("the streams cannot be looked after now")
        finally:
            for child in self.children.values():
                child.terminate()
            for child in self.children.values():
                child.wait()

    def _start_and_reap(self) -> None:
        with self.wiring.sessions() as session:
            wanted = {source.id for source in register.streamed_sources(session)}
        for source_id in list(self.children):
            if self.children[source_id].poll() is not None:
                del self.children[source_id]
        wiring = self.wiring
        environment = child_environment(wiring.settings, wiring.engine.url, wiring.secret)
        for source_id in wanted - self.children.keys():
            command = [sys.executable, "-m", "desk", "stream", str(source_id)]
            self.children[source_id] = subprocess.Popen(command, env=environment)  # noqa: S603


def collect_source(wiring: Wiring, source_id: int, stop: Callable[[], bool]) -> int:
    """Read one source with the collector of its kind; answers the posts stored."""
    with wiring.sessions.begin() as session:
        source = session.get_one(Source, source_id)
        siblings = register.count_active(session, source.kind)
        try:
            collector = wiring.collectors[source.kind](source, siblings)
        except SourceFaultError as fault:  # Reddit without an approval, say
            record_failure(session, source, fault, clock())
            return 0
    return collect(
        wiring.sessions, source_id, collector, intake=wiring.intake, clock=clock, stop=stop
    )


def read_stream(wiring: Wiring, source_id: int) -> None:
    """Read one stream until it is paused, over, or the parent is gone; wait while another does."""
    parent = os.getppid()

    def orphaned() -> bool:
        return os.getppid() != parent

    def rest(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not orphaned():
            time.sleep(1)

    wait = BACK_OFF / 2  # doubled by the first failure
    with wiring.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as guard:
        key = {"space": LOCK_SPACE, "source": source_id}
        while not guard.scalar(text("SELECT pg_try_advisory_lock(:space, :source)"), key):
            rest(LOCK_EVERY)
            if orphaned():
                return

        def stop() -> bool:
            # The lock lives as long as its connection: without it somebody else may read.
            guard.execute(text("SELECT 1"))
            return orphaned()

        while not stop():
            began = time.monotonic()
            try:
                collect_source(wiring, source_id, stop=stop)
                return
            except SourceFaultError:  # recorded on the source by collect
                held = time.monotonic() - began > wait
                wait = BACK_OFF if held else min(wait * 2, BACK_OFF_MAX)
                rest(wait)
