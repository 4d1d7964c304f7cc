"""The search page: words kept, hostile words harmless, an address leads to its post."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import select, update

from desk.wiring import Wiring
from monitor.models import Narrative, Reading
from sources.models import Post
from tests.desk.conftest import Cast, Client
from tests.desk.test_pages import furnished  # noqa: F401


@pytest.fixture
def posts(furnished: Wiring) -> Wiring:  # noqa: F811
    """The furnished desk, its posts read by the desk's own model."""
    encoder = furnished.embedder()
    with furnished.sessions.begin() as session:
        for post in session.scalars(select(Post)):
            vector = encoder.embed([post.text])[0]
            values = {"embedder": encoder.name, "embedding": vector}
            session.execute(update(Reading).where(Reading.post_id == post.id).values(values))
        vector = encoder.embed(["the bridge is closed"])[0]
        session.execute(update(Narrative).values(embedder=encoder.name, centroid=vector))
    return furnished


def test_what_is_found_says_how(posts: Wiring, cast: Cast, client: Client) -> None:
    page = client(cast.comms).get("/search", params={"q": "bridge"}).text
    assert "by words and meaning" in page
    assert "the bridge rumour" in page
    assert "Code it" not in page
    page = client(cast.monitor).get("/search", params={"q": "viaduct over water"}).text
    assert "by meaning" in page
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
