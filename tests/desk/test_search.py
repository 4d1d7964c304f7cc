"""The search page: words kept, hostile words harmless, an address leads to its post."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import select, update

from desk.wiring import Wiring
from monitor.models import Narrative, Reading
from monitor.narratives.counters import find_by_meaning
from sources.models import Post
from tests.desk.conftest import Cast, Client
from tests.desk.test_pages import furnished  # noqa: F401


@pytest.fixture
def posts(fresh_index: None, furnished: Wiring) -> Wiring:  # noqa: F811
    """The furnished desk, its posts read by the desk's own model."""
    encoder = furnished.embedder()
    with furnished.sessions.begin() as session:
        for post in session.scalars(select(Post)):
            vector = encoder.embed([post.text])[0]
            values = {"embedder": encoder.name, "embedding": vector}
            session.execute(update(Reading).where(Reading.post_id == post.id).values(values))
        vector = encoder.embed(["the bridge is closed"])[0]
        find_by_meaning(session, session.scalars(select(Post.id)).all())
        session.execute(update(Narrative).values(embedder=encoder.name, centroid=vector))
    return furnished


def test_what_is_found_says_how(posts: Wiring, cast: Cast, client: Client) -> None:
    page = client(cast.comms).get("/search", params={"q": "bridge"}).text
    assert "by words and meaning" in page
    assert "the bridge rumour" in page
    assert "Code it" not in page
    page = client(cast.monitor).get("/search", params={"q": "viaduct over water"}).text
    assert "<span>by meaning</span>" in page
    assert "Code it" in page
    assert 'value="viaduct over water"' in page


@pytest.mark.parametrize(
    "words", ["", " ", "<script>alert(1)</script>", "' OR 1=1", "\x00", "x" * 900]
)
def test_words_are_words(posts: Wiring, cast: Cast, client: Client, words: str) -> None:
    answer = client(cast.monitor).get("/search", params={"q": words})
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text


def test_an_address_leads_to_its_post(posts: Wiring, cast: Cast, client: Client) -> None:
    maya = client(cast.monitor)
    answer = maya.get("/search", params={"q": "https://gazette.example/1"})
    assert answer.headers["location"] == "/narratives/1#post-1"
    with posts.sessions.begin() as session:
        for reading in session.scalars(select(Reading)):
            reading.narrative_id = None
    answer = maya.get("/search", params={"q": " https://gazette.example/1 "})
    assert answer.headers["location"] == "/posts/1/coding"
    assert client(cast.comms).get("/search", params={"q": "https://gazette.example/1"}).is_success
    assert client(None).get("/search").headers["location"] == "/sign-in"


def test_the_box_is_one_key_away(
    posts: Wiring, cast: Cast, browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.monitor).new_page()
    page.goto("/")
    page.get_by_role("link", name="Search").click()
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("bridge")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="the bridge rumour").first).to_be_visible()
    with posts.sessions() as session:
        assert session.scalars(select(Post)).all()


def test_hits_and_narratives_are_walked_by_single_keys(
    posts: Wiring, cast: Cast, browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.monitor).new_page()
    page.goto("/search?q=bridge")
    page.keyboard.press("r")  # on no row it would report whatever comes first
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="What do you look for?")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    for told in ("Enter", "open the row", "Report the post of the row", "to the search box"):
        expect(keys).to_contain_text(told)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="the bridge rumour").first).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("li.post").first).to_be_focused()
    page.keyboard.press("Enter")  # the narrative in which the hit stands
    page.wait_for_url("**/narratives/1#post-1")  # its first page reads the maps
    page.go_back()
    page.keyboard.press("k")  # from the end
    page.keyboard.press("r")
    expect(page).to_have_url(re.compile(r"/reports/new\?post=\d$"))

    page.goto("/narratives")
    page.keyboard.press("f")  # needs a row as well
    page.keyboard.press("j")
    page.keyboard.press("f")
    expect(page).to_have_url(re.compile(r"/flags/2$"))


@pytest.mark.parametrize(
    ("words", "where"),
    [
        ("alerts", "/alerts"),
        ("Calend", "/calendar"),
        (" SITUATION ", "/codebook"),
        ("narrative 12", "/narratives/12"),
        ("#12", "/narratives/12"),
        ("12", "/narratives/12"),
        ("flag 007", "/flags/7"),
        ("w3", "/watches/3"),
        ("bridge", "/search?q=bridge"),
        ("n", "/search?q=n"),
        ("narrative x", "/search?q=narrative+x"),
        ("9" * 30, f"/search?q={'9' * 30}"),
        ("http://[", "/search?q=http%3A%2F%2F%5B"),
        ("https://gazette.example/1", "/search?q=https%3A%2F%2Fgazette.example%2F1"),
        ("//evil.example", "/search?q=%2F%2Fevil.example"),
        ("a\x00b", "/search?q=ab"),
    ],
)
def test_jumping_leads_to_a_page_a_row_or_the_search(
    cast: Cast, client: Client, words: str, where: str
) -> None:
    answer = client(cast.monitor).get("/jump", params={"q": words})
    assert answer.headers["location"] == where


def test_an_address_of_this_desk_stays_on_it(cast: Cast, client: Client, desk_url: str) -> None:
    maya = client(cast.monitor)
    for path, where in (
        ("/flags/5?x=1#y", "/flags/5?x=1"),
        ("//evil.example/a", "/evil.example/a"),
        ("/\\evil.example", "/evil.example"),
        ("", "/"),
    ):
        answer = maya.get("/jump", params={"q": desk_url + path})
        assert answer.headers["location"] == where
    listed = maya.get("/jump").text
    assert 'href="/alerts"' in listed
    assert 'href="/people"' not in listed.split('id="places"')[-1]


def test_the_palette_finds_pages_while_one_types(
    posts: Wiring, cast: Cast, browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.monitor).new_page()
    page.goto("/me")
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Jump")
    expect(palette.get_by_role("link", name="Watches")).to_be_visible()
    page.keyboard.type("false al")
    expect(palette.get_by_role("link")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(palette.get_by_role("link", name="Quality")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/quality")
    page.keyboard.press("Control+k")
    page.keyboard.type("https://gazette.example/1")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/narratives/1#post-1$"), timeout=120_000)
