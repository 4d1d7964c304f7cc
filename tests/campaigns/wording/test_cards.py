"""A card is what people saw of a page, however hostile the page is."""

import io
import time
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from sqlalchemy.orm import Session

from campaigns.checking.checks import blocking, run_checks
from campaigns.wording import cards
from campaigns.wording.cards import ABOUT_MAX, THUMB_MAX, TITLE_MAX, Card, look_up, said_by
from campaigns.wording.content import Besides, build_content, record_for, sha256_of
from campaigns.wording.media import bytes_of, keep_image
from tests.campaigns import cast
from tests.sources.test_feeds import Answer, FeedServer, server  # noqa: F401

HTML = {"Content-Type": "text/html; charset=utf-8"}
PAGE = """<!doctype html><html><head><title>Old title</title>
<meta content="The bridge &amp; the road" property='og:title'/>
<meta name=description content="Plain > words">
<META PROPERTY="og:image" CONTENT="/pic.png?a=1&amp;b=2"></head><body>Words</body></html>"""


def noise(edge: int) -> bytes:
    """A picture that packs badly."""
    out = io.BytesIO()
    Pillow.effect_noise((edge, edge), 90).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def home(server: FeedServer) -> str:  # noqa: F811
    return server.url.removesuffix("/feed.xml")


def test_a_page_says_what_it_is_and_its_picture_is_kept_small(
    session: Session,
    server: FeedServer,  # noqa: F811
    home: str,
    now: datetime,
) -> None:
    server.pages = {
        "/moved": Answer(302, b"", {"Location": "/news"}),
        "/news": Answer(200, PAGE.encode(), HTML),
        "/pic.png?a=1&b=2": Answer(200, noise(1200), {"Content-Type": "image/png"}),
    }
    card, without = look_up(session, f"{home}/moved", by=1, now=now, private=True)
    assert (card.url, card.title, card.about) == (
        f"{home}/moved",
        "The bridge & the road",
        "Plain > words",
    )
    assert without == ""
    assert card.image is not None
    assert 0 < card.image.size <= THUMB_MAX
    server.pages["/pic.png?a=1&b=2"] = Answer(200, b"<svg onload=alert(1)>")
    card, without = look_up(session, f"{home}/news", by=1, now=now, private=True)
    assert card.image is None
    assert without == "This is no PNG, JPEG or WebP picture."


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(200, b"<title> \n </title>", HTML), "has no title"),
        (Answer(200, b"%PDF-1.7", {"Content-Type": "application/pdf"}), "no web page"),
        (Answer(200, b"<title>x</title>" + b" " * 10_500_000, HTML), "larger than 10 MB"),
        (Answer(404), "answers 404"),
        (Answer(302, b"", {"Location": "/news"}), "in circles"),
        (Answer(302, b"", {"Location": "file:///etc/passwd"}), "cannot be read"),
    ],
)
def test_a_page_that_cannot_be_read_is_refused_in_a_sentence(
    session: Session,
    server: FeedServer,  # noqa: F811
    home: str,
    now: datetime,
    answer: Answer,
    why: str,
) -> None:
    server.pages = {"/news": answer}
    with pytest.raises(ValueError, match=why):
        look_up(session, f"{home}/news", by=1, now=now, private=True)


def test_inside_our_own_network_nothing_is_read(
    session: Session,
    server: FeedServer,  # noqa: F811
    home: str,
    now: datetime,
) -> None:
    server.pages = {"/news": Answer(200, PAGE.encode(), HTML)}
    for url in (f"{home}/news", "http://169.254.169.254/latest/meta-data", "http://[::1]/"):
        with pytest.raises(ValueError, match="private network"):
            look_up(session, url, by=1, now=now)
    assert server.asked == []


@pytest.mark.parametrize(
    ("head", "title", "about"),
    [
        ("<title><script>alert(1)</script></title>", "", ""),
        (
            '<meta name="og:title" content="&lt;script&gt;x&lt;/script&gt;">',
            "<script>x</script>",
            "",
        ),
        ("<title>two\n lines \u202egnol\u0000</title>", "two lines gnol", ""),
        (f"<title>{'word ' * 90}</title>", f"{'word ' * 38}word…", ""),
        ("<title>A</title><meta name=description content='x' content='y'>", "A", "x"),
        ('<meta property="og:title" content="unclosed', "", ""),
        ("<title>👨‍👩‍👧 at home</title>", "👨‍👩‍👧 at home", ""),
    ],
)
def test_only_words_are_taken_from_a_page(head: str, title: str, about: str) -> None:
    said = said_by(head, "https://town.example/")
    assert (said.title, said.about) == (title, about)


@pytest.mark.parametrize(
    "picture", ["javascript:alert(1)", "data:image/png;base64,AAAA", "file:///x", "http://[", ""]
)
def test_a_picture_is_an_address_on_the_web_or_none(picture: str) -> None:
    page = f'<title>x</title><meta property="og:image" content="{picture}">'
    assert said_by(page, "https://town.example/").picture == ""


@pytest.mark.parametrize(
    "piece", ["<meta ", "<meta a='", '<meta content="x" property=', "<title ", "<title>", "<meta/ "]
)
def test_a_page_made_to_take_long_does_not(piece: str) -> None:
    begun = time.monotonic()
    said_by(piece * (cards.HEAD_MAX // len(piece)), "https://town.example/")
    assert time.monotonic() - begun < 2


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_whatever_a_page_holds_its_words_are_one_short_line(page: str) -> None:
    for text in (page, f"<title>{page}</title>", f'<meta property="og:title" content="{page}">'):
        said = said_by(text, "https://town.example/")
        assert len(said.title) <= TITLE_MAX
        assert len(said.about) <= ABOUT_MAX
        assert "\n" not in said.title
        assert "\x00" not in said.title + said.about


def test_what_the_leader_saw_of_a_card_is_hashed_and_sent(session: Session, now: datetime) -> None:
    voice = cast.make_voice(session, now)
    account = cast.rehearsal_account(session, voice, now)
    image = keep_image(session, noise(40), by=1, now=now, most=THUMB_MAX)
    url = "https://town.example/b"
    card = Card(url, " The\nbridge ", "It is open", image)
    text = {account.id: f"Use it: {url}."}
    content = build_content(voice, text, now, besides=Besides(card=card))
    (part,) = content["parts"]
    external = record_for(part, now)["embed"]["external"]
    assert (external["uri"], external["title"], external["description"]) == (
        url,
        "The bridge",
        "It is open",
    )
    assert external["thumb"]["mimeType"] == image.media_type
    assert bytes_of(session, part) == (image.data,)
    others = (
        Card(url, "The bridge!", "It is open", image),
        Card(url, "The bridge", "It is shut", image),
        Card(url, "The bridge", "It is open"),
    )
    hashes = {sha256_of(content)} | {
        sha256_of(build_content(voice, text, now, besides=Besides(card=one))) for one in others
    }
    assert len(hashes) == 4
    image.data = b"other bytes"
    with pytest.raises(ValueError, match="not the picture that was approved"):
        bytes_of(session, part)


def test_a_card_needs_its_link_a_title_and_no_picture_beside_it(
    session: Session, now: datetime
) -> None:
    voice = cast.make_voice(session, now)
    account = cast.rehearsal_account(session, voice, now)
    image = keep_image(session, noise(40), by=1, now=now)
    card = Card("https://town.example/b", "The bridge", "")
    with_link = "Use it: https://town.example/b"

    def build(text: str, card: Card, pictures: int = 0, place: int = 1) -> None:
        besides = Besides(card=card, places=[place])
        build_content(voice, {account.id: text}, now, [(image, "Seen")] * pictures, besides)

    build(f"First.\n---\n{with_link}", card, 1)
    for fault, text, wrong, pictures, place in (
        ("not the first link", "Use https://town.example/c", card, 0, 1),
        ("not both, and it has", with_link, card, 1, 1),
        ("not both, and post 2", f"First.\n---\n{with_link}", card, 1, 2),
        ("needs a title", with_link, Card(card.url, " ", ""), 0, 1),
        ("at most", with_link, Card(card.url, "x" * 201, ""), 0, 1),
        ("needs a link", "No link at all", Card("", "The bridge", ""), 0, 1),
    ):
        with pytest.raises(ValueError, match=fault):
            build(text, wrong, pictures, place)


def test_the_words_of_a_card_are_checked_as_ours_are(session: Session, now: datetime) -> None:
    message = cast.make_message(session, now)
    (account,) = message.voice.accounts
    card = Card("https://town.example/b", "They are vermin: burn them all down", "")
    content = build_content(message.voice, {account.id: cast.CALM}, now, besides=Besides(card=card))
    found = run_checks(session, content, message.voice, now, message.campaign, message)
    assert any(one.number == 8 and one.where == ("Link card",) for one in blocking(found))
