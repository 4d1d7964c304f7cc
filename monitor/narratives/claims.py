"""The claims within a story: a narrative gathers what belongs together, a claim is one thing said.

"The ballots are in the depot" and "the police will not come" may be told in one narrative. They are
answered differently, so the page shows them apart, and a person can split one off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from monitor.models import DANGEROUS_LEVEL, Narrative, Reading
from monitor.narratives import titles
from monitor.narratives.graph import NONE, Floats, Ints
from monitor.narratives.portrait import NEAREST, mildest_face
from monitor.narratives.texts import LATEST, Text, texts_in

# Least cosine of a text to the mean of a claim it joins. On published sets tweets labelled by claim
# are told apart best at 0.60, far above what gathers a story.
CLAIM = 0.60
CLAIM_TEXTS = 2  # distinct texts that make a claim: one that nobody else words anew is a remark
CLAIMS = 12  # shown at most
SAMPLED = LATEST  # latest distinct texts that are looked at; the work grows with the square
OTHERS = 200  # latest texts of the rest of the story against which a claim's words are telling


@dataclass(frozen=True)
class Claim:
    """One thing said in a narrative, as far as the texts looked at tell."""

    example: Reading  # with its post: typical, and mild where the claim has a mild one
    title: str
    texts: int  # distinct
    posts: int  # copies included
    accounts: int  # pseudonyms: an account counts again when its pseudonym has changed
    level: int  # the highest
    first_at: datetime
    last_at: datetime
    groups: list[int]  # Reading.copy_of of its texts, the earliest first


def partition(vectors: Floats) -> Ints:
    """The claim of each text, numbered from 0 in the order of their first texts, or NONE.

    ``vectors`` are rows of length one, or zeros, which are in no claim, in the order of time. Each
    joins the claim whose mean is nearest, if that is at CLAIM, and else begins one of its own. One
    that ends with fewer than CLAIM_TEXTS is none.
    """
    exact = vectors.astype(np.float64)
    cosines = exact @ exact.T
    labels = np.full(len(vectors), NONE, np.int64)
    # Of each claim its sum's product with every text, and the square of its sum's length: what the
    # cosine to its mean needs, without the mean.
    products, squares = np.zeros_like(cosines), np.zeros(len(vectors))
    count = 0
    for row in np.flatnonzero(cosines.diagonal() > 0).tolist():
        near = products[:count, row] / np.sqrt(squares[:count])
        best = int(near.argmax()) if count else NONE
        if best == NONE or near[best] < CLAIM:
            best = count
            count += 1
        squares[best] += 2 * products[best, row] + cosines[row, row]
        products[best] += cosines[row]
        labels[row] = best
    large = np.bincount(labels[labels != NONE], minlength=count) >= CLAIM_TEXTS
    names = np.where(large, np.cumsum(large) - 1, NONE)
    return np.append(names, NONE)[labels]  # NONE, -1, finds the last


def claims_of(session: Session, narrative: Narrative, limit: int = CLAIMS) -> list[Claim]:
    """The claims among a narrative's latest texts, the most dangerous first, then the most told.

    At most ``limit``. None at all where there are fewer than two: then the narrative is the claim.
    Counts are of all standing posts in the narrative that carry one of the texts.
    """
    return claims_among(session, texts_in(session, narrative), limit)


def claims_among(session: Session, texts: Sequence[Text], limit: int = CLAIMS) -> list[Claim]:
    """The same of texts that were read already; those not said lately are left out."""
    first = {text.placed.post_id: text for text in texts if text.lately and text.placed}
    readings = [text.placed for text in first.values() if text.placed]
    readings.sort(key=lambda one: (one.post.posted_at, one.post_id))
    if not readings:
        return []
    vectors = np.array([reading.embedding for reading in readings], np.float32)
    labels = partition(vectors)
    count = int(labels.max()) + 1
    if count < 2:
        return []
    told = [
        [first[reading.post_id] for reading, label in _pairs(readings, labels) if label == n]
        for n in range(count)
    ]
    levels = [max(text.reading.level for text in texts) for texts in told]
    posts = [sum(text.posts for text in texts) for texts in told]
    barred = titles.barred_terms(session)
    claims = []
    for n in sorted(range(count), key=lambda n: (-levels[n], -posts[n], n))[:limit]:
        mine = [reading for reading, label in _pairs(readings, labels) if label == n]
        rest = [reading for reading, label in _pairs(readings, labels) if label != n]
        claims.append(
            Claim(
                example=_example(mine, vectors[labels == n]),
                title=titles.make_title(
                    _texts(mine[-titles.SAMPLED :]), _texts(rest[-OTHERS:]), barred
                ),
                texts=len(mine),
                posts=posts[n],
                accounts=len(set().union(*(text.authors for text in told[n]))),
                level=levels[n],
                first_at=min(text.first_at for text in told[n]),
                last_at=max(text.last_at for text in told[n]),
                groups=[reading.copy_of for reading in mine],
            )
        )
    return claims


def _example(readings: Sequence[Reading], vectors: Floats) -> Reading:
    """The most typical mild text. Where none is mild, a monitor must still see what is said."""
    mean: NDArray[np.float32] = vectors.mean(axis=0)
    order = np.argsort(-(vectors @ mean), kind="stable").tolist()
    nearest = [readings[row] for row in order[:NEAREST]]
    undangerous_first = sorted(nearest, key=lambda reading: reading.level >= DANGEROUS_LEVEL)
    return mildest_face(nearest) or undangerous_first[0]


def _pairs(readings: Sequence[Reading], labels: Ints) -> list[tuple[Reading, int]]:
    return list(zip(readings, labels.tolist(), strict=True))


def _texts(readings: Sequence[Reading]) -> list[str]:
    return [reading.post.text for reading in readings]
