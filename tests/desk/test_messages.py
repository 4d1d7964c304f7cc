"""The web keeps the rules: two people, exactly the approved text, no form is a way around."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from campaigns.deliver import deliver_next
from campaigns.models import Account, Delivery, MessageVersion
from desk.wiring import Wiring
from tests.desk.conftest import Cast, Client

CALM = "Our water was tested this morning and it is clean. Neighbours, let us talk tomorrow."


def draft(text: str = CALM, then: str = "submit", hours: float = 3) -> dict[str, str]:
    send_at = datetime.now(UTC) + timedelta(hours=hours)
    return {"text_1": text, "send_at": f"{send_at:%Y-%m-%dT%H:%M}", "then": then}


def decision(wiring: Wiring, message: int) -> dict[str, str]:
    """What the leader's page carries for the newest version."""
    with wiring.sessions() as session:
        version = session.scalars(
            select(MessageVersion)
            .where(MessageVersion.message_id == message)
            .order_by(MessageVersion.number.desc())
        ).first()
        assert version is not None
        return {"version_id": str(version.id), "sha256": version.sha256}


def states(wiring: Wiring) -> list[str]:
    with wiring.sessions() as session:
        return list(session.scalars(select(Delivery.state).order_by(Delivery.id)))


def test_from_draft_to_schedule(client: Client, cast: Cast, wiring: Wiring, message: int) -> None:
    comms, leader = client(cast.comms), client(cast.leader)
    assert comms.post(f"/messages/{message}/draft", data=draft()).status_code == 303
    page = leader.get(f"/messages/{message}").text
    assert "Approve exactly this" in page
    assert CALM in page
    answer = leader.post(f"/messages/{message}/approve", data=decision(wiring, message))
    assert answer.status_code == 303
    assert states(wiring) == ["scheduled"]
    assert "scheduled" in comms.get("/messages").text
    assert "Ruth" in comms.get("/calendar").text


def test_the_drafter_cannot_approve_even_as_the_voices_leader(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    from desk import people

    with wiring.sessions.begin() as session:
        leader = session.get_one(type(cast.leader), cast.leader.id)
        people.grant(session, leader, "comms", None, datetime.now(UTC))
    both = client(cast.leader)
    submitted = both.post(f"/messages/{message}/draft", data=draft())
    assert submitted.status_code == 422
    assert "somebody else must check them" in submitted.text
    answer = both.post(f"/messages/{message}/approve", data=decision(wiring, message))
    assert answer.status_code == 409
    assert "not submitted for approval" in answer.text
    assert states(wiring) == []


@pytest.mark.parametrize("who", ["monitor", "comms", "admin", "other_leader"])
def test_nobody_else_approves(
    client: Client, cast: Cast, wiring: Wiring, message: int, who: str
) -> None:
    client(cast.comms).post(f"/messages/{message}/draft", data=draft())
    answer = client(getattr(cast, who)).post(
        f"/messages/{message}/approve", data=decision(wiring, message)
    )
    assert answer.status_code in (403, 409)
    assert states(wiring) == []


def test_an_edit_after_approval_stops_what_was_scheduled(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms, leader = client(cast.comms), client(cast.leader)
    comms.post(f"/messages/{message}/draft", data=draft())
    leader.post(f"/messages/{message}/approve", data=decision(wiring, message))
    comms.post(f"/messages/{message}/draft", data=draft(CALM + " Truly.", then="save"))
    assert states(wiring) == ["withdrawn"]
    later = datetime.now(UTC) + timedelta(hours=4)
    deliver_next(wiring.sessions, wiring.publishers, wiring.vault, lambda: later)
    assert states(wiring) == ["withdrawn"]


def test_a_text_changed_under_the_leaders_eyes_is_not_approved(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms, leader = client(cast.comms), client(cast.leader)
    comms.post(f"/messages/{message}/draft", data=draft())
    shown = decision(wiring, message)
    comms.post(f"/messages/{message}/draft", data=draft(CALM + " Or not."))
    answer = leader.post(f"/messages/{message}/approve", data=shown)
    assert answer.status_code == 409
    assert "changed after you opened it" in answer.text
    assert states(wiring) == []


def test_a_draft_that_fails_its_checks_is_kept_and_explained(
    client: Client, cast: Cast, message: int
) -> None:
    comms = client(cast.comms)
    answer = comms.post(f"/messages/{message}/draft", data=draft("x" * 301))
    assert answer.status_code == 422
    assert "1 characters too long" in answer.text
    assert "x" * 301 in answer.text
    assert "x" * 301 in comms.get(f"/messages/{message}").text


def test_a_time_nobody_can_read_keeps_the_words(client: Client, cast: Cast, message: int) -> None:
    form = draft() | {"send_at": "next Tuesday"}
    answer = client(cast.comms).post(f"/messages/{message}/draft", data=form)
    assert answer.status_code == 422
    assert "Give the day and time" in answer.text
    assert CALM in answer.text
    assert "next Tuesday" in answer.text


def test_the_checks_answer_while_one_types(client: Client, cast: Cast, message: int) -> None:
    form = draft("They are rats. Someone should burn that place.")
    answer = client(cast.comms).post(f"/messages/{message}/check", data=form)
    assert answer.status_code == 200
    assert "Stops this message" in answer.text
    assert "<html" not in answer.text


def test_a_decline_needs_a_reason_and_reaches_the_drafter(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms, leader = client(cast.comms), client(cast.leader)
    comms.post(f"/messages/{message}/draft", data=draft())
    shown = decision(wiring, message)
    refused = leader.post(f"/messages/{message}/decline", data=shown | {"reason": " "})
    assert refused.status_code == 409
    declined = leader.post(f"/messages/{message}/decline", data=shown | {"reason": "Too long."})
    assert declined.status_code == 303
    assert "Too long." in comms.get(f"/messages/{message}").text


def test_secrets_are_encrypted_and_never_shown(
    client: Client, cast: Cast, wiring: Wiring, message: int
) -> None:
    comms = client(cast.comms)
    form = {
        "platform": "bluesky",
        "handle": "ruth.test",
        "service": "https://pds.example",
        "secret": "quiet-harbour-words",
    }
    assert comms.post("/voices/1/accounts", data=form).status_code == 303
    assert "quiet-harbour-words" not in comms.get("/voices/1").text
    with wiring.sessions() as session:
        account = session.scalars(select(Account).where(Account.platform == "bluesky")).one()
        assert account.secret is not None
        assert b"quiet" not in account.secret
        assert wiring.vault.decrypt(account.secret) == b"quiet-harbour-words"
    wrong = comms.post("/voices/1/accounts", data=form | {"service": "ftp://x"})
    assert wrong.status_code == 422
    assert "quiet-harbour-words" not in wrong.text
    inside = comms.post("/voices/1/accounts", data=form | {"service": "https://127.0.0.1:8443"})
    assert inside.status_code == 422
    assert "leads into a private network" in inside.text
    assert "quiet-harbour-words" not in inside.text


def test_a_platform_that_is_off_is_neither_offered_nor_taken(
    client: Client, cast: Cast, message: int
) -> None:
    comms = client(cast.comms)
    page = comms.get("/voices/1").text
    assert 'value="bluesky"' in page
    assert 'value="share_x"' in page
    assert 'value="web"' not in page
    off = comms.post("/voices/1/accounts", data={"platform": "web", "handle": "our-own"})
    assert off.status_code == 422
    assert "Our page is off at this desk" in off.text
    assert "our-own" in off.text


def test_hostile_words_stay_words(client: Client, cast: Cast, message: int) -> None:
    attack = '<script>alert(1)</script> "><img src=x onerror=alert(1)>'
    comms = client(cast.comms)
    comms.post(f"/messages/{message}/draft", data=draft(attack, then="save"))
    page = comms.get(f"/messages/{message}").text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_key_file_is_private(wiring: Wiring) -> None:
    path = Path(wiring.settings.data_dir) / "secret.key"
    assert path.stat().st_mode & 0o077 == 0
