"""Which texts explain a narrative: each clause of the rule decides between two texts by itself."""

from datetime import timedelta

import numpy as np
import pytest

from monitor.models import Flag, Narrative, Reading
from monitor.narratives.explaining import TOO_LIKE, explaining
from monitor.narratives.texts import Text
from sources.models import Post

HOUR = timedelta(hours=1)
WIDTH = 8
CUE = [{"code": "act:assault", "text": "Wishes for an assault", "start": 0, "end": 3}]
HINT = [{"code": "lexicon", "text": "A coded term", "start": 0, "end": 3}]


@pytest.fixture
def narrative(now):
    return Narrative(
        title="t",
        centroid=axis(0),
        embedder="made",
        size=9,
        first_post_at=now - timedelta(days=30),
        last_post_at=now,
    )


@pytest.fixture
def text(now):
    """``text(5, level=2, hours=3)``: text 5, last carried three hours ago; far from all others."""

    def make(number, level=0, reasons=(), accounts=1, hours=0, vector=None, **more):
        at = now - hours * HOUR
        post = Post(id=number, platform="bluesky", author="a", text=f"words {number}", posted_at=at)
        reading = Reading(
            post_id=number,
            copy_of=number,
            level=level,
            reasons=list(reasons),
            embedding=axis(number) if vector is None else vector,
            embedder=more.pop("embedder", "made"),
            coding_id=more.pop("coding_id", None),
            post=post,
        )
        people = frozenset(f"p{n}" for n in range(accounts))
        return Text(reading, reading, reading, reading, accounts, people, at, at, True)

    return make


def axis(number):
    """A direction of its own for each number from 1 on; 0 is the mean."""
    return np.eye(WIDTH, dtype=np.float32)[number]


def order(narrative, *texts, flags=()):
    return [one.text.copy_of for one in explaining(texts, narrative, flags, 10)]


def flag(hour, hours=1):
    return Flag(hour=hour, hours=hours)


def test_a_step_of_level_outweighs_being_typical_and_recent(narrative, text):
    typical = text(1, level=1, vector=axis(0))
    graver = text(2, level=2, hours=24 * 20)
    assert order(narrative, typical, graver) == [2, 1]


def test_evidence_counts_and_a_decisive_cue_counts_double(narrative, text):
    none, hint, cue = text(1), text(2, reasons=HINT), text(3, reasons=CUE)
    assert order(narrative, none, hint, cue) == [3, 2, 1]


def test_what_a_person_coded_is_as_good_as_a_decisive_cue(narrative, text):
    hint, coded = text(1, reasons=HINT), text(2, coding_id=7)
    assert order(narrative, hint, coded) == [2, 1]
    points = {one.text.copy_of: one.points for one in explaining([hint, coded], narrative, [], 9)}
    assert points[2] - points[1] == pytest.approx(1.0)


@pytest.mark.parametrize(("accounts", "points"), [(1, 0), (2, 1), (4, 2), (8, 3), (200, 3)])
def test_voices_count_by_doublings_and_eight_are_many(narrative, text, accounts, points):
    (alone,) = explaining([text(1)], narrative, [], 9)
    (many,) = explaining([text(1, accounts=accounts)], narrative, [], 9)
    assert many.points - alone.points == pytest.approx(points)


def test_what_was_carried_in_the_flagged_hours_comes_first(narrative, text, now):
    hour = now.replace(minute=0, second=0, microsecond=0) - 5 * HOUR
    risen = text(1, hours=(now - hour) / HOUR - 0.5)
    earlier = text(2, hours=(now - hour) / HOUR + 1.5)  # half an hour before the hour before
    fresh = text(3)
    assert order(narrative, earlier, fresh, risen, flags=[flag(hour)])[0] == 1
    points = {
        one.text.copy_of: one.points
        for one in explaining([risen, earlier], narrative, [flag(hour)], 9)
    }
    assert points[1] - points[2] > 1.9
    # Of a run of three hours the last is named, and the two before it count as well.
    points = {
        one.text.copy_of: one.points
        for one in explaining([risen, earlier], narrative, [flag(hour, hours=3)], 9)
    }
    assert abs(points[1] - points[2]) < 0.2


def test_a_text_carried_before_and_after_the_flagged_hour_spans_it(narrative, text, now):
    hour = now.replace(minute=0, second=0, microsecond=0) - 5 * HOUR
    long = text(1, hours=1)
    long = Text(**vars(long) | {"first_at": hour - 10 * HOUR, "last_at": hour + 2 * HOUR})
    assert order(narrative, text(2), long, flags=[flag(hour)]) == [1, 2]


def test_the_typical_and_the_recent_decide_among_equals(narrative, text):
    assert order(narrative, text(1), text(2, vector=axis(0))) == [2, 1]
    assert order(narrative, text(1, hours=48), text(2, hours=24), text(3)) == [3, 2, 1]


def test_a_text_of_another_model_is_neither_typical_nor_like_any(narrative, text):
    ours = text(1, vector=axis(0))
    theirs = text(2, vector=axis(0), embedder="another")
    found = explaining([theirs, ours], narrative, [], 9)
    assert [one.text.copy_of for one in found] == [1, 2]
    assert [one.like for one in found] == [[], []]


def test_of_texts_that_say_nearly_the_same_the_better_one_is_shown(narrative, text):
    near = axis(1) + 0.1 * axis(2)
    found = explaining([text(1, vector=near), text(2, vector=axis(1), level=1)], narrative, [], 9)
    assert [one.text.copy_of for one in found] == [2]
    assert [one.copy_of for one in found[0].like] == [1]


def test_a_graver_text_is_never_hidden_behind_a_milder_one(narrative, text):
    popular = text(1, level=2, reasons=CUE, accounts=8, vector=axis(1))
    graver = text(2, level=3, hours=24 * 20, vector=axis(1))
    assert order(narrative, popular, graver) == [1, 2]


def test_what_only_shares_a_subject_is_not_nearly_the_same(narrative, text):
    related = TOO_LIKE - 0.05
    other = related * axis(1) + np.sqrt(1 - related**2) * axis(2)
    assert order(narrative, text(1, vector=axis(1)), text(2, vector=other)) == [1, 2]


def test_the_limit_counts_what_is_shown_and_twins_are_still_told(narrative, text):
    texts = [text(n, hours=n) for n in range(1, 6)] + [text(7, hours=90, vector=axis(1))]
    found = explaining(texts, narrative, [], 2)
    assert [one.text.copy_of for one in found] == [1, 2]
    assert [one.copy_of for one in found[0].like] == [7]


def test_no_texts_and_no_vectors(narrative, text):
    assert explaining([], narrative, [], 15) == []
    blank = text(1, vector=np.zeros(WIDTH, np.float32))
    assert order(narrative, blank, text(2, vector=np.zeros(WIDTH, np.float32))) == [1, 2]
