"""Readings of an older scorer, made anew by the one in force; what a person coded is not touched.

Counts follow the new levels, and an hour of the last day that gains dangerous voices is looked at
for rises.
"""

from collections.abc import Callable
from datetime import datetime

import numpy as np
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, joinedload, sessionmaker

from monitor.analyse import assess, judged
from monitor.embedding.embed import PACKAGED_NAME
from monitor.flags import life_safety
from monitor.flags.flags import warn
from monitor.models import Reading
from monitor.narratives.counters import rejudge
from monitor.narratives.turns import take_turn, write_stamp
from monitor.reading.incitement import Scorer
from monitor.reading.readers import outdated, scorer_in_force, stands_in
from sources.db import among


def rescore(
    sessions: sessionmaker[Session],
    clock: Callable[[], datetime],
    stop: Callable[[], bool] = lambda: False,
    limit: int = 256,
    scorer: Scorer | None = None,
) -> int:
    """Read again what another scorer read, the newest first, until all is read or ``stop``.

    How many were. The outermost caller, as ``analyse_next``: it thinks without any transaction.
    A scorer that only stands in for one that cannot be loaded takes nothing back.
    """
    done, below = 0, None
    while not stop():
        with sessions() as session:
            using = scorer or scorer_in_force(session, clock())
            if scorer is None and stands_in(session, using):
                break
            readings = _readings(session, outdated(session, using.name), limit, below)
        if not readings:
            break
        _read_again(sessions, using, readings, clock())
        done, below = done + len(readings), readings[-1].post_id
    return done


def _readings(session: Session, scorers: list[str], limit: int, below: int | None) -> list[Reading]:
    if not scorers:
        return []
    query = select(Reading).options(joinedload(Reading.post)).where(_uncoded(scorers))
    if below is not None:
        query = query.where(Reading.post_id < below)
    return list(session.scalars(query.order_by(Reading.post_id.desc()).limit(limit)))


def _uncoded(scorers: list[str]) -> ColumnElement[bool]:
    return Reading.coding_id.is_(None) & Reading.scorer.in_(scorers)


def _read_again(
    sessions: sessionmaker[Session], scorer: Scorer, readings: list[Reading], now: datetime
) -> None:
    known = all(one.embedder == PACKAGED_NAME for one in readings)
    vectors = np.array([one.embedding for one in readings], np.float32) if known else None
    langs = {one.post_id: one.lang for one in readings}
    found = assess(scorer, [one.post for one in readings], vectors, langs)
    with sessions.begin() as session:
        take_turn(session)
        # A person may have coded some meanwhile, and in our turn nobody does.
        same = _uncoded(list({one.scorer for one in readings}))
        theirs = select(Reading.post_id).where(among(Reading.post_id, found), same)
        read = {post: judged(found[post], langs[post], scorer) for post in session.scalars(theirs)}
        moved = rejudge(session, read)
        if life_safety.call(session, read, now):
            write_stamp(session)
        warn(session, moved.endangered, now, moved.hours)
