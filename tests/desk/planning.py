"""Jonah fills in a campaign's plan in a browser, so that nothing is missing."""

from datetime import datetime, timedelta

from playwright.sync_api import Page, expect

WORDS = {
    "exposure_how": "Nine parents asked at the school on Monday",
    "claim_text_0": "The county tested the water and found it clean",
    "claim_source_0": "The county's laboratory sheet, seen",
    "who_0": "Two families at the old warehouse, by the pastor",
    "when_0": "This morning",
    "alongside": "The mayor says it at the market, in her own words",
    "readers": "3",
    "targeted_readers": "1",
    "backlash": "One asked who paid for the test",
    "withdrawal": "Take it down and say so in church",
    "measured": "Share of authors at M2 or above a day",
    "measured_days": "7",
    "control": "The two stories nearest in rise and peak",
}
CHOICES = {
    "outcome": "action",
    "exposure": "exposed",
    "claim_level_0": "V4",
    "issue": "local",
    "area_wide": "no",
    "may_alarm": "no",
    "ai_helped": "no",
}


def fill_plan(page: Page, owner: str) -> None:
    """From a campaign's page with an empty plan; the page says afterwards that nothing stops it."""
    form = page.locator("form.plan")
    for name, words in WORDS.items():
        form.locator(f"[name={name}]").fill(words)
    for voice in form.locator("[name^=voice_]").all():
        voice.fill("Most of them sit in the pews on Sunday")
    for name, key in CHOICES.items():
        form.locator(f"select[name={name}]").select_option(key)
    form.locator("select[name=owner]").select_option(label=owner)
    expires = datetime.now() + timedelta(days=30)  # noqa: DTZ005 - any day far enough
    form.locator("[name=expires_at]").fill(f"{expires:%Y-%m-%dT%H:%M}")
    form.get_by_role("button", name="Save the plan").click()
    expect(page.get_by_role("heading", name="Versions of the plan")).to_be_visible()
    expect(page.get_by_text("Stops its messages")).to_have_count(0)
