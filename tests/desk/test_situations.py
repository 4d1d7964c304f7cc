"""The danger level on the pages, and the form by which a person codes a situation."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import select

from desk.wiring import Wiring
from monitor import triggers
from monitor.coding import situations
from monitor.coding.codebook import CODEBOOK, MessageFields, Situation, as_stored
from monitor.models import Narrative, Reading, SituationCoding
from monitor.narratives.narratives import hour_of
from monitor.narratives.portrait import atlas
from sources import register
from sources.models import Post
from tests.campaigns.cast import make_narrative
from tests.desk.conftest import Cast, Client

PATH = "/narratives/1/situation"
WISHES = MessageFields(target_kind="group", act="damage_property", force="wish")
FORM = {"speaker": "1", "audience": "2", "context": "2", "reach": "", "reason": "A vigil is near"}


@pytest.fixture
def told(wiring: Wiring, cast: Cast) -> Wiring:
    """A narrative whose one post condones violence in Denver."""
    atlas()  # read once, and not while a page waits
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        make_narrative(session, now)
        source = register.add_source(session, "feed", "https://gazette.example/rss", "Gazette", now)
        post = Post(
            source_id=source.id,
            platform="web",
            uri="post",
            author="a1",
            text="Someone should burn that depot in Denver, Colorado",
            posted_at=now,
            collected_at=now,
        )
        session.add(post)
        session.flush()
        session.add(
            Reading(
                post_id=post.id,
                embedding=[0] * 4,
                embedder="test",
                level=3,
                threat_level="none",
                stance="asserts",
                reasons=[],
                fields=as_stored(WISHES),
                scorer="test",
                narrative_id=1,
                hour=hour_of(now),
                read_at=now,
            )
        )
    return wiring


def codings(wiring: Wiring) -> list[SituationCoding]:
    with wiring.sessions() as session:
        return list(session.scalars(select(SituationCoding).order_by(SituationCoding.id)))


def test_uncoded_it_is_a_range_with_what_is_unknown_in_words(
    told: Wiring, cast: Cast, client: Client
) -> None:
    page = client(cast.comms).get("/narratives/1").text
    assert "D2–D3" in page
    assert "Concern to High, provisional" in page
    assert "speaker, audience, context, reach and medium" in page
    for level in CODEBOOK.danger_levels[2:4]:
        assert level.response in page
        assert level.rule in page
    assert "Nobody has coded this week" in page
    assert "A monitor or duty lead codes it" in page
    assert PATH not in page  # she looks and does not code
    assert "D2–D3" in client(cast.comms).get("/narratives").text


def test_a_monitor_codes_it_and_the_level_follows_everywhere(
    told: Wiring, cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    form = maya.get(PATH).text
    for factor in CODEBOOK.situation:
        assert f'name="{factor.field}" value="" checked' in form
        for step in factor.steps:
            assert step.definition.replace("'", "&#39;") in form
    answer = maya.post(PATH, data=FORM | {"place": "08031"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/narratives/1#situation")
    (made,) = codings(told)
    assert (made.place, made.by, made.reach) == ("08031", cast.monitor.id, None)
    assert made.week == situations.week_of(made.at)
    page = maya.get("/narratives/1").text
    assert "D3" in page
    assert "Denver County, CO" in page
    assert "A vigil is near" in page
    assert "X 2 trigger" in page
    assert "R not known" in page
    assert "D3<" in maya.get("/narratives").text
    # The duty lead thinks otherwise: hers holds, Maya's stays in the history.
    dana = client(cast.duty_lead)
    assert 'value="2" checked' in dana.get(f"{PATH}?place=08031").text
    calm = {"speaker": "0", "audience": "1", "context": "0", "reach": "0", "reason": "It is calm"}
    assert dana.post(PATH, data=calm | {"place": "08031"}).status_code == 303
    page = client(cast.comms).get("/narratives/1").text
    assert "It is calm" in page
    assert "All codings (2)" in page
    assert page.count("A vigil is near") == 1
    assert "provisional" not in page


def test_a_coding_that_cannot_be_kept_comes_back_as_it_was_filled_in(
    told: Wiring, cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    for wrong, why in (
        ({"reason": " "}, "Say why"),
        ({"speaker": "", "audience": "", "context": ""}, "one factor at least"),
        ({"speaker": "4"}, "0 to 3"),
        ({"speaker": "' OR 1"}, "0 to 3"),
        ({"place": "99999"}, "No place"),
        ({"place": "08031/Denver"}, "county or a state"),
    ):
        answer = maya.post(PATH, data=FORM | {"reason": "Kept words"} | wrong)
        assert answer.status_code == 422, wrong
        assert why in answer.text
        assert wrong.get("reason", "Kept words") in answer.text
    kept = maya.post(PATH, data=FORM | {"reason": ""}).text
    assert 'name="audience" value="2" checked' in kept
    assert codings(told) == []


def test_last_week_is_a_start_and_does_not_count(told: Wiring, cast: Cast, client: Client) -> None:
    now = datetime.now(UTC)
    with told.sessions.begin() as session:
        narrative = session.get_one(Narrative, 1)
        week = situations.week_of(now) - timedelta(7)
        known = Situation(3, 3, 3, 3)
        situations.code(session, narrative, "08", week, known, "It was bad", cast.monitor.id, now)
    maya = client(cast.monitor)
    page = maya.get("/narratives/1").text
    assert "D2–D3" in page
    assert "earlier weeks does not count" in page
    blank = maya.get(f"{PATH}?place=08").text
    assert blank.count('value="" checked') == 4
    assert "last week" in blank
    assert "start=last-week" in blank
    filled = maya.get(f"{PATH}?place=08&start=last-week").text
    assert filled.count('value="3" checked') == 4
    assert len(codings(told)) == 1
    assert "start=last-week" not in maya.get(PATH).text  # another place had none


def test_proposals_are_marked_and_never_chosen_for_the_person(
    told: Wiring, cast: Cast, client: Client
) -> None:
    now = datetime.now(UTC)
    starts = now + timedelta(days=5)
    with told.sessions.begin() as session:
        triggers.add(
            session,
            name="Verdict <b>here</b>",
            kind="verdict",
            place="08031",
            starts_at=starts,
            ends_at=starts,
            note="",
            by=1,
            now=now,
        )
    maya = client(cast.monitor)
    page = maya.get(f"{PATH}?place=08031").text
    assert "the machine proposes" in page
    assert "Verdict &lt;b&gt;here&lt;/b&gt; (in 5 days)" in page
    assert page.count('value="" checked') == 4
    assert "Verdict" not in maya.get(f"{PATH}?place=17").text


def test_a_place_is_named_in_posts_or_found_by_name(
    told: Wiring, cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    page = maya.get(PATH).text
    assert '<option value="08031">Denver County, CO</option>' in page
    found = maya.get(PATH, params={"place": "", "sought": "Wayne County, MI"}).text
    assert '<option value="26163" selected>Wayne County, MI</option>' in found
    several = maya.get(PATH, params={"sought": "Wayne County"})
    assert several.status_code == 422
    assert "Which place do you mean" in several.text
    assert maya.get(PATH, params={"place": "26163/Detroit"}).status_code == 422


@pytest.mark.parametrize("method", ["get", "post", "level"])
def test_others_look_and_do_not_code(told: Wiring, cast: Cast, client: Client, method: str) -> None:
    for person in (cast.comms, cast.leader):
        one = client(person)
        answers = {
            "get": lambda one=one: one.get(PATH),
            "post": lambda one=one: one.post(PATH, data=FORM),
            "level": lambda one=one: one.post(f"{PATH}/level", data=FORM),
        }
        assert answers[method]().status_code == 403
    assert codings(told) == []


def test_a_merged_narrative_is_coded_where_its_posts_are(
    told: Wiring, cast: Cast, client: Client
) -> None:
    with told.sessions.begin() as session:
        old = make_narrative(session, datetime.now(UTC))
        old.merged_into = 1
    maya = client(cast.monitor)
    assert maya.get("/narratives/2/situation").headers["location"] == PATH
    assert (
        maya.post("/narratives/2/situation", data=FORM)
        .headers["location"]
        .startswith("/narratives/1#")
    )
    assert [one.narrative_id for one in codings(told)] == [1]
    assert maya.get("/narratives/99/situation").status_code == 404


def test_the_level_follows_while_choosing_and_nothing_is_saved(
    told: Wiring, cast: Cast, browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.duty_lead, 390).new_page()
    page.goto(PATH)
    comes_to = page.locator("#comes-to")
    expect(comes_to).to_contain_text("D2–D3")
    for factor in ("Speaker", "Audience"):
        group = page.get_by_role("group", name=factor)
        group.locator("input[value='2']").check()
    expect(comes_to).to_contain_text("D3")
    expect(comes_to).not_to_contain_text("D2")
    assert codings(told) == []
    page.get_by_label("Why").fill("The chair repeated it " + "unbroken" * 40)
    page.get_by_role("button", name="Save my coding").click()
    expect(page.locator("#situation")).to_contain_text("The chair repeated it")
    assert len(codings(told)) == 1
    for path in ("/narratives/1", PATH):
        page.goto(path)
        for details in page.locator("details").all():
            details.evaluate("one => one.open = true")
        wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wider <= 0, f"{path} is {wider} px too wide"
        found = Axe().run(page).response["violations"]
        assert not found, [(rule["id"], rule["nodes"][0]["html"]) for rule in found]


def test_no_page_tells_how_likely_violence_is(told: Wiring, cast: Cast, client: Client) -> None:
    maya = client(cast.monitor)
    for path in ("/narratives/1", PATH):
        page = maya.get(path).text.lower()
        for word in ("probab", "likelihood", "predict", "extremist", "suspect", "illegal", "enemy"):
            assert word not in page, (path, word)
