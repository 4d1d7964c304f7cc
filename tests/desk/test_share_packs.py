"""The page of a post by hand, as its leader has it on a phone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image as Pillow
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import event
from starlette.testclient import TestClient

from campaigns.approving.approvals import approve
from campaigns.drafting.messages import check, save_draft, submit
from campaigns.models import Delivery, Message
from campaigns.sending import kill_switch
from campaigns.voices import connect_account, record_consent
from campaigns.wording.media import keep_image
from desk.app import create_app
from desk.security import COOKIE
from desk.wiring import Wiring
from tests.desk.conftest import Cast, Client, token_for

WORDS = "Use the bridge & ask the crew “today”.\n\n<b>We stand by it.</b>"


@pytest.fixture
def delivery(wiring: Wiring, cast: Cast, message: int, tmp_path: Path) -> int:
    """Ruth's approved words for Facebook, with a picture, whose time has come."""
    now = datetime.now(UTC)
    before = now - timedelta(hours=1)
    file = tmp_path / "bridge.png"
    Pillow.new("RGB", (320, 200), "teal").save(file)
    with wiring.sessions.begin() as session:
        told = session.get_one(Message, message)
        words = {"by": cast.comms.id, "now": before}
        record_consent(
            session,
            told.voice,
            scope="What she posts herself",
            platforms=["share_facebook"],
            evidence="Signed form",
            valid_from=before,
            valid_until=now + timedelta(days=30),
            **words,
        )
        account = connect_account(
            session,
            told.voice,
            platform="share_facebook",
            handle="ruth.amsel",
            service="",
            secret=None,
            vault=wiring.vault,
            **words,
        )
        picture = keep_image(session, file.read_bytes(), **words)
        version = save_draft(
            session,
            told,
            {account.id: WORDS},
            now - timedelta(seconds=1),
            pictures=[(picture, "The open bridge")],
            **words,
        )
        reasons = {one.key: "It reads well as it is" for one in check(session, version, before)}
        submit(session, version, reasons=reasons, **words)
        approval = approve(session, version, sha256=version.sha256, by=cast.leader.id, now=before)
        return approval.deliveries[0].id


def state(wiring: Wiring, delivery: int) -> str:
    with wiring.sessions() as session:
        return session.get_one(Delivery, delivery).state


def test_from_the_first_page_to_published_without_a_script(
    wiring: Wiring, cast: Cast, client: Client, delivery: int
) -> None:
    ruth, jonah, maya = client(cast.leader), client(cast.comms), client(cast.monitor)
    page = f"/share/{delivery}"
    assert page in ruth.get("/").text
    assert page not in jonah.get("/").text
    assert "Now is its time" in ruth.get(page).text
    assert "I post this now" not in jonah.get(page).text
    assert jonah.post(f"{page}/open").status_code == 422
    assert jonah.post("/share/helpers", data={"voice_id": 1, "person_id": 1}).status_code == 403
    assert state(wiring, delivery) == "scheduled"

    assert ruth.post(f"{page}/open").status_code == 303
    shown = ruth.get(page).text
    assert "Use the bridge &amp; ask the crew “today”.\n\n&lt;b&gt;We" in shown
    assert 'download="picture-1.png"' in shown
    assert "<textarea" not in jonah.get(page).text
    assert "Ruth is posting it" in jonah.get(page).text
    assert ruth.post(f"{page}/open").status_code == 409
    link = {"url": "my post"}
    answer = ruth.post(f"{page}/posted", data=link)
    assert (answer.status_code, 'value="my post"' in answer.text) == (422, True)
    link = {"url": "https://www.facebook.com/ruth/posts/1"}
    assert ruth.post(f"{page}/posted", data=link).status_code == 303
    assert state(wiring, delivery) == "unconfirmed"
    assert "published" not in maya.get("/messages/1").text.replace("published-link", "")

    looked = {"seen": "there"} | link
    own = ruth.post(f"/deliveries/{delivery}/finding", data=looked)
    assert (own.status_code, "somebody else looks" in own.text) == (422, True)
    assert link["url"] in jonah.get(f"/deliveries/{delivery}").text
    assert jonah.post(f"/deliveries/{delivery}/finding", data=looked).status_code == 303
    assert state(wiring, delivery) == "published"
    assert "It is out" in maya.get(page).text


def test_a_leader_names_who_posts_and_takes_it_back(
    cast: Cast, client: Client, delivery: int
) -> None:
    ruth, jonah = client(cast.leader), client(cast.comms)
    name = {"voice_id": 1, "person_id": cast.comms.id}
    assert client(cast.other_leader).post("/share/helpers", data=name).status_code == 422
    assert ruth.post("/share/helpers", data=name | {"person_id": 1}).status_code == 422
    assert ruth.post("/share/helpers", data=name).status_code == 303
    assert "I post this now" in jonah.get(f"/share/{delivery}").text
    assert "Take it back" in ruth.get("/share").text
    assert ruth.post("/share/helpers/end", data={"helper_id": 1}).status_code == 303
    assert "I post this now" not in jonah.get(f"/share/{delivery}").text


def test_the_pages_ask_the_database_seldom(wiring: Wiring, cast: Cast, delivery: int) -> None:
    token = token_for(wiring, cast.leader)
    desk = TestClient(create_app(wiring), cookies={COOKIE: token})
    sent: list[str] = []
    event.listen(wiring.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    asked = {}
    for path in ("/share", f"/share/{delivery}", f"/deliveries/{delivery}"):
        sent.clear()
        desk.get(path).raise_for_status()
        asked[path] = len(sent)
    assert max(asked.values()) <= 12, asked


def test_only_posts_by_hand_have_such_a_page(cast: Cast, client: Client, message: int) -> None:
    assert client(cast.leader).get("/share/1").status_code == 404
    assert client(cast.leader).get("/share/abc").status_code == 404


def _fits(page: Page, name: str) -> None:
    assert not Axe().run(page).response["violations"], name
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


def test_on_a_phone_the_words_are_copied_whole_and_go_when_the_switch_is_pressed(
    wiring: Wiring,
    cast: Cast,
    browsing: Callable[..., BrowserContext],
    delivery: int,
) -> None:
    context = browsing(cast.leader, 390)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto("/share")
    _fits(page, "list")
    page.goto(f"/share/{delivery}")
    _fits(page, "ready")
    page.get_by_role("button", name="I post this now").click()
    expect(page.locator("#words")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="Copy the words").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == WORDS
    expect(page.get_by_role("button", name="Open Facebook")).to_have_attribute(
        "rel", "noopener noreferrer"
    )
    _fits(page, "open")
    with wiring.sessions.begin() as session:
        kill_switch.press(session, None, reason="A threat", by=1, now=datetime.now(UTC))
    expect(page.get_by_text("Do not post it yet")).to_be_visible()
    expect(page.locator("#words")).to_have_count(0)
    expect(page.get_by_text("A threat").last).to_be_visible()
    _fits(page, "stopped")
    page.get_by_role("button", name="I posted it", exact=True).click()
    expect(page.get_by_role("heading", name="says it is posted")).to_be_visible()
    _fits(page, "posted")
