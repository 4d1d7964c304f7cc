"""What the data say of a week: by place, with levels, in ranges, without anybody's words."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from monitor import triggers
from monitor.coding import situations
from monitor.coding.codebook import Situation
from monitor.models import (
    Alert,
    AlertList,
    AlertMessage,
    AlertOutcome,
    Flag,
    FlagDecision,
    HourlyCount,
    Narrative,
    PostCounty,
    Reading,
    Verification,
)
from monitor.reading.terms import Lexicon
from monitor.reports import sitrep, sitrep_draft
from monitor.reports.sitrep import in_range, times
from sources.models import Source, SourceEvent

MONDAY = date(2026, 11, 16)
SINCE = datetime(2026, 11, 16, tzinfo=UTC)
NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)  # the week is over
WAYNE, KENT = "26163", "26081"


@pytest.fixture
def tell(session, say):
    """A narrative of the week with one post at a level, that names places."""

    def make(title, level=2, places=(), at=SINCE + timedelta(days=1), text="One two three."):
        narrative = Narrative(
            title=title,
            centroid=np.zeros(4, np.float32),
            embedder="test",
            size=1,
            first_post_at=at,
            last_post_at=at,
            created_at=at,
            settled_at=at,
        )
        session.add(narrative)
        post = say(session, "author", text, at)
        session.flush()
        session.add(
            Reading(
                post_id=post.id,
                embedding=np.zeros(4),
                embedder="test",
                level=level,
                threat_level="none",
                stance="asserts",
                reasons=[],
                scorer="test",
                narrative_id=narrative.id,
                hour=at.replace(minute=0),
                read_at=at,
            )
        )
        session.add_all(PostCounty(post_id=post.id, fips=fips) for fips in places)
        session.flush()
        return narrative

    return make


def flag(session, narrative=None, place=None, at=SINCE + timedelta(days=2), decision=None):
    one = Flag(
        narrative=narrative,
        place=place,
        hour=at,
        observed=3,
        expected=0.1,
        p_value=0.001,
        reasons=[],
        detector="test",
        raised_at=at,
    )
    if decision:
        one.decision = FlagDecision(decision=decision, reason="Seen", by=1, at=at)
    session.add(one)
    session.flush()
    return one


def drafted(session, place="", now=NOW, lexicon=None):
    week = sitrep.week_at(MONDAY, place, now)
    made = sitrep_draft.draft(session, week, {"en"})
    return sitrep_draft.spelled(session, made, lexicon or Lexicon([]))


def test_an_empty_week_is_told_as_one_and_every_line_has_its_level(session):
    text = drafted(session)
    assert text["summary"] == "[V0] No situation of concern came to our notice this week."
    assert text["alerts"] == "[V4] No alert was sent or closed."
    assert "face to face" in text["unknown"]
    for key, words in text.items():
        for line in filter(None, words.split("\n")):
            assert line.startswith("[V") == (key != "unknown"), line


def test_a_line_that_rests_on_the_machine_alone_is_v0_and_a_person_lifts_it(session, tell):
    one = tell("The depot", places=[WAYNE])
    flag(session, one)
    (line,) = drafted(session)["situations"].split("\n")
    assert line.startswith("[V0] Wayne County, MI: The depot. ")
    flag(session, one, at=SINCE + timedelta(days=3), decision="dismissed")
    (line,) = drafted(session)["situations"].split("\n")
    assert line.startswith("[V1] ")


def test_each_coded_place_is_a_line_and_the_gravest_is_first(session, tell):
    one = tell("The depot", level=3)
    week, at = MONDAY, SINCE + timedelta(days=2)
    for place, step in ((KENT, 0), (WAYNE, 3)):
        full = Situation(speaker=step, audience=step, context=step, reach=step)
        situations.code(session, one, place, week, full, "Heard", 1, at)
    lines = drafted(session)["situations"].split("\n")
    assert [line.split(":")[0] for line in lines] == [
        "[V1] Wayne County, MI",
        "[V1] Kent County, MI",
    ]
    assert "provisional" not in lines[0]
    assert "The gravest that is said: M3." in lines[0]
    assert drafted(session, KENT)["situations"].split("\n") == [lines[1]]
    assert "of concern in" in drafted(session)["summary"]


def test_what_was_coded_for_another_week_says_nothing_of_this_one(session, tell):
    one = tell("The depot")
    full = Situation(speaker=3, audience=3, context=3, reach=3)
    week = MONDAY + timedelta(days=7)
    situations.code(session, one, WAYNE, week, full, "Heard", 1, SINCE + timedelta(days=8))
    assert drafted(session)["situations"] == ""


def test_a_report_on_a_place_holds_what_is_told_there_alone(session, tell):
    flag(session, tell("The depot", places=[WAYNE]))
    flag(session, tell("The school", places=["06037"]))
    flag(session, place=WAYNE)
    flag(session, place="06037", decision="confirmed")
    michigan = drafted(session, "26")["situations"]
    assert "The depot" in michigan
    assert "The school" not in michigan
    assert "[V0] Wayne County, MI: more voices than usual" in michigan
    assert "nobody has decided on it" in michigan
    everywhere = drafted(session)["situations"]
    assert "The school" in everywhere
    assert "[V1] Los Angeles County, CA: more voices than usual" in everywhere


def test_an_alerts_last_grade_within_the_week_is_the_lines_level(session, tell):
    one = tell("The depot")
    told = AlertList(name="Live", exercise=False, made_by=1, made_at=SINCE)
    drill = AlertList(name="Drill", exercise=True, made_by=1, made_at=SINCE)
    session.add_all([told, drill])
    session.flush()
    for exercise, on in ((False, told), (True, drill)):
        at = SINCE + timedelta(days=2)
        alert = Alert(
            list_id=on.id,
            exercise=exercise,
            narrative=one,
            place=WAYNE,
            danger_level=3,
            danger_high=3,
            life_safety=False,
            made_by=1,
            made_at=at,
        )
        alert.messages = [
            AlertMessage(
                identifier=f"one-{exercise}",
                kind="Alert",
                scope="Restricted",
                urgency="Immediate",
                severity="Severe",
                certainty="Possible",
                card={"headline": "A crowd may come."},
                sent_by=1,
                sent_at=at,
            )
        ]
        graded = {"reliability": "B", "credibility": 2, "why": "Two", "by": 1}
        alert.verifications = [
            Verification(level="V1", at=at, **graded),
            Verification(level="V3", at=at + timedelta(hours=2), **graded),
            Verification(level="refuted", at=SINCE + timedelta(days=9), **graded),
        ]
        alert.outcome = AlertOutcome(code="unknown", note="x", by=1, at=at + timedelta(days=1))
        session.add(alert)
    session.flush()
    text = drafted(session)
    lines = text["alerts"].split("\n")
    assert lines[0].startswith("[V3] Wayne County, MI: alert at D3 (High): A crowd may come. Sent")
    assert "acknowledged by nobody; closed: we do not know." in lines[0]
    assert lines[1] == "[V4] Closed: 1. False alarms among them: none."
    assert lines[2] == "[V4] Exercises, not counted above: 1."
    assert text["situations"].startswith("[V3] ")
    assert "Alerts closed without knowing what came of them: 1." in text["unknown"]


def count(session, narrative, hour, posts, dangerous=0):
    session.add(
        HourlyCount(
            narrative_id=narrative.id,
            hour=hour,
            posts=posts,
            authors=posts,
            dangerous_posts=dangerous,
            dangerous_authors=dangerous,
        )
    )
    session.flush()


def test_what_rose_and_fell_is_told_beside_the_weeks_before_and_in_ranges(session, tell):
    week = timedelta(days=7)
    old = SINCE - 5 * week
    rose, fell, same, few, new = (
        *(tell(name, at=old) for name in ("Rose", "Fell", "Same", "Few")),
        tell("New"),
    )
    for one in (rose, fell, same, few):
        one.last_post_at = SINCE
    for n, story in ((1, rose), (2, fell), (3, same), (4, few)):
        for back in range(1, 5):
            count(
                session, story, SINCE - back * week + timedelta(hours=n), {3: 40, 4: 1}.get(n, 20)
            )
    count(session, rose, SINCE, 41, 3)
    count(session, fell, SINCE, 6)
    count(session, same, SINCE, 44)
    count(session, few, SINCE, 4)
    count(session, new, SINCE + timedelta(days=1), 12)
    lines = drafted(session)["movement"].split("\n")
    assert lines[0] == (
        "[V0] Rose rose: about twice as many as in an ordinary week before, 25 to 49 posts."
    )
    assert lines[1] == "[V0] New, new this week: 10 to 24 posts."
    assert lines[2] == "[V0] Fell fell: about a third of an ordinary week before, 5 to 9 posts."
    assert len(lines) == 3


def test_a_running_week_is_held_beside_the_same_days_of_those_before(session, tell):
    one = tell("Steady", at=SINCE - timedelta(days=35))
    one.last_post_at = SINCE
    for back in range(5):
        count(session, one, SINCE - timedelta(days=7 * back), 20)
        if back:  # later in the week, which has not come yet in this one
            count(session, one, SINCE - timedelta(days=7 * back - 5), 200)
    assert "Nothing rose or fell" in drafted(session, now=SINCE + timedelta(days=1))["movement"]
    assert "Steady fell" in drafted(session)["movement"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "fewer than 5"),
        (4, "fewer than 5"),
        (5, "5 to 9"),
        (9, "5 to 9"),
        (10, "10 to 24"),
        (999, "500 to 999"),
        (1_000, "1,000 to 2,499"),
        (99_999, "50,000 to 99,999"),
        (100_000, "100,000 or more"),
        (10**9, "100,000 or more"),
    ],
)
def test_counts_are_ranges(number, words):
    assert in_range(number) == words


def test_ratios_are_words():
    assert times(0.0).startswith("hardly any")
    assert times(1.0).startswith("about as many")
    assert times(2.0).startswith("about twice")
    assert times(99.0).startswith("far more than ten times")


SAID = "Everybody meets behind the old depot at nine tonight"


@pytest.mark.parametrize(
    "title",
    [
        "Meets behind the old depot at nine",
        "Ask @someone about it",
        "See https://there.example/x",
        "On there.com/x",
    ],
)
def test_a_title_that_leads_back_to_a_post_is_left_out_of_the_draft(session, tell, title):
    one = tell(title, places=[WAYNE], text=SAID)
    flag(session, one)
    text = drafted(session)["situations"]
    assert title not in text
    assert f"Wayne County, MI: narrative {one.id}." in text


def test_a_coded_term_in_a_title_is_left_out(session, tell, now):
    from monitor.coding import lexicon

    lexicon.seed(session, now)
    flag(session, tell("The boogaloo on Friday"))
    loaded = lexicon.load(session, now)
    assert "boogaloo" in drafted(session)["situations"]
    assert "boogaloo" not in drafted(session, lexicon=loaded)["situations"]


def test_days_ahead_are_those_after_the_week(session):
    for name, days, place in (
        ("Past", 3, ""),
        ("Verdict", 9, WAYNE),
        ("March", 10, "06"),
        ("Far", 40, ""),
    ):
        at = SINCE + timedelta(days=days)
        triggers.add(
            session,
            name=name,
            kind="rally",
            place=place,
            starts_at=at,
            ends_at=at,
            note="",
            by=1,
            now=SINCE,
        )
    lines = drafted(session)["ahead"].split("\n")
    assert lines[0] == "[V1] Wednesday 25 November, Wayne County, MI: rally or march, Verdict."
    assert len(lines) == 2
    assert drafted(session, "26")["ahead"].count("\n") == 0


def test_gaps_name_what_was_silent_and_for_how_long(session):
    addresses = ("Gazette", "https://there.example/rss")
    for number, name in enumerate(addresses):
        source = Source(
            kind="feed", address=f"https://{number}.example", name=name, created_at=SINCE
        )
        source.last_batch_at = SINCE
        session.add(source)
        session.flush()
        at = SINCE - timedelta(days=1)
        for kind in ("failed", "recovered"):
            session.add(SourceEvent(source_id=source.id, kind=kind, detail="x", by=None, at=at))
            at = SINCE + timedelta(hours=9)
    session.add(Source(kind="feed", address="https://9.example", name="Never", created_at=SINCE))
    session.flush()
    lines = drafted(session)["gaps"].split("\n")
    assert lines[0] == "[V4] Gazette could not be read for about 9 h."
    assert lines[1].startswith("[V4] A source (no. ")  # its name is an address
    assert lines[2] == "[V4] Never has never brought anything."


def test_no_draft_speaks_of_how_likely_violence_is(session, tell):
    flag(session, tell("The depot", level=4, places=[WAYNE]))
    said = " ".join(drafted(session).values()).lower()
    for word in ("probab", "predict", "%", "risk score", "extremist", "suspect", "offender"):
        assert word not in said


@pytest.mark.parametrize("day", [date(2026, 11, 17), date(2026, 11, 30)])
def test_a_week_begins_on_a_monday_and_has_begun(day):
    with pytest.raises(ValueError, match=r"Monday|begun"):
        sitrep.week_at(day, "", NOW)


def test_a_city_is_no_place_of_a_report():
    with pytest.raises(ValueError):  # noqa: PT011
        sitrep.week_at(MONDAY, "nowhere", NOW)
