"""An alert goes out once, after two have looked, to a list of its side; and can be taken back."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from monitor.alerts import alert_clock, alert_course, alert_lists, alerts, cap
from monitor.alerts.alert_course import ClosedError
from monitor.alerts.cap import Card, Codes, Grade
from monitor.coding import rabat
from monitor.coding.codebook import MessageFields, Situation, as_stored
from monitor.coding.situations import code
from monitor.flags import flags, second_looks
from monitor.models import (
    Alert,
    AlertMessage,
    AlertRecipient,
    AlertStamp,
    AlertThreshold,
    Flag,
    Narrative,
    Reading,
)
from monitor.narratives.narratives import hour_of

MAYA, DANA, RUTH, LUIS = 1, 2, 3, 4
CARD = Card(
    headline="A crowd may come to the clerk's office tonight",
    what="Several accounts ask others to gather there and to bring bats.",
    where="Wayne County clerk's office, Detroit",
    when="Tonight about nine",
    how_sure="Seen at its source; nobody on the spot has confirmed it.",
    who="Clerk's staff and people who come to vote early",
    asked="Two mediators to be near from eight, and a call with the clerk.",
    not_to_do="Do not post about it; do not go alone.",
    signal="The clerk's office had two calls about it.",
)
CODES = Codes("Expected", "Severe", "Possible")
GRADE = Grade("V1", "F", 3, "I read the posts at their source")


@pytest.fixture
def live(session, now):
    made = alert_lists.make(session, "Wayne responders", False, MAYA, now)
    for person, tier in ((DANA, 1), (RUTH, 1), (LUIS, 2)):
        alert_lists.add(session, made, person, tier, MAYA, now)
    return made


@pytest.fixture
def exercise(session, now):
    made = alert_lists.make(session, "Drill", True, MAYA, now)
    alert_lists.add(session, made, DANA, 1, MAYA, now)
    return made


@pytest.fixture
def narrative(session, now, say):
    """A narrative with one post that condones violence, M3."""
    row = Narrative(
        title="Clerk",
        centroid=np.ones(3, dtype=np.float32),
        embedder="none",
        size=1,
        first_post_at=now - timedelta(hours=2),
        last_post_at=now,
        created_at=now,
        settled_at=now,
    )
    session.add(row)
    session.flush()
    post = say(session, "a1", "Somebody should burn the whole clerk's office down", now)
    put(session, row, post, MessageFields(target_kind="institution", act="kill", force="wish"), 3)
    return row


def put(session, narrative, post, fields, level):
    session.add(
        Reading(
            post_id=post.id,
            embedding=np.ones(3, dtype=np.float32),
            embedder="none",
            level=level,
            threat_level="none",
            stance="asserts",
            reasons=[],
            fields=as_stored(fields),
            scorer="none",
            narrative_id=narrative.id,
            hour=hour_of(post.posted_at),
            read_at=post.posted_at,
        )
    )
    session.flush()


def flag_on(session, narrative, now, decision="confirmed", by=MAYA, **more):
    flag = Flag(
        narrative_id=narrative and narrative.id,
        hour=hour_of(now),
        observed=5,
        expected=0.5,
        p_value=0.001,
        reasons=[],
        detector="test",
        raised_at=now - timedelta(minutes=30),
        posted_at=now - timedelta(hours=2),
        collected_at=now - timedelta(hours=1),
        **more,
    )
    session.add(flag)
    session.flush()
    if decision:
        flags.decide(session, flag, decision, "seen", by, now - timedelta(minutes=10))
    return flag


def situate(session, narrative, now, speaker=2, audience=2, context=1, reach=1):
    monday = (now - timedelta(days=now.weekday())).date()
    situation = Situation(speaker, audience, context, reach)
    code(session, narrative, "", monday, situation, "we know them", MAYA, now)


def send(session, now, to, flag=None, by=DANA, **changed):
    asked = {
        "card": CARD,
        "codes": CODES,
        "grade": GRADE,
        "exercise": to.exercise,
        "place": "",
        "stated_level": 2,
        "expires_at": now + timedelta(hours=8),
        "why_no_test": "It begins in an hour",
    }
    return alerts.send(session, alert_list=to, flag=flag, by=by, now=now, **asked | changed)


# Sending


def test_an_alert_goes_to_the_first_tier_with_its_clock_running(session, now, live, narrative):
    situate(session, narrative, now)
    alert = send(session, now, live, flag_on(session, narrative, now))
    assert {(one.person_id, one.tier) for one in alert.recipients} == {(DANA, 1), (RUTH, 1)}
    assert (alert.danger_level, alert.life_safety, alert.exercise) == (3, False, False)
    (said,) = alert.messages
    assert (said.kind, said.scope, said.urgency) == ("Alert", "Restricted", "Expected")
    assert said.card["headline"] == CARD.headline
    assert [one.stage for one in alert.stamps] == [0, 1, 2, 3, 4, 5]
    assert alerts.open_alerts(session) == [alert]
    assert alerts.unacknowledged(session, DANA) == [alert]
    assert alerts.unacknowledged(session, LUIS) == []


def test_while_the_situation_is_unknown_nothing_goes_out_above_concern(
    session, now, live, narrative
):
    alert = send(session, now, live, flag_on(session, narrative, now))
    assert (alert.danger_level, alert.danger_high) == (2, 3)


def test_nobody_is_alerted_below_concern(session, now, live, narrative):
    session.execute(text("UPDATE readings SET fields = '{}', level = 0"))
    session.expire_all()
    with pytest.raises(ValueError, match="below D2"):
        send(session, now, live, flag_on(session, narrative, now))


@pytest.mark.parametrize("decision", [None, "dismissed"])
def test_a_flag_that_nobody_confirmed_sends_nothing(session, now, live, narrative, decision):
    with pytest.raises(ValueError, match="confirmed this flag"):
        send(session, now, live, flag_on(session, narrative, now, decision))


def test_above_concern_two_people_look(session, now, live, narrative):
    situate(session, narrative, now)
    flag = flag_on(session, narrative, now, by=DANA)
    with pytest.raises(ValueError, match="somebody else has to send"):
        send(session, now, live, flag, by=DANA)
    assert send(session, now, live, flag, by=RUTH).danger_level == 3


def test_above_concern_a_sign_on_the_spot_or_why_there_is_none(session, now, live, narrative):
    situate(session, narrative, now)
    flag = flag_on(session, narrative, now)
    with pytest.raises(ValueError, match="local or offline sign"):
        send(session, now, live, flag, card=replace(CARD, signal="  "))
    card = replace(CARD, signal="", no_signal="The centre does not answer its phone")
    assert send(session, now, live, flag, card=card).danger_level == 3


def test_at_d3_the_threshold_test_comes_first_or_a_reason(session, now, live, exercise, narrative):
    situate(session, narrative, now)
    flag = flag_on(session, narrative, now)
    with pytest.raises(ValueError, match="threshold test before anybody"):
        send(session, now, live, flag, why_no_test=" \n ")
    with pytest.raises(ValueError, match="threshold test"):
        send(session, now, live, flag, why_no_test="x" * 601)
    hurried = send(session, now, live, flag, why_no_test="It begins\nin an hour")
    assert session.get(AlertThreshold, hurried.id).why_none == "It begins in an hour"
    drill = send(session, now, exercise, flag, why_no_test="")  # a drill refers nobody
    assert session.get(AlertThreshold, drill.id) is None
    parts, why = dict.fromkeys(rabat.PARTS, 1), dict.fromkeys(rabat.PARTS, "As far as we know")
    test = rabat.assess(session, narrative, parts, why, MAYA, now)
    tested = session.get(AlertThreshold, send(session, now, live, flag, why_no_test="").id)
    assert (tested.assessment_id, tested.why_none) == (test.id, "")


def test_below_d3_no_threshold_test_is_asked_for(session, now, live, narrative):
    alert = send(session, now, live, flag_on(session, narrative, now), why_no_test="")
    assert alert.danger_level == 2
    assert session.get(AlertThreshold, alert.id) is None


def test_what_is_d3_for_certain_asks_for_it_though_it_goes_out_as_concern(
    session, now, live, narrative, say
):
    post = say(session, "a2", "Gather at the depot with clubs", now)
    urges = MessageFields(target_kind="group", act="assault", force="urge")
    put(session, narrative, post, urges, 4)
    flag = flag_on(session, narrative, now)  # D3 to D4, provisional
    with pytest.raises(ValueError, match="At D3 a person fills in"):
        send(session, now, live, flag, why_no_test="")
    assert send(session, now, live, flag).danger_level == 2


def test_a_warning_waits_for_no_second_person_but_for_the_third(session, now, live, narrative, say):
    post = say(session, "a2", "Gather at the depot right now with clubs", now)
    urges = MessageFields(target_kind="group", act="assault", force="urge", imminence="now")
    put(session, narrative, post, urges, 4)
    situate(session, narrative, now)
    flag = flag_on(session, narrative, now)
    assert send(session, now, live, flag).danger_level == 4  # one confirmed, another sends
    second_looks.look(session, flag.decision, "disagrees", "A game", RUTH, now)
    with pytest.raises(ValueError, match="a third looks"):
        send(session, now, live, flag)
    alone = flag_on(session, None, now, kind="life_safety", level=4)
    second_looks.look(session, alone.decision, "disagrees", "A game", RUTH, now)
    assert send(session, now, live, alone, why_no_test="").life_safety  # whoever is in danger
    second_looks.look(session, alone.decision, "disagrees", "A game it is", LUIS, now)
    with pytest.raises(ValueError, match="nobody is alerted"):
        send(session, now, live, alone)


def test_life_safety_goes_out_alone_and_at_once(session, now, live):
    flag = flag_on(session, None, now, by=DANA, kind="life_safety", level=4)
    card = replace(CARD, signal="")
    alert = send(session, now, live, flag, by=DANA, card=card, grade=replace(GRADE, level="V0"))
    assert (alert.danger_level, alert.life_safety) == (4, True)


def test_what_people_report_is_stated_and_above_concern_needs_its_sign(session, now, live):
    with pytest.raises(ValueError, match="say which"):
        send(session, now, live, stated_level=4, card=replace(CARD, signal="", no_signal="none"))
    assert send(session, now, live, stated_level=4).danger_level == 4
    with pytest.raises(ValueError, match="how grave"):
        send(session, now, live, stated_level=1)


def test_nothing_goes_out_that_nobody_has_seen(session, now, live):
    with pytest.raises(ValueError, match="V0"):
        send(session, now, live, grade=replace(GRADE, level="V0"))


@pytest.mark.parametrize("key", [key for key in cap.CARD if key not in cap.OPTIONAL])
def test_every_line_of_the_card_is_needed_and_short(session, now, live, key):
    name, most = cap.CARD[key]
    with pytest.raises(ValueError, match=f"“{name}” is empty"):
        send(session, now, live, card=replace(CARD, **{key: " \n "}))
    with pytest.raises(ValueError, match=f"{most} fit"):
        send(session, now, live, card=replace(CARD, **{key: "x" * (most + 1)}))


@pytest.mark.parametrize(
    "words", ["see https://x.example/1", "by @loud.bsky.social", "from u/someone", "WWW.x.example"]
)
def test_no_link_and_no_handle_goes_into_an_alert(session, now, live, words):
    with pytest.raises(ValueError, match="link or a handle"):
        send(session, now, live, card=replace(CARD, what=words))


def test_no_words_of_a_post_go_into_an_alert(session, now, live, narrative):
    flag = flag_on(session, narrative, now)
    words = "They write that somebody should BURN the whole clerk’s office"
    with pytest.raises(ValueError, match="stands in a post"):
        send(session, now, live, flag, card=replace(CARD, what=words))
    post = session.query(Reading).one().post_id
    alone = flag_on(session, None, now, kind="life_safety", level=4, post_id=post, copy_of=post)
    with pytest.raises(ValueError, match="stands in a post"):
        send(session, now, live, alone, card=replace(CARD, what=words))


def test_an_alert_on_a_merged_narrative_is_judged_by_the_one_that_stands(
    session, now, live, narrative
):
    old = Narrative(
        title="Old",
        centroid=np.ones(3, dtype=np.float32),
        embedder="none",
        size=0,
        first_post_at=now,
        last_post_at=now,
        created_at=now,
        settled_at=now,
        merged_into=narrative.id,
    )
    session.add(old)
    session.flush()
    alert = send(session, now, live, flag_on(session, old, now))
    assert alert.danger_level == 2
    assert alerts.alerts_on(session, flag_on(session, narrative, now, level=3)) == [alert]


@pytest.mark.parametrize("hours", [0, -1, 24 * 30 + 1])
def test_an_alert_expires_in_time(session, now, live, hours):
    with pytest.raises(ValueError, match="thirty days"):
        send(session, now, live, expires_at=now + timedelta(hours=hours))


def test_codes_and_grades_are_on_their_scales():
    with pytest.raises(ValueError, match="how urgent"):
        Codes("Soon", "Severe", "Possible")
    for wrong in ({"level": "V5"}, {"reliability": "G"}, {"credibility": 7}, {"why": " "}):
        with pytest.raises(ValueError, match=r"Choose how far|Grade the|Say by"):
            replace(GRADE, **wrong)


# Exercises


def test_an_exercise_reaches_no_live_list_and_a_real_alert_no_exercise(
    session, now, live, exercise
):
    for to in (live, exercise):
        with pytest.raises(ValueError, match="exercises alone"):
            send(session, now, to, exercise=not to.exercise)
    with pytest.raises(ValueError, match="say which"):  # it is played by the rules
        send(session, now, exercise, stated_level=4, card=replace(CARD, signal=""))
    alert = send(session, now, exercise, stated_level=4)
    assert alert.exercise
    assert b"<status>Exercise</status>" in cap.as_cap(alert.messages[0], [], "Desk")
    with pytest.raises(IntegrityError), session.begin_nested():  # nor by any other way
        session.execute(text("UPDATE alerts SET list_id = :live"), {"live": live.id})
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text("UPDATE alert_lists SET exercise = NOT exercise"))


def test_a_list_without_people_gets_nothing(session, now):
    empty = alert_lists.make(session, "Empty", False, MAYA, now)
    with pytest.raises(ValueError, match="Nobody is on"):
        send(session, now, empty)
    member = alert_lists.add(session, empty, DANA, 1, MAYA, now)
    alert_lists.remove(session, member, MAYA, now)
    with pytest.raises(ValueError, match="Nobody is on"):
        send(session, now, empty)
    assert alert_lists.add(session, empty, DANA, 2, MAYA, now).tier == 2  # and back again


def test_lists_are_named_once_and_hold_a_person_once(session, now, live):
    for name, why in (("", "Name the list"), ("x" * 81, "80"), ("Wayne  responders", "already")):
        with pytest.raises(ValueError, match=why):
            alert_lists.make(session, name, False, MAYA, now)
    with pytest.raises(ValueError, match="on this list already"):
        alert_lists.add(session, live, DANA, 2, MAYA, now)
    with pytest.raises(ValueError, match="1 to 5"):
        alert_lists.add(session, live, 9, 6, MAYA, now)
    assert [one.name for one in alert_lists.lists(session)] == ["Wayne responders"]


# The course


def test_who_has_it_says_so_once(session, now, live):
    alert = send(session, now, live)
    later = now + timedelta(minutes=7)
    alert_course.acknowledge(session, alert, RUTH, later)
    alert_course.acknowledge(session, alert, RUTH, later + timedelta(hours=1))
    alert_course.acknowledge(session, alert, DANA, later + timedelta(hours=1))
    at = {one.stage: one.at for one in alert.stamps}
    assert at[alert_clock.ACKNOWLEDGED] == later
    with pytest.raises(ValueError, match="did not go to you"):
        alert_course.acknowledge(session, alert, LUIS, later)


@pytest.mark.parametrize(("level", "minutes"), [(4, 30), (3, 240), (2, 24 * 60)])
def test_the_next_tier_is_told_when_nobody_answers(session, now, live, level, minutes):
    alert_lists.add(session, live, 9, 4, MAYA, now)
    send(session, now, live, stated_level=level)
    almost = now + timedelta(minutes=minutes, seconds=-1)
    assert alert_course.escalate(session, almost) == []
    due = now + timedelta(minutes=minutes)
    assert [one.person_id for one in alert_course.escalate(session, due)] == [LUIS]
    assert alert_course.escalate(session, due) == []  # once, and they have their own time
    last = due + timedelta(minutes=minutes)
    assert [one.person_id for one in alert_course.escalate(session, last)] == [9]
    assert alert_course.escalate(session, last + timedelta(days=9)) == []


def test_an_answer_or_an_end_stops_the_escalation(session, now, live):
    for stop in (
        lambda one: alert_course.acknowledge(session, one, DANA, now),
        lambda one: alert_course.close(session, one, "duplicate", "As before", DANA, now),
    ):
        stop(send(session, now, live, stated_level=4))
    session.flush()
    assert alert_course.escalate(session, now + timedelta(days=2)) == []


def test_an_update_reaches_all_who_got_it_also_those_told_later(session, now, live):
    alert = send(session, now, live, stated_level=4)
    alert_course.escalate(session, now + timedelta(hours=1))
    alerts.update(session, alert, CARD, CODES, None, DANA, now + timedelta(hours=2))
    session.expire_all()
    assert [one.kind for one in alert.messages] == ["Alert", "Update"]
    assert {one.person_id for one in alert.recipients} == {DANA, RUTH, LUIS}
    with pytest.raises(ValueError, match="local or offline sign"):
        alerts.update(session, alert, replace(CARD, signal=""), CODES, None, DANA, now)


def test_an_alert_is_taken_back_before_all_who_got_it(session, now, live):
    alert = send(session, now, live)
    alerts.cancel(session, alert, "It was a film title.", "false_alarm", DANA, now)
    last = alert.messages[-1]
    assert (last.kind, last.urgency, last.certainty) == ("Cancel", "Past", "Unlikely")
    assert last.card["headline"].startswith("Taken back: A crowd")
    assert last.card["what"] == "It was a film title."
    assert last.card["asked"] == alerts.STOP
    assert alert.outcome.code == "false_alarm"
    assert alerts.open_alerts(session) == []
    assert [one.id for one in alerts.closed_alerts(session, now)] == [alert.id]
    for again in ("x", " "):
        with pytest.raises(ValueError, match="taken back"):
            alerts.cancel(session, alert, again, "false_alarm", DANA, now)
    with pytest.raises(ClosedError):
        alerts.update(session, alert, CARD, CODES, None, DANA, now)


def test_a_closed_alert_can_still_be_taken_back_and_keeps_its_code(session, now, live):
    alert = send(session, now, live)
    alert_course.close(session, alert, "acted_no_change", "Talked to all", DANA, now)
    alerts.cancel(session, alert, "We mixed up two places.", "false_alarm", DANA, now)
    assert alert.outcome.code == "acted_no_change"
    assert alert.messages[-1].kind == "Cancel"


def test_two_who_take_it_back_at_once_do_it_once(sessions, now):
    with sessions.begin() as session:
        to = alert_lists.make(session, "Live", False, MAYA, now)
        alert_lists.add(session, to, DANA, 1, MAYA, now)
        alert_id = send(session, now, to).id
    together = Barrier(2)

    def take_back(by):
        with sessions() as session:
            alert = session.get_one(Alert, alert_id)
            together.wait(10)
            try:
                alerts.cancel(session, alert, "A mistake", "false_alarm", by, now)
                session.commit()
            except ValueError:
                return "late"
            return "first"

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(take_back, (DANA, RUTH))) == {"first", "late"}
    with sessions() as session:
        assert session.query(AlertMessage).filter_by(kind="Cancel").count() == 1


def test_grades_keep_their_history(session, now, live):
    alert = send(session, now, live)
    better = Grade("V3", "B", 1, "The convening centre called")
    alert_course.verify(session, alert, better, RUTH, now + timedelta(hours=1))
    assert [(one.level, one.reliability) for one in alert.verifications] == [
        ("V1", "F"),
        ("V3", "B"),
    ]
    assert alert.verifications[-1].by == RUTH
    at = {one.stage: one.at for one in alert.stamps}
    assert at[alert_clock.VERIFIED] == now  # the first time counts


def test_an_alert_is_answered_closed_and_looked_back_on(session, now, live):
    alert = send(session, now, live)
    with pytest.raises(ValueError, match="Close it first"):
        alert_course.review(session, alert, "x", DANA, now)
    chosen = alert_clock.RESPONSE_CHOSEN
    alert_course.respond(session, alert, chosen, "Two mediators", DANA, now)
    with pytest.raises(ValueError, match="stamped already"):
        alert_course.respond(session, alert, chosen, "Three", DANA, now)
    with pytest.raises(ValueError, match="Say what was chosen"):
        alert_course.respond(session, alert, alert_clock.SENT, "x", DANA, now)
    alert_course.respond(session, alert, alert_clock.ENGAGED, "They are there", RUTH, now)
    with pytest.raises(ValueError, match="what came of it"):
        alert_course.close(session, alert, "won", "x", DANA, now)
    alert_course.close(session, alert, "acted_tension_reduced", "All went home", DANA, now)
    with pytest.raises(ClosedError, match="tension went down"):
        alert_course.close(session, alert, "unknown", "x", RUTH, now)
    with pytest.raises(ClosedError):
        alert_course.respond(session, alert, alert_clock.ENGAGED, "x", RUTH, now)
    alert_course.review(session, alert, "Call the clerk earlier", DANA, now)
    with pytest.raises(ValueError, match="reviewed already"):
        alert_course.review(session, alert, "x", DANA, now)
    assert [one.stage for one in alert.stamps] == [4, 5, 7, 8, 9, 10]


def test_a_narrative_stamps_its_open_real_alerts(session, now, live, exercise, narrative):
    flag = flag_on(session, narrative, now)
    stamped, drill = send(session, now, live, flag), send(session, now, exercise, flag)
    closed = send(session, now, live, flag)
    alert_course.close(session, closed, "duplicate", "x", DANA, now)
    for note in ("norm statement", "another"):
        alert_clock.stamp_narrative(
            session, narrative, alert_clock.RESPONSE_CHOSEN, now, MAYA, note
        )
    notes = [
        {one.stage: one.note for one in alert.stamps}.get(alert_clock.RESPONSE_CHOSEN)
        for alert in (stamped, drill, closed)
    ]
    assert notes == ["norm statement", None, None]


# The clock


def test_intervals_run_against_their_targets(session, now, live):
    alert = send(session, now, live, stated_level=4)
    late = now + timedelta(minutes=31)
    (waits,) = [one for one in alert_clock.intervals(alert.stamps, 4, late, False) if one.running]
    assert (waits.start, waits.end, waits.late) == (5, 6, True)
    (waits,) = [one for one in alert_clock.intervals(alert.stamps, 3, late, False) if one.running]
    assert not waits.late
    assert not any(one.running for one in alert_clock.intervals(alert.stamps, 4, late, True))


@given(st.dictionaries(st.integers(0, 10), st.integers(-1000, 1000)), st.booleans())
def test_intervals_are_never_negative_and_name_reached_stages(stages, closed):
    start = datetime(2026, 11, 23, tzinfo=UTC)
    stamps = [
        AlertStamp(alert_id=1, stage=stage, at=start + timedelta(minutes=minutes))
        for stage, minutes in stages.items()
    ]
    found = alert_clock.intervals(stamps, 4, start + timedelta(days=1), closed)
    assert all(one.took >= timedelta(0) for one in found)
    assert all(one.start in stages for one in found)
    assert all((one.end in stages) != one.running for one in found)
    assert len({(one.start, one.end) for one in found}) == len(found)
    assert len(found) >= max(0, len(stages) - 1)


# As others' systems read it


def test_a_message_is_a_cap_document(session, now, live):
    hostile = replace(CARD, what="</info> & <b> \u202e")
    alert = send(session, now, live, card=hostile, place="26163")
    alerts.update(session, alert, CARD, CODES, None, DANA, now)
    first, second = alert.messages
    space = {"cap": cap.NAMESPACE}
    root = ElementTree.fromstring(cap.as_cap(first, [], "Wayne <Desk>"))
    assert root.tag == f"{{{cap.NAMESPACE}}}alert"
    assert [one.tag.split("}")[1] for one in root] == [
        *("identifier", "sender", "sent", "status", "msgType", "scope", "restriction", "info")
    ]
    assert root.findtext("cap:sent", namespaces=space) == "2026-11-23T15:00:00+00:00"
    info = root.find("cap:info", space)
    assert "</info> & <b>" in info.findtext("cap:description", namespaces=space)
    assert info.findtext("cap:area/cap:geocode/cap:value", namespaces=space) == "026163"
    root = ElementTree.fromstring(cap.as_cap(second, [first], "Desk"))
    refers = root.findtext("cap:references", namespaces=space)
    assert refers == f"breakwater,{first.identifier},2026-11-23T15:00:00+00:00"


def test_a_recipient_is_told_of_once(session, now, live):
    alert = send(session, now, live)
    with pytest.raises(IntegrityError), session.begin_nested():
        session.add(AlertRecipient(alert_id=alert.id, person_id=DANA, tier=1, added_at=now))
