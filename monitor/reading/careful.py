"""The careful reader: a small encoder trained here, which reads what cues cannot see.

Its body is the packaged encoder fine-tuned end to end (``monitor.training``). Heads say how likely
a text is hateful, violent, dehumanising, in which stance it is said, and which signs of dangerous
speech it carries; each is a sum over the tokens, whose parts are the evidence. Probabilities are
calibrated on text held back.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from safetensors.numpy import save as serialised

from monitor.embedding.embed import packaged_folder, spelled
from monitor.reading.plain import Plain, plain

PACKAGED = Path(__file__).parent.parent / "weights"
WEIGHTS, CARD = "reader.safetensors", "reader.json"
WORDS = "embeddings.word_embeddings."
WEIGHT_TOP, WORD_TOP = 63, 127  # as in the exported graph, so that nothing is rounded twice
TINY = 1e-9
SCALE = ".scale"
LOOK = ("first.weight", "first.bias", "second.weight", "second.bias")

QUESTIONS = ("hate", "violence", "dehumanising")
STANCES = (
    "asserts", "reports", "condemns", "reclaimed", "figurative", "policy_advocacy",
)  # fmt: skip
HEADS = len(QUESTIONS) + len(STANCES)  # signs, below, have heads of their own
EXCLUSION = "exclusion"  # that people be kept out, driven away or treated worse
THREAT = "threat"  # that violence is threatened or urged, against whomever
# Beside these the codebook's hallmarks. H1 is a question above, H6 is the lexicon's.
SIGNS = (THREAT, EXCLUSION, "H2", "H3", "H4", "H5", "H7", "H8", "H9")
ANSWERS = (*QUESTIONS, *STANCES, *SIGNS)
HEAD_WEIGHTS = ("attend.weight", "say.weight", "say.bias")
OF_SIGNS = "signs."  # before the names of their weights
# Of what speaks for an answer, the words shown carry so much; and so many places at most.
SHOWN = 0.5
SPANS = 3

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Calibration:
    """What turns the reader's values into probabilities (Platt scaling; one temperature)."""

    slopes: tuple[float, float, float]  # for hate, violence, dehumanising
    offsets: tuple[float, float, float]
    temperature: float  # of the stances
    sign_slopes: Sequence[float] = (1.0,) * len(SIGNS)
    sign_offsets: Sequence[float] = (0.0,) * len(SIGNS)

    def probabilities(self, values: Floats) -> Floats:
        """(n, ANSWERS) of any real numbers → probabilities; without SIGNS, as once trained, too."""
        answers = values[:, : len(QUESTIONS)] * np.array(self.slopes) + np.array(self.offsets)
        stances = values[:, len(QUESTIONS) : HEADS] / self.temperature
        stances = np.exp(stances - stances.max(axis=1, keepdims=True))
        stances /= stances.sum(axis=1, keepdims=True)
        signs = values[:, HEADS:]
        if signs.shape[1]:
            signs = signs * np.array(self.sign_slopes) + np.array(self.sign_offsets)
        return np.hstack([_likely(answers), stances, _likely(signs)]).astype(np.float32)


class Said:
    """What the reader says of one text: probabilities, 0 to 1, and the words they stand on."""

    def __init__(
        self, probabilities: Floats, evidence: Floats, offsets: list[tuple[int, int]], read: "_Read"
    ) -> None:
        self._evidence, self._offsets, self._read = evidence, offsets, read
        # A reader trained before there were signs says nothing of any.
        self._likely = dict(zip(ANSWERS, map(float, probabilities), strict=False))
        self.hate, self.violence, self.dehumanising = (self._likely[name] for name in QUESTIONS)
        self.stances = {name: self._likely[name] for name in STANCES}
        self.signs = {name: self._likely[name] for name in SIGNS if name in self._likely}

    @property
    def plain(self) -> str:
        """The text without the tricks that hide its words, emoji as they were written."""
        return self._read.plain.text

    @property
    def stance(self) -> str:
        """The likeliest stance."""
        return max(self.stances, key=self.stances.__getitem__)

    def likely(self, answer: str) -> float:
        """How likely one of QUESTIONS, STANCES or SIGNS is."""
        return self._likely[answer]

    def evidence(self, question: str) -> list[tuple[int, int]]:
        """Where in the text as it was written the words stand that speak most for an answer.

        ``question``: one of QUESTIONS, STANCES or SIGNS.

        At most SPANS places, whole words, in the text's order; at least one for any text but an
        empty one. A comma or a full stop shows nothing, unless the text is of nothing else.
        """
        column = ANSWERS.index(question)
        weight = np.array(
            [
                max(0.0, float(each)) if self._read.tells(start, end) else 0.0
                for each, (start, end) in zip(self._evidence[:, column], self._offsets, strict=True)
            ]
        )
        if not weight.any():  # nothing speaks for it: what speaks least against it
            weight = np.array([float(self._read.tells(*place)) for place in self._offsets])
        if not weight.any():  # nor is there any word
            weight = np.array([float(end > start) for start, end in self._offsets])
        spans: list[tuple[int, int]] = []
        got = 0.0
        for token in np.argsort(-weight, kind="stable"):
            if got >= SHOWN * weight.sum() or not weight[token]:
                break
            got += float(weight[token])
            spans = _joined([*spans, self._read.word(*self._offsets[token])])
        if not spans:  # no word piece has a place: signs the model does not know
            return [(0, self._read.size)] if self._read.size else []
        biggest = sorted(spans, key=lambda span: span[0] - span[1])[:SPANS]
        return sorted(self._read.original(*span) for span in biggest)


class CarefulReader:
    """The reader as the desk runs it, on ONNX Runtime without PyTorch."""

    def __init__(self, folder: Path = PACKAGED, threads: int | None = None) -> None:
        """Anything may be raised: ONNX Runtime and files have their own kinds of fault."""
        from monitor.embedding.encoder import Runner
        from monitor.embedding.export_encoder import build_reader

        self.card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
        self.name = str(self.card["name"])
        self._calibration = Calibration(**self.card["calibration"])
        weights = unpacked(load_file(folder / WEIGHTS))
        for name in HEAD_WEIGHTS:
            if (signs := weights.pop(OF_SIGNS + name, None)) is not None:
                weights[name] = np.concatenate([weights[name], signs])
        self._answers = len(weights["say.bias"])
        model = build_reader(weights)
        tokenizer = packaged_folder() / "tokenizer.json"
        self._runner = Runner(model.SerializeToString(), str(tokenizer), threads)

    def read(self, texts: Sequence[Plain]) -> list[Said]:
        """What it says of each text. Long ones are read as far as 256 word pieces."""
        read = [_Read(text) for text in texts]
        encodings = self._runner.encode([each.text for each in read])
        found: dict[int, Said] = {}
        for rows, (evidence, values) in self._runner.run(encodings):
            probabilities = self._calibration.probabilities(values)
            for line, row in enumerate(rows):
                offsets = encodings[row].offsets
                found[row] = Said(
                    probabilities[line], evidence[line, : len(offsets)], offsets, read[row]
                )
        return [found[row] for row in range(len(texts))]

    def values(self, texts: Sequence[str]) -> Floats:
        """Its answers before calibration: (n, ANSWERS), without SIGNS where it knows none."""
        encodings = self._runner.encode([_Read(plain(text)).text for text in texts])
        found = np.zeros((len(texts), self._answers), np.float32)
        for rows, (_, values) in self._runner.run(encodings):
            found[rows] = values
        return found

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """The same as probabilities."""
        return self._calibration.probabilities(self.values(texts))


def first_look(weights: Mapping[str, Floats], vectors: Floats) -> Floats:
    """How likely each is hateful, and violent, by a reader's net on vectors: (n, 384) → (n, 2)."""
    hidden = np.maximum(vectors @ weights["first.weight"].T + weights["first.bias"], 0)
    said = hidden @ weights["second.weight"].T + weights["second.bias"]
    return _likely(said)


class _Read:
    """A text as the reader is given it: plain, its emoji spelled out, and the way back."""

    def __init__(self, text: Plain) -> None:
        self.size = text.whole
        self.plain = text
        self.text, self._places = spelled(text.text)

    def tells(self, start: int, end: int) -> bool:
        """Whether a letter or a digit is there; signs of emoji have become words."""
        return any(sign.isalnum() for sign in self.text[start:end])

    def word(self, start: int, end: int) -> tuple[int, int]:
        """The whole word, or emoji, around a part of the text read."""
        while start and self.text[start - 1].isalnum() and self.text[start].isalnum():
            start -= 1
        while end < len(self.text) and self.text[end].isalnum() and self.text[end - 1].isalnum():
            end += 1
        return start, end

    def original(self, start: int, end: int) -> tuple[int, int]:
        first, last = self._places[start], self._places[end - 1]
        return self.plain.span(first, last + 1)


def packed(weights: Mapping[str, Floats]) -> dict[str, NDArray[Any]]:
    """Matrices of the body and its words as bytes, a scale for each row; all else as it is."""
    found: dict[str, NDArray[Any]] = {}
    for name, values in weights.items():
        if values.ndim == 2 and name.startswith(("encoder.", WORDS)):
            scale = np.abs(values).max(axis=1, keepdims=True)
            scale = np.maximum(scale, TINY) / (WORD_TOP if name.startswith(WORDS) else WEIGHT_TOP)
            found[name] = np.rint(values / scale).astype(np.int8)
            found[name + SCALE] = scale.astype(np.float32)
        else:
            found[name] = values.astype(np.float32)
    return found


def unpacked(stored: Mapping[str, NDArray[Any]]) -> dict[str, Floats]:
    """What ``packed`` was given, but for the rounding."""
    return {
        name: (values * stored[name + SCALE] if values.dtype == np.int8 else values).astype(
            np.float32
        )
        for name, values in stored.items()
        if not name.endswith(SCALE)
    }


def save(folder: Path, weights: Mapping[str, Floats], card: Mapping[str, Any]) -> None:
    """Write a reader, its body with the words and its heads, and what is known of it."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = packed(weights)
    (folder / WEIGHTS).write_bytes(
        serialised(stored)
    )  # save_file would let its owner alone read it
    (folder / CARD).write_text(json.dumps(card, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _likely(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-values)), np.float32)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same places in order, those a space apart made one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
