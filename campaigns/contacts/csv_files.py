"""Reading a CSV file of whatever origin, and writing one that no spreadsheet runs as a formula."""

import csv
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

MAX_BYTES = 5_000_000
MAX_ROWS = 10_000
MAX_COLUMNS = 100
CELL_CHARS = 1_000  # what a field of the desk holds at most; a longer cell is a broken quotation
SPAN = 20  # lines of one row at most: with more, a quotation mark is open that nobody closed
LOOKED_AT = 50  # rows by which the separator is told
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
# What Excel, LibreOffice and Google Sheets take for the beginning of a formula (OWASP).
FORMULA = re.compile(r"[=+\-@\t\r\n]")
UNKEEPABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")  # PostgreSQL has no NUL
ENCODINGS = {"utf-8": "UTF-8", "utf-16": "UTF-16", "cp1252": "Windows-1252"}


@dataclass(frozen=True)
class CsvRow:
    """One row of a file: the line it begins on, its cells as they stand, and what is broken."""

    line: int
    cells: tuple[str, ...]
    fault: str = ""


@dataclass(frozen=True)
class CsvFile:
    """A file as it was read: its headings, its rows without empty ones, and how it was written."""

    headings: tuple[str, ...]
    rows: tuple[CsvRow, ...]
    encoding: str  # a key of ENCODINGS
    separator: str  # a key of SEPARATORS


def read(data: bytes, known: Mapping[str, Collection[str]]) -> CsvFile:
    """What a file holds. ``known``: for each field, names its column may have (see ``columns``).

    ValueError, a sentence, where it cannot be read as a whole; a row that is broken says so itself
    and leaves the others as they are.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(
            f"The file is larger than {MAX_BYTES // 1_000_000} MB. Divide it and take the parts "
            "in one after another."
        )
    text, encoding = _decoded(data)
    lines = list(io.StringIO(text, newline=""))
    named = re.fullmatch(r'"?sep=(.)"?\s*', lines[0], re.IGNORECASE) if lines else None
    first = 1 if named else 0  # a line that Excel reads as the name of the separator
    separator = named[1] if named and named[1] in SEPARATORS else _separator(lines[first:], known)
    rows = _rows(lines, first, separator)
    if not rows:
        raise ValueError("The file is empty.")
    if len(rows) - 1 > MAX_ROWS:
        raise ValueError(
            f"The file has more than {MAX_ROWS:,} rows. Divide it and take the parts in one after "
            "another."
        )
    if rows[0].fault:
        raise ValueError(f"The first line cannot be read: {rows[0].fault}")
    headings = tuple(" ".join(cell.split()) for cell in rows[0].cells)
    while headings and not headings[-1]:
        headings = headings[:-1]
    if len(headings) > MAX_COLUMNS:
        raise ValueError(f"The file has more than {MAX_COLUMNS} columns.")
    return CsvFile(headings, tuple(_fitted(row, headings) for row in rows[1:]), encoding, separator)


def columns(headings: Sequence[str], known: Mapping[str, Collection[str]]) -> dict[str, int]:
    """For each field the place of the column that is most probably meant; the first of equals.

    Case, spaces and signs do not matter. A column serves one field.
    """
    names = {field: [_plain(name) for name in [field, *some]] for field, some in known.items()}
    plain = [_plain(heading) for heading in headings]
    found: dict[str, int] = {}
    for field, some in names.items():  # exact before "Mobile number (if any)"
        for place, heading in enumerate(plain):
            if heading in some and field not in found and place not in found.values():
                found[field] = place
    for field, some in names.items():
        for place, heading in enumerate(plain):
            begins = any(heading.startswith(name) for name in some if len(name) > 3)
            if begins and field not in found and place not in found.values():
                found[field] = place
    return found


def written(rows: Iterable[Sequence[str]]) -> bytes:
    """Rows as a CSV file for any spreadsheet; no cell of it is taken for a formula."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([guarded(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def guarded(cell: str) -> str:
    """The cell with an apostrophe before it where a spreadsheet would see a formula."""
    return f"'{cell}" if FORMULA.match(cell.lstrip(" ")) else cell


def unguarded(cell: str) -> str:
    """The cell as it was before it was guarded; others come as they are, without outer space."""
    cell = cell.strip()
    return cell[1:].strip() if cell[:1] == "'" and FORMULA.match(cell[1:].lstrip(" ")) else cell


def _decoded(data: bytes) -> tuple[str, str]:
    if data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise ValueError(
            "This is a workbook, not a CSV file. In the spreadsheet choose Save as, CSV UTF-8."
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        tries = [("utf-16", "utf-16")]
    else:
        tries = [("utf-8-sig", "utf-8"), ("cp1252", "cp1252")]
    for codec, name in tries:
        try:
            return data.decode(codec), name
        except UnicodeDecodeError:
            continue
    raise ValueError("The file is no text that we can read. Save it as CSV UTF-8.")


def _separator(lines: Sequence[str], known: Mapping[str, Collection[str]]) -> str:
    """The one by which the most headings are known, then by which the rows are equally wide."""

    def fitness(separator: str) -> tuple[int, int, int]:
        rows = _rows(lines[: LOOKED_AT * 2], 0, separator)[:LOOKED_AT]
        if not rows:
            return 0, 0, 0
        width = len(rows[0].cells)
        alike = sum(width > 1 and len(row.cells) == width and not row.fault for row in rows)
        return len(columns(rows[0].cells, known)), alike, width

    return max(SEPARATORS, key=fitness)


def _rows(lines: Sequence[str], first: int, separator: str) -> list[CsvRow]:
    """Every row that holds anything, from ``lines[first]`` on.

    Where a quotation is broken, its first line alone is given up: the next is read on its own.
    """
    rows: list[CsvRow] = []
    at = first
    while at < len(lines) and len(rows) <= MAX_ROWS + 1:
        # A reader of its own for each row, so that an open quotation cannot swallow the file.
        reader = csv.reader(lines[at : at + SPAN], delimiter=separator, strict=True)
        try:
            cells = next(reader)
        except csv.Error:
            whole = lines[at].rstrip("\r\n")[:CELL_CHARS]
            fault = "A quotation mark is opened and not closed, or stands inside a quotation."
            rows.append(CsvRow(at + 1, (whole,), fault))
            at += 1
            continue
        if any(cell.strip() for cell in cells):
            rows.append(CsvRow(at + 1, tuple(cells)))
        at += reader.line_num
    return rows


def _fitted(row: CsvRow, headings: Sequence[str]) -> CsvRow:
    """The row as wide as the headings, with what is wrong with it as a row."""
    if row.fault:
        return row
    cells = tuple(unguarded(cell) for cell in row.cells)
    beyond = [cell for cell in cells[len(headings) :] if cell]
    fault = ""
    if beyond:
        fault = (
            f"It has {len(headings) + len(beyond)} cells and the first line {len(headings)}. Is a "
            "quotation mark missing?"
        )
    elif any(UNKEEPABLE.search(cell) for cell in cells):
        fault = "It holds a character that cannot be kept."
    elif any(len(cell) > CELL_CHARS for cell in cells):
        fault = f"A cell is longer than {CELL_CHARS:,} characters. Is a quotation mark missing?"
    short = cells[: len(headings)] + ("",) * (len(headings) - len(cells))
    return CsvRow(row.line, row.cells if fault else short, fault)


def _plain(heading: str) -> str:
    return re.sub(r"[\W_]+", "", heading).casefold()
