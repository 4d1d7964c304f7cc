"""What the window holds and what the tables hold is one, whoever writes and whatever fails."""

import re
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import delete, event, select, text
from sqlalchemy.orm import sessionmaker

from monitor.analyse import analyse_next, consider_next, mend
from monitor.models import Reading
from monitor.narratives import revisions
from monitor.narratives.narratives import note_departure
from monitor.narratives.placing import LOOK_EVERY
from sources.models import Post
from tests.monitor.made import Made, Town

DAY = timedelta(days=1)
WIRE = "bridge people say the old iron gate by the mill was painted over in the night again"


@pytest.fixture
def town(sessions, say, now):
    return Town(sessions, say, now)


def remove(sessions, posts, noted=True):
    """As sources/purge.py takes posts out."""
    with sessions.begin() as session:
        session.scalars(select(Post.id).where(Post.id.in_(posts)).with_for_update()).all()
        if noted:
            note_departure(session, posts)
        session.execute(delete(Post).where(Post.id.in_(posts)))


# One answer, whoever holds the window


@pytest.mark.parametrize("restarts", [False, True])
def test_a_restart_changes_nothing(sessions, say, now, restarts):
    kept, other = Town(sessions, say, now), None
    story = kept.gather("bridge", count=8)
    assert len(kept.posts_of(story)) == 8
    for topic in ("bridge", "ferry", "noise one", "bridge", "ferry"):
        if restarts:
            kept.restart()
        other = kept.tell(topic, 3)
        kept.read()
    kept.look()
    assert len(kept.posts_of(story)) == 14
    ferry = kept.narrative_of(other[0])
    assert len(kept.posts_of(ferry)) == 6
    kept.check()
    for one in (story, ferry):
        with sessions() as session:
            theirs = select(Reading.embedding).where(Reading.narrative_id == one)
            mean = np.mean(session.scalars(theirs).all(), axis=0)
        mean /= np.linalg.norm(mean)
        assert np.allclose(kept.narrative(one).centroid, mean, atol=1e-4)
        assert np.allclose(kept.window().centroid(one), mean, atol=1e-4)


def test_two_workers_and_a_person_take_turns(town):
    bridge, ferry = town.gather("bridge", "ferry")
    second = Town(town.sessions, town.say, town.now)
    second.numbers = town.numbers
    for turn in range(4):
        for worker in (town, second):
            bridges, ferries = worker.tell("bridge", 2), worker.tell("ferry", 2)
            worker.read()
            assert worker.where(bridges) == {bridge}
            assert worker.where(ferries) == {ferry}
        if turn == 1:
            town.act(revisions.rename, ("n", bridge), "The bridge")
    town.check()
    second.check()
    town.act(revisions.merge, ("n", ferry), ("n", bridge))
    for worker in (town, second):
        late = worker.tell("ferry", 1)
        worker.read()
        assert worker.where(late) == {bridge}
        worker.look()
        worker.check()


def test_what_is_read_is_written_once_where_it_belongs(town):
    bridge = town.gather("bridge")
    posts = [town.tell(topic)[0] for topic in ("bridge", "school", "bridge", "ferry", "bridge")]
    engine, sent = town.sessions.kw["bind"], []

    def note(connection, cursor, statement, *rest):
        sent.extend(re.findall(r"^(INSERT INTO|UPDATE) readings\b", statement))

    event.listen(engine, "before_cursor_execute", note)
    town.read()
    event.remove(engine, "before_cursor_execute", note)
    assert sent == ["INSERT INTO"]  # of those with a narrative and those without
    assert [town.narrative_of(post) for post in posts] == [bridge, None, bridge, None, bridge]
    town.check()


def test_what_failed_after_its_turn_is_as_if_it_had_not_been(town):
    bridge, ferry = town.gather("bridge", "ferry")
    waiting = town.tell("school", 3)
    town.read()
    assert town.where(waiting) == {None}
    posts = town.tell("bridge", 3)
    waiting += town.tell("school", 1)  # with it they would be a narrative
    placer, real = town.placer, town.placer.place

    def place(*args):
        real(*args)
        raise OSError("the cable")

    placer.place = place
    with pytest.raises(OSError, match="cable"):
        town.read()
    placer.place = real
    assert len(town.posts_of(bridge)) == 6
    town.check()
    with pytest.raises(OSError, match="cable"), town.sessions.begin() as session:
        settle_then_fail(placer, session, town)
    assert town.standing() == {bridge, ferry}
    town.check()
    town.read()
    assert town.where(posts) == {bridge}
    assert len(town.posts_of(bridge)) == 9
    assert None not in town.where(waiting)
    town.check()


def settle_then_fail(placer, session, town):
    """A look that merges everything; then the transaction fails, after its turn."""
    with placer.turn(session) as window:
        look = window.look()
        placer.settle(session, window, look, np.zeros(len(look.ids), np.int64), town.now)
        assert len(window.stories) == 1
    raise OSError("the cable")


def test_who_writes_alone_reads_its_window_once(town):
    town.gather("bridge")
    window = town.window()
    town.tell("bridge", 3)
    town.read()
    town.look()
    assert town.window() is window
    Town(town.sessions, town.say, town.now).look()
    assert town.window() is not window


# Copies


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("away", ["stands", "deleted", "out of the window"])
def test_copies_take_the_narrative_of_their_text(sessions, say, now, restarts, away):
    town = Town(sessions, say, now, size=12)
    bridge = town.gather("bridge")
    first = town.copies(WIRE, ["ann", "ben"])
    town.read()
    assert town.where(first) == {bridge}
    if away == "deleted":
        remove(sessions, first[:1])
    if away == "out of the window":
        for _ in range(3):
            town.tell("ferry", 200)
            town.read()
        assert first[0] not in town.window().posts()
    if restarts:
        town.restart()
    for author in ("cid", "dot"):
        (copy,) = town.copies(f"{WIRE} @someone", [author])
        town.read()
        assert town.narrative_of(copy) == bridge
    town.check(counted=away != "deleted", full=away == "stands")


@pytest.mark.parametrize("restarts", [False, True])
def test_a_copy_goes_where_people_have_put_its_text(sessions, say, now, restarts):
    """Though it is near to another narrative, and its text has left the window."""
    town = Town(sessions, say, now, size=30)
    bridge, ferry = town.gather("bridge", "ferry", count=10)
    first = town.copies(WIRE, ["ann", "ben"])
    town.read()
    assert town.where(first) == {bridge}
    town.act(revisions.move_out, ("n", bridge), first[0], ("n", ferry))
    for _ in range(4):
        town.tell("noise eight", 200)
        town.read()
    assert first[0] not in town.window().posts()
    if restarts:
        town.restart()
    copies = town.copies(WIRE, ["cid", "dot"])
    town.read()
    assert town.where(first + copies) == {ferry}
    town.check(full=False)


def test_an_unplaced_text_and_its_copies_find_their_place_together(town):
    wires = town.copies(WIRE, ["ann", "ben", "cid"])
    town.read()
    assert town.where(wires) == {None}
    bridge = town.gather("bridge")
    assert town.where(wires) == {bridge}
    town.check()


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("accounts", [3, 4])
@pytest.mark.parametrize("how", ["at once", "later", "original deleted", "out of the window"])
def test_a_text_that_four_accounts_carry_is_a_narrative(
    sessions, say, now, restarts, accounts, how
):
    town = Town(sessions, say, now, size=10)
    text = "noise " + WIRE.removeprefix("bridge ")
    authors = [f"carrier{n}" for n in range(accounts)]
    split = 0 if how == "at once" else accounts - 1
    early = town.copies(text, authors[:split])
    if how == "original deleted":
        early += town.copies(text, authors[:1])  # an account speaks twice
    town.read()
    if how == "original deleted":
        remove(sessions, early[:1])
        early = early[1:]
    if how == "out of the window":
        for _ in range(3):
            town.tell("noise two", 200)
            town.read()
        assert early[0] not in town.window().posts()
    if restarts:
        town.restart()
    posts = early + town.copies(text, authors[split:])
    town.read()
    (story,) = town.where(posts)
    if accounts == 3:
        assert story is None
        return
    assert town.narrative(story).settled_at == now
    for _ in range(2):
        town.look()
        assert town.where(posts) == {story}
        town.restart()
    town.check(counted=how != "original deleted", full=how in ("at once", "later"))


def test_copies_that_another_model_has_read_stay_where_they_are(sessions, say, now):
    old, new = Town(sessions, say, now), Town(sessions, say, now, embedder=Made("another"))
    names = [["ann", "ben", "cid", "dot"], ["eve", "fay", "gus", "hal"], ["ida"]]
    posts = [old.copies(WIRE, names[0])]
    old.read()
    (first,) = old.where(posts[0])
    for some in names[1:]:
        posts.append(new.copies(WIRE, some))
        new.read()
    (second,) = new.where(posts[1] + posts[2])
    assert new.narrative(second).embedder == "another"
    assert old.where(posts[0]) == {first}
    assert len({first, second, None}) == 3
    new.look()
    assert old.where(posts[0]) == {first}
    new.check(full=False)


def test_copies_of_one_account_are_no_narrative(town):
    posts = town.copies(WIRE, ["ann"] * 6)
    town.read()
    assert town.where(posts) == {None}


# A considered look


def test_what_arrives_while_a_look_thinks_stays(town):
    bridge = town.gather("bridge")
    waiting = town.tell("ferry", 3)
    town.read()
    assert town.where(waiting) == {None}
    look = None
    with town.sessions.begin() as session, town.placer.turn(session) as window:
        look = window.look()
    late = town.tell("bridge", 3)
    fourth = town.tell("ferry", 1)
    lone = town.tell("noise three", 1)
    wires = town.copies("school " + WIRE, ["ann", "ben", "cid", "dot"])
    town.read()
    ferry = town.narrative_of(fourth[0])
    assert ferry is not None
    assert town.where(waiting) == {ferry}
    with town.sessions.begin() as session, town.placer.turn(session) as window:
        town.placer.settle(session, window, look, look.communities(), town.now)
    assert town.where(late) == {bridge}
    assert town.where(waiting + fourth) == {ferry}  # placed meanwhile: not unmade by what is old
    assert town.where(lone) == {None}
    assert None not in town.where(wires)
    town.check()
    town.look()
    assert town.where(waiting + fourth) == {ferry}
    town.check()


def test_what_is_removed_while_a_look_thinks_is_gone(town):
    bridge = town.gather("bridge", count=8)
    gone = sorted(town.posts_of(bridge))[:2]
    with town.sessions.begin() as session, town.placer.turn(session) as window:
        look = window.look()
    remove(town.sessions, gone)
    with town.sessions.begin() as session, town.placer.turn(session) as window:
        town.placer.settle(session, window, look, look.communities(), town.now)
    assert len(town.posts_of(bridge)) == 6
    assert not set(gone) & town.window().posts().keys()
    town.check(counted=False)


def test_what_was_removed_is_not_new(town):
    """A look is due for posts that came, not again and again for those that went."""
    story = town.gather("bridge", count=40)
    remove(town.sessions, sorted(town.posts_of(story))[:35])
    mend(town.sessions, town.placer)
    town.look()
    assert not town.placer.due(town.now)
    town.tell("bridge", 1)
    town.read()
    assert not town.placer.due(town.now)
    assert town.placer.due(town.now + LOOK_EVERY)  # one post waits no longer than this
    assert consider_next(town.sessions, town.placer, town.now + LOOK_EVERY)
    assert not consider_next(town.sessions, town.placer, town.now + 2 * LOOK_EVERY)
    town.tell("bridge", 40)
    town.read()
    assert town.placer.due(town.now)


# Waking


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("away", ["in the window", "out of the window", "retired"])
@pytest.mark.parametrize("dismissed", [False, True])
def test_a_silent_narrative_wakes_with_its_id(sessions, say, now, restarts, away, dismissed):
    town = Town(sessions, say, now, size=30)
    old = town.gather("bridge", count=24, at=now - 60 * DAY)
    town.gather("ferry", count=24, at=now - 59 * DAY)
    if dismissed:
        town.act(revisions.dismiss, ("n", old), "it is over")
        town.look()
    if away == "out of the window":
        for _ in range(3):
            town.tell("noise four", 200, at=now - 30 * DAY)
            town.read()
    if away == "retired":
        remove(sessions, town.posts_of(old), noted=False)
    if restarts:
        town.restart()
    (single,) = town.tell("bridge", 1)
    town.read()
    assert town.narrative_of(single) is None
    posts = [single, *town.tell("bridge", 14)]
    town.read()
    town.look()
    town.look()
    assert town.where(posts) == {old}
    woken = town.narrative(old)
    assert (woken.dismissed_at is not None) == dismissed
    assert woken.merged_into is None
    assert woken.last_post_at == now
    assert woken.size == 39
    assert not town.revisions(state="proposed")
    (late,) = town.tell("bridge", 1)
    town.read()
    assert town.narrative_of(late) == old


def test_another_subject_is_a_new_narrative(town):
    old = town.gather("bridge", count=12, at=town.now - 60 * DAY)
    new = town.gather("ferry", count=12)
    assert new != old
    assert town.standing() == {old, new}
    town.check()


# Languages


def test_two_languages_about_one_thing_are_one_narrative(town):
    posts = town.tell("bridge", 4) + town.tell("puente", 4)
    town.read()
    town.look()
    with town.sessions() as session:
        langs = set(session.scalars(select(Reading.lang)))
    assert "es" in langs or len(langs) > 1
    assert len(town.where(posts)) == 1
    assert None not in town.where(posts)


# What is removed


@pytest.mark.parametrize("restarts", [False, True])
def test_what_is_removed_is_nowhere_in_memory(sessions, say, now, restarts):
    town = Town(sessions, say, now, size=20)
    bridge = town.gather("bridge", count=10)
    gone = sorted(town.posts_of(bridge))[:4]
    vectors = {}
    with sessions() as session:
        for reading in session.scalars(select(Reading).where(Reading.narrative_id == bridge)):
            vectors[reading.post_id] = np.asarray(reading.embedding)
    for _ in range(3):  # rows move forward: nothing may stay behind
        town.tell("noise five", 180)
        town.read()
    if restarts:
        town.restart()
    remove(sessions, gone)
    assert mend(sessions, town.placer) == 1
    assert mend(sessions, town.placer) == 0
    window = town.window()
    for post in gone:
        for array in (window._vectors, window._centroids._sums):
            cosines = array @ vectors[post] / np.maximum(np.linalg.norm(array, axis=1), 1e-9)
            assert cosines.max() < 0.99
    left = np.sum([v for post, v in vectors.items() if post not in gone], axis=0)
    left /= np.linalg.norm(left)
    assert np.allclose(window.centroid(bridge), left, atol=1e-3)
    assert np.allclose(town.narrative(bridge).centroid, left, atol=1e-3)


def test_a_young_narrative_whose_posts_were_removed_vanishes(town):
    posts = town.tell("bridge", 4)
    town.read()
    young = town.narrative_of(posts[0])
    assert young is not None
    remove(town.sessions, posts)
    mend(town.sessions, town.placer)
    assert town.narrative(young) is None
    posts = town.tell("bridge", 4)
    town.read()
    assert None not in town.where(posts)
    town.check(counted=False)


def test_a_settled_narrative_whose_posts_were_removed_stays_and_says_so(town):
    bridge = town.gather("bridge")
    remove(town.sessions, town.posts_of(bridge))
    mend(town.sessions, town.placer)
    assert town.narrative(bridge).title == "All its posts were removed"
    assert town.narrative(bridge).size == 6
    assert not town.window().centroid(bridge).any()
    town.look()
    town.check(counted=False)


def test_retention_leaves_the_centroid_as_it_was(town):
    bridge = town.gather("bridge", at=town.now - 40 * DAY)
    before = town.narrative(bridge).centroid
    remove(town.sessions, town.posts_of(bridge), noted=False)
    town.tell("ferry", 6)
    for _ in range(2):
        town.read()
        town.look()
        assert mend(town.sessions, town.placer) == 0
        assert np.allclose(town.narrative(bridge).centroid, before)
        assert np.allclose(town.window().centroid(bridge), before, atol=1e-4)
        town.restart()


@pytest.mark.parametrize("ends", ["deleted", "deleted later", "noted and given up"])
def test_nobody_waits_for_a_removal(town, ends):
    """Neither a look, a merge nor a move; the removal that goes on ends well."""
    bridge, ferry = town.gather("bridge", "ferry")
    young = town.tell("school", 4)
    town.read()
    posts = sorted(town.posts_of(bridge))
    gone = [posts[0], sorted(town.posts_of(ferry))[0], young[0]]
    with town.sessions() as removal:
        removal.scalars(select(Post.id).where(Post.id.in_(gone)).with_for_update()).all()
        note_departure(removal, gone)
        if ends == "deleted":
            removal.execute(delete(Post).where(Post.id.in_(gone)))
        sessions = impatient(town.sessions)
        town.sessions, kept = sessions, town.sessions
        with sessions.begin() as session, town.placer.turn(session) as window:
            look = window.look()
            # As if a look had found that the young one is none, and that all others are one.
            labels = [window.posts()[post] for post in look.ids.tolist()]
            found = np.array([0 if one in (bridge, ferry) else -1 for one in labels])
            town.placer.settle(session, window, look, found, town.now)
        (log,) = town.revisions(kind="merge")
        town.act(revisions.undo, ("r", log.id))
        town.act(revisions.split, ("n", bridge), posts[:3])
        town.act(revisions.move_out, ("n", bridge), posts[4], None)
        if ends == "deleted later":
            removal.execute(delete(Post).where(Post.id.in_(gone)))
        if ends == "noted and given up":
            removal.rollback()
        removal.commit()
        town.sessions = kept
    mend(town.sessions, town.placer)
    town.look()
    town.check(counted=ends == "noted and given up")
    held = set().union(*(town.posts_of(one) for one in town.standing()))
    assert bool(set(gone) & held) == (ends == "noted and given up")


def impatient(sessions):
    """The same sessions; one that waits for a lock for long fails."""
    made = sessionmaker(
        sessions.kw["bind"], **{k: v for k, v in sessions.kw.items() if k != "bind"}
    )

    @event.listens_for(made, "after_begin")
    def _(session, transaction, connection):
        connection.execute(text("SET LOCAL lock_timeout = '1500ms'"))

    return made


@pytest.mark.parametrize("restarts", [False, True])
def test_a_narrative_that_a_look_takes_apart_leads_to_its_heir(town, restarts):
    """Sizes count copies, and what was deleted: they do not tell whether it has other posts."""
    heirs = town.gather("ferry", "school", "ballots", count=12)
    bridge = town.gather("bridge")
    wires = town.copies(WIRE, ["ann", "ben", "cid"])
    town.read()
    town.look()
    assert town.where(wires) == {bridge}
    gone = max(town.posts_of(bridge) - set(wires))
    remove(town.sessions, [gone])
    mend(town.sessions, town.placer)
    if restarts:
        town.restart()
    groups = sorted((town.posts_of(bridge) - set(wires)) | {wires[0]})
    with town.sessions.begin() as session, town.placer.turn(session) as window:
        look = window.look()
        found = [heirs.index(story) if story in heirs else -1 for story in look.labels.tolist()]
        for n, group in enumerate(groups):
            found[look.ids.tolist().index(group)] = n % 3
        town.placer.settle(session, window, look, np.array(found, np.int64), town.now)
    assert not town.posts_of(bridge)
    assert town.narrative(bridge).merged_into in heirs
    assert {one.kind for one in town.revisions()} == {"merge"}
    town.check(counted=False)


# Small windows


def test_a_copy_of_what_falls_out_of_the_window_in_its_batch(sessions, say, now):
    town = Town(sessions, say, now, size=10)
    bridge = town.gather("bridge")
    first = town.copies(WIRE, ["ann"])
    town.read()
    while town.window()._n + 200 <= 532:
        town.tell("noise six", 60)
        town.read()
    assert first[0] in town.window().posts()
    town.tell("noise seven", 200)
    copy = town.copies(WIRE, ["ben"])
    assert analyse_next(sessions, town.embedder, now, 256, town.placer)
    assert town.where(first + copy) == {bridge}


def test_a_narrative_outlives_the_window_in_every_copy(sessions, say, now):
    """What is merged while some of its posts are beyond the looked-at end stays merged."""
    town = Town(sessions, say, now, size=30)
    first = town.copies(WIRE, ["ann"])
    bridge, ferry = town.gather("bridge", "ferry", count=10)
    assert town.where(first) == {bridge}
    for _ in range(2):
        town.tell("ferry", 10)
        town.tell("bridge", 2)
        town.read()
    with sessions.begin() as session, town.placer.turn(session) as window:
        look = window.look()
        assert first[0] not in look.ids.tolist()
        assert first[0] in window.posts()
        labels = [window.posts()[post] for post in look.ids.tolist()]
        assert bridge in labels
        found = np.array([0 if one in (bridge, ferry) else -1 for one in labels])
        town.placer.settle(session, window, look, found, now)
    (keeper,) = town.standing()
    (copy,) = town.copies(WIRE, ["ben"])
    town.read()
    assert town.narrative_of(copy) == keeper
    town.check()
