"""Plays the example, walks it from flag to published message, and pictures the pages in docs/.

Run by `make screenshots`. Everything pictured is the built-in invented town.
"""

import os
import re
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from playwright.sync_api import Browser, Page, expect, sync_playwright

from sources.example import STORY
from tests.conftest import BROWSER_FLAGS, free_port
from tests.desk.planning import fill_plan

DOCS = Path(__file__).parents[2] / "docs"
ZONE = "America/Chicago"
WIDE, PHONE = (1280, 860), (390, 844)
PATIENCE = 180_000  # ms for a page, and for what it is expected to show
TEXT = (
    "Neighbours, the county tested our reservoir on Saturday and the water is clean. Come to the "
    "church hall tomorrow at seven: there is soup, and time for every question."
)
LATER = (
    "The lab sheet lies at the water office's counter from eight. Come and read it; Mrs Okafor "
    "goes through every line with you."
)
LET_PASS = "It calls people to the hall, away from the warehouse, and the sheriff's liaison agrees."

ALERT = {
    "headline": "A march on the families at the old warehouse may come tonight",
    "what": "Neighbours blame newcomers for the water and speak of driving them out.",
    "where": "The old warehouse, Marlow Ferry",
    "when": "Tonight, after dark",
    "how_sure": "Read at its source. Nobody on the spot has been asked yet.",
    "who": "The families who live there, and those who want to march",
    "asked": "Be at the church hall tonight. Call the families and the sheriff's liaison.",
    "not_to_do": "Do not go to the warehouse alone, and do not answer online.",
    "signal": "The pastor has heard of it after the service.",
    "why": "I read the posts at their source",
}


def picture(page: Page, name: str) -> None:
    for width, height in (WIDE, PHONE):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=DOCS / f"{name}-{width}.png")
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})


def enter(browser: Browser, link: str) -> Page:
    page = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]}).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(link)
    page.get_by_role("button", name="Sign in as").click()
    page.get_by_role("link", name="Later").click()
    return page


def walk(browser: Browser, links: dict[str, str]) -> None:
    maya = enter(browser, links["monitor"])
    told = f"{len(STORY.read_text().splitlines())} posts kept"  # the story is over
    expect(maya.locator("#now")).to_contain_text(told, timeout=400_000)
    story = re.compile("harborites", re.IGNORECASE)
    expect(maya.locator("#now .flag").filter(has_text=story)).to_be_visible(timeout=PATIENCE)
    picture(maya, "now")
    maya.goto(maya.url + "queue")
    picture(maya, "queue")
    maya.goto(maya.url.rpartition("/queue")[0] + "/narratives")
    picture(maya, "narratives")
    maya.get_by_role("link", name=story).first.click()
    picture(maya, "narrative")
    maya.get_by_label("What you saw").fill("A dozen neighbours wish harm on the families.")
    maya.get_by_role("button", name="Confirm").click()
    dana = enter(browser, links["duty"])
    warn(dana, maya.url)
    jonah = enter(browser, links["comms"])
    jonah.goto(maya.url)
    jonah.get_by_label("Norm statement").check()
    jonah.get_by_label("For whom").fill("Parents in Marlow Ferry")
    jonah.get_by_label("One goal").fill("Come and ask at the hall instead of the warehouse")
    jonah.get_by_role("button", name="Decide").click()
    jonah.get_by_role("link", name="Norm statement").click()
    fill_plan(jonah, "Jonah Reed")
    picture(jonah, "plan")
    campaign = jonah.url
    jonah.get_by_role("button", name="Draft a message").click()
    jonah.locator("textarea[name^=text]").first.fill(TEXT)
    jonah.get_by_role("button", name="Save draft").click()
    expect(jonah.locator("#checks")).to_contain_text("checks pass")
    picture(jonah, "draft")
    let_pass(dana, jonah)
    jonah.reload()
    expect(jonah.locator("#checks")).to_contain_text("Nothing stops it")
    soon = datetime.now(ZoneInfo(ZONE)) + timedelta(minutes=2)
    jonah.get_by_label("Send at").fill(f"{soon:%Y-%m-%dT%H:%M}")
    jonah.get_by_role("button", name="Save and submit").click()
    expect(jonah.locator("h1 .state")).to_have_text("submitted")
    fill_calendar(dana, jonah, campaign, soon + timedelta(days=1))
    ruth = enter(browser, links["leader"])
    ruth.get_by_role("button", name="Read it").click()
    picture(ruth, "alert")
    ruth.get_by_role("button", name="I have it").click()
    expect(ruth.get_by_text("that you have it")).to_be_visible()
    ruth.goto(ruth.url.rpartition("/alerts")[0])
    ruth.get_by_role("button", name="Read and decide").click()
    picture(ruth, "approve")
    ruth.get_by_role("button", name="Approve exactly this").click()
    expect(ruth.locator(".state.published").first).to_be_visible()
    picture(ruth, "published")
    ruth.goto(ruth.url.rpartition("/messages")[0] + "/calendar")
    picture(ruth, "calendar")
    ruth.goto(ruth.url.rpartition("/calendar")[0] + "/sources")
    picture(ruth, "sources")


def fill_calendar(dana: Page, jonah: Page, campaign: str, tomorrow: datetime) -> None:
    """Dana notes tomorrow's vote on the calendar, and Jonah begins a second message for it."""
    dana.goto(campaign.partition("/campaigns")[0] + "/triggers")
    dana.get_by_label("What it is").fill("Water vote in Marlow Ferry")
    dana.locator("form:has([name=day]) [name=kind]").select_option("election")
    dana.locator("form:has([name=day]) [name=place]").fill("Illinois")
    dana.get_by_label("First day").fill(f"{tomorrow:%Y-%m-%d}")
    dana.get_by_role("button", name="Add it").click()
    jonah.goto(campaign)
    jonah.get_by_role("button", name="Draft a message").click()
    jonah.locator("textarea[name^=text]").first.fill(LATER)
    jonah.get_by_label("Send at").fill(f"{tomorrow:%Y-%m-%d}T12:00")
    jonah.get_by_role("button", name="Save draft").click()
    expect(jonah.locator("#checks")).to_contain_text("checks pass")


def let_pass(dana: Page, jonah: Page) -> None:
    """The open alert stops the message; Dana, asked, lets it go out and says why."""
    ask = jonah.locator("#checks").get_by_role("link", name="Ask the duty lead").first
    dana.goto(jonah.url.partition("/messages")[0] + (ask.get_attribute("href") or ""))
    asked = dana.locator("#let-pass")
    asked.get_by_label("Why it may go out all the same").fill(LET_PASS)
    asked.get_by_role("button", name="Let it pass").click()
    expect(asked).to_have_count(0)


def warn(dana: Page, narrative: str) -> None:
    """Dana looks at what Maya confirmed, codes its situation, and warns people."""
    dana.goto(narrative)
    second = dana.locator("#second")  # it stands at D4: an answer needs two people
    second.get_by_label("What you saw").fill("Read at the source: a call to march, tonight.")
    second.get_by_role("button", name="I see it too").click()
    dana.goto(f"{narrative}/situation")
    for factor, step in (("speaker", 1), ("audience", 2), ("context", 2), ("reach", 1)):
        dana.locator(f"[name={factor}][value='{step}']").check()
    dana.get_by_label("Why").fill("A march on the warehouse is called for tonight.")
    picture(dana, "situation")
    dana.get_by_role("button", name="Save my coding").click()
    dana.goto(narrative)
    dana.get_by_role("button", name="Warn people").click()
    for line, words in ALERT.items():
        dana.locator(f"[name={line}]").fill(words)
    dana.get_by_role("button", name="Send it now").click()
    expect(dana.get_by_role("heading", level=1)).to_have_text(ALERT["headline"])
    expect(dana.get_by_text("not yet")).to_be_visible()


def main() -> None:
    mail = Controller(Sink(), hostname="127.0.0.1", port=free_port())  # somebody takes the mails
    mail.start()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        Path(folder).chmod(0o755)  # the embedded server runs as a user of its own under root
        environment = os.environ | {
            "BREAKWATER_DATA_DIR": folder,
            "BREAKWATER_PORT": str(free_port()),
            "BREAKWATER_TIME_ZONE": ZONE,
            "BREAKWATER_MAIL": f"mailto://127.0.0.1:{mail.port}?from=desk@demo.example",
        }
        command = [sys.executable, "-u", "-m", "desk", "demo", "--speed", "4000"]
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, text=True
        ) as process:
            expect.set_options(timeout=PATIENCE)
            assert process.stdout is not None
            links = {}
            for line in process.stdout:
                if found := re.match(r"\s+(\w+).*(http\S+)", line):
                    links[found[1]] = found[2]
                if "Ctrl-C" in line:
                    break
            path = os.environ.get("BREAKWATER_TEST_CHROMIUM", "/usr/bin/chromium")
            browser = playwright.chromium.launch(executable_path=path, args=list(BROWSER_FLAGS))
            try:
                walk(browser, links)
            finally:
                browser.close()
                process.terminate()
                mail.stop()


if __name__ == "__main__":
    main()
