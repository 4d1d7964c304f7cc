"""The analysis end to end beside its encoder: ``python -m tests.bench.analyse --data FILE.jsonl``.

Saved posts are read as the worker reads them (language, encoding, score, copies, narratives,
counts, flags, all saved, a considered look whenever it is due), and the same texts are encoded
alone. One JSON line: posts a second of both by the clock and by this process's processor time,
their ratio, the share of posts that were read with care, seconds of reading the window anew after a
restart, and peak memory. The two alternate, so that what else the machine does falls on both; the
first turn, in which a process loads what it needs, counts for neither. Lines of a file hold time
and text.
"""

import argparse
import json
import resource
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, insert, select

from monitor.analyse import analyse_waiting, consider_next
from monitor.embedding.encoder import load_encoder
from monitor.models import Narrative, Reading
from monitor.narratives.placing import Placer
from sources.models import Post, Source
from tests.bench.database import own_database

BATCH = 256  # posts the worker reads at once
TURN = 8 * BATCH  # posts that one of the two is given before the other has its turn
SPAN = timedelta(minutes=1)  # between two posts


class Watch:
    """Adds up seconds by the clock and of the processor."""

    def __init__(self) -> None:
        self.wall = self.processor = 0.0

    def time(self, what: Callable[[], object]) -> None:
        wall, processor = time.perf_counter(), time.process_time()
        what()
        self.wall += time.perf_counter() - wall
        self.processor += time.process_time() - processor


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="lines with time and text")
    parser.add_argument("--posts", type=int, default=10_000)
    options = parser.parse_args(arguments)
    with options.data.open(encoding="utf-8") as lines:
        posts = sorted((json.loads(line) for line in lines), key=lambda post: str(post["time"]))
    texts = [post["text"] for post in posts[: options.posts]]
    if len(texts) <= TURN:
        parser.error(f"more than {TURN} posts are needed")
    embedder = load_encoder(None)
    embedder.embed(texts[:BATCH])  # warm
    alone, whole, restart = Watch(), Watch(), Watch()
    with own_database() as sessions:
        now = datetime.now(UTC)
        begun = now - SPAN * len(texts)
        with sessions.begin() as session:
            source = Source(kind="example", address="bench", name="Bench", created_at=now)
            session.add(source)
            session.flush()
            identifier = source.id
        placer = Placer(embedder)

        def arrive(start: int) -> None:
            with sessions.begin() as session:
                session.execute(
                    insert(Post),
                    [
                        {
                            "source_id": identifier,
                            "platform": "example",
                            "uri": f"bench:{n}",
                            "author": f"author {n}",
                            "text": text,
                            "posted_at": begun + SPAN * n,
                            "collected_at": now,
                        }
                        for n, text in enumerate(texts[start : start + TURN], start)
                    ],
                )

        def read() -> None:
            """As the worker does: looks are a job of their own, woken every two seconds."""
            done = threading.Event()

            def consider() -> None:
                while not done.wait(2):
                    consider_next(sessions, placer, now)

            looking = threading.Thread(target=consider)
            looking.start()
            analyse_waiting(sessions, embedder, placer, lambda: now, limit=BATCH)
            done.set()
            looking.join()

        def encode(some: list[str]) -> None:
            for start in range(0, len(some), BATCH):
                embedder.embed(some[start : start + BATCH])

        arrive(0)
        read()
        for start in range(TURN, len(texts), TURN):
            arrive(start)
            alone.time(lambda start=start: encode(texts[start : start + TURN]))  # type: ignore[misc]
            whole.time(read)

        def read_anew() -> None:
            fresh = Placer(embedder)
            with sessions.begin() as session, fresh.turn(session):
                pass

        restart.time(read_anew)
        with sessions() as session:
            readings = session.scalar(select(func.count()).select_from(Reading))
            narratives = session.scalar(select(func.count()).select_from(Narrative))
            with_care = Reading.confidence["hate"].as_float().is_not(None)
            careful = session.scalar(select(func.count()).where(with_care))
    counted = len(texts) - TURN
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(
        json.dumps(
            {
                "file": options.data.name,
                "posts": readings,
                "narratives": narratives,
                "end_to_end_per_second": round(counted / whole.wall),
                "encoding_alone_per_second": round(counted / alone.wall),
                "share_of_encoding": round(alone.wall / whole.wall, 3),
                "share_by_processor": round(alone.processor / whole.processor, 3),
                "read_with_care": round((careful or 0) / (readings or 1), 3),
                "seconds_restart": round(restart.wall, 2),
                "peak_mb": round(peak),
                "torch_loaded": "torch" in sys.modules,
            }
        )
    )


if __name__ == "__main__":
    main()
