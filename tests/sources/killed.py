"""A reader that kills itself: for each number on its input it reads a source until then.

``python -m tests.sources.killed DATABASE_URL`` reads lines of "source id, address, number":
a child of it collects the source and ends by SIGKILL just before its statement of that number (a
commit is one as well). Number 0 reads to the end. Answers "killed" or "ended" for each.
"""

import os
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime

from sqlalchemy import event

import desk.models  # noqa: F401
from sources.collect import collect
from sources.collector import SourceFaultError
from sources.db import make_engine, make_sessions
from sources.jetstream import Jetstream
from tests.sources.conftest import make_intake


def read(url: str, source_id: int, address: str, number: int) -> None:
    """Collect, and count the statements; at ``number`` this process is gone."""
    engine = make_engine(url)
    done = 0

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        if done == number:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "before_cursor_execute", count)
    event.listen(engine, "commit", count)
    with suppress(SourceFaultError):  # the script is over
        collect(
            make_sessions(engine),
            source_id,
            Jetstream(address, private=True),
            intake=make_intake(),
            clock=lambda: datetime.now(UTC),
            stop=lambda: False,
        )


def main() -> None:
    url = sys.argv[1]
    for line in sys.stdin:
        source_id, address, number = line.split()
        child = os.fork()
        if child == 0:
            read(url, int(source_id), address, int(number))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else f"ended {os.WEXITSTATUS(status)}", flush=True)


if __name__ == "__main__":
    main()
