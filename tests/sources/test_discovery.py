"""A page's feeds are found on a real HTTP server."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources import discovery
from sources.addresses import Answer as Fetched
from sources.collector import SourceFaultError
from sources.discovery import FoundFeed, find_feeds
from tests.sources.test_feeds import (  # noqa: F401
    ITEM,
    JSON,
    Answer,
    FeedServer,
    rss,
    server,
)

ATOM = b'<feed xmlns="http://www.w3.org/2005/Atom"><title>Town &amp; county</title></feed>'


def _home(server: FeedServer) -> str:  # noqa: F811
    return server.url.removesuffix("/feed.xml")


def _page(server: FeedServer, head: str) -> list[FoundFeed]:  # noqa: F811
    page = f"<!DOCTYPE html><html><head><title>Town</title>{head}</head><body>Words</body></html>"
    server.pages = {"/news/": Answer(200, page.encode(), {"Content-Type": "text/html"})}
    return find_feeds(f"{_home(server)}/news/", private=True)


@pytest.mark.parametrize(
    ("body", "title", "kind"),
    [
        (rss(ITEM.format(n=1)), "Our town", "RSS"),
        (rss(), "Our town", "RSS"),
        (ATOM, "Town & county", "Atom"),
        (JSON.encode(), "Our town", "JSON Feed"),
    ],
)
def test_a_feed_s_own_address_is_enough(
    server: FeedServer,  # noqa: F811
    body: bytes,
    title: str,
    kind: str,
) -> None:
    server.pages = {"/feed.xml": Answer(200, body)}
    assert find_feeds(f" {server.url} ", private=True) == [FoundFeed(server.url, title, kind)]


def test_a_feed_that_has_moved_is_found_where_it_is(server: FeedServer) -> None:  # noqa: F811
    server.pages = {
        "/old.xml": Answer(301, b"", {"Location": "/new.xml"}),
        "/new.xml": Answer(200, ATOM),
    }
    (feed,) = find_feeds(f"{_home(server)}/old.xml", private=True)
    assert feed.url == f"{_home(server)}/new.xml"


def test_a_page_s_own_word_counts(server: FeedServer) -> None:  # noqa: F811
    found = _page(
        server,
        """<link rel=stylesheet href=a.css><LINK REL="Alternate home" TYPE='application/rss+xml'
        HREF='all.xml?a=1&amp;b=2' TITLE="News &gt;  all > of it">
        <link rel="alternate" type="application/atom+xml; charset=utf-8" href="//other.example/a">
        <link rel="alternate" type="application/feed+json" href="/feed.json" title="Schön"/>
        <link rel="alternate" type="application/rss+xml" href="all.xml?a=1&amp;b=2">
        <link rel="alternate" type="text/html" hreflang="es" href="/es/">
        <link rel="alternate stylesheet" type="application/rss+xml" href="/sheet">
        <link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
        <link rel="alternate" type="application/rss+xml" href="http://[">
        <link rel="alternate" type="application/rss+xml">
        <!-- <link rel="alternate" type="application/rss+xml" href="/gone.xml"> -->""",
    )
    home = _home(server)
    assert found == [
        FoundFeed(f"{home}/news/all.xml?a=1&b=2", "News > all > of it", "RSS"),
        FoundFeed("http://other.example/a", "", "Atom"),
        FoundFeed(f"{home}/feed.json", "Schön", "JSON Feed"),
    ]
    assert [path for path, _ in server.asked] == ["/news/"]  # nothing is guessed


def test_a_base_moves_the_links_after_it(server: FeedServer) -> None:  # noqa: F811
    link = '<link rel="alternate" type="application/rss+xml" href="feed">'
    (feed,) = _page(server, f'<base href="https://base.example/x/">{link}')
    assert feed.url == "https://base.example/x/feed"


def test_where_nothing_is_declared_the_usual_places_are_tried(
    server: FeedServer,  # noqa: F811
) -> None:
    page = Answer(200, b"<html><body>Welcome!</body></html>")
    server.pages = {
        "/": page,
        "/rss": page,  # a server that answers everything with its front page
        "/feed": Answer(302, b"", {"Location": "/feed.xml"}),
        "/feed.xml": Answer(200, ATOM),
        "/atom.xml": Answer(500),
    }
    assert find_feeds(_home(server), private=True) == [
        FoundFeed(f"{_home(server)}/feed", "Town & county", "Atom")
    ]


def test_no_feed_and_no_page_are_said(server: FeedServer) -> None:  # noqa: F811
    with pytest.raises(SourceFaultError, match="names no feed, and none is in the usual places"):
        _page(server, "")
    with pytest.raises(SourceFaultError, match="its server answers 404"):
        find_feeds(f"{_home(server)}/nowhere", private=True)
    with pytest.raises(SourceFaultError, match="inside a private network"):
        find_feeds(_home(server))
    with pytest.raises(SourceFaultError, match=r"^https://no-such-host.invalid/ .*not known"):
        find_feeds("no-such-host.invalid/")
    with pytest.raises(SourceFaultError, match="only web addresses"):
        find_feeds("file:///etc/passwd")


def _declared(page: str) -> list[FoundFeed]:
    return list(
        discovery._declared(
            Fetched(200, {"content-type": "text/html"}, "https://town.example/", page.encode())  # type: ignore[arg-type]
        )
    )


@pytest.mark.parametrize(
    "piece",
    [
        *("<!--", "<link ", '<link a="', "<link a='b' ", "<base", "<a ", "<![", "<link\n<", '"'),
        *("<link rel=alternate type=application/rss+xml href=/x>", "<link a=" + "'x'" * 900 + ">"),
    ],
)
def test_a_hostile_page_takes_no_hours(piece: str) -> None:
    began = time.monotonic()
    assert len(_declared(piece * (3_000_000 // len(piece)))) <= 1
    assert time.monotonic() - began < 15


PIECES = """<link <base rel= "alternate" 'alternate' type= application/rss+xml href= /x http://[ >
    /> <!-- --> <html> &amp; &#0; \x00 é title="a>b" <script> </script> <! <? ]]>"""


@given(st.lists(st.sampled_from(PIECES.split()) | st.text(max_size=4), max_size=40))
@settings(deadline=None)
def test_no_page_however_broken_is_a_surprise(pieces: list[str]) -> None:
    for feed in _declared(" ".join(pieces).encode(errors="replace").decode()):
        assert feed.url.startswith(("http://", "https://"))
        assert feed.kind == "RSS"
