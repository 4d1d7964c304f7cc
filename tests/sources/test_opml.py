"""Lists of feeds come in and go out whole."""

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.collector import SourceFaultError
from sources.opml import MAX_BYTES, MAX_FEEDS, read_opml, write_opml


def _opml(outlines: str, head: str = "") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>{head}
    <opml version="2.0"><head><title>Ours</title></head><body>{outlines}</body></opml>""".encode()


def test_feeds_in_folders_are_read_in_their_order() -> None:
    feeds, left_out = read_opml(
        _opml(
            """<outline text="Papers"><outline type="rss" text="Town &amp; county" xmlUrl=
            "https://town.example/feed?a=1&amp;copy=2" htmlUrl="https://town.example/"/>
            <outline title="Only a title" xmlUrl=" http://county.example/rss "/></outline>
            <outline text="Again" xmlUrl="http://county.example/rss"/>
            <OUTLINE TEXT="Old reader" XMLURL="feed://old.example/rss"/>
            <outline xmlUrl="feed:https://bare.example/rss"/>"""
        )
    )
    assert feeds == [
        ("https://town.example/feed?a=1&copy=2", "Town & county"),
        ("http://county.example/rss", "Only a title"),
        ("https://old.example/rss", "Old reader"),
        ("https://bare.example/rss", ""),
    ]
    assert left_out == []


def test_what_is_left_out_is_said() -> None:
    feeds, left_out = read_opml(
        _opml(
            """<outline text="Good" xmlUrl="https://town.example/feed"/>
            <outline text="Disk" xmlUrl="file:///etc/passwd"/>
            <outline text="Odd" xmlUrl="http://["/>
            <outline text="Page" xmlUrl="" htmlUrl="https://page.example/"/>
            <outline type="include" text="More" url="https://list.example/more.opml"/>"""
        )
    )
    assert feeds == [("https://town.example/feed", "Good")]
    assert left_out == [
        "“Disk” is left out: it has no address on the web.",
        "“Odd” is left out: it has no address on the web.",
        "“More” is left out: it leads to another list, not to a feed.",
        "“Page” is left out: it has a page but no feed.",
    ]


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00\x01", b"<html><body>Hello</body></html>", b"</outline>", b"[1]", b"\xff\xfe<\x00"],
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(SourceFaultError, match="cannot be read as a list of feeds"):
        read_opml(data)


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings_are_understood(charset: str) -> None:
    text = _opml('<outline text="Brücke" xmlUrl="https://town.example/"/>').decode()
    feeds, _ = read_opml(text.replace("UTF-8", charset.removesuffix("-sig")).encode(charset))
    assert feeds == [("https://town.example/", "Brücke")]


def test_long_lists_are_refused() -> None:
    def of(count: int) -> bytes:
        return write_opml([(f"https://town.example/{n}", "") for n in range(count)], "")

    assert len(read_opml(of(MAX_FEEDS))[0]) == MAX_FEEDS
    with pytest.raises(SourceFaultError, match="more than 1,000 feeds"):
        read_opml(of(MAX_FEEDS + 1))
    with pytest.raises(SourceFaultError, match="more than 5,000 lines"):
        read_opml(of(5001))
    with pytest.raises(SourceFaultError, match="larger than 1 MB"):
        read_opml(_opml(" " * MAX_BYTES))


def test_entities_neither_multiply_nor_reach_for_files() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    outline = '<outline text="Town &l9; &x;" xmlUrl="https://town.example/&x;"/>'
    for head in (
        f'<!DOCTYPE opml [<!ENTITY l0 "ha">{laughs}]>',
        '<!DOCTYPE opml [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE opml SYSTEM "http://127.0.0.1:1/list.dtd">',
    ):
        ((address, title),) = read_opml(_opml(outline, head))[0]
        assert (address, title) == ("https://town.example/&x;", "Town &l9; &x;")


@pytest.mark.parametrize(
    "piece",
    [
        *("<!--", "<a ", '<a b="', "<![CDATA[", "</a", "&#", "<a:b xmlns:a='c'>", "<!DOCTYPE "),
        "<outline text='a'>",
        "<outline text='a'><outline xmlUrl='http://a/'>",
    ],
)
def test_a_hostile_list_takes_no_hours(piece: str) -> None:
    began = time.monotonic()
    for count in (2000, (MAX_BYTES - 500) // len(piece)):
        with suppress(SourceFaultError):
            read_opml(_opml(piece * count))
    assert time.monotonic() - began < 15


WORDS = st.text(max_size=30)
ADDRESSES = st.from_regex(r"https?://[a-z]{1,9}\.example(:[0-9]{2})?/[!-~]{0,30}", fullmatch=True)


@given(st.lists(st.tuples(ADDRESSES, WORDS), max_size=8, unique_by=lambda feed: feed[0]), WORDS)
@settings(deadline=None)
def test_what_is_written_is_read_again(feeds: list[tuple[str, str]], title: str) -> None:
    written = write_opml(feeds, title)
    read, left_out = read_opml(written)
    assert [address for address, _ in read] == [address for address, _ in feeds]
    assert left_out == []
    assert write_opml(read, title) == written  # titles too, but for blanks and control characters


PIECES = """<opml> <outline text= 'a' xmlUrl= "http://a/" "http://[" > /> </outline> </opml> type=
    'link' 'source' url= &lol; &#xD800; <!-- --> xmlns:x='y' <x:outline </x:outline> \x00 é"""


@given(st.lists(st.sampled_from(PIECES.split()) | st.text(max_size=4), max_size=40))
@settings(deadline=None)
def test_no_list_however_broken_is_a_surprise(pieces: list[str]) -> None:
    try:
        feeds, left_out = read_opml(" ".join(pieces).encode("utf-8", "surrogatepass"))
    except SourceFaultError:
        return
    for address, title in feeds:
        assert address.startswith(("http://", "https://"))
        title.encode()
    assert all(sentence.endswith(".") for sentence in left_out)
