"""The real model, offline."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from monitor.embed import ModelUnavailableError, check_weights, load_embedder


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
