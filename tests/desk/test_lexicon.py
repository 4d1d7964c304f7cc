"""The lexicon through the web: found, reviewed in time, edited with a reason, nothing lost."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from desk import first_start
from desk.wiring import Wiring, clock
from monitor.coding import lexicon
from monitor.coding.lexicon import KEEPS, Wording
from monitor.models import LexiconVersion
from tests.desk.conftest import Cast, Client

Form = dict[str, Any]

ATTACK = '"><script>alert(1)</script>'
BOATS = Wording(
    term="boat people",
    variants=("#boatpeople", "boat-people"),
    meaning="Says that newcomers are a flood.",
    benign_uses="Sailors, and history.",
    origin="Invented for this test.",
    kind="dehumanising",
)
GATE = replace(
    BOATS, term="la puerta", variants=(), language="es", locale="MX", meaning="Means a gate."
)
FORM: Form = {
    "term": "the fleet",
    "variants": "#fleet\nfleets",
    "language": "en",
    "locale": "US",
    "kind": "conspiracy",
    "meaning": "Means & says “newcomers”.",
    "benign_uses": "Ships.",
    "origin": "Invented.",
    "alternatives": "newcomers",
    "sources": "none",
}


@pytest.fixture
def boats(wiring: Wiring, cast: Cast) -> int:
    """Two entries, the first of them made so long ago that it has expired."""
    long_ago = clock() - KEEPS - timedelta(days=1)
    with wiring.sessions.begin() as session:
        made = lexicon.add(session, BOATS, cast.monitor.id, long_ago)
        lexicon.add(session, GATE, cast.monitor.id, clock())
        return made.entry_id


def versions(wiring: Wiring, entry_id: int) -> list[LexiconVersion]:
    with wiring.sessions() as session:
        return lexicon.history(session, entry_id)


def hits(wiring: Wiring, text: str) -> list[str]:
    with wiring.sessions() as session:
        return [hit.term for hit in lexicon.load(session, clock()).hits(text)]


def shown(page: str) -> list[int]:
    """The entries of a list, in its order."""
    return [int(key) for key in re.findall(r'id="entry-(\d+)"', page)]


def test_an_entry_is_added_edited_and_its_history_told(
    client: Client, cast: Cast, wiring: Wiring
) -> None:
    maya, ada = client(cast.monitor), client(cast.admin)
    answer = maya.post("/lexicon", data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/lexicon#entry-1")
    assert hits(wiring, "The #Fleet sails") == ["the fleet"]
    page = ada.get("/lexicon/1").text
    assert "Means &amp; says" in page
    change = FORM | {"meaning": "Means ships.", "why": "Said too much.", "number": "1"}
    assert ada.post("/lexicon/1", data=change).status_code == 303
    first, second = versions(wiring, 1)
    assert (first.by, second.by, second.reason) == (
        cast.monitor.id,
        cast.admin.id,
        "Said too much.",
    )
    assert first.expires_at == second.expires_at
    seen = unescape(client(cast.comms).get("/lexicon").text)
    for words in ("Version 2", "Said too much.", "by Ada", "Version 1", "by Maya", "“the fleet”"):
        assert words in seen
    assert re.search(r"Meaning before</span> Means & says “newcomers”", seen)
    assert seen.index("Means ships.") < seen.index("“the fleet”")  # the meaning comes first
    reviewed = change | {"number": "2", "why": "Read all of it.", "reviewed": "on"}
    assert ada.post("/lexicon/1", data=reviewed).status_code == 303
    assert versions(wiring, 1)[-1].expires_at > second.expires_at


def test_what_is_due_stands_first_and_is_renewed_where_it_stands(
    client: Client, cast: Cast, wiring: Wiring, boats: int
) -> None:
    maya = client(cast.monitor)
    page = maya.get("/lexicon").text
    assert shown(page) == [boats, boats + 1]
    assert "Due for review (1)" in page
    assert "so it does not count" in page
    assert hits(wiring, "boat people") == []
    assert shown(maya.get("/lexicon?state=expired").text) == [boats]
    assert shown(maya.get("/lexicon?state=in+use").text) == [boats + 1]
    form = {"back": "words=boat&kind=dehumanising"}
    answer = maya.post(f"/lexicon/{boats}/renew", data=form)
    assert answer.headers["location"] == "/lexicon?words=boat&kind=dehumanising"
    assert "Due for review (" not in maya.get("/lexicon").text
    assert hits(wiring, "boat people") == ["boat people"]
    assert [version.by for version in versions(wiring, boats)] == [cast.monitor.id] * 2
    away = maya.post(f"/lexicon/{boats}/renew", data={"back": "//evil.example\r\nX: y"})
    assert away.headers["location"].startswith("/lexicon?")
    assert "x" not in away.headers


def test_the_list_is_searched_and_narrowed(
    client: Client, cast: Cast, wiring: Wiring, boats: int
) -> None:
    jonah = client(cast.comms)

    def finds(query: str) -> list[int]:
        answer = jonah.get(f"/lexicon?{query}")
        assert answer.status_code == 200
        return shown(answer.text)

    assert finds("words=FLOOD+newcomers") == [boats]
    assert finds("words=%23boatpeople") == [boats]
    assert finds("words=puérta") == [boats + 1]
    assert finds("words=flood+gate") == []
    assert finds("language=es") == [boats + 1]
    assert finds("kind=conspiracy") == finds("language=xx") == finds("state=nonsense") == []
    client(cast.monitor).post(f"/lexicon/{boats}/retire", data={"why": "Gone."})
    assert finds("") == [boats + 1]
    assert finds("state=retired") == [boats]
    assert finds("state=all&words=boat") == [boats]
    page = jonah.get(f"/lexicon?words={ATTACK}").text
    assert "<script>alert" not in page
    assert "No entry fits this search." in page


def test_an_entry_is_retired_with_a_reason_and_brought_back(
    client: Client, cast: Cast, wiring: Wiring, boats: int
) -> None:
    maya = client(cast.monitor)
    gate = boats + 1
    assert hits(wiring, "la puerta") == ["la puerta"]
    refused = maya.post(f"/lexicon/{gate}/retire", data={"why": " "})
    assert refused.status_code == 422
    assert "Say why it should count no more." in refused.text
    long = "x" * 1001
    refused = maya.post(f"/lexicon/{gate}/retire", data={"why": long})
    assert refused.status_code == 422
    assert long in refused.text
    assert maya.post(f"/lexicon/{gate}/retire", data={"why": "Too common."}).status_code == 303
    assert hits(wiring, "la puerta") == []
    assert maya.post(f"/lexicon/{gate}/renew").status_code == 409
    again = maya.post(f"/lexicon/{gate}/retire", data={"why": "Me too."})
    assert again.status_code == 409
    assert "Me too." not in again.text  # there is nothing left to retire
    assert "Too common." in again.text
    assert maya.post(f"/lexicon/{gate}/restore").status_code == 303
    assert maya.post(f"/lexicon/{gate}/restore").status_code == 409
    assert hits(wiring, "la puerta") == ["la puerta"]
    states = [(one.state, one.reason) for one in versions(wiring, gate)]
    assert states == [("active", "Added"), ("retired", "Too common."), ("active", "Brought back")]


MISTAKES: list[tuple[Form, str]] = [
    ({"term": "ab"}, "“ab” is too short"),
    ({"variants": "fine\nBoat People"}, "“Boat People” stands in the entry “boat people” already."),
    ({"language": "English"}, "English is en"),
    ({"locale": "USA"}, "the United States are US"),
    ({"kind": "rude"}, "Choose what kind of term it is."),
    ({"meaning": " "}, "Say what it means"),
    ({"benign_uses": ""}, "Say where it is harmless"),
    ({"origin": "o" * 1001}, "This has 1,001 characters"),
    ({"term": ATTACK, "meaning": ATTACK, "variants": ATTACK, "language": ATTACK}, "English is en"),
]


@pytest.mark.parametrize("new", [True, False])
def test_a_mistake_is_told_at_its_field_and_all_that_was_typed_is_still_there(
    client: Client, cast: Cast, wiring: Wiring, boats: int, new: bool
) -> None:
    maya = client(cast.monitor)
    gate = boats + 1
    path, also = ("/lexicon", {}) if new else (f"/lexicon/{gate}", {"why": "Wanted", "number": "1"})
    for mistake, sentence in MISTAKES:
        form = FORM | mistake | also
        answer = maya.post(path, data=form)
        assert answer.status_code == 422, mistake
        page = unescape(answer.text)
        assert sentence in page
        assert f'id="fault-{next(iter(mistake))}"' in answer.text or len(mistake) > 1
        assert "<script>alert" not in answer.text
        for name, value in form.items():
            if name != "kind":
                assert value in page, name
    if not new:
        answer = maya.post(path, data=FORM | {"number": "1"})
        assert answer.status_code == 422
        assert "Say why you change it." in answer.text
    with wiring.sessions() as session:
        assert lexicon.stamp(session) == 2


def test_whoever_edits_what_another_has_changed_is_told_and_keeps_their_words(
    client: Client, cast: Cast, wiring: Wiring, boats: int
) -> None:
    maya, ada = client(cast.monitor), client(cast.admin)
    change = FORM | {"number": "1", "why": "First"}
    assert maya.post(f"/lexicon/{boats}", data=change).status_code == 303
    late = change | {"meaning": "Late words.", "why": "Second"}
    answer = ada.post(f"/lexicon/{boats}", data=late)
    assert answer.status_code == 409
    assert "Somebody else has changed this entry meanwhile (version 2)" in answer.text
    assert "Late words." in answer.text
    (number,) = re.findall(r'name="number" value="(\d+)"', answer.text)
    assert ada.post(f"/lexicon/{boats}", data=late | {"number": number}).status_code == 303
    assert [one.reason for one in versions(wiring, boats)] == ["Added", "First", "Second"]


def test_only_monitors_and_administrators_change_the_lexicon(
    client: Client, cast: Cast, wiring: Wiring, boats: int
) -> None:
    for who in (cast.comms, cast.leader, None):
        person = client(who)
        for path in ("/lexicon/new", f"/lexicon/{boats}"):
            assert person.get(path).status_code == (403 if who else 303)
        for path in ("", f"/{boats}", *(f"/{boats}/{v}" for v in ("renew", "retire", "restore"))):
            answer = person.post(f"/lexicon{path}", data=FORM | {"why": "Mine"})
            assert answer.status_code == (403 if who else 401), path
        if who:
            page = person.get("/lexicon").text
            assert shown(page) == [boats, boats + 1]
            assert "/lexicon/" not in page.split('id="main"')[1]
    with wiring.sessions() as session:
        assert lexicon.stamp(session) == 2


def test_a_number_that_names_nothing_is_no_fault_of_ours(client: Client, cast: Cast) -> None:
    maya = client(cast.monitor)
    for number in ("0", "404", "9" * 12, "-1", "abc"):
        assert maya.get(f"/lexicon/{number}").status_code == 404
        assert maya.post(f"/lexicon/{number}", data=FORM).status_code == 404
        assert maya.post(f"/lexicon/{number}/renew").status_code == 404
    assert maya.post("/lexicon/1/explode").status_code == 404
    assert "The lexicon is empty" in maya.get("/lexicon").text


def test_hostile_words_stay_words(client: Client, cast: Cast, wiring: Wiring) -> None:
    maya = client(cast.monitor)
    words = ("term", "variants", "meaning", "benign_uses", "origin", "alternatives", "sources")
    form = FORM | dict.fromkeys(words, ATTACK) | {"variants": f"x{ATTACK}"}
    assert maya.post("/lexicon", data=form).status_code == 303
    change = form | {"why": ATTACK, "meaning": ATTACK * 2}
    assert maya.post("/lexicon/1", data=change).status_code == 303
    for page in (maya.get("/lexicon").text, maya.get("/lexicon/1").text):
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page


def test_every_start_of_the_desk_sees_to_a_first_edition(wiring: Wiring) -> None:
    """A new desk, and one that is older than the lexicon and has its sources already."""
    for _ in range(2):
        with wiring.sessions.begin() as session:
            first_start.add_first_sources(session, wiring.settings, False, clock())
    with wiring.sessions() as session:
        assert lexicon.stamp(session) == len(lexicon.current(session)) > 100


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_monitor_finds_edits_and_retires_in_a_browser(
    wiring: Wiring,
    cast: Cast,
    boats: int,
    browsing: Callable[..., BrowserContext],
    width: int,
    scheme: str,
) -> None:
    page = browsing(cast.monitor, width).new_page()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text))
    page.on("pageerror", lambda fault: complaints.append(str(fault)))
    page.goto("/lexicon")
    page.get_by_role("searchbox").press_sequentially("gate")
    expect(page.locator(".entry")).to_have_count(1)
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_role("searchbox").fill("")
    expect(page.locator(".entry")).to_have_count(2)
    page.get_by_label("Language").select_option("en")
    expect(page.locator(".entry")).to_have_count(1)
    page.locator(".entry > summary").click()
    page.get_by_text("Retire it", exact=True).click()
    page.get_by_text("History (1)").click()
    _is_whole(page)
    page.get_by_role("button", name="Still right").click()
    page.wait_for_url("**/lexicon?words=&language=en&kind=&state=")
    expect(page.locator(".state")).to_have_count(0)
    page.locator(".entry > summary").click()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Meaning").fill("x" * 200)
    page.get_by_label("Variants").fill("la puerta\nno")
    page.get_by_label("Why you change it").fill("To see")
    page.get_by_role("button", name="Save as version 3").click()
    expect(page.locator("#fault-variants")).to_contain_text("“no” is too short")
    expect(page.get_by_label("Meaning")).to_have_value("x" * 200)
    _is_whole(page)
    page.get_by_label("Variants").fill("boats")
    page.get_by_role("button", name="Save as version 3").click()
    page.wait_for_url("**/lexicon#entry-*")
    assert [one.number for one in versions(wiring, boats)] == [1, 2, 3]
    assert [line for line in complaints if "422" not in line] == []


def _is_whole(page: Page) -> None:
    """No wider than the screen, and without a barrier that axe knows."""
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    found = Axe().run(page)
    assert [
        f"{rule['id']} {node['html']} {node['failureSummary']}"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ] == []
