"""What own words share with posts, and what else has no place in a report."""

from datetime import timedelta

import pytest

from monitor.reading.terms import Lexicon
from monitor.reports.paraphrase import findings, traces

POST = "Everybody meets behind the old depot at nine tonight, bring your friends"
NONE = Lexicon([])


def found(session, line, now, **sections):
    week = timedelta(days=7)
    some = findings(session, {"one": line} | sections, now - week, now + week, NONE)
    return [(one.section, one.line, one.kind, one.words) for one in some]


@pytest.mark.parametrize(
    "line",
    [
        "He said: everybody meets behind the old fence.",
        "EVERYBODY  meets, behind the—old one",
        "[V1] éverybody meets behind the old",
        "- bring your friends? No: at nine tonight, bring your friends",
    ],
)
def test_five_words_in_a_row_are_found_whatever_their_look(session, say, now, line):
    say(session, "a", POST, now)
    kinds = [kind for _, _, kind, _ in found(session, line, now)]
    assert kinds == ["run"]


@pytest.mark.parametrize(
    "line",
    [
        "everybody meets behind the new depot",
        "everybody meets behind\nthe old depot",  # a line is a statement
        "",
        "one two three",
    ],
)
def test_four_words_or_another_line_are_none(session, say, now, line):
    say(session, "a", POST, now)
    assert found(session, line, now) == []


def test_the_line_and_the_section_are_named_once(session, say, now):
    say(session, "a", POST, now)
    text = f"Nothing.\n{POST}"
    assert [one[:3] for one in found(session, "", now, two=text)] == [("two", 2, "run")]


def test_posts_of_another_time_do_not_count(session, say, now):
    say(session, "a", POST, now - timedelta(days=8))
    assert found(session, POST, now) == []


def test_many_lines_are_held_beside_many_posts(session, say, now):
    for n in range(30):
        say(session, "a", f"number {n} goes to market with a {n} basket", now)
    lines = "\n".join(f"Somebody with number {n} of something else" for n in range(300))
    assert found(session, lines, now) == []
    assert len(found(session, lines + "\nnumber 7 goes to market", now)) == 1


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("by @someone", "handle"),
        ("by @some.one.example!", "handle"),
        ("by u/someone", "handle"),
        ("by /u/someone", "handle"),
        ("at https://there.example/x?y", "link"),
        ("at www.there.example", "link"),
        ("at there.com", "link"),
        ("name.bsky.social wrote", "link"),
        ("write to someone@there.org", "handle"),
    ],
)
def test_handles_and_links_are_found(line, kind):
    assert kind in [one for one, _ in traces(line, NONE)]


@pytest.mark.parametrize(
    "line",
    [
        "Wayne County, MI: between D2 and D3.",
        "At 9 a.m. the U.S. office opened.",
        "and/or, he/she, 24/7",
        "Version 2.1 of it. Information came.",
        "Call @ nine",
    ],
)
def test_plain_words_are_neither(line):
    assert traces(line, NONE) == []
