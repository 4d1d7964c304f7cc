"""Accounts that are signed in at a real server of their own: given, renewed, used, and ended."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from secrets import token_urlsafe
from threading import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from campaigns.accounts import grants
from campaigns.accounts.grants import Asked
from campaigns.accounts.renewing import PATIENCE, REST, renew_due
from campaigns.deliver import deliver_next
from campaigns.drafting.messages import start_message
from campaigns.models import Account, Delivery, Grant, Voice
from campaigns.publishers.bluesky import BlueskyPublisher
from campaigns.publishers.bluesky_keeper import BlueskyKeeper
from campaigns.publishers.dpop import Key, Line, new_key, pass_of
from campaigns.publishers.keeping import Posted
from campaigns.publishers.oauth import SCOPES, OAuth, Tokens
from campaigns.sending.watchdogs import concerns
from campaigns.voices import connect_account, withdraw_consent
from campaigns.wording.content import mint_record_key, record_for
from sources.db import Base
from tests.campaigns import cast
from tests.campaigns.places import THREAD
from tests.campaigns.publishers.test_bluesky import a_picture, parcel_for, with_picture
from tests.pds.consent import Person, loopback_desk, loopback_line
from tests.pds.server import Account as PdsAccount
from tests.pds.server import Pds

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
DEAD = "no worker lived to keep this"


@pytest.fixture
def line() -> Line:
    return loopback_line()


@pytest.fixture
def oauth(pds: Pds) -> OAuth:
    return loopback_desk(pds)


@pytest.fixture
def owner(pds: Pds) -> PdsAccount:
    return pds.create_account("granted.test")


@pytest.fixture
def person(pds: Pds, owner: PdsAccount) -> Iterator[Person]:
    person = Person(pds, owner)
    yield person
    person.close()


def signed_in(
    session: Session, oauth: OAuth, voice: Voice, who: Person, now: datetime, handle: str
) -> Account:
    """``who`` opens the page of ``handle``'s server and says yes."""
    home = oauth.directory.home(handle)
    issuer = oauth.directory.issuer_of(home)
    asked = Asked(state=f"state {now} {voice.id}", verifier=token_urlsafe(32), key=new_key())
    there, scope = oauth.ask(
        home, issuer, key=asked.key, state=asked.state, verifier=asked.verifier
    )
    assert scope == SCOPES[0]
    grants.ask(
        session,
        voice,
        home,
        asked,
        issuer=issuer.issuer,
        client=oauth.client,
        scope=scope,
        bound_to="a session",
        vault=cast.VAULT,
        by=cast.PASTOR_PAULA,
        now=now,
    )
    code = who.decides(there).partition("code=")[2].partition("&")[0]
    grant = grants.answered(session, asked.state, "a session", now)
    assert grant is not None
    tokens = oauth.take(grant.issuer, code=code, verifier=asked.verifier, key=asked.key)
    account = grants.give(session, grant, tokens, oauth.client, cast.VAULT, now)
    session.commit()
    return account


@pytest.fixture
def account(session: Session, oauth: OAuth, person: Person, now: datetime) -> Account:
    voice = cast.make_voice(session, now)
    return signed_in(session, oauth, voice, person, now, "granted.test")


@pytest.fixture
def delivery(session: Session, account: Account, now: datetime) -> Delivery:
    """Approved for the account, due in an hour."""
    campaign = cast.make_campaign(session, now)
    message = start_message(session, campaign, account.voice, by=cast.CARL_COMMS, now=now)
    approval = cast.approve_message(session, message, now + HOUR, now)
    session.commit()
    return approval.deliveries[0]


@pytest.fixture
def deliver(sessions: sessionmaker[Session], line: Line) -> Callable[[datetime], int]:
    publisher = BlueskyPublisher(line=line)
    return lambda at: deliver_next(sessions, {"bluesky": publisher}, cast.VAULT, lambda: at)


@pytest.fixture
def renew(sessions: sessionmaker[Session], oauth: OAuth) -> Callable[[datetime], int]:
    return lambda at: renew_due(sessions, oauth, cast.VAULT, lambda: at)


def newest(session: Session) -> Grant:
    session.expire_all()
    return session.scalars(select(Grant).order_by(Grant.id.desc())).first()  # type: ignore[return-value]


def test_a_post_goes_out_and_the_token_is_renewed_in_time(
    session: Session,
    pds: Pds,
    owner: PdsAccount,
    delivery: Delivery,
    deliver: Callable[[datetime], int],
    renew: Callable[[datetime], int],
    now: datetime,
) -> None:
    grant = newest(session)
    first = delivery.account.secret
    assert (grant.did, grant.scope) == (owner.did, SCOPES[0])
    assert grant.access_until is not None
    assert now + timedelta(minutes=58) < grant.access_until <= now + HOUR
    assert renew(now + SECOND) == 0
    assert renew(now + HOUR - timedelta(minutes=5)) == 1
    assert newest(session).renewed_at == now + HOUR - timedelta(minutes=5)
    session.refresh(delivery.account)
    assert delivery.account.secret != first
    opens = pass_of(cast.VAULT.decrypt(delivery.account.secret or b"").decode())
    assert opens is not None
    assert opens.token not in repr(opens) + repr(delivery)
    deliver(delivery.due_at)
    session.refresh(delivery)
    assert (delivery.state, delivery.detail) == ("published", "")
    (post,) = [one for one in pds.posts(owner) if one["uri"].endswith(delivery.record_key)]
    assert post["value"] == delivery.record


def test_the_least_scope_is_enough_for_pictures_threads_and_taking_down(
    session: Session, pds: Pds, owner: PdsAccount, account: Account, line: Line, now: datetime
) -> None:
    keeper = BlueskyKeeper(line=line)
    secret = cast.VAULT.decrypt(account.secret or b"").decode()
    plain = replace(parcel_for(pds, owner, "Look.", now), secret=secret)
    pictured = with_picture(plain, now, a_picture())
    thread = replace(
        plain,
        record_key=mint_record_key(now + SECOND),
        record=record_for({"text": THREAD}, now),
    )
    for parcel in (pictured, thread):
        parcel = replace(parcel, mark=keeper.mark(parcel))
        assert keeper.find(parcel) is None
        receipt = keeper.publish(parcel)
        assert keeper.find(parcel) == receipt
        post = Posted("", pds.url, secret, parcel.record_key, parcel.record, receipt.uri, None)
        assert keeper.take_down(post) == "Deleted there."
        assert keeper.take_down(post) == "It was not there any more."


def test_a_server_that_fails_is_told_before_a_message_would_need_it(
    session: Session, pds: Pds, delivery: Delivery, renew: Callable[[datetime], int], now: datetime
) -> None:
    grant = newest(session)
    grant.issuer = "http://localhost:1"
    session.commit()
    at = now + timedelta(minutes=50)
    assert renew(at) == 1
    grant = newest(session)
    assert "cannot be asked" in grant.detail
    assert grant.ended_at is None
    assert concerns(session, at)[0].kind == "password"
    assert renew(at + SECOND) == 0  # not at once
    grant.issuer = pds.plc_url  # another page is at its address: it is being mended
    session.commit()
    assert renew(at + REST) == 1
    grant = newest(session)
    assert "does not say what we need" in grant.detail
    assert grant.ended_at is None
    grant.issuer = delivery.account.service
    session.commit()
    assert renew(at + 2 * REST) == 1
    session.expire_all()
    assert newest(session).detail == ""
    assert concerns(session, at) == []


def test_a_desk_that_was_started_under_another_address_throws_nothing_away(
    session: Session,
    account: Account,
    oauth: OAuth,
    renew: Callable[[datetime], int],
    now: datetime,
) -> None:
    at, ours = now + timedelta(minutes=50), oauth.client
    oauth.client = replace(ours, client_id="https://elsewhere.example.org/oauth")
    assert renew(at) == 1
    assert "another address" in newest(session).detail
    oauth.client = ours
    assert renew(at + REST) == 1
    assert (newest(session).detail, newest(session).ended_at) == ("", None)


def test_two_workers_renew_once(
    session: Session, account: Account, sessions: sessionmaker[Session], oauth: OAuth, now: datetime
) -> None:
    """A refresh token counts once: a second use would end the whole sign-in."""
    calls: list[str] = []
    real, both = oauth.renew, Barrier(2)

    def counted(issuer: str, *, refresh: str, key: Key) -> Tokens:
        calls.append(refresh)
        return real(issuer, refresh=refresh, key=key)

    oauth.renew = counted  # type: ignore[method-assign]

    def work(_: int) -> int:
        both.wait(30)
        return renew_due(sessions, oauth, cast.VAULT, lambda: now + HOUR)

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(work, range(2))) == 1
    assert len(calls) == 1
    assert newest(session).ended_at is None


def test_a_worker_that_dies_with_the_new_token_ends_in_a_clear_word(
    session: Session,
    delivery: Delivery,
    oauth: OAuth,
    person: Person,
    sessions: sessionmaker[Session],
    deliver: Callable[[datetime], int],
    renew: Callable[[datetime], int],
    now: datetime,
) -> None:
    due, real = delivery.due_at, oauth.renew

    def dying(issuer: str, *, refresh: str, key: Key) -> Tokens:
        real(issuer, refresh=refresh, key=key)
        raise KeyboardInterrupt(DEAD)

    oauth.renew = dying  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        renew(now + timedelta(minutes=50))
    oauth.renew = real  # type: ignore[method-assign]
    assert renew(now + timedelta(minutes=51)) == 0  # for all we know it is still at work
    assert renew(now + timedelta(minutes=50) + PATIENCE) == 1
    grant = newest(session)
    assert grant.ended_at is not None
    assert grant.ended_by is None
    assert "invalid" in (grant.ended_why or "").lower() or "replay" in (grant.ended_why or "")
    assert grant.sealed is None
    assert delivery.account.secret is None
    assert [one.kind for one in concerns(session, due - SECOND)] == ["password"]
    deliver(due)
    session.refresh(delivery)
    assert delivery.state == "retry_later"
    assert "is not signed in: connect it" in delivery.detail
    # They sign in again, and what waited goes out at once.
    at = due + 10 * SECOND
    signed_in(session, oauth, delivery.account.voice, person, at, "granted.test")
    deliver(at + SECOND)
    session.refresh(delivery)
    assert delivery.state == "published"


def test_what_is_taken_back_at_the_server_is_noticed_and_refuses_nothing(
    session: Session,
    delivery: Delivery,
    person: Person,
    deliver: Callable[[datetime], int],
    renew: Callable[[datetime], int],
    now: datetime,
) -> None:
    assert renew(now + timedelta(minutes=50)) == 1
    person.takes_back()
    deliver(delivery.due_at)
    session.refresh(delivery)
    assert delivery.state == "retry_later"
    assert "does not know this sign-in" in delivery.detail
    assert [attempt.outcome for attempt in delivery.attempts] == ["not_sent"]
    assert renew(delivery.due_at + SECOND) == 1  # not at its time: because it failed
    assert newest(session).ended_at == delivery.due_at + SECOND
    assert renew(delivery.due_at + HOUR) == 0


def test_a_person_ends_it_and_its_server_is_told(
    session: Session,
    account: Account,
    person: Person,
    renew: Callable[[datetime], int],
    now: datetime,
) -> None:
    before = len(person.sessions())
    grants.replace(session, account, why="A new phone", by=cast.PASTOR_PAULA, now=now)
    session.commit()
    grant = newest(session)
    assert (grant.ended_by, grant.ended_why) == (cast.PASTOR_PAULA, "A new phone")
    assert account.secret is None
    assert grant.sealed is not None  # until its server has been told
    assert renew(now + SECOND) == 1
    assert len(person.sessions()) == before - 1
    assert newest(session).sealed is None
    assert renew(now + HOUR) == 0


def test_it_ends_with_the_consent_and_by_an_app_password(
    session: Session, account: Account, oauth: OAuth, person: Person, now: datetime
) -> None:
    (consent,) = account.voice.consents
    withdraw_consent(session, consent, why="He asked us to stop", by=1, now=now)
    assert account.secret is None
    assert "He asked us to stop" in str(newest(session).ended_why)
    signed_in(session, oauth, account.voice, person, now + SECOND, "granted.test")
    assert account.secret is not None
    connect_account(
        session,
        account.voice,
        platform="bluesky",
        handle="granted.test",
        service=account.service,
        secret="an app password",
        vault=cast.VAULT,
        by=1,
        now=now,
    )
    session.commit()
    assert newest(session).ended_why == grants.INSTEAD
    assert cast.VAULT.decrypt(account.secret or b"") == b"an app password"


def test_somebody_else_at_the_keyboard_connects_nothing(
    session: Session, pds: Pds, oauth: OAuth, now: datetime
) -> None:
    other = Person(pds, pds.create_account("mallory.test"))
    pds.create_account("granted.test")
    voice = cast.make_voice(session, now)
    with pytest.raises(ValueError, match="Somebody else than @granted"):
        signed_in(session, oauth, voice, other, now, "granted.test")
    session.rollback()
    other.close()


def test_a_request_is_answered_once_in_time_by_whoever_asked(
    session: Session, oauth: OAuth, pds: Pds, owner: PdsAccount, now: datetime
) -> None:
    voice = cast.make_voice(session, now)
    home = oauth.directory.home("granted.test")
    names = {"issuer": pds.url, "client": oauth.client, "scope": "atproto"}
    more = {"bound_to": "mine", "vault": cast.VAULT, "by": 1, "now": now}
    for state in ("one", "two"):
        grants.ask(session, voice, home, Asked(state, "v", new_key()), **names, **more)
    assert grants.answered(session, "one", "not mine", now) is None
    assert grants.answered(session, "none", "mine", now) is None
    assert grants.answered(session, "one", "mine", now) is not None
    assert grants.answered(session, "one", "mine", now) is None
    late = now + 2 * grants.ANSWER_LIFE
    assert grants.answered(session, "two", "mine", late) is None
    grants.forget(session, late)
    assert session.scalars(select(Grant)).all() == []


def test_the_models_and_the_migration_agree(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _o, name, kind, *_: kind != "table" or name == "grants",
            },
        )
        assert compare_metadata(context, Base.metadata) == []
