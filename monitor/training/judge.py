"""From a reader's values to probabilities, thresholds and figures, on text held back from training.

Half of the text held back sets the calibration and the thresholds, the other half is measured.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score

from monitor.coding.codebook import HALLMARKS
from monitor.coding.draws import draw
from monitor.reading.careful import HEADS, QUESTIONS, SIGNS, STANCES, Calibration, Floats
from monitor.training.posts import Example

# What the desk promises: so many of the posts marked as hateful, violent or dehumanising, or put
# out of scope, are so, and so many of what is hateful, or violent, pass the first look: each one
# more that passes costs a careful reading, which takes as long as the vector did.
PRECISION = {"hate": 0.80, "violence": 0.80, "dehumanising": 0.80, "outside": 0.90}
SIGN_PRECISION = 0.80
SIGN_LEAST = 0.5  # few texts carry a sign: what is likelier not there is never taken for there
SURE = 0.95  # of posts read as violent whatever else is read in them
NEVER = 1.01  # a threshold that no probability reaches
UNCLEAR = 0.2  # from so likely a call on, one in five, a person is asked to look
LOOK_RECALL = {"hate": 0.95, "violence": 0.90}
ALARMED_RECALL = 0.995  # of violent texts with an alarming word: such a word is seldom an accident
BINS = 10
FALSE_ALARMS = 0.01


def first_half(examples: Sequence[Example]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which examples set the calibration; the others are measured."""
    return np.array([draw(f"half:{example.text}") < 0.5 for example in examples])


def calibrate(values: Floats, examples: Sequence[Example]) -> Calibration:
    """Platt scaling of each question, and the temperature under which stances are likeliest."""
    slopes, offsets = [], []
    for column, name in enumerate(QUESTIONS):
        rows, truth = _known(examples, name)
        fitted = LogisticRegression(C=1e4).fit(values[rows, column : column + 1], truth)
        slopes.append(float(fitted.coef_[0, 0]))
        offsets.append(float(fitted.intercept_[0]))
    rows = [n for n, one in enumerate(examples) if one.stance is not None and one.family]
    truth = np.array([STANCES.index(examples[n].stance or "") for n in rows])

    def surprise(temperature: float) -> float:
        said = values[rows, len(QUESTIONS) : HEADS] / temperature
        said = said - np.log(np.exp(said).sum(axis=1, keepdims=True))
        return -float(said[np.arange(len(rows)), truth].mean())

    temperature = min((float(t) for t in np.arange(0.5, 4, 0.05)), key=surprise)
    return Calibration(tuple(slopes), tuple(offsets), round(temperature, 2))  # type: ignore[arg-type]


def signs_set(
    calibration: Calibration, values: Floats, examples: Sequence[Example]
) -> tuple[Calibration, dict[str, float]]:
    """The same with what is said of SIGNS calibrated, and from where on each is taken.

    ``values``: (n, ANSWERS). ``examples`` had better hold ordinary posts: signs are rare, and
    our own text is half of such. Hallmarks, of which some have twenty texts, share a threshold: by
    one's own a single odd text would close it.
    """
    slopes, offsets = [], []
    said_of: dict[str, tuple[Floats, Floats]] = {}  # sign → how likely, and the truth
    for column, sign in enumerate(SIGNS, HEADS):
        rows, truth = _known(examples, sign)
        said = values[rows, column]
        if not truth.any() or truth.all():  # nothing to set it by: it is never taken
            slopes.append(1.0)
            offsets.append(0.0)
            continue
        fitted = LogisticRegression(C=1e4).fit(said[:, None], truth)
        slopes.append(float(fitted.coef_[0, 0]))
        offsets.append(float(fitted.intercept_[0]))
        likely = 1 / (1 + np.exp(-(said * slopes[-1] + offsets[-1])))
        said_of[sign] = likely, truth
    found = dict.fromkeys(SIGNS, NEVER)
    hallmarks = [sign for sign in SIGNS if sign in HALLMARKS]
    for alike in (hallmarks, *([sign] for sign in SIGNS if sign not in HALLMARKS)):
        known = [said_of[sign] for sign in alike if sign in said_of]
        if known:
            likely, truth = map(np.concatenate, zip(*known, strict=True))
            at = round(max(SIGN_LEAST, _at_precision(truth, likely, SIGN_PRECISION)), 4)
            found |= {sign: at for sign in alike if sign in said_of}
    return replace(calibration, sign_slopes=slopes, sign_offsets=offsets), found


def thresholds(
    probabilities: Floats, looks: Floats, alarmed: Sequence[bool], examples: Sequence[Example]
) -> dict[str, float]:
    """From which probability on each of QUESTIONS, and the first look, is taken."""
    found = {"unclear": UNCLEAR}
    for name in QUESTIONS:
        rows, truth = _known(examples, name)
        said = probabilities[rows, QUESTIONS.index(name)]
        found[name] = _at_precision(truth, said, PRECISION[name])
        if name == "violence":
            found["sure"] = _at_precision(truth, said, SURE)
    rows = np.array([n for n, one in enumerate(examples) if one.stance is not None and one.family])
    outside = np.array([examples[n].stance != "asserts" for n in rows])
    found["outside"] = _at_precision(
        outside, 1 - probabilities[rows, len(QUESTIONS)], PRECISION["outside"]
    )
    for column, name in enumerate(LOOK_RECALL):
        rows, truth = _known(examples, name)
        share = 100 * (1 - LOOK_RECALL[name])
        found[f"look_{name}"] = float(np.percentile(looks[rows, column][truth > 0], share))
    rows, truth = _known(examples, "violence")
    chosen = rows[(truth > 0) & np.array(alarmed)[rows]]
    found["look_alarmed"] = float(
        np.percentile(looks[chosen].max(axis=1), 100 * (1 - ALARMED_RECALL))
    )
    return {name: round(value, 4) for name, value in found.items()}


def measured(
    probabilities: Floats,
    examples: Sequence[Example],
    at: Mapping[str, float],
    signs_at: Mapping[str, float],
) -> dict[str, dict[str, float]]:
    """Figures for each set, sign and family: what the reader alone is worth.

    The texts of a sign are those that carry it; "right" is the share of what is taken for one.
    ``signs_at``: empty for a reader trained before there were any.
    """
    found: dict[str, dict[str, float]] = {}
    for name in sorted({one.set for one in examples}):
        rows = np.array([n for n, one in enumerate(examples) if one.set == name])
        some = [examples[n] for n in rows]
        figures: dict[str, float] = {"texts": len(rows)}
        for column, question in enumerate(QUESTIONS[:2]):
            known, truth = _known(some, question)
            if not len(known) or truth.min() == truth.max():
                continue
            said = probabilities[rows[known], column]
            figures[f"{question}_ap"] = float(average_precision_score(truth, said))
            figures[f"{question}_recall_at_1pct"] = _recall(truth, said)
            figures[f"{question}_calibration_error"] = calibration_error(truth, said)
            figures[f"{question}_macro_f1"] = float(
                f1_score(truth, said >= at[question], average="macro")
            )
        found[name] = {key: round(value, 3) for key, value in figures.items()}
    for column, sign in enumerate(SIGNS, HEADS):
        known, truth = _known(examples, sign)
        if sign in signs_at and len(known) and truth.any():
            said = probabilities[known, column]
            taken = said >= signs_at[sign]
            figures = {
                "ap": average_precision_score(truth, said),
                "found": taken[truth > 0].mean(),
            }
            figures |= {"right": truth[taken].mean()} if taken.any() else {}
            rounded = {key: round(float(value), 3) for key, value in figures.items()}
            found[f"sign {sign}"] = {"texts": int(truth.sum())} | rounded
    families = sorted({one.family for one in examples if one.family})
    right = (probabilities[:, 0] >= at["hate"]) == np.array([bool(one.hate) for one in examples])
    found["right about hate, by kind"] = {
        family: round(float(right[[one.family == family for one in examples]].mean()), 3)
        for family in families
    }
    return found


def tried(values: Floats, examples: Sequence[Example]) -> dict[str, dict[str, float]]:
    """The same before any calibration, with answers taken from one half on."""
    plain = Calibration((1, 1, 1), (0, 0, 0), 1).probabilities(values)
    half = dict.fromkeys((*QUESTIONS, "outside", *SIGNS), 0.5)
    return measured(plain, examples, half, half)


def calibration_error(truth: Floats, said: Floats) -> float:
    """Mean distance of what is said from what is so, over BINS bins of equally many texts."""
    order = np.argsort(said)
    parts = np.array_split(order, BINS)
    gaps = [abs(said[part].mean() - truth[part].mean()) * len(part) for part in parts if len(part)]
    return float(sum(gaps) / len(said))


def reliability(
    probabilities: Floats, examples: Sequence[Example]
) -> dict[str, list[tuple[float, float, int]]]:
    """For hate and violence, over BINS bins: what is said, what is so, and of how many texts."""
    found = {}
    for column, name in enumerate(QUESTIONS[:2]):
        rows, truth = _known(examples, name)
        said = probabilities[rows, column]
        parts = np.array_split(np.argsort(said), BINS)
        found[name] = [
            (round(float(said[part].mean()), 3), round(float(truth[part].mean()), 3), len(part))
            for part in parts
        ]
    return found


def _recall(truth: Floats, said: Floats) -> float:
    """Share of the true ones found where FALSE_ALARMS of the others are taken for them."""
    others = np.sort(said[truth == 0])[::-1]
    bar = others[int(FALSE_ALARMS * len(others))]
    return float((said[truth > 0] > bar).mean())


def _at_precision(truth: Any, said: Floats, wanted: float) -> float:
    """The least probability from which on so many are true; just above all where none is."""
    order = np.argsort(-said, kind="stable")
    precise = np.cumsum(np.asarray(truth)[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(precise >= wanted)
    return float(said[order[good[-1]]]) if len(good) else NEVER


def _known(examples: Sequence[Example], question: str) -> tuple[Any, Any]:
    """Which rows have an answer, and these answers."""
    known = [(n, one.answer(question)) for n, one in enumerate(examples)]
    known = [(n, answer) for n, answer in known if answer is not None]
    return np.array([n for n, _ in known], int), np.array([answer for _, answer in known], int)
