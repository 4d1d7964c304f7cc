"""The kill switch, doubts and standing limits on the web: who may do what, and what they see."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, expect
from sqlalchemy import select, text

from campaigns.deliver import deliver_next
from campaigns.drafting.messages import save_draft
from campaigns.models import Approval, Delivery, Message, Stop, Submission, VoiceLimits
from campaigns.publishers import InDoubtError, Parcel, Receipt
from campaigns.publishers.dry_run import DryRunPublisher
from campaigns.wording.content import mint_record_key, record_for
from desk.wiring import Wiring
from tests.desk.conftest import Cast, Client
from tests.desk.test_messages import CALM, states

SEEN = {"seen": "over", "note": "Nothing in the account"}


class Broken(DryRunPublisher):
    """A platform that breaks off, and cannot be asked."""

    repeatable = False

    def publish(self, parcel: Parcel) -> Receipt:
        raise InDoubtError("It broke off.")

    def find(self, parcel: Parcel) -> Receipt | None:
        raise InDoubtError("It does not answer.")


@pytest.fixture
def scheduled(cast: Cast, wiring: Wiring, message: int) -> int:
    """The id of a delivery that is due in three hours, whatever checks its text would pass."""
    now = datetime.now(UTC).replace(microsecond=0)
    send_at = now + timedelta(hours=3)
    with wiring.sessions.begin() as session:
        row = session.get_one(Message, message)
        version = save_draft(session, row, {1: CALM}, send_at, by=cast.comms.id, now=now)
        session.add(Submission(version=version, by=cast.comms.id, at=now))
        approval = Approval(
            version=version,
            sha256=version.sha256,
            drafted_by=cast.comms.id,
            approved_by=cast.leader.id,
            approved_at=now,
        )
        delivery = Delivery(
            account_id=1,
            due_at=send_at,
            state="scheduled",
            record_key=mint_record_key(now),
            record=record_for(version.content["parts"][0], send_at),
        )
        approval.deliveries.append(delivery)
        session.add(approval)
        session.flush()
        return delivery.id


def deliver(wiring: Wiring, hours: float, publisher: DryRunPublisher | None = None) -> None:
    at = datetime.now(UTC) + timedelta(hours=hours)
    publishers = {"dry_run": publisher or DryRunPublisher()}
    deliver_next(wiring.sessions, publishers, wiring.vault, lambda: at)


def standing(wiring: Wiring) -> list[str]:
    with wiring.sessions() as session:
        return list(session.scalars(select(Stop.scope).where(Stop.lifted_at.is_(None))))


@pytest.mark.parametrize("who", ["duty_lead", "comms", "leader", "admin"])
def test_one_press_stops_everything_and_every_page_says_so(
    client: Client, cast: Cast, wiring: Wiring, scheduled: int, who: str
) -> None:
    one = client(getattr(cast, who))
    answer = one.post("/stops", data={"reason": "Shots at the <b>library</b>"})
    assert answer.status_code == 303
    page = one.get(answer.headers["location"]).text
    assert "Everything" in page
    assert "Held back" in page
    assert "&lt;b&gt;library" in page
    for path in ("/", "/messages", "/voices/1", "/stops", "/narratives", "/me"):
        shown = client(cast.monitor).get(path).text
        assert "Everything is stopped:" in shown, path
    deliver(wiring, 3.1)
    assert states(wiring) == ["scheduled"]


def test_a_monitor_cannot_press_and_nobody_presses_without_a_word(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    assert client(cast.monitor).post("/stops", data={"reason": "x"}).status_code == 403
    assert client(None).post("/stops", data={"reason": "x"}).status_code == 401
    answer = client(cast.comms).post("/stops", data={"reason": "  "})
    assert answer.status_code == 422
    assert "Say in a word why" in answer.text
    for wrong in ({"voice_id": "99"}, {"campaign_id": "99"}):
        answer = client(cast.comms).post("/stops", data={"reason": "x"} | wrong)
        assert answer.status_code == 404  # and never everything instead
    answer = client(cast.comms).post("/stops", data={"reason": "x", "voice_id": "-1"})
    assert answer.status_code == 404
    assert standing(wiring) == []


def test_lifting_takes_another_person_with_the_role(
    client: Client, cast: Cast, wiring: Wiring, scheduled: int
) -> None:
    lead, why = client(cast.duty_lead), {"why": "A false alarm"}
    lead.post("/stops", data={"reason": "Wait"})
    assert client(cast.comms).post("/stops/1/lift", data=why).status_code == 403
    assert client(cast.leader).post("/stops/1/lift", data=why).status_code == 403
    refused = lead.post("/stops/1/lift", data=why)
    assert refused.status_code == 422
    assert "another person must lift it" in refused.text
    assert "Why may it go on?" not in lead.get("/stops/1").text
    admin = client(cast.admin)
    assert admin.post("/stops/1/lift", data={"why": " "}).status_code == 422
    assert standing(wiring) == ["organisation"]
    assert admin.post("/stops/1/lift", data=why).status_code == 303
    assert standing(wiring) == []
    assert "A false alarm" in lead.get("/stops").text
    deliver(wiring, 3.1)
    assert states(wiring) == ["published"]


def test_a_voice_and_a_campaign_are_stopped_from_their_own_pages(
    client: Client, cast: Cast, wiring: Wiring, scheduled: int, message: int
) -> None:
    comms = client(cast.comms)
    comms.timeout = 120  # the first page that names a place reads all places
    assert 'name="voice_id" value="1"' in comms.get("/voices/1").text
    assert 'name="campaign_id" value="1"' in comms.get("/narratives/1").text
    comms.post("/stops", data={"reason": "He is threatened", "voice_id": "1"})
    comms.post("/stops", data={"reason": "Ask the family first", "campaign_id": "1"})
    assert sorted(standing(wiring)) == ["campaign", "voice"]
    assert "He is threatened" in comms.get("/voices/1").text
    assert "Ask the family first" in comms.get("/narratives/1").text
    page = comms.get(f"/messages/{message}").text
    assert "He is threatened" in page
    assert "Ask the family first" in page
    assert "He is threatened" not in comms.get("/narratives").text  # not everybody's concern


def test_what_was_on_its_way_is_named_with_what_came_of_it(
    client: Client, cast: Cast, wiring: Wiring, scheduled: int
) -> None:
    deliver(wiring, 3.1, Broken())
    comms = client(cast.comms)
    comms.post("/stops", data={"reason": "Wait"})
    page = comms.get("/stops/1").text
    assert "These may be out" in page
    assert f"/deliveries/{scheduled}" in page
    assert "not known if out" in page


# ---- a doubt


def test_a_person_says_what_they_see(
    client: Client, cast: Cast, wiring: Wiring, scheduled: int, message: int
) -> None:
    deliver(wiring, 3.1, Broken())
    comms = client(cast.comms)
    assert "Deliveries that need somebody" in comms.get("/").text
    assert "Deliveries that need somebody" in comms.get("/messages").text
    assert "Look, and say whether it is there" in comms.get(f"/messages/{message}").text
    assert "not known if out" in comms.get("/calendar").text
    path = f"/deliveries/{scheduled}"
    page = comms.get(path).text
    assert "It broke off." in page
    assert "Is it out there?" in page
    assert client(cast.monitor).post(f"{path}/finding", data=SEEN).status_code == 403
    assert "Say so" not in client(cast.monitor).get(path).text
    for wrong in (
        {"seen": "there", "url": "javascript:alert(1)"},
        {"seen": "there"},
        {"seen": "?"},
    ):
        answer = comms.post(f"{path}/finding", data=SEEN | wrong)
        assert answer.status_code == 422
        assert "Nothing in the account" in answer.text
    assert comms.post(f"{path}/finding", data={"seen": "over", "note": ""}).status_code == 422
    assert states(wiring) == ["unconfirmed"]
    answer = comms.post(f"{path}/finding", data=SEEN)
    assert answer.status_code == 303
    assert states(wiring) == ["withdrawn"]
    assert "Nothing in the account" in comms.get(path).text
    assert comms.post(f"{path}/finding", data=SEEN).status_code == 422  # it is known by now
    deliver(wiring, 3.3)
    assert states(wiring) == ["withdrawn"]


def test_a_link_that_was_found_is_shown(
    client: Client, cast: Cast, wiring: Wiring, scheduled: int, message: int
) -> None:
    deliver(wiring, 3.1, Broken())
    leader = client(cast.leader)
    found = {"seen": "there", "url": "https://hope.example/7"}
    assert leader.post(f"/deliveries/{scheduled}/finding", data=found).status_code == 303
    assert states(wiring) == ["published"]
    assert 'href="https://hope.example/7"' in leader.get(f"/messages/{message}").text


def test_a_silent_worker_is_told(client: Client, cast: Cast, wiring: Wiring, message: int) -> None:
    says = "No worker has been heard of"
    assert says in client(cast.comms).get("/").text
    with wiring.sessions.begin() as session:
        session.execute(text("INSERT INTO procrastinate_workers DEFAULT VALUES"))
    try:
        assert says not in client(cast.comms).get("/").text
        with wiring.sessions.begin() as session:
            old = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '90 seconds'"
            session.execute(text(old))
        assert f"{says} since" in client(cast.comms).get("/messages").text
    finally:
        with wiring.sessions.begin() as session:
            session.execute(text("DELETE FROM procrastinate_workers"))


# ---- standing limits


LIMITS = {
    "per_day": "2",
    "quiet_from": "22:00",
    "quiet_until": "07:00",
    "zone": "America/Detroit",
    "credibility": "Young fathers; not the council <i>",
    "security_contact": "Sgt. Alvarez",
}


def test_limits_are_kept_with_their_history(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    leader = client(cast.leader)  # who answers for this voice
    assert leader.post("/voices/1/limits", data=LIMITS).status_code == 303
    page = leader.get("/voices/1").text
    for words in ("2 a day", "22:00 to 07:00", "America/Detroit", "council &lt;i&gt;", "Sgt. Alv"):
        assert words in page
    assert client(cast.comms).post("/voices/1/limits", data=LIMITS | {"per_day": ""}).is_redirect
    page = leader.get("/voices/1").text
    assert "no limit" in page
    assert "Earlier limits" in page
    for who in (cast.monitor, cast.other_leader):
        assert client(who).post("/voices/1/limits", data=LIMITS).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_day": "many"},
        {"per_day": "0"},
        {"per_day": "9" * 400},
        {"zone": "Nowhere"},
        {"quiet_until": ""},
        {"quiet_from": "25:00"},
    ],
)
def test_limits_that_cannot_be_keep_the_words(
    client: Client, cast: Cast, wiring: Wiring, message: int, wrong: dict[str, str]
) -> None:
    answer = client(cast.comms).post("/voices/1/limits", data=LIMITS | wrong)
    assert answer.status_code == 422
    assert "Young fathers" in answer.text
    with wiring.sessions() as session:
        assert session.scalars(select(VoiceLimits)).all() == []


# ---- in a browser


def test_a_leader_stops_everything_on_a_phone(
    cast: Cast, wiring: Wiring, scheduled: int, browsing: Callable[..., BrowserContext]
) -> None:
    page = browsing(cast.leader, 390).new_page()
    page.goto("/me")
    page.get_by_role("link", name="Stops").last.click()
    page.get_by_label("Why?").fill("Shots at the library")
    page.get_by_role("button", name="Stop everything now").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Everything")
    page.goto("/")
    expect(page.locator(".stopped")).to_contain_text("Shots at the library")
    assert standing(wiring) == ["organisation"]
