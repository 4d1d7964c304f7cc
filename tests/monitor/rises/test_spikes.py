"""Rises are flagged once, in people; the ordinary, the loud few and the already decided are not."""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import delete, func, select

from monitor.flags.flags import decide, warn
from monitor.models import Endangered, Flag, HourlyCount, Narrative, Reading, Threshold
from monitor.narratives.narratives import hour_of
from monitor.narratives.turns import stamp_of
from monitor.rises.baseline import Prior
from monitor.rises.detect import Settings
from monitor.rises.series import YOUNG_NEEDED, prior_of_narratives
from monitor.rises.spikes import LOUDER, QUIET, look
from sources.models import Post
from tests.monitor.made import Town

HOUR = timedelta(hours=1)
QUIET_PAST = [0, 1, 0, 0] * 50
ALONG = timedelta(minutes=30)  # into an hour: not the moment at which rises are ended


class Told:
    """A narrative whose hours are written as the analysis would leave them."""

    def __init__(self, session, say, now, title="Depot"):
        self.session, self.say, self.now = session, say, now
        self.narrative = Narrative(
            title=title,
            centroid=np.ones(3, dtype=np.float32),
            embedder="none",
            size=9,
            first_post_at=now,
            last_post_at=now,
            created_at=now,
        )
        session.add(self.narrative)
        session.flush()
        self.authors = 0

    @property
    def id(self):
        return self.narrative.id

    def hours(self, *counts, ending=0, alarming=0, queued=True):
        """Dangerous authors, hour by hour; the last ``ending`` hours before ``now``'s."""
        for back, authors in enumerate(reversed(counts)):
            if authors:
                self.add(authors, ending + back, min(alarming, authors), others=2 * authors)
        born = self.now - (ending + len(counts) - 1) * HOUR
        self.narrative.first_post_at = min(self.narrative.first_post_at, born)
        self.session.flush()
        if queued:
            self.queue(ending)
        return self

    def add(self, authors, back=0, alarming=0, text="They are rats.", others=0, **post):
        """Posts of so many people in one hour, and their counts; the posts."""
        at = self.now - back * HOUR
        made = []
        for number in range(authors):
            self.authors += 1
            said = f"{text} {self.authors}"
            one = self.say(self.session, f"author{self.id}-{self.authors}", said, at)
            for name, value in post.items():
                setattr(one, name, value)
            self.read(one, 3 if number < alarming else 2)
            made.append(one)
        self.count(back, authors, alarming, others)
        return made

    def count(self, back, dangerous, alarming=0, others=0):
        key = {"narrative_id": self.id, "hour": self.now - back * HOUR}
        row = self.session.get(HourlyCount, tuple(key.values()))
        if row is None:
            row = HourlyCount(**key, posts=0, authors=0, dangerous_posts=0, dangerous_authors=0)
            row.alarming_authors = 0
            self.session.add(row)
        row.posts += dangerous + others
        row.authors += dangerous + others
        row.dangerous_posts += dangerous
        row.dangerous_authors += dangerous
        row.alarming_authors += alarming
        self.session.flush()

    def read(self, post, level=2, copy_of=None):
        why = {"code": "H1", "text": "Calls people rats", "start": 0, "end": 3}
        self.session.add(
            Reading(
                post_id=post.id,
                embedding=np.ones(3, dtype=np.float32),
                embedder="none",
                level=level,
                threat_level="none",
                stance="asserts",
                reasons=[why],
                scorer="none",
                narrative_id=self.id,
                hour=hour_of(post.posted_at),
                read_at=post.posted_at,
                **({"copy_of": copy_of} if copy_of else {}),
            )
        )
        self.session.flush()

    def queue(self, *back):
        warn(self.session, {(self.id, self.now - one * HOUR) for one in back}, self.now)


@pytest.fixture
def told(session, say, now):
    return Told(session, say, now)


def flags_of(session):
    return session.scalars(select(Flag).order_by(Flag.id)).all()


def later(told, hours):
    """Hours go by: a ``told`` whose now is that much later."""
    told.now += hours * HOUR
    return told.now + ALONG


def test_a_steady_narrative_is_quiet(session, told, now):
    told.hours(*[3, 4, 2, 3] * 50, 4)
    assert look(session, now) == []


def test_a_rise_is_flagged_with_numbers(session, told, now):
    told.hours(*QUIET_PAST, 7)
    (flag,) = look(session, now)
    assert (flag.kind, flag.level, flag.narrative_id) == ("spike", 2, told.id)
    assert (flag.hour, flag.observed, flag.hours, flag.test) == (now, 7, 1, "count")
    assert flag.expected == pytest.approx(0.25, abs=0.15)
    assert flag.low <= flag.expected <= flag.high < 7
    assert flag.p_value <= flag.adjusted < 1e-4
    assert flag.reasons[0]["text"].startswith("7 different authors of dangerous posts in one hour")
    assert flag.cleared_hour is None
    session.refresh(told.narrative)
    assert told.narrative.settled_at == now
    assert (flag.posted_at, flag.collected_at) == (now, now)
    assert session.scalars(select(Endangered)).all() == []


def test_looking_again_changes_nothing(session, told, now):
    told.hours(*QUIET_PAST, 7, 8)
    (flag,) = look(session, now)
    before, stamp = dict(vars(flag)), stamp_of(session)
    told.queue(0, 1)
    assert look(session, now) == []
    session.refresh(flag)
    after = dict(vars(flag))
    assert {key: after[key] for key in before if key[0] != "_"} == {
        key: value for key, value in before.items() if key[0] != "_"
    }
    assert flags_of(session) == [flag]
    assert stamp_of(session) == stamp


def test_where_nothing_is_queued_nothing_is_looked_at(session, told, now):
    told.hours(*QUIET_PAST, 9, queued=False)
    assert look(session, now) == []


def test_two_people_are_never_a_spike(session, told, now):
    told.hours(*[0] * 200, 2)
    assert look(session, now) == []


def test_one_person_who_posts_and_deletes_is_one(session, told, now):
    told.hours(*QUIET_PAST, 0)
    told.count(0, 9)  # counted nine times, because the earlier posts were gone by then
    told.read(told.say(session, "loud", "They are rats.", now))
    told.queue(0)
    assert look(session, now) == []


def test_copies_are_one_voice(session, told, now):
    told.hours(*QUIET_PAST, 0)
    told.count(0, 1)
    posts = [told.say(session, f"bot{n}", "They are rats.", now) for n in range(9)]
    for post in posts:
        told.read(post, copy_of=posts[0].id)
    told.queue(0)
    assert look(session, now) == []


def test_what_was_deleted_later_was_still_said(session, told, now):
    """The hours before those that are tested are read as they were first counted."""
    told.hours(*[6] * 200, 8)
    session.execute(delete(Post).where(Post.posted_at < now - 80 * HOUR))
    assert look(session, now) == []


@pytest.mark.parametrize(("people", "flagged"), [(3, False), (4, True), (9, True)])
def test_a_newborn_narrative_needs_four_people(session, told, now, people, flagged):
    told.hours(people)
    found = look(session, now)
    assert len(found) == flagged
    for flag in found:
        assert flag.expected == pytest.approx(Prior().rate)
        assert any(
            "It is young: 1 hour to compare with, so that a rate of 0.15" in reason["text"]
            for reason in flag.reasons
        )


def test_the_hour_in_which_a_narrative_began_is_its_first(session, told, now):
    told.hours(4, ending=1)
    told.narrative.first_post_at += timedelta(minutes=59)
    (flag,) = look(session, now)
    assert flag.hour == now - HOUR


def test_where_young_narratives_are_loud_a_loud_one_is_no_news(session, say, told, now):
    for number in range(YOUNG_NEEDED):
        past = Told(session, say, now - timedelta(days=4), f"Past {number}")
        past.count(0, 3 + number % 4)
        past.count(-1, number % 3)
    assert prior_of_narratives(session, 2, now).rate > Prior().rate
    told.hours(4)
    assert look(session, now) == []


def test_few_past_narratives_are_no_rule(session, say, now):
    for _ in range(YOUNG_NEEDED - 1):
        Told(session, say, now - timedelta(days=4)).count(0, 9)
    assert prior_of_narratives(session, 2, now) == Prior()
    Told(session, say, now - timedelta(days=4))
    assert prior_of_narratives(session, 2, now) != Prior()
    assert prior_of_narratives(session, 3, now) == Prior()  # none of them had such a voice


def test_among_many_narratives_more_proof_is_asked_for(session, say, told, now):
    for number in range(400):
        Told(session, say, now, f"Other {number}")
    told.hours(4)
    assert look(session, now) == []
    told.add(5)
    told.queue(0)
    assert len(look(session, now)) == 1


def test_slow_rises_are_told_by_who_speaks_not_by_how_often(session, say, told, now):
    loud = Told(session, say, now, "Two who go on and on")
    for one in (told, loud):
        one.hours(*[0] * 200, queued=False)
    for back in range(14):
        told.add(2, back)
        loud.count(back, 2)
        for author in ("ann", "ben"):
            loud.read(say(session, author, f"They are rats {author} {back}", now - back * HOUR))
    told.queue(0)
    loud.queue(0)
    (flag,) = look(session, now)
    assert flag.narrative_id == told.id
    assert "cusum" in flag.test
    assert flag.hours > 1


def test_an_open_flag_follows_the_rise_to_its_loudest_hour(session, told, now):
    told.hours(*QUIET_PAST, 6)
    (flag,) = look(session, now + ALONG)
    raised_at = flag.raised_at
    moment = later(told, 1)
    told.add(14)
    told.queue(0)
    assert look(session, moment) == [flag]
    assert (flag.hour, flag.observed, flag.raised_at) == (told.now, 14, raised_at)
    assert flag.posted_at == now  # when the earliest was made does not move
    told.add(6)
    told.queue(0)
    assert look(session, moment) == [flag]  # the same hour grows
    assert flag.observed == 20
    moment = later(told, 1)
    told.add(9)
    told.queue(0)
    assert look(session, moment) == []  # less loud
    assert flags_of(session) == [flag]


def test_a_decided_rise_is_not_asked_about_again(session, told, now):
    told.hours(*QUIET_PAST, 6)
    (flag,) = look(session, now + ALONG)
    decide(session, flag, "dismissed", "a film title", by=1, now=now + ALONG)
    for _ in range(14):  # as loud, for longer than a decision keeps quiet
        moment = later(told, 1)
        told.add(7)
        told.queue(0)
        assert look(session, moment) == []


def test_a_decision_does_not_blind_to_what_is_louder(session, told, now):
    told.hours(*QUIET_PAST, 6)
    (flag,) = look(session, now + ALONG)
    decide(session, flag, "dismissed", "a film title", by=1, now=now + ALONG)
    moment = later(told, 1)
    told.add(int(LOUDER * 6))
    told.queue(0)
    (louder,) = look(session, moment)
    assert louder.id != flag.id
    assert (louder.observed, louder.hour) == (12, told.now)


def test_what_grows_louder_in_the_very_hour_that_was_decided_is_flagged(session, told, now):
    told.hours(*QUIET_PAST, 6)
    (flag,) = look(session, now + timedelta(minutes=5))
    decide(session, flag, "dismissed", "a film title", by=1, now=now + timedelta(minutes=6))
    told.add(5)
    told.queue(0)
    assert look(session, now + ALONG) == []  # 11 people are not twice as many
    told.add(1)
    told.queue(0)
    (louder,) = look(session, now + ALONG)
    assert (louder.hour, louder.observed) == (flag.hour, 12)


def test_a_new_rise_after_a_decision_waits_for_its_time(session, told, now):
    told.hours(*[0] * 200, 6)
    (flag,) = look(session, now + ALONG)
    decided = now + 20 * HOUR  # the rise is long over
    decide(session, flag, "dismissed", "a film title", by=1, now=decided)
    later(told, 26)
    told.add(6)
    told.queue(0)
    assert look(session, decided + QUIET - HOUR / 4) == []
    told.queue(0)
    assert len(look(session, decided + QUIET + HOUR / 4)) == 1


def test_violence_is_told_before_contempt_and_once(session, told, now):
    told.hours(*[0] * 200, 9, alarming=6)
    (flag,) = look(session, now)
    assert (flag.level, flag.observed) == (3, 6)
    sentences = [why["text"] for why in flag.reasons if why["post_id"] is None]
    assert sentences[0].startswith("At M3 or above: 6 different authors")
    assert any(one.startswith("At M2 or above: 9 different authors") for one in sentences)
    assert flag.about["loudest"] == {"2": 9, "3": 6}


def test_an_open_flag_on_contempt_becomes_one_on_violence(session, told, now):
    told.hours(*[0] * 200, 9)
    (flag,) = look(session, now + ALONG)
    assert flag.level == 2
    moment = later(told, 1)
    told.add(5, alarming=5)
    told.queue(0)
    assert look(session, moment) == [flag]
    assert (flag.level, flag.observed, flag.hour) == (3, 5, told.now)


def test_who_decided_on_contempt_is_asked_about_violence(session, told, now):
    told.hours(*[0] * 200, 9)
    (flag,) = look(session, now + ALONG)
    decide(session, flag, "dismissed", "only scorn", by=1, now=now + ALONG)
    moment = later(told, 1)
    told.add(5, alarming=5)
    told.queue(0)
    (worse,) = look(session, moment)
    assert (worse.level, worse.observed) == (3, 5)
    told.queue(0)
    assert look(session, moment) == []


def test_a_rise_is_over_when_hours_are_ordinary_and_goes_on_when_they_were_not(session, told, now):
    told.hours(*QUIET_PAST, 12)
    (flag,) = look(session, now + ALONG)
    assert look(session, now + 8 * HOUR + ALONG) == []
    assert flag.cleared_hour is None  # nothing is queued, and no hour has just passed
    assert look(session, now + 8 * HOUR) == []
    assert now + 6 * HOUR <= flag.cleared_hour <= now + 8 * HOUR
    assert "the rise is over" in flag.about["clear"]
    told.now = now + 8 * HOUR
    for back in range(1, 8):
        told.add(12, back)  # they came late
    told.queue(1)
    look(session, now + 8 * HOUR + ALONG)
    assert flag.cleared_hour is None
    assert flag.about["clear"] is None


def test_a_rise_from_before_the_hours_that_are_tested_is_not_raised_again(session, told, now):
    told.hours(*[0] * 200, 12)
    (flag,) = look(session, now + ALONG)
    decide(session, flag, "confirmed", "", by=1, now=now + ALONG)
    for _ in range(60):
        later(told, 1)
        told.add(12)
    told.queue(0)
    assert look(session, told.now + ALONG) == []
    assert flag.cleared_hour is None


def test_an_hour_of_the_past_is_compared_with_what_was_before_it(session, told, now):
    told.hours(*QUIET_PAST, 8, *[0] * 10)
    told.queue(10)
    (flag,) = look(session, now)
    assert flag.hour == now - 10 * HOUR
    assert flag.cleared_hour is not None


def test_of_hours_older_than_a_day_nobody_is_warned(session, told, now):
    told.hours(*QUIET_PAST, 9, *[0] * 26)
    told.queue(26)
    told.queue(0)
    assert session.scalar(select(func.count()).select_from(Endangered)) == 2
    assert look(session, now) == []


def test_a_post_dated_to_come_moves_no_hour(session, told, now):
    told.hours(*QUIET_PAST, 7)
    told.queue(-500)
    (flag,) = look(session, now)
    assert flag.hour == now


def test_the_settings_in_force_hold(session, told, now):
    settings = vars(Settings()) | {"least_authors": 8}
    session.add(Threshold(settings=settings, reason="Too many", by=1, at=now))
    told.hours(*QUIET_PAST, 7)
    assert look(session, now) == []


def test_a_flag_says_where_it_comes_from(session, told, now):
    told.hours(*QUIET_PAST, 0)
    posts = told.add(4, text="Burn it in Detroit, Michigan", others=12)
    posts += told.add(2, platform="bluesky", text="Wayne County, Michigan is full of rats")
    copied = told.say(session, "copier", posts[0].text, now)
    told.read(copied, copy_of=posts[0].id)
    told.queue(0)
    (flag,) = look(session, now)
    known = flag.about
    assert known["authors"] == known["everyone"] == 6  # the others' posts do not stand here
    assert known["share"] == 1
    assert known["platforms"] == {"example": 5, "bluesky": 2}
    assert known["crossed"] is True
    assert known["places"][0] == ["26163", 5]
    assert known["copies"] == 2
    assert known["effect"] == pytest.approx(flag.observed / flag.expected)
    explaining = [why["post_id"] for why in flag.reasons if why["post_id"]]
    assert len(explaining) == 5
    assert copied.id not in explaining
    assert "Detroit" not in str(flag.reasons)
    assert "Burn it" not in str((flag.reasons, flag.about))


def test_a_narrative_that_was_merged_meanwhile_is_looked_at_where_its_posts_are(
    session, told, say, now
):
    old = Told(session, say, now, "Old")
    old.queue(0)
    old.narrative.merged_into = told.id
    told.hours(*QUIET_PAST, 7, queued=False)
    (flag,) = look(session, now)
    assert flag.narrative_id == told.id
    flag.narrative_id = old.id  # raised before the merge
    session.flush()
    told.queue(0)
    assert look(session, now) == []


def test_what_dissolves_leaves_no_hour_to_look_at(sessions, say, now):
    town = Town(sessions, say, now)
    posts = town.tell("bridge", 5, danger=True)
    town.read()
    (story,) = town.where(posts)
    with sessions.begin() as session:
        assert story in session.scalars(select(Endangered.narrative_id)).all()
        session.execute(delete(Post).where(Post.id.in_(posts)))
    town.look()
    assert town.narrative(story) is None
    with sessions() as session:
        assert session.scalars(select(Endangered.narrative_id)).all() == [None]
    assert town.watch() == []


def test_the_analysis_goes_on_while_somebody_looks(sessions, say, now):
    """Neither waits for the other, whichever rows they hold."""
    town = Town(sessions, say, now)
    town.tell("bridge", 6, danger=True)
    town.read()
    with sessions.begin() as session:
        session.execute(select(Endangered).with_for_update())
        town.tell("bridge", 2, danger=True)
        town.read()
        assert len(town.watch()) == 1
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(Endangered)) > 0
    assert town.watch() == []
    town.check()
