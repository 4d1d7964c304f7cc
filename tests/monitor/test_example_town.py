"""The whole synthetic town through the real analysis: one rumour, one alarm, many ordinary days."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from monitor.analyse import analyse_next, consider_next
from monitor.models import DANGEROUS_LEVEL, Flag, Narrative, Reading
from monitor.narratives.narratives import list_narratives
from monitor.narratives.placing import Placer
from monitor.narratives.texts import texts_in
from monitor.reading.incitement import score
from monitor.rises.spikes import look

TOWN = Path(__file__).parents[2] / "sources" / "example_town.jsonl"
BATCH = 64
RUMOUR = ("reservoir", "barrel", "warehouse", "Harborite")  # what the rumour is about


@pytest.fixture
def town(sessions, embedder, say, now):
    """The story, saved and read in batches as it would arrive."""
    lines = [json.loads(line) for line in TOWN.read_text().splitlines()]
    began = now - timedelta(minutes=lines[-1]["minute"])
    placer = Placer(embedder)
    for start in range(0, len(lines), BATCH):
        with sessions.begin() as session:
            for line in lines[start : start + BATCH]:
                say(
                    session, line["author"], line["text"], began + timedelta(minutes=line["minute"])
                )
        while analyse_next(sessions, embedder, now, placer=placer):
            pass
        consider_next(sessions, placer, now)
        with sessions.begin() as session:
            look(session, now)
    return sessions


def about_the_rumour(text):
    return any(word.lower() in text.lower() for word in RUMOUR)


def test_the_town(town):
    with town() as session:
        rows = list_narratives(session)
        first = rows[0].narrative
        shown = [one.reading.post.text for one in texts_in(session, first)]
        assert first.size > 50
        assert sum(map(about_the_rumour, shown)) / len(shown) > 0.9
        assert "reservoir" in first.title.lower()

        alone = session.scalars(select(Flag).where(Flag.kind == "life_safety")).all()
        assert 1 <= len(alone) <= 3  # single posts that call to come armed
        assert {flag.narrative_id for flag in alone} == {first.id}
        flags = session.scalars(select(Flag).where(Flag.kind == "spike")).all()
        assert len(flags) == 1
        assert flags[0].narrative_id == first.id
        for flag in flags:
            texts = texts_in(session, session.get_one(Narrative, flag.narrative_id))
            said = [one.reading.post.text for one in texts]
            assert sum(map(about_the_rumour, said)) / len(said) > 0.8

        ordinary = [row for row in rows if not about_the_rumour(row.narrative.title)]
        assert len(ordinary) >= 4
        assert not any(row.flag for row in ordinary)

        readings = session.scalars(select(Reading)).all()
        dangerous = [one for one in readings if one.level >= DANGEROUS_LEVEL]
        assert 20 <= len(dangerous) <= 60
        assert {one.level for one in dangerous} == {2, 3, 4}
        for reading in dangerous:
            assert reading.reasons
            spans = [r for r in reading.reasons if r["end"] > r["start"]]
            assert all(r["end"] <= len(reading.post.text) for r in spans)
        words = {word for row in rows for word in row.narrative.title.lower().split()}
        assert not words & {"rats", "vermin", "burn", "traitor", "poison", "bats"}


def test_the_calm_voices_of_the_town_are_out_of_scope():
    """Those who only calm, inform or tell of daily life are never dangerous.

    One of them, who names both camps to calm them, this reader takes for scorn (M1, not sure).
    """
    calm = (
        *("capt_odell", "pastor_june", "marlow_water", "tamarack_gazette", "tamarack_deputies"),
        *("ferry_office", "bea_bakes", "coach_pruitt", "mr_finch_teaches", "rosa_from_4th"),
        *("heronmom3", "school_van_sue", "four_h_tamarack", "town_works", "orchard_ann"),
    )
    lines = [json.loads(line) for line in TOWN.read_text().splitlines()]
    theirs = [line["text"] for line in lines if line["author"] in calm]
    assert len(theirs) > 50
    levels = [score(text).level for text in theirs]
    assert max(levels) < DANGEROUS_LEVEL
    assert sum(level > 0 for level in levels) <= 1
