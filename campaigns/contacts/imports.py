"""Imports: a file is kept, previewed, and taken in exactly as it was previewed, or thrown away.

The file lies encrypted in its row until somebody decides, a day at most. Each look judges it anew
against what the desk knows, and marks what was seen; taking it in does that and nothing else: where
something changed meanwhile, the mark differs and the person looks again.
"""

import hashlib
import hmac
import json
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, tzinfo

from cryptography.fernet import InvalidToken
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from campaigns.contacts import contact_rows, csv_files, imported_contacts, imported_voices
from campaigns.contacts.contact_rows import ContactRow
from campaigns.contacts.contacts import AddressBook
from campaigns.contacts.csv_files import CsvFile, CsvRow
from campaigns.contacts.imported import STATES, Row, rows_of
from campaigns.contacts.imported_voices import VoiceRow
from campaigns.models import IMPORTED, Audience, Import

LABELS = {"contacts": contact_rows.LABELS, "voices": imported_voices.LABELS}
NAMES = {"contacts": contact_rows.NAMES, "voices": imported_voices.NAMES}
NEEDED = {"contacts": ("email", "number"), "voices": ("name",)}  # one of these columns at least
FALLBACK = {  # never the proof of a consent
    "contacts": ("language", "wording"),
    "voices": ("scope",),
}
KEPT_FOR = timedelta(hours=24)
NAME_CHARS = 120
FALLBACK_CHARS = csv_files.CELL_CHARS
SHOWN = 20  # earlier imports on a page


class StaleError(ValueError):
    """What the person saw is not what would be done now."""


@dataclass(frozen=True)
class Sheet:
    """A file as it is kept, with what its owner chose."""

    file: CsvFile
    columns: dict[str, int]  # by field, the place of its column
    fallback: dict[str, str]  # by field, what stands in for empty cells
    audience_id: int | None = None  # the list on which its contacts come


@dataclass(frozen=True)
class Known:
    """What a file is judged by besides the database: who approves, how addresses are opened."""

    book: AddressBook
    leaders: Mapping[str, Collection[int]]  # by name or address in small letters
    zone: tzinfo


@dataclass(frozen=True)
class Preview:
    """What taking a file in would do, row by row, and the mark of exactly that."""

    rows: Sequence[Row]
    mark: str
    counts: Mapping[str, int]  # by state
    contacts: Sequence[ContactRow]  # one of these two is empty
    voices: Sequence[VoiceRow]
    audience: Audience | None


def keep(
    session: Session,
    book: AddressBook,
    kind: str,
    name: str,
    data: bytes,
    *,
    by: int,
    now: datetime,
) -> Import:
    """Read a file and keep it for its preview. ValueError, a sentence, where it cannot be read."""
    if kind not in IMPORTED:
        raise ValueError("Say what the file holds: contacts or voices.")
    file = csv_files.read(data, NAMES[kind])
    if not file.rows:
        raise ValueError("The file has no rows below its first line.")
    if any("@" in heading for heading in file.headings):
        raise ValueError(
            "The first line must name the columns, such as Name, E-mail, Mobile number. In this "
            "file it holds an address already."
        )
    sheet = Sheet(file, csv_files.columns(file.headings, NAMES[kind]), {})
    row = Import(
        kind=kind,
        name=" ".join(csv_files.UNKEEPABLE.sub("", name).split())[:NAME_CHARS] or "a file",
        sealed=_seal(book, sheet),
        rows=len(file.rows),
        made_by=by,
        made_at=now,
    )
    session.add(row)
    session.flush()
    return row


def opened(book: AddressBook, row: Import, now: datetime) -> Sheet | None:
    """The file of an import that waits; None once it is decided, a day old or under a lost key."""
    if row.sealed is None or row.made_at + KEPT_FOR <= now:
        return None
    try:
        held = json.loads(zlib.decompress(book.vault.decrypt(row.sealed)))
    except InvalidToken:
        return None
    file = held.pop("file")
    rows = tuple(CsvRow(one["line"], tuple(one["cells"]), one["fault"]) for one in file.pop("rows"))
    return Sheet(CsvFile(**{**file, "headings": tuple(file["headings"]), "rows": rows}), **held)


def choose(
    session: Session,
    book: AddressBook,
    row: Import,
    sheet: Sheet,
    *,
    columns: Mapping[str, int | None],
    fallback: Mapping[str, str],
    audience: Audience | None,
) -> Sheet:
    """Read other columns for fields, and fill empty cells. ValueError where it cannot be so."""
    found = {of: place for of, place in columns.items() if place is not None}
    if any(not 0 <= place < len(sheet.file.headings) for place in found.values()):
        raise ValueError("Choose among the columns of the file.")
    for place, uses in Counter(found.values()).items():
        if uses > 1:
            raise ValueError(f"The column “{sheet.file.headings[place]}” is chosen twice.")
    said = {of: " ".join(fallback.get(of, "").split()) for of in FALLBACK[row.kind]}
    if any(len(words) > FALLBACK_CHARS for words in said.values()):
        raise ValueError(f"At most {FALLBACK_CHARS:,} characters, please.")
    chosen = replace(
        sheet,
        columns={of: found[of] for of in LABELS[row.kind] if of in found},
        fallback={of: words for of, words in said.items() if words},
        audience_id=audience.id if audience is not None else None,
    )
    row.sealed = _seal(book, chosen)
    session.flush()
    return chosen


def preview(session: Session, known: Known, row: Import, sheet: Sheet, now: datetime) -> Preview:
    """What taking the file in would do now. It changes nothing."""
    fields = list(LABELS[row.kind])
    file = sheet.file
    rows = rows_of(file.rows, file.headings, sheet.columns, sheet.fallback, fields)
    audience = session.get(Audience, sheet.audience_id) if sheet.audience_id else None
    contacts: list[ContactRow] = []
    voices: list[VoiceRow] = []
    if row.kind == "contacts":
        contacts = imported_contacts.judge(
            session, known.book, rows, audience=audience, zone=known.zone, now=now
        )
    else:
        voices = imported_voices.judge(
            session, rows, leaders=known.leaders, zone=known.zone, now=now
        )
    states = Counter(one.state for one in rows)
    counts = {state: states[state] for state in STATES}
    seen: list[object] = [row.id, sheet.columns, sheet.fallback, sheet.audience_id]
    seen += [[o.line, o.new, o.will, o.wont, [asdict(f) for f in o.faults]] for o in rows]
    seen += [one.contact and one.contact.id for one in contacts]
    seen += [[one.voice and one.voice.id, one.leader_id] for one in voices]
    mark = hmac.new(known.book.key, json.dumps(seen).encode(), hashlib.sha256).hexdigest()
    return Preview(rows, mark, counts, contacts, voices, audience)


def take_in(
    session: Session, known: Known, row: Import, mark: str, *, by: int, now: datetime
) -> Preview:
    """Do what the preview with this mark said, of all rows that are not refused.

    StaleError where that is not what would be done now; ValueError where there is nothing to do.
    """
    sheet = _waiting(session, known.book, row, now)
    made = preview(session, known, row, sheet, now)
    if not hmac.compare_digest(made.mark.encode(), mark.encode()):
        raise StaleError(
            "Nothing was taken in: since you looked, something changed. Look at the new preview."
        )
    if not made.counts["new"] and not made.counts["changed"]:
        raise ValueError("There is nothing to take in: no row is new or changes anything.")
    imported_contacts.take_in(
        session, known.book, made.contacts, audience=made.audience, by=by, now=now
    )
    imported_voices.take_in(session, made.voices, by=by, now=now)
    _decide(row, "taken in", by, now)
    row.added, row.changed = made.counts["new"], made.counts["changed"]
    row.refused = made.counts["refused"]
    session.flush()
    return made


def throw_away(session: Session, book: AddressBook, row: Import, *, by: int, now: datetime) -> None:
    """Forget the file. ValueError where it was decided on before."""
    _waiting(session, book, row, now)
    _decide(row, "thrown away", by, now)
    session.flush()


def forget(session: Session, now: datetime) -> int:
    """Forget every file on which nobody decided for a day; how many."""
    done = session.execute(
        update(Import)
        .where(Import.sealed.is_not(None), Import.made_at <= now - KEPT_FOR)
        .values(sealed=None, decided_at=now, outcome="expired")
        .returning(Import.id)
    )
    return len(done.all())


def latest(session: Session) -> list[Import]:
    """The newest imports, whatever became of them."""
    return list(session.scalars(select(Import).order_by(Import.id.desc()).limit(SHOWN)))


def refused(sheet: Sheet, made: Preview) -> bytes:
    """The refused rows as a CSV file to be mended and sent again, with what is wrong beside each.

    As they stand in the file, except that no cell is taken for a formula.
    """
    cells = {row.line: row.cells for row in sheet.file.rows}
    lines: list[Sequence[str]] = [(*sheet.file.headings, "What is wrong")]
    for row in made.rows:
        if row.faults:
            said = " ".join(f"{f.column}: {f.words}" if f.column else f.words for f in row.faults)
            held = cells[row.line]
            width = len(sheet.file.headings)
            lines.append((*held, *[""] * (width - len(held)), f"Line {row.line}: {said}"))
    return csv_files.written(lines)


def _waiting(session: Session, book: AddressBook, row: Import, now: datetime) -> Sheet:
    session.refresh(row, with_for_update=True)
    sheet = opened(book, row, now)
    if sheet is None:
        raise ValueError("This file has been decided on, or is not kept any more.")
    return sheet


def _decide(row: Import, outcome: str, by: int, now: datetime) -> None:
    row.sealed, row.outcome, row.decided_by, row.decided_at = None, outcome, by, now


def _seal(book: AddressBook, sheet: Sheet) -> bytes:
    return book.vault.encrypt(zlib.compress(json.dumps(asdict(sheet)).encode()))
