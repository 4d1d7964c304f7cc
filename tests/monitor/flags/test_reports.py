"""A person's report is a flag of its own kind: with a reason, once, no measure of the machine."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from monitor.coding import quality
from monitor.flags import flags, reports
from monitor.flags.reports import AlreadyReportedError, report_narrative, report_post
from monitor.flags.waiting import waiting
from monitor.models import Flag, Narrative, Reading
from tests.monitor.made import Town

MAYA, RUTH = 1, 3


@pytest.fixture
def town(sessions, say, now):
    return Town(sessions, say, now)


@pytest.fixture
def told(town):
    """A narrative that stands."""
    return town.gather("bridge")


@pytest.fixture
def post(town):
    """A calm post that is in no narrative."""
    (one,) = town.tell("school")
    town.read()
    return one


def test_a_post_that_the_machine_read_as_calm(session, now, post):
    reading = session.get_one(Reading, post)
    flag = report_post(session, reading, "  Names my  street\n", False, RUTH, now)
    assert (flag.kind, flag.raised_by, flag.post_id, flag.level) == ("report", RUTH, post, 2)
    assert flag.reasons == [{"text": "Names my street", "post_id": post}]
    assert not flags.is_call(flag)
    assert waiting(session, MAYA, now).reported == [flag]
    with pytest.raises(AlreadyReportedError) as caught:
        report_post(session, reading, "So did I", True, MAYA, now)
    assert caught.value.flag is flag
    flags.decide(session, flag, "dismissed", "an old street", MAYA, now)
    again = report_post(session, reading, "It is not old", True, RUTH, now)
    assert flags.is_call(again)
    assert waiting(session, MAYA, now).calls == [again]


def test_a_narrative_that_somebody_reports_does_not_dissolve(session, now, told):
    session.get_one(Narrative, told).settled_at = None
    flag = report_narrative(session, session.get_one(Narrative, told), "Rising", False, RUTH, now)
    assert flag.narrative_id == told
    assert session.get_one(Narrative, told).settled_at == now
    with pytest.raises(AlreadyReportedError):
        report_narrative(session, session.get_one(Narrative, told), "Again", False, MAYA, now)
    assert flags.confirmation_of(session, session.get_one(Narrative, told)) is None
    flags.decide(session, flag, "confirmed", "seen", MAYA, now)
    confirmed = flags.confirmation_of(session, session.get_one(Narrative, told))
    assert confirmed is flag.decision


def test_one_that_was_merged_away_or_emptied_is_reported_no_more(session, now, told):
    narrative = session.get_one(Narrative, told)
    narrative.title = reports.REMOVED
    session.flush()
    with pytest.raises(ValueError, match="no more"):
        report_narrative(session, narrative, "Rising", False, RUTH, now)


@pytest.mark.parametrize("reason", ["", "  \n", "x" * (reports.REASON_CHARS + 1)])
def test_a_report_says_what_was_seen_and_not_everything(session, now, post, reason):
    with pytest.raises(ValueError, match="Say"):
        report_post(session, session.get_one(Reading, post), reason, False, RUTH, now)
    assert session.scalars(select(Flag)).all() == []


def test_who_reported_is_told_what_came_of_it(session, now, post, told):
    hers = report_post(session, session.get_one(Reading, post), "Look", False, RUTH, now)
    theirs = session.get_one(Narrative, told)
    report_narrative(session, theirs, "And here", False, MAYA, now)
    week = timedelta(days=7)
    assert waiting(session, RUTH, now - week).mine == [hers]
    flags.decide(session, hers, "confirmed", "It is so", MAYA, now)
    (answered,) = waiting(session, RUTH, now - week).mine
    assert answered.decision is not None
    assert waiting(session, RUTH, now + week).mine == []
    assert [one.raised_by for one in waiting(session, MAYA, now).reported] == [MAYA]


def test_no_measure_of_the_machine_counts_it(session, now, post):
    flag = report_post(session, session.get_one(Reading, post), "Look", False, RUTH, now)
    flags.decide(session, flag, "dismissed", "a film", MAYA, now)
    found = quality.precision(session, None)
    assert found["all"] == found["life safety"] == []
    assert [(one.confirmed, one.dismissed) for one in found["reports"]] == [(0, 1)]
    lead = quality.lead_time(session, None)
    assert (lead.to_flag.n, lead.confirmed) == (0, 0)
