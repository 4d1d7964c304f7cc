"""A file of contacts at the desk: sent, looked at, mended, taken in."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, expect
from sqlalchemy import select

from campaigns.contacts import imports
from campaigns.models import Contact, Import
from desk.wiring import Wiring
from tests.desk.conftest import Cast, Client

HEAD = "Name,E-mail,Mobile,Agreed on,How,Proof,Words they agreed to\n"
ANA = "Ana Ruiz,ana@town.example,(989) 555-0142,2026-01-05,Signed,Sheet 4,News of the bridge\n"
HOSTILE = '"<img src=x onerror=alert(1)>",nowhere\n'


def test_from_a_file_to_contacts(
    wiring: Wiring, cast: Cast, browsing: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    file = tmp_path / "sign-up <b>.csv"
    file.write_text(HEAD + ANA + HOSTILE)
    page = browsing(cast.comms, 390).new_page()
    page.goto("/contacts")
    page.get_by_role("link", name="Take in a file of contacts").click()
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Show what would happen").click()
    expect(page.locator("h1")).to_have_text("sign-up <b>.csv")
    expect(page.get_by_role("link", name="Refused 1")).to_have_attribute("aria-current", "page")
    expect(page.locator(".checks .blocks")).to_contain_text("“nowhere”")
    expect(page.locator("main img")).to_have_count(0)
    page.get_by_role("link", name="New 1").click()
    expect(page.locator("#main")).to_contain_text("consent of 5 January 2026, “Signed”")
    expect(page.locator("#main")).not_to_contain_text("555-0142")
    page.get_by_role("button", name="Take in the 1 good row").click()
    expect(page.locator("#main")).to_contain_text("The file itself is deleted.")
    with wiring.sessions() as session:
        assert session.scalars(select(Contact.name)).all() == ["Ana Ruiz"]
        assert session.scalars(select(Import.sealed)).all() == [None]


def test_a_preview_is_changed_goes_stale_and_is_thrown_away(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    comms = client(cast.comms)
    for nothing in ({"file": ("", b"")}, {"file": ("x.csv", b"")}):
        answer = comms.post("/imports", data={"kind": "voices"}, files=nothing)
        assert answer.status_code == 422
        assert 'value="voices" checked' in answer.text
    sent = {"file": ("people.csv", (HEAD + ANA + HOSTILE).encode())}
    made = comms.post("/imports", data={"kind": "contacts"}, files=sent)
    assert made.headers["location"] == "/imports/1"
    assert "waits for a decision" in comms.get("/imports").text
    # Columns: one chosen twice is refused with what was chosen; another reading is shown.
    chosen = {"column-name": "0", "column-email": "0", "else-wording": "Words <kept>"}
    refused = comms.post("/imports/1/columns", data=chosen)
    assert refused.status_code == 422
    assert "chosen twice" in refused.text
    assert "Words &lt;kept&gt;" in refused.text
    assert comms.post("/imports/1/columns", data={"column-name": "0"}).status_code == 303
    assert "No column is read as e-mail or mobile number" in comms.get("/imports/1").text
    assert comms.post("/imports/1/columns", data={"column-email": "99"}).status_code == 422
    again = {"column-name": "0", "column-email": "1"}
    assert comms.post("/imports/1/columns", data=again).status_code == 303
    # What another showed is not what is done now.
    stale = comms.post("/imports/1/take", data={"mark": "é" * 64})
    assert stale.status_code == 409
    assert "since you looked, something changed" in stale.text
    csv = comms.get("/imports/1/refused.csv")
    assert "attachment" in csv.headers["content-disposition"]
    assert "nowhere" in csv.text
    assert comms.post("/imports/1/drop").headers["location"] == "/imports?of=contacts"
    assert comms.post("/imports/1/drop").status_code == 409
    assert comms.post("/imports/1/columns", data=again).status_code == 409
    assert comms.get("/imports/1/refused.csv").status_code == 404
    assert "Nothing of it was taken in" in comms.get("/imports/1").text
    with wiring.sessions() as session:
        assert session.scalars(select(Contact)).all() == []


def test_a_file_of_voices_and_who_may_send_one(wiring: Wiring, cast: Cast, client: Client) -> None:
    voices = b"Name,Who they are,Approver\nRev. Ruth Amsel,Pastor,ruth@desk.example\n"
    admin = client(cast.admin)
    files = {"file": ("voices.csv", voices)}
    assert admin.post("/imports", data={"kind": "voices"}, files=files).status_code == 303
    page = admin.get("/imports/1").text
    mark = page.split('name="mark" value="')[1].split('"')[0]
    for person in (cast.monitor, cast.leader, cast.duty_lead):
        for path in ("/imports", "/imports/1", "/imports/1/refused.csv"):
            assert client(person).get(path).status_code == 403
        assert client(person).post("/imports/1/take", data={"mark": mark}).status_code == 403
    assert admin.post("/imports/1/take", data={"mark": mark}).status_code == 303
    assert "Rev. Ruth Amsel" in admin.get("/voices").text


def test_a_file_under_a_lost_key_or_a_day_old_is_said(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    comms = client(cast.comms)
    for name in ("one.csv", "two.csv"):
        files = {"file": (name, (HEAD + ANA).encode())}
        comms.post("/imports", data={"kind": "contacts"}, files=files)
    with wiring.sessions.begin() as session:
        session.get_one(Import, 1).sealed = b"under another key"
        session.get_one(Import, 2).made_at -= imports.KEPT_FOR
    assert "another secret key" in comms.get("/imports/1").text
    assert "Nobody decided on it for a day" in comms.get("/imports/2").text
    assert comms.post("/imports/1/take", data={"mark": ""}).status_code == 409
