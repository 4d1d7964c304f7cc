"""Jetstream lines read as the collector does: python -m tests.bench.jetstream --file FILE.jsonl

One JSON line for each file: what its lines are, which fields their posts have, and why any could
not be read. ``--lines N`` adds a made-up stream of N lines, parsed, asked of 200 watches and saved
in batches into a PostgreSQL of its own: lines a second, and by how much memory grew after the
first tenth. It is run twice: with watches that ask for a few posts in a hundred, and with one that
keeps everything. Beside it, in the same run, the matcher of watches against one compiled pattern of
all their phrases.
"""

import argparse
import gc
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import regex  # type: ignore[import-untyped, unused-ignore]

from sources import bluesky
from sources.collect import save_batch
from sources.collector import Batch, Item, NewPost, Rejected, Removal, Return
from sources.jetstream import items_of
from sources.matching import Matcher, Rule, Said, normal_form
from sources.models import Source
from sources.register import add_source
from sources.watches import save_watch
from sources.websocket import FLUSH_EVENTS
from tests.bench.database import intake, own_database

SEED = 7
BEGIN = datetime(2026, 11, 23, 6, tzinfo=UTC)
RATE = 45  # lines a second of the made-up clock: what all of Bluesky tells on average
WATCHES = 200
WORDS_EACH = 5
COMPARED = 20_000  # posts that both matchers look at
# Of a stream of posts as Jetstream tells it: creations, then deletions, edits, accounts.
DELETED, EDITED, ACCOUNTS = 0.08, 0.01, 0.03
ACCOUNT_NAMES = 20_000

TOWN = Path(__file__).parent.parent.parent / "sources" / "example_town.jsonl"


def say(**line: object) -> None:
    print(json.dumps(line), flush=True)


# Recorded lines


def look(path: Path) -> dict[str, object]:
    """What the collector makes of every line of a file."""
    kinds: Counter[str] = Counter()
    fields: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    try:
        with path.open("rb") as lines:
            for line in filter(None, (line.rstrip(b"\r\n") for line in lines)):
                items, _ = items_of(line)
                kinds["lines"] += 1
                kinds["passed_over"] += not items
                for item in items:
                    match item:
                        case NewPost():
                            kinds["edits" if item.edit else "posts"] += 1
                            fields.update(_fields(item))
                        case Removal():
                            kinds[f"{item.scope}_removals"] += 1
                        case Return():
                            kinds["returns"] += 1
                        case Rejected():
                            kinds["set_aside"] += 1
                            reasons[item.reason] += 1
    except OSError as fault:
        return {"file": path.name, "error": str(fault)}
    found: dict[str, object] = {"file": path.name, **kinds, "fields": dict(fields)}
    return found | ({"reasons": dict(reasons)} if reasons else {})


def _fields(post: NewPost) -> Iterator[str]:
    names = ("text", "posted_at", "url", "lang", "reply_to", "card", "quote_of", "labels")
    return (name for name in names if getattr(post, name))


# A made-up stream


def vocabulary() -> list[str]:
    """Words of the invented town, the frequent ones often."""
    with TOWN.open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return [word for text in texts for word in re.findall(r"[\w'’]+", text)]


def stream(count: int, seed: int = SEED) -> Iterator[bytes]:
    """Lines of version 1. The same seed gives the same lines; they are made as they are read."""
    rng = random.Random(seed)
    words = vocabulary()
    recent: list[tuple[str, str]] = []
    start = int(BEGIN.timestamp() * 1_000_000)
    for n in range(count):
        time_us = start + n * 1_000_000 // RATE
        did = f"did:plc:{rng.randrange(ACCOUNT_NAMES):024d}"
        kind = rng.random()
        line: dict[str, Any] = {"did": did, "time_us": time_us, "kind": "commit"}
        if kind < ACCOUNTS:
            line |= {"kind": "account", "account": {"active": rng.random() < 0.8, "did": did}}
            if not line["account"]["active"]:
                line["account"]["status"] = rng.choice(["deactivated", "deleted", "takendown"])
        elif kind < ACCOUNTS + DELETED and recent:
            line["did"], rkey = recent[rng.randrange(len(recent))]
            line["commit"] = _commit("delete", rkey)
        elif kind < ACCOUNTS + DELETED + EDITED and recent:
            line["did"], rkey = recent[rng.randrange(len(recent))]
            line["commit"] = _commit("update", rkey, _record(rng, words, time_us))
        else:
            rkey = f"{n:013d}"
            line["commit"] = _commit("create", rkey, _record(rng, words, time_us))
            if len(recent) < 5_000:
                recent.append((did, rkey))
            else:
                recent[rng.randrange(5_000)] = (did, rkey)
        yield json.dumps(line, separators=(",", ":")).encode()


def _commit(operation: str, rkey: str, record: dict[str, Any] | None = None) -> dict[str, Any]:
    commit = {"rev": rkey, "operation": operation, "collection": bluesky.POSTS, "rkey": rkey}
    return commit | ({"record": record, "cid": "bafyreib" + rkey} if record else {})


def _record(rng: random.Random, words: Sequence[str], time_us: int) -> dict[str, Any]:
    length = min(60, 3 + int(rng.expovariate(1 / 18)))
    at = datetime.fromtimestamp(time_us / 1_000_000, UTC).isoformat(timespec="milliseconds")
    return {
        "$type": bluesky.POSTS,
        "createdAt": at.replace("+00:00", "Z"),
        "langs": ["en"],
        "text": " ".join(rng.choices(words, k=length)),
    }


def rules(seed: int = SEED) -> list[Rule]:
    """WATCHES rules: rare words and pairs of words; one in ten also asks for a place."""
    rng = random.Random(seed)
    counted = Counter(word.lower() for word in vocabulary())
    rare = sorted(word for word, times in counted.items() if times <= 2 and len(word) > 3)
    pairs = [f"{a} {b}" for a, b in zip(rare, reversed(rare), strict=True)]
    made = []
    for n in range(WATCHES):
        phrases = (*rng.sample(pairs, WORDS_EACH - 1), f"{rng.choice(rare)}{n}")
        # One watch in ten has a word that really occurs.
        phrases = (*phrases, rng.choice(rare)) if n % 10 == 0 else phrases
        places = (f"{rng.choice(['26', '06', '48', '42', '13'])}",) if n % 10 == 5 else ()
        made.append(Rule(any=phrases, places=places))
    return made


# Parsed, filtered, saved


def saved(count: int, watches: Sequence[Rule], name: str) -> dict[str, object]:
    """Read ``count`` made-up lines into a database of its own, with the desk's own batches."""
    with own_database() as sessions:
        reading = intake()
        with sessions.begin() as session:
            source_id = add_source(session, "jetstream", "wss://bench.example", "", BEGIN).id
            for n, rule in enumerate(watches):
                save_watch(session, None, f"Watch {n}", rule, None, BEGIN)
        lines = stream(count)
        parsing = saving = 0.0
        kept = done = 0
        start_memory = 0
        memory: list[int] = []
        gc.collect()
        while some := list(islice(lines, FLUSH_EVENTS)):  # making them is not measured
            began = time.perf_counter()
            items: list[Item] = []
            latest = 0
            for line in some:
                found, at = items_of(line)
                items += found
                latest = max(latest, at or 0)
            between = time.perf_counter()
            now = BEGIN + timedelta(microseconds=latest - int(BEGIN.timestamp() * 1_000_000))
            with sessions.begin() as session:
                source = session.get_one(Source, source_id, with_for_update=True)
                batch = Batch(items, {"time_us": latest}, newest=now)
                kept += save_batch(session, source, batch, "bluesky", reading, now)
            saving += time.perf_counter() - between
            parsing += between - began
            done += len(some)
            if done >= count // 10:
                rss = psutil.Process().memory_info().rss
                start_memory = start_memory or rss
                memory.append(rss)
    return {
        "bench": "jetstream",
        "watches": name,
        "lines": done,
        "kept": kept,
        "lines_per_second": round(done / (parsing + saving)),
        "parse_per_second": round(done / parsing),
        "filter_and_save_per_second": round(done / saving),
        "rss_mb": round(max(memory) / 2**20),
        "rss_growth_mb": round((max(memory) - start_memory) / 2**20, 1),
    }


# The matcher, and one pattern


def matchers(watches: Sequence[Rule]) -> Iterable[dict[str, object]]:
    posts = (item for line in stream(2 * COMPARED) for item in items_of(line)[0])
    texts = [item.text for item in islice((p for p in posts if isinstance(p, NewPost)), COMPARED)]
    words_only = {n: Rule(any=rule.any) for n, rule in enumerate(watches)}
    matcher = Matcher(words_only)
    phrases = sorted({normal_form(p) for rule in watches for p in rule.any}, key=len, reverse=True)

    def by_matcher(text: str) -> bool:
        return bool(matcher(Said(text, "bluesky", 1)))

    yield _timed("Matcher (Aho-Corasick)", by_matcher, texts, len(phrases))
    for library, name in ((re, "re"), (regex, "regex")):
        pattern = library.compile(r"\b(?:" + "|".join(map(re.escape, phrases)) + r")\b")

        def by_pattern(text: str, pattern: Any = pattern) -> bool:
            return pattern.search(normal_form(text)) is not None

        yield _timed(f"one alternation ({name})", by_pattern, texts, len(phrases))


def _timed(
    method: str, asks: Callable[[str], bool], texts: Sequence[str], phrases: int
) -> dict[str, object]:
    asks(texts[0])
    began = time.perf_counter()
    found = sum(map(asks, texts))
    each = (time.perf_counter() - began) / len(texts) * 1_000_000
    return {
        "bench": "matcher",
        "method": method,
        "phrases": phrases,
        "posts": len(texts),
        "matched": found,
        "us_per_post": round(each, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, nargs="*", default=[], help="recorded lines")
    parser.add_argument("--lines", type=int, default=0, help="lines of a made-up stream")
    options = parser.parse_args()
    for path in options.file:
        say(**look(path))
    if options.lines:
        watches = rules()
        for line in matchers(watches):
            say(**line)
        say(**saved(options.lines, watches, f"{WATCHES}"))
        every = [*watches, Rule(everything=True)]
        say(**saved(max(options.lines // 10, 1), every, f"{WATCHES} and everything"))


if __name__ == "__main__":
    main()
