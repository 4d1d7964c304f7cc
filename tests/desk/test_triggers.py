"""The page of days that may raise tension, its forms, and the days on the calendar."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import select

from desk.wiring import Wiring
from monitor.models import TriggerEvent
from tests.desk.conftest import Cast, Client

SOON = (datetime.now(UTC) + timedelta(days=5)).date()
FORM = {"name": "March <b>on</b> the capitol", "kind": "rally", "place": "Michigan", "day": SOON}
FILE = f"""BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VEVENT
UID:one
SUMMARY:Hearing
DTSTART;VALUE=DATE:{SOON:%Y%m%d}
END:VEVENT
BEGIN:VEVENT
UID:two
SUMMARY:Broken <i>one</i>
DTSTART:soon
END:VEVENT
END:VCALENDAR
""".encode()


def events(wiring: Wiring) -> list[TriggerEvent]:
    with wiring.sessions() as session:
        return list(session.scalars(select(TriggerEvent).order_by(TriggerEvent.id)))


def upload(who: httpx.Client, data: bytes, **form: str) -> httpx.Response:
    words = {"kind": "verdict", "place": "", **form}
    return who.post("/triggers/import", data=words, files={"file": ("court.ics", data)})


def test_a_day_is_added_shown_on_both_pages_and_withdrawn(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    assert maya.post("/triggers", data=FORM).status_code == 303
    (made,) = events(wiring)
    assert (made.place, made.by) == ("26", cast.monitor.id)
    assert made.ends_at - made.starts_at == timedelta(days=1)
    page = maya.get("/triggers").text
    assert "March &lt;b&gt;on&lt;/b&gt; the capitol" in page
    assert "rally or march" in page
    assert f"{SOON:%a %-d %b %Y}" in page
    calendar = maya.get(f"/calendar?month={SOON:%Y-%m}").text
    assert "March &lt;b&gt;on&lt;/b&gt; the capitol" in calendar
    assert 'href="/triggers">Days that may raise tension' in calendar
    assert maya.post("/triggers/1/withdraw").status_code == 303
    assert "March" not in maya.get(f"/calendar?month={SOON:%Y-%m}").text
    page = maya.get("/triggers").text
    assert "Withdrawn in the last 30 days (1)" in page
    assert "withdrawn by Maya" in page
    again = maya.post("/triggers/1/withdraw")
    assert again.status_code == 409
    assert "withdrawn this event already" in again.text
    assert maya.post("/triggers", data=FORM).status_code == 303  # to bring it back
    assert len(events(wiring)) == 2


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": " "}, "Say what it is"),
        ({"kind": "riot"}, "what kind"),
        ({"place": "Wayne County"}, "Which place do you mean"),
        ({"place": "Nowhere at all"}, "No county or state"),
        ({"day": ""}, "Give the day"),
        ({"day": "9999-12-31"}, "within 10 years"),
        ({"last_day": "2020-01-01"}, "cannot end before"),
        ({"to": "10:00"}, "when it begins"),
        ({"from": "18:00", "to": "17:00"}, "cannot end before"),
        ({"from": "late"}, "Give the day and time"),
    ],
)
def test_what_cannot_be_kept_comes_back_with_its_words(
    wiring: Wiring, cast: Cast, client: Client, wrong: dict[str, str], why: str
) -> None:
    words = FORM | {"note": "At the steps", "name": "Kept words"} | wrong
    answer = client(cast.duty_lead).post("/triggers", data=words)
    assert answer.status_code == 422
    assert why in answer.text
    assert "At the steps" in answer.text
    assert words["name"].strip() in answer.text
    assert events(wiring) == []


def test_times_of_the_clock_are_told_as_such(wiring: Wiring, cast: Cast, client: Client) -> None:
    maya = client(cast.monitor)
    maya.post("/triggers", data=FORM | {"from": "18:00", "to": "20:30"})
    assert f"{SOON:%a %-d %b %Y}, 18:00–20:30" in maya.get("/triggers").text
    later = SOON + timedelta(days=1)
    maya.post("/triggers", data=FORM | {"last_day": later})
    assert f"{SOON:%a %-d %b %Y} – {later:%a %-d %b %Y}" in maya.get("/triggers").text


def test_a_file_is_taken_in_with_a_report_and_again_without_change(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    first = upload(maya, FILE, place="Wayne County, MI")
    assert first.status_code == 200
    assert "1 added, 0 changed, 0 unchanged, 0 withdrawn" in first.text
    assert "It cannot be read." in first.text
    assert "Broken &lt;i&gt;one&lt;/i&gt;" in first.text
    (made,) = events(wiring)
    assert (made.uid, made.kind, made.place) == ("one", "verdict", "26163")
    again = upload(maya, FILE, place="Wayne County, MI")
    assert "0 added, 0 changed, 1 unchanged" in again.text
    assert len(events(wiring)) == 1
    export = maya.get("/triggers/calendar.ics")
    assert export.headers["content-type"].startswith("text/calendar")
    assert b"UID:one" in export.content
    assert client(None).get("/triggers/calendar.ics").status_code == 303


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"<html>", "no iCalendar file"),
        (b"\x00\xff" * 100, "no iCalendar file"),
        (b"x" * (3 * 1024 * 1024), "larger than 2 MB"),
        (b"", "no iCalendar file"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(
    wiring: Wiring, cast: Cast, client: Client, data: bytes, why: str
) -> None:
    answer = upload(client(cast.monitor), data, place="Michigan")
    assert answer.status_code == 422
    assert why in answer.text
    assert 'value="Michigan"' in answer.text


def test_a_form_without_a_file_is_refused_in_words(cast: Cast, client: Client) -> None:
    maya = client(cast.monitor)
    for form in ({"data": {"kind": "rally"}}, {"files": {"file": ("", b"")}}):
        answer = maya.post("/triggers/import", **form)
        assert answer.status_code == 422
        assert "Choose a calendar file" in answer.text
    cross = maya.post("/triggers/import", data={}, headers={"sec-fetch-site": "cross-site"})
    assert cross.status_code == 403


def test_the_election_days_are_offered_and_not_slipped_in(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    ada = client(cast.admin)
    button = "Add the federal election days of the next four years"
    assert button in ada.get("/triggers").text
    assert events(wiring) == []
    assert ada.post("/triggers/elections").status_code == 303
    added = len(events(wiring))
    assert added >= 2
    page = ada.get("/triggers?kind=election").text
    assert button not in page
    assert "2 U.S.C. 7" in page
    ada.post("/triggers/elections")
    assert len(events(wiring)) == added


def test_days_are_shown_by_kind_and_place(wiring: Wiring, cast: Cast, client: Client) -> None:
    maya = client(cast.monitor)
    for name, kind, place in (
        ("Here", "rally", "Wayne County, MI"),
        ("There", "rally", "Illinois"),
        ("All", "verdict", ""),
    ):
        maya.post("/triggers", data=FORM | {"name": name, "kind": kind, "place": place})

    def shown(**asked: str) -> set[str]:
        page = maya.get("/triggers", params=asked).text
        return {name for name in ("Here", "There", "All") if f"<strong>{name}</strong>" in page}

    assert shown() == {"Here", "There", "All"}
    assert shown(place="Michigan") == {"Here", "All"}
    assert shown(kind="rally") == {"Here", "There"}
    assert shown(kind="rally", place="26163") == {"Here"}
    assert shown(kind="nonsense") == {"Here", "There", "All"}
    unknown = maya.get("/triggers", params={"place": "Nowhere at all"})
    assert unknown.status_code == 422
    assert "No county or state" in unknown.text


def test_others_look_and_do_not_change(wiring: Wiring, cast: Cast, client: Client) -> None:
    client(cast.monitor).post("/triggers", data=FORM)
    jonah = client(cast.comms)
    page = jonah.get("/triggers").text
    assert "the capitol" in page
    assert "Add a day" not in page
    assert "Withdraw<" not in page
    for path in ("/triggers", "/triggers/elections", "/triggers/1/withdraw"):
        assert jonah.post(path, data=FORM).status_code == 403
    assert upload(jonah, FILE).status_code == 403
    assert [one.withdrawn_at for one in events(wiring)] == [None]


def test_it_works_in_a_browser_at_phone_width(
    wiring: Wiring, cast: Cast, browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.duty_lead, 390).new_page()
    page.goto("/calendar")
    page.get_by_role("link", name="Days that may raise tension").click()
    adding = page.locator("form[action='/triggers'][method=post]")
    adding.get_by_label("What it is").fill("Town hall")
    adding.get_by_label("First day").fill(SOON.isoformat())
    adding.get_by_label("Where exactly").fill("unbroken" * 40)
    adding.get_by_role("button", name="Add it").click()
    expect(page.locator("li", has_text="Town hall")).to_contain_text("nationwide")
    page.locator("input[type=file]").set_input_files(
        {"name": "court.ics", "mimeType": "text/calendar", "buffer": FILE}
    )
    page.get_by_role("button", name="Take it in").click()
    expect(page.get_by_role("status")).to_contain_text("1 added")
    for path in ("/triggers", f"/calendar?month={SOON:%Y-%m}"):
        page.goto(path)
        wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wider <= 0, f"{path} is {wider} px too wide"
        found = Axe().run(page).response["violations"]
        assert not found, [(rule["id"], rule["nodes"][0]["html"]) for rule in found]
    page.goto("/triggers")
    page.get_by_role("button", name="Withdraw Town hall").click()
    expect(page.locator("summary", has_text="Withdrawn in the last")).to_be_visible()
