"""Who else is looking: seen without a reload, gone when they go, and nothing is held meanwhile."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import func, select

from desk import leases, people, presence
from desk.bell import Bell
from desk.models import Person, Presence
from desk.security import COOKIE
from desk.wiring import Wiring
from monitor.models import Flag
from tests.desk.conftest import Cast, Client, token_for
from tests.desk.test_queue import jo, waiting  # noqa: F401

STREAM = {"accept": "text/event-stream"}
TOGETHER = "Two people are looking at this"


def opened(context: BrowserContext, path: str) -> Page:
    page = context.new_page()
    page.goto(path, timeout=120_000)  # the first page of a narrative reads all places
    return page


def rows(wiring: Wiring) -> int:
    with wiring.sessions() as session:
        return session.scalar(select(func.count()).select_from(Presence)) or 0


def until(fits: Callable[[], bool], patience: float = 30.0) -> None:
    end = time.monotonic() + patience
    while not fits():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_second_person_is_seen_at_once_and_leaving_is_too(
    cast: Cast,
    jo: Person,  # noqa: F811
    waiting: list[int],  # noqa: F811
    browsing: Callable[..., BrowserContext],
    wiring: Wiring,
) -> None:
    hers = opened(browsing(cast.monitor), "/narratives/1")
    expect(hers.locator(".presence-line")).to_have_text("")
    elsewhere = opened(browsing(cast.duty_lead), "/narratives/2")
    until(lambda: rows(wiring) == 2)  # both streams are there, with nothing to say yet
    his = opened(browsing(jo), "/narratives/1")
    expect(hers.get_by_text(f"{TOGETHER}: Jo and you.")).to_be_visible()
    expect(his.get_by_text(f"{TOGETHER}: Maya and you.")).to_be_visible()
    expect(elsewhere.get_by_text(TOGETHER)).to_have_count(0)
    assert rows(wiring) == 3
    his.goto("/me")
    expect(hers.get_by_text(TOGETHER)).to_have_count(0)
    until(lambda: rows(wiring) == 2)


def test_a_lease_and_a_decision_show_on_the_open_pages_of_others(
    cast: Cast,
    jo: Person,  # noqa: F811
    waiting: list[int],  # noqa: F811
    browsing: Callable[..., BrowserContext],
    client: Client,
) -> None:
    page = opened(browsing(jo), "/narratives/1")
    elsewhere = browsing(cast.duty_lead)
    elsewhere.add_init_script("window.setInterval = () => 0")  # it asks for nothing by itself
    elsewhere.add_init_script("""addEventListener("htmx:sse:after:message", () => {
        document.documentElement.dataset.heard = ""
    })""")
    queue = opened(elsewhere, "/queue")
    queue.locator("html[data-heard]").wait_for()  # its stream is there, with nothing to say yet
    maya = client(cast.monitor)
    maya.post(f"/flags/{waiting[0]}/lease")
    expect(page.locator(".presence-line")).to_contain_text("Maya has this until")
    expect(queue.get_by_text("Maya has it until")).to_be_visible()
    maya.post(f"/flags/{waiting[0]}/decision", data={"decision": "dismissed", "reason": "a film"})
    expect(page.locator(".presence-line")).to_contain_text("Maya dismissed it at")


def test_a_stream_is_there_though_its_script_comes_late(
    cast: Cast,
    jo: Person,  # noqa: F811
    waiting: list[int],  # noqa: F811
    browsing: Callable[..., BrowserContext],
    wiring: Wiring,
) -> None:
    slow = browsing(jo)
    slow.route("**/htmx-sse*", lambda route: (time.sleep(1), route.continue_()))
    opened(slow, "/narratives/1")
    until(lambda: rows(wiring) == 1)


def test_without_a_stream_the_same_is_asked_once(
    client: Client,
    cast: Cast,
    waiting: list[int],  # noqa: F811
    wiring: Wiring,
) -> None:
    maya = client(cast.monitor)
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        session.add(Presence(person_id=cast.leader.id, page="/flags/1", came_at=now, seen_at=now))
    answer = maya.get("/presence", params={"page": "/flags/1"})
    assert f"{TOGETHER}: Ruth and you." in answer.text
    assert rows(wiring) == 1  # who asks once is not kept
    assert client(None).get("/presence", params={"page": "/flags/1"}).status_code in (303, 401)


@pytest.mark.parametrize(
    "page", ["/me", "/flags/0", "/flags/1/../2", "/flags/" + "9" * 30, "//evil.example", "", "\n"]
)
def test_only_pages_of_things_that_are_decided_are_watched(
    client: Client, cast: Cast, page: str
) -> None:
    answer = client(cast.monitor).get("/presence", params={"page": page}, headers=STREAM)
    assert answer.status_code == 404


def test_a_page_whose_process_died_is_forgotten(wiring: Wiring, cast: Cast, jo: Person) -> None:  # noqa: F811
    now = datetime.now(UTC)
    late = now + presence.GONE + timedelta(seconds=1)
    with wiring.sessions.begin() as session:
        presence.stay(session, 1, jo, "/flags/1", now)
        presence.stay(session, 2, jo, "/flags/1", now)  # two tabs of one person
        assert len(presence.others_at(session, "/flags/1", cast.monitor, now)) == 1
        assert presence.others_at(session, "/flags/1", jo, now) == []
        assert presence.others_at(session, "/flags/1", cast.monitor, late) == []
        presence.stay(session, 3, cast.monitor, "/flags/1", late)
    assert rows(wiring) == 1


def test_a_stream_holds_no_session_and_ends_with_the_sign_in(
    client: Client,
    cast: Cast,
    waiting: list[int],  # noqa: F811
    wiring: Wiring,
    desk_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("desk.presence.BEAT", 0.2)
    token = token_for(wiring, cast.monitor)
    with httpx.stream(
        "GET",
        f"{desk_url}/presence?page=/narratives/1",
        headers=STREAM | {"cookie": f"{COOKIE}={token}"},
        timeout=20,
    ) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        lines = stream.iter_lines()
        assert next(lines).startswith("data:")
        until(lambda: rows(wiring) == 1)
        until(lambda: wiring.engine.pool.checkedout() == 0)  # type: ignore[attr-defined]
        with wiring.sessions.begin() as session:
            people.sign_out(session, token, datetime.now(UTC))
        assert "event: signed-out" in list(lines)  # and the stream has ended
    until(lambda: rows(wiring) == 0)


def test_the_bell_hears_what_is_committed_and_nothing_else(
    wiring: Wiring,
    cast: Cast,
    waiting: list[int],  # noqa: F811
) -> None:
    def take(commit: bool) -> None:
        with wiring.sessions() as session:
            flag = session.get_one(Flag, waiting[0])
            leases.take(session, flag, cast.monitor, datetime.now(UTC))
            session.commit() if commit else session.rollback()

    async def rung(event: asyncio.Event, within: float) -> bool:
        try:
            async with asyncio.timeout(within):
                await event.wait()
        except TimeoutError:
            return False
        event.clear()
        return True

    async def listening() -> None:
        bell = Bell(wiring.engine.url)
        with bell.heard("/queue") as queue, bell.heard("/flags/999") as other:
            assert await rung(queue, 10)  # the bell can hear
            await rung(other, 10)
            await asyncio.to_thread(take, False)
            assert not await rung(queue, 0.5)
            await asyncio.to_thread(take, True)
            assert await rung(queue, 10)
            assert not await rung(other, 0.3)
            bell.close()
            assert await rung(other, 1)
        assert bell._ear is None  # nobody waits: no connection is held

    with ThreadPoolExecutor(1) as pool:  # in this thread runs the browser's loop
        pool.submit(asyncio.run, listening()).result()


def test_the_server_stops_while_pages_are_open(
    cast: Cast,
    waiting: list[int],  # noqa: F811
    wiring: Wiring,
) -> None:
    import socket
    import threading

    import uvicorn

    from desk.app import create_app
    from desk.serving import Server

    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(uvicorn.Config(create_app(wiring), log_level="warning"), lambda: None)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    until(lambda: server.started)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/presence?page=/queue"
    cookie = {"cookie": f"{COOKIE}={token_for(wiring, cast.monitor)}"}
    with httpx.stream("GET", address, headers=STREAM | cookie, timeout=20) as stream:
        lines = stream.iter_lines()
        next(lines)
        server.should_exit = True
        list(lines)  # ends by itself
    thread.join(10)
    assert not thread.is_alive()


def test_a_closed_connection_leaves_at_once(
    cast: Cast,
    waiting: list[int],  # noqa: F811
    wiring: Wiring,
    desk_url: str,
) -> None:
    cookie = {"cookie": f"{COOKIE}={token_for(wiring, cast.monitor)}"}
    address = f"{desk_url}/presence?page=/flags/1"
    with httpx.stream("GET", address, headers=STREAM | cookie, timeout=20) as stream:
        lines = stream.iter_lines()  # kept: without it httpx closes the connection
        next(lines)
        until(lambda: rows(wiring) == 1)
    until(lambda: rows(wiring) == 0, patience=12)  # less than a beat
