"""Watches through the web: tried before they are saved, and no word that was typed is lost."""

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import select

from desk.wiring import Wiring, clock
from sources import register, watches
from sources.collect import save_batch
from sources.collector import Batch, NewPost
from sources.matching import Rule
from sources.models import Source, Watch, WatchVersion
from sources.register import add_source
from tests.desk.conftest import Cast, Client

Form = dict[str, Any]  # a value, or several

ATTACK = '"><script>alert(1)</script>'
FORM: Form = {
    "name": "Boxes & vans",
    "any": "drop box\nballot box",
    "all": "tonight",
    "none": "drill\nfilm",
    "places": ["26163", "41051/Portland"],
    "place": "wayne",
    "platforms": ["bluesky", "web"],
    "sources": ["1"],
    "langs": "en, es",
    "subject": "People gather at a drop box",
    "look-back": "on",
}
RULE = Rule(
    any=("drop box", "ballot box"),
    all=("tonight",),
    none=("drill", "film"),
    places=("26163", "41051/Portland"),
    langs=("en", "es"),
    platforms=("bluesky", "web"),
    sources=(1,),
    subject="People gather at a drop box",
)


class _Fields(HTMLParser):
    """What a browser would send of the watch's form."""

    def __init__(self) -> None:
        super().__init__()
        self.form: Form = {}
        self._within = False
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        name, value = told.get("name") or "", told.get("value")
        if tag == "form":
            self._within = told.get("id") == "watch-form"
        elif not self._within:
            return
        elif tag == "textarea":
            self._area = name
            self.form[name] = ""
        elif tag == "input" and (told.get("type") != "checkbox" or "checked" in told):
            known = self.form.get(name)
            value = "on" if value is None and told.get("type") == "checkbox" else value or ""
            several = name in ("places", "platforms", "sources")
            self.form[name] = [*(known or []), value] if several else value

    def handle_data(self, data: str) -> None:
        if self._area:
            self.form[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._within = False
        elif tag == "textarea":
            self._area = ""


def typed_in(page: str) -> Form:
    fields = _Fields()
    fields.feed(page)
    return fields.form


def versions(wiring: Wiring) -> list[WatchVersion]:
    with wiring.sessions() as session:
        return list(session.scalars(select(WatchVersion).order_by(WatchVersion.id)))


def add(wiring: Wiring, rule: Rule, name: str = "Boxes") -> int:
    with wiring.sessions.begin() as session:
        return watches.save_watch(session, None, name, rule, None, clock()).id


@pytest.fixture
def source(wiring: Wiring) -> int:
    """A feed on the register that has been read: three posts, one of them kept."""
    news = (f"A drop box {ATTACK}", "Lunch", "Ballots for the drop box")
    with wiring.sessions.begin() as session:
        feed = add_source(session, "feed", "https://news.example/rss", "Gazette", clock())
        everything = watches.save_watch(session, None, "Lunch", Rule(any=("lunch",)), None, clock())
        items = [NewPost(f"post-{n}", "a", text, None) for n, text in enumerate(news)]
        save_batch(session, feed, Batch(items, {}), "web", wiring.intake, clock())
        watches.put_away(session, everything, 1, clock())
        return feed.id


def test_a_trial_shows_how_many_and_which_and_saves_nothing(
    client: Client, cast: Cast, wiring: Wiring, source: int
) -> None:
    before = len(versions(wiring))
    maya = client(cast.monitor)
    answer = maya.post("/watches/try", data={"any": "drop box, lunch", "none": "ballots"})
    assert answer.status_code == 200
    assert "<strong>2</strong> of the last 3 posts" in answer.text
    assert "Lunch" in answer.text
    assert "Ballots for" not in answer.text
    assert "about that" not in answer.text
    asked = maya.post("/watches/try", data={"any": "drop box", "subject": "Boxes on fire"}).text
    assert "<strong>2</strong> of the last 3 posts" in asked
    assert "Of the newest 2" in asked  # judged by the language model, who knows with what result
    spoken = maya.post("/watches/try", data={"any": "lunch, ballots", "subject": "Lunch"}).text
    assert "Of the newest 2, <strong>1</strong> is about that" in spoken
    assert "Lunch" in spoken
    assert "Ballots for" not in spoken
    unready = maya.post("/watches/try", data={"name": "N", "subject": "Boxes on fire"})
    assert unready.status_code == 200
    assert "A subject alone" in unready.text
    assert "of the last" not in unready.text
    assert len(versions(wiring)) == before


def test_a_trial_before_anything_was_read_says_so(client: Client, cast: Cast) -> None:
    answer = client(cast.admin).post("/watches/try", data={"any": "drop box"})
    assert "Nothing has been read lately" in answer.text


def test_a_watch_is_made_changed_put_away_and_brought_back(
    client: Client, cast: Cast, wiring: Wiring, source: int
) -> None:
    maya, ada = client(cast.monitor), client(cast.admin)
    form = {name: value for name, value in FORM.items() if name not in ("look-back", "place")}
    assert maya.post("/watches", data=form).headers["location"] == "/watches"
    made = versions(wiring)[-1]
    assert (made.name, made.by, Rule.of(made.rule)) == ("Boxes & vans", cast.monitor.id, RULE)
    page = ada.get(f"/watches/{made.watch_id}").text
    assert typed_in(page) == form | {"watch": str(made.watch_id), "place": ""}
    shown = client(cast.comms).get("/watches").text
    for words in ("Boxes &amp; vans", "ballot box", "Wayne County, MI", "Gazette", "by Maya"):
        assert words in shown
    changed = form | {"name": "Vans", "any": "van"}
    assert ada.post(f"/watches/{made.watch_id}", data=changed).status_code == 303
    ada.post(f"/watches/{made.watch_id}/put-away")
    assert "Nothing is watched" in maya.get("/watches").text
    maya.post(f"/watches/{made.watch_id}/bring-back")
    assert "Nothing is watched" not in maya.get("/watches").text
    history = [(v.name, v.active, v.by) for v in versions(wiring) if v.watch_id == made.watch_id]
    assert history == [
        ("Boxes & vans", True, cast.monitor.id),
        ("Vans", True, cast.admin.id),
        ("Vans", False, cast.admin.id),
        ("Vans", True, cast.monitor.id),
    ]


MISTAKES: list[tuple[Form, str]] = [
    ({"name": " "}, "Give the watch a name."),
    ({"name": "LUNCH"}, "Another watch is called “Lunch”."),
    ({"langs": "en-US, es"}, "“en-us” is no language code"),
    ({"any": "drop box\nx"}, "“x” is too short"),
    ({"places": ["26163", "26/Nowhere"]}, "No place in the United States has the code"),
    ({"platforms": ["web"]}, "this watch leaves Bluesky out"),
    ({"any": "", "all": ""}, "Looking back needs words"),
    ({"any": ATTACK, "name": ATTACK, "langs": ATTACK}, "is no language code"),
]


@pytest.mark.parametrize("new", [True, False])
def test_a_mistake_is_told_and_all_that_was_typed_is_still_there(
    client: Client, cast: Cast, wiring: Wiring, source: int, new: bool
) -> None:
    boxes = add(wiring, Rule(any=("box",)))
    path, also = ("/watches", {}) if new else (f"/watches/{boxes}", {"watch": str(boxes)})
    before = len(versions(wiring))
    maya = client(cast.monitor)
    for mistake, sentence in MISTAKES:
        form = FORM | mistake | also
        answer = maya.post(path, data=form)
        assert answer.status_code == 422, mistake
        assert sentence in answer.text
        assert "<script>alert" not in answer.text
        assert typed_in(answer.text) == form
    assert len(versions(wiring)) == before
    with wiring.sessions() as session:
        assert [one.id for one in register.sources_by_name(session)] == [source]


def test_only_monitors_and_administrators_change_what_is_watched(
    client: Client, cast: Cast, wiring: Wiring
) -> None:
    boxes = add(wiring, Rule(any=("box",)))
    for who in (cast.comms, cast.leader, None):
        person = client(who)
        for path in ("/watches/new", f"/watches/{boxes}"):
            assert person.get(path).status_code == (403 if who else 303)
        for path in ("/try", "", f"/{boxes}", f"/{boxes}/put-away", f"/{boxes}/bring-back"):
            answer = person.post(f"/watches{path}", data={"name": "N", "any": "van"})
            assert answer.status_code == (403 if who else 401), path
        if who:
            page = person.get("/watches").text
            assert "Boxes" in page
            assert "/watches/" not in page.split('id="main"')[1]
    assert len(versions(wiring)) == 1


def test_hostile_words_stay_words(client: Client, cast: Cast, wiring: Wiring, source: int) -> None:
    form = {"name": ATTACK, "any": f"drop box\n{ATTACK}", "none": ATTACK, "subject": ATTACK}
    maya = client(cast.monitor)
    tried = maya.post("/watches/try", data=form | {"places": ATTACK, "place": ATTACK}).text
    assert maya.post("/watches", data=form | {"none": ""}).status_code == 303
    edited = maya.get(f"/watches/{versions(wiring)[-1].watch_id}").text
    assert "A drop box &#34;&gt;&lt;script&gt;" in edited  # an example
    for page in (tried, edited, maya.get("/watches").text):
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page


def test_a_place_is_found_while_typing(client: Client, cast: Cast) -> None:
    maya = client(cast.monitor)
    offered = maya.post("/watches/try", data={"place": "wayne county, mi"}).text
    assert "Wayne County, MI <small>county · FIPS 26163</small>" in offered
    assert "places" not in typed_in(offered)  # nothing is ticked yet
    chosen = maya.post("/watches/try", data={"place": "wayne", "places": ["26163"]}).text
    assert typed_in(chosen)["places"] == ["26163"]
    assert chosen.count("FIPS 26163") == 1
    assert "Wayne County, OH" in chosen
    nothing = maya.post("/watches/try", data={"place": "xyzzyx", "places": ["26163"]}).text
    assert "No other place in the US is called that." in nothing
    assert typed_in(nothing)["places"] == ["26163"]


def test_a_place_that_is_on_the_list_no_more_is_shown_until_a_person_takes_it_out(
    client: Client, cast: Cast, wiring: Wiring
) -> None:
    boxes = add(wiring, Rule(any=("box",)))
    gone = Rule(any=("box",), places=("26163/Nowhere",)).as_json()
    with wiring.sessions.begin() as session:
        watch = session.get_one(Watch, boxes)
        watch.versions.append(WatchVersion(name="Boxes", rule=gone, active=True, at=clock()))
    maya = client(cast.monitor)
    assert "26163/Nowhere" in maya.get("/watches").text
    page = maya.get(f"/watches/{boxes}")
    assert page.status_code == 200
    form = typed_in(page.text)
    assert form["places"] == ["26163/Nowhere"]
    assert maya.post(f"/watches/{boxes}", data=form).status_code == 422
    assert maya.post(f"/watches/{boxes}", data=form | {"places": []}).status_code == 303
    assert Rule.of(versions(wiring)[-1].rule) == Rule(any=("box",))


def test_looking_back_puts_searches_on_the_register(
    client: Client, cast: Cast, wiring: Wiring
) -> None:
    maya = client(cast.monitor)
    form = {"name": "Boxes", "any": "drop box\nballot", "look-back": "on"}
    assert maya.post("/watches", data=form).status_code == 303
    page = maya.get(f"/watches/{versions(wiring)[-1].watch_id}").text
    assert "look-back" not in typed_in(page)  # once, and not at each later change
    assert maya.post("/watches", data={"name": "Vans", "any": "van"}).status_code == 303
    with wiring.sessions() as session:
        added = session.scalars(select(Source).order_by(Source.id)).all()
        assert [one.address.partition(" ")[2] for one in added] == ['"drop box"', '"ballot"']
    assert "Look back for Boxes (version 1)" in maya.get("/sources").text
    # A second person adds a word the same day, and looks back too.
    watch = versions(wiring)[0].watch_id
    form |= {"any": "drop box\nballot\nurn"}
    assert client(cast.admin).post(f"/watches/{watch}", data=form).status_code == 303
    with wiring.sessions() as session:
        assert len(session.scalars(select(Source)).all()) == 3


def test_a_number_that_names_nothing_is_no_fault_of_ours(client: Client, cast: Cast) -> None:
    maya = client(cast.monitor)
    for number in ("0", "404", "9" * 12, "-1", "abc", "9" * 5000):
        assert maya.get(f"/watches/{number}").status_code == 404
        assert maya.post(f"/watches/{number}", data={"any": "box"}).status_code == 404
        assert maya.post(f"/watches/{number}/put-away").status_code == 404
        tried = maya.post("/watches/try", data={"any": "box", "sources": number, "watch": number})
        assert tried.status_code in (200, 404)


def test_the_editor_tries_while_one_types_and_saves_when_told(
    source: int, wiring: Wiring, cast: Cast, browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.monitor, 390).new_page()
    complaints: list[str] = []
    page.on("console", lambda line: complaints.append(line.text))
    page.on("pageerror", lambda fault: complaints.append(str(fault)))
    page.goto("/watches/new")
    trial = page.locator("#trial")
    words = page.get_by_label("Any of these")
    words.press_sequentially("drop box")
    expect(trial).to_contain_text("2 of the last 3 posts")
    expect(words).to_have_value("drop box")
    expect(words).to_be_focused()
    page.get_by_label("Find a state, county or city").press_sequentially("wayne county mi")
    page.get_by_label("Wayne County, MI").check()
    expect(trial).to_contain_text("0 of the last 3 posts")
    expect(page.get_by_label("Wayne County, MI")).to_be_checked()
    _is_whole(page)
    page.get_by_label("None of these").fill("drill")
    page.get_by_label("About").press("Enter")  # Enter tries, though the name is not given yet
    page.wait_for_url("**/watches/try")
    expect(page.get_by_label("Any of these")).to_have_value("drop box")
    expect(page.get_by_label("Wayne County, MI")).to_be_checked()
    assert len(versions(wiring)) == 2  # the fixture's own
    page.get_by_label("Name").fill("Boxes")
    page.get_by_role("button", name="Save watch").click()
    page.wait_for_url("**/watches")
    expect(page.locator(".watch h2")).to_have_text("Boxes")
    _is_whole(page)
    rule = Rule(any=("drop box",), none=("drill",), places=("26163",))
    assert Rule.of(versions(wiring)[-1].rule) == rule
    assert complaints == []


def _is_whole(page: Page) -> None:
    """No wider than the screen, and without a barrier that axe knows."""
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    barriers = Axe().run(page).response["violations"]
    assert not barriers, [(rule["id"], rule["nodes"][0]["html"]) for rule in barriers]
