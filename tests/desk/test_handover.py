"""Notes of shifts, and what changed since somebody was here."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import select

from campaigns.campaigns import hold
from campaigns.models import ReadBack
from desk import handover
from desk.models import HandoverRead, Person, ShiftNote, ShiftNoteDraft
from desk.wiring import Wiring
from monitor import triggers
from monitor.alerts import alert_course, alert_lists, alerts, cap
from monitor.coding import situations
from monitor.coding.codebook import Situation
from monitor.flags import flags, reports, second_looks
from monitor.models import Flag, HourlyCount, Narrative, Reading, SecondRequest
from sources import register
from sources.models import Post, SourceEvent
from tests.campaigns.cast import make_flag, make_narrative
from tests.desk.conftest import Cast, Client
from tests.desk.test_pages import furnished  # noqa: F401

HOSTILE = 'Ring the centre <img src=x onerror="alert(1)"> before nine.'
NOTE = {"text": "Ring the centre.", "stays": "open", "about": ""}


def note(wiring: Wiring) -> ShiftNote:
    with wiring.sessions() as session:
        return session.scalars(select(ShiftNote).order_by(ShiftNote.id.desc())).first()


def test_an_open_note_is_left_ticked_off_with_a_word_and_opened_again(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    maya, dana = client(cast.monitor), client(cast.duty_lead)
    assert maya.post("/handover/notes", data=NOTE | {"text": HOSTILE}).status_code == 303
    page = dana.get("/handover").text
    assert "1 open note." in page
    assert "Ring the centre &lt;img" in page
    assert "Handover</a>: 1 open note" in dana.get("/").text
    number = note(wiring).id
    empty = dana.post(f"/handover/notes/{number}/done", data={"word": " "})
    assert (empty.status_code, "Say in a word" in empty.text) == (422, True)
    done = dana.post(f"/handover/notes/{number}/done", data={"word": "Rang <b>them</b>"})
    assert done.status_code == 303
    page = maya.get("/handover").text
    assert "No open notes." in page
    assert "Rang &lt;b&gt;them&lt;/b&gt;: Dana" in page
    second = maya.post(f"/handover/notes/{number}/done", data={"word": "I did, too"})
    assert (second.status_code, "ticked this off already" in second.text) == (409, True)
    assert maya.post(f"/handover/notes/{number}/open").status_code == 303
    assert "1 open note." in maya.get("/handover").text
    assert maya.post(f"/handover/notes/{number}/open").status_code == 409
    assert dana.post(f"/handover/notes/{number}/done", data={"word": "Now"}).status_code == 303


def test_what_is_for_information_is_shown_and_asks_nothing(cast: Cast, client: Client) -> None:
    maya = client(cast.monitor)
    told = NOTE | {"stays": "information", "text": "The night was calm."}
    assert maya.post("/handover/notes", data=told).status_code == 303
    page = maya.get("/handover").text
    assert "No open notes." in page
    assert "The night was calm." in page
    refused = maya.post("/handover/notes/1/done", data={"word": "Read"})
    assert (refused.status_code, "for information" in refused.text) == (422, True)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"text": " \r\n "}, "Write what the next shift must know"),
        ({"text": "x" * (handover.NOTE_CHARS + 1)}, "4,000 characters at most"),
        ({"stays": "urgent"}, "still open, or for information"),
        ({"about": "/narratives/99"}, "nothing at /narratives/99"),
        ({"about": "/posts/1"}, "no address of a narrative"),
        ({"about": "https://elsewhere.example/narratives/1x"}, "no address of a narrative"),
        ({"about": "/flags/999999999"}, "nothing at /flags/999999999"),
    ],
)
def test_a_note_that_cannot_be_is_refused_with_its_words_kept(
    cast: Cast, client: Client, wrong: dict[str, str], why: str
) -> None:
    form = {"text": "Kept words.", "stays": "open", "about": ""} | wrong
    answer = client(cast.monitor).post("/handover/notes", data=form)
    assert answer.status_code == 422
    assert why in answer.text
    assert form["text"].strip() in answer.text
    assert form["about"] in answer.text


@pytest.mark.parametrize("form", ["/flags/1", "http://desk.example/flags/1?x=1#why", "flags/1"])
def test_a_note_leads_to_what_it_is_about(
    wiring: Wiring, cast: Cast, client: Client, form: str
) -> None:
    with wiring.sessions.begin() as session:
        make_narrative(session, datetime.now(UTC))
    maya = client(cast.monitor)
    assert maya.post("/handover/notes", data=NOTE | {"about": form}).status_code == 303
    assert note(wiring).flag_id == 1
    assert '<a href="/flags/1">Flag: the bridge rumour</a>' in maya.get("/handover").text


def test_a_narrative_that_may_dissolve_is_none_to_lead_to(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    with wiring.sessions.begin() as session:
        make_narrative(session, datetime.now(UTC)).settled_at = None
    answer = client(cast.monitor).post("/handover/notes", data=NOTE | {"about": "/narratives/1"})
    assert answer.status_code == 422


def test_a_draft_survives_a_reload_and_is_its_writers_alone(
    wiring: Wiring, cast: Cast, client: Client, browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.monitor).new_page()
    page.goto("/handover")
    with page.expect_response("**/handover/draft"):
        page.get_by_label("What the next shift must know").fill("Half a sentence")
    page.reload()
    expect(page.get_by_label("What the next shift must know")).to_have_value("Half a sentence")
    assert "Half a sentence" not in client(cast.admin).get("/handover").text
    page.get_by_role("button", name="Leave it").click()
    expect(page.get_by_text("1 open note.")).to_be_visible()
    expect(page.get_by_label("What the next shift must know")).to_have_value("")
    # What was still on its way when the note was left brings no draft back.
    late = client(cast.monitor).post("/handover/draft", data=NOTE | {"text": "Half a sentence"})
    assert late.status_code == 204
    with wiring.sessions() as session:
        assert session.scalars(select(ShiftNoteDraft)).all() == []


def test_a_draft_is_kept_without_script_and_words_of_an_ended_session_come_back(
    cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    kept = maya.post("/handover/draft/keep", data=NOTE | {"text": "Later", "about": "/flags/7"})
    assert kept.status_code == 303
    page = maya.get("/handover").text
    assert ">Later</textarea>" in page
    assert 'value="/flags/7"' in page
    ended = client(None).post("/handover/notes", data=NOTE | {"text": "Long in the making"})
    assert (ended.status_code, "Long in the making" in ended.text) == (401, True)


def happen(wiring: Wiring, cast: Cast, at: datetime) -> None:
    """A day at the desk, all of it at one moment."""
    with wiring.sessions.begin() as session:
        narrative = make_narrative(session, at)
        flag = session.scalars(select(Flag)).one()
        flags.decide(session, flag, "confirmed", "Seen at its source", cast.monitor.id, at)
        session.add(make_flag(narrative, at + timedelta(hours=1), None))
        session.flush()
        session.scalars(select(Flag).order_by(Flag.id.desc())).first().raised_at = at
        situation = Situation(speaker=2, audience=3, context=2, reach=1)
        week = situations.week_of(at)
        situations.code(session, narrative, "26163", week, situation, "Heard", 1, at)
        told = alert_lists.make(session, "Responders", False, 1, at)
        alert_lists.add(session, told, cast.leader.id, 1, 1, at)
        alert = alerts.send(
            session,
            card=cap.Card(**dict.fromkeys(cap.CARD, "A line") | {"headline": "A crowd may come"}),
            codes=cap.Codes("Immediate", "Severe", "Possible"),
            grade=cap.Grade("V2", "B", 2, "Two of us"),
            alert_list=told,
            exercise=False,
            flag=None,
            place="26163",
            stated_level=3,
            expires_at=None,
            by=cast.duty_lead.id,
            now=at,
        )
        alert_course.acknowledge(session, alert, cast.leader.id, at)
        alert_course.close(session, alert, "false_alarm", "Nobody came", cast.duty_lead.id, at)
        source = register.add_source(session, "feed", "https://g.example/rss", "Gazette", at)
        session.add(SourceEvent(source_id=source.id, kind="failed", detail="503", by=None, at=at))
        begins = datetime.now(UTC) + timedelta(hours=30)
        triggers.add(
            session,
            name="Verdict <b>day</b>",
            kind="verdict",
            place="26163",
            starts_at=begins,
            ends_at=begins,
            note="",
            by=1,
            now=at,
        )


def test_what_changed_is_told_gravest_first_with_links_and_names(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    happen(wiring, cast, datetime.now(UTC) - timedelta(hours=2))
    page = client(cast.comms).get("/handover").text
    heads = [
        *("Alerts, and posts that called", "Flags <", "Narratives and situations"),
        *("In the next 72 hours", "Sources that fell silent"),
    ]
    places = [page.index(head) for head in heads]
    assert places == sorted(places)
    told = [
        *('href="/alerts/1">A crowd may come', "by Dana", "acknowledged", "by Ruth"),
        *("closed: false alarm", 'href="/flags/1"', "confirmed", "Seen at its source", "by Maya"),
        *("still open", "Wayne County, MI", "Verdict &lt;b&gt;day&lt;/b&gt;", 'href="/triggers"'),
        *('href="/sources/1">Gazette', "still silent", 'href="/narratives/1#situation"'),
    ]
    assert [words for words in told if words not in page] == []


def test_what_people_and_platforms_did_is_told_and_what_still_waits(
    furnished: Wiring,  # noqa: F811
    cast: Cast,
    client: Client,
) -> None:
    now = datetime.now(UTC)
    early = now - timedelta(hours=2)
    with furnished.sessions.begin() as session:
        story = make_narrative(session, early)
        story.title = "the water rumour"
        until = now - timedelta(hours=1)
        hold(session, story, why="Eight accounts", until=until, by=cast.comms.id, now=early)
        told = "Neighbours <b>gather</b>"
        report = reports.report_narrative(session, story, told, False, cast.comms.id, early)
        decision = flags.decide(session, report, "confirmed", "Seen", cast.monitor.id, early)
        session.add(SecondRequest(decision_id=decision.id, because="danger", at=early))
        session.flush()
        session.expire(decision)
        duty_lead = cast.duty_lead.id
        second_looks.look(session, decision, "disagrees", "Only talk", duty_lead, now)
        reading = session.scalars(select(ReadBack)).one()
        reading.removed_at, reading.next_at = now, None
    page = client(cast.comms).get("/handover").text
    for words in (
        *("Stops pressed and lifted", "Everything of Ruth", "lifted", "still stopped"),
        *("What people reported", "Neighbours &lt;b&gt;gather&lt;/b&gt;", "confirmed"),
        *("a second person asked for", "a second person disagrees", "Only talk", "two disagree"),
        *("answer chosen: hold, do not amplify", "Eight accounts", "its day has come"),
        *("removed there, not by us: Dry run", "to be taken down at once: Dry run"),
        *('href="/contacts/replies">1 reply waits', 'href="/stops/1"'),
    ):
        assert words in page, words
    assert "/contacts/replies" not in client(cast.monitor).get("/handover").text
    assert "look again at <a" in client(cast.monitor).get("/queue").text

    with furnished.sessions.begin() as session:  # somebody looked again: nothing is due any more
        story, later = session.get_one(Narrative, story.id), now + timedelta(days=1)
        hold(session, story, why="Still eight", until=later, by=cast.comms.id, now=now)
    page = client(cast.comms).get("/handover").text
    assert ("Still eight" in page, "its day has come" in page) == (True, False)
    assert "look again at <a" not in client(cast.monitor).get("/queue").text


def test_what_was_read_is_told_no_more_and_the_reading_leaves_a_row(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    happen(wiring, cast, datetime.now(UTC) - timedelta(hours=2))
    maya = client(cast.monitor)
    page = maya.get("/handover").text
    assert "You have not yet said" in page
    made = page.split('name="until" value="')[1].split('"')[0]
    with wiring.sessions.begin() as session:  # after the page was made, before the button
        make_narrative(session, datetime.now(UTC)).title = "what came in between"
    assert maya.post("/handover/read", data={"until": made}).status_code == 303
    page = maya.get("/handover").text
    assert "A crowd may come" not in page
    assert "what came in between" in page  # nothing falls between the page and the button
    assert "A crowd may come" in maya.get("/handover?since=8h").text
    assert "A crowd may come" in client(cast.duty_lead).get("/handover").text
    assert maya.post("/handover/read", data={"until": made}).status_code == 303
    with wiring.sessions() as session:
        rows = session.scalars(select(HandoverRead)).all()
    assert [row.person_id for row in rows] == [cast.monitor.id] * 2
    assert rows[0].until == datetime.fromisoformat(made)


def test_an_old_page_takes_no_reading_back(wiring: Wiring, cast: Cast) -> None:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        person = session.get_one(Person, cast.monitor.id)
        handover.read(session, person, now, now)
        late = handover.read(session, person, now - timedelta(hours=5), now)
        assert late.until == now
        with pytest.raises(ValueError, match="not happened yet"):
            handover.read(session, person, now + timedelta(seconds=1), now)


@pytest.mark.parametrize("until", ["", "soon", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00"])
def test_a_forged_reading_is_refused(cast: Cast, client: Client, until: str) -> None:
    answer = client(cast.monitor).post("/handover/read", data={"until": until})
    assert answer.status_code == 422
    assert "not one of ours" in answer.text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("since=8h", 200),
        ("since=forever", 200),
        ("at=2026-11-01T08:00", 200),
        ("at=nonsense", 422),
        ("at=9999-01-01T08:00", 422),
        ("at=0001-01-01T08:00", 200),
    ],
)
def test_any_moment_may_be_asked_for(cast: Cast, client: Client, query: str, status: int) -> None:
    assert client(cast.monitor).get(f"/handover?{query}").status_code == status


def test_a_quiet_time_says_so(cast: Cast, client: Client) -> None:
    assert "Nothing changed" in client(cast.monitor).get("/handover").text


def test_a_danger_level_that_rose_is_told_with_both_ends(wiring: Wiring, cast: Cast) -> None:
    now = datetime.now(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    with wiring.sessions.begin() as session:
        narrative = make_narrative(session, now - timedelta(days=1))
        calm = make_narrative(session, now - timedelta(days=1))
        source = register.add_source(session, "feed", "https://g.example/rss", "Gazette", now)
        for number, (story, read_at) in enumerate(
            ((narrative, now), (calm, now - timedelta(hours=5)))
        ):
            post = Post(
                source_id=source.id,
                platform="web",
                uri=f"post-{number}",
                author="a1",
                text="Words",
                posted_at=hour,
                collected_at=read_at,
            )
            session.add(post)
            session.flush()
            session.add(
                Reading(
                    post_id=post.id,
                    embedding=np.zeros(4),
                    embedder="test",
                    level=3,
                    threat_level="none",
                    stance="asserts",
                    reasons=[],
                    scorer="test",
                    narrative_id=story.id,
                    hour=hour,
                    read_at=read_at,
                )
            )
            counted = dict.fromkeys(("posts", "authors", "dangerous_posts", "dangerous_authors"), 1)
            session.add(HourlyCount(narrative_id=story.id, hour=hour, **counted))
            story.last_post_at = now
        session.flush()
        told = handover.what_changed(session, now - timedelta(hours=1), now)
        stands = situations.danger_of(session, narrative, now)
    (change,) = told["Danger levels that changed"]  # not the one that stood before
    assert change.key == narrative.id
    assert stands.high > stands.low
    assert change.steps[0].what == f"D0 to D{stands.low}–D{stands.high}"


def test_the_title_of_a_narrative_stays_text(wiring: Wiring, cast: Cast, client: Client) -> None:
    with wiring.sessions.begin() as session:
        make_narrative(session, datetime.now(UTC)).title = "<script>x</script>"
        assert session.scalars(select(Narrative)).all()
    page = client(cast.monitor).get("/handover").text
    assert "<script>x" not in page
    assert "&lt;script&gt;x" in page
