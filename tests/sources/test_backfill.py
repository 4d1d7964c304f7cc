"""Looking back: the searches a watch puts on the register, and what they bring."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from sources import register, watches
from sources.backfill import SEARCHES, look_back
from sources.bluesky import BlueskySearch
from sources.collect import Intake, collect
from sources.matching import Rule
from sources.models import Post, PostWatch, Source, SourceEvent
from sources.models import Watch as WatchRow
from sources.register import due_sources
from tests.sources.conftest import Watch
from tests.sources.test_appview import AppView, view

ANN = 3


@pytest.fixture
def appview() -> Iterator[AppView]:
    appview = AppView()
    yield appview
    appview.close()


def searches(session: Session, rule: Rule, now: datetime) -> list[str]:
    """The addresses of the searches that looking back for a rule puts on the register."""
    watch = watches.save_watch(session, None, "Boxes", rule, ANN, now)
    added = look_back(session, watch, now)
    assert [(source.kind, source.name) for source in added] == [
        ("bluesky-search", "Look back for Boxes (version 1)")
    ] * len(added)
    assert due_sources(session, now) == added  # they are read at once
    return [source.address for source in added]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (Rule(any=("Drop Box", "ballot")), ['"Drop Box"', '"ballot"']),
        (Rule(all=("drop box", "fire"), any=("van", "truck")), ['"drop box" "fire"']),
        (Rule(any=("box",), platforms=("web", "bluesky")), ['"box"']),
        (Rule(any=('the "drop  box" plot',), none=("lunch",)), ['"the drop box plot"']),
        (Rule(any=tuple(f"box {n}" for n in range(99))), [f'"box {n}"' for n in range(SEARCHES)]),
    ],
)
def test_each_phrase_is_searched_for_from_a_week_ago(
    session: Session, now: datetime, rule: Rule, found: list[str]
) -> None:
    assert searches(session, rule, now) == [f"2026-11-16 {query}" for query in found]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (Rule(any=("box",), platforms=("web",)), "this watch leaves Bluesky out"),
        (Rule(places=("26",)), "needs words or phrases"),
        (Rule(everything=True), "needs words or phrases"),
    ],
)
def test_what_cannot_be_searched_for_is_told_in_a_sentence(
    session: Session, now: datetime, rule: Rule, sentence: str
) -> None:
    watch = watches.save_watch(session, None, "Boxes", rule, ANN, now)
    with pytest.raises(ValueError, match=sentence):
        look_back(session, watch, now)
    assert session.scalars(select(Source)).all() == []


def test_what_was_said_before_is_brought_to_its_watch_and_the_search_ends(
    sessions: sessionmaker[Session],
    watch: Watch,
    intake: Intake,
    appview: AppView,
    now: datetime,
) -> None:
    texts = ["a drop box", "drop boxes", "The Drop Box!", "a drop box (drill)"]
    appview.posts = [view(n) for n in range(len(texts))]
    for shown, text in zip(appview.posts, texts, strict=True):
        shown["record"]["text"] = text

    def run(watch_id: int, at: datetime) -> dict[str, list[int]]:
        """Look back for a watch and read the search to its end; by text: the watches of a post."""
        with sessions.begin() as session:
            (source,) = look_back(session, session.get_one(WatchRow, watch_id), at)
        with sessions() as session:
            assert [due.id for due in due_sources(session, at)] == [source.id]
        search = BlueskySearch(source.address, appview=appview.url)
        collect(sessions, source.id, search, intake=intake, clock=lambda: at, stop=lambda: False)
        with sessions() as session:
            assert register.health(session, at)[0].state == "off"
            asked = (
                select(Post.text, PostWatch.watch_id).join(PostWatch).order_by(PostWatch.watch_id)
            )
            found: dict[str, list[int]] = {}
            for text, one in session.execute(asked):
                found.setdefault(text, []).append(one)
            return found

    calm = watch(Rule(any=("drop box",), none=("drill",)), "Without drills")
    assert run(calm, now) == {"a drop box": [calm], "The Drop Box!": [calm]}
    assert appview.asked[0]["q"] == ['"drop box"']
    assert appview.asked[0]["since"] == ["2026-11-16T00:00:00.000Z"]
    # On the same day another watch has the same phrase: what the first one let go is read anew.
    drills = watch(Rule(any=("drop box",)), "With drills")
    later = now + timedelta(hours=1)
    assert run(drills, later) == {
        "a drop box": [calm, drills],
        "The Drop Box!": [calm, drills],
        "a drop box (drill)": [drills],
    }
    with sessions() as session:
        (resumed,) = session.scalars(select(SourceEvent).where(SourceEvent.kind == "resumed"))
        assert (resumed.detail, resumed.at) == ("Look back for With drills (version 1)", later)


def test_a_changed_watch_looks_back_again_for_old_and_new_words(
    session: Session, now: datetime
) -> None:
    watch = watches.save_watch(session, None, "Boxes", Rule(any=("box",)), ANN, now)
    (box,) = look_back(session, watch, now)
    box.cursor = {"page": "2"}
    register.pause(session, box, None, "It has been read to its end.", now)
    watches.save_watch(session, watch, "Boxes", Rule(any=("van", "box")), ANN, now)
    van, again = look_back(session, watch, now)
    assert van.name == "Look back for Boxes (version 2)"
    assert (again, again.cursor, register.is_paused(session, again)) == (box, None, False)
    next_day, _ = look_back(session, watch, now + timedelta(days=1))
    assert next_day.address == '2026-11-17 "van"'
