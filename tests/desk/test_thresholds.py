"""The page of thresholds: tried by everybody, changed by a few, with a reason, on the record."""

from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from sqlalchemy import func, insert, select

from desk.wiring import Wiring
from monitor.models import Flag, HourlyCount, Narrative, Threshold
from monitor.narratives.narratives import hour_of
from monitor.rises.detect import Settings
from monitor.rises.thresholds import FIELDS, said, settings_in_force
from tests.desk.conftest import Cast, Client

IN_FORCE = {field.name: said(Settings(), field) for field in FIELDS}
TITLE = 'Depot <img src=x onerror="alert(1)"> ' + "unbroken" * 30


@pytest.fixture
def risen(wiring: Wiring, message: int) -> Wiring:
    """A narrative whose people rose three days ago, and a flag that was raised five days ago."""
    end = hour_of(datetime.now(UTC))
    with wiring.sessions.begin() as session:
        narrative = session.get_one(Narrative, 1)
        narrative.title, narrative.first_post_at = TITLE, end - timedelta(weeks=6)
        session.execute(
            insert(HourlyCount),
            [
                {
                    "narrative_id": 1,
                    "hour": end - timedelta(hours=age),
                    "posts": 30 if age == 72 else 3,
                    "authors": 30 if age == 72 else 3,
                    "dangerous_posts": 20 if age == 72 else age % 2,
                    "dangerous_authors": 20 if age == 72 else age % 2,
                }
                for age in range(1, 24 * 35)
            ],
        )
        session.add(
            Flag(
                narrative=narrative,
                hour=end - timedelta(hours=120),
                observed=7,
                expected=0.6,
                p_value=0.0001,
                reasons=[],
                detector="test",
                raised_at=end - timedelta(hours=120),
            )
        )
    return wiring


def count(wiring: Wiring) -> int:
    with wiring.sessions() as session:
        return session.scalar(select(func.count()).select_from(Threshold)) or 0


def test_everybody_reads_what_is_in_force(cast: Cast, client: Client) -> None:
    page = client(cast.leader).get("/thresholds").text
    for field in FIELDS:
        assert field.meaning.replace("'", "&#39;") in page
    assert "the settings that ship are in force" in page
    assert "What would have happened" in page  # the button
    assert "Rises that would have started" not in page


def test_trying_shows_both_lists_beside_what_is_in_force_and_changes_nothing(
    risen: Wiring, cast: Cast, client: Client
) -> None:
    page = client(cast.monitor).get("/thresholds", params=IN_FORCE | {"least_authors": "25"}).text
    assert "What would have happened" in page
    assert '<th scope="row">Rises that would have started</th><td>0</td><td>1</td>' in page
    assert "7 observed, 0.6 expected" in page  # the flag it would have missed
    assert "A duty lead or an administrator may set these" in page
    assert "Set these from now on" not in page
    again = client(cast.monitor).get("/thresholds", params=IN_FORCE).text
    assert "20 different authors of dangerous posts" in again
    assert "These are the settings in force" in again
    assert "<img" not in again.split("<main")[1]
    assert count(risen) == 0


def test_a_level_that_is_none_is_the_lower_one(risen: Wiring, cast: Cast, client: Client) -> None:
    for level in ("3", "2", "99", "x", ""):
        page = client(cast.monitor).get("/thresholds", params=IN_FORCE | {"level": level})
        assert page.status_code == 200
        assert f"voices at M{3 if level == '3' else 2} or above" in page.text


@pytest.mark.parametrize("typed", ["1", "many", '"><script>alert(1)</script>', "9" * 999, "nan"])
def test_invalid_values_come_back_with_a_sentence(
    risen: Wiring, cast: Cast, client: Client, typed: str
) -> None:
    tried = IN_FORCE | {"least_authors": typed, "louder": "3.5"}
    answer = client(cast.monitor).get("/thresholds", params=tried)
    assert answer.status_code == 422
    assert 'id="fault-least_authors">Least authors' in answer.text
    assert 'value="3.5"' in answer.text
    assert "<script>alert" not in answer.text
    assert typed[:4].replace('"', "&#34;").replace("<", "&lt;").replace(">", "&gt;") in answer.text
    set_it = client(cast.admin).post("/thresholds", data=tried | {"reason": "My words"})
    assert set_it.status_code == 422
    assert 'id="fault-least_authors"' in set_it.text
    assert count(risen) == 0


def test_a_duty_lead_sets_them_with_a_reason(risen: Wiring, cast: Cast, client: Client) -> None:
    dana = client(cast.duty_lead)
    tried = IN_FORCE | {"least_authors": "5"}
    assert "Set these from now on" in dana.get("/thresholds", params=tried).text
    refused = dana.post("/thresholds", data=tried | {"reason": "  ", "seen": ""})
    assert refused.status_code == 422
    assert "Say why" in refused.text
    assert 'name="least_authors" value="5"' in refused.text
    done = dana.post("/thresholds", data=tried | {"reason": "Pairs of friends, not rises"})
    assert done.status_code == 303
    page = client(cast.monitor).get("/thresholds").text
    assert "Pairs of friends, not rises" in page
    assert "Least authors 3 → 5" in page
    assert "Dana" in page
    with risen.sessions() as session:
        assert settings_in_force(session).least_authors == 5


def test_nothing_changed_and_changed_meanwhile_are_said(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    ada = client(cast.admin)
    same = ada.post("/thresholds", data=IN_FORCE | {"reason": "Only to see"})
    assert same.status_code == 422
    assert "nothing would change" in same.text
    first = IN_FORCE | {"gap": "4", "reason": "First", "seen": ""}
    assert ada.post("/thresholds", data=first).status_code == 303
    late = ada.post("/thresholds", data=IN_FORCE | {"gap": "5", "reason": "My words", "seen": ""})
    assert late.status_code == 409
    assert "meanwhile" in late.text
    assert "My words" in late.text
    assert count(wiring) == 1


def test_who_may_not_change_is_told_who_may(wiring: Wiring, cast: Cast, client: Client) -> None:
    for person in (cast.monitor, cast.leader, cast.comms):
        answer = client(person).post("/thresholds", data=IN_FORCE | {"gap": "4", "reason": "Mine"})
        assert answer.status_code == 403
        assert "duty lead" in answer.text
    assert client(None).get("/thresholds").status_code in (303, 401)
    assert count(wiring) == 0


def test_what_chance_alone_would_start_says_what_it_assumes(cast: Cast, client: Client) -> None:
    maya = client(cast.monitor)
    maya.timeout = 60
    page = maya.get("/thresholds/chance", params=IN_FORCE | {"series": "200"}).text
    assert "at most about 4.6 rises a week" in page  # 0.0229 × 200
    assert "steady series" in page
    assert maya.get("/thresholds/chance?alpha=2").status_code == 422
    assert maya.get("/thresholds/chance?series=-1").status_code == 422


def test_in_a_browser_the_chance_comes_by_itself(risen: Wiring, cast: Cast, browsing) -> None:
    page = browsing(cast.duty_lead, 390).new_page()
    page.goto("/thresholds")
    page.get_by_label("Least authors", exact=False).first.fill("4")
    page.get_by_role("button", name="What would have happened").click()
    expect(page.locator("#chance")).to_contain_text("rises a week", timeout=60_000)
    expect(page.locator("#found")).to_contain_text("These settings")
    page.get_by_label("Why").fill("Quieter")
    page.get_by_role("button", name="Set these from now on").click()
    expect(page.locator("body")).to_contain_text("Least authors 3 → 4")


@pytest.mark.parametrize("width", [1280, 390])
def test_faults_and_findings_are_accessible_and_fit(
    risen: Wiring, cast: Cast, browsing, width: int
) -> None:
    page = browsing(cast.duty_lead, width).new_page()
    for tried in ("gap=x&alpha=2", "least_authors=25"):
        page.goto(f"/thresholds?{tried}")
        assert Axe().run(page).response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
