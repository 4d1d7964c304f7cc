"""A message to a list: to whoever agreed, when it is day there, once, and nobody else waits."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from aiosmtpd.smtp import SMTP, Envelope
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from campaigns.contacts import address_faults, contacts, opt_outs, recipients
from campaigns.contacts.audiences import connect, reach
from campaigns.deliver import deliver_next
from campaigns.drafting.messages import NotReadyError, state_of
from campaigns.limits import set_limits
from campaigns.models import Account, Approval, Audience, Contact, Delivery
from campaigns.publishers.email import EmailPublisher
from campaigns.publishers.housed import Housed
from campaigns.publishers.twilio import TwilioPublisher
from campaigns.sending.watchdogs import concerns
from tests.campaigns import cast, listing
from tests.campaigns.listing import BOOK, approved, make_list, member, speak, to
from tests.campaigns.publishers.test_email import Mailbox, serving
from tests.campaigns.publishers.test_twilio import ACCOUNT, KEY, StandIn, standing_in

HOUR = timedelta(hours=1)
MORNING = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)  # 6 in Detroit

Deliver = Callable[[datetime], int]


class Picky(Mailbox):
    """A mail server that knows everybody but one."""

    refusal = "550 no such user"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: object, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == "gone@town.example":
            return self.refusal
        return await super().handle_RCPT(server, session, envelope, address, options)


@pytest.fixture
def mailbox() -> Picky:
    return Picky()


@pytest.fixture
def twilio() -> Iterator[StandIn]:
    with standing_in() as stand_in:
        yield stand_in


@pytest.fixture
def deliver(sessions: sessionmaker[Session], mailbox: Picky, twilio: StandIn) -> Iterator[Deliver]:
    """One pass of a worker at a moment, by a real mail server."""
    with serving(mailbox, auth_require_tls=False) as service:
        publishers = {
            "email": Housed(EmailPublisher(), service, "desk:right"),
            "sms": Housed(TwilioPublisher(), twilio.url, f"{ACCOUNT}:{KEY}:right"),
        }
        yield lambda at: deliver_next(sessions, publishers, cast.VAULT, lambda: at)


@pytest.fixture
def parents(session: Session, now: datetime) -> Audience:
    return make_list(session, now)


@pytest.fixture
def three(session: Session, parents: Audience, now: datetime) -> list[Contact]:
    return [
        member(session, parents, name, now, email=f"{name.lower()}@town.example")
        for name in ("Ana", "Gone", "Marta")
    ]


@pytest.fixture
def mailed(session: Session, parents: Audience, three: list[Contact], now: datetime) -> Approval:
    """A mail to the three, due in an hour."""
    approval = approved(session, speak(session, parents, "email", now), now + HOUR, now)
    session.commit()
    return approval


def _texted(twilio: StandIn) -> list[str]:
    """The numbers that texts went to, in order."""
    return [one["to"] for one in reversed(twilio.messages)]


def test_what_a_server_says_of_a_recipient_holds_for_every_other_message(
    session: Session,
    deliver: Deliver,
    mailbox: Picky,
    twilio: StandIn,
    mailed: Approval,
    parents: Audience,
    three: list[Contact],
    now: datetime,
) -> None:
    mailbox.refusal = "550 5.1.1 no such user"
    ben = member(session, parents, "Ben", now, number="+19895550142")
    twilio.stopped = {"+19895550142"}  # he answered STOP to Twilio before it was ours
    account = speak(session, parents, "sms", now)
    approved(session, account, now + HOUR, now, listing.TEXT)
    session.commit()
    assert deliver(now + HOUR) == 4
    assert to(session, ben).state == "rejected"
    assert [one.how for one in contacts.opted_out(session, ben.addresses).values()] == ["gateway"]
    gone = three[1].addresses[0]
    assert "550 5.1.1" in address_faults.standing(session, three[1].addresses)[gone.id].why
    there = reach(session, parents.id, "email", now)
    assert (there.reached, there.broken) == (2, 1)


def test_three_recipients_one_refused_two_delivered(
    session: Session,
    deliver: Deliver,
    mailbox: Picky,
    mailed: Approval,
    parents: Audience,
    three: list[Contact],
    now: datetime,
) -> None:
    member(session, parents, "Late", now, email="late@town.example")  # after the approval
    session.commit()
    assert deliver(now) == 0
    assert deliver(now + HOUR) == 3
    assert deliver(now + 2 * HOUR) == 0
    assert sorted(one.rcpt_tos[0] for one in mailbox.taken) == [
        "ana@town.example",
        "marta@town.example",
    ]
    assert [to(session, one).state for one in three] == ["published", "rejected", "published"]
    (tally,) = recipients.tallies(session, mailed)
    assert tally.counts == {"published": 2, "rejected": 1}
    assert state_of(mailed.version.message) == "partly published"
    (refused,) = concerns(session, now + HOUR)
    assert refused.delivery == to(session, three[1])
    body = mailbox.taken[0].original_content
    key = next(one for one in (to(session, three[0]), to(session, three[2]))).record_key
    assert isinstance(body, bytes)
    assert f"/leave/{key}".encode() in body.replace(b"=\r\n", b"")
    assert b"Subject: The bridge\r\n" in body


@pytest.mark.parametrize("how", ["stop", "consent", "words"])
def test_a_no_between_approval_and_claim_stops_that_recipient_alone(
    session: Session,
    deliver: Deliver,
    twilio: StandIn,
    parents: Audience,
    now: datetime,
    how: str,
) -> None:
    ana = member(session, parents, "Ana", now, number="(989) 555-0142")
    ben = member(session, parents, "Ben", now, number="(989) 555-0143")
    cat = member(session, parents, "Cat", now, number="(989) 555-0144")
    twilio.stopped.add("+19895550144")  # who told Twilio before we knew
    approved(session, speak(session, parents, "sms", now), now + HOUR, now, listing.TEXT)
    if how == "consent":
        contacts.end_consent(
            session, ana.addresses[0], why="She called", by=cast.CARL_COMMS, now=now
        )
    else:
        opt_outs.hear(
            session,
            BOOK,
            gateway="test",
            gateway_id="1",
            number="+19895550142",
            words="Stop." if how == "stop" else "who is this, leave me alone",
            now=now,
        )
    session.commit()
    deliver(now + HOUR)
    assert _texted(twilio) == ["+19895550143"]
    assert [to(session, one).state for one in (ben, cat)] == ["published", "rejected"]
    held = to(session, ana)
    if how != "words":
        assert held.state == "withdrawn"
        return
    # Nobody has read it yet: nothing goes to her until somebody has, or it is too late.
    assert (held.state, held.detail[:9]) == ("scheduled", "The recip")
    deliver(now + 7 * HOUR)
    assert to(session, ana).state == "missed"
    assert len(_texted(twilio)) == 1


def test_a_no_that_only_the_claim_can_see_counts_too(
    session: Session, deliver: Deliver, mailbox: Picky, mailed: Approval, three: list[Contact]
) -> None:
    """As when it was recorded by another program, or in another room's transaction."""
    consent = three[0].addresses[0].consents[0]
    consent.ended_at, consent.ended_by, consent.ended_why = mailed.approved_at, 1, "Said so"
    session.commit()
    deliver(mailed.approved_at + HOUR)
    assert to(session, three[0]).detail == "The recipient’s consent ended."
    assert [one.rcpt_tos for one in mailbox.taken] == [["marta@town.example"]]


def test_two_workers_send_each_mail_once(
    session: Session, deliver: Deliver, mailbox: Picky, mailed: Approval, now: datetime
) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(deliver, [now + HOUR] * 2)) == 3
    assert len(mailbox.taken) == 2
    query = select(Delivery.claims).where(Delivery.approval_id == mailed.id)
    assert session.scalars(query).all() == [1, 1, 1]


def test_a_text_waits_for_the_morning_where_the_recipient_is(
    session: Session, deliver: Deliver, twilio: StandIn, parents: Audience
) -> None:
    before = MORNING - HOUR
    member(session, parents, "Ana", before, number="(989) 555-0142")
    maine = member(session, parents, "Sky", before, number="(207) 555-0142", zone="Asia/Tokyo")
    far = member(session, parents, "Kai", before, number="(808) 555-0142", zone="")
    account = speak(session, parents, "sms", before)
    approved(session, account, MORNING, before, listing.TEXT)
    session.commit()
    deliver(MORNING)  # 6:00 in Detroit, 20:00 in Tokyo, 1:00 in Honolulu
    assert _texted(twilio) == ["+12075550142"]
    assert to(session, maine).state == "published"
    # In Honolulu the day begins when this is no longer fresh.
    assert (to(session, far).state, far.zones) == ("missed", ["Pacific/Honolulu"])
    assert concerns(session, MORNING + HOUR)[0].kind == "missed"  # and the held one is no fault
    deliver(MORNING + timedelta(hours=1, minutes=59))
    assert len(_texted(twilio)) == 1
    deliver(MORNING + 2 * HOUR)
    assert _texted(twilio)[1:] == ["+19895550142"]


def test_after_nine_in_the_evening_it_is_not_sent(
    session: Session, deliver: Deliver, twilio: StandIn, parents: Audience
) -> None:
    evening = datetime(2026, 11, 25, 1, 30, tzinfo=UTC)  # 20:30 in Detroit
    ana = member(session, parents, "Ana", MORNING, number="(989) 555-0142")
    approved(session, speak(session, parents, "sms", MORNING), evening, MORNING, listing.TEXT)
    session.commit()
    deliver(evening + timedelta(minutes=35))
    assert _texted(twilio) == []
    assert to(session, ana).state == "missed"


def test_one_person_gets_two_messages_a_week(
    session: Session, deliver: Deliver, mailbox: Picky, parents: Audience, now: datetime
) -> None:
    ana = member(session, parents, "Ana", now, email="ana@town.example")
    account = speak(session, parents, "email", now)
    ends = []
    for day in range(3):
        at = now + timedelta(days=day)
        approved(session, account, at + HOUR, at, f"{listing.MAIL} Day {day}.")
        session.commit()
        deliver(at + HOUR)
        ends.append(to(session, ana).state)
    assert ends == ["published", "published", "missed"]
    assert len(mailbox.taken) == 2
    assert "at most 2 messages in 7 days" in to(session, ana).detail


def test_a_list_is_one_post_of_the_voices_day(
    session: Session, deliver: Deliver, mailbox: Picky, mailed: Approval, now: datetime
) -> None:
    set_limits(
        session,
        mailed.version.message.voice,
        per_day=1,
        quiet_from=None,
        quiet_until=None,
        zone="UTC",
        credibility="",
        security_contact="",
        by=cast.CARL_COMMS,
        now=now,
    )
    session.commit()
    deliver(now + HOUR)
    assert len(mailbox.taken) == 2


def test_a_change_of_the_sender_after_approval_stops_all(
    session: Session, deliver: Deliver, mailbox: Picky, mailed: Approval, parents: Audience
) -> None:
    account = session.scalars(select(Account).where(Account.platform == "email")).one()
    connect(
        session,
        account.voice,
        parents,
        channel="email",
        sender="other@hope.example",
        registration="",
        desk=listing.DESK,
        by=cast.CARL_COMMS,
        now=mailed.approved_at,
    )
    session.commit()
    deliver(mailed.approved_at + HOUR)
    assert mailbox.taken == []
    (tally,) = recipients.tallies(session, mailed)
    assert tally.counts == {"withdrawn": 3}


def test_a_server_that_takes_nothing_is_not_tried_for_the_whole_list(
    session: Session, deliver: Deliver, mailbox: Picky, parents: Audience, now: datetime
) -> None:
    for number in range(6):
        member(session, parents, f"Person {number}", now, email=f"p{number}@town.example")
    approval = approved(session, speak(session, parents, "email", now), now + HOUR, now)
    session.commit()
    mailbox.answers["MAIL"] = "451 later"
    assert deliver(now + HOUR) == 3
    mailbox.answers.clear()
    assert deliver(now + HOUR + timedelta(minutes=1)) == 3  # the others; these three rest
    assert deliver(now + 2 * HOUR) == 3
    (tally,) = recipients.tallies(session, approval)
    assert tally.counts == {"published": 6}


def test_a_list_of_nobody_who_agreed_cannot_be_approved(
    session: Session, parents: Audience, now: datetime
) -> None:
    ana = member(session, parents, "Ana", now, email="ana@town.example")
    contacts.end_consent(session, ana.addresses[0], why="Said so", by=1, now=now)
    account = speak(session, parents, "email", now)
    there = reach(session, parents.id, "email", now)
    assert (there.members, there.reached, there.not_agreed) == (1, 0, 1)
    with pytest.raises(NotReadyError, match="Nobody on this list agreed"):
        approved(session, account, now + HOUR, now)
