"""Emergency releases on the desk: who may do which part, what the leader is told and sees."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from campaigns.approving import release_permissions
from campaigns.campaigns import open_campaign
from campaigns.drafting.messages import check, save_draft, start_message, state_of, submit
from campaigns.models import Approval, Delivery, Message, Release, Retraction, Voice
from desk import people
from desk.models import Channel, Notice, Person
from desk.notices.announce import announce
from desk.wiring import Wiring
from monitor.models import Narrative
from tests.campaigns.cast import fill_plan
from tests.desk.conftest import Cast, Client

CALM = "Boil your water tonight: the crew mends the main and we hand out bottles at the school."
WHY = "Water must be boiled from tonight on; <b>Ruth</b> is in the air until nine, called twice."


@pytest.fixture
def laid(wiring: Wiring, cast: Cast, message: int) -> tuple[int, dict[str, object]]:
    """Jonah's practical words before Ruth, who allows this beforehand: (message, its form)."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        voice = session.get_one(Voice, 1)
        release_permissions.allow(
            *(session, voice.consents[0]),
            covers="Where water <i>is</i>",
            until=now + timedelta(days=9),
            by=1,
            now=now,
        )
        campaign = open_campaign(
            session,
            session.get_one(Narrative, 1),
            audience="Parents",
            goal="Boil the water",
            strategy="practical",
            by=cast.comms.id,
            now=now,
        )
        fill_plan(session, campaign, voice, now)
        told = start_message(session, campaign, voice, by=cast.comms.id, now=now)
        due = now + timedelta(hours=2)
        version = save_draft(session, told, {1: CALM}, due, by=cast.comms.id, now=now)
        reasons = {one.key: "It reads well as it is" for one in check(session, version, now)}
        submit(session, version, by=cast.comms.id, now=now, reasons=reasons)
        form = {"version_id": version.id, "sha256": version.sha256, "practical": "yes"}
        return told.id, form


def hire(wiring: Wiring, name: str, role: str) -> Person:
    with wiring.sessions.begin() as session:
        mail = f"{name.lower()}@desk.example"
        return people.add_person(session, name, mail, [role], None, datetime.now(UTC))


def test_from_a_message_that_cannot_wait_to_its_leaders_review(
    wiring: Wiring, cast: Cast, client: Client, laid: tuple[int, dict[str, object]]
) -> None:
    message, form = laid
    jonah, dana, ruth = client(cast.comms), client(cast.duty_lead), client(cast.leader)
    cora, maya = client(hire(wiring, "Cora", "comms")), client(cast.monitor)
    assert "It cannot wait" in cora.get(f"/messages/{message}").text
    assert maya.get(f"/messages/{message}/release").status_code == 403
    assert "You wrote these words" in jonah.get(f"/messages/{message}/release").text
    page = cora.get(f"/messages/{message}/release").text
    assert "Where water &lt;i&gt;is&lt;/i&gt;" in page
    assert "Boil your water tonight" in page
    refused = cora.post(f"/messages/{message}/release", data=form | {"reason": "Now & here"})
    assert (refused.status_code, "Now &amp; here" in refused.text) == (422, True)
    asked = cora.post(f"/messages/{message}/release", data=form | {"reason": WHY})
    assert (asked.status_code, asked.headers["location"]) == (303, "/releases/1")
    moved = cora.get(f"/messages/{message}/release")
    assert (moved.status_code, moved.headers["location"]) == (303, "/releases/1")

    # Nothing goes out by asking; the second is a duty lead, and nobody of the three others.
    assert "Asked for in an emergency" in dana.get("/").text
    assert "Asked for in an emergency" not in cora.get("/").text
    assert cora.post("/releases/1/release", data=form).status_code == 403
    assert ruth.post("/releases/1/release", data=form).status_code == 403
    page = dana.get("/releases/1").text
    assert "Dana, you are the second person" in page
    assert "&lt;b&gt;Ruth&lt;/b&gt;" in page
    lapse = dana.post("/releases/1/release", data={"sha256": form["sha256"]})
    assert (lapse.status_code, "need to be safe" in lapse.text) == (422, True)
    stale = dana.post("/releases/1/release", data=form | {"sha256": "0" * 64})
    assert stale.status_code == 409
    assert dana.post("/releases/1/release", data=form).status_code == 303
    assert dana.post("/releases/1/release", data=form).status_code == 409
    page = jonah.get(f"/messages/{message}").text
    assert "Released in an emergency" in page
    assert "asked for by Cora, released by Dana" in page

    # The leader sees exactly what was released, and says what they think.
    assert "Review it" in ruth.get("/").text
    page = ruth.get("/releases/1").text
    assert "Exactly this was released" in page
    assert "Boil your water tonight" in page
    assert dana.post("/releases/1/review", data={"answer": "agreed"}).status_code == 403
    assert ruth.post("/releases/1/review", data={"answer": "maybe"}).status_code == 422
    silent = ruth.post("/releases/1/review", data={"answer": "objected", "note": " "})
    assert (silent.status_code, "what was wrong" in silent.text) == (422, True)
    assert ruth.post("/releases/1/review", data={"answer": "agreed"}).status_code == 303
    assert "approved it afterwards" in jonah.get(f"/messages/{message}").text
    assert "Review it" not in ruth.get("/").text
    assert "approved afterwards" in maya.get("/releases").text


def test_the_leader_is_called_at_once_when_it_is_asked_for_and_when_it_is_released(
    wiring: Wiring, cast: Cast, client: Client, laid: tuple[int, dict[str, object]]
) -> None:
    message, form = laid
    now = datetime.now(UTC)
    minute = now.hour * 60 + now.minute
    with wiring.sessions.begin() as session:
        announce(session, wiring.zone, now)
        quiet = {"quiet_from": (minute - 60) % 1440, "quiet_until": (minute + 600) % 1440}
        session.execute(update(Channel).values(**quiet))
        session.execute(update(Notice).values(due_at=now + timedelta(hours=9)))
    client(cast.other_leader).post(f"/messages/{message}/release", data=form | {"reason": WHY})
    with wiring.sessions.begin() as session:
        announce(session, wiring.zone, now)
        (waits,) = session.scalars(select(Notice).where(Notice.kind == "approval"))
        assert waits.due_at == now  # Ruth may still decide herself
    client(cast.duty_lead).post("/releases/1/release", data=form)
    later = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        announce(session, wiring.zone, later)
        announce(session, wiring.zone, later)
        (told,) = session.scalars(select(Notice).where(Notice.kind == "release"))
        assert (told.channel.person_id, told.due_at) == (cast.leader.id, later)
        assert told.state == "scheduled"
    assert "Emergency release 1" in client(cast.duty_lead).get("/notices").text
    client(cast.leader).post("/releases/1/review", data={"answer": "agreed"})
    with wiring.sessions.begin() as session:
        announce(session, wiring.zone, later)
        (told,) = session.scalars(select(Notice).where(Notice.kind == "release"))
        assert (told.state, told.detail) == ("withdrawn", "It was reviewed before this went out.")


def test_a_late_review_is_named_to_those_who_can_call_and_an_objection_takes_it_back(
    wiring: Wiring, cast: Cast, client: Client, laid: tuple[int, dict[str, object]]
) -> None:
    message, form = laid
    dana, ruth = client(cast.duty_lead), client(cast.leader)
    client(cast.other_leader).post(f"/messages/{message}/release", data=form | {"reason": WHY})
    dana.post("/releases/1/release", data=form)
    assert "review overdue" not in dana.get("/").text
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        session.execute(update(Release).values(released_at=now - timedelta(hours=25)))
        out = {"state": "published", "settled_at": now, "receipt_uri": "here"}
        session.execute(update(Delivery).values(**out))
    for page in ("/", "/releases"):
        assert "review overdue" in dana.get(page).text
    assert "not reviewed" in dana.get("/watchdogs").text
    assert "It is late" in ruth.get("/releases/1").text
    said = {"answer": "objected", "note": "The well is <dry>"}
    assert ruth.post("/releases/1/review", data=said).status_code == 303
    assert "The well is &lt;dry&gt;" in dana.get("/releases/1").text
    assert "not reviewed" not in dana.get("/watchdogs").text
    with wiring.sessions() as session:
        (retraction,) = session.scalars(select(Retraction))
        assert (retraction.decided_how, retraction.state) == ("own wish", "approved")


def test_it_can_wait_after_all_and_a_permission_is_recorded_and_taken_back(
    wiring: Wiring, cast: Cast, client: Client, laid: tuple[int, dict[str, object]]
) -> None:
    message, form = laid
    luis, dana, jonah = client(cast.other_leader), client(cast.duty_lead), client(cast.comms)
    luis.post(f"/messages/{message}/release", data=form | {"reason": WHY})
    assert luis.post("/releases/1/refuse", data={"why": " "}).status_code == 422
    assert luis.post("/releases/1/refuse", data={"why": "She landed"}).status_code == 303
    assert dana.post("/releases/1/release", data=form).status_code == 409
    assert dana.get("/releases/2").status_code == 404
    assert "Where water" in dana.get("/voices/1").text
    assert dana.post("/release-permissions/1/withdraw", data={"why": ""}).status_code == 422
    assert dana.post("/release-permissions/1/withdraw", data={"why": "Asked to"}).status_code == 303
    assert "has not allowed this" in luis.get(f"/messages/{message}/release").text
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
    consent = {"scope": "All", "evidence": "Signed", "until": tomorrow, "platforms": "dry_run"}
    beyond = consent | {"emergency": "Roads", "emergency_until": "2999-01-01"}
    refused = jonah.post("/voices/1/consents", data=beyond)
    assert (refused.status_code, 'value="Roads"' in refused.text) == (422, True)
    assert (
        jonah.post("/voices/1/consents", data=consent | {"emergency": "Roads"}).status_code == 303
    )
    assert "Roads" in jonah.get("/voices/1").text
    with wiring.sessions() as session:
        assert session.scalars(select(Approval)).all() == []
        assert state_of(session.get_one(Message, message)) == "submitted"
