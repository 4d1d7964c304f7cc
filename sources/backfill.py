"""Looking back: a new watch also asks Bluesky's search for what was said before it was made."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from sources.matching import Rule
from sources.models import Source, Watch
from sources.register import add_source, resume

LOOK_BACK = timedelta(days=7)
SEARCHES = 10  # of one watch at most; Bluesky's search takes one phrase at a time


def look_back(session: Session, watch: Watch, now: datetime) -> list[Source]:
    """Put a search for each of the watch's first phrases on the register.

    Each is read to its end once and then stays there as "off". ValueError when the watch has no
    words to search for, or asks for other platforms only.
    """
    version = watch.versions[-1]
    rule = Rule.of(version.rule)
    if rule.platforms and "bluesky" not in rule.platforms:
        raise ValueError("Looking back is a search on Bluesky, and this watch leaves Bluesky out.")
    together = [" ".join(map(_quoted, rule.all))] if rule.all else []
    queries = together or [_quoted(phrase) for phrase in rule.any[:SEARCHES]]
    if not queries:
        raise ValueError("Looking back needs words or phrases to search for.")
    since = (now - LOOK_BACK).date().isoformat()
    why = f"Look back for {version.name} (version {len(watch.versions)})"
    return [_search(session, f"{since} {query}", why, version.by, now) for query in queries]


def _quoted(phrase: str) -> str:
    """A phrase as the search takes it; a quotation mark within would end it early."""
    return '"{}"'.format(" ".join(phrase.replace('"', " ").split()))


def _search(session: Session, address: str, why: str, by: int | None, now: datetime) -> Source:
    """A search on the register. One that is there was read for other watches: it starts anew."""
    there = select(Source).where(Source.kind == "bluesky-search", Source.address == address)
    search = session.scalar(there)
    if search is None:
        return add_source(session, "bluesky-search", address, why, now)
    search.cursor = None
    resume(session, search, by, why, now)
    return search
