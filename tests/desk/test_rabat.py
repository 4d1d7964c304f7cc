"""The threshold test on its pages, two people at D4, and the choice to hold."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import select

from campaigns import campaigns
from campaigns.models import Hold
from desk import people
from desk.models import Person
from desk.wiring import Wiring
from monitor.alerts import alert_lists
from monitor.coding.codebook import MessageFields, Situation
from monitor.coding.rabat import PARTS
from monitor.coding.situations import code, week_of
from monitor.models import Alert, AlertThreshold, Flag, LegalNote, Narrative, RabatAssessment
from monitor.narratives.portrait import atlas
from tests.campaigns.cast import make_narrative
from tests.desk.conftest import Cast, Client
from tests.monitor.flagged import AT_ONCE, URGES, say_in

PATH = "/narratives/1/threshold-test"
LONG = "unbroken" * 40
SEEN = {"decision": "confirmed", "reason": "Read at its source"}


def judged(value: int = 2, **changed: str) -> dict[str, str]:
    form = {part: str(value) for part in PARTS}
    return form | {f"why_{part}": f"Because of the {part}" for part in PARTS} | changed


def tell(wiring: Wiring, fields: MessageFields, text: str = "Drive them out with clubs") -> int:
    """A narrative with an open flag whose one post says so; the flag's id."""
    atlas()  # read once, and not while a page waits
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        narrative = make_narrative(session, now)
        say_in(session, narrative, now, text, fields)
        return session.scalars(select(Flag.id)).one()


@pytest.fixture
def flag(wiring: Wiring, cast: Cast) -> int:
    """A flag on a narrative at D3 (D3 to D4 while its situation is not known)."""
    return tell(wiring, URGES)


@pytest.fixture
def critical(wiring: Wiring, cast: Cast) -> int:
    """A flag on a narrative at D4."""
    return tell(wiring, AT_ONCE)


@pytest.fixture
def second(wiring: Wiring, cast: Cast) -> Person:
    """Another monitor."""
    with wiring.sessions.begin() as session:
        now = datetime.now(UTC)
        return people.add_person(session, "Nia", "nia@desk.example", ["monitor"], None, now)


# The threshold test


def test_from_d3_on_the_pages_say_that_the_test_is_missing(
    flag: int, cast: Cast, client: Client
) -> None:
    for path in ("/narratives/1", f"/flags/{flag}"):
        page = client(cast.monitor).get(path).text
        assert "threshold test has not been done" in page
        assert f'href="{PATH}"' in page
    assert client(cast.monitor).get(f"/flags/{flag}/threshold-test").headers["location"] == PATH


def test_below_d3_nothing_asks_for_it(wiring: Wiring, cast: Cast, client: Client) -> None:
    tell(wiring, MessageFields(target_kind="group", demeaning=True))
    maya = client(cast.monitor)
    assert "threshold" not in maya.get("/narratives/1").text
    assert "the test is not asked for" in maya.get(PATH).text


def test_a_person_judges_six_parts_and_earlier_judgements_remain(
    flag: int, cast: Cast, client: Client
) -> None:
    maya, dana = client(cast.monitor), client(cast.duty_lead)
    assert "Not done yet" in maya.get(PATH).text
    assert maya.post(PATH, data=judged(2)).status_code == 303
    assert "Meets the high threshold" in maya.get("/narratives/1").text
    page = dana.get(PATH).text
    form = page.partition('id="rabat"')[2].partition("</form>")[0]
    assert form.count('type="radio"') == 18
    assert " checked" not in form  # nobody leans on who was first
    assert dana.post(PATH, data=judged(2, likelihood="0")).status_code == 303
    page = client(cast.comms).get("/narratives/1").text
    assert "Lawful speech of concern" in page
    assert "Meets the high threshold" not in page
    page = maya.get(PATH).text
    assert "Earlier judgements (1)" in page
    assert "Because of the intent" in page


def test_a_judgement_that_is_not_whole_comes_back_with_its_words(
    flag: int, cast: Cast, client: Client, wiring: Wiring
) -> None:
    maya = client(cast.monitor)
    for wrong, why in (
        ({"intent": ""}, "missing: intent"),
        ({"intent": "3"}, "missing: intent"),
        ({"why_speaker": "  "}, "Each part needs a reason"),
        ({"why_extent": "x" * 601}, "at most 600"),
        ({"why_intent": "They say drive them out with clubs"}, "stands in a post"),
    ):
        answer = maya.post(PATH, data=judged(1, why_context="Kept <b>words") | wrong)
        assert answer.status_code == 422, wrong
        assert why in answer.text
        assert "Kept &lt;b&gt;words" in answer.text
        assert 'name="extent" value="1" checked' in answer.text
    with wiring.sessions() as session:
        assert session.scalars(select(RabatAssessment)).all() == []


def test_only_a_duty_lead_notes_a_doubt_and_says_why(
    flag: int, cast: Cast, client: Client, wiring: Wiring
) -> None:
    doubt = {"note": "possible_true_threat", "reason": "It names a person"}
    for person in (cast.monitor, cast.admin, cast.comms, cast.leader):
        assert client(person).post(f"{PATH}/note", data=doubt).status_code == 403
    page = client(cast.monitor).get(PATH).text
    assert "Presumed protected" in page
    assert "Only a duty lead changes it" in page
    dana = client(cast.duty_lead)
    answer = dana.post(f"{PATH}/note", data=doubt | {"reason": " "})
    assert answer.status_code == 422
    assert 'value="possible_true_threat" checked' in answer.text
    assert dana.post(f"{PATH}/note", data=doubt | {"note": "illegal"}).status_code == 422
    assert dana.post(f"{PATH}/note", data=doubt).status_code == 303
    with wiring.sessions() as session:
        (made,) = session.scalars(select(LegalNote))
        assert (made.by, made.narrative_id) == (cast.duty_lead.id, 1)
    page = client(cast.monitor).get(PATH).text
    assert "Possible true threat" in page
    assert "no finding" in page


def test_others_read_it_and_do_not_judge(flag: int, cast: Cast, client: Client) -> None:
    for person in (cast.comms, cast.leader):
        assert "A monitor or duty lead fills it in" in client(person).get(PATH).text
        assert client(person).post(PATH, data=judged()).status_code == 403
        assert client(person).post("/threshold-test/comes-to", data=judged()).status_code == 403
    maya = client(cast.monitor)
    assert maya.post("/sources/1/threshold-test", data=judged()).status_code == 404
    assert maya.get("/narratives/99/threshold-test").status_code == 404


def test_no_page_of_it_makes_a_finding(flag: int, cast: Cast, client: Client) -> None:
    dana = client(cast.duty_lead)
    dana.post(PATH, data=judged())
    dana.post(f"{PATH}/note", data={"note": "possible_imminent_incitement", "reason": "Tonight"})
    for path in (PATH, "/narratives/1", f"/alerts/new?flag={flag}"):
        page = dana.get(path).text.lower()
        for word in ("illegal", "unlawful", "criminal", "extremist", "suspect", "offender"):
            assert word not in page, (path, word)


def test_an_alert_at_d3_waits_for_the_test_or_says_why_not(
    critical: int, cast: Cast, client: Client, wiring: Wiring
) -> None:
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        told = alert_lists.make(session, "Responders", False, 1, now)
        alert_lists.add(session, told, cast.leader.id, 1, 1, now)
        narrative = session.get_one(Narrative, 1)
        code(session, narrative, "", week_of(now), Situation(2, 2, 1, 1), "Seen", 1, now)
    maya, dana = client(cast.monitor), client(cast.duty_lead)
    maya.post(f"/flags/{critical}/decision", data=SEEN)
    form = dana.get(f"/alerts/new?flag={critical}").text
    assert "threshold test has not been done" in form
    assert "the second word is still due" in form
    alert = {"flag": str(critical), "list": "1", "verification": "V1", "reliability": "F"}
    alert |= {"credibility": "6", "why": "I read it", "urgency": "Expected", "severity": "Severe"}
    alert |= {"certainty": "Possible", "signal": "A call came in"}
    for line in ("headline", "what", "where", "when", "how_sure", "who", "asked", "not_to_do"):
        alert[line] = f"About the {line}"
    answer = dana.post("/alerts", data=alert)
    assert answer.status_code == 422
    assert "fills in the threshold test" in answer.text
    assert dana.post("/alerts", data=alert | {"why_no_test": "Tonight <b>"}).status_code == 303
    with wiring.sessions() as session:
        assert session.scalars(select(AlertThreshold)).one().why_none == "Tonight <b>"
        number = session.scalars(select(Alert.id)).one()
    assert "Tonight &lt;b&gt;" in client(cast.leader).get(f"/alerts/{number}").text
    maya.post(PATH, data=judged(1))
    assert "Lawful speech of concern" in dana.get(f"/alerts/new?flag={critical}").text
    assert dana.post("/alerts", data=alert).status_code == 303


# Two people at D4


def test_at_d4_another_person_gives_the_second_word(
    critical: int, cast: Cast, client: Client, second: Person
) -> None:
    maya, nia, dana = client(cast.monitor), client(second), client(cast.duty_lead)
    bare = maya.post(f"/flags/{critical}/decision", data=SEEN | {"reason": ""})
    assert bare.status_code == 422
    assert "D4: say in one sentence" in bare.text
    assert maya.post(f"/flags/{critical}/decision", data=SEEN).status_code == 303
    for path in ("/narratives/1", f"/flags/{critical}", "/"):
        assert "waits for a second person" in nia.get(path).text, path
    assert "You have given your word" in maya.get("/narratives/1").text
    assert f'href="/alerts/new?flag={critical}"' in dana.get("/narratives/1").text
    look = f"/flags/{critical}/second-look"
    word = {"says": "agrees", "reason": "Three name the same place"}
    own = maya.post(look, data=word)
    assert own.status_code == 422
    assert "confirmed it yourself" in own.text
    assert client(cast.comms).post(look, data=word).status_code == 403
    kept = nia.post(look, data=word | {"says": "perhaps"})
    assert kept.status_code == 422
    assert "Three name the same place" in kept.text
    assert nia.post(look, data=word).status_code == 303
    page = maya.get("/narratives/1").text
    assert "two people agree" in page
    assert "Three name the same place" in page
    assert dana.post(look, data=word).status_code == 409
    assert "D4: two people look" not in nia.get("/").text


def test_two_who_disagree_take_a_confirmation_back(
    critical: int, cast: Cast, client: Client, second: Person
) -> None:
    client(cast.monitor).post(f"/flags/{critical}/decision", data=SEEN)
    no = {"says": "disagrees", "reason": "A line from a song"}
    look = f"/flags/{critical}/second-look"
    assert client(second).post(look, data=no).status_code == 303
    assert "two disagree" in client(cast.duty_lead).get("/").text
    assert client(cast.duty_lead).post(look, data=no).status_code == 303
    page = client(cast.duty_lead).get(f"/flags/{critical}").text
    assert "taken back" in page
    assert "/alerts/new" not in page
    assert "Nobody has confirmed" in client(cast.comms).get("/narratives/1").text


def test_a_flag_that_nobody_confirmed_takes_no_second_word(
    critical: int, cast: Cast, client: Client
) -> None:
    word = {"says": "agrees", "reason": "So"}
    answer = client(cast.monitor).post(f"/flags/{critical}/second-look", data=word)
    assert answer.status_code == 422
    assert "Nobody has confirmed this flag yet" in answer.text


# Holding


def test_holding_is_first_and_needs_no_confirmation(
    critical: int, cast: Cast, client: Client, wiring: Wiring
) -> None:
    jonah = client(cast.comms)
    page = jonah.get("/narratives/1").text
    assert 'value="hold" checked' in page
    assert 'value="norm"' not in page
    for words in ("Has it left its niche?", "No sign that it left its origin", "the day before"):
        assert words in page
    form = {"strategy": "hold", "why": "Few <b>accounts", "until": "2020-01-01"}
    for wrong, why in (
        ({}, "Look again after now"),
        ({"until": ""}, "Set the day"),
        ({"until": "soon"}, "Give the day"),
        ({"until": "2999-01-01"}, "within 90 days"),
    ):
        answer = jonah.post("/narratives/1/campaigns", data=form | wrong)
        assert answer.status_code == 422, wrong
        assert why in answer.text
        assert "Few &lt;b&gt;accounts" in answer.text
    tomorrow = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"
    assert jonah.post("/narratives/1/campaigns", data=form | {"until": tomorrow}).status_code == 303
    page = jonah.get("/narratives/1").text
    assert "Few &lt;b&gt;accounts" in page
    assert "Look again on" in page
    assert "Held: look again" not in jonah.get("/").text
    with wiring.sessions.begin() as session:
        session.scalars(select(Hold)).one().until = datetime.now(UTC) - timedelta(hours=1)
    assert "Held: look again" in jonah.get("/").text
    assert "What needs you now" in jonah.get("/").text
    assert "the day was" in jonah.get("/narratives/1").text
    assert "Held: look again" not in client(cast.leader).get("/").text
    assert (
        client(cast.monitor).post("/narratives/1/campaigns", data=form).status_code == 403
    )  # who counters is comms' word


def test_once_confirmed_every_answer_is_offered_and_at_d4_only_after_two(
    critical: int, cast: Cast, client: Client, second: Person
) -> None:
    client(cast.monitor).post(f"/flags/{critical}/decision", data=SEEN)
    jonah = client(cast.comms)
    page = jonah.get("/narratives/1").text
    assert "nothing is said before a second person" in page
    assert 'value="norm"' not in page
    speak = {"strategy": "norm", "audience": "Parents", "goal": "Stay home"}
    assert jonah.post("/narratives/1/campaigns", data=speak).status_code == 422
    word = {"says": "agrees", "reason": "So"}
    client(second).post(f"/flags/{critical}/second-look", data=word)
    page = jonah.get("/narratives/1").text
    assert page.count('name="strategy"') == len(campaigns.STRATEGIES)
    assert page.index('value="hold"') < page.index('value="norm"')
    assert jonah.post("/narratives/1/campaigns", data=speak).status_code == 303


@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_are_whole_and_the_test_says_what_it_comes_to(
    wiring: Wiring, cast: Cast, browsing: Callable[..., BrowserContext], client: Client, width: int
) -> None:
    critical = tell(wiring, AT_ONCE, 'Gather <img src=x onerror="alert(1)"> ' + LONG)
    client(cast.monitor).post(f"/flags/{critical}/decision", data=SEEN | {"reason": LONG})
    maya = client(cast.monitor)
    for value in (2, 1):
        maya.post(PATH, data=judged(value, why_intent=LONG))
    note = {"note": "possible_true_threat", "reason": LONG}
    client(cast.duty_lead).post(f"{PATH}/note", data=note)
    page = browsing(cast.duty_lead, width).new_page()
    for path in ("/", "/narratives/1", f"/flags/{critical}", PATH, f"/alerts/new?flag={critical}"):
        page.goto(path)
        expect(page.locator("main img")).to_have_count(0)
        wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wider <= 0, f"{path} is {wider} px too wide"
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
    page.goto(PATH)
    status = page.locator("#comes-to")
    expect(status).to_contain_text("0 of 6 parts judged")
    for part in PARTS[:4]:
        page.locator(f"#{part} input[value='2']").check()
    expect(status).to_contain_text("4 of 6")
    for part in PARTS[4:]:
        page.locator(f"#{part} input[value='1']").check()
    expect(status).to_contain_text("Meets the high threshold")
    page.locator("#intent input[value='0']").check()
    expect(status).to_contain_text("Lawful speech of concern")


def test_speaking_and_holding_ask_for_different_things(
    wiring: Wiring, cast: Cast, browsing: Callable[..., BrowserContext], client: Client
) -> None:
    flag = tell(wiring, URGES)
    client(cast.monitor).post(f"/flags/{flag}/decision", data=SEEN)
    page = browsing(cast.comms, 390).new_page()
    page.goto("/narratives/1")
    expect(page.get_by_label("Why hold")).to_be_visible()
    expect(page.get_by_label("For whom")).to_be_hidden()
    page.get_by_role("radio", name="Norm statement").check()
    expect(page.get_by_label("Why hold")).to_be_hidden()
    page.get_by_label("For whom").fill("Parents")
    page.get_by_label("One goal").fill("Stay home tonight")
    page.get_by_role("button", name="Decide").click()
    expect(page.locator("#campaigns")).to_contain_text("Stay home tonight")
