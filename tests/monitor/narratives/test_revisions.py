"""What people correct is done at once, can be undone, and holds in every later placing."""

import pytest
from sqlalchemy import delete, select

from monitor.analyse import mend
from monitor.coding import lexicon
from monitor.models import Flag, Narrative, Reading, Revision, RevisionPost
from monitor.narratives import proposals, revisions
from monitor.narratives.narratives import note_departure
from monitor.narratives.placing import Placer
from monitor.narratives.revisions import RevisionSettledError
from sources.models import Post
from tests.monitor.made import Made, Town

WIRE = "bridge people say the old iron gate by the mill was painted over in the night again"


@pytest.fixture
def town(sessions, say, now):
    return Town(sessions, say, now)


def state(town):
    """Posts, titles, counts and ids as people see them."""
    with town.sessions() as session:
        return (
            dict(session.execute(select(Reading.post_id, Reading.narrative_id)).all()),
            {
                one.id: (one.title, one.size, one.merged_into, one.first_post_at, one.last_post_at)
                for one in session.scalars(select(Narrative))
            },
        )


def last(town, **wanted):
    return ("r", town.revisions(**wanted)[-1].id)


def named(town, *stories):
    """Titles of people, so that an undo must bring these very words back."""
    for story in stories:
        town.act(revisions.rename, ("n", story), f"Story {story}")


def persist(town, stories=()):
    """More posts and looks, by who remembers and by who does not; as many new ones as told."""
    for _ in range(2):
        for topic in ("bridge", "ferry", "school"):
            town.tell(topic, 3)
        town.read()
        town.look()
        town.check()
        town.restart()


# Merging


def test_a_merge_takes_everything_along_and_leads_on(town):
    bridge, ferry = town.gather("bridge", "ferry")
    posts = town.posts_of(ferry)
    town.act(revisions.merge, ("n", ferry), ("n", bridge))
    assert town.posts_of(bridge) >= posts
    assert town.narrative(bridge).size == 12
    assert town.narrative(ferry).merged_into == bridge
    town.check()
    late = town.tell("ferry", 2)
    town.read()
    assert town.where(late) == {bridge}
    persist(town)
    assert town.posts_of(bridge) >= posts
    (log,) = town.revisions(kind="merge")
    assert (log.state, log.made_by, log.narrative_id, log.other_id) == ("done", 1, ferry, bridge)


@pytest.mark.parametrize("restarts", [False, True])
def test_what_is_merged_and_undone_stays_apart(town, restarts):
    bridge, ferry = town.gather("bridge", "ferry")
    named(town, bridge, ferry)
    before = state(town)
    town.act(revisions.merge, ("n", ferry), ("n", bridge))
    town.act(revisions.undo, last(town, kind="merge"), by=2)
    assert state(town) == before
    town.check()
    for _ in range(2):
        bridges, ferries = town.tell("bridge", 2), town.tell("ferry", 2)
        town.read()
        consider_as_one(town, bridge, ferry)
        if restarts:
            town.restart()
        assert town.where(bridges) == {bridge}
        assert town.where(ferries) == {ferry}
    assert not town.revisions(state="proposed")
    school = town.gather("school")
    town.act(revisions.merge, ("n", ferry), ("n", school))  # and so do those they go into
    consider_as_one(town, bridge, school)
    assert not town.revisions(state="proposed")
    assert town.standing() == {bridge, school}
    town.check()


def consider_as_one(town, *stories, posts=()):
    """A look that finds that all posts of these narratives, and these posts, are one story."""
    with town.sessions.begin() as session, town.placer.turn(session) as window:
        look = window.look()
        found = look.communities()
        held = window.posts()
        mine = [held[post] in stories or post in posts for post in look.ids.tolist()]
        found[mine] = found.max() + 1
        town.placer.settle(session, window, look, found, town.now)


def consider_apart(town, posts):
    """A look that finds that these posts are a story of their own."""
    with town.sessions.begin() as session, town.placer.turn(session) as window:
        look = window.look()
        found = look.communities()
        found[[post in posts for post in look.ids.tolist()]] = found.max() + 1
        town.placer.settle(session, window, look, found, town.now)


def test_undoing_merges_of_merges_restores_the_right_subtree(town):
    a, b, c = town.gather("bridge", "ferry", "school")
    named(town, a, b, c)
    start = state(town)
    town.act(revisions.merge, ("n", a), ("n", b))
    one = last(town, kind="merge")
    merged = state(town)
    town.act(revisions.merge, ("n", b), ("n", c))
    two = last(town, kind="merge")
    assert town.narrative(a).merged_into == c
    town.check()
    town.act(revisions.undo, two)
    assert state(town) == merged
    town.check()
    town.act(revisions.merge, ("n", b), ("n", c))
    two = last(town, kind="merge")
    town.act(revisions.undo, one)  # the earlier one first
    assert town.narrative(a).merged_into is None
    assert town.narrative(b).merged_into == c
    assert len(town.posts_of(a)) == 6
    town.check()
    town.act(revisions.undo, two)
    assert state(town) == start
    town.check()


def test_an_undone_split_leads_with_its_home(town):
    a, b = town.gather("bridge", "ferry")
    town.act(revisions.split, ("n", a), sorted(town.posts_of(a))[:2])
    split = last(town, kind="split")
    part = town.revisions(kind="split")[0].other_id
    town.act(revisions.undo, split)
    assert town.narrative(part).merged_into == a
    town.act(revisions.merge, ("n", a), ("n", b))
    assert town.narrative(part).merged_into == b
    town.act(revisions.undo, last(town, kind="merge"))
    assert town.narrative(part).merged_into == a
    town.check()


def test_a_split_off_part_that_was_merged_stays_where_it_is(town):
    a, b = town.gather("bridge", "ferry")
    posts = sorted(town.posts_of(a))
    part = town.act(revisions.split, ("n", a), posts[:2])
    town.act(revisions.merge, ("n", part), ("n", b))
    town.act(revisions.undo, last(town, kind="split"))
    assert town.where(posts) == {a}
    assert town.narrative(part).merged_into == b
    town.act(revisions.undo, last(town, kind="merge"))
    assert town.narrative(part).merged_into in (None, a)
    town.check(counted=False)


def test_merges_that_make_no_sense(town, sessions, say, now):
    bridge, ferry, school = town.gather("bridge", "ferry", "school")
    other = Town(sessions, say, now, embedder=Made("another"))
    other.numbers = town.numbers
    foreign = other.gather("ballots")
    before = state(town)
    with pytest.raises(ValueError, match="itself"):
        town.act(revisions.merge, ("n", bridge), ("n", bridge))
    with pytest.raises(ValueError, match="language models"):
        town.act(revisions.merge, ("n", bridge), ("n", foreign))
    post = min(town.posts_of(bridge))
    with pytest.raises(ValueError, match="language models"):
        town.act(revisions.move_out, ("n", bridge), post, ("n", foreign))
    assert state(town) == before
    town.act(revisions.merge, ("n", bridge), ("n", ferry))
    for verb, args in (
        (revisions.merge, (("n", bridge), ("n", school))),
        (revisions.merge, (("n", school), ("n", bridge))),
        (revisions.split, (("n", bridge), [1])),
        (revisions.move_out, (("n", bridge), 1, None)),
        (revisions.rename, (("n", bridge), "A title")),
        (revisions.dismiss, (("n", bridge), "why")),
    ):
        with pytest.raises(RevisionSettledError):
            town.act(verb, *args)
    assert not town.revisions(kind="rename")


def test_the_second_of_two_people_is_told(town):
    """Both have the page open before the first one acts: what was loaded then is out of date."""
    bridge, ferry, school = town.gather("bridge", "ferry", "school")
    with town.sessions.begin() as late:
        mine, third = (late.get_one(Narrative, one) for one in (bridge, school))
        town.act(revisions.merge, ("n", bridge), ("n", ferry))
        with pytest.raises(RevisionSettledError):
            revisions.merge(late, mine, third, 2, town.now)
    with town.sessions.begin() as late:
        revision = late.get_one(Revision, last(town, kind="merge")[1])
        assert revision.state == "done"
        assert (revision.narrative.merged_into, revision.other.merged_into) == (ferry, None)
        town.act(revisions.merge, ("n", ferry), ("n", school))
        revisions.undo(late, revision, 2, town.now)
    assert len(town.posts_of(bridge)) == 6
    assert town.narrative(bridge).merged_into is None
    town.check()
    with town.sessions.begin() as late:
        revision = late.get_one(Revision, revision.id)
        revision.state  # noqa: B018
        with pytest.raises(RevisionSettledError):
            revisions.undo(late, revision, 3, town.now)
    with town.sessions.begin() as late:
        mine = late.get_one(Narrative, bridge)
        town.act(revisions.dismiss, ("n", bridge), "old news")
        with pytest.raises(RevisionSettledError):
            revisions.dismiss(late, mine, "me too", 2, town.now)
    with pytest.raises(RevisionSettledError):
        town.act(revisions.dismiss, ("n", bridge), "me too", by=2)


# Splitting and moving


def test_a_split_stays_split_and_its_undo_restores(town):
    bridge = town.gather("bridge", count=10)
    wires = town.copies(WIRE, ["ann", "ben"])
    town.read()
    named(town, bridge)
    before = state(town)
    groups = [*sorted(town.posts_of(bridge) - set(wires))[:4], wires[0]]
    part = town.act(revisions.split, ("n", bridge), groups)
    assert town.posts_of(part) == {*groups, *wires}  # copies go along
    assert town.narrative(part).settled_at is not None
    assert town.narrative(part).title
    town.check()
    for _ in range(2):
        consider_as_one(town, bridge, part)
        town.check()
        assert town.posts_of(part) == {*groups, *wires}
        town.restart()
    assert not town.revisions(state="proposed")
    town.act(revisions.undo, last(town, kind="split"), by=2)
    after = state(town)
    assert after[0] == before[0]
    assert after[1][bridge] == before[1][bridge]
    assert town.narrative(part).merged_into == bridge
    town.check()
    with pytest.raises(RevisionSettledError):
        town.act(revisions.undo, last(town, kind="split"))


def test_splits_and_moves_that_make_no_sense(town):
    bridge, ferry = town.gather("bridge", "ferry")
    before = state(town)
    posts = sorted(town.posts_of(bridge))
    with pytest.raises(ValueError, match="all of its posts"):
        town.act(revisions.split, ("n", bridge), posts)
    with pytest.raises(RevisionSettledError):
        town.act(revisions.split, ("n", bridge), sorted(town.posts_of(ferry)))
    with pytest.raises(RevisionSettledError):
        town.act(revisions.move_out, ("n", bridge), min(town.posts_of(ferry)), None)
    with pytest.raises(ValueError, match="itself"):
        town.act(revisions.move_out, ("n", bridge), posts[0], ("n", bridge))
    assert state(town) == before
    for post in posts[:-1]:
        town.act(revisions.move_out, ("n", bridge), post, None)
    with pytest.raises(ValueError, match="last text"):
        town.act(revisions.move_out, ("n", bridge), posts[-1], None)
    with pytest.raises(ValueError, match="last text"):
        town.act(revisions.move_out, ("n", bridge), posts[-1], ("n", ferry))
    town.check()


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("target", [False, True])
def test_what_was_moved_out_never_comes_back_by_itself(town, restarts, target):
    bridge, ferry = town.gather("bridge", "ferry", count=12)
    wires = town.copies(WIRE, ["ann", "ben"])
    town.read()
    assert town.where(wires) == {bridge}
    named(town, bridge, ferry)
    before = state(town)
    there = ("n", ferry) if target else None
    town.act(revisions.move_out, ("n", bridge), wires[0], there)
    place = ferry if target else None
    assert town.where(wires) == {place}
    town.check()
    for _ in range(2):
        town.tell("bridge", 4)
        (copy,) = town.copies(f"{WIRE} @someone", ["cid"])
        town.read()
        town.look()
        consider_as_one(town, bridge, posts=wires)
        assert town.where([*wires, copy]) == {place}
        town.check()
        if restarts:
            town.restart()
    town.act(revisions.undo, last(town, kind="move"), by=2)
    assert town.where(wires) == {bridge}
    town.check()
    assert before[1][ferry][:1] == state(town)[1][ferry][:1]


def test_an_undone_move_restores(town):
    bridge, ferry = town.gather("bridge", "ferry")
    named(town, bridge, ferry)
    before = state(town)
    post = min(town.posts_of(bridge))
    for there in (None, ("n", ferry)):
        town.act(revisions.move_out, ("n", bridge), post, there)
        assert state(town) != before
        town.act(revisions.undo, last(town, kind="move"))
        assert state(town) == before
        town.check()
    town.look()
    town.act(revisions.move_out, ("n", bridge), post, ("n", ferry))
    town.act(revisions.move_out, ("n", ferry), post, None)  # somebody knew better meanwhile
    town.act(revisions.undo, ("r", town.revisions(kind="move", state="done")[0].id))
    assert town.where([post]) == {None}
    town.check()


def test_what_was_moved_out_stays_out_after_a_merge(town):
    bridge, ferry = town.gather("bridge", "ferry", count=12)
    post = min(town.posts_of(bridge))
    town.act(revisions.move_out, ("n", bridge), post, None)
    town.act(revisions.merge, ("n", bridge), ("n", ferry))
    town.look()
    consider_as_one(town, ferry, posts=[post])
    town.tell("bridge", 3)
    town.read()
    town.look()
    assert town.where([post]) == {None}
    town.check()


# Names and dismissals


def test_a_persons_title_stays_and_its_undo_brings_back_the_one_before(town):
    bridge = town.gather("bridge")
    machine = town.narrative(bridge).title
    town.act(revisions.rename, ("n", bridge), "  The  closed\nbridge ")
    assert town.narrative(bridge).title == "The closed bridge"
    town.act(revisions.rename, ("n", bridge), "Bridge closure", by=2)
    town.tell("bridge", 20)
    town.read()
    town.look()
    assert town.narrative(bridge).title == "Bridge closure"
    assert town.narrative(bridge).named_by == 2
    one, two = town.revisions(kind="rename")
    town.act(revisions.undo, ("r", two.id))
    assert (town.narrative(bridge).title, town.narrative(bridge).named_by) == (
        "The closed bridge",
        1,
    )
    town.act(revisions.undo, ("r", one.id))
    assert town.narrative(bridge).named_by is None
    assert town.narrative(bridge).title != "The closed bridge"
    assert machine
    town.act(revisions.rename, ("n", bridge), "One")
    town.act(revisions.rename, ("n", bridge), "Two")
    town.act(revisions.undo, ("r", town.revisions(kind="rename")[-2].id))
    assert town.narrative(bridge).title == "Two"


def add_term(session, by, now):
    wording = lexicon.Wording(
        term="quibberdash", meaning="Says they are less", benign_uses="None", kind="dehumanising"
    )
    lexicon.add(session, wording, by, now)


@pytest.mark.parametrize(
    ("title", "why"),
    [
        ("  ", "title"),
        ("x" * 121, "120"),
        ("The vermin at the bridge", "loaded"),
        ("The r3tards at the bridge", "slur"),
        ("The quibberdash at the bridge", "slur"),
    ],
)
def test_unfit_titles(town, title, why):
    bridge = town.gather("bridge")
    town.act(add_term)
    with pytest.raises(ValueError, match=why):
        town.act(revisions.rename, ("n", bridge), title)
    assert not town.revisions()
    town.act(revisions.rename, ("n", bridge), "x" * 120)


def test_what_is_put_away_goes_on_gathering(town):
    bridge = town.gather("bridge")
    with pytest.raises(ValueError, match="Say why"):
        town.act(revisions.dismiss, ("n", bridge), "  ")
    town.act(revisions.dismiss, ("n", bridge), " old news ")
    assert town.revisions(kind="dismiss")[0].text == "old news"
    late = town.tell("bridge", 3)
    town.read()
    town.look()
    assert town.where(late) == {bridge}
    assert town.narrative(bridge).dismissed_at == town.now
    town.act(revisions.undo, last(town, kind="dismiss"))
    assert town.narrative(bridge).dismissed_at is None
    town.check()


# What the machine does and asks


def test_the_machines_merge_is_logged_and_a_person_can_undo_it(town):
    bridge, ferry = town.gather("bridge", "ferry")
    before = state(town)
    consider_as_one(town, bridge, ferry)
    (log,) = town.revisions()
    assert (log.kind, log.state, log.made_by) == ("merge", "done", None)
    assert town.narrative(log.narrative_id).merged_into == log.other_id
    assert len(town.posts_of(log.other_id)) == 12
    town.check()
    town.act(revisions.undo, ("r", log.id))
    assert state(town)[0] == before[0]
    for _ in range(2):
        consider_as_one(town, bridge, ferry)
        assert state(town)[0] == before[0]
        town.restart()
    assert [one.state for one in town.revisions()] == ["undone"]
    town.check()


def test_the_machines_split_is_logged_and_a_person_can_undo_it(town):
    bridge = town.gather("bridge", count=12)
    some = sorted(town.posts_of(bridge))[:5]
    consider_apart(town, some)
    (log,) = town.revisions()
    assert (log.kind, log.state, log.made_by, log.narrative_id) == ("split", "done", None, bridge)
    assert town.posts_of(log.other_id) == set(some)
    town.check()
    town.act(revisions.undo, ("r", log.id))
    assert len(town.posts_of(bridge)) == 12
    assert town.narrative(log.other_id).merged_into == bridge
    for _ in range(2):
        consider_apart(town, some)
        assert len(town.posts_of(bridge)) == 12
        town.restart()
    assert not town.revisions(state="proposed")  # a person has said no already
    town.check()


def test_a_young_narrative_is_merged_without_a_word(town):
    bridge = town.gather("bridge")
    young = town.tell("ferry", 4)
    town.read()
    (story,) = town.where(young)
    consider_as_one(town, bridge, story)
    assert town.where(young) == {bridge}
    assert town.narrative(story) is None
    assert not town.revisions()
    town.check()


def test_what_people_are_asked_about_they_can_see(town):
    bridge = town.gather("bridge", count=12)
    named(town, bridge)
    young = town.tell("ferry", 4)
    town.read()
    (story,) = town.where(young)
    assert town.narrative(story).settled_at is None
    consider_as_one(town, bridge, story)
    (asked,) = town.revisions(state="proposed")
    assert (asked.narrative_id, asked.other_id) == (story, bridge)
    assert town.narrative(story).settled_at == town.now
    assert town.where(young) == {story}
    with town.sessions.begin() as session, town.placer.turn(session) as window:
        look = window.look()
        town.placer.settle(session, window, look, look.communities() * 0 - 1, town.now)
    assert town.where(young) == {story}
    town.act(revisions.accept, ("r", asked.id))
    assert town.where(young) == {bridge}
    town.check()


def test_what_people_have_touched_changes_by_proposal_alone(town):
    bridge, ferry = town.gather("bridge", "ferry", count=12)
    named(town, bridge)
    before = state(town)[0]
    for _ in range(2):  # asked once
        consider_as_one(town, bridge, ferry)
        assert state(town)[0] == before
        (asked,) = town.revisions(kind="merge")
        assert (asked.state, asked.made_by) == ("proposed", None)
        assert {asked.narrative_id, asked.other_id} == {bridge, ferry}
        town.restart()
    with town.sessions() as session:
        assert [one.id for one in proposals.proposals(session)] == [asked.id]
    town.act(revisions.accept, ("r", asked.id), by=2)
    (keeper,) = town.standing()
    assert keeper == asked.other_id
    assert len(town.posts_of(keeper)) == 24
    town.check()
    with pytest.raises(RevisionSettledError):
        town.act(revisions.accept, ("r", asked.id))
    with pytest.raises(RevisionSettledError):
        town.act(revisions.refuse, ("r", asked.id))
    town.act(revisions.undo, ("r", asked.id), by=3)
    assert state(town)[0] == before
    consider_as_one(town, bridge, ferry)
    assert state(town)[0] == before
    assert not town.revisions(state="proposed")
    town.check()


def test_a_refused_merge_is_never_asked_or_made_again(town):
    bridge, ferry, school = town.gather("bridge", "ferry", "school")
    named(town, bridge)
    consider_as_one(town, bridge, ferry)
    town.act(revisions.refuse, last(town, state="proposed"))
    before = state(town)[0]
    for _ in range(2):
        consider_as_one(town, bridge, ferry)
        town.restart()
        assert state(town)[0] == before
        assert not town.revisions(state="proposed")
    # The no goes with the narrative where it is merged.
    town.act(revisions.merge, ("n", ferry), ("n", school))
    consider_as_one(town, bridge, school)
    assert not town.revisions(state="proposed")
    assert town.narrative(bridge).merged_into is None
    town.check()


def test_a_proposal_that_a_person_has_answered_otherwise_is_moot(town):
    bridge, ferry = town.gather("bridge", "ferry")
    named(town, bridge)
    consider_as_one(town, bridge, ferry)
    (asked,) = town.revisions(state="proposed")
    town.act(revisions.merge, ("n", ferry), ("n", bridge))
    with town.sessions() as session:
        assert not proposals.proposals(session)
    with pytest.raises(RevisionSettledError):
        town.act(revisions.accept, ("r", asked.id))
    assert town.revisions(state="proposed")  # what failed changed nothing
    (mine,) = town.revisions(kind="merge", made_by=1)
    town.act(revisions.undo, ("r", mine.id))
    with town.sessions() as session:
        assert not proposals.proposals(session)  # they are two now
    town.check()


def test_a_split_is_proposed_of_what_is_touched(town):
    bridge = town.gather("bridge", count=12)
    named(town, bridge)
    some = sorted(town.posts_of(bridge))[:5]
    for _ in range(2):
        consider_apart(town, some)
        assert len(town.posts_of(bridge)) == 12
        town.restart()
    (asked,) = town.revisions(kind="split")
    assert asked.state == "proposed"
    with town.sessions() as session:
        found = proposals.examples(session, [session.get_one(Revision, asked.id)], 3)
        assert [one.post_id for one in found[asked.id]] == some[:3]
    town.act(revisions.accept, ("r", asked.id))
    (asked,) = town.revisions(kind="split")
    assert town.posts_of(asked.other_id) == set(some)
    town.check()
    town.act(revisions.undo, ("r", asked.id))
    assert len(town.posts_of(bridge)) == 12
    town.check()


def test_a_refused_split_is_not_proposed_again(town):
    bridge = town.gather("bridge", count=12)
    named(town, bridge)
    posts = sorted(town.posts_of(bridge))
    consider_apart(town, posts[:5])
    town.act(revisions.refuse, last(town, state="proposed"))
    consider_apart(town, posts[:5])
    consider_apart(town, posts[:4])
    consider_apart(town, posts[1:6])
    assert not town.revisions(state="proposed")
    town.restart()
    consider_apart(town, posts[6:])  # other posts are another question
    assert len(town.revisions(state="proposed")) == 1


def test_a_proposed_split_whose_posts_have_gone_is_moot(town):
    bridge = town.gather("bridge", count=12)
    named(town, bridge)
    some = sorted(town.posts_of(bridge))[:5]
    consider_apart(town, some)
    (asked,) = town.revisions(state="proposed")
    with town.sessions.begin() as session:
        note_departure(session, some)
        session.execute(delete(Post).where(Post.id.in_(some)))
    with pytest.raises(RevisionSettledError):
        town.act(revisions.accept, ("r", asked.id))
    town.check(counted=False)


def test_a_flag_makes_a_narrative_the_peoples(town):
    bridge, ferry = town.gather("bridge", "ferry")
    danger = town.tell("bridge", 6, danger=True)
    town.read()
    town.watch()
    with town.sessions() as session:
        assert session.scalars(select(Flag)).one().narrative_id == bridge
    before = state(town)[0]
    for _ in range(2):
        consider_as_one(town, bridge, ferry)
        consider_apart(town, danger)
        assert state(town)[0] == before
        town.restart()
    assert {one.kind for one in town.revisions(state="proposed")} == {"merge", "split"}
    town.check()


def test_a_young_narrative_with_a_flag_is_seen_and_stays(town):
    posts = town.tell("bridge", 6, danger=True)
    town.read()
    (story,) = town.where(posts)
    assert town.narrative(story).settled_at is None
    town.watch()
    assert town.narrative(story).settled_at is not None
    with town.sessions.begin() as session, town.placer.turn(session) as window:
        look = window.look()
        town.placer.settle(session, window, look, look.communities() * 0 - 1, town.now)
    assert town.where(posts) == {story}
    town.check()


# Removed and retired posts


def test_a_removed_post_is_in_no_revision_and_does_not_return(town):
    bridge, ferry = town.gather("bridge", "ferry")
    gone = sorted(town.posts_of(ferry))[:2]
    town.act(revisions.merge, ("n", ferry), ("n", bridge))
    with town.sessions.begin() as session:
        note_departure(session, gone)
        session.execute(delete(Post).where(Post.id.in_(gone)))
    mend(town.sessions, town.placer)
    town.act(revisions.undo, last(town, kind="merge"))
    assert len(town.posts_of(ferry)) == 4
    with town.sessions() as session:
        assert not session.scalars(select(RevisionPost).where(RevisionPost.post_id.in_(gone))).all()
    town.check(counted=False)


def test_a_narrative_whose_posts_time_is_over_can_be_merged_and_keeps_its_words(town):
    bridge, ferry = town.gather("bridge", "ferry")
    named(town, bridge)
    with town.sessions.begin() as session:  # as retention does it
        session.execute(delete(Post))
    before = town.narrative(bridge)
    town.act(revisions.merge, ("n", ferry), ("n", bridge))
    after = town.narrative(bridge)
    assert (after.title, after.size, after.named_by) == (before.title, 12, 1)
    assert list(after.centroid) == list(before.centroid)
    town.act(revisions.undo, last(town, kind="merge"))
    assert town.narrative(ferry).merged_into is None
    assert town.narrative(bridge).title == before.title
    assert town.narrative(ferry).title != "All its posts were removed"


@pytest.mark.parametrize("copied", [False, True])
def test_a_post_whose_removal_failed_follows_the_merge(town, copied):
    bridge, ferry = town.gather("bridge", "ferry")
    post = min(town.posts_of(ferry))
    with town.sessions() as removal:
        removal.execute(delete(Post).where(Post.id == post))
        town.act(revisions.merge, ("n", ferry), ("n", bridge))
        removal.rollback()
    assert town.window().posts()[post] == bridge
    late = town.tell("ferry", 2)
    if copied:
        with town.sessions() as session:
            words = session.get_one(Post, post).text
        late += town.copies(words, ["ann"])
    town.read()
    town.look()
    assert town.where([post, *late]) == {bridge}
    town.check()


def test_history_is_told_newest_first(town):
    bridge, ferry = town.gather("bridge", "ferry")
    named(town, bridge)
    town.act(revisions.merge, ("n", ferry), ("n", bridge))
    with town.sessions() as session:
        told = revisions.history(session, session.get_one(Narrative, bridge))
        assert [one.kind for one in told] == ["merge", "rename"]


def test_each_deed_is_seen_by_whoever_holds_a_window(town):
    """Each verb leaves a stamp: no window is older than the last word of a person."""
    bridge, ferry = town.gather("bridge", "ferry", count=8)
    posts = sorted(town.posts_of(bridge))
    with town.sessions.begin() as session:
        proposals.propose(session, [], [(bridge, posts[3:5]), (bridge, posts[5:7])], town.now)
    refused, accepted = town.revisions()
    deeds = [
        (revisions.refuse, ("r", refused.id)),
        (revisions.accept, ("r", accepted.id)),
        (revisions.rename, ("n", bridge), "A title"),
        (revisions.dismiss, ("n", bridge), "why"),
        (revisions.move_out, ("n", bridge), posts[0], None),
        (revisions.split, ("n", bridge), posts[1:3]),
        (revisions.merge, ("n", bridge), ("n", ferry)),
    ]
    for deed in deeds:
        window = town.window()
        town.act(*deed)
        assert town.window() is not window
        assert bridge in town.window().rules.touched or town.narrative(bridge).merged_into
    for log in [log for log in town.revisions()[::-1] if log.state == "done"]:
        window = town.window()
        town.act(revisions.undo, ("r", log.id))
        assert town.window() is not window
    consider_as_one(town, bridge, ferry)
    assert Placer(town.embedder).due(town.now)
