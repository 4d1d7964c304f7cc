"""What becomes clickable, by bytes, and what stays plain."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.wording.content import record_for
from campaigns.wording.graphemes import clusters, graphemes
from campaigns.wording.richtext import TAG_BYTES_MAX, facets, spans
from tests.bench.richtext import lines

FAMILY = "👨‍👩‍👧‍👦"
SENDABLE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
# Texts full of what makes links, hashtags and mentions, so that they meet and overlap.
MADE = st.lists(
    st.sampled_from(
        [
            *("https://", "http://", "town.example", "bridge.org", "www.", "/a_(b)", "?q=ä", ":8"),
            *("#", "＃", "@", "$", "calm", "7", "💧", FAMILY, "\u200d", "\ufe0f", "e\u0301"),
            *(" ", "\n", "\u3000", "(", ")", "[", "]", ".", ",", "!", "…", "”", "'", "-", "_", "/"),
        ]
    )
).map("".join)


def clickable(text: str) -> list[tuple[str, str, str]]:
    """(kind, words in the text, value) of each span."""
    whole = text.encode()
    return [(span.kind, whole[span.start : span.end].decode(), span.value) for span in spans(text)]


@pytest.mark.parametrize(
    ("words", "shown", "address"),
    [
        ("See https://town.example/plan today", "https://town.example/plan", None),
        ("See town.org/plan.", "town.org/plan", "https://town.org/plan"),
        ("(at https://town.example)", "https://town.example", None),
        ("Read https://town.example/Foo_(bar).", "https://town.example/Foo_(bar)", None),
        ("(Read https://town.example/Foo_(bar))", "https://town.example/Foo_(bar)", None),
        ("(Read https://town.example/Foo.)", "https://town.example/Foo", None),
        ("(https://town.example/Foo_(bar)?a[]=1)!", "https://town.example/Foo_(bar)?a[]=1", None),
        ("Is it https://town.example/?!", "https://town.example/", None),
        ("https://t)]}", "https://t", None),
        (f"{FAMILY} https://town.example/brücke 🌉", "https://town.example/brücke", None),
        ("one\nhttps://town.example", "https://town.example", None),
    ],
)
def test_a_link_ends_where_its_address_ends(words: str, shown: str, address: str | None) -> None:
    assert clickable(words) == [("link", shown, address or shown)]


@pytest.mark.parametrize(
    ("words", "tag"),
    [
        ("Keep #calm", "calm"),
        ("Keep #calm, all", "calm"),
        ("#calm… yes", "calm"),
        ("＃calm", "calm"),
        ("#2nights", "2nights"),
        ("##calm", "#calm"),
        ("#calm#safe", "calm#safe"),
        ("#💧", "💧"),
        ("#water💧", "water💧"),
        ("#ca\u200blm", "ca"),
        ("#" + "x" * 64, "x" * 64),
        ("#brücke_bleibt__", "brücke_bleibt"),
    ],
)
def test_hashtags_are_those_of_the_official_client(words: str, tag: str) -> None:
    assert [(kind, value) for kind, _, value in clickable(words)] == [("tag", tag)]


@pytest.mark.parametrize(
    "words",
    [
        *("#2026", "#1?", "#", "# calm", "#!", "word#tag", "#\ufe0f⃣tag", "#\u200bcalm"),
        "#" + "x" * 65,
        "#"
        + "e\u0301\u0301\u0301\u0301\u0301"
        * (TAG_BYTES_MAX // 11 + 1),  # the server would refuse it
        *("file.jpg", "e.g.", "not.. a..link", "a.b", "mail@town.org", "https://", "https:///x"),
        *("https://...", "https://)", "ftp://town.example"),
    ],
)
def test_what_looks_clickable_and_is_not(words: str) -> None:
    assert spans(words) == []


def test_the_first_of_two_finds_stands() -> None:
    assert clickable("#a(town.org") == [("tag", "#a(town.org", "a(town.org")]


def test_a_mention_needs_a_known_did() -> None:
    words = "Ask @crew.town.org (or @mayor.org)!"
    assert clickable(words) == [
        ("mention", "@crew.town.org", "crew.town.org"),
        ("mention", "@mayor.org", "mayor.org"),
    ]
    assert facets(words) == []
    assert facets(words, {"mayor.org": "did:plc:mayor"}) == [
        {
            "index": {"byteStart": 23, "byteEnd": 33},
            "features": [{"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:mayor"}],
        }
    ]


def test_the_approved_record_holds_them() -> None:
    record = record_for({"text": "ä #calm town.org"}, datetime(2026, 11, 23, tzinfo=UTC))
    assert record["facets"] == [
        {
            "index": {"byteStart": 3, "byteEnd": 8},
            "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "calm"}],
        },
        {
            "index": {"byteStart": 9, "byteEnd": 17},
            "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://town.org"}],
        },
    ]


@given(MADE | SENDABLE)
def test_spans_are_whole_characters_in_order_and_apart(text: str) -> None:
    whole, last = text.encode(), 0
    for span in spans(text):
        assert last <= span.start < span.end <= len(whole)
        shown = whole[span.start : span.end].decode()  # fails inside a code point
        whole[: span.start].decode()
        if span.kind == "link":
            assert span.value in (shown, f"https://{shown}")
        elif span.kind == "tag":
            assert shown[0] in "#＃$"
            assert span.value in (shown[1:], shown.upper())
        else:
            assert shown == f"@{span.value}"
        last = span.end


@given(MADE, SENDABLE)
def test_a_link_is_found_whatever_stands_around_it(before: str, after: str) -> None:
    assert ("link", *["https://town.example/brücke?a=1"] * 2) in clickable(
        f"{before} https://town.example/brücke?a=1). {after}"
    )


@given(MADE | SENDABLE)
def test_characters_joined_again_are_the_text(text: str) -> None:
    cut = clusters(text)
    assert "".join(cut) == text
    assert "" not in cut
    assert graphemes(text) == len(cut)


@given(
    st.lists(st.sampled_from(["a", "é", "e\u0301", FAMILY, "🇺🇸", "👍🏽", " ", "✁\u200d✁", "각"]))
)
def test_characters_are_what_a_reader_counts(signs: list[str]) -> None:
    assert clusters("|".join(signs)) == [
        sign for place, own in enumerate(signs) for sign in (["|"] * bool(place) + [own])
    ]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("\r\n", 1),
        ("\n\r", 2),
        ("🇺🇸🇲🇽🇺", 3),  # flags, and half of one
        ("a\u0301\u0302\u0303", 1),
        ("\u0301", 1),
        ("क्त", 1),  # a conjunct
        ("a\u200db", 2),  # joins no letters
        ("🇺" * 20_000, 10_000),  # and at once
        ("a" + "\u0337" * 20_000, 1),
    ],
)
def test_hard_characters(text: str, count: int) -> None:
    assert graphemes(text) == count


def test_the_benchmark_reports_a_broken_line_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_bytes(
        b'"Keep #calm"\n{broken\n[1]\n{"text": 3}\n"\\ud83d"\n\xff\n\n'
        b'{"id": 7, "text": "\\u00e1 town.org", "graphemes": 10, "encoding": "GSM-7", "x": []}\n'
    )
    first, *broken, last = lines(path)
    assert first["facets"] == [{"byteStart": 5, "byteEnd": 10, "type": "tag", "value": "calm"}]
    assert [answer["line"] for answer in broken if answer["error"]] == [2, 3, 4, 5, 6]
    assert (last["id"], last["line"], last["bytes"]) == (7, 8, 11)
    assert (last["encoding"], last["segment_units"], last["units_left"]) == ("UCS-2", [10], [60])
    assert last["agrees"] == {"graphemes": True, "encoding": False}


AT_ONCE = """
import threading, time
from campaigns.wording.richtext import spans

def write(wait):
    time.sleep(wait)
    found.append([one.value for one in spans("https://town.example/b")])

found = []
people = [threading.Thread(target=write, args=(wait,)) for wait in (0, 0.2, 0.4)]
[one.start() for one in people], [one.join() for one in people]
assert found == [["https://town.example/b"]] * 3, found
"""


def test_the_first_who_write_in_a_process_do_not_stand_in_each_others_way() -> None:
    # In a process of its own: what they meet at is loaded once.
    ended = subprocess.run([sys.executable, "-c", AT_ONCE], check=False, capture_output=True)
    assert ended.returncode == 0, ended.stderr.decode()
