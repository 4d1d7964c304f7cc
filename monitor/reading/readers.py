"""Readers trained for this desk: candidates, which of them is in force, and the scorer it makes.

A candidate reads nothing until a person promotes it; every reading keeps the name of its scorer.
"""

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from monitor.coding import lexicon
from monitor.coding.codings import CODED
from monitor.models import Promotion, Reading, TrainedReader
from monitor.reading.careful import CARD, PACKAGED, WEIGHTS
from monitor.reading.incitement import NOT_SCORED, Scorer, packaged_scorer

AUDIT = "audit.json"  # beside the packaged weights: monitor.training.audit wrote it

log = logging.getLogger(__name__)

_loaded: dict[str, Scorer] = {}  # by name and hash of the weights; only the one in force
_loading = threading.Lock()


@dataclass(frozen=True)
class Candidate:
    """What ``monitor.training.retrain`` makes; the parts are told of at ``TrainedReader``."""

    card: Mapping[str, Any]
    weights: bytes
    against: str
    measured: Mapping[str, Any]
    refusals: Sequence[str]


def add(session: Session, made: Candidate, now: datetime) -> TrainedReader:
    """Keep a candidate. Its name is the card's, which must be new."""
    reader = TrainedReader(
        name=made.card["name"],
        made_at=now,
        card=dict(made.card) | {"sha256": sha256(made.weights).hexdigest()},
        weights=made.weights,
        against=made.against,
        measured=dict(made.measured),
        refusals=list(made.refusals),
    )
    session.add(reader)
    session.flush()
    return reader


def candidates(session: Session) -> list[TrainedReader]:
    """Every reader trained here, the newest first, without their weights."""
    return list(session.scalars(select(TrainedReader).order_by(TrainedReader.id.desc())))


def promotions(session: Session) -> list[Promotion]:
    """Who put what in force, the newest, which holds, first."""
    query = select(Promotion).options(joinedload(Promotion.reader))
    return list(session.scalars(query.order_by(Promotion.id.desc())))


def in_force(session: Session) -> TrainedReader | None:
    """The reader in force; None: the one that ships."""
    query = select(Promotion).options(joinedload(Promotion.reader))
    newest = session.scalars(query.order_by(Promotion.id.desc()).limit(1)).first()
    return newest.reader if newest else None


def promote(
    session: Session, reader: TrainedReader | None, reason: str, by: int, now: datetime
) -> Promotion:
    """Put a reader in force, or the one that ships (None). Posts are read anew by it.

    ValueError without a reason, for one that the bias report refuses, and for the one in force.
    """
    reason = reason.strip()
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("breakwater-promotion"))))
    if reader == in_force(session):
        raise ValueError("This reader is in force already.")
    if reader is not None and reader.refusals:
        raise ValueError(f"The bias report refuses this reader: {reader.refusals[0]}")
    if not reason:
        raise ValueError("Say why: whoever wonders about the scores will read it.")
    promotion = Promotion(reader=reader, reason=reason, by=by, at=now)
    session.add(promotion)
    session.flush()
    return promotion


def scorer_in_force(session: Session, now: datetime) -> Scorer:
    """What reads messages now, with the lexicon as it counts now.

    Loaded once in a process for each promotion, in a second or two. A reader that cannot be loaded
    leaves the one that ships in its place, and the log says so.
    """
    reader = in_force(session)
    with _loading:
        if reader is None:
            scorer = packaged_scorer()
        else:
            key = f"{reader.name} {reader.card['sha256']}"
            if key not in _loaded:
                _loaded.clear()
                _loaded[key] = _load(reader)
            scorer = _loaded[key]
        scorer.lexicon = lexicon.up_to_date(session, scorer.lexicon, now)
    return scorer


def _load(reader: TrainedReader) -> Scorer:
    try:
        with TemporaryDirectory(prefix="breakwater-reader-") as folder:
            unpack(reader, Path(folder))
            return Scorer(Path(folder))
    except Exception:
        log.exception("%s cannot be used; the reader that ships takes its place", reader.name)
        return packaged_scorer()


def unpack(reader: TrainedReader, folder: Path) -> None:
    """Write a reader as files into ``folder``, which is made."""
    folder.mkdir(exist_ok=True)
    (folder / CARD).write_text(json.dumps(reader.card), encoding="utf-8")
    (folder / WEIGHTS).write_bytes(reader.weights)


@dataclass(frozen=True)
class Shipped:
    """What is known of the reader that ships: its card, and what its bias report finds."""

    card: dict[str, Any]
    refusals: list[str]


@cache
def shipped() -> Shipped:
    """Read once from the package."""
    card = json.loads((PACKAGED / CARD).read_text(encoding="utf-8"))
    report = json.loads((PACKAGED / AUDIT).read_text(encoding="utf-8"))
    return Shipped(card, report["refusals"])


def name_in_force(session: Session) -> str:
    """The name of the reader that reads, or should."""
    reader = in_force(session)
    return reader.name if reader else str(shipped().card["name"])


def stands_in(session: Session, scorer: Scorer) -> bool:
    """Whether a scorer only takes the place of the reader in force, which cannot be loaded."""
    return not scorer.name.startswith(f"{name_in_force(session)}, ")


def outdated(session: Session, scorer: str) -> list[str]:
    """The other scorers that readings stand under, but for people and what is not scored.

    Looked up name by name in the index: readings are many, names are few.
    """
    names = select(func.min(Reading.scorer).label("name")).cte("names", recursive=True)
    following = select(func.min(Reading.scorer)).where(Reading.scorer > names.c.name)
    names = names.union_all(select(following.scalar_subquery()).where(names.c.name.is_not(None)))
    found = session.scalars(select(names.c.name).where(names.c.name.is_not(None)))
    return [name for name in found if name not in (scorer, NOT_SCORED, CODED)]


def waiting(session: Session) -> int:
    """How many readings are not by the reader in force and wait to be made anew."""
    now = f"{name_in_force(session)}, "
    others = [name for name in outdated(session, "") if not name.startswith(now)]
    query = select(func.count()).where(Reading.scorer.in_(others))
    return (session.scalar(query) or 0) if others else 0
