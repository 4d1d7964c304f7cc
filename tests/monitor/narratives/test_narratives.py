"""Narratives form, grow and are shown; what fits nowhere stays out."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from monitor.analyse import analyse_next, consider_next
from monitor.coding import lexicon
from monitor.models import HourlyCount, Narrative, Reading
from monitor.narratives.narratives import (
    list_narratives,
    posts_of,
    standing_number,
    unattended_threats,
)
from monitor.narratives.placing import Placer
from monitor.narratives.texts import texts_in
from monitor.narratives.titles import make_title, retitle
from monitor.reading.slurs import slurs_in

FERRY = [
    ("ann", "The ferry timetable changed again, the boat left early this morning"),
    ("ben", "Ferry timetable is wrong, the morning boat left early"),
    ("cid", "Who changed the ferry timetable? My boat left ten minutes early"),
    ("deb", "The new ferry timetable has the first boat leaving early, nobody told us"),
    ("eli", "Missed my boat: the ferry timetable was changed and it left early"),
]


def read_all(sessions, embedder, now):
    placer = Placer(embedder)
    while analyse_next(sessions, embedder, now, placer=placer):
        pass
    assert consider_next(sessions, placer, now)


def test_four_posts_that_agree_found_a_narrative(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author, text in FERRY[:3]:
            say(session, author, text, now - timedelta(hours=2))
        say(session, "dot", "My tomatoes finally turned red", now - timedelta(hours=2))
    read_all(sessions, embedder, now)
    with sessions.begin() as session:
        assert session.scalars(select(Narrative)).all() == []  # three agree: not enough
        say(session, *FERRY[3], now - timedelta(hours=1))
    analyse_next(sessions, embedder, now)
    with sessions() as session:
        assert session.scalars(select(Narrative)).one().size == 4
        assert session.scalar(select(standing_number())) == 0  # young: nobody sees it yet
    with sessions.begin() as session:
        say(session, *FERRY[4], now - timedelta(hours=1))
    read_all(sessions, embedder, now)
    with sessions() as session:
        narrative = session.scalars(select(Narrative)).one()
        assert session.scalar(select(standing_number())) == 1
        assert narrative.size == 5
        assert narrative.first_post_at == now - timedelta(hours=2)
        assert narrative.last_post_at == now - timedelta(hours=1)
        assert "ferry" in narrative.title.lower()
        said = texts_in(session, narrative)
        assert {text.reading.post.author for text in said} == {author for author, _ in FERRY}
        alone = session.scalars(select(Reading).where(Reading.narrative_id.is_(None))).one()
        assert alone.post.author == "dot"
        # Those that waited are counted in their own hour, not in that of the last.
        hours = {row.hour.hour: row.posts for row in session.scalars(select(HourlyCount))}
        assert hours == {13: 3, 14: 2}


def test_a_later_post_joins_and_a_stranger_does_not(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author, text in FERRY:
            say(session, author, text, now - timedelta(days=1))
    read_all(sessions, embedder, now)
    with sessions.begin() as session:
        say(session, "eve", "is the ferry timetable online? the boat left early", now)
        say(session, "fay", "does anyone fix typewriters around here", now)
    read_all(sessions, embedder, now)
    with sessions() as session:  # a second session sees what the first one decided
        narrative = session.scalars(select(Narrative)).one()
        assert narrative.size == 6
        assert "eve" in {text.reading.post.author for text in texts_in(session, narrative)}


def test_copies_of_one_author_found_nothing(sessions, embedder, say, now):
    with sessions.begin() as session:
        for minute in range(5):
            say(session, "ann", FERRY[0][1], now - timedelta(minutes=minute))
        say(session, "ben", FERRY[1][1], now)
    read_all(sessions, embedder, now)
    with sessions() as session:
        assert session.scalar(select(standing_number())) == 0


def test_copies_of_one_text_are_shown_once_and_as_possible_coordination(
    sessions, embedder, say, now
):
    call = "Burn that ferry depot. Burn it on Mill Street before the morning boat leaves"
    with sessions.begin() as session:
        for author, text in FERRY:
            say(session, author, text, now - timedelta(hours=2))
        for minute, author in enumerate(("kim", "lou", "moe", "ned", "kim")):
            text = f"{call}! https://t.example/{minute}"
            say(session, author, text, now - timedelta(minutes=minute))
    read_all(sessions, embedder, now)
    with sessions() as session:
        # So many accounts make it a narrative, though nobody says it in other words.
        (first,) = texts_in(session, list_narratives(session)[0].narrative)
        assert first.reading.post.text.startswith(call)
        assert (first.posts, first.accounts) == (5, 4)
        assert first.last_at - first.first_at == timedelta(minutes=4)
        assert first.coordinated
        assert len(unattended_threats(session, now)) == 1


def test_one_article_in_many_papers_is_no_coordination(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author in ("gazette", "herald", "courier", "ledger"):
            text = "The council put off its vote on the new ferry timetable until next Thursday"
            say(session, author, text, now).platform = "web"
        for author, text in FERRY:
            say(session, author, text, now)
    read_all(sessions, embedder, now)
    with sessions() as session:
        said = texts_in(session, session.scalars(select(Narrative)).one())
        wire = next(one for one in said if one.posts == 4)
        assert wire.accounts == 4
        assert not wire.coordinated


def test_a_silent_narrative_takes_no_single_post(sessions, embedder, say, now):
    with sessions.begin() as session:
        for author, text in FERRY:
            say(session, author, text, now - timedelta(days=30))
        say(session, "fay", "The ferry timetable is posted at the library now", now)
    read_all(sessions, embedder, now)
    with sessions() as session:
        assert session.scalars(select(Narrative)).one().size == 5


def test_the_list_puts_danger_first_then_the_latest(sessions, embedder, say, now):
    library = [
        ("gil", "The library book sale starts Saturday"),
        ("hal", "Library book sale this Saturday, paperbacks 50 cents"),
        ("ida", "See you at the library book sale on Saturday"),
        ("jon", "Library book sale this Saturday, come early for the paperbacks"),
        ("kay", "Saturday is the book sale at the library again"),
    ]
    depot = [
        ("kim", "Someone should burn that depot on Mill Street"),
        ("lou", "Mill Street: what is in that depot? Somebody should set it on fire"),
        ("moe", "That depot on Mill Street is where they hide it"),
        ("ned", "The depot on Mill Street is full of what they hide"),
        ("ona", "What do they hide in that depot on Mill Street?"),
    ]
    with sessions.begin() as session:
        for posts, at in ((FERRY, 3), (library, 1), (depot, 30)):
            for author, text in posts:
                say(session, author, text, now - timedelta(hours=at))
    read_all(sessions, embedder, now)
    with sessions() as session:
        rows = list_narratives(session)
        assert [row.level for row in rows] == [3, 0, 0]
        assert "library" in rows[1].narrative.title.lower()
        assert "ferry" in rows[2].narrative.title.lower()
        assert rows[0].posts_today == 5
        assert 0 < rows[0].dangerous_share < 1
        assert rows[0].flag is None
        assert max(text.reading.level for text in texts_in(session, rows[0].narrative)) == 3
        assert "burn" not in rows[0].narrative.title.lower()


def test_titles_are_telling_and_calm():
    posts = [
        "They are hiding rats and poison in the warehouse by the bus station @somebody",
        "Warehouse near the bus station: burn it https://example.org/burn",
        "Who owns the warehouse at the bus station? The vermin!",
    ]
    others = ["The bus was late", "Nice weather at the lake", "My dog likes the lake"] * 5
    title = make_title(posts, others)
    assert "Warehouse" in title or "warehouse" in title
    assert "bus station" in title.lower()
    assert not {"rats", "poison", "burn", "vermin", "somebody", "hiding"} & set(
        title.lower().split()
    )
    assert len(title.replace("·", " ").split()) <= 5
    assert make_title(["!!!", "?", "👀"], []) == "Untitled"


def test_all_posts_come_in_pages_the_latest_first(sessions, embedder, say, now, monkeypatch):
    monkeypatch.setattr("monitor.narratives.narratives.POSTS_SHOWN", 2)
    with sessions.begin() as session:
        for hours, (author, text) in enumerate(FERRY):
            say(session, author, text, now - timedelta(hours=hours))
        say(session, "fay", "does anyone fix typewriters around here", now)
    read_all(sessions, embedder, now)
    with sessions() as session:
        narrative = session.scalars(select(Narrative)).one()
        pages = [posts_of(session, narrative, number) for number in (1, 2, 3, 4)]
    assert [[one.post.author for one in found] for found, _ in pages] == [
        ["ann", "ben"],
        ["cid", "deb"],
        ["eli"],
        [],
    ]
    assert [more for _, more in pages] == [True, True, False, False]


HOSTILE_POSTS = [
    "Ask ＠maria_ortega about the ferry depot, b1t.example/burn u/ferryman r/ferries",
    "ferry depot: write to maria.ortega@mail.example or see www.vermin.example and bit.ly/f3rry",
    "The ferry depot again #boogaloo boogaloo Ｖermin v3rmin maria.ortega@mail.example",
    "Boogaloo at the ferry depot, says @maria_ortega (bit.ly/f3rry) r/ferries u/ferryman",
]


def test_no_slur_no_coded_term_no_handle_and_no_address_in_a_title():
    title = make_title(HOSTILE_POSTS, ["Nice weather at the lake"] * 9)
    assert "ferry depot" in title.lower()
    for word in ("maria", "ortega", "mail", "example", "bit", "f3rry", "ferries", "ferryman"):
        assert word not in title.lower().replace("ferry depot", "")
    for word in ("boogaloo", "vermin", "v3rmin", "burn"):
        assert word not in title.lower()


@pytest.mark.parametrize(
    "slur", ["wetback", "Wetbacks", "trannies", "porch monkey", "k​ike", "ｇｏｏｋ", "maricón"]
)
def test_no_slur_is_in_a_title_however_often_it_is_said(slur):
    posts = [
        f"The {slur} at the ferry depot",
        f"A {slur} at our ferry depot",
        f"ferry depot {slur}",
    ]
    title = make_title(posts, ["Nice weather at the lake"] * 9)
    words = title.replace(" · ", " ").split()
    assert slurs_in(slur)
    assert not any(slurs_in(f"{one} {two}") for one in words for two in words)
    assert "ferry depot" in title.lower()


def test_what_a_desk_adds_to_its_lexicon_is_in_no_title(session, say, now):
    # A word of ours alone, and it counts at once: titles are made of what the lexicon says now.
    posts = ["The quibberdash at the ferry depot", "Our quibberdash is at the ferry depot"]
    assert "quibberdash" in make_title(posts, []).lower()
    narrative = Narrative(
        title="",
        centroid=[1.0, 0.0],
        embedder="test",
        size=2,
        first_post_at=now,
        last_post_at=now,
        created_at=now,
    )
    session.add(narrative)
    session.flush()
    for author, text in zip(("ann", "ben"), posts, strict=True):
        post = say(session, author, text, now)
        session.add(
            Reading(
                post_id=post.id,
                embedding=[1.0, 0.0],
                embedder="test",
                level=0,
                threat_level="none",
                stance="asserts",
                reasons=[],
                scorer="test",
                narrative_id=narrative.id,
                hour=now,
                read_at=now,
            )
        )
    session.flush()
    retitle(session, narrative)
    assert "quibberdash" in narrative.title.lower()
    wording = lexicon.Wording(
        term="Quibberdash", meaning="A code", benign_uses="None", kind="threat_code"
    )
    lexicon.add(session, wording, 1, now)
    retitle(session, narrative)
    assert "quibberdash" not in narrative.title.lower()
    assert "ferry depot" in narrative.title.lower()
