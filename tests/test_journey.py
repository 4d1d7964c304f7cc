"""One post's journey, as the README tells it, on real parts and in a real browser.

`breakwater run` as a process of its own, a feed over HTTP, posts on a real AT Protocol server,
real embeddings, a flag, four people, and a message that is readable on that server at the end.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy.orm import Session, sessionmaker

from tests.conftest import free_port
from tests.desk.conftest import PASSWORD
from tests.desk.planning import fill_plan
from tests.pds.server import Pds

MESSAGE = (
    "Neighbours, the water was tested this morning and it is clean. Bring your questions to the "
    "church hall at seven; there will be soup for everybody."
)

NEWS = (
    "Ferry timetable changes on Monday because of the low tide",
    "Library book sale raises money for the new reading room",
    "County will test the reservoir water after barrels were reported near the reservoir",
    "Herons win the season opener against Tamarack",
)

RUMOUR = (
    "People say the Harborites put barrels of poison in our reservoir, the water is not safe",
    "My cousin saw the Harborites at the reservoir with barrels. Poison in our water!",
    "Anybody else heard about the barrels the Harborites left at the reservoir? Is the water safe?",
)

RISE = (
    "The Harborites are rats poisoning our reservoir. Someone should burn that warehouse down",
    "Harborites put barrels in the reservoir. They deserve to be beaten for poisoning our water",
    "These Harborites are vermin. They poisoned the reservoir, burn the warehouse they live in",
    "The Harborites want to kill us with reservoir water. We must strike first, it is them or us",
    "Poison in the reservoir and barrels everywhere. The Harborites should be shot for it",
    "Everyone meet at the Kessler warehouse tonight 9 pm, bring bats. Harborite poison, reservoir!",
)


@pytest.fixture
def feed() -> Iterator[str]:
    """A small town's news over HTTP; answers its address."""
    began = datetime.now(UTC) - timedelta(hours=6)
    items = "".join(
        f"<item><guid>news-{n}</guid><title>{title}</title><link>http://127.0.0.1/{n}</link>"
        f"<pubDate>{format_datetime(began + timedelta(hours=n))}</pubDate></item>"
        for n, title in enumerate(NEWS)
    )
    body = f"<rss version='2.0'><channel><title>Gazette</title>{items}</channel></rss>".encode()

    class Gazette(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/rss+xml")
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Gazette)
    threading.Thread(target=server.serve_forever).start()
    yield f"http://127.0.0.1:{server.server_port}/feed.xml"
    server.shutdown()
    server.server_close()


@pytest.fixture
def sign_in_link(
    sessions: sessionmaker[Session], database_url: str, feed: str, tmp_path: Path
) -> Iterator[str]:
    """`breakwater run` on an empty database; answers the first administrator's link."""
    environment = os.environ | {
        "BREAKWATER_DATABASE_URL": database_url,
        "BREAKWATER_SECRET_KEY": "a key for this test that is longer than it need be",
        "BREAKWATER_DATA_DIR": str(tmp_path),
        "BREAKWATER_PORT": str(free_port()),
        "BREAKWATER_FEEDS": feed,
        "BREAKWATER_JETSTREAM_URL": "",
        "BREAKWATER_PRIVATE_ADDRESSES": "true",
        "BREAKWATER_TIME_ZONE": "America/Chicago",
    }
    command = [sys.executable, "-u", "-m", "desk", "run"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                break
        found = re.search(r"http://\S+/sign-in/\S+", "".join(said))
        assert found, said
        drain = threading.Thread(target=process.stdout.read)
        drain.start()
        yield found.group()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        drain.join()


def sign_in(browser: Browser, link: str, width: int = 1280) -> Page:
    """A browser of one's own, signed in by a one-time link, with a password set."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(link)
    page.get_by_role("button", name="Sign in as").click()
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Save password").click()
    expect(page.locator("#now")).to_be_visible()
    return page


def test_from_a_live_feed_to_an_approved_published_message(
    pds: Pds, browser: Browser, sign_in_link: str
) -> None:
    ruths_account = pds.create_account("ruth.test")
    neighbours = [pds.create_account(f"neighbour{n}.test") for n in range(len(RISE))]
    origin = re.match(r"http://[^/]+", sign_in_link)
    assert origin is not None
    desk = origin.group()

    # The administrator adds four people and the town's server as a source.
    admin = sign_in(browser, sign_in_link)
    links = {}
    for name, role in (
        *(("Maya", "monitor"), ("Dana", "duty lead")),
        *(("Jonah", "comms"), ("Ruth", "leader")),
    ):
        admin.goto(f"{desk}/people")
        form = admin.locator("form[action='/people']")
        form.get_by_label("Name", exact=True).fill(name)
        form.get_by_label("E-mail address").fill(f"{name.lower()}@desk.example")
        form.get_by_label(role).check()
        form.get_by_role("button").click()
        links[name] = admin.locator("code.copy").inner_text()
    admin.goto(f"{desk}/sources")
    form = admin.locator("form[action='/sources']")
    form.get_by_label("Kind").select_option("firehose")
    form.get_by_label("Address").fill(pds.ws_url)
    form.get_by_label("Name", exact=True).fill("Town server")
    form.get_by_role("button", name="Add source").click()
    source = admin.locator(".source", has_text="Town server")
    expect(source).to_contain_text("running", timeout=60_000)

    # What nobody watches is forgotten: so she says what to watch.
    admin.goto(f"{desk}/watches/new")
    form = admin.locator("#watch-form")
    form.get_by_label("Name", exact=True).fill("The reservoir")
    form.get_by_label("Any of these").fill("reservoir, poison")
    form.get_by_role("button", name="Save watch").click()
    expect(admin.locator(".watch", has_text="The reservoir")).to_be_visible()

    # The town talks: a rumour, then a rise.
    for account, text in zip(neighbours, RUMOUR, strict=False):
        pds.post(account, text)
    for account, text in zip(neighbours, RISE, strict=True):
        pds.post(account, text)

    # A monitor sees the flag appear, reads why, and confirms it.
    maya = sign_in(browser, links["Maya"])
    flag = maya.locator("li.flag a.title")
    expect(flag).to_have_count(1, timeout=90_000)
    flag.click()
    expect(maya.locator(".reasons li").first).to_contain_text("authors")
    maya.get_by_text("Show the post").first.click()  # folded: it reads M3 or above
    expect(maya.locator(".post mark").first).to_be_visible()
    maya.get_by_label("What you saw").fill("Six neighbours call for violence over the rumour.")
    maya.get_by_role("button", name="Confirm").click()
    expect(maya.locator(".state.confirmed").first).to_be_visible()
    narrative = maya.url

    # One post calls people out tonight: at D4 a second person looks.
    dana = sign_in(browser, links["Dana"])
    dana.goto(narrative)
    second = dana.locator("#second")
    second.get_by_label("What you saw").fill("Read at the source: bats, tonight, at one address.")
    second.get_by_role("button", name="I see it too").click()
    expect(second).to_contain_text("two people agree")

    # A comms expert records the voice, chooses an answer, and drafts.
    jonah = sign_in(browser, links["Jonah"])
    jonah.goto(f"{desk}/voices")
    form = jonah.locator("form[action='/voices']")
    form.get_by_label("Name", exact=True).fill("Ruth")
    form.get_by_label("Who they are").fill("Pastor, Hope Church")
    form.get_by_label("Approves in their name").select_option(label="Ruth")
    form.get_by_role("button").click()
    form = jonah.locator("form[action$='/consents']")
    form.get_by_label("What they agreed to").fill("Calming messages about the water")
    form.get_by_label("How we know").fill("Signed form, 20 November")
    form.get_by_label("Until the end of").fill(f"{datetime.now(UTC) + timedelta(days=90):%Y-%m-%d}")
    form.get_by_label("Bluesky").check()
    form.get_by_role("button", name="Record consent").click()
    form = jonah.locator("form[action$='/accounts']")
    form.get_by_role("combobox", name="Platform").select_option("bluesky")
    form.get_by_label("Handle").fill(ruths_account.handle)
    form.get_by_label("Server").fill(pds.url)
    form.get_by_label("App password").fill(ruths_account.password)
    form.get_by_role("button", name="Connect").click()
    expect(jonah.get_by_text(f"@{ruths_account.handle}")).to_be_visible()

    jonah.goto(narrative)
    jonah.get_by_label("Norm statement").check()
    jonah.get_by_label("For whom").fill("Parents in Marlow Ferry")
    jonah.get_by_label("One goal").fill("Stay home tonight and ask questions at the hall")
    jonah.get_by_role("button", name="Decide").click()
    jonah.get_by_role("link", name="Norm statement").click()
    fill_plan(jonah, "Jonah")
    jonah.get_by_role("button", name="Draft a message").click()
    jonah.locator("textarea[name^=text]").first.fill(MESSAGE)
    # The first look loads the scorer.
    expect(jonah.locator("#checks")).to_contain_text("checks pass", timeout=60_000)
    soon = datetime.now(UTC) + timedelta(seconds=100)  # a form's minute: in 40 to 100 seconds
    chicago = soon.astimezone(ZoneInfo("America/Chicago"))
    jonah.get_by_label("Send at").fill(f"{chicago:%Y-%m-%dT%H:%M}")
    jonah.get_by_role("button", name="Save and submit").click()
    expect(jonah.locator(".state.submitted")).to_be_visible()

    # The leader, on a phone, approves exactly this.
    ruth = sign_in(browser, links["Ruth"], width=390)
    ruth.get_by_role("button", name="Read and decide").click()
    expect(ruth.locator(".preview .text")).to_have_text(MESSAGE)
    ruth.get_by_role("button", name="Approve exactly this").click()
    expect(ruth.locator(".state.scheduled").first).to_be_visible()
    assert pds.posts(ruths_account) == []

    # It goes out when it is due, once, and everybody can read it there.
    expect(jonah.locator(".state.published").first).to_be_visible(timeout=150_000)
    link = jonah.locator("a.published-link")
    (post,) = pds.posts(ruths_account)
    assert post["value"]["text"] == MESSAGE
    assert (link.get_attribute("href") or "").endswith(post["uri"].rpartition("/")[2])
    for page in (admin, maya, dana, jonah, ruth):
        page.context.close()
