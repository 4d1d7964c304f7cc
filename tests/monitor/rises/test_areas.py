"""Watches and counties have hours too; what narratives were flagged for is not told twice."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from monitor.models import AreaCount, Flag, PostCounty
from monitor.rises import areas
from monitor.rises.areas import counties_in
from monitor.rises.spikes import look
from sources.matching import Rule
from sources.models import Post, PostWatch
from sources.watches import save_watch
from tests.monitor.made import Town

HOUR = timedelta(hours=1)
WAYNE = "26163"
# Words of their own around it: else they would be copies of one text.
IN_DETROIT = "a{n} b{n} they should be shot c{n} d{n} Detroit, Michigan e{n} f{n}"


@pytest.fixture
def town(sessions, say, now):
    return Town(sessions, say, now)


@pytest.fixture
def watch(sessions, now):
    with sessions.begin() as session:
        made = now - timedelta(days=9)
        return save_watch(session, None, "Bridges", Rule(any=("bridge",)), None, made).id


def scattered(town, count, at=None, danger="they should be shot", watch=None):
    """Posts about as many subjects, so that no narrative holds them."""
    start = next(town.numbers)
    texts = [
        (f"scattered{start}-{n}", f"subject{start}x{n} {danger}".format(n=n)) for n in range(count)
    ]
    ids = town.post(texts, at)
    if watch is not None:
        with town.sessions.begin() as session:
            session.add_all(PostWatch(post_id=post, watch_id=watch) for post in ids)
    return ids


def counted(town, **wanted):
    with town.sessions() as session:
        rows = session.scalars(select(AreaCount).filter_by(**wanted).order_by(AreaCount.hour)).all()
        return [(row.authors, row.dangerous_authors, row.alarming_authors) for row in rows]


def seen_before(town, kind, key, hours=200):
    """The area has been counted for some time, and was quiet."""
    with town.sessions.begin() as session:
        session.add(
            AreaCount(
                kind=kind,
                key=key,
                hour=town.now - hours * HOUR,
                authors=1,
                dangerous_authors=1,
                alarming_authors=0,
            )
        )


def flags(town):
    with town.sessions() as session:
        return session.scalars(select(Flag).where(Flag.kind == "spike").order_by(Flag.id)).all()


def test_a_county_is_named_by_itself_or_by_its_city():
    assert counties_in("rats in Detroit, Michigan") == {WAYNE}
    assert counties_in("nothing", "In Wayne County, Michigan") == {WAYNE}
    assert counties_in("all over Michigan, in every town") == set()  # a state is no county
    assert counties_in("") == set()


def test_the_hours_of_a_watch_are_counted_in_people_and_never_lowered(town, watch):
    scattered(town, 3, watch=watch)
    scattered(town, 2, danger="is a pleasant day", watch=watch)
    scattered(town, 4)  # nobody watches
    town.read()
    town.watch()
    assert counted(town, kind="watch") == [(5, 3, 3)]
    with town.sessions.begin() as session:
        session.execute(delete(Post))
    scattered(town, 1, watch=watch)
    town.read()
    town.watch()
    assert counted(town, kind="watch") == [(5, 3, 3)]


def test_copies_are_one_voice_of_an_area(town, watch):
    posts = town.copies("bridge full of vermin that should be shot, all of them, here", "abcdef")
    with town.sessions.begin() as session:
        session.add_all(PostWatch(post_id=post, watch_id=watch) for post in posts)
    town.read()
    town.watch()
    assert counted(town, kind="watch") == [(1, 1, 1)]


def test_a_watch_rises_over_narratives_that_do_not(town, watch):
    seen_before(town, "watch", str(watch))
    scattered(town, 7, watch=watch)
    town.read()
    (flag,) = town.watch()
    assert (flag.watch_id, flag.narrative_id, flag.place) == (watch, None, None)
    assert (flag.level, flag.observed, flag.about["authors"]) == (3, 7, 7)
    assert len([why for why in flag.reasons if why["post_id"]]) == 5
    assert town.watch() == []
    assert len(flags(town)) == 1


def test_a_county_rises_where_posts_name_it(town):
    seen_before(town, "place", "06037")
    scattered(town, 6, danger=IN_DETROIT)
    scattered(town, 2, danger=IN_DETROIT.replace("they should be shot", "a parade went past"))
    scattered(town, 6)
    town.read()
    (flag,) = town.watch()
    assert counted(town, kind="place", key=WAYNE) == [(8, 6, 6)]
    assert flag.place == WAYNE
    assert flag.about["share"] == 6 / 8
    assert flag.about["places"][0] == [WAYNE, 6]
    assert flag.test.startswith("count")


def test_calm_voices_of_a_county_are_counted_and_call_nobody(town):
    """Its share is told from them: also in hours in which others alone were dangerous."""
    seen_before(town, "place", WAYNE)
    scattered(town, 5, danger=IN_DETROIT.replace("they should be shot", "a parade went past"))
    scattered(town, 1)
    town.read()
    assert town.watch() == []
    assert counted(town, kind="place", key=WAYNE)[-1] == (5, 0, 0)


def test_the_counties_of_a_post_go_with_it(town):
    ids = scattered(town, 1, danger=IN_DETROIT)
    town.read()
    with town.sessions.begin() as session:
        assert session.scalars(select(PostCounty.fips)).all() == [WAYNE]
        session.execute(delete(Post).where(Post.id.in_(ids)))
        assert session.scalars(select(PostCounty.fips)).all() == []


def test_an_area_known_for_less_than_a_day_is_not_told_of(town, watch):
    seen_before(town, "watch", str(watch), hours=20)
    scattered(town, 9, watch=watch)
    town.read()
    assert town.watch() == []


def test_a_narrative_that_was_flagged_explains_the_watch(town, watch):
    seen_before(town, "watch", str(watch))
    posts = town.tell("bridge", 8, danger=True)
    with town.sessions.begin() as session:
        session.add_all(PostWatch(post_id=post, watch_id=watch) for post in posts)
    town.read()
    (flag,) = town.watch()
    assert flag.narrative_id is not None
    scattered(town, 20, watch=watch)
    town.read()
    (area,) = town.watch()  # now the watch has more to tell than the narrative
    assert area.watch_id == watch


def test_one_who_posts_and_deletes_is_one_in_an_area(town, watch):
    seen_before(town, "watch", str(watch))
    for _ in range(6):
        scattered(town, 1, watch=watch)
        town.read()
        town.watch()
        with town.sessions.begin() as session:
            session.execute(delete(Post))
    assert counted(town, kind="watch")[-1] == (1, 1, 1)
    assert flags(town) == []


def test_no_hour_is_nothing_to_count(session, now):
    assert areas.count(session, set()) == {"watch": set(), "place": set()}
    assert look(session, now) == []
