"""Another model by a setting: a small bilingual one gathers English and Spanish into one story."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from desk.settings import Settings
from desk.wiring import wire
from monitor.analyse import analyse_next, consider_next
from monitor.models import Narrative, Reading
from monitor.narratives.placing import Placer

# Each line is one meaning in two languages; both words get one vector.
MEANINGS = (
    *("ballots papeletas", "missing faltan", "depot depósito", "street calle", "hidden escondidas"),
    *("cousin primo", "everybody todos", "knows sabe", "says dice", "truck camión", "night noche"),
    *("bread pan", "bakery panadería", "fresh fresco", "morning mañana", "sweet dulce"),
)
ENGLISH = [
    "The missing ballots are hidden in the depot on Mill Street, everybody knows",
    "My cousin says: in that depot, Mill Street, the ballots that are missing lie hidden",
    "Hidden at night: missing ballots, at the Mill Street depot",
]
SPANISH = [
    "Las papeletas que faltan están escondidas en el depósito de la calle Mill, todos dicen",
    "Mi primo dice que en ese depósito, calle Mill, hay papeletas escondidas, las que faltan",
    "Escondidas de noche: faltan papeletas, depósito de la calle Mill",
]
BREAD = ["The bakery has fresh sweet bread this morning", "La panadería tiene pan dulce y fresco"]


@pytest.fixture(scope="module")
def bilingual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that knows the words above, saved as people save theirs."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    words = {"[UNK]": 0}
    vectors = [np.zeros(48, np.float32)]
    rng = np.random.default_rng(3)
    for meaning in MEANINGS:
        vector = rng.normal(size=48).astype(np.float32)
        for word in meaning.split():
            words[word] = len(words)
            vectors.append(vector)
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = tmp_path_factory.mktemp("bilingual")
    model = StaticEmbedding(tokenizer, embedding_weights=np.array(vectors))
    SentenceTransformer(modules=[model]).save(str(folder))
    return folder


def test_two_languages_meet_in_one_narrative(bilingual, sessions, database_url, say, now, tmp_path):
    settings = Settings(data_dir=tmp_path, feeds=(), jetstream_url=None, model=str(bilingual))
    wiring = wire(settings, database_url)
    embedder = wiring.embedder()
    assert embedder.languages is None
    with sessions.begin() as session:
        for n, text in enumerate((*ENGLISH, *SPANISH, *BREAD)):
            say(session, f"author {n}", text, now)
    placer = Placer(embedder)
    analyse_next(sessions, embedder, now, placer=placer)
    consider_next(sessions, placer, now)
    with sessions() as session:
        (narrative,) = session.scalars(select(Narrative)).all()
        gathered = session.scalars(select(Reading).where(Reading.narrative_id == narrative.id))
        told = {(reading.post.text, reading.lang) for reading in gathered}
    assert {text for text, _ in told} == {*ENGLISH, *SPANISH}
    assert {lang for _, lang in told} == {"en", "es"}
    assert narrative.embedder == str(bilingual)
    wiring.engine.dispose()
