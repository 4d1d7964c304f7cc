"""One flag, one decision, whoever is faster."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import numpy as np
import pytest
from sqlalchemy import select

from monitor.flags import FlagAlreadyDecidedError, confirmation_of, decide, open_flags
from monitor.models import Flag, FlagDecision, Narrative


def add_flag(session, now, p_value=0.001, hour=0):
    narrative = Narrative(
        title="Depot",
        centroid=np.ones(3, dtype=np.float32),
        embedder="none",
        size=3,
        first_post_at=now,
        last_post_at=now,
        created_at=now,
    )
    session.add(narrative)
    session.flush()
    flag = Flag(
        narrative_id=narrative.id,
        hour=now - timedelta(hours=hour),
        observed=5,
        expected=0.5,
        p_value=p_value,
        reasons=[],
        detector="test",
        raised_at=now,
    )
    session.add(flag)
    session.flush()
    return flag


def test_open_flags_come_with_the_least_likely_first(session, now):
    likely, unlikely = add_flag(session, now, 0.009), add_flag(session, now, 0.0001)
    settled = add_flag(session, now, 0.00001)
    decide(session, settled, "confirmed", "", by=1, now=now)
    assert open_flags(session) == [unlikely, likely]


def test_a_confirmation_is_remembered(session, now):
    flag = add_flag(session, now)
    assert confirmation_of(session, flag.narrative) is None
    made = decide(session, flag, "confirmed", "  seen at the source ", by=7, now=now)
    assert (made.by, made.at, made.reason) == (7, now, "seen at the source")
    assert flag.decision is made
    assert confirmation_of(session, flag.narrative) is made


def test_a_dismissal_needs_a_reason(session, now):
    flag = add_flag(session, now)
    with pytest.raises(ValueError, match="needs a reason"):
        decide(session, flag, "dismissed", "  ", by=1, now=now)
    with pytest.raises(ValueError, match="confirmed or dismissed"):
        decide(session, flag, "perhaps", "why not", by=1, now=now)
    decide(session, flag, "dismissed", "a film title", by=1, now=now)
    assert confirmation_of(session, flag.narrative) is None


def test_the_second_person_learns_who_was_first(session, now):
    flag = add_flag(session, now)
    decide(session, flag, "dismissed", "a film title", by=3, now=now)
    with pytest.raises(FlagAlreadyDecidedError) as caught:
        decide(session, flag, "confirmed", "", by=4, now=now + timedelta(minutes=1))
    assert (caught.value.by, caught.value.at) == (3, now)
    assert session.scalars(select(FlagDecision)).one().by == 3  # the session is still usable


def test_two_people_at_the_same_moment(sessions, now):
    with sessions.begin() as session:
        flag_id = add_flag(session, now).id
    together = Barrier(2)

    def click(person):
        with sessions() as session:
            flag = session.get_one(Flag, flag_id)
            together.wait(10)
            try:
                decide(session, flag, "confirmed", "", by=person, now=now)
                session.commit()
            except FlagAlreadyDecidedError as late:
                return "late", late.by
            return "first", person

    with ThreadPoolExecutor(2) as pool:
        answers = dict(pool.map(click, (1, 2)))
    assert set(answers) == {"first", "late"}
    assert answers["first"] == answers["late"]
