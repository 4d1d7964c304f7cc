"""Agreement: how far two people who code the same post, neither knowing of the other, say the same.

Told from the samples that two people code by the whole codebook (``samples``), in figures
of the desk and never of a person. Codings of posts are no use for it: who codes a post again has
seen what was said before, and does so mostly where they disagree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import krippendorff
import numpy as np
from sqlalchemy import and_, select
from sqlalchemy.orm import Session, aliased

from monitor.coding.codebook import ABSENT, EDITION, FIELDS, HALLMARKS, from_stored
from monitor.models import SampleAnswer

# Customary cut-offs of content analysis (Krippendorff 2004; the coding scheme, 6.2).
TENTATIVE, RELIABLE = 0.667, 0.80
ENOUGH = 30  # pairs: fewer tell nothing
MOST_PAIRS = 5_000  # the newest

Scale = Literal["nominal", "ordinal"]
MEASURED: dict[str, tuple[str, Scale]] = {  # beside level and hallmarks: of MessageFields
    "specifics": ("specifics", "ordinal"),
    "stance": ("stance", "nominal"),
    "target_kind": ("target_kind", "nominal"),
    "act": ("act", "nominal"),
    "force": ("force", "nominal"),
    "threat_type": ("threat_type", "nominal"),
    "imminence": ("imminence", "nominal"),
    "issue": ("issue_at_stake", "nominal"),
}


@dataclass(frozen=True)
class Alpha:
    """Krippendorff's alpha of one field: 1 all the same, 0 as chance would have it."""

    field: str
    scale: Scale
    pairs: int
    alpha: float | None  # None: too few, or everybody said one and the same throughout

    @property
    def few(self) -> bool:
        return self.pairs < ENOUGH

    @property
    def means(self) -> str:
        """What it is good for, in words."""
        if self.few:
            return f"too few: {ENOUGH} posts coded by two people are needed"
        if self.alpha is None:
            return "no telling: all answers are the same"
        if self.alpha >= RELIABLE:
            return "reliable: may drive automatic flags"
        if self.alpha >= TENTATIVE:
            return "tentative: to be read with care"
        return "too low: for people only, and the definition wants work"


def agreement(session: Session, since: datetime | None = None) -> list[Alpha]:
    """Alpha of the level and of each field, from pairs of answers given since then (None: ever).

    Only pairs coded by the edition of the codebook that is in force. Ordinal where values have an
    order (level, hallmarks, specifics), else nominal.
    """
    pairs = _pairs(session, since)
    found = [_alpha("Message level", "ordinal", [(a.level, b.level) for a, b in pairs])]
    coded = [(from_stored(a.fields), from_stored(b.fields)) for a, b in pairs]
    for key, name in HALLMARKS.items():
        degrees = [tuple(one.hallmarks.get(key, ABSENT) for one in both) for both in coded]
        found.append(_alpha(f"{key} {name}", "ordinal", degrees))
    for attribute, (key, scale) in MEASURED.items():
        values = [tuple(getattr(one, attribute) for one in both) for both in coded]
        found.append(_alpha(FIELDS[key].name, scale, values))
    return found


def _pairs(session: Session, since: datetime | None) -> list[tuple[SampleAnswer, SampleAnswer]]:
    """The two answers to each sample that two people coded in full; the newest MOST_PAIRS."""
    first, second = aliased(SampleAnswer), aliased(SampleAnswer)
    query = (
        select(first, second)
        .join(second, and_(second.sample_id == first.sample_id, second.id > first.id))
        .where(first.level.is_not(None), second.level.is_not(None))
        .where(*(one.fields["edition"].as_string() == EDITION for one in (first, second)))
        .order_by(second.id.desc())
        .limit(MOST_PAIRS)
    )
    if since is not None:
        query = query.where(second.at >= since)
    return [(a, b) for a, b in session.execute(query)]


def _alpha(field: str, scale: Scale, pairs: Sequence[tuple[Any, ...]]) -> Alpha:
    values = sorted({value for pair in pairs for value in pair})
    if len(pairs) < ENOUGH or len(values) < 2:
        return Alpha(field, scale, len(pairs), None)
    at = {value: number for number, value in enumerate(values)}
    answers = np.array([[at[value] for value in pair] for pair in pairs], dtype=float).T
    alpha = krippendorff.alpha(
        answers, value_domain=list(range(len(values))), level_of_measurement=scale
    )
    return Alpha(field, scale, len(pairs), float(alpha))
