"""Whether words of our own repeat those of posts: verbatim runs, handles, links, coded terms.

Reports paraphrase (requirement 37): words lead back to who wrote them. What is found is a warning;
a person may keep it for a reason.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import String, func, select, text
from sqlalchemy.orm import Session

from monitor.coding.cases import RUN, shared_run
from monitor.reading.terms import Lexicon
from sources.db import unnested
from sources.models import Post

KINDS = {
    "run": "five words in a row that stand in a post",
    "handle": "a handle or an address",
    "link": "a link",
    "term": "a term of the lexicon",
}
WORD = re.compile(r"\w+(?:['’]\w+)*")
MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
HANDLE = re.compile(r"(?<![\w@])@\w(?:[\w.-]*\w)?|(?<!\w)/?\bu/\w[\w-]*", re.IGNORECASE)
# With a scheme, or the bare name of a host as people write it.
LINK = re.compile(
    r"https?://\S+|www\.\S+|(?<![\w@.])[\w-]+(?:\.[\w-]+)*\."
    r"(?:com|org|net|gov|edu|us|io|co|social|app|info|news|tv|me|ly|gg)\b(?:/\S*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Finding:
    """What stands in one line and should not."""

    section: str
    line: int  # from 1
    kind: str  # a key of KINDS
    words: str


def findings(
    session: Session,
    sections: Mapping[str, str],
    since: datetime,
    until: datetime,
    lexicon: Lexicon,
) -> list[Finding]:
    """What the lines of these sections share with posts made from ``since`` to ``until``.

    Runs go within a line. Posts are those that stand in the database now; of a run of nothing but
    the language's smallest words ("it is what it is") none is looked for: it leads to nobody.
    """
    found: list[Finding] = []
    runs: dict[str, list[tuple[str, int]]] = {}
    for section, words in sections.items():
        for number, line in enumerate(words.split("\n"), 1):
            found += [Finding(section, number, kind, one) for kind, one in traces(line, lexicon)]
            for run in _runs(line):
                runs.setdefault(run, []).append((section, number))
    told: set[tuple[str, int]] = set()
    for run in _in_posts(session, list(runs), since, until):
        for section, number in runs[run]:
            if (section, number) not in told:  # of a whole sentence one run is enough
                told.add((section, number))
                found.append(Finding(section, number, "run", run))
    order = {section: place for place, section in enumerate(sections)}
    return sorted(found, key=lambda one: (order[one.section], one.line))


def traces(line: str, lexicon: Lexicon) -> list[tuple[str, str]]:
    """Handles, links and terms of the lexicon in one line: (kind, what stands there)."""
    found = [("handle", one[0]) for one in MAIL.finditer(line)]
    bare = MAIL.sub(" ", line)
    found += [("link", one[0]) for one in LINK.finditer(bare)]
    bare = LINK.sub(" ", bare)  # what a link holds is told once
    found += [("handle", one[0]) for one in HANDLE.finditer(bare)]
    found += [("term", line[one.start : one.end]) for one in lexicon.hits(line)]
    return found


def _runs(line: str) -> list[str]:
    words = WORD.findall(line)
    return [" ".join(words[at : at + RUN]) for at in range(len(words) - RUN + 1)]


def _in_posts(session: Session, runs: list[str], since: datetime, until: datetime) -> list[str]:
    """Those of the runs that some post holds, in their order.

    The index over the words of posts finds candidates by their stems, as written and without
    accents; whether the very words stand there is looked up in the candidate itself.
    """
    if not runs:
        return []
    forms = [(run, form) for run in runs for form in {run, _without_accents(run)}]
    asked = unnested(
        run=(String, [run for run, _ in forms]), form=(String, [form for _, form in forms])
    )
    query = (
        select(asked.c.run, Post.text)
        .join(
            Post,
            Post.words.op("@@")(func.phraseto_tsquery(text("'english'"), asked.c.form)),
        )
        .where(Post.posted_at >= since, Post.posted_at < until)
    )
    held: set[str] = set()
    for run, words in session.execute(query.execution_options(yield_per=500)):
        if run not in held and shared_run(run, words):
            held.add(run)
    return [run for run in runs if run in held]


def _without_accents(words: str) -> str:
    plain = unicodedata.normalize("NFKD", words)
    return "".join(sign for sign in plain if not unicodedata.combining(sign))
