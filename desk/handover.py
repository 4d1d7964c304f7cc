"""Handover between shifts: notes for who comes next, and what changed since somebody was here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased, joinedload

from campaigns import changes as our_changes
from desk.models import HandoverRead, Person, ShiftNote, ShiftNoteDraft, ShiftNoteTick
from monitor.models import Alert, Flag, Narrative
from monitor.reports import changes
from monitor.reports.changes import Change, Step
from sources.models import Watch
from sources.silences import silences

NOTE_CHARS = 4_000
WORD_CHARS = 300
LATELY = timedelta(days=3)  # notes that are done or for information are shown so long
SHOWN_LATELY = 60
DRAFTED = ("text", "stays", "about")  # the fields of the form of a note
AHEAD = timedelta(hours=72)
FIRST_TIME = timedelta(hours=24)  # shown to somebody who has never said that they read it
FURTHEST = timedelta(days=31)  # who was away longer reads the weekly reports
STAYS = {
    "open": "Still open: somebody must act",
    "information": "For information",
}
# A page's address as people copy it: with or without the host, a query, a place on the page.
ADDRESS = re.compile(
    r"(?:https?://[^/\s]+)?/?(narratives|flags|alerts)/(\d{1,9})(?:[/?#]\S*)?", re.ASCII
)

# What is told together, the gravest first; and which kinds of change belong to it.
GROUPS = {
    "Alerts, and posts that called somebody": ("alert", "call"),
    "Stops pressed and lifted": ("stop",),
    "Danger levels that changed": ("danger",),
    "What people reported": ("report",),
    "Flags": ("flag",),
    "Narratives and situations": ("narrative", "situation"),
    "What we said, and what we held": ("message", "strategy"),
    "In the next 72 hours": ("trigger",),
    "Sources that fell silent": ("source",),
}
PATHS = {
    "alert": "/alerts/{}",
    "call": "/flags/{}",
    "stop": "/stops/{}",
    "report": "/flags/{}",
    "flag": "/flags/{}",
    "danger": "/narratives/{}#situation",
    "narrative": "/narratives/{}",
    "situation": "/narratives/{}#situation",
    "strategy": "/narratives/{}#campaigns",
    "message": "/messages/{}",
    "trigger": "/triggers",
    "source": "/sources/{}",
}


@dataclass(frozen=True)
class Beginning:
    """What somebody read and wrote here before, and who else has read."""

    last: HandoverRead | None  # when they last said that they had read what changed
    readers: Sequence[HandoverRead]  # of each person the latest, the newest first
    draft: ShiftNoteDraft | None  # what they were writing


# Notes


def write(
    session: Session, person: Person, text: str, stays: str, about: str, now: datetime
) -> ShiftNote:
    """Leave a note to the next shift; the person's draft is done with.

    ``about``: the address of a narrative, a flag or an alert, as copied, or "". ValueError, one
    sentence, for a note that is empty or too long, or an address that leads to none of these.
    """
    text = text.replace("\r\n", "\n").replace("\x00", "").strip()
    if not text:
        raise ValueError("Write what the next shift must know.")
    if len(text) > NOTE_CHARS:
        raise ValueError(f"A note has {NOTE_CHARS:,} characters at most; this has {len(text):,}.")
    if stays not in STAYS:
        raise ValueError("Say whether it is still open, or for information.")
    subject = subject_of(session, about)
    note = ShiftNote(text=text, stays=stays, by=person.id, at=now)
    if isinstance(subject, Narrative):
        note.narrative_id = subject.id
    elif isinstance(subject, Flag):
        note.flag_id = subject.id
    elif isinstance(subject, Alert):
        note.alert_id = subject.id
    session.add(note)
    if draft := session.get(ShiftNoteDraft, person.id):
        session.delete(draft)
    session.flush()
    return note


def subject_of(session: Session, address: str) -> Narrative | Flag | Alert | None:
    """What an address leads to, None for no address. ValueError where it leads elsewhere."""
    address = address.strip()
    if not address:
        return None
    found = ADDRESS.fullmatch(address)
    if found is None:
        raise ValueError(
            "That is no address of a narrative, a flag or an alert: copy it from the page, as in "
            "/narratives/12."
        )
    noun, number = found[1], int(found[2])
    subject: Narrative | Flag | Alert | None
    if noun == "narratives":
        subject = session.get(Narrative, number)
    elif noun == "flags":
        subject = session.get(Flag, number)
    else:
        subject = session.get(Alert, number)
    # A narrative that nobody has taken up may dissolve, and the note would lead nowhere.
    if subject is None or (isinstance(subject, Narrative) and subject.settled_at is None):
        raise ValueError(f"There is nothing at /{noun}/{number}.")
    return subject


def tick(session: Session, note: ShiftNote, word: str, by: int, now: datetime) -> ShiftNoteTick:
    """Say that an open note is done with, and how. ValueError; also where somebody was first."""
    word = " ".join(word.replace("\x00", "").split())
    if note.stays != "open":
        raise ValueError("This note is for information: there is nothing to tick off.")
    if not word:
        raise ValueError("Say in a word how it ended.")
    if len(word) > WORD_CHARS:
        raise ValueError(f"Say it in {WORD_CHARS} characters; these are {len(word)}.")
    done = ShiftNoteTick(note_id=note.id, word=word, by=by, at=now)
    try:
        with session.begin_nested():  # the unique key decides a race
            session.add(done)
    except IntegrityError:
        raise ValueError("Somebody has ticked this off already.") from None
    session.expire(note, ["ticks"])
    return done


def untick(session: Session, note: ShiftNote, by: int, now: datetime) -> None:
    """Open a note again that was ticked off by mistake; ValueError where it is open."""
    session.refresh(note, with_for_update=True)
    session.expire(note, ["ticks"])
    if note.done is None:
        raise ValueError("This note is open already.")
    note.done.undone_by, note.done.undone_at = by, now
    session.flush()


def notes(session: Session, since: datetime) -> tuple[Sequence[ShiftNote], Sequence[ShiftNote]]:
    """Notes that somebody has to do something about, the oldest first; and others, newest first.

    The others need nothing any more: for information, or ticked off, since then. One query.
    """
    query = _notes().where(_open() | _late(since)).order_by(ShiftNote.id)
    found = session.scalars(query).unique().all()
    waiting = [one for one in found if one.stays == "open" and one.done is None]
    others = [one for one in reversed(found) if one.stays != "open" or one.done is not None]
    return waiting, others[:SHOWN_LATELY]


def open_number() -> ScalarSelect[int]:
    """How many notes are open, as part of a query."""
    return select(func.count()).select_from(ShiftNote).where(_open()).scalar_subquery()


def _open() -> ColumnElement[bool]:
    done = ShiftNote.ticks.any(ShiftNoteTick.undone_at.is_(None))
    return and_(ShiftNote.stays == "open", ~done)


def _late(since: datetime) -> ColumnElement[bool]:
    done = ShiftNote.ticks.any(ShiftNoteTick.undone_at.is_(None) & (ShiftNoteTick.at >= since))
    told = (ShiftNote.stays == "information") & (ShiftNote.at >= since)
    return done | told


def keep_draft(session: Session, person: Person, words: Mapping[str, str], now: datetime) -> None:
    """Keep what somebody is writing; nothing is kept of an empty form, or of a note just left."""
    kept = {key: words.get(key, "").replace("\x00", "")[:NOTE_CHARS] for key in DRAFTED}
    draft = session.get(ShiftNoteDraft, person.id)
    newest = session.scalar(
        select(ShiftNote.text)
        .where(ShiftNote.by == person.id)
        .order_by(ShiftNote.id.desc())
        .limit(1)
    )
    text = kept["text"].replace("\r\n", "\n").strip()
    if not text or text == newest:
        if draft is not None:
            session.delete(draft)
    elif draft is None:
        session.add(ShiftNoteDraft(person_id=person.id, words=kept, at=now))
    else:
        draft.words, draft.at = kept, now
    session.flush()


def _notes() -> Select[ShiftNote]:
    flag = joinedload(ShiftNote.flag)
    return select(ShiftNote).options(
        joinedload(ShiftNote.ticks),  # of these and of an alert's messages there are a few
        joinedload(ShiftNote.narrative),
        flag.joinedload(Flag.narrative),
        flag.joinedload(Flag.watch).joinedload(Watch.versions),
        joinedload(ShiftNote.alert).joinedload(Alert.messages),
    )


# What changed


def last_read(session: Session, person: Person) -> HandoverRead | None:
    """When somebody last said that they had read what changed."""
    return session.scalars(
        select(HandoverRead)
        .where(HandoverRead.person_id == person.id)
        .order_by(HandoverRead.id.desc())
        .limit(1)
    ).first()


def read(session: Session, person: Person, until: datetime, now: datetime) -> HandoverRead:
    """Somebody says that they have read what changed until then: when their page was made.

    ValueError for a moment to come, or long past. What happened after ``until`` is new to them.
    """
    if until > now:
        raise ValueError("Nobody has read what has not happened yet.")
    if until < now - FURTHEST:
        raise ValueError("That page was made too long ago.")
    before = last_read(session, person)
    # An old page in another tab takes nothing back.
    until = until if before is None else max(until, before.until)
    said = HandoverRead(person_id=person.id, until=until, at=now)
    session.add(said)
    session.flush()
    return said


def beginning(session: Session, person: Person, since: datetime) -> Beginning:
    """What the page needs to know of its reader and of others, in one query."""
    latest = select(func.max(HandoverRead.id)).group_by(HandoverRead.person_id)
    wanted = (HandoverRead.at >= since) | (HandoverRead.person_id == person.id)
    reads = select(HandoverRead).where(HandoverRead.id.in_(latest), wanted).subquery()
    drafts = select(ShiftNoteDraft).where(ShiftNoteDraft.person_id == person.id).subquery()
    done, draft = aliased(HandoverRead, reads), aliased(ShiftNoteDraft, drafts)
    rows = session.execute(
        select(done, draft).join_from(done, draft, done.person_id == draft.person_id, full=True)
    ).all()
    found = sorted((row[0] for row in rows if row[0] is not None), key=lambda one: -one.id)
    return Beginning(
        last=next((one for one in found if one.person_id == person.id), None),
        readers=[one for one in found if one.at >= since],
        draft=next((row[1] for row in rows if row[1] is not None), None),
    )


def what_changed(session: Session, since: datetime, now: datetime) -> dict[str, list[Change]]:
    """All that happened after ``since`` and up to ``now``, and what begins soon.

    In groups that are not empty, the gravest first.
    """
    found = [
        *changes.changes(session, since, now, now + AHEAD),
        *our_changes.changes(session, since, now),
        *_silent(session, since, now),
    ]
    groups = {name: [one for one in found if one.kind in kinds] for name, kinds in GROUPS.items()}
    return {name: some for name, some in groups.items() if some}


def path_of(change: Change) -> str:
    """The page on which a change is seen whole."""
    return PATHS[change.kind].format(change.key)


def _silent(session: Session, since: datetime, now: datetime) -> list[Change]:
    """Sources that fell silent in this time, each once; those that still are first."""
    found: dict[int, Change] = {}
    fallen = [one for one in silences(session, since, now) if one.began_at > since]
    for one in sorted(
        fallen, key=lambda one: (one.ended_at is not None, -one.began_at.timestamp())
    ):
        what = {
            "failing": "could not be read from",
            "paused": "paused",
            "mute": "ran, but nothing came from",
        }[one.kind]
        steps = [Step(what, one.began_at, one.by, one.why)]
        steps.append(Step("still silent" if one.ended_at is None else "read again", one.ended_at))
        change = Change("source", one.source.id, one.source.name, steps)
        found.setdefault(one.source.id, change)
    return list(found.values())
