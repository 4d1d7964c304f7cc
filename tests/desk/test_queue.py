"""Two monitors never get the same item; what one has, the others see; it comes back by itself."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import select

from desk import leases, people
from desk.models import Lease, Person
from desk.wiring import Wiring
from monitor.models import Flag, FlagDecision, Narrative
from tests.campaigns.cast import make_narrative
from tests.desk.conftest import Cast, Client

ITEMS = 10


@pytest.fixture
def jo(wiring: Wiring) -> Person:
    """A second monitor."""
    with wiring.sessions.begin() as session:
        return people.add_person(
            session, "Jo", "jo@desk.example", ["monitor"], None, datetime.now(UTC)
        )


@pytest.fixture
def waiting(wiring: Wiring, cast: Cast) -> list[int]:
    """Ten open flags on ten narratives, the one said longest ago first."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        for number in range(ITEMS):
            narrative = make_narrative(session, now)
            narrative.title = f"story {number}"
            flag = session.scalars(select(Flag).where(Flag.narrative_id == narrative.id)).one()
            flag.posted_at = now - timedelta(hours=ITEMS - number)
            flag.reasons = [{"text": f"{number} different authors", "post_id": None}]
        return list(session.scalars(select(Flag.id).order_by(Flag.id)))


def lease(session, flag_id: int, person: Person, now: datetime) -> Lease:
    return leases.take(session, session.get_one(Flag, flag_id), person, now)


def test_a_lease_is_one_persons_until_it_runs_out(
    wiring: Wiring, cast: Cast, jo: Person, waiting: list[int]
) -> None:
    now, one = datetime.now(UTC), waiting[0]
    with wiring.sessions.begin() as session:
        first = lease(session, one, cast.monitor, now)
        again = lease(session, one, cast.monitor, now + timedelta(minutes=5))
        assert again is first
        assert first.until == now + timedelta(minutes=5) + leases.LIFE
        with pytest.raises(leases.TakenError) as caught:
            lease(session, one, jo, now + timedelta(minutes=6))
        assert caught.value.by == cast.monitor.id
        late = now + timedelta(minutes=5) + leases.LIFE
        assert leases.holders(session, waiting, late) == {}
        assert lease(session, one, jo, late).person_id == jo.id
        session.flush()
        session.refresh(first)
        assert first.ended_at == late
        leases.give_back(session, session.get_one(Flag, one), jo, late)
        assert lease(session, one, cast.monitor, late).person_id == cast.monitor.id


def test_two_at_the_same_moment_get_two_items(
    wiring: Wiring, cast: Cast, jo: Person, waiting: list[int]
) -> None:
    now, together = datetime.now(UTC), Barrier(2)

    def take(person: Person) -> list[int]:
        got = []
        for _ in range(ITEMS // 2):
            with wiring.sessions.begin() as session:
                flags = session.scalars(select(Flag).order_by(Flag.id)).all()
                mine = leases.holders(session, waiting, now)
                free = [one for one in flags if one.id not in mine]
                together.wait(10)
                flag = leases.take_next(session, person, free, now)
                assert flag is not None
                got.append(flag.id)
        return got

    with ThreadPoolExecutor(2) as pool:
        hers, his = pool.map(take, (cast.monitor, jo))
    assert sorted(hers + his) == waiting


def test_next_is_what_one_has_already_then_what_nobody_has(
    client: Client, cast: Cast, jo: Person, waiting: list[int]
) -> None:
    maya, other = client(cast.monitor), client(jo)
    for _ in range(2):
        assert maya.post("/queue/next").headers["location"] == "/narratives/1"
    assert other.post("/queue/next").headers["location"] == "/narratives/2"
    page = other.get("/queue").text
    assert "Maya has it until" in page
    assert "you have it until" in page
    assert client(cast.comms).post("/queue/next").status_code == 403
    assert client(cast.comms).get("/queue").status_code == 200
    nothing = maya.post("/queue/next?kind=watch")
    assert nothing.headers["location"] == "/queue?kind=watch"


def test_what_another_has_is_not_decided_over_their_head(
    client: Client, cast: Cast, jo: Person, waiting: list[int], wiring: Wiring
) -> None:
    client(cast.monitor).post("/queue/next")
    form = {"decision": "dismissed", "reason": "A film title"}
    answer = client(jo).post(f"/flags/{waiting[0]}/decision", data=form)
    assert answer.status_code == 409
    assert "Maya has this" in answer.text
    assert 'value="A film title"' in answer.text
    assert client(cast.monitor).post(f"/flags/{waiting[0]}/return").status_code == 303
    assert client(jo).post(f"/flags/{waiting[0]}/decision", data=form).status_code == 303
    with wiring.sessions() as session:
        assert session.scalars(select(FlagDecision)).one().by == jo.id
    dana = client(cast.duty_lead)  # who leads may step in
    client(cast.monitor).post("/queue/next")
    taken = dana.post(f"/flags/{waiting[1]}/lease", data={"over": "yes"})
    assert taken.status_code == 303
    assert dana.post(f"/flags/{waiting[1]}/decision", data=form).status_code == 303


def test_a_call_to_protect_somebody_waits_for_no_lease(
    client: Client, cast: Cast, jo: Person, waiting: list[int], wiring: Wiring
) -> None:
    with wiring.sessions.begin() as session:
        session.get_one(Flag, waiting[0]).kind = "life_safety"
    client(cast.monitor).post("/queue/next")
    form = {"decision": "confirmed", "reason": "A time and a place are named"}  # it stands at D4
    assert client(jo).post(f"/flags/{waiting[0]}/decision", data=form).status_code == 303


def test_ten_items_are_decided_with_the_keyboard_alone(
    wiring: Wiring,
    cast: Cast,
    waiting: list[int],
    browsing: Callable[..., BrowserContext],
) -> None:
    page = browsing(cast.monitor).new_page()
    page.goto("/queue")
    page.keyboard.press("n")
    for number in range(ITEMS):
        # Not the address alone: keys that come before the page has loaded are lost.
        page.wait_for_url(re.compile(rf"/narratives/{number + 1}$"))
        if number % 2:
            page.keyboard.press("r")  # to the reason
            page.keyboard.type("a film title")
            page.keyboard.press("Escape")  # leaves the field
            page.keyboard.press("d")
        else:
            page.keyboard.press("c")
    expect(page).to_have_url(re.compile(r"/queue$"))
    expect(page.get_by_text("Nothing waits.")).to_be_visible()
    with wiring.sessions() as session:
        made = session.scalars(select(FlagDecision).order_by(FlagDecision.flag_id)).all()
        assert [one.decision for one in made] == ["confirmed", "dismissed"] * (ITEMS // 2)
        assert {one.reason for one in made} == {"", "a film title"}
        ended = session.scalars(select(Lease.ended_at)).all()
        assert len(ended) == ITEMS
        assert None not in ended


def test_rows_are_walked_and_keys_can_be_turned_off(
    cast: Cast, waiting: list[int], browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.monitor).new_page()
    page.goto("/queue")
    for key in ("j", "j", "k", "j"):
        page.keyboard.press(key)
    expect(page.get_by_role("link", name="story 1")).to_be_focused()
    page.keyboard.press("Control+k")
    page.keyboard.type("njc?")  # letters are letters in a field
    expect(page.get_by_role("searchbox")).to_have_value("njc?")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Take the next")
    dialog.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.press("j")
    expect(page).to_have_url(re.compile("/queue$"))
    expect(page.get_by_role("link", name="story 0")).not_to_be_focused()


def test_hostile_addresses_narrow_nothing(client: Client, cast: Cast, waiting: list[int]) -> None:
    asked = {"kind": "x", "level": "99", "watch": "-1", "place": "' OR", "platform": "<b>"}
    answer = client(cast.monitor).get("/queue", params=asked)
    assert answer.status_code == 200
    assert "<b>" not in answer.text
    assert "Nothing that fits" in answer.text
    del asked["platform"]
    assert client(cast.monitor).get("/queue", params=asked).text.count("data-row") == ITEMS


def test_a_title_that_is_no_title_is_text(
    client: Client, cast: Cast, waiting: list[int], wiring: Wiring
) -> None:
    with wiring.sessions.begin() as session:
        session.get_one(Narrative, 1).title = "<script>alert(1)</script>"
    assert "<script>alert" not in client(cast.monitor).get("/queue").text
