"""What is said of one row of an imported file, and the reading of cells that every kind needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from campaigns.contacts.csv_files import CsvRow

DAY_FORMS = (
    *("%Y-%m-%d", "%m/%d/%Y", "%m/%d/%y", "%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y"),
    *("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%m/%d/%Y %H:%M"),
)
YEARS = range(2000, 2100)  # a consent of another year is a slip of the pen
STATES = ("new", "changed", "unchanged", "refused")


@dataclass(frozen=True)
class Fault:
    """What is wrong in one column, as a sentence; no column where the whole row is meant."""

    column: str
    words: str


@dataclass
class Row:
    """One row while it is judged: its cells by field, and what will and will not come of it."""

    line: int
    cells: Mapping[str, str]
    headings: Mapping[str, str]  # by field, its column as the file calls it
    faults: list[Fault] = field(default_factory=list)
    will: list[str] = field(default_factory=list)  # what taking it in does
    wont: list[str] = field(default_factory=list)  # what it leaves undone, and why
    new: bool = True  # it is about somebody whom the desk does not know

    @property
    def title(self) -> str:
        """Whom it is about, as the file says."""
        return self.cells.get("name") or "(no name)"

    @property
    def state(self) -> str:
        """One of STATES."""
        if self.faults:
            return "refused"
        return "new" if self.new else "changed" if self.will else "unchanged"

    def fault(self, of: str, words: str) -> None:
        """The row cannot be taken in, because of the cell of the field ``of``."""
        self.faults.append(Fault(self.headings.get(of, ""), words))

    def day(self, of: str, zone: tzinfo) -> datetime | None:
        """The beginning of the day in a cell; None where it is empty or, with a fault, no day."""
        typed = self.cells[of]
        if not typed:
            return None
        for form in DAY_FORMS:
            try:
                found = datetime.strptime(typed, form)  # noqa: DTZ007
            except ValueError:
                continue
            if found.year in YEARS:
                return datetime(found.year, found.month, found.day, tzinfo=zone)
        self.fault(of, f"“{typed}” is no day we can read. Write it as 2026-04-25 or 4/25/2026.")
        return None


def rows_of(
    rows: Sequence[CsvRow],
    headings: Sequence[str],
    columns: Mapping[str, int],
    fallback: Mapping[str, str],
    fields: Sequence[str],
) -> list[Row]:
    """The rows with their cells by field; ``fallback`` stands in where a cell is empty."""
    named = {of: headings[place] for of, place in columns.items()}
    found = []
    for row in rows:
        cells = {}
        for of in fields:
            place = columns.get(of, len(row.cells))
            cell = " ".join(row.cells[place].split()) if place < len(row.cells) else ""
            cells[of] = cell or fallback.get(of, "")
        one = Row(row.line, cells, named)
        if row.fault:
            one.faults.append(Fault("", row.fault))
        found.append(one)
    return found


def spelled(moment: datetime) -> str:
    """A day in words that cannot be mistaken: 5 January 2026."""
    return f"{moment:%-d %B %Y}"
