"""Cases: messages in a monitor's own words, coded, that readers are trained on and tried on here.

A case is never a post: the sources' policies forbid training on those. Whoever codes a post may
say the same in other words; a case keeps no way back to what it was made after.
"""

import re
import unicodedata
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from monitor.coding.codebook import CLEAR, MessageFields, as_stored, message_level
from monitor.coding.draws import draw
from monitor.models import Case

CHARS = 500
RUN = 5  # words in a row that own words and a post may not share (the field's checklist, 4)
HELD_BACK = 0.3  # share of cases that no reader here is trained on: they measure it
SHORTEST = 3  # a text of fewer words is no run
WORD = re.compile(r"\w+(?:'\w+)*")


def teach(
    session: Session,
    text: str,
    fields: MessageFields,
    by: int,
    now: datetime,
    unlike: str = "",
    held_back: bool | None = None,
) -> Case:
    """Add a case. ``unlike``: the post it was made after, whose words it may not repeat.

    ``held_back``: whether it only measures readers; without it the text's hash decides.
    ValueError, one sentence, for text that is empty, too long, a post's words, or there already.
    """
    text = " ".join(text.split())
    if not text:
        raise ValueError("Write the case in your own words.")
    if len(text) > CHARS:
        raise ValueError(f"Say it in {CHARS} characters; these are {len(text)}.")
    if run := shared_run(text, unlike):
        raise ValueError(
            f"“{run}” stands in the post. Sources do not allow training on their posts: say it in "
            "your own words."
        )
    case = Case(
        text=text,
        fields=as_stored(fields),
        level=message_level(fields),
        held_back=draw(f"case:{text}") < HELD_BACK if held_back is None else held_back,
        by=by,
        at=now.replace(hour=0, minute=0, second=0, microsecond=0),
    )
    try:
        with session.begin_nested():
            session.add(case)
    except IntegrityError:
        raise ValueError("This case is there already.") from None
    return case


def withdraw(session: Session, case: Case, by: int, now: datetime) -> None:
    """Take a case back: later readers are neither trained nor tried on it."""
    if case.withdrawn_at is None:
        case.withdrawn_by, case.withdrawn_at = by, now


def standing(session: Session) -> list[Case]:
    """All cases that nobody has withdrawn, the newest first."""
    query = select(Case).where(Case.withdrawn_at.is_(None)).order_by(Case.id.desc())
    return list(session.scalars(query))


def answers(case: Case) -> dict[str, int]:
    """What the reader is asked of a case: hate, violence, dehumanising, each 0 or 1."""
    fields = case.fields
    of_group = fields["target_kind"] in ("group", "individual_as_member")
    return {
        "hate": int(case.level >= 1 and of_group),
        "violence": int(case.level >= 3),
        "dehumanising": int(case.level >= 1 and fields["hallmarks"].get("H1") == CLEAR),
    }


def shared_run(text: str, other: str) -> str:
    """The first RUN words in a row that both hold, "" where there are none.

    Of a shorter ``other`` all its words in a row; of one or two words only the same and no more.
    """
    words, theirs = _words(text), _words(other)
    if len(theirs) < SHORTEST:
        return " ".join(words) if words and words == theirs else ""
    size = min(RUN, len(theirs))
    known = set(_in_rows(theirs, size))
    return next((" ".join(run) for run in _in_rows(words, size) if run in known), "")


def _words(text: str) -> list[str]:
    """Whatever their case, accents and kind of apostrophe."""
    plain = unicodedata.normalize("NFKD", text).casefold().replace("\u2019", "'")
    return WORD.findall("".join(sign for sign in plain if not unicodedata.combining(sign)))


def _in_rows(words: list[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]
