"""Looking back: a new watch also asks Bluesky's search for what was said before it was made."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from sources.matching import Rule
from sources.models import Source, Watch
from sources.register import add_source

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
    together = [" ".join(f'"{phrase}"' for phrase in rule.all)] if rule.all else []
    queries = together or [f'"{phrase}"' for phrase in rule.any[:SEARCHES]]
    if not queries:
        raise ValueError("Looking back needs words or phrases to search for.")
    since = (now - LOOK_BACK).date().isoformat()
    asked = f"{version.name} (version {len(watch.versions)})"
    return [
        add_source(session, "bluesky-search", f"{since} {query}", f"Look back for {asked}", now)
        for query in queries
    ]
