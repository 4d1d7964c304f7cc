"""Learning from the desk: a candidate that goes on from the reader in force, measured beside it.

It is trained on our own text, the desk's cases and whatever public data is given, and tried on
what is held back of each, on what people coded, and by the bias report. It reads nothing until a
person promotes it (``monitor.reading.readers``).
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from monitor.coding import cases
from monitor.coding.codebook import (
    ABSENT,
    CLEAR,
    EXCLUSIONARY_ACTS,
    POSSIBLE,
    URGING_FORCES,
    VIOLENT_ACTS,
)
from monitor.coding.codings import measures
from monitor.models import Case, Coding, Reading
from monitor.reading import readers
from monitor.reading.careful import (
    EXCLUSION,
    PACKAGED,
    SIGNS,
    STANCES,
    THREAT,
    WEIGHTS,
    CarefulReader,
)
from monitor.reading.incitement import LANGUAGES, Scorer
from monitor.reading.readers import Candidate
from monitor.training.audit import audit
from monitor.training.judge import first_half, measured
from monitor.training.make import Material, make
from monitor.training.posts import Example, epoch, framed_held, ours, public
from sources.models import Post

AGAIN = 4  # times a case is read in an epoch: they are few, and they are what this desk meets
SIGNED = 2  # the level from which on a message has signs
TRIED = 1_000  # coded posts a candidate is tried on at most, the newest


@dataclass(frozen=True)
class Judged:
    """A text with the level people gave it."""

    text: str
    level: int


def retrain(
    sessions: sessionmaker[Session], data: Sequence[Path], epochs: int, seed: int, now: datetime
) -> Candidate:
    """Train and measure a candidate; minutes, in which it holds no transaction.

    ``data``: public posts as for ``python -m monitor.training``. Without any of it what the reader
    learned from them is neither kept up nor measured, and the first look, calibration and
    thresholds stay as they are. ValueError where there is no case to learn.
    """
    with sessions() as session:
        standing = cases.standing(session)
        current = readers.in_force(session)
        if current is not None:
            session.refresh(current, ["weights"])  # not read with the rest, they are large
        coded = _coded(session)
    learn = [one for one in standing if not one.held_back]
    if not learn:
        raise ValueError("There is no case to learn from yet. Monitors write them on the desk.")
    posts, held = public(data)
    texts, ours_held = ours(seed)
    chance = random.Random(seed)
    held += ours_held
    held += framed_held(held, chance)
    mine = [_example(one) for one in learn for _ in range(AGAIN)]
    read = [_mixed(epoch(posts, texts, seed + n), mine, seed + n) for n in range(epochs)]
    with TemporaryDirectory(prefix="breakwater-retrain-") as made:
        old, new = Path(made) / "old", Path(made) / "new"
        if current is None:
            old = PACKAGED
        else:
            readers.unpack(current, old)
        before = CarefulReader(old)
        card = {
            "name": f"reader {now:%Y-%m-%d %H:%M} of this desk",
            "made": f"{now:%Y-%m-%d}",
            "starts_from": {"reader": before.name},
            "steps": [*before.card.get("steps", []), {"seed": seed, "epochs": epochs}],
            "data": {path.name: sha256(path.read_bytes()).hexdigest() for path in data},
            "cases": {"trained on": len(learn), "held back": len(standing) - len(learn)},
        }
        card = make(new, Material(read, held), seed, [old], card, keep=not posts)
        was, is_ = Scorer(old), Scorer(new)
        judged = {
            "this desk's cases, held back": [
                Judged(one.text, one.level) for one in standing if one.held_back
            ],
            "posts people coded": coded,
        }
        figures = _beside(before, CarefulReader(new), held)
        figures |= {name: _levels(was, is_, some) for name, some in judged.items() if some}
        refusals = audit(is_).refusals(beside=audit(was))
        content = (new / WEIGHTS).read_bytes()
    return Candidate(card, content, before.name, figures, refusals)


def _beside(
    was: CarefulReader, is_: CarefulReader, held: Sequence[Example]
) -> dict[str, dict[str, Any]]:
    """Both readers on the half of the held-back text that set no threshold of the new one."""
    some = [one for one, first in zip(held, first_half(held), strict=True) if not first]
    texts = [one.text for one in some]
    both = []
    for reader in (was, is_):
        probabilities = reader.probabilities(texts)
        at = reader.card["thresholds"]
        both.append(measured(probabilities, some, at, at.get("signs", {})))
    old, new = both
    return {
        name: {
            "texts": figures.get("texts", 0),
            # A reader trained before there were signs says nothing of them.
            "was": {key: value for key, value in old.get(name, {}).items() if key != "texts"},
            "is": {key: value for key, value in figures.items() if key != "texts"},
        }
        for name, figures in new.items()
    }


def _levels(was: Scorer, is_: Scorer, some: Sequence[Judged]) -> dict[str, Any]:
    """Both scorers on texts whose level people gave."""
    return {
        "texts": len(some),
        "was": _agreeing(was, some),
        "is": _agreeing(is_, some),
    }


def _agreeing(scorer: Scorer, some: Sequence[Judged]) -> dict[str, float]:
    said = [one.level for one in scorer.score([one.text for one in some])]
    pairs = [(one.level, level) for one, level in zip(some, said, strict=True)]
    return {
        "same_level": _share(person == machine for person, machine in pairs),
        "within_one": _share(abs(person - machine) <= 1 for person, machine in pairs),
        "dangerous_found": _share(machine >= 2 for person, machine in pairs if person >= 2),
        "harmless_raised": _share(machine >= 2 for person, machine in pairs if person < 2),
    }


def _share(hits: Iterable[bool]) -> float:
    counted = list(hits)
    return round(sum(counted) / len(counted), 3) if counted else 0.0


def _coded(session: Session) -> list[Judged]:
    """Posts as people coded them, each text once, of the codings that measure.

    To try a reader on a post is not to train it.
    """
    newest = (
        select(Post.text, func.max(Reading.coding_id).label("coding"))
        .join(Reading, Reading.post_id == Post.id)
        .where(Reading.coding_id.is_not(None), Reading.lang.in_(LANGUAGES))
        .group_by(Post.text)
        .subquery()
    )
    rows = session.execute(select(newest.c.text, Coding).join(Coding, Coding.id == newest.c.coding))
    some = [(coding.id, Judged(text, coding.level)) for text, coding in rows if measures(coding)]
    return [judged for _, judged in sorted(some, key=lambda pair: -pair[0])[:TRIED]]


def _mixed(read: list[Example], mine: Sequence[Example], seed: int) -> list[Example]:
    both = [*read, *mine]
    random.Random(seed).shuffle(both)
    return both


def _example(case: Case) -> Example:
    stance, said = case.fields["stance"], cases.answers(case)
    return Example(
        case.text,
        said["hate"],
        said["violence"],
        said["dehumanising"],
        stance if stance in STANCES else None,
        _signs(case),
        set="cases",
    )


def _signs(case: Case) -> dict[str, int]:
    """What of ``careful.SIGNS`` people coded a case with; what they found possible is not known."""
    fields, signed = case.fields, case.level >= SIGNED
    degrees = {sign: fields["hallmarks"].get(sign, ABSENT) if signed else ABSENT for sign in SIGNS}
    found = {sign: degree == CLEAR for sign, degree in degrees.items() if degree != POSSIBLE}
    found[EXCLUSION] = signed and fields["act"] in EXCLUSIONARY_ACTS and fields["force"] != "none"
    urged = fields["act"] in VIOLENT_ACTS and fields["force"] in URGING_FORCES
    found[THREAT] = signed and (urged or fields["threat_type"] != "none")
    return {sign: int(carried) for sign, carried in found.items()}
