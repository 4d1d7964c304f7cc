"""What a killed worker costs: ``python -m tests.bench.faults [--publisher X] [--runs 300]``.

For each publisher, ``runs`` times: a worker delivers an approved message and is killed (SIGKILL) at
a random boundary between claim and record (each statement, each commit, both ends of each call,
each line opened to the server), or some milliseconds into its call; another worker then finds what
it left. Bluesky (a post, the same where its owner signed in there instead of giving a password, and
a thread of three) is the real server of tests/pds, e-mail (to two recipients) aiosmtpd, kannel
Debian's gateway, Mastodon mastodon-mock; Reddit and Twilio are stand-ins that keep state, "file" a
platform that protects from nothing, "web" our own page. One JSON line each, in which every
recipient counts as a run: ``published`` (by our rows), ``doubles``, ``lost`` (our rows and the
platform say different things), ``halves`` (of threads), ``in doubt`` (left to a person: it may be
there or not), ``other``; then the seconds it took.
"""

import argparse
import logging
import random
import tempfile
import time
from pathlib import Path

from tests.bench.database import own_database
from tests.bench.narratives import say
from tests.campaigns.faults import NEVER, world
from tests.campaigns.places import PUBLISHERS, due_by_clocks, place

IN_THE_CALL = 0.3  # the share of runs killed by the clock, while the platform works
BEYOND = 1.2  # times as long as the first call took: then some end before they are killed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--publisher", choices=PUBLISHERS, action="append")
    asked = parser.parse_args()
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd, about its own future
    for name in asked.publisher or PUBLISHERS:
        chance = random.Random(asked.seed)
        with (
            own_database() as sessions,
            tempfile.TemporaryDirectory() as folder,
            place(name, sessions, Path(folder)) as there,
            world(sessions, there, due_by_clocks() - NEVER) as one,
        ):
            boundaries, longest = one.measured()
            one.runs.clear()
            started = time.monotonic()
            for _ in range(asked.runs):
                late = chance.random() < IN_THE_CALL
                at_once = str(chance.randint(1, boundaries))
                moment = chance.uniform(0, longest * BEYOND)
                one.run(f"m{moment:.2f}" if late else at_once)
            seconds = round(time.monotonic() - started, 1)
            say(**one.table() | {"boundaries": boundaries, "seconds": seconds})


if __name__ == "__main__":
    main()
