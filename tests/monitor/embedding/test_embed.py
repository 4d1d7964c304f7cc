"""The real model, offline, and a second one that stands for any other."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from monitor.embedding.embed import (
    EMBEDDED_CHARS,
    ModelUnavailableError,
    check_weights,
    legible,
    load_embedder,
    packaged_folder,
)
from monitor.embedding.encoder import load_encoder


@pytest.fixture(scope="module")
def second_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model of 32 dimensions, untrained, saved as people save theirs."""
    import torch
    from sentence_transformers import SentenceTransformer, models
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("second")
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(1)
    BertModel(BertConfig(intermediate_size=64, **sizes)).save_pretrained(folder / "bert")
    PreTrainedTokenizerFast(
        tokenizer_file=str(packaged_folder() / "tokenizer.json"),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder / "bert")
    reader = models.Transformer(str(folder / "bert"), max_seq_length=64)
    SentenceTransformer(modules=[reader, models.Pooling(32)]).save(str(folder / "model"))
    return folder / "model"


def test_rows_are_unit_vectors_in_the_order_given(embedder):
    texts = ["the bus is late", "a " * 50_000, "", "fire at the warehouse", "the bus comes late"]
    vectors = embedder.embed(texts)
    assert vectors.shape == (5, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(5), abs=1e-4)
    for row, text in zip(vectors, texts, strict=True):
        assert row == pytest.approx(embedder.embed([text])[0], abs=1e-4)
    near, far = vectors[0] @ vectors[4], vectors[0] @ vectors[3]
    assert near > 0.8 > 0.4 > far


def test_no_text_gives_no_rows(embedder):
    assert embedder.embed([]).shape == (0, 384)


def test_a_broken_text_breaks_no_other(embedder):
    vectors = embedder.embed(["the bus is late", "\ud800", "\x00"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-4)


def test_another_model_takes_over_under_its_own_name(embedder, second_model: Path):
    other = load_encoder(str(second_model))
    assert other.name == str(second_model) != embedder.name
    assert other.languages is None  # nobody said which: every text is given to it
    assert embedder.languages == {"en"}
    vectors = other.embed(["the bus is late", "el autobús llega tarde 🔥"])
    assert vectors.shape == (2, 32)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(2), abs=1e-4)


def test_emoji_become_words_for_a_model_that_knows_none():
    assert legible("go 🔥🔥🔥 go", knows_emoji=False) == "go  fire  go"
    assert (
        legible("👍🏽🇲🇽 1️⃣", knows_emoji=False) == " thumbs up medium skin tone Mexico   keycap 1 "
    )
    assert legible("a 👨‍👩‍👧‍👧b", knows_emoji=False) == "a  family man woman girl girl b"
    for plain in ("#1 * 2 © 3 ♥", "Ärger? ¡No! 日本", ":fire: a_b"):
        assert legible(plain, knows_emoji=False) == plain
    assert legible("go 🔥", knows_emoji=True) == "go 🔥"


def test_a_text_of_emoji_stays_within_bounds():
    for text in ("🔥🎂" * 50_000, "🏴" + "\U000e0067" * 9_000, "x" * 100_000):
        assert len(legible(text, knows_emoji=False)) <= EMBEDDED_CHARS


def test_the_port_loads_no_pytorch():
    program = (
        "import sys, monitor.embedding.embed, monitor.analyse; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_other_weights_are_refused(tmp_path: Path):
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"not the model")
    check_weights(weights, hashlib.sha256(b"not the model").hexdigest())
    with pytest.raises(ModelUnavailableError, match="BREAKWATER_MODEL"):
        check_weights(weights, "0" * 64)
    with pytest.raises(ModelUnavailableError, match="cannot be read"):
        check_weights(tmp_path / "absent", "0" * 64)


def test_a_missing_or_broken_model_is_one_sentence(tmp_path: Path):
    (tmp_path / "config.json").write_text("{")
    for model in (str(tmp_path), "/nowhere/at/all"):
        with pytest.raises(ModelUnavailableError) as caught:
            load_embedder(model)
        assert "BREAKWATER_MODEL" in str(caught.value)
        assert "\n" not in str(caught.value)
