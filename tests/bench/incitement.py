"""How well messages are scored: ``python -m tests.bench.incitement --data FILE.jsonl …``.

Each line of a file holds text, and what is known of set, id, y_hate, y_violence (0, 1 or null) and
class (or functionality, or family). One JSON line for each set and method: the scorer that ships,
and with ``--train FILE`` two baselines beside it in the same run: TF-IDF and logistic regression,
and logistic regression on the frozen vectors. Figures nobody can know from a set are null.

What counts as what. Hate is answered with yes from level M1 on, whatever the text is read as: for
demeaning words, a hallmark or a call for harm, be it against a group or one person; beside it
stands the careful reader's probability at the threshold of its card. Violence is answered with yes
from M3 on. The baselines say yes from one half on; balanced as they are, theirs are no calibrated
probabilities.

A text's probabilities are the careful reader's; where the first look let the text go, the look's,
and then it ranks below every text read with care (in average precision, and in recall at 1 % false
positives). The calibration error has them as they are. Where only cues read, there are none: texts
rank by their level, and the error is null.

All of ``--train`` but what ``monitor.training.posts`` holds back trains the baselines; the shipped
reader is trained on it too, so no such text is scored in any file. ``--written`` adds our own
held-back text, and hateful posts of the files in held-back frames, by family. On text held back
the reader's thresholds were chosen: only on other files are its figures quite blind.

Speeds are of the set's texts: where few are hateful, few need careful reading. The stages ``careful
reader`` and ``cues`` are given every text. Stages alternate over batches, so that what else the
machine does falls on all; on more than two cores begin with ``taskset -c 0,1``. Peak memory is the
process's so far, this benchmark's own part (before anything is loaded) on a line of its own.
"""

import argparse
import json
import os
import random
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, roc_curve
from sklearn.preprocessing import FunctionTransformer

from monitor.embedding.embed import Embedder
from monitor.embedding.encoder import load_fast
from monitor.reading import cued
from monitor.reading.cued import Assessment
from monitor.reading.incitement import ALARMING_LEVEL, Scorer, packaged_scorer
from monitor.reading.plain import plain
from monitor.training.posts import FRAMED_WORDS, Example, framed, ours, public

BATCH = 256  # posts the desk reads at once
BINS = 10  # of the calibration error, as many texts in each
FALSE_POSITIVES = 0.01
QUESTIONS = {"hate": 1, "violence": ALARMING_LEVEL}  # and the level that answers yes
CLASSES = ("class", "functionality", "family")
TIMED = 1_024  # distinct texts of a set, for the speeds
ROUNDS = 2
FRAMED = 1_000
WRITTEN = "written"  # in place of a file
SEED = 7

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def say(**line: object) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


def batches(texts: Sequence[str]) -> list[Sequence[str]]:
    return [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]


def peak_mb() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 2**20)


# What is read


@dataclass
class Rows:
    """The texts of one set, and what is known of each; NaN where nobody has said."""

    file: str
    name: str
    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    hate: list[float] = field(default_factory=list)
    violence: list[float] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)  # "" where there is none

    def add(self, key: str, text: str, hate: object, violence: object, kind: object) -> None:
        self.ids.append(key)
        self.texts.append(text)
        self.hate.append(_label(hate))
        self.violence.append(_label(violence))
        self.classes.append(str(kind or ""))


def _label(value: object) -> float:
    if value not in (0, 1, None):
        raise ValueError(f"{value!r} is none of 0, 1 and null")
    return float("nan") if value is None else float(bool(value))


def read(path: Path, trained_on: Set[str], held: Set[tuple[str, str]] | None) -> list[Rows]:
    """The sets of a file, without the texts that were trained on; with ``held``: only of those."""
    sets: dict[str, Rows] = {}
    left_out = 0
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                name = str(row.get("set") or path.stem)
                kind = next((row[key] for key in CLASSES if row.get(key) is not None), None)
                if row["text"] in trained_on or (
                    held is not None and (name, row["text"]) not in held
                ):
                    left_out += 1
                    continue
                rows = sets.setdefault(name, Rows(path.name, name))
                key = str(row.get("id", number))
                rows.add(key, row["text"], row.get("y_hate"), row.get("y_violence"), kind)
            except (ValueError, KeyError, TypeError, AttributeError) as fault:
                raise SystemExit(f"{path}, line {number}: {fault!r}") from fault
    texts = sum(len(rows.texts) for rows in sets.values())
    say(file=path.name, sets=len(sets), texts=texts, left_out_as_trained_on=left_out)
    return list(sets.values())


def our_own(sets: Iterable[Rows]) -> list[Rows]:
    """Our own text that is held back, and hateful posts of the sets in frames held back."""
    hateful = [
        Example(text, int(hate), None if np.isnan(violence) else int(violence), set=rows.name)
        for rows in sets
        for text, hate, violence in zip(rows.texts, rows.hate, rows.violence, strict=True)
        if hate == 1 and len(text.split()) <= FRAMED_WORDS
    ]
    chance = random.Random(SEED)
    some = chance.sample(hateful, min(FRAMED, len(hateful)))
    found: dict[str, Rows] = {}
    for number, one in enumerate([*ours(seed=SEED)[1], *framed(some, chance, held_back=True)]):
        rows = found.setdefault(one.set, Rows(WRITTEN, one.set))
        rows.add(f"{WRITTEN} {number}", one.text, one.hate, one.violence, one.family)
    return list(found.values())


# What is answered


@dataclass(frozen=True)
class Answer:
    """What a method says of one question for each text."""

    probability: Floats  # NaN where there is none
    rank: Floats  # the surest last
    yes: Flags


class Ours:
    """The scorer that ships, with the vectors of the encoder that ships."""

    def __init__(self, scorer: Scorer, embedder: Embedder) -> None:
        self.scorer, self.embedder = scorer, embedder
        self.reader = getattr(scorer, "_reader", None)  # None: cues alone

    def read(self, texts: Sequence[str]) -> tuple[list[Assessment], Floats]:
        """The assessments, and the first look's probabilities: (n, 2), NaN without one."""
        found: list[Assessment] = []
        looks = np.full((len(texts), 2), np.nan)
        for some in batches(texts):
            vectors = self.embedder.embed(some)
            if self.reader is not None:
                looks[len(found) : len(found) + len(some)] = self.scorer.look(vectors)
            found += self.scorer.score(some, vectors)
        return found, looks

    def speeds(self, texts: Sequence[str]) -> dict[str, object]:
        """Of each stage, and of the whole, by the clock and by the processor."""
        different = list(dict.fromkeys(texts))  # the encoder reads equal ones once
        different = random.Random(SEED).sample(different, min(TIMED, len(different)))
        parts = [(some, self.embedder.embed(some)) for some in batches(different)]
        stages: dict[str, Callable[[Sequence[str], Any], object]] = {
            "cascade": lambda some, _: self.scorer.score(some, self.embedder.embed(some)),
            "embedding": lambda some, _: self.embedder.embed(some),
            "cues": lambda some, _: [cued.read(plain(text)) for text in some],
        }
        if self.reader is not None:
            reader = self.reader
            stages["first look"] = lambda _, vectors: self.scorer.look(vectors)
            stages["careful reader"] = lambda some, _: reader.read(list(map(plain, some)))
        used: dict[str, Floats] = defaultdict(lambda: np.zeros(2))
        for _ in range(ROUNDS):
            for some, vectors in parts:
                for stage, run in stages.items():
                    used[stage] -= time.perf_counter(), time.process_time()
                    run(some, vectors)
                    used[stage] += time.perf_counter(), time.process_time()
        count = ROUNDS * len(different)
        paces = [
            {stage: round(count / max(both[way], 1e-9)) for stage, both in used.items()}
            for way in (0, 1)
        ]
        ratios = used["cascade"] / np.maximum(used["embedding"], 1e-9)
        return {
            "texts": len(different),
            "posts_per_second": paces[0],
            "posts_per_cpu_second": paces[1],
            "cascade_to_embedding": round(float(ratios[0]), 2),
            "cascade_to_embedding_by_processor": round(float(ratios[1]), 2),
        }


def answer(assessments: Sequence[Assessment], looks: Floats, question: str) -> Answer:
    """Ours for "hate" or "violence". Ranks: by probability, 1 more where it was read with care."""
    levels = np.array([one.level for one in assessments], float)
    with_care = np.array([one.confidence.get(question, np.nan) for one in assessments], float)
    look = looks[:, list(QUESTIONS).index(question)]
    probability = np.where(np.isnan(with_care), look, with_care)
    rank = np.where(np.isnan(with_care), probability, 1 + probability)
    rank = np.where(np.isnan(rank), levels / 4, rank)
    return Answer(probability, rank, levels >= QUESTIONS[question])


def baselines(
    train: Sequence[Example], embedder: Embedder
) -> Iterator[tuple[str, Callable[[list[str]], dict[str, Answer]]]]:
    """Each one's name, and what answers the questions there was anything to learn of."""

    seers = {
        "TF-IDF": TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        "frozen vectors": FunctionTransformer(embedder.embed),
    }
    for name, seer in seers.items():
        seen = seer.fit_transform([post.text for post in train])
        models = {}
        for question in QUESTIONS:
            labels = [getattr(post, question) for post in train]
            known = [row for row, label in enumerate(labels) if label is not None]
            truth = [labels[row] for row in known]
            if len(set(truth)) == 2:
                regression = LogisticRegression(class_weight="balanced", max_iter=1_000)
                models[question] = regression.fit(seen[known], truth)

        def answers(
            texts: list[str], seer: Any = seer, models: dict[str, Any] = models
        ) -> dict[str, Answer]:
            seen = seer.transform(texts)
            likely = {key: model.predict_proba(seen)[:, 1] for key, model in models.items()}
            return {key: Answer(each, each, each >= 0.5) for key, each in likely.items()}

        yield f"{name}, logistic regression", answers


# Figures


def rounded(value: float) -> float:
    return round(float(value), 4)


def recall_at(truth: Floats, rank: Floats, share: float = FALSE_POSITIVES) -> float:
    """The most that is found while at most ``share`` of the others are taken for it."""
    false, found, _ = roc_curve(truth, rank, drop_intermediate=False)
    return rounded(found[false <= share].max())


def calibration_error(truth: Floats, probability: Floats) -> float:
    """Expected calibration error over bins of equal size; equal ones are in a random order."""
    order = np.lexsort((np.random.default_rng(SEED).random(len(truth)), probability))
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    off = [abs(probability[part].mean() - truth[part].mean()) * len(part) for part in parts]
    return rounded(sum(off) / len(truth))


def of_question(name: str, labels: Sequence[float], said: Answer | None) -> dict[str, object]:
    """A question's figures over the texts whose answer is known."""
    truth = np.array(labels, float)
    known = ~np.isnan(truth)
    truth, both = truth[known], len(set(truth[known])) == 2
    names = ("average_precision", "recall_at_1_percent_false", "macro_f1", "precision", "recall")
    found: dict[str, object] = dict.fromkeys([*names, "calibration_error"])
    if said is not None and len(truth):
        rank, yes, probability = said.rank[known], said.yes[known], said.probability[known]
        if both:
            found["average_precision"] = rounded(average_precision_score(truth, rank))
            found["recall_at_1_percent_false"] = recall_at(truth, rank)
            found["macro_f1"] = rounded(f1_score(truth, yes, average="macro"))
        found["precision"] = rounded(truth[yes].mean()) if yes.any() else None
        found["recall"] = rounded(yes[truth == 1].mean()) if truth.any() else None
        if not np.isnan(probability).any():
            found["calibration_error"] = calibration_error(truth, probability)
    counts = {"known": int(known.sum()), "true": int(truth.sum())}
    return {f"{name}_{key}": value for key, value in (counts | found).items()}


def by_class(rows: Rows, said: dict[str, Answer]) -> dict[str, dict[str, Any]]:
    """For each functional class, how often the answers are right; nothing without classes."""
    found: dict[str, dict[str, Any]] = {}
    for kind in sorted(set(rows.classes) - {""}):
        these = np.array(rows.classes) == kind
        found[kind] = {"texts": int(these.sum())}
        for question in QUESTIONS:
            truth = np.array(getattr(rows, question))
            known = these & ~np.isnan(truth)
            right = said[question].yes == truth if question in said and known.any() else None
            share = None if right is None else rounded(right[known].mean())
            found[kind][f"{question}_accuracy"] = share
    return found


def tell(rows: Rows, method: str, said: dict[str, Answer], **more: object) -> None:
    """The set's line; of our own text also one for each family."""
    classes = by_class(rows, said)
    right = {kind: figures["hate_accuracy"] for kind, figures in classes.items()}
    judged = {kind: float(share) for kind, share in right.items() if share is not None}
    worst = min(judged, key=judged.__getitem__, default=None)
    about: dict[str, object] = {"file": rows.file, "set": rows.name, "method": method}
    our_text = rows.file == WRITTEN
    say(
        **about,
        texts=len(rows.texts),
        **of_question("hate", rows.hate, said.get("hate")),
        **of_question("violence", rows.violence, said.get("violence")),
        worst_class=None if worst is None else {"class": worst, **classes[worst]},
        classes=None if our_text or not classes else classes,
        **more,
    )
    for kind, figures in classes.items() if our_text else ():
        say(**about, family=kind, **figures)


def load(assessments: Sequence[Assessment]) -> dict[str, float]:
    """Of a thousand such posts, how many reach each level, and how many ask a person to look."""
    reached = {f"M{level}": [one.level >= level for one in assessments] for level in range(1, 5)}
    reached["asked"] = [one.stance == "unclear" for one in assessments]
    return {name: round(1000 * float(np.mean(hits)), 1) for name, hits in reached.items()}


def write(
    out: TextIO, rows: Rows, assessments: Sequence[Assessment], said: dict[str, Answer]
) -> None:
    """One line for each text: all that was read in it."""
    for row, one in enumerate(assessments):
        likely = {key: rounded(each.probability[row]) for key, each in said.items()}
        line = {
            "id": rows.ids[row],
            "file": rows.file,
            "set": rows.name,
            **asdict(one),
            "read_with_care": "hate" in one.confidence,
            **{key: None if np.isnan(value) else value for key, value in likely.items()},
        }
        out.write(json.dumps(line, ensure_ascii=False, default=sorted) + "\n")


def run(method: Ours, sets: Sequence[Rows], out: TextIO | None) -> None:
    """Our lines, and what ``out`` is given."""
    card = {} if method.reader is None else method.reader.card
    at = card.get("thresholds", {}).get("hate")
    for rows in sets:
        assessments, looks = method.read(rows.texts)
        careful = np.array(["hate" in one.confidence for one in assessments], bool)
        said = {key: answer(assessments, looks, key) for key in QUESTIONS}
        hate = said["hate"]
        sure = None if at is None else replace(hate, yes=careful & (hate.probability >= at))
        tell(
            rows,
            method.scorer.name,
            said,
            hate_macro_f1_at_threshold=of_question("hate", rows.hate, sure)["hate_macro_f1"],
            hate_threshold=at,
            read_with_care=rounded(careful.mean()),
            per_thousand=load(assessments),
            speeds=method.speeds(rows.texts),
            peak_mb=peak_mb(),
        )
        if out is not None:
            write(out, rows, assessments, said)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="lines with a text")
    parser.add_argument("--scores", type=Path, help="write here what was read in each text")
    parser.add_argument("--train", type=Path, help="public data the baselines are trained on")
    parser.add_argument("--written", action="store_true", help="our own held-back text too")
    options = parser.parse_args(arguments)
    train, back = ([], []) if options.train is None else public([options.train])
    trained_on, held = {post.text for post in train}, {(post.set, post.text) for post in back}
    sets: list[Rows] = []
    for path in options.data:
        same = options.train is not None and path.samefile(options.train)
        sets += read(path, trained_on, held if same else None)
    if options.written:
        sets += our_own(sets)
    before = peak_mb()
    embedder = load_fast()
    scorer = packaged_scorer()
    say(scorer=scorer.name, cores=os.cpu_count(), peak_mb_before_loading=before, peak_mb=peak_mb())
    with nullcontext() if not options.scores else options.scores.open("w", encoding="utf-8") as out:
        run(Ours(scorer, embedder), sets, out)
    for name, answers in baselines(train, embedder) if train else ():
        for rows in sets:
            tell(rows, name, answers(rows.texts), trained_on=len(train))


if __name__ == "__main__":
    main()
