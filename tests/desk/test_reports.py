"""Anybody reports and monitors decide; machine's flags and people's reports look different."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from desk.models import Channel, Notice
from desk.notices.announce import announce
from desk.wiring import Wiring
from desk.wording import wording
from monitor.models import Flag, FlagDecision, Reading
from tests.desk.conftest import Cast, Client
from tests.desk.test_pages import furnished  # noqa: F401

HOSTILE = '<img src=x onerror="alert(1)">'
POST = {"address": "https://gazette.example/1", "reason": "They name my street"}


def reported(wiring: Wiring) -> list[Flag]:
    with wiring.sessions() as session:
        return list(session.scalars(select(Flag).where(Flag.kind == "report")))


def test_a_leader_reports_a_pasted_post_and_hears_what_came_of_it(
    furnished: Wiring,  # noqa: F811
    cast: Cast,
    client: Client,
) -> None:
    ruth, maya = client(cast.leader), client(cast.monitor)
    answer = ruth.post("/reports", data=POST | {"reason": f"Look {HOSTILE}"})
    (flag,) = reported(furnished)
    path = f"/flags/{flag.id}"
    assert answer.headers["location"] == path
    assert flag.raised_by == cast.leader.id
    queue = maya.get("/queue?source=people").text
    assert queue.count("data-row") == 1
    assert HOSTILE not in queue
    assert "by Ruth" in queue
    assert "Ruth asks: does somebody need protection?" in maya.get(path).text
    assert "What people reported" in maya.get("/").text
    assert "Your reports" not in maya.get("/").text
    mine = ruth.get("/").text
    assert "Your reports" in mine
    assert "What people reported" in mine
    assert ruth.post(f"{path}/decision", data={"decision": "confirmed"}).status_code == 403
    form = {"decision": "dismissed", "reason": "A street in a film"}
    assert maya.post(f"{path}/decision", data=form).status_code == 303
    assert "A street in a film" in ruth.get("/").text
    assert "Maya" in ruth.get(path).text


def test_a_refused_report_keeps_its_words(
    furnished: Wiring,  # noqa: F811
    cast: Cast,
    client: Client,
) -> None:
    ruth = client(cast.leader)
    form = {"address": "https://unknown.example/9", "reason": "My words", "urgent": "1"}
    answer = ruth.post("/reports", data=form)
    assert answer.status_code == 422
    assert "The desk holds no post of that address" in answer.text
    assert ">My words</textarea>" in answer.text
    assert 'value="https://unknown.example/9"' in answer.text
    assert 'name="urgent" value="1" checked' in answer.text
    answer = ruth.post("/reports", data={"narrative": "1", "reason": " "})
    assert answer.status_code == 422
    assert 'name="narrative" value="1"' in answer.text
    assert reported(furnished) == []
    assert ruth.post("/reports", data={"post": "77", "reason": "x"}).status_code == 404
    assert ruth.get("/reports/new?narrative=x").status_code == 404


def test_the_second_who_reports_the_same_is_led_to_the_first(
    furnished: Wiring,  # noqa: F811
    cast: Cast,
    client: Client,
) -> None:
    client(cast.leader).post("/reports", data={"narrative": "1", "reason": "It rises"})
    answer = client(cast.comms).post("/reports", data={"narrative": "1", "reason": "I see it too"})
    assert answer.status_code == 409
    (flag,) = reported(furnished)
    assert f'href="/flags/{flag.id}"' in answer.text
    assert "I see it too" in answer.text
    assert "Ruth" in answer.text


@pytest.mark.parametrize("urgent", [False, True])
def test_who_is_told_and_that_it_is_a_report(
    furnished: Wiring,  # noqa: F811
    cast: Cast,
    client: Client,
    urgent: bool,
) -> None:
    with furnished.sessions.begin() as session:
        for flag in session.scalars(select(Flag).where(~Flag.decision.has())):
            flag.decision = FlagDecision(decision="dismissed", reason="x", by=1, at=flag.raised_at)
    form = POST | ({"urgent": "1"} if urgent else {})
    client(cast.duty_lead).post("/reports", data=form)
    client(cast.monitor).get("/me")  # the people's channels are there from their first visit
    noon = datetime.now(UTC).replace(hour=12)
    with furnished.sessions.begin() as session:
        announce(session, ZoneInfo("UTC"), noon)
        notices = session.scalars(select(Notice).where(Notice.kind == "flag")).all()
        told = {session.get_one(Channel, one.channel_id).person_id for one in notices}
        assert cast.duty_lead.id not in told  # she knows
        if not urgent:
            assert told == {cast.monitor.id}
            said = wording(notices[0], "https://desk.example")
            assert "a report waits for you" in said.subject
            assert POST["reason"] not in said.subject + said.body


def test_an_urgent_report_goes_first_and_waits_for_no_lease(
    furnished: Wiring,  # noqa: F811
    cast: Cast,
    client: Client,
) -> None:
    dana, maya = client(cast.duty_lead), client(cast.monitor)
    dana.post("/reports", data=POST | {"urgent": "1"})
    (flag,) = reported(furnished)
    assert maya.post("/queue/next").headers["location"] == f"/flags/{flag.id}"
    assert "Look at this now" in maya.get("/").text
    form = {"decision": "confirmed", "reason": "It is so"}
    assert dana.post(f"/flags/{flag.id}/decision", data=form).status_code == 303


def test_the_page_of_a_report_outlives_its_post(
    furnished: Wiring,  # noqa: F811
    cast: Cast,
    client: Client,
) -> None:
    client(cast.leader).post("/reports", data=POST)
    (flag,) = reported(furnished)
    with furnished.sessions.begin() as session:
        reading = session.get_one(Reading, flag.post_id)
        post = reading.post
        session.delete(reading)
        session.flush()
        session.delete(post)
    page = client(cast.monitor).get(f"/flags/{flag.id}")
    assert page.status_code == 200
    assert "The post has been removed since." in page.text
    assert "They name my street" in page.text
