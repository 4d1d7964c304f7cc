"""Watches: who may be asked for what, how posts are sifted by them, and trying one out."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from sources import models, register, watches
from sources.collect import Intake, save_batch
from sources.collector import Batch, NewPost, Removal
from sources.matching import Rule, Said
from sources.models import Erasure, PassingPost, Post, PostWatch, Source, SourceHour
from sources.purge import REWORDED
from sources.watches import PASSING, PASSING_TIME, Watches, checked, save_watch, try_out

BOX = Rule(any=("drop box",))
ANN, BEN = 3, 4  # people of the desk


def post(key: object, text: str, **more: Any) -> NewPost:
    return replace(NewPost(f"at://did:plc:a/p/{key}", "did:plc:a", text, None), **more)


def save(
    session: Session,
    source: Source,
    intake: Intake,
    now: datetime,
    *items: NewPost | Removal,
    platform: str = "bluesky",
) -> int:
    return save_batch(session, source, Batch(items, {"at": 1}), platform, intake, now)


def watch(
    session: Session, now: datetime, rule: Rule = BOX, name: str = "Boxes", by: int | None = ANN
) -> models.Watch:
    return save_watch(session, None, name, rule, by, now)


def kept(session: Session) -> dict[str, set[int]]:
    """By text: the watches that asked for it."""
    asked = select(func.array_remove(func.array_agg(PostWatch.watch_id), None))
    of_post = asked.where(PostWatch.post_id == Post.id).scalar_subquery()
    return {text: set(ids or ()) for text, ids in session.execute(select(Post.text, of_post))}


def passing(session: Session) -> list[str]:
    return list(session.scalars(select(PassingPost.text).order_by(PassingPost.id)))


@pytest.fixture
def stream(session: Session, now: datetime) -> Source:
    return register.add_source(session, "jetstream", "wss://jetstream.example", "", now)


@pytest.fixture
def other(session: Session, now: datetime) -> Source:
    return register.add_source(session, "firehose", "wss://relay.example", "", now)


# Sifting


def test_a_post_that_nobody_asks_for_is_counted_and_forgotten(
    session: Session, stream: Source, intake: Intake, now: datetime
) -> None:
    boxes = watch(session, now).id
    news = [post(1, "a drop box"), post(2, "lunch"), post(3, "", card="Drop box"), post(4, "")]
    assert save(session, stream, intake, now, *news) == 2
    assert kept(session) == {"a drop box": {boxes}, "": {boxes}}
    assert (stream.seen, stream.kept) == (4, 2)
    hour = session.scalars(select(SourceHour)).one()
    assert (hour.seen, hour.kept) == (4, 2)
    assert passing(session) == ["lunch"]
    assert "author" not in PassingPost.__table__.columns


def test_a_post_that_alarms_is_kept_without_a_watch(
    session: Session, stream: Source, intake: Intake, now: datetime
) -> None:
    boxes = watch(session, now).id
    wary = replace(intake, alarming=lambda text: "burn" in text)
    news = [post(1, "burn it"), post(2, "burn the drop box"), post(3, "rain", card="burn")]
    assert save(session, stream, wary, now, *news) == 1
    assert kept(session) == {"burn it": set(), "burn the drop box": {boxes}}
    alarming = select(Post.text).where(Post.alarming)
    assert session.scalars(alarming).all() == ["burn it"]
    assert (stream.seen, stream.kept) == (3, 1)
    assert passing(session) == ["rain"]


def test_what_several_watches_ask_for_is_stored_once_with_all_of_them(
    session: Session, stream: Source, other: Source, intake: Intake, now: datetime
) -> None:
    rules = [BOX, Rule(any=("box",)), Rule(everything=True), Rule(any=("van",))]
    rules += [Rule(sources=(other.id,))]
    ids = [watch(session, now, rule, f"Watch {n}").id for n, rule in enumerate(rules)]
    assert save(session, stream, intake, now, post(1, "a drop box"), post(2, "lunch")) == 2
    assert kept(session) == {"a drop box": {*ids[:3]}, "lunch": {ids[2]}}
    # Another source brings one of them again, and one watch asks for that source.
    assert save(session, other, intake, now, post(1, "a drop box")) == 0
    assert kept(session) == {"a drop box": {*ids[:3], ids[4]}, "lunch": {ids[2]}}
    assert (stream.kept, other.kept) == (2, 0)


def test_an_edit_that_leaves_a_watch_takes_the_post_out_and_one_that_enters_brings_it_back(
    session: Session, stream: Source, intake: Intake, now: datetime
) -> None:
    boxes = watch(session, now).id
    save(session, stream, intake, now, post(1, "a drop box"), post(2, "a drop box too"))
    save(session, stream, intake, now, post(1, "lunch", edit=True), post(2, "", edit=True))
    assert kept(session) == {}
    assert passing(session) == ["lunch"]
    assert session.scalars(select(Erasure.reason)).all() == [REWORDED] * 2
    save(session, stream, intake, now, post(1, "dinner", edit=True))
    assert passing(session) == ["dinner"]
    save(session, stream, intake, now, post(1, "drop box!", edit=True))
    assert kept(session) == {"drop box!": {boxes}}


def test_an_edit_is_asked_for_by_what_it_says_now(
    session: Session, stream: Source, intake: Intake, now: datetime
) -> None:
    boxes, vans = watch(session, now).id, watch(session, now, Rule(any=("van",)), "Vans").id
    save(session, stream, intake, now, post(1, "a drop box"))
    assert kept(session) == {"a drop box": {boxes}}
    save(session, stream, intake, now, post(1, "a van", edit=True))
    assert kept(session) == {"a van": {vans}}


def test_a_changed_watch_takes_effect_at_the_next_batch(
    sessions: sessionmaker[Session], intake: Intake, now: datetime
) -> None:
    """As in a worker that runs on while other processes change the watches."""
    with sessions.begin() as session:
        stream = register.add_source(session, "jetstream", "wss://jetstream.example", "", now)
        boxes = watch(session, now)
    number = iter(range(99))

    def brings(*texts: str) -> set[str]:
        with sessions.begin() as session:
            source = session.get_one(Source, stream.id)
            save(session, source, intake, now, *(post(next(number), text) for text in texts))
            return {text for text in texts if text in kept(session)}

    assert brings("drop box 1", "van 1") == {"drop box 1"}
    with sessions.begin() as session:
        mine = session.get_one(models.Watch, boxes.id)
        save_watch(session, mine, "Vans", Rule(any=("van",)), BEN, now)
    assert brings("drop box 2", "van 2") == {"van 2"}
    with sessions.begin() as session:
        watches.put_away(session, session.get_one(models.Watch, boxes.id), ANN, now)
    assert brings("drop box 3", "van 3") == set()
    with sessions.begin() as session:
        watches.bring_back(session, session.get_one(models.Watch, boxes.id), ANN, now)
    assert brings("drop box 4", "van 4") == {"van 4"}
    with sessions() as session:  # what it has brought stays
        assert set(kept(session)) == {"drop box 1", "van 2", "van 4"}


# History


def test_every_change_is_a_version_with_who_and_when(session: Session, now: datetime) -> None:
    boxes = watch(session, now)
    moments = [now + timedelta(minutes=minute) for minute in range(5)]
    save_watch(session, boxes, "Vans", Rule(any=("van",)), BEN, moments[1])
    watches.put_away(session, boxes, ANN, moments[2])
    watches.put_away(session, boxes, BEN, moments[3])  # it is put away already
    assert watches.active(session) == []
    watches.bring_back(session, boxes, BEN, moments[4])
    session.expire_all()
    history = [(v.name, Rule.of(v.rule).any, v.active, v.by, v.at) for v in boxes.versions]
    assert history == [
        ("Boxes", ("drop box",), True, ANN, now),
        ("Vans", ("van",), True, BEN, moments[1]),
        ("Vans", ("van",), False, ANN, moments[2]),
        ("Vans", ("van",), True, BEN, moments[4]),
    ]
    assert [version.name for version in watches.current(session)] == ["Vans"]


def test_a_stored_rule_keeps_its_order_and_the_words_as_typed(
    session: Session, now: datetime
) -> None:
    rule = Rule(
        any=("  Drop   BOX ", "", "drop box", "Ballot"),
        langs=(" EN", "es", "en"),
        platforms=("web", "web"),
        places=("26", "26"),
        subject=" a  b ",
    )
    version = watch(session, now, rule, "  My \n boxes ").versions[-1]
    assert version.name == "My boxes"
    assert Rule.of(version.rule) == Rule(
        any=("Drop BOX", "Ballot"),
        langs=("en", "es"),
        platforms=("web",),
        places=("26",),
        subject="a b",
    )
    every = replace(rule, everything=True)
    assert checked(session, every) == Rule(everything=True)


@pytest.mark.parametrize(
    ("name", "rule", "sentence"),
    [
        (" \n", BOX, "Give the watch a name."),
        ("x" * 101, BOX, "A name of more than 100 letters fits nowhere."),
        ("boxes ", BOX, "Another watch is called “BOXES”."),
        ("New", Rule(), "Say what the watch should find: words, places, platforms or sources."),
        ("New", Rule(none=("drop box",), langs=("en",)), "Say what the watch should find"),
        ("New", Rule(any=(" ", "\u200b")), "Say what the watch should find"),
        ("New", Rule(subject="Boxes that burn"), "A subject alone would have the language model"),
        ("New", Rule(any=("drop box", "x")), "“x” is too short: it would be found nearly every"),
        ("New", Rule(none=("ｘ",), any=("box",)), "“ｘ” is too short"),
        ("New", Rule(all=("ab " * 34,)), "“ab ab ab ab ab ab ab ab ab ab ab ab ab a…” is too long"),
        ("New", Rule(any=("ﷺ" * 6,)), "is too long for a phrase; take its telling part."),
        ("New", replace(BOX, places=("26", "99")), "No place in the United States has the code"),
        ("New", replace(BOX, langs=("en-US",)), "“en-us” is no language code; English is en"),
        ("New", replace(BOX, langs=("ен",)), "“ен” is no language code"),
        ("New", replace(BOX, sources=(404,)), "One of the sources is not on the register any more"),
        (
            "New",
            Rule(
                any=tuple(f"box {n}" for n in range(400)), none=tuple(f"{n}th" for n in range(101))
            ),
            "A watch holds at most 500 words and phrases.",
        ),
    ],
)
def test_a_mistake_is_told_in_a_sentence_and_changes_nothing(
    session: Session, now: datetime, name: str, rule: Rule, sentence: str
) -> None:
    away = watch(session, now, name="BOXES")
    watches.put_away(session, away, ANN, now)  # it keeps its name
    with pytest.raises(ValueError, match=r"^[^\n]+[.…]$") as fault:
        save_watch(session, None, name, rule, ANN, now)
    assert sentence in str(fault.value)
    assert len(watches.current(session)) == 1


@pytest.mark.parametrize(
    "rule",
    [
        Rule(any=("🔥", "é", "ab")),
        Rule(any=tuple(f"box {n}" for n in range(500))),
        Rule(any=("ab " * 33,)),
        Rule(places=("26163",)),
        Rule(platforms=("web",), subject="Boxes", none=("lunch",)),
        Rule(everything=True),
    ],
)
def test_what_can_be_asked_for_is_saved(session: Session, now: datetime, rule: Rule) -> None:
    assert watch(session, now, rule).versions[-1].active


# Several people at the same time


def test_a_watch_may_keep_its_name_and_two_at_once_cannot_take_one(
    sessions: sessionmaker[Session], now: datetime
) -> None:
    with sessions.begin() as session:
        boxes = watch(session, now)
        save_watch(session, boxes, "BOXES", BOX, BEN, now)
    both = Barrier(2)

    def add(name: str) -> str:
        try:
            with sessions.begin() as session:
                both.wait()
                watch(session, now, name=name)
            return "saved"
        except ValueError as fault:
            return str(fault)

    with ThreadPoolExecutor(2) as pool:
        told = sorted(pool.map(add, ["Straße", "STRASSE"]))
    assert told[0].startswith("Another watch is called “S")
    assert told[1] == "saved"


def test_putting_away_does_not_undo_what_somebody_else_has_just_saved(
    sessions: sessionmaker[Session], now: datetime
) -> None:
    with sessions.begin() as session:
        boxes = watch(session, now)
    with sessions() as anns, sessions() as bens:
        seen = anns.get_one(models.Watch, boxes.id)
        assert len(seen.versions) == 1
        save_watch(bens, bens.get_one(models.Watch, boxes.id), "Vans", BOX, BEN, now)
        bens.commit()
        watches.put_away(anns, seen, ANN, now)
        anns.commit()
    with sessions() as session:
        (version,) = watches.current(session)
        assert (version.name, version.active) == ("Vans", False)


def test_no_change_is_missed_when_two_are_made_at_the_same_time(
    sessions: sessionmaker[Session], now: datetime
) -> None:
    """A change with a lower number must not come to light after one with a higher number."""
    known = Watches()

    def asked(text: str) -> bool:
        with sessions() as session:
            return bool(known.matcher(session)(Said(text, "bluesky", 1)))

    with sessions.begin() as session:
        boxes = watch(session, now)

    def add_vans() -> None:
        with sessions.begin() as session:
            watch(session, now, Rule(any=("van",)), "Vans")

    with ThreadPoolExecutor(1) as pool:
        with sessions() as slow:
            watches.put_away(slow, slow.get_one(models.Watch, boxes.id), ANN, now)
            second = pool.submit(add_vans)
            wait([second], timeout=0.3)
            assert asked("drop box")  # nothing is put away yet
            slow.commit()
        second.result()
    assert asked("van")
    assert not asked("drop box")


# Trying out


def test_a_trial_counts_kept_and_passing_posts_each_once(
    session: Session, stream: Source, other: Source, intake: Intake, now: datetime
) -> None:
    watch(session, now, Rule(any=("box",)))
    earlier = now - timedelta(minutes=9)
    news = [post(1, "a box"), post(2, "a van"), post(3, "lunch", lang="es", card="A VAN")]
    save(session, stream, intake, earlier, *news)
    save(session, other, intake, earlier, *news)  # both streams carry the same posts
    save(session, other, intake, now, post(4, "a box in a van"))
    trial = try_out(session, Rule(any=("van",)))
    assert (trial.matched, trial.of, trial.since) == (3, 4, earlier)
    assert trial.examples[0] == ("bluesky", "a box in a van")
    assert set(trial.examples[1:]) == {("bluesky", "lunch"), ("bluesky", "a van")}
    assert try_out(session, Rule(any=("van",), langs=("en",))).matched == 2
    assert try_out(session, Rule(any=("van",), sources=(404,))).matched == 0
    assert try_out(session, Rule(platforms=("bluesky",), subject="Vans")).matched == 4
    assert try_out(session, Rule(everything=True)).matched == 4


def test_a_trial_on_nothing_says_so(session: Session) -> None:
    assert try_out(session, BOX) == watches.Trial(0, 0, None, [])


def test_a_post_that_has_passed_and_is_kept_later_counts_once(
    session: Session, stream: Source, intake: Intake, now: datetime
) -> None:
    save(session, stream, intake, now, post(1, "a box"), post(2, "a van"))
    watch(session, now, Rule(any=("box", "van")))
    later = now + timedelta(minutes=1)
    save(session, stream, intake, later, post(1, "a box"), post(2, "two vans, a van", edit=True))
    trial = try_out(session, Rule(everything=True))
    assert (trial.matched, trial.of) == (2, 2)
    assert set(trial.examples) == {("bluesky", "a box"), ("bluesky", "two vans, a van")}


def test_what_its_author_took_away_is_in_no_trial(
    session: Session, stream: Source, intake: Intake, now: datetime
) -> None:
    watch(session, now)
    save(session, stream, intake, now, post(1, "a drop box"), post(2, "lunch"), post(3, "dinner"))
    gone = [Removal("post", post(n, "").uri, "deleted by its author") for n in (1, 2)]
    save(session, stream, intake, now, *gone)
    assert [text for _, text in try_out(session, Rule(everything=True)).examples] == ["dinner"]
    closed = Removal("account", "did:plc:a", "account deactivated", for_now=True)
    save(session, stream, intake, now, closed)
    assert try_out(session, Rule(everything=True)).of == 0


def test_passing_posts_are_held_for_an_hour(
    session: Session, stream: Source, intake: Intake, now: datetime
) -> None:
    save(session, stream, intake, now, post(1, "lunch"))
    save(session, stream, intake, now + PASSING_TIME, post(2, "dinner"))
    assert passing(session) == ["lunch", "dinner"]
    save(session, stream, intake, now + PASSING_TIME + timedelta(seconds=1))
    assert passing(session) == ["dinner"]


def test_passing_posts_are_held_up_to_a_number_and_a_trial_sees_the_newest(
    session: Session, stream: Source, other: Source, intake: Intake, now: datetime
) -> None:
    def read(source: Source, numbers: Sequence[int]) -> None:
        at = now + timedelta(milliseconds=numbers[0])
        save(session, source, intake, at, *(post(n, f"number {n}") for n in numbers))

    part = PASSING * 2 // 3
    read(stream, range(part))
    read(other, range(part, 2 * part))
    assert len(passing(session)) == 2 * part  # the newest batch is let in after others have gone
    read(stream, range(2 * part, 2 * part + 1))
    oldest = 2 * part - PASSING
    assert passing(session)[0] == f"number {oldest}"
    watch(session, now, Rule(any=("kept",)))
    save(session, stream, intake, now + timedelta(minutes=1), post("kept", "kept"))
    beyond = Rule(any=("kept", f"number {oldest + 1}", f"number {oldest + 2}"))
    trial = try_out(session, beyond)
    assert (trial.of, trial.matched) == (PASSING, 2)
    assert [text for _, text in trial.examples] == ["kept", f"number {oldest + 2}"]
    newest = [text for _, text in try_out(session, Rule(everything=True)).examples]
    assert newest == ["kept", *(f"number {n}" for n in range(2 * part, 2 * part - 7, -1))]


def test_the_harvest_counts_what_each_watch_has_brought_lately(
    session: Session, stream: Source, intake: Intake, now: datetime
) -> None:
    boxes = watch(session, now).id
    every = watch(session, now, Rule(everything=True), "Everything").id
    for hours in (30, 2):
        at = now - timedelta(hours=hours)
        save(session, stream, intake, at, post(hours, "a drop box"), post(hours + 1, "lunch"))
    assert watches.harvest(session, now - timedelta(days=1)) == {boxes: 1, every: 2}
