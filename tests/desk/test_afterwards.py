"""After publication, as people see it: who may take back, what is told of a removal."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from campaigns.afterwards.taking_down import carry_out
from campaigns.models import (
    Acknowledgement,
    Approval,
    Delivery,
    Message,
    MessageVersion,
    Observation,
    ReadBack,
    Retraction,
)
from campaigns.wording.content import sha256_of
from desk.wiring import Wiring
from tests.desk.conftest import Cast, Client

HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture
def out(wiring: Wiring, cast: Cast, message: int) -> int:
    """Ruth's message, out for two days, with twelve replies; answers its delivery's id."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        written = session.get_one(Message, message)
        text = f"The bridge is open. {HOSTILE}"
        content = {
            "voice": written.voice_id,
            "send_at": (now - timedelta(days=2)).isoformat(),
            "parts": [
                {"account": 1, "platform": "dry_run", "handle": "ruth", "service": "", "text": text}
            ],
        }
        version = MessageVersion(
            message=written,
            number=1,
            content=content,
            sha256=sha256_of(content),
            drafted_by=cast.comms.id,
            drafted_at=now,
        )
        session.add(version)
        session.flush()
        approval = Approval(
            version=version,
            sha256=version.sha256,
            drafted_by=cast.comms.id,
            approved_by=cast.leader.id,
            approved_at=now,
        )
        delivery = Delivery(
            account_id=1,
            due_at=now - timedelta(days=2),
            state="published",
            record_key="key",
            record={"text": text},
            settled_at=now - timedelta(days=2),
            receipt_uri="at://did:plc:ruth/app.bsky.feed.post/3k",
            receipt_url="https://bsky.app/profile/ruth/post/3k",
        )
        approval.deliveries.append(delivery)
        session.add(approval)
        session.flush()
        for days, replies in ((1.8, 3), (1.2, 7), (0.1, 12)):
            at = now - timedelta(days=days)
            counts = {"likes": 40, "reposts": 2, "quotes": 0, "replies": replies}
            session.add(Observation(delivery_id=delivery.id, at=at, state="stands", **counts))
        session.add(ReadBack(delivery_id=delivery.id, next_at=now + timedelta(hours=9), looks=3))
        return delivery.id


def test_replies_are_told_and_somebody_says_that_they_read_them(
    wiring: Wiring, cast: Cast, client: Client, out: int, message: int
) -> None:
    jonah = client(cast.comms)
    for path in (f"/messages/{message}", f"/deliveries/{out}", "/afterwards", "/campaigns/1"):
        page = jonah.get(path).text
        assert "12 replies, up 5 since yesterday:" in page, path
        assert HOSTILE not in page
    assert "https://bsky.app/profile/ruth/post/3k" in jonah.get(f"/messages/{message}").text
    assert '<polyline points="' in jonah.get(f"/deliveries/{out}").text
    said = {"kind": "replies", "replies": "12"}
    assert (
        client(cast.monitor).post(f"/deliveries/{out}/acknowledged", data=said).status_code == 403
    )
    assert jonah.post(f"/deliveries/{out}/acknowledged", data=said).status_code == 303
    assert "somebody should read" not in jonah.get(f"/messages/{message}").text
    said["replies"] = "13"
    assert jonah.post(f"/deliveries/{out}/acknowledged", data=said).status_code == 422


def test_comms_asks_the_leader_decides_and_the_page_says_so(
    wiring: Wiring, cast: Cast, client: Client, out: int
) -> None:
    jonah, ruth = client(cast.comms), client(cast.leader)
    where = f"/deliveries/{out}/retraction"
    for stranger in (cast.monitor, cast.other_leader, cast.duty_lead):
        assert client(stranger).post(where, data={"reason": "No"}).status_code == 403
    assert jonah.post(where, data={"reason": "No", "how": "now"}).status_code == 403
    answer = jonah.post(where, data={"reason": "x" * 2001})
    assert answer.status_code == 422
    assert "x" * 2001 in answer.text  # every word is still in its field
    assert jonah.post(where, data={"reason": f"It moved {HOSTILE}"}).status_code == 303
    assert jonah.post(where, data={"reason": "Again"}).status_code == 409
    page = ruth.get("/").text
    assert "to take down" in page
    assert f"/deliveries/{out}" in page
    page = ruth.get(f"/deliveries/{out}").text
    assert "Take it down" in page
    assert HOSTILE not in page
    assert "Take it down" not in jonah.get(f"/deliveries/{out}").text
    # Who asked may take that back; nobody else sees the button.
    mine = "/retractions/1/withdrawal"
    assert mine in jonah.get(f"/deliveries/{out}").text
    assert mine not in page
    assert client(cast.duty_lead).post(mine, data={"why": "x"}).status_code == 422
    assert jonah.post(mine, data={"why": "It did not"}).status_code == 303
    assert jonah.post(mine).status_code == 409
    assert "It did not" in ruth.get(f"/deliveries/{out}").text
    assert jonah.post(where, data={"reason": "It did"}).status_code == 303
    decision = "/retractions/2/decision"
    assert jonah.post(decision, data={"answer": "yes"}).status_code == 403
    assert client(cast.other_leader).post(decision, data={"answer": "yes"}).status_code == 422
    assert ruth.post(decision, data={"answer": "no", "why": " "}).status_code == 422
    assert ruth.post(decision, data={"answer": "yes"}).status_code == 303
    assert ruth.post(decision, data={"answer": "no", "why": "Late"}).status_code == 409
    assert 'hx-trigger="every 3s"' in ruth.get(f"/deliveries/{out}").text
    now = datetime.now(UTC)
    assert carry_out(wiring.sessions, wiring.keepers, wiring.vault, lambda: now) == 1
    page = ruth.get(f"/deliveries/{out}").text
    assert "taken down" in page
    assert "We never put it back" in page
    assert 'hx-trigger="every 3s"' not in page
    assert "0 of 1 stand" in jonah.get("/afterwards").text


def test_in_an_emergency_it_is_down_at_once_and_the_review_stays_open(
    wiring: Wiring, cast: Cast, client: Client, out: int
) -> None:
    dana, ruth = client(cast.duty_lead), client(cast.leader)
    said = {"reason": "It names a home", "how": "now"}
    assert dana.post(f"/deliveries/{out}/retraction", data=said).status_code == 303
    assert "The review is open." in dana.get(f"/deliveries/{out}").text
    assert "to review" in ruth.get("/").text
    note = {"answer": "objected", "note": ""}
    assert ruth.post("/retractions/1/review", data=note).status_code == 422
    note["note"] = "Call me first"
    assert ruth.post("/retractions/1/review", data=note).status_code == 303
    page = ruth.get(f"/deliveries/{out}").text
    assert "did not agree" in page
    assert "Call me first" in page
    assert "to review" not in ruth.get("/").text


def test_a_removal_is_told_until_somebody_knows_of_it(
    wiring: Wiring, cast: Cast, client: Client, out: int, message: int
) -> None:
    with wiring.sessions.begin() as session:
        reading = session.get_one(ReadBack, out)
        reading.removed_at, reading.next_at = datetime.now(UTC), None
    jonah = client(cast.comms)
    assert "removed there" in jonah.get("/").text
    assert "We never put it back" in jonah.get(f"/messages/{message}").text
    assert "no longer out" in jonah.get(f"/messages/{message}").text
    assert "0 of 1 stand" in jonah.get("/afterwards").text
    answer = jonah.post(f"/deliveries/{out}/retraction", data={"reason": "It moved"})
    assert answer.status_code == 409
    assert (
        jonah.post(f"/deliveries/{out}/acknowledged", data={"kind": "removal"}).status_code == 303
    )
    assert "removed there" not in jonah.get("/").text
    with wiring.sessions() as session:
        assert session.scalars(select(Acknowledgement)).one().by == cast.comms.id
        assert session.scalars(select(Retraction)).all() == []


def test_a_correction_links_both_ways(cast: Cast, client: Client, out: int, message: int) -> None:
    jonah = client(cast.comms)
    assert client(cast.monitor).post(f"/messages/{message}/corrections").status_code == 403
    answer = jonah.post(f"/messages/{message}/corrections")
    assert answer.status_code == 303
    new = answer.headers["location"]
    assert f'This corrects <a href="/messages/{message}">' in jonah.get(new).text
    assert f'Corrected by <a href="{new}">' in jonah.get(f"/messages/{message}").text
    assert jonah.post(f"{new}/corrections").status_code == 422  # nothing of it is out
    assert "Write a correction" not in jonah.get(new).text
