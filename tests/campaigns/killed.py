"""A worker that kills itself: for each line on its input it delivers until then.

``python -m tests.campaigns.killed DATABASE_URL VAULT_KEY NAME ADDRESS`` reads lines of "moment
when": a child delivers what is due at that moment, with the publisher called NAME at ADDRESS
(``publisher_at``), and ends by SIGKILL. ``when`` is the number of a boundary: each statement, each
commit, both ends of each call to a publisher, and each line that it opens to its server; 0 goes to
the end.
With a leading "m" it counts milliseconds after the call to ``publish`` has begun. Answers "killed",
or "ended" with the number of boundaries it passed and the milliseconds in ``publish``.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy import event

import desk.models  # noqa: F401
from campaigns.deliver import deliver_next
from campaigns.publishers import PLATFORMS, InDoubtError, Parcel, Publisher, Receipt
from campaigns.publishers.bluesky import BlueskyPublisher
from campaigns.publishers.email import EmailPublisher
from campaigns.publishers.housed import Housed
from campaigns.publishers.kannel import KannelPublisher
from campaigns.publishers.mastodon import MastodonPublisher
from campaigns.publishers.twilio import TwilioPublisher
from campaigns.publishers.web import WebPublisher
from sources.db import make_engine, make_sessions
from tests.campaigns.publishers import reddit_server
from tests.pds.consent import loopback_line

ACCESS = "desk:right"  # to the mail server and the gateway
TWILIO_ACCESS = f"AC{'0123456789abcdef' * 2}:SK{'fedcba9876543210' * 2}:right"


class FilePublisher:
    """A platform with no protection of its own: whatever is sent to it twice stands there twice.

    Its account is a file with a line for each post.
    """

    repeatable = False

    def __init__(self, path: Path, boundary: Callable[[], None] = lambda: None) -> None:
        self._path, self._boundary = path, boundary

    def mark(self, parcel: Parcel) -> str:
        return str(len(self.posts()))

    def publish(self, parcel: Parcel) -> Receipt:
        line = f"{parcel.record_key}\n".encode()
        with self._path.open("ab", buffering=0) as file:
            self._boundary()
            time.sleep(0.002)  # a platform is not quicker: something must hit the middle
            file.write(line)
            self._boundary()
            time.sleep(0.002)
        return Receipt(f"file:{parcel.record_key}", None)

    def find(self, parcel: Parcel) -> Receipt | None:
        posts = self.posts()
        if parcel.record_key in posts:
            return Receipt(f"file:{parcel.record_key}", None)
        if str(len(posts)) != parcel.mark:
            raise InDoubtError("The account has changed.")
        return None

    def posts(self) -> list[str]:
        return self._path.read_text().split() if self._path.exists() else []


class Watched:
    """A publisher in whose calls the worker may die; ``spent``: milliseconds in ``publish``."""

    def __init__(self, real: Publisher, boundary: Callable[[], None], late: float | None) -> None:
        self._real, self._boundary, self._late = real, boundary, late
        self.repeatable = real.repeatable
        self.spent = 0.0

    def mark(self, parcel: Parcel) -> str:
        self._boundary()
        mark = self._real.mark(parcel)
        self._boundary()
        return mark

    def publish(self, parcel: Parcel) -> Receipt:
        self._boundary()
        if self._late is not None:
            threading.Timer(self._late, die).start()
        begun = time.monotonic()
        receipt = self._real.publish(parcel)
        self.spent += (time.monotonic() - begun) * 1000
        self._boundary()
        return receipt

    def find(self, parcel: Parcel) -> Receipt | None:
        self._boundary()
        found = self._real.find(parcel)
        self._boundary()
        return found


def publisher_at(name: str, address: str, boundary: Callable[[], None] = lambda: None) -> Publisher:
    """The publisher that the bench calls ``name``, for its server at ``address``."""
    makers: dict[str, Callable[[], Publisher]] = {
        "file": lambda: FilePublisher(Path(address), boundary),
        "web": lambda: WebPublisher(address),
        "bluesky": BlueskyPublisher,
        "thread": BlueskyPublisher,
        "granted": lambda: BlueskyPublisher(line=loopback_line()),
        "mastodon": MastodonPublisher,
        "reddit": lambda: reddit_server.publisher_at(address),
        "email": lambda: Housed(EmailPublisher(), address, ACCESS),
        "twilio": lambda: Housed(TwilioPublisher(), address, TWILIO_ACCESS),
        "kannel": lambda: Housed(KannelPublisher(), address, ACCESS),
    }
    return makers[name]()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Steps:
    """Counts the boundaries of one delivery; at number ``last`` this process is gone."""

    def __init__(self) -> None:
        self.passed, self.last = 0, 0

    def __call__(self, *_: object) -> None:
        self.passed += 1
        if self.passed == self.last:
            die()

    def begin(self, last: int) -> None:
        self.passed, self.last = 0, last


def main() -> None:
    url, key, name, address = sys.argv[1:]
    step = Steps()
    engine = make_engine(url)
    event.listen(engine, "before_cursor_execute", step)
    event.listen(engine, "commit", step)
    # Every exchange of every publisher opens a line of its own; PostgreSQL's are not Python's.
    sys.addaudithook(lambda event, _: step() if event == "socket.connect" else None)

    def deliver(now: datetime, when: str) -> str:
        late = float(when[1:]) / 1000 if when.startswith("m") else None
        step.begin(0 if late is not None else int(when))
        watched = Watched(publisher_at(name, address, step), step, late)
        publishers = dict.fromkeys(PLATFORMS, watched)
        deliver_next(make_sessions(engine), publishers, Fernet(key), lambda: now)
        return f"{step.passed} {watched.spent:.1f}"

    for line in sys.stdin:
        moment, when = line.split()
        now = datetime.fromisoformat(moment)
        if when == "0":  # not in a child: what it loads and works out, all children then have
            print("ended", deliver(now, when), flush=True)
            engine.dispose()
            continue
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, deliver(now, when).encode())
            os._exit(0)
        os.close(writer)
        _, status = os.waitpid(child, 0)
        said = os.read(reader, 40).decode()
        os.close(reader)
        failed = os.WIFEXITED(status) and os.WEXITSTATUS(status)
        print("killed" if os.WIFSIGNALED(status) else f"ended {said or failed}", flush=True)


if __name__ == "__main__":
    main()
