"""The page of quality, and the samples that monitors judge without knowing the machine's level."""

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from sqlalchemy import delete, select

from desk.wiring import Wiring
from monitor.flags.flags import decide
from monitor.models import Flag, Reading, Sample, SampleAnswer
from monitor.narratives.narratives import hour_of
from sources.models import Post, Source
from tests.desk.conftest import Cast, Client

WORDS = "They say <b>the bridge</b> is closed"


@pytest.fixture
def sampled(wiring: Wiring, message: int) -> Wiring:
    """Three samples of yesterday, the second to be coded by two people, and a decided flag."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        source = Source(kind="example", address="town", name="Town", created_at=now)
        session.add(source)
        session.flush()
        for number in range(3):
            post = Post(
                source_id=source.id,
                platform="example",
                uri=f"example:{number}",
                author=f"a{number}",
                text=f"{WORDS} {number}",
                posted_at=now,
                collected_at=now,
            )
            session.add(post)
            session.flush()
            session.add(
                Reading(
                    post_id=post.id,
                    embedding=np.zeros(4),
                    embedder="test",
                    level=1,
                    threat_level="none",
                    stance="asserts",
                    reasons=[{"code": "H1", "text": "A telling reason", "start": 0, "end": 4}],
                    scorer="test",
                    hour=hour_of(now),
                    read_at=now,
                )
            )
            session.add(
                Sample(
                    post_id=post.id,
                    day=(now - timedelta(days=1)).date(),
                    machine_level=1,
                    stood_for=10,
                    twice=number == 1,
                )
            )
        flag = Flag(
            narrative_id=1,
            hour=hour_of(now) - timedelta(hours=3),
            observed=7,
            expected=0.6,
            p_value=0.0001,
            reasons=[],
            detector="test",
            raised_at=now,
        )
        session.add(flag)
        session.flush()
        decide(session, flag, "confirmed", "", 1, now)
    return wiring


def answers(wiring: Wiring) -> list[tuple[int, int, int | None]]:
    with wiring.sessions() as session:
        query = select(SampleAnswer).order_by(SampleAnswer.id)
        return [(one.sample_id, one.by, one.level) for one in session.scalars(query)]


def test_everybody_reads_the_figures_with_their_numbers(
    sampled: Wiring, cast: Cast, client: Client
) -> None:
    for person in (cast.leader, cast.comms, cast.admin, cast.monitor):
        assert client(person).get("/quality").status_code == 200
    page = client(cast.leader).get("/quality").text
    assert re.search(r"100 % <small class=\"quiet\">\(\d+ to 100\), n = \d</small>", page)
    assert "Cannot tell yet" in page
    assert "0 of at least 100 answers" in page
    assert "too few: 30 posts coded by two people are needed" in page
    assert "Krippendorff" in page
    assert "T2 Flagged → T3 Triaged" in page
    assert "Look at samples" not in page
    assert "3 posts drawn at random wait" in client(cast.monitor).get("/quality").text


def test_nothing_is_told_of_a_person(sampled: Wiring, cast: Cast, client: Client) -> None:
    client(cast.monitor).post("/quality/samples/1", data={"level": "2"})
    main = client(cast.leader).get("/quality").text.split("<main")[1]
    for name in ("Maya", "Jonah", "Dana", "Ada", "Luis"):
        assert name not in main


@pytest.mark.parametrize("days", ["30", "90", "0", "7"])
def test_spans_are_chosen_and_others_are_the_usual(cast: Cast, client: Client, days: str) -> None:
    page = client(cast.leader).get(f"/quality?days={days}").text
    chosen = {"30": "Last 30 days", "90": "Last 90 days", "0": "Ever"}.get(days, "Last 90 days")
    assert f"<strong>{chosen}</strong>" in page


def test_numbers_that_are_none_are_refused(cast: Cast, client: Client) -> None:
    for query in ("days=-1", "days=x", "days=99999999999999999999"):
        assert client(cast.leader).get(f"/quality?{query}").status_code == 422
    maya = client(cast.monitor)
    assert maya.get("/quality/samples?last=99999999999999999999").status_code in (200, 422)
    assert maya.post("/quality/samples/99999999999", data={"level": "1"}).status_code == 404


def test_the_machines_level_is_hidden_until_after_the_answer(
    sampled: Wiring, cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    page = maya.get("/quality/samples").text
    assert "They say &lt;b&gt;the bridge&lt;/b&gt; is closed 0" in page
    assert "the machine had read" not in page
    assert "A telling reason" not in page
    assert page.count('name="level"') == 5
    answer = maya.post("/quality/samples/1", data={"level": "3"})
    assert answer.status_code == 303
    after = maya.get(answer.headers["location"]).text
    assert "the machine had read" in after
    assert "The desk missed this one" in after
    assert 'href="/posts/1/coding"' in after
    assert answers(sampled) == [(1, cast.monitor.id, 3)]
    assert "the machine had read" not in maya.get("/quality/samples?last=2").text  # not answered


def test_one_who_cannot_tell_goes_on_and_the_next_person_is_asked(
    sampled: Wiring, cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    answer = maya.post("/quality/samples/1", data={"unsure": "1", "level": "4"})
    assert answer.status_code == 303
    assert answers(sampled) == [(1, cast.monitor.id, None)]
    page = maya.get("/quality/samples").text
    assert 'action="/quality/samples/2"' in page


def test_what_is_no_level_is_refused_and_the_same_post_comes_again(
    sampled: Wiring, cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    for level in ("", "5", "-1", "x", "٣"):
        answer = maya.post("/quality/samples/3", data={"level": level})
        assert answer.status_code == 422
        assert "Choose one of the five levels" in answer.text
        assert 'action="/quality/samples/3"' in answer.text
    assert answers(sampled) == []


def test_some_are_coded_in_full_by_two_who_do_not_know_of_each_other(
    sampled: Wiring, cast: Cast, client: Client, wiring: Wiring
) -> None:
    maya = client(cast.monitor)
    maya.post("/quality/samples/1", data={"unsure": "1"})
    page = maya.get("/quality/samples").text
    assert "Code it in full" in page
    assert 'name="stance"' in page
    wrong = maya.post("/quality/samples/2", data={"stance": "sings", "act": "kill"})
    assert wrong.status_code == 422
    assert 'action="/quality/samples/2"' in wrong.text
    coding = {"target_kind": "group", "H1": "2"}
    assert maya.post("/quality/samples/2", data=coding).status_code == 303
    assert maya.post("/quality/samples/2", data=coding).status_code == 422  # once is enough
    assert answers(sampled)[-1] == (2, cast.monitor.id, 2)
    with wiring.sessions.begin() as session:
        session.add(SampleAnswer(sample_id=2, level=0, by=999, at=datetime.now(UTC)))
    late = client(cast.monitor).post("/quality/samples/2", data=coding)
    assert late.status_code == 422


def test_answered_or_removed_meanwhile_the_next_one_comes(
    sampled: Wiring, cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    with sampled.sessions.begin() as session:
        session.add(SampleAnswer(sample_id=1, level=0, by=999, at=datetime.now(UTC)))
        session.execute(delete(Post).where(Post.id == 3))
    late = maya.post("/quality/samples/1", data={"level": "1"})
    assert late.status_code == 409
    assert "Somebody else answered" in late.text
    assert 'action="/quality/samples/2"' in late.text
    gone = maya.post("/quality/samples/3", data={"level": "1"})
    assert gone.status_code == 410
    assert "removed meanwhile" in gone.text
    assert [one[0] for one in answers(sampled)] == [1]


def test_only_monitors_look_at_samples(sampled: Wiring, cast: Cast, client: Client) -> None:
    for person in (cast.leader, cast.admin, cast.duty_lead, cast.comms):
        assert client(person).get("/quality/samples").status_code == 403
        assert client(person).post("/quality/samples/1", data={"level": "1"}).status_code == 403
    assert answers(sampled) == []


def test_a_sample_is_answered_by_keyboard_alone(sampled: Wiring, cast: Cast, browsing) -> None:
    page = browsing(cast.monitor, 390).new_page()
    page.goto("/quality/samples")
    page.get_by_role("button", name="M1 Offensive").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("You said M2")


@pytest.mark.parametrize("width", [1280, 390])
def test_both_ways_to_answer_are_accessible_and_fit(
    sampled: Wiring, cast: Cast, browsing, width: int
) -> None:
    page = browsing(cast.monitor, width).new_page()
    for answer in ("M4 Violence-urging", "I cannot tell", "I cannot tell"):
        page.goto("/quality/samples") if answer[0] == "M" else None
        assert Axe().run(page).response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("button", name=answer).click()
    expect(page.locator("main")).to_contain_text("Nothing waits for you")
    page.goto("/quality")
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
