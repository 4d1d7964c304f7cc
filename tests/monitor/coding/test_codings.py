"""A person's word wins: it stays through new scorers, holds for copies, and can be taken back."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from monitor.coding import cases, codings
from monitor.coding.codebook import MessageFields
from monitor.models import Case, Coding, Flag, HourlyCount, Reading
from monitor.reading import readers, rescoring
from monitor.reading.cued import Assessment
from monitor.reading.incitement import NOT_SCORED, Scorer
from monitor.reading.rescoring import rescore
from sources.models import Post
from tests.monitor.made import Town

HARSH = MessageFields(target_kind="group", hallmarks={"H1": 2})  # M2
CALL = "bridge the wardens are liars and they should be shot at the bridge tonight"


@pytest.fixture
def town(sessions, say, now):
    return Town(sessions, say, now)


class Another(Scorer):
    """The cues again, under another name: a newer scorer that reads everything as M3."""

    def __init__(self):
        super().__init__(None)
        self.name = "another 1"

    def score(self, texts, vectors=None, posted_at=None):
        fields = MessageFields(target_kind="group", act="kill", force="wish")
        reason = {"code": "act:kill", "text": "A wish", "start": 0, "end": 1}
        return [Assessment(fields, 3, "none", "asserts", [reason]) for _ in texts]


def code(town, post, fields=HARSH, reason="Heard it at the fair", by=1, seen=None):
    with town.sessions.begin() as session:
        reading = session.get_one(Reading, post)
        return codings.code(session, reading, fields, reason, by, town.now, seen).id


def reading(town, post):
    with town.sessions() as session:
        return session.get_one(Reading, post)


def dangerous(town):
    with town.sessions() as session:
        return sum(row.dangerous_posts for row in session.scalars(select(HourlyCount)))


def rescored(town, scorer):
    return rescore(town.sessions, lambda: town.now, scorer=scorer)


def test_a_persons_level_stands_in_the_reading_and_in_the_counts(town):
    town.gather("bridge")
    post = town.tell("bridge")[0]
    town.read()
    before = reading(town, post)
    assert (before.level, dangerous(town)) == (0, 0)
    coding = code(town, post)
    after = reading(town, post)
    assert (after.level, after.stance, after.scorer) == (2, "asserts", codings.CODED)
    assert after.coding_id == coding
    assert after.fields["hallmarks"] == {"H1": 2}
    assert dangerous(town) == 1
    town.check()
    with town.sessions() as session:
        kept = session.get_one(Coding, coding)
        assert kept.proposed["level"] == before.level
        assert kept.proposed_by == before.scorer


def test_no_later_scorer_touches_it(town):
    town.gather("bridge")
    coded, other = town.tell("bridge", 2)
    town.read()
    code(town, coded)
    assert rescored(town, Another()) == 7  # all but the coded one
    assert (reading(town, coded).level, reading(town, other).level) == (2, 3)
    assert reading(town, other).scorer == "another 1"
    assert dangerous(town) == 8
    town.check()
    assert rescored(town, Another()) == 0


def test_one_coded_while_a_scorer_thinks_keeps_the_persons_word(town):
    town.gather("bridge")
    post = town.tell("bridge")[0]
    town.read()

    class Slow(Another):
        def score(self, texts, vectors=None, posted_at=None):
            if reading(town, post).coding_id is None:
                code(town, post)
            return super().score(texts, vectors, posted_at)

    rescored(town, Slow())
    assert reading(town, post).level == 2
    town.check()


def test_what_is_not_scored_stays_so(town):
    town.post([("ana", "Die Brücke über den Fluss ist seit gestern gesperrt, sagt die Stadt.")])
    town.read()
    with town.sessions() as session:
        assert session.scalars(select(Reading.scorer)).all() == [NOT_SCORED]
    assert rescored(town, Another()) == 0


@pytest.mark.parametrize("words", [CALL, "shoot them all"])
def test_it_holds_for_all_posts_in_exactly_these_words_now_and_later(town, words):
    first, second = town.copies(words, ["ana", "ben"])
    near = town.copies(f"{words} !", ["cem"])[0]  # not the same words
    town.read()
    code(town, first)
    assert [reading(town, one).level for one in (first, second)] == [2, 2]
    assert reading(town, near).coding_id is None
    later = town.copies(words, ["dan"])[0]
    town.read()
    assert (reading(town, later).level, reading(town, later).scorer) == (2, codings.CODED)
    town.check()


def test_undoing_brings_back_the_coding_before_and_then_the_machine(town):
    town.gather("bridge")
    post = town.tell("bridge")[0]
    town.read()
    machine = reading(town, post)
    first = code(town, post)
    second = code(town, post, MessageFields(), "It is a play", by=2, seen=first)
    assert reading(town, post).level == 0
    with town.sessions.begin() as session, pytest.raises(codings.CodedMeanwhileError):
        codings.undo(session, session.get_one(Reading, post), first, 1, town.now)
    for level, seen in ((2, second), (machine.level, first)):
        with town.sessions.begin() as session:
            codings.undo(session, session.get_one(Reading, post), seen, 1, town.now)
        assert reading(town, post).level == level
        town.check()
    assert reading(town, post).fields == machine.fields
    with town.sessions.begin() as session:
        assert codings.agreement(session) == []
        with pytest.raises(ValueError, match="No person"):
            codings.undo(session, session.get_one(Reading, post), None, 1, town.now)
    assert rescored(town, Scorer(None)) > 0  # read anew, with its reasons
    assert reading(town, post).scorer == Scorer(None).name


def test_two_at_once_do_not_overwrite_each_other(town):
    post = town.tell("bridge")[0]
    town.read()
    code(town, post)
    with pytest.raises(codings.CodedMeanwhileError):
        code(town, post, MessageFields(), by=2)
    assert reading(town, post).level == 2


def test_a_coding_needs_a_reason_in_ones_own_words(town):
    post = town.copies(CALL, ["ana"])[0]
    town.read()
    with pytest.raises(ValueError, match="Say why"):
        code(town, post, reason="  ")
    with pytest.raises(ValueError, match="stands in the post"):
        code(town, post, reason="He says the wardens are liars, and more")
    assert reading(town, post).coding_id is None


def test_a_post_removed_while_somebody_codes_it_is_said_to_be_gone(town):
    post, other = town.tell("bridge", 2)
    town.read()
    with town.sessions.begin() as session:
        seen = session.get_one(Reading, post)
        with town.sessions.begin() as another:
            another.delete(another.get_one(Post, post))
        with pytest.raises(codings.GoneError):
            codings.code(session, seen, HARSH, "Heard it", 1, town.now)
    with town.sessions() as session:
        assert session.scalars(select(Coding)).all() == []
    with town.sessions() as holding, town.sessions() as session:
        holding.execute(select(Reading).where(Reading.post_id == other).with_for_update())
        reading = session.get_one(Reading, other)
        with pytest.raises(codings.GoneError):  # it is being removed at this moment
            codings.code(session, reading, HARSH, "Heard it", 1, town.now)


def test_codings_that_raise_danger_in_this_hour_raise_a_flag(town):
    narrative = town.gather("bridge", count=8)
    for post in sorted(town.posts_of(narrative))[:5]:
        code(town, post)
    town.watch()
    with town.sessions() as session:
        assert session.scalars(select(Flag.narrative_id)).all() == [narrative]
    town.check()


def test_with_its_post_goes_every_way_back_to_it(town):
    post = town.tell("bridge", danger=True)[0]
    town.read()
    coding = code(town, post)
    with town.sessions.begin() as session:
        text = session.get_one(Post, post).text
        session.delete(session.get_one(Post, post))
    with town.sessions() as session:
        kept = session.get_one(Coding, coding)
        assert session.get(Reading, post) is None
        told = str([kept.fields, kept.proposed, kept.reason])
        assert not any(word in told for word in text.split() if len(word) > 4)


def test_agreement_is_counted_by_scorer(town):
    posts = town.tell("bridge", 3)
    town.read()
    name = reading(town, posts[0]).scorer
    code(town, posts[0])
    code(town, posts[1], MessageFields())
    again = code(town, posts[2])
    code(town, posts[2], MessageFields(), "Looked again", seen=again)
    with town.sessions() as session:
        assert codings.agreement(session) == [codings.Agreement(name, 3, 2, 0, 1)]


def test_an_hour_of_today_that_gains_danger_is_flagged_and_no_older_one(town):
    old = town.now - timedelta(days=3)
    town.gather("ferry", at=old)
    town.gather("bridge")
    rescored(town, Another())
    town.watch()
    with town.sessions() as session:
        hours = session.scalars(select(Flag.hour)).all()
    assert hours
    assert all(hour > town.now - timedelta(days=1) for hour in hours)


def test_readings_that_wait_for_the_scorer_in_force_are_counted(town):
    town.tell("bridge", 3)
    town.read()
    with town.sessions() as session:
        assert readers.waiting(session) == 0
    rescored(town, Another())
    with town.sessions() as session:
        assert readers.waiting(session) == 3
        assert readers.outdated(session, "another 1") == []
        assert readers.stands_in(session, Another())


def test_a_scorer_that_only_stands_in_takes_nothing_back(town, monkeypatch):
    town.tell("bridge", 3)
    town.read()
    monkeypatch.setattr(rescoring, "scorer_in_force", lambda session, now: Another())
    assert rescore(town.sessions, lambda: town.now) == 0
    monkeypatch.undo()
    rescored(town, Another())
    assert rescore(town.sessions, lambda: town.now) == 3


def test_a_case_leads_back_to_no_coding(town):
    post = town.tell("bridge")[0]
    town.read()
    coding = code(town, post)
    with town.sessions.begin() as session:
        case = cases.teach(session, "They are rats", HARSH, 1, town.now)
        assert case.at != session.get_one(Coding, coding).at
        assert not Case.__table__.foreign_keys
