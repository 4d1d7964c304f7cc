"""Samples: a few posts of each day that raised nothing, for people to look at: what is missed?

Precision is told by what people dismiss; what nobody was shown tells nothing. So each day some
posts are drawn at random among those that were read the day before, stand below M3 and were in no
narrative with a flag that was open or confirmed around then, as many at M0 as at M1 and at M2.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from monitor.coding.codebook import MessageFields, as_stored, message_level
from monitor.coding.draws import draw
from monitor.models import Flag, FlagDecision, Narrative, Reading, Sample, SampleAnswer
from sources.models import Post

DAILY = 12  # posts drawn a day: a few minutes of one monitor's time
STRATA = (0, 1, 2)  # machine levels: what is missed is likelier just below the bound
TWICE = 0.1  # share of them that two people code (the coding scheme, 6.2: double-code 10 %)
DAY = timedelta(days=1)
AROUND = DAY  # a flag so long before or after the day speaks for its narrative's posts of that day
UNCLEARED = timedelta(days=7)  # how long a rise counts whose end nobody recorded
OFFERED = timedelta(days=14)  # older ones are not asked about any more


class AnsweredMeanwhileError(Exception):
    """Somebody else answered the sample first. The message is for the page."""

    def __init__(self) -> None:
        super().__init__("Somebody else answered this one meanwhile. Here is the next.")


class SampleGoneError(Exception):
    """The post was removed since the page was opened. The message is for the page."""

    def __init__(self) -> None:
        super().__init__("That post has been removed meanwhile. Here is the next.")


def draw_samples(session: Session, now: datetime) -> list[Sample]:
    """Draw DAILY posts read on the day before (UTC); nothing where that day was drawn from before.

    The day and the post's number decide, so that the same posts would be drawn again. It reads that
    day's posts once, whatever else is stored. A stratum with too few posts leaves room to others.
    """
    day = now.astimezone(UTC).date() - DAY
    if session.scalar(select(Sample.id).where(Sample.day == day).limit(1)) is not None:
        return []
    begin = datetime.combine(day, time(), UTC)
    lot = func.md5(func.concat(literal(f"{day}:"), Post.id))
    among_all = (
        select(
            Post.id.label("id"),
            Reading.level.label("level"),
            func.row_number().over(partition_by=Reading.level, order_by=(lot, Post.id)).label("n"),
            func.count().over(partition_by=Reading.level).label("posts"),
        )
        .join(Reading, Reading.post_id == Post.id)
        .where(Post.collected_at >= begin, Post.collected_at < begin + DAY, *_raised_nothing())
        .where(_in_no_flagged_narrative(begin))
        .subquery()
    )
    rows = session.execute(
        select(among_all)
        .where(among_all.c.n <= DAILY)
        .order_by(among_all.c.n, among_all.c.level.desc())
    ).all()[:DAILY]
    taken = {level: sum(row.level == level for row in rows) for level in STRATA}
    made = [
        Sample(
            post_id=row.id,
            day=day,
            machine_level=row.level,
            stood_for=row.posts / taken[row.level],
            twice=draw(f"sample:{day}:{row.id}") < TWICE,
        )
        # Their order must not tell the level: people are asked in the order of their numbers.
        for row in sorted(rows, key=lambda row: draw(f"order:{day}:{row.id}"))
    ]
    session.add_all(made)
    session.flush()
    return made


def next_label(session: Session, person: int, now: datetime) -> Sample | None:
    """The sample to ask this person about, with its post; None when all is answered.

    Of the newest day first. One that two people are to code is offered to the second without a
    word of what the first one said.
    """
    given, mine = aliased(SampleAnswer), aliased(SampleAnswer)
    answers = (
        select(func.count())
        .where(given.sample_id == Sample.id, given.level.is_not(None))
        .scalar_subquery()
    )
    asked = exists().where(mine.sample_id == Sample.id, mine.by == person)
    return session.scalars(
        select(Sample)
        .where(Sample.post_id.is_not(None), Sample.day >= (now - OFFERED).date(), ~asked)
        .where(or_(answers == 0, and_(Sample.twice, answers == 1)))
        .order_by(Sample.day.desc(), Sample.id)
        .limit(1)
    ).first()


def post_of(session: Session, sample: Sample) -> Post | None:
    """The post to look at; None once it was removed."""
    return session.get(Post, sample.post_id) if sample.post_id is not None else None


def label(
    session: Session,
    sample: Sample,
    level: int | None,
    by: int,
    now: datetime,
    fields: MessageFields | None = None,
) -> SampleAnswer:
    """Say what a sample is: M0 to M4, or None when one cannot tell.

    One that is coded ``twice`` needs ``fields``, and its level is theirs. ValueError for another
    level, without fields where they are needed, or from somebody who answered it before;
    AnsweredMeanwhileError where nobody needs to be asked any more, SampleGoneError where the post
    is removed.
    """
    # Two people answer one after the other; a removal waits for neither.
    session.refresh(sample, with_for_update=True)
    if sample.post_id is None:
        raise SampleGoneError
    answers = session.scalars(select(SampleAnswer).where(SampleAnswer.sample_id == sample.id)).all()
    if any(answer.by == by for answer in answers):
        raise ValueError("You have answered this one before.")
    if sum(answer.level is not None for answer in answers) >= (2 if sample.twice else 1):
        raise AnsweredMeanwhileError
    stored: dict[str, Any] = {}
    if level is not None and sample.twice:
        if fields is None:
            raise ValueError("This one is coded by the whole codebook.")
        level, stored = message_level(fields), as_stored(fields)
    if level is not None and level not in range(5):
        raise ValueError("A level is one of M0 to M4.")
    answer = SampleAnswer(sample_id=sample.id, level=level, fields=stored, by=by, at=now)
    session.add(answer)
    session.flush()
    return answer


def waiting(session: Session, now: datetime) -> int:
    """Samples that nobody has answered yet and somebody still can."""
    given = exists().where(SampleAnswer.sample_id == Sample.id, SampleAnswer.level.is_not(None))
    query = select(func.count()).where(
        Sample.post_id.is_not(None), Sample.day >= (now - OFFERED).date(), ~given
    )
    return session.scalar(query.select_from(Sample)) or 0


def _raised_nothing() -> tuple[ColumnElement[bool], ...]:
    alone = exists().where(Flag.kind == "life_safety", Flag.copy_of == Reading.copy_of)
    return Reading.level.in_(STRATA), Post.text != "", ~alone


def _in_no_flagged_narrative(begin: datetime) -> ColumnElement[bool]:
    """Flags on watches and counties are about too many posts to speak for any one of them."""
    end = func.coalesce(Flag.cleared_hour, Flag.hour + UNCLEARED)
    flagged = (
        select(func.coalesce(Narrative.merged_into, Narrative.id))
        .join(Flag, Flag.narrative_id == Narrative.id)
        .outerjoin(FlagDecision, FlagDecision.flag_id == Flag.id)
        .where(or_(FlagDecision.id.is_(None), FlagDecision.decision == "confirmed"))
        .where(Flag.kind != "report")  # what a person saw, the machine may have missed
        .where(Flag.hour < begin + DAY + AROUND, end >= begin - AROUND)
    )
    return or_(Reading.narrative_id.is_(None), Reading.narrative_id.not_in(flagged))
