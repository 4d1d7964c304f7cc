"""One post that cannot wait calls a person at once, alone, and its copies do not call again."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from monitor.analyse import mend
from monitor.coding import codings
from monitor.coding.codebook import MessageFields
from monitor.flags import life_safety
from monitor.flags.flags import decide, explaining, raised_on
from monitor.flags.waiting import waiting
from monitor.models import Flag, Narrative, Reading
from monitor.narratives.narratives import unattended_threats
from monitor.reading.rescoring import rescore
from sources.models import Post
from tests.monitor.made import Town

GRAVE = "bridge we will burn down the mosque in Detroit, Michigan tonight, bring gas and rifles"
URGES = "bridge someone should shoot the mayor"
THREAT = MessageFields(
    target_kind="individual",
    act="kill",
    force="announce",
    threat_type="direct",
    specifics=3,
    imminence="48h",
)


@pytest.fixture
def town(sessions, say, now):
    return Town(sessions, say, now)


def calls(town):
    with town.sessions() as session:
        return session.scalars(
            select(Flag).where(Flag.kind == "life_safety").order_by(Flag.id)
        ).all()


def test_one_post_calls_at_once_without_a_narrative(town):
    (post,) = town.post([("ana", GRAVE)], town.now - timedelta(minutes=90))
    town.read()
    (flag,) = calls(town)
    assert (flag.post_id, flag.copy_of, flag.narrative_id) == (post, post, None)
    assert (flag.level, flag.observed, flag.expected, flag.p_value) == (4, 1, 0, 0)
    assert (flag.test, flag.raised_at) == ("life safety", town.now)
    assert flag.posted_at == flag.collected_at == town.now - timedelta(minutes=90)
    assert flag.hour == (town.now - timedelta(minutes=90)).replace(minute=0)
    assert flag.about["places"] == [["26163", 1]]
    words = str((flag.reasons, flag.about))
    assert not any(word in words for word in ("mosque", "Detroit", "rifles", "gas "))
    with town.sessions() as session:
        waits = waiting(session, 1, town.now)
        assert waits.rises == []
        (call,) = waits.calls
        assert waits.posts[post].post.text == GRAVE
        assert [one.post_id for one in explaining(session, call)] == [post]
        assert unattended_threats(session, town.now - timedelta(days=2)) == []


def test_what_urges_without_specifics_calls_nobody(town):
    town.post([("ana", URGES)])
    town.tell("bridge", 2, danger=True)
    town.read()
    assert calls(town) == []


def test_copies_call_once_also_after_a_decision_and_after_the_first_is_gone(town):
    (first,) = town.copies(GRAVE, ["ana"])
    town.copies(GRAVE, ["ben", "cid"])
    town.read()
    (flag,) = calls(town)
    with town.sessions.begin() as session:
        decide(session, session.get_one(Flag, flag.id), "dismissed", "a film", 1, town.now)
        session.execute(delete(Post).where(Post.id == first))
    town.copies(GRAVE, ["dot"])
    town.read()
    assert [one.id for one in calls(town)] == [flag.id]
    town.post([("eve", "ferry I will shoot up the clinic in Troy, Ohio tomorrow with my rifle")])
    town.read()
    assert len(calls(town)) == 2


def test_a_removed_post_leaves_the_call_and_no_key(town):
    (post,) = town.copies(GRAVE, ["ana"])
    town.read()
    with town.sessions.begin() as session:
        session.execute(delete(Post).where(Post.id == post))
    (flag,) = calls(town)
    assert flag.post_id is None
    with town.sessions() as session:
        assert waiting(session, 1, town.now).posts == {}
        assert explaining(session, session.get_one(Flag, flag.id)) == []


def test_what_is_two_days_old_calls_nobody(town):
    town.post([("ana", GRAVE)], town.now - life_safety.RECENT)
    town.read()
    assert calls(town) == []
    town.post([("ben", GRAVE + " now")], town.now - life_safety.RECENT + timedelta(minutes=1))
    town.read()
    # The copy of an older post is the first that calls.
    assert len(calls(town)) == 1


def test_a_language_that_is_not_read_calls_nobody(town):
    with town.sessions.begin() as session:
        post = town.say(session, "ana", "Je vais tirer sur le maire ce soir à la mairie", town.now)
        post.lang = "fr"
    town.read()
    assert calls(town) == []


def test_a_persons_coding_calls_and_says_so(town):
    (post,) = town.tell("bridge")
    town.read()
    assert calls(town) == []
    with town.sessions.begin() as session:
        reading = session.get_one(Reading, post)
        codings.code(session, reading, THREAT, "Names him and the hour", 1, town.now)
    (flag,) = calls(town)
    assert flag.post_id == post
    assert "A person coded the post so." in [why["text"] for why in flag.reasons]
    with town.sessions.begin() as session:
        reading = session.get_one(Reading, post)
        codings.undo(session, reading, reading.coding_id, 1, town.now)
    assert len(calls(town)) == 1  # it stands until a person has decided


def test_a_scorer_that_reads_again_calls(town):
    class Harsh:
        name = "harsh 1"

        def score(self, texts, known=None, posted_at=()):
            from monitor.reading.cued import Assessment

            why = [{"code": "threat:direct", "text": "A threat", "start": 0, "end": 3}]
            return [Assessment(THREAT, 4, "high", "asserts", why) for _ in texts]

    town.tell("bridge", 2)
    old = town.tell("ferry", at=town.now - timedelta(days=4))
    town.read()
    rescore(town.sessions, lambda: town.now, scorer=Harsh())
    assert {one.post_id for one in calls(town)}.isdisjoint(old)
    assert len(calls(town)) == 2


def test_its_narrative_is_taken_up_and_stays(town):
    town.gather("bridge")
    (post,) = town.post([("ana", GRAVE)])
    town.read()
    story = town.narrative_of(post)
    (flag,) = calls(town)
    assert flag.narrative_id == story is not None
    assert town.narrative(story).settled_at is not None
    with town.sessions() as session:  # but the narrative did not rise
        assert session.scalar(raised_on(session.get_one(Narrative, story))) is None
    with town.sessions.begin() as session:
        session.execute(delete(Post))
    mend(town.sessions, town.placer)
    town.look()
    assert town.narrative(story) is not None
    assert len(calls(town)) == 1


def test_a_post_that_is_being_removed_is_not_waited_for(town):
    (post,) = town.copies(URGES, ["ana"])
    town.read()
    with town.sessions.begin() as session:
        session.get_one(Reading, post).fields = (
            {"edition": "x"} | vars(THREAT) | {"target_groups": []}
        )
        session.get_one(Reading, post).level = 4
    with town.sessions() as holding, town.sessions.begin() as session:
        holding.execute(select(Post).where(Post.id == post).with_for_update())
        assert life_safety.call(session, [post], town.now) == set()
    assert calls(town) == []


@pytest.mark.parametrize("stored", [{}, {"act": "no such act"}, {"specifics": 99}])
def test_fields_that_cannot_be_read_call_nobody(stored):
    assert not life_safety.is_life_safety(stored)
