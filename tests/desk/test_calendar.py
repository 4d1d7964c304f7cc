"""The calendar's pages: what stands there, another time for a message, and days without an hour."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import BrowserContext, expect
from sqlalchemy.orm import Session

from campaigns.drafting.messages import latest_version, state_of
from campaigns.limits import set_limits
from campaigns.models import Message, VoiceLimits
from campaigns.wording.content import send_time
from desk import people
from desk.clock_changes import TwiceError, around_gap, existing, read, sending_time, which_of
from desk.models import Person
from desk.wiring import Wiring
from desk.writing import as_saved
from tests.campaigns.cast import PASTOR_PAULA, approve_message
from tests.desk.conftest import Cast, Client

DETROIT, PHOENIX = ZoneInfo("America/Detroit"), ZoneInfo("America/Phoenix")
LOS_ANGELES = "America/Los_Angeles"
WORDS = "Our streets are calm. Come to the market on Friday."


@pytest.fixture
def due(wiring: Wiring, cast: Cast, message: int) -> datetime:
    """The message is approved, and due at 18:00 UTC in three days."""
    now = datetime.now(UTC)
    at = (now + timedelta(days=3)).replace(hour=18, minute=0, second=0, microsecond=0)
    with wiring.sessions.begin() as session:
        approve_as(session, session.get_one(Message, message), cast, at, now)
    return at


def approve_as(session: Session, message: Message, cast: Cast, at: datetime, now: datetime) -> None:
    """Jonah writes, and Ruth approves."""
    message.voice.leader_id = PASTOR_PAULA
    approve_message(session, message, at, now, WORDS)
    message.voice.leader_id = cast.leader.id


def live_in(wiring: Wiring, person: Person, zone: str) -> None:
    with wiring.sessions.begin() as session:
        people.choose_zone(session.get_one(Person, person.id), zone)


def allow(wiring: Wiring, message: int, zone: str) -> VoiceLimits:
    with wiring.sessions.begin() as session:
        voice = session.get_one(Message, message).voice
        return set_limits(
            session,
            voice,
            per_day=None,
            quiet_from=None,
            quiet_until=None,
            zone=zone,
            credibility="",
            security_contact="",
            by=1,
            now=datetime.now(UTC),
        )


def sunday_from(day: datetime) -> datetime:
    return day + timedelta(days=(6 - day.weekday()) % 7)


def hidden(page: str) -> dict[str, str]:
    """What the form that moves it carries."""
    return dict(re.findall(r'type="hidden" name="(at|base)" value="([^"]+)"', page))


# ---- clocks that change


def test_an_hour_that_is_left_out_is_refused_with_the_times_beside_it() -> None:
    with pytest.raises(ValueError, match=r"01:59 EST \(UTC−5\) and 03:00 EDT \(UTC−4\)"):
        sending_time("2027-03-14T02:30", DETROIT)
    before, after = around_gap(read("2027-03-14T02:30"), DETROIT)
    assert after.astimezone(UTC) - before.astimezone(UTC) == timedelta(minutes=1)
    for text in ("2027-03-14T01:59", "2027-03-14T03:00"):
        assert sending_time(text, DETROIT).astimezone(DETROIT).isoformat()[:16] == text
    assert sending_time("2027-03-14T02:30", PHOENIX).astimezone(UTC).hour == 9


def test_an_hour_that_comes_twice_is_chosen() -> None:
    with pytest.raises(TwiceError, match=r"01:30 EDT \(UTC−4\) or 01:30 EST \(UTC−5\)") as twice:
        sending_time("2026-11-01T01:30", DETROIT)
    both = (twice.value.first, twice.value.second)
    assert [one.astimezone(UTC).hour for one in both] == [5, 6]
    for moment, which in zip(both, ("first", "second"), strict=True):
        assert sending_time("2026-11-01T01:30", DETROIT, which) == moment.astimezone(UTC)
        assert which_of(moment.astimezone(UTC), DETROIT) == which
    for text in ("2026-11-01T00:59", "2026-11-01T02:00"):
        assert which_of(sending_time(text, DETROIT), DETROIT) == ""
    assert sending_time("2026-11-01T01:30", PHOENIX).astimezone(UTC).hour == 8
    assert existing(read("2026-11-01T01:30"), DETROIT).astimezone(UTC).hour == 5


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-11-24T18:30Z", "9999-12-31T23:59"])
def test_what_is_no_local_time_is_said_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(Give the day|That is beyond)"):
        sending_time(text, DETROIT)


def test_the_editor_asks_which_and_keeps_the_answer(
    wiring: Wiring, cast: Cast, client: Client, message: int
) -> None:
    live_in(wiring, cast.comms, "America/Detroit")
    jonah = client(cast.comms)
    year = datetime.now(UTC).year + 1
    sunday = sunday_from(datetime(year, 11, 1, tzinfo=UTC))
    account = re.search(r"text_\d+", jonah.get(f"/messages/{message}").text)
    assert account
    form = {account.group(): WORDS, "send_at": f"{sunday:%Y-%m-%d}T01:30", "then": "save"}
    asked = jonah.post(f"/messages/{message}/draft", data=form)
    assert asked.status_code == 422
    assert WORDS in asked.text
    assert asked.text.count('name="which"') == 2
    assert "01:30 EDT (UTC−4)" in asked.text
    path = f"/messages/{message}"
    assert jonah.post(f"{path}/draft", data=form | {"which": "second"}).status_code == 303
    with wiring.sessions() as session:
        version = latest_version(session.get_one(Message, message))
        assert version
        assert send_time(version.content) == sunday.replace(hour=6, minute=30)
        form_again = as_saved(version, version.message.voice, datetime.now(UTC), DETROIT)
    assert (form_again.send_at[-5:], form_again.which) == ("01:30", "second")
    spring = sunday_from(datetime(year, 3, 8, tzinfo=UTC))
    gone = jonah.post(f"{path}/draft", data=form | {"send_at": f"{spring:%Y-%m-%d}T02:30"})
    assert gone.status_code == 422
    assert "03:00 EDT" in gone.text


# ---- what stands there


def test_it_is_shown_by_month_week_and_list_in_the_readers_zone_and_the_voices(
    wiring: Wiring, cast: Cast, client: Client, message: int, due: datetime
) -> None:
    live_in(wiring, cast.comms, LOS_ANGELES)
    allow(wiring, message, "America/New_York")
    jonah, local = client(cast.comms), due.astimezone(ZoneInfo(LOS_ANGELES))
    there = due.astimezone(ZoneInfo("America/New_York"))
    for view in ("month", "week", "list"):
        page = jonah.get(f"/calendar?view={view}&date={local:%Y-%m-%d}").text
        assert f">{local:%H:%M}</time> Ruth" in page, view
        assert f"{there:%H:%M %Z} for Ruth" in page
        assert f'href="/calendar/move/{message}"' in page
        assert page.count(f"view={view}&amp;date=") >= 1
    elsewhere = jonah.get(f"/calendar?date={local:%Y-%m-%d}&voice=99").text
    assert "No message of this campaign or voice" in elsewhere
    assert "/calendar/move/" not in client(cast.monitor).get("/calendar?view=list").text
    for odd in ("view=x&date=2026-02-31", "campaign=-1&voice=x", "date=0001-01-01&view=list"):
        assert jonah.get(f"/calendar?{odd}").status_code == 200, odd


# ---- another time


def test_moving_says_first_what_it_does_and_then_does_it(
    wiring: Wiring, cast: Cast, client: Client, message: int, due: datetime
) -> None:
    live_in(wiring, cast.comms, LOS_ANGELES)
    allow(wiring, message, "America/New_York")
    jonah = client(cast.comms)
    path = f"/calendar/move/{message}"
    local = (due + timedelta(days=1)).astimezone(ZoneInfo(LOS_ANGELES))
    page = jonah.get(f"{path}?day={local:%Y-%m-%d}").text
    assert "Ruth’s approval becomes void" in page
    for moment in (due, due + timedelta(days=1)):
        for zone in (LOS_ANGELES, "America/New_York"):
            assert f"{moment.astimezone(ZoneInfo(zone)):%H:%M %Z}" in page
    with wiring.sessions() as session:
        assert state_of(session.get_one(Message, message)) == "scheduled"  # so far only said
    sent = hidden(page)
    assert client(cast.monitor).post(path, data=sent).status_code == 403
    assert jonah.post(path, data=sent | {"at": "2026-11-24T18:30:00"}).status_code == 422
    moved = jonah.post(path, data=sent | {"then": "submit"})
    assert moved.status_code == 303
    assert moved.headers["location"] == f"/calendar?view=week&date={local:%Y-%m-%d}"
    with wiring.sessions() as session:
        there = session.get_one(Message, message)
        assert state_of(there) == "submitted"
        assert [one.state for one in there.versions[0].approval.deliveries] == ["withdrawn"]  # type: ignore[union-attr]
        assert send_time(there.versions[1].content) == due + timedelta(days=1)
    again = jonah.post(path, data=sent)  # from a page that is old by now
    assert again.status_code == 422
    assert "is the time it has" in again.text
    later = sent | {"at": (due + timedelta(days=2)).isoformat()}
    stale = jonah.post(path, data=later)
    assert stale.status_code == 422
    assert "Version 2 was saved meanwhile" in stale.text
    assert hidden(stale.text) == later | {"base": "2"}  # it can be done now, with open eyes


def test_what_is_out_has_no_form_and_a_time_that_is_none_comes_back(
    wiring: Wiring, cast: Cast, client: Client, message: int, due: datetime
) -> None:
    jonah, path = client(cast.comms), f"/calendar/move/{message}"
    past = jonah.get(f"{path}?send_at=2020-01-01T10:00")
    assert past.status_code == 422
    assert "That time has passed" in past.text
    assert 'value="2020-01-01T10:00"' in past.text
    with wiring.sessions.begin() as session:
        (delivery,) = session.get_one(Message, message).versions[0].approval.deliveries  # type: ignore[union-attr]
        delivery.state, delivery.claimed_at = "attempting", due
    page = jonah.get(path).text
    assert "It cannot be moved" in page
    assert 'name="send_at"' not in page
    at = (due + timedelta(days=1)).isoformat()
    assert jonah.post(path, data={"at": at, "base": 1}).status_code == 422


def test_dragging_leads_to_the_page_that_says_what_it_does(
    cast: Cast, browsing: Callable[..., BrowserContext], message: int, due: datetime
) -> None:
    page = browsing(cast.comms).new_page()
    page.goto(f"/calendar?view=week&date={due:%Y-%m-%d}")
    other = due + timedelta(days=-1 if due.isoweekday() % 7 else 1)
    page.drag_and_drop("[data-move]", f"[data-day='{other:%Y-%m-%d}']")
    expect(page.get_by_role("heading", name="What moving it does")).to_be_visible()
    expect(page.locator(".moved strong")).to_contain_text(f"{other.day} {other:%B %Y}, 18:00")
