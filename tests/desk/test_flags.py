"""Flags of every kind on the first page and on their own, and who may decide them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, expect

from desk.wiring import Wiring
from monitor.models import Flag, FlagDecision, Narrative, Reading
from monitor.narratives.narratives import hour_of
from monitor.narratives.portrait import atlas
from sources import register
from sources.matching import Rule
from sources.models import Post
from sources.watches import save_watch
from tests.campaigns.cast import make_narrative
from tests.desk.conftest import Cast, Client

GRAVE = 'Burn it down tonight. <img src=x onerror="alert(1)"> ' + "unbroken" * 40
ABOUT = {
    "authors": 9,
    "everyone": 20,
    "share": 0.45,
    "platforms": {"bluesky": 7, "reddit": 4},
    "places": [["26163", 5], ["99", 1]],
    "crossed": True,
    "copies": 4,
    "effect": 12.5,
    "loudest": {"2": 12, "3": 9},
    "clear": None,
}


@pytest.fixture
def raised(wiring: Wiring, cast: Cast) -> dict[str, int]:
    """An open flag of each kind: a narrative, a watch, a county, and one post alone (ids)."""
    atlas()  # reading it takes longer than these clients wait; a desk does it once
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        narrative = make_narrative(session, now, "confirmed")
        narrative.title = "Depot"
        watch = save_watch(session, None, "Bridges <b>", Rule(any=("bridge",)), None, now)
        source = register.add_source(session, "feed", "https://gazette.example/rss", "Gazette", now)
        posts = [_read(session, source.id, narrative, n, now) for n in range(2)]
        rise = {
            "level": 3,
            "hour": hour_of(now),
            "observed": 9,
            "expected": 0.7,
            "low": 0.0,
            "high": 3.0,
            "p_value": 1e-9,
            "adjusted": 1e-7,
            "detector": "count-cusum 3",
            "about": ABOUT,
            "raised_at": now - timedelta(minutes=20),
            "posted_at": now - timedelta(minutes=40),
            "collected_at": now,
            "reasons": [
                {"text": "9 different authors in one hour.", "post_id": None},
                *({"text": "M3 Condoning: wishes for a fire.", "post_id": one} for one in posts),
                {"text": "M3 Condoning: gone.", "post_id": 999},
            ],
        }
        county = rise | {"place": "26163", "about": ABOUT | {"share": None}, "test": "count cusum"}
        flags = {
            "narrative": Flag(**rise, narrative=narrative),
            "watch": Flag(**rise | {"test": "share"}, watch_id=watch.id),
            "county": Flag(**county | {"hours": 5}),
            "alone": Flag(
                **rise
                | {"kind": "life_safety", "level": 4, "observed": 1, "expected": 0.0, "about": {}}
                | {"low": None, "high": None, "adjusted": None, "p_value": 0.0}
                | {"test": "life safety", "post_id": posts[1], "copy_of": posts[1]}
                | {"reasons": [{"text": "It urges violence within 48 hours.", "post_id": posts[1]}]}
            ),
        }
        session.add_all(flags.values())
        session.flush()
        return {name: flag.id for name, flag in flags.items()}


def _read(session, source: int, narrative: Narrative, number: int, now: datetime) -> int:
    post = Post(
        source_id=source,
        platform="bluesky",
        uri=f"post-{number}",
        author=f"a{number}",
        text=("Someone should burn that depot.", GRAVE)[number],
        url="https://gazette.example/1",
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
            level=3 + number,
            threat_level="none",
            stance="asserts",
            reasons=[{"code": "act:destroy", "text": "Wishes for a fire", "start": 0, "end": 12}],
            scorer="test",
            narrative_id=narrative.id,
            hour=hour_of(now),
            read_at=now,
        )
    )
    return post.id


def test_each_flag_leads_to_where_it_is_decided(
    raised: dict[str, int], cast: Cast, client: Client
) -> None:
    page = client(cast.duty_lead).get("/").text
    titles = dict(re.findall(r'<a class="title" data-row href="([^"]+)">([^<]+)</a>', page))
    assert titles["/narratives/1"] == "Depot"
    assert titles[f"/flags/{raised['watch']}"] == "Watch: Bridges &lt;b&gt;"
    assert titles[f"/flags/{raised['county']}"].startswith("Place: Wayne County")
    assert f"/flags/{raised['alone']}" not in titles  # it stands above them, alone


def test_what_cannot_wait_stands_first_and_says_since_when(
    raised: dict[str, int], cast: Cast, client: Client
) -> None:
    for person in (cast.monitor, cast.duty_lead):
        page = client(person).get("/").text
        assert page.index("Look at this now") < page.index("Flags to decide")
        assert "20 min</time>" in page
        assert "within 15 min" in page
        assert f'href="/flags/{raised["alone"]}"' in page
        assert "What needs you now" in page
        assert "&lt;img src=x" in page
    for person in (cast.comms, cast.leader):
        assert "Look at this now" not in client(person).get("/").text


def test_a_flag_says_how_it_was_told(raised: dict[str, int], cast: Cast, client: Client) -> None:
    maya = client(cast.monitor)
    page = maya.get(f"/flags/{raised['narrative']}").text
    for words in ("Count: in one hour", "9 different authors", "0.7", "(0 to 3", "45 %"):
        assert words in page
    for words in ("9 of 20", "Crossed platforms", "reddit", "Wayne County, MI", "by 4 accounts"):
        assert words in page
    for words in ("12.5 times", "less than once in 1,000,000", "not over yet", "1 more has been"):
        assert words in page
    assert page.count('class="post"') == 2
    assert "<img" not in page.partition("<main")[2]
    page = maya.get(f"/flags/{raised['county']}").text
    assert "hour by hour over 5 hours" in page
    assert "Dangerous share" not in page
    assert "Sum of counts (CUSUM)" in page
    page = maya.get(f"/flags/{raised['alone']}").text
    assert "The codebook&#39;s rule alone" in page
    assert "Expected" not in page
    assert "within 15 min" in page


def test_after_deciding_one_stays_where_the_flag_is(
    raised: dict[str, int], cast: Cast, client: Client
) -> None:
    form = {"decision": "confirmed", "reason": "Seen at the source"}
    dana, maya = client(cast.duty_lead), client(cast.monitor)
    to = {"narrative": "/narratives/1"}
    for name, number in raised.items():
        answer = dana.post(f"/flags/{number}/decision", data=form)
        assert answer.status_code == 303
        assert answer.headers["location"] == to.get(name, f"/flags/{number}")
        page = dana.get(f"/flags/{number}").text
        assert f'href="/alerts/new?flag={number}"' in page
        page = maya.get(f"/flags/{number}").text
        assert "/alerts/new" not in page
        assert "Dana" in page
        assert "Seen at the source" in page
    assert "Look at this now" not in dana.get("/").text
    assert "No open flags" in dana.get("/").text


@pytest.mark.parametrize("name", ["narrative", "watch", "county", "alone"])
def test_a_refused_decision_keeps_its_words(
    raised: dict[str, int], cast: Cast, client: Client, wiring: Wiring, name: str
) -> None:
    path = f"/flags/{raised[name]}/decision"
    answer = client(cast.monitor).post(path, data={"decision": "dismissed", "reason": "  "})
    assert answer.status_code == 422
    assert "A dismissal needs a reason" in answer.text
    answer = client(cast.monitor).post(path, data={"decision": "perhaps", "reason": "My words"})
    assert answer.status_code == 422
    assert "My words" in answer.text
    with wiring.sessions.begin() as session:
        now = datetime.now(UTC)
        decided = {"decision": "dismissed", "reason": "A film", "by": cast.duty_lead.id, "at": now}
        session.add(FlagDecision(flag_id=raised[name], **decided))
    answer = client(cast.monitor).post(path, data={"decision": "confirmed", "reason": "Late"})
    assert answer.status_code == 409
    assert "Dana decided this flag already" in answer.text


def test_others_may_read_and_not_decide(raised: dict[str, int], cast: Cast, client: Client) -> None:
    comms = client(cast.comms)
    page = comms.get(f"/flags/{raised['watch']}").text
    assert "A monitor or duty lead decides." in page
    assert "/decision" not in page
    path = f"/flags/{raised['watch']}/decision"
    assert comms.post(path, data={"decision": "confirmed"}).status_code == 403
    assert client(None).get(f"/flags/{raised['watch']}").status_code in (303, 401)
    assert comms.get("/flags/99999").status_code == comms.get("/flags/0").status_code == 404


def test_a_call_outlives_its_post(
    raised: dict[str, int], cast: Cast, client: Client, wiring: Wiring
) -> None:
    with wiring.sessions.begin() as session:
        flag = session.get_one(Flag, raised["alone"])
        session.delete(session.get_one(Post, flag.post_id))
    maya = client(cast.monitor)
    assert "The post has been removed since." in maya.get("/").text
    page = maya.get(f"/flags/{raised['alone']}").text
    assert "The post has been removed since." in page
    assert "/decision" in page


@pytest.mark.parametrize("width", [1280, 390])
def test_flags_are_whole_and_accessible(
    raised: dict[str, int], cast: Cast, browsing: Callable[..., BrowserContext], width: int
) -> None:
    page = browsing(cast.duty_lead, width).new_page()
    paths = ["/", "/narratives/1", *(f"/flags/{number}" for number in raised.values())]
    for path in paths:
        page.goto(path)
        expect(page.locator("h1")).to_have_count(1)
        wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wider <= 0, f"{path} is {wider} px too wide"
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
