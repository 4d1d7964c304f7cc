"""Taking back what is out: by whose word, once, whatever the worker and the server do."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from campaigns.afterwards import retracting
from campaigns.afterwards.afterwards import read_back
from campaigns.afterwards.retracting import (
    NotYoursToDecideError,
    OvertakenError,
    approve,
    decline,
    done_by_hand,
    history,
    propose,
    review,
    review_late,
    start_correction,
    take_down_at_once,
    withdraw,
)
from campaigns.afterwards.standing import matters, standing
from campaigns.afterwards.taking_down import CLAIM_PATIENCE, DIED, GIVE_UP, carry_out
from campaigns.deliver import deliver_next
from campaigns.drafting.messages import check, save_draft, start_message, state_of
from campaigns.models import Delivery, Message, Retraction, RetractionAttempt
from campaigns.publishers import (
    InDoubtError,
    NotSentError,
    PublisherRejectedError,
)
from campaigns.publishers.bluesky_keeper import BlueskyKeeper
from campaigns.publishers.dry_run import DryRunPublisher
from campaigns.publishers.keeping import Keeper, OwnRecordKeeper, Posted, Sight
from campaigns.sending.kill_switch import press
from campaigns.voices import connect_account, withdraw_consent
from tests.campaigns import cast
from tests.pds.server import Account as PdsAccount
from tests.pds.server import Pds

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class WorkerDiedError(BaseException):
    """The process ends here, as by a power cut: nothing below may catch it."""


class Dying:
    """A real keeper in a process that dies before or after its call."""

    def __init__(self, real: Keeper, *, calls: bool) -> None:
        self.real, self.calls, self.size = real, calls, real.size

    def look(self, posts: Sequence[Posted]) -> list[Sight]:
        return self.real.look(posts)

    def take_down(self, post: Posted) -> str:
        if self.calls:
            self.real.take_down(post)
        raise WorkerDiedError


class Failing(OwnRecordKeeper):
    """A platform that answers with one fault, and counts how often it was asked."""

    def __init__(self, fault: Exception) -> None:
        self.fault, self.asked = fault, 0

    def take_down(self, post: Posted) -> str:
        self.asked += 1
        raise self.fault


def carried_out(
    sessions: sessionmaker[Session], keeper: Keeper, at: datetime, vault: Fernet = cast.VAULT
) -> int:
    return carry_out(sessions, {"dry_run": keeper, "bluesky": keeper}, vault, lambda: at)


@pytest.fixture
def out(session: Session, sessions: sessionmaker[Session], now: datetime) -> Delivery:
    """A published rehearsal."""
    cast.approve_message(session, cast.make_message(session, now), now + HOUR, now)
    session.commit()
    at = now + HOUR
    assert deliver_next(sessions, {"dry_run": DryRunPublisher()}, cast.VAULT, lambda: at) == 1
    session.expire_all()
    return session.scalars(select(Delivery)).one()


@pytest.fixture
def account(pds: Pds) -> PdsAccount:
    return pds.create_account("retracting.test")


@pytest.fixture
def posted(
    session: Session,
    sessions: sessionmaker[Session],
    pds: Pds,
    account: PdsAccount,
    now: datetime,
) -> Delivery:
    """A post of Paula's that stands on a real server, and another of her own beside it."""
    voice = cast.make_voice(session, now)
    connect_account(
        session,
        voice,
        platform="bluesky",
        handle=account.handle,
        service=pds.url,
        secret=account.password,
        vault=cast.VAULT,
        by=cast.CARL_COMMS,
        now=now,
    )
    message = start_message(
        session, cast.make_campaign(session, now), voice, by=cast.CARL_COMMS, now=now
    )
    cast.approve_message(session, message, now + HOUR, now)
    session.commit()
    at = now + HOUR
    publishers = {"bluesky": BlueskyKeeper()}
    assert deliver_next(sessions, publishers, cast.VAULT, lambda: at) == 1
    session.expire_all()
    return session.scalars(select(Delivery)).one()


def under(pds: Pds, account: PdsAccount, delivery: Delivery) -> list[str]:
    """The post of this delivery, as it stands on the server."""
    return [one["uri"] for one in pds.posts(account) if one["uri"] == delivery.receipt_uri]


# ---- by whose word


def test_two_people_take_it_back(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    later = now + 2 * HOUR
    with pytest.raises(ValueError, match="Say why"):
        propose(session, out, reason=" \n ", by=cast.CARL_COMMS, now=later)
    session.rollback()
    asked = propose(session, out, reason="The crew moved", by=cast.CARL_COMMS, now=later)
    with pytest.raises(OvertakenError):
        propose(session, out, reason="Me too", by=cast.CORA_COMMS, now=later)
    assert [(one.kind, one.delivery.id) for one in matters(session, later)] == [
        ("take-down asked", out.id)
    ]
    session.commit()
    assert carried_out(sessions, OwnRecordKeeper(), later) == 0  # nobody has decided
    for stranger in (cast.CARL_COMMS, cast.DANA_DUTY_LEAD, cast.LENA_OTHER_LEADER):
        with pytest.raises(NotYoursToDecideError):
            approve(session, asked, by=stranger, now=later)
    approve(session, asked, by=cast.PASTOR_PAULA, now=later)
    with pytest.raises(OvertakenError):
        decline(session, asked, why="No", by=cast.PASTOR_PAULA, now=later)
    session.commit()
    assert carried_out(sessions, OwnRecordKeeper(), later) == 1
    assert carried_out(sessions, OwnRecordKeeper(), later) == 0
    session.expire_all()
    assert (asked.state, asked.decided_how, asked.carried_out_at) == (
        "carried_out",
        "approved",
        later,
    )
    (known,) = standing(session, [out], later)
    assert not known.stands
    assert known.removed_at is None
    assert out.state == "published"  # what happened stays on record


def test_the_schema_itself_wants_two_people(session: Session, out: Delivery, now: datetime) -> None:
    asked = propose(session, out, reason="The crew moved", by=cast.CARL_COMMS, now=now)
    asked.decided_how, asked.decided_by, asked.decided_at = "approved", cast.CARL_COMMS, now
    asked.state = "approved"
    with pytest.raises(IntegrityError, match="two_people"):
        session.flush()


def test_the_leaders_own_wish_needs_nobody_else(
    session: Session, out: Delivery, now: datetime
) -> None:
    asked = propose(session, out, reason="I do not want it", by=cast.PASTOR_PAULA, now=now)
    assert (asked.state, asked.decided_how) == ("approved", "own wish")


def test_a_no_leaves_it_and_may_be_followed_by_another_question(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    asked = propose(session, out, reason="The crew moved", by=cast.CARL_COMMS, now=now)
    decline(session, asked, why="It is still true", by=cast.PASTOR_PAULA, now=now)
    again = propose(session, out, reason="Now it is false", by=cast.CARL_COMMS, now=now + HOUR)
    session.commit()
    assert carried_out(sessions, OwnRecordKeeper(), now + HOUR) == 0
    assert (asked.state, again.state) == ("declined", "proposed")
    assert standing(session, [out], now)[0].stands


def test_who_asked_takes_it_back_while_nobody_has_decided(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    asked = propose(session, out, reason="The crew moved", by=cast.CARL_COMMS, now=now)
    for stranger in (cast.CORA_COMMS, cast.PASTOR_PAULA):
        with pytest.raises(NotYoursToDecideError):
            withdraw(session, asked, why="", by=stranger, now=now)
    withdraw(session, asked, why="They did not", by=cast.CARL_COMMS, now=now + HOUR)
    told = (asked.state, asked.decided_by, asked.decided_why, asked.settled_at)
    assert told == ("withdrawn", cast.CARL_COMMS, "They did not", now + HOUR)
    assert matters(session, now + HOUR) == []
    with pytest.raises(OvertakenError):
        approve(session, asked, by=cast.PASTOR_PAULA, now=now + HOUR)
    session.commit()
    assert carried_out(sessions, OwnRecordKeeper(), now + HOUR) == 0
    again = propose(session, out, reason="They did", by=cast.CARL_COMMS, now=now + HOUR)
    approve(session, again, by=cast.PASTOR_PAULA, now=now + HOUR)
    with pytest.raises(OvertakenError):
        withdraw(session, again, why="", by=cast.CARL_COMMS, now=now + HOUR)
    assert history(session, out) == [again, asked]


def test_in_an_emergency_the_leader_reviews(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    asked = propose(session, out, reason="An address", by=cast.CARL_COMMS, now=now)
    assert (
        take_down_at_once(
            session, out, reason="Somebody is in danger", by=cast.DANA_DUTY_LEAD, now=now
        )
        is asked
    )  # the one that waited is decided
    session.commit()
    assert carried_out(sessions, OwnRecordKeeper(), now) == 1
    session.expire_all()
    assert [one.kind for one in matters(session, now)] == ["to review"]
    assert not review_late(asked, now + 24 * HOUR)
    assert review_late(asked, now + 24 * HOUR + MINUTE)
    with pytest.raises(NotYoursToDecideError):
        review(session, asked, agreed=True, note="", by=cast.DANA_DUTY_LEAD, now=now)
    with pytest.raises(ValueError, match="Say why"):
        review(session, asked, agreed=False, note=" ", by=cast.PASTOR_PAULA, now=now)
    review(session, asked, agreed=False, note="Ask me first", by=cast.PASTOR_PAULA, now=now)
    assert matters(session, now) == []
    assert (asked.review, asked.state) == ("objected", "carried_out")  # nothing is put back
    with pytest.raises(OvertakenError):
        review(session, asked, agreed=True, note="", by=cast.PASTOR_PAULA, now=now)


def test_what_cannot_be_taken_back_says_so(session: Session, out: Delivery, now: datetime) -> None:
    out.account.platform = "email"
    with pytest.raises(ValueError, match="Send them a correction"):
        propose(session, out, reason="It was wrong", by=cast.CARL_COMMS, now=now)
    out.account.platform = "dry_run"
    out.state = "unconfirmed"
    assert "Only what is out" in retracting.why_not(out)
    session.rollback()


# ---- once, whatever happens


@pytest.mark.parametrize("calls", [True, False], ids=["after the call", "before the call"])
def test_a_worker_that_dies_leaves_a_doubt_that_is_looked_up(
    session: Session,
    sessions: sessionmaker[Session],
    pds: Pds,
    account: PdsAccount,
    posted: Delivery,
    now: datetime,
    calls: bool,
) -> None:
    beside = pds.post(account, "My own words.")
    asked = propose(session, posted, reason="It is wrong", by=cast.PASTOR_PAULA, now=now)
    session.commit()
    with pytest.raises(WorkerDiedError):
        carried_out(sessions, Dying(BlueskyKeeper(), calls=calls), now)
    session.expire_all()
    assert asked.state == "attempting"  # the attempt was on record before the call
    assert [one.outcome for one in asked.attempts] == [None]
    assert carried_out(sessions, BlueskyKeeper(), now + CLAIM_PATIENCE - MINUTE) == 0
    assert carried_out(sessions, BlueskyKeeper(), now + CLAIM_PATIENCE) == 1
    session.expire_all()
    assert asked.state == "carried_out"
    assert [(one.outcome, one.detail) for one in asked.attempts] == [
        ("unknown", DIED),
        ("down", "Looked up: it is not there any more." if calls else "Deleted there."),
    ]
    assert under(pds, account, posted) == []
    assert beside in [one["uri"] for one in pds.posts(account)]


def test_it_is_taken_down_although_nothing_may_go_out(
    session: Session,
    sessions: sessionmaker[Session],
    pds: Pds,
    account: PdsAccount,
    posted: Delivery,
    now: datetime,
) -> None:
    (consent,) = posted.account.voice.consents
    withdraw_consent(session, consent, why="Enough", by=cast.PASTOR_PAULA, now=now)
    press(session, None, reason="Stop", by=cast.DANA_DUTY_LEAD, now=now)
    asked = propose(session, posted, reason="Enough", by=cast.PASTOR_PAULA, now=now)
    session.commit()
    assert carried_out(sessions, BlueskyKeeper(), now) == 1
    session.expire_all()
    assert (asked.state, asked.outcome) == ("carried_out", "Deleted there.")
    assert under(pds, account, posted) == []
    assert deliver_next(sessions, {"bluesky": BlueskyKeeper()}, cast.VAULT, lambda: now) == 0
    # What we took down is not read any more, and nobody is told that it was removed.
    assert read_back(sessions, {"bluesky": BlueskyKeeper()}, cast.VAULT, lambda: now + HOUR) == 0


def test_deleting_again_on_the_real_server_is_harmless(
    pds: Pds, account: PdsAccount, posted: Delivery
) -> None:
    keeper = BlueskyKeeper()
    what = Posted(
        handle=account.handle,
        service=pds.url,
        secret=account.password,
        record_key=posted.record_key,
        record=posted.record,
        uri=posted.receipt_uri or "",
        url=posted.receipt_url,
    )
    assert keeper.take_down(what) == "Deleted there."
    assert keeper.take_down(what) == "It was not there any more."


def test_every_end_of_a_call_has_its_state(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    asked = propose(session, out, reason="It is wrong", by=cast.PASTOR_PAULA, now=now)
    session.commit()
    at = now
    for fault, state in (
        (NotSentError("It asks us to slow down.", retry_in=120.0), "approved"),
        (InDoubtError("It broke off."), "unconfirmed"),
        (NotSentError("It cannot be reached."), "unconfirmed"),  # the doubt stays one
        (PublisherRejectedError("It does not let us in."), "failed"),
    ):
        assert carried_out(sessions, Failing(fault), at) == 1
        session.expire_all()
        assert asked.state == state
        if asked.not_before:
            wait = asked.not_before - at
            assert wait >= (2 * MINUTE if state == "approved" else MINUTE)
            assert carried_out(sessions, Failing(fault), asked.not_before - MINUTE / 2) == 0
            at = asked.not_before
    assert "by hand" in asked.outcome
    assert [one.kind for one in matters(session, at)] == ["failed take-down"]
    done_by_hand(session, asked, note="Paula deleted it", by=cast.CARL_COMMS, now=at)
    assert asked.state == "carried_out"
    assert matters(session, at) == []


def test_after_a_day_a_person_must_do_it(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    asked = propose(session, out, reason="It is wrong", by=cast.PASTOR_PAULA, now=now)
    session.commit()
    assert carried_out(sessions, Failing(NotSentError("Closed.")), now + GIVE_UP) == 1
    session.expire_all()
    assert asked.state == "failed"


def test_a_worker_that_was_overtaken_changes_nothing_unless_it_is_down(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    asked = propose(session, out, reason="It is wrong", by=cast.PASTOR_PAULA, now=now)
    session.commit()

    class Slow(OwnRecordKeeper):
        """While it calls, a person says that it is down."""

        def take_down(self, post: Posted) -> str:
            with sessions.begin() as other:
                row = other.get_one(Retraction, asked.id)
                row.state, row.claims = "unconfirmed", row.claims + 1  # taken over meanwhile
                other.flush()
                done_by_hand(other, row, note="I saw it", by=cast.CARL_COMMS, now=now)
            raise PublisherRejectedError("Nothing is there.")

    assert carried_out(sessions, Slow(), now) == 1
    session.expire_all()
    assert asked.state == "carried_out"
    assert session.scalars(select(RetractionAttempt)).one().outcome == "refused"


def test_another_key_opens_nothing_and_says_so(
    session: Session, sessions: sessionmaker[Session], posted: Delivery, now: datetime
) -> None:
    asked = propose(session, posted, reason="It is wrong", by=cast.PASTOR_PAULA, now=now)
    session.commit()
    assert carried_out(sessions, BlueskyKeeper(), now, Fernet(Fernet.generate_key())) == 1
    session.expire_all()
    assert asked.state == "approved"
    assert "another secret key" in asked.outcome


def test_what_stands_under_another_address_is_left_alone(
    session: Session,
    sessions: sessionmaker[Session],
    pds: Pds,
    account: PdsAccount,
    posted: Delivery,
    now: datetime,
) -> None:
    """A person found a post of the leader's own, made by hand."""
    own = pds.post(account, "Made by hand.")
    link = f"https://bsky.app/profile/{account.handle}/post/{own.rpartition('/')[2]}"
    posted.receipt_uri = posted.receipt_url = link
    session.flush()
    asked = propose(session, posted, reason="It is wrong", by=cast.PASTOR_PAULA, now=now)
    session.commit()
    assert carried_out(sessions, BlueskyKeeper(), now) == 1
    session.expire_all()
    assert asked.state == "failed"
    assert own in [one["uri"] for one in pds.posts(account)]


def test_what_a_leader_deleted_is_noticed_and_never_undone(
    session: Session,
    sessions: sessionmaker[Session],
    pds: Pds,
    account: PdsAccount,
    posted: Delivery,
    now: datetime,
) -> None:
    pds.delete(account, posted.receipt_uri or "")
    keepers, at = {"bluesky": BlueskyKeeper()}, now + 2 * HOUR
    assert deliver_next(sessions, keepers, cast.VAULT, lambda: at) == 0
    assert read_back(sessions, keepers, cast.VAULT, lambda: at) == 1
    session.expire_all()
    (known,) = standing(session, [posted], at)
    assert known.removed_at == at
    assert [one.kind for one in matters(session, at)] == ["removed"]
    with pytest.raises(OvertakenError, match="never put it back"):
        propose(session, posted, reason="It is wrong", by=cast.CARL_COMMS, now=at)
    session.rollback()
    for later in (at + HOUR, at + 30 * HOUR):
        assert deliver_next(sessions, keepers, cast.VAULT, lambda later=later: later) == 0
        assert read_back(sessions, keepers, cast.VAULT, lambda later=later: later) == 0
    assert under(pds, account, posted) == []


def test_where_people_post_by_hand_they_take_it_down_by_hand(
    session: Session, sessions: sessionmaker[Session], out: Delivery, now: datetime
) -> None:
    out.account.platform = "share_x"
    asked = propose(session, out, reason="It is wrong", by=cast.CARL_COMMS, now=now)
    with pytest.raises(OvertakenError):
        done_by_hand(session, asked, note="Gone", by=cast.CARL_COMMS, now=now)  # not decided
    approve(session, asked, by=cast.PASTOR_PAULA, now=now)
    session.commit()
    assert carried_out(sessions, OwnRecordKeeper(), now) == 0
    done_by_hand(session, asked, note="Paula showed me", by=cast.CARL_COMMS, now=now)
    assert (asked.state, asked.outcome) == (
        "carried_out",
        "Taken down by hand: Paula showed me",
    )


# ---- corrections


def test_a_correction_is_a_message_of_its_own_and_owes_the_form(
    session: Session, out: Delivery, now: datetime
) -> None:
    wrong = out.approval.version.message
    other = start_message(session, wrong.campaign, wrong.voice, by=cast.CARL_COMMS, now=now)
    with pytest.raises(ValueError, match="Nothing of this message is out"):
        start_correction(session, other, by=cast.CARL_COMMS, now=now)
    right = start_correction(session, wrong, by=cast.CARL_COMMS, now=now)
    assert state_of(right) == "draft"
    link, _ = retracting.corrections_of(session, right)
    assert link is not None
    assert link.corrects is wrong
    assert [one.message for one in retracting.corrections_of(session, wrong)[1]] == [right]
    words = "Our town's bridge opens on Friday. Use it then, https://town.example/b."

    def form(message: Message) -> str:
        texts = {message.voice.accounts[0].id: words}
        draft = save_draft(session, message, texts, now + 9 * HOUR, by=cast.CARL_COMMS, now=now)
        return next(one.problem for one in check(session, draft, now) if one.number == 5)

    assert form(other) == ""  # the same words correct nothing there
    assert "It does not say what it corrects." in form(right)
