"""Codings: a person's word on what a post says. It wins over the machine's and stays (R11).

The readings of a coded post, and of all posts in exactly its words, say what the person said; what
the machine had read is kept in the coding, to learn from and to measure it by. No later scorer
touches them until the coding is undone. A post that is hidden and comes back is read anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import md5
from typing import Any

from sqlalchemy import ColumnElement, Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from monitor.coding.cases import shared_run
from monitor.coding.codebook import (
    FIELDS,
    MessageFields,
    as_stored,
    from_stored,
    message_level,
    threat_level,
)
from monitor.coding.draws import draw
from monitor.flags import life_safety
from monitor.flags.flags import warn
from monitor.models import Coding, Reading
from monitor.narratives.counters import rejudge
from monitor.narratives.turns import take_turn, write_stamp
from monitor.reading.incitement import NOT_SCORED
from sources.models import Post

CODED = "a person"  # stands in Reading.scorer
RESTORED = ", restored"  # and this behind a scorer's name, until it has read the post again
PROPOSAL = ("fields", "level", "threat_level", "stance", "reasons", "confidence")
AGREES = "As the machine read it"  # the reason of whoever departs in nothing and gives none
KEYS = {"issue": "issue_at_stake"}  # of fields that the codebook calls by another name
MEASURES = 0.3  # share of codings that scorers are measured by: no case of theirs trains one


class CodedMeanwhileError(Exception):
    """Somebody else coded the post since the page was opened. The message is for the page."""


class GoneError(Exception):
    """The post was removed since the page was opened. The message is for the page."""

    def __init__(self) -> None:
        super().__init__("This post has been removed meanwhile. Nothing was saved.")


@dataclass(frozen=True)
class Agreement:
    """How often people and one scorer said the same level of the same posts."""

    scorer: str
    codings: int
    same: int
    lower: int  # the person's level was lower than the machine's
    higher: int


def code(
    session: Session,
    reading: Reading,
    fields: MessageFields,
    reason: str,
    by: int,
    now: datetime,
    seen: int | None = None,
) -> Coding:
    """Say what a post says. ``seen``: the coding that stood when the person began, if any.

    ValueError for a departure from the machine or from another person without a reason, or for a
    reason in the post's words, which would outlive the post; CodedMeanwhileError where another
    coding stands now; GoneError where the post is removed.
    """
    reason = " ".join(reason.split())
    machine = proposed_fields(reading)
    agrees = reading.coding_id is None and machine is not None and not departs(machine, fields)
    if not reason and not agrees:
        raise ValueError("Say why in a few words: the next person will read it.")
    reason = reason or AGREES
    _stand(session, reading, seen)
    if run := shared_run(reason, reading.post.text):
        raise ValueError(f"“{run}” stands in the post. A reason outlives it: use your own words.")
    before = reading.coding
    proposed_by = before.proposed_by if before else reading.scorer.removesuffix(RESTORED)
    coding = Coding(
        fields=as_stored(fields),
        level=message_level(fields),
        threat_level=threat_level(fields),
        reason=reason,
        by=by,
        at=now,
        proposed=before.proposed if before else _proposal(reading),
        proposed_by=proposed_by,
        replaces_id=before.id if before else None,
    )
    session.add(coding)
    session.flush()
    posts = _in_its_words(session, reading)
    moved = rejudge(session, dict.fromkeys(posts, said(coding)))
    session.refresh(reading)
    if reading.coding_id != coding.id:  # it was skipped: somebody is removing it
        raise GoneError
    if life_safety.call(session, posts, now):
        write_stamp(session)
    warn(session, moved.endangered, now, moved.hours)
    return coding


def proposed_fields(reading: Reading) -> MessageFields | None:
    """What the machine read in a post, coded since or not; None: nothing that can be shown now.

    That is where no scorer reads its language, or another edition knew other values.
    """
    coding = reading.coding
    scorer = coding.proposed_by if coding else reading.scorer
    stored = coding.proposed["fields"] if coding else reading.fields
    if scorer.removesuffix(RESTORED) == NOT_SCORED or not stored:
        return None
    try:
        return from_stored(stored)
    except ValueError:
        return None


def departs(machine: MessageFields, fields: MessageFields) -> list[str]:
    """The names of the codebook's fields in which a person says something else than the machine."""
    found = []
    for name in MessageFields.__dataclass_fields__:
        theirs, ours = getattr(machine, name), getattr(fields, name)
        if name == "hallmarks":
            theirs, ours = ({key: n for key, n in one.items() if n} for one in (theirs, ours))
        if theirs != ours:
            found.append(FIELDS[KEYS.get(name, name)].name)
    return found


def undo(session: Session, reading: Reading, seen: int | None, by: int, now: datetime) -> None:
    """Take the coding back that was ``seen``: the one before it stands again, or the machine's.

    ValueError where none stands; else as ``code``.
    """
    _stand(session, reading, seen)
    coding = reading.coding
    if coding is None:
        raise ValueError("No person has coded this post.")
    coding.undone_by, coding.undone_at = by, now
    before = session.get(Coding, coding.replaces_id) if coding.replaces_id else None
    posts = session.scalars(select(Reading.post_id).where(Reading.coding_id == coding.id)).all()
    moved = rejudge(session, dict.fromkeys(posts, said(before) if before else _proposed(coding)))
    session.refresh(reading)
    if life_safety.call(session, posts, now):
        write_stamp(session)
    warn(session, moved.endangered, now, moved.hours)


def history(session: Session, reading: Reading) -> list[Coding]:
    """The coding that stands and those it replaced, the newest first."""
    found: list[Coding] = []
    at = reading.coding_id
    while at is not None:
        one = session.get_one(Coding, at)
        found.append(one)
        at = one.replaces_id
    return found


def said(coding: Coding) -> dict[str, object]:
    """What a reading holds under a coding."""
    return {
        "coding_id": coding.id,
        "scorer": CODED,
        "fields": coding.fields,
        "level": coding.level,
        "threat_level": coding.threat_level,
        "stance": coding.fields["stance"],
        "reasons": [],
        "confidence": {},
    }


def standing(session: Session, texts: Mapping[int, str]) -> dict[int, Coding]:
    """The newest coding of another post in exactly the same words, by post id.

    ``texts``: by post id. So a text that a person has judged comes back judged.
    """
    wanted = {text for text in texts.values() if text}
    rows = session.execute(
        select(Post.text, func.max(Reading.coding_id))
        .join(Reading, Reading.post_id == Post.id)
        .where(_says(wanted), Reading.coding_id.is_not(None))
        .group_by(Post.text)
    )
    coded = {text: session.get_one(Coding, coding) for text, coding in rows}
    return {post: coded[text] for post, text in texts.items() if text in coded}


def agreement(session: Session) -> list[Agreement]:
    """For each scorer, how often people who coded its readings agreed with its level."""
    proposed = Coding.proposed["level"].as_integer()
    later = aliased(Coding)
    replaced = select(later.id).where(later.replaces_id == Coding.id, later.undone_at.is_(None))
    rows = session.execute(
        select(
            Coding.proposed_by,
            func.count(),
            func.count().filter(Coding.level == proposed),
            func.count().filter(Coding.level < proposed),
            func.count().filter(Coding.level > proposed),
        )
        .where(Coding.undone_at.is_(None), Coding.proposed_by != NOT_SCORED, ~replaced.exists())
        .group_by(Coding.proposed_by)
        .order_by(func.max(Coding.at).desc(), Coding.proposed_by)
    )
    return [Agreement(*row) for row in rows]


def measures(coding: Coding) -> bool:
    """Whether it measures scorers, so that no case made after it may train one."""
    return draw(f"coding:{coding.id}") < MEASURES


def _stand(session: Session, reading: Reading, seen: int | None) -> None:
    """Wait for the turn; then the reading must still be as the person saw it."""
    take_turn(session)
    if session.get(Reading, reading.post_id, populate_existing=True) is None:
        raise GoneError
    if reading.coding_id != seen:
        raise CodedMeanwhileError("Somebody else coded this post meanwhile. Look at it again.")


def _in_its_words(session: Session, reading: Reading) -> Sequence[int]:
    """The posts that say exactly the same, itself among them."""
    if not reading.post.text:
        return [reading.post_id]
    return session.scalars(
        select(Reading.post_id)
        .join(Post, Post.id == Reading.post_id)
        .where(_says({reading.post.text}))
    ).all()


def _says(texts: set[str]) -> ColumnElement[bool]:
    """By the index over hashes, and then by the words themselves."""
    hashes = [md5(text.encode(), usedforsecurity=False).hexdigest() for text in texts]
    words, keys = (any_(literal(list(some), ARRAY(Text))) for some in (texts, hashes))
    return (func.md5(Post.text) == keys) & (Post.text == words)


def _proposal(reading: Reading) -> dict[str, Any]:
    """What the machine read, without a word of the post: of reasons only their codes."""
    found = {name: getattr(reading, name) for name in PROPOSAL}
    return found | {"reasons": [reason["code"] for reason in reading.reasons]}


def _proposed(coding: Coding) -> dict[str, object]:
    """What the machine had read, as a reading; it is read anew soon, for its reasons."""
    back = {name: coding.proposed[name] for name in PROPOSAL}
    return back | {"reasons": [], "coding_id": None, "scorer": f"{coding.proposed_by}{RESTORED}"}
