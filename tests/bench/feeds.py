"""Feeds parsed as the collector would: python -m tests.bench.feeds --dir DIR [--save]

One JSON line for each file (its fields, or the clear error), then one for all of them. ``--items``
adds a made-up feed of so many entries, for the rate. Nothing is fetched.
"""

import argparse
import gc
import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import feedparser
from sqlalchemy.orm import Session, sessionmaker

from sources.collect import save_batch
from sources.collector import Batch, NewPost, Rejected, SourceFaultError
from sources.feeds import ParsedFeed, parse_feed
from sources.matching import Rule
from sources.models import Source
from sources.register import add_source
from sources.watches import save_watch
from tests.bench.database import intake, own_database

NOW = datetime(2026, 11, 23, 20, tzinfo=UTC)
ADDRESS = "https://feeds.example/{}"
ENTRY = """<item><title>Bridge &amp; road {n}</title><guid isPermaLink="false">tag:town,{n}</guid>
<link>https://town.example/{n}</link><dc:creator>Desk {desk}</dc:creator>
<pubDate>Mon, 23 Nov 2026 1{hour}:30:00 GMT</pubDate><description>&lt;p&gt;It is
&lt;b&gt;closed&lt;/b&gt; — until the council meets again on Thursday, it said in a note to
residents of quarter {n}.&lt;/p&gt;&lt;p&gt;Until noon.&lt;/p&gt;</description></item>"""

Save = Callable[[list[NewPost]], int]


@dataclass
class Tally:
    """What all files gave together."""

    files: int = 0
    feeds: int = 0
    items: int = 0
    parse_seconds: float = 0
    feedparser_items: int = 0
    feedparser_seconds: float = 0
    saved: int = 0
    save_seconds: float = 0


def made_up_feed(items: int) -> bytes:
    """An RSS feed of a common shape, with ``items`` entries."""
    entries = "".join(ENTRY.format(n=n, desk=n % 20, hour=n % 10) for n in range(items))
    return f"""<?xml version="1.0" encoding="utf-8"?><rss version="2.0"
    xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Town</title>
    <link>https://town.example/</link><language>en</language>{entries}</channel></rss>""".encode()


def look(
    name: str, read: Callable[[], bytes], tally: Tally, save: Save | None
) -> dict[str, object]:
    """The JSON line of one file; an error is part of the answer."""
    line: dict[str, object] = {"file": name}
    tally.files += 1
    try:
        body = read()
    except OSError as fault:
        return {**line, "error": f"{name} cannot be opened: {fault.strerror}."}
    gc.collect()  # what the one before left is not to be counted here
    began = time.perf_counter()
    try:
        feed = parse_feed(body, ADDRESS.format(name))
    except SourceFaultError as fault:
        return {**line, "error": str(fault)}
    finally:
        tally.parse_seconds += time.perf_counter() - began
    tally.feeds += 1
    tally.items += len(feed.items)
    posts = [item for item in feed.items if isinstance(item, NewPost)]
    if save is not None:
        began = time.perf_counter()
        tally.saved += save(posts)
        tally.save_seconds += time.perf_counter() - began
    return {**line, **_fields(feed, posts)}


def compare(read: Callable[[], bytes], tally: Tally) -> None:
    """The same file through feedparser as it comes: its own sanitizer, its own link resolver."""
    gc.collect()
    began = time.perf_counter()
    try:
        tally.feedparser_items += len(feedparser.parse(io.BytesIO(read())).entries)
    except Exception as fault:  # it is not ours to mend
        print(f"feedparser alone: {fault!r}", file=sys.stderr)
    tally.feedparser_seconds += time.perf_counter() - began


def _fields(feed: ParsedFeed, posts: list[NewPost]) -> dict[str, object]:
    """How many items have which field."""
    rejected = [item.reason for item in feed.items if isinstance(item, Rejected)]
    fields: dict[str, object] = {
        "kind": feed.kind,
        "title": feed.title,
        "items": len(feed.items),
        "id": sum(not post.uri.startswith("sha256:") for post in posts),
        "text": sum(bool(post.text) for post in posts),
        "link": sum(post.url is not None for post in posts),
        "date": sum(post.posted_at is not None for post in posts),
        "author": sum(not post.author.endswith("/") for post in posts),
        "lang": sum(post.lang is not None for post in posts),
        "set_aside": len(rejected),
    }
    if rejected:
        fields["reasons"] = sorted(set(rejected))
    if feed.interval is not None:
        fields["interval_minutes"] = feed.interval.total_seconds() / 60
    return fields


def _rate(items: int, seconds: float) -> int:
    return round(items / seconds) if seconds else 0


def run(files: Iterator[tuple[str, Callable[[], bytes]]], save: Save | None = None) -> None:
    """Print a line for each of ``files`` (name, and what reads it), and the summary.

    ``save`` stores posts as the collector would and returns how many.
    """
    tally = Tally()
    for name, read in files:
        line = look(name, read, tally, save)
        print(json.dumps(line))
        if "error" not in line:
            compare(read, tally)
    summary: dict[str, object] = {
        "bench": "feeds",
        "files": tally.files,
        "feeds": tally.feeds,
        "items": tally.items,
        "parse_per_second": _rate(tally.items, tally.parse_seconds),
        "feedparser_alone_per_second": _rate(tally.feedparser_items, tally.feedparser_seconds),
    }
    if save is not None:
        both = tally.parse_seconds + tally.save_seconds
        summary["saved"] = tally.saved
        summary["save_per_second"] = _rate(tally.items, tally.save_seconds)
        summary["parse_and_save_per_second"] = _rate(tally.items, both)
    print(json.dumps(summary))


def saver(sessions: sessionmaker[Session]) -> Save:
    """Stores a feed's posts in one batch, as the collector does, for a watch that keeps all."""
    reading = intake()
    with sessions.begin() as session:
        source_id = add_source(session, "feed", "https://feeds.example/all", "", NOW).id
        save_watch(session, None, "Everything", Rule(everything=True), None, NOW)

    def save(posts: list[NewPost]) -> int:
        # Old feeds, read as if they were new: what is too old to keep would not be saved at all.
        fresh = [replace(post, posted_at=NOW) for post in posts]
        with sessions.begin() as session:
            source = session.get_one(Source, source_id, with_for_update=True)
            return save_batch(session, source, Batch(fresh, {}), "web", reading, NOW)

    return save


def files_of(folder: Path | None, items: int) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Every file of a folder in the order of their names, then the made-up feed if one is asked."""
    if folder is not None:
        for path in sorted(path for path in folder.iterdir() if not path.is_dir()):
            yield path.name, path.read_bytes
    if items:
        body = made_up_feed(items)
        yield f"made-up-{items}.rss", lambda: body


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, help="a folder of feeds")
    parser.add_argument("--items", type=int, default=0, help="entries of a made-up feed")
    parser.add_argument("--save", action="store_true", help="save them into a database as well")
    options = parser.parse_args()
    files = files_of(options.dir, options.items)
    if options.save:
        with own_database() as sessions:
            run(files, saver(sessions))
    else:
        run(files)


if __name__ == "__main__":
    main()
