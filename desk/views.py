"""Saved views: the queue or a search under a name, for oneself or for everybody at the desk.

A view is an address, as it stands in the browser: what it shows is asked anew each time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from desk.models import Lease, Person, SavedView
from monitor.flags.queue import STATES, SUBJECTS, Sought

QUEUE, SEARCH = "/queue", "/search"
NAME_CHARS = 40  # fits a phone's width in the bar
MOST = 30  # of one person's: each costs the queue a column
WORDS_CHARS = 400  # of one value in an address, as long as a search may be

KINDS = {
    "narrative": "Narratives",
    "watch": "Watches",
    "place": "Counties",
    "post": "Single posts",
}
SOURCES = {"machine": "The machine", "people": "People"}
READY = (
    ("Critical now", "/queue?level=4"),
    ("Mine", "/queue?assignee=mine"),
    ("Nobody’s", "/queue?assignee=nobody"),
    ("Crossed platforms", "/queue?crossed=1"),
    ("Reported by people", "/queue?source=people"),
)


@dataclass(frozen=True)
class Asked:
    """The queue as an address asks for it; what it asks in vain narrows nothing."""

    kind: str = ""
    level: int = 0
    watch: int = 0
    place: str = ""
    platform: str = ""
    language: str = ""
    source: str = ""
    state: str = ""
    assignee: str = ""  # mine, nobody, or the id of a person
    crossed: bool = False
    rises: bool = False

    @property
    def address(self) -> str:
        """Where the queue is narrowed so."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        words = urlencode({name: "1" if it is True else it for name, it in said.items() if it})
        return f"{QUEUE}?{words}" if words else QUEUE

    def sought(self, person: Person, held: Mapping[int, Lease]) -> Sought:
        """The same for the queue, seen by ``person``; ``held`` by flag the leases that run."""
        said: dict[str, Any] = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "assignee"
        }
        if self.assignee == "nobody":
            return Sought(**said, without=frozenset(held))
        if self.assignee:
            who = person.id if self.assignee == "mine" else int(self.assignee)
            theirs = {flag for flag, lease in held.items() if lease.person_id == who}
            return Sought(**said, only=frozenset(theirs), by=who)
        return Sought(**said)


def asked_of(said: Mapping[str, str]) -> Asked:
    """What the words of an address ask for."""

    def number(name: str) -> int:
        text = said.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0

    def one_of(name: str, known: Iterable[str]) -> str:
        text = said.get(name, "")
        return text if text in known else ""

    def plain(name: str) -> str:
        return said.get(name, "").replace("\x00", "").strip()[:WORDS_CHARS]

    assignee = one_of("assignee", ("mine", "nobody")) or str(number("assignee") or "")
    return Asked(
        kind=one_of("kind", (*SUBJECTS, "post")),
        level=number("level") if number("level") in range(1, 5) else 0,
        watch=number("watch"),
        place=plain("place") if plain("place").isdecimal() else "",
        platform=plain("platform"),
        language=plain("language") if plain("language").isalpha() else "",
        source=one_of("source", SOURCES),
        state=one_of("state", STATES),
        assignee=assignee,
        crossed=bool(said.get("crossed")),
        rises=bool(said.get("rises")),
    )


def asked_in(address: str) -> Asked | None:
    """The queue as a stored address asks for it; None for a search."""
    path, words = _parts(address)
    return asked_of(words) if path == QUEUE else None


def views_for(session: Session, person: Person) -> list[SavedView]:
    """A person's own views and those that others share, by name."""
    query = (
        select(SavedView)
        .where(
            SavedView.removed_at.is_(None),
            or_(SavedView.person_id == person.id, SavedView.shared),
        )
        .options(joinedload(SavedView.person))
        .order_by(SavedView.name, SavedView.id)
    )
    return list(session.scalars(query))


def may_change(view: SavedView, person: Person) -> bool:
    """Whether it is this person's, and still there."""
    return view.removed_at is None and view.person_id == person.id


def may_remove(view: SavedView, person: Person) -> bool:
    """The same; who leads may also put away what is shared."""
    leads = view.shared and view.removed_at is None and person.may("duty lead")
    return leads or may_change(view, person)


def save(
    session: Session, person: Person, name: str, address: str, shared: bool, now: datetime
) -> SavedView:
    """Keep the queue or a search as its address narrows it. ValueError, one sentence."""
    mine = [one for one in views_for(session, person) if one.person_id == person.id]
    if len(mine) >= MOST:
        raise ValueError(f"You have {MOST} views. Remove one that you do not need.")
    view = SavedView(
        name=_named(name, [one.name for one in mine]),
        address=_kept(address),
        shared=shared,
        person_id=person.id,
        saved_at=now,
    )
    session.add(view)
    session.flush()
    return view


def change(
    session: Session, view: SavedView, person: Person, name: str, shared: bool, now: datetime
) -> SavedView:
    """Another name, or shared or no more: a new view in the place of the old. ValueError."""
    if not may_change(view, person):
        raise ValueError("Only who saved a view changes it, while it is there.")
    mine = [one for one in views_for(session, person) if one.person_id == person.id]
    name = _named(name, [one.name for one in mine if one.id != view.id])
    view.removed_by, view.removed_at = person.id, now
    made = SavedView(
        name=name,
        address=view.address,
        shared=shared,
        person_id=person.id,
        saved_at=now,
        replaces_id=view.id,
    )
    session.add(made)
    session.flush()
    return made


def remove(session: Session, view: SavedView, person: Person, now: datetime) -> None:
    """Put a view away; its row stays. ValueError for somebody else's."""
    if not may_remove(view, person):
        raise ValueError("Only who saved a view removes it; a duty lead also one that is shared.")
    view.removed_by, view.removed_at = person.id, now
    session.flush()


def _named(name: str, taken: Iterable[str]) -> str:
    name = " ".join(name.replace("\x00", "").split())
    if not name:
        raise ValueError("Give the view a name.")
    if len(name) > NAME_CHARS:
        raise ValueError(f"A name has at most {NAME_CHARS} characters; these are {len(name)}.")
    if name.casefold() in {one.casefold() for one in taken}:
        raise ValueError(f"You have a view “{name}” already.")
    return name


def _kept(address: str) -> str:
    """An address of the queue or of a search as we would write it ourselves. ValueError."""
    path, words = _parts(address)
    if path == QUEUE:
        asked = asked_of(words)
        if asked != Asked():
            return asked.address
    elif path == SEARCH and (q := words.get("q", "").replace("\x00", "").strip()[:WORDS_CHARS]):
        return f"{SEARCH}?{urlencode({'q': q})}"
    raise ValueError("Narrow the queue or search for something first: that is what a view keeps.")


def _parts(address: str) -> tuple[str, dict[str, str]]:
    """Path and words of an address; no host, whatever stood there."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return "", {}
    return ("" if parts.netloc else parts.path), dict(parse_qsl(parts.query))
