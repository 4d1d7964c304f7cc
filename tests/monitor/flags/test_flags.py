"""One flag, one decision, whoever is faster."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from monitor.coding import situations
from monitor.coding.codebook import Situation
from monitor.flags import second_looks
from monitor.flags.flags import (
    FlagAlreadyDecidedError,
    confirmation_of,
    decide,
)
from monitor.flags.second_looks import LookedAlreadyError, look, state_of
from monitor.flags.waiting import waiting
from monitor.models import Flag, FlagDecision, SecondLook, SecondRequest
from tests.monitor.flagged import WISHES, add_flag, at_four, say_in

MAYA, DANA, RUTH = 1, 2, 3
GRAVE = Situation(2, 2, 1, 1)  # Z 6, n at least 3


def seconds(session, now):
    """The decisions that wait for a second person."""
    return [decision for _, decision in waiting(session, RUTH, now).seconds]


def test_open_flags_come_with_the_least_likely_first(session, now):
    likely, unlikely = add_flag(session, now, 0.009), add_flag(session, now, 0.0001)
    settled = add_flag(session, now, 0.00001)
    decide(session, settled, "confirmed", "", by=1, now=now)
    assert waiting(session, RUTH, now).rises == [unlikely, likely]


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


# Reasons that somebody will need


def test_from_d3_on_a_confirmation_says_what_was_seen(session, now):
    flag = add_flag(session, now)
    say_in(session, flag.narrative, now, fields=WISHES)
    decide(session, flag, "confirmed", "", by=MAYA, now=now)  # D2 to D3: D2 is certain
    higher = add_flag(session, now, hour=1)
    say_in(session, higher.narrative, now)
    with pytest.raises(ValueError, match="D3: say in one sentence"):
        decide(session, higher, "confirmed", " \n ", by=MAYA, now=now)
    assert higher.decision is None
    decide(session, higher, "confirmed", "Read at the source", by=MAYA, now=now)
    assert seconds(session, now) == []  # D3 asks for no second person


# Two people at D4


def test_at_d4_one_person_confirms_and_another_agrees(session, now):
    flag = at_four(session, now)
    decision = decide(session, flag, "confirmed", "They gather now", by=MAYA, now=now)
    assert state_of(decision) == "waits"
    assert decision.request.because == "danger"
    assert seconds(session, now) == [decision]
    with pytest.raises(ValueError, match="confirmed it yourself"):
        look(session, decision, "agrees", "Sure", by=MAYA, now=now)
    for says, reason, why in (
        ("maybe", "x", "agrees or disagrees"),
        ("agrees", "  ", "one sentence"),
        ("agrees", "x" * 601, "600 characters"),
    ):
        with pytest.raises(ValueError, match=why):
            look(session, decision, says, reason, by=DANA, now=now)
    made = look(session, decision, "agrees", "I  see it too", by=DANA, now=now)
    assert (made.by, made.first_by, made.reason) == (DANA, MAYA, "I see it too")
    assert state_of(decision) == "confirmed"
    assert seconds(session, now) == []
    with pytest.raises(LookedAlreadyError, match="Two people agree"):
        look(session, decision, "disagrees", "Not so", by=RUTH, now=now)


def test_where_two_differ_a_third_settles_it_either_way(session, now):
    for last, state in (("agrees", "confirmed"), ("disagrees", "overruled")):
        decision = decide(session, at_four(session, now), "confirmed", "So", by=MAYA, now=now)
        look(session, decision, "disagrees", "A song", by=DANA, now=now)
        assert state_of(decision) == "disputed"
        assert seconds(session, now) == [decision]
        with pytest.raises(LookedAlreadyError, match="given your word"):
            look(session, decision, "agrees", "Or not", by=DANA, now=now)
        look(session, decision, last, "I looked", by=RUTH, now=now)
        assert state_of(decision) == state
        assert seconds(session, now) == []
        standing = confirmation_of(session, decision.flag.narrative)
        assert standing == (decision if state == "confirmed" else None)


def test_a_single_post_at_life_safety_waits_too_and_stands_first(session, now):
    earlier = decide(session, at_four(session, now), "confirmed", "So", by=MAYA, now=now)
    alone = add_flag(session, now, hour=2)
    alone.kind, alone.copy_of, alone.level = "life_safety", 99, 4
    session.flush()
    later = now + timedelta(minutes=5)
    decision = decide(session, alone, "confirmed", "Names a place", by=MAYA, now=later)
    assert decision.request.because == "life_safety"
    assert seconds(session, now) == [decision, earlier]
    assert not second_looks.late(decision, later + second_looks.WITHIN)
    assert second_looks.late(decision, later + second_looks.WITHIN + timedelta(seconds=1))


def test_a_dismissal_asks_for_nobody(session, now):
    decision = decide(session, at_four(session, now), "dismissed", "A game", by=MAYA, now=now)
    assert (state_of(decision), decision.request) == ("dismissed", None)
    with pytest.raises(ValueError, match="asks for no second"):
        look(session, decision, "agrees", "So", by=DANA, now=now)


def test_what_comes_to_d4_after_it_was_confirmed_asks_then(session, now):
    flag = add_flag(session, now)
    narrative = flag.narrative
    narrative.settled_at = now
    say_in(session, narrative, now)
    decision = decide(session, flag, "confirmed", "Seen", by=MAYA, now=now)
    assert not second_looks.asked(session, decision, now)
    week = situations.week_of(now)
    situations.code(session, narrative, "", week, GRAVE, "A vigil is near", MAYA, now)
    assert second_looks.asked(session, decision, now)
    later = now + timedelta(hours=1)
    for _ in range(2):  # coded twice, asked once
        second_looks.ask(session, narrative, later)
    assert [one.at for one in session.scalars(select(SecondRequest))] == [later]
    assert seconds(session, now) == [decision]


def test_the_two_are_different_people_by_the_schema(session, now):
    decision = decide(session, at_four(session, now), "confirmed", "So", by=MAYA, now=now)
    row = {"decision_id": decision.id, "says": "agrees", "reason": "x", "at": now}
    for wrong in (
        {"by": MAYA, "first_by": MAYA},  # the same person
        {"by": MAYA, "first_by": DANA},  # who says that somebody else was first
        {"by": DANA, "first_by": MAYA, "reason": ""},
        {"by": DANA, "first_by": MAYA, "says": "perhaps"},
    ):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(insert(SecondLook).values(row | wrong))
    session.execute(insert(SecondLook).values(row | {"by": DANA, "first_by": MAYA}))


def test_two_second_people_at_the_same_moment(sessions, now):
    with sessions.begin() as session:
        made = decide(session, at_four(session, now), "confirmed", "So", by=MAYA, now=now).id
    together = Barrier(2)

    def click(person):
        with sessions() as session:
            decision = session.get_one(FlagDecision, made)
            together.wait(10)
            try:
                look(session, decision, "agrees", "Seen", by=person, now=now)
                session.commit()
            except LookedAlreadyError:
                return "late"
            return "second"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(click, (DANA, RUTH))) == ["late", "second"]
