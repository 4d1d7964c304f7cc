"""A candidate reads nothing until a person promotes it; one that cannot be loaded stops nothing."""

import json

import pytest

from monitor.coding import lexicon
from monitor.models import TrainedReader
from monitor.reading import readers
from monitor.reading.careful import CARD, PACKAGED, WEIGHTS
from monitor.reading.incitement import packaged_scorer


@pytest.fixture
def candidate(session, now):
    """The packaged reader under another name."""

    def add(name="reader of this desk", weights=None, refusals=()):
        card = json.loads((PACKAGED / CARD).read_text()) | {"name": name}
        content = (PACKAGED / WEIGHTS).read_bytes() if weights is None else weights
        made = readers.Candidate(card, content, "reader that ships", {}, refusals)
        return readers.add(session, made, now)

    return add


def promote(session, now, reader, reason="Better on our cases"):
    return readers.promote(session, reader, reason, 1, now)


def test_until_somebody_promotes_it_the_one_that_ships_reads(session, now, candidate):
    candidate()
    assert readers.in_force(session) is None
    assert readers.scorer_in_force(session, now) is packaged_scorer()


def test_a_promoted_reader_reads_and_is_named_in_what_it_reads(session, now, candidate):
    reader = candidate()
    promote(session, now, reader)
    session.flush()
    session.expire_all()
    scorer = readers.scorer_in_force(session, now)
    assert scorer.name.startswith("reader of this desk, ")
    assert scorer is readers.scorer_in_force(session, now)  # loaded once
    text = "Someone should burn that mosque down with all of them in it"
    assert scorer.score([text])[0].level == packaged_scorer().score([text])[0].level >= 3
    promote(session, now, None, "It asks too often")
    assert readers.scorer_in_force(session, now) is packaged_scorer()
    assert [one.reason for one in readers.promotions(session)] == [
        "It asks too often",
        "Better on our cases",
    ]


@pytest.mark.parametrize("weights", [b"", b"no weights at all"])
def test_one_that_cannot_be_loaded_leaves_the_shipped_one_in_its_place(
    session, now, candidate, weights, caplog
):
    promote(session, now, candidate(weights=weights))
    assert readers.scorer_in_force(session, now) is packaged_scorer()
    assert "cannot be used" in caplog.text


def test_a_refused_one_an_unexplained_one_and_the_one_in_force_are_not_promoted(
    session, now, candidate
):
    refused = candidate("refused", refusals=["It is unfair to some."])
    with pytest.raises(ValueError, match="It is unfair to some"):
        promote(session, now, refused)
    other = candidate("other")
    with pytest.raises(ValueError, match="Say why"):
        promote(session, now, other, "  ")
    with pytest.raises(ValueError, match="in force already"):
        promote(session, now, None)
    assert readers.promotions(session) == []


def test_what_reads_knows_the_lexicon_of_now(session, now):
    lexicon.seed(session, now)
    assert readers.scorer_in_force(session, now).lexicon is not None


def test_lists_do_not_load_the_weights(session, candidate):
    candidate()
    session.commit()
    session.expire_all()
    (one,) = readers.candidates(session)
    assert "weights" not in one.__dict__
    assert isinstance(one, TrainedReader)
