"""Our own page and feed: everybody reads what was said, and nothing else of the desk."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import feedparser
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image as Pillow
from playwright.sync_api import Browser
from sqlalchemy import Engine, event, select
from sqlalchemy.orm import Session, sessionmaker
from starlette.testclient import TestClient

from campaigns.approving.approvals import approve
from campaigns.deliver import deliver_next
from campaigns.drafting.messages import check, save_draft, start_message, submit
from campaigns.models import Correction, Delivery, Message, MessageVersion, Retraction
from campaigns.plans import intent_of, save_plan
from campaigns.publishers.web import WebPublisher
from campaigns.voices import connect_account, record_consent
from campaigns.wording.media import keep_image
from desk.app import create_app
from desk.settings import Settings
from desk.wiring import Wiring, wire
from tests.campaigns.cast import (
    CARL_COMMS,
    PASTOR_PAULA,
    VAULT,
    fill_plan,
    make_campaign,
    make_voice,
)

ADDRESS = "https://desk.example"
WORDS = "Use the bridge & ask the crew <b>today</b>.\nhttps://gov.uk/bridge\n\nWe\x0b stand by it."


@pytest.fixture
def wiring(
    database_url: str, engine: Engine, sessions: sessionmaker[Session], tmp_path: Path
) -> Iterator[Wiring]:
    """A desk whose page is on."""
    settings = Settings(
        data_dir=tmp_path,
        feeds=(),
        jetstream_url=None,
        time_zone="America/New_York",
        public_page=True,
        public_url=ADDRESS,
        organisation="Mill Street Watch",
    )
    wiring = wire(settings, database_url)
    yield wiring
    wiring.engine.dispose()


@pytest.fixture
def stranger(wiring: Wiring) -> TestClient:
    """Somebody who is not signed in."""
    return TestClient(create_app(wiring), follow_redirects=False)


def say(wiring: Wiring, words: str, now: datetime) -> str:
    """Paula says this on our page, with a picture; its key there."""
    with wiring.sessions.begin() as session:
        voice = make_voice(session, now)
        record_consent(
            session,
            voice,
            scope="Our page",
            platforms=["web"],
            evidence="Signed form of a secret day",
            valid_from=now - timedelta(days=1),
            valid_until=now + timedelta(days=30),
            by=CARL_COMMS,
            now=now,
        )
        account = connect_account(
            session,
            voice,
            platform="web",
            handle="hidden-handle",
            service="",
            secret=None,
            vault=VAULT,
            by=CARL_COMMS,
            now=now,
        )
        campaign = make_campaign(session, now)
        fill_plan(session, campaign, voice, now)
        message = start_message(session, campaign, voice, by=CARL_COMMS, now=now)
        plan = replace(intent_of(campaign), sponsor="the County & Co")
        save_plan(session, campaign, plan, by=CARL_COMMS, now=now)
        out = io.BytesIO()
        Pillow.new("RGB", (320, 200), "teal").save(out, "PNG")
        picture = keep_image(session, out.getvalue(), by=CARL_COMMS, now=now)
        text = f"{words}\n\nFor the County & Co."
        due = now + timedelta(hours=1)
        version = save_draft(
            session,
            message,
            {account.id: text},
            due,
            by=CARL_COMMS,
            now=now,
            pictures=[(picture, 'The "open" bridge')],
        )
        found = check(session, version, now)
        reasons = {one.key: "It reads well as it is" for one in found}
        submit(session, version, by=CARL_COMMS, now=now, reasons=reasons)
        approval = approve(session, version, sha256=version.sha256, by=PASTOR_PAULA, now=now)
        return approval.deliveries[0].record_key


def send(wiring: Wiring, at: datetime) -> int:
    return deliver_next(wiring.sessions, wiring.publishers, wiring.vault, lambda: at)


@pytest.fixture
def key(wiring: Wiring, now: datetime) -> str:
    """Of a message that is out."""
    key = say(wiring, WORDS, now)
    assert send(wiring, now + timedelta(hours=1)) == 1
    return key


def take_back(wiring: Wiring, key: str, at: datetime, state: str = "approved") -> None:
    with wiring.sessions.begin() as session:
        delivery = session.query(Delivery).filter_by(record_key=key).one()
        decided = state == "approved"
        session.add(
            Retraction(
                delivery_id=delivery.id,
                reason="The crew <found> a crack.",
                proposed_by=CARL_COMMS,
                proposed_at=at,
                decided_by=PASTOR_PAULA if decided else None,
                decided_at=at if decided else None,
                decided_how="approved" if decided else None,
                state=state,
            )
        )


def test_it_is_off_unless_a_setting_says_so() -> None:
    assert Settings().public_page is False
    assert "web" not in wire(Settings(public_url=ADDRESS), "postgresql+psycopg://").publishers


def test_nothing_is_there_until_it_is_recorded_as_published(
    wiring: Wiring, stranger: TestClient, now: datetime
) -> None:
    key = say(wiring, WORDS, now)
    for path in (f"/said/{key}", "/said/1", "/said/%00", "/said?page=2", "/said?page=x"):
        assert stranger.get(path).status_code == 404, path
    assert "Nothing has been said here yet" in stranger.get("/said").text
    assert feedparser.parse(stranger.get("/said.atom").content).entries == []
    due = now + timedelta(hours=1)
    assert [send(wiring, due), send(wiring, due)] == [1, 0]
    assert stranger.get(f"/said/{key}").status_code == 200
    with wiring.sessions() as session:
        (delivery,) = session.query(Delivery)
        assert delivery.receipt_url == f"{ADDRESS}/said/{key}"


def test_a_worker_that_dies_while_it_publishes_leaves_nothing_and_it_comes_once(
    wiring: Wiring, stranger: TestClient, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, due = say(wiring, WORDS, now), now + timedelta(hours=1)

    class Dying(WebPublisher):
        def publish(self, parcel: object) -> object:
            raise SystemExit  # as if it were killed there

    with pytest.raises(SystemExit):
        deliver_next(wiring.sessions, {"web": Dying(ADDRESS)}, wiring.vault, lambda: due)
    assert stranger.get(f"/said/{key}").status_code == 404
    assert send(wiring, due + timedelta(minutes=11)) == 1
    assert stranger.get("/said").text.count("<article") == 1


def test_everybody_reads_what_was_said_and_nothing_else(
    wiring: Wiring, stranger: TestClient, key: str
) -> None:
    for path in ("/said", f"/said/{key}", "/said.atom"):
        answer = stranger.get(path)
        page = answer.text
        assert "Paula Price" in page
        assert "Pastor, Hope Church" in page
        assert "the County &amp; Co" in page
        assert "ask the crew &lt;b&gt;today&lt;/b&gt;." in page
        assert 'href="https://gov.uk/bridge"' in page
        assert 'alt="The &#34;open&#34; bridge"' in page
        assert "\x0b" not in page
        for hidden in ("hidden-handle", "secret day", "bridge rumour", "Mill Street\n", "/sign-in"):
            assert hidden not in page
        assert "script" not in page
        assert "set-cookie" not in answer.headers
        assert "script-src" not in answer.headers["content-security-policy"]
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] == "public, max-age=60"
        again = stranger.get(path, headers={"If-None-Match": f"W/{answer.headers['etag']}"})
        assert (again.status_code, again.content) == (304, b"")
        assert stranger.head(path).status_code == 200
    assert "Written by people, without AI" in stranger.get(f"/said/{key}").text
    (picture,) = re.findall(r'src="(/said/[^"]+)"', stranger.get(f"/said/{key}").text)
    shown = stranger.get(picture)
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png")
    assert stranger.get(picture[:-1] + "0").status_code == 404


def test_the_feed_keeps_its_ids_and_tells_what_was_taken_back(
    wiring: Wiring, stranger: TestClient, key: str, now: datetime
) -> None:
    before = feedparser.parse(stranger.get("/said.atom").content)
    assert not before.bozo
    (entry,) = before.entries
    assert entry.link == f"{ADDRESS}/said/{key}"
    assert before.feed.links[0].href == f"{ADDRESS}/said.atom"
    assert entry.id.startswith("urn:uuid:")
    assert f"{ADDRESS}/said/{key}/pictures/" in entry.content[0].value

    (picture,) = re.findall(r'src="(/said/[^"]+)"', stranger.get(f"/said/{key}").text)
    etag = stranger.get(f"/said/{key}").headers["etag"]
    take_back(wiring, key, now + timedelta(hours=2))
    after = feedparser.parse(stranger.get("/said.atom").content)
    assert after.entries[0].id == entry.id
    assert after.entries[0].updated_parsed > entry.updated_parsed
    assert after.entries[0].published == entry.published
    assert after.feed.updated_parsed > before.feed.updated_parsed
    for path in ("/said", f"/said/{key}", "/said.atom"):
        page = stranger.get(path).text
        assert "ask the crew" not in page
        assert "The crew &lt;found&gt; a crack." in page
        assert "23 November 2026, 12:00 EST" in page
    assert stranger.get(f"/said/{key}", headers={"If-None-Match": etag}).status_code == 200
    assert stranger.get(picture).status_code == 404


def test_what_is_only_proposed_to_be_taken_back_still_stands(
    wiring: Wiring, stranger: TestClient, key: str, now: datetime
) -> None:
    take_back(wiring, key, now + timedelta(hours=2), "proposed")
    assert "ask the crew" in stranger.get(f"/said/{key}").text
    assert "crack" not in stranger.get(f"/said/{key}").text


def test_a_correction_is_told_on_both_and_a_page_asks_the_database_as_often_for_two(
    wiring: Wiring, stranger: TestClient, key: str, now: datetime
) -> None:
    sent: list[str] = []
    event.listen(wiring.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    stranger.get("/said")
    for_one = len(sent)
    later = now + timedelta(hours=2)
    second = say(wiring, "Use the ferry, ask the crew.", later)
    send(wiring, later + timedelta(hours=1))
    with wiring.sessions.begin() as session:
        first, correction = session.scalars(select(Message.id).order_by(Message.id))
        session.add(Correction(message_id=correction, corrects_id=first, by=CARL_COMMS, at=later))
    sent.clear()
    page = stranger.get("/said").text
    assert len(sent) == for_one <= 5
    assert page.index("Use the ferry") < page.index("Use the bridge")
    assert f'href="/said/{second}">A later message puts this right' in page
    assert f'href="/said/{key}">an earlier message' in stranger.get(f"/said/{second}").text
    assert "an earlier message" not in stranger.get(f"/said/{key}").text
    assert f"{ADDRESS}/said/{second}" in stranger.get("/said.atom").text


def test_each_language_is_marked_on_the_page_and_in_the_feed(
    wiring: Wiring, stranger: TestClient, key: str, now: datetime
) -> None:
    first, second = "Use the bridge.\n\nAsk the crew.", "Use el puente."

    def rewrite(text: str, tags: list[str]) -> None:
        with wiring.sessions.begin() as session:
            version = session.scalars(select(MessageVersion)).one()
            parts = [version.content["parts"][0] | {"text": text, "lang": tags}]
            both = {"lang": "en", "text": first, "to": "es", "into": second}
            version.content = version.content | {"parts": parts, "translation": both}

    rewrite(f"{first}\n\n{second}", ["en", "es"])
    english = r'<div class="words" dir="auto" lang="en" xml:lang="en">\s*<p>Use the bridge\.</p>'
    spanish = r'<div class="words" dir="auto" lang="es" xml:lang="es">\s*<p>Use el puente\.</p>'
    for path in ("/said", f"/said/{key}", "/said.atom"):
        assert re.search(f"(?s){english}.*{spanish}", stranger.get(path).text), path
    (entry,) = feedparser.parse(stranger.get("/said.atom").content).entries
    assert entry.title_detail.language == "en"
    rewrite(second, ["es"])
    (entry,) = feedparser.parse(stranger.get("/said.atom").content).entries
    assert (entry.title_detail.language, entry.content[0].language) == ("es", "es")
    rewrite("Mixed: use el puente.", ["en", "es"])  # nobody can tell which words are which
    assert '<div class="words" dir="auto">' in stranger.get("/said").text
    # Why it was taken back is the desk's own English, and the page itself is.
    take_back(wiring, key, now + timedelta(hours=2))
    (entry,) = feedparser.parse(stranger.get("/said.atom").content).entries
    assert (entry.title_detail.language, entry.content[0].language) == ("en", "en")


@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_readable_by_everybody_in_a_browser(
    wiring: Wiring, browser: Browser, desk_url: str, key: str, now: datetime, width: int
) -> None:
    with browser.new_context(
        base_url=desk_url, viewport={"width": width, "height": 844}
    ) as context:
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda line: complaints.append(line.text))
        page.goto(f"/said/{key}")
        assert not Axe().run(page).response["violations"]
        take_back(wiring, key, now + timedelta(hours=2))
        page.goto("/said")
        assert not Axe().run(page).response["violations"]
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        assert complaints == []
