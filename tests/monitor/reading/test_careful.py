"""The careful reader as it ships: the trained model, only smaller; its evidence where it says."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from monitor.reading.careful import (
    ANSWERS,
    CARD,
    HEADS,
    OF_SIGNS,
    PACKAGED,
    QUESTIONS,
    SIGNS,
    STANCES,
    WEIGHTS,
    Calibration,
    CarefulReader,
    Said,
    _Read,
    packed,
    unpacked,
)
from monitor.reading.incitement import Scorer
from monitor.reading.plain import plain
from monitor.training.fit import Reader, values

TEXTS = [
    "Somebody ought to drag every last one of them out of that office and hang them.",
    "My aunt brought her famous potato salad to the church picnic.",
    "“They are rats,” he shouted. The judge called it what it is: hatred.",
    "we r gonna k1ll them all 🔥🔥🔥 #burnitdown",
    "Congress should pass the border bill before the recess.",
    "Alguien debería quemar esa oficina con todos adentro",
]


@pytest.fixture(scope="module")
def reader() -> CarefulReader:
    return CarefulReader()


def test_what_ships_says_where_it_comes_from() -> None:
    card = json.loads((PACKAGED / CARD).read_text())
    assert card["starts_from"]["model"] == "all-MiniLM-L6-v2"
    assert {"steps", "data", "made", "calibration", "thresholds", "measured"} <= card.keys()
    assert sum(path.stat().st_size for path in PACKAGED.iterdir()) < 40 * 2**20


def test_it_answers_as_the_model_that_was_trained(reader) -> None:
    """Bytes for weights and ONNX Runtime, against PyTorch with the same weights unrounded there."""
    stored = unpacked(load_file(PACKAGED / WEIGHTS))
    said, ought = reader.values(TEXTS), values(Reader(stored).eval(), TEXTS)
    assert said.shape == (len(TEXTS), len(ANSWERS))
    assert np.corrcoef(said.ravel(), ought.ravel())[0, 1] > 0.99
    assert np.abs(said - ought).mean() < 0.25


def test_what_is_packed_twice_is_the_same() -> None:
    once = unpacked(load_file(PACKAGED / WEIGHTS))
    twice = unpacked(packed(once))
    for name, weights in once.items():
        np.testing.assert_allclose(twice[name], weights, rtol=1e-5, atol=1e-7)


def test_a_call_and_a_picnic(reader) -> None:
    call, picnic, *_ = reader.read(list(map(plain, TEXTS)))
    assert call.violence > 0.5 > picnic.violence
    assert call.hate > picnic.hate
    assert sum(call.stances.values()) == pytest.approx(1, abs=1e-4)


def test_evidence_points_at_whole_words_of_the_original(reader) -> None:
    for text, said in zip(TEXTS, reader.read(list(map(plain, TEXTS))), strict=True):
        for question in ANSWERS:
            spans = said.evidence(question)
            assert spans
            for start, end in spans:
                word = text[start:end]
                assert word.strip() == word != ""
                if "#" in text:  # a run-on hashtag is read as several words
                    continue
                assert start == 0 or not (text[start - 1].isalnum() and word[0].isalnum())
                assert end == len(text) or not (text[end].isalnum() and word[-1].isalnum())


def test_a_full_stop_is_no_evidence(reader) -> None:
    text = "They. Are. All. The. Same. Round. Them. Up. And. Out. !!! ,,, ... They. Go."
    (said,) = reader.read([plain(text)])
    for question in ANSWERS:
        marked = [text[start:end] for start, end in said.evidence(question)]
        assert marked
        assert all(any(sign.isalnum() for sign in one) for one in marked)
    (dots,) = reader.read([plain("... ,,, !")])
    assert dots.evidence("hate")


def test_where_nothing_speaks_for_an_answer_words_are_shown_all_the_same() -> None:
    text = "?! kill ..."
    read = _Read(plain(text))
    places = [(0, 1), (1, 2), (3, 7), (8, 11)]
    against = np.full((len(places), len(ANSWERS)), -1.0, np.float32)
    (span,) = Said(np.full(len(ANSWERS), 0.1, np.float32), against, places, read).evidence("hate")
    assert text[slice(*span)] == "kill"


def test_a_hidden_word_is_read_and_pointed_at_as_it_is_written(reader) -> None:
    hidden, open_ = "we will k i l l you all at the office", "we will kill you all at the office"
    one, other = reader.read([plain(hidden), plain(open_)])
    assert one.violence == pytest.approx(other.violence, abs=1e-3)
    marked = [open_[start:end] for start, end in other.evidence("violence")]
    as_written = [word.replace("kill", "k i l l") for word in marked]
    assert [hidden[start:end] for start, end in one.evidence("violence")] == as_written


def test_what_it_says_of_a_text_does_not_depend_on_the_others(reader) -> None:
    together = reader.read(list(map(plain, TEXTS)))
    for text, said in zip(TEXTS, together, strict=True):
        (alone,) = reader.read([plain(text)])
        assert alone.violence == pytest.approx(said.violence, abs=2e-3)
        assert alone.evidence("violence") == said.evidence("violence")


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=300))
def test_any_text_is_read(reader, text: str) -> None:
    (said,) = reader.read([plain(text)])
    assert 0 <= said.violence <= 1
    for start, end in said.evidence("hate"):
        assert 0 <= start < end <= len(text)


def test_calibration_keeps_the_order_and_makes_probabilities() -> None:
    raw = np.array([[x, x, x, *[x] * len(STANCES)] for x in (-9, -1, 0, 2, 9)], np.float32)
    said = Calibration((0.5, 1, 2), (0.1, -1, 0), 1.5).probabilities(raw)
    assert (np.diff(said[:, : len(QUESTIONS)], axis=0) > 0).all()
    assert np.allclose(said[:, len(QUESTIONS) :].sum(axis=1), 1)
    signs = np.array([[x] * len(SIGNS) for x in raw[:, 0]], np.float32)
    more = Calibration((0.5, 1, 2), (0.1, -1, 0), 1.5, [1] * len(SIGNS), [-1] * len(SIGNS))
    told = more.probabilities(np.hstack([raw, signs]))
    np.testing.assert_array_equal(told[:, :HEADS], said)
    assert (np.diff(told[:, HEADS:], axis=0) > 0).all()


def test_a_reader_trained_before_there_were_signs_still_reads(tmp_path) -> None:
    stored = load_file(PACKAGED / WEIGHTS)
    save_file({k: v for k, v in stored.items() if not k.startswith(OF_SIGNS)}, tmp_path / WEIGHTS)
    card = json.loads((PACKAGED / CARD).read_text())
    for name in ("sign_slopes", "sign_offsets"):
        del card["calibration"][name]
    del card["thresholds"]["signs"]
    (tmp_path / CARD).write_text(json.dumps(card))
    one, other = Scorer(tmp_path).score(TEXTS), Scorer().score(TEXTS)
    assert {name for each in one for name in each.confidence} == {*QUESTIONS, "stance"}
    for was, now in zip(one, other, strict=True):
        assert was.confidence["hate"] == now.confidence["hate"]
        assert was.level <= now.level
