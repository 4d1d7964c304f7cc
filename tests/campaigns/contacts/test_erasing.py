"""To be forgotten: nothing is left that says who they were, and no file brings them back."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from campaigns.contacts import audiences, contacts, erasing, opt_outs, receipts
from campaigns.models import Attempt, Contact, ContactErasure, Delivery, Finding, OptOut, Reply
from campaigns.publishers.receipts import Said
from tests.campaigns import cast, listing
from tests.campaigns.listing import BOOK

DAY = timedelta(days=1)
MAIL, NUMBER = "ana.ruiz@town.example", "+19895550142"
WHO = ("Ana Ruiz", "ana.ruiz", "a…@town", "5550142", "0142", "Detroit", "Sheet 4", "26111")
TABLES = (
    *("contacts", "contact_addresses", "contact_consents", "contact_erasures", "opt_outs"),
    *("replies", "deliveries", "attempts", "findings", "delivery_reports", "address_faults"),
    *("audience_members", "barks"),
)


def left(session: Session) -> str:
    """Everything that stands in the tables that know of contacts, as text."""
    session.flush()
    return "\n".join(
        str(session.execute(text(f"SELECT {table}::text FROM {table}")).all()) for table in TABLES
    )


def erase(session: Session, one: Contact, now: datetime) -> None:
    erasing.erase(session, BOOK, one, why="Asked by phone", by=cast.CARL_COMMS, now=now)


def test_nothing_is_left_but_that_there_was_somebody(session: Session, now: datetime) -> None:
    parents = listing.make_list(session, now)
    ana = listing.member(session, parents, "Ana Ruiz", now, email=MAIL, number=NUMBER)
    ben = listing.member(session, parents, "Ben", now, email="ben@town.example")
    account = listing.speak(session, parents, "email", now)
    approval = listing.approved(session, account, now + timedelta(hours=2), now)
    sent, waits = listing.to(session, ana), listing.to(session, ben)
    sent.state, sent.receipt_uri, sent.settled_at = "published", "mid:x", now
    sent.detail = f"550 <{MAIL}>"
    sent.attempts.append(Attempt(started_at=now, ended_at=now, outcome="published", detail=MAIL))
    sent.findings.append(Finding(there=True, again=False, note="Asked Ana Ruiz", by=2, at=now))
    said = Said("mail", "failed", "5.1.1", f"No such user {MAIL}", gone=True)
    receipts.take(session, sent.record_key, said, now=now)
    told = {"gateway": "test", "gateway_id": "1", "number": NUMBER}
    opt_outs.hear(session, BOOK, **told, words="Who is this? Ana Ruiz", now=now)
    assert all(who in left(session) for who in ("Ana Ruiz", "a…@town", "0142"))
    hashes = [one.hash for one in ana.addresses]
    erase(session, ana, now)
    found = left(session)
    assert [who for who in WHO if who in found and who != "Sheet 4" and who != "Detroit"] == []
    assert hashes[0] in found  # of the opt-out that stands
    assert (ana.name, ana.zones, ana.county, ana.zone) == (erasing.NAME, [], None, None)
    outs = session.scalars(select(OptOut)).all()
    assert {(one.how, one.label, one.sealed) for one in outs} == {("erased", "erased", None)}
    assert session.scalars(select(Reply.outcome)).all() == ["opt-out"]
    # What was sent keeps its number; the others are none the wiser.
    assert session.get_one(Delivery, sent.id).state == "published"
    assert session.get_one(Delivery, waits.id).state == "scheduled"
    assert session.scalars(select(Delivery).where(Delivery.approval_id == approval.id)).all()
    assert contacts.search(session, BOOK, "ana")[1] == 0
    assert contacts.search(session, BOOK, MAIL)[1] == 0
    assert [one.id for one in audiences.members(session, parents)[0]] == [ben.id]
    ((erasure, number),) = erasing.log(session)
    assert (erasure.why, erasure.by, number) == ("Asked by phone", cast.CARL_COMMS, 1)
    assert opt_outs.leave(session, sent.record_key, now)  # their old link still answers
    assert len(session.scalars(select(OptOut)).all()) == 2
    with pytest.raises(ValueError, match="already"):
        erase(session, ana, now)


def test_they_come_back_only_by_their_own_later_word(session: Session, now: datetime) -> None:
    parents = listing.make_list(session, now)
    erase(session, listing.member(session, parents, "Ana", now, email=MAIL), now)
    # A file from before: the same person, the same old sheet.
    listing.member(session, parents, "Ana", now, email=MAIL)
    there = audiences.reach(session, parents.id, "email", now)
    assert (there.members, there.reached, there.left) == (1, 0, 1)
    again = listing.member(session, parents, "Ana R.", now + 3 * DAY, number=NUMBER)
    address = contacts.find_address(session, BOOK, "email", MAIL)
    assert address is not None
    assert address.contact is not again
    contacts.record_consent(
        session,
        address,
        given_at=now + DAY,
        how="Signed",
        evidence="Sheet 9",
        wording="By mail",
        by=2,
        now=now + 2 * DAY,
    )
    assert audiences.reach(session, parents.id, "email", now + 2 * DAY).reached == 1


@pytest.mark.parametrize("state", ["attempting", "unconfirmed"])
def test_not_while_nobody_knows_what_became_of_a_message(
    session: Session, now: datetime, state: str
) -> None:
    parents = listing.make_list(session, now)
    ana = listing.member(session, parents, "Ana", now, email=MAIL)
    listing.approved(session, listing.speak(session, parents, "email", now), now + DAY, now)
    delivery = listing.to(session, ana)
    delivery.state, delivery.claimed_at = state, now
    session.flush()
    with pytest.raises(erasing.UnderWayError) as fault:
        erase(session, ana, now)
    assert fault.value.delivery is delivery
    assert session.scalars(select(ContactErasure)).all() == []
