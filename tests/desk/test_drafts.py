"""Around the form: nothing typed is lost or overwritten, pictures need words, texts are reused."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import func, select

from campaigns import voices
from campaigns.contacts import audiences
from campaigns.models import (
    Account,
    Approval,
    Delivery,
    MessageVersion,
    Origin,
    Outlet,
    UnsavedWords,
    Voice,
)
from desk import people
from desk.models import Person
from desk.wiring import Wiring
from tests.desk.conftest import Cast, Client
from tests.sources.test_feeds import Answer, FeedServer, server  # noqa: F401

OPEN = "The bridge on Mill Street is open. Ask the crew: https://town.example/b #millstreet"


def form(**words: str) -> dict[str, str]:
    send_at = datetime.now(UTC) + timedelta(hours=3)
    return {"send_at": f"{send_at:%Y-%m-%dT%H:%M}", "then": "save", "base": "0"} | words


def photo() -> tuple[str, bytes, str]:
    out = io.BytesIO()
    Image.new("RGB", (90, 60), "teal").save(out, "PNG")
    return ("bridge.png", out.getvalue(), "image/png")


@pytest.fixture
def several(wiring: Wiring, message: int) -> int:
    """The message, its voice now on Bluesky (account 2) and Mastodon (3) as well."""
    with wiring.sessions.begin() as session:
        voice = session.get_one(Voice, 1)
        for platform, handle in (("bluesky", "ruth.test"), ("mastodon", "ruth")):
            voices.connect_account(
                session,
                voice,
                platform=platform,
                handle=handle,
                service="https://server.example",
                secret="quiet",
                vault=wiring.vault,
                by=1,
                now=datetime.now(UTC),
            )
    return message


def saved(wiring: Wiring, message: int) -> list[dict[int, str]]:
    """The texts of each version by account."""
    with wiring.sessions() as session:
        query = select(MessageVersion.content).where(MessageVersion.message_id == message)
        contents = session.scalars(query.order_by(MessageVersion.number))
        return [{part["account"]: part["text"] for part in one["parts"]} for one in contents]


def second_writer(wiring: Wiring, cast: Cast) -> Person:
    with wiring.sessions.begin() as session:
        person = session.get_one(Person, cast.monitor.id)
        people.grant(session, person, "comms", None, datetime.now(UTC))
    return cast.monitor


def test_one_text_for_all_with_words_of_an_accounts_own(
    client: Client, cast: Cast, wiring: Wiring, several: int
) -> None:
    comms = client(cast.comms)
    words = form(text=OPEN, use_2="own", text_2="On Bluesky: open.", use_3="none")
    assert comms.post(f"/messages/{several}/draft", data=words).status_code == 303
    assert saved(wiring, several) == [{1: OPEN, 2: "On Bluesky: open."}]
    again = form(text=OPEN, use_2="same", text_2="Typed, then not chosen.", base="1")
    comms.post(f"/messages/{several}/draft", data=again)
    assert saved(wiring, several)[1] == {1: OPEN, 2: OPEN, 3: OPEN}
    stranger = comms.post(f"/messages/{several}/draft", data=form(text="x", text_77="y"))
    assert stranger.status_code == 422
    assert "does not belong" in stranger.text


def test_what_is_typed_comes_back_to_its_writer_alone(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms, other = client(cast.comms), client(second_writer(wiring, cast))
    kept = comms.post(f"/messages/{message}/unsaved", data=form(text_1="Half a sen"))
    assert "Kept at" in kept.text
    assert "<html" not in kept.text
    assert saved(wiring, message) == []
    page = comms.get(f"/messages/{message}").text
    assert "did not save it" in page
    assert "Half a sen" in page
    theirs = other.get(f"/messages/{message}").text
    assert "Half a sen" not in theirs
    assert "Jonah is writing this message too" in theirs
    comms.post(f"/messages/{message}/draft", data=form(text_1="Half a sentence."))
    assert "did not save it" not in comms.get(f"/messages/{message}").text
    comms.post(f"/messages/{message}/unsaved", data=form(text_1="Thrown away", base="1"))
    assert comms.post(f"/messages/{message}/unsaved/drop").status_code == 303
    page = comms.get(f"/messages/{message}").text
    assert "Thrown away" not in page
    assert "Half a sentence." in page


def test_words_as_they_were_saved_are_not_kept_twice(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms = client(cast.comms)
    words = form(text_1="Two\r\nlines.")
    comms.post(f"/messages/{message}/draft", data=words)
    answer = comms.post(f"/messages/{message}/unsaved", data=words | {"base": "1"})
    assert answer.text == "All is saved."
    hostile = form(text_1="a\x00b" + "x" * 50_000, text_999="y", other="z", base="1")
    assert comms.post(f"/messages/{message}/unsaved", data=hostile).status_code == 200
    with wiring.sessions() as session:
        (row,) = session.scalars(select(UnsavedWords))
        assert len(row.fields["text_1"]) == 45_000
        assert "other" not in row.fields


def test_two_writers_see_each_others_words(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms, other = client(cast.comms), client(second_writer(wiring, cast))
    comms.post(f"/messages/{message}/draft", data=form(text_1="It opens on Monday."))
    other.post(f"/messages/{message}/draft", data=form(text_1="It opens on Tuesday.", base="1"))
    mine = form(text_1="It opens on Wednesday.", base="1")
    answer = comms.post(f"/messages/{message}/draft", data=mine)
    assert answer.status_code == 409
    assert "<del>Tuesday</del><ins>Wednesday</ins>" in answer.text
    assert "version 2 by Maya" in answer.text
    assert ">It opens on Wednesday.</textarea>" in answer.text
    assert 'name="base" value="2"' in answer.text
    assert len(saved(wiring, message)) == 2
    assert comms.post(f"/messages/{message}/draft", data=mine | {"base": "2"}).status_code == 303
    story = comms.get(f"/messages/{message}").text
    assert "3 versions" in story
    assert "<del>Tuesday</del><ins>Wednesday</ins>" in story


def test_without_a_script_a_button_looks(client: Client, cast: Cast, message: int) -> None:
    comms = client(cast.comms)
    answer = comms.post(f"/messages/{message}/look", data=form(text_1=OPEN))
    assert answer.status_code == 303
    page = comms.get(f"/messages/{message}").text
    assert '<span class="clickable" title="A link">https://town.example/b</span>' in page
    assert f"{len(OPEN)} of 300 characters" in page


def test_a_picture_needs_words_and_order_is_kept(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms = client(cast.comms)
    bad = comms.post(
        f"/messages/{message}/pictures",
        data=form(text_1="Kept words."),
        files={"upload": ("x.png", b"<svg>", "image/png")},
    )
    assert bad.status_code == 422
    assert "no PNG, JPEG or WebP" in bad.text
    assert "Kept words." in bad.text
    added = comms.post(
        f"/messages/{message}/pictures", data=form(text_1=OPEN), files={"upload": photo()}
    )
    assert added.status_code == 303
    assert saved(wiring, message) == []
    page = comms.get(f"/messages/{message}").text
    sha256 = page.split('name="image_0" value="')[1][:64]
    shown = comms.get(f"/images/{sha256}")
    assert shown.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(shown.content)).size == (90, 60)
    assert client(None).get(f"/images/{sha256}").status_code == 303
    words = form(text_1=OPEN, image_0=sha256, alt_0=" ", then="submit")
    refused = comms.post(f"/messages/{message}/draft", data=words)
    assert refused.status_code == 422
    assert "description" in refused.text
    described = words | {"alt_0": 'The bridge "><script>', "base": "1", "then": "save"}
    assert comms.post(f"/messages/{message}/draft", data=described).status_code == 303
    page = comms.get(f"/messages/{message}").text
    assert "<script>" not in page.split("<main")[1]
    gone = described | {"drop_0": "on", "base": "2"}
    comms.post(f"/messages/{message}/draft", data=gone)
    with wiring.sessions() as session:
        contents = session.scalars(select(MessageVersion.content).order_by(MessageVersion.number))
        assert ["images" in one["parts"][0] for one in contents] == [True, True, False]


def test_a_picture_nobody_uploaded_is_not_taken(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    words = form(text_1=OPEN, image_0="0" * 64, alt_0="Nothing")
    assert client(cast.comms).post(f"/messages/{message}/draft", data=words).status_code == 303
    with wiring.sessions() as session:
        (version,) = session.scalars(select(MessageVersion))
        assert "images" not in version.content["parts"][0]


def test_writers_and_the_leader_speak_about_a_message(
    client: Client, cast: Cast, message: int
) -> None:
    path = f"/messages/{message}"
    said = {"comment": "Is <b>Tuesday</b> right?"}
    assert client(cast.comms).post(f"{path}/comments", data=said).status_code == 303
    assert "Is &lt;b&gt;Tuesday" in client(cast.leader).get(path).text
    assert "Tuesday" not in client(cast.monitor).get(path).text
    assert "Tuesday" not in client(cast.other_leader).get(path).text
    assert client(cast.monitor).post(f"{path}/comments", data=said).status_code == 403
    assert client(cast.other_leader).post(f"{path}/comments", data=said).status_code == 404
    assert client(cast.leader).post(f"{path}/comments", data={"comment": " "}).status_code == 422


def publish(wiring: Wiring, comms: httpx.Client, message: int) -> int:
    """The message as if it had gone out; answers its delivery."""
    comms.post(f"/messages/{message}/draft", data=form(text_1=OPEN))
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        (version,) = session.scalars(select(MessageVersion))
        approval = Approval(
            version=version, sha256=version.sha256, drafted_by=2, approved_by=3, approved_at=now
        )
        delivery = Delivery(account_id=1, due_at=now, state="published", record_key="k", record={})
        delivery.receipt_uri, delivery.settled_at = "at://here", now
        approval.deliveries.append(delivery)
        session.add(approval)
        session.flush()
        return delivery.id


def test_a_message_is_started_from_what_was_said_before(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    from campaigns.drafting.messages import start_message
    from campaigns.models import Campaign

    comms = client(cast.comms)
    delivery = publish(wiring, comms, message)
    with wiring.sessions.begin() as session:
        campaign, voice = session.get_one(Campaign, 1), session.get_one(Voice, 1)
        new = start_message(session, campaign, voice, by=2, now=datetime.now(UTC)).id
    page = comms.get(f"/library?message={new}&q=MILL&strategy=norm&voice=1").text
    assert "The bridge on Mill Street is open" in page
    assert "Start from this text" in page
    assert "Nothing published matches" in comms.get("/library?q=nowhere").text
    assert "Start from this text" not in client(cast.monitor).get(f"/library?message={new}").text
    assert comms.post(f"/messages/{new}/start", data={"delivery": str(delivery)}).status_code == 303
    page = comms.get(f"/messages/{new}").text
    assert "The bridge on Mill Street is open" in page
    assert "Started from" in page
    assert saved(wiring, new) == []
    with wiring.sessions() as session:
        assert session.get_one(Origin, new).version_id == 1
    assert comms.post(f"/messages/{new}/start", data={"delivery": "99"}).status_code == 404


def test_a_template_keeps_its_history(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms = client(cast.comms)
    path = "/library/templates"
    assert comms.post(path, data={"name": " ", "text": "Kept."}).status_code == 422
    for name, text in (("Open", "It is open."), ("open", "It is open again.")):
        assert comms.post(path, data={"name": name, "text": text}).status_code == 303
    page = comms.get(f"/library?message={message}").text
    assert "It is open again." in page
    assert "1 earlier" in page
    comms.post(f"/messages/{message}/start", data={"template": "2"})
    assert "It is open again.</textarea>" in comms.get(f"/messages/{message}").text
    comms.post(path, data={"name": "Open", "text": ""})
    assert "It is open again." not in comms.get("/library").text
    assert client(cast.monitor).post(path, data={"name": "A", "text": "B"}).status_code == 403


def content_of(wiring: Wiring, message: int) -> dict[str, Any]:
    """What the newest version says."""
    with wiring.sessions() as session:
        query = select(MessageVersion.content).where(MessageVersion.message_id == message)
        return session.scalars(query.order_by(MessageVersion.number.desc())).first() or {}


def test_a_form_in_two_languages_comes_back_as_it_was_saved(
    client: Client, cast: Cast, wiring: Wiring, several: int
) -> None:
    comms = client(cast.comms)
    path = f"/messages/{several}"
    words = form(
        text="One.\n---\nTwo.",
        text2="Uno.\n---\nDos <b>.",
        in_1="first",
        in_2="both",
        in_3="second",
        fresh="30",
    )
    assert comms.post(f"{path}/draft", data=words).status_code == 303
    content = content_of(wiring, several)
    assert [part.get("lang", ["en"]) for part in content["parts"]] == [["en"], ["en", "es"], ["es"]]
    assert [part["text"] for part in content["parts"]] == [
        "One.\n---\nTwo.",
        "One.\n---\nTwo.\n---\nUno.\n---\nDos <b>.",
        "Uno.\n\nDos <b>.",  # Mastodon takes no thread in one step
    ]
    fresh = datetime.fromisoformat(content["send_until"]) - datetime.fromisoformat(
        content["send_at"]
    )
    assert fresh == timedelta(minutes=30)
    again = words | {"base": "1"}
    assert comms.post(f"{path}/unsaved", data=again).text == "All is saved."
    page = comms.get(path).text
    assert '<p class="text" lang="es" dir="auto">' in page
    changed = again | {"in_3": "both"}
    assert "Kept at" in comms.post(f"{path}/unsaved", data=changed).text
    assert 'name="in_3" value="both" checked' in comms.get(path).text
    assert "Dos <b>" not in page
    for wrong in ({"fresh": "9999"}, {"fresh": "soon"}, {"lang2": "en", "lang": "en"}):
        assert comms.post(f"{path}/draft", data=words | wrong).status_code == 422


def test_somebody_else_reads_both_languages_before_it_is_submitted(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms, other = client(cast.comms), client(second_writer(wiring, cast))
    path = f"/messages/{message}"
    words = form(text_1="It is open.", text2="Está abierto.", in_1="second", then="submit")
    refused = comms.post(f"{path}/draft", data=words)
    assert refused.status_code == 422
    assert "checked the Spanish against the English" in refused.text
    pair = refused.text.split('id="translations"')[1]
    assert "ask somebody else who reads both" in pair
    page = other.get(path).text.split('id="translations"')[1]
    sha256 = page.split('name="pair" value="')[1][:64]
    said = {"pair": sha256}
    assert comms.post(f"{path}/translation", data=said).status_code == 409
    assert client(cast.monitor).post(f"{path}/translation", data=said).status_code == 303
    assert client(cast.other_leader).post(f"{path}/translation", data=said).status_code == 404
    assert client(cast.duty_lead).post(f"{path}/translation", data=said).status_code == 403
    after = comms.get(path).text
    assert "read both" in after.split('id="translations"')[1]
    assert "checked the Spanish against the English" not in after
    later = words | {"text_1": "It is open now.", "base": "1", "then": "save"}
    comms.post(f"{path}/draft", data=later)
    assert "May be out of date:" in comms.get(path).text


def test_a_card_is_looked_up_edited_and_taken_off(
    client: Client,
    cast: Cast,
    wiring: Wiring,
    several: int,
    server: FeedServer,  # noqa: F811
) -> None:
    comms = client(cast.comms)
    path = f"/messages/{several}"
    link = server.url.replace("feed.xml", "news")
    page = b"<title>The <b>bridge</title><meta property='og:title' content='A &lt;i&gt; bridge'>"
    page += b"<meta property='og:image' content='/pic.png'>"
    server.pages = {
        "/news": Answer(200, page, {"Content-Type": "text/html"}),
        "/pic.png": Answer(200, photo()[1]),
    }
    words = form(text=f"See {link}")
    without = comms.post(f"{path}/card", data=form(text="No link."))
    assert without.status_code == 422
    assert "no link in the words" in without.text
    refused = comms.post(f"{path}/card", data=words)
    assert refused.status_code == 422
    assert "private network" in refused.text
    assert server.asked == []
    wiring.settings.private_addresses = True
    assert comms.post(f"{path}/card", data=words).status_code == 303
    shown = comms.get(path).text
    assert 'name="card_title" value="A &lt;i&gt; bridge"' in shown
    assert '<div class="linkcard">' in shown
    sha256 = shown.split('name="card_image" value="')[1][:64]
    assert saved(wiring, several) == []
    card = {"card_url": link, "card_title": "Our bridge", "card_image": sha256}
    assert comms.post(f"{path}/draft", data=words | card).status_code == 303
    told = content_of(wiring, several)["parts"][1]["card"]
    assert (told["url"], told["title"], told["image"]["sha256"]) == (link, "Our bridge", sha256)
    assert "card" not in content_of(wiring, several)["parts"][2]
    pictured = words | card | {"image_0": sha256, "alt_0": "The bridge", "base": "1"}
    both = comms.post(f"{path}/draft", data=pictured)
    assert both.status_code == 422
    assert "pictures or a link card, not both" in both.text
    off = words | card | {"card_off": "on", "base": "1"}
    assert comms.post(f"{path}/draft", data=off).status_code == 303
    assert not any("card" in part for part in content_of(wiring, several)["parts"])


def test_a_text_message_shows_its_price_and_takes_plain_signs(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms, now = client(cast.comms), datetime.now(UTC)
    with wiring.sessions.begin() as session:
        row = Account(voice_id=1, platform="sms", handle="ruth", service="")
        row.connected_by, row.connected_at = 1, now
        told = audiences.make(session, "ruth", "Parents who asked to be told", by=1, now=now)
        row.outlet = Outlet(audience_id=told.id, sender="+15555550100", registration="CTEST")
        session.add(row)
        session.flush()
        number = row.id
    path = f"/messages/{message}"
    words = form(text="“Open” today… 👍", use_1="none")
    looked = comms.post(f"{path}/check", data=words).text
    assert "UCS-2, 1 segment" in looked
    assert "<b>“</b> → <b>&#34;</b>" in looked
    assert "<b>👍</b> (no plain sign says the same)" in looked
    assert comms.post(f"{path}/plain/{number}", data=words).status_code == 303
    page = comms.get(path).text
    assert "&#34;Open&#34; today... 👍</textarea>" in page
    assert comms.post(f"{path}/plain/999", data=words).status_code == 404


@pytest.mark.parametrize("width", [1280, 390])
def test_two_languages_stand_side_by_side_and_a_thread_is_seen_as_one_types(
    several: int, cast: Cast, browsing: Callable[..., BrowserContext], width: int
) -> None:
    page = browsing(cast.comms, width).new_page()
    page.goto(f"/messages/{several}")
    page.get_by_text("Add a second language").click()
    first, second = page.locator("[name=text]"), page.locator("[name=text2]")
    left, right = first.bounding_box(), second.bounding_box()
    assert left is not None
    assert right is not None
    assert (abs(left["y"] - right["y"]) < 12) == (width == 1280)
    first.fill("The bridge is open.\n---\nUse it today.")
    second.fill("El puente está abierto.")
    box = page.get_by_role("group", name="Bluesky · @ruth.test", exact=True)
    box.get_by_label("both, one after the other").check()
    preview = page.locator("#looked .preview", has_text="@ruth.test")
    expect(preview.locator(".place")).to_have_count(3, timeout=60_000)
    expect(preview).to_contain_text("19 of 300 characters")
    expect(preview).to_contain_text("English and Spanish")
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider <= 0
    assert Axe().run(page).response["violations"] == []


def test_typing_is_looked_at_and_survives_a_reload(
    several: int, cast: Cast, wiring: Wiring, browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.comms, 390).new_page()
    page.goto(f"/messages/{several}")
    page.get_by_label("The words, the same everywhere").fill(OPEN)
    expect(page.locator("#looked .preview")).to_have_count(3)
    expect(page.locator("#looked .clickable", has_text="#millstreet")).to_have_count(3)
    box = page.get_by_role("group", name="Bluesky · @ruth.test")
    expect(box.get_by_role("textbox")).to_be_hidden()
    box.get_by_label("Its own words").check()
    box.get_by_role("textbox").fill("For Bluesky alone.")
    expect(page.locator("#looked .preview", has_text="For Bluesky alone.")).to_have_count(1)
    expect(page.locator("#kept")).to_contain_text("Kept at")
    page.reload()
    expect(box.get_by_role("textbox")).to_have_value("For Bluesky alone.")
    with wiring.sessions() as session:
        assert session.scalar(select(func.count(MessageVersion.id))) == 0
