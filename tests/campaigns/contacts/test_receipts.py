"""What comes back of a text or a mail: any order, twice, late; and it never sends anything."""

import random
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from campaigns.contacts import address_faults, audiences, bounces, contacts, receipts
from campaigns.contacts.returned_mail import Answer, Bounce, read
from campaigns.deliver import deliver_next
from campaigns.models import (
    AddressFault,
    Approval,
    Contact,
    Delivery,
    DeliveryReport,
    OptOut,
    Reply,
)
from campaigns.publishers import InDoubtError, Parcel, Receipt
from campaigns.publishers.receipts import Said, by_kannel, by_twilio
from tests.campaigns import cast, listing
from tests.campaigns.contacts.test_returned_mail import answer, bounced
from tests.campaigns.listing import BOOK

DUE = timedelta(hours=2)
SID = "twilio:SM" + "1" * 32
MAIL, NUMBER = "ana@town.example", "+19895550142"


class Broken:
    """A gateway that breaks off in the midst of every call."""

    repeatable = False
    calls = 0

    def mark(self, parcel: Parcel) -> str:
        return ""

    def publish(self, parcel: Parcel) -> Receipt:
        self.calls += 1
        raise InDoubtError("The gateway broke off.")

    def find(self, parcel: Parcel) -> Receipt | None:
        raise InDoubtError("The gateway cannot be asked.")


def sent(session: Session, channel: str, now: datetime) -> tuple[Contact, Approval]:
    """A message to Ana alone, approved for in two hours."""
    parents = listing.make_list(session, now)
    reached = {"email": MAIL} if channel == "email" else {"number": NUMBER}
    ana = listing.member(session, parents, "Ana", now, **reached)
    account = listing.speak(session, parents, channel, now)
    text = listing.MAIL if channel == "email" else listing.TEXT
    return ana, listing.approved(session, account, now + DUE, now, text)


def test_in_any_order_and_twice_the_same_comes_out(session: Session, now: datetime) -> None:
    ana, approval = sent(session, "sms", now)
    delivery = listing.to(session, ana)
    said = [
        Said("twilio", "sent"),
        Said("twilio", "failed", "30003", "Their phone was off or out of reach."),
        Said("twilio", "delivered"),
    ] * 2
    random.Random(7).shuffle(said)
    for one in said:
        receipts.take(session, delivery.record_key, one, uri=SID, now=now + DUE)
    told = receipts.of_delivery(session, delivery.id)
    assert len(told) == 3
    best = receipts.fate(told)
    assert best is not None
    assert best.kind == "delivered"
    assert receipts.counted(session, approval, delivery.account_id) == {"delivered": 1}
    assert receipts.failures(session, approval, delivery.account_id) == []
    assert receipts.take(session, "no-such-key", said[0], uri=SID, now=now) is None


def test_a_receipt_by_our_own_key_ends_a_doubt_and_sends_nothing(
    sessions: sessionmaker[Session], now: datetime
) -> None:
    with sessions.begin() as session:
        ana, _ = sent(session, "sms", now)
    gateway, at = Broken(), now + DUE
    assert deliver_next(sessions, {"sms": gateway}, cast.VAULT, lambda: at) == 1
    with sessions.begin() as session:
        delivery = listing.to(session, session.merge(ana))
        assert delivery.state == "unconfirmed"
        receipts.take(session, delivery.record_key, Said("twilio", "sent"), uri=SID, now=at)
        assert (delivery.state, delivery.receipt_uri) == ("published", SID)
        assert not delivery.in_doubt
        # The network gives it up afterwards: it was sent, and did not arrive.
        lost = Said("twilio", "failed", "30008", "The carrier did not say why.")
        receipts.take(session, delivery.record_key, lost, uri=SID, now=at)
    for minutes in (3, 30, 300):
        later = at + timedelta(minutes=minutes)
        deliver_next(sessions, {"sms": gateway}, cast.VAULT, lambda at=later: at)
    assert gateway.calls == 1
    with sessions() as session:
        assert listing.to(session, session.merge(ana)).state == "published"


def test_what_a_restored_database_would_send_again_is_not_sent(
    sessions: sessionmaker[Session], now: datetime
) -> None:
    """The gateway has it, though our rows do not know of a call: late, but before the worker."""
    with sessions.begin() as session:
        ana, _ = sent(session, "sms", now)
        key = listing.to(session, ana).record_key
        receipts.take(session, key, Said("kannel", "delivered"), uri=f"kannel:{key}", now=now)
    gateway = Broken()
    deliver_next(sessions, {"sms": gateway}, cast.VAULT, lambda: now + DUE)
    assert gateway.calls == 0


def test_what_was_given_up_is_not_out_because_it_failed(session: Session, now: datetime) -> None:
    ana, _ = sent(session, "sms", now)
    contacts.end_consent(session, ana.addresses[0], why="Moved", by=2, now=now)
    delivery = listing.to(session, ana)
    lost = Said("kannel", "failed", "NACK 8", "The network refused it.")
    receipts.take(session, delivery.record_key, lost, uri="kannel:x", now=now)
    assert delivery.state == "withdrawn"
    receipts.take(session, delivery.record_key, Said("kannel", "sent"), uri="kannel:x", now=now)
    assert delivery.state == "published"


@pytest.mark.parametrize(
    ("form", "kind", "gone", "left"),
    [
        ({"MessageStatus": "undelivered", "ErrorCode": "30005"}, "failed", True, False),
        ({"MessageStatus": "failed", "ErrorCode": "21610"}, "failed", False, True),
        ({"MessageStatus": "undelivered", "ErrorCode": "30007"}, "failed", False, False),
        ({"MessageStatus": "delivered", "ErrorCode": "30005"}, "delivered", False, False),
        ({"MessageStatus": "failed", "ErrorCode": "<b>" * 99}, "failed", False, False),
        ({"MessageStatus": "queued"}, None, False, False),
        ({}, None, False, False),
    ],
)
def test_what_twilio_means(form: dict[str, str], kind: str | None, gone: bool, left: bool) -> None:
    said = by_twilio(form)
    assert (said.kind, said.gone, said.left) == (kind, gone, left) if said else kind is None


@pytest.mark.parametrize(
    ("bits", "words", "kind", "code"),
    [
        *(("1", "", "delivered", ""), ("8", "ACK/", "sent", ""), ("4", "", "sent", "")),
        ("2", "id:7 sub:001 dlvrd:000 stat:EXPIRED err:045 text:Hi", "failed", "EXPIRED 045"),
        *(("34", "", "failed", ""), ("16", "NACK/11/Invalid Destination", "failed", "NACK 11")),
        *(("0", "", None, ""), ("-1", "", None, ""), ("x", "", None, ""), ("9999", "", None, "")),
    ],
)
def test_what_kannel_means(bits: str, words: str, kind: str | None, code: str) -> None:
    said = by_kannel(bits, words)
    assert (said.kind, said.code) == (kind, code) if said else kind is None
    assert said is None or said.gone == (code == "NACK 11")


def test_a_dead_number_gets_nothing_more_until_somebody_puts_it_right(
    session: Session, now: datetime
) -> None:
    ana, _ = sent(session, "sms", now)
    delivery = listing.to(session, ana)
    gone = Said("twilio", "failed", "30005", "There is no such number any more.", gone=True)
    for _ in range(2):
        receipts.take(session, delivery.record_key, gone, uri=SID, now=now + DUE)
    audience = session.scalars(select(audiences.Audience)).one()
    there = audiences.reach(session, audience.id, "sms", now)
    assert (there.reached, there.broken, there.members) == (0, 1, 1)
    (fault,) = session.scalars(select(AddressFault)).all()
    assert fault.why == "There is no such number any more."
    with pytest.raises(ValueError, match="how you know"):
        address_faults.put_right(session, fault, why=" ", by=2, now=now)
    address_faults.put_right(session, fault, why="Rang her", by=2, now=now)
    assert audiences.reach(session, audience.id, "sms", now).reached == 1
    assert listing.to(session, ana).state == "withdrawn"  # what waited, stopped


def test_whoever_told_the_gateway_to_stop_has_told_us(session: Session, now: datetime) -> None:
    ana, _ = sent(session, "sms", now)
    left = Said("twilio", "failed", "21610", "They told Twilio.", left=True)
    receipts.take(session, listing.to(session, ana).record_key, left, uri=SID, now=now)
    (out,) = session.scalars(select(OptOut)).all()
    assert (out.how, out.label) == ("gateway", "…0142")


def test_a_bounce_is_kept_for_its_own_delivery_alone(session: Session, now: datetime) -> None:
    ana, _ = sent(session, "email", now)
    delivery = listing.to(session, ana)
    delivery.state, delivery.receipt_uri, delivery.settled_at = "published", "mid:x", now
    ours = f"{delivery.record_key}@hope.example"
    for message_id, known in (
        (ours, True),
        (ours, True),
        (f"{delivery.record_key}@elsewhere.example", False),
        ("somebody@hope.example", False),
    ):
        found = read(bounced(message_id=message_id))
        assert isinstance(found, Bounce)
        assert bounces.came_back(session, found, now) is known
    (told,) = session.scalars(select(DeliveryReport)).all()
    assert (told.kind, told.code, told.detail) == ("failed", "5.1.1", "There is no such mailbox.")
    assert contacts.opted_out(session, ana.addresses) == {}
    assert address_faults.standing(session, ana.addresses).keys() == {ana.addresses[0].id}
    assert session.scalars(select(Delivery.state)).all() == ["published"]


def test_stop_by_mail_counts_at_once_and_other_words_wait(session: Session, now: datetime) -> None:
    ana, _ = sent(session, "email", now)
    ours = f"{listing.to(session, ana).record_key}@hope.example"

    def heard(raw: bytes) -> str:
        found = read(raw)
        assert isinstance(found, Answer)
        return bounces.answered(session, BOOK, found, str(hash(raw)), now)

    said = "Who pays for this?"
    stranger = answer(said, In_Reply_To="<other@hope.example>")
    assert heard(stranger) == ""  # no mail of ours: spam does not fill anybody's page
    for _ in range(2):
        assert heard(answer(said, In_Reply_To=f"<{ours}>")) == "words"
    assert [one.channel for one in session.scalars(select(Reply))] == ["email"]
    assert listing.to(session, ana).state == "scheduled"
    # From another address than she got it at: the mail in the answer says whose list it is.
    other = answer("Stop.\n\nAna", In_Reply_To=f"<{ours}>").replace(
        b"Town.example", b"work.example"
    )
    assert heard(other) == "stop"
    (out,) = session.scalars(select(OptOut)).all()
    assert (out.how, out.label) == ("mail", "a…@town.example")
    assert listing.to(session, ana).state == "withdrawn"
