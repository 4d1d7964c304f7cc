"""The pages of contacts: for comms and administrators, and what a leader sees of a list."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from campaigns import voices
from campaigns.approving.approvals import decline
from campaigns.contacts import address_faults, opt_outs
from campaigns.deliver import deliver_next
from campaigns.drafting.messages import check, let_pass, save_draft, start_message, submit
from campaigns.models import Approval, Campaign, Contact, Delivery, Message, Outlet, Reply, Voice
from desk.wiring import Wiring
from tests.campaigns import listing
from tests.desk.conftest import Cast, Client

NOW = datetime.now(UTC)
AGREED = {
    "given": "2026-01-05",
    "how": "Signed the sheet",
    "wording": "Messages about the bridge",
    "evidence": "Sheet 4",
}
ANA = {"name": "Ana Ruiz", "language": "es", "county": "Midland County, MI", "zone": ""}


def test_from_a_new_contact_to_a_list_that_reaches_them(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    comms = client(cast.comms)
    made = comms.post("/contacts/lists", data={"name": "Parents", "purpose": "The bridge"})
    assert made.headers["location"] == "/contacts/lists/1"
    both = {"email": "ana@town.example", "number": "(989) 555-0142", "audience": "1"}
    assert comms.post("/contacts", data=ANA | both).headers["location"] == "/contacts/1"
    page = comms.get("/contacts/1").text
    assert "+19895550142" in page
    assert "No consent is recorded" in page
    assert "America/Detroit" in page
    everybody = comms.get("/contacts").text
    assert "…0142" in everybody
    assert "5550142" not in everybody
    assert "has not agreed" in everybody
    # The same again is refused with what was typed, and leads to whose it is.
    again = comms.post("/contacts", data=ANA | both | {"name": "Anna R."})
    assert again.status_code == 422
    assert "Anna R." in again.text
    assert 'href="/contacts/1"' in again.text
    missing = comms.post("/contacts/1/addresses/2/consents", data=AGREED | {"evidence": " "})
    assert missing.status_code == 422
    assert "Messages about the bridge" in missing.text
    assert comms.post("/contacts/1/addresses/2/consents", data=AGREED).status_code == 303
    reached = comms.get("/contacts/lists/1").text
    assert "<strong>1</strong> of 1" in reached
    assert "<strong>0</strong> of 1" in reached
    assert comms.post("/contacts/1/addresses/2/end", data={"why": "Moved"}).status_code == 303
    assert "<strong>1</strong> of 1" not in comms.get("/contacts/lists/1").text
    assert comms.post("/contacts/1/addresses/1/opt-out").status_code == 303
    assert "wants no more" in comms.get("/contacts").text
    assert comms.get("/contacts/1/addresses/1/end").status_code == 405
    assert comms.post("/contacts/2/addresses/1/opt-out").status_code == 404
    assert comms.post("/contacts/lists/1/members/1/remove").status_code == 303
    assert comms.post("/contacts/lists/1/members/1/remove").status_code == 409
    assert comms.post("/contacts/lists/1/members", data={"who": "Ana Ruiz"}).status_code == 303
    assert comms.post("/contacts/lists/1/members", data={"who": "<Nobody>"}).status_code == 422


def test_contacts_are_for_comms_and_administrators(cast: Cast, client: Client) -> None:
    for person in (cast.monitor, cast.leader, cast.duty_lead):
        for path in ("/contacts", "/contacts/1", "/contacts/lists/1", "/contacts/replies"):
            assert client(person).get(path).status_code == 403
    assert client(cast.admin).get("/contacts").status_code == 200


def test_a_reply_is_read_and_settled(wiring: Wiring, cast: Cast, client: Client) -> None:
    with wiring.sessions.begin() as session:
        opt_outs.hear(
            session,
            wiring.book,
            gateway="test",
            gateway_id="1",
            number="+19895550142",
            words="<b>leave me alone</b>",
            now=datetime.now(UTC),
        )
    comms = client(cast.comms)
    assert "1 reply waits" in comms.get("/contacts").text
    assert "&lt;b&gt;leave me alone" in comms.get("/contacts/replies").text
    assert comms.post("/contacts/replies/1", data={"leaves": "perhaps"}).status_code == 409
    assert comms.post("/contacts/replies/1", data={"leaves": "yes"}).status_code == 303
    assert comms.post("/contacts/replies/1", data={"leaves": "no"}).status_code == 409
    with wiring.sessions() as session:
        assert session.get_one(Reply, 1).outcome == "opt-out"


@pytest.fixture
def submitted(wiring: Wiring, cast: Cast, message: int) -> int:
    """A mail of Ruth's to a list of three, submitted to her. Its message's id."""
    now = datetime.now(UTC)
    with wiring.sessions.begin() as session:
        ruth = session.get_one(Message, message).voice
        audience = listing.make_list(session, now)
        for number in range(3):
            email, one = f"{number}person@town.example", f"Person {number}"
            listing.member(session, audience, one, now, email=email, book=wiring.book)
        account = listing.speak(session, audience, "email", now, ruth)
        session.expire(ruth)
        told = start_message(session, session.get_one(Campaign, 1), ruth, by=cast.comms.id, now=now)
        words = "Subject: Our bridge\n\nOur bridge is open. Use it: the crew is done."
        at = now + timedelta(hours=2)
        version = save_draft(session, told, {account.id: words}, at, by=cast.comms.id, now=now)
        found = check(session, version, now)
        for one_check in found:
            if one_check.overridable and not one_check.passed:
                reason = {"reason": "It was agreed", "by": cast.duty_lead.id, "now": now}
                let_pass(session, told, one_check.key, **reason)
        reasons = {one_check.key: "It reads well as it is" for one_check in found}
        submit(session, version, by=cast.comms.id, now=now, reasons=reasons)
        return told.id


def test_the_leader_sees_to_how_many_and_everybody_what_became_of_them(
    wiring: Wiring, cast: Cast, client: Client, submitted: int
) -> None:
    ruth = client(cast.leader)
    page = ruth.get(f"/messages/{submitted}").text
    assert "To the list “Parents”" in page
    assert "<strong>3</strong> people get it, each alone, from paula@hope.example" in page
    assert "Subject:</small> Our bridge" in page
    assert "No more of these" in page
    with wiring.sessions() as session:
        version = session.get_one(Message, submitted).versions[-1]
        form = {"version_id": str(version.id), "sha256": version.sha256}
    assert ruth.post(f"/messages/{submitted}/approve", data=form).status_code == 303
    with wiring.sessions.begin() as session:
        rows = session.scalars(select(Delivery).order_by(Delivery.id)).all()
        assert len(rows) == 3
        approval, account = rows[0].approval_id, rows[0].account_id
        rows[0].state, rows[0].detail = "unconfirmed", "The mail server fell silent."
        due = rows[0].due_at
    # Of the other two nothing is sent: no mail server is switched on.
    assert deliver_next(wiring.sessions, {}, wiring.vault, lambda: due) == 2
    page = ruth.get(f"/messages/{submitted}").text
    assert "To 3 on “Parents”" in page
    assert "Stop it" in page
    what = client(cast.monitor).get(f"/deliveries/lists/{approval}/{account}").text
    assert "0…@town.example" in what
    assert "1…@town.example" not in what
    assert "Publishing to email is not switched on." in what
    assert client(cast.monitor).get(f"/deliveries/lists/{approval}/999").status_code == 404
    found = {"seen": "there", "note": "The server's log has it"}
    answer = client(cast.comms).post(f"/deliveries/{rows[0].id}/finding", data=found)
    assert answer.status_code == 303
    with wiring.sessions() as session:
        assert session.get_one(Delivery, rows[0].id).state == "published"
        assert session.get_one(Approval, approval).listed_out_at is not None


def test_mail_to_a_list_needs_a_page_to_leave_it(
    wiring: Wiring, cast: Cast, client: Client, message: int
) -> None:
    with wiring.sessions.begin() as session:
        listing.make_list(session, datetime.now(UTC))
        voice = session.scalars(select(Voice.id)).one()
    comms = client(cast.comms)
    form = {"voice": str(voice), "channel": "email", "sender": "ruth@hope.example"}
    refused = comms.post("/contacts/lists/1/voices", data=form)
    assert refused.status_code == 422
    assert "BREAKWATER_PUBLIC_URL" in refused.text
    assert "ruth@hope.example" in refused.text
    text = {"voice": str(voice), "channel": "sms", "sender": "+19895550100"}
    assert "campaign id" in comms.post("/contacts/lists/1/voices", data=text).text
    given = text | {"registration": "CMPGN1"}
    assert comms.post("/contacts/lists/1/voices", data=given).status_code == 303
    assert "CMPGN1" in comms.get("/contacts/lists/1").text
    with wiring.sessions() as session:
        assert session.scalars(select(Outlet.sender)).one() == "+19895550100"
        assert session.scalars(select(Contact)).all() == []
    # Where accounts are connected, lists are not.
    other = {"platform": "sms", "handle": "Parents", "service": "", "secret": "x"}
    assert comms.post(f"/voices/{voice}/accounts", data=other).status_code == 422


# ---- lists that are cared for, and contacts that are forgotten


def test_a_list_is_renamed_closed_and_opened_again_with_who_and_why(
    wiring: Wiring, cast: Cast, client: Client, submitted: int
) -> None:
    comms, here = client(cast.comms), "/contacts/lists/1"
    for path, form in (
        ("name", {"name": "Families <b>", "why": "As they call themselves"}),
        ("close", {"why": "The bridge is done"}),
    ):
        refused = comms.post(f"{here}/{path}", data=form)
        assert refused.status_code == 422
        assert f'href="/messages/{submitted}"' in refused.text  # it says which message stops it
        assert form["why"] in refused.text
    with wiring.sessions.begin() as session:
        account = session.scalars(select(Outlet.account_id)).one()
        version = session.get_one(Message, submitted).versions[-1]
        decline(session, version, reason="No", by=cast.leader.id, now=NOW)
    form = {"name": "Families <b>", "why": "As they call themselves"}
    assert comms.post(f"{here}/name", data=form).status_code == 303
    page = comms.get(here).text
    assert "Families &lt;b&gt;" in page
    assert "from “Parents”" in page
    elsewhere = f"/contacts/lists/2/voices/{account}/close"
    assert comms.post(elsewhere, data={"why": "x"}).status_code == 404
    assert comms.post(f"{here}/voices/{account}/close", data={"why": "Moved"}).status_code == 303
    assert "closed by Jonah" in comms.get(here).text
    assert comms.post(f"{here}/close", data={"why": " "}).status_code == 422
    assert comms.post(f"{here}/close", data={"why": "Done"}).status_code == 303
    assert "This list is closed." in comms.get(here).text
    assert 'value="1"' not in comms.get("/contacts").text  # nobody new comes on it
    assert comms.post(f"{here}/reopen", data={"why": "Again"}).status_code == 303
    assert "This list is closed." not in comms.get(here).text
    assert client(cast.monitor).post(f"{here}/close", data={"why": "x"}).status_code == 403


def test_an_account_for_posts_by_hand_is_closed_and_used_again(
    wiring: Wiring, cast: Cast, client: Client, message: int
) -> None:
    with wiring.sessions.begin() as session:
        voice = session.scalars(select(Voice)).one()
        named = {"platform": "share_x", "handle": "ruth", "service": "", "secret": None}
        said = {"vault": wiring.vault, "by": 1, "now": NOW}
        number = voices.connect_account(session, voice, **named, **said).id
        other = voices.add_voice(session, name="Luis", role="Mayor", leader_id=5, by=1, now=NOW).id
    comms, where = client(cast.comms), f"/voices/1/accounts/{number}"
    assert comms.post(f"{where}/close", data={"why": ""}).status_code == 422
    assert client(cast.leader).post(f"{where}/close", data={"why": "x"}).status_code == 403
    wrong = f"/voices/{other}/accounts/{number}/close"
    assert comms.post(wrong, data={"why": "x"}).status_code == 404
    assert comms.post("/voices/1/accounts/1/close", data={"why": "x"}).status_code == 422
    assert comms.post(f"{where}/close", data={"why": "She left <X>"}).status_code == 303
    assert "She left &lt;X&gt;" in comms.get("/voices/1").text
    assert comms.post(f"{where}/open").status_code == 303
    assert comms.post(f"{where}/open").status_code == 422
    assert "used again" in comms.get("/voices/1").text


def test_a_contact_is_erased_for_good_and_only_that_is_told(
    wiring: Wiring, cast: Cast, client: Client
) -> None:
    with wiring.sessions.begin() as session:
        audience = listing.make_list(session, NOW)
        ana = {"email": "ana@town.example", "book": wiring.book}
        address = listing.member(session, audience, "Ana Ruiz", NOW, **ana).addresses[0]
        address_faults.note(session, address, "There is no such <mailbox>.", NOW)
    comms = client(cast.comms)
    page = comms.get("/contacts/1").text
    assert "There is no such &lt;mailbox&gt;." in page
    assert "does not arrive" in comms.get("/contacts").text
    assert "1 agreed, but nothing arrives there" in comms.get("/contacts/lists/1").text
    right = "/contacts/1/addresses/1/arrives"
    assert comms.post(right, data={"why": " "}).status_code == 422
    assert comms.post(right, data={"why": "Rang her"}).status_code == 303
    assert comms.post(right, data={"why": "Rang her"}).status_code == 422
    assert "Rang her" in comms.get("/contacts/1").text
    unsure = comms.post("/contacts/1/erase", data={"why": "Asked by phone"})
    assert (unsure.status_code, "Asked by phone" in unsure.text) == (422, True)
    sure = {"why": "Asked by phone", "sure": "yes"}
    assert client(cast.leader).post("/contacts/1/erase", data=sure).status_code == 403
    assert comms.post("/contacts/1/erase", data=sure).status_code == 303
    for path in ("/contacts/1", "/contacts/erasures"):
        page = comms.get(path).text
        assert "Asked by phone" in page
        assert "Jonah" in page
        assert "Ana" not in page
    assert "Ana" not in comms.get("/contacts").text + comms.get("/contacts/lists/1").text
    for path in ("", "/addresses", "/addresses/1/opt-out", "/addresses/1/arrives", "/erase"):
        assert comms.post(f"/contacts/1{path}", data=sure | ANA).status_code == 404
