"""The fast path of the packaged model: ONNX Runtime, two batches at once, without PyTorch.

More than twice the posts a second of sentence-transformers in a third of its memory; measured by
``python -m tests.bench.encoder``, held to the reference by tests/monitor/embedding/test_encoder.py.
"""

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from monitor.embedding.embed import (
    PACKAGED_LANGUAGES,
    PACKAGED_NAME,
    Embedder,
    ModelUnavailableError,
    legible,
    load_embedder,
    packaged_folder,
)

MAX_TOKENS = 256  # max_seq_length in sentence_bert_config.json; the reference too stops there
BATCH_TOKENS = 384  # padded tokens a call: 1,024 take a fifth longer, 2,048 two fifths (measured)
TOKENISED = 256  # texts tokenised at once; bounds the memory of a call with many
# Batches at once, each on a thread of its own: 750 posts a second where two threads on one batch
# came to 540, and a fifth less of the processor (measured).
THREADS = 2
AHEAD = 2 * THREADS  # batches that wait or run while the first of them is asked for
# Cosines of the reference (PyTorch, fp32) between sentences; int8 stays within 0.02 of them.
KNOWN = (
    ("The bus is late.", "The bus comes late.", 0.941),
    ("The bus is late.", "Fire at the warehouse!", 0.171),
)
TOLERANCE = 0.05

log = logging.getLogger(__name__)


class Runner:
    """One ONNX model of word pieces and its tokenizer, run on batches of about one length."""

    def __init__(self, model: bytes, tokenizer: str, threads: int | None = None) -> None:
        """``tokenizer`` is the path of a tokenizer.json; ``threads``: batches run at once."""
        # Imported here: where ONNX Runtime cannot be loaded, the reference still can.
        import onnxruntime as ort

        threads = threads or min(THREADS, os.cpu_count() or 1)
        self._at_once = ThreadPoolExecutor(threads, thread_name_prefix="model")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.width: int = self._session.get_outputs()[-1].shape[-1]
        self._tokenizer = Tokenizer.from_file(tokenizer)
        self._tokenizer.no_padding()  # as packaged it pads every text to 128 tokens
        self._tokenizer.enable_truncation(MAX_TOKENS)

    def encode(self, texts: Sequence[str]) -> list[Encoding]:
        """The word pieces of each text, with their places in it."""
        found: list[Encoding] = []
        for start in range(0, len(texts), TOKENISED):
            found += self._tokenizer.encode_batch(texts[start : start + TOKENISED])
        return found

    def run(self, encodings: Sequence[Encoding]) -> Iterator[tuple[list[int], list[Any]]]:
        """For each batch: which texts it holds, and the model's outputs, a row for each."""
        ids = [encoding.ids for encoding in encodings]

        def outputs(rows: list[int]) -> list[Any]:
            longest = len(ids[rows[-1]])
            padded = np.zeros((len(rows), longest), dtype=np.int64)
            mask = np.zeros((len(rows), longest), dtype=np.int32)
            for line, row in enumerate(rows):
                padded[line, : len(ids[row])] = ids[row]
                mask[line, : len(ids[row])] = 1
            return list(self._session.run(None, {"ids": padded, "mask": mask}))

        ahead: deque[tuple[list[int], Future[list[Any]]]] = deque()
        for rows in _batches([len(each) for each in ids]):
            ahead.append((rows, self._at_once.submit(outputs, rows)))
            # Others' texts wait for these few, and memory holds no more than what they come to.
            if len(ahead) > AHEAD:
                done, found = ahead.popleft()
                yield done, found.result()
        for done, found in ahead:
            yield done, found.result()


class FastEmbedder:
    """An ``Embedder`` over one exported model (``monitor.embedding.export_encoder``)."""

    # The reference's name: their vectors are compared with each other (cosine 0.996), so that a
    # start on which the fast path fails finds the narratives of the day before.
    name = PACKAGED_NAME
    languages: frozenset[str] | None = PACKAGED_LANGUAGES

    def __init__(self, model: bytes, tokenizer: str, threads: int | None = None) -> None:
        """``tokenizer`` is the path of a tokenizer.json."""
        self._runner = Runner(model, tokenizer, threads)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See ``Embedder``. A text's vector does not depend on the texts beside it."""
        read = [legible(text, knows_emoji=False) for text in texts]
        different = {text: row for row, text in enumerate(dict.fromkeys(read))}
        encodings = self._runner.encode(list(different))
        vectors = np.empty((len(encodings), self._runner.width), dtype=np.float32)
        for rows, (found,) in self._runner.run(encodings):
            vectors[rows] = found
        return vectors[[different[text] for text in read]]


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices in order of length, cut so that each batch padded to its longest fits the budget."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[row] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def load_encoder(model: str | None) -> Embedder:
    """The packaged model (None) on the fast path, or any model by sentence-transformers.

    Where the fast path fails, the packaged model runs by sentence-transformers too and the log
    says why. ModelUnavailableError says in one sentence why there is no model at all.
    """
    if model is not None:
        return load_embedder(model)
    try:
        return load_fast()
    except ModelUnavailableError:
        raise  # the weights are missing or others: sentence-transformers would read the same
    except Exception as fault:  # ONNX Runtime raises its own kinds; libraries may be missing
        log.warning(
            "The fast encoder cannot be used (%s); sentence-transformers takes its place, at less "
            "than half the speed.",
            str(fault).strip().partition("\n")[0] or type(fault).__name__,
        )
        return load_embedder(None)


def load_fast(threads: int | None = None) -> FastEmbedder:
    """The packaged model, exported and checked on known sentences; anything may be raised."""
    # Imported here for the same reason as ONNX Runtime above.
    from monitor.embedding.export_encoder import export

    embedder = FastEmbedder(export(), str(packaged_folder() / "tokenizer.json"), threads)
    for one, other, cosine in KNOWN:
        first, second = embedder.embed([one, other])
        if not abs(float(first @ second) - cosine) <= TOLERANCE:
            raise RuntimeError(f"it reads {one!r} and {other!r} wrongly on this processor")
    return embedder
