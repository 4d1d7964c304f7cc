"""Times stand in the zone of who reads them, and are typed in it."""

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.drafting.messages import latest_version
from campaigns.models import Message
from campaigns.wording.content import send_time
from desk import people
from desk.models import Person
from desk.wiring import Wiring
from tests.desk.conftest import Cast, Client


def chosen(wiring: Wiring, person: Person, zone: str) -> None:
    with wiring.sessions.begin() as session:
        people.choose_zone(session.get_one(Person, person.id), zone)


def test_each_reads_and_types_times_in_their_own_zone(
    wiring: Wiring, cast: Cast, client: Client, message: int
) -> None:
    chosen(wiring, cast.comms, "America/Los_Angeles")
    jonah = client(cast.comms)
    page = jonah.get(f"/messages/{message}").text
    assert "America/Los Angeles time" in page
    account = re.search(r"text_\d+", page)
    assert account
    day = (datetime.now(UTC) + timedelta(days=2)).date()
    sent = jonah.post(
        f"/messages/{message}/draft",
        data={account.group(): "Our streets are calm.", "send_at": f"{day}T09:00", "then": "save"},
    )
    assert sent.status_code == 303
    assert f'value="{day}T09:00"' in jonah.get(f"/messages/{message}").text
    with wiring.sessions() as session:
        version = latest_version(session.get_one(Message, message))
        assert version
        there = send_time(version.content).astimezone(ZoneInfo("America/Los_Angeles"))
    assert there.replace(tzinfo=None) == datetime.combine(day, time(9))


def test_a_zone_is_kept_and_what_is_none_comes_back(cast: Cast, client: Client) -> None:
    maya = client(cast.monitor)
    assert maya.post("/me/zone", data={"zone": "America/Chicago"}).status_code == 303
    assert 'name="zone" value="America/Chicago"' in maya.get("/me").text
    refused = maya.post("/me/zone", data={"zone": "../../etc/passwd"})
    assert refused.status_code == 422
    assert 'name="zone" value="../../etc/passwd"' in refused.text
    assert 'name="zone" value="America/Chicago"' in maya.get("/me").text
    assert maya.post("/me/zone", data={"zone": " "}).status_code == 303
    assert 'name="zone" value="America/Chicago"' not in maya.get("/me").text
