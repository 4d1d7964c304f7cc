"""Alerts at the desk: sent by one, read and answered on a phone by another, taken back again."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import select

from desk import people
from desk.models import Person
from desk.wiring import Wiring
from monitor.alerts import alert_lists
from monitor.models import Alert, AlertMessage, Flag
from tests.desk.conftest import Cast, Client

FORM = {
    "headline": "A crowd may come to the clerk's office tonight",
    "what": "Several accounts ask others to gather there.",
    "where": "Wayne County clerk's office",
    "when": "Tonight about nine",
    "how_sure": "Seen at its source, not confirmed.",
    "who": "Clerk's staff",
    "asked": "Two mediators to be near from eight.",
    "not_to_do": "Do not go alone.",
    "signal": "The office had two calls about it.",
    "urgency": "Expected",
    "severity": "Severe",
    "certainty": "Possible",
    "verification": "V1",
    "reliability": "F",
    "credibility": "3",
    "why": "I read it at its source",
    "level": "3",
    "place": "26163",
}


@pytest.fixture
def live(wiring: Wiring, cast: Cast) -> int:
    """A list: the duty lead's friend Ruth first, then Luis."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        made = alert_lists.make(session, "Wayne responders", False, cast.admin.id, now)
        alert_lists.add(session, made, cast.leader.id, 1, cast.admin.id, now)
        alert_lists.add(session, made, cast.other_leader.id, 2, cast.admin.id, now)
        return made.id


@pytest.fixture
def responder(wiring: Wiring) -> Person:
    with wiring.sessions.begin() as session:
        now = datetime.now(UTC)
        return people.add_person(session, "Rosa", "rosa@desk.example", ["responder"], None, now)


def sent(client: Client, cast: Cast, live: int, **changed: str) -> int:
    answer = client(cast.duty_lead).post("/alerts", data=FORM | {"list": str(live)} | changed)
    assert answer.status_code == 303, re.findall(r'role="alert">([^<]+)', answer.text)
    return int(answer.headers["location"].split("/")[-1])


def test_only_a_duty_lead_sends(client: Client, cast: Cast, live: int, responder: Person) -> None:
    for person in (cast.monitor, cast.comms, cast.leader, cast.admin, responder):
        for answer in (
            client(person).get("/alerts/new"),
            client(person).post("/alerts", data=FORM | {"list": str(live)}),
        ):
            assert answer.status_code == 403
    assert client(None).post("/alerts", data=FORM).status_code == 401
    number = sent(client, cast, live)
    for path in ("update", "cancellation", "outcome", "review"):
        answer = client(cast.monitor).post(f"/alerts/{number}/{path}", data={"why": "x"})
        assert answer.status_code == 403


def test_a_refused_alert_keeps_every_word(client: Client, cast: Cast, live: int) -> None:
    typed = FORM | {"list": str(live), "what": "See https://x.example", "expires_at": ""}
    answer = client(cast.duty_lead).post("/alerts", data=typed)
    assert answer.status_code == 422
    assert "link or a handle" in answer.text
    for key in ("headline", "where", "asked", "why", "what"):
        assert FORM[key].replace("'", "&#39;") in answer.text or "https://x.example" in answer.text
    assert re.search(r'value="V1" selected', answer.text)
    assert re.search(r'name="level" value="3" checked', answer.text)
    for wrong in ({"place": "99999"}, {"list": "77"}, {"expires_at": "never"}, {"urgency": "x"}):
        assert client(cast.duty_lead).post("/alerts", data=typed | wrong).status_code == 422


def test_who_may_read_an_alert(
    client: Client, cast: Cast, live: int, responder: Person, wiring: Wiring
) -> None:
    number = sent(client, cast, live)
    assert client(cast.monitor).get(f"/alerts/{number}").status_code == 200
    rosa = client(responder)
    assert rosa.get(f"/alerts/{number}").status_code == 403
    assert FORM["where"] not in rosa.get("/alerts").text.replace("&#39;", "'")
    assert rosa.post(f"/alerts/{number}/acknowledgement").status_code == 403
    with wiring.sessions.begin() as session:
        to = alert_lists.make(session, "Rosa", False, 1, datetime.now(UTC))
        alert_lists.add(session, to, responder.id, 1, 1, datetime.now(UTC))
        hers = to.id
    number = sent(client, cast, hers)
    assert "Alerts for you" in rosa.get("/").text
    assert rosa.get(f"/alerts/{number}").status_code == 200
    assert rosa.post(f"/alerts/{number}/acknowledgement").status_code == 303
    assert "Alerts for you" not in rosa.get("/").text
    answered = rosa.post(f"/alerts/{number}/response", data={"stage": "8", "note": "On my way"})
    assert answered.status_code == 303
    assert rosa.get(f"/alerts/{number}/messages/1.xml").status_code == 403


def test_an_alert_from_a_flag_to_its_review_on_two_screens(
    wiring: Wiring,
    cast: Cast,
    client: Client,
    live: int,
    message: int,
    browsing: Callable[..., BrowserContext],
) -> None:
    """Dana writes it at the desk, Ruth has it on her phone, Dana closes it and looks back."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        flag = session.scalars(select(Flag)).one()
        flag.narrative_id = None
        flag.kind, flag.level = "life_safety", 4
        flag.posted_at = flag.collected_at = now - timedelta(hours=1)
        flag_id = flag.id
    desk = browsing(cast.duty_lead).new_page()
    desk.goto(f"/alerts/new?flag={flag_id}")
    expect(desk.get_by_text("life-safety")).to_be_visible()
    for key in ("headline", "what", "where", "when", "how_sure", "who", "asked", "not_to_do"):
        desk.locator(f"[name={key}]").fill(FORM[key])
    desk.locator("[name=why]").fill("Read at its source")
    desk.get_by_role("button", name="Send it now").click()
    expect(desk.get_by_role("heading", level=1)).to_have_text(FORM["headline"])
    expect(desk.get_by_text("not yet")).to_be_visible()

    phone = browsing(cast.leader, 390).new_page()
    phone.goto("/")
    phone.get_by_role("button", name="Read it").click()
    have = phone.get_by_role("button", name="I have it")
    expect(have).to_be_in_viewport()  # the card and its answer fit one screen
    have.click()
    expect(phone.get_by_text("that you have it")).to_be_visible()

    desk.reload()
    expect(desk.get_by_text("not yet")).to_have_count(0)
    other = browsing(cast.duty_lead).new_page()  # whoever is about to warn of it again is told
    other.goto(f"/alerts/new?flag={flag_id}")
    expect(other.get_by_text("An alert on this went out already")).to_be_visible()
    desk.get_by_label("Response chosen").fill("Two mediators")
    desk.get_by_role("button", name=re.compile("Response chosen")).click()
    expect(desk.locator("#clock")).to_contain_text("Two mediators")
    desk.get_by_text("Close it", exact=True).first.click()
    desk.get_by_role("radio", name="Somebody acted, and tension").check()
    desk.get_by_label("In a sentence").fill("All went home")
    desk.get_by_role("button", name="Close it").click()
    expect(desk.get_by_role("heading", name="How it ended")).to_be_visible()
    desk.get_by_label("After-action review").fill("Call the clerk earlier")
    desk.get_by_role("button", name="Keep it").last.click()
    expect(desk.locator("#clock")).to_contain_text("Call the clerk earlier")
    expect(desk.locator("#clock")).to_contain_text("T10")


def test_an_update_starts_from_what_was_said(
    client: Client, cast: Cast, live: int, wiring: Wiring
) -> None:
    number = sent(client, cast, live)
    dana = client(cast.duty_lead)
    page = dana.get(f"/alerts/{number}").text
    assert page.count(FORM["asked"]) >= 2  # the card, and the form of an update
    answer = dana.post(f"/alerts/{number}/update", data=FORM | {"when": " "})
    assert answer.status_code == 422
    assert re.search(r"<details open><summary>Send an update", answer.text)
    answer = dana.post(f"/alerts/{number}/update", data=FORM | {"when": "Now at ten"})
    assert answer.status_code == 303
    assert "Now at ten" in client(cast.leader).get(f"/alerts/{number}").text
    document = dana.get(f"/alerts/{number}/messages/2.xml")
    assert document.headers["content-type"].startswith("application/cap+xml")
    assert b"<references>" in document.content
    gone = {"why": "We mixed up two places.", "code": "false_alarm"}
    assert dana.post(f"/alerts/{number}/cancellation", data=gone).status_code == 303
    assert "Taken back" in client(cast.leader).get(f"/alerts/{number}").text
    late = dana.post(f"/alerts/{number}/update", data=FORM)
    assert late.status_code == 409
    with wiring.sessions() as session:
        kinds = session.scalars(select(AlertMessage.kind).order_by(AlertMessage.id)).all()
    assert kinds == ["Alert", "Update", "Cancel"]


def test_lists_are_kept_by_duty_leads_and_administrators(
    client: Client, cast: Cast, wiring: Wiring
) -> None:
    dana = client(cast.duty_lead)
    assert client(cast.monitor).get("/alerts/lists").status_code == 403
    answer = dana.post("/alerts/lists", data={"name": "Drill <b>", "side": "neither"})
    assert answer.status_code == 422
    assert "Drill &lt;b&gt;" in answer.text
    assert dana.post("/alerts/lists", data={"name": "Drill", "side": "exercise"}).is_redirect
    for member, status in ((cast.leader.id, 303), (cast.leader.id, 422), (9999, 422)):
        form = {"member": str(member), "tier": "1"}
        assert dana.post("/alerts/lists/1/members", data=form).status_code == status
    assert "Ruth" in dana.get("/alerts/lists").text
    assert dana.post("/alerts/lists/members/1/removal").status_code == 303
    with wiring.sessions() as session:
        (drill,) = alert_lists.lists(session)
        assert alert_lists.current(drill) == []
        assert session.scalars(select(Alert)).all() == []


def test_an_exercise_is_marked_wherever_it_is_read(
    client: Client, cast: Cast, wiring: Wiring, live: int
) -> None:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        drill = alert_lists.make(session, "Drill", True, 1, now)
        alert_lists.add(session, drill, cast.leader.id, 1, 1, now)
        to = drill.id
    answer = client(cast.duty_lead).post(
        "/alerts", data=FORM | {"list": str(live), "exercise": "on"}
    )
    assert answer.status_code == 422
    number = sent(client, cast, to, exercise="on")
    ruth = client(cast.leader)
    assert "This is an exercise" in ruth.get(f"/alerts/{number}").text
    for path in ("/alerts", "/"):
        assert "Exercise</strong>" in ruth.get(path).text


def test_the_clock_shows_what_is_late(
    client: Client, cast: Cast, wiring: Wiring, live: int
) -> None:
    number = sent(client, cast, live, level="4")
    with wiring.sessions.begin() as session:
        for stamp in session.get_one(Alert, number).stamps:
            stamp.at -= timedelta(minutes=45)
    page = client(cast.duty_lead).get("/alerts").text
    assert re.search(r'class="late">waits 45 min to be acknowledged, target 30 min: late', page)
