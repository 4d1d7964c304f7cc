"""Samples: drawn the same each time, blind, weighed, and honest about what they cannot tell."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import numpy as np
import pytest
from sqlalchemy import delete, func, select

from monitor.coding.codebook import MessageFields
from monitor.coding.missed import clopper_pearson, missed
from monitor.coding.samples import (
    DAILY,
    AnsweredMeanwhileError,
    SampleGoneError,
    draw_samples,
    label,
    next_label,
    post_of,
    waiting,
)
from monitor.flags.flags import decide
from monitor.models import Flag, Reading, Sample, SampleAnswer
from monitor.narratives.narratives import hour_of
from sources.models import Post
from tests.monitor.rises.test_replay import tell

DAY = timedelta(days=1)
YESTERDAY = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def read(session, say):
    """``read(count, level, at=..., narrative=None, text=...)``: posts and readings; their ids."""

    def add(count=1, level=0, at=YESTERDAY, narrative=None, text="Words", scorer="test"):
        posts = [say(session, f"a{n}", text and f"{text} {n}", at) for n in range(count)]
        for post in posts:
            session.add(
                Reading(
                    post_id=post.id,
                    embedding=np.zeros(4),
                    embedder="test",
                    level=level,
                    threat_level="none",
                    stance="asserts",
                    reasons=[],
                    scorer=scorer,
                    narrative_id=narrative and narrative.id,
                    hour=hour_of(at),
                    read_at=at,
                )
            )
        session.flush()
        return [post.id for post in posts]

    return add


def flag(session, hour, narrative=None, **more):
    one = Flag(
        narrative=narrative,
        hour=hour,
        observed=9,
        expected=1.0,
        p_value=1e-6,
        reasons=[],
        detector="test",
        raised_at=hour,
        **more,
    )
    session.add(one)
    session.flush()
    return one


def test_as_many_of_each_level_and_each_stands_for_its_share(session, now, read):
    read(40, 0), read(8, 1), read(2, 2)
    made = draw_samples(session, now)
    assert len(made) == DAILY == 12
    by_level = {level: [one for one in made if one.machine_level == level] for level in range(3)}
    assert [len(by_level[level]) for level in range(3)] == [5, 5, 2]
    assert [by_level[level][0].stood_for for level in range(3)] == [8, 1.6, 1]
    assert {one.day for one in made} == {YESTERDAY.date()}
    assert sum(one.stood_for for one in made) == pytest.approx(50)


def test_a_day_is_drawn_from_once_and_would_fall_the_same_way_again(session, now, read):
    read(50)
    first = {one.post_id for one in draw_samples(session, now)}
    assert draw_samples(session, now + timedelta(hours=5)) == []
    session.execute(delete(Sample))
    assert {one.post_id for one in draw_samples(session, now)} == first
    session.execute(delete(Sample))
    session.execute(
        Post.__table__.update().values(collected_at=YESTERDAY + DAY)
    )  # another day: another lot
    assert {one.post_id for one in draw_samples(session, now + DAY)} != first


def test_the_order_does_not_tell_the_level(session, now, read):
    for level in range(3):
        read(9, level)
    levels = [one.machine_level for one in draw_samples(session, now)]
    assert sorted(levels) == [0] * 4 + [1] * 4 + [2] * 4
    assert levels != [2, 1, 0] * 4


def test_only_what_raised_nothing_is_drawn(session, now, read, say):
    flagged, dismissed, confirmed, old = (tell(session, now, str(n)) for n in range(4))
    merged = tell(session, now, "merged", merged_into=flagged.id)
    flag(session, YESTERDAY, merged)  # open: it speaks for the keeper's posts
    decide(session, flag(session, YESTERDAY, dismissed), "dismissed", "A film", 1, now)
    decide(session, flag(session, YESTERDAY, confirmed), "confirmed", "", 1, now)
    flag(session, YESTERDAY - 20 * DAY, old)  # nobody recorded its end, but it is long over
    read(3, 0, narrative=flagged), read(3, 1, narrative=confirmed)
    wanted = read(1, 0, narrative=dismissed) + read(1, 2, narrative=old) + read(1, 1)
    read(2, 3), read(2, 4)  # the machine found these
    alone = read(1, 2)[0]
    flag(session, YESTERDAY, kind="life_safety", copy_of=alone, post_id=alone)
    read(2, 0, at=YESTERDAY - DAY), read(2, 0, at=YESTERDAY + DAY)
    read(1, 0, text="")  # nothing to look at
    say(session, "unread", "Not read yet", YESTERDAY)
    assert {one.post_id for one in draw_samples(session, now)} == set(wanted)


def test_a_flag_of_the_day_before_or_after_speaks_for_the_day(session, now, read):
    before, after, cleared, going = (tell(session, now, str(n)) for n in range(4))
    day = YESTERDAY.replace(hour=0)
    hour = timedelta(hours=1)
    flag(session, day - 5 * DAY, before, cleared_hour=day - DAY)
    flag(session, day + 2 * DAY - hour, after)
    flag(session, day - 5 * DAY, cleared, cleared_hour=day - DAY - hour)
    flag(session, day + 2 * DAY, going)
    read(1, narrative=before), read(1, narrative=after)
    free = read(1, narrative=cleared) + read(1, narrative=going)
    assert {one.post_id for one in draw_samples(session, now)} == set(free)


def test_an_empty_day_draws_nothing(session, now):
    assert draw_samples(session, now) == []
    assert next_label(session, 1, now) is None
    found = missed(session, now)
    assert (found.drawn, found.answers, found.known) == (0, 0, False)


def once(session):
    """A sample that one person answers."""
    return add(session, twice=False)


def add(session, level=0, stood_for=10.0, twice=False, day=None, post=True):
    post_id = session.scalars(select(Post.id).where(~Post.id.in_(_taken()))).first()
    sample = Sample(
        post_id=post_id if post else None,
        day=day or YESTERDAY.date(),
        machine_level=level,
        stood_for=stood_for,
        twice=twice,
    )
    session.add(sample)
    session.flush()
    return sample


def _taken():
    return select(func.coalesce(Sample.post_id, 0))


def test_each_is_asked_once_and_what_one_cannot_tell_another_is_asked(session, now, read):
    read(2)
    first, second = once(session), once(session)
    assert next_label(session, 1, now) is first
    label(session, first, None, 1, now)
    assert next_label(session, 1, now) is second
    assert next_label(session, 2, now) is first
    label(session, first, 3, 2, now)
    assert next_label(session, 2, now) is second
    assert next_label(session, 3, now) is second
    assert waiting(session, now) == 1
    label(session, second, 0, 1, now)
    assert next_label(session, 3, now) is None
    assert waiting(session, now) == 0


def test_a_removed_post_leaves_its_unanswered_sample_out(session, now, read):
    post, answered = read(2)
    sample, other = once(session), once(session)
    kept = sample if sample.post_id == answered else other
    lost = other if kept is sample else sample
    label(session, kept, 1, 1, now)
    session.execute(delete(Post))
    session.expire_all()
    assert (lost.post_id, kept.post_id) == (None, None)
    assert post_of(session, lost) is None
    assert next_label(session, 1, now) is None
    with pytest.raises(SampleGoneError):
        label(session, lost, 0, 1, now)
    found = missed(session, now)
    assert (found.drawn, found.answers, found.gone) == (2, 1, 1)
    assert post != answered


def test_nobody_answers_twice_nor_after_it_was_settled(session, now, read):
    read(1)
    sample = once(session)
    label(session, sample, 2, 1, now)
    with pytest.raises(ValueError, match="before"):
        label(session, sample, 0, 1, now)
    with pytest.raises(AnsweredMeanwhileError):
        label(session, sample, 0, 2, now)
    assert session.scalars(select(SampleAnswer.level)).all() == [2]


@pytest.mark.parametrize("level", [-1, 5, 99])
def test_a_level_is_one_of_the_codebooks(session, now, read, level):
    read(1)
    with pytest.raises(ValueError, match="M0 to M4"):
        label(session, once(session), level, 1, now)


def test_two_people_code_some_in_full(session, now, read):
    read(1)
    sample = add(session, twice=True)
    with pytest.raises(ValueError, match="whole codebook"):
        label(session, sample, 2, 1, now)
    fields = MessageFields(target_kind="group", hallmarks={"H1": 2})
    answer = label(session, sample, 0, 1, now, fields)
    assert answer.level == 2  # what the fields come to, whatever was said
    assert answer.fields["hallmarks"] == {"H1": 2}
    assert next_label(session, 1, now) is None
    assert next_label(session, 2, now) is sample
    assert waiting(session, now) == 0  # nobody has to: the estimate has its answer
    label(session, sample, 0, 2, now, MessageFields())
    with pytest.raises(AnsweredMeanwhileError):
        label(session, sample, 0, 3, now, MessageFields())
    assert missed(session, now).answers == 1


def test_two_people_at_the_same_moment(sessions, now, say):
    with sessions.begin() as session:
        say(session, "a", "Words", YESTERDAY)
        sample_id = once(session).id
    together = Barrier(2)

    def answer(person):
        with sessions() as session:
            sample = session.get_one(Sample, sample_id)
            together.wait(10)
            try:
                label(session, sample, person, person, now)
                session.commit()
            except AnsweredMeanwhileError:
                return "late"
            return "first"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(answer, (1, 2))) == ["first", "late"]


def test_old_samples_are_not_asked_about(session, now, read):
    read(1)
    add(session, day=(now - timedelta(days=15)).date())
    assert next_label(session, 1, now) is None


def answered(session, now, level, stood_for, said):
    for one in said:
        sample = add(session, level, stood_for, post=False)
        session.add(SampleAnswer(sample_id=sample.id, level=one, by=1, at=now))
    session.flush()


def test_below_a_hundred_answers_nobody_can_tell(session, now):
    answered(session, now, 0, 10, [0] * 99)
    found = missed(session, now)
    assert (found.answers, found.known, found.per_thousand) == (99, False, None)
    answered(session, now, 0, 10, [0])
    found = missed(session, now)
    assert (found.per_thousand, found.low) == (0, 0)
    assert found.high == pytest.approx(36.2, abs=0.1)  # the exact bound: 1 - 0.025^(1/100)


def test_each_level_weighs_as_many_posts_as_it_stands_for(session, now):
    answered(session, now, 0, 90, [0] * 50)  # 4,500 posts
    answered(session, now, 2, 10, [3] * 10 + [2] * 40)  # 500 posts, a fifth of them missed
    found = missed(session, now)
    assert found.per_thousand == pytest.approx(1000 * (0.9 * 0 + 0.1 * 0.2))
    low, high = clopper_pearson(10, 50)
    none = clopper_pearson(0, 50)[1]
    assert found.low == pytest.approx(1000 * (0.02 - 0.1 * (0.2 - low)))
    by_hand = 0.02 + ((0.9 * none) ** 2 + (0.1 * (high - 0.2)) ** 2) ** 0.5
    assert found.high == pytest.approx(1000 * by_hand)
    assert [one.missed for one in found.strata] == [0, 10]


def test_uneven_weights_make_fewer_answers(session, now):
    answered(session, now, 0, 1, [0] * 100)
    even = missed(session, now)
    answered(session, now, 0, 1000, [0])
    uneven = missed(session, now)
    assert uneven.high > 10 * even.high  # one answer now speaks for nearly all
    assert uneven.strata[0].high < 1


def test_a_level_nobody_looked_at_leaves_it_open(session, now):
    answered(session, now, 0, 10, [0] * 120)
    add(session, 2, 10, post=False)
    found = missed(session, now)
    assert not found.known
    assert found.strata[1].rate is None


def test_the_interval_holds_the_truth_about_as_often_as_it_says(session, now):
    """By simulation: 3 in 1,000 at M0, 2 in 100 at M1, 1 in 10 at M2."""
    rng = np.random.default_rng(7)
    truth = 1000 * (0.9 * 0.003 + 0.08 * 0.02 + 0.02 * 0.1)
    held = 0
    for _ in range(30):
        session.execute(delete(SampleAnswer))
        session.execute(delete(Sample))
        for level, posts, chance in ((0, 9000, 0.003), (1, 800, 0.02), (2, 200, 0.1)):
            said = [3 if rng.random() < chance else 0 for _ in range(40)]
            answered(session, now, level, posts / 40, said)
        found = missed(session, now)
        held += found.low <= truth <= found.high
    assert held >= 27
