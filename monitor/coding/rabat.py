"""The threshold test: the six parts of the Rabat Plan of Action, judged by people, from D3 on.

The bar is high on purpose. What it comes to is a label for those who decide, never a finding of
law: speech is presumed to be protected, and only a duty lead may note a doubt of that (R7).
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from monitor.coding.cases import shared_run
from monitor.coding.codebook import CODEBOOK, EDITION, meets_high_threshold
from monitor.coding.situations import HISTORY_SHOWN
from monitor.flags.flags import ON_NARRATIVES, narrative_of, words_about
from monitor.models import Flag, LegalNote, Narrative, RabatAssessment, SituationCoding
from monitor.narratives.narratives import family

FROM_LEVEL = 3  # what is certain of the danger: from D3 on the test is asked for
PARTS = tuple(part.value for part in CODEBOOK.rabat.parts)
REASON_CHARS = 600
MEETS, CONCERN = "Meets the high threshold", "Lawful speech of concern"

PRESUMED = "presumed_protected"
NOTES = {
    PRESUMED: "Presumed protected",
    "possible_true_threat": "Possible true threat",
    "possible_imminent_incitement": "Possible imminent incitement",
}


class PartsError(ValueError):
    """Parts that are not judged in full: ``parts`` are their names, the message is for the page."""

    def __init__(self, what: str, parts: tuple[str, ...]) -> None:
        super().__init__(what)
        self.parts = parts


def about(session: Session, flag: Flag) -> Narrative | Flag:
    """What is tested where a flag leads: its narrative as it stands, or the one post it names."""
    if flag.kind in ON_NARRATIVES and (narrative := narrative_of(session, flag)) is not None:
        return narrative
    return flag


def assess(
    session: Session,
    subject: Narrative | Flag,
    parts: Mapping[str, int],
    reasons: Mapping[str, str],
    by: int,
    now: datetime,
) -> RabatAssessment:
    """Judge the six parts, each 0 to 2 with a reason. The newest stands, earlier ones remain.

    PartsError (a ValueError) names the parts that are missing, off the scale, without a reason,
    with one that is too long, or with five words in a row of a post: the reason outlives it.
    """
    said = {part: " ".join(reasons.get(part, "").split()) for part in PARTS}
    scale = [step.value for step in CODEBOOK.rabat.scale]
    if missing := tuple(part for part in PARTS if parts.get(part) not in scale):
        raise PartsError(f"Judge all six parts; missing: {_names(missing)}.", missing)
    if silent := tuple(part for part in PARTS if not said[part]):
        raise PartsError(f"Each part needs a reason; missing: {_names(silent)}.", silent)
    if long := tuple(part for part in PARTS if len(said[part]) > REASON_CHARS):
        raise PartsError(f"A reason has at most {REASON_CHARS} characters: {_names(long)}.", long)
    texts = words_about(session, subject)
    for part in PARTS:
        for text in texts:
            if run := shared_run(said[part], text):
                raise PartsError(
                    f"“{run}” stands in a post. A reason outlives it: say it in your own words.",
                    (part,),
                )
    made = RabatAssessment(
        **_key(subject),
        **{part: parts[part] for part in PARTS},
        reasons=said,
        edition=EDITION,
        by=by,
        at=now,
    )
    session.add(made)
    session.flush()
    return made


def history(session: Session, subject: Narrative | Flag) -> list[RabatAssessment]:
    """All tests of a narrative (and of those merged into it) or of a flag, the newest first."""
    mine = _mine(subject, RabatAssessment)
    query = select(RabatAssessment).where(mine).order_by(RabatAssessment.id.desc())
    return list(session.scalars(query))


def standing(session: Session, subject: Narrative | Flag) -> RabatAssessment | None:
    """The newest test, which stands."""
    mine = _mine(subject, RabatAssessment)
    query = select(RabatAssessment).where(mine).order_by(RabatAssessment.id.desc()).limit(1)
    return session.scalars(query).first()


def with_situations(
    session: Session, narrative: Narrative
) -> tuple[RabatAssessment | None, list[SituationCoding]]:
    """``standing`` and situations.history of a narrative, in one query."""
    ours = family(narrative)
    newest = (
        select(func.max(RabatAssessment.id))
        .where(RabatAssessment.narrative_id.in_(ours))
        .scalar_subquery()
    )
    codings = (
        select(SituationCoding.id)
        .where(SituationCoding.narrative_id.in_(ours))
        .order_by(SituationCoding.id.desc())
        .limit(HISTORY_SHOWN)
    )
    rows = session.execute(
        select(RabatAssessment, SituationCoding)
        .select_from(Narrative)
        .outerjoin(RabatAssessment, RabatAssessment.id == newest)
        .outerjoin(SituationCoding, SituationCoding.id.in_(codings))
        .where(Narrative.id == narrative.id)
        .order_by(SituationCoding.id.desc())
    ).all()
    return rows[0][0] if rows else None, [row[1] for row in rows if row[1] is not None]


def meets(assessment: RabatAssessment) -> bool:
    """Whether all six parts are met at least partly and four of them clearly."""
    return meets_high_threshold({part: getattr(assessment, part) for part in PARTS})


def label(assessment: RabatAssessment) -> str:
    """What a test comes to, in the two words that there are for it."""
    return MEETS if meets(assessment) else CONCERN


def note(
    session: Session, subject: Narrative | Flag, what: str, reason: str, by: int, now: datetime
) -> LegalNote:
    """Note for those who advise the desk how the law may see it, or take that back.

    The caller sees to it that ``by`` is a duty lead. ValueError for an unknown note, no reason, a
    long one, or one in a post's words.
    """
    reason = " ".join(reason.split())
    if what not in NOTES:
        raise ValueError("Choose one of the three notes.")
    if not reason:
        raise ValueError("A note needs a reason: somebody with a law degree will read it.")
    if len(reason) > REASON_CHARS:
        raise ValueError(f"Say it in {REASON_CHARS} characters; these are {len(reason)}.")
    for text in words_about(session, subject):
        if run := shared_run(reason, text):
            raise ValueError(f"“{run}” stands in a post. A reason outlives it: use your own words.")
    made = LegalNote(**_key(subject), note=what, reason=reason, by=by, at=now)
    session.add(made)
    session.flush()
    return made


def notes(session: Session, subject: Narrative | Flag) -> list[LegalNote]:
    """Every note, the newest, which stands, first. None: presumed protected."""
    query = select(LegalNote).where(_mine(subject, LegalNote)).order_by(LegalNote.id.desc())
    return list(session.scalars(query))


def _names(parts: tuple[str, ...]) -> str:
    return ", ".join(part.name.lower() for part in CODEBOOK.rabat.parts if part.value in parts)


def _key(subject: Narrative | Flag) -> dict[str, int]:
    return {"narrative_id" if isinstance(subject, Narrative) else "flag_id": subject.id}


def _mine(
    subject: Narrative | Flag, table: type[RabatAssessment] | type[LegalNote]
) -> ColumnElement[bool]:
    if isinstance(subject, Narrative):
        return table.narrative_id.in_(family(subject))
    return table.flag_id == subject.id
