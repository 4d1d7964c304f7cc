"""The plan's page and the checks on the message's page: nothing lost, nothing walked around."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape

from playwright.sync_api import BrowserContext, expect
from sqlalchemy import select

from campaigns import plans
from campaigns.checking.checks import run_checks
from campaigns.models import Campaign, CheckOverride, CheckReason, Message, Plan, Submission
from campaigns.wording.content import build_content
from desk import planning
from desk.wiring import Wiring
from tests.desk.conftest import Cast, Client

HOSTILE = '<script>alert(1)</script> "><img src=x onerror=alert(1)>'
CALM = "Our water was tested this morning and it is clean. Neighbours, let us talk tomorrow."
DOOM = f"{CALM} It is not inevitable."


def draft(text: str, then: str = "submit", **reasons: str) -> dict[str, str]:
    send_at = datetime.now(UTC) + timedelta(hours=3)
    return {"text_1": text, "send_at": f"{send_at:%Y-%m-%dT%H:%M}", "then": then} | reasons


def form_of(wiring: Wiring) -> dict[str, str]:
    """The form of the standing plan, as its page carries it."""
    with wiring.sessions() as session:
        campaign = session.get_one(Campaign, 1)
        number = str(len(campaign.plans))
        return planning.as_form(plans.intent_of(campaign), wiring.zone) | {"after": number}


def test_a_plan_is_saved_with_gaps_and_kept_in_versions(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms = client(cast.comms)
    form = form_of(wiring) | {"claim_level_0": "V1", "owner": "", "backlash": HOSTILE}
    assert comms.post("/campaigns/1/plan", data=form).status_code == 303
    page = comms.get("/campaigns/1").text
    assert "Not shown at V3 or better" in page
    assert "who sees to the replies" in page
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    with wiring.sessions() as session:
        first, second = session.scalars(select(Plan).order_by(Plan.number))
        assert (first.claims[0]["level"], first.owner) == ("V4", 2)
        assert (second.claims[0]["level"], second.owner, second.by) == ("V1", None, cast.comms.id)
    # The first one is still written about: whoever saves over another is told.
    late = comms.post("/campaigns/1/plan", data=form | {"after": "1", "goal": "Mine, later"})
    assert late.status_code == 409
    assert "Mine, later" in late.text
    assert 'name="after" value="2"' in late.text


def test_a_plan_that_cannot_be_keeps_every_word(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms = client(cast.comms)
    for wrong in ({"readers": "a few"}, {"expires_at": "soon"}, {"strategy": "shout"}):
        form = form_of(wiring) | {"withdrawal": "My own words"} | wrong
        answer = comms.post("/campaigns/1/plan", data=form)
        assert answer.status_code == 422, wrong
        assert "My own words" in answer.text
        assert wrong.get("readers", "") in answer.text
    with wiring.sessions() as session:
        assert len(session.scalars(select(Plan)).all()) == 1


def test_only_those_who_choose_answers_plan_and_all_may_read(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    for who in (cast.monitor, cast.leader, cast.duty_lead):
        assert client(who).post("/campaigns/1/plan", data=form_of(wiring)).status_code == 403
        page = client(who).get("/campaigns/1").text
        assert "She buries and marries them" in page
        assert "Save the plan" not in page


def test_a_warning_asks_for_a_reason_which_is_kept(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms = client(cast.comms)
    refused = comms.post(f"/messages/{message}/draft", data=draft(DOOM))
    assert refused.status_code == 422
    assert "Say why you go on" in refused.text
    (name,) = re.findall(r'name="(reason_9_[0-9a-f]{12})"', refused.text)
    for short in ("", "OK"):
        again = comms.post(f"/messages/{message}/draft", data=draft(DOOM, **{name: short}))
        assert again.status_code == 422
    # A draft keeps what was said so far, and a reason for other words does not count.
    comms.post(f"/messages/{message}/draft", data=draft(DOOM, "save", **{name: HOSTILE}))
    assert "&lt;script&gt;alert(1)" in comms.get(f"/messages/{message}").text
    other = comms.post(f"/messages/{message}/draft", data=draft(f"{DOOM} No chaos."))
    assert other.status_code == 422
    said = {name: "It says that it is not."}
    assert comms.post(f"/messages/{message}/draft", data=draft(DOOM, **said)).status_code == 303
    with wiring.sessions() as session:
        last = session.scalars(select(CheckReason).order_by(CheckReason.id.desc())).first()
        assert last is not None
        assert (last.number, last.reason, last.by) == (9, said[name], cast.comms.id)
        submission = session.scalars(select(Submission)).one()
        assert submission.version_id == last.version_id
        assert {one["number"] for one in submission.checks} == set(range(1, 25))
        warned = [one for one in submission.checks if one["state"] == "warns"]
        assert [one["words"] for one in warned] == [last.finding]
    assert said[name] in client(cast.leader).get(f"/messages/{message}").text


def test_only_a_duty_lead_lets_a_risky_sending_pass(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms, dana = client(cast.comms), client(cast.duty_lead)
    comms.post("/campaigns/1/plan", data=form_of(wiring) | {"may_alarm": "yes"})
    refused = comms.post(f"/messages/{message}/draft", data=draft(CALM))
    assert refused.status_code == 422
    assert "could alarm" in refused.text
    asked = dana.get("/campaigns/1").text
    assert CALM in unescape(asked)  # nobody lets pass what they have not read
    (key,) = re.findall(r'name="key" value="(22_\w+)"', asked)
    path, why = f"/messages/{message}/let-pass", "The school asked us to say it now."
    for who in (cast.comms, cast.leader, cast.admin):
        answer = client(who).post(path, data={"key": key, "reason": why})
        assert answer.status_code == 403
    assert dana.post(path, data={"key": key, "reason": " "}).status_code == 422
    assert dana.post(path, data={"key": "7_" + key[3:], "reason": why}).status_code == 422
    assert dana.post(path, data={"key": key, "reason": why}).status_code == 303
    assert comms.post(f"/messages/{message}/draft", data=draft(CALM)).status_code == 303
    with wiring.sessions() as session:
        assert session.scalars(select(CheckOverride.by)).all() == [cast.duty_lead.id]
        asked = session.get_one(Message, message)
        content = build_content(asked.voice, {1: CALM}, datetime.now(UTC) + timedelta(hours=3))
        other = run_checks(session, content, asked.voice, datetime.now(UTC), asked.campaign)
        assert [one.number for one in other if one.blocks and not one.passed] == [22]


def test_a_reason_outlives_the_checks_that_run_while_one_types(
    cast: Cast, message: int, browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.comms, width=390).new_page()
    page.goto(f"/messages/{message}")
    words = page.locator("textarea[name=text_1]")
    words.fill(DOOM)
    box = page.locator("#checks textarea[name^=reason_9]")
    box.fill("It says that it is not.")
    with page.expect_response(lambda answer: answer.url.endswith("/check")):
        words.press_sequentially(" Ask us.")
    expect(box).to_have_value("It says that it is not.")
    expect(page.locator("#checks .tally")).to_contain_text("1 asks why")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Save and submit").click()
    expect(page.locator(".state.submitted").first).to_be_visible()
