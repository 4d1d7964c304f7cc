"""What each Mastodon server takes, read from itself and kept: lengths, links, pictures.

Its newest word counts for the editor, the checks and the claim. A server that never said anything
is held to what Mastodon takes by itself. One that falls silent is believed as it last spoke.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import ScalarSelect, SQLColumnExpression, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from campaigns.models import Account, ServerSaid
from campaigns.wording.lengths import SAYS_NOTHING, ServerRules, ServerSays, measures

PLATFORM = "mastodon"
FIELDS = ("characters_max", "per_link", "pictures_max", "picture_bytes_max", "alt_max")


@dataclass(frozen=True)
class Told:
    """What holds for one server, and what of it the server has said itself."""

    service: str
    says: ServerSays = SAYS_NOTHING
    read_at: datetime | None = None  # None: it never said anything

    @property
    def rules(self) -> ServerRules:
        return self.says.rules

    @property
    def host(self) -> str:
        """The server's name, as people know it."""
        return urlsplit(self.service).hostname or self.service

    @property
    def words(self) -> str:
        """What it takes and who says so, as a sentence."""
        characters = f"{self.rules.characters_max:,} characters"
        if self.read_at is None:
            return (
                f"{self.host} has not said yet what it takes: we count as most servers do, up to "
                f"{characters}."
            )
        if self.says.characters_max is None:
            return f"{self.host} does not say how long a post may be: up to {characters}, as usual."
        link = "" if self.rules.per_link else "; a link counts in full"
        return f"{self.host} takes up to {characters}{link}."


@dataclass(frozen=True)
class TooMuch:
    """What a server would not take of a part: as a sentence, and how to mend it."""

    problem: str
    mend: str


def told(session: Session, services: Collection[str]) -> dict[str, Told]:
    """By base URL what holds for each of these servers; one query where there are any."""
    if not services:
        return {}
    rows = session.scalars(
        select(ServerSaid)
        .where(ServerSaid.service.in_(services))
        .ext(distinct_on(ServerSaid.service))
        .order_by(ServerSaid.service, ServerSaid.id.desc())
    )
    return told_by(services, rows)


def told_by(services: Collection[str], rows: Iterable[ServerSaid]) -> dict[str, Told]:
    """The same from the newest word of each that ever said anything, for who has read it."""
    said = {row.service: Told(row.service, says_of(row), row.read_at) for row in rows}
    return {service: said.get(service, Told(service)) for service in services}


def newest_of(service: SQLColumnExpression[str]) -> ScalarSelect[int]:
    """The id of the newest word of an account's server, as part of a query."""
    newest = select(func.max(ServerSaid.id)).where(ServerSaid.service == service)
    return newest.correlate(Account).scalar_subquery()


def told_of(session: Session, parts: Sequence[Mapping[str, Any]]) -> dict[str, Told]:
    """The same of the servers that the parts of a content go to."""
    return told(session, services_of(parts))


def services_of(parts: Iterable[Mapping[str, Any]]) -> set[str]:
    """The servers with rules of their own to which the parts of a content go, by base URL."""
    return {part["service"] for part in parts if part.get("platform") == PLATFORM}


def server_of(part: Mapping[str, Any], servers: Mapping[str, Told]) -> Told | None:
    """The server that a part goes to, of ``told_of``; None where no server has rules of its own."""
    return servers.get(part["service"]) if part.get("platform") == PLATFORM else None


def pictures_too_much(part: Mapping[str, Any], there: Told) -> list[TooMuch]:
    """What of a part's pictures the server would not take."""
    rules, pictures = there.rules, part.get("images", [])
    found = []
    if len(pictures) > rules.pictures_max:
        most = f"at most {rules.pictures_max}" if rules.pictures_max else "no"
        problem = f"{there.host} takes {most} pictures in one post; this has {len(pictures)}."
        found.append(TooMuch(problem, "Take some out, or leave this account out."))
    for place, one in enumerate(pictures, 1):
        if one["size"] > rules.picture_bytes_max:
            size = f"{rules.picture_bytes_max / 1_000_000:.1f} MB"
            problem = f"Picture {place} is larger than the {size} that {there.host} takes."
            found.append(TooMuch(problem, "Send a smaller picture."))
        if rules.picture_types is not None and one["type"] not in rules.picture_types:
            problem = f"{there.host} takes no pictures of the kind of picture {place}."
            found.append(TooMuch(problem, f"It is {one['type']}: send it as another kind."))
        if len(one["alt"]) > rules.alt_max:
            problem = (
                f"The description of picture {place} is longer than the {rules.alt_max:,} "
                f"characters that {there.host} takes."
            )
            found.append(TooMuch(problem, "Shorten the description."))
    return found


def too_much(part: Mapping[str, Any], servers: Mapping[str, Told]) -> str:
    """What the server would not take of an approved part, or might cut off, as a sentence; or "".

    ``servers``: of ``told_of``.
    """
    there = server_of(part, servers)
    if there is None:
        return ""
    for measure in measures(PLATFORM, part["text"], there.rules):
        if measure.over:
            return (
                f"{there.host} takes {measure.limit:,} {measure.unit} now, and this has "
                f"{measure.count:,}."
            )
    return next((one.problem for one in pictures_too_much(part, there)), "")


def says_of(row: ServerSaid) -> ServerSays:
    """What a server said then."""
    numbers = {name: getattr(row, name) for name in FIELDS}
    types = None if row.picture_types is None else tuple(row.picture_types)
    return ServerSays(**numbers, picture_types=types)
