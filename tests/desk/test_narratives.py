"""A narrative's page: what it tells, and people correcting it, in a real browser and by hand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import event, select

from desk.wiring import Wiring
from monitor.models import Narrative, PostCounty, Reading, Revision
from monitor.narratives import counters, proposals
from monitor.narratives.narratives import hour_of, recentre
from monitor.narratives.portrait import places_named
from sources import register
from sources.models import Post
from tests.desk.conftest import Cast, Client

BALLOTS = [
    "The missing ballots are hidden in the depot on Mill Street in Denver, Colorado",
    "Ballots hidden in the depot on Mill Street, says my cousin who drives a truck there",
    "Who put the missing ballots in the Mill Street depot, and why does nobody look?",
    "Someone should burn that depot on Mill Street with the ballots in it",
]
POLICE = [
    "The police have been told to stay away from Mill Street on Saturday",
    "Officers will not come to Mill Street on Saturday, we are on our own",
    "On Saturday no police at Mill Street: bring your friends",
]
FESTIVAL = ["The film festival on Mill Street shows a film about ballots"] * 2


def towards(*parts: tuple[int, float]) -> np.ndarray:
    """A unit vector of eight numbers, with these in these places."""
    vector = np.zeros(8, np.float32)
    for place, weight in parts:
        vector[place] = weight
    return vector / np.linalg.norm(vector)


@pytest.fixture
def told(wiring: Wiring, cast: Cast) -> Wiring:
    """Narrative 1 makes two claims on two platforms; 2 and 3 are near it, 3 of months ago."""
    places_named([("Detroit, Michigan", None)])  # once in a process: no page is to wait for it
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        source = register.add_source(session, "feed", "https://gazette.example/rss", "Gazette", now)
        narratives = []
        for title, age in (("Ballots · depot", 0), ("Mill Street · police", 0), ("Ballots", 90)):
            at = now - timedelta(days=age)
            one = Narrative(
                title=title,
                centroid=towards((0, 1)),
                embedder="test",
                size=0,
                first_post_at=at,
                last_post_at=at,
                created_at=at,
                settled_at=at,
            )
            session.add(one)
            session.flush()
            narratives.append(one)
        texts = [(0, 1, text) for text in BALLOTS] + [(0, 2, text) for text in POLICE]
        texts += [(1, 3, text) for text in POLICE] + [(2, 4, FESTIVAL[0])]
        moves = {}
        for n, (narrative, way, text) in enumerate(texts):
            at = narratives[narrative].last_post_at - timedelta(minutes=40 * (len(texts) - n))
            post = Post(
                source_id=source.id,
                platform=("bluesky", "web")[n % 2],
                uri=f"post-{n}",
                author=f"a{n}",
                text=text,
                posted_at=at,
                collected_at=at,
            )
            session.add(post)
            session.flush()
            dangerous = "burn" in text
            why = {"code": "act:destroy", "text": "Wishes for a fire", "start": 0, "end": 24}
            session.add(
                Reading(
                    post_id=post.id,
                    embedding=towards((0, 1), (way, 1), (6, 0.1 * (n % 3))),
                    embedder="test",
                    lang="en",
                    level=4 if dangerous else 0,
                    threat_level="none",
                    stance="asserts",
                    reasons=[why] if dangerous else [],
                    scorer="test",
                    hour=hour_of(at),
                    read_at=at,
                )
            )
            moves[post.id] = narratives[narrative].id
        session.flush()
        counters.move(session, moves)
        recentre(session, [one.id for one in narratives])
        for one, title in zip(narratives, ("Ballots · depot", "Police", "Film"), strict=True):
            one.title = title
        proposals.propose(session, [(2, 1)], [(1, list(moves)[4:7])], now)
    return wiring


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_tells_the_story_and_is_accessible(
    told: Wiring, cast: Cast, browsing: Callable[..., BrowserContext], width: int, scheme: str
) -> None:
    page = browsing(cast.monitor, width).new_page()
    page.emulate_media(color_scheme=scheme)
    page.goto("/narratives/1")
    main = page.locator("main")
    expect(main).to_contain_text("A typical, calm post")
    expect(main).to_contain_text("Denver, CO")
    expect(main).to_contain_text("What is claimed in it")
    expect(main).to_contain_text("The machine asks: is this one story with Police?")
    expect(main).to_contain_text("The machine asks: is this a story of its own?")
    expect(page.locator("h2", has_text="Near to it")).to_be_visible()
    for details in page.locator("details").all():
        details.evaluate("one => one.open = true")
    for path in ("/narratives/1", "/narratives", "/narratives?away=true"):
        if path != "/narratives/1":
            page.goto(path)
        wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wider <= 0, f"{path} is {wider} px too wide"
        found = Axe().run(page).response["violations"]
        assert not found, [(rule["id"], rule["nodes"][0]["html"]) for rule in found]


def test_a_monitor_names_and_puts_away_and_takes_both_back(
    told: Wiring, cast: Cast, browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.monitor).new_page()
    page.goto("/narratives/1")
    page.get_by_text("Name it", exact=True).first.click()
    page.get_by_label("Title").fill("Vermin in the depot")
    page.get_by_role("button", name="Name it").click()
    expect(page.get_by_role("alert")).to_contain_text("“Vermin” is a loaded word")
    expect(page.get_by_label("Title")).to_have_value("Vermin in the depot")
    page.get_by_label("Title").fill("The depot on Mill Street")
    page.get_by_role("button", name="Name it").click()
    expect(page.locator("h1")).to_have_text("The depot on Mill Street")
    page.get_by_text("Put it away", exact=True).click()
    page.get_by_role("textbox", name="Why").fill("A film, nothing else")
    page.get_by_role("button", name="Put away").click()
    expect(page.locator(".banner")).to_contain_text("Put away")
    page.goto("/narratives")
    expect(page.locator("#narratives a.title", has_text="The depot")).to_have_count(0)
    page.get_by_role("link", name="1 put away").click()
    page.get_by_role("link", name="The depot on Mill Street").click()
    page.get_by_role("listitem").filter(has_text="Put away: A film").get_by_role("button").click()
    expect(page.locator(".banner")).to_have_count(0)
    page.get_by_role("listitem").filter(has_text="Named “The depot").get_by_role("button").click()
    expect(page.locator("h1")).not_to_have_text("The depot on Mill Street")
    page.goto("/narratives")
    expect(page.locator("#narratives a.title")).to_have_count(3)


def test_a_merged_narrative_leads_to_the_one_that_has_its_posts(
    told: Wiring, cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    assert maya.post("/narratives/2/merge", data={"into": "1"}).status_code == 303
    answer = maya.get("/narratives/2")
    assert (answer.status_code, answer.headers["location"]) == (303, "/narratives/1")
    page = maya.get("/narratives/1").text
    assert "“Police” merged into this one" in page
    with told.sessions() as session:
        merge = session.scalars(select(Revision).where(Revision.state == "done")).one()
        assert merge.made_by == cast.monitor.id
    assert maya.post(f"/revisions/{merge.id}/undo").status_code == 303
    assert maya.get("/narratives/2").status_code == 200
    again = maya.post(f"/revisions/{merge.id}/undo")  # a second person with an old page
    assert again.status_code == 409
    assert "settled that already" in again.text


def test_why_a_narrative_was_put_away_stays_known_when_it_is_merged(
    told: Wiring, cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    maya.post("/narratives/2/dismissal", data={"why": "The chief denied it"})
    maya.post("/narratives/2/merge", data={"into": "1"})
    page = maya.get("/narratives/1").text
    assert "of “Police”:" in page
    assert "Put away: The chief denied it" in page
    assert "“Police” merged into this one" in page


def test_a_text_and_a_claim_leave_a_narrative_and_return(
    told: Wiring, cast: Cast, browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.monitor).new_page()
    page.goto("/narratives/1/posts")  # its own page shows one of texts that say nearly the same
    post = page.locator("li.post").filter(has_text="says my cousin").last
    post.get_by_text("Not this").click()
    post.get_by_label("It belongs").select_option("in no narrative")
    post.get_by_role("button", name="Move it").click()
    expect(page.locator("li.post", has_text="says my cousin")).to_have_count(0)
    claim = page.locator("li.post").filter(has=page.get_by_text("A story of its own?"))
    police = claim.filter(has_text="olice").first
    police.get_by_text("A story of its own?").click()
    police.get_by_role("button", name="Split it off").click()
    expect(page.locator("main")).to_contain_text("split off")
    with told.sessions() as session:
        assert session.get_one(Narrative, 4).size == 3
        assert session.get_one(Narrative, 1).size == 3
    undo = page.get_by_role("button", name="Undo")
    for left in (1, 0):
        undo.first.click()
        expect(undo).to_have_count(left)
    with told.sessions() as session:
        assert session.get_one(Narrative, 1).size == 7
        assert session.get_one(Narrative, 4).merged_into == 1


def test_the_machine_asks_and_a_monitor_answers(told: Wiring, cast: Cast, client: Client) -> None:
    maya = client(cast.monitor)
    assert "Does “Ballots · depot” tell two stories?" in maya.get("/").text
    assert "Are “Police” and “Ballots · depot” one story?" in maya.get("/narratives").text
    with told.sessions() as session:
        merge, split = session.scalars(select(Revision).order_by(Revision.id)).all()
    assert maya.post(f"/revisions/{merge.id}/refuse").status_code == 303
    assert maya.post(f"/revisions/{split.id}/accept").status_code == 303
    assert maya.post(f"/revisions/{split.id}/accept").status_code == 409
    assert "The machine asks" not in maya.get("/").text
    page = maya.get("/narratives/1").text
    assert "refused by Maya" in page
    assert "accepted by Maya" in page


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/narratives/1/title", {"title": "Mine"}),
        ("/narratives/1/dismissal", {"why": "Mine"}),
        ("/narratives/1/merge", {"into": "2"}),
        ("/narratives/1/split", {"texts": "1 2"}),
        ("/narratives/1/move", {"text": "1"}),
        ("/revisions/1/accept", {}),
        ("/revisions/1/refuse", {}),
    ],
)
def test_others_look_and_do_not_correct(
    told: Wiring, cast: Cast, client: Client, path: str, data: dict[str, str]
) -> None:
    jonah = client(cast.comms)
    assert "Correct it" not in jonah.get("/narratives/1").text
    assert jonah.post(path, data=data).status_code == 403
    with told.sessions() as session:
        states = session.scalars(select(Revision.state)).all()
        assert set(states) == {"proposed"}


@pytest.mark.parametrize(
    ("path", "data", "why"),
    [
        ("/narratives/1/title", {"title": " "}, "Give it a title"),
        ("/narratives/1/dismissal", {"why": ""}, "Say why"),
        ("/narratives/1/merge", {"into": "1"}, "That is this narrative itself"),
        ("/narratives/1/split", {"texts": "one two"}, "no texts of this narrative"),
        ("/narratives/1/split", {"texts": "1 2 3 4 5 6 7"}, "nothing would be left"),
        ("/narratives/1/move", {"text": "9999"}, "not in this narrative any more"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    told: Wiring, cast: Cast, client: Client, path: str, data: dict[str, str], why: str
) -> None:
    answer = client(cast.monitor).post(path, data=data)
    assert answer.status_code in (409, 422)
    assert why in answer.text
    with told.sessions() as session:
        assert session.get_one(Narrative, 1).size == 7
        assert set(session.scalars(select(Revision.state))) == {"proposed"}


STATEMENTS = 12  # of a narrative's page without an open flag


def test_a_page_of_a_narrative_takes_few_statements(
    told: Wiring, cast: Cast, client: Client
) -> None:
    maya = client(cast.monitor)
    maya.timeout = 120  # the first page that names a place reads all places
    assert maya.get("/narratives/2").status_code == 200
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    event.listen(told.engine, "before_cursor_execute", note)
    counts = []
    for path in ("/narratives/2", "/narratives/1", "/narratives/1/posts"):
        seen.clear()
        assert maya.get(path).status_code == 200
        counts.append(len(seen))
    event.remove(told.engine, "before_cursor_execute", note)
    assert counts[0] <= STATEMENTS
    assert counts[1] <= STATEMENTS + 1  # one more for the posts of all splits that are asked about
    assert counts[2] <= 7


def test_places_are_drawn_and_told_in_words(told: Wiring, cast: Cast, client: Client) -> None:
    with told.sessions.begin() as session:
        theirs = select(Reading.post_id).where(Reading.narrative_id == 1)
        ids = session.scalars(theirs.order_by(Reading.post_id)).all()
        session.add_all(PostCounty(post_id=one, fips="08031") for one in ids[:4])
    maya = client(cast.monitor)
    maya.timeout = 120
    page = maya.get("/narratives/1").text
    assert "<title>Denver County, CO: 4 posts, 1 at M2 or above</title>" in page
    assert "<td>Denver County, CO</td><td>4</td><td>1</td>" in page
    assert f"{len(ids) - 4} posts name no county." in page
    assert "What a post names is no proof of where its author is." in page


def test_reasons_stand_beside_their_marks(told: Wiring, cast: Cast, client: Client) -> None:
    with told.sessions.begin() as session:
        reading = session.scalars(select(Reading).where(Reading.level == 4)).one()
        reading.reasons = [
            {"code": "target", "text": "Names <b>a place</b>", "start": 20, "end": 30},
            {"code": "act:destroy", "text": "Wishes for a fire", "start": 0, "end": 12},
            {"code": "far", "text": "Said far below", "start": 5000, "end": 5010},
            {"code": "act:destroy", "text": "Wishes for a fire", "start": 34, "end": 36},
        ]
    maya = client(cast.monitor)
    maya.timeout = 120
    page = maya.get("/narratives/1/posts").text
    beside = page[page.index('<ol class="because"') :]
    beside = beside[: beside.index("</ol>")]
    places = [
        beside.index(words)
        for words in (
            "</span>1</b>",
            "</span>3</b><span>Wishes for a fire",
            "</span>2</b>",
            "Names &lt;b&gt;",
            "below",
        )
    ]
    assert places == sorted(places)
    assert page.count("<sup>") == 3
