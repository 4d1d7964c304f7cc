"""A situation report as files to take along: Markdown, and a PDF with tagged headings.

The PDF is set by Typst from a template of ours, which is told everything as data: nothing that a
person wrote is read as markup. It is PDF/UA-1, which Typst checks: every letter can be read out.
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import lru_cache
from importlib import resources
from typing import Final

import emoji
import regex  # type: ignore[import-untyped, unused-ignore]
import typst

from desk.models import Sitrep, SitrepVersion
from desk.sitreps import NOTICE, Statement, area_of, days_of, state_of, statements
from monitor.alerts.cap import VERIFICATION
from monitor.reports.sitrep import SECTIONS

NO_LETTER = "□"  # stands for a letter that no typeface at hand holds; the Markdown file has it
MISSING = (
    f"{NO_LETTER} stands for a letter that this file has no typeface for; the same report as "
    "Markdown holds it. Emoji are told by their names, in brackets."
)
# Controls, and marks that turn the direction of what follows: on paper they are only harm.
UNSEEN = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]")
STANDARD: Final = "ua-1"
NOTHING = "Nothing to report."


@dataclass(frozen=True)
class Part:
    """A section as it is printed."""

    title: str
    lines: list[Statement]


@dataclass(frozen=True)
class Printed:
    """All that a report on paper says."""

    title: str
    organisation: str
    area: str
    days: str
    state: str
    notice: str
    parts: list[Part]
    legend: list[tuple[str, str]]
    note: str = ""


def printed(report: Sitrep, version: SitrepVersion, organisation: str, finished_by: str) -> Printed:
    """A version as it goes out. ``finished_by``: who made it final, "" where nobody has."""
    first, last = days_of(report)
    if state_of(version) == "final" and version.final is not None:
        state = f"Final, version {version.number}, {_day(version.final.at)}, {finished_by}"
    elif version.by is None:
        state = f"Draft from the data, read by nobody, version {version.number}"
    else:
        state = f"Draft, version {version.number}, {_day(version.at)}"
    return Printed(
        title="Situation report",
        organisation=organisation,
        area=area_of(report),
        days=f"{first:%-d %B} to {last:%-d %B %Y}",
        state=state,
        notice=NOTICE,
        parts=[
            Part(title, statements(str(version.sections.get(key, ""))))
            for key, title in SECTIONS.items()
        ],
        legend=list(VERIFICATION.items()),
    )


def name_of_file(report: Sitrep, ending: str) -> str:
    """What the file is called: plain letters, the week and the place."""
    area = re.sub(r"[^a-z0-9]+", "-", area_of(report).lower()).strip("-")
    return f"situation-report-{report.week:%Y-%m-%d}-{area}.{ending}"


def markdown(page: Printed) -> str:
    """The report as Markdown; what a person wrote stays text in it."""
    page = _told(page, _clean)
    lines = [
        *(f"# {_plain(page.title)}: {_plain(page.area)}", ""),
        *(f"{_plain(page.organisation)}, {page.days}. {_plain(page.state)}.", ""),
        *(f"**{page.notice}.**", ""),
    ]
    for part in page.parts:
        lines += [f"## {part.title}", ""]
        for one in part.lines:
            level = f"**{one.level}** " if one.level else ""
            lines.append(f"- {level}{_plain(one.words)}")
        lines += [NOTHING, ""] if not part.lines else [""]
    lines += ["## How sure we are", ""]
    lines += [f"- **{level}** {meaning}" for level, meaning in page.legend]
    return "\n".join(lines) + "\n"


def pdf(page: Printed, now: datetime) -> bytes:
    """The report as a PDF: tagged headings and lists, numbered pages, text that can be searched."""
    page = _told(page, _clean)
    try:
        return _set(page, now)
    except typst.TypstError:  # a letter without a typeface: the standard forbids to leave it out
        return _set(replace(_told(page, _shown), note=MISSING), now)


def _set(page: Printed, now: datetime) -> bytes:
    template = (resources.files("desk") / "templates" / "sitreps" / "report.typ").read_bytes()
    made: bytes = typst.compile(
        template,
        sys_inputs={"page": json.dumps(asdict(page))},
        pdf_standards=[STANDARD],
        timestamp=int(now.timestamp()),
    )
    return made


def _told(page: Printed, tell: Callable[[str], str]) -> Printed:
    """The same page with all that people wrote on it told in another way."""
    return replace(
        page,
        organisation=tell(page.organisation),
        state=tell(page.state),
        parts=[
            Part(part.title, [Statement(one.level, tell(one.words)) for one in part.lines])
            for part in page.parts
        ],
    )


def _clean(words: str) -> str:
    return UNSEEN.sub("", words)


def _shown(words: str) -> str:
    """Words with each emoji told by its name, and each letter that cannot be set as NO_LETTER."""
    named = emoji.replace_emoji(words, lambda sign, data: f"[{_called(sign, data)}]")
    return "".join(
        sign if sign.isascii() or _can_be_set(sign) else NO_LETTER
        for sign in regex.findall(r"\X", named)
    )


def _called(sign: str, data: dict[str, str]) -> str:
    name = data.get("en", "") or emoji.demojize(sign)
    return name.strip(":").replace("_", " ")


@lru_cache(maxsize=5_000)
def _can_be_set(sign: str) -> bool:
    """Whether some typeface at hand holds a letter with its marks."""
    trial = b'#set document(title: "x")\n#text(sys.inputs.sign)'
    try:
        typst.compile(trial, sys_inputs={"sign": sign}, pdf_standards=[STANDARD])
    except typst.TypstError:
        return False
    return True


def _day(moment: datetime) -> str:
    return f"{moment:%-d %B %Y}"


def _plain(words: str) -> str:
    """Words in which Markdown finds no markup, and HTML no tag."""
    return re.sub(r"([\\`*_{}\[\]<>#|~!])", r"\\\1", words)
